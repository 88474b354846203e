package source

import (
	"errors"
	"fmt"
	"io"

	"github.com/rules-initramfs/rules_initramfs/internal/image"
	"github.com/rules-initramfs/rules_initramfs/internal/image/kernel"
	"github.com/rules-initramfs/rules_initramfs/internal/list"
	"github.com/rules-initramfs/rules_initramfs/internal/tables/kind"
)

// errEnough ends reading after too many errors.
var errEnough = errors.New("too many errors")

// readCpio reads an image, compressed or not, from the beginning of a file, as the
// kernel does. What the kernel would drop or change silently is an error. Contents that
// are not compressed are read where they are.
func (a *archive) readCpio() error {
	img := image.NewReader(a.input())
	defer img.Close()
	t, o := newTree(), newOriginal(a.parents)
	failed := false
	err := t.model.Read(img, false, func(record *image.Entry, made kernel.Result, _ io.Reader) error {
		if err := checkRecord(record, made); err != nil {
			failed = true
			if !a.report(record.Name, err) {
				return errEnough
			}
		}
		if failed {
			return nil
		}
		if err := o.add(record, made.Created); err != nil {
			return err
		}
		t.note(made, record.Mode&0o7777)
		if made.File.Body != record.Index {
			return nil
		}
		var err error
		content := io.NewSectionReader(a.file, img.Offset(), record.Size)
		if img.Members()[record.Member].Codec != image.Uncompressed {
			if content, err = a.spool.keep(img, unlimited); err != nil {
				return err
			}
		}
		t.files[made.File].content = content
		return nil
	})
	switch {
	case err == errEnough:
		return nil
	case err != nil:
		return a.fail(err)
	// NULs alone are an image, and an empty tar archive.
	case len(img.Members()) > 0 && !img.Trailer():
		return a.fail(errors.New("no trailer at its end: it may have been cut off, which cannot be told"))
	}
	a.take(t)
	if !failed {
		a.compare(o, t)
	}
	return nil
}

// checkRecord refuses a record that the kernel would drop or change silently, or that no
// list can have.
func checkRecord(r *image.Entry, made kernel.Result) error {
	name, err := memberPath(r.Name)
	if err != nil {
		return err
	}
	e := &list.Entry{Kind: kind.TypeOf(r.Mode).Kind, Name: name[1:], Target: r.Target, Major: r.RMajor, Minor: r.RMinor}
	if made.Drop != kernel.DropType && made.Drop != kernel.DropTarget {
		if err := checkMember(e); err != nil {
			return err
		}
	}
	if err := dropped(made); err != nil {
		return err
	}
	switch f := made.File; {
	case f.Type() != r.Type():
		return fmt.Errorf("it is a hard link of %s, which another record has replaced", list.Escape(made.Linked))
	case e.Kind == list.Node && (f.RMajor != e.Major || f.RMinor != e.Minor):
		return fmt.Errorf("the device %d, %d exists already as %d, %d, which the kernel does not change", e.Major, e.Minor, f.RMajor, f.RMinor)
	}
	return nil
}
