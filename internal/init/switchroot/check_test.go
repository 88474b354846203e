package switchroot

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/rules-initramfs/rules_initramfs/internal/golden"
)

// fakeHost returns a host whose / is a directory of the test: a tmpfs with a file
// /init, and another file system mounted on /root.
func fakeHost(t *testing.T) host {
	t.Helper()
	root := t.TempDir()
	for name, mode := range map[string]fs.FileMode{
		"init":           0o755,
		"other/file":     0o644,
		"root/bin/init":  0o755,
		"root/etc/text":  0o644,
		"root/sub/x":     0o755,
		"root/bin/other": 0o711,
	} {
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(program(t, "", nil)), mode); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range map[string]string{
		"root/sbin":      "/bin",
		"root/linked":    "../../bin/../bin/init",
		"root/outside":   "../other/file",
		"root/loop":      "loop",
		"root/dangling":  "/none",
		"root/directory": "etc",
	} {
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	return host{
		root:  root,
		pid:   func() int { return 1 },
		magic: func(string) (int64, error) { return unix.TMPFS_MAGIC, nil },
		device: func(name string) (uint64, error) {
			if strings.HasPrefix(filepath.Clean(name)+"/", root+"/root/") {
				return 2, nil
			}
			return 1, nil
		},
		isRoot: func(name string) (bool, error) { return name == root+"/root", nil },
		noexec: func(string) (bool, error) { return false, nil },
		try:    func(Request) error { return nil },
	}
}

// tree lists a directory and everything below it.
func tree(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		all = append(all, name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestCheck(t *testing.T) {
	for _, init := range []string{"/bin/init", "/sbin/init", "/linked", "/../bin/./other", "//sbin/../bin/init"} {
		r := Request{NewRoot: "/root", Init: init}
		if err := r.check(fakeHost(t)); err != nil {
			t.Errorf("%s: %v", init, err)
		}
	}
}

func TestCheckRefuses(t *testing.T) {
	messages := map[string]string{}
	for _, test := range []struct {
		name   string
		change func(*Request, *host)
	}{
		{"process", func(_ *Request, h *host) { h.pid = func() int { return 12 } }},
		{"disk", func(_ *Request, h *host) { h.magic = func(string) (int64, error) { return 0xef53, nil } }},
		{"no /init", func(_ *Request, h *host) { os.Remove(h.root + "/init") }},
		{"/init a directory", func(_ *Request, h *host) { os.Remove(h.root + "/init"); os.Mkdir(h.root+"/init", 0o755) }},
		{"no new root", func(r *Request, _ *host) { r.NewRoot = "/none" }},
		{"new root a file", func(r *Request, _ *host) { r.NewRoot = "/root/bin/init" }},
		{"same file system", func(r *Request, _ *host) { r.NewRoot = "/other" }},
		{"the root itself", func(r *Request, _ *host) { r.NewRoot = "/" }},
		{"below a mount point", func(r *Request, _ *host) { r.NewRoot = "/root/sub" }},
		{"no init", func(r *Request, _ *host) { r.Init = "/init" }},
		{"init outside", func(r *Request, _ *host) { r.Init = "/outside" }},
		{"init below a file", func(r *Request, _ *host) { r.Init = "/bin/init/x" }},
		{"loop", func(r *Request, _ *host) { r.Init = "/loop" }},
		{"dangling", func(r *Request, _ *host) { r.Init = "/dangling" }},
		{"init a directory", func(r *Request, _ *host) { r.Init = "/directory" }},
		{"no program", func(r *Request, _ *host) { r.Init = "/etc/text" }},
		{"mounted with noexec", func(_ *Request, h *host) { h.noexec = func(string) (bool, error) { return true, nil } }},
		{"no interpreter", func(r *Request, h *host) {
			if err := os.WriteFile(h.root+"/root/bin/init", []byte("#!/bin/none\n"), 0o755); err != nil {
				panic(err)
			}
		}},
		{"the kernel says no", func(_ *Request, h *host) { h.try = func(Request) error { return unix.ELIBBAD } }},
		{"no /proc", func(r *Request, _ *host) { r.Drop = []Capability{16} }},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := fakeHost(t)
			r := Request{NewRoot: "/root", Init: "/bin/init"}
			test.change(&r, &h)
			before := tree(t, h.root)
			err := r.check(h)
			if err == nil {
				t.Fatal("no error")
			}
			messages[test.name] = strings.ReplaceAll(err.Error(), h.root, "ROOT")
			if diff := cmp.Diff(before, tree(t, h.root)); diff != "" {
				t.Errorf("files (-before +after):\n%s", diff)
			}
		})
	}
	golden.Messages(t, "TestCheckRefuses.txt", messages)
}

// Any process may do a dry run.
func TestCheckDryRun(t *testing.T) {
	h := fakeHost(t)
	h.pid = func() int { return 12 }
	if err := (Request{NewRoot: "/root", Init: "/bin/init", DryRun: true}).check(h); err != nil {
		t.Error(err)
	}
}

func TestDropFromHelpers(t *testing.T) {
	root := t.TempDir()
	for _, name := range helperSets {
		if err := os.MkdirAll(filepath.Dir(root+name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(root+name, []byte("4294967295\t511\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := dropFromHelpers(root, []Capability{0, 16, 40}); err != nil {
		t.Fatal(err)
	}
	for _, name := range helperSets {
		got, err := os.ReadFile(root + name)
		if err != nil {
			t.Fatal(err)
		}
		if want := "4294901758 255\n"; string(got) != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
