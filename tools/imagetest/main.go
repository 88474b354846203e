// Imagetest compares an image with a golden listing or with size budgets, and the measurements of a
// payload with golden ones. It is the executable of the rules initramfs_listing_test,
// initramfs_size_test and measurements_test.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/bazelbuild/rules_go/go/runfiles"
)

const usage = `Usage: %[1]s

Runs the test in the file %[1]s.json, which the rules write.

Exit status: 0 the test passes, 1 it fails, 2 wrong usage or an unreadable
configuration.
`

// config is a test: one of these.
type config struct {
	Golden *goldenTest `json:"golden"`
	Size   *sizeTest   `json:"size"`
}

func main() { os.Exit(run(os.Args)) }

func run(args []string) int {
	switch {
	case len(args) == 2 && (args[1] == "--help" || args[1] == "-h"):
		fmt.Printf(usage, args[0])
		return 0
	case len(args) > 1:
		fmt.Fprintf(os.Stderr, usage, args[0])
		return 2
	}
	c, err := read(args[0] + ".json")
	if err != nil {
		fmt.Fprintln(os.Stderr, "imagetest:", err)
		return 2
	}
	var ok bool
	if c.Golden != nil {
		ok, err = c.Golden.run(os.Stdout, runfiles.Rlocation)
	} else {
		ok, err = c.Size.run(os.Stdout, runfiles.Rlocation)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "imagetest:", err)
	}
	if err != nil || !ok {
		return 1
	}
	return 0
}

func read(name string) (*config, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var c config
	if err := json.Unmarshal(text, &c); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if (c.Golden == nil) == (c.Size == nil) {
		return nil, errors.New(name + ": want golden or size")
	}
	return &c, nil
}
