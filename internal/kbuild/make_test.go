package kbuild

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/golden"
	"github.com/rules-initramfs/rules_initramfs/internal/tables/arch"
)

// build returns a build of a Makefile.
func build(t *testing.T, makefile string) (*Build, *bytes.Buffer) {
	t.Helper()
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("needs make: apt-get install make")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "Makefile"), []byte(makefile), 0o644); err != nil {
		t.Fatal(err)
	}
	arch, err := arch.Find("arm64")
	if err != nil {
		t.Fatal(err)
	}
	log := &bytes.Buffer{}
	return &Build{Dir: dir, Arch: arch, Toolchain: Toolchain{Path: os.Getenv("PATH"), Cross: "x-"}, Log: log}, log
}

// The environment of kbuild is fixed.
func TestMakeEnvironment(t *testing.T) {
	t.Setenv("KBUILD_BUILD_USER", "somebody")
	t.Setenv("LDFLAGS", "-s")
	t.Setenv("MAKEFLAGS", "--silent")
	b, log := build(t, "all:\n\t@env | grep -v -e ^PATH= -e ^TMPDIR= -e ^PWD= -e ^OLDPWD= -e ^_= -e ^MAKE -e ^MFLAGS= -e ^SHLVL= | sort\n")
	if err := b.Make(context.Background(), "all"); err != nil {
		t.Fatal(err)
	}
	mapped := "-ffile-prefix-map=" + b.Dir + "=/usr/src/linux\n"
	want := "make all\n" +
		"ARCH=arm64\nCROSS_COMPILE=x-\nHOSTCFLAGS=" + mapped +
		"KBUILD_BUILD_HOST=bazel\nKBUILD_BUILD_TIMESTAMP=Thu Jan  1 00:00:00 UTC 1970\nKBUILD_BUILD_USER=bazel\nKBUILD_BUILD_VERSION=1\n" +
		"KCPPFLAGS=" + mapped + "LC_ALL=C\nSOURCE_DATE_EPOCH=0\nTZ=UTC\nmake all: nothing to do\n"
	if log.String() != want {
		t.Errorf("log:\n%s\nwant:\n%s", log, want)
	}
}

// The log has the steps in one order, whichever ends first, each with its output. It leaves out
// those that two commands may both take.
func TestMakeLog(t *testing.T) {
	b, log := build(t, "all: x.o y.o z.o\n"+
		"x.o:\n\t@echo '  CC      '$(CURDIR)/x.o; echo 'x.c:1: warning'; sleep 0.2; echo 'x.c:2: warning'\n"+
		"y.o:\n\t@sleep 0.1; echo '  AS      y.o'\n"+
		"z.o:\n\t@echo '  MKDIR   d'; echo '  CC [M]  z.o'\n")
	b.Jobs = 3
	if err := b.Make(context.Background(), "all"); err != nil {
		t.Fatal(err)
	}
	want := "make all\n  AS      y.o\n  CC      x.o\nx.c:1: warning\nx.c:2: warning\n  CC [M]  z.o\nmake all: 1 AS, 2 CC\n"
	if log.String() != want {
		t.Errorf("log:\n%s\nwant:\n%s", log, want)
	}
}

// The error is that of the step that failed, even if steps beside it ended later.
func TestMakeError(t *testing.T) {
	b, log := build(t, "all: a.o b.o c.o\n"+
		"a.o:\n\t@echo '  CC      a.o'\n"+
		"b.o:\n\t@sleep 0.1; echo '  CC      b.o'; echo 'x.c:1: fatal error: libelf.h: No such file or directory' >&2; exit 1\n"+
		"c.o:\n\t@echo '  CC      c.o'; sleep 0.3; for i in 1 2 3 4 5 6 7 8 9; do echo a$$i; echo b$$i; echo c$$i; echo d$$i; done\n")
	b.Jobs = 3
	err := b.Make(context.Background(), "all")
	if err == nil {
		t.Fatal("no error")
	}
	golden.Text(t, "TestMakeError.txt", err.Error()+"\n")
	if log.Len() > 0 {
		t.Errorf("log of a run that failed:\n%s", log)
	}
}

// The error shows the beginning and the end of a long output.
func TestMakeLongError(t *testing.T) {
	b, _ := build(t, "all:\n\t@echo '  LD      vmlinux'; for i in 1 2 3 4 5 6 7 8 9; do echo a$$i; echo b$$i; echo c$$i; echo d$$i; done; exit 1\n")
	err := b.Make(context.Background(), "all")
	if err == nil {
		t.Fatal("no error")
	}
	lines := strings.Split(err.Error(), "\n")
	got := []string{lines[1], lines[15], lines[16], lines[17], lines[31]}
	want := []string{"    LD      vmlinux", "  b4", "  [8 lines left out]", "  c6", "  make: *** [Makefile:2: all] Error 1"}
	if len(lines) != 33 || !slices.Equal(got, want) {
		t.Errorf("%d lines with %q, want %q:\n%v", len(lines), got, want, err)
	}
}

// If there is no step, the error has the message of make.
func TestMakeNoRule(t *testing.T) {
	b, _ := build(t, "all: x.o\n")
	if err := b.Make(context.Background(), "all"); err == nil || !strings.Contains(err.Error(), "  make: *** No rule to make target 'x.o', needed by 'all'.  Stop.\n") {
		t.Errorf("error %v", err)
	}
}

func TestMakeInterrupted(t *testing.T) {
	b, _ := build(t, "all:\n\t@sleep 60\n")
	ctx, stop := context.WithCancel(context.Background())
	stop()
	if err := b.Make(ctx, "all"); err != context.Canceled {
		t.Errorf("error %v", err)
	}
}

func TestConfigureUnknown(t *testing.T) {
	b, _ := build(t, "")
	for _, name := range []string{"tinyconf", "x86_64_defconfig", "../../x_defconfig", "all"} {
		err := b.Configure(context.Background(), name, "", nil)
		if err == nil || !strings.Contains(err.Error(), "config: this kernel has no "+name+" for arm64: ") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
