// Package boots runs the boots of tests that check what the runner says.
package boots

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bazelbuild/rules_go/go/runfiles"
)

// A Result is how a boot went.
type Result struct {
	Exit   int
	Stderr string

	// Class, Sentence and TimeLimit are what result.json has.
	Class, Sentence string
	TimeLimit       float64 `json:"time_limit_s"` // in seconds
}

// Path returns the executable of a boot, or an empty string for a test that does not have it.
func Path(t *testing.T, name string) string {
	t.Helper()
	location := os.Getenv("BOOT_" + strings.ToUpper(name))
	if location == "" {
		return ""
	}
	path, err := runfiles.Rlocation(location)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// Run runs a boot.
func Run(t *testing.T, path string, args ...string) Result {
	t.Helper()
	outputs := t.TempDir()
	var stderr bytes.Buffer
	cmd := exec.Command(path, args...)
	cmd.Stderr = &stderr
	// The timeout and outputs of this test are not those of the boot.
	cmd.Env = append(os.Environ(), "TEST_TIMEOUT=", "XML_OUTPUT_FILE=", "TEST_UNDECLARED_OUTPUTS_DIR="+outputs)
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	r := Result{Exit: cmd.ProcessState.ExitCode(), Stderr: stderr.String()}
	data, err := os.ReadFile(filepath.Join(outputs, "result.json"))
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	return r
}

// RunToLimit runs a boot that must reach its time limit, and not before the console has shown
// text. A guest on a busy machine needs longer for that: then the boot runs again with twice the
// limit.
func RunToLimit(t *testing.T, path, text string) Result {
	t.Helper()
	const longest = 1800
	for limit := 15; ; limit *= 2 {
		r := Run(t, path, "--config="+withLimit(t, path, limit))
		if strings.Contains(r.Stderr, text) || limit > longest {
			return r
		}
	}
}

// withLimit returns a copy of a boot's configuration with another time limit.
func withLimit(t *testing.T, path string, limit int) string {
	t.Helper()
	data, err := os.ReadFile(path + ".boot.json")
	if err != nil {
		t.Fatal(err)
	}
	var config map[string]any
	if err := json.Unmarshal(data, &config); err != nil {
		t.Fatal(err)
	}
	config["time_limit_s"] = limit
	if data, err = json.Marshal(config); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "boot.json")
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}
