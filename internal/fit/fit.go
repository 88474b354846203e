// Package fit makes, signs and checks FIT images: what U-Boot loads. A FIT is a device tree with a
// kernel, an initramfs and device trees in it, and with configurations that say which of them boot
// together (doc/usage/fit of U-Boot).
//
// The trees are those of mkimage: the same properties, in the same order, at the same offsets, so
// that a signature has the same value.
package fit

import (
	"errors"
	"fmt"
	"io"

	"github.com/rules-initramfs/rules_initramfs/internal/fdt"
)

// An Image is a FIT.
type Image struct {
	// Tree is the device tree. Its images have their data, or, if it is external, where it is.
	Tree *fdt.Tree
	// External is what follows the tree; nil if the images have their data.
	External fdt.Content
}

// ErrNotFIT is the error for a device tree that is not a FIT.
var ErrNotFIT = errors.New("not a FIT image")

// Nodes and properties (include/image.h of U-Boot).
const (
	imagesNode         = "images"
	configurationsNode = "configurations"
	hashPrefix         = "hash"
	signaturePrefix    = "signature"
	keysNode           = "signature" // of a control device tree

	dataProperty         = "data"
	dataSizeProperty     = "data-size"
	dataOffsetProperty   = "data-offset"
	dataPositionProperty = "data-position"
	descriptionProperty  = "description"
	timestampProperty    = "timestamp"
	compatibleProperty   = "compatible"
	defaultProperty      = "default"
	algorithmProperty    = "algo"
	valueProperty        = "value"
	keyNameProperty      = "key-name-hint"
	signImagesProperty   = "sign-images"
	hashedNodes          = "hashed-nodes"
	hashedStrings        = "hashed-strings"
)

// externalAlign is what external data begins at a multiple of, in bytes, and with it the size of the
// tree before it.
const externalAlign = 4

// maxChildren is the largest number of images, and of configurations. Images may share external data,
// so that more would take time without end.
const maxChildren = 1 << 10

// Read reads a FIT of size bytes. What r has is used for as long as the image is.
func Read(r io.ReaderAt, size int64) (*Image, error) {
	tree, err := fdt.ParseFile(r, size)
	if err != nil {
		return nil, err
	}
	if tree.Root.Child(imagesNode) == nil {
		return nil, fmt.Errorf("%w: it is a device tree without a node /%s", ErrNotFIT, imagesNode)
	}
	image := &Image{Tree: tree}
	if images, configurations := len(image.Images()), len(image.Configurations()); max(images, configurations) > maxChildren {
		return nil, fmt.Errorf("%w that can be read: it has %d images and %d configurations, and at most %d of each are supported", ErrNotFIT, images, configurations, maxChildren)
	}
	if at := (tree.Size + externalAlign - 1) &^ (externalAlign - 1); at < size {
		image.External = fileContent{r, at, size - at}
		tree.Align = externalAlign
	}
	return image, nil
}

// Write writes the image.
func (i *Image) Write(w io.Writer) error {
	if i.External == nil {
		return i.Tree.Write(w)
	}
	if err := i.Tree.Write(w); err != nil {
		return err
	}
	n, err := i.External.WriteTo(w)
	if err == nil && n != i.External.Size() {
		err = fmt.Errorf("the data after the tree has %d bytes instead of %d: it changed", n, i.External.Size())
	}
	return err
}

// Data returns the data of an image, a child of /images. It may be compressed.
func (i *Image) Data(node *fdt.Node) (fdt.Content, error) {
	for _, p := range node.Properties {
		switch {
		case p.Name == dataProperty && p.Content != nil:
			return p.Content, nil
		case p.Name == dataProperty:
			return bytesContent(p.Value), nil
		}
	}
	at, atOK := node.Uint32(dataOffsetProperty)
	size, sizeOK := node.Uint32(dataSizeProperty)
	switch external, isFile := i.External.(fileContent); {
	case !atOK || !sizeOK:
		return nil, fmt.Errorf("/%s/%s has no data", imagesNode, node.Name)
	case !isFile || int64(at) > external.size || int64(size) > external.size-int64(at):
		return nil, fmt.Errorf("/%s/%s: its data, %d bytes at byte %d after the tree, is not in the file", imagesNode, node.Name, size, at)
	default:
		return fileContent{external.file, external.at + int64(at), int64(size)}, nil
	}
}

// Images returns the images: kernels, initramfs images, device trees.
func (i *Image) Images() []*fdt.Node { return i.Tree.Root.Child(imagesNode).Children }

// Image returns the image with a name, or nil.
func (i *Image) Image(name string) *fdt.Node { return i.Tree.Root.Child(imagesNode).Child(name) }

// Configurations returns the configurations.
func (i *Image) Configurations() []*fdt.Node {
	if node := i.Tree.Root.Child(configurationsNode); node != nil {
		return node.Children
	}
	return nil
}

// Default returns the name of the default configuration, or nothing.
func (i *Image) Default() string {
	if node := i.Tree.Root.Child(configurationsNode); node != nil {
		return text(node, defaultProperty)
	}
	return ""
}

// text returns the first string of a property, or nothing.
func text(n *fdt.Node, property string) string {
	if all := n.Strings(property); len(all) > 0 {
		return all[0]
	}
	return ""
}
