package model_test

import (
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
)

func file(name, body string) Record {
	return Record{Name: name, Mode: cpio.TypeRegular | 0o644, NLink: 1, Body: body}
}
func dir(name string) Record  { return Record{Name: name, Mode: cpio.TypeDir | 0o755, NLink: 2} }
func pipe(name string) Record { return Record{Name: name, Mode: cpio.TypePipe | 0o600, NLink: 1} }
func sock(name string) Record { return Record{Name: name, Mode: cpio.TypeSocket | 0o600, NLink: 1} }
func char(name string, major, minor uint32) Record {
	return Record{Name: name, Mode: cpio.TypeChar | 0o600, NLink: 1, RMajor: major, RMinor: minor}
}
func block(name string, major, minor uint32) Record {
	return Record{Name: name, Mode: cpio.TypeBlock | 0o600, NLink: 1, RMajor: major, RMinor: minor}
}
func slink(name, target string) Record {
	return Record{Name: name, Mode: cpio.TypeSymlink | 0o777, NLink: 1, Body: target + "\x00"}
}

// name is a name of a file that has several: those with the same ino.
func name(ino uint32, name, body string) Record {
	return Record{Name: name, Ino: ino, Mode: cpio.TypeRegular | 0o644, NLink: 2, Body: body}
}

// node is a name of a node that has several.
func node(ino uint32, r Record) Record { r.Ino, r.NLink = ino, 2; return r }

// with sets the mode, but not the type, and the owner of a record.
func with(r Record, mode, uid, gid uint32) Record {
	r.Mode, r.UID, r.GID = r.Mode&cpio.TypeMask|mode, uid, gid
	return r
}

// at sets the time of a record.
func at(mtime uint32, r Record) Record { r.MTime = mtime; return r }

func summed(r Record) Record        { r.Sum = true; return r }
func padded(n int, r Record) Record { r.Padding = n; return r }
func bare(r Record) Record          { r.Body = strings.TrimSuffix(r.Body, "\x00"); return r }
func typed(name string, mode uint32, body string) Record {
	return Record{Name: name, Mode: mode, NLink: 1, Body: body}
}

const none = 1<<32 - 1

// written are the cases for each rule; "@" is the case's directory.
var written = []struct {
	name    string
	records []Record
}{
	{"types", []Record{file("@/f", "1"), dir("@/d"), slink("@/l", "f"), char("@/c", 1, 3), block("@/b", 8, 1), pipe("@/p"), sock("@/s")}},
	{"spelling", []Record{file("/@/a", "1"), file("./@/b", "2"), file("//@//c", "3"), file("@/./d", "4"), file("../../@/e", "5"), dir("@/x"), file("@/x/../f", "6"), file("/../@/x/./../x//g", "7")}},
	{"missing parents", []Record{file("@/n/a", "1"), dir("@/n/b/c"), slink("@/n/l", "x"), pipe("@/n/p"), file("@/z", "2")}},
	{"missing parent, up again", []Record{file("@/n/../a", "1"), dir("@/d"), file("@/d/n/../../b", "1"), file("@/d/../b", "2")}},
	{"below a file", []Record{file("@/f", "1"), file("@/f/a", "2"), dir("@/f/d"), slink("@/f/l", "x"), pipe("@/f/p"), file("@/f/../g", "3")}},
	{"below a pipe", []Record{pipe("@/f"), file("@/f/a", "2"), dir("@/f/d")}},
	{"file twice", []Record{with(file("@/f", "first"), 0o755, 1, 2), with(file("@/f", "2"), 0o600, 3, 4)}},
	{"file, then empty", []Record{file("@/f", "first"), file("@/f", "")}},
	{"file, then longer", []Record{file("@/f", "1"), file("@/f", strings.Repeat("long", 3000))}},
	{"directory twice", []Record{with(at(5, dir("@/d")), 0o700, 1, 2), file("@/d/f", ""), with(at(6, dir("@/d")), 0o1777, 3, 4)}},
	{"node twice", []Record{with(char("@/n", 1, 3), 0o600, 1, 2), with(char("@/n", 1, 5), 0o666, 3, 4), block("@/b", 8, 0), block("@/b", 8, 1)}},
	{"pipe and socket twice", []Record{with(pipe("@/p"), 0o600, 1, 2), with(pipe("@/p"), 0o622, 3, none), sock("@/s"), with(sock("@/s"), 0o4711, none, 7)}},
	{"symbolic link twice", []Record{slink("@/l", "a"), with(slink("@/l", "b"), 0o600, 5, 6)}},
	{"type changes", []Record{
		file("@/a", "1"), dir("@/a"), file("@/b", "1"), slink("@/b", "a"), file("@/c", "1"), char("@/c", 1, 3), file("@/d", "1"), pipe("@/d"),
		dir("@/e"), file("@/e", "2"), dir("@/f"), slink("@/f", "a"), dir("@/g"), block("@/g", 8, 1), slink("@/h", "a"), file("@/h", "3"),
		slink("@/i", "a"), dir("@/i"), slink("@/j", "a"), sock("@/j"), pipe("@/k"), file("@/k", "4"), char("@/m", 1, 3), block("@/m", 1, 3),
		char("@/n", 1, 3), slink("@/n", "x"), pipe("@/o"), sock("@/o"),
	}},
	{"not empty", []Record{
		dir("@/d"), file("@/d/x", "1"), with(file("@/d", "2"), 0o600, 1, 1), dir("@/e"), dir("@/e/x"), with(pipe("@/e"), 0o4600, 2, 2),
		dir("@/f"), pipe("@/f/x"), with(slink("@/f", "y"), 0o777, 3, 3), dir("@/g"), slink("@/g/x", "y"), with(char("@/g", 1, 3), 0o2620, 4, 4),
		dir("@/h"), dir("@/h/y"), typed("@/h", 0o600, ""), file("@/d/y", "3"), file("@/e/y", "4"),
	}},
	{"not empty, with a name", []Record{name(1, "@/a", "1"), dir("@/d"), file("@/d/x", "1"), name(1, "@/d", "2"), name(1, "@/b", "3")}},
	{"not empty any more", []Record{dir("@/d"), dir("@/d/e"), file("@/d", "1"), file("@/d/e", "2"), file("@/d", "3")}},
	{"below a symbolic link", []Record{dir("@/d"), slink("@/l", "d"), file("@/l/a", "1"), dir("@/l/e"), slink("@/l/s", "a"), char("@/l/n", 1, 3), file("@/l/e/f", "2"), file("@/l/../up", "3")}},
	{"below an absolute link", []Record{dir("@/d"), slink("@/l", "/@/d"), file("@/l/a", "1"), slink("@/m", "//@/./d/"), file("@/m/b", "2"), slink("@/r", "/"), file("@/r/@/c", "3")}},
	{"below a chain", []Record{dir("@/d"), slink("@/1", "d"), slink("@/2", "1"), slink("@/3", "../../@/2/."), file("@/3/a", "1"), slink("@/d/up", ".."), file("@/3/up/2/b", "2")}},
	{"below a dangling link", []Record{slink("@/l", "nothing"), file("@/l/a", "1"), dir("@/l/d")}},
	{"below a loop", []Record{slink("@/l", "l"), file("@/l/a", "1"), slink("@/m", "n"), slink("@/n", "m"), dir("@/m/d"), file("@/l", "2")}},
	{"below a link to a file", []Record{file("@/f", "1"), slink("@/l", "f"), file("@/l/a", "2"), dir("@/l/d"), file("@/l/../g", "3")}},
	{"below a link that changes", []Record{dir("@/d"), dir("@/e"), slink("@/l", "d"), file("@/l/a", "1"), slink("@/l", "e"), file("@/l/a", "2"), dir("@/l"), file("@/l/a", "3")}},
	{"40 links", chain(40)},
	{"41 links", chain(41)},
	{"slash at the end", []Record{
		dir("@/d/"), file("@/f/", "1"), file("@/g", "1"), dir("@/g/"), slink("@/s/", "d"), pipe("@/p/"), dir("@/e"), file("@/e/", "2"), dir("@/h"), pipe("@/h//"),
		dir("@/i"), slink("@/i/", "d"), with(dir("@/d//"), 0o711, 1, 1), pipe("@/q"), pipe("@/q/"), slink("@/t", "d"), slink("@/t/", "e"),
	}},
	{"slash after a link", []Record{
		dir("@/d"), slink("@/l", "d"), with(dir("@/l/"), 0o700, 5, 5), slink("@/x", "nothing"), dir("@/x/"), file("@/f", "1"), slink("@/y", "f"), dir("@/y/"),
		file("@/l/", "2"), pipe("@/l/"), slink("@/l/", "x"), dir("@/m"), slink("@/k", "m"), file("@/k/", "3"),
	}},
	{"dots at the end", []Record{
		dir("@/d"), with(dir("@/d/."), 0o701, 1, 1), with(dir("@/d/.."), 0o702, 2, 2), file("@/d/.", "1"), pipe("@/d/."), slink("@/d/.", "x"), file("@/d/..", "1"),
		with(char("@/d/..", 1, 3), 0o1644, 3, 3), with(slink("@/d/..", "y"), 0o777, 4, 4), dir("@/n/."), dir("@/d/./"), typed("@/d/.", 0, ""),
	}},
	{"link times over a directory", []Record{at(7, dir("@/d")), file("@/d/x", "1"), at(8, slink("@/d", "y")), at(9, pipe("@/d"))}},
	{"times of directories", []Record{at(10, dir("@/a")), at(11, dir("@/b")), at(12, dir("@/a")), file("@/a/x", ""), slink("@/l", "b"), at(13, dir("@/l/c")), slink("@/l", "a")}},
	{"times by a link that changes", []Record{at(20, dir("@/a")), at(21, dir("@/b")), slink("@/l", "a"), at(22, dir("@/l/x")), at(23, dir("@/b/x")), slink("@/l", "b")}},
	{"times of what is not a directory any more", []Record{at(30, dir("@/a")), at(31, file("@/a", "1")), at(32, dir("@/b")), at(33, slink("@/b", "a")), at(34, dir("@/c")), at(35, pipe("@/c")), Trailer}},
	{"times of a directory that its name does not lead to any more", []Record{
		slink("@/l", "."), dir("@/l/d"), file("@/d/x", "1"), at(36, pipe("@/d")), dir("@/l/e"), file("@/e/x", "1"), at(37, pipe("@/e")), file("@/e/y", "1"),
		dir("@/l/f"), file("@/f/x", "1"), file("@/f/y", "1"), at(38, pipe("@/f")), typed("@/f/x", 0, ""), dir("@/l/g"), slink("@/l", "nothing"),
	}},
	{"times after a trailer", []Record{at(40, dir("@/a")), Trailer, at(41, dir("@/a")), file("@/a/x", "")}},
	{"times", []Record{at(1, file("@/a", "")), at(none, file("@/b", "1")), at(1<<31, slink("@/l", "a")), at(1<<31, pipe("@/p")), at(none, dir("@/d"))}},
	{"names, content last", []Record{name(1, "@/a", ""), name(1, "@/b", ""), name(1, "@/c", "content")}},
	{"names, content first", []Record{name(1, "@/a", "content"), name(1, "@/b", ""), name(1, "@/c", "")}},
	{"names, content everywhere", []Record{name(1, "@/a", "content"), name(1, "@/b", "1"), name(1, "@/c", "longer content")}},
	{"names, metadata of the last", []Record{with(at(5, name(1, "@/a", "1")), 0o4755, 1, 1), with(at(6, name(1, "@/b", "")), 0o600, 2, 3)}},
	{"names, nlink 1", []Record{typedIno("@/a", 1), typedIno("@/b", 1), name(1, "@/c", "3"), typedIno("@/d", 1), name(1, "@/e", "")}},
	{"names, nlink 0", []Record{{Name: "@/a", Mode: cpio.TypeRegular | 0o600, Ino: 1, Body: "1"}, {Name: "@/b", Mode: cpio.TypeRegular | 0o600, Ino: 1, Body: "2"}}},
	{"names, a trailer between", []Record{name(1, "@/a", "1"), Trailer, name(1, "@/b", "2"), name(1, "@/c", "")}},
	{"names, no trailer", []Record{name(1, "@/a", "1"), typed("TRAILER!!!", cpio.TypeRegular, "x"), bare(slink("TRAILER!!!", "x")), typed("TRAILER!!!/", 0, ""), name(1, "@/b", "")}},
	{"names, a trailer that is a directory", []Record{name(1, "@/a", "1"), dir("TRAILER!!!"), name(1, "@/b", "")}},
	{"names, the first removed", []Record{name(1, "@/a", "1"), typed("@/a", 0, ""), name(1, "@/b", "2"), name(1, "@/c", "3")}},
	{"names, the first replaced by a file", []Record{name(1, "@/a", "1"), slink("@/a", "x"), file("@/a", "new"), name(1, "@/b", ""), name(1, "@/c", "3")}},
	{"names, the first replaced by a directory", []Record{name(1, "@/a", "1"), dir("@/a"), name(1, "@/b", "2"), file("@/b", "3")}},
	{"names, the first replaced by a link", []Record{name(1, "@/a", "1"), file("@/t", "target"), slink("@/a", "t"), name(1, "@/b", "new"), name(1, "@/c", "")}},
	{"names, the first replaced by a dangling link", []Record{name(1, "@/a", "1"), dir("@/d"), slink("@/a", "d/t"), with(name(1, "@/b", "new"), 0o604, 3, 3), file("@/d/u", "")}},
	{"names, the first replaced by a dangling link, no content", []Record{name(1, "@/a", "1"), slink("@/a", "t"), name(1, "@/b", "")}},
	{"names, the first replaced by a link to nowhere", []Record{name(1, "@/a", "1"), slink("@/a", "n/t"), name(1, "@/b", "2"), slink("@/a", "t/"), name(1, "@/c", "2"), slink("@/a", "."), name(1, "@/d", "2"), slink("@/a", "a"), name(1, "@/e", "2")}},
	{"names, the first replaced by a link to a directory", []Record{name(1, "@/a", "1"), dir("@/d"), slink("@/a", "d"), name(1, "@/b", "2")}},
	{"names, the first replaced by a socket", []Record{name(1, "@/a", "1"), sock("@/a"), with(name(1, "@/b", "2"), 0o777, 5, 5)}},
	{"names, the same name", []Record{name(1, "@/a", "1"), name(1, "@/a", "2"), name(1, "@/b", "3"), name(1, "@/a", "4"), name(1, "@/b", "5")}},
	{"names, the same name spelled otherwise", []Record{name(1, "@/a", "1"), name(1, "@/./a", "2")}},
	{"names, over others", []Record{name(1, "@/a", "1"), file("@/f", "x"), name(1, "@/f", ""), slink("@/l", "f"), name(1, "@/l", ""), dir("@/d"), name(1, "@/d", ""), pipe("@/p"), name(1, "@/p", "")}},
	{"names, the first has no parent", []Record{name(1, "@/n/a", "1"), name(1, "@/b", "2"), dir("@/n"), name(1, "@/c", "3"), file("@/n/a", "4"), name(1, "@/d", "")}},
	{"names, the first by a link that changes", []Record{dir("@/x"), dir("@/y"), slink("@/l", "x"), file("@/y/a", "y"), name(1, "@/l/a", "x"), slink("@/l", "y"), name(1, "@/b", "")}},
	{"names, the first with a slash", []Record{name(1, "@/a/", "1"), name(1, "@/b", "2"), dir("@/a"), name(1, "@/c", "3")}},
	{"names, the second with a slash", []Record{name(1, "@/a", "1"), name(1, "@/b/", "2"), dir("@/d"), name(1, "@/d/", "2"), name(1, "@/a/.", "2")}},
	{"names, two files", []Record{name(1, "@/a", "1"), name(2, "@/b", "2"), name(1, "@/c", ""), name(2, "@/d", ""), file("@/a", "new")}},
	{"names, other devices", []Record{name(1, "@/a", "1"), onDevice(name(1, "@/b", "2"), 3, 9999), onDevice(name(1, "@/c", ""), 4, 9999), onDevice(name(1, "@/d", ""), 3, 9999)}},
	{"names, other types", []Record{name(1, "@/a", "1"), node(1, pipe("@/p")), node(1, sock("@/s")), node(1, char("@/c", 1, 3)), node(1, block("@/b", 1, 3)), node(1, pipe("@/p2")), node(1, sock("@/s2")), node(1, char("@/c2", 1, 3)), node(1, block("@/b2", 1, 3)), name(1, "@/a2", "")}},
	{"names of nodes", []Record{with(node(1, char("@/a", 1, 3)), 0o600, 1, 1), with(node(1, char("@/b", 1, 5)), 0o666, 2, 2), typed("@/a", 0, ""), node(1, char("@/c", 1, 7)), node(1, char("@/b", 1, 7))}},
	{"names of nodes, the first replaced", []Record{node(1, pipe("@/a")), file("@/a", "1"), node(1, pipe("@/b")), dir("@/d"), node(2, sock("@/s")), slink("@/s", "d"), node(2, sock("@/t")), node(3, pipe("@/u")), dir("@/u"), node(3, pipe("@/v"))}},
	{"names of directories and links", []Record{node(1, dir("@/d")), node(1, dir("@/e")), node(1, slink("@/l", "d")), node(1, slink("@/m", "e"))}},
	{"a long content", []Record{name(1, "@/a", strings.Repeat("0123456789", 5000)), name(1, "@/b", "short"), name(1, "@/c", "")}},
	{"targets", []Record{
		bare(slink("@/bare", "f")), slink("@/cut", "f\x00g"), slink("@/empty", ""), bare(slink("@/nothing", "")), slink("@/4094", strings.Repeat("t", 4094)),
		slink("@/4095", strings.Repeat("t", 4095)), bare(slink("@/4095.bare", strings.Repeat("t", 4095))), bare(slink("@/4096.bare", strings.Repeat("t", 4096))), slink("@/4096", strings.Repeat("t", 4096)),
		file("@/x", "1"), bare(slink("@/x", strings.Repeat("t", 4096))), file("@/y", "1"), slink("@/y", strings.Repeat("t", 4096)),
		dir("@/z"), file("@/z/f", ""), with(bare(slink("@/z", strings.Repeat("t", 4096))), 0o777, 9, 9), slink("@/4096.cut", "t\x00"+strings.Repeat("u", 4093)),
	}},
	{"below an empty link", []Record{slink("@/l", ""), file("@/l/a", "1"), with(dir("@/l/"), 0o711, 1, 1), dir("@/d"), slink("@/d/l", ""), file("@/d/l/../b", "2")}},
	{"content on other types", []Record{typed("@/d", cpio.TypeDir|0o755, "x"), typed("@/p", cpio.TypePipe|0o600, "x"), typed("@/c", cpio.TypeChar|0o600, "x"), file("@/f", "1"), typed("@/f", cpio.TypePipe|0o600, "x"), typed("@/f", 0o600, "x"), file("@/z", "")}},
	{"no types", []Record{file("@/a", "1"), typed("@/a", 0o600, ""), dir("@/b"), typed("@/b", 0o030600, ""), slink("@/c", "a"), typed("@/c", 0o170600, ""), pipe("@/d"), typed("@/d", 0o050600, ""), typed("@/e", 0o110600, "")}},
	{"mode over 16 bits", []Record{typed("@/a", 1<<16|cpio.TypeRegular|0o4755, "x")}},
	{"components", []Record{
		file("@/"+strings.Repeat("n", 255), "1"), file("@/"+strings.Repeat("n", 256), "1"), dir("@/" + strings.Repeat("m", 256)), slink("@/"+strings.Repeat("l", 256), "x"), pipe("@/" + strings.Repeat("p", 256)),
		file("@/"+strings.Repeat("n", 256)+"/x", "1"), file("@/"+strings.Repeat("n", 256)+"/../x", "1"), slink("@/l", strings.Repeat("n", 256)+"/.."), file("@/l/x", "1"), name(1, "@/"+strings.Repeat("k", 256), "1"), name(1, "@/z", "1"),
	}},
	{"long names", []Record{
		dir("@/d"), file("@/"+strings.Repeat("./", 2040)+"x", "1"), name(1, "@/"+strings.Repeat("./", 2040)+"y", "1"), name(1, "@"+strings.Repeat("/", 4085)+"z", "2"),
		dir("@/" + strings.Repeat("./", 2040) + "d"), slink("@/"+strings.Repeat("./", 2040)+"l", "d"), file("@/"+strings.Repeat("l/../", 8)+"l/f", "3"), file("@/"+strings.Repeat("l/../", 40)+"l/g", "4"),
	}},
	{"padded names", []Record{padded(1, file("@/a", "1")), padded(100, dir("@/d")), padded(3, slink("@/l", "a")), padded(4000, file("@/b", "2")), padded(2, pipe("@/p")), padded(7, name(1, "@/x", "")), padded(9, name(1, "@/y", "1")), padded(5, Trailer), name(1, "@/z", "2")}},
	{"names over the limit", []Record{
		padded(4095, file("@/a", "1")), file("@/b", "2"), padded(5000, dir("@/d")), padded(5001, slink("@/l", "a")), padded(5002, name(1, "@/x", "3")), name(1, "@/y", "4"),
		file("@/"+strings.Repeat("./", 2040)+strings.Repeat("n", 20), "5"), padded(5003, pipe("@/p")), dir("@/e"),
	}},
	{"sums", []Record{summed(file("@/a", "sum")), summed(file("@/b", "")), summed(dir("@/d")), summed(slink("@/l", "a")), summed(name(1, "@/x", "")), name(1, "@/y", "y"), summed(name(1, "@/z", "zz")), summed(pipe("@/p"))}},
	{"owners", []Record{
		with(file("@/a", "1"), 0o644, none, none), with(file("@/b", "1"), 0o644, 5, 6), with(file("@/b", "2"), 0o644, none, 7), with(file("@/b", "2"), 0o644, 8, none),
		with(dir("@/d"), 0o755, none, 5), with(slink("@/l", "a"), 0o777, 5, none), with(char("@/c", 1, 3), 0o600, none, none), with(file("@/e", ""), 0o600, 1<<32-2, 1<<31),
	}},
	{"set-ID bits", []Record{
		with(file("@/a", "1"), 0o6755, 5, 6), with(file("@/b", ""), 0o6644, 5, 6), with(dir("@/d"), 0o7777, 5, 6), with(pipe("@/p"), 0o6600, 5, 6), with(char("@/c", 1, 3), 0o7666, 5, 6),
		with(name(1, "@/x", "1"), 0o4755, 5, 6), with(name(1, "@/y", "1234"), 0o6755, 7, 8), with(file("@/a", "new"), 0o4711, 9, 9), with(file("@/f", "1"), 0o7777, none, none),
	}},
	{"in a directory with set-group-ID", []Record{
		with(dir("@/d"), 0o2755, 5, 6), with(file("@/d/f", "1"), 0o644, none, none), with(dir("@/d/e"), 0o755, none, none), with(slink("@/d/l", "f"), 0o777, none, none),
		with(pipe("@/d/p"), 0o600, none, none), with(dir("@/d/g"), 0o755, 1, 2), with(file("@/d/e/f", ""), 0o600, none, none), with(dir("@/d"), 0o755, 9, 9), with(file("@/d/h", ""), 0o600, none, none),
		with(name(1, "@/n", "1"), 0o600, 3, 3), with(dir("@/d"), 0o2755, 9, 9), with(node(1, file("@/d/n", "1")), 0o600, none, none),
	}},
	{"permissions", []Record{with(file("@/a", "1"), 0, 0, 0), with(file("@/a", "2"), 0o777, 0, 0), with(dir("@/d"), 0, 1, 1), file("@/d/f", "3"), with(slink("@/l", "a"), 0, 0, 0)}},
	{"devices", []Record{char("@/a", 0xfff, 0xfffff), block("@/b", 0x1000, 0x100000), char("@/c", 1, 0x300003), char("@/d", 259, 1048575), char("@/e", 0, 0), {Name: "@/p", Mode: cpio.TypePipe | 0o600, RMajor: 5, RMinor: 6}, {Name: "@/f", Mode: cpio.TypeRegular | 0o600, RMajor: 5, RMinor: 6, NLink: 1}}},
	{"odd names", []Record{file("@/ ", "1"), file("@/\n", "2"), file("@/\xff\xfe", "3"), file("@/...", "4"), dir("@/..."), file("@/-", "5"), file("@/\\", "6"), file("@/\x01\x7f", "7")}},
	{"the root", []Record{with(at(77, dir("")), 0o711, 1, 2), with(at(78, dir("/")), 0o751, none, 3), with(dir("."), 0o755, 4, none), file("", "1"), pipe("/."), slink("..", "x"), typed("/", 0o600, ""), with(dir("/.."), 0o755, 0, 0)}},
}

// chain is a path over n symbolic links, and one over one more.
func chain(n int) []Record {
	records := []Record{dir("@/d")}
	target := "d"
	for i := range n {
		link := "l" + string(rune('A'+i))
		records = append(records, slink("@/"+link, target))
		target = link
	}
	return append(records, file("@/"+target+"/f", "1"), dir("@/"+target+"/"), slink("@/"+target+"/l", "."), with(dir("@/"+target+"/l/"), 0o711, 1, 1))
}

// typedIno is a file with a number and one name.
func typedIno(name string, ino uint32) Record {
	return Record{Name: name, Ino: ino, Mode: cpio.TypeRegular | 0o600, NLink: 1, Body: name[len(name)-1:]}
}

func onDevice(r Record, major, minor uint32) Record { r.Major, r.Minor = major, minor; return r }
