package main

import (
	"testing"
	"time"

	"github.com/rules-initramfs/rules_initramfs/internal/golden"
)

func TestParseDate(t *testing.T) {
	const at = 1700000000 // 2023-11-14 22:13:20 UTC, a Tuesday
	tests := []struct {
		text string
		want int64
	}{
		{"@1700000000", at},
		{"@-1", -1},
		{"2023-11-14T22:13:20Z", at},
		{"2023-11-14T23:13:20.75+01:00", at},
		{"2023-11-14 22:13:20 UTC", at},
		{" Tue,  14 Nov 2023 22:13:20 +0000 ", at},
		{"Tue Nov 14 22:13:20 UTC 2023", at},
		{"Tue Nov 14 22:13:20 GMT 2023", at},
		{"Tue Nov 14 17:13:20 2023 -0500", at},
		{"Tue Nov 14 10:13:20 PM UTC 2023", at},
		{"Thu Jan  1 00:00:00 UTC 1970", 0},
	}
	for _, test := range tests {
		if got, err := parseDate(test.text); err != nil || got.Unix() != test.want {
			t.Errorf("parseDate(%q) = %v, %v, want %d seconds", test.text, got, err, test.want)
		}
	}
}

// A date without a zone is local time, and the names of the local zone are known.
func TestParseDateLocal(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip(err)
	}
	defer func(local *time.Location) { time.Local = local }(time.Local)
	time.Local = berlin
	for text, want := range map[string]int64{
		"2023-11-14 23:13:20":           1700000000,
		"Tue Nov 14 23:13:20 CET 2023":  1700000000,
		"Tue Nov 14 22:13:20 UTC 2023":  1700000000,
		"Fri Jul 14 22:13:20 CEST 2023": 1689365600,
		"2023-07-14":                    1689285600,
	} {
		if got, err := parseDate(text); err != nil || got.Unix() != want {
			t.Errorf("parseDate(%q) = %v, %v, want %d seconds", text, got, err, want)
		}
	}
}

// A date that is not understood is an error, never the current time or another zone.
func TestParseDateErrors(t *testing.T) {
	messages := map[string]string{}
	for _, text := range []string{"", "now", "@", "@1.5", "2023-02-29", "Tue Nov 14 22:13:20 XYZ 2023", "Mon Nov 14 22:13:20 UTC 2023"} {
		got, err := parseDate(text)
		if err == nil {
			t.Errorf("parseDate(%q) = %v, want an error", text, got)
			continue
		}
		messages[text] = err.Error()
	}
	golden.Messages(t, "TestParseDateErrors.txt", messages)
}
