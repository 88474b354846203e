package drivers

import (
	"strconv"
	"strings"
)

// evaluate returns the value of a constant expression of integers, as far as tables of devices
// have them: in parentheses, casts, and with the operators + - * | & ^ ~ << >>.
func evaluate(in []token) (uint64, bool) {
	e := &expression{in: in}
	value := e.binary(0)
	return value, !e.failed && len(e.in) == 0
}

type expression struct {
	in     []token
	depth  int
	failed bool
}

// precedence of binary operators.
var precedence = map[string]int{"|": 1, "^": 2, "&": 3, "<<": 4, ">>": 4, "+": 5, "-": 5, "*": 6}

func (e *expression) peek() string {
	if len(e.in) == 0 {
		return ""
	}
	return e.in[0].text
}

func (e *expression) next() token {
	if len(e.in) == 0 {
		e.failed = true
		return token{}
	}
	t := e.in[0]
	e.in = e.in[1:]
	return t
}

func (e *expression) binary(level int) uint64 {
	left := e.unary()
	for {
		operator := e.peek()
		p := precedence[operator]
		if p == 0 || p <= level || e.failed {
			return left
		}
		e.next()
		right := e.binary(p)
		switch operator {
		case "|":
			left |= right
		case "^":
			left ^= right
		case "&":
			left &= right
		case "<<":
			left <<= right
		case ">>":
			left >>= right
		case "+":
			left += right
		case "-":
			left -= right
		case "*":
			left *= right
		}
	}
}

func (e *expression) unary() uint64 {
	if e.depth++; e.depth > 200 {
		e.failed = true
		return 0
	}
	defer func() { e.depth-- }()
	t := e.next()
	switch {
	case t.text == "~":
		return ^e.unary()
	case t.text == "-":
		return -e.unary()
	case t.text == "+":
		return e.unary()
	case t.text == "(":
		if e.cast() {
			return e.unary()
		}
		value := e.binary(0)
		e.expect(")")
		return value
	case t.kind == 'n':
		value, err := strconv.ParseUint(strings.TrimRight(t.text, "uUlL"), 0, 64)
		e.failed = e.failed || err != nil
		return value
	case t.text == "BIT":
		e.expect("(")
		bit := e.binary(0)
		e.expect(")")
		return 1 << bit
	case t.text == "GENMASK":
		e.expect("(")
		high := e.binary(0)
		e.expect(",")
		low := e.binary(0)
		e.expect(")")
		return (1<<(high+1) - 1) &^ (1<<low - 1)
	case t.kind == 'p' && len(t.text) == 3 && t.text[0] == '\'':
		return uint64(t.text[1])
	}
	e.failed = true
	return 0
}

func (e *expression) expect(text string) {
	if e.next().text != text {
		e.failed = true
	}
}

// cast reads the rest of a cast to a type, whose parenthesis was read.
func (e *expression) cast() bool {
	i := 0
	for i < len(e.in) && e.in[i].kind == 'i' && !native[e.in[i].text] {
		i++
	}
	if i == 0 || i >= len(e.in) || e.in[i].text != ")" {
		return false
	}
	e.in = e.in[i+1:]
	return true
}

// text returns the value of strings next to each other.
func text(in []token) (string, bool) {
	for len(in) > 2 && in[0].text == "(" && in[len(in)-1].text == ")" {
		in = in[1 : len(in)-1]
	}
	var b strings.Builder
	for _, t := range in {
		if t.kind != 's' {
			return "", false
		}
		value, err := strconv.Unquote(t.text)
		if err != nil {
			return "", false
		}
		b.WriteString(value)
	}
	return b.String(), len(in) > 0
}
