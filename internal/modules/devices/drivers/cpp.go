package drivers

import (
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// macro is a #define.
type macro struct {
	// function reports that it has parameters.
	function   bool
	parameters []string
	body       []token
}

// header is what is read of a source file or a header: its macros, and what it includes.
type header struct {
	// defines are the macros as written, from their parameters on.
	defines  map[string]string
	macros   map[string]*macro // of defines, as far as they were asked for
	includes []include
}

// include is a #include.
type include struct {
	name   string
	quoted bool
}

// maxHeader is the largest header that is read, in bytes. Larger ones list registers.
const maxHeader = 2 << 20

// headers reads the headers of a source, each once.
type headers struct {
	source fs.FS
	cache  map[string]*header
	common []*header // the core headers, once they are read
}

// core returns the headers with the macros for tables of devices.
func (h *headers) core() []*header {
	if h.common == nil {
		for _, name := range core {
			if found := h.find("include", include{name: name}); found != "" {
				h.common = append(h.common, h.get(found))
			}
		}
	}
	return h.common
}

// core are the headers with the macros for tables of devices. Sources include them over others.
var core = []string{
	"linux/mod_devicetable.h", "linux/device-id/pci.h", "linux/pci.h", "linux/pci_ids.h",
	"linux/device-id/usb.h", "linux/usb.h", "uapi/linux/usb/ch9.h", "linux/device-id/hid.h", "linux/hid.h",
	"uapi/linux/input.h", "linux/phy.h", "linux/acpi.h", "linux/virtio_ids.h",
	"linux/device-id/virtio.h", "linux/device-id/sdio.h", "linux/mmc/sdio_ids.h", "linux/platform_device.h",
}

// get returns a header, or nil if there is none.
func (h *headers) get(name string) *header {
	if cached, ok := h.cache[name]; ok {
		return cached
	}
	h.cache[name] = nil
	if info, err := fs.Stat(h.source, name); err == nil && info.Mode().IsRegular() && info.Size() <= maxHeader {
		if text, err := readText(h.source, name); err == nil {
			h.cache[name] = parseHeader(text)
		}
	}
	return h.cache[name]
}

// find returns the path of an include of a file in a directory.
func (h *headers) find(dir string, i include) string {
	candidates := []string{path.Join("include", i.name), path.Join("include/uapi", i.name)}
	if i.quoted {
		candidates = append([]string{path.Join(dir, i.name)}, candidates...)
	}
	// Makefiles name more directories to the compiler, mostly these.
	candidates = append(candidates, path.Join(dir, "..", i.name), path.Join(dir, "../include", i.name))
	for _, name := range candidates {
		if fs.ValidPath(name) && h.get(name) != nil {
			return name
		}
	}
	return ""
}

// maxInclude is how deep includes of a driver's own headers are followed.
const maxInclude = 4

// scope finds the macros that a source file sees: its own, those of the core headers, and those
// of the headers that it and the driver's own headers include.
type scope struct {
	headers *headers
	name    string
	own     *header
	files   []*header // those that are read already, the own first
	all     bool      // whether these are all
	missing map[string]bool
}

func (h *headers) scope(name string, own *header) *scope {
	return &scope{headers: h, name: name, own: own, files: []*header{own}, missing: map[string]bool{}}
}

// readAll reads the headers. Most sources need none but the core.
func (s *scope) readAll() {
	s.all = true
	seen := map[string]bool{}
	type file struct {
		dir string
		h   *header
	}
	add := func(dir string, i include) (string, bool) {
		name := s.headers.find(dir, i)
		if name == "" || seen[name] {
			return "", false
		}
		seen[name] = true
		s.files = append(s.files, s.headers.get(name))
		return name, true
	}
	level := []file{{path.Dir(s.name), s.own}}
	for range maxInclude {
		var next []file
		for _, f := range level {
			for _, i := range f.h.includes {
				if name, ok := add(f.dir, i); ok && i.quoted {
					next = append(next, file{path.Dir(name), s.headers.get(name)})
				}
			}
		}
		level = next
	}
}

// macro returns the macro with a name, or nil.
func (s *scope) macro(name string) *macro {
	if s.missing[name] {
		return nil
	}
	if m := first(s.files, name); m != nil {
		return m
	}
	if m := first(s.headers.core(), name); m != nil {
		return m
	}
	if !s.all {
		s.readAll()
		if m := first(s.files, name); m != nil {
			return m
		}
	}
	s.missing[name] = true
	return nil
}

// first returns the first macro with a name, or nil.
func first(files []*header, name string) *macro {
	for _, f := range files {
		if m := f.macro(name); m != nil {
			return m
		}
	}
	return nil
}

// macro returns the macro with a name, or nil.
func (h *header) macro(name string) *macro {
	if m := h.macros[name]; m != nil {
		return m
	}
	text, ok := h.defines[name]
	if !ok {
		return nil
	}
	d := &macro{}
	if strings.HasPrefix(text, "(") {
		d.function = true
		parameters, body, _ := strings.Cut(text[1:], ")")
		for _, p := range strings.Split(parameters, ",") {
			if p = strings.TrimSpace(p); p != "" {
				d.parameters = append(d.parameters, p)
			}
		}
		text = body
	}
	d.body = tokens(withoutComments(text))
	h.macros[name] = d
	return d
}

// parseHeader returns the macros and includes of a text. The first definition of a macro wins.
func parseHeader(text string) *header {
	h := &header{defines: map[string]string{}, macros: map[string]*macro{}}
	for text != "" {
		var line string
		line, text = logicalLine(text)
		if word, rest, ok := directive(line); ok {
			h.directive(word, rest)
		}
	}
	return h
}

// logicalLine returns the first line of a text with those that a backslash joins to it, and the
// rest.
func logicalLine(text string) (line, rest string) {
	for at := 0; ; {
		i := strings.IndexByte(text[at:], '\n')
		if i < 0 {
			return text, ""
		}
		at += i + 1
		line := strings.TrimSuffix(text[:at-1], "\r")
		if !strings.HasSuffix(line, `\`) {
			return text[:at], text[at:]
		}
	}
}

// directive returns the word of a directive, and what follows it without spaces.
func directive(line string) (word, rest string, ok bool) {
	line, ok = strings.CutPrefix(strings.TrimLeft(line, " \t"), "#")
	if !ok {
		return "", "", false
	}
	line = strings.TrimSpace(line)
	end := identifierLength(line)
	return line[:end], strings.TrimSpace(line[end:]), true
}

// identifierLength returns the length of the identifier that a text begins with.
func identifierLength(text string) int {
	for i := range len(text) {
		c := text[i]
		if c != '_' && (c < '0' || '9' < c) && (c|0x20 < 'a' || 'z' < c|0x20) {
			return i
		}
	}
	return len(text)
}

func (h *header) directive(word, rest string) {
	switch word {
	case "include":
		if len(rest) > 0 && (rest[0] == '<' || rest[0] == '"') {
			if end := strings.IndexAny(rest[1:], `>"`); end > 0 {
				h.includes = append(h.includes, include{rest[1 : end+1], rest[0] == '"'})
			}
		}
	case "define":
		end := identifierLength(rest)
		if _, known := h.defines[rest[:end]]; end > 0 && !known {
			h.defines[rest[:end]] = rest[end:]
		}
	}
}

// parseSource returns a C source without comments and directives, and its macros. Of
// conditionals, all branches are kept except "#if 0".
func parseSource(text string) (code string, h *header) {
	h = &header{defines: map[string]string{}, macros: map[string]*macro{}}
	var b strings.Builder
	var off []bool // of the open conditionals: whether the branch is left out
	for line := range strings.Lines(withoutComments(text)) {
		word, rest, ok := directive(line)
		switch {
		case !ok:
			if !slices.Contains(off, true) {
				b.WriteString(line)
			}
		case word == "if", word == "ifdef", word == "ifndef":
			off = append(off, word == "if" && rest == "0")
		case word == "else", word == "elif":
			if len(off) > 0 {
				off[len(off)-1] = false
			}
		case word == "endif":
			if len(off) > 0 {
				off = off[:len(off)-1]
			}
		case !slices.Contains(off, true):
			h.directive(word, rest)
		}
	}
	return b.String(), h
}

// withoutComments removes comments, and joins lines that end with a backslash.
func withoutComments(text string) string {
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\\\r\n", " "), "\\\n", " ")
	var b strings.Builder
	for i := 0; i < len(text); {
		rest := text[i:]
		n := 1
		switch {
		case strings.HasPrefix(rest, "/*"):
			n = len(rest)
			if end := strings.Index(rest[2:], "*/"); end >= 0 {
				n = end + 4
			}
			b.WriteByte(' ')
			i += n
			continue
		case strings.HasPrefix(rest, "//"):
			n = len(rest)
			if end := strings.IndexByte(rest, '\n'); end >= 0 {
				n = end
			}
			i += n
			continue
		case rest[0] == '"' || rest[0] == '\'':
			n = literalLength(rest)
		default:
			if next := strings.IndexAny(rest[1:], `/"'`); next >= 0 {
				n = next + 1
			} else {
				n = len(rest)
			}
		}
		b.WriteString(rest[:n])
		i += n
	}
	return b.String()
}

// literalLength returns the length of the string or character that text begins with. One that
// does not end on its line is an apostrophe.
func literalLength(text string) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '\n':
			return 1
		case text[0]:
			return i + 1
		}
	}
	return 1
}

// token is a token of C.
type token struct {
	kind rune // i: identifier, n: number, s: string, p: anything else
	text string
}

var tokenForm = regexp.MustCompile(`[A-Za-z_]\w*|\d[\w.]*|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|##|<<|>>|\.\.\.|\S`)

// tokens returns the tokens of a text.
func tokens(text string) []token {
	var all []token
	for _, t := range tokenForm.FindAllString(text, -1) {
		kind := 'p'
		switch c := t[0]; {
		case c == '_' || 'a' <= c|0x20 && c|0x20 <= 'z':
			kind = 'i'
		case '0' <= c && c <= '9':
			kind = 'n'
		case c == '"':
			kind = 's'
		}
		all = append(all, token{kind, t})
	}
	return all
}

// maxExpansion is the largest number of tokens that a value is expanded to.
const maxExpansion = 1 << 16

// native are macros that expressions evaluate by themselves.
var native = map[string]bool{"BIT": true, "GENMASK": true}

// expand replaces the macros in tokens.
func (s *scope) expand(in []token) []token {
	budget := maxExpansion
	return s.expandIn(in, nil, &budget)
}

// expandIn leaves the macros in hidden as they are: those whose bodies the tokens are from.
func (s *scope) expandIn(in []token, hidden []string, budget *int) []token {
	var out []token
	for i := 0; i < len(in); i++ {
		if *budget--; *budget < 0 || len(hidden) > 32 {
			return out
		}
		t := in[i]
		if t.kind != 'i' || native[t.text] || slices.Contains(hidden, t.text) {
			out = append(out, t)
			continue
		}
		m := s.macro(t.text)
		if m == nil {
			out = append(out, t)
			continue
		}
		body := m.body
		if m.function {
			arguments, length := callArguments(in[i+1:])
			if length == 0 {
				out = append(out, t)
				continue
			}
			i += length
			body = s.substitute(m, arguments, hidden, budget)
		}
		out = append(out, s.expandIn(body, append(slices.Clip(hidden), t.text), budget)...)
	}
	return out
}

// callArguments returns the arguments of a call that begins with its parenthesis, and the
// number of its tokens; 0 if there is none.
func callArguments(in []token) (arguments [][]token, length int) {
	if len(in) == 0 || in[0].text != "(" {
		return nil, 0
	}
	depth, begin := 0, 1
	for i, t := range in {
		switch t.text {
		case "(", "{", "[":
			depth++
		case ")", "}", "]":
			if depth--; depth == 0 {
				return append(arguments, in[begin:i]), i + 1
			}
		case ",":
			if depth == 1 {
				arguments = append(arguments, in[begin:i])
				begin = i + 1
			}
		}
	}
	return nil, 0
}

// substitute returns the body of a macro with its arguments. An argument of ## and # is taken as
// it is, and any other with its macros replaced.
func (s *scope) substitute(m *macro, arguments [][]token, hidden []string, budget *int) []token {
	argument := func(t token) ([]token, bool) {
		if t.text == "__VA_ARGS__" && len(m.parameters) > 0 {
			var rest []token
			for i := len(m.parameters) - 1; i < len(arguments); i++ {
				if len(rest) > 0 {
					rest = append(rest, token{'p', ","})
				}
				rest = append(rest, arguments[i]...)
			}
			return rest, true
		}
		i := slices.Index(m.parameters, t.text)
		if i < 0 {
			return nil, false
		}
		if i < len(arguments) {
			return arguments[i], true
		}
		return nil, true
	}
	var out []token
	body := m.body
	for i := 0; i < len(body); i++ {
		if *budget -= 1; *budget < 0 {
			return out
		}
		t := body[i]
		if t.text == "#" && i+1 < len(body) {
			if value, ok := argument(body[i+1]); ok {
				var text strings.Builder
				for _, v := range value {
					text.WriteString(v.text)
				}
				out = append(out, token{'s', `"` + strings.ReplaceAll(text.String(), `"`, `\"`) + `"`})
				i++
				continue
			}
		}
		if t.text == "##" && len(out) > 0 && i+1 < len(body) {
			right := []token{body[i+1]}
			if value, ok := argument(body[i+1]); ok {
				right = value
			}
			i++
			if len(right) > 0 {
				out = append(out[:len(out)-1], tokens(out[len(out)-1].text+right[0].text)...)
				out = append(out, right[1:]...)
			}
			continue
		}
		value, ok := argument(t)
		switch {
		case !ok:
			out = append(out, t)
		case i+1 < len(body) && body[i+1].text == "##":
			out = append(out, value...)
		default:
			out = append(out, s.expandIn(value, hidden, budget)...)
		}
		if len(out) > maxExpansion {
			return out
		}
	}
	return out
}
