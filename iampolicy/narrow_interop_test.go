//go:build interop

package iampolicy_test

import (
	"encoding/json"
	"math/rand/v2"
	"testing"

	"github.com/seed055b7978/delegation/internal/narrow"
)

// narrowed is how many pairs of session policies iam-simulate decides about.
const narrowed = 2_000

// TestInterop_Narrow asks iam-simulate about session policies that narrow.Intersect has combined,
// and about each of the two by itself: what is combined allows a request if and only if both do.
func TestInterop_Narrow(t *testing.T) {
	g := generator{rand.New(rand.NewPCG(3, 4))}
	none := func(string) (string, bool) { return "", false }
	var cases []simulation
	refused := 0
	for len(cases) < 3*narrowed {
		decided := g.policy()
		asked := g.policy()
		both, err := narrow.Intersect(
			narrow.Set{Document: encoded(t, decided)},
			narrow.Set{Document: encoded(t, asked)},
			none)
		if err != nil {
			refused++
			continue
		}
		var combined map[string]any
		if err := json.Unmarshal([]byte(pick(g, both).Document), &combined); err != nil {
			t.Fatal(err)
		}
		asks := pick(g, requests)
		given := g.context()
		for _, policy := range []map[string]any{decided, asked, combined} {
			cases = append(cases, sessionSimulation(t, policy, asks.action, asks.resource, given))
		}
	}
	answers := simulate(t, cases)
	allowed := 0
	for i := 0; i < len(answers); i += 3 {
		of := func(k int) bool { return answers[i+k].Result == "Allowed" }
		if of(2) != (of(0) && of(1)) {
			t.Fatalf("combined %v, decided %v, asked %v\n%s\n%s\n%s", of(2), of(0), of(1),
				cases[i+2].Line, cases[i].Line, cases[i+1].Line)
		}
		if of(2) {
			allowed++
		}
	}
	t.Logf("%d pairs, %d of which allow the request, and %d that cannot be combined", narrowed,
		allowed, refused)
	if allowed < narrowed/50 {
		t.Errorf("only %d of %d allow anything", allowed, narrowed)
	}
}

func encoded(t *testing.T, policy map[string]any) string {
	t.Helper()
	text, err := json.Marshal(policy)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// sessionSimulation is a request of a session with the policy, of a role that may do everything.
func sessionSimulation(
	t *testing.T, policy map[string]any, action, resource string, context map[string][]string,
) simulation {
	t.Helper()
	given := map[string]any{}
	for key, values := range context {
		given[key] = values[0]
		if key == "aws:TagKeys" {
			given[key] = values
		}
	}
	all := map[string]any{
		"Version":   "2012-10-17",
		"Statement": map[string]any{"Effect": "Allow", "Action": "*", "Resource": "*"},
	}
	line := encoded(t, map[string]any{
		"serviceControlPolicies":  []any{},
		"resourceControlPolicies": []any{},
		"identityPolicies":        []any{map[string]any{"name": "all", "policy": all}},
		"sessionPolicy":           policy,
		"request": map[string]any{
			"principal":        "arn:aws:sts::123456789012:assumed-role/r/alice",
			"action":           action,
			"resource":         map[string]any{"resource": resource, "accountId": "123456789012"},
			"contextVariables": given,
		},
	})
	return simulation{Line: []byte(line)}
}
