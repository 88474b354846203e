package module

import "google.golang.org/protobuf/encoding/protowire"

// message is a decoded message, by field number.
type message struct {
	// numbers has the last value of each field that is a number, a bool or an enum.
	numbers map[protowire.Number]uint64
	// bytes has the values of each field that is a string or a message, in order.
	bytes map[protowire.Number][][]byte
}

func decode(data []byte) (message, error) {
	m := message{numbers: map[protowire.Number]uint64{}, bytes: map[protowire.Number][][]byte{}}
	for len(data) > 0 {
		number, wire, n := protowire.ConsumeTag(data)
		if n < 0 {
			return m, protowire.ParseError(n)
		}
		data = data[n:]
		switch wire {
		case protowire.VarintType:
			m.numbers[number], n = protowire.ConsumeVarint(data)
		case protowire.BytesType:
			var value []byte
			value, n = protowire.ConsumeBytes(data)
			m.bytes[number] = append(m.bytes[number], value)
		default:
			n = protowire.ConsumeFieldValue(number, wire, data)
		}
		if n < 0 {
			return m, protowire.ParseError(n)
		}
		data = data[n:]
	}
	return m, nil
}

// text returns the last value of a string field, or "".
func (m message) text(field protowire.Number) string {
	values := m.bytes[field]
	if len(values) == 0 {
		return ""
	}
	return string(values[len(values)-1])
}

// each decodes the messages of a field, in order, and calls f for each.
func (m message) each(field protowire.Number, f func(message) error) error {
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
