// Package variables reads and writes the variables that UEFI firmware keeps in flash, and enrolls
// the keys of Secure Boot there.
//
// The format is that of EDK II, which OVMF, AAVMF and the firmware for riscv64 are made of: a
// firmware volume whose content is a store of authenticated variables
// (MdePkg/Include/Pi/PiFirmwareVolume.h, MdeModulePkg/Include/Guid/VariableFormat.h). What follows
// the store in the volume and in the file is not changed.
package variables

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/rules-initramfs/rules_initramfs/internal/efi/guid"
	"github.com/rules-initramfs/rules_initramfs/internal/zeros"
)

// Errors, with what is wrong.
var (
	// ErrNotStore reports a file that has no store of variables.
	ErrNotStore = errors.New("not a variable store of UEFI firmware")
	// ErrDamaged reports a store that cannot be read.
	ErrDamaged = errors.New("the variable store is damaged")
	// ErrRoom reports variables that have no room in the store.
	ErrRoom = errors.New("no room in the variable store")
)

// Attributes of variables (UEFI specification, section 8.2).
const (
	NonVolatile       = 0x01
	BootService       = 0x02
	Runtime           = 0x04
	TimeAuthenticated = 0x20
)

// Fields of a firmware volume's header.
const (
	volumeHeader         = 56 // bytes before its map of blocks
	volumeGUIDAt         = 16
	volumeLengthAt       = 32
	volumeSignatureAt    = 40
	volumeHeaderLengthAt = 48
	volumeSignature      = "_FVH"
)

// The format of a store and its variables.
const (
	storeHeader    = 28
	formatted      = 0x5a
	healthy        = 0xfe
	variableHeader = 60
	variableAlign  = 4
	variableStart  = 0x55aa
	stateAdded     = 0x3f
	stateDeleting  = 0x3e // valid unless the variable is there again
	erased         = 0xff // bytes of flash that nothing was written to
)

const (
	// maxVolume is the largest size of a volume, in bytes. Those of EDK II have less than 1 MiB.
	maxVolume = 16 << 20
	// maxName is how many UTF-16 units a name has at most, with the zero at its end.
	maxName = 1024
	// searchStep is what volumes begin at a multiple of, in bytes.
	searchStep = 1024
)

var (
	volumeGUID        = guid.MustParse("fff12b8d-7696-4c8b-a985-2747075b4f50") // gEfiSystemNvDataFvGuid
	authenticatedGUID = guid.MustParse("aaf32c78-947b-439a-a180-2e144ec37792") // gEfiAuthenticatedVariableGuid
	plainGUID         = guid.MustParse("ddcf3616-3275-4164-98b6-fe85707ffe7d") // gEfiVariableGuid
)

// Variable is a variable.
type Variable struct {
	Name       string
	Vendor     guid.GUID
	Attributes uint32
	// Count is that of variables whose updates are counted, which is obsolete.
	Count uint64
	// Time is that of the last authenticated update.
	Time Time
	// PublicKey is the index of a key, which is obsolete.
	PublicKey uint32
	Data      []byte
}

// AttributeNames returns words for the attributes, such as "nv,bs,rt".
func (v *Variable) AttributeNames() string {
	var names []string
	rest := v.Attributes
	for _, a := range []struct {
		bit  uint32
		name string
	}{{NonVolatile, "nv"}, {BootService, "bs"}, {Runtime, "rt"}, {TimeAuthenticated, "at"}} {
		if v.Attributes&a.bit != 0 {
			names = append(names, a.name)
			rest &^= a.bit
		}
	}
	if rest != 0 || len(names) == 0 {
		names = append(names, fmt.Sprintf("%#x", rest))
	}
	return strings.Join(names, ",")
}

// Store is a store of variables.
type Store struct {
	// Variables are those that are valid, sorted by name and vendor.
	Variables []Variable

	file       io.ReaderAt
	size       int64 // of the file
	start, end int64 // of the variables in the file
}

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, args...))
}

// Read reads the store in a file that has size bytes.
func Read(file io.ReaderAt, size int64) (*Store, error) {
	at, header, err := findVolume(file, size)
	if err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	length := int64(le.Uint64(header[volumeLengthAt:]))
	headerLength := int64(le.Uint16(header[volumeHeaderLengthAt:]))
	if length < 0 || length > maxVolume || at+length > size {
		return nil, damaged("its volume would have %d bytes, and the file has %d after its start", length, size-at)
	}
	if headerLength < volumeHeader || headerLength+storeHeader > length {
		return nil, damaged("its header would have %d bytes", headerLength)
	}
	volume := make([]byte, length)
	if _, err := file.ReadAt(volume, at); err != nil {
		return nil, err
	}
	if sum(volume[:headerLength]) != 0 {
		return nil, damaged("the checksum of its volume's header is wrong")
	}
	content := volume[headerLength:]
	kind := guid.GUID(content[:16])
	storeSize := int64(le.Uint32(content[16:]))
	switch {
	case kind == plainGUID:
		return nil, fmt.Errorf("%w that has Secure Boot: its variables have no authentication: name the one of firmware with Secure Boot", ErrNotStore)
	case kind != authenticatedGUID:
		return nil, fmt.Errorf("%w that is known: its format is %s", ErrNotStore, kind)
	case content[20] != formatted || content[21] != healthy:
		return nil, damaged("it is not formatted: format %#x, state %#x", content[20], content[21])
	case storeSize < storeHeader || storeSize > int64(len(content)):
		return nil, damaged("it would have %d bytes, and its volume has %d", storeSize, len(content))
	}
	s := &Store{file: file, size: size, start: at + headerLength + storeHeader, end: at + headerLength + storeSize}
	s.Variables, err = readVariables(content[storeHeader:storeSize])
	return s, err
}

// findVolume returns where the volume with variables begins, and the first bytes of its header.
func findVolume(file io.ReaderAt, size int64) (int64, []byte, error) {
	header := make([]byte, volumeHeader)
	for at := int64(0); at+volumeHeader <= size; {
		if _, err := file.ReadAt(header, at); err != nil {
			return 0, nil, err
		}
		isVolume := string(header[volumeSignatureAt:][:4]) == volumeSignature
		if isVolume && guid.GUID(header[volumeGUIDAt:][:16]) == volumeGUID {
			return at, header, nil
		}
		// Other volumes, such as those of programs, are passed as a whole.
		length := int64(binary.LittleEndian.Uint64(header[volumeLengthAt:]))
		if !isVolume || length < searchStep || length > size {
			length = searchStep
		}
		at += length
	}
	return 0, nil, fmt.Errorf("%w: it has no firmware volume for variables: name a file such as OVMF_VARS_4M.fd", ErrNotStore)
}

// sum returns the sum of 16-bit words, which is 0 for a header.
func sum(b []byte) (total uint16) {
	for ; len(b) >= 2; b = b[2:] {
		total += binary.LittleEndian.Uint16(b)
	}
	return total
}

// readVariables reads the variables from a part of a store.
func readVariables(b []byte) ([]Variable, error) {
	var all, deleting []Variable
	for at := 0; at+2 <= len(b) && binary.LittleEndian.Uint16(b[at:]) == variableStart; {
		v, size, err := readVariable(b[at:])
		if err != nil {
			return nil, damaged("the variable at byte %d %v", at, err)
		}
		switch b[at+2] {
		case stateAdded:
			all = append(all, v)
		case stateDeleting:
			deleting = append(deleting, v)
		}
		at += (size + variableAlign - 1) / variableAlign * variableAlign
	}
	slices.SortFunc(all, compare)
	for i := 1; i < len(all); i++ {
		if compare(all[i-1], all[i]) == 0 {
			return nil, damaged("it has the variable %q twice", all[i].Name)
		}
	}
	// A machine that stopped during an update has the old variable, or the old and the new one.
	for _, v := range slices.Backward(deleting) {
		if i, found := slices.BinarySearchFunc(all, v, compare); !found {
			all = slices.Insert(all, i, v)
		}
	}
	return all, nil
}

func compare(a, b Variable) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), bytes.Compare(a.Vendor[:], b.Vendor[:]))
}

// readVariable reads a variable, and returns how many bytes it has.
func readVariable(b []byte) (v Variable, size int, err error) {
	if len(b) < variableHeader {
		return v, 0, errors.New("ends after the store")
	}
	le := binary.LittleEndian
	v = Variable{
		Attributes: le.Uint32(b[4:]),
		Count:      le.Uint64(b[8:]),
		Time:       Time(b[16:32]),
		PublicKey:  le.Uint32(b[32:]),
		Vendor:     guid.GUID(b[44:60]),
	}
	nameSize, dataSize := int64(le.Uint32(b[36:])), int64(le.Uint32(b[40:]))
	if variableHeader+nameSize+dataSize > int64(len(b)) {
		return v, 0, errors.New("ends after the store")
	}
	rest := b[variableHeader:]
	v.Name, err = readName(rest[:nameSize])
	v.Data = bytes.Clone(rest[nameSize:][:dataSize])
	return v, variableHeader + int(nameSize+dataSize), err
}

// readName reads a name in UTF-16 that ends with a zero.
func readName(b []byte) (string, error) {
	if len(b) < 2 || len(b)%2 != 0 || len(b)/2 > maxName {
		return "", fmt.Errorf("has a name of %d bytes", len(b))
	}
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	last := len(units) - 1
	name := string(utf16.Decode(units[:last]))
	if units[last] != 0 || slices.Contains(units[:last], 0) || !slices.Equal(utf16.Encode([]rune(name)), units[:last]) {
		return "", errors.New("has a name that is not UTF-16 with a zero at its end")
	}
	return name, nil
}

// Find returns a variable, or nil.
func (s *Store) Find(name string, vendor guid.GUID) *Variable {
	i, found := slices.BinarySearchFunc(s.Variables, Variable{Name: name, Vendor: vendor}, compare)
	if !found {
		return nil
	}
	return &s.Variables[i]
}

// Set adds a variable, or replaces the one that has its name and its vendor.
func (s *Store) Set(v Variable) {
	i, found := slices.BinarySearchFunc(s.Variables, v, compare)
	if found {
		s.Variables[i] = v
	} else {
		s.Variables = slices.Insert(s.Variables, i, v)
	}
}

// Write writes the file with the variables of the store.
func (s *Store) Write(w io.Writer) error {
	var b []byte
	for i := range s.Variables {
		b = s.Variables[i].append(b)
	}
	room := int(s.end - s.start)
	if len(b) > room {
		return fmt.Errorf("%w: the variables have %d bytes, and there is room for %d: use fewer certificates and hashes, or firmware with a larger store", ErrRoom, len(b), room)
	}
	b = append(b, bytes.Repeat([]byte{erased}, room-len(b))...)
	if _, err := io.Copy(w, io.NewSectionReader(s.file, 0, s.start)); err != nil {
		return err
	}
	if _, err := w.Write(b); err != nil {
		return err
	}
	return s.writeRest(w)
}

// writeRest writes what follows the store: mostly zeros, for flash has many more bytes.
func (s *Store) writeRest(w io.Writer) error {
	var zero [64 << 10]byte
	buffer := make([]byte, len(zero))
	for at := s.end; at < s.size; {
		part := buffer[:min(int64(len(buffer)), s.size-at)]
		_, err := s.file.ReadAt(part, at)
		switch {
		case err != nil:
			return err
		case bytes.Equal(part, zero[:len(part)]):
			err = zeros.Write(w, int64(len(part)))
		default:
			_, err = w.Write(part)
		}
		if err != nil {
			return err
		}
		at += int64(len(part))
	}
	return nil
}

// append appends a variable as it is in a store.
func (v *Variable) append(b []byte) []byte {
	le := binary.LittleEndian
	name := append(utf16.Encode([]rune(v.Name)), 0)
	b = le.AppendUint16(b, variableStart)
	b = append(b, stateAdded, 0)
	b = le.AppendUint32(b, v.Attributes)
	b = le.AppendUint64(b, v.Count)
	b = append(b, v.Time[:]...)
	b = le.AppendUint32(b, v.PublicKey)
	b = le.AppendUint32(b, uint32(2*len(name)))
	b = le.AppendUint32(b, uint32(len(v.Data)))
	b = append(b, v.Vendor[:]...)
	for _, unit := range name {
		b = le.AppendUint16(b, unit)
	}
	b = append(b, v.Data...)
	for len(b)%variableAlign != 0 {
		b = append(b, erased)
	}
	return b
}
