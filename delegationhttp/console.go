package delegationhttp

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/internal/document"
	"github.com/seed055b7978/delegation/internal/iam"
)

const (
	federationTimeout = 10 * time.Second
	signInLife        = 15 * time.Minute // of a sign-in URL (IAM User Guide, "Enable custom identity broker access to the AWS console")
)

// What [Console.SignInURL] returns as errors; none holds a secret.
var (
	ErrDestination    = errors.New("the destination is not an https URL of the partition's console")
	ErrNoConsole      = errors.New("AWS publishes no console address for the partition of these credentials")
	ErrSignInRefused  = errors.New("AWS's sign-in endpoint refused the credentials")
	ErrSignInNoAnswer = errors.New("AWS's sign-in endpoint cannot be reached")
)

// Console makes sign-in URLs for the AWS console by AWS's federation endpoint. The zero value is ready to use.
type Console struct {
	Issuer     string       // where AWS sends users whose session has ended: the URL of your own sign-in page; empty: AWS's own page
	Endpoint   string       // for tests: a federation endpoint instead of the partition's https://SIGN-IN-HOST/federation
	HTTPClient *http.Client // nil: a new one. Redirects are refused whatever it says
}

func (c Console) check() error {
	var problems []error
	for _, field := range [][2]string{{"Issuer", c.Issuer}, {"Endpoint", c.Endpoint}} {
		if err := document.CheckURL(field[1], true); err != nil && field[1] != "" {
			problems = append(problems, fmt.Errorf("%s: %w", field[0], err))
		}
	}
	if strings.Contains(c.Endpoint, "?") {
		problems = append(problems, fmt.Errorf("%s: %.200q has a query, where the sign-in URL has its own", "Endpoint", c.Endpoint))
	}
	return errors.Join(problems...)
}

// SignInURL returns a URL that signs a browser in to the AWS console with the credentials, in the partition of their region. It is a
// secret like them, and works for 15 minutes; the session lasts as long as they do. destination is a page of the console, https; empty is its
// start page. The call to AWS has ten seconds, and ends with the context. Errors are [ErrDestination], [ErrNoConsole] (the isolated partitions),
// [ErrSignInRefused] and [ErrSignInNoAnswer].
func (c Console) SignInURL(ctx context.Context, credentials *delegation.Credentials, destination string) (string, error) {
	if ctx == nil || credentials == nil {
		return "", fmt.Errorf("%w: there are none, or the context is nil", ErrSignInRefused)
	}
	p, _ := iam.PartitionOf(credentials.Region)
	start := p.ConsoleHost(credentials.Region)
	if start == "" {
		return "", ErrNoConsole
	}
	destination = cmp.Or(destination, "https://"+start+"/")
	if u, err := url.Parse(destination); err != nil || u.Scheme != "https" || u.User != nil || u.Port() != "" || !p.HasConsole(strings.ToLower(u.Host)) {
		return "", ErrDestination
	}
	endpoint := cmp.Or(c.Endpoint, "https://"+p.SignInHost(credentials.Region)+"/federation")
	token, err := c.signInToken(ctx, endpoint, credentials)
	if err != nil {
		return "", err
	}
	query := url.Values{"Action": {"login"}, "Destination": {destination}, "SigninToken": {token}}
	if c.Issuer != "" {
		query.Set("Issuer", c.Issuer)
	}
	return endpoint + "?" + query.Encode(), nil
}

// signInToken posts the credentials, so that they are in no URL and in no proxy's log.
func (c Console) signInToken(ctx context.Context, endpoint string, credentials *delegation.Credentials) (string, error) {
	session, _ := json.Marshal(map[string]string{ // texts cannot fail
		"sessionId": credentials.AccessKeyID, "sessionKey": credentials.SecretAccessKey.Reveal(), "sessionToken": credentials.SessionToken.Reveal(),
	})
	ctx, cancel := context.WithTimeout(ctx, federationTimeout)
	defer cancel()
	body, _, err := document.Post(ctx, document.Client(c.HTTPClient), endpoint, url.Values{"Action": {"getSigninToken"}, "Session": {string(session)}})
	var status document.StatusError
	switch {
	case errors.As(err, &status) && status < 500:
		return "", fmt.Errorf("%w: %w", ErrSignInRefused, err)
	case err != nil:
		return "", fmt.Errorf("%w: %w", ErrSignInNoAnswer, err)
	}
	object, err := document.Object(body)
	token, _ := object["SigninToken"].(string)
	if err != nil || token == "" {
		return "", fmt.Errorf("%w: its answer has no token", ErrSignInNoAnswer)
	}
	return token, nil
}

// ConsoleSignIn returns the handler that turns an ID token into a sign-in URL for the AWS console. It takes the requests of Delegation, with
// an optional destination, a page of the console, and answers {"url", "expires_in"}: whoever has the URL is the user, for as many
// seconds. Without Config.Console it is off, and answers 404.
func (h *Handlers) ConsoleSignIn() http.Handler {
	return h.cors(h.serve(http.MethodPost, auth0Shape, func(w http.ResponseWriter, r *http.Request) ([]byte, *refusal) {
		if h.config.Console == nil {
			return nil, &refusal{status: http.StatusNotFound, code: "endpoint_disabled", description: "console sign-in is not enabled"}
		}
		q, refused := readRequest(w, r)
		if refused != nil {
			return nil, refused
		}
		destination, ok := q.parameters["destination"].(string)
		if !ok && q.parameters["destination"] != nil {
			return nil, invalid(http.StatusBadRequest, "destination is not a string")
		}
		return h.exchange(w, r, q, func(credentials *delegation.Credentials) ([]byte, error) {
			signIn, err := h.config.Console.SignInURL(r.Context(), credentials, destination)
			if err != nil {
				return nil, err
			}
			var body bytes.Buffer
			encoder := json.NewEncoder(&body)
			encoder.SetEscapeHTML(false) // so that the URL can be copied from the answer
			err = encoder.Encode(struct {
				URL     string `json:"url"`
				Expires int    `json:"expires_in"`
			}{signIn, int(max(0, min(signInLife, credentials.Expiration.Sub(h.config.Now()))).Seconds())})
			return body.Bytes(), err
		})
	}))
}
