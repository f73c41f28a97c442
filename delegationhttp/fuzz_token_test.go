package delegationhttp_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/delegationhttp"
)

// ofTokenExchange are the parameters of the protocol, which rules must not see.
var ofTokenExchange = []string{
	"grant_type", "subject_token", "subject_token_type", "actor_token", "actor_token_type",
	"requested_token_type", "scope", "client_id", "client_secret", "client_assertion",
	"client_assertion_type", "audience", "resource",
}

// FuzzToken: any form is refused or understood, and then as net/url understands it: one token, one
// target, and no parameter of the protocol among those of the rules.
func FuzzToken(f *testing.F) {
	good := exchangeForm("token", nil)
	for _, seed := range []string{
		good, good + "&audience=" + app, good + "&audience=other", good + "&resource=other",
		good + "&resource=https://photos.example.com/", good + "&scope=a+b", good + "&scope=%22",
		good + "&actor_token=x&actor_token_type=" + typePrefix + "jwt", good + "&actor_token=x",
		good + "&client_id=" + app, good + "&client_id=other", good + "&client_secret=x",
		good + "&client_secret=", good + "&subject_token=", good + "&x=1&x=1", good + "&x=%ff",
		good + "&%00=%00", good + "&=1", good + ";x=1", good + "&x=%", "&&" + good,
		strings.ToUpper(good), "\ufeff" + good, "", "audience=a", "grant_type=" + tokenGrant,
	} {
		f.Add(seed)
	}
	var seen spied
	h := mount(f, delegationhttp.Config{Exchanger: newSpy(f, app, &seen)})
	f.Fuzz(func(t *testing.T, body string) {
		seen = spied{}
		a := ask(t, h, postToken(body))
		if a.text("error") == "" || a.text("error_description") == "" || len(a.json) != 2 {
			t.Fatalf("%q: %d %s", body, a.status, a.body)
		}
		all, err := url.ParseQuery(body)
		if seen.times == 0 {
			known := []int{
				http.StatusBadRequest, http.StatusUnauthorized, http.StatusRequestEntityTooLarge,
			}
			if !slices.Contains(known, a.status) {
				t.Fatalf("%q: %d %s", body, a.status, a.body)
			}
			return
		}
		if err != nil || seen.times != 1 || seen.token != all.Get("subject_token") ||
			seen.token == "" || all.Get("grant_type") != tokenGrant ||
			all.Get("client_secret") != "" || seen.target == "" || len(seen.target) > 256 {
			t.Fatalf("%q became %+v", body, seen)
		}
		for _, name := range slices.Concat(all["audience"], all["resource"]) {
			if name != "" && name != seen.target {
				t.Fatalf("%q is for %q", body, seen.target)
			}
		}
		for name, value := range seen.parameters {
			if slices.Contains(ofTokenExchange, name) || value != all.Get(name) || value == "" {
				t.Fatalf("%q: rules see %q: %v", body, name, value)
			}
		}
	})
}
