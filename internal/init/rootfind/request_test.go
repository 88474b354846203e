package rootfind

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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
		got, err := Parse(settings.Words(test.line))
		if err != nil {
			t.Errorf("%s: %v", test.line, err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.line, diff)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for line, want := range map[string]string{
		"rootwait=soon":        `rootwait: "soon" is no number of seconds`,
		"rootdelay=-1":         `rootdelay: "-1" is no number of seconds`,
		"rootdelay":            `rootdelay: "" is no number of seconds`,
		"rootwait=99999999999": "is no number of seconds",
		"init=sh":              `init: "sh" is no absolute path`,
	} {
		_, err := Parse(settings.Words(line))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", line, err, want)
		}
	}
}

// FuzzParse: durations are none that would end before they begin.
func FuzzParse(f *testing.F) {
	f.Add("root=PARTUUID=x rootwait=3 rootfstype=ext4,erofs rw init=/init")
	f.Fuzz(func(t *testing.T, line string) {
		r, err := Parse(settings.Words(line))
		if err == nil && (r.Delay < 0 || r.Wait < 0) {
			t.Errorf("%+v", r)
		}
		parseRoot(r.Root)
	})
}
