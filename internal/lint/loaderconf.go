package lint

import (
	"path"
	"strings"
)

// Configuration of dynamic loaders: /etc/ld.so.conf, which ldconfig(8) makes
// ld.so's cache of, and /etc/ld-musl-ARCH.path.

const (
	// maxIncludes is how many lines of a configuration may include others.
	maxIncludes = 64
	// maxConfigurations is how many files an include is matched with.
	maxConfigurations = 4096
)

func isMuslPath(at string) bool {
	return strings.HasPrefix(at, "/etc/ld-musl-") && path.Ext(at) == ".path"
}

// readConfiguration finds the directories that the loaders are told of.
func (l *linker) readConfiguration() {
	l.textPaths = l.textPaths[:min(len(l.textPaths), maxConfigurations)]
	for _, at := range l.textPaths {
		if isMuslPath(at) {
			for _, dir := range strings.FieldsFunc(l.text(at), func(r rune) bool { return r == ':' || r == '\n' }) {
				l.configure(dir)
			}
		}
	}
	todo, included := []string{"/etc/ld.so.conf"}, 0
	seen := map[string]bool{}
	for len(todo) > 0 {
		at := todo[0]
		todo = todo[1:]
		if seen[at] {
			continue
		}
		seen[at] = true
		for line := range strings.Lines(l.text(at)) {
			line, _, _ = strings.Cut(line, "#")
			words := strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" \t\r\n:,", r) })
			switch {
			case len(words) == 0 || words[0] == "hwcap":
			case words[0] != "include":
				for _, dir := range words {
					dir, _, _ = strings.Cut(dir, "=") // the type of its libraries
					l.configure(dir)
				}
			case included < maxIncludes:
				included++
				for _, pattern := range words[1:] {
					if !path.IsAbs(pattern) {
						pattern = path.Join(path.Dir(at), pattern)
					}
					for _, other := range l.textPaths {
						if ok, _ := path.Match(pattern, other); ok {
							todo = append(todo, other)
						}
					}
				}
			}
		}
	}
}

func (l *linker) text(at string) string {
	file, _, err := l.model.Lookup(at)
	if err != nil {
		return ""
	}
	return l.texts[file]
}

func (l *linker) configure(dir string) {
	if path.IsAbs(dir) && len(l.configured) < maxDirectories {
		l.configured = append(l.configured, dir)
	}
}
