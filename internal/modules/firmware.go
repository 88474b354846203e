package modules

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/glob"
)

// firmwareCompressions are the extensions of compressed firmware, in the order in which the
// kernel looks for them after the name itself (_request_firmware in
// drivers/base/firmware_loader/main.c), and the options that make it do so.
var firmwareCompressions = []struct{ extension, option string }{
	{".zst", "CONFIG_FW_LOADER_COMPRESS_ZSTD"},
	{".xz", "CONFIG_FW_LOADER_COMPRESS_XZ"},
}

// maxLinks is how many links can lead to a file, as for the kernel (MAXSYMLINKS in
// include/linux/namei.h).
const maxLinks = 40

// firmwareTree is a directory with firmware, by the names that drivers ask for.
type firmwareTree struct {
	dir string
	// links are those that WHENCE has, from name to target. linux-firmware's source has them only
	// there.
	links map[string]string
	// names are all files and links, sorted; nil until a pattern needs them.
	names []string
}

// firmwareTrees are the trees in which firmware is looked up. The first that has a name wins.
type firmwareTrees struct {
	trees []*firmwareTree
	// extensions are those of the files that the kernel finds for a name, with "" first.
	extensions []string
}

// openFirmware opens the directories with firmware. reads reports whether an option of the kernel
// is on.
func openFirmware(dirs []string, reads func(option string) bool) (*firmwareTrees, error) {
	t := &firmwareTrees{extensions: []string{""}}
	for _, c := range firmwareCompressions {
		if reads(c.option) {
			t.extensions = append(t.extensions, c.extension)
		}
	}
	for _, dir := range dirs {
		info, err := os.Stat(dir)
		switch {
		case err != nil:
			return nil, fmt.Errorf("firmware: %w", err)
		case !info.IsDir():
			return nil, fmt.Errorf("firmware: %s is not a directory: name the directory in which drivers' names of firmware are found", dir)
		}
		tree := &firmwareTree{dir: dir}
		file, err := os.Open(filepath.Join(dir, "WHENCE"))
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return nil, fmt.Errorf("firmware: %w", err)
		default:
			tree.links, err = readWhence(file)
			file.Close()
			if err != nil {
				return nil, fmt.Errorf("%s: %w", file.Name(), err)
			}
		}
		t.trees = append(t.trees, tree)
	}
	return t, nil
}

// maxWhence is the longest WHENCE that is read, in bytes. linux-firmware's has 0.3 MB.
const maxWhence = 64 << 20

// readWhence returns the links in linux-firmware's WHENCE, from name to target, as its
// copy-firmware.sh reads them: "Link: NAME -> TARGET", where \ keeps a space in a name.
func readWhence(r io.Reader) (map[string]string, error) {
	links := map[string]string{}
	limited := &io.LimitedReader{R: r, N: maxWhence + 1}
	scanner := bufio.NewScanner(limited)
	scanner.Buffer(nil, 1<<20)
	for line := 1; scanner.Scan(); line++ {
		text, ok := strings.CutPrefix(scanner.Text(), "Link:")
		if !ok {
			continue
		}
		name, target, ok := strings.Cut(text, " -> ")
		name, target = path.Clean(unescapeWhence(name)), unescapeWhence(target)
		if !ok || name == "." || !filepath.IsLocal(name) || target == "" || path.IsAbs(target) || !filepath.IsLocal(path.Join(path.Dir(name), target)) {
			return nil, fmt.Errorf("line %d: want \"Link: NAME -> TARGET\" with paths in the directory", line)
		}
		links[name] = target
	}
	if err := scanner.Err(); err != nil {
		return nil, err
	}
	if limited.N == 0 {
		return nil, fmt.Errorf("longer than %d bytes", maxWhence)
	}
	return links, nil
}

func unescapeWhence(text string) string {
	text = strings.Trim(strings.TrimSpace(text), `"`)
	return strings.ReplaceAll(text, `\`, "")
}

// find returns the files and links for a name that a driver asks for: the links that lead to it,
// and the file. It is not ok if no tree has it; then hint says why, or is empty.
func (t *firmwareTrees) find(name string) (files []Firmware, hint string, ok bool) {
	// The kernel refuses a name with "..", too (name_contains_dotdot).
	if !filepath.IsLocal(name) || path.Clean(name) != name {
		return nil, "the kernel does not look for such a name", false
	}
	for _, tree := range t.trees {
		for _, extension := range t.extensions {
			if files := tree.resolve(name + extension); files != nil {
				return files, "", true
			}
		}
	}
	for _, tree := range t.trees {
		for _, c := range firmwareCompressions {
			if tree.resolve(name+c.extension) != nil {
				return nil, fmt.Sprintf("%s is there, and a kernel without %s does not load it", name+c.extension, c.option), false
			}
		}
	}
	return nil, "", false
}

// resolve returns the links that lead to a file of the tree, and the file; nil if it is not there.
func (t *firmwareTree) resolve(name string) (files []Firmware) {
	rest := name
	for done := ""; rest != ""; {
		part, after, _ := strings.Cut(rest, "/")
		done, rest = path.Join(done, part), after
		target, ok := t.link(done)
		if !ok {
			if rest == "" {
				name = done
			}
			continue
		}
		if files = append(files, Firmware{Name: done, Target: target}); len(files) > maxLinks {
			return nil
		}
		rest = path.Join(path.Dir(done), target, rest)
		done = ""
	}
	source := filepath.Join(t.dir, name)
	if info, err := os.Stat(source); err != nil || !info.Mode().IsRegular() {
		return nil
	}
	return append(files, Firmware{Name: name, Source: source})
}

// link returns the target of the link with this path in the tree, if it is one that leads to
// something in the tree. Others, such as those to what an action was given, are followed.
func (t *firmwareTree) link(name string) (target string, ok bool) {
	file := filepath.Join(t.dir, name)
	info, err := os.Lstat(file)
	switch {
	case err == nil && info.Mode()&fs.ModeSymlink == 0:
		return "", false
	case err == nil:
		if target, err = os.Readlink(file); err != nil || path.IsAbs(target) || !filepath.IsLocal(path.Join(path.Dir(name), target)) {
			return "", false
		}
		return target, true
	}
	if target, ok = t.links[name]; ok {
		return target, true
	}
	for _, c := range firmwareCompressions {
		if plain, cut := strings.CutSuffix(name, c.extension); cut {
			if target, ok = t.links[plain]; ok {
				return target + c.extension, true
			}
		}
	}
	return "", false
}

// expand returns the names of firmware that a pattern matches in the trees, sorted. In it * does
// not match a slash.
func (t *firmwareTrees) expand(pattern string) ([]string, error) {
	g, err := glob.Parse("/" + pattern)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, tree := range t.trees {
		names, err := tree.list()
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			for _, extension := range t.extensions {
				if plain, ok := strings.CutSuffix(name, extension); ok && g.Match("/"+plain, false) {
					found = append(found, plain)
				}
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}

// list returns the paths of all files and links.
func (t *firmwareTree) list() ([]string, error) {
	if t.names != nil {
		return t.names, nil
	}
	names := []string{}
	err := fs.WalkDir(os.DirFS(t.dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("firmware: %s: %w", t.dir, err)
	}
	for name := range t.links {
		names = append(names, name)
	}
	slices.Sort(names)
	t.names = slices.Compact(names)
	return t.names, nil
}

// isPattern reports whether a module's modinfo names firmware by a pattern.
func isPattern(name string) bool { return strings.ContainsAny(name, "*?[") }

// ErrFirmware means that firmware that a module may ask for is in no tree.
var ErrFirmware = errors.New("firmware is missing")

// Severity is what becomes of missing firmware.
type Severity string

// Severities of missing firmware.
const (
	SeverityError   Severity = "error"
	SeverityWarning Severity = "warning"
	SeverityOff     Severity = "off"
)

// ParseSeverity reads error, warning or off.
func ParseSeverity(text string) (Severity, error) {
	switch s := Severity(text); s {
	case SeverityError, SeverityWarning, SeverityOff:
		return s, nil
	}
	return "", fmt.Errorf("%q: want error, warning or off", text)
}

// FirmwareRequest is what CollectFirmware collects by.
type FirmwareRequest struct {
	// Dirs are directories in which a driver's name of firmware is a path, such as
	// /usr/lib/firmware. The first that has a name wins. The links in WHENCE count too, if the
	// directory has that file.
	Dirs []string
	// Reads reports whether an option of the kernel is on, such as CONFIG_FW_LOADER_COMPRESS_XZ.
	Reads func(option string) bool
	// Missing is what becomes of missing firmware, and MissingOf the same by the name of a module.
	Missing   Severity
	MissingOf map[string]Severity
	// Builtin asks for the firmware of every built-in module, and not just of what was asked for or
	// serves a device.
	Builtin bool
}

// Firmware is a file or a link below lib/firmware.
type Firmware struct {
	// Name is its path there, with the extension of a compressed file.
	Name string
	// Source is the file that has its content, or empty for a link.
	Source string
	// Target is the target of a link, relative to the directory of its name.
	Target string
	// For are the names of the modules, and the paths of the devices, that may ask for it, sorted.
	For []string
}

// MissingFirmware is a name, or a pattern of names, that no directory has.
type MissingFirmware struct {
	Name     string
	For      string // the module or the device
	Hint     string // why it does not count, or empty
	Severity Severity
}

// CollectFirmware returns the firmware that chosen modules and devices may ask for, by name, and
// what is missing. Missing firmware of SeverityError is an error that wraps ErrFirmware.
func CollectFirmware(tree *Tree, s *Selection, request FirmwareRequest) ([]Firmware, []MissingFirmware, error) {
	trees, err := openFirmware(request.Dirs, request.Reads)
	if err != nil {
		return nil, nil, err
	}
	c := &firmwareCollector{trees: trees, files: map[string]*Firmware{}, lacks: map[MissingFirmware]bool{}}
	for name := range request.MissingOf {
		if !slices.ContainsFunc(tree.Modules, func(m *Module) bool { return m.Name == name }) &&
			!slices.ContainsFunc(tree.Builtins, func(m *Module) bool { return m.Name == name }) {
			return nil, nil, fmt.Errorf("%w: firmware of %q may be missing, and no module has this name%s", ErrUnknown, name, newLookup(tree).adviseName(name))
		}
	}
	severity := func(modules ...string) Severity {
		for _, name := range modules {
			if s, ok := request.MissingOf[name]; ok {
				return s
			}
		}
		return request.Missing
	}
	for _, m := range s.Modules {
		if err := c.add(m.Info.Firmware(), m.Name, severity(m.Name)); err != nil {
			return nil, nil, err
		}
	}
	builtins := s.Builtin
	if request.Builtin {
		builtins = nil
		for _, m := range tree.Builtins {
			builtins = append(builtins, Chosen{Module: m, Why: []Reason{{Asked, m.Name}}})
		}
	}
	for _, m := range builtins {
		if !slices.ContainsFunc(m.Why, func(r Reason) bool { return r.Kind == Asked || r.Kind == Serves }) {
			continue
		}
		if err := c.add(m.Info.Firmware(), m.Name, severity(m.Name)); err != nil {
			return nil, nil, err
		}
	}
	for _, d := range s.Devices {
		if err := c.add(d.FirmwareNames, d.Path, severity(slices.Concat(d.Modules, d.BuiltIn)...)); err != nil {
			return nil, nil, err
		}
	}
	var files []Firmware
	for _, name := range slices.Sorted(maps.Keys(c.files)) {
		f := c.files[name]
		slices.Sort(f.For)
		f.For = slices.Compact(f.For)
		files = append(files, *f)
	}
	slices.SortFunc(c.missing, func(a, b MissingFirmware) int {
		return cmp.Or(strings.Compare(a.For, b.For), strings.Compare(a.Name, b.Name))
	})
	return files, c.missing, missingError(c.missing, len(request.Dirs))
}

type firmwareCollector struct {
	trees   *firmwareTrees
	files   map[string]*Firmware
	missing []MissingFirmware
	lacks   map[MissingFirmware]bool // those in missing
}

// add adds the firmware with these names, which may be patterns, for a module or a device.
func (c *firmwareCollector) add(names []string, whose string, severity Severity) error {
	for _, name := range names {
		found := []string{name}
		if isPattern(name) {
			var err error
			if found, err = c.trees.expand(name); err != nil {
				return fmt.Errorf("firmware of %s: %w", whose, err)
			}
			if len(found) == 0 {
				c.lack(MissingFirmware{Name: name, For: whose, Severity: severity})
			}
		}
		for _, name := range found {
			files, hint, ok := c.trees.find(name)
			if !ok {
				c.lack(MissingFirmware{name, whose, hint, severity})
			}
			for _, f := range files {
				if c.files[f.Name] == nil {
					c.files[f.Name] = &f
				}
				c.files[f.Name].For = append(c.files[f.Name].For, whose)
			}
		}
	}
	return nil
}

func (c *firmwareCollector) lack(missing MissingFirmware) {
	if missing.Severity != SeverityOff && !c.lacks[missing] {
		c.lacks[missing] = true
		c.missing = append(c.missing, missing)
	}
}

// maxNames is how many names of missing firmware a message has for each module.
const maxNames = 5

// FirmwareWarnings returns a warning for each module or device that firmware of SeverityWarning is
// missing for.
func FirmwareWarnings(missing []MissingFirmware) []string {
	var warnings []string
	for whose, names := range byModule(missing, SeverityWarning) {
		warnings = append(warnings, fmt.Sprintf("firmware is missing: %s may ask for %s", whose, missingNames(names)))
	}
	return warnings
}

// missingError returns the errors about missing firmware, one for each module or device.
func missingError(missing []MissingFirmware, dirs int) error {
	where := "no directory of firmware is given"
	if dirs > 0 {
		where = "no directory of firmware has that"
	}
	var errs []error
	for whose, names := range byModule(missing, SeverityError) {
		errs = append(errs, fmt.Errorf("%w: %s may ask for %s, and %s: add one that has it, or declare that firmware of %s may be missing", ErrFirmware, whose, missingNames(names), where, whose))
	}
	return errors.Join(errs...)
}

// byModule returns what is missing for each module or device, if it has the severity. The missing
// firmware must be sorted by them.
func byModule(missing []MissingFirmware, severity Severity) iter.Seq2[string, []MissingFirmware] {
	return func(yield func(string, []MissingFirmware) bool) {
		for len(missing) > 0 {
			whose := missing[0].For
			n := slices.IndexFunc(missing, func(m MissingFirmware) bool { return m.For != whose })
			if n < 0 {
				n = len(missing)
			}
			if missing[0].Severity == severity && !yield(whose, missing[:n]) {
				return
			}
			missing = missing[n:]
		}
	}
}

func missingNames(missing []MissingFirmware) string {
	var names []string
	for _, m := range missing[:min(maxNames, len(missing))] {
		name := m.Name
		if m.Hint != "" {
			name += " (" + m.Hint + ")"
		}
		names = append(names, name)
	}
	text := strings.Join(names, ", ")
	if more := len(missing) - len(names); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
