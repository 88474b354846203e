package pe

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
)

var (
	// ErrNoRoom is the error for sections that an executable cannot have.
	ErrNoRoom = errors.New("no room for the section")
	// ErrSigned is the error for an executable whose signature a change would make wrong.
	ErrSigned = errors.New("it is signed")
)

// maxHeaders is how many bytes of headers Extend keeps in memory at most.
const maxHeaders = 1 << 20

// NewSection is a section to add.
type NewSection struct {
	// Name has 1 to 8 bytes of ASCII.
	Name string
	// Size is the size of the content in bytes.
	Size int64
	// Characteristics are flags, such as MemRead.
	Characteristics uint32
	// Replace makes the content that of the executable's own section with this name, if it has one.
	Replace bool
	// Write writes the content.
	Write func(io.Writer) error
}

// Extended is an EFI executable with more sections than another one.
type Extended struct {
	f       *File
	headers []byte
	// replaced are sections of the file whose content is another; added come after the file.
	replaced, added []placed
}

// placed is a section with its place in the file.
type placed struct {
	NewSection
	offset, end int64
}

// Extend returns the executable with more sections, in their order after its own. The headers become
// those that ukify of systemd writes (pe_add_sections), with a checksum of zero.
func (f *File) Extend(sections []NewSection) (*Extended, error) {
	if f.certificates.size != 0 {
		return nil, fmt.Errorf("%w: name one without a signature, and sign the result", ErrSigned)
	}
	if err := f.checkLayout(); err != nil {
		return nil, err
	}
	// What is between the headers and the first section is free for more section headers.
	size := roundUp(int64(f.SizeOfHeaders), int64(f.FileAlignment))
	for _, s := range f.Sections {
		if s.Size > 0 {
			size = min(size, int64(s.Offset))
		}
	}
	if size > maxHeaders {
		return nil, damaged("its headers have %d bytes", size)
	}
	headers, err := f.read(0, int(size))
	if err != nil {
		return nil, err
	}
	e := &Extended{f: f, headers: headers}
	little.PutUint32(e.optional(sizeOfHeadersAt), uint32(size))
	little.PutUint32(e.optional(checkSumAt), 0)
	next := layout{
		headerAt: f.tableAt + int64(len(f.Sections))*sectionHeaderSize,
		offset:   roundUp(f.size, int64(f.FileAlignment)),
		address:  f.endOfMemory(),
	}
	for _, s := range sections {
		if err := checkName(s.Name); err != nil {
			return nil, err
		}
		if i := slices.IndexFunc(f.Sections, func(own Section) bool { return own.Name == s.Name }); i >= 0 && s.Replace {
			err = e.replace(i, s)
		} else {
			err = e.add(&next, s)
		}
		if err != nil {
			return nil, err
		}
	}
	little.PutUint32(e.optional(sizeOfImageAt), uint32(roundUp(next.address, int64(f.SectionAlignment))))
	slices.SortFunc(e.replaced, func(a, b placed) int { return cmp.Compare(a.offset, b.offset) })
	return e, nil
}

// layout is where the next section goes.
type layout struct {
	headerAt        int64
	offset, address int64
}

// checkLayout returns an error if sections are where no others can follow.
func (f *File) checkLayout() error {
	for _, s := range f.Sections {
		if (s.Offset|s.Size)&(f.FileAlignment-1) != 0 {
			return damaged("section %q has %d bytes at byte %d, and both must be multiples of %d: it was changed after it was linked", s.Name, s.Size, s.Offset, f.FileAlignment)
		}
	}
	return nil
}

// endOfMemory returns where the last section ends in memory.
func (f *File) endOfMemory() int64 {
	end := int64(f.SizeOfHeaders)
	for _, s := range f.Sections {
		end = max(end, int64(s.VirtualAddress)+int64(s.VirtualSize))
	}
	return end
}

func checkName(name string) error {
	for _, c := range []byte(name) {
		if c <= ' ' || c > '~' {
			return fmt.Errorf("the name of section %q must be printable ASCII", name)
		}
	}
	if name == "" || len(name) > sectionNameSize {
		return fmt.Errorf("the name of section %q must have 1 to %d bytes", name, sectionNameSize)
	}
	return nil
}

// optional returns the optional header from a position.
func (e *Extended) optional(at int64) []byte { return e.headers[e.f.optionalAt+at:] }

// ClearDLLCharacteristics clears flags of the executable.
func (e *Extended) ClearDLLCharacteristics(flags uint16) {
	field := e.optional(dllCharacteristicsAt)
	little.PutUint16(field, little.Uint16(field)&^flags)
}

func (e *Extended) replace(i int, s NewSection) error {
	own := e.f.Sections[i]
	if s.Size > int64(own.Size) {
		return fmt.Errorf("%w %s: it has %d bytes, and that of the executable, which it replaces, has %d", ErrNoRoom, s.Name, s.Size, own.Size)
	}
	header := e.headers[e.f.tableAt+int64(i)*sectionHeaderSize:]
	little.PutUint32(header[8:], uint32(s.Size))
	e.replaced = append(e.replaced, placed{s, int64(own.Offset), int64(own.Offset) + int64(own.Size)})
	return nil
}

func (e *Extended) add(next *layout, s NewSection) error {
	if next.headerAt+sectionHeaderSize > int64(len(e.headers)) {
		return fmt.Errorf("%w %s: the headers of the executable have room for %d sections", ErrNoRoom, s.Name, e.sections())
	}
	size := roundUp(s.Size, int64(e.f.FileAlignment))
	address := roundUp(next.address, int64(e.f.SectionAlignment))
	if max(next.offset+size, roundUp(address+s.Size, int64(e.f.SectionAlignment))) > maxSize {
		return fmt.Errorf("%w %s: with its %d bytes, the executable would have more than 4 GiB", ErrNoRoom, s.Name, s.Size)
	}
	header := e.headers[next.headerAt : next.headerAt+sectionHeaderSize]
	clear(header)
	copy(header, s.Name)
	for at, value := range map[int]int64{8: s.Size, 12: address, 16: size, 20: next.offset, 36: int64(s.Characteristics)} {
		little.PutUint32(header[at:], uint32(value))
	}
	number := e.headers[e.f.optionalAt-fileHeaderSize+numberOfSectionsAt:]
	little.PutUint16(number, little.Uint16(number)+1)
	initialized := e.optional(initializedDataAt)
	little.PutUint32(initialized, little.Uint32(initialized)+uint32(s.Size))
	e.added = append(e.added, placed{s, next.offset, next.offset + size})
	next.headerAt += sectionHeaderSize
	next.offset += size
	next.address = address + s.Size
	return nil
}

// sections returns how many sections the headers have.
func (e *Extended) sections() int {
	return int(little.Uint16(e.headers[e.f.optionalAt-fileHeaderSize+numberOfSectionsAt:]))
}

// Write writes the executable.
func (e *Extended) Write(w io.Writer) error {
	if _, err := w.Write(e.headers); err != nil {
		return err
	}
	at := int64(len(e.headers))
	for _, s := range e.replaced {
		if err := copyRange(w, e.f.r, at, s.offset); err != nil {
			return err
		}
		if err := s.write(w); err != nil {
			return err
		}
		at = s.end
	}
	if err := copyRange(w, e.f.r, at, e.f.size); err != nil {
		return err
	}
	if err := writeZeros(w, -e.f.size&int64(e.f.FileAlignment-1)); err != nil {
		return err
	}
	for _, s := range e.added {
		if err := s.write(w); err != nil {
			return err
		}
	}
	return nil
}

// write writes the content and what aligns its end.
func (s *placed) write(w io.Writer) error {
	counter := &counter{w: w}
	if err := s.Write(counter); err != nil {
		return err
	}
	if counter.n != s.Size {
		return fmt.Errorf("the content of section %s changed while it was read: it had %d bytes, and has %d", s.Name, s.Size, counter.n)
	}
	return writeZeros(w, s.end-s.offset-s.Size)
}

// counter counts the bytes that are written.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// ReadFrom lets the system copy where the writer below can.
func (c *counter) ReadFrom(r io.Reader) (int64, error) {
	n, err := io.Copy(c.w, r)
	c.n += n
	return n, err
}
