// Package authenticode signs EFI executables and verifies their signatures, as Secure Boot does.
//
// A signature is a message of PKCS #7 in the certificate table of the executable. It has the digest of
// the executable (Microsoft's "Windows Authenticode Portable Executable Signature Format", chapter
// 32.2.4 of UEFI's specification), and the certificates of the signer.
package authenticode

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"time"

	"github.com/rules-initramfs/rules_initramfs/internal/efi/pe"
	"github.com/rules-initramfs/rules_initramfs/internal/modules/signature"
)

var (
	// ErrDamaged reports a signature that cannot be read.
	ErrDamaged = errors.New("its signature is damaged")
	// ErrUnsigned reports an executable without signatures.
	ErrUnsigned = errors.New("it is not signed")
	// ErrChanged reports an executable that is not the one that was signed.
	ErrChanged = errors.New("it changed after it was signed")
	// ErrUntrusted reports signatures that none of the certificates verifies.
	ErrUntrusted = errors.New("no signature is by the key of a certificate that is trusted")
	// ErrSigned reports an executable that the certificate's key has signed before.
	ErrSigned = errors.New("it is signed with this certificate already")
	// ErrValidity reports a certificate that is not valid on a day.
	ErrValidity = errors.New("the certificate is not valid")

	errKeyType = errors.New("firmware takes RSA and ECDSA keys: make another certificate")
)

// Signing is how executables are signed.
type Signing struct {
	Signer signature.Signer
	// Certificates are the signer's, and those that firmware may need to find that it trusts
	// the signer's.
	Certificates []*x509.Certificate
}

// CheckValidity returns ErrValidity unless certificates are valid on a day.
func CheckValidity(certificates []*x509.Certificate, day time.Time) error {
	begin := time.Date(day.Year(), day.Month(), day.Day(), 0, 0, 0, 0, time.UTC)
	end := begin.AddDate(0, 0, 1).Add(-time.Second)
	for _, c := range certificates {
		if c.NotBefore.After(end) || c.NotAfter.Before(begin) {
			return fmt.Errorf("%w on %s: that of %s is from %s to %s: make another certificate", ErrValidity,
				begin.Format(time.DateOnly), c.Subject, c.NotBefore.UTC().Format(time.DateOnly), c.NotAfter.UTC().Format(time.DateOnly))
		}
	}
	return nil
}

// Sign returns the executable with one more signature. It does not return one that the signer's
// certificate does not verify.
func (s *Signing) Sign(ctx context.Context, f *pe.File) (*pe.File, error) {
	signer := s.Certificates[0]
	switch signer.PublicKey.(type) {
	case *rsa.PublicKey, *ecdsa.PublicKey:
	default:
		return nil, errKeyType
	}
	table, err := s.checkTable(f)
	if err != nil {
		return nil, err
	}
	h := sha256.hash.New()
	if err := f.DigestToSign(h); err != nil {
		return nil, err
	}
	content, err := newContent(h.Sum(nil))
	if err != nil {
		return nil, err
	}
	attributes, err := newAttributes(content)
	if err != nil {
		return nil, err
	}
	hash, err := signature.ParseHash("sha256")
	if err != nil {
		return nil, err
	}
	bits, err := s.Signer.Sign(ctx, hash, sha256.sum(attributes))
	if err != nil {
		return nil, err
	}
	if err := verifyBits(signer, sha256, attributes, bits); err != nil {
		return nil, fmt.Errorf("%w: name the certificate that was made for this key", err)
	}
	message, err := newMessage(content, attributes, bits, s.Certificates)
	if err != nil {
		return nil, err
	}
	signed, err := f.WithCertificates(append(table, pe.Certificate{Revision: pe.CertificateRevision, Type: pe.CertificatePKCS7, Data: message}))
	if err != nil {
		return nil, err
	}
	return signed, Verify(signed, s.Certificates[:1])
}

// checkTable returns the certificate table of an executable, which may be signed with other
// certificates.
func (s *Signing) checkTable(f *pe.File) ([]pe.Certificate, error) {
	table, err := f.Certificates()
	if err != nil {
		return nil, err
	}
	switch err := Verify(f, s.Certificates[:1]); {
	case err == nil:
		return nil, ErrSigned
	case errors.Is(err, ErrUnsigned), errors.Is(err, ErrUntrusted):
		return table, nil
	default:
		return nil, err
	}
}

// Verify returns an error unless an executable has a signature by the key of one of these certificates,
// or by a key whose certificate one of them verifies. All signatures must be of this executable.
// When certificates are valid does not matter, as it does not to firmware.
func Verify(f *pe.File, trusted []*x509.Certificate) error {
	table, err := f.Certificates()
	if err != nil {
		return err
	}
	found, signatures := false, 0
	for _, entry := range table {
		if entry.Type != pe.CertificatePKCS7 {
			continue
		}
		signatures++
		m, err := readMessage(entry.Data)
		if err != nil {
			return err
		}
		h := m.content.algorithm.hash.New()
		if err := f.Digest(h); err != nil {
			return err
		}
		if !bytes.Equal(h.Sum(nil), m.content.digest) {
			return ErrChanged
		}
		ok, err := m.isBy(trusted)
		if err != nil {
			return err
		}
		found = found || ok
	}
	switch {
	case signatures == 0:
		return ErrUnsigned
	case !found:
		return ErrUntrusted
	}
	return nil
}

// message is what a signature says.
type message struct {
	content struct {
		algorithm digestAlgorithm
		digest    []byte
	}
	certificates []*x509.Certificate
	signer       issuerAndSerial
	algorithm    digestAlgorithm
	signed       []byte // what the signature is of
	bits         []byte
}

// readMessage reads a message, which zeros may follow.
func readMessage(data []byte) (*message, error) {
	var info contentInfo
	rest, err := asn1.Unmarshal(data, &info)
	switch signed := info.Content; {
	case err != nil:
		return nil, fmt.Errorf("%w: not a message of PKCS #7", ErrDamaged)
	case len(bytes.Trim(rest, "\x00")) > 0:
		return nil, fmt.Errorf("%w: %d bytes follow its message", ErrDamaged, len(rest))
	case !info.Type.Equal(oidSignedData), !signed.Content.Type.Equal(oidIndirectData):
		return nil, fmt.Errorf("%w: its message is not that of Authenticode", ErrDamaged)
	case len(signed.Signers) != 1:
		return nil, fmt.Errorf("%w: %d signers", ErrDamaged, len(signed.Signers))
	}
	m := &message{signer: info.Content.Signers[0].Signer, bits: info.Content.Signers[0].Signature}
	if err := m.readContent(info.Content.Content.Content); err != nil {
		return nil, err
	}
	if raw := info.Content.Certificates.Bytes; len(raw) > 0 {
		if m.certificates, err = x509.ParseCertificates(raw); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
		}
	}
	return m, m.readSigner(info.Content.Signers[0], info.Content.Content.Content)
}

func (m *message) readContent(content asn1.RawValue) error {
	var data indirectData
	rest, err := asn1.Unmarshal(content.Bytes, &data)
	if err != nil || len(rest) > 0 {
		return fmt.Errorf("%w: its content is not that of Authenticode", ErrDamaged)
	}
	m.content.digest = data.Digest.Digest
	m.content.algorithm, err = findAlgorithm(data.Digest.Algorithm.Algorithm)
	return err
}

// readSigner reads what the signer has signed, and finds whether it is the content.
func (m *message) readSigner(signer signerInfo, content asn1.RawValue) (err error) {
	if m.algorithm, err = findAlgorithm(signer.Hash.Algorithm); err != nil {
		return err
	}
	inner, err := innerBytes(content.Bytes)
	if err != nil {
		return err
	}
	if len(signer.Attributes.FullBytes) == 0 {
		m.signed = inner
		return nil
	}
	// The signature is of the attributes as a set.
	m.signed = bytes.Clone(signer.Attributes.FullBytes)
	m.signed[0] = tagSet
	var attributes []attribute
	if rest, err := asn1.UnmarshalWithParams(m.signed, &attributes, "set"); err != nil || len(rest) > 0 {
		return fmt.Errorf("%w: its attributes cannot be read", ErrDamaged)
	}
	var digests, types int
	for _, a := range attributes {
		if len(a.Values) != 1 {
			continue
		}
		switch value := a.Values[0]; {
		case a.Type.Equal(oidMessageDigest) && bytes.Equal(value.Bytes, m.algorithm.sum(inner)):
			digests++
		case a.Type.Equal(oidContentType):
			var oid asn1.ObjectIdentifier
			if _, err := asn1.Unmarshal(value.FullBytes, &oid); err == nil && oid.Equal(oidIndirectData) {
				types++
			}
		}
	}
	if digests != 1 || types != 1 {
		return fmt.Errorf("%w: its attributes are of another content", ErrDamaged)
	}
	return nil
}

// maxChain is how many certificates are between the signer's and a trusted one at most.
const maxChain = 8

// isBy reports whether the signature is by the key of a trusted certificate, or by a key whose certificate
// leads to one. It returns an error for a signature that is not by the key that it names.
func (m *message) isBy(trusted []*x509.Certificate) (bool, error) {
	var signer *x509.Certificate
	for _, c := range append(m.certificates[:len(m.certificates):len(m.certificates)], trusted...) {
		if bytes.Equal(c.RawIssuer, m.signer.Issuer.FullBytes) && m.signer.Serial.Cmp(c.SerialNumber) == 0 {
			signer = c
			break
		}
	}
	if signer == nil {
		return false, nil
	}
	if err := verifyBits(signer, m.algorithm, m.signed, m.bits); err != nil {
		return false, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	for range maxChain {
		var issuer *x509.Certificate
		for _, c := range trusted {
			if c.Equal(signer) || verifies(c, signer) {
				return true, nil
			}
		}
		for _, c := range m.certificates {
			if !c.Equal(signer) && verifies(c, signer) {
				issuer = c
			}
		}
		if issuer == nil {
			return false, nil
		}
		signer = issuer
	}
	return false, nil
}

// verifies reports whether the key of issuer has signed a certificate.
func verifies(issuer, c *x509.Certificate) bool {
	return bytes.Equal(issuer.RawSubject, c.RawIssuer) && c.CheckSignatureFrom(issuer) == nil
}

// verifyBits returns an error unless a signature of data is by the key of a certificate.
func verifyBits(c *x509.Certificate, a digestAlgorithm, data, bits []byte) error {
	scheme := a.rsa
	if _, ok := c.PublicKey.(*ecdsa.PublicKey); ok {
		scheme = a.ecdsa
	}
	if err := c.CheckSignature(scheme, data, bits); err != nil {
		return fmt.Errorf("%w: %w", signature.ErrMismatch, err)
	}
	return nil
}
