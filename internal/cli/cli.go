// Package cli runs the commands of a program, which are cobra's: it adds the help, the
// completion, the man page and the version, and turns errors into messages and exit codes.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rules-initramfs/rules_initramfs/internal/printable"
)

// Exit codes.
const (
	exitFailure = 1
	exitUsage   = 2
)

// ExitError is an error that sets the exit code.
type ExitError struct {
	Code int
	Err  error // nil if the reason has been printed
}

func (e *ExitError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit code %d", e.Code)
	}
	return e.Err.Error()
}

func (e *ExitError) Unwrap() error { return e.Err }

// ErrReported reports failure after the reason has been printed: exit code 1 and no message.
var ErrReported error = &ExitError{Code: exitFailure}

// Usagef returns an error about the use of a command: exit code 2 and one line that ends in
// a pointer to the command's help.
func Usagef(cmd *cobra.Command, format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	stop := "."
	if strings.HasSuffix(err.Error(), "?") {
		stop = ""
	}
	return &ExitError{exitUsage, fmt.Errorf("%w%s See '%s --help'", err, stop, cmd.CommandPath())}
}

// Run runs a program and returns its exit code: 0, 1 after an error, 2 after wrong usage.
// SIGINT, SIGTERM and SIGHUP cancel the command's context.
func Run(root *cobra.Command, args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	// A second signal kills the program if the first one cannot end it, as in a write to a
	// pipe that nobody reads.
	context.AfterFunc(ctx, stop)

	prepare(root)
	root.SetArgs(append([]string{}, args...)) // of nil, cobra makes os.Args
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	code, exit := exitFailure, (*ExitError)(nil)
	if errors.As(err, &exit) {
		code = exit.Code
	}
	switch {
	case exit != nil && exit.Err == nil:
		return code
	case exit == nil && ctx.Err() != nil:
		err = errors.New("interrupted: nothing is written")
	case exit == nil:
		if _, _, unknown := root.Find(args); unknown != nil {
			code, err = exitUsage, unknownCommand(root, args)
		}
	}
	for _, line := range printable.ErrorLines(err) {
		fmt.Fprintf(stderr, "%s: %s\n", root.Name(), line)
	}
	return code
}

// prepare adds to a program what all programs have.
func prepare(root *cobra.Command) {
	cobra.EnableCommandSorting = false
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetFlagErrorFunc(optionError)
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { printHelp(cmd.OutOrStdout(), cmd) })
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetHelpCommand(helpCommand())
	if root.Version != "" {
		root.Flags().Bool("version", false, "Print the version")
	}
	if root.HasSubCommands() {
		addCommands(root)
	}
	addHelp(root)
}

// addHelp adds --help to a command and to those below it.
func addHelp(cmd *cobra.Command) {
	cmd.Flags().SortFlags = false
	cmd.Flags().BoolP("help", "h", false, "Print this help")
	for _, sub := range cmd.Commands() {
		addHelp(sub)
	}
}

// addCommands adds the commands that every program with commands has.
func addCommands(root *cobra.Command) {
	root.AddCommand(completionCommand(), manCommand())
	if root.Version != "" {
		root.AddCommand(&cobra.Command{Use: "version", Hidden: true, Args: Args(), Run: func(cmd *cobra.Command, _ []string) {
			fmt.Fprintln(cmd.OutOrStdout(), root.Name(), "version", root.Version) // as cobra prints it
		}})
	}
	root.RunE = func(cmd *cobra.Command, _ []string) error {
		printHelp(cmd.ErrOrStderr(), cmd)
		return &ExitError{Code: exitUsage}
	}
}

func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "help [COMMAND]",
		Hidden: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			topic, _, err := cmd.Root().Find(args)
			if err != nil {
				return unknownCommand(cmd.Root(), args)
			}
			return topic.Help()
		},
	}
}

func completionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "completion bash|zsh|fish",
		Short: "Print a completion script for a shell",
		Long: `Print a script that completes commands, options and their values in a shell.
Bash needs the package bash-completion.`,
		ValidArgs: []string{"bash", "zsh", "fish"},
		Args:      Args("bash|zsh|fish"),
		RunE: func(cmd *cobra.Command, args []string) error {
			root, out := cmd.Root(), cmd.OutOrStdout()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(out, true)
			case "zsh":
				return root.GenZshCompletion(out)
			case "fish":
				return root.GenFishCompletion(out, true)
			}
			return Usagef(cmd, "unknown shell %q: want bash, zsh or fish", args[0])
		},
	}
}

// unknownCommand returns the error about arguments that name no command.
func unknownCommand(root *cobra.Command, args []string) error {
	for _, arg := range args {
		if !strings.HasPrefix(arg, "-") {
			return Usagef(root, "unknown command %q%s", arg, didYouMean(similarCommands(root, arg)))
		}
	}
	return Usagef(root, "no command")
}

// optionError words an error of the option parser.
func optionError(cmd *cobra.Command, err error) error {
	var (
		unknown *pflag.NotExistError
		missing *pflag.ValueRequiredError
		invalid *pflag.InvalidValueError
	)
	switch {
	case errors.As(err, &unknown):
		name, dashes := unknown.GetSpecifiedName(), "--"
		if letters := unknown.GetSpecifiedShortnames(); letters != "" {
			name, dashes = letters, "-"
		}
		return Usagef(cmd, "unknown option %s%s%s", dashes, name, didYouMean(similarOptions(cmd, name)))
	case errors.As(err, &missing):
		return Usagef(cmd, "option %s needs a value: %s", optionName(missing.GetFlag()), optionUsage(missing.GetFlag()))
	case errors.As(err, &invalid):
		cause := invalid.Unwrap()
		var number *strconv.NumError
		if errors.As(cause, &number) {
			cause = fmt.Errorf("%q is not a valid number", invalid.GetValue())
		}
		return Usagef(cmd, "option %s: %w", optionName(invalid.GetFlag()), cause)
	}
	return Usagef(cmd, "%w", err)
}

// similarOptions returns the options of a command whose names are most like the misspelled one.
func similarOptions(cmd *cobra.Command, name string) []string {
	options := &cobra.Command{} // cobra compares the names of commands only
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		options.AddCommand(&cobra.Command{Use: optionName(f), Run: func(*cobra.Command, []string) {}})
	})
	return similarCommands(options, "--"+name)
}

// similarCommands returns the commands whose names are most like the misspelled one.
func similarCommands(parent *cobra.Command, name string) []string {
	for parent.SuggestionsMinimumDistance = range 3 {
		if names := parent.SuggestionsFor(name); len(names) > 0 {
			return names
		}
	}
	return nil
}

func didYouMean(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return ": did you mean " + strings.Join(words, " or ") + "?"
}

// Args returns a check that a command has the arguments of these names: "NAME" is one,
// "NAME..." is one or more, "[NAME...]" is any number.
func Args(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		for i, name := range names {
			switch {
			case strings.HasPrefix(name, "["):
				return nil
			case i >= len(args):
				return Usagef(cmd, "missing argument %s", strings.TrimSuffix(name, "..."))
			case strings.HasSuffix(name, "..."):
				return nil
			}
		}
		if len(args) > len(names) {
			return Usagef(cmd, "unexpected argument %q", args[len(names)])
		}
		return nil
	}
}

// ReadArguments parses the options in the files that a command's arguments name as @FILE, one on
// each line, as if they had been given last. Another argument is an error.
func ReadArguments(cmd *cobra.Command, args []string) error {
	for _, arg := range args {
		name, ok := strings.CutPrefix(arg, "@")
		if !ok {
			return Usagef(cmd, "unexpected argument %q", arg)
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		var options []string
		for line := range strings.Lines(string(text)) {
			options = append(options, strings.TrimSuffix(line, "\n"))
		}
		if len(options) == 0 {
			continue // pflag would keep the arguments before
		}
		if err := cmd.ParseFlags(options); err != nil {
			return optionError(cmd, err)
		}
		if rest := cmd.Flags().Args(); len(rest) > 0 {
			return Usagef(cmd, "unexpected argument %q in %s", rest[0], name)
		}
	}
	return nil
}

// Required reports the first of these options that a command was not given.
func Required(cmd *cobra.Command, names ...string) error {
	for _, name := range names {
		if f := cmd.Flags().Lookup(name); f.Value.String() == "" {
			return Usagef(cmd, "missing option %s", optionUsage(f))
		}
	}
	return nil
}

// Exclusive reports two of these options that a command was given together.
func Exclusive(cmd *cobra.Command, names ...string) error {
	first := ""
	for _, name := range names {
		switch {
		case !cmd.Flags().Changed(name):
		case first != "":
			return Usagef(cmd, "--%s and --%s exclude each other", first, name)
		default:
			first = name
		}
	}
	return nil
}

// CompleteValues makes the shell complete the value of a command's option with these words.
func CompleteValues(cmd *cobra.Command, option string, words ...string) {
	if err := cmd.RegisterFlagCompletionFunc(option, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // there is no such option
	}
}

// AddJobs adds the option --jobs, whose value is at least 1.
func AddJobs(flags *pflag.FlagSet, jobs *int, usage string) {
	flags.Func("jobs", usage, func(text string) (err error) {
		if *jobs, err = strconv.Atoi(text); err == nil && *jobs < 1 {
			err = fmt.Errorf("%q: want 1 or more", text)
		}
		return err
	})
}
