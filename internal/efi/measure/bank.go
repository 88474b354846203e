package measure

import (
	"crypto"
	_ "crypto/sha1" // registers the hash, as the others do
	_ "crypto/sha256"
	_ "crypto/sha512"
	"fmt"
	"hash"
	"io"
	"strings"
)

// Bank is a hash that a TPM has a bank of PCRs for.
type Bank struct {
	// Name is what the bank is called in /sys/class/tpm/tpm0/pcr-NAME and by systemd-measure.
	Name string
	// ID is TPM2_ALG_*.
	ID   uint16
	Hash crypto.Hash
}

// banks are in the order of their names.
var banks = []Bank{
	{"sha1", 0x0004, crypto.SHA1},
	{"sha256", 0x000b, crypto.SHA256},
	{"sha384", 0x000c, crypto.SHA384},
	{"sha512", 0x000d, crypto.SHA512},
}

// sha256Bank is the bank that every TPM 2.0 has, and whose hash policies are made with.
const sha256Bank = 1

// DefaultBank is the bank that every TPM 2.0 has.
func DefaultBank() Bank { return banks[sha256Bank] }

// BankNames returns the names of all banks.
func BankNames() []string {
	names := make([]string, len(banks))
	for i, b := range banks {
		names[i] = b.Name
	}
	return names
}

// ParseBank returns the bank with a name.
func ParseBank(name string) (Bank, error) {
	for _, b := range banks {
		if b.Name == name {
			return b, nil
		}
	}
	return Bank{}, fmt.Errorf("unknown bank %q: want %s", name, strings.Join(BankNames(), ", "))
}

// digester hashes data for several banks at once.
type digester []hash.Hash

func newDigester(banks []Bank) digester {
	d := make(digester, len(banks))
	for i, b := range banks {
		d[i] = b.Hash.New()
	}
	return d
}

func (d digester) Write(p []byte) (int, error) {
	for _, h := range d {
		h.Write(p)
	}
	return len(p), nil
}

func (d digester) digests() [][]byte {
	sums := make([][]byte, len(d))
	for i, h := range d {
		sums[i] = h.Sum(nil)
	}
	return sums
}

// Sum, Reset, Size and BlockSize make a hash.Hash of it for pe.File.Digest, which only writes.
func (d digester) Sum([]byte) []byte { panic("several hashes have no sum") }
func (d digester) Reset()            { panic("several hashes are not reset") }
func (d digester) Size() int         { panic("several hashes have no size") }
func (d digester) BlockSize() int    { return 1 }

// digestsOf returns the digests of data, one for each bank.
func digestsOf(banks []Bank, data []byte) [][]byte {
	d := newDigester(banks)
	d.Write(data)
	return d.digests()
}

// zeros reads zeros without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// counter counts what is written.
type counter struct{ n int64 }

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
}

var _ io.Writer = (*counter)(nil)
