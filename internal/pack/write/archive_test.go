package write

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rules-initramfs/rules_initramfs/internal/golden"
	"github.com/rules-initramfs/rules_initramfs/internal/list"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/packtest"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/source"
)

// record is what the kernel's tool writes of an entry, from the fields that
// differ between entries. The others are fixed: owner 1:2, time 9, device 3:1.
func record(ino, mode, nlink uint32, rmajor, rminor uint32, name, body string) string {
	r := fmt.Sprintf("070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s\x00",
		ino, mode, 1, 2, nlink, 9, len(body), 3, 1, rmajor, rminor, len(name)+1, 0, name)
	r += strings.Repeat("\x00", -len(r)&3) + body
	return r + strings.Repeat("\x00", -len(r)&3)
}

func trailer() string {
	return fmt.Sprintf("070701%032d%08d%048d%08X%08d%s", 0, 1, 0, 11, 0, "TRAILER!!!\x00\x00\x00\x00")
}

func block(archive string) string {
	return archive + strings.Repeat("\x00", -len(archive)&511)
}

func TestWriteArchive(t *testing.T) {
	packtest.InTree(t, map[string]string{"empty": "", "hello": "hello\n"})
	all := packtest.Entries(t, `dir / 0755 1 2
dir /d 01777 1 2
file /f hello 0644 1 2
file /h hello 0755 1 2 /i /j
file /k empty 0 1 2 /l
slink /s target 0777 1 2
nod /c 0600 1 2 c 5 1
nod /b 0600 1 2 b 4095 1048575
pipe /p 0600 1 2
sock /q 0600 1 2
`)
	want := []string{
		record(721, 0o040755, 2, 0, 0, "", ""),
		record(722, 0o041777, 2, 0, 0, "d", ""),
		record(723, 0o100644, 1, 0, 0, "f", "hello\n"),
		record(724, 0o100755, 3, 0, 0, "h", ""),
		record(724, 0o100755, 3, 0, 0, "i", ""),
		record(724, 0o100755, 3, 0, 0, "j", "hello\n"),
		record(725, 0o100000, 2, 0, 0, "k", ""),
		record(725, 0o100000, 2, 0, 0, "l", ""),
		record(726, 0o120777, 1, 0, 0, "s", "target\x00"),
		record(727, 0o020600, 1, 5, 1, "c", ""),
		record(728, 0o060600, 1, 4095, 1048575, "b", ""),
		record(729, 0o010600, 2, 0, 0, "p", ""),
		record(730, 0o140600, 2, 0, 0, "q", ""),
		trailer(),
	}
	var b bytes.Buffer
	if err := Archive(&b, all, ArchiveOptions{MTime: 9}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(block(strings.Join(want, "")), b.String()); diff != "" {
		t.Errorf("archive (-want +got):\n%s", diff)
	}
}

func TestWriteArchiveEmpty(t *testing.T) {
	var b bytes.Buffer
	if err := Archive(&b, nil, ArchiveOptions{MTime: 9}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(block(trailer()), b.String()); diff != "" {
		t.Errorf("archive (-want +got):\n%s", diff)
	}
}

func file(location string) []*list.Entry {
	return []*list.Entry{{
		Kind: list.File, Name: "f", Location: location, Perm: 0o644, UID: 1, GID: 2,
		Pos: list.Pos{Origin: "//pkg:f", File: "a.list", Line: 3},
	}}
}

// The errors of contents that cannot be packed.
func TestWriteArchiveErrors(t *testing.T) {
	messages := map[string]string{}
	t.Run("location", func(t *testing.T) { testLocationErrors(t, messages) })
	t.Run("too large", func(t *testing.T) { testTooLarge(t, messages) })
	t.Run("changes", func(t *testing.T) { testFileChanges(t, messages) })
	t.Run("changes between two reads", func(t *testing.T) { testChecksumChanges(t, messages) })
	golden.Messages(t, "TestWriteArchiveErrors.txt", messages)
}

func testLocationErrors(t *testing.T, messages map[string]string) {
	packtest.InTree(t, map[string]string{"dir/file": ""})
	packtest.MakeFIFO(t, "fifo")
	if err := os.Symlink("fifo", "link-to-fifo"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("nowhere", "dangling"); err != nil {
		t.Fatal(err)
	}
	for _, location := range []string{"missing", "dangling", "dir/file/x", "dir", "fifo", "link-to-fifo", "/dev/zero"} {
		t.Run(location, func(t *testing.T) {
			err := packtest.Soon(func() error { return Archive(io.Discard, file(location), ArchiveOptions{}) })
			checkError(t, err, location, source.Unopened)
			messages[location] = packtest.Message(err)
		})
	}
}

// checkError checks that an error is about the content of file(location).
func checkError(t *testing.T, err error, location string, reason source.Reason) {
	t.Helper()
	if diff := cmp.Diff([]string{"//pkg:f (a.list:3)"}, packtest.Places(err)); diff != "" {
		t.Errorf("places (-want +got):\n%s", diff)
	}
	if e, ok := errors.AsType[*source.LocationError](err); !ok || e.Location != location || e.Reason != reason {
		t.Errorf("%v, want the reason %d at %s", err, reason, location)
	}
}

func TestWriteArchiveDevNull(t *testing.T) {
	var b bytes.Buffer
	if err := Archive(&b, file("/dev/null"), ArchiveOptions{MTime: 9}); err != nil {
		t.Fatal(err)
	}
	want := block(record(721, 0o100644, 1, 0, 0, "f", "") + trailer())
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("archive (-want +got):\n%s", diff)
	}
}

// sparse makes a file of size bytes that takes no room.
func sparse(t *testing.T, name string, size int64) {
	t.Helper()
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := file.Truncate(size); err != nil {
		t.Skipf("no file of %d bytes can be made here: %v", size, err)
	}
}

// Before a file over the limit, nothing of it is written.
func testTooLarge(t *testing.T, messages map[string]string) {
	packtest.InTree(t, nil)
	sparse(t, "over", 1<<33)
	var b bytes.Buffer
	err := Archive(&b, file("over"), ArchiveOptions{})
	checkError(t, err, "over", source.TooLarge)
	messages["over"] = packtest.Message(err)
	if b.Len() > 0 {
		t.Errorf("%d bytes are written", b.Len())
	}
}

// onWrite calls itself before the first write, when the sizes are known and the
// contents still to be read.
type onWrite struct{ first func() }

func (w *onWrite) Write(p []byte) (int, error) {
	if w.first != nil {
		w.first()
		w.first = nil
	}
	return len(p), nil
}

func testFileChanges(t *testing.T, messages map[string]string) {
	content := strings.Repeat("x", 100)
	tests := []struct {
		name string
		size int64
	}{
		{"shrinks", 99},
		{"becomes empty", 0},
		{"grows", 101},
		{"keeps its size", 100},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			packtest.InTree(t, map[string]string{"f": content})
			err := Archive(&onWrite{func() {
				if err := os.Truncate("f", test.size); err != nil {
					t.Error(err)
				}
			}}, file("f"), ArchiveOptions{})
			if test.size == 100 {
				if err != nil {
					t.Error(err)
				}
				return
			}
			checkError(t, err, "f", source.Unread)
			messages[test.name] = packtest.Message(err)
		})
	}
}

// With checksums files are read twice: a content that changes between is found.
func TestWriteArchiveChecksum(t *testing.T) {
	packtest.InTree(t, map[string]string{"f": "ab\xff"})
	var b bytes.Buffer
	if err := Archive(&b, file("f"), ArchiveOptions{Checksum: true}); err != nil {
		t.Fatal(err)
	}
	if got := b.String()[:6] + b.String()[102:110]; got != "070702000001C2" {
		t.Errorf("magic and sum %s", got)
	}
}

func testChecksumChanges(t *testing.T, messages map[string]string) {
	for _, text := range []string{"ac\xff", "a"} {
		packtest.InTree(t, map[string]string{"f": "ab\xff"})
		err := Archive(&onWrite{func() {
			if err := os.WriteFile("f", []byte(text), 0o666); err != nil {
				t.Error(err)
			}
		}}, file("f"), ArchiveOptions{Checksum: true})
		checkError(t, err, "f", source.Unread)
		messages[fmt.Sprintf("%d other bytes", len(text))] = packtest.Message(err)
	}
}

// Files of the proc file system have content, and the size 0.
func TestWriteArchiveProc(t *testing.T) {
	const name = "/proc/version"
	if _, err := os.Stat(name); err != nil {
		t.Skip(err)
	}
	err := Archive(io.Discard, file(name), ArchiveOptions{})
	checkError(t, err, name, source.Unread)
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

func TestWriteArchiveWriterFails(t *testing.T) {
	full := errors.New("no space left")
	for _, all := range [][]*list.Entry{nil, file("/dev/null")} {
		if err := Archive(failingWriter{full}, all, ArchiveOptions{}); !errors.Is(err, full) {
			t.Errorf("%d entries: %v, want %v", len(all), err, full)
		}
		// No line of a list is to blame for an output that fails.
		err := Archive(failingWriter{&writeError{full}}, all, ArchiveOptions{})
		if _, ok := err.(*writeError); !ok || !errors.Is(err, full) {
			t.Errorf("%d entries: %#v, want a writeError of %v", len(all), err, full)
		}
	}
}

// What opens and cannot be read is an error, and leaves nothing.
func TestWriteUnreadable(t *testing.T) {
	const unreadable = "/proc/self/mem" // at 0, where nothing is mapped
	if _, err := os.Stat(unreadable); err != nil {
		t.Skip("no such file on this system: ", err)
	}
	for _, files := range []int{1, 100} { // without reading ahead, and with it
		t.Chdir(t.TempDir())
		var entries []*list.Entry
		for i := range files {
			entries = append(entries, &list.Entry{Kind: list.File, Name: fmt.Sprint(i), Location: os.DevNull, Pos: list.Pos{File: "a.list", Line: i + 1}})
		}
		entries[files/2].Location = unreadable
		err := Outputs(t.Context(), entries, Options{Out: "out", Jobs: 1})
		location, ok := errors.AsType[*source.LocationError](err)
		if place := fmt.Sprintf("a.list:%d", files/2+1); !ok || location.Reason != source.Unread || location.Location != unreadable ||
			!errors.Is(err, syscall.EIO) || !slices.Equal(packtest.Places(err), []string{place}) {
			t.Errorf("%d files: got %v, want that %s cannot be read at %s", files, err, unreadable, place)
		}
		if left, _ := os.ReadDir("."); len(left) > 0 {
			t.Errorf("%d files: left %v", files, left)
		}
	}
}
