package devices

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/modules/devices/aliases"
)

// Kernel is a Matcher with the aliases of files that a kernel's modules directory has.
type Kernel struct{ modules, builtIn aliases.Set[string] }

// Modules implements Matcher.
func (k *Kernel) Modules(modalias string) []string { return k.modules.Match(modalias) }

// BuiltIn implements Matcher.
func (k *Kernel) BuiltIn(modalias string) []string { return k.builtIn.Match(modalias) }

var (
	// ErrAliases is the error for a file that is not a modules.alias.
	ErrAliases = errors.New("not a modules.alias: it has lines \"alias PATTERN MODULE\", and depmod writes it")
	// ErrModinfo is the error for a file that is not a modules.builtin.modinfo.
	ErrModinfo = errors.New("not a modules.builtin.modinfo: it has MODULE.KEY=VALUE, each ended by a NUL byte, and kbuild writes it")
)

// maxField is the largest number of bytes of a line or value.
const maxField = 64 << 10

// ReadAliases adds the aliases of a modules.alias, which depmod writes.
func (k *Kernel) ReadAliases(r io.Reader) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 4096), maxField)
	for number := 1; lines.Scan(); number++ {
		line := lines.Text()
		if line == "" || line[0] == '#' {
			continue
		}
		pattern, ok := strings.CutPrefix(line, "alias ")
		// A few patterns have spaces.
		space := strings.LastIndexByte(pattern, ' ')
		if !ok || space <= 0 || space == len(pattern)-1 {
			return fmt.Errorf("%w: line %d is %.80q", ErrAliases, number, line)
		}
		k.modules.Add(pattern[:space], pattern[space+1:]) // depmod leaves out a pattern that is an error here
	}
	return tooLong(lines.Err(), ErrAliases)
}

// ReadBuiltIn adds the aliases of a modules.builtin.modinfo, which kbuild writes.
func (k *Kernel) ReadBuiltIn(r io.Reader) error {
	fields := bufio.NewScanner(r)
	fields.Buffer(make([]byte, 4096), maxField)
	fields.Split(func(data []byte, atEOF bool) (int, []byte, error) {
		if i := bytes.IndexByte(data, 0); i >= 0 {
			return i + 1, data[:i], nil
		}
		if atEOF && len(data) > 0 {
			return 0, nil, fmt.Errorf("%w: it ends within a value", ErrModinfo)
		}
		return 0, nil, nil
	})
	for fields.Scan() {
		field := fields.Text()
		key, value, ok := strings.Cut(field, "=")
		module, key, dotted := strings.Cut(key, ".")
		if !ok || !dotted || module == "" {
			return fmt.Errorf("%w: it has %.80q", ErrModinfo, field)
		}
		if key == "alias" {
			k.builtIn.Add(value, module)
		}
	}
	return tooLong(fields.Err(), ErrModinfo)
}

// tooLong gives the scanner's error for long tokens a class.
func tooLong(err, class error) error {
	if errors.Is(err, bufio.ErrTooLong) {
		return fmt.Errorf("%w: a line or value has more than %d bytes", class, maxField)
	}
	return err
}
