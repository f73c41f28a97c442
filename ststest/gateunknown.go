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
// s3:existingobjecttag/ for s3:existingobjecttag/team, and the key itself if there is none. Secrets
// Manager has different things after secretsmanager:resource/, which say nothing of each other.
func keyFamily(key string) string {
	if strings.HasPrefix(key, "secretsmanager:resource/") {
		return key
	}
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

// versionWithVariables is the version of policies that have variables. In others, ${…} is plain
// text (IAM User Guide, IAM policy elements: Variables and tags).
const versionWithVariables = "2012-10-17"

// read returns a policy as it is best and worst for the request: with each unknown condition taken
// for one that lets the request pass, and for one that does not.
func (u *unknownKeys) read(p *iampolicy.Policy) (best, worst *iampolicy.Policy, err error) {
	document, statements, err := statementsOf(p)
	if err != nil {
		return nil, nil, err
	}
	hasVariables := document["Version"] == versionWithVariables
	forBest := slices.Clone(statements)
	forWorst := slices.Clone(statements)
	var found []string
	for i, s := range statements {
		r := u.rangeOf(s, hasVariables)
		if r.keys == nil || !u.applies(document, r.widest) {
			continue // the error would name keys that do not matter
		}
		found = append(found, r.keys...)
		if s["Effect"] == "Allow" {
			forBest[i] = r.widest
			forWorst[i] = r.narrowest
		} else {
			forBest[i] = r.narrowest
			forWorst[i] = r.widest
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

// A statementRange is what a statement may be, depending on the values of unknown keys.
type statementRange struct {
	widest    map[string]any // it applies if the statement does for any values
	narrowest map[string]any // it applies only if the statement does for all values
	keys      []string       // the unknown keys
}

// rangeOf returns what a statement may be. It is widest without its conditions on unknown keys, and
// narrowest with conditions that never hold. A variable in a Resource stands for any text, or for
// one that does not match.
func (u *unknownKeys) rangeOf(s map[string]any, hasVariables bool) statementRange {
	unknownIn := func(any) []string { return nil }
	if hasVariables {
		unknownIn = u.variables
	}
	r := statementRange{widest: maps.Clone(s), narrowest: maps.Clone(s)}
	conditions, keys := u.knownConditions(s["Condition"], unknownIn)
	if keys != nil {
		r.keys = keys
		r.narrowest = never(s)
		delete(r.widest, "Condition")
		if len(conditions) > 0 {
			r.widest["Condition"] = conditions
		}
	}
	if keys := unknownIn(s["NotResource"]); keys != nil {
		r.keys = append(r.keys, keys...)
		r.narrowest = never(s)
		delete(r.widest, "NotResource")
		r.widest["Resource"] = "*"
	}
	if keys := unknownIn(s["Resource"]); keys != nil {
		r.keys = append(r.keys, keys...)
		var all, known []any
		for _, resource := range listOf(s["Resource"]) {
			if unknownIn(resource) == nil {
				known = append(known, resource)
			}
			all = append(all, u.withAnyValue(resource))
		}
		r.widest["Resource"] = all
		r.narrowest["Resource"] = known
		if known == nil {
			r.narrowest = never(s)
		}
	}
	return r
}

// knownConditions returns the conditions of a statement that depend on no unknown key, and the keys
// on which others depend.
func (u *unknownKeys) knownConditions(v any, unknownIn func(any) []string) (
	known map[string]any, keys []string,
) {
	operators, _ := v.(map[string]any)
	known = map[string]any{}
	for operator, v := range operators {
		block, _ := v.(map[string]any)
		of := map[string]any{}
		for key, values := range block {
			missing := unknownIn(values)
			if u.isUnknown(key) {
				missing = append(missing, key)
			}
			if missing == nil {
				of[key] = values
			}
			keys = append(keys, missing...)
		}
		if len(of) > 0 {
			known[operator] = of
		}
	}
	return known, keys
}

// variable is a policy variable with its key, and maybe a default value (IAM User Guide, IAM policy
// elements: Variables and tags).
var variable = newPattern(`\$\{([\w-]+:[^},]+)(?:, '[^']*')?\}`)

// variables returns the unknown keys among the variables of values.
func (u *unknownKeys) variables(values any) (keys []string) {
	for _, value := range listOf(values) {
		text, _ := value.(string)
		for _, found := range variable().FindAllStringSubmatch(text, -1) {
			if u.isUnknown(found[1]) {
				keys = append(keys, found[1])
			}
		}
	}
	return keys
}

// withAnyValue returns a pattern for ARNs with a * in place of each variable for an unknown key.
func (u *unknownKeys) withAnyValue(resource any) any {
	text, _ := resource.(string)
	return variable().ReplaceAllStringFunc(text, func(v string) string {
		if u.variables(v) == nil {
			return v
		}
		return "*"
	})
}

// listOf returns the values of an element, which may be one value. An element that is not there has
// none.
func listOf(v any) []any {
	if list, isList := v.([]any); isList || v == nil {
		return list
	}
	return []any{v}
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
	for _, v := range listOf(document["Statement"]) {
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
