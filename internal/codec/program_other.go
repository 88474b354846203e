//go:build !unix

package codec

import "os/exec"

// killGroup does nothing: the end of cmd's context kills the program alone.
func killGroup(*exec.Cmd) {}
