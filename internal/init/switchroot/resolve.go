package switchroot

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
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
			return "", fmt.Errorf("%s: the new root has no %s", name, next)
		}
		if info.Mode()&os.ModeSymlink == 0 {
			at = next
			continue
		}
		if links++; links > maxLinks {
			return "", fmt.Errorf("%s: %w", name, syscall.ELOOP)
		}
		target, err := os.Readlink(root + next)
		if err != nil {
			return "", fmt.Errorf("%s: %v", name, errors.Unwrap(err))
		}
		if strings.HasPrefix(target, "/") {
			at = "/"
		}
		parts = append(strings.Split(target, "/"), parts...)
	}
	return root + at, nil
}
