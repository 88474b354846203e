package fit

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/codec"
	"github.com/rules-initramfs/rules_initramfs/internal/fdt"
	"github.com/rules-initramfs/rules_initramfs/internal/near"
	"github.com/rules-initramfs/rules_initramfs/internal/parts"
)

// maxDeviceTree is the largest device tree, in bytes: many times what one has.
const maxDeviceTree = 16 << 20

// Names of images.
const (
	kernelImage  = "kernel"
	ramdiskImage = "ramdisk"
	treePrefix   = "fdt-"
)

// builder makes a FIT from a description.
type builder struct {
	*Description
	kernelContent *kernelContent
	contents      []fdt.Content // of the images
	compatible    map[string][]string
	wide          bool // an address has more than 32 bits, so that all have two cells
}

// Build returns the image that a description describes, without signatures. The files of the initramfs
// are read again when it is written.
func (d *Description) Build() (*Image, error) {
	b := &builder{Description: d, compatible: map[string][]string{}, wide: d.isWide()}
	if err := d.complete(); err != nil {
		return nil, err
	}
	var err error
	if b.kernelContent, err = d.readKernel(); err != nil {
		return nil, err
	}
	images := &fdt.Node{Name: imagesNode}
	if err := b.addImages(images); err != nil {
		return nil, err
	}
	configurations, err := b.configurations()
	if err != nil {
		return nil, err
	}
	root := &fdt.Node{Children: []*fdt.Node{images, configurations}}
	root.Add(descriptionProperty, fdt.Text(d.Description))
	cells := uint32(1)
	if b.wide {
		cells = 2
	}
	root.Add("#address-cells", fdt.Words(cells))
	image := &Image{Tree: &fdt.Tree{Root: root}}
	if err := image.finish(d, b.contents); err != nil {
		return nil, err
	}
	return image, nil
}

// finish adds what mkimage adds to the tree of a description, in its order.
func (i *Image) finish(d *Description, all []fdt.Content) error {
	if err := i.Tree.AddStrings(); err != nil {
		return err
	}
	i.Tree.Set(i.Tree.Root, timestampProperty, fdt.Words(d.Timestamp))
	for n, node := range i.Images() {
		values, err := digests(all[n], d.Hashes)
		if err != nil {
			return err
		}
		for h, hash := range node.Children {
			i.Tree.Set(hash, valueProperty, values[h])
		}
	}
	return nil
}

// MakeExternal moves the data of the images after the tree, as mkimage -E does. It comes after the
// signatures.
func (i *Image) MakeExternal() error {
	if i.External != nil {
		return fmt.Errorf("the data of the images is external already")
	}
	var all contents
	for _, node := range i.Images() {
		content, err := i.Data(node)
		if err != nil {
			return err
		}
		at := all.Size()
		if at+content.Size() > math.MaxUint32 {
			return fmt.Errorf("the images have more than 4 GiB")
		}
		node.Remove(dataProperty)
		i.Tree.Set(node, dataOffsetProperty, fdt.Words(uint32(at)))
		i.Tree.Set(node, dataSizeProperty, fdt.Words(uint32(content.Size())))
		all = append(all, content)
	}
	i.External = all
	i.Tree.Align = externalAlign
	return nil
}

func (b *builder) addImages(images *fdt.Node) error {
	kernel := images.Append(kernelImage)
	b.addImage(kernel, "Linux kernel", b.kernelContent.data)
	kind := "kernel"
	load, entry := Address(0), Address(0)
	switch {
	case b.Kernel.Load == nil:
		// U-Boot finds a place for it, as for the images of the kernel's scripts/make_fit.py.
		kind = "kernel_noload"
	case b.Kernel.Entry == nil:
		load, entry = *b.Kernel.Load, *b.Kernel.Load
	default:
		load, entry = *b.Kernel.Load, *b.Kernel.Entry
	}
	b.addKind(kernel, kind, b.kernelContent.compression)
	kernel.Add("load", b.address(load))
	kernel.Add("entry", b.address(entry))
	b.addHashes(kernel)

	if len(b.Ramdisk.Files) > 0 {
		content, err := parts.Open(b.Ramdisk.Files)
		if err != nil {
			return err
		}
		ramdisk := images.Append(ramdiskImage)
		b.addImage(ramdisk, "initramfs", content)
		// The kernel unpacks it, not U-Boot.
		b.addKind(ramdisk, "ramdisk", codec.None)
		b.addLoad(ramdisk, b.Ramdisk.Load)
		b.addHashes(ramdisk)
	} else if b.Ramdisk.Load != nil {
		return fmt.Errorf("the initramfs has a load address and no files")
	}
	for _, tree := range b.DeviceTrees {
		if err := b.addTree(images, tree, false); err != nil {
			return fmt.Errorf("%s: %w", tree.File, err)
		}
	}
	for _, tree := range b.Overlays {
		if err := b.addTree(images, tree, true); err != nil {
			return fmt.Errorf("%s: %w", tree.File, err)
		}
	}
	return nil
}

func (b *builder) addImage(node *fdt.Node, description string, content fdt.Content) {
	node.Add(descriptionProperty, fdt.Text(description))
	node.Properties = append(node.Properties, fdt.Property{Name: dataProperty, Content: content})
	b.contents = append(b.contents, content)
}

func (b *builder) addKind(node *fdt.Node, kind, compression string) {
	node.Add("type", fdt.Text(kind))
	node.Add("arch", fdt.Text(b.kernelContent.arch.UBoot))
	if kind != "flat_dt" {
		node.Add("os", fdt.Text("linux"))
	}
	node.Add("compression", fdt.Text(compression))
}

func (b *builder) addHashes(node *fdt.Node) {
	for i, name := range b.Hashes {
		node.Append(fmt.Sprintf("%s-%d", hashPrefix, i+1)).Add(algorithmProperty, fdt.Text(name))
	}
}

func (b *builder) addLoad(node *fdt.Node, load *Address) {
	if load != nil {
		node.Add("load", b.address(*load))
	}
}

// address returns the value of an address.
func (b *builder) address(a Address) []byte {
	if b.wide {
		return fdt.Words(uint32(a>>32), uint32(a))
	}
	return fdt.Words(uint32(a))
}

// isWide reports whether an address has more than 32 bits.
func (d *Description) isWide() bool {
	addresses := []*Address{d.Kernel.Load, d.Kernel.Entry, d.Ramdisk.Load}
	for _, tree := range slices.Concat(d.DeviceTrees, d.Overlays) {
		addresses = append(addresses, tree.Load)
	}
	return slices.ContainsFunc(addresses, func(a *Address) bool { return a != nil && *a > math.MaxUint32 })
}

func (b *builder) addTree(images *fdt.Node, t DeviceTree, overlay bool) error {
	data, err := readLimited(t.File, maxDeviceTree)
	if err != nil {
		return err
	}
	tree, err := fdt.Parse(data)
	switch {
	case err != nil:
		return err
	case tree.IsOverlay() && !overlay:
		return fmt.Errorf("it is an overlay: give it as one, with the device tree that it changes")
	case !tree.IsOverlay() && overlay:
		return fmt.Errorf("it is not an overlay: give it as a device tree")
	}
	b.compatible[t.Name] = tree.Root.Strings(compatibleProperty)
	if !overlay && len(b.compatible[t.Name]) == 0 {
		return fmt.Errorf("its root node has no compatible, which says what machine it is for")
	}
	node := images.Append(treePrefix + t.Name)
	b.addImage(node, t.Name, bytesContent(data))
	b.addKind(node, "flat_dt", codec.None)
	b.addLoad(node, t.Load)
	b.addHashes(node)
	return nil
}

func readLimited(name string, most int64) ([]byte, error) {
	file, _, err := parts.OpenRegular(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, most+1))
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("it has more than %d MiB", most>>20)
	}
	return data, err
}

// configurations returns the node of the configurations.
func (b *builder) configurations() (*fdt.Node, error) {
	node := &fdt.Node{Name: configurationsNode}
	node.Add(defaultProperty, nil)
	first := map[string]*Configuration{} // by the first compatible string
	for i := range b.Configurations {
		c := &b.Configurations[i]
		if len(c.Compatible) == 0 {
			c.Compatible = b.compatible[c.DeviceTree]
		}
		for _, text := range c.Compatible {
			if text == "" || strings.Contains(text, "\x00") {
				return nil, fmt.Errorf("configuration %s: bad compatible string %q", c.Name, text)
			}
		}
		if len(c.Compatible) > 0 {
			// Of two configurations that match as well, U-Boot takes the first.
			other := first[c.Compatible[0]]
			if other != nil && other.DeviceTree != c.DeviceTree {
				return nil, fmt.Errorf("the device trees of the configurations %s and %s are for the same machine, %s: U-Boot would always take the first; set compatible of one of them", other.Name, c.Name, c.Compatible[0])
			}
			if other == nil {
				first[c.Compatible[0]] = c
			}
		}
		b.addConfiguration(node, c)
	}
	name, err := b.defaultConfiguration()
	if err != nil {
		return nil, err
	}
	node.Properties[0].Value = fdt.Text(name)
	return node, nil
}

func (b *builder) addConfiguration(configurations *fdt.Node, c *Configuration) {
	node := configurations.Append(c.Name)
	node.Add(descriptionProperty, fdt.Text(c.Description))
	if len(c.Compatible) > 0 {
		node.Add(compatibleProperty, fdt.Text(c.Compatible...))
	}
	node.Add("kernel", fdt.Text(kernelImage))
	if len(b.Ramdisk.Files) > 0 {
		node.Add("ramdisk", fdt.Text(ramdiskImage))
	}
	if c.DeviceTree != "" {
		trees := []string{treePrefix + c.DeviceTree}
		for _, name := range c.Overlays {
			trees = append(trees, treePrefix+name)
		}
		node.Add("fdt", fdt.Text(trees...))
	}
}

// defaultConfiguration returns the name of the default configuration.
func (b *builder) defaultConfiguration() (string, error) {
	if b.Default == "" {
		return b.Configurations[0].Name, nil
	}
	var all []string
	for _, matches := range []func(*Configuration) bool{
		func(c *Configuration) bool { return c.Name == b.Default },
		func(c *Configuration) bool { return c.DeviceTree == b.Default },
		func(c *Configuration) bool { return slices.Contains(c.Compatible, b.Default) },
	} {
		for i := range b.Configurations {
			c := &b.Configurations[i]
			if matches(c) {
				return c.Name, nil
			}
			all = append(append(all, c.Name), c.Compatible...)
		}
	}
	if like := near.Names(b.Default, all, 3); len(like) > 0 {
		return "", fmt.Errorf("no configuration is called %q or is for that machine: did you mean %s?", b.Default, strings.Join(like, ", "))
	}
	slices.Sort(all)
	return "", fmt.Errorf("no configuration is called %q or is for that machine: there are %s", b.Default, strings.Join(slices.Compact(all), ", "))
}

// Bytes returns what Write writes.
func (i *Image) Bytes() ([]byte, error) {
	var b bytes.Buffer
	err := i.Write(&b)
	return b.Bytes(), err
}
