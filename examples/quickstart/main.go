// Quickstart turns one ID token into AWS credentials and prints each step.
//
//	go run ./examples/quickstart
//
// needs nothing: it starts an OpenID provider and an STS in memory, both on loopback. With -issuer it uses a real issuer, a
// token from a file and the real AWS; see -help.
package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/oidctest"
	"github.com/seed055b7978/delegation/ststest"
)

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdin, os.Stdout); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "quickstart:", err)
		}
		os.Exit(1)
	}
}

// settings are what the flags say.
type settings struct {
	issuer, token, target, role, principal, region, entityID, certificate, key, stsURL string
}

func run(ctx context.Context, args []string, stdin io.Reader, out io.Writer) error {
	var s settings
	flags := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	flags.StringVar(&s.issuer, "issuer", "", "`URL` of a real OpenID issuer; without it the demonstration runs")
	flags.StringVar(&s.token, "token", "-", "`file` with the ID token; - is standard input")
	flags.StringVar(&s.target, "target", "", "client `ID` that the ID token was issued to")
	flags.StringVar(&s.role, "role", "", "`ARN` of the role")
	flags.StringVar(&s.principal, "principal", "", "`ARN` of the SAML provider in IAM")
	flags.StringVar(&s.region, "region", "us-east-1", "AWS `region`")
	flags.StringVar(&s.entityID, "entity-id", "", "entity `ID` of the SAML provider's metadata")
	flags.StringVar(&s.certificate, "cert", "", "PEM `file` with the signing certificate")
	flags.StringVar(&s.key, "key", "", "PEM `file` with its private key")
	flags.StringVar(&s.stsURL, "sts", "", "`URL` of another STS endpoint; empty: AWS")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if s.issuer == "" {
		return demonstrate(ctx, out)
	}
	return exchangeReal(ctx, s, stdin, out)
}

// exchangeReal exchanges a token of a real issuer at the real AWS.
func exchangeReal(ctx context.Context, s settings, stdin io.Reader, out io.Writer) error {
	if err := need([][2]string{{"-target", s.target}, {"-role", s.role}, {"-principal", s.principal}}); err != nil {
		return err
	}
	identity, err := readIdentity(s)
	if err != nil {
		return err
	}
	token, err := readToken(s.token, stdin)
	if err != nil {
		return err
	}
	client, err := newSTS(ctx, s.region, s.stsURL)
	if err != nil {
		return err
	}
	d, err := delegation.New(ctx, delegation.Config{
		Issuers:          []delegation.Issuer{{URL: s.issuer, AllowLoopbackHTTP: true}},
		IdentityProvider: identity,
		Targets:          delegation.Targets{s.target: {AWS: delegation.AWS{Principal: s.principal, Role: s.role, Region: s.region}}},
		STS:              client,
		OnEvent:          func(_ context.Context, e delegation.Event) { printDecision(out, e) },
	})
	if err != nil {
		return err
	}
	return exchange(ctx, d, client, token, s.target, out)
}

// need names the flags that are missing.
func need(flags [][2]string) error {
	var missing []string
	for _, f := range flags {
		if f[1] == "" {
			missing = append(missing, f[0])
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("these flags are needed too: %s (see -help)", strings.Join(missing, ", "))
	}
	return nil
}

func readIdentity(s settings) (delegation.IdentityProvider, error) {
	none := delegation.IdentityProvider{}
	if err := need([][2]string{{"-entity-id", s.entityID}, {"-cert", s.certificate}, {"-key", s.key}}); err != nil {
		return none, err
	}
	certificate, err := os.ReadFile(s.certificate)
	if err != nil {
		return none, err
	}
	key, err := os.ReadFile(s.key)
	if err != nil {
		return none, err
	}
	signingKey, err := delegation.ParseSigningKey(certificate, key)
	return delegation.IdentityProvider{EntityID: s.entityID, Keys: []delegation.SigningKey{signingKey}}, err
}

func readToken(file string, stdin io.Reader) (string, error) {
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return "", err
		}
		defer f.Close()
		stdin = f
	}
	text, err := io.ReadAll(io.LimitReader(stdin, 1<<20))
	return strings.TrimSpace(string(text)), err
}

// newSTS makes the SDK's client: anonymous, because AssumeRoleWithSAML needs no credentials.
func newSTS(ctx context.Context, region, url string) (*sts.Client, error) {
	c, err := config.LoadDefaultConfig(ctx, config.WithRegion(region), config.WithCredentialsProvider(aws.AnonymousCredentials{}))
	if err != nil {
		return nil, err
	}
	return sts.NewFromConfig(c, func(o *sts.Options) {
		if url != "" {
			o.BaseEndpoint = &url
		}
	}), nil
}

// exchange does the exchange and asks AWS who the credentials belong to. OnEvent prints the decision in between.
func exchange(ctx context.Context, d *delegation.Delegator, client *sts.Client, token, target string, out io.Writer) error {
	credentials, err := d.Exchange(ctx, token, target)
	if err != nil {
		return err
	}
	show(out, "credentials", fmt.Sprintf("%s, secret %s, session token %s", credentials.AccessKeyID, credentials.SecretAccessKey, credentials.SessionToken))
	show(out, "expires", credentials.Expiration.Format(time.RFC3339))
	identity, err := client.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}, func(o *sts.Options) {
		o.Region = credentials.Region
		o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return credentials.AWS(), nil })
	})
	if err != nil {
		return fmt.Errorf("the credentials do not work: %w", err)
	}
	show(out, "AWS sees", aws.ToString(identity.Arn))
	return nil
}

// printDecision prints what an exchange decided, from its audit event.
func printDecision(out io.Writer, e delegation.Event) {
	if e.Err != nil {
		return // the error says it all
	}
	show(out, "user", e.Subject+" of "+e.Issuer)
	rule := e.Rule
	if rule == "" {
		rule = "none: the target's role"
	}
	show(out, "decided by", rule)
	show(out, "role", e.Role)
	show(out, "region", e.Region)
	show(out, "session", fmt.Sprintf("%s for %s", e.SessionName, e.Duration))
}

func show(out io.Writer, what, value string) { fmt.Fprintf(out, "  %-12s %s\n", what, value) }

const (
	target    = "photo-app"
	principal = "arn:aws:iam::123456789012:saml-provider/delegation"
	editor    = "arn:aws:iam::123456789012:role/photo-editor"
	auditor   = "arn:aws:iam::123456789012:role/photo-auditor"
	// trust is the trust policy of a role: this SAML provider and nobody else, for assertions meant for AWS's sign-in.
	trust = `{"Version": "2012-10-17", "Statement": [{
	  "Effect": "Allow",
	  "Principal": {"Federated": "arn:aws:iam::123456789012:saml-provider/delegation"},
	  "Action": [%s],
	  "Condition": {"StringEquals": {"SAML:aud": "https://eu-central-1.signin.aws.amazon.com/saml"}}
	}]}`
)

// demonstrate runs one good exchange and three refusals against an issuer and an STS in memory.
func demonstrate(ctx context.Context, out io.Writer) error {
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
	identity := delegation.IdentityProvider{EntityID: "urn:example.com:delegation", Keys: []delegation.SigningKey{signingKey}}
	metadata, err := identity.Metadata()
	if err != nil {
		return err
	}
	fake := ststest.New(ststest.Config{Region: "eu-central-1"})
	err = errors.Join(fake.PutSAMLProvider(principal, metadata),
		fake.PutRole(ststest.Role{ARN: editor, TrustPolicy: fmt.Sprintf(trust, `"sts:AssumeRoleWithSAML", "sts:TagSession"`)}),
		fake.PutRole(ststest.Role{ARN: auditor, TrustPolicy: fmt.Sprintf(trust, `"sts:AssumeRoleWithSAML"`)})) // no sts:TagSession: a mistake
	if err != nil {
		return err
	}
	stsURL, stop, err := serve(fake)
	if err != nil {
		return err
	}
	defer stop()
	client, err := newSTS(ctx, "eu-central-1", stsURL)
	if err != nil {
		return err
	}

	roles, err := delegation.RoleByClaim("groups",
		delegation.RoleMatch{Pattern: "photo-editors?", Role: editor},
		delegation.RoleMatch{Pattern: "audit", Role: auditor})
	if err != nil {
		return err
	}
	d, err := delegation.New(ctx, delegation.Config{
		Issuers:          []delegation.Issuer{{URL: issuerURL, AllowLoopbackHTTP: true}},
		IdentityProvider: identity,
		Targets:          delegation.Targets{target: {AWS: delegation.AWS{Principal: principal, Region: "eu-central-1"}}},
		Rules:            []delegation.RuleFunc{delegation.RequireVerifiedEmail(), delegation.TagsFromClaims(map[string]string{"team": "team"}), roles},
		STS:              client,
		OnEvent:          func(_ context.Context, e delegation.Event) { printDecision(out, e) },
	})
	if err != nil {
		return err
	}

	claims := map[string]any{
		"sub": "auth0|alice", "aud": target, "email": "alice@example.com", "email_verified": true,
		"groups": []string{"staff", "photo-editors"}, "team": "press",
	}
	token, err := issuer.SignIDToken(claims)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "An ID token of %d bytes becomes AWS credentials:\n", len(token))
	if err := exchange(ctx, d, client, token, target, out); err != nil {
		return err
	}
	for _, refusal := range []struct {
		what   string
		change map[string]any
	}{
		{"An expired token", map[string]any{"iat": time.Now().Add(-2 * time.Hour).Unix(), "exp": time.Now().Add(-time.Hour).Unix()}},
		{"A user whose email address is not verified", map[string]any{"email_verified": false}},
		{"A role whose trust policy forgets session tags", map[string]any{"groups": []string{"audit"}}},
	} {
		changed := map[string]any{}
		for _, source := range []map[string]any{claims, refusal.change} {
			for name, value := range source {
				changed[name] = value
			}
		}
		token, err := issuer.SignIDToken(changed)
		if err != nil {
			return err
		}
		_, err = d.Exchange(ctx, token, target)
		var refused *delegation.Error
		if !errors.As(err, &refused) {
			return fmt.Errorf("%s was not refused", refusal.what)
		}
		fmt.Fprintf(out, "\n%s is refused:\n", refusal.what)
		show(out, "stage, code", string(refused.Stage)+", "+string(refused.Code))
		show(out, "what", refused.Err.Error())
		show(out, "remedy", refused.Remedy)
		show(out, "user is told", refused.Public())
	}
	fmt.Fprintln(out, "\nNext: the README shows the set-up in AWS; go run ./examples/quickstart -help lists the flags for the real thing.")
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
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "delegation quickstart"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(10, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return delegation.SigningKey{}, err
	}
	certificate, err := x509.ParseCertificate(der)
	return delegation.SigningKey{Signer: key, Certificate: certificate}, err
}
