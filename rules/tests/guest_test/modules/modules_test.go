package modules

import (
	"bufio"
	"os"
	"strings"
	"testing"
)

// guest skips a test on the host.
func guest(t *testing.T) {
	t.Helper()
	if os.Getenv("GUEST_TEST") == "" {
		t.Skip("needs a guest: bazel test //rules/tests/guest_test/modules:all")
	}
}

// TestModules checks which modules the guest has loaded.
func TestModules(t *testing.T) {
	guest(t)
	text, err := os.ReadFile("/proc/modules")
	if err != nil {
		t.Fatal(err)
	}
	loaded := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		name, _, _ := strings.Cut(line, " ")
		loaded[name] = true
	}
	for name, want := range map[string]bool{"loop": true, "virtio_blk": true, "virtio_net": false} {
		if loaded[name] != want {
			t.Errorf("module %s loaded: %t, want %t", name, loaded[name], want)
		}
	}
	parameter, err := os.ReadFile("/sys/module/loop/parameters/max_part")
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(string(parameter)); got != "3" {
		t.Errorf("loop's max_part is %s, want 3", got)
	}
}

// TestDisk reads the disk that the loaded module serves.
func TestDisk(t *testing.T) {
	guest(t)
	disk, err := os.Open("/dev/vda")
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Close()
	line, err := bufio.NewReader(disk).ReadString('\n')
	if err != nil || line != "the disk\n" {
		t.Errorf("the disk begins with %q (%v)", line, err)
	}
}
