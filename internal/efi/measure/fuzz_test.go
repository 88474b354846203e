package measure

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/efi/pe"
	"github.com/rules-initramfs/rules_initramfs/internal/efi/pe/petest"
)

// A payload is untrusted: a prediction and its report end, with an error or without.
func FuzzPredict(f *testing.F) {
	f.Add(petest.Executable(x86, uki(f)...), uint8(0), "")
	f.Add(petest.Executable(x86, uki(f, petest.Section{Name: ".profile", Content: "ID=a"}, petest.Section{Name: ".dtbauto", Content: "tree"})...), uint8(1), "quiet")
	f.Add(petest.Executable(x86, petest.Section{Name: ".text", Content: "kernel"}), uint8(0), "quiet")
	f.Fuzz(func(t *testing.T, data []byte, profile uint8, options string) {
		file, err := pe.Open(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		p, err := Predict(file, Options{Profile: int(profile), LoadOptions: options, Compatible: options, Disk: bytes.NewReader(data)})
		if err != nil {
			p, err = Predict(file, Options{Profile: int(profile)})
		}
		if err != nil {
			return
		}
		report, err := NewReport(file, p, &Labels{})
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := report.Write(&b); err != nil {
			t.Fatal(err)
		}
		again, err := ReadReport(&b)
		if err != nil {
			t.Fatal(err)
		}
		if differ, err := Explain(io.Discard, [2]string{}, report, again, 3); differ || err != nil {
			t.Fatalf("what was read differs: %v", err)
		}
	})
}

func FuzzReadReport(f *testing.F) {
	for _, name := range []string{"TestReport-uki.json", "TestReport-kernel.json"} {
		data, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data), `{"version":1}`)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		before, err := ReadReport(strings.NewReader(a))
		if err != nil {
			return
		}
		after, err := ReadReport(strings.NewReader(b))
		if err != nil {
			after = &Report{}
		}
		if _, err := Explain(io.Discard, [2]string{"a", "b"}, before, after, 3); err != nil {
			t.Fatal(err)
		}
		if _, err := ComparePCRs(io.Discard, before, map[string]string{"sha256 4": "00"}); err == nil && len(before.PCRs) == 0 {
			t.Fatal("no error without PCRs")
		}
	})
}
