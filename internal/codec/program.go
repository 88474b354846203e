package codec

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// program is a compressor that is not ours: its name and arguments.
type program struct{ args []string }

// ParseProgram reads a command such as "zstd -19": white space separates the
// program and its arguments, '...' and "..." keep it; nothing else is special,
// for there is no shell.
//
// The Method runs the program once a member, with what is to be compressed as
// standard input and the member as standard output. Of the environment it has
// PATH, which finds it, and LC_ALL=C. Its output is unpacked while it is made:
// one member of a codec that a kernel takes, which has the same content and no
// time in it. Anything else is an error, and so is an exit code but 0.
func ParseProgram(command string) (Method, error) {
	args, err := splitCommand(command)
	if err != nil {
		return Method{}, err
	}
	return Program(args...)
}

// Program is ParseProgram for a program and its arguments, which are taken as they are.
func Program(args ...string) (Method, error) {
	if len(args) == 0 || args[0] == "" {
		return Method{}, errors.New("no program: want one that compresses its standard input, such as 'zstd -19'")
	}
	return Method{program: &program{args}}, nil
}

func splitCommand(command string) ([]string, error) {
	var args []string
	var arg []byte // nil between two
	var quote byte
	for _, c := range []byte(command) {
		switch {
		case c == 0:
			return nil, fmt.Errorf("a NUL in the command %q", command)
		case c == quote:
			quote = 0
		case quote == 0 && (c == '\'' || c == '"'):
			quote = c
			arg = append([]byte{}, arg...)
		case quote == 0 && strings.IndexByte(" \t\r\n", c) >= 0:
			if arg != nil {
				args = append(args, string(arg))
			}
			arg = nil
		default:
			arg = append(arg, c)
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("a quote without its end in the command %q", command)
	}
	if arg != nil {
		args = append(args, string(arg))
	}
	return args, nil
}

// error says that something is wrong with the program.
func (p *program) error(format string, args ...any) error {
	return fmt.Errorf("compressor %s: %w", strings.Join(p.args, " "), fmt.Errorf(format, args...))
}

// newWriter starts the program. It and its children are killed when ctx ends.
func (p *program) newWriter(ctx context.Context, w io.Writer) (io.WriteCloser, error) {
	running, kill := context.WithCancel(ctx)
	cmd := exec.CommandContext(running, p.args[0], p.args[1:]...)
	z := &programWriter{
		program:   p,
		ctx:       ctx,
		cmd:       cmd,
		kill:      kill,
		content:   newDigest(),
		unpacked:  newDigest(),
		collected: make(chan struct{}),
	}
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
	cmd.Stderr = &z.stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	var stdout io.Reader
	var err error
	if z.stdin, err = cmd.StdinPipe(); err == nil {
		stdout, err = cmd.StdoutPipe()
	}
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		kill()
		if notFound, ok := errors.AsType[*exec.Error](err); ok {
			return nil, p.error("%w: install it, or give the path of it", notFound.Err)
		}
		return nil, p.error("%w", err)
	}
	go z.collect(stdout, w)
	return z, nil
}

// programWriter is a program that is running.
type programWriter struct {
	program *program
	ctx     context.Context // the caller's
	cmd     *exec.Cmd
	kill    context.CancelFunc
	stdin   io.WriteCloser
	stderr  firstBytes
	content digest // of what the program was given

	// Set before collected is closed:
	unpacked    digest // of what its output unpacks to
	memberFault error  // what is wrong with its output
	outputErr   error  // of the writer below
	killed      bool   // for one of both
	collected   chan struct{}

	closed bool
	err    error
}

func (z *programWriter) Write(p []byte) (int, error) {
	if z.closed {
		return 0, errors.Join(z.err, errors.New("write after close"))
	}
	n, err := z.stdin.Write(p)
	z.content.Write(p[:n])
	if err != nil {
		// How the program ended tells more than the broken pipe.
		if err = z.Close(); err == nil {
			z.err = z.program.error("it did not read all of its input")
			err = z.err
		}
	}
	return n, err
}

func (z *programWriter) Close() error {
	if z.closed {
		return z.err
	}
	z.closed = true
	z.stdin.Close()
	<-z.collected
	exit := z.cmd.Wait()
	z.kill()
	switch {
	case z.ctx.Err() != nil:
		z.err = z.ctx.Err()
	case z.outputErr != nil:
		z.err = z.outputErr
	case exit != nil && !z.killed:
		z.err = z.program.error("%w%s", exit, z.stderr.quote())
	case z.memberFault != nil:
		z.err = z.program.error("%w%s", z.memberFault, z.stderr.quote())
	case !z.unpacked.equal(z.content):
		z.err = z.program.error("its output unpacks to %d other bytes than the %d of its input: "+
			"it must compress standard input to standard output", z.unpacked.size, z.content.size)
	}
	return z.err
}

// drained is how much a program may write after the first fault of its output,
// in bytes, for an exit code to say more.
const drained = 1 << 20

// collect passes the program's output on to w and to unpack.
func (z *programWriter) collect(stdout io.Reader, w io.Writer) {
	defer close(z.collected)
	member, toUnpack := io.Pipe()
	unpacked := make(chan struct{})
	go func() {
		defer close(unpacked)
		z.memberFault = z.unpack(member)
		member.CloseWithError(errors.New("unpacked"))
	}()
	buf := make([]byte, 64<<10)
	surplus := 0
	for {
		n, err := stdout.Read(buf)
		if n > 0 {
			if _, fault := toUnpack.Write(buf[:n]); fault != nil {
				surplus += n
			} else {
				_, z.outputErr = w.Write(buf[:n])
			}
		}
		if err != nil {
			break
		}
		if surplus > drained || z.outputErr != nil {
			z.killed = true
			z.kill()
			break
		}
	}
	toUnpack.Close()
	<-unpacked
}

// unpack verifies that there is one member, and digests what is in it.
func (z *programWriter) unpack(packed io.Reader) error {
	r := bufio.NewReaderSize(packed, chunkSize)
	if header, _ := r.Peek(timeEnd); len(header) == 0 {
		return errors.New("it writes nothing to standard output")
	} else if hasTime(header) {
		return errors.New("it writes a time, so that the same input gives other bytes each time: " +
			"use gzip -n; of lzop only --compress lzo leaves it out")
	}
	member, err := NewReader(r)
	if err == ErrNotCompressed {
		names := Names()
		return fmt.Errorf("its output is in no codec that a kernel takes: want %s; of lz4 the legacy frame (lz4 -l)",
			strings.Join(names[:len(names)-1], ", "))
	}
	if err != nil {
		return fmt.Errorf("no kernel would unpack its output: %w", err)
	}
	defer member.Close()
	if _, err := io.Copy(&z.unpacked, member); err != nil {
		return fmt.Errorf("no kernel would unpack its output: %w", err)
	}
	if _, err := r.ReadByte(); err != io.EOF {
		return errors.New("it writes something behind the first member: a kernel wants each to end " +
			"where an entry does, so there has to be one")
	}
	return nil
}

// Where the time stands in the headers that have one, 4 bytes of it: of gzip's
// (RFC 1952) all, of lzop's the lower half.
const (
	gzipTime = 4
	lzopTime = len(lzopMagic) + 3*2 + 2*1 + 2*4
	timeEnd  = lzopTime + 4
)

// hasTime tells whether a member's header has a time in it; header is its first
// timeEnd bytes or all there are.
func hasTime(header []byte) bool {
	at, ok := map[string]int{"gzip": gzipTime, "lzo": lzopTime}[Detect(header)]
	return ok && len(header) >= at+4 && !zeros(header[at:at+4])
}

// digest is what is kept of content to compare it with other content.
type digest struct {
	hash.Hash
	size int64
}

func newDigest() digest { return digest{Hash: sha256.New()} }

func (d *digest) Write(p []byte) (int, error) {
	d.size += int64(len(p))
	return d.Hash.Write(p)
}

func (d *digest) equal(other digest) bool {
	return d.size == other.size && bytes.Equal(d.Sum(nil), other.Sum(nil))
}

// firstBytes keeps the beginning of what is written to it.
type firstBytes struct{ kept []byte }

func (f *firstBytes) Write(p []byte) (int, error) {
	const most = 4096
	f.kept = append(f.kept, p[:min(len(p), most-len(f.kept))]...)
	return len(p), nil
}

// quote returns what was kept as the end of a message.
func (f *firstBytes) quote() string {
	text := strings.TrimSpace(string(f.kept))
	if text == "" {
		return ""
	}
	return ": " + text
}
