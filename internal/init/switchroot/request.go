// Package switchroot leaves an initramfs for another root file system, as klibc's
// run-init and busybox's switch_root do.
package switchroot

import (
	"fmt"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/init/console"
)

// Usage is the command's.
const Usage = `Usage: switch_root [-c CONSOLE] [-d CAPS] [-n] NEWROOT INIT [ARG...]

Deletes all that is in the initramfs, makes the file system mounted on NEWROOT
the root, and runs INIT there, as process 1. It has to be process 1: use exec.
/dev, /proc, /sys and /run go along when NEWROOT has those directories.

  -c CONSOLE  open CONSOLE, in the new root, as standard input, output and error
              (default ` + console.Device + `)
  -d CAPS     drop capabilities for good: names such as cap_sys_module, by commas
  -n          only check whether all is as it has to be

Exit status: 1 something is not as it has to be, and nothing was changed; 2 wrong
usage; with -n, 0 all is well.
`

// A Request is what is asked for.
type Request struct {
	NewRoot string       // where the new root file system is mounted
	Init    string       // the program to run, as the new root has it
	Args    []string     // its arguments, without its name
	Env     []string     // its environment
	Console string       // the device to open, as the new root has it
	Drop    []Capability // what it must never have
	DryRun  bool         // only check
}

// A UsageError is one of the command line.
type UsageError struct{ text string }

func (e *UsageError) Error() string { return e.text }

// Parse reads a command line, without the command's name. Options end where
// NEWROOT begins: what is behind INIT is its own. It returns a *UsageError.
func Parse(args []string) (Request, error) {
	r := Request{Console: console.Device}
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' {
		option := args[0]
		args = args[1:]
		if option == "--" {
			break
		}
		for i := 1; i < len(option); i++ {
			letter := option[i]
			if letter == 'n' {
				r.DryRun = true
				continue
			}
			if letter != 'c' && letter != 'd' {
				return r, &UsageError{fmt.Sprintf("option -%c is not known", letter)}
			}
			value := option[i+1:]
			if value == "" {
				if len(args) == 0 {
					return r, &UsageError{fmt.Sprintf("option -%c wants a value", letter)}
				}
				value, args = args[0], args[1:]
			}
			if letter == 'c' {
				r.Console = value
			} else {
				drop, err := ParseCapabilities(value)
				if err != nil {
					return r, &UsageError{"-d: " + err.Error()}
				}
				r.Drop = append(r.Drop, drop...)
			}
			break
		}
	}
	if len(args) < 2 {
		return r, &UsageError{"want NEWROOT and INIT"}
	}
	r.NewRoot, r.Init, r.Args = args[0], args[1], args[2:]
	for _, name := range []string{r.NewRoot, r.Init, r.Console} {
		if !strings.HasPrefix(name, "/") {
			return r, &UsageError{fmt.Sprintf("%q is no absolute path", name)}
		}
	}
	return r, nil
}
