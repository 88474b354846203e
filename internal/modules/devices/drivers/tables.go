package drivers

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// table is a kind of table with which drivers name their devices.
type table struct {
	// bus is its name for MODULE_DEVICE_TABLE.
	bus string
	// fields are those of its struct (include/linux/device-id), in their order as far as aliases
	// need them.
	fields []string
	// aliases returns what scripts/mod/file2alias.c makes of an entry. What an entry has not is
	// empty or 0. There is none for the entry that ends a table.
	aliases func(*entry) []string
}

// tables are the kinds of tables that are read, by the names of their structs.
var tables = map[string]table{
	"of_device_id":       {"of", []string{"name", "type", "compatible"}, ofAliases},
	"i2c_device_id":      {"i2c", []string{"name"}, named("i2c:")},
	"spi_device_id":      {"spi", []string{"name"}, named("spi:")},
	"platform_device_id": {"platform", []string{"name"}, named("platform:")},
	"acpi_device_id":     {"acpi", []string{"id", "", "cls", "cls_msk"}, acpiAliases},
	"amba_id":            {"amba", []string{"id", "mask"}, ambaAliases},
	"mdio_device_id":     {"mdio", []string{"phy_id", "phy_id_mask"}, mdioAliases},
	"virtio_device_id":   {"virtio", []string{"device", "vendor"}, virtioAliases},
	"hid_device_id":      {"hid", []string{"bus", "group", "vendor", "product"}, hidAliases},
	"sdio_device_id":     {"sdio", []string{"class", "vendor", "device"}, sdioAliases},
	"pci_device_id": {"pci", []string{"vendor", "device", "subvendor", "subdevice", "class", "class_mask", "", "override_only"},
		pciAliases},
	"usb_device_id": {"usb", []string{"match_flags", "idVendor", "idProduct", "bcdDevice_lo", "bcdDevice_hi",
		"bDeviceClass", "bDeviceSubClass", "bDeviceProtocol",
		"bInterfaceClass", "bInterfaceSubClass", "bInterfaceProtocol", "bInterfaceNumber"}, usbAliases},
}

// entry has the values of a table's entry that could be read.
type entry struct {
	texts   map[string]string
	numbers map[string]uint64
}

// part returns a number of an alias after its letter, or * if it is not to match.
func part(letter string, digits int, matters bool, value uint64) string {
	if !matters {
		return letter + "*"
	}
	return letter + fmt.Sprintf("%0*X", digits, value&(1<<(4*digits)-1))
}

func any32(value uint64) bool { return uint32(value) == 0xffffffff }

func withStar(alias string) []string { return []string{strings.TrimSuffix(alias, "*") + "*"} }

func ofAliases(e *entry) []string {
	name, kind, compatible := e.texts["name"], e.texts["type"], e.texts["compatible"]
	if name+kind+compatible == "" {
		return nil
	}
	alias := "of:N" + orStar(name) + "T" + orStar(kind)
	if compatible != "" {
		if kind != "" {
			alias += "*"
		}
		alias += "C" + compatible
	}
	alias = strings.Map(func(r rune) rune {
		if strings.ContainsRune(" \t\n\v\f\r", r) {
			return '_'
		}
		return r
	}, alias)
	return []string{alias, alias + "C*"}
}

func orStar(text string) string {
	if text == "" {
		return "*"
	}
	return text
}

// named returns the aliases of tables that have names only.
func named(prefix string) func(*entry) []string {
	return func(e *entry) []string {
		if e.texts["name"] == "" {
			return nil
		}
		return []string{prefix + e.texts["name"]}
	}
}

func acpiAliases(e *entry) []string {
	if id := e.texts["id"]; id != "" {
		return []string{"acpi*:" + id + ":*"}
	}
	if e.numbers["cls"] == 0 {
		return nil
	}
	class := ""
	for shift := 16; shift >= 0; shift -= 8 {
		if e.numbers["cls_msk"]>>shift&0xff != 0 {
			class += fmt.Sprintf("%02x", e.numbers["cls"]>>shift&0xff)
		} else {
			class += "??"
		}
	}
	return []string{"acpi*:" + class + ":*"}
}

func ambaAliases(e *entry) []string {
	id, mask := e.numbers["id"], e.numbers["mask"]
	if mask == 0 {
		return nil
	}
	alias := "amba:d"
	for shift := 28; shift >= 0; shift -= 4 {
		digit, bits := id>>shift&0xf, mask>>shift&0xf
		switch bits {
		case 0:
			alias += "?"
		case 0xf:
			alias += fmt.Sprintf("%X", digit)
		default:
			alias += "["
			for i := range uint64(16) {
				if i&bits == digit {
					alias += fmt.Sprintf("%X", i)
				}
			}
			alias += "]"
		}
	}
	return []string{alias}
}

func mdioAliases(e *entry) []string {
	if e.numbers["phy_id_mask"] == 0 {
		return nil
	}
	alias := []byte("mdio:")
	for bit := 31; bit >= 0; bit-- {
		switch {
		case e.numbers["phy_id_mask"]>>bit&1 == 0:
			alias = append(alias, '?')
		default:
			alias = append(alias, '0'+byte(e.numbers["phy_id"]>>bit&1))
		}
	}
	return []string{string(alias)}
}

func virtioAliases(e *entry) []string {
	device, vendor := e.numbers["device"], e.numbers["vendor"]
	if device == 0 {
		return nil
	}
	return withStar("virtio:" + part("d", 8, !any32(device), device) + part("v", 8, !any32(vendor), vendor))
}

func hidAliases(e *entry) []string {
	n := e.numbers
	if n["bus"]|n["group"]|n["vendor"]|n["product"] == 0 {
		return nil
	}
	// HID_BUS_ANY and HID_GROUP_ANY are 0xffff and 0 in include/linux/device-id/hid.h.
	return []string{"hid:" + part("b", 4, n["bus"] != 0xffff, n["bus"]) + part("g", 4, n["group"] != 0, n["group"]) +
		part("v", 8, !any32(n["vendor"]), n["vendor"]) + part("p", 8, !any32(n["product"]), n["product"])}
}

func sdioAliases(e *entry) []string {
	n := e.numbers
	if n["class"]|n["vendor"]|n["device"] == 0 {
		return nil
	}
	class, vendor, device := n["class"]&0xff, n["vendor"]&0xffff, n["device"]&0xffff
	return withStar("sdio:" + part("c", 2, class != 0xff, class) + part("v", 4, vendor != 0xffff, vendor) + part("d", 4, device != 0xffff, device))
}

func pciAliases(e *entry) []string {
	n := e.numbers
	if n["vendor"]|n["device"]|n["subvendor"]|n["class_mask"] == 0 {
		return nil
	}
	bus := "pci:"
	switch n["override_only"] {
	case 0:
	case 1: // PCI_ID_F_VFIO_DRIVER_OVERRIDE
		bus = "vfio_pci:"
	default:
		return nil
	}
	class, mask := n["class"], n["class_mask"]
	return withStar(bus + part("v", 8, !any32(n["vendor"]), n["vendor"]) + part("d", 8, !any32(n["device"]), n["device"]) +
		part("sv", 8, !any32(n["subvendor"]), n["subvendor"]) + part("sd", 8, !any32(n["subdevice"]), n["subdevice"]) +
		part("bc", 2, mask>>16&0xff == 0xff, class>>16) + part("sc", 2, mask>>8&0xff == 0xff, class>>8) +
		part("i", 2, mask&0xff == 0xff, class))
}

// Bits of match_flags (USB_DEVICE_ID_MATCH_* in include/linux/device-id/usb.h).
const (
	usbVendor = 1 << iota
	usbProduct
	usbDeviceLow
	usbDeviceHigh
	usbDeviceClass
	usbDeviceSubClass
	usbDeviceProtocol
	usbInterfaceClass
	usbInterfaceSubClass
	usbInterfaceProtocol
	usbInterfaceNumber
)

// usbAliases returns one alias, which has * for a range of releases: kbuild writes up to eight
// that are exact.
func usbAliases(e *entry) []string {
	n := e.numbers
	if n["idVendor"]|n["idProduct"]|n["bDeviceClass"]|n["bInterfaceClass"] == 0 {
		return nil
	}
	field := func(letters string, digits int, flag uint64, name string) string {
		return part(letters, digits, n["match_flags"]&flag != 0, n[name])
	}
	return withStar("usb:" + field("v", 4, usbVendor, "idVendor") + field("p", 4, usbProduct, "idProduct") + "d*" +
		field("dc", 2, usbDeviceClass, "bDeviceClass") + field("dsc", 2, usbDeviceSubClass, "bDeviceSubClass") +
		field("dp", 2, usbDeviceProtocol, "bDeviceProtocol") +
		field("ic", 2, usbInterfaceClass, "bInterfaceClass") + field("isc", 2, usbInterfaceSubClass, "bInterfaceSubClass") +
		field("ip", 2, usbInterfaceProtocol, "bInterfaceProtocol") + field("in", 2, usbInterfaceNumber, "bInterfaceNumber"))
}

// Forms of what is looked for in a source. Each begins where its words do.
var (
	tableForm = regexp.MustCompile(`^struct\s+(\w+)\s+(?:const\s+|__\w+\s+)*([A-Za-z_]\w*)\s*\[[^\]]*\]\s*(?:__\w+(?:\([^)]*\))?\s*)*=\s*\{`)
	// A driver names its table in one of two ways.
	exportForm = regexp.MustCompile(`^MODULE_DEVICE_TABLE\s*\(\s*\w+\s*,\s*(\w+)\s*\)`)
	matchForm  = regexp.MustCompile(`^\.\w+\s*=\s*(?:\w+\s*\(\s*)?&?(\w+)`)
	// Drivers that the kernel calls early, by the compatible of a node (include/linux/of.h,
	// OF_DECLARE_1 and others).
	declareForm = regexp.MustCompile(`^_DECLARE(?:_DRIVER)?\s*\(\s*\w+\s*,([^;{}]*?)\)`)
	irqchipForm = regexp.MustCompile(`^IRQCHIP_MATCH\s*\(([^;{}()]*),`)
	aliasForm   = regexp.MustCompile(`^MODULE_ALIAS\s*\(([^;{}]*?)\)\s*;`)
)

// matchFields are fields of drivers that name a table.
var matchFields = []string{".of_match_table", ".acpi_match_table", ".id_table", ".idtable"}

// notDrivers are macros like IRQCHIP_DECLARE that are not for devices.
var notDrivers = []string{"EARLYCON", "OF_EARLYCON", "CPU_METHOD_OF", "PSCI"}

// interesting are words of sources: one without any of them has no aliases.
var interesting = []string{"_device_id", "amba_id", "_DECLARE", "IRQCHIP_MATCH", "MODULE_ALIAS"}

// maxForm is the largest number of bytes in which a form is looked for.
const maxForm = 4096

// find calls each with what a form matches where code has a word, and its offset.
func find(code, word string, form *regexp.Regexp, each func(at int, groups []string)) {
	for at := 0; ; at += len(word) {
		i := strings.Index(code[at:], word)
		if i < 0 {
			return
		}
		at += i
		if groups := form.FindStringSubmatch(code[at:min(len(code), at+maxForm)]); groups != nil {
			each(at, groups)
		}
	}
}

// sourceAliases returns the aliases of the drivers in a source file, in their order and each
// once. Entries of tables that need more of C than is known here are left out.
func sourceAliases(h *headers, name, source string) []string {
	if !slices.ContainsFunc(interesting, func(word string) bool { return strings.Contains(source, word) }) {
		return nil
	}
	code, own := parseSource(source)
	f := &sourceFile{scope: h.scope(name, own), seen: map[string]bool{}}
	used := map[string]bool{}
	use := func(_ int, groups []string) { used[groups[1]] = true }
	find(code, "MODULE_DEVICE_TABLE", exportForm, use)
	for _, field := range matchFields {
		find(code, field, matchForm, use)
	}
	f.tables(code, used)
	// A table may be in a header.
	for _, i := range own.includes {
		if len(used) == 0 {
			break
		}
		if text, err := readText(h.source, h.find(path.Dir(name), i)); err == nil && strings.Contains(text, "_id ") {
			code, _ := parseSource(text)
			f.tables(code, used)
		}
	}
	find(code, "_DECLARE", declareForm, func(at int, groups []string) {
		begin := at
		for begin > 0 && identifierLength(code[begin-1:at]) == at-begin+1 {
			begin--
		}
		if !slices.Contains(notDrivers, code[begin:at]) {
			f.compatible(groups[1])
		}
	})
	find(code, "IRQCHIP_MATCH", irqchipForm, func(_ int, groups []string) { f.compatible(groups[1]) })
	find(code, "MODULE_ALIAS", aliasForm, func(_ int, groups []string) {
		if alias, ok := text(f.scope.expand(tokens(groups[1]))); ok {
			f.add(alias)
		}
	})
	return f.aliases
}

// initializer returns the initializer in braces that code begins with.
func initializer(code string) string {
	depth := 0
	for i := 0; i < len(code); i++ {
		switch code[i] {
		case '"', '\'':
			i += literalLength(code[i:]) - 1
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return code[1:i]
			}
		}
	}
	return ""
}

// sourceFile collects the aliases of a source file.
type sourceFile struct {
	scope   *scope
	aliases []string
	seen    map[string]bool
}

func (f *sourceFile) add(aliases ...string) {
	for _, alias := range aliases {
		if bus, _, ok := strings.Cut(alias, ":"); !ok || bus == "" || f.seen[alias] || !printable(alias) {
			continue
		}
		f.seen[alias] = true
		f.aliases = append(f.aliases, alias)
	}
}

// printable reports whether a text is ASCII that can be seen.
func printable(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}

// compatible adds the driver for the first of the arguments of a macro.
func (f *sourceFile) compatible(arguments string) {
	first := split(tokens(arguments))
	if len(first) == 0 {
		return
	}
	if compatible, ok := text(f.scope.expand(first[0])); ok {
		f.add(ofAliases(&entry{texts: map[string]string{"compatible": compatible}})...)
	}
}

// tables adds the entries of those tables in code whose names are used, and removes the names.
func (f *sourceFile) tables(code string, used map[string]bool) {
	find(code, "struct ", tableForm, func(at int, groups []string) {
		if t, known := tables[groups[1]]; known && used[groups[2]] {
			delete(used, groups[2])
			f.table(t, tokens(initializer(code[at+len(groups[0])-1:])))
		}
	})
}

// table adds the entries of a table.
func (f *sourceFile) table(t table, in []token) {
	for _, element := range split(in) {
		f.element(t, element, 0)
	}
}

// element adds an entry in braces, or those of a macro.
func (f *sourceFile) element(t table, in []token, depth int) {
	in = withoutDesignator(in)
	switch {
	case len(in) == 0:
	case in[0].text == "{" && in[len(in)-1].text == "}":
		if e, ok := f.entry(t, in[1:len(in)-1]); ok {
			f.add(t.aliases(e)...)
		}
	case in[0].kind == 'i' && depth == 0:
		for _, inner := range split(f.scope.expand(in)) {
			f.element(t, inner, 1)
		}
	}
}

// withoutDesignator removes "[INDEX] =" of an entry.
func withoutDesignator(in []token) []token {
	if len(in) > 0 && in[0].text == "[" {
		if i := slices.IndexFunc(in, func(t token) bool { return t.text == "=" }); i > 0 {
			return in[i+1:]
		}
	}
	return in
}

// entry reads the values of an entry. It reports whether all that aliases need could be read.
func (f *sourceFile) entry(t table, in []token) (*entry, bool) {
	e := &entry{texts: map[string]string{}, numbers: map[string]uint64{}}
	position := 0
	ok := true
	var read func(in []token, expanded bool)
	read = func(in []token, expanded bool) {
		for _, value := range split(in) {
			switch {
			case len(value) == 0:
				continue
			case len(value) > 2 && value[0].text == "." && value[2].text == "=":
				position = slices.Index(t.fields, value[1].text) + 1
				if position == 0 {
					// After a field that no alias needs come others that none needs.
					position = len(t.fields) + 1
					continue
				}
				value = value[3:]
			case !expanded && value[0].kind == 'i' && f.isMacro(value):
				read(f.scope.expand(value), true)
				continue
			default:
				position++
			}
			if position <= len(t.fields) && t.fields[position-1] != "" {
				ok = f.value(e, t.fields[position-1], value) && ok
			}
		}
	}
	read(in, false)
	return e, ok
}

// isMacro reports whether a value without designator is a macro, which may set several fields.
func (f *sourceFile) isMacro(value []token) bool {
	m := f.scope.macro(value[0].text)
	return m != nil && (!m.function && len(value) == 1 || m.function && len(value) > 1)
}

func (f *sourceFile) value(e *entry, field string, in []token) bool {
	in = f.scope.expand(in)
	if len(in) > 2 && in[0].text == "{" {
		in = in[1 : len(in)-1]
	}
	if value, ok := text(in); ok {
		e.texts[field] = value
		return true
	}
	value, ok := evaluate(in)
	e.numbers[field] = value
	return ok
}

// split splits tokens at the commas outside of parentheses and braces.
func split(in []token) [][]token {
	var all [][]token
	depth, begin := 0, 0
	for i, t := range in {
		switch t.text {
		case "(", "{", "[":
			depth++
		case ")", "}", "]":
			depth--
		case ",":
			if depth == 0 {
				all = append(all, in[begin:i])
				begin = i + 1
			}
		}
	}
	if begin < len(in) {
		all = append(all, in[begin:])
	}
	return all
}
