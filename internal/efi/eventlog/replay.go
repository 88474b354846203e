package eventlog

import (
	"bytes"
	"crypto"
)

// startupLocality begins the data of an event that says from which locality the TPM was started,
// which is in the first value of PCR 0 (chapter 10.4.5.3 of the specification).
const startupLocality = "StartupLocality\x00"

// Replay returns what the PCRs hold after the events of the log, in the bank with the algorithm. It
// returns nil for a PCR that no event extends, and for all if the log has no digests of this hash.
// hash is the algorithm's.
//
// Firmware may log the last events twice, as it keeps those after the log was first read in a
// second place, and Linux joins the two. Replay takes them as they are.
func (l *Log) Replay(id uint16, hash crypto.Hash) [PCRs][]byte {
	var values [PCRs][]byte
	digests := l.Digests(id)
	if digests == nil {
		return values
	}
	for i, e := range l.Events {
		if e.Type == NoAction {
			if locality, ok := bytes.CutPrefix(e.Data, []byte(startupLocality)); ok && e.PCR == 0 && len(locality) == 1 && values[0] == nil {
				values[0] = make([]byte, hash.Size())
				values[0][hash.Size()-1] = locality[0]
			}
			continue
		}
		values[e.PCR] = Extend(hash, values[e.PCR], digests[i])
	}
	return values
}

// Extend returns the value of a PCR after it was extended with a digest. A value of nil is that of
// PCR 0 to 15 after a reset: zeros.
func Extend(hash crypto.Hash, value, digest []byte) []byte {
	h := hash.New()
	if value == nil {
		value = make([]byte, hash.Size())
	}
	h.Write(value)
	h.Write(digest)
	return h.Sum(nil)
}
