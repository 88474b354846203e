package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/cpio/cpiotest"
	"github.com/rules-initramfs/rules_initramfs/internal/printable"
)

// What a command prints of hostile names is safe to show, whatever becomes of the command.
func TestPrintable(t *testing.T) {
	const bad = "a\x1b]0;b\a\r\n\u009b31m\x9bc\u202ed\u2066\xffe\npacker: all is well"
	file, link, dir := cpiotest.File, cpiotest.Symlink, cpiotest.Dir
	archives := map[string][]cpiotest.Record{
		"good":      {dir(bad), file(bad+"/x", bad), link("l", bad), file("init", "#!"+bad), link("sbin", bad+"/y")},
		"other":     {dir(bad), file(bad+"/x", "y"), link("l", bad+bad), file(bad+"/z", "#!/"+bad)},
		"parent":    {file(bad+bad+"/x", "1"), file(bad, "1"), file(bad+"/y", "2"), file("f/", "1")},
		"loop":      {link(bad, bad), file(bad+"/x", "1"), dir(bad + "/"), file(strings.Repeat(bad, 5), "1"), file("../"+bad, "1")},
		"links":     {cpiotest.Link(1, "x"+bad, "1"), dir("x" + bad), cpiotest.Link(1, "y"+bad, ""), cpiotest.Link(2, "z"+bad, "1"), cpiotest.Link(2, "n"+bad+"/z", "")},
		"not empty": {dir(bad), file(bad+"/x", ""), link(bad, "x"), file(bad, "")},
		"twice":     {file(bad, ""), file("./"+bad, ""), {Header: cpio.Header{Name: bad, Mode: 0o020600, RMajor: 1 << 20}}},
	}
	dirName := t.TempDir()
	t.Chdir(dirName)
	write := func(name, content string) {
		if err := os.WriteFile(name, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for name, records := range archives {
		write(name, cpiotest.Archive(append(records, cpiotest.Trailer)...))
		write(name+" cut "+bad, cpiotest.Archive(records...)[:150])
	}
	write("list", "file /"+strings.ReplaceAll(bad, "\n", "")+" "+strings.ReplaceAll(bad, "\n", "")+" 0644 0 0\nbad\x1b[1m\n")
	write(bad, "nonsense\x1b[1m "+bad)
	write("junk", bad)

	images := []string{"good", "other", "parent", "loop", "links", "not empty", "twice", "good cut " + bad, bad, "junk", "missing" + bad}
	var commands [][]string
	n := 0
	for _, image := range images {
		n++
		out := fmt.Sprintf("out%d", n)
		commands = append(commands,
			[]string{"ls", image}, []string{"ls", "--names", image}, []string{"ls", "--json", image}, []string{"ls", "--members", image}, []string{"ls", image, bad, "missing" + bad},
			[]string{"cat", image, bad}, []string{"cat", image, "/" + bad + bad}, []string{"cat", image, "l"}, []string{"cat", image, bad + "/y"},
			[]string{"diff", image, "other"}, []string{"diff", "good", image},
			[]string{"lint", image}, []string{"lint", "--json", image},
			[]string{"extract", image, "dir" + out}, []string{"extract", image, "dir\x1b" + out}, []string{"extract", image, bad + "/y"},
			[]string{"pack", "--out", out, image}, []string{"pack", "--out", out, "--parents", image}, []string{"pack", "--out", out, "--allow-duplicates", image, image},
			[]string{"pack", "--out", out, image, image}, []string{"pack", "--out", bad + "/x/y", image}, []string{"pack", "--out", out, "--write-json", out + ".json", image},
			[]string{"concat", "--out", out, image, "good"}, []string{"concat", "--out", bad + "/y/x", image},
			[]string{"bootconfig", image}, []string{"join", "--out", out, image, image},
			[]string{"gen_init_cpio", image}, []string{"gen_initramfs", "-o", out, image},
		)
	}
	commands = append(commands, []string{"pack", "--out", "out", "list"}, []string{"gen_init_cpio", "list"}, []string{bad}, []string{"ls", "--" + bad}, []string{"ls", "--out", bad + "/y", "good"}, []string{"pack", "--out", "out", "--var", bad, "list"}, []string{"pack", "--out", "out", "--mtime", bad, "list"})
	for _, args := range commands {
		cmd := exec.Command("packer", args...)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		cmd.Run()
		outputs := map[string]string{"stderr": stderr.String()}
		if args[0] != "cat" && args[0] != "bootconfig" && args[0] != "gen_init_cpio" && args[0] != "gen_initramfs" || cmd.ProcessState.ExitCode() != 0 { // contents and archives are as they are
			outputs["stdout"] = stdout.String()
		}
		for what, text := range outputs {
			if printable.Lines(text) != text {
				t.Errorf("%q: %s is not printable: %q", args, what, text)
			}
			if strings.Contains("\n"+text, "\npacker: all is well") {
				t.Errorf("%q: %s has a line of the archive: %q", args, what, text)
			}
		}
		if len(stderr.String())+len(stdout.String()) == 0 && cmd.ProcessState.ExitCode() != 0 {
			t.Errorf("%q: exit code %d, and nothing is printed", args, cmd.ProcessState.ExitCode())
		}
	}
}
