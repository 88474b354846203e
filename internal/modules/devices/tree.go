package devices

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/fdt"
)

// ErrOverlay is the error for a device tree overlay (.dtbo), which describes a change of another
// device tree.
var ErrOverlay = errors.New("a device tree overlay describes no machine: apply it to the device tree of the board with fdtoverlay, and use the result")

// Bus is the bus that a device of a device tree is on.
type Bus string

// Buses. What a device's modalias looks like depends on them.
const (
	// Platform devices, and devices on buses whose modaliases look the same, such as serdev, SPMI
	// and DSI: of:NnameTtypeCcompatible.
	Platform Bus = "platform"
	// I2C devices have that too. Drivers are also found by i2c:NAME.
	I2C Bus = "i2c"
	// SPI devices have spi:NAME. A driver that is loaded is found as for platform devices.
	SPI Bus = "spi"
	// AMBA devices have amba:dID, with an ID that is in their registers, and nothing else.
	AMBA Bus = "amba"
	// SoundWire devices have sdw:mMANUFACTURERpPARTvVERSIONcCLASS.
	SoundWire Bus = "soundwire"
	// MDIO devices are Ethernet PHYs and switches. PHYs have mdio: and 32 binary digits.
	MDIO Bus = "mdio"
	// MMC devices are cards and SDIO functions, which say what they are.
	MMC Bus = "mmc"
	// PCI devices have pci:vVdDsv....
	PCI Bus = "pci"
	// USB devices have usb:vVpP....
	USB Bus = "usb"
)

// FromTree returns the devices that a kernel would make of a device tree, in its order: the nodes
// with compatible that are available (drivers/of/platform.c, and the bus drivers), with all
// nodes above them. It returns ErrOverlay for an overlay.
//
// The kernel makes devices of some nodes only after the driver of the node above is loaded, and
// of some never, if that driver has no use for them. All are returned.
//
// It returns an error that wraps fdt.ErrDamaged for a tree with names or numbers of devices that
// no machine has.
func FromTree(tree *fdt.Tree) ([]Device, error) {
	if tree.IsOverlay() {
		return nil, ErrOverlay
	}
	w := &walk{}
	for _, top := range tree.Root.Children {
		switch top.BaseName() {
		case "cpus", "aliases", "__symbols__":
			continue
		case "chosen":
			w.children("/chosen", top, simpleFramebuffer)
		case "reserved-memory":
			w.children("/reserved-memory", top, reservedMemory)
		default:
			w.node("", tree.Root, top, -1)
		}
	}
	if w.err != nil {
		return nil, w.err
	}
	return w.devices, nil
}

// Limits of a tree.
const (
	maxPath    = 1024 // bytes
	maxStrings = 256  // in a property
)

// Nodes of two directories that become devices although the others there do not
// (of_platform_default_populate_init and reserved_mem_matches in drivers/of/platform.c).
var (
	simpleFramebuffer = []string{"simple-framebuffer"}
	reservedMemory    = []string{"phram", "qcom,rmtfs-mem", "qcom,cmd-db", "qcom,smem", "ramoops", "nvmem-rmem", "google,open-dice"}
)

// notDevices are compatible strings of tables that are not devices (of_skipped_node_table in
// drivers/of/platform.c).
var notDevices = []string{"operating-points-v2"}

// Compatible strings for which the kernel needs no driver: of_default_bus_match_table in
// drivers/of/platform.c, and drivers/mfd/syscon.c. A bus with another name before is a bus; what
// has functions of its own may also be the others.
var (
	genericBuses = []string{"simple-bus", "isa", "arm,amba-bus"}
	generic      = append([]string{"simple-mfd", "syscon"}, genericBuses...)
)

type walk struct {
	devices []Device
	err     error
}

// strings returns a property that is a list of strings.
func (w *walk) strings(path string, node *fdt.Node, property string) []string {
	all := node.Strings(property)
	if len(all) > maxStrings {
		w.err = fmt.Errorf("%w: %s of %s has %d strings, more than %d", fdt.ErrDamaged, property, path, len(all), maxStrings)
		return nil
	}
	return all
}

// children adds the children of a node that have one of these compatible strings.
func (w *walk) children(path string, parent *fdt.Node, compatible []string) {
	for _, node := range parent.Children {
		if slices.ContainsFunc(node.Strings("compatible"), func(c string) bool { return slices.Contains(compatible, c) }) {
			w.node(path, parent, node, -1)
		}
	}
}

// node adds a node and those below. Above is the index of the device that it belongs to, or -1.
func (w *walk) node(parentPath string, parent, node *fdt.Node, above int) {
	path := parentPath + "/" + node.Name
	compatible := w.strings(path, node, "compatible")
	switch {
	case w.err != nil:
		return
	case len(path) > maxPath || len(w.devices) >= maxDevices:
		w.err = fmt.Errorf("%w: it has more than %d devices, or paths of more than %d bytes", fdt.ErrDamaged, maxDevices, maxPath)
		return
	}
	if !available(node) || slices.ContainsFunc(compatible, func(c string) bool { return slices.Contains(notDevices, c) }) {
		return
	}
	if bus := busOf(parent, node, compatible); isDevice(bus, node, compatible) {
		w.devices = append(w.devices, newDevice(path, bus, node, compatible))
		above = len(w.devices) - 1
	}
	if above >= 0 {
		d := &w.devices[above]
		for _, name := range w.strings(path, node, "firmware-name") {
			if name != "" && !slices.Contains(d.FirmwareNames, name) {
				d.FirmwareNames = append(d.FirmwareNames, name)
			}
		}
	}
	for _, child := range node.Children {
		w.node(path, node, child, above)
	}
}

// available reports whether the kernel uses a node (__of_device_is_available in
// drivers/of/base.c).
func available(node *fdt.Node) bool {
	if _, ok := node.Property("status"); !ok {
		return true
	}
	status := node.Strings("status")
	return len(status) > 0 && (status[0] == "okay" || status[0] == "ok")
}

// isDevice reports whether a node is a device. Ethernet PHYs need no compatible
// (of_mdiobus_child_is_phy in drivers/net/mdio/of_mdio.c).
func isDevice(bus Bus, node *fdt.Node, compatible []string) bool {
	if bus == MDIO && node.BaseName() != "ethernet-phy-package" {
		_, addressed := node.Property("reg")
		return addressed || len(compatible) > 0
	}
	return len(compatible) > 0 && compatible[0] != ""
}

// Compatible strings that name a device of a bus by numbers: IEEE 1275's PCI and USB bindings,
// Documentation/devicetree/bindings/net/ethernet-phy.yaml, and sdw_of_find_slaves in
// drivers/soundwire/slave.c.
var (
	pciCompatible = regexp.MustCompile(`^pci([0-9a-f]{1,4}),([0-9a-f]{1,4})$`)
	usbCompatible = regexp.MustCompile(`^usb([0-9a-f]{1,4}),([0-9a-f]{1,4})$`)
	phyCompatible = regexp.MustCompile(`^ethernet-phy-id([0-9a-fA-F]{1,4})\.([0-9a-fA-F]{1,4})$`)
	sdwCompatible = regexp.MustCompile(`^sdw([0-9a-f])([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{2})$`)
	primecell     = regexp.MustCompile(`^arm,pl([0-9]{3})$`)
)

// busOf returns the bus of a node, by the names that bindings require of bus nodes: i2c, spi and
// mdio (i2c-controller.yaml, spi-controller.yaml and mdio.yaml; dtc's checks use them too), and
// mmc, by property for PCI, and by compatible for the others.
func busOf(parent, node *fdt.Node, compatible []string) Bus {
	switch {
	case slices.Contains(compatible, "arm,primecell"):
		return AMBA
	case slices.ContainsFunc(compatible, usbCompatible.MatchString):
		return USB
	case len(compatible) > 0 && sdwCompatible.MatchString(compatible[0]):
		return SoundWire
	case slices.ContainsFunc(compatible, pciCompatible.MatchString), slices.Contains(parent.Strings("device_type"), "pci"):
		return PCI
	}
	switch name := parent.BaseName(); {
	case strings.HasPrefix(name, "i2c"):
		return I2C
	case strings.HasPrefix(name, "spi"):
		return SPI
	case strings.HasPrefix(name, "mdio") && !strings.HasPrefix(name, "mdio-mux"), name == "ethernet-phy-package":
		return MDIO
	case name == "mmc", name == "mmcnr", name == "sdhci", name == "sdio":
		return MMC
	}
	return Platform
}

func newDevice(path string, bus Bus, node *fdt.Node, compatible []string) Device {
	d := Device{Path: path, Bus: bus, Compatible: compatible}
	of := ofModalias(node, compatible)
	switch bus {
	case I2C:
		// The uevent has the first (i2c_device_uevent in drivers/i2c/i2c-core-base.c), and
		// i2c_device_match takes the second for drivers without a table for device trees.
		d.Modaliases = []string{of, "i2c:" + nameFromCompatible(compatible[0])}
	case SPI:
		// spi_uevent and spi_match_device in drivers/spi/spi.c
		d.Modaliases = []string{"spi:" + nameFromCompatible(compatible[0]), of}
	case AMBA:
		d.Modaliases = ambaModalias(node, compatible)
	case SoundWire:
		// sdw_slave_modalias in drivers/soundwire/bus_type.c
		m := sdwCompatible.FindStringSubmatch(compatible[0])
		d.Modaliases = []string{fmt.Sprintf("sdw:m%04Xp%04Xv%02Xc%02X", hex(m[2]), hex(m[3]), hex(m[1]), hex(m[4]))}
	case MDIO:
		d.Modaliases = mdioModaliases(compatible, of)
	case MMC:
	case PCI:
		d.Modaliases = append(numbered(compatible, pciCompatible, pciModalias), of)
	case USB:
		d.Modaliases = append(numbered(compatible, usbCompatible, usbModalias), of)
	default:
		d.Modaliases = []string{of}
	}
	isGeneric := func(names []string) func(string) bool {
		return func(c string) bool { return slices.Contains(names, c) }
	}
	d.Generic = slices.ContainsFunc(compatible, isGeneric(genericBuses)) ||
		len(compatible) > 0 && !slices.ContainsFunc(compatible, func(c string) bool { return !slices.Contains(generic, c) })
	return d
}

// ofModalias returns what of_modalias in drivers/of/module.c does. A node without device_type
// has "(null)", which the kernel's snprintf writes for it.
func ofModalias(node *fdt.Node, compatible []string) string {
	kind := "(null)"
	if types := node.Strings("device_type"); len(types) > 0 {
		kind = types[0]
	}
	var b strings.Builder
	b.WriteString("of:N" + node.BaseName() + "T" + kind)
	for _, c := range compatible {
		b.WriteString("C" + strings.ReplaceAll(c, " ", "_"))
	}
	return b.String()
}

// nameFromCompatible is of_alias_from_compatible in drivers/of/base.c: the name without its
// vendor.
func nameFromCompatible(compatible string) string {
	if _, name, ok := strings.Cut(compatible, ","); ok {
		return name
	}
	return compatible
}

// ambaModalias returns the modalias of an AMBA device with the ID that the tree has, or that an
// ARM PrimeCell of revision 0 has in its registers: designer 0x41, and its number as part. Other
// devices say what they are.
func ambaModalias(node *fdt.Node, compatible []string) []string {
	if id, ok := node.Uint32("arm,primecell-periphid"); ok && id != 0 {
		return []string{fmt.Sprintf("amba:d%08X", id)}
	}
	for _, c := range compatible {
		if m := primecell.FindStringSubmatch(c); m != nil {
			return []string{"amba:d00041" + m[1]}
		}
	}
	return nil
}

// mdioModaliases returns the modalias of an Ethernet PHY whose compatible has its ID
// (fwnode_get_phy_id and phy_request_driver_module in drivers/net/phy/phy_device.c), or of a
// device that is not a PHY. Other PHYs say what they are.
func mdioModaliases(compatible []string, of string) []string {
	phy := len(compatible) == 0
	for _, c := range compatible {
		if m := phyCompatible.FindStringSubmatch(c); m != nil {
			return []string{fmt.Sprintf("mdio:%016b%016b", hex(m[1]), hex(m[2]))}
		}
		phy = phy || strings.HasPrefix(c, "ethernet-phy-ieee802.3-c")
	}
	if phy {
		return nil
	}
	return []string{of}
}

// numbered returns what modalias makes of the two numbers in compatible strings of this form.
func numbered(compatible []string, form *regexp.Regexp, modalias func(vendor, product uint64) string) []string {
	var all []string
	for _, c := range compatible {
		if m := form.FindStringSubmatch(c); m != nil {
			all = append(all, modalias(hex(m[1]), hex(m[2])))
		}
	}
	return all
}

// pciModalias returns the modalias of a PCI device (pci_uevent in drivers/pci/pci-driver.c).
// A device tree has neither its subsystem nor its class: drivers by class are not found.
func pciModalias(vendor, device uint64) string {
	return fmt.Sprintf("pci:v%08Xd%08Xsv00000000sd00000000bc00sc00i00", vendor, device)
}

// usbModalias is the same for a USB device (usb_modalias in drivers/usb/core/sysfs.c).
func usbModalias(vendor, product uint64) string {
	return fmt.Sprintf("usb:v%04Xp%04Xd0000dc00dsc00dp00ic00isc00ip00in00", vendor, product)
}

// hex returns the value of at most four hexadecimal digits.
func hex(digits string) uint64 {
	value, _ := strconv.ParseUint(digits, 16, 16)
	return value
}
