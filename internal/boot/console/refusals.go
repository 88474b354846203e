package console

import (
	"regexp"
	"strings"
)

// A refusalPattern finds the firmware's line that it does not start the payload.
type refusalPattern struct {
	literal string         // in every such line
	message *regexp.Regexp // matches it. The message begins with the first group
	advice  string         // what it means
	prompt  bool           // the line is a prompt, and not whole
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
	{"BdsDxe: failed to", regexp.MustCompile(`(BdsDxe: failed to (?:load|start) .*: (?:Access Denied|Security Violation))`), untrusted, false},
	{"BdsDxe: failed to", regexp.MustCompile(`(BdsDxe: failed to load .*: (?:Not Found|Unsupported|Load Error))`), notFound, false},
	{"BdsDxe: failed to", regexp.MustCompile(`(BdsDxe: failed to (?:load|start) )`), "", false},
	{"BdsDxe: No bootable", regexp.MustCompile(`(BdsDxe: No bootable option or device was found)`), notFound, false},
	{"UEFI Interactive Shell", regexp.MustCompile(`^(UEFI Interactive Shell v)`), notFound, false},

	// systemd-stub: src/boot/stub.c, linux.c and pe.c. What it ignores is not here.
	{".c:", regexp.MustCompile(`(\S+\.c:\d+@\w+: (?:Error (?:loading inner|starting|getting) kernel|Bad kernel image|Kernel is not relocatable|` +
		`Inner kernel image contains|Unable to locate (?:embedded .* PE sections|PE section table)|Invalid PE section|Cannot read sections: |` +
		`Cannot make kernel image|Cannot get parent loaded image|Error registering initrd)[^,]*)$`), "", false},

	// U-Boot: boot/image-fit-sig.c, image-fit.c, bootm.c and bootm_os.c. The details follow
	// "Verifying Hash Integrity ... error!" at once.
	{"hash node in", regexp.MustCompile(`^(No 'signature' subnode found for '.*' hash node in '.*' config node)`), "the payload is not signed, and U-Boot requires a key", false},
	{"hash node in", regexp.MustCompile(`^(\S.* for '.*' hash node in '.*' config node)`), untrusted, false},
	{"hash node in", regexp.MustCompile(`^(\S.* for '.*' hash node in '.*' image node)`), altered, false},
	{"required signature", regexp.MustCompile(`^(Failed to verify required signature)`), untrusted, false},
	{"Bad Data Hash", regexp.MustCompile(`^(Bad Data Hash)`), altered, false},
	{"configuration node", regexp.MustCompile(`^(Could not find configuration node)`), "the payload has no configuration whose compatible is this machine's", false},
	{"Bad FIT", regexp.MustCompile(`^(Bad FIT \w+ image format!)`), "the file is not a FIT image, or it is damaged", false},
	{"Wrong Image", regexp.MustCompile(`^(Wrong Image (?:Type|Format) for bootm command)`), "the file is not a FIT image, or it is damaged", false},
	{"can't get kernel image", regexp.MustCompile(`^(ERROR(?: -?\d+)?: can't get kernel image!)`), "", false},
	{"Image magic!", regexp.MustCompile(`^(Bad Linux \w+ Image magic!)`), "the kernel in the payload is for another architecture, or still compressed", false},
	{"image is corrupt", regexp.MustCompile(`^((?:Ramdisk|FDT) image is corrupt or invalid)`), altered, false},
	{"=> ", regexp.MustCompile(`^(=> )$`), "this is the prompt of U-Boot, which found nothing to start on the disk, such as /boot.scr", true},
}

// findRefusal returns the message of the firmware that it does not start the payload; empty if a
// line has none. A line that is not whole is the beginning of one.
func findRefusal(line string, whole bool) (message string) {
	for _, p := range refusalPatterns {
		if p.prompt == whole || !strings.Contains(line, p.literal) {
			continue
		}
		if at := p.message.FindStringSubmatchIndex(line); at != nil {
			return line[at[2]:]
		}
	}
	return ""
}

// ExplainRefusal says what a message of the firmware about a refusal means. It returns an empty
// string if the message is clear.
func ExplainRefusal(message string) string {
	for _, p := range refusalPatterns {
		if strings.Contains(message, p.literal) && p.message.MatchString(message) {
			return p.advice
		}
	}
	return ""
}
