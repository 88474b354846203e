package rootfind

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rules-initramfs/rules_initramfs/internal/golden"
	"github.com/rules-initramfs/rules_initramfs/internal/init/settings"
)

func TestParse(t *testing.T) {
	for _, test := range []struct {
		line string
		want Request
	}{
		{"quiet", Request{}},
		{"root=/dev/vda1 rootwait ro", Request{Root: "/dev/vda1", Wait: Forever}},
		{"root=/dev/vda root=LABEL=x rw", Request{Root: "LABEL=x", Writable: true}},
		{"rw ro rootwait=5 rootdelay=2", Request{Wait: 5 * time.Second, Delay: 2 * time.Second}},
		{"rootfstype=tmpfs,ext4,squashfs rootflags=noload,data=journal", Request{Types: []string{"ext4", "squashfs"}, Flags: "noload,data=journal"}},
		{"rootfstype=ramfs init=/bin/sh", Request{Init: "/bin/sh"}},
	} {
		got, err := Parse(settings.Params(test.line))
		if err != nil {
			t.Errorf("%s: %v", test.line, err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.line, diff)
		}
	}
}

func TestParseErrors(t *testing.T) {
	messages := map[string]string{}
	for line, param := range map[string]string{
		"rootwait=soon":        "rootwait",
		"rootdelay=-1":         "rootdelay",
		"rootdelay":            "rootdelay",
		"rootwait=99999999999": "rootwait",
		"init=sh":              "init",
	} {
		_, err := Parse(settings.Params(line))
		if err == nil || !strings.HasPrefix(err.Error(), "kernel command line: "+param+": ") {
			t.Errorf("%s: error %v, want one of %s", line, err, param)
			continue
		}
		messages[line] = err.Error()
	}
	golden.Messages(t, "TestParseErrors.txt", messages)
}

// FuzzParse checks that durations are not negative.
func FuzzParse(f *testing.F) {
	f.Add("root=PARTUUID=x rootwait=3 rootfstype=ext4,erofs rw init=/init")
	f.Fuzz(func(t *testing.T, line string) {
		r, err := Parse(settings.Params(line))
		if err == nil && (r.Delay < 0 || r.Wait < 0) {
			t.Errorf("%+v", r)
		}
		parseRoot(r.Root)
	})
}
