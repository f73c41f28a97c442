package delegation_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationtest"
	"github.com/seed055b7978/delegation/internal/sampling"
	"github.com/seed055b7978/delegation/ststest"
)

// userWorld has an STS and a service of AWS behind a gate, which checks signatures. Their clock is
// set to the real time, by which the SDK signs.
type userWorld struct {
	*delegationtest.Delegator

	service string // its URL

	mu     sync.Mutex
	events []delegation.Event
	signed []signedCall
}

// signedCall is a request that the service got through the gate.
type signedCall struct {
	user, accessKey string
}

// headerUser is the header in which a test says who calls. The gate does not look at it.
const headerUser = "X-Test-User"

// newUserWorld starts both. The service answers GetCallerIdentity, as STS does.
func newUserWorld(t *testing.T, change ...func(*delegation.Config)) *userWorld {
	t.Helper()
	w := &userWorld{}
	w.Delegator = delegationtest.New(t, append(change, func(c *delegation.Config) {
		c.OnEvent = func(_ context.Context, e delegation.Event) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.events = append(w.events, e)
		}
	})...)
	w.Clock.Set(time.Now())
	err := w.STS.PutRole(ststest.Role{
		ARN:         role,
		TrustPolicy: allowAll,
		Policies: []string{`{"Version": "2012-10-17", "Statement": {
			"Effect": "Allow", "Action": "example:WhoAmI", "Resource": "*"
		}}`},
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(w.STS.Gate(http.HandlerFunc(w.answer), ststest.Gate{
		Access: func(*ststest.SignedRequest) ([]ststest.Access, error) {
			return []ststest.Access{{Action: "example:WhoAmI", Resource: "*"}}, nil
		},
	}))
	t.Cleanup(server.Close)
	w.service = server.URL
	return w
}

// answer notes who called with which access key, and answers with the key.
func (w *userWorld) answer(rw http.ResponseWriter, r *http.Request) {
	_, rest, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	key, _, _ := strings.Cut(rest, "/")
	w.mu.Lock()
	w.signed = append(w.signed, signedCall{user: r.Header.Get(headerUser), accessKey: key})
	w.mu.Unlock()
	rw.Header().Set("Content-Type", "text/xml")
	fmt.Fprintf(rw, `<GetCallerIdentityResponse `+
		`xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>`+
		`<Arn>%s</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>`, key)
}

// config is that of a client of the service, with credentials.
func (w *userWorld) config(credentials aws.CredentialsProvider) aws.Config {
	return aws.Config{
		Region:       delegationtest.Region,
		BaseEndpoint: aws.String(w.service),
		Credentials:  credentials,
	}
}

// as is the context of a call of a user.
func (w *userWorld) as(ctx context.Context, user string) context.Context {
	return delegation.WithIDToken(ctx, w.Token(map[string]any{"sub": user}))
}

// issued are the subjects for whom STS gave credentials, by access key.
func (w *userWorld) issued() map[string]string {
	subjects := map[string]string{}
	for _, call := range w.STS.Calls() {
		if call.Action == "AssumeRoleWithSAML" && call.Status == http.StatusOK {
			subjects[call.AccessKeyID] = call.Subject
		}
	}
	return subjects
}

// whoAmI calls the service, says who calls, and returns the access key that the service saw.
func whoAmI(ctx context.Context, client *sts.Client, user string) (string, error) {
	says := sts.WithAPIOptions(smithyhttp.AddHeaderValue(headerUser, user))
	out, err := client.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}, says)
	if err != nil {
		return "", err
	}
	return aws.ToString(out.Arn), nil
}

// fewConnections is an HTTP client for a thousand calls at the same time, on machines where a
// process may have few files open.
func fewConnections() aws.HTTPClient {
	return awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.MaxConnsPerHost = 50
		t.MaxIdleConnsPerHost = 50
	})
}

// TestFromContext_ManyUsersAtOnce: 1,000 users call through one client at the same time, some of
// them twice. Every request is signed with credentials of the user who sent it: of STS's records,
// of the access keys that the service saw, and of the events, none is another user's. It takes
// seconds, because it signs and verifies 1,000 assertions.
func TestFromContext_ManyUsersAtOnce(t *testing.T) {
	t.Parallel()
	users := sampling.Of(1000)
	w := newUserWorld(t, func(c *delegation.Config) {
		c.STSTimeout = time.Hour // all at once, on a machine of any speed
		options := c.STS.(*sts.Client).Options()
		options.HTTPClient = fewConnections()
		c.STS = sts.New(options)
	})
	ours := w.config(w.FromContext(app))
	ours.HTTPClient = fewConnections()
	client := sts.NewFromConfig(ours)

	var group sync.WaitGroup
	begin := make(chan struct{})
	requests := 0
	for i := range users {
		user := fmt.Sprintf("user-%04d", i)
		ctx := w.as(t.Context(), user)
		for range 1 + i%2 {
			requests++
			group.Go(func() {
				<-begin
				if _, err := whoAmI(ctx, client, user); err != nil {
					t.Errorf("%s: %v", user, err)
				}
			})
		}
	}
	close(begin)
	group.Wait()

	subjects := w.issued()
	keys := map[string]string{}
	for _, call := range w.signed {
		if subjects[call.accessKey] != call.user {
			t.Errorf("a request of %s is signed as %q", call.user, subjects[call.accessKey])
		}
		keys[call.user] = call.accessKey
	}
	if len(w.signed) != requests || len(keys) != users || len(subjects) != users {
		t.Errorf("%d of %d requests, of %d users, and STS gave credentials to %d",
			len(w.signed), requests, len(keys), len(subjects))
	}
	for _, e := range w.events {
		if !e.FromContext || e.Outcome != delegation.OutcomeAllowed ||
			keys[e.Subject] != e.AccessKeyID {
			t.Errorf("an event of %s has the key of %q: %+v",
				e.Subject, subjects[e.AccessKeyID], e)
		}
	}
}

// TestFromContext_EachCallIsChecked: a token that expires between two calls of one context ends
// them, whatever the cache has.
func TestFromContext_EachCallIsChecked(t *testing.T) {
	t.Parallel()
	w := newUserWorld(t)
	client := sts.NewFromConfig(w.config(w.FromContext(app)))
	ctx := w.as(t.Context(), "alice")
	first, err := whoAmI(ctx, client, "alice")
	if err != nil {
		t.Fatal(err)
	}
	second, err := whoAmI(ctx, client, "alice")
	if err != nil || first != second || w.events[1].Cache != delegation.CacheHit {
		t.Errorf("the second call has %s by %s, %v", second, w.events[1].Cache, err)
	}
	w.Clock.Advance(2 * time.Hour)
	_, err = whoAmI(ctx, client, "alice")
	wantError(t, err, delegation.StageToken, delegation.CodeTokenExpired)
}

// TestFromContext_WithoutToken: the call fails, although the service has credentials of its own in
// every place where the SDK looks for them.
func TestFromContext_WithoutToken(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIASERVICE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "canary-of-the-service")
	w := newUserWorld(t)
	loaded, err := config.LoadDefaultConfig(t.Context(), config.WithBaseEndpoint(w.service),
		config.WithRegion(delegationtest.Region))
	if err != nil {
		t.Fatal(err)
	}
	loaded.Credentials = w.FromContext(app)
	client := sts.NewFromConfig(loaded)
	for name, ctx := range map[string]context.Context{
		"background": context.Background(),
		"can end":    t.Context(),
	} {
		_, err := whoAmI(ctx, client, name)
		wantError(t, err, delegation.StageConfig, delegation.CodeContextWithoutToken)
	}
	if len(w.signed) != 0 || len(w.STS.Calls()) != 0 {
		t.Errorf("the service was called as %v", w.signed)
	}
	for _, e := range w.events {
		if e.Code != delegation.CodeContextWithoutToken || !e.FromContext || e.Target != app {
			t.Errorf("the event is %+v", e)
		}
	}
	if len(w.events) != 2 {
		t.Errorf("there are %d events", len(w.events))
	}
	if _, err := whoAmI(w.as(t.Context(), "alice"), client, "alice"); err != nil {
		t.Errorf("with a token: %v", err)
	}
}

// cached are ways to build a client's configuration that put an aws.CredentialsCache around the
// provider.
var cached = map[string]func(*testing.T, *userWorld, aws.CredentialsProvider) aws.Config{
	"NewCredentialsCache": func(
		_ *testing.T, w *userWorld, p aws.CredentialsProvider,
	) aws.Config {
		return w.config(aws.NewCredentialsCache(p))
	},
	"a cache with a window": func(
		_ *testing.T, w *userWorld, p aws.CredentialsProvider,
	) aws.Config {
		return w.config(aws.NewCredentialsCache(p, withWindow))
	},
	"a cache in a cache": func(
		_ *testing.T, w *userWorld, p aws.CredentialsProvider,
	) aws.Config {
		return w.config(aws.NewCredentialsCache(aws.NewCredentialsCache(p)))
	},
	"a function in a cache": func(
		_ *testing.T, w *userWorld, p aws.CredentialsProvider,
	) aws.Config {
		return w.config(aws.NewCredentialsCache(aws.CredentialsProviderFunc(p.Retrieve)))
	},
	"WithCredentialsProvider": func(
		t *testing.T, w *userWorld, p aws.CredentialsProvider,
	) aws.Config {
		return w.load(t, config.WithCredentialsProvider(p))
	},
	"WithCredentialsProvider and a window": func(
		t *testing.T, w *userWorld, p aws.CredentialsProvider,
	) aws.Config {
		return w.load(t, config.WithCredentialsProvider(p),
			config.WithCredentialsCacheOptions(withWindow))
	},
	"WithCredentialsProvider of a cache": func(
		t *testing.T, w *userWorld, p aws.CredentialsProvider,
	) aws.Config {
		return w.load(t, config.WithCredentialsProvider(aws.NewCredentialsCache(p, withWindow)))
	},
	"a copy of a loaded configuration": func(
		t *testing.T, w *userWorld, p aws.CredentialsProvider,
	) aws.Config {
		return w.load(t, config.WithCredentialsProvider(p)).Copy()
	},
}

func withWindow(o *aws.CredentialsCacheOptions) {
	o.ExpiryWindow = 5 * time.Minute
	o.ExpiryWindowJitterFrac = 0.5
}

// load is the SDK's own way to a configuration of a client of the service.
func (w *userWorld) load(
	t *testing.T, options ...func(*config.LoadOptions) error,
) aws.Config {
	t.Helper()
	options = append(options, config.WithBaseEndpoint(w.service),
		config.WithRegion(delegationtest.Region))
	loaded, err := config.LoadDefaultConfig(t.Context(), options...)
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

// TestFromContext_FailsInACache: every call of such a client fails, the first one too: one after
// the other, many at once, calls and presigned URLs. Nothing is exchanged, and the service gets no
// request.
func TestFromContext_FailsInACache(t *testing.T) {
	t.Parallel()
	for name, build := range cached {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newUserWorld(t)
			client := sts.NewFromConfig(build(t, w, w.FromContext(app)))
			call := func(user string) {
				ctx := w.as(t.Context(), user)
				_, err := whoAmI(ctx, client, user)
				if !errors.Is(err, delegation.CodeContextWithoutEnd) {
					t.Errorf("%s calls: %v", user, err)
				}
				presigned, err := sts.NewPresignClient(client).
					PresignGetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
				if !errors.Is(err, delegation.CodeContextWithoutEnd) || presigned != nil {
					t.Errorf("%s presigns: %v", user, err)
				}
			}
			call("first")
			call("second")
			var group sync.WaitGroup
			for i := range 20 {
				group.Go(func() { call(fmt.Sprintf("user-%d", i%4)) })
			}
			group.Wait()
			call("last")
			if len(w.signed) != 0 || len(w.STS.Calls()) != 0 {
				t.Errorf("the service was called as %v", w.signed)
			}
			for _, e := range w.events {
				if e.Code != delegation.CodeContextWithoutEnd || e.Subject != "" || !e.FromContext {
					t.Errorf("the event is %+v", e)
				}
			}
			if len(w.events) == 0 {
				t.Error("nothing is reported")
			}
		})
	}
}

// TestFromContext_WithoutCancel: a context that cannot end is refused wherever it comes from. With
// WithIDToken after it, work goes on when the request has ended.
func TestFromContext_WithoutCancel(t *testing.T) {
	t.Parallel()
	w := newUserWorld(t)
	request, end := context.WithCancel(w.as(t.Context(), "alice"))
	provider := w.FromContext(app)
	_, err := provider.Retrieve(context.WithoutCancel(request))
	wantError(t, err, delegation.StageConfig, delegation.CodeContextWithoutEnd)
	end()
	_, err = provider.Retrieve(request)
	wantError(t, err, delegation.StageToken, delegation.CodeCanceled)
	after := w.as(context.WithoutCancel(request), "alice")
	if c, err := provider.Retrieve(after); err != nil || !c.HasKeys() {
		t.Errorf("after the request: %v", err)
	}
}

// TestFromContext_Presigned: presigned URLs are the user's, too.
func TestFromContext_Presigned(t *testing.T) {
	t.Parallel()
	w := newUserWorld(t)
	client := sts.NewPresignClient(sts.NewFromConfig(w.config(w.FromContext(app))))
	for _, user := range []string{"alice", "bob", "alice"} {
		ctx := w.as(t.Context(), user)
		presigned, err := client.PresignGetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
		if err != nil {
			t.Fatal(err)
		}
		link, err := url.Parse(presigned.URL)
		if err != nil {
			t.Fatal(err)
		}
		key, _, _ := strings.Cut(link.Query().Get("X-Amz-Credential"), "/")
		if w.issued()[key] != user {
			t.Errorf("a URL of %s is signed as %q", user, w.issued()[key])
		}
	}
}

// TestFromContext_Options: the provider's hold for every exchange, those of a context for its own,
// and of two that set the same the context's counts. A nil one is skipped, and slices are copied.
func TestFromContext_Options(t *testing.T) {
	t.Parallel()
	w := newUserWorld(t)
	denied := delegation.WithRule(
		func(context.Context, *delegation.User, *delegation.RuleContext) error {
			return delegation.Deny("not here")
		})
	request := func(id string) delegation.ExchangeOption {
		return delegation.WithRequest(delegation.Request{ID: id})
	}
	options := []delegation.ExchangeOption{nil, request("of the provider")}
	provider := w.FromContext(app, options...)
	options[1] = denied
	own := []delegation.ExchangeOption{nil, request("of the context")}
	idToken := w.Token(nil)
	with := delegation.WithIDToken(t.Context(), idToken, own...)
	own[1] = denied
	for _, ctx := range []context.Context{
		with,
		delegation.WithIDToken(with, idToken),
		delegation.WithIDToken(with, idToken, denied),
	} {
		_, err := provider.Retrieve(ctx)
		if refused := errors.Is(err, delegation.CodeDenied); !refused && err != nil {
			t.Error(err)
		}
	}
	for i, want := range []delegation.Event{
		{HTTPRequestID: "of the context", Outcome: delegation.OutcomeAllowed},
		{HTTPRequestID: "of the provider", Outcome: delegation.OutcomeAllowed},
		{HTTPRequestID: "of the provider", Outcome: delegation.OutcomeDenied},
	} {
		e := w.events[i]
		if e.HTTPRequestID != want.HTTPRequestID || e.Outcome != want.Outcome {
			t.Errorf("event %d is %s, %s", i, e.HTTPRequestID, e.Outcome)
		}
	}
}

// TestFromContext_Nil: what is nil or was not made refuses, and an empty token is a token that is
// missing.
func TestFromContext_Nil(t *testing.T) {
	t.Parallel()
	w := newUserWorld(t)
	var none *delegation.Delegator
	ctx := w.as(t.Context(), "alice")
	for name, d := range map[string]*delegation.Delegator{
		"nil": none, "zero": new(delegation.Delegator),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := d.FromContext(app).Retrieve(ctx)
			wantError(t, err, delegation.StageConfig, delegation.CodeArgumentInvalid)
		})
	}
	//lint:ignore SA1012 a nil context is what is tested
	_, err := w.FromContext(app).Retrieve(nil)
	wantError(t, err, delegation.StageConfig, delegation.CodeArgumentInvalid)
	_, err = w.FromContext(app).Retrieve(delegation.WithIDToken(t.Context(), ""))
	wantError(t, err, delegation.StageToken, delegation.CodeTokenMissing)
	_, err = w.FromContext("no-such-target").Retrieve(ctx)
	wantError(t, err, delegation.StageTarget, delegation.CodeDelegationDisabled)
}

// TestFromContext_Sources: the SDK says in its User-Agent where the credentials are from, and takes
// the provider for no other one, such as that of anonymous requests.
func TestFromContext_Sources(t *testing.T) {
	t.Parallel()
	w := newUserWorld(t)
	provider := w.FromContext(app)
	sources := provider.(aws.CredentialProviderSource).ProviderSources()
	if len(sources) != 1 || sources[0] != aws.CredentialSourceSTSAssumeRoleSaml {
		t.Errorf("the sources are %v", sources)
	}
	if aws.IsCredentialsProvider(provider, aws.AnonymousCredentials{}) ||
		aws.IsCredentialsProvider(provider, (*aws.AnonymousCredentials)(nil)) {
		t.Error("the SDK takes it for anonymous")
	}
	if provider == w.FromContext(app) {
		t.Error("two providers are one")
	}
}
