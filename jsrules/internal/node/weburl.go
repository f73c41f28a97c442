package node

import (
	"errors"
	"strings"
)

// Errors of [ParseURL] and [ParseOldURL].
var (
	ErrURL     = errors.New("not a URL")
	ErrURLHost = errors.New("the host of the URL is not ASCII")
)

// URL is an absolute URL, as the class URL of rules has it.
type URL struct{ parsed *webURL }

// ParseURL reads a URL as the class URL of rules does. With a base it also reads a reference.
func ParseURL(text string, base *URL) (*URL, error) {
	return parseURL(&urlParser{}, text, base)
}

// ParseOldURL reads a URL of http or https as url.parse does: . and .. stay in the path, and more
// characters are escaped.
func ParseOldURL(text string) (*URL, error) {
	text = strings.TrimSpace(text)
	_, rest, _ := strings.Cut(text, "://")
	if path := strings.IndexAny(rest, "/\\?#"); path >= 0 {
		head := text[:len(text)-len(rest)+path]
		text = head + escapeOld(rest[path:])
	}
	return parseURL(&urlParser{keepDots: true}, text, nil)
}

// escapeOld escapes what follows the host. A backslash is a slash in the path only.
func escapeOld(text string) string {
	query := strings.IndexAny(text, "?#")
	if query < 0 {
		return oldEscapes.Replace(text)
	}
	rest := strings.ReplaceAll(text[query:], "\\", "%5C")
	return oldEscapes.Replace(text[:query] + rest)
}

// oldEscapes are the characters that url.parse escapes and the class URL does not, or not in each
// part (autoEscapeStr in lib/url.js of Node).
var oldEscapes = strings.NewReplacer(
	"\t", "%09", "\n", "%0A", "\r", "%0D", "'", "%27", "^", "%5E", "`", "%60",
	"{", "%7B", "|", "%7C", "}", "%7D",
)

func parseURL(p *urlParser, text string, base *URL) (*URL, error) {
	var from *webURL
	if base != nil {
		from = base.parsed
	}
	parsed := p.parseWeb(strings.ToValidUTF8(text, "\ufffd"), from)
	switch {
	case p.foreign:
		return nil, ErrURLHost
	case parsed == nil:
		return nil, ErrURL
	}
	return &URL{parsed}, nil
}

// Scheme returns the scheme in lower case.
func (u *URL) Scheme() string { return u.parsed.scheme }

// Hostname returns the host in lower case, an IPv6 address in brackets, or "".
func (u *URL) Hostname() string {
	if u.parsed.host == nil {
		return ""
	}
	return *u.parsed.host
}

// Port returns the port, or "" for that of the scheme.
func (u *URL) Port() string { return u.parsed.port }

// Origin returns scheme, host and port.
func (u *URL) Origin() string { return u.parsed.scheme + "://" + u.parsed.hostAndPort() }

// User returns user name and password, and whether there is one of them.
func (u *URL) User() (name, password string, ok bool) {
	name = string(unescape(u.parsed.username))
	password = string(unescape(u.parsed.password))
	return name, password, name != "" || password != ""
}

// Path returns the path as it is to be sent.
func (u *URL) Path() string { return u.parsed.pathname() }

// Query returns the query as it is to be sent, and whether there is one.
func (u *URL) Query() (query string, ok bool) {
	if u.parsed.query == nil {
		return "", false
	}
	return *u.parsed.query, true
}

// Public returns the URL without user name, password and fragment.
func (u *URL) Public() string {
	public := *u.parsed
	public.username = ""
	public.password = ""
	public.fragment = nil
	return public.String()
}
