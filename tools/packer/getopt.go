package main

import (
	"fmt"
	"strings"
)

// getopt calls take for each option of the arguments and returns the operands, as getopt(3)
// of the GNU C library does: options are one letter, several may share a dash, the value of
// an option is in the same argument or the next, options may follow operands, and "--" ends
// them. options has the known letters; a colon follows a letter that takes a value.
func getopt(args []string, options string, take func(option byte, value string) error) (operands []string, err error) {
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		if arg == "--" {
			return append(operands, args...), nil
		}
		if len(arg) < 2 || arg[0] != '-' {
			operands = append(operands, arg)
			continue
		}
		for rest := arg[1:]; rest != ""; {
			option := rest[0]
			rest = rest[1:]
			at := strings.IndexByte(options, option)
			if at < 0 || option == ':' {
				return nil, fmt.Errorf("invalid option -- '%c'", option)
			}
			value := ""
			if strings.HasPrefix(options[at+1:], ":") {
				if value, rest = rest, ""; value == "" {
					if len(args) == 0 {
						return nil, fmt.Errorf("option requires an argument -- '%c'", option)
					}
					value, args = args[0], args[1:]
				}
			}
			if err := take(option, value); err != nil {
				return nil, err
			}
		}
	}
	return operands, nil
}
