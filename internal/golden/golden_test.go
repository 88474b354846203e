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
