package webclient_test

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed055b7978/delegation/jsrules/internal/webclient"
)

// settings are those of a test that calls servers on loopback.
func settings(allow ...string) webclient.Settings {
	return webclient.Settings{
		Allow:         allow,
		PlainLoopback: true,
		Timeout:       time.Hour,
		MaxSize:       1000,
		MaxRedirects:  3,
	}
}

func client(t testing.TB, s webclient.Settings) *webclient.Client {
	t.Helper()
	c, err := webclient.New(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// serve starts a server on loopback, and returns its address.
func serve(t testing.TB, handler http.HandlerFunc) (address string) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// codeOf returns the code of an error.
func codeOf(err error) string {
	var failure *webclient.Error
	if errors.As(err, &failure) {
		return failure.Code
	}
	return fmt.Sprint(err)
}

// nowhere is a transport that must not be used.
type nowhere struct{ t *testing.T }

func (n nowhere) RoundTrip(r *http.Request) (*http.Response, error) {
	n.t.Errorf("a request went to %s", r.URL.Host)
	return nil, errors.New("nowhere")
}

// everywhere is a transport that answers everything, and remembers where requests went.
type everywhere struct {
	mu    sync.Mutex
	hosts []string
	uris  []string // what is sent of the URL after the host
}

func (e *everywhere) RoundTrip(r *http.Request) (*http.Response, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.hosts = append(e.hosts, r.URL.Host)
	e.uris = append(e.uris, r.URL.RequestURI())
	return &http.Response{StatusCode: 200, Status: "200 OK", Header: http.Header{},
		Body: io.NopCloser(strings.NewReader("")), Request: r}, nil
}

// TestAllow: only what the list has is called, also where a URL is written to look like it.
func TestAllow(t *testing.T) {
	list := []string{"api.example.com", "*.sub.example.org", "other.example.net:8443", "192.0.2.7",
		"[2001:db8::1]:444", "UPPER.example.com"}
	s := settings(list...)
	sent := &everywhere{}
	s.Transport = sent
	c := client(t, s)
	for url, want := range map[string]string{
		"https://api.example.com/x?y=z":                "api.example.com",
		"https://API.Example.COM/":                     "api.example.com",
		"https://api.example.com./":                    "api.example.com",
		"https://api.example.com:443/":                 "api.example.com",
		"https://user:pass@api.example.com/":           "api.example.com",
		" https://api.example.com/ ":                   "api.example.com",
		"https://upper.example.com/":                   "upper.example.com",
		"https://a.sub.example.org/":                   "a.sub.example.org",
		"https://a.b.sub.example.org/":                 "a.b.sub.example.org",
		"https://other.example.net:8443/":              "other.example.net:8443",
		"https://192.0.2.7/":                           "192.0.2.7",
		"https://[2001:db8::1]:444/":                   "[2001:db8::1]:444",
		"https://[::ffff:192.0.2.7]/":                  "[::ffff:192.0.2.7]",
		"https://api.example.com:8443/":                webclient.CodeHost,
		"https://evil.example.com/":                    webclient.CodeHost,
		"https://api.example.com.evil.example/":        webclient.CodeHost,
		"https://evilapi.example.com/":                 webclient.CodeHost,
		"https://api.example.com@evil.example/":        webclient.CodeHost,
		"https://evil.example/@api.example.com":        webclient.CodeHost,
		"https://evil.example#@api.example.com":        webclient.CodeHost,
		"https://evil.example?@api.example.com":        webclient.CodeHost,
		"https://sub.example.org/":                     webclient.CodeHost,
		"https://evilsub.example.org/":                 webclient.CodeHost,
		"https://other.example.net/":                   webclient.CodeHost,
		"https://192.0.2.8/":                           webclient.CodeHost,
		"https://[2001:db8::1]/":                       webclient.CodeHost,
		"https://127.0.0.1/":                           webclient.CodeHost,
		"https://localhost/":                           webclient.CodeHost,
		"https://2130706433/":                          webclient.CodeHost,
		"https://0x7f000001/":                          webclient.CodeHost,
		"http://api.example.com/":                      webclient.CodeHost, // port 80
		"http://api.example.com:443/":                  webclient.CodeInsecure,
		`https://api.example.com\@evil.example/`:       "api.example.com",
		`https://evil.example\@api.example.com/`:       webclient.CodeHost,
		"https://api.example.com\t.evil.example/":      webclient.CodeHost,
		"https://api.example.com\u3002evil.example/":   webclient.CodeURL,
		"https://\uff41pi.example.com/":                webclient.CodeURL,
		"https://api%2eexample.com/":                   "api.example.com",
		"https://[fe80::1%25eth0]/":                    webclient.CodeURL,
		"https://api.example.com:99999/":               webclient.CodeURL,
		"https://api.example.com:0/":                   webclient.CodeURL,
		"https:///x":                                   webclient.CodeHost,
		"https:api.example.com":                        "api.example.com",
		"//api.example.com/":                           webclient.CodeURL,
		"ftp://api.example.com/":                       webclient.CodeURL,
		"file:///etc/passwd":                           webclient.CodeURL,
		"/x":                                           webclient.CodeURL,
		"":                                             webclient.CodeURL,
		"https://" + strings.Repeat("a.", 130) + "com": webclient.CodeURL,
	} {
		sent.hosts = nil
		_, err := c.Do(t.Context(), webclient.Request{URL: url}, nil)
		got := codeOf(err)
		if err == nil {
			got = strings.Join(sent.hosts, " ")
		} else if sent.hosts != nil {
			t.Errorf("%q: %v, and a request went to %v", url, err, sent.hosts)
		}
		if got != want {
			t.Errorf("%q: got %s, want %s", url, got, want)
		}
	}
}

// TestAllow_OneHost: however a host is written, the list decides on the host that Node.js would
// call, and that host is the one that is called.
func TestAllow_OneHost(t *testing.T) {
	s := settings("api.example.com", "*.wild.example", "xn--bcher-kva.example", "192.0.2.7",
		"127.0.0.1", "0x7f.0.0.1", "[2001:db8::1]")
	sent := &everywhere{}
	s.Transport = sent
	c := client(t, s)
	for host, want := range map[string]string{
		"XN--BCHER-KVA.example":         "xn--bcher-kva.example",
		"xn--bcher-kva.example.":        "xn--bcher-kva.example",
		"xn--a.wild.example":            webclient.CodeURL,
		"wild.example":                  webclient.CodeHost,
		"xn--bcher-kv.example":          webclient.CodeURL,
		"b\u00fccher.example":           webclient.CodeURL,
		"b%C3%BCcher.example":           webclient.CodeURL,
		"bu\u0308cher.example":          webclient.CodeURL,
		"\uff58n--bcher-kva.example":    webclient.CodeURL,
		"api.ex\u00adample.com":         webclient.CodeURL,
		"api.example\uff0ecom":          webclient.CodeURL,
		"api.example.com\u3002":         webclient.CodeURL,
		"api.example\u2024com":          webclient.CodeURL,
		"evil\uff0fapi.wild.example":    webclient.CodeURL,
		"evil\u2100.wild.example":       webclient.CodeURL,
		"\u0430pi.example.com":          webclient.CodeURL,
		"\xffapi.example.com":           webclient.CodeURL,
		"api.example.com.":              "api.example.com",
		"api.example.com..":             webclient.CodeURL,
		".api.example.com":              webclient.CodeURL,
		"api..example.com":              webclient.CodeURL,
		".wild.example":                 webclient.CodeURL,
		"ap%69.example.com":             "api.example.com",
		"%61pi.example.com":             "api.example.com",
		"evil.example%2f.wild.example":  webclient.CodeURL,
		"evil.example%23.wild.example":  webclient.CodeURL,
		"evil.example%00.wild.example":  webclient.CodeURL,
		"evil.example%40api.example.co": webclient.CodeURL,
		"a%20b.wild.example":            webclient.CodeURL,
		"192.0.2.7.":                    "192.0.2.7",
		"192.0.2.7..":                   webclient.CodeURL,
		"192.0.519":                     "192.0.2.7",
		"3221225991":                    "192.0.2.7",
		"0xc0000207":                    "192.0.2.7",
		"0300.0.2.7":                    "192.0.2.7",
		"192.0.2.07":                    "192.0.2.7",
		"192.0.2.+7":                    webclient.CodeURL,
		"192.0.2.7%2e":                  "192.0.2.7",
		"\uff11\uff19\uff12.0.2.7":      webclient.CodeURL,
		"127.1":                         "127.0.0.1",
		"+127.0.0.1":                    webclient.CodeURL,
		"-1":                            webclient.CodeHost,
		"0x7f.0.0.1":                    "127.0.0.1",
		"[2001:db8::1]":                 "[2001:db8::1]",
		"[2001:DB8:0:0:0:0:0:1]":        "[2001:db8::1]",
		"[2001:db8::0.0.0.1]":           "[2001:db8::1]",
		"[::ffff:c000:207]":             "[::ffff:192.0.2.7]",
		"[::192.0.2.7]":                 webclient.CodeHost,
		"[64:ff9b::192.0.2.7]":          webclient.CodeHost,
		"[2001:db8::2]":                 webclient.CodeHost,
		"[[2001:db8::1]]":               webclient.CodeURL,
		"[2001:db8::1]]":                webclient.CodeURL,
		"[2001:db8::1":                  webclient.CodeURL,
		"2001:db8::1":                   webclient.CodeURL,
		"[2001:db8::1%25eth0]":          webclient.CodeURL,
		"[2001:db8::1%eth0]":            webclient.CodeURL,
		"[api.example.com]":             webclient.CodeURL,
		"[192.0.2.7]":                   webclient.CodeURL,
		"[]":                            webclient.CodeURL,
	} {
		sent.hosts = nil
		_, err := c.Do(t.Context(), webclient.Request{URL: "https://" + host + "/"}, nil)
		got := codeOf(err)
		if err == nil {
			got = strings.Join(sent.hosts, " ")
		} else if sent.hosts != nil {
			t.Errorf("%q: %v, and a request went to %v", host, err, sent.hosts)
		}
		if got != want {
			t.Errorf("%q: got %s, want %s", host, got, want)
		}
	}
}

// TestAllow_NothingByDefault: without a list no host is called.
func TestAllow_NothingByDefault(t *testing.T) {
	c := client(t, webclient.Settings{Timeout: time.Hour, MaxSize: 1, Transport: nowhere{t}})
	for _, url := range []string{"https://example.com/", "https://127.0.0.1/", "http://[::1]/"} {
		_, err := c.Do(t.Context(), webclient.Request{URL: url}, nil)
		if codeOf(err) != webclient.CodeHost {
			t.Errorf("%s: got %v", url, err)
		}
	}
}

// TestAllow_WrongEntries: an entry that is no host is an error that names it.
func TestAllow_WrongEntries(t *testing.T) {
	for _, entry := range []string{"", "*", "*.", "*.com", "a.*.com", "*a.example.com",
		"https://example.com", "example.com/", "example.com/path", "user@example.com",
		"example.com:0", "example.com:port", "example.com:65536", "example .com", "example..com",
		".example.com", "bücher.example", "example.com?x", "example.com#x",
		strings.Repeat("a", 64) + ".com"} {
		_, err := webclient.New(settings("good.example.com", entry))
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("Allow: %.200q", entry)) {
			t.Errorf("%q: got %v", entry, err)
		}
	}
}

// TestPlainHTTP: http is for loopback addresses of the list, by an option.
func TestPlainHTTP(t *testing.T) {
	address := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })
	_, port, _ := net.SplitHostPort(address)
	s := settings(address, "localhost:"+port, "192.0.2.1:80")
	answer, err := client(t, s).Do(t.Context(), webclient.Request{URL: "http://" + address}, nil)
	if err != nil || string(answer.Body) != "ok" {
		t.Fatalf("got %v, %v", answer, err)
	}
	for _, url := range []string{"http://localhost:" + port, "http://192.0.2.1"} {
		_, err := client(t, s).Do(t.Context(), webclient.Request{URL: url}, nil)
		if codeOf(err) != webclient.CodeInsecure {
			t.Errorf("%s: got %v", url, err)
		}
	}
	s.PlainLoopback = false
	_, err = client(t, s).Do(t.Context(), webclient.Request{URL: "http://" + address}, nil)
	if codeOf(err) != webclient.CodeInsecure {
		t.Errorf("without the option: got %v", err)
	}
}

// TestDangerous: names must not lead to this machine, its link or its cloud.
func TestDangerous(t *testing.T) {
	for text, want := range map[string]bool{
		"127.0.0.1": true, "127.8.9.10": true, "::1": true, "0.0.0.0": true, "0.1.2.3": true,
		"::": true, "169.254.169.254": true, "169.254.170.2": true, "fe80::1": true,
		"224.0.0.1": true, "ff02::1": true, "255.255.255.255": true,
		"fd00:ec2::254": true, "fd20:ce::254": true, "100.100.100.200": true,
		"168.63.129.16": true, "::ffff:127.0.0.1": true, "::ffff:169.254.169.254": true,
		"64:ff9b::a9fe:a9fe": true, "2002:7f00:1::": true, "::7f00:1": true,
		"64:ff9b:1::a9fe:a9fe": true, "64:ff9b:1::c000:201": false,
		"::ffff:0:7f00:1": true, "::ffff:0:c000:201": false,
		"192.0.2.1": false, "10.0.0.1": false, "172.16.0.1": false, "192.168.1.1": false,
		"fd12::1": false, "2001:db8::1": false, "64:ff9b::c000:201": false, "100.64.0.1": false,
	} {
		if got := webclient.Dangerous(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: got %t", text, got)
		}
	}
}

// TestNamesThatLeadHere: the name localhost is in the list, and the address that it leads to is
// not. With both in the list the call is made.
func TestNamesThatLeadHere(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(
		func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") }))
	defer server.Close()
	address := server.Listener.Addr().String()
	_, port, _ := net.SplitHostPort(address)
	tlsConfig := server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	tlsConfig.ServerName = "example.com" // in httptest's certificate
	s := settings("localhost:" + port)
	s.Transport = &http.Transport{TLSClientConfig: tlsConfig}
	request := webclient.Request{URL: "https://localhost:" + port}
	_, err := client(t, s).Do(t.Context(), request, nil)
	if codeOf(err) != webclient.CodeAddress ||
		!strings.Contains(err.Error(), "Options.HTTP.Allow") {
		t.Errorf("got %v", err)
	}
	s.Allow = append(s.Allow, address, "[::1]:"+port)
	answer, err := client(t, s).Do(t.Context(), request, nil)
	if err != nil || string(answer.Body) != "ok" {
		t.Errorf("with the address in the list: got %v, %v", answer, err)
	}
	// The address alone is enough for a URL with the address.
	s.Allow = []string{address}
	if _, err := client(t, s).Do(t.Context(),
		webclient.Request{URL: "https://" + address}, nil); err != nil {
		t.Errorf("got %v", err)
	}
	// A transport that dials by itself is the operator's.
	s.Allow = []string{"localhost:" + port}
	dialer := &net.Dialer{}
	s.Transport = &http.Transport{TLSClientConfig: tlsConfig, DialContext: dialer.DialContext}
	if _, err := client(t, s).Do(t.Context(), request, nil); err != nil {
		t.Errorf("with a DialContext: got %v", err)
	}
}

// TestProxy: a proxy is called at whatever address it has, and the list still decides.
func TestProxy(t *testing.T) {
	var asked []string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.Host)
		w.WriteHeader(http.StatusBadGateway)
	}))
	defer proxy.Close()
	s := settings("api.example.com")
	s.Transport = &http.Transport{Proxy: func(*http.Request) (*url.URL, error) {
		return url.Parse(proxy.URL)
	}}
	c := client(t, s)
	_, err := c.Do(t.Context(), webclient.Request{URL: "https://api.example.com/"}, nil)
	if err == nil {
		t.Error("no error")
	}
	_, err = c.Do(t.Context(), webclient.Request{URL: "https://evil.example/"}, nil)
	if codeOf(err) != webclient.CodeHost {
		t.Errorf("got %v", err)
	}
	if len(asked) != 1 || asked[0] != "CONNECT api.example.com:443" {
		t.Errorf("the proxy was asked for %q", asked)
	}
}

// TestRedirects: redirects are followed within the list, and take no credentials elsewhere.
func TestRedirects(t *testing.T) {
	type request struct{ method, host, path, header, body string }
	var mu sync.Mutex
	var seen []request
	note := func(r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var header []string
		for _, name := range []string{"Authorization", "Cookie", "X-Api-Key", "Content-Type",
			"Accept"} {
			if r.Header.Get(name) != "" {
				header = append(header, name)
			}
		}
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, request{r.Method, r.Host, r.URL.Path, strings.Join(header, " "),
			string(body)})
	}
	other := serve(t, func(w http.ResponseWriter, r *http.Request) { note(r) })
	first := serve(t, func(w http.ResponseWriter, r *http.Request) {
		note(r)
		status := http.StatusFound
		_, _ = fmt.Sscan(r.URL.Query().Get("status"), &status)
		switch to := strings.TrimPrefix(r.URL.Path, "/"); to {
		case "same":
			http.Redirect(w, r, "/end", status)
		case "other":
			http.Redirect(w, r, "http://"+other+"/end", status)
		case "evil":
			http.Redirect(w, r, "https://evil.example/end", status)
		case "loop":
			http.Redirect(w, r, "/loop", status)
		case "scheme":
			w.Header().Set("Location", "file:///etc/passwd")
			w.WriteHeader(status)
		case "nowhere":
			w.WriteHeader(status)
		}
	})
	c := client(t, settings(first, other))
	all := "Authorization Cookie X-Api-Key Content-Type Accept"
	for name, row := range map[string]struct {
		method, path string
		body         string
		most         int
		more         bool
		want         []request // after the first
		code         string
		status       int
	}{
		"same host": {"GET", "/same", "", 3, true,
			[]request{{"GET", first, "/end", all, ""}}, "", 200},
		"other host": {"GET", "/other", "", 3, true,
			[]request{{"GET", other, "/end", "Accept", ""}}, "", 200},
		"out of the list": {"GET", "/evil", "", 3, true, nil, webclient.CodeHost, 0},
		"other scheme":    {"GET", "/scheme", "", 3, true, nil, webclient.CodeURL, 0},
		"no location":     {"GET", "/nowhere", "", 3, true, nil, "", 302},
		"not followed":    {"GET", "/evil", "", 0, false, nil, "", 302},
		"too many": {"GET", "/loop", "", 1, true, []request{{"GET", first, "/loop", all, ""}},
			webclient.CodeRedirects, 0},
		"POST, 302": {"POST", "/same", "body", 3, true, []request{{"GET", first, "/end",
			"Authorization Cookie X-Api-Key Accept", ""}}, "", 200},
		"POST, 302, other host": {"POST", "/other", "body", 3, true,
			[]request{{"GET", other, "/end", "Accept", ""}}, "", 200},
		"POST, 307": {"POST", "/same?status=307", "body", 3, true,
			[]request{{"POST", first, "/end", all, "body"}}, "", 200},
		"POST, 307, other host": {"POST", "/other?status=307", "body", 3, true, nil,
			webclient.CodeRedirect, 0},
		"PUT, 303": {"PUT", "/same?status=303", "body", 3, true, []request{{"GET", first, "/end",
			"Authorization Cookie X-Api-Key Accept", ""}}, "", 200},
		"PUT, 301": {"PUT", "/same?status=301", "body", 3, true,
			[]request{{"PUT", first, "/end", all, "body"}}, "", 200},
		"HEAD, 303": {"HEAD", "/same?status=303", "", 3, true,
			[]request{{"HEAD", first, "/end", all, ""}}, "", 200},
	} {
		seen = nil
		header := http.Header{"authorization": {"Bearer secret"}, "Cookie": {"a=secret"},
			"X-Api-Key": {"secret"}, "Content-Type": {"text/plain"}, "Accept": {"*/*"}}
		answer, err := c.Do(t.Context(), webclient.Request{Method: row.method,
			URL: "http://" + first + row.path, Header: header, Body: []byte(row.body),
			Redirects: row.most, RefuseMore: row.more}, nil)
		if row.code != "" && codeOf(err) != row.code || row.code == "" && err != nil {
			t.Errorf("%s: got %v, want %s", name, err, row.code)
		}
		if err == nil && (answer.Status != row.status || answer.Redirected != (row.want != nil)) {
			t.Errorf("%s: got %d, redirected: %t", name, answer.Status, answer.Redirected)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
		if len(seen) != len(row.want)+1 {
			t.Errorf("%s: got %+v, want %+v after the first", name, seen, row.want)
			continue
		}
		for i, want := range row.want {
			if seen[i+1] != want {
				t.Errorf("%s: got %+v, want %+v", name, seen[i+1], want)
			}
		}
	}
}

// TestRedirects_ToGet: every redirect but 307 leads to GET, if so wanted.
func TestRedirects_ToGet(t *testing.T) {
	var methods []string
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		methods = append(methods, r.Method)
		if r.URL.Path == "/" {
			status := 0
			_, _ = fmt.Sscan(r.URL.RawQuery, &status)
			http.Redirect(w, r, "/end", status)
		}
	})
	for status, want := range map[int]string{301: "GET", 302: "GET", 303: "GET", 307: "DELETE",
		308: "GET"} {
		methods = nil
		_, err := client(t, settings(address)).Do(t.Context(), webclient.Request{Method: "DELETE",
			URL: fmt.Sprintf("http://%s/?%d", address, status), Redirects: 3, ToGet: true}, nil)
		if got := strings.Join(methods, " "); err != nil || got != "DELETE "+want {
			t.Errorf("%d: got %s, %v", status, got, err)
		}
	}
}

// TestSize: an answer above the limit is refused, whatever its form, and is not read further.
func TestSize(t *testing.T) {
	wrote := make(chan int, 1)
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/fits":
			fmt.Fprint(w, strings.Repeat("x", 1000))
		case "/announced":
			w.Header().Set("Content-Length", "1001")
			fmt.Fprint(w, strings.Repeat("x", 1001))
		case "/chunked":
			w.(http.Flusher).Flush()
			fmt.Fprint(w, strings.Repeat("x", 1001))
		case "/compressed":
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			defer z.Close()
			fmt.Fprint(z, strings.Repeat("x", 1001))
		case "/endless":
			n := 0
			for r.Context().Err() == nil && n < 1<<30 {
				written, err := w.Write(make([]byte, 1<<16))
				n += written
				if err != nil {
					break
				}
			}
			wrote <- n
		}
	})
	c := client(t, settings(address))
	for path, want := range map[string]string{
		"/fits": "", "/announced": webclient.CodeSize, "/chunked": webclient.CodeSize,
		"/compressed": webclient.CodeSize, "/endless": webclient.CodeSize,
	} {
		_, err := c.Do(t.Context(), webclient.Request{URL: "http://" + address + path}, nil)
		if err == nil && want != "" || err != nil && codeOf(err) != want {
			t.Errorf("%s: got %v", path, err)
		}
	}
	if n := <-wrote; n == 1<<30 {
		t.Error("the endless answer was read to its end")
	}
	_, err := c.Do(t.Context(), webclient.Request{Method: "POST", URL: "http://" + address,
		Body: make([]byte, 1001)}, nil)
	if codeOf(err) != webclient.CodeSize {
		t.Errorf("a large request: got %v", err)
	}
}

// TestTimeouts: each limit ends a call with a code of its own.
func TestTimeouts(t *testing.T) {
	for name, row := range map[string]struct {
		connects      bool
		timeout, most time.Duration
		code          string
		connecting    bool
		after         time.Duration
	}{
		"no answer": {
			true, time.Second, time.Hour, webclient.CodeSocketTimeout, false,
			1500 * time.Millisecond,
		},
		"no connection": {
			false, time.Second, time.Hour, webclient.CodeTimeout, true, time.Second,
		},
		"of the host": {
			true, 0, 10 * time.Second, webclient.CodeTimeout, false, 10 * time.Second,
		},
		"host before": {
			true, time.Minute, 2 * time.Second, webclient.CodeTimeout, false, 2 * time.Second,
		},
		"not connecting": {
			false, 0, 3 * time.Second, webclient.CodeTimeout, false, 3 * time.Second,
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			here, there := net.Pipe()
			defer here.Close()
			defer there.Close()
			go func() { _, _ = io.Copy(io.Discard, there) }()
			s := settings("127.0.0.1:80")
			s.Timeout = row.most
			s.Transport = &http.Transport{DisableKeepAlives: true, DialContext: func(
				ctx context.Context, _, _ string) (net.Conn, error) {
				if !row.connects {
					<-ctx.Done()
					return nil, ctx.Err()
				}
				time.Sleep(500 * time.Millisecond)
				return here, nil
			}}
			began := time.Now()
			_, err := client(t, s).Do(t.Context(), webclient.Request{
				URL: "http://127.0.0.1", Timeout: row.timeout}, nil)
			var failure *webclient.Error
			if !errors.As(err, &failure) || failure.Code != row.code ||
				failure.Connecting != row.connecting {
				t.Errorf("%s: got %+v", name, err)
			}
			if took := time.Since(began); took != row.after {
				t.Errorf("%s: took %v", name, took)
			}
		})
	}
}

// TestCancelled: the end of the caller's context ends the call, with the context's cause.
func TestCancelled(t *testing.T) {
	arrived := make(chan struct{})
	address := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
	})
	cause := errors.New("the exchange has ended")
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		<-arrived
		cancel(cause)
	}()
	_, err := client(t, settings(address)).Do(ctx,
		webclient.Request{URL: "http://" + address, Timeout: time.Hour}, nil)
	if !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
}

// TestBudget: requests and bytes are counted for a rule and for its exchange.
func TestBudget(t *testing.T) {
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/again" {
			http.Redirect(w, r, "/", http.StatusFound)
			return
		}
		fmt.Fprint(w, strings.Repeat("x", 100))
	})
	c := client(t, settings(address))
	call := func(b *webclient.Budget, path string) string {
		_, err := c.Do(t.Context(), webclient.Request{URL: "http://" + address + path,
			Redirects: 3}, b)
		if err == nil {
			return ""
		}
		return codeOf(err)
	}
	exchange := webclient.NewBudget("the exchange", 5, 1000, nil)
	rule := webclient.NewBudget("the rule", 3, 1000, exchange)
	for i, want := range []string{"", "", "", webclient.CodeRequests} {
		if got := call(rule, "/"); got != want {
			t.Errorf("request %d: got %q", i, got)
		}
	}
	next := webclient.NewBudget("the rule", 3, 1000, exchange)
	if got := call(next, "/again"); got != "" {
		t.Errorf("two requests: got %q", got)
	}
	if got := call(next, "/"); got != webclient.CodeRequests {
		t.Errorf("the exchange's sixth: got %q", got)
	}
	small := webclient.NewBudget("the rule", 10, 150, nil)
	if got := call(small, "/"); got != "" {
		t.Errorf("got %q", got)
	}
	if got := call(small, "/"); got != webclient.CodeSize {
		t.Errorf("200 bytes of 150: got %q", got)
	}
	few := webclient.NewBudget("the rule", 10, 1000, webclient.NewBudget("all", 10, 150, nil))
	if call(few, "/"); call(few, "/") != webclient.CodeSize {
		t.Error("the exchange's bytes are not counted")
	}
}

// TestCodes: what fails has the code that Node gives it.
func TestCodes(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refused := closed.Addr().String()
	closed.Close()
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		conn, _, _ := w.(http.Hijacker).Hijack()
		if r.URL.Path == "/short" {
			fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfive!")
		}
		conn.Close()
	})
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	defer secure.Close()
	untrusted := secure.Listener.Addr().String()
	s := settings(refused, address, untrusted)
	c := client(t, s)
	for url, want := range map[string]string{
		"http://" + refused:            webclient.CodeRefused,
		"http://" + address:            webclient.CodeReset,
		"http://" + address + "/short": webclient.CodeReset,
		"https://" + untrusted:         "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
		"https://" + address:           "EPROTO",
	} {
		_, err := c.Do(t.Context(), webclient.Request{URL: url + "?token=secret"}, nil)
		if codeOf(err) != want || strings.Contains(fmt.Sprint(err), "secret") {
			t.Errorf("%s: got %s, %v, want %s", url, codeOf(err), err, want)
		}
	}
	s = settings("gone.example.com")
	s.Transport = failing{&net.DNSError{Err: "no such host", Name: "gone.example.com",
		IsNotFound: true}}
	request := webclient.Request{URL: "https://user:secret@gone.example.com/secret?secret"}
	_, err = client(t, s).Do(t.Context(), request, nil)
	if err == nil || err.Error() != "getaddrinfo ENOTFOUND gone.example.com" {
		t.Errorf("got %v", err)
	}
	s.Transport = failing{&net.DNSError{Err: "server misbehaving", Name: "x", IsTemporary: true}}
	if _, err = client(t, s).Do(t.Context(), request, nil); codeOf(err) != webclient.CodeTryAgain {
		t.Errorf("got %v", err)
	}
	s.Transport = failing{nil}
	if _, err = client(t, s).Do(t.Context(), request, nil); codeOf(err) != webclient.CodeReset {
		t.Errorf("a transport that panics: got %v", err)
	}
}

// failing is a transport that fails, or panics without an error.
type failing struct{ err error }

func (f failing) RoundTrip(*http.Request) (*http.Response, error) {
	if f.err == nil {
		panic("secret")
	}
	return nil, f.err
}

// TestHeaderLimit: the headers of an answer are limited, also for a transport of the operator that
// sets no limit. A limit of the operator stays.
func TestHeaderLimit(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Long", strings.Repeat("a", 300<<10))
	}))
	defer server.Close()
	for name, row := range map[string]struct {
		transport http.RoundTripper
		code      string
	}{
		"usual":    {nil, webclient.CodeReset},
		"no limit": {&http.Transport{}, webclient.CodeReset},
		"own":      {&http.Transport{MaxResponseHeaderBytes: 1 << 20}, "<nil>"},
	} {
		s := settings(server.Listener.Addr().String())
		s.PlainLoopback = true
		s.Transport = row.transport
		_, err := client(t, s).Do(t.Context(), webclient.Request{URL: server.URL}, nil)
		if code := codeOf(err); code != row.code {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestHeaders: a rule's headers are sent, except for those of the connection, and none breaks out.
func TestHeaders(t *testing.T) {
	var got http.Header
	address := serve(t, func(_ http.ResponseWriter, r *http.Request) { got = r.Header })
	c := client(t, settings(address))
	send := func(header http.Header, url string) error {
		got = nil
		_, err := c.Do(t.Context(), webclient.Request{URL: url, Header: header}, nil)
		return err
	}
	at := "http://user:p%40ss@" + address
	err := send(http.Header{"x-many": {"a", "b"}, "Transfer-Encoding": {"chunked"},
		"Connection": {"upgrade"}, "Upgrade": {"h2c"}, "Proxy-Authorization": {"x"}}, at)
	if err != nil || strings.Join(got["X-Many"], " ") != "a b" || got.Get("Upgrade") != "" ||
		got.Get("Proxy-Authorization") != "" || got.Get("User-Agent") != webclient.UserAgent ||
		got.Get("Authorization") != "Basic dXNlcjpwQHNz" {
		t.Errorf("got %v, %v", got, err)
	}
	err = send(http.Header{"authorization": {"Bearer x"}, "User-Agent": {"rule"},
		"Host": {address}}, at)
	if err != nil || got.Get("Authorization") != "Bearer x" || got.Get("User-Agent") != "rule" {
		t.Errorf("got %v, %v", got, err)
	}
	for name, header := range map[string]http.Header{
		"ERR_INVALID_CHAR":       {"X-A": {"a\r\nX-B: secret"}},
		"ERR_INVALID_HTTP_TOKEN": {"X A": {"secret"}},
		webclient.CodeRequest:    {"Host": {"internal.example.com"}},
	} {
		err := send(header, at)
		if codeOf(err) != name || got != nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %v, %v", name, err, got)
		}
	}
	_, err = c.Do(t.Context(), webclient.Request{Method: "GE T", URL: at}, nil)
	if codeOf(err) != webclient.CodeRequest {
		t.Errorf("a wrong method: got %v", err)
	}
}

// TestNothingIsKept: no cookie of an answer comes with the next request.
func TestNothingIsKept(t *testing.T) {
	var cookies []string
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		cookies = append(cookies, r.Header.Get("Cookie"))
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "secret"})
		if r.URL.Path == "/" {
			http.Redirect(w, r, "/end", http.StatusFound)
		}
	})
	c := client(t, settings(address))
	for range 2 {
		if _, err := c.Do(t.Context(), webclient.Request{URL: "http://" + address,
			Redirects: 3}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Join(cookies, ""); got != "" || len(cookies) != 4 {
		t.Errorf("got %q", cookies)
	}
}

// TestPaths: what is sent is what Node.js sends, except that | and ^ and a % that begins no escape
// are escaped. An escape of the rule is never decoded, whatever else the path has.
func TestPaths(t *testing.T) {
	sent := &everywhere{}
	s := settings("api.example.com")
	s.Transport = sent
	c := client(t, s)
	for path, want := range map[string]struct{ web, old string }{
		"/users/auth0|1/groups/..%2F..%2Fadmin": {
			"/users/auth0%7C1/groups/..%2F..%2Fadmin",
			"/users/auth0%7C1/groups/..%2F..%2Fadmin",
		},
		"/a b/..%2Fx":             {"/a%20b/..%2Fx", "/a%20b/..%2Fx"},
		"/é/..%2Fx":               {"/%C3%A9/..%2Fx", "/%C3%A9/..%2Fx"},
		`/^{"/..%2Fx`:             {"/%5E%7B%22/..%2Fx", "/%5E%7B%22/..%2Fx"},
		"/users/x/../../admin":    {"/admin", "/users/x/../../admin"},
		"/users/%2e%2E/admin":     {"/admin", "/users/%2e%2E/admin"},
		"/users/./x/.":            {"/users/x/", "/users/./x/."},
		`/a\b\..\c`:               {"/a/c", "/a/b/../c"},
		"/100%/x":                 {"/100%25/x", "/100%25/x"},
		"/100%/..%2Fx%2":          {"/100%25/..%2Fx%252", "/100%25/..%2Fx%252"},
		"/a'b":                    {"/a'b", "/a%27b"},
		"//evil.example/x":        {"//evil.example/x", "//evil.example/x"},
		"?a|b=\\'&c=%2F%":         {"/?a|b=\\%27&c=%2F%", "/?a%7Cb=%5C%27&c=%2F%"},
		"?":                       {"/?", "/?"},
		"/a\tb\n":                 {"/ab", "/a%09b"},
		"/x;y=1,2:3@4!$&()*+~[5]": {"/x;y=1,2:3@4!$&()*+~[5]", "/x;y=1,2:3@4!$&()*+~[5]"},
	} {
		for old, want := range map[bool]string{false: want.web, true: want.old} {
			sent.uris = nil
			_, err := c.Do(t.Context(), webclient.Request{
				URL: "https://api.example.com" + path, OldURL: old,
			}, nil)
			if got := strings.Join(sent.uris, " "); err != nil || got != want {
				t.Errorf("%q, old: %t: got %q, %v, want %q", path, old, got, err, want)
			}
		}
	}
	for c0 := range 256 {
		path := "/" + string(rune(c0)) + "/..%2Fx"
		for _, old := range []bool{false, true} {
			sent.uris = nil
			_, err := c.Do(t.Context(), webclient.Request{
				URL: "https://api.example.com" + path, OldURL: old,
			}, nil)
			got := strings.Join(sent.uris, " ")
			if err != nil || !strings.HasSuffix(got, "/..%2Fx") && c0 != '#' {
				t.Errorf("%q, old: %t: got %q, %v", path, old, got, err)
			}
		}
	}
}

// TestRedirects_Paths: a Location is read as Node.js reads it.
func TestRedirects_Paths(t *testing.T) {
	var got []string
	location := ""
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.RequestURI)
		if len(got) == 1 {
			w.Header()["Location"] = []string{location}
			w.WriteHeader(http.StatusFound)
		}
	})
	c := client(t, settings(address))
	for to, want := range map[string]string{
		"/auth0|1/..%2Fx":     "/auth0%7C1/..%2Fx",
		"/é/..%2Fx":           "/%C3%A9/..%2Fx",
		"/a/%2e%2e/b":         "/b",
		"../../b":             "/b",
		`\b`:                  "/b",
		"/100%/..%2Fx":        "/100%25/..%2Fx",
		"?x":                  "/a/b/c?x",
		"//" + address + "/y": "/y",
	} {
		got = nil
		location = to
		answer, err := c.Do(t.Context(), webclient.Request{
			URL: "http://" + address + "/a/b/c", Redirects: 3,
		}, nil)
		if err != nil || len(got) != 2 || got[1] != want || !answer.Redirected {
			t.Errorf("%q: got %q, %v, want %q", to, got, err, want)
		}
	}
}

// TestHeaders_Latin1: a character is one byte, in both directions, and what has no such byte is
// refused, as in Node.js.
func TestHeaders_Latin1(t *testing.T) {
	var got []string
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Header["X-Name"]
		w.Header()["X-Name"] = []string{"Jos\xe9", "Jos\xc3\xa9"}
	})
	c := client(t, settings(address))
	send := func(value string) (*webclient.Response, error) {
		got = nil
		return c.Do(t.Context(), webclient.Request{URL: "http://" + address,
			Header: http.Header{"X-Name": {value}}}, nil)
	}
	answer, err := send("José\t1")
	if err != nil || len(got) != 1 || got[0] != "Jos\xe9\t1" {
		t.Fatalf("sent %q, %v", got, err)
	}
	if texts := strings.Join(answer.Header["X-Name"], " "); texts != "José JosÃ©" {
		t.Errorf("received %q", texts)
	}
	for _, value := range []string{"5€", "a\x01", "a\x7f", "a\nb", "\U0001f600"} {
		_, err := send(value)
		if codeOf(err) != "ERR_INVALID_CHAR" || got != nil || strings.Contains(err.Error(), value) {
			t.Errorf("%q: sent %q, %v", value, got, err)
		}
	}
}

// TestQueries: characters that a query cannot have are escaped, and others stay as they are.
func TestQueries(t *testing.T) {
	var got string
	address := serve(t, func(_ http.ResponseWriter, r *http.Request) { got = r.RequestURI })
	c := client(t, settings(address))
	for path, want := range map[string]string{
		"/a b?q=c d":         "/a%20b?q=c%20d",
		`/?q="x"<y>`:         "/?q=%22x%22%3Cy%3E",
		"/?q=a%20b&r=a+b%2B": "/?q=a%20b&r=a+b%2B",
		"/ü?q=ü":             "/%C3%BC?q=%C3%BC",
		"/a%2Fb":             "/a%2Fb",
		"?x":                 "/?x",
		"/#secret":           "/",
	} {
		_, err := c.Do(t.Context(), webclient.Request{URL: "http://" + address + path}, nil)
		if err != nil || got != want {
			t.Errorf("%s: got %s, %v, want %s", path, got, err, want)
		}
	}
}
