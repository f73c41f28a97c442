package sharedissuer_test

import (
	"testing"

	"github.com/seed055b7978/delegation/internal/sharedissuer"
)

// TestStatesAlone: only the issuer says whom its users belong to. What other issuers mean by a
// claim of the same name is their own matter.
func TestStatesAlone(t *testing.T) {
	const google, github = "https://accounts.google.com", "https://token.actions.githubusercontent.com"
	const tenant = "https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0"
	for _, test := range []struct {
		issuer, claim string
		want          bool
	}{
		{google, "hd", true},
		{"accounts.google.com", "hd", true},
		{google, "team", false},
		{google, "tid", false},
		{github, "repository_owner", true},
		{github, "hd", false},
		{"https://gitlab.com", "namespace_path", true},
		{tenant, "tid", true},
		{tenant, "xms_edov", true},
		{tenant, "hd", false},
		{"https://login.example.com", "hd", false},
		{"https://login.example.com", "tid", false},
		{"", "hd", false},
		{"https://accounts.google.com", "", false},
	} {
		if got := sharedissuer.StatesAlone(test.issuer, test.claim); got != test.want {
			t.Errorf("%s, %s: got %t", test.issuer, test.claim, got)
		}
	}
}
