package session

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

const (
	// maxAnswer is how many bytes of an answer are read, after decompression. AWS's have a few
	// thousand. A longer one ends in an *http.MaxBytesError.
	maxAnswer  = 1 << 20
	maxHeaders = 64 << 10
	maxBackoff = 2 * time.Second // so that three attempts fit into the time-out of a call
	idleTime   = 30 * time.Second
	idleConns  = 256 // to one host, for a busy service

	// tlsSessions has room for the hosts of all regions, each with the newest session.
	tlsSessions = 64
)

// ErrPlainHTTP is an endpoint to which assertions and credentials would travel in the clear.
var ErrPlainHTTP = errors.New(
	"plain http to another machine exposes the credentials on the network")

// ClientOptions are what [NewClient] takes.
type ClientOptions struct {
	// Endpoint takes precedence over AWS_ENDPOINT_URL_STS and AWS_ENDPOINT_URL. Empty: these
	// variables count.
	Endpoint string
	// AllowPlainHTTP permits an endpoint of plain http that is not loopback, wherever it is
	// configured.
	AllowPlainHTTP bool
	// FIPS and DualStack say that the caller will ask for such endpoints. They are an error
	// together with a configured endpoint.
	FIPS, DualStack bool
	// IgnoreEndpoints ignores the endpoints that the environment names. It is for a service that
	// may itself be such an endpoint; see [IgnoredEndpoints].
	IgnoreEndpoints bool
	// IgnoreEnvironment ignores all variables, for a client that calls something in this process.
	IgnoreEnvironment bool
}

// NewClient returns the SDK's client for STS as this module uses it: anonymous, with an answer of
// bounded size, without redirects, and over https. From the environment it takes what says how STS
// is called: endpoint, FIPS, dual stack, CA bundle and proxies. It reads no file of the SDK, and so
// no profile.
//
// The call is not signed, so it is anonymous: otherwise the SDK might look for credentials in
// profiles and instance metadata. The SDK's retryer repeats throttling, 5xx and dial errors, at
// most three attempts in all, and never a definite refusal. An endpoint that is not a URL, or that
// is plain http and neither loopback nor allowed, is an error. A variable with which STS cannot be
// called is an [*EnvironmentError].
func NewClient(o ClientOptions) (*sts.Client, error) {
	env := environment{}
	if !o.IgnoreEnvironment {
		read, err := readEnvironment()
		if err != nil {
			return nil, err
		}
		env = read
	}
	roots, err := caBundle(env.caBundle)
	if err != nil {
		return nil, err
	}
	client := sts.NewFromConfig(sdkConfig(env, roots), func(s *sts.Options) {
		switch {
		case o.Endpoint != "":
			s.BaseEndpoint = &o.Endpoint
		case o.IgnoreEnvironment, o.IgnoreEndpoints:
			s.BaseEndpoint = nil
		}
		s.HTTPClient = BoundedClient(s.HTTPClient)
	})
	endpoint := aws.ToString(client.Options().BaseEndpoint)
	from := "the configuration"
	if o.Endpoint == "" {
		from = EndpointSource(endpoint)
	}
	if err := checkKinds(endpoint, from, o, env); err != nil {
		return nil, err
	}
	err = checkEndpoint(endpoint, o.AllowPlainHTTP)
	if err != nil && o.Endpoint == "" {
		return nil, &EnvironmentError{endpointVariableOf(endpoint), err}
	}
	if err != nil {
		return nil, err
	}
	return client, nil
}

// sdkConfig is what the SDK's LoadDefaultConfig would make of the environment, without the profile.
func sdkConfig(env environment, roots *x509.CertPool) aws.Config {
	c := aws.Config{
		AppID:         env.appID,
		ConfigSources: []any{env.source()},
		Credentials:   aws.AnonymousCredentials{},
		HTTPClient:    transport(roots),
		Retryer: func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxBackoff = maxBackoff })
		},
	}
	if env.allEndpoints != "" && !env.ignoreEndpoints {
		c.BaseEndpoint = &env.allEndpoints
	}
	return c
}

// source is the environment as the SDK's clients ask for it.
func (e environment) source() config.EnvConfig {
	source := config.EnvConfig{IgnoreConfiguredEndpoints: &e.ignoreEndpoints}
	switch e.fips {
	case on:
		source.UseFIPSEndpoint = aws.FIPSEndpointStateEnabled
	case off:
		source.UseFIPSEndpoint = aws.FIPSEndpointStateDisabled
	}
	switch e.dualStack {
	case on:
		source.UseDualStackEndpoint = aws.DualStackEndpointStateEnabled
	case off:
		source.UseDualStackEndpoint = aws.DualStackEndpointStateDisabled
	}
	return source
}

// Endpoint is where a client of the SDK calls STS.
type Endpoint struct {
	URL             string // instead of AWS's; empty: AWS's
	FIPS, DualStack bool
}

// EndpointOf returns the endpoint of a client. For a client that is not the SDK's it returns the
// zero value.
func EndpointOf(client any) Endpoint {
	made, ok := client.(*sts.Client)
	if !ok || made == nil {
		return Endpoint{}
	}
	o := made.Options()
	return Endpoint{
		URL:       aws.ToString(o.BaseEndpoint),
		FIPS:      o.EndpointOptions.UseFIPSEndpoint == aws.FIPSEndpointStateEnabled,
		DualStack: o.EndpointOptions.UseDualStackEndpoint == aws.DualStackEndpointStateEnabled,
	}
}

// transport returns the SDK's own HTTP client, which uses the proxies of HTTPS_PROXY, HTTP_PROXY
// and NO_PROXY. roots are the CAs that count; nil: the system's.
func transport(roots *x509.CertPool) *awshttp.BuildableClient {
	// The caller limits the time; AWS_ENABLE_DEFAULT_SOCKET_TIMEOUT_2026 does not.
	unlimited := awshttp.NewBuildableClient().WithReadTimeout(0)
	return unlimited.WithTransportOptions(func(t *http.Transport) {
		t.MaxIdleConns = 0 // no limit but the one for a host
		t.MaxIdleConnsPerHost = idleConns
		t.IdleConnTimeout = idleTime
		t.MaxResponseHeaderBytes = maxHeaders
		t.TLSClientConfig.RootCAs = roots
		// A new connection can then resume a session, without a handshake with certificates.
		t.TLSClientConfig.ClientSessionCache = tls.NewLRUClientSessionCache(tlsSessions)
	})
}

// checkEndpoint refuses what is not a URL, and plain http to another machine unless it is allowed.
// Empty is the endpoint of a region, which is https.
func checkEndpoint(endpoint string, allowPlainHTTP bool) error {
	if endpoint == "" {
		return nil
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http" {
		return fmt.Errorf(
			"%.200q is not a URL such as https://sts.eu-central-1.amazonaws.com", endpoint)
	}
	loopback := u.Hostname() == "localhost" || net.ParseIP(u.Hostname()).IsLoopback()
	if u.Scheme == "http" && !loopback && !allowPlainHTTP {
		return fmt.Errorf("%.200q: %w", endpoint, ErrPlainHTTP)
	}
	return nil
}

// BoundedClient returns a client that follows no redirects: the SDK follows 307 and 308 to any
// host, with the assertion. After 1 MiB of a decompressed answer, reading ends with an
// *http.MaxBytesError. The client keeps a connection after an early answer, which the SDK's
// requests would lose: see [withoutWriterTo].
func BoundedClient(client aws.HTTPClient) aws.HTTPClient {
	var way *http.Transport
	if buildable, ok := client.(*awshttp.BuildableClient); ok {
		client = buildable.Freeze()
		way = buildable.GetTransport()
	}
	if frozen, ok := client.(*http.Client); ok {
		own := *frozen
		own.CheckRedirect = func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		}
		client = &own
	}
	return boundedClient{client, way}
}

type boundedClient struct {
	client aws.HTTPClient
	// way says which proxies and CAs the client uses; nil: it is not known. It sends nothing.
	way *http.Transport
}

func (b boundedClient) Do(r *http.Request) (*http.Response, error) {
	response, err := b.client.Do(withoutWriterTo(r))
	if err != nil {
		return response, explained(b.way, r, err)
	}
	if response != nil && response.Body != nil {
		response.Body = http.MaxBytesReader(nil, response.Body, maxAnswer)
	}
	return response, nil
}

// withoutWriterTo returns the request with a body that has only Read and Close. The bodies of its
// GetBody have only these methods, too.
//
// The SDK closes the body as soon as there is an answer. From then on its body's WriteTo returns
// io.EOF (smithy-go 1.28.8, transport/http/internal/io), which no WriterTo may do. net/http looks
// for more of a body once it has sent all of it. It takes the io.EOF for a failed write, and drops
// the connection. After Close, Read returns io.EOF too, but from Read it means the end.
func withoutWriterTo(r *http.Request) *http.Request {
	if r == nil || r.Body == nil || r.Body == http.NoBody { // net/http knows NoBody by its value
		return r
	}
	own := *r
	own.Body = readCloser{r.Body}
	if getBody := r.GetBody; getBody != nil {
		own.GetBody = func() (io.ReadCloser, error) {
			body, err := getBody()
			if err != nil {
				return nil, err
			}
			return readCloser{body}, nil
		}
	}
	return &own
}

// readCloser hides all other methods of what it holds.
type readCloser struct{ io.ReadCloser }
