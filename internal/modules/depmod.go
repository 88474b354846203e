package modules

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrCycle means that modules need each other. The error is a *CycleError.
var ErrCycle = errors.New("modules need each other")

// CycleError is a cycle of modules by name: each needs the next one, and the last needs the first.
type CycleError struct{ Names []string }

func (e *CycleError) Error() string {
	return fmt.Sprintf("%v: %s -> %s: none of them can be loaded first", ErrCycle, strings.Join(e.Names, " -> "), e.Names[0])
}

func (e *CycleError) Unwrap() error { return ErrCycle }

// Filter returns the kernel's own files for some modules: modules.order without those that are not
// there. The other files are about what is built in, and stay whole.
func (k KernelFiles) Filter(modules []*Module) KernelFiles {
	there := map[string]bool{}
	for _, m := range modules {
		there[m.orderPath()] = true
	}
	if k.Order == nil {
		return k
	}
	order := []byte{}
	for line := range bytes.Lines(k.Order) {
		if there[string(bytes.TrimSuffix(line, []byte("\n")))] {
			order = append(order, line...)
		}
	}
	k.Order = order
	return k
}

// WriteIndexes calls write for each index that depmod of kmod 34 makes of a directory with these
// modules, in the order of depmod; the content is depmod's to the byte. The modules may be all or
// some of a tree, in any order, and their names must differ. An error of write ends it. Like
// depmod, it makes an empty index of built-in modules if the kernel's file is not there, and no
// index at all if modules need each other (ErrCycle). Other than depmod, which skips it, a text
// that an index cannot hold is an error (ErrText).
func WriteIndexes(modules []*Module, kernel KernelFiles, write func(name string, content []byte) error) error {
	d, err := newDepmod(modules, kernel)
	if err != nil {
		return err
	}
	for _, file := range []struct {
		name    string
		content func() ([]byte, error)
	}{
		{"modules.dep", d.deps},
		{"modules.dep.bin", d.depsIndex},
		{"modules.alias", d.aliases},
		{"modules.alias.bin", d.aliasIndex},
		{"modules.softdep", d.softdeps},
		{"modules.weakdep", d.weakdeps},
		{"modules.symbols", d.symbolAliases},
		{"modules.symbols.bin", d.symbolIndex},
		{"modules.builtin.bin", d.builtinIndex},
		{"modules.builtin.alias.bin", d.builtinAliasIndex},
		{"modules.devname", d.devnames},
	} {
		content, err := file.content()
		if err != nil {
			return fmt.Errorf("%s: %w", file.name, err)
		}
		if err := write(file.name, content); err != nil {
			return err
		}
	}
	return nil
}

// depmod is what the indexes are made of.
type depmod struct {
	kernel  KernelFiles
	modules []*depModule // in depmod's order
	symbols []depSymbol
}

// depModule is a module with what it needs.
type depModule struct {
	*Module
	index int // in depmod.modules
	// deps are the modules whose symbols it imports, in the order of its imports; users is how many
	// modules have it in their deps.
	deps  []*depModule
	users int
	// place is that in the topological order, in which a module comes before those that it needs.
	place int
	// lines are the path and those of all modules that it needs, as in modules.dep.
	line string
}

// depSymbol is an exported symbol. If several modules export it, the owner is the last.
type depSymbol struct {
	name  string
	owner *depModule
}

func newDepmod(modules []*Module, kernel KernelFiles) (*depmod, error) {
	if len(modules) > maxModules {
		return nil, fmt.Errorf("%w: there are %d modules: depmod allows at most %d", ErrTree, len(modules), maxModules)
	}
	sorted, err := Sort(modules, kernel.Order)
	if err != nil {
		return nil, err
	}
	d := &depmod{kernel: kernel}
	names := map[string]*Module{}
	for i, m := range sorted {
		if other := names[m.Name]; other != nil {
			return nil, fmt.Errorf("%w: %s and %s are both the module %s: remove one of them", ErrTree, other.Path, m.Path, m.Name)
		}
		names[m.Name] = m
		if !isText(m.Path, 0x7f) || strings.ContainsAny(m.Path, " \t:") {
			return nil, fmt.Errorf("%w: the path %q has a space, a colon or a character that is not printable ASCII", ErrText, m.Path)
		}
		d.modules = append(d.modules, &depModule{Module: m, index: i})
	}
	owners := d.readSymbols()
	for _, m := range d.modules {
		m.addDeps(owners)
	}
	if err := d.sort(); err != nil {
		return nil, err
	}
	d.readLines()
	return d, nil
}

// readSymbols collects the exported symbols in the order of depmod's hash table, and returns their
// owners.
func (d *depmod) readSymbols() map[string]*depModule {
	owners := map[string]*depModule{}
	for _, m := range d.modules {
		for _, s := range m.Exports {
			owners[s.Name] = m
		}
	}
	buckets := make([][]depSymbol, symbolBuckets)
	for name, owner := range owners {
		bucket := hash(name) % symbolBuckets
		buckets[bucket] = append(buckets[bucket], depSymbol{name, owner})
	}
	for _, bucket := range buckets {
		slices.SortFunc(bucket, func(a, b depSymbol) int { return strings.Compare(a.name, b.name) })
		d.symbols = append(d.symbols, bucket...)
	}
	return owners
}

// addDeps finds the modules whose symbols m imports. PowerPC writes .foo for foo
// (depmod_symbol_find in tools/depmod.c of kmod).
func (m *depModule) addDeps(owners map[string]*depModule) {
	for _, s := range m.Imports {
		owner := owners[strings.TrimPrefix(s.Name, ".")]
		if owner != nil && !slices.Contains(m.deps, owner) {
			m.deps = append(m.deps, owner)
			owner.users++
		}
	}
}

// sort finds the topological order (depmod_calculate_dependencies in tools/depmod.c of kmod).
func (d *depmod) sort() error {
	users := make([]int, len(d.modules))
	var ready []*depModule
	for i, m := range d.modules {
		if users[i] = m.users; m.users == 0 {
			ready = append(ready, m)
		}
	}
	sorted := 0
	for len(ready) > 0 {
		m := ready[len(ready)-1]
		ready = ready[:len(ready)-1]
		m.place = sorted
		sorted++
		for _, dep := range m.deps {
			if users[dep.index]--; users[dep.index] == 0 {
				ready = append(ready, dep)
			}
		}
	}
	if sorted < len(d.modules) {
		return d.cycle(users)
	}
	return nil
}

// cycle returns an error with modules that need each other. Each module that still has users has
// one that still has users, too, so that a way from user to user ends in a cycle.
func (d *depmod) cycle(users []int) error {
	user := make([]*depModule, len(d.modules))
	var at *depModule
	for _, m := range slices.Backward(d.modules) {
		if users[m.index] > 0 {
			at = m
			for _, dep := range m.deps {
				user[dep.index] = m
			}
		}
	}
	seen := map[*depModule]bool{}
	for !seen[at] {
		seen[at] = true
		at = user[at.index]
	}
	first := at
	for m := user[at.index]; m != at; m = user[m.index] {
		if m.index < first.index {
			first = m
		}
	}
	names := []string{first.Name}
	for m := user[first.index]; m != first; m = user[m.index] {
		names = append(names, m.Name)
	}
	slices.Reverse(names[1:])
	return &CycleError{names}
}

// readLines finds all that each module needs, itself or by what it needs, in the topological order.
func (d *depmod) readLines() {
	mark := make([]int, len(d.modules)) // the last module that needs it
	var needed []*depModule
	for i, m := range d.modules {
		needed = append(needed[:0], m.deps...)
		for _, dep := range needed {
			mark[dep.index] = i + 1
		}
		for next := 0; next < len(needed); next++ {
			for _, dep := range needed[next].deps {
				if mark[dep.index] != i+1 {
					mark[dep.index] = i + 1
					needed = append(needed, dep)
				}
			}
		}
		slices.SortFunc(needed, func(a, b *depModule) int { return cmp.Compare(a.place, b.place) })
		var line strings.Builder
		line.WriteString(m.Path + ":")
		for _, dep := range needed {
			line.WriteString(" " + dep.Path)
		}
		m.line = line.String()
	}
}

func (d *depmod) deps() ([]byte, error) {
	var out bytes.Buffer
	for _, m := range d.modules {
		out.WriteString(m.line + "\n")
	}
	return out.Bytes(), nil
}

func (d *depmod) depsIndex() ([]byte, error) {
	var x index
	for _, m := range d.modules {
		x.add(m.Name, m.line, m.index)
	}
	return x.bytes()
}

// values writes a line for each value of a key, whose bytes may be up to the highest.
func (d *depmod) values(header, key string, highest byte, format string, args func(m *depModule, value string) []any) ([]byte, error) {
	var out bytes.Buffer
	out.WriteString(header)
	for _, m := range d.modules {
		for _, value := range m.Info.Values(key) {
			if !isText(value, highest) {
				return nil, fmt.Errorf("%s: %w: its %s %q has bytes that are not printable", m.Path, ErrText, key, value)
			}
			fmt.Fprintf(&out, format, args(m, value)...)
		}
	}
	return out.Bytes(), nil
}

func (d *depmod) aliases() ([]byte, error) {
	return d.values("# Aliases extracted from modules themselves.\n", "alias", 0x7f, "alias %s %s\n",
		func(m *depModule, value string) []any { return []any{value, m.Name} })
}

func (d *depmod) softdeps() ([]byte, error) {
	return d.values("# Soft dependencies extracted from modules themselves.\n", "softdep", 0xff, "softdep %s %s\n",
		func(m *depModule, value string) []any { return []any{m.Name, value} })
}

func (d *depmod) weakdeps() ([]byte, error) {
	return d.values("# Weak dependencies extracted from modules themselves.\n", "weakdep", 0xff, "weakdep %s %s\n",
		func(m *depModule, value string) []any { return []any{m.Name, value} })
}

func (d *depmod) aliasIndex() ([]byte, error) {
	var x index
	for _, m := range d.modules {
		for _, value := range m.Info.Aliases() {
			alias, err := normalAlias(value)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", m.Path, err)
			}
			x.add(alias, m.Name, m.index)
		}
	}
	return x.bytes()
}

func (d *depmod) symbolAliases() ([]byte, error) {
	var out bytes.Buffer
	out.WriteString("# Aliases for symbols, used by symbol_request().\n")
	for _, s := range d.symbols {
		if !isText(s.name, 0x7f) {
			return nil, fmt.Errorf("%s: %w: its symbol %q is not printable ASCII", s.owner.Path, ErrText, s.name)
		}
		out.WriteString("alias symbol:" + s.name + " " + s.owner.Name + "\n")
	}
	return out.Bytes(), nil
}

func (d *depmod) symbolIndex() ([]byte, error) {
	var x index
	for _, s := range d.symbols {
		x.add("symbol:"+s.name, s.owner.Name, s.owner.index)
	}
	return x.bytes()
}

func (d *depmod) builtinIndex() ([]byte, error) {
	if d.kernel.Builtin == nil {
		return nil, nil
	}
	names, err := builtinNames(d.kernel.Builtin)
	if err != nil {
		return nil, err
	}
	var x index
	for _, name := range names {
		x.add(name, "", 0)
	}
	return x.bytes()
}

func (d *depmod) builtinAliasIndex() ([]byte, error) {
	if d.kernel.BuiltinInfo == nil {
		return nil, nil
	}
	fields, err := builtinFields(d.kernel.BuiltinInfo)
	if err != nil {
		return nil, err
	}
	var x index
	for _, f := range fields {
		if f.Key != "alias" || f.Value == "" {
			continue
		}
		alias, err := normalAlias(f.Value)
		if err != nil {
			return nil, err
		}
		x.add(alias, f.module, 0)
	}
	return x.bytes()
}

// devnames lists the device nodes that load a module when they are opened: those of modules that
// have both a name in /dev and a number. depmod ignores one without the other.
func (d *depmod) devnames() ([]byte, error) {
	var out bytes.Buffer
	for _, m := range d.modules {
		node, ok := devname(m.Info.Aliases())
		if !ok {
			continue
		}
		if out.Len() == 0 {
			out.WriteString("# Device nodes to trigger on-demand module loading.\n")
		}
		out.WriteString(m.Name + " " + node + "\n")
	}
	return out.Bytes(), nil
}

// devname returns NAME TYPE MAJOR:MINOR of the first aliases that give both (output_devname in
// tools/depmod.c of kmod).
func devname(aliases []string) (string, bool) {
	name, number := "", ""
	named := false
	for _, alias := range aliases {
		if text, ok := strings.CutPrefix(alias, "devname:"); ok {
			name, named = text, true
		} else if text, ok := strings.CutPrefix(alias, "char-major-"); ok {
			number = cmp.Or(deviceNumber("c", text), number)
		} else if text, ok := strings.CutPrefix(alias, "block-major-"); ok {
			number = cmp.Or(deviceNumber("b", text), number)
		}
		if named && number != "" {
			return name + " " + number, true
		}
	}
	return "", false
}

// deviceNumber returns TYPE MAJOR:MINOR of a text that begins with MAJOR-MINOR, or "".
func deviceNumber(kind, text string) string {
	var major, minor uint32
	if n, _ := fmt.Sscanf(text, "%d-%d", &major, &minor); n != 2 {
		return ""
	}
	return fmt.Sprintf("%s%d:%d", kind, major, minor)
}
