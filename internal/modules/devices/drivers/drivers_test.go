package drivers

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/rules-initramfs/rules_initramfs/internal/golden"
	"github.com/rules-initramfs/rules_initramfs/internal/kbuild/config"
	"github.com/rules-initramfs/rules_initramfs/internal/modules/devices"
)

// files returns a source with these files and those that every source needs.
func files(texts map[string]string) fstest.MapFS {
	all := map[string]string{
		"Makefile":         "VERSION = 7\nPATCHLEVEL = 2\nSUBLEVEL = 12\nEXTRAVERSION =\n",
		"Kbuild":           "obj-y += drivers/\n",
		"drivers/Makefile": "obj-y += a/\n",
	}
	maps.Copy(all, texts)
	source := fstest.MapFS{}
	for name, text := range all {
		source[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return source
}

func TestKbuild(t *testing.T) {
	source := files(map[string]string{
		"drivers/Makefile": `
# obj-$(CONFIG_COMMENT) += comment.o
obj-$(CONFIG_A) += a/ \
	b/
obj-y += c/`,
		"drivers/a/Makefile": `
obj-$(CONFIG_ONE)	+= one.o
obj-$(CONFIG_TWO) := two-mod.o
two-mod-y := first.o sub/second.o
two-mod-$(CONFIG_MORE) += more.o
two-mod-objs += $(LIST)
LIST = listed.o
obj-$(subst m,y,$(CONFIG_SUBST)) += subst.o
ccflags-y += -Done.o
ifdef CONFIG_COND
obj-y += cond.o
else
obj-y += other.o
endif
ifeq ($(CONFIG_EQ),y)
obj-$(CONFIG_IN_EQ) += eq.o
endif
ifneq ($(CONFIG_NE),)
obj-y += ne.o
endif
ifeq ($(CONFIG_NOT),)
obj-y += not.o
endif
loop-y = $(loop-y)
obj-m += $(loop-y) $(shell ls).o
`,
		"drivers/b/Kbuild":   "obj-$(CONFIG_B) += b.o\nb-y := x.o $(b-extra-y)\nb-extra-$(CONFIG_EXTRA) += y.o\n",
		"drivers/b/Makefile": "obj-y += not-read.o\n",
		"drivers/c/Makefile": "obj-$(CONFIG_C) += c.o ../shared/s.o\nobj-y += ./\nlib-y += l.o\n",
		"arch/q/Kbuild":      "obj-y += q.o\n",
		"Kbuild":             "obj-y += drivers/\nobj-y += arch/$(SRCARCH)/\n",
	})
	objects, err := readKbuild(source)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, file := range slices.Sorted(maps.Keys(objects)) {
		for _, o := range objects[file] {
			got = append(got, strings.TrimSpace(fmt.Sprintf("%s %s %s", file, o.module, strings.Join(o.options, " "))))
		}
	}
	want := []string{
		"arch/q/q q",
		"drivers/a/cond cond CONFIG_COND CONFIG_A",
		"drivers/a/eq eq CONFIG_IN_EQ CONFIG_EQ CONFIG_A",
		"drivers/a/first two_mod CONFIG_TWO CONFIG_A",
		"drivers/a/listed two_mod CONFIG_TWO CONFIG_A",
		"drivers/a/more two_mod CONFIG_TWO CONFIG_MORE CONFIG_A",
		"drivers/a/ne ne CONFIG_NE CONFIG_A",
		"drivers/a/not not CONFIG_A",
		"drivers/a/one one CONFIG_ONE CONFIG_A",
		"drivers/a/other other CONFIG_A",
		"drivers/a/sub/second two_mod CONFIG_TWO CONFIG_A",
		"drivers/a/subst subst CONFIG_SUBST CONFIG_A",
		"drivers/b/x b CONFIG_B CONFIG_A",
		"drivers/b/y b CONFIG_B CONFIG_EXTRA CONFIG_A",
		"drivers/c/c c CONFIG_C",
		"drivers/c/l l",
		"drivers/shared/s s CONFIG_C",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// headersOfTest are headers like those of the kernel.
var headersOfTest = map[string]string{
	"include/linux/device-id/pci.h": "#define PCI_ANY_ID (~0)\n",
	"include/linux/pci.h": `
#define PCI_DEVICE(vend,dev) \
	.vendor = (vend), .device = (dev), \
	.subvendor = PCI_ANY_ID, .subdevice = PCI_ANY_ID
#define PCI_VDEVICE(vend, dev) \
	.vendor = PCI_VENDOR_ID_##vend, .device = (dev), \
	.subvendor = PCI_ANY_ID, .subdevice = PCI_ANY_ID, 0, 0
#define PCI_DEVICE_CLASS(dev_class,dev_class_mask) \
	.class = (dev_class), .class_mask = (dev_class_mask), \
	.vendor = PCI_ANY_ID, .device = PCI_ANY_ID, \
	.subvendor = PCI_ANY_ID, .subdevice = PCI_ANY_ID
`,
	"include/linux/pci_ids.h":       "#define PCI_VENDOR_ID_MAKER 0x1234 /* a maker */\n",
	"include/linux/device-id/usb.h": "#define USB_DEVICE_ID_MATCH_VENDOR 0x0001\n#define USB_DEVICE_ID_MATCH_PRODUCT 0x0002\n",
	"include/linux/usb.h": `
#define USB_DEVICE_ID_MATCH_DEVICE \
		(USB_DEVICE_ID_MATCH_VENDOR | USB_DEVICE_ID_MATCH_PRODUCT)
#define USB_DEVICE(vend, prod) \
	.match_flags = USB_DEVICE_ID_MATCH_DEVICE, \
	.idVendor = (vend), \
	.idProduct = (prod)
`,
	"include/linux/phy.h": "#define PHY_ID_MATCH_MODEL(id) .phy_id = (id), .phy_id_mask = GENMASK(31, 4)\n",
}

func TestSourceAliases(t *testing.T) {
	source := files(headersOfTest)
	source["drivers/a/own.h"] = &fstest.MapFile{Data: []byte(`
#define OWN_NAME "own"
#include "deep.h"
static const struct of_device_id in_header[] = { { .compatible = "maker,header" }, { } };
`)}
	source["drivers/a/deep.h"] = &fstest.MapFile{Data: []byte("#define DEEP_ID 0x77\n")}
	for name, test := range map[string]struct {
		code string
		want []string
	}{
		"of": {`
static const struct of_device_id /* comment */ table[] __maybe_unused = {
	{ .compatible = "maker,one", .data = (void *)1 },
#ifdef CONFIG_TWO
	{ .compatible = "maker," "two" , },
#endif
#if 0
	{ .compatible = "maker,off" },
#else
	{ .compatible = "maker,on" },
#endif
	// { .compatible = "maker,comment" },
	{ .name = "n", .type = "t", .compatible = "c d" },
	{ .compatible = OWN },
	{ /* sentinel */ }
};
#define OWN "maker,macro"
MODULE_DEVICE_TABLE(of, table);
static const struct of_device_id unused[] = { { .compatible = "maker,unused" }, {} };
`, []string{
			"of:N*T*Cmaker,one", "of:N*T*Cmaker,oneC*", "of:N*T*Cmaker,two", "of:N*T*Cmaker,twoC*", "of:N*T*Cmaker,on", "of:N*T*Cmaker,onC*",
			"of:NnTt*Cc_d", "of:NnTt*Cc_dC*", "of:N*T*Cmaker,macro", "of:N*T*Cmaker,macroC*"}},
		"named by the driver": {`
static const struct of_device_id match[] = { { .compatible = "maker,x" }, { } };
static struct platform_driver d = { .driver = { .of_match_table = of_match_ptr(match), }, };
`, []string{"of:N*T*Cmaker,x", "of:N*T*Cmaker,xC*"}},
		"in a header": {"#include \"own.h\"\nMODULE_DEVICE_TABLE(of, in_header);\n#define x struct of_device_id\n",
			[]string{"of:N*T*Cmaker,header", "of:N*T*Cmaker,headerC*"}},
		"names": {`
#include "own.h"
static const struct i2c_device_id i[] = { { "one", 0 }, { .name = "two", .driver_data = 7 }, { OWN_NAME, UNKNOWN(1, 2) }, { } };
static const struct spi_device_id s[] = { { "one" }, { } };
static struct platform_device_id p[] = { [0] = { "one" }, { } };
MODULE_DEVICE_TABLE(i2c, i); MODULE_DEVICE_TABLE(spi, s); MODULE_DEVICE_TABLE(platform, p);
`, []string{"i2c:one", "i2c:two", "i2c:own", "spi:one", "platform:one"}},
		"pci": {`
#include "own.h"
static const struct pci_device_id table[] = {
	{ PCI_DEVICE(0x8086, DEEP_ID), 0, 0, 5 },
	{ PCI_VDEVICE(MAKER, 1 << 4 | 1), 5 },
	{ 0x8086, 0x1, 0x2, 0x3, 0, 0, UNKNOWN },
	{ PCI_DEVICE_CLASS(0x010601, 0xffffff) },
	{ PCI_DEVICE(0x8086, NOT_DEFINED) },
	{ 0, }
};
MODULE_DEVICE_TABLE(pci, table);
`, []string{
			"pci:v00008086d00000077sv*sd*bc*sc*i*", "pci:v00001234d00000011sv*sd*bc*sc*i*",
			"pci:v00008086d00000001sv00000002sd00000003bc*sc*i*", "pci:v*d*sv*sd*bc01sc06i01*"}},
		"usb, by a macro of the driver": {`
#define BOTH(v) { USB_DEVICE(v, 1) }, { USB_DEVICE(v, 2), .driver_info = 3 }
static const struct usb_device_id table[] = { BOTH(0x0bda), { USB_DEVICE(0xabc, 0xd) }, { } };
MODULE_DEVICE_TABLE(usb, table);
`, []string{
			"usb:v0BDAp0001d*dc*dsc*dp*ic*isc*ip*in*", "usb:v0BDAp0002d*dc*dsc*dp*ic*isc*ip*in*", "usb:v0ABCp000Dd*dc*dsc*dp*ic*isc*ip*in*"}},
		"numbers": {`
static const struct amba_id a[] = { { .id = 0x00041011, .mask = 0x000fffff }, { .id = 0x2, .mask = 0x3 }, { 0, 0 } };
static const struct mdio_device_id m[] = { { PHY_ID_MATCH_MODEL(0x00221640) }, { } };
static const struct virtio_device_id v[] = { { 2, 0xffffffff }, { 0 } };
static const struct acpi_device_id c[] = { { "PNP0C0A" }, { "", 0, 0x010601, 0xffffff }, { } };
static const struct hid_device_id h[] = { { .bus = 3, .vendor = 0x46d, .product = 0xc52b }, { } };
static const struct sdio_device_id s[] = { { .class = (~0), .vendor = 0x2d0, .device = 0xa9bf }, { } };
MODULE_DEVICE_TABLE(amba, a); MODULE_DEVICE_TABLE(mdio, m); MODULE_DEVICE_TABLE(virtio, v);
MODULE_DEVICE_TABLE(acpi, c); MODULE_DEVICE_TABLE(hid, h); MODULE_DEVICE_TABLE(sdio, s);
`, []string{
			"amba:d???41011", "amba:d???????[26AE]", "mdio:0000000000100010000101100100????", "virtio:d00000002v*",
			"acpi*:PNP0C0A:*", "acpi*:010601:*", "hid:b0003g*v0000046Dp0000C52B", "sdio:c*v02D0dA9BF*"}},
		"declared": {`
IRQCHIP_DECLARE(gic, "arm,gic-400", init);
CLK_OF_DECLARE_DRIVER(clk, "maker,clk", init)
OF_EARLYCON_DECLARE(uart, "maker,console", init);
IRQCHIP_PLATFORM_DRIVER_BEGIN(x)
IRQCHIP_MATCH("maker,irq", init)
`, []string{"of:N*T*Carm,gic-400", "of:N*T*Carm,gic-400C*", "of:N*T*Cmaker,clk", "of:N*T*Cmaker,clkC*", "of:N*T*Cmaker,irq", "of:N*T*Cmaker,irqC*"}},
		"MODULE_ALIAS": {`
#define NAME "me"
MODULE_ALIAS("platform:" NAME);
MODULE_ALIAS("fs-me");
MODULE_ALIAS("spaced: me");
`, []string{"platform:me"}},
		"nothing": {"int x;\n", nil},
		"endless macro": {`
#define A B B
#define B A A
static const struct i2c_device_id t[] = { { A }, { "x" A }, A, };
MODULE_DEVICE_TABLE(i2c, t);
`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			h := &headers{source: source, cache: map[string]*header{}}
			got := sourceAliases(h, "drivers/a/x.c", test.code)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// small is a source with two drivers.
func small() fstest.MapFS {
	return files(map[string]string{
		"drivers/Makefile":   "obj-$(CONFIG_A) += a/\nobj-$(CONFIG_B) += b/\nobj-$(CONFIG_C) += b/\n",
		"drivers/a/Makefile": "obj-$(CONFIG_CHARGER) += charger-core.o\ncharger-core-y := charger.o\n",
		"drivers/a/charger.c": `static const struct of_device_id ids[] = { { .compatible = "ti,bq25890" }, { } };
MODULE_DEVICE_TABLE(of, ids);
static const struct i2c_device_id names[] = { { "bq25890" }, { } };
MODULE_DEVICE_TABLE(i2c, names);
`,
		"drivers/b/Makefile": "obj-$(CONFIG_BUS) += bus.o\nobj-y += always.o\n",
		"drivers/b/bus.c":    "static const struct of_device_id t[] = { { .compatible = \"simple-bus\" }, { } };\nMODULE_DEVICE_TABLE(of, t);\n",
		"drivers/b/always.c": "IRQCHIP_DECLARE(x, \"maker,irq\", init);\n",
	})
}

func scan(t *testing.T) *Index {
	t.Helper()
	x, err := Scan(t.Context(), "linux", small())
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestScan(t *testing.T) {
	x := scan(t)
	var b bytes.Buffer
	if err := Write(&b, x); err != nil {
		t.Fatal(err)
	}
	golden.Text(t, "small.index", b.String())
	again, err := Read(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	for n := range b.Len() - 1 {
		if _, err := Read(bytes.NewReader(b.Bytes()[:n])); !errors.Is(err, ErrNotIndex) {
			t.Errorf("the first %d bytes: %v", n, err)
		}
	}
	if diff := cmp.Diff(x.Drivers, again.Drivers); diff != "" || x.Version != again.Version {
		t.Errorf("version %s (-written +read):\n%s", again.Version, diff)
	}
}

func TestFor(t *testing.T) {
	x := scan(t)
	charger := devices.Device{
		Path: "/i2c@1/charger@6a", Compatible: []string{"ti,bq25890", "simple-bus"},
		Modaliases: []string{"of:NchargerT(null)Cti,bq25890Csimple-bus", "i2c:bq25890"},
	}
	found := x.For(charger, nil)
	var modules []string
	for _, d := range found {
		modules = append(modules, d.Module)
	}
	if diff := cmp.Diff([]string{"charger_core", "bus"}, modules); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	irq := x.For(devices.Device{Modaliases: []string{"of:NxT(null)Cmaker,irq"}}, nil)
	if len(irq) != 1 {
		t.Fatalf("%d drivers for the interrupt controller", len(irq))
	}
	texts := map[string]string{}
	for name, test := range map[string]struct {
		driver Driver
		config config.Values
		want   string
	}{
		"on":              {found[0], config.Values{"CONFIG_CHARGER": "y", "CONFIG_A": "y"}, "y"},
		"module":          {found[0], config.Values{"CONFIG_CHARGER": "m", "CONFIG_A": "y"}, "m"},
		"off":             {found[0], config.Values{"CONFIG_CHARGER": "n", "CONFIG_A": "y"}, "n"},
		"absent":          {found[0], config.Values{"CONFIG_A": "y"}, "n"},
		"directory":       {found[0], config.Values{"CONFIG_CHARGER": "m", "CONFIG_A": "n"}, "n"},
		"directory, both": {found[0], config.Values{"CONFIG_A": "n"}, "n"},
		"several":         {irq[0], config.Values{"CONFIG_B": "y"}, "y"},
		"always":          {Driver{}, config.Values{}, "y"},
	} {
		if got := test.driver.In(test.config).Value; got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
		texts[name] = test.driver.Explain(test.config)
	}
	other := config.Values{"CONFIG_B": "n", "CONFIG_C": "y"}
	if got := x.For(devices.Device{Modaliases: []string{"of:NxT(null)Cmaker,irq"}}, other); len(got) != 1 || got[0].In(other).Value != "y" {
		t.Errorf("with another set of options: %v", got)
	}
	golden.Section(t, "messages.txt", texts)
	state := func(d devices.Device, c config.Values) devices.State {
		return State(devices.Served{Device: d}, x.For(d, c), c)
	}
	for _, test := range []struct {
		config config.Values
		want   devices.State
	}{
		{config.Values{"CONFIG_A": "y"}, devices.Unserved},
		{config.Values{"CONFIG_BUS": "y", "CONFIG_C": "y"}, devices.ByBuiltIn},
		{config.Values{"CONFIG_A": "y", "CONFIG_CHARGER": "m", "CONFIG_BUS": "y", "CONFIG_B": "y"}, devices.ByModule},
	} {
		if got := state(charger, test.config); got != test.want {
			t.Errorf("%v: %s, want %s", test.config, got, test.want)
		}
	}
}

func TestErrors(t *testing.T) {
	messages := map[string]string{}
	for name, text := range map[string]string{
		"empty":      "",
		"other text": "# CONFIG_X is not set\n",
		"alias":      indexHeader + "7.2.12\n of:N*T*Cx\n",
		"driver":     indexHeader + "7.2.12\ndriver ../a.c a CONFIG_A\n",
		"option":     indexHeader + "7.2.12\ndriver a.c a X\n",
		"cut off":    indexHeader + "7.2.12\ndriver a.c a CONFIG_A\n",
		"count":      indexHeader + "7.2.12\ndriver a.c a CONFIG_A\nend 2\n",
		"more":       indexHeader + "7.2.12\nend 0\ndriver a.c a CONFIG_A\n",
		"control":    indexHeader + "7.2.12\ndriver a.c a CONFIG_A\n \x1b[m\n",
		"long":       indexHeader + "7.2.12\ndriver a.c a CONFIG_A\n " + strings.Repeat("a", maxIndexLine),
	} {
		_, err := Read(strings.NewReader(text))
		if !errors.Is(err, ErrNotIndex) {
			t.Errorf("%s: error %v", name, err)
		}
		messages[name] = fmt.Sprint(err)
	}
	_, err := Scan(t.Context(), "dir", fstest.MapFS{"Makefile": {Data: []byte("all:\n")}})
	if !errors.Is(err, ErrNotSource) {
		t.Errorf("not a source: error %v", err)
	}
	messages["not a source"] = fmt.Sprint(err)
	golden.Section(t, "messages.txt", messages)
}

func FuzzSource(f *testing.F) {
	f.Add("obj-$(CONFIG_X) += x.o\nx-y := $(y-y)\n", "#define A(x, ...) x##1 __VA_ARGS__ #x\nstatic const struct of_device_id t[] = { A({ .compatible = \"a\" }) };\nMODULE_DEVICE_TABLE(of, t);")
	f.Add("ifdef\nendif\nelse", "/* \" */ '\"' // \\\n MODULE_ALIAS(\"a:b\");")
	f.Add("obj-y += ../a/ ./\n", "struct pci_device_id t[] = { { PCI_DEVICE(1, 2 } }; MODULE_DEVICE_TABLE(pci, t)")
	f.Fuzz(func(t *testing.T, makefile, code string) {
		source := files(headersOfTest)
		source["drivers/a/Makefile"] = &fstest.MapFile{Data: []byte(makefile + "\nobj-y += x.o\n")}
		source["drivers/a/x.c"] = &fstest.MapFile{Data: []byte(code)}
		x, err := Scan(t.Context(), "source", source)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := Write(&b, x); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(&b); err != nil {
			t.Errorf("what was written is not read: %v", err)
		}
	})
}

func FuzzRead(f *testing.F) {
	f.Add(indexHeader + "7.2.12\ndriver a.c a CONFIG_A,CONFIG_B\n of:N*T*Cx\nend 1\n")
	f.Fuzz(func(t *testing.T, text string) {
		x, err := Read(strings.NewReader(text))
		if err == nil {
			x.Match("of:NxT(null)Cx")
		} else if !errors.Is(err, ErrNotIndex) {
			t.Errorf("error without a class: %v", err)
		}
	})
}
