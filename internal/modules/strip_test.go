package modules

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/modules/signature"
)

// debugSource is a module with something of all that a compiler writes.
const debugSource = `
static const char info[] __attribute__((section(".modinfo"), used)) =
	"license=GPL\0vermagic=7.2.12-test SMP mod_unload \0depends=";
int counter = 3;
extern int print(const char *, ...);
static int helper(int x) { return print("%d %s", x + counter, info); }
int init_module(void) { return helper(1); }
`

// compileDebug compiles a module with debug information.
func compileDebug(t testing.TB) []byte {
	t.Helper()
	dir := t.TempDir()
	source, object := filepath.Join(dir, "m.c"), filepath.Join(dir, "m.ko")
	if err := os.WriteFile(source, []byte(debugSource), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("needs gcc on PATH")
	}
	if text, err := exec.Command("gcc", "-g", "-O1", "-c", "-o", object, source).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	content, err := os.ReadFile(object)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// strip of binutils judges: it finds the same in a module before and after stripDebug, except for
// debug information.
func TestStripDebug(t *testing.T) {
	module := compileDebug(t)
	stripped, err := stripDebug(module)
	if err != nil {
		t.Fatal(err)
	}
	if len(stripped) >= len(module) || bytes.Contains(stripped, []byte("helper(int")) {
		t.Errorf("%d bytes of %d are left", len(stripped), len(module))
	}
	if again, err := stripDebug(stripped); err != nil || !bytes.Equal(again, stripped) {
		t.Errorf("the second time, there is something to strip: %v", err)
	}
	if _, err := exec.LookPath("strip"); err != nil {
		t.Skip("needs strip of binutils on PATH")
	}
	if !bytes.Equal(binutilsStrip(t, module), binutilsStrip(t, stripped)) {
		t.Error("strip finds other things in the module after stripDebug")
	}
	// The reader of modules sees the same module.
	before, err := Parse("kernel/m.ko", module)
	if err != nil {
		t.Fatal(err)
	}
	after, err := Parse("kernel/m.ko", stripped)
	if err != nil || len(after.Imports) != len(before.Imports) || after.Info.Vermagic() != before.Info.Vermagic() {
		t.Errorf("%+v, %v, want %+v", after, err, before)
	}
}

func binutilsStrip(t *testing.T, module []byte) []byte {
	t.Helper()
	file := filepath.Join(t.TempDir(), "m.ko")
	if err := os.WriteFile(file, module, 0o666); err != nil {
		t.Fatal(err)
	}
	if text, err := exec.Command("strip", "--strip-debug", file).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// sign appends a signature as scripts/sign-file does.
func sign(module []byte, message string) []byte { return signature.Append(module, []byte(message)) }

func TestStripDamaged(t *testing.T) {
	module := ko{info: []string{"license=GPL"}}.bytes()
	for name, damaged := range map[string][]byte{
		"empty":               {},
		"text":                []byte("#!/bin/sh\n"),
		"a program":           append(append([]byte{}, module[:16]...), append([]byte{2, 0}, module[18:]...)...),
		"no byte order":       append(append([]byte{}, module[:5]...), append([]byte{7}, module[6:]...)...),
		"half a header":       module[:60],
		"no table":            module[:len(module)-1],
		"nothing but headers": module[:64],
	} {
		if _, err := stripDebug(damaged); !errors.Is(err, ErrNotModule) && !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzStripDebug(f *testing.F) {
	f.Add(ko{info: []string{"license=GPL"}, exports: []string{"a"}}.bytes())
	f.Add(ko{short: true, big: true, imports: []string{"a"}}.bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		stripped, err := stripDebug(data)
		if err == nil && len(stripped) > 64*len(data)+maxAlign {
			t.Errorf("%d bytes of %d", len(stripped), len(data))
		}
	})
}
