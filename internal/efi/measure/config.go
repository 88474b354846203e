package measure

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/rules-initramfs/rules_initramfs/internal/efi/eventlog"
	"github.com/rules-initramfs/rules_initramfs/internal/efi/pe"
)

// maxCommandLine is more than any kernel takes.
const maxCommandLine = 64 << 10

// commandLine records a command line from outside of the image, and returns the kernel's, nil if there
// is none, and what it is from (settle_command_line and cmdline_append_and_measure_addons in src/boot/stub.c of systemd).
func (p *predictor) commandLine() (cmdline *string, from string, err error) {
	own, err := p.sectionText(p.sections[sectionCmdline])
	if err != nil {
		return nil, "", err
	}
	cmdline, from = own, sectionCmdline
	if given := mangle(p.opts.LoadOptions); given != "" && (own == nil || !p.opts.SecureBoot) {
		p.add(Event{PCR: pcrConfig, Type: eventlog.IPL, Description: "command line of the boot entry", From: "--load-options"}, utf16Bytes(given))
		cmdline, from = &given, "--load-options"
	}
	var more []string
	for _, addon := range p.opts.Addons {
		// systemd-stub has firmware load addons, which measures them as programs.
		if err := p.program("addon "+addon.Name, "--addon", addon.File); err != nil {
			return nil, "", fmt.Errorf("%s: %w", addon.Name, err)
		}
		text, err := p.sectionText(addon.File.Section(sectionCmdline))
		if err != nil {
			return nil, "", fmt.Errorf("%s: %w", addon.Name, err)
		}
		if text != nil {
			more = append(more, *text)
		}
	}
	if added := mangle(strings.Join(more, " ")); added != "" {
		p.add(Event{PCR: pcrConfig, Type: eventlog.IPL, Description: "command line of addons", From: "--addon"}, utf16Bytes(added))
		if cmdline == nil || *cmdline == "" {
			return &added, "--addon", nil
		}
		added = *cmdline + " " + added
		cmdline, from = &added, from+", --addon"
	}
	return cmdline, from, nil
}

// sectionText returns the command line in a section as systemd-stub takes it, or nil.
func (p *predictor) sectionText(s *pe.Section) (*string, error) {
	if s == nil {
		return nil, nil
	}
	data, err := readSection(s, maxCommandLine)
	if err != nil {
		return nil, err
	}
	text, _, _ := strings.Cut(string(data), "\x00")
	if !utf8.ValidString(text) {
		return nil, fmt.Errorf("section %s is not UTF-8", s.Name)
	}
	text = mangle(text)
	return &text, nil
}

// mangle returns a command line without white space at its ends, and with spaces for control
// characters (mangle_stub_cmdline in src/boot/util.c of systemd).
func mangle(cmdline string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		if r <= ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, cmdline), " ")
}

// addons records the parts of addons that are not command lines. Microcode is in reverse order
// (measure_and_append_ucode_addons in src/boot/stub.c of systemd).
func (p *predictor) addons() error {
	record := func(addon Addon, section, what string) error {
		s := addon.File.Section(section)
		if s == nil || s.VirtualSize == 0 {
			return nil
		}
		r, err := content(s)
		if err == nil {
			err = p.copy(Event{PCR: pcrConfig, Type: eventlog.EventTag, Description: what + " of addon " + addon.Name, From: "--addon"}, r)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", addon.Name, err)
		}
		return nil
	}
	all := p.opts.Addons
	for _, addon := range all {
		if addon.File.Section(sectionLinux) != nil {
			return fmt.Errorf("%s: it is a unified kernel image: systemd-stub ignores it", addon.Name)
		}
		if err := record(addon, sectionDTB, "device tree"); err != nil {
			return err
		}
	}
	for i := len(all) - 1; i >= 0; i-- {
		if err := record(all[i], sectionMicrocode, "microcode"); err != nil {
			return err
		}
	}
	for _, addon := range all {
		if err := record(addon, sectionInitrd, "initrd"); err != nil {
			return err
		}
	}
	return nil
}
