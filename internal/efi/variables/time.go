package variables

import (
	"encoding/binary"
	"time"
)

// Time is a time as variables have it: EFI_TIME (UEFI specification, section 8.3). Zero means that a variable has no time.
type Time [16]byte

// NewTime returns a time, to the second.
func NewTime(t time.Time) (e Time) {
	t = t.UTC()
	binary.LittleEndian.PutUint16(e[:], uint16(t.Year()))
	e[2], e[3], e[4], e[5], e[6] = byte(t.Month()), byte(t.Day()), byte(t.Hour()), byte(t.Minute()), byte(t.Second())
	return e
}

// String returns the time in the form of RFC 3339, or "" for none.
func (e Time) String() string {
	if e == (Time{}) {
		return ""
	}
	year := binary.LittleEndian.Uint16(e[:])
	t := time.Date(int(year), time.Month(e[2]), int(e[3]), int(e[4]), int(e[5]), int(e[6]), 0, time.UTC)
	return t.Format(time.RFC3339)
}
