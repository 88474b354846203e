// Package distribution_test reads images that distributions' programs make, and
// finds in them what the programs that list and unpack them find.
package distribution_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bazelbuild/rules_go/go/runfiles"
)

// packer returns the path of the packer: what PACKER names, or else what the go
// command builds.
func packer(t *testing.T) string {
	t.Helper()
	if name := os.Getenv("PACKER"); name != "" {
		file, err := runfiles.Rlocation(name)
		if err != nil {
			t.Fatalf("PACKER=%s: %v", name, err)
		}
		if file, err = filepath.Abs(file); err != nil {
			t.Fatal(err)
		}
		return file
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skipf("needs the packer: set PACKER; %v", err)
	}
	file := filepath.Join(t.TempDir(), "packer")
	cmd := exec.Command("go", "build", "-o", file, "github.com/rules-initramfs/rules_initramfs/tools/packer")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return file
}

// program skips the test without the program.
func program(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skip(err)
	}
}

// run runs a program in a directory, and returns what it prints.
func run(t *testing.T, dir string, command ...string) string {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir = dir
	// The programs say where they take temporary files from.
	cmd.Env = append(os.Environ(), "TMPDIR="+dir, "LC_ALL=C.UTF-8")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%q: %v: %s", command, err, stderr.Bytes())
	}
	return string(out)
}

func write(t *testing.T, name, content string, mode fs.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
}

// microcode is what the early archive has, which the kernel looks for there.
const microcode = "kernel/x86/microcode/GenuineIntel.bin"

// earlyHook is a hook of initramfs-tools that puts an archive with microcode in
// front of the image.
const earlyHook = `#!/bin/sh
[ "$1" = prereqs ] && exit 0
. /usr/share/initramfs-tools/hook-functions
set -e
cd "$CONFDIR/early"
find kernel | sort | cpio --create --format=newc --quiet >"$CONFDIR/early.cpio"
prepend_earlyinitramfs "$CONFDIR/early.cpio"
`

// initramfsTools makes an image with initramfs-tools: an early archive, and what
// a codec compressed.
func initramfsTools(t *testing.T, dir, codec string) {
	t.Helper()
	program(t, "mkinitramfs")
	program(t, "cpio")
	conf := filepath.Join(dir, "conf")
	run(t, dir, "cp", "-r", "/etc/initramfs-tools", conf)
	write(t, filepath.Join(conf, "conf.d/test"), "MODULES=list\n", 0o644)
	write(t, filepath.Join(conf, "hooks/early"), earlyHook, 0o755)
	write(t, filepath.Join(conf, "early", microcode), strings.Repeat("microcode ", 1000), 0o644)
	run(t, dir, "mkinitramfs", "-d", conf, "-c", codec, "-o", filepath.Join(dir, "image"), "0.0.0")
}

// dracut makes an image with dracut: an early archive with a table for ACPI, and
// what a codec compressed.
func dracut(t *testing.T, dir, codec string) {
	t.Helper()
	program(t, "dracut")
	write(t, filepath.Join(dir, "acpi/SSDT.aml"), "table", 0o644)
	conf := filepath.Join(dir, "dracut.conf")
	write(t, conf, fmt.Sprintf("acpi_override=yes\nacpi_table_dir=%s/acpi\n", dir), 0o644)
	if err := os.Mkdir(filepath.Join(dir, "dracut.conf.d"), 0o755); err != nil {
		t.Fatal(err)
	}
	run(t, dir, "dracut", "--quiet", "--conf", conf, "--confdir", filepath.Join(dir, "dracut.conf.d"), "--tmpdir", dir,
		"--no-kernel", "--no-hostonly", "--modules", "dash shell-interpreter terminfo", "--"+codec, "--kver", "0.0.0", filepath.Join(dir, "image"))
}

var distributions = []struct {
	name, codec string
	make        func(t *testing.T, dir, codec string)
	early       string // a file of the early archive
}{
	{"initramfs-tools", "zstd", initramfsTools, microcode},
	{"initramfs-tools", "lz4", initramfsTools, microcode},
	{"initramfs-tools", "gzip", initramfsTools, microcode},
	{"initramfs-tools", "xz", initramfsTools, microcode},
	{"dracut", "gzip", dracut, "kernel/firmware/acpi/SSDT.aml"},
	{"dracut", "xz", dracut, "kernel/firmware/acpi/SSDT.aml"},
}

func TestDistributions(t *testing.T) {
	// mkinitramfs is an administrator's.
	t.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin")
	packer := packer(t)
	for _, d := range distributions {
		t.Run(d.name+"/"+d.codec, func(t *testing.T) {
			dir, err := filepath.EvalSymlinks(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			program(t, d.codec)
			d.make(t, dir, d.codec)

			members := strings.Split(strings.TrimSpace(run(t, dir, packer, "ls", "--members", "image")), "\n")
			if len(members) != 3 || !hasFields(members[1], "0", "none") || !hasFields(members[2], "", d.codec) {
				t.Errorf("want an early archive and one of %s:\n%s", d.codec, strings.Join(members, "\n"))
			}
			names := lines(run(t, dir, packer, "ls", "--names", "image"))
			if !slices.Contains(names, d.early) || len(names) < 100 {
				t.Errorf("%d names are too few, or %s is not one of them", len(names), d.early)
			}
			run(t, dir, packer, "extract", "--skip-special", "image", "ours")
			ours := tree(t, filepath.Join(dir, "ours"))

			// The images are sound; some lack an init. Warnings are few, and the early archive is where
			// the kernel looks for it.
			findings := run(t, dir, packer, "lint", "--off", "no-init", "image")
			if strings.Count(findings, "\n") > 10 || strings.Contains(findings, "early-file") {
				t.Errorf("lint:\n%s", findings)
			}

			for _, lister := range [][]string{{"lsinitramfs", "image"}, {"3cpio", "--list", "image"}} {
				t.Run(lister[0], func(t *testing.T) {
					program(t, lister[0])
					same(t, "names", lines(run(t, dir, lister...)), names)
				})
			}
			t.Run("lsinitrd", func(t *testing.T) {
				program(t, "lsinitrd")
				listed := run(t, dir, "lsinitrd", "image")
				for _, name := range names {
					if !strings.Contains(listed, " "+name+"\n") && !strings.Contains(listed, " "+name+" -> ") {
						t.Errorf("%s is not listed", name)
					}
				}
			})
			for _, unpacker := range [][]string{
				{"unmkinitramfs", "image", "theirs"},
				{"3cpio", "--extract", "--preserve-permissions", "-C", "theirs", "image"},
			} {
				t.Run("unpacked by "+unpacker[0], func(t *testing.T) {
					program(t, unpacker[0])
					theirs := filepath.Join(dir, "theirs")
					if err := os.Mkdir(theirs, 0o755); err != nil {
						t.Fatal(err)
					}
					defer os.RemoveAll(theirs)
					run(t, dir, unpacker...)
					same(t, "files", tree(t, theirs), ours)
				})
			}
			// Programs that know of no second archive get the members one by one.
			for _, unpacker := range []string{"cpio", "bsdcpio"} {
				t.Run("unpacked by "+unpacker, func(t *testing.T) {
					program(t, unpacker)
					theirs := filepath.Join(dir, "theirs")
					if err := os.Mkdir(theirs, 0o755); err != nil {
						t.Fatal(err)
					}
					defer os.RemoveAll(theirs)
					offset := strings.Fields(members[2])[0]
					run(t, theirs, "sh", "-c", fmt.Sprintf(`
						set -e
						head -c %[1]s ../image | %[2]s -i -d -m -u --quiet
						tail -c +$((%[1]s + 1)) ../image | %[3]s -d -c | %[2]s -i -d -m -u --quiet
					`, offset, unpacker, d.codec))
					same(t, "files", tree(t, theirs), ours)
				})
			}
		})
	}
}

// hasFields reports whether a line begins with these fields; an empty one may be
// anything.
func hasFields(line string, want ...string) bool {
	fields := strings.Fields(line)
	for i, field := range want {
		if len(fields) <= i || field != "" && fields[i] != field {
			return false
		}
	}
	return true
}

// lines are sorted.
func lines(text string) []string {
	all := strings.Split(strings.TrimRight(text, "\n"), "\n")
	slices.Sort(all)
	return all
}

// tree returns a line for each file below a directory: what it is and a digest of
// what it holds.
func tree(t *testing.T, root string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == root {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		content, mode := "", info.Mode()
		switch mode.Type() {
		case 0:
			bytes, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			content = fmt.Sprintf("%d bytes %x", len(bytes), sha256.Sum256(bytes))
		case fs.ModeSymlink:
			if content, err = os.Readlink(name); err != nil {
				return err
			}
			mode = mode.Type() // the permissions say nothing
		case fs.ModeDevice, fs.ModeDevice | fs.ModeCharDevice:
			return nil // root alone makes them
		}
		all = append(all, fmt.Sprintf("%s %v %s", strings.TrimPrefix(name, root), mode, content))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return all
}

func same(t *testing.T, what string, want, got []string) {
	t.Helper()
	if slices.Equal(want, got) {
		return
	}
	t.Errorf("%d %s, want %d", len(got), what, len(want))
	for _, line := range want {
		if !slices.Contains(got, line) {
			t.Errorf("missing: %s", line)
		}
	}
	for _, line := range got {
		if !slices.Contains(want, line) {
			t.Errorf("not theirs: %s", line)
		}
	}
}
