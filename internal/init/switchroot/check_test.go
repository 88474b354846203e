package switchroot

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fake makes a host whose / is a folder: a tmpfs with a file /init, and another
// file system mounted on /root.
func fake(t *testing.T) host {
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
		if err := os.WriteFile(name, []byte("text"), mode); err != nil {
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
		magic: func(string) (int64, error) { return tmpfsMagic, nil },
		device: func(name string) (uint64, error) {
			if strings.HasPrefix(filepath.Clean(name)+"/", root+"/root/") {
				return 2, nil
			}
			return 1, nil
		},
	}
}

// tree lists all that is below a folder.
func tree(t *testing.T, folder string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(folder, func(name string, entry fs.DirEntry, err error) error {
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
		if err := r.check(fake(t)); err != nil {
			t.Errorf("%s: %v", init, err)
		}
	}
}

func TestCheckRefuses(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Request, *host)
		want   string
	}{
		{"process", func(_ *Request, h *host) { h.pid = func() int { return 12 } }, "this is process 12, and only process 1"},
		{"disk", func(_ *Request, h *host) { h.magic = func(string) (int64, error) { return 0xef53, nil } }, "/ is no ramfs and no tmpfs, but a file system of kind 0xef53"},
		{"no /init", func(_ *Request, h *host) { os.Remove(h.root + "/init") }, "there is no file /init"},
		{"/init a directory", func(_ *Request, h *host) { os.Remove(h.root + "/init"); os.Mkdir(h.root+"/init", 0o755) }, "there is no file /init"},
		{"no new root", func(r *Request, _ *host) { r.NewRoot = "/none" }, "mount it first"},
		{"new root a file", func(r *Request, _ *host) { r.NewRoot = "/root/bin/init" }, "/root/bin/init is no directory"},
		{"same file system", func(r *Request, _ *host) { r.NewRoot = "/other" }, "/other is on the file system of /"},
		{"the root itself", func(r *Request, _ *host) { r.NewRoot = "/" }, "/ is on the file system of /"},
		{"below a mount point", func(r *Request, _ *host) { r.NewRoot = "/root/sub" }, "/root/sub is no mount point"},
		{"no init", func(r *Request, _ *host) { r.Init = "/init" }, "in the new root there is no /init"},
		{"init outside", func(r *Request, _ *host) { r.Init = "/outside" }, "in the new root there is no /other"},
		{"init below a file", func(r *Request, _ *host) { r.Init = "/bin/init/x" }, "in the new root there is no /bin/init/x"},
		{"loop", func(r *Request, _ *host) { r.Init = "/loop" }, "/loop: too many levels of symbolic links"},
		{"dangling", func(r *Request, _ *host) { r.Init = "/dangling" }, "/dangling: in the new root there is no /none"},
		{"init a directory", func(r *Request, _ *host) { r.Init = "/directory" }, "/directory is no file in the new root"},
		{"no program", func(r *Request, _ *host) { r.Init = "/etc/text" }, "/etc/text has mode 0644 in the new root"},
		{"no /proc", func(r *Request, _ *host) { r.Drop = []Capability{16} }, "cannot drop capabilities"},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := fake(t)
			r := Request{NewRoot: "/root", Init: "/bin/init"}
			test.change(&r, &h)
			before := tree(t, h.root)
			err := r.check(h)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
			if diff := cmp.Diff(before, tree(t, h.root)); diff != "" {
				t.Errorf("files (-before +after):\n%s", diff)
			}
		})
	}
}

// A dry run may be anybody's.
func TestCheckDryRun(t *testing.T) {
	h := fake(t)
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
