package uki

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/efi/pe"
	"github.com/rules-initramfs/rules_initramfs/internal/image"
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

func TestReadInitramfs(t *testing.T) {
	t.Chdir(writeFiles(t))
	for _, name := range []string{"base", "more", "main", "other", "microcode"} {
		writeFile(t, ".", name+".cpio", archive(t, name))
	}
	kernel := Sections{Kernel: "kernel"}
	base := Sections{Kernel: "kernel", Initramfs: []string{"base.cpio", "more.cpio"}, Microcode: []string{"microcode.cpio"}}
	for _, test := range []struct {
		name   string
		config Config
		want   string
	}{
		{"base", Config{Base: base}, "microcode base more"},
		{"profiles", Config{Base: base, Profiles: []Profile{{Description: "text"}, {Description: "text", Sections: Sections{Initramfs: []string{"other.cpio"}}}}}, "microcode base more"},
		{"first profile", Config{Base: base, Profiles: []Profile{{Description: "text", Sections: Sections{Initramfs: []string{"main.cpio"}}}}}, "microcode main"},
		{"microcode alone", Config{Base: Sections{Kernel: "kernel", Microcode: []string{"microcode.cpio"}}}, "microcode"},
		{"none", Config{Base: kernel}, ""},
	} {
		test.config.Stub = "stub"
		writeFile(t, ".", "uki.efi", string(write(t, test.config)))
		if got := readNames(t, "uki.efi"); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
	for name, want := range map[string]error{"kernel": nil, "more.cpio": pe.ErrNotEFI} {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		kernel, sections, err := ReadInitramfs(bytes.NewReader(data), int64(len(data)))
		if kernel != nil || sections != nil || !errors.Is(err, want) {
			t.Errorf("%s: %v, %v, %v", name, kernel, sections, err)
		}
	}
}

// readNames returns the names in what the kernel gets from an image.
func readNames(t *testing.T, name string) string {
	t.Helper()
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	kernel, sections, err := ReadInitramfs(file, info.Size())
	if err != nil || kernel == nil {
		t.Fatalf("%v, %v", kernel, err)
	}
	if len(sections) == 0 {
		return ""
	}
	img, err := image.OpenSections(t.Context(), name, file, sections...)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for {
		e, err := img.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, e.Name)
	}
	if err := img.Close(); err != nil {
		t.Error(err)
	}
	return strings.Join(names, " ")
}

// ukify finds the sections of an image.
func TestInspect(t *testing.T) {
	ukify, err := exec.LookPath("ukify")
	if err != nil {
		t.Skip("needs ukify: apt-get install systemd-ukify")
	}
	t.Chdir(writeFiles(t))
	writeFile(t, ".", "uki.efi", string(write(t, Config{Stub: "stub", Base: Sections{Kernel: "kernel", CommandLine: "quiet splash", OSRelease: "text"}})))
	output, err := exec.Command(ukify, "inspect", "uki.efi").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	for _, want := range []string{".osrel:", "ID=test", ".cmdline:", "quiet splash", ".uname:", "7.2.0-test", ".linux:"} {
		if !strings.Contains(string(output), want) {
			t.Errorf("%s, want %s", output, want)
		}
	}
}
