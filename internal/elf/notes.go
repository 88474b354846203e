package elf

import (
	"bytes"
	"encoding/json"
)

// Note says that a program or shared object loads another one while it runs, by dlopen(3): an ELF
// note of the "ELF dlopen metadata" specification
// (https://uapi-group.org/specifications/specs/elf_dlopen_metadata/).
type Note struct {
	// Sonames are the names of the shared object. It loads the first one that it finds.
	Sonames []string `json:"soname"`
	// Feature is what it loads it for, as a word, and Description as a sentence; each may be empty.
	Feature     string `json:"feature"`
	Description string `json:"description"`
	// Priority says how much it matters.
	Priority Priority `json:"priority"`
}

// Priority is how much a shared object matters that is loaded while a program runs.
type Priority string

const (
	// Required: the program does not work without it.
	Required Priority = "required"
	// Recommended: an important feature needs it. This is the default of the specification.
	Recommended Priority = "recommended"
	// Suggested: a feature of less importance needs it.
	Suggested Priority = "suggested"
)

// Rank returns 1 for Required, 2 for Recommended and for what no priority is, 3 for Suggested.
func (p Priority) Rank() int {
	switch p {
	case Required:
		return 1
	case Suggested:
		return 3
	}
	return 2
}

// Limits of one file.
const (
	maxNoteBytes = 1 << 20 // bytes of all notes, of any kind
	maxNotes     = 1024    // notes that are kept, and names in each
)

// The owner and the type of the notes.
const (
	noteOwner = "FDO\x00"
	noteType  = 0x407c0c0a
)

// readNotes reads the notes of dlopen. A note that is not as the specification has it is ignored:
// no loader reads it.
func (f *elfFile) readNotes(o *Object, ranges []fileRange) error {
	total := uint64(0)
	for _, s := range ranges {
		if s.size > maxNoteBytes-total {
			return formatError("its notes have more than %d bytes", maxNoteBytes)
		}
		total += s.size
		b, err := f.read(s.offset, s.size, "its notes")
		if err != nil {
			return err
		}
		for len(b) >= 12 {
			nameSize, size, kind := uint64(f.order.Uint32(b)), uint64(f.order.Uint32(b[4:])), f.order.Uint32(b[8:])
			b = b[12:]
			name, rest, ok := cutPadded(b, nameSize)
			if !ok {
				break
			}
			text, rest, ok := cutPadded(rest, size)
			if !ok {
				break
			}
			b = rest
			if string(name) == noteOwner && kind == noteType {
				o.addNotes(text)
			}
		}
	}
	return nil
}

// cutPadded cuts size bytes off, and the padding to the next multiple of 4 bytes.
func cutPadded(b []byte, size uint64) (cut, rest []byte, ok bool) {
	if size > uint64(len(b)) {
		return nil, nil, false
	}
	return b[:size], b[min(uint64(len(b)), (size+3)&^3):], true
}

// addNotes adds what the text of a note says: a list of objects, as JSON.
func (o *Object) addNotes(text []byte) {
	var notes []Note
	if json.Unmarshal(bytes.TrimRight(text, "\x00"), &notes) != nil {
		return
	}
	for _, note := range notes {
		if len(note.Sonames) == 0 || len(note.Sonames) > maxNotes || len(o.Notes) == maxNotes {
			continue
		}
		if note.Priority == "" {
			note.Priority = Recommended
		}
		o.Notes = append(o.Notes, note)
	}
}
