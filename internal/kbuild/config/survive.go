package config

import (
	"errors"
	"fmt"
)

// Check checks that each of the wanted values is the .config's, now that kbuild has made it
// agree with the dependencies of its options. Of a symbol that is wanted more than once the
// last one counts. The error has a line for each that is not. options finds an option in the
// Kconfig files; it may be nil.
func Check(got Values, wanted []Assignment, options func(symbol string) *Option) error {
	last := map[string]Assignment{}
	for _, a := range wanted {
		last[a.Symbol] = a
	}
	var faults []error
	for _, a := range wanted {
		if last[a.Symbol] != a || same(got.Get(a.Symbol), a.Value) {
			continue
		}
		var option *Option
		if options != nil {
			option = options(a.Symbol)
		}
		faults = append(faults, fmt.Errorf("%s:%d: %s: wanted %s, got %s: %s", a.File, a.Line, a.Symbol, a.Value, got.Get(a.Symbol), why(a, option)))
	}
	return errors.Join(faults...)
}

// same tells whether two values are one to kbuild, which leaves an empty string out where the
// option is not visible.
func same(got, want string) bool {
	return got == want || got == "n" && want == `""`
}

func why(a Assignment, option *Option) string {
	switch {
	case option == nil:
		return "this kernel has no such option"
	case a.Value == "n":
		return "another option selects it: turn that one off (make menuconfig, then / and its name, tells which)"
	case len(option.Depends) > 0:
		return fmt.Sprintf("it depends on %s (%s): add what is off of it", option, option.File)
	}
	return fmt.Sprintf("see %s for what it takes, and add that", option.File)
}
