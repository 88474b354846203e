package fat

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	// maxName is how many UTF-16 units a name has at most.
	maxName = 255
	// longUnits is how many units of a name one record of a directory has.
	longUnits = 13
)

// checkName returns an error if no directory can have the name.
func checkName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%w: it has an empty name: write one slash between names, and none before the first", ErrPath)
	case name == "." || name == "..":
		return fmt.Errorf("%w: it has the name %q: write the path from the root of the file system", ErrPath, name)
	case !utf8.ValidString(name):
		return fmt.Errorf("%w: the name %q is not UTF-8", ErrPath, name)
	}
	for _, r := range name {
		// The first two are not in the specification: some systems hide them.
		if r == 0x7f || r == utf8.RuneError || r < 0x20 || strings.ContainsRune(`"*/:<>?\|`, r) {
			return fmt.Errorf("%w: the name %q has the character %q, which FAT does not allow: rename it", ErrPath, name, r)
		}
	}
	if strings.HasSuffix(name, ".") || strings.HasSuffix(name, " ") || strings.HasPrefix(name, " ") {
		return fmt.Errorf("%w: the name %q begins with a space, or ends with a space or a dot, which some systems remove: rename it", ErrPath, name)
	}
	if n := len(utf16.Encode([]rune(name))); n > maxName {
		return fmt.Errorf("%w: a name has %d UTF-16 units, and FAT allows %d: shorten it", ErrPath, n, maxName)
	}
	return nil
}

// fold returns what is equal for names that are equal without regard to case.
func fold(name string) string { return strings.ToLower(strings.ToUpper(name)) }

// shortName is the name that each file has besides a long one: 8 characters and 3 after the dot,
// padded with spaces.
type shortName [11]byte

// isShort reports whether a byte may be in a short name.
func isShort(c byte) bool {
	return 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("$%'-_@~`!(){}^#&", c) >= 0
}

// exactShort returns the short name that says all that a name says, if there is one.
func exactShort(name string) (short shortName, ok bool) {
	base, extension, dot := strings.Cut(name, ".")
	if len(base) == 0 || len(base) > 8 || len(extension) > 3 || dot && extension == "" {
		return short, false
	}
	for _, part := range []string{base, extension} {
		for i := range len(part) {
			if !isShort(part[i]) {
				return short, false
			}
		}
	}
	return joinShort(base, extension), true
}

func joinShort(base, extension string) (short shortName) {
	copy(short[:], fmt.Sprintf("%-8s%-3s", base, extension))
	return short
}

// String returns the short name with its dot.
func (s shortName) String() string {
	base, extension := strings.TrimRight(string(s[:8]), " "), strings.TrimRight(string(s[8:]), " ")
	if extension == "" {
		return base
	}
	return base + "." + extension
}

// checksum ties the records of a long name to the short one.
func (s shortName) checksum() (sum byte) {
	for _, c := range s {
		sum = sum>>1 | sum<<7
		sum += c
	}
	return sum
}

// aliases makes the short names of a directory.
type aliases struct {
	taken map[string]bool // short names, and long names in upper case
	next  map[string]int  // the number to try next after a base and an extension
}

// setShortNames gives each of the nodes of a directory a short name.
func setShortNames(nodes []*node) error {
	a := aliases{map[string]bool{}, map[string]int{}}
	for _, n := range nodes {
		a.taken[strings.ToUpper(n.name)] = true
	}
	for _, n := range nodes {
		// A name that is short in upper case has the short name without a number.
		var ok bool
		if n.short, ok = exactShort(strings.ToUpper(n.name)); ok {
			n.long = n.short.String() != n.name
			continue
		}
		n.long = true
		if n.short, ok = a.numbered(n.name); !ok {
			return fmt.Errorf("%w in one directory: no short name is left for %q", ErrMany, n.name)
		}
	}
	return nil
}

// numbered returns a short name such as KERNEL~1.EFI.
func (a *aliases) numbered(name string) (shortName, bool) {
	name = strings.TrimLeft(strings.ReplaceAll(name, " ", ""), ".")
	base, extension := name, ""
	if dot := strings.LastIndexByte(name, '.'); dot >= 0 {
		base, extension = name[:dot], name[dot+1:]
	}
	base, extension = shorten(base, 6), shorten(extension, 3)
	key := base + "." + extension
	for n := a.next[key] + 1; n < 1e6; n++ {
		tail := "~" + strconv.Itoa(n)
		short := joinShort(base[:min(len(base), 8-len(tail))]+tail, extension)
		if text := short.String(); !a.taken[text] {
			a.taken[text] = true
			a.next[key] = n
			return short, true
		}
	}
	return shortName{}, false
}

// shorten returns what a short name has of a part of a long one.
func shorten(part string, most int) string {
	var b []byte
	for _, r := range strings.ToUpper(part) {
		switch {
		case len(b) == most:
			return string(b)
		case r == '.':
		case r < utf8.RuneSelf && isShort(byte(r)):
			b = append(b, byte(r))
		default:
			b = append(b, '_')
		}
	}
	return string(b)
}

// appendLong appends the records of a long name, the last of its units first.
func appendLong(b []byte, name string, checksum byte) []byte {
	units := utf16.Encode([]rune(name))
	records := (len(units) + longUnits - 1) / longUnits
	if len(units)%longUnits != 0 {
		units = append(units, 0)
	}
	for len(units) < records*longUnits {
		units = append(units, 0xffff)
	}
	const last, attributes = 0x40, 0x0f
	for number := records; number > 0; number-- {
		order := byte(number)
		if number == records {
			order |= last
		}
		part := units[(number-1)*longUnits:]
		b = append(b, order)
		for i, unit := range part[:longUnits] {
			switch i {
			case 5:
				b = append(b, attributes, 0, checksum)
			case 11:
				b = append(b, 0, 0)
			}
			b = binary.LittleEndian.AppendUint16(b, unit)
		}
	}
	return b
}
