// Auth0-rules runs the unchanged rules of an Auth0 export in four exchanges.
//
//	go run ./examples/auth0-rules
//
// The folder export is what Auth0's Deploy CLI writes. The folder rules was written by this
// command, except for the rule that is disabled:
//
//	delegation import-auth0 examples/auth0-rules/export --out DIR
//
// It needs nothing else: delegationtest has an OpenID provider and an STS in memory, both on
// loopback. The role's trust policy was written for Auth0. It requires SAML:iss, and the group that
// a rule maps to eduPersonAffiliation. docs/migrating-from-auth0.md is the guide.
package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"slices"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationtest"
	"github.com/seed055b7978/delegation/jsrules"
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
	role      = "arn:aws:iam::123456789012:role/photo-editor"
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

// compileRules compiles the folder. The rules need a setting, and a module that is written in Go.
// Their log output goes to log.
func compileRules(log io.Writer) ([]delegation.RuleFunc, error) {
	folder, err := fs.Sub(files, "rules")
	if err != nil {
		return nil, err
	}
	return jsrules.CompileFolder(folder, jsrules.Options{
		Domain:        "tenant.auth0.com",
		Configuration: map[string]string{"AWS_ACCOUNT": "123456789012"},
		Modules: map[string]jsrules.Module{
			"directory": {Functions: map[string]jsrules.Function{"teamOf": teamOf}},
		},
		Logger: slog.New(slog.NewTextHandler(lines{log},
			&slog.HandlerOptions{ReplaceAttr: withoutTime})),
	})
}

// teamOf looks a user's team up in a directory.
func teamOf(_ context.Context, arguments []any) (any, error) {
	teams := map[any]string{"auth0|alice": "press"}
	team, ok := teams[arguments[0]]
	if !ok {
		return nil, errors.New("the directory does not know this user")
	}
	return team, nil
}

// lines writes each log record as a line of the output.
type lines struct{ out io.Writer }

func (l lines) Write(record []byte) (int, error) {
	if _, err := fmt.Fprintf(l.out, "  log          %s", record); err != nil {
		return 0, err
	}
	return len(record), nil
}

// withoutTime keeps the log the same in every run.
func withoutTime(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

func run(ctx context.Context, out io.Writer) error {
	rules, err := compileRules(out)
	if err != nil {
		return err
	}
	world, err := delegationtest.Open()
	if err != nil {
		return err
	}
	defer world.Close()
	// The entity ID in Auth0's metadata, so that trust policies that require SAML:iss keep working.
	world.Config.IdentityProvider.EntityID = "urn:tenant.auth0.com"
	if err := setUpAWS(world); err != nil {
		return err
	}
	world.Config.Targets = delegation.Targets{"CLIENT_ID": {}} // the rules decide everything
	world.Config.Rules = slices.Insert(rules, 0, delegation.AllowConnections("auth0"))
	world.Config.OnEvent = func(_ context.Context, e delegation.Event) { printDecision(out, e) }
	d, err := world.Start(ctx)
	if err != nil {
		return err
	}

	for _, user := range users {
		fmt.Fprintf(out, "%s:\n", user.what)
		claims := maps.Clone(user.claims)
		claims["aud"] = "CLIENT_ID"
		claims["email_verified"] = true
		credentials, err := d.Exchange(ctx, world.Token(claims), "CLIENT_ID")
		printOutcome(out, credentials, err)
	}
	return nil
}

// printOutcome prints the credentials, or why there are none and what the user is told.
func printOutcome(out io.Writer, credentials *delegation.Credentials, err error) {
	var refused *delegation.Error
	if errors.As(err, &refused) {
		fmt.Fprintf(out, "  refused      %s, %s\n", refused.Stage, refused.Code)
		fmt.Fprintf(out, "  reason       %v\n", refused.Err)
		fmt.Fprintf(out, "  user is told %s\n\n", refused.Public())
		return
	}
	fmt.Fprintf(out, "  credentials  %s, secret %s\n\n",
		credentials.AssumedRoleARN, credentials.SecretAccessKey)
}

// setUpAWS creates the SAML provider and the role, with the names that they had for Auth0.
func setUpAWS(world *delegationtest.World) error {
	metadata, err := world.Config.IdentityProvider.Metadata()
	if err != nil {
		return err
	}
	return errors.Join(
		world.STS.PutSAMLProvider(principal, metadata),
		world.STS.PutRole(ststest.Role{ARN: role, TrustPolicy: trust}),
	)
}

// users are the users who ask for credentials.
var users = []struct {
	what   string
	claims map[string]any
}{
	{"A photo editor", map[string]any{
		"sub": "auth0|alice", "email": "alice@example.com",
		"groups": []string{"staff", "photo-editors"},
	}},
	{"A user of another domain", map[string]any{
		"sub": "auth0|mallory", "email": "mallory@evil.example",
		"groups": []string{"photo-editors"},
	}},
	{"A user without a group", map[string]any{
		"sub": "auth0|bob", "email": "bob@example.com",
	}},
	{"A user whom the directory does not know", map[string]any{
		"sub": "auth0|carol", "email": "carol@example.org",
		"groups": []string{"audit"},
	}},
}

// printDecision prints what an exchange decided, from its audit event.
func printDecision(out io.Writer, e delegation.Event) {
	fmt.Fprintf(out, "  rule         %s\n", e.Rule)
	if e.Err != nil {
		return
	}
	fmt.Fprintf(out, "  role         %s\n", e.Role)
	fmt.Fprintf(out, "  region       %s\n", e.Region)
	fmt.Fprintf(out, "  session      %s\n", e.SessionName)
}
