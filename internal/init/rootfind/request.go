// Package rootfind finds and mounts the root file system that the kernel's command
// line asks for. It understands the kernel's own parameters
// (Documentation/admin-guide/kernel-parameters.txt), and also LABEL= and UUID=.
package rootfind

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/rules-initramfs/rules_initramfs/internal/init/settings"
)

// A Request is a command line's parameters for the root file system.
type Request struct {
	Root     string        // root=; empty for none
	Types    []string      // rootfstype=: file systems to try, in this order; empty, or Auto, to detect it
	Options  Options       // rootflags=: mount options
	Init     string        // init=; empty for the first of Inits that exists
	Delay    time.Duration // rootdelay=: time to wait before the search
	Wait     time.Duration // rootwait=SECONDS: time to search; Forever for rootwait
	Writable bool          // rw, also of rootflags=; false for ro
}

// Forever is rootwait without a limit.
const Forever = time.Duration(1<<63 - 1)

// Inits are the programs that the kernel looks for in a root file system
// (init/main.c).
var Inits = []string{"/sbin/init", "/etc/init", "/bin/init", "/bin/sh"}

// maxSeconds keeps durations from overflowing.
const maxSeconds = 1 << 31

// Parse reads the parameters of a command line. If one is repeated, the last one
// wins.
func Parse(params []settings.Param) (Request, error) {
	var r Request
	for _, p := range params {
		var err error
		switch p.Name {
		case "root":
			r.Root, err = unquote(p.Value)
		case "rootfstype":
			r.Types = parseTypes(p.Value)
		case "rootflags":
			r.Options, err = parseOptions(p.Value)
		case "rootdelay":
			r.Delay, err = parseSeconds(p.Value)
		case "rootwait":
			if r.Wait = Forever; p.Value != "" {
				r.Wait, err = parseSeconds(p.Value)
			}
		case "ro", "rw":
			r.Writable = p.Name == "rw"
		case "init":
			r.Init = p.Value
			if !strings.HasPrefix(p.Value, "/") {
				err = fmt.Errorf("%q is not an absolute path", p.Value)
			}
		}
		if err != nil {
			return Request{}, fmt.Errorf("kernel command line: %s: %v", p.Name, err)
		}
	}
	if r.Options.Access != "" {
		r.Writable = r.Options.Access == "rw"
	}
	return r, nil
}

// unquote removes the quotes around a device, and around the value of a tag such as
// UUID="...": files such as /etc/fstab have them. The kernel only removes double quotes
// around a whole parameter or its value.
func unquote(device string) (string, error) {
	tag, value, tagged := strings.Cut(device, "=")
	whole, err := unquoteValue(device)
	if err != nil || !tagged || whole != device {
		return whole, err
	}
	value, err = unquoteValue(value)
	return tag + "=" + value, err
}

func unquoteValue(value string) (string, error) {
	if value == "" || value[0] != '"' && value[0] != '\'' {
		return value, nil
	}
	if end := len(value) - 1; end > 0 && value[end] == value[0] {
		return value[1:end], nil
	}
	return value, fmt.Errorf("%s has an unmatched %c", value, value[0])
}

// Auto, as a type, means the file system that the device has.
const Auto = "auto"

// parseTypes drops ramfs and tmpfs, which tell the kernel what to use for the
// initramfs itself (init_rootfs of init/do_mounts.c).
func parseTypes(value string) []string {
	var all []string
	for name := range strings.SplitSeq(value, ",") {
		if name != "" && name != "ramfs" && name != "tmpfs" {
			all = append(all, name)
		}
	}
	return all
}

func parseSeconds(value string) (time.Duration, error) {
	n, err := strconv.ParseUint(value, 10, 64)
	if err != nil || n > maxSeconds {
		return 0, fmt.Errorf("%q is not a number of seconds", value)
	}
	return time.Duration(n) * time.Second, nil
}
