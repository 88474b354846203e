package authenticode

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/rules-initramfs/rules_initramfs/internal/efi/pe"
	"github.com/rules-initramfs/rules_initramfs/internal/efi/pe/petest"
	"github.com/rules-initramfs/rules_initramfs/internal/golden"
	"github.com/rules-initramfs/rules_initramfs/internal/modules/signature"
)

// keys are where the keys and certificates of tests are.
const keys = "../../modules/signature/testdata/"

// executable is what tests sign. Its size is not a multiple of 8.
func executable() []byte {
	return append(petest.Executable(0x8664, petest.Section{Name: ".text", Content: "code"}, petest.Section{Name: ".data", Content: "data"}), "more"...)
}

func open(t testing.TB, file []byte) *pe.File {
	t.Helper()
	f, err := pe.Open(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func content(t testing.TB, f *pe.File) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := f.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func certificate(t testing.TB, name string) *x509.Certificate {
	t.Helper()
	c, err := signature.ReadCertificate(keys + name + ".pem")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func signing(t testing.TB, key, name string) *Signing {
	t.Helper()
	signer, err := signature.ReadKey(keys + key + ".key")
	if err != nil {
		t.Fatal(err)
	}
	return &Signing{signer, []*x509.Certificate{certificate(t, name)}}
}

func sign(t testing.TB, file []byte, key string) []byte {
	t.Helper()
	signed, err := signing(t, key, key).Sign(context.Background(), open(t, file))
	if err != nil {
		t.Fatal(err)
	}
	return content(t, signed)
}

// All keys sign the same bytes each time, and both signatures of an executable with two count.
func TestSign(t *testing.T) {
	both := sign(t, sign(t, executable(), "rsa"), "ec")
	for _, test := range []struct {
		name  string
		file  []byte
		valid []string
	}{
		{"rsa", sign(t, executable(), "rsa"), []string{"rsa"}},
		{"ec", sign(t, executable(), "ec"), []string{"ec"}},
		{"both", both, []string{"rsa", "ec"}},
	} {
		for _, name := range []string{"rsa", "ec", "other"} {
			var want error = ErrUntrusted
			for _, v := range test.valid {
				if v == name {
					want = nil
				}
			}
			if err := Verify(open(t, test.file), []*x509.Certificate{certificate(t, name)}); !errors.Is(err, want) {
				t.Errorf("%s with %s: %v, want %v", test.name, name, err, want)
			}
		}
	}
	if again := sign(t, sign(t, executable(), "rsa"), "ec"); !bytes.Equal(again, both) {
		t.Error("a second signature differs")
	}
}

// Each byte that firmware loads is signed.
func TestAltered(t *testing.T) {
	signed := sign(t, executable(), "rsa")
	trusted := []*x509.Certificate{certificate(t, "rsa")}
	for _, at := range []int{petest.FileHeader, petest.OptionalHeader + 16, petest.SectionTable, petest.HeadersSize, len(executable()) - 1, len(executable())} {
		altered := bytes.Clone(signed)
		altered[at] ^= 1
		f, err := pe.Open(bytes.NewReader(altered), int64(len(altered)))
		if err == nil {
			err = Verify(f, trusted)
		}
		if !errors.Is(err, ErrChanged) {
			t.Errorf("byte %#x: %v, want %v", at, err, ErrChanged)
		}
	}
	for at := (len(executable()) + 7) &^ 7; at < len(signed); at++ {
		altered := bytes.Clone(signed)
		altered[at] ^= 1
		f := open(t, altered)
		// Bytes that say nothing, such as those that align the end, may change.
		if err := Verify(f, trusted); err == nil {
			h := sha256.hash.New()
			if err := f.Digest(h); err != nil {
				t.Fatal(err)
			}
			table, err := f.Certificates()
			if err != nil {
				t.Fatal(err)
			}
			if m, err := readMessage(table[0].Data); err != nil || !bytes.Equal(m.content.digest, h.Sum(nil)) {
				t.Errorf("byte %#x: %+v, %v", at, m, err)
			}
		}
	}
}

// The tools that sign and verify for Secure Boot agree: sbverify with our signatures, and Verify with
// those of sbsign and osslsigncode.
func TestTools(t *testing.T) {
	dir := t.TempDir()
	in := filepath.Join(dir, "in.efi")
	if err := os.WriteFile(in, executable(), 0o666); err != nil {
		t.Fatal(err)
	}
	tool := func(t *testing.T, name string) string {
		t.Helper()
		path, err := exec.LookPath(name)
		if err != nil {
			t.Skipf("needs %s: apt-get install sbsigntool osslsigncode", name)
		}
		return path
	}
	write := func(name string, data []byte) string {
		t.Helper()
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, data, 0o666); err != nil {
			t.Fatal(err)
		}
		return name
	}
	for _, key := range []string{"rsa", "ec"} {
		trusted, other := keys+key+".pem", keys+"other.pem"
		t.Run("sbverify "+key, func(t *testing.T) {
			sbverify := tool(t, "sbverify")
			for name, file := range map[string][]byte{"one": sign(t, executable(), key), "two": sign(t, sign(t, executable(), "other"), key)} {
				path := write(name, file)
				if output, err := exec.Command(sbverify, "--cert", trusted, path).CombinedOutput(); err != nil {
					t.Errorf("%s: %v: %s", name, err, output)
				}
				if _, err := exec.Command(sbverify, "--cert", other, path).Output(); (err == nil) != (name == "two") {
					t.Errorf("%s, other certificate: %v", name, err)
				}
			}
		})
		t.Run("sbsign "+key, func(t *testing.T) {
			out := filepath.Join(dir, "sbsign.efi")
			if output, err := exec.Command(tool(t, "sbsign"), "--key", keys+key+".key", "--cert", trusted, "--output", out, in).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, output)
			}
			compareSigned(t, out, key)
		})
		t.Run("osslsigncode "+key, func(t *testing.T) {
			osslsigncode := tool(t, "osslsigncode")
			out := filepath.Join(dir, "osslsigncode.efi")
			os.Remove(out)
			if output, err := exec.Command(osslsigncode, "sign", "-h", "sha256", "-certs", trusted, "-key", keys+key+".key", "-in", in, "-out", out).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, output)
			}
			data, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			if err := Verify(open(t, data), []*x509.Certificate{certificate(t, key)}); err != nil {
				t.Error(err)
			}
			path := write("ours.efi", sign(t, executable(), key))
			if output, err := exec.Command(osslsigncode, "verify", "-CAfile", trusted, "-in", path).CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, output)
			}
		})
	}
}

// compareSigned compares what sbsign has signed with what Sign writes: attributes, which have the time,
// and the signature of them differ, and nothing else.
func compareSigned(t *testing.T, name, key string) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	theirs := open(t, data)
	if err := Verify(theirs, []*x509.Certificate{certificate(t, key)}); err != nil {
		t.Error(err)
	}
	ours := open(t, sign(t, executable(), key))
	reduced := func(f *pe.File) []byte {
		table, err := f.Certificates()
		if err != nil || len(table) != 1 {
			t.Fatalf("%d entries, %v", len(table), err)
		}
		var info contentInfo
		if _, err := asn1.Unmarshal(table[0].Data, &info); err != nil {
			t.Fatal(err)
		}
		signer := &info.Content.Signers[0]
		signer.Attributes, signer.Signature = asn1.RawValue{}, nil
		der, err := asn1.Marshal(info)
		if err != nil {
			t.Fatal(err)
		}
		table[0].Data = der
		again, err := f.WithCertificates(table)
		if err != nil {
			t.Fatal(err)
		}
		return content(t, again)
	}
	if got, want := reduced(ours), reduced(theirs); !bytes.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
}

func TestSignErrors(t *testing.T) {
	messages := map[string]string{}
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	ed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	unsupported := signing(t, "rsa", "rsa")
	unsupported.Certificates = []*x509.Certificate{ed}
	altered := sign(t, executable(), "other")
	altered[petest.HeadersSize] ^= 1
	for _, test := range []struct {
		name    string
		signing *Signing
		file    []byte
		err     error // nil for any
	}{
		{"another key", signing(t, "other", "rsa"), executable(), signature.ErrMismatch},
		{"a key of another kind", signing(t, "ec", "rsa"), executable(), signature.ErrMismatch},
		{"a kind of keys that firmware does not know", unsupported, executable(), nil},
		{"signed before", signing(t, "rsa", "rsa"), sign(t, sign(t, executable(), "rsa"), "ec"), ErrSigned},
		{"changed after another signature", signing(t, "rsa", "rsa"), altered, ErrChanged},
	} {
		_, err := test.signing.Sign(context.Background(), open(t, test.file))
		if err == nil || test.err != nil && !errors.Is(err, test.err) {
			t.Errorf("%s: %v, want %v", test.name, err, test.err)
			continue
		}
		messages[test.name] = err.Error()
	}
	golden.Messages(t, "TestSignErrors.txt", messages)
}

func TestVerifyErrors(t *testing.T) {
	trusted := []*x509.Certificate{certificate(t, "rsa")}
	signed := open(t, sign(t, executable(), "rsa"))
	table, err := signed.Certificates()
	if err != nil {
		t.Fatal(err)
	}
	der := table[0].Data
	change := func(change func(*contentInfo)) []byte {
		var info contentInfo
		if _, err := asn1.Unmarshal(der, &info); err != nil {
			t.Fatal(err)
		}
		info.Content.Content.Content.FullBytes = nil // so that Bytes count
		change(&info)
		changed, err := asn1.Marshal(info)
		if err != nil {
			t.Fatal(err)
		}
		return changed
	}
	messages := map[string]string{}
	for _, test := range []struct {
		name string
		data []byte
		err  error
	}{
		{"text", []byte("signature"), ErrDamaged},
		{"nothing", nil, ErrDamaged},
		{"more after it", append(bytes.Clone(der), 1), ErrDamaged},
		{"another type", change(func(info *contentInfo) { info.Type = oidIndirectData }), ErrDamaged},
		{"two signers", change(func(info *contentInfo) {
			info.Content.Signers = append(info.Content.Signers, info.Content.Signers[0])
			info.Content.Signers[1].Version = 2
		}), ErrDamaged},
		{"another hash", change(func(info *contentInfo) { info.Content.Signers[0].Hash.Algorithm = oidSignedData }), ErrDamaged},
		{"no attributes", change(func(info *contentInfo) { info.Content.Signers[0].Attributes = asn1.RawValue{} }), ErrDamaged},
		{"another signature", change(func(info *contentInfo) { info.Content.Signers[0].Signature[9] ^= 1 }), ErrDamaged},
		{"another content", change(func(info *contentInfo) {
			info.Content.Content.Content.Bytes[len(info.Content.Content.Content.Bytes)-1] ^= 1
		}), ErrDamaged},
		{"damaged certificates", change(func(info *contentInfo) {
			info.Content.Certificates.FullBytes = nil
			info.Content.Certificates.Bytes = []byte("\x30\x01\x00")
		}), ErrDamaged},
	} {
		f, err := signed.WithCertificates([]pe.Certificate{{Revision: pe.CertificateRevision, Type: pe.CertificatePKCS7, Data: test.data}})
		if err != nil {
			t.Fatal(err)
		}
		err = Verify(f, trusted)
		if !errors.Is(err, test.err) {
			t.Errorf("%s: %v, want %v", test.name, err, test.err)
			continue
		}
		messages[test.name] = err.Error()
	}
	for name, table := range map[string][]pe.Certificate{"unsigned": nil, "another kind of entry": {{Type: 1, Data: []byte("data")}}} {
		f, err := signed.WithCertificates(table)
		if err != nil {
			t.Fatal(err)
		}
		if err := Verify(f, trusted); !errors.Is(err, ErrUnsigned) {
			t.Errorf("%s: %v", name, err)
		}
	}
	golden.Messages(t, "TestVerifyErrors.txt", messages)
}

// A certificate that signed the signer's is enough, if the signature has those between them.
func TestChain(t *testing.T) {
	read := func(name string) (signature.Signer, *x509.Certificate) {
		signer, err := signature.ReadKey("testdata/" + name + ".key")
		if err != nil {
			t.Fatal(err)
		}
		c, err := signature.ReadCertificate("testdata/" + name + ".pem")
		if err != nil {
			t.Fatal(err)
		}
		return signer, c
	}
	signer, leaf := read("leaf")
	_, middle := read("middle")
	_, root := read("root")
	for _, test := range []struct {
		name    string
		chain   []*x509.Certificate
		trusted *x509.Certificate
		err     error
	}{
		{"leaf", []*x509.Certificate{leaf}, leaf, nil},
		{"middle", []*x509.Certificate{leaf}, middle, nil},
		{"root", []*x509.Certificate{leaf, middle}, root, nil},
		{"root without middle", []*x509.Certificate{leaf}, root, ErrUntrusted},
		{"other", []*x509.Certificate{leaf, middle}, certificate(t, "other"), ErrUntrusted},
	} {
		s := &Signing{signer, test.chain}
		signed, err := s.Sign(context.Background(), open(t, executable()))
		if err != nil {
			t.Fatal(err)
		}
		if err := Verify(signed, []*x509.Certificate{test.trusted}); !errors.Is(err, test.err) {
			t.Errorf("%s: %v, want %v", test.name, err, test.err)
		}
		sbverify, err := exec.LookPath("sbverify")
		if err != nil {
			continue
		}
		name := filepath.Join(t.TempDir(), "signed.efi")
		pem := name + ".pem"
		if err := errors.Join(os.WriteFile(name, content(t, signed), 0o666), os.WriteFile(pem, signature.PEM([]*x509.Certificate{test.trusted}), 0o666)); err != nil {
			t.Fatal(err)
		}
		if output, err := exec.Command(sbverify, "--cert", pem, name).CombinedOutput(); (err == nil) != (test.err == nil) {
			t.Errorf("%s: sbverify: %v: %s", test.name, err, output)
		}
	}
}

func TestCheckValidity(t *testing.T) {
	c := &x509.Certificate{
		Subject:   pkix.Name{CommonName: "test"},
		NotBefore: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		NotAfter:  time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC),
	}
	for day, want := range map[string]error{
		"2026-02-28": ErrValidity,
		"2026-03-01": nil,
		"2026-04-01": nil,
		"2026-05-01": nil,
		"2026-05-02": ErrValidity,
	} {
		at, err := time.Parse(time.DateOnly, day)
		if err != nil {
			t.Fatal(err)
		}
		if err := CheckValidity([]*x509.Certificate{c}, at); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", day, err, want)
		}
	}
}

// Whatever the reader reads, it neither panics nor finds that a key has signed something else.
func FuzzVerify(f *testing.F) {
	signed := sign(f, executable(), "rsa")
	table, err := open(f, signed).Certificates()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(table[0].Data)
	table, err = open(f, sign(f, executable(), "ec")).Certificates()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(table[0].Data)
	trusted := []*x509.Certificate{certificate(f, "rsa")}
	// Nobody has signed this one.
	other := open(f, append(executable(), "more of it"...))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := other.WithCertificates([]pe.Certificate{{Revision: pe.CertificateRevision, Type: pe.CertificatePKCS7, Data: data}})
		if err != nil {
			return // too large
		}
		if Verify(file, trusted) == nil {
			t.Errorf("the key has not signed this: %x", data)
		}
		if m, err := readMessage(data); err == nil {
			m.isBy(trusted)
		}
	})
}
