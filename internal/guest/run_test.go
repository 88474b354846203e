package guest

import (
	"slices"
	"testing"
)

func TestEnvironment(t *testing.T) {
	got := Environment([]string{
		"PATH=/host/bin", "HOME=/host", "TEST_TMPDIR=/host/tmp", "RUNFILES_MANIFEST_FILE=/host/manifest", "COVERAGE_DIR=/host/coverage",
		"TESTBRIDGE_TEST_ONLY=TestX", "TEST_SHARD_INDEX=1", "TEST_SHARD_STATUS_FILE=/host/status", "TEST_UNDECLARED_OUTPUTS_MANIFEST=/host/m",
		"FROM_COMMAND_LINE=a=b", "BOTH=host", "no value",
	}, map[string]string{"BOTH": "target", "PATH": "/own"}, "_main")
	want := []string{
		"BOTH=target",
		"FROM_COMMAND_LINE=a=b",
		"GUEST_TEST=1",
		"HOME=/tmp",
		"PATH=/bin:/sbin:/usr/bin:/usr/sbin",
		"RUNFILES_DIR=/guest/test.runfiles",
		"TESTBRIDGE_TEST_ONLY=TestX",
		"TEST_SHARD_INDEX=1",
		"TEST_SHARD_STATUS_FILE=/guest/outputs/sharded",
		"TEST_SRCDIR=/guest/test.runfiles",
		"TEST_TMPDIR=/tmp",
		"TEST_UNDECLARED_OUTPUTS_DIR=/guest/outputs/undeclared",
		"TEST_WORKSPACE=_main",
		"USER=root",
		"XML_OUTPUT_FILE=/guest/outputs/test.xml",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
	if unsharded := Environment(nil, nil, "_main"); slices.ContainsFunc(unsharded, func(v string) bool { return v == "TEST_SHARD_STATUS_FILE=/guest/outputs/sharded" }) {
		t.Error("a test without shards has TEST_SHARD_STATUS_FILE")
	}
}
