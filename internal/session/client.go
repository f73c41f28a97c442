package session

import (
	"context"
	"crypto/tls"
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
	"plain http to another machine shows everyone on the way the credentials")

// ClientOptions are what [NewClient] takes.
type ClientOptions struct {
	// Endpoint is used instead of the SDK's usual configuration, such as AWS_ENDPOINT_URL_STS;
	// empty: that.
	Endpoint string
	// AllowPlainHTTP permits an endpoint of plain http that is not loopback, wherever it is
	// configured.
	AllowPlainHTTP bool
}

// NewClient returns the SDK's client for STS as this module uses it: anonymous, with an answer of
// bounded size, without redirects, and over https. Otherwise its configuration is the SDK's usual
// one (endpoint overrides, proxies, CA bundle).
//
// The call is not signed, so it is anonymous: otherwise the SDK might look for credentials in
// profiles and instance metadata. The SDK's retryer repeats throttling, 5xx and dial errors, at
// most three attempts in all, and never a definite refusal. An endpoint that is no URL, or that is
// plain http and neither loopback nor allowed, is an error.
func NewClient(ctx context.Context, o ClientOptions) (*sts.Client, error) {
	c, err := config.LoadDefaultConfig(ctx,
		config.WithCredentialsProvider(aws.AnonymousCredentials{}),
		config.WithHTTPClient(transport()), // with AWS_CA_BUNDLE it must be of this type
		config.WithRetryer(func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxBackoff = maxBackoff })
		}))
	if err != nil {
		return nil, err
	}
	var problem error
	client := sts.NewFromConfig(c, func(s *sts.Options) {
		if o.Endpoint != "" {
			s.BaseEndpoint = &o.Endpoint
		}
		problem = checkEndpoint(aws.ToString(s.BaseEndpoint), o.AllowPlainHTTP)
		s.HTTPClient = BoundedClient(s.HTTPClient)
	})
	if problem != nil {
		return nil, problem
	}
	return client, nil
}

func transport() *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.MaxIdleConns = 0 // no limit but the one for a host
		t.MaxIdleConnsPerHost = idleConns
		t.IdleConnTimeout = idleTime
		t.MaxResponseHeaderBytes = maxHeaders
		// A connection after a break then costs no handshake with certificates.
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

// BoundedClient returns a client whose answers end, with an *http.MaxBytesError, after 1 MiB of
// what is left after decompression, and which follows no redirect. The SDK follows 307 and 308 to
// wherever they lead, with the assertion. It keeps the connection after an early answer, which the
// SDK's requests would lose, see [withoutWriterTo].
func BoundedClient(client aws.HTTPClient) aws.HTTPClient {
	if buildable, ok := client.(*awshttp.BuildableClient); ok {
		client = buildable.Freeze()
	}
	if frozen, ok := client.(*http.Client); ok {
		own := *frozen
		own.CheckRedirect = func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		}
		client = &own
	}
	return boundedClient{client}
}

type boundedClient struct{ client aws.HTTPClient }

func (b boundedClient) Do(r *http.Request) (*http.Response, error) {
	response, err := b.client.Do(withoutWriterTo(r))
	if err == nil && response != nil && response.Body != nil {
		response.Body = http.MaxBytesReader(nil, response.Body, maxAnswer)
	}
	return response, err
}

// withoutWriterTo returns the request with a body that has Read and Close only, and so has that of
// GetBody.
//
// The SDK closes the body as soon as there is an answer. From then on its body's WriteTo returns
// io.EOF (smithy-go 1.28.8, transport/http/internal/io), which no WriterTo may do. net/http looks
// for more of a body once it has sent all of it; it takes the io.EOF for a failed write, and drops
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
