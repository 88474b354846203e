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
}

func (o *Option) String() string { return strings.Join(o.Depends, " && ") }

var (
	definition = regexp.MustCompile(`^(?:menu)?config\s+([A-Za-z0-9_]+)\s*(?:#.*)?$`)
	dependency = regexp.MustCompile(`^\s+depends\s+on\s+(.*?)\s*$`)
	helpText   = regexp.MustCompile(`^\s+help\s*$`)
)

// FindOption looks for an option in the Kconfig files of the source in dir. Of those below
// arch/ it reads only the ones in arch/srcArch. It returns nil if there is no such option.
func FindOption(dir, srcArch, symbol string) *Option {
	want := strings.TrimPrefix(symbol, Prefix)
	var found *Option
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
		if !strings.HasPrefix(entry.Name(), "Kconfig") || !entry.Type().IsRegular() {
			return nil
		}
		if depends, ok := readOption(path, want); ok {
			found = &Option{File: below, Depends: depends}
			return fs.SkipAll
		}
		return nil
	})
	return found
}

// readOption looks for an option in one Kconfig file and returns what it depends on.
func readOption(path, want string) (depends []string, ok bool) {
	file, err := os.Open(path)
	if err != nil {
		return nil, false
	}
	defer file.Close()
	inside := false
	for lines := bufio.NewScanner(file); lines.Scan(); {
		line := lines.Text()
		if m := definition.FindStringSubmatch(line); m != nil {
			if inside {
				return depends, true
			}
			inside = m[1] == want
			ok = ok || inside
			continue
		}
		switch {
		case !inside:
		case helpText.MatchString(line):
			return depends, true
		case dependency.MatchString(line):
			depends = append(depends, dependency.FindStringSubmatch(line)[1])
		}
	}
	return depends, ok
}
