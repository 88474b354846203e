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

// linked is appended to the package examples/linked. Its kernel gets an initramfs with new
// content, and there are more images with the same content.
const linked = `
load("//rules/private:tables.bzl", "CODECS")

initramfs(
    name = "image",
    device_nodes = {"/dev/console": "c 5 1"},
    files = {
        "/content": "content",
        "/init": "//examples/hello",
    },
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
        split = "layer",
    )
    for codec in CODECS
]

filegroup(
    name = "images",
    srcs = ["image_" + codec for codec in CODECS],
)
`

// The kernel with the initramfs, and a test that boots it.
const (
	linkedKernel = "//examples/linked:linked_x86_64"
	linkedTest   = "//examples/linked:boot_x86_64_test"
)

var linkedTargets = []string{linkedKernel, "//examples/linked:image", "//examples/linked:images",
	"//rules/tests/content:trees", "//rules/tests/content:binaries", "//rules/tests/content:archives", "//docs/how-to/size:changes",
	"//rules/tests:everything", "//rules/tests:everything_gzip", "//rules/tests:everything_zstd",
	"//examples/busybox:image", "//examples/hello:image"}

// cached builds in this workspace. Then it builds in a copy at another path, with its own output
// base, another umask and time zone, and no disk cache: all outputs of the packer and of kbuild
// come from the cache. There it boots an image that it has not downloaded. Finally, it packs all
// images in the copy, which gives the same bytes.
func cached(s *session) error {
	here := s.newBazel(s.here, "")
	base, err := here.info("output_base")
	if err != nil {
		return err
	}
	// Bazel takes what this machine has built before, the kernel above all, from the disk cache,
	// and does not upload it. So nginx serves the disk cache, too.
	cache, err := startCache(filepath.Join(s.temp, "nginx"), filepath.Join(base, "../../disk"))
	if err != nil {
		return err
	}
	defer cache.kill()
	packages, err := writeLinked(s)
	if err != nil {
		return err
	}
	options := []string{"--package_path=" + packages + ":%workspace%", "--remote_cache=" + cache.url(), groups}

	first, err := here.build(append(options, linkedTargets...)...)
	if err != nil {
		return err
	}
	uploaded, err := cache.traffic()
	if err != nil {
		return err
	}
	s.report("cache: original workspace: %s; %d uploads, %d MB", count(first.packing(), runnerOf), uploaded.puts, uploaded.up>>20)
	if uploaded.puts == 0 {
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
	second, err := there.build(append(options, linkedTargets...)...)
	if err != nil {
		return err
	}
	downloaded, err := cache.traffic()
	if err != nil {
		return err
	}
	s.report("cache: copy of the workspace: %s; packer and kbuild: %s: %s; %d MB downloaded, %d uploads", count(second.spawns, runnerOf),
		count(second.packing(), runnerOf), count(second.packing(), mnemonicOf), downloaded.down>>20, downloaded.puts)
	if err := expectRunner(second.packing(), "remote cache hit"); err != nil {
		return err
	}
	for _, mnemonic := range []string{"KernelCompile", "KernelLink"} {
		if !strings.Contains(count(second.spawns, mnemonicOf), "1 "+mnemonic) {
			return fmt.Errorf("the copy has no %s", mnemonic)
		}
	}
	if err := buildWithoutBytes(s, there, options); err != nil {
		return err
	}
	if err := joinLocally(s, there, options, cache); err != nil {
		return err
	}
	return packLocally(s, there, options, second)
}

// buildWithoutBytes boots an image that only the cache has, and then builds one to get its file.
func buildWithoutBytes(s *session, b *bazel, options []string) error {
	onDisk := func(name string) bool {
		found, _ := filepath.Glob(filepath.Join(b.dir, "bazel-out/*/bin/examples/linked/linked_x86_64", name))
		return len(found) > 0
	}
	if onDisk("bzImage") || onDisk("vmlinux") {
		return errors.New("the kernel was downloaded with --remote_download_outputs=minimal")
	}
	tested, err := b.run("test", append(options, "--nocache_test_results", "--test_output=errors", linkedTest, "//rules/tests/content:trees_test")...)
	if err != nil {
		return err
	}
	if !onDisk("bzImage") || onDisk("vmlinux") {
		return errors.New("a boot test must download the image of the kernel, and not its ELF file")
	}
	s.report("cache: minimal: a boot and a listing were tested: %s; only the bzImage of the kernel was downloaded", count(tested.spawns, runnerOf))

	archive := filepath.Join(b.dir, "bazel-bin/examples/linked/image_zstd.cpio.zst")
	for _, mode := range []string{"minimal", "toplevel"} {
		options = append(options, "--remote_download_outputs="+mode)
		if _, err := b.build(append(options, "//examples/linked:image_zstd")...); err != nil {
			return err
		}
		if _, err := os.Stat(archive); (err == nil) != (mode == "toplevel") {
			return fmt.Errorf("--remote_download_outputs=%s: the image was downloaded: %t", mode, err == nil)
		}
	}
	s.report("cache: toplevel: the requested image was downloaded")
	return nil
}

// joinLocally keeps the joined image in the disk cache and out of the remote cache.
func joinLocally(s *session, b *bazel, options []string, cache *cache) error {
	if _, err := cache.traffic(); err != nil {
		return err
	}
	options = append(options, "--modify_execution_info=InitramfsJoin=+no-remote-cache", "--disk_cache="+filepath.Join(s.temp, "disk"))
	for _, runner := range []string{"linux-sandbox", "disk cache hit"} {
		if err := b.clean(); err != nil {
			return err
		}
		result, err := b.build(append(options, "//examples/linked:image_gzip")...)
		if err != nil {
			return err
		}
		if err := expectRunner(result.spawnsOf("InitramfsJoin"), runner); err != nil {
			return err
		}
	}
	uploaded, err := cache.traffic()
	if err != nil {
		return err
	}
	if uploaded.puts > 0 {
		return fmt.Errorf("%d uploads, %d bytes: want no upload of the joined image", uploaded.puts, uploaded.up)
	}
	s.report("cache: no-remote-cache: an image was joined locally, then taken from the disk cache, and not uploaded")
	return nil
}

// packLocally packs in the copy what came from the cache.
func packLocally(s *session, b *bazel, options []string, cached build) error {
	if err := b.clean(); err != nil {
		return err
	}
	packed, err := b.build(slices.Concat(options, []string{"--modify_execution_info=Initramfs.*=+no-cache"}, linkedTargets)...)
	if err != nil {
		return err
	}
	packing := packed.spawnsOf("Initramfs")
	if err := errors.Join(expectRunner(packing, "linux-sandbox"), expectSame(cached.digests(), packed.digests())); err != nil {
		return fmt.Errorf("packed in the copy: %w", err)
	}
	s.report("cache: packed in the copy, with another umask and time zone: %s: the same %d outputs", count(packing, runnerOf), len(packed.digests()))
	return nil
}

// writeLinked makes a directory with the package examples/linked, for --package_path.
func writeLinked(s *session) (string, error) {
	packages := filepath.Join(s.temp, "packages")
	dir := filepath.Join(packages, "examples/linked")
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(s.here, "examples/linked"))); err != nil {
		return "", err
	}
	file := filepath.Join(dir, "BUILD.bazel")
	build, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	text := strings.ReplaceAll(string(build), `"//examples/hello:image"`, `":image"`)
	text = strings.Replace(text, `    "initramfs",`, "    \"initramfs\",\n    \"initramfs_layer\",", 1)
	return packages, errors.Join(os.WriteFile(file, []byte(text+linked), 0o644),
		os.WriteFile(filepath.Join(dir, "content"), fmt.Appendf(nil, "%d\n", newSeed()), 0o644))
}

// copyWorkspace copies the files of a workspace that Git does not ignore.
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
