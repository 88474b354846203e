// Docs makes the rule reference out of docstrings, and checks the pages of the
// documentation.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/rules-initramfs/rules_initramfs/internal/docs/module"
	"github.com/rules-initramfs/rules_initramfs/internal/docs/pages"
	"github.com/rules-initramfs/rules_initramfs/internal/docs/reference"
)

const usage = `Usage: docs reference OUT MODULE...
       docs update FROM TO
       docs check PAGE...

reference writes a Markdown page on what starlark_doc_extract has written.
update copies a file to a path of the workspace; it is for bazel run.
check fails where the code in pages is not that of the files that they name, or a
link leads nowhere.

Exit status: 0 done, 1 a fault, 2 wrong usage.
`

const (
	title = "Rule reference"
	intro = "Made of the docstrings: do not edit. `bazel run //docs:reference.update` writes it anew, and a test\n" +
		"compares. [The rules](rules.md) has an overview. Every rule also has `name` and what any Bazel rule has."
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
	case len(args) == 3 && args[0] == "update":
		err = update(args[1], args[2])
	case len(args) >= 2 && args[0] == "check":
		err = check(args[1:])
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
	var modules []*module.Module
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		m, err := module.Parse(data)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		modules = append(modules, m)
	}
	page, err := reference.Page(title, intro, repository, modules)
	if err != nil {
		return err
	}
	return os.WriteFile(out, []byte(page), 0o644)
}

func update(from, to string) error {
	workspace := os.Getenv("BUILD_WORKSPACE_DIRECTORY")
	if workspace == "" {
		return errors.New("not run by bazel run: BUILD_WORKSPACE_DIRECTORY is not set")
	}
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	name := filepath.Join(workspace, to)
	if err := os.WriteFile(name+".new", text, 0o644); err != nil {
		return err
	}
	if err := os.Rename(name+".new", name); err != nil {
		os.Remove(name + ".new")
		return err
	}
	fmt.Println("wrote", to)
	return nil
}

func check(names []string) error {
	faults, err := pages.Check(names)
	if err != nil {
		return err
	}
	for _, fault := range faults {
		fmt.Fprintln(os.Stderr, fault)
	}
	if len(faults) > 0 {
		return fmt.Errorf("%d faults in the pages", len(faults))
	}
	return nil
}
