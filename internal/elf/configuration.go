package elf

import (
	"path"
	"strings"
)

// Loaders are configured by /etc/ld.so.conf, which ldconfig(8) compiles to the cache of ld.so,
// and by /etc/ld-musl-ARCH.path.

const (
	// maxIncludes is the number of patterns of files that lines may include.
	maxIncludes = 64
	// maxConfigurations is the number of files that the patterns of those lines are compared
	// with.
	maxConfigurations = 4096
)

func isMuslPath(name string) bool {
	return strings.HasPrefix(name, "/etc/ld-musl-") && path.Ext(name) == ".path"
}

// MuslPath returns the path of the file with the search path of a loader of musl; empty for another
// loader.
func MuslPath(interp string) string {
	name, _, ok := strings.Cut(path.Base(interp), ".so")
	if !ok || !isMuslLoader(interp) {
		return ""
	}
	return "/etc/" + name + ".path"
}

// readConfiguration finds the directories that the configuration of the loaders names.
func (r *resolver) readConfiguration(names []string) {
	names = names[:min(len(names), maxConfigurations)]
	for _, name := range names {
		if isMuslPath(name) {
			for _, dir := range strings.FieldsFunc(r.configuration(name), func(r rune) bool { return r == ':' || r == '\n' }) {
				r.addDirectory(dir)
			}
		}
	}
	queue, included := []string{"/etc/ld.so.conf"}, 0
	seen := map[string]bool{}
	for len(queue) > 0 {
		name := queue[0]
		queue = queue[1:]
		if seen[name] {
			continue
		}
		seen[name] = true
		for line := range strings.Lines(r.configuration(name)) {
			line, _, _ = strings.Cut(line, "#")
			words := strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" \t\r\n:,", r) })
			switch {
			case len(words) == 0 || words[0] == "hwcap":
			case words[0] != "include":
				for _, dir := range words {
					dir, _, _ = strings.Cut(dir, "=") // the type of its libraries
					r.addDirectory(dir)
				}
			default:
				for _, pattern := range words[1:] {
					if included++; included > maxIncludes || len(pattern) > maxPath {
						break
					}
					if !path.IsAbs(pattern) {
						pattern = path.Join(path.Dir(name), pattern)
					}
					for _, other := range names {
						if ok, _ := path.Match(pattern, other); ok {
							queue = append(queue, other)
						}
					}
				}
			}
		}
	}
}

func (r *resolver) configuration(name string) string {
	if file, _ := r.system.Lookup(name); file != nil {
		return file.Configuration
	}
	return ""
}

func (r *resolver) addDirectory(dir string) {
	if path.IsAbs(dir) && len(r.configured) < maxDirectories {
		r.configured = append(r.configured, dir)
	}
}
