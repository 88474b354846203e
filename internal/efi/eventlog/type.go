package eventlog

import "fmt"

// Type is the type of an event.
type Type uint32

// Types of events that this project predicts or shows (chapter 10.4.1 of the specification).
const (
	NoAction                   Type = 0x00000003
	Separator                  Type = 0x00000004
	EventTag                   Type = 0x00000006
	IPL                        Type = 0x0000000d
	EFIVariableDriverConfig    Type = 0x80000001
	EFIVariableBoot            Type = 0x80000002
	EFIBootServicesApplication Type = 0x80000003
	EFIGPTEvent                Type = 0x80000006
	EFIAction                  Type = 0x80000007
	EFIVariableAuthority       Type = 0x800000e0
)

// names are the specification's, which tpm2_eventlog prints.
var names = map[Type]string{
	0x00000001:                 "EV_POST_CODE",
	NoAction:                   "EV_NO_ACTION",
	Separator:                  "EV_SEPARATOR",
	0x00000005:                 "EV_ACTION",
	EventTag:                   "EV_EVENT_TAG",
	0x00000007:                 "EV_S_CRTM_CONTENTS",
	0x00000008:                 "EV_S_CRTM_VERSION",
	0x00000009:                 "EV_CPU_MICROCODE",
	0x0000000a:                 "EV_PLATFORM_CONFIG_FLAGS",
	0x0000000b:                 "EV_TABLE_OF_DEVICES",
	0x0000000c:                 "EV_COMPACT_HASH",
	IPL:                        "EV_IPL",
	EFIVariableDriverConfig:    "EV_EFI_VARIABLE_DRIVER_CONFIG",
	EFIVariableBoot:            "EV_EFI_VARIABLE_BOOT",
	EFIBootServicesApplication: "EV_EFI_BOOT_SERVICES_APPLICATION",
	0x80000004:                 "EV_EFI_BOOT_SERVICES_DRIVER",
	0x80000005:                 "EV_EFI_RUNTIME_SERVICES_DRIVER",
	EFIGPTEvent:                "EV_EFI_GPT_EVENT",
	EFIAction:                  "EV_EFI_ACTION",
	0x80000008:                 "EV_EFI_PLATFORM_FIRMWARE_BLOB",
	0x80000009:                 "EV_EFI_HANDOFF_TABLES",
	0x8000000a:                 "EV_EFI_PLATFORM_FIRMWARE_BLOB2",
	0x8000000b:                 "EV_EFI_HANDOFF_TABLES2",
	0x8000000c:                 "EV_EFI_VARIABLE_BOOT2",
	0x80000010:                 "EV_EFI_HCRTM_EVENT",
	EFIVariableAuthority:       "EV_EFI_VARIABLE_AUTHORITY",
	0x800000e1:                 "EV_EFI_SPDM_FIRMWARE_BLOB",
	0x800000e2:                 "EV_EFI_SPDM_FIRMWARE_CONFIG",
}

func (t Type) String() string {
	if name, ok := names[t]; ok {
		return name
	}
	return fmt.Sprintf("%#x", uint32(t))
}
