package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
	"github.com/rules-initramfs/rules_initramfs/internal/elf"
	"github.com/rules-initramfs/rules_initramfs/internal/image"
	"github.com/rules-initramfs/rules_initramfs/internal/lint"
	"github.com/rules-initramfs/rules_initramfs/internal/list"
	"github.com/rules-initramfs/rules_initramfs/internal/listing"
)

const lintHelp = `Usage: packer lint [OPTION...] IMAGE...

Finds what is wrong with an image before it boots: what the kernel would refuse
or drop in silence, and programs that could not run. "-" is standard input. Several
IMAGEs are the parts of one: they are read as the kernel gets them from a boot loader
that loads several files. A line for each finding, in the order of the image's entries:

  SEVERITY RULE: ENTRY: WHAT (FIX)

The exit code is 1 if there are errors, 0 if there are none or only warnings, 2
on wrong usage.

Options:
`

// lintMemory is where the garbage collector begins to work harder, in bytes: a
// million entries need no more.
const lintMemory = 960 << 20

func runLint(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("packer lint", flag.ContinueOnError)
	var o lint.Options
	var config string
	flags.Func("off", "do not apply the rule `ID`; several with commas, or the option again", func(ids string) error {
		parsed, err := lint.ParseRules(ids, true)
		o.Off = append(o.Off, parsed...)
		return err
	})
	flags.Func("error", "make the warnings of the rule `ID` errors; several with commas, or the option again", func(ids string) error {
		parsed, err := lint.ParseRules(ids, false)
		o.Errors = append(o.Errors, parsed...)
		return err
	})
	flags.Func("warning", "make the errors of the rule `ID` warnings; several with commas, or the option again", func(ids string) error {
		parsed, err := lint.ParseRules(ids, true)
		o.Warnings = append(o.Warnings, parsed...)
		return err
	})
	strict := flags.Bool("strict", false, "count warnings as errors")
	flags.StringVar(&o.Init, "init", "/init", "the `PATH` of the first program: the kernel's rdinit=")
	flags.Func("arch", "what programs are to be made for, such as x86_64, arm64 or riscv64; by default, all for the same", func(name string) (err error) {
		o.Arch, err = elf.ParseArch(name)
		return err
	})
	flags.StringVar(&config, "config", "", "the .config `FILE` of the kernel, for its codecs")
	flags.Func("kernel-codecs", "the `CODECS` that the kernel decompresses, with commas", func(codecs string) (err error) {
		o.Kernel, err = lint.ParseCodecs(codecs)
		return err
	})
	asJSON := flags.Bool("json", false, "print a JSON object a line")
	listRules := flags.Bool("list-rules", false, "print the rules: ID, severity, what they find")
	outName := addOutFlag(flags, "; if there are errors, FILE is as it was, and standard error has what was found")
	originsName := flags.String("origins", "", "the completed `LIST` of the image, as pack --write-list gives it: findings name the targets in it")
	if err := cli.ParseFlags(flags, lintHelp, args); err != nil {
		return err
	}
	switch {
	case *listRules && flags.NArg() == 0:
		return printRules(os.Stdout)
	case *listRules:
		return cli.UsageFault(flags, "--list-rules takes no IMAGE")
	case flags.NArg() == 0:
		return cli.UsageFault(flags, "no IMAGE")
	case config != "" && o.Kernel != nil:
		return cli.UsageFault(flags, "--config and --kernel-codecs exclude each other")
	}
	if config != "" {
		kernel, err := readKernelConfig(config)
		if err != nil {
			return err
		}
		o.Kernel = kernel
	}

	img, err := image.Open(ctx, flags.Args()...)
	if err != nil {
		return err
	}
	defer img.Close()
	name := img.Name
	origins, err := readOrigins(*originsName)
	if err != nil {
		return err
	}
	debug.SetMemoryLimit(lintMemory)
	show := printFinding
	if *asJSON {
		show = printFindingJSON
	}
	counts := map[lint.Severity]int{}
	var found bytes.Buffer // of what goes to a file only if it is good
	errFound := func() error {
		if counts[lint.Error] == 0 && (!*strict || counts[lint.Warning] == 0) {
			return nil
		}
		return fmt.Errorf("%s: %d errors, %d warnings", name, counts[lint.Error], counts[lint.Warning])
	}
	err = writeResults(ctx, *outName, func(out io.Writer) error {
		if *outName != "" {
			out = io.MultiWriter(out, &found)
		}
		err := lint.Run(img.Reader, o, func(f lint.Finding) error {
			counts[f.Severity]++
			return show(out, f, origins[f.Entry])
		})
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if *outName != "" {
			return errFound()
		}
		return nil
	})
	if err == nil {
		err = errFound()
	}
	if err != nil {
		os.Stderr.Write(found.Bytes())
	}
	return err
}

// readOrigins returns the labels of the targets that a completed list names, by the
// absolute paths of their entries; none without a list.
func readOrigins(name string) (map[string]string, error) {
	if name == "" {
		return nil, nil
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return list.Origins(file, name)
}

func readKernelConfig(name string) (*lint.Kernel, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	kernel, err := lint.ReadConfig(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return kernel, nil
}

func printRules(w io.Writer) error {
	for _, r := range lint.Rules() {
		if _, err := fmt.Fprintf(w, "%-17s %-8s %s\n", r.ID, r.Severity, r.Summary); err != nil {
			return err
		}
	}
	return nil
}

func printFinding(w io.Writer, f lint.Finding, origin string) error {
	entry := f.Entry
	if strings.HasPrefix(entry, "/") {
		entry = listing.Printable(entry)
	}
	if origin != "" {
		entry += " of " + origin
	}
	_, err := fmt.Fprintf(w, "%s %s: %s: %s (%s)\n", f.Severity, f.Rule, entry, listing.Harmless(f.Message), listing.Harmless(f.Fix))
	return err
}

func printFindingJSON(w io.Writer, f lint.Finding, origin string) error {
	return listing.EncodeJSON(w, struct {
		Rule     string        `json:"rule"`
		Severity lint.Severity `json:"severity"`
		Entry    string        `json:"entry"`
		// EntryBytes is there only if the entry is not UTF-8, and is right then.
		EntryBytes []byte `json:"entry_bytes,omitempty"`
		Origin     string `json:"origin,omitempty"`
		Message    string `json:"message"`
		Fix        string `json:"fix"`
	}{f.Rule, f.Severity, f.Entry, listing.BytesUnlessUTF8(f.Entry), origin, f.Message, f.Fix})
}
