package delegationhttp_test

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationhttp"
	"github.com/seed055b7978/delegation/internal/errortable"
)

// stsParameters are those of a good AssumeRoleWithWebIdentity, with some changed or (nil) left out.
func stsParameters(idToken string, changes map[string]any) map[string]any {
	all := map[string]any{
		"Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15", "RoleArn": role,
		"RoleSessionName": "botocore-session-1", "WebIdentityToken": idToken,
	}
	maps.Copy(all, changes)
	maps.DeleteFunc(all, func(_ string, value any) bool { return value == nil })
	return all
}

// askSTS is a request of an SDK.
func askSTS(parameters map[string]any) *http.Request {
	return post(stsPath, formType+"; charset=utf-8", form(parameters))
}

// stsDocument is an answer in AWS's XML: a success or a refusal.
type stsDocument struct {
	XMLName xml.Name
	Result  struct {
		AccessKeyID     string `xml:"Credentials>AccessKeyId"`
		SecretAccessKey string `xml:"Credentials>SecretAccessKey"`
		SessionToken    string `xml:"Credentials>SessionToken"`
	} `xml:"AssumeRoleWithWebIdentityResult"`
	Caller struct {
		Arn, UserId, Account string
	} `xml:"GetCallerIdentityResult"`
	Type      string `xml:"Error>Type"`
	Code      string `xml:"Error>Code"`
	Message   string `xml:"Error>Message"`
	RequestID string `xml:"RequestId"`
	SuccessID string `xml:"ResponseMetadata>RequestId"`
}

// stsAnswer is what the endpoint answered.
type stsAnswer struct {
	stsDocument
	status int
	header http.Header
	body   string
}

// sendSTS sends a request, and checks what holds for every answer.
func sendSTS(t testing.TB, h http.Handler, r *http.Request) stsAnswer {
	t.Helper()
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, r)
	a := stsAnswer{status: recorder.Code, header: recorder.Header(), body: recorder.Body.String()}
	for name, want := range map[string]string{
		"Cache-Control": "no-store", "Pragma": "no-cache", "X-Content-Type-Options": "nosniff",
		"Content-Type": "text/xml", "Content-Length": strconv.Itoa(len(a.body)),
		"X-Amzn-Requestid": a.header.Get("X-Request-Id"),
	} {
		if got := a.header.Values(name); !slices.Equal(got, []string{want}) {
			t.Errorf("%d: %s is %q, want %q", a.status, name, got, want)
		}
	}
	retry := a.header.Get("Retry-After") != ""
	if retry != (a.status == http.StatusServiceUnavailable ||
		a.status == http.StatusTooManyRequests) {
		t.Errorf("%d: Retry-After is %q", a.status, a.header.Get("Retry-After"))
	}
	if err := xml.Unmarshal([]byte(a.body), &a.stsDocument); err != nil {
		t.Fatalf("%d: %v: %s", a.status, err, a.body)
	}
	if a.XMLName.Space != "https://sts.amazonaws.com/doc/2011-06-15/" ||
		a.RequestID+a.SuccessID != a.header.Get("X-Request-Id") {
		t.Errorf("%d: %s", a.status, a.body)
	}
	return a
}

// refused checks a refusal.
func (a stsAnswer) refused(t testing.TB, status int, code, message string) {
	t.Helper()
	side := "Sender"
	if status >= http.StatusInternalServerError {
		side = "Receiver"
	}
	if a.status != status || a.Code != code || a.Message != message || a.Type != side ||
		a.XMLName.Local != "ErrorResponse" {
		t.Errorf("got %d %s, want %d %s: %s", a.status, a.body, status, code, message)
	}
}

// sdkClient is the SDK's client of the endpoint, without pauses between its attempts.
func sdkClient(url string) *sts.Client {
	return sts.New(sts.Options{
		Region:       "eu-central-1",
		BaseEndpoint: aws.String(url + stsPath),
		Credentials:  aws.AnonymousCredentials{},
		Retryer: retry.NewStandard(func(o *retry.StandardOptions) {
			o.Backoff = retry.BackoffDelayerFunc(
				func(int, error) (time.Duration, error) { return 0, nil })
			o.RateLimiter = noLimit{}
		}),
	})
}

// noLimit has the SDK retry as often as its number of attempts allows.
type noLimit struct{}

func (noLimit) GetToken(context.Context, uint) (func() error, error) {
	return func() error { return nil }, nil
}

func (noLimit) AddTokens(uint) error { return nil }

// TestSTS_Success: the SDK for Go reads every field of the answer, and rules and the event see what
// was asked for.
func TestSTS_Success(t *testing.T) {
	w := newWorld(t)
	w.rules(func(_ context.Context, _ *delegation.User, rc *delegation.RuleContext) error {
		rc.AWS.SourceIdentity = "alice"
		rc.AWS.Tags["team"] = "press"
		rc.AWS.SessionDuration = 2 * time.Hour
		return nil
	})
	client := sdkClient(serve(t, w.handler(t)))
	out, err := client.AssumeRoleWithWebIdentity(t.Context(), &sts.AssumeRoleWithWebIdentityInput{
		RoleArn:          aws.String(role),
		RoleSessionName:  aws.String("job-7"),
		WebIdentityToken: aws.String(w.Token(nil)),
		DurationSeconds:  aws.Int32(1800),
	})
	if err != nil {
		t.Fatal(err)
	}
	rc, event := w.last(t)
	call := w.STS.Calls()[0]
	for name, pair := range map[string][2]string{
		"access key":      {*out.Credentials.AccessKeyId, event.AccessKeyID},
		"expiry":          {out.Credentials.Expiration.String(), event.Expiration.String()},
		"subject":         {*out.SubjectFromWebIdentityToken, alice},
		"audience":        {*out.Audience, app},
		"provider":        {*out.Provider, w.IssuerURL},
		"source identity": {*out.SourceIdentity, "alice"},
		"endpoint":        {event.Endpoint, "sts"},
		"asked name":      {event.RequestedSessionName, "job-7"},
		"name of rules":   {rc.Request.SessionName, "job-7"},
		"client":          {rc.ClientID, app},
	} {
		if pair[0] != pair[1] || pair[0] == "" {
			t.Errorf("%s is %q, want %q", name, pair[0], pair[1])
		}
	}
	if call.Duration != 30*time.Minute || event.RequestedDuration != 30*time.Minute ||
		rc.Request.SessionDuration != 30*time.Minute {
		t.Errorf("AWS was asked for %s, rules saw %s", call.Duration, rc.Request.SessionDuration)
	}
	//lint:ignore SA1019 AWS still sends it, and clients may read it
	packed := out.PackedPolicySize
	if packed == nil || *packed == 0 || *out.Credentials.SecretAccessKey == "" ||
		*out.Credentials.SessionToken == "" ||
		!strings.HasSuffix(*out.AssumedRoleUser.Arn, "/"+event.SessionName) ||
		!strings.HasPrefix(*out.AssumedRoleUser.AssumedRoleId, "AROA") {
		t.Errorf("got %+v", out)
	}
}

// TestSTS_Paths: SDKs that add a slash to the path and those that do not reach the target; nothing
// is read from the URL.
func TestSTS_Paths(t *testing.T) {
	w := newWorld(t)
	h := w.handler(t)
	body := form(stsParameters(w.Token(nil), nil))
	for _, path := range []string{stsPath, stsPath + "/"} {
		if a := sendSTS(t, h, post(path, formType, body)); a.status != http.StatusOK {
			t.Errorf("%s: got %d %s", path, a.status, a.body)
		}
	}
	sendSTS(t, h, post("/sts/none", formType, body)).
		refused(t, 403, "AccessDenied", "delegation is not enabled for this application")
	for _, path := range []string{"/sts", "/sts/"} {
		sendSTS(t, h, post(path, formType, body)).refused(t, 400, "ValidationError",
			"the path names no target: set AWS_ENDPOINT_URL_STS to the address of this service "+
				"with /sts/ and the target's name")
	}
	long := "/sts/" + strings.Repeat("x", 257)
	sendSTS(t, h, post(long, formType, body)).refused(t, 400, "ValidationError",
		"client_id or target has more than 256 bytes")
	inURL := "the URL has parameters: send them in the body, as AWS's SDKs do"
	sendSTS(t, h, post(stsPath+"?"+body, formType, "")).refused(t, 400, "ValidationError", inURL)
	sendSTS(t, h, post(stsPath+"?x=1", formType, body)).refused(t, 400, "ValidationError", inURL)
	r := httptest.NewRequest(http.MethodGet, stsPath+"?"+body, nil)
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, r)
	if recorder.Code != http.StatusMethodNotAllowed || recorder.Header().Get("Allow") != "POST" {
		t.Errorf("GET: got %d %v", recorder.Code, recorder.Header())
	}
}

// TestSTS_Request: what is refused before the token is read, and that it costs no exchange.
func TestSTS_Request(t *testing.T) {
	const (
		action       = "MissingAction: missing Action parameter"
		noVersion    = `InvalidAction: the version of the API is "": it must be 2011-06-15`
		otherVersion = `InvalidAction: the version of the API is "2010-01-01": ` +
			"it must be 2011-06-15"
		token = "ValidationError: missing WebIdentityToken parameter: AWS's SDKs read it from " +
			"the file that AWS_WEB_IDENTITY_TOKEN_FILE names"
		noRole = "ValidationError: missing RoleArn parameter: " +
			"AWS's SDKs take it from AWS_ROLE_ARN"
		notRole  = "ValidationError: RoleArn is not the ARN of a role"
		duration = "ValidationError: DurationSeconds must be a whole number from 900 to 43200"
		name     = "ValidationError: RoleSessionName must be " +
			"2 to 64 characters of letters, digits and _+=,.@-"
		provider = "ValidationError: ProviderId is not supported: it is for OAuth access tokens, " +
			"and here WebIdentityToken is an OpenID ID token"
		policy = "ValidationError: Policy is empty: leave it out, or send a policy"
		list   = "ValidationError: PolicyArns is not a list"
	)
	unknown := func(name string) string {
		return "ValidationError: the parameter \"" + name +
			"\" is not known to the action AssumeRoleWithWebIdentity"
	}
	for _, row := range []struct {
		parameter string
		value     any // nil: it is left out
		want      string
	}{
		{"Action", nil, action},
		{"Action", "", action},
		{"Version", nil, noVersion},
		{"Version", "2010-01-01", otherVersion},
		{"WebIdentityToken", nil, token},
		{"WebIdentityToken", "", token},
		{"RoleArn", nil, noRole},
		{"RoleArn", "", noRole},
		{"RoleArn", principal, notRole},
		{"RoleSessionName", nil, name},
		{"RoleSessionName", "a", name},
		{"RoleSessionName", "a b", name},
		{"RoleSessionName", strings.Repeat("x", 65), name},
		{"DurationSeconds", "", duration},
		{"DurationSeconds", "899", duration},
		{"DurationSeconds", "43201", duration},
		{"DurationSeconds", "+900", duration},
		{"DurationSeconds", "900.0", duration},
		{"ProviderId", "www.amazon.com", provider},
		{"ProviderId", "", provider},
		{"Policy", "", policy},
		{"PolicyArns", "x", list},
		{"PolicyArns.member.2.arn", "x", unknown("PolicyArns.member.2.arn")},
		{"PolicyArns.member.0.arn", "x", unknown("PolicyArns.member.0.arn")},
		{"PolicyArns.member.1.Arn", "x", unknown("PolicyArns.member.1.Arn")},
		{"Tags.member.1.Key", "x", unknown("Tags.member.1.Key")},
		{"policy", "x", unknown("policy")},
	} {
		t.Run(fmt.Sprintf("%s=%v", row.parameter, row.value), func(t *testing.T) {
			w := newWorld(t)
			a := sendSTS(t, w.handler(t),
				askSTS(stsParameters("token", map[string]any{row.parameter: row.value})))
			if got := a.Code + ": " + a.Message; a.status != 400 || got != row.want {
				t.Errorf("got %d %s, want %s", a.status, got, row.want)
			}
			if len(w.events) != 0 || !strings.Contains(w.log.String(), "request refused") {
				t.Errorf("%d events; log %s", len(w.events), w.log)
			}
		})
	}
}

// TestSTS_Unreadable: bodies that are no form, or that two readers could read in two ways.
func TestSTS_Unreadable(t *testing.T) {
	good := form(stsParameters("token", nil))
	for name, row := range map[string]struct {
		contentType, body string
		status            int
		code, message     string
	}{
		"repeated": {formType, good + "&RoleArn=" + role, 400, "ValidationError",
			`repeated parameter "RoleArn"`},
		"JSON": {jsonType, "{}", 415, "ValidationError",
			"Content-Type must be application/x-www-form-urlencoded"},
		"text": {"text/plain", good, 415, "ValidationError",
			"Content-Type must be application/x-www-form-urlencoded"},
		"another charset": {formType + "; charset=utf-16", good, 415, "ValidationError",
			"the charset must be utf-8"},
		"broken": {formType, good + "&x=%", 400, "ValidationError",
			"the body is not a form: a bad percent-encoding, or a semicolon"},
		"large": {formType, good + "&x=" + strings.Repeat("x", 64<<10), 413, "ValidationError",
			"the body has more than 65536 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			a := sendSTS(t, newWorld(t).handler(t), post(stsPath, row.contentType, row.body))
			a.refused(t, row.status, row.code, row.message)
		})
	}
}

// TestSTS_OtherActions: nothing is forwarded, and the message says how to ask AWS.
func TestSTS_OtherActions(t *testing.T) {
	w := newWorld(t)
	h := w.handler(t)
	for _, action := range []string{
		"AssumeRole", "AssumeRoleWithSAML", "GetSessionToken", "GetFederationToken",
		"DecodeAuthorizationMessage", "getcalleridentity", strings.Repeat("x", 100),
	} {
		a := sendSTS(t, h, askSTS(map[string]any{"Action": action, "Version": "2011-06-15"}))
		if a.status != 400 || a.Code != "InvalidAction" || len(a.Message) > 300 ||
			!strings.Contains(a.Message, "unset AWS_ENDPOINT_URL_STS") {
			t.Errorf("%s: got %d %s", action, a.status, a.body)
		}
	}
	if calls := w.STS.Calls(); len(calls) != 0 {
		t.Errorf("AWS was called: %+v", calls)
	}
}

// TestSTS_ShortInTheLog: a stranger chooses the end of the path, and the method. A request that is
// refused, or a preflight, which no limit counts, leaves one short line.
func TestSTS_ShortInTheLog(t *testing.T) {
	long := strings.Repeat("x", 60<<10)
	for _, method := range []string{http.MethodPost, http.MethodOptions, long} {
		w := newWorld(t)
		r := httptest.NewRequest(http.MethodPost, "/sts/"+long, nil)
		r.Method = method
		r.Header.Set("Origin", "https://evil.example.com")
		r.Header.Set("Access-Control-Request-Method", "POST")
		sendUnchecked(w.handler(t), r)
		log := w.log.String()
		if n := len(log); n > 1200 || strings.Count(log, "\n") != 1 ||
			!strings.Contains(log, `"path":"/sts/xxx`) {
			t.Errorf("%.10s: %d bytes: %.300s", method, n, log)
		}
	}
}

// TestSTS_Duration: a longer session than is decided is refused as AWS does.
func TestSTS_Duration(t *testing.T) {
	w := newWorld(t)
	h := w.handler(t)
	asking := func(seconds string) stsAnswer {
		return sendSTS(t, h, askSTS(stsParameters(w.Token(nil),
			map[string]any{"DurationSeconds": seconds})))
	}
	asking("3601").refused(t, 400, "ValidationError",
		"the requested session is longer than this application allows")
	if a := asking("3600"); a.status != http.StatusOK {
		t.Errorf("got %d %s", a.status, a.body)
	}
}

// TestSTS_Role: credentials are of the role that was asked for, or there are none.
func TestSTS_Role(t *testing.T) {
	w := newWorld(t)
	const other = "arn:aws:iam::123456789012:role/other"
	a := sendSTS(t, w.handler(t), askSTS(stsParameters(w.Token(nil),
		map[string]any{"RoleArn": other})))
	a.refused(t, 403, "AccessDenied", a.Message)
	event := w.lastEvent(t)
	if event.Outcome != delegation.OutcomeDenied || strings.Contains(a.body, "ASIA") ||
		a.Message == "" || strings.Contains(a.Message, role) {
		t.Errorf("got %s, %+v", a.body, event)
	}
}

// TestSTS_Policies: what narrows is never ignored, and can only narrow.
func TestSTS_Policies(t *testing.T) {
	const policy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",` +
		`"Action":"s3:GetObject","Resource":"*"}]}`
	const arn = "arn:aws:iam::aws:policy/ReadOnlyAccess"
	w := newWorld(t)
	h := w.handler(t)
	asking := func(changes map[string]any) stsAnswer {
		return sendSTS(t, h, askSTS(stsParameters(w.Token(nil), changes)))
	}
	a := asking(map[string]any{
		"Policy": policy, "PolicyArns.member.1.arn": arn, "PolicyArns": "",
	})
	call := w.STS.Calls()[0]
	if a.status != http.StatusOK || call.Policy != policy ||
		!slices.Equal(call.PolicyARNs, []string{arn}) {
		t.Errorf("got %d %s; AWS saw %+v", a.status, a.body, call)
	}
	asking(map[string]any{"Policy": "{"}).refused(t, 400, "MalformedPolicyDocument",
		"the requested session policy is not valid")
	if n := len(w.STS.Calls()); n != 1 {
		t.Errorf("AWS was asked %d times", n)
	}

	w = newWorld(t)
	w.rules(func(_ context.Context, _ *delegation.User, rc *delegation.RuleContext) error {
		rc.AWS.PolicyARNs = []string{arn} // nobody here knows what it allows
		return nil
	})
	h = w.handler(t)
	a = asking(map[string]any{"PolicyArns.member.1.arn": arn + "2"})
	a.refused(t, 400, "MalformedPolicyDocument",
		"the session cannot be narrowed to the requested session policy")
	if n := len(w.STS.Calls()); n != 0 {
		t.Errorf("AWS was asked %d times", n)
	}
}

// TestSTS_Kinds: every code of the library has one of AWS's, with which the SDK for Go retries if
// and only if the same call may succeed later.
func TestSTS_Kinds(t *testing.T) {
	words := map[string]int{}
	for _, code := range codes(t) {
		t.Run(string(code), func(t *testing.T) {
			row, _ := errortable.Of(string(code))
			e := &delegation.Error{
				Stage:     delegation.Stage(row.Stage),
				Code:      code,
				Retryable: row.Retryable,
				Remedy:    "canary",
				RequestID: "canary",
				Err:       delegation.Code("canary"),
			}
			message := e.Public()
			if code == delegation.CodeTokenExpired {
				message = "jwt expired"
			}
			asked := 0
			h := mount(t, delegationhttp.Config{Exchanger: exchanger(func(
				context.Context, string, string, ...delegation.ExchangeOption,
			) (*delegation.Credentials, error) {
				asked++
				return nil, e
			})})
			a := sendSTS(t, h, askSTS(stsParameters("token", nil)))
			a.refused(t, a.status, a.Code, message)
			if strings.Contains(a.body, "canary") || a.status == http.StatusInternalServerError {
				t.Errorf("got %d %s", a.status, a.body)
			}
			words[a.Code]++
			asked = 0
			_, err := sdkClient(serve(t, h)).AssumeRoleWithWebIdentity(t.Context(),
				&sts.AssumeRoleWithWebIdentityInput{
					RoleArn:          aws.String(role),
					RoleSessionName:  aws.String("me"),
					WebIdentityToken: aws.String("token"),
				}, retriesInvalidIdentityTokens)
			want := 1
			if e.Retryable {
				want = 3
			}
			if err == nil || asked != want {
				t.Errorf("%s: the SDK asked %d times, want %d: %v", a.Code, asked, want, err)
			}
		})
	}
	for _, word := range []string{
		"AccessDenied", "ExpiredTokenException", "IDPCommunicationError", "InvalidIdentityToken",
		"MalformedPolicyDocument", "PackedPolicyTooLarge", "RegionDisabledException",
		"ServiceUnavailable", "Throttling", "ValidationError",
	} {
		if words[word] == 0 {
			t.Errorf("no code is answered with %s", word)
		}
	}
}

// retriesInvalidIdentityTokens is what the SDK's own provider for web identities adds
// (stscreds.WebIdentityRoleProvider).
func retriesInvalidIdentityTokens(o *sts.Options) {
	o.Retryer = retry.AddWithErrorCodes(o.Retryer, "InvalidIdentityToken")
}

// TestSTS_OtherErrors: errors that are not of an exchange, and limits.
func TestSTS_OtherErrors(t *testing.T) {
	h := mount(t, delegationhttp.Config{Exchanger: failing(errors.New("canary"))})
	sendSTS(t, h, askSTS(stsParameters("token", nil))).
		refused(t, 500, "InternalFailure", "the request could not be completed")

	w := newWorld(t)
	w.http.RateLimit = delegationhttp.RateLimit{Requests: 1}
	h = w.handler(t)
	sendSTS(t, h, askSTS(stsParameters(w.Token(nil), nil)))
	sendSTS(t, h, askSTS(stsParameters(w.Token(nil), nil))).
		refused(t, 429, "Throttling", "too many requests, try again later")

	h = mount(t, delegationhttp.Config{
		Exchanger:    exchanger(agreeable),
		AddressLimit: delegationhttp.AddressLimit{Requests: 1},
	})
	_ = sendUnchecked(h, askSTS(map[string]any{"Action": "x"}))
	for _, body := range []string{"Action=x", whoAmI, form(stsParameters("token", nil))} {
		limited := sendUnchecked(h, post(stsPath, formType, body))
		var document stsDocument
		if err := xml.Unmarshal(limited.Body.Bytes(), &document); err != nil ||
			limited.Code != http.StatusTooManyRequests || document.Code != "Throttling" {
			t.Errorf("%.20s: got %d %s", body, limited.Code, limited.Body)
		}
	}
}

func sendUnchecked(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, r)
	return recorder
}

// TestSTS_CORS: pages of listed origins may call it with the headers that the SDK for JavaScript
// sends, and no other page reads an answer.
func TestSTS_CORS(t *testing.T) {
	h := mount(t, delegationhttp.Config{
		Exchanger:      exchanger(agreeable),
		AllowedOrigins: []string{page},
	})
	preflight := func(origin, headers string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodOptions, stsPath+"/", nil)
		r.Header.Set("Origin", origin)
		r.Header.Set("Access-Control-Request-Method", "POST")
		r.Header.Set("Access-Control-Request-Headers", headers)
		return sendUnchecked(h, r)
	}
	const sent = "amz-sdk-invocation-id,amz-sdk-request,content-type,x-amz-user-agent"
	if got := preflight(page, sent); got.Code != http.StatusNoContent {
		t.Errorf("got %d %s", got.Code, got.Body)
	}
	for origin, headers := range map[string]string{
		page:                       "x-other",
		"https://evil.example.com": sent,
	} {
		got := preflight(origin, headers)
		var document stsDocument
		err := xml.Unmarshal(got.Body.Bytes(), &document)
		if got.Code != http.StatusForbidden || err != nil || document.Code != "AccessDenied" {
			t.Errorf("%s: got %d %s", origin, got.Code, got.Body)
		}
	}
	for origin, want := range map[string]string{page: page, "https://evil.example.com": ""} {
		r := askSTS(stsParameters("token", nil))
		r.Header.Set("Origin", origin)
		a := sendSTS(t, h, r)
		if a.status != http.StatusOK || a.header.Get("Access-Control-Allow-Origin") != want {
			t.Errorf("%s: got %d %v", origin, a.status, a.header)
		}
	}
}
