package main

import (
	"cmp"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
	"github.com/rules-initramfs/rules_initramfs/internal/efi/eventlog"
	"github.com/rules-initramfs/rules_initramfs/internal/efi/measure"
)

// measureChecker is what packer measure-check was asked for.
type measureChecker struct {
	measured, golden, pcrs, log string
	update, out                 string
	files                       uint
}

func measureCheckCommand() *cobra.Command {
	c := &measureChecker{}
	cmd := &cobra.Command{
		Use:     "measure-check --measured FILE {--golden FILE | --pcrs FILE | --event-log FILE} [OPTION...]",
		GroupID: groupPayload,
		Short:   "Check measurements",
		Long: `Check that the measurements of a payload, which packer measure has written, are those of a
golden file or of a machine. What differs is explained as by packer measure-diff.

The exit code is 0 if they are the same, 1 if they differ, 2 after an error or wrong usage.`,
		Example: "packer measure-check --golden golden.json --measured measurements.json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := cmp.Or(cli.Required(cmd, "measured"), cli.Exclusive(cmd, "golden", "pcrs", "event-log"))
			if err != nil {
				return err
			}
			if c.golden == "" && c.pcrs == "" && c.log == "" {
				return cli.Usagef(cmd, "missing option --golden FILE, --pcrs FILE or --event-log FILE")
			}
			return reportDifference(cmd.Context(), c.out, true, c.compare)
		},
	}
	cli.Options(cmd, "Measurements", func(flags *pflag.FlagSet) {
		flags.StringVar(&c.measured, "measured", "", "Check what packer measure has written to `FILE`")
		flags.StringVar(&c.golden, "golden", "", "Compare with what it has written to `FILE` before")
		flags.StringVar(&c.pcrs, "pcrs", "", "Compare with the PCRs of a machine in `FILE`: lines of a bank, a number and a value, such as: sha256 11 27b4...; other lines are ignored")
		flags.StringVar(&c.log, "event-log", "", "Compare with the event log of a machine in `FILE`, which Linux has in /sys/kernel/security/tpm0/binary_bios_measurements")
	})
	cli.Options(cmd, "Explanation", func(flags *pflag.FlagSet) {
		addFilesOption(flags, &c.files)
		flags.StringVar(&c.update, "update", "", "End the explanation with the command `TEXT`, which updates the golden file")
		addOutOption(flags, &c.out, "")
	})
	return cmd
}

func (c *measureChecker) compare(w io.Writer) (differ bool, err error) {
	if c.golden != "" {
		differ, err = explain(w, [2]string{"golden", "measured"}, c.golden, c.measured, c.files)
		if err == nil && differ && c.update != "" {
			_, err = fmt.Fprintf(w, "\nIf this is as it should be, update the golden file: %s\n", c.update)
		}
		return differ, err
	}
	var report *measure.Report
	err = readFile(c.measured, func(r io.Reader) (err error) {
		report, err = measure.ReadReport(r)
		return err
	})
	if err != nil {
		return false, err
	}
	if c.pcrs != "" {
		err = readFile(c.pcrs, func(r io.Reader) error {
			pcrs, err := measure.ReadPCRs(r)
			if err == nil {
				differ, err = measure.ComparePCRs(w, report, pcrs)
			}
			return err
		})
		return differ, err
	}
	err = readFile(c.log, func(r io.Reader) error {
		log, err := eventlog.Read(r)
		if err == nil {
			differ, err = measure.CompareLog(w, report, log)
		}
		return err
	})
	return differ, err
}
