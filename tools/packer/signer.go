package main

import (
	"cmp"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
	"github.com/rules-initramfs/rules_initramfs/internal/modules/signature"
)

// signerOptions say what signs: a key in a file, or a program.
type signerOptions struct {
	key, program string
	programArgs  []string
}

func (s *signerOptions) add(flags *pflag.FlagSet) {
	flags.StringVar(&s.key, "key", "", "Read the private key from `FILE`, in PEM without a password: PKCS #8, PKCS #1 or SEC 1")
	flags.StringVar(&s.program, "signer", "", "Have `PROGRAM` sign")
	flags.StringArrayVar(&s.programArgs, "signer-arg", nil, "Pass `ARGUMENT` to the signer; may be repeated")
}

// given reports whether any of the options was.
func (s *signerOptions) given() bool {
	return s.key != "" || s.program != "" || s.programArgs != nil
}

// check returns an error unless exactly one signer was given.
func (s *signerOptions) check(cmd *cobra.Command) error {
	var err error
	switch {
	case s.key == "" && s.program == "":
		err = cli.Usagef(cmd, "missing option --key FILE or --signer PROGRAM")
	case s.program == "" && len(s.programArgs) > 0:
		err = cli.Usagef(cmd, "--signer-arg needs --signer")
	}
	return cmp.Or(cli.Exclusive(cmd, "key", "signer"), err)
}

// signer returns what signs with the key of the certificate, or the public key, in a file.
func (s *signerOptions) signer(certificate string) (signature.Signer, error) {
	if s.program != "" {
		return signature.Program{Args: append([]string{s.program}, s.programArgs...), Certificate: certificate}, nil
	}
	return signature.ReadKey(s.key)
}
