package drivers

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/kbuild/config"
	"github.com/rules-initramfs/rules_initramfs/internal/modules/devices"
)

// For returns the drivers for a device. Those for the more specific of its compatible strings
// come first. If several sets of options turn a driver on, the result has the set with the
// fewest options that the configuration lacks, and without a configuration the first.
func (x *Index) For(d devices.Device, c config.Values) []Driver {
	var found []Driver
	for _, modalias := range d.Modaliases {
		for _, driver := range x.Match(modalias) {
			i := slices.IndexFunc(found, func(other Driver) bool { return other.Source == driver.Source && other.Module == driver.Module })
			switch {
			case i < 0:
				found = append(found, driver)
			case driver.In(c).missing() < found[i].In(c).missing():
				found[i] = driver
			}
		}
	}
	rank := func(driver Driver) int {
		for i, compatible := range d.Compatible {
			if slices.Contains(driver.Aliases, "of:N*T*C"+strings.ReplaceAll(compatible, " ", "_")) {
				return i
			}
		}
		return len(d.Compatible)
	}
	slices.SortStableFunc(found, func(a, b Driver) int { return cmp.Compare(rank(a), rank(b)) })
	return found
}

// Found is a driver for a device as reports have it. Its fields are stable: programs may read it as
// JSON.
type Found struct {
	Module  string   `json:"module"`
	Source  string   `json:"source"`
	Options []string `json:"options,omitempty"`
	// Value is y, m or n in the configuration, if there is one, and Why says it in words.
	Value string `json:"value,omitempty"`
	Why   string `json:"why,omitempty"`
}

// String returns the module and what the configuration says of it.
func (f Found) String() string {
	why := cmp.Or(f.Why, strings.Join(f.Options, ", "))
	if why == "" {
		return f.Module
	}
	return f.Module + ": " + why
}

// Find returns what the source and a configuration, which may be nil, have for a device, and the
// state that follows.
func (x *Index) Find(s devices.Served, c config.Values) ([]Found, devices.State) {
	var found []Found
	all := x.For(s.Device, c)
	for _, driver := range all {
		f := Found{Module: driver.Module, Source: driver.Source, Options: driver.Options}
		if c != nil {
			f.Value, f.Why = driver.In(c).Value, driver.Explain(c)
		}
		found = append(found, f)
	}
	if c == nil {
		return found, s.State()
	}
	return found, State(s, all, c)
}

// Setting says whether a configuration has a driver.
type Setting struct {
	// Value is y for a driver in the kernel image, m for a module, and n for none.
	Value string
	// Off are the options that are off, and Absent those that are not in the configuration: what
	// they depend on, or what selects them, is off, or belongs to another architecture.
	Off, Absent []string
}

func (s Setting) missing() int { return len(s.Off) + len(s.Absent) }

// In returns whether a configuration has a driver.
func (d Driver) In(c config.Values) Setting {
	s := Setting{Value: "y"}
	for _, option := range d.Options {
		switch value, known := c[option]; {
		case !known:
			s.Absent = append(s.Absent, option)
		case value == "n":
			s.Off = append(s.Off, option)
		case value == "m":
			s.Value = "m"
		}
	}
	if s.missing() > 0 {
		s.Value = "n"
	}
	return s
}

// Explain returns in words what a configuration says of a driver, such as "CONFIG_CHARGER_BQ25890
// is off".
func (d Driver) Explain(c config.Values) string {
	s := d.In(c)
	var parts []string
	if len(s.Off) > 0 {
		parts = append(parts, isOrAre(s.Off)+" off")
	}
	if len(s.Absent) > 0 {
		parts = append(parts, isOrAre(s.Absent)+" not in the configuration: what allows or selects this is off")
	}
	switch {
	case len(parts) > 0:
		return strings.Join(parts, ", and ")
	case len(d.Options) == 0:
		return "every kernel has it"
	}
	return fmt.Sprintf("%s is %s", d.Options[0], c.Get(d.Options[0]))
}

func isOrAre(options []string) string {
	if len(options) == 1 {
		return options[0] + " is"
	}
	return strings.Join(options, ", ") + " are"
}

// State returns what a kernel with a configuration has for a device. The drivers are those that
// its source has for the device; in the kernel image they need no aliases.
func State(s devices.Served, drivers []Driver, c config.Values) devices.State {
	state := s.State()
	if state == devices.ByModule || state == devices.ByBuiltIn {
		return state
	}
	best := state
	for _, driver := range drivers {
		switch driver.In(c).Value {
		case "y":
			best = devices.ByBuiltIn
		case "m":
			return devices.ByModule
		}
	}
	return best
}
