package reference

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rules-initramfs/rules_initramfs/internal/docs/module"
)

const want = `# Title

Intro.

- ` + "`@r//x:y.bzl`: [a_test](#a_test), [f](#f), [e](#e), [AInfo](#ainfo)\n- `@r//x:z.bzl`: [g](#g)" + `

## //x:y.bzl

A file.

### a_test

A test.

A test rule. Provides ` + "`AInfo`, `BInfo`" + `.

| attribute | type | default | description |
|---|---|---|---|
| ` + "`b` | boolean | `False`" + ` | One or two\|three lines.<br><br>And a paragraph. |
| ` + "`c` | label | required | A label. Must provide `AInfo` and `BInfo` or `CInfo`." + ` |
| ` + "`d` | label |  | Another label." + ` |

### f

A function.

| parameter | default | description |
|---|---|---|
| ` + "`x`" + ` | required | what. |
| ` + "`y` | `\"1\"`" + ` | which. |
| ` + "`*args`" + ` |  | more. |
| ` + "`**kwargs`" + ` |  | more. |
| ` + "`**others`" + ` |  | more. |

Returns: a text.

### e

Module extension. An extension.

### AInfo

Provider. Something.

| field | description |
|---|---|
| ` + "`g`" + ` | A field. |

## //x:z.bzl

Another file.

### g

Another function.

| parameter | default | description |
|---|---|---|
`

func TestPage(t *testing.T) {
	got, err := Page("Title", "Intro.", "@r", []*module.Module{{
		File: "//x:y.bzl", Doc: "A file.",
		Rules: []module.Rule{{Name: "a_test", Doc: "A test.", Test: true, Executable: true, Provides: []string{"AInfo", "BInfo"}, Attributes: []module.Attribute{
			{Name: "name", Type: module.Name, Mandatory: true},
			{Name: "b", Type: module.Bool, Default: "False", Doc: "One or\n two|three lines.\n\nAnd a paragraph."},
			{Name: "c", Type: module.Label, Mandatory: true, Doc: "A label.", Providers: [][]string{{"AInfo", "BInfo"}, {"CInfo"}}},
			{Name: "d", Type: module.Label, Default: "None", Doc: "Another label."},
			{Name: "e", Type: module.Label, Doc: "Renamed to d."},
		}}},
		Functions: []module.Function{{Name: "f", Doc: "A function.\n", Returns: "a text.", Parameters: []module.Parameter{
			{Name: "x", Mandatory: true, Doc: "what."},
			{Name: "y", Default: `"1"`, Doc: "which."},
			{Name: "args", Role: module.Varargs, Doc: "more."},
			{Name: "kwargs", Role: module.Kwargs, Doc: "more."},
			{Name: "others", Doc: "more."},
		}}, {Name: "old", Doc: "Renamed to f."}},
		Extensions: []module.Extension{{Name: "e", Doc: "An extension."}},
		Providers:  []module.Provider{{Name: "AInfo", Doc: "Something.", Fields: []module.Field{{Name: "g", Doc: "A field."}}}},
	}, {
		// Only what the first file does not have.
		File: "//x:z.bzl", Doc: "Another file.",
		Functions: []module.Function{{Name: "f", Doc: "A function."}, {Name: "g", Doc: "Another function."}},
		Providers: []module.Provider{{Name: "AInfo", Doc: "Something."}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("(-want +got)\n" + diff)
	}
}

// An attribute without a doc, or of a type without a name, is an error.
func TestPageErrors(t *testing.T) {
	for _, test := range []struct {
		attribute module.Attribute
		want      string
	}{
		{module.Attribute{Name: "a", Type: module.Int}, "//x:y.bzl: r: a"},
		{module.Attribute{Name: "a", Type: 99, Doc: "A."}, "//x:y.bzl: r: a"},
	} {
		_, err := Page("", "", "", []*module.Module{{
			File: "//x:y.bzl", Rules: []module.Rule{{Name: "r", Attributes: []module.Attribute{test.attribute}}},
		}})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v, want %q", err, test.want)
		}
	}
}
