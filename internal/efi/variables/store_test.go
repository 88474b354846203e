package variables

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rules-initramfs/rules_initramfs/internal/efi/guid"
	"github.com/rules-initramfs/rules_initramfs/internal/efi/variables/variablestest"
	"github.com/rules-initramfs/rules_initramfs/internal/golden"
	"github.com/rules-initramfs/rules_initramfs/internal/modules/signature"
)

// firmware are the stores that Debian's packages have.
var firmware = []string{
	"/usr/share/OVMF/OVMF_VARS_4M.fd",
	"/usr/share/OVMF/OVMF_VARS_4M.ms.fd",
	"/usr/share/OVMF/OVMF_VARS_4M.snakeoil.fd",
	"/usr/share/AAVMF/AAVMF_VARS.fd",
	"/usr/share/AAVMF/AAVMF_VARS.snakeoil.fd",
	"/usr/share/qemu-efi-riscv64/RISCV_VIRT_VARS.fd",
}

func certificate(t testing.TB, name string) (string, *x509.Certificate) {
	t.Helper()
	name = "../../modules/signature/testdata/" + name + ".pem"
	c, err := signature.ReadCertificate(name)
	if err != nil {
		t.Fatal(err)
	}
	return name, c
}

func read(t testing.TB, data []byte) *Store {
	t.Helper()
	s, err := Read(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func written(t testing.TB, s *Store) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := s.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestRoundTrip(t *testing.T) {
	before, after := bytes.Repeat([]byte{0}, 3*searchStep), bytes.Repeat([]byte("rest"), 50000)
	file := append(append(before, variablestest.Empty(4096)...), after...)
	s := read(t, file)
	if len(s.Variables) != 0 {
		t.Errorf("%d variables", len(s.Variables))
	}
	if !bytes.Equal(written(t, s), file) {
		t.Error("an empty store changes")
	}
	want := []Variable{
		{Name: "", Vendor: Global, Data: []byte{}},
		{Name: "a", Vendor: Global, Attributes: 7, Count: 1 << 40, PublicKey: 3, Time: Time{1, 2, 3}, Data: []byte("abcde")},
		{Name: "ä😀", Vendor: ImageSecurity, Data: []byte{1}},
	}
	for _, i := range []int{2, 0, 1} {
		s.Set(want[i])
	}
	out := written(t, s)
	if len(out) != len(file) || !bytes.HasPrefix(out, before) || !bytes.HasSuffix(out, after) {
		t.Errorf("%d bytes, want %d", len(out), len(file))
	}
	again := read(t, out)
	if diff := cmp.Diff(want, again.Variables); diff != "" {
		t.Error(diff)
	}
	if v := again.Find("a", Global); v == nil || string(v.Data) != "abcde" {
		t.Errorf("%v", v)
	}
	if v := again.Find("a", ImageSecurity); v != nil {
		t.Errorf("%v", v)
	}
}

// A variable in replacement is valid unless a new one follows. Others are not.
func TestStates(t *testing.T) {
	var b []byte
	for _, v := range []struct {
		name  string
		state byte
	}{{"deleted", 0x3d}, {"replaced", stateDeleting}, {"header", 0x7f}, {"replaced", stateAdded}, {"old", stateDeleting}, {"old too", 0x3c}} {
		at := len(b)
		b = (&Variable{Name: v.name, Vendor: Global, Data: []byte{v.state}}).append(b)
		b[at+2] = v.state
	}
	file := variablestest.Empty(4096)
	copy(file[len(file)-4096:], b)
	var got []string
	for _, v := range read(t, file).Variables {
		got = append(got, fmt.Sprintf("%s %#x", v.Name, v.Data))
	}
	if diff := cmp.Diff([]string{"old 0x3e", "replaced 0x3f"}, got); diff != "" {
		t.Error(diff)
	}
}

// virt-fw-vars enrolls the same keys, and writes the same file.
func TestVirtFirmware(t *testing.T) {
	program, err := exec.LookPath("virt-fw-vars")
	if err != nil {
		t.Skip("needs virt-fw-vars: apt-get install python3-virt-firmware")
	}
	rsaName, rsa := certificate(t, "rsa")
	otherName, other := certificate(t, "other")
	owner := guid.MustParse("11111111-2222-3333-4444-555555555555")
	for _, store := range firmware {
		if strings.Contains(store, "snakeoil") {
			continue
		}
		t.Run(filepath.Base(store), func(t *testing.T) {
			template, err := os.ReadFile(store)
			if err != nil {
				t.Skipf("%v: apt-get install ovmf-generic qemu-efi-aarch64 qemu-efi-riscv64", err)
			}
			want := filepath.Join(t.TempDir(), "want")
			args := []string{"--input", store, "--output", want, "--delete", "PK", "--delete", "KEK", "--delete", "db", "--delete", "dbx",
				"--set-pk", owner.String(), rsaName, "--add-kek", owner.String(), otherName, "--add-kek", owner.String(), rsaName,
				"--add-db", owner.String(), rsaName, "--add-db", owner.String(), otherName, "--add-dbx-cert", owner.String(), otherName, "--sb"}
			if out, err := exec.Command(program, args...).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			s := read(t, template)
			err = s.Enroll(Keys{
				PK:    &Database{Certificates: []*x509.Certificate{rsa}},
				KEK:   &Database{Certificates: []*x509.Certificate{other, rsa, other}},
				DB:    &Database{Certificates: []*x509.Certificate{rsa, other}},
				DBX:   &Database{Certificates: []*x509.Certificate{other}},
				Owner: owner,
			})
			if err != nil {
				t.Fatal(err)
			}
			got := written(t, s)
			data, err := os.ReadFile(want)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, data) {
				t.Errorf("the files differ: %s", cmp.Diff(read(t, data).Variables, read(t, got).Variables))
			}
		})
	}
	t.Run("hash", func(t *testing.T) {
		// virt-fw-vars takes the time of a database with a new hash from the clock.
		s := read(t, variablestest.Empty(64<<10))
		hash := sha256.Sum256([]byte("executable"))
		db := &Database{Certificates: []*x509.Certificate{rsa}, Hashes: [][32]byte{hash, hash}}
		if err := s.Enroll(Keys{PK: &Database{Certificates: []*x509.Certificate{rsa}}, DB: db, Owner: owner}); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "got")
		if err := os.WriteFile(file, written(t, s), 0o666); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(program, "--input", file, "--print", "--verbose", "--hashes").CombinedOutput()
		if err != nil || strings.Count(string(out), "    "+hex.EncodeToString(hash[:])+"\n") != 1 || !strings.Contains(string(out), "bool: ON") {
			t.Errorf("%v\n%s", err, out)
		}
	})
}

// What Debian enrolled is found.
func TestFirmware(t *testing.T) {
	found := false
	for _, name := range firmware {
		data, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		found = true
		s := read(t, data)
		enrolled := strings.Contains(name, "snakeoil") || strings.Contains(name, ".ms.")
		if pk := s.Find("PK", Global); (pk != nil) != enrolled {
			t.Errorf("%s: PK is %v", name, pk)
		}
		for _, v := range s.Variables {
			if v.Name == "PK" || v.Name == "KEK" || v.Name == "db" || v.Name == "dbx" {
				if signatures, err := ParseSignatures(v.Data); err != nil || len(signatures) == 0 {
					t.Errorf("%s: %s: %d signatures, %v", name, v.Name, len(signatures), err)
				}
			}
		}
	}
	if !found {
		t.Skip("needs stores of firmware: apt-get install ovmf-generic")
	}
}

func TestEnroll(t *testing.T) {
	_, rsa := certificate(t, "rsa")
	one := &Database{Certificates: []*x509.Certificate{rsa}}
	hash := &Database{Hashes: [][32]byte{sha256.Sum256([]byte("executable"))}}
	s := read(t, variablestest.Empty(64<<10))
	if err := s.Enroll(Keys{PK: one, DB: hash, Owner: DefaultOwner}); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, v := range s.Variables {
		fmt.Fprintf(&b, "%s %s %#x %s %d\n", v.Name, v.Vendor, v.Attributes, v.Time, len(v.Data))
		if len(v.Data) == 1 {
			continue
		}
		signatures, err := ParseSignatures(v.Data)
		if err != nil {
			t.Error(err)
		}
		for _, signature := range signatures {
			fmt.Fprintf(&b, "  %s %s %x\n", signature.Type, signature.Owner, sha256.Sum256(signature.Data))
		}
	}
	golden.Text(t, "TestEnroll.txt", b.String())

	// Keys that are not given stay.
	before := *s.Find("db", ImageSecurity)
	if err := s.Enroll(Keys{DBX: hash, Owner: DefaultOwner}); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(before, *s.Find("db", ImageSecurity)); diff != "" {
		t.Error(diff)
	}
}

func TestErrors(t *testing.T) {
	good := variablestest.Empty(256)
	with := func(at int, bytes ...byte) []byte {
		b := append([]byte(nil), good...)
		copy(b[at:], bytes)
		return b
	}
	// The header's checksum is right again.
	header := func(at int, value uint16) []byte {
		b := with(at, byte(value), byte(value>>8))
		variablestest.SetChecksum(b)
		return b
	}
	variable := func(change func([]byte)) []byte {
		v := (&Variable{Name: "ab", Vendor: Global, Data: []byte("data")}).append(nil)
		change(v)
		return with(variablestest.VolumeHeader+storeHeader, v...)
	}
	twice := (&Variable{Name: "a"}).append((&Variable{Name: "a"}).append(nil))
	messages := map[string]string{}
	for _, test := range []struct {
		name string
		data []byte
		want error
	}{
		{"nothing", nil, ErrNotStore},
		{"text", bytes.Repeat([]byte("text "), 1000), ErrNotStore},
		{"only zeros", make([]byte, 10000), ErrNotStore},
		{"cut off", good[:200], ErrDamaged},
		{"large volume", header(volumeLengthAt+4, 1), ErrDamaged},
		{"negative length", header(volumeLengthAt+6, 0x8000), ErrDamaged},
		{"no header", header(volumeHeaderLengthAt, 10), ErrDamaged},
		{"large header", header(volumeHeaderLengthAt, 0xfff0), ErrDamaged},
		{"checksum", with(50, 1, 2), ErrDamaged},
		{"no authentication", with(variablestest.VolumeHeader, plainGUID[:]...), ErrNotStore},
		{"another format", with(variablestest.VolumeHeader, Global[:]...), ErrNotStore},
		{"not formatted", with(variablestest.VolumeHeader+20, 0xff), ErrDamaged},
		{"large store", with(variablestest.VolumeHeader+16, 0xff, 0xff), ErrDamaged},
		{"small store", with(variablestest.VolumeHeader+16, 1, 0), ErrDamaged},
		{"long name", variable(func(b []byte) { b[36], b[37] = 0, 1 }), ErrDamaged},
		{"longest data", variable(func(b []byte) { copy(b[40:], "\xff\xff\xff\xff") }), ErrDamaged},
		{"odd name", variable(func(b []byte) { b[36]-- }), ErrDamaged},
		{"no end of a name", variable(func(b []byte) { b[36] -= 2 }), ErrDamaged},
		{"no name", variable(func(b []byte) { b[36] = 0 }), ErrDamaged},
		{"half a surrogate", variable(func(b []byte) { b[variableHeader], b[variableHeader+1] = 0, 0xd8 }), ErrDamaged},
		{"twice", with(variablestest.VolumeHeader+storeHeader, twice...), ErrDamaged},
		{"header of a variable at the end", with(len(good)-4, 0xaa, 0x55), nil},
	} {
		_, err := Read(bytes.NewReader(test.data), int64(len(test.data)))
		if !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
		messages[test.name] = fmt.Sprint(err)
	}

	_, rsa := certificate(t, "rsa")
	one := &Database{Certificates: []*x509.Certificate{rsa}}
	hash := &Database{Hashes: [][32]byte{{}}}
	for _, test := range []struct {
		name string
		room int
		keys Keys
		want error
	}{
		{"no PK", 64 << 10, Keys{DB: one}, ErrKeys},
		{"no db", 64 << 10, Keys{PK: one}, ErrKeys},
		{"two PKs", 64 << 10, Keys{PK: &Database{Certificates: []*x509.Certificate{rsa, rsa}}, DB: one}, ErrKeys},
		{"hash as PK", 64 << 10, Keys{PK: hash, DB: one}, ErrKeys},
		{"hash as KEK", 64 << 10, Keys{PK: one, KEK: hash, DB: one}, ErrKeys},
		{"no room", 1000, Keys{PK: one, KEK: one, DB: one}, ErrRoom},
	} {
		s := read(t, variablestest.Empty(test.room))
		err := s.Enroll(test.keys)
		if err == nil {
			err = s.Write(&bytes.Buffer{})
		}
		if !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
		messages[test.name] = fmt.Sprint(err)
	}
	golden.Messages(t, "TestErrors.txt", messages)
}

func TestParseSignaturesErrors(t *testing.T) {
	_, rsa := certificate(t, "rsa")
	good := (&Database{Certificates: []*x509.Certificate{rsa}, Hashes: [][32]byte{{1}, {2}, {1}}}).Bytes(DefaultOwner)
	if all, err := ParseSignatures(good); err != nil || len(all) != 3 {
		t.Errorf("%d, %v", len(all), err)
	}
	for name, change := range map[string]func([]byte) []byte{
		"cut off":       func(b []byte) []byte { return b[:len(b)-1] },
		"more":          func(b []byte) []byte { return append(b, 0) },
		"long list":     func(b []byte) []byte { b[19] = 0xff; return b },
		"long header":   func(b []byte) []byte { b[23] = 0xff; return b },
		"small entries": func(b []byte) []byte { copy(b[24:], "\x01\x00\x00\x00"); return b },
		"no entries":    func(b []byte) []byte { copy(b[24:], "\x00\x00\x00\x00"); return b },
		"odd entries":   func(b []byte) []byte { b[24]++; return b },
	} {
		if _, err := ParseSignatures(change(bytes.Clone(good))); !errors.Is(err, ErrSignatures) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	s := read(f, variablestest.Empty(2048))
	_, rsa := certificate(f, "rsa")
	one := &Database{Certificates: []*x509.Certificate{rsa}}
	if err := s.Enroll(Keys{PK: one, DB: &Database{Hashes: [][32]byte{{1}}}}); err != nil {
		f.Fatal(err)
	}
	f.Add(variablestest.Empty(256))
	f.Add(written(f, s))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Read(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			if !errors.Is(err, ErrNotStore) && !errors.Is(err, ErrDamaged) {
				t.Errorf("error without a class: %v", err)
			}
			return
		}
		size := 0
		for _, v := range s.Variables {
			size += len(v.Name) + len(v.Data)
			_ = v.Time.String()
			if _, err := ParseSignatures(v.Data); err != nil && !errors.Is(err, ErrSignatures) {
				t.Errorf("error without a class: %v", err)
			}
		}
		if size > 2*len(data) {
			t.Errorf("%d bytes of variables in a file of %d", size, len(data))
		}
		// What is written again has the same variables.
		out := written(t, s)
		if len(out) != len(data) {
			t.Errorf("%d bytes, want %d", len(out), len(data))
		}
		if diff := cmp.Diff(s.Variables, read(t, out).Variables); diff != "" {
			t.Error(diff)
		}
	})
}

func FuzzParseSignatures(f *testing.F) {
	f.Add((&Database{Hashes: [][32]byte{{1}, {2}}}).Bytes(DefaultOwner))
	f.Fuzz(func(t *testing.T, data []byte) {
		all, err := ParseSignatures(data)
		if err != nil && !errors.Is(err, ErrSignatures) {
			t.Errorf("error without a class: %v", err)
		}
		size := 0
		for _, s := range all {
			size += 16 + len(s.Data)
		}
		if size > len(data) {
			t.Errorf("%d bytes of signatures in %d", size, len(data))
		}
	})
}
