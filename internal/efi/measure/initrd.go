package measure

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/efi/pe"
	"github.com/rules-initramfs/rules_initramfs/internal/image"
)

// maxExtra is how much a section may have that systemd-stub hands to the kernel as a file of the
// initramfs. Those of real images have some KiB.
const maxExtra = 1 << 20

// extras are the sections that systemd-stub hands over as files in /.extra, in this order
// (generate_embedded_initrds in src/boot/stub.c of systemd).
var extras = []struct{ section, name string }{
	{sectionPCRSig, "tpm2-pcr-signature.json"},
	{sectionPCRKey, "tpm2-pcr-public-key.pem"},
	{sectionOSRelease, "os-release"},
	{sectionProfile, "profile"},
}

// initrd returns the initramfs that systemd-stub hands to the kernel: what is in the image, and what
// it adds, in archives of their own. It returns nil if there is none.
func initrd(sections map[string]*pe.Section, addons []*pe.File) (io.Reader, error) {
	var parts []io.Reader
	add := func(s *pe.Section) error {
		if s == nil || s.VirtualSize == 0 {
			return nil
		}
		r, err := content(s)
		if err == nil {
			parts = append(parts, r)
		}
		return err
	}
	// The kernel takes the first microcode that it finds: that of the last addon.
	for i := len(addons) - 1; i >= 0; i-- {
		if err := add(addons[i].Section(sectionMicrocode)); err != nil {
			return nil, err
		}
	}
	for _, name := range []string{sectionMicrocode, sectionInitrd} {
		if err := add(sections[name]); err != nil {
			return nil, err
		}
	}
	for _, extra := range extras {
		s := sections[extra.section]
		if s == nil {
			continue
		}
		data, err := readSection(s, maxExtra)
		if err != nil {
			return nil, err
		}
		parts = append(parts, bytes.NewReader(extraArchive(extra.name, data)))
	}
	for _, addon := range addons {
		if err := add(addon.Section(sectionInitrd)); err != nil {
			return nil, err
		}
	}
	if len(parts) == 1 {
		return parts[0], nil
	}
	return alignParts(parts), nil
}

// alignParts reads parts one after the other, each padded to a multiple of 4 bytes (combine_initrds
// in src/boot/initrd.c of systemd).
func alignParts(parts []io.Reader) io.Reader {
	if parts == nil {
		return nil
	}
	var all []io.Reader
	for _, part := range parts {
		n := &counter{}
		all = append(all, io.TeeReader(part, n), &padding{part: n})
	}
	return io.MultiReader(all...)
}

// padding reads the zeros that follow a part, which has been read.
type padding struct {
	part *counter
	done int64
}

func (p *padding) Read(b []byte) (int, error) {
	n := min(int64(len(b)), -p.part.n&(image.Align-1)-p.done)
	if n <= 0 {
		return 0, io.EOF
	}
	clear(b[:n])
	p.done += n
	return int(n), nil
}

// extraArchive returns the archive in which systemd-stub hands a file over. This is not package
// cpio's: numbers have small letters, except for those of the trailer (src/boot/cpio.c of systemd).
func extraArchive(name string, data []byte) []byte {
	const (
		dir      = ".extra"
		dirMode  = 0o040555
		fileMode = 0o100444
	)
	var b bytes.Buffer
	pad := func() { b.Write(make([]byte, -b.Len()&(image.Align-1))) }
	record := func(ino int, name string, mode int, data []byte) {
		fmt.Fprintf(&b, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00", ino, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name)+1, 0, name)
		pad()
		b.Write(data)
		pad()
	}
	record(1, dir, dirMode, nil)
	record(2, dir+"/"+name, fileMode, data)
	b.WriteString("070701" + strings.Repeat("0", 4*8) + "00000001" + strings.Repeat("0", 6*8) + "0000000B" + "00000000" + "TRAILER!!!\x00\x00\x00\x00")
	return b.Bytes()
}
