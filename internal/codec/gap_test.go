package codec

import "testing"

func TestGap(t *testing.T) {
	for _, test := range []struct {
		offset     int64
		last, next string
		want       int64
	}{
		{0, "", "", 0},
		{1, "gzip", "gzip", 0},
		{1, "gzip", "", 3},
		{1, "gzip", None, 3},
		{4, "gzip", "", 0},
		{3, "lz4", "lz4", 0},
		{3, "lz4", "gzip", 4},
		{3, "lz4", "", 5},
		{4, "lz4", None, 4},
		{5, "", "gzip", 0},
	} {
		if got := Gap(test.offset, test.last, test.next); got != test.want {
			t.Errorf("Gap(%d, %q, %q) = %d, want %d", test.offset, test.last, test.next, got, test.want)
		}
	}
}
