package measure

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/rules-initramfs/rules_initramfs/internal/efi/pe"
	"github.com/rules-initramfs/rules_initramfs/internal/printable"
	"github.com/rules-initramfs/rules_initramfs/internal/tables/arch"
)

// formatVersion is that of the files that Report.Write writes.
const formatVersion = 1

// Report is a prediction with what explains it, as a file that people read and compare.
type Report struct {
	Version int     `json:"version"`
	Payload Payload `json:"payload"`
	// Conditions say what the boot has to be like.
	Conditions []string `json:"conditions"`
	// PCRs are by bank and number, as a guest reads them when /init starts.
	PCRs ordered[ordered[string]] `json:"pcrs"`
	// Phases are PCR 11 by bank and phase: what it holds when systemd-pcrphase has measured these
	// words.
	Phases ordered[ordered[string]] `json:"phases,omitempty"`
	// Unknown says by number why a PCR is not predicted.
	Unknown ordered[string] `json:"not_predicted"`
	Events  []ReportEvent   `json:"events"`
	// Sections are those of the payload, in its order.
	Sections []ReportSection `json:"sections"`
}

// Payload is what a report is of.
type Payload struct {
	Kind    string `json:"kind"`
	Machine string `json:"machine"`
	Stub    string `json:"stub,omitempty"`
	Profile int    `json:"profile,omitempty"`
}

// ReportEvent is an event of a report.
type ReportEvent struct {
	PCR         int    `json:"pcr"`
	Type        string `json:"type"`
	Description string `json:"description"`
	From        string `json:"from"`
	Size        int64  `json:"size,omitempty"`
	// Digests are by bank.
	Digests ordered[string] `json:"digests"`
}

// ReportSection is a section of a payload.
type ReportSection struct {
	Name   string `json:"name"`
	Size   int64  `json:"size,omitempty"`
	SHA256 string `json:"sha256,omitempty"`
	// Files are those of an initramfs.
	Files []File `json:"files,omitempty"`
}

// linkedInitramfs is the name of a section of a report for an initramfs that is linked into a kernel.
const linkedInitramfs = "initramfs"

// NewReport returns the report of a prediction for a payload.
func NewReport(file *pe.File, p *Prediction, labels *Labels) (*Report, error) {
	r := &Report{
		Version: formatVersion, Conditions: p.Conditions,
		Payload: Payload{Kind: p.Kind, Machine: machine(p.Machine), Stub: p.Stub.Version, Profile: p.Profile},
	}
	if p.Stub.Version != "" {
		r.Payload.Stub = "systemd-stub " + p.Stub.Version
	}
	for i, bank := range p.Banks {
		var values, phases ordered[string]
		for _, v := range p.Values {
			values.add(itoa(v.PCR), hex.EncodeToString(v.Digests[i]))
		}
		for _, phase := range p.Phases {
			phases.add(phase.Name, hex.EncodeToString(phase.Digests[i]))
		}
		r.PCRs.add(bank.Name, values)
		if phases != nil {
			r.Phases.add(bank.Name, phases)
		}
	}
	for _, e := range p.Events {
		event := ReportEvent{PCR: e.PCR, Type: e.Type.String(), Description: e.Description, From: e.From, Size: e.Size}
		for i, bank := range p.Banks {
			event.Digests.add(bank.Name, hex.EncodeToString(e.Digests[i]))
		}
		r.Events = append(r.Events, event)
	}
	for pcr := range 24 {
		if reason := p.Unknown[pcr]; reason != "" {
			r.Unknown.add(itoa(pcr), reason)
		}
	}
	return r, r.addSections(file, labels)
}

func machine(number uint16) string {
	for _, a := range arch.All() {
		if a.PEMachine == number {
			return a.Name
		}
	}
	return fmt.Sprintf("%#x", number)
}

func (r *Report) addSections(file *pe.File, labels *Labels) error {
	for i := range file.Sections {
		s := &file.Sections[i]
		data := s.Data()
		h := sha256.New()
		if _, err := io.Copy(h, data); err != nil {
			return err
		}
		section := ReportSection{Name: printable.Text(s.Name), Size: data.Size(), SHA256: hex.EncodeToString(h.Sum(nil))}
		if r.Payload.Kind == KindUKI && data.Size() > 0 && (s.Name == sectionInitrd || s.Name == sectionMicrocode) {
			var err error
			if section.Files, err = readFiles(s, labels); err != nil {
				return err
			}
		}
		r.Sections = append(r.Sections, section)
	}
	if r.Payload.Kind != KindUKI && len(labels.files) > 0 {
		r.Sections = append(r.Sections, ReportSection{Name: linkedInitramfs, Files: labels.fromLabels()})
	}
	return nil
}

// ordered is a JSON object whose order is kept.
type ordered[T any] []pair[T]

type pair[T any] struct {
	key   string
	value T
}

func (o *ordered[T]) add(key string, value T) { *o = append(*o, pair[T]{key, value}) }

// get returns the value of a key, or the zero value.
func (o ordered[T]) get(key string) (value T) {
	for _, p := range o {
		if p.key == key {
			return p.value
		}
	}
	return value
}

// MarshalJSON implements json.Marshaler.
func (o ordered[T]) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, p := range o {
		if i > 0 {
			b = append(b, ',')
		}
		key, err := marshal(p.key)
		if err != nil {
			return nil, err
		}
		value, err := marshal(p.value)
		if err != nil {
			return nil, err
		}
		b = append(append(append(b, key...), ':'), value...)
	}
	return append(b, '}'), nil
}

// errObject is the error for JSON that is not an object where one is wanted.
var errObject = errors.New("want an object")

// UnmarshalJSON implements json.Unmarshaler.
func (o *ordered[T]) UnmarshalJSON(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	if token, err := d.Token(); err != nil || token != json.Delim('{') {
		return errors.Join(errObject, err)
	}
	*o = nil
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		var value T
		if err := d.Decode(&value); err != nil {
			return err
		}
		o.add(key.(string), value)
	}
	_, err := d.Token()
	return err
}

// marshal returns JSON on a line, with < and > as they are, safe to show.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return nil, err
	}
	return printable.JSON(bytes.TrimSpace(b.Bytes())), nil
}

// Write writes the report as JSON. Each event and each file has a line of its own, so that two
// reports can be compared line by line.
func (r *Report) Write(w io.Writer) error {
	head := *r
	head.Events, head.Sections = nil, nil
	text, err := marshal(head)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, text, "", "  "); err != nil {
		return err
	}
	// The two lists are the last fields.
	out := bytes.TrimSuffix(b.Bytes(), []byte("\"events\": null,\n  \"sections\": null\n}"))
	out = append(out, "\"events\": ["...)
	if out, err = appendLines(out, "    ", r.Events); err != nil {
		return err
	}
	out = append(out, "\n  ],\n  \"sections\": ["...)
	for i, s := range r.Sections {
		files := s.Files
		s.Files = nil
		text, err := marshal(s)
		if err != nil {
			return err
		}
		out = append(appendSeparator(out, i, "    "), text...)
		if len(files) == 0 {
			continue
		}
		out = append(bytes.TrimSuffix(out, []byte("}")), ",\"files\":["...)
		if out, err = appendLines(out, "      ", files); err != nil {
			return err
		}
		out = append(out, "\n    ]}"...)
	}
	out = append(out, "\n  ]\n}\n"...)
	_, err = w.Write(out)
	return err
}

func appendLines[T any](out []byte, indent string, values []T) ([]byte, error) {
	for i, v := range values {
		text, err := marshal(v)
		if err != nil {
			return nil, err
		}
		out = append(appendSeparator(out, i, indent), text...)
	}
	return out, nil
}

func appendSeparator(out []byte, i int, indent string) []byte {
	if i > 0 {
		out = append(out, ',')
	}
	return append(append(out, '\n'), indent...)
}

// ErrReport is the error for a file that is not a report.
var ErrReport = errors.New("not what packer measure has written")

// maxReport is more than the report of a real image has: a million files.
const maxReport = 512 << 20

// ReadReport reads a report.
func ReadReport(r io.Reader) (*Report, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxReport+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxReport {
		return nil, fmt.Errorf("%w: it has more than %d MiB", ErrReport, maxReport>>20)
	}
	report := &Report{}
	if err := json.Unmarshal(data, report); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrReport, err)
	}
	if report.Version != formatVersion {
		return nil, fmt.Errorf("%w: it has the version %d, and this packer reads version %d", ErrReport, report.Version, formatVersion)
	}
	return report, nil
}

// Banks returns the names of the banks of a report, sorted.
func (r *Report) Banks() []string {
	var names []string
	for _, bank := range r.PCRs {
		names = append(names, bank.key)
	}
	slices.Sort(names)
	return names
}

// PCR returns the values of a bank by the number of the PCR, in 64 hexadecimal digits for sha256. They are
// what a guest reads when /init starts. It returns nil if the report has no such bank.
func (r *Report) PCR(bank string) map[int]string {
	var values map[int]string
	for _, pcr := range r.PCRs.get(bank) {
		if number, err := strconv.Atoi(pcr.key); err == nil {
			if values == nil {
				values = map[int]string{}
			}
			values[number] = pcr.value
		}
	}
	return values
}
