package fit

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/binary"
	"fmt"
	"math/big"

	"github.com/rules-initramfs/rules_initramfs/internal/fdt"
	"github.com/rules-initramfs/rules_initramfs/internal/modules/signature"
)

// AddKey adds a public key to U-Boot's own device tree, its control device tree. U-Boot then boots only
// configurations that are signed by the key. The properties are those of mkimage -K -r.
func AddKey(control *fdt.Tree, name string, hash signature.Hash, public crypto.PublicKey) error {
	if err := CheckName(name); err != nil {
		return fmt.Errorf("name of the key: %w", err)
	}
	algorithm, err := keyAlgorithm(public)
	if err != nil {
		return err
	}
	keys := control.Root.Child(keysNode)
	if keys == nil {
		keys = control.Root.AddChild(keysNode)
	}
	nodeName := "key-" + name
	if _, isECDSA := public.(*ecdsa.PublicKey); isECDSA {
		nodeName = name // do_add of lib/ecdsa/ecdsa-libcrypto.c
	}
	if keys.Child(nodeName) != nil {
		return fmt.Errorf("the device tree has a key /%s/%s already: give the key another name", keysNode, nodeName)
	}
	node := keys.AddChild(nodeName)
	set := func(name string, value []byte) { control.Set(node, name, value) }
	set(keyNameProperty, fdt.Text(name))
	switch key := public.(type) {
	case *rsa.PublicKey:
		setRSA(set, key)
	case *ecdsa.PublicKey:
		bits := key.Params().BitSize
		point, err := key.Bytes()
		if err != nil {
			return err
		}
		size := bits / 8
		x, y := point[1:1+size], point[1+size:]
		// OBJ_nid2sn of OpenSSL.
		set("ecdsa,curve", fdt.Text(map[int]string{256: "prime256v1", 384: "secp384r1"}[bits]))
		set("ecdsa,x-point", number(new(big.Int).SetBytes(x), bits))
		set("ecdsa,y-point", number(new(big.Int).SetBytes(y), bits))
	}
	set(algorithmProperty, fdt.Text(hash.Name+","+algorithm))
	set("required", fdt.Text("conf"))
	return nil
}

// setRSA sets the numbers of a key with which U-Boot verifies without a division (rsa_get_params of
// lib/rsa/rsa-sign.c).
func setRSA(set func(string, []byte), key *rsa.PublicKey) {
	bits := key.N.BitLen()
	word := new(big.Int).Lsh(big.NewInt(1), 32)
	inverse := new(big.Int).ModInverse(key.N, word)
	inverse.Sub(word, inverse)
	squared := new(big.Int).Lsh(big.NewInt(1), uint(2*bits))
	squared.Mod(squared, key.N)
	set("rsa,num-bits", fdt.Words(uint32(bits)))
	set("rsa,n0-inverse", fdt.Words(uint32(inverse.Uint64())))
	set("rsa,exponent", binary.BigEndian.AppendUint64(nil, uint64(key.E)))
	set("rsa,modulus", number(key.N, bits))
	set("rsa,r-squared", number(squared, bits))
}

// number returns a number of this many bits as U-Boot has it: in words, the most significant first.
func number(n *big.Int, bits int) []byte { return n.FillBytes(make([]byte, bits/8)) }

// SetBoot sets how U-Boot boots by itself: after how many seconds, and, unless it is empty, with what
// command (/config in doc/README.fdt-control and common/autoboot.c).
func SetBoot(control *fdt.Tree, delay *int32, command string) {
	config := control.Root.Child("config")
	if config == nil {
		config = control.Root.AddChild("config")
	}
	if delay != nil {
		control.Set(config, "bootdelay", fdt.Words(uint32(*delay)))
	}
	if command != "" {
		control.Set(config, "bootcmd", fdt.Text(command))
	}
}
