package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"io"
	"os"

	"github.com/rules-initramfs/rules_initramfs/internal/pack/write"
)

// addOutFlag adds the flag that names a file for a command's results.
func addOutFlag(flags *flag.FlagSet, more string) *string {
	return flags.String("out", "", "write to `FILE`, which is as it was on an error, instead of standard output"+more)
}

// writeResults gives the results of a command to standard output or, if name is not
// empty, to a file that has this name once all of them are there.
func writeResults(ctx context.Context, name string, content func(io.Writer) error) error {
	if name != "" {
		return write.File(ctx, name, content)
	}
	out := bufio.NewWriterSize(os.Stdout, 64<<10)
	err := content(out)
	return errors.Join(out.Flush(), err)
}
