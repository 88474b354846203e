package source

import (
	"fmt"
	"io"

	"github.com/rules-initramfs/rules_initramfs/internal/list"
)

// ReadCompleted reads a list that write.List has written.
func ReadCompleted(name string, in io.Reader) ([]*list.Entry, error) {
	var entries []*list.Entry
	var next list.Entry
	for p := list.NewParser(in, list.Options{Name: name, Directives: true, Origins: true}); ; {
		e, d, err := p.Next()
		switch {
		case err == io.EOF:
			return entries, nil
		case err != nil:
			return nil, err
		case d == nil:
			e.MTime, e.Added, e.Replaces = next.MTime, next.Added, next.Replaces
			e.Pos = list.Pos{Origin: e.Pos.Origin}
			entries = append(entries, e)
			next = list.Entry{}
			continue
		case d.Word == "added":
			next.Added = true
		case d.Word == "replaces" && len(d.Args) == 1:
			next.Replaces = append(next.Replaces, d.Args[0])
		case d.Word == "mtime" && len(d.Args) == 1:
			seconds, err := list.ParseAttribute(d.Word, d.Args[0])
			if err != nil {
				return nil, &list.Error{Pos: d.Pos, Err: err}
			}
			next.MTime = &seconds
		default:
			return nil, &list.Error{Pos: d.Pos, Err: fmt.Errorf("unknown directive %q of a completed list", d.Word)}
		}
	}
}
