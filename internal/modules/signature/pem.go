package signature

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// Errors of certificates and keys. No error has anything of a private key in it.
var (
	// ErrCertificate reports a file that has not the certificates that it should have.
	ErrCertificate = errors.New("not a certificate")
	// ErrKey reports a file that is not a private key that can be used.
	ErrKey = errors.New("not a private key")
	// ErrMismatch reports a signature that is not by the key of the certificate.
	ErrMismatch = errors.New("the signature is not by the key of the certificate")
)

// ReadCertificate reads a file that has one certificate, in PEM or DER.
func ReadCertificate(name string) (*x509.Certificate, error) {
	all, err := ReadCertificates(name)
	if err == nil && len(all) != 1 {
		err = fmt.Errorf("%s: %w alone: it has %d: name a file with the signer's", name, ErrCertificate, len(all))
	}
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

// ReadCertificates reads a file that has one or more certificates in PEM, or one in DER.
func ReadCertificates(name string) ([]*x509.Certificate, error) {
	data, err := readFile(name)
	if err != nil {
		return nil, err
	}
	all, err := parseCertificates(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return all, nil
}

// readFile reads a small file.
func readFile(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxIdentity+1))
	if err == nil && len(data) > maxIdentity {
		err = fmt.Errorf("%s: it has more than %d KiB, which keys and certificates do not have", name, maxIdentity>>10)
	}
	return data, err
}

const privateKey = "PRIVATE KEY" // ends the type of a PEM block

func parseCertificates(data []byte) ([]*x509.Certificate, error) {
	// DER begins with the tag of a sequence, and PEM is text.
	if bytes.HasPrefix(data, []byte{0x30}) {
		certificate, err := parseCertificate(data)
		return []*x509.Certificate{certificate}, err
	}
	var all []*x509.Certificate
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		switch {
		case strings.HasSuffix(block.Type, privateKey):
			return nil, fmt.Errorf("%w: it has a private key: name a file that has the certificate alone, so that no other action has the key", ErrCertificate)
		case block.Type == "CERTIFICATE":
			certificate, err := parseCertificate(block.Bytes)
			if err != nil {
				return nil, err
			}
			all = append(all, certificate)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%w: want an X.509 certificate in PEM or DER", ErrCertificate)
	}
	return all, nil
}

func parseCertificate(der []byte) (*x509.Certificate, error) {
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCertificate, err)
	}
	return certificate, nil
}

// PEM returns certificates as PEM, and nothing else of the files that they are from.
func PEM(certificates []*x509.Certificate) []byte {
	var out bytes.Buffer
	for _, certificate := range certificates {
		pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})
	}
	return out.Bytes()
}

// ReadKey reads a file that has a private key in PEM: PKCS#8, PKCS#1 or SEC 1. It may have a
// certificate besides, as certs/signing_key.pem of kernels has.
func ReadKey(name string) (Signer, error) {
	data, err := readFile(name)
	if err != nil {
		return nil, err
	}
	key, err := parseKey(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return Key{key}, nil
}

func parseKey(data []byte) (crypto.Signer, error) {
	var block *pem.Block
	for block == nil || !strings.HasSuffix(block.Type, privateKey) {
		if block, data = pem.Decode(data); block == nil {
			return nil, fmt.Errorf("%w: want one in PEM, without a password", ErrKey)
		}
	}
	var key any
	var err error
	switch {
	case block.Type == "ENCRYPTED PRIVATE KEY", block.Headers["DEK-Info"] != "":
		return nil, fmt.Errorf("%w without a password: use a signer program, which can ask for one", ErrKey)
	case block.Type == "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case block.Type == "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case block.Type == "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		return nil, fmt.Errorf("%w of a supported kind: want RSA or ECDSA", ErrKey)
	}
	if err != nil {
		// The error of a parser could quote what it has read.
		return nil, fmt.Errorf("%w: it is damaged, or of an unknown kind", ErrKey)
	}
	switch key := key.(type) {
	case *rsa.PrivateKey:
		return key, nil
	case *ecdsa.PrivateKey:
		return key, nil
	}
	return nil, fmt.Errorf("%w of a supported kind: want RSA or ECDSA", ErrKey)
}
