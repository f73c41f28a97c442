package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationhttp"
	"github.com/seed055b7978/delegation/internal/session"
	"github.com/seed055b7978/delegation/oidctest"
	"github.com/seed055b7978/delegation/ststest"
)

// The demonstration's only target, and its resources in AWS.
const (
	DemoTarget    = "photo-app"
	DemoPrincipal = "arn:aws:iam::123456789012:saml-provider/delegation"
	DemoRole      = "arn:aws:iam::123456789012:role/photo-editor"
	DemoRegion    = "eu-central-1"

	// demoAuditRole is a role whose trust policy has a mistake: it lacks sts:TagSession.
	demoAuditRole = "arn:aws:iam::123456789012:role/photo-auditor"

	// DemoTrust is the role's trust policy.
	DemoTrust = `{"Version": "2012-10-17", "Statement": [{
	  "Effect": "Allow",
	  "Principal": {"Federated": "arn:aws:iam::123456789012:saml-provider/delegation"},
	  "Action": ["sts:AssumeRoleWithSAML", "sts:TagSession"],
	  "Condition": {"StringEquals": {"SAML:aud": "https://eu-central-1.signin.aws.amazon.com/saml"}}
	}]}`
)

// Demonstration is a service with an OpenID provider and an AWS STS in memory, all on loopback, and
// a page that shows each step of an exchange.
type Demonstration struct {
	// Listen is the address to listen on. Empty is DefaultListen.
	Listen string
	// AllowedOrigins are the web origins of other pages that may call the service, as in
	// delegationhttp.Config. The demonstration's own page needs none.
	AllowedOrigins []string
	// Key signs the assertions.
	Key delegation.SigningKey
	// Explain turns an explanation, and the refusal that it ended with, into the JSON that
	// `delegation explain --json` prints.
	Explain func(*delegation.Explanation, error) any
	// Stdout receives the commands to paste.
	Stdout io.Writer
	// Stderr receives the log, with the audit record of each exchange.
	Stderr io.Writer
}

// Run serves until the context ends.
func (d Demonstration) Run(ctx context.Context) error {
	logger := slog.New(keepingHandler{slog.NewTextHandler(d.Stderr, nil)})
	issuer, err := oidctest.New(oidctest.Config{})
	if err != nil {
		return err
	}
	issuerURL, stopIssuer, err := serveLoopback(issuer, logger)
	if err != nil {
		return err
	}
	defer stopIssuer()
	issuer.SetIssuer(issuerURL)
	identity := delegation.IdentityProvider{
		EntityID: "urn:example.com:delegation",
		Keys:     []delegation.SigningKey{d.Key},
	}
	aws, err := demoAWS(identity)
	if err != nil {
		return err
	}
	awsURL, stopAWS, err := serveLoopback(aws, logger)
	if err != nil {
		return err
	}
	defer stopAWS()

	c, err := demoConfig(ctx, issuerURL, awsURL, identity, logger)
	if err != nil {
		return err
	}
	delegator, err := delegation.New(ctx, c)
	if err != nil {
		return err
	}
	handler, err := NewHandler(delegator, c, delegationhttp.Config{
		Exchanger:      delegator,
		AllowedOrigins: d.AllowedOrigins,
		Logger:         logger,
		Console:        &delegationhttp.Console{Endpoint: awsURL + "/federation"},
	})
	if err != nil {
		return err
	}
	site := &demoSite{
		places:    demoPlaces{issuer: issuerURL, aws: awsURL},
		origins:   d.AllowedOrigins,
		provider:  issuer,
		service:   handler.Handler,
		delegator: delegator,
		explain:   d.Explain,
	}
	handler.Handler = site.handler()
	service := &Service{Listen: cmp.Or(d.Listen, DefaultListen), Handler: handler, Logger: logger}
	service.Started = func(address string) { // before the first request
		site.places.service = demoURL(address)
		fmt.Fprint(d.Stdout, site.places.text())
	}
	return service.Run(ctx)
}

// demoAWS is an STS that knows the provider and the roles, with the console's federation endpoint.
func demoAWS(identity delegation.IdentityProvider) (http.Handler, error) {
	metadata, err := identity.Metadata()
	if err != nil {
		return nil, err
	}
	aws := ststest.New(ststest.Config{Region: DemoRegion})
	withoutTags := strings.Replace(DemoTrust, `, "sts:TagSession"`, "", 1)
	err = errors.Join(
		aws.PutSAMLProvider(DemoPrincipal, metadata),
		aws.PutRole(ststest.Role{ARN: DemoRole, TrustPolicy: DemoTrust}),
		aws.PutRole(ststest.Role{ARN: demoAuditRole, TrustPolicy: withoutTags}),
	)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/", aws)
	mux.Handle("/federation", demoConsole(aws.Federation()))
	return mux, nil
}

// demoConfig exchanges tokens of the issuer at the STS. Photo editors and auditors get their roles,
// and the team is a session tag.
func demoConfig(
	ctx context.Context, issuerURL, awsURL string, identity delegation.IdentityProvider,
	logger *slog.Logger,
) (delegation.Config, error) {
	client, err := session.NewClient(session.ClientOptions{
		Endpoint:          awsURL,
		IgnoreEnvironment: true, // nothing leaves the machine
	})
	if err != nil {
		return delegation.Config{}, err
	}
	roles, err := delegation.RoleByClaim("groups",
		delegation.RoleMatch{Pattern: "photo-editors?", Role: DemoRole},
		delegation.RoleMatch{Pattern: "auditors?", Role: demoAuditRole})
	if err != nil {
		return delegation.Config{}, err
	}
	target := delegation.AWS{Principal: DemoPrincipal, Region: DemoRegion}
	return delegation.Config{
		Issuers:          []delegation.Issuer{{URL: issuerURL, AllowLoopbackHTTP: true}},
		IdentityProvider: identity,
		Targets:          delegation.Targets{DemoTarget: {AWS: target}},
		Rules: []delegation.RuleFunc{
			delegation.RequireVerifiedEmail(),
			delegation.TagsFromClaims(map[string]string{"team": "team"}),
			roles,
		},
		STS:    client,
		Logger: logger,
	}, nil
}
