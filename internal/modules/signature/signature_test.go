package signature

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/golden"
)

func read(t testing.TB, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// signing signs with a key of testdata, and says that it is the one of a certificate.
func signing(t testing.TB, key, certificate, hash string) *Signing {
	t.Helper()
	signer, err := ReadKey("testdata/" + key + ".key")
	if err != nil {
		t.Fatal(err)
	}
	c, err := ReadCertificate("testdata/" + certificate + ".pem")
	if err != nil {
		t.Fatal(err)
	}
	h, err := ParseHash(hash)
	if err != nil {
		t.Fatal(err)
	}
	return &Signing{Signer: signer, Certificate: c, Hash: h}
}

// What sign-file has signed with an RSA key is what Sign returns. With ECDSA, sign-file uses random
// numbers: all but the signature itself is the same.
func TestSignFile(t *testing.T) {
	module := read(t, "module")
	for _, hash := range Hashes() {
		for _, key := range []string{"rsa", "ec"} {
			t.Run(key+"-"+hash, func(t *testing.T) {
				s := signing(t, key, key, hash)
				want := read(t, key+"-"+hash+".signed")
				got, err := s.Sign(context.Background(), module)
				if err != nil {
					t.Fatal(err)
				}
				if err := Verify(want, s.Certificate); err != nil {
					t.Errorf("the signature of sign-file: %v", err)
				}
				if again, err := s.Sign(context.Background(), module); err != nil || !bytes.Equal(again, got) {
					t.Errorf("a second signature differs, %v", err)
				}
				if key == "ec" {
					got, want = withoutSignature(t, got, s.Certificate), withoutSignature(t, want, s.Certificate)
				}
				if !bytes.Equal(got, want) {
					t.Errorf("%x, want %x", got, want)
				}
			})
		}
	}
}

// withoutSignature returns a signed module with a signature that has always the same bytes.
func withoutSignature(t *testing.T, module []byte, certificate *x509.Certificate) []byte {
	t.Helper()
	content, message, err := Split(module)
	if err != nil {
		t.Fatal(err)
	}
	_, h, err := readMessage(message)
	if err != nil {
		t.Fatal(err)
	}
	again, err := newMessage(certificate, h, []byte("signature"))
	if err != nil {
		t.Fatal(err)
	}
	return Append(content, again)
}

// OpenSSL finds that the signatures are right.
func TestOpenSSL(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("needs openssl: apt-get install openssl")
	}
	for _, key := range []string{"rsa", "ec"} {
		signed, err := signing(t, key, key, "sha512").Sign(context.Background(), read(t, "module"))
		if err != nil {
			t.Fatal(err)
		}
		_, message, err := Split(signed)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "message")
		if err := os.WriteFile(file, message, 0o666); err != nil {
			t.Fatal(err)
		}
		verify := func(content string) error {
			_, err := exec.Command(openssl, "cms", "-verify", "-binary", "-inform", "DER", "-in", file, "-content", content,
				"-certfile", "testdata/"+key+".pem", "-nointern", "-noverify").Output()
			return err
		}
		if err := verify("testdata/module"); err != nil {
			t.Errorf("%s: %v", key, err)
		}
		if err := verify("testdata/README.md"); err == nil {
			t.Errorf("%s: openssl verifies anything", key)
		}
	}
}

func TestSplit(t *testing.T) {
	signed := Append([]byte("module"), []byte("signature"))
	for _, test := range []struct {
		name             string
		module           []byte
		content, message string
		err              error
	}{
		{"unsigned", []byte("module"), "module", "", nil},
		{"signed", signed, "module", "signature", nil},
		{"nothing but a signature", signed[6:], "", "signature", nil},
		{"too long a signature", signed[7:], "", "", ErrSignature},
		{"no header", []byte(marker), "", "", ErrSignature},
	} {
		content, message, err := Split(test.module)
		if string(content) != test.content || string(message) != test.message || !errors.Is(err, test.err) || (err == nil) != (test.err == nil) {
			t.Errorf("%s: %q, %q, %v", test.name, content, message, err)
		}
		if Signed(test.module) != (message != nil || err != nil) {
			t.Errorf("%s: Signed is %v", test.name, Signed(test.module))
		}
	}
}

func TestVerify(t *testing.T) {
	s := signing(t, "rsa", "rsa", "sha256")
	signed, err := s.Sign(context.Background(), read(t, "module"))
	if err != nil {
		t.Fatal(err)
	}
	content, message, err := Split(signed)
	if err != nil {
		t.Fatal(err)
	}
	other := signing(t, "other", "other", "sha256").Certificate
	for _, test := range []struct {
		name        string
		module      []byte
		certificate *x509.Certificate
		err         error // nil for any
	}{
		{"another certificate", signed, other, ErrMismatch},
		{"another module", Append([]byte("another"), message), s.Certificate, ErrMismatch},
		{"no signature", content, s.Certificate, nil},
		{"not a message", Append(content, []byte("message")), s.Certificate, ErrSignature},
		{"bytes after the message", Append(content, append(message, 0)), s.Certificate, ErrSignature},
		{"a long message", Append(content, make([]byte, maxMessage+1)), s.Certificate, ErrSignature},
		{"a damaged signature", Append(content, append(message[:len(message)-1:len(message)-1], ^message[len(message)-1])), s.Certificate, ErrMismatch},
	} {
		if err := Verify(test.module, test.certificate); err == nil || test.err != nil && !errors.Is(err, test.err) {
			t.Errorf("%s: %v, want %v", test.name, err, test.err)
		}
	}
}

func TestSignErrors(t *testing.T) {
	module := read(t, "module")
	script := func(text string) Signer {
		name := filepath.Join(t.TempDir(), "signer")
		if err := os.WriteFile(name, []byte("#!/bin/sh\n"+text), 0o777); err != nil {
			t.Fatal(err)
		}
		return Program{[]string{name, "--token=t"}, "testdata/rsa.pem"}
	}
	messages := map[string]string{}
	for _, test := range []struct {
		name   string
		change func(*Signing)
		module []byte
		err    error // nil for any
	}{
		{"a key of another certificate", func(s *Signing) { s.Signer = signing(t, "other", "rsa", "sha512").Signer }, module, ErrMismatch},
		{"a key of another kind", func(s *Signing) { s.Signer = signing(t, "ec", "rsa", "sha512").Signer }, module, ErrMismatch},
		{"signed already", func(*Signing) {}, Append(module, []byte("message")), ErrSigned},
		{"a signer that fails", func(s *Signing) { s.Signer = script("echo no such token >&2; echo try another >&2; exit 7\n") }, module, nil},
		{"a signer without words", func(s *Signing) { s.Signer = script("exit 7\n") }, module, nil},
		{"a signer of nothing", func(s *Signing) { s.Signer = script("cat >/dev/null\n") }, module, nil},
		{"a signer of too much", func(s *Signing) { s.Signer = script("cat >/dev/null; head -c 100000 /dev/zero\n") }, module, nil},
		{"a signer of something else", func(s *Signing) { s.Signer = script("cat >/dev/null; echo signature\n") }, module, ErrMismatch},
		{"no signer", func(s *Signing) { s.Signer = Program{[]string{"no-such-signer"}, ""} }, module, exec.ErrNotFound},
	} {
		s := signing(t, "rsa", "rsa", "sha512")
		test.change(s)
		signed, err := s.Sign(context.Background(), test.module)
		if err == nil || signed != nil || test.err != nil && !errors.Is(err, test.err) {
			t.Errorf("%s: %d bytes, %v, want %v", test.name, len(signed), err, test.err)
			continue
		}
		messages[test.name] = strings.ReplaceAll(err.Error(), os.TempDir(), "")
	}
	for name, text := range messages {
		_, after, _ := strings.Cut(text, "/signer: ")
		if strings.HasPrefix(name, "a signer") && after != "" {
			messages[name] = "signer: " + after
		}
	}
	golden.Messages(t, "TestSignErrors.txt", messages)
}

// A signer program gets the arguments and the digest that are documented.
func TestProgram(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("needs openssl: apt-get install openssl")
	}
	dir := t.TempDir()
	name := filepath.Join(dir, "signer")
	script := `#!/bin/sh -e
echo "$*" >` + dir + `/arguments
exec ` + openssl + ` pkeyutl -sign -inkey testdata/$1.key -pkeyopt digest:$3
`
	if err := os.WriteFile(name, []byte(script), 0o777); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"rsa", "ec"} {
		s := signing(t, key, key, "sha384")
		want, err := s.Sign(context.Background(), read(t, "module"))
		if err != nil {
			t.Fatal(err)
		}
		s.Signer = Program{[]string{name, key}, "c.pem"}
		got, err := s.Sign(context.Background(), read(t, "module"))
		if err != nil {
			t.Fatal(err)
		}
		if key == "rsa" && !bytes.Equal(got, want) {
			t.Errorf("%x, want %x", got, want)
		}
		arguments, err := os.ReadFile(filepath.Join(dir, "arguments"))
		if want := key + " --hash sha384 --certificate c.pem\n"; err != nil || string(arguments) != want {
			t.Errorf("arguments %q, %v, want %q", arguments, err, want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s := signing(t, "rsa", "rsa", "sha384")
	s.Signer = Program{[]string{name, "rsa"}, "c.pem"}
	if _, err := s.Sign(ctx, read(t, "module")); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestReadCertificates(t *testing.T) {
	block, _ := pem.Decode(read(t, "rsa.pem"))
	messages := map[string]string{}
	for _, test := range []struct {
		name    string
		content []byte
		want    int // certificates
	}{
		{"PEM", read(t, "rsa.pem"), 1},
		{"DER", block.Bytes, 1},
		{"two", append(read(t, "rsa.pem"), read(t, "ec.pem")...), 2},
		{"a key besides", append(read(t, "rsa.pem"), read(t, "rsa.key")...), 0},
		{"text", []byte("hello"), 0},
		{"damaged", block.Bytes[:200], 0},
		{"damaged in PEM", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: block.Bytes[:200]}), 0},
		{"large", make([]byte, maxIdentity+1), 0},
	} {
		dir := t.TempDir()
		name := filepath.Join(dir, "c.pem")
		if err := os.WriteFile(name, test.content, 0o666); err != nil {
			t.Fatal(err)
		}
		all, err := ReadCertificates(name)
		if len(all) != test.want || (err == nil) != (test.want > 0) || err != nil && !strings.HasPrefix(err.Error(), name+": ") {
			t.Errorf("%s: %d certificates, %v, want %d", test.name, len(all), err, test.want)
		}
		if err != nil {
			messages[test.name] = strings.ReplaceAll(err.Error(), dir+"/", "")
		}
		_, err = ReadCertificate(name)
		if (err == nil) != (test.want == 1) {
			t.Errorf("%s: one certificate: %v", test.name, err)
		}
		if test.want > 1 {
			messages[test.name] = strings.ReplaceAll(err.Error(), dir+"/", "")
		}
		if test.want > 0 {
			again, err := parseCertificates(PEM(all))
			if err != nil || len(again) != test.want || !again[0].Equal(all[0]) {
				t.Errorf("%s: PEM: %v", test.name, err)
			}
		}
	}
	golden.Messages(t, "TestReadCertificates.txt", messages)
}

func TestParseKey(t *testing.T) {
	encode := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	parse := func(name string) any {
		key, err := parseKey(read(t, name))
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	ecDER, err := x509.MarshalECPrivateKey(parse("ec.key").(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	_, ed25519Key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	edDER, err := x509.MarshalPKCS8PrivateKey(ed25519Key)
	if err != nil {
		t.Fatal(err)
	}
	secret := []byte("secret secret secret")
	messages := map[string]string{}
	for _, test := range []struct {
		name string
		pem  []byte
		ok   bool
	}{
		{"PKCS #8", read(t, "rsa.key"), true},
		{"PKCS #1", encode("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(parse("rsa.key").(*rsa.PrivateKey))), true},
		{"SEC 1", encode("EC PRIVATE KEY", ecDER), true},
		{"after a certificate", append(read(t, "ec.pem"), read(t, "ec.key")...), true},
		{"a certificate", read(t, "rsa.pem"), false},
		{"with a password", encode("ENCRYPTED PRIVATE KEY", secret), false},
		{"damaged", encode("PRIVATE KEY", secret), false},
		{"damaged PKCS #1", encode("RSA PRIVATE KEY", secret), false},
		{"of SSH", encode("OPENSSH PRIVATE KEY", secret), false},
		{"Ed25519", encode("PRIVATE KEY", edDER), false},
	} {
		key, err := parseKey(test.pem)
		if (err == nil) != test.ok || (key != nil) != test.ok || err != nil && !errors.Is(err, ErrKey) {
			t.Errorf("%s: %v", test.name, err)
		}
		if err != nil {
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("%s: the error has the key: %v", test.name, err)
			}
			messages[test.name] = err.Error()
		}
	}
	golden.Messages(t, "TestParseKey.txt", messages)
}

func TestParseHash(t *testing.T) {
	if _, err := ParseHash("md5"); err == nil || !strings.Contains(err.Error(), "sha512") {
		t.Error(err)
	}
}

// Whatever the reader reads, it neither panics nor finds that a key has signed another module.
func FuzzVerify(f *testing.F) {
	for _, name := range []string{"rsa-sha512.signed", "ec-sha256.signed", "module"} {
		f.Add(read(f, name))
	}
	certificate, err := ReadCertificate("testdata/rsa.pem")
	if err != nil {
		f.Fatal(err)
	}
	module := read(f, "module")
	f.Fuzz(func(t *testing.T, data []byte) {
		content, message, err := Split(data)
		if err == nil && message != nil && len(content)+len(message)+headerSize+len(marker) != len(data) {
			t.Errorf("%d and %d bytes of %d", len(content), len(message), len(data))
		}
		if Verify(data, certificate) == nil && !bytes.Equal(content, module) {
			t.Errorf("the key has not signed %x", content)
		}
	})
}

// Files that anybody can write are read without a panic, and PEM has only certificates.
func FuzzParse(f *testing.F) {
	for _, name := range []string{"rsa.pem", "ec.pem", "rsa.key", "ec.key"} {
		f.Add(read(f, name))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		parseKey(data)
		if all, err := parseCertificates(data); err == nil {
			if again, err := parseCertificates(PEM(all)); err != nil || len(again) != len(all) {
				t.Error(err)
			}
		}
	})
}
