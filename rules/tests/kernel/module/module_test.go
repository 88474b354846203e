// Package module_test compiles modules that the rules compiled, again and in other directories, and
// checks what the programs refuse.
package module_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bazelbuild/rules_go/go/runfiles"

	"github.com/rules-initramfs/rules_initramfs/rules/tests/kernel/kerneltest"
)

// kernels are the kernels that the modules are compiled for: the variable with the module tree, and
// what is in the names of results.
var kernels = map[string]string{"COMPILED": "virtio", "PACKAGED": "packaged"}

// one returns the file or directory of those in a variable that is for a kernel.
func one(t *testing.T, variable, kernel string) string {
	t.Helper()
	for name := range strings.FieldsSeq(os.Getenv(variable)) {
		if !strings.Contains(filepath.Base(name), kernel) {
			continue
		}
		file, err := runfiles.Rlocation(name)
		if err != nil {
			t.Fatal(err)
		}
		return file
	}
	t.Fatalf("%s has nothing for %s: %s", variable, kernel, os.Getenv(variable))
	return ""
}

// compile compiles a module as the rule does, in a directory, and returns the directory with the
// results and the messages.
func compile(t *testing.T, work, tree string, names ...string) (dir, messages string, err error) {
	t.Helper()
	top := filepath.Dir(filepath.Dir(kerneltest.Locate(t, "KBUILD")))
	dir = t.TempDir()
	args := []string{"module", "--arch", "x86_64", "--work", work, "--module-tree", tree, "--output", dir}
	for _, name := range names {
		if !strings.Contains(name, "/") { // the directory of a module
			files, err := filepath.Glob(filepath.Join(top, name, "*"))
			if err != nil || len(files) == 0 {
				t.Fatalf("%s: %d files, %v", name, len(files), err)
			}
			for _, file := range files {
				// The results of the target with this name are in directories.
				if info, err := os.Stat(file); err != nil || info.IsDir() {
					continue
				}
				args = append(args, "--source", "rules/tests/kernel/module/"+name+"/"+filepath.Base(file)+"="+file)
			}
			continue
		}
		args = append(args, "--source", "rules/tests/kernel/module/"+name+"="+filepath.Join(top, name))
	}
	if strings.Contains(strings.Join(names, " "), "second") {
		args = append(args, "--variable", "CONFIG_VENDOR_POLITE=y")
	}
	for variable, kernel := range kernels {
		if len(names) > 1 && tree == kerneltest.Locate(t, variable) {
			args = append(args, "--extra-symbols", one(t, "SYMVERS", kernel))
		}
	}
	out, err := exec.Command(kerneltest.Locate(t, "KERNEL"), args...).CombinedOutput()
	return dir, string(out), err
}

// The same bytes come from another directory.
func TestAgain(t *testing.T) {
	for variable, kernel := range kernels {
		tree := kerneltest.Locate(t, variable)
		for _, module := range []struct {
			variable, file string
			sources        []string
		}{
			{"FIRST", "first.ko", []string{"first"}},
			{"SECOND", "second-module.ko", []string{"second", "first/first.h"}},
		} {
			work := filepath.Join(t.TempDir(), strings.Repeat("deeper/", 5))
			if err := os.MkdirAll(work, 0o755); err != nil {
				t.Fatal(err)
			}
			dir, messages, err := compile(t, work, tree, module.sources...)
			if err != nil {
				t.Fatalf("%s for %s: %v: %s", module.file, kernel, err, messages)
			}
			got, gotErr := os.ReadFile(filepath.Join(dir, module.file))
			want, wantErr := os.ReadFile(filepath.Join(one(t, module.variable, kernel), module.file))
			if gotErr != nil || wantErr != nil || !bytes.Equal(got, want) {
				t.Errorf("%s for %s: %d bytes differ from %d: %v, %v", module.file, kernel, len(got), len(want), gotErr, wantErr)
			}
			if bytes.Contains(got, []byte("deeper/")) {
				t.Errorf("%s for %s has the path of the build", module.file, kernel)
			}
		}
	}
}

func TestErrors(t *testing.T) {
	tree := kerneltest.Locate(t, "COMPILED")
	for _, test := range []struct {
		name, tree string
		sources    []string
		want       []string
	}{
		{"a kernel without modules", kerneltest.Locate(t, "WITHOUT_MODULES"), []string{"first"}, []string{"CONFIG_MODULES"}},
		{"no Kbuild file", tree, []string{"first/first.c"}, []string{"Kbuild"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, messages, err := compile(t, t.TempDir(), test.tree, test.sources...)
			for _, want := range test.want {
				if err == nil || !strings.Contains(messages, want) {
					t.Errorf("%v: %q, want %q", err, messages, want)
				}
			}
		})
	}
}

// A module that needs another one names it when it is not there.
func TestMissingSymbol(t *testing.T) {
	top := filepath.Dir(filepath.Dir(kerneltest.Locate(t, "KBUILD")))
	args := []string{"module", "--arch", "x86_64", "--work", t.TempDir(), "--module-tree", kerneltest.Locate(t, "PACKAGED"), "--output", t.TempDir()}
	for _, name := range []string{"first/first.h", "second/Makefile", "second/main.c", "second/second.h", "second/text.c"} {
		args = append(args, "--source", name+"="+filepath.Join(top, name))
	}
	out, err := exec.Command(kerneltest.Locate(t, "KERNEL"), args...).CombinedOutput()
	for _, want := range []string{"second-module.ko", "first_answer"} {
		if err == nil || !strings.Contains(string(out), want) {
			t.Errorf("%v: %q, want %q", err, out, want)
		}
	}
}

// A module that was built for another kernel is not chosen for this one.
func TestOtherKernel(t *testing.T) {
	packer, modules := kerneltest.Locate(t, "PACKER"), kerneltest.Locate(t, "MODULES")
	choose := func(kernel string) (string, error) {
		out, err := exec.Command(packer, "modules", "--kernel", modules, "--module", filepath.Join(one(t, "FIRST", kernel), "first.ko"), "--output", filepath.Join(t.TempDir(), "out")).CombinedOutput()
		return string(out), err
	}
	if messages, err := choose("virtio"); err != nil {
		t.Errorf("its own module: %v: %s", err, messages)
	}
	if messages, err := choose("packaged"); err == nil || !strings.Contains(messages, "vermagic") {
		t.Errorf("that of another kernel: %v: %s", err, messages)
	}
}

// The headers for programs have what is generated for the architecture.
func TestHeaders(t *testing.T) {
	dir := kerneltest.Locate(t, "HEADERS")
	for name, want := range map[string]string{
		"asm/unistd_64.h":      "__NR_openat2",
		"linux/version.h":      "LINUX_VERSION_CODE",
		"linux/input.h":        "struct input_event",
		"asm/bpf_perf_event.h": "",
	} {
		text, err := os.ReadFile(filepath.Join(dir, "include", name))
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: no %q: %v", name, want, err)
		}
	}
}
