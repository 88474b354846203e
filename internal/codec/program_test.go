package codec

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rules-initramfs/rules_initramfs/internal/golden"
)

func TestSplitCommand(t *testing.T) {
	tests := []struct {
		command string
		want    []string
	}{
		{"zstd -19", []string{"zstd", "-19"}},
		{" \txz\n--check=crc32  --lzma2=dict=1MiB ", []string{"xz", "--check=crc32", "--lzma2=dict=1MiB"}},
		{`sh -c 'a  "b"' "c 'd'" ''`, []string{"sh", "-c", `a  "b"`, "c 'd'", ""}},
		{`a'b c'"d e"f \ $HOME *`, []string{"ab cd ef", `\`, "$HOME", "*"}},
		{"kühl\xff", []string{"kühl\xff"}},
		{" ", nil},
	}
	for _, test := range tests {
		got, err := splitCommand(test.command)
		if diff := cmp.Diff(test.want, got); diff != "" || err != nil {
			t.Errorf("%q: %v (-want +got):\n%s", test.command, err, diff)
		}
	}
	messages := map[string]string{}
	for _, command := range []string{"", "''", "zstd '-1", `zstd "-1'`, "zstd\x00"} {
		if _, err := ParseProgram(command); err == nil {
			t.Errorf("%q: no error", command)
		} else {
			messages[strconv.Quote(command)] = err.Error()
		}
	}
	golden.Messages(t, "TestSplitCommand.txt", messages)
}

// The arguments reach the program as they are.
func TestProgramArguments(t *testing.T) {
	args := []string{"sh", "-c", `test "$1" = "it's \"one\" argument\\" && exec gzip -n`, "sh", `it's "one" argument\`}
	m, err := Program(args...)
	if err != nil {
		t.Fatal(err)
	}
	if err := writeMembers(t, io.Discard, m, 0, 1, 1000, rawEntries("t")); err != nil {
		t.Error(err)
	}
	for _, bad := range [][]string{nil, {""}, {"zstd", "-\x00"}} {
		if _, err := Program(bad...); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

// The time in a header is within the bytes that hasTime gets.
func TestTimeEnd(t *testing.T) {
	for _, c := range codecs {
		if c.time+4 > timeEnd {
			t.Errorf("%s: the time ends at %d", c.Name, c.time+4)
		}
	}
}

func mustParseProgram(t *testing.T, command string) Compression {
	t.Helper()
	m, err := ParseProgram(command)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath(m.program.args[0]); err != nil {
		t.Skip(err)
	}
	return m
}

// Each member is what the program writes for it.
func TestPrograms(t *testing.T) {
	all := rawEntries("tttnt")
	for _, command := range []string{
		"gzip -n -9", "zstd -19", "xz --check=crc32 --lzma2=dict=1MiB", "lzma -9", "bzip2 -9", "lz4 -l -9",
	} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			m := mustParseProgram(t, command)
			var want []byte
			for i, entry := range all {
				cmd := exec.Command(m.program.args[0], m.program.args[1:]...)
				cmd.Stdin = bytes.NewReader(entry)
				packed, err := cmd.Output()
				if err != nil {
					t.Fatal(err)
				}
				if i == 3 {
					packed = entry // noise
					if strings.HasPrefix(command, "lz4") {
						want = append(want, 0, 0, 0, 0)
					}
					want = append(want, make([]byte, -len(want)&3)...)
				}
				want = append(want, packed...)
			}
			for _, jobs := range []int{1, 3} {
				var out bytes.Buffer
				if err := writeMembers(t, &out, m, 8192, jobs, 3000, all); err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(out.Bytes(), want) {
					t.Errorf("%d jobs: %d bytes, want %d, or others", jobs, out.Len(), len(want))
				}
			}
			var out bytes.Buffer
			if err := writeMembers(t, &out, m, 0, 3, 3000, all); err != nil {
				t.Fatal(err)
			}
			readMembers(t, out.Bytes(), [][]byte{bytes.Join(all, nil)})
		})
	}
}

func TestProgramErrors(t *testing.T) {
	all := rawEntries("ttt")
	tests := []struct{ command, want string }{
		{"/no/such/program -1", "/no/such/program"},
		{"no-such-program -1", "no-such-program"},
		{"sh -c 'cat >/dev/null; echo too high >&2; exit 7'", "exit status 7: too high"},
		{"sh -c 'echo usage; exit 7'", "exit status 7"},
		{"sh -c 'kill -TERM $$'", "signal: terminated"},
		{"sh -c 'cat >/dev/null'", "writes nothing"},
		{"true", "writes nothing"},
		{"cat", "lz4 -l"},
		{"yes", "lz4 -l"},
		{"sh -c 'gzip -n | head -c 500'", "gzip: "},
		{"xz", "xz: check of type 4"},
		{"lz4", "lz4 -l"},
		{"lz4 -l -d", "exit status 44: Error 44"},
		{"sh -c 'gzip -n; echo | gzip -n'", "more than one member"},
		{"sh -c 'zstd -q; echo | zstd -q'", "more than one member"},
		{"sh -c 'xz --check=crc32; head -c 1 /dev/zero'", "more than one member"},
		{"sh -c 'tr a b | gzip -n'", "differ"},
		{"sh -c 'head -c 5000 | gzip -n; cat >/dev/null'", "5000 bytes"},
		{"sh -c 'echo | gzip -n'", "compressor sh -c echo | gzip -n: "},
		{"sh -c 'gzip -n; exit 3'", "exit status 3"},
		{`sh -c 'gzip -n | (head -c 4 >/dev/null; printf "\037\213\010\0\1\0\0\0"; tail -c +5)'`, "a time"},
		{"lzop", "a time"},
	}
	for _, test := range tests {
		t.Run(test.command, func(t *testing.T) {
			t.Parallel()
			m, err := ParseProgram(test.command)
			if err != nil {
				t.Fatal(err)
			}
			words := strings.FieldsFunc(test.command, func(c rune) bool { return strings.ContainsRune(" ';|", c) })
			for _, program := range []string{"zstd", "lz4", "xz", "lzop"} {
				for _, word := range words {
					if _, err := exec.LookPath(program); word == program && err != nil {
						t.Skip(err)
					}
				}
			}
			for _, size := range []int64{0, 8192} {
				err := writeMembers(t, io.Discard, m, size, 2, 1000, all)
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("members of %d: %v\n\twant %s", size, err, test.want)
				}
			}
		})
	}
}

// The messages of errors that need no compressor but gzip.
func TestProgramMessages(t *testing.T) {
	messages := map[string]string{}
	for name, command := range map[string]string{
		"not found":     "no-such-program -1",
		"exit code":     "sh -c 'cat >/dev/null; echo too high >&2; exit 7'",
		"nothing":       "true",
		"no codec":      "cat",
		"cut off":       "sh -c 'gzip -n | head -c 500'",
		"two members":   "sh -c 'gzip -n; echo | gzip -n'",
		"other content": "sh -c 'tr a b | gzip -n'",
		"a time":        `sh -c 'gzip -n | (head -c 4 >/dev/null; printf "\037\213\010\0\1\0\0\0"; tail -c +5)'`,
	} {
		m, err := ParseProgram(command)
		if err != nil {
			t.Fatal(err)
		}
		if err = writeMembers(t, io.Discard, m, 0, 2, 1000, rawEntries("ttt")); err == nil {
			t.Errorf("%s: no error", command)
			continue
		}
		// One failure may be reported by Write and by Close.
		message, _, _ := strings.Cut(err.Error(), "\n")
		if name == "no codec" {
			// A new codec must not change the golden file.
			message = strings.Replace(message, strings.Join(Names()[:len(Names())-1], ", "), "CODECS", 1)
		}
		messages[name] = message
	}
	golden.Messages(t, "TestProgramMessages.txt", messages)
}

// A program's messages are kept up to a limit.
func TestProgramMessageLimit(t *testing.T) {
	m := mustParseProgram(t, "sh -c 'yes | head -c 1000000 >&2; exit 1'")
	err := writeMembers(t, io.Discard, m, 0, 1, 1000, rawEntries("t"))
	if err == nil || len(err.Error()) < 4000 || len(err.Error()) > 5000 {
		t.Errorf("a message of %d bytes", len(err.Error()))
	}
}

// A program has no environment but a fixed one.
func TestProgramEnvironment(t *testing.T) {
	file := filepath.Join(t.TempDir(), "env")
	m := mustParseProgram(t, "sh -c 'env >"+file+"; exec gzip -n'")
	for _, name := range []string{"GZIP", "ZSTD_CLEVEL", "XZ_OPT", "XZ_DEFAULTS", "LZOP", "TZ", "HOME"} {
		t.Setenv(name, "-1")
	}
	t.Setenv("LC_ALL", "de_DE.UTF-8")
	if err := writeMembers(t, io.Discard, m, 0, 1, 1000, rawEntries("t")); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	allowed := map[string]string{"PATH": os.Getenv("PATH"), "LC_ALL": "C"}
	for line := range strings.Lines(string(content)) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if name == "PWD" || name == "_" || name == "SHLVL" || name == "OLDPWD" {
			continue // the shell's own
		}
		if want, ok := allowed[name]; !ok || value != want {
			t.Errorf("%s=%s", name, value)
		}
		delete(allowed, name)
	}
	if len(allowed) > 0 {
		t.Errorf("missing: %v", allowed)
	}
}

// holdOpen returns a FIFO, and functions that wait until something has opened it and until
// everything that did has ended.
func holdOpen(t *testing.T) (name string, begun func(), ended func()) {
	t.Helper()
	name = filepath.Join(t.TempDir(), "fifo")
	if err := makeFIFO(name); err != nil {
		t.Skip(err)
	}
	var fifo *os.File
	begun = func() {
		var err error
		if fifo, err = os.Open(name); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { fifo.Close() })
	}
	ended = func() {
		t.Helper()
		fifo.SetReadDeadline(time.Now().Add(20 * time.Second))
		if _, err := io.ReadAll(fifo); err != nil {
			t.Errorf("something still runs: %v", err)
		}
	}
	return name, begun, ended
}

// A program that hangs ends with the context, and so do its children.
func TestProgramInterrupted(t *testing.T) {
	for _, script := range []string{"sleep 1000 & sleep 1000", "cat >/dev/null; sleep 1000 & wait", "gzip -n; sleep 1000"} {
		for _, size := range []int64{0, 8192} {
			fifo, begun, ended := holdOpen(t)
			m := mustParseProgram(t, "sh -c '"+strings.ReplaceAll("exec 3>FIFO; ", "FIFO", fifo)+script+"'")
			ctx, cancel := context.WithCancel(t.Context())
			result := make(chan error)
			go func() {
				s := NewMemberWriter(ctx, io.Discard, m, size, 1)
				_, err := s.Write(bytes.Repeat([]byte("content "), 1000))
				result <- errors.Join(err, s.Close())
			}()
			begun()
			cancel()
			select {
			case err := <-result:
				if !errors.Is(err, context.Canceled) {
					t.Errorf("%s: %v", script, err)
				}
			case <-time.After(20 * time.Second):
				t.Fatalf("%s does not end", script)
			}
			ended()
		}
	}
}

// The failure of one member ends the programs of the others.
func TestProgramFailureStopsOthers(t *testing.T) {
	fifo, begun, ended := holdOpen(t)
	flag := filepath.Join(t.TempDir(), "flag")
	// The first one to make the directory hangs; the others wait for that and fail.
	m := mustParseProgram(t, "sh -c 'if mkdir "+flag+" 2>/dev/null; then exec 3>"+fifo+"; sleep 1000; else "+
		"while ! test -e "+flag+"/go; do sleep 0.01; done; exit 9; fi'")
	result := make(chan error)
	go func() { result <- writeMembers(t, io.Discard, m, 8192, 2, 1000, rawEntries("tttt")) }()
	begun()
	if err := os.WriteFile(flag+"/go", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-result:
		if err == nil || !strings.Contains(err.Error(), "exit status 9") {
			t.Errorf("%v", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it hangs")
	}
	ended()
}

// A full disk ends the program, and is what is reported.
func TestProgramOutputFailure(t *testing.T) {
	m := mustParseProgram(t, "gzip -n -1")
	for _, size := range []int64{0, 8192} {
		err := writeMembers(t, &failAfter{1000}, m, size, 2, 1000, rawEntries("tttttttt"))
		if !errors.Is(err, errFull) {
			t.Errorf("members of %d: %v", size, err)
		}
	}
}

// A member of any size takes no more memory than the others.
func TestProgramMemory(t *testing.T) {
	m := mustParseProgram(t, "lz4 -l -1")
	s := NewMemberWriter(t.Context(), io.Discard, m, 1<<20, 2)
	chunk := make([]byte, 1<<20)
	rand.NewChaCha8([32]byte{}).Read(chunk)
	var most uint64
	for i := range 200 {
		if _, err := s.Write(chunk); err != nil {
			t.Fatal(err)
		}
		if i%20 == 0 {
			var stats runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&stats)
			most = max(most, stats.HeapAlloc)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if most > 96<<20 {
		t.Errorf("200 MiB in one member took %d MiB", most>>20)
	}
}

// The codec may change from member to member; NULs follow lz4 then.
func TestProgramOfManyCodecs(t *testing.T) {
	all := rawEntries("tttnt")
	flag := filepath.Join(t.TempDir(), "flag")
	m := mustParseProgram(t, "sh -c 'mkdir "+flag+" 2>/dev/null && exec lz4 -l; rmdir "+flag+"; exec gzip -n'")
	mustParseProgram(t, "lz4")
	var out bytes.Buffer
	s := NewMemberWriter(t.Context(), &out, m, 8192, 1)
	for _, entry := range all {
		if _, err := s.Write(entry); err != nil {
			t.Fatal(err)
		}
		if _, err := s.EndEntry(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(readMembers(t, out.Bytes(), all), ","); got != "lz4,gzip,lz4,,lz4" {
		t.Errorf("members %s", got)
	}
}
