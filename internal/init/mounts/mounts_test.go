package mounts

import (
	"os"
	"strings"
	"testing"
)

func TestIsPoint(t *testing.T) {
	folder := t.TempDir() + "/folder"
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{folder: false, "/proc": true, "/": false, "/proc/self": false} {
		got, err := IsPoint(name)
		if err != nil || got != want {
			t.Errorf("%s: %t, error %v, want %t", name, got, err, want)
		}
	}
	if _, err := IsPoint(folder + "/none"); err == nil || !strings.Contains(err.Error(), folder+"/none") {
		t.Errorf("error %v, want one that names the folder", err)
	}
}
