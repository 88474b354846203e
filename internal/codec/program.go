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
	"slices"
	"strings"
)

// program is an external compressor: its name and arguments.
type program struct{ args []string }

// Program returns the Compression that a program does: args are its name or path and its
// arguments.
//
// The program runs once for each member. It compresses standard input to standard output.
// Its environment is PATH, which also finds it, and LC_ALL=C. Its output is decompressed
// while it is written, and must be one member of a codec that a kernel has, with the same
// content and without a time. Anything else is an error, and so is an exit code other
// than 0.
func Program(args ...string) (Compression, error) {
	if len(args) == 0 || args[0] == "" {
		return Compression{}, errors.New("no program: want one that compresses its standard input, such as 'zstd -19'")
	}
	for _, arg := range args {
		if strings.IndexByte(arg, 0) >= 0 {
			return Compression{}, fmt.Errorf("the argument %q contains a NUL", arg)
		}
	}
	return Compression{program: &program{args}}, nil
}

// ParseProgram is Program for a command in one string, such as "zstd -19". White space
// separates the arguments, except in '...' and "..."; nothing else is special, because no
// shell runs.
func ParseProgram(command string) (Compression, error) {
	args, err := splitCommand(command)
	if err != nil {
		return Compression{}, err
	}
	return Program(args...)
}

func splitCommand(command string) ([]string, error) {
	var args []string
	var arg []byte // nil between arguments
	var quote byte
	for _, c := range []byte(command) {
		switch {
		case quote != 0 && c == quote:
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
		return nil, fmt.Errorf("the command %q has an unclosed quote", command)
	}
	if arg != nil {
		args = append(args, string(arg))
	}
	return args, nil
}

// error returns an error that names the program.
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
	killGroup(cmd)
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
			return nil, p.error("%w: install it, or give its path", notFound.Err)
		}
		return nil, p.error("%w", err)
	}
	go z.collect(stdout, w)
	return z, nil
}

// programWriter is a running program.
type programWriter struct {
	program *program
	ctx     context.Context // the caller's
	cmd     *exec.Cmd
	kill    context.CancelFunc
	stdin   io.WriteCloser
	stderr  firstBytes
	content digest // of the program's input

	// Set before collected is closed:
	unpacked  digest // of the decompressed output
	memberErr error  // what is wrong with the output
	outputErr error  // of the underlying writer
	killed    bool   // because of one of these errors
	collected chan struct{}

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
		// How the program ended says more than the broken pipe.
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
	case z.memberErr != nil:
		z.err = z.program.error("%w%s", z.memberErr, z.stderr.quote())
	case !z.unpacked.equal(z.content):
		z.err = z.program.error("its output decompresses to %d bytes that differ from the %d bytes of its input: "+
			"it must compress standard input to standard output", z.unpacked.size, z.content.size)
	}
	return z.err
}

// drained is how many bytes a program may write after its output turned out to be wrong.
// Meanwhile it may exit with a code that says more.
const drained = 1 << 20

// collect passes the program's output to w and to unpack.
func (z *programWriter) collect(stdout io.Reader, w io.Writer) {
	defer close(z.collected)
	member, toUnpack := io.Pipe()
	unpacked := make(chan struct{})
	go func() {
		defer close(unpacked)
		z.memberErr = z.unpack(member)
		member.CloseWithError(errors.New("unpacked"))
	}()
	buf := make([]byte, 64<<10)
	surplus := 0
	for {
		n, err := stdout.Read(buf)
		if n > 0 {
			if _, err := toUnpack.Write(buf[:n]); err != nil {
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

// unpack verifies that packed is one member, and digests its content.
func (z *programWriter) unpack(packed io.Reader) error {
	r := bufio.NewReaderSize(packed, chunkSize)
	if header, _ := r.Peek(timeEnd); len(header) == 0 {
		return errors.New("it writes nothing to standard output")
	} else if hasTime(header) {
		return errors.New("it writes a time, so its output differs from run to run: " +
			"use gzip -n; in place of lzop, use the built-in codec lzo")
	}
	member, err := NewReader(r)
	if err == ErrNotCompressed {
		return fmt.Errorf("a kernel cannot decompress its output: want %s; for lz4, the legacy frame (lz4 -l)",
			strings.Join(slices.DeleteFunc(Names(), func(name string) bool { return name == None }), ", "))
	}
	if err != nil {
		return fmt.Errorf("a kernel cannot decompress its output: %w", err)
	}
	defer member.Close()
	if _, err := io.Copy(&z.unpacked, member); err != nil {
		return fmt.Errorf("a kernel cannot decompress its output: %w", err)
	}
	if _, err := r.ReadByte(); err != io.EOF {
		return errors.New("it writes more than one member: for the kernel, each must end " +
			"where an entry does, so write one")
	}
	return nil
}

// timeEnd is how many bytes at most a member's header has up to the end of its time.
const timeEnd = 32

// hasTime reports whether a member's header has a time other than 0. header is the
// member's first timeEnd bytes, or the whole member.
func hasTime(header []byte) bool {
	c := detect(header)
	return c != nil && c.time > 0 && len(header) >= c.time+4 && !zeros(header[c.time:c.time+4])
}

// digest identifies content without keeping it.
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

// firstBytes keeps the first bytes that are written to it.
type firstBytes struct{ kept []byte }

func (f *firstBytes) Write(p []byte) (int, error) {
	const most = 4096
	f.kept = append(f.kept, p[:min(len(p), most-len(f.kept))]...)
	return len(p), nil
}

// quote returns the kept bytes as the end of a message.
func (f *firstBytes) quote() string {
	text := strings.TrimSpace(string(f.kept))
	if text == "" {
		return ""
	}
	return ": " + text
}

func zeros(p []byte) bool { return len(bytes.Trim(p, "\x00")) == 0 }
