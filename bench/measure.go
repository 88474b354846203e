package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

// slow is the time from which on a command runs only once, in seconds.
const slow = 30

// command is a command line for sh, run in the working directory. Its output, if any, is the file
// "out".
type command struct {
	line string
	peer string // the program that it needs, if it is a peer

	// The targets for the packer's time and bytes, as a multiple of this command's; 0: none.
	time, bytes float64
}

// result is the measurement of a command.
type result struct {
	line    string
	times   []float64 // of repeated runs
	seconds float64   // the median
	memory  int       // the peak of its largest process, in KiB
	bytes   int64     // of "out"; 0 if there is none
}

// measure runs the commands in turns, so that other load of the machine affects all of them. The
// result of a command whose program is missing is nil.
func (b *bench) measure(commands []command) ([]*result, error) {
	results := make([]*result, len(commands))
	var repeated []*result
	for i, c := range commands {
		if c.peer != "" && !b.has(c.peer) {
			continue
		}
		seconds, memory, err := b.first(c.line)
		if err != nil {
			return nil, err
		}
		r := &result{line: c.line, seconds: seconds, memory: memory}
		results[i] = r
		info, err := os.Stat(b.path("out"))
		if err == nil {
			r.bytes = info.Size()
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if seconds <= slow {
			repeated = append(repeated, r)
		}
	}
	for range b.runs {
		if err := b.round(repeated); err != nil {
			return nil, err
		}
	}
	for _, r := range repeated {
		slices.Sort(r.times)
		r.seconds = (r.times[(len(r.times)-1)/2] + r.times[len(r.times)/2]) / 2
	}
	return results, os.RemoveAll(b.path("out"))
}

// first runs a command to warm the caches and to measure its memory.
func (b *bench) first(line string) (seconds float64, memory int, err error) {
	if err := os.RemoveAll(b.path("out")); err != nil {
		return 0, 0, err
	}
	// The memory of a process includes that of the process that started it. GNU time is small.
	err = b.run("time", "--format=%e %M", "--output=usage", "sh", "-c", line)
	if err != nil {
		return 0, 0, fmt.Errorf("%s: %w", line, err)
	}
	usage, err := os.ReadFile(b.path("usage"))
	if err != nil {
		return 0, 0, err
	}
	if _, err := fmt.Sscan(string(usage), &seconds, &memory); err != nil {
		return 0, 0, fmt.Errorf("time printed %q: %w", usage, err)
	}
	return seconds, memory, nil
}

// round times each command once more.
func (b *bench) round(results []*result) error {
	if len(results) == 0 {
		return nil
	}
	args := []string{"--shell=sh", "--runs=1", "--style=none", "--export-json=times"}
	for _, r := range results {
		args = append(args, "--prepare=rm -f out", r.line)
	}
	if err := b.run("hyperfine", args...); err != nil {
		return fmt.Errorf("hyperfine: %w", err)
	}
	text, err := os.ReadFile(b.path("times"))
	if err != nil {
		return err
	}
	var export struct{ Results []struct{ Median float64 } }
	if err := json.Unmarshal(text, &export); err != nil {
		return err
	}
	if len(export.Results) != len(results) {
		return fmt.Errorf("hyperfine returned %d results for %d commands", len(export.Results), len(results))
	}
	for i, r := range results {
		r.times = append(r.times, export.Results[i].Median)
	}
	return nil
}

// run runs a program in the working directory, and drops its output.
func (b *bench) run(program string, args ...string) error {
	cmd := exec.CommandContext(b.ctx, b.path("bin/"+program), args...)
	cmd.Dir = b.work
	cmd.Env = b.env
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	err := cmd.Run()
	if b.ctx.Err() != nil {
		return errors.New("interrupted")
	}
	if err != nil {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(stderr.String()))
	}
	return nil
}

// mebibytes rounds KiB up.
func mebibytes(kibibytes int) string { return strconv.Itoa((kibibytes + 1023) / 1024) }
