package iampolicy

import (
	"encoding/base64"
	"math/big"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A kind is what an operator compares.
type kind int

const (
	ofTexts    kind = iota
	ofPatterns      // texts with wildcards
	ofARNs
	ofNumbers
	ofDates
	ofBooleans
	ofBytes
	ofAddresses
	ofPresence // of the key
)

// An operator is one of the IAM User Guide, Condition operators.
type operator struct {
	kind    kind
	negated bool
	// compare reports whether a value of the policy matches one of the request. ofPresence has
	// none.
	compare func(want, got operand) bool
}

// An operand is a value of a policy or of a request, as its operator reads it.
type operand struct {
	text    template // of a policy, for texts, patterns and ARNs
	pattern []token  // the text without variables
	number  *big.Rat
	instant time.Time
	bytes   string
	network netip.Prefix
	address netip.Addr
	truth   bool
	absent  bool // of Null: the key must not be there
}

var operators = makeOperators()

// makeOperators returns all operators by their names in lower case.
func makeOperators() map[string]operator {
	all := map[string]operator{
		"null": {kind: ofPresence},
		"bool": {kind: ofBooleans, compare: func(want, got operand) bool {
			return want.truth == got.truth
		}},
		"binaryequals": {kind: ofBytes, compare: func(want, got operand) bool {
			return want.bytes == got.bytes
		}},
		"ipaddress": {kind: ofAddresses, compare: func(want, got operand) bool {
			return want.network.Contains(got.address)
		}},
	}
	all["notipaddress"] = negation(all["ipaddress"])
	same := func(want, got operand) bool { return slices.Equal(want.pattern, got.pattern) }
	folded := func(want, got operand) bool {
		return strings.EqualFold(textOf(want.pattern), textOf(got.pattern))
	}
	like := func(want, got operand) bool { return match(want.pattern, got.pattern) }
	arn := func(want, got operand) bool { return matchARN(want.pattern, got.pattern) }
	for name, o := range map[string]operator{
		"string%equals":           {kind: ofTexts, compare: same},
		"string%equalsignorecase": {kind: ofTexts, compare: folded},
		"string%like":             {kind: ofPatterns, compare: like},
		"arn%equals":              {kind: ofARNs, compare: arn}, // as ArnLike
		"arn%like":                {kind: ofARNs, compare: arn},
	} {
		all[strings.Replace(name, "%", "", 1)] = o
		all[strings.Replace(name, "%", "not", 1)] = negation(o)
	}
	for name, order := range map[string][]int{
		"equals":            {0},
		"lessthan":          {-1},
		"lessthanequals":    {-1, 0},
		"greaterthan":       {1},
		"greaterthanequals": {1, 0},
	} {
		all["numeric"+name] = operator{kind: ofNumbers, compare: func(want, got operand) bool {
			return slices.Contains(order, got.number.Cmp(want.number))
		}}
		all["date"+name] = operator{kind: ofDates, compare: func(want, got operand) bool {
			return slices.Contains(order, got.instant.Compare(want.instant))
		}}
	}
	all["numericnotequals"] = negation(all["numericequals"])
	all["datenotequals"] = negation(all["dateequals"])
	return all
}

func negation(o operator) operator {
	o.negated = true
	return o
}

// operand reads a value of a policy. "You can't use a policy variable with other operators" than
// those of strings and ARNs (IAM User Guide, Variables and tags).
func (o operator) operand(text string, variables bool) (operand, *Error) {
	switch o.kind {
	case ofTexts, ofPatterns, ofARNs:
		return o.textOperand(text, variables)
	}
	if strings.Contains(text, "${") {
		return operand{}, problem("%q: AWS accepts policy variables with operators of strings and "+
			"ARNs only", text)
	}
	return o.scalar(text)
}

// textOperand reads a value of a policy that can have wildcards or variables.
func (o operator) textOperand(text string, variables bool) (operand, *Error) {
	tokensOf := literal
	if o.kind != ofTexts {
		tokensOf = wildcards
	}
	t := constant(tokensOf(text))
	if variables {
		var err *Error
		if t, err = parseTemplate(text, tokensOf); err != nil {
			return operand{}, err
		}
	}
	if t.hasVariables() {
		return operand{text: t}, nil
	}
	if o.kind == ofARNs && !isARN(text) {
		return operand{}, problem("%q: want an ARN, which has six parts between colons", text)
	}
	pattern, _, err := t.expand(nil)
	return operand{pattern: pattern}, err
}

// textOf returns the text of tokens without wildcards.
func textOf(tokens []token) string {
	var b strings.Builder
	for _, t := range tokens {
		b.WriteRune(rune(t))
	}
	return b.String()
}

// read reads a value of the request.
func (o operator) read(text string) (operand, *Error) {
	switch o.kind {
	case ofTexts, ofPatterns, ofARNs:
		return operand{pattern: literal(text)}, nil
	case ofBytes:
		return operand{bytes: text}, nil
	case ofAddresses:
		at, err := netip.ParseAddr(text)
		if err != nil || at.Zone() != "" {
			return operand{}, problem("the request's value is not an IP address")
		}
		return operand{address: at.Unmap()}, nil
	}
	got, err := o.scalar(text)
	if err != nil { // which quotes a value, and that of a request may be a secret
		return operand{}, problem("the request's value is not one for this operator")
	}
	return got, nil
}

// scalar reads a number, an instant, a boolean, bytes or a range of addresses.
func (o operator) scalar(text string) (operand, *Error) {
	switch o.kind {
	case ofNumbers:
		if !number().MatchString(text) {
			return operand{}, problem("%q: want a number such as 10 or 0.5", text)
		}
		value, _ := new(big.Rat).SetString(text)
		return operand{number: value}, nil
	case ofDates:
		instant, err := parseInstant(text)
		return operand{instant: instant}, err
	case ofBooleans, ofPresence:
		truth := strings.EqualFold(text, "true")
		if !truth && !strings.EqualFold(text, "false") {
			return operand{}, problem("%q: want true or false", text)
		}
		return operand{truth: truth, absent: truth}, nil
	case ofBytes:
		value, err := base64.StdEncoding.Strict().DecodeString(text)
		if err != nil {
			return operand{}, problem("%q: want bytes in base64", text)
		}
		return operand{bytes: string(value)}, nil
	}
	network, ok := parseNetwork(text)
	if !ok {
		return operand{}, problem(
			"%q: want an IP address or a range such as 203.0.113.0/24", text)
	}
	return operand{network: network}, nil
}

// number is an integer or a decimal number. Its length bounds the work of comparing.
var number = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\A[+-]?[0-9]{1,64}(\.[0-9]{1,64})?\z`)
})

// parseNetwork reads one address or a range in the form of RFC 4632 or RFC 4291.
func parseNetwork(text string) (netip.Prefix, bool) {
	if at, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(at, at.BitLen()), at.Zone() == ""
	}
	network, err := netip.ParsePrefix(text)
	return network, err == nil
}

// layouts are the formats with a time of day of the W3C note "Date and Time Formats", and those
// without. Go reads fractions of a second in each that has seconds.
var layouts = []string{
	"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04Z07:00", "2006-01-02", "2006-01",
}

// parseInstant reads "one of the W3C implementations of the ISO 8601 date formats" or "epoch
// (UNIX) time" (IAM User Guide, Condition operators, Date condition operators).
func parseInstant(text string) (time.Time, *Error) {
	for _, layout := range layouts {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	// Four digits may be a year or seconds. Eleven reach the year 5138; more are milliseconds.
	digits := text != "" && len(text) <= 11 && strings.Trim(text, "0123456789") == ""
	if !digits || len(text) == 4 {
		return time.Time{}, problem("%q: want a date such as 2026-11-29T12:00:00Z or "+
			"seconds since 1970", text)
	}
	seconds, _ := strconv.ParseInt(text, 10, 64)
	return time.Unix(seconds, 0), nil
}
