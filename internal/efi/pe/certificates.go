package pe

import (
	"errors"
	"fmt"
	"hash"
	"io"
)

// Certificate is an entry of an executable's certificate table: WIN_CERTIFICATE.
type Certificate struct {
	// Revision and Type say what the data is.
	Revision, Type uint16
	// Data is what follows the header. Zeros at its end may align the entry.
	Data []byte
}

// The revision and type of a signature with PKCS #7, which Authenticode has: WIN_CERT_REVISION_2_0,
// WIN_CERT_TYPE_PKCS_SIGNED_DATA.
const (
	CertificateRevision = 0x0200
	CertificatePKCS7    = 0x0002
)

const (
	certificateHeaderSize = 8
	certificateAlignment  = 8

	// maxCertificates is how many bytes a certificate table has at most. A signature has some KiB.
	maxCertificates = 1 << 20
)

// Certificates reads the certificate table.
func (f *File) Certificates() ([]Certificate, error) {
	size := int64(f.certificates.size)
	switch {
	case size == 0:
		return nil, nil
	case size > maxCertificates:
		return nil, damaged("its certificates have %d bytes, and may have %d", size, maxCertificates)
	case f.certificates.offset%certificateAlignment != 0:
		return nil, damaged("its certificates are at byte %d, which is not a multiple of %d", f.certificates.offset, certificateAlignment)
	}
	table, err := f.read(int64(f.certificates.offset), int(size))
	if err != nil {
		return nil, err
	}
	var all []Certificate
	for len(table) > 0 {
		if len(table) < certificateHeaderSize {
			return nil, damaged("%d bytes follow its certificates", len(table))
		}
		length := int64(little.Uint32(table))
		if length < certificateHeaderSize || length > int64(len(table)) {
			return nil, damaged("a certificate has %d bytes, and %d are left for it", length, len(table))
		}
		all = append(all, Certificate{little.Uint16(table[4:]), little.Uint16(table[6:]), table[certificateHeaderSize:length:length]})
		table = table[min(roundUp(length, certificateAlignment), int64(len(table))):]
	}
	return all, nil
}

// DigestToSign is Digest of the file as WriteSigned writes it, with any certificates.
func (f *File) DigestToSign(h hash.Hash) error { return f.digest(h, f.gap()) }

// gap returns how many bytes align certificates after the content.
func (f *File) gap() int64 { return -f.contentEnd() & (certificateAlignment - 1) }

// WriteSigned writes the file with these certificates in place of its own, and with a checksum.
func (f *File) WriteSigned(w io.Writer, certificates []Certificate) error {
	if !f.certificates.has {
		return errors.New("its headers have no place for a signature: build it with a linker for EFI executables")
	}
	table, err := marshal(certificates)
	if err != nil {
		return err
	}
	offset := f.contentEnd() + f.gap()
	if offset+int64(len(table)) > maxSize {
		return fmt.Errorf("%w: with its signature, it would have more than 4 GiB", ErrNoRoom)
	}
	// The headers before the checksum and after it do not change.
	var directory [directorySize]byte
	if len(table) > 0 {
		little.PutUint32(directory[:], uint32(offset))
		little.PutUint32(directory[4:], uint32(len(table)))
	}
	write := func(w io.Writer, checkSum uint32) error {
		var field [4]byte
		little.PutUint32(field[:], checkSum)
		checkSumAt, directoryAt := f.optionalAt+checkSumAt, f.optionalAt+directoriesAt+certificatesDirectory*directorySize
		at := int64(0)
		for _, change := range []struct {
			at    int64
			bytes []byte
		}{{checkSumAt, field[:]}, {directoryAt, directory[:]}} {
			if err := copyRange(w, f.r, at, change.at); err != nil {
				return err
			}
			if _, err := w.Write(change.bytes); err != nil {
				return err
			}
			at = change.at + int64(len(change.bytes))
		}
		if err := copyRange(w, f.r, at, f.contentEnd()); err != nil {
			return err
		}
		if err := writeZeros(w, offset-f.contentEnd()); err != nil {
			return err
		}
		_, err := w.Write(table)
		return err
	}
	var sum checkSummer
	if err := write(&sum, 0); err != nil {
		return err
	}
	return write(w, sum.sum())
}

// marshal returns a certificate table.
func marshal(certificates []Certificate) ([]byte, error) {
	var table []byte
	for _, c := range certificates {
		// The length has what aligns the entry, as sbsign and signtool write it.
		length := roundUp(int64(certificateHeaderSize+len(c.Data)), certificateAlignment)
		if int64(len(table))+length > maxCertificates {
			return nil, fmt.Errorf("its signatures would have more than %d KiB", maxCertificates>>10)
		}
		entry := make([]byte, length)
		little.PutUint32(entry, uint32(length))
		little.PutUint16(entry[4:], c.Revision)
		little.PutUint16(entry[6:], c.Type)
		copy(entry[certificateHeaderSize:], c.Data)
		table = append(table, entry...)
	}
	return table, nil
}

// checkSummer makes the checksum of an executable whose checksum is zero: the sum of its words of
// 16 bits, with what overflows added, and its size.
type checkSummer struct {
	words uint64
	size  int64
}

func (c *checkSummer) Write(p []byte) (int, error) {
	n := len(p)
	if c.size%2 != 0 && len(p) > 0 {
		c.words += uint64(p[0]) << 8
		c.size++
		p = p[1:]
	}
	for ; len(p) >= 2; p = p[2:] {
		c.words += uint64(little.Uint16(p))
		c.size += 2
	}
	if len(p) > 0 {
		c.words += uint64(p[0])
		c.size++
	}
	return n, nil
}

func (c *checkSummer) sum() uint32 {
	words := c.words
	for words > 0xffff {
		words = words&0xffff + words>>16
	}
	return uint32(words) + uint32(c.size)
}
