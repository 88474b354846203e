package payload

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/efi/pe/petest"
	"github.com/rules-initramfs/rules_initramfs/internal/fdt"
	"github.com/rules-initramfs/rules_initramfs/internal/fit"
	"github.com/rules-initramfs/rules_initramfs/internal/golden"
)

// archive returns an archive with an empty file.
func archive(t *testing.T, name string) string {
	t.Helper()
	var out strings.Builder
	w := cpio.NewWriter(&out)
	if err := w.WriteHeader(&cpio.Header{Name: name, Mode: 0o100644, NLink: 1}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// kernel returns an Image for arm64 with an initramfs image in it, or without.
func kernel(initramfs string) string {
	data := make([]byte, 64<<10)
	copy(data[0x38:], "ARM\x64")
	data = append(data, initramfs...)
	data = append(data, make([]byte, -len(data)&7)...)
	return string(binary.LittleEndian.AppendUint64(data, uint64(len(initramfs))))
}

// fitImage returns a FIT.
func fitImage(t *testing.T, external bool, kernel, initramfs string) string {
	t.Helper()
	dir := t.TempDir()
	file := func(name, content string) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
		return name
	}
	d := &fit.Description{
		Kernel:         fit.Kernel{File: file("kernel", kernel)},
		Configurations: []fit.Configuration{{Name: "board", Compatible: []string{"maker,board"}}},
	}
	if initramfs != "" {
		d.Ramdisk.Files = []string{file("initramfs", initramfs)}
	}
	image, err := d.Build()
	if err == nil && external {
		err = image.MakeExternal()
	}
	if err != nil {
		t.Fatal(err)
	}
	return write(t, image)
}

func write(t *testing.T, image *fit.Image) string {
	t.Helper()
	var out bytes.Buffer
	if err := image.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// tree returns a FIT with a configuration of these properties, which may not make sense.
func tree(t *testing.T, chosen string, properties ...string) string {
	t.Helper()
	root := &fdt.Node{}
	images := root.Append("images")
	images.Append("kernel").Add("data", []byte("junk"))
	images.Append("empty")
	configurations := root.Append("configurations")
	if chosen != "" {
		configurations.Add("default", fdt.Text(chosen))
	}
	configuration := configurations.Append("one")
	for i := 0; i < len(properties); i += 2 {
		configuration.Add(properties[i], fdt.Text(properties[i+1]))
	}
	configurations.Append("two")
	return write(t, &fit.Image{Tree: &fdt.Tree{Root: root}})
}

// unified returns a unified kernel image.
func unified(sections ...petest.Section) string {
	return string(petest.Executable(0xaa64, sections...))
}

func section(name, content string) petest.Section {
	return petest.Section{Name: name, Content: content}
}

func TestOpen(t *testing.T) {
	messages := map[string]string{}
	linked, alone := kernel(archive(t, "linked")), kernel("")
	given := archive(t, "given")
	large := archive(t, "large") + string(make([]byte, 1<<20))
	for name, test := range map[string]struct{ content, want string }{
		"archive":                 {given, "given"},
		"kernel":                  {linked, "linked"},
		"unified":                 {unified(section(".linux", linked), section(".initrd", given)), "given"},
		"unified, linked":         {unified(section(".linux", linked)), "linked"},
		"unified, microcode":      {unified(section(".linux", linked), section(".ucode", archive(t, "microcode")), section(".initrd", given)), "microcode given"},
		"FIT":                     {fitImage(t, false, linked, given), "given"},
		"FIT, large":              {fitImage(t, false, linked, large), "large"},
		"FIT, external":           {fitImage(t, true, linked, given), "given"},
		"FIT, linked":             {fitImage(t, false, linked, ""), "linked"},
		"FIT, external, linked":   {fitImage(t, true, linked, ""), "linked"},
		"damaged ELF file":        {"\x7fELF", ""},
		"kernel alone":            {alone, ""},
		"EFI executable":          {unified(section(".text", "code")), ""},
		"unified alone":           {unified(section(".linux", alone)), ""},
		"unified, another kernel": {unified(section(".linux", "code")), ""},
		"FIT alone":               {fitImage(t, false, alone, ""), ""},
		"FIT, another kernel":     {tree(t, "one", "kernel", "kernel"), ""},
		"FIT, no default":         {tree(t, ""), ""},
		"FIT, missing default":    {tree(t, "three"), ""},
		"FIT, nothing":            {tree(t, "two"), ""},
		"FIT, missing ramdisk":    {tree(t, "one", "kernel", "kernel", "ramdisk", "none"), ""},
		"FIT, no data":            {tree(t, "one", "ramdisk", "empty"), ""},
		"device tree":             {tree(t, "")[:30], ""},
	} {
		file := filepath.Join(t.TempDir(), "image")
		if err := os.WriteFile(file, []byte(test.content), 0o666); err != nil {
			t.Fatal(err)
		}
		names, err := names(t, file)
		if names != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%s: %s, %v, want %s", name, names, err, test.want)
		}
		if err == nil {
			continue
		}
		if _, text, ok := strings.Cut(err.Error(), file+": "); ok { // not of the Reader
			messages[name] = text
		}
	}
	golden.Messages(t, "TestOpen.txt", messages)
	if _, err := names(t, filepath.Join(t.TempDir(), "missing")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// names returns the names in an image.
func names(t *testing.T, file string) (string, error) {
	t.Helper()
	img, err := Open(t.Context(), file)
	if err != nil {
		return "", err
	}
	defer func() {
		if err := img.Close(); err != nil {
			t.Error(err)
		}
	}()
	var names []string
	for {
		e, err := img.Next()
		if err == io.EOF {
			return strings.Join(names, " "), nil
		}
		if err != nil {
			return "", err
		}
		names = append(names, e.Name)
	}
}
