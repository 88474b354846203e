package config

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// need is a symbol whose value keeps a condition from holding.
type need struct {
	symbol string // without the prefix CONFIG_
	off    bool   // the symbol must be off
	limit  string // a comparison that must hold, such as ">= 122", or empty
}

// tokens are those of conditions (Documentation/kbuild/kconfig-language.rst). A call of a macro
// is one token.
var tokens = regexp.MustCompile(`\$\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)|"[^"]*"|'[^']*'|&&|\|\||[<>!]=|[=<>!()]|[^\s&|=<>!()]+`)

// condition evaluates a condition.
type condition struct {
	got    Values
	tokens []string
}

// unmet returns what keeps a condition from holding, or nothing if it holds. Of alternatives,
// it returns what the simplest one needs. Calls of macros and what cannot be read count as
// true.
func (v Values) unmet(text string) []need {
	c := condition{got: v, tokens: tokens.FindAllString(text, -1)}
	needs, _ := c.or(false)
	return needs
}

func (c *condition) next(wanted ...string) string {
	if len(c.tokens) == 0 || len(wanted) > 0 && !slices.Contains(wanted, c.tokens[0]) {
		return ""
	}
	token := c.tokens[0]
	c.tokens = c.tokens[1:]
	return token
}

// or returns what an expression, or its negation, needs, and whether it holds.
func (c *condition) or(negated bool) ([]need, bool) {
	return c.chain("||", !negated, func() ([]need, bool) { return c.and(negated) })
}

func (c *condition) and(negated bool) ([]need, bool) {
	return c.chain("&&", negated, func() ([]need, bool) { return c.primary(negated) })
}

// chain reads operands between which an operator stands. One of them, or all, must hold.
func (c *condition) chain(operator string, one bool, operand func() ([]need, bool)) ([]need, bool) {
	all, holds := operand()
	for c.next(operator) != "" {
		needs, also := operand()
		switch {
		case !one:
			all, holds = append(all, needs...), holds && also
		case holds || also:
			all, holds = nil, true
		case len(needs) < len(all):
			all = needs
		}
	}
	return all, holds
}

func (c *condition) primary(negated bool) ([]need, bool) {
	switch token := c.next(); {
	case token == "!":
		return c.primary(!negated)
	case token == "(":
		needs, holds := c.or(negated)
		c.next(")")
		return needs, holds
	case !symbolName.MatchString(token):
		c.comparison()
		return nil, true
	default:
		operator, operand := c.comparison()
		value := c.got.Get(Prefix + token)
		if operator == "" {
			holds := (value != "n") != negated
			return unless(holds, need{symbol: token, off: negated}), holds
		}
		if negated {
			operator = inverse[operator]
		}
		holds := compare(value, operator, c.got.operand(operand))
		return unless(holds, need{symbol: token, limit: operator + " " + operand}), holds
	}
}

var inverse = map[string]string{"=": "!=", "!=": "=", "<": ">=", ">": "<=", "<=": ">", ">=": "<"}

func unless(holds bool, n need) []need {
	if holds {
		return nil
	}
	return []need{n}
}

func (c *condition) comparison() (operator, operand string) {
	if operator = c.next("=", "!=", "<", ">", "<=", ">="); operator != "" {
		operand = c.next()
	}
	return operator, operand
}

// operand returns the value of the right side of a comparison: of a symbol, or a constant.
func (v Values) operand(text string) string {
	if value, ok := v[Prefix+text]; ok {
		return value
	}
	return strings.Trim(text, `"'`)
}

func compare(value, operator, with string) bool {
	value = strings.Trim(value, `"`)
	order := cmp.Compare(value, with)
	if b, err := strconv.ParseInt(with, 0, 64); err == nil {
		// A symbol without a value is 0.
		a, _ := strconv.ParseInt(value, 0, 64)
		order = cmp.Compare(a, b)
	}
	switch operator {
	case "=":
		return order == 0
	case "!=":
		return order != 0
	case "<":
		return order < 0
	case ">":
		return order > 0
	case "<=":
		return order <= 0
	}
	return order >= 0
}
