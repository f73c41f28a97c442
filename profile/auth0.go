package profile

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/internal/document"
	"github.com/seed055b7978/delegation/internal/freshness"
)

// Auth0 takes profiles from Auth0's Management API: GET /api/v2/users/{id}, with a token of the
// client credentials grant. The token is kept until shortly before it expires.
type Auth0 struct {
	// Domain is the tenant's own domain, such as tenant.eu.auth0.com. A custom domain does not
	// work: the Management API accepts only the tenant's own.
	Domain string
	// ClientID is that of a machine-to-machine application that is authorized for the Management
	// API, with the scope read:users and no other.
	ClientID string
	// ClientSecretFile has the secret of that application, and perhaps a line end. It is read each
	// time that a token is needed.
	ClientSecretFile string
	// Fields are the properties that are asked for. user_id is always among them. Empty: all, with
	// app_metadata, user_metadata and identities.
	Fields []string
}

// maxSecretFile is in bytes. Auth0's secrets have 64.
const maxSecretFile = 4 << 10

// auth0 is the source.
type auth0 struct {
	Auth0
	client *http.Client
	// origin is https:// and the domain.
	origin  string
	maxSize int
	now     func() time.Time

	mu    sync.Mutex
	token *freshness.Value[string]
}

func (c *Config) newAuth0(client *http.Client, problem func(string, ...any)) *auth0 {
	a := &auth0{
		Auth0:   *c.Auth0,
		client:  client,
		origin:  "https://" + c.Auth0.Domain,
		maxSize: c.MaxSize,
		now:     c.Now,
	}
	for _, other := range []struct {
		field string
		isSet bool
	}{
		{"URL", c.URL != ""},
		{"BearerTokenFile", c.BearerTokenFile != ""},
		{"SubjectField", c.SubjectField != ""},
		{"AllowLoopbackHTTP", c.AllowLoopbackHTTP},
	} {
		if other.isSet {
			problem("%s has no effect with Auth0: set one of them", other.field)
		}
	}
	if document.Origin(a.origin) != a.origin || strings.ContainsAny(a.Domain, "/?#@") {
		problem("Auth0: Domain: %.200q is not the domain of a tenant in lower case, such as "+
			"tenant.eu.auth0.com", a.Domain)
	}
	if a.ClientID == "" {
		problem("Auth0: ClientID is empty")
	}
	for i, field := range a.Fields {
		if !isField(field) {
			problem("Auth0: Fields[%d]: %.80q is not the name of a property", i, field)
		}
	}
	if _, err := a.secret(); err != nil {
		problem("Auth0: ClientSecretFile: %w", err)
	}
	a.token = a.newToken()
	return a
}

// isField tells whether a text is the name of a property of users: letters, digits, _ and dots.
func isField(name string) bool {
	odd := func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' ||
			r == '_' || r == '.')
	}
	return name != "" && !strings.ContainsFunc(name, odd)
}

// secret reads the client secret. No error holds anything of it.
func (a *auth0) secret() (string, error) {
	if a.ClientSecretFile == "" {
		return "", errors.New("is empty")
	}
	text, err := document.ReadFile(a.ClientSecretFile, maxSecretFile)
	if err != nil {
		return "", err
	}
	secret := bytes.TrimRight(text, "\r\n")
	if len(secret) == 0 || bytes.ContainsAny(secret, "\r\n\x00") {
		return "", fmt.Errorf("%s does not hold one secret on one line", a.ClientSecretFile)
	}
	return string(secret), nil
}

func (a *auth0) newToken() *freshness.Value[string] {
	return freshness.NewValue(a.now, rand.Float64, a.fetchToken)
}

// currentToken returns the token, and the value that it is of.
func (a *auth0) currentToken(
	ctx context.Context,
) (token string, of *freshness.Value[string], err error) {
	a.mu.Lock()
	of = a.token
	a.mu.Unlock()
	token, _, err = of.Get(ctx)
	return token, of, err
}

// renewToken has the next caller get another token, unless somebody else has seen to it.
func (a *auth0) renewToken(refused *freshness.Value[string]) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.token == refused {
		a.token = a.newToken()
	}
}

// fetch asks for a user. A token that is not taken any more, because the application's secret was
// rotated or its grant was changed, is replaced once. If the new one is not taken either, nobody is
// asked for a while: each user would cost a token, and Auth0 counts those.
func (a *auth0) fetch(ctx context.Context, of key) (map[string]any, error) {
	if of.subject == "." || of.subject == ".." {
		return nil, refuse(delegation.CodeProfileInvalid,
			"the subject is . or .., which is no user of Auth0")
	}
	token, value, err := a.currentToken(ctx)
	if err != nil {
		return nil, a.tokenFailed(ctx, err)
	}
	got, err := a.askFor(ctx, of, token)
	if err == nil && got.status == http.StatusUnauthorized {
		a.renewToken(value)
		token, _, err = a.currentToken(ctx)
		if err != nil {
			return nil, a.tokenFailed(ctx, err)
		}
		got, err = a.askFor(ctx, of, token)
		if err == nil && got.status == http.StatusUnauthorized {
			refused := refuse(delegation.CodeProfileUnauthorized,
				"%s answered 401 to a new token", a.origin)
			refused.pause = tokenPause
			return nil, refused
		}
	}
	if err != nil {
		return nil, err
	}
	if got.status == http.StatusForbidden {
		return nil, refuse(delegation.CodeProfileUnauthorized, "%s answered 403: authorize the "+
			"application for the Management API with the scope read:users", a.origin)
	}
	return got.profile("user_id", of.subject)
}

func (a *auth0) askFor(ctx context.Context, of key, token string) (*reply, error) {
	address := a.origin + "/api/v2/users/" + escape(of.subject)
	if len(a.Fields) > 0 {
		fields := slices.Clone(a.Fields)
		if !slices.Contains(fields, "user_id") { // which is compared
			fields = append(fields, "user_id")
		}
		address += "?include_fields=true&fields=" + escape(strings.Join(fields, ","))
	}
	return ask(ctx, a.client, question{address: address, bearer: token, maxSize: a.maxSize})
}

// tokenFailed is the error of a token that could not be had. If this caller's time is over, the
// request for the token goes on for others.
func (a *auth0) tokenFailed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return refuse(delegation.CodeProfileUnavailable,
			"%s did not give a token in time: %w", a.origin, ctx.Err())
	}
	var refused *refusal
	if errors.As(err, &refused) {
		return refused
	}
	return refuse(delegation.CodeProfileUnavailable, "the token of %s: %w", a.origin, err)
}

// tokenTimeout is for the request of a token, which all callers share.
const tokenTimeout = 10 * time.Second

// maxTokenAnswer is in bytes.
const maxTokenAnswer = 64 << 10

// fetchToken gets a token by the client credentials grant (RFC 6749 §4.4).
func (a *auth0) fetchToken(ctx context.Context) (token string, until time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, tokenTimeout)
	defer cancel()
	secret, err := a.secret()
	if err != nil {
		return "", until, refuse(delegation.CodeProfileUnauthorized, "the client secret: %w", err)
	}
	asked := a.now()
	got, err := ask(ctx, a.client, question{
		address: a.origin + "/oauth/token",
		form: url.Values{
			"grant_type":    {"client_credentials"},
			"client_id":     {a.ClientID},
			"client_secret": {secret},
			"audience":      {a.origin + "/api/v2/"},
		},
		maxSize: maxTokenAnswer,
	})
	if err != nil {
		return "", until, err
	}
	if got.status != http.StatusOK {
		refused := refuse(delegation.CodeProfileUnauthorized, "%s answered %d instead of a "+
			"token: check the client ID and its secret, that the domain is not a custom one, and "+
			"that the application is authorized for the Management API", a.origin, got.status)
		refused.pause = tokenPause
		return "", until, refused
	}
	var answer struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
		ExpiresIn   int    `json:"expires_in"`
	}
	err = json.Unmarshal(got.body, &answer)
	isBearer := strings.EqualFold(answer.TokenType, "Bearer")
	if err != nil || !isHeaderText(answer.AccessToken) || !isBearer || answer.ExpiresIn <= 0 {
		return "", until, refuse(delegation.CodeProfileInvalid,
			"%s did not answer with a bearer token that expires", a.origin)
	}
	life := time.Duration(min(answer.ExpiresIn, mostTokenLife)) * time.Second
	return answer.AccessToken, asked.Add(life), nil
}

// mostTokenLife is the most that Auth0 lets the Management API's tokens live, in seconds.
const mostTokenLife = 30 * 24 * 60 * 60

// isHeaderText tells whether a token can be in a header.
func isHeaderText(token string) bool {
	odd := func(r rune) bool { return r <= ' ' || r > '~' }
	return token != "" && !strings.ContainsFunc(token, odd)
}
