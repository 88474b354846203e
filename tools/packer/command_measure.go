package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
	"github.com/rules-initramfs/rules_initramfs/internal/efi/measure"
	"github.com/rules-initramfs/rules_initramfs/internal/efi/pe"
	"github.com/rules-initramfs/rules_initramfs/internal/parts"
)

// measurer is what packer measure was asked for.
type measurer struct {
	payload                   string
	addons, contents          []string
	disk, initrd, out, origin string
	profile, failures         uint
	opts                      measure.Options
	bankNames                 []string
	phases                    []string
	loadOptions               string
	secureBoot                bool
	compatible                string
}

func measureCommand() *cobra.Command {
	m := &measurer{}
	cmd := &cobra.Command{
		Use:     "measure --out FILE [OPTION...] IMAGE",
		GroupID: groupPayload,
		Short:   "Predict what the TPM will hold",
		Long: `Predict what the PCRs of a TPM hold when firmware has started IMAGE and the kernel starts
/init. IMAGE is a unified kernel image with systemd-stub, or a kernel that firmware starts.
FILE gets JSON: the PCRs, the events that extend them, and the digests of the sections and of
the files in the initramfs, so that packer measure-diff can explain a difference.

  PCR 4   the payload, as firmware measures it
  PCR 5   the partition table, with --disk
  PCR 9   the command line and the initrd that the kernel gets
  PCR 11  the sections of a unified kernel image, and the phases of the boot
  PCR 12  what systemd-stub gets from outside of the image
  PCR 13  system extensions: none

FILE also says what the boot has to be like, and why other PCRs are not predicted. A signature
of IMAGE changes nothing.

After an error, the exit code is 1 and FILE is unchanged. Wrong usage exits with 2.`,
		Example: "packer measure --contents initramfs.json --out measurements.json linux.efi",
		Args:    cli.Args("IMAGE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			m.payload = args[0]
			return m.start(cmd)
		},
	}
	cli.Options(cmd, "Prediction", func(flags *pflag.FlagSet) {
		flags.StringArrayVar(&m.bankNames, "bank", nil, "Predict the bank `NAME`: sha1, sha256 (the default), sha384 or sha512; may be repeated")
		addPhaseOption(flags, &m.phases)
		flags.StringArrayVar(&m.contents, "contents", nil,
			"Name the target of each file of the initramfs, as `FILE` says, which packer pack or join --write-json has written; may be repeated")
	})
	cli.CompleteValues(cmd, "bank", measure.BankNames()...)
	cli.Options(cmd, "Boot", func(flags *pflag.FlagSet) {
		flags.UintVar(&m.profile, "profile", 0, "Start the profile `NUMBER` of the image")
		flags.StringVar(&m.loadOptions, "load-options", "", "Start the image from a boot entry with the command line `TEXT`")
		flags.StringVar(&m.initrd, "initrd", "", "Have a kernel load the initrd `FILE`, as initrd= in --load-options says")
		flags.BoolVar(&m.secureBoot, "secure-boot", false, "Have Secure Boot on: an image with a command line ignores --load-options")
		flags.StringVar(&m.compatible, "compatible", "", "Have a device tree whose first compatible name is `NAME`, which chooses a .dtbauto")
		flags.StringArrayVar(&m.addons, "addon", nil, "Have the addon `FILE` of systemd-stub on the disk; may be repeated, in the order of systemd-stub")
		flags.StringVar(&m.disk, "disk", "", "Start the image from the disk `FILE`, which has a partition table (GPT)")
		flags.UintVar(&m.failures, "failures", 0, "Have firmware try `NUMBER` boot options before that load nothing")
	})
	cli.Options(cmd, "Output", func(flags *pflag.FlagSet) {
		flags.StringVar(&m.out, "out", "", "Write the measurements to `FILE`")
		flags.StringVar(&m.origin, "origin", "", "Begin errors with `TEXT`, such as the label of a target")
	})
	return cmd
}

// addPhaseOption adds the option for the phases of a boot.
func addPhaseOption(flags *pflag.FlagSet, phases *[]string) {
	flags.StringArrayVar(phases, "phase", nil,
		"Predict PCR 11 after the phases `WORDS`, such as enter-initrd:leave-initrd; may be repeated (default: up to each of enter-initrd, leave-initrd, sysinit and ready)")
}

func (m *measurer) start(cmd *cobra.Command) error {
	err := cli.Required(cmd, "out")
	if err == nil {
		err = m.options(cmd)
	}
	inputs := append(usedFiles("--contents", m.contents), usedFiles("--addon", m.addons)...)
	err = cmp.Or(err, checkOutputs(cmd, []usedFile{{"--out", m.out}}, append(inputs, usedFile{"IMAGE", m.payload}, usedFile{"--disk", m.disk}, usedFile{"--initrd", m.initrd})...))
	if err != nil {
		return err
	}
	if err := m.run(cmd.Context()); err != nil {
		if m.origin != "" {
			err = prefixErrors(m.origin, err)
		}
		return err
	}
	return nil
}

// maxFailures is more boot options than firmware has.
const maxFailures = 1 << 12

func (m *measurer) options(cmd *cobra.Command) (err error) {
	if m.failures > maxFailures || m.profile > maxFailures {
		return cli.Usagef(cmd, "--failures and --profile are at most %d", maxFailures)
	}
	m.opts = measure.Options{
		Profile: int(m.profile), LoadOptions: m.loadOptions, SecureBoot: m.secureBoot, Compatible: m.compatible,
		Failures: int(m.failures), Phases: m.phases,
	}
	m.opts.Banks, err = parseBanks(cmd, m.bankNames)
	return err
}

// parseBanks returns the banks with these names, each once, in the order of all banks.
func parseBanks(cmd *cobra.Command, names []string) ([]measure.Bank, error) {
	wanted := map[string]bool{}
	for _, name := range names {
		if _, err := measure.ParseBank(name); err != nil {
			return nil, cli.Usagef(cmd, "--bank: %w", err)
		}
		wanted[name] = true
	}
	var banks []measure.Bank
	for _, name := range measure.BankNames() {
		if wanted[name] {
			bank, _ := measure.ParseBank(name)
			banks = append(banks, bank)
		}
	}
	return banks, nil
}

func (m *measurer) run(ctx context.Context) error {
	for _, name := range m.addons {
		file, close, err := openEFI(name)
		if err != nil {
			return err
		}
		defer close()
		m.opts.Addons = append(m.opts.Addons, measure.Addon{Name: filepath.Base(name), File: file})
	}
	if m.disk != "" {
		disk, _, err := parts.OpenRegular(m.disk)
		if err != nil {
			return err
		}
		defer disk.Close()
		m.opts.Disk = disk
	}
	if m.initrd != "" {
		initrd, _, err := parts.OpenRegular(m.initrd)
		if err != nil {
			return err
		}
		defer initrd.Close()
		m.opts.Initrd = initrd
	}
	labels, err := readLabels(m.contents)
	if err != nil {
		return err
	}
	file, close, err := openEFI(m.payload)
	if err != nil {
		return err
	}
	defer close()
	prediction, err := measure.Predict(file, m.opts)
	if err != nil {
		return fmt.Errorf("%s: %w", m.payload, err)
	}
	report, err := measure.NewReport(file, prediction, labels)
	if err != nil {
		return fmt.Errorf("%s: %w", m.payload, err)
	}
	return writeResults(ctx, m.out, report.Write)
}

// readLabels reads which targets the files of an image are from.
func readLabels(names []string) (*measure.Labels, error) {
	labels := &measure.Labels{}
	for _, name := range names {
		if err := readFile(name, labels.ReadLabels); err != nil {
			return nil, err
		}
	}
	return labels, nil
}

// openEFI opens an EFI executable.
func openEFI(name string) (file *pe.File, close func() error, err error) {
	f, size, err := parts.OpenRegular(name)
	if err != nil {
		return nil, nil, err
	}
	if file, err = pe.Open(f, size); err != nil {
		f.Close()
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	return file, f.Close, nil
}

const defaultFiles = 20

func addFilesOption(flags *pflag.FlagSet, files *uint) {
	flags.UintVar(files, "files", defaultFiles, "Name at most `NUMBER` files of an initramfs")
}

func measureDiffCommand() *cobra.Command {
	var files uint
	var out string
	cmd := &cobra.Command{
		Use:     "measure-diff [OPTION...] OLD NEW",
		GroupID: groupPayload,
		Short:   "Explain the difference of two measurements",
		Long: `Explain the difference of two files that packer measure has written: which PCRs moved, which
events moved them, which sections changed, and which files of an initramfs.

The exit code is 0 if the measurements are the same, 1 if they differ, 2 after an error or
wrong usage.`,
		Example: "packer measure-diff golden.json measurements.json",
		Args:    cli.Args("OLD", "NEW"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return reportDifference(cmd.Context(), out, out == "", func(w io.Writer) (bool, error) {
				return explain(w, [2]string{"old", "new"}, args[0], args[1], files)
			})
		},
	}
	cli.Options(cmd, "Comparison", func(flags *pflag.FlagSet) {
		addFilesOption(flags, &files)
		addOutOption(flags, &out, "; exit with 0 even if the measurements differ")
	})
	return cmd
}

// reportDifference writes a comparison, whose error has the exit code 2: 1 is an answer.
func reportDifference(ctx context.Context, out string, fail bool, compare func(io.Writer) (bool, error)) error {
	differ := false
	err := writeResults(ctx, out, func(w io.Writer) (err error) {
		differ, err = compare(w)
		return err
	})
	switch {
	case err != nil && ctx.Err() == nil:
		return &cli.ExitError{Code: 2, Err: err}
	case err == nil && differ && fail:
		return cli.ErrReported
	}
	return err
}

// explain explains the difference of the measurements in two files.
func explain(w io.Writer, from [2]string, before, after string, files uint) (differ bool, err error) {
	var reports [2]*measure.Report
	for i, name := range []string{before, after} {
		err := readFile(name, func(r io.Reader) (err error) {
			reports[i], err = measure.ReadReport(r)
			return err
		})
		if err != nil {
			return false, err
		}
	}
	return measure.Explain(w, from, reports[0], reports[1], int(min(files, 1<<20)))
}
