package fit

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/fdt"
	"github.com/rules-initramfs/rules_initramfs/internal/modules/signature"
)

// Errors of what does not fit.
var (
	// ErrHash reports an image whose data has another hash.
	ErrHash = errors.New("its data does not have the hash that the FIT image says")
	// ErrUnsigned reports a configuration without a signature by the key.
	ErrUnsigned = errors.New("it has no signature")
)

// VerifyHashes returns an error unless all data is what its hashes say. An image without hashes is an
// error too.
func (i *Image) VerifyHashes() error {
	for _, node := range i.Images() {
		if err := i.verifyHashes(node); err != nil {
			return fmt.Errorf("image %s: %w", node.Name, err)
		}
	}
	return nil
}

func (i *Image) verifyHashes(node *fdt.Node) error {
	content, err := i.Data(node)
	if err != nil {
		return err
	}
	var names []string
	var nodes []*fdt.Node
	for _, child := range node.Children {
		if strings.HasPrefix(child.Name, hashPrefix) {
			name := text(child, algorithmProperty)
			if err := CheckHash(name); err != nil {
				return err
			}
			names, nodes = append(names, name), append(nodes, child)
		}
	}
	if len(nodes) == 0 {
		return fmt.Errorf("%w: it has none", ErrHash)
	}
	if len(nodes) > len(hashes) {
		return fmt.Errorf("%w: it has %d, more than there are kinds", ErrHash, len(nodes))
	}
	values, err := digests(content, names)
	if err != nil {
		return err
	}
	for n, child := range nodes {
		if value, _ := child.Property(valueProperty); !bytes.Equal(value, values[n]) {
			return fmt.Errorf("%w: %s is %x, and the image says %.64x", ErrHash, names[n], values[n], value)
		}
	}
	return nil
}

// VerifySignature returns an error unless a configuration has a signature by a key, over all images
// that it boots. It does not verify the hashes of their data.
func (i *Image) VerifySignature(c *fdt.Node, key crypto.PublicKey) error {
	err := ErrUnsigned
	for _, child := range c.Children {
		if isSignature(child) {
			if err = i.verifySignature(c, child, key); err == nil {
				return nil
			}
			err = fmt.Errorf("%s: %w", child.Name, err)
		}
	}
	return err
}

func (i *Image) verifySignature(c, node *fdt.Node, key crypto.PublicKey) error {
	value, ok := node.Property(valueProperty)
	if !ok {
		return ErrUnsigned
	}
	want, err := keyAlgorithm(key)
	if err != nil {
		return err
	}
	hashName, algorithm, _ := strings.Cut(text(node, algorithmProperty), ",")
	hash, err := ParseSigningHash(hashName)
	if err != nil {
		return err
	}
	if algorithm != want {
		return fmt.Errorf("%w: it is for the algorithm %q, and the key is for %q", signature.ErrMismatch, algorithm, want)
	}
	nodes := node.Strings(hashedNodes)
	if err := i.checkCoverage(c, nodes); err != nil {
		return err
	}
	sizes, _ := node.Property(hashedStrings)
	if len(sizes) != 8 {
		return fmt.Errorf("%w: it has no %s", signature.ErrSignature, hashedStrings)
	}
	size := new(big.Int).SetBytes(sizes[4:]).Uint64()
	if size > uint64(len(i.Tree.Strings)) {
		return fmt.Errorf("%w: it is over %d bytes of names, and there are %d", signature.ErrSignature, size, len(i.Tree.Strings))
	}
	digest := hash.HashFunc().New()
	if err := writeRegions(digest, i.Tree, nodes, int(size)); err != nil {
		return fmt.Errorf("%w: %w", signature.ErrSignature, err)
	}
	return checkSignature(key, hash.HashFunc(), text(node, "padding"), digest.Sum(nil), value)
}

// checkCoverage returns an error unless the hashed nodes are all that a configuration boots.
func (i *Image) checkCoverage(c *fdt.Node, nodes []string) error {
	all := &fdt.Node{Properties: []fdt.Property{{Name: signImagesProperty, Value: fdt.Text(signedImages(c)...)}}}
	want, err := i.hashedNodes(c, all)
	if err != nil {
		return err
	}
	for _, path := range want {
		if !slices.Contains(nodes, path) {
			return fmt.Errorf("%w: it is not over %s: sign the configuration again", signature.ErrSignature, path)
		}
	}
	return nil
}

// checkSignature returns an error unless a signature, as U-Boot has it, is by a key.
func checkSignature(key crypto.PublicKey, hash crypto.Hash, padding string, digest, value []byte) error {
	switch key := key.(type) {
	case *rsa.PublicKey:
		var err error
		if padding == "pss" {
			err = rsa.VerifyPSS(key, hash, digest, value, nil)
		} else {
			err = rsa.VerifyPKCS1v15(key, hash, digest, value)
		}
		if err != nil {
			return fmt.Errorf("%w: name the certificate that was made for this key", signature.ErrMismatch)
		}
		return nil
	case *ecdsa.PublicKey:
		half := len(value) / 2
		if len(value) != 2*((key.Params().BitSize+7)/8) ||
			!ecdsa.Verify(key, digest, new(big.Int).SetBytes(value[:half]), new(big.Int).SetBytes(value[half:])) {
			return fmt.Errorf("%w: name the certificate that was made for this key", signature.ErrMismatch)
		}
		return nil
	}
	return errors.New("U-Boot verifies signatures by RSA and ECDSA keys: use another key")
}
