package narrow

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/seed055b7978/delegation/internal/document"
)

// Policy is a policy document that was read. It does not change.
type Policy struct {
	statements []statement
	variables  bool // its version has policy variables
}

// statement is one of a policy.
type statement struct {
	members map[string]any // as the document has them

	deny        bool
	conditional bool

	actions   []string
	notAction bool

	resources   []string
	notResource bool
}

// The versions of the policy language. "If you do not include a Version element, the value defaults
// to 2008-10-17", which has no variables (IAM User Guide, "IAM JSON policy elements: Version").
const (
	currentVersion = "2012-10-17"
	firstVersion   = "2008-10-17"
)

// Parse reads a session policy. What it does not know is an error: it cannot be combined with
// anything.
func Parse(text string) (*Policy, error) {
	top, err := document.ObjectOf(text)
	if err != nil {
		return nil, fmt.Errorf("the policy is not one JSON object: %w", err)
	}
	if err := onlyMembers(top, "Version", "Id", "Statement"); err != nil {
		return nil, err
	}
	p := &Policy{}
	version, has := top["Version"]
	switch {
	case version == currentVersion:
		p.variables = true
	case has && version != firstVersion:
		return nil, fmt.Errorf("the Version is not %s", currentVersion)
	}
	if id, has := top["Id"]; has && !isText(id) {
		return nil, errors.New("the Id is not a string")
	}
	list, isList := top["Statement"].([]any)
	if !isList {
		list = []any{top["Statement"]}
	}
	if len(list) == 0 {
		return nil, errors.New("there is no Statement")
	}
	for i, value := range list {
		s, err := parseStatement(value)
		if err != nil {
			return nil, fmt.Errorf("statement %d: %w", i+1, err)
		}
		p.statements = append(p.statements, s)
	}
	return p, nil
}

func isText(value any) bool {
	_, is := value.(string)
	return is
}

// onlyMembers refuses members of other names.
func onlyMembers(members map[string]any, names ...string) error {
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if !slices.Contains(names, name) {
			return fmt.Errorf("%.80q is none of %s", name, strings.Join(names, ", "))
		}
	}
	return nil
}

func parseStatement(value any) (s statement, err error) {
	members, isObject := value.(map[string]any)
	if !isObject {
		return s, errors.New("it is not a JSON object")
	}
	// A session policy has no Principal (IAM User Guide, "AWS JSON policy elements: Principal").
	err = onlyMembers(members, "Sid", "Effect", "Action", "NotAction", "Resource", "NotResource",
		"Condition")
	if err != nil {
		return s, err
	}
	s.members = members
	if sid, has := members["Sid"]; has && !isText(sid) {
		return s, errors.New("the Sid is not a string")
	}
	switch members["Effect"] { // "The Effect value is case sensitive"
	case "Allow":
	case "Deny":
		s.deny = true
	default:
		return s, errors.New("the Effect is neither Allow nor Deny")
	}
	if condition, has := members["Condition"]; has {
		block, isObject := condition.(map[string]any)
		if !isObject {
			return s, errors.New("the Condition is not a JSON object")
		}
		s.conditional = len(block) > 0
	}
	s.actions, s.notAction, err = eitherOf(members, "Action", "NotAction", checkAction)
	if err != nil {
		return s, err
	}
	s.resources, s.notResource, err = eitherOf(members, "Resource", "NotResource", checkResource)
	return s, err
}

// eitherOf reads the one of two elements that a statement has.
func eitherOf(
	members map[string]any, name, notName string, check func(string) error,
) (values []string, not bool, err error) {
	value, has := members[name]
	notValue, hasNot := members[notName]
	if has == hasNot {
		return nil, false, fmt.Errorf("it must have one of %s and %s", name, notName)
	}
	if hasNot {
		name = notName
		value = notValue
	}
	list, isList := value.([]any)
	if !isList {
		list = []any{value}
	}
	if len(list) == 0 {
		return nil, false, fmt.Errorf("%s is empty", name)
	}
	for _, v := range list {
		text, isText := v.(string)
		if !isText {
			return nil, false, fmt.Errorf("%s is neither a string nor a list of strings", name)
		}
		if err := check(text); err != nil {
			return nil, false, fmt.Errorf("%s: %w", name, err)
		}
		values = append(values, text)
	}
	return values, hasNot, nil
}

// anything matches each action, and each resource.
const anything = "*"

// checkAction wants a name of ASCII, so that there is one way to ignore its case: "the prefix and
// the action name are case insensitive" (IAM User Guide, "IAM JSON policy elements: Action").
func checkAction(text string) error {
	if text == anything {
		return nil
	}
	service, name, _ := strings.Cut(text, ":")
	odd := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') &&
			!strings.ContainsRune("-_.", r)
	}
	oddName := func(r rune) bool { return odd(r) && r != '*' && r != '?' }
	if service == "" || name == "" || strings.ContainsFunc(service, odd) ||
		strings.ContainsFunc(name, oddName) {
		return fmt.Errorf("%.80q is not an action such as s3:GetObject or s3:*", text)
	}
	return nil
}

// checkResource wants an ARN. It leaves the wildcards in it to AWS.
func checkResource(text string) error {
	if text == anything || strings.HasPrefix(text, "arn:") {
		return nil
	}
	return fmt.Errorf("%.80q is neither * nor an ARN such as arn:aws:s3:::bucket/*", text)
}

// upgradable refuses a policy that a later version of the language would read in another way: its
// version has no variables, but its text has the characters of one.
func (p *Policy) upgradable() error {
	if !p.variables && strings.Contains(encode(p.statements), "${") {
		return fmt.Errorf("its Version is not %s, so ${ is plain text in it", currentVersion)
	}
	return nil
}

// withoutSid returns the statement without its Sid.
func (s statement) withoutSid() statement {
	if _, has := s.members["Sid"]; has {
		s.members = maps.Clone(s.members)
		delete(s.members, "Sid")
	}
	return s
}

// written is a statement with its members in the order of AWS's own documents. They are all that
// parseStatement takes.
type written struct {
	Sid         any `json:",omitempty"`
	Effect      any `json:",omitempty"`
	Action      any `json:",omitempty"`
	NotAction   any `json:",omitempty"`
	Resource    any `json:",omitempty"`
	NotResource any `json:",omitempty"`
	Condition   any `json:",omitempty"`
}

// encode writes a policy of these statements, as short as it can be.
func encode(statements []statement) string {
	list := make([]written, len(statements))
	for i, s := range statements {
		list[i] = written{
			Sid:         s.members["Sid"],
			Effect:      s.members["Effect"],
			Action:      s.members["Action"],
			NotAction:   s.members["NotAction"],
			Resource:    s.members["Resource"],
			NotResource: s.members["NotResource"],
			Condition:   s.members["Condition"],
		}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	// It has only what was decoded from JSON, and texts.
	_ = e.Encode(struct {
		Version   string
		Statement []written
	}{currentVersion, list})
	return inLatin(strings.TrimSpace(b.String()))
}

// inLatin escapes the characters that AWS does not take in a policy: those above U+00FF (STS API
// Reference, AssumeRoleWithSAML, Policy). They are in strings only.
func inLatin(text string) string {
	if !strings.ContainsFunc(text, func(r rune) bool { return r > 0xff }) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		switch {
		case r <= 0xff:
			b.WriteRune(r)
		case r > 0xffff:
			r -= 0x10000
			fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}
