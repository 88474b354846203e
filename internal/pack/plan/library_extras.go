package plan

import (
	"io"
	"path"
	"slices"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/elf"
	"github.com/rules-initramfs/rules_initramfs/internal/list"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/source"
)

// The GNU C library loads some libraries by itself, which no program and no note names.

// threadLibrary unwinds the stack of a thread that is canceled (sysdeps/nptl/unwind-forcedunwind.c of
// the GNU C library, LIBGCC_S_SO).
const threadLibrary = "libgcc_s.so.1"

// extraLibraries returns the shared objects of source.LibraryExtras, except those of gconv, which have
// no fixed names.
func (c *closure) extraLibraries() (names []string) {
	if slices.Contains(c.Extras, source.ExtraGCC) {
		names = append(names, threadLibrary)
	}
	if slices.Contains(c.Extras, source.ExtraNSS) {
		for _, service := range c.nameServices() {
			names = append(names, serviceLibrary(service))
		}
	}
	return names
}

// builtInServices are in the C library itself since version 2.34.
var builtInServices = []string{"files", "dns"}

func serviceLibrary(service string) string { return "libnss_" + service + ".so.2" }

func isBuiltInService(name string) bool {
	return slices.ContainsFunc(builtInServices, func(service string) bool { return serviceLibrary(service) == name })
}

// maxServiceText is the largest nsswitch.conf that is read, in bytes.
const maxServiceText = 64 << 10

// nameServices returns the services that the origin's /etc/nsswitch.conf names, as nsswitch.conf(5)
// has it, and those that are used without one.
func (c *closure) nameServices() []string {
	n, _ := c.walk("/etc/nsswitch.conf", nil)
	if n == nil || n.isSpare() || n.entry == nil || n.entry.Kind != list.File {
		return builtInServices
	}
	content, err := source.OpenContent(n.entry)
	if err != nil {
		return builtInServices // packing reports it
	}
	defer content.Close()
	text, err := io.ReadAll(io.LimitReader(content.Reader, maxServiceText))
	if err != nil {
		return builtInServices
	}
	return parseServices(string(text))
}

// parseServices returns the services of an nsswitch.conf, each once, in their order. A line is
// DATABASE: SERVICE [STATUS=ACTION...] SERVICE...
func parseServices(text string) []string {
	var services []string
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		_, line, _ = strings.Cut(line, ":")
		for line != "" {
			before, action, _ := strings.Cut(line, "[")
			for service := range strings.FieldsSeq(before) {
				if !strings.Contains(service, "/") && !slices.Contains(services, service) {
					services = append(services, service)
				}
			}
			_, line, _ = strings.Cut(action, "]")
		}
	}
	return services
}

// takeConversions takes the modules of iconv(3) for the architectures of the programs, and their
// configuration: everything in directories gconv (iconv/gconv_conf.c of the GNU C library).
func (c *closure) takeConversions() {
	if !slices.Contains(c.Extras, source.ExtraGconv) {
		return
	}
	archs := map[elf.Arch]bool{}
	for _, at := range c.paths {
		if n := c.nodes[at]; !n.isSpare() && n.file != nil && n.file.Object != nil && n.file.Object.Interp != "" {
			archs[n.file.Object.Arch] = true
		}
	}
	isTaken := false
	for _, at := range c.paths {
		n := c.nodes[at]
		if !isConversion(at) || !n.isSpare() || n.isDir() || n.file != nil && (n.file.Object == nil || !archs[n.file.Object.Arch]) {
			continue
		}
		n.reason = "the extra library gconv"
		if n.file != nil {
			n.file.IsSpare, isTaken = false, true
		}
	}
	if !isTaken {
		c.errors.Add(c.Errorf("no source has the modules of iconv: a directory gconv below /usr/lib with modules for the architecture of the programs"))
	}
}

// isConversion reports whether a path is below a directory gconv.
func isConversion(at string) bool {
	return strings.HasPrefix(strings.TrimPrefix(at, "/usr"), "/lib") && strings.Contains(path.Dir(at)+"/", "/gconv/")
}
