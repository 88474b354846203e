package measure

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/efi/eventlog"
)

// maxPCRFile is how many bytes of what a guest has printed are read, and maxPCRLine of a line.
const (
	maxPCRFile = 64 << 20
	maxPCRLine = 1 << 20
)

// ReadPCRs reads PCRs that a machine had: lines of a bank, a number and the value in hexadecimal, such
// as "sha256 11 27b4...", or "pcr 11: 27b4..." as guest_init prints the bank sha256. Lines whose first word
// is not a bank are ignored, so that this may be in the middle of other output.
func ReadPCRs(r io.Reader) (map[string]string, error) {
	values := map[string]string{}
	lines := bufio.NewScanner(io.LimitReader(r, maxPCRFile))
	lines.Buffer(nil, maxPCRLine)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) != 3 {
			continue
		}
		if number, ok := strings.CutSuffix(words[1], ":"); ok && words[0] == "pcr" {
			words[0], words[1] = "sha256", number
		}
		bank, err := ParseBank(words[0])
		if err != nil {
			continue
		}
		pcr, err := strconv.ParseUint(words[1], 10, 8)
		value, hexErr := hex.DecodeString(words[2])
		if err != nil || hexErr != nil || pcr >= eventlog.PCRs || len(value) != bank.Hash.Size() {
			return nil, fmt.Errorf("%q is not the value of a PCR: want a line such as: sha256 11 %s", lines.Text(), strings.Repeat("0", 64))
		}
		values[pcrKey(bank.Name, strconv.FormatUint(pcr, 10))] = hex.EncodeToString(value)
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(values) == 0 {
		return nil, errors.New("it has no PCRs: want a line such as: sha256 11 " + strings.Repeat("0", 64))
	}
	return values, nil
}

func pcrKey(bank, pcr string) string { return bank + " " + pcr }

// ComparePCRs writes which PCRs of a report a machine does not have, and reports whether there are
// any. It is an error if the machine has none of them.
func ComparePCRs(w io.Writer, r *Report, machine map[string]string) (differ bool, err error) {
	compared := 0
	for _, bank := range r.PCRs {
		for _, pcr := range bank.value {
			got, ok := machine[pcrKey(bank.key, pcr.key)]
			if !ok {
				continue
			}
			compared++
			if got != pcr.value {
				differ = true
				fmt.Fprintf(w, "PCR %s of the machine is not the predicted one (%s)\n  predicted %s\n  machine   %s\n", pcr.key, bank.key, pcr.value, got)
			}
		}
	}
	if compared == 0 {
		return false, errors.New("the machine's PCRs have none that are predicted")
	}
	if differ {
		err = writeConditions(w, r)
	}
	return differ, err
}

func writeConditions(w io.Writer, r *Report) (err error) {
	if len(r.Conditions) > 0 {
		fmt.Fprintln(w, "the prediction holds if:")
	}
	for _, condition := range r.Conditions {
		_, err = fmt.Fprintln(w, "  "+condition)
	}
	return err
}

// CompareLog writes where the event log of a machine is not as predicted, and reports whether there is
// such a place. It is an error if the log has none of the report's banks.
func CompareLog(w io.Writer, r *Report, log *eventlog.Log) (differ bool, err error) {
	compared := false
	for _, name := range r.Banks() {
		bank, err := ParseBank(name)
		if err != nil {
			return false, err
		}
		digests := log.Digests(bank.ID)
		if digests == nil {
			continue
		}
		compared = true
		for _, pcr := range r.PCRs.get(name) {
			if compareEvents(w, r, log, digests, pcr.key, name) {
				differ = true
			}
		}
	}
	if !compared {
		return false, errors.New("the event log has no bank that is predicted")
	}
	if differ {
		err = writeConditions(w, r)
	}
	return differ, err
}

// compareEvents writes the first event of a PCR that differs.
func compareEvents(w io.Writer, r *Report, log *eventlog.Log, digests [][]byte, pcr, bank string) bool {
	var found []int
	for i, e := range log.Events {
		if itoa(e.PCR) == pcr && e.Type != eventlog.NoAction {
			found = append(found, i)
		}
	}
	n := 0
	for _, want := range r.Events {
		if itoa(want.PCR) != pcr {
			continue
		}
		predicted := want.Digests.get(bank)
		if n == len(found) {
			fmt.Fprintf(w, "PCR %s: the log ends before: %s (%s)\n  predicted %s %s\n", pcr, want.Description, bank, predicted, want.Type)
			return true
		}
		e := log.Events[found[n]]
		if got := hex.EncodeToString(digests[found[n]]); got != predicted {
			fmt.Fprintf(w, "PCR %s: event %d differs: %s (%s)\n  predicted %s %s\n  machine   %s %s\n", pcr, n+1, want.Description, bank, predicted, want.Type, got, e.Type)
			return true
		}
		n++
	}
	if n < len(found) {
		e := log.Events[found[n]]
		fmt.Fprintf(w, "PCR %s: the log has %d more (%s)\n  machine   %x %s\n", pcr, len(found)-n, bank, digests[found[n]], e.Type)
		return true
	}
	return false
}
