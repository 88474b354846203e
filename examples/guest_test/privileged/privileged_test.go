// Package privileged_test does what only root may, and on no machine that anybody needs: it runs in a
// guest.
package privileged_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/bazelbuild/rules_go/go/runfiles"
)

var greeting = flag.String("greeting", "", "what to greet with")

// guest skips a test on the host.
func guest(t *testing.T) {
	t.Helper()
	if os.Getenv("GUEST_TEST") == "" {
		t.Skip("runs in a guest: bazel test //examples/guest_test:all")
	}
}

func TestRoot(t *testing.T) {
	guest(t)
	if uid := os.Getuid(); uid != 0 {
		t.Errorf("uid %d", uid)
	}
	var name syscall.Utsname
	if err := syscall.Uname(&name); err != nil {
		t.Fatal(err)
	}
	fmt.Println(*greeting, os.Getenv("TARGET"))
	if *greeting == "" || os.Getenv("TARGET") == "" {
		t.Error("the arguments or the environment of the target are lost")
	}
}

func TestMount(t *testing.T) {
	guest(t)
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Fatal(err)
	}
	full := os.WriteFile(filepath.Join(dir, "large"), make([]byte, 128<<10), 0o644)
	if err := syscall.Unmount(dir, 0); err != nil {
		t.Error(err)
	}
	if full == nil {
		t.Error("128 KiB have room in a file system of 64")
	}
}

func TestDevice(t *testing.T) {
	guest(t)
	name := "/dev/guest_test_zero" // temporary files lie where there are no devices
	const zero = 1<<8 | 5          // c 1 5
	if err := syscall.Mknod(name, syscall.S_IFCHR|0o600, zero); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	buffer := []byte("something")
	if _, err := file.Read(buffer); err != nil || len(bytes.Trim(buffer, "\x00")) > 0 {
		t.Errorf("%q, %v", buffer, err)
	}
}

// Data files come along, and what the test leaves goes back.
func TestFiles(t *testing.T) {
	guest(t)
	name, err := runfiles.Rlocation("_main/examples/guest_test/privileged/data.txt")
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(os.Getenv("TEST_UNDECLARED_OUTPUTS_DIR"), "copy.txt"), content, 0o644); err != nil {
		t.Error(err)
	}
}
