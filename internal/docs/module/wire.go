package module

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The wire types of Protocol Buffers (https://protobuf.dev/programming-guides/encoding).
const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
	wireFixed32 = 5
)

var errShort = errors.New("the message ends inside of a field")

// message is a decoded message, by field number.
type message struct {
	// numbers has the last value of a field that is a number, a bool or an enum.
	numbers map[uint64]uint64
	// bytes has the values of a field that is a string or a message, in their order.
	bytes map[uint64][][]byte
}

func decode(data []byte) (message, error) {
	m := message{numbers: map[uint64]uint64{}, bytes: map[uint64][][]byte{}}
	for len(data) > 0 {
		tag, n := binary.Uvarint(data)
		if n <= 0 {
			return m, errShort
		}
		data = data[n:]
		size := 0
		switch field, wire := tag>>3, tag&7; wire {
		case wireVarint:
			value, n := binary.Uvarint(data)
			if n <= 0 {
				return m, errShort
			}
			m.numbers[field] = value
			size = n
		case wireBytes:
			length, n := binary.Uvarint(data)
			if n <= 0 || length > uint64(len(data)-n) {
				return m, errShort
			}
			size = n + int(length)
			m.bytes[field] = append(m.bytes[field], data[n:size])
		case wireFixed32:
			size = 4
		case wireFixed64:
			size = 8
		default:
			return m, fmt.Errorf("field %d has wire type %d, which there is not", field, wire)
		}
		if size > len(data) {
			return m, errShort
		}
		data = data[size:]
	}
	return m, nil
}

// text is the last value of a string field, or "".
func (m message) text(field uint64) string {
	values := m.bytes[field]
	if len(values) == 0 {
		return ""
	}
	return string(values[len(values)-1])
}

// each decodes the messages of a field, one after the other.
func (m message) each(field uint64, f func(message) error) error {
	for _, data := range m.bytes[field] {
		inner, err := decode(data)
		if err != nil {
			return err
		}
		if err := f(inner); err != nil {
			return err
		}
	}
	return nil
}
