package console

import (
	"regexp"
	"strconv"
)

// An untangler takes messages of the kernel out of the lines that programs write. The
// kernel does not wait for the end of a line or for the answer to a prompt: of "login: "
// it makes "login: [    3.511333] clocksource: ...", and what the program writes next
// begins a line. A message always ends with one (kernel/printk/printk.c), so that both can
// be told apart where messages have times.
type untangler struct {
	held   string  // the beginning of a program's line that messages came behind
	latest float64 // the time of the latest message, in seconds
}

// stamp is what printk writes before a message (CONFIG_PRINTK_TIME, CONFIG_PRINTK_CALLER).
var stamp = regexp.MustCompile(`\[ *(\d+\.\d{6})\](?:\[ *[TC]\d+\])? `)

// take takes a line. It calls inside for a message that stands in or behind a program's
// line, and line for all other lines, those of programs made whole again.
func (u *untangler) take(raw string, inside, line func(string)) {
	at, time := u.message(raw)
	u.latest = max(u.latest, time)
	switch {
	case at < 0:
		text := u.held + raw
		u.held = ""
		line(text)
	case at == 0 && u.held == "":
		line(raw)
	default:
		if len(u.held)+at > MaxLine {
			u.close(line)
		}
		u.held += raw[:at]
		inside(raw[at:])
	}
}

// unfinished returns what a program has written of a line so far, of which raw is the
// unfinished end: a message that stands there is left out.
func (u *untangler) unfinished(raw string) string {
	at, _ := u.message(raw)
	if at < 0 || at == 0 && u.held == "" {
		return u.held + raw
	}
	return u.held + raw[:at]
}

// message returns where a message of the kernel begins in a line, -1 for none, and its
// time. Times of messages grow: with those before the latest one, programs write what the
// kernel has written before, its log.
func (u *untangler) message(raw string) (at int, time float64) {
	for _, i := range stamp.FindAllStringSubmatchIndex(raw, -1) {
		time, _ := strconv.ParseFloat(raw[i[2]:i[3]], 64) // of digits: too many are infinite
		// Those of two processors may be out of order.
		if time >= u.latest || i[0] == 0 && u.held != "" {
			return i[0], time
		}
	}
	return -1, 0
}

// close ends the line that is held.
func (u *untangler) close(line func(string)) {
	if u.held != "" {
		text := u.held
		u.held = ""
		line(text)
	}
}
