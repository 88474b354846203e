package lookup

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rules-initramfs/rules_initramfs/internal/golden"
)

// moduleDir has the indexes of a few modules of Debian's kernel, as depmod writes them.
var moduleDir = map[string]string{
	depFile: `kernel/drivers/net/virtio_net.ko.xz: kernel/drivers/net/net_failover.ko.xz kernel/net/core/failover.ko.xz
kernel/drivers/net/net_failover.ko.xz: kernel/net/core/failover.ko.xz
kernel/net/core/failover.ko.xz:
kernel/fs/jbd2/jbd2.ko.xz:
kernel/drivers/usb/storage/uas.ko.xz:
kernel/drivers/usb/storage/usb-storage.ko.xz:
kernel/drivers/leds/leds-gpio.ko:
/usr/lib/modules-extra/extra.ko.zst:
`,
	aliasFile: `# Aliases extracted from modules themselves.
alias virtio:d00000001v* virtio_net
alias usb:v13FDp3940d0[0-2]*dc*dsc*dp*ic*isc*ip*in* uas
alias usb:v13FDp3940d0[0-2]*dc*dsc*dp*ic*isc*ip*in* usb_storage
alias dmi*:svnIntel*:pn*NUC*: leds_gpio
alias platform:leds-gpio leds_gpio
alias fs-jbd2 jbd2
alias mt8188 mt6359 soc card jbd2
`,
	softdepFile: `# Soft dependencies extracted from modules themselves.
softdep jbd2 pre: crypto-crc32c post: a b
softdep cifs gcm
softdep jbd2 pre: second
`,
	builtinFile: "kernel/fs/ext4/ext4.ko\nkernel/lib/xz/xz_dec.ko\n",
	modinfoFile: "ext4.alias=fs-ext4\x00ext4.license=GPL\x00xz_dec.version=1\x00virtio_pci.alias=pci:v00001AF4d*sv*\x00",
}

func open(t *testing.T, files map[string]string) (*Index, string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	x, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return x, dir
}

func TestModule(t *testing.T) {
	x, dir := open(t, moduleDir)
	for name, want := range map[string]Module{
		"virtio-net":  {"virtio_net", dir + "/kernel/drivers/net/virtio_net.ko.xz", []string{"net_failover", "failover"}},
		"usb_storage": {"usb_storage", dir + "/kernel/drivers/usb/storage/usb-storage.ko.xz", nil},
		"extra":       {"extra", "/usr/lib/modules-extra/extra.ko.zst", nil},
	} {
		got, ok := x.Module(name)
		if diff := cmp.Diff(want, got); !ok || diff != "" {
			t.Errorf("%s: found %t (-want +got):\n%s", name, ok, diff)
		}
	}
	for _, name := range []string{"", "virtio", "ext4", "kernel/net/core/failover"} {
		if got, ok := x.Module(name); ok {
			t.Errorf("%q: %+v, want none", name, got)
		}
	}
	if !x.Builtin("xz-dec") || x.Builtin("jbd2") || !x.Ordered {
		t.Error("xz_dec is part of the kernel, jbd2 is not, and there is a modules.dep")
	}
	want := Softdeps{Pre: []string{"crypto-crc32c", "second"}, Post: []string{"a", "b"}}
	if diff := cmp.Diff(want, x.Softdeps("jbd2")); diff != "" {
		t.Errorf("soft dependencies (-want +got):\n%s", diff)
	}
}

func TestServing(t *testing.T) {
	x, _ := open(t, moduleDir)
	for alias, want := range map[string][]string{
		"virtio:d00000001v00001AF4":                         {"virtio_net"},
		"virtio:d00000002v00001AF4":                         nil,
		"usb:v13FDp3940d0150dc00dsc00dp00ic08isc06ip50in00": {"uas", "usb_storage"},
		"usb:v13FDp3940d0350dc00dsc00dp00ic08isc06ip50in00": nil,
		"dmi:bvn1:svnIntel(R) Client Systems:pnNUC8:":       {"leds_gpio"},
		"platform:leds_gpio":                                {"leds_gpio"},
		"mt8188 mt6359 soc card":                            {"jbd2"},
		"fs_jbd2":                                           {"jbd2"},
		"fs-ext4":                                           nil,
		"":                                                  nil,
	} {
		got, err := x.Serving(alias)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", alias, got, want)
		}
	}
	for alias, want := range map[string]bool{"fs-ext4": true, "pci:v00001AF4d00001041sv0": true, "fs-jbd2": false} {
		if got, err := x.ServedByKernel(alias); err != nil || got != want {
			t.Errorf("%s: part of the kernel %t, error %v, want %t", alias, got, err, want)
		}
	}
}

func TestNear(t *testing.T) {
	x, _ := open(t, moduleDir)
	for name, want := range map[string][]string{
		"virtio_nte": {"virtio_net"},
		"usbstorage": {"usb_storage"},
		"failovr":    {"failover"},
		"amdgpu":     nil,
		"":           nil,
		"net_fail":   {"net_failover"},
	} {
		if got := x.Near(name); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := x.Near(strings.Repeat("a", 1<<20)); got != nil {
		t.Errorf("%q are near a name that no module can have", got)
	}
}

func TestWithoutIndexes(t *testing.T) {
	x, dir := open(t, map[string]string{"kernel/fs/erofs/erofs.ko": "", "kernel/snd-pcm.ko.zst": "", "kernel/erofs.txt": ""})
	got, ok := x.Module("snd_pcm")
	want := Module{Name: "snd_pcm", File: dir + "/kernel/snd-pcm.ko.zst"}
	if diff := cmp.Diff(want, got); !ok || diff != "" || x.Ordered {
		t.Errorf("found %t, ordered %t (-want +got):\n%s", ok, x.Ordered, diff)
	}
	if names, err := x.Serving("fs-erofs"); err != nil || len(names) > 0 {
		t.Errorf("%q, error %v, want none", names, err)
	}
	none, err := Open(filepath.Join(dir, "none"))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := none.Module("erofs"); ok {
		t.Error("a directory that does not exist has a module")
	}
}

func TestErrors(t *testing.T) {
	messages := map[string]string{}
	for name, text := range map[string]string{
		"no colon":       "kernel/a.ko\n",
		"no module":      "\nkernel/a.txt:\n",
		"escape":         "../../a.ko:\n",
		"needs a letter": "kernel/a.ko: b\n",
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, depFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Open(dir)
		if err == nil || !strings.HasPrefix(err.Error(), filepath.Join(dir, depFile)+":") {
			t.Errorf("%s: error %v, want one of a line of %s", name, err, depFile)
			continue
		}
		messages[name] = strings.ReplaceAll(err.Error(), dir, "DIR")
	}
	dir := t.TempDir()
	large, err := os.Create(filepath.Join(dir, softdepFile))
	if err != nil {
		t.Fatal(err)
	}
	defer large.Close()
	if err := large.Truncate(maxIndex + 1); err != nil {
		t.Fatal(err)
	}
	if _, err = Open(dir); err == nil {
		t.Fatal("an index that is too large was read")
	}
	messages["too large"] = strings.ReplaceAll(err.Error(), dir, "DIR")
	golden.Messages(t, "messages.txt", messages)
}

// FuzzOpen checks that indexes of any text are read or refused, and then can be asked.
func FuzzOpen(f *testing.F) {
	f.Add(moduleDir[depFile], moduleDir[aliasFile], moduleDir[softdepFile], "usb:v13FDp3940d0150dc00")
	f.Add("kernel/a.ko:", "alias [a-*\\ b", "softdep a pre:", "a")
	f.Fuzz(func(t *testing.T, dep, aliases, softdep, name string) {
		dir := t.TempDir()
		for file, text := range map[string]string{depFile: dep, aliasFile: aliases, softdepFile: softdep, builtinFile: dep, modinfoFile: aliases} {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		x, err := Open(dir)
		if err != nil {
			return
		}
		if m, ok := x.Module(name); ok && !filepath.IsAbs(m.File) {
			t.Errorf("module %+v has no absolute path", m)
		}
		names, err := x.Serving(name)
		if err != nil {
			t.Error(err)
		}
		seen := map[string]bool{}
		for _, n := range names {
			if seen[n] {
				t.Errorf("%q serves %q twice", n, name)
			}
			seen[n] = true
		}
		x.Near(name)
		if _, err := x.ServedByKernel(name); err != nil {
			t.Error(err)
		}
	})
}
