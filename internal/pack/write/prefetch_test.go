package write

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/list"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/packtest"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/source"
)

// manyFiles makes files of sizes around each limit and returns their entries, with
// others between them.
func manyFiles(t *testing.T) []*list.Entry {
	t.Helper()
	files := map[string]string{}
	var text strings.Builder
	sizes := []int{0, 1, 3, 4, 4095, maxHeld - 1, maxHeld, maxHeld + 1, 2 * maxHeld, copyLeast, 100 << 10, 300 << 10}
	for i := range 5 * batchEntries * maxBatches / 2 {
		name := fmt.Sprintf("f%03d", i)
		files[name] = strings.Repeat(name, sizes[i%len(sizes)]/4+1)[:sizes[i%len(sizes)]]
		fmt.Fprintf(&text, "file /%s %s 0644 1 2\n", name, name)
		if i%7 == 0 {
			fmt.Fprintf(&text, "dir /d%d 0755 1 2\nfile /n%d /dev/null 0644 1 2 /l%d\n", i, i, i)
		}
	}
	packtest.InTree(t, files)
	return packtest.Entries(t, text.String())
}

// plain writes the entries as records, content by content.
func plain(t *testing.T, all []*list.Entry) string {
	t.Helper()
	var b strings.Builder
	for i, e := range all {
		ino := uint32(list.FirstIno + i)
		if e.Kind == list.Dir {
			b.WriteString(record(ino, e.Mode(), 2, 0, 0, e.Name, ""))
			continue
		}
		content, err := os.ReadFile(e.Location)
		if err != nil {
			t.Fatal(err)
		}
		names := e.Names()
		for j, name := range names {
			body := ""
			if j == len(names)-1 {
				body = string(content)
			}
			b.WriteString(record(ino, e.Mode(), uint32(len(names)), 0, 0, name, body))
		}
	}
	return block(b.String() + trailer())
}

// To a file large contents go by the system's copying, to a pipe or a buffer they do not.
func TestPrefetch(t *testing.T) {
	all := manyFiles(t)
	want := plain(t, all)
	var b bytes.Buffer
	if err := Archive(&b, all, ArchiveOptions{MTime: 9}); err != nil {
		t.Fatal(err)
	}
	if b.String() != want {
		t.Error("the archive differs from one that was put together entry by entry")
	}
	if err := Outputs(t.Context(), all, Options{Out: "out", ArchiveOptions: ArchiveOptions{MTime: 9}}); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile("out"); err != nil || string(got) != want {
		t.Errorf("the file differs from one that was put together entry by entry; error %v", err)
	}
}

// Of several errors, the first in the list is reported, whichever is found first.
func TestPrefetchFirstError(t *testing.T) {
	for _, first := range []int{0, 1, 50, 200} {
		all := manyFiles(t)
		packtest.MakeFIFO(t, "fifo")
		for i := first; i < len(all); i++ {
			all[i].Kind, all[i].Location = list.File, []string{"fifo", "missing", "."}[(i-first)%3]
		}
		err := packtest.Soon(func() error { return Archive(io.Discard, all, ArchiveOptions{}) })
		want := []string{all[first].Pos.String()}
		if diff := cmp.Diff(want, packtest.Places(err)); diff != "" {
			t.Errorf("from entry %d on (-want +got):\n%s", first, diff)
		}
		var location *source.LocationError
		if !errors.As(err, &location) || location.Reason != source.Unopened || location.Location != "fifo" {
			t.Errorf("%#v is not a source.LocationError of fifo", err)
		}
	}
}

// A large file that changes once it is open is told, small ones are read as they are.
func TestPrefetchFileChanges(t *testing.T) {
	for size, want := range map[int64]string{
		maxHeld:         fmt.Sprintf("shrank while it was read: %d of %d bytes", maxHeld, maxHeld+1),
		maxHeld + 2:     fmt.Sprintf("grew while it was read: it had %d bytes", maxHeld+1),
		2 * maxHeld * 8: fmt.Sprintf("grew while it was read: it had %d bytes", maxHeld+1),
	} {
		all := manyFiles(t)
		for _, target := range []string{"out", ""} {
			content := strings.Repeat("x", maxHeld+1)
			if err := os.WriteFile("f007", []byte(content), 0o666); err != nil {
				t.Fatal(err)
			}
			ahead := newPrefetcher(all, false)
			at := 0
			for ; all[at].Name != "f007"; at++ {
				ahead.content(at)
			}
			got := ahead.content(at)
			ahead.stop()
			if got.file == nil {
				t.Fatal("f007 has not been opened")
			}
			if err := os.Truncate("f007", size); err != nil {
				t.Fatal(err)
			}
			var w io.Writer = io.Discard
			if target != "" {
				o, err := createOutput(target)
				if err != nil {
					t.Fatal(err)
				}
				defer o.discard()
				w = contextWriter{t.Context(), o}
			}
			a := archiverTo(w)
			err := a.add(all[at], got)
			if diff := cmp.Diff([]string{"f007 " + want}, packtest.Messages(err)); diff != "" {
				t.Errorf("to %q, size %d (-want +got):\n%s", target, size, diff)
			}
		}
	}
}

// Files that were opened and are not wanted any more are closed.
func TestPrefetchStops(t *testing.T) {
	all := manyFiles(t)
	open := func() int {
		names, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip(err)
		}
		return len(names)
	}
	before := open()
	for range 20 {
		full := errors.New("no space left")
		if err := Archive(failingWriter{full}, all, ArchiveOptions{}); !errors.Is(err, full) {
			t.Fatalf("%v, want %v", err, full)
		}
	}
	if after := open(); after > before+1 {
		t.Errorf("%d files are open, %d were before", after, before)
	}
}

// archiverTo returns what writes to w without reading ahead.
func archiverTo(w io.Writer) *archiver {
	return &archiver{out: cpio.NewWriter(w), ino: list.FirstIno}
}

func TestPrefetchChecksum(t *testing.T) {
	all := manyFiles(t)
	var ahead, without bytes.Buffer
	if err := Archive(&ahead, all, ArchiveOptions{Checksum: true, FileTimes: true}); err != nil {
		t.Fatal(err)
	}
	a := archiverTo(&without)
	a.Checksum, a.FileTimes, a.out.Checksums = true, true, true
	for _, e := range all {
		if err := a.add(e, content{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.out.Close(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(ahead.Bytes(), without.Bytes()) {
		t.Error("the archive differs from one without reading ahead")
	}
}

func TestPrefetchInterrupted(t *testing.T) {
	all := manyFiles(t)
	before := len(packtest.Tree(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Outputs(ctx, all, Options{Out: "out"}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want %v", err, context.Canceled)
	}
	if after := len(packtest.Tree(t)); after != before {
		t.Errorf("%d files, %d were before", after, before)
	}
}

// The content may be a part of an archive that was given, at any place and again.
func TestContent(t *testing.T) {
	all := manyFiles(t)
	want := plain(t, all)
	var joined bytes.Buffer
	offsets := make([][2]int64, len(all))
	for i, e := range all {
		if e.Kind != list.File {
			continue
		}
		content, err := os.ReadFile(e.Location)
		if err != nil {
			t.Fatal(err)
		}
		offsets[i] = [2]int64{int64(joined.Len()), int64(len(content))}
		joined.Write(content)
	}
	given := bytes.NewReader(joined.Bytes())
	for i, e := range all {
		e.Location, e.Content = "", io.NewSectionReader(given, offsets[i][0], offsets[i][1])
	}
	for range 2 {
		var b bytes.Buffer
		if err := Archive(&b, all, ArchiveOptions{MTime: 9, FileTimes: true}); err != nil {
			t.Fatal(err)
		}
		if b.String() != want {
			t.Error("the archive differs from that of files")
		}
	}
	for _, count := range []int{1, len(all)} {
		all[0].Content = io.NewSectionReader(given, given.Size()-1, 3)
		all[0].Kind = list.File
		err := Archive(io.Discard, all[:count], ArchiveOptions{})
		if diff := cmp.Diff([]string{"a.list:1"}, packtest.Places(err)); diff != "" {
			t.Errorf("places (-want +got):\n%s", diff)
		}
	}
}

// limited runs the test again in a process of its own, whose files have at most 1 MiB.
func limited(t *testing.T) {
	t.Helper()
	shell, err := exec.LookPath("bash")
	if err != nil {
		t.Skip(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(shell, "-c", `ulimit -f 1024 && trap "" XFSZ && exec "$0" "$@"`, exe, "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), "PACK_LIMITED=1")
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, output)
	}
}

// Where the output may not grow any more, nothing is left of it. The archive is of
// each way to write.
func TestOutputTooLarge(t *testing.T) {
	if os.Getenv("PACK_LIMITED") == "" {
		limited(t)
		return
	}
	all := manyFiles(t)
	before := len(packtest.Tree(t))
	for _, opts := range []Options{{Out: "out"}, {Out: filepath.Join(".", "other"), ListOut: "list"}} {
		err := Outputs(t.Context(), all, opts)
		if !errors.Is(err, syscall.EFBIG) || !strings.HasPrefix(err.Error(), "cannot write: ") {
			t.Errorf("%v, want cannot write: %v", err, syscall.EFBIG)
		}
	}
	if after := len(packtest.Tree(t)); after != before {
		t.Errorf("%d files, %d were before", after, before)
	}
}
