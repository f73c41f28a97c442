package main

import (
	"net/http"
	"strings"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/ststest"
)

// withScopes is a target with a scope.
func withScopes(of delegation.Target) delegation.Target {
	of.Audiences = []string{"photo-app"}
	of.Scopes = map[string]delegation.Scope{"photos.read": {Policy: `{"Version": "2012-10-17",
		"Statement": [{"Effect": "Allow", "Action": "s3:GetObject",
			"Resource": "arn:aws:s3:::photos/*"}]}`}}
	return of
}

// tokenRows are the answers of /token.
func tokenRows() []row {
	const types = "urn:ietf:params:oauth:token-type:"
	token := func(name, user string, more ...string) row {
		body := "grant_type=urn:ietf:params:oauth:grant-type:token-exchange&subject_token={" +
			user + "}&subject_token_type=" + types + "id_token"
		return row{
			name:    "token exchange: " + name,
			path:    "/token",
			body:    strings.Join(append([]string{body}, more...), "&"),
			service: full,
		}
	}
	with := func(r row, change func(*row)) row {
		change(&r)
		return r
	}
	good := func(name, user string, more ...string) row {
		return token(name, user, append(more, "audience=photo-app")...)
	}
	preflight := row{
		name: "token exchange: preflight", method: http.MethodOptions, path: "/token",
		header: []string{
			"Origin: https://app.example.com", "Access-Control-Request-Method: POST",
			"Access-Control-Request-Headers: content-type",
		},
		service: full,
	}
	return []row{
		good("success", "teo", "scope=", "device=phone"),
		token("success for a client", "tia", "client_id=photo-app", "resource=photo-app",
			"requested_token_type=https://github.com/seed055b7978/delegation/"+
				"token-type/aws-credentials"),
		token("a narrowed session", "uma", "audience=scoped", "scope=photos.read"),
		with(good("a page of an allowed origin", "uma"), func(r *row) {
			r.header = []string{"Origin: https://app.example.com"}
		}),
		token("no target", "ann"),
		good("two targets", "ann", "resource=other-app"),
		token("no such target", "ann", "audience=none"),
		token("a target that is not for this client", "ann", "audience=other-app"),
		token("a scope that the target does not have", "vic", "audience=scoped", "scope=other"),
		with(good("no subject_token", "ann"), func(r *row) {
			r.body = strings.Replace(r.body, "subject_token={ann}&", "", 1)
		}),
		with(good("another type of token", "ann"), func(r *row) {
			r.body = strings.Replace(r.body, "id_token", "saml2", 1)
		}),
		with(good("an ID token that is said to be an access token", "ann"), func(r *row) {
			r.body = strings.Replace(r.body, "id_token", "access_token", 1)
		}),
		good("an actor without a type", "ann", "actor_token={ann}"),
		good("an actor at a target that lets nobody act", "ann", "actor_token={ann}",
			"actor_token_type="+types+"jwt"),
		good("another token is asked for", "ann",
			"requested_token_type="+types+"access_token"),
		good("a repeated parameter", "ann", "scope=a", "scope=b"),
		with(good("another grant_type", "ann"), func(r *row) {
			r.body = strings.Replace(r.body, "token-exchange", "jwt-bearer", 1)
		}),
		good("an expired token", "expired"),
		good("denied by a rule", "denied"),
		good("another client's token", "ann", "client_id=other-app"),
		good("a client with a secret", "ann", "client_id=photo-app", "client_secret=x"),
		with(good("a client that authenticates", "ann"), func(r *row) {
			r.header = []string{"Authorization: Basic cGhvdG8tYXBwOng="}
		}),
		token("a decision without a role", "cid", "audience=incomplete"),
		token("refused by AWS", "dan", "audience=typo"),
		with(good("throttled by AWS", "xan"), func(r *row) {
			r.faults = []ststest.Fault{ststest.Throttle()}
		}),
		with(good("too many requests", "yan"), func(r *row) { r.times = 4 }),
		with(good("an address over its limit", "ann"), func(r *row) { r.service = busy }),
		with(good("another method", "ann"), func(r *row) { r.method = http.MethodGet }),
		with(good("JSON", "ann"), func(r *row) {
			r.contentType = "application/json"
			r.body = "{}"
		}),
		good("too large", "ann", "x="+strings.Repeat("x", 64<<10)),
		preflight,
		with(preflight, func(r *row) {
			r.name = "token exchange: preflight of another origin"
			r.header = []string{
				"Origin: https://evil.example.com", "Access-Control-Request-Method: POST",
			}
		}),
		with(good("that is off", "ann"), func(r *row) { r.service = "" }),
	}
}
