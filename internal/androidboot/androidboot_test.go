package androidboot

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestMkbootimg compares with mkbootimg, byte for byte.
func TestMkbootimg(t *testing.T) {
	mkbootimg, err := exec.LookPath("mkbootimg")
	if err != nil {
		t.Skip("mkbootimg is not on PATH: install mkbootimg")
	}
	dir := t.TempDir()
	parts := map[string]bytesContent{
		"kernel": bytes.Repeat([]byte("k"), 5000), "ramdisk": []byte("ramdisk"), "vendor": bytes.Repeat([]byte("v"), 4097),
		"dlkm": []byte("modules"), "dtb": []byte("device tree"), "bootconfig": []byte("androidboot.a=b\n"),
	}
	file := func(name string) string { return filepath.Join(dir, name) }
	for name, content := range parts {
		if err := os.WriteFile(file(name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	osVersion, err := ParseOSVersion("15.0.1")
	if err != nil {
		t.Fatal(err)
	}
	level, err := ParsePatchLevel("2025-08")
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		write func(*bytes.Buffer) error
		args  []string
	}{
		"boot": {
			func(w *bytes.Buffer) error {
				return (&Boot{Kernel: parts["kernel"], Ramdisk: parts["ramdisk"], CommandLine: "quiet", OSVersion: osVersion, PatchLevel: level}).Write(w)
			},
			[]string{"--kernel", file("kernel"), "--ramdisk", file("ramdisk"), "--cmdline", "quiet", "--os_version", "15.0.1", "--os_patch_level", "2025-08", "-o", file("out")},
		},
		"boot, empty": {
			func(w *bytes.Buffer) error { return (&Boot{}).Write(w) },
			[]string{"-o", file("out")},
		},
		"vendor": {
			func(w *bytes.Buffer) error {
				return (&VendorBoot{
					Ramdisks: []Ramdisk{
						{parts["vendor"], "platform", ""},
						{parts["dlkm"], "dlkm", "modules"},
					},
					DeviceTrees: parts["dtb"], Bootconfig: parts["bootconfig"], CommandLine: "console=ttyS0", Product: "board", PageSize: 4096,
					KernelAddress: 0x10008000, RamdiskAddress: 0x11000000, TagsAddress: 0x10000100, DeviceTreeAddress: 0x11f00000,
				}).Write(w)
			},
			[]string{
				"--vendor_ramdisk", file("vendor"), "--dtb", file("dtb"), "--vendor_bootconfig", file("bootconfig"), "--vendor_cmdline", "console=ttyS0",
				"--board", "board", "--pagesize", "4096", "--vendor_boot", file("out"),
				"--ramdisk_type", "dlkm", "--ramdisk_name", "modules", "--vendor_ramdisk_fragment", file("dlkm"),
			},
		},
	} {
		var got bytes.Buffer
		if err := test.write(&got); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		cmd := exec.Command(mkbootimg, append([]string{"--header_version", "4"}, test.args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", name, err, out)
		}
		want, err := os.ReadFile(file("out"))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), want) {
			for i := range min(got.Len(), len(want)) {
				if got.Bytes()[i] != want[i] {
					t.Errorf("%s: the first difference is at byte %d", name, i)
					break
				}
			}
			t.Errorf("%s: %d bytes, and mkbootimg's %d are others", name, got.Len(), len(want))
		}
	}
}

func TestErrors(t *testing.T) {
	part := bytesContent("a")
	for name, write := range map[string]func(*bytes.Buffer) error{
		"command line": func(w *bytes.Buffer) error {
			return (&Boot{CommandLine: strings.Repeat("a", MaxCommandLine+1)}).Write(w)
		},
		"page size": func(w *bytes.Buffer) error { return (&VendorBoot{PageSize: 5000}).Write(w) },
		"type": func(w *bytes.Buffer) error {
			return (&VendorBoot{PageSize: 4096, Ramdisks: []Ramdisk{{part, "x", ""}}}).Write(w)
		},
		"two without a name": func(w *bytes.Buffer) error {
			return (&VendorBoot{PageSize: 4096, Ramdisks: []Ramdisk{{part, "none", ""}, {part, "none", ""}}}).Write(w)
		},
		"reserved name": func(w *bytes.Buffer) error {
			return (&VendorBoot{PageSize: 4096, Ramdisks: []Ramdisk{{part, "none", "default"}}}).Write(w)
		},
		"long name": func(w *bytes.Buffer) error {
			return (&VendorBoot{PageSize: 4096, Ramdisks: []Ramdisk{{part, "none", strings.Repeat("a", MaxName+1)}}}).Write(w)
		},
		"product": func(w *bytes.Buffer) error {
			return (&VendorBoot{PageSize: 4096, Product: strings.Repeat("a", MaxProduct+1)}).Write(w)
		},
	} {
		var b bytes.Buffer
		if err := write(&b); err == nil || b.Len() > 0 {
			t.Errorf("%s: error %v after %d bytes", name, err, b.Len())
		}
	}
	for _, bad := range []string{"", "a", "1.2.3.4", "128", "1.-1"} {
		if v, err := ParseOSVersion(bad); err == nil {
			t.Errorf("version %q is %d", bad, v)
		}
	}
	for _, bad := range []string{"", "2025", "2025-13", "1999-01", "2025-01-02", "2200-01"} {
		if v, err := ParsePatchLevel(bad); err == nil {
			t.Errorf("patch level %q is %d", bad, v)
		}
	}
}
