package config_test

import (
	"strings"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationtest"
)

const (
	app        = delegationtest.Target
	aSecret    = "canary-shared-secret-0123456789-abcdef"
	aTenant    = "11111111-2222-3333-4444-555555555555"
	anotherOne = "22222222-2222-3333-4444-555555555555"
	templates  = "https://login.example.com/{tenantid}/v2.0"
)

// encodedSecret is aSecret in base64url.
const encodedSecret = "Y2FuYXJ5LXNoYXJlZC1zZWNyZXQtMDEyMzQ1Njc4OS1hYmNkZWY"

// tokenRemedies are of the token, its issuer's name and its claims.
func tokenRemedies() []remedy {
	return []remedy{
		{
			of:    "a long token",
			code:  delegation.CodeTokenTooLarge,
			scene: func(s *scene) { s.sign(claims("groups", strings.Repeat("x", 20_000))) },
			do:    settings{"Config.MaxTokenSize": 40_000},
		},
		{
			of:    "a client's secret",
			code:  delegation.CodeAlgorithmSharedSecret,
			scene: func(s *scene) { s.signedWith("HS256", aSecret, nil) },
			do:    settings{"Issuer.ClientSecrets": secretOf(aSecret)},
		},
		{
			of:   "keys in place of a secret",
			code: delegation.CodeAlgorithmPublishedKey,
			with: settings{"Issuer.SharedSecret": file(aSecret)},
			do: settings{
				"Issuer.SharedSecret": nil,
				"Issuer.Algorithms":   []string{"RS256"},
			},
		},
		{
			of:   "keys in place of a client's secret",
			code: delegation.CodeAlgorithmPublishedKey,
			with: settings{"Issuer.ClientSecrets": secretOf(aSecret)},
			do: settings{
				"Issuer.ClientSecrets": nil,
				"Issuer.Algorithms":    []string{"RS256"},
			},
		},
		{
			of:    "HS512",
			code:  delegation.CodeAlgorithmUnsupported,
			scene: signedByHS512,
			act:   func(s *scene, _ *delegation.Config) { s.sign(nil) },
			do:    settings{"Issuer.Algorithms": []string{"PS256"}},
		},
		{
			of:    "another issuer",
			code:  delegation.CodeIssuerUnknown,
			scene: func(s *scene) { s.rename("https://issuer.example.com/") },
			do: settings{"Config.Issuers": both{
				[]delegation.Issuer{{URL: issuerURL + "/"}},
				[]any{map[string]any{"url": issuerURL + "/"}},
			}},
		},
		{
			of:    "another name of the issuer",
			code:  delegation.CodeIssuerUnknown,
			scene: func(s *scene) { s.sign(claims("iss", "issuer.example.com")) },
			do:    settings{"Issuer.Aliases": []string{"issuer.example.com"}},
		},
		{
			of:    "another tenant",
			code:  delegation.CodeIssuerUnknown,
			with:  tenants(anotherOne),
			scene: ofTenants,
			do:    settings{"Issuer.Tenants": []string{aTenant}},
		},
		{
			of:   "a tenant in another claim",
			code: delegation.CodeIssuerTenant,
			with: tenants(aTenant),
			scene: func(s *scene) {
				ofTenants(s)
				s.sign(map[string]any{
					"iss": tenantURL(aTenant), "tid": anotherOne, "org_id": aTenant,
				})
			},
			do: settings{"Issuer.TenantClaim": "org_id"},
		},
		{
			of:   "several audiences",
			code: delegation.CodeClaimParty,
			scene: func(s *scene) {
				s.sign(claims("aud", []string{app, "https://api.example.com"}))
			},
			do: settings{"Issuer.ClientAudiences": []string{app}},
		},
		{
			of:   "a secret and several audiences",
			code: delegation.CodeClaimSecretAudience,
			with: settings{"Issuer.ClientSecrets": secretOf(aSecret)},
			scene: func(s *scene) {
				s.signedWith("HS256", aSecret,
					claims("aud", []string{app, "https://api.example.com"}))
			},
			do: settings{"Issuer.ClientSecrets": nil},
			act: func(s *scene, _ *delegation.Config) {
				s.sign(map[string]any{"aud": []string{app, "https://api.example.com"}, "azp": app})
			},
		},
		{
			of:    "a secret that is written in base64url",
			code:  delegation.CodeSignatureInvalid,
			with:  settings{"Issuer.SharedSecret": file(encodedSecret)},
			scene: func(s *scene) { s.signedWith("HS256", aSecret, nil) },
			do:    settings{"Issuer.SharedSecretBase64URL": true},
		},
		{
			of:   "a secret that only looks like base64url",
			code: delegation.CodeSignatureInvalid,
			with: settings{
				"Issuer.SharedSecret":          file(encodedSecret),
				"Issuer.SharedSecretBase64URL": true,
			},
			scene: func(s *scene) { s.signedWith("HS256", encodedSecret, nil) },
			do:    settings{"Issuer.SharedSecretBase64URL": nil},
		},
		{
			of:   "a full memory of used tokens",
			code: delegation.CodeReplayUnavailable,
			with: settings{
				"Config.Replay": both{delegation.ReplayMemory(1), 1},
				replayStore:     both{nil, "memory"},
			},
			scene: func(s *scene) { s.first = s.Token(claims("sub", "auth0|bob")) },
			do:    settings{"Config.Replay": both{delegation.ReplayMemory(10), 10}},
		},
	}
}

// algorithmRemedies has a row for each algorithm that New takes and that is not the default.
func algorithmRemedies() (rows []remedy) {
	for _, name := range []string{
		"RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
	} {
		rows = append(rows, remedy{
			of:    name,
			code:  delegation.CodeAlgorithmNotAllowed,
			scene: func(s *scene) { s.signedBy(name) },
			do:    settings{"Issuer.Algorithms": []string{name}},
		})
	}
	return rows
}

// kindRemedies has a row for each mark of another kind of token that is no such token.
func kindRemedies() (rows []remedy) {
	for _, mark := range []struct {
		code  delegation.Code
		claim string
		value any
	}{
		{delegation.CodeTokenKindAccess, "typ", "Bearer"},
		{delegation.CodeTokenKindRefresh, "typ", "Offline"},
		{delegation.CodeTokenKindLogout, "typ", "Logout"},
		{delegation.CodeTokenKindOther, "typ", "Photo"},
		{delegation.CodeTokenKindUse, "token_use", "access"},
		{delegation.CodeTokenKindAppOnly, "idtyp", "app"},
		{delegation.CodeTokenKindEntraV1, "appidacr", "1"},
		{delegation.CodeTokenKindEntraV2, "azpacr", "1"},
		{delegation.CodeTokenKindScoped, "scp", "openid"},
		{delegation.CodeTokenKindBound, "cnf", map[string]any{"jkt": "x"}},
		{delegation.CodeTokenKindEvent, "events", map[string]any{}},
	} {
		rows = append(rows, remedy{
			of:    mark.claim,
			code:  mark.code,
			scene: func(s *scene) { s.sign(claims(mark.claim, mark.value)) },
			do:    settings{"Issuer.AllowTokenMarks": []string{mark.claim}},
		})
	}
	return rows
}

// replayStore is the key of what no Go program has to say.
const replayStore = "replay.store"

func claims(name string, value any) map[string]any { return map[string]any{name: value} }

func secretOf(secret string) secrets {
	return secrets{app: {Secret: delegation.NewSecret(secret)}}
}

// tenants configures an issuer of a template with one tenant.
func tenants(listed string) settings {
	return settings{"Issuer.URL": templates, "Issuer.Tenants": []string{listed}}
}

func tenantURL(tenant string) string { return strings.Replace(templates, "{tenantid}", tenant, 1) }

// ofTenants makes the issuer that of aTenant.
func ofTenants(s *scene) {
	s.rename(tenantURL(aTenant))
	s.sign(claims("tid", aTenant))
}

// rename gives the issuer another URL, and not its configuration.
func (s *scene) rename(url string) {
	s.Issuer.SetIssuer(url)
	s.sign(nil)
}

// signedByHS512 has a token that no setting can accept. The issuer can sign with PS256.
func signedByHS512(s *scene) {
	s.signedBy("PS256")
	s.signedWith("HS512", aSecret, nil)
}
