package lint

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/image"
	"github.com/rules-initramfs/rules_initramfs/internal/image/kernel"
)

// Some rules need what only the records have. They are checked while the image is read: what they
// find is kept until the entry is reported.

// note keeps what the rule with an ID finds for an entry.
func (x *contents) note(id string, i int, message string) {
	if x.notes[id] == nil {
		x.notes[id] = map[int32]string{}
	}
	x.notes[id][int32(i)] = message
}

// checkNoted returns the function of a rule whose findings were kept by note.
func checkNoted(id string) func(*contents, int, reporter) {
	return func(x *contents, i int, report reporter) {
		if message, ok := x.notes[id][int32(i)]; ok {
			report(x.entries[i].path, message, "")
		}
	}
}

// checkRecord checks the record of an entry. It returns the hash that must get its content, or nil.
func (x *contents) checkRecord(e *image.Entry, codec string, made kernel.Result) hash.Hash {
	i := e.Index
	if problem := x.early.Add(e, codec); problem != "" {
		x.note("early-file", i, "the kernel does not read it before it unpacks the image: "+problem)
	}
	if made.Drop != 0 {
		return nil
	}
	if f := made.File; made.Created && isDevice(e.Mode) && (f.RMajor != e.RMajor || f.RMinor != e.RMinor) {
		x.note("device-number", i, fmt.Sprintf("its device number is %d:%d, but the kernel makes %d:%d", e.RMajor, e.RMinor, f.RMajor, f.RMinor))
	}
	if e.UID == math.MaxUint32 || e.GID == math.MaxUint32 { // -1, which chown(2) leaves as it is
		x.note("owner", i, fmt.Sprintf("its owner and group are %d:%d, but the kernel makes %d:%d", e.UID, e.GID, made.File.UID, made.File.GID))
	}
	if made.File.UID == 0 {
		x.hasRoot = true
	} else if x.notRoot == "" {
		x.notRoot = fmt.Sprintf("%s belongs to %d:%d", made.Path, made.File.UID, made.File.GID)
	}
	x.countName(e)
	switch {
	case e.Type() != cpio.TypeSymlink:
	case e.Target == "":
		x.note("link-target", i, "its target is empty")
	case e.HasRest:
		x.note("link-target", i, fmt.Sprintf("its target has a NUL, and the kernel ignores what follows: it points to %s", e.Target))
	}
	return x.checkHardLink(e)
}

func isDevice(mode uint32) bool {
	return mode&cpio.TypeMask == cpio.TypeChar || mode&cpio.TypeMask == cpio.TypeBlock
}

// inode is a file that has several names, as the kernel sees it: all records of one type with the
// same number are names of it.
type inode struct {
	first int32 // the index of its first entry
	// record is the first record, in what all must agree. names counts the names, and shown has
	// the first of them.
	record image.Entry
	names  int
	shown  []string
	differ bool
	// content is the hash of the last content, and named the name that it came with.
	content hash.Hash
	named   string
	// lost are names whose content was written over by another content.
	lost []string
}

type inodeKey struct {
	kernel.Inode
	typeBits uint32
}

// maxShown is how many names a finding shows.
const maxShown = 3

// checkHardLink adds a record to the file that it is a name of.
func (x *contents) checkHardLink(e *image.Entry) hash.Hash {
	if e.Trailers != x.trailers {
		x.endHardLinks()
		x.trailers = e.Trailers
	}
	if e.NLink < 2 || e.Type() == cpio.TypeDir || e.Type() == cpio.TypeSymlink {
		return nil
	}
	key := inodeKey{kernel.RecordOf(e).Inode, e.Type()}
	file := x.inodes[key]
	if file == nil {
		file = &inode{first: int32(e.Index), record: *e}
		x.inodes[key] = file
		x.inodeOrder = append(x.inodeOrder, file)
	}
	file.names++
	if len(file.shown) < maxShown {
		file.shown = append(file.shown, kernel.CleanPath(e.Name))
	}
	r := &file.record
	file.differ = file.differ || e.NLink != r.NLink || e.Mode != r.Mode || e.UID != r.UID || e.GID != r.GID ||
		isDevice(e.Mode) && (e.RMajor != r.RMajor || e.RMinor != r.RMinor)
	if e.Type() != cpio.TypeRegular || e.Size == 0 {
		return nil
	}
	before, named := file.content, file.named
	file.content, file.named = sha256.New(), kernel.CleanPath(e.Name)
	if before == nil {
		return file.content
	}
	return &overwriting{Hash: file.content, file: file, before: before, named: named}
}

// overwriting is the hash of a content that overwrites another one.
type overwriting struct {
	hash.Hash
	file   *inode
	before hash.Hash
	named  string
}

// endContent reads the rest of a content that goes to a hash, and compares the whole with the content
// that it overwrites.
func endContent(h hash.Hash, body io.Reader) error {
	if _, err := io.Copy(io.Discard, body); err != nil {
		return err
	}
	if o, ok := h.(*overwriting); ok && !slices.Equal(o.Sum(nil), o.before.Sum(nil)) && len(o.file.lost) < maxShown {
		o.file.lost = append(o.file.lost, o.named)
	}
	return nil
}

// endHardLinks notes what is wrong with the files so far: after a trailer, the kernel has forgotten
// their numbers.
func (x *contents) endHardLinks() {
	for _, file := range x.inodeOrder {
		var what []string
		if file.names > int(file.record.NLink) {
			what = append(what, fmt.Sprintf("each record says that the file has %d names", file.record.NLink))
		}
		if file.differ {
			what = append(what, "the records differ in mode, owner, device number or number of names")
		}
		if file.lost != nil {
			what = append(what, "it loses the content of "+strings.Join(file.lost, ", "))
		}
		if what != nil {
			more := ""
			if n := file.names - len(file.shown); n > 0 {
				more = fmt.Sprintf(" and %d more", n)
			}
			x.note("hard-link", int(file.first), fmt.Sprintf("the kernel makes one file of %s%s, which have the inode number %d: %s",
				strings.Join(file.shown, ", "), more, file.record.Ino, strings.Join(what, "; ")))
		}
	}
	clear(x.inodes)
	x.inodeOrder = nil
}

// countName counts the names that begin unlike the others or the kernel's: with ./ or a slash.
func (x *contents) countName(e *image.Entry) {
	for i, prefix := range prefixes {
		if strings.HasPrefix(e.Name, prefix) {
			if x.prefixed[i]++; x.prefixed[i] == 1 {
				x.firstPrefixed[i] = e.Name
			}
		}
	}
}

// prefixes are beginnings of names that the kernel ignores.
var prefixes = [...]string{"./", "/"}

// checkPrefixes reports names with a prefix once, because all names of an archive may have it.
func checkPrefixes(x *contents, report reporter) {
	for i, n := range x.prefixed {
		if n > 0 {
			report(wholeImage, fmt.Sprintf("names begin with %s (%d of %d, such as %s): the kernel unpacks them, but programs that look for a name in the archive do not find it",
				prefixes[i], n, len(x.entries), x.firstPrefixed[i]), "leave the prefix out")
		}
	}
}

// checkOwner checks that somebody is root of an image: many programs refuse what belongs to others.
func checkOwner(x *contents, report reporter) {
	if !x.hasRoot && x.notRoot != "" && x.refused == nil {
		report(wholeImage, "nothing in it belongs to root (0): "+x.notRoot, "")
	}
}

// checkWhiteout checks for whiteouts, which say that a layer hides a file of the layer below it. The
// kernel unpacks them as files.
func checkWhiteout(_ *contents, at string, file *kernel.File, report reporter) {
	base := at[strings.LastIndexByte(at, '/')+1:]
	hidden, isWhiteout := strings.CutPrefix(base, ".wh.")
	switch {
	case file.Type() == cpio.TypeChar && file.RMajor == 0 && file.RMinor == 0:
		report(at, "it is a character device 0:0, the whiteout of an overlay file system", "")
	case isWhiteout && hidden == ".wh..opq":
		report(at, "it is the whiteout of a layer for all other files of its directory", "")
	case isWhiteout && file.Type() == cpio.TypeRegular:
		report(at, fmt.Sprintf("it is the whiteout of a layer for the file %s", hidden), "")
	}
}
