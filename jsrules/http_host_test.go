package jsrules_test

import (
	"errors"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/jsrules"
)

// TestHTTP_HostOfURL: a request goes to the host that URL reads, or nowhere. A rule that decides by
// the host of a URL must not call another one. Both hosts are listed, so that the list hides
// nothing.
func TestHTTP_HostOfURL(t *testing.T) {
	var urls []string
	for _, begin := range []string{
		"https://", "https:", "https:/", "https:///", `https:\\`, `https:/\`, "HTTPS://",
		" https://", "https://user:p@", "https://good.example@", "https://good.example:443@",
		`https://good.example\@`, "https://good.example/@", "https://good.example?@",
		"https://good.example#@",
		"https://good.example%40", "https://good.example%2f@", "https://good.example;@",
		"https://good.example\t@", "https://good.example%23@", "https://@", "https://a@b@",
		"https://good.example:443:", "https://[good.example]@", "https://good.example%00",
	} {
		for _, host := range []string{
			"good.example", "evil.example", "EVIL.example", "evil.example.", "evil.example..",
			"evil%2eexample", "evi%6c.example", "evil.\texample", "evil.exa\u00admple",
			"evil.example\u3002",
			"\uff45vil.example", "b\u00fccher.example", "xn--bcher-kva.example", "xn--a.example",
			"192.0.2.7", "192.0.2.7.", "192.0.519", "0xc0.0.2.7", "0300.0.2.7", "3221225991",
			"+192.0.2.7", "[2001:db8::1]", "[2001:DB8:0::0:1]", "[[2001:db8::1]]",
			"[2001:db8::1%25a]", "[::ffff:192.0.2.7]",
		} {
			for _, end := range []string{
				"", ":443/", ":08443/", `\@good.example`, "#@good.example/",
			} {
				urls = append(urls, begin+host+end)
			}
		}
	}
	allow := []string{
		"good.example", "evil.example", "evil.example:8443", "xn--bcher-kva.example", "192.0.2.7",
		"192.0.2.7:8443", "[2001:db8::1]", "[2001:db8::1]:8443",
	}
	called := map[string]string{} // by the number of the URL
	client := &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
		called[r.Header.Get("X-Number")] = r.URL.Host
		return nil, errors.New("far enough")
	})}
	rule := compile(t, `async function (user, context, callback) {
		user.hosts = [];
		for (const [i, url] of user.urls.entries()) {
			let host = 'none';
			try { host = new URL(url).host; } catch (e) {}
			user.hosts.push(host);
			await fetch(url, {headers: {'X-Number': i}}).catch(() => {});
		}
		callback(null, user, context);
	}`, jsrules.Options{RuleTimeout: time.Minute, ChainTimeout: time.Minute,
		HTTP: &jsrules.HTTP{Allow: allow, Client: client, MaxRequests: len(urls)}})
	user := &delegation.User{Properties: map[string]any{"urls": urls}}
	if err := rule(t.Context(), user, &delegation.RuleContext{}); err != nil {
		t.Fatal(err)
	}
	hosts := map[string]int{}
	for i, read := range user.Properties["hosts"].([]any) {
		host := called[strconv.Itoa(i)]
		if host == "" {
			continue
		}
		hosts[host]++
		if sameHost(read.(string)) != sameHost(host) {
			t.Errorf("%q: URL reads the host %q, and %q was called", urls[i], read, host)
		}
	}
	if len(hosts) < len(allow) {
		t.Errorf("only these hosts were called: %v", hosts)
	}
	t.Logf("of %d URLs, these hosts were called: %v", len(urls), hosts)
}

// sameHost writes a host without its last dot, and an IPv6 address in the form of the URL Standard.
func sameHost(host string) string {
	name, port, found := strings.Cut(host, "]")
	if found {
		address := must(netip.ParseAddr(strings.TrimPrefix(name, "[")))
		return "[" + address.Unmap().String() + "]" + port
	}
	name, port, _ = strings.Cut(host, ":")
	return strings.TrimSuffix(name, ".") + ":" + port
}
