// Package cli runs programs that have commands: it finds the command, and makes messages and an
// exit code of what becomes of it.
package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// Command is one of a program's.
type Command struct {
	// Name is the word that calls it; Summary is its line in the program's help.
	Name, Summary string
	// Run does what the arguments say, until the context ends.
	Run func(ctx context.Context, args []string) error
}

// Program is a program that has commands.
type Program struct {
	Name     string
	Version  string // empty if it has none
	Commands []Command
}

// ErrUsage is wrong usage that has been reported: exit code 2.
var ErrUsage = errors.New("wrong usage")

// ErrAnswered is a no that what was printed has given: exit code 1 and no message.
var ErrAnswered = errors.New("answered")

// Run runs the command that the arguments begin with, and returns the exit code: 0, 1 after an
// error, 2 after wrong usage. Signals that ask for an end end the command's context.
func (p *Program) Run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	// A second signal ends what the first one cannot: a read from a terminal, a
	// write to a pipe that nobody reads.
	context.AfterFunc(ctx, stop)
	if len(args) == 0 {
		p.usage(stderr)
		return 2
	}
	switch args[0] {
	case "-h", "--help", "help":
		p.usage(stdout)
		return 0
	case "--version", "version":
		if p.Version != "" {
			fmt.Fprintln(stdout, p.Name, p.Version)
			return 0
		}
	}
	for _, c := range p.Commands {
		if c.Name == args[0] {
			return p.exitCode(ctx, c.Run(ctx, args[1:]), stderr)
		}
	}
	fmt.Fprintf(stderr, "%s: unknown command %q\n", p.Name, args[0])
	p.usage(stderr)
	return 2
}

// exitCode reports the error of a command and returns what the program exits with.
func (p *Program) exitCode(ctx context.Context, err error, stderr io.Writer) int {
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, ErrUsage):
		return 2
	case errors.Is(err, ErrAnswered):
		return 1
	case ctx.Err() != nil:
		fmt.Fprintf(stderr, "%s: interrupted: nothing is written\n", p.Name)
		return 1
	}
	// One fault a line: there may be several.
	for line := range strings.SplitSeq(err.Error(), "\n") {
		fmt.Fprintf(stderr, "%s: %s\n", p.Name, line)
	}
	return 1
}

func (p *Program) usage(w io.Writer) {
	width := 0
	for _, c := range p.Commands {
		width = max(width, len(c.Name))
	}
	fmt.Fprintf(w, "Usage: %s COMMAND [OPTION...] [ARGUMENT...]\n\nCommands:\n", p.Name)
	for _, c := range p.Commands {
		fmt.Fprintf(w, "  %-*s %s\n", width, c.Name, c.Summary)
	}
	fmt.Fprintf(w, "\n%s COMMAND --help tells more", p.Name)
	if p.Version != "" {
		fmt.Fprintf(w, "; %s --version tells the version", p.Name)
	}
	fmt.Fprint(w, ".\n")
}
