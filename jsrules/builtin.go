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

// builtins are the modules that need nothing but the language and a few functions in Go. builtin.js defines them.
var builtins = map[string]bool{"buffer": true, "crypto": true, "querystring": true, "util": true}

//go:embed builtin.js
var builtinSource string

var builtinProgram = sync.OnceValue(func() *goja.Program { return goja.MustCompile("builtin.js", builtinSource, true) })

// builtin returns a built-in module, made once in a run.
func (r *run) builtin(name string) goja.Value {
	all, ok := r.modules[""]
	if !ok {
		define, _ := goja.AssertFunction(r.must(r.rt.RunProgram(builtinProgram())))
		native := r.rt.NewObject()
		for name, function := range map[string]func(goja.FunctionCall) goja.Value{
			"encode": r.encode, "decode": r.decode, "digest": r.digest, "random": r.random, "escape": r.escape, "unescape": r.unescape,
			"inspect": func(call goja.FunctionCall) goja.Value { return r.rt.ToValue(r.inspect(call.Argument(0))) },
		} {
			_ = native.Set(name, function)
		}
		all = r.must(define(goja.Undefined(), native))
		if r.modules == nil {
			r.modules = map[string]goja.Value{}
		}
		r.modules[""] = all
	}
	return all.(*goja.Object).Get(name)
}

// decode(text, encoding) returns the bytes of a text, as Node reads it: base64 of either alphabet, and without what does not belong there.
func (r *run) decode(call goja.FunctionCall) goja.Value {
	text := r.limited(call.Argument(0).String())
	var decoded []byte
	switch encoding := strings.ToLower(call.Argument(1).String()); encoding {
	case "undefined", "utf8", "utf-8":
		decoded = []byte(text)
	case "base64", "base64url":
		clean := strings.Map(func(c rune) rune {
			switch {
			case c == '-':
				return '+'
			case c == '_':
				return '/'
			case c == '+' || c == '/' || c < 0x80 && (c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'):
				return c
			}
			return -1
		}, strings.SplitN(text, "=", 2)[0])
		if len(clean)%4 == 1 { // a lone character is no byte
			clean = clean[:len(clean)-1]
		}
		decoded, _ = base64.RawStdEncoding.DecodeString(clean)
	case "hex":
		decoded, _ = hex.DecodeString(text[:len(text)/2*2]) // up to what is no hex
	case "latin1", "binary", "ascii":
		for _, unit := range utf16.Encode([]rune(text)) {
			decoded = append(decoded, byte(unit))
		}
	default:
		panic(r.rt.NewTypeError("Unknown encoding: %s", short(encoding)))
	}
	return r.rt.ToValue(r.rt.NewArrayBuffer(decoded))
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

// digest(algorithm, data) and digest(algorithm, data, key) return a hash and an HMAC.
func (r *run) digest(call goja.FunctionCall) goja.Value {
	make, ok := map[string]func() hash.Hash{"md5": md5.New, "sha1": sha1.New, "sha256": sha256.New, "sha384": sha512.New384, "sha512": sha512.New}[strings.ToLower(call.Argument(0).String())]
	if !ok {
		panic(r.rt.NewTypeError("Digest method not supported: %s", short(call.Argument(0).String())))
	}
	h := make()
	if key, keyed := call.Argument(2).Export().(goja.ArrayBuffer); keyed {
		h = hmac.New(make, key.Bytes())
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
	rand.Read(bytes) // it never fails
	return r.rt.ToValue(r.rt.NewArrayBuffer(bytes))
}

// escape and unescape are those of a query string.
func (r *run) escape(call goja.FunctionCall) goja.Value {
	return r.rt.ToValue(strings.ReplaceAll(url.QueryEscape(r.limited(call.Argument(0).String())), "+", "%20"))
}

func (r *run) unescape(call goja.FunctionCall) goja.Value {
	text := r.limited(call.Argument(0).String())
	if plain, err := url.QueryUnescape(text); err == nil {
		return r.rt.ToValue(plain)
	}
	return r.rt.ToValue(text)
}
