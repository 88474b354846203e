package plan

import (
	"path"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/image"
	"github.com/rules-initramfs/rules_initramfs/internal/image/kernel"
	"github.com/rules-initramfs/rules_initramfs/internal/list"
)

// CheckUnpacked refuses entries that the kernel drops, for lists without missing
// directories added.
//
// An entry in a directory that is not before it may be for a kernel that has the
// directory already. But a file that has some of its names in such directories and others
// not is an error: the kernel drops the former, and the content with the last name.
func CheckUnpacked(entries []*list.Entry) error {
	var errors list.Errors
	var records []cpio.Header
	model := kernel.NewModel()
	for i, e := range entries {
		var missing []string
		var why kernel.Result
		for _, name := range e.Names() {
			if found := model.Directory(path.Dir(list.CleanPath(name))); found.Drop == kernel.DropNoParent {
				missing, why = append(missing, list.Escape(list.CleanPath(name))), found
			}
		}
		switch {
		case len(missing) > len(e.Links):
			continue
		case len(missing) > 0:
			errors.Add(errorf(e, "the kernel drops %s, a hard link, and may lose its content: %s: add the directory before it, or use --parents", missing[len(missing)-1], why.Detail))
			continue
		}
		records = e.AppendRecords(records[:0], uint32(i), 0)
		for _, h := range records {
			made := model.Add(kernel.RecordOf(&image.Entry{Header: h, Target: e.Target}))
			switch f := made.File; {
			case made.Drop != 0:
				errors.Add(errorf(e, "the kernel drops %s: %s", list.Escape(list.CleanPath(h.Name)), made.Detail))
			case e.Kind == list.Node && (f.RMajor != e.Major || f.RMinor != e.Minor):
				errors.Add(errorf(e, "%s is already a device, and the kernel keeps its numbers", list.Escape(made.Path)))
			}
		}
	}
	return errors.Err()
}
