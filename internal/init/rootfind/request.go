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
	Types    []string      // rootfstype=: file systems to try, in this order; empty to detect it
	Flags    string        // rootflags=: the file system's mount options
	Init     string        // init=; empty for the first of Inits that exists
	Delay    time.Duration // rootdelay=: time to wait before the search
	Wait     time.Duration // rootwait=SECONDS: time to search; Forever for rootwait
	Writable bool          // rw; false for ro
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
			r.Root = p.Value
		case "rootfstype":
			r.Types = parseTypes(p.Value)
		case "rootflags":
			r.Flags = p.Value
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
	return r, nil
}

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
