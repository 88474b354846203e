package signature

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// Program is a Signer that is another program, for keys that are not in files. It runs once for
// each digest, as
//
//	PROGRAM [ARGUMENT...] --hash HASH --certificate FILE
//
// with the digest on standard input. It writes the signature, and nothing else, to standard output.
type Program struct {
	Args        []string // the name or path of the program, and its own arguments
	Certificate string   // the file with the certificate of the key
}

// maxSignature is more than any key's signature has, in bytes.
const maxSignature = 64 << 10

// waitDelay is how long the output of a program may stay open after it ended.
const waitDelay = 2 * time.Second

// Sign implements Signer.
func (p Program) Sign(ctx context.Context, h Hash, digest []byte) ([]byte, error) {
	args := append(p.Args[1:len(p.Args):len(p.Args)], "--hash", h.Name, "--certificate", p.Certificate)
	cmd := exec.CommandContext(ctx, p.Args[0], args...)
	signature, messages := limited{most: maxSignature}, limited{most: 4096}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(digest), &signature, &messages
	// Children of the program, which may outlive it, have its standard output too.
	cmd.WaitDelay = waitDelay
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, exec.ErrNotFound):
		return nil, p.error("%w: install it, or give its path", err)
	case err != nil:
		if lines := strings.FieldsFunc(string(messages.kept), func(r rune) bool { return r == '\n' || r == '\r' }); len(lines) > 0 {
			return nil, p.error("%w: %s", err, strings.Join(lines, "; "))
		}
		return nil, p.error("%w", err)
	case len(signature.kept) == 0:
		return nil, p.error("it wrote nothing to standard output: want the signature of the digest on standard input")
	case signature.over:
		return nil, p.error("it wrote more than %d bytes to standard output: want the signature alone", maxSignature)
	}
	return signature.kept, nil
}

func (p Program) error(format string, args ...any) error {
	return fmt.Errorf("signer %s: %w", p.Args[0], fmt.Errorf(format, args...))
}

// limited keeps the first bytes that are written to it.
type limited struct {
	kept []byte
	most int
	over bool
}

func (l *limited) Write(p []byte) (int, error) {
	n := min(len(p), l.most-len(l.kept))
	l.kept = append(l.kept, p[:n]...)
	l.over = l.over || n < len(p)
	return len(p), nil
}
