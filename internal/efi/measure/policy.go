package measure

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/rules-initramfs/rules_initramfs/internal/efi/pe"
	"github.com/rules-initramfs/rules_initramfs/internal/modules/signature"
)

// Errors of signed policies.
var (
	// ErrPolicyKey reports a key that systemd cannot use.
	ErrPolicyKey = errors.New("not an RSA key, which systemd needs for signed PCR policies")
	// ErrPublicKey reports a file that has no public key.
	ErrPublicKey = errors.New("not a public key: want one in PEM")
)

// ParsePublicKey reads a public key in PEM, as .pcrpkey has it.
func ParsePublicKey(data []byte) (crypto.PublicKey, error) {
	block, _ := pem.Decode(data)
	if block == nil || block.Type != "PUBLIC KEY" {
		return nil, ErrPublicKey
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPublicKey, err)
	}
	return key, nil
}

// policySignature is a signed policy as systemd reads it (tpm2_load_pcr_signature in
// src/shared/tpm2-util.c of systemd).
type policySignature struct {
	PCRs        []int  `json:"pcrs"`
	Fingerprint string `json:"pkfp"`
	Policy      string `json:"pol"`
	Signature   []byte `json:"sig"`
}

// SignPolicies returns what .pcrsig has: for each bank and phase of a prediction, a signature of the
// policy that PCR 11 has the predicted value, by an RSA key. It does not return one that the public
// key does not verify.
func SignPolicies(ctx context.Context, p *Prediction, signer signature.Signer, public crypto.PublicKey) ([]byte, error) {
	key, ok := public.(*rsa.PublicKey)
	if !ok {
		return nil, ErrPolicyKey
	}
	fingerprint := sha256.Sum256(x509.MarshalPKCS1PublicKey(key))
	// systemd takes SHA-256 for policies and signatures, whatever the bank is.
	hash, err := signature.ParseHash("sha256")
	if err != nil {
		return nil, err
	}
	var all ordered[[]policySignature]
	for i, bank := range p.Banks {
		var signed []policySignature
		for _, phase := range p.Phases {
			policy := policyPCR(bank, pcrImage, phase.Digests[i])
			digest := sha256.Sum256(policy)
			sig, err := signer.Sign(ctx, hash, digest[:])
			if err != nil {
				return nil, err
			}
			if err := rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], sig); err != nil {
				return nil, fmt.Errorf("%w: name the public key that was made with this key", signature.ErrMismatch)
			}
			signed = append(signed, policySignature{[]int{pcrImage}, hex.EncodeToString(fingerprint[:]), hex.EncodeToString(policy), sig})
		}
		all.add(bank.Name, signed)
	}
	text, err := marshal(all)
	return append(text, '\n'), err
}

// policyPCR returns the digest of a policy that a PCR has a value (TPM2_PolicyPCR, chapter 23.7 of
// "TPM 2.0 Library", part 3).
func policyPCR(bank Bank, pcr int, value []byte) []byte {
	const (
		commandPolicyPCR = 0x0000017f
		selectSize       = 3 // bytes, a bit for each of 24 PCRs
	)
	h := sha256.New()
	h.Write(make([]byte, sha256.Size)) // the policy so far
	b := binary.BigEndian.AppendUint32(nil, commandPolicyPCR)
	b = binary.BigEndian.AppendUint32(b, 1) // banks
	b = binary.BigEndian.AppendUint16(b, bank.ID)
	selected := make([]byte, selectSize)
	selected[pcr/8] = 1 << (pcr % 8)
	h.Write(append(append(b, selectSize), selected...))
	values := sha256.Sum256(value)
	h.Write(values[:])
	return h.Sum(nil)
}

// CheckPolicyKey returns an error if a unified kernel image says that its policies are signed by
// another key.
func CheckPolicyKey(file *pe.File, profile int, public crypto.PublicKey) error {
	sections, err := locate(file, profile, "")
	if err != nil {
		return err
	}
	s := sections[sectionPCRKey]
	if s == nil {
		return nil
	}
	data, err := readSection(s, maxExtra)
	if err != nil {
		return err
	}
	key, err := ParsePublicKey(bytes.TrimRight(data, "\x00"))
	if err != nil {
		return fmt.Errorf("section %s: %w", s.Name, err)
	}
	if k, ok := key.(interface{ Equal(crypto.PublicKey) bool }); !ok || !k.Equal(public) {
		return fmt.Errorf("section %s has another public key: systemd would not take the signatures", s.Name)
	}
	return nil
}
