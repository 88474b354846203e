package pack

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"

	"github.com/rules-initramfs/rules_initramfs/internal/codec"
	"github.com/rules-initramfs/rules_initramfs/internal/list"
)

func method(t *testing.T, text string) codec.Method {
	t.Helper()
	m, err := codec.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestRun(t *testing.T) {
	inTree(t, map[string]string{
		"a.list":     "file /etc/motd ${OUT}/motd 0644 0 0 /etc/issue\n",
		"b.list":     "dir /etc 0700 0 0\n",
		"data/motd":  "welcome\n",
		"sub/unused": "",
	})
	err := Run(t.Context(), Options{
		ReadOptions: ReadOptions{Vars: map[string]string{"OUT": "data"}},
		Lists:       []string{"a.list", "b.list"},
		Out:         "out.cpio.gz",
		ListOut:     "out.list",
		Method:      method(t, "gzip"),
		Parents:     true,

		ArchiveOptions: ArchiveOptions{MTime: 1234567890},
	})
	if err != nil {
		t.Fatal(err)
	}
	files := tree(t)
	want := "dir /etc 0700 0 0\nfile /etc/motd data/motd 0644 0 0 /etc/issue\n"
	if diff := cmp.Diff(want, files["out.list"]); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}
	z, err := gzip.NewReader(strings.NewReader(files["out.cpio.gz"]))
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	if err := WriteArchive(&archive, entries(t, want), ArchiveOptions{MTime: 1234567890}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(archive.Bytes(), got); diff != "" {
		t.Errorf("archive (-want +got):\n%s", diff)
	}
	if len(files) != 8 { // four files given, two folders, two outputs
		t.Errorf("something is left: %q", files)
	}
}

// Each of these fails, and leaves everything as it was.
func TestRunFails(t *testing.T) {
	good := func(o *Options) {}
	tests := []struct {
		name   string
		list   string
		change func(*Options)
		want   []string
	}{
		{"bad list", "dir\nwhat\n", good, []string{
			"a.list:1: too few fields: no name; want: dir <name> <mode> <uid> <gid>",
			`a.list:2: unknown type "what": want file, dir, nod, slink, pipe or sock`,
		}},
		{"duplicate", "dir /a 0755 0 0\ndir /a 0755 0 0\n", good, []string{"a.list:2: /a is given twice: first by a.list:1"}},
		{"missing location", "dir /a 0755 0 0\nfile /b missing 0644 0 0\n", good,
			[]string{"a.list:2: cannot read missing: no such file or directory"}},
		{"missing location after much", "file /a random 0644 0 0\nfile /b missing 0644 0 0\n", good,
			[]string{"a.list:2: cannot read missing: no such file or directory"}},
		{"no folder for the archive", "dir /a 0755 0 0\n", func(o *Options) { o.Out = "missing/out" },
			[]string{"cannot write: open missing/"}},
		{"no folder for the list", "dir /a 0755 0 0\n", func(o *Options) { o.ListOut = "missing/out" },
			[]string{"cannot write: open missing/"}},
		{"archive is a folder", "dir /a 0755 0 0\n", func(o *Options) { o.Out = "dir" },
			[]string{"cannot write: open dir: is a directory"}},
		{"list is a folder", "dir /a 0755 0 0\n", func(o *Options) { o.ListOut = "dir" },
			[]string{"cannot write: open dir: is a directory"}},
		{"two outputs of one name", "dir /a 0755 0 0\n", func(o *Options) { o.ListOut = "./new.cpio"; o.Out = "new.cpio" },
			[]string{"cannot write: new.cpio is to be both the archive and its list"}},
		{"two outputs of one file", "dir /a 0755 0 0\n", func(o *Options) { o.ListOut = "link" },
			[]string{"cannot write: old.cpio is to be both the archive and its list"}},
		{"full device", "dir /a 0755 0 0\n", func(o *Options) { o.Out = "/dev/full" },
			[]string{"cannot write: write /dev/full: no space left on device"}},
		{"full device, found before the end", "file /a random 0644 0 0\n", func(o *Options) { o.Out = "/dev/full" },
			[]string{"cannot write: write /dev/full: no space left on device"}},
		{"full device for the list", "dir /a 0755 0 0\n", func(o *Options) { o.ListOut = "/dev/full" },
			[]string{"cannot write: write /dev/full: no space left on device"}},
	}
	random := make([]byte, 3<<20)
	for i := range random {
		random[i] = byte(i*i>>8 ^ i>>3*7)
	}
	for _, test := range tests {
		for _, codecName := range []string{"none", "gzip:1", "zstd:1"} {
			t.Run(test.name+"/"+codecName, func(t *testing.T) {
				inTree(t, map[string]string{
					"a.list": test.list, "random": string(random), "dir/x": "",
					"old.cpio": "old archive", "old.list": "old list",
				})
				if err := os.Symlink("old.cpio", "link"); err != nil {
					t.Fatal(err)
				}
				before := tree(t)
				opts := Options{Lists: []string{"a.list"}, Out: "old.cpio", ListOut: "old.list", Method: method(t, codecName)}
				test.change(&opts)
				if strings.HasPrefix(opts.Out+opts.ListOut, "/dev/full") {
					if _, err := os.Stat("/dev/full"); err != nil {
						t.Skip(err)
					}
				}
				err := Run(t.Context(), opts)
				got := faults(err)
				if len(got) != len(test.want) {
					t.Fatalf("faults %q, want %q", got, test.want)
				}
				for i := range got {
					// The name of a temporary file is not known.
					if !strings.HasPrefix(got[i], test.want[i]) {
						t.Errorf("fault %q, want %q", got[i], test.want[i])
					}
				}
				if after := tree(t); !maps.Equal(before, after) {
					t.Errorf("files (-before +after):\n%s", cmp.Diff(before, after))
				}
			})
		}
	}
}

// dyingContext ends after it was asked for its error left times.
type dyingContext struct {
	context.Context
	left int
}

func (c *dyingContext) Err() error {
	if c.left == 0 {
		return context.Canceled
	}
	c.left--
	return nil
}

// Wherever the context ends, there are both outputs or none.
func TestRunCanceled(t *testing.T) {
	inTree(t, map[string]string{
		"a.list": "dir /a 0755 0 0\nfile /a/b a.list 0644 0 0 /c\nslink /d e 0777 0 0\n",
		"old":    "old archive",
	})
	before := tree(t)
	opts := Options{Lists: []string{"a.list"}, Out: "old", ListOut: "new.list"}
	steps := 0
	for ; ; steps++ {
		err := Run(&dyingContext{t.Context(), steps}, opts)
		if err == nil {
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("after %d steps: %v, want %v", steps, err, context.Canceled)
		}
		if diff := cmp.Diff(before, tree(t)); diff != "" {
			t.Fatalf("after %d steps: files (-before +after):\n%s", steps, diff)
		}
	}
	if steps < 10 {
		t.Errorf("the context was only asked %d times", steps)
	}
	after := tree(t)
	if len(after) != 3 || after["new.list"] == "" || after["old"] == "old archive" {
		t.Errorf("files after success: %q", after)
	}
}

func TestRunCanceledBefore(t *testing.T) {
	for _, codecName := range []string{"none", "gzip", "zstd"} {
		inTree(t, map[string]string{"a.list": "dir /a 0755 0 0\n"})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := Run(ctx, Options{Lists: []string{"a.list"}, Out: "out", Method: method(t, codecName)})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want %v", codecName, err, context.Canceled)
		}
		if files := tree(t); len(files) != 1 {
			t.Errorf("%s: files %q are left", codecName, files)
		}
	}
}

func TestRunToPipe(t *testing.T) {
	inTree(t, map[string]string{"a.list": "dir /a 0755 0 0\n"})
	if err := syscall.Mkfifo("fifo", 0o666); err != nil {
		t.Fatal(err)
	}
	opts := Options{Lists: []string{"a.list"}, Out: "file"}
	if err := Run(t.Context(), opts); err != nil {
		t.Fatal(err)
	}
	var piped []byte
	read := make(chan error, 1)
	go func() {
		var err error
		piped, err = os.ReadFile("fifo")
		read <- err
	}()
	opts.Out = "fifo"
	if err := soon(t, func() error { return Run(t.Context(), opts) }); err != nil {
		t.Fatal(err)
	}
	if err := <-read; err != nil {
		t.Fatal(err)
	}
	files := tree(t)
	if string(piped) != files["file"] {
		t.Error("the pipe gave other bytes than the file")
	}
	if files["fifo"] != fs.ModeNamedPipe.String() {
		t.Error("the pipe is no pipe any more")
	}
}

func TestRunToSymlink(t *testing.T) {
	inTree(t, map[string]string{"a.list": "dir /a 0755 0 0\n", "dir/real": "old"})
	if err := os.Symlink("dir/real", "link"); err != nil {
		t.Fatal(err)
	}
	if err := Run(t.Context(), Options{Lists: []string{"a.list"}, Out: "link"}); err != nil {
		t.Fatal(err)
	}
	files := tree(t)
	if files["link"] != fs.ModeSymlink.String() || !strings.HasPrefix(files["dir/real"], "070701") || len(files) != 4 {
		t.Errorf("files %q", files)
	}
}

// Content, name and mode of an output are all that is of it: not the time, the
// names of files on disk, their modes or times.
func TestRunSameBytes(t *testing.T) {
	var want string
	for i, mode := range []fs.FileMode{0o600, 0o777} {
		inTree(t, map[string]string{"a.list": "file /a ${F} 0644 0 0\n", "data": "content", "other/data": "content"})
		name := []string{"data", "other/data"}[i]
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
		opts := Options{
			ReadOptions: ReadOptions{Vars: map[string]string{"F": name}},
			Lists:       []string{"a.list"}, Out: "out" + name[:1], Method: method(t, "gzip"),
		}
		if err := Run(t.Context(), opts); err != nil {
			t.Fatal(err)
		}
		got := tree(t)[opts.Out]
		if want == "" {
			want = got
		}
		if got != want {
			t.Errorf("%s gives other bytes", name)
		}
	}
}

func TestWriteList(t *testing.T) {
	entry := func(origin, name string) *list.Entry {
		return &list.Entry{Kind: list.Pipe, Name: name, Perm: 0o600, Pos: list.Pos{Origin: origin}}
	}
	tests := []struct {
		name    string
		entries []*list.Entry
		want    string
	}{
		{"nothing", nil, ""},
		{"no origins", []*list.Entry{entry("", "a"), entry("", "b c")}, "pipe /a 0600 0 0\npipe /b\\040c 0600 0 0\n"},
		{
			"origins",
			[]*list.Entry{entry("", "a"), entry("//x:x", "b"), entry("//x:x", "c"), entry("//y:y", "d"), entry("//x:x", "e")},
			"pipe /a 0600 0 0\n# //x:x\npipe /b 0600 0 0\npipe /c 0600 0 0\n# //y:y\npipe /d 0600 0 0\n# //x:x\npipe /e 0600 0 0\n",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var b strings.Builder
			if err := WriteList(&b, test.entries, false); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, b.String()); diff != "" {
				t.Errorf("list (-want +got):\n%s", diff)
			}
			full := errors.New("no space left")
			if err := WriteList(failingWriter{full}, test.entries, false); test.want != "" && err != full {
				t.Errorf("a writer that fails: %v, want %v", err, full)
			}
		})
	}
}
