// Package listing writes what is in an image, for people and as JSON.
package listing

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/image"
	"github.com/rules-initramfs/rules_initramfs/internal/list"
	"github.com/rules-initramfs/rules_initramfs/internal/printable"
	"github.com/rules-initramfs/rules_initramfs/internal/tables/kind"
)

// Text writes an entry as ls -l would.
func Text(w io.Writer, e *image.Entry) error {
	size := fmt.Sprint(e.Size)
	if t := e.Type(); t == cpio.TypeBlock || t == cpio.TypeChar {
		size = fmt.Sprintf("%d, %d", e.RMajor, e.RMinor)
	}
	name := Printable(e.Name)
	if e.Type() == cpio.TypeSymlink {
		name += " -> " + target(e)
	}
	_, err := fmt.Fprintf(w, "%s %3d %5d %5d %10s %s %s\n",
		modeString(e.Mode), e.NLink, e.UID, e.GID, size, Time(e.MTime), name)
	return err
}

// target returns where a symbolic link leads. An image.Entry does not keep a target that
// the kernel skips.
func target(e *image.Entry) string {
	if e.Size > image.MaxTarget {
		return fmt.Sprintf("(%d bytes, which the kernel skips)", e.Size)
	}
	return Target(e.Target)
}

// Target returns a symbolic link's target as a list has it, safe to show.
func Target(target string) string { return printable.Text(list.Escape(target)) }

// Time returns a time as a listing has it.
func Time(mtime uint32) string {
	return time.Unix(int64(mtime), 0).UTC().Format(time.DateTime)
}

// modeString returns a mode as ls -l has it, with "?" for an unknown type.
func modeString(mode uint32) string {
	s := []byte("?rwxrwxrwx")
	s[0] = kind.TypeOf(mode).Letter
	for i := range 9 {
		if mode>>(8-i)&1 == 0 {
			s[1+i] = '-'
		}
	}
	for _, special := range []struct {
		bit    uint32
		at     int
		letter byte
	}{{0o4000, 3, 's'}, {0o2000, 6, 's'}, {0o1000, 9, 't'}} {
		switch {
		case mode&special.bit == 0:
		case s[special.at] == '-':
			s[special.at] = special.letter - 'a' + 'A'
		default:
			s[special.at] = special.letter
		}
	}
	return string(s)
}

// Printable returns a name as a list has it, safe to show.
func Printable(name string) string {
	if name == "" {
		return "/"
	}
	return printable.Text(list.Escape(name))
}

// jsonEntry has its fields in the order in which they are printed.
type jsonEntry struct {
	Name string `json:"name"`
	// NameBytes is there, and right, if the name is not UTF-8.
	NameBytes []byte  `json:"name_bytes,omitempty"`
	Type      string  `json:"type"`
	Mode      string  `json:"mode"`
	UID       uint32  `json:"uid"`
	GID       uint32  `json:"gid"`
	NLink     uint32  `json:"nlink"`
	Size      int64   `json:"size"`
	MTime     uint32  `json:"mtime"`
	Target    *string `json:"target,omitempty"`
	// TargetBytes is to Target what NameBytes is to Name.
	TargetBytes []byte  `json:"target_bytes,omitempty"`
	DevType     string  `json:"dev_type,omitempty"`
	Major       *uint32 `json:"maj,omitempty"`
	Minor       *uint32 `json:"min,omitempty"`
	Ino         uint32  `json:"ino"`
	Member      int     `json:"member"`
	SHA256      string  `json:"sha256,omitempty"`
	Origin      string  `json:"origin,omitempty"`
	Producer    string  `json:"producer,omitempty"`
}

// HasDigest reports whether JSON has the digest of an entry: it is a regular file, and not a
// name of a hard link whose content comes with another name.
func HasDigest(e *image.Entry) bool {
	return e.Type() == cpio.TypeRegular && (e.Size > 0 || e.NLink < 2)
}

// Digest reads the content of an entry and returns its SHA-256 as hexadecimal digits, or ""
// if JSON has none.
func Digest(e *image.Entry, content io.Reader) (string, error) {
	if !HasDigest(e) {
		return "", nil
	}
	h := sha256.New()
	if _, err := io.Copy(h, content); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// JSON writes an entry as an object on a line. digest is what Digest returns for it. origin is the
// target that placed it, and producer the one that made its content; each may be empty.
func JSON(w io.Writer, e *image.Entry, digest, origin, producer string) error {
	j := jsonEntry{
		Name: e.Name, NameBytes: BytesUnlessUTF8(e.Name), Type: kind.TypeOf(e.Mode).Word(), Mode: fmt.Sprintf("%04o", e.Mode&^cpio.TypeMask),
		UID: e.UID, GID: e.GID, NLink: e.NLink, Size: e.Size, MTime: e.MTime, Ino: e.Ino, Member: e.Member + 1, SHA256: digest, Origin: origin, Producer: producer,
	}
	switch e.Type() {
	case cpio.TypeSymlink:
		j.Target, j.TargetBytes = &e.Target, BytesUnlessUTF8(e.Target)
	case cpio.TypeBlock, cpio.TypeChar:
		j.DevType, j.Major, j.Minor = string(kind.TypeOf(e.Mode).Letter), &e.RMajor, &e.RMinor
	}
	return EncodeJSON(w, j)
}

// BytesUnlessUTF8 returns the bytes of text where JSON cannot hold it, and else nil.
func BytesUnlessUTF8(text string) []byte {
	if utf8.ValidString(text) {
		return nil
	}
	return []byte(text)
}

// EncodeJSON writes a value on a line, with < and > as they are, safe to show.
func EncodeJSON(w io.Writer, v any) error {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(printable.JSON(b.Bytes()))
	return err
}
