package kbuild

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// programs makes a directory of programs that print the version "one".
func programs(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\necho one\necho two\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestCheckCompile(t *testing.T) {
	all := []string{"gcc", "ld", "make", "flex", "bison", "bc"}
	whole := Toolchain{Path: programs(t, all...), CompilerVersion: "one", LinkerVersion: "one"}
	if err := whole.CheckCompile(context.Background()); err != nil {
		t.Fatal(err)
	}
	other := whole
	other.LinkerVersion = "three"
	if err := other.CheckCompile(context.Background()); err == nil || !strings.Contains(err.Error(), `/ld is "one"`) {
		t.Errorf("error %v", err)
	}

	empty := Toolchain{Path: programs(t)}
	err := empty.CheckCompile(context.Background())
	if err == nil {
		t.Fatal("no error without programs")
	}
	for _, name := range all {
		if !strings.Contains(err.Error(), name+" is not in "+empty.Path+": ") {
			t.Errorf("error without %s:\n%v", name, err)
		}
	}
	if n := strings.Count(err.Error(), "\n"); n != len(all)-1 {
		t.Errorf("%d lines, want %d:\n%v", n+1, len(all), err)
	}

	cross := Toolchain{Path: whole.Path, Cross: "riscv64-linux-gnu-"}
	if err := cross.CheckLink(context.Background()); err == nil || !strings.Contains(err.Error(), "riscv64-linux-gnu-gcc is not in "+whole.Path+": ") {
		t.Errorf("error %v", err)
	}
}

func TestLookPath(t *testing.T) {
	t.Chdir(programs(t, "gcc"))
	for _, path := range []string{"", ".", "/nonexistent"} {
		if name, err := (Toolchain{Path: path}).LookPath("gcc"); err == nil {
			t.Errorf("path %q: %s", path, name)
		}
	}
}
