// Package signature reads and writes the signatures of kernel modules.
//
// A signed module is its content, a CMS message, 12 bytes that say how long the message is, and a
// line (include/uapi/linux/module_signature.h). The message is what scripts/sign-file writes:
// detached, with one signer, without certificates and attributes. The kernel finds the certificate
// by its issuer and serial number among those that it trusts (kernel/module/signing.c).
package signature

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrSignature reports a signature that cannot be read.
var ErrSignature = errors.New("its signature is damaged")

// marker ends a signed module.
const marker = "~Module signature appended~\n"

// Fields of struct module_signature. Bytes that are not named are zero.
const (
	headerSize  = 12
	typeAt      = 2 // the position of id_type
	typePKCS7   = 2 // id_type of a CMS message
	lengthAt    = 8 // the position of sig_len, which is big-endian
	maxMessage  = 1 << 20
	maxIdentity = 64 << 10
)

// Signed reports whether a module ends with a signature.
func Signed(module []byte) bool { return bytes.HasSuffix(module, []byte(marker)) }

// Split returns the content of a module and the message of its signature, which is nil if it has
// none. A module that is signed twice has a content with a signature.
func Split(module []byte) (content, message []byte, err error) {
	rest, signed := bytes.CutSuffix(module, []byte(marker))
	if !signed {
		return module, nil, nil
	}
	if len(rest) < headerSize {
		return nil, nil, fmt.Errorf("%w: it has no header: build the module again", ErrSignature)
	}
	header := rest[len(rest)-headerSize:]
	rest = rest[:len(rest)-headerSize]
	size := int64(binary.BigEndian.Uint32(header[lengthAt:]))
	if size > int64(len(rest)) {
		return nil, nil, fmt.Errorf("%w: it would have %d bytes, and the module has %d: build the module again", ErrSignature, size, len(rest))
	}
	at := int64(len(rest)) - size
	return rest[:at:at], rest[at:], nil
}

// Append returns a module with the message of a signature.
func Append(content, message []byte) []byte {
	var header [headerSize]byte
	header[typeAt] = typePKCS7
	binary.BigEndian.PutUint32(header[lengthAt:], uint32(len(message)))
	return bytes.Join([][]byte{content, message, header[:], []byte(marker)}, nil)
}
