package narrow_test

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/iampolicy"
	"github.com/seed055b7978/delegation/internal/narrow"
	"github.com/seed055b7978/delegation/internal/sampling"
)

// generator makes policies and requests of which many touch each other.
type generator struct{ *rand.Rand }

func pick[T any](g generator, from []T) T { return from[g.IntN(len(from))] }

// some returns one to most of the values, each once.
func some(g generator, most int, from []string) any {
	n := 1 + g.IntN(most)
	var picked []string
	for _, i := range g.Perm(len(from))[:n] {
		picked = append(picked, from[i])
	}
	if n == 1 && g.IntN(2) == 0 {
		return picked[0]
	}
	return picked
}

var (
	actions = []string{
		"s3:GetObject", "s3:getobject", "s3:Get*", "s3:*", "*", "s3:?etObject", "S3:PutObject",
		"s3:*Object", "s3:ListBucket", "s3:G*t*O*t", "sqs:SendMessage", "dynamodb:*",
		"s3:ListAllMyBuckets", "sqs:*Message",
	}
	resources = []string{
		"*", "arn:aws:s3:::b/*", "arn:aws:s3:::b/alice/*", "arn:aws:s3:::b/${saml:sub}/*",
		"arn:aws:s3:::b/${aws:PrincipalTag/team}/*", "arn:aws:s3:::*/alice/x", "arn:aws:s3:::b",
		"arn:aws:s3:::?/alice/?", "arn:aws:s3:::b/*/x", "arn:aws:s3:::b/${*}/x",
		"arn:aws:sqs:*:123456789012:q", "arn:aws:sqs:eu-*-1:123456789012:*",
		"arn:aws:sqs:eu-central-1:123456789012:q?", "arn:aws:s3:::b/${$}{saml:sub}/*",
		"arn:aws:dynamodb:eu-central-1:123456789012:table/t",
		"arn:aws:dynamodb:*:*:table/${SAML:sub}", "arn:aws:s3:::B/*",
	}
	// absent has what not every request has.
	absent = "arn:aws:s3:::b/${aws:username}/*"

	requests = []struct{ action, resource string }{
		{"s3:GetObject", "arn:aws:s3:::b/alice/x"},
		{"S3:getOBJECT", "arn:aws:s3:::b/bob/x"},
		{"s3:PutObject", "arn:aws:s3:::b/alice/deep/x"},
		{"s3:GetObject", "arn:aws:s3:::b/red/x"},
		{"s3:GetObject", "arn:aws:s3:::B/red/x"},
		{"s3:GetObject", "arn:aws:s3:::b/${saml:sub}/x"},
		{"s3:GetObject", "arn:aws:s3:::b/*/x"},
		{"s3:GetObjectAcl", "arn:aws:s3:::b/al*ce/x"},
		{"s3:DeleteObject", "arn:aws:s3:::b/al*ce/x"},
		{"s3:ListBucket", "arn:aws:s3:::b"},
		{"s3:ListAllMyBuckets", "*"},
		{"sqs:SendMessage", "arn:aws:sqs:eu-central-1:123456789012:q"},
		{"sqs:SendMessage", "arn:aws:sqs:us-east-1:123456789012:q1"},
		{"sqs:DeleteMessage", "arn:aws:sqs:eu-central-1:123456789012:q1"},
		{"dynamodb:GetItem", "arn:aws:dynamodb:eu-central-1:123456789012:table/t"},
		{"dynamodb:GetItem", "arn:aws:dynamodb:eu-central-1:123456789012:table/alice"},
		{"iam:GetUser", "arn:aws:iam::123456789012:user/u"},
	}
	conditions = []string{
		`{"StringEquals":{"aws:PrincipalTag/team":"red"}}`,
		`{"StringNotEqualsIfExists":{"aws:SourceIdentity":["alice","${saml:sub}"]}}`,
		`{"Bool":{"aws:SecureTransport":"true"}}`,
		`{"Null":{"aws:SourceIdentity":true}}`,
	}
	values = map[string][]string{
		"saml:sub":              {"alice", "al*ce", "${saml:sub}", "t"},
		"aws:PrincipalTag/team": {"red", "blue"},
		"aws:SourceIdentity":    {"alice", "bob"},
		"aws:SecureTransport":   {"true", "false"},
		"aws:username":          {"alice"},
	}
)

// kind is what a generated policy may have.
type kind struct {
	conditions bool // in an Allow
	variables  bool // that may be absent
	not        bool // NotAction and NotResource
	most       int  // statements
}

func (g generator) statement(k kind) map[string]any {
	s := map[string]any{"Effect": pick(g, []string{"Allow", "Allow", "Allow", "Deny"})}
	action := "Action"
	resource := "Resource"
	if k.not {
		action = pick(g, []string{"Action", "Action", "NotAction"})
		resource = pick(g, []string{"Resource", "Resource", "NotResource"})
	}
	patterns := resources
	if k.variables || s["Effect"] == "Deny" {
		patterns = append(slices.Clone(resources), absent)
	}
	s[action] = some(g, 3, actions)
	s[resource] = some(g, 2, patterns)
	if g.IntN(3) == 0 && (k.conditions || s["Effect"] == "Deny") {
		s["Condition"] = json.RawMessage(pick(g, conditions))
	}
	if g.IntN(4) == 0 {
		s["Sid"] = pick(g, []string{"A", "B"})
	}
	return s
}

func (g generator) policy(k kind) string {
	var list []any
	sids := map[any]bool{}
	for range 1 + g.IntN(k.most) {
		s := g.statement(k)
		if sids[s["Sid"]] {
			delete(s, "Sid")
		}
		sids[s["Sid"]] = true
		list = append(list, s)
	}
	top := map[string]any{"Version": "2012-10-17", "Statement": list}
	if len(list) == 1 && g.IntN(2) == 0 {
		top["Statement"] = list[0]
	}
	return string(must(json.Marshal(top)))
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// session is what a session's requests have.
type session struct {
	context iampolicy.Context
	known   narrow.Known
}

func (g generator) session() session {
	s := session{context: iampolicy.Context{}}
	for _, key := range []string{
		"saml:sub", "aws:PrincipalTag/team", "aws:SourceIdentity", "aws:SecureTransport",
		"aws:username",
	} {
		always := key == "saml:sub" || key == "aws:PrincipalTag/team"
		if always || g.IntN(2) == 0 {
			s.context[key] = []string{pick(g, values[key])}
		}
	}
	s.known = func(variable string) (string, bool) {
		for _, key := range []string{"saml:sub", "aws:PrincipalTag/team"} {
			if strings.EqualFold(variable, key) {
				return s.context[key][0], true
			}
		}
		return "", false
	}
	return s
}

// everything is the role's own policy.
var everything = must(iampolicy.Parse(
	`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`))

// parsed is a set of session policies for a role that may do everything. The documents of managed
// policies are by their ARNs.
func parsed(t *testing.T, set narrow.Set, managed map[string]string) iampolicy.Set {
	t.Helper()
	policies := iampolicy.Set{Identity: []*iampolicy.Policy{everything}}
	var documents []string
	if set.Document != "" {
		documents = append(documents, set.Document)
	}
	for _, name := range set.ARNs {
		documents = append(documents, managed[name])
	}
	for _, document := range documents {
		policy, err := iampolicy.Parse(document)
		if err != nil {
			t.Fatalf("%v: %s", err, document)
		}
		policies.Session = append(policies.Session, policy)
	}
	return policies
}

// allows tells whether the session may do what is asked for.
func (s session) allows(t *testing.T, policies iampolicy.Set, action, resource string) bool {
	t.Helper()
	decision, err := policies.Decide(iampolicy.Request{
		Principal: iampolicy.Principal{ARN: "arn:aws:sts::123456789012:assumed-role/r/s"},
		Action:    action,
		Resource:  resource,
		Context:   s.context,
	})
	if err != nil {
		t.Fatalf("%v: %s %s %+v", err, action, resource, s.context)
	}
	return decision.Allowed()
}

const managedARN = "arn:aws:iam::123456789012:policy/m"

// pair is a decided and an asked set, and what the managed policy says that one of them may have.
func (g generator) pair() (decided, asked narrow.Set, managed map[string]string) {
	kinds := []kind{
		{most: 1, not: true},
		{most: 2},
		{most: 3},
		{most: 3, conditions: true, variables: true, not: true},
		{most: 7},
	}
	decided = narrow.Set{Document: g.policy(pick(g, kinds))}
	asked = narrow.Set{Document: g.policy(pick(g, kinds))}
	managed = map[string]string{managedARN: g.policy(pick(g, kinds))}
	switch g.IntN(6) {
	case 0:
		decided.ARNs = []string{managedARN}
	case 1:
		decided = narrow.Set{ARNs: []string{managedARN}}
	case 2:
		asked.ARNs = []string{managedARN}
	}
	return decided, asked, managed
}

// perPair is how many requests decide about a pair of policies.
const perPair = 5

// TestIntersect_Exact: for generated pairs of a decided and an asked set, what Intersect returns
// allows a request if and only if both sets do. So it is never wider than either of them, and never
// narrower than their intersection. Policies that were only put next to each other would be wider
// in many cases, which shows that the requests can tell.
func TestIntersect_Exact(t *testing.T) {
	g := generator{rand.New(rand.NewPCG(1, 2))}
	pairs := sampling.Of(10_000)
	var combined, refused, naive, ofAsked int
	for combined < pairs {
		s := g.session()
		decided, asked, managed := g.pair()
		both, err := narrow.Intersect(decided, asked, s.known)
		if err != nil {
			refused++
			continue
		}
		combined++
		one := parsed(t, decided, managed)
		other := parsed(t, asked, managed)
		together := one
		together.Session = slices.Concat(one.Session, other.Session)
		set := pick(g, both)
		result := parsed(t, set.Set, managed)
		wider := false
		for range perPair {
			r := pick(g, requests)
			first := s.allows(t, one, r.action, r.resource)
			second := s.allows(t, other, r.action, r.resource)
			got := s.allows(t, result, r.action, r.resource)
			if got != (first && second) {
				t.Fatalf("%s %s: got %v, the decided policy says %v, the asked one %v\n"+
					"decided %+v\nasked %+v\nmanaged %s\nboth %+v\n%v", r.action, r.resource,
					got, first, second, decided, asked, managed, set, s.context)
			}
			wider = wider || !got && s.allows(t, together, r.action, r.resource)
		}
		if set.OfAsked {
			ofAsked++
		}
		if wider {
			naive++
		}
	}
	t.Logf("%d pairs combined, %d of them the other way, %d refused; 0 widened, and %d if both "+
		"were one set", combined, ofAsked, refused, naive)
	if refused < pairs/100 || ofAsked < pairs/10 || naive < pairs/5 {
		t.Errorf("the pairs are too much alike")
	}
}
