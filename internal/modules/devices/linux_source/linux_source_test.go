// Package linux_source_test finds drivers in the source of a whole kernel, and compares some of
// them with what people have found there.
package linux_source_test

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bazelbuild/rules_go/go/runfiles"

	"github.com/rules-initramfs/rules_initramfs/internal/golden"
	"github.com/rules-initramfs/rules_initramfs/internal/kbuild/source"
	"github.com/rules-initramfs/rules_initramfs/internal/modules/devices/drivers"
)

// linux returns the source that LINUX_SOURCE names: a directory or a tarball.
func linux(t *testing.T) fs.FS {
	t.Helper()
	name := os.Getenv("LINUX_SOURCE")
	if name == "" {
		t.Skip("needs the kernel's source: set LINUX_SOURCE to its tar archive or its directory")
	}
	if !filepath.IsAbs(name) {
		var err error
		if name, err = runfiles.Rlocation(name); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := os.Stat(name); err != nil {
		t.Fatal(err)
	} else if info.IsDir() {
		return os.DirFS(name)
	}
	dir := t.TempDir()
	if _, err := source.Unpack(t.Context(), name, dir, exec.LookPath); err != nil {
		t.Fatal(err)
	}
	return os.DirFS(dir)
}

// checked are compatible strings whose drivers were looked up by hand: the table in the C file,
// and the lines of the Kbuild files from there up. Some have no driver in C.
var checked = []string{
	// Raspberry Pi 4
	"brcm,bcm2711-genet-v5", "brcm,bcm2835-sdhci", "brcm,bcm2711-emmc2", "brcm,bcm2711-thermal", "brcm,bcm2711-hdmi0",
	"brcm,bcm2711-rng200", "brcm,bcm2835-i2c", "raspberrypi,firmware-reset", "brcm,2711-v3d",
	// The core of ARM machines
	"arm,gic-400", "arm,armv8-timer", "arm,cortex-a72-pmu", "fixed-clock", "regulator-fixed", "gpio-leds", "gpio-keys",
	"pwm-backlight", "virtio,mmio",
	// Qualcomm
	"qcom,geni-i2c", "qcom,sdm845-pinctrl", "qcom,sdm845-mdss", "qcom,adreno", "qcom,wcn3990-bt", "qcom,sc7280-lpass-cpu",
	"qcom,ufshc", "qcom,pm8941-rtc", "qcom,spmi-pmic-arb", "qcom,sdm845-mss-pil", "qcom,rmtfs-mem", "qcom,smem", "snps,dwc3",
	// Chips on boards
	"ti,bq25890", "ti,tmp102", "st,m41t00", "dallas,ds1307", "jedec,spi-nor", "nxp,pca9450a", "nxp,pcf8563", "realtek,rtl8366rb",
	"goodix,gt911", "atmel,maxtouch", "invensense,mpu6050", "bosch,bme680", "sitronix,st7789v",
	// Other makers
	"rockchip,rk3399-gru-sound", "allwinner,sun50i-a64-emac", "marvell,armada-3700-neta", "ti,am654-cpsw-nuss",
	// Without a driver of their own
	"qcom,q6v5-mpss-pil", "rockchip,rk3399-dw-mshc", "amlogic,meson-gxl-dwmac", "microchip,lan9303-i2c",
}

func TestDrivers(t *testing.T) {
	index, err := drivers.Scan(t.Context(), "source", linux(t))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, compatible := range checked {
		var texts []string
		for _, d := range index.Match("of:NxT(null)C" + compatible) {
			text := fmt.Sprintf("%s %s", d.Module, strings.Join(d.Options, " "))
			// Options of the directory may be alternatives: one line for each module.
			if !slices.ContainsFunc(texts, func(other string) bool { return strings.HasPrefix(other, d.Module+" ") }) {
				texts = append(texts, text)
			}
		}
		if texts == nil {
			texts = []string{"none"}
		}
		for _, text := range texts {
			fmt.Fprintf(&b, "%s: %s\n", compatible, text)
		}
	}
	golden.Text(t, "checked.txt", b.String())
}
