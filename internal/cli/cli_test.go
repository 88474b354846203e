package cli

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rules-initramfs/rules_initramfs/internal/golden"
)

// result is what a run gives.
type result struct {
	Code           int
	Stdout, Stderr string
}

func run(p *cobra.Command, args ...string) result {
	var stdout, stderr bytes.Buffer
	code := Run(p, args, &stdout, &stderr)
	return result{code, stdout.String(), stderr.String()}
}

// tool is a program whose command greet returns an error.
func tool(err error) *cobra.Command {
	program := &cobra.Command{Use: "tool", Short: "say something", Version: "1.2"}
	program.AddGroup(&cobra.Group{ID: "say", Title: "Say something"})
	out, jobs := "", 0
	greet := &cobra.Command{
		Use:        "greet [OPTION...] NAME\ngreet --nobody",
		GroupID:    "say",
		SuggestFor: []string{"welcome"},
		Short:      "Greet somebody",
		Long:       "Greet somebody.\n\n  .a\\b\n\nThat is all.",
		Example:    "tool greet you",
		Args:       Args("NAME", "[FRIEND...]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := Exclusive(cmd, "out", "loud"); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%q %q %d\n", args, out, jobs)
			return err
		},
	}
	Options(greet, "Output", func(flags *pflag.FlagSet) {
		flags.StringVar(&out, "out", "", "Write to `FILE`, which is a long text that goes on and on and does not fit into a line of help")
		flags.Bool("loud", false, "Greet loudly")
		AddJobs(flags, &jobs, "Run `N` jobs")
	})
	program.AddCommand(greet, &cobra.Command{
		Use:     "fail FILE...",
		GroupID: "say",
		Short:   "Fail in two ways",
		Args:    Args("FILE..."),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return errors.Join(errors.New("one"), errors.New("two"))
		},
	})
	return program
}

func TestRun(t *testing.T) {
	help := run(tool(nil), "--help").Stdout
	greetHelp := run(tool(nil), "greet", "--help").Stdout
	for _, test := range []struct {
		args string
		err  error
		want result
	}{
		{"", nil, result{2, "", help}},
		{"--help", nil, result{0, help, ""}},
		{"-h", nil, result{0, help, ""}},
		{"help", nil, result{0, help, ""}},
		{"help greet", nil, result{0, greetHelp, ""}},
		{"greet you -h", nil, result{0, greetHelp, ""}},
		{"--version", nil, result{0, "tool version 1.2\n", ""}},
		{"version", nil, result{0, "tool version 1.2\n", ""}},
		{"fail x", nil, result{1, "", "tool: one\ntool: two\n"}},
		{"greet you", nil, result{0, "[\"you\"] \"\" 0\n", ""}},
		{"greet you --out x -- --loud", nil, result{0, "[\"you\" \"--loud\"] \"x\" 0\n", ""}},
		{"greet you --jobs=3", ErrReported, result{1, "[\"you\"] \"\" 3\n", ""}},
		{"greet you", fmt.Errorf("a b: %w", ErrReported), result{1, "[\"you\"] \"\" 0\n", ""}},
		{"greet you", errors.New("no"), result{1, "[\"you\"] \"\" 0\n", "tool: no\n"}},
		{"greet you", &ExitError{3, errors.New("no")}, result{3, "[\"you\"] \"\" 0\n", "tool: no\n"}},
	} {
		if diff := cmp.Diff(test.want, run(tool(test.err), strings.Fields(test.args)...)); diff != "" {
			t.Errorf("%q, error %v: -want +got\n%s", test.args, test.err, diff)
		}
	}
}

// Wrong usage is one line, with exit code 2.
func TestUsage(t *testing.T) {
	messages := map[string]string{}
	for _, args := range []string{
		"gret you",
		"welcome you",
		"boil",
		"boil --out x",
		"--ot",
		"help boil",
		"greet",
		"greet you --ot x",
		"greet you -out x",
		"greet you --nothing-like-it",
		"greet you --out",
		"greet you --jobs 0",
		"greet you --jobs many",
		"greet you --loud=maybe",
		"greet you --loud --out x",
		"greet you --=x",
		"fail",
		"completion",
		"completion tcsh",
		"completion bash zsh",
	} {
		got := run(tool(nil), strings.Fields(args)...)
		if got.Code != 2 || got.Stdout != "" || strings.Count(got.Stderr, "\n") != 1 {
			t.Errorf("%q: %+v, want exit code 2 and one line", args, got)
		}
		messages["tool "+args] = got.Stderr
	}
	golden.Messages(t, "TestUsage.txt", messages)
}

func TestHelp(t *testing.T) {
	golden.Messages(t, "TestHelp.txt", map[string]string{
		"tool --help":       run(tool(nil), "--help").Stdout,
		"tool greet --help": run(tool(nil), "greet", "--help").Stdout,
	})
}

func TestMan(t *testing.T) {
	page := run(tool(nil), "man").Stdout
	golden.Text(t, "tool.1", page)
	name := filepath.Join(t.TempDir(), "tool.1")
	if got := run(tool(nil), "man", "--out", name); got != (result{}) {
		t.Errorf("%+v", got)
	}
	if written, err := os.ReadFile(name); err != nil || string(written) != page {
		t.Errorf("%s, %v: want %s", written, err, page)
	}
}

// A script for each shell; what it asks the program for is tested by the answer.
func TestCompletion(t *testing.T) {
	for shell, want := range map[string]string{"bash": "complete -o default -F __start_tool tool", "zsh": "#compdef tool", "fish": "complete -c tool"} {
		if got := run(tool(nil), "completion", shell); got.Code != 0 || !strings.Contains(got.Stdout, want) {
			t.Errorf("%s: exit code %d, no %q", shell, got.Code, want)
		}
	}
	for args, want := range map[string]string{
		"__complete gr":          "greet\t",
		"__complete greet --lo":  "--loud\t",
		"__complete completion ": "bash\n",
	} {
		words := strings.Split(args, " ")
		if got := run(tool(nil), words...); got.Code != 0 || !strings.HasPrefix(got.Stdout, want) {
			t.Errorf("%q: %+v, want %q", args, got, want)
		}
	}
}

// A program without a version does not have the option.
func TestRunNoVersion(t *testing.T) {
	program := tool(nil)
	program.Version = ""
	if got := run(program, "--version"); got.Code != 2 {
		t.Errorf("%+v", got)
	}
}
