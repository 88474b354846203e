// Package parts_test runs in guests, in shards and with a filter.
package parts_test

import (
	"os"
	"testing"
)

// inShard checks that a test runs in the shard, one of two, to which rules_go assigns it.
// Without shards there is nothing to check.
func inShard(t *testing.T, want string) {
	if os.Getenv("GUEST_TEST") == "" {
		t.Skip("needs a guest: bazel test //rules/tests/guest_test:shards_test")
	}
	if total, index := os.Getenv("TEST_TOTAL_SHARDS"), os.Getenv("TEST_SHARD_INDEX"); total != "" && (total != "2" || index != want) {
		t.Errorf("shard %s of %s, want %s of 2", index, total, want)
	}
}

func TestFirst(t *testing.T) { inShard(t, "0") }

func TestSecond(t *testing.T) { inShard(t, "1") }

func TestThird(t *testing.T) { inShard(t, "0") }
