package kernel

import "github.com/rules-initramfs/rules_initramfs/internal/printable"

// Result is what became of a record.
type Result struct {
	// Path is where the kernel put the record, without symbolic links. For a record
	// that was dropped it is CleanPath of the name.
	Path string
	// File has that path now. It is nil if the record was dropped.
	File *File
	// Created reports whether File is new. Linked is another path of File if the
	// record made Path a hard link of it. Otherwise File had the path before, and
	// its metadata were changed. File.Body says whether the content is the record's.
	Created bool
	Linked  string
	// Replaced is what had the path before, and was truncated, changed or removed;
	// nil if nothing. If File had the path before, it is a copy of the earlier
	// state.
	Replaced *File
	// Drop is why the kernel dropped the record, which it does silently; 0 if it
	// did not.
	Drop Drop
	// Detail explains Drop to people, such as "there is no directory /usr/share". Names in
	// it are safe to show.
	Detail string
}

// Drop is a reason why the kernel drops a record.
type Drop uint8

const (
	_ Drop = iota
	// DropNoParent is a name in a directory that does not exist.
	DropNoParent
	// DropNotDirectory is a name below something that is not a directory.
	DropNotDirectory
	// DropLoop is a name that leads over more than 40 symbolic links.
	DropLoop
	// DropNotEmpty is another type than the directory that has the name and is not
	// empty. The directory's owner, permissions and time may have changed.
	DropNotEmpty
	// DropTarget is a symbolic link whose target is over 4095 bytes. If its body, a
	// NUL included, is at most image.MaxTarget, the kernel has removed what had the
	// name.
	DropTarget
	// DropBody is content of something that is not a regular file. do_header skips
	// the record, as it does a symbolic link whose body is over image.MaxTarget, and
	// leaves next_state as it is: in a compressed member whose buffer ended inside
	// the header, the kernel then reads the same header again and loses what
	// follows.
	DropBody
	// DropType is an unknown type. The kernel has removed what had the name, unless
	// it is a directory that is not empty.
	DropType
	// DropLink is a hard link of a file that is gone or is a directory by now.
	DropLink
	// DropOpen is a hard link of what was a regular file and no longer is one: the
	// kernel opens it, and waits forever if it is a pipe.
	DropOpen
	// DropName is a name with a component over 255 bytes, or one that only a
	// directory may have.
	DropName
	// DropExists is a name that is taken.
	DropExists
	// DropUnknown is a name that an overlay cannot resolve: it leads over a symbolic
	// link.
	DropUnknown
)

// failure is why one of the kernel's functions fails.
type failure struct {
	drop   Drop
	detail string
}

// result returns the result of a record that has failed at a path.
func (f *failure) result(at string) Result {
	return Result{Path: at, Drop: f.drop, Detail: printable.Text(f.detail)}
}
