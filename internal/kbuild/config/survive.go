package config

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Check returns an error with a line for each wanted value that the .config does not have
// after kbuild has resolved the dependencies of its options. If a symbol is wanted more than
// once, the last value counts. find looks an option up in the Kconfig files; it may be nil.
func Check(got Values, wanted []Assignment, find func(symbol string) *Option) error {
	last := map[string]Assignment{}
	for _, a := range wanted {
		last[a.Symbol] = a
	}
	var errs []error
	for _, a := range wanted {
		if last[a.Symbol] != a || equal(got.Get(a.Symbol), a.Value) {
			continue
		}
		var option *Option
		if find != nil {
			option = find(a.Symbol)
		}
		errs = append(errs, fmt.Errorf("%s:%d: %s: wanted %s, got %s: %s", a.File, a.Line, a.Symbol, a.Value, got.Get(a.Symbol), explain(got, a, option)))
	}
	return errors.Join(errs...)
}

// equal reports whether two values are the same to kbuild, which leaves out an empty string if
// the option is not visible.
func equal(got, want string) bool {
	return got == want || got == "n" && want == `""`
}

// explain returns why an option does not have the wanted value, and what to do.
func explain(got Values, a Assignment, option *Option) string {
	switch {
	case option == nil:
		return "this kernel has no such option"
	case a.Value == "n":
		return "another option selects it: turn that option off (search for this one with / in make menuconfig)"
	case len(option.Depends) > 0:
		return fmt.Sprintf("it depends on %s (%s): %s in a fragment", option, option.File, remedy(got, option))
	}
	return fmt.Sprintf("its conditions are in %s: meet them in a fragment", option.File)
}

var simpleCondition = regexp.MustCompile(`^(!?)([A-Za-z0-9_]+)$`)

// remedy returns what to change so that the conditions of an option hold. It names the symbols
// of those that are a symbol or its negation.
func remedy(got Values, option *Option) string {
	var enable, disable []string
	for condition := range strings.SplitSeq(option.String(), " && ") {
		m := simpleCondition.FindStringSubmatch(condition)
		if m == nil {
			continue
		}
		switch off := got.Get(Prefix+m[2]) == "n"; {
		case off && m[1] == "":
			enable = append(enable, m[2])
		case !off && m[1] == "!":
			disable = append(disable, m[2])
		}
	}
	var remedies []string
	if len(enable) > 0 {
		remedies = append(remedies, "enable "+strings.Join(enable, " and "))
	}
	if len(disable) > 0 {
		remedies = append(remedies, "disable "+strings.Join(disable, " and "))
	}
	if remedies == nil {
		return "meet that condition"
	}
	return strings.Join(remedies, " and ")
}
