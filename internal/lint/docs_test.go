package lint

import (
	"fmt"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/golden"
)

// The documentation has the rules as --list-rules has them, and no others.
func TestDocs(t *testing.T) {
	var rows []string
	for _, r := range Rules() {
		rows = append(rows, fmt.Sprintf("| `%s` | %s | %s | %s |", r.ID, r.Severity, r.Summary, r.Fix))
	}
	golden.Table(t, "../../docs/reference/lint.md", "| rule | severity | what it finds | what to do |", rows)
}
