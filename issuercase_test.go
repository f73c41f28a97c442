package delegation_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/oidctest"
)

// publishedCase is a file of testdata/issuers whose issuers may be several, may sign with other
// algorithms than the default, and may answer with another status than 200.
type publishedCase struct {
	issuers   []delegation.Issuer
	audience  string
	listed    []string // issuers of the target
	documents map[string]publishedAnswer
	token     string
}

type publishedAnswer struct {
	status   int
	location string
	body     string
}

var (
	publishedIssuer = regexp.MustCompile(
		`(?m)^issuer: url=(\S+) algorithms=\[(.*)\] jwks_url=(\S*) static=false$`)
	publishedTarget   = regexp.MustCompile(`(?m)^target: audiences=\[(\S+)\] issuers=\[(.*)\]$`)
	publishedDocument = regexp.MustCompile(`(?m)^GET (\S+) -> (\d+) map\[(.*)\]\n(.*)$`)
	publishedLocation = regexp.MustCompile(`^Location:\[(.*)\]$`)
)

func readPublishedCase(t *testing.T, file string) *publishedCase {
	t.Helper()
	text := string(must(os.ReadFile(filepath.Join("testdata/issuers", file+".txt"))))
	c := &publishedCase{documents: map[string]publishedAnswer{}}
	for _, found := range publishedIssuer.FindAllStringSubmatch(text, -1) {
		c.issuers = append(c.issuers, delegation.Issuer{
			URL:        found[1],
			Algorithms: strings.Fields(found[2]),
			JWKSURL:    found[3],
		})
	}
	target := publishedTarget.FindStringSubmatch(text)
	token := caseToken.FindStringSubmatch(text)
	if len(c.issuers) == 0 || target == nil || token == nil {
		t.Fatal("the file lacks an issuer, a target or a token")
	}
	c.audience = target[1]
	c.listed = strings.Fields(target[2])
	c.token = token[1]
	for _, found := range publishedDocument.FindAllStringSubmatch(text, -1) {
		answer := publishedAnswer{status: must(strconv.Atoi(found[2])), body: found[4]}
		if answer.status == 0 {
			answer.status = http.StatusOK
		}
		if location := publishedLocation.FindStringSubmatch(found[3]); location != nil {
			answer.location = location[1]
		}
		c.documents[found[1]] = answer
	}
	if len(c.documents) == 0 {
		t.Fatal("the file has no documents")
	}
	return c
}

// RoundTrip implements http.RoundTripper. What is not published is not found.
func (c *publishedCase) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, ok := c.documents[r.URL.String()]
	if !ok {
		answer.status = http.StatusNotFound
	}
	header := http.Header{"Content-Type": {"application/json"}}
	if answer.location != "" {
		header.Set("Location", answer.location)
	}
	return &http.Response{
		StatusCode: answer.status,
		Header:     header,
		Body:       io.NopCloser(strings.NewReader(answer.body)),
		Request:    r,
	}, nil
}

// world is one in which the case's issuers and target are configured.
func (c *publishedCase) world(t testing.TB) *world {
	t.Helper()
	w := newWorld(t)
	w.config.Issuers = c.issuers
	w.config.HTTPClient = &http.Client{Transport: c}
	w.target(func(target *delegation.Target) {
		target.Audiences = []string{c.audience}
		target.Issuers = c.listed
		target.SubjectsAreOne = len(c.listed) > 1
	})
	return w
}

// forged is the token with another signature.
func (c *publishedCase) forged() string {
	end := strings.LastIndexByte(c.token, '.') + 1
	signature := must(base64.RawURLEncoding.DecodeString(c.token[end:]))
	signature[len(signature)/2] ^= 1
	return c.token[:end] + encoded(signature)
}

// TestIssuerCases_KeySets: what issuers publish is taken as it is, as long as a key of theirs
// verifies the token, and no other token gets in with it.
func TestIssuerCases_KeySets(t *testing.T) {
	for _, file := range []string{
		"01-jwks-forgerock-same-kid-three-algs",
		"01-jwks-identical-key-twice",
		"14-jwks-use-empty-string",
		"14-jwks-x5c-only",
		"14-mixed-set-key-with-use-empty",
		"15-token-kid-empty-string-key-without-kid",
		"19-jwks-bom",
	} {
		t.Run(file, func(t *testing.T) {
			c := readPublishedCase(t, file)
			w := c.world(t)
			d := w.delegator(t)
			w.wantOutcome(t, d, c.token, accepted)
			w.wantOutcome(t, d, c.forged(), refused(delegation.CodeSignatureInvalid))

			// A static set is read in the same way.
			for url, answer := range c.documents {
				if strings.Contains(answer.body, `"keys"`) {
					w.config.Issuers[0].JWKS = []byte(answer.body)
					delete(c.documents, url)
				}
			}
			w.wantOutcome(t, w.delegator(t), c.token, accepted)
		})
	}
}

// TestIssuerCases_HTML: a page where the key set should be is the issuer's trouble, and named.
func TestIssuerCases_HTML(t *testing.T) {
	c := readPublishedCase(t, "19-jwks-html-200")
	w := c.world(t)
	err := w.wantOutcome(t, w.delegator(t), c.token, refused(delegation.CodeKeySetInvalid))
	e := wantError(t, err, delegation.StageToken, delegation.CodeKeySetInvalid)
	if !e.Retryable || !strings.Contains(e.Error(), "it is HTML") {
		t.Errorf("got %v, retryable %v", e, e.Retryable)
	}
}

// TestDocumentsWithAByteOrderMark: a byte order mark in front of a document is skipped, one only,
// and white space that JSON does not allow is named with its place.
func TestDocumentsWithAByteOrderMark(t *testing.T) {
	const mark = "\uFEFF"
	published := readPublishedCase(t, "19-jwks-bom")
	for name, test := range map[string]struct {
		change func(body string) string
		want   string
		says   string
	}{
		"without": {
			change: func(body string) string { return strings.TrimPrefix(body, mark) },
			want:   accepted,
		},
		"one": {
			change: func(body string) string { return mark + strings.TrimPrefix(body, mark) },
			want:   accepted,
		},
		"two": {
			change: func(body string) string { return mark + mark + body },
			want:   refused(delegation.CodeKeySetInvalid),
			says:   "a byte order mark (U+FEFF) outside a string, in line 1, column 1",
		},
		"a line end in a string": {
			change: func(body string) string {
				return strings.Replace(body, `https:`, "https\n:", 1)
			},
			want: refused(delegation.CodeKeySetInvalid),
			says: "a line feed (U+000A) inside a string, in line 1, column ",
		},
		"a no-break space": {
			change: func(body string) string { return strings.Replace(body, "{", "{\n\u00A0", 1) },
			want:   refused(delegation.CodeKeySetInvalid),
			says:   "a no-break space (U+00A0) outside a string, in line 2, column 1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := *published
			c.documents = map[string]publishedAnswer{}
			for url, answer := range published.documents {
				if strings.Contains(url, "openid-configuration") {
					answer.body = test.change(answer.body)
				}
				c.documents[url] = answer
			}
			w := c.world(t)
			err := w.wantOutcome(t, w.delegator(t), c.token, test.want)
			if err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v", err)
			}
		})
	}
	w := offline(t)
	w.config.Issuers[0].JWKS = bytes.Join([][]byte{[]byte(mark), w.config.Issuers[0].JWKS}, nil)
	w.wantOutcome(t, w.delegator(t), w.token(nil), accepted)
	w.config.Issuers[0].JWKS = []byte(mark)
	_, err := delegation.New(t.Context(), w.config)
	if !errors.Is(errors.Unwrap(err), delegation.CodeKeySetInvalid) ||
		!strings.Contains(err.Error(), "it is empty") {
		t.Errorf("got %v", err)
	}
}

// TestIssuerCases_ClaimsWithCapitals: AD FS's operators choose the names of claims. Such a name
// does no harm, and is not taken for another.
func TestIssuerCases_ClaimsWithCapitals(t *testing.T) {
	c := readPublishedCase(t, "17-adfs-custom-claims-capital")
	w := c.world(t)
	var user *delegation.User
	w.config.Rules = append(w.config.Rules,
		func(_ context.Context, u *delegation.User, _ *delegation.RuleContext) error {
			user = u
			return nil
		})
	w.wantOutcome(t, w.delegator(t), c.token, accepted)
	if got := user.Text("Email"); got != "a@example.com" {
		t.Errorf("Email is %q", got)
	}
	if got := user.List("Group"); len(got) != 1 {
		t.Errorf("Group is %q", got)
	}
	for _, name := range []string{"email", "group"} {
		if value, ok := user.Value(name); ok {
			t.Errorf("%s is %v", name, value)
		}
	}
	w.config.Issuers[0].RequiredClaims = map[string][]string{"email": {".*@example.com"}}
	err := w.wantOutcome(t, w.delegator(t), c.token, refused(delegation.CodeTokenFoldedName))
	if err == nil || !strings.Contains(err.Error(), `"Email"`) {
		t.Errorf("got %v", err)
	}
}

// TestIssuerCases_TwoRealms: a refusal and its event name the issuer, the key and the algorithm, so
// that of two realms of one server it is known whose key is missing.
func TestIssuerCases_TwoRealms(t *testing.T) {
	c := readPublishedCase(t, "22-two-realms")
	w := c.world(t)
	err := w.wantOutcome(t, w.delegator(t), c.token, refused(delegation.CodeKeyUnknown))
	const realm = "https://kc.example.com/realms/b"
	e := wantError(t, err, delegation.StageToken, delegation.CodeKeyUnknown)
	if e.Issuer != realm || e.KeyID != "gone" || e.Algorithm != "RS256" {
		t.Errorf("got %q, %q, %q", e.Issuer, e.KeyID, e.Algorithm)
	}
	says := `[issuer ` + realm + `, kid "gone", alg "RS256"]`
	if !strings.Contains(e.Error(), says) {
		t.Errorf("got %v", e)
	}
	event := w.events[len(w.events)-1]
	if event.Issuer != "" || event.ClaimedIssuer != realm || event.KeyID != "gone" ||
		event.Algorithm != "RS256" {
		t.Errorf("got %+v", event)
	}
}

// TestRefusalsNameTheToken: what a refusal says about a token grows with what was read of it, and
// is cut short. A failed refresh of keys, which many tokens can meet, is told with each one's names.
func TestRefusalsNameTheToken(t *testing.T) {
	long := strings.Repeat("k", 500)
	payload := func(changes map[string]any) []byte { return []byte(payload(changes)) }
	type names struct{ issuer, kid, algorithm string }
	for name, test := range map[string]struct {
		header  map[string]any
		payload []byte
		want    names
	}{
		"expired": {
			map[string]any{"kid": nil}, payload(map[string]any{"exp": start.Unix() - 3600}),
			names{issuerURL, "", "RS256"},
		},
		"of another issuer": {
			map[string]any{"kid": "k"}, payload(map[string]any{"iss": "https://other.example.com"}),
			names{"", "k", "RS256"},
		},
		"no claims": {map[string]any{"kid": "k"}, []byte("x"), names{"", "k", "RS256"}},
		"a long kid": {
			map[string]any{"kid": long}, payload(nil), names{issuerURL, long[:80], "RS256"},
		},
		"an odd algorithm": {
			map[string]any{"kid": "k", "alg": long}, payload(nil), names{issuerURL, "k", long[:80]},
		},
		"a header that is refused": {map[string]any{"crit": "x"}, payload(nil), names{}},
	} {
		t.Run(name, func(t *testing.T) {
			w := offline(t)
			token := must(w.provider.Sign(test.header, test.payload))
			_, err := w.delegator(t).Exchange(t.Context(), token, app)
			var e *delegation.Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v", err)
			}
			if got := (names{e.Issuer, e.KeyID, e.Algorithm}); got != test.want {
				t.Errorf("got %q", got)
			}
			wantShortError(t, err, token)
			event := w.events[0]
			got := names{event.ClaimedIssuer, event.KeyID, event.Algorithm}
			if got != test.want || event.Issuer != "" {
				t.Errorf("the event has %q", got)
			}
		})
	}

	w := remote(t)
	w.provider.SetFaults(oidctest.Faults{Status: http.StatusInternalServerError})
	d := w.delegator(t)
	for _, kid := range []string{"a", "b"} {
		_, err := d.Exchange(t.Context(), withKeyID(kid), app)
		e := wantError(t, err, delegation.StageToken, delegation.CodeKeySetUnavailable)
		if e.KeyID != kid {
			t.Errorf("%s is refused with the kid %q", kid, e.KeyID)
		}
	}
}

// TestIssuerCases_Remedies: what the remedy of a refusal says is done, and the token is accepted.
func TestIssuerCases_Remedies(t *testing.T) {
	for _, test := range []struct {
		file   string
		check  bool // Check says it; tokens name another issuer
		code   delegation.Code
		says   []string // in the error
		never  string   // in the error; empty: nothing is excluded
		follow func(issuer *delegation.Issuer)
	}{
		{
			file:  "04-entra-common",
			check: true,
			code:  delegation.CodeDiscoveryIssuer,
			says: []string{
				`"https://login.microsoftonline.com/{tenantid}/v2.0"`,
				"list your tenants in Issuer.Tenants",
			},
			follow: func(issuer *delegation.Issuer) {
				issuer.URL = "https://login.microsoftonline.com/{tenantid}/v2.0"
				issuer.Tenants = []string{"11111111-2222-3333-4444-555555555555"}
			},
		},
		{
			file:  "05-b2c-by-policy-url",
			check: true,
			code:  delegation.CodeDiscoveryIssuer,
			says: []string{
				`names the issuer "https://contoso.b2clogin.com/` +
					`11111111-2222-3333-4444-555555555555/v2.0/"`,
				"Issuer.DiscoveryURL to the address of this document",
			},
			follow: func(issuer *delegation.Issuer) {
				issuer.URL = "https://contoso.b2clogin.com/" +
					"11111111-2222-3333-4444-555555555555/v2.0/"
				issuer.DiscoveryURL = "https://contoso.b2clogin.com/contoso.onmicrosoft.com/" +
					"B2C_1_susi/v2.0/.well-known/openid-configuration"
			},
		},
		{
			file: "05-b2c-by-issuer",
			code: delegation.CodeDiscoveryMissing,
			says: []string{
				"it answered 404", "set Issuer.DiscoveryURL to the address of the issuer's",
			},
			follow: func(issuer *delegation.Issuer) {
				issuer.DiscoveryURL = "https://contoso.b2clogin.com/contoso.onmicrosoft.com/" +
					"B2C_1_susi/v2.0/.well-known/openid-configuration"
			},
		},
		{
			file: "07-kubernetes-kubeadm-jwks_uri-by-node-address",
			code: delegation.CodeKeySetURL,
			says: []string{
				`"https://10.0.0.10:6443/openid/v1/jwks" leads to the address of another host`,
				"set Issuer.JWKSURL to",
			},
			never: "use https",
			follow: func(issuer *delegation.Issuer) {
				issuer.JWKSURL = "https://10.0.0.10:6443/openid/v1/jwks"
			},
		},
		{
			file: "13-nextcloud-discovery-redirect",
			code: delegation.CodeDiscoveryRedirect,
			says: []string{
				`redirect to "https://cloud.example.com/index.php/.well-known/` +
					`openid-configuration"`,
				"set Issuer.DiscoveryURL to that address",
			},
			follow: func(issuer *delegation.Issuer) {
				issuer.DiscoveryURL = "https://cloud.example.com/index.php/.well-known/" +
					"openid-configuration"
			},
		},
		{
			file: "13-nextcloud-jwks_url-is-where-discovery-redirects-to",
			code: delegation.CodeKeySetDiscovery,
			says: []string{
				`its jwks_uri is "https://cloud.example.com/index.php/apps/oidc/jwks"`,
				"move the address from Issuer.JWKSURL to Issuer.DiscoveryURL",
			},
			follow: func(issuer *delegation.Issuer) {
				issuer.DiscoveryURL = issuer.JWKSURL
				issuer.JWKSURL = ""
			},
		},
		{
			file:   "16-es256-default-algorithms",
			code:   delegation.CodeAlgorithmNotAllowed,
			says:   []string{`"ES256"`, "list it in Issuer.Algorithms"},
			follow: func(issuer *delegation.Issuer) { issuer.Algorithms = []string{"ES256"} },
		},
	} {
		t.Run(test.file, func(t *testing.T) {
			c := readPublishedCase(t, test.file)
			w := c.world(t)
			d := w.delegator(t)
			var err error
			if test.check {
				err = result(t, d.Check(t.Context()), "issuer "+c.issuers[0].URL).Err
				wantError(t, err, delegation.StageToken, test.code)
				w.wantOutcome(t, d, c.token, refused(delegation.CodeIssuerUnknown))
			} else {
				err = w.wantOutcome(t, d, c.token, refused(test.code))
			}
			for _, words := range test.says {
				if !strings.Contains(fmt.Sprint(err), words) {
					t.Errorf("%q is not in %v", words, err)
				}
			}
			if test.never != "" && strings.Contains(fmt.Sprint(err), test.never) {
				t.Errorf("%q is in %v", test.never, err)
			}
			test.follow(&w.config.Issuers[0])
			w.wantOutcome(t, w.delegator(t), c.token, accepted)
		})
	}
}

// TestAlgorithmRemedies: for each algorithm that an issuer may not use, the remedy is one that New
// takes, or says that no setting helps.
func TestAlgorithmRemedies(t *testing.T) {
	const secret = "an entirely different secret of this issuer"
	published := delegation.Issuer{URL: issuerURL, JWKS: providers()["ES384"].KeySet()}
	shared := delegation.Issuer{URL: issuerURL, SharedSecret: delegation.NewSecret(secret)}
	es384 := must(providers()["ES384"].Sign(nil, []byte(payload(nil))))
	hs256 := maced(map[string]any{"alg": "HS256"}, payload(nil), []byte(secret))
	hs512 := maced(map[string]any{"alg": "HS512"}, payload(nil), []byte(secret))
	for name, test := range map[string]struct {
		issuer delegation.Issuer
		token  string
		code   delegation.Code
		follow func(issuer *delegation.Issuer)
	}{
		"listed": {
			published, es384, delegation.CodeAlgorithmNotAllowed,
			func(issuer *delegation.Issuer) { issuer.Algorithms = []string{"ES384"} },
		},
		"a secret instead of keys": {
			published, hs256, delegation.CodeAlgorithmSharedSecret,
			func(issuer *delegation.Issuer) {
				issuer.SharedSecret = delegation.NewSecret(secret)
				issuer.JWKS = nil
				issuer.JWKSURL = ""
				issuer.Algorithms = nil
			},
		},
		"keys instead of a secret": {
			shared, es384, delegation.CodeAlgorithmPublishedKey,
			func(issuer *delegation.Issuer) {
				issuer.SharedSecret = delegation.Secret{}
				issuer.Algorithms = []string{"ES384"}
				issuer.JWKS = providers()["ES384"].KeySet() // or else they are discovered
			},
		},
		"no setting, of a key":    {published, hs512, delegation.CodeAlgorithmUnsupported, nil},
		"no setting, of a secret": {shared, hs512, delegation.CodeAlgorithmUnsupported, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := offline(t)
			w.config.Issuers = []delegation.Issuer{test.issuer}
			w.wantOutcome(t, w.delegator(t), test.token, refused(test.code))
			if test.follow == nil {
				return
			}
			test.follow(&w.config.Issuers[0])
			w.wantOutcome(t, w.delegator(t), test.token, accepted)
		})
	}
}
