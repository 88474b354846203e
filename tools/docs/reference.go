package main

import (
	"fmt"
	"slices"
	"strings"
)

// typeNames has the name of each attribute type, as the page shows it.
var typeNames = map[attributeType]string{
	typeInt:                  "integer",
	typeLabel:                "label",
	typeString:               "string",
	typeStringList:           "list of strings",
	typeIntList:              "list of integers",
	typeLabelList:            "list of labels",
	typeBool:                 "boolean",
	typeLabelKeyedStringDict: "label to string",
	typeStringDict:           "string to string",
	typeStringListDict:       "string to list of strings",
	typeStringKeyedLabelDict: "string to label",
}

// item is what a file documents: its name, and its section without the heading.
type item struct{ name, text string }

// referencePage returns a page about modules, in Markdown. An item that several files export is
// in the section of the first. A rule of a private file documents the macro with its name. The
// repository is the one that load statements name, such as @rules_initramfs.
func referencePage(title, intro, repository string, modules []*moduleInfo) (string, error) {
	index, sections := paragraphs("# "+title, intro), "\n"
	seen := map[string]bool{}
	rules, modules := privateRules(modules)
	for _, m := range modules {
		m.replace(rules)
		items, err := m.items()
		if err != nil {
			return "", fmt.Errorf("%s: %w", m.File, err)
		}
		var links []string
		sections += paragraphs("## "+m.File, m.Doc)
		for _, i := range items {
			if !seen[i.name] {
				seen[i.name] = true
				links = append(links, fmt.Sprintf("[%s](#%s)", i.name, anchor(i.name)))
				sections += paragraphs("### "+i.name) + i.text
			}
		}
		index += fmt.Sprintf("- `%s%s`: %s\n", repository, m.File, strings.Join(links, ", "))
	}
	return index + strings.TrimRight(sections, "\n") + "\n", nil
}

// privateRules returns the rules of private files, and the other files.
func privateRules(modules []*moduleInfo) (rules []ruleInfo, public []*moduleInfo) {
	for _, m := range modules {
		if strings.Contains(m.File, "/private:") {
			rules = append(rules, m.Rules...)
		} else {
			public = append(public, m)
		}
	}
	return rules, public
}

// replace puts rules in the place of functions with the same names, before the other rules.
func (m *moduleInfo) replace(rules []ruleInfo) {
	var found []ruleInfo
	for _, r := range rules {
		i := slices.IndexFunc(m.Functions, func(f functionInfo) bool { return f.Name == r.Name })
		if i >= 0 {
			found = append(found, r)
			m.Functions = slices.Delete(m.Functions, i, i+1)
		}
	}
	m.Rules = append(found, m.Rules...)
}

func paragraphs(all ...string) string { return strings.Join(all, "\n\n") + "\n\n" }

// items returns what a file documents, in the order of the page.
func (m *moduleInfo) items() ([]item, error) {
	var items []item
	for _, r := range m.Rules {
		text, err := r.text()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.Name, err)
		}
		items = append(items, item{r.Name, text})
	}
	for _, f := range m.Functions {
		if !isRenamed(f.Doc) {
			items = append(items, item{f.Name, f.text()})
		}
	}
	for _, e := range m.Extensions {
		items = append(items, item{e.Name, paragraphs("Module extension. " + e.Doc)})
	}
	for _, p := range m.Providers {
		fields := []string{"| field | description |", "|---|---|"}
		for _, f := range p.Fields {
			fields = append(fields, row(code(f.Name), f.Doc))
		}
		items = append(items, item{p.Name, paragraphs("Provider. "+p.Doc, strings.Join(fields, "\n"))})
	}
	return items, nil
}

// isRenamed reports whether a doc is that of an attribute or function that exists only
// to name its replacement in an error. The page leaves these out.
func isRenamed(doc string) bool { return strings.HasPrefix(doc, "Renamed to") }

func (r ruleInfo) text() (string, error) {
	table := []string{"| attribute | type | default | description |", "|---|---|---|---|"}
	for _, a := range r.Attributes {
		if a.Type == typeName || isRenamed(a.Doc) {
			continue
		}
		kind, ok := typeNames[a.Type]
		if !ok {
			return "", fmt.Errorf("%s: attribute type %d has no name in typeNames", a.Name, a.Type)
		}
		if a.Doc == "" {
			return "", fmt.Errorf("%s has no doc", a.Name)
		}
		value := ""
		switch {
		case a.Mandatory:
			value = "required"
		case a.Default != "" && a.Default != "None":
			value = code(a.Default)
		}
		var groups []string
		for _, group := range a.Providers {
			groups = append(groups, code(strings.Join(group.Names, "` and `")))
		}
		doc := a.Doc
		if groups != nil {
			doc += " Must provide " + strings.Join(groups, " or ") + "."
		}
		table = append(table, row(code(a.Name), kind, value, doc))
	}
	text := paragraphs(r.Doc)
	var kind []string
	switch {
	case r.Test:
		kind = append(kind, "A test rule.")
	case r.Executable:
		kind = append(kind, "Targets are started with `bazel run`.")
	}
	if len(r.Provides.Names) > 0 {
		kind = append(kind, "Provides "+code(strings.Join(r.Provides.Names, "`, `"))+".")
	}
	if kind != nil {
		text += paragraphs(strings.Join(kind, " "))
	}
	return text + paragraphs(strings.Join(table, "\n")), nil
}

func (f functionInfo) text() string {
	table := []string{"| parameter | default | description |", "|---|---|---|"}
	for _, p := range f.Parameters {
		name, value := p.Name, ""
		switch {
		case p.Role == varargs:
			name = "*" + name
		case p.Mandatory:
			value = "required"
		case p.Default != "":
			value = code(p.Default)
		case p.Role == kwargs || p.Role == noRole:
			name = "**" + name
		}
		table = append(table, row(code(name), value, p.Doc))
	}
	text := paragraphs(strings.TrimRight(f.Doc, "\n"), strings.Join(table, "\n"))
	if f.Returns.Doc != "" {
		text += paragraphs("Returns: " + f.Returns.Doc)
	}
	return text
}

// row returns a row of a table. A cell is one line; a blank line in it becomes a break.
func row(cells ...string) string {
	for i, cell := range cells {
		var lines []string
		for paragraph := range strings.SplitSeq(strings.TrimSpace(cell), "\n\n") {
			lines = append(lines, strings.Join(strings.Fields(paragraph), " "))
		}
		cells[i] = strings.ReplaceAll(strings.Join(lines, "<br><br>"), "|", `\|`)
	}
	return "| " + strings.Join(cells, " | ") + " |"
}

func code(text string) string { return "`" + text + "`" }
