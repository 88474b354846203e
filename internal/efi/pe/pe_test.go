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
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/rules-initramfs/rules_initramfs/internal/efi/pe/petest"
	"github.com/rules-initramfs/rules_initramfs/internal/golden"
)

// newFile returns an EFI executable with sections of 0x1fd bytes.
func newFile(names ...string) []byte {
	var sections []petest.Section
	for i, name := range names {
		sections = append(sections, petest.Section{Name: name, Content: strings.Repeat(string(rune('1'+i)), 0x1fd)})
	}
	return petest.Executable(0x8664, sections...)
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
	if data, err := io.ReadAll(s.Data()); err != nil || !bytes.Equal(data, bytes.Repeat([]byte{'2'}, 0x1fd)) {
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
	const optional, table, certificates = petest.OptionalHeader, petest.SectionTable, petest.Certificates
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
		{"an object", put16(petest.FileHeader+optionalSizeAt, 0), ErrNotEFI},
		{"PE32", put16(optional, 0x10b), ErrNotEFI},
		{"of Windows", put16(optional+subsystemAt, 2), ErrNotEFI},
		{"cut in its headers", func(b []byte) []byte { return b[:table+10] }, ErrDamaged},
		{"cut in a section", func(b []byte) []byte { return b[:len(b)-1] }, ErrDamaged},
		{"no alignment", put32(optional+sectionAlignmentAt, 0), ErrDamaged},
		{"an odd alignment", put32(optional+fileAlignmentAt, 0x300), ErrDamaged},
		{"many directories", put32(optional+numberOfDirectoriesAt, 17), ErrDamaged},
		{"many sections", put16(petest.FileHeader+numberOfSectionsAt, 0xffff), ErrDamaged},
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
		const checkSum, certificates = petest.OptionalHeader + checkSumAt, petest.Certificates
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
	little.PutUint32(overlapping[petest.SectionTable+sectionHeaderSize+20:], 0x400)
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

// newSection returns a section to add.
func newSection(name, content string) NewSection {
	return NewSection{Name: name, Size: int64(len(content)), Characteristics: MemRead | InitializedData, Write: func(w io.Writer) error {
		_, err := io.WriteString(w, content)
		return err
	}}
}

func TestExtend(t *testing.T) {
	own := newSection(".data", "new data")
	own.Replace = true
	file := append(newFile(".text", ".data"), "unaligned"...)
	little.PutUint16(file[petest.OptionalHeader+dllCharacteristicsAt:], 0x160)
	e, err := open(t, file).Extend([]NewSection{newSection(".cmdline", "quiet"), own, newSection(".data", "more data"), newSection(".initrd", "")})
	if err != nil {
		t.Fatal(err)
	}
	e.ClearDLLCharacteristics(NXCompat)
	var out bytes.Buffer
	if err := e.Write(&out); err != nil {
		t.Fatal(err)
	}
	var got []string
	extended := open(t, out.Bytes())
	for _, s := range extended.Sections[1:] {
		data, err := io.ReadAll(s.Data())
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%s at %#x: %d bytes at %#x, %d in the file, %q", s.Name, s.VirtualAddress, s.VirtualSize, s.Offset, s.Size, data))
	}
	want := []string{
		`.data at 0x2000: 8 bytes at 0x600, 512 in the file, "new data"`,
		`.cmdline at 0x3000: 5 bytes at 0xa00, 512 in the file, "quiet"`,
		`.data at 0x4000: 9 bytes at 0xc00, 512 in the file, "more data"`,
		`.initrd at 0x5000: 0 bytes at 0x0, 0 in the file, ""`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if extended.SizeOfImage != 0x5000 || extended.DLLCharacteristics != 0x60 || extended.CheckSum != 0 {
		t.Errorf("%+v", extended)
	}
	if !bytes.Equal(out.Bytes()[0x400:0x600], file[0x400:0x600]) || !bytes.Equal(out.Bytes()[0x800:0x809], file[0x800:0x809]) {
		t.Error("the content of the executable changed")
	}
	if _, err := stdpe.NewFile(bytes.NewReader(out.Bytes())); err != nil {
		t.Error(err)
	}
}

func TestExtendErrors(t *testing.T) {
	messages := map[string]string{}
	many := make([]NewSection, 100)
	for i := range many {
		many[i] = newSection(".s", "")
	}
	replaced := newSection(".text", strings.Repeat("a", 0x201))
	replaced.Replace = true
	changed := newSection(".s", "content")
	changed.Size++
	large := newSection(".s", "")
	large.Size = 5 << 30
	for _, test := range []struct {
		name     string
		change   func([]byte) []byte
		sections []NewSection
		err      error // nil for any
	}{
		{"many sections", bytes.Clone, many, ErrNoRoom},
		{"a large replacement", bytes.Clone, []NewSection{replaced}, ErrNoRoom},
		{"a large section", bytes.Clone, []NewSection{large}, ErrNoRoom},
		{"a section that changed", bytes.Clone, []NewSection{changed}, nil},
		{"a long name", bytes.Clone, []NewSection{newSection(".initramfs", "")}, nil},
		{"no name", bytes.Clone, []NewSection{newSection("", "")}, nil},
		{"a name with a control character", bytes.Clone, []NewSection{newSection(".a\x1b", "")}, nil},
		{"signed", func(b []byte) []byte { return sign(t, b, "signature") }, nil, ErrSigned},
		{"an unaligned section", func(b []byte) []byte {
			little.PutUint32(b[petest.SectionTable+20:], 0x3f8+8)
			little.PutUint32(b[petest.SectionTable+16:], 0x1f8)
			return b
		}, nil, ErrDamaged},
	} {
		e, err := open(t, test.change(newFile(".text"))).Extend(test.sections)
		if err == nil {
			err = e.Write(io.Discard)
		}
		if err == nil || test.err != nil && !errors.Is(err, test.err) {
			t.Errorf("%s: %v, want %v", test.name, err, test.err)
			continue
		}
		messages[test.name] = err.Error()
	}
	golden.Messages(t, "TestExtendErrors.txt", messages)
}

// sign returns an executable with entries in its certificate table.
func sign(t testing.TB, file []byte, data ...string) []byte {
	t.Helper()
	var all []Certificate
	for _, d := range data {
		all = append(all, Certificate{CertificateRevision, CertificatePKCS7, []byte(d)})
	}
	signed, err := open(t, file).WithCertificates(all)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := signed.Write(&out); err != nil {
		t.Fatal(err)
	}
	// Reads of any size return the same.
	small, err := io.ReadAll(iotest.OneByteReader(io.NewSectionReader(signed.r, 0, signed.size)))
	if err != nil || !bytes.Equal(small, out.Bytes()) {
		t.Fatalf("read byte by byte, it is another file, %v", err)
	}
	return out.Bytes()
}

func TestWithCertificates(t *testing.T) {
	digest := func(f *File) string {
		h := sha256.New()
		if err := f.Digest(h); err != nil {
			t.Fatal(err)
		}
		return string(h.Sum(nil))
	}
	file := append(newFile(".text"), "after"...)
	h := sha256.New()
	if err := open(t, file).DigestToSign(h); err != nil {
		t.Fatal(err)
	}
	once := sign(t, file, "a signature")
	twice := sign(t, once, "a signature", "another")
	for name, signed := range map[string][]byte{"once": once, "twice": twice} {
		if digest(open(t, signed)) != string(h.Sum(nil)) {
			t.Errorf("%s: another digest", name)
		}
		if len(signed)%8 != 0 {
			t.Errorf("%s: %d bytes", name, len(signed))
		}
	}
	all, err := open(t, twice).Certificates()
	if err != nil || len(all) != 2 || string(all[0].Data) != "a signature\x00\x00\x00\x00\x00" || string(all[1].Data) != "another\x00" || all[1].Type != CertificatePKCS7 {
		t.Errorf("%+v, %v", all, err)
	}
	if none := sign(t, twice); !bytes.Equal(none[0x400:], append(file[0x400:], 0, 0, 0)) || digest(open(t, none)) != string(h.Sum(nil)) {
		t.Error("without signatures, it is another file")
	}
}

// osslsigncode finds the same checksum.
func TestCheckSum(t *testing.T) {
	osslsigncode, err := exec.LookPath("osslsigncode")
	if err != nil {
		t.Skip("needs osslsigncode: apt-get install osslsigncode")
	}
	path := filepath.Join(t.TempDir(), "program.efi")
	signed := sign(t, append(newFile(".text"), bytes.Repeat([]byte{0xff}, 100001)...), "a signature")
	checkSum := open(t, signed).CheckSum
	little.PutUint32(signed[petest.OptionalHeader+checkSumAt:], 0) // so that the tool shows its own
	if err := os.WriteFile(path, signed, 0o666); err != nil {
		t.Fatal(err)
	}
	// Its exit code is for the signature, which is not one.
	output, _ := exec.Command(osslsigncode, "verify", "-in", path).CombinedOutput()
	if want := fmt.Sprintf("Calculated PE checksum: %08X", checkSum); !strings.Contains(string(output), want) {
		t.Errorf("%s, want %s", output, want)
	}
}

func TestCertificatesErrors(t *testing.T) {
	messages := map[string]string{}
	signed := sign(t, newFile(".text"), "a signature")
	at := len(signed) - 24
	for name, change := range map[string]func([]byte){
		"short":     func(b []byte) { little.PutUint32(b[at:], 7) },
		"long":      func(b []byte) { little.PutUint32(b[at:], 25) },
		"more":      func(b []byte) { little.PutUint32(b[at:], 9) },
		"unaligned": func(b []byte) { directory(b, uint32(at+1), 23) },
	} {
		file := bytes.Clone(signed)
		change(file)
		_, err := open(t, file).Certificates()
		if !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		messages[name] = err.Error()
	}
	large := append(newFile(".text"), make([]byte, maxCertificates+8)...)
	directory(large, 0x600, maxCertificates+8)
	if _, err := open(t, large).Certificates(); !errors.Is(err, ErrDamaged) {
		t.Errorf("large: %v", err)
	}
	if _, err := open(t, newFile(".text")).WithCertificates([]Certificate{{Data: make([]byte, maxCertificates)}}); err == nil {
		t.Error("no error about large certificates")
	}
	golden.Messages(t, "TestCertificatesErrors.txt", messages)
}

// directory sets where an executable has certificates.
func directory(file []byte, offset, size uint32) {
	entry := file[petest.Certificates:]
	little.PutUint32(entry, offset)
	little.PutUint32(entry[4:], size)
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
		h := sha256.New()
		digestErr := file.DigestToSign(h)
		if certificates, err := file.Certificates(); err == nil && digestErr == nil && file.certificates.has {
			signed, err := file.WithCertificates(append(certificates, Certificate{Data: []byte("signature")}))
			if err != nil {
				t.Fatal(err)
			}
			again := sha256.New()
			if err := signed.Digest(again); err != nil || !bytes.Equal(again.Sum(nil), h.Sum(nil)) {
				t.Errorf("signed, it has another digest, %v", err)
			}
		}
		e, err := file.Extend([]NewSection{newSection(".cmdline", "quiet")})
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := e.Write(&out); err != nil {
			t.Fatal(err)
		}
		extended := open(t, out.Bytes())
		s := extended.Sections[len(file.Sections)]
		if data, err := io.ReadAll(s.Data()); err != nil || s.Name != ".cmdline" || string(data) != "quiet" {
			t.Errorf("%s, %q, %v", s.Name, data, err)
		}
	})
}
