package lint

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/codec"
	"github.com/rules-initramfs/rules_initramfs/internal/image"
)

// Kernel is what matters here of how a kernel is built.
type Kernel struct {
	// noInitrd tells that it unpacks no image at all.
	noInitrd bool
	codecs   []string
}

// ParseCodecs returns a kernel with the codecs in a list with commas: names of
// package compress.
func ParseCodecs(list string) (*Kernel, error) {
	k := &Kernel{codecs: strings.Split(list, ",")}
	for _, name := range k.codecs {
		if !slices.Contains(codec.Names(), name) {
			return nil, fmt.Errorf("unknown codec %q: want of %s", name, strings.Join(codec.Names(), ", "))
		}
	}
	return k, nil
}

// ReadConfig reads the configuration of a kernel: its .config, or what
// /proc/config.gz unpacks to.
func ReadConfig(config io.Reader) (*Kernel, error) {
	k := &Kernel{noInitrd: true}
	seen := false
	lines := bufio.NewScanner(config)
	for lines.Scan() {
		option, value, _ := strings.Cut(strings.TrimPrefix(lines.Text(), "# "), "=")
		option, isOption := strings.CutPrefix(option, "CONFIG_")
		seen = seen || isOption
		if !isOption || strings.TrimSpace(value) != "y" {
			continue
		}
		if option == "BLK_DEV_INITRD" {
			k.noInitrd = false
		}
		if name, ok := strings.CutPrefix(option, "RD_"); ok {
			k.codecs = append(k.codecs, strings.ToLower(name))
		}
	}
	if err := lines.Err(); err != nil && err != bufio.ErrTooLong {
		return nil, err
	}
	if !seen {
		return nil, errors.New("not a kernel's configuration: no line CONFIG_...; unpack it first if it is compressed")
	}
	return k, nil
}

func checkCodec(x *contents, i int, report reporter) {
	m, kernel := x.members[i], x.options.Kernel
	if kernel == nil || kernel.noInitrd || m.Codec == image.Uncompressed || slices.Contains(kernel.codecs, m.Codec) {
		return
	}
	option := "CONFIG_RD_" + strings.ToUpper(m.Codec)
	fix := fmt.Sprintf("build the kernel with %s=y, or do not compress", option)
	if len(kernel.codecs) > 0 {
		fix = fmt.Sprintf("build the kernel with %s=y, or compress with one of %s", option, strings.Join(kernel.codecs, ", "))
	}
	report(fmt.Sprintf("member %d", i+1), fmt.Sprintf("%s, at byte %d: the kernel is built without %s", m.Codec, m.Offset, option), fix)
}

func checkInitrd(x *contents, report reporter) {
	if kernel := x.options.Kernel; kernel != nil && kernel.noInitrd {
		report(whole, "the kernel unpacks no image: it is built without CONFIG_BLK_DEV_INITRD", "build the kernel with CONFIG_BLK_DEV_INITRD=y")
	}
}
