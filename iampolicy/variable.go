package iampolicy

import "strings"

// A template is a text of a policy, with its wildcards and variables.
type template struct {
	parts    []part
	resource bool // it is a pattern for ARNs: see ofResource
}

// A part is tokens or, if it has a key, a variable.
type part struct {
	tokens       []token
	key          string // in lower case
	defaultValue string
	hasDefault   bool
}

// constant is a template without variables.
func constant(tokens []token) template { return template{parts: []part{{tokens: tokens}}} }

// parseTemplate reads a text with variables (IAM User Guide, IAM policy elements: Variables and
// tags). tokensOf makes the tokens of what is between them.
func parseTemplate(text string, tokensOf func(string) []token) (template, *Error) {
	var t template
	add := func(tokens []token) { t.parts = append(t.parts, part{tokens: tokens}) }
	for {
		before, rest, found := strings.Cut(text, "${")
		if before != "" {
			add(tokensOf(before))
		}
		if !found {
			return t, nil
		}
		inside, after, closed := cutVariable(rest)
		if !closed {
			return t, problem("%q begins a policy variable that has no end; write ${$}{ for ${",
				text)
		}
		switch inside {
		case "*", "?", "$": // these stand for themselves
			add(literal(inside))
		default:
			variable, err := parseVariable(inside)
			if err != nil {
				return t, err
			}
			t.parts = append(t.parts, variable)
		}
		text = after
	}
}

// cutVariable cuts at the brace that ends a variable. A default value may have braces.
func cutVariable(text string) (inside, after string, closed bool) {
	end := strings.Index(text, "}")
	quote := strings.Index(text, ", '")
	if quote < 0 || quote > end {
		return strings.Cut(text, "}")
	}
	from := quote + len(", '")
	length := strings.Index(text[from:], "'}")
	if length < 0 {
		return "", "", false
	}
	end = from + length + len("'")
	return text[:end], text[end+len("}"):], true
}

// parseVariable reads what is in the braces: a condition key and maybe a default value, as in
// aws:PrincipalTag/team, 'company-wide'.
func parseVariable(inside string) (part, *Error) {
	key, value, hasDefault := strings.Cut(inside, ", '")
	value, quoted := strings.CutSuffix(value, "'")
	if hasDefault != quoted || !isKey(key) || strings.ContainsAny(key, ",'${") {
		return part{}, problem("${%s} is not a policy variable; want a condition key such as "+
			"${aws:userid} or ${aws:PrincipalTag/team, 'default'}, or one of ${*}, ${?} and ${$}",
			inside)
	}
	if strings.Contains(value, "'") {
		return part{}, problem("${%s}: the default value has a quotation mark", inside)
	}
	v := part{key: strings.ToLower(key), defaultValue: value, hasDefault: hasDefault}
	return v, nil
}

// isKey reports whether a text has the form of a condition key: a prefix, a colon and a name.
func isKey(text string) bool {
	prefix, name, found := strings.Cut(text, ":")
	if !found || prefix == "" || name == "" || strings.HasSuffix(name, "/") {
		return false
	}
	return !strings.ContainsFunc(prefix, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-'
	})
}

// hasVariables reports whether the text depends on the request.
func (t template) hasVariables() bool {
	for _, p := range t.parts {
		if p.key != "" {
			return true
		}
	}
	return false
}

// maxExpanded is the longest text with its variables. One value of a request fits.
const maxExpanded = maxRequestValue + maxValue

// expand returns the tokens for a request. known is false if the request lacks a variable that
// has no default value; the tokens are then those before it. The value of a variable is plain text,
// without wildcards.
func (t template) expand(c Context) (tokens []token, known bool, err *Error) {
	for _, p := range t.parts {
		if p.key == "" {
			tokens = append(tokens, p.tokens...)
			continue
		}
		values := c[p.key]
		switch {
		case len(values) > 1:
			return nil, false, problem("the variable ${%s} has several values in the request",
				p.key)
		case len(values) == 1:
			tokens = append(tokens, literal(values[0])...)
		case p.hasDefault:
			tokens = append(tokens, literal(p.defaultValue)...)
		default:
			return tokens, false, nil
		}
		if len(tokens) > maxExpanded {
			return nil, false, problem("a value with the variable ${%s} is longer than %d "+
				"characters", p.key, maxExpanded)
		}
	}
	if t.resource {
		tokens = ofResource(tokens)
	}
	return tokens, true, nil
}
