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
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"

	"github.com/rules-initramfs/rules_initramfs/internal/codec"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/packtest"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/plan"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/source"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/write"
)

func method(t *testing.T, text string) codec.Compression {
	t.Helper()
	m, err := codec.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestRun(t *testing.T) {
	packtest.InTree(t, map[string]string{
		"a.list":     "file /etc/motd ${OUT}/motd 0644 0 0 /etc/issue\n",
		"b.list":     "dir /etc 0700 0 0\n",
		"data/motd":  "welcome\n",
		"sub/unused": "",
	})
	err := Run(t.Context(), Options{
		Read:    source.Options{Vars: map[string]string{"OUT": "data"}},
		Lists:   []string{"a.list", "b.list"},
		Parents: true,
		Options: write.Options{
			ArchiveOptions: write.ArchiveOptions{MTime: 1234567890},
			Out:            "out.cpio.gz",
			ListOut:        "out.list",
			Method:         method(t, "gzip"),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	files := packtest.Tree(t)
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
	if err := write.Archive(&archive, packtest.Entries(t, want), write.ArchiveOptions{MTime: 1234567890}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(archive.Bytes(), got); diff != "" {
		t.Errorf("archive (-want +got):\n%s", diff)
	}
	if len(files) != 8 { // four files given, two directories, two outputs
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
			"a.list:1: ",
			"a.list:2: ",
		}},
		{"duplicate", "dir /a 0755 0 0\ndir /a 0700 0 0\n", good, []string{"a.list:2: /a "}},
		{"missing location", "dir /a 0755 0 0\nfile /b missing 0644 0 0\n", good,
			[]string{"a.list:2: "}},
		{"missing location after much", "file /a random 0644 0 0\nfile /b missing 0644 0 0\n", good,
			[]string{"a.list:2: "}},
		{"no directory for the archive", "dir /a 0755 0 0\n", func(o *Options) { o.Out = "missing/out" },
			[]string{"cannot write: open missing/"}},
		{"no directory for the list", "dir /a 0755 0 0\n", func(o *Options) { o.ListOut = "missing/out" },
			[]string{"cannot write: open missing/"}},
		{"archive is a directory", "dir /a 0755 0 0\n", func(o *Options) { o.Out = "dir" },
			[]string{"cannot write: open dir: is a directory"}},
		{"list is a directory", "dir /a 0755 0 0\n", func(o *Options) { o.ListOut = "dir" },
			[]string{"cannot write: open dir: is a directory"}},
		{"two outputs of one name", "dir /a 0755 0 0\n", func(o *Options) { o.ListOut = "./new.cpio"; o.Out = "new.cpio" },
			[]string{"cannot write: new.cpio "}},
		{"two outputs of one file", "dir /a 0755 0 0\n", func(o *Options) { o.ListOut = "link" },
			[]string{"cannot write: old.cpio "}},
		{"full device", "dir /a 0755 0 0\n", func(o *Options) { o.Out = "/dev/full" },
			[]string{"cannot write: write /dev/full: no space left on device"}},
		{"full device, found before the end", "file /a random 0644 0 0\n", func(o *Options) { o.Out = "/dev/full" },
			[]string{"cannot write: write /dev/full: no space left on device"}},
		{"the listing and the JSON in one", "dir /a 0755 0 0\n", func(o *Options) { o.ViewsOut = map[string]string{"listing": "new", "json": "new"} },
			[]string{"cannot write: new "}},
		{"full device for the listing", "dir /a 0755 0 0\n", func(o *Options) { o.ViewsOut = map[string]string{"listing": "/dev/full"} },
			[]string{"cannot write: write /dev/full: no space left on device"}},
		{"full device for the JSON", "dir /a 0755 0 0\n", func(o *Options) { o.ViewsOut = map[string]string{"json": "/dev/full"} },
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
				packtest.InTree(t, map[string]string{
					"a.list": test.list, "random": string(random), "dir/x": "",
					"old.cpio": "old archive", "old.list": "old list",
				})
				if err := os.Symlink("old.cpio", "link"); err != nil {
					t.Fatal(err)
				}
				before := packtest.Tree(t)
				opts := Options{Lists: []string{"a.list"}, Options: write.Options{Out: "old.cpio", ListOut: "old.list", Method: method(t, codecName)}}
				test.change(&opts)
				if strings.Contains(opts.Out+opts.ListOut+opts.ViewsOut["listing"]+opts.ViewsOut["json"], "/dev/full") {
					if _, err := os.Stat("/dev/full"); err != nil {
						t.Skip(err)
					}
				}
				err := Run(t.Context(), opts)
				got := packtest.Messages(err)
				if len(got) != len(test.want) {
					t.Fatalf("errors %q, want %q", got, test.want)
				}
				for i := range got {
					// The rest is for people, or the name of a temporary file.
					if !strings.HasPrefix(got[i], test.want[i]) {
						t.Errorf("error %q, want %q", got[i], test.want[i])
					}
				}
				if after := packtest.Tree(t); !maps.Equal(before, after) {
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
	packtest.InTree(t, map[string]string{
		"a.list": "dir /a 0755 0 0\nfile /a/b a.list 0644 0 0 /c\nslink /d e 0777 0 0\n",
		"old":    "old archive",
	})
	before := packtest.Tree(t)
	opts := Options{Lists: []string{"a.list"}, Options: write.Options{Out: "old", ListOut: "new.list"}}
	steps := 0
	for ; ; steps++ {
		err := Run(&dyingContext{t.Context(), steps}, opts)
		if err == nil {
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("after %d steps: %v, want %v", steps, err, context.Canceled)
		}
		if diff := cmp.Diff(before, packtest.Tree(t)); diff != "" {
			t.Fatalf("after %d steps: files (-before +after):\n%s", steps, diff)
		}
	}
	if steps < 10 {
		t.Errorf("the context was only asked %d times", steps)
	}
	after := packtest.Tree(t)
	if len(after) != 3 || after["new.list"] == "" || after["old"] == "old archive" {
		t.Errorf("files after success: %q", after)
	}
}

func TestRunCanceledBefore(t *testing.T) {
	for _, codecName := range []string{"none", "gzip", "zstd"} {
		packtest.InTree(t, map[string]string{"a.list": "dir /a 0755 0 0\n"})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := Run(ctx, Options{Lists: []string{"a.list"}, Options: write.Options{Out: "out", Method: method(t, codecName)}})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want %v", codecName, err, context.Canceled)
		}
		if files := packtest.Tree(t); len(files) != 1 {
			t.Errorf("%s: files %q are left", codecName, files)
		}
	}
}

func TestRunToPipe(t *testing.T) {
	packtest.InTree(t, map[string]string{"a.list": "dir /a 0755 0 0\n"})
	packtest.MakeFIFO(t, "fifo")
	opts := Options{Lists: []string{"a.list"}, Options: write.Options{Out: "file"}}
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
	if err := packtest.Soon(func() error { return Run(t.Context(), opts) }); err != nil {
		t.Fatal(err)
	}
	if err := <-read; err != nil {
		t.Fatal(err)
	}
	files := packtest.Tree(t)
	if string(piped) != files["file"] {
		t.Error("the pipe gave other bytes than the file")
	}
	if files["fifo"] != fs.ModeNamedPipe.String() {
		t.Error("the pipe is not a pipe any more")
	}
}

func TestRunToSymlink(t *testing.T) {
	packtest.InTree(t, map[string]string{"a.list": "dir /a 0755 0 0\n", "dir/real": "old"})
	if err := os.Symlink("dir/real", "link"); err != nil {
		t.Fatal(err)
	}
	if err := Run(t.Context(), Options{Lists: []string{"a.list"}, Options: write.Options{Out: "link"}}); err != nil {
		t.Fatal(err)
	}
	files := packtest.Tree(t)
	if files["link"] != fs.ModeSymlink.String() || !strings.HasPrefix(files["dir/real"], "070701") || len(files) != 4 {
		t.Errorf("files %q", files)
	}
}

// An output is its content, name and mode: not the time, the
// names of files on disk, their modes or times.
func TestRunSameBytes(t *testing.T) {
	var want string
	for i, mode := range []fs.FileMode{0o600, 0o777} {
		packtest.InTree(t, map[string]string{"a.list": "file /a ${F} 0644 0 0\n", "data": "content", "other/data": "content"})
		name := []string{"data", "other/data"}[i]
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
		opts := Options{
			Read:  source.Options{Vars: map[string]string{"F": name}},
			Lists: []string{"a.list"}, Options: write.Options{Out: "out" + name[:1], Method: method(t, "gzip")},
		}
		if err := Run(t.Context(), opts); err != nil {
			t.Fatal(err)
		}
		got := packtest.Tree(t)[opts.Out]
		if want == "" {
			want = got
		}
		if got != want {
			t.Errorf("%s gives other bytes", name)
		}
	}
}

// A path that two targets give is in an error that names both.
func TestReadDuplicatesNameTargets(t *testing.T) {
	packtest.InTree(t, map[string]string{
		"all.list": "#: origin //a:a\ndir /a 0755 0 0\n#: list a.list\n#: origin //b:b\ndir /a 0700 0 0\ndir /l 0700 0 0\n",
		"a.list":   "\ndir /l 0755 0 0\n",
	})
	all, err := source.ReadLists(t.Context(), []string{"all.list"}, source.Options{Directives: true})
	if err != nil {
		t.Fatal(err)
	}
	_, err = plan.Complete(all, true, false)
	got := packtest.Messages(err)
	if len(got) != 2 || !strings.HasPrefix(got[0], "//b:b: /a ") || !strings.Contains(got[0], " //a:a;") ||
		!strings.HasPrefix(got[1], "//b:b: /l ") || !strings.Contains(got[1], " //a:a (a.list:2);") {
		t.Errorf("errors %q", got)
	}
}

// An output in a directory that is packed is refused, whatever leads there.
func TestRunOutputInDirectory(t *testing.T) {
	packtest.InTree(t, map[string]string{"dir/sub/file": "", "directory/file": "", "old": ""})
	for link, target := range map[string]string{"link": "dir", "out": "dir/sub/file"} {
		if err := os.Symlink(target, link); err != nil {
			t.Fatal(err)
		}
	}
	before := packtest.Tree(t)
	for _, opts := range []Options{
		{Lists: []string{"dir"}, Options: write.Options{Out: "dir/new"}},
		{Lists: []string{"dir"}, Options: write.Options{Out: "dir/sub/file"}},
		{Lists: []string{"link/"}, Options: write.Options{Out: "dir/new"}},
		{Lists: []string{"dir"}, Options: write.Options{Out: "link/sub/new"}},
		{Lists: []string{"directory", "dir"}, Options: write.Options{Out: "out"}},
		{Lists: []string{"."}, Options: write.Options{Out: "new"}},
		{Lists: []string{"dir"}, Options: write.Options{Out: "new", ListOut: "./dir/list"}},
		{Lists: []string{"dir"}, Options: write.Options{Out: "new", ViewsOut: map[string]string{"json": "dir/json"}}},
	} {
		if err := Run(t.Context(), opts); err == nil {
			t.Errorf("%v into %+v: no error", opts.Lists, opts.Out)
		}
	}
	if diff := cmp.Diff(before, packtest.Tree(t)); diff != "" {
		t.Errorf("files (-before +after):\n%s", diff)
	}
	for _, out := range []string{"directory/new", "new", "old", "directory/../new2"} {
		if err := Run(t.Context(), Options{Lists: []string{"dir"}, Options: write.Options{Out: out}}); err != nil {
			t.Errorf("into %s: %v", out, err)
		}
	}
}
