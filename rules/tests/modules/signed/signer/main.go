// Signer is a signer program for the commands of the packer that sign. Its first argument names the key among its
// runfiles.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/bazelbuild/rules_go/go/runfiles"

	"github.com/rules-initramfs/rules_initramfs/internal/modules/signature"
)

func main() {
	if err := run(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(name string, args []string) error {
	key, err := runfiles.Rlocation(name)
	if err != nil {
		return err
	}
	flags := flag.NewFlagSet("signer", flag.ExitOnError)
	algorithm := flags.String("hash", "", "the hash of the digest")
	certificate := flags.String("certificate", "", "the certificate of the key")
	flags.Parse(args)
	// A certificate, or a public key.
	if text, err := os.ReadFile(*certificate); err != nil || len(text) == 0 {
		return fmt.Errorf("%s: %d bytes: %w", *certificate, len(text), err)
	}
	hash, err := signature.ParseHash(*algorithm)
	if err != nil {
		return err
	}
	signer, err := signature.ReadKey(key)
	if err != nil {
		return err
	}
	digest, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	signed, err := signer.Sign(context.Background(), hash, digest)
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(signed)
	return err
}
