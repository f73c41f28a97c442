// Quickstart exchanges an ID token for AWS credentials, and prints each step.
//
//	go run ./examples/quickstart
//
// It needs nothing else: delegationtest has an OpenID provider and an STS in memory, both on
// loopback. With -issuer it uses a real issuer, a token from a file, and AWS; see -help.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationtest"
	"github.com/seed055b7978/delegation/ststest"
)

func main() {
	err := run(context.Background(), os.Args[1:], os.Stdin, os.Stdout)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

// settings are the values of the flags.
type settings struct {
	issuer      string
	token       string
	target      string
	role        string
	principal   string
	region      string
	entityID    string
	certificate string
	key         string
	stsURL      string
}

const usage = `Quickstart exchanges an ID token for AWS credentials, and prints each step.

Without flags it runs a demonstration. The issuer and AWS are in memory, and nothing
leaves this machine. With -issuer it exchanges a real token at AWS, and needs -target,
-role, -principal, -entity-id, -cert and -key too. docs/aws-setup.md describes the set-up.

Flags:
`

func run(ctx context.Context, args []string, stdin io.Reader, out io.Writer) error {
	s, err := parse(args, out)
	if err != nil {
		return err
	}
	if s.issuer == "" {
		return demonstrate(ctx, out)
	}
	return exchangeReal(ctx, s, stdin, out)
}

// parse reads the flags. For -help it prints them and returns flag.ErrHelp.
func parse(args []string, out io.Writer) (settings, error) {
	var s settings
	flags := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	flags.StringVar(&s.issuer, "issuer", "", "`URL` of an OpenID issuer")
	flags.StringVar(&s.token, "token", "-", "`file` with the ID token; - reads standard input")
	flags.StringVar(&s.target, "target", "", "client `ID` that the ID token was issued to")
	flags.StringVar(&s.role, "role", "", "`ARN` of the role")
	flags.StringVar(&s.principal, "principal", "", "`ARN` of the SAML provider in IAM")
	flags.StringVar(&s.region, "region", "us-east-1", "AWS `region` of the STS endpoint")
	flags.StringVar(&s.entityID, "entity-id", "", "entity `ID` in the SAML provider's metadata")
	flags.StringVar(&s.certificate, "cert", "", "PEM `file` with the signing certificate")
	flags.StringVar(&s.key, "key", "", "PEM `file` with the private key of the certificate")
	flags.StringVar(&s.stsURL, "sts", "", "`URL` of an STS endpoint to use instead of AWS")
	flags.SetOutput(io.Discard) // main prints the error
	flags.Usage = func() {}
	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(out, usage)
		flags.SetOutput(out)
		flags.PrintDefaults()
		return settings{}, err
	}
	if err != nil {
		return settings{}, fmt.Errorf("%w (-help lists the flags)", err)
	}
	return s, nil
}

// exchangeReal exchanges a token of a real issuer at AWS.
func exchangeReal(ctx context.Context, s settings, stdin io.Reader, out io.Writer) error {
	needed := [][2]string{{"-target", s.target}, {"-role", s.role}, {"-principal", s.principal}}
	if err := need(needed); err != nil {
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
		Targets: delegation.Targets{s.target: {AWS: delegation.AWS{
			Principal: s.principal,
			Role:      s.role,
			Region:    s.region,
		}}},
		STS:     client,
		OnEvent: func(_ context.Context, e delegation.Event) { printDecision(out, e) },
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
		return fmt.Errorf("set these flags too: %s (-help describes them)",
			strings.Join(missing, ", "))
	}
	return nil
}

func readIdentity(s settings) (delegation.IdentityProvider, error) {
	none := delegation.IdentityProvider{}
	needed := [][2]string{{"-entity-id", s.entityID}, {"-cert", s.certificate}, {"-key", s.key}}
	if err := need(needed); err != nil {
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
	if err != nil {
		return none, err
	}
	return delegation.IdentityProvider{
		EntityID: s.entityID,
		Keys:     []delegation.SigningKey{signingKey},
	}, nil
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
	c, err := config.LoadDefaultConfig(ctx,
		config.WithRegion(region),
		config.WithCredentialsProvider(aws.AnonymousCredentials{}),
	)
	if err != nil {
		return nil, err
	}
	return sts.NewFromConfig(c, func(o *sts.Options) {
		if url != "" {
			o.BaseEndpoint = &url
		}
	}), nil
}

// exchange exchanges the token and prints the credentials. OnEvent prints the decision before them.
func exchange(
	ctx context.Context, d *delegation.Delegator, client *sts.Client,
	token, target string, out io.Writer,
) error {
	credentials, err := d.Exchange(ctx, token, target)
	if err != nil {
		return err
	}
	show(out, "credentials", fmt.Sprintf("%s, secret %s, session token %s",
		credentials.AccessKeyID, credentials.SecretAccessKey, credentials.SessionToken))
	show(out, "expires", credentials.Expiration.Format(time.RFC3339))
	return showIdentity(ctx, client, credentials, out)
}

// showIdentity asks AWS to whom the credentials belong, and prints the answer.
func showIdentity(
	ctx context.Context, client *sts.Client, credentials *delegation.Credentials, out io.Writer,
) error {
	as := func(o *sts.Options) {
		o.Region = credentials.Region
		o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return credentials.AWS(), nil
		})
	}
	identity, err := client.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}, as)
	if err != nil {
		return fmt.Errorf("the credentials do not work: %w", err)
	}
	show(out, "AWS sees", aws.ToString(identity.Arn))
	return nil
}

// printDecision prints what an exchange decided, from its audit event.
func printDecision(out io.Writer, e delegation.Event) {
	if e.Err != nil {
		return // the error is printed later
	}
	show(out, "issuer", e.Issuer)
	show(out, "user", e.Subject)
	rule := e.Rule
	if rule == "" {
		rule = "no rule; the target names the role"
	}
	show(out, "decided by", rule)
	show(out, "role", e.Role)
	show(out, "region", e.Region)
	show(out, "session", fmt.Sprintf("%s, %s", e.SessionName, e.Duration))
}

// show prints what a step did. Long texts continue on the next line, in the same column.
func show(out io.Writer, what, value string) {
	const columns = 80
	line := ""
	for _, word := range strings.Fields(value) {
		if line != "" && len(line)+1+len(word) > columns {
			fmt.Fprintf(out, "  %-12s %s\n", what, line)
			what = ""
			line = ""
		}
		line = strings.TrimSpace(line + " " + word)
	}
	fmt.Fprintf(out, "  %-12s %s\n", what, line)
}

const (
	editor  = "arn:aws:iam::123456789012:role/photo-editor"
	auditor = "arn:aws:iam::123456789012:role/photo-auditor"

	// withoutTags is a trust policy with a mistake: it does not allow sts:TagSession.
	withoutTags = `{"Version": "2012-10-17", "Statement": [{
	  "Effect": "Allow",
	  "Principal": {"Federated": "arn:aws:iam::123456789012:saml-provider/delegation"},
	  "Action": "sts:AssumeRoleWithSAML"
	}]}`
)

// demonstrate runs one good exchange and three refusals against an issuer and an STS in memory.
func demonstrate(ctx context.Context, out io.Writer) error {
	world, err := delegationtest.Open()
	if err != nil {
		return err
	}
	defer world.Close()
	client, err := configure(ctx, world, out)
	if err != nil {
		return err
	}
	d, err := world.Start(ctx)
	if err != nil {
		return err
	}

	token := world.Token(claims)
	fmt.Fprintf(out, "An ID token (%d bytes) is exchanged for AWS credentials:\n", len(token))
	if err := exchange(ctx, d, client, token, delegationtest.Target, out); err != nil {
		return err
	}
	for _, r := range refusals() {
		changed := maps.Clone(claims)
		maps.Copy(changed, r.change)
		_, err := d.Exchange(ctx, world.Token(changed), delegationtest.Target)
		var refused *delegation.Error
		if !errors.As(err, &refused) {
			return fmt.Errorf("%s was not refused", r.what)
		}
		fmt.Fprintf(out, "\n%s is refused:\n", r.what)
		show(out, "stage, code", string(refused.Stage)+", "+string(refused.Code))
		show(out, "reason", refused.Err.Error())
		show(out, "remedy", refused.Remedy)
		show(out, "user is told", refused.Public())
	}
	fmt.Fprint(out, next)
	return nil
}

// next is what to try after the demonstration.
const next = `
Next:
  go run ./cmd/delegation serve --demo   the service, with a web page that shows each step
  go run ./examples/quickstart -help     the flags for your issuer, token and AWS account
  docs/aws-setup.md                      how to set up AWS
  docs/README.md                         everything else
`

// configure makes the two roles, and configures the rules and a client of the STS in memory. It
// returns the client.
func configure(
	ctx context.Context, world *delegationtest.World, out io.Writer,
) (*sts.Client, error) {
	world.Clock.Set(time.Now()) // the SDK signs with the real time
	err := errors.Join(
		world.STS.PutRole(ststest.Role{ARN: editor, TrustPolicy: delegationtest.TrustPolicy}),
		world.STS.PutRole(ststest.Role{ARN: auditor, TrustPolicy: withoutTags}),
	)
	if err != nil {
		return nil, err
	}
	client, err := newSTS(ctx, delegationtest.Region, world.STSURL)
	if err != nil {
		return nil, err
	}
	world.Config.STS = client
	world.Config.Rules = []delegation.RuleFunc{
		delegation.RequireVerifiedEmail(),
		delegation.TagsFromClaims(map[string]string{"team": "team"}),
		delegation.Must(delegation.RoleByClaim("groups",
			delegation.RoleMatch{Pattern: "photo-editors?", Role: editor},
			delegation.RoleMatch{Pattern: "audit", Role: auditor},
		)),
	}
	world.Config.OnEvent = func(_ context.Context, e delegation.Event) { printDecision(out, e) }
	return client, nil
}

// claims are those of the demonstration's user.
var claims = map[string]any{
	"email":          "alice@example.com",
	"email_verified": true,
	"groups":         []string{"staff", "photo-editors"},
	"team":           "press",
}

// refusal is a change of the claims with which the exchange is refused.
type refusal struct {
	what   string
	change map[string]any
}

func refusals() []refusal {
	return []refusal{
		{"An expired token", map[string]any{
			"iat": time.Now().Add(-2 * time.Hour).Unix(),
			"exp": time.Now().Add(-time.Hour).Unix(),
		}},
		{"A user whose email address is not verified", map[string]any{
			"email_verified": false,
		}},
		{"A user whose role does not allow session tags", map[string]any{
			"groups": []string{"audit"},
		}},
	}
}
