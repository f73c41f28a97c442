package delegation_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/oidctest"
	"github.com/seed055b7978/delegation/ststest"
	"golang.org/x/oauth2"
)

// wire takes a request to a handler without a network, which a bubble of fake time would wait for.
type wire struct {
	handler http.Handler
	broken  atomic.Pointer[string] // how; nil: it works
}

func (w *wire) Do(r *http.Request) (*http.Response, error) { return w.RoundTrip(r) }

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	if how := w.broken.Load(); how != nil {
		switch *how {
		case "hangs":
			<-r.Context().Done()
			return nil, r.Context().Err()
		case "refuses connections":
			return nil, errors.New("connection refused")
		}
		return &http.Response{
			StatusCode: http.StatusServiceUnavailable,
			Body:       http.NoBody,
			Request:    r,
		}, nil
	}
	recorder, served := httptest.NewRecorder(), r.Clone(r.Context())
	served.Host = r.URL.Host
	served.Header.Set("Content-Length", strconv.FormatInt(r.ContentLength, 10))
	w.handler.ServeHTTP(recorder, served)
	return recorder.Result(), nil
}

// breaks makes the wire fail; an empty text repairs it.
func (w *wire) breaks(how string) {
	if w.broken.Store(&how); how == "" {
		w.broken.Store(nil)
	}
}

// bubbleWorld is a world in a bubble of fake time, with ststest at the end of a wire. The clock is
// time.Now, which the SDK reads too.
type bubbleWorld struct {
	*world
	fake *ststest.Server
	wire *wire
	day  string // alice's token for a day
}

func inBubble(t *testing.T, test func(t *testing.T, w *bubbleWorld)) {
	t.Helper()
	_, _ = signingKey(), issuerKey() // not while a bubble waits for them
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(start))
		w := &bubbleWorld{
			world: &world{clock: newClock()},
			fake:  ststest.New(ststest.Config{Region: "eu-central-1"}),
		}
		err := errors.Join(w.fake.PutSAMLProvider(principal, must(identity().Metadata())),
			w.fake.PutRole(ststest.Role{ARN: role, TrustPolicy: allowAll}))
		if err != nil {
			t.Fatal(err)
		}
		w.provider = must(oidctest.New(oidctest.Config{Key: issuerKey()}))
		w.provider.SetIssuer("https://tenant.example.com/")
		w.day = w.token(map[string]any{"exp": time.Now().Add(24 * time.Hour).Unix()})
		keys := httptest.NewRecorder()
		w.provider.ServeHTTP(keys, httptest.NewRequest(http.MethodGet, oidctest.KeySetPath, nil))
		w.wire = &wire{handler: w.fake}
		options := stsClient("https://sts.example.com").Options()
		options.HTTPClient = w.wire
		w.config = delegation.Config{
			Issuers: []delegation.Issuer{{
				URL:  "https://tenant.example.com/",
				JWKS: keys.Body.Bytes(),
			}},
			IdentityProvider: identity(),
			Targets: delegation.Targets{app: {AWS: delegation.AWS{
				Principal: principal,
				Role:      role,
				Region:    "eu-central-1",
			}}},
			STS: sts.New(options),
			OnEvent: func(_ context.Context, e delegation.Event) {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.events = append(w.events, e)
			},
		}
		test(t, w)
		time.Sleep(time.Minute) // until what still hangs has ended
	})
}

// source is a token source of one token that is good for a day.
func (w *bubbleWorld) source(context.Context) (string, error) { return w.day, nil }

// outcomes counts the events by code.
func (w *bubbleWorld) outcomes() map[delegation.Code]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	count := map[delegation.Code]int{}
	for _, e := range w.events {
		count[e.Code]++
	}
	return count
}

// consumer is one way to use a provider: it returns the access key.
type consumer func(aws.CredentialsProvider) func(context.Context) (string, error)

func (w *bubbleWorld) consumers() map[string]consumer {
	retrieve := func(p aws.CredentialsProvider) func(context.Context) (string, error) {
		return func(ctx context.Context) (string, error) {
			c, err := p.Retrieve(ctx)
			return c.AccessKeyID, err
		}
	}
	return map[string]consumer{
		"plain": retrieve,
		"cache": func(p aws.CredentialsProvider) func(context.Context) (string, error) {
			return retrieve(aws.NewCredentialsCache(p))
		},
		"cache with a window": func(
			p aws.CredentialsProvider,
		) func(context.Context) (string, error) {
			return retrieve(aws.NewCredentialsCache(p, func(o *aws.CredentialsCacheOptions) {
				o.ExpiryWindow, o.ExpiryWindowJitterFrac = 5*time.Minute, 0.5
			}))
		},
		// ststest refuses what has expired
		"client": func(p aws.CredentialsProvider) func(context.Context) (string, error) {
			config := aws.Config{
				Region: "eu-central-1", Credentials: aws.NewCredentialsCache(p),
				BaseEndpoint: aws.String("https://sts.example.com"),
				HTTPClient:   &wire{handler: w.fake},
			}
			client := sts.NewFromConfig(config)
			return func(ctx context.Context) (string, error) {
				_, err := client.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
				if err != nil {
					return "", err
				}
				return retrieve(config.Credentials)(ctx)
			}
		},
	}
}

// TestProvider_Outage: STS is dead for the last ten minutes of the credentials' life and more.
// Nobody who asks each second fails, and within 30 s of its return there are new credentials.
func TestProvider_Outage(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		sts string
		// before the credentials end; from asks on they are asked for each second
		from, to, asks time.Duration
	}{
		{"hangs", 10 * time.Minute, 0, 17 * time.Minute},
		{"hangs", 10 * time.Minute, 0, 10 * time.Minute}, // no refresh was possible before
		{"hangs", 10 * time.Minute, 31 * time.Second, 10 * time.Minute},
		{"hangs", 16 * time.Minute, 0, 17 * time.Minute},
		{"refuses connections", 16 * time.Minute, 0, 17 * time.Minute},
		{"answers 503", 16 * time.Minute, 7 * time.Minute, 17 * time.Minute},
	} {
		for name := range (&bubbleWorld{}).consumers() {
			title := fmt.Sprintf("%s from %s to %s, asked from %s, %s", row.sts, row.from, row.to,
				row.asks, name)
			t.Run(title, func(t *testing.T) {
				inBubble(t, func(t *testing.T, w *bubbleWorld) {
					use := w.consumers()[name](w.delegator(t).Provider(w.source, app))
					key, err := use(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					var renewed time.Time
					end := time.Now().Add(time.Hour)
					time.Sleep(time.Hour - row.asks)
					for ; time.Now().Before(end.Add(time.Minute)); time.Sleep(time.Second) {
						left := time.Until(end)
						failing := left <= row.from && left > row.to
						w.wire.breaks(map[bool]string{true: row.sts}[failing])
						now, err := use(t.Context())
						if err != nil {
							t.Fatalf("%s before the end: %v", left, err)
						}
						if key != now {
							key, renewed = now, time.Now()
						}
					}
					latest := end.Add(30*time.Second - row.to)
					// they were renewed before the outage
					if row.from < 15*time.Minute && row.asks > row.from {
						latest = end.Add(30*time.Second - 15*time.Minute)
					}
					if renewed.IsZero() || renewed.After(latest) {
						t.Errorf("renewed at %s, and not by %s", renewed, latest)
					}
					attempts := 0
					for code, n := range w.outcomes() {
						attempts += n
						if code != "" && code != delegation.CodeSTSTimeout &&
							code != delegation.CodeSTSUnavailable {
							t.Errorf("%d events of %s", n, code)
						}
					}
					if most := 4 + int((row.from-row.to)/(10*time.Second)); attempts > most {
						t.Errorf("%d attempts, more than %d", attempts, most)
					}
				})
			})
		}
	}
}

// TestProvider_OffTheCallersPath: once there are credentials nobody waits for STS.
func TestProvider_OffTheCallersPath(t *testing.T) {
	for _, name := range []string{"plain", "cache", "cache with a window"} {
		inBubble(t, func(t *testing.T, w *bubbleWorld) {
			use := w.consumers()[name](w.delegator(t).Provider(w.source, app))
			if _, err := use(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.wire.breaks("hangs")
			for end := time.Now().Add(time.Hour); time.Now().Before(end); time.Sleep(time.Second) {
				began := time.Now()
				if _, err := use(t.Context()); err != nil || time.Since(began) > 0 {
					t.Fatalf("%s: %v after %s", name, err, time.Since(began))
				}
			}
		})
	}
}

// TestProvider_Expires: what is advertised is when to ask again, never later than the credentials
// last.
func TestProvider_Expires(t *testing.T) {
	inBubble(t, func(t *testing.T, w *bubbleWorld) {
		p := w.delegator(t).Provider(w.source, app)
		want := func(expires time.Time) {
			t.Helper()
			c, err := p.Retrieve(t.Context())
			if err != nil || !c.Expires.Equal(expires) || !c.CanExpire ||
				c.Source != "AssumeRoleWithSAML" || c.AccountID != account || !c.HasKeys() ||
				c.SessionToken == "" {
				t.Fatalf("got %+v, %v; want one that expires at %s", c, err, expires)
			}
			synctest.Wait()
		}
		end := start.Add(time.Hour)
		want(end.Add(-15 * time.Minute))
		w.wire.breaks("refuses connections")
		time.Sleep(45 * time.Minute)
		want(end.Add(-15 * time.Minute).Add(10 * time.Second))
		time.Sleep(14*time.Minute + 55*time.Second)
		want(end)
		if w.wire.breaks(""); w.events[0].Expiration != end {
			t.Errorf("the event has %s", w.events[0].Expiration)
		}
		time.Sleep(5 * time.Second)
		want(end.Add(45 * time.Minute))
	})
}

// TestProvider_CredentialsCache holds the provider to what the SDK's cache asks of it, with the
// compiler's help.
func TestProvider_CredentialsCache(t *testing.T) {
	inBubble(t, func(t *testing.T, w *bubbleWorld) {
		p := w.delegator(t).Provider(w.source, app).(interface {
			aws.CredentialsProvider
			aws.HandleFailRefreshCredentialsCacheStrategy
			aws.AdjustExpiresByCredentialsCacheStrategy
			aws.CredentialProviderSource
		})
		failure := errors.New("a failure")
		c, err := p.HandleFailToRefresh(t.Context(),
			aws.Credentials{AccessKeyID: "AKIAOLD", SecretAccessKey: "old"}, failure)
		if c != (aws.Credentials{}) || err != failure {
			t.Errorf("without credentials: %v", err)
		}
		got := must(p.Retrieve(t.Context()))
		c, err = p.HandleFailToRefresh(t.Context(), aws.Credentials{}, failure)
		if c != got || err != nil {
			t.Errorf("with credentials: %v, want them", err)
		}
		time.Sleep(time.Hour)
		c, err = p.HandleFailToRefresh(t.Context(), got, failure)
		if c != (aws.Credentials{}) || err != failure {
			t.Errorf("with expired credentials: %v", err)
		}
		if c, err := p.AdjustExpiresBy(got, -5*time.Minute); c != got || err != nil {
			t.Errorf("adjusted to %s, %v", c.Expires, err)
		}
		cache := aws.NewCredentialsCache(p)
		s := cache.ProviderSources()
		if len(s) != 1 || s[0] != aws.CredentialSourceSTSAssumeRoleSaml {
			t.Errorf("sources %v", s)
		}
	})
}

// TestProvider_OneExchangeForAll: a thousand callers make one exchange, and the one that gives up
// stops none of the others.
func TestProvider_OneExchangeForAll(t *testing.T) {
	inBubble(t, func(t *testing.T, w *bubbleWorld) {
		asked := 0
		p := w.delegator(t).Provider(func(context.Context) (string, error) {
			asked++
			time.Sleep(time.Second)
			return w.token(nil), nil
		}, app)
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() {
			_, err := p.Retrieve(ctx) // this one begins
			wantError(t, err, delegation.StageToken, delegation.CodeCanceled)
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
		})
		synctest.Wait()
		for range 999 {
			all.Go(func() {
				if _, err := p.Retrieve(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		cancel()
		all.Wait()
		if asked != 1 || len(w.fake.Calls()) != 1 || len(w.events) != 1 {
			t.Errorf("%d tokens, %d calls, %d events", asked, len(w.fake.Calls()), len(w.events))
		}
	})
}

// TestProvider_Source: what becomes of an exchange for which there is no token. It has its event,
// too.
func TestProvider_Source(t *testing.T) {
	folder := t.TempDir()
	broken := errors.New("broken")
	for name, row := range map[string]struct {
		source delegation.TokenSource
		code   delegation.Code
		words  string
	}{
		"an error": {func(context.Context) (string, error) { return "", broken },
			delegation.CodeTokenSourceFailed, "broken"},
		"both": {func(context.Context) (string, error) { return "canary", broken },
			delegation.CodeTokenSourceFailed, "broken"},
		"nothing": {func(context.Context) (string, error) { return "", nil },
			delegation.CodeTokenSourceFailed, "no token"},
		"a panic": {func(context.Context) (string, error) { panic("boom") },
			delegation.CodeTokenSourceFailed, "boom"},
		"a hanging": {func(ctx context.Context) (string, error) {
			<-ctx.Done()
			return "", ctx.Err()
		}, delegation.CodeCanceled, "deadline"},
		"no file": {delegation.TokenFile(filepath.Join(folder, "missing")),
			delegation.CodeTokenSourceFailed, "missing"},
		"no id_token": {
			delegation.TokenOAuth2(oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "canary"})),
			delegation.CodeTokenSourceFailed, "scope openid",
		},
		"a bad token": {func(context.Context) (string, error) { return "canary", nil },
			delegation.CodeTokenMalformed, "three"},
		"a line's end": {func(context.Context) (string, error) { return "\n", nil },
			delegation.CodeTokenMalformed, "three"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *bubbleWorld) {
				began := time.Now()
				c, err := w.delegator(t).Provider(row.source, app).Retrieve(t.Context())
				e := wantError(t, err, delegation.StageToken, row.code)
				if c != (aws.Credentials{}) || !strings.Contains(err.Error(), row.words) ||
					strings.Contains(err.Error(), "canary") {
					t.Errorf("got %v", err)
				}
				if name == "an error" && !errors.Is(err, broken) {
					t.Errorf("%v does not wrap the source's error", err)
				}
				if len(w.events) != 1 {
					t.Fatalf("%d events", len(w.events))
				}
				event := w.events[0]
				if event.Err != e || event.Code != row.code || event.Target != app ||
					!event.Time.Equal(began) ||
					event.Took[delegation.StageToken] != time.Since(began) {
					t.Errorf("event %+v", event)
				}
				if row.code == delegation.CodeCanceled &&
					time.Since(began) != time.Minute+10*time.Second {
					t.Errorf("it hung for %s", time.Since(began))
				}
			})
		})
	}
}

// TestProvider_SourceFailsLater: credentials at hand are served, and the operator is told with each
// attempt.
func TestProvider_SourceFailsLater(t *testing.T) {
	inBubble(t, func(t *testing.T, w *bubbleWorld) {
		file := filepath.Join(t.TempDir(), "token")
		write := func(token string) {
			if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		write(w.token(nil) + "\n")
		p := w.delegator(t).Provider(delegation.TokenFile(file), app)
		first := must(p.Retrieve(t.Context()))
		write("")
		time.Sleep(45 * time.Minute)
		for range 3 {
			if c := must(p.Retrieve(t.Context())); c.AccessKeyID != first.AccessKeyID {
				t.Error("other credentials")
			}
			time.Sleep(10 * time.Second)
		}
		write(w.token(nil)) // the file is read anew
		_ = must(p.Retrieve(t.Context()))
		synctest.Wait()
		if c := must(p.Retrieve(t.Context())); c.AccessKeyID == first.AccessKeyID {
			t.Error("still the old credentials")
		}
		got := w.outcomes()
		if got[""] != 2 || got[delegation.CodeTokenSourceFailed] != 3 || len(got) != 2 {
			t.Errorf("events %v", got)
		}
	})
}

// TestProvider_OAuth2 takes a token through a real source's answer.
func TestProvider_OAuth2(t *testing.T) {
	w, _ := strictWorld(t)
	endpoint := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(rw,
			`{"access_token": "canary", "token_type": "Bearer", "id_token": %q}`, w.token(nil))
	}))
	defer endpoint.Close()
	config := oauth2.Config{Endpoint: oauth2.Endpoint{TokenURL: endpoint.URL}}
	source := config.TokenSource(t.Context(), &oauth2.Token{RefreshToken: "canary"})
	c, err := w.delegator(t).Provider(delegation.TokenOAuth2(source), app).Retrieve(t.Context())
	if err != nil || !c.HasKeys() {
		t.Fatal(err)
	}
}

// TestProvider_Options hold for every exchange, and cannot be changed from outside.
func TestProvider_Options(t *testing.T) {
	inBubble(t, func(t *testing.T, w *bubbleWorld) {
		options := []delegation.ExchangeOption{delegation.WithClientID("another-app")}
		p := w.delegator(t).Provider(w.source, app, options...)
		options[0] = nil
		_, err := p.Retrieve(t.Context())
		wantError(t, err, delegation.StageTarget, delegation.CodeClientMismatch)
	})
}

// TestProvider_Refused: what a provider cannot work with is an error when it is asked, and no
// panic.
func TestProvider_Refused(t *testing.T) {
	w := newWorld(t)
	source := func(context.Context) (string, error) { return "", nil }
	for name, p := range map[string]aws.CredentialsProvider{
		"nil Delegator":  (*delegation.Delegator)(nil).Provider(source, app),
		"zero Delegator": new(delegation.Delegator).Provider(source, app),
		"nil source":     w.delegator(t).Provider(nil, app),
	} {
		for range 2 {
			c, err := p.Retrieve(t.Context())
			e := wantError(t, err, delegation.StageConfig, delegation.CodeArgumentInvalid)
			if c != (aws.Credentials{}) || !strings.Contains(e.Error(), "token source") {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	//lint:ignore SA1012 a nil context is what is tested
	_, err := w.delegator(t).Provider(source, app).Retrieve(nil)
	wantError(t, err, delegation.StageConfig, delegation.CodeArgumentInvalid)
	if len(w.events) > 0 {
		t.Errorf("%d events of exchanges that never began", len(w.events))
	}
}

// TestProvider_PartsFromOthers: of a hundred providers that start at the same moment no more than a
// few ask AWS at the same time when their credentials are due.
func TestProvider_PartsFromOthers(t *testing.T) {
	inBubble(t, func(t *testing.T, w *bubbleWorld) {
		const pods = 100
		d := w.delegator(t)
		turn := 0.0
		delegation.SetRandom(d, func() float64 { // as even as chance is in the mean
			turn++
			return (turn - 1) / pods
		})
		var providers []aws.CredentialsProvider
		for range pods {
			p := d.Provider(w.source, app)
			if _, err := p.Retrieve(t.Context()); err != nil {
				t.Fatal(err)
			}
			providers = append(providers, p)
		}
		most, before := 0, len(w.fake.Calls())
		time.Sleep(45*time.Minute - time.Second)
		for range 181 { // the three minutes in which they are due, second by second
			for _, p := range providers {
				if _, err := p.Retrieve(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			synctest.Wait()
			calls := len(w.fake.Calls())
			most = max(most, calls-before)
			before = calls
			time.Sleep(time.Second)
		}
		if most > 3 || before != 2*pods {
			t.Errorf("%d asked in one second, and %d in all", most, before-pods)
		}
	})
}

// TestProvider_LeavesSomeToChance: New gives a Delegator numbers of its own.
func TestProvider_LeavesSomeToChance(t *testing.T) {
	inBubble(t, func(t *testing.T, w *bubbleWorld) {
		d, err := delegation.New(t.Context(), w.config)
		if err != nil {
			t.Fatal(err)
		}
		due := map[time.Time]bool{}
		for range 10 {
			c, err := d.Provider(w.source, app).Retrieve(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			due[c.Expires] = true
			left := time.Until(c.Expires)
			if left < 45*time.Minute || left > 48*time.Minute {
				t.Errorf("due in %s", left)
			}
		}
		if len(due) < 5 {
			t.Errorf("ten providers are due at %d moments", len(due))
		}
	})
}
