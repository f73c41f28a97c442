package iampolicy

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/seed055b7978/delegation/internal/document"
)

// maxDocument is the longest policy in bytes. The largest policies of AWS have 32,768 characters
// (AWS KMS Developer Guide, Quotas: key policy document size), and some quotas leave white space
// out.
const maxDocument = 131_072

// A Policy is a policy document that can be evaluated. Only [Parse] makes one, and the zero value
// allows nothing. It does not change, and is safe for concurrent use.
type Policy struct {
	statements []statement
	text       string
}

// String returns the document as it was given to [Parse].
func (p *Policy) String() string { return p.text }

// HasPrincipal reports whether it is a resource policy.
func (p *Policy) HasPrincipal() bool {
	return len(p.statements) > 0 && p.statements[0].principal != nil
}

// versionWithVariables is the version of the policy language that has variables.
const versionWithVariables = "2012-10-17"

// Parse reads a policy document: JSON of at most 131,072 bytes. The error is an [*Error] that
// names the statement and element that cannot be evaluated.
//
// A policy whose statements have a Principal is a resource policy, one without is an identity
// policy, session policy or permissions boundary. [Set.Decide] refuses a policy in a place of the
// other kind. A resource policy may leave out Resource, as trust policies do: it then is about
// the resource that it belongs to.
func Parse(document string) (*Policy, error) {
	p, err := parse(document)
	if err != nil {
		return nil, err
	}
	return p, nil
}

func parse(text string) (*Policy, *Error) {
	if len(text) > maxDocument {
		return nil, problem("the policy has %d bytes; want at most %d", len(text), maxDocument)
	}
	if strings.TrimSpace(text) == "" {
		return nil, problem("the policy is empty")
	}
	top, err := document.ObjectOf(text)
	if err != nil {
		return nil, problem("not a policy in JSON: %v", err)
	}
	if err := onlyMembers(top, "Version", "Id", "Statement"); err != nil {
		return nil, err
	}
	variables, refusal := parseVersion(top)
	if refusal != nil {
		return nil, refusal
	}
	if id, ok := top["Id"]; ok {
		if _, isText := id.(string); !isText {
			return nil, problem("the Id: want a string")
		}
	}
	list, isList := top["Statement"].([]any)
	if !isList {
		list = []any{top["Statement"]}
	}
	if len(list) == 0 {
		return nil, problem("no Statement")
	}
	p := &Policy{text: strings.Clone(text)}
	sids := map[string]bool{}
	for i, v := range list {
		s, err := parseStatement(v, variables)
		if err == nil && s.sid != "" && sids[s.sid] {
			err = problem("the Sid %q is that of another statement", s.sid)
		}
		if err == nil && i > 0 && (s.principal == nil) != (p.statements[0].principal == nil) {
			err = problem("a Principal is in some statements only: identity policies have none, " +
				"and in resource policies every statement has one")
		}
		if err != nil {
			err.Statement = i + 1
			return nil, err
		}
		sids[s.sid] = true
		p.statements = append(p.statements, s)
	}
	return p, nil
}

// parseVersion reports whether the policy's version has variables. "If you do not include a
// Version element, the value defaults to 2008-10-17", which has none (IAM User Guide, IAM JSON
// policy elements: Version).
func parseVersion(top map[string]any) (variables bool, err *Error) {
	version, ok := top["Version"]
	switch {
	case !ok || version == "2008-10-17":
		return false, nil
	case version == versionWithVariables:
		return true, nil
	}
	return false, problem("the Version is %v; want %s", version, versionWithVariables)
}

// A statement is one of a policy.
type statement struct {
	sid       string
	deny      bool
	principal *principals // nil in an identity policy
	actions   [][]token   // in lower case
	notAction bool

	resources   []template // none: the resource that the policy belongs to
	notResource bool
	conditions  []condition
}

func parseStatement(v any, variables bool) (statement, *Error) {
	var s statement
	m, ok := v.(map[string]any)
	if !ok {
		return s, problem("not a JSON object")
	}
	if _, ok := m["NotPrincipal"]; ok {
		return s, problem("NotPrincipal is not supported; want the Principal \"*\" with a " +
			"Condition such as ArnNotEquals of aws:PrincipalArn, as AWS recommends")
	}
	err := onlyMembers(m, "Sid", "Effect", "Principal", "Action", "NotAction", "Resource",
		"NotResource", "Condition")
	if err != nil {
		return s, err
	}
	if sid, ok := m["Sid"]; ok {
		if s.sid, ok = sid.(string); !ok {
			return s, problem("the Sid: want a string")
		}
	}
	switch m["Effect"] { // "The Effect value is case sensitive"
	case "Allow":
	case "Deny":
		s.deny = true
	default:
		return s, problem("the Effect must be Allow or Deny")
	}
	if v, ok := m["Principal"]; ok {
		if s.principal, err = parsePrincipals(v); err != nil {
			return s, at("Principal", err)
		}
	}
	if err := s.parseActions(m); err != nil {
		return s, err
	}
	if err := s.parseResources(m, variables); err != nil {
		return s, err
	}
	if v, ok := m["Condition"]; ok {
		if s.conditions, err = parseConditions(v, variables); err != nil {
			return s, at("Condition", err)
		}
	}
	return s, nil
}

// at adds the element to an error.
func at(element string, err *Error) *Error {
	err.Element = element
	return err
}

// oneOf returns the one of two elements that a statement has.
func oneOf(m map[string]any, name, not string) (element string, v any, err *Error) {
	yes, hasYes := m[name]
	no, hasNo := m[not]
	switch {
	case hasYes && hasNo:
		return "", nil, problem("there are both %s and %s", name, not)
	case hasYes:
		return name, yes, nil
	case hasNo:
		return not, no, nil
	}
	return "", nil, nil
}

// parseActions reads Action or NotAction. "The prefix and the action name are case insensitive"
// (IAM User Guide, IAM JSON policy elements: Action).
func (s *statement) parseActions(m map[string]any) *Error {
	element, v, err := oneOf(m, "Action", "NotAction")
	if err != nil {
		return err
	}
	if element == "" {
		return problem("there is neither Action nor NotAction")
	}
	s.notAction = element == "NotAction"
	names, err := stringsOf(v)
	if err != nil {
		return at(element, err)
	}
	for _, name := range names {
		service, action, found := strings.Cut(name, ":")
		whole := found && service != "" && action != "" && !strings.ContainsAny(service, "*?")
		if name != everyone && !whole {
			return at(element, problem("%q: want an action such as s3:GetObject or s3:*, or \"*\"",
				name))
		}
		s.actions = append(s.actions, wildcards(strings.ToLower(name)))
	}
	return nil
}

// parseResources reads Resource or NotResource.
func (s *statement) parseResources(m map[string]any, variables bool) *Error {
	element, v, err := oneOf(m, "Resource", "NotResource")
	if err != nil {
		return err
	}
	if element == "" {
		if s.principal == nil {
			return problem("there is neither Resource nor NotResource")
		}
		return nil
	}
	s.notResource = element == "NotResource"
	names, err := stringsOf(v)
	if err != nil {
		return at(element, err)
	}
	for _, name := range names {
		t, err := parseResource(name, variables)
		if err != nil {
			return at(element, err)
		}
		s.resources = append(s.resources, t)
	}
	return nil
}

// parseResource reads a pattern for ARNs (IAM User Guide, IAM JSON policy elements: Resource). A
// variable may be only in the resource, "after the fifth colon" (Variables and tags).
func parseResource(name string, variables bool) (template, *Error) {
	if name == everyone {
		return constant([]token{anyRun}), nil
	}
	parts := strings.SplitN(name, ":", colonsOfARN+1)
	// A * at the end of a part stands for further parts as well.
	whole := len(parts) == colonsOfARN+1 || len(parts) > 3 &&
		slices.ContainsFunc(parts[3:], func(p string) bool { return strings.HasSuffix(p, "*") })
	if parts[0] != "arn" || !whole || parts[1] == "" || parts[2] == "" {
		return template{}, problem("%q: want an ARN such as arn:aws:s3:::bucket/*, or \"*\"", name)
	}
	if strings.ContainsAny(parts[2], "*?") {
		return template{}, problem("%q: AWS accepts no wildcard in the service of an ARN", name)
	}
	if !variables {
		return template{parts: []part{{tokens: wildcards(name)}}, resource: true}, nil
	}
	for i, p := range parts {
		if i < colonsOfARN && strings.Contains(p, "${") {
			return template{}, problem("%q: AWS accepts variables in the resource of an ARN only, "+
				"after the fifth colon", name)
		}
	}
	t, err := parseTemplate(name, wildcards)
	t.resource = true
	return t, err
}

// onlyMembers refuses members of other names. Several are named in the order of the alphabet.
func onlyMembers(m map[string]any, names ...string) *Error {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if !slices.Contains(names, name) {
			return problem("%q is not supported; want only %s", name, strings.Join(names, ", "))
		}
	}
	return nil
}

// stringsOf reads a string or a list of strings, none of which is empty.
func stringsOf(v any) ([]string, *Error) {
	list, isList := v.([]any)
	if !isList {
		list = []any{v}
	}
	values := make([]string, 0, len(list))
	for _, v := range list {
		text, ok := v.(string)
		if !ok {
			return nil, problem("want a string or a list of strings")
		}
		if text == "" {
			return nil, problem("there is an empty string")
		}
		values = append(values, text)
	}
	if len(values) == 0 {
		return nil, problem("the list is empty")
	}
	return values, nil
}

// valuesOf reads the values of a condition: strings, booleans or numbers, which IAM takes with
// and without quotation marks.
func valuesOf(v any) ([]string, *Error) {
	list, isList := v.([]any)
	if !isList {
		list = []any{v}
	}
	values := make([]string, 0, len(list))
	for _, v := range list {
		switch v := v.(type) {
		case string:
			values = append(values, v)
		case bool:
			values = append(values, map[bool]string{true: "true", false: "false"}[v])
		case json.Number:
			values = append(values, v.String())
		default:
			return nil, problem("want a string or a list of strings")
		}
		if n := utf8.RuneCountInString(values[len(values)-1]); n > maxValue {
			return nil, problem("a value has %d characters; want at most %d", n, maxValue)
		}
	}
	if len(values) == 0 {
		return nil, problem("the list is empty")
	}
	return values, nil
}
