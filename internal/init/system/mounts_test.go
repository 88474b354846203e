package system

import (
	"os"
	"strings"
	"testing"
)

func TestIsMountPoint(t *testing.T) {
	dir := t.TempDir() + "/dir"
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{dir: false, "/proc": true, "/": false, "/proc/self": false} {
		got, err := isMountPoint(name)
		if err != nil || got != want {
			t.Errorf("%s: %t, error %v, want %t", name, got, err, want)
		}
	}
	if _, err := isMountPoint(dir + "/none"); err == nil || !strings.Contains(err.Error(), dir+"/none") {
		t.Errorf("error %v, want one that names the directory", err)
	}
}
