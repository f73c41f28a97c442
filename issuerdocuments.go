package delegation

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/seed055b7978/delegation/internal/document"
	"github.com/seed055b7978/delegation/internal/freshness"
	"github.com/seed055b7978/delegation/internal/idtoken"
)

// Limits of files that an issuer's settings name.
const (
	maxCAFile     = 1 << 20
	maxBearerFile = 16 << 10
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
		problems.add("BearerTokenFile is sent over https only, and no document of the issuer " +
			"is there")
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
	pool, ca, err := readCAs(i.CAFile)
	if err != nil {
		problems.add("CAFile: %w", err)
	}
	client := http.Client{}
	if shared != nil {
		client = *shared
	}
	client.Transport, err = trusting(client.Transport, pool)
	if err != nil {
		problems.add("CAFile: %w", err)
	}
	return &client, ca
}

// trusting is a transport that takes certificates of these CAs only, and else is as the other one.
func trusting(transport http.RoundTripper, pool *x509.CertPool) (http.RoundTripper, error) {
	if transport == nil {
		transport = http.DefaultTransport
	}
	base, ok := transport.(*http.Transport)
	//lint:ignore SA1019 a transport with the deprecated hook makes TLS itself too
	if !ok || base.DialTLSContext != nil || base.DialTLS != nil {
		return nil, errors.New("Config.HTTPClient has a transport of its own: " +
			"set Issuer.HTTPClient to a client that trusts the CA")
	}
	own := base.Clone()
	if own.TLSClientConfig == nil {
		own.TLSClientConfig = &tls.Config{}
	}
	own.TLSClientConfig.RootCAs = pool
	return own, nil
}

// readCAs reads certificates in PEM, and nothing else. The key tells the file's content from
// others.
func readCAs(name string) (*x509.CertPool, freshness.Key, error) {
	var none freshness.Key
	text, err := readBounded(name, maxCAFile)
	if err != nil {
		return nil, none, err
	}
	pool := x509.NewCertPool()
	found := 0
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			return nil, none, fmt.Errorf("%s has a %.40q, and may have certificates only",
				name, block.Type)
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, none, fmt.Errorf("certificate %d of %s cannot be read", found+1, name)
		}
		pool.AddCert(certificate)
		found++
	}
	if found == 0 {
		return nil, none, fmt.Errorf("%s has no certificate in PEM", name)
	}
	return pool, freshness.KeyOf([]string{string(text)}), nil
}

// bearerToken is the form of a token that a header can have (RFC 6750 §2.1).
var bearerToken = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\A[A-Za-z0-9._~+/-]+=*\z`)
})

// bearer reads the bearer token, each time anew: Kubernetes replaces it within the hour. No error
// holds anything of the file.
func (i *Issuer) bearer() (string, error) {
	text, err := readBounded(i.BearerTokenFile, maxBearerFile)
	if err != nil {
		return "", err
	}
	token := bytes.TrimRight(text, "\r\n")
	if !bearerToken().Match(token) {
		return "", fmt.Errorf("%s does not hold one bearer token and nothing else",
			i.BearerTokenFile)
	}
	return string(token), nil
}
