package measure

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/printable"
)

// Explain writes why two reports differ: which PCRs moved, by which events, by which sections, and by
// which files of an initramfs. It names at most files files of a section, and says how many more
// there are. It reports whether the reports differ. From are the names of the two, such as golden and
// measured.
func Explain(w io.Writer, from [2]string, before, after *Report, files int) (differ bool, err error) {
	e := &explainer{before: before, after: after, from: from, files: files}
	bank, pcrs := e.moved()
	e.payload()
	e.events(bank, pcrs)
	e.sections()
	e.banks()
	e.values(bank, pcrs)
	e.rest()
	if len(e.lines) == 0 {
		return false, nil
	}
	_, err = io.WriteString(w, strings.Join(e.lines, "\n")+"\n")
	return true, err
}

type explainer struct {
	before, after *Report
	from          [2]string
	files         int
	lines         []string
}

func (e *explainer) line(depth int, format string, args ...any) {
	e.lines = append(e.lines, strings.Repeat("  ", depth)+printable.Text(fmt.Sprintf(format, args...)))
}

// change writes two values, one below the other, so that they can be compared.
func (e *explainer) change(depth int, before, after string) {
	width := max(len(e.from[0]), len(e.from[1]))
	for i, value := range []string{before, after} {
		if value == "" {
			value = "none"
		}
		e.line(depth, "%-*s %s", width, e.from[i], value)
	}
}

func (e *explainer) payload() {
	if e.before.Payload == e.after.Payload {
		return
	}
	e.line(0, "the payload is another one")
	text := func(p Payload) string {
		t := p.Kind + " for " + p.Machine
		if p.Stub != "" {
			t += " with " + p.Stub
		}
		if p.Profile != 0 {
			t += fmt.Sprintf(", profile %d", p.Profile)
		}
		return t
	}
	e.change(1, text(e.before.Payload), text(e.after.Payload))
}

// moved returns the PCRs that differ in a bank that both reports have. They differ in all banks.
func (e *explainer) moved() (bank string, pcrs []string) {
	for _, bank := range e.before.Banks() {
		before, after := e.before.PCRs.get(bank), e.after.PCRs.get(bank)
		if after == nil {
			continue
		}
		for _, pcr := range keys(before, after) {
			if before.get(pcr) != after.get(pcr) {
				pcrs = append(pcrs, pcr)
			}
		}
		return bank, pcrs
	}
	return "", nil
}

// events writes which events moved each PCR.
func (e *explainer) events(bank string, pcrs []string) {
	for _, pcr := range pcrs {
		e.line(0, "PCR %s moved: %s", pcr, strings.Join(e.movedBy(pcr, bank), ", "))
	}
}

// values writes what the PCRs that moved hold, and which phases only one of the reports has.
func (e *explainer) values(bank string, pcrs []string) {
	for _, pcr := range pcrs {
		e.line(0, "PCR %s (%s)", pcr, bank)
		e.change(1, e.before.PCRs.get(bank).get(pcr), e.after.PCRs.get(bank).get(pcr))
	}
	e.phases(bank)
}

// banks writes how the banks of the two reports differ.
func (e *explainer) banks() {
	if a, b := e.before.Banks(), e.after.Banks(); !slices.Equal(a, b) {
		e.line(0, "the banks differ: %s and %s", strings.Join(a, ", "), strings.Join(b, ", "))
	}
}

// keys returns the keys of two objects: those of the first, and what only the second has.
func keys[T any](a, b ordered[T]) []string {
	var all []string
	for _, p := range append(slices.Clone(a), b...) {
		if !slices.Contains(all, p.key) {
			all = append(all, p.key)
		}
	}
	return all
}

// phases writes phases that only one of the reports has. Those of both move with PCR 11.
func (e *explainer) phases(bank string) {
	before, after := e.before.Phases.get(bank), e.after.Phases.get(bank)
	for _, phase := range keys(before, after) {
		switch {
		case before.get(phase) == "":
			e.line(0, "phase %s: only in %s", phase, e.from[1])
		case after.get(phase) == "":
			e.line(0, "phase %s: only in %s", phase, e.from[0])
		}
	}
}

// eventKey identifies an event of a PCR in both reports: what it is of, and which of several.
type eventKey struct {
	text string
	n    int
}

// eventsOf returns the events of a PCR, with keys.
func eventsOf(r *Report, pcr string) (order []eventKey, events map[eventKey]ReportEvent) {
	seen := map[string]int{}
	events = map[eventKey]ReportEvent{}
	for _, event := range r.Events {
		if itoa(event.PCR) != pcr || strings.HasSuffix(event.Description, nameOfSection) {
			continue
		}
		key := eventKey{event.Description, seen[event.Description]}
		seen[event.Description]++
		order, events[key] = append(order, key), event
	}
	return order, events
}

// movedBy returns which events of a PCR differ. The name of a section is left out, as the section says
// the same.
func (e *explainer) movedBy(pcr, bank string) []string {
	oldOrder, before := eventsOf(e.before, pcr)
	newOrder, after := eventsOf(e.after, pcr)
	var causes []string
	for _, key := range oldOrder {
		old, now := before[key], after[key]
		switch {
		case now.Type == "":
			causes = append(causes, fmt.Sprintf("%s (only in %s)", key.text, e.from[0]))
		case old.Digests.get(bank) != now.Digests.get(bank):
			causes = append(causes, key.text)
		}
	}
	for _, key := range newOrder {
		if before[key].Type == "" {
			causes = append(causes, fmt.Sprintf("%s (only in %s)", key.text, e.from[1]))
		}
	}
	if len(causes) == 0 {
		causes = append(causes, "the events are the same, and in another order, or one report does not predict it")
	}
	return causes
}

// sectionKey identifies a section of several with the same name.
type sectionKey struct {
	name string
	n    int
}

func (k sectionKey) String() string {
	if k.n == 0 {
		return k.name
	}
	return fmt.Sprintf("%s (number %d)", k.name, k.n+1)
}

func sectionsOf(r *Report) (order []sectionKey, sections map[sectionKey]ReportSection) {
	seen := map[string]int{}
	sections = map[sectionKey]ReportSection{}
	for _, s := range r.Sections {
		key := sectionKey{s.Name, seen[s.Name]}
		seen[s.Name]++
		order, sections[key] = append(order, key), s
	}
	return order, sections
}

func (e *explainer) sections() {
	oldOrder, before := sectionsOf(e.before)
	newOrder, after := sectionsOf(e.after)
	for _, key := range oldOrder {
		old := before[key]
		now, ok := after[key]
		switch {
		case !ok:
			e.line(0, "section %s: only in %s", key, e.from[0])
		case key.name == linkedInitramfs:
			e.initramfs(linkedInitramfs, old, now)
		case old.SHA256 != now.SHA256 || old.Size != now.Size:
			e.line(0, "section %s changed: %s", key, sizes(old.Size, now.Size))
			e.change(1, old.SHA256, now.SHA256)
			e.initramfs("", old, now)
		}
	}
	for _, key := range newOrder {
		if _, ok := before[key]; !ok {
			e.line(0, "section %s: only in %s", key, e.from[1])
		}
	}
}

// initramfs writes which files differ. title, if there is one, is written before the first.
func (e *explainer) initramfs(title string, before, after ReportSection) {
	if len(before.Files) == 0 && len(after.Files) == 0 {
		return
	}
	old := map[string]File{}
	for _, f := range before.Files {
		old[f.Path] = f
	}
	count, depth := 0, 1
	show := func(lines ...string) {
		if count++; count == 1 && title != "" {
			e.line(0, "%s", title)
		}
		if count > e.files {
			return
		}
		e.line(depth, "%s", lines[0])
		if len(lines) == 3 {
			e.change(depth+1, lines[1], lines[2])
		}
	}
	for _, now := range after.Files {
		was, ok := old[now.Path]
		delete(old, now.Path)
		if !ok {
			show("+ " + name(now) + " " + now.SHA256)
			continue
		}
		if what, values := compare(was, now); what != "" {
			show(append([]string{"~ " + name(now) + " changed: " + what}, values...)...)
		}
	}
	for _, f := range before.Files {
		if _, ok := old[f.Path]; ok {
			show("- " + name(f) + " " + f.SHA256)
		}
	}
	switch more := count - e.files; {
	case count == 0 && title == "":
		e.line(depth, "all files are the same: their order, the compression, or what the kernel does not use differs")
	case more == 1:
		e.line(depth, "and 1 more file")
	case more > 1:
		e.line(depth, "and %d more files", more)
	}
}

// name returns a path with the target that it is from.
func name(f File) string {
	if f.Label == "" {
		return f.Path
	}
	return f.Path + " (" + f.Label + ")"
}

// compare says what of a file differs, with both digests if its content does.
func compare(a, b File) (what string, digests []string) {
	var all []string
	add := func(name string, old, now any) {
		if old != now {
			all = append(all, fmt.Sprintf("%s %v -> %v", name, old, now))
		}
	}
	if a.SHA256 != b.SHA256 {
		all, digests = append(all, "content"), []string{a.SHA256, b.SHA256}
	}
	add("type", a.Type, b.Type)
	add("size", a.Size, b.Size)
	add("mode", a.Mode, b.Mode)
	add("owner", a.Owner, b.Owner)
	add("mtime", a.MTime, b.MTime)
	add("target", a.Target, b.Target)
	add("device", a.Device, b.Device)
	if a.Label != b.Label && len(all) > 0 {
		add("target of the build", a.Label, b.Label)
	}
	return strings.Join(all, ", "), digests
}

// rest writes what is not a digest.
func (e *explainer) rest() {
	lines := func(r *Report) []string {
		all := slices.Clone(r.Conditions)
		for _, p := range r.Unknown {
			all = append(all, "PCR "+p.key+" is not predicted: "+p.value)
		}
		return all
	}
	before, after := lines(e.before), lines(e.after)
	for i, only := range [][]string{without(before, after), without(after, before)} {
		for _, text := range only {
			e.line(0, "only in %s: %s", e.from[i], text)
		}
	}
}

func without(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return slices.Contains(b, s) })
}

func sizes(before, after int64) string {
	if before == after {
		return fmt.Sprintf("%d bytes", before)
	}
	return fmt.Sprintf("%d -> %d bytes", before, after)
}
