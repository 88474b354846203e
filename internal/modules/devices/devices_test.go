package devices

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rules-initramfs/rules_initramfs/internal/fdt"
	"github.com/rules-initramfs/rules_initramfs/internal/golden"
)

// node returns a node; a property is NAME=VALUE, where strings of the value end with "|" and a
// number begins with "#".
func node(name string, properties string, children ...*fdt.Node) *fdt.Node {
	n := &fdt.Node{Name: name, Children: children}
	for _, p := range strings.Fields(properties) {
		name, value, _ := strings.Cut(p, "=")
		content := []byte(strings.ReplaceAll(value, "|", "\x00"))
		var number uint32
		if _, err := fmt.Sscanf(value, "#%x", &number); err == nil {
			content = binary.BigEndian.AppendUint32(nil, number)
		}
		n.Properties = append(n.Properties, fdt.Property{Name: name, Value: content})
	}
	return n
}

func tree(children ...*fdt.Node) *fdt.Tree {
	return &fdt.Tree{Root: node("", "compatible=maker,board|", children...)}
}

func TestFromTree(t *testing.T) {
	spaced := node("lamp", "")
	spaced.Properties = []fdt.Property{{Name: "compatible", Value: []byte("maker,a b c\x00d e\x00")}}
	for name, test := range map[string]struct {
		tree *fdt.Tree
		want []Device
	}{
		"order, type and bus": {
			tree(
				node("timer", "compatible=arm,armv8-timer|"),
				node("soc", "compatible=simple-bus|",
					node("serial@100", "compatible=maker,uart|ns16550a| device_type=serial|"))),
			[]Device{
				{Path: "/timer", Bus: Platform, Modaliases: []string{"of:NtimerT(null)Carm,armv8-timer"}},
				{Path: "/soc", Bus: Platform, Modaliases: []string{"of:NsocT(null)Csimple-bus"}, Generic: true},
				{Path: "/soc/serial@100", Bus: Platform, Modaliases: []string{"of:NserialTserialCmaker,uartCns16550a"}},
			},
		},
		"spaces": {tree(spaced), []Device{
			{Path: "/lamp", Bus: Platform, Modaliases: []string{"of:NlampT(null)Cmaker,a_b_cCd_e"}}}},
		"status": {
			tree(
				node("a@1", "compatible=a,1| status=okay|"),
				node("a@2", "compatible=a,1| status=ok|"),
				node("a@3", "compatible=a,1| status=disabled|", node("b", "compatible=b|")),
				node("a@4", "compatible=a,1| status=fail|"),
				node("a@5", "compatible=a,1| status=reserved|"),
				node("a@6", "compatible=a,1| status=okay"),
				node("a@7", "compatible=a,1| status=")),
			[]Device{
				{Path: "/a@1", Bus: Platform, Modaliases: []string{"of:NaT(null)Ca,1"}},
				{Path: "/a@2", Bus: Platform, Modaliases: []string{"of:NaT(null)Ca,1"}},
			},
		},
		"not devices": {
			tree(
				node("cpus", "", node("cpu@0", "compatible=arm,cortex-a72| device_type=cpu|")),
				node("memory@0", "device_type=memory|"),
				node("opp-table", "compatible=maker,opp|operating-points-v2|", node("x", "compatible=y|")),
				node("reserved-memory", "",
					node("cma", "compatible=shared-dma-pool|"), node("log", "compatible=ramoops|")),
				node("chosen", "",
					node("module", "compatible=multiboot,module|"), node("framebuffer@0", "compatible=simple-framebuffer|"))),
			[]Device{
				{Path: "/reserved-memory/log", Bus: Platform, Modaliases: []string{"of:NlogT(null)Cramoops"}},
				{Path: "/chosen/framebuffer@0", Bus: Platform, Modaliases: []string{"of:NframebufferT(null)Csimple-framebuffer"}},
			},
		},
		"i2c and spi": {
			tree(
				node("i2c@1", "", node("rtc@68", "compatible=dallas,ds1307|st,m41t00|")),
				node("spi@1", "", node("flash@0", "compatible=winbond,w25q128|jedec,spi-nor|"), node("x@1", "compatible=spidev|"))),
			[]Device{
				{Path: "/i2c@1/rtc@68", Bus: I2C, Modaliases: []string{"of:NrtcT(null)Cdallas,ds1307Cst,m41t00", "i2c:ds1307"}},
				{Path: "/spi@1/flash@0", Bus: SPI, Modaliases: []string{"spi:w25q128", "of:NflashT(null)Cwinbond,w25q128Cjedec,spi-nor"}},
				{Path: "/spi@1/x@1", Bus: SPI, Modaliases: []string{"spi:spidev", "of:NxT(null)Cspidev"}},
			},
		},
		"mdio": {
			tree(node("ethernet@1", "", node("mdio", "",
				node("ethernet-phy@1", "reg=#1"),
				node("ethernet-phy@2", "compatible=ethernet-phy-id0022.1640| reg=#2"),
				node("ethernet-phy@3", "compatible=ethernet-phy-ieee802.3-c22| reg=#3"),
				node("switch@4", "compatible=maker,switch| reg=#4"),
				node("leds", "")))),
			[]Device{
				{Path: "/ethernet@1/mdio/ethernet-phy@1", Bus: MDIO},
				{Path: "/ethernet@1/mdio/ethernet-phy@2", Bus: MDIO, Modaliases: []string{"mdio:00000000001000100001011001000000"}},
				{Path: "/ethernet@1/mdio/ethernet-phy@3", Bus: MDIO},
				{Path: "/ethernet@1/mdio/switch@4", Bus: MDIO, Modaliases: []string{"of:NswitchT(null)Cmaker,switch"}},
			},
		},
		"amba": {
			tree(
				node("a@1", "compatible=arm,pl011|arm,primecell|"),
				node("a@2", "compatible=arm,pl011|arm,primecell| arm,primecell-periphid=#241011"),
				node("a@3", "compatible=arm,coresight-tmc|arm,primecell|")),
			[]Device{
				{Path: "/a@1", Bus: AMBA, Modaliases: []string{"amba:d00041011"}},
				{Path: "/a@2", Bus: AMBA, Modaliases: []string{"amba:d00241011"}},
				{Path: "/a@3", Bus: AMBA},
			},
		},
		"soundwire": {
			tree(node("soundwire@1", "compatible=maker,bus|", node("speaker@0,1", "compatible=sdw10217020200|"))),
			[]Device{
				{Path: "/soundwire@1", Bus: Platform, Modaliases: []string{"of:NsoundwireT(null)Cmaker,bus"}},
				{Path: "/soundwire@1/speaker@0,1", Bus: SoundWire, Modaliases: []string{"sdw:m0217p0202v01c00"}},
			},
		},
		"pci, usb and mmc": {
			tree(
				node("pcie@1", "device_type=pci|", node("wifi@0,0", "compatible=pci17cb,1103| firmware-name=ath11k/a.bin|")),
				node("usb@1", "", node("usbether@1", "compatible=usb424,ec00|")),
				node("mmc@1", "", node("wifi@1", "compatible=brcm,bcm4329-fmac|"))),
			[]Device{
				{Path: "/pcie@1/wifi@0,0", Bus: PCI, FirmwareNames: []string{"ath11k/a.bin"},
					Modaliases: []string{"pci:v000017CBd00001103sv00000000sd00000000bc00sc00i00", "of:NwifiT(null)Cpci17cb,1103"}},
				{Path: "/usb@1/usbether@1", Bus: USB,
					Modaliases: []string{"usb:v0424pEC00d0000dc00dsc00dp00ic00isc00ip00in00", "of:NusbetherT(null)Cusb424,ec00"}},
				{Path: "/mmc@1/wifi@1", Bus: MMC},
			},
		},
		"firmware of nodes below": {
			tree(node("gpu@1", "compatible=qcom,adreno| firmware-name=a|b|",
				node("zap-shader", "firmware-name=zap.mbn|b|"), node("off", "firmware-name=c| status=disabled|"))),
			[]Device{{Path: "/gpu@1", Bus: Platform, Modaliases: []string{"of:NgpuT(null)Cqcom,adreno"},
				FirmwareNames: []string{"a", "b", "zap.mbn"}}},
		},
		"generic": {
			tree(
				node("a", "compatible=maker,regs|syscon|"), node("b", "compatible=syscon|simple-mfd|"),
				node("c", "compatible=maker,bus|simple-bus|")),
			[]Device{
				{Path: "/a", Bus: Platform, Modaliases: []string{"of:NaT(null)Cmaker,regsCsyscon"}},
				{Path: "/b", Bus: Platform, Modaliases: []string{"of:NbT(null)CsysconCsimple-mfd"}, Generic: true},
				{Path: "/c", Bus: Platform, Modaliases: []string{"of:NcT(null)Cmaker,busCsimple-bus"}, Generic: true},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := FromTree(test.tree)
			if err != nil {
				t.Fatal(err)
			}
			for i := range got {
				got[i].Compatible = nil // the modaliases have them
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestFromTreeErrors(t *testing.T) {
	deep := node("x", "")
	for range 5 {
		deep = node(strings.Repeat("x", 300), "compatible=a|", deep)
	}
	messages := map[string]string{}
	for name, test := range map[string]struct {
		tree *fdt.Tree
		want error
	}{
		"overlay":    {tree(node("fragment@0", "", node("__overlay__", ""))), ErrOverlay},
		"long path":  {tree(deep), fdt.ErrDamaged},
		"compatible": {tree(node("a", "compatible="+strings.Repeat("a|", 300))), fdt.ErrDamaged},
		"firmware":   {tree(node("a", "compatible=a| firmware-name="+strings.Repeat("a|", 300))), fdt.ErrDamaged},
	} {
		_, err := FromTree(test.tree)
		if !errors.Is(err, test.want) {
			t.Errorf("%s: error %v, want %v", name, err, test.want)
		}
		messages[name] = fmt.Sprint(err)
	}
	golden.Section(t, "errors.txt", messages)
}

func TestParseList(t *testing.T) {
	got, err := Parse("laptop", []byte(`# ThinkPad
pci:v00008086d000046A6sv000017AAsd000022E7bc03sc00i00

acpi:PNP0C0A:
pci:v00008086d000046A6sv000017AAsd000022E7bc03sc00i00
/sys/devices/pci0000:00/0000:00:02.0/modalias:pci:v00008086d000046A6sv000017AAsd000022E7bc03sc00i00
/sys/devices/platform/a/modalias: of:NaT(null)Cb
/sys/devices/platform/a  of:NaT(null)Cb
/sys/devices/virtual/dmi/id/modalias dmi:bvnLENOVO:bvrX:
cpu:type:x86,ven0000fam0006mod009A:feature:,0000,0001`+"\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	gpu := "pci:v00008086d000046A6sv000017AAsd000022E7bc03sc00i00"
	want := []Device{
		{Modaliases: []string{gpu}},
		{Modaliases: []string{"acpi:PNP0C0A:"}},
		{Path: "/sys/devices/pci0000:00/0000:00:02.0", Modaliases: []string{gpu}},
		{Path: "/sys/devices/platform/a", Modaliases: []string{"of:NaT(null)Cb"}},
		{Path: "/sys/devices/virtual/dmi/id", Modaliases: []string{"dmi:bvnLENOVO:bvrX:"}},
		{Modaliases: []string{"cpu:type:x86,ven0000fam0006mod009A:feature:,0000,0001"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestParseErrors(t *testing.T) {
	messages := map[string]string{}
	for name, test := range map[string]struct {
		file, data string
		want       error
	}{
		"empty":        {"list", "", ErrNotDescription},
		"comments":     {"list", "# nothing\n", ErrNotDescription},
		"word":         {"list", "a:b\nvirtio_net\n", ErrNotDescription},
		"space":        {"list", "pci: v0001", ErrNotDescription},
		"path only":    {"list", "/sys/devices/a/modalias", ErrNotDescription},
		"control":      {"list", "pci:\x1b[31m", ErrNotDescription},
		"ELF":          {"list", "\x7fELF\x02\x01\x01\x00", ErrNotDescription},
		"long line":    {"list", "a:" + strings.Repeat("b", maxModalias), ErrNotDescription},
		"source":       {"board.dts", "/dts-v1/;\n/ { };\n", ErrNotDescription},
		"not a tree":   {"board.dtb", "pci:v0001", fdt.ErrNotDeviceTree},
		"damaged tree": {"board", "\xd0\x0d\xfe\xed", fdt.ErrDamaged},
	} {
		_, err := Parse(test.file, []byte(test.data))
		if !errors.Is(err, test.want) || !strings.HasPrefix(fmt.Sprint(err), test.file+": ") {
			t.Errorf("%s: error %v, want %v", name, err, test.want)
		}
		messages[name] = fmt.Sprint(err)
	}
	golden.Section(t, "errors.txt", messages)
}

// kernel is a Matcher with whole modaliases.
type kernel struct{ modules, builtIn map[string][]string }

func (k kernel) Modules(modalias string) []string { return k.modules[modalias] }
func (k kernel) BuiltIn(modalias string) []string { return k.builtIn[modalias] }

func TestServe(t *testing.T) {
	devices := []Device{
		{Path: "/both", Modaliases: []string{"spi:a", "of:a"}},
		{Path: "/built-in", Modaliases: []string{"of:b"}},
		{Path: "/none", Modaliases: []string{"of:c"}},
		{Path: "/bus", Modaliases: []string{"of:d"}, Generic: true},
		{Path: "/driven bus", Modaliases: []string{"of:b"}, Generic: true},
		{Path: "/phy"},
	}
	served := Serve(devices, kernel{
		modules: map[string][]string{"spi:a": {"m2", "m1"}, "of:a": {"m1"}},
		builtIn: map[string][]string{"of:a": {"b"}, "of:b": {"b"}},
	})
	type row struct {
		State            State
		Modules, BuiltIn []string
	}
	var got []row
	for i, s := range served {
		if s.Path != devices[i].Path {
			t.Errorf("device %d is %s", i, s.Path)
		}
		got = append(got, row{s.State(), s.Modules, s.BuiltIn})
	}
	want := []row{
		{ByModule, []string{"m1", "m2"}, []string{"b"}},
		{ByBuiltIn, nil, []string{"b"}},
		{Unserved, nil, nil},
		{Generic, nil, nil},
		{ByBuiltIn, nil, []string{"b"}},
		{Unknown, nil, nil},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("list", []byte("pci:v00008086d000046A6sv000017AAsd000022E7bc03sc00i00\n# x\n/sys/a/modalias:of:NaT(null)Cb\n"))
	f.Add("board.dtb", []byte("\xd0\x0d\xfe\xed"))
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		devices, err := Parse(name, data)
		if err != nil {
			if len(devices) > 0 {
				t.Errorf("%d devices and an error", len(devices))
			}
			return
		}
		if len(devices) > maxDevices {
			t.Errorf("%d devices", len(devices))
		}
		for _, d := range devices {
			if len(d.Path) > maxModalias {
				t.Errorf("a path of %d bytes", len(d.Path))
			}
		}
	})
}

func TestKernel(t *testing.T) {
	var k Kernel
	err := errors.Join(
		k.ReadAliases(strings.NewReader("# Aliases extracted from modules themselves.\nalias i2c:a m1\nalias of:N*T*Ca m2\nalias platform:a sound card m3\n\n")),
		k.ReadBuiltIn(strings.NewReader("b1.license=GPL\x00b1.alias=of:N*T*Cb\x00b1.alias=of:N*T*CbC*\x00")))
	if err != nil {
		t.Fatal(err)
	}
	for modalias, want := range map[string][]string{
		"of:NxT(null)Ca": {"m2"}, "i2c:a": {"m1"}, "platform:a sound card": {"m3"}, "of:NxT(null)Cb": nil,
	} {
		if diff := cmp.Diff(want, k.Modules(modalias)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", modalias, diff)
		}
	}
	if diff := cmp.Diff([]string{"b1"}, k.BuiltIn("of:NxT(null)CbCc")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestKernelErrors(t *testing.T) {
	messages := map[string]string{}
	aliases := func(k *Kernel, text string) error { return k.ReadAliases(strings.NewReader(text)) }
	builtIn := func(k *Kernel, text string) error { return k.ReadBuiltIn(strings.NewReader(text)) }
	for name, test := range map[string]struct {
		read func(*Kernel, string) error
		text string
		want error
	}{
		"aliases: softdep":   {aliases, "softdep a pre: b\n", ErrAliases},
		"aliases: no module": {aliases, "# x\nalias pci:v\n", ErrAliases},
		"aliases: long":      {aliases, "alias " + strings.Repeat("a", maxField), ErrAliases},
		"builtin: text":      {builtIn, "kernel/a.ko\n", ErrModinfo},
		"builtin: no key":    {builtIn, "a=b\x00", ErrModinfo},
		"builtin: no value":  {builtIn, "a.alias\x00", ErrModinfo},
		"builtin: long":      {builtIn, "a.alias=" + strings.Repeat("a", maxField), ErrModinfo},
	} {
		err := test.read(&Kernel{}, test.text)
		if !errors.Is(err, test.want) {
			t.Errorf("%s: error %v, want %v", name, err, test.want)
		}
		messages[name] = fmt.Sprint(err)
	}
	golden.Section(t, "errors.txt", messages)
}

func FuzzKernel(f *testing.F) {
	f.Add("alias of:N*T*Ca m\n", "b.alias=of:N*T*Cb\x00")
	f.Fuzz(func(t *testing.T, aliases, builtIn string) {
		var k Kernel
		if err := k.ReadAliases(strings.NewReader(aliases)); err != nil && !errors.Is(err, ErrAliases) {
			t.Errorf("error without a class: %v", err)
		}
		if err := k.ReadBuiltIn(strings.NewReader(builtIn)); err != nil && !errors.Is(err, ErrModinfo) {
			t.Errorf("error without a class: %v", err)
		}
		k.Modules("of:NxT(null)Ca")
	})
}
