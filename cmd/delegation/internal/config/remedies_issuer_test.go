package config_test

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/oidctest"
)

const (
	wellKnown  = "/.well-known/openid-configuration"
	moved      = "https://moved.example.com/keys.json"
	bearer     = "canary-bearer-token"
	kubernetes = "https://kubernetes.default.svc.cluster.local"
	common     = "https://login.microsoftonline.com/common/v2.0"
	policyURL  = "https://contoso.b2clogin.com/contoso.onmicrosoft.com/B2C_1_signin/v2.0"
)

// keyRemedies are of keys, and of documents that have them.
func keyRemedies() []remedy {
	return []remedy{
		{
			of:    "a set of other keys",
			code:  delegation.CodeKeyUnknown,
			scene: func(s *scene) { s.oldKeys = s.Issuer.KeySet(); rotate(s) },
			with:  settings{"Issuer.JWKS": told(func(s *scene) any { return file(s.oldKeys) })},
			do:    settings{"Issuer.JWKS": told(keySetOf)},
		},
		{
			of:   "a key of tenants in another claim",
			code: delegation.CodeKeyOtherIssuer,
			with: tenants(aTenant),
			scene: func(s *scene) {
				s.rename(tenantURL(aTenant))
				s.sign(claims("org_id", aTenant))
				keys := tenantURL(aTenant) + oidctest.KeySetPath
				s.pages[keys] = page{body: forTenants(keySetOf(s))}
			},
			do: settings{"Issuer.TenantClaim": "org_id"},
		},
		{
			of:   "a redirect",
			code: delegation.CodeKeySetRedirect,
			scene: func(s *scene) {
				s.pages[issuerURL+oidctest.KeySetPath] = page{status: 302, location: moved}
				s.pages[moved] = page{body: text(keySetOf(s))}
			},
			do: settings{"Issuer.JWKSURL": after("redirect to")},
		},
		{
			of:    "a redirect to a page for people",
			code:  delegation.CodeKeySetRedirect,
			scene: redirectsKeysTo("<html>Sign in</html>"),
			do:    settings{"Issuer.JWKSURL": after("redirect to")},
			then:  delegation.CodeKeySetInvalid,
		},
		{
			of:   "a wrong address",
			code: delegation.CodeKeySetMissing,
			with: settings{"Issuer.JWKSURL": issuerURL + "/wrong.json"},
			do:   settings{"Issuer.JWKSURL": issuerURL + oidctest.KeySetPath},
		},
		{
			of:   "the address of the discovery document",
			code: delegation.CodeKeySetDiscovery,
			with: settings{"Issuer.JWKSURL": issuerURL + wellKnown},
			do:   settings{"Issuer.JWKSURL": nil, "Issuer.DiscoveryURL": issuerURL + wellKnown},
		},
		{
			of:   "the address of the discovery document, and the one that it names",
			code: delegation.CodeKeySetDiscovery,
			with: settings{"Issuer.JWKSURL": issuerURL + wellKnown},
			do:   settings{"Issuer.JWKSURL": after("its jwks_uri is")},
		},
		{
			of:    "an address by number",
			code:  delegation.CodeKeySetURL,
			scene: imitatesKubernetes(nil),
			with:  settings{"Issuer.URL": kubernetes},
			do: settings{"Issuer.DocumentOrigins": told(func(s *scene) any {
				return []string{refusalText(s, "list")}
			})},
			never: "use https",
		},
		{
			of:    "an address by number, and no discovery",
			code:  delegation.CodeKeySetURL,
			scene: imitatesKubernetes(nil),
			with:  settings{"Issuer.URL": kubernetes},
			do:    settings{"Issuer.JWKSURL": after("jwks_uri:")},
			never: "must be https",
		},
		{
			of:   "plain http in a cluster",
			code: delegation.CodeKeySetURL,
			scene: func(s *scene) {
				s.imitates("keycloak", map[string]string{"backchannel": "http://keycloak:8080"})
			},
			with: settings{"Issuer.URL": "https://sso.example.com/realms/photos"},
			do:   settings{"Issuer.InsecureHTTPHosts": []string{"keycloak:8080"}},
		},
		{
			of:    "plain http to loopback",
			code:  delegation.CodeKeySetURL,
			with:  settings{"Issuer.URL": "https://localhost:8443"},
			scene: keysOnLoopback("https://localhost:8443"),
			do:    settings{"Issuer.AllowLoopbackHTTP": true},
		},
		{
			of:    "plain http to loopback, from another host",
			code:  delegation.CodeKeySetURL,
			with:  settings{"Issuer.AllowLoopbackHTTP": true},
			scene: keysOnLoopback(issuerURL),
			do: settings{"Issuer.InsecureHTTPHosts": told(func(s *scene) any {
				return []string{refusalText(s, "list")}
			})},
		},
		{
			of:   "documents behind authentication",
			code: delegation.CodeKeySetUnauthorized,
			scene: imitatesKubernetes(map[string]string{
				"bearer": bearer, "keys": kubernetes + "/keys",
			}),
			with: settings{"Issuer.URL": kubernetes},
			do:   settings{"Issuer.BearerTokenFile": file(bearer)},
		},
		{
			of:   "keys behind authentication elsewhere",
			code: delegation.CodeKeySetUnauthorized,
			scene: imitatesKubernetes(map[string]string{
				"bearer": bearer, "keys": "https://keys.example.com/keys",
			}),
			with: settings{"Issuer.URL": kubernetes, "Issuer.BearerTokenFile": file(bearer)},
			do:   settings{"Issuer.DocumentOrigins": []string{"https://keys.example.com"}},
		},
		{
			of:   "documents that are forbidden",
			code: delegation.CodeKeySetUnavailable,
			scene: func(s *scene) {
				s.pages[issuerURL+oidctest.KeySetPath] = page{
					status: http.StatusForbidden, bearer: bearer, body: text(keySetOf(s)),
				}
			},
			do: settings{"Issuer.BearerTokenFile": file(bearer)},
		},
		{
			of:    "a CA of one's own",
			code:  delegation.CodeKeySetCertificate,
			scene: func(s *scene) { s.strangeCA = true },
			do:    settings{"Issuer.CAFile": told(authorityOf)},
		},
	}
}

// documentRemedies are of the discovery document.
func documentRemedies() []remedy {
	return []remedy{
		{
			of:    "Entra's common endpoint",
			code:  delegation.CodeDiscoveryIssuer,
			scene: func(s *scene) { entraUser(nil)(s); s.check = true },
			with:  settings{"Issuer.URL": common},
			do: settings{
				"Issuer.URL":     after("names the issuer"),
				"Issuer.Tenants": []string{aTenant},
			},
		},
		{
			of:    "Entra's common endpoint, and its document",
			code:  delegation.CodeDiscoveryIssuer,
			scene: func(s *scene) { s.imitates("entra-common", nil); s.check = true },
			with:  settings{"Issuer.URL": common},
			do: settings{
				"Issuer.URL":          after("names the issuer"),
				"Issuer.Tenants":      []string{aTenant},
				"Issuer.DiscoveryURL": after("discovery document"),
			},
		},
		{
			of:    "the address of an Azure AD B2C policy",
			code:  delegation.CodeDiscoveryIssuer,
			scene: func(s *scene) { s.imitates("azure-ad-b2c", nil); s.check = true },
			with:  settings{"Issuer.URL": policyURL},
			do: settings{
				"Issuer.URL":          after("names the issuer"),
				"Issuer.DiscoveryURL": after("discovery document"),
			},
		},
		{
			of:    "a slash at the end",
			code:  delegation.CodeDiscoveryIssuer,
			scene: func(s *scene) { s.rename(issuerURL + "/"); s.check = true },
			do:    settings{"Issuer.URL": after("names the issuer")},
		},
		{
			of:   "a redirect",
			code: delegation.CodeDiscoveryRedirect,
			scene: func(s *scene) {
				s.pages[issuerURL+wellKnown] = page{status: 301, location: moved}
				s.pages[moved] = page{body: `{"issuer":"` + issuerURL + `","jwks_uri":"` +
					issuerURL + oidctest.KeySetPath + `"}`}
			},
			do: settings{"Issuer.DiscoveryURL": after("redirect to")},
		},
		{
			of:   "a redirect to plain http",
			code: delegation.CodeDiscoveryRedirect,
			scene: func(s *scene) {
				const plain = "http://idp.internal/openid-configuration"
				s.pages[issuerURL+wellKnown] = page{status: 301, location: plain}
			},
			do:   settings{"Issuer.DiscoveryURL": after("redirect to")},
			then: delegation.CodeConfigInvalid,
		},
		{
			of:    "an Azure AD B2C policy by its issuer",
			code:  delegation.CodeDiscoveryMissing,
			scene: func(s *scene) { s.imitates("azure-ad-b2c", nil) },
			with:  settings{"Issuer.URL": policyIssuer},
			do:    settings{"Issuer.DiscoveryURL": policyURL + wellKnown},
		},
		{
			of:   "no discovery document",
			code: delegation.CodeDiscoveryMissing,
			scene: func(s *scene) {
				s.pages[issuerURL+wellKnown] = page{status: http.StatusNotFound}
			},
			do: settings{"Issuer.JWKSURL": issuerURL + oidctest.KeySetPath},
		},
		{
			of:    "another URL than that of tokens",
			code:  delegation.CodeDiscoveryMissing,
			scene: func(s *scene) { s.check = true },
			with:  settings{"Issuer.URL": issuerURL + "/oauth2"},
			do:    settings{"Issuer.URL": issuerURL},
		},
	}
}

const policyIssuer = "https://contoso.b2clogin.com/" + aTenant + "/v2.0/"

// after is the text in quotes that the refusal has after some words.
func after(words string) told {
	return func(s *scene) any { return refusalText(s, words) }
}

// keySetOf is the key set of the issuer.
func keySetOf(s *scene) any { return file(s.Issuer.KeySet()) }

// authorityOf is the certificate of the CA that the documents' servers have.
func authorityOf(s *scene) any { return file(s.network.CertificatePEM()) }

func text(of any) string { return string(of.(file)) }

func rotate(s *scene) {
	must(s.Issuer.Rotate())
	s.sign(nil)
}

// forTenants is a key set whose keys are for the tokens of one tenant each, as Entra's are.
func forTenants(set any) string {
	var parsed struct {
		Keys []map[string]any `json:"keys"`
	}
	if err := json.Unmarshal([]byte(text(set)), &parsed); err != nil {
		panic(err)
	}
	for _, key := range parsed.Keys {
		key["issuer"] = templates
	}
	return string(must(json.Marshal(parsed)))
}

// keysOnLoopback has an issuer whose discovery document leads to this machine.
func keysOnLoopback(url string) func(s *scene) {
	return func(s *scene) {
		const keys = "http://localhost:8080/keys.json"
		s.rename(url)
		s.Issuer.SetFaults(oidctest.Faults{JWKSURL: keys})
		s.pages[keys] = page{body: text(keySetOf(s))}
	}
}

// redirectsKeysTo has the key set lead to a page.
func redirectsKeysTo(body string) func(s *scene) {
	return func(s *scene) {
		s.pages[issuerURL+oidctest.KeySetPath] = page{status: 302, location: moved}
		s.pages[moved] = page{body: body}
	}
}

// imitatesKubernetes makes the issuer a cluster.
func imitatesKubernetes(parameters map[string]string) func(s *scene) {
	return func(s *scene) {
		s.imitates("kubernetes", parameters)
		s.token = must(s.Issuer.SignAs(oidctest.IDToken, claims("aud", strings.Fields(app))))
	}
}
