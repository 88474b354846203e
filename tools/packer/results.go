package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"

	"github.com/spf13/pflag"

	"github.com/rules-initramfs/rules_initramfs/internal/pack/write"
)

// addOutOption adds the option that names a file for a command's results.
func addOutOption(flags *pflag.FlagSet, out *string, more string) {
	flags.StringVar(out, "out", "", "Write to `FILE` instead of standard output; after an error, FILE is unchanged"+more)
}

// writeResults writes the results of a command to standard output or, if name is not empty,
// to a file that gets this name when it is complete.
func writeResults(ctx context.Context, name string, content func(io.Writer) error) error {
	if name != "" {
		return write.File(ctx, name, content)
	}
	out := bufio.NewWriterSize(os.Stdout, 64<<10)
	err := content(out)
	return errors.Join(out.Flush(), err)
}
