// Package gen_init_cpio_test packs lists with the kernel's usr/gen_init_cpio and
// with ours: the bytes are the same.
package gen_init_cpio_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/bazelbuild/rules_go/go/runfiles"
	"github.com/rules-initramfs/rules_initramfs/internal/list"
	"github.com/rules-initramfs/rules_initramfs/internal/pack"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/source"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/write"
)

// genInitCpio returns the path of the kernel's usr/gen_init_cpio, compiled.
func genInitCpio(t *testing.T) string {
	t.Helper()
	name := os.Getenv("GEN_INIT_CPIO")
	if name == "" {
		t.Skip("needs the kernel's gen_init_cpio: set GEN_INIT_CPIO, as bazel test does")
	}
	if !filepath.IsAbs(name) {
		file, err := runfiles.Rlocation(name)
		if err != nil {
			t.Fatalf("GEN_INIT_CPIO=%s: %v", name, err)
		}
		if name, err = filepath.Abs(file); err != nil {
			t.Fatal(err)
		}
	}
	if err := exec.Command(name, "-h").Run(); err != nil {
		t.Fatalf("GEN_INIT_CPIO does not run: %v", err)
	}
	return name
}

// fileSizes are those of the files that the lists name: around multiples of
// four, of the archive's block and of the buffers of either tool.
var fileSizes = []int{0, 1, 2, 3, 4, 5, 511, 512, 513, 4095, 4096, 4097, 65535, 65536, 65537}

// locationVars are variables of locations, for the kernel's tool in the
// environment.
var locationVars = map[string]string{
	"DATA":  "data",
	"AGAIN": "${DATA}/../${DATA}",
	"EMPTY": "",
	"SLASH": "/",
}

// oracle packs lists with the kernel's tool and ours, in a directory with the
// files that they name.
type oracle struct {
	tool string
	env  []string
}

func newOracle(t *testing.T) *oracle {
	t.Helper()
	o := &oracle{tool: genInitCpio(t)}
	for name, value := range locationVars {
		o.env = append(o.env, name+"="+value)
	}
	r := rand.New(rand.NewPCG(0, 0))
	t.Chdir(t.TempDir())
	if err := os.Mkdir("data", 0o777); err != nil {
		t.Fatal(err)
	}
	for _, size := range fileSizes {
		content := make([]byte, size)
		for i := range content {
			content[i] = byte(r.Uint32())
		}
		if err := os.WriteFile(location(size), content, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

func location(size int) string { return fmt.Sprintf("data/f%d", size) }

// theirs packs a list with the kernel's tool.
func (o *oracle) theirs(t *testing.T, name string, opts write.ArchiveOptions) []byte {
	t.Helper()
	cmd := exec.Command(o.tool, append(arguments(opts), name)...)
	cmd.Env = o.env
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	archive, err := cmd.Output()
	// It says what it drops, and still exits with 0.
	if err != nil || len(withoutMissed(stderr.String())) > 0 {
		t.Fatalf("gen_init_cpio: %v: %s", err, stderr.Bytes())
	}
	return archive
}

// arguments are those of the kernel's tool for the options.
func arguments(opts write.ArchiveOptions) []string {
	args := []string{"-t", fmt.Sprint(opts.MTime)}
	if opts.Checksum {
		args = append(args, "-c")
	}
	if opts.Align > 0 {
		args = append(args, "-a", fmt.Sprint(opts.Align))
	}
	return args
}

// withoutMissed drops the lines that tell of contents which cannot be aligned.
func withoutMissed(stderr string) string {
	rest := ""
	for line := range strings.Lines(stderr) {
		if !strings.Contains(line, ": best-effort alignment ") {
			rest += line
		}
	}
	return rest
}

// withOptions are what lists are packed with.
var withOptions = []write.ArchiveOptions{
	{},
	{MTime: 1<<32 - 1},
	{Checksum: true},
	{Align: 4},
	{Align: 512},
	{Align: 4096, Checksum: true},
}

// ours packs a list as packer gen_init_cpio does, and writes the list out.
func (o *oracle) ours(t *testing.T, name, listOut string, opts write.ArchiveOptions) []byte {
	t.Helper()
	entries, err := source.ReadLists(t.Context(), []string{name}, source.Options{Vars: locationVars, Kernel: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := write.Outputs(t.Context(), entries, write.Options{Out: "ours.cpio", ListOut: listOut, ArchiveOptions: opts}); err != nil {
		t.Fatal(err)
	}
	return read(t, "ours.cpio")
}

// packed packs a list as packer pack does. It returns nothing for a list that packer pack
// refuses, because the kernel or its tool understands it in another way than it looks.
func (o *oracle) packed(t *testing.T, name string, opts write.ArchiveOptions) []byte {
	t.Helper()
	err := pack.Run(t.Context(), pack.Options{
		Read:  source.Options{Vars: locationVars},
		Lists: []string{name}, Options: write.Options{Out: "packed.cpio", ArchiveOptions: opts},
	})
	if _, refused := errors.AsType[*list.Error](err); refused {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return read(t, "packed.cpio")
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// compare packs a list with both tools, and so the list that ours writes out. It reports
// whether packer pack takes the list too.
func (o *oracle) compare(t *testing.T, text string, opts write.ArchiveOptions) (accepted bool) {
	t.Helper()
	if err := os.WriteFile("given.list", []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	want := o.theirs(t, "given.list", opts)
	same(t, "packed", want, o.ours(t, "given.list", "written.list", opts))
	same(t, "packed from the written list", want, o.ours(t, "written.list", "twice.list", opts))
	same(t, "packed from the written list by gen_init_cpio", want, o.theirs(t, "written.list", opts))
	same(t, "the list of the written list", read(t, "written.list"), read(t, "twice.list"))
	packed := o.packed(t, "given.list", opts)
	if packed != nil {
		same(t, "packed by packer pack", want, packed)
	}
	if t.Failed() {
		t.Logf("options %q, the list: %.2000q", arguments(opts), text)
	}
	return packed != nil
}

func same(t *testing.T, what string, want, got []byte) {
	t.Helper()
	if bytes.Equal(want, got) {
		return
	}
	at := 0
	for at < min(len(want), len(got)) && want[at] == got[at] {
		at++
	}
	t.Errorf("%s: %d bytes, want %d; they differ from byte %d on: %.120q, want %.120q",
		what, len(got), len(want), at, got[at:], want[at:])
}

type namedList struct{ name, list string }

// lists are lists of note that the kernel's tool packs soundly.
func lists() []namedList {
	longest := strings.Repeat("n", 4095)
	tests := []namedList{
		{"empty", ""},
		{"comments and blank lines", "# comment\n\n#: directive\n\r\n#\n \n"},
		{"the kernel's default list", "dir /dev 0755 0 0\nnod /dev/console 0600 0 0 c 5 1\ndir /root 0700 0 0\n"},
		{"one of each", "dir /d 0755 1 2\nfile /f data/f5 0644 1 2\nslink /s t 0777 1 2\npipe /p 0600 1 2\nsock /q 0600 1 2\n" +
			"nod /c 0600 1 2 c 5 1\nnod /b 0600 1 2 b 8 0\n"},
		{"root", "dir / 0755 0 0\n"},
		{"double slash", "dir //double 0755 0 0\nfile //f data/f3 0644 0 0 //g ///h\n"},
		{"slashes elsewhere", "dir a 0755 0 0\ndir a/b/ 0755 0 0\ndir /c//d 0755 0 0\nslink e //x// 0777 0 0\n"},
		{"dots", "dir . 0755 0 0\ndir ./a 0755 0 0\ndir b/../c 0755 0 0\nslink d .. 0777 0 0\n"},
		{"odd modes", "dir /a 07777 0 0\ndir /b 0 0 0\ndir /c 00000000755 0 0\nfile /d data/f1 7777 0 0\nfile /e data/f1 0 0 0\n" +
			"slink /f x 0 0 0\nslink /g x 07777 0 0\nnod /h 07777 0 0 c 1 3\nnod /i 0 0 0 b 1 3\npipe /j 07777 0 0\nsock /k 07777 0 0\n"},
		{"modes with their types", "dir /a 040755 0 0\nfile /b data/f1 0100644 0 0\nslink /c x 0120777 0 0\n" +
			"nod /d 020600 0 0 c 1 3\nnod /e 060600 0 0 b 1 3\npipe /f 010600 0 0\nsock /g 0140600 0 0\n"},
		{"ids", "dir /a 0755 -1 -1\ndir /b 0755 0 4294967295\ndir /c 0755 2147483648 2147483647\ndir /d 0755 -2147483648 -2\n" +
			"file /e data/f1 0644 -1 2147483648\nslink /f x 0777 4294967295 -1\nnod /g 0600 -1 4294967294 c 1 3\n"},
		{"devices", "nod /a 0600 0 0 c 5 1\nnod /b 0600 0 0 c5 1\nnod /c 0600 0 0 b254 16\nnod /d 0600 0 0 u 0 0\n" +
			"nod /e 0600 0 0 p 4095 1048575\nnod /f 0600 0 0 C 007 0010\n"},
		{"hard links", "file /a data/f5 0755 0 0 /b\nfile /c data/f0 0755 0 0 /d /e /f\nfile /g data/f4097 0755 0 0 h i/j\nfile /k data/f1 0755 0 0\n"},
		{"CRLF", "# comment\r\ndir /a 0755 0 0\r\n\r\nfile /b data/f3 0644 0 0\r\nfile /c data/f3 0644 0 0 /d\r\nslink /e x 0777 0 0\r\nnod /f 0600 0 0 c 5 1\r\n"},
		{"no last newline", "dir /a 0755 0 0\nfile /b data/f3 0644 0 0"},
		{"no last newline after a hard link", "file /b data/f3 0644 0 0 /c"},
		{"extra fields", "dir /a 0755 0 0 extra fields\nslink /b x 0777 0 0 # extra\nnod /c 0600 0 0 c 5 1 6\npipe /d 0600 0 0 0\nsock /e 0600 0 0 /x\n"},
		{"white space", "dir\t/a\t0755\t0\t0\t\nfile   /b \t data/f3 \v 0644\f0  0 \t /c\t\t/d  \nslink /e  x\t0777 0 0 \n"},
		{"variables", "file /a ${DATA}/f5 0644 0 0\nfile /b ${AGAIN}/f5 0644 0 0\nfile /c da${EMPTY}ta${SLASH}f4 0644 0 0 /d\n" +
			"slink /${DATA} ${DATA} 0777 0 0\nfile /e${DATA} ./${DATA}${SLASH}${SLASH}f1 0644 0 0 /${EMPTY}\n"},
		{"backslashes", `slink /a\b \n 0777 0 0` + "\n" + `dir /\ 0755 0 0` + "\n" + `dir /c\04 0755 0 0` + "\n" + `dir /\x20 0755 0 0` + "\n"},
		{"high bytes", "dir /\xff 0755 0 0\ndir \x80\xa0\x85 0755 0 0\nfile /é data/f3 0644 0 0 /ü\nslink /日本 \xfe\xff 0777 0 0\n"},
		{"control bytes", "dir /\x01\x1b\x7f 0755 0 0\nslink /a \b 0777 0 0\n"},
		{"longest names", "dir " + longest + " 0755 0 0\ndir /" + longest[:4094] + "x 0755 0 0\n"},
		{"longest target", "slink /a " + longest + " 0777 0 0\n"},
		{"longest target of the longest name", "slink /" + longest + " " + longest + " 0777 0 0\n"},
		{"longest hard link", "file /" + longest + " data/f1 0644 0 0 /" + longest[:4000] + "\n"},
		{"names that need escapes in a shell", "dir /a* 0755 0 0\ndir /b'\"$x`;& 0755 0 0\ndir /-c 0755 0 0\ndir /#d 0755 0 0\n"},
		{"location /dev/null", "file /a /dev/null 0644 0 0 /b\n"},
	}
	for _, size := range fileSizes {
		tests = append(tests, namedList{
			fmt.Sprintf("file of %d bytes", size),
			fmt.Sprintf("file /a %[1]s 0644 0 0\nfile /b %[1]s 0644 0 0 /c\ndir /d 0755 0 0\n", location(size)),
		})
	}
	for length := 1; length <= 9; length++ {
		name := "abcdefghi"[:length]
		tests = append(tests, namedList{
			fmt.Sprintf("names of %d bytes", length),
			fmt.Sprintf("dir %[1]s1 0755 0 0\nslink /%[1]s %[1]s 0777 0 0\nfile %[1]s3 data/f3 0644 0 0 %[1]s4 /%[1]s5\n", name),
		})
	}
	return tests
}

func TestGenInitCpio(t *testing.T) {
	o := newOracle(t)
	for _, test := range lists() {
		t.Run(test.name, func(t *testing.T) {
			for _, opts := range withOptions {
				o.compare(t, test.list, opts)
			}
		})
	}
}

func TestGenInitCpioGenerated(t *testing.T) {
	o := newOracle(t)
	accepted := 0
	for seed := range uint64(200) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			g := &generator{Rand: rand.New(rand.NewPCG(seed, 721)), taken: map[string]bool{}, plain: seed%2 == 1}
			text := g.list()
			if o.compare(t, text, withOptions[0]) {
				accepted++
			} else if g.plain {
				t.Error("packer pack refuses the list")
			}
			o.compare(t, text, withOptions[1+seed%uint64(len(withOptions)-1)])
		})
	}
	t.Logf("packer pack takes %d of the lists", accepted)
}

// generator makes lists that the kernel's tool packs soundly.
type generator struct {
	*rand.Rand
	taken map[string]bool
	// plain leaves out what packer pack refuses, although the kernel's tool takes it.
	plain bool
}

// maxKernelLine is what the kernel's tool reads of a line; the rest it takes for
// another one.
const maxKernelLine = 8240

func (g *generator) list() string {
	var b strings.Builder
	newline := pick(g, "\n", "\n", "\r\n")
	for range 1 + g.IntN(30) {
		switch g.IntN(12) {
		case 0:
			b.WriteString(pick(g, "#", "# comment", "#: origin //a:a", "#dir /x 0755 0 0"))
		case 1:
		default:
			line := g.entry()
			if len(line) > maxKernelLine-100 { // the written list spells things longer
				continue
			}
			b.WriteString(line)
		}
		b.WriteString(newline)
	}
	if g.IntN(4) == 0 {
		return strings.TrimRight(b.String(), "\r\n")
	}
	return b.String()
}

func (g *generator) entry() string {
	word := pick(g, "file", "file", "file", "dir", "nod", "slink", "pipe", "sock")
	fields := []string{word, g.name(word == "dir")}
	switch word {
	case "file":
		fields = append(fields, g.location())
	case "slink":
		fields = append(fields, g.path(g.length()))
	}
	device := pick(g, "b", "c", "c", "u", "p", "x")
	if g.plain {
		device = pick(g, "b", "c")
	}
	fields = append(fields, g.mode(word, device), g.id(), g.id())
	switch word {
	case "nod":
		major := strconv.Itoa(pick(g, 0, 1, 4095, g.IntN(4096)))
		minor := strconv.Itoa(pick(g, 0, 1, 1048575, g.IntN(1048576)))
		if g.IntN(4) == 0 {
			fields = append(fields, device+major, minor)
		} else {
			fields = append(fields, device, major, minor)
		}
	case "file":
		for range pick(g, 0, 0, 1, g.IntN(6)) {
			link := g.name(false)
			if c := link[0]; c <= ' ' || c >= 0x7f || c == '#' && g.plain {
				link = "/" + link // else the kernel's tool drops the links from here on
			}
			fields = append(fields, link)
		}
	}
	if word != "file" && g.IntN(8) == 0 && !g.plain {
		fields = append(fields, pick(g, "extra", "#", "0", "extra fields"))
	}
	var b strings.Builder
	for i, field := range fields {
		if i > 0 {
			b.WriteString(g.blanks(i == 1))
		}
		b.WriteString(field)
	}
	if g.IntN(8) == 0 {
		b.WriteString(g.blanks(false))
	}
	return b.String()
}

// blanks parts fields; after the type only some white space does.
func (g *generator) blanks(first bool) string {
	if g.IntN(8) > 0 {
		return " "
	}
	if first {
		return pick(g, "\t", "  ", " \t ")
	}
	return pick(g, "\t", "  ", " \t ", "\v", "\f ")
}

// name returns a name that leads where no other one does.
func (g *generator) name(isDir bool) string {
	for {
		name := g.path(g.length())
		if g.IntN(3) > 0 {
			name = "/" + name
		}
		if isDir && g.IntN(50) == 0 {
			name = "/"
		}
		archived := strings.TrimPrefix(name, "/")
		if place := path.Clean("/" + archived); !g.taken[place] && (isDir || archived != "") {
			g.taken[place] = true
			return name
		}
	}
}

func (g *generator) length() int {
	switch n := g.IntN(40); n {
	case 0, 1:
		if g.plain {
			return 255 - g.IntN(100)
		}
		if n == 1 {
			return 100 + g.IntN(2000)
		}
		return 4095 - g.IntN(9)
	case 2, 3, 4, 5, 6, 7:
		return 10 + g.IntN(40)
	default:
		return 1 + g.IntN(9)
	}
}

// path returns length bytes, not one of them white space, backslash (which may
// begin an escape) and NUL.
func (g *generator) path(length int) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.+/"
	odd := g.IntN(4) == 0
	b := make([]byte, length)
	for i := range b {
		b[i] = plain[g.IntN(len(plain))]
		if !odd || g.IntN(3) > 0 {
			continue
		}
		if c := byte(g.Uint32()); c > ' ' && c != '\\' {
			b[i] = c
		}
	}
	if g.plain {
		b = bytes.ReplaceAll(b, []byte("/"), []byte("_"))
		b[0] = 'n' // not . or ..
	}
	return string(b)
}

func (g *generator) location() string {
	file := location(pick(g, fileSizes...))
	switch g.IntN(6) {
	case 0:
		return "${DATA}" + strings.TrimPrefix(file, "data")
	case 1:
		return "./${AGAIN}${EMPTY}" + strings.TrimPrefix(file, "data")
	default:
		return file
	}
}

func (g *generator) mode(word, device string) string {
	mode := pick(g, 0, 0o7777, 0o755, 0o644, g.IntN(0o10000))
	if g.IntN(6) == 0 {
		mode |= map[string]int{
			"file": 0o100000, "dir": 0o040000, "slink": 0o120000, "pipe": 0o010000, "sock": 0o140000,
		}[word]
		if word == "nod" && device == "b" {
			mode |= 0o060000
		} else if word == "nod" {
			mode |= 0o020000
		}
	}
	return fmt.Sprintf(pick(g, "%o", "0%o", "%04o", "%06o"), mode)
}

func (g *generator) id() string {
	return pick(g, "0", "0", "0", "1", "1000", "-1", "4294967295", "2147483648", "2147483647", "-2147483648",
		strconv.Itoa(g.IntN(65536)), strconv.FormatUint(uint64(g.Uint32()), 10))
}

func pick[T any](g *generator, from ...T) T { return from[g.IntN(len(from))] }
