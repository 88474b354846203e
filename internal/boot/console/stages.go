package console

import (
	"regexp"
	"slices"
	"strings"
)

// A Stage is a point that a boot has reached.
type Stage struct {
	At   float64 `json:"time_s"` // see Rules.Clock
	Name string  `json:"stage"`  // such as "first output", "kernel" and "init"
	Line string  `json:"text"`   // the line that shows it
}

// stagePatterns match the kernel's lines that begin a stage: linux_banner of
// init/version.c, and run_init_process of init/main.c.
var stagePatterns = []struct {
	name    string
	literal string // in every such line
	line    *regexp.Regexp
}{
	{"kernel", "Linux version ", regexp.MustCompile(messageStart + `Linux version \d`)},
	{"init", "as init process", regexp.MustCompile(messageStart + `Run \S+ as init process`)},
}

// timestamp matches a line with a time. Until the first program runs, only the kernel
// writes such lines.
var timestamp = regexp.MustCompile(`^\[ *\d+\.\d{6}\]`)

type stages struct {
	seen          []Stage
	firmwareDone  bool // the firmware's last lines were seen
	kernelStarted bool
}

// addLine notes the stages that a line, or the beginning of one, shows. It may be called
// several times for the same line.
func (s *stages) addLine(line string, firmware *regexp.Regexp, now float64) {
	if strings.TrimSpace(line) == "" {
		return
	}
	for _, p := range stagePatterns {
		if !s.has(p.name) && strings.Contains(line, p.literal) && p.line.MatchString(line) {
			s.seen = append(s.seen, Stage{now, p.name, line})
		}
	}
	if len(s.seen) == 0 {
		s.seen = append(s.seen, Stage{now, "first output", line})
	}
	switch {
	case s.kernelStarted:
	case s.has("kernel") || timestamp.MatchString(line):
		s.kernelStarted = true
	case firmware == nil:
		s.kernelStarted = true
	case firmware.MatchString(line):
		s.firmwareDone = true
	default:
		s.kernelStarted = s.firmwareDone
	}
}

func (s *stages) has(name string) bool {
	return slices.ContainsFunc(s.seen, func(stage Stage) bool { return stage.Name == name })
}
