package config

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// sourceFiles are options that name a file that kbuild reads, relative to the source
// (certs/Kconfig). Distributions set them to files that only their own sources have.
var sourceFiles = []string{
	SystemTrustedKeys,
	"CONFIG_SYSTEM_REVOCATION_KEYS",
	"CONFIG_SYSTEM_BLACKLIST_HASH_LIST",
	ModuleSigKey,
}

// attributes are those of kernel_build that set such an option.
var attributes = map[string]string{SystemTrustedKeys: "trusted_certificates", ModuleSigKey: "module_certificate"}

// CheckFiles returns an error with a line for each option of the .config that names a file
// that the source in dir lacks. Otherwise the compile would fail much later, with a message of make.
// CheckSigning comes first: it knows the values that are not files.
func CheckFiles(got Values, dir string) error {
	var errs []error
	for _, symbol := range sourceFiles {
		name := strings.Trim(got.Get(symbol), `"`)
		if name == "" || name == "n" {
			continue
		}
		path := name
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, name)
		}
		if _, err := os.Stat(path); err != nil {
			instead := ""
			if attribute := attributes[symbol]; attribute != "" {
				instead = fmt.Sprintf("set %s (--%s), or ", attribute, strings.ReplaceAll(attribute, "_", "-"))
			}
			errs = append(errs, fmt.Errorf("%s=%q: the source has no such file: %s%s=\"\" in a fragment, or add the file with a patch", symbol, name, cmp.Or(instead, "set "), symbol))
		}
	}
	return errors.Join(errs...)
}
