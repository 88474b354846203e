package variables

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/rules-initramfs/rules_initramfs/internal/efi/guid"
)

// Vendors of variables.
var (
	// Global is the vendor of PK, KEK and SecureBoot: EFI_GLOBAL_VARIABLE.
	Global = guid.MustParse("8be4df61-93ca-11d2-aa0d-00e098032b8c")
	// ImageSecurity is the vendor of db and dbx: EFI_IMAGE_SECURITY_DATABASE_GUID.
	ImageSecurity = guid.MustParse("d719b2cb-3d3a-4596-a3bc-dad00e67656f")
	// Two of EDK II alone.
	secureBootEnable = guid.MustParse("f0a30bc7-af08-4556-99c4-001009c93a44") // gEfiSecureBootEnableDisableGuid
	customMode       = guid.MustParse("c076ec0c-7028-4399-a072-71ee5c448b9f") // gEfiCustomModeEnableGuid
)

// Types of signatures (UEFI specification, section 32.4.1).
var (
	// X509 is the type of a certificate, in DER.
	X509 = guid.MustParse("a5c059a1-94e4-4aa7-87b5-ab155c2bf072")
	// SHA256 is the type of a digest of an executable.
	SHA256 = guid.MustParse("c1c41626-504c-4092-aca9-41f936934328")
)

// DefaultOwner is the usual owner of keys: the one of EDK II's own program that enrolls some
// (OvmfPkg/EnrollDefaultKeys).
var DefaultOwner = guid.MustParse("a0baa8a3-041d-48a8-bc87-c36d121b5e3d")

var (
	// ErrKeys reports keys with which firmware does not start with Secure Boot.
	ErrKeys = errors.New("not the keys of Secure Boot")
	// ErrSignatures reports a signature database that cannot be read.
	ErrSignatures = errors.New("the signature database is damaged")
)

// Database is what a variable trusts or forbids.
type Database struct {
	Certificates []*x509.Certificate
	// Hashes are digests of executables, as Authenticode has them.
	Hashes [][sha256.Size]byte
}

// Keys are the keys of Secure Boot. A nil Database leaves the variable as it is.
type Keys struct {
	// PK is the one key that can change KEK.
	PK *Database
	// KEK are the keys that can change DB and DBX.
	KEK *Database
	// DB is what firmware starts, and DBX is what it does not start.
	DB, DBX *Database
	// Owner is recorded with each key.
	Owner guid.GUID
}

const (
	attributesKey     = NonVolatile | BootService | Runtime | TimeAuthenticated
	attributesSetting = NonVolatile | BootService
)

// firstTime is the time of a variable that has no certificate.
var firstTime = time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC)

// Enroll sets the variables of Secure Boot, so that firmware starts with it.
func (s *Store) Enroll(keys Keys) error {
	if keys.PK != nil && (len(keys.PK.Certificates) != 1 || len(keys.PK.Hashes) > 0) {
		return fmt.Errorf("%w: PK has one certificate, and there are %d", ErrKeys, len(keys.PK.Certificates))
	}
	if keys.KEK != nil && len(keys.KEK.Hashes) > 0 {
		return fmt.Errorf("%w: KEK has certificates alone", ErrKeys)
	}
	if keys.DBX == nil && s.Find("dbx", ImageSecurity) == nil {
		// Programs that append to dbx want it to exist. No executable has this digest.
		keys.DBX = &Database{Hashes: [][sha256.Size]byte{sha256.Sum256(nil)}}
	}
	for _, variable := range []struct {
		name     string
		vendor   guid.GUID
		database *Database
	}{
		{"PK", Global, keys.PK},
		{"KEK", Global, keys.KEK},
		{"db", ImageSecurity, keys.DB},
		{"dbx", ImageSecurity, keys.DBX},
	} {
		if variable.database != nil {
			s.Set(Variable{
				Name:       variable.name,
				Vendor:     variable.vendor,
				Attributes: attributesKey,
				Time:       NewTime(variable.database.time()),
				Data:       variable.database.Bytes(keys.Owner),
			})
		}
	}
	if s.Find("PK", Global) == nil {
		return fmt.Errorf("%w: PK is missing: without it, firmware checks nothing", ErrKeys)
	}
	if s.Find("db", ImageSecurity) == nil {
		return fmt.Errorf("%w: db is missing: without it, firmware starts nothing", ErrKeys)
	}
	s.Set(Variable{Name: "SecureBootEnable", Vendor: secureBootEnable, Attributes: attributesSetting, Data: []byte{1}})
	s.Set(Variable{Name: "CustomMode", Vendor: customMode, Attributes: attributesSetting, Data: []byte{0}})
	return nil
}

// time returns when the last of the certificates began to be valid. An update of the variable has to
// be later.
func (d *Database) time() time.Time {
	latest := firstTime
	for i, c := range d.Certificates {
		if i == 0 || c.NotBefore.After(latest) {
			latest = c.NotBefore
		}
	}
	return latest
}

// Bytes returns the value of a variable: lists of signatures (UEFI specification, section 32.4.1).
// Each certificate has a list of its own, for the entries of a list have one size.
func (d *Database) Bytes(owner guid.GUID) []byte {
	var b []byte
	begin := func(kind guid.GUID, size, count int) {
		b = append(b, kind[:]...)
		b = binary.LittleEndian.AppendUint32(b, uint32(listHeader+(16+size)*count))
		b = binary.LittleEndian.AppendUint32(b, 0)
		b = binary.LittleEndian.AppendUint32(b, uint32(16+size))
	}
	seen := map[string]bool{}
	for _, c := range d.Certificates {
		if seen[string(c.Raw)] {
			continue
		}
		seen[string(c.Raw)] = true
		begin(X509, len(c.Raw), 1)
		b = append(append(b, owner[:]...), c.Raw...)
	}
	var hashes []byte
	for _, h := range d.Hashes {
		if !seen[string(h[:])] {
			seen[string(h[:])] = true
			hashes = append(append(hashes, owner[:]...), h[:]...)
		}
	}
	if len(hashes) > 0 {
		begin(SHA256, sha256.Size, len(hashes)/(16+sha256.Size))
		b = append(b, hashes...)
	}
	return b
}

const listHeader = 28

// Signature is an entry of a signature database.
type Signature struct {
	Type, Owner guid.GUID
	Data        []byte
}

// ParseSignatures reads the value of a variable such as db.
func ParseSignatures(b []byte) ([]Signature, error) {
	var all []Signature
	for len(b) > 0 {
		if len(b) < listHeader {
			return nil, fmt.Errorf("%w: %d bytes follow its last list", ErrSignatures, len(b))
		}
		le := binary.LittleEndian
		kind := guid.GUID(b[:16])
		size, header, entry := int64(le.Uint32(b[16:])), int64(le.Uint32(b[20:])), int64(le.Uint32(b[24:]))
		if size > int64(len(b)) || listHeader+header > size || entry < 16 || (size-listHeader-header)%entry != 0 {
			return nil, fmt.Errorf("%w: a list has %d bytes of %d, a header of %d, and entries of %d", ErrSignatures, size, len(b), header, entry)
		}
		for part := b[listHeader+header : size]; len(part) > 0; part = part[entry:] {
			all = append(all, Signature{kind, guid.GUID(part[:16]), bytes.Clone(part[16:entry])})
		}
		b = b[size:]
	}
	return all, nil
}
