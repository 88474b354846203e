package measure

import (
	"encoding/binary"
	"io"
	"strconv"
	"unicode/utf16"

	"github.com/rules-initramfs/rules_initramfs/internal/efi/eventlog"
)

// PCRs, and what extends them (the UAPI group's "Linux TPM PCR Registry").
const (
	pcrBoot      = 4  // firmware: boot loaders, which the payload is for it
	pcrDisk      = 5  // firmware: the partition table
	pcrInitrd    = 9  // the kernel's EFI stub: its command line and initrd
	pcrImage     = 11 // systemd-stub: the sections of the image; systemd: phases of the boot
	pcrConfig    = 12 // systemd-stub: what comes from outside of the image
	pcrExtension = 13 // systemd-stub: system extensions
)

// Event is a measurement that is predicted: what a PCR is extended with.
type Event struct {
	PCR  int
	Type eventlog.Type
	// Description says what is measured. From is where it is from: a section, an option, or the
	// firmware.
	Description, From string
	// Size is how many bytes are hashed.
	Size int64
	// Digests has one for each bank.
	Digests [][]byte
}

// recorder makes events.
type recorder struct {
	banks  []Bank
	events []Event
}

func (r *recorder) add(e Event, data []byte) {
	e.Size, e.Digests = int64(len(data)), digestsOf(r.banks, data)
	r.events = append(r.events, e)
}

// copy is add for data that may be large.
func (r *recorder) copy(e Event, data io.Reader) error {
	d := newDigester(r.banks)
	size, err := io.Copy(d, data)
	if err != nil {
		return err
	}
	e.Size, e.Digests = size, d.digests()
	r.events = append(r.events, e)
	return nil
}

// values returns what a PCR holds after the events, in each bank.
func (r *recorder) values(pcr int) [][]byte {
	values := make([][]byte, len(r.banks))
	for i, bank := range r.banks {
		values[i] = make([]byte, bank.Hash.Size())
		for _, e := range r.events {
			if e.PCR == pcr {
				values[i] = eventlog.Extend(bank.Hash, values[i], e.Digests[i])
			}
		}
	}
	return values
}

// utf16Bytes returns a text as UEFI has it, with a NUL at the end.
func utf16Bytes(text string) []byte {
	var b []byte
	for _, unit := range utf16.Encode([]rune(text + "\x00")) {
		b = binary.LittleEndian.AppendUint16(b, unit)
	}
	return b
}

// itoa is for maps whose keys are PCRs.
func itoa(pcr int) string { return strconv.Itoa(pcr) }
