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

// A stagePattern matches the lines that begin a stage.
type stagePattern struct {
	name    string
	literal string // in every such line
	line    *regexp.Regexp
}

// stagePatterns match lines of the kernel: linux_banner of init/version.c, and
// run_init_process of init/main.c.
var stagePatterns = []stagePattern{
	{"kernel", "Linux version ", regexp.MustCompile(messageStart + `Linux version \d`)},
	{"init", "as init process", regexp.MustCompile(messageStart + `Run \S+ as init process`)},
}

// firmwareStagePatterns match lines of firmware that starts a payload.
var firmwareStagePatterns = []stagePattern{
	// edk2: MdeModulePkg/Universal/BdsDxe/BdsEntry.c and OvmfPkg/Library/PlatformBmPrintScLib.
	{"payload", "BdsDxe: starting", regexp.MustCompile(`BdsDxe: starting `)},
	// U-Boot: include/version_string.h, boot/image-fit.c and boot/bootm.c.
	{"U-Boot", "U-Boot ", regexp.MustCompile(`^U-Boot (?:SPL )?\d{4}\.\d\d`)},
	{"payload", "## Loading kernel", regexp.MustCompile(`^## Loading kernel .*from FIT Image`)},
	{"handover", "Starting kernel", regexp.MustCompile(`^Starting kernel \.\.\.`)},
	// The kernel, before it leaves the firmware: drivers/firmware/efi/libstub.
	{"EFI stub", "EFI stub: ", regexp.MustCompile(`EFI stub: `)},
}

var (
	// payloadStarts matches the firmware's last lines before what the payload prints.
	payloadStarts = regexp.MustCompile(`BdsDxe: starting |^Press ESCAPE within|^Starting kernel \.\.\.|EFI stub: `)

	// beforeKernel matches lines of edk2, of the kernel's EFI stub, and of systemd-stub
	// (log_internal of src/boot/log.c), which can come after these.
	beforeKernel = regexp.MustCompile(`BdsDxe: |^ERROR: C\d|EFI stub: |\S\.c:\d+@\w+: `)
)

// timestamp matches a line with a time. Until the first program runs, only the kernel
// writes such lines.
var timestamp = regexp.MustCompile(`^\[ *\d+\.\d{6}\]`)

type stages struct {
	seen          []Stage
	firmwareDone  bool // the firmware's last lines were seen
	kernelStarted bool
	kernelSeen    bool // a message of the kernel was seen
}

// addLine notes the stages that a line, or the beginning of one, shows. It may be called
// several times for the same line.
func (s *stages) addLine(line string, r *Rules, now float64) {
	if strings.TrimSpace(line) == "" {
		return
	}
	if s.addPatterns(stagePatterns, line, now); r.Payload && !s.kernelSeen {
		s.addPatterns(firmwareStagePatterns, line, now)
	}
	if s.kernelSeen = s.kernelSeen || s.has("kernel") || timestamp.MatchString(line); s.kernelSeen {
		s.kernelStarted = true
	}
	if len(s.seen) == 0 {
		name := "first output"
		if r.Payload && !s.kernelStarted {
			name = "firmware"
		}
		s.add(name, line, now)
	}
	firmware := r.Firmware
	if r.Payload {
		firmware = payloadStarts
	}
	switch {
	case s.kernelStarted:
	case firmware == nil:
		s.kernelStarted = true
	case firmware.MatchString(line):
		s.firmwareDone = true
	case r.Payload && beforeKernel.MatchString(line):
	default:
		s.kernelStarted = s.firmwareDone
	}
}

func (s *stages) addPatterns(patterns []stagePattern, line string, now float64) {
	for _, p := range patterns {
		if strings.Contains(line, p.literal) && p.line.MatchString(line) {
			s.add(p.name, line, now)
		}
	}
}

// add notes a stage, if it is a new one.
func (s *stages) add(name, line string, now float64) {
	if !s.has(name) {
		s.seen = append(s.seen, Stage{now, name, line})
	}
}

func (s *stages) has(name string) bool {
	return slices.ContainsFunc(s.seen, func(stage Stage) bool { return stage.Name == name })
}
