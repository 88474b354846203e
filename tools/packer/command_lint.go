package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"
	"unicode/utf8"

	"github.com/rules-initramfs/rules_initramfs/tools/packer/lint"
	"github.com/rules-initramfs/rules_initramfs/tools/packer/rootfs"
)

const lintHelp = `Usage: packer lint [OPTION...] IMAGE

Finds what is wrong with an image before it boots: what the kernel would refuse
or drop in silence, and programs that could not run. "-" is standard input. A
line for each finding, in the order of the image's entries:

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
	strict := flags.Bool("strict", false, "count warnings as errors")
	flags.StringVar(&o.Init, "init", "/init", "the `PATH` of the first program: the kernel's rdinit=")
	flags.Func("arch", "what programs are to be made for, such as x86_64, arm64 or riscv64; by default, all for the same", func(name string) (err error) {
		o.Arch, err = lint.ParseArch(name)
		return err
	})
	flags.StringVar(&config, "config", "", "the .config `FILE` of the kernel, for its codecs")
	flags.Func("kernel-codecs", "the `CODECS` that the kernel decompresses, with commas", func(codecs string) (err error) {
		o.Kernel, err = lint.ParseCodecs(codecs)
		return err
	})
	asJSON := flags.Bool("json", false, "print a JSON object a line")
	listRules := flags.Bool("list-rules", false, "print the rules: ID, severity, what they find")
	if err := parseFlags(flags, lintHelp, args); err != nil {
		return err
	}
	switch {
	case *listRules && flags.NArg() == 0:
		return printRules(os.Stdout)
	case *listRules:
		return usageFault(flags, "--list-rules takes no IMAGE")
	case flags.NArg() != 1:
		return usageFault(flags, "want one IMAGE")
	case config != "" && o.Kernel != nil:
		return usageFault(flags, "--config and --kernel-codecs exclude each other")
	}
	if config != "" {
		kernel, err := readKernelConfig(config)
		if err != nil {
			return err
		}
		o.Kernel = kernel
	}

	name := flags.Arg(0)
	image, err := rootfs.Open(ctx, name)
	if err != nil {
		return err
	}
	defer image.Close()
	debug.SetMemoryLimit(lintMemory)
	out := bufio.NewWriterSize(os.Stdout, 64<<10)
	show := printFinding
	if *asJSON {
		show = printFindingJSON
	}
	counts := map[lint.Severity]int{}
	err = lint.Run(image.Reader, o, func(f lint.Finding) error {
		counts[f.Severity]++
		return show(out, f)
	})
	if err := errors.Join(out.Flush(), err); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if counts[lint.Error] == 0 && (!*strict || counts[lint.Warning] == 0) {
		return nil
	}
	return fmt.Errorf("%s: %d errors, %d warnings", name, counts[lint.Error], counts[lint.Warning])
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

func printFinding(w io.Writer, f lint.Finding) error {
	entry := f.Entry
	if strings.HasPrefix(entry, "/") {
		entry = printable(entry)
	}
	_, err := fmt.Fprintf(w, "%s %s: %s: %s (%s)\n", f.Severity, f.Rule, entry, harmless(f.Message), harmless(f.Fix))
	return err
}

// harmless writes the control characters of a text as printable does.
func harmless(text string) string {
	var b strings.Builder
	for i, r := range text {
		if _, n := utf8.DecodeRuneInString(text[i:]); isControl(r) || r == utf8.RuneError && n == 1 {
			for _, c := range []byte(text[i : i+n]) {
				fmt.Fprintf(&b, `\%03o`, c)
			}
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func printFindingJSON(w io.Writer, f lint.Finding) error {
	return encodeJSON(w, struct {
		Rule     string        `json:"rule"`
		Severity lint.Severity `json:"severity"`
		Entry    string        `json:"entry"`
		// EntryBytes is there only if the entry is not UTF-8, and is right then.
		EntryBytes []byte `json:"entry_bytes,omitempty"`
		Message    string `json:"message"`
		Fix        string `json:"fix"`
	}{f.Rule, f.Severity, f.Entry, bytesUnlessUTF8(f.Entry), f.Message, f.Fix})
}
