package ststest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/seed055b7978/delegation/iampolicy"
)

// Condition keys of AWS whose values depend on more than the session and the connection (IAM User
// Guide, AWS global condition context keys). All others are set, or are never in a request of a
// gate: no service of AWS makes it, and it comes through no VPC endpoint.
var (
	unknownGlobals = []string{
		"aws:resourcetag/", "aws:resourceorgid", "aws:resourceorgpaths", "aws:principalorgid",
		"aws:principalorgpaths",
		keyResourceAccount, // of a bucket that an anonymous caller asks for
	}
	requestTags = []string{"aws:requesttag/", "aws:tagkeys"}
)

// taggingActions are those actions of the services that the gate knows whose requests have tags
// (Service Authorization Reference).
var taggingActions = []string{
	"CreateBucket", "CreateEventBus", "CreateKey", "CreateQueue", "CreateSecret", "CreateTable",
	"PutRule", "TagQueue", "TagResource", "UntagQueue", "UntagResource",
}

// keyFamily returns the beginning that a key shares with those of its kind, such as
// s3:existingobjecttag/ for s3:existingobjecttag/team, and the key itself if there is none.
func keyFamily(key string) string {
	service, name, _ := strings.Cut(key, ":")
	if i := strings.IndexAny(name, "/:"); i >= 0 {
		return service + ":" + name[:i+1]
	}
	return key
}

// isOneOf reports whether an action such as s3:GetObject is one of those named without a service.
func isOneOf(actions []string, action string) bool {
	_, name, _ := strings.Cut(action, ":")
	return slices.ContainsFunc(actions, func(a string) bool { return strings.EqualFold(a, name) })
}

// unknownKeys finds out whether a decision depends on condition keys that the request may have, but
// that neither the gate nor [Gate.Access] knows. To take such a key for absent could allow as well
// as deny.
type unknownKeys struct {
	request iampolicy.Request
	service string          // of the action, in lower case
	known   map[string]bool // keys of the context and their families, in lower case
	keys    []string        // that were found, as policies have them
}

func newUnknownKeys(r iampolicy.Request) *unknownKeys {
	service, _, _ := strings.Cut(strings.ToLower(r.Action), ":")
	u := &unknownKeys{request: r, service: service, known: map[string]bool{}}
	for key := range r.Context {
		key = strings.ToLower(key)
		u.known[key] = true
		u.known[keyFamily(key)] = true
	}
	return u
}

// isUnknown reports whether the request may have the key, with a value unknown to the gate.
func (u *unknownKeys) isUnknown(key string) bool {
	key = strings.ToLower(key)
	if u.known[key] || u.known[keyFamily(key)] {
		return false
	}
	service, _, _ := strings.Cut(key, ":")
	_, isJSON := targetPrefixes[u.service]
	switch {
	case service == u.service:
		return mayHave(u.request.Action, key)
	case slices.Contains(requestTags, keyFamily(key)):
		return !isJSON && u.service != "s3" || isOneOf(taggingActions, u.request.Action)
	}
	return slices.Contains(unknownGlobals, keyFamily(key))
}

// decide reports whether the outcome is the same whatever the values of unknown keys are. It is if
// the request is allowed even where all Allows with such keys fail and all Denys with them apply,
// or is denied in the opposite case.
func (u *unknownKeys) decide(set iampolicy.Set) (certain bool, err error) {
	best := set
	worst := set
	for _, list := range []struct{ policies, best, worst *[]*iampolicy.Policy }{
		{&set.Identity, &best.Identity, &worst.Identity},
		{&set.Session, &best.Session, &worst.Session},
		{&set.Boundary, &best.Boundary, &worst.Boundary},
		{&set.Resource, &best.Resource, &worst.Resource},
	} {
		*list.best = slices.Clone(*list.policies)
		*list.worst = slices.Clone(*list.policies)
		for i, p := range *list.policies {
			if (*list.best)[i], (*list.worst)[i], err = u.read(p); err != nil {
				return false, err
			}
		}
	}
	if u.keys == nil {
		return true, nil
	}
	atBest, err := best.Decide(u.request)
	if err != nil {
		return false, err
	}
	atWorst, err := worst.Decide(u.request)
	return atBest.Allowed() == atWorst.Allowed(), err
}

// problem names the unknown keys, and says how to set them.
func (u *unknownKeys) problem() string {
	slices.Sort(u.keys)
	return fmt.Sprintf("the policies depend on %s, which the gate does not know for %s; set it in "+
		"the Context of Gate.Access, without values if the request does not have it",
		strings.Join(slices.Compact(u.keys), ", "), u.request.Action)
}

// read returns a policy as it is best and worst for the request: with each unknown condition taken
// for one that lets the request pass, and for one that does not.
func (u *unknownKeys) read(p *iampolicy.Policy) (best, worst *iampolicy.Policy, err error) {
	document, statements, err := statementsOf(p)
	if err != nil {
		return nil, nil, err
	}
	forBest := slices.Clone(statements)
	forWorst := slices.Clone(statements)
	var found []string
	for i, s := range statements {
		rest, keys := u.withoutUnknown(s)
		if keys == nil || !u.applies(document, rest) {
			continue
		}
		found = append(found, keys...)
		if s["Effect"] == "Allow" {
			forBest[i] = rest
			forWorst[i] = never(s)
		} else {
			forBest[i] = never(s)
			forWorst[i] = rest
		}
	}
	if found == nil {
		return p, p, nil
	}
	u.keys = append(u.keys, found...)
	if best, err = policyWith(document, forBest); err != nil {
		return nil, nil, err
	}
	worst, err = policyWith(document, forWorst)
	return best, worst, err
}

// withoutUnknown returns a statement without its conditions on unknown keys, and those keys. If a
// variable for one is in the resource, the statement is about every resource.
func (u *unknownKeys) withoutUnknown(s map[string]any) (rest map[string]any, keys []string) {
	rest = maps.Clone(s)
	operators, _ := s["Condition"].(map[string]any)
	kept := map[string]any{}
	for operator, v := range operators {
		block, _ := v.(map[string]any)
		of := map[string]any{}
		for key, values := range block {
			missing := u.variables(values)
			if u.isUnknown(key) {
				missing = append(missing, key)
			}
			if missing == nil {
				of[key] = values
			}
			keys = append(keys, missing...)
		}
		if len(of) > 0 {
			kept[operator] = of
		}
	}
	delete(rest, "Condition")
	if len(kept) > 0 {
		rest["Condition"] = kept
	}
	if missing := u.variables([]any{s["Resource"], s["NotResource"]}); missing != nil {
		delete(rest, "NotResource")
		rest["Resource"] = "*"
		keys = append(keys, missing...)
	}
	return rest, keys
}

// variableKey is the key of a policy variable (IAM User Guide, IAM policy elements: Variables and
// tags).
var variableKey = newPattern(`\$\{([\w-]+:[^},]+)`)

// variables returns the unknown keys among the variables of values.
func (u *unknownKeys) variables(values any) (keys []string) {
	switch v := values.(type) {
	case string:
		for _, found := range variableKey().FindAllStringSubmatch(v, -1) {
			if u.isUnknown(found[1]) {
				keys = append(keys, found[1])
			}
		}
	case []any:
		for _, one := range v {
			keys = append(keys, u.variables(one)...)
		}
	}
	return keys
}

// applies reports whether a statement is about the request. A Deny in its place would then deny.
func (u *unknownKeys) applies(document, s map[string]any) bool {
	deny := maps.Clone(s)
	deny["Effect"] = "Deny"
	p, err := policyWith(document, []map[string]any{deny})
	if err != nil {
		return true
	}
	set := iampolicy.Set{Identity: []*iampolicy.Policy{p}}
	if p.HasPrincipal() {
		set = iampolicy.Set{Resource: set.Identity}
	}
	decision, err := set.Decide(u.request)
	return err != nil || decision.Effect == iampolicy.DeniedExplicitly
}

// never returns the statement with conditions that contradict each other.
func never(s map[string]any) map[string]any {
	s = maps.Clone(s)
	s["Condition"] = map[string]any{
		"Null":       map[string]any{"aws:CurrentTime": "true"},
		"StringLike": map[string]any{"aws:CurrentTime": "*"},
	}
	return s
}

// statementsOf returns the document of a policy, and its statements.
func statementsOf(p *iampolicy.Policy) (document map[string]any, list []map[string]any, err error) {
	if p == nil {
		return nil, nil, nil
	}
	decoder := json.NewDecoder(strings.NewReader(p.String()))
	decoder.UseNumber()
	if err := decoder.Decode(&document); err != nil {
		return nil, nil, err
	}
	statements, isList := document["Statement"].([]any)
	if !isList {
		statements = []any{document["Statement"]}
	}
	for _, v := range statements {
		s, _ := v.(map[string]any)
		list = append(list, s)
	}
	return document, list, nil
}

// policyWith returns the policy of a document with other statements.
func policyWith(document map[string]any, list []map[string]any) (*iampolicy.Policy, error) {
	document = maps.Clone(document)
	document["Statement"] = list
	text, err := json.Marshal(document)
	if err != nil {
		return nil, err
	}
	return iampolicy.Parse(string(text))
}
