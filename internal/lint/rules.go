package lint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/image/kernel"
)

// Severity is how bad a finding is.
type Severity string

const (
	// Error marks what will not work.
	Error Severity = "error"
	// Warning marks what may be unintended.
	Warning Severity = "warning"
)

// Rule is one thing that images are checked for.
type Rule struct {
	// ID is the name of the rule, such as no-init.
	ID string
	// Severity is that of its findings by default.
	Severity Severity
	// Summary says what the rule finds, and Fix what to do about it.
	Summary, Fix string
	// IsRequired marks a rule that cannot be turned off, nor be made a warning.
	IsRequired bool
}

// rule is a Rule with its functions. Each one that is not nil is called in the order of the image.
type rule struct {
	Rule
	// entry checks an entry, by its index, even if the kernel drops it.
	entry func(x *contents, i int, report reporter)
	// file checks the file at a path when the image has been unpacked. It is not called if the
	// kernel refuses the image.
	file func(x *contents, at string, file *kernel.File, report reporter)
	// member checks a member, by its index.
	member func(x *contents, i int, report reporter)
	// image checks the image as a whole.
	image func(x *contents, report reporter)
}

// rules is the table of all rules. A rule is a row and its function. The findings of one entry
// come in the order of the table.
var rules = []rule{
	{Rule: Rule{"unpack", Error, "an image that the kernel refuses to unpack, or that is cut off; cannot be turned off",
		"make the image again; packer ls --members shows its structure", true}, image: checkUnpack},
	{Rule: Rule{"no-trailer", Warning, "an image that does not end with a trailer, and may have been cut off",
		"make the image again, or end it with a record TRAILER!!!", false}, image: checkTrailer},
	{Rule: Rule{"codec", Error, "a member whose codec or filter of xz the kernel is built without, or a kernel that does not unpack images (with --config or --kernel-codecs)",
		"compress it with a codec of the kernel, or build the kernel with this one", false}, member: checkCodec, image: checkInitrd},
	{Rule: Rule{"xz-filter", Warning, "a member with a filter of xz that not all versions of the kernel have, if --config does not say what this one has",
		"compress it with another filter or with none", false}, image: checkKernels},
	{Rule: Rule{"missing-parent", Error, "an entry that the kernel silently drops because its directory does not exist",
		"add the directory before it, as packer pack --parents does", false}, entry: checkDropped(true)},
	{Rule: Rule{"dropped", Error, "an entry that the kernel silently drops for another reason",
		"correct the entry, or leave it out", false}, entry: checkDropped(false)},
	{Rule: Rule{"duplicate", Error, "two entries with the same path, unless both are a directory with the same owner and mode, or an index of kernel modules that is for all modules of the image",
		"leave one of them out", false}, entry: checkDuplicate},
	{Rule: Rule{"hard-link", Error, "files that the kernel makes one file of, because their records have the same inode number",
		"give the files different numbers, or make the archive with packer pack", false}, entry: checkNoted("hard-link")},
	{Rule: Rule{"device-number", Error, "a device whose number is too large for the kernel, which makes another device",
		"use a major number up to 4095 and a minor number up to 1048575", false}, entry: checkNoted("device-number")},
	{Rule: Rule{"link-target", Error, "a symbolic link whose target is empty or has a NUL in it",
		"correct the target, or leave the link out", false}, entry: checkNoted("link-target")},
	{Rule: Rule{"early-file", Warning, "microcode or an ACPI table where the kernel does not look for it",
		"put it into an uncompressed archive at the start of the image: packer pack --prepend FILE", false}, entry: checkNoted("early-file")},
	{Rule: Rule{"no-init", Error, "no program that the kernel can start as /init, or as the program of --init",
		"add it as an executable file, or name another program with --init and with rdinit= on the kernel's command line", false}, image: checkInit},
	{Rule: Rule{"interpreter", Error, "an executable script whose interpreter (#!) is missing or not executable",
		"add the interpreter, or correct the first line of the script", false}, file: checkInterpreter},
	{Rule: Rule{"elf-interpreter", Error, "a program whose dynamic loader is missing or not executable",
		"add the loader, or link the program statically", false}, file: checkLoader},
	{Rule: Rule{"library", Error, "a program, or a library of one, linked with a library that is missing, not where loaders look, or without a version of symbols that it requires",
		"add the library, or link the program statically", false}, file: checkLibrary(false)},
	{Rule: Rule{"plugin", Warning, "a shared object that no program is linked with (a plugin), linked with a library that is missing",
		"add the library, or leave the plugin out", false}, file: checkLibrary(true)},
	{Rule: Rule{"dlopen", Warning, "a program or library without the library that it loads by dlopen and that, as a note in it says, it requires",
		"add the library", false}, file: checkDlopen},
	{Rule: Rule{"bad-elf", Warning, "an ELF program or shared object that is cut off or damaged",
		"copy the file again from where it was built", false}, file: checkObject},
	{Rule: Rule{"architecture", Error, "a program or shared object for another architecture than that of --arch, or than the others",
		"build it for the architecture of the kernel, or leave it out", false}, file: checkArch(false)},
	{Rule: Rule{"mixed-class", Warning, "a 32-bit program or shared object beside 64-bit ones, or the reverse",
		"build it for the architecture of the others, or build the kernel to run both", false}, file: checkArch(true)},
	{Rule: Rule{"dangling-symlink", Warning, "a symbolic link to nothing, except below /dev, /proc, /run, /sys and /tmp",
		"add what it points to, or leave it out", false}, file: checkSymlink},
	{Rule: Rule{"whiteout", Warning, "a file that says which files of another layer to hide, which the kernel does not understand",
		"apply the whiteouts: packer pack --whiteouts apply", false}, file: checkWhiteout},
	{Rule: Rule{"owner", Warning, "an image that has nothing of root's, or an owner of -1, which the kernel does not set",
		"pack it with the owner 0:0: packer pack --owner 0:0 for directories", false}, entry: checkNoted("owner"), image: checkOwner},
	{Rule: Rule{"no-console", Warning, "a /dev/console that is not the character device 5:1; with --config of a kernel whose built-in archive is not the default, or if the rule is given a severity, also none",
		"add it: nod /dev/console 0600 0 0 c 5 1", false}, image: checkConsole},
	{Rule: Rule{"setuid", Warning, "a file that runs as its owner or group, whoever starts it",
		"remove the bits: chmod ug-s", false}, file: checkSetuid},
	{Rule: Rule{"world-writable", Warning, "a file that anybody may write to, or such a directory without the sticky bit",
		"remove the permission: chmod o-w; a directory for everybody has mode 1777", false}, file: checkWritable},
	{Rule: Rule{"odd-name", Warning, "a name that programs may misread: it has white space, control characters, invalid UTF-8, an unusual / or .., or a component that begins with a dash; names that begin with ./ or / are reported once",
		"rename it", false}, entry: checkName, image: checkPrefixes},
}

// Rules returns all rules.
func Rules() []Rule {
	var table []Rule
	for _, r := range rules {
		table = append(table, r.Rule)
	}
	return table
}

// ParseRules parses IDs of rules, separated by commas. If off is set, it accepts only rules that
// can be turned off.
func ParseRules(list string, off bool) ([]string, error) {
	ids := strings.Split(list, ",")
	for _, id := range ids {
		i := slices.IndexFunc(rules, func(r rule) bool { return r.ID == id })
		switch {
		case i < 0:
			var known []string
			for _, r := range rules {
				if !off || !r.IsRequired {
					known = append(known, r.ID)
				}
			}
			return nil, fmt.Errorf("unknown rule %q: want one of %s", id, strings.Join(known, ", "))
		case off && rules[i].IsRequired:
			return nil, fmt.Errorf("the rule %s cannot be turned off", id)
		}
	}
	return ids, nil
}
