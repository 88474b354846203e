// Package switchroot switches from an initramfs to another root file system, like
// run-init of klibc and switch_root of busybox.
package switchroot

import (
	"fmt"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/init/system"
)

// Usage is the help text of the command.
const Usage = `Usage: switch_root [-c CONSOLE] [-d CAPS] [-n] NEWROOT INIT [ARG...]

Deletes all files of the initramfs, makes the file system mounted on NEWROOT the
root, and runs INIT there as process 1. It must be process 1 itself: use exec.
/dev, /proc, /sys and /run move to NEWROOT if it has those directories.

  -c CONSOLE  open CONSOLE, a path in the new root, as standard input, output and
              error (default ` + system.Console + `)
  -d CAPS     drop capabilities for good: names such as cap_sys_module, separated
              by commas
  -n          only check that everything is ready

Exit status: with -n, 0 if everything is ready; 1 if a check failed, and nothing
was changed; 2 for wrong usage.
`

// A Request says what to switch to.
type Request struct {
	NewRoot string       // mount point of the new root file system
	Init    string       // the program to run, a path in the new root
	Args    []string     // its arguments, without its name
	Env     []string     // its environment
	Console string       // the device to open, a path in the new root
	Drop    []Capability // capabilities that the program must never have
	DryRun  bool         // only run the checks
}

// A UsageError reports a wrong command line.
type UsageError struct{ text string }

func (e *UsageError) Error() string { return e.text }

// Parse reads the arguments of the command. Options end at NEWROOT, and all arguments
// after INIT are for INIT. The error is a *UsageError.
func Parse(args []string) (Request, error) {
	r := Request{Console: system.Console}
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
				return r, &UsageError{fmt.Sprintf("unknown option -%c", letter)}
			}
			value := option[i+1:]
			if value == "" {
				if len(args) == 0 {
					return r, &UsageError{fmt.Sprintf("option -%c needs a value", letter)}
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
			return r, &UsageError{fmt.Sprintf("%q is not an absolute path", name)}
		}
	}
	return r, nil
}
