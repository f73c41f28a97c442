package main

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/delegationtest"
	"github.com/seed055b7978/delegation/oidctest"
	"github.com/seed055b7978/delegation/ststest"
)

const (
	guidePage      = "../../docs/migrating-from-auth0.md"
	guideExport    = "../../examples/auth0-rules/export"
	guidePrincipal = "arn:aws:iam::123456789012:saml-provider/auth0-provider"
	guideRole      = "arn:aws:iam::123456789012:role/photo-editor"
)

// guide is an operator who follows docs/migrating-from-auth0.md.
type guide struct {
	*world
	sections    map[string]map[string][]string // blocks of the page, by section and language
	tenant      string                         // host and port of the issuer
	environment []string                       // of commands
}

// newGuide has an issuer on loopback in place of the tenant, and programs in place of those that
// call Auth0 and AWS.
func newGuide(t *testing.T) *guide {
	t.Helper()
	g := &guide{
		world:    newBareWorld(t, t.TempDir()),
		sections: blocksBySection(t, guidePage),
	}
	g.provider = must(oidctest.New(oidctest.Config{Key: delegationtest.IssuerKey()}))
	issuer := httptest.NewTLSServer(g.provider)
	t.Cleanup(issuer.Close)
	g.provider.SetIssuer(issuer.URL + "/")
	g.tenant = strings.TrimPrefix(issuer.URL, "https://")
	g.environment = []string{
		"SSL_CERT_FILE=" + g.write(t, "ca.pem", string(pem.EncodeToMemory(
			&pem.Block{Type: "CERTIFICATE", Bytes: issuer.Certificate().Raw}))),
		"DELEGATION_STS_ENDPOINT=" + g.awsURL,
		"DELEGATION_LISTEN=127.0.0.1:0",
		"PATH=" + filepath.Join(g.folder, "bin") + string(filepath.ListSeparator) +
			os.Getenv("PATH"),
	}
	export := must(filepath.Abs(guideExport))
	for name, script := range map[string]string{
		"npm":      `[ "$1" = install ]`,
		"a0deploy": `cp -r "` + export + `" "${4#--output_folder=}"`,
		"curl":     `[ "$2" = "https://` + g.tenant + `/pem" ] && cp auth0.crt "$4"`,
		"aws":      `cp "${6#file://}" registered.xml && [ "$4" = ` + guidePrincipal + ` ]`,
	} {
		g.stub(t, name, script)
	}
	if err := os.Symlink(binary(t), filepath.Join(g.folder, "bin", "delegation")); err != nil {
		t.Fatal(err)
	}
	g.trustAuth0(t)
	return g
}

// trustAuth0 makes the SAML provider and the role as Auth0's set-up had them.
func (g *guide) trustAuth0(t *testing.T) {
	t.Helper()
	certificate, key := keyPair()
	g.write(t, "auth0.crt", string(certificate))
	g.write(t, "auth0.key", string(key))
	err := g.aws.PutRole(ststest.Role{ARN: guideRole, TrustPolicy: fmt.Sprintf(`{
		"Version": "2012-10-17",
		"Statement": [{
			"Effect": "Allow",
			"Principal": {"Federated": %q},
			"Action": ["sts:AssumeRoleWithSAML", "sts:TagSession"],
			"Condition": {
				"StringEquals": {"SAML:iss": "urn:%s"},
				"ForAnyValue:StringEquals": {"saml:edupersonaffiliation": "photo-editors"}
			}
		}]
	}`, guidePrincipal, g.tenant)})
	if err != nil {
		t.Fatal(err)
	}
}

// block is the n-th block of a language in a step, with the tenant's own domain.
func (g *guide) block(t *testing.T, step, language string, n int) string {
	t.Helper()
	blocks := g.sections[step][language]
	if n >= len(blocks) {
		t.Fatalf("%q has %d blocks of %s, and not %d", step, len(blocks), language, n+1)
	}
	return strings.ReplaceAll(blocks[n], "tenant.auth0.com", g.tenant)
}

// run runs a block of commands, and returns what they print. The metadata that the aws CLI is given
// reaches the STS in memory.
func (g *guide) run(t *testing.T, step string, n int) string {
	t.Helper()
	command := exec.Command("sh", "-eu", "-c", g.block(t, step, "sh", n))
	command.Dir = g.folder
	command.Env = append(os.Environ(), g.environment...)
	command.Stderr = os.Stderr
	printed, err := command.Output()
	if err != nil {
		t.Fatalf("%s, block %d: %v\n%s", step, n+1, err, printed)
	}
	registered := filepath.Join(g.folder, "registered.xml")
	metadata, err := os.ReadFile(registered)
	if err != nil {
		return string(printed) // the commands had nothing for AWS
	}
	err = errors.Join(g.aws.PutSAMLProvider(guidePrincipal, metadata), os.Remove(registered))
	if err != nil {
		t.Fatal(err)
	}
	return string(printed)
}

// configure inserts a block of YAML after a line of the configuration, or at its end.
func (g *guide) configure(t *testing.T, after, block string) {
	t.Helper()
	file := filepath.Join(g.folder, "photos", "delegation.yaml")
	text := string(must(os.ReadFile(file)))
	at := strings.Index(text, after) + len(after)
	if after == "" {
		at = len(text)
	}
	if at < len(after) {
		t.Fatalf("no place for this in the configuration: %s", block)
	}
	text = text[:at] + block + text[at:]
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// auth0 serves with Auth0's key alone, as Auth0 did.
func (g *guide) auth0(t *testing.T, both string) *served {
	t.Helper()
	text := string(must(os.ReadFile(filepath.Join(g.folder, "photos", "delegation.yaml"))))
	text = strings.NewReplacer(
		both, "", "signing.crt", "../auth0.crt", "signing.key", "../auth0.key",
	).Replace(text)
	return start(t, g.environment, "serve", "--config", g.write(t, "photos/auth0.yaml", text))
}

// want checks the status of what an application of today sends: auth0-js 7 a form, and auth0-js 9
// JSON, after a preflight.
func (g *guide) want(t *testing.T, what string, s *served, status int) {
	t.Helper()
	const origin = "https://app.example.com"
	token := g.token(map[string]any{"aud": "CLIENT_ID"})
	members := map[string]string{
		"client_id":  "CLIENT_ID",
		"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
		"id_token":   token,
		"api_type":   "aws",
	}
	form := url.Values{}
	for name, value := range members {
		form.Set(name, value)
	}
	for kind, body := range map[string]string{
		"application/x-www-form-urlencoded": form.Encode(),
		"application/json":                  string(must(json.Marshal(members))),
	} {
		request := must(http.NewRequest(http.MethodPost, s.url+"/delegation",
			strings.NewReader(body)))
		request.Header.Set("Content-Type", kind)
		request.Header.Set("Origin", origin)
		request.Header.Set("Auth0-Client", "eyJuYW1lIjoiYXV0aDAuanMifQ==")
		response := must(client(nil).Do(request))
		answer := must(io.ReadAll(response.Body))
		_ = response.Body.Close()
		if response.StatusCode != status {
			t.Errorf("%s, %s: %d %s, want %d", what, kind, response.StatusCode, answer, status)
		}
		editor := bytes.Contains(answer, []byte(":assumed-role/photo-editor/"))
		if status == http.StatusOK && !editor {
			t.Errorf("%s, %s: %s", what, kind, answer)
		}
		if response.Header.Get("Access-Control-Allow-Origin") != origin {
			t.Errorf("%s, %s: the page may not read the answer", what, kind)
		}
	}
}

// TestGuide_MigratingFromAuth0 follows the guide from the export to the cut-over, and back.
func TestGuide_MigratingFromAuth0(t *testing.T) {
	g := newGuide(t)

	const export = "1. Export the tenant"
	g.run(t, export, 0)

	const report = "2. Read the report"
	printed := g.run(t, report, 0)
	if shown := g.block(t, report, "text", 0); !strings.HasPrefix(printed, shown) {
		t.Errorf("the report is\n%s\nand not\n%s", printed, shown)
	}

	const fill = "3. Import, and fill in what is missing"
	g.write(t, "secrets.yaml", g.block(t, fill, "yaml", 0))
	g.run(t, fill, 0)
	g.write(t, "photos/directory.js", g.block(t, fill, "js", 0))
	g.configure(t, "      folder: rules\n", g.block(t, fill, "yaml", 1))

	const try = "4. Test with a token"
	g.write(t, "token", g.token(map[string]any{"aud": "CLIENT_ID"}))
	if printed := g.run(t, try, 0); !strings.Contains(printed, guideRole) {
		t.Errorf("the explanation lacks the role:\n%s", printed)
	}

	const trust = "5. Let AWS trust both keys"
	g.run(t, trust, 0)
	both := g.block(t, trust, "yaml", 0)
	g.configure(t, "signing.key}\n", both)
	g.run(t, trust, 1)
	g.run(t, trust, 2)

	const next = "6. Serve next to Auth0"
	g.configure(t, "", g.block(t, next, "yaml", 0))
	g.configure(t, "", "cache: {size: -1}\n") // so that AWS is asked each time
	words := strings.Fields(g.block(t, next, "sh", 0))
	words[len(words)-1] = filepath.Join(g.folder, words[len(words)-1])
	service := start(t, g.environment, words[1:]...)
	auth0 := g.auth0(t, both)
	g.want(t, "the service next to Auth0", service, http.StatusOK)
	g.want(t, "Auth0 next to the service", auth0, http.StatusOK)

	file := filepath.Join(g.folder, "photos", "delegation.yaml")
	text := string(must(os.ReadFile(file)))
	g.write(t, "photos/delegation.yaml", strings.Replace(text, both, "", 1))
	const cutOver = "9. Cut over"
	g.run(t, cutOver, 0)
	g.want(t, "the service after the cut-over", service, http.StatusOK)
	g.want(t, "Auth0 after the cut-over", auth0, http.StatusBadGateway)

	g.configure(t, "signing.key}\n", both)
	g.run(t, trust, 1)
	g.want(t, "the service after the roll-back", service, http.StatusOK)
	g.want(t, "Auth0 after the roll-back", auth0, http.StatusOK)
}
