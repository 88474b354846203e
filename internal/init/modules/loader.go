// Package modules loads kernel modules: those that are named, those that serve the
// machine's devices, and those that the kernel asks for.
package modules

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/rules-initramfs/rules_initramfs/internal/modules/lookup"
)

// ErrUnknown is the error for a name that no module has.
var ErrUnknown = errors.New("no such module")

// A Loader loads modules: each once, after those that it needs, and at the same time as
// others. Its methods may be called concurrently.
type Loader struct {
	dir    string // /lib/modules/RELEASE
	index  *lookup.Index
	config *Config
	slots  chan struct{} // limits how many modules are loaded at the same time

	insert func(file, parameters string) error // gives a module to the kernel
	has    func(name string) bool              // reports whether the kernel has a module
	report func(error)                         // is told what a device's module failed with

	mu      sync.Mutex
	tasks   map[string]*task // by the module's name
	fresh   []*task          // planned and not started
	running int
	started atomic.Int64 // how many tasks were started
	idle    sync.Cond    // running is 0
	names   []string     // of what was loaded
}

// A task loads one module.
type task struct {
	module   lookup.Module
	needs    []*task // what it cannot do without
	after    []*task // what is tried before it: needs, and soft dependencies
	planning bool    // its edges are not complete
	report   bool    // pass the error to Loader.report: nobody waits for it
	declined bool    // the driver found nothing to do, which is usual for drivers of CPUs
	err      error   // valid when done is closed
	done     chan struct{}
}

// NewLoader returns a Loader for the running kernel. It passes errors of modules that
// were loaded for a device to report, which may be called concurrently.
func NewLoader(config *Config, report func(error)) (*Loader, error) {
	var uname unix.Utsname
	if err := unix.Uname(&uname); err != nil {
		return nil, err
	}
	l, err := newLoader("/lib/modules/"+unix.ByteSliceToString(uname.Release[:]), config)
	if err != nil {
		return nil, fmt.Errorf("cannot load modules: %w", err)
	}
	l.report = report
	return l, nil
}

func newLoader(dir string, config *Config) (*Loader, error) {
	index, err := lookup.Open(dir)
	if err != nil {
		return nil, err
	}
	l := &Loader{
		dir:    dir,
		index:  index,
		config: config,
		slots:  make(chan struct{}, max(4, runtime.NumCPU())),
		insert: insert,
		has:    isLoaded,
		report: func(error) {},
		tasks:  map[string]*task{},
	}
	l.idle.L = &l.mu
	return l, nil
}

// isLoaded reports whether the kernel has a module. It does not see what is built in
// without parameters and without a version.
func isLoaded(name string) bool {
	_, err := os.Stat("/sys/module/" + name)
	return err == nil
}

// Load loads modules with the modules that they need, and waits until no module is being loaded.
// Each is a module's
// name, in which - and _ are the same, an alias such as "fs-ext4", or the absolute path of
// a file. It is not an error if the kernel has a module already. If a name is unknown,
// Load loads nothing, and its error wraps ErrUnknown. Otherwise, the error joins those of
// the modules that the kernel refused.
//
// Without a modules.dep, Load loads the modules one after another, in order.
func (l *Loader) Load(names []string) error {
	var modules []lookup.Module
	var errs []error
	for _, name := range names {
		found, err := l.resolve(name)
		if errors.Is(err, ErrUnknown) {
			err = l.unknown(name)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("cannot load module %s: %w", name, err))
		}
		modules = append(modules, found...)
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	var last *task
	tasks := l.start(modules, func(t *task) {
		if !l.index.Ordered && last != nil {
			t.tryAfter(last)
		}
		last = t
	})
	l.Wait()
	for _, t := range tasks {
		errs = append(errs, t.err)
	}
	return errors.Join(errs...)
}

// unknown is ErrUnknown, with what a name may mean.
func (l *Loader) unknown(name string) error {
	if err := l.CheckDirectory(); err != nil {
		return fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	hint := "correct the name, or add this kernel's module to the image there"
	if names := l.index.Near(name); len(names) > 0 {
		hint = "did you mean " + strings.Join(names, " or ") + "?"
	}
	return fmt.Errorf("%w in %s: %s", ErrUnknown, l.dir, hint)
}

// CheckDirectory returns an error if the image has no modules for the running kernel. It
// says for which kernels the image has some.
func (l *Loader) CheckDirectory() error {
	if l.index.Modules() > 0 {
		return nil
	}
	others := ""
	if entries, _ := os.ReadDir(filepath.Dir(l.dir)); len(entries) > 0 {
		others = ", but modules of another kernel:"
		for _, entry := range entries {
			others += " " + entry.Name()
		}
	}
	return fmt.Errorf("the image has no modules in %s%s: add those of this kernel", l.dir, others)
}

// Serve begins to load the modules that serve a device, by its modalias. Those that
// are blocked stay out.
func (l *Loader) Serve(modalias string) error {
	modules, err := l.serving(modalias)
	if err != nil {
		return err
	}
	l.start(modules, func(t *task) { t.report = true })
	return nil
}

// Request loads what the kernel asks for, such as "fs-ext4" or "nls_utf8", and waits for
// it. If no module has that name, Request does nothing.
func (l *Loader) Request(name string) error {
	modules, err := l.resolve(name)
	if errors.Is(err, ErrUnknown) {
		return nil
	}
	for _, t := range l.start(modules, nil) {
		<-t.done
		err = errors.Join(err, t.err)
	}
	return err
}

// Wait waits until no module is being loaded.
func (l *Loader) Wait() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.running > 0 {
		l.idle.Wait()
	}
}

// Loaded returns the names of the modules that were loaded since it was last called,
// sorted.
func (l *Loader) Loaded() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	names := l.names
	l.names = nil
	slices.Sort(names)
	return names
}

// resolve returns the modules of a name, an alias or a path. There are none if what has
// the name is part of the kernel, or if an alias is that of blocked modules.
func (l *Loader) resolve(name string) ([]lookup.Module, error) {
	if filepath.IsAbs(name) {
		return l.file(name)
	}
	if m, ok := l.index.Module(name); ok && len(l.config.aliases.Match(name)) == 0 {
		return []lookup.Module{m}, nil
	}
	modules, err := l.serving(name)
	if err != nil || len(modules) > 0 {
		return modules, err
	}
	known, err := l.known(name)
	if err == nil && !known {
		err = ErrUnknown
	}
	return nil, err
}

// known reports whether a name without a module to load is one nevertheless: the kernel
// has it, or it is an alias of a blocked module.
func (l *Loader) known(name string) (bool, error) {
	if l.index.Builtin(name) || l.has(lookup.Name(name)) {
		return true, nil
	}
	if aliased, err := l.aliased(name); err != nil || len(aliased) > 0 {
		return true, err
	}
	return l.index.ServedByKernel(name)
}

// file returns the module of a file. The index says what it needs.
func (l *Loader) file(path string) ([]lookup.Module, error) {
	name, ok := lookup.FileModule(path)
	if !ok {
		return nil, fmt.Errorf("%s: want the path of a file that ends in .ko, .ko.gz, .ko.xz or .ko.zst", path)
	}
	m, _ := l.index.Module(name)
	m.Name, m.File = name, path
	return []lookup.Module{m}, nil
}

// aliased returns the names of the modules that have an alias.
func (l *Loader) aliased(alias string) ([]string, error) {
	if names := l.config.aliases.Match(alias); len(names) > 0 {
		return names, nil
	}
	return l.index.Serving(alias)
}

// serving returns the modules that have an alias, except those that are blocked.
func (l *Loader) serving(alias string) ([]lookup.Module, error) {
	names, err := l.aliased(alias)
	if err != nil {
		return nil, err
	}
	var modules []lookup.Module
	for _, name := range names {
		if m, ok := l.index.Module(name); ok && !l.config.blocked[name] {
			modules = append(modules, m)
		}
	}
	return modules, nil
}

// start begins to load modules with the modules that they need, and returns their tasks. It calls
// prepare, unless that is nil, with each new task before any of them begins.
func (l *Loader) start(modules []lookup.Module, prepare func(*task)) []*task {
	l.mu.Lock()
	defer l.mu.Unlock()
	var tasks []*task
	for _, m := range modules {
		tasks = append(tasks, l.plan(m))
	}
	for _, t := range l.fresh {
		if prepare != nil {
			prepare(t)
		}
	}
	for _, t := range l.fresh {
		l.running++
		l.started.Add(1)
		go l.run(t)
	}
	l.fresh = nil
	return tasks
}

// plan returns the task of a module, whose edges then do not change. The caller has
// locked l.mu. Tasks never wait for each other in a circle: an edge to a task that is
// being planned is left out, as kmod does with modules that it has visited
// (__kmod_module_get_probe_list of kmod's libkmod/libkmod-module.c).
func (l *Loader) plan(m lookup.Module) *task {
	if t, ok := l.tasks[m.Name]; ok {
		return t
	}
	t := &task{module: m, planning: true, done: make(chan struct{})}
	l.tasks[m.Name] = t
	soft := l.index.Softdeps(m.Name).Add(l.config.softdeps[m.Name])
	for _, name := range slices.Backward(m.Depends) {
		if needed, ok := l.index.Module(name); ok {
			if other := l.plan(needed); !other.planning {
				t.needs = append(t.needs, other)
				t.after = append(t.after, other)
			}
		}
	}
	for _, other := range l.planSoft(soft.Pre) {
		t.after = append(t.after, other)
	}
	t.planning = false
	l.fresh = append(l.fresh, t)
	for _, other := range l.planSoft(soft.Post) {
		if slices.Contains(l.fresh, other) {
			other.tryAfter(t)
		}
	}
	return t
}

// planSoft returns the tasks of soft dependencies: of those that exist, and are not being
// planned.
func (l *Loader) planSoft(names []string) []*task {
	var tasks []*task
	for _, name := range names {
		modules, _ := l.resolve(name)
		for _, m := range modules {
			if t := l.plan(m); !t.planning {
				tasks = append(tasks, t)
			}
		}
	}
	return tasks
}

// tryAfter makes t wait for other, unless other waits for t.
func (t *task) tryAfter(other *task) {
	if !other.waitsFor(t, map[*task]bool{}) {
		t.after = append(t.after, other)
	}
}

func (t *task) waitsFor(other *task, seen map[*task]bool) bool {
	if t == other {
		return true
	}
	if seen[t] {
		return false
	}
	seen[t] = true
	return slices.ContainsFunc(t.after, func(next *task) bool { return next.waitsFor(other, seen) })
}

// run does a task when those before it are done.
func (l *Loader) run(t *task) {
	for _, other := range t.after {
		<-other.done
	}
	inserted, err := l.load(t)
	if err != nil {
		t.err = fmt.Errorf("cannot load module %s: %w", t.module.Name, err)
		t.declined = t.declined || errors.Is(err, unix.ENODEV) || errors.Is(err, unix.EOPNOTSUPP)
		if t.report && !t.declined {
			l.report(t.err)
		}
	}
	close(t.done)
	l.mu.Lock()
	defer l.mu.Unlock()
	if inserted {
		l.names = append(l.names, t.module.Name)
	}
	if l.running--; l.running == 0 {
		l.idle.Broadcast()
	}
}

func (l *Loader) load(t *task) (inserted bool, err error) {
	if l.has(t.module.Name) {
		return false, nil
	}
	for _, other := range t.needs {
		if other.err != nil {
			t.declined = other.declined
			return false, fmt.Errorf("it needs %s, which could not be loaded", other.module.Name)
		}
	}
	l.slots <- struct{}{}
	defer func() { <-l.slots }()
	err = l.insert(t.module.File, l.config.Parameters(t.module.Name))
	if errors.Is(err, unix.EEXIST) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("%s: %w", t.module.File, err)
	}
	return true, nil
}
