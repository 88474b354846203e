package model_test

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
)

// hostileCases is how many there are of each kind.
const hostileCases = 152

// hostile are kinds of cases. Each has one thing in abundance.
var hostile = []struct {
	name    string
	records func(r *rand.Rand, dir string) []Record
}{
	{"plain", plain},
	{"links to links", linksToLinks},
	{"swaps", swaps},
	{"nodes over files", nodesOverFiles},
	{"directories replaced", directoriesReplaced},
	{"slashes", slashes},
	{"long parts", longParts},
	{"owners", owners},
	{"devices", devices},
	{"hard links", hardLinks},
}

func addHostile(add func(name string, records func(dir string) []Record)) {
	for k, kind := range hostile {
		for seed := range uint64(hostileCases) {
			r := rand.New(rand.NewPCG(seed, uint64(100+k)))
			add(fmt.Sprintf("%s, seed %d", kind.name, seed), func(dir string) []Record {
				for {
					if records := kind.records(r, dir); ends(dir, records) {
						return records
					}
				}
			})
		}
	}
}

// some calls make a few times.
func some(r *rand.Rand, least, most int, make func() []Record) []Record {
	var records []Record
	for range least + r.IntN(most-least+1) {
		records = append(records, make()...)
	}
	return records
}

// anything returns a record of any type that has this name.
func anything(r *rand.Rand, name string) Record {
	return one(r, file(name, one(r, "", "1", "22")), dir(name), slink(name, one(r, components...)), pipe(name), sock(name), char(name, 1, r.Uint32N(4)), block(name, 8, r.Uint32N(4)))
}

// plain is an archive as programs make it, with a few things that lists cannot say.
func plain(r *rand.Rand, in string) []Record {
	records := []Record{dir(in + "/d"), dir(in + "/d/e"), slink(in+"/l", "d")}
	n := 0
	return append(records, some(r, 3, 12, func() []Record {
		n++
		at := fmt.Sprintf("%s/%s%d", in, one(r, "", "d/", "d/", "d/e/", "l/"), n)
		switch r.IntN(9) {
		case 0:
			return []Record{with(dir(at), one[uint32](r, 0o755, 0o700, 0o1777, 0o2755), r.Uint32N(3), r.Uint32N(3))}
		case 1:
			return []Record{slink(at, one(r, "d", "/d", "../x", "nothing"))}
		case 2:
			return []Record{char(at, 1, 3)}
		case 3:
			ino := uint32(n)
			return []Record{name(ino, at, one(r, "", "first")), name(ino, at+".2", one(r, "", "second"))}
		case 4:
			return []Record{name(99, at, one(r, "", "", "shared"))}
		case 5:
			return []Record{file(in+"/again", strings.Repeat("x", r.IntN(4)))}
		}
		return []Record{with(file(at, strings.Repeat("y", r.IntN(9))), one[uint32](r, 0o644, 0o4755), r.Uint32N(3), r.Uint32N(3))}
	})...)
}

func linksToLinks(r *rand.Rand, in string) []Record {
	records := []Record{dir(in + "/d"), dir(in + "/d/e")}
	links := []string{"a", "b", "c", "f", "d/a", "d/b", "d/e/a"}
	target := func() string {
		return one(r, "", "", "../", "/"+in+"/", "./", "d/../", "d/e/../../") + one(r, append(links, "d", "d/e", "nothing", ".", "..")...) + one(r, "", "", "", "/", "/.", "//")
	}
	return append(records, some(r, 6, 16, func() []Record {
		link := in + "/" + one(r, links...)
		if oneIn(r, 2) {
			return []Record{slink(link, target())}
		}
		below := link + one(r, "/", "/", "//", "/../", "/./") + one(r, append(links, "x", "y")...)
		return []Record{one(r, file(below, "1"), dir(below), slink(below, target()), pipe(below), name(1, below, "2"), dir(link+"/"), dir(link+"/."))}
	})...)
}

// swaps replaces a directory with a link and back, with names below it in between.
func swaps(r *rand.Rand, in string) []Record {
	records := []Record{dir(in + "/d"), dir(in + "/e"), file(in+"/e/x", "x")}
	return append(records, some(r, 6, 14, func() []Record {
		at := in + "/" + one(r, "a", "a", "b", "e/a", "a/a")
		switch r.IntN(6) {
		case 0, 1:
			return []Record{with(dir(at), one[uint32](r, 0o755, 0o711, 0o2755), r.Uint32N(3), r.Uint32N(3))}
		case 2, 3:
			return []Record{slink(at, one(r, "d", "e", "/"+in+"/e", "b", "a", "../d"))}
		case 4:
			return []Record{one(r, file(at, "1"), name(1, at, "2"))}
		}
		return []Record{one(r, file(at+"/x", "1"), name(1, at+"/y", one(r, "", "2")), dir(at+"/z"), slink(at+"/l", "x"))}
	})...)
}

func nodesOverFiles(r *rand.Rand, in string) []Record {
	return some(r, 6, 16, func() []Record {
		at := in + "/" + one(r, "a", "b", "c")
		made := anything(r, at)
		if oneIn(r, 2) {
			made.Ino, made.NLink = 1+r.Uint32N(2), 2
		}
		made.Mode = made.Mode&cpio.TypeMask | one[uint32](r, 0o600, 0o4711, 0)
		return []Record{made}
	})
}

func directoriesReplaced(r *rand.Rand, in string) []Record {
	return some(r, 6, 16, func() []Record {
		at := in + "/" + one(r, "a", "b")
		made := []Record{with(dir(at), one[uint32](r, 0o755, 0o700), r.Uint32N(3), r.Uint32N(3))}
		if oneIn(r, 3) {
			made = append(made, file(at+"/x", "1"))
		}
		return append(made, anything(r, at), with(anything(r, at), 0o751, 1, none))
	})
}

func slashes(r *rand.Rand, in string) []Record {
	records := []Record{dir(in + "/d"), slink(in+"/l", "d"), slink(in+"/m", "nothing"), file(in+"/f", "1")}
	return append(records, some(r, 5, 14, func() []Record {
		at := one(r, "", "/", "//", "./", "/./", "../") + in + one(r, "/", "//", "/./", "/d/../", "/d/", "/l/") +
			one(r, "d", "l", "m", "f", "a", "b") + one(r, "/", "/", "/.", "//", "/./", "/..", "/../", "/x", "")
		made := anything(r, at)
		if oneIn(r, 4) {
			made.Ino, made.NLink = 1+r.Uint32N(2), 2
		}
		return []Record{made}
	})...)
}

func longParts(r *rand.Rand, in string) []Record {
	part := func() string { return strings.Repeat(one(r, "n", "é"), one(r, 1, 120, 127, 128, 254, 255, 256, 300)) }
	return some(r, 3, 7, func() []Record {
		at := in + "/" + part()
		switch r.IntN(8) {
		case 0:
			return []Record{dir(at), file(at+"/"+part(), "1")}
		case 1:
			return []Record{slink(at, one(r, part(), strings.Repeat("t/", one(r, 2047, 2048))))}
		case 2:
			return []Record{name(1, at, "1"), name(1, in+"/z", "")}
		case 3:
			return []Record{name(2, in+"/y", "1"), name(2, at, "")}
		case 4:
			// A name of 4,095 bytes at most is unpacked.
			long := strings.Repeat("./", 2052)
			return []Record{file(in+"/"+long[:4080-len(in)&^1+2*r.IntN(9)]+"x", "1")}
		case 5:
			return []Record{file(at+"/../x", "1")}
		case 6:
			return []Record{file(at, "1"), file(at+"/x", "2")}
		}
		return []Record{anything(r, at)}
	})
}

func owners(r *rand.Rand, in string) []Record {
	id := func() uint32 { return one[uint32](r, 0, 5, none, none, none-1, 1<<31, 65535, 65536) }
	return some(r, 6, 16, func() []Record {
		at := in + "/" + one(r, "a", "b", "d", "d/a", "d/b", "d/e", "d/e/a")
		made := anything(r, at)
		if oneIn(r, 3) {
			made = dir(in + "/" + one(r, "d", "d/e"))
		}
		if oneIn(r, 4) {
			made.Ino, made.NLink = 1+r.Uint32N(2), 2
		}
		return []Record{with(made, one[uint32](r, 0o755, 0o600, 0o2755, 0o2770, 0o6755, 0o7777), id(), id())}
	})
}

func devices(r *rand.Rand, in string) []Record {
	number := func() uint32 {
		return one[uint32](r, 0, 1, 255, 256, 4095, 4096, 1<<20-1, 1<<20, 1<<24+1, none, r.Uint32())
	}
	return some(r, 4, 12, func() []Record {
		at := in + "/" + one(r, "a", "b", "c", "d", "e")
		made := one(r, char(at, number(), number()), block(at, number(), number()), char(at, 1, 3))
		if oneIn(r, 3) {
			made.Ino, made.NLink = 1+r.Uint32N(2), 2
		}
		if oneIn(r, 6) {
			made = with(file(at, "1"), 0o600, 0, 0)
			made.RMajor, made.RMinor = number(), number()
		}
		return []Record{made}
	})
}

// hardLinks are chains of names, with contents that some members end in.
func hardLinks(r *rand.Rand, in string) []Record {
	records := []Record{dir(in + "/d"), slink(in+"/l", "d")}
	return append(records, some(r, 6, 18, func() []Record {
		at := in + "/" + one(r, "", "", "d/", "l/", "n/") + one(r, "a", "b", "c", "e", "f", "g", "h")
		switch r.IntN(10) {
		case 0:
			return []Record{anything(r, at)}
		case 1:
			return []Record{one(r, dir(in+"/n"), Trailer, slink(in+"/l", "n"))}
		}
		made := name(1+r.Uint32N(2), at, strings.Repeat(one(r, "x", "y"), one(r, 0, 0, 0, 1, 3, 5000)))
		made.Sum = oneIn(r, 5)
		return []Record{made}
	})...)
}
