package session_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/seed055b7978/delegation/internal/session"
)

// row is a row of the table in docs/environment.md.
type row struct{ variable, effect, refused string }

// documented are the rows of that table.
func documented(t *testing.T) []row {
	t.Helper()
	text, err := os.ReadFile("../../docs/environment.md")
	if err != nil {
		t.Fatal(err)
	}
	var rows []row
	pattern := regexp.MustCompile("(?m)^\\| `(AWS_\\w+)` \\| (\\w+) \\| [^|]*\\| ([^|]*)\\|$")
	for _, m := range pattern.FindAllStringSubmatch(string(text), -1) {
		rows = append(rows, row{m[1], m[2], strings.TrimSpace(m[3])})
	}
	return rows
}

// withoutAWS takes all of AWS's variables out of the environment until the test ends.
func withoutAWS(t *testing.T) {
	t.Helper()
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, "AWS_") || name == "_X_AMZN_TRACE_ID" {
			t.Setenv(name, "") // which is undone
			_ = os.Unsetenv(name)
		}
	}
}

// observed is what a variable can change in a call.
type observed struct {
	url     string
	headers http.Header
	slowest time.Duration // of 200 pauses before the second attempt
}

// observe makes a client and a call that reaches nobody.
func observe(t *testing.T) (observed, error) {
	t.Helper()
	client, err := session.NewClient(session.ClientOptions{})
	if err != nil {
		return observed{}, err
	}
	var seen observed
	err = assume(t, client, func(o *sts.Options) {
		o.HTTPClient = doer(func(r *http.Request) (*http.Response, error) {
			seen.url = r.URL.String()
			seen.headers = r.Header.Clone()
			return nil, errors.New("nobody is asked")
		})
	})
	if err == nil || seen.url == "" {
		t.Fatalf("the call was not seen: %v", err)
	}
	seen.headers.Del("Amz-Sdk-Invocation-Id") // is random
	for range 200 {
		pause, err := client.Options().Retryer.RetryDelay(1, errors.New("once more"))
		if err != nil {
			t.Fatal(err)
		}
		seen.slowest = max(seen.slowest, pause)
	}
	return seen, nil
}

// same compares all but the pauses, which are random.
func (o observed) same(other observed) bool {
	return o.url == other.url &&
		maps.EqualFunc(o.headers, other.headers, slices.Equal[[]string]) &&
		(o.slowest > 50*time.Millisecond) == (other.slowest > 50*time.Millisecond)
}

// TestEnvironment_AllVariables: docs/environment.md has a row for each variable that the SDK reads,
// and none twice. Those of other SDKs may be there, too.
func TestEnvironment_AllVariables(t *testing.T) {
	rows := map[string]bool{}
	for _, r := range documented(t) {
		if rows[r.variable] {
			t.Errorf("%s has two rows", r.variable)
		}
		rows[r.variable] = true
	}
	variable := regexp.MustCompile(`"(AWS_[A-Z0-9_]+[A-Z0-9])"`)
	found := 0
	for module, folders := range map[string][]string{
		"github.com/aws/aws-sdk-go-v2":             {"aws", "internal/timeouts"},
		"github.com/aws/aws-sdk-go-v2/config":      {"."},
		"github.com/aws/aws-sdk-go-v2/service/sts": {"."},
	} {
		dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
		if err != nil {
			t.Fatal(err)
		}
		for _, folder := range folders {
			for _, name := range goFiles(t, filepath.Join(strings.TrimSpace(string(dir)), folder)) {
				text, err := os.ReadFile(name)
				if err != nil {
					t.Fatal(err)
				}
				for _, m := range variable.FindAllStringSubmatch(string(text), -1) {
					found++
					if !rows[m[1]] {
						t.Errorf("docs/environment.md has no row for %s (%s)", m[1], name)
					}
				}
			}
		}
	}
	if found < 50 {
		t.Errorf("only %d variables were found in the SDK: this test is about nothing", found)
	}
}

// goFiles are the source files in and below a folder, without tests.
func goFiles(t *testing.T, folder string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(name string, e os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// TestEnvironment_Ignored: each variable that docs/environment.md calls ignored changes nothing in
// a call of STS, whatever its value is.
func TestEnvironment_Ignored(t *testing.T) {
	withoutAWS(t)
	broken := filepath.Join(t.TempDir(), "config")
	const text = "[default\n[profile sso]\nsso_session = none\n=\n[default]\nregion = mars-1\n" +
		"endpoint_url = http://10.0.0.1\nuse_fips_endpoint = maybe\nca_bundle = /nowhere\n"
	if err := os.WriteFile(broken, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	want, err := observe(t)
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, r := range documented(t) {
		if r.effect != "ignored" {
			continue
		}
		tried++
		for _, value := range []string{
			"true", "auto", "sso", "1", "-1", "mars-north-1", "http://10.0.0.1", broken,
			"\x7f no {",
		} {
			t.Run(r.variable+" "+value, func(t *testing.T) {
				t.Setenv(r.variable, value)
				got, err := observe(t)
				if err != nil || !got.same(want) {
					t.Errorf("got %+v, %v; want %+v", got, err, want)
				}
			})
		}
	}
	if tried < 30 {
		t.Errorf("only %d variables were tried", tried)
	}
}

// heeded says for each variable that docs/environment.md calls heeded how a call shows it: the
// other variables that it needs, its value, and what is then seen.
var heeded = map[string]struct {
	with, value string
	seen        func(observed) bool
}{
	"AWS_ENDPOINT_URL_STS": {
		"AWS_ENDPOINT_URL=https://other.example.com", "https://sts.example.com",
		func(o observed) bool { return o.url == "https://sts.example.com/" },
	},
	"AWS_ENDPOINT_URL": {
		"", "https://aws.example.com",
		func(o observed) bool { return o.url == "https://aws.example.com/" },
	},
	"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": {
		"AWS_ENDPOINT_URL=http://10.0.0.1 AWS_ENDPOINT_URL_STS=http://10.0.0.1", "TRUE",
		func(o observed) bool { return o.url == "https://sts.eu-central-1.amazonaws.com/" },
	},
	"AWS_USE_FIPS_ENDPOINT": {
		"", "true",
		func(o observed) bool { return o.url == "https://sts-fips.eu-central-1.amazonaws.com/" },
	},
	"AWS_USE_DUALSTACK_ENDPOINT": {
		"", "True",
		func(o observed) bool { return o.url == "https://sts.eu-central-1.api.aws/" },
	},
	"AWS_SDK_UA_APP_ID": {
		"", "photo-app",
		func(o observed) bool {
			return strings.Contains(o.headers.Get("User-Agent"), "app/photo-app")
		},
	},
	"AWS_EXECUTION_ENV": {
		"", "AWS_ECS_FARGATE",
		func(o observed) bool {
			return strings.Contains(o.headers.Get("User-Agent"), "exec-env/AWS_ECS_FARGATE")
		},
	},
	"AWS_LAMBDA_FUNCTION_NAME": {
		"_X_AMZN_TRACE_ID=Root=1", "exchange",
		func(o observed) bool { return o.headers.Get("X-Amzn-Trace-Id") == "Root=1" },
	},
	"AWS_NEW_RETRIES_2026": {
		"", "true",
		func(o observed) bool { return o.slowest <= 100*time.Millisecond },
	},
}

// TestEnvironment_Heeded: each variable that docs/environment.md calls heeded is. AWS_CA_BUNDLE has
// a test of its own, TestNewClient_TakesACABundle.
func TestEnvironment_Heeded(t *testing.T) {
	tried := 0
	for _, r := range documented(t) {
		if r.effect != "heeded" || r.variable == "AWS_CA_BUNDLE" {
			continue
		}
		tried++
		t.Run(r.variable, func(t *testing.T) {
			row, ok := heeded[r.variable]
			if !ok {
				t.Fatal("nothing shows that it is heeded")
			}
			withoutAWS(t)
			for _, other := range strings.Fields(row.with) {
				name, value, _ := strings.Cut(other, "=")
				t.Setenv(name, value)
			}
			before, err := observe(t)
			if err == nil && row.seen(before) {
				t.Error("it is also seen without the variable")
			}
			t.Setenv(r.variable, row.value)
			got, err := observe(t)
			if err != nil || !row.seen(got) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
	if tried != len(heeded) {
		t.Errorf("%d variables are documented, %d are tried", tried, len(heeded))
	}
}

// TestEnvironment_Refused: values that are refused are named with their variable, and each
// documented one is tried. The tests of New have those that depend on a region.
func TestEnvironment_Refused(t *testing.T) {
	folder := t.TempDir()
	noPEM := filepath.Join(folder, "ca.pem")
	if err := os.WriteFile(noPEM, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	const endpoint = "AWS_ENDPOINT_URL_STS=https://sts.example.com"
	tried := map[string]bool{}
	for _, c := range []struct{ variable, value, with, want string }{
		{"AWS_ENDPOINT_URL_STS", "sts.example.com", "", "is not a URL"},
		{"AWS_ENDPOINT_URL_STS", "http://10.0.0.1", "", "plain http to another machine"},
		{"AWS_ENDPOINT_URL", "ftp://sts.example.com", "", "is not a URL"},
		{"AWS_ENDPOINT_URL", "http://10.0.0.1", "", "plain http to another machine"},
		{"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "yes", "", `is "yes", not true or false`},
		{"AWS_USE_FIPS_ENDPOINT", "1", "", `is "1", not true or false`},
		{"AWS_USE_FIPS_ENDPOINT", "true", endpoint, "because of the environment variable " +
			"AWS_ENDPOINT_URL_STS: the AWS SDK calls an endpoint of your own, or one that is FIPS"},
		{"AWS_USE_DUALSTACK_ENDPOINT", "on", "", `is "on", not true or false`},
		{"AWS_USE_DUALSTACK_ENDPOINT", "true", endpoint, "because of the environment variable " +
			"AWS_ENDPOINT_URL_STS: the AWS SDK calls an endpoint of your own, or one that is FIPS"},
		{"AWS_CA_BUNDLE", filepath.Join(folder, "none"), "", "no such file"},
		{"AWS_CA_BUNDLE", folder, "", "is a directory"},
		{"AWS_CA_BUNDLE", noPEM, "", `ca.pem" has no certificate in PEM`},
	} {
		tried[c.variable] = true
		t.Run(c.variable+" "+c.value, func(t *testing.T) {
			withoutAWS(t)
			if name, value, ok := strings.Cut(c.with, "="); ok {
				t.Setenv(name, value)
			}
			t.Setenv(c.variable, c.value)
			_, err := observe(t)
			var refused *session.EnvironmentError
			if !errors.As(err, &refused) || refused.Variable != c.variable ||
				!strings.Contains(err.Error(), "environment variable "+c.variable+": ") ||
				!strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	for _, r := range documented(t) {
		if (r.refused != "") != tried[r.variable] {
			t.Errorf("%s: documented as refused: %t, tried: %t",
				r.variable, r.refused != "", tried[r.variable])
		}
	}
}

// TestNewClient_KindsOfEndpoints: FIPS and dual stack exclude an endpoint of one's own, wherever
// they are set.
func TestNewClient_KindsOfEndpoints(t *testing.T) {
	withoutAWS(t)
	const own = "https://sts.example.com"
	for name, o := range map[string]session.ClientOptions{
		"FIPS":      {Endpoint: own, FIPS: true},
		"DualStack": {Endpoint: own, DualStack: true},
	} {
		want := "Config." + name + " is set, and STS is to be called at " + own +
			", because of the configuration"
		_, err := session.NewClient(o)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", name, err)
		}
		o.Endpoint = ""
		if _, err := session.NewClient(o); err != nil {
			t.Errorf("%s without an endpoint: got %v", name, err)
		}
	}
}

// TestNewClient_IgnoreEnvironment: a client of something in this process is what its options say,
// even where a variable would be refused.
func TestNewClient_IgnoreEnvironment(t *testing.T) {
	withoutAWS(t)
	t.Setenv("AWS_USE_FIPS_ENDPOINT", "true")
	t.Setenv("AWS_USE_DUALSTACK_ENDPOINT", "maybe")
	t.Setenv("AWS_CA_BUNDLE", "/nowhere")
	t.Setenv("AWS_ENDPOINT_URL_STS", "http://10.0.0.1")
	for _, endpoint := range []string{"http://127.0.0.1:1", ""} {
		client, err := session.NewClient(session.ClientOptions{
			Endpoint:          endpoint,
			IgnoreEnvironment: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		got := session.EndpointOf(client)
		if got != (session.Endpoint{URL: endpoint}) {
			t.Errorf("got %+v", got)
		}
	}
}

// TestBoundedClient_SaysTheWay: an error names the proxy that the request went through, without its
// password, and the bundle of CAs that did not know the server's.
func TestBoundedClient_SaysTheWay(t *testing.T) {
	refusing := httptest.NewServer(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	defer refusing.Close()
	host := strings.TrimPrefix(refusing.URL, "http://")
	const secret = "canary"
	for name, c := range map[string]struct {
		url   string
		proxy func(*http.Request) (string, error)
		want  string
		never string
	}{
		"a proxy that refuses": {
			"https://sts.eu-central-1.amazonaws.com",
			func(*http.Request) (string, error) {
				return "http://user:" + secret + "@" + host, nil
			},
			`through the proxy "` + host + `" of HTTPS_PROXY or HTTP_PROXY: Forbidden`, secret,
		},
		"a proxy that is away": {
			"https://sts.eu-central-1.amazonaws.com",
			func(*http.Request) (string, error) { return "http://127.0.0.1:1", nil },
			`through the proxy "127.0.0.1:1" of HTTPS_PROXY or HTTP_PROXY: proxyconnect tcp: dial`,
			secret,
		},
		"a wrong address": {
			"https://sts.eu-central-1.amazonaws.com",
			func(*http.Request) (string, error) { return "", errors.New("invalid " + secret) },
			"the address of the proxy is wrong: correct HTTPS_PROXY or HTTP_PROXY", secret,
		},
		"no proxy": {
			"http://127.0.0.1:1",
			func(*http.Request) (string, error) { return "", nil },
			"connection refused", "proxy",
		},
	} {
		t.Run(name, func(t *testing.T) {
			client := session.BoundedClient(session.Transport(nil).WithTransportOptions(
				func(tr *http.Transport) { tr.Proxy = proxyOf(c.proxy) }))
			_, err := client.Do(request(t, c.url))
			if err == nil || !strings.Contains(err.Error(), c.want) ||
				strings.Contains(err.Error(), c.never) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// proxyOf makes a transport's function of one that returns a text.
func proxyOf(
	text func(*http.Request) (string, error),
) func(*http.Request) (*url.URL, error) {
	return func(r *http.Request) (*url.URL, error) {
		address, err := text(r)
		if err != nil || address == "" {
			return nil, err
		}
		return url.Parse(address)
	}
}

func request(t *testing.T, address string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestNewClient_SaysTheBundle: the certificate of a server whose CA is not in AWS_CA_BUNDLE is
// refused with the variable's name. Without the variable, the variable is not named.
func TestNewClient_SaysTheBundle(t *testing.T) {
	withoutAWS(t)
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	for name, c := range map[string]struct{ bundle, want string }{
		"another CA": {otherCA(t), "only the CAs of AWS_CA_BUNDLE count"},
		"none":       {"", "certificate signed by unknown authority"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("AWS_CA_BUNDLE", c.bundle)
			client, err := session.NewClient(session.ClientOptions{Endpoint: server.URL})
			if err != nil {
				t.Fatal(err)
			}
			err = assume(t, client, nil)
			if err == nil || !strings.Contains(err.Error(), c.want) ||
				(c.bundle == "") == strings.Contains(err.Error(), "AWS_CA_BUNDLE") {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// otherCA writes a certificate that has signed nothing but itself.
func otherCA(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "other.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestHostOf: an error of the SDK names the host that was called, also if AWS answered.
func TestHostOf(t *testing.T) {
	withoutAWS(t)
	answering := httptest.NewServer(http.HandlerFunc(
		func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	defer answering.Close()
	for _, endpoint := range []string{answering.URL, "http://127.0.0.1:1"} {
		client, err := session.NewClient(session.ClientOptions{Endpoint: endpoint})
		if err != nil {
			t.Fatal(err)
		}
		got := session.HostOf(assume(t, client, nil))
		if want := strings.TrimPrefix(endpoint, "http://"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	for _, err := range []error{nil, errors.New("x"), context.Canceled} {
		if got := session.HostOf(err); got != "" {
			t.Errorf("%v: got %q", err, got)
		}
	}
}

// TestErrorOf_Configuration: what the SDK says of its configuration is kept.
func TestErrorOf_Configuration(t *testing.T) {
	withoutAWS(t)
	client, err := session.NewClient(session.ClientOptions{Endpoint: "https://sts.example.com"})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*sts.Options)
		want   string
	}{
		"FIPS and an endpoint": {
			func(o *sts.Options) {
				o.EndpointOptions.UseFIPSEndpoint = aws.FIPSEndpointStateEnabled
			},
			"Invalid Configuration: FIPS and custom endpoint are not supported",
		},
		"no region": {
			func(o *sts.Options) {
				o.BaseEndpoint = nil
				o.Region = ""
			},
			"Invalid Configuration: Missing Region",
		},
		"a region that is none": {
			func(o *sts.Options) { o.Region = "eu central 1" },
			"invalid input region eu central 1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			failure := session.ErrorOf(assume(t, client, c.change), false)
			if failure == nil || failure.Code != "sts_refused" ||
				!strings.Contains(failure.Error(), "STS client is not configured correctly: ") ||
				!strings.Contains(failure.Error(), c.want) {
				t.Errorf("got %v, want %q", failure, c.want)
			}
		})
	}
}
