package lint

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/codec"
	"github.com/rules-initramfs/rules_initramfs/internal/image"
	"github.com/rules-initramfs/rules_initramfs/internal/kbuild/config"
)

// Kernel is the part of a kernel's configuration that decides what it unpacks.
type Kernel struct {
	// otherBuiltIn is set if its built-in archive is not the default one of kbuild.
	otherBuiltIn bool
	// noInitrd is set if it does not unpack images at all.
	noInitrd bool
	codecs   []string
	// filters has the filters of xz for machine code; nil if they are not known.
	filters map[string]bool
}

// ParseCodecs returns a kernel with these codecs of package codec, separated by commas.
func ParseCodecs(list string) (*Kernel, error) {
	k := &Kernel{codecs: strings.Split(list, ",")}
	for _, name := range k.codecs {
		if !slices.Contains(codec.Names(), name) {
			return nil, fmt.Errorf("unknown codec %q: want one of %s", name, strings.Join(codec.Names(), ", "))
		}
	}
	return k, nil
}

// ReadConfig reads the configuration of a kernel: its .config, or the uncompressed content of
// /proc/config.gz. The caller limits its size.
func ReadConfig(file io.Reader) (*Kernel, error) {
	text, err := io.ReadAll(file)
	if err != nil {
		return nil, err
	}
	values, err := config.ParseValues(".config", string(text))
	if len(values) == 0 {
		return nil, errors.New("not a kernel's configuration: no line begins with CONFIG_; decompress it first if it is compressed")
	}
	if err != nil {
		return nil, err
	}
	k := &Kernel{noInitrd: !values.On(config.Initrd), otherBuiltIn: strings.Trim(values.Get(config.InitramfsSource), `"`) != ""}
	for _, name := range codec.Names() {
		if values.On(config.Codec(name)) {
			k.codecs = append(k.codecs, name)
		}
	}
	k.filters = map[string]bool{}
	for _, name := range codec.FilterNames() {
		k.filters[name] = values.On(config.Filter(name))
	}
	return k, nil
}

func checkCodec(x *contents, i int, report reporter) {
	m, kernel := x.members[i], x.options.Kernel
	if kernel == nil || kernel.noInitrd || m.Codec == image.Uncompressed {
		return
	}
	if slices.Contains(kernel.codecs, m.Codec) {
		checkFilters(m, i, kernel, report)
		return
	}
	option := config.Codec(m.Codec)
	fix := fmt.Sprintf("build the kernel with %s=y, or do not compress the image", option)
	if len(kernel.codecs) > 0 {
		fix = fmt.Sprintf("build the kernel with %s=y, or compress with one of %s", option, strings.Join(kernel.codecs, ", "))
	}
	report(fmt.Sprintf("member %d", i+1), fmt.Sprintf("it is compressed with %s at byte %d, but the kernel is built without %s", m.Codec, m.Offset, option), fix)
}

func checkFilters(m image.Member, i int, kernel *Kernel, report reporter) {
	for _, name := range m.Filters {
		if kernel.filters == nil || kernel.filters[name] {
			continue
		}
		option := config.Filter(name)
		if versions := codec.FilterKernels(name); versions != "" {
			option += " (" + versions + ")"
		}
		report(fmt.Sprintf("member %d", i+1), fmt.Sprintf("it is compressed with the filter %s of xz at byte %d, but the kernel is built without %s", name, m.Offset, option),
			fmt.Sprintf("compress it without --%s, or build the kernel with %s=y", name, config.Filter(name)))
	}
}

// checkKernels checks the filters of xz where the kernel's configuration is not known.
func checkKernels(x *contents, report reporter) {
	if kernel := x.options.Kernel; kernel != nil && kernel.filters != nil {
		return
	}
	for i, m := range x.members {
		for _, name := range m.Filters {
			if versions := codec.FilterKernels(name); versions != "" {
				report(fmt.Sprintf("member %d", i+1), fmt.Sprintf("it is compressed with the filter %s of xz, which only kernels of %s have", name, versions),
					fmt.Sprintf("compress it without --%s if the kernel is another one, or check the image with the kernel's configuration (--config)", name))
				return
			}
		}
	}
}

func checkInitrd(x *contents, report reporter) {
	if kernel := x.options.Kernel; kernel != nil && kernel.noInitrd {
		report(wholeImage, "the kernel does not unpack images: it is built without CONFIG_BLK_DEV_INITRD", "build the kernel with CONFIG_BLK_DEV_INITRD=y")
	}
}
