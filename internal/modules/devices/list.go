package devices

import (
	"bytes"
	"fmt"
	"strings"
)

// Limits of descriptions.
const (
	// maxModalias is the largest number of bytes of a line. All variables of a uevent have 2048
	// (UEVENT_BUFFER_SIZE in include/linux/kobject.h), and a path 4096.
	maxModalias = 8192
	// maxDevices is the largest number of different devices.
	maxDevices = 1 << 16
)

// parseList reads a list of modaliases: one on each line, as the files /sys/**/modalias have
// them, or after the path of such a file, as "grep -r . --include=modalias /sys" prints it or
// with a space between. Lines that begin with # are comments. A device that comes again is left
// out.
func parseList(data []byte) ([]Device, error) {
	var devices []Device
	seen := map[string]bool{}
	line := 0
	for content := range bytes.Lines(data) {
		line++
		if len(content) > maxModalias {
			return nil, fmt.Errorf("%w: line %d has more than %d bytes", ErrNotDescription, line, maxModalias)
		}
		text := strings.TrimSpace(string(content))
		if text == "" || text[0] == '#' {
			continue
		}
		path, modalias := splitLine(text)
		if !isModalias(modalias) {
			return nil, fmt.Errorf("%w: line %d: %q is not a modalias: write BUS:ID, or a path and BUS:ID", ErrNotDescription, line, text[:min(len(text), 80)])
		}
		if key := path + " " + modalias; !seen[key] {
			seen[key] = true
			devices = append(devices, Device{Path: path, Modaliases: []string{modalias}})
		}
		if len(devices) > maxDevices {
			return nil, fmt.Errorf("%w: it has more than %d devices", ErrNotDescription, maxDevices)
		}
	}
	if len(devices) == 0 {
		return nil, fmt.Errorf("%w: it is empty: list a modalias on each line", ErrNotDescription)
	}
	return devices, nil
}

// splitLine returns the path of the device, if the line has one, and the modalias. Both have
// colons: a path ends before "/modalias:", or before the space.
func splitLine(text string) (path, modalias string) {
	if strings.HasPrefix(text, "/") || strings.HasPrefix(text, "./") || strings.HasPrefix(text, "sys/") {
		if before, after, ok := strings.Cut(text, "/modalias:"); ok && !strings.ContainsAny(before, " \t") {
			path, modalias = before, after
		} else if i := strings.IndexAny(text, " \t"); i >= 0 {
			path, modalias = strings.TrimSuffix(text[:i], ":"), text[i:]
		}
		return strings.TrimSuffix(path, "/modalias"), strings.TrimSpace(modalias)
	}
	return "", text
}

// isModalias reports whether a text is BUS:ID in printable ASCII without spaces, as every
// modalias of a device is.
func isModalias(text string) bool {
	bus, id, ok := strings.Cut(text, ":")
	if !ok || bus == "" || id == "" {
		return false
	}
	for i := range len(text) {
		if text[i] <= ' ' || text[i] > '~' {
			return false
		}
	}
	return strings.Trim(bus, "abcdefghijklmnopqrstuvwxyz0123456789_-") == ""
}
