// Package reference writes the documentation of .bzl files as Markdown.
package reference

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/docs/module"
)

// typeNames has the name of each attribute type, as the page shows it.
var typeNames = map[module.Type]string{
	module.Int:                  "integer",
	module.Label:                "label",
	module.String:               "string",
	module.StringList:           "list of strings",
	module.LabelList:            "list of labels",
	module.Bool:                 "boolean",
	module.LabelKeyedStringDict: "label to string",
	module.StringDict:           "string to string",
	module.StringKeyedLabelDict: "string to label",
}

// Page returns a page about modules. The repository is the one that load statements
// name, such as @rules_initramfs.
func Page(title, intro, repository string, modules []*module.Module) (string, error) {
	w := &writer{repository: repository, seen: map[string]bool{}}
	w.paragraph("# " + title)
	w.paragraph(intro)
	for _, m := range modules {
		w.leaveOut(m)
		w.index(m)
	}
	w.line("")
	for _, m := range modules {
		if err := w.module(m); err != nil {
			return "", fmt.Errorf("%s: %w", m.File, err)
		}
	}
	return strings.TrimRight(w.out.String(), "\n") + "\n", nil
}

type writer struct {
	out        strings.Builder
	repository string
	// seen has the names of items that an earlier file documents.
	seen map[string]bool
}

// leaveOut removes renamed functions, and items that an earlier file exports too.
func (w *writer) leaveOut(m *module.Module) {
	seen := func(name string) bool {
		old := w.seen[name]
		w.seen[name] = true
		return old
	}
	m.Rules = slices.DeleteFunc(m.Rules, func(r module.Rule) bool { return seen(r.Name) })
	m.Functions = slices.DeleteFunc(m.Functions, func(f module.Function) bool { return isRenamed(f.Doc) || seen(f.Name) })
	m.Extensions = slices.DeleteFunc(m.Extensions, func(e module.Extension) bool { return seen(e.Name) })
	m.Providers = slices.DeleteFunc(m.Providers, func(p module.Provider) bool { return seen(p.Name) })
}

func (w *writer) line(text string)      { w.out.WriteString(text + "\n") }
func (w *writer) paragraph(text string) { w.out.WriteString(text + "\n\n") }

// index writes a line with links to all items of a file.
func (w *writer) index(m *module.Module) {
	var links []string
	for _, names := range [][]string{
		names(m.Rules, func(r module.Rule) string { return r.Name }),
		names(m.Functions, func(f module.Function) string { return f.Name }),
		names(m.Extensions, func(e module.Extension) string { return e.Name }),
		names(m.Providers, func(p module.Provider) string { return p.Name }),
	} {
		for _, name := range names {
			links = append(links, fmt.Sprintf("[%s](#%s)", name, anchor(name)))
		}
	}
	w.line(fmt.Sprintf("- `%s%s`: %s", w.repository, m.File, strings.Join(links, ", ")))
}

func names[T any](all []T, name func(T) string) []string {
	var names []string
	for _, one := range all {
		names = append(names, name(one))
	}
	return names
}

// anchor returns the anchor that GitHub gives to a heading that is an identifier.
func anchor(name string) string { return strings.ToLower(name) }

func (w *writer) module(m *module.Module) error {
	w.paragraph("## " + m.File)
	w.paragraph(m.Doc)
	for _, r := range m.Rules {
		if err := w.rule(r); err != nil {
			return fmt.Errorf("%s: %w", r.Name, err)
		}
	}
	for _, f := range m.Functions {
		w.function(f)
	}
	for _, e := range m.Extensions {
		w.paragraph("### " + e.Name)
		w.paragraph("Module extension. " + e.Doc)
	}
	for _, p := range m.Providers {
		w.provider(p)
	}
	return nil
}

// isRenamed reports whether a doc is that of an attribute or function that exists only
// to name its replacement in an error. The page leaves these out.
func isRenamed(doc string) bool { return strings.HasPrefix(doc, "Renamed to") }

func (w *writer) rule(r module.Rule) error {
	w.paragraph("### " + r.Name)
	w.paragraph(r.Doc)
	if kind := ruleKind(r); kind != "" {
		w.paragraph(kind)
	}
	w.line("| attribute | type | default | description |")
	w.line("|---|---|---|---|")
	for _, a := range r.Attributes {
		if a.Type == module.Name || isRenamed(a.Doc) {
			continue
		}
		kind, ok := typeNames[a.Type]
		if !ok {
			return fmt.Errorf("%s: attribute type %d has no name in typeNames", a.Name, a.Type)
		}
		if a.Doc == "" {
			return fmt.Errorf("%s has no doc", a.Name)
		}
		w.line(row(code(a.Name), kind, defaultOf(a), a.Doc+needs(a)))
	}
	w.line("")
	return nil
}

func ruleKind(r module.Rule) string {
	var kind []string
	switch {
	case r.Test:
		kind = append(kind, "A test rule.")
	case r.Executable:
		kind = append(kind, "Targets are started with `bazel run`.")
	}
	if len(r.Provides) > 0 {
		kind = append(kind, "Provides "+strings.Join(codes(r.Provides), ", ")+".")
	}
	return strings.Join(kind, " ")
}

func defaultOf(a module.Attribute) string {
	switch {
	case a.Mandatory:
		return "required"
	case a.Default == "" || a.Default == "None":
		return ""
	}
	return code(a.Default)
}

// needs returns a sentence about the providers that a target must have, or "".
func needs(a module.Attribute) string {
	if len(a.Providers) == 0 {
		return ""
	}
	var groups []string
	for _, group := range a.Providers {
		groups = append(groups, strings.Join(codes(group), " and "))
	}
	return " Must provide " + strings.Join(groups, " or ") + "."
}

func (w *writer) function(f module.Function) {
	w.paragraph("### " + f.Name)
	w.paragraph(strings.TrimRight(f.Doc, "\n"))
	w.line("| parameter | default | description |")
	w.line("|---|---|---|")
	for _, p := range f.Parameters {
		name, fallback := p.Name, ""
		switch {
		case p.Role == module.Varargs:
			name = "*" + name
		case p.Mandatory:
			fallback = "required"
		case p.Default != "":
			fallback = code(p.Default)
		case p.Role == module.Kwargs || p.Role == module.NoRole:
			name = "**" + name
		}
		w.line(row(code(name), fallback, p.Doc))
	}
	w.line("")
	if f.Returns != "" {
		w.paragraph("Returns: " + f.Returns)
	}
}

func (w *writer) provider(p module.Provider) {
	w.paragraph("### " + p.Name)
	w.paragraph("Provider. " + p.Doc)
	w.line("| field | description |")
	w.line("|---|---|")
	for _, f := range p.Fields {
		w.line(row(code(f.Name), f.Doc))
	}
	w.line("")
}

// row returns a row of a table. A cell is one line; a blank line in it becomes a break.
func row(cells ...string) string {
	for i, cell := range cells {
		var paragraphs []string
		for _, paragraph := range strings.Split(strings.TrimSpace(cell), "\n\n") {
			paragraphs = append(paragraphs, strings.Join(strings.Fields(paragraph), " "))
		}
		cells[i] = strings.ReplaceAll(strings.Join(paragraphs, "<br><br>"), "|", `\|`)
	}
	return "| " + strings.Join(cells, " | ") + " |"
}

func code(text string) string { return "`" + text + "`" }

func codes(all []string) []string {
	var quoted []string
	for _, text := range all {
		quoted = append(quoted, code(text))
	}
	return quoted
}
