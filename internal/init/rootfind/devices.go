package rootfind

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/rules-initramfs/rules_initramfs/internal/init/partition"
	"github.com/rules-initramfs/rules_initramfs/internal/init/superblock"
)

// A Device is a block device that the kernel has.
type Device struct {
	Name      string // as in /dev and /sys/class/block
	Major     int
	Minor     int
	Bytes     int64  // its size
	Disk      string // the disk that a partition is on; a disk's own name
	Partition int    // a partition's number; 0 for a disk

	Entry      partition.Entry       // what the disk's table says of a partition
	FileSystem superblock.FileSystem // what is on it
	Err        error                 // why it could not be read
}

// A System is where the kernel shows its devices.
type System struct {
	Sys string // where sysfs is mounted: /sys
	Dev string // where the nodes are: /dev
}

// Devices returns the block devices that are not empty, by name. A device that
// cannot be read has an Err.
func (s System) Devices() ([]Device, error) {
	entries, err := os.ReadDir(filepath.Join(s.Sys, "class/block"))
	if err != nil {
		return nil, fmt.Errorf("cannot list the block devices: %v", err)
	}
	var all []Device
	tables := map[string]partition.Table{}
	for _, entry := range entries {
		d, err := s.device(entry.Name())
		if errors.Is(err, fs.ErrNotExist) { // unplugged meanwhile
			continue
		}
		if err != nil {
			return nil, err
		}
		if d.Bytes == 0 {
			continue
		}
		d.Err = s.probe(&d, tables)
		all = append(all, d)
	}
	return all, nil
}

// device reads what sysfs says of a device (block/genhd.c,
// block/partitions/core.c).
func (s System) device(name string) (Device, error) {
	folder := filepath.Join(s.Sys, "class/block", name)
	d := Device{Name: name, Disk: name}
	text, err := os.ReadFile(folder + "/dev")
	if err != nil {
		return d, err
	}
	if _, err := fmt.Sscanf(string(text), "%d:%d", &d.Major, &d.Minor); err != nil {
		return d, fmt.Errorf("%s/dev: %q is no device number", folder, text)
	}
	sectors, err := number(folder + "/size")
	if err != nil {
		return d, err
	}
	d.Bytes = sectors * 512
	if _, err := os.Stat(folder + "/partition"); err != nil {
		return d, nil
	}
	n, err := number(folder + "/partition")
	if err != nil {
		return d, err
	}
	d.Partition = int(n)
	// A partition's folder is in its disk's.
	target, err := filepath.EvalSymlinks(folder)
	if err != nil {
		return d, err
	}
	d.Disk = filepath.Base(filepath.Dir(target))
	return d, nil
}

// probe reads what is on a device, and the table that a partition is in, which
// tables keeps by disk.
func (s System) probe(d *Device, tables map[string]partition.Table) error {
	f, err := s.open(d)
	if err != nil {
		return err
	}
	defer f.Close()
	if d.FileSystem, err = superblock.Probe(f); err != nil {
		return err
	}
	if d.Partition == 0 {
		blockSize, err := number(filepath.Join(s.Sys, "class/block", d.Name, "queue/logical_block_size"))
		if err != nil {
			blockSize = 512
		}
		// Its partitions come after it: their names are longer.
		table, err := partition.Read(f, int(blockSize))
		if err != nil {
			return err
		}
		tables[d.Name] = table
		return nil
	}
	table := tables[d.Disk]
	d.Entry = table.Entry(d.Partition)
	return nil
}

// open opens a device's node, which it makes where there is none: without
// devtmpfs there only are those of the image.
func (s System) open(d *Device) (*os.File, error) {
	name := filepath.Join(s.Dev, d.Name)
	f, err := os.Open(name)
	if !os.IsNotExist(err) {
		return f, err
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return nil, err
	}
	if err := syscall.Mknod(name, syscall.S_IFBLK|0o600, deviceNumber(d.Major, d.Minor)); err != nil {
		return nil, fmt.Errorf("cannot make the node %s: %v", name, err)
	}
	return os.Open(name)
}

// deviceNumber is new_encode_dev of include/linux/kdev_t.h.
func deviceNumber(major, minor int) int {
	return minor&0xff | major<<8 | minor&^0xff<<12
}

func number(name string) (int64, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || n < 0 || n > 1<<53 {
		return 0, fmt.Errorf("%s: %q is no size or number", name, text)
	}
	return n, nil
}

// String is how a message lists the device: vda1 64 MiB ext4 LABEL=root UUID=...
func (d Device) String() string {
	words := []string{d.Name, size(d.Bytes)}
	for _, w := range []struct{ prefix, value string }{
		{"", d.FileSystem.Type},
		{"LABEL=", d.FileSystem.Label},
		{"UUID=", d.FileSystem.UUID},
		{"PARTLABEL=", d.Entry.Label},
		{"PARTUUID=", d.Entry.UUID},
	} {
		if w.value == "" {
			continue
		}
		// What is on a disk may be anything: a console takes some of it for orders.
		text := strconv.Quote(w.value)
		if text == `"`+w.value+`"` && !strings.Contains(w.value, " ") {
			text = w.value
		}
		words = append(words, w.prefix+text)
	}
	if d.Err != nil {
		words = append(words, fmt.Sprintf("(%v)", d.Err))
	}
	return strings.Join(words, " ")
}

func size(bytes int64) string {
	if bytes < 1<<20 {
		return fmt.Sprintf("%d KiB", bytes>>10)
	}
	return fmt.Sprintf("%d MiB", bytes>>20)
}
