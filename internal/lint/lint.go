// Package lint finds what is wrong with an image before it boots: what a kernel
// would refuse or drop in silence, and programs that could not run.
package lint

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"math"
	"slices"

	"github.com/rules-initramfs/rules_initramfs/internal/image"
	"github.com/rules-initramfs/rules_initramfs/internal/image/kernel"
)

// Options say what an image is for, and which rules count.
type Options struct {
	// Off are the IDs of rules that are not applied, which unpack always is;
	// Errors, of those whose findings are errors though they would be warnings, and
	// Warnings the other way round. Off wins, then Errors.
	Off, Errors, Warnings []string
	// Init is the program that the kernel starts: its rdinit= parameter, or /init.
	Init string
	// Arch is what the programs are to be made for; nil if any will do, as long as
	// it is the same for all.
	Arch *Arch
	// Kernel is what the kernel is built with; nil if that is not known.
	Kernel *Kernel
}

// Finding is something that is wrong.
type Finding struct {
	// Rule is the ID of the rule that found it.
	Rule     string
	Severity Severity
	// Entry is the absolute path that the kernel gives the entry; "member N" for a
	// member, and "image" for the whole. It may have any bytes but NUL.
	Entry string
	// Message says what is wrong, and Fix what to do. Names in them may have any
	// bytes but NUL.
	Message, Fix string
}

// reporter takes a finding of a rule: what is wrong and, where the rule's own
// words do not do, how to fix it.
type reporter func(entry, message, fix string)

// Run reads an image to its end and reports what is wrong with it, in the order
// of its entries; what no entry stands for comes last. An image that the kernel
// would refuse is a finding; an error is that of reading it, or one of report.
//
// Memory grows with the number of entries, not with their content.
func Run(img *image.Reader, o Options, report func(Finding) error) error {
	x, err := read(img, o)
	if err != nil {
		return err
	}
	active, failed := activeRules(o, report)
	members := 0
	judgeMembers := func(end int) {
		for ; members < end; members++ {
			for _, r := range active {
				if r.member != nil {
					r.member(x, members, r.report)
				}
			}
		}
	}
	for i := range x.entries {
		judgeMembers(int(x.entries[i].member) + 1)
		file := x.entries[i].file
		for _, r := range active {
			if r.entry != nil {
				r.entry(x, i, r.report)
			}
			if r.file != nil && file != nil {
				r.file(x, x.entries[i].path, file, r.report)
			}
		}
		if *failed != nil {
			return *failed
		}
	}
	judgeMembers(len(x.members))
	for _, r := range active {
		if r.image != nil {
			r.image(x, r.report)
		}
	}
	return *failed
}

// activeRule is a rule that is applied.
type activeRule struct {
	*rule
	report reporter
}

// activeRules returns the rules that are applied, and where the first error of
// report will be.
func activeRules(o Options, report func(Finding) error) ([]activeRule, *error) {
	var active []activeRule
	var failed error
	for i := range rules {
		r := &rules[i]
		if r.ID != unpackID && slices.Contains(o.Off, r.ID) {
			continue
		}
		severity := r.Severity
		switch {
		case slices.Contains(o.Errors, r.ID):
			severity = Error
		case r.ID != unpackID && slices.Contains(o.Warnings, r.ID):
			severity = Warning
		}
		active = append(active, activeRule{r, func(entry, message, fix string) {
			if fix == "" {
				fix = r.Fix
			}
			if failed == nil {
				failed = report(Finding{r.ID, severity, entry, message, fix})
			}
		}})
	}
	return active, &failed
}

// errEntries reports an image that has more entries than can be counted.
var errEntries = errors.New("more than 2147483647 entries")

// read reads an image to its end, or to where the kernel would refuse it.
func read(img *image.Reader, o Options) (*contents, error) {
	if o.Init == "" {
		o.Init = "/init"
	}
	x := &contents{
		options: o,
		latest:  map[string]int32{},
		details: map[int32]string{},
		names:   map[int32]string{},
	}
	p := newProber()
	defer p.close()
	model, err := kernel.ReadModel(img, false, func(e *image.Entry, made kernel.Result, body io.Reader) error {
		if err := x.add(e, made); err != nil || made.File == nil || made.File.Body != e.Index {
			return err
		}
		return p.probe(made.File, made.Path, body)
	})
	x.members, x.trailer = img.Members(), img.Trailer()
	x.programs, x.texts = p.programs, p.texts
	switch fault, ok := errors.AsType[*image.Error](err); {
	case err == nil:
		x.settle(model)
		x.link()
	case ok && !isReadError(err):
		x.fault = fault
	default:
		return nil, err
	}
	return x, nil
}

// isReadError tells an image that could not be read from one that is bad.
func isReadError(err error) bool {
	_, ok := errors.AsType[*fs.PathError](err)
	return ok || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// contents is what the rules judge.
type contents struct {
	options Options
	entries []entry
	// latest has the index of the last entry of each path; nil at the image's end.
	latest map[string]int32
	// details says of the entries that were dropped why; names has the names that
	// are odd and are not the path without its slash.
	details, names map[int32]string
	members        []image.Member
	trailer        bool
	// fault is where the kernel would refuse the image; nil if nowhere.
	fault *image.Error

	// Of an image that was read to its end:
	model *kernel.Model
	// programs are the files that the kernel can run, or a loader can load; texts
	// are what loaders read.
	programs map[*kernel.File]*program
	// ordered has the programs by their first paths.
	ordered []*program
	texts   map[*kernel.File]string
	// native is the architecture of the programs, and nativePath the program that
	// tells; nil if there are none.
	native     *Arch
	nativePath string
	// unknown are architectures that are not in the table.
	unknown map[archKey]*Arch
}

// entry is what the rules ask of an entry.
type entry struct {
	// path is where the kernel put it.
	path string
	// file is what has the path at the image's end, if this entry was the last to
	// give it the path; else nil, and so it is until the end.
	file           *kernel.File
	mode, uid, gid uint32
	member         int32
	// earlier is the index of the last entry before it that has the path, or -1.
	earlier int32
	drop    kernel.Drop
	// odd tells that the entry's name is one to judge.
	odd bool
}

func (x *contents) add(e *image.Entry, made kernel.Result) error {
	if len(x.entries) == math.MaxInt32 {
		return errEntries
	}
	i := len(x.entries)
	added := entry{made.Path, nil, e.Mode, e.UID, e.GID, int32(e.Member), -1, made.Drop, false}
	if made.Drop == 0 {
		if at, ok := x.latest[made.Path]; ok {
			added.earlier = at
		}
		x.latest[made.Path] = int32(i)
	} else {
		x.details[int32(i)] = made.Detail
	}
	if added.odd = oddities(e.Name) != nil; added.odd && e.Name != made.Path[1:] {
		x.names[int32(i)] = e.Name
	}
	x.entries = append(x.entries, added)
	return nil
}

// pathOf returns the first path of a program.
func (x *contents) pathOf(p *program) string { return x.entries[p.first].path }

// isFirst tells whether a path is the first one of a program.
func (x *contents) isFirst(p *program, at string) bool { return p.first >= 0 && x.pathOf(p) == at }

// settle gives the entries what is there of them at the image's end.
func (x *contents) settle(model *kernel.Model) {
	x.model = model
	for i := range x.entries {
		if e := &x.entries[i]; e.drop == 0 && x.latest[e.path] == int32(i) {
			e.file = model.Files[e.path]
		}
	}
	x.latest = nil
}
