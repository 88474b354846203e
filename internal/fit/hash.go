package fit

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"slices"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/fdt"
)

// hashes are those of hash_algo in common/hash.c of U-Boot. The weak ones find damage, and no attack.
var hashes = []struct {
	name string
	weak bool
	new  func() hash.Hash
}{
	{"sha256", false, sha256.New},
	{"sha384", false, sha512.New384},
	{"sha512", false, sha512.New},
	{"sha1", true, sha1.New},
	{"md5", true, md5.New},
	{"crc32", true, func() hash.Hash { return crc32.NewIEEE() }},
}

// Hashes returns the names of the hashes of images.
func Hashes() []string {
	var names []string
	for _, h := range hashes {
		names = append(names, h.name)
	}
	return names
}

// CheckHash returns an error for a name that is not one of Hashes.
func CheckHash(name string) error {
	if !slices.Contains(Hashes(), name) {
		return fmt.Errorf("unknown hash %q: want one of %s", name, strings.Join(Hashes(), ", "))
	}
	return nil
}

// isWeak reports whether a hash is not enough for a signature.
func isWeak(name string) bool {
	for _, h := range hashes {
		if h.name == name {
			return h.weak
		}
	}
	return true
}

func newHash(name string) hash.Hash {
	for _, h := range hashes {
		if h.name == name {
			return h.new()
		}
	}
	return nil
}

// digests returns the digests of a content by several hashes, which it reads once.
func digests(content fdt.Content, names []string) ([][]byte, error) {
	var all []hash.Hash
	var writers []io.Writer
	for _, name := range names {
		h := newHash(name)
		if h == nil {
			return nil, fmt.Errorf("unknown hash %q: want one of %s", name, strings.Join(Hashes(), ", "))
		}
		all, writers = append(all, h), append(writers, h)
	}
	n, err := content.WriteTo(io.MultiWriter(writers...))
	switch {
	case err != nil:
		return nil, err
	case n != content.Size():
		return nil, fmt.Errorf("the content has %d bytes instead of %d: it changed", n, content.Size())
	}
	var values [][]byte
	for _, h := range all {
		values = append(values, h.Sum(nil))
	}
	return values, nil
}
