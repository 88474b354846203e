// Package guid has the identifiers of UEFI: of partitions, variables and the owners of keys.
package guid

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
)

// GUID is an identifier as it is in files: its first three fields are little-endian (appendix A of
// the UEFI specification).
type GUID [16]byte

// swap returns the bytes of a GUID in the order of its text, and the other way around.
func swap(b [16]byte) [16]byte {
	b[0], b[1], b[2], b[3] = b[3], b[2], b[1], b[0]
	b[4], b[5] = b[5], b[4]
	b[6], b[7] = b[7], b[6]
	return b
}

// Parse reads a GUID such as c12a7328-f81f-11d2-ba4b-00a0c93ec93b.
func Parse(text string) (GUID, error) {
	var b [16]byte
	parts := strings.Split(text, "-")
	ok := len(parts) == 5
	for i, length := range []int{8, 4, 4, 4, 12} {
		ok = ok && len(parts[i]) == length
	}
	if ok {
		_, err := hex.Decode(b[:], []byte(strings.Join(parts, "")))
		ok = err == nil
	}
	if !ok {
		return GUID{}, fmt.Errorf("%q is not a GUID: want one such as c12a7328-f81f-11d2-ba4b-00a0c93ec93b", text)
	}
	return swap(b), nil
}

// MustParse is Parse for constants.
func MustParse(text string) GUID {
	g, err := Parse(text)
	if err != nil {
		panic(err)
	}
	return g
}

// String returns the GUID in the form that Parse reads, in lower case.
func (g GUID) String() string {
	b := swap(g)
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// From returns a GUID that depends on words alone. It is a UUID of version 8 (RFC 9562, section 5.8).
func From(words ...string) GUID {
	h := sha256.New()
	for _, word := range words {
		// The length keeps ("ab", "c") apart from ("a", "bc").
		h.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(word))))
		h.Write([]byte(word))
	}
	var b [16]byte
	copy(b[:], h.Sum(nil))
	b[6] = b[6]&0x0f | 0x80
	b[8] = b[8]&0x3f | 0x80
	return swap(b)
}
