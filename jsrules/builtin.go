package jsrules

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	_ "embed"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"net/url"
	"strings"
	"sync"
	"unicode/utf16"

	"github.com/dop251/goja"
)

// builtins are the built-in modules. builtin.js defines them, with a few functions in Go.
var builtins = map[string]bool{
	"buffer":      true,
	"crypto":      true,
	"querystring": true,
	"util":        true,
}

//go:embed builtin.js
var builtinSource string

var builtinProgram = sync.OnceValue(func() *goja.Program {
	return goja.MustCompile("builtin.js", builtinSource, true)
})

// builtin returns a built-in module.
func (r *run) builtin(name string) goja.Value {
	return r.allBuiltins().(*goja.Object).Get(name)
}

// allBuiltins makes the built-in modules, once in a run.
func (r *run) allBuiltins() goja.Value {
	if made, ok := r.modules[""]; ok {
		return made
	}
	define, _ := goja.AssertFunction(r.must(r.rt.RunProgram(builtinProgram())))
	made := r.must(define(goja.Undefined(), r.nativeFunctions()))
	if r.modules == nil {
		r.modules = map[string]goja.Value{}
	}
	r.modules[""] = made
	return made
}

// nativeFunctions are what builtin.js needs in Go.
func (r *run) nativeFunctions() *goja.Object {
	native := r.rt.NewObject()
	for name, function := range map[string]func(goja.FunctionCall) goja.Value{
		"encode":   r.encode,
		"decode":   r.decode,
		"digest":   r.digest,
		"random":   r.random,
		"escape":   r.escape,
		"unescape": r.unescape,
		"inspect": func(call goja.FunctionCall) goja.Value {
			return r.rt.ToValue(r.inspect(call.Argument(0)))
		},
	} {
		_ = native.Set(name, function)
	}
	return native
}

// decode(text, encoding) returns the bytes of a text, as Node reads it. Hexadecimal ends at the
// first other character.
func (r *run) decode(call goja.FunctionCall) goja.Value {
	text := r.limited(call.Argument(0).String())
	var decoded []byte
	switch encoding := strings.ToLower(call.Argument(1).String()); encoding {
	case "undefined", "utf8", "utf-8":
		decoded = []byte(text)
	case "base64", "base64url":
		decoded = decodeBase64(text)
	case "hex":
		decoded, _ = hex.DecodeString(text[:len(text)/2*2])
	case "latin1", "binary", "ascii":
		for _, unit := range utf16.Encode([]rune(text)) {
			decoded = append(decoded, byte(unit))
		}
	default:
		panic(r.rt.NewTypeError("Unknown encoding: %s", short(encoding)))
	}
	return r.rt.ToValue(r.rt.NewArrayBuffer(decoded))
}

// decodeBase64 reads base64 of either alphabet up to the first "=", and ignores characters of
// neither. A last character without a second one makes no byte.
func decodeBase64(text string) []byte {
	content, _, _ := strings.Cut(text, "=")
	content = strings.Map(base64Character, content)
	if len(content)%4 == 1 {
		content = content[:len(content)-1]
	}
	decoded, _ := base64.RawStdEncoding.DecodeString(content)
	return decoded
}

// base64Character returns a character in the standard alphabet, or -1 if it is in neither.
func base64Character(c rune) rune {
	switch {
	case c == '-':
		return '+'
	case c == '_':
		return '/'
	case c == '+', c == '/', c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
		return c
	}
	return -1
}

// encode(buffer, start, end, encoding) returns the text of bytes.
func (r *run) encode(call goja.FunctionCall) goja.Value {
	buffer, ok := call.Argument(0).Export().(goja.ArrayBuffer)
	if !ok {
		panic(r.rt.NewTypeError("not a buffer"))
	}
	bytes := buffer.Bytes()
	end := min(max(call.Argument(2).ToInteger(), 0), int64(len(bytes)))
	bytes = bytes[min(max(call.Argument(1).ToInteger(), 0), end):end]
	var text string
	switch encoding := strings.ToLower(call.Argument(3).String()); encoding {
	case "undefined", "utf8", "utf-8":
		text = strings.ToValidUTF8(string(bytes), "\ufffd")
	case "base64":
		text = base64.StdEncoding.EncodeToString(bytes)
	case "base64url":
		text = base64.RawURLEncoding.EncodeToString(bytes)
	case "hex":
		text = hex.EncodeToString(bytes)
	case "latin1", "binary", "ascii":
		var b strings.Builder
		for _, c := range bytes {
			if encoding == "ascii" {
				c &= 0x7f
			}
			b.WriteRune(rune(c))
		}
		text = b.String()
	default:
		panic(r.rt.NewTypeError("Unknown encoding: %s", short(encoding)))
	}
	return r.rt.ToValue(text)
}

var hashes = map[string]func() hash.Hash{
	"md5":    md5.New,
	"sha1":   sha1.New,
	"sha256": sha256.New,
	"sha384": sha512.New384,
	"sha512": sha512.New,
}

// digest(algorithm, data) and digest(algorithm, data, key) return a hash and an HMAC.
func (r *run) digest(call goja.FunctionCall) goja.Value {
	algorithm := call.Argument(0).String()
	newHash, ok := hashes[strings.ToLower(algorithm)]
	if !ok {
		panic(r.rt.NewTypeError("Digest method not supported: %s", short(algorithm)))
	}
	h := newHash()
	if key, keyed := call.Argument(2).Export().(goja.ArrayBuffer); keyed {
		h = hmac.New(newHash, key.Bytes())
	}
	if data, ok := call.Argument(1).Export().(goja.ArrayBuffer); ok {
		h.Write(data.Bytes())
	}
	return r.rt.ToValue(r.rt.NewArrayBuffer(h.Sum(nil)))
}

// random(n) returns n random bytes.
func (r *run) random(call goja.FunctionCall) goja.Value {
	n := call.Argument(0).ToInteger()
	if n < 0 || n > 1<<16 {
		panic(r.rangeError("randomBytes takes 0 to 65536"))
	}
	bytes := make([]byte, n)
	rand.Read(bytes) // never fails
	return r.rt.ToValue(r.rt.NewArrayBuffer(bytes))
}

// escape(text) percent-encodes a part of a query string.
func (r *run) escape(call goja.FunctionCall) goja.Value {
	text := r.limited(call.Argument(0).String())
	return r.rt.ToValue(strings.ReplaceAll(url.QueryEscape(text), "+", "%20"))
}

// unescape(text) decodes a part of a query string. A text that cannot be decoded stays as it is.
func (r *run) unescape(call goja.FunctionCall) goja.Value {
	text := r.limited(call.Argument(0).String())
	if plain, err := url.QueryUnescape(text); err == nil {
		return r.rt.ToValue(plain)
	}
	return r.rt.ToValue(text)
}
