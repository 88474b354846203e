// Package module reads the documentation of a .bzl file, as Bazel's rule
// starlark_doc_extract writes it.
//
// The data is a ModuleInfo message of Bazel's src/main/protobuf/stardoc_output.proto,
// which is the source of the field numbers.
package module

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// Module is the documentation of a .bzl file, in the file's order.
type Module struct {
	// File is the file's label, such as //rules:defs.bzl.
	File       string
	Doc        string
	Rules      []Rule
	Providers  []Provider
	Functions  []Function
	Extensions []Extension
}

// Rule is a rule.
type Rule struct {
	Name, Doc string
	// Attributes are in the order of the rule's definition; the first is "name".
	Attributes []Attribute
	// Provides has the names of the providers that every target of the rule has.
	Provides         []string
	Test, Executable bool
}

// Attribute is an attribute of a rule.
type Attribute struct {
	Name, Doc string
	Type      Type
	Mandatory bool
	// Default is a Starlark expression, or "" if there is no default.
	Default string
	// Providers has groups of provider names. A target must have all providers of at
	// least one group.
	Providers [][]string
}

// Type is an attribute's type: a value of the enum AttributeType.
type Type uint64

// The attribute types that the rules use.
const (
	Name                 Type = 1
	Int                  Type = 2
	Label                Type = 3
	String               Type = 4
	StringList           Type = 5
	LabelList            Type = 7
	Bool                 Type = 8
	LabelKeyedStringDict Type = 9
	StringDict           Type = 10
	StringKeyedLabelDict Type = 14
)

// Provider is a provider.
type Provider struct {
	Name, Doc string
	Fields    []Field
}

// Field is a field of a provider.
type Field struct{ Name, Doc string }

// Function is a function or a macro.
type Function struct {
	Name, Doc, Returns string
	Parameters         []Parameter
}

// Role is a parameter's role: a value of the enum FunctionParamRole.
type Role uint64

// The roles that are printed in a special way. Bazel 7 does not set a role: NoRole.
const (
	NoRole  Role = 0
	Varargs Role = 4
	Kwargs  Role = 5
)

// Parameter is a parameter of a function.
type Parameter struct {
	Name, Doc string
	// Default is a Starlark expression, or "".
	Default   string
	Mandatory bool
	Role      Role
}

// Extension is a module extension.
type Extension struct{ Name, Doc string }

// Parse reads a binary ModuleInfo.
func Parse(data []byte) (*Module, error) {
	top, err := decode(data)
	if err != nil {
		return nil, err
	}
	m := &Module{File: top.text(6), Doc: top.text(5)}
	if m.File == "" {
		return nil, errors.New("not a ModuleInfo message: it has no file name")
	}
	for _, part := range []struct {
		field protowire.Number
		read  func(message) error
	}{{1, m.rule}, {2, m.provider}, {3, m.function}, {7, m.extension}} {
		if err := top.each(part.field, part.read); err != nil {
			return nil, fmt.Errorf("%s: %w", m.File, err)
		}
	}
	return m, nil
}

func (m *Module) rule(in message) error {
	r := Rule{Name: in.text(1), Doc: in.text(2), Test: in.numbers[6] != 0, Executable: in.numbers[7] != 0}
	err := in.each(3, func(in message) error {
		a := Attribute{
			Name: in.text(1), Doc: in.text(2), Type: Type(in.numbers[3]), Mandatory: in.numbers[4] != 0,
			Default: in.text(6),
		}
		err := in.each(5, func(in message) error {
			a.Providers = append(a.Providers, texts(in, 1))
			return nil
		})
		r.Attributes = append(r.Attributes, a)
		return err
	})
	if err != nil {
		return err
	}
	err = in.each(5, func(in message) error {
		r.Provides = texts(in, 1)
		return nil
	})
	m.Rules = append(m.Rules, r)
	return err
}

func (m *Module) provider(in message) error {
	p := Provider{Name: in.text(1), Doc: in.text(2)}
	err := in.each(3, func(in message) error {
		p.Fields = append(p.Fields, Field{in.text(1), in.text(2)})
		return nil
	})
	m.Providers = append(m.Providers, p)
	return err
}

func (m *Module) function(in message) error {
	f := Function{Name: in.text(1), Doc: in.text(3)}
	err := in.each(2, func(in message) error {
		f.Parameters = append(f.Parameters, Parameter{
			Name: in.text(1), Doc: in.text(2), Default: in.text(3), Mandatory: in.numbers[4] != 0,
			Role: Role(in.numbers[5]),
		})
		return nil
	})
	if err != nil {
		return err
	}
	err = in.each(4, func(in message) error {
		f.Returns = in.text(1)
		return nil
	})
	m.Functions = append(m.Functions, f)
	return err
}

func (m *Module) extension(in message) error {
	m.Extensions = append(m.Extensions, Extension{in.text(1), in.text(2)})
	return nil
}

func texts(in message, field protowire.Number) []string {
	var all []string
	for _, text := range in.bytes[field] {
		all = append(all, string(text))
	}
	return all
}
