package kernel

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
)

// Path lookup, as in fs/namei.c.

const (
	// maxLinks is how many symbolic links a path may lead over (MAXSYMLINKS).
	maxLinks = 40
	// maxComponent is how long a part of a path may be, in bytes (NAME_MAX).
	maxComponent = 255
)

// walked is how far along a path a Model has come.
type walked struct {
	// dir is the directory that it has come to; at is its path without the last
	// slash: the root directory's is empty.
	dir *File
	at  []byte
	// last is the component to come; empty where the path ends with none or with
	// a dot, dots where it ends with "..".
	last string
	dots bool
	// slash tells that a slash follows it.
	slash bool
	// followed counts the symbolic links.
	followed int

	memo memo
	// changes counts the directories and symbolic links that went away.
	changes int
}

// memo is the result of the last walk to a directory: entries of one directory
// follow one another.
type memo struct {
	name              string
	dir               *File
	at                []byte
	followed, changes int
}

// walk goes from the root directory along all of name but its last component.
func (m *Model) walk(name string) *fault {
	m.dir, m.at, m.followed = m.Files["/"], m.at[:0], 0
	end := strings.LastIndexByte(strings.TrimRight(name, "/"), '/')
	if end < 0 {
		return m.walkOn(name)
	}
	if parent := name[:end]; m.memo.dir != nil && m.memo.changes == m.changes && m.memo.name == parent {
		m.dir, m.at, m.followed = m.memo.dir, append(m.at, m.memo.at...), m.memo.followed
		return m.walkOn(name[end+1:])
	}
	err := m.walkOn(name)
	if err == nil && !m.dots && m.last != "" {
		m.memo = memo{name[:end], m.dir, append(m.memo.at[:0], m.at...), m.followed, m.changes}
	}
	return err
}

// walkOn is link_path_walk: it goes along all of name but the last component.
func (m *Model) walkOn(name string) *fault {
	m.last, m.dots, m.slash = "", false, false
	name = strings.TrimLeft(name, "/")
	for name != "" {
		component, rest, slash := strings.Cut(name, "/")
		rest = strings.TrimLeft(rest, "/")
		if rest == "" {
			m.slash = slash
			switch component {
			case ".":
			case "..":
				m.dots = true
			default:
				m.last = component
			}
			return nil
		}
		name = rest
		switch component {
		case ".":
			continue
		case "..":
			m.up()
			continue
		}
		f, err := m.child(component)
		switch {
		case err != nil:
			return err
		case f == nil:
			return m.stuck(component, rest, DropNoParent, "there is no directory %s/%s")
		case f.Type() == cpio.TypeSymlink:
			if err := m.follow(f, component); err != nil {
				return err
			}
			name = strings.TrimLeft(f.Target+"/"+rest, "/")
		case f.Type() != cpio.TypeDir:
			return m.stuck(component, rest, DropNotDirectory, "%s/%s is no directory")
		default:
			m.down(f, component)
		}
	}
	return nil
}

// follow begins to follow a symbolic link.
func (m *Model) follow(f *File, component string) *fault {
	if m.followed++; m.followed > maxLinks {
		return &fault{DropLoop, fmt.Sprintf("its name leads on to %s/%s", m.at, component)}
	}
	if strings.HasPrefix(f.Target, "/") {
		m.dir, m.at = m.Files["/"], m.at[:0]
	}
	return nil
}

// stuck is where a path goes on from what is no directory.
func (m *Model) stuck(component, rest string, drop Drop, format string) *fault {
	m.last = component + "/" + strings.TrimRight(rest, "/")
	return &fault{drop, fmt.Sprintf(format, m.at, component)}
}

// child returns what the directory has with this name, or nil.
func (m *Model) child(component string) (*File, *fault) {
	if len(component) > maxComponent {
		return nil, &fault{DropName, fmt.Sprintf("a part of its name is over %d bytes", maxComponent)}
	}
	n := len(m.at)
	m.at = append(append(m.at, '/'), component...)
	f := m.Files[string(m.at)]
	m.at = m.at[:n]
	return f, nil
}

func (m *Model) down(f *File, component string) {
	m.dir, m.at = f, append(append(m.at, '/'), component...)
}

func (m *Model) up() {
	m.at = m.at[:max(0, bytes.LastIndexByte(m.at, '/'))]
	if len(m.at) == 0 {
		m.dir = m.Files["/"]
		return
	}
	m.dir = m.Files[string(m.at)]
}

// path returns the path that was walked to.
func (m *Model) path() string {
	if m.last == "" {
		return "/" + string(bytes.TrimPrefix(m.at, []byte("/")))
	}
	return string(m.at) + "/" + m.last
}

// resolve is path_lookupat: it returns what a path leads to, and the path without
// symbolic links. It follows one at the end too if it is to, or if a slash says
// so.
func (m *Model) resolve(name string, follow bool) (*File, string, *fault) {
	err := m.walk(name)
	directory := false
	for err == nil {
		if m.last == "" {
			if m.dots {
				m.up()
			}
			return m.dir, m.path(), nil
		}
		if m.slash {
			follow, directory = true, true
		}
		var f *File
		f, err = m.child(m.last)
		switch {
		case err != nil:
		case f == nil:
			return nil, m.path(), &fault{DropNoParent, "there is no " + m.path()}
		case f.Type() == cpio.TypeSymlink && follow:
			if err = m.follow(f, m.last); err == nil {
				err = m.walkOn(f.Target)
			}
		case directory && f.Type() != cpio.TypeDir:
			return nil, m.path(), &fault{DropNotDirectory, m.path() + " is no directory"}
		default:
			return f, m.path(), nil
		}
	}
	return nil, m.path(), err
}

// Errors of Lookup.
var (
	ErrNoEntry = errors.New("no such entry")
	ErrLoop    = errors.New("too many symbolic links")
)

// Lookup returns the file that a path leads to and the path without symbolic
// links: those are followed, below the image's root.
func (m *Model) Lookup(name string) (f *File, at string, err error) {
	f, at, fail := m.resolve(name, true)
	switch {
	case fail == nil:
		return f, at, nil
	case fail.drop == DropLoop:
		return nil, at, fmt.Errorf("%w: it leads on to %s", ErrLoop, at)
	}
	return nil, at, ErrNoEntry
}
