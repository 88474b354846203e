// Package disks_test boots with disks that are ordinary files, and checks that the boot does not
// change them.
package disks_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/bazelbuild/rules_go/go/runfiles"
)

func TestNotWritten(t *testing.T) {
	if os.Getenv("DRIVERS") == "" {
		t.Skip("needs the boot that Bazel builds: run it with bazel test")
	}
	runner, err := runfiles.Rlocation(os.Getenv("DRIVERS"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(runner + ".boot.json")
	if err != nil {
		t.Fatal(err)
	}
	var config map[string]any
	if err := json.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}

	// The boot that Bazel has configured, with other disks.
	dir, temporary := t.TempDir(), t.TempDir()
	want := map[string][]byte{}
	var disks []string
	for _, name := range []string{"first", "second"} {
		disk := filepath.Join(dir, "a,b "+name)
		want[disk] = append([]byte("the "+name+" disk\n"), make([]byte, 1<<20)...)
		if err := os.WriteFile(disk, want[disk], 0o666); err != nil {
			t.Fatal(err)
		}
		disks = append(disks, disk)
	}
	config["disks"] = disks
	if text, err = json.Marshal(config); err != nil {
		t.Fatal(err)
	}
	configFile := filepath.Join(dir, "boot.json")
	if err := os.WriteFile(configFile, text, 0o666); err != nil {
		t.Fatal(err)
	}

	cmd := exec.Command(runner, "--config", configFile)
	cmd.Env = append(os.Environ(), "XML_OUTPUT_FILE=", "TEST_TMPDIR="+temporary)
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	for disk, before := range want {
		after, err := os.ReadFile(disk)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(after, before) {
			t.Errorf("%s has changed: it begins with %q", disk, after[:32])
		}
	}
	if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
		t.Errorf("temporary files are left: %v, %v", left, err)
	}
}
