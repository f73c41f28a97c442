package node

import (
	"crypto"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/md5"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"crypto/subtle"
	"hash"
	"strings"

	"github.com/dop251/goja"
)

// algorithm is a hash function.
type algorithm struct {
	new func() hash.Hash
	// id identifies the function in signatures. It is 0 for a function that signs nothing here.
	id crypto.Hash
}

// algorithms are the hash functions, by the names that they have in Node.js.
var algorithms = map[string]algorithm{
	"md5":        {md5.New, crypto.MD5},
	"sha1":       {sha1.New, crypto.SHA1},
	"sha224":     {sha256.New224, crypto.SHA224},
	"sha256":     {sha256.New, crypto.SHA256},
	"sha384":     {sha512.New384, crypto.SHA384},
	"sha512":     {sha512.New, crypto.SHA512},
	"sha512-224": {sha512.New512_224, crypto.SHA512_224},
	"sha512-256": {sha512.New512_256, crypto.SHA512_256},
	"sha3-224":   {func() hash.Hash { return sha3.New224() }, 0},
	"sha3-256":   {func() hash.Hash { return sha3.New256() }, 0},
	"sha3-384":   {func() hash.Hash { return sha3.New384() }, 0},
	"sha3-512":   {func() hash.Hash { return sha3.New512() }, 0},
}

// algorithmOf returns the hash function of a name, in any case. RSA-SHA256, sha256WithRSAEncryption
// and ecdsa-with-SHA256 are OpenSSL's names for signatures with sha256, and for sha256 itself.
func algorithmOf(name string) (algorithm, bool) {
	name = strings.ToLower(name)
	name = strings.TrimPrefix(name, "rsa-")
	name = strings.TrimPrefix(name, "ecdsa-with-")
	name = strings.TrimSuffix(name, "withrsaencryption")
	name = strings.Replace(name, "sha512/", "sha512-", 1)
	found, ok := algorithms[name]
	return found, ok
}

// algorithmAt returns the hash function that an argument names. The error does not repeat the name:
// in a call with the arguments in the wrong order it is a key.
func (m *Modules) algorithmAt(call goja.FunctionCall, i int) algorithm {
	found, ok := algorithmOf(call.Argument(i).String())
	if !ok {
		m.throw("TypeError", "ERR_CRYPTO_INVALID_DIGEST", "Invalid digest: "+allAlgorithms())
	}
	return found
}

func allAlgorithms() string {
	return "available here are " + strings.Join(sortedNames(algorithms), ", ")
}

// hashNames() returns the names of hash functions.
func (m *Modules) hashNames(goja.FunctionCall) goja.Value { return m.list(sortedNames(algorithms)) }

// hash(algorithm) and hash(algorithm, key) return a hash and an HMAC under way, with the functions
// update, digest and copy.
func (m *Modules) hash(call goja.FunctionCall) goja.Value {
	key := call.Argument(1)
	if !goja.IsUndefined(key) {
		return m.hashing(hmac.New(m.algorithmAt(call, 0).new, m.bytes(key)))
	}
	found, ok := algorithmOf(call.Argument(0).String())
	if !ok {
		m.throw("Error", "ERR_OSSL_EVP_UNSUPPORTED",
			"Digest method not supported: "+allAlgorithms())
	}
	return m.hashing(found.new())
}

func (m *Modules) hashing(h hash.Hash) goja.Value {
	object := m.Runtime.NewObject()
	_ = object.Set("update", m.halting(func(call goja.FunctionCall) goja.Value {
		h.Write(m.bytes(call.Argument(0)))
		return goja.Undefined()
	}))
	_ = object.Set("digest", m.halting(func(goja.FunctionCall) goja.Value {
		return m.buffer(h.Sum(nil))
	}))
	_ = object.Set("copy", m.halting(func(goja.FunctionCall) goja.Value {
		cloner, ok := h.(hash.Cloner)
		if !ok {
			m.unavailable("a copy of this hash")
		}
		clone, err := cloner.Clone()
		if err != nil {
			m.unavailable("a copy of this hash")
		}
		return m.hashing(clone)
	}))
	return object
}

// random(n) returns n random bytes.
func (m *Modules) random(call goja.FunctionCall) goja.Value {
	size := call.Argument(0).ToInteger()
	m.atMost(size)
	memory := make([]byte, max(size, 0))
	rand.Read(memory) // never fails
	return m.buffer(memory)
}

// maxRounds limits the rounds of one call of pbkdf2. That many take up to a second. OWASP
// recommends 600,000 for SHA-256.
const maxRounds = 1_000_000

// pbkdf2(password, salt, iterations, length, algorithm) returns a key.
func (m *Modules) pbkdf2(call goja.FunctionCall) goja.Value {
	iterations := call.Argument(2).ToInteger()
	length := call.Argument(3).ToInteger()
	h := m.algorithmAt(call, 4).new
	size := int64(h().Size())
	m.atMost(length)
	if blocks := (length + size - 1) / size; blocks > 0 && iterations > maxRounds/blocks {
		m.throw("RangeError", "ERR_OUT_OF_RANGE",
			"pbkdf2 with more than 1000000 iterations of all blocks together is not available here")
	}
	if length == 0 {
		return m.buffer(nil)
	}
	password := string(m.bytes(call.Argument(0)))
	salt := m.bytes(call.Argument(1))
	key, err := pbkdf2.Key(h, password, salt, int(iterations), int(length))
	if err != nil {
		m.throw("Error", "ERR_CRYPTO_PBKDF2_ERROR", "PBKDF2 failed")
	}
	return m.buffer(key)
}

// hkdf(algorithm, key, salt, info, length) returns a key.
func (m *Modules) hkdf(call goja.FunctionCall) goja.Value {
	h := m.algorithmAt(call, 0).new
	length := call.Argument(4).ToInteger()
	if length > 255*int64(h().Size()) {
		m.throw("RangeError", "ERR_CRYPTO_INVALID_KEYLEN", "Invalid key length")
	}
	key, err := hkdf.Key(h, m.bytes(call.Argument(1)), m.bytes(call.Argument(2)),
		string(m.bytes(call.Argument(3))), int(length))
	if err != nil {
		m.throw("Error", "ERR_CRYPTO_OPERATION_FAILED", "HKDF failed")
	}
	return m.buffer(key)
}

// timingSafeEqual(a, b) compares bytes of the same length.
func (m *Modules) timingSafeEqual(call goja.FunctionCall) goja.Value {
	equal := subtle.ConstantTimeCompare(m.bytes(call.Argument(0)), m.bytes(call.Argument(1)))
	return m.Runtime.ToValue(equal == 1)
}
