package config

import (
	"bufio"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Option is the definition of an option in a Kconfig file.
type Option struct {
	// File is the path of the Kconfig file below the source.
	File string
	// Depends are the conditions of its "depends on" lines, all of which must hold. Menus and
	// if blocks around the option may add others.
	Depends []string
	// Prompt reports whether a .config can set it. Without a prompt, the option is what its
	// default says, or what others select.
	Prompt bool
	// Choice reports whether it belongs to a choice: one option of a choice is on.
	Choice bool
	// Probe is the default that runs a program, such as $(success,$(srctree)/scripts/x.sh), or
	// empty (Documentation/kbuild/kconfig-macro-language.rst).
	Probe string
}

// String returns the condition that the option depends on.
func (o *Option) String() string {
	conditions := make([]string, len(o.Depends))
	for i, c := range o.Depends {
		if conditions[i] = c; len(o.Depends) > 1 && strings.Contains(c, "||") {
			conditions[i] = "(" + c + ")"
		}
	}
	return strings.Join(conditions, " && ")
}

// Kconfig has the options of a kernel by symbol, with the prefix CONFIG_.
type Kconfig map[string]*Option

// ReadKconfig reads the Kconfig files of the source in dir. Of those below arch/ it reads only
// the ones in arch/srcArch. Of an option that is defined more than once, a definition with a
// prompt is preferred. Files that cannot be read are skipped: kbuild itself reports them.
func ReadKconfig(dir, srcArch string) Kconfig {
	k := Kconfig{}
	filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		below, _ := filepath.Rel(dir, path)
		if entry.IsDir() {
			if parent, name := filepath.Split(below); parent == "arch/" && name != srcArch {
				return fs.SkipDir
			}
			return nil
		}
		if strings.HasPrefix(entry.Name(), "Kconfig") && entry.Type().IsRegular() {
			k.read(path, below)
		}
		return nil
	})
	return k
}

var (
	symbolName = regexp.MustCompile(`^[A-Za-z0-9_]+$`)
	probe      = regexp.MustCompile(`^"?(\$\(.*\))`)
)

// read reads a Kconfig file. Its lines may be indented, for instance in a choice.
func (k Kconfig) read(path, below string) {
	file, err := os.Open(path)
	if err != nil {
		return
	}
	defer file.Close()
	option := &Option{} // what the lines belong to
	var help helpSkipper
	choice := false
	for lines := bufio.NewScanner(file); lines.Scan(); {
		line := lines.Text()
		if help.skips(line) {
			continue
		}
		for strings.HasSuffix(line, `\`) && lines.Scan() {
			line = strings.TrimSuffix(line, `\`) + " " + strings.TrimSpace(lines.Text())
		}
		line, _, _ = strings.Cut(line, " #")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		_, rest, _ := strings.Cut(strings.TrimSpace(line), words[0])
		rest = strings.TrimSpace(rest)
		switch words[0] {
		case "config", "menuconfig":
			option = &Option{File: below, Choice: choice}
			if symbolName.MatchString(rest) {
				k.define(Prefix+rest, option)
			}
		case "choice", "endchoice":
			choice = words[0] == "choice"
			option = &Option{}
		case "menu", "endmenu", "if", "endif", "source", "comment":
			option = &Option{}
		case "help", "---help---":
			help = helpSkipper{inside: true}
		case "depends":
			option.Depends = append(option.Depends, strings.TrimSpace(strings.TrimPrefix(rest, "on")))
		case "prompt", "bool", "tristate", "string", "int", "hex":
			option.Prompt = option.Prompt || rest != ""
		case "default", "def_bool", "def_tristate":
			if m := probe.FindStringSubmatch(rest); m != nil {
				option.Probe = m[1]
			}
		}
	}
}

// define adds a definition. Its prompt comes later, so the definition before it is kept until
// then.
func (k Kconfig) define(symbol string, option *Option) {
	if before := k[symbol]; before == nil || !before.Prompt {
		k[symbol] = option
	}
}

// helpSkipper skips help texts, whose words may look like definitions. A help text has the
// indentation of its first line that is not blank, and ends before a line that has less
// (scripts/kconfig/lexer.l).
type helpSkipper struct {
	inside bool
	indent int
}

func (h *helpSkipper) skips(line string) bool {
	if !h.inside {
		return false
	}
	text := strings.TrimLeft(line, " \t")
	if text == "" {
		return true
	}
	indent := 0
	for _, c := range line[:len(line)-len(text)] {
		if indent++; c == '\t' {
			indent = (indent + 7) &^ 7
		}
	}
	if h.indent == 0 {
		h.indent = indent
	}
	h.inside = indent > 0 && indent >= h.indent
	return h.inside
}
