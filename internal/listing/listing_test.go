package listing_test

import (
	"strings"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/image"
	"github.com/rules-initramfs/rules_initramfs/internal/listing"
)

// A target that is empty or that the kernel skips is not the root directory.
func TestTextTarget(t *testing.T) {
	for _, test := range []struct {
		size   int64
		target string
		want   string
	}{
		{2, "/", " l -> /\n"},
		{0, "", " l -> \n"},
		{1, "", " l -> \n"},
		{4096, strings.Repeat("t", 4095), "t\n"},
		{4097, "", " l -> (4097 bytes, which the kernel skips)\n"},
		{4, "a b", ` l -> a\040b` + "\n"},
		{4, "\x1bc\n", ` l -> \033c\012` + "\n"},
	} {
		var b strings.Builder
		e := &image.Entry{Header: cpio.Header{Name: "l", Mode: cpio.TypeSymlink | 0o777, NLink: 1, Size: test.size}, Target: test.target}
		if err := listing.Text(&b, e); err != nil || !strings.HasSuffix(b.String(), test.want) {
			t.Errorf("%q, %v; want %q at the end", b.String(), err, test.want)
		}
	}
}
