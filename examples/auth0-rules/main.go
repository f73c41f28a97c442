// Auth0-rules runs a folder of Auth0 rules, as they were, in exchanges.
//
//	go run ./examples/auth0-rules
//
// needs nothing: it starts an OpenID provider and an STS in memory, both on loopback. The role's trust policy is one for Auth0: it
// asks for SAML:iss, and for the group that a rule maps to eduPersonAffiliation. docs/migrating-from-auth0.md is the guide.
package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/jsrules"
	"github.com/seed055b7978/delegation/oidctest"
	"github.com/seed055b7978/delegation/ststest"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "auth0-rules:", err)
		os.Exit(1)
	}
}

//go:embed rules/*.js
var files embed.FS

const (
	principal = "arn:aws:iam::123456789012:saml-provider/auth0-provider"
	trust     = `{"Version": "2012-10-17", "Statement": [{
	  "Effect": "Allow",
	  "Principal": {"Federated": "arn:aws:iam::123456789012:saml-provider/auth0-provider"},
	  "Action": ["sts:AssumeRoleWithSAML", "sts:TagSession"],
	  "Condition": {
	    "StringEquals": {"SAML:iss": "urn:tenant.auth0.com"},
	    "ForAnyValue:StringEquals": {"saml:edupersonaffiliation": "photo-editors"}
	  }
	}]}`
)

// compileRules compiles the folder, with what the rules ask for: a setting, and a module that the host writes in Go.
func compileRules(log io.Writer) ([]delegation.RuleFunc, error) {
	folder, err := fs.Sub(files, "rules")
	if err != nil {
		return nil, err
	}
	teams := map[any]string{"auth0|alice": "press"}
	return jsrules.CompileFolder(folder, jsrules.Options{
		Domain:        "tenant.auth0.com",
		Configuration: map[string]string{"AWS_ACCOUNT": "123456789012"},
		Modules: map[string]jsrules.Module{"directory": {Functions: map[string]jsrules.Function{
			"teamOf": func(_ context.Context, arguments []any) (any, error) {
				team, ok := teams[arguments[0]]
				if !ok {
					return nil, errors.New("the directory does not know this user")
				}
				return team, nil
			},
		}}},
		Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}})),
	})
}

func run(ctx context.Context, out io.Writer) error {
	rules, err := compileRules(out)
	if err != nil {
		return err
	}
	issuer, err := oidctest.New(oidctest.Config{})
	if err != nil {
		return err
	}
	issuerURL, stop, err := serve(issuer)
	if err != nil {
		return err
	}
	defer stop()
	issuer.SetIssuer(issuerURL)

	signingKey, err := newSigningKey()
	if err != nil {
		return err
	}
	// The entity ID of Auth0's metadata: so trust policies that ask for SAML:iss stay as they are.
	identity := delegation.IdentityProvider{EntityID: "urn:tenant.auth0.com", Keys: []delegation.SigningKey{signingKey}}
	metadata, err := identity.Metadata()
	if err != nil {
		return err
	}
	fake := ststest.New(ststest.Config{Region: "eu-central-1"})
	err = errors.Join(fake.PutSAMLProvider(principal, metadata),
		fake.PutRole(ststest.Role{ARN: "arn:aws:iam::123456789012:role/photo-editor", TrustPolicy: trust}))
	if err != nil {
		return err
	}
	stsURL, stop, err := serve(fake)
	if err != nil {
		return err
	}
	defer stop()

	d, err := delegation.New(ctx, delegation.Config{
		Issuers:          []delegation.Issuer{{URL: issuerURL, AllowLoopbackHTTP: true}},
		IdentityProvider: identity,
		Targets:          delegation.Targets{"CLIENT_ID": {}}, // the rules decide everything
		Rules:            append([]delegation.RuleFunc{delegation.AllowConnections("auth0")}, rules...),
		STS:              sts.New(sts.Options{Region: "eu-central-1", BaseEndpoint: &stsURL, Credentials: aws.AnonymousCredentials{}}),
		OnEvent: func(_ context.Context, e delegation.Event) {
			fmt.Fprintf(out, "  rule         %s\n", e.Rule)
			if e.Err == nil {
				fmt.Fprintf(out, "  role         %s\n  region       %s\n  session      %s\n", e.Role, e.Region, e.SessionName)
			}
		},
	})
	if err != nil {
		return err
	}
	for _, user := range []struct {
		what   string
		claims map[string]any
	}{
		{"A photo editor", map[string]any{"sub": "auth0|alice", "email": "alice@example.com", "groups": []string{"staff", "photo-editors"}}},
		{"Somebody of another domain", map[string]any{"sub": "auth0|mallory", "email": "mallory@evil.example", "groups": []string{"photo-editors"}}},
		{"Somebody without a group", map[string]any{"sub": "auth0|bob", "email": "bob@example.com"}},
		{"Somebody the directory does not know", map[string]any{"sub": "auth0|carol", "email": "carol@example.org", "groups": []string{"audit"}}},
	} {
		user.claims["aud"], user.claims["email_verified"] = "CLIENT_ID", true
		token, err := issuer.SignIDToken(user.claims)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s:\n", user.what)
		credentials, err := d.Exchange(ctx, token, "CLIENT_ID")
		var refused *delegation.Error
		switch {
		case errors.As(err, &refused):
			fmt.Fprintf(out, "  refused      %s, %s: %v\n  is told      %s\n\n", refused.Stage, refused.Code, refused.Err, refused.Public())
		default:
			fmt.Fprintf(out, "  credentials  of %s, secret %s\n\n", credentials.AssumedRoleARN, credentials.SecretAccessKey)
		}
	}
	return nil
}

// serve serves a handler on a free port of loopback until stop is called.
func serve(handler http.Handler) (url string, stop func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = server.Serve(listener) }() // ends with Close
	return "http://" + listener.Addr().String(), func() { _ = server.Close() }, nil
}

// newSigningKey makes a key for the demonstration; a real one is kept in a file, an HSM or a KMS.
func newSigningKey() (delegation.SigningKey, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return delegation.SigningKey{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "auth0-rules example"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(10, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return delegation.SigningKey{}, err
	}
	certificate, err := x509.ParseCertificate(der)
	return delegation.SigningKey{Signer: key, Certificate: certificate}, err
}
