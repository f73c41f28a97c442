package delegation_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"os"
	"path"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/beevik/etree"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationtest"
	"github.com/seed055b7978/delegation/oidctest"
	"github.com/seed055b7978/delegation/ststest"
)

const (
	account   = delegationtest.Account
	principal = delegationtest.Principal
	role      = delegationtest.Role
	entityID  = delegationtest.EntityID
	app       = delegationtest.Target
	alice     = delegationtest.Subject
)

// start is the fake clock's first moment.
var start = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

func newClock() *delegationtest.Clock { return delegationtest.NewClock(start) }

// The keys of all tests, made once.
var (
	signingKey = delegationtest.SigningKey
	nextKey    = delegationtest.NextSigningKey
	issuerKey  = delegationtest.IssuerKey
)

// identity is the identity that STS trusts.
var identity = delegationtest.Identity

// stsClient is the SDK's own client for a server on loopback, with its retries and without their
// pauses.
var stsClient = delegationtest.NewSTSClient

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// stsFunc is an STS of one function, for tests that look at what is sent or decide what comes back.
type stsFunc func(
	ctx context.Context, in *sts.AssumeRoleWithSAMLInput,
) (*sts.AssumeRoleWithSAMLOutput, error)

func (f stsFunc) AssumeRoleWithSAML(
	ctx context.Context, in *sts.AssumeRoleWithSAMLInput, _ ...func(*sts.Options),
) (*sts.AssumeRoleWithSAMLOutput, error) {
	return f(ctx, in)
}

// agreeable is an STS that says yes to everything; ststest is the strict one.
func agreeable(now func() time.Time) stsFunc {
	return func(
		_ context.Context, in *sts.AssumeRoleWithSAMLInput,
	) (*sts.AssumeRoleWithSAMLOutput, error) {
		document := responseOf(in)
		text := func(path string) *string {
			if e := document.FindElement(path); e != nil {
				return aws.String(e.Text())
			}
			return nil
		}
		confirmation := document.FindElement("//saml:SubjectConfirmationData")
		return &sts.AssumeRoleWithSAMLOutput{
			Subject:     text("//saml:NameID"),
			SubjectType: aws.String("persistent"),
			Issuer:      text("//saml:Issuer"),
			Credentials: &types.Credentials{
				AccessKeyId:     aws.String("ASIAEXAMPLE"),
				SecretAccessKey: aws.String("canary-secret-access-key"),
				SessionToken:    aws.String("canary-session-token"),
				Expiration: aws.Time(
					now().Add(time.Duration(*in.DurationSeconds) * time.Second)),
			},
			AssumedRoleUser: assumedRole(in),
			Audience:        aws.String(confirmation.SelectAttrValue("Recipient", "")),
			SourceIdentity:  first(attributesOf(in)[delegation.AttributeSourceIdentity]),
		}, nil
	}
}

// assumedRole is what STS calls the session of a request.
func assumedRole(in *sts.AssumeRoleWithSAMLInput) *types.AssumedRoleUser {
	asked := must(arn.Parse(*in.RoleArn))
	session := attributesOf(in)[delegation.AttributeRoleSessionName][0]
	asked.Service = "sts"
	asked.Resource = "assumed-role/" + path.Base(asked.Resource) + "/" + session
	return &types.AssumedRoleUser{
		Arn:           aws.String(asked.String()),
		AssumedRoleId: aws.String("AROAEXAMPLE:" + session),
	}
}

// first returns the first of the texts, or nil.
func first(texts []string) *string {
	if len(texts) == 0 {
		return nil
	}
	return &texts[0]
}

// responseOf decodes the SAML response that was sent to STS.
func responseOf(in *sts.AssumeRoleWithSAMLInput) *etree.Document {
	document := etree.NewDocument()
	decoded := must(base64.StdEncoding.DecodeString(*in.SAMLAssertion))
	if err := document.ReadFromBytes(decoded); err != nil {
		panic(err)
	}
	return document
}

// attributesOf returns the SAML attributes that were sent to STS.
func attributesOf(in *sts.AssumeRoleWithSAMLInput) map[string][]string {
	attributes := map[string][]string{}
	for _, a := range responseOf(in).FindElements("//saml:Attribute") {
		for _, v := range a.SelectElements("saml:AttributeValue") {
			name := a.SelectAttrValue("Name", "")
			attributes[name] = append(attributes[name], v.Text())
		}
	}
	return attributes
}

// world is an issuer on loopback and a Delegator that trusts it, with an agreeable STS and a fake
// clock.
type world struct {
	clock    *delegationtest.Clock
	provider *oidctest.Provider
	url      string // of the issuer
	close    func() // ends the issuer before the test ends
	config   delegation.Config
	fake     *ststest.Server                // the strict STS, which strictWorld has
	strict   delegation.STS                 // leads to it
	sent     []*sts.AssumeRoleWithSAMLInput // by newest last, while the STS is the agreeable one
	events   []delegation.Event
	logs     *bytes.Buffer
	mu       sync.Mutex
}

func newWorld(t testing.TB) *world {
	t.Helper()
	opened := must(delegationtest.Open())
	t.Cleanup(opened.Close)
	w := &world{
		clock:    opened.Clock,
		provider: opened.Issuer,
		url:      opened.IssuerURL,
		close:    opened.Close,
		config:   opened.Config,
		fake:     opened.STS,
		strict:   opened.Config.STS,
		logs:     &bytes.Buffer{},
	}
	yes := agreeable(w.clock.Now)
	w.config.STS = stsFunc(func(
		ctx context.Context, in *sts.AssumeRoleWithSAMLInput,
	) (*sts.AssumeRoleWithSAMLOutput, error) {
		w.mu.Lock()
		w.sent = append(w.sent, in)
		w.mu.Unlock()
		return yes(ctx, in)
	})
	w.config.CacheSize = -1 // so that every exchange that is granted asks STS; cachedWorld has one
	w.config.OnEvent = func(_ context.Context, e delegation.Event) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.events = append(w.events, e)
	}
	return w
}

// target changes the settings of the one target.
func (w *world) target(change func(*delegation.Target)) {
	target := w.config.Targets.(delegation.Targets)[app]
	change(&target)
	w.config.Targets = delegation.Targets{app: target}
}

func (w *world) delegator(t testing.TB) *delegation.Delegator {
	t.Helper()
	d, err := delegation.New(t.Context(), w.config)
	if err != nil {
		t.Fatal(err)
	}
	delegation.SetRandom(d, func() float64 { return 0 })
	return d
}

// token signs an ID token for alice and the app, with claims changed or (nil) removed.
func (w *world) token(claims map[string]any) string {
	all := map[string]any{"sub": alice, "aud": app}
	for name, value := range claims {
		all[name] = value
	}
	return must(w.provider.SignIDToken(all))
}

// exchange runs one exchange of alice's token through a fresh Delegator.
func (w *world) exchange(t testing.TB, claims map[string]any) (*delegation.Credentials, error) {
	t.Helper()
	return w.delegator(t).Exchange(t.Context(), w.token(claims), app)
}

// last returns what was sent to STS last.
func (w *world) last() *sts.AssumeRoleWithSAMLInput {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sent[len(w.sent)-1]
}

// wantError checks an error's stage and code.
func wantError(
	t testing.TB, err error, stage delegation.Stage, code delegation.Code,
) *delegation.Error {
	t.Helper()
	var e *delegation.Error
	if !errors.As(err, &e) || !errors.Is(err, stage) || !errors.Is(err, code) {
		t.Fatalf("got %v, want stage %s, code %s", err, stage, code)
	}
	if e.Remedy == "" || e.Public() == "" || e.Stage != stage || e.Code != code {
		t.Fatalf("incomplete error %#v", e)
	}
	return e
}

// wantOfNew has New refuse a configuration in all of these words, and returns the refusal. Without
// any words New must take it.
func wantOfNew(t testing.TB, c delegation.Config, wanted []string) error {
	t.Helper()
	_, err := delegation.New(t.Context(), c)
	if wanted == nil {
		if err != nil {
			t.Errorf("got %v, want a Delegator", err)
		}
		return nil
	}
	wantError(t, err, delegation.StageConfig, delegation.CodeConfigInvalid)
	for _, words := range wanted {
		if !strings.Contains(err.Error(), words) {
			t.Errorf("%q is not in %v", words, err)
		}
	}
	return err
}

// TestMain gives the garbage collector less to do: these tests make thousands of Delegators and
// keep next to nothing, so collecting took a tenth of their time.
func TestMain(m *testing.M) {
	debug.SetGCPercent(800)
	os.Exit(m.Run())
}
