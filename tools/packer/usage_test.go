package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/cli/clitest"
	"github.com/rules-initramfs/rules_initramfs/internal/golden"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/write"
)

func TestHelp(t *testing.T) {
	texts := clitest.Help(t, newProgram)
	for _, command := range []string{"packer pack", "packer join"} {
		texts[command] = withoutViews(t, texts[command])
	}
	golden.Messages(t, "TestHelp.txt", texts)
	clitest.Examples(t, newProgram)
}

// withoutViews returns a help text without the options for views, which it fails to do for a view that
// the text does not have.
func withoutViews(t *testing.T, text string) string {
	t.Helper()
	for _, view := range write.Views() {
		option := regexp.MustCompile(`(?m)^  --write-` + view.Name + ` FILE  .*\n(?: {10,}.*\n)*`)
		found := option.FindString(text)
		if words := strings.Join(strings.Fields(found), " "); !strings.HasSuffix(words, "Write to FILE "+view.Doc()) {
			t.Errorf("--write-%s: %q, want the text %q", view.Name, words, view.Doc())
		}
		text = strings.Replace(text, found, "", 1)
	}
	return text
}

func TestOptions(t *testing.T) {
	values := map[string]string{
		"builtin":             "modules.builtin",
		"builtin-modinfo":     "modules.builtin.modinfo",
		"catalog":             "catalog",
		"certificate":         "signing.pem",
		"devices":             "board.dtb",
		"db":                  "db.pem",
		"dbx":                 "dbx.pem",
		"db-hash":             "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
		"dbx-hash":            "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
		"kek":                 "kek.pem",
		"key-owner":           "c12a7328-f81f-11d2-ba4b-00a0c93ec93b",
		"list":                "vars.fd",
		"pk":                  "pk.pem",
		"store":               "vars.fd",
		"disk-guid":           "c12a7328-f81f-11d2-ba4b-00a0c93ec93b",
		"label":               "ESP",
		"partition-guid":      "c12a7328-f81f-11d2-ba4b-00a0c93ec93b",
		"size":                "67108864",
		"exclude":             "net_failover",
		"firmware":            "firmware",
		"json":                "modules.json",
		"hash":                "sha512",
		"kernel":              "/",
		"cmdline":             "quiet",
		"cmdline-file":        "cmdline",
		"device-tree-auto":    "board.dtb",
		"hwids":               "board.json",
		"initramfs":           "initramfs",
		"microcode":           "microcode.cpio",
		"os-release":          "os-release",
		"pcr-public-key":      "pcr.pem",
		"pcr-signature":       "pcr.json",
		"profile":             "1", // a file of uki and a number of measure
		"sbat":                "sbat.csv",
		"section":             ".more=file",
		"splash":              "splash.bmp",
		"stub":                "linuxx64.efi.stub",
		"uname":               "7.2.0",
		"valid-on":            "2030-12-31",
		"key":                 "signing.key",
		"missing-firmware":    "iwlwifi=off",
		"module-catalog":      "layer.catalog",
		"module":              "driver.ko",
		"offer":               "driver.ko",
		"origin":              "//image:modules",
		"output":              "out",
		"prefix":              "usr/lib",
		"report":              "modules.txt",
		"signer":              "hsm-sign",
		"signer-arg":          "--slot=1",
		"system-map":          "System.map",
		"want":                "virtio_net",
		"write-catalog":       "catalog",
		"write-layer-catalog": "layer.catalog",
		"addon":               "one.addon.efi",
		"bank":                "sha384",
		"compatible":          "vendor,board",
		"contents":            "contents.json",
		"disk":                "disk.img",
		"event-log":           "log",
		"failures":            "2",
		"files":               "3",
		"golden":              "golden.json",
		"initrd":              "initrd",
		"load-options":        "quiet",
		"measured":            "measured.json",
		"guest-features":      "0x1",
		"vcpu-signature":      "0x800f12",
		"vcpu-type":           "EPYC-Milan",
		"vcpus":               "2",
		"pcrs":                "pcrs",
		"phase":               "enter-initrd",
		"public-key":          "pcr.pub",
		"update":              "bazel run //:update",
		"align":               "4096",
		"archive":             "modules.cpio",
		"aliases":             "modules.alias",
		"driver-index":        "drivers.index",
		"earlier":             "links",
		"owner":               "0:0",
		"whiteouts":           "apply",
		"apply":               "boot.conf",
		"base":                "0x10000000",
		"board":               "board",
		"boot-command":        "run boot",
		"boot-delay":          "0",
		"configuration":       "board=board,wifi",
		"default":             "board",
		"description":         "Linux",
		"device-tree":         "board=board.dtb",
		"dtb":                 "board.dtb",
		"dtb-offset":          "0x1f00000",
		"entry":               "0x80200000",
		"key-name":            "dev",
		"kernel-offset":       "0x8000",
		"load":                "0x80200000",
		"os-patch-level":      "2025-08",
		"os-version":          "15.0.0",
		"overlay":             "wifi=wifi.dtbo",
		"page-size":           "4096",
		"part":                "initramfs",
		"ramdisk":             "dlkm:modules=modules.cpio",
		"ramdisk-offset":      "0x1000000",
		"tags-offset":         "0x100",
		"ramdisk-load":        "0x88000000",
		"sign":                "board",
		"signature-hash":      "sha256",
		"timestamp":           "0",
		"type":                "script",
		"name":                "boot",
		"arch":                "arm64",
		"bootconfig":          "boot.conf",
		"build-outputs":       "out",
		"compress":            "zstd:3",
		"compressor":          "zstd",
		"compressor-arg":      "-19",
		"compressor-program":  "zstd",
		"config":              ".config",
		"error":               "setuid",
		"init":                "/sbin/init",
		"jobs":                "2",
		"libraries":           "rootfs.tar",
		"library-dlopen":      "required",
		"library-extra":       "nss",
		"library-feature":     "tpm2",
		"kernel-codecs":       "gzip,xz",
		"mtime":               "315532800",
		"off":                 "setuid",
		"origins":             "list",
		"out":                 "image",
		"prepend":             "microcode.cpio",
		"split":               "none",
		"var":                 "NAME=value",
		"warning":             "no-init",
		"write-contents":      "contents",
		"write-list":          "list",
	}
	for _, view := range write.Views() {
		values["write-"+view.Name] = view.Name
	}
	clitest.Options(t, newProgram, values)
}

// Wrong usage prints one line, exits with 2 and writes nothing.
func TestUsage(t *testing.T) {
	var messages map[string]string
	t.Run("messages", func(t *testing.T) { messages = testUsage(t) })
	golden.Messages(t, "TestUsage.txt", messages)
}

func testUsage(t *testing.T) (messages map[string]string) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("a.list", []byte("dir /a 0755 0 0\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	messages = clitest.Usage(t, newProgram,
		"unpack",
		"pakc",
		"pack",
		"pack a.list",
		"pack --out out",
		"pack --out out --ot a.list",
		"pack -out out a.list",
		"pack --out out --what a.list",
		"pack --out out --compess gzip a.list",
		"pack --out out --chunks none a.list",
		"pack a.list --out",
		"pack --out out --compress gzip --compressor gzip a.list",
		"pack --out out --mtime -1 a.list",
		"pack --out out --mtime 4294967296 a.list",
		"pack --out out --mtime now a.list",
		"pack --out out --var NAME a.list",
		"pack --out out --var =value a.list",
		"pack --out out --align 0 a.list",
		"pack --out out --align 2 a.list",
		"pack --out out --align 12 a.list",
		"pack --out out --align 4294967296 a.list",
		"pack --out out --owner root a.list",
		"pack --out out --owner 0 a.list",
		"pack --out out --whiteouts remove a.list",
		"pack --out out --split many a.list",
		"pack --out out --split 4095 a.list",
		"pack --out out --split 1073741825 a.list",
		"pack --out out --jobs 0 a.list",
		"pack --out out --jobs many a.list",
		"pack --out out --write-contents contents a.list",
		"join",
		"join a.cpio a.list",
		"join --out out",
		"join --out out a.cpio a.list b.cpio",
		"join --out out --tail",
		"join --out out --compress gzip --compressor gzip a.cpio a.list",
		"links a.list",
		"links --out out",
		"modules",
		"modules --kernel dir",
		"modules --kernel dir --output out",
		"modules --kernel dir --output out --offer a.ko --exclude a",
		"modules --kernel dir --output out virtio_net",
		"modules --kernel dir --output out --write-catalog catalog",
		"modules --kernel dir --catalog catalog --write-catalog catalog",
		"modules --kernel dir --output out --compress bzip2",
		"modules --kernel dir --output out --prefix opt",
		"modules --kernel dir --output out --missing-firmware maybe",
		"modules --kernel dir --output out --for-signing",
		"modules --kernel dir --output out --report r --json ./r",
		"modules --kernel dir --output out --devices d --report d",
		"fit",
		"fit --out out",
		"fit --out out --kernel Image --config f",
		"fit --out out --config f --part p",
		"fit --out Image --kernel Image",
		"fit --out out --kernel Image --device-tree board.dtb",
		"fit --out out --kernel Image --overlay b@d=board.dtb",
		"fit --out out --kernel Image --load here",
		"fit --out out --kernel Image --timestamp now",
		"fit --out out --kernel Image --configuration a --configuration b --compatible c",
		"fit --out out --kernel Image --configuration a --compatible b=c",
		"fit --out out --kernel Image --device-tree b=b.dtb --compatible c",
		"fit --out out --kernel Image --key k",
		"fit --out out --kernel Image --certificate c.pem",
		"fit --out out --kernel Image --certificate c.pem --key k --signer s",
		"fit --out out --kernel Image --certificate c.pem --key k --signature-hash md5",
		"fit --out out --kernel Image --certificate c@.pem --key k",
		"fit-sign --certificate c.pem --key k --out out",
		"fit-sign --certificate c.pem --key k --out a.itb a.itb",
		"fit-sign --certificate c.pem --key k --signer-arg a --out out a.itb",
		"fit-key --certificate c.pem --out a.dtb a.dtb",
		"fit-verify",
		"android-boot",
		"android-boot --kernel out --out out",
		"android-boot --os-version x --out out",
		"android-boot --os-patch-level x --out out",
		"android-vendor-boot",
		"android-vendor-boot --ramdisk a=b --out out",
		"android-vendor-boot --base 0xffffffff --out out",
		"uimage",
		"uimage --type script --arch arm64 --out out",
		"uimage --type script --arch arm64 --out a a",
		"uimage --type script --arch vax --out out a",
		"uimage --type script --arch arm64 --load 0x100000000 --out out a",
		"sign-modules",
		"sign-modules a.cpio",
		"sign-modules --certificate c.pem --out out a.cpio",
		"sign-modules --certificate c.pem --out out --key k --signer s a.cpio",
		"sign-modules --certificate c.pem --out out --key k a.cpio",
		"sign-modules --certificate c.pem --out out --key k --config f --hash sha512 a.cpio",
		"sign-modules --certificate c.pem --out out --key k --hash md5 a.cpio",
		"sign-modules --certificate c.pem --out out --key k --hash sha512 --signer-arg a a.cpio",
		"sign-modules --certificate c.pem --out out/../k --key k --hash sha512 a.cpio",
		"sign-modules --certificate c.pem --out a.cpio --key k --hash sha512 a.cpio",
		"efi-disk",
		"efi-disk a=b",
		"efi-disk --out out",
		"efi-disk --out out a",
		"efi-disk --out out =a",
		"efi-disk --out out a=",
		"efi-disk --out out --size 1000 a=b",
		"efi-disk --out out --size 64M a=b",
		"efi-disk --out out --mtime 0 a=b",
		"efi-disk --out out --disk-guid 1 a=b",
		"efi-disk --out out a=out",
		"efi-variables",
		"efi-variables --store vars",
		"efi-variables --store vars --out out a",
		"efi-variables --store vars --list vars",
		"efi-variables --list vars --pk a",
		"efi-variables --list vars --db-hash 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
		"efi-variables --store vars --out out --db-hash 1",
		"efi-variables --store vars --out ./vars --pk a",
		"efi-variables --store vars --out a --db a",
		"efi-variables --store vars --out out --key-owner me",
		"measure",
		"measure linux.efi",
		"measure --out linux.efi linux.efi",
		"measure --out out --disk out linux.efi",
		"measure --out out --bank md5 linux.efi",
		"measure --out out --profile 1000000 linux.efi",
		"measure --out out --failures -1 linux.efi",
		"measure-check",
		"measure-check --measured m",
		"measure-check --measured m --golden g --pcrs p",
		"measure-diff old",
		"measure-snp",
		"measure-snp OVMF.fd",
		"measure-snp --out out OVMF.fd",
		"measure-snp --vcpus 1 --out out OVMF.fd",
		"measure-snp --vcpus 0 --vcpu-type EPYC --out out OVMF.fd",
		"measure-snp --vcpus 1 --vcpu-type EPYC --vcpu-signature 0x800f12 --out out OVMF.fd",
		"measure-snp --vcpus 1 --vcpu-type EPYC-v0 --out out OVMF.fd",
		"measure-snp --vcpus 1 --vcpu-signature 1 --out out OVMF.fd",
		"measure-snp --vcpus 1 --vcpu-type EPYC --guest-features 0x20 --out out OVMF.fd",
		"measure-snp --vcpus 1 --vcpu-type EPYC --cmdline quiet --out out OVMF.fd",
		"measure-snp --vcpus 1 --vcpu-type EPYC --out OVMF.fd OVMF.fd",
		"pcr-sign",
		"pcr-sign linux.efi",
		"pcr-sign --out out linux.efi",
		"pcr-sign --out out --public-key p linux.efi",
		"pcr-sign --out out --public-key p --certificate c --key k linux.efi",
		"pcr-sign --out out --public-key p --key k --signer s linux.efi",
		"pcr-sign --out out --public-key p --key k --signer-arg a linux.efi",
		"pcr-sign --out out --public-key p --key k --bank md5 linux.efi",
		"pcr-sign --out k --public-key p --key k linux.efi",
		"devices --out board.dtb board.dtb",
		"depmod",
		"depmod a b",
		"depmod --system-map",
		"concat",
		"concat a.cpio",
		"concat --out out",
		"bootconfig",
		"bootconfig --apply boot.conf image",
		"bootconfig --apply boot.conf --remove --out out image",
		"bootconfig --out out image",
		"uki",
		"uki --stub stub",
		"uki --stub stub --kernel kernel",
		"uki --stub stub --kernel kernel --out out a.cpio",
		"uki --stub stub --profile profile --kernel kernel --out out",
		"uki --stub stub --kernel kernel --out out --arch z80",
		"uki --stub stub --kernel kernel --out out --section .more",
		"uki --stub stub --kernel kernel --out out --cmdline a --cmdline-file b",
		"uki --stub stub --kernel kernel --out out/../kernel",
		"sign-efi",
		"sign-efi a.efi",
		"sign-efi --certificate c.pem --out out a.efi",
		"sign-efi --certificate c.pem --out out --key k --signer s a.efi",
		"sign-efi --certificate c.pem --out out --key k --signer-arg a a.efi",
		"sign-efi --certificate c.pem --out out --key k --valid-on tomorrow a.efi",
		"sign-efi --certificate c.pem --out a.efi --key k a.efi",
		"ls",
		"ls --names --json image",
		"ls --members image path",
		"ls --members --names image",
		"ls --member image",
		"cat",
		"cat image",
		"extract image",
		"extract image dir another",
		"diff a",
		"diff a b c",
		"lint",
		"lint --list-rules image",
		"lint --config config --kernel-codecs gzip image",
		"devices",
		"devices --config .config board.dtb",
		"devices --unserved board.dtb",
		"driver-index",
		"driver-index a b",
		"gen_init_cpio",
		"gen_init_cpio a.list a.list",
		"gen_init_cpio -t 5x a.list",
		"gen_init_cpio -a 6 a.list",
		"gen_init_cpio -x a.list",
		"gen_init_cpio a.list -t",
		"gen_initramfs -x",
		"gen_initramfs -",
		"gen_initramfs a.list -o",
		"gen_initramfs -u root a.list",
		"gen_initramfs -d tomorrow a.list",
	)
	// The texts about these values are those of the packages that read them.
	for _, wrong := range []struct{ command, option, value, want string }{
		{"pack", "compress", "zip", `"zip".* gzip, zstd, .*none`},
		{"pack", "compress", "gzip:10", `"10".* 1 to 9`},
		{"pack", "compress", "none:1", `none`},
		{"pack", "compressor", "", ``},
		{"pack", "compressor", `zstd "-19`, `quote`},
		{"lint", "off", "setuid,what", `"what".* no-trailer, codec, .*, odd-name`},
		{"lint", "error", "what", `"what".* unpack, no-trailer, codec, .*, odd-name`},
		{"lint", "warning", "what", `"what".* no-trailer, codec, .*, odd-name`},
		{"lint", "off", "unpack", ` unpack `},
		{"lint", "arch", "z80", `"z80".* x86_64, `},
		{"lint", "kernel-codecs", "zip", `"zip".* gzip, zstd, `},
	} {
		result := clitest.Run(newProgram(), wrong.command, "a.list", "--"+wrong.option, wrong.value)
		want := regexp.MustCompile("^packer: option --" + wrong.option + ": .*" + wrong.want + ".*\n$")
		if result.Code != 2 || !want.MatchString(result.Stderr) {
			t.Errorf("--%s %s: %+v, want exit code 2 and %s", wrong.option, wrong.value, result, want)
		}
	}
	if got := names(t); got != "a.list" {
		t.Errorf("files written: %s", got)
	}
	return messages
}

// The names of links select the commands that replace the kernel's tools.
func TestLinks(t *testing.T) {
	var commands []string
	for _, cmd := range newProgram().Commands() {
		commands = append(commands, cmd.Name())
	}
	for link, command := range links {
		if !slices.Contains(commands, command) {
			t.Errorf("%s runs %s, which is not a command", link, command)
		}
	}
}
