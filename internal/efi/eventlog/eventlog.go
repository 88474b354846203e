// Package eventlog reads what firmware logs of its measurements: one event for each extension of a
// platform configuration register (PCR) of the TPM.
//
// The format is TCG_PCR_EVENT2 of the TCG's "PC Client Platform Firmware Profile Specification",
// chapter 10. Linux has the log in /sys/kernel/security/tpm0/binary_bios_measurements.
package eventlog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
)

// ErrLog is the error for what is not an event log, or is damaged.
var ErrLog = errors.New("not an event log of a TPM 2.0")

// Limits. Logs of real machines have some hundred events and less than 128 KiB.
const (
	maxSize   = 16 << 20
	maxEvents = 1 << 16
	maxBanks  = 16 // HASH_COUNT of the specification is smaller
)

// PCRs is how many registers a TPM has.
const PCRs = 24

// Algorithm is a hash that a TPM has a bank of PCRs for.
type Algorithm struct {
	ID   uint16 // TPM2_ALG_*
	Size int    // the size of a digest in bytes
}

// Event is an event of a log.
type Event struct {
	PCR  int
	Type Type
	// Digests has what the PCRs were extended with: a digest for each algorithm of the log, in
	// the order of the log's.
	Digests [][]byte
	// Data is what the log has about the event. What it means depends on the type.
	Data []byte
}

// Log is an event log.
type Log struct {
	Algorithms []Algorithm
	// Events are in order, without the first one, which is a header.
	Events []Event
}

// reader reads numbers and bytes, and keeps the first error.
type reader struct {
	data []byte
	at   int
	err  error
}

func (r *reader) next(n uint64) []byte {
	if r.err == nil && n > uint64(len(r.data)-r.at) {
		r.err = fmt.Errorf("%w: it ends within the event at byte %d", ErrLog, r.at)
	}
	if r.err != nil {
		return nil
	}
	r.at += int(n)
	return r.data[r.at-int(n) : r.at : r.at]
}

func (r *reader) uint32() uint32 {
	if b := r.next(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *reader) uint16() uint16 {
	if b := r.next(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

// Read reads a log.
func Read(r io.Reader) (*Log, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxSize+1))
	if err != nil {
		return nil, err
	}
	return Parse(data)
}

// Parse reads a log. The events have parts of data. NULs may follow the last event, as they do in
// the memory that firmware has for the log.
func Parse(data []byte) (*Log, error) {
	if len(data) > maxSize {
		return nil, fmt.Errorf("%w: it has more than %d MiB", ErrLog, maxSize>>20)
	}
	r := &reader{data: data}
	log, err := readHeader(r)
	if err != nil {
		return nil, err
	}
	for r.at < len(data) && !isZero(data[r.at:]) {
		event, err := log.readEvent(r)
		if err != nil {
			return nil, err
		}
		if len(log.Events) == maxEvents {
			return nil, fmt.Errorf("%w: it has more than %d events", ErrLog, maxEvents)
		}
		log.Events = append(log.Events, event)
	}
	return log, nil
}

func isZero(b []byte) bool { return len(bytes.TrimLeft(b, "\x00")) == 0 }

// readHeader reads the first event, which has the form of TPM 1.2 and says what the others are like.
func readHeader(r *reader) (*Log, error) {
	pcr, eventType := r.uint32(), r.uint32()
	r.next(20) // a digest of SHA-1
	header := &reader{data: r.next(uint64(r.uint32()))}
	if r.err != nil || pcr != 0 || eventType != uint32(NoAction) {
		return nil, ErrLog
	}
	// TCG_EfiSpecIDEvent
	signature := header.next(16)
	if !bytes.Equal(signature, []byte("Spec ID Event03\x00")) {
		return nil, fmt.Errorf("%w: it has no Spec ID Event03", ErrLog)
	}
	header.next(4 + 4) // the platform, the version of the specification, the size of numbers
	n := header.uint32()
	if header.err == nil && (n == 0 || n > maxBanks) {
		return nil, fmt.Errorf("%w: it has %d hashes", ErrLog, n)
	}
	log := &Log{}
	for range n {
		a := Algorithm{ID: header.uint16(), Size: int(header.uint16())}
		if header.err != nil {
			break
		}
		if known, ok := sizes[a.ID]; a.Size == 0 || a.Size > 64 || ok && known != a.Size || log.index(a.ID) >= 0 {
			return nil, fmt.Errorf("%w: its hash %#x has digests of %d bytes", ErrLog, a.ID, a.Size)
		}
		log.Algorithms = append(log.Algorithms, a)
	}
	if header.err != nil {
		return nil, header.err
	}
	return log, nil
}

// sizes are those of the digests of hashes (TPM2_ALG_SHA1 and the others).
var sizes = map[uint16]int{0x0004: 20, 0x000b: 32, 0x000c: 48, 0x000d: 64}

func (l *Log) index(id uint16) int {
	return slices.IndexFunc(l.Algorithms, func(a Algorithm) bool { return a.ID == id })
}

func (l *Log) readEvent(r *reader) (Event, error) {
	at := r.at
	e := Event{PCR: int(int32(r.uint32())), Type: Type(r.uint32()), Digests: make([][]byte, len(l.Algorithms))}
	n := r.uint32()
	if r.err == nil && (n != uint32(len(l.Algorithms)) || e.PCR < 0 || e.PCR >= PCRs) {
		return e, fmt.Errorf("%w: the event at byte %d is of PCR %d and has %d digests: want PCR 0 to %d and %d digests",
			ErrLog, at, e.PCR, n, PCRs-1, len(l.Algorithms))
	}
	for range n {
		id := r.uint16()
		i := l.index(id)
		if r.err == nil && (i < 0 || e.Digests[i] != nil) {
			return e, fmt.Errorf("%w: the event at byte %d has a digest of the hash %#x", ErrLog, at, id)
		}
		if r.err != nil {
			return e, r.err
		}
		e.Digests[i] = r.next(uint64(l.Algorithms[i].Size))
	}
	e.Data = r.next(uint64(r.uint32()))
	return e, r.err
}

// Digests returns the digests of a hash, one for each event, or nil if the log has none of this hash.
func (l *Log) Digests(id uint16) [][]byte {
	i := l.index(id)
	if i < 0 {
		return nil
	}
	digests := make([][]byte, len(l.Events))
	for n, e := range l.Events {
		digests[n] = e.Digests[i]
	}
	return digests
}
