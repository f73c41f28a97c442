package iampolicy_test

import (
	"testing"

	"github.com/seed055b7978/delegation/iampolicy"
)

// mustParse parses a policy that has to be good.
func mustParse(t testing.TB, document string) *iampolicy.Policy {
	t.Helper()
	p, err := iampolicy.Parse(document)
	if err != nil {
		t.Fatalf("%v: %s", err, document)
	}
	return p
}
