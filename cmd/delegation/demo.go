package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationhttp"
	"github.com/seed055b7978/delegation/internal/stsclient"
	"github.com/seed055b7978/delegation/oidctest"
	"github.com/seed055b7978/delegation/ststest"
)

const (
	demoTarget    = "photo-app"
	demoPrincipal = "arn:aws:iam::123456789012:saml-provider/delegation"
	demoRole      = "arn:aws:iam::123456789012:role/photo-editor"
	demoRegion    = "eu-central-1"
	demoTrust     = `{"Version": "2012-10-17", "Statement": [{
	  "Effect": "Allow",
	  "Principal": {"Federated": "arn:aws:iam::123456789012:saml-provider/delegation"},
	  "Action": ["sts:AssumeRoleWithSAML", "sts:TagSession"],
	  "Condition": {"StringEquals": {"SAML:aud": "https://eu-central-1.signin.aws.amazon.com/saml"}}
	}]}`
)

// demoUsers are whom the demonstration's OpenID provider knows.
var demoUsers = map[string]map[string]any{
	"alice": {"sub": "auth0|alice", "email": "alice@example.com", "email_verified": true, "groups": []string{"staff", "photo-editors"}, "team": "press"},
	"bob":   {"sub": "auth0|bob", "email": "bob@example.com", "email_verified": true, "groups": []string{"staff"}, "team": "sales"},
}

// runDemo serves with an OpenID provider and an STS in memory, all on loopback, and says what to
// paste.
func runDemo(ctx context.Context, listen string, stdout, stderr io.Writer) error {
	logger := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
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

	key, err := newSigningKey()
	if err != nil {
		return err
	}
	identity := delegation.IdentityProvider{EntityID: "urn:example.com:delegation", Keys: []delegation.SigningKey{key}}
	metadata, err := identity.Metadata()
	if err != nil {
		return err
	}
	aws := ststest.New(ststest.Config{Region: demoRegion})
	if err := errors.Join(aws.PutSAMLProvider(demoPrincipal, metadata), aws.PutRole(ststest.Role{ARN: demoRole, TrustPolicy: demoTrust})); err != nil {
		return err
	}
	fakes := http.NewServeMux()
	fakes.Handle("/", aws)
	fakes.Handle("/federation", aws.Federation())
	awsURL, stopAWS, err := serveLoopback(fakes, logger)
	if err != nil {
		return err
	}
	defer stopAWS()
	client, err := stsclient.New(ctx, stsclient.Options{Endpoint: awsURL})
	if err != nil {
		return err
	}

	roles, err := delegation.RoleByClaim("groups", delegation.RoleMatch{Pattern: "photo-editors?", Role: demoRole})
	if err != nil {
		return err
	}
	c := delegation.Config{
		Issuers:          []delegation.Issuer{{URL: issuerURL, AllowLoopbackHTTP: true}},
		IdentityProvider: identity,
		Targets:          delegation.Targets{demoTarget: {AWS: delegation.AWS{Principal: demoPrincipal, Region: demoRegion}}},
		Rules:            []delegation.RuleFunc{delegation.RequireVerifiedEmail(), delegation.TagsFromClaims(map[string]string{"team": "team"}), roles},
		STS:              client, Logger: logger,
	}
	delegator, err := delegation.New(ctx, c)
	if err != nil {
		return err
	}
	handler, err := newMux(delegator, c, delegationhttp.Config{
		Exchanger: delegator, Logger: logger, Console: &delegationhttp.Console{Endpoint: awsURL + "/federation"},
	})
	if err != nil {
		return err
	}
	handler.Handler = demoSignIn(issuer, handler.Handler)
	service := &service{listen: cmp.Or(listen, defaultListen), handler: handler, logger: logger}
	service.started = func(address string) {
		fmt.Fprint(stdout, strings.NewReplacer("{service}", "http://"+address, "{issuer}", issuerURL, "{aws}", awsURL).Replace(demoText))
	}
	return service.run(ctx)
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
		claims["aud"] = demoTarget
		token, err := provider.SignIDToken(claims)
		if err != nil {
			http.Error(w, "no token", http.StatusInternalServerError)
			return
		}
		_, _ = io.WriteString(w, token)
	})
	return mux
}

// serveLoopback serves a handler on a free port of loopback until stop is called.
func serveLoopback(h http.Handler, logger *slog.Logger) (url string, stop func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := newServer(h, logger)
	go func() { _ = server.Serve(listener) }() // ends with Close
	return "http://" + listener.Addr().String(), func() { _ = server.Close() }, nil
}

// newSigningKey makes a key for the demonstration; a real one is kept in a file, an HSM or a KMS.
func newSigningKey() (delegation.SigningKey, error) {
	certificate, private, err := newKey("delegation demo", minKeyBits, time.Now(), defaultValid)
	if err != nil {
		return delegation.SigningKey{}, err
	}
	return delegation.ParseSigningKey(certificate, private)
}
