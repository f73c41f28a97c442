package webclient

import (
	"net/http"
	"strings"
)

// sentHeader returns headers as they are sent: each character of a value is one byte, as in Node.
// It refuses what HTTP or Node does not permit. The text of an error holds no value.
func sentHeader(header http.Header) (http.Header, error) {
	sent := make(http.Header, len(header))
	for name, values := range header {
		for _, c := range name {
			if c <= ' ' || c >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, c) {
				return nil, &Error{Code: "ERR_INVALID_HTTP_TOKEN",
					Text: "the name of a header is not valid: it may have letters, digits and -"}
			}
		}
		for _, value := range values {
			bytes, ok := toLatin1(value)
			if !ok {
				return nil, &Error{Code: "ERR_INVALID_CHAR",
					Text: "Invalid character in header content [" + name + "]"}
			}
			sent[name] = append(sent[name], bytes)
		}
	}
	return sent, nil
}

// toLatin1 returns a value with one byte for each character. It reports whether Node permits it
// (checkInvalidHeaderChar in lib/_http_common.js): no character above U+00FF, and no control
// character except the tab.
func toLatin1(value string) (latin1 string, ok bool) {
	bytes := make([]byte, 0, len(value))
	for _, c := range value {
		if c > 0xff || c < ' ' && c != '\t' || c == 0x7f {
			return "", false
		}
		bytes = append(bytes, byte(c))
	}
	return string(bytes), true
}

// fromLatin1 returns the text of bytes that are one character each.
func fromLatin1(bytes string) string {
	var text strings.Builder
	for i := range len(bytes) {
		text.WriteRune(rune(bytes[i]))
	}
	return text.String()
}

// textHeader returns the headers of an answer as texts.
func textHeader(header http.Header) http.Header {
	texts := make(http.Header, len(header))
	for name, values := range header {
		for _, value := range values {
			texts[name] = append(texts[name], fromLatin1(value))
		}
	}
	return texts
}
