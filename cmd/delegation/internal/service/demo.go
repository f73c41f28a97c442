package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"strings"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationhttp"
	"github.com/seed055b7978/delegation/internal/session"
	"github.com/seed055b7978/delegation/oidctest"
	"github.com/seed055b7978/delegation/ststest"
)

// The demonstration's one target, and what it has in AWS.
const (
	DemoTarget    = "photo-app"
	DemoPrincipal = "arn:aws:iam::123456789012:saml-provider/delegation"
	DemoRole      = "arn:aws:iam::123456789012:role/photo-editor"
	DemoRegion    = "eu-central-1"

	// DemoTrust is the role's trust policy.
	DemoTrust = `{"Version": "2012-10-17", "Statement": [{
	  "Effect": "Allow",
	  "Principal": {"Federated": "arn:aws:iam::123456789012:saml-provider/delegation"},
	  "Action": ["sts:AssumeRoleWithSAML", "sts:TagSession"],
	  "Condition": {"StringEquals": {"SAML:aud": "https://eu-central-1.signin.aws.amazon.com/saml"}}
	}]}`
)

// demoUsers are whom the demonstration's OpenID provider knows.
var demoUsers = map[string]map[string]any{
	"alice": {
		"sub": "auth0|alice", "email": "alice@example.com", "email_verified": true,
		"groups": []string{"staff", "photo-editors"}, "team": "press",
	},
	"bob": {
		"sub": "auth0|bob", "email": "bob@example.com", "email_verified": true,
		"groups": []string{"staff"}, "team": "sales",
	},
}

// Demo serves with an OpenID provider and an STS in memory, all on loopback, until the context
// ends. It says on stdout what to paste. listen is the address, empty for DefaultListen; key signs
// the assertions.
func Demo(
	ctx context.Context, listen string, key delegation.SigningKey, stdout, stderr io.Writer,
) error {
	options := &slog.HandlerOptions{Level: slog.LevelWarn}
	logger := slog.New(slog.NewTextHandler(stderr, options))
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
		Keys:     []delegation.SigningKey{key},
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

	handler, err := demoHandler(ctx, issuerURL, awsURL, identity, logger)
	if err != nil {
		return err
	}
	handler.Handler = demoSignIn(issuer, handler.Handler)
	service := &Service{Listen: cmp.Or(listen, DefaultListen), Handler: handler, Logger: logger}
	service.Started = func(address string) {
		places := strings.NewReplacer(
			"{service}", "http://"+address, "{issuer}", issuerURL, "{aws}", awsURL)
		fmt.Fprint(stdout, places.Replace(demoText))
	}
	return service.Run(ctx)
}

// demoAWS is an STS that knows the provider and the role, with the console's federation endpoint.
func demoAWS(identity delegation.IdentityProvider) (http.Handler, error) {
	metadata, err := identity.Metadata()
	if err != nil {
		return nil, err
	}
	aws := ststest.New(ststest.Config{Region: DemoRegion})
	err = errors.Join(
		aws.PutSAMLProvider(DemoPrincipal, metadata),
		aws.PutRole(ststest.Role{ARN: DemoRole, TrustPolicy: DemoTrust}),
	)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/", aws)
	mux.Handle("/federation", aws.Federation())
	return mux, nil
}

// demoHandler exchanges tokens of the issuer at the STS: photo editors get the role, and their team
// is a session tag.
func demoHandler(
	ctx context.Context, issuerURL, awsURL string, identity delegation.IdentityProvider,
	logger *slog.Logger,
) (*Handler, error) {
	client, err := session.NewClient(ctx, session.ClientOptions{Endpoint: awsURL})
	if err != nil {
		return nil, err
	}
	roles, err := delegation.RoleByClaim("groups",
		delegation.RoleMatch{Pattern: "photo-editors?", Role: DemoRole})
	if err != nil {
		return nil, err
	}
	target := delegation.AWS{Principal: DemoPrincipal, Region: DemoRegion}
	c := delegation.Config{
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
	}
	delegator, err := delegation.New(ctx, c)
	if err != nil {
		return nil, err
	}
	return NewHandler(delegator, c, delegationhttp.Config{
		Exchanger: delegator,
		Logger:    logger,
		Console:   &delegationhttp.Console{Endpoint: awsURL + "/federation"},
	})
}

// demoText is what a newcomer pastes, line by line or whole: all but the commands is a comment.
const demoText = `# Serving on {service}, with an OpenID provider ({issuer}) and an AWS STS ({aws}) in memory.
# Nothing leaves this machine. Paste these lines into another terminal. Ctrl-C here ends it.

# An ID token of alice, who is a photo editor:
TOKEN=$(curl -fsS '{service}/token?user=alice')

# AWS credentials for her, as Auth0's clients ask for them, with a form or with JSON:
curl -sS {service}/delegation -d grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer -d client_id=photo-app -d api_type=aws --data-urlencode "id_token=$TOKEN"
curl -sS {service}/delegation -H 'Content-Type: application/json' -d '{"grant_type":"urn:ietf:params:oauth:grant-type:jwt-bearer","client_id":"photo-app","id_token":"'$TOKEN'"}'

# As every AWS SDK and the AWS CLI fetch them:
curl -sS '{service}/credentials?target=photo-app' -H "Authorization: $TOKEN"
AWS_CONTAINER_CREDENTIALS_FULL_URI='{service}/credentials?target=photo-app' AWS_CONTAINER_AUTHORIZATION_TOKEN=$TOKEN aws sts get-caller-identity --region eu-central-1 --endpoint-url {aws}

# A sign-in URL for the AWS console:
curl -sS {service}/console -d grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer -d client_id=photo-app --data-urlencode "id_token=$TOKEN"

# Bob is no photo editor, and refused:
curl -sS {service}/delegation -d grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer -d client_id=photo-app --data-urlencode "id_token=$(curl -fsS '{service}/token?user=bob')"

# The SAML metadata for IAM, and health:
curl -sS {service}/metadata
curl -sS {service}/ready

# For real: delegation serve --config FILE, see delegation.example.yaml.
`

// demoSignIn adds a way to get a token to the service, because the OpenID provider has no sign-in
// page; there, because its address is known before.
func demoSignIn(provider *oidctest.Provider, rest http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", rest)
	mux.HandleFunc("GET /token", func(w http.ResponseWriter, r *http.Request) {
		claims, ok := demoUsers[r.URL.Query().Get("user")]
		if !ok {
			http.Error(w, "the users are alice and bob", http.StatusNotFound)
			return
		}
		claims = maps.Clone(claims)
		claims["aud"] = DemoTarget
		token, err := provider.SignIDToken(claims)
		if err != nil {
			http.Error(w, "no token", http.StatusInternalServerError)
			return
		}
		_, _ = io.WriteString(w, token)
	})
	return mux
}
