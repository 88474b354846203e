package cli

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const usage = `Usage: tool COMMAND [OPTION...] [ARGUMENT...]

Commands:
  fail  fail in two ways
  greet greet somebody

tool COMMAND --help tells more; tool --version tells the version.
`

// result is what a run gives.
type result struct {
	Code           int
	Stdout, Stderr string
}

func run(p *Program, args ...string) result {
	var stdout, stderr bytes.Buffer
	code := p.Run(args, &stdout, &stderr)
	return result{code, stdout.String(), stderr.String()}
}

// tool is a program whose command greet takes its error from outside.
func tool(err *error) *Program {
	return &Program{Name: "tool", Version: "1.2", Commands: []Command{
		{"fail", "fail in two ways", func(context.Context, []string) error {
			return errors.Join(errors.New("one"), errors.New("two"))
		}},
		{"greet", "greet somebody", func(_ context.Context, args []string) error {
			if len(args) != 1 || args[0] != "you" {
				return fmt.Errorf("arguments %q", args)
			}
			return *err
		}},
	}}
}

func TestRun(t *testing.T) {
	for _, test := range []struct {
		args []string
		err  error
		want result
	}{
		{nil, nil, result{2, "", usage}},
		{[]string{"--help"}, nil, result{0, usage, ""}},
		{[]string{"help"}, nil, result{0, usage, ""}},
		{[]string{"--version"}, nil, result{0, "tool 1.2\n", ""}},
		{[]string{"boil"}, nil, result{2, "", "tool: unknown command \"boil\"\n" + usage}},
		{[]string{"fail"}, nil, result{1, "", "tool: one\ntool: two\n"}},
		{[]string{"greet", "you"}, nil, result{0, "", ""}},
		{[]string{"greet", "you"}, flag.ErrHelp, result{0, "", ""}},
		{[]string{"greet", "you"}, ErrUsage, result{2, "", ""}},
		{[]string{"greet", "you"}, fmt.Errorf("a b: %w", ErrAnswered), result{1, "", ""}},
		{[]string{"greet", "you"}, errors.New("no"), result{1, "", "tool: no\n"}},
	} {
		if diff := cmp.Diff(test.want, run(tool(&test.err), test.args...)); diff != "" {
			t.Errorf("%q, error %v: -want +got\n%s", test.args, test.err, diff)
		}
	}
}

// A program without a version does not know the word.
func TestRunNoVersion(t *testing.T) {
	if got := run(&Program{Name: "tool"}, "--version"); got.Code != 2 {
		t.Errorf("%+v", got)
	}
}

func TestRunInterrupted(t *testing.T) {
	p := &Program{Name: "tool", Commands: []Command{{"wait", "wait for a signal", func(ctx context.Context, _ []string) error {
		if err := syscall.Kill(syscall.Getpid(), syscall.SIGTERM); err != nil {
			return err
		}
		<-ctx.Done()
		return ctx.Err()
	}}}}
	if diff := cmp.Diff(result{1, "", "tool: interrupted: nothing is written\n"}, run(p, "wait")); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
