package main

import (
	"net/http"
	"strings"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
	"github.com/seed055b7978/delegation/ststest"
)

// stsRows are the answers of /sts/{target}.
func (w *answersWorld) stsRows() []row {
	assume := func(name, user string, more ...string) row {
		body := "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=" +
			service.DemoRole + "&RoleSessionName=session-1&WebIdentityToken={" + user + "}"
		return row{
			name:    "sts: " + name,
			path:    "/sts/photo-app",
			body:    strings.Join(append([]string{body}, more...), "&"),
			service: full,
		}
	}
	at := func(path string, r row) row {
		r.path = path
		return r
	}
	call := func(name, body string) row {
		return row{name: "sts: " + name, path: "/sts/photo-app", body: body, service: full}
	}
	otherRole := assume("another role", "sue")
	otherRole.body = strings.Replace(otherRole.body, service.DemoRole, service.DemoRole+"s", 1)
	throttled := assume("throttled by AWS", "tom")
	throttled.faults = []ststest.Fault{ststest.Throttle()}
	tooMany := assume("too many requests", "una")
	tooMany.times = 4
	asJSON := call("JSON", "{}")
	asJSON.contentType = "application/json"
	get := call("another method", "")
	get.method = http.MethodGet
	preflight := row{
		name: "sts: preflight", method: http.MethodOptions, path: "/sts/photo-app/",
		header: []string{
			"Origin: https://app.example.com", "Access-Control-Request-Method: POST",
			"Access-Control-Request-Headers: amz-sdk-invocation-id,amz-sdk-request," +
				"content-type,x-amz-user-agent",
		},
		service: full,
	}
	limited := assume("an address over its limit", "vic")
	limited.service = busy
	off := assume("that is off", "vic")
	off.service = ""
	identity := "Action=GetCallerIdentity&Version=2011-06-15"
	unknown := call("whose credentials of elsewhere are", identity)
	unknown.header = []string{
		"Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261123/eu-central-1/" +
			"sts/aws4_request, SignedHeaders=host;x-amz-date;x-amz-security-token, Signature=00",
		"X-Amz-Date: 20261123T090000Z", "X-Amz-Security-Token: x",
	}
	return []row{
		assume("success", "ria"),
		at("/sts/photo-app/", assume("success with a slash and a shorter session", "ria",
			"DurationSeconds=900")),
		assume("a longer session than is decided", "ria", "DurationSeconds=7200"),
		otherRole,
		assume("an unknown parameter", "ria", "Tags.member.1.Key=x"),
		assume("a repeated parameter", "ria", "Version=2011-06-15"),
		assume("a token that is none", "ria}x{ria"),
		assume("an expired token", "expired"),
		assume("denied by a rule", "denied"),
		assume("a rule that fails", "failing"),
		at("/sts/none", assume("no such target", "ria")),
		at("/sts/", assume("no target", "ria")),
		at("/sts/incomplete", assume("a decision without a role", "cid")),
		assume("an issuer that is down", "down"),
		throttled,
		tooMany,
		call("another action", "Action=GetSessionToken&Version=2011-06-15"),
		call("no action", "Version=2011-06-15"),
		call("unsigned GetCallerIdentity", identity),
		unknown,
		asJSON,
		assume("too large", "ria", "x="+strings.Repeat("x", 64<<10)),
		get,
		preflight,
		limited,
		off,
	}
}
