package rootfind

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// interval is how often is looked for a device that is waited for.
const interval = 50 * time.Millisecond

// Find returns the device that r asks for. It waits as r says; on log it says
// what for, and which one it takes when several fit.
func (s System) Find(r Request, log io.Writer) (Device, error) {
	want, err := parseRoot(r.Root)
	if err != nil {
		return Device{}, err
	}
	time.Sleep(r.Delay)
	begin := time.Now()
	for said := false; ; time.Sleep(interval) {
		devices, err := s.Devices()
		if err != nil {
			return Device{}, err
		}
		found := want.among(devices)
		if len(found) > 0 {
			if len(found) > 1 {
				fmt.Fprintf(log, "init: root=%s fits %s: taking the first\n", r.Root, join(found))
			}
			return found[0], nil
		}
		if time.Since(begin) >= r.Wait {
			return Device{}, notFound(r.Root, devices)
		}
		if !said {
			fmt.Fprintf(log, "init: waiting for root=%s\n", r.Root)
			said = true
		}
	}
}

func notFound(root string, devices []Device) error {
	if len(devices) == 0 {
		return fmt.Errorf("no root=%s: there are no block devices: the kernel needs the disk's driver, built in or as one of init's modules; rootwait waits for slow ones", root)
	}
	return fmt.Errorf("no root=%s among the block devices: %s: correct root=, or let rootwait wait for it", root, join(devices))
}

func join(devices []Device) string {
	texts := make([]string, len(devices))
	for i, d := range devices {
		texts[i] = d.String()
	}
	return strings.Join(texts, "; ")
}

// A wanted says which devices fit.
type wanted struct {
	fits func(Device) bool

	// offset is added to the number of the partition that fits: PARTNROFF.
	offset int
}

// among returns the devices that fit.
func (w wanted) among(devices []Device) []Device {
	var found []Device
	for _, d := range devices {
		if !w.fits(d) {
			continue
		}
		if w.offset == 0 {
			found = append(found, d)
			continue
		}
		for _, other := range devices {
			if other.Disk == d.Disk && other.Partition == d.Partition+w.offset {
				found = append(found, other)
			}
		}
	}
	return found
}

// forms are what can be written behind root=: block/early-lookup.c has all but
// UUID and LABEL.
const forms = "want /dev/NAME, PARTUUID=, PARTLABEL=, UUID=, LABEL=, MAJOR:MINOR or, in hexadecimal digits, a device number"

func parseRoot(root string) (wanted, error) {
	key, value, tagged := strings.Cut(root, "=")
	if tagged {
		if value == "" {
			return wanted{}, fmt.Errorf("root=%s: there is nothing behind %s=", root, key)
		}
		return parseTag(root, key, value)
	}
	if name, ok := strings.CutPrefix(root, "/dev/"); ok && name != "" {
		for _, folder := range []string{"disk/", "mapper/", "nfs", "cifs"} {
			if strings.HasPrefix(name, folder) {
				return wanted{}, fmt.Errorf("root=%s: init makes no /dev/%s: %s", root, folder, forms)
			}
		}
		// In sysfs a slash of a name is an exclamation mark.
		name = strings.ReplaceAll(name, "/", "!")
		return wanted{fits: func(d Device) bool { return d.Name == name }}, nil
	}
	if major, minor, ok := strings.Cut(root, ":"); ok {
		ma, err1 := strconv.ParseUint(major, 10, 12)
		mi, err2 := strconv.ParseUint(minor, 10, 20)
		if err := errors.Join(err1, err2); err == nil {
			return numbered(int(ma), int(mi)), nil
		}
	} else if n, err := strconv.ParseUint(root, 16, 32); err == nil {
		// new_decode_dev of include/linux/kdev_t.h.
		return numbered(int(n>>8&0xfff), int(n&0xff|n>>12&0xfff00)), nil
	}
	return wanted{}, fmt.Errorf("root=%s is not known: %s", root, forms)
}

func numbered(major, minor int) wanted {
	return wanted{fits: func(d Device) bool { return d.Major == major && d.Minor == minor }}
}

func parseTag(root, key, value string) (wanted, error) {
	switch key {
	case "LABEL":
		return wanted{fits: func(d Device) bool { return d.FileSystem.Label == value }}, nil
	case "UUID":
		return wanted{fits: func(d Device) bool { return strings.EqualFold(d.FileSystem.UUID, value) }}, nil
	case "PARTLABEL":
		return wanted{fits: func(d Device) bool { return d.Entry.Label == value }}, nil
	case "PARTUUID":
		uuid, text, moved := strings.Cut(value, "/PARTNROFF=")
		if uuid == "" {
			return wanted{}, fmt.Errorf("root=%s: there is no UUID behind PARTUUID=", root)
		}
		offset := 0
		if moved {
			var err error
			if offset, err = strconv.Atoi(text); err != nil || offset < -1<<16 || offset > 1<<16 {
				return wanted{}, fmt.Errorf("root=%s: PARTNROFF: %q is no number of partitions", root, text)
			}
		}
		return wanted{fits: func(d Device) bool { return strings.EqualFold(d.Entry.UUID, uuid) }, offset: offset}, nil
	}
	return wanted{}, fmt.Errorf("root=%s is not known: %s", root, forms)
}
