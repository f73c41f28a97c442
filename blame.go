package delegation

import (
	"encoding/json"
	"slices"

	"github.com/seed055b7978/delegation/internal/jsonvalue"
	"github.com/seed055b7978/delegation/internal/samldoc"
	"github.com/seed055b7978/delegation/internal/session"
)

// over notes which values were refused, as rules, mappings or the target gave them, for
// [exchange.blame].
func (e *Error) over(values ...any) *Error {
	e.refused = func() []any { return values }
	return e
}

// overTexts is over for texts.
func (e *Error) overTexts(texts ...string) *Error {
	values := make([]any, len(texts))
	for i, text := range texts {
		values[i] = text
	}
	return e.over(values...)
}

// blame tells the caller's mistakes from the operator's, in Error.Requested. If the refused value
// is exactly one of the request's parameters, the caller chose it, and a rule or mapping passed it
// on. A value that a rule made from a parameter counts as the rule's, and a value that is among the
// target's own settings as the operator's.
func (x *exchange) blame(err error) error {
	refusal, ours := err.(*Error)
	if !ours {
		return err
	}
	if refusal.Code == CodeTextInvalid && x.decision != nil {
		refusal.overTexts(x.decision.oddTexts()...)
	}
	if refusal.refused != nil {
		refusal.Requested = slices.ContainsFunc(refusal.refused(), x.isRequested)
	}
	return err
}

// oddTexts are the decision's texts that XML cannot carry.
func (d *decision) oddTexts() (odd []string) {
	texts := []string{d.nameID}
	for _, a := range d.attributes() {
		texts = append(texts, a.Name)
		texts = append(texts, a.Values...)
	}
	for _, text := range texts {
		if samldoc.CheckText(text) != nil {
			odd = append(odd, text)
		}
	}
	return odd
}

// oddRegions are the names of regions that are refused each by itself. If there is none, they are
// all names: the regions do not go together.
func (c *Config) oddRegions(names []string) (odd []string) {
	for _, name := range names {
		if _, err := c.parseRegions([]string{name}); err != nil {
			odd = append(odd, name)
		}
	}
	if len(odd) == 0 {
		return names
	}
	return odd
}

// oddPolicies are the session policies that are refused each by itself. If there is none, they are
// all policies: together they are too many or too long.
func (d *decision) oddPolicies() (odd []string) {
	if session.CheckPolicies(d.policy, nil, d.lastRole()) != nil {
		odd = append(odd, d.policy)
	}
	for _, name := range d.policyARNs {
		if session.CheckPolicies("", []string{name}, d.lastRole()) != nil {
			odd = append(odd, name)
		}
	}
	if len(odd) == 0 {
		return append([]string{d.policy}, d.policyARNs...)
	}
	return odd
}

// oddTags are the keys and values of tags that AWS never accepts, and the transitive and droppable
// keys that are not keys of tags.
func (d *decision) oddTags() (odd []string) {
	refused := func(key, value string) bool {
		return session.CheckTag(key, value) != nil
	}
	for key, value := range d.tags {
		if refused(key, "") {
			odd = append(odd, key)
		}
		if refused("any", value) {
			odd = append(odd, value)
		}
	}
	for _, key := range slices.Concat(d.transitive, d.droppable) {
		if _, ok := d.tags[key]; !ok {
			odd = append(odd, key)
		}
	}
	return odd
}

// isRequested tells whether a value is somewhere in the request's parameters, and not among the
// target's own settings.
func (x *exchange) isRequested(value any) bool {
	wanted := comparison(value)
	a := x.target.AWS
	settings := []string{
		a.Principal, a.Role, a.Region, a.NameID, a.SessionName, a.Policy, a.SourceIdentity,
	}
	settings = slices.Concat(settings, a.FailoverRegions, a.PolicyARNs)
	if wanted == "" || slices.Contains(settings, wanted) {
		return false
	}
	request := x.options.request()
	asked := request.SessionDuration
	if wanted == request.SessionName || asked != 0 && wanted == asked.String() {
		return true
	}
	return holds(request.Parameters, wanted)
}

// holds tells whether a map or list has the wanted value somewhere inside it.
func holds(value any, wanted string) bool {
	switch v := value.(type) {
	case map[string]any:
		for _, inner := range v {
			if comparison(inner) == wanted || holds(inner, wanted) {
				return true
			}
		}
	case []any:
		for _, inner := range v {
			if comparison(inner) == wanted || holds(inner, wanted) {
				return true
			}
		}
	}
	return false
}

// comparison is a text that is the same for two values if a mapping treats them the same: the text
// of a scalar, the JSON of anything else. Empty: there is nothing to compare.
func comparison(value any) string {
	if text, ok := jsonvalue.Text(value); ok {
		return text
	}
	if value == nil {
		return ""
	}
	text, err := json.Marshal(value)
	if err != nil { // a rule can make a value that holds itself
		return ""
	}
	return string(text)
}
