package authenticode

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	_ "crypto/sha256" // registers the hash, as the other does
	_ "crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
)

var (
	oidSignedData    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidContentType   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}
	oidMessageDigest = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
	oidRSAEncryption = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
	oidIndirectData  = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 2, 1, 4}
	oidImageData     = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 2, 1, 15}
)

// A digestAlgorithm is a hash that signatures are made with.
type digestAlgorithm struct {
	hash       crypto.Hash
	oid        asn1.ObjectIdentifier
	rsa, ecdsa x509.SignatureAlgorithm
	ecdsaOID   asn1.ObjectIdentifier
}

var digestAlgorithms = []digestAlgorithm{
	{crypto.SHA256, asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}, x509.SHA256WithRSA, x509.ECDSAWithSHA256, asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}},
	{crypto.SHA384, asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 2}, x509.SHA384WithRSA, x509.ECDSAWithSHA384, asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 3}},
	{crypto.SHA512, asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 3}, x509.SHA512WithRSA, x509.ECDSAWithSHA512, asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 4}},
}

// sha256 is what this package signs with: all firmware knows it.
var sha256 = digestAlgorithms[0]

func findAlgorithm(oid asn1.ObjectIdentifier) (digestAlgorithm, error) {
	for _, a := range digestAlgorithms {
		if a.oid.Equal(oid) {
			return a, nil
		}
	}
	return digestAlgorithm{}, fmt.Errorf("%w: unknown hash %v", ErrDamaged, oid)
}

func (a digestAlgorithm) identifier() pkix.AlgorithmIdentifier {
	return pkix.AlgorithmIdentifier{Algorithm: a.oid, Parameters: asn1.NullRawValue}
}

func (a digestAlgorithm) sum(data []byte) []byte {
	h := a.hash.New()
	h.Write(data)
	return h.Sum(nil)
}

// The parts of a message (RFC 2315), whose content is Authenticode's.
type (
	contentInfo struct {
		Type    asn1.ObjectIdentifier
		Content signedData `asn1:"explicit,tag:0"`
	}
	signedData struct {
		Version      int
		Hashes       []pkix.AlgorithmIdentifier `asn1:"set"`
		Content      indirectContent
		Certificates asn1.RawValue `asn1:"optional,tag:0"`
		Lists        asn1.RawValue `asn1:"optional,tag:1"` // of revoked certificates
		Signers      []signerInfo  `asn1:"set"`
	}
	indirectContent struct {
		Type    asn1.ObjectIdentifier
		Content asn1.RawValue `asn1:"explicit,tag:0"`
	}
	// indirectData is SpcIndirectDataContent.
	indirectData struct {
		Data struct {
			Type  asn1.ObjectIdentifier
			Value asn1.RawValue `asn1:"optional"`
		}
		Digest struct {
			Algorithm pkix.AlgorithmIdentifier
			Digest    []byte
		}
	}
	signerInfo struct {
		Version    int
		Signer     issuerAndSerial
		Hash       pkix.AlgorithmIdentifier
		Attributes asn1.RawValue `asn1:"optional,tag:0"`
		Scheme     pkix.AlgorithmIdentifier
		Signature  []byte
		Unsigned   asn1.RawValue `asn1:"optional,tag:1"` // attributes that are not signed
	}
	issuerAndSerial struct {
		Issuer asn1.RawValue
		Serial *big.Int
	}
	attribute struct {
		Type   asn1.ObjectIdentifier
		Values []asn1.RawValue `asn1:"set"`
	}
)

// imageData is the value of indirectData.Data that all signers write: SpcPeImageData without flags,
// whose file is the text "<<<Obsolete>>>".
var imageData = []byte("\x30\x25\x03\x01\x00\xa0\x20\xa2\x1e\x80\x1c\x00<\x00<\x00<\x00O\x00b\x00s\x00o\x00l\x00e\x00t\x00e\x00>\x00>\x00>")

// newContent returns what is signed for an executable with this digest.
func newContent(digest []byte) ([]byte, error) {
	var data indirectData
	data.Data.Type, data.Data.Value = oidImageData, asn1.RawValue{FullBytes: imageData}
	data.Digest.Algorithm, data.Digest.Digest = sha256.identifier(), digest
	return asn1.Marshal(data)
}

// Tags of ASN.1.
const (
	tagSet      = 0x31
	tagImplicit = 0xa0 // [0], constructed
)

// newAttributes returns the signed attributes, as a set. They have no time: the same
// executable gets the same signature.
func newAttributes(content []byte) ([]byte, error) {
	inner, err := innerBytes(content)
	if err != nil {
		return nil, err
	}
	contentType, err := asn1.Marshal(oidIndirectData)
	if err != nil {
		return nil, err
	}
	digest, err := asn1.Marshal(sha256.sum(inner))
	if err != nil {
		return nil, err
	}
	return asn1.MarshalWithParams([]attribute{
		{oidContentType, []asn1.RawValue{{FullBytes: contentType}}},
		{oidMessageDigest, []asn1.RawValue{{FullBytes: digest}}},
	}, "set")
}

// innerBytes returns what a value has after its tag and length, which is what digests are of.
func innerBytes(der []byte) ([]byte, error) {
	var value asn1.RawValue
	if rest, err := asn1.Unmarshal(der, &value); err != nil || len(rest) > 0 {
		return nil, fmt.Errorf("%w: its content is not a value of ASN.1", ErrDamaged)
	}
	return value.Bytes, nil
}

// newMessage returns the message of a signature of attributes.
func newMessage(content, attributes, signature []byte, certificates []*x509.Certificate) ([]byte, error) {
	scheme := pkix.AlgorithmIdentifier{Algorithm: oidRSAEncryption, Parameters: asn1.NullRawValue}
	switch certificates[0].PublicKey.(type) {
	case *rsa.PublicKey:
	case *ecdsa.PublicKey:
		scheme = pkix.AlgorithmIdentifier{Algorithm: sha256.ecdsaOID}
	default:
		return nil, errKeyType
	}
	// The tag of a set becomes the one that the structure has.
	implicit := bytes.Clone(attributes)
	implicit[0] = tagImplicit
	var raw []byte
	for _, c := range certificates {
		raw = append(raw, c.Raw...)
	}
	// The encoder does not look at the tags of fields that are raw values.
	tagged := func(der []byte) asn1.RawValue {
		return asn1.RawValue{Class: asn1.ClassContextSpecific, IsCompound: true, Bytes: der}
	}
	return asn1.Marshal(contentInfo{oidSignedData, signedData{
		Version:      1,
		Hashes:       []pkix.AlgorithmIdentifier{sha256.identifier()},
		Content:      indirectContent{oidIndirectData, tagged(content)},
		Certificates: tagged(raw),
		Signers: []signerInfo{{
			Version:    1,
			Signer:     issuerAndSerial{asn1.RawValue{FullBytes: certificates[0].RawIssuer}, certificates[0].SerialNumber},
			Hash:       sha256.identifier(),
			Attributes: asn1.RawValue{FullBytes: implicit},
			Scheme:     scheme,
			Signature:  signature,
		}},
	}})
}
