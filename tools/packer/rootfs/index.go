package rootfs

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// File is what the entries of one file make of it.
type File struct {
	// Mode is the type and the permissions, as in stat(2).
	Mode     uint32
	UID, GID uint32
	// MTime is in seconds since 1970-01-01 00:00:00 UTC.
	MTime uint32
	// RMajor and RMinor are the device that a device node stands for.
	RMajor, RMinor uint32
	// Target is where a symbolic link leads.
	Target string
	// Size counts the bytes of a regular file; Digest is their SHA-256, if the
	// index was made with digests; Body is the Index of the entry that holds them.
	Size   int64
	Digest [sha256.Size]byte
	Body   int
	// Linked tells that the file was given a second name.
	Linked bool
}

// Type returns the type bits of the file's mode.
func (f *File) Type() uint32 { return f.Mode & TypeMask }

// Index has the files of an image by name: of entries with the same name the
// last one counts, and the names of one file lead to the same *File.
//
// It takes names as they are written: it does not follow symbolic links, and it
// keeps entries that a kernel drops because their directory is missing.
type Index struct {
	// Files has absolute, clean paths for keys.
	Files map[string]*File
	// links has the first name of each file that can have several.
	links map[linkKey]string
}

// linkKey is what init/initramfs.c knows a file by, until the next trailer.
type linkKey struct {
	trailers                    int
	ino, major, minor, typeBits uint32
}

func keyOf(e *Entry) linkKey { return linkKey{e.Trailers, e.Ino, e.Major, e.Minor, e.Type()} }

// ReadIndex reads an image to its end. With digests, it reads the contents too.
func ReadIndex(r *Reader, digests bool) (*Index, error) {
	x := &Index{map[string]*File{}, map[linkKey]string{}}
	buf := make([]byte, 64<<10)
	for {
		e, err := r.Next()
		if err == io.EOF {
			return x, nil
		}
		if err != nil {
			return nil, err
		}
		f := x.add(e)
		if f == nil || f.Body != e.Index || !digests {
			continue
		}
		h := sha256.New()
		if _, err := io.CopyBuffer(h, r, buf); err != nil {
			return nil, err
		}
		h.Sum(f.Digest[:0])
	}
}

// CleanPath returns the absolute path that a name means to a kernel, which
// unpacks in the root directory, symbolic links aside.
func CleanPath(name string) string { return path.Clean("/" + name) }

// add puts an entry into the index. It returns nil if there is no such file
// then.
func (x *Index) add(e *Entry) *File {
	name := CleanPath(e.Name)
	if e.Type() == TypeSymlink {
		if e.Size > MaxTarget {
			return nil
		}
		f := &File{Mode: e.Mode, UID: e.UID, GID: e.GID, MTime: e.MTime, Target: e.Target, Body: -1}
		x.Files[name] = f
		return f
	}
	if e.Size > 0 && e.Type() != TypeRegular {
		return nil
	}
	switch e.Type() {
	case TypeRegular, TypeDir, TypeChar, TypeBlock, TypePipe, TypeSocket:
	default:
		delete(x.Files, name)
		return nil
	}
	f, linked := x.Files[name], false
	mtime := e.MTime
	if f != nil && f.Type() == TypeDir && e.Type() == TypeDir {
		mtime = f.MTime // dir_utime goes from the last to the first
	}
	if f == nil || f.Type() != e.Type() {
		// A node that stays keeps its device: mknod fails, as it exists.
		f = &File{Body: -1, RMajor: e.RMajor, RMinor: e.RMinor}
	}
	if e.NLink >= 2 && e.Type() != TypeDir {
		key := keyOf(e)
		if first, ok := x.links[key]; !ok {
			x.links[key] = name
		} else {
			// What stands in the place of the new name goes first, be it the
			// first name itself.
			delete(x.Files, name)
			if f = x.Files[first]; f == nil {
				return nil
			}
			linked, f.Linked = true, true
		}
	}
	x.Files[name] = f
	if linked && e.Type() != TypeRegular {
		return f // maybe_link leaves nothing to do
	}
	f.Mode, f.UID, f.GID, f.MTime = e.Mode, e.UID, e.GID, mtime
	if e.Type() == TypeRegular && (!linked || e.Size > 0) {
		f.Size, f.Body = e.Size, e.Index
	}
	return f
}

// maxLinks is how many symbolic links a path may lead over, as in the kernel.
const maxLinks = 40

// Errors of Lookup.
var (
	ErrNoEntry = errors.New("no such entry")
	ErrLoop    = errors.New("too many symbolic links")
)

// Lookup returns the file that a path leads to and the path without symbolic
// links: those are followed, below the image's root.
func (x *Index) Lookup(name string) (*File, string, error) {
	at := CleanPath(name)
	for range maxLinks {
		if f := x.Files[at]; f != nil && f.Type() != TypeSymlink {
			return f, at, nil
		}
		next, ok := x.follow(at)
		if !ok {
			return nil, at, ErrNoEntry
		}
		at = next
	}
	return nil, at, fmt.Errorf("%w: it leads on to %s", ErrLoop, at)
}

// follow replaces the first symbolic link of a path by its target.
func (x *Index) follow(name string) (string, bool) {
	for end := 1; end <= len(name); end++ {
		if end < len(name) && name[end] != '/' {
			continue
		}
		f := x.Files[name[:end]]
		if f == nil || f.Type() != TypeSymlink {
			continue
		}
		target := f.Target
		if !strings.HasPrefix(target, "/") {
			target = path.Dir(name[:end]) + "/" + target
		}
		return CleanPath(target + name[end:]), true
	}
	return "", false
}
