package delegation_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation"
	"golang.org/x/oauth2"
)

func TestTokenFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	for content, want := range map[string]string{
		"abc": "abc", "abc\n": "abc", "abc\r\n": "abc", "abc\n\n": "abc\n", "abc\r": "abc\r",
		" abc ":                    " abc ",
		strings.Repeat("a", 1<<20): strings.Repeat("a", 1<<20),
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := delegation.TokenFile(path)(t.Context()); got != want || err != nil {
			t.Errorf("%.20q: got %.20q, %v", content, got, err)
		}
	}
}

// TestTokenFile_Refused: the error names the file and never quotes it.
func TestTokenFile_Refused(t *testing.T) {
	folder := t.TempDir()
	for name, content := range map[string]string{
		"empty": "", "line-end": "\n", "dos-line-end": "\r\n",
		"huge": strings.Repeat("canary", 1<<18), "one-too-many": strings.Repeat("a", 1<<20) + "\n",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"empty", "line-end", "dos-line-end", "huge", "one-too-many",
		"missing", "."} {
		path := filepath.Join(folder, name)
		token, err := delegation.TokenFile(path)(t.Context())
		if err == nil || token != "" || strings.Contains(err.Error(), "canary") ||
			!strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %.20q, %v", name, token, err)
		}
	}
	if token, err := delegation.TokenFile("")(t.Context()); err == nil || token != "" {
		t.Errorf("no path: got %q, %v", token, err)
	}
}

type tokenFunc func() (*oauth2.Token, error)

func (f tokenFunc) Token() (*oauth2.Token, error) { return f() }

func TestTokenOAuth2(t *testing.T) {
	errDown := errors.New("down")
	with := func(extra any) tokenFunc {
		return func() (*oauth2.Token, error) {
			return (&oauth2.Token{AccessToken: "canary"}).WithExtra(extra), nil
		}
	}
	good := delegation.TokenOAuth2(with(map[string]any{"id_token": "abc"}))
	if token, err := good(t.Context()); token != "abc" || err != nil {
		t.Errorf("got %q, %v", token, err)
	}
	for name, row := range map[string]struct {
		source oauth2.TokenSource
		words  string
	}{
		"nil":          {nil, "is nil"},
		"no token":     {tokenFunc(func() (*oauth2.Token, error) { return nil, nil }), "no token"},
		"no extra":     {with(nil), "scope openid"},
		"no id_token":  {with(map[string]any{"scope": "openid"}), "scope openid"},
		"empty":        {with(map[string]any{"id_token": ""}), "scope openid"},
		"not a string": {with(map[string]any{"id_token": 1}), "scope openid"},
		"down":         {tokenFunc(func() (*oauth2.Token, error) { return nil, errDown }), "down"},
		"refused": {tokenFunc(func() (*oauth2.Token, error) {
			return nil, &oauth2.RetrieveError{Response: &http.Response{Status: "400 Bad Request"},
				ErrorCode: "invalid_grant", ErrorDescription: "canary", Body: []byte("canary")}
		}), `"invalid_grant" ("400 Bad Request")`},
		"a page": {tokenFunc(func() (*oauth2.Token, error) {
			return nil, &oauth2.RetrieveError{Response: &http.Response{Status: "502 Bad Gateway"},
				Body: []byte("canary")}
		}), "502 Bad Gateway"},
		"no answer": {tokenFunc(func() (*oauth2.Token, error) {
			return nil, &oauth2.RetrieveError{}
		}), "no status"},
	} {
		token, err := delegation.TokenOAuth2(row.source)(t.Context())
		if token != "" || err == nil || !strings.Contains(err.Error(), row.words) ||
			strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: got %q, %v", name, token, err)
		}
		var answer *oauth2.RetrieveError
		if errors.As(err, &answer) {
			t.Errorf("%s: the error leads to the answer's body", name)
		}
		if name == "down" && !errors.Is(err, errDown) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
