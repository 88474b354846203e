package kernel

import (
	"fmt"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/image"
)

// What init/initramfs.c calls to change the file system. Each function has the name
// of its system call.

// create goes to where a name will be made that must not exist yet, as
// filename_create in fs/namei.c does.
func (m *Model) create(name string, dir bool) *failure {
	if err := m.walk(name); err != nil {
		return err
	}
	if m.last == "" {
		return &failure{DropExists, "its name is a directory's"}
	}
	f, err := m.child(m.last)
	switch {
	case err != nil:
		return err
	case f != nil && f.Type() == cpio.TypeDir && !dir:
		return &failure{DropNotEmpty, "a directory of that name is not empty"}
	case f != nil:
		return &failure{DropExists, m.path() + " exists"}
	case m.slash && !dir:
		return &failure{DropName, "its name ends in a slash and it is not a directory"}
	}
	return nil
}

// insert puts a file where create has gone to.
func (m *Model) insert(f *File) {
	at := m.path()
	m.text += int64(len(at))
	m.Files[at] = f
	if !m.overlay {
		m.children[child{m.dir, at[len(at)-len(m.last):]}] = f
	}
	m.dir.names++
	m.dir.MTime = 0
}

// newFile makes a file of a type where create has gone to. In a directory with
// the set-group-ID bit it has the directory's group (inode_init_owner).
func (m *Model) newFile(typeBits uint32) *File {
	m.made++
	f := &File{ino: m.made, Mode: typeBits, NLink: 1, Body: -1, parent: m.dir}
	switch {
	case m.overlay:
		f.UID, f.GID = unset, unset
	case m.dir.Mode&0o2000 != 0:
		f.GID = m.dir.GID
	}
	m.insert(f)
	return f
}

// newDir makes a directory where create has gone to.
func (m *Model) newDir() *File {
	f := m.newFile(cpio.TypeDir)
	f.NLink = 2
	m.dir.NLink++
	return f
}

func (m *Model) mkdir(name string) *failure {
	if err := m.create(name, true); err != nil {
		return err
	}
	m.newDir()
	return nil
}

func (m *Model) mknod(r *Record) *failure {
	if err := m.create(r.Name, false); err != nil {
		return err
	}
	kind := r.Mode & cpio.TypeMask
	f := m.newFile(kind)
	if kind == cpio.TypeChar || kind == cpio.TypeBlock {
		// parse_header's MKDEV: 12 bits and 20 bits, with no mask for the second.
		f.RMajor = (r.RMajor | r.RMinor>>20) & 0xfff
		f.RMinor = r.RMinor & 0xfffff
	}
	return nil
}

func (m *Model) symlink(r *Record) *failure {
	if len(r.Target) >= image.MaxTarget {
		return &failure{DropTarget, fmt.Sprintf("its target is longer than %d bytes", image.MaxTarget-1)}
	}
	if err := m.create(r.Name, false); err != nil {
		return err
	}
	f := m.newFile(cpio.TypeSymlink | 0o777)
	f.Target = r.Target
	m.text += int64(len(f.Target))
	return nil
}

// link gives the file with the name old another name. It returns the file and the
// path that old leads to.
func (m *Model) link(old, name string) (*File, string, *failure) {
	f, at, _ := m.resolve(old, false)
	switch {
	case f == nil && CleanPath(old) == CleanPath(name):
		return nil, "", &failure{DropLink, "two records of one file have this name: the kernel removes the first for the second, a link of it"}
	case f == nil:
		return nil, "", &failure{DropLink, fmt.Sprintf("it is a hard link of %s, which does not exist", CleanPath(old))}
	case f.Type() == cpio.TypeDir:
		return nil, "", &failure{DropLink, fmt.Sprintf("it is a hard link of %s, which is a directory by now", at)}
	}
	if err := m.create(name, false); err != nil {
		return nil, "", err
	}
	m.insert(f)
	f.NLink++
	return f, at, nil
}

// open opens a regular file to write it, and makes it if it does not exist. It
// follows symbolic links; path returns the path of the file.
func (m *Model) open(name string) (f *File, created bool, err *failure) {
	err = m.walk(name)
	for err == nil {
		switch {
		case m.last == "":
			return nil, false, &failure{DropName, "its name is a directory's"}
		case m.slash:
			return nil, false, &failure{DropName, "its name ends in a slash and it is not a directory"}
		}
		if f, err = m.child(m.last); err != nil {
			break
		}
		if f == nil {
			return m.newFile(cpio.TypeRegular), true, nil
		}
		switch f.Type() {
		case cpio.TypeRegular:
			return f, false, nil
		case cpio.TypeDir:
			return nil, false, &failure{DropNotEmpty, "a directory of that name is not empty"}
		case cpio.TypeSymlink:
			err = m.follow(f)
		default:
			return nil, false, &failure{DropOpen, openDetails[f.Type()]}
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

// remove removes the name that walk has gone to.
func (m *Model) remove(f *File) {
	if f.Type() == cpio.TypeDir || f.Type() == cpio.TypeSymlink {
		m.changes++
	}
	at := m.path()
	m.text -= int64(len(at))
	delete(m.Files, at)
	delete(m.children, child{m.dir, m.last})
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
	if f.NLink--; f.NLink == 0 {
		m.text -= int64(len(f.Target))
	}
}

// chown sets the owner and the group of a file: -1 leaves what is there. It clears
// the set-ID bits, which a chmod that follows sets again.
func (m *Model) chown(f *File, r *Record) {
	if r.UID != unset {
		f.UID = r.UID
	}
	if r.GID != unset {
		f.GID = r.GID
	}
}
