package cli

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// manCommand returns the hidden command that writes the man page of its program.
func manCommand() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:    "man [--out FILE]",
		Short:  "Write the man page",
		Hidden: true,
		Args:   Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			page := manPage(cmd.Root())
			if out == "" {
				_, err := io.WriteString(cmd.OutOrStdout(), page)
				return err
			}
			return os.WriteFile(out, []byte(page), 0o666)
		},
	}
	Options(cmd, "Output", func(flags *pflag.FlagSet) {
		flags.StringVar(&out, "out", "", "Write to `FILE` instead of standard output")
	})
	return cmd
}

// manPage returns the page of a program for man(1), in the macros of man(7).
func manPage(root *cobra.Command) string {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH %s 1 \"\" \"%s\"\n", strings.ToUpper(root.Name()), roff(strings.TrimSpace(root.Name()+" "+root.Version)))
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", roff(root.Name()), roff(root.Short))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n%s\n", roff(usageLines(root)[0]))
	if root.Long != "" {
		b.WriteString(".SH DESCRIPTION\n" + manText(root.Long))
	}
	commandGroups(root, func(title string, commands []*cobra.Command) {
		fmt.Fprintf(&b, ".SH %s\n", strings.ToUpper(title))
		for _, cmd := range commands {
			manCommandSection(&b, cmd)
		}
	})
	return b.String()
}

func manCommandSection(b *strings.Builder, cmd *cobra.Command) {
	fmt.Fprintf(b, ".SS %s\n.nf\n%s\n.fi\n.PP\n", roff(cmd.Name()), roff(strings.Join(usageLines(cmd), "\n")))
	b.WriteString(manText(cmd.Long))
	optionGroups(cmd, func(title string, options []*pflag.Flag) {
		options = slices.DeleteFunc(options, func(f *pflag.Flag) bool { return f.Annotations == nil }) // --help
		if len(options) == 0 {
			return
		}
		fmt.Fprintf(b, "\\fI%s\\fR\n", title)
		for _, f := range options {
			_, usage := pflag.UnquoteUsage(f)
			fmt.Fprintf(b, ".TP\n\\fB%s\\fR\n%s\n", roff(optionSynopsis(f)), roff(usage))
		}
		b.WriteString(".PP\n")
	})
	if cmd.Example != "" {
		fmt.Fprintf(b, "\\fIExample\\fR\n%s", manText("  "+cmd.Example))
	}
}

// manText sets paragraphs as text and indented lines as they are.
func manText(text string) string {
	var b strings.Builder
	if text == "" {
		return ""
	}
	for paragraph := range strings.SplitSeq(strings.Trim(text, "\n"), "\n\n") {
		verbatim := false
		for line := range strings.SplitSeq(paragraph, "\n") {
			if indented := strings.HasPrefix(line, "  "); indented != verbatim {
				verbatim = indented
				b.WriteString(map[bool]string{true: ".nf\n", false: ".fi\n"}[indented])
			}
			b.WriteString(roff(line) + "\n")
		}
		if verbatim {
			b.WriteString(".fi\n")
		}
		b.WriteString(".PP\n")
	}
	return b.String()
}

// roff escapes what roff takes for a request, an escape or a hyphen.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "\n.", "\n\\&.", "\n'", "\n\\&'").Replace(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		text = `\&` + text
	}
	return text
}
