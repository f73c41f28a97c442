package iampolicy_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/iampolicy"
)

// A documented is one row of testdata/aws.json: what a page of AWS says of a policy and a request.
type documented struct {
	Source                                string
	Identity, Session, Boundary, Resource []string // names of policies
	Principal                             struct{ ARN, Role, Federated, Service string }
	Action                                string
	On                                    string // the ARN of the resource
	Context                               iampolicy.Context
	Want                                  string
}

// TestDocumented: what AWS's documents say of their own examples. Names of accounts, buckets and
// users stand in for AWS's placeholders.
func TestDocumented(t *testing.T) {
	text, err := os.ReadFile("testdata/aws.json")
	if err != nil {
		t.Fatal(err)
	}
	var table struct {
		Policies map[string]json.RawMessage
		Rows     []documented
	}
	if err := json.Unmarshal(text, &table); err != nil {
		t.Fatal(err)
	}
	policies := map[string]*iampolicy.Policy{}
	for name, document := range table.Policies {
		policies[name] = mustParse(t, string(document))
	}
	named := func(names []string) (list []*iampolicy.Policy) {
		for _, name := range names {
			if policies[name] == nil {
				t.Fatalf("there is no policy %q", name)
			}
			list = append(list, policies[name])
		}
		return list
	}
	outcomes := map[string]int{}
	for i, row := range table.Rows {
		if !strings.HasPrefix(row.Source, "https://docs.aws.amazon.com/") {
			t.Errorf("row %d has the source %q", i, row.Source)
		}
		decision, err := iampolicy.Set{
			Identity: named(row.Identity),
			Session:  named(row.Session),
			Boundary: named(row.Boundary),
			Resource: named(row.Resource),
		}.Decide(iampolicy.Request{
			Principal: iampolicy.Principal(row.Principal),
			Action:    row.Action,
			Resource:  row.On,
			Context:   row.Context,
		})
		if err != nil || decision.Effect.String() != row.Want {
			t.Errorf("row %d of %s: got %s, %v, want %s: %+v", i, row.Source, decision, err,
				row.Want, row)
		}
		outcomes[row.Want]++
	}
	if len(table.Rows) < 150 || outcomes["allowed"] < 50 || outcomes["denied"] < 50 ||
		outcomes["denied explicitly"] < 20 {
		t.Errorf("the table has %d rows: %v", len(table.Rows), outcomes)
	}
}
