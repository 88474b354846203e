package list_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/rules-initramfs/rules_initramfs/internal/golden"
	"github.com/rules-initramfs/rules_initramfs/internal/list"
	"github.com/rules-initramfs/rules_initramfs/internal/tables/kind"
)

// parse reads a whole list. Its errors come as their messages, in order.
func parse(t *testing.T, text string, opts list.Options) ([]*list.Entry, []*list.Directive, []string) {
	t.Helper()
	var (
		entries    []*list.Entry
		directives []*list.Directive
		texts      []string
	)
	for p := list.NewParser(strings.NewReader(text), opts); ; {
		e, d, err := p.Next()
		var fault *list.Error
		switch {
		case err == io.EOF:
			return entries, directives, texts
		case errors.As(err, &fault):
			if e != nil || d != nil {
				t.Fatalf("Next gave %v, %v beside the error %v", e, d, err)
			}
			texts = append(texts, err.Error())
		case err != nil:
			t.Fatalf("Next: %v", err)
		case (e == nil) == (d == nil):
			t.Fatalf("Next gave the entry %v and the directive %v, want one of them", e, d)
		case e != nil:
			entries = append(entries, e)
		default:
			directives = append(directives, d)
		}
	}
}

// parseOne reads a list of one good entry.
func parseOne(t *testing.T, text string, opts list.Options) *list.Entry {
	t.Helper()
	entries, _, texts := parse(t, text, opts)
	if len(texts) > 0 {
		t.Fatalf("errors in %.80q: %q", text, texts)
	}
	if len(entries) != 1 {
		t.Fatalf("%.80q gave %d entries, want 1", text, len(entries))
	}
	return entries[0]
}

// ignorePos leaves out what a line does not say.
var ignorePos = cmpopts.IgnoreFields(list.Entry{}, "Pos", "MTime", "Size", "Added")

func TestParseEntry(t *testing.T) {
	vars := map[string]string{
		"OUT":     "bazel-out/k8/bin",
		"NESTED":  "${OUT}/nested",
		"EMPTY":   "",
		"BLANK":   "a b",
		"ESCAPE":  `a\040b`,
		"UNEVEN":  "${OUT",
		"TWO":     "${OUT}:${OUT}",
		"a.b-c d": "odd",
	}
	tests := []struct {
		name, line string
		want       list.Entry
	}{
		// One of each kind.
		{"file", "file /etc/motd motd.txt 0644 1 2",
			list.Entry{Kind: list.File, Name: "etc/motd", Location: "motd.txt", Perm: 0o644, UID: 1, GID: 2}},
		{"dir", "dir /dev 0755 0 0",
			list.Entry{Kind: list.Dir, Name: "dev", Perm: 0o755}},
		{"character device", "nod /dev/console 0600 0 5 c 5 1",
			list.Entry{Kind: list.Node, Name: "dev/console", Perm: 0o600, GID: 5, Major: 5, Minor: 1}},
		{"block device", "nod /dev/vda 0660 0 6 b 254 16",
			list.Entry{Kind: list.Node, Name: "dev/vda", Perm: 0o660, GID: 6, Block: true, Major: 254, Minor: 16}},
		{"slink", "slink /bin/sh busybox 0777 0 0",
			list.Entry{Kind: list.Symlink, Name: "bin/sh", Target: "busybox", Perm: 0o777}},
		{"pipe", "pipe /run/initctl 0600 0 0",
			list.Entry{Kind: list.Pipe, Name: "run/initctl", Perm: 0o600}},
		{"sock", "sock /dev/log 0666 0 0",
			list.Entry{Kind: list.Sock, Name: "dev/log", Perm: 0o666}},

		// Hard links.
		{"one hard link", "file /a x 0755 0 0 /b",
			list.Entry{Kind: list.File, Name: "a", Location: "x", Perm: 0o755, Links: []string{"b"}}},
		{"hard links", "file a x 0755 0 0 /b c //d\t/e/f ",
			list.Entry{Kind: list.File, Name: "a", Location: "x", Perm: 0o755, Links: []string{"b", "c", "/d", "e/f"}}},
		{"hard link beginning with a high byte", "file /a x 0755 0 0 \xc3\xa9",
			list.Entry{Kind: list.File, Name: "a", Location: "x", Perm: 0o755, Links: []string{"é"}}},

		// Names.
		{"name without a slash", "dir dev 0755 0 0", list.Entry{Kind: list.Dir, Name: "dev", Perm: 0o755}},
		{"only one slash is dropped", "dir //dev 0755 0 0", list.Entry{Kind: list.Dir, Name: "/dev", Perm: 0o755}},
		{"a slash at the end stays", "dir /dev/ 0755 0 0", list.Entry{Kind: list.Dir, Name: "dev/", Perm: 0o755}},
		{"root", "dir / 0755 0 0", list.Entry{Kind: list.Dir, Perm: 0o755}},
		{"bytes that are not UTF-8", "dir /\xff\xfe\x85\xa0 0755 0 0",
			list.Entry{Kind: list.Dir, Name: "\xff\xfe\x85\xa0", Perm: 0o755}},
		{"white space of Unicode is a name's", "dir /a\u00a0b\u2003c 0755 0 0",
			list.Entry{Kind: list.Dir, Name: "a\u00a0b\u2003c", Perm: 0o755}},
		{"escapes", `slink /a\040b c\011d\134 0777 0 0`,
			list.Entry{Kind: list.Symlink, Name: "a b", Target: "c\td\\", Perm: 0o777}},
		{"a backslash that begins no escape", `slink /a\b \04x\9 0777 0 0`,
			list.Entry{Kind: list.Symlink, Name: `a\b`, Target: `\04x\9`, Perm: 0o777}},
		{"the target keeps its slash", "slink /a /b 0777 0 0",
			list.Entry{Kind: list.Symlink, Name: "a", Target: "/b", Perm: 0o777}},
		{"a variable only counts in a location", "slink /${OUT} ${OUT} 0777 0 0",
			list.Entry{Kind: list.Symlink, Name: "${OUT}", Target: "${OUT}", Perm: 0o777}},
		{"trailer below another name", "dir /a/TRAILER!!! 0755 0 0",
			list.Entry{Kind: list.Dir, Name: "a/TRAILER!!!", Perm: 0o755}},

		// Modes.
		{"mode without a leading zero", "dir /a 755 0 0", list.Entry{Kind: list.Dir, Name: "a", Perm: 0o755}},
		{"mode 0", "dir /a 0 0 0", list.Entry{Kind: list.Dir, Name: "a"}},
		{"all bits of a mode", "dir /a 07777 0 0", list.Entry{Kind: list.Dir, Name: "a", Perm: 0o7777}},
		{"mode with its own type", "file /a x 0100644 0 0",
			list.Entry{Kind: list.File, Name: "a", Location: "x", Perm: 0o644}},
		{"dir mode with its own type", "dir /a 040755 0 0", list.Entry{Kind: list.Dir, Name: "a", Perm: 0o755}},
		{"block mode with its own type", "nod /a 060600 0 0 b 8 0",
			list.Entry{Kind: list.Node, Name: "a", Perm: 0o600, Block: true, Major: 8}},

		// Owners.
		{"id -1", "dir /a 0755 -1 -1", list.Entry{Kind: list.Dir, Name: "a", Perm: 0o755, UID: 0xffffffff, GID: 0xffffffff}},
		{"greatest id", "dir /a 0755 4294967295 2147483648",
			list.Entry{Kind: list.Dir, Name: "a", Perm: 0o755, UID: 0xffffffff, GID: 0x80000000}},
		{"least id", "dir /a 0755 -2147483648 2147483647",
			list.Entry{Kind: list.Dir, Name: "a", Perm: 0o755, UID: 0x80000000, GID: 0x7fffffff}},

		// Devices.
		{"major number at the type", "nod /a 0600 0 0 c5 1", list.Entry{Kind: list.Node, Name: "a", Perm: 0o600, Major: 5, Minor: 1}},
		{"major number at the type b", "nod /a 0600 0 0 b254 16",
			list.Entry{Kind: list.Node, Name: "a", Perm: 0o600, Block: true, Major: 254, Minor: 16}},
		{"greatest device", "nod /a 0600 0 0 b 4095 1048575",
			list.Entry{Kind: list.Node, Name: "a", Perm: 0o600, Block: true, Major: 4095, Minor: 1048575}},

		// White space.
		{"tabs", "dir\t/a\t0755\t0\t0", list.Entry{Kind: list.Dir, Name: "a", Perm: 0o755}},
		{"many blanks", "dir  /a \t 0755   0  0  ", list.Entry{Kind: list.Dir, Name: "a", Perm: 0o755}},
		{"CRLF", "dir /a 0755 0 0\r", list.Entry{Kind: list.Dir, Name: "a", Perm: 0o755}},
		{"number signs past column 0", "slink #a #b 0777 0 0", list.Entry{Kind: list.Symlink, Name: "#a", Target: "#b", Perm: 0o777}},
		{"a number sign in a link", "file /a x 0755 0 0 /# b#", list.Entry{Kind: list.File, Name: "a", Location: "x", Perm: 0o755, Links: []string{"#", "b#"}}},

		// Locations.
		{"variable", "file /a ${OUT}/a 0755 0 0",
			list.Entry{Kind: list.File, Name: "a", Location: "bazel-out/k8/bin/a", Perm: 0o755}},
		{"variable in a variable", "file /a x/${NESTED}/a 0755 0 0",
			list.Entry{Kind: list.File, Name: "a", Location: "x/bazel-out/k8/bin/nested/a", Perm: 0o755}},
		{"a variable twice contains itself not", "file /a ${OUT}${OUT} 0755 0 0",
			list.Entry{Kind: list.File, Name: "a", Location: "bazel-out/k8/binbazel-out/k8/bin", Perm: 0o755}},
		{"twice in a value", "file /a ${TWO} 0755 0 0",
			list.Entry{Kind: list.File, Name: "a", Location: "bazel-out/k8/bin:bazel-out/k8/bin", Perm: 0o755}},
		{"empty variable", "file /a a${EMPTY}b 0755 0 0",
			list.Entry{Kind: list.File, Name: "a", Location: "ab", Perm: 0o755}},
		{"a value has no fields", "file /a ${BLANK} 0755 0 0",
			list.Entry{Kind: list.File, Name: "a", Location: "a b", Perm: 0o755}},
		{"a value has no escapes", `file /a ${ESCAPE}\040${ESCAPE} 0755 0 0`,
			list.Entry{Kind: list.File, Name: "a", Location: `a\040b a\040b`, Perm: 0o755}},
		{"an escape does not begin a variable", `file /a \044{OUT} 0755 0 0`,
			list.Entry{Kind: list.File, Name: "a", Location: "${OUT}", Perm: 0o755}},
		{"no closing brace", "file /a ${OUT 0755 0 0",
			list.Entry{Kind: list.File, Name: "a", Location: "${OUT", Perm: 0o755}},
		{"no closing brace in a value", "file /a ${UNEVEN}} 0755 0 0",
			list.Entry{Kind: list.File, Name: "a", Location: "${OUT}", Perm: 0o755}},
		{"no brace", "file /a $OUT 0755 0 0",
			list.Entry{Kind: list.File, Name: "a", Location: "$OUT", Perm: 0o755}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			// With a newline and, the last line of a file, without.
			for _, text := range []string{test.line + "\n", test.line} {
				got := parseOne(t, text, list.Options{Name: "base.list", Vars: vars})
				if diff := cmp.Diff(&test.want, got, ignorePos); diff != "" {
					t.Errorf("%q (-want +got):\n%s", text, diff)
				}
			}

			// String prints a line that says the same with no variable at hand.
			got := parseOne(t, test.want.String(), list.Options{})
			if diff := cmp.Diff(&test.want, got, ignorePos); diff != "" {
				t.Errorf("printed as %q (-want +got):\n%s", test.want.String(), diff)
			}
		})
	}
}

func TestParseLongest(t *testing.T) {
	const longest = 4095
	path := strings.Repeat("d/", longest)[:longest]
	value := strings.Repeat("v", longest)
	tests := []struct{ name, line string }{
		{"name", "dir " + path + " 0755 0 0"},
		// The archive does not hold the slash.
		{"name after a slash", "dir /" + path + " 0755 0 0"},
		{"escaped name", "dir " + strings.Repeat(`\040/`, longest/2) + "d 0755 0 0"},
		{"part", "dir " + strings.Repeat("d", 255) + " 0755 0 0"},
		{"target", "slink /a " + path + " 0777 0 0"},
		{"hard link", "file /a x 0755 0 0 /b " + path},
		{"location", "file /a " + path + " 0755 0 0"},
		{"value", "file /a ${LONG} 0755 0 0"},
		{"line", "dir /a 0755 0 0" + strings.Repeat(" ", 1<<20-len("dir /a 0755 0 0"))},
		{"comment", "dir /a 0755 0 0\n#" + strings.Repeat(" ", 1<<20-1)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			want := parseOne(t, test.line+"\n", list.Options{Vars: map[string]string{"LONG": value}})
			got := parseOne(t, want.String()+"\n", list.Options{})
			if diff := cmp.Diff(want, got, ignorePos); diff != "" {
				t.Errorf("printed (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseError(t *testing.T) {
	vars := map[string]string{
		"SELF":  "a${SELF}b",
		"PING":  "${PONG}",
		"PONG":  "${PING}",
		"UNSET": "${NOWHERE}",
		"EMPTY": "",
		"NUL":   "a\x00b",
		"HALF":  strings.Repeat("v", 2048),
	}
	over := strings.Repeat("n", 4096)
	messages := map[string]string{}
	_, unknown := kind.Parse("")
	_, allWords, _ := strings.Cut(unknown.Error(), "want ")
	tests := []struct{ name, line string }{
		// Types.
		{"unknown type", "link /a b 0777 0 0"},
		{"type in capitals", "DIR /a 0755 0 0"},
		{"byte order mark", "\ufeffdir /a 0755 0 0"},
		{"leading blank", " dir /a 0755 0 0"},
		{"leading tab", "\tdir /a 0755 0 0"},
		{"comment past column 0", " # comment"},

		// Fields that are missing, of each kind.
		{"bare file", "file"},
		{"file, 1 field", "file /a"},
		{"file, 2 fields", "file /a x"},
		{"file, 3 fields", "file /a x 0644"},
		{"file, 4 fields", "file /a x 0644 0"},
		{"bare dir", "dir"},
		{"bare dir and a blank", "dir "},
		{"bare dir and CR", "dir\r"},
		{"dir, 1 field", "dir /a"},
		{"dir, 2 fields", "dir /a 0755"},
		{"dir, 3 fields", "dir /a 0755 0"},
		{"bare nod", "nod"},
		{"nod, 1 field", "nod /a"},
		{"nod, 2 fields", "nod /a 0600"},
		{"nod, 3 fields", "nod /a 0600 0"},
		{"nod, 4 fields", "nod /a 0600 0 0"},
		{"nod, 5 fields", "nod /a 0600 0 0 c"},
		{"nod, 6 fields", "nod /a 0600 0 0 c 5"},
		{"nod, type and major number in one", "nod /a 0600 0 0 c5"},
		{"bare slink", "slink"},
		{"slink, 1 field", "slink /a"},
		{"slink, 2 fields", "slink /a b"},
		{"slink, 3 fields", "slink /a b 0777"},
		{"slink, 4 fields", "slink /a b 0777 0"},
		{"bare pipe", "pipe"},
		{"pipe, 3 fields", "pipe /a 0600 0"},
		{"bare sock", "sock"},
		{"sock, 2 fields", "sock /a 0600"},

		// Modes.
		{"mode 789", "dir /a 789 0 0"},
		{"mode in hexadecimal", "dir /a 0x1ff 0 0"},
		{"mode with a rest", "dir /a 0755x 0 0"},
		{"mode below 0", "dir /a -1 0 0"},
		{"mode of words", "dir /a u=rwx 0 0"},
		{"mode over 16 bits", "dir /a 0200000 0 0"},
		{"mode over 64 bits", "dir /a 7777777777777777777777 0 0"},
		{"mode of another type", "dir /a 0100755 0 0"},
		{"mode of a directory on a file", "file /a x 040755 0 0"},
		{"mode of a block device on a character device", "nod /a 060600 0 0 c 1 3"},

		// Owners.
		{"uid over 32 bits", "dir /a 0755 4294967296 0"},
		{"gid over 32 bits", "dir /a 0755 0 4294967296"},
		{"uid below 32 bits", "dir /a 0755 -2147483649 0"},
		{"gid over 64 bits", "dir /a 0755 0 18446744073709551616"},
		{"uid of letters", "dir /a 0755 root 0"},
		{"uid in hexadecimal", "dir /a 0755 0x0 0"},
		{"gid with a rest", "dir /a 0755 0 0x"},

		// Devices.
		{"major number out of range", "nod /a 0600 0 0 c 4096 0"},
		{"minor number out of range", "nod /a 0600 0 0 c 0 1048576"},
		{"major number over 32 bits", "nod /a 0600 0 0 c 4294967296 0"},
		{"minor number below 0", "nod /a 0600 0 0 c 0 -1"},
		{"device type of letters", "nod /a 0600 0 0 block 8 0"},
		{"no device type", "nod /a 0600 0 0 5 1"},
		{"device type B", "nod /a 0600 0 0 B 5 1"},
		{"device type p", "nod /a 0600 0 0 p 5 1"},
		{"a word for a device type", "nod /a 0600 0 0 char 5 1"},
		{"a field too many, dir", "dir /a 0755 0 0 0"},
		{"a field too many, nod", "nod /a 0600 0 0 c 5 1 4 5"},
		{"a field too many, slink", "slink /a b 0777 0 0 c"},
		{"a comment after a dir", "dir /a 0755 0 0 # comment"},
		{"a comment after a file", "file /a x 0755 0 0 # comment"},
		{"a comment after a hard link", "file /a x 0755 0 0 /b #comment"},

		// Names.
		{"long name", "dir " + over + " 0755 0 0"},
		{"long name after a slash", "dir /" + over + " 0755 0 0"},
		{"long escaped name", "dir " + strings.Repeat(`\156`, 4096) + " 0755 0 0"},
		{"long target", "slink /a " + over + " 0777 0 0"},
		{"long hard link", "file /a x 0644 0 0 /b " + over},
		{"long location", "file /a " + over + " 0644 0 0"},
		{"long location with variables", "file /a ${HALF}${HALF} 0644 0 0"},
		{"root that is not a directory", "pipe / 0600 0 0"},
		{"hard link to root", "file /a x 0644 0 0 /"},
		{"trailer", "dir TRAILER!!! 0755 0 0"},
		{"part over 255 bytes", "dir /" + over[:256] + " 0755 0 0"},
		{"part of a hard link over 255 bytes", "file /a x 0644 0 0 /" + over[:256] + "/b"},
		{"file with a slash at its end", "file /a/ x 0644 0 0"},
		{"link with a dot at its end", "slink /a/. x 0777 0 0"},
		{"hard link with dots at its end", "file /a x 0644 0 0 /a/b/.."},
		{"trailer after a slash", "dir /TRAILER!!! 0755 0 0"},
		{"trailer, escaped", `dir /TRAILER!\041! 0755 0 0`},
		{"trailer as a hard link", "file /a x 0644 0 0 /TRAILER!!!"},
		{"NUL", "dir /a\x00b 0755 0 0"},
		{"NUL at the end", "dir /a 0755 0 0\x00"},
		{"escaped NUL in a name", `dir /a\000b 0755 0 0`},
		{"escaped NUL in a target", `slink /a \000 0777 0 0`},
		{"escaped NUL in a location", `file /a \000 0644 0 0`},
		{"escaped NUL in a hard link", `file /a x 0644 0 0 \000`},

		// Locations.
		{"variable that is not set", "file /a ${NOWHERE}/x 0644 0 0"},
		{"variable without a name", "file /a ${} 0644 0 0"},
		{"variable that is not set in a value", "file /a ${UNSET} 0644 0 0"},
		{"variable that contains itself", "file /a ${SELF} 0644 0 0"},
		{"variables that contain each other", "file /a ${PING} 0644 0 0"},
		{"NUL in a value", "file /a ${NUL} 0644 0 0"},
		{"empty location", "file /a ${EMPTY} 0644 0 0"},

		{"long line", "dir /a 0755 0 0" + strings.Repeat(" ", 1<<20-len("dir /a 0755 0 0")+1)},
		{"very long line", "file /a x 0644 0 0" + strings.Repeat(" /link", 1<<20)},
		{"long comment", "#" + strings.Repeat(" dir", 1<<18)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			// Once in the middle of a list, which goes on, and once at its end.
			text := "# comment\ndir /before 0755 0 0\n\n" + test.line + "\ndir /after 0755 0 0\n" + test.line
			entries, _, texts := parse(t, text, list.Options{Name: "base.list", Vars: vars})
			if len(texts) != 2 || strings.Replace(texts[1], ":6: ", ":4: ", 1) != texts[0] || !strings.HasPrefix(texts[0], "base.list:4: ") {
				t.Fatalf("errors of %.80q: %q, want the same in lines 4 and 6", test.line, texts)
			}
			messages[test.name] = strings.Replace(strings.TrimPrefix(texts[0], "base.list:4: "), allWords, "...", 1)
			var lines []int
			for _, e := range entries {
				lines = append(lines, e.Pos.Line)
			}
			if diff := cmp.Diff([]int{2, 5}, lines); diff != "" {
				t.Errorf("lines of the entries around (-want +got):\n%s", diff)
			}
		})
	}
	golden.Messages(t, "TestParseError.txt", messages)
}

func TestParseBlankAndComment(t *testing.T) {
	const text = "#\n# dir /a 0755 0 0\n#: origin //a\n\n\r\n \n\t \r\n\v\f\n#dir /b 0755 0 0\r\n# \x00\ndir /c 0755 0 0\n"
	got := parseOne(t, text, list.Options{Name: "base.list", Origin: "//pkg:target"})
	want := &list.Entry{
		Kind: list.Dir, Name: "c", Perm: 0o755,
		Pos: list.Pos{Origin: "//pkg:target", File: "base.list", Line: 11},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestParseEmpty(t *testing.T) {
	p := list.NewParser(strings.NewReader(""), list.Options{})
	for range 2 {
		if e, d, err := p.Next(); e != nil || d != nil || err != io.EOF {
			t.Errorf("Next of an empty list = %v, %v, %v, want nil, nil, EOF", e, d, err)
		}
	}
}

func TestParseDirective(t *testing.T) {
	text := "#: origin //pkg:target\r\n" + // 1
		"#:location a\\040b\tc\\134 \n" +
		"# : no directive\n" +
		"#: attribute vars\n" +
		"#: var A B\n" + // 5
		"#: mtime 7\n" +
		"#: added\n" +
		"dir /a 0755 0 0\n" +
		"#: size 6\n" +
		"file /b x 0644 0 0\n" + // 10
		"#: origin\n" +
		"#: member none\n" +
		"pipe /c 0600 0 0\n"
	entries, directives, texts := parse(t, text, list.Options{Name: "all.list", Directives: true})
	if len(texts) > 0 {
		t.Errorf("errors: %q", texts)
	}
	origin := list.Pos{Origin: "//pkg:target"}
	wantDirectives := []*list.Directive{
		{Word: "origin", Args: []string{"//pkg:target"}, Pos: origin},
		{Word: "location", Args: []string{"a b", `c\`}, Pos: origin},
		{Word: "var", Args: []string{"A", "B"}, Attribute: "vars", Pos: origin},
		{Word: "origin", Pos: list.Pos{File: "all.list", Line: 11}},
		{Word: "member", Args: []string{"none"}, Pos: list.Pos{File: "all.list", Line: 12}},
	}
	if diff := cmp.Diff(wantDirectives, directives); diff != "" {
		t.Errorf("directives (-want +got):\n%s", diff)
	}
	seven := uint32(7)
	wantEntries := []*list.Entry{
		{Kind: list.Dir, Name: "a", Perm: 0o755, MTime: &seven, Added: true, Pos: origin},
		{Kind: list.File, Name: "b", Location: "x", Perm: 0o644, Size: 6, Pos: origin},
		{Kind: list.Pipe, Name: "c", Perm: 0o600, Pos: list.Pos{File: "all.list", Line: 13}},
	}
	if diff := cmp.Diff(wantEntries, entries); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
}

func TestParseDirectiveErrors(t *testing.T) {
	messages := map[string]string{}
	for name, test := range map[string]struct {
		text string
		at   []string
	}{
		"white space before":        {" #: origin //a:a\n", []string{"all.list:1"}},
		"no word":                   {"#:\n", []string{"all.list:1"}},
		"NUL":                       {"#: var A \\000\n", []string{"all.list:1"}},
		"unknown":                   {"#: unknown", []string{"all.list:1"}},
		"too few arguments":         {"#: origin //a:a\n#: location key\n", []string{"//a:a (all.list:2)"}},
		"too many arguments":        {"#: added twice\n", []string{"all.list:1"}},
		"negative time":             {"#: mtime -1\npipe /p 0644 0 0\n", []string{"all.list:1"}},
		"size of 33 bits":           {"#: size 4294967296\npipe /p 0644 0 0\n", []string{"all.list:1"}},
		"no entry before an origin": {"\n#: added\n#: origin //a:a\n", []string{"all.list:2"}},
		"no entry at the end":       {"#: origin //a:a\n#: mtime 1\n", []string{"//a:a (all.list:2)"}},
	} {
		_, _, texts := parse(t, test.text, list.Options{Name: "all.list", Directives: true})
		if len(texts) != len(test.at) || !strings.HasPrefix(texts[0], test.at[0]+": ") {
			t.Errorf("%s: texts %q, want them at %q", name, texts, test.at)
		}
		messages[name] = strings.Join(texts, "\n")
	}
	golden.Messages(t, "TestParseDirectiveErrors.txt", messages)
}

// What the kernel's tool makes of a list: a backslash is one wherever it is, and what follows
// the last field does not count.
func TestParseKernel(t *testing.T) {
	got := parseOne(t, `file /a\040 ${D}\000/\101 0644 0 0 \040`, list.Options{Kernel: true, Vars: map[string]string{"D": `\060`}})
	want := &list.Entry{
		Kind: list.File, Name: `a\040`, Location: `\060\000/\101`, Links: []string{`\040`},
		Perm: 0o644, Pos: list.Pos{Line: 1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("entry (-want +got):\n%s", diff)
	}
	for line, want := range map[string]list.Entry{
		"nod /a 0600 0 0 u 5 1":          {Kind: list.Node, Name: "a", Perm: 0o600, Major: 5, Minor: 1},
		"nod /a 0600 0 0 B 5 1 4 5":      {Kind: list.Node, Name: "a", Perm: 0o600, Major: 5, Minor: 1},
		"dir /a#b 0755 0 0 # no comment": {Kind: list.Dir, Name: "a#b", Perm: 0o755},
		"file /a x 0755 0 0 #":           {Kind: list.File, Name: "a", Location: "x", Perm: 0o755, Links: []string{"#"}},
	} {
		if diff := cmp.Diff(&want, parseOne(t, line, list.Options{Kernel: true}), ignorePos); diff != "" {
			t.Errorf("%q (-want +got):\n%s", line, diff)
		}
	}
	got = parseOne(t, `slink /\000 \101 0777 0 0`, list.Options{Kernel: true})
	want = &list.Entry{Kind: list.Symlink, Name: `\000`, Target: `\101`, Perm: 0o777, Pos: list.Pos{Line: 1}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("entry (-want +got):\n%s", diff)
	}
}

// A failure to read is not an error of a line: Next cannot go on, and the lines
// before count.
func TestParseReadError(t *testing.T) {
	failed := errors.New("the disk is on fire")
	for _, text := range []string{"dir /a 0755 0 0\n", "dir /a 0755 0 0\ndir /b"} {
		p := list.NewParser(io.MultiReader(strings.NewReader(text), iotest.ErrReader(failed)), list.Options{})
		if _, _, err := p.Next(); err != nil {
			t.Errorf("first line of %q: %v", text, err)
		}
		if e, _, err := p.Next(); err != failed {
			t.Errorf("second line of %q: %v, %v, want the error %v", text, e, err, failed)
		}
	}
}

func TestParseSmallReads(t *testing.T) {
	const text = "dir /a 0755 0 0\nfile /b x 0644 0 0 /c\n"
	p := list.NewParser(iotest.OneByteReader(strings.NewReader(text)), list.Options{})
	var got []string
	for {
		e, _, err := p.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e.String())
	}
	if diff := cmp.Diff([]string{"dir /a 0755 0 0", "file /b x 0644 0 0 /c"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestParseField(t *testing.T) {
	tests := []struct {
		field, text string
		want        uint32
		ok          bool
	}{
		{"mode", "0755", 0o755, true},
		{"mode", "7777", 0o7777, true},
		{"mode", "0", 0, true},
		{"mode", "010000", 0, false},
		{"mode", "", 0, false},
		{"mode", "8", 0, false},
		{"uid", "-1", 0xffffffff, true},
		{"gid", "4294967295", 0xffffffff, true},
		{"uid", "root", 0, false},
		{"gid", "4294967296", 0, false},
		{"mtime", "4294967295", 0xffffffff, true},
		{"mtime", "4294967296", 0, false},
		{"mtime", "-1", 0, false},
		{"size", "4294967295", 0xffffffff, true},
		{"size", "4294967296", 0, false},
		{"color", "0", 0, false},
	}
	messages := map[string]string{}
	for _, test := range tests {
		got, err := list.ParseField(test.field, test.text)
		if (err == nil) != test.ok || got != test.want {
			t.Errorf("ParseField(%q, %q) = %d, %v, want %d", test.field, test.text, got, err, test.want)
		}
		if err != nil {
			messages[test.field+" "+test.text] = err.Error()
		}
	}
	golden.Messages(t, "TestParseField.txt", messages)
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// FuzzParser: whatever the parser accepts prints to a line that says the same.
func FuzzParser(f *testing.F) {
	for _, seed := range []string{
		"file /a x 0644 0 0 /b c\n",
		"dir / 040755 -1 4294967295\r\n",
		"nod /dev/console 0600 0 0 c5 1",
		"slink a\\040b \\134040 777 0 0\n",
		"file /a ${A}\\044{B}${A 0644 0 0\n",
		"pipe //p 0 0 0\nsock s 7777 0 0 extra\n",
		"#: origin //a:b\n# comment\n\n",
		" dir /a 0755 0 0\ndir\n",
	} {
		f.Add(seed, "value ${B}", `\040`)
	}
	f.Fuzz(func(t *testing.T, text, a, b string) {
		vars := map[string]string{"A": a, "B": b}
		p := list.NewParser(strings.NewReader(text), list.Options{Name: "fuzz", Vars: vars, Directives: true})
		for line := 0; ; {
			e, d, err := p.Next()
			var fault *list.Error
			switch {
			case err == io.EOF:
				return
			case errors.As(err, &fault):
				if fault.Pos.Line <= line {
					t.Fatalf("error in line %d after line %d", fault.Pos.Line, line)
				}
				line = fault.Pos.Line
			case err != nil:
				t.Fatalf("Next: %v", err)
			case d != nil:
				line = max(line, d.Pos.Line)
			default:
				if e.Pos.Line <= line && e.Pos.Line > 0 {
					t.Fatalf("entry in line %d after line %d", e.Pos.Line, line)
				}
				line = max(line, e.Pos.Line)
				again := parseOne(t, e.String()+"\n", list.Options{})
				if diff := cmp.Diff(e, again, ignorePos); diff != "" {
					t.Fatalf("%q (-parsed +printed and parsed):\n%s", e, diff)
				}
				if e.String() != again.String() {
					t.Fatalf("%q prints again as %q", e, again)
				}
			}
		}
	})
}
