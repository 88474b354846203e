// Package list reads and prints the kernel's list of what goes into an
// initramfs, the text that usr/gen_init_cpio reads:
//
//	file <name> <location> <mode> <uid> <gid> [<hard links>...]
//	dir|pipe|sock <name> <mode> <uid> <gid>
//	nod <name> <mode> <uid> <gid> <dev_type> <maj> <min>
//	slink <name> <target> <mode> <uid> <gid>
//
// A list that the kernel's tool packs soundly means the same here. Where that
// tool loses something and says nothing, [Parser.Next] returns an [Error]. There are
// two extensions. In a name, a target, a link or a location, \ooo (three octal
// digits) is a byte, which is how white space is written. And a line
//
//	#: WORD ARGUMENT...
//
// which is a comment to the kernel's tool, is a [Directive] where [Options] ask for
// them: directives in directive.go is the table of the words. Arguments have the
// same escapes. A directive applies
//
//   - to what follows: origin until the next origin, attribute until the next
//     attribute or origin, member until the next member;
//   - to the next entry: added, mtime, reason, sha256 and size;
//   - to all entries of its origin, wherever these are: hardlink, metadata, replaced and
//     replaces, and to the lists and archives of the origin that follow: exclude, include, location,
//     var and whiteouts;
//   - to the entries and directives up to endlibraries: libraries and library;
//   - or it gives entries (archive and list) or an error (error).
//
// The lists that the rules generate are in this format, and so are the completed lists
// that [Write] writes: packed again, one of these gives the same archive.
package list

import (
	"errors"
	"fmt"
	"io"
	"path"
	"slices"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/tables/kind"
)

// Kind is the type of an entry, by the word its line begins with.
type Kind = kind.Kind

const (
	File    = kind.File
	Dir     = kind.Dir
	Node    = kind.Node
	Symlink = kind.Symlink
	Pipe    = kind.Pipe
	Sock    = kind.Sock
)

const (
	permMask = 0o007777 // what chmod(2) takes

	// The kernel's dev_t has 12 bits of major and 20 of minor number.
	MaxMajor = 1<<12 - 1
	MaxMinor = 1<<20 - 1
)

// Entry is one thing that the list puts into the archive.
type Entry struct {
	Kind Kind
	// Name is the path in the archive as the archive spells it: the line's name
	// less one leading slash. The root directory's name is empty.
	Name string
	// Location is the path of a File's content, with ${VAR} expanded.
	Location string
	// Content is a File's content where that is not at a Location but a part of an
	// archive that was given; nil else.
	Content *io.SectionReader
	// OnDisk is which file the Location must lead to; zero for any.
	OnDisk FileID
	// Links are a File's other names, spelled like Name.
	Links []string
	// Target is where a Symlink leads.
	Target string
	// Perm is the mode without its type: at most 07777.
	Perm uint32
	// UID and GID own the entry; -1 in the list is 0xffffffff here.
	UID, GID uint32
	// MTime is its time, in seconds since 1970, where it has one of its own; nil else.
	MTime *uint32
	// Block tells a Node that is a block device from a character device.
	Block bool
	// Major and Minor are a Node's numbers.
	Major, Minor uint32

	// Size counts the bytes of a File's content, once it has been packed. Digest is
	// their SHA-256, as hexadecimal digits, where it is known.
	Size   int64
	Digest string

	// Added reports a parent directory that no list names.
	Added bool
	// Reason says what needs it, if it was taken from a source of libraries; else empty.
	Reason string
	// Producer is the label of the target that made the content of a file, or empty. Pos has that of
	// the target which placed it.
	Producer string
	// Replaces are those of its paths at which it replaces an entry of another
	// layer. Replaced are those at which it may, because it has replaced one in its
	// own. Attribute is what the user calls the setting that says so.
	Replaces, Replaced []string
	Attribute          string

	// Pos is where the entry was written, and Setting is what the user calls the setting
	// that it was made from, or empty.
	Pos     Pos
	Setting string
}

// Failed returns an error about the entry: where it was written, and what its setting is.
func (e *Entry) Failed(err error) error {
	if e.Setting != "" {
		err = fmt.Errorf("%s: %w", e.Setting, err)
	}
	return &Error{Pos: e.Pos, Err: err}
}

// FileID tells files on disk apart.
type FileID struct{ Dev, Ino uint64 }

// Mode returns the entry's type and permission bits, as in stat(2).
func (e *Entry) Mode() uint32 {
	if e.Kind == Node && e.Block {
		return cpio.TypeBlock | e.Perm
	}
	return e.Kind.Bits() | e.Perm
}

// Names returns every path that the entry makes: Name, then Links.
func (e *Entry) Names() []string {
	if len(e.Links) == 0 {
		return []string{e.Name}
	}
	return append([]string{e.Name}, e.Links...)
}

// DeleteNames removes the names that drop matches, and reports whether any remains.
func (e *Entry) DeleteNames(drop func(name string) bool) bool {
	names := slices.DeleteFunc(slices.Clone(e.Names()), drop)
	if len(names) == 0 {
		return false
	}
	e.Name, e.Links = names[0], names[1:]
	return true
}

// Pos is a place in a list.
type Pos struct {
	// Origin is the label of the target that gave the entry, or empty.
	Origin string
	// File is the list's name; empty when the origin says all there is to say.
	File string
	// Line counts from 1.
	Line int
}

// String gives the place as a person would look it up: the label, the file and
// line, or both.
func (p Pos) String() string {
	place := p.File
	if p.File != "" && p.Line > 0 {
		place = fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	switch {
	case p.Origin == "":
		return place
	case place == "":
		return p.Origin
	default:
		return fmt.Sprintf("%s (%s)", p.Origin, place)
	}
}

// Error is an error at a place in a list.
type Error struct {
	Pos Pos
	Err error
}

func (e *Error) Error() string {
	if at := e.Pos.String(); at != "" {
		return at + ": " + e.Err.Error()
	}
	return e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// MaxErrors is how many errors of lists and archives are reported.
const MaxErrors = 20

// Errors collects errors, MaxErrors of them. Pos is where all of them are, if that is one
// place.
type Errors struct {
	Pos Pos
	all []error
}

// Add adds an error that is not nil, and reports whether there is room for more.
func (x *Errors) Add(err error) bool {
	switch {
	case err == nil:
	case len(x.all) < MaxErrors:
		x.all = append(x.all, err)
	case len(x.all) == MaxErrors:
		x.all = append(x.all, &Error{x.Pos, errors.New("too many errors: the rest is left out")})
	}
	return len(x.all) <= MaxErrors
}

// Err returns the errors as one, or nil.
func (x *Errors) Err() error { return errors.Join(x.all...) }

// CleanPath returns the absolute path that a name leads to, symbolic links aside.
func CleanPath(name string) string { return path.Clean("/" + name) }
