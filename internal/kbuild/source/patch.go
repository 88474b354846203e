package source

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// Patch applies a patch whose paths begin with one directory to strip, as git writes them.
// All hunks must apply without fuzz.
func (t *Tree) Patch(ctx context.Context, name string, lookPath func(string) (string, error)) error {
	program, err := lookPath("patch")
	if err != nil {
		return fmt.Errorf("%s: the program patch, which applies it, is not on the toolchain's path: install patch", name)
	}
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	cmd := exec.CommandContext(ctx, program, "--strip=1", "--batch", "--forward", "--fuzz=0",
		"--no-backup-if-mismatch", "--reject-file=-", "--directory="+t.Dir)
	cmd.Stdin = file
	cmd.Env = []string{"LC_ALL=C"}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s does not apply: %s", name, strings.TrimSpace(string(out)))
	}
	return nil
}
