package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// failureImages are built under each failure.
var failureImages = []string{"//:gzip", "//:layers", "//:zstd"}

// failures breaks the cache and the worker in several ways. Each time, the build either fails with
// the reason or succeeds without the cache, nothing wrong stays in the cache, and the next build
// gives the right outputs.
func failures(s *session) error {
	b, done, err := s.module(newSeed())
	if err != nil {
		return err
	}
	defer done()
	// What does not depend on the seed was made by an earlier part, too.
	b.command("clean")
	right, err := b.build(append([]string{groups, "--disk_cache="}, failureImages...)...)
	if err != nil {
		return err
	}
	return errors.Join(cacheFailures(s, b, right.digests()), workerFailures(s, b, right.digests()))
}

// rebuilt checks a build after a recovery.
func rebuilt(right outputs, result build, err error) error {
	if err == nil {
		err = expectSame(right, result.digests())
	}
	if err != nil {
		return fmt.Errorf("after recovery: %w", err)
	}
	return nil
}

func cacheFailures(s *session, b *bazel, right outputs) error {
	for _, f := range []failure{
		{"500 for all requests", "", refuse},
		{"500 for downloads", http.MethodGet, refuse},
		{"500 for uploads", http.MethodPut, refuse},
		{"uploads end in the middle", http.MethodPut, cut},
		{"downloads end in the middle", http.MethodGet, cut},
		{"downloads are truncated", http.MethodGet, shorten},
		{"downloads have a changed byte", http.MethodGet, change},
	} {
		if err := cacheFailure(s, b, right, f); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return nil
}

// cacheFailure builds with a cache that fails, which is empty or filled as the failure requires, and
// then with a cache that has recovered.
func cacheFailure(s *session, b *bazel, right outputs, f failure) error {
	cache, err := startCache(filepath.Join(s.temp, "nginx", fmt.Sprint(newSeed())), "")
	if err != nil {
		return err
	}
	defer cache.kill()
	p := startProxy(cache)
	defer p.server.Close()
	buildAll := func() (build, error) {
		b.command("clean")
		return b.build(append([]string{groups, "--disk_cache=", "--remote_cache=" + p.server.URL + "/cache", "--remote_retries=1", "--remote_download_outputs=all"}, failureImages...)...)
	}
	if f.method == http.MethodGet {
		if _, err := buildAll(); err != nil {
			return err
		}
	}
	p.failure.Store(&f)
	result, err := buildAll()
	what := "the build succeeds without the cache"
	if err != nil {
		what = "the build fails: " + lineWith(result.messages, "ERROR: ")
	} else if err := expectSame(right, result.digests()); err != nil {
		return err
	}
	if p.failed.Load() == 0 {
		return errors.New("the failure did not occur")
	}
	n, err := checkStore(cache.dir)
	if err != nil {
		return err
	}
	p.failure.Store(nil)
	again, err := buildAll()
	if err := rebuilt(right, again, err); err != nil {
		return err
	}
	warning := ""
	if line := lineWith(result.messages, "WARNING: "); line != "" {
		warning = "; " + line
	}
	s.report("failures: %s (%d times): %s: %s%s; %d files in the cache, all with the right digest; next build: %s", f.name, p.failed.Load(), what,
		count(result.packing(), runnerOf), warning, n, count(again.packing(), runnerOf))
	return nil
}

// checkStore returns the number of files in the cache, and an error if the digest of one is not its
// name.
func checkStore(dir string) (n int, err error) {
	err = filepath.WalkDir(filepath.Join(dir, "cache/cas"), func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // there are no files yet
		}
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if fmt.Sprintf("%x", sha256.Sum256(content)) != entry.Name() {
			return fmt.Errorf("the cache has a wrong digest for %s", path)
		}
		n++
		return nil
	})
	return n, err
}

func workerFailures(s *session, b *bazel, right outputs) error {
	return errors.Join(killWorker(s, b, right, false), killWorker(s, b, right, true), fillDisk(s, b, right, true), fillDisk(s, b, right, false))
}

// fillDisk builds with a worker whose disk is full, before or after it has received the inputs,
// and then frees the space.
func fillDisk(s *session, b *bazel, right outputs, before bool) error {
	what, wanted := "the worker's disk is full after the upload of inputs", "no space left on device"
	var left int64 = 100_000 // bytes, for other files that the service writes
	if before {
		what, wanted = "the worker's disk is full before the upload of inputs", "Error while uploading artifact"
		left = 0
	}
	worker, err := s.startWorker(filepath.Join(s.temp, fmt.Sprintf("worker%d", newSeed())), "size=64m")
	if err != nil {
		return err
	}
	defer worker.kill()
	limited := *b
	limited.limit = 5 * time.Minute
	buildAll := func(options ...string) (build, error) {
		b.command("clean")
		return limited.build(slices.Concat(remoteOptions(worker), options, []string{groups, "--disk_cache="}, failureImages)...)
	}
	if !before {
		if _, err := buildAll(); err != nil {
			return err
		}
	}
	filler := fmt.Sprintf("/proc/%d/root%s/mnt/fill", worker.cmd.Process.Pid, s.worker)
	if err := fillFileSystem(filler, left); err != nil {
		return err
	}
	// Some uploads get no response.
	result, err := buildAll("--remote_retries=1", "--remote_timeout=10", "--modify_execution_info=Initramfs.*=+no-cache")
	if err == nil {
		return fmt.Errorf("%s: the build succeeds", what)
	}
	if !strings.Contains(result.messages, wanted) {
		return fmt.Errorf("%s: %w", what, err)
	}
	if err := os.Remove(filler); err != nil {
		return err
	}
	next, err := buildAll()
	if err := rebuilt(right, next, err); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	s.report("failures: %s: the build fails after %.0f s: %s; next build: %s", what, result.seconds, wanted, count(next.packing(), runnerOf))
	return nil
}

// fillFileSystem writes a file that leaves this many bytes of its file system free.
func fillFileSystem(name string, left int64) error {
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

// killWorker kills the service while actions run.
func killWorker(s *session, b *bazel, right outputs, fallback bool) error {
	what := "the worker is killed"
	if fallback {
		what += ", with --remote_local_fallback"
	}
	dir := filepath.Join(s.temp, fmt.Sprintf("worker%d", newSeed()))
	worker, err := s.startWorker(dir, "")
	if err != nil {
		return err
	}
	// The actions take long enough to be killed while they run.
	if err := wrap(b.dir, fmt.Sprintf("# %d\nif [ -e /usr/bin/justbuild ]; then sleep 5; fi\n%s", newSeed(), unwrapped)); err != nil {
		return err
	}
	b.command("clean")
	options := append(remoteOptions(worker), groups, "--disk_cache=", "--remote_retries=1", "--remote_timeout=10", wrapped)
	if fallback {
		// The default strategy, local, does not support path mapping. Outputs that only the worker
		// has are lost, so all are downloaded.
		options = append(options, "--remote_local_fallback", "--remote_local_fallback_strategy=linux-sandbox",
			"--remote_download_outputs=all")
	}
	go func() {
		// Wait until the first action has its inputs.
		for range 600 {
			if hasFile(dir, "wrapped.sh") {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(2 * time.Second)
		worker.kill()
	}()
	result, err := b.build(append(options, failureImages...)...)
	outcome := "falls back: " + count(result.packing(), runnerOf)
	if fallback {
		if err == nil {
			err = expectSame(right, result.digests())
		}
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	} else {
		if err == nil {
			return fmt.Errorf("%s: the build succeeds", what)
		}
		outcome = "the build fails: " + lineWith(result.messages, "ERROR: ")
	}

	// Build with the same store and the output base as they are.
	restarted, err := s.startWorker(dir, "")
	if err != nil {
		return err
	}
	defer restarted.kill()
	if err := wrap(b.dir, unwrapped); err != nil {
		return err
	}
	next, err := b.build(append(append(remoteOptions(restarted), groups, "--disk_cache=", wrapped), failureImages...)...)
	if err == nil {
		err = expectRunner(next.packing(), "remote")
	}
	if err := rebuilt(right, next, err); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	s.report("failures: %s: %s; next build: %s", what, outcome, count(next.packing(), runnerOf))
	return nil
}

// hasFile reports whether a file with this name is below dir, which may change meanwhile.
func hasFile(dir, name string) bool {
	found := false
	filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Name() == name {
			found = true
			return fs.SkipAll
		}
		return nil
	})
	return found
}

// lineWith returns the first line of messages that has a prefix, without the prefix.
func lineWith(messages, prefix string) string {
	for line := range strings.Lines(messages) {
		if line, found := strings.CutPrefix(strings.TrimSpace(line), prefix); found {
			return fmt.Sprintf("%.300s", line)
		}
	}
	return ""
}
