package fit

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/pierrec/lz4/v4"

	"github.com/rules-initramfs/rules_initramfs/internal/boot/kernelimage"
	"github.com/rules-initramfs/rules_initramfs/internal/codec"
	"github.com/rules-initramfs/rules_initramfs/internal/parts"
	"github.com/rules-initramfs/rules_initramfs/internal/tables/arch"
)

// compressions are what U-Boot decompresses kernels with (uimage_comp in boot/image.c).
var compressions = []string{"gzip", "lz4", "lzma", "lzo", "bzip2", "zstd", codec.None}

// Compressions returns the codecs that U-Boot has for kernels.
func Compressions() []string { return slices.Clone(compressions) }

// maxKernel is the largest kernel, in bytes. U-Boot's own limit for what it decompresses is less on
// most boards (CONFIG_SYS_BOOTM_LEN).
const maxKernel = 512 << 20

// kernelAlign is what arm64 and riscv64 kernels are loaded at a multiple of
// (Documentation/arch/arm64/booting.rst and riscv/boot.rst).
const kernelAlign = 2 << 20

// kernelContent is a kernel as a FIT has it.
type kernelContent struct {
	data        bytesContent
	compression string
	arch        arch.Arch
}

// readKernel reads and compresses the kernel.
func (d *Description) readKernel() (*kernelContent, error) {
	k := d.Kernel
	if k.File == "" {
		return nil, errors.New("the kernel is missing: name its file")
	}
	file, _, err := parts.OpenRegular(k.File)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	found, err := kernelimage.Read(k.File)
	if err != nil {
		return nil, err
	}
	content, err := d.kernel(file, found)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", k.File, err)
	}
	return content, nil
}

func (d *Description) kernel(file io.Reader, found kernelimage.Image) (*kernelContent, error) {
	data, err := io.ReadAll(io.LimitReader(file, maxKernel+1))
	switch {
	case err != nil:
		return nil, err
	case len(data) > maxKernel:
		return nil, fmt.Errorf("it has more than %d MiB, which no kernel has", maxKernel>>20)
	}
	name := codec.DetectFile(data[:min(8, len(data))])
	if name != "" {
		if d.Kernel.Compression != "" && !strings.HasPrefix(d.Kernel.Compression+":", name+":") {
			return nil, fmt.Errorf("it is compressed (%s), and would be compressed twice: give the kernel's Image, or set compression to %s", name, name)
		}
		if !slices.Contains(compressions, name) || name == "lz4" && !bytes.HasPrefix(data, []byte(lz4Frame)) {
			return nil, fmt.Errorf("it is compressed (%s) in a format that U-Boot does not have: give the kernel's Image", name)
		}
		if found, err = decompressedHeader(data); err != nil {
			return nil, err
		}
	}
	k := &kernelContent{data: data, compression: name}
	if err := k.setArch(d.Architecture, found); err != nil {
		return nil, err
	}
	if name == "" {
		if err := k.compress(d.Kernel.Compression); err != nil {
			return nil, err
		}
	}
	return k, d.checkAddresses(k, found.Memory)
}

// decompressedHeader returns what the headers of a compressed kernel say.
func decompressedHeader(data []byte) (kernelimage.Image, error) {
	z, err := codec.NewFileReader(bufio.NewReader(bytes.NewReader(data)))
	if err != nil {
		return kernelimage.Image{}, err
	}
	defer z.Close()
	temporary, err := os.CreateTemp("", "kernel")
	if err != nil {
		return kernelimage.Image{}, err
	}
	defer os.Remove(temporary.Name())
	defer temporary.Close()
	if _, err := io.CopyN(temporary, z, 64<<10); err != nil && err != io.EOF {
		return kernelimage.Image{}, err
	}
	return kernelimage.Read(temporary.Name())
}

// setArch checks the format of the kernel.
func (k *kernelContent) setArch(name string, found kernelimage.Image) error {
	switch {
	case found.Format == kernelimage.Unknown:
		return errors.New("it is not a kernel: give the kernel's Image")
	case found.Format == kernelimage.Compressed || found.Format == kernelimage.GzipRaw:
		return errors.New("it is compressed twice: give the kernel's Image")
	case found.Format != kernelimage.Raw:
		return fmt.Errorf("it is %s, which U-Boot does not start from a FIT image: give the kernel's Image, of arm64 or riscv64", found.Format)
	case name != "" && name != found.Arch:
		return fmt.Errorf("it is %s for %s, and the FIT image is for %s: use a kernel for %s", found.Format, found.Arch, name, name)
	}
	var err error
	k.arch, err = arch.Find(found.Arch)
	return err
}

// lz4Frame begins a frame of LZ4. U-Boot does not take the legacy frame that the kernel has.
const lz4Frame = "\x04\x22\x4d\x18"

func (k *kernelContent) compress(compression string) error {
	if compression == "" {
		compression = "gzip"
	}
	method, err := codec.Parse(compression)
	if err != nil {
		return err
	}
	name, _, _ := strings.Cut(compression, ":")
	if !slices.Contains(compressions, name) {
		return fmt.Errorf("U-Boot cannot decompress %s: want one of %s", name, strings.Join(compressions, ", "))
	}
	k.compression = name
	if name == codec.None {
		return nil
	}
	var out bytes.Buffer
	var w io.WriteCloser
	if name == "lz4" {
		z := lz4.NewWriter(&out)
		// U-Boot takes no dependent blocks (lib/lz4_wrapper.c).
		err, w = z.Apply(lz4.CompressionLevelOption(lz4.Level9), lz4.ConcurrencyOption(1)), z
	} else {
		w, err = method.NewWriter(&out)
	}
	if err != nil {
		return err
	}
	_, err = w.Write(k.data)
	if closeErr := w.Close(); err == nil {
		err = closeErr
	}
	k.data = out.Bytes()
	return err
}

// U-Boot's room for a compressed kernel without a load address: so many times its size, in whole MiB
// (bootm_load_os in boot/bootm.c).
const (
	roomFactor = 4
	roomAlign  = 1 << 20
)

// checkAddresses returns an error for addresses that the kernel, which takes this much memory, does not
// start at.
func (d *Description) checkAddresses(k *kernelContent, memory int64) error {
	room := (k.data.Size()*roomFactor + roomAlign - 1) &^ (roomAlign - 1)
	load, entry := d.Kernel.Load, d.Kernel.Entry
	switch {
	case load == nil && entry != nil:
		return fmt.Errorf("it has an entry address %v and no load address: set both, or neither", *entry)
	case load == nil && k.compression == codec.None:
		// On riscv64, U-Boot would start it where it is in the FIT. On arm64, it would move it by less than
		// its size, over the initramfs image that follows (booti_setup).
		return errors.New("it is not compressed, so it needs a load address: set load, or a compression")
	case load == nil && k.compression != codec.None && memory > room:
		return fmt.Errorf("it takes %d bytes of memory, and U-Boot would make room for %d: set load, or another compression than %s", memory, room, k.compression)
	case load != nil && *load%kernelAlign != 0:
		return fmt.Errorf("the load address %v is not a multiple of 2 MiB, which an %s kernel needs", *load, k.arch.Name)
	}
	return nil
}
