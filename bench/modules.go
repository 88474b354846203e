package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Targets for choosing the usual modules and packing them: a fraction of mkinitramfs' time, and
// seconds.
const (
	maxModulesRatio   = 0.1
	maxModulesSeconds = 0.5
)

// usual are the modules that machines and virtual machines need for a root file system on ext4.
var usual = []string{"virtio_pci", "virtio_blk", "virtio_scsi", "virtio_net", "nvme", "xhci_pci", "usb_storage", "uas", "sd_mod", "ext4"}

// withModules runs a program that finds the modules below /usr/lib/modules, where mkinitramfs looks.
const withModules = `#!/bin/sh
exec unshare --map-root-user --mount sh -c 'mount -t overlay -o "lowerdir=modules/usr/lib:/usr/lib" overlay /usr/lib && exec "$@"' sh "$@"
`

// modules compares making the indexes of a kernel's modules, and choosing and packing a few modules.
func (b *bench) modules() error {
	fmt.Print("\n### Modules\n")
	if len(b.packages) == 0 || !b.has("guest_init") {
		fmt.Print("\nLeft out: it needs the packages with the modules of a kernel, with --modules FILE, and an init, with --guest_init FILE\n")
		return nil
	}
	release, err := b.unpackModules()
	if err != nil {
		return err
	}
	if err := b.describeModules(release); err != nil {
		return err
	}
	fmt.Printf("\nThe kernel %s. With `list`, mkinitramfs adds the same modules as the packer; with `most`, those of most machines, as `dracut --no-hostonly` does.\n", release)
	if err := b.compare(
		group{"all indexes", "packer depmod --out indexes modules/usr/lib/modules/" + release, []command{
			{line: "depmod --basedir modules --outdir depmod " + release, peer: "depmod", time: 1},
		}},
		group{"catalog", "packer modules --kernel modules --write-catalog catalog", nil},
	); err != nil {
		return err
	}
	// mkinitramfs and dracut read the indexes.
	if b.has("depmod") {
		if err := b.run("depmod", "--basedir", "modules", release); err != nil {
			return err
		}
	}
	if err := b.run("packer", "modules", "--kernel", "modules", "--write-catalog", "catalog"); err != nil {
		return err
	}
	const choose = "rm -rf layer && packer modules --kernel modules%s @usual --output layer --archive layer.cpio && packer pack --compress zstd --out out init.list layer.cpio"
	mkinitramfs := "TMPDIR=$PWD with-modules mkinitramfs -d %s -c zstd -o out " + release
	ours := fmt.Sprintf(choose, " --catalog catalog")
	return b.compareWithin(maxModulesSeconds,
		group{"the usual modules, with the catalog", ours, []command{
			{line: fmt.Sprintf(mkinitramfs, "list"), peer: "mkinitramfs", time: maxModulesRatio},
			{line: fmt.Sprintf(mkinitramfs, "most"), peer: "mkinitramfs", time: maxModulesRatio},
			{line: "with-modules dracut --quiet --force --no-hostonly --tmpdir $PWD --zstd --kver " + release + " out", peer: "dracut", time: maxModulesRatio},
		}},
		group{"without", fmt.Sprintf(choose, ""), nil},
	)
}

// unpackModules makes the directory "modules" with usr/lib/modules/RELEASE, and returns the release.
func (b *bench) unpackModules() (string, error) {
	args := append([]string{"pack", "--compress", "none", "--out", "modules.cpio"}, b.packages...)
	if err := b.run("packer", args...); err != nil {
		return "", err
	}
	if err := b.run("packer", "extract", "--skip-special", "modules.cpio", "modules"); err != nil {
		return "", err
	}
	found, err := filepath.Glob(b.path("modules/usr/lib/modules/*"))
	if err != nil {
		return "", err
	}
	if len(found) != 1 {
		return "", fmt.Errorf("the packages have %d directories usr/lib/modules/RELEASE, but one is needed", len(found))
	}
	// depmod --basedir looks below lib.
	return filepath.Base(found[0]), errors.Join(os.Symlink("usr/lib", b.path("modules/lib")), os.Remove(b.path("modules.cpio")))
}

// describeModules writes what tells the programs which modules to take.
func (b *bench) describeModules(release string) error {
	program, err := filepath.EvalSymlinks(b.path("bin/guest_init"))
	if err != nil {
		return err
	}
	err = errors.Join(
		writeFile(b.path("bin/with-modules"), []byte(withModules), 0o755),
		writeFile(b.path("usual"), []byte("--want="+strings.Join(usual, "\n--want=")+"\n"), 0o644),
		writeFile(b.path("init.list"), []byte("file /init "+program+" 0755 0 0\n"), 0o644),
		os.Mkdir(b.path("indexes"), 0o755),
		os.MkdirAll(b.path("depmod/lib/modules/"+release), 0o755),
	)
	for _, which := range []string{"list", "most"} {
		err = errors.Join(err,
			writeFile(b.path(which+"/initramfs.conf"), []byte("MODULES="+which+"\nBUSYBOX=auto\nKEYMAP=n\nCOMPRESS=zstd\nRUNSIZE=10%\nFSTYPE=auto\n"), 0o644),
			writeFile(b.path(which+"/modules"), []byte(strings.Join(usual, "\n")+"\n"), 0o644),
			os.MkdirAll(b.path(which+"/conf.d"), 0o755),
			os.MkdirAll(b.path(which+"/hooks"), 0o755),
			os.MkdirAll(b.path(which+"/scripts"), 0o755),
		)
	}
	return err
}
