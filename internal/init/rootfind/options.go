package rootfind

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Options are mount options.
type Options struct {
	Access string  // ro or rw; empty if the options say neither
	Flags  uintptr // other flags of mount(2)
	Data   string  // the options of the file system
}

// flagOptions are the options that mount(2) takes as flags, and not as text (mount(8),
// "Filesystem-independent mount options").
var flagOptions = map[string]struct {
	flag  uintptr
	clear bool
}{
	"async":         {unix.MS_SYNCHRONOUS, true},
	"atime":         {unix.MS_NOATIME, true},
	"dev":           {unix.MS_NODEV, true},
	"diratime":      {unix.MS_NODIRATIME, true},
	"dirsync":       {unix.MS_DIRSYNC, false},
	"exec":          {unix.MS_NOEXEC, true},
	"iversion":      {unix.MS_I_VERSION, false},
	"lazytime":      {unix.MS_LAZYTIME, false},
	"loud":          {unix.MS_SILENT, true},
	"mand":          {unix.MS_MANDLOCK, false},
	"noatime":       {unix.MS_NOATIME, false},
	"nodev":         {unix.MS_NODEV, false},
	"nodiratime":    {unix.MS_NODIRATIME, false},
	"noexec":        {unix.MS_NOEXEC, false},
	"noiversion":    {unix.MS_I_VERSION, true},
	"nolazytime":    {unix.MS_LAZYTIME, true},
	"nomand":        {unix.MS_MANDLOCK, true},
	"norelatime":    {unix.MS_RELATIME, true},
	"nostrictatime": {unix.MS_STRICTATIME, true},
	"nosuid":        {unix.MS_NOSUID, false},
	"nosymfollow":   {unix.MS_NOSYMFOLLOW, false},
	"relatime":      {unix.MS_RELATIME, false},
	"silent":        {unix.MS_SILENT, false},
	"strictatime":   {unix.MS_STRICTATIME, false},
	"suid":          {unix.MS_NOSUID, true},
	"symfollow":     {unix.MS_NOSYMFOLLOW, true},
	"sync":          {unix.MS_SYNCHRONOUS, false},
}

// fstabOptions are for programs that read /etc/fstab. They have no effect here.
var fstabOptions = []string{
	"_netdev", "auto", "defaults", "group", "noauto", "nofail", "nogroup", "noowner", "nouser", "nousers", "owner", "user", "users",
}

// otherOptions do something else than to mount a device.
var otherOptions = []string{
	"bind", "encryption", "helper", "loop", "move", "offset", "private", "rbind", "remount", "rprivate", "rshared", "rslave", "runbindable",
	"shared", "sizelimit", "slave", "uhelper", "unbindable",
}

// parseOptions reads options with commas between them, as mount(8) does: a comma between
// double quotes is a part of a value. If options contradict each other, the last one wins.
func parseOptions(text string) (Options, error) {
	var o Options
	var data []string
	for _, option := range splitOptions(text) {
		name, _, _ := strings.Cut(option, "=")
		flag, isFlag := flagOptions[option]
		switch {
		case option == "ro" || option == "rw":
			o.Access = option
		case isFlag && flag.clear:
			o.Flags &^= flag.flag
		case isFlag:
			o.Flags |= flag.flag
		case slices.Contains(fstabOptions, option) || name == "comment":
		case strings.HasPrefix(option, "x-") || strings.HasPrefix(option, "X-"):
		case slices.Contains(otherOptions, name) || strings.HasPrefix(name, "verity."):
			return Options{}, fmt.Errorf("%q is not an option for the root file system", option)
		default:
			data = append(data, option)
		}
	}
	o.Data = strings.Join(data, ",")
	return o, nil
}

func splitOptions(text string) []string {
	quoted := false
	return strings.FieldsFunc(text, func(c rune) bool {
		if c == '"' {
			quoted = !quoted
		}
		return c == ',' && !quoted
	})
}
