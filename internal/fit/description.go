package fit

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A Description says what a FIT has. As JSON, it is what packer fit --config reads.
type Description struct {
	// Description is a text for people.
	Description string `json:"description,omitempty"`
	// Architecture is the name of a row of package arch; that of the kernel if it is empty.
	Architecture string `json:"arch,omitempty"`
	Kernel       Kernel `json:"kernel"`
	Ramdisk      Parts  `json:"ramdisk,omitzero"`
	// DeviceTrees and Overlays have different names.
	DeviceTrees []DeviceTree `json:"device_trees,omitempty"`
	Overlays    []DeviceTree `json:"overlays,omitempty"`
	// Configurations are one for each device tree, in their order, if there are none.
	Configurations []Configuration `json:"configurations,omitempty"`
	// Default is the name of a configuration or a device tree, or a compatible string; the first
	// configuration if it is empty.
	Default string `json:"default,omitempty"`
	// Hashes are of each image; sha256 if there are none.
	Hashes []string `json:"hashes,omitempty"`
	// External puts the data of the images after the tree (mkimage -E).
	External bool `json:"external,omitempty"`
	// Timestamp is in seconds since 1970.
	Timestamp uint32 `json:"timestamp,omitempty"`
}

// Kernel is the kernel of a FIT.
type Kernel struct {
	File string `json:"file"`
	// Compression is a codec of U-Boot, with a level if it has them: gzip:6. It is gzip if it is empty,
	// and what the kernel is compressed with if it is.
	Compression string `json:"compression,omitempty"`
	// Load is where U-Boot puts the kernel. Without it, U-Boot finds a place.
	Load *Address `json:"load,omitempty"`
	// Entry is where the kernel starts; Load if it is nil.
	Entry *Address `json:"entry,omitempty"`
}

// Parts are the files of an initramfs image.
type Parts struct {
	// Files are joined in their order.
	Files []string `json:"files,omitempty"`
	// Load is where U-Boot puts it. Without it, U-Boot finds a place.
	Load *Address `json:"load,omitempty"`
}

// DeviceTree is a device tree or an overlay.
type DeviceTree struct {
	Name string   `json:"name"`
	File string   `json:"file"`
	Load *Address `json:"load,omitempty"`
}

// Configuration is a set of images that boot together. All have the kernel and the initramfs.
type Configuration struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	// DeviceTree and Overlays are names of device trees and overlays.
	DeviceTree string   `json:"device_tree,omitempty"`
	Overlays   []string `json:"overlays,omitempty"`
	// Compatible are the machines that it is for; those of the device tree if there are none.
	Compatible []string `json:"compatible,omitempty"`
}

// Address is an address in memory. As JSON, it is a string: "0x80200000".
type Address uint64

// ParseAddress reads a number in base 10, or in base 16 after 0x.
func ParseAddress(text string) (Address, error) {
	number, err := strconv.ParseUint(text, 0, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not an address: want a number such as 0x80200000", text)
	}
	return Address(number), nil
}

func (a Address) String() string { return fmt.Sprintf("%#x", uint64(a)) }

// MarshalJSON implements json.Marshaler.
func (a Address) MarshalJSON() ([]byte, error) { return json.Marshal(a.String()) }

// UnmarshalJSON implements json.Unmarshaler.
func (a *Address) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return fmt.Errorf("an address is a string such as \"0x80200000\": %w", err)
	}
	var err error
	*a, err = ParseAddress(text)
	return err
}

// ParseDescription reads a description as JSON.
func ParseDescription(text []byte) (*Description, error) {
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.DisallowUnknownFields()
	d := &Description{}
	if err := decoder.Decode(d); err != nil {
		return nil, fmt.Errorf("not a description of a FIT image: %w", err)
	}
	if decoder.More() {
		return nil, fmt.Errorf("not a description of a FIT image: more follows at byte %d", decoder.InputOffset())
	}
	return d, nil
}

// names match the names of nodes. U-Boot takes what follows # or : for something else, and does not
// check signatures of a name with an @.
var names = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._,+-]*$`)

// maxNodeName is how many bytes a name has at most. U-Boot keeps the paths of hashed nodes in 200
// (boot/image-fit-sig.c).
const maxNodeName = 64

// CheckName returns an error for a name that a device tree, a configuration or a key cannot have.
func CheckName(name string) error {
	if len(name) > maxNodeName || !names.MatchString(name) {
		return fmt.Errorf("bad name %.70q: want at most %d letters, digits and . _ , + -, and a letter or digit first", name, maxNodeName)
	}
	return nil
}

// complete fills in what a description leaves out, and checks its names.
func (d *Description) complete() error {
	if len(d.Hashes) == 0 {
		d.Hashes = []string{"sha256"}
	}
	for i, name := range d.Hashes {
		if err := CheckHash(name); err != nil {
			return err
		}
		if slices.Contains(d.Hashes[:i], name) {
			return fmt.Errorf("the hash %s is given twice", name)
		}
	}
	if d.Description == "" {
		d.Description = "Linux"
	}
	used := map[string]bool{}
	for _, tree := range slices.Concat(d.DeviceTrees, d.Overlays) {
		if err := CheckName(tree.Name); err != nil {
			return fmt.Errorf("%s: %w", tree.File, err)
		}
		if used[tree.Name] {
			return fmt.Errorf("two device trees or overlays have the name %s: give one of them another name", tree.Name)
		}
		used[tree.Name] = true
	}
	if len(d.Configurations) == 0 {
		for _, tree := range d.DeviceTrees {
			d.Configurations = append(d.Configurations, Configuration{Name: tree.Name, DeviceTree: tree.Name})
		}
		if len(d.DeviceTrees) == 0 {
			d.Configurations = []Configuration{{Name: "linux"}}
		}
	}
	used = map[string]bool{}
	for i := range d.Configurations {
		c := &d.Configurations[i]
		if err := d.checkConfiguration(c); err != nil {
			return err
		}
		if used[c.Name] {
			return fmt.Errorf("two configurations have the name %s", c.Name)
		}
		used[c.Name] = true
	}
	return nil
}

func (d *Description) checkConfiguration(c *Configuration) error {
	if err := CheckName(c.Name); err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	if c.Description == "" {
		c.Description = d.Description
	}
	if c.DeviceTree == "" && len(c.Overlays) > 0 {
		return fmt.Errorf("configuration %s has overlays and no device tree that they change: name its device_tree", c.Name)
	}
	if c.DeviceTree != "" {
		if err := known(c.DeviceTree, d.DeviceTrees, "device tree"); err != nil {
			return fmt.Errorf("configuration %s: %w", c.Name, err)
		}
	}
	for _, name := range c.Overlays {
		if err := known(name, d.Overlays, "overlay"); err != nil {
			return fmt.Errorf("configuration %s: %w", c.Name, err)
		}
	}
	return nil
}

// known returns an error unless a name is that of one of the trees.
func known(name string, trees []DeviceTree, what string) error {
	var all []string
	for _, tree := range trees {
		if tree.Name == name {
			return nil
		}
		all = append(all, tree.Name)
	}
	if len(all) == 0 {
		return fmt.Errorf("there is no %s %q: there are none", what, name)
	}
	return fmt.Errorf("there is no %s %q: there are %s", what, name, strings.Join(all, ", "))
}
