package kernel

import "github.com/rules-initramfs/rules_initramfs/internal/image"

// Result is what became of an entry.
type Result struct {
	// Path is where the kernel put it, symbolic links followed; what it is called,
	// as CleanPath says, if it was dropped.
	Path string
	// File has that path now; nil if the entry was dropped.
	File *File
	// Replaced is what had the path before, and was truncated, changed or removed
	// for it; nil if nothing. Where File had the path before, it is a copy of what
	// that was.
	Replaced *File
	// Drop is why the kernel dropped the entry, which it does in silence; or 0.
	Drop Drop
	// Detail is for people, with Drop: such as "there is no directory /usr/share".
	Detail string
}

// Drop is a reason for which a kernel drops an entry.
type Drop uint8

const (
	_ Drop = iota
	// DropNoParent is a name with a directory that is not there.
	DropNoParent
	// DropNotDirectory is a name below something that is no directory.
	DropNotDirectory
	// DropLoop is a name that leads over more than 40 symbolic links.
	DropLoop
	// DropNotEmpty is another type than the directory that has the name, and has
	// something in it. Its owner, its permissions and its time may be changed.
	DropNotEmpty
	// DropTarget is a symbolic link whose target is over 4095 bytes. What had its
	// name is gone if its body, a NUL included, is not over image.MaxTarget.
	DropTarget
	// DropBody is content where there is no regular file. As with a symbolic link
	// whose body is over image.MaxTarget, do_header skips the record and leaves next_state
	// as it is: in a compressed member whose buffer ended inside of the header, the
	// kernel then reads the same header again and loses what follows.
	DropBody
	// DropType is a type that there is not. What had the name is gone, unless it
	// is a directory that is not empty.
	DropType
	// DropLink is a hard link of a file that is gone, or is a directory by now.
	DropLink
	// DropOpen is a hard link of what was a regular file and is none by now: the
	// kernel opens it, and waits for ever if it is a pipe.
	DropOpen
	// DropName is a name with a component over 255 bytes, or one that only a
	// directory may have.
	DropName
	// DropExists is a name that is taken.
	DropExists
)

var drops = [...]string{
	DropNoParent:     "no parent directory",
	DropNotDirectory: "parent is no directory",
	DropLoop:         "too many symbolic links",
	DropNotEmpty:     "directory not empty",
	DropTarget:       "target too long",
	DropBody:         "content without a regular file",
	DropType:         "unknown type",
	DropLink:         "hard link of nothing",
	DropOpen:         "hard link of no regular file",
	DropName:         "unusable name",
	DropExists:       "name taken",
}

func (d Drop) String() string {
	if int(d) < len(drops) {
		return drops[d]
	}
	return "unknown"
}

// fault is why the kernel's functions fail.
type fault struct {
	drop   Drop
	detail string
}

func drop(e *image.Entry, f *fault) Result {
	return Result{Path: CleanPath(e.Name), Drop: f.drop, Detail: f.detail}
}
