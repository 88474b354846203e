package runner

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/rules-initramfs/rules_initramfs/internal/boot/console"
	"github.com/rules-initramfs/rules_initramfs/internal/boot/qemu"
)

// inherited is the number that the first file of qemu.Options.Files has in the child.
const inherited = 3

// makeTPM makes the directory of a new TPM, which is a temporary file.
func (b *boot) makeTPM() error {
	dirs, err := b.temporary(os.MkdirTemp(b.session.TempDir, "tpm-*"))
	b.tpmDir = dirs[0]
	return err
}

// swtpm returns the command that emulates the TPM for QEMU at a control socket, which has the
// properties of swtpm's --ctrl.
func (b *boot) swtpm(program, control string) []string {
	// A guest finds a TPM that the firmware has just started.
	return []string{program, "socket", "--tpm2", "--tpmstate", "dir=" + b.tpmDir, "--ctrl", "type=unixio," + control, "--flags", "startup-clear", "--terminate"}
}

// tpmSocket is the control socket of a TPM that a user starts.
func (b *boot) tpmSocket() string { return "path=" + filepath.Join(b.tpmDir, "socket") }

// A tpm is a running emulator of a TPM. A nil tpm does nothing.
type tpm struct {
	process *qemu.Process
	stderr  *screen
	socket  *os.File // QEMU's end of the control socket
}

// startTPM starts the emulator of the TPM. The two ends of the socket have no name: there is
// none that is too long for a socket, or that another process could open, and nobody waits
// until it is there.
func (b *boot) startTPM() (*tpm, error) {
	if b.tpmDir == "" {
		return nil, nil
	}
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, fmt.Errorf("swtpm: %w", err)
	}
	defer theirs.Close()
	t := &tpm{stderr: newScreen(console.NewWatcher(console.Rules{}), nil), socket: ours}
	t.process, err = qemu.Start(b.swtpm(b.swtpmProgram, fmt.Sprintf("clientfd=%d", inherited)),
		qemu.Options{Stdout: t.stderr, Stderr: t.stderr, Files: []*os.File{theirs}})
	if err != nil {
		ours.Close()
		return nil, fmt.Errorf("swtpm: %w", err)
	}
	return t, nil
}

// files returns what QEMU inherits.
func (t *tpm) files() []*os.File {
	if t == nil {
		return nil
	}
	return []*os.File{t.socket}
}

// connected tells t that QEMU has its end of the socket.
func (t *tpm) connected() {
	if t != nil {
		t.socket.Close()
	}
}

// stop ends the emulator. It ends by itself if QEMU does in good order.
func (t *tpm) stop() {
	if t != nil {
		t.socket.Close()
		t.process.Stop()
	}
}

// done is closed when the emulator has ended.
func (t *tpm) done() <-chan struct{} {
	if t == nil {
		return nil // never
	}
	return t.process.Done()
}

// err returns why the emulator has failed; nil if it runs, or has ended because QEMU did.
func (t *tpm) err() error {
	if t == nil {
		return nil
	}
	select {
	case <-t.process.Done():
	default:
		return nil
	}
	if t.process.State().Success() {
		return nil
	}
	t.stderr.Lock()
	defer t.stderr.Unlock()
	t.stderr.Close()
	text := fmt.Sprintf("swtpm, which emulates the TPM, ended with an error (%v)", t.process.State())
	if line := t.stderr.LastLine(); line != "" {
		text += ": " + excerpt(line, maxExcerpt)
	}
	return errors.New(text)
}
