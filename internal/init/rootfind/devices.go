package rootfind

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/rules-initramfs/rules_initramfs/internal/init/disk"
)

// A Device is a block device of the running kernel.
type Device struct {
	Name      string // its name in /sys/class/block
	Major     int
	Minor     int
	Bytes     int64  // size
	Disk      string // of a partition, the disk's Name; of a disk, its own
	Partition int    // number of a partition; 0 for a disk

	Entry      disk.Entry      // a partition's entry in the disk's table
	FileSystem disk.FileSystem // the file system on it
	Err        error           // why the device could not be read
}

// A System has the directories in which the kernel shows its devices.
type System struct {
	Sys string // mount point of sysfs: /sys
	Dev string // directory of the device nodes: /dev
}

// Devices returns the block devices that are not empty, sorted by name. A device
// that cannot be read has an Err.
func (s System) Devices() ([]Device, error) {
	entries, err := os.ReadDir(filepath.Join(s.Sys, "class/block"))
	if err != nil {
		return nil, fmt.Errorf("cannot list the block devices: %v", err)
	}
	var all []Device
	tables := map[string]disk.Table{}
	for _, entry := range entries {
		d, err := s.device(entry.Name())
		if errors.Is(err, fs.ErrNotExist) { // unplugged in the meantime
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

// device reads the attributes that sysfs has of a device (block/genhd.c,
// block/partitions/core.c).
func (s System) device(name string) (Device, error) {
	dir := filepath.Join(s.Sys, "class/block", name)
	d := Device{Name: name, Disk: name}
	text, err := os.ReadFile(dir + "/dev")
	if err != nil {
		return d, err
	}
	if _, err := fmt.Sscanf(string(text), "%d:%d", &d.Major, &d.Minor); err != nil {
		return d, fmt.Errorf("%s/dev: %q is not a device number", dir, text)
	}
	sectors, err := number(dir + "/size")
	if err != nil {
		return d, err
	}
	d.Bytes = sectors * 512
	if _, err := os.Stat(dir + "/partition"); err != nil {
		return d, nil
	}
	n, err := number(dir + "/partition")
	if err != nil {
		return d, err
	}
	d.Partition = int(n)
	// The directory of a partition is in the directory of its disk.
	target, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return d, err
	}
	d.Disk = filepath.Base(filepath.Dir(target))
	return d, nil
}

// probe reads the file system on a device and, of a partition, its entry. A disk's
// table is added to tables, by the name of the disk.
func (s System) probe(d *Device, tables map[string]disk.Table) error {
	f, err := s.open(d)
	if err != nil {
		return err
	}
	defer f.Close()
	if d.FileSystem, err = disk.ReadFileSystem(f, d.Bytes); err != nil {
		return err
	}
	if d.Partition == 0 {
		blockSize, err := number(filepath.Join(s.Sys, "class/block", d.Name, "queue/logical_block_size"))
		if err != nil {
			blockSize = 512
		}
		// Its partitions come later, because their names are longer.
		table, err := disk.ReadTable(f, int(blockSize))
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

// open opens the node of a device, and makes it if it is missing: without devtmpfs
// there are only the image's own nodes.
func (s System) open(d *Device) (*os.File, error) {
	name := filepath.Join(s.Dev, d.Name)
	f, err := os.Open(name)
	if !os.IsNotExist(err) {
		return f, err
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return nil, err
	}
	if err := unix.Mknod(name, unix.S_IFBLK|0o600, int(unix.Mkdev(uint32(d.Major), uint32(d.Minor)))); err != nil {
		return nil, fmt.Errorf("cannot make the device node %s: %v", name, err)
	}
	return os.Open(name)
}

func number(name string) (int64, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || n < 0 || n > 1<<53 {
		return 0, fmt.Errorf("%s: %q is not a size or number", name, text)
	}
	return n, nil
}

// String describes the device for a message: vda1 64 MiB ext4 LABEL=root UUID=...
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
		// A disk may have any bytes, and a terminal would obey control characters.
		text := strconv.Quote(w.value)
		if text == `"`+w.value+`"` && !strings.Contains(w.value, " ") {
			text = w.value
		}
		words = append(words, w.prefix+text)
	}
	if what := d.FileSystem.Container(); what != "" {
		words = append(words, "("+what+")")
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
