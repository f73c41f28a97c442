package webclient

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/seed055b7978/delegation/jsrules/internal/node"
)

// allowSetting is what errors call [Settings].Allow.
const allowSetting = "Allow"

// allowed are the hosts that requests may go to.
type allowed struct {
	names     map[hostPort]bool // exact names
	below     map[hostPort]bool // names with *. in front, without it
	addresses map[netip.AddrPort]bool
	// plain says that http may be used for loopback addresses of the list.
	plain bool
}

// hostPort is a host name in lower case, and a port.
type hostPort struct {
	host string
	port uint16
}

// The ports of the two schemes.
const (
	securePort = 443
	plainPort  = 80
)

// parseAllowed reads a list of hosts. The error names every wrong entry.
func parseAllowed(entries []string, plain bool) (*allowed, error) {
	a := &allowed{
		names:     map[hostPort]bool{},
		below:     map[hostPort]bool{},
		addresses: map[netip.AddrPort]bool{},
		plain:     plain,
	}
	var wrong []error
	for _, entry := range entries {
		if err := a.add(entry); err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %.200q %w", allowSetting, entry, err))
		}
	}
	return a, errors.Join(wrong...)
}

// add adds one entry.
func (a *allowed) add(entry string) error {
	if address, err := netip.ParseAddr(strings.Trim(entry, "[]")); err == nil {
		a.addresses[netip.AddrPortFrom(address.Unmap(), securePort)] = true
		return nil
	}
	host, port, err := splitEntry(entry)
	if err != nil {
		return err
	}
	if address, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		a.addresses[netip.AddrPortFrom(address.Unmap(), port)] = true
		return nil
	}
	name, wild := strings.CutPrefix(host, "*.")
	if err := checkName(name); err != nil {
		return err
	}
	if !wild {
		a.names[hostPort{name, port}] = true
		return nil
	}
	if !strings.Contains(name, ".") {
		return errors.New("covers a whole top-level domain: list a name with two labels or more " +
			"after the *")
	}
	a.below[hostPort{name, port}] = true
	return nil
}

// splitEntry separates the port from an entry.
func splitEntry(entry string) (host string, port uint16, err error) {
	host = strings.ToLower(entry)
	if strings.Contains(host, "://") || strings.ContainsAny(host, "/?#@ ") {
		return "", 0, errors.New("is not a host: list the host alone, such as api.example.com")
	}
	at := strings.LastIndexByte(host, ':')
	if at < 0 || strings.HasSuffix(host, "]") {
		return host, securePort, nil
	}
	number, err := strconv.ParseUint(host[at+1:], 10, 16)
	if err != nil || number == 0 {
		return "", 0, errors.New("has a port that is not a number from 1 to 65535")
	}
	return host[:at], uint16(number), nil
}

// checkName refuses what is no host name in its ASCII form (RFC 1123 §2.1).
func checkName(name string) error {
	if name == "" || len(name) > 253 {
		return errors.New("is not a host name")
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 {
			return errors.New("is not a host name: a part between dots is empty or too long")
		}
		for _, c := range label {
			letter := c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_'
			if c == '*' {
				return errors.New("has a * that is not its first label")
			}
			if !letter {
				return errors.New("is not a host name in ASCII: write its xn-- form")
			}
		}
	}
	return nil
}

// target is where a request goes.
type target struct {
	hostPort
	address netip.Addr // if the host is an address
	plain   bool       // http
}

// String returns host and port, without the port of https.
func (t target) String() string {
	host := t.host
	if t.address.Is6() {
		host = "[" + host + "]"
	}
	if !t.plain && t.port == securePort {
		return host
	}
	return host + ":" + strconv.Itoa(int(t.port))
}

// targetOf reads where a URL leads to. The scheme is http or https.
func targetOf(u *node.URL) (target, error) {
	t := target{plain: u.Scheme() == "http"}
	t.host = strings.TrimSuffix(strings.Trim(u.Hostname(), "[]"), ".")
	t.port = securePort
	if t.plain {
		t.port = plainPort
	}
	if text := u.Port(); text != "" {
		number, err := strconv.ParseUint(text, 10, 16)
		if err != nil || number == 0 {
			return t, invalidURL()
		}
		t.port = uint16(number)
	}
	if address, err := netip.ParseAddr(t.host); err == nil {
		t.address = address
		t.host = address.String()
		return t, nil
	}
	if checkName(t.host) != nil {
		return t, invalidURL()
	}
	return t, nil
}

// check refuses a target that is not in the list.
func (a *allowed) check(t target) error {
	if !a.lists(t) {
		return &Error{Code: CodeHost, Host: t.String(),
			Text: "rules may not call " + t.String() + ": Options.HTTP.Allow does not list it"}
	}
	if !t.plain {
		return nil
	}
	if a.plain && t.address.IsValid() && t.address.Unmap().IsLoopback() {
		return nil
	}
	return &Error{Code: CodeInsecure, Host: t.String(),
		Text: "rules call " + t.String() + " over https only"}
}

// lists reports whether the list has an entry for a target.
func (a *allowed) lists(t target) bool {
	if t.address.IsValid() {
		return a.addresses[netip.AddrPortFrom(t.address.Unmap(), t.port)]
	}
	if a.names[t.hostPort] {
		return true
	}
	rest := t.host
	for {
		_, parent, found := strings.Cut(rest, ".")
		if !found {
			return false
		}
		if a.below[hostPort{parent, t.port}] {
			return true
		}
		rest = parent
	}
}
