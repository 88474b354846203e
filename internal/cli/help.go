package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// groupKey is the annotation of an option that names its group.
const groupKey = "group"

// Options adds a group of options to a command. In the usage text of an option that has a
// value, back quotes mark the name of the value, as in "write to `FILE`".
func Options(cmd *cobra.Command, title string, add func(*pflag.FlagSet)) {
	group := pflag.NewFlagSet(title, pflag.ContinueOnError)
	group.SortFlags = false
	add(group)
	group.VisitAll(func(f *pflag.Flag) { f.Annotations = map[string][]string{groupKey: {title}} })
	cmd.Flags().SortFlags = false
	cmd.Flags().AddFlagSet(group)
}

// helpWidth is how wide the lines of help are.
const helpWidth = 88

func printHelp(w io.Writer, cmd *cobra.Command) {
	for i, line := range usageLines(cmd) {
		fmt.Fprintln(w, []string{"Usage:", "      "}[min(i, 1)], line)
	}
	for _, text := range []string{cmd.Long, commandsHelp(cmd), optionsHelp(cmd), examplesHelp(cmd)} {
		if text != "" {
			fmt.Fprintf(w, "\n%s\n", strings.Trim(text, "\n"))
		}
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(w, "\nSee '%s COMMAND --help' for a command.\n", cmd.Root().Name())
	}
}

// usageLines returns the ways to call a command. Its Use has a line for each, and each line
// begins with the command's name.
func usageLines(cmd *cobra.Command) []string {
	if cmd.HasAvailableSubCommands() {
		return []string{cmd.CommandPath() + " COMMAND [OPTION...] [ARGUMENT...]"}
	}
	var lines []string
	for line := range strings.SplitSeq(cmd.Use, "\n") {
		_, arguments, _ := strings.Cut(line, " ")
		lines = append(lines, strings.TrimSpace(cmd.CommandPath()+" "+arguments))
	}
	return lines
}

// commandGroups calls visit for each group of commands, and last for those of no group.
func commandGroups(cmd *cobra.Command, visit func(title string, commands []*cobra.Command)) {
	for _, group := range append(cmd.Groups(), &cobra.Group{Title: "Other commands"}) {
		var commands []*cobra.Command
		for _, sub := range cmd.Commands() {
			if sub.GroupID == group.ID && sub.IsAvailableCommand() {
				commands = append(commands, sub)
			}
		}
		if len(commands) > 0 {
			visit(group.Title, commands)
		}
	}
}

func commandsHelp(cmd *cobra.Command) string {
	var b strings.Builder
	commandGroups(cmd, func(title string, commands []*cobra.Command) {
		fmt.Fprintf(&b, "\n%s:\n", title)
		for _, sub := range commands {
			fmt.Fprintf(&b, "  %-*s  %s\n", sub.NamePadding(), sub.Name(), sub.Short)
		}
	})
	return b.String()
}

// optionGroups calls visit for each group of a command's options. A single group is not worth
// a heading of its own.
func optionGroups(cmd *cobra.Command, visit func(title string, options []*pflag.Flag)) {
	var titles []string
	groups := map[string][]*pflag.Flag{}
	var all []*pflag.Flag
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		title := "Other options"
		if group := f.Annotations[groupKey]; group != nil {
			title = group[0]
		}
		if groups[title] == nil {
			titles = append(titles, title)
		}
		groups[title] = append(groups[title], f)
		all = append(all, f)
	})
	if len(titles) <= 2 { // the second is that of --help
		visit("Options", all)
		return
	}
	for _, title := range titles {
		visit(title, groups[title])
	}
}

func optionsHelp(cmd *cobra.Command) string {
	if cmd.DisableFlagParsing {
		return "" // its help has its options
	}
	width := 0
	cmd.Flags().VisitAll(func(f *pflag.Flag) { width = max(width, len(optionSynopsis(f))) })
	var b strings.Builder
	optionGroups(cmd, func(title string, options []*pflag.Flag) {
		fmt.Fprintf(&b, "\n%s:\n", title)
		for _, f := range options {
			_, usage := pflag.UnquoteUsage(f)
			synopsis := optionSynopsis(f)
			for _, line := range wrap(usage, helpWidth-width-4) {
				fmt.Fprintf(&b, "  %-*s  %s\n", width, synopsis, line)
				synopsis = ""
			}
		}
	})
	return b.String()
}

func examplesHelp(cmd *cobra.Command) string {
	if cmd.Example == "" {
		return ""
	}
	return "Example:\n  " + strings.ReplaceAll(strings.TrimSpace(cmd.Example), "\n", "\n  ")
}

// optionName is how messages name an option.
func optionName(f *pflag.Flag) string { return "--" + f.Name }

// optionUsage is an option with its value, as in "--out FILE".
func optionUsage(f *pflag.Flag) string {
	value, _ := pflag.UnquoteUsage(f)
	switch {
	case value == "":
		return optionName(f)
	case f.NoOptDefVal != "":
		return optionName(f) + "[=" + value + "]"
	}
	return optionName(f) + " " + value
}

// optionSynopsis is an option as help has it, with its letter.
func optionSynopsis(f *pflag.Flag) string {
	if f.Shorthand != "" {
		return "-" + f.Shorthand + ", " + optionUsage(f)
	}
	return optionUsage(f)
}

// wrap breaks a text into lines of a width.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return append(lines, line)
}
