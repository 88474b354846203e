package settings

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWords(t *testing.T) {
	for _, test := range []struct {
		line string
		want []Word
	}{
		{"", nil},
		{" \n", nil},
		{"quiet console=ttyS0,115200\n", []Word{{"quiet", ""}, {"console", "ttyS0,115200"}}},
		{`root=LABEL="a b" rw`, []Word{{"root", `LABEL="a b"`}, {"rw", ""}}},
		{`a="b c" "d=e f" g`, []Word{{"a", "b c"}, {"d", "e f"}, {"g", ""}}},
		{`a="b c`, []Word{{"a", "b c"}}},
		{"ro -- single root=/dev/none", []Word{{"ro", ""}}},
		{"a--b --c", []Word{{"a--b", ""}, {"--c", ""}}},
		{"=x", nil},
	} {
		if diff := cmp.Diff(test.want, Words(test.line)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", test.line, diff)
		}
	}
}

func TestOverride(t *testing.T) {
	s := Default()
	s.Command = []string{"/bin/app"}
	s.Env = map[string]string{"A": "1", "B": "2"}
	s.Modules = []string{"one"}
	line := `quiet init.command="/bin/other -v 'two words' ''" init.env=A=x=y init.module="two a=1" init.on-exit=halt init.on_failure=shell init.shell="/bin/ash -l" initcall_debug`
	if err := s.Override(Words(line)); err != nil {
		t.Fatal(err)
	}
	want := Settings{
		Command:   []string{"/bin/other", "-v", "two words", ""},
		Env:       map[string]string{"A": "x=y", "B": "2"},
		Modules:   []string{"one", "two a=1"},
		OnExit:    Halt,
		OnFailure: Shell,
		Shell:     []string{"/bin/ash", "-l"},
	}
	if diff := cmp.Diff(want, s); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
	if err := s.Override(Words("init.command=")); err != nil || len(s.Command) != 0 {
		t.Errorf("command %q, error %v, want none of both", s.Command, err)
	}
}

func TestOverrideErrors(t *testing.T) {
	for _, test := range []struct{ line, want string }{
		{"init.comand=/bin/app", "kernel command line: init.comand: it is not known: there are init.command"},
		{`init.command="/bin/app 'a"`, "has a ' without its second"},
		{"init.command=app", `command: "app" is no absolute path`},
		{"init.env=A", `"A" has no =`},
		{"init.env==A", "is no variable"},
		{"init.module=", "is neither a path nor a name"},
		{"init.on_exit=", `on_exit: "" is not known`},
		{"init.shell=", "it is empty"},
	} {
		s := Default()
		s.Env = map[string]string{"B": "2"}
		err := s.Override(Words("init.env=C=3 " + test.line))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", test.line, err, test.want)
		}
		want := Default()
		want.Env = map[string]string{"B": "2"}
		if diff := cmp.Diff(want, s); diff != "" {
			t.Errorf("%s: settings with an error (-want +got):\n%s", test.line, diff)
		}
	}
}

// FuzzCommandLine: whatever the line, words lose nothing but white space and
// quotes, and settings that are taken can be used.
func FuzzCommandLine(f *testing.F) {
	f.Add(`console=ttyS0 init.command="/bin/app 'a b'" -- x`)
	f.Add(`init.env="A=b c" init.on_exit=halt "root=LABEL=x y"`)
	f.Fuzz(func(t *testing.T, line string) {
		words := Words(line)
		for _, w := range words {
			if w.Name == "" || !strings.Contains(line, w.Name) || !strings.Contains(line, w.Value) {
				t.Fatalf("word %q of %q", w, line)
			}
		}
		s := Default()
		if s.Override(words) != nil {
			return
		}
		if err := s.check("fuzz"); err != nil {
			t.Fatal(err)
		}
		if len(s.Shell) == 0 {
			t.Fatal("no shell")
		}
	})
}
