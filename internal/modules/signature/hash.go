package signature

import (
	"crypto"
	_ "crypto/sha1" // registers the hash, as the others do
	_ "crypto/sha256"
	_ "crypto/sha3"
	_ "crypto/sha512"
	"encoding/asn1"
	"fmt"
	"strings"
)

// A Hash is a hash that modules are signed with.
type Hash struct {
	// Name is that of CONFIG_MODULE_SIG_HASH.
	Name string

	hash        crypto.Hash
	oid         asn1.ObjectIdentifier
	ecdsaScheme asn1.ObjectIdentifier // ECDSA with this hash
}

// hashes are those that kernels have had since 4.19. What the kernel reads is in
// pkcs7_sig_note_digest_algo and pkcs7_sig_note_pkey_algo of crypto/asymmetric_keys/pkcs7_parser.c.
var hashes = []Hash{
	{"sha1", crypto.SHA1, asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}, asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 1}},
	{"sha224", crypto.SHA224, nist(2, 4), asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 1}},
	{"sha256", crypto.SHA256, nist(2, 1), asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}},
	{"sha384", crypto.SHA384, nist(2, 2), asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 3}},
	{"sha512", crypto.SHA512, nist(2, 3), asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 4}},
	{"sha3-256", crypto.SHA3_256, nist(2, 8), nist(3, 10)},
	{"sha3-384", crypto.SHA3_384, nist(2, 9), nist(3, 11)},
	{"sha3-512", crypto.SHA3_512, nist(2, 10), nist(3, 12)},
}

// nist returns an identifier of NIST's: 2 are hashes, 3 are schemes.
func nist(kind, number int) asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, kind, number}
}

// Hashes returns the names of the hashes.
func Hashes() []string {
	names := make([]string, len(hashes))
	for i, h := range hashes {
		names[i] = h.Name
	}
	return names
}

// ParseHash returns the hash with a name of CONFIG_MODULE_SIG_HASH.
func ParseHash(name string) (Hash, error) {
	for _, h := range hashes {
		if h.Name == name {
			return h, nil
		}
	}
	return Hash{}, fmt.Errorf("unknown hash %q: want one of %s", name, strings.Join(Hashes(), ", "))
}

// hashByID returns the hash of an algorithm of a message.
func hashByID(oid asn1.ObjectIdentifier) (Hash, error) {
	for _, h := range hashes {
		if h.oid.Equal(oid) {
			return h, nil
		}
	}
	return Hash{}, fmt.Errorf("%w: unknown hash %v", ErrSignature, oid)
}

// HashFunc implements crypto.SignerOpts.
func (h Hash) HashFunc() crypto.Hash { return h.hash }

// digest returns the hash of content.
func (h Hash) digest(content []byte) []byte {
	w := h.hash.New()
	w.Write(content)
	return w.Sum(nil)
}
