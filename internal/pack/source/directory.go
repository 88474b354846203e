package source

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
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
	d.read("")
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
	// file tells which names are one regular file; zero for what has one name only.
	file file
}

type file struct{ dev, ino uint64 }

func (d *directory) path(name string) string {
	if strings.HasSuffix(d.root, "/") {
		return d.root + name
	}
	return d.root + "/" + name
}

func (d *directory) report(err error) { d.errors.Add(&list.Error{Pos: d.errors.Pos, Err: err}) }

// read reads what is below the directory with this name, a path from the root.
func (d *directory) read(name string) {
	files, err := os.ReadDir(d.path(name))
	if err != nil {
		d.report(Unreadable(cmp.Or(strings.TrimSuffix(d.path(name), "/"), "/"), err))
		return
	}
	for _, file := range files {
		name := name + file.Name()
		info, err := file.Info()
		if err == nil {
			err = d.add(name, info)
		}
		if err != nil {
			d.report(Unreadable(d.path(name), err))
		} else if info.IsDir() {
			d.read(name + "/")
		}
	}
}

func (d *directory) add(name string, info fs.FileInfo) error {
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
		if stat.Nlink > 1 {
			f.file = file{uint64(stat.Dev), stat.Ino}
		}
	case list.Symlink:
		target, err := os.Readlink(d.path(name))
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
	names := map[file][]string{}
	for _, f := range d.found {
		if f.file != (file{}) {
			names[f.file] = append(names[f.file], f.entry.Name)
		}
	}
	entries := make([]*list.Entry, 0, len(d.found))
	for _, f := range d.found {
		if all := names[f.file]; len(all) > 0 {
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
