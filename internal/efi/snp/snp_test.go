package snp

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/efi/guid"
	"github.com/rules-initramfs/rules_initramfs/internal/efi/snp/snptest"
	"github.com/rules-initramfs/rules_initramfs/internal/golden"
)

const (
	forKernels = "ovmf_AmdSev_suffix.bin"
	ordinary   = "ovmf_OvmfX64_suffix.bin"
)

func readTestdata(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func firmware(t testing.TB, data []byte) *Firmware {
	t.Helper()
	f, err := ReadFirmware(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func kernelHashes(t testing.TB, kernel, initrd, commandLine string) *KernelHashes {
	t.Helper()
	hashes, err := NewKernelHashes(strings.NewReader(kernel), strings.NewReader(initrd), commandLine)
	if err != nil {
		t.Fatal(err)
	}
	return hashes
}

func signature(t testing.TB, name string) uint32 {
	t.Helper()
	s, err := TypeSignature(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func predict(t testing.TB, f *Firmware, g Guest) *Prediction {
	t.Helper()
	p, err := Predict(f, g)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// The digests are those that the tests of sev-snp-measure expect, for QEMU: see testdata/README.md.
func TestPublishedDigests(t *testing.T) {
	empty := func(commandLine string) *KernelHashes { return kernelHashes(t, "", "", commandLine) }
	for _, test := range []struct {
		name, firmware string
		guest          Guest
		want           string
	}{
		{"test_snp_default", forKernels, Guest{VCPUs: 1, Features: 0x21, Kernel: empty("console=ttyS0 loglevel=7")},
			"803f691094946e42068aaa3a8f9e26a5c89f36f7b73ecfb28c653360fe4b3aba7e534442e7e1e17895dfe778d0228977"},
		{"test_snp_guest_feature_snp_only", forKernels, Guest{VCPUs: 1, Features: 0x1, Kernel: empty("console=ttyS0 loglevel=7")},
			"6d287813eb5222d770f75005c664e34c204f385ce832cc2ce7d0d6f354454362f390ef83a92046c042e706363b4b08fa"},
		{"test_snp_ovmf_hash_gen_default", forKernels, Guest{VCPUs: 1, Features: 0x21, Kernel: empty("")},
			"329c8ce0972ae52343b64d34a434a86f245dfd74f5ed7aae15d22efc78fb9683632b9b50e4e1d7fa41179ef98a7ef198"},
		{"test_snp_ovmf_hash_gen_feature_snp_only", forKernels, Guest{VCPUs: 1, Features: 0x1, Kernel: empty("")},
			"ddc5224521617a536ee7ce9dd6224d1b58a8d4fda1c741f3ac99fc4bfa04ba6e9fc98646d4a07a9079397fa3852819b5"},
		{"test_snp_without_kernel_default", forKernels, Guest{VCPUs: 1, Features: 0x21},
			"e1e1ca029dd7973ab9513295be68198472dcd4fc834bd9af9b63f6e8a1674dbf281a9278a4a2ebe0eed9f22adbcd0e2b"},
		{"test_snp_without_kernel_feature_snp_only", forKernels, Guest{VCPUs: 1, Features: 0x1},
			"19358ba9a7615534a9a1e2f0dfc29384dcd4dcb7062ff9c6013b26869a5fc6ecabe033c48dd6f6db5d6d76e7c5df632d"},
		{"test_snp_with_multiple_vcpus_default", forKernels, Guest{VCPUs: 4, Features: 0x21, Kernel: empty("")},
			"4953b1fb416fa874980e8442b3706d345926d5f38879134e00813c5d7abcbe78eafe7b422907be0b4698e2414a631942"},
		{"test_snp_with_multiple_vcpus_feature_snp_only", forKernels, Guest{VCPUs: 4, Features: 0x1, Kernel: empty("")},
			"5061fffb019493a903613d56d54b94912a1a2f9e4502385f5c194616753720a92441310ba6c4933de877c36e23046ad5"},
		{"test_snp_with_ovmfx64_without_default", ordinary, Guest{VCPUs: 1, Features: 0x21},
			"28797ae0afaba4005a81e629acebfb59e6687949d6be44007cd5506823b0dd66f146aaae26ff291eed7b493d8a64c385"},
		{"test_snp_with_ovmfx64_without_kernel_feature_snp_only", ordinary, Guest{VCPUs: 1, Features: 0x1},
			"da0296de8193586a5512078dcd719eccecbd87e2b825ad4148c44f665dc87df21e5b49e21523a9ad993afdb6a30b4005"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.guest.Signature = signature(t, "EPYC-v4")
			p := predict(t, firmware(t, readTestdata(t, test.firmware)), test.guest)
			if got := hex.EncodeToString(p.Digest[:]); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
			const afterFirmware = "086e2e9149ebf45abdc3445fba5b2da8270bdbb04094d7a2c37faaa4b24af3aa16aff8c374c2a55c467a50da6d466b74"
			if got := hex.EncodeToString(p.Updates[0].Digest[:]); test.firmware == forKernels && got != afterFirmware {
				t.Errorf("%s after the firmware, want %s", got, afterFirmware)
			}
		})
	}
}

// longFirmware returns a firmware of 16 pages that ends as one of testdata does.
func longFirmware(t testing.TB) []byte {
	data := make([]byte, 15*pageSize)
	for i := range data {
		data[i] = byte(i*7 + i>>12)
	}
	return append(data, readTestdata(t, forKernels)...)
}

// The digests are what sev-snp-measure has printed for the same input: see testdata/README.md.
func TestComputedDigests(t *testing.T) {
	kernel := kernelHashes(t, "MZ, the kernel", "070701, the initramfs", "console=ttyS0 quiet")
	for _, test := range []struct {
		kind  string
		guest Guest
		want  string
	}{
		{"EPYC-Milan", Guest{VCPUs: 3, Features: 0x1, Kernel: kernel}, "6eaa01f0b3ea73f0457926b877d48996e6ce10e1fa871582fab57b8c9fd4dc879c247150a4cdf7fa85628451cac3148f"},
		{"EPYC-Rome-v2", Guest{VCPUs: 2, Features: 0x1}, "876bd4645fda20a59d1efe5cee40b3984540a9ddc87c1bdb207711122f2f8355b523e1bc7f8ca1eca50f9044d891284c"},
		{"EPYC-Genoa", Guest{VCPUs: 8, Features: 0x61, Kernel: kernel}, "da33cd8ac699f3deb7f6894e0ce27bb2d2f0db4609af2982bdd42687820666811802454a7138bc3045cf68227f93e4b9"},
		{"EPYC-Turin", Guest{VCPUs: 1, Features: 0x1, Kernel: kernel}, "54ecd94c84a7f0feb9e0ccf4497c34eab6c8b193ef10ff20593559a27ed42030546c78a5658800a0ce54b96950424964"},
		{"EPYC-IBPB", Guest{VCPUs: 1, Features: 0x1, Kernel: kernel}, "454bdb692af6da5417b63598e66a6ab18e8ac90104a4115a1feebb97bc17d3f940db46b839df3d0b5f848c11f04bab09"},
	} {
		test.guest.Signature = signature(t, test.kind)
		p := predict(t, firmware(t, longFirmware(t)), test.guest)
		if got := hex.EncodeToString(p.Digest[:]); got != test.want {
			t.Errorf("%s: %s, want %s", test.kind, got, test.want)
		}
	}
}

func TestSignatures(t *testing.T) {
	// Of the tests of sev-snp-measure.
	for m, want := range map[model]uint32{{"", 14, 1, 2}: 0x0e12, {"", 23, 1, 2}: 0x800f12} {
		if got := m.signature(); got != want {
			t.Errorf("%+v: %#x, want %#x", m, got, want)
		}
	}
	if got, err := ParseSignature("0x800f12"); err != nil || got != signature(t, "EPYC") {
		t.Errorf("%#x, %v", got, err)
	}
	if got, err := ParseFeatures("0x21"); err != nil || got != 0x21 {
		t.Errorf("%#x, %v", got, err)
	}
}

func TestReport(t *testing.T) {
	g := Guest{VCPUs: 2, Signature: signature(t, "EPYC-Milan-v2"), Features: 1, Kernel: kernelHashes(t, "MZ", "", "quiet")}
	for name, g := range map[string]Guest{"kernel": g, "no-kernel": {VCPUs: 1, Signature: g.Signature, Features: 0x21}} {
		var b bytes.Buffer
		if err := WriteReport(&b, predict(t, firmware(t, longFirmware(t)), g), g); err != nil {
			t.Fatal(err)
		}
		if !json.Valid(b.Bytes()) {
			t.Error("not JSON")
		}
		golden.Text(t, "TestReport-"+name+".json", b.String())
	}
}

func TestFirmwareErrors(t *testing.T) {
	whole := readTestdata(t, forKernels)
	table, err := firmware(t, whole).readTable()
	if err != nil {
		t.Fatal(err)
	}
	metadata := pageSize - int(little.Uint32(table[metadataEntry]))
	// set returns the firmware with other bytes at an offset.
	set := func(offset int, bytes ...byte) []byte {
		data := append([]byte(nil), whole...)
		copy(data[offset:], bytes)
		return data
	}
	header := func(id guid.GUID) int { return bytes.Index(whole, id[:]) - 2 }
	const first = metadataHeader
	if err := firmware(t, longFirmware(t)).CheckBIOS(); err != nil {
		t.Error(err)
	}
	messages := map[string]string{"not for -bios": firmware(t, whole).CheckBIOS().Error()}
	for name, data := range map[string][]byte{
		"empty":                 nil,
		"not whole pages":       whole[1:],
		"too large":             make([]byte, maxFirmware+pageSize),
		"no table":              make([]byte, pageSize),
		"table too large":       set(header(tableFooter), 0xff, 0xff),
		"table too small":       set(header(tableFooter), 1, 0),
		"rest of a table":       set(header(tableFooter), whole[header(tableFooter)]-10),
		"entry too large":       set(header(resetEntry), 0xff, 0xff),
		"entry too small":       set(header(resetEntry), 0, 0),
		"no metadata":           set(header(metadataEntry)+2, 0),
		"no reset address":      set(header(resetEntry)+2, 0),
		"metadata after end":    set(header(metadataEntry)-4, 1, 0, 0, 0),
		"metadata before begin": set(header(metadataEntry)-4, 0xff, 0xff, 0xff, 0xff),
		"metadata magic":        set(metadata, 'B'),
		"metadata version":      set(metadata+8, 2),
		"metadata count":        set(metadata+12, 0xff, 0xff, 0xff, 0xff),
		"metadata size":         set(metadata+4, 0xff, 0xff, 0xff, 0xff),
		"section type":          set(metadata+first+8, 9),
		"section address":       set(metadata+first, 1),
		"section size":          set(metadata+first+4, 1),
		"no section size":       set(metadata+first+4, 0, 0, 0, 0),
		"large section":         set(metadata+first+4, 0, 0, 0, 0xff),
		"two pages of secrets":  set(metadata+first+8, byte(sectionSecrets)),
	} {
		_, err := ReadFirmware(bytes.NewReader(data))
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		messages[name] = err.Error()
	}
	guest := Guest{VCPUs: 1, Features: 1, Kernel: kernelHashes(t, "", "", "")}
	for name, test := range map[string]struct {
		data  []byte
		guest Guest
	}{
		"no vCPUs":                   {whole, Guest{}},
		"many vCPUs":                 {whole, Guest{VCPUs: MaxVCPUs + 1}},
		"no hashes":                  {readTestdata(t, ordinary), guest},
		"no table of hashes":         {set(header(hashTableEntry)+2, 0), guest},
		"table of hashes elsewhere":  {set(header(hashTableEntry)-6, 0xff), guest},
		"table of hashes too small":  {set(header(hashTableEntry)-4, 1, 0), guest},
		"table of hashes at the end": {set(header(hashTableEntry)-8, 0xff, 0x0f), guest},
	} {
		f, err := ReadFirmware(bytes.NewReader(test.data))
		if err == nil {
			_, err = Predict(f, test.guest)
		}
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		messages[name] = err.Error()
	}
	for name, parse := range map[string]func() error{
		"type":        func() error { _, err := TypeSignature("EPYC-Rome-v0"); return err },
		"signature":   func() error { _, err := ParseSignature("0x0"); return err },
		"decimal":     func() error { _, err := ParseSignature("8392466"); return err },
		"no SNP":      func() error { _, err := ParseFeatures("0x20"); return err },
		"no features": func() error { _, err := ParseFeatures("0x"); return err },
	} {
		err := parse()
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		messages[name] = err.Error()
	}
	golden.Messages(t, "TestFirmwareErrors.txt", messages)
}

// A firmware is untrusted: a prediction ends, with an error or without.
func FuzzFirmware(f *testing.F) {
	f.Add(readTestdata(f, forKernels), true)
	f.Add(readTestdata(f, ordinary), false)
	f.Add(snptest.Firmware(true), true)
	hashes := kernelHashes(f, "MZ", "", "")
	f.Fuzz(func(t *testing.T, data []byte, kernel bool) {
		// Most changes would leave a file that is not whole pages.
		data = append(make([]byte, -len(data)&(pageSize-1)), data...)
		file, err := ReadFirmware(bytes.NewReader(data))
		if err != nil {
			return
		}
		g := Guest{VCPUs: 2, Features: 1}
		if kernel {
			g.Kernel = hashes
		}
		p, err := Predict(file, g)
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := WriteReport(&b, p, g); err != nil || !json.Valid(b.Bytes()) {
			t.Fatalf("not JSON: %v", err)
		}
	})
}
