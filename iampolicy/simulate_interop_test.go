//go:build interop

package iampolicy_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/iampolicy"
)

// simulations is how many requests the differential test compares.
const simulations = 10_000

// A generator makes policies and requests of which many touch each other.
type generator struct{ *rand.Rand }

func pick[T any](g generator, from []T) T { return from[g.IntN(len(from))] }

// some returns one to most of the values, each once.
func some[T any](g generator, most int, from []T) []T {
	n := 1 + g.IntN(min(most, len(from)))
	var picked []T
	for _, i := range g.Perm(len(from))[:n] {
		picked = append(picked, from[i])
	}
	return picked
}

// oneOrList is a value alone or in a list, which policies may both have.
func oneOrList(g generator, values []string) any {
	if len(values) == 1 && g.IntN(2) == 0 {
		return values[0]
	}
	return values
}

var (
	actionPatterns = []string{
		"s3:GetObject", "s3:getobject", "s3:Get*", "s3:*", "*", "s3:?etObject", "S3:PutObject",
		"s3:*Object", "s3:ListBucket", "s3:G*t*O*t", "sqs:SendMessage", "dynamodb:*",
	}
	resourcePatterns = []string{
		"*", "arn:aws:s3:::b/*", "arn:aws:s3:::b/alice/*", "arn:aws:s3:::b/${aws:SourceIdentity}/*",
		"arn:aws:s3:::b/${aws:PrincipalTag/team}/*", "arn:aws:s3:::*/alice/x", "arn:aws:s3:::b",
		"arn:aws:s3:::b/${aws:PrincipalTag/team, 'red'}/*", "arn:aws:s3:::?/alice/?",
		"arn:aws:s3:::b/*/x", "arn:aws:s3:::b/${aws:username}/*", "arn:aws:s3:::b/${*}/x",
		"arn:aws:sqs:*:123456789012:q", "arn:aws:sqs:eu-*-1:123456789012:*",
		"arn:aws:sqs:eu-central-1:123456789012:q?", "arn:aws:s3:::b/${$}{aws:SourceIdentity}/*",
		"arn:aws:dynamodb:eu-central-1:123456789012:table/t",
		"arn:aws:dynamodb:*:*:table/${aws:SourceIdentity}",
	}
	requests = []struct{ action, resource string }{
		{"s3:GetObject", "arn:aws:s3:::b/alice/x"},
		{"s3:GetObject", "arn:aws:s3:::b/bob/x"},
		{"s3:PutObject", "arn:aws:s3:::b/alice/deep/x"},
		{"s3:GetObject", "arn:aws:s3:::b/red/x"},
		{"s3:GetObject", "arn:aws:s3:::b/${aws:SourceIdentity}/x"},
		{"s3:ListBucket", "arn:aws:s3:::b"},
		{"sqs:SendMessage", "arn:aws:sqs:eu-central-1:123456789012:q"},
		{"sqs:SendMessage", "arn:aws:sqs:us-east-1:123456789012:q1"},
		{"dynamodb:GetItem", "arn:aws:dynamodb:eu-central-1:123456789012:table/t"},
		{"dynamodb:GetItem", "arn:aws:dynamodb:eu-central-1:123456789012:table/alice"},
	}
)

// A keyKind is condition keys with operators and values that belong to them.
type keyKind struct {
	keys      []string
	operators []string
	values    []string // of policies
	given     []string // of requests
	several   bool
}

var keyKinds = []keyKind{
	{
		keys: []string{
			"aws:PrincipalTag/team", "aws:SourceIdentity", "s3:prefix", "AWS:principaltag/TEAM",
		},
		operators: []string{
			"StringEquals", "StringNotEquals", "StringEqualsIgnoreCase",
			"StringNotEqualsIgnoreCase", "StringLike", "StringNotLike",
		},
		values: []string{
			"red", "RED", "r*", "?ed", "alice", "a*e", "", "*",
			"${aws:SourceIdentity}", "${aws:SourceIdentity}/*",
			"${aws:PrincipalTag/team, 'red'}",
		},
		given: []string{"red", "alice", "Red", "alice/x", "*", "al?ce"},
	},
	{
		keys: []string{"s3:max-keys", "s3:signatureAge"},
		operators: []string{
			"NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericLessThanEquals",
			"NumericGreaterThan", "NumericGreaterThanEquals",
		},
		values: []string{"10", "0", "100", "9.5", "-1"},
		given:  []string{"10", "9", "100", "0", "11"},
	},
	{
		keys: []string{"aws:CurrentTime", "aws:TokenIssueTime"},
		operators: []string{
			"DateEquals", "DateNotEquals", "DateLessThan", "DateLessThanEquals", "DateGreaterThan",
			"DateGreaterThanEquals",
		},
		values: []string{
			"2026-11-29T12:00:00Z", "2026-11-29T13:00:00Z", "2026-11-28T00:00:00Z",
		},
		given: []string{"2026-11-29T12:00:00Z", "2026-11-29T12:30:00Z", "2026-11-28T23:59:59Z"},
	},
	{
		keys:      []string{"aws:SecureTransport", "aws:ViaAWSService"},
		operators: []string{"Bool"},
		values:    []string{"true", "false"},
		given:     []string{"true", "false"},
	},
	{
		keys:      []string{"aws:SourceIp"},
		operators: []string{"IpAddress", "NotIpAddress"},
		values:    []string{"203.0.113.0/24", "203.0.113.5", "203.0.0.0/16", "198.51.100.7/32"},
		given:     []string{"203.0.113.5", "203.0.114.5", "192.0.2.1"},
	},
	{
		keys: []string{"aws:SourceArn", "aws:PrincipalArn"},
		operators: []string{
			"ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike",
		},
		values: []string{
			"arn:aws:iam::123456789012:role/r", "arn:aws:iam::*:role/*",
			"arn:aws:sns:*:123456789012:t", "arn:aws:sns:eu-central-1:123456789012:?",
			"arn:aws:iam::123456789012:role/${aws:SourceIdentity}",
		},
		given: []string{
			"arn:aws:iam::123456789012:role/r", "arn:aws:sns:eu-central-1:123456789012:t",
			"arn:aws:iam::123456789012:role/alice",
		},
	},
	{
		keys: []string{"aws:TagKeys"},
		operators: []string{
			"StringEquals", "StringNotEquals", "StringLike", "StringNotLike",
			"StringEqualsIgnoreCase",
		},
		values:  []string{"team", "Team", "t*", "unit"},
		given:   []string{"team", "unit", "Team", "x"},
		several: true,
	},
}

// known leaves out what has a variable without default value, which a request may not have. See
// TestInterop_SimulateDiffers.
func known(values []string) []string {
	return slices.DeleteFunc(slices.Clone(values), func(v string) bool {
		return strings.Contains(v, "${aws:") && !strings.Contains(v, ", '")
	})
}

// condition returns a Condition of one or two operators.
func (g generator) condition() map[string]any {
	block := map[string]any{}
	for range 1 + g.IntN(2) {
		k := pick(g, keyKinds)
		key := pick(g, k.keys)
		if g.IntN(8) == 0 {
			block["Null"] = map[string]any{key: pick(g, []string{"true", "false"})}
			continue
		}
		operator := pick(g, k.operators)
		if k.several {
			operator = pick(g, []string{"ForAllValues:", "ForAnyValue:"}) + operator
		}
		if g.IntN(4) == 0 && !strings.HasPrefix(operator, "ForAny") {
			operator += "IfExists"
		}
		values := k.values
		if strings.Contains(operator, "Not") {
			values = known(values)
		}
		block[operator] = map[string]any{key: oneOrList(g, some(g, 3, values))}
	}
	return block
}

func (g generator) statement() map[string]any {
	s := map[string]any{"Effect": pick(g, []string{"Allow", "Allow", "Allow", "Deny"})}
	action := pick(g, []string{"Action", "Action", "Action", "NotAction"})
	s[action] = oneOrList(g, some(g, 3, actionPatterns))
	resource := pick(g, []string{"Resource", "Resource", "Resource", "NotResource"})
	patterns := resourcePatterns
	if resource == "NotResource" {
		patterns = known(patterns)
	}
	s[resource] = oneOrList(g, some(g, 3, patterns))
	if g.IntN(2) == 0 {
		s["Condition"] = g.condition()
	}
	return s
}

func (g generator) policy(principals ...any) map[string]any {
	var statements []any
	for range 1 + g.IntN(3) {
		s := g.statement()
		if len(principals) > 0 {
			s["Principal"] = pick(g, principals)
		}
		statements = append(statements, s)
	}
	return map[string]any{"Version": "2012-10-17", "Statement": statements}
}

// context returns condition keys, of which some are missing.
func (g generator) context() map[string][]string {
	c := map[string][]string{}
	for _, k := range keyKinds {
		for _, key := range k.keys {
			if strings.HasPrefix(key, "AWS:") || g.IntN(4) == 0 {
				continue
			}
			c[key] = []string{pick(g, k.given)}
			if k.several {
				c[key] = some(g, 3, k.given)
			}
		}
	}
	return c
}

// A simulation is one case, for both programs.
type simulation struct {
	Set     iampolicy.Set
	Request iampolicy.Request
	Line    []byte // for iam-simulate
}

func (g generator) simulation(t *testing.T) simulation {
	const account = "123456789012"
	const session = "arn:aws:sts::123456789012:assumed-role/r/alice"
	role := "arn:aws:iam::123456789012:role/r"
	asked := pick(g, requests)
	c := g.context()
	s := simulation{Request: iampolicy.Request{
		Principal: iampolicy.Principal{ARN: session, Role: role},
		Action:    asked.action,
		Resource:  asked.resource,
		Context:   c,
	}}
	owner := account
	input := map[string]any{
		"serviceControlPolicies":  []any{},
		"resourceControlPolicies": []any{},
	}
	parsed := func(p map[string]any) *iampolicy.Policy {
		text, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		policy, err := iampolicy.Parse(string(text))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		return policy
	}
	var identity []any
	for i := range 1 + g.IntN(2) {
		p := g.policy()
		identity = append(identity, map[string]any{"name": fmt.Sprint(i), "policy": p})
		s.Set.Identity = append(s.Set.Identity, parsed(p))
	}
	input["identityPolicies"] = identity
	if g.IntN(3) == 0 {
		p := g.policy()
		input["sessionPolicy"] = p
		s.Set.Session = append(s.Set.Session, parsed(p))
	}
	if g.IntN(3) == 0 {
		p := g.policy()
		input["permissionBoundaryPolicies"] = []any{map[string]any{"name": "b", "policy": p}}
		s.Set.Boundary = append(s.Set.Boundary, parsed(p))
	}
	if g.IntN(3) == 0 {
		principals := []any{
			map[string]any{"AWS": role},
			map[string]any{"AWS": account},
			map[string]any{"AWS": "arn:aws:iam::123456789012:root"},
			map[string]any{"AWS": "arn:aws:iam::123456789012:role/other"},
			map[string]any{"Service": "events.amazonaws.com"},
		}
		if s.Set.Session == nil { // see TestInterop_SimulateDiffers
			principals = append(principals,
				"*", map[string]any{"AWS": "*"}, map[string]any{"AWS": session})
		}
		p := g.policy(principals...)
		input["resourcePolicy"] = p
		s.Set.Resource = append(s.Set.Resource, parsed(p))
	}
	// The other program takes the owner from here, and we from the key.
	if strings.HasPrefix(asked.action, "s3:") && g.IntN(4) == 0 {
		owner = "999999999999"
		c["aws:ResourceAccount"] = []string{owner}
	}
	given := map[string]any{}
	for key, values := range c {
		given[key] = values[0]
		if key == "aws:TagKeys" {
			given[key] = values
		}
	}
	input["request"] = map[string]any{
		"principal":        session,
		"action":           asked.action,
		"resource":         map[string]any{"resource": asked.resource, "accountId": owner},
		"contextVariables": given,
	}
	var err error
	if s.Line, err = json.Marshal(input); err != nil {
		t.Fatal(err)
	}
	return s
}

// An answer is what iam-simulate says of one simulation.
type answer struct {
	Result  string
	Ignored []string // condition keys that the action does not have
	Errors  any
}

// simulate runs iam-simulate.
func simulate(t *testing.T, cases []simulation) []answer {
	t.Helper()
	folder := filepath.Join("testdata", "iamsimulate")
	if _, err := os.Stat(filepath.Join(folder, "node_modules", "@cloud-copilot")); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("npm ci --prefix iampolicy/%s: %v", folder, err)
		}
		t.Skipf("run first: npm ci --prefix iampolicy/%s", folder)
	}
	var input strings.Builder
	for _, s := range cases {
		input.Write(s.Line)
		input.WriteByte('\n')
	}
	program := exec.CommandContext(t.Context(), "node", filepath.Join(folder, "simulate.mjs"))
	program.Stdin = strings.NewReader(input.String())
	program.Stderr = os.Stderr
	output, err := program.Output()
	if err != nil {
		t.Fatal(err)
	}
	var answers []answer
	lines := bufio.NewScanner(strings.NewReader(string(output)))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var a answer
		err := json.Unmarshal(lines.Bytes(), &a)
		if err != nil || a.Errors != nil || len(answers) == len(cases) {
			t.Fatalf("%v: %s\n%s", err, lines.Bytes(), cases[min(len(answers), len(cases)-1)].Line)
		}
		answers = append(answers, a)
	}
	if len(answers) != len(cases) {
		t.Fatalf("iam-simulate answered %d of %d", len(answers), len(cases))
	}
	return answers
}

// decide decides the same request, with the words of iam-simulate.
func (s simulation) decide(t *testing.T, theirs answer) string {
	t.Helper()
	maps.DeleteFunc(s.Request.Context, func(key string, _ []string) bool {
		return slices.ContainsFunc(theirs.Ignored, func(ignored string) bool {
			return strings.EqualFold(key, ignored)
		})
	})
	decision, err := s.Set.Decide(s.Request)
	if err != nil {
		t.Fatalf("%s: %v", s.Line, err)
	}
	return map[iampolicy.Effect]string{
		iampolicy.Allowed:          "Allowed",
		iampolicy.DeniedImplicitly: "ImplicitlyDenied",
		iampolicy.DeniedExplicitly: "ExplicitlyDenied",
	}[decision.Effect]
}

// TestInterop_Simulate compares the decisions of 10,000 generated requests with those of the npm
// package @cloud-copilot/iam-simulate, which shares nothing with this one. None differs.
func TestInterop_Simulate(t *testing.T) {
	g := generator{rand.New(rand.NewPCG(1, 2))}
	var cases []simulation
	for range simulations {
		cases = append(cases, g.simulation(t))
	}
	counted := map[string]int{}
	for i, theirs := range simulate(t, cases) {
		ours := cases[i].decide(t, theirs)
		counted[ours]++
		if ours != theirs.Result {
			counted["differ"]++
			if counted["differ"] <= 3 {
				t.Errorf("ours %s, theirs %s\n%s", ours, theirs.Result, cases[i].Line)
			}
		}
	}
	t.Log(counted)
	for _, outcome := range []string{"Allowed", "ImplicitlyDenied", "ExplicitlyDenied"} {
		if counted[outcome] < simulations/20 {
			t.Errorf("only %d of %d are %s", counted[outcome], simulations, outcome)
		}
	}
}

// TestInterop_SimulateDiffers has what TestInterop_Simulate leaves out, because the two programs
// differ there. Each row has the document of AWS that decides. A row also fails once
// iam-simulate agrees: then it can go, and the generator can have such policies.
func TestInterop_SimulateDiffers(t *testing.T) {
	const guide = "https://docs.aws.amazon.com/IAM/latest/UserGuide/"
	const session = "arn:aws:sts::123456789012:assumed-role/r/alice"
	allow := func(rest string) string {
		return `{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", ` +
			rest + `}}`
	}
	type row struct {
		source, why                 string
		identity, session, resource string
		context                     string
		ours, theirs                string
	}
	rows := []row{
		{
			source: guide + "reference_policies_variables.html",
			why: "If you don't include the Version element and set it to an appropriate version " +
				"date, variables are treated as literal strings in the policy",
			identity: strings.Replace(allow(`"Resource": "arn:aws:s3:::b/${aws:userid}/*"`),
				"2012-10-17", "2008-10-17", 1),
			context: `{"aws:userid": ["alice"]}`,
			ours:    "ImplicitlyDenied", theirs: "Allowed",
		},
		{
			source: guide + "reference_policies_elements_condition_operators.html",
			why: "You must specify date/time values with one of the W3C implementations of the " +
				"ISO 8601 date formats or in epoch (UNIX) time",
			identity: allow(`"Resource": "*", "Condition": ` +
				`{"DateLessThanEquals": {"aws:CurrentTime": "1795953600"}}`),
			context: `{"aws:CurrentTime": ["2026-11-29T12:00:00Z"]}`,
			ours:    "Allowed", theirs: "ImplicitlyDenied",
		},
		{
			source: guide + "reference_policies_elements_condition_operators.html",
			why:    "NotIpAddress: all IP addresses except the specified IP address or range",
			identity: allow(`"Resource": "*", "Condition": ` +
				`{"NotIpAddress": {"aws:SourceIp": "203.0.113.5"}}`),
			context: `{"aws:SourceIp": ["2001:db8::1"]}`,
			ours:    "Allowed", theirs: "ImplicitlyDenied",
		},
		{
			source: guide + "reference_policies_elements_condition_operators.html",
			why:    "NotIpAddress: all IP addresses except the specified IP address or range",
			identity: allow(`"Resource": "*", "Condition": ` +
				`{"NotIpAddress": {"aws:SourceIp": "0.0.0.0/0"}}`),
			context: `{"aws:SourceIp": ["203.0.113.5"]}`,
			ours:    "ImplicitlyDenied", theirs: "Allowed",
		},
		{
			source: guide + "reference_policies_variables.html",
			why: "not present means that the value is not in the current request information, " +
				"and any attempt to match it fails and causes the statement to be invalid",
			identity: allow(
				`"NotResource": "arn:aws:sqs:eu-central-1:123456789012:${aws:username}"`),
			context: `{}`,
			ours:    "ImplicitlyDenied", theirs: "Allowed",
		},
		{
			source: guide + "reference_policies_variables.html",
			why: "If AWS cannot resolve a variable this might cause the entire statement to be " +
				"invalid: might, so a Deny that could apply does",
			identity: strings.Replace(
				allow(`"NotResource": "arn:aws:s3:::b/${aws:username}/*"`), "Allow", "Deny", 1),
			context: `{}`,
			ours:    "ExplicitlyDenied", theirs: "ImplicitlyDenied",
		},
		{
			source: guide + "reference_policies_variables.html",
			why:    "${*} - use where you need an * (asterisk) character",
			identity: allow(`"Resource": "*", "Condition": ` +
				`{"StringEquals": {"aws:PrincipalTag/team": "${*}"}}`),
			context: `{"aws:PrincipalTag/team": ["*"]}`,
			ours:    "Allowed", theirs: "ImplicitlyDenied",
		},
		{
			source: guide + "reference_policies_evaluation-logic_policy-eval-basics-" +
				"single-account.html",
			why: "Permissions granted directly to a session are not limited by an implicit deny " +
				"in an identity-based policy, a permissions boundary, or session policy",
			identity: allow(`"Resource": "arn:aws:s3:::other"`),
			session:  allow(`"Resource": "arn:aws:s3:::other"`),
			resource: allow(`"Resource": "*", "Principal": {"AWS": "` + session + `"}`),
			context:  `{}`,
			ours:     "Allowed", theirs: "ImplicitlyDenied",
		},
		{
			source: guide + "reference_policies_elements_condition_operators.html",
			why: "IfExists: if the key is not present, evaluate the condition element as true, " +
				"on any condition operator name except Null",
			identity: allow(`"Resource": "*", "Condition": ` +
				`{"ForAnyValue:StringEqualsIfExists": {"aws:TagKeys": "team"}}`),
			context: `{}`,
			ours:    "Allowed", theirs: "ImplicitlyDenied",
		},
	}
	var cases []simulation
	for _, r := range rows {
		c := iampolicy.Context{}
		if err := json.Unmarshal([]byte(r.context), &c); err != nil {
			t.Fatal(err)
		}
		given := map[string]any{}
		for key, values := range c {
			given[key] = values[0]
		}
		input := map[string]any{
			"serviceControlPolicies":  []any{},
			"resourceControlPolicies": []any{},
			"request": map[string]any{
				"principal": session,
				"action":    "s3:GetObject",
				"resource": map[string]any{
					"resource": "arn:aws:s3:::b/alice/x", "accountId": "123456789012",
				},
				"contextVariables": given,
			},
		}
		s := simulation{Request: iampolicy.Request{
			Principal: iampolicy.Principal{ARN: session},
			Action:    "s3:GetObject",
			Resource:  "arn:aws:s3:::b/alice/x",
			Context:   c,
		}}
		s.Set.Identity = []*iampolicy.Policy{mustParse(t, r.identity)}
		input["identityPolicies"] = []any{
			map[string]any{"name": "p", "policy": json.RawMessage(r.identity)},
		}
		if r.session != "" {
			s.Set.Session = []*iampolicy.Policy{mustParse(t, r.session)}
			input["sessionPolicy"] = json.RawMessage(r.session)
		}
		if r.resource != "" {
			s.Set.Resource = []*iampolicy.Policy{mustParse(t, r.resource)}
			input["resourcePolicy"] = json.RawMessage(r.resource)
		}
		var err error
		if s.Line, err = json.Marshal(input); err != nil {
			t.Fatal(err)
		}
		cases = append(cases, s)
	}
	for i, theirs := range simulate(t, cases) {
		r := rows[i]
		if ours := cases[i].decide(t, theirs); ours != r.ours || theirs.Result != r.theirs {
			t.Errorf("ours %s, theirs %s, want %s and %s: %s (%s)\n%s", ours, theirs.Result, r.ours,
				r.theirs, r.why, r.source, cases[i].Line)
		}
	}
}
