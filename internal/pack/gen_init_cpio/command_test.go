package gen_init_cpio_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bazelbuild/rules_go/go/runfiles"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/write"
)

// packer returns the path of the packer: what PACKER names, or else one that the
// go command builds.
func packer(t *testing.T) string {
	t.Helper()
	if name := os.Getenv("PACKER"); filepath.IsAbs(name) {
		return name
	} else if name != "" {
		file, err := runfiles.Rlocation(name)
		if err != nil {
			t.Fatalf("PACKER=%s: %v", name, err)
		}
		if name, err = filepath.Abs(file); err != nil {
			t.Fatal(err)
		}
		return name
	}
	name, err := built()
	if err != nil {
		t.Skipf("needs the packer: set PACKER; %v", err)
	}
	return name
}

// directory holds what is built for all tests.
var directory string

func TestMain(m *testing.M) {
	var err error
	if directory, err = os.MkdirTemp("", "gen_init_cpio_test"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(directory)
	os.Exit(code)
}

// packerSource is where the packer is; tests change the working directory.
var packerSource, _ = filepath.Abs("../../../tools/packer")

var built = sync.OnceValues(func() (string, error) {
	name := filepath.Join(directory, "packer")
	cmd := exec.Command("go", "build", "-o", name, ".")
	cmd.Dir = packerSource
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w: %s", err, out)
	}
	return name, nil
})

// tool runs a program and returns what it writes to stdout and to stderr.
func tool(t *testing.T, env []string, stdin io.Reader, args ...string) (stdout, stderr []byte) {
	t.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = env
	cmd.Stdin = stdin
	var errors bytes.Buffer
	cmd.Stderr = &errors
	stdout, err := cmd.Output()
	if err != nil {
		t.Fatalf("%.300q: %v: %.1000s", args, err, errors.Bytes())
	}
	return stdout, errors.Bytes()
}

// The command has the tool's options, bytes and warnings.
func TestCommand(t *testing.T) {
	ours := packer(t)
	o := newOracle(t)
	tests := lists()
	tests = append(tests, namedList{"escapes", `dir /a\040b 0755 0 0` + "\n" + `slink /\000 \011 0777 0 0` + "\n"})
	tests = append(tests, namedList{"the same path twice", "dir /a 0755 0 0\ndir /a 0700 1 1\nfile /b data/f3 0 0 0\nfile b data/f4 0 0 0\n"})
	for seed := range uint64(20) {
		g := &generator{Rand: rand.New(rand.NewPCG(seed, 722)), taken: map[string]bool{}}
		tests = append(tests, namedList{strconv.FormatUint(seed, 10), g.list()})
	}
	for i, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if err := os.WriteFile("given.list", []byte(test.list), 0o666); err != nil {
				t.Fatal(err)
			}
			opts := withOptions[i%len(withOptions)]
			args := append(arguments(opts), "given.list")
			want, wantWarnings := tool(t, o.env, nil, append([]string{o.tool}, args...)...)
			got, gotWarnings := tool(t, o.env, nil, append([]string{ours, "gen_init_cpio"}, args...)...)
			same(t, "stdout", want, got)
			same(t, "warnings", wantWarnings, gotWarnings)
			tool(t, o.env, strings.NewReader(test.list), append([]string{ours, "gen_init_cpio", "-", "-oout"}, arguments(opts)...)...)
			if got, err := os.ReadFile("out"); err != nil {
				t.Error(err)
			} else {
				same(t, "-o", want, got)
			}
			if t.Failed() {
				t.Logf("options %q, the list: %.2000q", args, test.list)
			}
		})
	}
}

// Without -t, files have their own times.
func TestCommandTimes(t *testing.T) {
	ours := packer(t)
	o := newOracle(t)
	text := ""
	for i, seconds := range []int64{0, 1, 1700000000, 4294967295, 4294967296, -1, -86400} {
		name := "data/time" + strconv.Itoa(i)
		if err := os.WriteFile(name, []byte("x"), 0o666); err != nil {
			t.Fatal(err)
		}
		// Half a second more, which does not count.
		if err := os.Chtimes(name, time.Time{}, time.Unix(seconds, 5e8)); err != nil {
			t.Fatal(err)
		}
		text += "file /" + name + " " + name + " 0644 0 0 /link" + strconv.Itoa(i) + "\n"
	}
	if err := os.WriteFile("given.list", []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	want, wantWarnings := tool(t, o.env, nil, o.tool, "given.list")
	got, gotWarnings := tool(t, o.env, nil, ours, "gen_init_cpio", "given.list")
	same(t, "stdout", want, got)
	same(t, "warnings", wantWarnings, gotWarnings)
	if len(wantWarnings) == 0 {
		t.Error("no time was cut off")
	}
}

// Every alignment, those too that names have no room for.
func TestAligned(t *testing.T) {
	o := newOracle(t)
	for align := uint32(4); align <= 1<<17; align *= 2 {
		o.compare(t, "dir /d 0755 0 0\nfile /a data/f4097 0644 0 0 /b\nfile /c data/f65537 0644 0 0\nfile /dd data/f513 0644 0 0\nfile /e data/f65537 0644 0 0\n",
			write.ArchiveOptions{Align: align})
	}
}
