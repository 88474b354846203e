// Docs generates the rule reference from docstrings, and checks the documentation.
package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/workspace"
)

const usage = `Usage: docs reference OUT MODULE...
       docs svg TEXT OUT
       docs update FROM TO
       docs check PAGE...
       docs prose PATH...

reference  writes a Markdown page from the files of starlark_doc_extract
svg        draws the text of a terminal
update     copies a file to a path of the workspace; start it with bazel run
check      compares the code in pages with the files that they name, and follows links
prose      checks the words of Markdown, Go, Starlark and shell files

Exit status: 0 done, 1 an error or a finding, 2 wrong usage.
`

const (
	title = "Rule reference"
	intro = "Generated from the docstrings: do not edit. `bazel run //docs:reference.update` writes this page, and a test\n" +
		"compares. See also the [overview](overview.md). Every rule also has `name` and the common attributes of Bazel."
	repository = "@rules_initramfs"
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	var err error
	switch {
	case len(args) == 1 && slices.Contains([]string{"-h", "--help"}, args[0]):
		fmt.Print(usage)
	case len(args) >= 3 && args[0] == "reference":
		err = writeReference(args[1], args[2:])
	case len(args) == 3 && args[0] == "svg":
		err = writeSVG(args[1], args[2])
	case len(args) == 3 && args[0] == "update":
		err = update(args[1], args[2])
	case len(args) >= 2 && args[0] == "check":
		err = report(checkPages(args[1:]))
	case len(args) >= 2 && args[0] == "prose":
		err = report(checkProse(args[1:]))
	default:
		fmt.Fprint(os.Stderr, usage)
		return 2
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "docs:", err)
		return 1
	}
	return 0
}

func writeReference(out string, names []string) error {
	var modules []*moduleInfo
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		m, err := parseModule(data)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		modules = append(modules, m)
	}
	page, err := referencePage(title, intro, repository, modules)
	if err != nil {
		return err
	}
	return os.WriteFile(out, []byte(page), 0o644)
}

func writeSVG(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	command, _, _ := strings.Cut(string(text), "\n")
	return os.WriteFile(to, []byte(svg("Console: "+command, string(text))), 0o644)
}

func update(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return workspace.WriteFile(os.Stdout, to, text)
}

// report prints findings, and returns an error if there are any.
func report(findings []string, err error) error {
	if err != nil {
		return err
	}
	for _, finding := range findings {
		fmt.Fprintln(os.Stderr, finding)
	}
	if len(findings) > 0 {
		return fmt.Errorf("findings: %d", len(findings))
	}
	return nil
}
