package switchroot

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/rules-initramfs/rules_initramfs/internal/printable"
)

// maxLinks is the kernel's MAXSYMLINKS (include/linux/namei.h).
const maxLinks = 40

// resolve returns the path of the file that name means to a process whose root is
// root. Symbolic links, even absolute ones, do not lead out of root.
func resolve(root, name string) (string, error) {
	at := "/"
	parts := strings.Split(name, "/")
	for links := 0; len(parts) > 0; {
		part := parts[0]
		parts = parts[1:]
		if part == "" || part == "." {
			continue
		}
		next := filepath.Join(at, part) // Join turns /.. into /
		if part == ".." {
			at = next
			continue
		}
		info, err := os.Lstat(root + next)
		if err != nil {
			return "", fmt.Errorf("%s: the new root has no %s", printable.Text(name), printable.Text(next))
		}
		if info.Mode()&os.ModeSymlink == 0 {
			at = next
			continue
		}
		if links++; links > maxLinks {
			return "", fmt.Errorf("%s: %w", printable.Text(name), syscall.ELOOP)
		}
		target, err := os.Readlink(root + next)
		if err != nil {
			return "", fmt.Errorf("%s: %v", printable.Text(name), errors.Unwrap(err))
		}
		if strings.HasPrefix(target, "/") {
			at = "/"
		}
		parts = append(strings.Split(target, "/"), parts...)
	}
	return root + at, nil
}
