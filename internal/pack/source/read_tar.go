package source

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/image/kernel"
	"github.com/rules-initramfs/rules_initramfs/internal/list"
	"github.com/rules-initramfs/rules_initramfs/internal/tables/kind"
)

// tarBlock is what headers and contents of a tar archive are padded to.
const tarBlock = 512

// isTarHeader reports whether block, of tarBlock bytes, is a header of any dialect:
// the sum of its bytes, its own field taken for blanks, is what that field says.
// Some old programs added the bytes up as signed numbers.
func isTarHeader(block []byte) bool {
	const begin, end = 148, 156
	if len(block) < tarBlock || block[0] == 0 {
		return false
	}
	var unsigned, signed int64
	for i, b := range block[:tarBlock] {
		if begin <= i && i < end {
			b = ' '
		}
		unsigned += int64(b)
		signed += int64(int8(b))
	}
	var sum int64
	digits := bytes.Trim(block[begin:end], " \x00")
	for _, digit := range digits {
		if digit < '0' || digit > '7' {
			return false
		}
		sum = sum<<3 | int64(digit-'0')
	}
	return len(digits) > 0 && (sum == unsigned || sum == signed)
}

// tarReader turns the entries of a tar archive into a tree as tar does when it extracts
// them: it removes what has the name of an entry first.
type tarReader struct {
	*tree
	archive *archive
	in      *tarInput
	tar     *tar.Reader
	// end is where the last entry ends, its content included.
	end int64
}

// readTar reads a tar archive: what is compressed from z, and else a.file, whose
// contents are read where they are.
func (a *archive) readTar(z io.Reader) error {
	t := &tarReader{tree: newTree(), archive: a}
	if z != nil {
		t.in = &tarInput{r: z}
		t.tar = tar.NewReader(t.in)
	} else {
		t.in = &tarInput{r: a.input(), file: a.file, size: a.size}
		t.tar = tar.NewReader(tarFile{t.in})
	}
	for {
		h, err := t.tar.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return a.fail(explainTar(err))
		}
		content, err := t.content(h)
		if err != nil {
			return a.fail(fmt.Errorf("%s: %w", list.Escape(h.Name), explainTar(err)))
		}
		if err := t.add(h, content); err != nil && !a.report(h.Name, err) {
			return nil
		}
		if err := t.model.Err(); err != nil {
			return a.fail(err)
		}
	}
	if err := t.checkEnd(); err != nil {
		return a.fail(err)
	}
	a.take(t.tree)
	return nil
}

func explainTar(err error) error {
	switch err {
	case tar.ErrHeader:
		return errors.New("a damaged header, or one of an unknown kind of tar archive")
	case tar.ErrFieldTooLong:
		return errors.New("a header that is too long")
	case io.ErrUnexpectedEOF:
		return errors.New("the tar archive is cut off")
	}
	return err
}

// content returns the content of a file and goes over it.
func (t *tarReader) content(h *tar.Header) (content *io.SectionReader, err error) {
	defer func() { t.end = roundUp(t.end) }()
	t.end = t.in.n
	switch {
	case h.Typeflag != tar.TypeReg && h.Typeflag != tar.TypeCont && h.Typeflag != tar.TypeGNUSparse:
		return nil, nil
	case h.Size > cpio.MaxSize:
		return nil, fmt.Errorf("its content has %d bytes: an archive holds files of at most %d", h.Size, int64(cpio.MaxSize))
	case t.in.file != nil && !isSparse(h):
		t.end += h.Size
		if t.end > t.in.size {
			return nil, io.ErrUnexpectedEOF
		}
		return io.NewSectionReader(t.in.file, t.in.n, h.Size), nil
	}
	content, err = t.archive.spool.keep(t.tar, cpio.MaxSize)
	t.end = t.in.n
	return content, err
}

// isSparse reports whether the content has holes, which the archive leaves out.
func isSparse(h *tar.Header) bool {
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return true
		}
	}
	return h.Typeflag == tar.TypeGNUSparse
}

func roundUp(n int64) int64 { return (n + tarBlock - 1) &^ (tarBlock - 1) }

func (t *tarReader) add(h *tar.Header, content *io.SectionReader) error {
	switch h.Typeflag {
	case tar.TypeXGlobalHeader:
		return checkGlobal(h)
	case 'V': // GNU: the archive's own name
		return nil
	}
	if err := checkRecords(h); err != nil {
		return err
	}
	name, err := memberPath(h.Name)
	if err != nil {
		return err
	}
	if h.Typeflag == tar.TypeLink {
		return t.addLink(name, h.Linkname)
	}
	e := &list.Entry{Name: name[1:], Perm: uint32(h.Mode & 0o7777), Content: content}
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeCont, tar.TypeGNUSparse:
		e.Kind = list.File
	case tar.TypeDir:
		e.Kind = list.Dir
	case tar.TypeSymlink:
		e.Kind, e.Target = list.Symlink, h.Linkname
	case tar.TypeFifo:
		e.Kind = list.Pipe
	case tar.TypeChar, tar.TypeBlock:
		e.Kind, e.Block = list.Node, h.Typeflag == tar.TypeBlock
		if h.Devmajor < 0 || h.Devmajor > list.MaxMajor || h.Devminor < 0 || h.Devminor > list.MaxMinor {
			return fmt.Errorf("the device %d, %d: the kernel's numbers go up to %d, %d", h.Devmajor, h.Devminor, list.MaxMajor, list.MaxMinor)
		}
		e.Major, e.Minor = uint32(h.Devmajor), uint32(h.Devminor)
	case 'D', 'M', 'N':
		return fmt.Errorf("an entry of type %q, of incremental or multi-volume archives: make the archive without", h.Typeflag)
	default:
		return fmt.Errorf("an entry of the unknown type %q", h.Typeflag)
	}
	if int64(h.Uid) < 0 || int64(h.Uid) > math.MaxUint32 || int64(h.Gid) < 0 || int64(h.Gid) > math.MaxUint32 {
		return fmt.Errorf("the owner %d:%d: an initramfs has numbers of 32 bits", h.Uid, h.Gid)
	}
	e.UID, e.GID = uint32(h.Uid), uint32(h.Gid)
	if err := checkMember(e); err != nil {
		return err
	}
	record := &kernel.Record{
		Name: e.Name, Mode: e.Mode(), UID: e.UID, GID: e.GID, RMajor: e.Major, RMinor: e.Minor, Target: e.Target,
	}
	if e.Kind != list.Dir {
		if err := dropped(t.model.Remove(name)); err != nil {
			return err
		}
	}
	made := t.model.Add(record)
	if err := dropped(made); err != nil {
		return err
	}
	t.note(made, e.Perm)
	if content != nil {
		t.files[made.File].content = content
	}
	return nil
}

// addLink gives what has the path target a second one.
func (t *tarReader) addLink(name, target string) error {
	path, err := memberPath(target)
	if err != nil {
		return fmt.Errorf("hard link: %w", err)
	}
	f := t.model.Files[path]
	switch {
	case f == nil:
		return fmt.Errorf("it is a hard link of %s, which is not before it in the archive", list.Escape(target))
	case f.Type() == cpio.TypeDir:
		return fmt.Errorf("it is a hard link of %s, a directory", list.Escape(target))
	case name == path:
		return nil // tar was given the same file twice
	}
	if err := (&list.Entry{Kind: kind.TypeOf(f.Mode).Kind, Name: name[1:]}).CheckNames(); err != nil {
		return err
	}
	if err := dropped(t.model.Remove(name)); err != nil {
		return err
	}
	made := t.model.Link(path, name)
	if err := dropped(made); err != nil {
		return err
	}
	t.note(made, f.Mode&0o7777)
	return nil
}

// lost are prefixes of records that say what an initramfs cannot hold.
var lost = []struct{ prefix, what string }{
	{"SCHILY.xattr.", "an extended attribute"},
	{"LIBARCHIVE.xattr.", "an extended attribute"},
	{"RHT.security.", "an extended attribute"},
	{"SCHILY.acl.", "an access control list"},
	{"LIBARCHIVE.acl.", "an access control list"},
	{"SCHILY.fflags", "file attributes"},
}

// checkRecords refuses what an entry has that an initramfs cannot hold. Records that are
// known to be times, or names of numbers, are left out like times and names elsewhere.
func checkRecords(h *tar.Header) error {
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "SCHILY.devmajor") || strings.HasPrefix(key, "SCHILY.devminor") {
			return fmt.Errorf("it has a device number too large for the archive's own field (%s)", key)
		}
		for _, l := range lost {
			if strings.HasPrefix(key, l.prefix) {
				return fmt.Errorf("it has %s (%s), which an initramfs cannot hold: make the archive without", l.what, key)
			}
		}
	}
	return nil
}

// checkGlobal refuses a global header that says something of the entries: no reader agrees
// with another on it.
func checkGlobal(h *tar.Header) error {
	for key := range h.PAXRecords {
		if !slices.Contains([]string{"comment", "mtime", "atime", "ctime", "hdrcharset"}, key) {
			return fmt.Errorf("a global header that gives all entries a %s: make the archive without", key)
		}
	}
	return nil
}

// checkEnd checks that zeros end the archive, a block at least, and that nothing follows
// them.
func (t *tarReader) checkEnd() error {
	if t.in.file != nil {
		if _, err := (tarFile{t.in}).Seek(t.end, io.SeekStart); err != nil {
			return err
		}
	}
	if _, err := io.Copy(io.Discard, struct{ io.Reader }{t.in}); err != nil {
		return err
	}
	switch {
	case t.in.n < t.end+tarBlock:
		return errors.New("no zeros end the tar archive: it is cut off")
	case t.in.filled > t.end:
		return fmt.Errorf("byte %d: something follows the end of the tar archive, or it is cut off", t.in.filled-1)
	}
	return nil
}

type tarInput struct {
	r io.Reader
	// n is where reading is; filled is after the last byte read that is not 0.
	n, filled int64
	// file is where a content can be read again, of size bytes; nil where it cannot.
	file io.ReaderAt
	size int64
}

func (in *tarInput) Read(p []byte) (int, error) {
	n, err := in.r.Read(p)
	if filled := len(bytes.TrimRight(p[:n], "\x00")); filled > 0 {
		in.filled = in.n + int64(filled)
	}
	in.n += int64(n)
	return n, err
}

// tarFile is a tarInput in which tar.Reader goes over contents without reading them.
type tarFile struct{ *tarInput }

func (f tarFile) Seek(offset int64, whence int) (int64, error) {
	n, err := f.r.(io.Seeker).Seek(offset, whence)
	if err == nil {
		f.n = n
	}
	return n, err
}
