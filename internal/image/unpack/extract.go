package unpack

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"syscall"
	"time"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/image"
	"github.com/rules-initramfs/rules_initramfs/internal/image/kernel"
)

// Loss is why something of an entry is not in the directory that an image was
// extracted to.
type Loss int

const (
	// LossDropped is an entry that the kernel drops too, in silence, or that it
	// would put where a symbolic link leads: Extract does not follow those.
	LossDropped Loss = iota
	// LossNode is a device node that this user may not make.
	LossNode
	// LossOwner is an owner or group that this user may not give.
	LossOwner
)

// Extract unpacks an image to the directory dir, which it makes unless it is
// there and empty. It treats the entries in their order and as the kernel does:
// a file is written again, another type replaces what was there unless that is a
// directory that is not empty, a node that is there keeps its device.
//
// Nothing is written outside of dir. Names are taken relative to it, with ".."
// leading no higher, and no symbolic link is followed.
//
// What is lost is reported and no error. On an error what was made is removed.
func Extract(img *image.Reader, dir string, report func(loss Loss, name, reason string)) (err error) {
	made, err := makeEmptyDir(dir)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	x := &extractor{
		img:    img,
		root:   root,
		report: report,
		dirs:   map[string]*image.Entry{".": nil},
		links:  map[kernel.LinkKey]string{},
		times:  map[string]uint32{},
		buf:    make([]byte, 256<<10),
	}
	if err = x.run(); err != nil {
		err = errors.Join(err, removeAll(root))
		if made {
			err = errors.Join(err, os.Remove(dir))
		}
	}
	return err
}

// makeEmptyDir makes a directory, or checks that it is there and empty.
func makeEmptyDir(dir string) (made bool, err error) {
	if err := os.Mkdir(dir, 0o777); !errors.Is(err, fs.ErrExist) {
		return err == nil, err
	}
	d, err := os.Open(dir)
	if err != nil {
		return false, err
	}
	defer d.Close()
	switch _, err := d.Readdirnames(1); err {
	case io.EOF:
		return false, nil
	case nil:
		return false, fmt.Errorf("%s is not empty", dir)
	default:
		return false, err
	}
}

// removeAll removes what is in root.
func removeAll(root *os.Root) error {
	d, err := root.Open(".")
	if err != nil {
		return err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	for _, name := range names {
		err = errors.Join(err, root.RemoveAll(name))
	}
	return err
}

type extractor struct {
	img    *image.Reader
	root   *os.Root
	report func(loss Loss, name, reason string)
	// dirs has the directories that are there, by path, with the last entry of
	// each. Nobody else makes any: what is in it is no symbolic link.
	dirs map[string]*image.Entry
	// times has the time of the first entry of each directory: dir_utime in
	// init/initramfs.c goes from the last to the first.
	times map[string]uint32
	links map[kernel.LinkKey]string
	buf   []byte
}

// dropped is why an entry is dropped.
type dropped string

func (d dropped) Error() string { return string(d) }

// denied is why a node is not made.
type denied string

func (d denied) Error() string { return string(d) }

func (x *extractor) run() error {
	for {
		e, err := x.img.Next()
		if err == io.EOF {
			return x.finishDirs()
		}
		if err != nil {
			return err
		}
		err = x.add(e)
		var drop dropped
		var deny denied
		switch {
		case err == nil:
		case errors.As(err, &drop):
			x.report(LossDropped, e.Name, string(drop))
		case errors.As(err, &deny):
			x.report(LossNode, e.Name, string(deny))
		case errors.Is(err, syscall.ENAMETOOLONG):
			x.report(LossDropped, e.Name, "a part of its name is too long")
		default:
			return err
		}
	}
}

// add makes what an entry says.
func (x *extractor) add(e *image.Entry) error {
	name := path.Clean("." + kernel.CleanPath(e.Name))
	switch {
	case e.Type() == cpio.TypeSymlink && e.Size > image.MaxTarget:
		return dropped(fmt.Sprintf("its target is longer than %d bytes", image.MaxTarget))
	case e.Type() != cpio.TypeSymlink && e.Type() != cpio.TypeRegular && e.Size > 0:
		return dropped("it has content and is no regular file")
	case name == "." && e.Type() != cpio.TypeDir:
		return dropped("it has the root directory's name and is no directory")
	}
	if err := x.checkParent(name); err != nil {
		if e.NLink >= 2 && e.Type() != cpio.TypeDir && e.Type() != cpio.TypeSymlink {
			// The kernel notes it before it finds that there is no directory.
			if key := kernel.KeyOf(e); x.links[key] == "" {
				x.links[key] = name
			}
		}
		return err
	}
	switch e.Type() {
	case cpio.TypeRegular:
		return x.addFile(name, e)
	case cpio.TypeDir:
		return x.addDir(name, e)
	case cpio.TypeSymlink:
		return x.addSymlink(name, e)
	case cpio.TypeChar, cpio.TypeBlock, cpio.TypePipe, cpio.TypeSocket:
		return x.addNode(name, e)
	}
	if _, err := x.clear(name, 0); err != nil {
		return err // the kernel, too, removes what was there first
	}
	return dropped(fmt.Sprintf("there is no type %#o", e.Type()))
}

// checkParent checks that what is to have the name has a directory to be in.
func (x *extractor) checkParent(name string) error {
	if _, ok := x.dirs[path.Dir(name)]; ok {
		return nil
	}
	for end := range len(name) {
		if name[end] != '/' {
			continue
		}
		parent := name[:end]
		if _, ok := x.dirs[parent]; ok {
			continue
		}
		switch info, err := x.root.Lstat(parent); {
		case errors.Is(err, fs.ErrNotExist):
			return dropped(fmt.Sprintf("there is no directory /%s", parent))
		case err != nil:
			return err
		case info.Mode().Type() == fs.ModeSymlink:
			return dropped(fmt.Sprintf("/%s is a symbolic link, which is not followed", parent))
		default:
			return dropped(fmt.Sprintf("/%s is no directory", parent))
		}
	}
	return fmt.Errorf("no directory for %q", name)
}

// clear removes what has the name unless it has the type: 0 is none's. It tells
// whether something is left.
func (x *extractor) clear(name string, kind uint32) (exists bool, err error) {
	info, err := x.root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	case fileType(info.Mode()) == kind:
		return true, nil
	}
	if err := x.root.Remove(name); errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, syscall.EEXIST) {
		return true, dropped("a directory of that name is not empty")
	} else if err != nil {
		return true, err
	}
	delete(x.dirs, name)
	return false, nil
}

// link gives a file that was there before another name, as maybe_link in
// init/initramfs.c does. It tells whether the entry is such a name.
func (x *extractor) link(name string, e *image.Entry) (bool, error) {
	if e.NLink < 2 {
		return false, nil
	}
	key := kernel.KeyOf(e)
	first, ok := x.links[key]
	if !ok {
		x.links[key] = name
		return false, nil
	}
	if _, err := x.clear(name, 0); err != nil {
		return true, err
	}
	if _, ok := x.dirs[first]; ok {
		return true, dropped(fmt.Sprintf("it is a hard link of /%s, which is a directory by now", first))
	}
	err := x.root.Link(first, name)
	if errors.Is(err, fs.ErrNotExist) {
		return true, dropped(fmt.Sprintf("it is a hard link of /%s, which is not there", first))
	}
	return true, err
}

func (x *extractor) addFile(name string, e *image.Entry) error {
	exists, err := x.clear(name, cpio.TypeRegular)
	if err != nil {
		return err
	}
	linked, err := x.link(name, e)
	if err != nil {
		return err
	}
	if linked {
		// Not a regular file where another entry has taken the first name.
		if info, err := x.root.Lstat(name); err != nil {
			return err
		} else if !info.Mode().IsRegular() {
			return dropped("what it is a hard link of is no file any more")
		}
	}
	if exists || linked {
		// It may be of a mode that does not let its owner write.
		if err := x.root.Chmod(name, 0o600); err != nil {
			return err
		}
	}
	flag := os.O_WRONLY | os.O_CREATE
	if !linked || e.Size > 0 {
		flag |= os.O_TRUNC
	}
	f, err := x.root.OpenFile(name, flag, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := io.CopyBuffer(struct{ io.Writer }{f}, struct{ io.Reader }{x.img}, x.buf); err != nil {
		return err
	}
	if err := x.own(e, f.Chown); err != nil {
		return err
	}
	if err := f.Chmod(permissions(e.Mode)); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return x.setTime(name, e.MTime)
}

func (x *extractor) addDir(name string, e *image.Entry) error {
	exists, err := x.clear(name, cpio.TypeDir)
	if err != nil {
		return err
	}
	if !exists {
		// What it is to be comes last: it may not let its owner write.
		if err := x.root.Mkdir(name, 0o700); err != nil {
			return err
		}
	}
	x.dirs[name] = e
	if _, ok := x.times[name]; !ok {
		x.times[name] = e.MTime
	}
	return nil
}

// finishDirs gives the directories their owners, modes and times, once nothing
// changes them any more: each before the one that it is in.
func (x *extractor) finishDirs() error {
	names := slices.Sorted(maps.Keys(x.dirs))
	slices.Reverse(names)
	names = append(slices.DeleteFunc(names, func(name string) bool { return name == "." }), ".")
	for _, name := range names {
		e := x.dirs[name]
		if e == nil {
			continue // the root directory, of which the image says nothing
		}
		if err := x.own(e, func(uid, gid int) error { return x.root.Chown(name, uid, gid) }); err != nil {
			return err
		}
		if err := x.setTime(name, x.times[name]); err != nil {
			return err
		}
		if err := x.root.Chmod(name, permissions(e.Mode)); err != nil {
			return err
		}
	}
	return nil
}

func (x *extractor) addSymlink(name string, e *image.Entry) error {
	if _, err := x.clear(name, 0); err != nil {
		return err
	}
	if e.Target == "" {
		return dropped("it is a symbolic link to nothing")
	}
	if err := x.root.Symlink(e.Target, name); err != nil {
		return err
	}
	if err := x.own(e, func(uid, gid int) error { return x.root.Lchown(name, uid, gid) }); err != nil {
		return err
	}
	return x.inParent(name, func(dir int, base string) error { return setLinkTime(dir, base, e.MTime) })
}

func (x *extractor) addNode(name string, e *image.Entry) error {
	exists, err := x.clear(name, e.Type())
	if err != nil {
		return err
	}
	if linked, err := x.link(name, e); linked || err != nil {
		return err
	}
	if !exists {
		err := x.inParent(name, func(dir int, base string) error { return makeNode(dir, base, e) })
		if errors.Is(err, fs.ErrPermission) || errors.Is(err, errors.ErrUnsupported) {
			return denied("this user may not make it")
		} else if err != nil {
			return err
		}
	}
	if err := x.own(e, func(uid, gid int) error { return x.root.Chown(name, uid, gid) }); err != nil {
		return err
	}
	if err := x.root.Chmod(name, permissions(e.Mode)); err != nil {
		return err
	}
	return x.setTime(name, e.MTime)
}

// inParent calls use with the directory that a name is in, open, and the last
// part of the name, for what os.Root does not do.
func (x *extractor) inParent(name string, use func(dir int, base string) error) error {
	dir, err := x.root.Open(path.Dir(name))
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := use(int(dir.Fd()), path.Base(name)); err != nil {
		return &fs.PathError{Op: "make", Path: name, Err: err}
	}
	return nil
}

// own gives an entry to its owner. As for the kernel, -1 is nobody and changes
// nothing.
func (x *extractor) own(e *image.Entry, chown func(uid, gid int) error) error {
	err := chown(int(int32(e.UID)), int(int32(e.GID)))
	// EINVAL: the user namespace does not have the number.
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EINVAL) {
		x.report(LossOwner, e.Name, fmt.Sprintf("this user may not give it to %d:%d", e.UID, e.GID))
		return nil
	}
	return err
}

func (x *extractor) setTime(name string, mtime uint32) error {
	t := time.Unix(int64(mtime), 0)
	return x.root.Chtimes(name, t, t)
}

// permissions returns the permissions of a mode of stat(2).
func permissions(mode uint32) fs.FileMode {
	p := fs.FileMode(mode & 0o777)
	for bit, flag := range map[uint32]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if mode&bit != 0 {
			p |= flag
		}
	}
	return p
}

// fileType returns the type bits of stat(2) for a mode.
func fileType(mode fs.FileMode) uint32 {
	switch mode.Type() {
	case 0:
		return cpio.TypeRegular
	case fs.ModeDir:
		return cpio.TypeDir
	case fs.ModeSymlink:
		return cpio.TypeSymlink
	case fs.ModeNamedPipe:
		return cpio.TypePipe
	case fs.ModeSocket:
		return cpio.TypeSocket
	case fs.ModeDevice:
		return cpio.TypeBlock
	case fs.ModeDevice | fs.ModeCharDevice:
		return cpio.TypeChar
	}
	return 0
}
