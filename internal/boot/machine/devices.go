package machine

import (
	"strconv"
	"strings"
)

// disks returns the options for disks with these images: the guest's vda, vdb
// and so on. What the guest writes goes to a temporary file of QEMU's in $TMPDIR,
// which is gone when QEMU exits.
func disks(images []string) []string {
	var args []string
	for i, image := range images {
		id := "disk" + strconv.Itoa(i)
		args = append(args,
			"-drive", "if=none,id="+id+",format=raw,snapshot=on,file="+escape(image),
			"-device", "virtio-blk-pci,drive="+id,
		)
	}
	return args
}

// files returns the options for a directory that the guest may read over 9p.
func files(dir string) []string {
	if dir == "" {
		return nil
	}
	return []string{
		// The guest sees the owners and modes that the files have on the host.
		"-fsdev", "local,id=files,security_model=none,readonly=on,path=" + escape(dir),
		"-device", "virtio-9p-pci,fsdev=files,mount_tag=" + FilesTag,
	}
}

// network returns the options for a network card, or for none.
func network(wanted bool) []string {
	if !wanted {
		return []string{"-nic", "none"}
	}
	return []string{
		"-netdev", "user,id=network",
		// Without a ROM to boot from.
		"-device", "virtio-net-pci,netdev=network,romfile=",
	}
}

// debugger returns the options to wait for a debugger on a port that only the host
// can reach.
func debugger(port int) []string {
	if port == 0 {
		return nil
	}
	return []string{"-gdb", "tcp:localhost:" + strconv.Itoa(port), "-S"}
}

// escape doubles the commas of a value in QEMU's option language, where a single
// comma ends the value.
func escape(value string) string {
	return strings.ReplaceAll(value, ",", ",,")
}
