package codec_test

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/golden"
)

// The golden file has the SHA-256 digest of the mixed sample for each codec and level. If
// one changes, the bytes of every such image change: say so in the change log.
func TestDigests(t *testing.T) {
	var b strings.Builder
	for _, method := range methods() {
		fmt.Fprintf(&b, "%s %x\n", method, sha256.Sum256(compressed(t, method, samples()["mixed"], writeAtOnce)))
	}
	golden.Text(t, "TestDigests.txt", b.String())
}
