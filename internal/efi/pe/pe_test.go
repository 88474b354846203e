package pe

import (
	"bytes"
	"crypto/sha256"
	stdpe "debug/pe"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/golden"
)

// newFile returns an EFI executable with sections, each of which has 3 bytes less in memory than in
// the file.
func newFile(sections ...string) []byte {
	const headers, optionalAt = 0x400, 0x40 + 4 + fileHeaderSize
	h := make([]byte, headers)
	copy(h, "MZ")
	little.PutUint32(h[newHeaderAt:], 0x40)
	copy(h[0x40:], signature)
	little.PutUint16(h[0x44:], 0x8664)
	little.PutUint16(h[0x44+numberOfSectionsAt:], uint16(len(sections)))
	const optionalSize = directoriesAt + 16*directorySize
	little.PutUint16(h[0x44+optionalSizeAt:], optionalSize)
	o := h[optionalAt:]
	little.PutUint16(o, magic64)
	little.PutUint32(o[sectionAlignmentAt:], 0x1000)
	little.PutUint32(o[fileAlignmentAt:], 0x200)
	little.PutUint32(o[sizeOfImageAt:], uint32(len(sections)+1)*0x1000)
	little.PutUint32(o[sizeOfHeadersAt:], headers)
	little.PutUint16(o[subsystemAt:], firstEFI)
	little.PutUint32(o[numberOfDirectoriesAt:], 16)
	file := bytes.Clone(h)
	for i, name := range sections {
		s := h[optionalAt+optionalSize+i*sectionHeaderSize:]
		copy(s, name)
		little.PutUint32(s[8:], 0x200-3)
		little.PutUint32(s[12:], uint32(i+1)*0x1000)
		little.PutUint32(s[16:], 0x200)
		little.PutUint32(s[20:], uint32(headers+i*0x200))
		little.PutUint32(s[36:], MemRead|InitializedData)
		file = append(file, bytes.Repeat([]byte{byte(i + 1)}, 0x200)...)
	}
	copy(file, h)
	return file
}

func open(t testing.TB, file []byte) *File {
	t.Helper()
	f, err := Open(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestOpen(t *testing.T) {
	file := newFile(".text", ".longest")
	f := open(t, file)
	if f.Machine != 0x8664 || f.SectionAlignment != 0x1000 || f.FileAlignment != 0x200 || f.SizeOfHeaders != 0x400 || len(f.Sections) != 2 || f.Size() != int64(len(file)) {
		t.Errorf("%+v", f)
	}
	s := f.Section(".longest")
	if s == nil || s.VirtualAddress != 0x2000 || s.VirtualSize != 0x1fd || s.Size != 0x200 || s.Offset != 0x600 {
		t.Errorf("%+v", s)
	}
	if data, err := io.ReadAll(s.Data()); err != nil || !bytes.Equal(data, bytes.Repeat([]byte{2}, 0x1fd)) {
		t.Errorf("%x, %v", data, err)
	}
	if raw, err := io.ReadAll(s.Raw()); err != nil || len(raw) != 0x200 {
		t.Errorf("%x, %v", raw, err)
	}
	if f.Section(".none") != nil {
		t.Error("a section that is not there")
	}
	// The standard library reads the same.
	std, err := stdpe.NewFile(bytes.NewReader(file))
	if err != nil || len(std.Sections) != 2 || std.Sections[1].Name != ".longest" {
		t.Errorf("%+v, %v", std, err)
	}
}

func TestOpenErrors(t *testing.T) {
	const optional = 0x40 + 4 + fileHeaderSize
	const table = optional + directoriesAt + 16*directorySize
	const certificates = optional + directoriesAt + certificatesDirectory*directorySize
	put16 := func(at int, value uint16) func([]byte) []byte {
		return func(b []byte) []byte { little.PutUint16(b[at:], value); return b }
	}
	put32 := func(at int, value uint32) func([]byte) []byte {
		return func(b []byte) []byte { little.PutUint32(b[at:], value); return b }
	}
	messages := map[string]string{}
	for _, test := range []struct {
		name   string
		change func([]byte) []byte
		err    error
	}{
		{"empty", func(b []byte) []byte { return nil }, ErrNotEFI},
		{"short", func(b []byte) []byte { return b[:63] }, ErrNotEFI},
		{"not MZ", put16(0, 0), ErrNotEFI},
		{"no PE header", put32(newHeaderAt, 0x7fffffff), ErrNotEFI},
		{"another signature", put16(0x40, 0), ErrNotEFI},
		{"an object", put16(0x44+optionalSizeAt, 0), ErrNotEFI},
		{"PE32", put16(optional, 0x10b), ErrNotEFI},
		{"of Windows", put16(optional+subsystemAt, 2), ErrNotEFI},
		{"cut in its headers", func(b []byte) []byte { return b[:table+10] }, ErrDamaged},
		{"cut in a section", func(b []byte) []byte { return b[:len(b)-1] }, ErrDamaged},
		{"no alignment", put32(optional+sectionAlignmentAt, 0), ErrDamaged},
		{"an odd alignment", put32(optional+fileAlignmentAt, 0x300), ErrDamaged},
		{"many directories", put32(optional+numberOfDirectoriesAt, 17), ErrDamaged},
		{"many sections", put16(0x44+numberOfSectionsAt, 0xffff), ErrDamaged},
		{"small headers", put32(optional+sizeOfHeadersAt, 0x100), ErrDamaged},
		{"large headers", put32(optional+sizeOfHeadersAt, 0x10000), ErrDamaged},
		{"a section in the headers", put32(table+20, 0x200), ErrDamaged},
		{"a section after the end", put32(table+20, 0xfffffff0), ErrDamaged},
		{"a section after memory", put32(table+12, 0xfffffff0), ErrDamaged},
		{"certificates in the middle", func(b []byte) []byte { return put32(certificates+4, 8)(put32(certificates, 0x400)(b)) }, ErrDamaged},
	} {
		file := test.change(newFile(".text"))
		_, err := Open(bytes.NewReader(file), int64(len(file)))
		if !errors.Is(err, test.err) {
			t.Errorf("%s: %v, want %v", test.name, err, test.err)
			continue
		}
		messages[test.name] = err.Error()
	}
	golden.Messages(t, "TestOpenErrors.txt", messages)
}

func TestDigest(t *testing.T) {
	file := newFile(".text", ".data")
	file = append(file, "after the sections"...)
	want := func(file []byte) string {
		const checkSum = 0x40 + 4 + fileHeaderSize + checkSumAt
		const certificates = 0x40 + 4 + fileHeaderSize + directoriesAt + certificatesDirectory*directorySize
		h := sha256.New()
		h.Write(file[:checkSum])
		h.Write(file[checkSum+4 : certificates])
		h.Write(file[certificates+directorySize:])
		return fmt.Sprintf("%x", h.Sum(nil))
	}
	h := sha256.New()
	if err := open(t, file).Digest(h); err != nil || fmt.Sprintf("%x", h.Sum(nil)) != want(file) {
		t.Errorf("%x, %v, want %s", h.Sum(nil), err, want(file))
	}
	overlapping := newFile(".text", ".data")
	little.PutUint32(overlapping[0x40+4+fileHeaderSize+directoriesAt+16*directorySize+sectionHeaderSize+20:], 0x400)
	overlapping = overlapping[:len(overlapping)-0x200]
	if err := open(t, overlapping).Digest(h); !errors.Is(err, ErrDamaged) {
		t.Errorf("overlapping sections: %v", err)
	}
}

// osslsigncode finds the same digest.
func TestDigestTool(t *testing.T) {
	osslsigncode, err := exec.LookPath("osslsigncode")
	if err != nil {
		t.Skip("needs osslsigncode: apt-get install osslsigncode")
	}
	for name, file := range map[string][]byte{
		"sections":    newFile(".text", ".data"),
		"no sections": newFile(),
		"more":        append(newFile(".text"), "after the sections"...),
	} {
		path := filepath.Join(t.TempDir(), "program.efi")
		if err := os.WriteFile(path, file, 0o666); err != nil {
			t.Fatal(err)
		}
		f := open(t, file)
		h := sha256.New()
		// The tool hashes what it would sign, which ends at a multiple of 8.
		if err := f.digest(h, -f.size&7); err != nil {
			t.Fatal(err)
		}
		// The digest is in what a signature is made for (SpcIndirectDataContent).
		if output, err := exec.Command(osslsigncode, "extract-data", "-h", "sha256", "-in", path, "-out", path+".data").CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", name, err, output)
		}
		data, err := os.ReadFile(path + ".data")
		if err != nil || !bytes.Contains(data, h.Sum(nil)) {
			t.Errorf("%s: %x, %v, want %x", name, data, err, h.Sum(nil))
		}
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(newFile(".text", ".data"))
	f.Add(newFile())
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Open(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		for _, s := range file.Sections {
			if n, err := io.Copy(io.Discard, s.Raw()); err != nil || n != int64(s.Size) {
				t.Errorf("%d bytes, %v, want %d", n, err, s.Size)
			}
		}
		file.Digest(sha256.New())
	})
}
