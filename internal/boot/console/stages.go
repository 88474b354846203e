package console

import (
	"regexp"
	"strings"
	"time"
)

// A Stage is a point that a boot has reached.
type Stage struct {
	Name string // "first output", "kernel", "init"
	At   time.Duration
	Line string // the line that tells
}

// stageMarks are the kernel's lines that begin a stage: linux_banner of
// init/version.c, and run_init_process of init/main.c.
var stageMarks = []struct {
	name    string
	literal string // in every such line
	line    *regexp.Regexp
}{
	{"kernel", "Linux version ", regexp.MustCompile(start + `Linux version \d`)},
	{"init", "as init process", regexp.MustCompile(start + `Run \S+ as init process`)},
}

// printk is a line with a time, which only the kernel writes before there are
// programs.
var printk = regexp.MustCompile(`^\[ *\d+\.\d{6}\]`)

type stages struct {
	seen          []Stage
	behind        bool // the firmware's last lines have been seen
	kernelStarted bool
}

// note looks at a line, or the beginning of one. It may be called several
// times for a line.
func (s *stages) note(line string, firmware *regexp.Regexp, now time.Duration) {
	if strings.TrimSpace(line) == "" {
		return
	}
	for _, mark := range stageMarks {
		if !s.has(mark.name) && strings.Contains(line, mark.literal) && mark.line.MatchString(line) {
			s.seen = append(s.seen, Stage{mark.name, now, line})
		}
	}
	if len(s.seen) == 0 {
		s.seen = append(s.seen, Stage{"first output", now, line})
	}
	switch {
	case s.kernelStarted:
	case s.has("kernel") || printk.MatchString(line):
		s.kernelStarted = true
	case firmware == nil:
		s.kernelStarted = true
	case firmware.MatchString(line):
		s.behind = true
	default:
		s.kernelStarted = s.behind
	}
}

func (s *stages) has(name string) bool {
	for _, stage := range s.seen {
		if stage.Name == name {
			return true
		}
	}
	return false
}

// list returns the stages, in the order in which they were reached.
func (s *stages) list() []Stage { return append([]Stage(nil), s.seen...) }
