package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A bazel runs commands of Bazel in a workspace.
type bazel struct {
	s       *session
	dir     string
	startup []string // startup options
	env     []string // NAME=VALUE, added to the client's environment
	before  []string // a command that runs the client, such as taskset 1
	log     string   // the execution log

	limit time.Duration // of a command; 0: none
}

// newBazel returns a bazel for the workspace in dir. output is its output base, or "" for the
// workspace's default one.
func (s *session) newBazel(dir, output string) *bazel {
	b := &bazel{s: s, dir: dir, log: filepath.Join(s.temp, "execution.log")}
	if output != "" {
		b.startup = []string{"--output_base=" + output}
	}
	return b
}

// command runs a command and returns its standard output and its messages.
func (b *bazel) command(command string, args ...string) (string, string, error) {
	line := slices.Concat(b.before, []string{filepath.Join(b.s.here, "bazelw")}, b.startup, []string{command})
	if command != "shutdown" && command != "clean" {
		line = append(line, "--noshow_progress")
	}
	ctx := b.s.ctx
	if command == "shutdown" {
		ctx = context.WithoutCancel(ctx) // a signal may have canceled s.ctx
	}
	if b.limit > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeoutCause(ctx, b.limit, fmt.Errorf("did not end within %s", b.limit))
		defer stop()
	}
	cmd := exec.CommandContext(ctx, line[0], append(line[1:], args...)...)
	cmd.Dir = b.dir
	cmd.Env = append(clientEnv(), b.env...)
	// The client tells the server to cancel the build.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return stdout.String(), stderr.String(), fmt.Errorf("bazel %s %.200s: %w\n%s", command, strings.Join(args, " "), err, stdout.String()+stderr.String())
	}
	return stdout.String(), stderr.String(), nil
}

// info returns a value of Bazel for the workspace.
func (b *bazel) info(key string) (string, error) {
	value, _, err := b.command("info", key)
	return strings.TrimSpace(value), err
}

// files returns the paths of targets' outputs, relative to the execution root.
func (b *bazel) files(targets []string, options ...string) ([]string, error) {
	out, _, err := b.command("cquery", slices.Concat(options, []string{"--output=files", strings.Join(targets, "+")})...)
	return strings.Fields(out), err
}

// clientEnv returns this process's environment without what go run and bazel run have added.
// Otherwise, a repository rule that searches PATH would run again.
func clientEnv() []string {
	var env []string
	for _, variable := range os.Environ() {
		name, value, _ := strings.Cut(variable, "=")
		switch {
		case name == "PATH":
			dirs := slices.DeleteFunc(filepath.SplitList(value), func(dir string) bool {
				return dir == filepath.Join(os.Getenv("GOROOT"), "bin") || strings.Contains(dir, "/external/")
			})
			env = append(env, "PATH="+strings.Join(dirs, ":"))
		case strings.HasPrefix(name, "GO"), strings.HasPrefix(name, "BUILD_"), strings.Contains(name, "RUNFILES"):
		default:
			env = append(env, variable)
		}
	}
	return env
}

// shutdown ends the server.
func (b *bazel) shutdown() { b.command("shutdown") }

// clean removes all outputs and ends the server. A server that kept running was once seen to run
// actions in sandboxes without the files of an external repository.
func (b *bazel) clean() error {
	_, _, err := b.command("clean")
	b.shutdown()
	return err
}

// A spawn is a process that an action has run, or its result from a cache.
type spawn struct {
	Mnemonic      string
	TargetLabel   string
	Runner        string
	CacheHit      bool
	ExitCode      int
	ActualOutputs []struct {
		Path   string
		Digest struct {
			Hash      string
			SizeBytes int64 `json:",string"`
		}
	}
}

// A build is the result of a command that builds.
type build struct {
	spawns   []spawn
	messages string
	seconds  float64
}

// build builds targets, with options among args.
func (b *bazel) build(args ...string) (build, error) { return b.run("build", args...) }

// run runs a command that builds, and reads Bazel's execution log, which exists after a failure,
// too.
func (b *bazel) run(command string, args ...string) (build, error) {
	os.Remove(b.log)
	start := time.Now()
	_, messages, err := b.command(command, append([]string{"--execution_log_json_file=" + b.log}, args...)...)
	result := build{messages: messages, seconds: time.Since(start).Seconds()}
	file, openErr := os.Open(b.log)
	if openErr != nil {
		return result, errors.Join(err, openErr)
	}
	defer file.Close()
	for decoder := json.NewDecoder(file); ; {
		var one spawn
		if readErr := decoder.Decode(&one); readErr == io.EOF {
			return result, err
		} else if readErr != nil {
			return result, errors.Join(err, fmt.Errorf("execution log: %w", readErr))
		}
		result.spawns = append(result.spawns, one)
	}
}

// spawnsOf returns the spawns whose mnemonics begin with one of the prefixes.
func (r build) spawnsOf(prefixes ...string) []spawn {
	return slices.DeleteFunc(slices.Clone(r.spawns), func(p spawn) bool {
		return !slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(p.Mnemonic, prefix) })
	})
}

// packing returns the spawns of the packer and of kbuild.
func (r build) packing() []spawn { return r.spawnsOf("Initramfs", "Kernel") }

// digests returns the digests of the outputs of the packer and of kbuild, by their paths below
// the directory bin. They include files that are not always written, such as those of a tree.
func (r build) digests() outputs {
	digests := outputs{}
	for _, p := range r.packing() {
		for _, out := range p.ActualOutputs {
			_, path, _ := strings.Cut(out.Path, "/bin/")
			digests[path] = out.Digest.Hash
		}
	}
	return digests
}

// outputs are digests by path.
type outputs map[string]string

// withoutLists returns the outputs without lists.
func (o outputs) withoutLists() outputs {
	rest := maps.Clone(o)
	maps.DeleteFunc(rest, func(path, _ string) bool { return strings.HasSuffix(path, ".list") })
	return rest
}

// digest returns one digest of all outputs.
func (o outputs) digest() string {
	sum := sha256.New()
	for _, path := range slices.Sorted(maps.Keys(o)) {
		fmt.Fprintf(sum, "%s %s\n", path, o[path])
	}
	return fmt.Sprintf("%x", sum.Sum(nil))[:16]
}

// count returns the number of each kind: "3 remote, 4 remote cache hit".
func count(spawns []spawn, kind func(spawn) string) string {
	counts := map[string]int{}
	for _, p := range spawns {
		counts[kind(p)]++
	}
	var words []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		words = append(words, fmt.Sprintf("%d %s", counts[name], name))
	}
	return strings.Join(words, ", ")
}

func runnerOf(p spawn) string   { return p.Runner }
func mnemonicOf(p spawn) string { return p.Mnemonic }

// expectRunner returns an error unless this runner ran all spawns, and there is at least one.
func expectRunner(spawns []spawn, runner string) error {
	if len(spawns) == 0 {
		return errors.New("no action ran")
	}
	for _, p := range spawns {
		// Of two identical ones at the same time, only one runs.
		if p.Runner != runner && p.Runner != "deduplicated" {
			return fmt.Errorf("%s of %s: the runner is %q, want %q", p.Mnemonic, p.TargetLabel, p.Runner, runner)
		}
	}
	return nil
}

// expectSame returns an error unless two builds made the same outputs.
func expectSame(one, two outputs) error {
	if len(one) == 0 {
		return errors.New("no outputs")
	}
	var differ []string
	for path := range one {
		if one[path] != two[path] {
			differ = append(differ, fmt.Sprintf("%s: %q and %q", path, one[path], two[path]))
		}
	}
	for path := range two {
		if _, ok := one[path]; !ok {
			differ = append(differ, path+": only in the second build")
		}
	}
	slices.Sort(differ)
	if len(differ) > 0 {
		return fmt.Errorf("outputs differ:\n%s", strings.Join(differ, "\n"))
	}
	return nil
}
