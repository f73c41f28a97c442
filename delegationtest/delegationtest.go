// Package delegationtest gives tests a Delegator with everything around it: an OpenID provider
// ([oidctest]), an AWS STS ([ststest]), a signing key and a fake clock.
//
//	func TestUnverifiedEmail(t *testing.T) {
//		d := delegationtest.New(t, func(c *delegation.Config) {
//			c.Rules = []delegation.RuleFunc{delegation.RequireVerifiedEmail()}
//		})
//		idToken := d.Token(map[string]any{"email": "alice@example.com", "email_verified": false})
//		_, err := d.Exchange(t.Context(), idToken, delegationtest.Target)
//		if !errors.Is(err, delegation.CodeDenied) {
//			t.Errorf("got %v, want a refusal", err)
//		}
//	}
//
// [New] is for tests and needs one line. [Open] is for programs, and for tests that make several
// Delegators of one [World] or want to see an error of [delegation.New].
//
// Everything is in memory and on loopback. It is for tests only: the provider signs whatever it
// is asked to, and the keys are in the memory of the test process.
package delegationtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/oidctest"
	"github.com/seed055b7978/delegation/ststest"
)

// What a [World] begins with.
const (
	// Target is the one target of Config.Targets, and the audience of tokens.
	Target = "photo-app"

	// Subject is the sub of tokens.
	Subject = "auth0|alice"

	// EntityID is the entity ID of Config.IdentityProvider.
	EntityID = "urn:tenant.example.com"

	// Account is the AWS account of Principal and Role.
	Account = "123456789012"

	// Principal is the SAML provider that STS knows, made from the metadata of
	// Config.IdentityProvider.
	Principal = "arn:aws:iam::123456789012:saml-provider/delegation"

	// Role is the role that STS knows, with [TrustPolicy], and that the target leads to.
	Role = "arn:aws:iam::123456789012:role/photo-user"

	// Region is the target's region.
	Region = "eu-central-1"

	// TrustPolicy lets [Principal] assume a role with session tags and a source identity. It is
	// the trust policy of Role, and meant for other roles that a test gives to
	// [ststest.Server.PutRole].
	TrustPolicy = `{"Version": "2012-10-17", "Statement": [{
		"Effect": "Allow",
		"Principal": {"Federated": "arn:aws:iam::123456789012:saml-provider/delegation"},
		"Action": ["sts:AssumeRoleWithSAML", "sts:TagSession", "sts:SetSourceIdentity"]
	}]}`
)

// TB is what [New] needs of a test. [testing.T], [testing.B] and [testing.F] have it.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// Delegator is a Delegator and the World that it works in. It comes from [New].
type Delegator struct {
	*delegation.Delegator
	*World
}

// New returns a Delegator in a World of its own, which ends with the test.
//
// The functions change the configuration before the Delegator is made, in their order; a nil one
// is skipped. The test fails at once if the World cannot be opened or [delegation.New] refuses
// the configuration; [Open] and [World.Start] return such an error instead. New panics if t is
// nil.
func New(t TB, change ...func(*delegation.Config)) *Delegator {
	if t == nil {
		panic("delegationtest: New needs a test; Open does not")
	}
	t.Helper()
	w, err := Open()
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(w.Close)
	for _, f := range change {
		if f != nil {
			f(&w.Config)
		}
	}
	d, err := w.Start(context.Background())
	if err != nil {
		t.Fatalf("delegationtest: %v", err)
	}
	return &Delegator{Delegator: d, World: w}
}

// World is what a Delegator works with: an OpenID provider and an AWS STS on loopback, and a
// configuration that connects them. They share a fake clock. It comes from [Open]; the zero value
// is of no use.
type World struct {
	// Config is what [World.Start] makes a Delegator of. Until it is changed, it has the one
	// issuer, the one target and the identity of this package's constants, no rules, a client of
	// the STS, and the clock. A Delegator that was made before does not see a change.
	Config delegation.Config

	// Clock is the clock of all of them. It begins at 2026-11-23 09:00 UTC and stands still
	// until [Clock.Advance] or [Clock.Set] moves it. Programs that sign requests with the
	// credentials set it to [time.Now], because the AWS SDK signs by the real time.
	Clock *Clock

	// Issuer signs the tokens, also forged ones, and can fail in many ways.
	Issuer *oidctest.Provider

	// IssuerURL is where Issuer is served, and the iss of its tokens.
	IssuerURL string

	// STS has the SAML provider [Principal] and the role [Role]. It says what it was asked
	// ([ststest.Server.Calls]) and can fail in many ways.
	STS *ststest.Server

	// STSURL is where STS is served, as an endpoint for clients of the AWS SDK.
	STSURL string

	servers []*http.Server
}

// Open starts a World. The caller ends it with [World.Close]. An error means that this machine
// has no free port on loopback.
func Open() (*World, error) {
	clock := NewClock(time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC))
	w := &World{
		Clock: clock,
		STS:   ststest.New(ststest.Config{Region: Region, Now: clock.Now}),
	}
	var err error
	if w.Issuer, err = oidctest.New(oidctest.Config{Key: IssuerKey(), Now: clock.Now}); err != nil {
		return nil, fmt.Errorf("delegationtest: %w", err)
	}
	if err := errors.Join(w.serve(), w.trust()); err != nil {
		w.Close()
		return nil, fmt.Errorf("delegationtest: %w", err)
	}
	aws := delegation.AWS{Principal: Principal, Role: Role, Region: Region}
	w.Config = delegation.Config{
		Issuers:          []delegation.Issuer{{URL: w.IssuerURL, AllowLoopbackHTTP: true}},
		IdentityProvider: Identity(),
		Targets:          delegation.Targets{Target: {AWS: aws}},
		STS:              NewSTSClient(w.STSURL),
		Now:              clock.Now,
	}
	return w, nil
}

// serve starts the servers of both fakes.
func (w *World) serve() error {
	var err error
	if w.IssuerURL, err = w.listen(w.Issuer); err != nil {
		return err
	}
	w.Issuer.SetIssuer(w.IssuerURL)
	w.STSURL, err = w.listen(w.STS)
	return err
}

// listen serves a handler on a free port of loopback.
func (w *World) listen(handler http.Handler) (url string, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	server := &http.Server{Handler: handler} // without limits: a test may stop the world
	w.servers = append(w.servers, server)
	go func() { _ = server.Serve(listener) }() // until Close
	return "http://" + listener.Addr().String(), nil
}

// trust makes the SAML provider and the role.
func (w *World) trust() error {
	metadata, err := Identity().Metadata()
	if err != nil {
		return err
	}
	return errors.Join(
		w.STS.PutSAMLProvider(Principal, metadata),
		w.STS.PutRole(ststest.Role{ARN: Role, TrustPolicy: TrustPolicy}),
	)
}

// Close ends the servers and the connections to them. A second call has no effect.
func (w *World) Close() {
	for _, server := range w.servers {
		_ = server.Close() // nobody needs what is under way
	}
}

// Start makes a Delegator of Config as it is now. Each call makes another one. It fails as
// [delegation.New] does.
func (w *World) Start(ctx context.Context) (*delegation.Delegator, error) {
	return delegation.New(ctx, w.Config)
}

// Token returns an ID token of [Subject] for [Target], issued now for an hour.
//
// The claims replace or join sub, aud, iss, iat and exp; a nil value removes one, and a nil map
// changes nothing. The map stays as it is. It panics if the claims cannot be written as JSON.
func (w *World) Token(claims map[string]any) string {
	all := map[string]any{"sub": Subject, "aud": Target}
	for name, value := range claims {
		all[name] = value
	}
	token, err := w.Issuer.SignIDToken(all)
	if err != nil {
		panic("delegationtest: " + err.Error())
	}
	return token
}

// NewSTSClient returns the AWS SDK's client for an STS at the URL, such as a [ststest.Server]. It
// is anonymous and does not pause between its retries.
func NewSTSClient(url string) *sts.Client {
	return sts.New(sts.Options{
		Region:       Region,
		BaseEndpoint: aws.String(url),
		Credentials:  aws.AnonymousCredentials{},
		Retryer: retry.NewStandard(func(o *retry.StandardOptions) {
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) {
				return 0, nil
			})
		}),
	})
}
