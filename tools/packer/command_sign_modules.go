package main

import (
	"bufio"
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
	"github.com/rules-initramfs/rules_initramfs/internal/codec"
	"github.com/rules-initramfs/rules_initramfs/internal/kbuild/config"
	"github.com/rules-initramfs/rules_initramfs/internal/modules"
	"github.com/rules-initramfs/rules_initramfs/internal/modules/signature"
)

// moduleSigner is what packer sign-modules was asked for.
type moduleSigner struct {
	archive          string
	certificate      string
	signer           signerOptions
	config           string
	hash             signature.Hash
	out, dir, origin string
}

func signModulesCommand() *cobra.Command {
	s := &moduleSigner{}
	cmd := &cobra.Command{
		Use:     "sign-modules --certificate FILE {--key FILE | --signer PROGRAM} {--config FILE | --hash HASH} --out FILE [OPTION...] ARCHIVE",
		GroupID: groupMake,
		Short:   "Sign kernel modules",
		Long: `Sign the modules in ARCHIVE, which packer modules --for-signing has written, compress them,
and write an archive with them. The signatures have the form of the kernel's
scripts/sign-file. Each is verified with the certificate before it is written. The same
RSA or ECDSA key always makes the same signature.

PROGRAM runs once for each module, several at the same time:

    PROGRAM [ARGUMENT...] --hash HASH --certificate FILE

It gets the digest of the module on standard input, and writes the signature to standard
output, both as bytes: PKCS #1 v1.5 with an RSA key, DER with an ECDSA key. It has the
environment of the packer. If its exit code is not 0, its standard error is in the error.

After an error, the exit code is 1 and there are no results. Wrong usage exits with 2.`,
		Example: "packer sign-modules --certificate signing.pem --key signing.key --config .config --out signed.cpio modules.cpio",
		Args:    cli.Args("ARCHIVE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			s.archive = args[0]
			return s.start(cmd)
		},
	}
	cli.Options(cmd, "Signatures", func(flags *pflag.FlagSet) {
		flags.StringVar(&s.certificate, "certificate", "", "Sign with the key of the certificate in `FILE`, in PEM or DER")
		s.signer.add(flags)
		flags.StringVar(&s.config, "config", "", "Read from the .config `FILE` which hash the kernel signs modules with (CONFIG_MODULE_SIG_HASH)")
		addParsed(flags, &s.hash, "hash", signature.ParseHash, "Sign with `HASH`, such as sha512")
	})
	cli.CompleteValues(cmd, "hash", signature.Hashes()...)
	cli.Options(cmd, "Output", func(flags *pflag.FlagSet) {
		flags.StringVar(&s.out, "out", "", "Write the archive to `FILE`")
		flags.StringVar(&s.dir, "output", "", "Write the content of the archive also to `DIR`, new or empty")
		flags.StringVar(&s.origin, "origin", "", "Begin errors with `TEXT`, such as the label of a target")
	})
	return cmd
}

func (s *moduleSigner) start(cmd *cobra.Command) error {
	err := cmp.Or(cli.Required(cmd, "certificate", "out"), s.signer.check(cmd), cli.Exclusive(cmd, "config", "hash"))
	switch {
	case err != nil:
		return err
	case s.config == "" && s.hash.Name == "":
		return cli.Usagef(cmd, "missing option --config FILE or --hash HASH")
	}
	err = checkOutputs(cmd, []usedFile{{"--out", s.out}},
		usedFile{"ARCHIVE", s.archive}, usedFile{"--certificate", s.certificate}, usedFile{"--key", s.signer.key}, usedFile{"--config", s.config})
	if err != nil {
		return err
	}
	if err := s.run(cmd.Context()); err != nil {
		if s.origin != "" {
			err = prefixErrors(s.origin, err)
		}
		return err
	}
	return nil
}

func (s *moduleSigner) run(ctx context.Context) (err error) {
	signing, err := s.signing()
	if err != nil {
		return err
	}
	in, err := os.Open(s.archive)
	if err != nil {
		return err
	}
	defer in.Close()
	archive := bufio.NewReaderSize(in, 1<<20)
	if err := checkArchive(in, archive); err != nil {
		return fmt.Errorf("%s: %w", s.archive, err)
	}
	var dir *os.Root
	if s.dir != "" {
		if dir, err = openEmpty(s.dir); err != nil {
			return err
		}
		defer func() {
			if err != nil {
				err = errors.Join(err, removeAll(dir))
			}
			dir.Close()
		}()
	}
	return writeResults(ctx, s.out, func(w io.Writer) error {
		if _, err := modules.Sign(ctx, archive, w, dir, signing); err != nil {
			return fmt.Errorf("%s: %w", s.archive, err)
		}
		return nil
	})
}

// checkArchive returns an error if the archive is a directory or compressed.
func checkArchive(file *os.File, content *bufio.Reader) error {
	const want = "name the archive that packer modules --archive has written"
	if info, err := file.Stat(); err == nil && info.IsDir() {
		return fmt.Errorf("it is a directory: %s", want)
	}
	prefix, _ := content.Peek(8)
	if name := codec.DetectFile(prefix); name != "" {
		return fmt.Errorf("it is compressed (%s): %s", name, want)
	}
	return nil
}

// signing reads the certificate, the key and the hash.
func (s *moduleSigner) signing() (*signature.Signing, error) {
	certificate, err := signature.ReadCertificate(s.certificate)
	if err != nil {
		return nil, err
	}
	algorithm, err := keyAlgorithm(certificate)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.certificate, err)
	}
	signing := &signature.Signing{Certificate: certificate, Hash: s.hash}
	if s.config != "" {
		values, err := readConfigValues(s.config)
		if err != nil {
			return nil, err
		}
		name, err := values.SignatureHash()
		if err == nil {
			signing.Hash, err = signature.ParseHash(name)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.config, err)
		}
		// A module of the kernel may have the algorithm, which is enough for keys that come later.
		if algorithm != "" && values.Get("CONFIG_CRYPTO_"+algorithm) == "n" {
			if err := config.CheckAlgorithm(values, algorithm); err != nil {
				return nil, fmt.Errorf("%s: with %s: %w", s.certificate, s.config, err)
			}
		}
	}
	signing.Signer, err = s.signer.signer(s.certificate)
	return signing, err
}

// keyAlgorithm returns the algorithm of a certificate's key, as in CONFIG_CRYPTO_RSA. It returns an
// error if no kernel verifies signatures by a key of this size.
func keyAlgorithm(certificate *x509.Certificate) (string, error) {
	switch key := certificate.PublicKey.(type) {
	case *rsa.PublicKey:
		// rsa_check_key_length of crypto/rsa.c has these sizes. It gets that of whole words.
		const word = 64
		switch bits := key.N.BitLen(); (bits + word - 1) / word * word {
		case 1024, 1536, 2048, 3072, 4096:
		default:
			return "", fmt.Errorf("its RSA key has %d bits, and the kernel verifies those of 1024, 1536, 2048, 3072 and 4096: use another key", bits)
		}
		return "RSA", nil
	case *ecdsa.PublicKey:
		// x509_extract_key_data of crypto/asymmetric_keys/x509_cert_parser.c has the others.
		if key.Curve == elliptic.P224() {
			return "", errors.New("its key is on the curve P-224, and the kernel verifies those on P-256, P-384 and P-521: use another key")
		}
		return "ECDSA", nil
	}
	return "", nil
}

// openEmpty makes a directory, or opens an empty one.
func openEmpty(name string) (*os.Root, error) {
	if err := os.MkdirAll(name, 0o755); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(name)
	if err != nil {
		return nil, err
	}
	if len(entries) > 0 {
		return nil, fmt.Errorf("%s is not empty: name a new or empty directory", name)
	}
	return os.OpenRoot(name)
}

// removeAll removes what is in a directory.
func removeAll(dir *os.Root) error {
	top, err := dir.Open(".")
	if err != nil {
		return err
	}
	defer top.Close()
	names, err := top.Readdirnames(-1)
	for _, name := range names {
		err = errors.Join(err, dir.RemoveAll(name))
	}
	return err
}
