package config_test

import (
	"crypto/x509"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationtest"
	"github.com/seed055b7978/delegation/oidctest"
	"github.com/seed055b7978/delegation/ststest"
)

// A mistake is something that New refuses, and what it says to do.
type mistake struct {
	of       string
	with, do settings
}

// configurationRemedies are of what New refuses.
func configurationRemedies() (rows []remedy) {
	for _, m := range slices.Concat(
		issuerMistakes, documentMistakes, targetMistakes, accessMistakes, roleMistakes,
	) {
		rows = append(rows, remedy{of: m.of, with: m.with, do: m.do})
	}
	rows = append(rows, otherMistakes()...)
	for i := range rows {
		rows[i].code = delegation.CodeConfigInvalid
	}
	return rows
}

// issuerMistakes are of the issuer's names, tokens and secrets. The token is accepted in the end.
var issuerMistakes = []mistake{
	{
		"a claim without a pattern",
		settings{"Issuer.RequiredClaims": map[string][]string{"sub": {}}},
		settings{"Issuer.RequiredClaims": required("sub", ".*alice")},
	},
	{
		"a wrong pattern",
		settings{"Issuer.RequiredClaims": required("sub", "a)|(b")},
		settings{"Issuer.RequiredClaims": required("sub", ".*alice")},
	},
	{
		"a client's secret that is no base64url",
		settings{"Issuer.ClientSecrets": secrets{"other": {
			Secret: delegation.NewSecret(strings.Repeat("!", 40)), Base64URL: true,
		}}},
		settings{"Issuer.ClientSecrets": nil},
	},
	{
		"a short secret",
		settings{"Issuer.ClientSecrets": secrets{"other": {Secret: delegation.NewSecret("x")}}},
		settings{"Issuer.ClientSecrets": secrets{"other": {Secret: delegation.NewSecret(aSecret)}}},
	},
	{
		"base64url without a secret",
		settings{"Issuer.SharedSecretBase64URL": true},
		settings{"Issuer.SharedSecretBase64URL": nil},
	},
	{
		"secrets of all and of clients",
		settings{
			"Issuer.SharedSecret":  file(aSecret),
			"Issuer.ClientSecrets": secrets{"other": {Secret: delegation.NewSecret(aSecret)}},
		},
		settings{"Issuer.SharedSecret": nil},
	},
	{
		"keys that nothing is signed with",
		settings{
			"Issuer.ClientSecrets": secrets{"other": {Secret: delegation.NewSecret(aSecret)}},
			"Issuer.Algorithms":    []string{"HS256"},
			"Issuer.JWKSURL":       issuerURL + oidctest.KeySetPath,
		},
		settings{"Issuer.Algorithms": nil},
	},
	{
		"a client without a name",
		settings{"Issuer.ClientSecrets": secrets{"": {Secret: delegation.NewSecret(aSecret)}}},
		settings{"Issuer.ClientSecrets": secrets{"other": {Secret: delegation.NewSecret(aSecret)}}},
	},
	{
		"an address for a domain",
		settings{"Issuer.VerifiedEmailDomains": []string{"alice@example.com"}},
		settings{"Issuer.VerifiedEmailDomains": []string{"example.com"}},
	},
	{
		"tenants of one URL",
		settings{"Issuer.Tenants": []string{aTenant}},
		settings{"Issuer.Tenants": nil},
	},
	{
		"plain http",
		settings{"Issuer.URL": "http://issuer.example.com"},
		settings{"Issuer.URL": issuerURL},
	},
	{
		"a query",
		settings{"Issuer.URL": issuerURL + "?x"},
		settings{"Issuer.URL": issuerURL},
	},
	{
		"an alias with a placeholder",
		settings{"Issuer.Aliases": []string{templates}},
		settings{"Issuer.Aliases": nil},
	},
	{
		"two sources of keys",
		settings{"Issuer.JWKS": told(keySetOf), "Issuer.JWKSURL": issuerURL + "/keys"},
		settings{"Issuer.JWKSURL": nil},
	},
	{
		"discovery next to keys",
		settings{"Issuer.JWKS": told(keySetOf), "Issuer.DiscoveryURL": issuerURL + wellKnown},
		settings{"Issuer.JWKS": nil},
	},
	{
		"discovery next to the keys' address",
		settings{
			"Issuer.JWKSURL":      issuerURL + oidctest.KeySetPath,
			"Issuer.DiscoveryURL": issuerURL + wellKnown,
		},
		settings{"Issuer.JWKSURL": nil},
	},
	{
		"discovery next to a secret",
		settings{
			"Issuer.SharedSecret": file(aSecret),
			"Issuer.DiscoveryURL": issuerURL + wellKnown,
		},
		settings{"Issuer.SharedSecret": nil},
	},
	{
		"a client without a name among audiences",
		settings{"Issuer.ClientAudiences": []string{""}},
		settings{"Issuer.ClientAudiences": []string{app}},
	},
	{
		"a mark that is none",
		settings{"Issuer.AllowTokenMarks": []string{"sub"}},
		settings{"Issuer.AllowTokenMarks": []string{"typ"}},
	},
	{
		"an algorithm that is none",
		settings{"Issuer.Algorithms": []string{"RS257"}},
		settings{"Issuer.Algorithms": []string{"RS256"}},
	},
	{
		"keys that are none",
		settings{"Issuer.JWKS": file("{}")},
		settings{"Issuer.JWKS": told(keySetOf)},
	},
	{
		"keys over plain http",
		settings{"Issuer.JWKSURL": "http://issuer.example.com/jwks.json"},
		settings{"Issuer.JWKSURL": issuerURL + oidctest.KeySetPath},
	},
	{
		"discovery over plain http",
		settings{"Issuer.DiscoveryURL": "http://issuer.example.com" + wellKnown},
		settings{"Issuer.DiscoveryURL": issuerURL + wellKnown},
	},
}

// documentMistakes are of how documents are fetched.
var documentMistakes = []mistake{
	{
		"no bearer token",
		settings{"Issuer.BearerTokenFile": "nowhere"},
		settings{"Issuer.BearerTokenFile": file(bearer)},
	},
	{
		"a URL for a host",
		settings{"Issuer.InsecureHTTPHosts": []string{"http://keycloak"}},
		settings{"Issuer.InsecureHTTPHosts": []string{"keycloak"}},
	},
	{
		"a host for an origin",
		settings{"Issuer.DocumentOrigins": []string{"10.0.0.10"}},
		settings{"Issuer.DocumentOrigins": []string{"https://10.0.0.10"}},
	},
	{
		"origins of nothing",
		settings{
			"Issuer.JWKS":            told(keySetOf),
			"Issuer.DocumentOrigins": []string{"https://10.0.0.10"},
		},
		settings{"Issuer.JWKS": nil},
	},
	{
		"origins of a secret",
		settings{
			"Issuer.SharedSecret":    file(aSecret),
			"Issuer.DocumentOrigins": []string{"https://10.0.0.10"},
		},
		settings{"Issuer.SharedSecret": nil},
	},
}

// targetMistakes are of the target, the identity and the rest. The token is accepted in the end.
var targetMistakes = []mistake{
	{
		"an entity ID with blanks",
		settings{"IdentityProvider.EntityID": " urn:x"},
		settings{"IdentityProvider.EntityID": delegationtest.EntityID},
	},
	{
		"a negative size",
		settings{"Config.MaxTokenSize": -1},
		settings{"Config.MaxTokenSize": nil},
	},
	{
		"several issuers",
		settings{"Config.Issuers": issuersOf(issuerURL, "https://other.example.com")},
		settings{"Target.Issuers": []string{issuerURL}},
	},
	{
		"another issuer",
		settings{"Target.Issuers": []string{"https://other.example.com"}},
		settings{"Target.Issuers": []string{issuerURL}},
	},
	{
		"the subjects of two issuers",
		settings{
			"Config.Issuers": issuersOf(issuerURL, "https://other.example.com"),
			"Target.Issuers": []string{issuerURL, "https://other.example.com"},
		},
		settings{"Target.SubjectsAreOne": true},
	},
	{
		"an issuer twice",
		settings{"Config.Issuers": issuersOf(issuerURL, issuerURL)},
		settings{"Config.Issuers": issuersOf(issuerURL)},
	},
	{
		"no SAML provider",
		settings{"AWS.Principal": "arn:aws:iam::123456789012:oidc-provider/x"},
		settings{"AWS.Principal": delegationtest.Principal},
	},
	{
		"no role",
		settings{"AWS.Role": "arn:aws:iam::123456789012:user/alice"},
		settings{"AWS.Role": delegationtest.Role},
	},
	{
		"no role among those that are allowed",
		settings{"Target.AllowedRoles": []string{"photo-user"}},
		settings{"Target.AllowedRoles": []string{delegationtest.Role}},
	},
	{
		"no UUID",
		settings{"Target.SAMLProviderUUID": "x"},
		settings{"Target.SAMLProviderUUID": nil},
	},
	{
		"no encryption key",
		settings{
			"Target.EncryptionKey": file("x"), "Target.SAMLProviderUUID": providerUUID,
		},
		settings{"Target.EncryptionKey": nil},
	},
	{
		"no region",
		settings{"AWS.Region": "mars-north-1"},
		settings{"AWS.Region": delegationtest.Region},
	},
	{
		"no region to fail over to",
		settings{"AWS.FailoverRegions": []string{"mars-north-1"}},
		settings{"AWS.FailoverRegions": []string{dublin}},
	},
	{
		"an identity without keys",
		settings{"Target.Identity": both{
			&delegation.IdentityProvider{EntityID: "urn:x"}, claims("entity_id", "urn:x"),
		}},
		settings{"Target.Identity": nil},
	},
	{
		"no keys",
		settings{"IdentityProvider.Keys": both{[]delegation.SigningKey{}, []any{}}},
		settings{"IdentityProvider.Keys": told(signingKeys)},
	},
	{
		"a certificate of our own, as another's",
		settings{"IdentityProvider.AlsoCertificates": ownCertificates(1)},
		settings{"IdentityProvider.AlsoCertificates": ownCertificates(0)},
	},
	{
		"more certificates than IAM takes",
		settings{"IdentityProvider.AlsoCertificates": ownCertificates(10)},
		settings{"IdentityProvider.AlsoCertificates": ownCertificates(0)},
	},
}

// otherMistakes need a scene, lead on to another refusal, or are of Go alone.
func otherMistakes() []remedy {
	return []remedy{
		{
			of: "origins of clients' secrets",
			with: settings{
				"Issuer.ClientSecrets":   secrets{"other": {Secret: delegation.NewSecret(aSecret)}},
				"Issuer.Algorithms":      []string{"HS256"},
				"Issuer.DocumentOrigins": []string{"https://10.0.0.10"},
			},
			do:   settings{"Issuer.ClientSecrets": nil},
			then: delegation.CodeConfigInvalid, // HS256 is for secrets
		},
		{
			of:    "FIPS and dual stack, of which one remains",
			with:  settings{"Config.FIPS": true, "Config.DualStack": true},
			scene: inRegions(ststest.Fault{}),
			do:    settings{"Config.FIPS": nil},
		},
		{
			of: "FIPS and dual stack, of which the other remains",
			with: settings{
				"Config.FIPS": true, "Config.DualStack": true, "AWS.Region": "us-east-1",
			},
			scene: inRegions(ststest.Fault{}),
			do:    settings{"Config.DualStack": nil},
		},
		{
			of:    "base64url, and then a secret",
			with:  settings{"Issuer.SharedSecretBase64URL": true},
			scene: func(s *scene) { s.signedWith("HS256", aSecret, nil) },
			do:    settings{"Issuer.SharedSecret": file(encodedSecret)},
		},
		{
			of:    "secrets of clients and tenants",
			with:  overlaid(tenants(aTenant), settings{"Issuer.ClientSecrets": secretOf(aSecret)}),
			scene: ofTenants,
			do:    settings{"Issuer.ClientSecrets": nil},
		},
		{
			of:    "a secret and tenants",
			with:  overlaid(tenants(aTenant), settings{"Issuer.SharedSecret": file(aSecret)}),
			scene: ofTenants,
			do:    settings{"Issuer.SharedSecret": nil},
		},
		{
			of: "domains of several tenants",
			with: settings{
				"Issuer.URL":                  templates,
				"Issuer.Tenants":              []string{aTenant, anotherOne},
				"Issuer.VerifiedEmailDomains": []string{"example.com"},
				"Target.SubjectsAreOne":       true,
			},
			scene: ofTenants,
			do:    settings{"Issuer.VerifiedEmailDomains": nil},
		},
		{
			of: "domains of a shared issuer",
			with: settings{
				"Issuer.URL":                  "https://accounts.google.com",
				"Issuer.VerifiedEmailDomains": []string{"example.com"},
			},
			scene: ofGoogle,
			do:    settings{"Issuer.VerifiedEmailDomains": nil},
		},
		{
			of:    "tenants, and then a placeholder",
			with:  settings{"Issuer.Tenants": []string{aTenant}},
			scene: ofTenants,
			do:    settings{"Issuer.URL": templates},
		},
		{
			of:   "an alias with a placeholder, which the URL gets",
			with: settings{"Issuer.Aliases": []string{templates}},
			do:   settings{"Issuer.Aliases": nil, "Issuer.URL": templates},
			then: delegation.CodeConfigInvalid,
		},
		{
			of:      "an alias over plain http",
			with:    settings{"Issuer.Aliases": []string{"http://issuer.example.com"}},
			scene:   func(s *scene) { s.sign(claims("iss", "issuer.example.com")) },
			do:      settings{"Issuer.Aliases": []string{"issuer.example.com"}},
			follows: []string{"Issuer.URL"},
		},
		{
			of: "an alias of tenants",
			with: overlaid(tenants(aTenant), settings{
				"Issuer.Aliases": []string{"https://alias.example.com"},
			}),
			scene: ofTenants,
			do:    settings{"Issuer.Aliases": nil},
		},
		{
			of:    "a placeholder, and then tenants",
			with:  settings{"Issuer.URL": templates},
			scene: ofTenants,
			do:    settings{"Issuer.Tenants": []string{aTenant}},
		},
		{
			of:    "a placeholder, and then none",
			with:  settings{"Issuer.URL": templates},
			scene: ofTenants,
			do:    settings{"Issuer.URL": tenantURL(aTenant)},
		},
		{
			of:    "a listed tenant and any",
			with:  overlaid(anyTenant(), settings{"Issuer.Tenants": []string{aTenant}}),
			scene: ofTenants,
			do:    settings{"Issuer.UnsafeAnyTenant": nil},
		},
		{
			of:    "any tenant and a list",
			with:  overlaid(anyTenant(), settings{"Issuer.Tenants": []string{aTenant}}),
			scene: ofTenants,
			do:    settings{"Issuer.Tenants": nil},
		},
		{
			of:    "a tenant that is no ID",
			with:  tenants("example.com"),
			scene: ofTenants,
			do:    settings{"Issuer.Tenants": []string{aTenant}},
		},
		{
			of:    "a tenant twice",
			with:  settings{"Issuer.URL": templates, "Issuer.Tenants": []string{aTenant, aTenant}},
			scene: ofTenants,
			do:    settings{"Issuer.Tenants": []string{aTenant}},
		},
		{
			of:    "any tenant, and a discovery document",
			with:  keysNowhere(),
			scene: anyTenants,
			do:    settings{"Issuer.DiscoveryURL": "https://login.example.com" + wellKnown},
		},
		{
			of:    "any tenant, and a key set's address",
			with:  keysNowhere(),
			scene: anyTenants,
			do:    settings{"Issuer.JWKSURL": tenantURL(aTenant) + oidctest.KeySetPath},
		},
		{
			of:    "any tenant, and a key set",
			with:  keysNowhere(),
			scene: anyTenants,
			do:    settings{"Issuer.JWKS": told(keySetOf)},
		},
		{
			of: "any tenant and one of them",
			with: settings{
				"Config.Issuers": both{
					[]delegation.Issuer{
						{URL: tenantURL(aTenant)},
						{URL: templates, UnsafeAnyTenant: true, JWKSURL: issuerURL},
					},
					[]any{
						map[string]any{"url": tenantURL(aTenant)},
						map[string]any{
							"url": templates, "unsafe_any_tenant": true, "jwks_url": issuerURL,
						},
					},
				},
				"Target.Issuers": []string{tenantURL(aTenant)},
			},
			scene: ofTenants,
			do:    settings{"Config.Issuers": issuersOf(tenantURL(aTenant))},
		},
		{
			of: "a bearer token in the clear",
			with: settings{
				"Issuer.URL":               "http://localhost:8080",
				"Issuer.AllowLoopbackHTTP": true,
				"Issuer.BearerTokenFile":   file(bearer),
			},
			scene: func(s *scene) { s.rename("http://localhost:8080") },
			do:    settings{"Issuer.BearerTokenFile": nil},
		},
		{
			of:    "a CA that is none",
			with:  settings{"Issuer.CAFile": file("x")},
			scene: func(s *scene) { s.strangeCA = true },
			do:    settings{"Issuer.CAFile": told(authorityOf)},
		},
		{
			of: "a CA and a client",
			with: settings{
				"Issuer.CAFile":     told(authorityOf),
				"Issuer.HTTPClient": told(func(s *scene) any { return s.network.Client() }),
			},
			do:     settings{"Issuer.CAFile": nil},
			onlyGo: true,
		},
		{
			of: "a client and a CA",
			with: settings{
				"Issuer.CAFile":     told(authorityOf),
				"Issuer.HTTPClient": &http.Client{},
			},
			scene:  func(s *scene) { s.strangeCA = true },
			do:     settings{"Issuer.HTTPClient": nil},
			onlyGo: true,
		},
		{
			of: "a CA and a transport of one's own",
			with: settings{
				"Issuer.CAFile": told(authorityOf),
			},
			do: settings{
				"Issuer.CAFile":     nil,
				"Issuer.HTTPClient": told(func(s *scene) any { return s.network.Client() }),
			},
			onlyGo: true,
		},
		{
			of: "a CA and another transport",
			with: settings{
				"Issuer.CAFile": told(authorityOf),
			},
			do: settings{"Config.HTTPClient": told(func(s *scene) any {
				s.strangeCA = true
				return s.client()
			})},
			onlyGo: true,
		},
		{
			of:     "a rule that is nil",
			with:   settings{"Config.Rules": []delegation.RuleFunc{nil}},
			do:     settings{"Config.Rules": nil},
			onlyGo: true,
		},
		{
			of: "a shared cache and none",
			with: settings{
				"Config.SharedCache": noCache{},
				"Config.CacheSize":   -1,
			},
			do:     settings{"Config.SharedCache": nil},
			onlyGo: true,
		},
		{
			of:     "records in a negative time",
			with:   settings{"Config.AuditTimeout": -time.Second},
			do:     settings{"Config.AuditTimeout": time.Second},
			onlyGo: true,
		},
		{
			of:     "optional records and none",
			with:   settings{"Config.AuditOptional": true},
			do:     settings{"Config.AuditOptional": false},
			onlyGo: true,
		},
		{
			of:     "no targets",
			with:   settings{"Config.Targets": nil},
			do:     settings{"Config.Targets": alsoTarget(app)},
			onlyGo: true,
		},
		{
			of:   "no issuers",
			with: settings{"Config.Issuers": issuersOf()},
			do:   settings{"Config.Issuers": issuersOf(issuerURL)},
		},
		{
			of:   "STS in the clear",
			with: settings{"Config.STS": nil},
			scene: func(s *scene) {
				s.t.Setenv("AWS_ENDPOINT_URL_STS", "http://sts.example.com")
			},
			do:     settings{"Config.STS": told(func(s *scene) any { return s.Config.STS })},
			onlyGo: true,
		},
		{
			of:     "a key that is none",
			with:   settings{"IdentityProvider.Keys": []delegation.SigningKey{{}}},
			do:     settings{"IdentityProvider.Keys": told(signingKeys)},
			onlyGo: true,
		},
		{
			of: "the subjects of two issuers, by NameID",
			with: settings{
				"Config.Issuers": issuersOf(issuerURL, "https://other.example.com"),
				"Target.Issuers": []string{issuerURL, "https://other.example.com"},
			},
			do:   settings{"Target.NameIDTellsIssuersApart": true},
			then: delegation.CodeNameIDInvalid,
		},
		{
			of: "an encryption key without a provider",
			with: overlaid(encrypted(nil), settings{
				"Target.SAMLProviderUUID": nil,
			}),
			scene: hasDecryption,
			do:    settings{"Target.SAMLProviderUUID": providerUUID},
		},
		{
			of:   "an encoding of NameIDs that there is not",
			with: settings{"Target.NameIDEncoding": delegation.NameIDEncoding("base64")},
			do:   settings{"Target.NameIDEncoding": delegation.NameIDHashed},
		},
		{
			of: "a folder, and no folder",
			with: settings{
				"Target.SubjectAsFolder":     true,
				"Target.SubjectNamesNothing": true,
			},
			do:     settings{"Target.SubjectNamesNothing": nil},
			onlyGo: true,
		},
		{
			of:   "a target without a name",
			with: settings{"Config.Targets": alsoTarget("")},
			do:   settings{"Config.Targets": alsoTarget(app)},
		},
	}
}

// warningRemedies are of what Check warns of.
func warningRemedies() []remedy {
	return []remedy{
		{
			of:    "strangers, and a claim of the issuer",
			code:  codeWarning,
			with:  settings{"Issuer.URL": google},
			scene: warnsOfGoogle,
			do:    settings{"Issuer.RequiredClaims": required("hd", "example.com")},
		},
		{
			of:    "strangers, and a claim of the target",
			code:  codeWarning,
			with:  settings{"Issuer.URL": google},
			scene: warnsOfGoogle,
			do:    settings{"Target.RequiredClaims": required("hd", "example.com")},
		},
		{
			of:    "strangers, and rules",
			code:  codeWarning,
			with:  settings{"Issuer.URL": google},
			scene: warnsOfGoogle,
			do:    settings{"Issuer.GatedByRules": true},
		},
		{
			of:    "one role for two issuers",
			code:  codeWarning,
			with:  twoTargets(),
			scene: hasOtherIssuer,
			do:    settings{"Target.SubjectsAreOne": true},
		},
		{
			of:    "one role for two issuers, by NameID",
			code:  codeWarning,
			with:  withNameID(twoTargets()),
			scene: hasOtherIssuer,
			do:    settings{"Target.NameIDTellsIssuersApart": true},
		},
		{
			of:    "slashes, encoded",
			code:  codeWarning,
			with:  settings{"Issuer.RequiredClaims": required("sub", "org/.*")},
			scene: warnsOfSlashes,
			do:    settings{"Target.NameIDEncoding": delegation.NameIDEscaped},
		},
		{
			of:    "slashes that name nothing",
			code:  codeWarning,
			with:  settings{"Issuer.RequiredClaims": required("sub", "org/.*")},
			scene: warnsOfSlashes,
			do:    settings{"Target.SubjectNamesNothing": both{true, false}},
		},
		{
			of:   "two encodings in one role",
			code: codeWarning,
			with: settings{
				"Config.Targets":        twoOfOneIssuer(),
				"Target.NameIDEncoding": delegation.NameIDEscaped,
			},
			scene: func(s *scene) { s.warns = true },
			do:    settings{"Target.NameIDEncoding": nil},
		},
		{
			of:    "keys of another algorithm",
			code:  codeWarning,
			scene: func(s *scene) { s.signedBy("ES256"); s.warns = true },
			do:    settings{"Issuer.Algorithms": []string{"ES256"}},
		},
	}
}

// twoOfOneIssuer are two targets that lead into one role.
func twoOfOneIssuer() both {
	other := alsoTarget("other")
	first := alsoTarget(app)
	goTargets := other.inGo.(delegation.Targets)
	yamlTargets := other.inYAML.(map[string]any)
	goTargets[app] = first.inGo.(delegation.Targets)[app]
	yamlTargets[app] = first.inYAML.(map[string]any)[app]
	return both{goTargets, yamlTargets}
}

// twoTargets lead the users of two issuers into one role.
func twoTargets() settings {
	targets := twoOfOneIssuer()
	goTargets := targets.inGo.(delegation.Targets)
	yamlTargets := targets.inYAML.(map[string]any)
	last := goTargets["other"]
	last.Issuers = []string{otherIssuer}
	goTargets["other"] = last
	yamlTargets["other"].(map[string]any)["issuers"] = last.Issuers
	return settings{
		"Config.Issuers": issuersOf(issuerURL, otherIssuer),
		"Config.Targets": both{goTargets, yamlTargets},
		"Target.Issuers": []string{issuerURL},
	}
}

const otherIssuer = "https://other.example.com"

// hasOtherIssuer has a second issuer with the keys of the first.
func hasOtherIssuer(s *scene) {
	s.pages[otherIssuer+wellKnown] = page{body: `{"issuer":"` + otherIssuer +
		`","jwks_uri":"` + issuerURL + oidctest.KeySetPath + `"}`}
	s.warns = true
}

const google = "https://accounts.google.com"

// ofGoogle has a token of Google for the target.
func ofGoogle(s *scene) {
	s.imitates("google", nil)
	s.signAs(claims("azp", app))
}

func warnsOfGoogle(s *scene) {
	ofGoogle(s)
	s.warns = true
}

func warnsOfSlashes(s *scene) {
	s.sign(claims("sub", "org/alice"))
	s.warns = true
}

// issuersOf are issuers by their URLs alone.
func issuersOf(urls ...string) both {
	list := both{[]delegation.Issuer{}, []any{}}
	for _, url := range urls {
		list.inGo = append(list.inGo.([]delegation.Issuer), delegation.Issuer{URL: url})
		list.inYAML = append(list.inYAML.([]any), map[string]any{"url": url})
	}
	return list
}

// signingKeys are those of the scene.
func signingKeys(s *scene) any {
	return both{delegationtest.Identity().Keys, []any{map[string]any{
		"certificate_file": "signing.crt", "key_file": "signing.key",
	}}}
}

// ownCertificates are so many times the certificate of the scene's signing key.
func ownCertificates(n int) both {
	own := delegationtest.Identity().Keys[0].Certificate
	files := []any{}
	for range n {
		files = append(files, "signing.crt")
	}
	return both{slices.Repeat([]*x509.Certificate{own}, n), files}
}

// keysNowhere accepts any tenant, and does not say where the keys are.
func keysNowhere() settings {
	return settings{
		"Issuer.URL":             templates,
		"Issuer.UnsafeAnyTenant": true,
		"Target.SubjectsAreOne":  true,
	}
}

func anyTenant() settings {
	return overlaid(keysNowhere(), settings{
		"Issuer.JWKSURL": tenantURL(aTenant) + oidctest.KeySetPath,
	})
}

// anyTenants has a discovery document for all tenants, as Entra's common endpoint has one.
func anyTenants(s *scene) {
	ofTenants(s)
	s.pages["https://login.example.com"+wellKnown] = page{body: `{"issuer":"` + templates +
		`","jwks_uri":"` + tenantURL(aTenant) + oidctest.KeySetPath + `"}`}
}

// noCache is a shared cache that nobody asks.
type noCache struct{ delegation.SharedCache }
