package main

import (
	"errors"
	"flag"
	"fmt"
	"strconv"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/codec"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/write"
)

// addMethodFlags adds the flags that say how to compress.
func addMethodFlags(flags *flag.FlagSet, opts *write.Options) {
	flags.Func("compress", "compress with `CODEC[:LEVEL]`: "+strings.Join(codec.Names(), ", ")+" (default none)",
		func(text string) (err error) {
			opts.Method, err = codec.Parse(text)
			return err
		})
	flags.Func("compressor", "compress with a program, such as 'zstd -19': `COMMAND` compresses standard input to standard output and runs without a shell",
		func(text string) (err error) {
			opts.Method, err = codec.ParseProgram(text)
			return err
		})
	program := []string{""}
	set := func() (err error) {
		opts.Method, err = codec.Program(program...)
		return err
	}
	flags.Func("compressor-program", "like --compressor, with a `PROGRAM` as it is: blanks and quotes are a part of its name", func(name string) error {
		program[0] = name
		return set()
	})
	flags.Func("compressor-arg", "an `ARGUMENT` of --compressor-program, as it is; may be repeated", func(arg string) error {
		program = append(program, arg)
		if program[0] == "" {
			return errors.New("it comes after --compressor-program")
		}
		return set()
	})
}

// bothMethods tells whether the flags say twice how to compress.
func bothMethods(flags *flag.FlagSet) bool {
	given := 0
	flags.Visit(func(f *flag.Flag) {
		switch f.Name {
		case "compress", "compressor", "compressor-program":
			given++
		}
	})
	return given > 1
}

// addFormatFlags adds the flags that say what every record of an archive is like.
func addFormatFlags(flags *flag.FlagSet, opts *write.Options) {
	flags.Func("mtime", "the time of every entry, in `SECONDS` since 1970 (default 0)", func(text string) error {
		mtime, err := strconv.ParseUint(text, 10, 32)
		opts.MTime = uint32(mtime)
		if err != nil {
			return fmt.Errorf("want 0 to 4294967295")
		}
		return nil
	})
	flags.BoolVar(&opts.Checksum, "checksum", false, "add a sum over the content of each file, which the kernel checks")
}

// addListingFlags adds the flags that name files for what is in the image.
func addListingFlags(flags *flag.FlagSet, opts *write.Options) {
	flags.StringVar(&opts.ListOut, "write-list", "", "write the list of what is in the image to `FILE`")
	flags.StringVar(&opts.ListingOut, "write-listing", "", "write what packer ls prints of the image to `FILE`")
	flags.StringVar(&opts.JSONOut, "write-json", "", "write what packer ls --json prints of the image to `FILE`, with the origins of entries")
}

// addFrameFlags adds the flags that say what is around an archive.
func addFrameFlags(flags *flag.FlagSet, opts *write.Options) {
	flags.Func("prepend", "begin the image with `FILE` as it is: an early archive, not compressed, such as microcode; may be repeated",
		func(name string) error {
			opts.Prepend = append(opts.Prepend, name)
			return nil
		})
	flags.StringVar(&opts.Bootconfig, "bootconfig", "", "end the image with the boot configuration in `FILE`")
}
