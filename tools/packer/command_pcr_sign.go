package main

import (
	"cmp"
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
	"github.com/rules-initramfs/rules_initramfs/internal/efi/measure"
	"github.com/rules-initramfs/rules_initramfs/internal/efi/pe"
	"github.com/rules-initramfs/rules_initramfs/internal/modules/signature"
)

// pcrSigner is what packer pcr-sign was asked for.
type pcrSigner struct {
	payload                string
	certificate, publicKey string
	signer                 signerOptions
	bankNames, phases      []string
	profile                uint
	compatible             string
	out, origin            string
	banks                  []measure.Bank
}

func pcrSignCommand() *cobra.Command {
	s := &pcrSigner{}
	cmd := &cobra.Command{
		Use:     "pcr-sign {--certificate FILE | --public-key FILE} {--key FILE | --signer PROGRAM} --out FILE [OPTION...] IMAGE",
		GroupID: groupPayload,
		Short:   "Sign policies for what the TPM will hold",
		Long: `Sign a policy for each bank and phase: that PCR 11 has what packer measure predicts for the
unified kernel image IMAGE. FILE is for packer uki --pcr-signature, as JSON in the form of
systemd-measure sign. systemd then unlocks a secret of the TPM for each image whose policies
the same key has signed. The key is an RSA key, and always makes the same FILE.

IMAGE is complete except for the signatures, which PCR 11 does not measure. It already has the
public key (packer uki --pcr-public-key).

PROGRAM runs once for each policy:

    PROGRAM [ARGUMENT...] --hash sha256 --certificate FILE

FILE is what --certificate or --public-key names. PROGRAM gets a digest on standard input, and
writes the signature to standard output, both as bytes: PKCS #1 v1.5.

After an error, the exit code is 1 and FILE is unchanged. Wrong usage exits with 2.`,
		Example: "packer pcr-sign --public-key pcr.pub --key pcr.key --out pcrsig.json linux.efi",
		Args:    cli.Args("IMAGE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			s.payload = args[0]
			return s.start(cmd)
		},
	}
	cli.Options(cmd, "Signatures", func(flags *pflag.FlagSet) {
		flags.StringVar(&s.certificate, "certificate", "", "Sign with the key of the certificate in `FILE`, in PEM or DER")
		flags.StringVar(&s.publicKey, "public-key", "", "Sign with the key whose public part is in `FILE`, in PEM")
		s.signer.add(flags)
	})
	cli.Options(cmd, "Policies", func(flags *pflag.FlagSet) {
		flags.StringArrayVar(&s.bankNames, "bank", nil, "Sign for the bank `NAME`: sha1, sha256 (the default), sha384 or sha512; may be repeated")
		addPhaseOption(flags, &s.phases)
		flags.UintVar(&s.profile, "profile", 0, "Sign for the profile `NUMBER` of the image")
		flags.StringVar(&s.compatible, "compatible", "", "Sign for a device tree whose first compatible name is `NAME`, which chooses a .dtbauto")
	})
	cli.CompleteValues(cmd, "bank", measure.BankNames()...)
	cli.Options(cmd, "Output", func(flags *pflag.FlagSet) {
		flags.StringVar(&s.out, "out", "", "Write the signatures to `FILE`")
		flags.StringVar(&s.origin, "origin", "", "Begin errors with `TEXT`, such as the label of a target")
	})
	return cmd
}

func (s *pcrSigner) start(cmd *cobra.Command) (err error) {
	err = cmp.Or(cli.Required(cmd, "out"), s.signer.check(cmd), cli.Exclusive(cmd, "certificate", "public-key"))
	switch {
	case err != nil:
		return err
	case s.certificate == "" && s.publicKey == "":
		return cli.Usagef(cmd, "missing option --certificate FILE or --public-key FILE")
	case s.profile > maxFailures:
		return cli.Usagef(cmd, "--profile is at most %d", maxFailures)
	}
	if s.banks, err = parseBanks(cmd, s.bankNames); err != nil {
		return err
	}
	err = checkOutputs(cmd, []usedFile{{"--out", s.out}}, usedFile{"IMAGE", s.payload},
		usedFile{"--certificate", s.certificate}, usedFile{"--public-key", s.publicKey}, usedFile{"--key", s.signer.key})
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

func (s *pcrSigner) run(ctx context.Context) error {
	public, err := s.public()
	if err != nil {
		return err
	}
	signer, err := s.signer.signer(cmp.Or(s.certificate, s.publicKey))
	if err != nil {
		return err
	}
	file, close, err := openEFI(s.payload)
	if err != nil {
		return err
	}
	defer close()
	signatures, err := s.sign(ctx, file, signer, public)
	if err != nil {
		return fmt.Errorf("%s: %w", s.payload, err)
	}
	return writeResults(ctx, s.out, func(w io.Writer) error {
		_, err := w.Write(signatures)
		return err
	})
}

func (s *pcrSigner) sign(ctx context.Context, file *pe.File, signer signature.Signer, public crypto.PublicKey) ([]byte, error) {
	prediction, err := measure.Predict(file, measure.Options{Banks: s.banks, Phases: s.phases, Profile: int(s.profile), Compatible: s.compatible})
	if err != nil {
		return nil, err
	}
	if prediction.Kind != measure.KindUKI {
		return nil, errors.New("not a unified kernel image: it has no .linux, and PCR 11 is systemd-stub's")
	}
	if err := measure.CheckPolicyKey(file, int(s.profile), public); err != nil {
		return nil, err
	}
	return measure.SignPolicies(ctx, prediction, signer, public)
}

// maxPublicKey is more than any public key has, in bytes.
const maxPublicKey = 64 << 10

// public reads the public key.
func (s *pcrSigner) public() (public crypto.PublicKey, err error) {
	if s.certificate != "" {
		certificate, err := signature.ReadCertificate(s.certificate)
		if err != nil {
			return nil, err
		}
		return certificate.PublicKey, nil
	}
	err = readFile(s.publicKey, func(r io.Reader) error {
		data, err := io.ReadAll(io.LimitReader(r, maxPublicKey))
		if err == nil {
			public, err = measure.ParsePublicKey(data)
		}
		return err
	})
	return public, err
}
