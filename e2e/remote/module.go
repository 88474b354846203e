package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// groups asks for all that the rules can make of an image.
const groups = "--output_groups=+list,+listing,+json,+segments,+_validation"

// unseen is a seed of content that no build has seen.
func unseen() uint64 { return uint64(time.Now().UnixNano()) }

// packer returns the packer for a processor, amd64 or arm64.
func (s *session) packer(processor string) ([]byte, error) {
	if s.packers[processor] == nil {
		target := "//tools/packer/cpus:packer_" + processor
		b := s.newBazel(s.here, "")
		if _, err := b.build(target); err != nil {
			return nil, err
		}
		file, _, err := b.command("cquery", "--output=files", target)
		if err != nil {
			return nil, err
		}
		if s.packers[processor], err = os.ReadFile(filepath.Join(s.here, strings.TrimSpace(file))); err != nil {
			return nil, err
		}
	}
	return s.packers[processor], nil
}

// module returns the workspace in the folder module, with the packers and content put in
// place. done takes them away again, and ends the server.
func (s *session) module(seed uint64) (b *bazel, done func(), err error) {
	dir := filepath.Join(s.here, "e2e/remote/module")
	b = s.newBazel(dir, "")
	done = func() {
		b.shutdown()
		os.RemoveAll(filepath.Join(dir, "content"))
		for file := range packers {
			os.Remove(filepath.Join(dir, "prebuilt", file))
		}
		os.Remove(filepath.Join(dir, "prebuilt/wrapped.sh"))
	}
	if err := s.fill(dir, seed); err != nil {
		done()
		return nil, nil, err
	}
	return b, done, nil
}

// moduleCopy makes a copy of the workspace of module, with an output base beside it.
func (s *session) moduleCopy(name string, seed uint64) (*bazel, error) {
	dir := filepath.Join(s.temp, name)
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(s.here, "e2e/remote/module"))); err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "MODULE.bazel")
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	content = bytes.ReplaceAll(content, []byte(`"../../.."`), fmt.Appendf(nil, "%q", s.here))
	if err := os.WriteFile(file, content, 0o644); err != nil {
		return nil, err
	}
	if err := s.fill(dir, seed); err != nil {
		return nil, err
	}
	return s.newBazel(dir, filepath.Join(s.temp, name+".output")), nil
}

// packers are the packer's files in the module, and what processors they are for.
var packers = map[string]string{"packer": "amd64", "packer_aarch64": "arm64"}

// fill puts the packers and content into a module.
func (s *session) fill(dir string, seed uint64) error {
	for file, processor := range packers {
		content, err := s.packer(processor)
		if err != nil {
			return err
		}
		file = filepath.Join(dir, "prebuilt", file)
		os.Remove(file)
		if err := os.WriteFile(file, content, 0o755); err != nil {
			return err
		}
	}
	return errors.Join(wrap(dir, `exec "$packer" "$@"`), writeContent(dir, seed))
}

// wrapped are the options that have the packer run by the script that wrap writes.
const wrapped = "--extra_toolchains=//prebuilt:wrapped_toolchain"

// wrap writes the script that runs the packer for a module's images: lines of shell that
// end in running "$packer" "$@", or "$packer_aarch64". All actions run anew when it changes.
func wrap(dir, script string) error {
	script = `#!/bin/bash -eu
packer=$0.runfiles/_main/prebuilt/packer
packer_aarch64=${packer}_aarch64
` + script + "\n"
	return os.WriteFile(filepath.Join(dir, "prebuilt/wrapped.sh"), []byte(script), 0o755)
}

// writeContent writes what the module's images hold: text that compresses, and bytes
// that do not.
func writeContent(dir string, seed uint64) error {
	r := rand.New(rand.NewPCG(seed, 1))
	var words [1000]string
	for i := range words {
		words[i] = fmt.Sprintf("%x", r.IntN(1<<(1+r.IntN(30))))
	}
	var text, binary bytes.Buffer
	for text.Len() < 300_000 {
		text.WriteString(words[r.IntN(1+r.IntN(len(words)))])
		text.WriteByte(" \n"[r.IntN(2)])
	}
	for binary.Len() < 100_000 {
		binary.WriteByte(byte(r.Uint32()))
	}
	folder := filepath.Join(dir, "content")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, "text"), text.Bytes(), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "binary"), binary.Bytes(), 0o644)
}
