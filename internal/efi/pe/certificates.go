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

// DigestToSign is Digest of what WithCertificates returns, whatever the certificates are.
func (f *File) DigestToSign(h hash.Hash) error { return f.digest(h, f.gap()) }

// gap returns how many bytes align certificates after the content.
func (f *File) gap() int64 { return -f.contentEnd() & (certificateAlignment - 1) }

// WithCertificates returns the file with these certificates in place of its own, and with a
// checksum. It reads f when it is read.
func (f *File) WithCertificates(certificates []Certificate) (*File, error) {
	if !f.certificates.has {
		return nil, errors.New("its headers have no place for a signature: build it with a linker for EFI executables")
	}
	table, err := marshal(certificates)
	if err != nil {
		return nil, err
	}
	offset := f.contentEnd() + f.gap()
	size := offset + int64(len(table))
	if size > maxSize {
		return nil, fmt.Errorf("%w: with its signature, it would have more than 4 GiB", ErrNoRoom)
	}
	var checkSum [4]byte
	var directory [directorySize]byte
	if len(table) > 0 {
		little.PutUint32(directory[:], uint32(offset))
		little.PutUint32(directory[4:], uint32(len(table)))
	}
	r := &changed{f.r, []change{
		{f.optionalAt + checkSumAt, checkSum[:]},
		{f.optionalAt + directoriesAt + certificatesDirectory*directorySize, directory[:]},
		{f.contentEnd(), make([]byte, f.gap())},
		{offset, table},
	}}
	var sum checkSummer
	if err := copyRange(&sum, r, 0, size); err != nil {
		return nil, err
	}
	little.PutUint32(checkSum[:], sum.sum())
	return Open(r, size)
}

// changed is a file with other bytes in some places.
type changed struct {
	r       io.ReaderAt
	changes []change // in their order
}

type change struct {
	at    int64
	bytes []byte
}

// ReadAt implements io.ReaderAt for reads within the file.
func (c *changed) ReadAt(p []byte, at int64) (int, error) {
	n := 0
	for _, change := range c.changes {
		// What is before the change is that of the file.
		if before := change.at - at; before > 0 {
			m, err := c.r.ReadAt(p[n:n+int(min(before, int64(len(p)-n)))], at)
			n, at = n+m, at+int64(m)
			if n == len(p) {
				return n, nil
			}
			if err != nil {
				return n, unexpected(err)
			}
		}
		if skip := at - change.at; skip < int64(len(change.bytes)) {
			m := copy(p[n:], change.bytes[skip:])
			n, at = n+m, at+int64(m)
		}
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// unexpected returns the error of a file that has become shorter.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
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
