package node

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/net/idna"
)

// webURL is a URL of the URL Standard (https://url.spec.whatwg.org), which Node.js follows. Go's
// net/url does not: it reads the host of some URLs differently.
type webURL struct {
	scheme             string
	username, password string
	host               *string // nil: none
	port               string
	// opaque says that the URL has a text instead of a path, as mailto: has. The text is path[0].
	opaque   bool
	path     []string
	query    *string
	fragment *string
	// keepDots leaves the segments . and .. in the path.
	keepDots bool
}

// urlParser parses one URL.
type urlParser struct {
	keepDots bool
	// foreign says that a host is not ASCII, which this package does not read.
	foreign bool
}

// defaultPorts are the special schemes, with their ports.
var defaultPorts = map[string]string{
	"ftp": "21", "file": "", "http": "80", "https": "443", "ws": "80", "wss": "443",
}

func (u *webURL) special() bool {
	_, special := defaultPorts[u.scheme]
	return special
}

// Sets of characters to percent-encode, in addition to those that are not printable ASCII.
const (
	ofFragment     = " \"<>`"
	ofQuery        = " \"#<>"
	ofSpecialQuery = ofQuery + "'"
	ofPath         = ofQuery + "?`{}"
	ofUser         = ofPath + "/:;=@[\\]^|"
)

// percent encodes what is not printable ASCII, and the characters of a set.
func percent(text, set string) string {
	const digits = "0123456789ABCDEF"
	var encoded strings.Builder
	for i := range len(text) {
		c := text[i]
		if c > 0x1f && c < 0x7f && !strings.ContainsRune(set, rune(c)) {
			encoded.WriteByte(c)
			continue
		}
		encoded.WriteByte('%')
		encoded.WriteByte(digits[c>>4])
		encoded.WriteByte(digits[c&15])
	}
	return encoded.String()
}

var noBreaks = strings.NewReplacer("\t", "", "\n", "", "\r", "")

var schemePattern = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\A([A-Za-z][A-Za-z0-9+.-]*):`)
})

// parseWeb parses a URL, or a reference to a base. It returns nil if it is none.
func (p *urlParser) parseWeb(text string, base *webURL) *webURL {
	text = strings.TrimFunc(text, func(r rune) bool { return r <= ' ' })
	text = noBreaks.Replace(text)
	u := &webURL{keepDots: p.keepDots}
	rest := text
	if found := schemePattern().FindStringSubmatch(text); found != nil {
		u.scheme = strings.ToLower(found[1])
		rest = text[len(found[0]):]
	}
	rest, fragment, hasFragment := strings.Cut(rest, "#")
	rest, query, hasQuery := strings.Cut(rest, "?")
	if !p.parseRest(u, rest, hasQuery, hasFragment, base) {
		return nil
	}
	if hasQuery {
		u.setQuery(query)
	}
	if hasFragment {
		fragment = percent(fragment, ofFragment)
		u.fragment = &fragment
	}
	return u
}

func (u *webURL) setQuery(query string) {
	set := ofQuery
	if u.special() {
		set = ofSpecialQuery
	}
	query = percent(query, set)
	u.query = &query
}

// isSlash reports whether a text begins with a slash. For special URLs a backslash is one.
func (u *webURL) isSlash(text string) bool {
	return strings.HasPrefix(text, "/") || u.special() && strings.HasPrefix(text, "\\")
}

// parseRest parses what is between scheme and query. It reports whether the URL is valid.
func (p *urlParser) parseRest(
	u *webURL, rest string, hasQuery, hasFragment bool, base *webURL,
) bool {
	if u.scheme == "" {
		switch {
		case base == nil, base.opaque && (rest != "" || hasQuery || !hasFragment):
			return false
		case base.opaque:
			*u = *base
			return true
		}
		u.scheme = base.scheme
		if u.scheme == "file" {
			return p.parseFile(u, rest, hasQuery, base)
		}
		return p.parseRelative(u, rest, hasQuery, base)
	}
	switch {
	case u.scheme == "file":
		return p.parseFile(u, rest, hasQuery, base)
	case u.special() && base != nil && base.scheme == u.scheme && !strings.HasPrefix(rest, "//"):
		return p.parseRelative(u, rest, hasQuery, base)
	case u.special():
		return p.parseAuthority(u, strings.TrimLeft(rest, "/\\"))
	case strings.HasPrefix(rest, "//"):
		return p.parseAuthority(u, rest[2:])
	case strings.HasPrefix(rest, "/"):
		u.appendPath(rest[1:])
		return true
	}
	u.opaque = true
	u.path = []string{percent(rest, "")}
	return true
}

// parseRelative parses a reference to a base that is no file.
func (p *urlParser) parseRelative(u *webURL, rest string, hasQuery bool, base *webURL) bool {
	if u.isSlash(rest) {
		switch {
		case u.special() && u.isSlash(rest[1:]):
			return p.parseAuthority(u, strings.TrimLeft(rest, "/\\"))
		case strings.HasPrefix(rest[1:], "/"):
			return p.parseAuthority(u, rest[2:])
		}
	}
	u.username = base.username
	u.password = base.password
	u.host = base.host
	u.port = base.port
	if u.isSlash(rest) {
		u.appendPath(rest[1:])
		return true
	}
	u.path = slices.Clone(base.path)
	if rest != "" {
		u.shorten()
		u.appendPath(rest)
	} else if !hasQuery {
		u.query = base.query
	}
	return true
}

// parseFile parses a URL of the scheme file.
func (p *urlParser) parseFile(u *webURL, rest string, hasQuery bool, base *webURL) bool {
	none := ""
	u.host = &none
	isFile := base != nil && base.scheme == "file"
	switch {
	case u.isSlash(rest) && u.isSlash(rest[1:]):
		rest = rest[2:]
		end := strings.IndexAny(rest, "/\\")
		if end < 0 {
			end = len(rest)
		}
		if isDrive(rest[:end]) {
			u.appendPath(rest)
			return true
		}
		if !p.setFileHost(u, rest[:end]) {
			return false
		}
		u.startPath(rest[end:])
	case u.isSlash(rest):
		if isFile {
			u.host = base.host
			if !startsWithDrive(rest[1:]) && len(base.path) > 0 && isNormalDrive(base.path[0]) {
				u.path = []string{base.path[0]}
			}
		}
		u.appendPath(rest[1:])
	case isFile:
		u.host = base.host
		u.path = slices.Clone(base.path)
		switch {
		case rest == "" && !hasQuery:
			u.query = base.query
		case rest == "":
		case startsWithDrive(rest):
			u.path = nil
			u.appendPath(rest)
		default:
			u.shorten()
			u.appendPath(rest)
		}
	default:
		u.appendPath(rest)
	}
	return true
}

func (p *urlParser) setFileHost(u *webURL, text string) bool {
	if text == "" {
		return true
	}
	host, ok := p.parseHost(text, true)
	if host == "localhost" {
		host = ""
	}
	u.host = &host
	return ok
}

// isDrive reports whether a text is a drive letter of Windows, as in C: or C|.
func isDrive(text string) bool {
	return len(text) == 2 && isLetter(text[0]) && (text[1] == ':' || text[1] == '|')
}

func isNormalDrive(text string) bool { return isDrive(text) && text[1] == ':' }

func startsWithDrive(text string) bool {
	return len(text) >= 2 && isDrive(text[:2]) && (len(text) == 2 || strings.ContainsRune("/\\?#",
		rune(text[2])))
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// parseAuthority parses user, host and port, and the path.
func (p *urlParser) parseAuthority(u *webURL, rest string) bool {
	ends := "/"
	if u.special() {
		ends = "/\\"
	}
	end := strings.IndexAny(rest, ends)
	if end < 0 {
		end = len(rest)
	}
	authority := rest[:end]
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		user, password, _ := strings.Cut(authority[:at], ":")
		u.username = percent(user, ofUser)
		u.password = percent(password, ofUser)
		authority = authority[at+1:]
		if authority == "" {
			return false
		}
	}
	name, port, hasPort := cutPort(authority)
	if name == "" && (hasPort || u.special()) || !isDigits(port) {
		return false
	}
	host, ok := p.parseHost(name, u.special())
	if !ok {
		return false
	}
	u.host = &host
	if !u.setPort(port) {
		return false
	}
	u.startPath(rest[end:])
	return true
}

// cutPort splits host and port, at the first colon that is not in brackets.
func cutPort(text string) (host, port string, found bool) {
	inside := false
	for i := range len(text) {
		switch c := text[i]; {
		case c == '[':
			inside = true
		case c == ']':
			inside = false
		case c == ':' && !inside:
			return text[:i], text[i+1:], true
		}
	}
	return text, "", false
}

func isDigits(text string) bool { return strings.Trim(text, "0123456789") == "" }

// setPort sets a port of digits. It reports whether there is such a port.
func (u *webURL) setPort(digits string) bool {
	u.port = ""
	if digits == "" {
		return true
	}
	number, err := strconv.ParseUint(digits, 10, 16)
	if err != nil {
		return false
	}
	if text := strconv.FormatUint(number, 10); text != defaultPorts[u.scheme] {
		u.port = text
	}
	return true
}

// startPath parses a path that follows the authority.
func (u *webURL) startPath(text string) {
	if u.isSlash(text) {
		u.appendPath(text[1:])
	} else if text != "" || u.special() {
		u.appendPath(text)
	}
}

// appendPath parses segments of a path, after its first slash.
func (u *webURL) appendPath(text string) {
	if u.special() {
		text = strings.ReplaceAll(text, "\\", "/")
	}
	segments := strings.Split(text, "/")
	for i, segment := range segments {
		last := i == len(segments)-1
		segment = percent(segment, ofPath)
		switch dots := strings.ReplaceAll(strings.ToLower(segment), "%2e", "."); {
		case u.keepDots:
			u.path = append(u.path, segment)
		case dots == "..":
			u.shorten()
			if last {
				u.path = append(u.path, "")
			}
		case dots == ".":
			if last {
				u.path = append(u.path, "")
			}
		default:
			if u.scheme == "file" && len(u.path) == 0 && isDrive(segment) {
				segment = segment[:1] + ":"
			}
			u.path = append(u.path, segment)
		}
	}
}

// shorten removes the last segment of the path. The drive of a file stays.
func (u *webURL) shorten() {
	if u.scheme == "file" && len(u.path) == 1 && isNormalDrive(u.path[0]) {
		return
	}
	if len(u.path) > 0 {
		u.path = u.path[:len(u.path)-1]
	}
}

// Characters that no host has, and those that no domain has in addition.
const (
	noHost   = "\x00\t\n\r #/:<>?@[\\]^|"
	noDomain = "%\x7f"
)

// parseHost parses a host. It reports whether it is one.
func (p *urlParser) parseHost(text string, special bool) (host string, ok bool) {
	if strings.HasPrefix(text, "[") {
		if !strings.HasSuffix(text, "]") {
			return "", false
		}
		return parseIPv6(text[1 : len(text)-1])
	}
	if !special {
		return percent(text, ""), !strings.ContainsAny(text, noHost)
	}
	domain := DecodeUTF8(unescape(text))
	for _, c := range domain {
		if c > 0x7f {
			p.foreign = true
			return "", false
		}
		if c < 0x20 {
			return "", false
		}
	}
	if domain == "" || strings.ContainsAny(domain, noHost+noDomain) {
		return "", false
	}
	domain = strings.ToLower(domain)
	if !isDomain(domain) {
		return "", false
	}
	if endsInNumber(domain) {
		return parseIPv4(domain)
	}
	return domain, true
}

// domainProfile has the parameters of the URL Standard's domain to ASCII, when it is not strict.
var domainProfile = sync.OnceValue(func() *idna.Profile {
	return idna.New(
		idna.MapForLookup(),
		idna.BidiRule(),
		idna.CheckJoiners(true),
		idna.CheckHyphens(false),
		idna.StrictDomainName(false),
		idna.VerifyDNSLength(false),
	)
})

// isDomain reports whether labels of a host in lower-case ASCII that begin with xn-- are the
// Punycode of a name (UTS #46 §4). The standard does not look at hosts without such a label.
func isDomain(domain string) bool {
	if !strings.HasPrefix(domain, "xn--") && !strings.Contains(domain, ".xn--") {
		return true
	}
	ascii, err := domainProfile().ToASCII(domain)
	return err == nil && ascii == domain
}

// endsInNumber reports whether a host must be an IPv4 address.
func endsInNumber(domain string) bool {
	parts := strings.Split(domain, ".")
	if parts[len(parts)-1] == "" {
		if len(parts) == 1 {
			return false
		}
		parts = parts[:len(parts)-1]
	}
	last := parts[len(parts)-1]
	if last != "" && isDigits(last) {
		return true
	}
	_, isNumber := parseNumber(last)
	return isNumber
}

// parseNumber parses a part of an IPv4 address: decimal, hexadecimal or octal. A number that is too
// large is 1<<40.
func parseNumber(text string) (number uint64, ok bool) {
	base := 10
	digits := text
	switch {
	case text == "":
		return 0, false
	case len(text) >= 2 && text[0] == '0' && text[1]|0x20 == 'x':
		base = 16
		digits = text[2:]
	case len(text) >= 2 && text[0] == '0':
		base = 8
		digits = text[1:]
	}
	if digits == "" {
		return 0, true
	}
	for i := range len(digits) {
		if d := digit(digits[i]); d < 0 || d >= base {
			return 0, false
		}
	}
	number, err := strconv.ParseUint(digits, base, 40)
	if err != nil {
		return 1 << 40, true
	}
	return number, true
}

func parseIPv4(domain string) (host string, ok bool) {
	parts := strings.Split(domain, ".")
	if len(parts) > 1 && parts[len(parts)-1] == "" {
		parts = parts[:len(parts)-1]
	}
	if len(parts) > 4 {
		return "", false
	}
	address := uint64(0)
	for i, part := range parts {
		number, ok := parseNumber(part)
		if !ok {
			return "", false
		}
		bits := 8 // the last number fills the remaining bytes
		if i == len(parts)-1 {
			bits = 8 * (5 - len(parts))
		}
		if number >= 1<<bits {
			return "", false
		}
		address = address<<bits | number
	}
	bytes := [4]byte{byte(address >> 24), byte(address >> 16), byte(address >> 8), byte(address)}
	return netip.AddrFrom4(bytes).String(), true
}

// parseIPv6 parses an IPv6 address. The standard writes no part of it as an IPv4 address, unlike
// netip.
func parseIPv6(text string) (host string, ok bool) {
	address, err := netip.ParseAddr(text)
	if err != nil || !address.Is6() || address.Zone() != "" || strings.Contains(text, "%") {
		return "", false
	}
	bytes := address.As16()
	var pieces [8]string
	for i := range pieces {
		piece := uint64(bytes[2*i])<<8 | uint64(bytes[2*i+1])
		pieces[i] = strconv.FormatUint(piece, 16)
	}
	begin, length := longestZeros(pieces)
	if length < 2 {
		return "[" + strings.Join(pieces[:], ":") + "]", true
	}
	before := strings.Join(pieces[:begin], ":")
	after := strings.Join(pieces[begin+length:], ":")
	return "[" + before + "::" + after + "]", true
}

// longestZeros returns the first of the longest runs of zeros.
func longestZeros(pieces [8]string) (begin, length int) {
	run := 0
	for i, piece := range pieces {
		if piece != "0" {
			run = 0
			continue
		}
		run++
		if run > length {
			length = run
			begin = i - run + 1
		}
	}
	return begin, length
}

// pathname returns the path as text.
func (u *webURL) pathname() string {
	if u.opaque {
		return u.path[0]
	}
	path := ""
	if len(u.path) > 0 {
		path = "/" + strings.Join(u.path, "/")
	}
	return path
}

// hostAndPort returns the host with its port.
func (u *webURL) hostAndPort() string {
	switch {
	case u.host == nil:
		return ""
	case u.port == "":
		return *u.host
	}
	return *u.host + ":" + u.port
}

// String returns the whole URL.
func (u *webURL) String() string {
	var text strings.Builder
	text.WriteString(u.scheme + ":")
	if u.host != nil {
		text.WriteString("//")
		if u.username != "" || u.password != "" {
			text.WriteString(u.username)
			if u.password != "" {
				text.WriteString(":" + u.password)
			}
			text.WriteString("@")
		}
		text.WriteString(u.hostAndPort())
	} else if !u.opaque && len(u.path) > 1 && u.path[0] == "" {
		text.WriteString("/.")
	}
	text.WriteString(u.pathname())
	if u.query != nil {
		text.WriteString("?" + *u.query)
	}
	if u.fragment != nil {
		text.WriteString("#" + *u.fragment)
	}
	return text.String()
}

// set changes a part of the URL. A text that is no such part changes nothing.
func (p *urlParser) set(u *webURL, part, text string) {
	noUser := u.host == nil || *u.host == "" || u.scheme == "file"
	switch {
	case part == "username" && !noUser:
		u.username = percent(text, ofUser)
	case part == "password" && !noUser:
		u.password = percent(text, ofUser)
	}
	text = noBreaks.Replace(text)
	switch {
	case part == "protocol":
		u.setScheme(text)
	case (part == "host" || part == "hostname") && !u.opaque:
		p.setHost(u, text, part == "host")
	case part == "port" && !noUser:
		digits := text[:len(text)-len(strings.TrimLeft(text, "0123456789"))]
		if was := u.port; text != "" && digits == "" || !u.setPort(digits) {
			u.port = was
		}
	case part == "pathname" && !u.opaque:
		u.path = nil
		if text == "" && u.host == nil {
			text = "/"
		}
		u.startPath(text)
	case part == "search" && text == "":
		u.query = nil
		u.trimOpaque()
	case part == "search":
		u.setQuery(strings.TrimPrefix(text, "?"))
	case part == "hash" && text == "":
		u.fragment = nil
		u.trimOpaque()
	case part == "hash":
		fragment := percent(strings.TrimPrefix(text, "#"), ofFragment)
		u.fragment = &fragment
	}
}

// trimOpaque removes spaces at the end of an opaque path that nothing follows any more.
func (u *webURL) trimOpaque() {
	if u.opaque && u.query == nil && u.fragment == nil {
		u.path[0] = strings.TrimRight(u.path[0], " ")
	}
}

// setScheme changes the scheme as far as the URL Standard allows. A special URL stays special, and
// no other URL becomes special.
func (u *webURL) setScheme(text string) {
	found := schemePattern().FindStringSubmatch(text + ":")
	if found == nil {
		return
	}
	changed := *u
	changed.scheme = strings.ToLower(found[1])
	hasMore := u.username != "" || u.password != "" || u.port != ""
	isFile := u.scheme == "file" && (u.host == nil || *u.host == "")
	if changed.special() != u.special() || changed.scheme == "file" && hasMore || isFile {
		return
	}
	u.scheme = changed.scheme
	if u.port == defaultPorts[u.scheme] {
		u.port = ""
	}
}

// setHost changes the host, and the port if it is allowed and there is one.
func (p *urlParser) setHost(u *webURL, text string, withPort bool) {
	ends := "/?#"
	if u.special() {
		ends += "\\"
	}
	if end := strings.IndexAny(text, ends); end >= 0 {
		text = text[:end]
	}
	if u.scheme == "file" {
		was := u.host
		none := ""
		u.host = &none
		if !p.setFileHost(u, text) {
			u.host = was
		}
		return
	}
	name, port, hasPort := cutPort(text)
	hasMore := u.username != "" || u.password != "" || u.port != ""
	if hasPort && !withPort || name == "" && (u.special() || hasPort || hasMore) {
		return
	}
	host, ok := p.parseHost(name, u.special())
	if !ok {
		return
	}
	u.host = &host
	digits := port[:len(port)-len(strings.TrimLeft(port, "0123456789"))]
	if was := u.port; digits != "" && !u.setPort(digits) {
		u.port = was
	}
}
