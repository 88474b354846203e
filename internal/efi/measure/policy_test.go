package measure

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/efi/pe/petest"
	"github.com/rules-initramfs/rules_initramfs/internal/modules/signature"
)

func readKeys(t *testing.T, name string) (signature.Signer, crypto.PublicKey) {
	t.Helper()
	signer, err := signature.ReadKey("testdata/" + name + ".key")
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile("testdata/" + name + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	public, err := ParsePublicKey(data)
	if err != nil {
		t.Fatal(err)
	}
	return signer, public
}

// systemd-measure makes the same signatures.
func TestSystemdMeasureSign(t *testing.T) {
	tool := systemdMeasure(t)
	signer, public := readKeys(t, "rsa")
	linux := filepath.Join(t.TempDir(), "linux")
	if err := os.WriteFile(linux, []byte("MZ"), 0o666); err != nil {
		t.Fatal(err)
	}
	image := open(t, petest.Section{Name: ".linux", Content: "MZ"}, petest.Section{Name: ".pcrsig", Content: "not measured"})
	for _, phases := range [][]string{nil, {"enter-initrd"}, {":", "b:a"}} {
		args := []string{"sign", "--private-key=testdata/rsa.key", "--public-key=testdata/rsa.pub", "--linux=" + linux}
		for _, bank := range banks {
			args = append(args, "--bank="+bank.Name)
		}
		for _, phase := range phases {
			args = append(args, "--phase="+phase)
		}
		want, err := exec.Command(tool, args...).Output()
		if err != nil {
			t.Fatal(err)
		}
		got, err := SignPolicies(context.Background(), predict(t, image, Options{Banks: banks, Phases: phases}), signer, public)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%q: %s, %v, want %s", phases, got, err, want)
		}
	}
}

func TestSignPoliciesErrors(t *testing.T) {
	rsaSigner, rsaKey := readKeys(t, "rsa")
	ecSigner, ecKey := readKeys(t, "ec")
	image := open(t, petest.Section{Name: ".linux", Content: "MZ"})
	p := predict(t, image, Options{})
	if _, err := SignPolicies(context.Background(), p, ecSigner, ecKey); !errors.Is(err, ErrPolicyKey) {
		t.Errorf("an ECDSA key: %v", err)
	}
	if _, err := SignPolicies(context.Background(), p, ecSigner, rsaKey); !errors.Is(err, signature.ErrMismatch) {
		t.Errorf("another key: %v", err)
	}
	if _, err := ParsePublicKey([]byte("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")); !errors.Is(err, ErrPublicKey) {
		t.Errorf("a damaged key: %v", err)
	}
	if _, err := SignPolicies(context.Background(), p, rsaSigner, rsaKey); err != nil {
		t.Error(err)
	}
}

// An image says which key signs its policies.
func TestCheckPolicyKey(t *testing.T) {
	_, rsaKey := readKeys(t, "rsa")
	_, ecKey := readKeys(t, "ec")
	pem, err := os.ReadFile("testdata/rsa.pub")
	if err != nil {
		t.Fatal(err)
	}
	image := open(t, petest.Section{Name: ".linux", Content: "MZ"}, petest.Section{Name: ".pcrpkey", Content: string(pem)})
	if err := CheckPolicyKey(image, 0, rsaKey); err != nil {
		t.Error(err)
	}
	if err := CheckPolicyKey(image, 0, ecKey); err == nil {
		t.Error("another key: no error")
	}
	damaged := open(t, petest.Section{Name: ".linux", Content: "MZ"}, petest.Section{Name: ".pcrpkey", Content: "PEM"})
	if err := CheckPolicyKey(damaged, 0, rsaKey); !errors.Is(err, ErrPublicKey) {
		t.Error(err)
	}
	if err := CheckPolicyKey(open(t, petest.Section{Name: ".linux", Content: "MZ"}), 0, rsaKey); err != nil {
		t.Error(err)
	}
}
