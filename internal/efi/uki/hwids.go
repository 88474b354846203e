package uki

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// .hwids is a table of devices, which are hardware IDs with names, and texts after it. Device of
// systemd's src/boot/chid.h is its format.
const (
	deviceSize = 4 + 16 + 4 + 4
	// maxHWIDs is how large a description of a machine is at most, in bytes.
	maxHWIDs = 1 << 20
)

// deviceTypes are the types of devices, and which field has what a device is matched to.
var deviceTypes = map[string]struct {
	number uint32
	field  string
}{
	"devicetree": {1, "compatible"},
	"uefi-fw":    {2, "fwid"},
}

// device is a machine, which has one or more hardware IDs.
type device struct {
	kind  uint32
	name  string
	match string // what is compatible with it
}

// addHWIDs adds the descriptions of machines.
func (b *builder) addHWIDs(names []string) error {
	if len(names) == 0 {
		return nil
	}
	var devices []device
	ids := map[device]map[[16]byte]bool{}
	for _, name := range names {
		content, err := b.open(name)
		if err != nil {
			return err
		}
		data, err := content.first(maxHWIDs)
		if err != nil {
			return err
		}
		d, own, err := parseHWIDs(data)
		if err != nil {
			return fmt.Errorf("%s: not the description of a machine by its hardware IDs: %w", name, err)
		}
		if ids[d] == nil {
			devices = append(devices, d)
			ids[d] = map[[16]byte]bool{}
		}
		for _, id := range own {
			ids[d][id] = true
		}
	}
	return b.addText(".hwids", string(marshalHWIDs(devices, ids)))
}

func parseHWIDs(data []byte) (device, [][16]byte, error) {
	var fields struct {
		Type, Name, Compatible, FWID string
		HWIDs                        []string
	}
	if err := json.Unmarshal(data, &fields); err != nil {
		return device{}, nil, err
	}
	kind, known := deviceTypes[fields.Type]
	matches := map[string]string{"compatible": fields.Compatible, "fwid": fields.FWID}
	match := matches[kind.field]
	delete(matches, kind.field)
	var other string
	for _, value := range matches {
		other += value
	}
	switch {
	case !known:
		return device{}, nil, fmt.Errorf("unknown type %q: want %s", fields.Type, strings.Join(slices.Sorted(maps.Keys(deviceTypes)), " or "))
	case fields.Name == "" || match == "" || len(fields.HWIDs) == 0:
		return device{}, nil, fmt.Errorf("it needs type, name, %s and hwids", kind.field)
	case other != "":
		return device{}, nil, fmt.Errorf("with type %s, it has %s alone", fields.Type, kind.field)
	case strings.Contains(fields.Name+match, "\x00"):
		return device{}, nil, errors.New("a NUL is in a text")
	}
	var ids [][16]byte
	for _, text := range fields.HWIDs {
		id, err := hex.DecodeString(strings.ReplaceAll(strings.Trim(text, "{}"), "-", ""))
		if err != nil || len(id) != 16 {
			return device{}, nil, fmt.Errorf("%q is not a hardware ID: want a UUID", text)
		}
		ids = append(ids, [16]byte(id))
	}
	return device{kind.number, fields.Name, match}, ids, nil
}

// marshalHWIDs returns the table.
func marshalHWIDs(devices []device, ids map[device]map[[16]byte]bool) []byte {
	texts := map[string]uint32{}
	count := 1 // the last device is zeros
	for _, d := range devices {
		texts[d.name], texts[d.match] = 0, 0
		count += len(ids[d])
	}
	var text []byte
	for _, t := range slices.Sorted(maps.Keys(texts)) {
		texts[t] = uint32(count*deviceSize + len(text))
		text = append(append(text, t...), 0)
	}
	var table []byte
	little := binary.LittleEndian
	for _, d := range devices {
		for _, id := range slices.SortedFunc(maps.Keys(ids[d]), func(a, b [16]byte) int { return bytes.Compare(a[:], b[:]) }) {
			table = little.AppendUint32(table, deviceSize|d.kind<<28)
			// The first three fields of a UUID are little-endian here.
			slices.Reverse(id[0:4])
			slices.Reverse(id[4:6])
			slices.Reverse(id[6:8])
			table = append(table, id[:]...)
			table = little.AppendUint32(table, texts[d.name])
			table = little.AppendUint32(table, texts[d.match])
		}
	}
	return append(append(table, make([]byte, deviceSize)...), text...)
}
