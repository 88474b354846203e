package source

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/list"
	"github.com/rules-initramfs/rules_initramfs/internal/tables/kind"
)

// Owners say which owners on disk become 0 in the archive. The zero value keeps all.
type Owners struct {
	UID, GID Squash
}

// Squash says which ids become 0.
type Squash struct {
	// All makes every id 0.
	All bool
	// ID is the one that becomes 0.
	ID uint32
}

func (s Squash) of(id uint32) uint32 {
	if s.All || id == s.ID {
		return 0
	}
	return id
}

// isDir reports whether a name on the command line leads to a directory.
func isDir(name string) bool {
	info, err := os.Stat(name)
	return name != "-" && err == nil && info.IsDir()
}

// ReadDirectory returns what is in a directory, without the directory itself.
// The order is that of usr/gen_initramfs.sh, which sorts lines "PATH MODE UID GID"
// by their bytes: a directory comes before what is in it. Modes, owners and device
// numbers are those on disk. The names of one regular file are the links of one
// entry, which is where the last of them is, because all their directories come before
// it. Names of the file outside of the directory do not count.
//
// The paths are those on disk of everything that was read except symbolic links, the
// directory first. There are none if the directory is empty.
func ReadDirectory(dir string, owners Owners) (entries []*list.Entry, paths []string, err error) {
	for strings.Contains(dir, "//") {
		dir = strings.ReplaceAll(dir, "//", "/")
	}
	d := &directory{root: dir, owners: owners, errors: list.Errors{Pos: list.Pos{File: dir}}}
	d.read("", list.FileID{})
	if err := d.errors.Err(); err != nil || len(d.found) == 0 {
		return nil, nil, err
	}
	slices.SortFunc(d.found, func(a, b found) int { return cmp.Compare(a.line, b.line) })
	paths = append(paths, dir)
	for _, f := range d.found {
		if f.entry.Kind != list.Symlink {
			paths = append(paths, d.path(f.entry.Name))
		}
	}
	return d.joinLinks(), paths, nil
}

type directory struct {
	root   string
	owners Owners
	found  []found
	errors list.Errors
}

type found struct {
	entry *list.Entry
	// line is what the name is sorted by.
	line string
	// linked reports a regular file with several names.
	linked bool
}

func (d *directory) path(name string) string {
	if strings.HasSuffix(d.root, "/") {
		return d.root + name
	}
	return d.root + "/" + name
}

func (d *directory) report(err error) { d.errors.Add(&list.Error{Pos: d.errors.Pos, Err: err}) }

// errReplaced reports a directory that is another one than when it was found.
var errReplaced = errors.New("it was replaced while it was read")

// read reads what is below the directory with this name, a path from the root. want is
// which directory it must be; zero for any. A directory that another process replaces with
// a symbolic link is not followed: its content is read through the open directory.
func (d *directory) read(name string, want list.FileID) {
	subdirs, err := d.readOne(name, want)
	if err != nil {
		d.report(Unreadable(cmp.Or(strings.TrimSuffix(d.path(name), "/"), "/"), err))
		return
	}
	for _, dir := range subdirs {
		d.read(dir.name, dir.id)
	}
}

// subdir is a directory that was found.
type subdir struct {
	name string
	id   list.FileID
}

// readOne reads one directory, and returns those in it.
func (d *directory) readOne(name string, want list.FileID) ([]subdir, error) {
	root, err := os.OpenRoot(d.path(name))
	if err != nil {
		return nil, err
	}
	defer root.Close()
	dir, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	info, err := dir.Stat()
	if err != nil {
		return nil, err
	}
	if want != (list.FileID{}) && fileID(info) != want {
		return nil, errReplaced
	}
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	var subdirs []subdir
	for _, base := range names {
		info, err := root.Lstat(base)
		if err == nil {
			err = d.add(root, name+base, info)
		}
		if err != nil {
			d.report(Unreadable(d.path(name+base), err))
		} else if info.IsDir() {
			subdirs = append(subdirs, subdir{name + base + "/", fileID(info)})
		}
	}
	return subdirs, nil
}

func (d *directory) add(root *os.Root, name string, info fs.FileInfo) error {
	stat, ok := info.Sys().(*sysStat)
	if !ok {
		return errors.New("this system does not report owners")
	}
	f := found{
		entry: &list.Entry{
			Name: name,
			Perm: uint32(stat.Mode) & 0o7777,
			UID:  d.owners.UID.of(stat.Uid),
			GID:  d.owners.GID.of(stat.Gid),
			Pos:  d.errors.Pos,
		},
		line: fmt.Sprintf("%s %o %d %d", name, stat.Mode&0o7777, stat.Uid, stat.Gid),
	}
	e, typ := f.entry, kind.TypeOf(uint32(stat.Mode))
	e.Kind = typ.Kind
	switch e.Kind {
	case 0:
		return fmt.Errorf("it is a %s", typ.Name)
	case list.File:
		e.Location = d.path(name)
		e.OnDisk = fileID(info)
		f.linked = stat.Nlink > 1
	case list.Symlink:
		target, err := root.Readlink(path.Base(name))
		if err != nil {
			return err
		}
		e.Target = target
	case list.Node:
		e.Block = typ.Bits == cpio.TypeBlock
		e.Major, e.Minor = deviceNumbers(uint64(stat.Rdev))
	}
	if err := e.CheckNames(); err != nil {
		d.report(err)
	}
	d.found = append(d.found, f)
	return nil
}

// deviceNumbers splits the number of a device, which has the low bits of both parts below
// the high ones (new_encode_dev in include/linux/kdev_t.h).
func deviceNumbers(dev uint64) (major, minor uint32) {
	return uint32(dev>>8) & 0xfff, uint32(dev)&0xff | uint32(dev>>12)&^0xff
}

// joinLinks makes one entry of all names of a file, in the place of the last one.
func (d *directory) joinLinks() []*list.Entry {
	names := map[list.FileID][]string{}
	for _, f := range d.found {
		if f.linked {
			names[f.entry.OnDisk] = append(names[f.entry.OnDisk], f.entry.Name)
		}
	}
	entries := make([]*list.Entry, 0, len(d.found))
	for _, f := range d.found {
		if all := names[f.entry.OnDisk]; f.linked {
			if f.entry.Name != all[len(all)-1] {
				continue
			}
			f.entry.Name, f.entry.Links = all[0], all[1:]
			f.entry.Location = d.path(f.entry.Name)
		}
		entries = append(entries, f.entry)
	}
	return entries
}
