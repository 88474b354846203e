// Package clitest checks what the command line of each program must have.
package clitest

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
)

// Result is what a run of a program gives.
type Result struct {
	Code           int
	Stdout, Stderr string
}

// Run runs a program. Only what the command line itself prints is in the result: commands
// may write to the standard output of the process.
func Run(program *cobra.Command, args ...string) Result {
	var stdout, stderr bytes.Buffer
	code := cli.Run(program, args, &stdout, &stderr)
	return Result{code, stdout.String(), stderr.String()}
}

// Help returns the help of a program and its commands, by their names. It fails unless each
// help is right in form.
func Help(t *testing.T, newProgram func() *cobra.Command) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, path := range commands(newProgram()) {
		args := strings.Fields(path)[1:]
		result := Run(newProgram(), append(args, "--help")...)
		if result.Code != 0 || result.Stderr != "" {
			t.Errorf("%s --help: exit code %d: %s", path, result.Code, result.Stderr)
		}
		for line := range strings.SplitSeq(result.Stdout, "\n") {
			if len(line) > 100 && strings.HasPrefix(line, "   ") {
				t.Errorf("%s --help: %d columns: %s", path, len(line), line)
			}
		}
		texts[path] = result.Stdout
	}
	return texts
}

// commands returns the names of a program and its commands, those of package cli excepted.
func commands(program *cobra.Command) []string {
	paths := []string{program.Name()}
	for _, cmd := range program.Commands() {
		paths = append(paths, program.Name()+" "+cmd.Name())
	}
	return paths
}

// Usage runs a program with wrong arguments, and returns the messages by the arguments. It
// fails unless the exit code is 2 and each message is one line.
func Usage(t *testing.T, newProgram func() *cobra.Command, wrong ...string) map[string]string {
	t.Helper()
	messages := map[string]string{}
	for _, args := range wrong {
		result := Run(newProgram(), strings.Fields(args)...)
		if result.Code != 2 || result.Stdout != "" || strings.Count(result.Stderr, "\n") != 1 {
			t.Errorf("%s: exit code %d, want 2 and one line: %s%s", args, result.Code, result.Stdout, result.Stderr)
		}
		messages[newProgram().Name()+" "+args] = result.Stderr
	}
	return messages
}

// Options checks each option of a program: it is in a group, its value has a name in
// capitals, and it may follow arguments. values has a value for each option that takes one.
func Options(t *testing.T, newProgram func() *cobra.Command, values map[string]string) {
	t.Helper()
	capitals := regexp.MustCompile(`^[A-Z][A-Z:,.=\[\]]*$`)
	for _, path := range commands(newProgram()) {
		find := func() *cobra.Command {
			cmd, _, err := newProgram().Find(strings.Fields(path)[1:])
			if err != nil {
				t.Fatal(err)
			}
			return cmd
		}
		find().Flags().VisitAll(func(f *pflag.Flag) {
			name, _ := pflag.UnquoteUsage(f)
			if name != "" && !capitals.MatchString(name) {
				t.Errorf("%s --%s: the name of the value is %q", path, f.Name, name)
			}
			if !strings.HasPrefix(f.Name, "version") && f.Annotations == nil {
				t.Errorf("%s --%s is in no group", path, f.Name)
			}
			args := []string{"argument", "--" + f.Name}
			if name != "" && f.NoOptDefVal == "" {
				value, ok := values[f.Name]
				if !ok {
					t.Errorf("%s --%s: the test has no value for it", path, f.Name)
				}
				args = append(args, value)
			}
			cmd := find()
			if err := cmd.ParseFlags(append(args, "another")); err != nil {
				t.Errorf("%s %q: %v", path, args, err)
			}
			if rest := cmd.Flags().Args(); !cmd.Flags().Changed(f.Name) || !slices.Equal(rest, []string{"argument", "another"}) {
				t.Errorf("%s %q: the option is not set, or the arguments are %q", path, args, rest)
			}
		})
	}
}

// Examples checks that the example of each command is a command line that the program
// takes. Every command has one.
func Examples(t *testing.T, newProgram func() *cobra.Command) {
	t.Helper()
	for _, path := range commands(newProgram())[1:] {
		program := newProgram()
		cmd, _, err := program.Find(strings.Fields(path)[1:])
		if err != nil {
			t.Fatal(err)
		}
		words := strings.Fields(cmd.Example)
		if len(words) < 2 || words[0] != program.Name() {
			t.Errorf("%s: the example is %q", path, cmd.Example)
			continue
		}
		found, args, err := program.Find(words[1:])
		if err != nil || found != cmd {
			t.Errorf("%s: the example %q is of %v, %v", path, cmd.Example, found, err)
			continue
		}
		if !cmd.DisableFlagParsing {
			err = cmd.ParseFlags(args)
			args = cmd.Flags().Args()
		}
		if err == nil {
			err = cmd.ValidateArgs(args)
		}
		if err != nil {
			t.Errorf("%s: the example %q: %v", path, cmd.Example, err)
		}
	}
}
