// Package environment says what a test in a guest finds in its environment: what Bazel gives to
// tests on the host, with the paths of the guest.
package environment

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/guest/run"
)

// hostOnly are variables that say something of the host.
var hostOnly = map[string]bool{
	"_": true, "HOME": true, "HOSTNAME": true, "LOGNAME": true, "OLDPWD": true, "PATH": true, "PWD": true,
	"SHELL": true, "SHLVL": true, "TERM": true, "TMPDIR": true, "USER": true,

	"JAVA_RUNFILES": true, "PYTHON_RUNFILES": true,
	"TEST_BINARY": true, "TEST_INFRASTRUCTURE_FAILURE_FILE": true, "TEST_LOGSPLITTER_OUTPUT_FILE": true,
	"TEST_PREMATURE_EXIT_FILE": true, "TEST_UNUSED_RUNFILES_LOG_FILE": true, "TEST_WARNINGS_OUTPUT_FILE": true,
}

// hostOnlyPrefixes are what the names of others begin with.
var hostOnlyPrefixes = []string{"COVERAGE", "GCOV", "LCOV", "LD_", "RUNFILES_", "TEST_UNDECLARED_OUTPUTS_"}

// Guest returns the environment of the test in the guest, sorted: NAME=value. host is the
// runner's own, own is what the test's target adds, and workspace is the name of the test's
// repository among its runfiles. GUEST_TEST tells a test that it is in a guest.
func Guest(host []string, own map[string]string, workspace string) []string {
	env := map[string]string{}
	for _, variable := range host {
		if name, value, ok := strings.Cut(variable, "="); ok && !isHostOnly(name) {
			env[name] = value
		}
	}
	maps.Copy(env, own)
	runfiles := run.Program + ".runfiles"
	maps.Copy(env, map[string]string{
		"GUEST_TEST":                  "1",
		"HOME":                        run.Temp,
		"PATH":                        "/bin:/sbin:/usr/bin:/usr/sbin",
		"RUNFILES_DIR":                runfiles,
		"TEST_SRCDIR":                 runfiles,
		"TEST_TMPDIR":                 run.Temp,
		"TEST_UNDECLARED_OUTPUTS_DIR": path.Join(run.Outputs, run.Undeclared),
		"TEST_WORKSPACE":              workspace,
		"USER":                        "root",
		"XML_OUTPUT_FILE":             path.Join(run.Outputs, run.XML),
	})
	// A test that knows of shards says so by making this file.
	if _, ok := env["TEST_SHARD_STATUS_FILE"]; ok {
		env["TEST_SHARD_STATUS_FILE"] = path.Join(run.Outputs, run.Sharded)
	}
	var sorted []string
	for _, name := range slices.Sorted(maps.Keys(env)) {
		sorted = append(sorted, name+"="+env[name])
	}
	return sorted
}

func isHostOnly(name string) bool {
	return hostOnly[name] || slices.ContainsFunc(hostOnlyPrefixes, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}
