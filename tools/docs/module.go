package main

import (
	"errors"
	"reflect"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
)

// moduleInfo is the documentation of a .bzl file, in the file's order, as Bazel's rule starlark_doc_extract writes it.
//
// It is a message of Bazel's src/main/protobuf/stardoc_output.proto, which is the source of the
// names and of the field numbers. Defaults are Starlark expressions, or "" if there is none.
type moduleInfo struct {
	File       string          `field:"6"` // the label, such as //rules:defs.bzl
	Doc        string          `field:"5"`
	Rules      []ruleInfo      `field:"1"`
	Providers  []providerInfo  `field:"2"`
	Functions  []functionInfo  `field:"3"` // functions and macros
	Extensions []extensionInfo `field:"7"`
}

type ruleInfo struct {
	Name       string          `field:"1"`
	Doc        string          `field:"2"`
	Attributes []attributeInfo `field:"3"` // in the order of the rule's definition; the first is "name"
	Provides   providerNames   `field:"5"` // every target of the rule has them
	Test       bool            `field:"6"`
	Executable bool            `field:"7"`
}

type attributeInfo struct {
	Name      string          `field:"1"`
	Doc       string          `field:"2"`
	Type      attributeType   `field:"3"`
	Mandatory bool            `field:"4"`
	Providers []providerNames `field:"5"` // a target must have all providers of at least one group
	Default   string          `field:"6"`
}

type providerNames struct {
	Names []string `field:"1"`
}

// attributeType is a value of the enum AttributeType.
type attributeType uint64

// The attribute types that the rules use.
const (
	typeName                 attributeType = 1
	typeInt                  attributeType = 2
	typeLabel                attributeType = 3
	typeString               attributeType = 4
	typeStringList           attributeType = 5
	typeIntList              attributeType = 6
	typeLabelList            attributeType = 7
	typeBool                 attributeType = 8
	typeLabelKeyedStringDict attributeType = 9
	typeStringDict           attributeType = 10
	typeStringListDict       attributeType = 11
	typeStringKeyedLabelDict attributeType = 14
)

type providerInfo struct {
	Name   string      `field:"1"`
	Doc    string      `field:"2"`
	Fields []fieldInfo `field:"3"`
}

type fieldInfo struct {
	Name string `field:"1"`
	Doc  string `field:"2"`
}

type functionInfo struct {
	Name       string          `field:"1"`
	Parameters []parameterInfo `field:"2"`
	Doc        string          `field:"3"`
	Returns    returnInfo      `field:"4"`
}

type returnInfo struct {
	Doc string `field:"1"`
}

type parameterInfo struct {
	Name      string        `field:"1"`
	Doc       string        `field:"2"`
	Default   string        `field:"3"`
	Mandatory bool          `field:"4"`
	Role      parameterRole `field:"5"`
}

// parameterRole is a value of the enum FunctionParamRole.
type parameterRole uint64

// The roles that are printed in a special way. Bazel 7 does not set a role: noRole.
const (
	noRole  parameterRole = 0
	varargs parameterRole = 4
	kwargs  parameterRole = 5
)

type extensionInfo struct {
	Name string `field:"1"`
	Doc  string `field:"2"`
}

// parseModule reads a binary ModuleInfo.
func parseModule(data []byte) (*moduleInfo, error) {
	m := &moduleInfo{}
	if err := decode(data, reflect.ValueOf(m).Elem()); err != nil {
		return nil, err
	}
	if m.File == "" {
		return nil, errors.New("not a ModuleInfo message: it has no file name")
	}
	return m, nil
}

// decode reads a message into a struct, whose tags have the field numbers. It passes over other fields.
func decode(data []byte, to reflect.Value) error {
	fields := map[string]reflect.Value{}
	for field, value := range to.Fields() {
		fields[field.Tag.Get("field")] = value
	}
	for len(data) > 0 {
		number, wire, n := protowire.ConsumeTag(data)
		if n < 0 {
			return protowire.ParseError(n)
		}
		field, isKnown := fields[strconv.Itoa(int(number))]
		value := data[n:]
		if n = protowire.ConsumeFieldValue(number, wire, value); n < 0 {
			return protowire.ParseError(n)
		}
		data = value[n:]
		if !isKnown {
			continue
		}
		if err := set(field, wire, value[:n]); err != nil {
			return err
		}
	}
	return nil
}

// set sets or extends a field by an encoded value.
func set(field reflect.Value, wire protowire.Type, value []byte) error {
	number, _ := protowire.ConsumeVarint(value)
	text, _ := protowire.ConsumeBytes(value)
	switch kind := field.Kind(); {
	case wire == protowire.VarintType && kind == reflect.Bool:
		field.SetBool(number != 0)
	case wire == protowire.VarintType && kind == reflect.Uint64:
		field.SetUint(number)
	case wire == protowire.BytesType && kind == reflect.String:
		field.SetString(string(text))
	case wire == protowire.BytesType && kind == reflect.Struct:
		return decode(text, field)
	case wire == protowire.BytesType && kind == reflect.Slice:
		one := reflect.New(field.Type().Elem()).Elem()
		err := set(one, wire, value)
		field.Set(reflect.Append(field, one))
		return err
	}
	return nil
}
