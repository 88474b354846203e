package modules

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// orderPath returns the path that a module has in modules.order, which knows no compression
// (uncrelpath in tools/depmod.c of kmod).
func (m *Module) orderPath() string {
	return m.Path[:strings.LastIndexByte(m.Path, '/')+1+len(m.Name)] + ".ko"
}

// Sort returns modules in depmod's order: that of modules.order, and then those that it lacks in
// the order of a hash table (depmod_modules_build_array and depmod_modules_sort in
// tools/depmod.c of kmod). Their names must differ.
func Sort(modules []*Module, order []byte) ([]*Module, error) {
	if len(order) > 0 && order[len(order)-1] != '\n' {
		return nil, fmt.Errorf("%s: %w: its last line has no end: it may be truncated", OrderFile, ErrTree)
	}
	place := map[string]int{}
	for line := range bytes.Lines(order) {
		name := string(line[:len(line)-1])
		if _, ok := place[name]; !ok {
			place[name] = len(place)
		}
	}
	return slices.SortedFunc(slices.Values(modules), func(a, b *Module) int {
		placeA, listedA := place[a.orderPath()]
		placeB, listedB := place[b.orderPath()]
		switch {
		case listedA && listedB:
			return cmp.Compare(placeA, placeB)
		case listedA != listedB && listedA:
			return -1
		case listedA != listedB:
			return 1
		}
		return compareHashed(a.Name, b.Name, moduleBuckets)
	}), nil
}

// Numbers of buckets of depmod's hash tables (depmod_init in tools/depmod.c of kmod).
const (
	moduleBuckets = 512
	symbolBuckets = 2048
)

// compareHashed compares two keys as an iteration over a hash table visits them: by buckets, and by
// bytes in a bucket (shared/hash.c of kmod).
func compareHashed(a, b string, buckets uint32) int {
	return cmp.Or(cmp.Compare(hash(a)%buckets, hash(b)%buckets), cmp.Compare(a, b))
}

// hash is Paul Hsieh's SuperFastHash as kmod has it (hash_superfast in shared/hash.c), on a machine
// whose bytes are little-endian and whose chars are signed.
func hash(key string) uint32 {
	h := uint32(len(key))
	for ; len(key) >= 4; key = key[4:] {
		h += pair(key)
		h = h<<16 ^ pair(key[2:])<<11 ^ h
		h += h >> 11
	}
	switch len(key) {
	case 3:
		h += pair(key)
		h ^= h << 16
		h ^= uint32(int8(key[2])) << 18
		h += h >> 11
	case 2:
		h += pair(key)
		h ^= h << 11
		h += h >> 17
	case 1:
		h += uint32(int8(key[0]))
		h ^= h << 10
		h += h >> 1
	}
	h ^= h << 3
	h += h >> 5
	h ^= h << 4
	h += h >> 17
	h ^= h << 25
	h += h >> 6
	return h
}

// pair returns the number in the first two bytes.
func pair(key string) uint32 { return uint32(key[0]) | uint32(key[1])<<8 }
