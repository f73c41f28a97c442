package delegation_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	mathrand "math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/internal/sampling"
	"github.com/seed055b7978/delegation/oidctest"
)

// fieldOf returns the field of a name.
func fieldOf(fields []delegation.TokenField, name string) delegation.TokenField {
	for _, f := range fields {
		if f.Name == name {
			return f
		}
	}
	return delegation.TokenField{}
}

// disagreements are the names of the fields that differ or are missing.
func disagreements(fields []delegation.TokenField) (names []string) {
	for _, f := range fields {
		switch f.Verdict {
		case delegation.TokenFieldDiffers, delegation.TokenFieldMissing:
			names = append(names, f.Name)
		}
	}
	return names
}

// comparisonProblem says what is wrong with the comparison of a token that was accepted, or refused
// with err. It is empty if nothing is.
func comparisonProblem(fields []delegation.TokenField, token string, err error) string {
	for _, f := range fields {
		if problem := fieldProblem(f, token); problem != "" {
			return fmt.Sprintf("%s in %+v", problem, f)
		}
	}
	bad := disagreements(fields)
	var e *delegation.Error
	switch {
	case err == nil && len(bad) > 0:
		return fmt.Sprintf("it was accepted, and these differ: %q", bad)
	case err == nil || !errors.As(err, &e):
		return ""
	}
	if e.Code == delegation.CodeCanceled || e.Code == delegation.CodeTokenReplayed ||
		e.Code == delegation.CodeReplayUnavailable {
		return "" // which says nothing about the token
	}
	byIssuer := strings.HasPrefix(string(e.Code), "key_set_") ||
		strings.HasPrefix(string(e.Code), "discovery_")
	ofTarget := slices.Contains([]delegation.Code{
		delegation.CodeDelegationDisabled, delegation.CodeAudienceNotAllowed,
		delegation.CodeIssuerNotAllowed, delegation.CodeRequiredClaim,
	}, e.Code)
	switch {
	case byIssuer && fieldOf(fields, "header kid").Verdict != delegation.TokenFieldNotChecked:
		return fmt.Sprintf("keys are said to be known: %+v", fieldOf(fields, "header kid"))
	case byIssuer:
		return ""
	case (e.Stage == delegation.StageToken || ofTarget) && len(bad) == 0:
		return fmt.Sprintf("it was refused with %s, and nothing differs", e.Code)
	}
	return ""
}

// fieldProblem says what is wrong with one field, whatever the token is.
func fieldProblem(f delegation.TokenField, token string) string {
	all := f.Token + f.Configuration + f.Reason
	same := f.Verdict == delegation.TokenFieldSame
	switch {
	case f.Name == "" || f.Token == "" || f.Configuration == "":
		return "an empty text"
	case same != (f.Reason == ""):
		return "a reason too much, or none"
	case len(f.Token) > 15_000 || len(f.Reason) > 4_000:
		return "a long text"
	case strings.ContainsFunc(f.Token+f.Reason, func(r rune) bool { return r < ' ' || r > '~' }):
		return "more than printable ASCII"
	}
	for part := range strings.SplitSeq(token, ".") {
		if len(part) >= 20 && strings.Contains(all, part[:20]) {
			return "a part of the token"
		}
	}
	return ""
}

// wantCompared holds the comparison of a token against what became of it.
func wantCompared(t testing.TB, d *delegation.Delegator, token string, err error) {
	t.Helper()
	fields := d.CompareToken(t.Context(), token, app)
	if problem := comparisonProblem(fields, token, err); problem != "" {
		t.Errorf("compared, after %v: %s", err, problem)
	}
}

// comparedCase is a refused token, and the field that shows why.
type comparedCase struct {
	code    delegation.Code
	field   string
	verdict delegation.TokenVerdict
	// says is what the field must contain: in what the token says, in what the configuration says,
	// or in the reason.
	says string
	make func(t *testing.T) (w *world, token string)
}

const (
	differs    = delegation.TokenFieldDiffers
	missing    = delegation.TokenFieldMissing
	notChecked = delegation.TokenFieldNotChecked
)

// withClaims is a token of the offline world with claims changed, added or removed.
func withClaims(changes map[string]any) func(*testing.T) (*world, string) {
	return func(t *testing.T) (*world, string) { return offline(t), tokenOfClaims(changes) }
}

func tokenOfClaims(changes map[string]any) string {
	return signed(`{"alg":"RS256"}`, payload(changes))
}

// withHeader is a token of the offline world with a header.
func withHeader(header string) func(*testing.T) (*world, string) {
	return func(t *testing.T) (*world, string) { return offline(t), signed(header, payload(nil)) }
}

// asSent is a text in place of a token.
func asSent(text string) func(*testing.T) (*world, string) {
	return func(t *testing.T) (*world, string) { return offline(t), text }
}

// withKeys is a token of the key "k" that meets a static set.
func withKeys(keys ...any) func(*testing.T) (*world, string) {
	return func(t *testing.T) (*world, string) {
		return withSet(t, keys...), tokenBy(issuerKey(), nil)
	}
}

// answered is a token whose issuer answers every request so.
func answered(status int, header http.Header, body string) func(*testing.T) (*world, string) {
	return fetchedBy(transportFunc(func(r *http.Request) (*http.Response, error) {
		response := must(direct(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
			maps.Copy(rw.Header(), header)
			rw.WriteHeader(status)
			_, _ = rw.Write([]byte(body))
		}))(r))
		return response, nil
	}))
}

// publishing is answered for issuers whose key set is at a configured URL.
func publishing(status int, header http.Header, body string) func(*testing.T) (*world, string) {
	inner := answered(status, header, body)
	return func(t *testing.T) (*world, string) {
		w, token := inner(t)
		w.config.Issuers[0].JWKSURL = issuerURL + "/keys"
		return w, token
	}
}

// fetchedBy is a token whose issuer is asked through the transport.
func fetchedBy(transport http.RoundTripper) func(*testing.T) (*world, string) {
	return func(t *testing.T) (*world, string) {
		w := remote(t)
		w.config.HTTPClient = &http.Client{Transport: transport}
		return w, tokenOfClaims(nil)
	}
}

func comparedCases() []comparedCase {
	weak := &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 1023, 1), E: 65537}
	public := issuerKey().Public()
	var six []any
	keys := choiceKeys().rsa
	for _, key := range keys[:6] {
		six = append(six, jwk(key.Public(), nil))
	}
	discovery := func(keysURL string) string {
		return `{"issuer":"` + issuerURL + `","jwks_uri":"` + keysURL + `"}`
	}
	redirect := http.Header{"Location": {"https://elsewhere.example.com/"}}
	mark := func(claim string, value any) func(*testing.T) (*world, string) {
		return withClaims(map[string]any{claim: value})
	}
	bound := func(key string, claims map[string]any) func(*testing.T) (*world, string) {
		return func(t *testing.T) (*world, string) {
			w := halfMoved(t)
			if key == "" {
				return w, w.token(claims)
			}
			return w, maced(map[string]any{"alg": "HS256"}, payload(claims), []byte(key))
		}
	}
	at := func(d time.Duration) int64 { return start.Add(d).Unix() }
	return []comparedCase{
		{delegation.CodeTokenMissing, "form", missing, "nothing", asSent("")},
		{delegation.CodeTokenTooLarge, "form", differs, "20000 bytes",
			asSent(strings.Repeat("e", 20_000))},
		{delegation.CodeTokenEncoding, "form", differs, `has "Bearer " in front of it`,
			asSent("Bearer " + withKeyID("k"))},
		{delegation.CodeTokenMalformed, "form", differs, "is JSON",
			asSent(`{"id_token":"a.b.c.d"}`)},
		{delegation.CodeTokenMalformed, "form", differs, "1 part,", asSent("opaque")},
		{delegation.CodeTokenMalformed, "header alg", differs, "the header has no alg",
			withHeader(`{}`)},
		{delegation.CodeTokenMalformed, "header kid", differs, "a number, not shown",
			withHeader(`{"alg":"RS256","kid":1}`)},
		{delegation.CodeTokenMalformed, "header", differs, "not one JSON object",
			withHeader(`[]`)},
		{delegation.CodeTokenMalformed, "payload", differs, "not one JSON object",
			func(t *testing.T) (*world, string) {
				return offline(t), signed(`{"alg":"RS256"}`, "x")
			}},
		{delegation.CodeTokenEncrypted, "form", differs, "encrypted (JWE)", asSent("a.b.c.d.e")},
		{delegation.CodeTokenEncrypted, "header enc", differs, "a text, not shown",
			withHeader(`{"alg":"RS256","enc":"A256GCM"}`)},
		{delegation.CodeTokenEncoding, "form", differs, "part 2 of the token",
			asSent("e30.a.a")},
		{delegation.CodeTokenDuplicateMember, "payload", differs, `"a"`,
			func(t *testing.T) (*world, string) {
				return offline(t), signed(`{"alg":"RS256"}`, `{"a":1,"a":2}`)
			}},
		{delegation.CodeTokenFoldedName, "payload", differs, `"SUB"`, mark("SUB", "x")},
		{delegation.CodeTokenFoldedName, "header", differs, `"ALG"`,
			withHeader(`{"alg":"RS256","ALG":"none"}`)},
		{delegation.CodeTokenFoldedName, "groups, required by the issuer", differs, `"Groups"`,
			func(t *testing.T) (*world, string) {
				w := offline(t)
				w.config.Issuers[0].RequiredClaims = map[string][]string{"groups": {"staff"}}
				return w, tokenOfClaims(map[string]any{"Groups": "staff"})
			}},
		{delegation.CodeTokenSurrogate, "payload", differs, "surrogate",
			func(t *testing.T) (*world, string) {
				return offline(t), signed(`{"alg":"RS256"}`, `{"a":"\ud800"}`)
			}},
		{delegation.CodeTokenCritical, "header crit", differs, "a list, not shown",
			withHeader(`{"alg":"RS256","crit":["exp"]}`)},
		{delegation.CodeTokenB64, "header b64", differs, "true or false, not shown",
			withHeader(`{"alg":"RS256","b64":true}`)},
		{delegation.CodeTokenType, "header typ", differs, `"at+jwt"`,
			withHeader(`{"alg":"RS256","typ":"at+jwt"}`)},
		{delegation.CodeTokenKindAccess, "typ", differs, `"Bearer"`, mark("typ", "Bearer")},
		{delegation.CodeTokenKindRefresh, "typ", differs, `"Refresh"`, mark("typ", "Refresh")},
		{delegation.CodeTokenKindLogout, "typ", differs, `"Logout"`, mark("typ", "Logout")},
		{delegation.CodeTokenKindOther, "typ", differs, "a number, not shown", mark("typ", 1)},
		{delegation.CodeTokenKindUse, "token_use", differs, `"access"`,
			mark("token_use", "access")},
		{delegation.CodeTokenKindAppOnly, "idtyp", differs, "a text, not shown",
			mark("idtyp", "app")},
		{delegation.CodeTokenKindEntraV1, "appidacr", differs, "", mark("appidacr", "1")},
		{delegation.CodeTokenKindEntraV2, "azpacr", differs, "", mark("azpacr", "1")},
		{delegation.CodeTokenKindScoped, "scp", differs, "", mark("scp", "openid")},
		{delegation.CodeTokenKindBound, "cnf", differs, "an object, not shown",
			mark("cnf", map[string]any{})},
		{delegation.CodeTokenKindEvent, "events", differs, "", mark("events", map[string]any{})},
		{delegation.CodeTokenUnsigned, "header alg", differs, `"none"`,
			withHeader(`{"alg":"none"}`)},
		{delegation.CodeAlgorithmCase, "header alg", differs, `instead of "RS256"`,
			withHeader(`{"alg":"rs256"}`)},
		{delegation.CodeAlgorithmNotAllowed, "header alg", differs, "RS256",
			withHeader(`{"alg":"ES256"}`)},
		{delegation.CodeAlgorithmUnsupported, "header alg", differs, `"ES256K"`,
			withHeader(`{"alg":"ES256K"}`)},
		{delegation.CodeAlgorithmSharedSecret, "header alg", differs, `"HS256"`,
			withHeader(`{"alg":"HS256"}`)},
		{delegation.CodeAlgorithmSharedSecret, "header alg", differs, `client "c" has no secret`,
			bound(secretA, map[string]any{"aud": "c"})},
		{delegation.CodeAlgorithmPublishedKey, "header alg", differs, `the client "a"`,
			bound("", map[string]any{"aud": "a"})},
		{delegation.CodeClaimSecretAudience, "aud", differs, "not exactly one audience",
			bound(secretA, map[string]any{"aud": []string{"a", "c"}})},
		{delegation.CodeClaimSecretAudience, "client", differs, `the secret of "a"`,
			bound(secretA, map[string]any{"aud": "a", "azp": "b"})},
		{delegation.CodeSignatureInvalid, "signature", differs, "the shared secret",
			bound(secretB, map[string]any{"aud": "a"})},
		{delegation.CodeIssuerUnknown, "iss", differs, `"https://other.example.com"`,
			withClaims(map[string]any{"iss": "https://other.example.com"})},
		{delegation.CodeIssuerUnknown, "iss", differs, "by the slash at the end alone",
			withClaims(map[string]any{"iss": issuerURL + "/"})},
		{delegation.CodeIssuerUnknown, "iss", differs, "by https:// alone",
			withClaims(map[string]any{"iss": "issuer.example.com"})},
		{delegation.CodeIssuerUnknown, "iss", differs, "by upper and lower case alone",
			withClaims(map[string]any{"iss": "https://Issuer.example.com"})},
		{delegation.CodeIssuerUnknown, "iss", differs, `"https://\u0456ssuer.example.com"`,
			withClaims(map[string]any{"iss": "https://іssuer.example.com"})},
		{delegation.CodeIssuerTenant, "tid", differs, `"` + fabrikam + `"`,
			func(t *testing.T) (*world, string) {
				w := tenants(t, nil, contoso)
				return w, w.tenantToken(contosoURL, fabrikam, nil)
			}},
		{delegation.CodeKeyUnknown, "header kid", differs, `"k"`,
			func(t *testing.T) (*world, string) {
				return withSet(t, jwk(public, nil)), withKeyID("gone")
			}},
		{delegation.CodeKeyUnknown, "header kid", differs, "its e is not base64url",
			withKeys(jwk(public, map[string]any{"kid": "other"}),
				jwk(public, map[string]any{"e": "!"}))},
		{delegation.CodeKeyPending, "header kid", differs, "has no key",
			func(t *testing.T) (*world, string) { return remote(t), withKeyID("gone") }},
		{delegation.CodeKeyWeak, "header kid", differs, "1024 bits", withKeys(jwk(weak, nil))},
		{delegation.CodeKeyUnsuitable, "header kid", differs, "is not for RS256",
			withKeys(jwk(public, map[string]any{"alg": "PS256"}))},
		{delegation.CodeKeyUnsuitable, "signature", notChecked, "no key can be chosen",
			withKeys(jwk(public, map[string]any{"alg": "PS256"}))},
		{delegation.CodeAlgorithmNotAllowed, "signature", notChecked, "algorithm cannot be used",
			withHeader(`{"alg":"ES256"}`)},
		{delegation.CodeKeyOtherIssuer, "header kid", differs, `"https://other.example.com"`,
			withKeys(jwk(public, map[string]any{"issuer": "https://other.example.com"}))},
		{delegation.CodeKeyAmbiguous, "signature", differs, "6 keys of the issuer fit",
			withKeys(six...)},
		{delegation.CodeKeySetInvalid, "header kid", notChecked, "key_set_invalid",
			publishing(200, nil, "<html>")},
		{delegation.CodeKeySetSymmetric, "header kid", notChecked, "key_set_symmetric",
			publishing(200, nil, `{"keys":[{"kty":"oct","k":"canary"}]}`)},
		{delegation.CodeKeySetPrivate, "header kid", notChecked, "key_set_private",
			publishing(200, nil, `{"keys":[{"kty":"RSA","d":"canary"}]}`)},
		{delegation.CodeKeySetTooLarge, "header kid", notChecked, "key_set_too_large",
			publishing(200, nil, strings.Repeat(" ", 2<<20))},
		{delegation.CodeKeySetRedirect, "header kid", notChecked, "elsewhere.example.com",
			publishing(302, redirect, "")},
		{delegation.CodeKeySetMissing, "header kid", notChecked, "key_set_missing",
			publishing(404, nil, "")},
		{delegation.CodeKeySetDiscovery, "header kid", notChecked, "key_set_discovery",
			publishing(200, nil, discovery("https://issuer.example.com/keys"))},
		{delegation.CodeKeySetURL, "header kid", notChecked, "key_set_url",
			answered(200, nil, discovery("http://issuer.example.com/keys"))},
		{delegation.CodeKeySetUnauthorized, "header kid", notChecked, "key_set_unauthorized",
			publishing(401, nil, "")},
		{delegation.CodeKeySetCertificate, "header kid", notChecked, "key_set_certificate",
			fetchedBy(transportFunc(func(*http.Request) (*http.Response, error) {
				return nil, x509.UnknownAuthorityError{}
			}))},
		{delegation.CodeKeySetProxy, "header kid", notChecked, "key_set_proxy",
			fetchedBy(&http.Transport{Proxy: func(*http.Request) (*url.URL, error) {
				return nil, errors.New("wrong")
			}})},
		{delegation.CodeKeySetUnavailable, "header kid", notChecked, "key_set_unavailable",
			publishing(500, nil, "canary")},
		{delegation.CodeDiscoveryIssuer, "header kid", notChecked, "discovery_issuer",
			answered(200, nil, `{"issuer":"https://other.example.com"}`)},
		{delegation.CodeDiscoveryRedirect, "header kid", notChecked, "discovery_redirect",
			answered(302, redirect, "")},
		{delegation.CodeDiscoveryMissing, "header kid", notChecked, "discovery_missing",
			answered(404, nil, "")},
		{delegation.CodeSignatureInvalid, "signature", differs, "not shown",
			asSent(withKeyID(""))},
		{delegation.CodeSignatureSaltLength, "signature", differs, "the signature's salt",
			func(t *testing.T) (*world, string) {
				w := withSet(t, jwk(public, nil))
				input := encoded([]byte(`{"alg":"PS256"}`)) + "." + encoded([]byte(payload(nil)))
				digest := sha256.Sum256([]byte(input))
				signature := must(rsa.SignPSS(rand.Reader, issuerKey(), crypto.SHA256, digest[:],
					&rsa.PSSOptions{SaltLength: 20}))
				return w, input + "." + encoded(signature)
			}},
		{delegation.CodeClaimMissing, "sub", missing, "absent", mark("sub", nil)},
		{delegation.CodeClaimMissing, "iss", missing, issuerURL, mark("iss", nil)},
		{delegation.CodeClaimMissing, "exp", missing, "absent", mark("exp", nil)},
		{delegation.CodeClaimMissing, "aud", missing, "an empty list", mark("aud", []string{})},
		{delegation.CodeClaimType, "sub", differs, "a number, not shown", mark("sub", 1)},
		{delegation.CodeClaimType, "aud", differs, "a list, and not of texts",
			mark("aud", []any{1})},
		{delegation.CodeClaimDate, "exp", differs, "a text, not shown", mark("exp", "tomorrow")},
		{delegation.CodeClaimDate, "exp", differs, "1795428000000",
			mark("exp", json.Number("1795428000000"))},
		{delegation.CodeClaimParty, "client", differs, "2 audiences",
			mark("aud", []string{app, "other"})},
		{delegation.CodeClaimClientConflict, "client", differs, `azp "photo-app", cid "b"`,
			withClaims(map[string]any{"azp": app, "cid": "b"})},
		{delegation.CodeClaimDateOrder, "iat", differs, "after exp",
			mark("iat", at(2*time.Hour))},
		{delegation.CodeClaimDateOrder, "nbf", differs, "after exp",
			mark("nbf", at(2*time.Hour))},
		{delegation.CodeTokenExpired, "exp", differs, "2026-11-23T07:59:00Z, 1h1m0s ago",
			withClaims(map[string]any{"exp": at(-61 * time.Minute), "iat": at(-2 * time.Hour)})},
		{delegation.CodeTokenNotYetValid, "nbf", differs, "2026-11-23T09:30:00Z, 30m0s ahead",
			mark("nbf", at(30*time.Minute))},
		{delegation.CodeTokenFromFuture, "iat", differs, "2026-11-23T09:30:00Z, 30m0s ahead",
			mark("iat", at(30*time.Minute))},

		// Refusals of the target, which the same fields show.
		{delegation.CodeDelegationDisabled, "target", missing, "there is no such target",
			func(t *testing.T) (*world, string) {
				w, token := withClaims(nil)(t)
				target := w.config.Targets.(delegation.Targets)[app]
				w.config.Targets = delegation.Targets{"other": target}
				return w, token
			}},
		{delegation.CodeIssuerNotAllowed, "iss", differs, "not in Target.Issuers",
			func(t *testing.T) (*world, string) {
				w, token := withClaims(nil)(t)
				other := w.config.Issuers[0]
				other.URL = "https://other.example.com"
				w.config.Issuers = append(w.config.Issuers, other)
				w.target(func(target *delegation.Target) { target.Issuers = []string{other.URL} })
				return w, token
			}},
		{delegation.CodeAudienceNotAllowed, "aud", differs, `"photo-app"`,
			withClaims(map[string]any{"aud": "other", "azp": app})},
		{delegation.CodeAudienceNotAllowed, "client", differs, `azp "other"`,
			withClaims(map[string]any{"azp": "other"})},
		{delegation.CodeRequiredClaim, "groups, required by the target", differs, `"staff"`,
			func(t *testing.T) (*world, string) {
				w := offline(t)
				w.target(func(target *delegation.Target) {
					target.RequiredClaims = map[string][]string{"groups": {"staff"}}
				})
				return w, tokenOfClaims(map[string]any{"groups": "canary-group"})
			}},
		{delegation.CodeRequiredClaim, "groups, required by the issuer", missing, `one of "a", "b"`,
			func(t *testing.T) (*world, string) {
				w := offline(t)
				w.config.Issuers[0].RequiredClaims = map[string][]string{"groups": {"a", "b"}}
				return w, tokenOfClaims(nil)
			}},
		{delegation.CodeDenied, "email_verified", missing, "a rule requires it",
			func(t *testing.T) (*world, string) {
				w := offline(t)
				w.config.Rules = []delegation.RuleFunc{delegation.RequireVerifiedEmail()}
				return w, tokenOfClaims(map[string]any{"email": "canary@example.com"})
			}},
	}
}

// TestCompareToken_Codes: for each code with which a token can be refused, the field that shows why
// is the one that differs, and no field shows more than it may.
func TestCompareToken_Codes(t *testing.T) {
	seen := map[delegation.Code]bool{}
	for i, test := range append(comparedCases(), comparedAccessCases()...) {
		seen[test.code] = true
		t.Run(fmt.Sprintf("%s/%d_%s", test.code, i, test.field), func(t *testing.T) {
			w, token := test.make(t)
			d := w.delegator(t)
			if test.code == delegation.CodeKeyPending { // which needs an issuer that rests
				w.wantUnknown(t, d, []string{withKeyID("1"), withKeyID("2"), withKeyID("3")}, false)
			}
			_, err := d.Explain(t.Context(), token, app)
			if !errors.Is(err, test.code) {
				t.Fatalf("got %v, want %s", err, test.code)
			}
			fields := d.CompareToken(t.Context(), token, app)
			if problem := comparisonProblem(fields, token, err); problem != "" {
				t.Error(problem)
			}
			f := fieldOf(fields, test.field)
			if f.Verdict != test.verdict ||
				!strings.Contains(f.Token+"|"+f.Configuration+"|"+f.Reason, test.says) {
				t.Errorf("got %+v, want %s and %q, in\n%+v", f, test.verdict, test.says, fields)
			}
			if strings.Contains(fmt.Sprint(fields), "canary") {
				t.Errorf("a value is in %+v", fields)
			}
		})
	}
	notOfTokens := append(codesOfLogouts(), delegation.CodeTokenSourceFailed,
		delegation.CodeTokenReplayed, delegation.CodeReplayUnavailable)
	for _, value := range codes(t, "Code") {
		code := delegation.Code(value)
		ofToken := delegation.ErrorOf(code, errors.New("x")).Stage == delegation.StageToken
		if ofToken && !seen[code] && !slices.Contains(notOfTokens, code) {
			t.Errorf("no token is refused with %s", code)
		}
	}
	if len(seen) < 60 {
		t.Errorf("only %d codes", len(seen))
	}
}

// TestCompareToken_Fields: all fields of a token in their order, with what is shown of each.
func TestCompareToken_Fields(t *testing.T) {
	w := offline(t)
	w.config.Issuers[0].RequiredClaims = map[string][]string{"groups": {"staff|press"}}
	w.config.Rules = []delegation.RuleFunc{
		delegation.ForTargets(delegation.Named("mail", delegation.RequireVerifiedEmail()), app),
	}
	kid := w.provider.KeyID()
	token := must(w.provider.Sign(nil, []byte(payload(map[string]any{
		"sub": "canary-sub", "email": "canary@example.com", "email_verified": true,
		"groups": []string{"press"}, "nonce": "canary-nonce", "auth_time": start.Unix() - 60,
		"azp": app, "nbf": start.Unix() - 30, "typ": "ID",
		"exp": start.Add(-90 * time.Second).Unix(), "iat": start.Add(-time.Hour).Unix(),
	}))))
	const same = delegation.TokenFieldSame
	const at = "2026-11-23T09:00:00Z; leeway 1m0s"
	d := w.delegator(t)
	got := d.CompareToken(t.Context(), token, app)
	want := []delegation.TokenField{
		{"form", fmt.Sprintf("3 parts, %d bytes", len(token)), "3 parts, at most 16384 bytes",
			same, ""},
		{"header alg", `"RS256"`, "RS256", same, ""},
		{"header kid", `"` + kid + `"`, `"` + kid + `"`, same, ""},
		{"header typ", `"JWT"`, `"JWT" or absent`, same, ""},
		{"header crit", "absent", "absent", same, ""},
		{"signature", "not shown", "made with a key of the issuer", same, ""},
		{"iss", `"` + issuerURL + `"`, `"` + issuerURL + `"`, same, ""},
		{"sub", "a text, not shown", "a text", same, ""},
		{"aud", `"photo-app"`, `"photo-app"`, same, ""},
		{"client", `azp "photo-app"`, `"photo-app"`, same, ""},
		{"exp", "2026-11-23T08:58:30Z, 1m30s ago", "after " + at, differs,
			"the token expired at 2026-11-23T08:58:30Z, 1m30s ago"},
		{"iat", "2026-11-23T08:00:00Z, 1h0m0s ago", "not after " + at, same, ""},
		{"nbf", "2026-11-23T08:59:30Z, 30s ago", "not after " + at, differs,
			"nbf is 2026-11-23T08:59:30Z, after exp, which is 2026-11-23T08:58:30Z"},
		{"auth_time", "2026-11-23T08:59:00Z, 1m0s ago", "nothing", notChecked,
			"nothing requires it"},
		{"typ", `"ID"`, `"ID" or absent`, same, ""},
		{"groups, required by the issuer", "a value, not shown", `"staff|press"`, same, ""},
		{"email_verified", "true", "true, and an email: a rule requires it", same, ""},
		{"other claims", `"email", "nonce"`, "nothing", notChecked,
			"no check of the token requires them; their values are not shown"},
	}
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("field %d: got\n%+v\nwant\n%+v", i+1, got, want)
		}
	}
}

// TestCompareToken_ShowsNoValues: of whatever claims and headers a token has, no value is shown but
// those of the fields that decide, and nothing that was sent or signed.
func TestCompareToken_ShowsNoValues(t *testing.T) {
	w := offline(t, algorithms...)
	w.config.Issuers[0].RequiredClaims = map[string][]string{"groups": {"staff"}, "a.b": {"c"}}
	w.config.Rules = []delegation.RuleFunc{delegation.AllowEmailDomains("example.com")}
	d := w.delegator(t)
	random := mathrand.New(mathrand.NewPCG(14, 14))
	canaries := 0
	value := func() any {
		canaries++
		text := fmt.Sprintf("canary%d@example.com", canaries)
		return []any{
			text, []any{text, text}, map[string]any{text: text}, map[string]any{"b": text},
			[]any{map[string]any{"x": text}}, strings.Repeat(text, 100), canaries, true, nil,
		}[random.IntN(9)]
	}
	hidden := []string{
		"sub", "email", "email_verified", "name", "nonce", "jti", "act", "at_hash", "groups", "a",
		"phone_number", "address", "idtyp", "appidacr", "azpacr", "scp", "cnf", "events", "tid",
	}
	// These may be shown as texts, but not what else is put there.
	decide := []string{"iss", "aud", "azp", "cid", "appid", "client_id", "typ", "token_use",
		"exp", "iat", "nbf", "auth_time"}
	object := func() any { return map[string]any{"x": value()} }
	verdicts := map[delegation.TokenVerdict]int{}
	for range sampling.Of(1000) {
		claims := map[string]any{}
		for range random.IntN(8) {
			claims[hidden[random.IntN(len(hidden))]] = value()
		}
		if random.IntN(3) == 0 {
			claims[decide[random.IntN(len(decide))]] = object()
		}
		header := map[string]any{"x5c": value(), "jku": value(), "crit": nil, "kid": nil}
		delete(header, []string{"x5c", "crit", "jku"}[random.IntN(3)])
		if random.IntN(9) == 0 {
			header["kid"] = object()
		}
		token := must(w.provider.Sign(header, []byte(payload(claims))))
		fields := d.CompareToken(t.Context(), token, app)
		for _, f := range fields {
			verdicts[f.Verdict]++
			if problem := fieldProblem(f, token); problem != "" {
				t.Fatalf("%s: %+v\n%v %v", problem, f, header, claims)
			}
		}
		said := fmt.Sprint(fields)
		if strings.Contains(said, "canary") || strings.Contains(said, "example.com@") {
			t.Fatalf("a value is in\n%+v\n%v %v", fields, header, claims)
		}
	}
	if len(verdicts) != 4 || canaries < sampling.Of(2000) {
		t.Errorf("the test is thin: %v, %d", verdicts, canaries)
	}
}

// TestCompareToken_OddTexts: what strangers put into the fields that are shown is quoted in ASCII,
// and cut.
func TestCompareToken_OddTexts(t *testing.T) {
	w := tenants(t, nil, contoso)
	w.config.Issuers[0].Algorithms = algorithms
	d := w.delegator(t)
	odd := "a\x1b[2J\n|\u202e\u0085\u00a0\u0430\U000f0000\"'`" + strings.Repeat("long", 2000)
	for _, name := range []string{
		"iss", "aud", "azp", "cid", "appid", "client_id", "typ", "token_use", "tid", "exp", odd,
	} {
		for _, value := range []any{odd, []string{odd, odd, odd, odd, odd, odd, odd}} {
			claims := map[string]any{"iss": contosoURL, "tid": contoso}
			claims[name] = value
			token := signed(`{"alg":"RS256","kid":"k"}`, payload(claims))
			for _, f := range d.CompareToken(t.Context(), token, app) {
				if problem := fieldProblem(f, token); problem != "" {
					t.Errorf("%.20q: %s: %+v", name, problem, f)
				}
				if strings.Contains(f.Token, strings.Repeat("long", 60)) {
					t.Errorf("%.20q is not cut: %+v", name, f)
				}
			}
		}
	}
	for _, name := range []string{"alg", "kid", "typ", "crit", "b64", "enc", odd} {
		header := string(must(json.Marshal(map[string]any{"alg": "RS256", name: odd[:500]})))
		token := signed(header, payload(nil))
		for _, f := range d.CompareToken(t.Context(), token, odd) {
			if problem := fieldProblem(f, token); problem != "" {
				t.Errorf("header %.20q: %s: %+v", name, problem, f)
			}
		}
	}
	f := fieldOf(d.CompareToken(t.Context(), tokenOfClaims(map[string]any{"iss": odd}), app), "iss")
	if !strings.HasPrefix(f.Token, `"a\x1b[2J\n|\u202e\u0085\u00a0\u0430\U000f0000\"'`) ||
		!strings.HasSuffix(f.Token, `"... (8015 characters)`) {
		t.Errorf("got %.300s", f.Token)
	}
}

// TestCompareToken_Large: the fields of a large token are few and short.
func TestCompareToken_Large(t *testing.T) {
	w := offline(t)
	token := tokenOfClaims(map[string]any{"x": strings.Repeat("x", 20_000)})
	fields := w.delegator(t).CompareToken(t.Context(), token, app)
	if len(fields) != 1 || fields[0].Name != "form" || fields[0].Verdict != differs {
		t.Errorf("got %+v", fields)
	}
	w.config.MaxTokenSize = 10 << 20
	claims := map[string]any{"exp": json.RawMessage("1" + strings.Repeat("0", 100_000))}
	for i := range 20_000 {
		claims[fmt.Sprintf("claim-%d-%s", i, strings.Repeat("x", 100))] = i
	}
	claims["aud"] = slices.Repeat([]string{strings.Repeat("y", 1000)}, 1000)
	token = tokenOfClaims(claims)
	fields = w.delegator(t).CompareToken(t.Context(), token, app)
	size := 0
	for _, f := range fields {
		size += len(f.Name) + len(f.Token) + len(f.Configuration) + len(f.Reason)
	}
	if len(fields) > 30 || size > 10_000 {
		t.Errorf("%d fields of %d bytes", len(fields), size)
	}
	others := fieldOf(fields, "other claims").Token
	if !strings.HasSuffix(others, ", 19970 more") ||
		!strings.HasSuffix(fieldOf(fields, "exp").Token, "... (100001 characters)") ||
		!strings.HasSuffix(fieldOf(fields, "aud").Token, `... (1000 characters), 995 more`) {
		t.Errorf("got %+v", fields)
	}
}

// TestCompareToken_NilZero: without a context or a Delegator there is nothing to compare.
func TestCompareToken_NilZero(t *testing.T) {
	var none *delegation.Delegator
	var null context.Context
	d := offline(t).delegator(t)
	for name, fields := range map[string][]delegation.TokenField{
		"nil context":    d.CompareToken(null, "x", app),
		"nil Delegator":  none.CompareToken(t.Context(), "x", app),
		"zero Delegator": new(delegation.Delegator).CompareToken(t.Context(), "x", app),
	} {
		if fields != nil {
			t.Errorf("%s: got %+v", name, fields)
		}
	}
	if got := d.CompareToken(t.Context(), "", ""); len(got) != 2 || got[0].Verdict != missing ||
		got[1].Name != "target" {
		t.Errorf("got %+v", got)
	}
}

// TestCompareToken_ChangesNothing: however many tokens are compared, the issuer is not asked, and
// exchanges go as they would have gone.
func TestCompareToken_ChangesNothing(t *testing.T) {
	w := remote(t)
	w.config.Replay = delegation.ReplayMemory(10)
	d := w.delegator(t)
	good := w.token(nil)
	fields := d.CompareToken(t.Context(), good, app)
	if f := fieldOf(fields, "header kid"); f.Verdict != notChecked ||
		!strings.Contains(f.Reason, "not in memory") {
		t.Errorf("got %+v", f)
	}
	if f := fieldOf(fields, "signature"); f.Verdict != notChecked {
		t.Errorf("got %+v", f)
	}
	if discovery, keys := w.provider.Fetches(); discovery+keys != 0 {
		t.Errorf("the issuer was asked %d times", discovery+keys)
	}
	w.wantOutcome(t, d, good, accepted)
	fields = d.CompareToken(t.Context(), good, app)
	if f := fieldOf(fields, "signature"); f.Verdict != delegation.TokenFieldSame {
		t.Errorf("got %+v", f)
	}
	events := len(w.events)
	sent := len(w.sent)
	for i := range 100 {
		d.CompareToken(t.Context(), withKeyID(fmt.Sprint(i)), app)
	}
	w.wantFetches(t, 1)
	if len(w.events) != events || len(w.sent) != sent {
		t.Errorf("%d events, %d calls", len(w.events)-events, len(w.sent)-sent)
	}
	must(w.provider.Rotate())
	w.wantOutcome(t, d, w.token(nil), accepted) // the fetch that it needs was not used up
	w.wantFetches(t, 2)
}

// TestCompareToken_KeysThatFail: known keys that cannot be refreshed are known, and the reason is
// named.
func TestCompareToken_KeysThatFail(t *testing.T) {
	w := remote(t)
	d := w.delegator(t)
	w.wantOutcome(t, d, w.token(nil), accepted)
	w.provider.SetFaults(oidctest.Faults{Status: http.StatusInternalServerError})
	w.wantOutcome(t, d, withKeyID("gone"), refused(delegation.CodeKeyPending))
	f := fieldOf(d.CompareToken(t.Context(), withKeyID("gone"), app), "header kid")
	if f.Verdict != differs || !strings.Contains(f.Reason, "its last refresh failed: ") ||
		!strings.Contains(f.Reason, "key_set_unavailable") {
		t.Errorf("got %+v", f)
	}
	w.clock.Advance(30 * time.Hour) // after which the known keys may not be used any more
	f = fieldOf(d.CompareToken(t.Context(), w.token(nil), app), "header kid")
	if f.Verdict != notChecked || !strings.Contains(f.Reason, "could not be fetched: ") {
		t.Errorf("got %+v", f)
	}
}

// TestCompareToken_NoIssuer: what depends on the issuer is not judged while none is found.
func TestCompareToken_NoIssuer(t *testing.T) {
	w := offline(t)
	fields := w.delegator(t).CompareToken(t.Context(), tokenOfClaims(map[string]any{
		"iss": "https://other.example.com", "aud": []string{app, "other"},
	}), app)
	for _, name := range []string{"header alg", "header kid", "signature", "client"} {
		if f := fieldOf(fields, name); f.Verdict != notChecked || f.Reason == "" {
			t.Errorf("got %+v", f)
		}
	}
	if got := disagreements(fields); !slices.Equal(got, []string{"iss"}) {
		t.Errorf("these differ: %q", got)
	}
}

// TestCompareToken_Settings: what an issuer's settings allow is the same, and the field says what
// allows it.
func TestCompareToken_Settings(t *testing.T) {
	w := offline(t)
	w.config.Issuers[0].AllowTokenMarks = []string{"scp"}
	w.config.Issuers[0].ClientAudiences = []string{app}
	w.config.Issuers[0].Aliases = []string{"issuer.example.com"}
	d := w.delegator(t)
	fields := d.CompareToken(t.Context(), tokenOfClaims(map[string]any{
		"scp": "openid", "aud": []string{app, "other"}, "iss": "issuer.example.com",
	}), app)
	if got := disagreements(fields); got != nil {
		t.Errorf("these differ: %q", got)
	}
	for name, want := range map[string]string{
		"scp": "Issuer.AllowTokenMarks",
		"iss": `"https://issuer.example.com", by its alias "issuer.example.com"`,
	} {
		if f := fieldOf(fields, name); !strings.Contains(f.Configuration, want) {
			t.Errorf("got %+v", f)
		}
	}
	several := tokenOfClaims(map[string]any{"aud": []string{"a", "b"}})
	fields = d.CompareToken(t.Context(), several, app)
	if f := fieldOf(fields, "client"); f.Verdict != differs ||
		!strings.Contains(f.Configuration, `without these claims "photo-app"`) {
		t.Errorf("got %+v", f)
	}
}

// comparedTargets is a TargetSource of one function.
type comparedTargets func() (*delegation.Target, error)

func (f comparedTargets) Target(context.Context, string) (*delegation.Target, error) { return f() }

// TestCompareToken_TargetSource: a source that fails, panics or returns a wrong target fails no
// comparison.
func TestCompareToken_TargetSource(t *testing.T) {
	failure := errors.New("canary")
	wrong := &delegation.Target{RequiredClaims: map[string][]string{"groups": {"("}}}
	for name, test := range map[string]struct {
		source  func() (*delegation.Target, error)
		verdict delegation.TokenVerdict // of the field target; empty: there is none
	}{
		"fails":  {func() (*delegation.Target, error) { return nil, failure }, notChecked},
		"panics": {func() (*delegation.Target, error) { panic("canary") }, notChecked},
		"none":   {func() (*delegation.Target, error) { return nil, nil }, missing},
		"wrong":  {func() (*delegation.Target, error) { return wrong, nil }, ""},
	} {
		w := offline(t)
		w.config.Targets = comparedTargets(test.source)
		fields := w.delegator(t).CompareToken(t.Context(), tokenOfClaims(nil), app)
		if f := fieldOf(fields, "target"); f.Verdict != test.verdict || len(fields) < 10 ||
			strings.Contains(fmt.Sprint(fields), "canary") {
			t.Errorf("%s: got %+v", name, fields)
		}
	}
}

// TestCompareToken_Email: email_verified is compared where a ready-made rule requires it, as the
// issuer's settings read it.
func TestCompareToken_Email(t *testing.T) {
	require := delegation.RequireVerifiedEmail()
	const same = delegation.TokenFieldSame
	for name, test := range map[string]struct {
		rule    delegation.RuleFunc
		set     func(*delegation.Config)
		claims  map[string]any
		verdict delegation.TokenVerdict // empty: there is no such field
	}{
		"no rule":          {changeNothing, nil, nil, ""},
		"another target's": {delegation.ForTargets(require, "other"), nil, nil, ""},
		"absent":           {require, nil, map[string]any{"email": "a@example.com"}, missing},
		"false": {require, nil, map[string]any{"email": "a@example.com",
			"email_verified": false}, differs},
		"no email": {require, nil, map[string]any{"email_verified": true}, differs},
		"true": {require, nil, map[string]any{"email": "a@example.com",
			"email_verified": true}, same},
		"a domain": {delegation.AllowEmailDomains("example.com"), nil,
			map[string]any{"email": "a@example.com", "email_verified": true}, same},
		"a text": {require, nil, map[string]any{"email": "a@example.com",
			"email_verified": "true"}, differs},
		"a text that counts": {require, func(c *delegation.Config) {
			c.Issuers[0].EmailVerifiedText = true
		}, map[string]any{"email": "a@example.com", "email_verified": "true"}, same},
		"by the profile": {require, func(c *delegation.Config) {
			c.Profile = func(context.Context, *delegation.User) (map[string]any, error) {
				return nil, nil
			}
		}, nil, notChecked},
		"not by the profile": {require, func(c *delegation.Config) {
			c.Profile = func(context.Context, *delegation.User) (map[string]any, error) {
				return nil, nil
			}
		}, map[string]any{"email": "a@example.com"}, missing},
	} {
		w := offline(t)
		w.config.Rules = []delegation.RuleFunc{test.rule}
		if test.set != nil {
			test.set(&w.config)
		}
		fields := w.delegator(t).CompareToken(t.Context(), tokenOfClaims(test.claims), app)
		f := fieldOf(fields, "email_verified")
		if f.Verdict != test.verdict {
			t.Errorf("%s: got %+v", name, f)
		}
		others := fieldOf(fields, "other claims").Token
		if test.verdict != "" && strings.Contains(others, "email_verified") {
			t.Errorf("%s: it is among the others too: %s", name, others)
		}
	}
}

// TestCompareToken_IsTheCallers: what is done to the fields reaches no other comparison.
func TestCompareToken_IsTheCallers(t *testing.T) {
	d := offline(t).delegator(t)
	first := d.CompareToken(t.Context(), tokenOfClaims(nil), app)
	want := slices.Clone(first)
	first[0].Token = "changed"
	if got := d.CompareToken(t.Context(), tokenOfClaims(nil), app); !slices.Equal(got, want) {
		t.Errorf("got %+v", got)
	}
}

// TestCompareToken_NearIssuer: of many issuers the one that resembles the token's is named first.
// A date that is centuries away has no distance.
func TestCompareToken_NearIssuer(t *testing.T) {
	w := offline(t)
	for i := range 20 {
		issuer := w.config.Issuers[0]
		issuer.URL = fmt.Sprintf("https://a%d.example.com", i)
		w.config.Issuers = append(w.config.Issuers, issuer)
	}
	w.target(func(target *delegation.Target) { target.Issuers = []string{issuerURL} })
	fields := w.delegator(t).CompareToken(t.Context(), tokenOfClaims(map[string]any{
		"iss": issuerURL + "/", "exp": 253402300799,
	}), app)
	f := fieldOf(fields, "iss")
	if !strings.HasPrefix(f.Configuration, `one of "`+issuerURL+`", "https://a0.example.com", `) ||
		!strings.HasSuffix(f.Configuration, ", 16 more") {
		t.Errorf("got %+v", f)
	}
	if f := fieldOf(fields, "exp"); f.Token != "9999-12-31T23:59:59Z" {
		t.Errorf("got %+v", f)
	}
}

// TestCompareToken_Tenants: a tenant has a field, and is not among the other claims.
func TestCompareToken_Tenants(t *testing.T) {
	w := tenants(t, nil, contoso)
	token := w.tenantToken(contosoURL, contoso, map[string]any{"oid": "canary"})
	fields := w.delegator(t).CompareToken(t.Context(), token, app)
	if got := disagreements(fields); got != nil {
		t.Errorf("these differ: %q", got)
	}
	if f := fieldOf(fields, "tid"); f.Token != `"`+contoso+`"` || f.Configuration != f.Token {
		t.Errorf("got %+v", f)
	}
	if f := fieldOf(fields, "other claims"); f.Token != `"oid"` {
		t.Errorf("got %+v", f)
	}
}

// TestCompareToken_ForTheOperator: nothing that answers strangers compares tokens. Only the command
// that an operator runs does.
func TestCompareToken_ForTheOperator(t *testing.T) {
	var callers []string
	for _, file := range moduleFiles(t) {
		calls := strings.Contains(string(must(os.ReadFile(file.path))), ".CompareToken(")
		if calls && !file.test {
			callers = append(callers, file.path)
		}
	}
	if want := []string{"cmd/delegation/explain.go"}; !slices.Equal(callers, want) {
		t.Errorf("CompareToken is called in %q, want %q", callers, want)
	}
}
