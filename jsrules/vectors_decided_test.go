package jsrules_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
)

// decided is what an exchange comes to after the last rule, as Explain says it. Of the texts, those
// that are empty are not compared, except for the role.
type decided struct {
	Role, Principal, SessionName, SourceIdentity, NameID, Recipient, Audience string
	Duration                                                                  int
	Attributes                                                                map[string][]string
	// Code and Text are of the refusal.
	Code delegation.Code
	Text string
	// Warning is in one of the warnings. Empty: there is none of a rule.
	Warning string
}

// expect has a Delegator explain an exchange with rules, and compares.
func (want *decided) expect(t *testing.T, rules []delegation.RuleFunc, v *vector) {
	t.Helper()
	d := delegator(t, v.Target, rules, nil)
	claims := map[string]any{
		"aud":            "CLIENT_ID",
		"email":          "alice@example.com",
		"email_verified": true,
		"name":           "Alice",
	}
	maps.Copy(claims, v.Claims)
	got, err := d.Explain(t.Context(), world().Token(claims), "CLIENT_ID",
		delegation.WithRequest(v.Request))
	if want.Code != "" {
		if !errors.Is(err, want.Code) || !strings.Contains(err.Error(), want.Text) {
			t.Errorf("got %v, want %s with %q", err, want.Code, want.Text)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	for name, pair := range map[string][2]string{
		"role":            {got.Role, want.Role},
		"principal":       {got.Principal, want.Principal},
		"session name":    {got.SessionName, want.SessionName},
		"source identity": {got.SourceIdentity, want.SourceIdentity},
		"NameID":          {got.NameID, want.NameID},
		"recipient":       {got.Recipient, want.Recipient},
		"audience":        {got.Audience, want.Audience},
	} {
		if pair[0] != pair[1] && (pair[1] != "" || name == "role") {
			t.Errorf("the %s is %q, want %q", name, pair[0], pair[1])
		}
	}
	if seconds := int(got.Duration / time.Second); want.Duration != 0 && seconds != want.Duration {
		t.Errorf("the session is of %d seconds, want %d", seconds, want.Duration)
	}
	for name, values := range want.Attributes {
		if !slices.Equal(got.Attributes[name], values) {
			t.Errorf("%s is %q, want %q", name, got.Attributes[name], values)
		}
	}
	all := strings.Join(got.Warnings, "\n")
	if !strings.Contains(all, want.Warning) ||
		want.Warning == "" && strings.Contains(all, "samlConfiguration") {
		t.Errorf("the warnings are %q, want one with %q", got.Warnings, want.Warning)
	}
}
