package console

import (
	"regexp"
	"strconv"
)

// An untangler separates messages of the kernel from the lines of programs. The kernel does
// not wait for the end of a line or for the answer to a prompt: "login: " becomes
// "login: [    3.511333] clocksource: ...", and what the program writes next begins a new
// line. A message always ends with a newline (kernel/printk/printk.c), so the two can be
// separated if messages have times.
type untangler struct {
	partial string  // the beginning of a program's line that a message has interrupted
	latest  float64 // the time of the latest message, in seconds
}

// stamp matches what printk writes before a message (CONFIG_PRINTK_TIME,
// CONFIG_PRINTK_CALLER).
var stamp = regexp.MustCompile(`\[ *(\d+\.\d{6})\](?:\[ *[TC]\d+\])? `)

// add adds a line of the console. It calls onInterruption for a message that interrupts a
// program's line, and onLine for all other lines. Lines that were interrupted are whole
// again.
func (u *untangler) add(raw string, onInterruption, onLine func(string)) {
	at, time := u.findMessage(raw)
	u.latest = max(u.latest, time)
	if at > 0 && time == 0 {
		// No program runs yet: the firmware has not ended its line.
		onLine(u.partial + raw[:at])
		u.partial, raw, at = "", raw[at:], 0
	}
	switch {
	case at < 0:
		text := u.partial + raw
		u.partial = ""
		onLine(text)
	case at == 0 && u.partial == "":
		onLine(raw)
	default:
		if len(u.partial)+at > MaxLine {
			u.close(onLine)
		}
		u.partial += raw[:at]
		onInterruption(raw[at:])
	}
}

// unfinished returns the line that a program has begun, without a message that interrupts
// it. The console ends with raw, which has no newline yet.
func (u *untangler) unfinished(raw string) string {
	at, _ := u.findMessage(raw)
	if at < 0 || at == 0 && u.partial == "" {
		return u.partial + raw
	}
	return u.partial + raw[:at]
}

// findMessage returns where a message of the kernel begins in a line, or -1, and its time.
// The times of messages increase: text with an earlier time is the kernel's log, printed
// by a program.
func (u *untangler) findMessage(raw string) (at int, time float64) {
	for _, i := range stamp.FindAllStringSubmatchIndex(raw, -1) {
		time, _ := strconv.ParseFloat(raw[i[2]:i[3]], 64) // a number; infinite if it is too large
		// Messages from two CPUs may be out of order.
		if time >= u.latest || i[0] == 0 && u.partial != "" {
			return i[0], time
		}
	}
	return -1, 0
}

// close ends an interrupted line.
func (u *untangler) close(onLine func(string)) {
	if u.partial != "" {
		text := u.partial
		u.partial = ""
		onLine(text)
	}
}
