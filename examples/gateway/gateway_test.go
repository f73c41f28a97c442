package main

import (
	"bytes"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/ststest"
)

func open(t *testing.T) *demo {
	t.Helper()
	d, err := openDemo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.close)
	return d
}

// wants asks, and checks the status and a part of the answer.
func (d *demo) wants(t *testing.T, token, model string, status int, part string) {
	t.Helper()
	got, body, err := d.ask(t.Context(), token, model)
	if err != nil || got != status || !strings.Contains(body, part) {
		t.Errorf("got %d %s, %v, want %d and %q", got, body, err, status, part)
	}
}

// passed are the calls of Bedrock that passed the gate, and sessions what STS gave, by access key.
func (d *demo) seen() (passed []ststest.Call, sessions map[string]ststest.Call) {
	sessions = map[string]ststest.Call{}
	for _, call := range d.STS.Calls() {
		switch {
		case call.Resource == "":
			sessions[call.AccessKeyID] = call
		case call.Status == 0:
			passed = append(passed, call)
		}
	}
	return passed, sessions
}

// TestGateway_TwoUsers: AWS sees each of them, with team and cost centre.
func TestGateway_TwoUsers(t *testing.T) {
	d := open(t)
	alice := d.Token(person("alice", "research", "4711"))
	bob := d.Token(person("bob", "press", "1234"))
	const good = "Your prompt has 22 characters."
	for range 2 {
		d.wants(t, alice, large, http.StatusOK, good)
		d.wants(t, bob, small, http.StatusOK, good)
	}
	passed, sessions := d.seen()
	if len(passed) != 4 || len(sessions) != 2 {
		t.Fatalf("%d calls passed, of %d sessions", len(passed), len(sessions))
	}
	for i, call := range passed {
		email, tags := "alice@example.com", map[string]string{
			"team": "research", "cost-center": "4711",
		}
		if i%2 == 1 {
			email, tags = "bob@example.com", map[string]string{
				"team": "press", "cost-center": "1234",
			}
		}
		session := sessions[call.AccessKeyID]
		if session.SessionName != email || session.SourceIdentity != email ||
			!maps.Equal(session.PrincipalTags, tags) {
			t.Errorf("call %d is of %s, %s, with the tags %v", i, session.SessionName,
				session.SourceIdentity, session.PrincipalTags)
		}
	}
}

// TestGateway_Refusals: by AWS's policies, by a rule, by the lack of a claim, and without a token.
// Bedrock answers none of them.
func TestGateway_Refusals(t *testing.T) {
	d := open(t)
	press := d.Token(person("bob", "press", "1234"))
	unverified := person("mallory", "research", "4711")
	unverified["email_verified"] = false
	noTeam := person("carol", "", "")
	delete(noTeam, "team")
	d.wants(t, press, large, http.StatusForbidden, "the model cannot be asked")
	d.wants(t, d.Token(unverified), small, http.StatusForbidden, "access_denied")
	d.wants(t, d.Token(noTeam), small, http.StatusForbidden, "access_denied")
	d.wants(t, "not-a-token", small, http.StatusUnauthorized, "invalid_token")
	d.wants(t, "", small, http.StatusUnauthorized, "missing ID token")
	if passed, sessions := d.seen(); len(passed) != 0 || len(sessions) != 1 {
		t.Errorf("%d calls passed, of %d sessions", len(passed), len(sessions))
	}
}

// TestGateway_BadRequests are the gateway's own to refuse.
func TestGateway_BadRequests(t *testing.T) {
	d := open(t)
	token := d.Token(person("alice", "research", "4711"))
	d.wants(t, token, "", http.StatusBadRequest, "the body must be")
}

// TestGateway_NotWithTheServicesKey: an API key of Bedrock in the environment, which the SDK
// prefers to all credentials, stands for nobody.
func TestGateway_NotWithTheServicesKey(t *testing.T) {
	t.Setenv("AWS_BEARER_TOKEN_BEDROCK", "canary-key-of-the-service")
	d := open(t)
	d.wants(t, d.Token(person("alice", "research", "4711")), large, http.StatusOK, "22 characters")
	if passed, sessions := d.seen(); len(passed) != 1 || sessions[passed[0].AccessKeyID].Subject !=
		"auth0|alice" {
		t.Errorf("%d calls passed, of %v", len(passed), sessions)
	}
}

// TestDemonstrate: go run . works, and shows both users and what is refused.
func TestDemonstrate(t *testing.T) {
	var out bytes.Buffer
	if err := demonstrate(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"200 {\"text\":\"Your prompt has 22 characters.\"}", "403 ", "401 ",
		"alice@example.com", "bob@example.com", "cost-center:4711", "allowed", "denied",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in %s", want, &out)
		}
	}
}
