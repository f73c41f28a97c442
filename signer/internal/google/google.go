// Package google signs with a key of Google Cloud KMS, over its REST interface. It finds
// credentials as all of Google's programs do, by Application Default Credentials.
package google

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rsa"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/compute/metadata"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"

	"github.com/seed055b7978/delegation/signer/internal/answer"
	"github.com/seed055b7978/delegation/signer/internal/key"
)

const (
	endpoint = "https://cloudkms.googleapis.com/v1/"
	// https://cloud.google.com/kms/docs/reference/rest: the narrower of the two scopes.
	scope = "https://www.googleapis.com/auth/cloudkms"

	attempts  = 3
	firstWait = 200 * time.Millisecond // the next one is twice as long
	// restAfterFailure is the minimum time between a failed request for an access token and the next.
	restAfterFailure = time.Second
	// attemptTimeout leaves room for a second attempt within protocol.SignTimeout.
	attemptTimeout = 8 * time.Second
	maxAnswer      = 64 << 10
)

const form = "gcpkms://projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY" +
	"/cryptoKeyVersions/VERSION"

// The characters are those of resource names in Cloud KMS. A project may have a domain, as in
// example.com:p.
var uriForm = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(
		`\Agcpkms://(projects/[a-z0-9][a-z0-9.:-]*/locations/[a-z0-9-]+/keyRings/[a-zA-Z0-9_-]+` +
			`/cryptoKeys/[a-zA-Z0-9_-]+/cryptoKeyVersions/[0-9]+)\z`)
})

// The algorithms for PKCS #1 v1.5 signatures of a digest. Each version has one of them.
var algorithms = map[string]crypto.Hash{
	"RSA_SIGN_PKCS1_2048_SHA256": crypto.SHA256,
	"RSA_SIGN_PKCS1_3072_SHA256": crypto.SHA256,
	"RSA_SIGN_PKCS1_4096_SHA256": crypto.SHA256,
	"RSA_SIGN_PKCS1_4096_SHA512": crypto.SHA512,
}

// Options are replaced in tests. Everywhere else, zero values are right.
type Options struct {
	// Transport sends all requests: to Cloud KMS, and for access tokens.
	Transport http.RoundTripper
	// Wait waits between two attempts. It fails when the context ends.
	Wait func(context.Context, time.Duration) error
	Now  func() time.Time
}

type version struct {
	name   string // projects/…/cryptoKeyVersions/…
	client *http.Client
	tokens *tokens
	wait   func(context.Context, time.Duration) error
	public *rsa.PublicKey
	hash   crypto.Hash
}

// Open finds the key version and the credentials.
func Open(ctx context.Context, uri string, o Options) (key.Key, error) {
	match := uriForm().FindStringSubmatch(uri)
	if match == nil {
		return nil, key.Permanent("write the URI as "+form, "the URI names no key version")
	}
	if o.Transport == nil {
		o.Transport = http.DefaultTransport
	}
	if o.Wait == nil {
		o.Wait = wait
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	// Access tokens are fetched for as long as the program runs, through the same transport.
	last := new(answer.Last)
	lasting := context.WithValue(context.WithoutCancel(ctx), oauth2.HTTPClient, &http.Client{
		Transport: answer.Transport{Base: o.Transport, Last: last},
		Timeout:   attemptTimeout,
	})
	credentials, err := google.FindDefaultCredentials(lasting, scope)
	if err != nil {
		return nil, key.Permanent(credentialsRemedy, "no credentials for Google Cloud: %s",
			key.Short(err.Error()))
	}
	v := &version{name: match[1], wait: o.Wait}
	v.tokens = &tokens{source: credentials.TokenSource, last: last, now: o.Now}
	v.client = &http.Client{
		Transport: o.Transport,
		Timeout:   attemptTimeout,
		// Redirects are refused, because an answer must not choose the host of a request.
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}
	if err := v.readPublic(ctx); err != nil {
		return nil, err
	}
	return v, nil
}

const credentialsRemedy = "give the service's environment Application Default Credentials: a " +
	"service account attached to the machine, or GOOGLE_APPLICATION_CREDENTIALS with the path of " +
	"a credentials file"

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (v *version) Public() *rsa.PublicKey { return v.public }

func (v *version) Close() { v.client.CloseIdleConnections() }

const again = "retry; if this lasts, check the network between the service and Cloud KMS"

// readPublic gets the public key. https://cloud.google.com/kms/docs/data-integrity-guidelines says
// which checksums to compare.
func (v *version) readPublic(ctx context.Context) error {
	var answer struct {
		PEM       string `json:"pem"`
		PEMCRC32C string `json:"pemCrc32c"`
		Algorithm string `json:"algorithm"`
		Name      string `json:"name"`
	}
	if err := v.call(ctx, viewPublicKey, http.MethodGet, "/publicKey", nil, &answer); err != nil {
		return err
	}
	switch {
	case answer.Name != v.name:
		return key.Temporary(again, "Cloud KMS answered with another key version")
	case answer.PEMCRC32C != checksum([]byte(answer.PEM)):
		return key.Temporary(again, "the public key was damaged in transit: its CRC32C differs")
	}
	hash, known := algorithms[answer.Algorithm]
	if !known {
		return key.Permanent("use a key with the purpose asymmetric-signing and the algorithm "+
			"rsa-sign-pkcs1-3072-sha256", "the key version has the algorithm %q", answer.Algorithm)
	}
	block, _ := pem.Decode([]byte(answer.PEM))
	if block == nil {
		return key.Temporary(again, "Cloud KMS answered with a public key that is not PEM")
	}
	public, err := key.ParsePublic(block.Bytes)
	if err != nil {
		return err
	}
	v.public = public
	v.hash = hash
	return nil
}

// Sign lets Cloud KMS sign a digest.
func (v *version) Sign(ctx context.Context, hash crypto.Hash, digest []byte) ([]byte, error) {
	if hash != v.hash {
		return nil, key.Permanent("use a key version with the algorithm rsa-sign-pkcs1-3072-sha256",
			"the key version signs digests of %v only, and this one is of %v", v.hash, hash)
	}
	names := map[crypto.Hash]string{crypto.SHA256: "sha256", crypto.SHA512: "sha512"}
	request := struct {
		Digest       map[string][]byte `json:"digest"`
		DigestCRC32C string            `json:"digestCrc32c"`
	}{map[string][]byte{names[hash]: digest}, checksum(digest)}
	var answer struct {
		Signature            []byte `json:"signature"`
		SignatureCRC32C      string `json:"signatureCrc32c"`
		VerifiedDigestCRC32C bool   `json:"verifiedDigestCrc32c"`
		Name                 string `json:"name"`
	}
	err := v.call(ctx, useToSign, http.MethodPost, ":asymmetricSign", request, &answer)
	switch {
	case err != nil:
		return nil, err
	case answer.Name != v.name:
		return nil, key.Temporary(again, "Cloud KMS signed with another key version")
	case !answer.VerifiedDigestCRC32C:
		return nil, key.Temporary(again, "the digest was damaged in transit to Cloud KMS")
	case answer.SignatureCRC32C != checksum(answer.Signature):
		return nil, key.Temporary(again, "the signature was damaged in transit: its CRC32C differs")
	}
	return answer.Signature, nil
}

// checksum returns the CRC32C as a text, which is how Google's JSON represents 64-bit numbers.
func checksum(data []byte) string {
	return strconv.FormatUint(uint64(crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))), 10)
}

// call makes up to three attempts.
func (v *version) call(
	ctx context.Context, p permission, method, suffix string, request, answer any,
) error {
	var body []byte
	if request != nil {
		var err error
		if body, err = json.Marshal(request); err != nil {
			return err
		}
	}
	delay := firstWait
	for attempt := 1; ; attempt++ {
		err := v.attempt(ctx, p, method, suffix, body, answer)
		var failure *key.Failure
		if err == nil || attempt == attempts || !errors.As(err, &failure) || !failure.Temporary {
			return err
		}
		pause := delay
		if errors.As(err, new(noToken)) {
			pause = max(pause, restAfterFailure) // until then the failure stays the same
		}
		if v.wait(ctx, pause) != nil {
			return err
		}
		delay *= 2
	}
}

func (v *version) attempt(
	ctx context.Context, p permission, method, suffix string, body []byte, answer any,
) error {
	request, err := http.NewRequestWithContext(ctx, method, endpoint+v.name+suffix,
		bytes.NewReader(body))
	if err != nil {
		return err
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	token, err := v.tokens.get(ctx)
	if err != nil {
		return noToken{err}
	}
	token.SetAuthHeader(request)
	response, err := v.client.Do(request)
	if err != nil {
		return unreachable(err)
	}
	defer func() { _ = response.Body.Close() }()
	data, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return unreachable(err)
	case len(data) > maxAnswer:
		return key.Temporary(again, "Cloud KMS answered with more than %d bytes", maxAnswer)
	case response.StatusCode != http.StatusOK:
		return refusal(v.name, p, response.StatusCode, data)
	}
	if err := json.Unmarshal(data, answer); err != nil {
		return key.Temporary(again, "Cloud KMS answered with no JSON of the expected form")
	}
	return nil
}

// tokens are access tokens. All callers share one request for the next one, and each waits no
// longer than its context: Token of a source has no context, and holds a lock.
type tokens struct {
	source oauth2.TokenSource
	last   *answer.Last // of the source's requests
	now    func() time.Time

	mu       sync.Mutex
	current  *fetch // nil: none yet
	failedAt time.Time
}

// fetch is a request for a token. Its result may be read after done is closed.
type fetch struct {
	done  chan struct{}
	token *oauth2.Token
	err   error
}

// get returns a valid token, or the failure of the last request for a second.
func (t *tokens) get(ctx context.Context) (*oauth2.Token, error) {
	f := t.fetch()
	select {
	case <-f.done:
		return f.token, f.err
	case <-ctx.Done():
		return nil, tokenFailure(ctx.Err(), 0, ctx.Err().Error())
	}
}

// fetch returns the current request, or starts one if its result is of no use any more.
func (t *tokens) fetch() *fetch {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current != nil && t.isUsable(t.current) {
		return t.current
	}
	f := &fetch{done: make(chan struct{})}
	t.current = f
	go t.run(f)
	return f
}

// isUsable tells whether a request is still under way, or has a result that is. The caller holds
// mu.
func (t *tokens) isUsable(f *fetch) bool {
	select {
	case <-f.done:
	default:
		return true
	}
	if f.err != nil {
		return t.now().Before(t.failedAt.Add(restAfterFailure))
	}
	return f.token.Valid()
}

// run asks the source. A panic of it is an error, because nobody else could recover it.
func (t *tokens) run(f *fetch) {
	defer func() {
		if r := recover(); r != nil {
			f.err = fmt.Errorf("the source of access tokens panicked: %v", r)
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		if f.err != nil {
			status, text := t.last.Explain(f.err)
			f.err = tokenFailure(f.err, status, text)
			t.failedAt = t.now()
		}
		close(f.done)
	}()
	t.last.Forget()
	f.token, f.err = t.source.Token()
}

// noToken is a failure to get an access token, which stays the same for a second.
type noToken struct{ error }

func (e noToken) Unwrap() error { return e.error }

// unreachable makes the error for a call that Cloud KMS did not answer.
func unreachable(err error) error {
	return key.Temporary("check DNS, the proxy and the firewall between the service and "+
		"cloudkms.googleapis.com", "no answer from Cloud KMS: %s", answer.Missing(err))
}

// tokenFailure makes the error for a call without an access token: of an answer with this status,
// or with 0, of no answer. Nothing of an answer is in it, because it can have tokens and name
// accounts.
func tokenFailure(err error, status int, text string) error {
	const none = "no access token for Google Cloud: "
	// The client for the metadata server is a package variable, which no transport of ours sees.
	var refused *metadata.Error
	if errors.As(err, &refused) {
		status = refused.Code
	}
	switch {
	case strings.HasPrefix(text, "oauth2/google: invalid token JSON"): // of the metadata server
		return key.Temporary(tokenRemedy, none+"the metadata server answered with no token of the "+
			"expected form")
	case status == 0:
		// The answer of a program that supplies tokens comes last.
		text, _, _ = strings.Cut(text, "\nResponse:")
		return key.Temporary(tokenRemedy, none+"%s", key.Short(cause(text)))
	case status == http.StatusTooManyRequests || status >= 500:
		return key.Temporary("wait until the token endpoint works",
			none+"the token endpoint answered with %d", status)
	case status < 400:
		return key.Temporary(tokenRemedy,
			none+"the token endpoint answered with %d, and no token of the expected form", status)
	}
	return key.Permanent(credentialsRemedy+"; the account must exist, and its key not be revoked",
		none+"the token endpoint answered with %d", status)
}

const tokenRemedy = "check the credentials file, and the network between the service and the " +
	"token endpoint"

// cause removes the method and the URL that net/http puts in front of an error.
func cause(text string) string {
	if _, after, found := strings.Cut(text, `": `); found {
		return after
	}
	return text
}

// permission is the permission that a call needs.
type permission string

const (
	useToSign     permission = "cloudkms.cryptoKeyVersions.useToSign"
	viewPublicKey permission = "cloudkms.cryptoKeyVersions.viewPublicKey"
	// signerRole has both: https://cloud.google.com/iam/docs/roles-permissions/cloudkms.
	signerRole = "roles/cloudkms.signerVerifier"
)

// refusal reads an error of Google's: https://cloud.google.com/apis/design/errors.
func refusal(name string, p permission, status int, body []byte) error {
	var answer struct {
		Error struct {
			Message string `json:"message"`
			Status  string `json:"status"`
		} `json:"error"`
	}
	_ = json.Unmarshal(body, &answer) // proxies answer with other bodies
	said := fmt.Sprintf("Cloud KMS answered with %d %s", status, key.Short(answer.Error.Status))
	said = strings.TrimSpace(said)
	if message := key.Short(answer.Error.Message); message != "" {
		said += ": " + message
	}
	switch {
	case status == http.StatusTooManyRequests:
		return key.Throttled("use more keys, or request a higher quota of cryptographic requests: "+
			"https://cloud.google.com/kms/quotas", "%s", said)
	case status >= 500 || status == http.StatusRequestTimeout:
		return key.Temporary("wait; https://status.cloud.google.com shows outages", "%s", said)
	case status == http.StatusUnauthorized:
		return key.Permanent(credentialsRemedy, "%s", said)
	case status == http.StatusForbidden:
		return key.Permanent("give the service's account the permission "+string(p)+" on the key, "+
			"for example with the role "+signerRole, "%s", said)
	case status == http.StatusNotFound:
		return key.Permanent("correct the URI; gcloud kms keys versions list shows the versions",
			"there is no key version %s: %s", name, said)
	case answer.Error.Status == "FAILED_PRECONDITION":
		return key.Permanent("enable the key version: gcloud kms keys versions enable", "%s", said)
	case answer.Error.Status == "INVALID_ARGUMENT":
		return key.Permanent("use a key with the purpose asymmetric-signing and the algorithm "+
			"rsa-sign-pkcs1-3072-sha256", "%s", said)
	}
	return key.Permanent("read what Cloud KMS said, and correct the key or the URI", "%s", said)
}
