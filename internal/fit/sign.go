package fit

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/fdt"
	"github.com/rules-initramfs/rules_initramfs/internal/modules/signature"
)

// Signing is how configurations are signed.
type Signing struct {
	Signer      signature.Signer
	Certificate *x509.Certificate
	Hash        signature.Hash
	// KeyName is the name of the key: U-Boot's own device tree has it as /signature/key-NAME.
	KeyName string
	// Timestamp is in seconds since 1970.
	Timestamp uint32
	// Configurations are the names of those to sign; all if there are none.
	Configurations []string
}

// signingHashes are those of checksum_algos in boot/image-sig.c, without SHA-1.
var signingHashes = []string{"sha256", "sha384", "sha512"}

// SigningHashes returns the names of the hashes that U-Boot has for signatures.
func SigningHashes() []string { return slices.Clone(signingHashes) }

// ParseSigningHash returns one of SigningHashes.
func ParseSigningHash(name string) (signature.Hash, error) {
	if !slices.Contains(signingHashes, name) {
		return signature.Hash{}, fmt.Errorf("unknown hash %q: want one of %s", name, strings.Join(signingHashes, ", "))
	}
	return signature.ParseHash(name)
}

// signerName and signerVersion are for people.
const (
	signerName    = "rules_initramfs"
	signerVersion = "1"
)

// ErrSigned reports a configuration that is signed already.
var ErrSigned = errors.New("it is signed already")

// signatureNode is the name of the node of a signature.
const signatureNode = signaturePrefix + "-1"

// Sign signs configurations. A configuration may have a node for the signature, without a value; else
// it gets one. Each signature is verified with the certificate.
func (i *Image) Sign(ctx context.Context, s *Signing) error {
	algorithm, err := keyAlgorithm(s.Certificate.PublicKey)
	if err != nil {
		return err
	}
	if err := CheckName(s.KeyName); err != nil {
		return fmt.Errorf("name of the key: %w", err)
	}
	chosen, err := i.chosen(s.Configurations)
	if err != nil {
		return err
	}
	for _, c := range chosen {
		if err := i.addSignatureNode(c, s, s.Hash.Name+","+algorithm); err != nil {
			return fmt.Errorf("configuration %s: %w", c.Name, err)
		}
	}
	for _, c := range chosen {
		if err := i.signConfiguration(ctx, c, s); err != nil {
			return fmt.Errorf("configuration %s: %w", c.Name, err)
		}
	}
	// The properties of a later signature could have moved what an earlier one is over.
	for _, c := range chosen {
		if err := i.VerifySignature(c, s.Certificate.PublicKey); err != nil {
			return fmt.Errorf("configuration %s: %w", c.Name, err)
		}
	}
	return nil
}

// chosen returns the configurations with names, or all.
func (i *Image) chosen(names []string) ([]*fdt.Node, error) {
	all := i.Configurations()
	if len(all) == 0 {
		return nil, fmt.Errorf("%w that can be signed: it has no configurations", ErrNotFIT)
	}
	if len(names) == 0 {
		return all, nil
	}
	var chosen []*fdt.Node
	for _, name := range names {
		n := slices.IndexFunc(all, func(c *fdt.Node) bool { return c.Name == name })
		if n < 0 {
			return nil, fmt.Errorf("the image has no configuration %q", name)
		}
		chosen = append(chosen, all[n])
	}
	return chosen, nil
}

// signedImages are the properties of a configuration whose images are signed: all that boot.
func signedImages(c *fdt.Node) []string {
	var names []string
	for _, name := range []string{"kernel", "ramdisk", "fdt", "setup", "loadables", "firmware", "script", "fpga"} {
		if _, ok := c.Property(name); ok {
			names = append(names, name)
		}
	}
	return names
}

func (i *Image) addSignatureNode(c *fdt.Node, s *Signing, algorithm string) error {
	node := unsigned(c)
	switch {
	case node == nil && slices.ContainsFunc(c.Children, isSignature):
		return fmt.Errorf("%w: sign the image without signatures", ErrSigned)
	case node == nil:
		node = c.Append(signatureNode)
		node.Add(algorithmProperty, fdt.Text(algorithm))
		node.Add(keyNameProperty, fdt.Text(s.KeyName))
		node.Add(signImagesProperty, fdt.Text(signedImages(c)...))
		return i.Tree.AddStrings()
	case text(node, algorithmProperty) != algorithm:
		return fmt.Errorf("its node %s is for the algorithm %q, and the key is for %q", node.Name, text(node, algorithmProperty), algorithm)
	case text(node, keyNameProperty) != s.KeyName:
		return fmt.Errorf("its node %s is for the key %q, and not for %q", node.Name, text(node, keyNameProperty), s.KeyName)
	}
	return nil
}

func isSignature(n *fdt.Node) bool { return strings.HasPrefix(n.Name, signaturePrefix) }

// unsigned returns the node of a configuration for a signature that is to be made, or nil.
func unsigned(c *fdt.Node) *fdt.Node {
	for _, child := range c.Children {
		if _, ok := child.Property(valueProperty); isSignature(child) && !ok {
			return child
		}
	}
	return nil
}

func (i *Image) signConfiguration(ctx context.Context, c *fdt.Node, s *Signing) error {
	node := unsigned(c)
	nodes, err := i.hashedNodes(c, node)
	if err != nil {
		return err
	}
	size := len(i.Tree.Strings)
	hash := s.Hash.HashFunc().New()
	if err := writeRegions(hash, i.Tree, nodes, size); err != nil {
		return err
	}
	digest := hash.Sum(nil)
	value, err := s.Signer.Sign(ctx, s.Hash, digest)
	if err != nil {
		return err
	}
	if value, err = rawSignature(s.Certificate.PublicKey, value); err != nil {
		return err
	}
	if err := checkSignature(s.Certificate.PublicKey, s.Hash.HashFunc(), "", digest, value); err != nil {
		return err
	}
	// The order is that of fit_image_write_sig in tools/image-host.c.
	i.Tree.Set(node, valueProperty, value)
	i.Tree.Set(node, "signer-name", fdt.Text(signerName))
	i.Tree.Set(node, "signer-version", fdt.Text(signerVersion))
	i.Tree.Set(node, timestampProperty, fdt.Words(s.Timestamp))
	i.Tree.Set(node, hashedNodes, fdt.Text(nodes...))
	i.Tree.Set(node, hashedStrings, fdt.Words(0, uint32(size)))
	return nil
}

// hashedNodes returns the paths of the nodes that a signature of a configuration is over.
func (i *Image) hashedNodes(c, node *fdt.Node) ([]string, error) {
	paths := []string{"/", "/" + configurationsNode + "/" + c.Name}
	for _, kind := range node.Strings(signImagesProperty) {
		for _, name := range c.Strings(kind) {
			image := i.Image(name)
			if image == nil {
				return nil, fmt.Errorf("its %s is %q, which the image does not have", kind, name)
			}
			path := "/" + imagesNode + "/" + name
			paths = append(paths, path)
			strong := false
			for _, child := range image.Children {
				if strings.HasPrefix(child.Name, hashPrefix) {
					paths = append(paths, path+"/"+child.Name)
					strong = strong || !isWeak(text(child, algorithmProperty))
				}
			}
			if !strong {
				return nil, fmt.Errorf("the image %s has no strong hash, so that a signature says nothing about it: use sha256", name)
			}
			if image.Child("cipher") != nil {
				paths = append(paths, path+"/cipher")
			}
		}
	}
	if len(paths) == 2 {
		return nil, errors.New("it has no images that can be signed")
	}
	return paths, nil
}

// keyAlgorithm returns the name of a key's algorithm (crypto_algos in tools/image-sig-host.c).
func keyAlgorithm(key crypto.PublicKey) (string, error) {
	switch key := key.(type) {
	case *rsa.PublicKey:
		switch bits := key.N.BitLen(); bits {
		case 2048, 3072, 4096:
			return fmt.Sprintf("rsa%d", bits), nil
		default:
			return "", fmt.Errorf("the RSA key of the certificate has %d bits, and U-Boot verifies those of 2048, 3072 and 4096: use another key", bits)
		}
	case *ecdsa.PublicKey:
		switch bits := key.Params().BitSize; bits {
		case 256, 384:
			return fmt.Sprintf("ecdsa%d", bits), nil
		default:
			return "", fmt.Errorf("the key of the certificate is on a curve of %d bits, and U-Boot verifies those on P-256 and P-384: use another key", bits)
		}
	}
	return "", errors.New("U-Boot verifies signatures by RSA and ECDSA keys: use another key")
}

// rawSignature returns a signature as U-Boot has it: of ECDSA, the two numbers without DER.
func rawSignature(key crypto.PublicKey, value []byte) ([]byte, error) {
	curve, ok := key.(*ecdsa.PublicKey)
	if !ok {
		return value, nil
	}
	var numbers struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(value, &numbers); err != nil || len(rest) > 0 {
		return nil, fmt.Errorf("%w: the signer's output is not DER of two numbers", signature.ErrMismatch)
	}
	size := (curve.Params().BitSize + 7) / 8
	if numbers.R.Sign() < 0 || numbers.S.Sign() < 0 || numbers.R.BitLen() > size*8 || numbers.S.BitLen() > size*8 {
		return nil, fmt.Errorf("%w: its numbers are too large for the key", signature.ErrMismatch)
	}
	raw := make([]byte, 2*size)
	numbers.R.FillBytes(raw[:size])
	numbers.S.FillBytes(raw[size:])
	return raw, nil
}
