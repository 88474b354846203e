// Package guest connects the two sides of a test that runs in a guest: the host, which
// boots the guest, and the agent, which runs the test there. The host tells the agent
// what to run in a file of the initramfs. The agent sends back the test's output, its
// exit code and its files over the console.
package guest

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
)

// Paths in the guest.
const (
	RunFile = "/guest/run.json" // a Run
	Program = "/guest/test"     // the test; its runfiles are in the directory of this name and .runfiles
	Outputs = "/guest/outputs"  // the files that the agent sends when the test has ended
	Temp    = "/tmp"            // for the test's own files
)

// Names in Outputs.
const (
	XML        = "test.xml"
	Undeclared = "undeclared" // directory of the test's undeclared outputs
	Sharded    = "sharded"    // exists if the test supports sharding
)

// Run is one run of the test. The host writes it to an archive that the kernel unpacks
// after the image, because arguments and environment are known only when the test starts.
type Run struct {
	Args    []string `json:"args"`    // the test's arguments, without its name
	Env     []string `json:"env"`     // its whole environment: NAME=value
	Dir     string   `json:"dir"`     // its working directory
	Runfile string   `json:"runfile"` // where it looks for itself and for its package's directory
}

// ReadJSON reads the named file into a value.
func ReadJSON[T any](name string) (value T, err error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return value, err
	}
	if err := json.Unmarshal(text, &value); err != nil {
		return value, fmt.Errorf("%s: %w", name, err)
	}
	return value, nil
}

// hostOnly are variables that describe the host.
var hostOnly = map[string]bool{
	"_": true, "HOME": true, "HOSTNAME": true, "LOGNAME": true, "OLDPWD": true, "PATH": true, "PWD": true,
	"SHELL": true, "SHLVL": true, "TERM": true, "TMPDIR": true, "USER": true,

	"JAVA_RUNFILES": true, "PYTHON_RUNFILES": true,
	"TEST_BINARY": true, "TEST_INFRASTRUCTURE_FAILURE_FILE": true, "TEST_LOGSPLITTER_OUTPUT_FILE": true,
	"TEST_PREMATURE_EXIT_FILE": true, "TEST_UNUSED_RUNFILES_LOG_FILE": true, "TEST_WARNINGS_OUTPUT_FILE": true,
}

// hostOnlyPrefixes are prefixes of more such variables.
var hostOnlyPrefixes = []string{"COVERAGE", "GCOV", "LCOV", "LD_", "RUNFILES_", "TEST_UNDECLARED_OUTPUTS_"}

// Environment returns the environment of the test in the guest: NAME=value, sorted. It is
// the one that Bazel gives to tests, with the paths of the guest. The host environment is
// that of this process, own has the variables that the test's target adds, and workspace is
// the name of the test's repository among its runfiles. GUEST_TEST tells a test that it runs
// in a guest.
func Environment(host []string, own map[string]string, workspace string) []string {
	env := map[string]string{}
	for _, variable := range host {
		name, value, ok := strings.Cut(variable, "=")
		hasPrefix := func(prefix string) bool { return strings.HasPrefix(name, prefix) }
		if ok && !hostOnly[name] && !slices.ContainsFunc(hostOnlyPrefixes, hasPrefix) {
			env[name] = value
		}
	}
	maps.Copy(env, own)
	runfiles := Program + ".runfiles"
	maps.Copy(env, map[string]string{
		"GUEST_TEST":                  "1",
		"HOME":                        Temp,
		"PATH":                        "/bin:/sbin:/usr/bin:/usr/sbin",
		"RUNFILES_DIR":                runfiles,
		"TEST_SRCDIR":                 runfiles,
		"TEST_TMPDIR":                 Temp,
		"TEST_UNDECLARED_OUTPUTS_DIR": path.Join(Outputs, Undeclared),
		"TEST_WORKSPACE":              workspace,
		"USER":                        "root",
		"XML_OUTPUT_FILE":             path.Join(Outputs, XML),
	})
	// A test that supports sharding creates this file.
	if _, ok := env["TEST_SHARD_STATUS_FILE"]; ok {
		env["TEST_SHARD_STATUS_FILE"] = path.Join(Outputs, Sharded)
	}
	var sorted []string
	for _, name := range slices.Sorted(maps.Keys(env)) {
		sorted = append(sorted, name+"="+env[name])
	}
	return sorted
}
