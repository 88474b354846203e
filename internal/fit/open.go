package fit

import (
	"fmt"
	"io"

	"github.com/rules-initramfs/rules_initramfs/internal/fdt"
)

// OpenDefault returns what an image has that was read by Read and that boots without a choice: the
// kernel and the initramfs image of the default configuration. ramdisk is nil if there is none. The
// kernel may be compressed.
func (i *Image) OpenDefault() (kernel, ramdisk *io.SectionReader, err error) {
	name := i.Default()
	var chosen *fdt.Node
	for _, c := range i.Configurations() {
		if c.Name == name || name == "" && len(i.Configurations()) == 1 {
			chosen = c
		}
	}
	switch {
	case chosen == nil && name == "":
		return nil, nil, fmt.Errorf("%w that says what boots: it has %d configurations, and none is the default", ErrNotFIT, len(i.Configurations()))
	case chosen == nil:
		return nil, nil, fmt.Errorf("the default configuration of this FIT image, %q, does not exist", name)
	}
	if kernel, err = i.openImage(chosen, "kernel"); err != nil {
		return nil, nil, err
	}
	ramdisk, err = i.openImage(chosen, "ramdisk")
	return kernel, ramdisk, err
}

// openImage returns the data of the image that a property of a configuration names; nil without the
// property.
func (i *Image) openImage(configuration *fdt.Node, property string) (*io.SectionReader, error) {
	name := text(configuration, property)
	if name == "" {
		return nil, nil
	}
	node := i.Image(name)
	if node == nil {
		return nil, fmt.Errorf("configuration %q has the %s %q, which does not exist", configuration.Name, property, name)
	}
	data, err := i.Data(node)
	if err != nil {
		return nil, err
	}
	content, ok := data.(io.ReaderAt)
	if !ok {
		return nil, fmt.Errorf("the data of %q cannot be read in any order", name)
	}
	return io.NewSectionReader(content, 0, data.Size()), nil
}
