package delegation_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation"
)

// TestWhoseTokenItIs: an operator reads which issuer and application a refused token is of, and
// which ones are configured. Strangers read neither.
func TestWhoseTokenItIs(t *testing.T) {
	many := []string{"a1", "a2", "a3", "a4", "a5", "a6", "a7"}
	for name, row := range map[string]struct {
		audiences, parties []string
		issuers            []string
		claims             map[string]any
		clientID           string
		want               string
	}{
		"another client_id": {
			clientID: "other",
			want: `a token of the issuer "ISSUER": the caller says that it is the application ` +
				`"other", but the token was issued to "photo-app", for the audience "photo-app"`,
		},
		"another application": {
			claims:  map[string]any{"aud": []string{app, "spa"}, "azp": "spa"},
			parties: []string{"partner"},
			want: `the token of the issuer "ISSUER" was issued to the application "spa", which ` +
				`may not call the target "photo-app": it accepts tokens of the applications ` +
				`"photo-app", "partner"`,
		},
		"another application of many": {
			audiences: many,
			want: `the token of the issuer "ISSUER" was issued to the application "photo-app", ` +
				`which may not call the target "photo-app": it accepts tokens of the ` +
				`applications "a1", "a2", "a3", "a4", "a5", 2 more`,
		},
		"another audience": {
			audiences: []string{"api"},
			parties:   []string{app},
			want: `the audience of the token of the issuer "ISSUER" is "photo-app", which is ` +
				`none of the target "photo-app": its audiences are "api"`,
		},
		"another issuer": {
			issuers: []string{"https://other.example.com"},
			want: `the target "photo-app" does not accept tokens of the issuer "ISSUER": its ` +
				`issuers are "https://other.example.com"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if row.issuers != nil {
				w.config.Issuers = append(w.config.Issuers,
					delegation.Issuer{URL: "https://other.example.com"})
			}
			w.target(func(target *delegation.Target) {
				target.Audiences = row.audiences
				target.AuthorizedParties = row.parties
				target.Issuers = row.issuers
			})
			_, err := w.delegator(t).Exchange(t.Context(), w.token(row.claims), app,
				delegation.WithClientID(row.clientID))
			var failure *delegation.Error
			if !errors.As(err, &failure) || failure.Stage != delegation.StageTarget {
				t.Fatalf("got %v", err)
			}
			want := strings.ReplaceAll(row.want, "ISSUER", w.url)
			if got := fmt.Sprint(failure.Err); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if public := failure.Public(); public != "this application may not use the target" {
				t.Errorf("strangers see %q", public)
			}
		})
	}
}
