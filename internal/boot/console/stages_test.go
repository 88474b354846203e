package console

import (
	"io"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestStages(t *testing.T) {
	firmware := regexp.MustCompile("^Boot HART ")
	const banner = "[    0.000000] Linux version 7.2.12"
	for _, test := range []struct {
		name        string
		firmware    *regexp.Regexp
		console     string
		want        []string
		wantStarted bool
	}{
		{"nothing", nil, "\r\n \n", nil, false},
		{"all", nil, banner + "\n[    2.1] Run /init as init process\nhello\n", []string{"kernel", "init"}, true},
		{"quiet", nil, "hello\n", []string{"first output"}, true},
		{"a kernel's later line", firmware, "[    0.000000] x\n", []string{"first output"}, true},
		{"firmware alone", firmware, "OpenSBI v1.6\nBoot HART ID : 0\nBoot HART MEDELEG : 1\n\n", []string{"first output"}, false},
		{"firmware, then a quiet kernel", firmware, "OpenSBI v1.6\nBoot HART ID : 0\n\nhello\n", []string{"first output"}, true},
		{"firmware, then a kernel", firmware, "OpenSBI v1.6\n" + banner + "\n", []string{"first output", "kernel"}, true},
		{"words of a program", nil, "it said Linux version 7\n", []string{"first output"}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			now := time.Duration(0)
			w := NewWatcher(Rules{Firmware: test.firmware, Clock: func() time.Duration { now += time.Second; return now }})
			io.WriteString(w, test.console)
			var got []string
			last := 0.0
			for _, s := range w.Stages() {
				got = append(got, s.Name)
				if s.At <= last {
					t.Errorf("%s at %v s, after one at %v s", s.Name, s.At, last)
				}
				last = s.At
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("stages (-want +got):\n%s", diff)
			}
			if got := w.KernelStarted(); got != test.wantStarted {
				t.Errorf("kernel started: %v", got)
			}
		})
	}
}
