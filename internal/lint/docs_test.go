package lint

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// The documentation has the rules as --list-rules has them, and no others.
func TestDocs(t *testing.T) {
	text, err := os.ReadFile("../../docs/reference/lint.md")
	if err != nil {
		t.Fatal(err)
	}
	var want, got strings.Builder
	for _, r := range Rules() {
		fmt.Fprintf(&want, "| `%s` | %s | %s | %s |\n", r.ID, r.Severity, r.Summary, r.Fix)
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "| `") {
			got.WriteString(line)
		}
	}
	if got.String() != want.String() {
		t.Errorf("docs/reference/lint.md has\n%s\nwant\n%s", &got, &want)
	}
}
