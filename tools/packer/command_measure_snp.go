package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
	"github.com/rules-initramfs/rules_initramfs/internal/efi/snp"
	"github.com/rules-initramfs/rules_initramfs/internal/parts"
	"github.com/rules-initramfs/rules_initramfs/internal/tables/arch"
)

// snpMeasurer is what packer measure-snp was asked for.
type snpMeasurer struct {
	firmware, kernel, commandLine, out, origin string
	initramfs                                  []string
	guest                                      snp.Guest
	vcpus                                      uint
}

func measureSNPCommand() *cobra.Command {
	m := &snpMeasurer{guest: snp.Guest{Features: 1}}
	cmd := &cobra.Command{
		Use:     "measure-snp --vcpus NUMBER {--vcpu-type NAME | --vcpu-signature VALUE} --out FILE [OPTION...] FIRMWARE",
		GroupID: groupPayload,
		Short:   "Predict the launch digest of SEV-SNP (experimental)",
		Long: `Predict the launch digest of a guest with AMD SEV-SNP, which its attestation reports have.
QEMU starts the guest with FIRMWARE, such as OVMF.fd: one file, as for -bios. FILE gets
JSON: the digest, and the digest after each part of the guest, so that two files can be
compared line by line.

This command is experimental. Tests compare it with the digests that sev-snp-measure
publishes, and not with a machine. Compare a prediction with an attestation report before
you rely on it.

With --kernel, the firmware gets the hashes of the kernel, the initramfs and the command
line, and refuses others (kernel-hashes=on of QEMU). OvmfPkg/AmdSev of edk2 is such a
firmware. Give QEMU the same command line, and the parts of the initramfs joined, as
packer concat joins them.

After an error, the exit code is 1 and FILE is unchanged. Wrong usage exits with 2.`,
		Example: "packer measure-snp --vcpus 4 --vcpu-type EPYC-Milan --kernel bzImage --initramfs initramfs --cmdline 'console=ttyS0' --out snp.json OVMF.fd",
		Args:    cli.Args("FIRMWARE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			m.firmware = args[0]
			return m.start(cmd)
		},
	}
	cli.Options(cmd, "Guest", func(flags *pflag.FlagSet) {
		flags.UintVar(&m.vcpus, "vcpus", 0, "Start the guest with `NUMBER` vCPUs")
		addParsed(flags, &m.guest.Signature, "vcpu-type", snp.TypeSignature,
			"Have vCPUs of the type `NAME` of QEMU: "+strings.Join(snp.Types(), ", ")+", or one of their versions, such as EPYC-v4")
		addParsed(flags, &m.guest.Signature, "vcpu-signature", snp.ParseSignature,
			"Have vCPUs of another type, whose CPUID function 1 returns `VALUE` in EAX, such as 0x800f12")
		addParsed(flags, &m.guest.Features, "guest-features", snp.ParseFeatures,
			"Have the guest features `VALUE` (SEV_FEATURES), such as 0x21 (default 0x1)")
	})
	cli.CompleteValues(cmd, "vcpu-type", snp.Types()...)
	cli.Options(cmd, "Kernel", func(flags *pflag.FlagSet) {
		flags.StringVar(&m.kernel, "kernel", "", "Start the kernel `FILE`, as -kernel does")
		flags.StringArrayVar(&m.initramfs, "initramfs", nil, "Pass `FILE` to the kernel, as -initrd does; may be repeated for the parts of an image, which are joined")
		flags.StringVar(&m.commandLine, "cmdline", "", "Pass the command line `TEXT` to the kernel, as -append does")
	})
	cli.Options(cmd, "Output", func(flags *pflag.FlagSet) {
		flags.StringVar(&m.out, "out", "", "Write the prediction to `FILE`")
		flags.StringVar(&m.origin, "origin", "", "Begin errors with `TEXT`, such as the label of a target")
	})
	return cmd
}

func (m *snpMeasurer) start(cmd *cobra.Command) error {
	if err := m.check(cmd); err != nil {
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

func (m *snpMeasurer) check(cmd *cobra.Command) error {
	err := cmp.Or(cli.Required(cmd, "out"), cli.Exclusive(cmd, "vcpu-type", "vcpu-signature"))
	switch {
	case err != nil:
		return err
	case !cmd.Flags().Changed("vcpus"):
		return cli.Usagef(cmd, "missing option --vcpus NUMBER")
	case m.guest.Signature == 0:
		return cli.Usagef(cmd, "missing option --vcpu-type NAME or --vcpu-signature VALUE")
	case m.vcpus < 1 || m.vcpus > snp.MaxVCPUs:
		return cli.Usagef(cmd, "--vcpus is 1 to %d", snp.MaxVCPUs)
	case m.kernel == "" && (len(m.initramfs) > 0 || cmd.Flags().Changed("cmdline")):
		return cli.Usagef(cmd, "--initramfs and --cmdline need --kernel")
	}
	m.guest.VCPUs = int(m.vcpus)
	return checkOutputs(cmd, []usedFile{{"--out", m.out}},
		append(usedFiles("--initramfs", m.initramfs), usedFile{"FIRMWARE", m.firmware}, usedFile{"--kernel", m.kernel})...)
}

func (m *snpMeasurer) run(ctx context.Context) error {
	if m.kernel != "" {
		var err error
		if m.guest.Kernel, err = m.kernelHashes(); err != nil {
			return err
		}
	}
	var prediction *snp.Prediction
	err := readFile(m.firmware, func(r io.Reader) error {
		firmware, err := snp.ReadFirmware(r)
		if err != nil {
			return err
		}
		if err := firmware.CheckBIOS(); err != nil {
			return err
		}
		prediction, err = snp.Predict(firmware, m.guest)
		return err
	})
	if err != nil {
		return err
	}
	return writeResults(ctx, m.out, func(w io.Writer) error { return snp.WriteReport(w, prediction, m.guest) })
}

// kernelHashes reads the kernel and the parts of the initramfs.
func (m *snpMeasurer) kernelHashes() (*snp.KernelHashes, error) {
	// The firmware starts it as an EFI executable: see OvmfPkg/QemuKernelLoaderFsDxe of edk2.
	file, close, err := openEFI(m.kernel)
	if err != nil {
		return nil, err
	}
	defer close()
	if x86, err := arch.Find("x86_64"); err != nil || file.Machine != x86.PEMachine {
		return nil, errors.Join(err, fmt.Errorf("%s: it is not for x86_64: AMD SEV-SNP starts no other kernels", m.kernel))
	}
	kernel, err := os.Open(m.kernel)
	if err != nil {
		return nil, err
	}
	defer kernel.Close()
	joined, err := parts.Open(m.initramfs)
	if err != nil {
		return nil, err
	}
	r, w := io.Pipe()
	defer r.Close()
	go func() {
		_, err := joined.WriteTo(w)
		w.CloseWithError(err)
	}()
	return snp.NewKernelHashes(kernel, r, m.commandLine)
}
