// Package reference writes the documentation of .bzl files as Markdown.
package reference

import (
	"fmt"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/docs/module"
)

// typeNames has the words for types of attributes.
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

// Page returns a page on files. The repository is what its load statements name, such
// as @rules_initramfs.
func Page(title, intro, repository string, modules []*module.Module) (string, error) {
	w := &writer{repository: repository}
	w.paragraph("# " + title)
	w.paragraph(intro)
	for _, m := range modules {
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
}

func (w *writer) line(text string)      { w.out.WriteString(text + "\n") }
func (w *writer) paragraph(text string) { w.out.WriteString(text + "\n\n") }

// index writes a line with links to all that a file has.
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

// anchor is what GitHub makes of a heading that is a name.
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
		w.paragraph("A module extension. " + e.Doc)
	}
	for _, p := range m.Providers {
		w.provider(p)
	}
	return nil
}

func (w *writer) rule(r module.Rule) error {
	w.paragraph("### " + r.Name)
	w.paragraph(r.Doc)
	if kind := ruleKind(r); kind != "" {
		w.paragraph(kind)
	}
	w.line("| attribute | type | default | |")
	w.line("|---|---|---|---|")
	for _, a := range r.Attributes {
		if a.Type == module.Name {
			continue
		}
		kind, ok := typeNames[a.Type]
		if !ok {
			return fmt.Errorf("%s: no words for attributes of type %d", a.Name, a.Type)
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
		kind = append(kind, "It is a test.")
	case r.Executable:
		kind = append(kind, "It is for `bazel run`.")
	}
	if len(r.Provides) > 0 {
		kind = append(kind, "It provides "+strings.Join(codes(r.Provides), ", ")+".")
	}
	return strings.Join(kind, " ")
}

func defaultOf(a module.Attribute) string {
	switch {
	case a.Mandatory:
		return "mandatory"
	case a.Default == "" || a.Default == "None":
		return ""
	}
	return code(a.Default)
}

// needs says which providers a target must have.
func needs(a module.Attribute) string {
	if len(a.Providers) == 0 {
		return ""
	}
	var groups []string
	for _, group := range a.Providers {
		groups = append(groups, strings.Join(codes(group), " and "))
	}
	return " What it names has " + strings.Join(groups, " or ") + "."
}

func (w *writer) function(f module.Function) {
	w.paragraph("### " + f.Name)
	w.paragraph(strings.TrimRight(f.Doc, "\n"))
	w.line("| parameter | default | |")
	w.line("|---|---|---|")
	for _, p := range f.Parameters {
		name, fallback := p.Name, ""
		switch {
		case p.Role == module.Varargs:
			name = "*" + name
		case p.Mandatory:
			fallback = "mandatory"
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
	w.paragraph("A provider. " + p.Doc)
	w.line("| field | |")
	w.line("|---|---|")
	for _, f := range p.Fields {
		w.line(row(code(f.Name), f.Doc))
	}
	w.line("")
}

// row is a row of a table: a cell is one line, a blank line in it a break.
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
