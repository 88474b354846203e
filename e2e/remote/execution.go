package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// remoteOptions returns the options that run all actions on a worker.
func remoteOptions(worker *engine) []string {
	return append(executorOptions(worker), "--spawn_strategy=remote")
}

// executorOptions returns the options that name a worker.
func executorOptions(worker *engine) []string {
	return []string{
		fmt.Sprintf("--remote_executor=grpc://127.0.0.1:%d", worker.port),
		// justbuild needs a name, and does not accept results of actions that Bazel has run.
		"--remote_instance_name=tests", "--noremote_upload_local_results",
		"--remote_local_fallback=false",
		// If a worker has lost files, the build must fail, and not begin again.
		"--experimental_remote_cache_eviction_retries=0",
	}
}

func execution(s *session) error {
	worker, err := s.startWorker(filepath.Join(s.temp, "worker"), "")
	if err != nil {
		return err
	}
	defer worker.kill()
	if err := buildModule(s, worker); err != nil {
		return err
	}
	return buildImages(s, worker)
}

// buildModule builds a module whose packer is prebuilt: no action runs locally.
func buildModule(s *session, worker *engine) error {
	b, done, err := s.module(newSeed())
	if err != nil {
		return err
	}
	defer done()
	buildAll := func(options ...string) (build, error) {
		b.command("clean")
		return b.build(append(options, "--disk_cache=", groups, "//:all")...)
	}
	remote, err := buildAll(remoteOptions(worker)...)
	if err != nil {
		return err
	}
	if err := expectRunner(remote.spawns, "remote"); err != nil {
		return err
	}
	s.report("execution: a module with a prebuilt packer: %s: %s", count(remote.spawns, runnerOf), count(remote.spawns, mnemonicOf))

	again, err := buildAll(remoteOptions(worker)...)
	if err != nil {
		return err
	}
	if err := errors.Join(expectRunner(again.spawns, "remote cache hit"), expectSame(remote.digests(), again.digests())); err != nil {
		return fmt.Errorf("second build: %w", err)
	}
	local, err := buildAll()
	if err != nil {
		return err
	}
	if err := errors.Join(expectRunner(local.packing(), "linux-sandbox"), expectSame(remote.digests(), local.digests())); err != nil {
		return fmt.Errorf("local build: %w", err)
	}
	s.report("execution: %d outputs of %d actions are the same from the worker and from the local sandbox",
		len(local.digests()), len(local.packing()))
	return nil
}

// imageQuery finds images of this workspace that need no programs that a worker lacks, and no links
// that it refuses: justbuild stages no symbolic link that leads out of the directory of its action.
const imageQuery = `kind("initramfs rule|early_cpio rule|initramfs_diff rule",
	//docs/how-to/programs/... + //docs/explanation/members_and_parts/... + //docs/how-to/size/... + //rules/tests/content/... + //rules/tests/pkg/... +
	//rules/tests/boot:all + //rules/tests/boot/content/... + //rules/tests/boot/layers/... -
	//rules/tests/content/outputs/... - //rules/tests/content/runfiles/...)`

// buildImages builds images of this workspace, with the packer built from source. The actions of
// the packer run on the worker, and those of other rules run locally.
func buildImages(s *session, worker *engine) error {
	b := s.newBazel(s.here, "")
	found, _, err := b.command("query", imageQuery)
	if err != nil {
		return err
	}
	targets := strings.Fields(found)

	buildAll := func(options ...string) (build, error) {
		// All actions must run, although a cache has their results.
		options = append(options, groups, "--modify_execution_info=Initramfs.*=+no-cache")
		if err := removeOutputs(b, options, targets); err != nil {
			return build{}, err
		}
		return b.build(append(options, targets...)...)
	}
	// Bazel cannot upload what it took from the disk cache without writing it out.
	options := append(executorOptions(worker), "--remote_download_outputs=all")
	mnemonics, err := packerMnemonics(s.here)
	if err != nil {
		return err
	}
	for _, mnemonic := range mnemonics {
		options = append(options, "--strategy="+mnemonic+"=remote")
	}
	remote, err := buildAll(options...)
	if err != nil {
		return err
	}
	if err := expectRunner(remote.packing(), "remote"); err != nil {
		return err
	}
	local, err := buildAll()
	if err != nil {
		return err
	}
	if err := errors.Join(expectRunner(local.packing(), "linux-sandbox"), expectSame(remote.digests(), local.digests())); err != nil {
		return err
	}
	s.report("execution: %d images with the packer from source: %s; the same %d outputs locally",
		len(targets), count(remote.packing(), runnerOf), len(local.digests()))
	return nil
}

var mnemonic = regexp.MustCompile(`"(Initramfs[A-Z][a-z]+)"`)

// packerMnemonics returns the mnemonics of the packer's actions, from the source of the rules.
func packerMnemonics(workspace string) ([]string, error) {
	text, err := os.ReadFile(filepath.Join(workspace, "rules/private/pack.bzl"))
	if err != nil {
		return nil, err
	}
	var mnemonics []string
	for _, m := range mnemonic.FindAllStringSubmatch(string(text), -1) {
		mnemonics = append(mnemonics, m[1])
	}
	if len(mnemonics) == 0 {
		return nil, errors.New("rules/private/pack.bzl has no mnemonics")
	}
	slices.Sort(mnemonics)
	return slices.Compact(mnemonics), nil
}

// removeOutputs removes the outputs of the packer for targets, so that it runs again.
func removeOutputs(b *bazel, options, targets []string) error {
	files, err := b.files(targets, options...)
	if err != nil {
		return err
	}
	for _, file := range files {
		// cquery does not print the outputs of validations.
		if image, ok := strings.CutSuffix(file, ".list"); ok {
			os.Remove(filepath.Join(b.dir, image+".lint"))
		}
		// Nor does it print what only other actions read.
		links, err := filepath.Glob(filepath.Join(b.dir, filepath.Dir(file), "*.links"))
		if err != nil {
			return err
		}
		for _, file := range links {
			if err := os.Remove(file); err != nil {
				return err
			}
		}
		if err := os.Remove(filepath.Join(b.dir, file)); err != nil && !errors.Is(err, os.ErrNotExist) {
			// An action that makes a file makes the directory's content, too.
			if info, statErr := os.Stat(filepath.Join(b.dir, file)); statErr != nil || !info.IsDir() {
				return err
			}
		}
	}
	return nil
}
