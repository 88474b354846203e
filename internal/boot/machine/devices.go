package machine

import (
	"strconv"
	"strings"
)

// disks returns the options for disks with these images: the guest's vda, vdb
// and so on. What it writes goes to a temporary file of QEMU's, in $TMPDIR,
// that is gone when QEMU is.
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

// files returns the options for a folder that the guest may read over 9p.
func files(folder string) []string {
	if folder == "" {
		return nil
	}
	return []string{
		// The owners and modes are those that the files have here.
		"-fsdev", "local,id=files,security_model=none,readonly=on,path=" + escape(folder),
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

// debugger returns the options to wait for a debugger on a port of this
// machine alone.
func debugger(port int) []string {
	if port == 0 {
		return nil
	}
	return []string{"-gdb", "tcp:localhost:" + strconv.Itoa(port), "-S"}
}

// escape doubles the commas of a value of QEMU's option language, where a
// single one ends it.
func escape(value string) string {
	return strings.ReplaceAll(value, ",", ",,")
}
