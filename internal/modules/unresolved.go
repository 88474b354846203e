package modules

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// ErrSystemMap means that a file does not have the kernel's symbols.
var ErrSystemMap = errors.New("bad System.map")

// KernelSymbols are the names of the symbols that a kernel exports.
type KernelSymbols map[string]bool

// ReadSystemMap reads the exported symbols in a kernel's System.map, whose lines are ADDRESS TYPE
// NAME. An exported symbol also has the name __ksymtab_NAME (include/linux/export-internal.h).
// Errors are those of r, or wrap ErrSystemMap.
func ReadSystemMap(r io.Reader) (KernelSymbols, error) {
	symbols := KernelSymbols{}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		words := strings.SplitN(lines.Text(), " ", 3)
		if len(words) < 3 {
			return nil, fmt.Errorf("%w: %q is not ADDRESS TYPE NAME", ErrSystemMap, lines.Text())
		}
		if name, ok := strings.CutPrefix(words[2], "__ksymtab_"); ok {
			symbols[name] = true
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return nil, fmt.Errorf("%w: a line has more than %d bytes", ErrSystemMap, bufio.MaxScanTokenSize)
	case err != nil:
		return nil, err
	case len(symbols) == 0:
		return nil, fmt.Errorf("%w: no symbol in it is exported: a distribution may have the real file in a package with debug information", ErrSystemMap)
	}
	return symbols, nil
}

// loaderSymbols are those that the kernel's loader makes for each module (depmod_add_fake_syms in
// tools/depmod.c of kmod).
var loaderSymbols = []string{"__this_module", "_GLOBAL_OFFSET_TABLE_", "TOC."}

// Unresolved is a symbol that a module needs, and that neither the kernel nor a module exports. The
// kernel refuses to load the module.
type Unresolved struct {
	Module *Module
	Symbol string
}

// FindUnresolved returns what is unresolved in modules, in their order. Symbols that may be missing
// are not.
func FindUnresolved(modules []*Module, kernel KernelSymbols) []Unresolved {
	exported := map[string]bool{}
	for _, m := range modules {
		for _, s := range m.Exports {
			exported[s.Name] = true
		}
	}
	var unresolved []Unresolved
	for _, m := range modules {
		for _, s := range m.Imports {
			if name := strings.TrimPrefix(s.Name, "."); !s.Weak && !exported[name] && !kernel[name] && !slices.Contains(loaderSymbols, name) {
				unresolved = append(unresolved, Unresolved{m, s.Name})
			}
		}
	}
	return unresolved
}
