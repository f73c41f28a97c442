package node

import (
	"strings"

	"github.com/dop251/goja"
)

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
