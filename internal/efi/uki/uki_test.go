package uki

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/efi/pe"
	"github.com/rules-initramfs/rules_initramfs/internal/efi/pe/petest"
	"github.com/rules-initramfs/rules_initramfs/internal/fdt"
	"github.com/rules-initramfs/rules_initramfs/internal/golden"
	"github.com/rules-initramfs/rules_initramfs/internal/image"
)

const x86, arm64 = 0x8664, 0xaa64

// writeFiles writes what images of tests are made of, and returns a directory with them.
func writeFiles(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	sbat := petest.Section{Name: ".sbat", Content: sbatHeader + "stub,1,Stub,stub,1,https://example.com\n" + string(make([]byte, 0x400))}
	signed, err := openPE(t, petest.Executable(x86, sbat)).WithCertificates([]pe.Certificate{{Data: []byte("signature")}})
	if err != nil {
		t.Fatal(err)
	}
	var signedStub bytes.Buffer
	if err := signed.Write(&signedStub); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"stub":            petest.Executable(x86, petest.Section{Name: ".text", Content: "code"}, sbat),
		"stub.arm64":      petest.Executable(arm64, sbat),
		"stub.unknown":    petest.Executable(0x14c, sbat),
		"stub.uki":        petest.Executable(x86, petest.Section{Name: ".linux", Content: "kernel"}),
		"stub.signed":     signedStub.Bytes(),
		"stub.sbat":       petest.Executable(x86, petest.Section{Name: ".sbat", Content: "stub,1"}),
		"stub.small-sbat": petest.Executable(x86, petest.Section{Name: ".sbat", Content: sbatHeader}),
		"kernel":          append(petest.Executable(x86, petest.Section{Name: ".text", Content: "kernel"}), "Linux version 7.2.0-test (builder) #1"...),
		"kernel.arm64":    petest.Executable(arm64, petest.Section{Name: ".text", Content: "kernel"}),
		"kernel.vmlinux":  []byte("\x7fELF" + string(make([]byte, 60))),
		"kernel.gz":       []byte("\x1f\x8b" + string(make([]byte, 60))),
		"initramfs":       []byte("070701"),
		"tail":            nil,
		"microcode":       []byte("070701"),
		"tar":             []byte("etc/" + strings.Repeat("\x00", 253) + "ustar"),
		"junk":            []byte("junk"),
		"tree.dtb":        []byte(minimalTree),
		"large.dtb":       []byte(minimalTree + string(make([]byte, maxDeviceTree))),
		"damaged.dtb":     []byte(minimalTree[:60]),
		"overlay.dtb":     overlay(t),
		"splash.bmp":      []byte(splashContent),
		"splash.png":      []byte("\x89PNG and pixels"),
		"damaged.bmp":     []byte(splashContent + "more"),
		"cmdline.nul":     []byte("quiet\x00splash"),
		"cmdline.long":    bytes.Repeat([]byte("a"), 1<<20),
		"cmdline":         []byte("quiet splash\n"),
		"text":            []byte("ID=test\n"),
		"sbat":            []byte(sbatHeader + "product,1,Product,product,1,https://example.com"),
		"hwids.json":      []byte(`{"type": "devicetree", "name": "One", "compatible": "test,one", "hwids": ["6de5d951-d755-576b-bd09-c5cf66b27234"]}`),
		"hwids.type.json": []byte(`{"type": "acpi", "name": "One", "compatible": "test,one", "hwids": ["6de5d951-d755-576b-bd09-c5cf66b27234"]}`),
		"hwids.none.json": []byte(`{"type": "devicetree", "name": "One", "compatible": "test,one"}`),
		"hwids.fwid.json": []byte(`{"type": "devicetree", "name": "One", "compatible": "test,one", "fwid": "one", "hwids": ["6de5d951-d755-576b-bd09-c5cf66b27234"]}`),
		"hwids.uuid.json": []byte(`{"type": "devicetree", "name": "One", "compatible": "test,one", "hwids": ["6de5d951"]}`),
		"bootconfig":      withBootconfig(t),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// overlay returns a device tree that is an overlay.
func overlay(t *testing.T) []byte {
	t.Helper()
	structure := "\x00\x00\x00\x01\x00\x00\x00\x00" + "\x00\x00\x00\x01a\x00\x00\x00" + "\x00\x00\x00\x01__overlay__\x00" +
		"\x00\x00\x00\x02\x00\x00\x00\x02\x00\x00\x00\x02\x00\x00\x00\x09"
	tree := []byte(minimalTree[:56] + structure)
	binary.BigEndian.PutUint32(tree[4:], uint32(len(tree)))
	binary.BigEndian.PutUint32(tree[12:], uint32(len(tree)))
	binary.BigEndian.PutUint32(tree[32:], 0)
	binary.BigEndian.PutUint32(tree[36:], uint32(len(structure)))
	parsed, err := fdt.Parse(tree)
	if err != nil || !parsed.IsOverlay() {
		t.Fatalf("%+v, %v", parsed, err)
	}
	return tree
}

// withBootconfig returns an initramfs that ends with a boot configuration.
func withBootconfig(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	joiner := image.NewJoiner(&out)
	if _, err := joiner.Write([]byte("070701")); err != nil {
		t.Fatal(err)
	}
	if err := joiner.WriteBootconfig([]byte("key = value\n")); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestOpenErrors(t *testing.T) {
	var messages map[string]string
	t.Run("messages", func(t *testing.T) { messages = testOpenErrors(t) })
	golden.Messages(t, "TestOpenErrors.txt", messages)
}

func testOpenErrors(t *testing.T) map[string]string {
	t.Chdir(writeFiles(t))
	long := strings.Repeat("a", 2048)
	messages := map[string]string{}
	for _, test := range []struct {
		name   string
		change func(*Config)
		err    error // nil for any
	}{
		{"no stub", func(c *Config) { c.Stub = "" }, nil},
		{"no kernel", func(c *Config) { c.Base.Kernel = "" }, nil},
		{"a stub that does not exist", func(c *Config) { c.Stub = "none" }, fs.ErrNotExist},
		{"a stub that is a directory", func(c *Config) { c.Stub = "." }, nil},
		{"a stub that is text", func(c *Config) { c.Stub = "cmdline.long" }, pe.ErrNotEFI},
		{"a stub for another architecture than the kernel", func(c *Config) { c.Stub = "stub.arm64" }, ErrArch},
		{"a stub for another architecture than asked for", func(c *Config) { c.Arch = "arm64" }, ErrArch},
		{"a stub for an unknown architecture", func(c *Config) { c.Stub = "stub.unknown" }, nil},
		{"a stub with a kernel", func(c *Config) { c.Stub = "stub.uki" }, nil},
		{"a stub that is signed", func(c *Config) { c.Stub = "stub.signed" }, pe.ErrSigned},
		{"a stub with damaged SBAT data", func(c *Config) { c.Stub = "stub.sbat" }, nil},
		{"a stub without room for SBAT data", func(c *Config) { c.Stub = "stub.small-sbat"; c.SBAT = slices.Repeat([]string{"sbat"}, 10) }, pe.ErrNoRoom},
		{"no room for section headers", func(c *Config) {
			for n := range 20 {
				c.Base.Extra = append(c.Base.Extra, Extra{"." + string(rune('a'+n)), "text"})
			}
		}, pe.ErrNoRoom},
		{"a kernel for another architecture", func(c *Config) { c.Base.Kernel = "kernel.arm64" }, ErrArch},
		{"a vmlinux", func(c *Config) { c.Base.Kernel = "kernel.vmlinux" }, ErrKernel},
		{"a compressed kernel", func(c *Config) { c.Base.Kernel = "kernel.gz" }, ErrKernel},
		{"a text as a kernel", func(c *Config) { c.Base.Kernel = "text" }, ErrKernel},
		{"another release", func(c *Config) { c.Base.Uname = "7.1.0" }, nil},
		{"a long command line", func(c *Config) { c.Base.CommandLine = long }, ErrCommandLine},
		{"a long command line in a file", func(c *Config) { c.Base.CommandLineIn = "cmdline.long" }, ErrCommandLine},
		{"a NUL in the command line", func(c *Config) { c.Base.CommandLineIn = "cmdline.nul" }, ErrCommandLine},
		{"two command lines", func(c *Config) { c.Base.CommandLineIn, c.Base.CommandLine = "cmdline", "quiet" }, ErrDuplicate},
		{"a long command line of a profile", func(c *Config) {
			c.Profiles = []Profile{{Description: "text", Sections: Sections{CommandLine: long}}}
		}, ErrCommandLine},
		{"an empty initramfs", func(c *Config) { c.Base.Initramfs = []string{"tail", "tail"} }, nil},
		{"a tar archive as an initramfs", func(c *Config) { c.Base.Initramfs = []string{"tar"} }, nil},
		{"junk as an initramfs", func(c *Config) { c.Base.Initramfs = []string{"junk"} }, image.ErrJunk},
		{"a boot configuration", func(c *Config) { c.Base.Initramfs = []string{"initramfs", "bootconfig"} }, nil},
		{"a text as a device tree", func(c *Config) { c.Base.DeviceTree = "text" }, fdt.ErrNotDeviceTree},
		{"a damaged device tree", func(c *Config) { c.Base.DeviceTreeAuto = []string{"damaged.dtb"} }, fdt.ErrDamaged},
		{"a large device tree", func(c *Config) { c.Base.DeviceTree = "large.dtb" }, fdt.ErrNotDeviceTree},
		{"an overlay", func(c *Config) { c.Base.DeviceTree = "overlay.dtb" }, nil},
		{"a splash in another format", func(c *Config) { c.Base.Splash = "splash.png" }, nil},
		{"a damaged splash", func(c *Config) { c.Base.Splash = "damaged.bmp" }, nil},
		{"an empty file", func(c *Config) { c.Base.OSRelease = "tail" }, nil},
		{"a section twice", func(c *Config) { c.Base.Extra = []Extra{{".linux", "text"}} }, ErrDuplicate},
		{"a section of the stub", func(c *Config) { c.Base.Extra = []Extra{{".text", "text"}} }, ErrDuplicate},
		{"a long section name", func(c *Config) { c.Base.Extra = []Extra{{".initramfs", "text"}} }, nil},
		{"a text as SBAT data", func(c *Config) { c.SBAT = []string{"text"} }, nil},
		{"long SBAT data", func(c *Config) { c.SBAT = []string{"cmdline.long"} }, nil},
		{"a text as hardware IDs", func(c *Config) { c.Base.HWIDs = []string{"text"} }, nil},
		{"hardware IDs of an unknown type", func(c *Config) { c.Base.HWIDs = []string{"hwids.type.json"} }, nil},
		{"no hardware IDs", func(c *Config) { c.Base.HWIDs = []string{"hwids.none.json"} }, nil},
		{"a field of another type", func(c *Config) { c.Base.HWIDs = []string{"hwids.fwid.json"} }, nil},
		{"a short hardware ID", func(c *Config) { c.Base.HWIDs = []string{"hwids.uuid.json"} }, nil},
	} {
		config := Config{Stub: "stub", Base: Sections{Kernel: "kernel", Initramfs: []string{"initramfs"}}}
		test.change(&config)
		image, err := Open(config)
		if err == nil {
			image.Close()
		}
		if err == nil || test.err != nil && !errors.Is(err, test.err) {
			t.Errorf("%s: %v, want %v", test.name, err, test.err)
			continue
		}
		messages[test.name] = err.Error()
	}
	return messages
}

// All kinds of content become the sections that they are for, and profiles follow the base.
func TestSections(t *testing.T) {
	var texts map[string]string
	t.Run("texts", func(t *testing.T) { texts = testSections(t) })
	golden.Messages(t, "TestSections.txt", texts)
}

func testSections(t *testing.T) map[string]string {
	t.Chdir(writeFiles(t))
	texts := map[string]string{}
	for name, config := range map[string]Config{
		"base": {
			Arch: "x86_64",
			SBAT: []string{"sbat"},
			Base: Sections{
				Kernel: "kernel", Initramfs: []string{"initramfs", "tail", "initramfs"}, Microcode: []string{"microcode"}, CommandLineIn: "cmdline",
				OSRelease: "text", DeviceTree: "tree.dtb", DeviceTreeAuto: []string{"tree.dtb", "tree.dtb"}, HWIDs: []string{"hwids.json"}, Splash: "splash.bmp",
				PCRPublicKey: "text", PCRSignature: "text", Extra: []Extra{{".more", "text"}},
			},
		},
		"profiles": {
			Base: Sections{Kernel: "kernel", Uname: "7.2.0-test", CommandLine: "base", PCRPublicKey: "text"},
			Profiles: []Profile{
				{Description: "text"},
				{Description: "text", Sections: Sections{CommandLine: "other", Initramfs: []string{"initramfs"}, PCRSignature: "text"}},
			},
		},
	} {
		config.Stub = "stub"
		f := openPE(t, write(t, config))
		var got strings.Builder
		for _, s := range f.Sections {
			data, err := io.ReadAll(s.Data())
			if err != nil {
				t.Fatal(err)
			}
			got.WriteString(s.Name + " " + quote(data[:min(len(data), 400)]) + "\n")
		}
		texts[name] = got.String()
		if f.DLLCharacteristics&pe.NXCompat == 0 {
			t.Errorf("%s: it may be executed where it has data, though stub and kernel may not", name)
		}
	}
	return texts
}

// quote returns printable text for data.
func quote(data []byte) string {
	return strings.NewReplacer("\n", `\n`, "\x00", `\0`).Replace(strings.ToValidUTF8(string(data), "?"))
}

// A kernel that runs code in data makes the image such a program.
func TestNXCompat(t *testing.T) {
	t.Chdir(writeFiles(t))
	kernel, err := os.ReadFile("kernel")
	if err != nil {
		t.Fatal(err)
	}
	binary.LittleEndian.PutUint16(kernel[petest.OptionalHeader+70:], 0)
	if err := os.WriteFile("kernel", kernel, 0o666); err != nil {
		t.Fatal(err)
	}
	if f := openPE(t, write(t, Config{Stub: "stub", Base: Sections{Kernel: "kernel"}})); f.DLLCharacteristics != 0x60 {
		t.Errorf("%#x", f.DLLCharacteristics)
	}
}

// An image whose files change while it is written is an error.
func TestChanged(t *testing.T) {
	t.Chdir(writeFiles(t))
	image, err := Open(Config{Stub: "stub", Base: Sections{Kernel: "kernel", Initramfs: []string{"initramfs"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer image.Close()
	if err := os.Truncate("initramfs", 3); err != nil {
		t.Fatal(err)
	}
	if err := image.Write(t.Context(), io.Discard); err == nil || !strings.Contains(err.Error(), ".initrd") {
		t.Error(err)
	}
}

func TestRelease(t *testing.T) {
	bzImage := func(version string) []byte {
		file := make([]byte, 0x1000)
		copy(file[setupMagicAt:], "HdrS")
		binary.LittleEndian.PutUint16(file[kernelVersionAt:], 0x300)
		copy(file[0x500:], version)
		return file
	}
	banner := "Linux version 7.2.12+deb14-arm64 (debian-kernel@lists.debian.org) (gcc) #1"
	at := func(n int, text string) []byte { return append(make([]byte, n), text...) }
	for name, test := range map[string]struct {
		file []byte
		want string
	}{
		"bzImage":               {bzImage("6.1.0-TEST (a@b) #1 SMP\x00"), "6.1.0-TEST"},
		"bzImage, other text":   {bzImage("6.1.0-TEST"), ""},
		"Image":                 {at(100, banner), "7.2.12+deb14-arm64"},
		"in two reads":          {at(1<<20-10, banner), "7.2.12+deb14-arm64"},
		"at the end of a read":  {at(1<<20-len(banner), banner), "7.2.12+deb14-arm64"},
		"after the first read":  {at(1<<20, banner), "7.2.12+deb14-arm64"},
		"after another text":    {at(10, "Linux version %s (%s) and "+banner), "7.2.12+deb14-arm64"},
		"none":                  {at(3<<20, "nothing"), ""},
		"empty":                 {nil, ""},
		"cut":                   {at(10, banner[:16]), ""},
		"prefix at end of file": {at(1<<20-14, bannerPrefix), ""},
	} {
		path := writeFile(t, t.TempDir(), "kernel", string(test.file))
		var b builder
		c, err := b.open(path)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := readRelease(c); err != nil || got != test.want {
			t.Errorf("%s: %q, %v, want %q", name, got, err, test.want)
		}
		if err := (&Image{builder: b}).Close(); err != nil {
			t.Error(err)
		}
	}
}

// Texts that anybody can write are read without a panic.
func FuzzTexts(f *testing.F) {
	f.Add([]byte(sbatHeader + sbatDefault))
	f.Add([]byte(`{"type": "devicetree", "name": "One", "compatible": "test,one", "hwids": ["6de5d951-d755-576b-bd09-c5cf66b27234"]}`))
	f.Add([]byte("Linux version 7.2.12 (a) #1"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if lines, err := sbatLines(data); err == nil && lines != "" && !strings.HasSuffix(lines, "\n") {
			t.Errorf("%q", lines)
		}
		if d, ids, err := parseHWIDs(data); err == nil {
			all := map[[16]byte]bool{}
			for _, id := range ids {
				all[id] = true
			}
			table := marshalHWIDs([]device{d}, map[device]map[[16]byte]bool{d: all})
			if n := len(slices.Collect(maps.Keys(all))); len(table) < (n+1)*deviceSize {
				t.Errorf("%d devices in %d bytes", n, len(table))
			}
		}
		if release, err := findBanner(bytes.NewReader(data)); err != nil || len(release) > len(data) {
			t.Errorf("%q, %v", release, err)
		}
	})
}
