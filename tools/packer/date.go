package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// dateLayouts are the forms of a date that parseDate knows, with one space where date(1)
// accepts any number. A form without a zone is local time.
var dateLayouts = []string{
	time.RFC3339,
	"2006-01-02T15:04:05Z0700",
	"2006-01-02 15:04:05Z07:00",
	"2006-01-02 15:04:05 Z07:00",
	"2006-01-02 15:04:05 Z0700",
	"2006-01-02 15:04:05 MST",
	"2006-01-02 15:04:05",
	"2006-01-02T15:04:05",
	"2006-01-02 15:04",
	"2006-01-02",
	"Mon, 2 Jan 2006 15:04:05 -0700", // RFC 2822, date -R
	"Mon, 2 Jan 2006 15:04:05 MST",
	"2 Jan 2006 15:04:05 -0700",
	"2 Jan 2006 15:04:05 MST",
	"Mon Jan 2 15:04:05 MST 2006", // date in the C locale
	"Mon Jan 2 15:04:05 -0700 2006",
	"Mon Jan 2 15:04:05 2006 -0700", // git log
	"Mon Jan 2 15:04:05 2006 MST",
	"Mon Jan 2 15:04:05 2006",
	"Mon Jan 2 3:04:05 PM MST 2006", // date in en_US
	"Mon 2 Jan 2006 3:04:05 PM MST",
	"Mon 2 Jan 15:04:05 MST 2006", // date in en_GB
	"Jan 2 2006 15:04:05 MST",
}

// parseDate reads a date as date -d does, in the forms that are common in
// KBUILD_BUILD_TIMESTAMP. Other forms that date understands, such as words and most names of
// zones, are errors.
func parseDate(text string) (time.Time, error) {
	text = strings.Join(strings.Fields(text), " ")
	if seconds, ok := strings.CutPrefix(text, "@"); ok {
		n, err := strconv.ParseInt(seconds, 10, 64)
		if err != nil {
			return time.Time{}, fmt.Errorf("bad date %q: want @SECONDS since 1970", text)
		}
		return time.Unix(n, 0), nil
	}
	for _, layout := range dateLayouts {
		t, err := time.ParseInLocation(layout, text, time.Local)
		if err != nil {
			continue
		}
		// time.ParseInLocation reads an abbreviation that the local zone does not have as UTC.
		zone, _ := t.Zone()
		if strings.Contains(layout, "MST") && t.Location() != time.UTC && t.Location() != time.Local && zone != "GMT" {
			return time.Time{}, fmt.Errorf("bad date %q: unknown zone %s: want UTC or an offset such as +0100", text, zone)
		}
		// If the day of the week is another, date would choose the next such day.
		if day := t.Weekday().String()[:3]; strings.HasPrefix(layout, "Mon") && !strings.EqualFold(text[:3], day) {
			return time.Time{}, fmt.Errorf("bad date %q: that day is a %s", text, t.Weekday())
		}
		return t, nil
	}
	return time.Time{}, fmt.Errorf("bad date %q: want @SECONDS since 1970, or a date such as 2006-01-02T15:04:05Z", text)
}
