// Package devices reads descriptions of hardware, and says which modules of a kernel are for it.
//
// A description is a file: a flattened device tree (.dtb), or a list of modaliases as a running
// machine has them below /sys. Each device has the modaliases under which the kernel looks for
// its driver.
package devices

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/rules-initramfs/rules_initramfs/internal/fdt"
)

// Device is a device of a machine.
type Device struct {
	// Path is the path of the node in the device tree, such as "/soc/i2c@7e804000/rtc@68", or the
	// directory in sysfs. A list of bare modaliases has none.
	Path string
	// Bus is the bus that the node's parent is: one of the constants that begin with Bus. It is
	// empty for a list of modaliases.
	Bus Bus
	// Compatible are the compatible strings of the node, the most specific first.
	Compatible []string
	// Modaliases are what the aliases of modules are matched with. The first is the one that the
	// kernel gives to user space, in MODALIAS of the device's uevent. With the others, the
	// kernel's bus can choose a driver that is loaded already. There is none if the device says
	// itself what it is.
	Modaliases []string
	// FirmwareNames are the values of firmware-name of the node, and of the nodes below that are
	// not devices: paths below /lib/firmware that the driver loads besides those that its module
	// names.
	FirmwareNames []string
	// Generic reports that the kernel needs no driver of its own for the device: it only holds
	// other devices, or registers that they share.
	Generic bool
}

// ErrNotDescription is the error for a file that does not describe hardware.
var ErrNotDescription = errors.New("neither a device tree (.dtb) nor a list of modaliases")

// MaxSize is the largest number of bytes of a description. A kernel for arm64 accepts device
// trees of 2 MiB (MAX_FDT_SIZE in arch/arm64/include/asm/boot.h).
const MaxSize = 16 << 20

// Parse returns the devices in data, the content of the file with this name, in its order. The
// name decides nothing but the errors: fdt.ErrNotDeviceTree for a file that is called .dtb and is
// not one, fdt.ErrDamaged, ErrOverlay, or ErrNotDescription.
func Parse(name string, data []byte) ([]Device, error) {
	devices, err := parse(name, data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return devices, nil
}

func parse(name string, data []byte) ([]Device, error) {
	switch {
	case len(data) > MaxSize:
		return nil, fmt.Errorf("%w: it has %d bytes, and descriptions have at most %d", ErrNotDescription, len(data), MaxSize)
	case fdt.Is(data):
		tree, err := fdt.Parse(data)
		if err != nil {
			return nil, err
		}
		return FromTree(tree)
	case slices.Contains([]string{".dtb", ".dtbo"}, path.Ext(name)):
		return nil, fmt.Errorf("%w: compile its source with dtc", fdt.ErrNotDeviceTree)
	case bytes.Contains(data, []byte("/dts-v1/")) && bytes.IndexByte(data, 0) < 0, slices.Contains([]string{".dts", ".dtsi", ".dtso"}, path.Ext(name)):
		return nil, fmt.Errorf("%w, but the source of a device tree: compile it with dtc", ErrNotDescription)
	}
	return parseList(data)
}

// Matcher knows the modules of a kernel. A modalias is matched with their aliases as kmod does.
type Matcher interface {
	// Modules returns the names of the modules for a modalias.
	Modules(modalias string) []string
	// BuiltIn returns the names of the drivers for a modalias that are in the kernel image
	// (modules.builtin.modinfo).
	BuiltIn(modalias string) []string
}

// Served is a device and the drivers that a kernel has for it.
type Served struct {
	Device
	// Modules and BuiltIn are sorted, and have each name once.
	Modules, BuiltIn []string
}

// Serve returns what the kernel has for each of the devices.
func Serve(devices []Device, kernel Matcher) []Served {
	served := make([]Served, 0, len(devices))
	for _, d := range devices {
		s := Served{Device: d}
		for _, modalias := range d.Modaliases {
			s.Modules = append(s.Modules, kernel.Modules(modalias)...)
			s.BuiltIn = append(s.BuiltIn, kernel.BuiltIn(modalias)...)
		}
		s.Modules, s.BuiltIn = sorted(s.Modules), sorted(s.BuiltIn)
		served = append(served, s)
	}
	return served
}

func sorted(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}

// State says what a kernel has for a device.
type State string

// States.
const (
	// ByModule is a device that one of the modules is for.
	ByModule State = "module"
	// ByBuiltIn is a device that a driver in the kernel image is for, and no module.
	ByBuiltIn State = "built in"
	// Generic is a device that needs no driver.
	Generic State = "no driver needed"
	// Unknown is a device that says itself what it is, such as an Ethernet PHY. Its description
	// does not tell which driver it needs.
	Unknown State = "read from the device"
	// Unserved is a device that no driver of the kernel is for.
	Unserved State = "none"
)

// State returns what the kernel has for the device.
func (s Served) State() State {
	switch {
	case len(s.Modules) > 0:
		return ByModule
	case len(s.BuiltIn) > 0:
		return ByBuiltIn
	case len(s.Modaliases) == 0:
		return Unknown
	case s.Device.Generic:
		return Generic
	}
	return Unserved
}
