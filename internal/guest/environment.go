package guest

import (
	"maps"
	"path"
	"slices"
	"strings"
)

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
		if name, value, ok := strings.Cut(variable, "="); ok && !isHostOnly(name) {
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

func isHostOnly(name string) bool {
	return hostOnly[name] || slices.ContainsFunc(hostOnlyPrefixes, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}
