package profile

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/internal/document"
)

// endpoint takes profiles from a URL.
type endpoint struct {
	client       *http.Client
	template     string
	bearerFile   string
	subjectField string
	maxSize      int
}

// What stands for a claim in a URL.
const (
	ofIssuer  = "{issuer}"
	ofSubject = "{subject}"
)

func (c *Config) newEndpoint(client *http.Client, problem func(string, ...any)) *endpoint {
	if c.URL == "" {
		problem("URL is empty, and there is no Auth0: set one of them")
		return nil
	}
	filled := strings.NewReplacer(ofIssuer, "i", ofSubject, "s").Replace(c.URL)
	err := document.CheckURL(filled, c.AllowLoopbackHTTP)
	if err != nil || strings.ContainsAny(filled, "{}") || !inPathOrQuery(c.URL) {
		problem("URL: %.200q is not https:// and a host, with {subject} and perhaps {issuer} in "+
			"the path or the query (http only to loopback, with profile.Config.AllowLoopbackHTTP)",
			c.URL)
		return nil
	}
	if !strings.Contains(c.URL, ofSubject) {
		problem("URL: %.200q lacks {subject}: all users would have one profile", c.URL)
	}
	if !strings.Contains(c.URL, ofIssuer) && len(c.Issuers) == 0 {
		problem("URL: %.200q lacks {issuer}, and Issuers is empty: "+
			"list those whose users have profiles there", c.URL)
	}
	if c.BearerTokenFile != "" {
		if strings.HasPrefix(strings.ToLower(c.URL), "http:") { // schemes have no case
			problem("BearerTokenFile is sent over https only")
		}
		if _, err := document.ReadBearer(c.BearerTokenFile); err != nil {
			problem("BearerTokenFile: %w", err)
		}
	}
	return &endpoint{client, c.URL, c.BearerTokenFile, c.SubjectField, c.MaxSize}
}

// inPathOrQuery tells whether no placeholder is in the host of a URL.
func inPathOrQuery(template string) bool {
	_, rest, _ := strings.Cut(template, "://")
	host, _, _ := strings.Cut(rest, "/")
	host, _, _ = strings.Cut(host, "?")
	return !strings.Contains(host, "{")
}

func (e *endpoint) fetch(ctx context.Context, of key) (map[string]any, error) {
	address, err := fill(e.template, of)
	if err != nil {
		return nil, err
	}
	bearer := ""
	if e.bearerFile != "" {
		bearer, err = document.ReadBearer(e.bearerFile)
		if err != nil {
			return nil, refuse(delegation.CodeProfileUnauthorized, "the bearer token: %w", err)
		}
	}
	got, err := ask(ctx, e.client, question{address: address, bearer: bearer, maxSize: e.maxSize})
	if err != nil {
		return nil, err
	}
	return got.profile(e.subjectField, of.subject)
}

// fill returns the URL of a user. In the path, a subject with a slash could lead elsewhere, also
// escaped: many servers and proxies undo %2F and then follow "..".
func fill(template string, of key) (string, error) {
	path, query, _ := strings.Cut(template, "?")
	risky := of.subject == "." || of.subject == ".." || strings.ContainsAny(of.subject, "/\\")
	if risky && strings.Contains(path, ofSubject) {
		return "", refuse(delegation.CodeProfileInvalid, "a subject with a slash, or of dots, "+
			"cannot be in the path of profile.Config.URL: put {subject} into its query")
	}
	replace := strings.NewReplacer(ofIssuer, escape(of.issuer), ofSubject, escape(of.subject))
	path = replace.Replace(path)
	if query == "" {
		return path, nil
	}
	return path + "?" + replace.Replace(query), nil
}

// escape escapes everything but what RFC 3986 §2.3 calls unreserved, so that a value means the same
// in a path and in a query.
func escape(value string) string {
	return strings.ReplaceAll(url.QueryEscape(value), "+", "%20")
}
