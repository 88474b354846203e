package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// optionsPage is the page with options for .bazelrc, in the section optionsSection.
const (
	optionsPage    = "docs/how-to/remote.md"
	optionsSection = "## Options for .bazelrc"
)

// The addresses on the page.
const (
	pageCache   = "https://cache.example.com"
	pageCluster = "grpcs://cluster.example.com"
)

// options builds a module with the options of the page as .bazelrc, with addresses on loopback.
func options(s *session) error {
	page, err := os.ReadFile(filepath.Join(s.here, optionsPage))
	if err != nil {
		return err
	}
	text := firstCodeBlocks(string(page), optionsSection)
	cache, err := startCache(filepath.Join(s.temp, "nginx"), "")
	if err != nil {
		return err
	}
	defer cache.kill()
	worker, err := s.startWorker(filepath.Join(s.temp, "worker"), "")
	if err != nil {
		return err
	}
	defer worker.kill()
	b, err := s.moduleCopy("module", newSeed())
	if err != nil {
		return err
	}
	defer b.shutdown()

	for from, to := range map[string]string{pageCache: cache.url(), pageCluster: fmt.Sprintf("grpc://127.0.0.1:%d", worker.port)} {
		if strings.Count(text, from) != 1 {
			return fmt.Errorf("%s: want %s once in %q", optionsPage, from, text)
		}
		text = strings.Replace(text, from, to, 1)
	}
	if err := os.WriteFile(filepath.Join(b.dir, ".bazelrc"), []byte(text), 0o644); err != nil {
		return err
	}
	if err := expectCurrent(b, text); err != nil {
		return err
	}

	// What the disk cache of this machine has would not come from the engines.
	targets := []string{"--disk_cache=", groups, "//:all"}
	var right outputs
	for _, one := range []struct {
		name, runner string
		options      []string
	}{
		{"no configuration", "linux-sandbox", nil},
		{"--config=cache", "linux-sandbox", []string{"--config=cache"}},
		{"--config=cache again", "remote cache hit", []string{"--config=cache"}},
		// justbuild needs a name, and does not accept results of actions that Bazel has run. The
		// strategies are Bazel's own, which tools/offline/system.bazelrc replaces.
		{"--config=cluster", "remote", []string{"--config=cluster", "--remote_instance_name=tests", "--noremote_upload_local_results",
			"--spawn_strategy=remote,linux-sandbox"}},
	} {
		b.command("clean")
		result, err := b.build(append(one.options, targets...)...)
		if err == nil {
			err = expectRunner(result.packing(), one.runner)
		}
		if right == nil {
			right = result.digests()
		}
		if err = errors.Join(err, expectSame(right, result.digests())); err != nil {
			return fmt.Errorf("%s: %w", one.name, err)
		}
		if strings.Contains(strings.ToLower(result.messages), "deprecated") {
			return fmt.Errorf("%s: %s", one.name, result.messages)
		}
		s.report("options: %s: %s", one.name, count(result.packing(), runnerOf))
	}
	return nil
}

// firstCodeBlocks returns the indented lines of a section up to its first text that follows them.
func firstCodeBlocks(page, section string) string {
	_, rest, _ := strings.Cut(page, section+"\n")
	var text strings.Builder
	for line := range strings.Lines(rest) {
		code, indented := strings.CutPrefix(line, "    ")
		switch {
		case indented:
			text.WriteString(code)
		case strings.TrimSpace(line) != "":
			return text.String()
		}
	}
	return text.String()
}

var optionName = regexp.MustCompile(`--(?:no)?([a-z_]+)`)

// expectCurrent returns an error if Bazel's help says of one of the options that it is deprecated,
// or does not know it.
func expectCurrent(b *bazel, rc string) error {
	help, _, err := b.command("help", "build", "--long")
	if err != nil {
		return err
	}
	var errs []error
	for _, match := range optionName.FindAllStringSubmatch(rc, -1) {
		_, about, found := strings.Cut(help, "]"+match[1]+" (")
		if !found {
			_, about, found = strings.Cut(help, "--"+match[1]+" (")
		}
		about, _, _ = strings.Cut(about, "\n  --")
		if !found || strings.Contains(strings.ToLower(about), "deprecated") {
			errs = append(errs, fmt.Errorf("%s: --%s: found %t: %.300s", optionsPage, match[1], found, about))
		}
	}
	return errors.Join(errs...)
}
