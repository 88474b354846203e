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
	// maxComponent is how long a component of a path may be, in bytes (NAME_MAX).
	maxComponent = 255
)

// walked is how far along a path a Model has come.
type walked struct {
	// dir is the directory that it has come to. at is its path without the last
	// slash: the root directory's is empty.
	dir *File
	at  []byte
	// last is the next component. It is empty if the path has no more or ends with
	// a dot. dots reports that the path ends with "..".
	last string
	dots bool
	// slash reports that a slash follows last.
	slash bool
	// followed counts the symbolic links.
	followed int

	memo memo
	// changes counts the directories and symbolic links that were removed.
	changes int
	// led counts the bytes of the targets that all walks have gone along.
	led int64
}

// memo is a directory that the last walk has come to, and the beginning of its name that
// led there: the next name usually begins in the same way.
type memo struct {
	name              string
	dir               *File
	at                []byte
	followed, changes int
}

// walk goes from the root directory along all of name but its last component.
func (m *Model) walk(name string) *failure {
	m.dir, m.at, m.followed = m.Files["/"], m.at[:0], 0
	name = strings.TrimLeft(name, "/")
	trimmed := strings.TrimRight(name, "/")
	end := strings.LastIndexByte(trimmed, '/')
	if end < 0 {
		return m.walkOn(name)
	}
	parent, rest := name[:end], name
	if m.memo.dir != nil && m.memo.changes == m.changes && isBelow(parent, m.memo.name) {
		m.dir, m.at, m.followed = m.memo.dir, append(m.at, m.memo.at...), m.memo.followed
		rest = name[len(m.memo.name)+1:]
	}
	before := m.followed
	switch err := m.walkOn(rest); {
	case err == nil:
		if !m.dots && m.last != "" {
			m.remember(parent)
		}
		return nil
	case err.drop == DropNoParent && m.followed == before:
		// What is missing may be made next: go on from here.
		if begin, ok := strings.CutSuffix(trimmed, "/"+m.last); ok {
			m.remember(begin)
		}
		return err
	default:
		return err
	}
}

// isBelow reports whether a path is another one, or begins with it.
func isBelow(path, other string) bool {
	rest, ok := strings.CutPrefix(path, other)
	return ok && (rest == "" || rest[0] == '/')
}

// remember makes where the walk has come to the memo, under the name that led there.
func (m *Model) remember(name string) {
	if m.memo.dir != m.dir || m.memo.changes != m.changes || m.memo.name != name {
		m.memo = memo{name, m.dir, append(m.memo.at[:0], m.at...), m.followed, m.changes}
	}
}

// walkOn is link_path_walk: it goes along all of name but the last component.
func (m *Model) walkOn(name string) *failure {
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
		case f == nil && m.implies:
			m.imply(component)
		case f == nil:
			return m.stuck(component, rest, DropNoParent, "there is no directory %s/%s")
		case f.Type() == cpio.TypeDir, f.Type() == cpio.TypeSymlink && m.overlay:
			m.down(f, component)
		case f.Type() == cpio.TypeSymlink:
			if err := m.countLink(component, f); err != nil {
				return err
			}
			if strings.HasPrefix(f.Target, "/") {
				m.dir, m.at = m.Files["/"], m.at[:0]
			}
			name = strings.TrimLeft(f.Target+"/"+rest, "/")
		default:
			return m.stuck(component, rest, DropNotDirectory, "%s/%s is not a directory")
		}
	}
	return nil
}

// follow follows a symbolic link that is the last component of a path.
func (m *Model) follow(f *File) *failure {
	if m.overlay {
		return &failure{DropUnknown, fmt.Sprintf("its name leads over the symbolic link %s", m.path())}
	}
	if err := m.countLink(m.last, f); err != nil {
		return err
	}
	if strings.HasPrefix(f.Target, "/") {
		m.dir, m.at = m.Files["/"], m.at[:0]
	}
	return m.walkOn(f.Target)
}

// countLink counts a symbolic link that a path leads over.
func (m *Model) countLink(component string, link *File) *failure {
	m.led += int64(len(link.Target))
	if m.followed++; m.followed > maxLinks || m.led > maxLed {
		m.last = component
		return &failure{DropLoop, fmt.Sprintf("its name leads on to %s/%s", m.at, component)}
	}
	return nil
}

// imply makes a directory that no record has named, and goes there.
func (m *Model) imply(component string) {
	m.last = component
	f := m.newDir()
	f.Mode |= 0o755
	f.implied = true
	m.down(f, component)
	m.last = ""
}

// stuck ends a walk at a component that is not a directory.
func (m *Model) stuck(component, rest string, drop Drop, format string) *failure {
	m.last = component + "/" + strings.TrimRight(rest, "/")
	return &failure{drop, fmt.Sprintf(format, m.at, component)}
}

// child returns what the directory has with this name, or nil.
func (m *Model) child(component string) (*File, *failure) {
	if len(component) > maxComponent {
		return nil, &failure{DropName, fmt.Sprintf("a component of its name is over %d bytes", maxComponent)}
	}
	if !m.overlay {
		return m.children[child{m.dir, component}], nil
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
	switch {
	case len(m.at) == 0:
		m.dir = m.Files["/"]
	case m.overlay:
		m.dir = m.Files[string(m.at)]
	default:
		m.dir = m.dir.parent
	}
}

// path returns the path that was walked to.
func (m *Model) path() string {
	if m.last == "" {
		return "/" + string(bytes.TrimPrefix(m.at, []byte("/")))
	}
	return string(m.at) + "/" + m.last
}

// resolve is path_lookupat: it returns what a path leads to, and the path without
// symbolic links. It follows one at the end if follow is set, or if a slash comes
// after it.
func (m *Model) resolve(name string, follow bool) (*File, string, *failure) {
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
			return nil, m.path(), &failure{DropNoParent, m.path() + " does not exist"}
		case f.Type() == cpio.TypeSymlink && follow:
			err = m.follow(f)
		case directory && f.Type() != cpio.TypeDir:
			return nil, m.path(), &failure{DropNotDirectory, m.path() + " is not a directory"}
		default:
			return f, m.path(), nil
		}
	}
	return nil, m.path(), err
}

// Directory returns the path of the directory that a name leads to, without symbolic
// links. If there is none, Drop and Detail say why, and Path is what is in the way: it
// does not exist or is not a directory.
func (m *Model) Directory(name string) Result {
	f, at, err := m.resolve(name, true)
	switch {
	case err != nil:
		component, _, _ := strings.Cut(m.last, "/")
		return err.result(string(m.at) + "/" + component)
	case f.Type() != cpio.TypeDir:
		return (&failure{DropNotDirectory, at + " is not a directory"}).result(at)
	}
	return Result{Path: at, File: f}
}

// Errors of Lookup.
var (
	ErrNoEntry = errors.New("no such entry")
	ErrLoop    = errors.New("too many symbolic links")
)

// Lookup returns the file that a path leads to, and the path without symbolic
// links. It follows links within the image's root.
func (m *Model) Lookup(name string) (f *File, at string, err error) {
	f, at, failed := m.resolve(name, true)
	switch {
	case failed == nil:
		return f, at, nil
	case failed.drop == DropLoop:
		return nil, at, fmt.Errorf("%w: it leads on to %s", ErrLoop, at)
	}
	return nil, at, ErrNoEntry
}
