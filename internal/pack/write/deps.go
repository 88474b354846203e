package write

import (
	"fmt"
	"io"
	"strings"
)

// Deps writes a makefile that sets deps_initramfs to the paths, as
// usr/gen_initramfs.sh -l does, for the kernel's usr/Makefile to include. It escapes
// everything in a path that make would misread; the script escapes only the colon.
func Deps(w io.Writer, paths []string) error {
	if _, err := io.WriteString(w, "deps_initramfs := \\\n"); err != nil {
		return err
	}
	for _, path := range paths {
		if strings.Contains(path, "\n") {
			return fmt.Errorf("%q has a newline in it, which a makefile cannot hold", path)
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
