package rootfind

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// interval is the time between two searches for a device.
const interval = 50 * time.Millisecond

// Find returns the device that r asks for, and waits for it as long as r says. It
// logs what it waits for, and which device it takes if several match.
func (s System) Find(r Request, log io.Writer) (Device, error) {
	m, err := parseRoot(r.Root)
	if err != nil {
		return Device{}, err
	}
	time.Sleep(r.Delay)
	begin := time.Now()
	for logged := false; ; time.Sleep(interval) {
		devices, err := s.Devices()
		if err != nil {
			return Device{}, err
		}
		matches := mountable(m.filter(devices))
		if len(matches) > 0 {
			if len(matches) > 1 {
				fmt.Fprintf(log, "init: root=%s matches %s: using the first\n", r.Root, join(matches))
			}
			return matches[0], nil
		}
		if time.Since(begin) >= r.Wait {
			return Device{}, notFound(r.Root, devices)
		}
		if !logged {
			fmt.Fprintf(log, "init: waiting for root=%s\n", r.Root)
			logged = true
		}
	}
}

// mountable returns the devices that have a file system, or all devices if none has: a
// container may have the label of the file system in it.
func mountable(devices []Device) []Device {
	isContainer := func(d Device) bool { return d.FileSystem.Container() != "" }
	if !slices.ContainsFunc(devices, func(d Device) bool { return !isContainer(d) }) {
		return devices
	}
	return slices.DeleteFunc(devices, isContainer)
}

func notFound(root string, devices []Device) error {
	if len(devices) == 0 {
		return fmt.Errorf("root=%s not found: there are no block devices: add the disk's driver to the kernel or to init's modules, or add rootwait for a slow disk", root)
	}
	return fmt.Errorf("root=%s matches none of the block devices: %s: correct root=, or add rootwait for a slow disk", root, join(devices))
}

func join(devices []Device) string {
	texts := make([]string, len(devices))
	for i, d := range devices {
		texts[i] = d.String()
	}
	return strings.Join(texts, "; ")
}

// A matcher selects devices.
type matcher struct {
	matches func(Device) bool

	// offset, PARTNROFF, is added to the number of a partition that matches.
	offset int
}

// filter returns the devices that m selects.
func (m matcher) filter(devices []Device) []Device {
	var selected []Device
	for _, d := range devices {
		if !m.matches(d) {
			continue
		}
		if m.offset == 0 {
			selected = append(selected, d)
			continue
		}
		for _, other := range devices {
			if other.Disk == d.Disk && other.Partition == d.Partition+m.offset {
				selected = append(selected, other)
			}
		}
	}
	return selected
}

// forms are the values that root= may have. block/early-lookup.c has all but UUID
// and LABEL.
const forms = "want /dev/NAME, PARTUUID=, PARTLABEL=, UUID=, LABEL=, MAJOR:MINOR or a device number in hexadecimal"

func parseRoot(root string) (matcher, error) {
	key, value, tagged := strings.Cut(root, "=")
	if tagged {
		if value == "" {
			return matcher{}, fmt.Errorf("root=%s: there is no value after %s=", root, key)
		}
		return parseTag(root, key, value)
	}
	if name, ok := strings.CutPrefix(root, "/dev/"); ok && name != "" {
		for _, prefix := range []string{"disk/", "mapper/", "nfs", "cifs"} {
			if strings.HasPrefix(name, prefix) {
				return matcher{}, fmt.Errorf("root=%s: init does not make /dev/%s: %s", root, prefix, forms)
			}
		}
		// sysfs writes a slash in a name as an exclamation mark.
		name = strings.ReplaceAll(name, "/", "!")
		return matcher{matches: func(d Device) bool { return d.Name == name }}, nil
	}
	if major, minor, ok := strings.Cut(root, ":"); ok {
		ma, err1 := strconv.ParseUint(major, 10, 12)
		mi, err2 := strconv.ParseUint(minor, 10, 20)
		if err := errors.Join(err1, err2); err == nil {
			return matchNumber(uint32(ma), uint32(mi)), nil
		}
	} else if n, err := strconv.ParseUint(root, 16, 32); err == nil {
		return matchNumber(unix.Major(n), unix.Minor(n)), nil
	}
	return matcher{}, fmt.Errorf("root=%s is not supported: %s", root, forms)
}

func matchNumber(major, minor uint32) matcher {
	return matcher{matches: func(d Device) bool { return d.Major == int(major) && d.Minor == int(minor) }}
}

func parseTag(root, key, value string) (matcher, error) {
	switch key {
	case "LABEL":
		return matcher{matches: func(d Device) bool { return d.FileSystem.Label == value }}, nil
	case "UUID":
		return matcher{matches: func(d Device) bool { return strings.EqualFold(d.FileSystem.UUID, value) }}, nil
	case "PARTLABEL":
		return matcher{matches: func(d Device) bool { return d.Entry.Label == value }}, nil
	case "PARTUUID":
		uuid, text, hasOffset := strings.Cut(value, "/PARTNROFF=")
		if uuid == "" {
			return matcher{}, fmt.Errorf("root=%s: there is no UUID after PARTUUID=", root)
		}
		offset := 0
		if hasOffset {
			var err error
			if offset, err = strconv.Atoi(text); err != nil || offset < -1<<16 || offset > 1<<16 {
				return matcher{}, fmt.Errorf("root=%s: PARTNROFF: %q is not a number of partitions", root, text)
			}
		}
		return matcher{matches: func(d Device) bool { return strings.EqualFold(d.Entry.UUID, uuid) }, offset: offset}, nil
	}
	return matcher{}, fmt.Errorf("root=%s is not supported: %s", root, forms)
}
