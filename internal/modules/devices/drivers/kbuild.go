package drivers

import (
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// object is an object file that kbuild compiles from a source file.
type object struct {
	// module is the name of the module, with underscores.
	module string
	// options are the options that must be on for it: that of the module first, those of its
	// directories last.
	options []string
}

// maxDepth is how deep directories of Kbuild files are nested at most.
const maxDepth = 32

// kbuild reads the Kbuild files and makefiles of a source, from its top.
type kbuild struct {
	source fs.FS
	// objects are those of each source file without its extension.
	objects map[string][]object
	visited map[string]bool
}

// readKbuild returns the objects of a source, by the path of the source file without its
// extension.
func readKbuild(source fs.FS) (map[string][]object, error) {
	k := &kbuild{source: source, objects: map[string][]object{}, visited: map[string]bool{}}
	if err := k.directory(".", nil, 0); err != nil {
		return nil, err
	}
	return k.objects, nil
}

// directory reads the Kbuild file of a directory, or its Makefile, and those below. A directory
// without one is left out: what it has is in no kernel.
func (k *kbuild) directory(dir string, options []string, depth int) error {
	key := dir + " " + strings.Join(options, " ")
	if depth > maxDepth || k.visited[key] {
		return nil
	}
	k.visited[key] = true
	text, err := readText(k.source, path.Join(dir, "Kbuild"))
	if err == nil && text == "" && dir != "." {
		text, err = readText(k.source, path.Join(dir, "Makefile"))
	}
	if err != nil || text == "" {
		return err
	}
	m := parseMakefile(text)
	for _, w := range m.built {
		needs := append(slices.Clip(w.options), options...)
		if sub, ok := strings.CutSuffix(w.word, "/"); ok {
			if err := k.below(dir, sub, needs, depth); err != nil {
				return err
			}
			continue
		}
		name := strings.TrimSuffix(w.word, ".o")
		module := strings.ReplaceAll(path.Base(name), "-", "_")
		members := m.composites[name]
		if len(members) == 0 {
			k.add(path.Join(dir, name), object{module, needs})
		}
		for _, member := range members {
			if file, ok := strings.CutSuffix(member.word, ".o"); ok {
				own := slices.Concat(w.options, member.options, options)
				k.add(path.Join(dir, file), object{module, own})
			}
		}
	}
	return nil
}

// below reads a subdirectory. The directory of the architecture means those of all architectures.
func (k *kbuild) below(dir, sub string, options []string, depth int) error {
	if !strings.Contains(sub, "$(SRCARCH)") {
		return k.directory(path.Join(dir, sub), options, depth+1)
	}
	before, after, _ := strings.Cut(sub, "$(SRCARCH)")
	entries, err := fs.ReadDir(k.source, path.Join(dir, before))
	if err != nil {
		return nil // a source without architectures
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := k.directory(path.Join(dir, before, e.Name(), after), options, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

func (k *kbuild) add(file string, o object) {
	unique := o.options[:0:0]
	for _, option := range o.options {
		if !slices.Contains(unique, option) {
			unique = append(unique, option)
		}
	}
	o.options = unique
	if !slices.ContainsFunc(k.objects[file], func(other object) bool {
		return other.module == o.module && slices.Equal(other.options, o.options)
	}) {
		k.objects[file] = append(k.objects[file], o)
	}
}

// word is a word of the value of a variable, with the options under which it is there.
type word struct {
	word    string
	options []string
}

// makefile is what is read of a makefile.
type makefile struct {
	// built are the values of obj-y, obj-m and obj-$(CONFIG_X).
	built []word
	// composites are the objects that another is linked from: NAME-y, NAME-objs and
	// NAME-$(CONFIG_X).
	composites map[string][]word
}

var (
	assignment = regexp.MustCompile(`^([^\s:=+?#]+(?:\([^)]*\)[^\s:=+?#]*)*)\s*(?:\+|:{1,3}|\?)?=\s*(.*)$`)
	configName = regexp.MustCompile(`CONFIG_[A-Za-z0-9_]+`)
	listName   = regexp.MustCompile(`^(.+?)-(?:y|m|objs|objs-y|objs-m|(?:objs-)?\$\(.*\))$`)
	wholeWord  = regexp.MustCompile(`^\$[({]([^()${}\s]+)[)}]$`)
)

// Limits of a makefile.
const (
	maxWords  = 1 << 16 // words, after variables are replaced
	maxNested = 16      // variables in the value of a variable
)

// parseMakefile reads what the objects of a directory depend on. Conditionals that ask whether
// an option is on count as that option; of others, both branches are read. Functions of make
// are not called.
func parseMakefile(text string) *makefile {
	variables := map[string][]word{}
	var order []string
	var conditions []string // of the open conditionals: an option, or empty
	for _, line := range logicalLines(text) {
		line = strings.TrimSpace(line)
		keyword, rest, _ := strings.Cut(strings.ReplaceAll(line, "\t", " "), " ")
		switch keyword {
		case "ifdef", "ifeq", "ifneq", "ifndef":
			conditions = append(conditions, conditionOption(keyword, strings.TrimSpace(rest)))
			continue
		case "else":
			if len(conditions) > 0 {
				conditions[len(conditions)-1] = ""
			}
			continue
		case "endif":
			if len(conditions) > 0 {
				conditions = conditions[:len(conditions)-1]
			}
			continue
		}
		m := assignment.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		name := m[1]
		options := configName.FindAllString(name, -1)
		for _, c := range conditions {
			if c != "" {
				options = append(options, c)
			}
		}
		if _, known := variables[name]; !known {
			order = append(order, name)
		}
		for _, w := range strings.Fields(m[2]) {
			variables[name] = append(variables[name], word{w, options})
		}
	}
	return newMakefile(order, variables)
}

// newMakefile sorts the variables of a makefile, in the order of their first assignments.
func newMakefile(order []string, variables map[string][]word) *makefile {
	m := &makefile{composites: map[string][]word{}}
	// A reference to NAME-y has what NAME-$(CONFIG_X) adds, too.
	stems := map[string][]string{}
	for _, name := range order {
		if list := listName.FindStringSubmatch(name); list != nil {
			stems[list[1]] = append(stems[list[1]], name)
		}
	}
	words := 0
	var expand func(w word, depth int, each func(word))
	expand = func(w word, depth int, each func(word)) {
		if words++; words > maxWords {
			return
		}
		name := wholeWord.FindStringSubmatch(w.word)
		if name == nil || depth > maxNested {
			each(w)
			return
		}
		names := []string{name[1]}
		if stem, ok := strings.CutSuffix(name[1], "-y"); ok {
			names = stems[stem]
		}
		for _, name := range names {
			for _, inner := range variables[name] {
				expand(word{inner.word, slices.Concat(w.options, inner.options)}, depth+1, each)
			}
		}
	}
	for _, name := range order {
		list := listName.FindStringSubmatch(name)
		if list == nil {
			continue
		}
		for _, w := range variables[name] {
			expand(w, 0, func(w word) {
				switch object := strings.HasSuffix(w.word, ".o"); {
				case strings.ContainsAny(strings.ReplaceAll(w.word, "$(SRCARCH)", ""), "$(){}"):
					// a function, or a part of one
				case list[1] == "obj" || list[1] == "lib":
					if object || strings.HasSuffix(w.word, "/") {
						m.built = append(m.built, w)
					}
				case object:
					m.composites[list[1]] = append(m.composites[list[1]], w)
				}
			})
		}
	}
	return m
}

// conditionOption returns the option that a conditional asks to be on, or nothing.
func conditionOption(keyword, rest string) string {
	option := configName.FindString(rest)
	compact := strings.ReplaceAll(strings.Trim(rest, "()"), " ", "")
	switch {
	case keyword == "ifdef":
		return option
	case keyword == "ifeq" && (strings.HasSuffix(compact, ",y") || strings.HasSuffix(compact, ",m")),
		keyword == "ifneq" && (strings.HasSuffix(compact, ",") || strings.HasSuffix(compact, ",n")):
		return option
	}
	return ""
}

// logicalLines returns the lines of a makefile without comments, with those that end with a
// backslash joined.
func logicalLines(text string) []string {
	var lines []string
	var b strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		line, _, _ = strings.Cut(line, "#")
		if before, ok := strings.CutSuffix(line, `\`); ok {
			b.WriteString(before + " ")
			continue
		}
		lines = append(lines, b.String()+line)
		b.Reset()
	}
	if b.Len() > 0 {
		lines = append(lines, b.String())
	}
	return lines
}
