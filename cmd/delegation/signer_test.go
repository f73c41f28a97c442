package main

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
	"github.com/seed055b7978/delegation/delegationtest"
)

// kms is an AWS KMS with the keys of aliases. What it gets and how it fails, the tests of package
// signer show.
type kms struct {
	t  *testing.T
	mu sync.Mutex

	keys  map[string]crypto.Signer // by what names them
	fails string                   // the error of all calls; empty: none
	calls map[string]int           // by action
}

// newKMS starts a KMS that has the world's signing key as alias/delegation, and sets the
// environment of the SDK to it.
func newKMS(t *testing.T) *kms {
	t.Helper()
	k := &kms{
		t:     t,
		calls: map[string]int{},
		keys:  map[string]crypto.Signer{"alias/delegation": delegationtest.SigningKey().Signer},
	}
	server := httptest.NewServer(k)
	t.Cleanup(server.Close)
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID":         "AKIDEXAMPLE",
		"AWS_SECRET_ACCESS_KEY":     "secret-of-aws",
		"AWS_EC2_METADATA_DISABLED": "true",
		"AWS_ENDPOINT_URL_KMS":      server.URL,
	} {
		t.Setenv(name, value)
	}
	return k
}

func (k *kms) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var request struct {
		KeyID   string `json:"KeyId"`
		Message []byte
	}
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		k.t.Error(err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	action := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "TrentService.")
	k.calls[action]++
	key := k.keys[request.KeyID]
	failure := k.fails
	if failure == "" && key == nil {
		failure = "NotFoundException"
	}
	answer := map[string]any{
		"KeyId": "arn:aws:kms:eu-central-1:111122223333:" + request.KeyID,
	}
	switch {
	case failure != "":
		w.WriteHeader(http.StatusBadRequest)
		answer = map[string]any{"__type": failure, "message": "of the test"}
	case action == "GetPublicKey":
		answer["PublicKey"] = must(x509.MarshalPKIXPublicKey(key.Public()))
		answer["KeyUsage"] = "SIGN_VERIFY"
		answer["SigningAlgorithms"] = []string{"RSASSA_PKCS1_V1_5_SHA_256"}
	default:
		answer["Signature"] = must(key.Sign(nil, request.Message, crypto.SHA256))
	}
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		k.t.Error(err)
	}
}

func (k *kms) fail(with string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.fails = with
}

func (k *kms) asked(action string) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.calls[action]
}

const ofKMS = `signer: "awskms:///alias/delegation?region=eu-central-1"`

// signerFile is configFile with a key of the KMS, or another, and without the file of a key.
func (w *world) signerFile(t testing.TB, key, more string) (file string) {
	t.Helper()
	if err := os.Remove(filepath.Join(w.folder, "signing.key")); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	text := string(must(os.ReadFile(w.configFile(t, more))))
	return w.write(t, "delegation.yaml", strings.Replace(text, "key_file: signing.key", key, 1))
}

// TestSigner_ThroughReloads: exchanges are signed by the KMS. A reload goes on with the open key,
// also while the KMS is down, and asks for another key that is configured.
func TestSigner_ThroughReloads(t *testing.T) {
	k := newKMS(t)
	w := newWorld(t)
	file := w.signerFile(t, ofKMS, "cache: {size: -1}") // so that each exchange signs
	s := serveReloadable(t, file)
	exchange := func() (int, string) {
		return post(t, client(nil), s.url+"/delegation", delegationForm(w.token(nil)))
	}
	want := func(step string, signatures, publicKeys int) {
		t.Helper()
		if status, body := exchange(); status != http.StatusOK {
			t.Errorf("%s: %d %s", step, status, body)
		}
		if got := k.asked("Sign"); got != signatures {
			t.Errorf("%s: %d signatures, want %d", step, got, signatures)
		}
		if got := k.asked("GetPublicKey"); got != publicKeys {
			t.Errorf("%s: asked for %d public keys, want %d", step, got, publicKeys)
		}
	}
	want("at the start", 1, 1)
	s.mustReload(t)
	want("after a reload", 2, 1)

	k.fail("KMSInternalException")
	s.mustReload(t)
	k.fail("")
	want("after a reload while KMS was down", 3, 1)

	next := must(os.ReadFile(w.makeKey(t, "next")))
	k.mu.Lock()
	k.keys["alias/next"] = must(x509.ParsePKCS8PrivateKey(block(next))).(crypto.Signer)
	k.mu.Unlock()
	w.signerFile(t, ofKMS+`}
    - {certificate_file: next/signing.crt, signer: "awskms:///alias/next?region=eu-central-1"`,
		"cache: {size: -1}")
	s.mustReload(t)
	want("with one more key", 4, 2)

	w.write(t, "signing.crt", string(must(os.ReadFile(w.folder+"/next/signing.crt"))))
	if line := s.reload(t); !strings.Contains(line, "not reloaded") ||
		!strings.Contains(line, "the certificate does not belong to the key of signer") {
		t.Errorf("another certificate was taken: %s", line)
	}
	want("after a reload that was refused", 5, 3)

	k.mu.Lock()
	k.keys["alias/delegation"] = k.keys["alias/next"]
	k.mu.Unlock()
	s.mustReload(t)
	_, metadata := get(t, client(nil), s.url+"/metadata")
	if err := w.aws.PutSAMLProvider(service.DemoPrincipal, []byte(metadata)); err != nil {
		t.Fatal(err)
	}
	want("the alias names another key, of another certificate", 6, 4)
}

func block(text []byte) []byte {
	decoded, _ := pem.Decode(text)
	return decoded.Bytes
}

// makeKey makes a key in a folder and returns its file.
func (w *world) makeKey(t *testing.T, folder string) string {
	t.Helper()
	w.folderOf(t, folder, nil)
	said(t, "keygen", "--bits", "2048", "--out", filepath.Join(w.folder, folder))
	return filepath.Join(w.folder, folder, "signing.key")
}

// TestSigner_Throttled: the client may retry, and the log says what the operator can do.
func TestSigner_Throttled(t *testing.T) {
	k := newKMS(t)
	w := newWorld(t)
	s := serve(t, w.signerFile(t, ofKMS, ""))
	for _, row := range []struct {
		fails, code, remedy string
		status              int
	}{
		{"ThrottlingException", "signer_throttled",
			"request a higher quota for Cryptographic operations (RSA) request rate", 503},
		{"AccessDeniedException", "signer_refused",
			"allow kms:Sign on the key to the service's role", 500},
		{"KMSInternalException", "signing_failed", "AWS Health Dashboard", 503},
	} {
		k.fail(row.fails)
		form := delegationForm(w.token(nil))
		if status, body := post(t, client(nil), s.url+"/delegation", form); status != row.status ||
			strings.Contains(body, "kms") {
			t.Errorf("%s: %d %s", row.fails, status, body)
		}
		logs := s.logs.String()
		if !strings.Contains(logs, row.code) || !strings.Contains(logs, row.remedy) {
			t.Errorf("%s: the log has no %q and %q:\n%s", row.fails, row.code, row.remedy, logs)
		}
		if strings.Contains(logs, "secret-of-aws") {
			t.Error("the log has a secret")
		}
	}
}

// TestSigner_Wrong: what is wrong with a key in a key service, with file, line and key. What may
// pass by itself is no mistake of the configuration.
func TestSigner_Wrong(t *testing.T) {
	for name, row := range map[string]struct {
		key   string
		fails string
		code  int
		texts []string
	}{
		"no permission": {ofKMS, "AccessDeniedException", exitUsage, []string{
			"delegation.yaml:8: identity_provider.keys[0].signer: kms:GetPublicKey: ",
			"allow kms:GetPublicKey on the key to the service's role",
		}},
		"KMS is down": {ofKMS, "KMSInternalException", exitFailed, []string{
			"identity_provider.keys[0].signer: ", "try again",
		}},
		"no such key": {`signer: "awskms:///alias/another?region=eu-central-1"`, "", exitUsage,
			[]string{"region eu-central-1 has no such key or alias"}},
		"no such program": {`signer: "pkcs11:object=x", signer_program: ./none`, "", exitUsage,
			[]string{"identity_provider.keys[0].signer: ", "correct signer_program"}},
		"a PIN": {`signer: "pkcs11:object=x?pin-value=tell-nobody"`, "", exitUsage,
			[]string{"pin-source=file:/PATH"}},
		"a file, too": {`key_file: signing.key, ` + ofKMS, "", exitUsage,
			[]string{"identity_provider.keys[0]: has key_file and signer: remove one of them"}},
		"a program alone": {"signer_program: ./x, key_file: signing.key", "", exitUsage,
			[]string{"identity_provider.keys[0].signer_program: needs signer"}},
		"no certificate": {"certificate_file: none.crt, " + ofKMS, "", exitUsage,
			[]string{"none.crt"}},
	} {
		t.Run(name, func(t *testing.T) {
			k := newKMS(t)
			k.fail(row.fails)
			w := newWorld(t)
			file := w.signerFile(t, row.key, "")
			if name == "no certificate" {
				text := string(must(os.ReadFile(file)))
				w.write(t, "delegation.yaml",
					strings.Replace(text, "certificate_file: signing.crt, ", "", 1))
			}
			code, _, errs := cli(t, "check", "--config", file)
			if code != row.code {
				t.Errorf("exit code %d", code)
			}
			for _, text := range row.texts {
				if !strings.Contains(errs, text) {
					t.Errorf("no %q in %s", text, errs)
				}
			}
			if strings.Contains(errs, "tell-nobody") {
				t.Error("a PIN is repeated")
			}
		})
	}
}

// TestCheck_Signer: check makes one signature, and names the key whose signer refuses.
func TestCheck_Signer(t *testing.T) {
	k := newKMS(t)
	w := newWorld(t)
	file := w.signerFile(t, ofKMS, "")
	code, out, errs := cli(t, "check", "--config", file)
	if code != 0 || k.asked("Sign") != 1 || k.asked("GetPublicKey") != 1 {
		t.Errorf("exit code %d, %d signatures: %s%s", code, k.asked("Sign"), out, errs)
	}
}

// TestMetadata_Signer: the metadata of a key in a key service needs no service, and is that of the
// certificate.
func TestMetadata_Signer(t *testing.T) {
	w := newWorld(t)
	want, _ := said(t, "metadata", "--config", w.configFile(t, ""))
	file := w.signerFile(t, `signer: "pkcs11:object=x"`, "")
	if got, _ := said(t, "metadata", "--config", file); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestKeygen_Signer: the key in the service signs its certificate, and no file has a key.
func TestKeygen_Signer(t *testing.T) {
	k := newKMS(t)
	folder := t.TempDir()
	const uri = "awskms:///alias/delegation?region=eu-central-1"
	out, _ := said(t, "keygen", "--signer", uri, "--out", folder, "--name", "example.com")
	if !strings.Contains(out, "signer: \""+uri+"\"") {
		t.Errorf("it does not say how to go on:\n%s", out)
	}
	file := filepath.Join(folder, "signing.crt")
	certificate := must(x509.ParseCertificate(block(must(os.ReadFile(file)))))
	public := delegationtest.SigningKey().Signer.Public().(*rsa.PublicKey)
	if !public.Equal(certificate.PublicKey) || certificate.Subject.CommonName != "example.com" {
		t.Error("it is another certificate")
	}
	err := certificate.CheckSignature(
		certificate.SignatureAlgorithm, certificate.RawTBSCertificate, certificate.Signature)
	if err != nil {
		t.Error(err)
	}
	if files := must(os.ReadDir(folder)); len(files) != 1 {
		t.Errorf("it wrote %v", files)
	}
	if k.asked("Sign") != 1 {
		t.Errorf("%d signatures", k.asked("Sign"))
	}
	k.keys["alias/small"] = must(rsa.GenerateKey(rand.Reader, 1024))
	for name, row := range map[string]struct {
		args  []string
		fails string
		code  int
		text  string
	}{
		"again": {[]string{"--signer", uri, "--out", folder}, "", exitUsage, "exists"},
		"bits": {[]string{"--signer", uri, "--bits", "2048"}, "", exitUsage,
			"--bits is for a new key"},
		"a program alone": {[]string{"--signer-program", "x"}, "", exitUsage,
			"--signer-program needs --signer URI"},
		"no time": {[]string{"--signer", uri, "--valid", "0s", "--out", t.TempDir()}, "", exitUsage,
			"set a time above 0"},
		"small": {[]string{"--signer", "awskms:///alias/small?region=eu-central-1", "--out",
			t.TempDir()}, "", exitUsage, "the key must have 2048 to 8192 bits, not 1024"},
		"refused": {[]string{"--signer", uri, "--out", t.TempDir()}, "DisabledException", exitUsage,
			"--signer: kms:GetPublicKey: DisabledException"},
		"down": {[]string{"--signer", uri, "--out", t.TempDir()}, "ThrottlingException", exitFailed,
			"--signer: kms:GetPublicKey: ThrottlingException"},
	} {
		k.fail(row.fails)
		code, _, errs := cli(t, append([]string{"keygen"}, row.args...)...)
		if code != row.code || !strings.Contains(errs, row.text) {
			t.Errorf("%s: exit code %d, %s", name, code, errs)
		}
	}
}

// cli runs the program.
func cli(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, surroundings{stdout: &out, stderr: &errs})
	return code, out.String(), errs.String()
}
