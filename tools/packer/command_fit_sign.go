package main

import (
	"cmp"
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
	"github.com/rules-initramfs/rules_initramfs/internal/fdt"
	"github.com/rules-initramfs/rules_initramfs/internal/fit"
	"github.com/rules-initramfs/rules_initramfs/internal/modules/signature"
)

// fitSigner is the options that say who signs a FIT.
type fitSigner struct {
	certificate    string
	signer         signerOptions
	keyName        string
	hash           signature.Hash
	configurations []string
}

func (s *fitSigner) add(flags *pflag.FlagSet) {
	s.signer.add(flags)
	flags.StringArrayVar(&s.configurations, "sign", nil, "Sign the configuration `NAME`; may be repeated (default all)")
	s.addPublic(flags)
}

// addPublic adds the options for the public key.
func (s *fitSigner) addPublic(flags *pflag.FlagSet) {
	flags.StringVar(&s.certificate, "certificate", "", "Use the key of the certificate in `FILE`, in PEM or DER: RSA of 2048, 3072 or 4096 bits, or ECDSA on P-256 or P-384")
	flags.StringVar(&s.keyName, "key-name", "", "Call the key `NAME` in U-Boot's device tree (default the name of the certificate's file)")
	addParsed(flags, &s.hash, "signature-hash", fit.ParseSigningHash, "Sign with `HASH`: sha256, sha384 or sha512 (default sha256)")
}

// check checks the options. They may be all absent.
func (s *fitSigner) check(cmd *cobra.Command) error {
	switch {
	case s.certificate == "" && (s.signer.given() || s.keyName != "" || s.configurations != nil || s.hash.Name != ""):
		return cli.Usagef(cmd, "options for signatures need --certificate")
	case s.certificate == "":
		return nil
	}
	return cmp.Or(s.signer.check(cmd), s.complete(cmd))
}

// complete fills in what has a default.
func (s *fitSigner) complete(cmd *cobra.Command) (err error) {
	if s.certificate == "" {
		return nil
	}
	if s.hash.Name == "" {
		if s.hash, err = fit.ParseSigningHash("sha256"); err != nil {
			return err
		}
	}
	if s.keyName == "" {
		s.keyName = baseName(s.certificate)
	}
	if err := fit.CheckName(s.keyName); err != nil {
		return cli.Usagef(cmd, "--key-name: %v", err)
	}
	return nil
}

func (s *fitSigner) inputs() []usedFile {
	return []usedFile{{"--certificate", s.certificate}, {"--key", s.signer.key}}
}

// sign signs the configurations of an image.
func (s *fitSigner) sign(ctx context.Context, image *fit.Image, timestamp uint32) error {
	certificate, err := signature.ReadCertificate(s.certificate)
	if err != nil {
		return err
	}
	signer, err := s.signer.signer(s.certificate)
	if err != nil {
		return err
	}
	signing := &fit.Signing{Signer: signer, Certificate: certificate, Hash: s.hash, KeyName: s.keyName, Timestamp: timestamp, Configurations: s.configurations}
	return image.Sign(ctx, signing)
}

func fitSignCommand() *cobra.Command {
	s := &fitSigner{}
	var out string
	var timestamp uint32
	cmd := &cobra.Command{
		Use:     "fit-sign --certificate FILE {--key FILE | --signer PROGRAM} --out FILE [OPTION...] IMAGE",
		GroupID: groupPayload,
		Short:   "Sign the configurations of a FIT image",
		Long: `Sign the configurations of the FIT IMAGE, which has no signatures. A signature covers the
configuration and the hashes of everything that it boots: kernel, initramfs image, device
trees. It has the form of mkimage's, and it is verified with the certificate before the image
is written. The same RSA or ECDSA key always makes the same signature.

PROGRAM runs once for each configuration:

    PROGRAM [ARGUMENT...] --hash HASH --certificate FILE

It gets the digest on standard input, and writes the signature to standard output, both as
bytes: PKCS #1 v1.5 with an RSA key, DER with an ECDSA key.

U-Boot verifies signatures if its own device tree has the key: see packer fit-key.

After an error, the exit code is 1 and FILE is unchanged. Wrong usage exits with 2.`,
		Example: "packer fit-sign --certificate dev.pem --key dev.key --out signed.itb image.itb",
		Args:    cli.Args("IMAGE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			err := cmp.Or(cli.Required(cmd, "certificate", "out"), s.check(cmd),
				checkOutputs(cmd, []usedFile{{"--out", out}}, append(s.inputs(), usedFile{"IMAGE", args[0]})...))
			if err != nil {
				return err
			}
			image, file, err := openFIT(args[0])
			if err != nil {
				return err
			}
			defer file.Close()
			if err := s.sign(cmd.Context(), image, timestamp); err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			return writeResults(cmd.Context(), out, image.Write)
		},
	}
	cli.Options(cmd, "Signatures", func(flags *pflag.FlagSet) {
		s.add(flags)
		addTimestamp(flags, &timestamp)
	})
	cli.CompleteValues(cmd, "signature-hash", fit.SigningHashes()...)
	cli.Options(cmd, "Output", func(flags *pflag.FlagSet) {
		flags.StringVar(&out, "out", "", "Write the signed image to `FILE`")
	})
	return cmd
}

func fitKeyCommand() *cobra.Command {
	s := &fitSigner{}
	var out, command string
	var delay int32
	cmd := &cobra.Command{
		Use:     "fit-key --certificate FILE --out FILE [OPTION...] DEVICE_TREE",
		GroupID: groupPayload,
		Short:   "Add a key to U-Boot's own device tree",
		Long: `Add the public key of a certificate to the DEVICE_TREE of U-Boot itself, its control device
tree, and require it: U-Boot then boots only configurations that are signed by this key. The
properties are those that mkimage -K -r writes.

After an error, the exit code is 1 and FILE is unchanged. Wrong usage exits with 2.`,
		Example: "packer fit-key --certificate dev.pem --out control.dtb u-boot.dtb",
		Args:    cli.Args("DEVICE_TREE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			err := cmp.Or(cli.Required(cmd, "certificate", "out"), s.complete(cmd),
				checkOutputs(cmd, []usedFile{{"--out", out}}, usedFile{"--certificate", s.certificate}, usedFile{"DEVICE_TREE", args[0]}))
			if err != nil {
				return err
			}
			data, err := readSmall(args[0])
			if err != nil {
				return err
			}
			tree, err := fdt.Parse(data)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			certificate, err := signature.ReadCertificate(s.certificate)
			if err != nil {
				return err
			}
			if err := fit.AddKey(tree, s.keyName, s.hash, certificate.PublicKey); err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			if cmd.Flags().Changed("boot-delay") || command != "" {
				var seconds *int32
				if cmd.Flags().Changed("boot-delay") {
					seconds = &delay
				}
				fit.SetBoot(tree, seconds, command)
			}
			return writeResults(cmd.Context(), out, tree.Write)
		},
	}
	cli.Options(cmd, "Key", func(flags *pflag.FlagSet) { s.addPublic(flags) })
	cli.CompleteValues(cmd, "signature-hash", fit.SigningHashes()...)
	cli.Options(cmd, "Boot", func(flags *pflag.FlagSet) {
		flags.Int32Var(&delay, "boot-delay", 0, "Have U-Boot boot after `SECONDS`, in which a key press stops it; -2 is at once")
		flags.StringVar(&command, "boot-command", "", "Have U-Boot run `COMMAND` to boot")
	})
	cli.Options(cmd, "Output", func(flags *pflag.FlagSet) {
		flags.StringVar(&out, "out", "", "Write the device tree to `FILE`")
	})
	return cmd
}

// fitVerifyCommand returns the command that checks a FIT.
func fitVerifyCommand() *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:     "fit-verify [--certificate FILE] IMAGE",
		GroupID: groupPayload,
		Short:   "Verify the hashes and signatures of a FIT image",
		Long: `Verify the hashes of the FIT IMAGE. With --certificate, verify also that each configuration
has a signature by the key, and that the signature covers everything that it boots. If all is
well, nothing is printed.

If something does not match, the exit code is 1. Wrong usage exits with 2.`,
		Example: "packer fit-verify --certificate dev.pem signed.itb",
		Args:    cli.Args("IMAGE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			image, file, err := openFIT(args[0])
			if err != nil {
				return err
			}
			defer file.Close()
			if err := verifyFIT(image, name); err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			return nil
		},
	}
	cli.Options(cmd, "Signatures", func(flags *pflag.FlagSet) {
		flags.StringVar(&name, "certificate", "", "Verify signatures by the key of the certificate in `FILE`, in PEM or DER")
	})
	return cmd
}

func verifyFIT(image *fit.Image, certificateName string) error {
	if err := image.VerifyHashes(); err != nil || certificateName == "" {
		return err
	}
	certificate, err := signature.ReadCertificate(certificateName)
	if err != nil {
		return err
	}
	configurations := image.Configurations()
	if len(configurations) == 0 {
		return fmt.Errorf("it has no configurations")
	}
	for _, c := range configurations {
		if err := image.VerifySignature(c, certificate.PublicKey); err != nil {
			return fmt.Errorf("configuration %s: %w", c.Name, err)
		}
	}
	return nil
}
