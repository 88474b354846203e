package modules

import "strings"

// Info is what a module says of itself (MODULE_INFO in include/linux/module.h), in its order.
type Info []Field

// Field is one line of what modinfo prints.
type Field struct{ Key, Value string }

// parseInfo reads the content of a section .modinfo: texts of KEY=VALUE, each with a NUL after it,
// and NULs between them (kmod_elf_get_modinfo_strings in libkmod/libkmod-elf.c). A text without =
// is a key without a value.
func parseInfo(section string) Info {
	var info Info
	for text := range strings.SplitSeq(section, "\x00") {
		if text != "" {
			key, value, _ := strings.Cut(text, "=")
			info = append(info, Field{key, value})
		}
	}
	return info
}

// Values returns the values of a key, in order.
func (info Info) Values(key string) []string {
	var values []string
	for _, f := range info {
		if f.Key == key {
			values = append(values, f.Value)
		}
	}
	return values
}

// Value returns the first value of a key, or "".
func (info Info) Value(key string) string {
	for _, f := range info {
		if f.Key == key {
			return f.Value
		}
	}
	return ""
}

// Depends returns the names of the modules whose symbols the module needs, as modpost wrote them
// when the module was built (scripts/mod/modpost.c, add_depends).
func (info Info) Depends() []string {
	var names []string
	for _, value := range info.Values("depends") {
		for name := range strings.SplitSeq(value, ",") {
			if name != "" {
				names = append(names, Name(name))
			}
		}
	}
	return names
}

// Softdeps returns the names of the modules that modprobe loads before and after the module, if
// they are there (MODULE_SOFTDEP; kmod_config_add_softdep in libkmod/libkmod-config.c). A name may
// be an alias. What stands before "pre:" and "post:" is ignored.
func (info Info) Softdeps() (pre, post []string) {
	for _, value := range info.Values("softdep") {
		var list *[]string
		for _, word := range strings.Fields(value) {
			switch {
			case word == "pre:":
				list = &pre
			case word == "post:":
				list = &post
			case list != nil:
				*list = append(*list, word)
			}
		}
	}
	return pre, post
}

// Weakdeps returns the names of modules that the module may ask for when it runs (MODULE_WEAKDEP).
// Nothing loads them by itself, but an image should have them. A name may be an alias.
func (info Info) Weakdeps() []string {
	var names []string
	for _, value := range info.Values("weakdep") {
		names = append(names, strings.Fields(value)...)
	}
	return names
}

// Aliases returns the patterns of what the module is for (MODULE_ALIAS, MODULE_DEVICE_TABLE), such
// as pci:v00001AF4d*sv*sd*bc*sc*i*.
func (info Info) Aliases() []string { return info.Values("alias") }

// Firmware returns the names of firmware files that the module may ask for (MODULE_FIRMWARE). They
// are relative to /lib/firmware, and may be patterns.
func (info Info) Firmware() []string { return info.Values("firmware") }

// Vermagic returns what must be the same in the kernel that loads the module: its release, and
// some of its configuration (include/linux/vermagic.h).
func (info Info) Vermagic() string { return info.Value("vermagic") }
