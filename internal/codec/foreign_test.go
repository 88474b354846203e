package codec_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/codec"
)

// What other programs write is told from what a kernel takes and from a list.
func TestForeign(t *testing.T) {
	at := func(offset int, text string) []byte {
		return append(make([]byte, offset), text+"\x00\x00"...)
	}
	kernel := slices.Concat([]byte("MZ"), at(0x200, "HdrS"))
	for name, test := range map[string]struct {
		input []byte
		known bool
	}{
		"uImage":          {binary.BigEndian.AppendUint32(nil, 0x27051956), true},
		"FIT":             {binary.BigEndian.AppendUint32(nil, 0xd00dfeed), true},
		"old cpio":        {binary.LittleEndian.AppendUint16(nil, 0o70707), true},
		"old cpio, big":   {binary.BigEndian.AppendUint16(nil, 0o70707), true},
		"tar":             {at(257, "ustar\x00"), true},
		"GNU tar":         {at(257, "ustar  "), true},
		"deb":             {[]byte("!<arch>\ndebian-binary   "), true},
		"rpm":             {binary.BigEndian.AppendUint32(nil, 0xedabeedb), true},
		"zip":             {[]byte("PK\x03\x04"), true},
		"lz4 frame":       {binary.LittleEndian.AppendUint32(nil, 0x184d2204), true},
		"skippable frame": {binary.LittleEndian.AppendUint32(nil, 0x184d2a5e), true},
		"ELF":             {[]byte("\x7fELF\x02"), true},
		"bzImage":         {kernel, true},
		"EFI":             {[]byte("MZ\x90\x00"), true},
		"squashfs":        {binary.LittleEndian.AppendUint32(nil, 0x73717368), true},
		"ext4":            {at(1080, "\x53\xef"), true},
		"newc":            {[]byte("0707010000"), false},
		"list":            {[]byte("file /init init 0755 0 0\n"), false},
		"short":           {[]byte("M"), false},
		"nothing":         {nil, false},
	} {
		if got := codec.Foreign(test.input); (got != "") != test.known {
			t.Errorf("%s: %q, known must be %t", name, got, test.known)
		}
	}
	if !bytes.Contains([]byte(codec.Foreign(kernel)), []byte("bzImage")) {
		t.Errorf("a kernel with an EFI stub is %q", codec.Foreign(kernel))
	}
	// Nothing that a kernel takes is foreign.
	for _, name := range codecs() {
		packed := compressed(t, name, samples()["text"], writeAtOnce)
		if got := codec.Foreign(packed); got != "" {
			t.Errorf("%s is %q", name, got)
		}
	}
}
