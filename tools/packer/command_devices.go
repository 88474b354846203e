package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
	"github.com/rules-initramfs/rules_initramfs/internal/kbuild/config"
	"github.com/rules-initramfs/rules_initramfs/internal/listing"
	"github.com/rules-initramfs/rules_initramfs/internal/modules/devices"
	"github.com/rules-initramfs/rules_initramfs/internal/modules/devices/drivers"
	"github.com/rules-initramfs/rules_initramfs/internal/printable"
)

// deviceLister is what packer devices was asked for.
type deviceLister struct {
	aliases, builtIn, index, config, out string // names of files, or empty
	unserved, json                       bool

	kernel  *devices.Kernel // nil if no file of a kernel was given
	drivers *drivers.Index  // nil without --driver-index
	values  config.Values   // nil without --config
}

func devicesCommand() *cobra.Command {
	var l deviceLister
	cmd := &cobra.Command{
		Use:     "devices [OPTION...] FILE...",
		GroupID: groupDevice,
		Short:   "List the devices of a board, and the drivers that a kernel has for them",
		Long: `List the devices that FILEs describe, with their modaliases and the firmware that the
description names. A FILE is a device tree (.dtb), or a list of modaliases: one on each
line, or the output of "grep -r . --include=modalias /sys/devices".

With files of a kernel, say which modules and built-in drivers are for each device. With
an index of its drivers and its configuration, say which option turns the driver on. The
summary at the end counts the devices.

A file that is not a description is an error, with exit code 1. Wrong usage exits with 2.`,
		Example: "packer devices --aliases modules.alias --builtin-modinfo modules.builtin.modinfo board.dtb",
		Args:    cli.Args("FILE..."),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case l.config != "" && l.index == "":
				return cli.Usagef(cmd, "--config needs --driver-index")
			case l.unserved && l.aliases+l.builtIn+l.config == "":
				return cli.Usagef(cmd, "--unserved needs --aliases, --builtin-modinfo or --config")
			}
			inputs := append(usedFiles("FILE", args), usedFile{"--aliases", l.aliases}, usedFile{"--builtin-modinfo", l.builtIn}, usedFile{"--driver-index", l.index}, usedFile{"--config", l.config})
			if err := checkOutputs(cmd, []usedFile{{"--out", l.out}}, inputs...); err != nil {
				return err
			}
			return l.run(cmd.Context(), args)
		},
	}
	cli.Options(cmd, "Kernel", func(flags *pflag.FlagSet) {
		flags.StringVar(&l.aliases, "aliases", "", "Find modules by their aliases in `FILE`, the kernel's modules.alias")
		flags.StringVar(&l.builtIn, "builtin-modinfo", "", "Find built-in drivers in `FILE`, the kernel's modules.builtin.modinfo")
		flags.StringVar(&l.index, "driver-index", "", "Find the options of drivers in `FILE`, which packer driver-index has made")
		flags.StringVar(&l.config, "config", "", "Say which of these options are on in the kernel's .config `FILE`")
	})
	cli.Options(cmd, "Listing", func(flags *pflag.FlagSet) {
		flags.BoolVar(&l.unserved, "unserved", false, "List only devices that this kernel has no driver for")
		flags.BoolVar(&l.json, "json", false, "Print one JSON object per line, and no summary")
		addOutOption(flags, &l.out, "")
	})
	return cmd
}

func (l *deviceLister) run(ctx context.Context, names []string) error {
	if err := l.readKernel(); err != nil {
		return err
	}
	all, err := readDevices(names)
	if err != nil {
		return err
	}
	return writeResults(ctx, l.out, func(out io.Writer) error { return l.list(out, all) })
}

// readDevices returns the devices that files describe.
func readDevices(names []string) ([]devices.Device, error) {
	var all []devices.Device
	for _, name := range names {
		found, err := readDescription(name)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// readDescription returns the devices that a file describes.
func readDescription(name string) ([]devices.Device, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, devices.MaxSize+1))
	if err != nil {
		return nil, err
	}
	return devices.Parse(name, data)
}

// readKernel reads the files of the kernel.
func (l *deviceLister) readKernel() (err error) {
	if l.aliases+l.builtIn != "" {
		l.kernel = &devices.Kernel{}
	}
	for _, file := range []struct {
		name string
		read func(io.Reader) error
	}{
		{l.aliases, func(r io.Reader) error { return l.kernel.ReadAliases(r) }},
		{l.builtIn, func(r io.Reader) error { return l.kernel.ReadBuiltIn(r) }},
		{l.index, func(r io.Reader) (err error) {
			l.drivers, err = drivers.Read(r)
			return err
		}},
	} {
		if err := readFile(file.name, file.read); err != nil {
			return err
		}
	}
	if l.config != "" {
		l.values, err = readConfigValues(l.config)
	}
	return err
}

// readFile calls read with the content of a file. Without a name it does nothing.
func readFile(name string, read func(io.Reader) error) error {
	if name == "" {
		return nil
	}
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := read(file); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// servedDevice is what is printed of a device.
type servedDevice struct {
	Path          string        `json:"path,omitempty"`
	Bus           devices.Bus   `json:"bus,omitempty"`
	Modaliases    []string      `json:"modaliases"`
	FirmwareNames []string      `json:"firmware_names,omitempty"`
	State         devices.State `json:"state,omitempty"`
	Modules       []string      `json:"modules,omitempty"`
	BuiltIn       []string      `json:"built_in,omitempty"`
	// Drivers are those that the source of the kernel has.
	Drivers []drivers.Found `json:"drivers,omitempty"`
}

func (l *deviceLister) list(out io.Writer, all []devices.Device) error {
	counts := map[devices.State]int{}
	for _, d := range all {
		s := l.serve(d)
		counts[s.State]++
		if l.unserved && s.State != devices.Unserved {
			continue
		}
		var err error
		if l.json {
			err = listing.EncodeJSON(out, s)
		} else {
			err = s.print(out)
		}
		if err != nil {
			return err
		}
	}
	if l.json {
		return nil
	}
	_, err := fmt.Fprintln(out, summary(len(all), counts))
	return err
}

// serve returns what the kernel has for a device.
func (l *deviceLister) serve(d devices.Device) servedDevice {
	s := servedDevice{Path: d.Path, Bus: d.Bus, Modaliases: d.Modaliases, FirmwareNames: d.FirmwareNames}
	served := devices.Served{Device: d}
	if l.kernel != nil {
		served = devices.Serve([]devices.Device{d}, l.kernel)[0]
		s.Modules, s.BuiltIn, s.State = served.Modules, served.BuiltIn, served.State()
	}
	if l.drivers == nil {
		return s
	}
	found, state := l.drivers.Find(served, l.values)
	s.Drivers = found
	if l.values != nil {
		s.State = state
	}
	return s
}

func (s *servedDevice) print(out io.Writer) error {
	var b strings.Builder
	name := s.Path
	if name == "" {
		name = strings.Join(s.Modaliases, " ")
	}
	b.WriteString(printable.Text(name))
	if s.Bus != "" && s.Bus != devices.Platform {
		fmt.Fprintf(&b, " (%s)", s.Bus)
	}
	if s.State != "" {
		fmt.Fprintf(&b, ": %s", s.State)
	}
	b.WriteByte('\n')
	line := func(word string, texts ...string) {
		for _, text := range texts {
			fmt.Fprintf(&b, "  %-9s %s\n", word, printable.Text(text))
		}
	}
	if s.Path != "" {
		line("modalias", s.Modaliases...)
	}
	line("firmware", s.FirmwareNames...)
	line("module", s.Modules...)
	line("built in", s.BuiltIn...)
	for i, d := range s.Drivers {
		if i == maxDrivers {
			line("driver", fmt.Sprintf("%d more (--json prints all)", len(s.Drivers)-i))
			break
		}
		line("driver", fmt.Sprintf("%s (%s)", d, d.Source))
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// maxDrivers is how many drivers of the source are shown for a device.
const maxDrivers = 4

func summary(total int, counts map[devices.State]int) string {
	text := count(total, "device", "devices")
	var parts []string
	for _, state := range []devices.State{devices.ByModule, devices.ByBuiltIn, devices.Generic, devices.Unknown, devices.Unserved} {
		if n := counts[state]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", state, n))
		}
	}
	if len(parts) > 0 {
		text += ": " + strings.Join(parts, ", ")
	}
	return text
}
