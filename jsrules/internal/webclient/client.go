package webclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/seed055b7978/delegation/jsrules/internal/node"
)

// Settings say what a [Client] may do. The zero value permits no host.
type Settings struct {
	// Allow are the hosts that requests may go to.
	Allow []string
	// PlainLoopback permits http to loopback addresses in Allow.
	PlainLoopback bool
	// Transport sends the requests. Nil is a transport with the usual settings. Addresses are not
	// checked if it is no *http.Transport, or has its own DialContext or Dial; nor are those of
	// https if it has its own DialTLSContext or DialTLS.
	Transport http.RoundTripper
	// Timeout is the limit for one call with its redirects. It must be positive.
	Timeout time.Duration
	// MaxSize is the largest answer, and the largest body of a request, in bytes.
	MaxSize int64
	// MaxRedirects is how many redirects a call follows at most.
	MaxRedirects int
}

// Client sends requests. It is safe for concurrent use.
type Client struct {
	settings  Settings
	allowed   *allowed
	transport http.RoundTripper
}

// UserAgent is sent if the rule sets none.
const UserAgent = "delegation-jsrules"

const (
	// maxHeader limits the headers of an answer, in bytes.
	maxHeader = 256 << 10
	// idle is how long an idle connection is kept for the next request to the same host.
	idle = 30 * time.Second
)

// New makes a client. The error names the entries of Allow that are wrong.
func New(s Settings) (*Client, error) {
	list, err := parseAllowed(s.Allow, s.PlainLoopback)
	if err != nil {
		return nil, err
	}
	c := &Client{settings: s, allowed: list}
	c.transport = c.checking(s.Transport)
	return c, nil
}

// checking returns the given transport, with connections that check addresses unless it has its
// own functions to connect.
func (c *Client) checking(given http.RoundTripper) http.RoundTripper {
	if given == nil {
		return &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            c.dial,
			ForceAttemptHTTP2:      true,
			MaxIdleConns:           64,
			MaxIdleConnsPerHost:    8,
			IdleConnTimeout:        idle,
			MaxResponseHeaderBytes: maxHeader,
		}
	}
	usual, ok := given.(*http.Transport)
	//lint:ignore SA1019 a transport may have the old field, and then connects by it
	if !ok || usual.DialContext != nil || usual.Dial != nil {
		return given
	}
	checked := usual.Clone()
	checked.DialContext = c.dial
	if checked.MaxResponseHeaderBytes == 0 { // Go's default is 10 MB, which no budget counts
		checked.MaxResponseHeaderBytes = maxHeader
	}
	return checked
}

// targetKey is the context's key of the address that a request is for.
type targetKey struct{}

// dial connects. The address of a proxy is the operator's choice and is not checked.
func (c *Client) dial(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := &net.Dialer{}
	wanted, known := ctx.Value(targetKey{}).(string)
	if known && wanted != address {
		return dialer.DialContext(ctx, network, address)
	}
	host, _, _ := net.SplitHostPort(address)
	dialer.Control = func(_, to string, _ syscall.RawConn) error {
		parsed, err := netip.ParseAddrPort(to)
		if err != nil {
			return &Error{Code: CodeAddress, Text: "the address of " + host + " cannot be read"}
		}
		return c.allowed.checkAddress(host, parsed)
	}
	return dialer.DialContext(ctx, network, address)
}

// CloseIdleConnections closes the connections that no request uses.
func (c *Client) CloseIdleConnections() {
	if idle, ok := c.transport.(interface{ CloseIdleConnections() }); ok {
		idle.CloseIdleConnections()
	}
}

// Request is what a rule sends.
type Request struct {
	// Method is a method of HTTP. Empty is GET.
	Method string
	// URL is absolute, and read as the class URL of Node does. Its user info becomes basic
	// authorization, unless Header has an Authorization.
	URL string
	// OldURL reads URL as url.parse of Node does, which leaves . and .. in the path.
	OldURL bool
	// Header is not changed. Its values are texts of JavaScript: each character is sent as one
	// byte, and one above U+00FF is an error.
	Header http.Header
	Body   []byte
	// Timeout limits connecting, and then the rest of the call. Zero: the rule sets no limit.
	Timeout time.Duration
	// Redirects is how many redirects are followed. One redirect more is an error if RefuseMore is
	// set. Otherwise it is returned as the answer.
	Redirects  int
	RefuseMore bool
	// ToGet follows redirects by GET, except for HEAD and after 307. Otherwise only 303, and 301
	// and 302 after POST, lead to GET.
	ToGet bool
}

// Response is an answer, read to its end.
type Response struct {
	Status     int
	StatusText string
	// Header has texts of JavaScript: each byte that was received is one character.
	Header http.Header
	Body   []byte
	// URL is where the answer came from, without user info.
	URL string
	// Redirected says that URL is not the requested one.
	Redirected bool
}

// Do sends a request and reads the answer, of any status. The error is an [*Error], or the cause of
// the context's end. The budget may be nil.
func (c *Client) Do(ctx context.Context, r Request, b *Budget) (*Response, error) {
	if int64(len(r.Body)) > c.settings.MaxSize {
		return nil, &Error{Code: CodeSize, Text: fmt.Sprintf(
			"the body of the request is larger than Options.HTTP.MaxSize, %d bytes",
			c.settings.MaxSize)}
	}
	ctx, stop := c.limit(ctx, r.Timeout)
	defer stop()
	hop, err := c.firstHop(r)
	if err != nil {
		return nil, err
	}
	most := min(r.Redirects, c.settings.MaxRedirects)
	for followed := 0; ; followed++ {
		answer, err := c.send(ctx, hop, b)
		if err != nil {
			return nil, err
		}
		location := redirection(answer)
		if location == "" || followed == most && !r.RefuseMore {
			answer.Redirected = followed > 0
			answer.StatusText = fromLatin1(answer.StatusText)
			answer.Header = textHeader(answer.Header)
			return answer, nil
		}
		if followed == most {
			return nil, &Error{Code: CodeRedirects, Host: hop.target.String(),
				Text: "Maximum number of redirects exceeded"}
		}
		if hop, err = hop.redirect(location, answer.Status, r.ToGet); err != nil {
			return nil, err
		}
	}
}

// limit returns a context with the limits of the host and of the rule.
func (c *Client) limit(
	parent context.Context, timeout time.Duration,
) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	whole := time.AfterFunc(c.settings.Timeout, func() {
		cancel(&Error{Code: CodeTimeout, Text: fmt.Sprintf(
			"no answer within Options.HTTP.Timeout, %v", c.settings.Timeout)})
	})
	if timeout <= 0 {
		return ctx, func() {
			whole.Stop()
			cancel(nil)
		}
	}
	var connected atomic.Bool
	phase := time.AfterFunc(timeout, func() {
		if connected.Load() {
			cancel(&Error{Code: CodeSocketTimeout, Text: CodeSocketTimeout})
		} else {
			cancel(&Error{Code: CodeTimeout, Text: CodeTimeout, Connecting: true})
		}
	})
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) {
			if connected.CompareAndSwap(false, true) {
				phase.Reset(timeout)
			}
		},
	})
	return ctx, func() {
		whole.Stop()
		phase.Stop()
		cancel(nil)
	}
}

// hop is one request of a call.
type hop struct {
	method string
	web    *node.URL
	url    *url.URL // what of web is sent
	target target
	header http.Header
	body   []byte
}

// firstHop reads a request.
func (c *Client) firstHop(r Request) (*hop, error) {
	u, err := readURL(r)
	if err != nil {
		return nil, err
	}
	h := &hop{method: strings.ToUpper(r.Method), body: r.Body, header: http.Header{}}
	if h.method == "" {
		h.method = http.MethodGet
	}
	for name, values := range r.Header {
		name = http.CanonicalHeaderKey(name)
		if !ours[name] {
			h.header[name] = append(h.header[name], values...)
		}
	}
	name, password, hasUser := u.User()
	if hasUser && h.header.Get("Authorization") == "" {
		basic := http.Request{Header: h.header}
		basic.SetBasicAuth(name, password)
	}
	if h.header.Get("User-Agent") == "" {
		h.header.Set("User-Agent", UserAgent)
	}
	if err := h.goTo(u); err != nil {
		return nil, err
	}
	if host := r.Header.Get("Host"); host != "" && !strings.EqualFold(host, h.url.Host) {
		return nil, &Error{Code: CodeRequest, Host: h.target.String(),
			Text: "the header Host must name the host of the URL"}
	}
	return h, nil
}

// ours are headers that the client sets itself. Accept-Encoding is one of them, because the client
// unpacks answers.
var ours = map[string]bool{
	"Accept-Encoding": true, "Connection": true, "Content-Length": true, "Expect": true,
	"Host": true, "Keep-Alive": true, "Proxy-Authorization": true, "Proxy-Connection": true,
	"Te": true, "Trailer": true, "Transfer-Encoding": true, "Upgrade": true,
}

// readURL reads the URL of a request.
func readURL(r Request) (*node.URL, error) {
	parse := node.ParseOldURL
	if !r.OldURL {
		parse = func(text string) (*node.URL, error) { return node.ParseURL(text, nil) }
	}
	u, err := parse(r.URL)
	if err != nil {
		return nil, urlError(err)
	}
	return u, nil
}

// urlError is the error of a URL that cannot be read.
func urlError(err error) *Error {
	if errors.Is(err, node.ErrURLHost) {
		return &Error{Code: CodeURL,
			Text: "Invalid URL: its host is not ASCII: write the xn-- form"}
	}
	return invalidURL()
}

// goTo sets the URL of a hop. List and connection see the host that is sent.
func (h *hop) goTo(u *node.URL) error {
	if u.Scheme() != "https" && u.Scheme() != "http" {
		return invalidURL()
	}
	to, err := targetOf(u)
	if err != nil {
		return err
	}
	query, hasQuery := u.Query()
	path := sendable(u.Path())
	plain, err := url.PathUnescape(path)
	if err != nil { // sendable leaves nothing that cannot be decoded
		return invalidURL()
	}
	h.web = u
	h.target = to
	h.url = &url.URL{
		Scheme:     u.Scheme(),
		Host:       to.String(),
		Path:       plain,
		RawPath:    path,
		RawQuery:   query,
		ForceQuery: hasQuery && query == "",
	}
	return nil
}

// sendable returns a path in a form that url.URL sends byte for byte. For a path with a character
// that RFC 3986 §3.3 does not permit, url.URL would encode the decoded path anew, and %2F would
// become a slash. Where the URL Standard leaves such a character as it is, Node sends it raw: | and
// a % that begins no escape, and ^ in versions before the Standard's path percent-encode set had
// it. Here all of them are escaped. A server that decodes the path reads the same, except that it
// may refuse a raw % and not a %25.
func sendable(path string) string {
	const permitted = "-._~!$&'()*+,;=:@/[]"
	var b strings.Builder
	for i := range len(path) {
		c := path[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		escape := c == '%' && i+2 < len(path) && isHex(path[i+1]) && isHex(path[i+2])
		if letter || escape || strings.IndexByte(permitted, c) >= 0 {
			b.WriteByte(c)
			continue
		}
		fmt.Fprintf(&b, "%%%02X", c)
	}
	return b.String()
}

func isHex(c byte) bool { return strings.IndexByte("0123456789abcdefABCDEF", c) >= 0 }

// send sends one request and reads the answer.
func (c *Client) send(ctx context.Context, h *hop, b *Budget) (*Response, error) {
	if err := c.allowed.check(h.target); err != nil {
		return nil, err
	}
	if err := b.request(); err != nil {
		return nil, err
	}
	dialed := net.JoinHostPort(h.target.host, fmt.Sprint(h.target.port))
	ctx = context.WithValue(ctx, targetKey{}, dialed)
	origin := h.url.Scheme + "://" + h.url.Host
	request, err := http.NewRequestWithContext(ctx, h.method, origin, bytes.NewReader(h.body))
	if err != nil {
		return nil, &Error{Code: CodeRequest, Host: h.target.String(),
			Text: "the method is not one of HTTP"}
	}
	sent := *h.url
	request.URL = &sent
	request.Header, err = sentHeader(h.header)
	if err != nil {
		return nil, err
	}
	answer, err := c.exchange(request, h, b)
	if err != nil {
		return nil, failure(ctx, h.target, err)
	}
	return answer, nil
}

// exchange sends a request and reads the answer within the limits. The operator's transport may
// panic, which must not end the process.
func (c *Client) exchange(request *http.Request, h *hop, b *Budget) (_ *Response, err error) {
	defer func() {
		if value := recover(); value != nil {
			err = &Error{Code: CodeReset, Host: h.target.String(),
				Text: "the transport of Options.HTTP.Client panicked"}
		}
	}()
	// Not by http.Client, which reads a Location itself and fails at one that Node takes.
	response, err := c.transport.RoundTrip(request)
	if err != nil {
		return nil, err // it can repeat parts of an answer, which failure leaves out
	}
	if response.Body == nil {
		response.Body = http.NoBody
	}
	defer response.Body.Close()
	tooLarge := &Error{Code: CodeSize, Host: h.target.String(), Text: fmt.Sprintf(
		"the answer of %s is larger than Options.HTTP.MaxSize, %d bytes", h.target,
		c.settings.MaxSize)}
	if response.ContentLength > c.settings.MaxSize && h.method != http.MethodHead {
		return nil, tooLarge
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, c.settings.MaxSize+1))
	if err != nil {
		return nil, err
	}
	if int64(len(body)) > c.settings.MaxSize {
		return nil, tooLarge
	}
	if err := b.read(int64(len(body))); err != nil {
		return nil, err
	}
	_, text, _ := strings.Cut(response.Status, " ")
	return &Response{
		Status:     response.StatusCode,
		StatusText: text,
		Header:     response.Header,
		Body:       body,
		URL:        h.web.Public(),
	}, nil
}

// redirection returns where an answer redirects to (RFC 9110 §15.4), or "".
func redirection(answer *Response) string {
	switch answer.Status {
	case 301, 302, 303, 307, 308:
		return answer.Header.Get("Location")
	}
	return ""
}

// redirect returns the request that follows a redirect. Another host gets no headers that could
// hold credentials, and no body.
func (h *hop) redirect(location string, status int, toGet bool) (*hop, error) {
	to, err := node.ParseURL(location, h.web)
	if err != nil {
		return nil, urlError(err)
	}
	next := &hop{method: h.method, header: h.header.Clone(), body: h.body}
	if err := next.goTo(to); err != nil {
		return nil, err
	}
	toGet = toGet && status != 307 || status == 303 || status < 303 && h.method == http.MethodPost
	if toGet && h.method != http.MethodHead {
		next.method = http.MethodGet
		next.body = nil
		next.header.Del("Content-Type")
	}
	if next.target == h.target {
		return next, nil
	}
	if len(next.body) > 0 {
		return nil, &Error{Code: CodeRedirect, Host: h.target.String(),
			Text: h.target.String() + " redirects a request with a body to another host, " +
				"which is not followed: call that host itself"}
	}
	for name := range next.header {
		if name != "Accept" && name != "Accept-Language" && name != "User-Agent" {
			next.header.Del(name)
		}
	}
	return next, nil
}
