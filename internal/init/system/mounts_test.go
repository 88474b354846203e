package system

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestIsMountPoint(t *testing.T) {
	dir := t.TempDir() + "/dir"
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/proc", dir+"/link"); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{dir: false, "/proc": true, "/proc/self": false, dir + "/link": true} {
		for how, isMountPoint := range map[string]func(string) (bool, error){"statx": IsMountPoint, "device numbers": hasOwnDevice} {
			got, err := isMountPoint(name)
			if err != nil || got != want {
				t.Errorf("%s, %s: %t, error %v, want %t", name, how, got, err, want)
			}
		}
	}
	if _, err := IsMountPoint(dir + "/none"); err == nil || !strings.Contains(err.Error(), dir+"/none") {
		t.Errorf("error %v, want one that names the directory", err)
	}
}

// TestBindMount runs itself in a mount namespace, and mounts a directory on itself.
func TestBindMount(t *testing.T) {
	if dir := os.Getenv("BIND_MOUNT"); dir != "" {
		if err := unix.Mount(dir, dir, "", unix.MS_BIND, ""); err != nil {
			t.Fatal(err)
		}
		if got, err := IsMountPoint(dir); err != nil || !got {
			t.Errorf("%t, error %v, want a mount point", got, err)
		}
		if got, err := IsMountPoint(dir + "/sub"); err != nil || got {
			t.Errorf("below it: %t, error %v, want no mount point", got, err)
		}
		return
	}
	dir := t.TempDir()
	if err := os.Mkdir(dir+"/sub", 0o755); err != nil {
		t.Fatal(err)
	}
	runInNamespaces(t, syscall.CLONE_NEWNS, "BIND_MOUNT="+dir)
}

// runInNamespaces runs the test t again in new namespaces, as root, with one more variable.
func runInNamespaces(t *testing.T, flags uintptr, variable string) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), variable)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | flags,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
	}
	if text, err := cmd.CombinedOutput(); err != nil {
		if os.IsPermission(err) {
			t.Skipf("this machine does not allow namespaces: %v", err)
		}
		t.Errorf("%v: %s", err, text)
	}
}
