package gen_init_cpio_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/bazelbuild/rules_go/go/runfiles"
)

// genInitramfs returns the path of the kernel's usr/gen_initramfs.sh.
func genInitramfs(t *testing.T) string {
	t.Helper()
	name := os.Getenv("GEN_INITRAMFS")
	if name == "" {
		t.Skip("needs the kernel's gen_initramfs.sh: set GEN_INITRAMFS to it")
	}
	if !filepath.IsAbs(name) {
		file, err := runfiles.Rlocation(name)
		if err != nil {
			t.Fatalf("GEN_INITRAMFS=%s: %v", name, err)
		}
		if name, err = filepath.Abs(file); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command("find", ".", "-maxdepth", "0", "-printf", "").CombinedOutput(); err != nil {
		t.Skipf("gen_initramfs.sh needs GNU find: %v: %s", err, out)
	}
	return name
}

// scriptOracle runs the kernel's script and our command on the same arguments.
type scriptOracle struct{ script, ours string }

func newScriptOracle(t *testing.T) *scriptOracle {
	t.Helper()
	o := &scriptOracle{genInitramfs(t), packer(t)}
	tool := genInitCpio(t)
	t.Chdir(t.TempDir())
	// The script runs it under this name.
	if err := os.Mkdir("usr", 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(tool, "usr/gen_init_cpio"); err != nil {
		t.Fatal(err)
	}
	return o
}

func (o *scriptOracle) compare(t *testing.T, args ...string) {
	t.Helper()
	var archives, deps [2][]byte
	for i, program := range [][]string{{"sh", o.script}, {o.ours, "gen_initramfs"}} {
		_, stderr := tool(t, os.Environ(), nil, append(append(program, "-l", "deps", "-o", "out"), args...)...)
		if len(stderr) > 0 {
			t.Fatalf("%q: %s", program, stderr)
		}
		var err error
		if archives[i], err = os.ReadFile("out"); err != nil {
			t.Fatal(err)
		}
		if deps[i], err = os.ReadFile("deps"); err != nil {
			t.Fatal(err)
		}
		os.Remove("out")
		os.Remove("deps")
	}
	same(t, fmt.Sprintf("%q", args), archives[0], archives[1])
	same(t, fmt.Sprintf("-l of %q", args), deps[0], deps[1])
}

// tree makes a tree of files of every kind that may be made here, with names
// which the script does not lose.
func (g *generator) tree(t *testing.T, root string, entries int) {
	t.Helper()
	dirs := []string{root}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(os.Mkdir(root, 0o755))
	for range entries {
		// Next to one another in the order of bytes stand -, . and /, which parts
		// a directory's name from its files'.
		name := pick(g, dirs...) + "/" + pick(g, "a", "b", "A", "sub") + pick(g, "", "", "-", ".", "+", ",", "=", "~", ":", "!", "%", "é", "-1")
		if _, err := os.Lstat(name); err == nil {
			continue
		}
		mode := uint32(g.IntN(0o10000)) | 0o600
		switch g.IntN(8) {
		case 0, 1:
			check(os.Mkdir(name, 0o755))
			mode |= 0o700
			dirs = append(dirs, name)
		case 2:
			check(os.Symlink(pick(g, "a", "../b", "/missing", "."), name))
		case 3:
			check(syscall.Mkfifo(name, 0o600))
		case 4:
			// A socket's path has room for some hundred bytes only.
			if len(name) > 100 {
				continue
			}
			l, err := net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"})
			if err != nil {
				t.Fatal(err)
			}
			l.SetUnlinkOnClose(false)
			l.Close()
		case 5:
			kind := pick(g, uint32(syscall.S_IFBLK), uint32(syscall.S_IFCHR))
			// The bits of both numbers lie apart: 12 and 8 low ones, then 12 of the minor's.
			dev := pick(g, 5<<8|1, 259<<8|44, 4095<<8|255, 8<<8|0x12300016)
			if err := syscall.Mknod(name, kind|0o600, dev); err != nil {
				continue // only root makes devices
			}
		default:
			check(os.WriteFile(name, make([]byte, g.IntN(5000)), 0o600))
		}
		// Only root gives files away, and in a sandbox not even root.
		err := os.Lchown(name, pick(g, 0, 1, 1000, 65534), pick(g, 0, 1, 1000, 65534))
		if err != nil && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, syscall.EINVAL) {
			t.Fatal(err)
		}
		if info, err := os.Lstat(name); err == nil && info.Mode()&os.ModeSymlink == 0 {
			check(syscall.Chmod(name, mode))
		}
	}
}

func TestGenInitramfs(t *testing.T) {
	o := newScriptOracle(t)
	const date = "@1700000000"
	lists := "# a list\ndir /l 0755 5 5\nfile /l/f one/file 0644 5 5 /l/g\nslink /l/s t 0777 5 5\n\n"
	for name, content := range map[string]string{"a.list": lists, "empty.list": "", "open.list": "dir /open 0700 0 0"} {
		if err := os.WriteFile(name, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	g := &generator{Rand: rand.New(rand.NewPCG(1, 723))}
	for name, entries := range map[string]int{"none": 0, "one": 12, "two": 12} {
		g.tree(t, name, entries)
	}
	if err := os.WriteFile("one/file", []byte("content"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{},
		{"none"},
		{"empty.list"},
		{"one"},
		{"one/"},
		{".//one"},
		{"one", "two/"},
		{"a.list", "one", "none", "open.list", "two"},
		{"a.list", "a.list"}, // the same paths twice
		{"-u", "1000", "-g", "1", "one", "-u", "0", "two", "a.list"},
		{"-u", "squash", "one", "-g", "squash", "-u", "65534", "two"},
		{"-u", "-1", "-g", "-1", "one"},
		{"-u", "4294967295", "one"},
		{"-d", "@5", "one"},
		{"-d", "2024-02-29T12:00:00+01:00", "a.list"},
	} {
		o.compare(t, append([]string{"-d", date}, args...)...)
	}
}

func TestGenInitramfsGenerated(t *testing.T) {
	o := newScriptOracle(t)
	for seed := range uint64(6) {
		g := &generator{Rand: rand.New(rand.NewPCG(seed, 724))}
		root := fmt.Sprintf("tree%d", seed)
		g.tree(t, root, 40)
		o.compare(t, "-d", "@0", "-u", pick(g, "squash", "1", "1000"), root)
	}
}

// Every form of a date gives the time that date(1) makes of it.
func TestGenInitramfsDates(t *testing.T) {
	o := newScriptOracle(t)
	if err := os.WriteFile("a.list", []byte("dir /a 0755 0 0\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, zone := range []string{"UTC", "Europe/Berlin"} {
		t.Setenv("TZ", zone)
		for _, date := range []string{
			"@1700000000",
			"2023-11-14T22:13:20Z",
			"2023-11-14T22:13:20.9+05:30",
			"2023-11-14 22:13:20 +0530",
			"2023-11-14 22:13:20-05:30",
			"2023-07-14 22:13:20",
			"2023-07-14T22:13:20",
			"2023-11-14 22:13 ",
			"2023-11-14",
			"Tue, 14 Nov 2023 22:13:20 -0800",
			"14 Nov 2023 22:13:20 GMT",
			"Tue Nov 14 22:13:20 UTC 2023",
			"Tue Nov 14 10:13:20 PM UTC 2023",
			"Tue 14 Nov 2023 12:13:20 AM UTC",
			"Tue Nov 14 22:13:20 2023",
			"Fri Jul 14 22:13:20 2023",
		} {
			o.compare(t, "-d", date, "a.list")
		}
	}
}

// What the script loses, ours has: the list that the script should have made.
func TestGenInitramfsLost(t *testing.T) {
	o := newScriptOracle(t)
	for _, dir := range []string{"tree", "tree/a b", "tree/z"} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"a b/c\td", "*", "[x]?", `back\040slash`, " ", "new\nline"} {
		if err := os.WriteFile("tree/"+name, []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Link("tree/*", "tree/z/link"); err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{
		`file /\040 tree/\040 0644 0 0`,
		`file /[x]? tree/[x]? 0644 0 0`,
		`dir /a\040b 0755 0 0`,
		`file /a\040b/c\011d tree/a\040b/c\011d 0644 0 0`,
		`file /back\134040slash tree/back\134040slash 0644 0 0`,
		`file /new\012line tree/new\012line 0644 0 0`,
		`dir /z 0755 0 0`,
		`file /* tree/* 0644 0 0 /z/link`,
		``,
	}, "\n")
	if err := os.WriteFile("want.list", []byte(want), 0o666); err != nil {
		t.Fatal(err)
	}
	tool(t, nil, nil, o.ours, "pack", "--out", "want", "want.list")
	archive, err := os.ReadFile("want")
	if err != nil {
		t.Fatal(err)
	}
	got, _ := tool(t, nil, nil, o.ours, "gen_initramfs", "-u", "squash", "-g", "squash", "-d", "@0", "tree")
	same(t, "the archive", archive, got)
	theirs, err := exec.Command("sh", o.script, "-u", "squash", "-g", "squash", "-d", "@0", "tree").Output()
	if err == nil && bytes.Equal(theirs, got) {
		t.Error("the script loses nothing any more: the documentation says that it does")
	}
}
