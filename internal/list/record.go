package list

import "github.com/rules-initramfs/rules_initramfs/internal/cpio"

// What usr/gen_init_cpio writes, so that the bytes are the same.
const (
	// FirstIno is the inode number of the first entry of an archive; each entry has
	// the next one.
	FirstIno    = 721
	deviceMajor = 3
	deviceMinor = 1
)

// AppendRecords appends the headers of the entry's records in an archive to records: one
// for each name. The last one has the content. Where the entry has no time of its own, it
// is mtime.
func (e *Entry) AppendRecords(records []cpio.Header, ino, mtime uint32) []cpio.Header {
	h := cpio.Header{
		Name:  e.Name,
		Ino:   ino,
		Mode:  e.Mode(),
		UID:   e.UID,
		GID:   e.GID,
		NLink: 1,
		MTime: e.TimeOr(mtime),
		Major: deviceMajor,
		Minor: deviceMinor,
	}
	switch e.Kind {
	case File:
		h.NLink = uint32(1 + len(e.Links))
	case Symlink:
		h.Size = int64(len(e.Target)) + 1 // unlike other writers, the kernel's counts the NUL
	case Node:
		h.RMajor, h.RMinor = e.Major, e.Minor
	case Dir, Pipe, Sock:
		h.NLink = 2
	}
	records = append(records, h)
	for _, link := range e.Links {
		h.Name = link
		records = append(records, h)
	}
	if e.Kind == File {
		records[len(records)-1].Size = e.Size
	}
	return records
}

// TimeOr returns the entry's own time, or else mtime.
func (e *Entry) TimeOr(mtime uint32) uint32 {
	if e.MTime != nil {
		return *e.MTime
	}
	return mtime
}
