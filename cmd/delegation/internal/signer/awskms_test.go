package signer_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/signer"
)

const keyARN = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"

// testKey is the key in the service.
var testKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// kms is the wire of AWS KMS: two actions of its JSON interface, with its own forms of errors.
type kms struct {
	t      *testing.T
	public any // the public key; nil: testKey's
	usage  string
	arn    string // of the key that answers

	mu      sync.Mutex
	calls   []call
	answers []answer // to the next calls; afterwards they succeed
}

type call struct {
	action string
	body   map[string]string
}

// answer is one that is no success.
type answer struct {
	status int
	body   string
	hangs  chan<- struct{} // nil: it does not; otherwise it says so, until its caller leaves
}

// fails is an error of KMS.
func fails(status int, kind, message string) answer {
	text := map[string]string{"__type": kind, "message": message}
	body, _ := json.Marshal(text)
	return answer{status: status, body: string(body)}
}

// newKMS starts a KMS, and sets the environment of the SDK to it.
func newKMS(t *testing.T) *kms {
	t.Helper()
	k := &kms{t: t, usage: "SIGN_VERIFY", arn: keyARN}
	server := httptest.NewServer(k)
	t.Cleanup(server.Close)
	awsEnvironment(t)
	t.Setenv("AWS_ENDPOINT_URL_KMS", server.URL)
	return k
}

// awsEnvironment has credentials and a region, and nothing of this machine's.
func awsEnvironment(t *testing.T) {
	t.Helper()
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID":           "AKIDEXAMPLE",
		"AWS_SECRET_ACCESS_KEY":       "secret-of-aws",
		"AWS_SESSION_TOKEN":           "",
		"AWS_REGION":                  "eu-central-1",
		"AWS_PROFILE":                 "",
		"AWS_EC2_METADATA_DISABLED":   "true",
		"AWS_CONFIG_FILE":             filepath.Join(t.TempDir(), "config"),
		"AWS_SHARED_CREDENTIALS_FILE": filepath.Join(t.TempDir(), "credentials"),
	} {
		t.Setenv(name, value)
	}
}

func (k *kms) then(answers ...answer) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.answers = append(k.answers, answers...)
}

// asked is how often an action was called.
func (k *kms) asked(action string) (n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, c := range k.calls {
		if c.action == action {
			n++
		}
	}
	return n
}

func (k *kms) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		k.t.Error(err)
	}
	k.checkSignature(r, text)
	c := call{action: r.Header.Get("X-Amz-Target")}
	if err := json.Unmarshal(text, &c.body); err != nil {
		k.t.Error(err)
	}
	k.mu.Lock()
	k.calls = append(k.calls, c)
	var next *answer
	if len(k.answers) > 0 {
		next = &k.answers[0]
		k.answers = k.answers[1:]
	}
	k.mu.Unlock()
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.Header().Set("X-Amzn-RequestId", "request-1")
	switch {
	case next == nil:
		_ = json.NewEncoder(w).Encode(k.success(c))
	case next.hangs != nil:
		next.hangs <- struct{}{}
		<-r.Context().Done()
	default:
		w.WriteHeader(next.status)
		_, _ = io.WriteString(w, next.body)
	}
}

// checkSignature wants Signature Version 4 over what was sent, by signing it once more.
func (k *kms) checkSignature(r *http.Request, body []byte) {
	got := r.Header.Get("Authorization")
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil {
		k.t.Error(err)
	}
	same, err := http.NewRequest(r.Method, "http://"+r.Host+r.URL.Path, bytes.NewReader(body))
	if err != nil {
		k.t.Fatal(err)
	}
	for _, name := range []string{"Content-Type", "X-Amz-Target"} {
		same.Header.Set(name, r.Header.Get(name))
	}
	hash := sha256.Sum256(body)
	err = v4.NewSigner().SignHTTP(k.t.Context(), aws.Credentials{
		AccessKeyID:     "AKIDEXAMPLE",
		SecretAccessKey: "secret-of-aws",
	}, same, hex.EncodeToString(hash[:]), "kms", "eu-central-1", at)
	if want := same.Header.Get("Authorization"); err != nil || got != want {
		k.t.Errorf("signed as %q, want %q", got, want)
	}
	if r.Header.Get("Content-Type") != "application/x-amz-json-1.1" {
		k.t.Errorf("the content is %q", r.Header.Get("Content-Type"))
	}
}

func (k *kms) success(c call) map[string]any {
	if c.action == "TrentService.GetPublicKey" {
		public := k.public
		if public == nil {
			public = testKey().Public()
		}
		der, err := x509.MarshalPKIXPublicKey(public)
		if err != nil {
			k.t.Error(err)
		}
		return map[string]any{
			"KeyId":             k.arn,
			"KeySpec":           "RSA_2048",
			"KeyUsage":          k.usage,
			"PublicKey":         der,
			"SigningAlgorithms": []string{"RSASSA_PKCS1_V1_5_SHA_256", "RSASSA_PSS_SHA_256"},
		}
	}
	hash := map[string]crypto.Hash{
		"RSASSA_PKCS1_V1_5_SHA_256": crypto.SHA256,
		"RSASSA_PKCS1_V1_5_SHA_512": crypto.SHA512,
	}[c.body["SigningAlgorithm"]]
	digest := fromBase64(c.body["Message"])
	if c.body["MessageType"] != "DIGEST" || len(digest) != hash.Size() {
		k.t.Errorf("asked to sign %v", c.body)
	}
	signature, err := rsa.SignPKCS1v15(nil, testKey(), hash, digest)
	if err != nil {
		k.t.Error(err)
	}
	return map[string]any{"KeyId": k.arn, "Signature": signature}
}

func fromBase64(text string) (decoded []byte) {
	_ = json.Unmarshal([]byte(`"`+text+`"`), &decoded)
	return decoded
}

// open opens a key without pauses between attempts.
func open(t *testing.T, uri string) (signer.Signer, error) {
	t.Helper()
	key := signer.Key{URI: uri, Logger: slog.New(slog.DiscardHandler)}
	s, err := signer.Open(t.Context(), key.WithPause(noPause))
	if err == nil {
		t.Cleanup(func() { _ = s.Close() })
	}
	return s, err
}

func noPause(ctx context.Context, d time.Duration) error {
	if d > time.Second {
		return fmt.Errorf("a pause of %s", d)
	}
	return ctx.Err()
}

func mustOpen(t *testing.T, uri string) signer.Signer {
	t.Helper()
	s, err := open(t, uri)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// sign signs a digest.
func sign(ctx context.Context, s signer.Signer) ([]byte, error) {
	digest := sha256.Sum256([]byte("an assertion"))
	return s.SignContext(ctx, nil, digest[:], crypto.SHA256)
}

// wantSignature wants a signature that verifies.
func wantSignature(t *testing.T, s signer.Signer) {
	t.Helper()
	signature, err := sign(t.Context(), s)
	if err != nil {
		t.Error(err)
		return
	}
	digest := sha256.Sum256([]byte("an assertion"))
	err = rsa.VerifyPKCS1v15(&testKey().PublicKey, crypto.SHA256, digest[:], signature)
	if err != nil {
		t.Error(err)
	}
}

// wantError wants an error of one code, with all of these texts. No code: it may pass.
func wantError(t *testing.T, err error, code error, texts ...string) {
	t.Helper()
	for _, one := range []error{delegation.CodeSignerThrottled, delegation.CodeSignerRefused} {
		if errors.Is(err, one) != (one == code) {
			t.Errorf("%v: is %v: %t", err, one, errors.Is(err, one))
		}
	}
	for _, text := range texts {
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("got %v, want %q", err, text)
		}
	}
}

func TestAWS_Signs(t *testing.T) {
	k := newKMS(t)
	s := mustOpen(t, "awskms:///alias/delegation")
	if !testKey().PublicKey.Equal(s.Public()) || s.Ended() {
		t.Error("it has another public key, or ended")
	}
	wantSignature(t, s)
	digest := sha512.Sum512([]byte("x"))
	if _, err := s.Sign(rand.Reader, digest[:], crypto.SHA512); err != nil {
		t.Error(err)
	}
	for _, c := range k.calls {
		if c.body["KeyId"] != "alias/delegation" {
			t.Errorf("asked for %q", c.body["KeyId"])
		}
	}
	if len(k.calls) != 3 {
		t.Errorf("%d calls", len(k.calls))
	}
}

// TestAWS_NoOtherSignature: what is no PKCS #1 v1.5 with a known hash is not asked for.
func TestAWS_NoOtherSignature(t *testing.T) {
	k := newKMS(t)
	s := mustOpen(t, "awskms:///alias/delegation")
	digest := make([]byte, 32)
	for name, o := range map[string]crypto.SignerOpts{
		"PSS":    &rsa.PSSOptions{Hash: crypto.SHA256},
		"SHA-1":  crypto.SHA1,
		"none":   crypto.Hash(0),
		"length": crypto.SHA512,
	} {
		_, err := s.Sign(nil, digest, o)
		if wantError(t, err, delegation.CodeSignerRefused); err == nil {
			t.Errorf("%s was signed", name)
		}
	}
	if k.asked("TrentService.Sign") != 0 {
		t.Error("KMS was asked")
	}
}

// kmsErrors are the errors of KMS's API Reference for Sign and GetPublicKey, those that all AWS
// services have, and answers of something else.
var kmsErrors = []struct {
	name   string
	answer answer
	code   error // nil: it may pass
	calls  int
	texts  []string
}{
	{"no permission", fails(400, "AccessDeniedException", "User: x is not authorized"),
		delegation.CodeSignerRefused, 1,
		[]string{"allow ACTION on the key to the service's role", "request-1"}},
	{"no such key", fails(400, "NotFoundException", "Alias is not found."),
		delegation.CodeSignerRefused, 1,
		[]string{"region eu-central-1 has no such key or alias", "correct signer"}},
	{"disabled", fails(400, "DisabledException", keyARN+" is disabled."),
		delegation.CodeSignerRefused, 1,
		[]string{keyARN, "aws kms enable-key --region eu-central-1"}},
	{"pending deletion", fails(400, "KMSInvalidStateException", keyARN+" is pending deletion."),
		delegation.CodeSignerRefused, 1,
		[]string{"pending deletion", "aws kms cancel-key-deletion"}},
	{"wrong usage", fails(400, "InvalidKeyUsageException", ""),
		delegation.CodeSignerRefused, 1, []string{"SIGN_VERIFY", "RSA_3072"}},
	{"symmetric", fails(400, "UnsupportedOperationException", "not supported"),
		delegation.CodeSignerRefused, 1, []string{"SIGN_VERIFY"}},
	{"wrong algorithm", fails(400, "ValidationException", "incompatible"),
		delegation.CodeSignerRefused, 1, []string{"SIGN_VERIFY"}},
	{"wrong ARN", fails(400, "InvalidArnException", "x"),
		delegation.CodeSignerRefused, 1, []string{"awskms:///alias/NAME"}},
	{"unknown credentials", fails(400, "UnrecognizedClientException", "security token"),
		delegation.CodeSignerRefused, 1, []string{"check the AWS credentials"}},
	{"wrong clock", fails(400, "InvalidSignatureException", "Signature expired"),
		delegation.CodeSignerRefused, 1, []string{"clock (NTP)"}},
	{"expired credentials", fails(400, "ExpiredTokenException", "x"),
		delegation.CodeSignerRefused, 1, []string{"check the AWS credentials"}},
	{"with a prefix", fails(400, "com.amazonaws.kms#DisabledException", "x"),
		delegation.CodeSignerRefused, 1, []string{"DisabledException: x"}},
	{"with a suffix", fails(400, "DisabledException:http://internal.amazon.com/", "x"),
		delegation.CodeSignerRefused, 1, []string{"DisabledException: x"}},
	{"unknown", fails(400, "NewException", "of next year"),
		delegation.CodeSignerRefused, 1, []string{"NewException: of next year", "see AWS's code"}},
	{"a proxy", answer{status: 403, body: "<html>"},
		delegation.CodeSignerRefused, 1, []string{"403 Forbidden", "proxy"}},
	{"throttled", fails(400, "ThrottlingException", "Rate exceeded"),
		delegation.CodeSignerThrottled, 3,
		[]string{"Cryptographic operations (RSA) request rate", "cache.size", "cache.shared"}},
	{"too many", answer{status: 429}, delegation.CodeSignerThrottled, 3, []string{"higher quota"}},
	{"internal", fails(500, "KMSInternalException", "x"), nil, 3, []string{"try again"}},
	{"dependency", fails(503, "DependencyTimeoutException", "x"), nil, 3, []string{"try again"}},
	{"unavailable", fails(400, "KeyUnavailableException", "x"), nil, 3, []string{"try again"}},
	{"bad gateway", answer{status: 502, body: "<html>"}, nil, 3, []string{"502 Bad Gateway"}},
	{"no JSON", answer{status: 200, body: "<html>"}, nil, 3, []string{"cannot be read", "proxy"}},
	{"control characters", fails(400, "DisabledException", "a\nb\x1b["+strings.Repeat("é", 600)),
		delegation.CodeSignerRefused, 1, []string{`a\nb\x1b[é`, "é…"}},
}

// TestAWS_Errors: each error of KMS has its code, its remedy and its number of attempts, in a
// signature and at the start.
func TestAWS_Errors(t *testing.T) {
	for _, row := range kmsErrors {
		for _, action := range []string{"kms:Sign", "kms:GetPublicKey"} {
			t.Run(row.name+"/"+action, func(t *testing.T) {
				k := newKMS(t)
				var s signer.Signer
				if action == "kms:Sign" {
					s = mustOpen(t, "awskms:///alias/delegation")
				}
				k.then(row.answer, row.answer, row.answer)
				var err error
				if action == "kms:Sign" {
					_, err = sign(t.Context(), s)
				} else {
					_, err = open(t, "awskms:///alias/delegation")
				}
				texts := []string{action}
				for _, text := range row.texts {
					texts = append(texts, strings.ReplaceAll(text, "ACTION", action))
				}
				wantError(t, err, row.code, texts...)
				if known := new(signer.Error); !errors.As(err, &known) ||
					known.Temporary != (row.calls > 1) || known.Remedy == "" {
					t.Errorf("got %#v", err)
				}
				target := strings.Replace(action, "kms:", "TrentService.", 1)
				if got := k.asked(target); got != row.calls {
					t.Errorf("asked %d times, want %d", got, row.calls)
				}
				if strings.Contains(err.Error(), "secret-of-aws") {
					t.Error("the error has a secret")
				}
			})
		}
	}
}

// TestAWS_Passes: what fails once and twice is signed in the end.
func TestAWS_Passes(t *testing.T) {
	k := newKMS(t)
	s := mustOpen(t, "awskms:///alias/delegation")
	k.then(fails(400, "ThrottlingException", "x"), answer{status: 500})
	wantSignature(t, s)
}

// TestAWS_RetriesContinue: a failure now and then never uses up the retries of a process.
func TestAWS_RetriesContinue(t *testing.T) {
	k := newKMS(t)
	s := mustOpen(t, "awskms:///alias/delegation")
	for i := range 300 { // the SDK's quota is 100 retries
		k.then(fails(500, "KMSInternalException", "x"))
		if _, err := sign(t.Context(), s); err != nil {
			t.Fatalf("signature %d is not asked for again: %v", i+1, err)
		}
	}
}

// TestAWS_RetriesEnd: a KMS that throttles all is not asked three times for each signature.
func TestAWS_RetriesEnd(t *testing.T) {
	k := newKMS(t)
	s := mustOpen(t, "awskms:///alias/delegation")
	const signatures = 200
	for range 3 * signatures {
		k.then(fails(400, "ThrottlingException", "x"))
	}
	for range signatures {
		_, err := sign(t.Context(), s)
		wantError(t, err, delegation.CodeSignerThrottled)
	}
	if got := k.asked("TrentService.Sign"); got < signatures || got > 2*signatures {
		t.Errorf("asked %d times for %d signatures", got, signatures)
	}
}

// TestAWS_NoLongerThanItsCaller: a KMS that hangs holds up nobody whose context has ended.
func TestAWS_NoLongerThanItsCaller(t *testing.T) {
	k := newKMS(t)
	s := mustOpen(t, "awskms:///alias/delegation")
	hangs := make(chan struct{})
	k.then(answer{hangs: hangs})
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error)
	go func() {
		_, err := sign(ctx, s)
		result <- err
	}()
	<-hangs
	cancel()
	if err := <-result; err != context.Canceled {
		t.Errorf("got %v", err)
	}
	wantSignature(t, s)
	if got := k.asked("TrentService.Sign"); got != 2 {
		t.Errorf("asked %d times", got)
	}
}

// TestAWS_AttemptHangs: an attempt that hangs is ended, and another is made.
func TestAWS_AttemptHangs(t *testing.T) {
	k := newKMS(t)
	hangs := make(chan struct{})
	key := signer.Key{URI: "awskms:///alias/delegation", Logger: slog.New(slog.DiscardHandler)}
	limit := func(ctx context.Context) (context.Context, context.CancelFunc) {
		limited, cancel := context.WithCancel(ctx)
		go func() { // its time is over as soon as it hangs
			select {
			case <-hangs:
				cancel()
			case <-limited.Done():
			}
		}()
		return limited, cancel
	}
	s, err := signer.Open(t.Context(), key.WithPause(noPause).WithLimit(limit))
	if err != nil {
		t.Fatal(err)
	}
	k.then(answer{hangs: hangs}, answer{hangs: hangs})
	wantSignature(t, s)
	if got := k.asked("TrentService.Sign"); got != 3 {
		t.Errorf("asked %d times", got)
	}
	k.then(answer{hangs: hangs}, answer{hangs: hangs}, answer{hangs: hangs})
	_, err = sign(t.Context(), s)
	wantError(t, err, nil, "check the network path to KMS")
}

// TestAWS_OfAnotherKind: keys that cannot sign SAML are refused at the start.
func TestAWS_OfAnotherKind(t *testing.T) {
	k := newKMS(t)
	k.usage = "ENCRYPT_DECRYPT"
	_, err := open(t, "awskms:///alias/delegation")
	wantError(t, err, delegation.CodeSignerRefused, "ENCRYPT_DECRYPT", "SIGN_VERIFY")
	k.usage = "SIGN_VERIFY"
	elliptic, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	k.public = elliptic.Public()
	_, err = open(t, "awskms:///alias/delegation")
	wantError(t, err, delegation.CodeSignerRefused, "not RSA")
}

// TestAWS_AliasMoves: an alias that names another key by now is told, and not taken for a fault.
func TestAWS_AliasMoves(t *testing.T) {
	k := newKMS(t)
	s := mustOpen(t, "awskms:///alias/delegation")
	k.arn = strings.ReplaceAll(keyARN, "1234abcd", "ffffffff")
	_, err := sign(t.Context(), s)
	wantError(t, err, delegation.CodeSignerRefused, k.arn, keyARN, "under keys and reload")
}

func TestAWS_Unreachable(t *testing.T) {
	awsEnvironment(t)
	t.Setenv("AWS_ENDPOINT_URL_KMS", "http://127.0.0.1:1")
	_, err := open(t, "awskms:///alias/delegation")
	wantError(t, err, nil, "kms:GetPublicKey", "check the network path to KMS")
}

func TestAWS_NoCredentials(t *testing.T) {
	newKMS(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	_, err := open(t, "awskms:///alias/delegation")
	wantError(t, err, nil, "there are no AWS credentials", "a role of its instance, pod or task")
}

// TestAWS_CredentialsHang: a metadata endpoint that never answers, as behind a hop limit of 1, is
// reported as missing credentials and not as a fault of KMS.
func TestAWS_CredentialsHang(t *testing.T) {
	k := newKMS(t)
	ctx, over := context.WithCancel(t.Context())
	metadata := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		over()
		<-r.Context().Done()
	}))
	defer metadata.Close()
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "false")
	t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata.URL)
	key := signer.Key{URI: "awskms:///alias/delegation", Logger: slog.New(slog.DiscardHandler)}
	_, err := signer.Open(ctx, key.WithPause(noPause))
	wantError(t, err, nil, "no public key after 10s: kms:GetPublicKey: there are no AWS credentials",
		"HttpPutResponseHopLimit")
	if k.asked("TrentService.GetPublicKey") != 0 {
		t.Error("KMS was asked without credentials")
	}
}

// TestAWS_URIs: the forms of Sigstore, Go CDK and step-kms.
func TestAWS_URIs(t *testing.T) {
	const id = "1234abcd-12ab-34cd-56ef-1234567890ab"
	for uri, want := range map[string][4]string{
		"awskms:///" + id: {id},
		"awskms:///mrk-1234abcd12ab34cd56ef1234567890ab": {"mrk-1234abcd12ab34cd56ef1234567890ab"},
		"awskms:///alias/delegation":                     {"alias/delegation"},
		"awskms:///" + keyARN:                            {keyARN, "eu-central-1"},
		"awskms:///arn:aws:kms:eu-west-1:111122223333:alias/a": {
			"arn:aws:kms:eu-west-1:111122223333:alias/a", "eu-west-1"},
		"awskms:///alias/a?region=eu-west-1&profile=prod": {"alias/a", "eu-west-1", "prod"},
		"awskms:///alias/a?endpoint=http://127.0.0.1:5000": {
			"alias/a", "", "", "http://127.0.0.1:5000"},
		"awskms://kms.example.com:8443/alias/a": {
			"alias/a", "", "", "https://kms.example.com:8443"},
		"awskms://" + id + "?region=eu-west-1":      {id, "eu-west-1"},
		"awskms://alias/a?region=eu-west-1":         {"alias/a", "eu-west-1"},
		"awskms://" + keyARN:                        {keyARN, "eu-central-1"},
		"awskms:key-id=" + id + ";region=eu-west-1": {id, "eu-west-1"},
		"awskms:key-id=alias/a":                     {"alias/a"},
	} {
		id, region, profile, endpoint, err := signer.ParseAWS(uri)
		if got := [4]string{id, region, profile, endpoint}; err != nil || got != want {
			t.Errorf("%s: got %q, %v", uri, got, err)
		}
	}
	for uri, text := range map[string]string{
		"awskms:":                                                     "is not known",
		"awskms://":                                                   "names no key",
		"awskms:///":                                                  "names no key",
		"awskms:///delegation":                                        "names no key",
		"awskms:///alias/":                                            "names no key",
		"awskms:///alias/a b":                                         "names no key",
		"awskms://kms.example.com":                                    "names no key",
		"awskms:///arn:aws:s3:::bucket":                               "not the ARN of a KMS key",
		"awskms:///arn:aws:kms:eu-west-1:1:grant/x":                   "not the ARN of a KMS key",
		"awskms:///" + keyARN + "?region=eu-west-1":                   "remove ?region=",
		"awskms:///alias/a?regoin=eu-west-1":                          `"regoin"`,
		"awskms:///alias/a?region=":                                   "region",
		"awskms:///alias/a?region=a&region=b":                         "twice",
		"awskms:///alias/a?%zz":                                       "cannot be read",
		"awskms:///alias/a?endpoint=ftp://x":                          "not a URL",
		"awskms:///alias/a?endpoint=http://kms.example.com":           "use https",
		"awskms://kms.example.com/alias/a?endpoint=https://127.0.0.1": "two endpoints",
		"awskms:key-id=alias/a;color=red":                             "is not known",
	} {
		_, _, _, _, err := signer.ParseAWS(uri)
		if wantError(t, err, delegation.CodeSignerRefused, text); err == nil {
			t.Errorf("%s was taken", uri)
		}
	}
}

// TestAWS_Endpoints: region and endpoint are found as the SDK's own client finds them, but for an
// endpoint of all services, which may be this one.
func TestAWS_Endpoints(t *testing.T) {
	k := newKMS(t)
	ours := os.Getenv("AWS_ENDPOINT_URL_KMS")
	profiles := filepath.Join(t.TempDir(), "config")
	err := os.WriteFile(profiles, []byte("[profile kms]\nregion = eu-central-1\n"+
		"aws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = secret-of-aws\n"+
		"services = own\n[services own]\nkms =\n  endpoint_url = "+ours+"\n"), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		environment map[string]string
		uri         string
	}{
		"of the URI": {nil, "awskms:///alias/a?endpoint=" + ours},
		"of a profile": {map[string]string{"AWS_CONFIG_FILE": profiles},
			"awskms:///alias/a?profile=kms"},
		"of KMS beats all's": {map[string]string{
			"AWS_ENDPOINT_URL":     "http://127.0.0.1:1",
			"AWS_ENDPOINT_URL_KMS": ours,
		}, "awskms:///alias/a"},
	} {
		t.Run(name, func(t *testing.T) {
			_ = os.Unsetenv("AWS_ENDPOINT_URL_KMS") // newKMS restores it
			for variable, value := range row.environment {
				t.Setenv(variable, value)
			}
			if got := signer.Endpoint(mustOpen(t, row.uri)); got != ours {
				t.Errorf("it asks %s", got)
			}
		})
	}
	if k.asked("TrentService.GetPublicKey") != 3 {
		t.Error("KMS was not asked")
	}
	_ = os.Unsetenv("AWS_ENDPOINT_URL_KMS")
	t.Setenv("AWS_ENDPOINT_URL", ours)
	got, err := signer.FoundEndpoint(t.Context(), "awskms:///alias/a?region=eu-central-1")
	if err != nil || got != "https://kms.eu-central-1.amazonaws.com" {
		t.Errorf("with an endpoint of all services it asks %s, %v", got, err)
	}
}

// TestAWS_Hosts: the endpoint of each partition, as service/kms of the SDK has it.
func TestAWS_Hosts(t *testing.T) {
	for _, row := range []struct{ region, variable, want string }{
		{"eu-central-1", "", "https://kms.eu-central-1.amazonaws.com"},
		{"us-east-1", "AWS_USE_FIPS_ENDPOINT", "https://kms-fips.us-east-1.amazonaws.com"},
		{"eu-central-1", "AWS_USE_DUALSTACK_ENDPOINT", "https://kms.eu-central-1.api.aws"},
		{"cn-north-1", "", "https://kms.cn-north-1.amazonaws.com.cn"},
		{"us-gov-west-1", "AWS_USE_FIPS_ENDPOINT", "https://kms-fips.us-gov-west-1.amazonaws.com"},
		{"eusc-de-east-1", "", "https://kms.eusc-de-east-1.amazonaws.eu"},
	} {
		t.Run(row.region+row.variable, func(t *testing.T) {
			awsEnvironment(t)
			if row.variable != "" {
				t.Setenv(row.variable, "true")
			}
			got, err := signer.FoundEndpoint(t.Context(), "awskms:///alias/a?region="+row.region)
			if err != nil || got != row.want {
				t.Errorf("got %s, %v, want %s", got, err, row.want)
			}
		})
	}
}

func TestAWS_Region(t *testing.T) {
	awsEnvironment(t)
	_, err := open(t, "awskms:///alias/a?region=mars-north-1")
	wantError(t, err, delegation.CodeSignerRefused, `"mars-north-1" is no AWS region`)
	t.Setenv("AWS_REGION", "")
	_, err = open(t, "awskms:///alias/a")
	wantError(t, err, delegation.CodeSignerRefused, "add ?region=REGION to the URI", "AWS_REGION")
	t.Setenv("AWS_ENDPOINT_URL_KMS", "http://kms.example.com")
	_, err = open(t, "awskms:///alias/a?region=eu-central-1")
	wantError(t, err, delegation.CodeSignerRefused, "plain http to another machine")
}
