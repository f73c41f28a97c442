package delegation_test

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation"
)

// issuerCase is a file of testdata/issuers: what an issuer of somebody else publishes, one of its
// tokens, and the target that it was meant for. Keys were made for it and thrown away.
type issuerCase struct {
	issuer, audience, token string
	documents               map[string]string // by URL
}

var (
	caseIssuer   = regexp.MustCompile(`(?m)^issuer: url=(\S+) `)
	caseAudience = regexp.MustCompile(`(?m)^target: audiences=\[(\S+)\] issuers=\[\]$`)
	caseDocument = regexp.MustCompile(`(?m)^GET (\S+) -> 0 map\[\]\n(.*)$`)
	caseToken    = regexp.MustCompile(`(?m)^token \(clock 2026-11-23T09:00:00Z\): (\S+)$`)
)

func readIssuerCase(t *testing.T, file string) *issuerCase {
	t.Helper()
	text := string(must(os.ReadFile(filepath.Join("testdata/issuers", file+".txt"))))
	one := func(part *regexp.Regexp) string {
		found := part.FindAllStringSubmatch(text, -1)
		if len(found) != 1 {
			t.Fatalf("%s matches %d times", part, len(found))
		}
		return found[0][1]
	}
	c := &issuerCase{
		issuer: one(caseIssuer), audience: one(caseAudience), token: one(caseToken),
		documents: map[string]string{},
	}
	for _, found := range caseDocument.FindAllStringSubmatch(text, -1) {
		c.documents[found[1]] = found[2]
	}
	if len(c.documents) < 2 {
		t.Fatalf("%d documents", len(c.documents))
	}
	return c
}

// world is one in which the case's issuer and target are configured.
func (c *issuerCase) world(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.config.Issuers = []delegation.Issuer{{URL: c.issuer}}
	w.config.HTTPClient = &http.Client{Transport: transportFunc(func(
		r *http.Request,
	) (*http.Response, error) {
		text, ok := c.documents[r.URL.String()]
		if !ok {
			t.Errorf("%s was requested", r.URL)
		}
		return &http.Response{
			StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
			Body: io.NopCloser(strings.NewReader(text)), Request: r,
		}, nil
	})}
	w.target(func(target *delegation.Target) { target.Audiences = []string{c.audience} })
	return w
}

// TestIssuerCases_Kinds: tokens of other kinds, as Entra and Keycloak issue them, are refused by
// the name of their kind, and the remedy says which token to send.
func TestIssuerCases_Kinds(t *testing.T) {
	for _, test := range []struct {
		file   string
		code   delegation.Code
		remedy string
	}{
		{"02-entra-app-only-token", delegation.CodeTokenKindAppOnly, "id_token of a user"},
		{"02-entra-v2-access-token-for-own-api", delegation.CodeTokenKindEntraV2,
			"send the id_token"},
		{"02-keycloak-access-token-of-another-client", delegation.CodeTokenKindAccess,
			"send the id_token"},
	} {
		t.Run(test.file, func(t *testing.T) {
			c := readIssuerCase(t, test.file)
			w := c.world(t)
			err := w.wantOutcome(t, w.delegator(t), c.token, refused(test.code))
			e := wantError(t, err, delegation.StageToken, test.code)
			if !strings.Contains(e.Remedy, test.remedy) {
				t.Errorf("the remedy is %q", e.Remedy)
			}
			// Where the kind is let pass, the client still is another one.
			w.config.Issuers[0].AllowTokenMarks = []string{"typ", "idtyp", "azpacr", "scp"}
			w.wantOutcome(t, w.delegator(t), c.token, "target audience_not_allowed")
		})
	}
}

// TestIssuerCases_Client: which application a token was issued to, for issuers that say it in
// their own ways.
func TestIssuerCases_Client(t *testing.T) {
	for _, file := range []string{"18-azp-null", "18-typ-null"} {
		t.Run(file, func(t *testing.T) {
			c := readIssuerCase(t, file)
			w := c.world(t)
			w.wantOutcome(t, w.delegator(t), c.token, accepted)
		})
	}
	t.Run("11-gitlab-two-audiences", func(t *testing.T) {
		c := readIssuerCase(t, "11-gitlab-two-audiences")
		w := c.world(t)
		err := w.wantOutcome(t, w.delegator(t), c.token, refused(delegation.CodeClaimParty))
		e := wantError(t, err, delegation.StageToken, delegation.CodeClaimParty)
		if !strings.Contains(e.Remedy, "ClientAudiences") {
			t.Errorf("the remedy is %q", e.Remedy)
		}
		w.config.Issuers[0].ClientAudiences = []string{"https://aws.example.com"}
		w.wantOutcome(t, w.delegator(t), c.token, accepted)
		if got := w.events[len(w.events)-1].ClientID; got != "https://aws.example.com" {
			t.Errorf("the client is %q", got)
		}
	})
}

// TestIssuerCases_Star: a sub with a wildcard cannot be a NameID, since ${saml:sub} in a policy
// would match others. What the remedy says makes another claim the NameID.
func TestIssuerCases_Star(t *testing.T) {
	c := readIssuerCase(t, "20-github-actions-sub-with-star")
	w := c.world(t)
	err := w.wantOutcome(t, w.delegator(t), c.token, "decision name_id_invalid")
	e := wantError(t, err, delegation.StageDecision, delegation.CodeNameIDInvalid)
	for _, setting := range []string{
		delegation.AttributeNameIdentifier + " ", "AWS.Mappings", "AWS.NameIDFromMapping",
	} {
		if !strings.Contains(e.Remedy, setting) {
			t.Errorf("%s is not in the remedy %q", setting, e.Remedy)
		}
	}
	w.target(func(target *delegation.Target) {
		target.AWS.Mappings = map[string]string{delegation.AttributeNameIdentifier: "aud"}
		target.AWS.NameIDFromMapping = true
	})
	w.wantOutcome(t, w.delegator(t), c.token, accepted)
}

// TestClient: the application that a token was issued to is what its claims agree on, it must be
// the target's, and so must an audience.
func TestClient(t *testing.T) {
	const (
		foreign  = "target audience_not_allowed"
		several  = "token claim_authorized_party"
		conflict = "token claim_client_conflict"
		wrong    = "token claim_type"
		missing  = "token claim_missing"
		both     = "photo-app backend" // audiences of the target
	)
	type claims map[string]any
	list := func(texts ...string) []string { return texts }
	for name, test := range map[string]struct {
		claims    claims
		audiences string
		parties   []string
		named     []string
		want      string
		client    string
	}{
		"only an audience": {claims: claims{"aud": app}, want: accepted, client: app},
		"azp too":          {claims: claims{"azp": app}, want: accepted, client: app},
		"another azp": {claims: claims{"azp": "evil-client"},
			want: foreign, client: "evil-client"},
		"another appid": {claims: claims{"appid": "evil-client"},
			want: foreign, client: "evil-client"},
		"another cid": {claims: claims{"cid": "evil-client"}, want: foreign, client: "evil-client"},
		"another client_id": {claims: claims{"client_id": "evil-client"},
			want: foreign, client: "evil-client"},
		"all four agree": {
			claims: claims{"azp": app, "appid": app, "cid": app, "client_id": app},
			want:   accepted, client: app,
		},
		"the first disagrees": {claims: claims{"azp": "other", "client_id": app}, want: conflict},
		"the last disagrees": {
			claims: claims{"azp": app, "appid": app, "cid": app, "client_id": "other"},
			want:   conflict,
		},
		"they differ by case": {claims: claims{"azp": app, "client_id": "Photo-App"},
			want: conflict},
		"null is absent": {
			claims: claims{
				"azp": json.RawMessage("null"), "client_id": app, "cid": json.RawMessage("null"),
			}, want: accepted, client: app,
		},
		"a number":      {claims: claims{"cid": 1}, want: wrong},
		"a list":        {claims: claims{"client_id": list(app)}, want: wrong},
		"an empty text": {claims: claims{"appid": ""}, want: missing},
		"azp of two audiences": {claims: claims{"aud": list("x", app), "azp": app},
			want: accepted, client: app},
		"for another API": {
			claims: claims{
				"aud": list("https://api.example.com", "https://tenant.example.com/userinfo"),
				"azp": app,
			}, want: foreign, client: app,
		},
		"for one other API": {claims: claims{"aud": "https://api.example.com", "azp": app},
			want: foreign, client: app},
		"none of two audiences": {claims: claims{"aud": list("x", app)}, want: several},
		"one audience, twice":   {claims: claims{"aud": list(app, app)}, want: accepted, client: app},
		"another one, twice":    {claims: claims{"aud": list("x", "x")}, want: foreign, client: "x"},
		"one of two, twice":     {claims: claims{"aud": list("x", app, app)}, want: several},
		"twice, and an azp": {claims: claims{"aud": list(app, app), "azp": "x"},
			want: foreign, client: "x"},

		"one of two is named": {claims: claims{"aud": list("x", app)},
			named: list(app), want: accepted, client: app},
		"the named one appears twice": {claims: claims{"aud": list(app, "x", app)},
			named: list(app), want: accepted, client: app},
		"the named one is another": {claims: claims{"aud": list("x", app)},
			named: list("x"), want: foreign, client: "x"},
		"both are named": {claims: claims{"aud": list("x", app)},
			named: list("x", app), want: several},
		"another one is named": {claims: claims{"aud": list("x", app)},
			named: list("y"), want: several},
		"azp goes before the named": {claims: claims{"aud": list("x", app), "azp": "x"},
			named: list(app), want: foreign, client: "x"},
		"a single one need not be": {claims: claims{"aud": app},
			named: list("x"), want: accepted, client: app},
		"naming does not open targets": {claims: claims{"aud": "x"},
			named: list("x"), want: foreign, client: "x"},

		"across clients": {claims: claims{"aud": "backend", "azp": "mobile"},
			audiences: "backend", parties: list("mobile"), want: accepted, client: "mobile"},
		"across clients, without": {claims: claims{"aud": "backend", "azp": "mobile"},
			audiences: "backend", want: foreign, client: "mobile"},
		"across clients, another": {claims: claims{"aud": "backend", "azp": "game"},
			audiences: "backend", parties: list("mobile"), want: foreign, client: "game"},
		"across clients, for another": {claims: claims{"aud": "game", "azp": "mobile"},
			audiences: "backend", parties: list("mobile"), want: foreign, client: "mobile"},
		"a party's own token": {claims: claims{"aud": "mobile"},
			audiences: "backend", parties: list("mobile"), want: foreign, client: "mobile"},
		"both are the target's clients": {claims: claims{"aud": "backend", "azp": app},
			audiences: both, want: accepted, client: app},
	} {
		t.Run(name, func(t *testing.T) {
			w := offline(t)
			w.config.Issuers[0].ClientAudiences = test.named
			w.target(func(target *delegation.Target) {
				target.Audiences = strings.Fields(test.audiences)
				target.AuthorizedParties = test.parties
			})
			seen := ""
			w.config.Rules = []delegation.RuleFunc{func(
				_ context.Context, _ *delegation.User, rc *delegation.RuleContext,
			) error {
				seen = rc.ClientID
				return nil
			}}
			w.wantOutcome(t, w.delegator(t), w.token(test.claims), test.want)
			if got := w.events[0].ClientID; got != test.client {
				t.Errorf("the event has the client %q, want %q", got, test.client)
			}
			if want := test.client; test.want == accepted && seen != want {
				t.Errorf("rules saw the client %q, want %q", seen, want)
			}
			e, _ := w.delegator(t).Explain(t.Context(), w.token(test.claims), app)
			if e.ClientID != test.client {
				t.Errorf("explained with the client %q, want %q", e.ClientID, test.client)
			}
		})
	}
}

// TestClientIsTheTokens: a caller whose token has several audiences cannot choose which of them
// the rules see.
func TestClientIsTheTokens(t *testing.T) {
	w := newWorld(t)
	seen := ""
	w.config.Rules = []delegation.RuleFunc{func(
		_ context.Context, _ *delegation.User, rc *delegation.RuleContext,
	) error {
		seen = rc.ClientID
		return nil
	}}
	d := w.delegator(t)
	token := w.token(map[string]any{"aud": []string{"admin-console", app}, "azp": app})
	for _, id := range []string{"", app, "admin-console"} {
		if _, err := d.Exchange(t.Context(), token, app, delegation.WithClientID(id)); err != nil {
			t.Errorf("%q: %v", id, err)
		}
		if seen != app || w.events[len(w.events)-1].ClientID != app {
			t.Errorf("%q: rules saw the client %q", id, seen)
		}
	}
}

// TestTokenKinds: a token that bears a mark of another kind is refused with that kind's code, is
// accepted where the issuer lists the claim, and not where it lists another one.
func TestTokenKinds(t *testing.T) {
	type row struct {
		claim string
		value any
		code  delegation.Code // empty: an ID token
	}
	null := json.RawMessage("null")
	rows := []row{
		{"typ", "ID", ""}, {"typ", null, ""},
		{"typ", "Bearer", delegation.CodeTokenKindAccess},
		{"typ", "DPoP", delegation.CodeTokenKindAccess},
		{"typ", "Refresh", delegation.CodeTokenKindRefresh},
		{"typ", "Offline", delegation.CodeTokenKindRefresh},
		{"typ", "Logout", delegation.CodeTokenKindLogout},
		{"typ", "id", delegation.CodeTokenKindOther},
		{"typ", "bearer", delegation.CodeTokenKindOther},
		{"typ", "", delegation.CodeTokenKindOther}, {"typ", "JWT", delegation.CodeTokenKindOther},
		{"typ", []string{"ID"}, delegation.CodeTokenKindOther},
		{"typ", false, delegation.CodeTokenKindOther},
		{"token_use", "id", ""}, {"token_use", null, ""},
		{"token_use", "access", delegation.CodeTokenKindUse},
		{"token_use", "ID", delegation.CodeTokenKindUse},
		{"token_use", 0, delegation.CodeTokenKindUse},
		{"idtyp", "app", delegation.CodeTokenKindAppOnly}, {"idtyp", "user", ""},
		{"idtyp", null, ""},
		{"idtyp", []string{"app"}, delegation.CodeClaimType},
		{"appidacr", "0", delegation.CodeTokenKindEntraV1},
		{"appidacr", 0, delegation.CodeTokenKindEntraV1},
		{"appidacr", null, ""},
		{"azpacr", "1", delegation.CodeTokenKindEntraV2},
		{"azpacr", "", delegation.CodeTokenKindEntraV2},
		{"azpacr", null, ""},
		{"scp", "access_as_user", delegation.CodeTokenKindScoped},
		{"scp", []string{}, delegation.CodeTokenKindScoped},
		{"scp", null, ""},
		{"cnf", map[string]any{"jkt": "x"}, delegation.CodeTokenKindBound},
		{"cnf", map[string]any{}, delegation.CodeTokenKindBound},
		{"cnf", null, ""},
		{"events",
			map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
			delegation.CodeTokenKindEvent},
		{"events", false, delegation.CodeTokenKindEvent}, {"events", null, ""},
	}
	claims := map[string]bool{}
	for _, r := range rows {
		claims[r.claim] = true
	}
	for _, r := range rows {
		t.Run(r.claim+" "+string(must(json.Marshal(r.value))), func(t *testing.T) {
			w := offline(t)
			token := w.token(map[string]any{r.claim: r.value})
			if r.code == "" {
				w.wantOutcome(t, w.delegator(t), token, accepted)
				return
			}
			err := w.wantOutcome(t, w.delegator(t), token, refused(r.code))
			e := wantError(t, err, delegation.StageToken, r.code)
			if r.code != delegation.CodeClaimType && !(strings.Contains(e.Remedy, "id_token") &&
				strings.Contains(e.Remedy, "list "+r.claim+" in Issuer.AllowTokenMarks")) {
				t.Errorf("the remedy is %q", e.Remedy)
			}
			w.config.Issuers[0].AllowTokenMarks = []string{r.claim}
			w.wantOutcome(t, w.delegator(t), token, accepted)

			w.config.Issuers[0].AllowTokenMarks = nil
			for _, other := range slices.Sorted(maps.Keys(claims)) {
				if other != r.claim {
					w.config.Issuers[0].AllowTokenMarks = append(
						w.config.Issuers[0].AllowTokenMarks, other)
				}
			}
			w.wantOutcome(t, w.delegator(t), token, refused(r.code))
		})
	}

	t.Run("before every other claim, and after the signature", func(t *testing.T) {
		w := offline(t)
		access := payload(map[string]any{"typ": "Bearer", "aud": nil, "sub": nil, "exp": 1})
		token := must(w.provider.Sign(nil, []byte(access)))
		w.wantOutcome(t, w.delegator(t), token, refused(delegation.CodeTokenKindAccess))
		forged := token[:strings.LastIndexByte(token, '.')+1] + encoded(make([]byte, 256))
		w.wantOutcome(t, w.delegator(t), forged, refused(delegation.CodeSignatureInvalid))
	})
	t.Run("New refuses a mark that is none", func(t *testing.T) {
		for _, name := range []string{"azp", "", "Typ", "scope"} {
			w := offline(t)
			w.config.Issuers[0].AllowTokenMarks = []string{"typ", name}
			_, err := delegation.New(t.Context(), w.config)
			e := wantError(t, err, delegation.StageConfig, delegation.CodeConfigInvalid)
			if !strings.Contains(e.Error(), "Issuers[0]: AllowTokenMarks") ||
				strings.Count(e.Error(), "AllowTokenMarks") != 1 {
				t.Errorf("%q: %v", name, e)
			}
		}
	})
	t.Run("New refuses an empty audience", func(t *testing.T) {
		w := offline(t)
		w.config.Issuers[0].ClientAudiences = []string{app, ""}
		_, err := delegation.New(t.Context(), w.config)
		e := wantError(t, err, delegation.StageConfig, delegation.CodeConfigInvalid)
		if !strings.Contains(e.Error(), "Issuers[0]: ClientAudiences") {
			t.Error(e)
		}
	})
}
