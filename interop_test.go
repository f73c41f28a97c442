//go:build interop

package delegation_test

import (
	"bytes"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"encoding/xml"
	"errors"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/ststest"
)

// needs skips the test, or fails it in CI, if a program or file is missing.
func needs(t testing.TB, name, debianPackage string) {
	t.Helper()
	_, err := exec.LookPath(name)
	if filepath.IsAbs(name) {
		_, err = os.Stat(name)
	}
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatalf("%s is missing: apt-get install %s", name, debianPackage)
	default:
		t.Skipf("%s is missing: apt-get install %s", name, debianPackage)
	}
}

// run runs a program and returns its exit code and all that it said.
func run(t testing.TB, env []string, name string, args ...string) (code int, output string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), name, args...)
	command.Env = env
	said, err := command.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return command.ProcessState.ExitCode(), string(said)
}

// written writes a file that lives as long as the test.
func written(t testing.TB, name string, text []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func certificateFile(t testing.TB, key delegation.SigningKey) string {
	return written(t, "idp.crt",
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: key.Certificate.Raw}))
}

// xmlsec1 verifies the assertion's signature with the certificate's key, not with the one in
// KeyInfo.
func xmlsec1(t testing.TB, certificate string, response []byte) (code int, output string) {
	t.Helper()
	return run(t, os.Environ(), "xmlsec1", "--verify", "--enabled-key-data", "rsa",
		"--pubkey-cert-pem", certificate,
		"--id-attr:ID", "urn:oasis:names:tc:SAML:2.0:assertion:Assertion", "--id-attr:ID",
		"urn:oasis:names:tc:SAML:2.0:protocol:Response",
		written(t, "response.xml", response))
}

// wellFormed tells whether a text is XML with matching tags.
func wellFormed(text []byte) bool {
	d := xml.NewDecoder(bytes.NewReader(text))
	for {
		if _, err := d.Token(); err != nil {
			return err == io.EOF
		}
	}
}

func TestInterop_XMLSec1(t *testing.T) {
	needs(t, "xmlsec1", "xmlsec1")
	response := golden(t) // with the odd texts
	certificate := certificateFile(t, testOnlyKey(t))
	if code, output := xmlsec1(t, certificate, response); code != 0 {
		t.Fatalf("xmlsec1 does not verify the response: %s", output)
	}

	t.Run("another certificate", func(t *testing.T) {
		if code, output := xmlsec1(t, certificateFile(t, signingKey()), response); code == 0 {
			t.Errorf("the response verifies with the certificate of another key: %s", output)
		}
	})

	t.Run("changed bytes", func(t *testing.T) {
		begin := bytes.Index(response, []byte("<saml:Assertion"))
		end := bytes.Index(response, []byte("</saml:Assertion>"))
		keyInfo := bytes.Index(response, []byte("<ds:KeyInfo>")) // neither signed nor read
		keyInfoEnd := bytes.Index(response, []byte("</ds:Signature>"))
		const wanted = 48
		changed, last := 0, 0
		for i := range wanted {
			// The next byte from here whose change leaves the document well-formed, so that it is
			// the signature that fails.
			for at := max(begin+(end-begin)*i/wanted, last+1); at < end; at++ {
				// the last letter of base64 has unused bits
				if keyInfo <= at && at < keyInfoEnd || response[at+1] == '=' {
					continue
				}
				text := slices.Clone(response)
				if text[at] ^= 1; !wellFormed(text) {
					continue
				}
				changed, last = changed+1, at
				if code, output := xmlsec1(t, certificate, text); code == 0 {
					t.Errorf("byte %d changed, …%s…, and xmlsec1 verifies it: %s", at,
						text[at-20:at+20], output)
				}
				break
			}
		}
		if changed < wanted-1 {
			t.Errorf("only %d bytes could be changed", changed)
		}
	})
}

func TestInterop_XMLSec1_EveryOddText(t *testing.T) {
	needs(t, "xmlsec1", "xmlsec1")
	certificate := certificateFile(t, signingKey())
	w := textWorld(t)
	d, token := w.delegator(t), w.token(nil)
	for _, odd := range oddTexts {
		t.Run(odd.name, func(t *testing.T) {
			if _, err := d.Exchange(t.Context(), token, app, withText(odd.text)); err != nil {
				t.Fatal(err)
			}
			if code, output := xmlsec1(t, certificate, xmlOf(w.last())); code != 0 {
				t.Errorf("xmlsec1 does not verify the response: %s", output)
			}
		})
	}
}

const schemas = "/usr/share/xml/opensaml/"

// xmllint validates a document against one of the OASIS schemas, without the network.
func xmllint(t testing.TB, schema string, document []byte) (code int, output string) {
	t.Helper()
	needs(t, "xmllint", "libxml2-utils")
	needs(t, schemas+schema, "opensaml-schemas")
	needs(t, "/usr/share/xml/xmltooling/xmldsig-core-schema.xsd", "xmltooling-schemas")
	catalog, err := filepath.Abs("testdata/saml/catalog.xml")
	if err != nil {
		t.Fatal(err)
	}
	return run(t, append(os.Environ(), "XML_CATALOG_FILES="+catalog), "xmllint", "--nonet",
		"--noout", "--schema", schemas+schema, written(t, "document.xml", document))
}

func TestInterop_Schemas(t *testing.T) {
	response := golden(t)
	begin := bytes.Index(response, []byte("<saml:Assertion"))
	end := bytes.Index(response, []byte("</samlp:Response>"))
	encrypted := encryptedGolden(t)
	metadata := must(delegation.IdentityProvider{EntityID: entityID,
		Keys: []delegation.SigningKey{signingKey(), nextKey()}}.Metadata())
	tests := []struct {
		name, schema string
		document     []byte
		cut          string // what the schema requires, so that the check can fail
	}{
		{"Response", "saml-schema-protocol-2.0.xsd", response,
			`<samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"></samlp:StatusCode>`},
		{"Assertion in the Response", "saml-schema-protocol-2.0.xsd", response,
			` Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"`},
		{"Assertion alone", "saml-schema-assertion-2.0.xsd", response[begin:end], ` Version="2.0"`},
		{"Signature in the Assertion", "saml-schema-assertion-2.0.xsd", response[begin:end],
			`<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"></ds:DigestMethod>`},
		{"EncryptedAssertion in the Response", "saml-schema-protocol-2.0.xsd", encrypted,
			` Algorithm="http://www.w3.org/2009/xmlenc11#aes256-gcm"`},
		{"EncryptedKey in the EncryptedAssertion", "saml-schema-protocol-2.0.xsd", encrypted,
			` Algorithm="http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p"`},
		{"metadata", "saml-schema-metadata-2.0.xsd", metadata,
			` protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if code, output := xmllint(t, tt.schema, tt.document); code != 0 {
				t.Errorf("the schema refuses the document: %s", output)
			}
			broken := bytes.Replace(tt.document, []byte(tt.cut), nil, 1)
			if len(broken) == len(tt.document) {
				t.Fatalf("the document has no %s", tt.cut)
			}
			code, output := xmllint(t, tt.schema, broken)
			if code == 0 || !strings.Contains(output, "fails to validate") {
				t.Errorf("without %s: exit code %d, %s", tt.cut, code, output)
			}
		})
	}
}

// encryptedGolden is the golden world's response, encrypted for readerKey.
func encryptedGolden(t testing.TB) []byte {
	t.Helper()
	var odd []string
	for _, o := range oddTexts {
		odd = append(odd, o.text)
	}
	w := goldenWorld(t)
	w.encryptFor(readerKey())
	response, err := w.captured(t, map[string]any{"email": "alice@example.com",
		"email_verified": true, "groups": []string{"staff", "press"}, "odd": odd})
	wantError(t, err, delegation.StageSTS, delegation.CodeSTSRefused)
	return response
}

func TestInterop_XMLSec1_Decrypts(t *testing.T) {
	needs(t, "xmlsec1", "xmlsec1")
	encrypted := encryptedGolden(t)
	decrypt := func(
		key *rsa.PrivateKey, document []byte,
	) (code int, output string, decrypted []byte) {
		file := filepath.Join(t.TempDir(), "decrypted.xml")
		code, output = run(t, os.Environ(), "xmlsec1", "--decrypt", "--privkey-pem",
			written(t, "reader.key", privatePEM(key)), "--output", file,
			written(t, "encrypted.xml", document))
		decrypted, _ = os.ReadFile(file) // there is none if it failed
		return code, output, decrypted
	}
	code, output, decrypted := decrypt(readerKey(), encrypted)
	if code != 0 {
		t.Fatalf("xmlsec1 does not decrypt the response: %s", output)
	}
	if !bytes.Contains(decrypted, []byte("auth0|alice")) ||
		bytes.Contains(decrypted, []byte("EncryptedData")) {
		t.Fatalf("xmlsec1 decrypts something else: %s", decrypted)
	}
	if code, output := xmlsec1(t, certificateFile(t, testOnlyKey(t)), decrypted); code != 0 {
		t.Errorf("xmlsec1 does not verify what it has decrypted: %s", output)
	}
	if code, output := xmlsec1(t, certificateFile(t, signingKey()), decrypted); code == 0 {
		t.Errorf("xmlsec1 verifies it with another certificate: %s", output)
	}

	if code, output, _ := decrypt(nextReaderKey(), encrypted); code == 0 {
		t.Errorf("xmlsec1 decrypts it with another key: %s", output)
	}
	for _, end := range []string{
		"</xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey>",
		"</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData>",
	} {
		changed := bytes.Clone(encrypted)
		changed[bytes.Index(changed, []byte(end))-100] ^= 1
		if code, output, _ := decrypt(readerKey(), changed); code == 0 {
			t.Errorf("a byte before %s changed, and xmlsec1 decrypts it: %s", end, output)
		}
	}
}

// TestInterop_XMLSec1_Encrypts has ststest open what xmlsec1 encrypts, so that the decryptor of the
// tests is proven by another's work too.
func TestInterop_XMLSec1_Encrypts(t *testing.T) {
	needs(t, "xmlsec1", "xmlsec1")
	w, fake := strictWorld(t)
	setKeys(t, fake, true, readerKey())
	client := w.config.STS
	w.target(func(target *delegation.Target) { target.SAMLProviderUUID = providerUUID })
	response, err := w.captured(t, nil)
	wantError(t, err, delegation.StageSTS, delegation.CodeSTSRefused)
	plain := written(t, "plain.xml", response)
	public := written(t, "reader.pub", []byte(publicPEM(readerKey())))
	for algorithm, session := range map[string]string{
		"http://www.w3.org/2001/04/xmlenc#aes128-cbc": "aes-128",
		"http://www.w3.org/2001/04/xmlenc#aes256-cbc": "aes-256",
		"http://www.w3.org/2009/xmlenc11#aes128-gcm":  "aes-128",
		"http://www.w3.org/2009/xmlenc11#aes256-gcm":  "aes-256",
	} {
		t.Run(algorithm, func(t *testing.T) {
			template := `<e:EncryptedData xmlns:e="http://www.w3.org/2001/04/xmlenc#" Type="http://www.w3.org/2001/04/xmlenc#Element"><e:EncryptionMethod Algorithm="` + algorithm + `"/>` +
				`<KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><e:EncryptedKey><e:EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p"/>` +
				`<e:CipherData><e:CipherValue/></e:CipherData></e:EncryptedKey></KeyInfo><e:CipherData><e:CipherValue/></e:CipherData></e:EncryptedData>`
			file := filepath.Join(t.TempDir(), "encrypted.xml")
			code, output := run(t, os.Environ(), "xmlsec1", "--encrypt", "--pubkey-pem", public,
				"--session-key", session, "--xml-data", plain,
				"--node-xpath", "//*[local-name()='Assertion']", "--output", file,
				written(t, "template.xml", []byte(template)))
			if code != 0 {
				t.Fatalf("xmlsec1 does not encrypt: %s", output)
			}
			text := strings.NewReplacer("<e:EncryptedData",
				"<saml:EncryptedAssertion><e:EncryptedData", "</e:EncryptedData>",
				"</e:EncryptedData></saml:EncryptedAssertion>").
				Replace(string(must(os.ReadFile(file))))
			out, err := client.AssumeRoleWithSAML(t.Context(), &sts.AssumeRoleWithSAMLInput{
				RoleArn: aws.String(role), PrincipalArn: aws.String(principal),
				SAMLAssertion: aws.String(base64.StdEncoding.EncodeToString([]byte(text))),
			}, func(o *sts.Options) { o.Region = "eu-central-1" })
			if err != nil || aws.ToString(out.Subject) != alice {
				t.Errorf("ststest says %v, %v", out, err)
			}
		})
	}
}

func TestInterop_AWSCLI(t *testing.T) {
	needs(t, "aws", "awscli")
	w := newWorld(t)
	w.clock.Set(time.Now()) // the clock of the AWS CLI's signatures
	w.target(func(target *delegation.Target) { target.Tags = map[string]string{"team": "press"} })
	fake := ststest.New(ststest.Config{Region: "eu-central-1"})
	const otherRole = "arn:aws:iam::123456789012:role/other"
	if err := errors.Join(
		fake.PutSAMLProvider(principal, must(identity().Metadata())),
		fake.PutRole(ststest.Role{ARN: role, TrustPolicy: allowAll}),
		fake.PutRole(ststest.Role{ARN: otherRole, TrustPolicy: allowAll}),
	); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	_, err := w.exchange(t, map[string]any{"email": "alice@example.com", "email_verified": true})
	if err != nil {
		t.Fatal(err)
	}

	empty := written(t, "empty", nil)
	env := slices.DeleteFunc(os.Environ(),
		func(v string) bool { return strings.HasPrefix(v, "AWS_") })
	env = append(env, "AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE="+empty,
		"AWS_SHARED_CREDENTIALS_FILE="+empty,
		"AWS_DEFAULT_REGION=eu-central-1", "AWS_MAX_ATTEMPTS=1", "NO_PROXY=127.0.0.1",
		"no_proxy=127.0.0.1")
	aws := func(t *testing.T, env []string, args ...string) (code int, output string) {
		t.Helper()
		return run(t, env, "aws",
			append([]string{"sts", "--endpoint-url", server.URL, "--output", "json"}, args...)...)
	}
	assume := func(t *testing.T, roleARN, assertion string) (code int, output string) {
		t.Helper()
		return aws(t, env, "assume-role-with-saml", "--role-arn", roleARN,
			"--principal-arn", principal,
			"--saml-assertion", "file://"+written(t, "response.b64", []byte(assertion)))
	}
	good := *w.last().SAMLAssertion
	var assumed struct {
		Credentials     struct{ AccessKeyId, SecretAccessKey, SessionToken string }
		AssumedRoleUser struct{ Arn string }
		Subject         string
		SubjectType     string
		Issuer          string
		Audience        string
	}
	code, output := assume(t, role, good)
	if code != 0 {
		t.Fatalf("aws sts assume-role-with-saml: exit code %d, %s", code, output)
	}
	if err := json.Unmarshal([]byte(output), &assumed); err != nil {
		t.Fatalf("%v in %s", err, output)
	}
	const session = "arn:aws:sts::123456789012:assumed-role/photo-user/alice@example.com"
	if assumed.AssumedRoleUser.Arn != session || assumed.Subject != alice ||
		assumed.SubjectType != "persistent" || assumed.Issuer != entityID ||
		assumed.Audience != "https://eu-central-1.signin.aws.amazon.com/saml" {
		t.Errorf("the AWS CLI was told %+v", assumed)
	}

	t.Run("the credentials are those of the assumed role", func(t *testing.T) {
		c := assumed.Credentials
		code, output := aws(t, append(slices.Clip(env), "AWS_ACCESS_KEY_ID="+c.AccessKeyId,
			"AWS_SECRET_ACCESS_KEY="+c.SecretAccessKey, "AWS_SESSION_TOKEN="+c.SessionToken),
			"get-caller-identity")
		var caller struct{ Arn, Account string }
		err := json.Unmarshal([]byte(output), &caller)
		if code != 0 || err != nil || caller.Arn != session || caller.Account != account {
			t.Errorf("exit code %d, %v, %s", code, err, output)
		}
	})
	t.Run("wrong credentials", func(t *testing.T) {
		code, output := aws(t,
			append(slices.Clip(env), "AWS_ACCESS_KEY_ID="+assumed.Credentials.AccessKeyId,
				"AWS_SECRET_ACCESS_KEY=wrong",
				"AWS_SESSION_TOKEN="+assumed.Credentials.SessionToken),
			"get-caller-identity")
		if code == 0 || !strings.Contains(output, "(SignatureDoesNotMatch)") {
			t.Errorf("exit code %d, %s", code, output)
		}
	})
	forged := bytes.Replace(must(base64.StdEncoding.DecodeString(good)), []byte("auth0|alice"),
		[]byte("auth0|admin"), 1)
	refusals := []struct{ name, role, assertion, want string }{
		{"another subject", role, base64.StdEncoding.EncodeToString(forged),
			"(InvalidIdentityToken)"},
		{"a role that the response does not name", otherRole, good, "(InvalidIdentityToken)"},
		{"an unknown role", "arn:aws:iam::123456789012:role/unknown", good, "(AccessDenied)"},
		{"a role of another account", "arn:aws:iam::210987654321:role/photo-user", good,
			"(ValidationError)"},
		{"no base64", role, "no base64!", "(InvalidIdentityToken)"},
	}
	for _, tt := range refusals {
		t.Run(tt.name, func(t *testing.T) {
			code, output := assume(t, tt.role, tt.assertion)
			if code == 0 || !strings.Contains(output, "An error occurred "+tt.want) {
				t.Errorf("exit code %d, %s; want %s", code, output, tt.want)
			}
		})
	}
}
