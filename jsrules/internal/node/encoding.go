package node

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"unicode/utf8"

	"github.com/dop251/goja"
)

// decode(text, encoding) returns the bytes of a text. The encoding is one of the canonical names to
// which buffer.js converts all others.
func (m *Modules) decode(call goja.FunctionCall) goja.Value {
	text := m.text(call.Argument(0))
	encoding := call.Argument(1).String()
	m.atMost(estimatedSize(int64(text.Length()), encoding))
	return m.buffer(decodeText(text, encoding))
}

// estimatedSize estimates how many bytes a text has, so that one that is far too long is refused
// before it is decoded. [Modules.buffer] checks the exact number.
func estimatedSize(length int64, encoding string) int64 {
	switch encoding {
	case "hex":
		return length / 2
	case "base64", "base64url":
		return length / 4 * 3
	case "utf16le":
		return length * 2
	}
	return length
}

func decodeText(text goja.String, encoding string) []byte {
	switch encoding {
	case "base64", "base64url":
		return decodeBase64(text)
	case "hex":
		return decodeHex(text)
	case "latin1", "ascii":
		decoded := make([]byte, text.Length())
		for i := range decoded {
			decoded[i] = byte(text.CharAt(i))
		}
		return decoded
	case "utf16le":
		decoded := make([]byte, 0, 2*text.Length())
		for i := range text.Length() {
			unit := text.CharAt(i)
			decoded = append(decoded, byte(unit), byte(unit>>8))
		}
		return decoded
	}
	return []byte(text.String()) // half of a surrogate pair becomes U+FFFD
}

// decodeHex reads pairs of hexadecimal digits, up to the first pair that is none.
func decodeHex(text goja.String) []byte {
	digits := make([]byte, text.Length()/2*2)
	for i := range digits {
		unit := text.CharAt(i)
		if unit > utf8.RuneSelf {
			unit = 'x'
		}
		digits[i] = byte(unit)
	}
	decoded := make([]byte, len(digits)/2)
	n, _ := hex.Decode(decoded, digits)
	return decoded[:n]
}

// decodeBase64 reads base64 of either alphabet up to the first "=", and ignores characters of
// neither. A last character without a second one makes no byte.
func decodeBase64(text goja.String) []byte {
	content := make([]byte, 0, text.Length())
	for i := range text.Length() {
		unit := text.CharAt(i)
		if unit == '=' {
			break
		}
		if c := base64Character(unit); c != 0 {
			content = append(content, c)
		}
	}
	if len(content)%4 == 1 {
		content = content[:len(content)-1]
	}
	decoded := make([]byte, base64.RawStdEncoding.DecodedLen(len(content)))
	n, _ := base64.RawStdEncoding.Decode(decoded, content)
	return decoded[:n]
}

// base64Character returns a character in the standard alphabet, or 0 if it is in neither.
func base64Character(c uint16) byte {
	switch {
	case c == '-':
		return '+'
	case c == '_':
		return '/'
	case c == '+', c == '/', c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
		return byte(c)
	}
	return 0
}

// byteLength(text) returns how many bytes a text has in UTF-8.
func (m *Modules) byteLength(call goja.FunctionCall) goja.Value {
	return m.Runtime.ToValue(len(m.text(call.Argument(0)).String()))
}

// encode(buffer, encoding) returns the text of bytes.
func (m *Modules) encode(call goja.FunctionCall) goja.Value {
	memory := m.bytes(call.Argument(0))
	switch call.Argument(1).String() {
	case "base64":
		return m.Runtime.ToValue(base64.StdEncoding.EncodeToString(memory))
	case "base64url":
		return m.Runtime.ToValue(base64.RawURLEncoding.EncodeToString(memory))
	case "hex":
		return m.Runtime.ToValue(hex.EncodeToString(memory))
	case "ascii":
		return fromUnits(len(memory), func(i int) uint16 { return uint16(memory[i] & 0x7f) })
	case "latin1":
		return fromUnits(len(memory), func(i int) uint16 { return uint16(memory[i]) })
	case "utf16le":
		return fromUnits(len(memory)/2, func(i int) uint16 {
			return uint16(memory[2*i]) | uint16(memory[2*i+1])<<8
		})
	}
	return m.Runtime.ToValue(DecodeUTF8(memory))
}

// fromUnits makes a string of UTF-16 code units.
func fromUnits(length int, unit func(int) uint16) goja.Value {
	units := make([]uint16, length)
	for i := range units {
		units[i] = unit(i)
	}
	return goja.StringFromUTF16(units)
}

// DecodeUTF8 returns bytes as text. Each part that is not UTF-8 becomes one U+FFFD, as the Encoding
// Standard says: a part is the longest beginning of a character, or one byte.
func DecodeUTF8(memory []byte) string {
	if utf8.Valid(memory) {
		return string(memory)
	}
	var text strings.Builder
	for len(memory) > 0 {
		r, size := utf8.DecodeRune(memory)
		if r == utf8.RuneError && size == 1 {
			size = brokenLength(memory)
		}
		text.WriteRune(r)
		memory = memory[size:]
	}
	return text.String()
}

// brokenLength returns the length of the broken character that bytes begin with.
func brokenLength(memory []byte) int {
	needs, low, high := 0, byte(0x80), byte(0xbf)
	switch lead := memory[0]; {
	case lead >= 0xc2 && lead <= 0xdf:
		needs = 1
	case lead >= 0xe0 && lead <= 0xef:
		needs = 2
	case lead >= 0xf0 && lead <= 0xf4:
		needs = 3
	}
	switch memory[0] { // Unicode, table 3-7: well-formed UTF-8 byte sequences
	case 0xe0:
		low = 0xa0
	case 0xed:
		high = 0x9f
	case 0xf0:
		low = 0x90
	case 0xf4:
		high = 0x8f
	}
	length := 1
	for length <= needs && length < len(memory) {
		if c := memory[length]; c < low || c > high {
			break
		}
		low, high = 0x80, 0xbf
		length++
	}
	return length
}

// isUTF8(buffer) reports whether bytes are UTF-8.
func (m *Modules) isUTF8(call goja.FunctionCall) goja.Value {
	return m.Runtime.ToValue(utf8.Valid(m.bytes(call.Argument(0))))
}

// wellFormed(text) returns a text with U+FFFD for each half of a surrogate pair.
func (m *Modules) wellFormed(call goja.FunctionCall) goja.Value {
	return m.Runtime.ToValue(m.text(call.Argument(0)).String())
}
