package modules

import (
	"bufio"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/kbuild/config"
	"github.com/rules-initramfs/rules_initramfs/internal/modules/devices"
	"github.com/rules-initramfs/rules_initramfs/internal/modules/devices/drivers"
	"github.com/rules-initramfs/rules_initramfs/internal/printable"
)

// Report says what is in a layer and why. Its fields are stable: programs may read it as JSON.
type Report struct {
	// Release is the kernel's release.
	Release string `json:"release"`
	// Modules are in the order in which depmod knows them.
	Modules []ReportedModule `json:"modules"`
	// Replaced are the paths of the kernel's modules that a module from elsewhere replaces.
	Replaced []string `json:"replaced"`
	// Builtin are the modules that were asked for or drawn in, and are built into the kernel.
	Builtin []ReportedModule `json:"built_in"`
	// Excluded are the modules that would be in the layer if they were not excluded.
	Excluded []ReportedModule `json:"excluded"`
	// Absent are softdeps and weakdeps that no module is for.
	Absent   []ReportedAbsent   `json:"absent"`
	Devices  []ReportedDevice   `json:"devices"`
	Firmware []ReportedFirmware `json:"firmware"`
	// MissingFirmware does not have what --missing-firmware turns off.
	MissingFirmware []ReportedMissing `json:"missing_firmware"`
	// Unsigned are the names of the modules that lost their signature because they were stripped.
	Unsigned []string `json:"unsigned"`

	searched bool // FindDrivers was called
}

// ReportedModule is a module of a report.
type ReportedModule struct {
	Name string `json:"name"`
	// Path is relative to lib/modules/RELEASE; empty if it is built in and cannot be a module.
	Path string `json:"path"`
	// Size is that of the file in bytes; 0 if it is not in the layer.
	Size int64    `json:"size"`
	Why  []Reason `json:"why"`
}

// ReportedAbsent is a name that no module has.
type ReportedAbsent struct {
	Name string   `json:"name"`
	Why  []Reason `json:"why"`
}

// ReportedDevice is a device of a report.
type ReportedDevice struct {
	Path       string   `json:"path"`
	Modaliases []string `json:"modaliases"`
	// State is what the layer or the kernel has for it.
	State devices.State `json:"state"`
	// Modules and Builtin are the names of the modules that serve it.
	Modules []string `json:"modules"`
	Builtin []string `json:"built_in"`
	// Drivers are those that the source of the kernel has for it, if it is known and neither a
	// module nor what is built in has an alias for it.
	Drivers []drivers.Found `json:"drivers"`
}

// ReportedFirmware is a file or a link below lib/firmware.
type ReportedFirmware struct {
	Name string `json:"name"`
	// Target is the target of a link; empty for a file.
	Target string `json:"target"`
	// For are the names of the modules, and the paths of the devices, that may ask for it.
	For []string `json:"for"`
}

// ReportedMissing is firmware that no directory has.
type ReportedMissing struct {
	Name string `json:"name"`
	For  string `json:"for"`
	Hint string `json:"hint"` // why what is there does not count, or empty
}

// NewReport returns the report of a layer that is written.
func NewReport(l *Layer, replaced []*Module, missing []MissingFirmware) *Report {
	s := l.Selection
	r := &Report{
		Release: l.Kernel.Release, Modules: []ReportedModule{}, Replaced: []string{}, Builtin: reportModules(s.Builtin), Excluded: reportModules(s.Excluded),
		Absent: []ReportedAbsent{}, Devices: []ReportedDevice{}, Firmware: []ReportedFirmware{}, MissingFirmware: []ReportedMissing{},
		Unsigned: append([]string{}, l.Unsigned...),
	}
	for i, m := range l.Written {
		r.Modules = append(r.Modules, ReportedModule{m.Name, m.Path, m.Size, s.Modules[i].Why})
	}
	for _, m := range replaced {
		r.Replaced = append(r.Replaced, m.Path)
	}
	for _, a := range s.Absent {
		r.Absent = append(r.Absent, ReportedAbsent{a.Word, a.Why})
	}
	for _, d := range s.Devices {
		r.Devices = append(r.Devices, ReportedDevice{d.Path, append([]string{}, d.Modaliases...), d.State(), append([]string{}, d.Modules...), append([]string{}, d.BuiltIn...), []drivers.Found{}})
	}
	for _, f := range l.Firmware {
		r.Firmware = append(r.Firmware, ReportedFirmware{f.Name, f.Target, f.For})
	}
	for _, m := range missing {
		r.MissingFirmware = append(r.MissingFirmware, ReportedMissing{m.Name, m.For, m.Hint})
	}
	return r
}

// FindDrivers adds what the source of the kernel and its configuration have for the devices of the
// layer that no alias is for. A driver without an alias may still be in the kernel image.
func (r *Report) FindDrivers(l *Layer, index *drivers.Index, values config.Values) {
	for i, d := range l.Selection.Devices {
		if len(d.Modules)+len(d.BuiltIn) > 0 {
			continue
		}
		found, state := index.Find(d, values)
		r.Devices[i].Drivers = append(r.Devices[i].Drivers, found...)
		r.Devices[i].State = state
	}
	r.searched = true
}

func reportModules(chosen []Chosen) []ReportedModule {
	list := []ReportedModule{}
	for _, m := range chosen {
		list = append(list, ReportedModule{m.Name, m.Path, 0, m.Why})
	}
	return list
}

// counted returns a number and what it counts.
func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// maxReasons is how many reasons for a module a text has.
const maxReasons = 3

// WriteText writes the report for people.
func (r *Report) WriteText(w io.Writer) error {
	out := bufio.NewWriter(w)
	var size int64
	for _, m := range r.Modules {
		size += m.Size
	}
	fmt.Fprintf(out, "kernel %s: %s with %s, %d files and links of firmware\n", printable.Text(r.Release), counted(len(r.Modules), "module"), counted(int(size), "byte"), len(r.Firmware))
	section := func(title string, n int, line func(i int) (name, text string)) {
		if n == 0 {
			return
		}
		fmt.Fprintf(out, "\n%s\n", title)
		width := 0
		for i := range n {
			name, _ := line(i)
			width = max(width, min(len(printable.Text(name)), maxWidth))
		}
		for i := range n {
			name, text := line(i)
			fmt.Fprintln(out, strings.TrimRight(fmt.Sprintf("  %-*s  %s", width, printable.Text(name), printable.Text(text)), " "))
		}
	}
	modules := func(list []ReportedModule) func(int) (string, string) {
		return func(i int) (string, string) { return list[i].Name, reasons(list[i].Why) }
	}
	section("modules", len(r.Modules), modules(r.Modules))
	section("replaced by a module from elsewhere", len(r.Replaced), func(i int) (string, string) { return r.Replaced[i], "" })
	section("built into the kernel", len(r.Builtin), modules(r.Builtin))
	section("excluded", len(r.Excluded), modules(r.Excluded))
	section("softdeps and weakdeps that no module is for", len(r.Absent), func(i int) (string, string) { return r.Absent[i].Name, reasons(r.Absent[i].Why) })
	section("devices", len(r.Devices), func(i int) (string, string) { return r.Devices[i].Path, r.Devices[i].served(r.searched) })
	section("firmware", len(r.Firmware), func(i int) (string, string) {
		f := r.Firmware[i]
		text := "firmware of " + strings.Join(f.For, ", ")
		if f.Target != "" {
			text = "link to " + path.Join(path.Dir(f.Name), f.Target) + ", " + text
		}
		return f.Name, text
	})
	section("missing firmware", len(r.MissingFirmware), func(i int) (string, string) {
		m := r.MissingFirmware[i]
		text := "firmware of " + m.For
		if m.Hint != "" {
			text += ": " + m.Hint
		}
		return m.Name, text
	})
	section("signatures removed, because the modules were stripped", len(r.Unsigned), func(i int) (string, string) { return r.Unsigned[i], "" })
	return out.Flush()
}

// maxWidth is how wide a column of names gets.
const maxWidth = 40

// maxDrivers is how many drivers of the source for a device a text has.
const maxDrivers = 2

// served says what serves a device. searched reports whether the source was searched for drivers.
func (d ReportedDevice) served(searched bool) string {
	var parts []string
	if len(d.Modules) > 0 {
		parts = append(parts, "served by "+strings.Join(d.Modules, ", "))
	}
	if len(d.Builtin) > 0 {
		parts = append(parts, "served by "+strings.Join(d.Builtin, ", ")+", built in")
	}
	switch {
	case len(parts) > 0:
		return strings.Join(parts, "; ")
	case d.State == devices.ByBuiltIn:
		return "served by " + d.driver("y") + ", built in"
	case d.State == devices.ByModule:
		return d.driver("m") + " is for it, and is not chosen: it is excluded, or has no alias for it"
	case d.State != devices.Unserved:
		return string(d.State)
	}
	text := "no module serves it"
	if d.Modaliases[0] != d.Path {
		text += " (" + d.Modaliases[0] + ")"
	}
	if searched && len(d.Drivers) == 0 {
		return text + ", and the source has no driver for it"
	}
	for i, driver := range d.Drivers {
		if i == maxDrivers {
			text += fmt.Sprintf("; %d more", len(d.Drivers)-i)
			break
		}
		text += [...]string{": ", "; "}[min(i, 1)] + driver.String()
	}
	return text
}

// driver returns the name of the first driver with a value in the configuration.
func (d ReportedDevice) driver(value string) string {
	for _, driver := range d.Drivers {
		if driver.Value == value {
			return driver.Module
		}
	}
	return "a driver"
}

// reasons returns the first reasons for a module, and how many more there are.
func reasons(why []Reason) string {
	var texts []string
	for _, r := range why[:min(maxReasons, len(why))] {
		texts = append(texts, r.String())
	}
	text := strings.Join(texts, "; ")
	if more := len(why) - len(texts); more > 0 {
		text += fmt.Sprintf("; %d more", more)
	}
	return text
}
