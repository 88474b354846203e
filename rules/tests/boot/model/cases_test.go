package model_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
)

// Record is a record of an archive. It is written here and not by the packer's
// own writer, which would not write most of these.
type Record struct {
	Name                         string
	Ino, Mode, UID, GID          uint32
	NLink, MTime                 uint32
	Major, Minor, RMajor, RMinor uint32
	Body                         string
	// Padding is how many NULs beyond the first one after the name count in the name's
	// size.
	Padding int
	// Sum makes this a record of an archive with checksums.
	Sum bool
}

// Bytes returns the record as it is in an archive, padded.
func (r Record) Bytes() []byte {
	magic, sum := "070701", uint32(0)
	if r.Sum {
		magic = "070702"
		for i := range len(r.Body) {
			sum += uint32(r.Body[i])
		}
	}
	name := r.Name + strings.Repeat("\x00", 1+r.Padding)
	b := fmt.Appendf(nil, "%s%08X%08X%08x%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s", magic, r.Ino, r.Mode, r.UID, r.GID, r.NLink,
		r.MTime, len(r.Body), r.Major, r.Minor, r.RMajor, r.RMinor, len(name), sum, name)
	b = pad(b)
	return pad(append(b, r.Body...))
}

func pad(b []byte) []byte { return append(b, "\x00\x00\x00"[:-len(b)&3]...) }

// Trailer ends an archive.
var Trailer = Record{Name: cpio.TrailerName, NLink: 1}

// Case is a run of records below a directory of its own.
type Case struct {
	// Name says what is tested.
	Name string
	// Dir is the directory: "c/" and a number.
	Dir     string
	Records []Record
}

// Skips reports whether do_header skips one of the case's records. It does so correctly
// only if the header lies in one piece in its buffer: it leaves next_state as it is,
// which is GotHeader after a header that was collected. In compressed members, that
// depends on where the decompressor's buffers end.
func (c Case) Skips() bool {
	return slices.ContainsFunc(c.Records, func(r Record) bool {
		if len(r.Name)+1+r.Padding > 4096 {
			return true
		}
		switch r.Mode & cpio.TypeMask {
		case cpio.TypeRegular:
			return false
		case cpio.TypeSymlink:
			return len(r.Body) > 4096
		}
		return len(r.Body) > 0
	})
}

// allCases returns all cases, always the same ones.
func allCases() []Case {
	var all []Case
	add := func(name string, records func(dir string) []Record) {
		c := Case{Name: name, Dir: fmt.Sprintf("c/%04d", len(all))}
		c.Records = append(c.Records, Record{Name: c.Dir, Mode: cpio.TypeDir | 0o755, NLink: 2, MTime: uint32(1000 + len(all))})
		for i, r := range records(c.Dir) {
			if r.Minor == 0 {
				r.Minor = uint32(len(all) + 1) // cases have no hard links in common
			}
			if r.MTime == 0 {
				r.MTime = uint32(1_000_000*len(all) + 1000*(i+1))
			}
			c.Records = append(c.Records, r)
		}
		all = append(all, c)
	}
	for _, w := range written {
		add(w.name, func(dir string) []Record {
			records := make([]Record, len(w.records))
			for i, r := range w.records {
				r.Name = strings.ReplaceAll(r.Name, "@", dir)
				if r.Mode&cpio.TypeMask == cpio.TypeSymlink {
					r.Body = strings.ReplaceAll(r.Body, "@", dir)
				}
				records[i] = r
			}
			return records
		})
	}
	addRandom(add)
	addHostile(add)
	return all
}
