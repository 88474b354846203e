package list

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// directives is the table of the words that begin a directive.
var directives = []struct {
	word string
	// least and most are how many arguments the word takes; most is -1 for any number.
	least, most int
	// args and doc are for people.
	args, doc string
}{
	{"added", 0, 0, "", "the next entry is a parent directory that no list names"},
	{"archive", 2, 2, "PATH PREFIX", "the content of this archive goes here, below PREFIX"},
	{"attribute", 0, 1, "[NAME]", "what the user calls the setting that the next directives or entries come from"},
	{"endlibraries", 0, 0, "", "the end of the sources of libraries"},
	{"error", 1, 1, "TEXT", "what is wrong with the setting that the list was made from"},
	{"exclude", 1, 1, "GLOB", "leave these paths out of the archives of this origin"},
	{"hardlink", 2, 2, "PATH FILE", "PATH is another name of a file of this origin"},
	{"include", 1, 1, "GLOB", "take only these paths of the archives of this origin"},
	{"libraries", 0, -1, "FIELD=VALUE...", "take what the programs of this origin need from the sources up to endlibraries; a field is dlopen, feature or extra"},
	{"library", 1, 1, "LABEL", "a source of libraries: the entries up to the next one are taken only if a program needs them"},
	{"list", 1, 1, "PATH", "the entries of this list of the origin go here"},
	{"location", 2, -1, "KEY PATH [LABEL...]", "lists of this origin may name the file PATH as KEY, or as $(location KEY or LABEL)"},
	{"member", 1, 1, "CODEC", "the next entries are compressed together, in a member of their own"},
	{"metadata", 2, -1, "GLOB FIELD=VALUE...", "set mode, uid, gid or mtime of entries of this origin"},
	{"modules", 1, 1, "PATH", "the catalog of the kernel modules that this origin has; the indexes of several origins are merged"},
	{"mtime", 1, 1, "SECONDS", "the time of the next entry, in seconds since 1970"},
	{"origin", 0, 1, "[LABEL]", "where the next entries and directives come from"},
	{"producer", 0, 1, "[LABEL]", "the target that made the content of the next files, which others may have placed"},
	{"reason", 1, -1, "WORD...", "what needs the next entry, which was taken from a source of libraries"},
	{"replaced", 1, 1, "PATH", "the entry of this origin has taken the place of another one; it may replace an earlier one too"},
	{"replaces", 1, 1, "PATH", "the entry of this origin takes the place of an earlier one"},
	{"sha256", 1, 1, "DIGITS", "the digest of the next entry's content"},
	{"size", 1, 1, "BYTES", "how much content the next entry has"},
	{"whiteouts", 1, 1, "MODE", "what becomes of whiteouts in the archives of this origin: error, apply or keep"},
	{"var", 2, 2, "NAME VALUE", "the value of ${NAME} in lists of this origin"},
}

// Directive is a line "#: WORD ARGUMENT..." that says more than what the next entries
// are like.
type Directive struct {
	Word string
	Args []string
	// Attribute is what the user calls the setting that the directive comes from.
	Attribute string
	// Producer is the target that made what the directive names, or empty.
	Producer string
	Pos      Pos
}

// Errorf returns an error about the directive, in the words of its user.
func (d *Directive) Errorf(format string, args ...any) error {
	return &Error{Pos: d.Pos, Err: fmt.Errorf("%s: %w", cmp.Or(d.Attribute, d.Word), fmt.Errorf(format, args...))}
}

func parseDirective(text string) (*Directive, error) {
	words := fields(text)
	if len(words) == 0 {
		return nil, errors.New(`a directive needs a word after "#:"`)
	}
	d := &Directive{Word: words[0]}
	for _, arg := range words[1:] {
		plain, err := unescape(arg)
		if err != nil {
			return nil, err
		}
		d.Args = append(d.Args, plain)
	}
	for _, known := range directives {
		switch {
		case known.word != d.Word:
		case len(d.Args) < known.least, known.most >= 0 && len(d.Args) > known.most:
			return nil, fmt.Errorf("wrong number of arguments; want: #: %s", strings.TrimSpace(known.word+" "+known.args))
		default:
			return d, nil
		}
	}
	return nil, fmt.Errorf("unknown directive %q", d.Word)
}

// pending is what directives say of the next entry.
type pending struct {
	mtime  *uint32
	size   int64
	digest string
	reason string
	added  bool
	// pos is where the last of them is; its Line is 0 if there are none.
	pos Pos
}

// apply applies what a directive says of the entries that follow, and reports whether
// that is all it says.
func (p *Parser) apply(d *Directive) (bool, error) {
	switch d.Word {
	case "origin":
		p.origin, p.attribute, p.setting, p.producer = firstOf(d.Args), "", "", ""
		return false, p.checkPending()
	case "attribute":
		p.attribute = firstOf(d.Args)
		p.setting = p.attribute
		return true, nil
	case "producer":
		p.producer = firstOf(d.Args)
		return true, nil
	case "added":
		p.next.added = true
	case "reason":
		p.next.reason = strings.Join(d.Args, " ")
	case "sha256":
		if digest, err := hex.DecodeString(d.Args[0]); err != nil || len(digest) != sha256.Size {
			return true, fmt.Errorf("bad sha256 %q: want %d hexadecimal digits", d.Args[0], 2*sha256.Size)
		}
		p.next.digest = d.Args[0]
	case "mtime", "size":
		value, err := ParseField(d.Word, d.Args[0])
		if err != nil {
			return true, err
		}
		if d.Word == "mtime" {
			p.next.mtime = &value
		} else {
			p.next.size = int64(value)
		}
	default:
		p.setting = ""
		return false, nil
	}
	p.next.pos = p.linePos()
	return true, nil
}

// checkPending reports directives that are for an entry and have none.
func (p *Parser) checkPending() error {
	pos := p.next.pos
	p.next = pending{}
	if pos.Line > 0 {
		return &Error{Pos: pos, Err: errors.New("no entry of this origin follows the directive")}
	}
	return nil
}

func firstOf(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}
