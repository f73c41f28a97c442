package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

const (
	clientID = "album"

	// signInLife is how long a sign-in may take, from the redirect to the login page until the page
	// has redeemed its code.
	signInLife = 10 * time.Minute

	// idTokenLife is the lifetime of an ID token. It is short, so that the page has to renew the
	// token.
	idTokenLife = 10 * time.Minute

	// refreshLife is the lifetime of a refresh token. Each use replaces the token by a new one.
	refreshLife = 8 * time.Hour

	// maxSignIns is how many sign-ins can be under way at the same time.
	maxSignIns = 1000
)

// storage is what the provider remembers, all in memory: sign-ins under way and tokens that it has
// issued. It implements [op.Storage]. All methods are safe for concurrent use.
type storage struct {
	clock *clock
	key   signingKey
	// redirectURI is the page's address, to which users return after they have signed in.
	redirectURI string

	mu            sync.Mutex
	signIns       map[string]signIn  // by ID
	codes         map[string]string  // IDs of sign-ins, by authorization code
	accessTokens  map[string]session // by ID
	refreshTokens map[string]session // by token
}

// newStorage makes a storage with its own key.
func newStorage(c *clock, redirectURI string) (*storage, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	return &storage{
		clock:         c,
		key:           signingKey{id: rand.Text(), private: key},
		redirectURI:   redirectURI,
		signIns:       map[string]signIn{},
		codes:         map[string]string{},
		accessTokens:  map[string]session{},
		refreshTokens: map[string]session{},
	}, nil
}

// signIn is a sign-in that is under way. It implements [op.AuthRequest].
type signIn struct {
	clock   *clock
	id      string
	request oidc.AuthRequest
	began   time.Time
	subject string    // empty until the user has signed in
	at      time.Time // when the user has signed in
}

func (s signIn) GetID() string         { return s.id }
func (s signIn) GetACR() string        { return "" }
func (s signIn) GetAMR() []string      { return []string{"pwd"} }
func (s signIn) GetAudience() []string { return []string{clientID} }

// GetAuthTime returns the machine's time, to which the library adds the offset by
// [client.ClockSkew].
func (s signIn) GetAuthTime() time.Time             { return s.at.Add(-s.clock.offset()) }
func (s signIn) GetClientID() string                { return s.request.ClientID }
func (s signIn) GetNonce() string                   { return s.request.Nonce }
func (s signIn) GetRedirectURI() string             { return s.request.RedirectURI }
func (s signIn) GetResponseType() oidc.ResponseType { return s.request.ResponseType }
func (s signIn) GetResponseMode() oidc.ResponseMode { return s.request.ResponseMode }
func (s signIn) GetScopes() []string                { return s.request.Scopes }
func (s signIn) GetState() string                   { return s.request.State }
func (s signIn) GetSubject() string                 { return s.subject }
func (s signIn) Done() bool                         { return s.subject != "" }

// GetCodeChallenge returns the challenge of PKCE. Without one the library refuses the code, because
// the client has no secret.
func (s signIn) GetCodeChallenge() *oidc.CodeChallenge {
	if s.request.CodeChallenge == "" {
		return nil
	}
	return &oidc.CodeChallenge{
		Challenge: s.request.CodeChallenge,
		Method:    s.request.CodeChallengeMethod,
	}
}

// session is the sign-in that an access token or a refresh token represents.
type session struct {
	subject string
	scopes  []string
	at      time.Time // when the user has signed in
	ends    time.Time
}

// refresh is a request with a refresh token. It implements [op.RefreshTokenRequest].
type refresh struct {
	clock *clock
	session
}

func (r *refresh) GetAMR() []string       { return []string{"pwd"} }
func (r *refresh) GetAudience() []string  { return []string{clientID} }
func (r *refresh) GetAuthTime() time.Time { return r.at.Add(-r.clock.offset()) }
func (r *refresh) GetClientID() string    { return clientID }
func (r *refresh) GetScopes() []string    { return r.scopes }
func (r *refresh) GetSubject() string     { return r.subject }

// SetCurrentScopes narrows the scopes of the new tokens.
func (r *refresh) SetCurrentScopes(scopes []string) { r.scopes = scopes }

var (
	errNoSignIn = errors.New("this sign-in has ended: go back to the page and sign in again")
	errNoToken  = errors.New("the token is unknown or has expired")
	errNoClient = errors.New("the client is unknown")
)

// CreateAuthRequest implements [op.AuthStorage].
func (s *storage) CreateAuthRequest(
	_ context.Context, request *oidc.AuthRequest, _ string,
) (op.AuthRequest, error) {
	if slices.Contains(request.Prompt, oidc.PromptNone) {
		// The provider does not remember browsers that have signed in.
		return nil, oidc.ErrLoginRequired()
	}
	if request.ResponseType != oidc.ResponseTypeCode {
		return nil, oidc.ErrInvalidRequest().WithDescription("response_type must be code")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock.Now()
	maps.DeleteFunc(s.signIns, func(_ string, old signIn) bool {
		return now.Sub(old.began) >= signInLife
	})
	if len(s.signIns) >= maxSignIns {
		return nil, oidc.ErrServerError().WithDescription("too many sign-ins are under way")
	}
	begun := signIn{clock: s.clock, id: rand.Text(), request: *request, began: now}
	s.signIns[begun.id] = begun
	return begun, nil
}

// AuthRequestByID implements [op.AuthStorage].
func (s *storage) AuthRequestByID(_ context.Context, id string) (op.AuthRequest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.find(id)
}

// find returns the sign-in with this ID, unless it has expired. The caller holds the lock.
func (s *storage) find(id string) (signIn, error) {
	found, ok := s.signIns[id]
	if !ok || s.clock.Since(found.began) >= signInLife {
		return signIn{}, errNoSignIn
	}
	return found, nil
}

// finish records who has signed in.
func (s *storage) finish(id string, u user) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, err := s.find(id)
	if err != nil {
		return err
	}
	found.subject = u.name
	found.at = s.clock.Now()
	s.signIns[id] = found
	return nil
}

// SaveAuthCode implements [op.AuthStorage].
func (s *storage) SaveAuthCode(_ context.Context, id, code string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.codes, func(_, of string) bool {
		_, err := s.find(of)
		return err != nil
	})
	s.codes[code] = id
	return nil
}

// AuthRequestByCode implements [op.AuthStorage]. A code can be used once, even if a later step
// fails.
func (s *storage) AuthRequestByCode(_ context.Context, code string) (op.AuthRequest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, ok := s.codes[code]
	if !ok {
		return nil, errNoSignIn
	}
	delete(s.codes, code)
	return s.find(id)
}

// DeleteAuthRequest implements [op.AuthStorage].
func (s *storage) DeleteAuthRequest(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.signIns, id)
	return nil
}

// CreateAccessToken implements [op.AuthStorage]. The access token is for the provider's own
// userinfo endpoint.
func (s *storage) CreateAccessToken(
	_ context.Context, request op.TokenRequest,
) (id string, ends time.Time, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, ends = s.issue(request)
	return id, ends, nil
}

// issue makes an access token. The caller holds the lock.
func (s *storage) issue(request op.TokenRequest) (id string, ends time.Time) {
	now := s.clock.Now()
	ended := func(_ string, old session) bool { return !now.Before(old.ends) }
	maps.DeleteFunc(s.accessTokens, ended)
	maps.DeleteFunc(s.refreshTokens, ended)
	id = rand.Text()
	ends = now.Add(idTokenLife)
	s.accessTokens[id] = session{
		subject: request.GetSubject(),
		scopes:  request.GetScopes(),
		ends:    ends,
	}
	return id, ends
}

// CreateAccessAndRefreshTokens implements [op.AuthStorage]. A refresh token can be used
// once.
func (s *storage) CreateAccessAndRefreshTokens(
	_ context.Context, request op.TokenRequest, current string,
) (id, refreshToken string, ends time.Time, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := session{
		subject: request.GetSubject(),
		scopes:  request.GetScopes(),
		ends:    s.clock.Now().Add(refreshLife),
	}
	switch r := request.(type) {
	case signIn:
		next.at = r.at
	case *refresh:
		if _, ok := s.refreshTokens[current]; !ok {
			return "", "", time.Time{}, oidc.ErrInvalidGrant().WithParent(errNoToken)
		}
		delete(s.refreshTokens, current)
		next.at = r.at
	}
	id, ends = s.issue(request)
	refreshToken = rand.Text()
	s.refreshTokens[refreshToken] = next
	return id, refreshToken, ends, nil
}

// TokenRequestByRefreshToken implements [op.AuthStorage].
func (s *storage) TokenRequestByRefreshToken(
	_ context.Context, token string,
) (op.RefreshTokenRequest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.refreshTokens[token]
	if !ok || s.clock.Since(found.ends) >= 0 {
		return nil, errNoToken
	}
	return &refresh{clock: s.clock, session: found}, nil
}

// TerminateSession implements [op.AuthStorage]: it ends all tokens of a user.
func (s *storage) TerminateSession(_ context.Context, subject, _ string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	theirs := func(_ string, of session) bool { return of.subject == subject }
	maps.DeleteFunc(s.accessTokens, theirs)
	maps.DeleteFunc(s.refreshTokens, theirs)
	return nil
}

// RevokeToken implements [op.AuthStorage]. An unknown token is no error (RFC 7009, section 2.2).
func (s *storage) RevokeToken(_ context.Context, token, _, _ string) *oidc.Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.accessTokens, token)
	delete(s.refreshTokens, token)
	return nil
}

// GetRefreshTokenInfo implements [op.AuthStorage].
func (s *storage) GetRefreshTokenInfo(
	_ context.Context, _, token string,
) (subject, id string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.refreshTokens[token]
	if !ok {
		return "", "", op.ErrInvalidRefreshToken
	}
	return found.subject, token, nil
}

// signingKey is the provider's key, as the library reads it to sign and to publish it.
type signingKey struct {
	id      string
	private *rsa.PrivateKey
}

func (k signingKey) ID() string                                  { return k.id }
func (k signingKey) SignatureAlgorithm() jose.SignatureAlgorithm { return jose.RS256 }
func (k signingKey) Key() any                                    { return k.private }

// publicKey is the public half of a signingKey.
type publicKey struct{ of signingKey }

func (k publicKey) ID() string                         { return k.of.id }
func (k publicKey) Algorithm() jose.SignatureAlgorithm { return jose.RS256 }
func (k publicKey) Use() string                        { return "sig" }
func (k publicKey) Key() any                           { return &k.of.private.PublicKey }

// SigningKey implements [op.AuthStorage].
func (s *storage) SigningKey(context.Context) (op.SigningKey, error) { return s.key, nil }

// SignatureAlgorithms implements [op.AuthStorage].
func (s *storage) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	return []jose.SignatureAlgorithm{jose.RS256}, nil
}

// KeySet implements [op.AuthStorage].
func (s *storage) KeySet(context.Context) ([]op.Key, error) {
	return []op.Key{publicKey{s.key}}, nil
}

// GetClientByClientID implements [op.OPStorage].
func (s *storage) GetClientByClientID(_ context.Context, id string) (op.Client, error) {
	if id != clientID {
		return nil, errNoClient
	}
	return client{s}, nil
}

// AuthorizeClientIDSecret implements [op.OPStorage]. The client is public and has no secret.
func (s *storage) AuthorizeClientIDSecret(context.Context, string, string) error {
	return errNoClient
}

// SetUserinfoFromScopes implements [op.OPStorage]. SetUserinfoFromRequest has replaced it.
func (s *storage) SetUserinfoFromScopes(
	context.Context, *oidc.UserInfo, string, string, []string,
) error {
	return nil
}

// SetUserinfoFromRequest implements [op.CanSetUserinfoFromRequest]: it fills in an ID token.
func (s *storage) SetUserinfoFromRequest(
	_ context.Context, info *oidc.UserInfo, request op.IDTokenRequest, scopes []string,
) error {
	return describe(info, request.GetSubject(), scopes)
}

// SetUserinfoFromToken implements [op.OPStorage]: it answers the userinfo endpoint.
func (s *storage) SetUserinfoFromToken(
	_ context.Context, info *oidc.UserInfo, id, _, _ string,
) error {
	s.mu.Lock()
	found, ok := s.accessTokens[id]
	s.mu.Unlock()
	if !ok || s.clock.Since(found.ends) >= 0 {
		return errNoToken
	}
	return describe(info, found.subject, found.scopes)
}

// describe sets the claims about a user that the scopes ask for. Groups come with the scope
// profile.
func describe(info *oidc.UserInfo, subject string, scopes []string) error {
	u, ok := findUser(subject)
	if !ok {
		return errors.New("the user is unknown")
	}
	info.Subject = u.name
	if slices.Contains(scopes, oidc.ScopeEmail) {
		info.Email = u.name + "@example.com"
		info.EmailVerified = true
	}
	if slices.Contains(scopes, oidc.ScopeProfile) {
		info.Name = u.fullName
		info.PreferredUsername = u.name
		info.AppendClaims("groups", u.groups)
	}
	return nil
}

// SetIntrospectionFromToken implements [op.OPStorage]. No client may introspect.
func (s *storage) SetIntrospectionFromToken(
	context.Context, *oidc.IntrospectionResponse, string, string, string,
) error {
	return errNoToken
}

// GetPrivateClaimsFromScopes implements [op.OPStorage].
func (s *storage) GetPrivateClaimsFromScopes(
	context.Context, string, string, []string,
) (map[string]any, error) {
	return nil, nil
}

// GetKeyByIDAndClientID implements [op.OPStorage]. The client has no key.
func (s *storage) GetKeyByIDAndClientID(
	context.Context, string, string,
) (*jose.JSONWebKey, error) {
	return nil, errNoClient
}

// ValidateJWTProfileScopes implements [op.OPStorage].
func (s *storage) ValidateJWTProfileScopes(
	context.Context, string, []string,
) ([]string, error) {
	return nil, errNoClient
}

// Health implements [op.Storage].
func (s *storage) Health(context.Context) error { return nil }

// client is the page, as the provider knows it: a public client with PKCE. It implements
// [op.Client].
type client struct{ storage *storage }

func (c client) GetID() string                       { return clientID }
func (c client) RedirectURIs() []string              { return []string{c.storage.redirectURI} }
func (c client) PostLogoutRedirectURIs() []string    { return []string{c.storage.redirectURI} }
func (c client) ApplicationType() op.ApplicationType { return op.ApplicationTypeUserAgent }
func (c client) AuthMethod() oidc.AuthMethod         { return oidc.AuthMethodNone }
func (c client) LoginURL(id string) string           { return loginPath + "?id=" + id }
func (c client) AccessTokenType() op.AccessTokenType { return op.AccessTokenTypeBearer }
func (c client) IsScopeAllowed(string) bool          { return false }

func (c client) ResponseTypes() []oidc.ResponseType {
	return []oidc.ResponseType{oidc.ResponseTypeCode}
}

func (c client) GrantTypes() []oidc.GrantType {
	return []oidc.GrantType{oidc.GrantTypeCode, oidc.GrantTypeRefreshToken}
}

// DevMode permits redirects to plain http, as on loopback.
func (c client) DevMode() bool { return true }

// IDTokenUserinfoClaimsAssertion puts name, email address and groups into ID tokens.
func (c client) IDTokenUserinfoClaimsAssertion() bool { return true }

// ClockSkew moves iat from the machine's time to the album's. The library subtracts it from iat,
// and adds it to exp.
func (c client) ClockSkew() time.Duration { return -c.storage.clock.offset() }

// IDTokenLifetime compensates for what ClockSkew takes from exp.
func (c client) IDTokenLifetime() time.Duration {
	return idTokenLife + 2*c.storage.clock.offset()
}

func (c client) RestrictAdditionalIdTokenScopes() func([]string) []string { return all }

func (c client) RestrictAdditionalAccessTokenScopes() func([]string) []string { return all }

func all(scopes []string) []string { return scopes }
