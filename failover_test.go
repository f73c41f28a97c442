package delegation_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/ststest"
)

const (
	frankfurt = "eu-central-1"
	dublin    = "eu-west-1"
	paris     = "eu-west-3"
)

// internet leads the SDK's requests to STS's own hosts to a fake, and to no host of a region that
// is down.
type internet struct {
	server string // host and port of the fake

	mu    sync.Mutex
	down  map[string]bool
	asked map[string]int // attempts by region, of a region that is down too
}

func (i *internet) Do(r *http.Request) (*http.Response, error) {
	host := r.URL.Host
	region := strings.Split(host, ".")[1]
	i.mu.Lock()
	i.asked[region]++
	down := i.down[region]
	i.mu.Unlock()
	if down {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	}
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host, r.Host = "http", i.server, host
	return http.DefaultClient.Do(r)
}

func (i *internet) set(down bool, regions ...string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, region := range regions {
		i.down[region] = down
	}
}

// attempts returns how often a region was asked since the last call.
func (i *internet) attempts(region string) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	n := i.asked[region]
	i.asked[region] = 0
	return n
}

// regionalWorld is a strict world in all regions, for whose target Dublin stands in for Frankfurt.
// The trust policy wants Frankfurt's recipient.
func regionalWorld(t testing.TB) (*world, *ststest.Server, *internet) {
	t.Helper()
	w, fake := strictWorld(t)
	aud := `"Condition": {"StringEquals": {"SAML:aud": "https://eu-central-1.signin.aws.amazon.com/saml"}}, "Action"`
	err := fake.PutRole(ststest.Role{
		ARN:         role,
		TrustPolicy: strings.Replace(allowAll, `"Action"`, aud, 1),
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	way := &internet{
		server: strings.TrimPrefix(server.URL, "http://"),
		down:   map[string]bool{},
		asked:  map[string]int{},
	}
	w.config.STS = sts.New(sts.Options{
		Credentials: aws.AnonymousCredentials{}, HTTPClient: way,
		Retryer: retry.NewStandard(func(o *retry.StandardOptions) {
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) {
				return 0, nil
			})
			o.MaxAttempts = 1
		}),
	})
	w.target(func(target *delegation.Target) { target.FailoverRegions = []string{dublin} })
	return w, fake, way
}

// lastEvent returns the event of the last exchange.
func (w *world) lastEvent() delegation.Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.events[len(w.events)-1]
}

// captured passes calls on and keeps their inputs.
type captured struct {
	delegation.STS
	mu   sync.Mutex
	sent []*sts.AssumeRoleWithSAMLInput
}

func (c *captured) AssumeRoleWithSAML(
	ctx context.Context, in *sts.AssumeRoleWithSAMLInput, o ...func(*sts.Options),
) (*sts.AssumeRoleWithSAMLOutput, error) {
	c.mu.Lock()
	c.sent = append(c.sent, in)
	c.mu.Unlock()
	return c.STS.AssumeRoleWithSAML(ctx, in, o...)
}

// limitedIn passes time-outs on in one region only, so that a slow machine has all the time that it
// takes for an answer of another.
type limitedIn struct {
	region string
	next   delegation.STS
}

func (l limitedIn) AssumeRoleWithSAML(
	ctx context.Context, in *sts.AssumeRoleWithSAMLInput, set ...func(*sts.Options),
) (*sts.AssumeRoleWithSAMLOutput, error) {
	var options sts.Options
	for _, f := range set {
		f(&options)
	}
	if options.Region != l.region {
		ctx = context.WithoutCancel(ctx)
	}
	return l.next.AssumeRoleWithSAML(ctx, in, set...)
}

func capture(w *world) *captured {
	c := &captured{STS: w.config.STS}
	w.config.STS = c
	return c
}

// TestFailover_TheNextRegionRedeemsTheSameResponse: what says nothing about the response sends it
// on to the next region.
func TestFailover_TheNextRegionRedeemsTheSameResponse(t *testing.T) {
	for name, row := range map[string]struct {
		fault ststest.Fault
		down  bool
		code  delegation.Code
	}{
		"nobody listens":    {down: true, code: delegation.CodeSTSUnavailable},
		"500":               {fault: ststest.Status(500), code: delegation.CodeSTSUnavailable},
		"503":               {fault: ststest.Status(503), code: delegation.CodeSTSUnavailable},
		"a balancer's 502":  {fault: ststest.Status(502), code: delegation.CodeSTSUnavailable},
		"connection is cut": {fault: ststest.Cut(), code: delegation.CodeSTSUnavailable},
		"no answer in time": {fault: ststest.Hang(), code: delegation.CodeSTSTimeout},
		"region not enabled": {fault: ststest.RegionDisabled(),
			code: delegation.CodeSTSRegionDisabled},
	} {
		t.Run(name, func(t *testing.T) {
			w, fake, way := regionalWorld(t)
			fake.Script(row.fault.In(frankfurt))
			way.set(row.down, frankfurt)
			sent := capture(w)
			if row.code == delegation.CodeSTSTimeout {
				// of the real clock: the SDK has no other
				w.config.STSTimeout = 50 * time.Millisecond
				w.config.STS = limitedIn{frankfurt, sent}
			}
			credentials, err := w.exchange(t, nil)
			if err != nil {
				t.Fatal(err)
			}
			e := w.lastEvent()
			if credentials.Region != dublin || e.Region != dublin {
				t.Errorf("answered by %s, the event says %s", credentials.Region, e.Region)
			}
			want := []string{frankfurt + ":" + string(row.code)}
			if !slices.Equal(e.FailedRegions, want) ||
				!slices.Equal(e.Warnings, []string{"region_failed"}) {
				t.Errorf("failed regions %v, want %v; warnings %v", e.FailedRegions,
					want, e.Warnings)
			}
			if len(sent.sent) != 2 || *sent.sent[0].SAMLAssertion != *sent.sent[1].SAMLAssertion {
				t.Errorf("%d calls, or not the same response", len(sent.sent))
			}
			if credentials.Audience != "https://eu-central-1.signin.aws.amazon.com/saml" {
				t.Errorf("the recipient is %s: trust policies know the first region's",
					credentials.Audience)
			}
		})
	}
}

// TestFailover_RetriesUsedUp: in an outage the SDK soon has no retries left, and its error is
// another one.
func TestFailover_RetriesUsedUp(t *testing.T) {
	w, _, way := regionalWorld(t)
	w.config.STS = sts.New(w.config.STS.(*sts.Client).Options(), func(o *sts.Options) {
		o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) {
			o.RateLimiter = ratelimit.NewTokenRateLimit(0)
		})
	})
	way.set(true, frankfurt)
	credentials, err := w.exchange(t, nil)
	if err != nil || credentials.Region != dublin || way.attempts(frankfurt) != 1 {
		t.Errorf("got %v, %v", credentials, err)
	}
}

// TestFailover_AnAnswerStays: another region would say the same, or must not be burdened as well.
func TestFailover_AnAnswerStays(t *testing.T) {
	for name, row := range map[string]struct {
		fault ststest.Fault
		code  delegation.Code
	}{
		"throttled": {ststest.Throttle(), delegation.CodeSTSThrottled},
		"429": {ststest.Refuse(429, "TooManyRequestsException", "slow"),
			delegation.CodeSTSThrottled},
		"throttled with 503": {ststest.Refuse(503, "SlowDown", "slow"),
			delegation.CodeSTSThrottled},
		"access denied": {
			ststest.Refuse(403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithSAML"),
			delegation.CodeSTSAccessDenied,
		},
		"expired": {ststest.Refuse(400, "ExpiredTokenException", "Response has expired"),
			delegation.CodeSTSExpired},
		"packed size": {
			ststest.Refuse(400, "PackedPolicyTooLarge",
				"Packed size of session tags consumes 138% of allotted space."),
			delegation.CodeSTSPackedSize,
		},
		"duration": {
			ststest.Refuse(400, "ValidationError",
				"The requested DurationSeconds exceeds the MaxSessionDuration set for this role."),
			delegation.CodeSTSDuration,
		},
		"of tomorrow": {ststest.Refuse(400, "SomethingNew", "x"), delegation.CodeSTSRefused},
		"incomplete":  {ststest.Missing("Credentials"), delegation.CodeSTSAnswerIncomplete},
	} {
		t.Run(name, func(t *testing.T) {
			w, fake, way := regionalWorld(t)
			fake.Script(ststest.Repeat(4, row.fault.In(frankfurt)))
			d := w.delegator(t)
			for range 4 { // and no number of them brings the region to rest
				_, err := d.Exchange(t.Context(), w.token(nil), app)
				wantError(t, err, delegation.StageSTS, row.code)
			}
			first, second := way.attempts(frankfurt), way.attempts(dublin)
			if first != 4 || second != 0 {
				t.Errorf("%d calls, and %d to the second region", first, second)
			}
			e := w.lastEvent()
			if e.Region != frankfurt || e.FailedRegions != nil || e.Warnings != nil {
				t.Errorf("the event says %+v", e)
			}
		})
	}
}

// TestFailover_ADeadRegionRests: three failures in a row, and it is not asked for 30 s; then one
// exchange asks.
func TestFailover_ADeadRegionRests(t *testing.T) {
	w, _, way := regionalWorld(t)
	way.set(true, frankfurt)
	d := w.delegator(t)
	exchange := func(region string, asked int, failed ...string) {
		t.Helper()
		credentials, err := d.Exchange(t.Context(), w.token(nil), app)
		if err != nil {
			t.Fatal(err)
		}
		got := way.attempts(frankfurt)
		if credentials.Region != region || got != asked ||
			!slices.Equal(w.lastEvent().FailedRegions, failed) {
			t.Fatalf("%s answered, %s was asked %d times, want %s and %d; %v", credentials.Region,
				frankfurt, got, region, asked, w.lastEvent().FailedRegions)
		}
	}
	for range 3 {
		exchange(dublin, 1, "eu-central-1:sts_unavailable")
	}
	exchange(dublin, 0, "eu-central-1:skipped")
	w.clock.Advance(30*time.Second - 1)
	exchange(dublin, 0, "eu-central-1:skipped")
	w.clock.Advance(1)
	exchange(dublin, 1, "eu-central-1:sts_unavailable") // the probe
	exchange(dublin, 0, "eu-central-1:skipped")
	way.set(false, frankfurt)
	w.clock.Advance(30*time.Second - 1)
	exchange(dublin, 0, "eu-central-1:skipped")
	w.clock.Advance(1)
	exchange(frankfurt, 1)
	exchange(frankfurt, 1)
	if e := w.lastEvent(); e.Warnings != nil {
		t.Errorf("warnings %v", e.Warnings)
	}
}

// TestFailover_SuccessBetweenFailures: only failures in a row bring a region to rest.
func TestFailover_SuccessBetweenFailures(t *testing.T) {
	w, _, way := regionalWorld(t)
	d := w.delegator(t)
	for i, down := range []bool{true, true, false, true, true, true} {
		way.set(down, frankfurt)
		if _, err := d.Exchange(t.Context(), w.token(nil), app); err != nil {
			t.Fatal(err)
		}
		if way.attempts(frankfurt) != 1 {
			t.Errorf("exchange %d did not ask", i)
		}
	}
}

// TestFailover_ACallerWhoLeaves says nothing about a region: failures before and after are in a
// row.
func TestFailover_ACallerWhoLeaves(t *testing.T) {
	w, _, way := regionalWorld(t)
	way.set(true, frankfurt)
	ctx, leave := context.WithCancel(t.Context())
	internet := w.config.STS
	leaves := false
	w.config.STS = regionalFunc(func(
		ctx context.Context, region string, in *sts.AssumeRoleWithSAMLInput,
	) (*sts.AssumeRoleWithSAMLOutput, error) {
		if leaves {
			leave()
			return nil, ctx.Err()
		}
		return internet.AssumeRoleWithSAML(ctx, in, func(o *sts.Options) { o.Region = region })
	})
	d := w.delegator(t)
	exchange := func(ctx context.Context, failed ...string) {
		t.Helper()
		_, err := d.Exchange(ctx, w.token(nil), app)
		if (err != nil) != leaves || !slices.Equal(w.lastEvent().FailedRegions, failed) {
			t.Fatalf("%v; failed regions %q, want %q", err, w.lastEvent().FailedRegions, failed)
		}
	}
	down := frankfurt + ":sts_unavailable"
	exchange(t.Context(), down)
	exchange(t.Context(), down)
	leaves = true
	exchange(ctx)
	leaves = false
	exchange(t.Context(), down)
	exchange(t.Context(), frankfurt+":skipped")
}

// TestFailover_RestIsNoShorterThanACall: a call from before the rest must not end after it.
func TestFailover_RestIsNoShorterThanACall(t *testing.T) {
	w, _, way := regionalWorld(t)
	w.config.STSTimeout = 2 * time.Minute
	way.set(true, frankfurt)
	d := w.delegator(t)
	for i, wait := range []time.Duration{0, 0, 0, 2*time.Minute - 1, 1} {
		w.clock.Advance(wait)
		if _, err := d.Exchange(t.Context(), w.token(nil), app); err != nil {
			t.Fatal(err)
		}
		if got, want := way.attempts(frankfurt), 1; (got == want) != (i != 3) {
			t.Errorf("exchange %d: %d attempts", i, got)
		}
	}
}

// regionalFunc is an STS of one function that sees the region.
type regionalFunc func(ctx context.Context, region string,
	in *sts.AssumeRoleWithSAMLInput) (*sts.AssumeRoleWithSAMLOutput, error)

func (f regionalFunc) AssumeRoleWithSAML(
	ctx context.Context, in *sts.AssumeRoleWithSAMLInput, options ...func(*sts.Options),
) (*sts.AssumeRoleWithSAMLOutput, error) {
	var o sts.Options
	for _, option := range options {
		option(&o)
	}
	return f(ctx, o.Region, in)
}

var errRefused = &url.Error{
	Op:  "Post",
	URL: "https://sts.example.com",
	Err: errors.New("connection refused"),
}

// TestFailover_OneProbe: of 64 exchanges at once after the rest, one asks the region, and the
// others do not wait for it.
func TestFailover_OneProbe(t *testing.T) {
	w := newWorld(t)
	yes := agreeable(w.clock.Now)
	var alive atomic.Bool
	var asked atomic.Int32
	release := make(chan struct{})
	w.config.STS = regionalFunc(func(
		ctx context.Context, region string, in *sts.AssumeRoleWithSAMLInput,
	) (*sts.AssumeRoleWithSAMLOutput, error) {
		if region != frankfurt {
			return yes(ctx, in)
		}
		first := asked.Add(1) == 1
		if !alive.Load() {
			return nil, errRefused
		}
		if first {
			<-release
		}
		return yes(ctx, in)
	})
	w.retarget(func(a *delegation.AWS) { a.FailoverRegions = []string{dublin} })
	d, token := w.delegator(t), w.token(nil)
	exchange := func() string {
		credentials, err := d.Exchange(context.Background(), token, app)
		if err != nil {
			t.Error(err)
			return ""
		}
		return credentials.Region
	}
	for range 3 {
		exchange()
	}
	alive.Store(true)
	w.clock.Advance(30 * time.Second)
	asked.Store(0)
	answers := make(chan string, 64)
	for range 64 {
		go func() { answers <- exchange() }()
	}
	for range 63 {
		if got := <-answers; got != dublin {
			t.Errorf("answered by %q while the probe was under way", got)
		}
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("%d probes", n)
	}
	close(release)
	if got := <-answers; got != frankfurt {
		t.Errorf("the probe was answered by %q", got)
	}
	for range 64 {
		go func() { answers <- exchange() }()
	}
	for range 64 {
		if got := <-answers; got != frankfurt {
			t.Errorf("answered by %q after the region's return", got)
		}
	}
}

// TestFailover_AllAtRest: the first region is asked then, because to refuse without asking helps
// nobody.
func TestFailover_AllAtRest(t *testing.T) {
	w, _, way := regionalWorld(t)
	way.set(true, frankfurt, dublin)
	d := w.delegator(t)
	for range 3 {
		_, err := d.Exchange(t.Context(), w.token(nil), app)
		wantError(t, err, delegation.StageSTS, delegation.CodeSTSUnavailable)
	}
	if e := w.lastEvent(); e.Region != dublin || len(e.FailedRegions) != 2 {
		t.Errorf("the last region asked is %s, failed are %v", e.Region, e.FailedRegions)
	}
	way.attempts(frankfurt)
	way.attempts(dublin)
	_, err := d.Exchange(t.Context(), w.token(nil), app)
	wantError(t, err, delegation.StageSTS, delegation.CodeSTSUnavailable)
	if first, second := way.attempts(frankfurt), way.attempts(dublin); first != 1 || second != 0 {
		t.Errorf("%d and %d attempts", first, second)
	}
	way.set(false, frankfurt)
	credentials, err := d.Exchange(t.Context(), w.token(nil), app)
	if err != nil || credentials.Region != frankfurt || w.lastEvent().Region != frankfurt {
		t.Fatalf("got %v, %v", credentials, err)
	}
	want := []string{"eu-central-1:skipped", "eu-west-1:skipped"}
	if !slices.Equal(w.lastEvent().FailedRegions, want) {
		t.Errorf("failed regions %v", w.lastEvent().FailedRegions)
	}
	way.attempts(frankfurt)
	credentials, err = d.Exchange(t.Context(), w.token(nil), app)
	if err != nil || w.lastEvent().FailedRegions != nil {
		t.Errorf("the answer did not end the rest: %v, %v", credentials, err)
	}
}

// TestFailover_OneRegionNeverRests: without another region nothing is passed over, and nothing is
// recorded.
func TestFailover_OneRegionNeverRests(t *testing.T) {
	w, _, way := regionalWorld(t)
	w.retarget(func(a *delegation.AWS) { a.FailoverRegions = []string{frankfurt} }) // counts once
	way.set(true, frankfurt)
	d := w.delegator(t)
	for range 10 {
		_, err := d.Exchange(t.Context(), w.token(nil), app)
		wantError(t, err, delegation.StageSTS, delegation.CodeSTSUnavailable)
		e := w.lastEvent()
		if way.attempts(frankfurt) != 1 || e.FailedRegions != nil || e.Warnings != nil {
			t.Fatalf("the event is %+v", e)
		}
	}
	way.set(false, frankfurt)
	if _, err := d.Exchange(t.Context(), w.token(nil), app); err != nil {
		t.Error(err)
	}
}

// TestFailover_CallerLeaves: who leaves ends the exchange where it is, and says nothing about the
// region.
func TestFailover_CallerLeaves(t *testing.T) {
	w := newWorld(t)
	asked := map[string]int{}
	var leave context.CancelFunc
	w.config.STS = regionalFunc(func(
		ctx context.Context, region string, _ *sts.AssumeRoleWithSAMLInput,
	) (*sts.AssumeRoleWithSAMLOutput, error) {
		asked[region]++
		leave()
		<-ctx.Done()
		return nil, errRefused
	})
	w.retarget(func(a *delegation.AWS) { a.FailoverRegions = []string{dublin} })
	d := w.delegator(t)
	for range 5 {
		ctx, cancel := context.WithCancel(t.Context())
		leave = cancel
		_, err := d.Exchange(ctx, w.token(nil), app)
		wantError(t, err, delegation.StageSTS, delegation.CodeCanceled)
	}
	if asked[frankfurt] != 5 || asked[dublin] != 0 {
		t.Errorf("asked %v", asked)
	}
}

// TestFailover_ThirdRegion: the order is the operator's.
func TestFailover_ThirdRegion(t *testing.T) {
	w, fake, way := regionalWorld(t)
	w.retarget(func(a *delegation.AWS) { a.FailoverRegions = []string{paris, dublin} })
	way.set(true, frankfurt)
	fake.Script(ststest.RegionDisabled().In(paris))
	credentials, err := w.exchange(t, nil)
	if err != nil || credentials.Region != dublin {
		t.Fatalf("got %v, %v", credentials, err)
	}
	want := []string{"eu-central-1:sts_unavailable", "eu-west-3:sts_region_disabled"}
	if !slices.Equal(w.lastEvent().FailedRegions, want) {
		t.Errorf("failed regions %v", w.lastEvent().FailedRegions)
	}
}

// TestFailover_ADisabledRegionDoesNotRest: it is disabled for one account, and other accounts may
// use it.
func TestFailover_ADisabledRegionDoesNotRest(t *testing.T) {
	w, fake, way := regionalWorld(t)
	fake.Script(ststest.Repeat(5, ststest.RegionDisabled().In(frankfurt)))
	d := w.delegator(t)
	for range 5 {
		credentials, err := d.Exchange(t.Context(), w.token(nil), app)
		if err != nil || credentials.Region != dublin || way.attempts(frankfurt) != 1 {
			t.Fatalf("got %v, %v", credentials, err)
		}
	}
	credentials, err := d.Exchange(t.Context(), w.token(nil), app)
	if err != nil || credentials.Region != frankfurt {
		t.Errorf("activated, and got %v, %v", credentials, err)
	}
}

// TestFailoverRegions_AreChecked: New checks the regions of targets in a map. Each exchange checks
// its regions after the rules.
func TestFailoverRegions_AreChecked(t *testing.T) {
	for name, row := range map[string]struct {
		regions []string
		set     func(*delegation.Config)
		says    string
	}{
		"no region":         {[]string{dublin, "mars-north-1"}, nil, `"mars-north-1"`},
		"empty":             {[]string{""}, nil, `"" is not`},
		"another partition": {[]string{"cn-north-1"}, nil, "different partitions"},
		"no FIPS host": {[]string{"us-east-1", dublin},
			func(c *delegation.Config) { c.FIPS = true }, "FIPS endpoint in eu-west-1"},
		"longer than 5m": {[]string{dublin, paris}, func(c *delegation.Config) {
			c.STSTimeout = 100*time.Second + 1
		}, "3 regions of 1m40.000000001s"},
		"longer than a life": {[]string{dublin},
			func(c *delegation.Config) { c.STSTimeout = 1<<63 - 1 }, "2 regions"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			first := frankfurt
			if row.set != nil {
				row.set(&w.config)
			}
			if w.config.FIPS {
				first = "us-west-2"
			}
			w.retarget(func(a *delegation.AWS) { a.Region = first })
			w.config.Rules = []delegation.RuleFunc{func(
				_ context.Context, _ *delegation.User, rc *delegation.RuleContext,
			) error {
				rc.AWS.FailoverRegions = row.regions
				return nil
			}}
			_, err := w.exchange(t, nil)
			e := wantError(t, err, delegation.StageDecision, delegation.CodeRegionInvalid)
			if !strings.Contains(e.Error(), row.says) || len(w.sent) > 0 {
				t.Errorf("%d calls, %v", len(w.sent), e)
			}
			w.retarget(func(a *delegation.AWS) { a.FailoverRegions = row.regions })
			_, err = delegation.New(t.Context(), w.config)
			e = wantError(t, err, delegation.StageConfig, delegation.CodeConfigInvalid)
			if !strings.Contains(e.Error(), "FailoverRegions: ") ||
				!strings.Contains(e.Error(), row.says) {
				t.Errorf("New says %v", e)
			}
		})
	}
	w := newWorld(t)
	w.config.STSTimeout = 80 * time.Second // three of them are four minutes
	w.retarget(func(a *delegation.AWS) {
		a.FailoverRegions = []string{dublin, paris, dublin, frankfurt}
	})
	if _, err := w.exchange(t, nil); err != nil {
		t.Error(err)
	}
	// of one partition, and not the role's
	w.retarget(func(a *delegation.AWS) {
		a.Region, a.FailoverRegions = "cn-north-1", []string{"cn-northwest-1"}
	})
	_, err := w.exchange(t, nil)
	wantError(t, err, delegation.StageDecision, delegation.CodeRegionInvalid)
	// a rule may choose it, and what there is is checked
	w.retarget(func(a *delegation.AWS) { a.Region = "" })
	if _, err := delegation.New(t.Context(), w.config); err != nil {
		t.Error(err)
	}
}
