package signer

import (
	"bytes"
	"cmp"
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/seed055b7978/delegation/internal/iam"
	"github.com/seed055b7978/delegation/internal/session"
)

const (
	// attempts is the total number of attempts of a call with temporary errors.
	attempts = 3
	// attemptTimeout ends an attempt that hangs, so that there is time for another.
	attemptTimeout = 5 * time.Second
	// longestPause is the maximum pause between attempts.
	longestPause = time.Second
	// connections is how many are kept open to the one host. The library makes up to 64 signatures
	// at once.
	connections = 64
)

// The IAM actions that a signer needs.
const (
	actionPublicKey = "kms:GetPublicKey"
	actionSign      = "kms:Sign"
)

// awsSigner is a key in AWS KMS, called over its JSON interface (KMS API Reference). The SDK finds
// the region and the credentials. The SDK's client for KMS is not used, because it would add a
// module to the dependencies of every user of the library.
type awsSigner struct {
	uri      string
	key      awsKey
	endpoint string
	region   string
	keyARN   string // of the key at the start; an alias may move later
	public   *rsa.PublicKey

	credentials aws.CredentialsProvider
	client      aws.HTTPClient
	connections interface{ CloseIdleConnections() } // nil: nothing to close
	retryer     aws.RetryerV2
	pause       func(context.Context, time.Duration) error
	limit       func(context.Context) (context.Context, context.CancelFunc)
}

// openAWS finds region, endpoint and credentials as the SDK does, and reads the public key.
func openAWS(ctx context.Context, asked Key) (*awsSigner, error) {
	key, err := parseAWS(asked.URI)
	if err != nil {
		return nil, err
	}
	transport := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.MaxIdleConnsPerHost = connections
	})
	options := append(stsAtAWS(), config.WithHTTPClient(transport))
	if key.region != "" {
		options = append(options, config.WithRegion(key.region))
	}
	if key.profile != "" {
		options = append(options, config.WithSharedConfigProfile(key.profile))
	}
	found, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, refused(sdkCause(err), "correct the configuration of the AWS SDK")
	}
	s := &awsSigner{
		uri:         asked.URI,
		key:         key,
		region:      found.Region,
		credentials: found.Credentials,
		client:      found.HTTPClient,
		pause:       asked.pause,
		limit:       asked.limit,
		retryer: retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts = attempts
			o.MaxBackoff = longestPause
		}),
	}
	if s.pause == nil {
		s.pause = sleep
	}
	if s.limit == nil {
		s.limit = func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, attemptTimeout)
		}
	}
	if buildable, ok := s.client.(*awshttp.BuildableClient); ok {
		s.client = buildable.Freeze()
	}
	s.connections, _ = s.client.(interface{ CloseIdleConnections() })
	s.client = session.BoundedClient(s.client)
	if s.endpoint, err = awsEndpoint(ctx, key, found); err != nil {
		return nil, err
	}
	if err := s.readPublicKey(ctx); err != nil {
		_ = s.Close()
		return nil, unfinished(ctx, err)
	}
	return s, nil
}

// unfinished is the error for a key that could not be opened. If the time is over, it says so, in
// front of what the last attempt failed with.
func unfinished(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	late := fmt.Sprintf("no public key after %s", openTimeout)
	if last := new(Error); errors.As(err, &last) {
		own := *last
		own.Text = late + ": " + last.Text
		return &own
	}
	return temporary(late, "check the network path to the key service (proxy, VPC endpoint, "+
		"endpoint override)")
}

// overdue is the error of a call whose time is over. It keeps what the last attempt failed with,
// such as missing credentials.
type overdue struct {
	cause error // of the context
	last  error
}

func (o overdue) Error() string { return o.cause.Error() + ": " + o.last.Error() }

func (o overdue) Unwrap() []error { return []error{o.cause, o.last} }

// awsEndpoint is the endpoint of the URI, or else of the SDK's configuration, or else of the
// region.
func awsEndpoint(ctx context.Context, key awsKey, found aws.Config) (string, error) {
	if found.Region == "" {
		return "", refused("AWS KMS needs a region", "add ?region=REGION to the URI, or set "+
			"AWS_REGION in the environment of the service")
	}
	if key.endpoint != "" {
		return key.endpoint, nil
	}
	configured, err := configuredEndpoint(ctx, found)
	if err != nil || configured != "" {
		return configured, cmp.Or(err, checkEndpoint(configured))
	}
	partition, known := iam.PartitionOf(found.Region)
	if !known {
		return "", refused(fmt.Sprintf("%.40q is no AWS region", found.Region),
			"correct ?region= in the URI, or AWS_REGION in the environment of the service")
	}
	host := "kms"
	suffix := partition.DNSSuffix
	if usesFIPS(ctx, found) {
		host = "kms-fips"
	}
	if usesDualStack(ctx, found) {
		suffix = partition.DualStackSuffix
	}
	return "https://" + host + "." + found.Region + "." + suffix, nil
}

// usesFIPS tells whether the SDK's configuration asks for FIPS endpoints.
func usesFIPS(ctx context.Context, found aws.Config) bool {
	for _, source := range found.ConfigSources {
		p, ok := source.(interface {
			GetUseFIPSEndpoint(context.Context) (aws.FIPSEndpointState, bool, error)
		})
		if !ok {
			continue
		}
		if state, set, err := p.GetUseFIPSEndpoint(ctx); err == nil && set {
			return state == aws.FIPSEndpointStateEnabled
		}
	}
	return false
}

// usesDualStack tells whether the SDK's configuration asks for dual-stack endpoints (IPv4 and
// IPv6).
func usesDualStack(ctx context.Context, found aws.Config) bool {
	for _, source := range found.ConfigSources {
		p, ok := source.(interface {
			GetUseDualStackEndpoint(context.Context) (aws.DualStackEndpointState, bool, error)
		})
		if !ok {
			continue
		}
		if state, set, err := p.GetUseDualStackEndpoint(ctx); err == nil && set {
			return state == aws.DualStackEndpointStateEnabled
		}
	}
	return false
}

// configuredEndpoint returns the endpoint for KMS in the SDK's configuration. It follows the SDK's
// own function, which is internal, but ignores endpoints for all services. Such an endpoint may be
// this service itself, for clients that get their credentials here.
func configuredEndpoint(ctx context.Context, found aws.Config) (string, error) {
	for _, source := range found.ConfigSources {
		p, ok := source.(interface {
			GetIgnoreConfiguredEndpoints(context.Context) (bool, bool, error)
		})
		if ok {
			if ignore, set, _ := p.GetIgnoreConfiguredEndpoints(ctx); set && ignore {
				return "", nil
			}
		}
	}
	for _, source := range found.ConfigSources {
		p, ok := source.(interface {
			GetServiceBaseEndpoint(context.Context, string) (string, bool, error)
		})
		if !ok {
			continue
		}
		endpoint, set, err := p.GetServiceBaseEndpoint(ctx, "KMS")
		if err != nil {
			return "", refused(sdkCause(err), "correct the configuration of the AWS SDK")
		}
		if set {
			return endpoint, nil
		}
	}
	return "", nil
}

// readPublicKey reads the public key, and refuses a key that cannot make the signatures that SAML
// needs.
func (s *awsSigner) readPublicKey(ctx context.Context) error {
	var answer struct {
		KeyID             string `json:"KeyId"`
		PublicKey         []byte
		KeyUsage          string
		KeySpec           string
		SigningAlgorithms []string
	}
	request := map[string]any{"KeyId": s.key.id}
	if err := s.call(ctx, actionPublicKey, request, &answer); err != nil {
		return err
	}
	if answer.KeyUsage != "SIGN_VERIFY" ||
		!slices.Contains(answer.SigningAlgorithms, signingSHA256) {
		return refused(fmt.Sprintf("the key is of usage %.40q and spec %.40q",
			answer.KeyUsage, answer.KeySpec), wrongKeyRemedy)
	}
	parsed, err := x509.ParsePKIXPublicKey(answer.PublicKey)
	if err != nil {
		return temporary("the public key in KMS's answer cannot be read",
			"check what answers as KMS (proxy, endpoint override)")
	}
	public, isRSA := parsed.(*rsa.PublicKey)
	if !isRSA {
		return refused("the key is not RSA", wrongKeyRemedy)
	}
	s.public = public
	s.keyARN = answer.KeyID
	return nil
}

// Public implements crypto.Signer.
func (s *awsSigner) Public() crypto.PublicKey { return s.public }

// Close closes the idle connections.
func (s *awsSigner) Close() error {
	if s.connections != nil {
		s.connections.CloseIdleConnections()
	}
	return nil
}

// Ended implements Signer. A key in KMS never ends.
func (s *awsSigner) Ended() bool { return false }

// Sign implements crypto.Signer. It takes at most 30 seconds.
func (s *awsSigner) Sign(random io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	return signPlain(s, random, digest, o)
}

const signingSHA256 = "RSASSA_PKCS1_V1_5_SHA_256"

// SignContext implements delegation.ContextSigner.
func (s *awsSigner) SignContext(
	ctx context.Context, _ io.Reader, digest []byte, opts crypto.SignerOpts,
) ([]byte, error) {
	hash, err := hashName(digest, opts)
	if err != nil {
		return nil, err
	}
	var answer struct {
		KeyID     string `json:"KeyId"`
		Signature []byte
	}
	request := map[string]any{
		"KeyId":            s.key.id,
		"Message":          digest,
		"MessageType":      "DIGEST",
		"SigningAlgorithm": "RSASSA_PKCS1_V1_5_" + strings.ReplaceAll(hash, "-", "_"),
	}
	err = s.call(ctx, actionSign, request, &answer)
	if late := (overdue{}); errors.As(err, &late) {
		return nil, late.cause
	}
	if err != nil {
		return nil, named(s.uri, err)
	}
	if keyID(answer.KeyID) != keyID(s.keyARN) {
		return nil, refused(fmt.Sprintf("%.260s now names the key %.260q, and named %.260q before",
			s.key.id, answer.KeyID, s.keyARN),
			"list the certificate of the new key under keys and reload, or set the alias back")
	}
	return answer.Signature, nil
}

// keyID is the key ID in an ARN. Emulators of KMS return only the ID.
func keyID(arn string) string { return arn[strings.LastIndex(arn, "/")+1:] }

// call calls an action of KMS. It retries temporary errors, as long as most calls succeed: a retry
// takes from the SDK's quota of retries, and a success gives it back (AWS SDKs and Tools Reference
// Guide, "Retry behavior").
func (s *awsSigner) call(ctx context.Context, action string, request, answer any) error {
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	var failure error
	giveBack := func(error) error { return nil } // the first attempt is no retry
	for attempt := 1; ; attempt++ {
		counted, err := s.retryer.GetAttemptToken(ctx)
		if err != nil {
			return err
		}
		failure = s.attempt(ctx, action, body, answer)
		_, _ = giveBack(failure), counted(failure) // a signature is one, whatever the quota says
		if failure == nil || ctx.Err() != nil || attempt == attempts {
			break
		}
		if known := new(Error); !errors.As(failure, &known) || !known.Temporary {
			break
		}
		giveBack, err = s.retryer.GetRetryToken(ctx, failure)
		if err != nil {
			break // many calls have failed lately, and retries would add load
		}
		pause, err := s.retryer.RetryDelay(attempt, failure)
		if err != nil || s.pause(ctx, pause) != nil {
			break
		}
	}
	if failure != nil && ctx.Err() != nil {
		return overdue{cause: ctx.Err(), last: failure}
	}
	return failure
}

func sleep(ctx context.Context, pause time.Duration) error {
	select {
	case <-time.After(pause):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// attempt calls an action once, without a retry.
func (s *awsSigner) attempt(ctx context.Context, action string, body []byte, answer any) error {
	limited, cancel := s.limit(ctx)
	defer cancel()
	request, err := s.request(limited, action, body)
	if err != nil {
		return err
	}
	response, err := s.client.Do(request)
	if err != nil {
		return unreachable(action, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return unreachable(action, err)
	}
	if response.StatusCode != http.StatusOK {
		return s.refusal(action, response, text)
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return temporary(action+": the answer cannot be read",
			"check what answers as KMS (proxy, endpoint override)")
	}
	return nil
}

// request is a signed request.
func (s *awsSigner) request(
	ctx context.Context, action string, body []byte,
) (*http.Request, error) {
	credentials, err := s.credentials.Retrieve(ctx)
	if err != nil {
		return nil, temporary(action+": there are no AWS credentials: "+sdkCause(err),
			"give the service a role of its instance, pod or task, or AWS_ACCESS_KEY_ID and "+
				"AWS_SECRET_ACCESS_KEY; in a container on EC2, set the instance's metadata option "+
				"HttpPutResponseHopLimit to 2")
	}
	request, err := http.NewRequestWithContext(
		ctx, http.MethodPost, s.endpoint, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if request.URL.Path == "" {
		request.URL.Path = "/"
	}
	request.Header.Set("Content-Type", "application/x-amz-json-1.1")
	request.Header.Set("X-Amz-Target", strings.Replace(action, "kms:", "TrentService.", 1))
	hash := sha256.Sum256(body)
	err = v4.NewSigner().SignHTTP(ctx, credentials, request, hex.EncodeToString(hash[:]),
		"kms", s.region, time.Now())
	return request, err
}
