package cli

import (
	"flag"
	"fmt"
	"os"
)

// ParseFlags parses the arguments of a command with this help, which comes before that of the
// flags. An error has been reported.
func ParseFlags(flags *flag.FlagSet, help string, args []string) error {
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), help)
		flags.PrintDefaults()
	}
	for _, arg := range args {
		if arg == "-h" || arg == "-help" || arg == "--help" {
			flags.SetOutput(os.Stdout) // help that was asked for is a result
		}
	}
	switch err := flags.Parse(args); err {
	case nil, flag.ErrHelp:
		return err
	default:
		return ErrUsage
	}
}

// UsageFault reports wrong usage of the command that has the flags, and returns ErrUsage.
func UsageFault(flags *flag.FlagSet, format string, args ...any) error {
	fmt.Fprintf(os.Stderr, "%s: %s; see %[1]s --help\n", flags.Name(), fmt.Sprintf(format, args...))
	return ErrUsage
}
