package sharedissuer_test

import (
	"testing"

	"github.com/seed055b7978/delegation/internal/sharedissuer"
)

func TestFind(t *testing.T) {
	for issuer, want := range map[string]string{ // who, or empty for one that is not shared
		"https://token.actions.githubusercontent.com":                                 "any workflow on GitHub",
		"https://token.actions.githubusercontent.com/":                                "any workflow on GitHub",
		"https://token.actions.githubusercontent.com/octo-corp":                       "any workflow on GitHub",
		"HTTPS://Token.Actions.GitHubUserContent.com":                                 "any workflow on GitHub",
		"https://token.actions.githubusercontent.com.example.com":                     "",
		"https://token.actions.githubusercontent.com.example.com/x":                   "",
		"https://token.actions.octo-corp.ghe.com":                                     "",
		"http://token.actions.githubusercontent.com":                                  "",
		"https://gitlab.com":                                                          "any user or pipeline on GitLab.com",
		"https://gitlab.com/group":                                                    "",
		"https://gitlab.example.com":                                                  "",
		"https://accounts.google.com":                                                 "anyone with a Google account",
		"accounts.google.com":                                                         "anyone with a Google account",
		"https://login.microsoftonline.com/common/v2.0":                               "anyone with an account of any organisation, or of Microsoft",
		"https://login.microsoftonline.com/{tenantid}/v2.0":                           "anyone with an account of any organisation, or of Microsoft",
		"https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0": "anyone with an account of any organisation, or of Microsoft",
		"https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0": "",
		"https://oidc.circleci.com/org/11111111-2222-3333-4444-555555555555":          "",
		"https://tenant.example.com/":                                                 "",
		"":                                                                            "",
		"://":                                                                         "",
	} {
		got, ok := sharedissuer.Find(issuer)
		if got.Who != want || ok != (want != "") {
			t.Errorf("%q: got %q, %v", issuer, got.Who, ok)
		}
	}
}

// A claim that everybody has, or chooses, or that is unverified there, tells nobody apart.
func TestTells(t *testing.T) {
	for issuer, claims := range map[string]map[string]bool{
		"https://token.actions.githubusercontent.com": {"repository_owner": true, "sub": true,
			"aud": false, "iss": false, "": false},
		"https://gitlab.com": {"namespace_path": true, "email": true,
			"azp": false},
		"https://accounts.google.com": {"hd": true, "sub": true, "email": false,
			"email_verified": false, "name": false},
		"https://login.microsoftonline.com/common/v2.0": {"tid": true, "oid": true, "email": false,
			"preferred_username": false, "upn": false},
	} {
		shared, ok := sharedissuer.Find(issuer)
		if !ok || !shared.Tells(shared.Claim) {
			t.Errorf("%s: its own claim %q tells nobody", issuer, shared.Claim)
		}
		for claim, want := range claims {
			if got := shared.Tells(claim); got != want {
				t.Errorf("%s: %q: got %v", issuer, claim, got)
			}
		}
	}
}

func TestIsGoogle(t *testing.T) {
	for issuer, want := range map[string]bool{
		"https://accounts.google.com": true, "accounts.google.com": true,
		"https://accounts.google.com/": false, "https://accounts.google.com.example.com": false,
		"": false,
	} {
		if got := sharedissuer.IsGoogle(issuer); got != want {
			t.Errorf("%q: got %v", issuer, got)
		}
	}
}
