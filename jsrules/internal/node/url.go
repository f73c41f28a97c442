package node

import (
	"strings"

	"github.com/dop251/goja"
)

// maxURL limits the characters of a URL. No server takes one that is longer.
const maxURL = 1 << 16

// urlText returns a part of a URL in an argument.
func (m *Modules) urlText(call goja.FunctionCall, i int) string {
	text := m.text(call.Argument(i))
	if text.Length() > maxURL {
		m.unavailable("a URL of more than 65536 characters")
	}
	return text.String()
}

// parseURL(text) and parseURL(text, base) return the parts of a URL, or undefined if it is none.
func (m *Modules) parseURL(call goja.FunctionCall) goja.Value {
	var base *webURL
	if !goja.IsUndefined(call.Argument(1)) {
		base = m.parseWeb(m.urlText(call, 1), nil)
		if base == nil {
			return goja.Undefined()
		}
	}
	parsed := m.parseWeb(m.urlText(call, 0), base)
	if parsed == nil {
		return goja.Undefined()
	}
	return m.parts(parsed)
}

// parseWeb parses a URL, or a reference to a base. It returns nil if it is none.
func (m *Modules) parseWeb(text string, base *webURL) *webURL {
	p := &urlParser{}
	parsed := p.parseWeb(text, base)
	m.refuseForeign(p)
	return parsed
}

// refuseForeign throws if a host is not ASCII.
func (m *Modules) refuseForeign(p *urlParser) {
	if p.foreign {
		m.unavailable("a URL whose host is not ASCII")
	}
}

// parts returns the parts of a URL as an object.
func (m *Modules) parts(u *webURL) goja.Value {
	marked := func(mark string, part *string) string {
		if part == nil || *part == "" {
			return ""
		}
		return mark + *part
	}
	object := m.Runtime.NewObject()
	for name, part := range map[string]string{
		"href":     u.String(),
		"protocol": u.scheme + ":",
		"username": u.username,
		"password": u.password,
		"host":     u.hostAndPort(),
		"hostname": marked("", u.host),
		"port":     u.port,
		"pathname": u.pathname(),
		"search":   marked("?", u.query),
		"hash":     marked("#", u.fragment),
	} {
		_ = object.Set(name, part)
	}
	return object
}

// changeURL(href, part, text) returns the parts of a URL after one was set.
func (m *Modules) changeURL(call goja.FunctionCall) goja.Value {
	changed := m.parseWeb(m.urlText(call, 0), nil)
	if changed == nil { // parseURL has parsed it before
		return goja.Undefined()
	}
	p := &urlParser{}
	p.set(changed, call.Argument(1).String(), m.urlText(call, 2))
	m.refuseForeign(p)
	return m.parts(changed)
}

// isDomain(host) reports whether a host in lower-case ASCII is one that a URL may have.
func (m *Modules) isDomain(call goja.FunctionCall) goja.Value {
	return m.Runtime.ToValue(isDomain(m.urlText(call, 0)))
}

// parseForm(text) returns names and values in turn, as application/x-www-form-urlencoded has them.
func (m *Modules) parseForm(call goja.FunctionCall) goja.Value {
	var parts []string
	text := m.text(call.Argument(0))
	m.atMost(int64(text.Length()))
	for pair := range strings.SplitSeq(text.String(), "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		parts = append(parts, unescapeForm(name), unescapeForm(value))
	}
	return m.list(parts)
}

func unescapeForm(text string) string {
	return DecodeUTF8(unescape(strings.ReplaceAll(text, "+", " ")))
}

// unescape decodes percent-encoded bytes. What is not encoded stays as it is.
func unescape(text string) []byte {
	decoded := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] == '%' && i+2 < len(text) && digit(text[i+1]) >= 0 && digit(text[i+2]) >= 0 {
			decoded = append(decoded, byte(digit(text[i+1])<<4|digit(text[i+2])))
			i += 2
			continue
		}
		decoded = append(decoded, text[i])
	}
	return decoded
}

// digit returns the value of a hexadecimal digit, or -1.
func digit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// unescape(text) returns the bytes of a percent-encoded text.
func (m *Modules) unescape(call goja.FunctionCall) goja.Value {
	text := m.text(call.Argument(0))
	m.atMost(int64(text.Length()))
	return m.buffer(unescape(text.String()))
}
