package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// claimsOf are those of a JWT, whose signature the service checks.
func claimsOf(t *testing.T, token string) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("the token has %d parts", len(parts))
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	claims := map[string]any{}
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

// authorizeURL is the address of a sign-in, with parameters changed.
func authorizeURL(a *album, change map[string]string) string {
	query := url.Values{
		"response_type":         {"code"},
		"client_id":             {clientID},
		"redirect_uri":          {a.page + "/"},
		"scope":                 {"openid profile"},
		"state":                 {"a-state"},
		"code_challenge":        {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"},
		"code_challenge_method": {"S256"},
	}
	for name, value := range change {
		if value == "" {
			query.Del(name)
			continue
		}
		query.Set(name, value)
	}
	return a.issuer + "/authorize?" + query.Encode()
}

func TestProvider_Claims(t *testing.T) {
	a := newAlbum(t)
	a.clock.advance(3 * time.Hour)
	alice := signedIn(t, a, "alice")
	claims := claimsOf(t, alice.tokens.ID)
	for name, want := range map[string]string{
		"iss": a.issuer, "sub": "alice", "email": "alice@example.com", "name": "Alice Archer",
	} {
		if claims[name] != want {
			t.Errorf("%s is %v, want %s", name, claims[name], want)
		}
	}
	now := a.clock.Now()
	at := func(name string) time.Time {
		seconds, _ := claims[name].(float64)
		return time.Unix(int64(seconds), 0)
	}
	for name, want := range map[string]time.Time{
		"iat": now, "auth_time": now, "exp": now.Add(idTokenLife),
	} {
		if off := at(name).Sub(want).Abs(); off > 30*time.Second {
			t.Errorf("%s is %s off the album's clock", name, off)
		}
	}
}

func TestProvider_RefusesSignIn(t *testing.T) {
	a := newAlbum(t)
	v := newVisitor(a)
	for name, password := range map[string]string{
		"alice": "bob-password", "Alice": "alice-password", "mallory": "", "": "",
	} {
		err := v.signIn(t.Context(), name, password)
		if err == nil || !strings.Contains(err.Error(), "HTTP 403") {
			t.Errorf("%q: got %v, want a refusal of the password", name, err)
		}
	}
	if err := v.signIn(t.Context(), "alice", "alice-password"); err != nil {
		t.Errorf("after the refusals: %v", err)
	}
}

func TestProvider_RefusesRequests(t *testing.T) {
	a := newAlbum(t)
	browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	for name, want := range map[string]struct {
		change map[string]string
		status int
		error  string // that the page is told; empty: the browser is not sent back
	}{
		"another redirect": {
			change: map[string]string{"redirect_uri": "https://mallory.example.com/"},
			status: http.StatusBadRequest,
		},
		"another client": {
			change: map[string]string{"client_id": "other"},
			status: http.StatusBadRequest,
		},
		"implicit flow": {
			change: map[string]string{"response_type": "id_token", "nonce": "n"},
			status: http.StatusFound,
			error:  "unauthorized_client",
		},
		"silently": {
			change: map[string]string{"prompt": "none"},
			status: http.StatusFound,
			error:  "login_required",
		},
	} {
		response, err := browser.Get(authorizeURL(a, want.change))
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		location := response.Header.Get("Location")
		if response.StatusCode != want.status || !strings.Contains(location, want.error) ||
			want.error != "" && !strings.HasPrefix(location, a.page+"/") {
			t.Errorf("%s: got HTTP %d to %s", name, response.StatusCode, location)
		}
	}
}

// TestProvider_PKCE: a code needs the verifier of the browser that asked for it, and a sign-in
// without a challenge gets no token.
func TestProvider_PKCE(t *testing.T) {
	a := newAlbum(t)
	redeem := func(change map[string]string, verifier string) (v *visitor, code string, err error) {
		v = newVisitor(a)
		back, err := v.logIn(t.Context(), authorizeURL(a, change), "alice", "alice-password")
		if err != nil {
			t.Fatal(err)
		}
		code = back.Query().Get("code")
		return v, code, v.redeemCode(t.Context(), code, verifier)
	}
	const verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" // RFC 7636, appendix B
	v, code, err := redeem(nil, verifier)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.redeemCode(t.Context(), code, verifier); err == nil {
		t.Error("a code counts twice")
	}
	if v, _, err := redeem(nil, "another-verifier-of-forty-three-characters."); err == nil {
		t.Errorf("another verifier gets %d bytes of token", len(v.tokens.ID))
	}
	without := map[string]string{"code_challenge": "", "code_challenge_method": ""}
	if _, _, err := redeem(without, ""); err == nil {
		t.Error("a sign-in without PKCE gets a token")
	}
}

func (v *visitor) redeemCode(ctx context.Context, code, verifier string) error {
	return v.redeem(ctx, url.Values{
		"grant_type":    {"authorization_code"},
		"code":          {code},
		"redirect_uri":  {v.album.page + "/"},
		"code_verifier": {verifier},
	})
}

func TestProvider_RefreshTokens(t *testing.T) {
	a := newAlbum(t)
	v := signedIn(t, a, "bob")
	first := v.tokens
	if err := v.renew(t.Context()); err != nil {
		t.Fatal(err)
	}
	if v.tokens.Refresh == first.Refresh || v.tokens.Refresh == "" {
		t.Error("the refresh token is not replaced")
	}
	if claimsOf(t, v.tokens.ID)["sub"] != "bob" {
		t.Error("the new ID token is another user's")
	}
	second := v.tokens
	v.tokens = first
	if err := v.renew(t.Context()); err == nil {
		t.Error("a refresh token counts twice")
	}
	v.tokens = second
	a.clock.advance(refreshLife)
	if err := v.renew(t.Context()); err == nil {
		t.Error("a refresh token never ends")
	}
}

func TestProvider_SignInEnds(t *testing.T) {
	a := newAlbum(t)
	response, err := http.Get(authorizeURL(a, nil))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	form, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	id := string(loginID.FindSubmatch(form)[1])
	a.clock.advance(signInLife)
	late, err := http.PostForm(a.issuer+loginPath, url.Values{
		"id": {id}, "username": {"alice"}, "password": {"alice-password"},
	})
	if err != nil {
		t.Fatal(err)
	}
	late.Body.Close()
	if late.StatusCode != http.StatusNotFound {
		t.Errorf("got HTTP %d, want %d", late.StatusCode, http.StatusNotFound)
	}
}

// TestProvider_Pages: pages of the album's origin may call the provider, and no others.
func TestProvider_Pages(t *testing.T) {
	a := newAlbum(t)
	for origin, want := range map[string]string{a.page: a.page, a.service: "", "null": ""} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet,
			a.issuer+"/.well-known/openid-configuration", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Origin", origin)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if got := response.Header.Get("Access-Control-Allow-Origin"); got != want {
			t.Errorf("%s: got %q, want %q", origin, got, want)
		}
	}
}

func TestLoginPage(t *testing.T) {
	a := newAlbum(t)
	response, err := http.Get(authorizeURL(a, nil))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	form, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range users {
		for _, want := range []string{"Sign in as " + u.fullName, u.password, u.about} {
			if !strings.Contains(string(form), want) {
				t.Errorf("the login page lacks %q", want)
			}
		}
	}
	policy := response.Header.Get("Content-Security-Policy")
	if !strings.Contains(policy, "form-action 'self' "+a.page+";") ||
		!strings.Contains(policy, "default-src 'none'") {
		t.Errorf("the policy is %s", policy)
	}
	wrong, err := http.PostForm(a.issuer+loginPath, url.Values{
		"id":       {string(loginID.FindSubmatch(form)[1])},
		"username": {`"><script>`},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer wrong.Body.Close()
	again, err := io.ReadAll(wrong.Body)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(again), `role="alert"`) ||
		strings.Contains(string(again), "<script>") {
		t.Error("the login page shows no problem, or what was typed as it is")
	}
}
