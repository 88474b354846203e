package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// remotely are the options that run everything at a worker, and nothing elsewhere.
func remotely(worker *engine) []string {
	return append(executor(worker), "--spawn_strategy=remote")
}

// executor are the options that name a worker.
func executor(worker *engine) []string {
	return []string{
		fmt.Sprintf("--remote_executor=grpc://127.0.0.1:%d", worker.port),
		// justbuild wants a name, and takes no results of actions that Bazel has run.
		"--remote_instance_name=tests", "--noremote_upload_local_results",
		"--remote_local_fallback=false",
		// A worker that has lost what it had is an error, and no reason to begin again.
		"--experimental_remote_cache_eviction_retries=0",
	}
}

func execution(s *session) error {
	worker, err := s.startWorker(filepath.Join(s.temp, "worker"), "")
	if err != nil {
		return err
	}
	defer worker.kill()
	if err := everythingRemote(s, worker); err != nil {
		return err
	}
	return packingRemote(s, worker)
}

// everythingRemote builds a module whose packer is prebuilt: no action runs here.
func everythingRemote(s *session, worker *engine) error {
	b, done, err := s.module(unseen())
	if err != nil {
		return err
	}
	defer done()
	remote, err := b.build(append(remotely(worker), "--disk_cache=", groups, "//:all")...)
	if err != nil {
		return err
	}
	if err := expectRunner(remote.spawns, "remote"); err != nil {
		return err
	}
	s.say("execution: a module with a prebuilt packer: %s: %s", counted(remote.spawns, runnerOf), counted(remote.spawns, mnemonicOf))

	b.command("clean")
	again, err := b.build(append(remotely(worker), "--disk_cache=", groups, "//:all")...)
	if err != nil {
		return err
	}
	if err := errors.Join(expectRunner(again.spawns, "remote cache hit"), expectSame(remote.digests(), again.digests())); err != nil {
		return fmt.Errorf("again: %w", err)
	}

	b.command("clean")
	local, err := b.build("--disk_cache=", groups, "//:all")
	if err != nil {
		return err
	}
	if err := errors.Join(expectRunner(local.packing(), "linux-sandbox"), expectSame(remote.digests(), local.digests())); err != nil {
		return fmt.Errorf("locally: %w", err)
	}
	s.say("execution: %d outputs of %d actions are the same when the worker runs them and in the sandbox here",
		len(local.digests()), len(local.packing()))
	return nil
}

// images are some of this workspace's, which ask for no programs that a worker has not.
const images = `kind("initramfs rule|early_cpio rule|initramfs_diff rule",
	//docs/how-to/programs/... + //docs/explanation/members_and_parts/... + //docs/how-to/size/... + //rules/tests/content/... + //rules/tests/pkg/... +
	//rules/tests/boot:all + //rules/tests/boot/content/... + //rules/tests/boot/layers/...)`

// packingRemote builds this workspace's images with the packer built here, from source:
// the packer's actions run at the worker, and those of other rules here.
func packingRemote(s *session, worker *engine) error {
	b := s.newBazel(s.here, "")
	found, _, err := b.command("query", images)
	if err != nil {
		return err
	}
	targets := strings.Fields(found)

	build := func(options ...string) (built, error) {
		// Not what a cache has: what runs.
		options = append(options, groups, "--modify_execution_info=Initramfs.*=+no-cache")
		if err := removeOutputs(b, options, targets); err != nil {
			return built{}, err
		}
		return b.build(append(options, targets...)...)
	}
	// What Bazel took from the disk cache and has not written out, it could not upload.
	options := append(executor(worker), "--remote_download_outputs=all")
	for _, mnemonic := range []string{"Concat", "Diff", "Lint", "Listing", "Pack", "Tail"} {
		options = append(options, "--strategy=Initramfs"+mnemonic+"=remote")
	}
	remote, err := build(options...)
	if err != nil {
		return err
	}
	if err := expectRunner(remote.packing(), "remote"); err != nil {
		return err
	}
	local, err := build()
	if err != nil {
		return err
	}
	if err := errors.Join(expectRunner(local.packing(), "linux-sandbox"), expectSame(remote.digests(), local.digests())); err != nil {
		return err
	}
	s.say("execution: %d images with the packer built here: %s; the same %d outputs locally",
		len(targets), counted(remote.packing(), runnerOf), len(local.digests()))
	return nil
}

// removeOutputs removes what the packer has made of targets, so that it runs again.
func removeOutputs(b *bazel, options, targets []string) error {
	files, _, err := b.command("cquery", append(append(options[:len(options):len(options)],
		"--output=files"), strings.Join(targets, "+"))...)
	if err != nil {
		return err
	}
	for _, file := range strings.Fields(files) {
		// cquery does not name what validations write.
		if image, ok := strings.CutSuffix(file, ".list"); ok {
			os.Remove(filepath.Join(b.dir, image+".lint"))
		}
		if err := os.Remove(filepath.Join(b.dir, file)); err != nil && !errors.Is(err, os.ErrNotExist) {
			// A folder's content is made along with a file.
			if info, statErr := os.Stat(filepath.Join(b.dir, file)); statErr != nil || !info.IsDir() {
				return err
			}
		}
	}
	return nil
}
