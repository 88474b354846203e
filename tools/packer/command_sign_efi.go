package main

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
	"github.com/rules-initramfs/rules_initramfs/internal/efi/authenticode"
	"github.com/rules-initramfs/rules_initramfs/internal/efi/pe"
	"github.com/rules-initramfs/rules_initramfs/internal/modules/signature"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/write"
	"github.com/rules-initramfs/rules_initramfs/internal/parts"
)

// efiSigner is what packer sign-efi was asked for.
type efiSigner struct {
	in, out     string
	certificate string
	signer      signerOptions
	validOn     time.Time
	origin      string
}

func signEFICommand() *cobra.Command {
	s := &efiSigner{}
	cmd := &cobra.Command{
		Use:     "sign-efi --certificate FILE {--key FILE | --signer PROGRAM} --out FILE [OPTION...] EXECUTABLE",
		GroupID: groupPayload,
		Short:   "Sign an EFI executable for Secure Boot",
		Long: `Sign EXECUTABLE for Secure Boot: a unified kernel image, a kernel with CONFIG_EFI_STUB=y, or
a boot loader. The signature has the form of Authenticode, with SHA-256, as sbsign makes it,
but without the time. It is verified with the certificate before it is written. The same RSA
or ECDSA key always makes the same signature.

If EXECUTABLE is signed with other certificates, it gets one more signature.

PROGRAM runs once:

    PROGRAM [ARGUMENT...] --hash sha256 --certificate FILE

It gets a digest on standard input, and writes its signature to standard output, both as
bytes: PKCS #1 v1.5 with an RSA key, DER with an ECDSA key. It has the environment of the
packer. If its exit code is not 0, its standard error is in the error.

After an error, the exit code is 1 and FILE is unchanged. Wrong usage exits with 2.`,
		Example: "packer sign-efi --certificate db.pem --key db.key --out signed.efi linux.efi",
		Args:    cli.Args("EXECUTABLE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			s.in = args[0]
			return s.start(cmd)
		},
	}
	cli.Options(cmd, "Signatures", func(flags *pflag.FlagSet) {
		flags.StringVar(&s.certificate, "certificate", "",
			"Sign with the key of the certificate in `FILE`, in PEM or DER; more certificates after it, which lead to one that firmware trusts, become parts of the signature")
		s.signer.add(flags)
		flags.Func("valid-on", "Require that the certificates are valid on `DATE`, such as 2030-12-31; firmware does not look at the time", func(text string) (err error) {
			if s.validOn, err = time.Parse(time.DateOnly, text); err != nil {
				return fmt.Errorf("%q: want YYYY-MM-DD", text)
			}
			return nil
		})
	})
	cli.Options(cmd, "Output", func(flags *pflag.FlagSet) {
		flags.StringVar(&s.out, "out", "", "Write the signed executable to `FILE`")
		flags.StringVar(&s.origin, "origin", "", "Begin errors with `TEXT`, such as the label of a target")
	})
	return cmd
}

func (s *efiSigner) start(cmd *cobra.Command) error {
	err := cmp.Or(cli.Required(cmd, "certificate", "out"), s.signer.check(cmd), checkOutputs(cmd, []usedFile{{"--out", s.out}},
		usedFile{"EXECUTABLE", s.in}, usedFile{"--certificate", s.certificate}, usedFile{"--key", s.signer.key}))
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

func (s *efiSigner) run(ctx context.Context) error {
	signing, err := s.signing()
	if err != nil {
		return err
	}
	file, size, err := parts.OpenRegular(s.in)
	if err != nil {
		return err
	}
	defer file.Close()
	executable, err := pe.Open(file, size)
	if err == nil {
		executable, err = signing.Sign(ctx, executable)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", s.in, err)
	}
	return write.File(ctx, s.out, executable.Write)
}

// signing reads the certificates and the key.
func (s *efiSigner) signing() (*authenticode.Signing, error) {
	certificates, err := signature.ReadCertificates(s.certificate)
	if err != nil {
		return nil, err
	}
	if !s.validOn.IsZero() {
		if err := authenticode.CheckValidity(certificates, s.validOn); err != nil {
			return nil, fmt.Errorf("%s: %w", s.certificate, err)
		}
	}
	signer, err := s.signer.signer(s.certificate)
	return &authenticode.Signing{Certificates: certificates, Signer: signer}, err
}
