package fit

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rules-initramfs/rules_initramfs/internal/fdt"
	"github.com/rules-initramfs/rules_initramfs/internal/golden"
	"github.com/rules-initramfs/rules_initramfs/internal/modules/signature"
)

const keys = "../modules/signature/testdata/"

// program returns the path of a program, or skips the test.
func program(t testing.TB, name, pkg string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not on PATH: install %s", name, pkg)
	}
	return path
}

// mkimage runs mkimage of U-Boot.
func mkimage(t testing.TB, args ...string) string {
	t.Helper()
	cmd := exec.Command(program(t, "mkimage", "u-boot-tools"), args...)
	cmd.Env = append(os.Environ(), "SOURCE_DATE_EPOCH=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("mkimage %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func write(t testing.TB, name string, data []byte) string {
	t.Helper()
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// kernel returns a file that begins as a kernel for arm64 or riscv64 does.
func kernel(arch string) []byte {
	data := bytes.Repeat([]byte("kernel "), 12000)
	switch clear(data[:64]); arch {
	case "arm64":
		copy(data[0x38:], "ARM\x64")
	case "riscv64":
		copy(data[0x30:], "RISCV\x00\x00\x00RSC\x05")
	}
	return data
}

// deviceTree returns a device tree for machines.
func deviceTree(t testing.TB, compatible ...string) []byte {
	t.Helper()
	root := &fdt.Node{}
	root.Add("compatible", fdt.Text(compatible...))
	data, err := (&fdt.Tree{Root: root}).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// overlay returns an overlay.
func overlay(t testing.TB) []byte {
	t.Helper()
	root := &fdt.Node{}
	root.Append("fragment@0").Append("__overlay__").Add("status", fdt.Text("okay"))
	data, err := (&fdt.Tree{Root: root}).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// files writes what descriptions in tests name, and returns their directory.
func files(t testing.TB) string {
	dir := t.TempDir()
	for name, data := range map[string][]byte{
		"arm64":     kernel("arm64"),
		"riscv64":   kernel("riscv64"),
		"a.cpio":    []byte("first part!"),
		"b.cpio":    []byte("second part"),
		"board.dtb": deviceTree(t, "maker,board", "maker,chip"),
		"other.dtb": deviceTree(t, "maker,other", "maker,chip"),
		"same.dtb":  deviceTree(t, "maker,board", "maker,newer"),
		"none.dtb":  deviceTree(t),
		"wifi.dtbo": overlay(t),
		"text":      []byte("#!/bin/sh\n"),
		"large":     slices.Concat(kernel("arm64")[:0x12], []byte{0x80}, kernel("arm64")[0x13:]),
	} {
		write(t, filepath.Join(dir, name), data)
	}
	return dir
}

// board is a description with everything in it.
func board(dir string) *Description {
	load, high := Address(0x80200000), Address(0x88000000)
	file := func(name string) string { return filepath.Join(dir, name) }
	return &Description{
		Description: "board",
		Kernel:      Kernel{File: file("arm64"), Compression: "none", Load: &load},
		Ramdisk:     Parts{Files: []string{file("a.cpio"), file("b.cpio")}, Load: &high},
		DeviceTrees: []DeviceTree{{Name: "board", File: file("board.dtb")}, {Name: "other", File: file("other.dtb")}},
		Overlays:    []DeviceTree{{Name: "wifi", File: file("wifi.dtbo")}},
		Configurations: []Configuration{
			{Name: "board", DeviceTree: "board"},
			{Name: "board-wifi", DeviceTree: "board", Overlays: []string{"wifi"}},
			{Name: "other", DeviceTree: "other", Description: "another one"},
		},
		Default: "maker,other",
		Hashes:  []string{"sha256", "crc32"},
	}
}

func build(t testing.TB, d *Description) *Image {
	t.Helper()
	image, err := d.Build()
	if err != nil {
		t.Fatal(err)
	}
	return image
}

func imageBytes(t testing.TB, image *Image) []byte {
	t.Helper()
	data, err := image.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func read(t testing.TB, data []byte) *Image {
	t.Helper()
	image, err := Read(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// source is board as mkimage reads it.
const source = `/dts-v1/;
/ {
	description = "board";
	#address-cells = <1>;
	images {
		kernel {
			description = "Linux kernel";
			data = /incbin/("arm64");
			type = "kernel"; arch = "arm64"; os = "linux"; compression = "none";
			load = <0x80200000>;
			entry = <0x80200000>;
			hash-1 { algo = "sha256"; };
			hash-2 { algo = "crc32"; };
		};
		ramdisk {
			description = "initramfs";
			data = /incbin/("parts");
			type = "ramdisk"; arch = "arm64"; os = "linux"; compression = "none";
			load = <0x88000000>;
			hash-1 { algo = "sha256"; };
			hash-2 { algo = "crc32"; };
		};
		fdt-board {
			description = "board";
			data = /incbin/("board.dtb");
			type = "flat_dt"; arch = "arm64"; compression = "none";
			hash-1 { algo = "sha256"; };
			hash-2 { algo = "crc32"; };
		};
		fdt-other {
			description = "other";
			data = /incbin/("other.dtb");
			type = "flat_dt"; arch = "arm64"; compression = "none";
			hash-1 { algo = "sha256"; };
			hash-2 { algo = "crc32"; };
		};
		fdt-wifi {
			description = "wifi";
			data = /incbin/("wifi.dtbo");
			type = "flat_dt"; arch = "arm64"; compression = "none";
			hash-1 { algo = "sha256"; };
			hash-2 { algo = "crc32"; };
		};
	};
	configurations {
		default = "other";
		board {
			description = "board";
			compatible = "maker,board", "maker,chip";
			kernel = "kernel";
			ramdisk = "ramdisk";
			fdt = "fdt-board";
		};
		board-wifi {
			description = "board";
			compatible = "maker,board", "maker,chip";
			kernel = "kernel";
			ramdisk = "ramdisk";
			fdt = "fdt-board", "fdt-wifi";
		};
		other {
			description = "another one";
			compatible = "maker,other", "maker,chip";
			kernel = "kernel";
			ramdisk = "ramdisk";
			fdt = "fdt-other";
		};
	};
};
`

// TestMkimage compares with an image that mkimage makes of the same description: the tree, its names
// and their order, and with external data every byte.
func TestMkimage(t *testing.T) {
	program(t, "mkimage", "u-boot-tools")
	dir := files(t)
	write(t, filepath.Join(dir, "parts"), []byte("first part!\x00second part"))
	its := write(t, filepath.Join(dir, "board.its"), []byte(source))
	itb := filepath.Join(dir, "board.itb")
	run := func(args ...string) []byte {
		t.Helper()
		cmd := exec.Command("mkimage", append(args, "-f", its, itb)...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "SOURCE_DATE_EPOCH=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("mkimage: %v: %s", err, out)
		}
		data, err := os.ReadFile(itb)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	image := build(t, board(dir))
	compareTrees(t, run(), imageBytes(t, image))
	if err := image.MakeExternal(); err != nil {
		t.Fatal(err)
	}
	if want, got := run("-E"), imageBytes(t, image); !bytes.Equal(want, got) {
		compareTrees(t, want, got)
		t.Errorf("with external data: %d bytes, and mkimage's %d are others", len(got), len(want))
	}
}

// compareTrees compares all but what is free after the names.
func compareTrees(t *testing.T, want, got []byte) {
	t.Helper()
	wantTree, err := fdt.Parse(want)
	if err != nil {
		t.Fatal(err)
	}
	gotTree, err := fdt.Parse(got)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wantTree.Root, gotTree.Root); diff != "" {
		t.Errorf("(-mkimage +ours):\n%s", diff)
	}
	if diff := cmp.Diff(strings.Split(string(wantTree.Strings), "\x00"), strings.Split(string(gotTree.Strings), "\x00")); diff != "" {
		t.Errorf("names (-mkimage +ours):\n%s", diff)
	}
}

// signing returns how the keys of a name sign.
func signing(t testing.TB, name, hash string) *Signing {
	t.Helper()
	signer, err := signature.ReadKey(keys + name + ".key")
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := signature.ReadCertificate(keys + name + ".pem")
	if err != nil {
		t.Fatal(err)
	}
	h, err := ParseSigningHash(hash)
	if err != nil {
		t.Fatal(err)
	}
	return &Signing{Signer: signer, Certificate: certificate, Hash: h, KeyName: "dev"}
}

// keyDirectory returns a directory with the keys as mkimage wants them.
func keyDirectory(t *testing.T, name string) string {
	t.Helper()
	dir := t.TempDir()
	for from, to := range map[string]string{name + ".key": "dev.key", name + ".pem": "dev.crt"} {
		data, err := os.ReadFile(keys + from)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, to), data)
	}
	// Keys for ECDSA have another name.
	data, err := os.ReadFile(keys + name + ".key")
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "dev.pem"), data)
	return dir
}

// TestMkimageSign signs an image as mkimage does, with the same values, and writes the same key into a
// control device tree.
func TestMkimageSign(t *testing.T) {
	program(t, "mkimage", "u-boot-tools")
	for _, hash := range []string{"sha256", "sha512"} {
		dir := files(t)
		s := signing(t, "rsa", hash)
		image := build(t, board(dir))
		for _, c := range image.Configurations() {
			if err := image.addSignatureNode(c, s, hash+",rsa2048"); err != nil {
				t.Fatal(err)
			}
		}
		itb := write(t, filepath.Join(dir, "board.itb"), imageBytes(t, image))
		controlData := deviceTree(t, "maker,board")
		control := write(t, filepath.Join(dir, "control.dtb"), controlData)
		mkimage(t, "-F", "-k", keyDirectory(t, "rsa"), "-K", control, "-r", itb)
		want, err := os.ReadFile(itb)
		if err != nil {
			t.Fatal(err)
		}
		if err := image.Sign(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		// These say who signed, and the signature is not over them.
		wantImage := read(t, want)
		for _, c := range wantImage.Configurations() {
			wantImage.Tree.Set(c.Child(signatureNode), "signer-name", fdt.Text(signerName))
			wantImage.Tree.Set(c.Child(signatureNode), "signer-version", fdt.Text(signerVersion))
		}
		compareTrees(t, imageBytes(t, wantImage), imageBytes(t, image))

		wantControl, err := os.ReadFile(control)
		if err != nil {
			t.Fatal(err)
		}
		tree, err := fdt.Parse(controlData)
		if err != nil {
			t.Fatal(err)
		}
		if err := AddKey(tree, "dev", s.Hash, s.Certificate.PublicKey); err != nil {
			t.Fatal(err)
		}
		gotControl, err := tree.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		compareTrees(t, wantControl, gotControl)
	}
}

// TestMkimageECDSA verifies what mkimage signed with a key of an elliptic curve, and compares the key in
// the control device tree.
func TestMkimageECDSA(t *testing.T) {
	program(t, "mkimage", "u-boot-tools")
	dir := files(t)
	s := signing(t, "ec", "sha384")
	image := build(t, board(dir))
	for _, c := range image.Configurations() {
		if err := image.addSignatureNode(c, s, "sha384,ecdsa384"); err != nil {
			t.Fatal(err)
		}
	}
	itb := write(t, filepath.Join(dir, "board.itb"), imageBytes(t, image))
	controlData := deviceTree(t, "maker,board")
	control := write(t, filepath.Join(dir, "control.dtb"), controlData)
	mkimage(t, "-F", "-k", keyDirectory(t, "ec"), "-K", control, "-r", itb)
	data, err := os.ReadFile(itb)
	if err != nil {
		t.Fatal(err)
	}
	theirs := read(t, data)
	for _, c := range theirs.Configurations() {
		if err := theirs.VerifySignature(c, s.Certificate.PublicKey); err != nil {
			t.Errorf("%s: %v", c.Name, err)
		}
	}
	wantControl, err := os.ReadFile(control)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := fdt.Parse(controlData)
	if err != nil {
		t.Fatal(err)
	}
	if err := AddKey(tree, "dev", s.Hash, s.Certificate.PublicKey); err != nil {
		t.Fatal(err)
	}
	gotControl, err := tree.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	compareTrees(t, wantControl, gotControl)
}

// TestDumpimage takes the parts out with dumpimage.
func TestDumpimage(t *testing.T) {
	dumpimage := program(t, "dumpimage", "u-boot-tools")
	dir := files(t)
	for _, external := range []bool{false, true} {
		image := build(t, board(dir))
		if err := image.Sign(t.Context(), signing(t, "rsa", "sha256")); err != nil {
			t.Fatal(err)
		}
		if external {
			if err := image.MakeExternal(); err != nil {
				t.Fatal(err)
			}
		}
		itb := write(t, filepath.Join(dir, "board.itb"), imageBytes(t, image))
		for position, want := range [][]byte{kernel("arm64"), []byte("first part!\x00second part"), deviceTree(t, "maker,board", "maker,chip")} {
			out := filepath.Join(dir, "out")
			if text, err := exec.Command(dumpimage, "-T", "flat_dt", "-p", fmt.Sprint(position), "-o", out, itb).CombinedOutput(); err != nil {
				t.Fatalf("dumpimage: %v: %s", err, text)
			}
			if got, err := os.ReadFile(out); err != nil || !bytes.Equal(got, want) {
				t.Errorf("external %v: image %d has %d bytes, want %d: %v", external, position, len(got), len(want), err)
			}
		}
		golden.Text(t, fmt.Sprintf("TestDumpimage.external-%v.txt", external), mkimage(t, "-l", itb))
	}
}

func TestSign(t *testing.T) {
	dir := files(t)
	ec256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsa4096, err := rsa.GenerateKey(rand.Reader, 4096)
	if err != nil {
		t.Fatal(err)
	}
	other := signing(t, "other", "sha256")
	for name, s := range map[string]*Signing{
		"rsa2048":  signing(t, "rsa", "sha256"),
		"rsa4096":  generated(t, rsa4096.Public(), rsa4096),
		"ecdsa384": signing(t, "ec", "sha384"),
		"ecdsa256": generated(t, ec256.Public(), ec256),
	} {
		for _, external := range []bool{false, true} {
			image := build(t, board(dir))
			if external {
				if err := image.MakeExternal(); err != nil {
					t.Fatal(err)
				}
			}
			// What was written before is signed as well.
			unsigned := read(t, imageBytes(t, image))
			if err := unsigned.Sign(t.Context(), s); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			data := imageBytes(t, unsigned)
			signed := read(t, data)
			if err := signed.VerifyHashes(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			for _, c := range signed.Configurations() {
				if err := signed.VerifySignature(c, s.Certificate.PublicKey); err != nil {
					t.Errorf("%s: %s: %v", name, c.Name, err)
				}
				if err := signed.VerifySignature(c, other.Certificate.PublicKey); !errors.Is(err, signature.ErrMismatch) {
					t.Errorf("%s: %s: with another key: %v", name, c.Name, err)
				}
			}
			if err := signed.Sign(t.Context(), s); !errors.Is(err, ErrSigned) {
				t.Errorf("%s: signed twice: %v", name, err)
			}
			altered(t, data, s)
		}
	}
	image := build(t, board(dir))
	s := signing(t, "rsa", "sha256")
	s.Certificate = other.Certificate
	if err := image.Sign(t.Context(), s); !errors.Is(err, signature.ErrMismatch) {
		t.Errorf("the key of another certificate: %v", err)
	}
	s = signing(t, "rsa", "sha256")
	s.Configurations = []string{"other"}
	image = build(t, board(dir))
	if err := image.Sign(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	for _, c := range image.Configurations() {
		err := image.VerifySignature(c, s.Certificate.PublicKey)
		if signed := c.Name == "other"; signed != (err == nil) || !signed && !errors.Is(err, ErrUnsigned) {
			t.Errorf("only other is signed: %s: %v", c.Name, err)
		}
	}
}

// generated returns how a new key signs.
func generated(t *testing.T, public any, private any) *Signing {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "dev"}, NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<32, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	name := write(t, filepath.Join(t.TempDir(), "key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
	signer, err := signature.ReadKey(name)
	if err != nil {
		t.Fatal(err)
	}
	hash, err := ParseSigningHash("sha256")
	if err != nil {
		t.Fatal(err)
	}
	return &Signing{Signer: signer, Certificate: certificate, Hash: hash, KeyName: "dev"}
}

// altered changes what is signed, and wants errors.
func altered(t *testing.T, data []byte, s *Signing) {
	t.Helper()
	verify := func(data []byte) error {
		image, err := Read(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return err
		}
		err = image.VerifyHashes()
		for _, c := range image.Configurations() {
			err = errors.Join(err, image.VerifySignature(c, s.Certificate.PublicKey))
		}
		return err
	}
	if err := verify(data); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]struct {
		old, new string
		want     error
	}{
		"data of the initramfs": {"first part!", "First part!", ErrHash},
		"architecture":          {"arm64\x00", "riscv\x00", signature.ErrMismatch},
		"device tree":           {"fdt-other\x00\x00\x00\x00\x00\x00\x01signature-1", "fdt-board\x00\x00\x00\x00\x00\x00\x01signature-1", signature.ErrSignature},
		"address":               {"\x80\x20\x00\x00", "\x80\x40\x00\x00", signature.ErrMismatch},
		"what the nodes are":    {"/images/ramdisk\x00", "/images/ramdusk\x00", signature.ErrSignature},
		"name of a property":    {"\x00entry\x00", "\x00emtry\x00", signature.ErrMismatch},
	} {
		at := bytes.LastIndex(data, []byte(change.old))
		if at < 0 {
			t.Fatalf("%s: there is no %q", name, change.old)
		}
		changed := slices.Concat(data[:at], []byte(change.new), data[at+len(change.old):])
		err := verify(changed)
		if !errors.Is(err, change.want) {
			t.Errorf("%s: %v, want %v", name, err, change.want)
		}
	}
}

// TestUnsignedNames wants an error for a signature that leaves out names of properties.
func TestUnsignedNames(t *testing.T) {
	s := signing(t, "rsa", "sha256")
	image := build(t, board(files(t)))
	if err := image.Sign(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	c := image.Configurations()[0]
	image.Tree.Set(c.Child(signatureNode), hashedStrings, fdt.Words(0, 4))
	if err := image.VerifySignature(c, s.Certificate.PublicKey); !errors.Is(err, signature.ErrSignature) {
		t.Error(err)
	}
}

// failing is a Signer that cannot sign.
type failing struct{}

func (failing) Sign(context.Context, signature.Hash, []byte) ([]byte, error) {
	return nil, errors.New("the token is not there")
}

func TestErrors(t *testing.T) {
	dir := files(t)
	file := func(name string) string { return filepath.Join(dir, name) }
	gzipped := func() string {
		d := board(dir)
		d.Kernel = Kernel{File: file("arm64")}
		content, err := d.readKernel()
		if err != nil {
			t.Fatal(err)
		}
		twice := &kernelContent{data: content.data}
		if err := twice.compress("gzip"); err != nil {
			t.Fatal(err)
		}
		write(t, file("twice.gz"), twice.data)
		legacy := &kernelContent{data: kernel("arm64")}
		if err := legacy.compress("lz4"); err != nil {
			t.Fatal(err)
		}
		write(t, file("image.lz4"), append([]byte("\x02\x21\x4c\x18"), legacy.data...))
		return write(t, file("image.gz"), content.data)
	}()
	odd, low := Address(0x80001000), Address(0x80200000)
	messages := map[string]string{}
	for name, change := range map[string]func(*Description){
		"no kernel":                     func(d *Description) { d.Kernel.File = "" },
		"not a kernel":                  func(d *Description) { d.Kernel.File = file("text") },
		"another architecture":          func(d *Description) { d.Architecture = "riscv64" },
		"kernel compressed twice":       func(d *Description) { d.Kernel = Kernel{File: gzipped, Compression: "zstd"} },
		"kernel that is twice gzip":     func(d *Description) { d.Kernel = Kernel{File: file("twice.gz")} },
		"legacy lz4":                    func(d *Description) { d.Kernel = Kernel{File: file("image.lz4")} },
		"codec that U-Boot has not":     func(d *Description) { d.Kernel.Compression = "xz" },
		"unknown codec":                 func(d *Description) { d.Kernel.Compression = "gzap" },
		"room":                          func(d *Description) { d.Kernel = Kernel{File: file("large")} },
		"load address":                  func(d *Description) { d.Kernel.Load = &odd },
		"entry without load":            func(d *Description) { d.Kernel.Load, d.Kernel.Entry = nil, &low },
		"neither compression nor load":  func(d *Description) { d.Kernel = Kernel{File: file("arm64"), Compression: "none"} },
		"not a device tree":             func(d *Description) { d.DeviceTrees[0].File = file("text") },
		"overlay as device tree":        func(d *Description) { d.DeviceTrees[0].File = file("wifi.dtbo") },
		"device tree as overlay":        func(d *Description) { d.Overlays[0].File = file("board.dtb") },
		"no compatible":                 func(d *Description) { d.DeviceTrees[0].File = file("none.dtb") },
		"same compatible":               func(d *Description) { d.DeviceTrees[1].File = file("same.dtb") },
		"same name":                     func(d *Description) { d.DeviceTrees[1].Name = "wifi" },
		"bad name":                      func(d *Description) { d.DeviceTrees[1].Name = "a@b" },
		"same configuration":            func(d *Description) { d.Configurations[1].Name = "board" },
		"unknown device tree":           func(d *Description) { d.Configurations[1].DeviceTree = "bord" },
		"unknown overlay":               func(d *Description) { d.Configurations[1].Overlays[0] = "bord" },
		"overlay without a device tree": func(d *Description) { d.Configurations[1].DeviceTree = "" },
		"unknown default":               func(d *Description) { d.Default = "maker,othr" },
		"unknown default, none alike":   func(d *Description) { d.Default = "x" },
		"unknown hash":                  func(d *Description) { d.Hashes = []string{"sha3"} },
		"hash twice":                    func(d *Description) { d.Hashes = []string{"sha256", "sha256"} },
		"no file":                       func(d *Description) { d.Ramdisk.Files = []string{file("absent")} },
		"directory":                     func(d *Description) { d.Ramdisk.Files = []string{dir} },
	} {
		d := board(dir)
		change(d)
		_, err := d.Build()
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		messages[name] = strings.ReplaceAll(err.Error(), dir, "DIR")
	}
	for name, change := range map[string]func(*Description, *Signing){
		"weak hash":             func(d *Description, _ *Signing) { d.Hashes = []string{"crc32"} },
		"name of the key":       func(_ *Description, s *Signing) { s.KeyName = "" },
		"unknown configuration": func(_ *Description, s *Signing) { s.Configurations = []string{"x"} },
		"another key":           func(_ *Description, s *Signing) { s.Certificate = signing(t, "other", "sha256").Certificate },
		"signer":                func(_ *Description, s *Signing) { s.Signer = failing{} },
	} {
		d, s := board(dir), signing(t, "rsa", "sha256")
		change(d, s)
		err := build(t, d).Sign(t.Context(), s)
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		messages["sign: "+name] = err.Error()
	}
	golden.Messages(t, "TestErrors.txt", messages)
}

// TestCompression makes kernels in every codec.
func TestCompression(t *testing.T) {
	dir := files(t)
	for _, arch := range []string{"arm64", "riscv64"} {
		for _, codec := range append(Compressions(), "") {
			d := board(dir)
			d.Kernel = Kernel{File: filepath.Join(dir, arch), Compression: codec}
			if codec == "none" {
				d.Kernel.Load = new(Address)
			}
			image := build(t, d)
			content, err := image.Data(image.Image("kernel"))
			if err != nil {
				t.Fatal(err)
			}
			var data bytes.Buffer
			if _, err := content.WriteTo(&data); err != nil {
				t.Fatal(err)
			}
			want := codec
			if want == "" {
				want = "gzip"
			}
			if got := text(image.Image("kernel"), "compression"); got != want {
				t.Errorf("%s: it says %s, want %s", codec, got, want)
			}
			if codec == "none" {
				continue
			}
			// What is compressed already stays.
			d = board(dir)
			d.Kernel = Kernel{File: write(t, filepath.Join(dir, "compressed"), data.Bytes())}
			again := build(t, d)
			content, err = again.Data(again.Image("kernel"))
			if err != nil {
				t.Fatal(err)
			}
			if content.Size() != int64(data.Len()) {
				t.Errorf("%s: compressed again, %d bytes became %d", codec, data.Len(), content.Size())
			}
		}
	}
}

func TestWideAddress(t *testing.T) {
	dir := files(t)
	d := board(dir)
	high := Address(0x1_80200000)
	d.Kernel.Load = &high
	image := build(t, d)
	if cells, _ := image.Tree.Root.Uint32("#address-cells"); cells != 2 {
		t.Errorf("%d cells", cells)
	}
	for name, want := range map[string][]byte{"kernel": fdt.Words(1, 0x80200000), "ramdisk": fdt.Words(0, 0x88000000)} {
		if got, _ := image.Image(name).Property("load"); !bytes.Equal(got, want) {
			t.Errorf("%s: load is %x, want %x", name, got, want)
		}
	}
}

func TestParseDescription(t *testing.T) {
	dir := files(t)
	text := fmt.Sprintf(`{"kernel": {"file": %q, "load": "0x80200000"}, "device_trees": [{"name": "b", "file": %q}]}`,
		filepath.Join(dir, "arm64"), filepath.Join(dir, "board.dtb"))
	d, err := ParseDescription([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if got := build(t, d).Default(); got != "b" || *d.Kernel.Load != 0x80200000 {
		t.Errorf("default %q, load %v", got, d.Kernel.Load)
	}
	for _, bad := range []string{"", "[]", `{"kernal": {}}`, `{} {}`, `{"kernel": {"load": 1}}`, `{"kernel": {"load": "x"}}`} {
		if _, err := ParseDescription([]byte(bad)); err == nil {
			t.Errorf("%s: no error", bad)
		}
	}
}

func TestReadErrors(t *testing.T) {
	many := &fdt.Node{}
	images := many.Append("images")
	for i := range maxChildren + 1 {
		images.Append(fmt.Sprint(i))
	}
	for name, root := range map[string]*fdt.Node{"no images": {}, "many images": many} {
		data, err := (&fdt.Tree{Root: root}).Bytes()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Read(bytes.NewReader(data), int64(len(data))); !errors.Is(err, ErrNotFIT) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Read(strings.NewReader("#!/bin/sh\n"), 10); !errors.Is(err, fdt.ErrNotDeviceTree) {
		t.Errorf("a script: %v", err)
	}
}

// FuzzRead reads, verifies and writes what comes from somewhere else.
func FuzzRead(f *testing.F) {
	dir := files(f)
	s := signing(f, "rsa", "sha256")
	d := board(dir)
	d.Kernel.Compression = "gzip"
	image := build(f, d)
	f.Add(imageBytes(f, image))
	if err := image.Sign(f.Context(), s); err != nil {
		f.Fatal(err)
	}
	f.Add(imageBytes(f, image))
	if err := image.MakeExternal(); err != nil {
		f.Fatal(err)
	}
	f.Add(imageBytes(f, image))
	f.Fuzz(func(t *testing.T, data []byte) {
		image, err := Read(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		image.VerifyHashes()
		for _, c := range image.Configurations() {
			image.VerifySignature(c, s.Certificate.PublicKey)
		}
		image.Default()
		image.Bytes()
	})
}
