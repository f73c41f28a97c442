package config_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing/iotest"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationtest"
	"github.com/seed055b7978/delegation/oidctest"
	"github.com/seed055b7978/delegation/ststest"
)

const (
	otherRole     = "arn:aws:iam::123456789012:role/editor"
	thirdRole     = "arn:aws:iam::123456789012:role/reader"
	otherProvider = "arn:aws:iam::123456789012:saml-provider/other"
	nameIDMapping = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier"
	providerUUID  = "SAMLSPEXAMPLE000000001"
)

// targetRemedies are of the target, and of who may use it.
func targetRemedies() []remedy {
	return []remedy{
		{
			of:    "another name",
			code:  delegation.CodeDelegationDisabled,
			scene: func(s *scene) { s.target = "video-app" },
			do:    settings{"Config.Targets": alsoTarget("video-app")},
		},
		{
			of:    "another client",
			code:  delegation.CodeAudienceNotAllowed,
			scene: func(s *scene) { s.sign(claims("aud", "mobile-app")) },
			do:    settings{"Target.Audiences": []string{"mobile-app"}},
		},
		{
			of:    "a client with another's token",
			code:  delegation.CodeAudienceNotAllowed,
			scene: func(s *scene) { s.sign(claims("azp", "mobile-app")) },
			do:    settings{"Target.AuthorizedParties": []string{"mobile-app"}},
		},
		{
			of:   "another issuer",
			code: delegation.CodeIssuerNotAllowed,
			with: settings{
				"Config.Issuers": both{
					[]delegation.Issuer{{URL: issuerURL}, {URL: "https://other.example.com"}},
					[]any{
						map[string]any{"url": issuerURL},
						map[string]any{"url": "https://other.example.com"},
					},
				},
				"Target.Issuers": []string{"https://other.example.com"},
			},
			do: settings{"Target.Issuers": []string{issuerURL}},
		},
		{
			of:    "a claim that the issuer's tokens must have",
			code:  delegation.CodeRequiredClaim,
			with:  settings{"Issuer.RequiredClaims": required("groups", "editors")},
			scene: func(s *scene) { s.sign(claims("groups", "readers")) },
			do:    settings{"Issuer.RequiredClaims": required("groups", "editors", "readers")},
		},
		{
			of:    "a claim that the target wants",
			code:  delegation.CodeRequiredClaim,
			with:  settings{"Target.RequiredClaims": required("groups", "editors")},
			scene: func(s *scene) { s.sign(claims("groups", "readers")) },
			do:    settings{"Target.RequiredClaims": required("groups", "editors", "readers")},
		},
	}
}

// auditRemedies are of the record of an exchange.
func auditRemedies() []remedy {
	fails := func(context.Context, delegation.Event) error { return os.ErrNotExist }
	works := func(context.Context, delegation.Event) error { return nil }
	records := func(name string) map[string]any {
		return map[string]any{"file": name, "on_failure": "refuse"}
	}
	return []remedy{{
		of:   "a folder that is not there",
		code: delegation.CodeAuditFailed,
		with: settings{"Config.Audit": both{fails, records("missing/audit.jsonl")}},
		do:   settings{"Config.Audit": both{works, records("audit.jsonl")}},
	}}
}

// ruleRemedies are of rules in JavaScript, and of the profile loader.
func ruleRemedies() []remedy {
	return []remedy{
		{
			of:     "a profile loader that fails",
			code:   delegation.CodeProfileFailed,
			with:   settings{"Config.Profile": failingProfile},
			do:     settings{"Config.Profile": goodProfile},
			onlyGo: true,
		},
		{
			of:   "a check of profiles, and no profiles",
			code: delegation.CodeConfigInvalid,
			with: settings{"Config.CheckProfile": func(context.Context) error { return nil }},
			act: func(_ *scene, c *delegation.Config) {
				c.Profile = goodProfile
			},
			follows: []string{"Config.Profile"},
			onlyGo:  true,
		},
		{
			of:   "a profile loader that is slow",
			code: delegation.CodeProfileTimeout,
			with: settings{
				"Config.Profile":     told(slowProfiles),
				"Config.RuleTimeout": both{time.Millisecond, "1ms"},
			},
			scene: scripted(goesOn),
			do:    settings{"Config.RuleTimeout": both{time.Hour, "1h"}},
		},
		{
			of:   "a rule that is slow",
			code: delegation.CodeRuleTimeout,
			with: settings{
				"Config.Rules":       []delegation.RuleFunc{slowRule},
				"Config.RuleTimeout": time.Millisecond,
			},
			do:     settings{"Config.RuleTimeout": time.Hour},
			onlyGo: true,
		},
		{
			of:    "no user",
			code:  delegation.CodeRuleUserMissing,
			scene: scripted("callback(null, null, context);"),
			do:    settings{"Options.IgnoreMissingUser": true},
		},
		{
			of:    "a redirect",
			code:  delegation.CodeRuleRedirect,
			scene: scripted("context.redirect = {url: 'https://x.example'};" + goesOn),
			do:    settings{"Options.IgnoreRedirect": true},
		},
		{
			of:    "another factor",
			code:  delegation.CodeRuleMultifactor,
			scene: scripted("context.multifactor = {provider: 'any'};" + goesOn),
			do:    settings{"Options.IgnoreMultifactor": true},
		},
		{
			of:    "a property that nobody supplies",
			code:  delegation.CodeRuleContextMissing,
			scene: scripted("context.clientName;" + goesOn),
			do: settings{"Options.Context": both{
				func(
					context.Context, *delegation.User, *delegation.RuleContext,
				) (map[string]any, error) {
					return claims("clientName", "Photos"), nil
				},
				claims(app, claims("clientName", "Photos")),
			}},
		},
		{
			of:    "a property that may be missing",
			code:  delegation.CodeRuleContextMissing,
			scene: scripted("context.clientName;" + goesOn),
			do:    settings{"Options.Absent": []string{"clientName"}},
		},
	}
}

// emailRemedies are of the rules that want a verified address.
func emailRemedies() []remedy {
	return []remedy{
		{
			of:   "a text",
			code: delegation.CodeDenied,
			with: verifiedOnly(nil),
			scene: func(s *scene) {
				s.sign(map[string]any{"email": "alice@example.com", "email_verified": "true"})
			},
			do: settings{"Issuer.EmailVerifiedText": true},
		},
		{
			of:    "Entra's tokens without an address, by tenant",
			code:  delegation.CodeDenied,
			with:  verifiedOnly(entraCommon),
			scene: entraUser(nil),
			do:    settings{"Issuer.Tenants": []string{aTenant}},
			act:   withoutRules,
		},
		{
			of:    "Entra's tokens without an address, by role",
			code:  delegation.CodeDenied,
			with:  verifiedOnly(entraIssuer),
			scene: entraUser(nil),
			do:    settings{"Issuer.RequiredClaims": required("roles", "photo-editor")},
			act:   withoutRules,
		},
		{
			of:    "Entra's tokens without an address, which they get",
			code:  delegation.CodeDenied,
			with:  verifiedOnly(entraIssuer),
			scene: entraUser(nil),
			do:    settings{"Issuer.EntraVerifiedEmail": true},
			act:   sendsAddress,
		},
		{
			of:    "Entra's tokens without xms_edov, which they get",
			code:  delegation.CodeDenied,
			with:  verifiedOnly(entraIssuer),
			scene: entraUser(claims("email", "alice@example.com")),
			do:    settings{"Issuer.EntraVerifiedEmail": true},
			act:   sendsAddress,
		},
		{
			of:    "Entra's tokens without xms_edov, of a known domain",
			code:  delegation.CodeDenied,
			with:  verifiedOnly(entraIssuer),
			scene: entraUser(claims("email", "alice@example.com")),
			do:    settings{"Issuer.VerifiedEmailDomains": []string{"example.com"}},
		},
		{
			of:    "Entra's tokens without xms_edov, by role",
			code:  delegation.CodeDenied,
			with:  verifiedOnly(entraIssuer),
			scene: entraUser(claims("email", "alice@example.com")),
			do:    settings{"Issuer.RequiredClaims": required("roles", "photo-editor")},
			act:   withoutRules,
		},
		{
			of:    "xms_edov that is not counted",
			code:  delegation.CodeDenied,
			with:  verifiedOnly(entraIssuer),
			scene: entraUser(map[string]any{"email": "alice@example.com", "xms_edov": true}),
			do:    settings{"Issuer.EntraVerifiedEmail": true},
		},
		{
			of:    "xms_edov that is false",
			code:  delegation.CodeDenied,
			with:  verifiedOnly(entraIssuer),
			scene: entraUser(map[string]any{"email": "alice@example.com", "xms_edov": false}),
			do:    settings{"Issuer.VerifiedEmailDomains": []string{"example.com"}},
		},
	}
}

// decisionRemedies are of what target and rules ask for.
func decisionRemedies() []remedy {
	return []remedy{
		{
			of:   "no role",
			code: delegation.CodeRoleInvalid,
			with: settings{"AWS.Role": nil},
			do:   settings{"AWS.Role": delegationtest.Role},
		},
		{
			of:   "no principal",
			code: delegation.CodeRoleInvalid,
			with: settings{"AWS.Principal": nil},
			do:   settings{"AWS.Principal": delegationtest.Principal},
		},
		{
			of:   "a role that is not listed",
			code: delegation.CodeRoleNotAllowed,
			with: settings{"Target.AllowedRoles": []string{otherRole}},
			do:   settings{"Target.AllowedRoles": []string{otherRole, delegationtest.Role}},
		},
		{
			of:      "another provider than the one that can decrypt",
			code:    delegation.CodeProviderMismatch,
			with:    choosesOther(),
			scene:   hasOther,
			act:     targetOfOther,
			follows: []string{"Target.EncryptionKey"},
		},
		{
			of:    "several roles, and none of them",
			code:  delegation.CodeMappingInvalid,
			with:  settings{"AWS.Mappings": mappings(delegation.AttributeRole, "roles")},
			scene: func(s *scene) { s.sign(claims("roles", []string{otherRole, thirdRole})) },
			do:    settings{"AWS.Role": otherRole},
			then:  delegation.CodeSTSAccessDenied, // AWS has no such role
		},
		{
			of:   "a sub that no NameID can be",
			code: delegation.CodeNameIDInvalid,
			scene: func(s *scene) {
				s.sign(map[string]any{"sub": "*", "email": "alice@example.com"})
			},
			do: settings{
				"AWS.Mappings":          mappings(nameIDMapping, "email"),
				"AWS.NameIDFromMapping": true,
			},
		},
		{
			of:    "a NameID that must tell issuers apart",
			code:  delegation.CodeNameIDInvalid,
			with:  settings{"Target.NameIDTellsIssuersApart": true},
			scene: func(s *scene) { s.sign(claims("email", "alice@example.com")) },
			do: settings{
				"AWS.Mappings":          mappings(nameIDMapping, "email"),
				"AWS.NameIDFromMapping": true,
			},
			follows: []string{"Target.NameIDTellsIssuersApart"},
		},
		{
			of:    "a folder within another's, escaped",
			code:  delegation.CodeNameIDNotFolder,
			with:  settings{"Target.SubjectAsFolder": true},
			scene: func(s *scene) { s.sign(claims("sub", "alice/x")) },
			do:    settings{"Target.NameIDEncoding": delegation.NameIDEscaped},
		},
		{
			of:    "a folder within another's, hashed",
			code:  delegation.CodeNameIDNotFolder,
			with:  settings{"Target.SubjectAsFolder": true},
			scene: func(s *scene) { s.sign(claims("sub", "${aws:username}")) },
			do:    settings{"Target.NameIDEncoding": delegation.NameIDHashed},
		},
		{
			of:    "a NameID that names nothing",
			code:  delegation.CodeNameIDNotFolder,
			with:  settings{"Target.SubjectAsFolder": true},
			scene: func(s *scene) { s.sign(claims("sub", "alice/x")) },
			do:    settings{"Target.SubjectAsFolder": nil},
		},
		{
			of:     "too few random numbers",
			code:   delegation.CodeEncryptionFailed,
			with:   encrypted(settings{"Config.Rand": fewNumbers()}),
			scene:  hasDecryption,
			do:     settings{"Config.Rand": nil},
			onlyGo: true,
		},
	}
}

// goesOn is the end of a rule that changes nothing.
const goesOn = "callback(null, user, context);"

// scripted has one rule in JavaScript.
func scripted(body string) func(s *scene) {
	return func(s *scene) { s.script = "function (user, context, callback) {" + body + "}" }
}

func failingProfile(
	context.Context, *delegation.User,
) (map[string]any, error) {
	return nil, errors.New("the database is down")
}

// wait waits as long as the context lets it, unless that is long.
func wait(ctx context.Context) error {
	if deadline, has := ctx.Deadline(); has && time.Until(deadline) < time.Minute {
		<-ctx.Done()
	}
	return context.Cause(ctx)
}

func slowProfile(ctx context.Context, _ *delegation.User) (map[string]any, error) {
	return nil, wait(ctx)
}

// slowProfiles is a loader in Go, and in YAML an endpoint that answers its first request after its
// second one.
func slowProfiles(s *scene) any {
	if s.slow == nil {
		var asked atomic.Int32
		second := make(chan struct{})
		s.slow = httptest.NewServer(http.HandlerFunc(func(
			w http.ResponseWriter, _ *http.Request,
		) {
			if asked.Add(1) == 1 {
				<-second
			} else {
				close(second)
			}
			_, _ = io.WriteString(w, "{}")
		}))
		s.t.Cleanup(s.slow.Close)
	}
	return both{slowProfile, map[string]any{
		"url": s.slow.URL + "/{subject}", "allow_loopback_http": true,
	}}
}

func slowRule(ctx context.Context, _ *delegation.User, _ *delegation.RuleContext) error {
	return wait(ctx)
}

func goodProfile(
	context.Context, *delegation.User,
) (map[string]any, error) {
	return nil, nil
}

func required(claim string, patterns ...string) map[string][]string {
	return map[string][]string{claim: patterns}
}

func mappings(name, from string) delegation.Mappings { return delegation.Mappings{name: from} }

// verifiedOnly has a rule that wants a verified address.
func verifiedOnly(with settings) settings {
	return overlaid(with, settings{"Config.Rules": both{
		[]delegation.RuleFunc{delegation.RequireVerifiedEmail()},
		[]any{claims("require_verified_email", true)},
	}})
}

func overlaid(all ...settings) settings {
	one := settings{}
	for _, some := range all {
		maps.Copy(one, some)
	}
	return one
}

// withoutRules removes the rule, as the remedy says.
func withoutRules(_ *scene, c *delegation.Config) { c.Rules = nil }

const entraURL = "https://login.microsoftonline.com/" + aTenant + "/v2.0"

var (
	entraIssuer = settings{"Issuer.URL": entraURL}
	entraCommon = settings{
		"Issuer.URL":            "https://login.microsoftonline.com/{tenantid}/v2.0",
		"Issuer.DiscoveryURL":   common + wellKnown,
		"Issuer.Tenants":        []string{aTenant, anotherOne},
		"Target.SubjectsAreOne": true,
	}
)

// entraUser has a token of Entra with further claims.
func entraUser(more map[string]any) func(s *scene) {
	return func(s *scene) {
		s.imitates("entra-common", nil)
		s.pages[entraURL+wellKnown] = page{body: `{"issuer":"` + entraURL + `","jwks_uri":` +
			`"https://login.microsoftonline.com/common/discovery/v2.0/keys"}`}
		s.signAs(more)
	}
}

// signAs signs the imitation's ID token for the target.
func (s *scene) signAs(more map[string]any) {
	all := claims("aud", app)
	maps.Copy(all, more)
	s.token = must(s.Issuer.SignAs(oidctest.IDToken, all))
}

// sendsAddress has Entra send the two optional claims.
func sendsAddress(s *scene, _ *delegation.Config) {
	s.signAs(map[string]any{"email": "alice@example.com", "xms_edov": true})
}

// alsoTarget has one more target, like the first.
func alsoTarget(name string) both {
	aws := delegation.AWS{
		Principal: delegationtest.Principal,
		Role:      delegationtest.Role,
		Region:    delegationtest.Region,
	}
	return both{
		delegation.Targets{name: {Audiences: []string{app}, AWS: aws}},
		map[string]any{name: map[string]any{
			"audiences": []string{app},
			"principal": aws.Principal,
			"role":      aws.Role,
			"region":    aws.Region,
		}},
	}
}

// readerKey is the pair of keys of which IAM has the private half.
var readerKey = sync.OnceValue(func() *rsa.PrivateKey {
	return must(rsa.GenerateKey(rand.Reader, 2048))
})

// encrypted encrypts assertions for readerKey.
func encrypted(more settings) settings {
	return overlaid(more, settings{
		"Target.SAMLProviderUUID": providerUUID,
		"Target.EncryptionKey": told(func(*scene) any {
			return file(pem.EncodeToMemory(&pem.Block{
				Type:  "PUBLIC KEY",
				Bytes: must(x509.MarshalPKIXPublicKey(readerKey().Public())),
			}))
		}),
	})
}

// hasDecryption gives IAM the private half.
func hasDecryption(s *scene) { s.decrypts(delegationtest.Principal) }

func (s *scene) decrypts(provider string) {
	private := pem.EncodeToMemory(&pem.Block{
		Type:  "PRIVATE KEY",
		Bytes: must(x509.MarshalPKCS8PrivateKey(readerKey())),
	})
	err := s.STS.PutSAMLEncryption(provider, ststest.SAMLEncryption{
		Required:    true,
		UUID:        providerUUID,
		PrivateKeys: [][]byte{private},
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// fewNumbers are enough for IDs, and not for an encryption.
func fewNumbers() io.Reader {
	return io.MultiReader(bytes.NewReader(make([]byte, 40)),
		iotest.ErrReader(errors.New("no random numbers")))
}

// choosesOther has a rule that chooses a role with another SAML provider.
func choosesOther() settings {
	role := delegation.RoleMatch{
		Pattern:   ".*",
		Role:      delegationtest.Role,
		Principal: otherProvider,
	}
	return encrypted(settings{"Config.Rules": both{
		[]delegation.RuleFunc{must(delegation.RoleByClaim("sub", role))},
		[]any{claims("role_by_claim", map[string]any{
			"claim": "sub",
			"roles": []any{map[string]any{
				"match": role.Pattern, "role": role.Role, "principal": role.Principal,
			}},
		})},
	}})
}

// hasOther gives AWS one more SAML provider, which the role trusts and which can decrypt.
func hasOther(s *scene) {
	s.knows(otherProvider)
	s.trusts(otherProvider)
	hasDecryption(s)
	s.decrypts(otherProvider)
}

// knows makes a SAML provider of the identity's metadata.
func (s *scene) knows(provider string) {
	metadata := must(delegationtest.Identity().Metadata())
	if err := s.STS.PutSAMLProvider(provider, metadata); err != nil {
		s.t.Fatal(err)
	}
}

// trusts has the role trust the SAML provider.
func (s *scene) trusts(provider string) {
	policy := strings.Replace(delegationtest.TrustPolicy, delegationtest.Principal, provider, 1)
	err := s.STS.PutRole(ststest.Role{ARN: delegationtest.Role, TrustPolicy: policy})
	if err != nil {
		s.t.Fatal(err)
	}
}

// targetOfOther makes a target of its own for the other SAML provider.
func targetOfOther(s *scene, c *delegation.Config) {
	s.target = "video-app"
	targets := c.Targets.(delegation.Targets)
	own := targets[app]
	own.Audiences = []string{app}
	own.Principal = otherProvider
	targets[s.target] = own
}
