package codec_test

import (
	"bufio"
	"bytes"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// programs are what writes each codec, as the kernel's build calls it
// (scripts/Makefile.lib), and other ways that a kernel can read too.
var programs = map[string][]string{
	"gzip":  {"gzip -n -9", "gzip -1"},
	"bzip2": {"bzip2 -9", "bzip2 -1"},
	"lzma":  {"lzma -9", "xz --format=lzma -0"},
	"lzo":   {"lzop -9", "lzop -1", "lzop -3", "lzop --crc32"},
	"lz4":   {"lz4 -l -9", "lz4 -l -1"},
	"xz": {
		"xz --check=crc32 --lzma2=dict=1MiB",
		"xz --check=none -6",
		"xz --check=crc32 -T2 --block-size=64KiB",
		"xz --check=crc32 -9e",
	},
	"zstd": {"zstd -19", "zstd -1", "zstd --ultra -22", "zstd --no-check", "zstd --long=27"},
}

func run(t *testing.T, command string, input []byte) ([]byte, error) {
	t.Helper()
	args := strings.Fields(command)
	program, err := exec.LookPath(args[0])
	if err != nil {
		t.Skip(err)
	}
	cmd := exec.Command(program, args[1:]...)
	cmd.Stdin = bytes.NewReader(input)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	output, err := cmd.Output()
	if err != nil {
		t.Logf("%s: %s", command, stderr.Bytes())
	}
	return output, err
}

// What the programs write is read, and to its end exactly.
func TestReadPrograms(t *testing.T) {
	for codec, commands := range programs {
		for i, command := range commands {
			t.Run(command, func(t *testing.T) {
				t.Parallel()
				for name, content := range samples() {
					if i > 0 && name != "mixed" && name != "empty" {
						continue
					}
					packed, err := run(t, command+" -c", content)
					if err != nil {
						t.Fatal(err)
					}
					r := bufio.NewReader(bytes.NewReader(append(packed, "\x00\x00\x00\x00070701"...)))
					got, err := member(r)
					if err != nil || !bytes.Equal(got, content) {
						t.Errorf("%s: %d bytes came back as %d other ones, error %v", name, len(content), len(got), err)
					}
					if rest, err := io.ReadAll(r); string(rest) != "\x00\x00\x00\x00070701" || err != nil {
						t.Errorf("%s of %s: %q is left, error %v", codec, name, rest, err)
					}
				}
			})
		}
	}
}

// The programs read what we write.
func TestPrograms(t *testing.T) {
	for codec, commands := range programs {
		program, _, _ := strings.Cut(commands[0], " ")
		for _, method := range methods() {
			if name, level, _ := strings.Cut(method, ":"); name != codec || level > "2" && codec != "lz4" {
				continue
			}
			t.Run(method, func(t *testing.T) {
				t.Parallel()
				for name, content := range samples() {
					got, err := run(t, program+" -d -c", compressed(t, method, content, writeAtOnce))
					if err != nil || !bytes.Equal(got, content) {
						t.Errorf("%s: %d bytes came back as %d other ones, error %v", name, len(content), len(got), err)
					}
				}
			})
		}
	}
}
