package settings

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRead(t *testing.T) {
	name := filepath.Join(t.TempDir(), "init.conf")
	text := `# What the image runs.
command "/bin/none"
command "/bin/app"  "-v" "two \"words\"\n"

env "A" "b=c"
env "B" ""
module "virtio_blk"
	module "erofs a=1"
on_exit "reboot"`
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := Read(name)
	if err != nil {
		t.Fatal(err)
	}
	want := Settings{
		Command:   []string{"/bin/app", "-v", "two \"words\"\n"},
		Env:       map[string]string{"A": "b=c", "B": ""},
		Modules:   []string{"virtio_blk", "erofs a=1"},
		OnExit:    Reboot,
		OnFailure: Reboot,
		Shell:     []string{"/bin/sh"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
}

func TestReadNoFile(t *testing.T) {
	got, err := Read(filepath.Join(t.TempDir(), "none"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Default(), got); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
}

func TestParseErrors(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"\ncomand \"/bin/app\"", "init.conf:2: comand: it is not known: there are command, env"},
		{"command", "init.conf:1: command: there are 0 values: want 1"},
		{"command /bin/app", `init.conf:1: command: "/bin/app" does not begin with a string in quotes`},
		{`command "/bin/app`, "does not begin with a string in quotes"},
		{`env "A=b"`, "env: there are 1 values: want 2"},
		{`on_exit "reboot" "now"`, "on_exit: there are 2 values: want 1"},
		{`on_exit "explode"`, `on_exit: "explode" is not known: want poweroff, reboot, shell or halt`},
		{`command "bin/app"`, `command: "bin/app" is no absolute path`},
		{`command "/bin/app" "\x00"`, "has a NUL in it"},
		{`shell ""`, `shell: "" is no absolute path`},
		{`env "A=B" ""`, `env: "A=B"="" is no variable`},
		{`module " "`, `modules: " " is neither a path nor a name`},
	} {
		got, err := parse("init.conf", test.text)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", test.text, err, test.want)
		}
		if diff := cmp.Diff(Default(), got); diff != "" {
			t.Errorf("%s: settings with an error (-want +got):\n%s", test.text, diff)
		}
	}
}

func TestEnviron(t *testing.T) {
	s := Settings{Env: map[string]string{"B": "2", "A": "1"}}
	got := s.Environ([]string{"A=0", "C=3"})
	if diff := cmp.Diff([]string{"C=3", "A=1", "B=2"}, got); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
}

// FuzzParse: settings that are taken can be used.
func FuzzParse(f *testing.F) {
	f.Add("command \"/bin/app\" \"a\"\nenv \"A\" \"b\"\non_exit \"halt\"\n")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := parse("fuzz", text)
		if err != nil {
			return
		}
		if err := s.check("fuzz"); err != nil || len(s.Shell) == 0 || s.OnFailure == "" {
			t.Errorf("%+v, error %v", s, err)
		}
	})
}
