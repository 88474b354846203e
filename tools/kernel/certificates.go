package main

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"

	"github.com/rules-initramfs/rules_initramfs/internal/kbuild/config"
	"github.com/rules-initramfs/rules_initramfs/internal/modules/signature"
)

// certificates are the certificates that a kernel is compiled with.
type certificates struct {
	module  string   // a file
	trusted []string // files

	paths config.Certificates
	files []certificateFile
}

// certificateFile is a file of the build directory.
type certificateFile struct {
	path    string
	content []*x509.Certificate
	origin  []string // the file that each is from
}

func (c *certificates) addOptions(flags *pflag.FlagSet) {
	flags.StringVar(&c.module, "module-certificate", "", "Compile the certificate in `FILE`, in PEM or DER, into the kernel, and trust modules that are signed with its key")
	flags.StringArrayVar(&c.trusted, "trusted-certificates", nil, "Compile the certificates in `FILE` into the kernel as trusted ones; may be repeated")
}

// read reads the certificates, and checks that no fragment sets the options that they decide.
func (c *certificates) read(fragments []config.Assignment) error {
	if c.module != "" {
		certificate, err := signature.ReadCertificate(c.module)
		if err != nil {
			return err
		}
		c.paths.Module = "certs/module_certificate.pem"
		c.files = append(c.files, certificateFile{c.paths.Module, []*x509.Certificate{certificate}, []string{c.module}})
	}
	if len(c.trusted) > 0 {
		c.paths.Trusted = "certs/trusted_certificates.pem"
		file := certificateFile{path: c.paths.Trusted}
		for _, name := range c.trusted {
			all, err := signature.ReadCertificates(name)
			if err != nil {
				return err
			}
			for _, certificate := range all {
				file.content = append(file.content, certificate)
				file.origin = append(file.origin, name)
			}
		}
		c.files = append(c.files, file)
	}
	return c.paths.CheckFragments(fragments)
}

// write writes the certificates into the build directory.
func (c *certificates) write(dir string) error {
	for _, file := range c.files {
		name := filepath.Join(dir, file.path)
		err := os.MkdirAll(filepath.Dir(name), 0o755)
		if err == nil {
			err = os.WriteFile(name, signature.PEM(file.content), 0o644)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// check returns an error unless a kernel with these values trusts the certificates.
func (c *certificates) check(values config.Values) error {
	errs := []error{c.paths.Check(values)}
	for _, file := range c.files {
		for i, certificate := range file.content {
			name := algorithm(certificate)
			if name == "" {
				continue
			}
			if err := config.CheckAlgorithm(values, name); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", file.origin[i], err))
			}
		}
	}
	return errors.Join(errs...)
}

// algorithm returns the name of the algorithm of a certificate's key, as Kconfig has it, or "" for
// one that Go does not know, such as ML-DSA.
func algorithm(certificate *x509.Certificate) string {
	switch certificate.PublicKey.(type) {
	case *rsa.PublicKey:
		return "RSA"
	case *ecdsa.PublicKey:
		return "ECDSA"
	}
	return ""
}
