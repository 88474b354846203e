package config

import (
	"errors"
	"fmt"
	"strings"
)

// Options for signed modules (certs/Kconfig, kernel/module/Kconfig).
const (
	ModuleSigKey      = "CONFIG_MODULE_SIG_KEY"
	SystemTrustedKeys = "CONFIG_SYSTEM_TRUSTED_KEYS"

	moduleSig     = "CONFIG_MODULE_SIG"
	moduleSigAll  = "CONFIG_MODULE_SIG_ALL"
	moduleSigHash = "CONFIG_MODULE_SIG_HASH"
)

// generatedKey is the value of ModuleSigKey with which kbuild makes a new key.
const generatedKey = "certs/signing_key.pem"

// CheckSigning returns an error if a compile with these values would need the private key that
// modules are signed with: kbuild would make one, so that no two compiles are the same, or read one.
func CheckSigning(got Values) error {
	key := strings.Trim(got.Get(ModuleSigKey), `"`)
	switch {
	case key == generatedKey:
		return fmt.Errorf("%s=%q: kbuild would make a new key, and no two builds would be the same: set module_certificate (--module-certificate) to the certificate of a key of yours, or %s=\"\" in a fragment if the kernel shall trust no such key", ModuleSigKey, key, ModuleSigKey)
	case strings.HasPrefix(key, "pkcs11:"):
		return fmt.Errorf("%s: a compile does not ask a token for a key: set module_certificate (--module-certificate) to the certificate, and have kernel_modules sign with a signer program", ModuleSigKey)
	case got.On(moduleSigAll) && key == "":
		return fmt.Errorf("%s signs modules when they are installed, and %s names no key: turn it off in a fragment, and have kernel_modules sign (packer sign-modules)", moduleSigAll, ModuleSigKey)
	}
	return nil
}

// Certificates are the files with certificates that a kernel is compiled with, as paths below the
// source. They are empty if there are none.
type Certificates struct {
	Module  string // of the key that modules are signed with
	Trusted string // more, which are trusted for anything
}

// Assignments returns the values that have the kernel take the certificates. kbuild reads only
// certificates from these files. Without the private key, it cannot sign modules.
func (c Certificates) Assignments() []Assignment {
	var all []Assignment
	if c.Module != "" {
		all = append(all, Assignment{Symbol: ModuleSigKey, Value: quote(c.Module)}, Assignment{Symbol: moduleSigAll, Value: "n"})
	}
	if c.Trusted != "" {
		all = append(all, Assignment{Symbol: SystemTrustedKeys, Value: quote(c.Trusted)})
	}
	return all
}

func quote(path string) string { return `"` + path + `"` }

// CheckFragments returns an error if a fragment sets a value that the certificates decide.
func (c Certificates) CheckFragments(fragments []Assignment) error {
	var errs []error
	for _, own := range c.Assignments() {
		for _, a := range fragments {
			if a.Symbol == own.Symbol && a.Value != own.Value {
				errs = append(errs, fmt.Errorf("%s:%d: %s: leave it out: it follows from the certificates that the kernel is compiled with", a.File, a.Line, a.Symbol))
			}
		}
	}
	return errors.Join(errs...)
}

// Check returns an error unless a kernel with these values takes the certificates.
func (c Certificates) Check(got Values) error {
	var errs []error
	if c.Module != "" && got.Get(ModuleSigKey) != quote(c.Module) {
		errs = append(errs, fmt.Errorf("module certificate: the kernel does not check signatures: set %s=y in a fragment, or leave module_certificate (--module-certificate) out", moduleSig))
	}
	if c.Trusted != "" && got.Get(SystemTrustedKeys) != quote(c.Trusted) {
		errs = append(errs, fmt.Errorf("trusted certificates: the kernel has no place for them: set CONFIG_SYSTEM_TRUSTED_KEYRING=y in a fragment with what it depends on, or %s=y, which selects it", moduleSig))
	}
	return errors.Join(errs...)
}

// CheckAlgorithm returns an error if a kernel with these values cannot verify signatures by keys of
// an algorithm, which is RSA or ECDSA. The kernel would drop the certificate when it boots.
func CheckAlgorithm(got Values, algorithm string) error {
	if option := "CONFIG_CRYPTO_" + algorithm; !got.On(option) {
		return fmt.Errorf("its key is of %s, which the kernel does not verify: set %s=y in a fragment, or use another key", algorithm, option)
	}
	return nil
}

// SignatureHash returns the name of the hash that modules are signed with, such as sha512.
func (v Values) SignatureHash() (string, error) {
	hash := strings.Trim(v.Get(moduleSigHash), `"`)
	if hash == "" || hash == "n" {
		return "", fmt.Errorf("the kernel does not check signatures of modules: %s is off: set %s=y in a fragment of the kernel's configuration, or do not sign", moduleSig, moduleSig)
	}
	return hash, nil
}
