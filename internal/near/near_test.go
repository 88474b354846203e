package near

import (
	"slices"
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	candidates := []string{"virtio_net", "virtio_blk", "net_failover", "nvme", "nvme_core", "ext4", "e1000", "e1000e", "fs-ext4"}
	for _, test := range []struct {
		word string
		want []string
	}{
		{"virtio-nte", []string{"virtio_net", "virtio_blk"}},
		{"VIRTIO_NET", []string{"virtio_net", "virtio_blk"}},
		{"nvme_pci", []string{"nvme"}},
		{"nvm", []string{"nvme", "nvme_core"}},
		{"fs-ext5", []string{"fs-ext4"}},
		{"zzzzzzzz", nil},
		{"", nil},
		{strings.Repeat("virtio_net", 100), nil},
	} {
		got := Names(test.word, candidates, 2)
		slices.Sort(got)
		slices.Sort(test.want)
		if !slices.Equal(got, test.want) {
			t.Errorf("Names(%q) = %q, want %q", test.word, got, test.want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{
		{"kitten", "sitting", 3},
		{"", "abc", 3},
		{"abc", "abc", 0},
		{"abc", "abd", 1},
	} {
		if got := distance(test.a, test.b, 10); got != test.want {
			t.Errorf("distance(%q, %q) = %d, want %d", test.a, test.b, got, test.want)
		}
		if got := distance(test.a, test.b, 0); test.want > 0 && got <= 0 {
			t.Errorf("distance(%q, %q) with limit 0 = %d", test.a, test.b, got)
		}
	}
}
