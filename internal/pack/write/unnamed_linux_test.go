package write

import (
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rules-initramfs/rules_initramfs/internal/pack/packtest"
)

// If the process were killed while it writes, nothing would be left.
func TestOutputUnnamed(t *testing.T) {
	packtest.InTree(t, map[string]string{"old": "old"})
	if file := createUnnamed("."); file == nil {
		t.Skip("the file system of the test's directory has no unnamed files")
	} else {
		file.Close()
	}
	for _, name := range []string{"old", "new"} {
		o, err := createOutput(name)
		if err != nil {
			t.Fatal(err)
		}
		defer o.discard()
		if _, err := io.WriteString(o, "hello"); err != nil {
			t.Fatal(err)
		}
		if err := o.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(map[string]string{"old": "old"}, packtest.Tree(t)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}
