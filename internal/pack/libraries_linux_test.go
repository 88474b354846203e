package pack

import (
	debugelf "debug/elf"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rules-initramfs/rules_initramfs/internal/image"
	"github.com/rules-initramfs/rules_initramfs/internal/image/unpack"
	"github.com/rules-initramfs/rules_initramfs/internal/list"
)

func newJudge(t *testing.T) *judge {
	dir := compilerLibraries(t, "gcc")
	if os.Getuid() != 0 {
		t.Skip("needs root, for chroot")
	}
	j := &judge{T: t, libraries: map[string]string{}}
	names, err := filepath.Glob(dir + "/*.so*")
	if err != nil {
		t.Fatal(err)
	}
	loaders, _ := filepath.Glob("/lib*/ld-linux*")
	for _, name := range append(names, loaders...) {
		target, err := os.Readlink(name)
		switch info, statErr := os.Stat(name); {
		case statErr != nil || !info.Mode().IsRegular() || strings.Contains(name, " "):
		case err == nil && !strings.HasPrefix(target, "/"):
			j.libraries[name] = fmt.Sprintf("slink %s %s 0777 0 0\n", name, target)
		default:
			j.libraries[name] = fmt.Sprintf("file %s %s %04o 0 0\n", name, name, info.Mode().Perm())
		}
	}
	for _, root := range []string{"/lib", "/lib64"} {
		if target, err := os.Readlink(root); err == nil {
			j.libraries[root] = fmt.Sprintf("slink %s %s 0777 0 0\n", root, target)
		}
	}
	return j
}

// compilerLibraries returns the directory of the C library that a compiler links with.
func compilerLibraries(t *testing.T, compiler string) string {
	t.Helper()
	if _, err := exec.LookPath(compiler); err != nil {
		t.Skipf("needs %s on PATH", compiler)
	}
	found, err := exec.Command(compiler, "-print-file-name=libc.so.6").Output()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(strings.TrimSpace(string(found))))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// compile makes a program or, with -shared, a library in the working directory.
func (j *judge) compile(out, source string, options ...string) {
	j.Helper()
	if err := os.WriteFile(out+".c", []byte(source), 0o666); err != nil {
		j.Fatal(err)
	}
	args := append([]string{"-o", out, out + ".c", "-Wl,--no-as-needed"}, options...)
	if text, err := exec.Command("gcc", args...).CombinedOutput(); err != nil {
		j.Fatalf("gcc %v: %v\n%s", args, err, text)
	}
}

// all returns all libraries, in order.
func (j *judge) all() (lines []string) {
	for _, name := range sorted(j.libraries) {
		lines = append(lines, j.libraries[name])
	}
	return lines
}

func sorted[T any](m map[string]T) (keys []string) {
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// loads reports whether the loader of the image finds all that a program in it needs.
func (j *judge) loads(program string) bool {
	root := filepath.Join(j.TempDir(), "root")
	file, err := os.Open("image")
	if err != nil {
		j.Fatal(err)
	}
	defer file.Close()
	if err := unpack.Extract(image.NewReader(file), root, func(loss unpack.Loss, name, reason string) {}); err != nil {
		j.Fatal(err)
	}
	cmd := &exec.Cmd{Path: j.loader, Args: []string{j.loader, "--inhibit-cache", "--list", program}, Dir: "/", Env: []string{}}
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root}
	text, err := cmd.CombinedOutput()
	if ok := err == nil && !strings.Contains(string(text), "not found"); ok {
		return true
	}
	j.Logf("%s: %v\n%s", program, err, text)
	return false
}

// What the packer takes is what the loader of the machine finds, and lint has nothing to say. Without
// any one of the files, all three refuse the image.
func TestLibrariesLoad(t *testing.T) {
	j := newJudge(t)
	t.Chdir(t.TempDir())
	const call = "int %s(void); int main(void) { return %s(); }"
	j.compile("math", "#include <math.h>\n#include <stdio.h>\nint main(int n, char **v) { return printf(\"%f\", cos(n)) < 0; }", "-lm")
	j.compile("libinner.so", "int inner(void) { return 0; }", "-shared", "-fPIC")
	j.compile("libouter.so", "int inner(void); int outer(void) { return inner(); }", "-shared", "-fPIC", "-L.", "-linner")
	j.compile("runpath", fmt.Sprintf(call, "outer", "outer"), "-L.", "-louter", "-Wl,--enable-new-dtags,-rpath,$ORIGIN/../private", "-Wl,-rpath-link,.")
	j.compile("runpath-both", fmt.Sprintf(call, "outer", "outer"), "-L.", "-louter", "-linner", "-Wl,--enable-new-dtags,-rpath,$ORIGIN/../private")
	j.compile("rpath", fmt.Sprintf(call, "outer", "outer"), "-L.", "-louter", "-Wl,--disable-new-dtags,-rpath,$ORIGIN/../private", "-Wl,-rpath-link,.")
	private := []string{"file /private/libouter.so libouter.so 0644 0 0\n", "file /private/libinner.so libinner.so 0644 0 0\n"}
	math, err := debugelf.Open("math")
	if err != nil {
		t.Fatal(err)
	}
	defer math.Close()
	for _, p := range math.Progs {
		if p.Type == debugelf.PT_INTERP {
			interp, err := io.ReadAll(p.Open())
			if err != nil {
				t.Fatal(err)
			}
			j.loader = strings.TrimRight(string(interp), "\x00")
		}
	}

	type program struct {
		// name is that of the program in /bin, at the location at.
		name, at string
		spare    []string
		wrong    bool // the loader does not find all
	}
	programs := []program{
		{name: "math", at: "math"},
		{name: "both", at: "runpath-both", spare: private},
		{name: "rpath", at: "rpath", spare: private},
		{name: "runpath", at: "runpath", spare: private, wrong: true},
	}
	for _, name := range []string{"bash", "git", "openssl"} {
		if at, err := exec.LookPath(name); err == nil {
			programs = append(programs, program{name: name, at: at})
		}
	}
	for _, test := range programs {
		t.Run(test.name, func(t *testing.T) {
			j.T = t
			own := fmt.Sprintf("file /bin/%s %s 0755 0 0\n", test.name, test.at)
			entries, err := j.pack(own, append(j.all(), test.spare...))
			if test.wrong {
				if err == nil {
					t.Errorf("no error")
				}
				j.packAs(own + strings.Join(append(j.all(), test.spare...), ""))
				if j.agree("/bin/" + test.name) {
					t.Errorf("the loader finds all")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !j.agree("/bin/" + test.name) {
				t.Errorf("the loader does not find all")
			}
			report, err := os.ReadFile("image.libraries")
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(report)) {
				if !strings.Contains(line, " needs ") {
					t.Errorf("the report: %s", line)
				}
			}
			taken := len(slices.DeleteFunc(slices.Clone(entries), func(e *list.Entry) bool { return e.Reason == "" }))
			if n := strings.Count(string(report), "\n"); n != taken {
				t.Errorf("%d lines of the report for %d files:\n%s", n, taken, report)
			}
			// Now what was taken is all that there is, less one file.
			files := 0
			for i, e := range entries {
				if e.Reason == "" || e.Kind != list.File {
					continue
				}
				files++
				var text strings.Builder
				for k, other := range entries {
					if k != i {
						fmt.Fprintln(&text, other)
					}
				}
				if _, err := j.pack(text.String(), nil); err == nil {
					t.Errorf("without %s: no error", e.Name)
				}
				j.packAs(text.String())
				if j.agree("/bin/" + test.name) {
					t.Errorf("without %s: the loader finds all", e.Name)
				}
			}
			if files < 2 {
				t.Errorf("%d files were taken", files)
			}
		})
	}
}

// Libraries for another architecture are found on this machine, beside those of this one.
func TestLibrariesCross(t *testing.T) {
	for _, triplet := range []string{"aarch64-linux-gnu", "riscv64-linux-gnu"} {
		t.Run(triplet, func(t *testing.T) {
			compiler := triplet + "-gcc"
			dir := compilerLibraries(t, compiler)
			t.Chdir(t.TempDir())
			// A cross compiler may have no headers of a C library.
			if err := os.WriteFile("a.c", []byte("double cos(double); int _start(void) { return cos(1) > 2; }"), 0o666); err != nil {
				t.Fatal(err)
			}
			options := []string{"-nostdlib", "-fno-builtin", "-o", "a", "a.c", "-Wl,--no-as-needed", dir + "/libm.so.6", dir + "/libc.so.6"}
			if text, err := exec.Command(compiler, options...).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			machine, err := filepath.Glob("/usr/lib/*-linux-gnu/lib[cm].so.6")
			if err != nil {
				t.Fatal(err)
			}
			cross, err := filepath.Glob(dir + "/*.so.*")
			if err != nil {
				t.Fatal(err)
			}
			var spare []string
			for _, name := range machine {
				spare = append(spare, fmt.Sprintf("file %s %s 0644 0 0\n", name, name))
			}
			for _, name := range cross {
				spare = append(spare, fmt.Sprintf("file /usr/lib/%s %s 0644 0 0\n", filepath.Base(name), name))
			}
			j := &judge{T: t}
			entries, err := j.pack("file /init a 0755 0 0\n", spare)
			if err != nil {
				t.Fatal(err)
			}
			var taken []string
			for _, e := range entries {
				if e.Kind == list.File && e.Reason != "" {
					taken = append(taken, strings.TrimRight(filepath.Base(e.Name), ".0123456789"))
				}
			}
			slices.Sort(taken)
			want := []string{"ld-linux-aarch64.so", "libc.so", "libm.so"}
			if triplet == "riscv64-linux-gnu" {
				want[0] = "ld-linux-riscv64-lp64d.so"
			}
			if diff := cmp.Diff(want, taken); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if !j.lints() {
				t.Error("lint refuses the image")
			}
		})
	}
}

// agree returns what both lint and the loader of the image say of it.
func (j *judge) agree(program string) bool {
	j.Helper()
	loads := j.loads(program)
	if lints := j.lints(); lints != loads {
		j.Errorf("the loader finds all: %v; lint agrees: %v", loads, lints)
	}
	return loads
}
