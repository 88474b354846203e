package machine

import (
	"fmt"

	"github.com/rules-initramfs/rules_initramfs/internal/boot/config"
	"github.com/rules-initramfs/rules_initramfs/internal/tables/arch"
)

// A board says how QEMU's board of an architecture takes firmware.
type board struct {
	// flashSize is the size of each of the two flash devices, in bytes: hw/arm/virt.c and
	// hw/riscv/virt.c. Zero if they are as large as their images: hw/i386/pc_sysfw.c.
	flashSize int64
	// secureMachine follows the name of the board if only the firmware may write variables,
	// and secureFlash are the options that protect their flash.
	secureMachine string
	secureFlash   []string
	// uBoot is the option that takes U-Boot.
	uBoot string
}

var boards = map[string]board{
	"x86_64": {
		secureMachine: ",smm=on",
		secureFlash:   []string{"-global", "driver=cfi.pflash01,property=secure,value=on"},
		uBoot:         "-bios",
	},
	"arm64": {
		flashSize: 64 << 20,
		uBoot:     "-bios",
	},
	"riscv64": {
		flashSize: 32 << 20,
		// OpenSBI, which is the default of -bios, starts it in S-mode.
		uBoot: "-kernel",
	},
}

// FlashSize returns the size that an image of UEFI's flash must have on the machine of an
// architecture, in bytes; zero if there is none.
func FlashSize(a arch.Arch) int64 { return boards[a.Name].flashSize }

// firmware returns the options for what runs before the kernel, and for what it loads.
func firmware(a arch.Arch, g Guest) []string {
	var args []string
	add := func(words ...string) { args = append(args, words...) }
	b := boards[a.Name]
	switch g.Firmware {
	case config.FirmwareUEFI:
		if g.SecureBoot {
			add(b.secureFlash...)
		}
		add("-drive", "if=pflash,unit=0,format=raw,readonly=on,file="+escape(g.UEFICode),
			"-drive", "if=pflash,unit=1,format=raw,snapshot=on,file="+escape(g.UEFIVariables),
			// Some firmware waits for a key, unless it is told not to.
			"-boot", "menu=on,splash-time=0")
		if g.Network != config.NetworkNone && g.Network != "" {
			// Firmware that starts from the network waits for it.
			add("-fw_cfg", "name=opt/org.tianocore/IPv4PXESupport,string=n",
				"-fw_cfg", "name=opt/org.tianocore/IPv6PXESupport,string=n")
		}
	case config.FirmwareUBoot:
		add(b.uBoot, g.UBoot)
		if g.UBootDeviceTree != "" {
			add("-dtb", g.UBootDeviceTree)
		}
	}
	if g.PayloadDisk != "" {
		access := "snapshot=on"
		if g.TPM {
			// systemd-stub writes a secret to a disk that it can write to, and passes it to the kernel with the
			// initramfs, which is measured.
			access = "readonly=on"
		}
		add("-drive", fmt.Sprintf("if=none,id=%s,format=raw,%s,file=%s", PayloadID, access, escape(g.PayloadDisk)),
			"-device", "virtio-blk-pci,bootindex=0,drive="+PayloadID)
	}
	return args
}

// PayloadID is QEMU's name of the disk that has the payload.
const PayloadID = "payload"

// tpm returns the options for a TPM, which a program emulates at the other end of a socket.
func tpm(a arch.Arch, g Guest) []string {
	if !g.TPM {
		return nil
	}
	return []string{
		"-chardev", "socket,id=tpm," + g.TPMSocket,
		"-tpmdev", "emulator,id=tpm0,chardev=tpm",
		"-device", a.TPMDevice + ",tpmdev=tpm0",
	}
}

// DumpDeviceTree returns QEMU's arguments to write the device tree that it makes for g to a file. The firmware is
// among them, because the machine is another one without it. The device tree has no random seeds.
func DumpDeviceTree(a arch.Arch, g Guest, file string) []string {
	// Disks are not in it: they are devices of PCI.
	g.PayloadDisk, g.Disks = "", nil
	args := Arguments(a, g)
	for i, word := range args {
		if word == "-machine" {
			args[i+1] += ",dtb-randomness=off,dumpdtb=" + escape(file)
		}
	}
	return args
}
