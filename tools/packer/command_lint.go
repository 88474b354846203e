package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
	"github.com/rules-initramfs/rules_initramfs/internal/elf"
	"github.com/rules-initramfs/rules_initramfs/internal/image"
	"github.com/rules-initramfs/rules_initramfs/internal/lint"
	"github.com/rules-initramfs/rules_initramfs/internal/list"
	"github.com/rules-initramfs/rules_initramfs/internal/listing"
	"github.com/rules-initramfs/rules_initramfs/internal/payload"
	"github.com/rules-initramfs/rules_initramfs/internal/printable"
)

// lintMemory is where the garbage collector begins to work harder, in bytes: an image with a
// million entries fits.
const lintMemory = 960 << 20

// linter is what packer lint was asked for.
type linter struct {
	lint.Options
	config, origins string // names of files, or empty
	strict          bool
	listRules, json bool
	verbose         bool
	out             string

	counts map[lint.Severity]int
	// groups are the findings of a rule that are not printed one by one, in the order of the first.
	groups []*findings
}

func lintCommand() *cobra.Command {
	l := &linter{counts: map[lint.Severity]int{}}
	cmd := &cobra.Command{
		Use:        "lint [OPTION...] IMAGE...\nlint --list-rules",
		GroupID:    groupCheck,
		SuggestFor: []string{"check", "verify"},
		Short:      "Find errors in an image before it boots",
		Long: `Find what is wrong with an image before it boots: what the kernel would refuse or silently
drop, and programs that cannot run. "-" is standard input. Several IMAGEs are the parts of
one image, read as a boot loader that loads several files passes them to the kernel. A
finding is one line:

  SEVERITY RULE: ENTRY: MESSAGE (FIX)

If a rule has many findings, they are summarized. --verbose and --json print all, in the
order of the entries. The exit code is 1 if there are errors, 0 if there are only warnings or no findings, 2
after wrong usage.`,
		Example: "packer lint --strict --config /boot/config-6.12 initramfs",
		RunE: func(cmd *cobra.Command, args []string) error {
			if l.listRules {
				if len(args) > 0 {
					return cli.Usagef(cmd, "--list-rules takes no IMAGE")
				}
				return printRules(os.Stdout)
			}
			if err := cmp.Or(cli.Args("IMAGE...")(cmd, args), cli.Exclusive(cmd, "config", "kernel-codecs")); err != nil {
				return err
			}
			return l.run(cmd.Context(), args)
		},
	}
	cli.Options(cmd, "Rules", l.addRuleOptions)
	cli.Options(cmd, "Kernel", l.addKernelOptions)
	for _, option := range []string{"off", "error", "warning"} {
		cli.CompleteValues(cmd, option, ruleIDs()...)
	}
	cli.Options(cmd, "Output", func(flags *pflag.FlagSet) {
		flags.BoolVar(&l.json, "json", false, "Print one JSON object per line, for all findings")
		flags.BoolVar(&l.verbose, "verbose", false, "Print all findings of a rule, not a summary")
		flags.StringVar(&l.origins, "origins", "", "Name the target of each entry, from the completed `LIST` that packer pack --write-list has written")
		addOutOption(flags, &l.out, "; if there are errors, the findings go to standard error")
	})
	return cmd
}

func (l *linter) addRuleOptions(flags *pflag.FlagSet) {
	for _, option := range []struct {
		name    string
		rules   *[]string
		weakens bool
		usage   string
	}{
		{"off", &l.Off, true, "Turn off the rules `ID,...`; may be repeated"},
		{"error", &l.Errors, false, "Make warnings of the rules `ID,...` errors; may be repeated"},
		{"warning", &l.Warnings, true, "Make errors of the rules `ID,...` warnings; may be repeated"},
	} {
		flags.Func(option.name, option.usage, func(ids string) error {
			parsed, err := lint.ParseRules(ids, option.weakens)
			*option.rules = append(*option.rules, parsed...)
			return err
		})
	}
	flags.BoolVar(&l.strict, "strict", false, "Fail after warnings too")
	flags.BoolVar(&l.listRules, "list-rules", false, "Print the ID, severity and meaning of each rule")
}

func (l *linter) addKernelOptions(flags *pflag.FlagSet) {
	flags.StringVar(&l.Init, "init", "/init", "Check `PATH` as the first program, for a kernel that starts with rdinit=PATH (default /init)")
	addParsed(flags, &l.Arch, "arch", elf.ParseArch,
		"Check that programs are for `ARCH`, such as x86_64 or arm64 (default: any, but the same for all)")
	flags.StringVar(&l.config, "config", "", "Check that the kernel with the .config `FILE` supports the codecs of the image")
	addParsed(flags, &l.Kernel, "kernel-codecs", lint.ParseCodecs, "Check that the image uses only the codecs `CODEC,...`")
}

func (l *linter) run(ctx context.Context, names []string) error {
	if l.config != "" {
		kernel, err := readKernelConfig(l.config)
		if err != nil {
			return err
		}
		l.Kernel = kernel
	}
	img, err := payload.Open(ctx, names...)
	if err != nil {
		return err
	}
	defer img.Close()
	origins, err := readOrigins(l.origins)
	if err != nil {
		return err
	}
	debug.SetMemoryLimit(lintMemory)
	if l.out == "" {
		err := writeResults(ctx, "", func(out io.Writer) error { return l.check(out, img, origins) })
		return errors.Join(err, l.verdict(img.Name, err))
	}
	// The file must not appear if there are errors. Then the findings go to standard error.
	var findings bytes.Buffer
	err = writeResults(ctx, l.out, func(out io.Writer) error {
		err := l.check(io.MultiWriter(out, &findings), img, origins)
		return errors.Join(err, l.verdict(img.Name, err))
	})
	if err != nil {
		os.Stderr.Write(findings.Bytes())
	}
	return err
}

// check prints the findings and counts them.
func (l *linter) check(out io.Writer, img *image.Image, origins map[string]string) error {
	err := lint.Run(img.Reader, l.Options, func(f lint.Finding) error {
		l.counts[f.Severity]++
		origin := origins[f.Entry]
		switch {
		case l.json:
			return printFindingJSON(out, f, origin)
		case l.verbose:
			return printFinding(out, f, origin)
		}
		l.group(f, origin)
		return nil
	})
	if err != nil {
		return fmt.Errorf("%s: %w", img.Name, err)
	}
	for _, g := range l.groups {
		if err := g.print(out); err != nil {
			return err
		}
	}
	return nil
}

// findings are the findings of a rule that have the same severity.
type findings struct {
	first   []lint.Finding // at most maxFindings
	origins []string       // of the first
	count   int
}

// maxFindings is how many findings of a rule are shown, or their entries.
const maxFindings = 3

func (l *linter) group(f lint.Finding, origin string) {
	i := slices.IndexFunc(l.groups, func(g *findings) bool { return g.first[0].Rule == f.Rule })
	if i < 0 {
		i = len(l.groups)
		l.groups = append(l.groups, &findings{})
	}
	g := l.groups[i]
	if g.count++; g.count <= maxFindings {
		g.first, g.origins = append(g.first, f), append(g.origins, origin)
	}
}

// print prints the first errors, or one line for several warnings.
func (g *findings) print(w io.Writer) error {
	f := g.first[0]
	more := g.count - len(g.first)
	if f.Severity == lint.Error || g.count == 1 {
		for i, f := range g.first {
			if err := printFinding(w, f, g.origins[i]); err != nil {
				return err
			}
		}
		if more == 0 {
			return nil
		}
		_, err := fmt.Fprintf(w, "%s %s: %d more (--verbose prints all)\n", f.Severity, f.Rule, more)
		return err
	}
	var entries []string
	for i, f := range g.first {
		entries = append(entries, entryText(f, g.origins[i]))
	}
	text := strings.Join(entries, ", ")
	if more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	rules := lint.Rules()
	rule := rules[slices.IndexFunc(rules, func(r lint.Rule) bool { return r.ID == f.Rule })]
	_, err := fmt.Fprintf(w, "%s %s: %d findings: %s: %s (%s; --verbose prints all)\n", f.Severity, f.Rule, g.count, text, rule.Summary, rule.Fix)
	return err
}

// verdict returns an error if the findings are errors; nil if checking them failed already.
func (l *linter) verdict(name string, failed error) error {
	if failed != nil || l.counts[lint.Error] == 0 && (!l.strict || l.counts[lint.Warning] == 0) {
		return nil
	}
	return fmt.Errorf("%s: %s, %s", name, count(l.counts[lint.Error], "error", "errors"), count(l.counts[lint.Warning], "warning", "warnings"))
}

// readOrigins returns the labels of targets by the absolute paths of their entries, from a
// completed list; none without a list.
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
	text, err := readConfig(name)
	if err != nil {
		return nil, err
	}
	kernel, err := lint.ReadConfig(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return kernel, nil
}

func ruleIDs() []string {
	var ids []string
	for _, r := range lint.Rules() {
		ids = append(ids, r.ID)
	}
	return ids
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
	_, err := fmt.Fprintf(w, "%s %s: %s: %s (%s)\n", f.Severity, f.Rule, entryText(f, origin), printable.Text(f.Message), printable.Text(f.Fix))
	return err
}

func entryText(f lint.Finding, origin string) string {
	entry := f.Entry
	if strings.HasPrefix(entry, "/") {
		entry = listing.Printable(entry)
	}
	if origin != "" {
		entry += " of " + origin
	}
	return entry
}

func printFindingJSON(w io.Writer, f lint.Finding, origin string) error {
	return listing.EncodeJSON(w, struct {
		Rule     string        `json:"rule"`
		Severity lint.Severity `json:"severity"`
		Entry    string        `json:"entry"`
		// EntryBytes is the entry if it is not UTF-8, where JSON has no room for it.
		EntryBytes []byte `json:"entry_bytes,omitempty"`
		Origin     string `json:"origin,omitempty"`
		Message    string `json:"message"`
		Fix        string `json:"fix"`
	}{f.Rule, f.Severity, f.Entry, listing.BytesUnlessUTF8(f.Entry), origin, f.Message, f.Fix})
}
