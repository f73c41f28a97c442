package document

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// MaxSize is the largest body that Get takes, in bytes.
const MaxSize = 1 << 20

// The errors for answers that Get refuses. Every other error means that there was no usable answer.
var (
	ErrRedirect = errors.New("it answered with a redirect")
	ErrTooLarge = fmt.Errorf("its answer is larger than %d bytes", MaxSize)
)

// RedirectError is an answer that was a redirect. It matches ErrRedirect.
type RedirectError struct {
	// To is the address that it leads to, without user and fragment. Empty: none was named.
	To string
}

func (e RedirectError) Error() string {
	if e.To == "" {
		return ErrRedirect.Error()
	}
	return fmt.Sprintf("%v to %.200q", ErrRedirect, e.To)
}

// Is makes errors.Is match ErrRedirect.
func (e RedirectError) Is(target error) bool { return target == ErrRedirect }

// redirected returns the error of a redirect.
func redirected(response *http.Response) RedirectError {
	to, err := response.Location()
	if err != nil {
		return RedirectError{}
	}
	plain := *to
	plain.User = nil
	plain.Fragment = ""
	return RedirectError{plain.String()}
}

// StatusError is the HTTP status of an answer that was neither a success nor a redirect.
type StatusError int

func (e StatusError) Error() string { return fmt.Sprintf("it answered %d", int(e)) }

// ErrKubernetes marks a [StatusError] of a Kubernetes API server, which describes it in its body.
var ErrKubernetes = errors.New("of a Kubernetes API server")

// kubernetesError is a status that the API server of a cluster answered.
type kubernetesError struct{ StatusError }

func (e kubernetesError) Unwrap() []error { return []error{e.StatusError, ErrKubernetes} }

// maxStatus is how much is read of an answer that may be a Kubernetes Status. They are shorter.
const maxStatus = 4 << 10

// statusError returns the error of an answer that is neither a success nor a redirect. Only a 403
// is looked at: a request without a token gets it at a cluster. Elsewhere it has other meanings.
func statusError(response *http.Response) error {
	status := StatusError(response.StatusCode)
	if status != http.StatusForbidden {
		return status
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxStatus))
	if err != nil {
		return status
	}
	// kubernetes.io/docs/reference/kubernetes-api/common-definitions/status
	object, err := Object(body)
	if err != nil || object["kind"] != "Status" || object["apiVersion"] != "v1" {
		return status
	}
	return kubernetesError{status}
}

// Answer is the answer to a successful request.
type Answer struct {
	Body   []byte
	Header http.Header
	// Certificate is that of the server, or nil without TLS.
	Certificate *x509.Certificate
}

// Get reads one document. The client must not follow redirects: see [Client].
func Get(ctx context.Context, client *http.Client, from string) (*Answer, error) {
	return do(ctx, client, http.MethodGet, from, nil, "")
}

// GetAuthorized is Get with a bearer token (RFC 6750 §2.1), if there is one. The caller decides
// which address may have it; a redirect gets nothing. No error holds the token.
func GetAuthorized(
	ctx context.Context, client *http.Client, from, bearer string,
) (*Answer, error) {
	return do(ctx, client, http.MethodGet, from, nil, bearer)
}

// Post sends a form and reads the answer as Get does. No error holds the form.
func Post(
	ctx context.Context, client *http.Client, to string, form url.Values,
) ([]byte, http.Header, error) {
	answer, err := do(ctx, client, http.MethodPost, to, form, "")
	if err != nil {
		return nil, nil, err
	}
	return answer.Body, answer.Header, nil
}

func do(
	ctx context.Context, client *http.Client, method, address string, form url.Values,
	bearer string,
) (*Answer, error) {
	content := strings.NewReader(form.Encode())
	request, err := http.NewRequestWithContext(ctx, method, address, content)
	if err != nil {
		return nil, errors.New("it is not a URL")
	}
	request.Header.Set("Accept", "application/json")
	if form != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if bearer != "" {
		request.Header.Set("Authorization", "Bearer "+bearer)
	}
	response, err := client.Do(request)
	if err != nil {
		err = Unanswered(ctx, err)
		if errors.Is(err, ErrRedirect) {
			return nil, err
		}
		return nil, fmt.Errorf("no answer: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode >= 300 && response.StatusCode < 400 {
		if form != nil {
			return nil, ErrRedirect // the address may repeat what was posted
		}
		return nil, redirected(response)
	}
	if response.StatusCode != http.StatusOK {
		return nil, statusError(response)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("its answer ended before it was complete: %w",
			Unanswered(ctx, err))
	}
	if len(body) > MaxSize {
		return nil, ErrTooLarge
	}
	answer := &Answer{Body: body, Header: response.Header}
	if response.TLS != nil && len(response.TLS.PeerCertificates) > 0 {
		answer.Certificate = response.TLS.PeerCertificates[0]
	}
	return answer, nil
}

// Client returns a copy of the client, or of a new one for nil, that hands redirects to Get.
func Client(client *http.Client) *http.Client {
	var c http.Client
	if client != nil {
		c = *client
	}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &c
}

// Life returns how long a document may be kept: max-age of Cache-Control (RFC 9111 §5.2.2) within
// least and most, least for no-store and no-cache, and usual if the header says nothing.
func Life(header http.Header, usual, least, most time.Duration) time.Duration {
	life := usual
	directives := strings.ToLower(strings.Join(header.Values("Cache-Control"), ","))
	for directive := range strings.SplitSeq(directives, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		seconds, err := strconv.ParseInt(strings.Trim(value, `"`), 10, 32)
		if errors.Is(err, strconv.ErrRange) && seconds > 0 {
			err = nil // the largest, as RFC 9111 §1.2.2 asks
		}
		switch {
		case name == "no-store", name == "no-cache":
			return least
		case name == "max-age" && err == nil:
			life = time.Duration(seconds) * time.Second
		}
	}
	return min(max(life, least), most)
}

// Date returns when an answer was sent, by the clock of its server: the header Date plus the Age
// that caches have added (RFC 9111 §5.1). Zero: the answer does not say.
func Date(header http.Header) time.Time {
	date, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		return time.Time{}
	}
	age, err := strconv.ParseInt(header.Get("Age"), 10, 32)
	if err != nil || age < 0 {
		return date
	}
	return date.Add(time.Duration(age) * time.Second)
}

// CheckURL is [Allowed.Check] for URLs whose only possible exception is http to loopback.
func CheckURL(s string, loopbackHTTP bool) error {
	err := Allowed{LoopbackHTTP: loopbackHTTP}.Check(s)
	if errors.Is(err, errPlainHTTP) {
		return fmt.Errorf("%.200q must be https (http only to loopback, with AllowLoopbackHTTP)", s)
	}
	return err
}

var errPlainHTTP = errors.New("must be https")

// Allowed lists exceptions to two rules for the URLs of documents. A URL must be https. If another
// document named it, its host must be a name and not an IP address.
type Allowed struct {
	// LoopbackHTTP allows plain http to loopback.
	LoopbackHTTP bool
	// HTTPHosts are hosts to which plain http is allowed, with their ports unless that is 80.
	HTTPHosts []string
	// Origins are https origins that another document may name although their host is an IP
	// address.
	Origins []string
}

// Check wants https, or http to a host for which that is allowed, a host, and neither user nor
// fragment.
func (a Allowed) Check(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return fmt.Errorf("%.200q is not a plain https URL", s)
	}
	if u.Scheme != "https" && !(u.Scheme == "http" && a.allowsHTTP(u)) {
		return fmt.Errorf("%.200q %w (plain http only to loopback, with Issuer.AllowLoopbackHTTP, "+
			"or to a host of Issuer.InsecureHTTPHosts)", s, errPlainHTTP)
	}
	return nil
}

// allowsHTTP tells whether plain http to the URL's host is allowed.
func (a Allowed) allowsHTTP(u *url.URL) bool {
	return a.LoopbackHTTP && isLoopback(u.Hostname()) || a.listsHTTP(u)
}

// listsHTTP tells whether plain http to the URL's host is allowed by name.
func (a Allowed) listsHTTP(u *url.URL) bool {
	return u.Scheme == "http" && slices.ContainsFunc(a.HTTPHosts, func(host string) bool {
		return originOf(u) == originOf(&url.URL{Scheme: "http", Host: host})
	})
}

// CheckFound checks a URL that the document at another URL named. The configured URL of that
// document may itself be private. But the document must not lead this process to another host by IP
// address, such as a cloud's metadata service.
func (a Allowed) CheckFound(found, by string) error {
	if err := a.Check(found); err != nil {
		return err
	}
	u, err := url.Parse(found)
	own, ownErr := url.Parse(by)
	if err != nil || ownErr != nil {
		return fmt.Errorf("%.200q leads to the address of another host", found)
	}
	if slices.Contains(a.Origins, originOf(u)) || a.listsHTTP(u) {
		return nil
	}
	if strings.EqualFold(u.Hostname(), own.Hostname()) || !isAddress(u.Hostname()) {
		return nil
	}
	if u.Scheme != "https" {
		return fmt.Errorf("%.200q leads to the address of another host: "+
			"if that is the issuer's, list %q in Issuer.InsecureHTTPHosts", found, u.Host)
	}
	return fmt.Errorf("%.200q leads to the address of another host: "+
		"if that is the issuer's, list %q in Issuer.DocumentOrigins", found, originOf(u))
}

// Origin returns the origin of an absolute URL (RFC 6454 §4): its scheme, host and port, in one
// spelling. Empty: it has none.
func Origin(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" {
		return ""
	}
	return originOf(u)
}

func originOf(u *url.URL) string {
	host := strings.ToLower(u.Host)
	for scheme, port := range map[string]string{"http": ":80", "https": ":443"} {
		if u.Scheme == scheme {
			host = strings.TrimSuffix(host, port)
		}
	}
	return u.Scheme + "://" + strings.TrimSuffix(host, ":")
}

func isLoopback(host string) bool { return host == "localhost" || net.ParseIP(host).IsLoopback() }

// isAddress tells whether a host is an IP address in any form that resolvers accept, or a name of
// this machine. A host whose last label is a number counts as an address (URL Standard §3.5). So
// does a host with non-ASCII characters, because net/http might convert it into an address.
func isAddress(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if strings.IndexFunc(host, func(r rune) bool { return r > unicode.MaxASCII }) >= 0 {
		return true
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	last := host[strings.LastIndexByte(host, '.')+1:]
	return isNumber(last) || last == "localhost" || last == ""
}

// isNumber tells whether resolvers read a label as a number: decimal, also with leading zeros, or
// hexadecimal or octal with a prefix. 0x alone is zero.
func isNumber(label string) bool {
	if label == "0x" {
		return true
	}
	if _, err := strconv.ParseUint(label, 0, 64); err == nil {
		return true
	}
	_, err := strconv.ParseUint(label, 10, 64)
	return err == nil
}
