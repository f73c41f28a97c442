package ststest

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rsa"
	"crypto/sha1"
	"errors"
)

const (
	nsEncryption = "http://www.w3.org/2001/04/xmlenc#"
	typeElement  = "http://www.w3.org/2001/04/xmlenc#Element"

	// The only key transport accepted, with SHA-1 for its digest and its mask.
	// AWS lists RSA-OAEP, and the portable form of it is this one.
	algOAEP = "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p"
)

// contentCiphers are those that AWS lists (IAM User Guide, Create a SAML
// identity provider in IAM): AES with 128 or 256 bits, CBC or GCM.
var contentCiphers = map[string]struct {
	keySize int
	open    func(cipher.Block, []byte) ([]byte, error)
}{
	"http://www.w3.org/2001/04/xmlenc#aes128-cbc": {16, openCBC},
	"http://www.w3.org/2001/04/xmlenc#aes256-cbc": {32, openCBC},
	"http://www.w3.org/2009/xmlenc11#aes128-gcm":  {16, openGCM},
	"http://www.w3.org/2009/xmlenc11#aes256-gcm":  {32, openGCM},
}

var errDecrypt = errors.New("the assertion cannot be decrypted")

// decryptAssertion returns the Assertion that an EncryptedAssertion hides (SAML
// core 2.3.4, XML Encryption 1.1), with the first key that opens it. The hidden
// text is one Assertion and nothing else. It is read by itself: it must declare
// the namespaces it uses.
func decryptAssertion(n *node, keys []*rsa.PrivateKey) (*node, error) {
	if n == nil { // none, or several
		return nil, errDecrypt
	}
	data := n.only(nsEncryption, "EncryptedData")
	if data == nil {
		return nil, errDecrypt
	}
	if t, _ := data.attr("Type"); t != typeElement {
		return nil, errDecrypt
	}
	content, ok := contentCiphers[algorithmOf(data)]
	if !ok {
		return nil, errDecrypt
	}
	sealed, wrapped := cipherValue(data), wrappedKey(n, data) // nil opens with no key
	for _, key := range keys {
		secret, err := rsa.DecryptOAEP(sha1.New(), nil, key, wrapped, nil)
		if err != nil || len(secret) != content.keySize {
			continue
		}
		block, err := aes.NewCipher(secret)
		if err != nil {
			continue
		}
		text, err := content.open(block, sealed)
		if err != nil {
			continue
		}
		hidden, err := parseElement(text)
		if err == nil && hidden.is(nsAssertion, "Assertion") {
			return hidden, nil
		}
	}
	return nil, errDecrypt
}

// wrappedKey returns the ciphertext of the one EncryptedKey, which may be in
// the KeyInfo of the data or next to the data.
func wrappedKey(n, data *node) []byte {
	keys := n.all(nsEncryption, "EncryptedKey")
	if info := data.only(nsSignature, "KeyInfo"); info != nil {
		keys = append(keys, info.all(nsEncryption, "EncryptedKey")...)
	}
	if len(keys) != 1 || algorithmOf(keys[0]) != algOAEP {
		return nil
	}
	for _, c := range keys[0].only(nsEncryption, "EncryptionMethod").children {
		if c.el == nil {
			continue
		}
		if alg, _ := c.el.attr("Algorithm"); alg != algSHA1 {
			return nil // OAEPparams, another digest, a mask of its own
		}
	}
	return cipherValue(keys[0])
}

// algorithmOf returns the Algorithm of the one EncryptionMethod of n, or "".
func algorithmOf(n *node) string {
	method := n.only(nsEncryption, "EncryptionMethod")
	if method == nil {
		return ""
	}
	alg, _ := method.attr("Algorithm")
	return alg
}

// cipherValue returns the decoded CipherValue of n, or nil.
func cipherValue(n *node) []byte {
	for _, name := range []string{"CipherData", "CipherValue"} {
		if n = n.only(nsEncryption, name); n == nil {
			return nil
		}
	}
	b, err := base64Of(n)
	if err != nil {
		return nil
	}
	return b
}

// openGCM reads nonce, ciphertext and tag (XML Encryption 1.1, section 5.2.4).
func openGCM(block cipher.Block, sealed []byte) ([]byte, error) {
	gcm, err := cipher.NewGCM(block)
	if err != nil || len(sealed) < gcm.NonceSize() {
		return nil, errDecrypt
	}
	return gcm.Open(nil, sealed[:gcm.NonceSize()], sealed[gcm.NonceSize():], nil)
}

// openCBC reads the initialization vector and whole blocks. The last byte says
// how many bytes at the end are padding, 1 to 16 with any contents (section
// 5.2.2). With 0 a NUL is left over, which no XML has.
func openCBC(block cipher.Block, sealed []byte) ([]byte, error) {
	const size = aes.BlockSize
	if len(sealed) < 2*size || len(sealed)%size != 0 {
		return nil, errDecrypt
	}
	text := make([]byte, len(sealed)-size)
	cipher.NewCBCDecrypter(block, sealed[:size]).CryptBlocks(text, sealed[size:])
	padding := int(text[len(text)-1])
	if padding > size {
		return nil, errDecrypt
	}
	return text[:len(text)-padding], nil
}
