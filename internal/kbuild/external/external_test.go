package external

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rules-initramfs/rules_initramfs/internal/golden"
	"github.com/rules-initramfs/rules_initramfs/internal/kbuild"
	"github.com/rules-initramfs/rules_initramfs/internal/kbuild/config"
	"github.com/rules-initramfs/rules_initramfs/internal/tables/arch"
)

// write makes files; one whose text begins with -> is a symbolic link.
func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		err := error(nil)
		if target, ok := strings.CutPrefix(text, "-> "); ok {
			err = os.Symlink(target, name)
		} else {
			err = os.WriteFile(name, []byte(text), 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func newBuild(t *testing.T, files map[string]string) (*kbuild.Build, *bytes.Buffer) {
	t.Helper()
	target, err := arch.Find("x86_64")
	if err != nil {
		t.Fatal(err)
	}
	log := &bytes.Buffer{}
	b := &kbuild.Build{Dir: filepath.Join(t.TempDir(), "build"), Arch: target, Toolchain: kbuild.Toolchain{Path: os.Getenv("PATH")}, Log: log}
	if err := os.Mkdir(b.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, b.Dir, files)
	return b, log
}

// kept and dropped are what a build directory has. Modules are compiled with the first.
var (
	kept = []string{
		".config",
		"Makefile",
		"Module.symvers",
		"arch/x86/Makefile",
		"arch/x86/Makefile.um",
		"arch/x86/include/asm/page.h",
		"arch/x86/include/generated/asm/syscalls_64.h",
		"arch/x86/module.lds",
		"arch/x86/um/include/shared.h",
		"include/config/auto.conf",
		"include/config/kernel.release",
		"include/generated/autoconf.h",
		"include/linux/module.h",
		"scripts/Makefile.modpost",
		"scripts/basic/fixdep",
		"scripts/gcc-plugins/x.so",
		"scripts/mod/modpost",
		"tools/objtool/objtool",
	}
	dropped = []string{
		".vmlinux.cmd", "Kconfig", "System.map", "arch/Kconfig", "arch/arm64/Makefile", "arch/arm64/include/asm/page.h", "arch/x86/boot/bzImage", "arch/x86/kernel/head_64.S",
		"drivers/base/core.o", "drivers/include/x.h", "include/config/MODULES", "include/generated/.x.h.cmd", "init/main.c",
		"scripts/dtc/dtc", "scripts/kconfig/conf", "scripts/mod/.modpost.cmd", "scripts/mod/modpost.o", "scripts/unifdef",
		"tools/objtool/check.c", "vmlinux", "vmlinux.o",
	}
)

func TestKeepTree(t *testing.T) {
	files := map[string]string{}
	for _, name := range append(append([]string{}, kept...), dropped...) {
		files[name] = ""
	}
	b, _ := newBuild(t, files)
	got, err := KeepTree(context.Background(), b, config.Values{config.Modules: "y"})
	if diff := cmp.Diff(kept, got); diff != "" || err != nil {
		t.Errorf("kept (-want +got):\n%s%v", diff, err)
	}
	got, err = KeepTree(context.Background(), b, config.Values{})
	if diff := cmp.Diff([]string{".config"}, got); diff != "" || err != nil {
		t.Errorf("without modules (-want +got):\n%s%v", diff, err)
	}
}

// packages are the headers of a kernel as Debian has them.
func packages() map[string]string {
	const (
		own    = "usr/src/linux-headers-7-amd64/"
		common = "usr/src/linux-headers-7-common/"
		kbuild = "usr/lib/linux-kbuild-7/"
	)
	return map[string]string{
		"usr/lib/modules/7-amd64/build":        "-> ../../../src/linux-headers-7-amd64",
		own + ".config":                        "CONFIG_MODULES=y\nCONFIG_X86_64=y\n",
		own + ".kernelvariables":               "override CC = gcc-16\n",
		own + "Makefile":                       "KBUILD_OUTPUT=/usr/src/linux-headers-7-amd64\ninclude /usr/src/linux-headers-7-common/Makefile\n",
		own + "Module.symvers":                 "",
		own + "include/config/auto.conf":       "",
		own + "include/config/kernel.release":  "7-amd64\n",
		own + "include/generated/autoconf.h":   "own",
		own + "scripts":                        "-> ../../lib/linux-kbuild-7/scripts",
		own + "tools":                          "-> /usr/lib/linux-kbuild-7/tools",
		common + "Makefile":                    "common",
		common + "arch/x86/include/asm/page.h": "",
		common + "arch/arm64/include/asm/no.h": "",
		common + "include/linux/module.h":      "",
		common + "include/linux/same.h":        "-> module.h",
		common + "scripts":                     "-> ../../lib/linux-kbuild-7/scripts",
		kbuild + "scripts/Makefile.modpost":    "",
		kbuild + "scripts/mod/modpost":         "",
		kbuild + "tools/objtool/objtool":       "",
	}
}

func TestImportTree(t *testing.T) {
	b, _ := newBuild(t, nil)
	root := b.Dir + ".packages"
	write(t, root, packages())
	got, err := ImportTree(root, b)
	want := []string{
		".config", "Makefile", "Module.symvers", "arch/x86/include/asm/page.h", "include/config/auto.conf", "include/config/kernel.release",
		"include/generated/autoconf.h", "include/linux/module.h", "include/linux/same.h", "scripts/Makefile.modpost", "scripts/mod/modpost",
		"tools/objtool/objtool",
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Fatalf("(-want +got):\n%s%v", diff, err)
	}
	if text, err := os.ReadFile(filepath.Join(b.Dir, "Makefile")); err != nil || string(text) != "common" {
		t.Errorf("the Makefile is %q, %v", text, err)
	}
	if info, err := os.Lstat(filepath.Join(b.Dir, "scripts")); err != nil || !info.IsDir() {
		t.Errorf("scripts: %v, %v", info, err)
	}
}

func TestImportErrors(t *testing.T) {
	const own = "usr/src/linux-headers-7-amd64/"
	messages := map[string]string{}
	for name, test := range map[string]struct {
		change map[string]string // "" removes
		want   error
	}{
		"no headers":      {map[string]string{own + "Module.symvers": ""}, ErrHeaders},
		"two kernels":     {map[string]string{"usr/src/other/.config": "x", "usr/src/other/Module.symvers": "x"}, ErrHeaders},
		"no common":       {map[string]string{own + "Makefile": "include /usr/src/elsewhere/Makefile\n"}, ErrHeaders},
		"no kbuild":       {map[string]string{own + "scripts": "-> ../../lib/elsewhere/scripts"}, ErrHeaders},
		"links in circle": {map[string]string{own + "scripts": "-> scripts"}, ErrHeaders},
		"endless":         {map[string]string{own + "include/again": "-> ."}, ErrHeaders},
		"architecture":    {map[string]string{own + ".config": "CONFIG_MODULES=y\nCONFIG_ARM64=y\n"}, ErrHeaders},
		"no modules":      {map[string]string{own + ".config": "CONFIG_X86_64=y\n"}, ErrNoModules},
		"outside":         {map[string]string{own + "scripts": "-> ../../../../../../../../etc"}, ErrHeaders},
	} {
		t.Run(name, func(t *testing.T) {
			b, _ := newBuild(t, nil)
			root := b.Dir + ".packages"
			files := packages()
			for name, text := range test.change {
				if delete(files, name); text != "" {
					files[name] = text
				}
			}
			write(t, root, files)
			_, err := ImportTree(root, b)
			if !errors.Is(err, test.want) {
				t.Errorf("error %v, want %v", err, test.want)
			}
			if err != nil {
				messages[name] = err.Error()
			}
		})
	}
	golden.Messages(t, "TestImportErrors.txt", messages)
}

// Whatever the links in packages are, nothing outside of them is read, and the walk ends.
func FuzzImportTree(f *testing.F) {
	f.Add("../../lib/linux-kbuild-7/scripts", "module.h", "include /usr/src/linux-headers-7-common/Makefile\n")
	f.Add("/", "..", "include ../Makefile\n")
	f.Add("../../../../../../..", "/usr", "include \x00/Makefile")
	f.Fuzz(func(t *testing.T, scripts, header, makefile string) {
		b, _ := newBuild(t, nil)
		root := b.Dir + ".packages"
		files := packages()
		files["usr/src/linux-headers-7-amd64/Makefile"] = makefile
		for name, target := range map[string]string{"usr/src/linux-headers-7-amd64/scripts": scripts, "usr/src/linux-headers-7-common/include/linux/same.h": header} {
			if target == "" || strings.ContainsRune(target, 0) || len(target) > 200 {
				return // no link has this target
			}
			files[name] = "-> " + target
		}
		write(t, root, files)
		write(t, filepath.Dir(b.Dir), map[string]string{"secret/secret.h": "secret"})
		names, err := ImportTree(root, b)
		if err != nil {
			return
		}
		for _, name := range names {
			info, err := os.Lstat(filepath.Join(b.Dir, name))
			if err != nil || !info.Mode().IsRegular() || path.Base(name) == "secret.h" {
				t.Errorf("%s: %v, %v", name, info, err)
			}
		}
	})
}

// makefile is what make runs for modules: the goal prints and makes what the Kbuild file says.
const makefile = `
modules:
	@echo '  MODPOST Module.symvers'; cd $(M) && sh ./Kbuild '$(KBUILD_EXTRA_SYMBOLS)' '$(VENDOR)'
`

func TestCompile(t *testing.T) {
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("needs make: apt-get install make")
	}
	b, log := newBuild(t, map[string]string{"Makefile": makefile, "vmlinux": "types"})
	symbols := filepath.Join(t.TempDir(), "Module symvers")
	write(t, filepath.Dir(symbols), map[string]string{"Module symvers": "0x1\tfirst\tfirst\tEXPORT_SYMBOL\t\n"})
	source := t.TempDir()
	write(t, source, map[string]string{
		"kbuild": "cp $1 a.ko; mkdir sub; echo $2 >sub/b.ko; echo \"0x2 x $PWD/a\" >Module.symvers; test ! -e ../../../vmlinux && echo $PWD\n",
		"x.h":    "", "blob.ko": "not made",
	})
	m := &Module{
		Sources: map[string]string{
			"driver/src/Kbuild": filepath.Join(source, "kbuild"), "driver/x.h": filepath.Join(source, "x.h"),
			"driver/src/sub/Makefile": filepath.Join(source, "x.h"), "driver/src/blob.ko": filepath.Join(source, "blob.ko"),
		},
		ExtraSymbols: []string{symbols},
		Variables:    []string{"VENDOR=of this"},
	}
	r, err := m.Compile(context.Background(), b)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, file := range r.Modules {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, filepath.Base(file)+": "+string(text))
	}
	want := []string{"a.ko: 0x1\tfirst\tfirst\tEXPORT_SYMBOL\t\n", "b.ko: of this\n"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("modules (-want +got):\n%s", diff)
	}
	if string(r.Symvers) != "0x2 x driver/src/a\n" {
		t.Errorf("symbols %q", r.Symvers)
	}
	if strings.Contains(log.String(), b.Dir) || !strings.Contains(log.String(), "external/driver/src") {
		t.Errorf("log:\n%s", log)
	}
}

func TestCompileErrors(t *testing.T) {
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("needs make: apt-get install make")
	}
	messages := map[string]string{}
	for _, test := range []struct {
		name, script string
		sources      []string
		variables    []string
		want         error
	}{
		{"no Kbuild", "", []string{"a.c"}, nil, ErrNoKbuild},
		{"two Kbuilds", "", []string{"a/Kbuild", "b/Makefile", "b/c/Kbuild"}, nil, ErrNoKbuild},
		{"nothing made", "echo", []string{"a/Kbuild"}, nil, ErrNothing},
		{"same names", "mkdir b; touch a.ko b/a.ko Module.symvers", []string{"Kbuild"}, nil, nil},
		{"undefined", `echo 'ERROR: modpost: "first" [sub/a.ko] undefined!'; echo 'ERROR: modpost: "second" [b.ko] undefined!'; exit 1`, []string{"Kbuild"}, nil, ErrSymbols},
		{"no version", `echo 'WARNING: modpost: EXPORT symbol "a_b" [a.ko] version generation failed, symbol will not be versioned.'; touch a.ko Module.symvers`, []string{"Kbuild"}, nil, ErrVersions},
		{"own variable", "", []string{"Kbuild"}, []string{"ARCH=arm"}, ErrVariable},
		{"odd variable", "", []string{"Kbuild"}, []string{"A B=1"}, ErrVariable},
		{"an option", "", []string{"Kbuild"}, []string{"--keep-going"}, ErrVariable},
		{"compiler", "echo 'a.c:1: error: no'; exit 1", []string{"Kbuild"}, nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			b, _ := newBuild(t, map[string]string{"Makefile": makefile})
			m := &Module{Sources: map[string]string{}, Variables: test.variables}
			source := filepath.Join(t.TempDir(), "source")
			write(t, filepath.Dir(source), map[string]string{"source": test.script})
			for _, name := range test.sources {
				m.Sources[name] = source
			}
			_, err := m.Compile(context.Background(), b)
			if err == nil || test.want != nil && !errors.Is(err, test.want) {
				t.Fatalf("error %v, want %v", err, test.want)
			}
			messages[test.name] = err.Error()
		})
	}
	golden.Messages(t, "TestCompileErrors.txt", messages)
}
