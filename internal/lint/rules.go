package lint

import (
	"fmt"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/image/kernel"
)

// Severity is how bad a finding is.
type Severity string

const (
	// Error is what will not work.
	Error Severity = "error"
	// Warning is what may not be meant.
	Warning Severity = "warning"
)

// Rule is what images are judged by.
type Rule struct {
	// ID names the rule, such as no-init.
	ID       string
	Severity Severity
	// Summary says what the rule finds; Fix, what to do about it.
	Summary, Fix string
}

// rule is a Rule and what finds: each function is called, if it is not nil, for
// all that it is for, in the image's order.
type rule struct {
	Rule
	// entry judges an entry, by its index, whatever became of it.
	entry func(x *contents, i int, report reporter)
	// file judges what has a path when the image has been unpacked. It and those
	// below need not expect an image that was not read to its end.
	file func(x *contents, at string, file *kernel.File, report reporter)
	// member judges a member, by its index.
	member func(x *contents, i int, report reporter)
	// image judges the whole.
	image func(x *contents, report reporter)
}

// unpackID is the rule that is never off.
const unpackID = "unpack"

// rules is the table of all: a rule is a function and a row. The findings of one
// entry have the order of the table.
var rules = []rule{
	{Rule: Rule{unpackID, Error, "what the kernel refuses to unpack, or an image that is cut off; cannot be turned off",
		"make the image again; packer ls --members shows how it is put together"}, image: checkUnpack},
	{Rule: Rule{"no-trailer", Warning, "no trailer at the end of the image, which may have been cut off",
		"make the image again, or end it with a record TRAILER!!!"}, image: checkTrailer},
	{Rule: Rule{"codec", Error, "a member whose codec the kernel is not built with, or a kernel that unpacks no image (with --config or --kernel-codecs)",
		"compress it with a codec of the kernel, or build the kernel with this one"}, member: checkCodec, image: checkInitrd},
	{Rule: Rule{"missing-parent", Error, "an entry that the kernel drops in silence, for its directory is not there",
		"add the directory before it; packer pack --parents does"}, entry: checkParent},
	{Rule: Rule{"dropped", Error, "an entry that the kernel drops in silence for another reason",
		"correct the entry, or leave it out"}, entry: checkDropped},
	{Rule: Rule{"duplicate", Error, "a path that two entries have; a directory with the same owner and permissions is none",
		"leave one of them out"}, entry: checkDuplicate},
	{Rule: Rule{"no-init", Error, "no program that the kernel could start: /init, or that of --init",
		"add it as an executable file, or name another with --init and the kernel's rdinit="}, image: checkInit},
	{Rule: Rule{"interpreter", Error, "an executable script whose interpreter (#!) is missing or is not executable",
		"add the interpreter, or correct the script's first line"}, file: checkInterpreter},
	{Rule: Rule{"elf-interpreter", Error, "a program whose dynamic loader is missing or is not executable",
		"add the loader, or link the program statically"}, file: checkLoader},
	{Rule: Rule{"library", Error, "a shared object that a program or another one is linked with, and that is not where loaders look",
		"add the library, or link the program statically"}, file: checkLibrary},
	{Rule: Rule{"bad-elf", Warning, "an ELF program or shared object that is cut off or damaged",
		"add the file again from where it was built"}, file: checkObject},
	{Rule: Rule{"architecture", Error, "a program or shared object for another architecture than that of --arch, or of the rest",
		"build it for the architecture of the kernel, or leave it out"}, file: checkArch},
	{Rule: Rule{"mixed-class", Warning, "a 32-bit program or shared object beside 64-bit ones, or the other way round",
		"build it for the architecture of the rest, or build the kernel to run both"}, file: checkClass},
	{Rule: Rule{"dangling-symlink", Warning, "a symbolic link that leads nowhere; into /dev, /proc, /run, /sys and /tmp is fine",
		"add what it leads to, or leave it out"}, file: checkSymlink},
	{Rule: Rule{"no-console", Warning, "no character device /dev/console with the numbers 5:1",
		"add it: nod /dev/console 0600 0 0 c 5 1"}, image: checkConsole},
	{Rule: Rule{"setuid", Warning, "a file that runs as its owner or group, whoever starts it",
		"take the bit away: chmod ug-s"}, file: checkSetuid},
	{Rule: Rule{"world-writable", Warning, "a file that anybody may write to, or such a directory without its sticky bit",
		"take the permission away: chmod o-w; a directory for all has mode 1777"}, file: checkWritable},
	{Rule: Rule{"odd-name", Warning, "a name that programs misread: white space, control characters, no UTF-8, ./, / or .. in it, a component with a dash in front",
		"name it otherwise"}, entry: checkName},
}

// Rules returns the table.
func Rules() []Rule {
	var table []Rule
	for _, r := range rules {
		table = append(table, r.Rule)
	}
	return table
}

// ParseRules returns the IDs in a list with commas, which are all of known
// rules; of such that can be turned off, if they are to be.
func ParseRules(list string, off bool) ([]string, error) {
	var known []string
	for _, r := range rules {
		if !off || r.ID != unpackID {
			known = append(known, r.ID)
		}
	}
	var ids []string
next:
	for id := range strings.SplitSeq(list, ",") {
		for _, other := range known {
			if id == other {
				ids = append(ids, id)
				continue next
			}
		}
		if id == unpackID {
			return nil, fmt.Errorf("the rule %s cannot be turned off", id)
		}
		return nil, fmt.Errorf("unknown rule %q: want of %s", id, strings.Join(known, ", "))
	}
	return ids, nil
}
