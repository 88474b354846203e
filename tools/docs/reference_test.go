package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const wantPage = `# Title

Intro.

- ` + "`@r//x:y.bzl`: [checked](#checked), [a_test](#a_test), [f](#f), [e](#e), [AInfo](#ainfo)\n- `@r//x:z.bzl`: [g](#g)" + `

## //x:y.bzl

A file.

### checked

A checked rule.

| attribute | type | default | description |
|---|---|---|---|
| ` + "`a` | boolean" + ` |  | A flag. |

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

func TestReferencePage(t *testing.T) {
	got, err := referencePage("Title", "Intro.", "@r", []*moduleInfo{{
		File: "//x:y.bzl", Doc: "A file.",
		Rules: []ruleInfo{{Name: "a_test", Doc: "A test.", Test: true, Executable: true, Provides: providerNames{[]string{"AInfo", "BInfo"}}, Attributes: []attributeInfo{
			{Name: "name", Type: typeName, Mandatory: true},
			{Name: "b", Type: typeBool, Default: "False", Doc: "One or\n two|three lines.\n\nAnd a paragraph."},
			{Name: "c", Type: typeLabel, Mandatory: true, Doc: "A label.", Providers: []providerNames{{[]string{"AInfo", "BInfo"}}, {[]string{"CInfo"}}}},
			{Name: "d", Type: typeLabel, Default: "None", Doc: "Another label."},
			{Name: "e", Type: typeLabel, Doc: "Renamed to d."},
		}}},
		Functions: []functionInfo{{Name: "f", Doc: "A function.\n", Returns: returnInfo{"a text."}, Parameters: []parameterInfo{
			{Name: "x", Mandatory: true, Doc: "what."},
			{Name: "y", Default: `"1"`, Doc: "which."},
			{Name: "args", Role: varargs, Doc: "more."},
			{Name: "kwargs", Role: kwargs, Doc: "more."},
			{Name: "others", Doc: "more."},
		}}, {Name: "old", Doc: "Renamed to f."}, {Name: "checked", Doc: "A macro."}},
		Extensions: []extensionInfo{{Name: "e", Doc: "An extension."}},
		Providers:  []providerInfo{{Name: "AInfo", Doc: "Something.", Fields: []fieldInfo{{Name: "g", Doc: "A field."}}}},
	}, {
		// The rule of a macro.
		File:  "//x/private:z.bzl",
		Rules: []ruleInfo{{Name: "checked", Doc: "A checked rule.", Attributes: []attributeInfo{{Name: "a", Type: typeBool, Doc: "A flag."}}}, {Name: "unused", Doc: "Not exported."}},
	}, {
		// Only what the first file does not have.
		File: "//x:z.bzl", Doc: "Another file.",
		Functions: []functionInfo{{Name: "f", Doc: "A function."}, {Name: "g", Doc: "Another function."}},
		Providers: []providerInfo{{Name: "AInfo", Doc: "Something."}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wantPage, got); diff != "" {
		t.Error("(-want +got)\n" + diff)
	}
}

// An attribute without a doc, or of a type without a name, is an error.
func TestPageErrors(t *testing.T) {
	for _, test := range []struct {
		attribute attributeInfo
		want      string
	}{
		{attributeInfo{Name: "a", Type: typeInt}, "//x:y.bzl: r: a"},
		{attributeInfo{Name: "a", Type: 99, Doc: "A."}, "//x:y.bzl: r: a"},
	} {
		_, err := referencePage("", "", "", []*moduleInfo{{
			File: "//x:y.bzl", Rules: []ruleInfo{{Name: "r", Attributes: []attributeInfo{test.attribute}}},
		}})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v, want %q", err, test.want)
		}
	}
}
