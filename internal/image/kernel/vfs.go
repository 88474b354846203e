package kernel

import (
	"fmt"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/image"
)

// What init/initramfs.c calls to change the file system: each function is named
// as the system call that it is.

// create goes to where a name is to be made that must not be there yet, as
// filename_create in fs/namei.c does.
func (m *Model) create(name string, dir bool) *fault {
	if err := m.walk(name); err != nil {
		return err
	}
	if m.last == "" {
		return &fault{DropExists, "its name is a directory's"}
	}
	f, err := m.child(m.last)
	switch {
	case err != nil:
		return err
	case f != nil && f.Type() == cpio.TypeDir && !dir:
		return &fault{DropNotEmpty, "a directory of that name is not empty"}
	case f != nil:
		return &fault{DropExists, m.path() + " is there"}
	case m.slash && !dir:
		return &fault{DropName, "its name ends in a slash and it is no directory"}
	}
	return nil
}

// insert puts a file where create has gone to.
func (m *Model) insert(f *File, name string) {
	at := m.path()
	m.longer += int64(max(0, len(at)-len(name)))
	m.Files[at] = f
	m.dir.names++
	m.dir.MTime = 0
}

// newFile makes a file of a type where create has gone to. In a directory with
// the set-group-ID bit it has the directory's group (inode_init_owner).
func (m *Model) newFile(typeBits uint32, name string) *File {
	f := &File{Mode: typeBits, NLink: 1, Body: -1}
	if m.dir.Mode&0o2000 != 0 {
		f.GID = m.dir.GID
	}
	m.insert(f, name)
	return f
}

func (m *Model) mkdir(name string) *fault {
	if err := m.create(name, true); err != nil {
		return err
	}
	m.newFile(cpio.TypeDir, name).NLink = 2
	m.dir.NLink++
	return nil
}

func (m *Model) mknod(e *image.Entry) *fault {
	if err := m.create(e.Name, false); err != nil {
		return err
	}
	f := m.newFile(e.Type(), e.Name)
	if e.Type() == cpio.TypeChar || e.Type() == cpio.TypeBlock {
		// parse_header's MKDEV: 12 bits and 20 bits, with no mask for the second.
		f.RMajor = (e.RMajor | e.RMinor>>20) & 0xfff
		f.RMinor = e.RMinor & 0xfffff
	}
	return nil
}

func (m *Model) symlink(e *image.Entry) *fault {
	if len(e.Target) >= image.MaxTarget {
		return &fault{DropTarget, fmt.Sprintf("its target is longer than %d bytes", image.MaxTarget-1)}
	}
	if err := m.create(e.Name, false); err != nil {
		return err
	}
	f := m.newFile(cpio.TypeSymlink|0o777, e.Name)
	f.Target = e.Target
	return nil
}

// link gives what has the name old another name.
func (m *Model) link(old, name string) *fault {
	f, at, _ := m.resolve(old, false)
	switch {
	case f == nil:
		return &fault{DropLink, fmt.Sprintf("it is a hard link of %s, which is not there", CleanPath(old))}
	case f.Type() == cpio.TypeDir:
		return &fault{DropLink, fmt.Sprintf("it is a hard link of %s, which is a directory by now", at)}
	}
	if err := m.create(name, false); err != nil {
		return err
	}
	m.insert(f, name)
	f.NLink++
	return nil
}

// open opens a regular file to write it, and makes it if it is not there. It
// follows symbolic links; the path of the file is path's.
func (m *Model) open(name string) (f *File, created bool, err *fault) {
	err = m.walk(name)
	for err == nil {
		switch {
		case m.last == "":
			return nil, false, &fault{DropName, "its name is a directory's"}
		case m.slash:
			return nil, false, &fault{DropName, "its name ends in a slash and it is no directory"}
		}
		if f, err = m.child(m.last); err != nil {
			break
		}
		if f == nil {
			return m.newFile(cpio.TypeRegular, name), true, nil
		}
		switch f.Type() {
		case cpio.TypeRegular:
			return f, false, nil
		case cpio.TypeDir:
			return nil, false, &fault{DropNotEmpty, "a directory of that name is not empty"}
		case cpio.TypeSymlink:
			if err = m.follow(f, m.last); err == nil {
				err = m.walkOn(f.Target)
			}
		default:
			return nil, false, &fault{DropOpen, openDetails[f.Type()]}
		}
	}
	return nil, false, err
}

var openDetails = map[uint32]string{
	cpio.TypePipe:   "it is a hard link of what is a pipe by now, which the kernel opens and waits for",
	cpio.TypeSocket: "it is a hard link of what is a socket by now",
	cpio.TypeChar:   "it is a hard link of what is a device by now, which the kernel opens",
	cpio.TypeBlock:  "it is a hard link of what is a device by now, which the kernel opens",
}

// remove takes the name away that walk has gone to.
func (m *Model) remove(f *File) {
	if f.Type() == cpio.TypeDir || f.Type() == cpio.TypeSymlink {
		m.changes++
	}
	delete(m.Files, m.path())
	m.dir.names--
	m.dir.MTime = 0
}

func (m *Model) rmdir(name string) {
	if m.walk(name) != nil || m.last == "" {
		return
	}
	f, _ := m.child(m.last)
	if f == nil || f.Type() != cpio.TypeDir || f.names > 0 {
		return
	}
	m.remove(f)
	f.NLink = 0
	m.dir.NLink--
}

func (m *Model) unlink(name string) {
	if m.walk(name) != nil || m.last == "" || m.slash {
		return
	}
	f, _ := m.child(m.last)
	if f == nil || f.Type() == cpio.TypeDir {
		return
	}
	m.remove(f)
	f.NLink--
}

// chown gives a file its owner and group: -1 leaves what is there. It clears the
// set-ID bits, which a chmod that follows sets again.
func (m *Model) chown(f *File, e *image.Entry) {
	if e.UID != 1<<32-1 {
		f.UID = e.UID
	}
	if e.GID != 1<<32-1 {
		f.GID = e.GID
	}
}
