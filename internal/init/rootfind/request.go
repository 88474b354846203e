// Package rootfind finds and mounts the root file system that the kernel's
// command line asks for, with the kernel's own words for it
// (Documentation/admin-guide/kernel-parameters.txt) and LABEL= and UUID= besides.
package rootfind

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/rules-initramfs/rules_initramfs/internal/init/settings"
)

// A Request is what the command line says of the root file system.
type Request struct {
	Root     string        // root=; empty for none
	Types    []string      // rootfstype=: file systems to try, in this order; empty for what is there
	Flags    string        // rootflags=: the file system's mount options
	Init     string        // init=; empty for the first of Inits that is there
	Delay    time.Duration // rootdelay=: how long to wait before looking
	Wait     time.Duration // rootwait=SECONDS: how long to look; Forever for rootwait
	Writable bool          // rw rather than ro
}

// Forever is rootwait without a limit.
const Forever = time.Duration(1<<63 - 1)

// Inits are what the kernel looks for in a root file system: init/main.c.
var Inits = []string{"/sbin/init", "/etc/init", "/bin/init", "/bin/sh"}

// maxSeconds keeps durations from overflowing.
const maxSeconds = 1 << 31

// Parse reads the words of a command line. Of the same word twice the last one
// counts.
func Parse(words []settings.Word) (Request, error) {
	var r Request
	for _, w := range words {
		var err error
		switch w.Name {
		case "root":
			r.Root = w.Value
		case "rootfstype":
			r.Types = types(w.Value)
		case "rootflags":
			r.Flags = w.Value
		case "rootdelay":
			r.Delay, err = seconds(w.Value)
		case "rootwait":
			if r.Wait = Forever; w.Value != "" {
				r.Wait, err = seconds(w.Value)
			}
		case "ro", "rw":
			r.Writable = w.Name == "rw"
		case "init":
			r.Init = w.Value
			if !strings.HasPrefix(w.Value, "/") {
				err = fmt.Errorf("%q is no absolute path", w.Value)
			}
		}
		if err != nil {
			return Request{}, fmt.Errorf("kernel command line: %s: %v", w.Name, err)
		}
	}
	return r, nil
}

// types leaves out ramfs and tmpfs: those tell the kernel what to make the
// initramfs of (init/do_mounts.c, init_rootfs).
func types(value string) []string {
	var all []string
	for name := range strings.SplitSeq(value, ",") {
		if name != "" && name != "ramfs" && name != "tmpfs" {
			all = append(all, name)
		}
	}
	return all
}

func seconds(value string) (time.Duration, error) {
	n, err := strconv.ParseUint(value, 10, 64)
	if err != nil || n > maxSeconds {
		return 0, fmt.Errorf("%q is no number of seconds", value)
	}
	return time.Duration(n) * time.Second, nil
}
