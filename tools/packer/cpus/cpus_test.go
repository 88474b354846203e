// Package cpus_test packs the same input on CPUs of other architectures: the bytes are the
// same. The codecs have parts in assembly for some architectures, and some architectures have
// the other byte order.
package cpus_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/bazelbuild/rules_go/go/runfiles"
)

// architectures are those that run here, with Go's name and QEMU's. s390x is big-endian.
var architectures = []struct{ name, qemu string }{
	{"arm64", "qemu-aarch64"},
	{"s390x", "qemu-s390x"},
}

// methods are all codecs, with a level for each strength of klauspost/compress.
var methods = []string{
	"none", "gzip:1", "gzip:6", "gzip:9", "zstd:1", "zstd:3", "zstd:9", "zstd:19",
	"xz", "lzma", "lz4:1", "lz4:9", "lzo", "bzip2",
}

// packer returns the path of the packer for an architecture: the value of a variable, or else
// what the go command builds.
func packer(t *testing.T, arch string) string {
	t.Helper()
	variable := "PACKER_" + strings.ToUpper(arch)
	if name := os.Getenv(variable); name != "" {
		file, err := runfiles.Rlocation(name)
		if err != nil {
			t.Fatalf("%s=%s: %v", variable, name, err)
		}
		if file, err = filepath.Abs(file); err != nil {
			t.Fatal(err)
		}
		return file
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skipf("needs the packer for %s: set %s; %v", arch, variable, err)
	}
	file := filepath.Join(t.TempDir(), "packer")
	cmd := exec.Command("go", "build", "-o", file, "github.com/rules-initramfs/rules_initramfs/tools/packer")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return file
}

// input writes a list of files with content of all kinds to a directory, a few
// members of 128 KiB.
func input(t *testing.T, dir string) {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	words := make([]string, 500)
	for i := range words {
		words[i] = strings.Repeat(string(rune('a'+r.IntN(26))), r.IntN(4)) + fmt.Sprintf("%x", r.IntN(1<<r.IntN(20)))
	}
	var text, records, noise bytes.Buffer
	for text.Len() < 250_000 {
		text.WriteString(words[r.IntN(1+r.IntN(len(words)))])
		text.WriteByte(" \n\t."[r.IntN(4)])
	}
	for i := 0; records.Len() < 150_000; i++ {
		fmt.Fprintf(&records, "\x7fELF%08d\x00\x00\x00\x00%c\xff\xff", i, r.IntN(256))
	}
	for noise.Len() < 50_000 {
		noise.WriteByte(byte(r.Uint32()))
	}
	var list strings.Builder
	for name, content := range map[string][]byte{
		"text": text.Bytes(), "records": records.Bytes(), "noise": noise.Bytes(),
		"zeros": make([]byte, 100_000), "empty": nil,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	list.WriteString("dir /d 0755 0 0\nnod /d/null 0666 0 0 c 1 3\nslink /d/s ../target 0777 0 0\n")
	for i, name := range []string{"text", "records", "zeros", "noise", "empty", "text"} {
		fmt.Fprintf(&list, "file /d/%d %s 0644 %d 0 /d/link%d\n", i, name, i, i)
	}
	if err := os.WriteFile(filepath.Join(dir, "list"), []byte(list.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// run runs a program in a directory.
func run(t *testing.T, dir string, command ...string) []byte {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%q: %v: %s", command, err, stderr.Bytes())
	}
	return out
}

// pack packs the list in members to a file, and returns its content.
func pack(t *testing.T, dir, method, file string, packer ...string) []byte {
	t.Helper()
	run(t, dir, append(packer, "pack", "--compress", method, "--split", "131072",
		"--checksum", "--align", "4096", "--out", file, "list")...)
	content, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func TestOtherCPUs(t *testing.T) {
	native := packer(t, runtime.GOARCH)
	for _, arch := range architectures {
		if arch.name == runtime.GOARCH {
			continue
		}
		t.Run(arch.name, func(t *testing.T) {
			qemu, err := exec.LookPath(arch.qemu)
			if err != nil {
				t.Skip(err)
			}
			foreign := packer(t, arch.name)
			dir := t.TempDir()
			input(t, dir)
			for _, method := range methods {
				t.Run(method, func(t *testing.T) {
					here := pack(t, dir, method, "here", native)
					there := pack(t, dir, method, "there", qemu, foreign)
					if !bytes.Equal(here, there) {
						t.Fatalf("%d bytes on %s are %d other ones on %s", len(here), runtime.GOARCH, len(there), arch.name)
					}
					for _, what := range []string{"--json", "--members"} {
						want := run(t, dir, native, "ls", what, "here")
						if got := run(t, dir, qemu, foreign, "ls", what, "here"); !bytes.Equal(got, want) {
							t.Errorf("ls %s on %s:\n%s\nwant\n%s", what, arch.name, got, want)
						}
					}
				})
			}
		})
	}
}
