package eventlog

import (
	"bytes"
	"crypto"
	_ "crypto/sha1"
	_ "crypto/sha256"
	_ "crypto/sha512"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/golden"
)

func read(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func parse(t testing.TB, name string) *Log {
	t.Helper()
	log, err := Parse(read(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return log
}

// text returns a log for people.
func text(log *Log) string {
	var b strings.Builder
	for i, e := range log.Events {
		fmt.Fprintf(&b, "%2d PCR %2d %s %d bytes %x\n", i+1, e.PCR, e.Type, len(e.Data), log.Digests(0x000b)[i])
	}
	return b.String()
}

func TestParse(t *testing.T) {
	for _, name := range []string{"ovmf", "aavmf"} {
		golden.Text(t, "TestParse-"+name+".txt", text(parse(t, name+".log")))
	}
}

// The PCRs that a guest read are those of the log that it read.
func TestReplay(t *testing.T) {
	banks := map[string]struct {
		id   uint16
		hash crypto.Hash
	}{"sha1": {0x0004, crypto.SHA1}, "sha256": {0x000b, crypto.SHA256}, "sha384": {0x000c, crypto.SHA384}, "sha512": {0x000d, crypto.SHA512}}
	for _, name := range []string{"ovmf", "aavmf"} {
		log := parse(t, name+".log")
		compared := 0
		for line := range strings.Lines(string(read(t, name+".pcrs"))) {
			var bank, want string
			var pcr int
			if _, err := fmt.Sscan(line, &bank, &pcr, &want); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			got := log.Replay(banks[bank].id, banks[bank].hash)[pcr]
			if pcr == 10 {
				continue // of Linux's IMA, which has a log of its own
			}
			if got == nil {
				got = make([]byte, banks[bank].hash.Size())
			}
			if fmt.Sprintf("%x", got) != want {
				t.Errorf("%s: PCR %d of %s: %x, want %s", name, pcr, bank, got, want)
			}
			compared++
		}
		if compared != 4*15 {
			t.Errorf("%s: compared %d PCRs", name, compared)
		}
	}
}

// tpm2_eventlog reads the same events.
func TestTool(t *testing.T) {
	tool, err := exec.LookPath("tpm2_eventlog")
	if err != nil {
		t.Skip("needs tpm2_eventlog: apt-get install tpm2-tools")
	}
	for _, name := range []string{"ovmf.log", "aavmf.log"} {
		output, err := exec.Command(tool, "testdata/"+name).Output()
		if err != nil {
			t.Fatal(err)
		}
		_, output, _ = bytes.Cut(output, []byte("EventNum: 1\n"))
		var want strings.Builder
		for i, event := range strings.Split(string(output), "- EventNum:") {
			var pcr, size int
			var eventType, digest string
			lines := strings.Split(event, "\n")
			for n, line := range lines {
				key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
				switch {
				case key == "PCRIndex":
					fmt.Sscan(value, &pcr)
				case key == "EventType":
					eventType = value
				case key == "EventSize" && size == 0:
					fmt.Sscan(value, &size)
				case key == "- AlgorithmId" && value == "sha256":
					_, digest, _ = strings.Cut(lines[n+1], ": ")
				}
			}
			fmt.Fprintf(&want, "%2d PCR %2d %s %d bytes %s\n", i+1, pcr, eventType, size, strings.Trim(digest, `"`))
		}
		if got := text(parse(t, name)); got != want.String() {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, want.String())
		}
	}
}

// header returns the first event of a log with a number of algorithms, and those.
func header(n uint32, algorithms ...uint16) []byte {
	event := append([]byte("Spec ID Event03\x00"), 0, 0, 0, 0, 0, 2, 0, 2)
	event = binary.LittleEndian.AppendUint32(event, n)
	for _, a := range algorithms {
		event = binary.LittleEndian.AppendUint16(event, a)
	}
	b := binary.LittleEndian.AppendUint32(make([]byte, 4), uint32(NoAction))
	b = append(b, make([]byte, 20)...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(event)))
	return append(b, event...)
}

func event(pcr, digests uint32, algorithm uint16) []byte {
	b := binary.LittleEndian.AppendUint32(nil, pcr)
	b = binary.LittleEndian.AppendUint32(b, uint32(Separator))
	b = binary.LittleEndian.AppendUint32(b, digests)
	b = binary.LittleEndian.AppendUint16(b, algorithm)
	b = append(b, bytes.Repeat([]byte{0xda}, 32)...)
	return append(b, 4, 0, 0, 0, 0, 0, 0, 0)
}

func TestParseErrors(t *testing.T) {
	good := header(1, 0x000b, 32)
	messages := map[string]string{}
	for name, data := range map[string][]byte{
		"empty":             nil,
		"text":              []byte("this is a text, and no log of measurements at all: none of its numbers is right"),
		"no signature":      bytes.ReplaceAll(good, []byte("Spec"), []byte("spec")),
		"no hashes":         header(0),
		"too many hashes":   header(1 << 30),
		"cut hashes":        header(2, 0x000b, 32),
		"size of a hash":    header(1, 0x000b, 20),
		"size of any hash":  header(1, 0x7777, 65),
		"same hash twice":   header(2, 0x000b, 32, 0x000b, 32),
		"PCR 24":            append(header(1, 0x000b, 32), event(24, 1, 0x000b)...),
		"number of digests": append(header(1, 0x000b, 32), event(4, 2, 0x000b)...),
		"unknown hash":      append(header(1, 0x000b, 32), event(4, 1, 0x000c)...),
		"cut":               append(header(1, 0x000b, 32), event(4, 1, 0x000b)[:40]...),
		"too large":         make([]byte, maxSize+1),
	} {
		_, err := Parse(data)
		if !errors.Is(err, ErrLog) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		messages[name] = err.Error()
	}
	golden.Messages(t, "TestParseErrors.txt", messages)
	if log, err := Parse(append(append(good, event(4, 1, 0x000b)...), make([]byte, 100)...)); err != nil || len(log.Events) != 1 {
		t.Errorf("NULs after the last event: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(read(f, "ovmf.log"))
	f.Add(read(f, "aavmf.log"))
	f.Add(append(header(1, 0x000b, 32), event(4, 1, 0x000b)...))
	f.Fuzz(func(t *testing.T, data []byte) {
		log, err := Parse(data)
		if err != nil {
			return
		}
		for _, e := range log.Events {
			if e.PCR < 0 || e.PCR >= PCRs || len(e.Digests) != len(log.Algorithms) {
				t.Fatalf("%+v", e)
			}
		}
		log.Replay(0x000b, crypto.SHA256)
	})
}
