package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// faultImages are built under each fault, and what is cached of them is looked at.
var faultImages = []string{"//:gzip", "//:layers", "//:zstd"}

// faults breaks the cache and the worker in each way. A build then fails and says
// why, or does without; nothing wrong stays in the cache; and the next build is right.
func faults(s *session) error {
	b, done, err := s.module(unseen())
	if err != nil {
		return err
	}
	defer done()
	right, err := b.build(append([]string{groups, "--disk_cache="}, faultImages...)...)
	if err != nil {
		return err
	}
	return errors.Join(cacheFaults(s, b, right.digests()), workerFaults(s, b, right.digests()))
}

func cacheFaults(s *session, b *bazel, right outputs) error {
	for _, f := range []fault{errorsOnly, readErrors, writeErrors, cutUploads, cutDownloads, shortDownloads, falseDownloads} {
		if err := cacheFault(s, b, right, f); err != nil {
			return fmt.Errorf("%s: %w", f, err)
		}
	}
	return nil
}

// cacheFault builds with an empty cache or a full one, whichever shows the fault, and then
// with a cache that has recovered.
func cacheFault(s *session, b *bazel, right outputs, f fault) error {
	folder := filepath.Join(s.temp, "nginx", fmt.Sprint(time.Now().UnixNano()))
	cache, err := startCache(folder, "")
	if err != nil {
		return err
	}
	defer cache.kill()
	p, err := startProxy(cache)
	if err != nil {
		return err
	}
	defer p.server.Close()
	build := func() (built, error) {
		b.command("clean")
		return b.build(append([]string{groups, "--disk_cache=", "--remote_cache=" + p.url(), "--remote_retries=1", "--remote_download_outputs=all"}, faultImages...)...)
	}
	if strings.Contains(string(f), "downloads") {
		if _, err := build(); err != nil {
			return err
		}
	}
	p.fault.Store(f)
	result, err := build()
	what := "the build does without"
	if err != nil {
		what = "the build fails: " + lineWith(result.messages, "ERROR: ")
	} else if err := expectSame(right, result.digests()); err != nil {
		return err
	}
	if p.faulty.Load() == 0 {
		return errors.New("the fault was not met")
	}
	n, err := checkStore(folder)
	if err != nil {
		return err
	}
	p.fault.Store(none)
	again, err := build()
	if err != nil {
		return fmt.Errorf("after it: %w", err)
	}
	if err := expectSame(right, again.digests()); err != nil {
		return fmt.Errorf("after it: %w", err)
	}
	warning := ""
	if line := lineWith(result.messages, "WARNING: "); line != "" {
		warning = "; " + line
	}
	s.say("faults: %s (%d times): %s: %s%s; %d files in the cache, all as their names say; then %s", f, p.faulty.Load(), what,
		counted(result.packing(), runnerOf), warning, n, counted(again.packing(), runnerOf))
	return nil
}

// checkStore fails if a file of the cache is not what its name says.
func checkStore(folder string) (n int, err error) {
	err = filepath.WalkDir(filepath.Join(folder, "cache/cas"), func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // nothing has come so far
		}
		if err != nil || entry.IsDir() {
			return err
		}
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		sum := sha256.New()
		if _, err := io.Copy(sum, file); err != nil {
			return err
		}
		if fmt.Sprintf("%x", sum.Sum(nil)) != entry.Name() {
			return fmt.Errorf("the cache has something else in %s", path)
		}
		n++
		return nil
	})
	return n, err
}

func workerFaults(s *session, b *bazel, right outputs) error {
	return errors.Join(killed(s, b, right, false), killed(s, b, right, true), full(s, b, right, true), full(s, b, right, false))
}

// full builds with a worker whose disk is full, before it has got the inputs or after, and then
// makes room.
func full(s *session, b *bazel, right outputs, before bool) error {
	what, wanted := "the worker's disk is full when the inputs are there", "no space left on device"
	var left int64 = 100_000 // bytes: what else the service writes
	if before {
		what, wanted = "the worker's disk is full", "Error while uploading artifact"
		left = 0
	}
	folder := filepath.Join(s.temp, fmt.Sprintf("worker%d", time.Now().UnixNano()))
	worker, err := s.startWorker(folder, "size=64m")
	if err != nil {
		return err
	}
	defer worker.kill()
	limited := *b
	limited.limit = 5 * time.Minute
	build := func(options ...string) (built, error) {
		b.command("clean")
		return limited.build(slices.Concat(remotely(worker), options, []string{groups, "--disk_cache="}, faultImages)...)
	}
	if !before {
		if _, err := build(); err != nil {
			return err
		}
	}
	filler := fmt.Sprintf("/proc/%d/root%s/mnt/fill", worker.cmd.Process.Pid, s.worker)
	if err := fill(filler, left); err != nil {
		return err
	}
	// Some uploads get no answer.
	result, err := build("--remote_retries=1", "--remote_timeout=10", "--modify_execution_info=Initramfs.*=+no-cache")
	if err == nil {
		return fmt.Errorf("%s: the build succeeds", what)
	}
	if !strings.Contains(result.messages, wanted) {
		return fmt.Errorf("%s: %w", what, err)
	}
	if err := os.Remove(filler); err != nil {
		return err
	}
	next, err := build()
	if err != nil {
		return fmt.Errorf("%s: after it: %w", what, err)
	}
	if err := expectSame(right, next.digests()); err != nil {
		return fmt.Errorf("%s: after it: %w", what, err)
	}
	s.say("faults: %s: the build fails after %.0f s: %s; then %s", what, result.seconds, wanted, counted(next.packing(), runnerOf))
	return nil
}

// fill writes a file that leaves so many bytes of its file system.
func fill(name string, left int64) error {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	defer file.Close()
	var size int64
	for block := make([]byte, 4096); err == nil; size += int64(len(block)) {
		_, err = file.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		return err
	}
	if left == 0 {
		return nil
	}
	return file.Truncate(max(0, size-left))
}

// killed kills the service while actions run.
func killed(s *session, b *bazel, right outputs, fallback bool) error {
	what := "the worker is killed"
	if fallback {
		what += ", with --remote_local_fallback"
	}
	folder := filepath.Join(s.temp, fmt.Sprintf("worker%d", time.Now().UnixNano()))
	worker, err := s.startWorker(folder, "")
	if err != nil {
		return err
	}
	// Actions that take long enough to be killed in the midst of.
	started := time.Now().UnixNano()
	if err := wrap(b.dir, fmt.Sprintf("# %d\nif [ -e /usr/bin/justbuild ]; then sleep 5; fi\nexec \"$packer\" \"$@\"", started)); err != nil {
		return err
	}
	b.command("clean")
	options := append(remotely(worker), groups, "--disk_cache=", "--remote_retries=1", "--remote_timeout=10", wrapped)
	if fallback {
		// The default strategy, local, does not know of mapped paths, and what only the worker has is lost.
		options = append(options, "--remote_local_fallback", "--remote_local_fallback_strategy=linux-sandbox",
			"--remote_download_outputs=all")
	}
	go func() {
		// Until the first script lies in a folder that an action runs in.
		for range 600 {
			if hasFile(folder, "wrapped.sh") {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(2 * time.Second)
		worker.kill()
	}()
	result, err := b.build(append(options, faultImages...)...)
	outcome := "falls back: " + counted(result.packing(), runnerOf)
	switch {
	case fallback && err != nil:
		return fmt.Errorf("%s: %w", what, err)
	case !fallback && err == nil:
		return fmt.Errorf("%s: the build succeeds", what)
	case !fallback:
		outcome = "the build fails: " + lineWith(result.messages, "ERROR: ")
	default:
		if err := expectSame(right, result.digests()); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}

	// The same store, and the output base as it was left.
	again, err := s.startWorker(folder, "")
	if err != nil {
		return err
	}
	defer again.kill()
	if err := wrap(b.dir, `exec "$packer" "$@"`); err != nil {
		return err
	}
	next, err := b.build(append(append(remotely(again), groups, "--disk_cache=", wrapped), faultImages...)...)
	if err != nil {
		return fmt.Errorf("%s: after it: %w", what, err)
	}
	if err := errors.Join(expectSame(right, next.digests()), expectRunner(next.packing(), "remote")); err != nil {
		return fmt.Errorf("%s: after it: %w", what, err)
	}
	s.say("faults: %s: %s; then %s", what, outcome, counted(next.packing(), runnerOf))
	return nil
}

// hasFile tells whether there is a file of a name below a folder that changes.
func hasFile(folder, name string) bool {
	found := false
	filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Name() == name {
			found = true
			return fs.SkipAll
		}
		return nil
	})
	return found
}

// lineWith is the first line of messages with a prefix, without it.
func lineWith(messages, prefix string) string {
	for line := range strings.Lines(messages) {
		if line, found := strings.CutPrefix(strings.TrimSpace(line), prefix); found {
			return fmt.Sprintf("%.300s", line)
		}
	}
	return ""
}
