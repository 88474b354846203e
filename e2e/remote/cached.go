package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// linked is put in the place of the package examples/linked: its kernel has an initramfs linked
// in that no build has seen, and it has more images of the same content.
const linked = `
initramfs(
    name = "image",
    files = {
        "/content": "content",
        "/init": "//examples/hello",
    },
    nodes = {"/dev/console": "c 5 1"},
)

initramfs_layer(
    name = "layer",
    files = {"/layer": "content"},
    hardlinks = {"/link": "/layer"},
)

[
    initramfs(
        name = "image_" + codec,
        binaries = {"/app": "//rules/tests/boot/content/app"},
        compression = codec,
        layers = [":layer"],
        lint = {"no-init": "off"},
        segments = "layer",
    )
    for codec in [
        "bzip2",
        "gzip",
        "lz4",
        "lzma",
        "lzo",
        "none",
        "xz",
        "zstd",
    ]
]
`

// The kernel with the initramfs, the images, and a test that boots them.
const (
	linkedKernel = "//examples/linked:linked_x86_64"
	linkedTest   = "//examples/linked:boot_x86_64_test"
)

var linkedTargets = []string{linkedKernel, "//examples/linked:image",
	"//examples/linked:image_bzip2", "//examples/linked:image_gzip", "//examples/linked:image_lz4", "//examples/linked:image_lzma",
	"//examples/linked:image_lzo", "//examples/linked:image_none", "//examples/linked:image_xz", "//examples/linked:image_zstd",
	"//rules/tests/content:trees", "//rules/tests/content:binaries", "//rules/tests/content:archives", "//docs/how-to/size:changes",
	"//rules/tests:everything", "//rules/tests:everything_gzip", "//rules/tests:everything_zstd",
	"//examples/busybox:image", "//examples/hello:image"}

// cached builds here, and then in a copy at another path with an output base of its
// own, another umask and time zone, and no disk cache: all that the packer and kbuild do
// comes from the cache. Then it boots there what it has not downloaded, and packs all of
// it itself: the bytes are the same.
func cached(s *session) error {
	folder := filepath.Join(s.temp, "nginx")
	here := s.newBazel(s.here, "")
	disk, _, err := here.command("info", "output_base")
	if err != nil {
		return err
	}
	// What this machine has built before, the kernel above all, Bazel takes from the disk
	// cache and does not upload: nginx gives that out, too.
	disk = filepath.Join(strings.TrimSpace(disk), "../../disk")
	cache, err := startCache(folder, disk)
	if err != nil {
		return err
	}
	defer cache.kill()
	packages, err := writeLinked(s)
	if err != nil {
		return err
	}
	options := []string{"--package_path=" + packages + ":%workspace%", "--remote_cache=" + cache.url(), groups}

	one, err := here.build(append(options, linkedTargets...)...)
	if err != nil {
		return err
	}
	first, offset, err := readTraffic(folder, 0)
	if err != nil {
		return err
	}
	s.say("cache: here: %s; %d uploads, %d MB", counted(one.packing(), runnerOf), first.puts, first.up>>20)
	if first.puts == 0 {
		return errors.New("nothing was uploaded")
	}

	copied := filepath.Join(s.temp, "another place")
	if err := copyWorkspace(s.here, copied); err != nil {
		return err
	}
	there := s.newBazel(copied, filepath.Join(s.temp, "output"))
	there.before = []string{"sh", "-c", `umask 077 && exec "$0" "$@"`}
	there.env = []string{"TZ=Pacific/Auckland"}
	defer there.shutdown()
	options = append(options, "--disk_cache=", "--remote_download_outputs=minimal")
	two, err := there.build(append(options, linkedTargets...)...)
	if err != nil {
		return err
	}
	second, _, err := readTraffic(folder, offset)
	if err != nil {
		return err
	}
	s.say("cache: in a copy: %s; of the packer and kbuild: %s: %s; %d MB down, %d uploads", counted(two.spawns, runnerOf),
		counted(two.packing(), runnerOf), counted(two.packing(), mnemonicOf), second.down>>20, second.puts)
	if err := expectRunner(two.packing(), "remote cache hit"); err != nil {
		return err
	}
	for _, mnemonic := range []string{"KernelCompile", "KernelLink"} {
		if !strings.Contains(counted(two.spawns, mnemonicOf), "1 "+mnemonic) {
			return fmt.Errorf("no %s in the copy", mnemonic)
		}
	}
	if err := withoutBytes(s, there, options); err != nil {
		return err
	}
	if err := joinedHere(s, there, options, folder); err != nil {
		return err
	}
	return packedThere(s, there, options, two)
}

// withoutBytes boots an image that is nowhere but in the cache, and builds one for
// who wants the file.
func withoutBytes(s *session, b *bazel, options []string) error {
	onDisk := func(name string) bool {
		found, _ := filepath.Glob(filepath.Join(b.dir, "bazel-out/*/bin/examples/linked/linked_x86_64", name))
		return len(found) > 0
	}
	if onDisk("bzImage") || onDisk("vmlinux") {
		return errors.New("the kernel was downloaded with minimal")
	}
	tested, err := b.logged("test", append(options, "--nocache_test_results", "--test_output=errors", linkedTest, "//rules/tests/content:trees_test")...)
	if err != nil {
		return err
	}
	if !onDisk("bzImage") || onDisk("vmlinux") {
		return errors.New("a boot test needs the image of the kernel, and not its ELF file")
	}
	s.say("cache: minimal: a boot and a listing tested: %s; of the kernel its bzImage was downloaded", counted(tested.spawns, runnerOf))

	archive := filepath.Join(b.dir, "bazel-bin/examples/linked/image_zstd.cpio.zst")
	for _, mode := range []string{"minimal", "toplevel"} {
		options = append(options, "--remote_download_outputs="+mode)
		if _, err := b.build(append(options, "//examples/linked:image_zstd")...); err != nil {
			return err
		}
		if _, err := os.Stat(archive); (err == nil) != (mode == "toplevel") {
			return fmt.Errorf("--remote_download_outputs=%s: the image is here: %t", mode, err == nil)
		}
	}
	s.say("cache: toplevel: the image asked for was downloaded")
	return nil
}

// joinedHere keeps the joined image out of the cache and in the disk cache.
func joinedHere(s *session, b *bazel, options []string, folder string) error {
	_, offset, err := readTraffic(folder, 0)
	if err != nil {
		return err
	}
	options = append(options, "--modify_execution_info=InitramfsConcat=+no-remote-cache", "--disk_cache="+filepath.Join(s.temp, "disk"))
	for _, runner := range []string{"linux-sandbox", "disk cache hit"} {
		if err := b.clean(); err != nil {
			return err
		}
		result, err := b.build(append(options, "//examples/linked:image_gzip")...)
		if err != nil {
			return err
		}
		concats := slices.DeleteFunc(result.packing(), func(p spawn) bool { return p.Mnemonic != "InitramfsConcat" })
		if err := expectRunner(concats, runner); err != nil {
			return err
		}
	}
	caused, _, err := readTraffic(folder, offset)
	if err != nil {
		return err
	}
	if caused.puts > 0 {
		return fmt.Errorf("%d uploads, %d bytes: the joined image was to stay here", caused.puts, caused.up)
	}
	s.say("cache: no-remote-cache: an image was joined here, came from the disk cache then, and was not uploaded")
	return nil
}

// packedThere packs in the copy what was packed here, and has come from the cache.
func packedThere(s *session, b *bazel, options []string, cached built) error {
	if err := b.clean(); err != nil {
		return err
	}
	there, err := b.build(slices.Concat(options, []string{"--modify_execution_info=Initramfs.*=+no-cache"}, linkedTargets)...)
	if err != nil {
		return err
	}
	packing := slices.DeleteFunc(there.packing(), func(p spawn) bool { return strings.HasPrefix(p.Mnemonic, "Kernel") })
	if err := expectRunner(packing, "linux-sandbox"); err != nil {
		return err
	}
	if err := expectSame(cached.digests(), there.digests()); err != nil {
		return fmt.Errorf("packed in the copy: %w", err)
	}
	s.say("cache: packed in the copy, with another umask and time zone: %s: the same %d outputs", counted(packing, runnerOf), len(there.digests()))
	return nil
}

// writeLinked makes a folder with the package examples/linked, for --package_path.
func writeLinked(s *session) (string, error) {
	packages := filepath.Join(s.temp, "packages")
	folder := filepath.Join(packages, "examples/linked")
	if err := os.CopyFS(folder, os.DirFS(filepath.Join(s.here, "examples/linked"))); err != nil {
		return "", err
	}
	file := filepath.Join(folder, "BUILD.bazel")
	build, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	text := strings.ReplaceAll(string(build), `"//examples/hello:image"`, `":image"`)
	text = strings.Replace(text, `    "initramfs",`, "    \"initramfs\",\n    \"initramfs_layer\",", 1)
	return packages, errors.Join(os.WriteFile(file, []byte(text+linked), 0o644),
		os.WriteFile(filepath.Join(folder, "content"), fmt.Appendf(nil, "%d\n", unseen()), 0o644))
}

// copyWorkspace copies what Git knows of a workspace, or would.
func copyWorkspace(from, to string) error {
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	cmd := exec.Command("sh", "-euc",
		`git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents --target-directory="$1"`, "sh", to)
	cmd.Dir = from
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("copying %s: %w: %s", from, err, out)
	}
	return nil
}
