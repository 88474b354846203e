//go:build unix

package cli

import (
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/cobra"
)

func TestRunInterrupted(t *testing.T) {
	program := &cobra.Command{Use: "tool", RunE: func(cmd *cobra.Command, _ []string) error {
		if err := syscall.Kill(syscall.Getpid(), syscall.SIGTERM); err != nil {
			return err
		}
		<-cmd.Context().Done()
		return cmd.Context().Err()
	}}
	got := run(program)
	if got.Code != 1 || !strings.HasPrefix(got.Stderr, "tool: interrupted") {
		t.Errorf("%+v", got)
	}
}
