package model_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/image/kernel"
)

// randomCases is how many have some of everything.
const randomCases = 400

func addRandom(add func(name string, records func(dir string) []Record)) {
	for seed := range uint64(randomCases) {
		r := rand.New(rand.NewPCG(seed, 7))
		add(fmt.Sprintf("seed %d", seed), func(dir string) []Record {
			for {
				if records := random(r, dir); ends(dir, records) {
					return records
				}
			}
		})
	}
}

// ends reports whether a kernel comes to the end of the records, with the same result on
// any machine: it opens a node that has taken the name of a file that a hard link leads
// to.
func ends(dir string, records []Record) bool {
	m := kernel.NewModel()
	for name := range strings.SplitSeq(dir, "/") {
		if name == "c" {
			m.Add(entry(Record{Name: name, Mode: cpio.TypeDir | 0o755}))
		}
	}
	m.Add(entry(Record{Name: dir, Mode: cpio.TypeDir | 0o755}))
	trailers := 0
	for _, r := range records {
		if r.Name == Trailer.Name {
			trailers++
			continue
		}
		e := entry(r)
		e.Inode.Trailers = trailers
		if m.Add(e).Drop == kernel.DropOpen {
			return false
		}
	}
	return true
}

func entry(r Record) *kernel.Record {
	e := &kernel.Record{Name: r.Name, Inode: kernel.Inode{Ino: r.Ino}, Mode: r.Mode, NLink: r.NLink, Size: int64(len(r.Body))}
	if r.Mode&cpio.TypeMask == cpio.TypeSymlink {
		e.Target, _, _ = strings.Cut(r.Body, "\x00")
	}
	return e
}

func one[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// oneIn reports true once in n times.
func oneIn(r *rand.Rand, n int) bool { return r.IntN(n) == 0 }

var components = []string{"a", "b", "d", "e", "l"}

func random(r *rand.Rand, dir string) []Record {
	// A few of the names, so that they meet.
	names := slices.Clone(components)
	r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	names = names[:2+r.IntN(len(names)-1)]

	records := []Record{}
	for _, name := range names[:r.IntN(len(names))] {
		records = append(records, one(r, dirRecord, dirRecord, linkRecord)(dir, name, one(r, names...)))
	}
	for range 4 + r.IntN(14) {
		if oneIn(r, 25) {
			records = append(records, Trailer)
			continue
		}
		record := Record{
			Name:   randomName(r, dir, names),
			Mode:   one[uint32](r, cpio.TypeRegular, cpio.TypeRegular, cpio.TypeRegular, cpio.TypeDir, cpio.TypeDir, cpio.TypeDir, cpio.TypeSymlink, cpio.TypeSymlink, cpio.TypePipe, cpio.TypeSocket, cpio.TypeChar, cpio.TypeBlock, 0),
			UID:    one[uint32](r, 0, 0, 1, 2, none),
			GID:    one[uint32](r, 0, 0, 1, 2, none),
			NLink:  one[uint32](r, 0, 1, 1, 2, 2, 3),
			Ino:    1 + r.Uint32N(3),
			RMajor: 1 + r.Uint32N(2),
			RMinor: r.Uint32N(4),
			Sum:    oneIn(r, 4),
		}
		record.Mode |= one[uint32](r, 0o644, 0o755, 0o600, 0, 0o4755, 0o2755, 0o1777, 0o7777)
		if oneIn(r, 8) {
			record.Padding = r.IntN(9)
		}
		switch record.Mode & cpio.TypeMask {
		case cpio.TypeRegular:
			record.Body = strings.Repeat(one(r, "x", "yz", "0123456789"), one(r, 0, 0, 1, 2, 5))
		case cpio.TypeSymlink:
			record.Body = randomTarget(r, dir, names) + strings.Repeat("\x00", r.IntN(3))
		default:
			if oneIn(r, 50) {
				record.Body = "body"
			}
		}
		records = append(records, record)
	}
	return records
}

func dirRecord(in, name, _ string) Record       { return dir(in + "/" + name) }
func linkRecord(in, name, target string) Record { return slink(in+"/"+name, target) }

func randomName(r *rand.Rand, dir string, names []string) string {
	name := one(r, "", "", "", "/", "./", "//", "../") + dir
	for range one(r, 1, 1, 2, 2, 3) {
		name += one(r, "/", "/", "/", "/", "//", "/./", "/"+one(r, names...)+"/../") + one(r, names...)
	}
	return name + one(r, "", "", "", "", "", "", "", "/", "/.", "/..")
}

func randomTarget(r *rand.Rand, dir string, names []string) string {
	return one(r, "", "", "", "", "/"+dir+"/", "../", "./", "../../"+dir+"/", "nothing/") +
		one(r, one(r, names...), one(r, names...), one(r, names...), one(r, names...)+"/"+one(r, names...), ".", "..", "new", "") +
		one(r, "", "", "", "", "/", "/.", "/..")
}
