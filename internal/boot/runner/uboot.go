package runner

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/rules-initramfs/rules_initramfs/internal/boot/machine"
	"github.com/rules-initramfs/rules_initramfs/internal/fdt"
	"github.com/rules-initramfs/rules_initramfs/internal/fit"
	"github.com/rules-initramfs/rules_initramfs/internal/modules/signature"
)

// maxDeviceTree is more than the device tree of a QEMU machine has, in bytes: FDT_MAX_SIZE of
// include/system/device_tree.h.
const maxDeviceTree = 2 << 20

// dumpLimit is how long QEMU may take to write a device tree.
const dumpLimit = time.Minute

// requireKey returns the name of a temporary file: the device tree that QEMU makes for g, with the key that U-Boot
// requires. U-Boot of QEMU's boards takes the machine's device tree as its own.
func (b *boot) requireKey(g machine.Guest) (string, error) {
	certificate, err := signature.ReadCertificate(g.UBootKey)
	if err != nil {
		return "", err
	}
	hash, err := fit.ParseSigningHash("sha256")
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(b.session.TempDir, "uboot")
	if err != nil {
		return "", err
	}
	b.temporaryFiles = append(b.temporaryFiles, dir)
	dumped := filepath.Join(dir, "machine.dtb")
	if err := dumpDeviceTree(g.QEMU, machine.DumpDeviceTree(b.arch, g, dumped)); err != nil {
		return "", err
	}
	info, err := os.Stat(dumped)
	if err != nil {
		return "", err
	}
	if info.Size() > maxDeviceTree {
		return "", fmt.Errorf("QEMU's device tree has %d bytes, more than %d", info.Size(), maxDeviceTree)
	}
	data, err := os.ReadFile(dumped)
	if err != nil {
		return "", err
	}
	tree, err := fdt.Parse(data)
	if err != nil {
		return "", fmt.Errorf("QEMU's device tree: %w", err)
	}
	if err := fit.AddKey(tree, g.UBootKeyName, hash, certificate.PublicKey); err != nil {
		return "", err
	}
	atOnce := int32(0)
	fit.SetBoot(tree, &atOnce, "")
	if data, err = tree.Bytes(); err != nil {
		return "", err
	}
	with := filepath.Join(dir, "key.dtb")
	return with, os.WriteFile(with, data, 0o600)
}

// dumpDeviceTree runs QEMU, which writes the device tree and ends.
func dumpDeviceTree(qemu string, args []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), dumpLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, qemu, args...)
	cmd.WaitDelay = time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("QEMU wrote no device tree: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}
