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
	// federationTimeout limits the call to AWS's federation endpoint.
	federationTimeout = 10 * time.Second
	// signInLife is how long a sign-in URL works (IAM User Guide, "Enable custom identity broker
	// access to the AWS console").
	signInLife = 15 * time.Minute
)

// Errors of [Console.SignInURL]. None of them holds a secret.
var (
	// ErrDestination is a destination that is not a page of the partition's console.
	ErrDestination = errors.New("the destination is not an https URL of the partition's console")
	// ErrNoConsole is a partition without a public console, such as an isolated one.
	ErrNoConsole = errors.New(
		"AWS publishes no console address for the partition of these credentials",
	)
	// ErrSignInRefused is an answer of AWS that refuses the credentials.
	ErrSignInRefused = errors.New("AWS's sign-in endpoint refused the credentials")
	// ErrSignInNoAnswer is a call to AWS that failed or had no usable answer.
	ErrSignInNoAnswer = errors.New("AWS's sign-in endpoint cannot be reached")
)

// Console makes sign-in URLs for the AWS console. It uses AWS's federation endpoint. The zero value
// is ready to use.
type Console struct {
	// Issuer is the URL of your own sign-in page, to which AWS sends users whose session has ended.
	// Empty is AWS's own page.
	Issuer string
	// Endpoint replaces the partition's endpoint, https://SIGN-IN-HOST/federation, in tests.
	Endpoint string
	// FIPS uses the partition's sign-in host with FIPS 140. AWS has one for GovCloud only: with
	// credentials of other partitions SignInURL returns [ErrNoConsole]. It excludes Endpoint.
	FIPS bool
	// HTTPClient calls the endpoint. Nil is a new client. Redirects are always refused.
	HTTPClient *http.Client
}

func (c Console) validate() error {
	var problems []error
	for _, field := range []struct{ name, url string }{
		{"Issuer", c.Issuer},
		{"Endpoint", c.Endpoint},
	} {
		if field.url == "" {
			continue
		}
		if err := document.CheckURL(field.url, true); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", field.name, err))
		}
	}
	if strings.Contains(c.Endpoint, "?") {
		const hasQuery = "%s: %.200q has a query: remove it, because the sign-in URL has its own"
		problems = append(problems, fmt.Errorf(hasQuery, "Endpoint", c.Endpoint))
	}
	if c.FIPS && c.Endpoint != "" {
		problems = append(problems,
			errors.New("FIPS has no effect with Endpoint: unset one of them"))
	}
	return errors.Join(problems...)
}

// SignInURL returns a URL that signs a browser in to the AWS console. It uses the credentials, in
// the partition of their region. The URL is a secret like the credentials. It works for 15 minutes,
// and the session lasts as long as the credentials.
//
// destination is the https URL of a page of the console; empty is its start page. The call to AWS
// has a time limit of ten seconds and ends with the context. Errors are [ErrDestination],
// [ErrNoConsole], [ErrSignInRefused] and [ErrSignInNoAnswer].
func (c Console) SignInURL(
	ctx context.Context, credentials *delegation.Credentials, destination string,
) (string, error) {
	if ctx == nil || credentials == nil {
		return "", fmt.Errorf("%w: there are none, or the context is nil", ErrSignInRefused)
	}
	p, _ := iam.PartitionOf(credentials.Region)
	start := p.ConsoleHost(credentials.Region)
	if start == "" {
		return "", ErrNoConsole
	}
	destination = cmp.Or(destination, "https://"+start+"/")
	if !isConsolePage(p, destination) {
		return "", ErrDestination
	}
	host := p.SignInHost(credentials.Region)
	if c.FIPS {
		host = p.FIPSSignInHost(credentials.Region)
	}
	if host == "" {
		return "", fmt.Errorf("%w: it has no sign-in host with FIPS", ErrNoConsole)
	}
	endpoint := cmp.Or(c.Endpoint, "https://"+host+"/federation")
	token, err := c.signInToken(ctx, endpoint, credentials)
	if err != nil {
		return "", err
	}
	query := url.Values{
		"Action":      {"login"},
		"Destination": {destination},
		"SigninToken": {token},
	}
	if c.Issuer != "" {
		query.Set("Issuer", c.Issuer)
	}
	return endpoint + "?" + query.Encode(), nil
}

// isConsolePage reports whether a destination is an https URL of the partition's console.
func isConsolePage(p *iam.Partition, destination string) bool {
	u, err := url.Parse(destination)
	if err != nil || u.Scheme != "https" || u.User != nil || u.Port() != "" {
		return false
	}
	return p.HasConsole(strings.ToLower(u.Host))
}

// signInToken exchanges the credentials for a token of the sign-in endpoint. It posts them, so that
// they are in no URL and in no log of a proxy.
func (c Console) signInToken(
	ctx context.Context, endpoint string, credentials *delegation.Credentials,
) (string, error) {
	session, _ := json.Marshal(map[string]string{ // texts cannot fail
		"sessionId":    credentials.AccessKeyID,
		"sessionKey":   credentials.SecretAccessKey.Reveal(),
		"sessionToken": credentials.SessionToken.Reveal(),
	})
	ctx, cancel := context.WithTimeout(ctx, federationTimeout)
	defer cancel()
	form := url.Values{
		"Action":  {"getSigninToken"},
		"Session": {string(session)},
	}
	body, _, err := document.Post(ctx, document.Client(c.HTTPClient), endpoint, form)
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

// ConsoleSignIn returns the handler that turns an ID token into a sign-in URL for the AWS console.
// It takes the requests of Delegation, with an optional destination, a page of the console. It
// answers {"url", "expires_in", "session_end"}. The URL is a secret, because it signs in as the
// user until it expires. The session in the console ends with its credentials, at session_end (RFC
// 3339). The cache is not used, because cached credentials may be about to expire. Without
// Config.Console the handler is off and answers 404.
func (h *Handlers) ConsoleSignIn() http.Handler {
	return h.serve(endpoint{
		method:  http.MethodPost,
		headers: auth0Headers,
		shape:   auth0Shape,
		answer:  h.consoleSignIn,
	})
}

func (h *Handlers) consoleSignIn(w http.ResponseWriter, r *http.Request) ([]byte, *refusal) {
	if h.config.Console == nil {
		return nil, &refusal{
			status:      http.StatusNotFound,
			code:        "endpoint_disabled",
			description: "console sign-in is not enabled",
		}
	}
	q, refused := h.readRequest(w, r)
	if refused != nil {
		return nil, refused
	}
	destination, ok := q.parameters["destination"].(string)
	if !ok && q.parameters["destination"] != nil {
		return nil, invalid(http.StatusBadRequest, "destination is not a string")
	}
	write := func(credentials *delegation.Credentials) ([]byte, error) {
		signIn, err := h.config.Console.SignInURL(r.Context(), credentials, destination)
		if err != nil {
			return nil, err
		}
		return signInJSON(signIn, credentials.Expiration, h.config.Now())
	}
	if refused := h.takeRole(q); refused != nil {
		return nil, refused
	}
	q.endpoint = "console"
	return h.exchange(w, r, q, write, delegation.WithoutCache())
}

// signInJSON returns the answer with a sign-in URL. The session ends with the credentials, and so
// does the URL if they expire before its usual life is over. HTML characters are not escaped, so
// that the URL can be copied from the answer.
func signInJSON(signIn string, end, now time.Time) ([]byte, error) {
	life := max(0, min(signInLife, end.Sub(now)))
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(struct {
		URL     string `json:"url"`
		Expires int    `json:"expires_in"`
		End     string `json:"session_end"`
	}{
		URL:     signIn,
		Expires: int(life.Seconds()),
		End:     end.UTC().Format(time.RFC3339),
	})
	return body.Bytes(), err
}
