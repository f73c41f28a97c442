// The verification of tokens and key sets is tested through the root package, with its codes: see
// token_test.go and keys_test.go there. Here is what only a caller of this package can see.
package idtoken_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seed055b7978/delegation/internal/idtoken"
)

const (
	published = "https://issuer.example.com"
	shared    = "https://shared.example.com"
	secret    = "canary-shared-secret-0123456789-abcdef"
)

var errDown = errors.New("the issuer is down")

type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// verifier has an issuer that is down and one with a shared secret. Failed refreshes are reported
// to the function.
func verifier(failed func(issuer string, err error)) *idtoken.Verifier {
	down := transportFunc(func(*http.Request) (*http.Response, error) { return nil, errDown })
	return idtoken.New(idtoken.Config{
		MaxSize: 1 << 10, Now: func() time.Time { return time.Unix(1795424400, 0) },
		Client: &http.Client{Transport: down}, RefreshFailed: failed,
	}, []idtoken.Issuer{
		{URL: published, Algorithms: []string{"RS256"}},
		{URL: shared, Algorithms: []string{"HS256"}, SharedSecret: func() string { return secret }},
	})
}

func codeOf(err error) string {
	var e *idtoken.Error
	if !errors.As(err, &e) {
		return fmt.Sprint(err)
	}
	return e.Code
}

var encode = base64.RawURLEncoding.EncodeToString

// token is a token of the issuer with a signature of no key.
func token(algorithm, iss string) string {
	return encode(fmt.Appendf(nil, `{"alg":%q,"kid":"k"}`, algorithm)) + "." +
		encode(fmt.Appendf(nil, `{"iss":%q}`, iss)) + ".AAAA"
}

// Every door refuses an issuer that is not among the verifier's, and asks nobody.
func TestUnknownIssuer(t *testing.T) {
	v := verifier(func(string, error) { t.Error("an issuer was asked") })
	const other = published + "/"
	_, err := v.Verify(t.Context(), token("RS256", other))
	for name, err := range map[string]error{
		"Verify":          err,
		"VerifySignature": v.VerifySignature(t.Context(), other, token("RS256", published)),
		"CheckKeys":       v.CheckKeys(t.Context(), other),
	} {
		if got := codeOf(err); got != "issuer_unknown" {
			t.Errorf("%s: got %s", name, got)
		}
	}
}

// A failed refresh is reported once, with the issuer, and its cause can be told.
func TestRefreshFailed(t *testing.T) {
	var reports []string
	v := verifier(func(issuer string, err error) {
		if !errors.Is(err, errDown) {
			t.Errorf("the cause is lost: %v", err)
		}
		reports = append(reports, issuer+" "+codeOf(err))
	})
	for range 3 { // the second and third within the pause
		_, err := v.Verify(t.Context(), token("RS256", published))
		if got := codeOf(err); got != "key_set_unavailable" || !errors.Is(err, errDown) {
			t.Errorf("got %s, %v", got, err)
		}
	}
	if got, want := strings.Join(reports, ", "), published+" key_set_unavailable"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// The end of the caller's context is no refusal of the token, and comes back as it is.
func TestCanceled(t *testing.T) {
	v := verifier(func(string, error) {})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := v.Verify(ctx, token("RS256", published)); err != context.Canceled {
		t.Errorf("Verify: got %v", err)
	}
	if err := v.CheckKeys(ctx, published); err != context.Canceled {
		t.Errorf("CheckKeys: got %v", err)
	}
	if err := v.CheckKeys(ctx, shared); err != nil {
		t.Errorf("a shared secret waits for nobody: %v", err)
	}
}

// A shared secret is for HS256 alone (see Algorithms), even where an issuer's list says more.
func TestSharedSecretIsForHS256(t *testing.T) {
	for algorithm, want := range map[string]string{
		"HS256": "signature_invalid", "HS384": "key_unsuitable", "HS512": "key_unsuitable",
		"RS256": "key_unsuitable", "EdDSA": "key_unsuitable",
	} {
		v := idtoken.New(idtoken.Config{MaxSize: 1 << 10, Now: time.Now}, []idtoken.Issuer{{
			URL: shared, Algorithms: []string{algorithm},
			SharedSecret: func() string { return secret },
		}})
		if _, err := v.Verify(t.Context(), token(algorithm, shared)); codeOf(err) != want {
			t.Errorf("%s: got %s, want %s", algorithm, codeOf(err), want)
		}
	}
}

func TestSecretIsNotShown(t *testing.T) {
	v := verifier(func(string, error) {})
	_, err := v.Verify(t.Context(), token("HS256", shared))
	if got := codeOf(err); got != "signature_invalid" {
		t.Fatalf("got %s", got)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
		said := fmt.Sprintf(verb, []any{v, *v, err})
		for _, spelling := range []string{secret, fmt.Sprintf("%x", secret),
			fmt.Sprint([]byte(secret))} {
			if strings.Contains(said, strings.Trim(spelling, "[]")) {
				t.Errorf("%s shows it: %s", verb, said)
			}
		}
	}
}

func TestError(t *testing.T) {
	cause := errors.New("no answer")
	down := &idtoken.Error{Code: "key_set_unavailable", Err: cause}
	unknown := &idtoken.Error{Code: "key_unknown", Err: errors.New("no such key"), Refresh: down}
	if got, want := down.Error(), "no answer (key_set_unavailable)"; got != want ||
		!errors.Is(down, cause) {
		t.Errorf("got %q, want %q", got, want)
	}
	got, want := unknown.Error(),
		"no such key (key_unknown), and its last refresh failed: no answer (key_set_unavailable)"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What one caller does to the list is not seen by another.
func TestAlgorithms(t *testing.T) {
	clear(idtoken.Algorithms())
	if got := strings.Join(idtoken.Algorithms(),
		" "); got != "RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA" {
		t.Errorf("got %s", got)
	}
}
