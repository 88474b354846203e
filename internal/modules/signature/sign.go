package signature

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
)

// A Signer has a private key, or knows who has it. Its method may be called concurrently.
type Signer interface {
	// Sign returns the signature of a digest: PKCS #1 v1.5 with an RSA key, and the DER of ECDSA's
	// two numbers with a key of an elliptic curve.
	Sign(ctx context.Context, h Hash, digest []byte) ([]byte, error)
}

// Key is a Signer that has the private key. Its signatures are always the same for the same digest:
// those of ECDSA follow RFC 6979.
type Key struct{ key crypto.Signer }

// Sign implements Signer.
func (k Key) Sign(_ context.Context, h Hash, digest []byte) ([]byte, error) {
	// Without a source of random bytes, ECDSA derives its nonce from the key and the digest.
	return k.key.Sign(nil, digest, h)
}

// Signing is how modules are signed.
type Signing struct {
	Signer      Signer
	Certificate *x509.Certificate
	Hash        Hash
}

// ErrSigned reports a module that is signed already.
var ErrSigned = errors.New("it is signed already")

// Sign returns a module, which has no signature, with one. It does not return a signature that the
// certificate does not verify.
func (s *Signing) Sign(ctx context.Context, module []byte) ([]byte, error) {
	if Signed(module) {
		return nil, ErrSigned
	}
	digest := s.Hash.digest(module)
	signature, err := s.Signer.Sign(ctx, s.Hash, digest)
	if err != nil {
		return nil, err
	}
	if err := check(s.Certificate, s.Hash, digest, signature); err != nil {
		return nil, fmt.Errorf("%w: name the certificate that was made for this key", err)
	}
	message, err := newMessage(s.Certificate, s.Hash, signature)
	if err != nil {
		return nil, err
	}
	signed := Append(module, message)
	return signed, Verify(signed, s.Certificate)
}
