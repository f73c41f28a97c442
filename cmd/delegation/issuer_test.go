package main

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/oidctest"
)

// issuerConfig is a good configuration with an issuer's keys in it.
func issuerConfig(issuer string) string {
	return `issuers:
  - ` + strings.ReplaceAll(strings.TrimSpace(issuer), "\n", "\n    ") + `
identity_provider:
  entity_id: urn:tenant.example.com
  keys: [{certificate_file: signing.crt, key_file: signing.key}]
targets:
  photo-app:
    principal: arn:aws:iam::123456789012:saml-provider/delegation
    role: arn:aws:iam::123456789012:role/photo-user
    region: eu-central-1
    subjects_are_one: true
`
}

// wantOfIssuer loads a configuration with the issuer. Its error must say all that is wanted, and
// nothing of a secret file; nothing wanted: it is fine.
func (w *world) wantOfIssuer(t *testing.T, issuer string, wanted []string) {
	t.Helper()
	_, err := loadAndBuild(t, w.write(t, "delegation.yaml", issuerConfig(issuer)))
	if err == nil && wanted == nil {
		return
	}
	if err == nil || wanted == nil {
		t.Fatalf("got %v, want %q", err, wanted)
	}
	said := oneLine(err)
	for _, want := range wanted {
		if !strings.Contains(said, want) || strings.Contains(said, "canary") {
			t.Errorf("%q is not in %s", want, said)
		}
	}
}

// TestSettings_IssuerNames: the keys for an issuer's names and tenants reach the library, whose
// complaints name them by line and key.
func TestSettings_IssuerNames(t *testing.T) {
	w := newWorld(t)
	w.write(t, "keys.json", string(w.provider.KeySet()))
	for name, test := range map[string]struct {
		issuer string
		want   []string // none: it is fine
	}{
		"tenants": {`
url: https://login.microsoftonline.com/{tenantid}/v2.0
discovery_url: https://login.microsoftonline.com/common/v2.0/.well-known/openid-configuration
tenants: [11111111-2222-3333-4444-555555555555]`, nil},
		"aliases": {`
url: https://accounts.google.com
aliases: [accounts.google.com]`, nil},
		"any tenant": {`
url: https://{org}.idp.example.com
tenant_claim: org_id
unsafe_any_tenant: true
jwks_file: keys.json`, nil},

		"no tenants": {`
url: https://login.microsoftonline.com/{tenantid}/v2.0`,
			[]string{`issuers[0].tenants: is empty, and url of the issuer has a placeholder`}},
		"a tenant by its domain": {`
url: https://login.microsoftonline.com/{tenantid}/v2.0
tenants: [contoso.onmicrosoft.com]`,
			[]string{`delegation.yaml:3: issuers[0].tenants[0]: "contoso.onmicrosoft.com" is not`}},
		"no placeholder": {`
url: https://login.microsoftonline.com/common/v2.0
tenants: [11111111-2222-3333-4444-555555555555]
aliases: [x]
unsafe_any_tenant: true
tenant_claim: org`,
			[]string{"issuers[0].tenants: is for", "issuers[0].aliases[0]: ",
				"issuers[0].unsafe_any_tenant: is for", "issuers[0].tenant_claim: is for"}},
		"discovery by http": {`
url: https://tenant.example.com
discovery_url: http://tenant.example.com`,
			[]string{"delegation.yaml:3: issuers[0].discovery_url: "}},
		"an unknown key": {`
url: https://tenant.example.com
tenant: x`, []string{"issuers[0].tenant: unknown key"}},
	} {
		t.Run(name, func(t *testing.T) {
			w.wantOfIssuer(t, test.issuer, test.want)
		})
	}
}

// TestSettings_IssuerDocuments: the keys for where an issuer's documents are, and how they are
// fetched, reach the library; paths are relative to the configuration.
func TestSettings_IssuerDocuments(t *testing.T) {
	w := newWorld(t)
	w.write(t, "token", "canary-token")
	for name, test := range map[string]struct {
		issuer string
		want   []string // none: it is fine
	}{
		"a cluster": {`
url: https://kubernetes.default.svc.cluster.local
ca_file: signing.crt
bearer_token_file: token
document_origins: ["https://10.0.0.10:6443"]`, nil},
		"a backchannel": {`
url: https://kc.example.com/realms/a
insecure_http_hosts: ["keycloak:8080"]
discovery_url: http://keycloak:8080/realms/a/.well-known/openid-configuration`, nil},

		"no files": {`
url: https://tenant.example.com
ca_file: nowhere.pem
bearer_token_file: nowhere`, []string{"delegation.yaml:3: issuers[0].ca_file: ",
			"delegation.yaml:4: issuers[0].bearer_token_file: ",
			"nowhere.pem: no such file or directory: name a file with the CA's certificate in PEM",
			"nowhere: no such file or directory: name a file with the token"}},
		"hosts and origins": {`
url: https://tenant.example.com
insecure_http_hosts: ["http://keycloak:8080"]
document_origins: ["https://10.0.0.10/keys"]`,
			[]string{"delegation.yaml:3: issuers[0].insecure_http_hosts[0]: ",
				"delegation.yaml:4: issuers[0].document_origins[0]: "}},
		"plain http": {`
url: http://tenant.example.com`, []string{"insecure_http_hosts of the issuer"}},
	} {
		t.Run(name, func(t *testing.T) {
			w.wantOfIssuer(t, test.issuer, test.want)
		})
	}
}

// TestCheck_PrivateCAAndProxy: SSL_CERT_FILE, HTTPS_PROXY and NO_PROXY work for a process of the
// program, ca_file does what SSL_CERT_FILE does, and what fails is told apart.
func TestCheck_PrivateCAAndProxy(t *testing.T) {
	w := newWorld(t)
	const issuer = "https://example.com"
	w.provider.SetIssuer(issuer)
	w.issuerURL = issuer
	network := must(oidctest.NewNetwork(w.provider))
	ca := w.write(t, "ca.pem", string(network.CertificatePEM()))
	proxy := httptest.NewServer(network)
	t.Cleanup(proxy.Close)
	forbidding := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(forbidding.Close)
	server := httptest.NewUnstartedServer(w.provider)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that are meant to fail
	server.StartTLS()
	t.Cleanup(server.Close)
	file := w.configFile(t, "")
	text := string(must(os.ReadFile(file)))
	// This is this machine, and no name or address of loopback, which are never asked by a proxy.
	direct := strings.Replace(server.URL, "127.0.0.1", "0.0.0.0", 1)
	for name, test := range map[string]struct {
		more        string // of the issuer
		environment []string
		want        string
	}{
		"a CA of the system": {"", []string{"HTTPS_PROXY=" + proxy.URL, "SSL_CERT_FILE=" + ca},
			"  ok"},
		"a CA of the issuer": {", ca_file: ca.pem", []string{"HTTPS_PROXY=" + proxy.URL}, "  ok"},
		"no CA": {"", []string{"HTTPS_PROXY=" + proxy.URL},
			"(key_set_certificate): if your own CA signed the certificate, " +
				"set ca_file of the issuer"},
		"a proxy that forbids": {"", []string{"HTTPS_PROXY=" + forbidding.URL},
			"(key_set_proxy): check the proxy that HTTPS_PROXY"},
		"a proxy for another address": {"", []string{"HTTPS_PROXY=" + forbidding.URL},
			"(key_set_proxy)"},
		"no proxy for it": {"", []string{"HTTPS_PROXY=" + forbidding.URL,
			"NO_PROXY=other.example,0.0.0.0"}, "(key_set_certificate)"},
	} {
		t.Run(name, func(t *testing.T) {
			settings := strings.Replace(text, ", allow_loopback_http: true", test.more, 1)
			if strings.Contains(name, "another address") || strings.Contains(name, "for it") {
				settings = strings.Replace(settings, issuer, direct, 1)
			}
			command := exec.Command(binary(t), "check", "--config",
				w.write(t, "delegation.yaml", settings))
			command.Env = append(command.Environ(), "NO_PROXY=", "no_proxy=", "https_proxy=")
			command.Env = append(command.Env, test.environment...)
			out, _ := command.CombinedOutput() // the exit code says less
			line := ""
			for found := range strings.Lines(string(out)) {
				if strings.HasPrefix(found, "issuer ") {
					line = found
				}
			}
			if !strings.Contains(line, test.want) {
				t.Errorf("got %s", out)
			}
		})
	}
}

// TestCheck_ProxyOfPlainHTTP: HTTP_PROXY is for documents over plain http. One that is down is
// named, and another one in its place works.
func TestCheck_ProxyOfPlainHTTP(t *testing.T) {
	w := newWorld(t)
	const issuer = "http://idp.internal"
	w.provider.SetIssuer(issuer)
	w.issuerURL = issuer
	working := httptest.NewServer(must(oidctest.NewNetwork(w.provider)))
	t.Cleanup(working.Close)
	file := w.configFile(t, "")
	text := strings.Replace(string(must(os.ReadFile(file))), "allow_loopback_http: true",
		"insecure_http_hosts: [idp.internal]", 1)
	file = w.write(t, "delegation.yaml", text)
	for _, row := range []struct{ proxy, want string }{
		{"http://127.0.0.1:1", "(key_set_proxy): check the proxy that HTTPS_PROXY or HTTP_PROXY names"},
		{working.URL, "  ok"},
	} {
		command := exec.Command(binary(t), "check", "--config", file)
		command.Env = append(command.Environ(), "http_proxy=", "no_proxy=", "NO_PROXY=",
			"HTTP_PROXY="+row.proxy)
		out, _ := command.CombinedOutput() // the exit code says less
		line := regexp.MustCompile("(?m)^issuer .*$").FindString(string(out))
		if !strings.Contains(line, row.want) {
			t.Errorf("got %s, want %s", out, row.want)
		}
	}
}
