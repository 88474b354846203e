package console

import (
	"regexp"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/boot/failure"
)

// A refusalPattern finds the firmware's line that it does not start the payload.
type refusalPattern struct {
	literal string         // in every such line
	message *regexp.Regexp // matches it. The message begins with the first group
	advice  string         // what it means
}

const (
	untrusted = "the payload is not signed by a key that the firmware trusts, or was altered after that"
	notFound  = "the disk has no file that this firmware starts, such as EFI/BOOT/BOOTX64.EFI on x86_64, or it is not an EFI executable for this architecture"
	altered   = "a part of the payload was altered, or is damaged"
)

// refusalPatterns are tried in this order.
var refusalPatterns = []refusalPattern{
	// edk2: OvmfPkg/Library/PlatformBmPrintScLib/StatusCodeHandler.c, and
	// MdeModulePkg/Universal/BdsDxe/BdsEntry.c.
	{"BdsDxe: failed to", regexp.MustCompile(`(BdsDxe: failed to (?:load|start) .*: (?:Access Denied|Security Violation))`), untrusted},
	{"BdsDxe: failed to", regexp.MustCompile(`(BdsDxe: failed to load .*: (?:Not Found|Unsupported|Load Error))`), notFound},
	{"BdsDxe: failed to", regexp.MustCompile(`(BdsDxe: failed to (?:load|start) )`), ""},
	{"BdsDxe: No bootable", regexp.MustCompile(`(BdsDxe: No bootable option or device was found)`), notFound},
	{"UEFI Interactive Shell", regexp.MustCompile(`^(UEFI Interactive Shell v)`), notFound},

	// systemd-stub: src/boot/stub.c, linux.c and pe.c. What it ignores is not here.
	{".c:", regexp.MustCompile(`\S\.c:\d+@\w+: ((?:Error (?:loading inner|starting|getting) kernel|Bad kernel image|Kernel is not relocatable|` +
		`Inner kernel image contains|Unable to locate (?:embedded .* PE sections|PE section table)|Invalid PE section|Cannot read sections: |` +
		`Cannot make kernel image|Cannot get parent loaded image|Error registering initrd)[^,]*)$`), ""},

	// U-Boot: boot/image-fit-sig.c, image-fit.c, bootm.c and bootm_os.c. The details follow
	// "Verifying Hash Integrity ... error!" at once.
	{"required signature", regexp.MustCompile(`(Failed to verify required signature)`), untrusted},
	{"hash node in", regexp.MustCompile(`^(Verification failed for '.*' hash node in '.*' \w+ node)`), untrusted},
	{"hash node in", regexp.MustCompile(`^(\S.* for '.*' hash node in '.*' image node)`), altered},
	{"Bad Data Hash", regexp.MustCompile(`^(Bad Data Hash)`), altered},
	{"Bad FIT", regexp.MustCompile(`^(Bad FIT \w+ image format!)`), "the file is not a FIT image, or it is damaged"},
	{"ERROR: can't get", regexp.MustCompile(`^(ERROR: can't get kernel image!)`), ""},
	{"Image magic!", regexp.MustCompile(`^(Bad Linux \w+ Image magic!)`), "the kernel in the payload is for another architecture, or still compressed"},
	{"Image is corrupt", regexp.MustCompile(`^((?:Ramdisk|FDT) image is corrupt or invalid)`), altered},
}

// findRefusal returns the refusal that a line of the firmware reports.
func findRefusal(line string) (lineFailure, bool) {
	for _, p := range refusalPatterns {
		if !strings.Contains(line, p.literal) {
			continue
		}
		if at := p.message.FindStringSubmatchIndex(line); at != nil {
			return lineFailure{class: failure.FirmwareRefused, words: line[at[2]:at[3]], message: line[at[2]:]}, true
		}
	}
	return lineFailure{}, false
}

// ExplainRefusal says what the firmware's line about a refusal means. It returns an empty
// string if the line is clear.
func ExplainRefusal(line string) string {
	for _, p := range refusalPatterns {
		if strings.Contains(line, p.literal) && p.message.MatchString(line) {
			return p.advice
		}
	}
	return ""
}
