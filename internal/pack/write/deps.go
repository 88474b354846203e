package write

import (
	"fmt"
	"io"
	"strings"
)

// Deps writes a makefile that sets deps_initramfs to the paths, the way
// usr/gen_initramfs.sh -l does, for usr/Makefile of the kernel to include. What
// make would misread in a path is escaped, where that script escapes the colon
// only.
func Deps(w io.Writer, paths []string) error {
	if _, err := io.WriteString(w, "deps_initramfs := \\\n"); err != nil {
		return err
	}
	for _, path := range paths {
		if strings.Contains(path, "\n") {
			return fmt.Errorf("%q has a newline in it, which a makefile cannot say", path)
		}
		if _, err := fmt.Fprintf(w, "%s \\\n", makeEscapes.Replace(path)); err != nil {
			return err
		}
	}
	return nil
}

var makeEscapes = strings.NewReplacer(
	":", `\:`,
	" ", `\ `, "\t", "\\\t",
	"#", `\#`, "$", "$$",
	"*", `\*`, "?", `\?`, "[", `\[`,
)
