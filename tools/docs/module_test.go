package main

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"testing"

	"github.com/bazelbuild/rules_go/go/runfiles"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
)

// field returns the encoding of a field whose value is encoded already.
func field(number protowire.Number, wire protowire.Type, value string) string {
	return string(protowire.AppendTag(nil, number, wire)) + value
}

func text(number protowire.Number, value string) string {
	return field(number, protowire.BytesType, string(protowire.AppendString(nil, value)))
}

func TestParseModule(t *testing.T) {
	attribute := text(1, "size") + text(2, "How large.") + field(3, protowire.VarintType, "\x02") + field(4, protowire.VarintType, "\x01") +
		text(5, text(1, "AInfo")+text(1, "BInfo")) + text(6, "7")
	data := text(6, "//x:y.bzl") + text(5, "A file.") +
		text(1, text(1, "r")+text(3, attribute)+text(5, text(1, "RInfo"))+field(6, protowire.VarintType, "\x01")) +
		text(2, text(1, "RInfo")+text(3, text(1, "f")+text(2, "A field."))) +
		text(3, text(1, "m")+text(2, text(1, "kwargs")+field(5, protowire.VarintType, "\x05"))+text(4, text(1, "A text."))) +
		text(7, text(1, "e")+text(2, "An extension.")) +
		field(15, protowire.Fixed32Type, "1234") + field(14, protowire.Fixed64Type, "12345678")
	got, err := parseModule([]byte(data))
	if err != nil {
		t.Fatal(err)
	}
	want := &moduleInfo{
		File: "//x:y.bzl", Doc: "A file.",
		Rules: []ruleInfo{{Name: "r", Provides: providerNames{[]string{"RInfo"}}, Test: true, Attributes: []attributeInfo{{
			Name: "size", Doc: "How large.", Type: typeInt, Mandatory: true, Default: "7",
			Providers: []providerNames{{[]string{"AInfo", "BInfo"}}},
		}}}},
		Providers:  []providerInfo{{Name: "RInfo", Fields: []fieldInfo{{"f", "A field."}}}},
		Functions:  []functionInfo{{Name: "m", Returns: returnInfo{"A text."}, Parameters: []parameterInfo{{Name: "kwargs", Role: kwargs}}}},
		Extensions: []extensionInfo{{"e", "An extension."}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("(-want +got)\n" + diff)
	}
	for n := range data {
		// A shorter message may be valid. None may be read past its end.
		_, _ = parseModule([]byte(data[:n]))
	}
}

func TestParseErrors(t *testing.T) {
	for name, data := range map[string]string{
		"empty":             "",
		"tag cut off":       "\x80",
		"number cut off":    "\x08\x80",
		"string cut off":    "\x32\x05abc",
		"length over 2^63":  "\x32\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
		"fixed cut off":     "\x0d123",
		"no such wire type": "\x0f",
		"inner message":     text(6, "//x:y.bzl") + text(1, "\x0a\x05abc"),
	} {
		if m, err := parseModule([]byte(data)); err == nil {
			t.Errorf("%s: got %+v, want an error", name, m)
		}
	}
}

// Bazel writes the same documentation as text, which is the expected result.
var names = regexp.MustCompile(`(?m)^  (rule|provider|function|extension)_name: "(.*)"|^    name: "(.*)"|^    type: (.*)`)

var typeWords = map[attributeType]string{
	typeName: "NAME", typeInt: "INT", typeLabel: "LABEL", typeString: "STRING", typeStringList: "STRING_LIST", typeLabelList: "LABEL_LIST",
	typeBool: "BOOLEAN", typeLabelKeyedStringDict: "LABEL_STRING_DICT", typeStringDict: "STRING_DICT",
	typeIntList: "INT_LIST", typeStringListDict: "STRING_LIST_DICT",
	typeStringKeyedLabelDict: "LABEL_DICT_UNARY",
}

func TestParseBazel(t *testing.T) {
	if os.Getenv("DEFS_BINARY") == "" {
		t.Skip("needs files that Bazel builds: run bazel test //tools/docs:docs_test")
	}
	m, err := parseModule(read(t, "DEFS_BINARY"))
	if err != nil {
		t.Fatal(err)
	}
	var want bytes.Buffer
	// The origin key of an item has a name at the same depth.
	plain := regexp.MustCompile(`(?m)^  origin_key \{\n.*\n.*\n  \}\n`).ReplaceAll(read(t, "DEFS_TEXT"), nil)
	for _, match := range names.FindAllSubmatch(plain, -1) {
		fmt.Fprintf(&want, "%s%s%s%s\n", match[1], match[2], match[3], match[4])
	}
	var got bytes.Buffer
	for _, r := range m.Rules {
		fmt.Fprintf(&got, "rule%s\n", r.Name)
		for _, a := range r.Attributes {
			fmt.Fprintf(&got, "%s\n%s\n", a.Name, typeWords[a.Type])
		}
	}
	for _, p := range m.Providers {
		fmt.Fprintf(&got, "provider%s\n", p.Name)
		for _, f := range p.Fields {
			fmt.Fprintln(&got, f.Name)
		}
	}
	for _, f := range m.Functions {
		fmt.Fprintf(&got, "function%s\n", f.Name)
		for _, p := range f.Parameters {
			fmt.Fprintln(&got, p.Name)
		}
	}
	if diff := cmp.Diff(want.String(), got.String()); diff != "" {
		t.Error("(-what Bazel writes as text, +what is read)\n" + diff)
	}
}

func read(t *testing.T, variable string) []byte {
	t.Helper()
	name, err := runfiles.Rlocation(os.Getenv(variable))
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
