//go:build !linux

package write

import (
	"errors"
	"os"
)

// createUnnamed returns nil: only Linux has files without a name.
func createUnnamed(string) *os.File { return nil }

func nameUnnamed(*os.File, string) (string, error) { return "", errors.ErrUnsupported }
