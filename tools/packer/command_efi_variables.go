package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
	"github.com/rules-initramfs/rules_initramfs/internal/efi/guid"
	"github.com/rules-initramfs/rules_initramfs/internal/efi/variables"
	"github.com/rules-initramfs/rules_initramfs/internal/modules/signature"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/write"
	"github.com/rules-initramfs/rules_initramfs/internal/parts"
	"github.com/rules-initramfs/rules_initramfs/internal/printable"
)

// efiVariables is what packer efi-variables was asked for.
type efiVariables struct {
	store, list, out, origin string
	pk                       string
	kek, db, dbx             []string
	dbHashes, dbxHashes      [][sha256.Size]byte
	owner                    guid.GUID
}

func efiVariablesCommand() *cobra.Command {
	v := &efiVariables{owner: variables.DefaultOwner}
	cmd := &cobra.Command{
		Use: "efi-variables --store FILE --out FILE [OPTION...]\n" +
			"efi-variables --list FILE [--out FILE]",
		GroupID: groupPayload,
		Short:   "Enroll the keys of Secure Boot, or list UEFI variables",
		Long: `Enroll the keys of Secure Boot in the variable store of UEFI firmware, such as
OVMF_VARS_4M.fd or AAVMF_VARS.fd. Firmware that has Secure Boot then starts with it on: it
starts only what a key in db has signed, or whose hash is in db, unless dbx has the key or
the hash. The result is the one of virt-fw-vars.

PK and db are required, unless the store has them. What is given for a variable replaces
what the store has. Other variables stay. If there is no dbx, one is made that forbids
nothing. The time of a variable is when the last of its certificates becomes valid, or
2010-01-01 if it has none.

CERT is a file with X.509 certificates, in PEM or DER. HASH is the SHA-256 digest of an
executable in the way of Authenticode, in 64 hexadecimal digits.

With --list, print the variables of a store instead.

After an error, the exit code is 1 and there are no results. Wrong usage exits with 2.`,
		Example: "packer efi-variables --store OVMF_VARS_4M.fd --out vars.fd --pk pk.pem --kek kek.pem --db db.pem",
		Args:    cli.Args(),
		RunE: func(cmd *cobra.Command, args []string) error {
			return v.start(cmd)
		},
	}
	cli.Options(cmd, "Keys", func(flags *pflag.FlagSet) {
		flags.StringVar(&v.pk, "pk", "", "Set PK, whose key can change KEK, to the one certificate in `CERT`")
		flags.StringArrayVar(&v.kek, "kek", nil, "Set KEK, whose keys can change db and dbx, to `CERT`; may be repeated")
		flags.StringArrayVar(&v.db, "db", nil, "Set db, what firmware starts, to `CERT`; may be repeated")
		addHashes(flags, &v.dbHashes, "db-hash", "Set db to the executable with the digest `HASH`; may be repeated, and used with --db")
		flags.StringArrayVar(&v.dbx, "dbx", nil, "Set dbx, what firmware does not start, to `CERT`; may be repeated")
		addHashes(flags, &v.dbxHashes, "dbx-hash", "Set dbx to the executable with the digest `HASH`; may be repeated, and used with --dbx")
		addParsed(flags, &v.owner, "key-owner", guid.Parse, "Record `GUID` as the owner of the keys (default "+v.owner.String()+")")
	})
	cli.Options(cmd, "Files", func(flags *pflag.FlagSet) {
		flags.StringVar(&v.store, "store", "", "Begin with the variables in `FILE`, the store of the firmware")
		flags.StringVar(&v.list, "list", "", "List the variables in `FILE`")
		flags.StringVar(&v.out, "out", "", "Write to `FILE`: the store, or the list instead of standard output")
		flags.StringVar(&v.origin, "origin", "", "Begin errors with `TEXT`, such as the label of a target")
	})
	return cmd
}

// addHashes adds an option whose values are digests.
func addHashes(flags *pflag.FlagSet, to *[][sha256.Size]byte, name, usage string) {
	flags.Func(name, usage, func(text string) error {
		b, err := hex.DecodeString(text)
		if err != nil || len(b) != sha256.Size {
			return fmt.Errorf("%q: want the SHA-256 digest of an executable, in 64 hexadecimal digits", text)
		}
		*to = append(*to, [sha256.Size]byte(b))
		return nil
	})
}

func (v *efiVariables) start(cmd *cobra.Command) error {
	if err := cmp.Or(cli.Exclusive(cmd, "store", "list"), v.check(cmd)); err != nil {
		return err
	}
	inputs := []usedFile{{"--store", v.store}, {"--list", v.list}, {"--pk", v.pk}}
	inputs = append(inputs, usedFiles("--kek", v.kek)...)
	inputs = append(inputs, usedFiles("--db", v.db)...)
	inputs = append(inputs, usedFiles("--dbx", v.dbx)...)
	if err := checkOutputs(cmd, []usedFile{{"--out", v.out}}, inputs...); err != nil {
		return err
	}
	run := v.enroll
	if v.list != "" {
		run = v.print
	}
	if err := run(cmd.Context()); err != nil {
		if v.origin != "" {
			err = prefixErrors(v.origin, err)
		}
		return err
	}
	return nil
}

// check returns an error if the options do not belong together.
func (v *efiVariables) check(cmd *cobra.Command) error {
	if v.list == "" {
		return cli.Required(cmd, "store", "out")
	}
	for _, name := range []string{"pk", "kek", "db", "db-hash", "dbx", "dbx-hash", "key-owner"} {
		if err := cli.Exclusive(cmd, "list", name); err != nil {
			return err
		}
	}
	return nil
}

// readVariables reads a store. The file stays open for the store.
func readVariables(name string) (*variables.Store, *os.File, error) {
	file, size, err := parts.OpenRegular(name)
	if err != nil {
		return nil, nil, err
	}
	store, err := variables.Read(file, size)
	if err != nil {
		file.Close()
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	return store, file, nil
}

// enroll writes a store with keys.
func (v *efiVariables) enroll(ctx context.Context) error {
	keys := variables.Keys{Owner: v.owner}
	for _, read := range []struct {
		to     **variables.Database
		names  []string
		hashes [][sha256.Size]byte
	}{{&keys.PK, nonEmpty(v.pk), nil}, {&keys.KEK, v.kek, nil}, {&keys.DB, v.db, v.dbHashes}, {&keys.DBX, v.dbx, v.dbxHashes}} {
		if len(read.names)+len(read.hashes) == 0 {
			continue
		}
		database := &variables.Database{Hashes: read.hashes}
		for _, name := range read.names {
			certificates, err := signature.ReadCertificates(name)
			if err != nil {
				return err
			}
			database.Certificates = append(database.Certificates, certificates...)
		}
		*read.to = database
	}
	store, file, err := readVariables(v.store)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := store.Enroll(keys); err != nil {
		return fmt.Errorf("%s: %w", v.store, err)
	}
	return write.File(ctx, v.out, store.Write)
}

func nonEmpty(name string) []string {
	if name == "" {
		return nil
	}
	return []string{name}
}

// print prints the variables of a store.
func (v *efiVariables) print(ctx context.Context) error {
	store, file, err := readVariables(v.list)
	if err != nil {
		return err
	}
	defer file.Close()
	return writeResults(ctx, v.out, func(w io.Writer) error {
		for i := range store.Variables {
			if err := printVariable(w, &store.Variables[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// printVariable prints a variable and, if it has some, its signatures.
func printVariable(w io.Writer, v *variables.Variable) error {
	line := fmt.Sprintf("%s %s %s %d bytes", printable.Text(v.Name), v.Vendor, v.AttributeNames(), len(v.Data))
	if at := v.Time.String(); at != "" {
		line += " " + at
	}
	lines := []string{line}
	if v.Vendor == variables.Global && (v.Name == "PK" || v.Name == "KEK") || v.Vendor == variables.ImageSecurity {
		signatures, err := variables.ParseSignatures(v.Data)
		if err != nil {
			lines = append(lines, "  "+err.Error())
		}
		for _, s := range signatures {
			lines = append(lines, "  "+signatureText(s))
		}
	} else if len(v.Data) <= 16 {
		lines = append(lines, fmt.Sprintf("  %x", v.Data))
	}
	_, err := fmt.Fprintln(w, strings.Join(lines, "\n"))
	return err
}

// signatureText returns a line about a signature.
func signatureText(s variables.Signature) string {
	switch s.Type {
	case variables.SHA256:
		return fmt.Sprintf("hash %x, owner %s", s.Data, s.Owner)
	case variables.X509:
		subject := "damaged"
		if certificate, err := x509.ParseCertificate(s.Data); err == nil {
			subject = printable.Text(certificate.Subject.String())
		}
		return fmt.Sprintf("certificate %x, owner %s: %s", sha256.Sum256(s.Data), s.Owner, subject)
	}
	return fmt.Sprintf("type %s, owner %s: %d bytes", s.Type, s.Owner, len(s.Data))
}
