package source

import (
	"errors"
	"fmt"
	"io"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/image"
	"github.com/rules-initramfs/rules_initramfs/internal/list"
)

// cpioReader turns the records of an image into a tree as init/initramfs.c does;
// what that would lose is an error.
type cpioReader struct {
	*fileTree
	// links has the first path of each file that can have several.
	links map[cpioFile]string
}

// cpioFile is what the kernel knows a file by, until the next trailer.
type cpioFile struct {
	trailers                    int
	ino, major, minor, typeBits uint32
}

// readCpio reads an image of records, compressed or not, from the beginning of a
// file. Contents that are not compressed are read where they are.
func (a *archive) readCpio() error {
	img := image.NewReader(a.input())
	defer img.Close()
	c := &cpioReader{newFileTree(), map[cpioFile]string{}}
	for {
		e, err := img.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return a.fault(err)
		}
		var content *io.SectionReader
		if e.Type() == cpio.TypeRegular {
			if img.Members()[e.Member].Codec == image.Uncompressed {
				content = io.NewSectionReader(a.file, img.Offset(), e.Size)
			} else if content, err = a.spool.keep(img); err != nil {
				return a.fault(err)
			}
		}
		if err := c.add(e, content); err != nil && !a.report(e.Name, err) {
			return nil
		}
	}
	// NULs alone are an image, and an empty tar archive.
	if len(img.Members()) > 0 && !img.Trailer() {
		return a.fault(errors.New("no trailer at its end: it may have been cut off, which cannot be told"))
	}
	a.take(c.fileTree)
	return nil
}

// kindOf returns the kind of a mode of stat(2), or 0.
func kindOf(mode uint32) list.Kind {
	switch mode & cpio.TypeMask {
	case cpio.TypeRegular:
		return list.File
	case cpio.TypeDir:
		return list.Dir
	case cpio.TypeSymlink:
		return list.Symlink
	case cpio.TypeChar, cpio.TypeBlock:
		return list.Node
	case cpio.TypePipe:
		return list.Pipe
	case cpio.TypeSocket:
		return list.Sock
	}
	return 0
}

// add does with an entry what do_name and do_symlink do.
func (c *cpioReader) add(r *image.Entry, content *io.SectionReader) error {
	name, err := memberPath(r.Name)
	if err != nil {
		return err
	}
	e := &list.Entry{
		Kind: kindOf(r.Mode), Name: name[1:], Perm: r.Mode & 0o7777, UID: r.UID, GID: r.GID,
		Content: content, Target: r.Target, Block: r.Type() == cpio.TypeBlock,
	}
	switch {
	case e.Kind == 0:
		return fmt.Errorf("there is no type %#o", r.Type())
	case e.Kind == list.Symlink && r.Size > image.MaxTarget:
		return fmt.Errorf("a symbolic link's target of %d bytes: the kernel takes %d at most", r.Size, list.MaxPath)
	case e.Kind != list.Symlink && e.Kind != list.File && r.Size > 0:
		return fmt.Errorf("a %s with %d bytes of content, which the kernel skips", e.Kind, r.Size)
	case e.Kind == list.Node:
		e.Major, e.Minor = r.RMajor, r.RMinor
	}
	if err := checkMember(e); err != nil {
		return err
	}
	if r.NLink >= 2 && e.Kind != list.Dir && e.Kind != list.Symlink {
		key := cpioFile{r.Trailers, r.Ino, r.Major, r.Minor, r.Type()}
		if first, ok := c.links[key]; ok {
			return c.addLink(name, first, e)
		}
		c.links[key] = name
	}
	old := c.named[name]
	if old == nil || old.Mode()&cpio.TypeMask != e.Mode()&cpio.TypeMask || e.Kind == list.Symlink {
		if err := c.free(name); err != nil {
			return err
		}
		c.put(name, e)
		return nil
	}
	// What is there stays and is changed, with all its names.
	if e.Kind == list.Node && (old.Major != e.Major || old.Minor != e.Minor) {
		return fmt.Errorf("the device %d, %d is there before as %d, %d, which the kernel does not change",
			e.Major, e.Minor, old.Major, old.Minor)
	}
	old.Content = e.Content
	old.Perm, old.UID, old.GID = e.Perm, e.UID, e.GID
	return nil
}

// addLink gives a file one more name, as maybe_link does. Any of the records may
// have the content: the last one that has some counts.
func (c *cpioReader) addLink(name, first string, e *list.Entry) error {
	if name == first {
		return errors.New("two records of one file have this name: the kernel unlinks the first for the second, a link to it")
	}
	if err := c.free(name); err != nil {
		return err
	}
	n := c.named[first]
	if n == nil || n.Mode()&cpio.TypeMask != e.Mode()&cpio.TypeMask {
		return fmt.Errorf("it is a hard link of %s, which another record has replaced", list.Escape(first))
	}
	if e.Kind != list.File {
		// The link has all that the first record said. Lists link files only.
		device := *n.Entry
		c.put(name, &device)
		return nil
	}
	c.link(name, n)
	if e.Content.Size() > 0 {
		n.Content = e.Content
	}
	n.Perm, n.UID, n.GID = e.Perm, e.UID, e.GID
	return nil
}
