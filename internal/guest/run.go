// Package guest connects the two sides of a test that runs in a guest: the host, which
// boots the guest, and the agent, which runs the test there. The host tells the agent
// what to run in a file of the initramfs. The agent sends back the test's output, its
// exit code and its files over the console.
package guest

import (
	"encoding/json"
	"fmt"
	"os"
)

// Paths in the guest.
const (
	RunFile = "/guest/run.json" // a Run
	Program = "/guest/test"     // the test; its runfiles are in the directory of this name and .runfiles
	Outputs = "/guest/outputs"  // the files that the agent sends when the test has ended
	Temp    = "/tmp"            // for the test's own files
)

// Names in Outputs.
const (
	XML        = "test.xml"
	Undeclared = "undeclared" // directory of the test's undeclared outputs
	Sharded    = "sharded"    // exists if the test supports sharding
)

// Run is one run of the test. The host writes it to an archive that the kernel unpacks
// after the image, because arguments and environment are known only when the test starts.
type Run struct {
	// Args are the test's arguments, without its name.
	Args []string `json:"args"`
	// Env is its whole environment: NAME=value.
	Env []string `json:"env"`
	// Dir is its working directory.
	Dir string `json:"dir"`
	// Runfile is the path at which it looks for itself and for its package's directory.
	Runfile string `json:"runfile"`
}

// ReadRun reads a Run from the named file.
func ReadRun(name string) (*Run, error) {
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
