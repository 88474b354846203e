package codec

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
)

// rawEntries are entries of a multiple of 4 bytes that begin as an archive does,
// of text and of noise, as kinds says: one a member of 8 KiB.
func rawEntries(kinds string) [][]byte {
	r := rand.New(rand.NewPCG(3, 4))
	var all [][]byte
	for i, kind := range kinds {
		entry := make([]byte, 8192+4*r.IntN(100))
		for j := range entry {
			switch kind {
			case 'n':
				entry[j] = byte(r.Uint32())
			case 't':
				entry[j] = "abcd"[r.IntN(4)]
			}
		}
		copy(entry, fmt.Sprintf("070701%02d", i))
		all = append(all, entry)
	}
	return all
}

// readMembers reads members as a kernel does: those that are not compressed
// begin at multiples of 4, and every other one ends where its codec ends it.
func readMembers(t *testing.T, image []byte, all [][]byte) (codecs []string) {
	t.Helper()
	below := bytes.NewReader(image)
	r := bufio.NewReader(below)
	at := func() int { return len(image) - below.Len() - r.Buffered() }
	for i := range all {
		for {
			if c, err := r.ReadByte(); err != nil {
				t.Fatalf("after %d members of %d: %v", i, len(all), err)
			} else if c != 0 {
				r.UnreadByte()
				break
			}
		}
		from := at()
		var content []byte
		z, err := NewReader(r)
		switch {
		case err == ErrNotCompressed && from%4 != 0:
			t.Fatalf("member %d, which is not compressed, begins at %d", i, from)
		case err == ErrNotCompressed:
			content = make([]byte, len(all[i]))
			_, err = io.ReadFull(r, content)
			codecs = append(codecs, "")
		case err == nil:
			content, err = io.ReadAll(z)
			codecs = append(codecs, z.Codec())
		}
		if err != nil || !bytes.Equal(content, all[i]) {
			t.Fatalf("member %d at %d: %d bytes, want %d, %v", i, from, len(content), len(all[i]), err)
		}
	}
	if rest, err := io.ReadAll(r); len(rest) > 0 || err != nil {
		t.Fatalf("%d bytes are left, %v", len(rest), err)
	}
	return codecs
}

// What does not compress stays as it is, wherever it stands.
func TestRawMembers(t *testing.T) {
	for _, codec := range []string{"gzip", "zstd", "xz", "lzma", "lz4", "lzo", "bzip2"} {
		for _, kinds := range []string{"n", "nn", "tn", "nt", "tnt", "tntnntt", "ttn"} {
			t.Run(codec+" "+kinds, func(t *testing.T) {
				all := rawEntries(kinds)
				var want []byte
				for _, jobs := range []int{1, 5} {
					var out bytes.Buffer
					if err := writeMembers(t, &out, mustParse(t, codec), 8192, jobs, 3000, all); err != nil {
						t.Fatal(err)
					}
					if want == nil {
						want = out.Bytes()
					} else if !bytes.Equal(want, out.Bytes()) {
						t.Error("other bytes than with one job")
					}
				}
				if codec == "lz4" {
					checkLZ4(t, want, all, kinds)
					return
				}
				got := strings.Join(readMembers(t, want, all), ",")
				expect := strings.NewReplacer("n", ",", "t", codec+",").Replace(kinds)
				if got+"," != expect {
					t.Errorf("members %s want %s", got, expect)
				}
			})
		}
	}
}

// checkLZ4 reads members of lz4; those in a row are one frame.
func checkLZ4(t *testing.T, image []byte, all [][]byte, kinds string) {
	t.Helper()
	var joined [][]byte
	var want []string
	for i, kind := range kinds {
		switch {
		case kind == 'n':
			want = append(want, "")
			joined = append(joined, all[i])
		case i > 0 && kinds[i-1] == 't':
			joined[len(joined)-1] = append(bytes.Clone(joined[len(joined)-1]), all[i]...)
		default:
			want = append(want, "lz4")
			joined = append(joined, all[i])
		}
	}
	if got := readMembers(t, image, joined); strings.Join(got, ",") != strings.Join(want, ",") {
		t.Errorf("members %q, want %q", got, want)
	}
}

// The one member that is asked for is compressed, whatever it gains.
func TestOneMember(t *testing.T) {
	all := rawEntries("tnnt")
	for _, codec := range []string{"gzip", "zstd", "xz", "lz4"} {
		for _, entries := range [][][]byte{all, all[1:3]} {
			var out bytes.Buffer
			if err := writeMembers(t, &out, mustParse(t, codec), 0, 3, 3000, entries); err != nil {
				t.Fatal(err)
			}
			content := bytes.Join(entries, nil)
			if got := readMembers(t, out.Bytes(), [][]byte{content}); got[0] != codec {
				t.Errorf("the member is %q, want %q", got[0], codec)
			}
			var direct bytes.Buffer
			z, err := mustParse(t, codec).NewWriter(&direct)
			if err != nil {
				t.Fatal(err)
			}
			z.Write(content)
			z.Close()
			if !bytes.Equal(direct.Bytes(), out.Bytes()) {
				t.Errorf("%s: other bytes than without a MemberWriter", codec)
			}
		}
	}
}

// Whether a member is stored as it is depends on what compressing gains, up to
// the size that is kept.
func TestRawThreshold(t *testing.T) {
	for _, test := range []struct {
		noise, zeros int
		raw          bool
	}{
		{64_000, 0, true},
		{64_000, 900, true},
		{64_000, 4000, false},
		{0, 64_000, false},
		{heldSize - 4, 0, true},
		{heldSize + 4, 0, false}, // streams: not to be known
	} {
		entry := make([]byte, test.noise+test.zeros)
		r := rand.NewChaCha8([32]byte{1})
		r.Read(entry[:test.noise])
		copy(entry, "070701")
		var out bytes.Buffer
		if err := writeMembers(t, &out, mustParse(t, "gzip:1"), 8192, 2, 1<<20, [][]byte{entry}); err != nil {
			t.Fatal(err)
		}
		if got := readMembers(t, out.Bytes(), [][]byte{entry})[0] == ""; got != test.raw {
			t.Errorf("%d bytes of noise and %d of zeros: stored as they are: %t", test.noise, test.zeros, got)
		}
	}
}
