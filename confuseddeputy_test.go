package delegation_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/oidctest"
)

// The confused-deputy matrix: every audience with every client, target and actor. Somebody who has
// a token must not be able to use it for what it was not issued for.

// audiences are what the user's token is for.
var matrixAudiences = []string{
	"ID token",
	"ID token for the photos API",
	"access token for the photos API",
	"access token for the albums API",
	"access token for both APIs",
	"access token for a foreign API",
}

// matrixClients are the applications that the user's token was issued to.
var matrixClients = []string{"a listed client", "an authorized party", "another client", "the API"}

// matrixTargets are where the token is used.
var matrixTargets = []string{"photos, no Actors", "photos, Actors", "albums, OnlyListed"}

// matrixActors say who acts for the user, and how that is told.
var matrixActors = []string{
	"nobody",
	"act",
	"a listed agent's token",
	"a token that may_act names",
	"a stranger's token",
	"a listed agent's token for elsewhere",
	"act and the token of the same agent",
	"act and the token of another agent",
}

const (
	albums       = "https://albums.example.com"
	photosTarget = "photos"
	agentsTarget = "photos-agents"
	albumsTarget = "albums"
)

// matrixWorld is what all cells share.
type matrixWorld struct {
	*world
	agents *oidctest.Provider
	users  *oidctest.Provider
	d      *delegation.Delegator
}

func newMatrixWorld(t *testing.T) *matrixWorld {
	w := newWorld(t)
	m := &matrixWorld{world: w}
	provider := func(url string) *oidctest.Provider {
		p := must(oidctest.New(oidctest.Config{Algorithm: "ES256", Now: w.clock.Now}))
		p.SetIssuer(url)
		return p
	}
	m.users = provider(issuerURL)
	m.agents = provider(agentIssuer)
	w.config.HTTPClient = noNetwork(t)
	w.config.Issuers = []delegation.Issuer{
		{
			URL:        issuerURL,
			JWKS:       m.users.KeySet(),
			Algorithms: []string{"ES256"},
			AccessTokens: &delegation.AccessTokens{
				Profile:   delegation.AccessTokenRFC9068,
				Audiences: []string{api, albums},
			},
		},
		{URL: agentIssuer, JWKS: m.agents.KeySet(), Algorithms: []string{"ES256"}},
	}
	listed := []delegation.ListedActor{{Issuer: agentIssuer, Subject: agent}}
	target := func(audience string, actors *delegation.Actors) delegation.Target {
		return delegation.Target{
			Audiences:         []string{app},
			AuthorizedParties: []string{"party"},
			Issuers:           []string{issuerURL},
			AccessAudiences:   []string{audience},
			Actors:            actors,
			AWS: delegation.AWS{
				Principal: principal, Role: role, Region: "eu-central-1",
			},
		}
	}
	w.config.Targets = delegation.Targets{
		photosTarget: target(api, nil),
		agentsTarget: target(api, &delegation.Actors{
			Listed:    listed,
			Audiences: []string{"delegation"},
		}),
		albumsTarget: target(albums, &delegation.Actors{
			Listed:     listed,
			OnlyListed: true,
			Audiences:  []string{"delegation"},
		}),
	}
	m.d = w.delegator(t)
	return m
}

// matrixCell is one combination, by its names.
type matrixCell struct{ audience, client, target, actor string }

func (c matrixCell) String() string {
	return fmt.Sprintf("%s/%s/%s/%s", c.audience, c.client, c.target, c.actor)
}

// tokenOf signs the user's token of a cell.
func (m *matrixWorld) tokenOf(c matrixCell) string {
	client := map[string]string{
		"a listed client":     app,
		"an authorized party": "party",
		"another client":      "other",
		"the API":             api,
	}[c.client]
	now := m.clock.Now()
	claims := map[string]any{
		"iss": issuerURL, "sub": alice, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}
	switch c.actor {
	case "act", "act and the token of the same agent":
		claims["act"] = map[string]any{"sub": agent, "iss": agentIssuer}
	case "act and the token of another agent":
		claims["act"] = map[string]any{"sub": "another", "iss": agentIssuer}
	case "a token that may_act names":
		claims["may_act"] = map[string]any{"sub": "stranger", "iss": agentIssuer}
	}
	header := map[string]any{"typ": "JWT"}
	if c.audience == "ID token for the photos API" {
		claims["aud"] = api
		claims["azp"] = client
	} else if c.audience == "ID token" {
		claims["aud"] = client
		if client == "party" { // Google's across clients: aud is the backend
			claims["aud"] = app
			claims["azp"] = client
		}
	} else {
		header["typ"] = "at+jwt"
		claims["jti"] = c.String()
		claims["client_id"] = client
		claims["aud"] = map[string]any{
			"access token for the photos API": api,
			"access token for the albums API": albums,
			"access token for both APIs":      []string{api, albums},
			"access token for a foreign API":  "https://foreign.example.com",
		}[c.audience]
	}
	return must(m.users.Sign(header, must(json.Marshal(claims))))
}

// optionsOf are those of a cell: with the actor's token, if there is one.
func (m *matrixWorld) optionsOf(c matrixCell) []delegation.ExchangeOption {
	claims := map[string]any{"sub": agent, "aud": "delegation"}
	switch c.actor {
	case "nobody", "act":
		return nil
	case "a token that may_act names", "a stranger's token":
		claims["sub"] = "stranger"
	case "a listed agent's token for elsewhere":
		claims["aud"] = "elsewhere"
	}
	return []delegation.ExchangeOption{
		delegation.WithActorToken(must(m.agents.SignIDToken(claims))),
	}
}

// expected is what docs/token-matrix.md promises of a cell. Empty: credentials.
func (c matrixCell) expected() delegation.Code {
	isAccess := strings.HasPrefix(c.audience, "access token")
	ofTarget := map[string]bool{
		"access token for the photos API": strings.HasPrefix(c.target, "photos"),
		"access token for the albums API": c.target == "albums, OnlyListed",
		"access token for both APIs":      true,
	}[c.audience]
	switch {
	case c.audience == "access token for a foreign API":
		return delegation.CodeAccessTokenAudience
	case c.client == "another client" || c.client == "the API":
		return delegation.CodeAudienceNotAllowed
	case c.audience == "ID token for the photos API": // which only access tokens may be for
		return delegation.CodeAudienceNotAllowed
	case isAccess && !ofTarget:
		return delegation.CodeAudienceNotAllowed
	}
	noActors := c.target == "photos, no Actors"
	onlyListed := c.target == "albums, OnlyListed"
	switch c.actor {
	case "nobody":
		return ""
	case "act", "a listed agent's token", "act and the token of the same agent":
		if noActors {
			return delegation.CodeActorNotAllowed
		}
		return ""
	case "a token that may_act names":
		if noActors || onlyListed {
			return delegation.CodeActorNotAllowed
		}
		return ""
	case "act and the token of another agent":
		if noActors {
			return delegation.CodeActorNotAllowed
		}
		return delegation.CodeActorMismatch
	}
	return delegation.CodeActorNotAllowed
}

// cells are all combinations.
func matrixCells() (cells []matrixCell) {
	for _, target := range matrixTargets {
		for _, audience := range matrixAudiences {
			for _, client := range matrixClients {
				for _, actor := range matrixActors {
					cells = append(cells, matrixCell{audience, client, target, actor})
				}
			}
		}
	}
	return cells
}

// TestConfusedDeputy runs every cell through Exchange. Its outcome is what the rules of the
// document say, and what the table of the document says. Who gets credentials is the user of the
// token, and the event and the session name the actor if there is one.
func TestConfusedDeputy(t *testing.T) {
	m := newMatrixWorld(t)
	outcomes := map[matrixCell]string{}
	granted := 0
	for _, c := range matrixCells() {
		name := map[string]string{
			"photos, no Actors":  photosTarget,
			"photos, Actors":     agentsTarget,
			"albums, OnlyListed": albumsTarget,
		}[c.target]
		before := len(m.sent)
		credentials, err := m.d.Exchange(t.Context(), m.tokenOf(c), name, m.optionsOf(c)...)
		var got delegation.Code
		var e *delegation.Error
		if errors.As(err, &e) {
			got = e.Code
		}
		if got != c.expected() || (got == "") != (credentials != nil) ||
			(len(m.sent) > before) != (credentials != nil) {
			t.Errorf("%s: got %v, want %q", c, err, c.expected())
		}
		outcomes[c] = "yes"
		if got != "" {
			outcomes[c] = "`" + string(got) + "`"
			continue
		}
		granted++
		m.checkGranted(t, c)
	}
	if cells := len(outcomes); cells != 576 || granted == 0 {
		t.Errorf("%d cells, %d of them granted", cells, granted)
	}
	wantMatrixInDocument(t, outcomes)
}

// checkGranted checks the session and the event of a cell.
func (m *matrixWorld) checkGranted(t *testing.T, c matrixCell) {
	t.Helper()
	acts := map[string]string{
		"act": agent, "a listed agent's token": agent,
		"act and the token of the same agent": agent, "a token that may_act names": "stranger",
	}[c.actor]
	event := m.events[len(m.events)-1]
	session := attributesOf(m.last())[delegation.AttributeRoleSessionName][0]
	if event.Subject != alice || event.ActorSubject != acts ||
		strings.Contains(session, ",by=") != (acts != "") || !strings.HasPrefix(session, "auth0_") {
		t.Errorf("%s: the session is %s, the event %+v", c, session, event)
	}
	if acts != "" && *m.last().DurationSeconds != 900 ||
		acts == "" && *m.last().DurationSeconds != 3600 {
		t.Errorf("%s: the session has %d seconds", c, *m.last().DurationSeconds)
	}
}

// wantMatrixInDocument holds the tables of the document to the outcomes. -update writes them.
func wantMatrixInDocument(t *testing.T, outcomes map[matrixCell]string) {
	t.Helper()
	var table strings.Builder
	for _, target := range matrixTargets {
		fmt.Fprintf(&table, "Target: %s\n\n| Token | Client | %s |\n|---|---|%s\n", target,
			strings.Join(matrixActors, " | "), strings.Repeat("---|", len(matrixActors)))
		for _, audience := range matrixAudiences {
			for _, client := range matrixClients {
				row := []string{audience, client}
				for _, actor := range matrixActors {
					row = append(row, outcomes[matrixCell{audience, client, target, actor}])
				}
				fmt.Fprintf(&table, "| %s |\n", strings.Join(row, " | "))
			}
		}
		table.WriteString("\n")
	}
	const file = "docs/token-matrix.md"
	document := string(must(os.ReadFile(file)))
	before, rest, found := strings.Cut(document, "<!-- the matrix -->\n\n")
	old, after, ended := strings.Cut(rest, "<!-- end of the matrix -->\n")
	if !found || !ended {
		t.Fatalf("%s has no place for the matrix", file)
	}
	if old == table.String() {
		return
	}
	if !*update {
		t.Errorf("the matrix in %s is not what was seen: run the test with -update", file)
		return
	}
	written := before + "<!-- the matrix -->\n\n" + table.String() +
		"<!-- end of the matrix -->\n" + after
	if err := os.WriteFile(file, []byte(written), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestConfusedDeputy_EveryNameIsUsed: no dimension has a name that the oracle does not know.
func TestConfusedDeputy_EveryNameIsUsed(t *testing.T) {
	seen := map[delegation.Code]int{}
	for _, c := range matrixCells() {
		seen[c.expected()]++
	}
	want := []delegation.Code{
		"", delegation.CodeAccessTokenAudience, delegation.CodeActorMismatch,
		delegation.CodeActorNotAllowed, delegation.CodeAudienceNotAllowed,
	}
	if got := slices.Sorted(maps.Keys(seen)); !slices.Equal(got, want) {
		t.Errorf("the outcomes are %q", got)
	}
}
