package golden

import (
	"os"
	"testing"
)

// recorder is a testing.TB that keeps whether the test failed.
type recorder struct {
	testing.TB
	failed bool
}

func (r *recorder) Helper()               {}
func (r *recorder) Errorf(string, ...any) { r.failed = true }
func (r *recorder) Fatalf(string, ...any) { r.failed = true }

func TestMessages(t *testing.T) {
	t.Chdir(t.TempDir())
	texts := map[string]string{"b": "second\n", "a": "first"}
	*update = true
	Messages(t, "errors.txt", texts)
	*update = false
	if got, err := os.ReadFile("testdata/errors.txt"); err != nil || string(got) != "-- a --\nfirst\n-- b --\nsecond\n" {
		t.Fatalf("the file has %q, %v", got, err)
	}
	Messages(t, "errors.txt", texts)
	texts["a"] = "other"
	for name, test := range map[string]func(t testing.TB){
		"another text": func(t testing.TB) { Messages(t, "errors.txt", texts) },
		"no file":      func(t testing.TB) { Text(t, "none.txt", "") },
	} {
		r := &recorder{TB: t}
		if test(r); !r.failed {
			t.Errorf("%s: passes", name)
		}
	}
}

func TestSection(t *testing.T) {
	t.Chdir(t.TempDir())
	texts := map[string]string{"b": "second\n", "a": "first"}
	*update = true
	Section(t, "shared.txt", texts)
	*update = false
	const own = "-- TestSection: a --\nfirst\n-- TestSection: b --\nsecond\n"
	if got, err := os.ReadFile("testdata/shared.txt"); err != nil || string(got) != own {
		t.Fatalf("the file has %q, %v", got, err)
	}
	const before, after = "-- TestA: a --\nother\n", "-- TestZ: a --\nother\n"
	if err := os.WriteFile("testdata/shared.txt", []byte(before+own+after), 0o600); err != nil {
		t.Fatal(err)
	}
	Section(t, "shared.txt", texts)
	texts["a"] = "changed"
	for name, test := range map[string]func(t testing.TB){
		"another text": func(t testing.TB) { Section(t, "shared.txt", texts) },
		"no text":      func(t testing.TB) { Section(t, "shared.txt", nil) },
	} {
		r := &recorder{TB: t}
		if test(r); !r.failed {
			t.Errorf("%s: passes", name)
		}
	}
	*update = true
	Section(t, "shared.txt", texts)
	*update = false
	const want = before + "-- TestSection: a --\nchanged\n-- TestSection: b --\nsecond\n" + after
	if got, err := os.ReadFile("testdata/shared.txt"); err != nil || string(got) != want {
		t.Errorf("the file has %q, %v, want %q", got, err, want)
	}
}

func TestTable(t *testing.T) {
	t.Chdir(t.TempDir())
	const page = "text\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n| c |\n|---|\n| 3 |\n"
	if err := os.WriteFile("page.md", []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	Table(t, "page.md", "| c |", []string{"| 3 |"})
	for name, test := range map[string]func(t testing.TB){
		"other rows": func(t testing.TB) { Table(t, "page.md", "| c |", []string{"| 4 |"}) },
		"no rows":    func(t testing.TB) { Table(t, "page.md", "| c |", nil) },
		"no table":   func(t testing.TB) { Table(t, "page.md", "| d |", nil) },
	} {
		r := &recorder{TB: t}
		if test(r); !r.failed {
			t.Errorf("%s: passes", name)
		}
	}
	*update = true
	Table(t, "page.md", "| a | b |", []string{"| 5 | 6 |", "| 7 | 8 |"})
	*update = false
	const want = "text\n\n| a | b |\n|---|---|\n| 5 | 6 |\n| 7 | 8 |\n\n| c |\n|---|\n| 3 |\n"
	if got, err := os.ReadFile("page.md"); err != nil || string(got) != want {
		t.Errorf("the page is\n%s, %v", got, err)
	}
}
