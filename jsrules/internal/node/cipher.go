package node

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"strings"

	"github.com/dop251/goja"
)

// cipherKind is an algorithm of createCipheriv.
type cipherKind struct {
	keySize  int
	mode     string // cbc, ctr or gcm
	ivLength int
}

// ciphers are the algorithms by name.
var ciphers = func() map[string]cipherKind {
	all := map[string]cipherKind{}
	for bits, size := range map[string]int{"128": 16, "192": 24, "256": 32} {
		all["aes-"+bits+"-cbc"] = cipherKind{size, "cbc", aes.BlockSize}
		all["aes-"+bits+"-ctr"] = cipherKind{size, "ctr", aes.BlockSize}
		all["aes-"+bits+"-gcm"] = cipherKind{size, "gcm", 12}
	}
	return all
}()

// cipherOf returns an algorithm. aes256 and the like are OpenSSL's names for CBC, and id-aes256-GCM
// for GCM.
func cipherOf(name string) (cipherKind, bool) {
	name = strings.ToLower(name)
	switch name {
	case "aes128", "aes192", "aes256":
		name = "aes-" + name[3:] + "-cbc"
	case "id-aes128-gcm", "id-aes192-gcm", "id-aes256-gcm":
		name = "aes-" + name[6:]
	}
	kind, ok := ciphers[name]
	return kind, ok
}

// cipherNames() returns the names of all algorithms.
func (m *Modules) cipherNames(goja.FunctionCall) goja.Value { return m.list(sortedNames(ciphers)) }

// cipherInfo(algorithm) returns the sizes of an algorithm, or undefined.
func (m *Modules) cipherInfo(call goja.FunctionCall) goja.Value {
	kind, ok := cipherOf(call.Argument(0).String())
	if !ok {
		return goja.Undefined()
	}
	object := m.Runtime.NewObject()
	_ = object.Set("mode", kind.mode)
	_ = object.Set("keyLength", kind.keySize)
	_ = object.Set("ivLength", kind.ivLength)
	return object
}

// maxCiphered limits the bytes that one cipher takes in all its updates, because GCM keeps them.
const maxCiphered = 16 * maxBytes

// ciphering is a cipher under way.
type ciphering struct {
	modules *Modules
	encrypt bool
	padded  bool
	done    bool

	block  cipher.BlockMode // CBC
	rest   []byte           // CBC: what is not yet a block, or could be the last one
	stream cipher.Stream    // CTR and GCM

	aead   cipher.AEAD // GCM
	iv     []byte
	aad    []byte
	kept   []byte // GCM: all plaintext when encrypting, all ciphertext when decrypting
	tag    []byte
	length int // of the tag
}

// cipher(algorithm, encrypt, key, iv, tagLength) returns a cipher under way, with the functions
// update, final, setAAD, getTag, setTag and setAutoPadding. Sizes were checked.
func (m *Modules) cipher(call goja.FunctionCall) goja.Value {
	kind, _ := cipherOf(call.Argument(0).String())
	block, err := aes.NewCipher(m.bytes(call.Argument(2)))
	if err != nil {
		m.throw("RangeError", "ERR_CRYPTO_INVALID_KEYLEN", "Invalid key length")
	}
	c := &ciphering{
		modules: m,
		encrypt: call.Argument(1).ToBoolean(),
		padded:  true,
		iv:      bytes.Clone(m.bytes(call.Argument(3))),
		length:  16,
	}
	switch kind.mode {
	case "cbc":
		if c.encrypt {
			c.block = cipher.NewCBCEncrypter(block, c.iv)
		} else {
			c.block = cipher.NewCBCDecrypter(block, c.iv)
		}
	case "ctr":
		c.stream = cipher.NewCTR(block, c.iv)
	case "gcm":
		if length := call.Argument(4); !goja.IsUndefined(length) {
			c.length = int(length.ToInteger())
		}
		if c.aead, err = cipher.NewGCMWithTagSize(block, c.length); err != nil {
			m.unavailable("GCM with a tag of fewer than 12 bytes")
		}
		// SP 800-38D, section 6.5: the counter of the first block of text is 2.
		c.stream = cipher.NewCTR(block, append(bytes.Clone(c.iv), 0, 0, 0, 2))
	}
	object := m.Runtime.NewObject()
	for name, function := range map[string]func(goja.FunctionCall) goja.Value{
		"update":         c.update,
		"final":          c.final,
		"setAAD":         c.setAAD,
		"getTag":         c.getTag,
		"setTag":         c.setTag,
		"setAutoPadding": c.setAutoPadding,
	} {
		_ = object.Set(name, m.halting(function))
	}
	return object
}

// update(bytes) takes more bytes, and returns the output that is ready.
func (c *ciphering) update(call goja.FunctionCall) goja.Value {
	c.open()
	data := c.modules.bytes(call.Argument(0))
	if len(c.kept)+len(c.rest)+len(data) > maxCiphered {
		c.modules.unavailable("a cipher of more than 16 MiB")
	}
	if c.stream != nil {
		result := make([]byte, len(data))
		c.stream.XORKeyStream(result, data)
		if c.aead != nil {
			c.kept = append(c.kept, data...)
		}
		return c.modules.buffer(result)
	}
	c.rest = append(c.rest, data...)
	whole := len(c.rest) / aes.BlockSize * aes.BlockSize
	if !c.encrypt && c.padded && whole == len(c.rest) {
		whole = max(whole-aes.BlockSize, 0) // it may be the block with the padding
	}
	result := make([]byte, whole)
	c.block.CryptBlocks(result, c.rest[:whole])
	c.rest = bytes.Clone(c.rest[whole:])
	return c.modules.buffer(result)
}

// open refuses a call after final.
func (c *ciphering) open() {
	if c.done {
		c.modules.throw("Error", "ERR_CRYPTO_INVALID_STATE", "Unsupported state")
	}
}

// final() returns the rest of the output, or refuses what was decrypted.
func (c *ciphering) final(goja.FunctionCall) goja.Value {
	c.open()
	c.done = true
	if c.aead != nil {
		return c.finishGCM()
	}
	if c.block == nil {
		return c.modules.buffer(nil)
	}
	if c.encrypt {
		return c.finishEncryption()
	}
	return c.finishDecryption()
}

func (c *ciphering) finishGCM() goja.Value {
	if c.encrypt {
		sealed := c.aead.Seal(nil, c.iv, c.kept, c.aad)
		c.tag = sealed[len(c.kept):]
		return c.modules.buffer(nil)
	}
	// A tag that is missing or has another length is a wrong one.
	if _, err := c.aead.Open(nil, c.iv, append(c.kept, c.tag...), c.aad); err != nil ||
		len(c.tag) != c.length {
		c.modules.throw("Error", "", "Unsupported state or unable to authenticate data")
	}
	return c.modules.buffer(nil)
}

// finishEncryption pads the last block (PKCS #7).
func (c *ciphering) finishEncryption() goja.Value {
	if !c.padded {
		if len(c.rest) > 0 {
			c.modules.throw("Error", "ERR_OSSL_WRONG_FINAL_BLOCK_LENGTH",
				"the text is not a multiple of the block length")
		}
		return c.modules.buffer(nil)
	}
	missing := aes.BlockSize - len(c.rest)
	last := append(c.rest, bytes.Repeat([]byte{byte(missing)}, missing)...)
	c.block.CryptBlocks(last, last)
	return c.modules.buffer(last)
}

// finishDecryption takes the padding off the last block.
func (c *ciphering) finishDecryption() goja.Value {
	if !c.padded && len(c.rest) == 0 {
		return c.modules.buffer(nil)
	}
	if len(c.rest) != aes.BlockSize {
		c.modules.throw("Error", "ERR_OSSL_WRONG_FINAL_BLOCK_LENGTH",
			"wrong final block length")
	}
	last := bytes.Clone(c.rest)
	c.block.CryptBlocks(last, last)
	n := int(last[aes.BlockSize-1])
	if n == 0 || n > aes.BlockSize ||
		!bytes.HasSuffix(last, bytes.Repeat([]byte{byte(n)}, n)) {
		c.modules.throw("Error", "ERR_OSSL_BAD_DECRYPT", "bad decrypt")
	}
	return c.modules.buffer(last[:aes.BlockSize-n])
}

// setAAD(bytes) adds data that are authenticated and not encrypted.
func (c *ciphering) setAAD(call goja.FunctionCall) goja.Value {
	c.open()
	if c.aead == nil || len(c.kept) > 0 {
		c.modules.throw("Error", "ERR_CRYPTO_INVALID_STATE", "Invalid state for operation setAAD")
	}
	c.aad = append(c.aad, c.modules.bytes(call.Argument(0))...)
	return goja.Undefined()
}

// getTag() returns the tag after final.
func (c *ciphering) getTag(goja.FunctionCall) goja.Value {
	if c.aead == nil || !c.encrypt || !c.done {
		c.modules.throw("Error", "ERR_CRYPTO_INVALID_STATE",
			"Invalid state for operation getAuthTag")
	}
	return c.modules.buffer(bytes.Clone(c.tag))
}

// setTag(bytes) sets the tag that final compares.
func (c *ciphering) setTag(call goja.FunctionCall) goja.Value {
	c.open()
	if c.aead == nil || c.encrypt || c.tag != nil {
		c.modules.throw("Error", "ERR_CRYPTO_INVALID_STATE",
			"Invalid state for operation setAuthTag")
	}
	tag := bytes.Clone(c.modules.bytes(call.Argument(0)))
	if len(tag) != c.length {
		c.modules.throw("TypeError", "ERR_CRYPTO_INVALID_AUTH_TAG",
			"Invalid authentication tag length")
	}
	c.tag = tag
	return goja.Undefined()
}

// setAutoPadding(on) turns the padding of CBC on or off.
func (c *ciphering) setAutoPadding(call goja.FunctionCall) goja.Value {
	c.open()
	c.padded = call.Argument(0).ToBoolean()
	return goja.Undefined()
}
