package write

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rules-initramfs/rules_initramfs/internal/pack/packtest"
	"github.com/rules-initramfs/rules_initramfs/internal/zeros"
)

// writeOutput writes hello to an output, up to its commit.
func writeOutput(t *testing.T, name string) error {
	t.Helper()
	o, err := createOutput(name)
	if err != nil {
		return err
	}
	defer o.discard()
	if _, err := io.WriteString(o, "hello"); err != nil {
		return err
	}
	if err := o.finish(); err != nil {
		return err
	}
	return o.commit()
}

func TestOutputRegular(t *testing.T) {
	packtest.InTree(t, map[string]string{"old": "old content, longer than hello", "dir/x": ""})
	if err := os.Chmod("old", 0o400); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"new", "old", "./dir//new"} {
		if err := writeOutput(t, name); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != 0o644 {
			t.Errorf("%s has the mode %v, want 0644", name, info.Mode())
		}
	}
	want := map[string]string{"new": "hello", "old": "hello", "dir/": "", "dir/x": "", "dir/new": "hello"}
	if diff := cmp.Diff(want, packtest.Tree(t)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// A name may have the 255 bytes that file systems allow.
func TestOutputLongName(t *testing.T) {
	packtest.InTree(t, nil)
	want := map[string]string{}
	for _, name := range []string{strings.Repeat("n", 255), strings.Repeat("ü", 127)} {
		o, err := createTemporary(name)
		if err != nil {
			t.Fatal(err)
		}
		o.discard()
		for range 2 {
			if err := writeOutput(t, name); err != nil {
				t.Fatal(err)
			}
		}
		want[name] = "hello"
	}
	if diff := cmp.Diff(want, packtest.Tree(t)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// Zeros that are skipped are in the file, wherever they are.
func TestOutputSkip(t *testing.T) {
	packtest.InTree(t, nil)
	err := File(t.Context(), "new", func(w io.Writer) error {
		return errors.Join(writeAll(w, "a"), zeros.Write(w, 0), zeros.Write(w, 1<<20), writeAll(w, "b"), zeros.Write(w, 5))
	})
	if err != nil {
		t.Fatal(err)
	}
	want := "a" + strings.Repeat("\x00", 1<<20) + "b\x00\x00\x00\x00\x00"
	if got, err := os.ReadFile("new"); err != nil || string(got) != want {
		t.Errorf("%d bytes, %v, want %d", len(got), err, len(want))
	}
}

func writeAll(w io.Writer, text string) error {
	_, err := io.WriteString(w, text)
	return err
}

func TestOutputDiscarded(t *testing.T) {
	for _, finished := range []bool{false, true} {
		packtest.InTree(t, map[string]string{"old": "old"})
		for _, name := range []string{"old", "new"} {
			o, err := createOutput(name)
			if err != nil {
				t.Fatal(err)
			}
			io.WriteString(o, "hello")
			if finished {
				if err := o.finish(); err != nil {
					t.Fatal(err)
				}
			}
			o.discard()
			if err := o.file.Close(); !errors.Is(err, os.ErrClosed) {
				t.Errorf("%s is still open after discard", name)
			}
		}
		if diff := cmp.Diff(map[string]string{"old": "old"}, packtest.Tree(t)); diff != "" {
			t.Errorf("finished %v: files (-want +got):\n%s", finished, diff)
		}
	}
}

func TestOutputSymlink(t *testing.T) {
	packtest.InTree(t, map[string]string{"dir/real": "old"})
	if err := os.Symlink("dir/real", "link"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("link", "link-to-link"); err != nil {
		t.Fatal(err)
	}
	if err := writeOutput(t, "link-to-link"); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"dir/": "", "dir/real": "hello",
		"link": fs.ModeSymlink.String(), "link-to-link": fs.ModeSymlink.String(),
	}
	if diff := cmp.Diff(want, packtest.Tree(t)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestOutputErrors(t *testing.T) {
	packtest.InTree(t, map[string]string{"dir/file": "x"})
	before := packtest.Tree(t)
	for _, name := range []string{"dir", "missing/out", "dir/file/out", "", "dir/", "missing/", "/dev/fd/987654"} {
		if err := writeOutput(t, name); err == nil {
			t.Errorf("%q is written", name)
		}
	}
	if diff := cmp.Diff(before, packtest.Tree(t)); diff != "" {
		t.Errorf("files (-before +after):\n%s", diff)
	}
}

func TestOutputPipe(t *testing.T) {
	packtest.InTree(t, nil)
	packtest.MakeFIFO(t, "fifo")
	var content []byte
	read := make(chan error, 1)
	go func() {
		var err error
		content, err = os.ReadFile("fifo")
		read <- err
	}()
	if err := packtest.Soon(func() error { return writeOutput(t, "fifo") }); err != nil {
		t.Fatal(err)
	}
	if err := <-read; err != nil || string(content) != "hello" {
		t.Errorf("the pipe gave %q, %v, want hello", content, err)
	}
	if diff := cmp.Diff(map[string]string{"fifo": fs.ModeNamedPipe.String()}, packtest.Tree(t)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// A file that is open already gets the output where it stands: that is what
// /dev/stdout is in "{ echo; packer ...; } > file".
func TestOutputOpenFile(t *testing.T) {
	packtest.InTree(t, nil)
	file, err := os.Create("file")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	name := fmt.Sprintf("/dev/fd/%d", file.Fd())
	if _, err := os.Stat(name); err != nil {
		t.Skip(err)
	}
	io.WriteString(file, "before ")
	if err := writeOutput(t, name); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"file": "before hello"}, packtest.Tree(t)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// /dev/shm is a directory like others, although it is below /dev.
func TestOutputDevShm(t *testing.T) {
	dir, err := os.MkdirTemp("/dev/shm", "packer-test-*")
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	name := dir + "/out"
	for range 2 {
		if err := writeOutput(t, name); err != nil {
			t.Fatal(err)
		}
	}
	if content, err := os.ReadFile(name); err != nil || string(content) != "hello" {
		t.Errorf("%s holds %q, %v, want hello", name, content, err)
	}
}

func TestOutputFull(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip(err)
	}
	if err := writeOutput(t, "/dev/full"); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("%v, want %v", err, syscall.ENOSPC)
	}
	if info, err := os.Stat("/dev/full"); err != nil || info.Mode().IsRegular() {
		t.Errorf("/dev/full is not a device any more: %v, %v", info, err)
	}
}
