package delegation

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode"

	"github.com/seed055b7978/delegation/internal/document"
	"github.com/seed055b7978/delegation/internal/freshness"
	"github.com/seed055b7978/delegation/internal/idtoken"
)

// allowed are the addresses at which the issuer's documents may be.
func (i *Issuer) allowed() document.Allowed {
	allowed := document.Allowed{
		LoopbackHTTP: i.AllowLoopbackHTTP,
		HTTPHosts:    slices.Clone(i.InsecureHTTPHosts),
	}
	for _, origin := range i.DocumentOrigins {
		allowed.Origins = append(allowed.Origins, document.Origin(origin))
	}
	return allowed
}

// setDocuments checks how the issuer's documents are fetched, and sets it. shared is the client of
// all issuers, which may be nil.
func (i *Issuer) setDocuments(
	compiled *idtoken.Issuer, shared *http.Client, problems *problems,
) {
	compiled.Allowed = i.allowed()
	i.checkHosts(problems)
	if i.SharedSecret.Reveal() != "" || len(i.JWKS) > 0 || i.secretsOnly() {
		i.checkNothingFetched(problems)
		return
	}
	var ca freshness.Key
	compiled.Client, ca = i.client(shared, problems)
	client := cmp.Or(i.HTTPClient, shared)
	compiled.Access = fmt.Sprintf("%p %s %q", client, ca, i.BearerTokenFile)
	if i.BearerTokenFile == "" {
		return
	}
	if !i.hasSecureDocument(compiled) {
		problems.add("BearerTokenFile is sent over https only, and the issuer has no https URL: " +
			"use https, or unset it")
	}
	if _, err := i.bearer(); err != nil {
		problems.add("BearerTokenFile: %w", err)
	}
	compiled.Bearer = i.bearer
}

// checkHosts checks the hosts and origins that are named.
func (i *Issuer) checkHosts(problems *problems) {
	for n, host := range i.InsecureHTTPHosts {
		named := strings.TrimPrefix(document.Origin("http://"+host), "http://")
		if named == "" || host != named && host != named+":80" || !isASCII(host) {
			problems.add("InsecureHTTPHosts[%d]: %.200q is not a host in lower case, "+
				"with its port unless that is 80", n, host)
		}
	}
	for n, origin := range i.DocumentOrigins {
		named := document.Origin(origin)
		if !strings.HasPrefix(named, "https://") || origin != named && origin != named+":443" ||
			!isASCII(origin) {
			problems.add("DocumentOrigins[%d]: %.200q is not https:// and a host in lower case, "+
				"with its port unless that is 443", n, origin)
		}
	}
}

func isASCII(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r > unicode.MaxASCII }) < 0
}

// checkNothingFetched checks that nothing says how to fetch documents if there are none.
func (i *Issuer) checkNothingFetched(problems *problems) {
	for _, set := range []struct {
		field string
		is    bool
	}{
		{"CAFile", i.CAFile != ""},
		{"BearerTokenFile", i.BearerTokenFile != ""},
		{"DocumentOrigins", len(i.DocumentOrigins) > 0},
		{"HTTPClient", i.HTTPClient != nil},
	} {
		if set.is {
			problems.add("%s has no effect with Issuer.JWKS, Issuer.SharedSecret, "+
				"or Issuer.ClientSecrets alone: nothing is fetched", set.field)
		}
	}
}

// hasSecureDocument tells whether a configured address is one that the bearer token is sent to.
func (i *Issuer) hasSecureDocument(compiled *idtoken.Issuer) bool {
	urls := append([]string{i.URL, i.DiscoveryURL, i.JWKSURL}, compiled.Allowed.Origins...)
	for _, url := range urls {
		if strings.HasPrefix(url, "https://") {
			return true
		}
	}
	return false
}

// client is the HTTP client of the issuer's documents, and what tells CAFile's content from others.
// nil: that of all issuers.
func (i *Issuer) client(
	shared *http.Client, problems *problems,
) (made *http.Client, ca freshness.Key) {
	if i.CAFile == "" {
		return i.HTTPClient, ca
	}
	if i.HTTPClient != nil {
		problems.add("CAFile has no effect with Issuer.HTTPClient: set one of them")
	}
	pool, text, err := document.ReadCAs(i.CAFile)
	if err != nil {
		problems.add("CAFile: %w", err)
	}
	client := http.Client{}
	if shared != nil {
		client = *shared
	}
	transport, ok := document.Trusting(client.Transport, pool)
	if !ok {
		problems.add("CAFile: Config.HTTPClient has a transport of its own: " +
			"set Issuer.HTTPClient to a client that trusts the CA")
		return &client, ca
	}
	client.Transport = transport
	return &client, freshness.KeyOf([]string{string(text)})
}

// bearer reads the bearer token, each time anew: Kubernetes replaces it within the hour. No error
// holds anything of the file.
func (i *Issuer) bearer() (string, error) { return document.ReadBearer(i.BearerTokenFile) }
