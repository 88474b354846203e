package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/cli"
	"github.com/rules-initramfs/rules_initramfs/internal/golden"
	"github.com/rules-initramfs/rules_initramfs/internal/kbuild/snapshot"
)

// testdata has keys and certificates.
const testdata = "../../internal/modules/signature/testdata/"

// trailer is an archive with nothing in it.
var trailer = "07070100000000000000000000000000000000000000010000000000000000000000000000000000000000000000000000000B00000000TRAILER!!!\x00\x00\x00\x00"

// stderr runs a command and returns its exit code and its messages.
func stderr(t *testing.T, args ...string) (code int, message string) {
	t.Helper()
	var out bytes.Buffer
	code = cli.Run(newProgram(), args, io.Discard, &out)
	return code, out.String()
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	name = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// programs makes a directory with programs that fail.
func programs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"gcc", "ld", "make", "flex", "bison", "bc"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\nexit 1\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// objects makes a snapshot of a kernel with a configuration.
func objects(t *testing.T, config string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{".config": config, "usr/Makefile": ""} {
		name = filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if err := snapshot.Pack(&out, snapshot.Objects, dir, "x86_64", []string{".config", "usr/Makefile"}); err != nil {
		t.Fatal(err)
	}
	return write(t, "objects", out.String())
}

func TestLinkErrors(t *testing.T) {
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	if _, err := io.WriteString(w, trailer); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	gzipped := z.String()
	sound := "CONFIG_BLK_DEV_INITRD=y\nCONFIG_RD_GZIP=y\n"
	messages := map[string]string{}
	for _, test := range []struct {
		name, arch, config, archive string
		want                        string // what the message is about
	}{
		{"no archive", "x86_64", sound, "hello", "archive: not an initramfs that a kernel unpacks: byte 0: "},
		{"cut off", "x86_64", sound, trailer[:60], "archive: not an initramfs that a kernel unpacks: byte 60 "},
		{"boot configuration", "x86_64", sound, trailer + "a=1\x00\x04\x00\x00\x00\xcf\x00\x00\x00#BOOTCONFIG\n", "archive: "},
		{"codec", "x86_64", "CONFIG_BLK_DEV_INITRD=y\n", gzipped, "CONFIG_RD_GZIP"},
		{"no initramfs", "x86_64", "", trailer, "CONFIG_BLK_DEV_INITRD"},
		{"other architecture", "riscv64", sound, trailer, "objects: "},
		{"unknown architecture", "vax", sound, trailer, "\"vax\""},
		{"kbuild fails", "x86_64", sound, trailer, "kernel: kbuild failed (make --old-file=tools/objtool --old-file=tools/bpf/resolve_btfids bzImage: exit status 1):\nkernel: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir, work := t.TempDir(), t.TempDir()
			image := filepath.Join(dir, "image")
			code, message := stderr(t, "link", "--arch", test.arch, "--path", programs(t), "--work", work,
				"--objects", objects(t, test.config), "--initramfs", write(t, "archive", test.archive), "--image", image)
			if code != 1 || !strings.Contains(message, test.want) {
				t.Errorf("exit code %d: %q, want 1 and %q", code, message, test.want)
			}
			messages[test.name] = withoutDirs(message)
			if _, err := os.Stat(image); err == nil {
				t.Error("there is an image")
			}
			if left, err := os.ReadDir(work); err != nil || len(left) > 0 {
				t.Errorf("files left: %v, %v", left, err)
			}
		})
	}
	keep(messages, "boot configuration")
	golden.Messages(t, "TestLinkErrors.txt", messages)
}

// withoutDirs removes the names of temporary directories from a message.
func withoutDirs(message string) string {
	return regexp.MustCompile(`[^ "]*/\d{3}(/|\b)`).ReplaceAllString(message, "")
}

// keep removes the messages of other packages, which test theirs.
func keep(messages map[string]string, names ...string) {
	maps.DeleteFunc(messages, func(name, _ string) bool { return !slices.Contains(names, name) })
}

func TestCompileErrors(t *testing.T) {
	messages := map[string]string{}
	for _, test := range []struct {
		name string
		args []string
		want string
	}{
		{"no tarball", []string{"--source", write(t, "linux.tar.xz", "hello"), "--defconfig", "tinyconfig"},
			"linux.tar.xz: "},
		{"fragment", []string{"--source", "x", "--defconfig", "tinyconfig", "--fragment", write(t, "f", "CONFIG_A=y\nB=y\n")},
			"f:2: "},
		{"initramfs", []string{"--source", "x", "--defconfig", "tinyconfig", "--fragment", write(t, "f", "CONFIG_INITRAMFS_SOURCE=\"a.cpio\"\n")},
			"f:1: CONFIG_INITRAMFS_SOURCE: "},
		{"blank in path", []string{"--source", "x", "--defconfig", "tinyconfig", "--work", "/a b"},
			"\"/a b\": "},
		{"modules", []string{"--source", "x", "--defconfig", "tinyconfig", "--modules", filepath.Dir(write(t, "f", ""))},
			" is not empty"},
		{"certificate and key", []string{"--source", "x", "--defconfig", "tinyconfig", "--module-certificate", testdata + "rsa.key"},
			"rsa.key: "},
		{"no certificate", []string{"--source", "x", "--defconfig", "tinyconfig", "--trusted-certificates", testdata + "module"},
			"module: "},
		{"key in a fragment", []string{"--source", "x", "--defconfig", "tinyconfig", "--module-certificate", testdata + "rsa.pem", "--fragment", write(t, "f", "CONFIG_MODULE_SIG_KEY=\"a\"\n")},
			"f:1: CONFIG_MODULE_SIG_KEY: "},
		{"no source", []string{"--source", "/nonexistent/linux.tar", "--defconfig", "tinyconfig"},
			"open /nonexistent/linux.tar: no such file or directory"},
	} {
		t.Run(test.name, func(t *testing.T) {
			args := append([]string{"compile", "--arch", "x86_64", "--path", programs(t), "--work", t.TempDir()}, test.args...)
			code, message := stderr(t, args...)
			if code != 1 || !strings.Contains(message, test.want) {
				t.Errorf("exit code %d: %q, want 1 and %q", code, message, test.want)
			}
			messages[test.name] = withoutDirs(message)
		})
	}
	keep(messages, "initramfs", "blank in path", "modules")
	golden.Messages(t, "TestCompileErrors.txt", messages)
}

// tinyKernel makes the source of a kernel whose kbuild writes a line into each result.
func tinyKernel(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "linux.tar")
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	w := tar.NewWriter(file)
	for _, f := range [][2]string{
		{"Makefile", "tinyconfig olddefconfig usr/:\n\t@touch .config\n" +
			"bzImage modules:\n\t@mkdir -p arch/x86/boot include/config\n" +
			"\t@for f in arch/x86/boot/bzImage vmlinux System.map Module.symvers include/config/kernel.release; do echo 1 >$$f; done\n" +
			"\t@{ echo 1; cat /dev/null $(wildcard certs/module_certificate.pem) $(wildcard certs/trusted_certificates.pem); } >arch/x86/boot/bzImage\n" +
			"modules_install:\n\t@mkdir -p $(INSTALL_MOD_PATH)/lib/modules/1; echo 1 >$(INSTALL_MOD_PATH)/lib/modules/1/x.ko\n"},
		{"Kbuild", ""}, {"Kconfig", ""}, {"scripts/kconfig/Makefile", ""}, {"usr/Makefile", ""}, {"arch/x86/Makefile", ""},
	} {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: "linux-1/" + f[0], Mode: 0o644, Size: int64(len(f[1]))}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, f[1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return name
}

// tools returns a PATH with make, and compilers that fail.
func tools(t *testing.T) string {
	t.Helper()
	makeProgram, err := exec.LookPath("make")
	if err != nil {
		t.Skip("needs make: apt-get install make")
	}
	path := programs(t)
	if err := errors.Join(os.Remove(filepath.Join(path, "make")), os.Symlink(makeProgram, filepath.Join(path, "make"))); err != nil {
		t.Fatal(err)
	}
	return path + ":/usr/bin:/bin"
}

// All results exist or, if one of them cannot be written, none.
func TestCompileResults(t *testing.T) {
	path := tools(t)
	results := []string{"System.map", "config", "image", "module-tree", "objects", "release", "symvers", "vmlinux"}
	modules := "modules/lib/modules/1/x.ko"
	for _, test := range []struct {
		name, unwritable string
		code             int
		left             []string
	}{
		{"all", "", 0, append(slices.Clone(results), modules)},
		{"no objects", "objects", 1, nil},
		{"no module tree", "module-tree", 1, nil},
		{"no release", "release", 1, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir, work := t.TempDir(), t.TempDir()
			args := []string{"compile", "--arch", "x86_64", "--path", path, "--work", work, "--source", tinyKernel(t),
				"--defconfig", "tinyconfig", "--fragment", write(t, "f", "CONFIG_MODULES=y\n"), "--modules", filepath.Join(dir, "modules")}
			for _, result := range results {
				file := filepath.Join(dir, result)
				if result == test.unwritable {
					file = filepath.Join(dir, "nowhere", result)
				}
				args = append(args, "--"+strings.ToLower(strings.ReplaceAll(result, ".", "-")), file)
			}
			if code, message := stderr(t, args...); code != test.code {
				t.Errorf("exit code %d: %s", code, message)
			}
			var left []string
			err := fs.WalkDir(os.DirFS(dir), ".", func(name string, entry fs.DirEntry, err error) error {
				if err == nil && !entry.IsDir() {
					left = append(left, name)
				}
				return err
			})
			slices.Sort(test.left)
			if err != nil || !slices.Equal(left, test.left) {
				t.Errorf("there are %q, want %q (%v)", left, test.left, err)
			}
		})
	}
}

// The certificates are files of the source when kbuild runs, without anything else that is in the
// given ones, and the configuration names them.
func TestCompileCertificates(t *testing.T) {
	path := tools(t)
	read := func(name string) string {
		t.Helper()
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for _, test := range []struct {
		name, fragment string
		args           []string
		want           []string // options in the configuration, or in the message if there is an error
		code           int
	}{
		{"both", "CONFIG_MODULES=y\nCONFIG_CRYPTO_RSA=y\nCONFIG_CRYPTO_ECDSA=y\n",
			[]string{"--module-certificate", testdata + "rsa.pem", "--trusted-certificates", testdata + "ec.pem", "--trusted-certificates", testdata + "other.pem"},
			[]string{"CONFIG_MODULE_SIG_KEY=\"certs/module_certificate.pem\"", "# CONFIG_MODULE_SIG_ALL is not set", "CONFIG_SYSTEM_TRUSTED_KEYS=\"certs/trusted_certificates.pem\""}, 0},
		{"algorithm", "CONFIG_MODULES=y\nCONFIG_CRYPTO_RSA=y\n",
			[]string{"--module-certificate", testdata + "ec.pem", "--trusted-certificates", testdata + "rsa.pem"}, []string{"ec.pem: ", "CONFIG_CRYPTO_ECDSA=y"}, 1},
		{"new key", "CONFIG_MODULES=y\nCONFIG_MODULE_SIG_KEY=\"certs/signing_key.pem\"\n", nil, []string{"module_certificate"}, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			config, image := filepath.Join(dir, "config"), filepath.Join(dir, "image")
			args := append([]string{"compile", "--arch", "x86_64", "--path", path, "--work", t.TempDir(), "--source", tinyKernel(t), "--defconfig", "tinyconfig",
				"--fragment", write(t, "f", test.fragment), "--config", config, "--image", image}, test.args...)
			code, message := stderr(t, args...)
			if code != test.code {
				t.Fatalf("exit code %d: %s", code, message)
			}
			got := message
			if code == 0 {
				got = read(config)
			}
			for _, want := range test.want {
				if !strings.Contains(got, want) {
					t.Errorf("%s: no %s", got, want)
				}
			}
			if code != 0 {
				return
			}
			// The compile of this kernel puts what is in certs into the image.
			want := ""
			for _, name := range []string{"rsa", "ec", "other"} {
				text := read(testdata + name + ".pem")
				want += text[strings.Index(text, "-----BEGIN"):]
			}
			if got := read(image); got != "1\n"+want {
				t.Errorf("%q, want the certificates %q", got, want)
			}
		})
	}
}

func TestModuleErrors(t *testing.T) {
	tree := func(kind snapshot.Kind, config string) string {
		dir := filepath.Dir(write(t, ".config", config))
		var out bytes.Buffer
		if err := snapshot.Pack(&out, kind, dir, "x86_64", []string{".config"}); err != nil {
			t.Fatal(err)
		}
		return write(t, "tree", out.String())
	}
	sound := "CONFIG_MODULES=y\n"
	source := "--source=a/Kbuild=" + write(t, "Kbuild", "obj-m := a.o\n")
	messages := map[string]string{}
	for _, test := range []struct{ name, tree, source, want string }{
		{"no tree", write(t, "tree", "hello"), source, "tree: "},
		{"objects", tree(snapshot.Objects, sound), source, "tree: "},
		{"no modules", tree(snapshot.ModuleTree, ""), source, "CONFIG_MODULES"},
		{"no Kbuild", tree(snapshot.ModuleTree, sound), "--source=a.c=a.c", "Kbuild"},
		{"kbuild fails", tree(snapshot.ModuleTree, sound), source, "kbuild failed (make M=external/a modules: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir, work := filepath.Join(t.TempDir(), "modules"), t.TempDir()
			code, message := stderr(t, "module", "--arch", "x86_64", "--path", programs(t), "--work", work, "--module-tree", test.tree, test.source, "--output", dir)
			if code != 1 || !strings.Contains(message, test.want) {
				t.Errorf("exit code %d: %q, want 1 and %q", code, message, test.want)
			}
			messages[test.name] = withoutDirs(message)
			for _, dir := range []string{dir, work} {
				if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
					t.Errorf("files left in %s: %v, %v", dir, left, err)
				}
			}
		})
	}
	keep(messages, "objects", "no modules")
	golden.Messages(t, "TestModuleErrors.txt", messages)
}

func TestUsage(t *testing.T) {
	messages := map[string]string{}
	for _, args := range []string{
		"",
		"boil",
		"compile",
		"compile --arch x86_64 --source x",
		"compile --arch x86_64 --source x --defconfig a --config-file b",
		"compile --nonsense",
		"compile --fragmant f",
		"compile --jobs 0",
		"compile --jobs many",
		"device-tree",
		"device-tree --arch arm64 --source x --write-sources y --dts z",
		"device-tree --arch arm64 --sources x --dts y",
		"import-headers",
		"link",
		"link x",
		"link --arch",
		"lnk",
		"module",
		"module --arch x86_64 --module-tree t --output o --source x.c",
		"module --arch x86_64 --module-tree t --output o --source ../x.c=x.c",
	} {
		code, message := stderr(t, strings.Fields(args)...)
		if code != 2 {
			t.Errorf("%q: exit code %d, want 2", args, code)
		}
		if lines := strings.Count(message, "\n"); lines != 1 && args != "" {
			t.Errorf("%q: %d lines: %s", args, lines, message)
		}
		messages["kernel "+args] = message
	}
	golden.Messages(t, "TestUsage.txt", messages)
}

func TestHelp(t *testing.T) {
	messages := map[string]string{}
	for _, args := range []string{"--help", "compile --help", "device-tree --help", "headers --help", "import-headers --help", "link --help", "module --help"} {
		var out, errs bytes.Buffer
		if code := cli.Run(newProgram(), strings.Fields(args), &out, &errs); code != 0 || errs.Len() > 0 {
			t.Errorf("%q: exit code %d, want 0: %s", args, code, &errs)
		}
		messages["kernel "+args] = out.String()
	}
	golden.Messages(t, "TestHelp.txt", messages)
}
