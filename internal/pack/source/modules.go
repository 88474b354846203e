package source

import (
	"fmt"
	"os"

	"github.com/rules-initramfs/rules_initramfs/internal/list"
	"github.com/rules-initramfs/rules_initramfs/internal/modules"
)

// modules notes the catalog of the kernel modules of an origin.
func (r *reader) modules(d *list.Directive) error {
	if r.open.Libraries != nil {
		return d.Errorf("a source of libraries has no kernel modules")
	}
	r.ModuleCatalogs = append(r.ModuleCatalogs, d.Args[0])
	return nil
}

// ReadModuleCatalogs reads the catalogs of kernel modules in files.
func ReadModuleCatalogs(names []string) ([]*modules.LayerCatalog, error) {
	var catalogs []*modules.LayerCatalog
	for _, name := range names {
		c, err := readModuleCatalog(name)
		if err != nil {
			return nil, err
		}
		catalogs = append(catalogs, c)
	}
	return catalogs, nil
}

func readModuleCatalog(name string) (*modules.LayerCatalog, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, Unreadable(name, err)
	}
	defer file.Close()
	c, err := modules.ReadLayerCatalog(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	c.File = name
	return c, nil
}
