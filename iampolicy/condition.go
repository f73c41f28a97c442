package iampolicy

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxValue is the longest value in a policy, and the longest ARN of a request, in characters. The
// longest texts that AWS compares are ARNs of 2,048.
const maxValue = 4_096

// maxRequestValue is the longest value of a condition key in a request, in characters. It has room
// for whatever a SAML response of AssumeRoleWithSAML can have as an attribute (AWS STS API
// Reference, AssumeRoleWithSAML: SAMLAssertion).
const maxRequestValue = 100_000

// A Context has the values of a request's condition keys, such as "aws:PrincipalTag/team" or
// "s3:prefix". Keys are not case-sensitive. A key without values counts as absent from the request.
// Instants, such as that of aws:TokenIssueTime, are texts of RFC 3339 or seconds since 1970. A
// value has at most 100,000 characters.
type Context map[string][]string

// lower returns the context with keys in lower case.
func (c Context) lower() (Context, *Error) {
	all := make(Context, len(c))
	for _, key := range slices.Sorted(maps.Keys(c)) {
		if len(c[key]) == 0 {
			continue
		}
		name := strings.ToLower(key)
		if _, twice := all[name]; twice {
			return nil, problem("the request has the condition key %q in two spellings", name)
		}
		for _, value := range c[key] {
			if n := utf8.RuneCountInString(value); n > maxRequestValue || !utf8.ValidString(value) {
				return nil, problem("the condition key %q has a value of %d characters, or not in "+
					"UTF-8; want at most %d", key, n, maxRequestValue)
			}
		}
		all[name] = c[key]
	}
	return all, nil
}

// A setOperator says how several values of a request count.
type setOperator int

const (
	single setOperator = iota
	forAllValues
	forAnyValue
)

// A condition is one key under one operator. All conditions of a statement must hold.
type condition struct {
	operator operator
	set      setOperator
	ifExists bool
	name     string // of the key, as the policy has it
	key      string // in lower case
	values   []operand
}

// parseConditions reads a Condition block (IAM User Guide, IAM JSON policy elements: Condition).
func parseConditions(v any, variables bool) ([]condition, *Error) {
	block, ok := v.(map[string]any)
	if !ok {
		return nil, problem("not a JSON object")
	}
	var conditions []condition
	for _, name := range slices.Sorted(maps.Keys(block)) {
		base, err := parseOperator(name)
		if err != nil {
			return nil, err
		}
		keys, ok := block[name].(map[string]any)
		if !ok || len(keys) == 0 {
			return nil, problem("%s: not a JSON object with condition keys", name)
		}
		seen := map[string]bool{}
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			c, err := base.withKey(key, keys[key], variables)
			if err == nil && seen[c.key] {
				err = problem("the key is there in two spellings")
			}
			if err != nil {
				err.Problem = name + ": " + key + ": " + err.Problem
				return nil, err
			}
			seen[c.key] = true
			conditions = append(conditions, c)
		}
	}
	return conditions, nil
}

// parseOperator reads the name of an operator with what is before and after it.
func parseOperator(name string) (condition, *Error) {
	var c condition
	rest := strings.ToLower(name)
	if after, ok := strings.CutPrefix(rest, "forallvalues:"); ok {
		rest = after
		c.set = forAllValues
	} else if after, ok := strings.CutPrefix(rest, "foranyvalue:"); ok {
		rest = after
		c.set = forAnyValue
	}
	rest, c.ifExists = strings.CutSuffix(rest, "ifexists")
	var known bool
	c.operator, known = operators[rest]
	// Null takes neither IfExists nor a set operator, because it looks at the key alone.
	plain := c.set == single && !c.ifExists
	if !known || c.operator.kind == ofPresence && !plain {
		return c, problem("operator %q is not supported; want one that the IAM User Guide "+
			"lists, such as StringEquals", name)
	}
	return c, nil
}

// withKey returns the condition of an operator for a key and its values.
func (c condition) withKey(key string, v any, variables bool) (condition, *Error) {
	if !isKey(key) || strings.ContainsAny(key, "*?") || strings.Contains(key, "${") {
		return c, problem("not a condition key such as aws:SourceIp")
	}
	c.name = key
	c.key = strings.ToLower(key)
	texts, err := valuesOf(v)
	if err != nil {
		return c, err
	}
	for _, text := range texts {
		o, err := c.operator.operand(text, variables)
		if err != nil {
			return c, err
		}
		c.values = append(c.values, o)
	}
	if c.operator.kind == ofPresence && len(c.values) != 1 {
		return c, problem("want true or false")
	}
	return c, nil
}

// holds follows the IAM User Guide: IAM JSON policy elements: Condition operators, and Set
// operators for multivalued context keys. deny is the effect of the statement.
func (c *condition) holds(e *evaluation, deny bool) (bool, *Error) {
	values := e.context[c.key]
	if c.operator.kind == ofPresence {
		return (len(values) == 0) == c.values[0].absent, nil
	}
	if len(values) == 0 {
		return c.holdsWithoutKey(), nil
	}
	if c.set == single && len(values) > 1 {
		return false, problem("%s has several values in the request; want ForAnyValue or "+
			"ForAllValues in the policy", c.name)
	}
	// "ForAllValues also returns true if […] the context key value resolves to a null dataset,
	// such as an empty string"; ForAnyValue returns false.
	if c.set != single && len(values) == 1 && values[0] == "" {
		return c.set == forAllValues, nil
	}
	want, known, err := c.expand(e)
	if err != nil {
		return false, err
	}
	// The whole statement may be invalid if a variable is not known. A negated operator would
	// then allow what no value excludes.
	if !known && c.operator.negated && !deny {
		return false, nil
	}
	for _, value := range values {
		met, err := c.meets(e, want, value)
		if err != nil {
			return false, err
		}
		switch {
		case c.set == forAllValues && !met:
			return false, nil
		case c.set != forAllValues && met:
			return true, nil
		}
	}
	return c.set == forAllValues, nil
}

// holdsWithoutKey decides for a key that the request does not have.
func (c *condition) holdsWithoutKey() bool {
	switch {
	case c.ifExists || c.set == forAllValues:
		return true
	case c.set == forAnyValue:
		return false
	}
	return c.operator.negated
}

// expand returns the values whose variables are known, and whether all are.
func (c *condition) expand(e *evaluation) (want []operand, allKnown bool, err *Error) {
	allKnown = true
	for _, o := range c.values {
		known := true
		if o.text.hasVariables() {
			if o.pattern, known, err = o.text.expand(e.context); err != nil {
				return nil, false, err
			}
			// All values are kept until they are compared, so this also bounds the memory.
			if err := e.spend(len(o.pattern)); err != nil {
				return nil, false, err
			}
		}
		if known {
			want = append(want, o)
		}
		allKnown = allKnown && known
	}
	return want, allKnown, nil
}

// meets compares one value of the request with those of the policy. A negated operator wants none
// of them.
func (c *condition) meets(e *evaluation, want []operand, value string) (bool, *Error) {
	got, err := c.operator.read(value)
	if err != nil {
		err.Problem = c.name + ": " + err.Problem
		return false, err
	}
	for _, o := range want {
		if err := e.spend(1 + len(o.pattern)*len(got.pattern)); err != nil {
			return false, err
		}
		if c.operator.compare(o, got) {
			return !c.operator.negated, nil
		}
	}
	return c.operator.negated, nil
}
