package config

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
)

// Check returns an error with a line for each wanted value that the .config does not have
// after kbuild has resolved the dependencies of its options. If a symbol is wanted more than
// once, the last value counts. kconfig returns the options of the kernel; it is called only for
// an error.
func Check(got Values, wanted []Assignment, kconfig func() Kconfig) error {
	last := map[string]Assignment{}
	for _, a := range wanted {
		last[a.Symbol] = a
	}
	var errs []error
	var options Kconfig
	for _, a := range wanted {
		if last[a.Symbol] != a || equal(got.Get(a.Symbol), a.Value) {
			continue
		}
		if options == nil {
			options = kconfig()
		}
		errs = append(errs, options.lost(got, a))
	}
	return errors.Join(errs...)
}

// Lost returns an error for each value of a whole configuration that the .config does not have
// any more, like Check. It skips values that a .config cannot set, such as the version of the
// compiler: a configuration that another kernel or compiler has made has others of these.
func Lost(got Values, whole []Assignment, options Kconfig) (errs []error) {
	for _, a := range whole {
		if option := options[a.Symbol]; !equal(got.Get(a.Symbol), a.Value) && (option == nil || option.Prompt) {
			errs = append(errs, options.lost(got, a))
		}
	}
	return errs
}

// lost returns the error for a wanted value that the .config does not have.
func (k Kconfig) lost(got Values, a Assignment) error {
	return fmt.Errorf("%s:%d: %s: wanted %s, got %s: %s", a.File, a.Line, a.Symbol, a.Value, got.Get(a.Symbol), k.explain(got, a))
}

// equal reports whether two values are the same to kbuild, which leaves out an empty string if
// the option is not visible.
func equal(got, want string) bool {
	return got == want || got == "n" && want == `""`
}

// explain returns why an option does not have the wanted value, and what to do.
func (k Kconfig) explain(got Values, a Assignment) string {
	option := k[a.Symbol]
	switch {
	case option == nil:
		return "this kernel has no such option"
	case option.Probe != "":
		return askPrograms(strings.TrimPrefix(a.Symbol, Prefix), "", option)
	case option.Choice && a.Value != got.Get(a.Symbol) && len(option.Depends) == 0:
		return fmt.Sprintf("it belongs to a choice (%s): set the wanted option of the choice to y and the others to n", option.File)
	case a.Value == "n":
		return "another option selects it: turn that option off (search for this one with / in make menuconfig)"
	case len(option.Depends) > 0:
		return fmt.Sprintf("it depends on %s (%s): %s", option, option.File, k.remedy(got, option))
	case !option.Prompt:
		return fmt.Sprintf("a .config cannot set it (%s): enable the options that select it, or meet the conditions of its default", option.File)
	}
	return fmt.Sprintf("its conditions are in %s: meet them in a fragment", option.File)
}

// probed has the programs that Kconfig looks for, by a part of the macro call that does.
var probed = []struct{ probe, programs string }{
	{"pahole", "pahole (package dwarves)"},
	{"bindgen", "bindgen"},
	{"rust", "rustc, bindgen and the source of Rust's library"},
	{"plugin-version.h", "the plugin headers of GCC"},
}

// askPrograms says that the value of a symbol depends on the programs of the build.
func askPrograms(symbol, limit string, option *Option) string {
	if limit != "" {
		symbol += " " + limit
	}
	programs := "a compiler, or another program, that can do it"
	for _, row := range probed {
		if strings.Contains(strings.ToLower(option.Probe), row.probe) {
			programs = row.programs + " in the toolchain, in a version that this kernel takes"
			break
		}
	}
	return fmt.Sprintf("%s needs %s (%s: %s)", symbol, programs, option.File, option.Probe)
}

// remedy returns what to change so that the conditions of an option hold.
func (k Kconfig) remedy(got Values, option *Option) string {
	var enable, disable, set, others []string
	for _, n := range got.unmet(option.String()) {
		o := k[Prefix+n.symbol]
		switch {
		case o != nil && o.Probe != "" && !n.off:
			others = append(others, askPrograms(n.symbol, n.limit, o))
		case n.off:
			disable = append(disable, n.symbol)
		case o == nil:
			others = append(others, n.symbol+" does not exist here")
		case !o.Prompt:
			others = append(others, n.symbol+" "+cmp.Or(n.limit, "is off, and")+" is not for a .config to set ("+o.File+")")
		case n.limit != "":
			set = append(set, n.symbol+" "+n.limit)
		default:
			enable = append(enable, n.symbol)
		}
	}
	var changes []string
	for _, change := range []struct {
		verb    string
		symbols []string
	}{{"enable", enable}, {"disable", disable}, {"have", set}} {
		if change.symbols != nil {
			changes = append(changes, change.verb+" "+strings.Join(change.symbols, " and "))
		}
	}
	if changes != nil {
		others = append([]string{strings.Join(changes, " and ") + " in a fragment"}, others...)
	}
	if others == nil {
		return "these hold, so a menu or an if block around it does not: look there"
	}
	return strings.Join(others, "; ")
}
