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
	seconds float64 // the median
	memory  int     // the peak of its largest process, in KiB
	bytes   int64   // of "out"; 0 if there is none
}

// measure runs the commands in turns, so that other load of the machine affects all of them. The
// result of a command whose program is missing is nil.
func (b *bench) measure(commands []command) ([]*result, error) {
	results := make([]*result, len(commands))
	times := make([][]float64, len(commands))
	var repeated []int
	for i, c := range commands {
		if c.peer != "" && !b.has(c.peer) {
			continue
		}
		seconds, memory, err := b.first(c)
		if err != nil {
			return nil, err
		}
		results[i] = &result{seconds: seconds, memory: memory}
		info, err := os.Stat(b.path("out"))
		if err == nil {
			results[i].bytes = info.Size()
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if seconds <= slow {
			repeated = append(repeated, i)
		}
	}
	for range b.runs {
		round, err := b.round(commands, repeated)
		if err != nil {
			return nil, err
		}
		for j, i := range repeated {
			times[i] = append(times[i], round[j])
		}
	}
	for _, i := range repeated {
		results[i].seconds = median(times[i])
	}
	return results, os.RemoveAll(b.path("out"))
}

// first runs a command to warm the caches and to measure its memory.
func (b *bench) first(c command) (seconds float64, memory int, err error) {
	if err := os.RemoveAll(b.path("out")); err != nil {
		return 0, 0, err
	}
	// The memory of a process includes that of the process that started it. GNU time is small.
	err = b.run("time", "--format=%e %M", "--output=usage", "sh", "-c", c.line)
	if err != nil {
		return 0, 0, fmt.Errorf("%s: %w", c.line, err)
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

// round times each command once.
func (b *bench) round(commands []command, which []int) ([]float64, error) {
	if len(which) == 0 {
		return nil, nil
	}
	args := []string{"--shell=sh", "--runs=1", "--style=none", "--export-json=times"}
	for _, i := range which {
		args = append(args, "--prepare=rm -f out", commands[i].line)
	}
	if err := b.run("hyperfine", args...); err != nil {
		return nil, fmt.Errorf("hyperfine: %w", err)
	}
	text, err := os.ReadFile(b.path("times"))
	if err != nil {
		return nil, err
	}
	var export struct{ Results []struct{ Median float64 } }
	if err := json.Unmarshal(text, &export); err != nil {
		return nil, err
	}
	if len(export.Results) != len(which) {
		return nil, fmt.Errorf("hyperfine returned %d results for %d commands", len(export.Results), len(which))
	}
	var seconds []float64
	for _, r := range export.Results {
		seconds = append(seconds, r.Median)
	}
	return seconds, nil
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

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// mebibytes rounds KiB up.
func mebibytes(kibibytes int) string { return strconv.Itoa((kibibytes + 1023) / 1024) }
