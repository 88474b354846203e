package modules

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/modules/devices"
)

// Errors of Choose. Those about words wrap ErrUnknown.
var (
	// ErrExcluded means that a module is excluded, and something needs it.
	ErrExcluded = errors.New("excluded, but needed")
	// ErrVermagic means that a module is not for the kernel.
	ErrVermagic = errors.New("module of another kernel")
	// ErrVersion means that a module was built with another type of a symbol.
	ErrVersion = errors.New("symbol of another kernel")
)

// Kind says how a module came to be chosen.
type Kind string

// Kinds of reasons. The last three are what the module in Reason.By says in its modinfo.
const (
	Asked   Kind = "asked"   // By is the name, pattern or alias that was asked for
	Serves  Kind = "device"  // By is the path of a device
	Depends Kind = "depends" // By uses the module's symbols
	Softdep Kind = "softdep" // modprobe loads the module before or after By
	Weakdep Kind = "weakdep" // By may ask for the module when it runs
)

// Reason is why a module was chosen. A module has one for each word, device or module that drew
// it in.
type Reason struct {
	Kind Kind   `json:"kind"`
	By   string `json:"by"`
}

// String returns the reason for people.
func (r Reason) String() string {
	switch r.Kind {
	case Asked:
		return fmt.Sprintf("asked for as %q", r.By)
	case Serves:
		return "serves " + r.By
	case Depends:
		return r.By + " needs it"
	}
	return string(r.Kind) + " of " + r.By
}

// Request is what Choose chooses by.
type Request struct {
	// Words are names of modules (- and _ are the same), patterns of paths and aliases.
	Words []string
	// Devices are served by all modules that have one of their modaliases. A device that no module
	// serves is not an error.
	Devices []devices.Device
	// Exclude are the names of modules that must not be chosen.
	Exclude []string
}

// Chosen is a module and what drew it in.
type Chosen struct {
	*Module
	Why []Reason
}

// Absent is a name or alias in a softdep or weakdep that no module of the kernel has.
type Absent struct {
	Word string
	Why  []Reason
}

// Selection is what Choose has chosen.
type Selection struct {
	// Modules are in the order of the tree, which is depmod's.
	Modules []Chosen
	// Builtin are the modules that were asked for, or are the softdep or weakdep of a chosen one,
	// and are built into the kernel, by name.
	Builtin []Chosen
	// Excluded are the modules that would be chosen if they were not excluded, by name.
	Excluded []Chosen
	// Absent are by word.
	Absent []Absent
	// Devices are those of the request, each with the names of the chosen modules that serve it.
	Devices []devices.Served
}

// Loadable returns the modules without the reasons.
func (s *Selection) Loadable() []*Module {
	var list []*Module
	for _, m := range s.Modules {
		list = append(list, m.Module)
	}
	return list
}

// Choose returns the modules that a request asks for, and, transitively, those that they need:
// what depends= in their modinfo names, their softdeps and their weakdeps. What is built in is
// accepted. All errors are returned together, wrapped in one that errors.Is finds the kinds of.
func Choose(tree *Tree, request Request) (*Selection, error) {
	return newLookup(tree).choose(request)
}

func (l *lookup) choose(request Request) (*Selection, error) {
	c := &chooser{
		lookup: l, excluded: map[string]bool{},
		chosen: map[string]*Chosen{}, builtins: map[string]*Chosen{}, left: map[string]*Chosen{}, absent: map[string]*Absent{},
	}
	c.exclude(request.Exclude)
	for _, word := range slices.Compact(slices.Sorted(slices.Values(request.Words))) {
		c.ask(word)
	}
	s := &Selection{}
	for _, d := range request.Devices {
		s.Devices = append(s.Devices, c.serve(d))
	}
	for len(c.queue) > 0 {
		next := c.queue[0]
		c.queue = c.queue[1:]
		c.follow(next)
	}
	c.checkCycles()
	if err := errors.Join(c.errs...); err != nil {
		return nil, err
	}
	for _, m := range l.tree.Modules {
		if chosen := c.chosen[m.Name]; chosen != nil {
			s.Modules = append(s.Modules, *chosen)
		}
	}
	s.Builtin, s.Excluded = sorted(c.builtins), sorted(c.left)
	for _, word := range slices.Sorted(maps.Keys(c.absent)) {
		s.Absent = append(s.Absent, *c.absent[word])
	}
	return s, nil
}

func sorted(chosen map[string]*Chosen) []Chosen {
	var list []Chosen
	for _, name := range slices.Sorted(maps.Keys(chosen)) {
		list = append(list, *chosen[name])
	}
	return list
}

// chooser is the state of Choose.
type chooser struct {
	*lookup
	excluded map[string]bool
	// By name: what is chosen, what is built in, what is excluded and would be chosen.
	chosen, builtins, left map[string]*Chosen
	absent                 map[string]*Absent // by word
	queue                  []*Module          // chosen, and what they need is not looked at yet
	errs                   []error
}

func (c *chooser) fail(err error) { c.errs = append(c.errs, err) }

// exclude notes what must not be chosen.
func (c *chooser) exclude(names []string) {
	for _, word := range names {
		name := strings.ReplaceAll(word, "-", "_")
		if c.modules[name] == nil && c.builtin[name] == nil {
			c.fail(fmt.Errorf("%w: %q is excluded, and no module has this name%s", ErrUnknown, word, c.adviseName(word)))
		}
		c.excluded[name] = true
	}
}

// ask chooses what a word asks for.
func (c *chooser) ask(word string) {
	modules, builtin, exact, err := c.want(word)
	if err != nil {
		c.fail(err)
		return
	}
	why := Reason{Asked, word}
	for _, m := range modules {
		if exact && c.excluded[m.Name] {
			c.fail(fmt.Errorf("%w: %s is asked for by name: remove it from what is asked for or from what is excluded", ErrExcluded, m.Name))
			continue
		}
		c.take(m, why)
	}
	c.report(builtin, why)
}

// serve chooses the modules that serve a device.
func (c *chooser) serve(d devices.Device) devices.Served {
	served := devices.Served{Device: d}
	for _, alias := range d.Modaliases {
		modules, builtin := c.match(alias)
		for _, m := range modules {
			if c.take(m, Reason{Serves, d.Path}) {
				served.Modules = append(served.Modules, m.Name)
			}
		}
		c.report(builtin, Reason{Serves, d.Path})
		for _, m := range builtin {
			served.BuiltIn = append(served.BuiltIn, m.Name)
		}
	}
	for _, names := range []*[]string{&served.Modules, &served.BuiltIn} {
		slices.Sort(*names)
		*names = slices.Compact(*names)
	}
	return served
}

// follow chooses what a chosen module needs.
func (c *chooser) follow(m *Module) {
	for _, name := range m.Info.Depends() {
		why := Reason{Depends, m.Name}
		switch dependency := c.modules[name]; {
		case dependency == nil && c.builtin[name] != nil:
			c.report([]*Module{c.builtin[name]}, why)
		case dependency == nil:
			c.fail(fmt.Errorf("%w: %s needs %s, which the tree lacks: add it, or its kernel's whole tree", ErrUnknown, m.Path, name))
		case c.excluded[name]:
			c.fail(fmt.Errorf("%w: %s (%s) needs %s: exclude %s too, or keep %s", ErrExcluded, m.Name, c.chosen[m.Name].Why[0], name, m.Name, name))
		default:
			c.take(dependency, why)
		}
	}
	// modprobe reads only the first of several softdeps (kmod_module_get_softdeps in
	// libkmod/libkmod-module.c). The module may ask for what the others name when it runs.
	pre, post := m.Info.Softdeps()
	c.invite(append(pre, post...), Reason{Softdep, m.Name})
	c.invite(m.Info.Weakdeps(), Reason{Weakdep, m.Name})
}

// invite chooses what softdeps or weakdeps name, if it is there.
func (c *chooser) invite(words []string, why Reason) {
	for _, word := range words {
		modules, builtin, _ := c.resolve(word)
		for _, m := range modules {
			c.take(m, why)
		}
		// What is also built in does not matter to a module that an alias finds.
		if len(modules) == 0 {
			c.report(builtin, why)
		}
		if len(modules)+len(builtin) == 0 {
			if c.absent[word] == nil {
				c.absent[word] = &Absent{Word: word}
			}
			c.absent[word].Why = appendReason(c.absent[word].Why, why)
		}
	}
}

// take chooses a module, unless it is excluded, and reports whether it is chosen.
func (c *chooser) take(m *Module, why Reason) bool {
	if c.excluded[m.Name] {
		note(c.left, m, why)
		return false
	}
	if note(c.chosen, m, why) {
		c.queue = append(c.queue, m)
	}
	return true
}

// report notes modules that are built in.
func (c *chooser) report(builtin []*Module, why Reason) {
	for _, m := range builtin {
		note(c.builtins, m, why)
	}
}

// note adds a reason to a module, and reports whether it is the first one.
func note(to map[string]*Chosen, m *Module, why Reason) (first bool) {
	chosen := to[m.Name]
	if first = chosen == nil; first {
		chosen = &Chosen{Module: m}
		to[m.Name] = chosen
	}
	chosen.Why = appendReason(chosen.Why, why)
	return first
}

// appendReason adds a reason that is not there. What draws a module in is looked at once, so that
// the same reason can only be among the last ones: one for each kind.
func appendReason(reasons []Reason, why Reason) []Reason {
	if slices.Contains(reasons[max(0, len(reasons)-3):], why) {
		return reasons
	}
	return append(reasons, why)
}

// checkCycles fails if chosen modules depend on each other in a circle, which no kernel can load.
func (c *chooser) checkCycles() {
	done := map[string]bool{}
	var path []string
	place := map[string]int{} // in path
	var visit func(name string)
	visit = func(name string) {
		if i, ok := place[name]; ok {
			c.fail(&CycleError{slices.Clone(path[i:])})
			return
		}
		if m := c.chosen[name]; m != nil && !done[name] {
			place[name] = len(path)
			path = append(path, name)
			for _, dependency := range m.Info.Depends() {
				visit(dependency)
			}
			path = path[:len(path)-1]
			delete(place, name)
			done[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.chosen)) {
		visit(name)
	}
}
