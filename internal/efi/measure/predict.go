// Package measure predicts what the PCRs of a TPM hold after firmware has started a payload, explains
// the difference of two predictions, and signs policies for them.
//
// What is measured is from the sources of EDK II (SecurityPkg), systemd-stub (src/boot/stub.c) and the
// kernel's EFI stub (drivers/firmware/efi/libstub/efi-stub-helper.c), and compared with the event log
// of real boots.
package measure

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/rules-initramfs/rules_initramfs/internal/efi/eventlog"
	"github.com/rules-initramfs/rules_initramfs/internal/efi/pe"
)

// Options are what a prediction depends on besides the payload.
type Options struct {
	// Banks are the banks of the TPM that are predicted; none is DefaultBank.
	Banks []Bank
	// Phases are the words that systemd-pcrphase measures one after the other, such as
	// enter-initrd:leave-initrd. Each is predicted apart. nil is DefaultPhases.
	Phases []string
	// Profile is the profile of a unified kernel image that starts.
	Profile int
	// LoadOptions is the command line of the boot entry, empty if it has none. In UEFI's form, a
	// NUL ends it.
	LoadOptions string
	// Initrd is what a kernel loads, as initrd= in LoadOptions says, nil if it loads none. It has
	// nothing to do with an initramfs that is linked in.
	Initrd io.Reader
	// SecureBoot reports that Secure Boot is on. A unified kernel image with a command line
	// ignores LoadOptions then.
	SecureBoot bool
	// Compatible is the first compatible name of the machine's device tree, which chooses a
	// .dtbauto; empty on machines that have none.
	Compatible string
	// Addons are the addons of systemd-stub on the disk, in its order.
	Addons []Addon
	// Disk is the disk with the payload and a partition table (GPT), nil if PCR 5 is not wanted.
	Disk io.ReaderAt
	// Failures is how many boot options firmware has tried before the payload's.
	Failures int
}

// Addon is an addon of systemd-stub.
type Addon struct {
	Name string // of the file on the disk
	File *pe.File
}

// DefaultPhases are those of systemd-measure.
func DefaultPhases() []string {
	return []string{
		"enter-initrd", "enter-initrd:leave-initrd", "enter-initrd:leave-initrd:sysinit", "enter-initrd:leave-initrd:sysinit:ready",
	}
}

// NormalizePhase returns phases without empty words.
func NormalizePhase(phase string) string {
	words := strings.Split(phase, ":")
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), ":")
}

// Value is what a PCR holds, in each bank.
type Value struct {
	PCR     int
	Digests [][]byte
}

// Phase is what PCR 11 holds when a phase of the boot begins.
type Phase struct {
	Name    string
	Digests [][]byte
}

// Prediction is what the PCRs hold when the kernel starts /init.
type Prediction struct {
	Kind    string // "uki" or "kernel"
	Machine uint16
	Stub    Stub
	Profile int
	Banks   []Bank
	// Values are those of PCRs 4, 5, 9, 11, 12 and 13, in order, without those in Unknown.
	Values []Value
	// Phases have PCR 11 after the words of Options.Phases.
	Phases []Phase
	// Events are in the order of an event log.
	Events []Event
	// Conditions say what the boot has to be like, and Unknown why a PCR is not predicted.
	Conditions []string
	Unknown    map[int]string
}

// Kinds of payloads.
const (
	KindUKI    = "uki"
	KindKernel = "kernel"
)

// Versions of systemd that changed what systemd-stub does (NEWS of systemd).
const (
	// versionDirect starts the kernel itself. Those before it have firmware load and measure it.
	versionDirect = 258
	// versionSecret puts a secret into the initramfs, and adds console= to the command line.
	versionSecret = 261
)

// Predict predicts the PCRs for a payload: a unified kernel image, or a kernel that firmware starts.
func Predict(file *pe.File, opts Options) (*Prediction, error) {
	if len(opts.Banks) == 0 {
		opts.Banks = []Bank{DefaultBank()}
	}
	if opts.Phases == nil {
		opts.Phases = DefaultPhases()
	}
	for _, text := range []string{opts.LoadOptions, strings.Join(opts.Phases, "")} {
		if !utf8.ValidString(text) || strings.Contains(text, "\x00") {
			return nil, errors.New("a command line or a phase has a NUL, or is not UTF-8")
		}
	}
	stub, err := stubOf(file)
	if err != nil {
		return nil, err
	}
	p := &predictor{
		recorder: recorder{banks: opts.Banks}, file: file, opts: opts,
		result: &Prediction{Kind: KindKernel, Machine: file.Machine, Stub: stub, Profile: opts.Profile, Banks: opts.Banks, Unknown: map[int]string{
			0: "firmware measures its own code and settings: read it on the machine",
			1: "firmware measures the machine's configuration: read it on the machine",
			2: "firmware measures drivers of devices: read it on the machine",
			3: "firmware measures the configuration of drivers: read it on the machine",
			6: "firmware measures what its manufacturer wants: read it on the machine",
			7: "firmware measures the variables of Secure Boot: read it on the machine",
		}},
	}
	if isUKI(file) {
		p.result.Kind = KindUKI
		if opts.Initrd != nil {
			return nil, errors.New("it has a .linux: --initrd is for a kernel that firmware starts")
		}
		// process_arguments in src/boot/stub.c, which treats them as binary data.
		if strings.ContainsFunc(opts.LoadOptions, func(r rune) bool { return r < ' ' }) {
			return nil, errors.New("--load-options has a control character: systemd-stub ignores such a command line, and the profile with it")
		}
	} else if opts.Profile != 0 || len(opts.Addons) > 0 {
		return nil, errors.New("it has no .linux: profiles and addons are for unified kernel images")
	}
	for _, step := range []func() error{p.firmware, p.payload, p.exit} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	p.finish()
	return p.result, nil
}

// predictor makes a prediction.
type predictor struct {
	recorder
	file     *pe.File
	opts     Options
	sections map[string]*pe.Section
	result   *Prediction
}

func (p *predictor) assume(condition string) {
	p.result.Conditions = append(p.result.Conditions, condition)
}

// Texts of events (MdePkg/Include/IndustryStandard/UefiTcgPlatform.h of EDK II).
const (
	actionCalling   = "Calling EFI Application from Boot Option"
	actionReturning = "Returning from EFI Application from Boot Option"
	actionExit      = "Exit Boot Services Invocation"
	actionExited    = "Exit Boot Services Returned with Success"
)

// Descriptions of events of the kernel's EFI stub, as it has them in the log.
const (
	descriptionOptions = "LOADED_IMAGE::LoadOptions"
	descriptionInitrd  = "Linux initrd"
)

// Where events are from.
const (
	fromFirmware = "firmware"
	fromPayload  = "payload"
)

func (p *predictor) action(pcr int, text string) {
	p.add(Event{PCR: pcr, Type: eventlog.EFIAction, Description: text, From: fromFirmware}, []byte(text))
}

// firmware records what firmware measures before it starts the payload (OnReadyToBoot of
// SecurityPkg/Tcg/Tcg2Dxe/Tcg2Dxe.c and DxeTpm2MeasureBootLib in EDK II).
func (p *predictor) firmware() error {
	p.action(pcrBoot, actionCalling)
	for _, pcr := range []int{pcrBoot, pcrDisk} {
		p.add(Event{PCR: pcr, Type: eventlog.Separator, Description: "separator", From: fromFirmware}, make([]byte, 4))
	}
	for range p.opts.Failures {
		p.action(pcrBoot, actionReturning)
		p.action(pcrBoot, actionCalling)
	}
	if p.opts.Disk != nil {
		table, err := gptEvent(p.opts.Disk)
		if err != nil {
			return err
		}
		p.add(Event{PCR: pcrDisk, Type: eventlog.EFIGPTEvent, Description: "GUID partition table", From: "disk"}, table)
	}
	if err := p.program("the payload", fromPayload, p.file); err != nil {
		return err
	}
	if p.opts.Failures == 0 {
		p.assume("PCR 4: the boot option of the payload is the first one that firmware tries")
	} else {
		p.assume("PCR 4: no boot option that firmware tries before loads a program")
	}
	return nil
}

// program records an EFI executable that firmware loads. The event has no size: a signature is in that
// of the file, and not in the digest.
func (p *predictor) program(what, from string, file *pe.File) error {
	d := newDigester(p.banks)
	if err := file.Digest(d); err != nil {
		return err
	}
	p.events = append(p.events, Event{
		PCR: pcrBoot, Type: eventlog.EFIBootServicesApplication, Description: "Authenticode digest of " + what, From: from, Digests: d.digests(),
	})
	return nil
}

// payload records what systemd-stub and the kernel measure.
func (p *predictor) payload() error {
	if p.result.Kind == KindUKI {
		return p.stub()
	}
	// efi_convert_cmdline measures what the boot entry has, if it has anything. An initramfs
	// that is linked in is a part of the payload.
	if p.opts.LoadOptions != "" {
		p.kernelOptions(p.opts.LoadOptions, "--load-options")
	}
	if p.opts.Initrd == nil {
		p.assume("PCR 9: the kernel loads no initrd")
		return nil
	}
	return p.copy(Event{PCR: pcrInitrd, Type: eventlog.EventTag, Description: descriptionInitrd, From: "--initrd"}, p.opts.Initrd)
}

// kernelOptions records the command line that the kernel's EFI stub gets.
func (p *predictor) kernelOptions(cmdline, from string) {
	p.add(Event{PCR: pcrInitrd, Type: eventlog.EventTag, Description: descriptionOptions, From: from}, utf16Bytes(cmdline))
}

// exit records what firmware measures when the kernel takes over. The kernel tries again if the memory
// map has changed (efi_exit_boot_services), which firmware measures too: AAVMF did it in one of two
// boots.
func (p *predictor) exit() error {
	p.action(pcrDisk, actionExit)
	p.action(pcrDisk, actionExited)
	if p.opts.Disk != nil {
		p.assume("PCR 5: the memory map does not change while the kernel takes over, so that it tries once")
	}
	return nil
}

// finish computes the values.
func (p *predictor) finish() {
	if p.opts.Disk == nil {
		p.result.Unknown[pcrDisk] = "firmware measures the partition table: give the disk"
		p.events = slices.DeleteFunc(p.events, func(e Event) bool { return e.PCR == pcrDisk })
	}
	p.result.Events = p.events
	for _, pcr := range []int{pcrBoot, pcrDisk, pcrInitrd, pcrImage, pcrConfig, pcrExtension} {
		if p.result.Unknown[pcr] == "" {
			p.result.Values = append(p.result.Values, Value{pcr, p.values(pcr)})
		}
	}
	if p.result.Kind == KindUKI {
		p.result.Phases = p.phases()
	}
}

// phases returns PCR 11 after each of the phases, sorted as systemd-measure has them. Each word is
// measured without a NUL (src/pcrextend of systemd).
func (p *predictor) phases() []Phase {
	var phases []Phase
	base := p.values(pcrImage)
	for _, name := range p.opts.Phases {
		name = NormalizePhase(name)
		digests := make([][]byte, len(base))
		for i, bank := range p.banks {
			digests[i] = base[i]
			for word := range strings.SplitSeq(name, ":") {
				if word != "" {
					digests[i] = eventlog.Extend(bank.Hash, digests[i], digestsOf([]Bank{bank}, []byte(word))[0])
				}
			}
		}
		phases = append(phases, Phase{name, digests})
	}
	slices.SortFunc(phases, func(a, b Phase) int { return cmp.Compare(a.Name, b.Name) })
	return slices.CompactFunc(phases, func(a, b Phase) bool { return a.Name == b.Name })
}

var hasConsole = regexp.MustCompile(`(^| )console=`)

// stub records what systemd-stub measures, in the order of run in src/boot/stub.c.
func (p *predictor) stub() (err error) {
	if p.sections, err = locate(p.file, p.opts.Profile, p.opts.Compatible); err != nil {
		return err
	}
	if p.sections[sectionLinux] == nil {
		return errors.New("its .linux is empty, or in another profile alone")
	}
	if p.opts.Profile != 0 {
		number := fmt.Sprint(p.opts.Profile)
		p.add(Event{PCR: pcrConfig, Type: eventlog.EventTag, Description: "profile " + number, From: "--profile"}, utf16Bytes(number))
	}
	if err := p.image(); err != nil {
		return err
	}
	cmdline, from, err := p.commandLine()
	if err != nil {
		return err
	}
	if err := p.addons(); err != nil {
		return err
	}
	if p.opts.Compatible == "" && p.file.Section(sectionDTBAuto) != nil {
		p.assume("PCR 11: the machine has no device tree that a .dtbauto is for: else give --compatible")
	}
	if p.file.Section(sectionFirmware) != nil {
		p.assume("PCR 11: no .efifw is for the machine")
	}
	p.assume("PCRs 9, 12 and 13: the disk has no credentials, extensions, and addons for systemd-stub but those that are given")
	if cmdline != nil {
		p.kernelOptions(*cmdline, from)
	}
	return p.initrd(cmdline)
}

// nameOfSection ends the description of an event for the name of a section.
const nameOfSection = " (its name)"

// image records the sections (measure_sections).
func (p *predictor) image() error {
	for _, name := range stubSections {
		s := p.sections[name]
		if s == nil || name == sectionPCRSig {
			continue
		}
		p.add(Event{PCR: pcrImage, Type: eventlog.IPL, Description: name + nameOfSection, From: name}, []byte(name+"\x00"))
		r, err := content(s)
		if err != nil {
			return err
		}
		if err := p.copy(Event{PCR: pcrImage, Type: eventlog.IPL, Description: name, From: name}, r); err != nil {
			return err
		}
	}
	return nil
}

// initrd records the initramfs that the kernel gets, and says why PCR 9 may be unknown.
func (p *predictor) initrd(cmdline *string) error {
	version := p.result.Stub.Number
	if version < versionDirect {
		what := "this stub is not a systemd-stub"
		if version != 0 {
			what = fmt.Sprintf("systemd-stub %s is older than %d", p.result.Stub.Version, versionDirect)
		}
		p.result.Unknown[pcrInitrd] = what + ": read it on the machine"
		p.result.Unknown[pcrBoot] = what + ", and may have firmware measure the kernel too: read it on the machine"
		p.events = slices.DeleteFunc(p.events, func(e Event) bool { return e.PCR == pcrInitrd || e.PCR == pcrBoot })
		return nil
	}
	var addons []*pe.File
	for _, addon := range p.opts.Addons {
		addons = append(addons, addon.File)
	}
	archive, err := initrd(p.sections, addons)
	if err != nil {
		return err
	}
	if archive != nil {
		if err := p.copy(Event{PCR: pcrInitrd, Type: eventlog.EventTag, Description: descriptionInitrd, From: sectionInitrd}, archive); err != nil {
			return err
		}
	}
	if version >= versionSecret {
		p.assume("PCR 9: systemd-stub cannot write to the EFI system partition, and so puts no boot secret into the initrd")
		if cmdline == nil || !hasConsole.MatchString(*cmdline) {
			p.assume("PCR 9: systemd-stub finds no console to add to a command line without console=")
		}
	}
	return nil
}
