// Package run is what a guest is told about the test that it runs. The host puts it into an
// archive beside the image, as it is known only when the test starts.
package run

import (
	"encoding/json"
	"fmt"
	"os"
)

// Paths in the guest.
const (
	File    = "/guest/run.json" // a Run
	Program = "/guest/test"     // the test; what it needs is in the folder of this name and .runfiles
	Outputs = "/guest/outputs"  // what the host gets when the test has ended
	Temp    = "/tmp"            // for the test's own files
)

// Below Outputs.
const (
	XML        = "test.xml"
	Undeclared = "undeclared"
	Sharded    = "sharded" // is there if the test knows of shards
)

// Run is one run of the test.
type Run struct {
	// Args are its arguments, without its name.
	Args []string `json:"args"`
	// Env is all of its environment: NAME=value.
	Env []string `json:"env"`
	// Dir is where it starts.
	Dir string `json:"dir"`
	// Runfile is where it looks for itself, and for the folder of its package.
	Runfile string `json:"runfile"`
}

// Read reads the named file.
func Read(name string) (*Run, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	r := &Run{}
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return r, nil
}
