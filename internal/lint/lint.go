// Package lint finds what is wrong with an image before it boots: what a kernel would refuse or
// silently drop, and programs that could not run.
package lint

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"math"
	"slices"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/elf"
	"github.com/rules-initramfs/rules_initramfs/internal/image"
	"github.com/rules-initramfs/rules_initramfs/internal/image/kernel"
)

// Options say what an image is for, and which rules apply.
type Options struct {
	// Off has the IDs of rules that do not apply; the rule "unpack" always does. The findings
	// of the rules in Errors are errors, and of those in Warnings warnings, whatever their
	// default is. Off takes precedence, then Errors.
	Off, Errors, Warnings []string
	// Init is the program that the kernel starts: its rdinit= parameter. Default: /init.
	Init string
	// Arch is the architecture that the programs must be built for. The zero Arch allows any
	// one, if it is the same for all programs.
	Arch elf.Arch
	// Kernel is the configuration of the kernel; nil if it is not known.
	Kernel *Kernel
}

// Finding is something that is wrong.
type Finding struct {
	// Rule is the ID of the rule that found it.
	Rule     string
	Severity Severity
	// Entry is the absolute path that the kernel gives the entry, "member N" for a member, or
	// "image" for the whole image. It may have any bytes but NUL.
	Entry string
	// Message says what is wrong, and Fix what to do. Names in them may have any bytes but NUL.
	Message, Fix string
}

// reporter gets a finding of a rule: what is wrong, and how to fix it. If fix is empty, the
// rule's own Fix is used.
type reporter func(entry, message, fix string)

// Run reads an image to its end and reports what is wrong with it, in the order of its entries.
// Findings that belong to no entry come last. An image that the kernel would refuse is a
// finding; an error is one of reading the image or of report.
//
// Memory grows with the number of entries, not with their content.
func Run(img *image.Reader, o Options, report func(Finding) error) error {
	x, err := read(img, o)
	if err != nil {
		return err
	}
	var failed error // the first error of report
	active := activeRules(o, func(f Finding) {
		if failed == nil {
			failed = report(f)
		}
	})
	members := 0
	checkMembers := func(end int) {
		for ; members < end; members++ {
			for _, r := range active {
				if r.member != nil {
					r.member(x, members, r.report)
				}
			}
		}
	}
	for i := range x.entries {
		checkMembers(int(x.entries[i].member) + 1)
		file := x.entries[i].file
		for _, r := range active {
			if r.entry != nil {
				r.entry(x, i, r.report)
			}
			if r.file != nil && file != nil {
				r.file(x, x.entries[i].path, file, r.report)
			}
		}
		if failed != nil {
			return failed
		}
	}
	checkMembers(len(x.members))
	for _, r := range active {
		if r.image != nil {
			r.image(x, r.report)
		}
	}
	if failed == nil && x.model != nil {
		failed = x.model.Err() // the rules look up paths too
	}
	return failed
}

// activeRule is a rule that applies.
type activeRule struct {
	*rule
	report reporter
}

// maxMessage is how many bytes of a message are reported: symbolic links that lead to each other make
// long paths of short targets.
const maxMessage = 8 << 10

// activeRules returns the rules that apply.
func activeRules(o Options, report func(Finding)) []activeRule {
	var active []activeRule
	for i := range rules {
		r := &rules[i]
		if !r.IsRequired && slices.Contains(o.Off, r.ID) {
			continue
		}
		severity := r.Severity
		switch {
		case slices.Contains(o.Errors, r.ID):
			severity = Error
		case !r.IsRequired && slices.Contains(o.Warnings, r.ID):
			severity = Warning
		}
		active = append(active, activeRule{r, func(entry, message, fix string) {
			if len(message) > maxMessage {
				message = message[:maxMessage] + "..."
			}
			report(Finding{r.ID, severity, entry, message, cmp.Or(fix, r.Fix)})
		}})
	}
	return active
}

// errEntries reports an image with more entries than fit an index.
var errEntries = errors.New("more than 2147483647 entries")

// read reads an image to its end, or to the point at which the kernel would refuse it.
func read(img *image.Reader, o Options) (*contents, error) {
	if o.Init == "" {
		o.Init = "/init"
	}
	x := &contents{
		options: o, latest: map[string]int32{}, details: map[int32]string{}, names: map[int32]string{},
		notes: map[string]map[int32]string{}, inodes: map[inodeKey]*inode{},
		programs: map[*kernel.File]*program{}, configurations: map[*kernel.File]*elf.File{},
	}
	defer x.reader.Close()
	model, err := kernel.ReadModel(img, false, func(e *image.Entry, made kernel.Result, body io.Reader) error {
		if err := x.add(e, made); err != nil {
			return err
		}
		h := x.checkRecord(e, img.Members()[e.Member].Codec, made)
		if h != nil {
			body = io.TeeReader(body, h)
		}
		if made.File != nil && made.File.Body == e.Index {
			if err := x.probe(made.File, made.Path, body); err != nil {
				return err
			}
		}
		if h == nil {
			return nil
		}
		return endContent(h, body)
	})
	x.endHardLinks()
	x.members, x.trailer = img.Members(), img.Trailer()
	switch refused, ok := errors.AsType[*image.Error](err); {
	case err == nil:
		x.settle(model)
		if p, _ := x.runner(x.options.Init); p.object() != nil {
			p.elf.IsFirst = true
		}
		x.findNative(elf.Resolve(x, elf.Options{}))
	case ok && !isReadError(err):
		x.refused = refused
	default:
		return nil, err
	}
	return x, nil
}

// isReadError reports whether an image could not be read, as opposed to being bad.
func isReadError(err error) bool {
	_, ok := errors.AsType[*fs.PathError](err)
	return ok || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// contents is what the rules check. It is an elf.System.
type contents struct {
	options Options
	entries []entry
	// archives has the index of the first entry of each archive but the first.
	archives []int32
	// latest has the index of the last entry of each path; nil at the image's end.
	latest map[string]int32
	// details has the reasons for which entries were dropped. names has the names that are
	// odd, unless they are the path without its slash.
	details, names map[int32]string
	// notes has the findings that were made while the image was read, by the ID of their rule.
	notes   map[string]map[int32]string
	members []image.Member
	trailer bool
	// ended counts the archives that have ended.
	ended int
	// refused is why the kernel would refuse the image; nil if it would not.
	refused *image.Error

	// early follows the kernel's search for early files.
	early image.EarlySearch
	// inodes are the files with several names since the last trailer, and inodeOrder has them
	// in order. trailers counts the trailers.
	inodes     map[inodeKey]*inode
	inodeOrder []*inode
	trailers   int
	// hasRoot is set if root owns something. notRoot says who owns the first entry that root
	// does not. prefixed counts the names with each of prefixes,
	// and firstPrefixed has the first of them.
	hasRoot       bool
	notRoot       string
	prefixed      [len(prefixes)]int
	firstPrefixed [len(prefixes)]string

	// reader and head are for the content of files while the image is read.
	reader elf.Reader
	head   [bufferSize]byte
	// programs are the files that the kernel can run, or a loader can load, and configurations the
	// configuration files of loaders.
	programs       map[*kernel.File]*program
	configurations map[*kernel.File]*elf.File

	// What follows is set if the image was read to its end.

	model *kernel.Model
	// executables has a path for each base name of an executable file, once a rule needs it.
	executables map[string]string
	// moduleDirectories are the directories of kernel modules that have indexes, once the rule
	// duplicate needs them.
	moduleDirectories map[string]*moduleDirectory
	// native is the architecture of the programs, and nativePath the program that decides
	// it; zero if there are none.
	native     elf.Arch
	nativePath string
}

// entry is what the rules need of an entry.
type entry struct {
	// path is where the kernel put it.
	path string
	// file is the file at the path when the image has been unpacked, if this entry was the last
	// one with the path; else nil. It is nil until the image has been read.
	file           *kernel.File
	mode, uid, gid uint32
	member         int32
	// earlier is the index of the last entry before it with the same path, or -1.
	earlier int32
	drop    kernel.Drop
	// odd marks an entry whose name checkName reports.
	odd bool
}

func (x *contents) add(e *image.Entry, made kernel.Result) error {
	if len(x.entries) == math.MaxInt32 {
		return errEntries
	}
	i := len(x.entries)
	added := entry{made.Path, nil, e.Mode, e.UID, e.GID, int32(e.Member), -1, made.Drop, oddities(e.Name) != nil}
	if made.Drop == 0 {
		if at, ok := x.latest[made.Path]; ok {
			added.earlier = at
		}
		x.latest[made.Path] = int32(i)
	} else {
		x.details[int32(i)] = made.Detail
	}
	if added.odd && e.Name != made.Path[1:] {
		x.names[int32(i)] = e.Name
	}
	if e.Trailers != x.ended {
		x.ended = e.Trailers
		x.archives = append(x.archives, int32(i))
	}
	x.entries = append(x.entries, added)
	return nil
}

// settle finds the files of the entries, and the paths of the programs, when the image has been
// unpacked.
func (x *contents) settle(model *kernel.Model) {
	x.model = model
	for i := range x.entries {
		e := &x.entries[i]
		if e.drop != 0 || x.latest[e.path] != int32(i) {
			continue
		}
		e.file = model.Files[e.path]
		p := x.programs[e.file]
		switch {
		case p == nil:
		case !p.isScript && elf.IsData(e.path):
			delete(x.programs, e.file)
		case p.path == "":
			p.path = e.path
			if p.elf != nil {
				p.elf.IsExecutable = isExecutable(e.file)
			}
		}
	}
	x.latest = nil
}

// Files implements elf.System.
func (x *contents) Files() iter.Seq2[string, *elf.File] {
	return func(yield func(string, *elf.File) bool) {
		for i := range x.entries {
			if e := &x.entries[i]; e.file != nil && !yield(e.path, x.elfFile(e.file)) {
				return
			}
		}
	}
}

var directory = &elf.File{IsDir: true}

// Lookup implements elf.System.
func (x *contents) Lookup(name string) (*elf.File, string) {
	file, at, err := x.model.Lookup(name)
	switch {
	case err != nil:
		return nil, at
	case file.Type() == cpio.TypeDir:
		return directory, at
	}
	return x.elfFile(file), at
}

func (x *contents) elfFile(file *kernel.File) *elf.File {
	if p := x.programs[file]; p != nil {
		return p.elf
	}
	return x.configurations[file]
}
