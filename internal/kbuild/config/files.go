package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// sourceFiles are options that name a file that kbuild reads, relative to the source
// (certs/Kconfig), and a value that needs no file. Distributions set them to files that only
// their own sources have.
var sourceFiles = []struct{ symbol, without string }{
	{"CONFIG_SYSTEM_TRUSTED_KEYS", ""},
	{"CONFIG_SYSTEM_REVOCATION_KEYS", ""},
	{"CONFIG_SYSTEM_BLACKLIST_HASH_LIST", ""},
	{"CONFIG_MODULE_SIG_KEY", "certs/signing_key.pem"}, // kbuild makes this key
}

// CheckFiles returns an error with a line for each option of the .config that names a file
// that the source in dir lacks. Otherwise the compile would fail much later, with a message of make.
func CheckFiles(got Values, dir string) error {
	var errs []error
	for _, o := range sourceFiles {
		name := strings.Trim(got.Get(o.symbol), `"`)
		if name == "" || name == "n" || name == o.without || strings.HasPrefix(name, "pkcs11:") {
			continue
		}
		path := name
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, name)
		}
		if _, err := os.Stat(path); err != nil {
			errs = append(errs, fmt.Errorf("%s=%q: the source has no such file: set %s=%q in a fragment, or add the file with a patch", o.symbol, name, o.symbol, o.without))
		}
	}
	return errors.Join(errs...)
}
