package uki

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/efi/pe"
	"github.com/rules-initramfs/rules_initramfs/internal/tables/arch"
)

// packaged returns a file of a Debian package, which is where Debian has it, or below the kernels of
// other architectures. It skips the test if there is none.
func packaged(t *testing.T, a arch.Arch, pattern string) string {
	t.Helper()
	for _, root := range []string{"", "/usr/lib/kernels/" + a.Debian} {
		if found, _ := filepath.Glob(root + pattern); len(found) > 0 {
			return found[len(found)-1]
		}
	}
	t.Skip("needs " + pattern + " for " + a.Name)
	return ""
}

// What ukify makes of the same files is the same file.
func TestUkify(t *testing.T) {
	ukify, err := exec.LookPath("ukify")
	if err != nil {
		t.Skip("needs ukify: apt-get install systemd-ukify")
	}
	dir := t.TempDir()
	file := func(name, content string) string { return writeFile(t, dir, name, content) }
	osRelease, profile, other := file("os-release", "ID=test\nNAME=Test\n"), file("profile", "ID=main\nTITLE=Main\n"), file("other", "ID=other\n")
	odd, even, microcode := file("odd", "070701"+string(make([]byte, 10001))), file("even", "070701 and more."), file("microcode", "070701"+string(make([]byte, 511)))
	tree, tree2 := file("a.dtb", minimalTree), file("b.dtb", minimalTree)
	splash, key, extra := file("splash.bmp", splashContent), file("key.pem", "-----BEGIN PUBLIC KEY-----\n"), file("extra", "something else")
	sbat := file("sbat", "sbat,1,SBAT Version,sbat,1,https://example.com\nproduct,2,Product,product,3,https://example.com/product\n")
	file("hwids/1.json", `{"type": "devicetree", "name": "One", "compatible": "test,one", "hwids": ["6de5d951-d755-576b-bd09-c5cf66b27234", "00000000-d755-576b-bd09-c5cf66b27234"]}`)
	file("hwids/2.json", `{"type": "devicetree", "name": "Another", "compatible": "test,another", "hwids": ["{11111111-d755-576b-bd09-c5cf66b27234}"], "extra": 1}`)
	file("hwids/3.json", `{"type": "devicetree", "name": "One", "compatible": "test,one", "hwids": ["22222222-d755-576b-bd09-c5cf66b27234"]}`)
	hwids := []string{dir + "/hwids/1.json", dir + "/hwids/2.json", dir + "/hwids/3.json"}
	const line = "console=ttyS0 quiet"
	for _, name := range arch.Names() {
		a, err := arch.Find(name)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) {
			stub := packaged(t, a, "/usr/lib/systemd/boot/efi/linux"+a.EFI+".efi.stub")
			kernel := packaged(t, a, "/usr/lib/modules/*/vmlinuz")
			build := func(out string, args ...string) []byte {
				t.Helper()
				args = append([]string{"build", "--efi-arch", a.EFI, "--output", dir + "/" + out}, args...)
				cmd := exec.Command(ukify, args...)
				if output, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%v: %s", err, output)
				}
				data, err := os.ReadFile(dir + "/" + out)
				if err != nil {
					t.Fatal(err)
				}
				return data
			}
			for _, test := range []struct {
				name   string
				args   []string
				config Config
			}{
				{"usual", []string{"--linux", kernel, "--initrd", odd, "--cmdline", line, "--os-release", "@" + osRelease, "--hwids="},
					Config{Base: Sections{Kernel: kernel, Initramfs: []string{odd}, CommandLine: line, OSRelease: osRelease}}},
				{"kernel alone", []string{"--linux", kernel, "--os-release=", "--hwids="}, Config{Base: Sections{Kernel: kernel}}},
				{"all", []string{"--linux", kernel, "--initrd", odd, "--initrd", even, "--initrd", odd, "--microcode", microcode, "--cmdline", "@" + osRelease,
					"--os-release", "@" + osRelease, "--devicetree", tree, "--devicetree-auto", tree2, "--devicetree-auto", tree, "--hwids", dir + "/hwids",
					"--splash", splash, "--pcrpkey", key, "--section", "extra:@" + extra, "--sbat", "@" + sbat},
					Config{SBAT: []string{sbat}, Base: Sections{Kernel: kernel, Initramfs: []string{odd, even, odd}, Microcode: []string{microcode}, CommandLineIn: osRelease,
						OSRelease: osRelease, DeviceTree: tree, DeviceTreeAuto: []string{tree2, tree}, HWIDs: hwids,
						Splash: splash, PCRPublicKey: key, Extra: []Extra{{"extra", extra}}}}},
			} {
				config := test.config
				config.Stub = stub
				compareImages(t, test.name, write(t, config), build("ukify.efi", append(test.args, "--stub", stub)...))
				if name != "x86_64" {
					return // the rest does not depend on the architecture
				}
			}
			addon := packaged(t, a, "/usr/lib/systemd/boot/efi/addon"+a.EFI+".efi.stub")
			build("profile.efi", "--stub", addon, "--profile", "@"+other, "--cmdline", line+" other", "--initrd", even, "--os-release=", "--hwids=")
			compareImages(t, "profiles", write(t, Config{Stub: stub, Base: Sections{Kernel: kernel, CommandLine: line},
				Profiles: []Profile{{Description: profile}, {Description: other, Sections: Sections{CommandLine: line + " other", Initramfs: []string{even}}}}}),
				build("ukify.efi", "--stub", stub, "--linux", kernel, "--cmdline", line, "--os-release=", "--hwids=", "--profile", "@"+profile, "--join-profile", dir+"/profile.efi"))
		})
	}
}

func compareImages(t *testing.T, name string, got, want []byte) {
	t.Helper()
	if bytes.Equal(got, want) {
		return
	}
	t.Errorf("%s: %d bytes, and ukify makes %d", name, len(got), len(want))
	g, w := openPE(t, got), openPE(t, want)
	for i := range max(len(g.Sections), len(w.Sections)) {
		var gs, ws pe.Section
		var g1, w1 []byte
		if i < len(g.Sections) {
			gs = g.Sections[i]
			g1 = got[gs.Offset : gs.Offset+gs.Size]
		}
		if i < len(w.Sections) {
			ws = w.Sections[i]
			w1 = want[ws.Offset : ws.Offset+ws.Size]
		}
		if gs.Name != ws.Name || gs.VirtualAddress != ws.VirtualAddress || gs.VirtualSize != ws.VirtualSize || gs.Offset != ws.Offset || gs.Size != ws.Size || gs.Characteristics != ws.Characteristics || !bytes.Equal(g1, w1) {
			t.Errorf("%s: section %d: %+v %.300q, want %+v %.300q", name, i, gs, g1, ws, w1)
		}
	}
}

func openPE(t *testing.T, file []byte) *pe.File {
	t.Helper()
	f, err := pe.Open(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// write returns an image.
func write(t *testing.T, c Config) []byte {
	t.Helper()
	image, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	defer image.Close()
	var out bytes.Buffer
	if err := image.Write(context.Background(), &out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func writeFile(t *testing.T, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// minimalTree is a device tree with a root node.
const minimalTree = "\xd0\x0d\xfe\xed" + "\x00\x00\x00\x49" + "\x00\x00\x00\x38" + "\x00\x00\x00\x48" + "\x00\x00\x00\x28" + "\x00\x00\x00\x11" + "\x00\x00\x00\x10" +
	"\x00\x00\x00\x00" + "\x00\x00\x00\x01" + "\x00\x00\x00\x10" + // header
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" + // memory reservations
	"\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x09" + // nodes
	"\x00" // names

// splashContent begins as a picture in BMP does.
const splashContent = "BM\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" + "a picture of 18 by"
