package delegation_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"math/big"
	"net/http/httptest"
	"path"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/beevik/etree"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/oidctest"
)

const (
	account   = "123456789012"
	principal = "arn:aws:iam::123456789012:saml-provider/delegation"
	role      = "arn:aws:iam::123456789012:role/photo-user"
	entityID  = "urn:tenant.example.com"
	app       = "photo-app"
	alice     = "auth0|alice"
)

// start is the fake clock's first moment.
var start = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

// clock is a fake clock that is safe for concurrent use.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: start} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Keys are made once for all tests, because RSA keys take their time.
var (
	signingKey = sync.OnceValue(newSigningKey)
	nextKey    = sync.OnceValue(newSigningKey)
	issuerKey  = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
)

func newSigningKey() delegation.SigningKey {
	key := must(rsa.GenerateKey(rand.Reader, 2048))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "delegation test"},
		NotBefore: start.Add(-time.Hour), NotAfter: start.AddDate(10, 0, 0),
	}
	der := must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))
	return delegation.SigningKey{Signer: key, Certificate: must(x509.ParseCertificate(der))}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func identity() delegation.IdentityProvider {
	return delegation.IdentityProvider{EntityID: entityID, Keys: []delegation.SigningKey{signingKey()}}
}

// stsFunc is an STS of one function, for tests that look at what is sent or decide what comes back.
type stsFunc func(ctx context.Context, in *sts.AssumeRoleWithSAMLInput) (*sts.AssumeRoleWithSAMLOutput, error)

func (f stsFunc) AssumeRoleWithSAML(ctx context.Context, in *sts.AssumeRoleWithSAMLInput, _ ...func(*sts.Options)) (*sts.AssumeRoleWithSAMLOutput, error) {
	return f(ctx, in)
}

// agreeable is an STS that says yes to everything; ststest is the strict one.
func agreeable(now func() time.Time) stsFunc {
	return func(_ context.Context, in *sts.AssumeRoleWithSAMLInput) (*sts.AssumeRoleWithSAMLOutput, error) {
		document := responseOf(in)
		text := func(path string) *string {
			if e := document.FindElement(path); e != nil {
				return aws.String(e.Text())
			}
			return nil
		}
		return &sts.AssumeRoleWithSAMLOutput{
			Subject: text("//saml:NameID"), SubjectType: aws.String("persistent"), Issuer: text("//saml:Issuer"),
			Credentials: &types.Credentials{
				AccessKeyId: aws.String("ASIAEXAMPLE"), SecretAccessKey: aws.String("canary-secret-access-key"), SessionToken: aws.String("canary-session-token"),
				Expiration: aws.Time(now().Add(time.Duration(*in.DurationSeconds) * time.Second)),
			},
			AssumedRoleUser: assumedRole(in),
			Audience:        aws.String(document.FindElement("//saml:SubjectConfirmationData").SelectAttrValue("Recipient", "")),
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
	if err := document.ReadFromBytes(must(base64.StdEncoding.DecodeString(*in.SAMLAssertion))); err != nil {
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

// world is an issuer on loopback and a Delegator that trusts it, with an agreeable STS and a fake clock.
type world struct {
	clock    *clock
	provider *oidctest.Provider
	server   *httptest.Server
	config   delegation.Config
	sent     []*sts.AssumeRoleWithSAMLInput // by newest last, while the STS is the agreeable one
	events   []delegation.Event
	logs     *bytes.Buffer
	mu       sync.Mutex
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{clock: newClock(), logs: &bytes.Buffer{}}
	w.provider = must(oidctest.New(oidctest.Config{Key: issuerKey(), Now: w.clock.Now}))
	w.server = httptest.NewServer(w.provider)
	t.Cleanup(w.server.Close)
	w.provider.SetIssuer(w.server.URL)
	yes := agreeable(w.clock.Now)
	w.config = delegation.Config{
		Issuers:          []delegation.Issuer{{URL: w.server.URL, AllowLoopbackHTTP: true}},
		IdentityProvider: identity(),
		Targets: delegation.Targets{app: {AWS: delegation.AWS{
			Principal: principal, Role: role, Region: "eu-central-1",
		}}},
		STS: stsFunc(func(ctx context.Context, in *sts.AssumeRoleWithSAMLInput) (*sts.AssumeRoleWithSAMLOutput, error) {
			w.mu.Lock()
			w.sent = append(w.sent, in)
			w.mu.Unlock()
			return yes(ctx, in)
		}),
		CacheSize: -1, // so that every exchange that is granted asks STS; cachedWorld has one
		Now:       w.clock.Now,
		OnEvent: func(_ context.Context, e delegation.Event) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.events = append(w.events, e)
		},
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
func wantError(t testing.TB, err error, stage delegation.Stage, code delegation.Code) *delegation.Error {
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

// stsClient is the SDK's own client against a server on loopback, with its retries and without their pauses.
func stsClient(url string) *sts.Client {
	return sts.New(sts.Options{
		BaseEndpoint: aws.String(url), Credentials: aws.AnonymousCredentials{},
		Retryer: retry.NewStandard(func(o *retry.StandardOptions) {
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
		}),
	})
}
