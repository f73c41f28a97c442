package delegationhttp_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationhttp"
)

const whoAmI = "Action=GetCallerIdentity&Version=2011-06-15"

// asCredentials are the credentials of an answer.
func (a stsAnswer) asCredentials() aws.Credentials {
	return aws.Credentials{
		AccessKeyID:     a.Result.AccessKeyID,
		SecretAccessKey: a.Result.SecretAccessKey,
		SessionToken:    a.Result.SessionToken,
	}
}

// issue gets credentials of the endpoint.
func (w *world) issue(t testing.TB, h http.Handler) aws.Credentials {
	t.Helper()
	a := sendSTS(t, h, askSTS(stsParameters(w.Token(nil), nil)))
	if a.status != http.StatusOK {
		t.Fatalf("got %d %s", a.status, a.body)
	}
	return a.asCredentials()
}

// signing are the parts of a signed request.
type signing struct {
	credentials           aws.Credentials
	body, service, region string
	at                    time.Time
	path                  string
}

func newSigning(credentials aws.Credentials) signing {
	return signing{credentials, whoAmI, "sts", "eu-central-1", start, stsPath}
}

// request signs as an SDK does.
func (s signing) request(t testing.TB) *http.Request {
	t.Helper()
	r := post(s.path, formType, s.body)
	r.Host = "delegation.example.com:8443"
	hash := sha256.Sum256([]byte(s.body))
	err := v4.NewSigner().SignHTTP(t.Context(), s.credentials, r, hex.EncodeToString(hash[:]),
		s.service, s.region, s.at)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestSTS_CallerIdentity: the SDK's own signature counts, with and without a slash at the end of
// the path, and after a router has cut a prefix off.
func TestSTS_CallerIdentity(t *testing.T) {
	w := newWorld(t)
	h := w.handler(t)
	issued := w.issue(t, h)
	_, event := w.last(t)
	for _, path := range []string{stsPath, stsPath + "/"} {
		s := newSigning(issued)
		s.path = path
		a := sendSTS(t, h, s.request(t))
		if a.status != http.StatusOK || a.Caller.Account != "123456789012" ||
			!strings.HasSuffix(a.Caller.Arn, "assumed-role/photo-user/"+event.SessionName) ||
			!strings.HasSuffix(a.Caller.UserId, ":"+event.SessionName) {
			t.Errorf("%s: got %d %s", path, a.status, a.body)
		}
	}
	s := newSigning(issued)
	s.path = "/api" + stsPath
	if a := sendSTS(t, http.StripPrefix("/api", h), s.request(t)); a.status != http.StatusOK {
		t.Errorf("behind a prefix: got %d %s", a.status, a.body)
	}
	if n := len(w.events); n != 1 {
		t.Errorf("%d events of one exchange", n)
	}
}

// TestSTS_CallerRefused: whatever is changed in a request after it was signed, or is not as AWS
// wants it, refuses it, with AWS's code.
func TestSTS_CallerRefused(t *testing.T) {
	w := newWorld(t)
	h := w.handler(t)
	issued := w.issue(t, h)
	const (
		mismatch   = "SignatureDoesNotMatch"
		incomplete = "IncompleteSignature"
		unknown    = "InvalidClientTokenId"
	)
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	replace := func(of, by string) func(*http.Request) {
		return func(r *http.Request) {
			said := r.Header.Get("Authorization")
			if !strings.Contains(said, of) {
				t.Errorf("%s is not in %s", of, said)
			}
			r.Header.Set("Authorization", strings.Replace(said, of, by, 1))
		}
	}
	for name, row := range map[string]struct {
		sign func(*signing)
		then func(*http.Request)
		code string
	}{
		"another secret": {sign: func(s *signing) { s.credentials.SecretAccessKey += "x" },
			code: mismatch},
		"another token": {sign: func(s *signing) { s.credentials.SessionToken += "x" },
			code: unknown},
		"no token": {sign: func(s *signing) { s.credentials.SessionToken = "" },
			code: mismatch},
		"a key of elsewhere": {sign: func(s *signing) { s.credentials.AccessKeyID = "AKIAX" },
			code: unknown},
		"another service": {sign: func(s *signing) { s.service = "s3" }, code: mismatch},
		"no region":       {sign: func(s *signing) { s.region = "" }, code: mismatch},
		"too old": {sign: func(s *signing) { s.at = start.Add(-5*time.Minute - time.Second) },
			code: mismatch},
		"of the future": {sign: func(s *signing) { s.at = start.Add(5*time.Minute + time.Second) },
			code: mismatch},
		"just in time":   {sign: func(s *signing) { s.at = start.Add(-5 * time.Minute) }},
		"another region": {sign: func(s *signing) { s.region = "us-gov-west-1" }},

		"unsigned": {then: func(r *http.Request) { r.Header.Del("Authorization") },
			code: "MissingAuthenticationToken"},
		"another host":   {then: func(r *http.Request) { r.Host = "x" }, code: mismatch},
		"another port":   {then: func(r *http.Request) { r.Host += "1" }, code: mismatch},
		"another scheme": {then: header("Authorization", "Bearer x"), code: incomplete},
		"another date":   {then: header("X-Amz-Date", "20261123T090001Z"), code: mismatch},
		"a date of another form": {then: header("X-Amz-Date", "2026-11-23T09:00:00Z"),
			code: incomplete},
		"no date": {then: func(r *http.Request) { r.Header.Del("X-Amz-Date") },
			code: incomplete},
		"two dates": {then: func(r *http.Request) {
			r.Header.Add("X-Amz-Date", r.Header.Get("X-Amz-Date"))
		}, code: incomplete},
		"two signatures": {then: func(r *http.Request) {
			r.Header.Add("Authorization", r.Header.Get("Authorization"))
		}, code: incomplete},
		"two tokens": {then: func(r *http.Request) {
			r.Header.Add("X-Amz-Security-Token", r.Header.Get("X-Amz-Security-Token"))
		}, code: incomplete},
		"a changed header": {then: header("Content-Type", formType+"; charset=utf-8"),
			code: mismatch},
		"another body": {then: func(r *http.Request) {
			r.Body = httptest.NewRequest("POST", "/", strings.NewReader(
				strings.Replace(whoAmI, "Action=GetCallerIdentity&", "", 1)+
					"&Action=GetCallerIdentity")).Body
		}, code: mismatch},
		"another length":     {then: func(r *http.Request) { r.ContentLength++ }, code: mismatch},
		"the host left out":  {then: replace("host;", ""), code: mismatch},
		"the token left out": {then: replace(";x-amz-security-token", ""), code: mismatch},
		"the date left out":  {then: replace(";x-amz-date", ""), code: mismatch},
		"a header less":      {then: replace("content-type;", ""), code: mismatch},
		"a header more": {then: func(r *http.Request) {
			r.Header.Set("User-Agent", "x")
			replace("x-amz-security-token", "user-agent;x-amz-security-token")(r)
		}, code: mismatch},
		"another day":    {then: replace("20261123", "20261122"), code: mismatch},
		"a longer scope": {then: replace("/sts/", "/sts/sts/"), code: incomplete},
		"another ending": {then: replace("aws4_request", "aws5_request"), code: incomplete},
		"no signature":   {then: replace(", Signature=", ", X="), code: incomplete},
		"a part more":    {then: replace(", Signature=", ", X=1, Signature="), code: incomplete},
		"a part twice": {then: replace(", Signature=", ", Signature=1, Signature="),
			code: incomplete},
		"empty signature": {then: func(r *http.Request) {
			said := r.Header.Get("Authorization")
			at := strings.Index(said, "Signature=")
			r.Header.Set("Authorization", said[:at]+"Signature=")
		}, code: incomplete},
		"a short signature": {then: func(r *http.Request) {
			said := r.Header.Get("Authorization")
			r.Header.Set("Authorization", said[:len(said)-1])
		}, code: mismatch},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSigning(issued)
			if row.sign != nil {
				row.sign(&s)
			}
			r := s.request(t)
			if row.then != nil {
				row.then(r)
			}
			a := sendSTS(t, h, r)
			if row.code == "" {
				if a.status != http.StatusOK {
					t.Errorf("got %d %s", a.status, a.body)
				}
				return
			}
			a.refused(t, 403, row.code, a.Message)
			if a.Message == "" || strings.Contains(a.body, "assumed-role") {
				t.Errorf("got %s", a.body)
			}
		})
	}
	a := sendSTS(t, h, func() *http.Request {
		s := newSigning(issued)
		s.body += "&X=1"
		return s.request(t)
	}())
	a.refused(t, 400, "ValidationError",
		`the parameter "X" is not known to the action GetCallerIdentity`)
	if log := w.log.String(); strings.Contains(log, issued.SecretAccessKey) ||
		strings.Contains(log, issued.SessionToken) {
		t.Error("a secret is in the log")
	}
}

// TestSTS_CallerKnown: only what this endpoint handed out is known, until it expires, also after
// the configuration was changed.
func TestSTS_CallerKnown(t *testing.T) {
	w := newWorld(t)
	h := w.handler(t)
	other := ask(t, h, get("?target="+app, w.Token(nil)))
	elsewhere := aws.Credentials{
		AccessKeyID:     other.text("AccessKeyId"),
		SecretAccessKey: other.text("SecretAccessKey"),
		SessionToken:    other.text("Token"),
	}
	unknown := sendSTS(t, h, newSigning(elsewhere).request(t))
	unknown.refused(t, 403, "InvalidClientTokenId", unknown.Message)
	if !strings.Contains(unknown.Message, "unset AWS_ENDPOINT_URL_STS") {
		t.Errorf("it says %s", unknown.Message)
	}

	handlers := must(delegationhttp.New(w.http))
	issued := w.issue(t, muxOf(handlers))
	next := muxOf(must(handlers.WithConfig(w.http)))
	if a := sendSTS(t, next, newSigning(issued).request(t)); a.status != http.StatusOK {
		t.Errorf("after a reload: got %d %s", a.status, a.body)
	}
	w.Clock.Advance(time.Hour)
	s := newSigning(issued)
	s.at = start.Add(time.Hour)
	sendSTS(t, next, s.request(t)).refused(t, 403, "ExpiredToken", "the credentials have expired")
	again := sendSTS(t, next, s.request(t))
	again.refused(t, 403, "InvalidClientTokenId", again.Message)
}

// muxOf mounts STS.
func muxOf(handlers *delegationhttp.Handlers) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/sts/{target}", handlers.STS())
	return mux
}

// TestSTS_Memory: the sessions that are known are bounded in bytes; those that were not used for
// the longest time are forgotten first, and none is remembered with a negative limit.
func TestSTS_Memory(t *testing.T) {
	for name, row := range map[string]struct{ memory, known int }{
		"none":     {-1, 0},
		"two":      {1400, 2},
		"standard": {0, 4},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.Config.CacheSize = -1 // so that each exchange has credentials of its own
			w.http.STSMemory = row.memory
			h := w.handler(t)
			var all []aws.Credentials
			for range 4 {
				all = append(all, w.issue(t, h))
			}
			known := 0
			for i, issued := range all {
				a := sendSTS(t, h, newSigning(issued).request(t))
				if a.status == http.StatusOK {
					known++
				} else if i >= len(all)-row.known {
					t.Errorf("of %d the newest are forgotten: %d", row.known, i)
				}
			}
			if known != row.known {
				t.Errorf("%d are known, want %d", known, row.known)
			}
		})
	}
}

// knows tells which credentials an endpoint knows, with a + for each of these and a - for others.
func knows(t testing.TB, h *delegationhttp.Handlers, all ...aws.Credentials) (known string) {
	t.Helper()
	for _, issued := range all {
		switch a := sendSTS(t, muxOf(h), newSigning(issued).request(t)); a.status {
		case http.StatusOK:
			known += "+"
		default:
			a.refused(t, 403, "InvalidClientTokenId", a.Message)
			known += "-"
		}
	}
	return known
}

// TestSTS_CallerKnownToBothVersions: while one version of the configuration replaces another, each
// knows what the other hands out, also to a request that the one before answers later.
func TestSTS_CallerKnownToBothVersions(t *testing.T) {
	w := newWorld(t)
	w.Config.CacheSize = -1 // so that each exchange has credentials of its own
	w.handler(t)
	first := must(delegationhttp.New(w.http))
	second := must(first.WithConfig(w.http))
	third := must(second.WithConfig(w.http))
	var all []aws.Credentials
	for _, version := range []*delegationhttp.Handlers{first, second, third, first} {
		all = append(all, w.issue(t, muxOf(version)))
	}
	for i, version := range []*delegationhttp.Handlers{first, second, third} {
		if got := knows(t, version, all...); got != "++++" {
			t.Errorf("version %d knows %s", i+1, got)
		}
	}
}

// TestSTS_MemoryOfVersions: what versions share is bounded by the limit of the one that uses it.
// One that remembers none does not know the sessions of the others, nor does it make them forget
// any.
func TestSTS_MemoryOfVersions(t *testing.T) {
	w := newWorld(t)
	w.Config.CacheSize = -1 // so that each exchange has credentials of its own
	w.handler(t)
	version := func(before *delegationhttp.Handlers, memory int) *delegationhttp.Handlers {
		w.http.STSMemory = memory
		return must(before.WithConfig(w.http))
	}
	large := must(delegationhttp.New(w.http))
	none := version(large, -1)
	anew := version(none, 0)
	small := version(large, 1400) // two
	var all []aws.Credentials
	for range 4 {
		all = append(all, w.issue(t, muxOf(large)))
	}
	theirs := w.issue(t, muxOf(anew))
	forgotten := w.issue(t, muxOf(none))
	for _, row := range []struct {
		name     string
		handlers *delegationhttp.Handlers
		want     string
	}{
		{"none", none, "------"},
		{"after none", anew, "----+-"},
		{"large", large, "++++--"},
		{"small", small, "--++--"},
		{"large, after the small one was used", large, "--++--"},
	} {
		if got := knows(t, row.handlers, append(all, theirs, forgotten)...); got != row.want {
			t.Errorf("%s: knows %s, want %s", row.name, got, row.want)
		}
	}
	all = append(all, w.issue(t, muxOf(large)))
	if got := knows(t, large, all...); got != "--+++" {
		t.Errorf("the large one has trimmed to the limit of another: it knows %s", got)
	}
	all = append(all, w.issue(t, muxOf(small)))
	if got := knows(t, large, all...); got != "----++" {
		t.Errorf("the small one has not trimmed to its limit: %s are known", got)
	}
}

// TestSTS_SDK: the SDK for Go gets credentials and asks whose they are, at one endpoint.
func TestSTS_SDK(t *testing.T) {
	h := mount(t, delegationhttp.Config{Exchanger: exchanger(func(
		context.Context, string, string, ...delegation.ExchangeOption,
	) (*delegation.Credentials, error) {
		made := issued()
		made.Expiration = time.Now().Add(time.Hour) // the SDK signs by the real clock
		made.AssumedRoleARN = "arn:aws:sts::123456789012:assumed-role/photo-user/alice"
		made.AssumedRoleID = "AROAEXAMPLE:alice"
		return made, nil
	})})
	client := sdkClient(serve(t, h))
	out, err := client.AssumeRoleWithWebIdentity(t.Context(), &sts.AssumeRoleWithWebIdentityInput{
		RoleArn:          aws.String(role),
		RoleSessionName:  aws.String("me"),
		WebIdentityToken: aws.String("token"),
	})
	if err != nil {
		t.Fatal(err)
	}
	own := *out.Credentials
	caller, err := client.GetCallerIdentity(t.Context(), nil, func(o *sts.Options) {
		o.Credentials = credentials.NewStaticCredentialsProvider(
			*own.AccessKeyId, *own.SecretAccessKey, *own.SessionToken)
	})
	if err != nil || *caller.Arn != *out.AssumedRoleUser.Arn ||
		*caller.UserId != "AROAEXAMPLE:alice" || *caller.Account != "123456789012" {
		t.Errorf("got %+v, %v", caller, err)
	}
}
