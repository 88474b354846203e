package signature

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
)

var (
	oidData          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidSignedData    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidRSAEncryption = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
)

// The parts of a message (RFC 5652).
type (
	contentInfo struct {
		Type    asn1.ObjectIdentifier
		Content signedData `asn1:"explicit,tag:0"`
	}
	signedData struct {
		Version int
		Hashes  []pkix.AlgorithmIdentifier `asn1:"set"`
		Content encapsulated
		Signers []signerInfo `asn1:"set"`
	}
	// encapsulated has no content, because the signature is detached.
	encapsulated struct {
		Type asn1.ObjectIdentifier
	}
	signerInfo struct {
		Version   int
		Signer    issuerAndSerial
		Hash      pkix.AlgorithmIdentifier
		Scheme    pkix.AlgorithmIdentifier
		Signature []byte
	}
	issuerAndSerial struct {
		Issuer asn1.RawValue
		Serial *big.Int
	}
)

// scheme returns how a message names the algorithm of a certificate's key with a hash.
func scheme(certificate *x509.Certificate, h Hash) (pkix.AlgorithmIdentifier, error) {
	switch certificate.PublicKey.(type) {
	case *rsa.PublicKey:
		return pkix.AlgorithmIdentifier{Algorithm: oidRSAEncryption, Parameters: asn1.NullRawValue}, nil
	case *ecdsa.PublicKey:
		return pkix.AlgorithmIdentifier{Algorithm: h.ecdsaScheme}, nil
	}
	return pkix.AlgorithmIdentifier{}, fmt.Errorf("%w: the kernel takes RSA and ECDSA keys: make another certificate", ErrCertificate)
}

// newMessage returns the message of a signature.
func newMessage(certificate *x509.Certificate, h Hash, signature []byte) ([]byte, error) {
	scheme, err := scheme(certificate, h)
	if err != nil {
		return nil, err
	}
	hash := pkix.AlgorithmIdentifier{Algorithm: h.oid}
	return asn1.Marshal(contentInfo{oidSignedData, signedData{
		Version: 1,
		Hashes:  []pkix.AlgorithmIdentifier{hash},
		Content: encapsulated{oidData},
		Signers: []signerInfo{{
			Version:   1,
			Signer:    issuerAndSerial{asn1.RawValue{FullBytes: certificate.RawIssuer}, certificate.SerialNumber},
			Hash:      hash,
			Scheme:    scheme,
			Signature: signature,
		}},
	}})
}

// readMessage returns the only signer of a message.
func readMessage(message []byte) (*signerInfo, Hash, error) {
	if len(message) > maxMessage {
		return nil, Hash{}, fmt.Errorf("%w: its message has more than %d bytes", ErrSignature, maxMessage)
	}
	var info contentInfo
	rest, err := asn1.Unmarshal(message, &info)
	switch {
	case err != nil:
		return nil, Hash{}, fmt.Errorf("%w: not a CMS message of a signature without attributes and certificates: %w", ErrSignature, err)
	case len(rest) > 0:
		return nil, Hash{}, fmt.Errorf("%w: %d bytes after its message", ErrSignature, len(rest))
	case !info.Type.Equal(oidSignedData), !info.Content.Content.Type.Equal(oidData):
		return nil, Hash{}, fmt.Errorf("%w: its message is not of signed data", ErrSignature)
	case len(info.Content.Signers) != 1:
		return nil, Hash{}, fmt.Errorf("%w: %d signers", ErrSignature, len(info.Content.Signers))
	}
	signer := &info.Content.Signers[0]
	h, err := hashByID(signer.Hash.Algorithm)
	return signer, h, err
}

// Verify returns an error unless a module has a signature by the key of a certificate, in the form
// that sign-file writes.
func Verify(module []byte, certificate *x509.Certificate) error {
	content, message, err := Split(module)
	if err != nil {
		return err
	}
	if message == nil {
		return errors.New("it has no signature")
	}
	signer, h, err := readMessage(message)
	if err != nil {
		return err
	}
	if !bytes.Equal(signer.Signer.Issuer.FullBytes, certificate.RawIssuer) || signer.Signer.Serial.Cmp(certificate.SerialNumber) != 0 {
		return fmt.Errorf("%w: it names another certificate", ErrMismatch)
	}
	want, err := scheme(certificate, h)
	if err != nil {
		return err
	}
	if !signer.Scheme.Algorithm.Equal(want.Algorithm) {
		return fmt.Errorf("%w: it names another algorithm", ErrMismatch)
	}
	return check(certificate, h, h.digest(content), signer.Signature)
}

// check returns an error unless a signature of a digest is by the key of a certificate.
func check(certificate *x509.Certificate, h Hash, digest, signature []byte) error {
	switch key := certificate.PublicKey.(type) {
	case *rsa.PublicKey:
		if err := rsa.VerifyPKCS1v15(key, h.hash, digest, signature); err != nil {
			return fmt.Errorf("%w: %w", ErrMismatch, err)
		}
		return nil
	case *ecdsa.PublicKey:
		if !ecdsa.VerifyASN1(key, digest, signature) {
			return fmt.Errorf("%w: ECDSA verification error", ErrMismatch)
		}
		return nil
	}
	return fmt.Errorf("%w: the kernel takes RSA and ECDSA keys: make another certificate", ErrCertificate)
}
