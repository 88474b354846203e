package rootfind

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

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
		{"rootfstype=tmpfs,ext4,squashfs rootflags=noload,data=journal", Request{Types: []string{"ext4", "squashfs"}, Options: Options{Data: "noload,data=journal"}}},
		{"rw rootflags=ro", Request{Options: Options{Access: "ro"}}},
		{"rootflags=rw ro", Request{Options: Options{Access: "rw"}, Writable: true}},
		{"rootfstype=auto", Request{Types: []string{"auto"}}},
		{`root=UUID="1234-ABCD"`, Request{Root: "UUID=1234-ABCD"}},
		{`root="LABEL=two words"`, Request{Root: "LABEL=two words"}},
		{`root=LABEL="two words"`, Request{Root: "LABEL=two words"}},
		{`root='UUID=x'`, Request{Root: "UUID=x"}},
		{`root=PARTLABEL='x' ro`, Request{Root: "PARTLABEL=x"}},
		{`root=LABEL=it's`, Request{Root: "LABEL=it's"}},
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
		`root='UUID=x`:         "root",
		`root=UUID='x`:         "root",
		"rootflags=ro,loop":    "rootflags",
		"rootflags=loop=x":     "rootflags",
		"rootflags=bind":       "rootflags",
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

func TestParseOptions(t *testing.T) {
	for _, test := range []struct {
		text string
		want Options
	}{
		{"", Options{}},
		{"defaults", Options{}},
		{"noatime", Options{Flags: unix.MS_NOATIME}},
		{"defaults,noatime,ro,data=journal", Options{Access: "ro", Flags: unix.MS_NOATIME, Data: "data=journal"}},
		{"ro,rw", Options{Access: "rw"}},
		{"nosuid,nodev,noexec,exec", Options{Flags: unix.MS_NOSUID | unix.MS_NODEV}},
		{"sync,dirsync,lazytime,silent,strictatime,nodiratime,relatime,nosymfollow", Options{
			Flags: unix.MS_SYNCHRONOUS | unix.MS_DIRSYNC | unix.MS_LAZYTIME | unix.MS_SILENT | unix.MS_STRICTATIME |
				unix.MS_NODIRATIME | unix.MS_RELATIME | unix.MS_NOSYMFOLLOW,
		}},
		{"noatime,atime,sync,async,lazytime,nolazytime", Options{}},
		{"auto,nofail,_netdev,user,x-systemd.growfs,X-mount.mkdir,comment=a", Options{}},
		{"subvol=@,compress=zstd:3,ssd", Options{Data: "subvol=@,compress=zstd:3,ssd"}},
		{`context="a:b:c1,c2",noatime`, Options{Flags: unix.MS_NOATIME, Data: `context="a:b:c1,c2"`}},
		{",,noload,", Options{Data: "noload"}},
	} {
		got, err := parseOptions(test.text)
		if diff := cmp.Diff(test.want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", test.text, err, diff)
		}
	}
}
