package node

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"strings"

	"github.com/dop251/goja"
)

// asymmetric is a key that a rule gave. JavaScript holds it, and sees nothing of it.
type asymmetric struct {
	private crypto.Signer // nil: the key is public
	public  crypto.PublicKey
}

// curves are the names that OpenSSL has for elliptic curves.
var curves = map[string]string{
	"P-224": "secp224r1",
	"P-256": "prime256v1",
	"P-384": "secp384r1",
	"P-521": "secp521r1",
}

// maxModulus limits RSA keys, in bits. A signature with such a key takes some 50 ms.
const maxModulus = 8192

// maxPrivate limits private keys, in bytes of DER. The time to read one grows with the square of
// its length, and no interrupt ends it. A key of maxModulus bits has less than 5 KiB.
const maxPrivate = 8 << 10

// key(bytes, private, der) reads a key: PEM, or DER in one of the forms that PEM has. It returns an
// object with the key and what it is, or undefined if there is none.
func (m *Modules) key(call goja.FunctionCall) goja.Value {
	isDER := call.Argument(2).ToBoolean()
	found := m.parseKey(m.bytes(call.Argument(0)), call.Argument(1).ToBoolean(), isDER)
	if found == nil {
		return goja.Undefined()
	}
	object := m.Runtime.NewObject()
	_ = object.Set("key", m.Runtime.ToValue(found))
	switch public := found.public.(type) {
	case *rsa.PublicKey:
		if public.N.BitLen() > maxModulus {
			m.unavailable("an RSA key of more than 8192 bits")
		}
		_ = object.Set("kind", "rsa")
		_ = object.Set("bits", public.N.BitLen())
	case *ecdsa.PublicKey:
		_ = object.Set("kind", "ec")
		_ = object.Set("curve", curves[public.Params().Name])
	case ed25519.PublicKey:
		_ = object.Set("kind", "ed25519")
	default:
		m.unavailable("this kind of key")
	}
	return object
}

// parseKey returns a private key, or the public key of a public key, a certificate or a private
// key.
func (m *Modules) parseKey(text []byte, private, isDER bool) *asymmetric {
	kind := ""
	content := text
	if !isDER {
		block, _ := pem.Decode(bytes.TrimSpace(text))
		if block == nil {
			return nil
		}
		if block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "" {
			m.unavailable("a key with a passphrase")
		}
		kind = block.Type
		content = block.Bytes
	}
	if strings.HasSuffix(kind, "PRIVATE KEY") || kind == "" {
		if len(content) > maxPrivate {
			m.unavailable("a key of more than 8 KiB")
		}
	}
	if signer := parsePrivate(kind, content); signer != nil {
		if !private {
			return &asymmetric{public: signer.Public()}
		}
		return &asymmetric{private: signer, public: signer.Public()}
	}
	if private {
		return nil
	}
	if public := parsePublic(kind, content); public != nil {
		return &asymmetric{public: public}
	}
	return nil
}

// parsePrivate reads a private key. Without a kind it tries all forms.
func parsePrivate(kind string, content []byte) crypto.Signer {
	var parsed any
	if kind == "PRIVATE KEY" || kind == "" {
		parsed, _ = x509.ParsePKCS8PrivateKey(content)
	}
	if parsed == nil && (kind == "RSA PRIVATE KEY" || kind == "") {
		if key, err := x509.ParsePKCS1PrivateKey(content); err == nil {
			parsed = key
		}
	}
	if parsed == nil && (kind == "EC PRIVATE KEY" || kind == "") {
		if key, err := x509.ParseECPrivateKey(content); err == nil {
			parsed = key
		}
	}
	signer, _ := parsed.(crypto.Signer)
	return signer
}

// parsePublic reads a public key. Without a kind it tries all forms but that of a certificate.
func parsePublic(kind string, content []byte) crypto.PublicKey {
	switch kind {
	case "CERTIFICATE":
		if certificate, err := x509.ParseCertificate(content); err == nil {
			return certificate.PublicKey
		}
	case "RSA PUBLIC KEY":
		if key, err := x509.ParsePKCS1PublicKey(content); err == nil {
			return key
		}
	case "PUBLIC KEY":
		if key, err := x509.ParsePKIXPublicKey(content); err == nil {
			return key
		}
	case "":
		if key := parsePublic("PUBLIC KEY", content); key != nil {
			return key
		}
		return parsePublic("RSA PUBLIC KEY", content)
	}
	return nil
}

// keyAt returns the key in an argument.
func (m *Modules) keyAt(call goja.FunctionCall, i int) *asymmetric {
	found, ok := call.Argument(i).Export().(*asymmetric)
	if !ok {
		m.throw("TypeError", "ERR_INVALID_ARG_TYPE", "the argument is not a key")
	}
	return found
}

// exportKey(key, type) returns a key in DER: spki, pkcs1, pkcs8 or sec1. It is undefined if the key
// has no such form.
func (m *Modules) exportKey(call goja.FunctionCall) goja.Value {
	k := m.keyAt(call, 0)
	var content []byte
	var err error
	switch kind := call.Argument(1).String(); {
	case kind == "spki":
		content, err = x509.MarshalPKIXPublicKey(k.public)
	case kind == "pkcs8" && k.private != nil:
		content, err = x509.MarshalPKCS8PrivateKey(k.private)
	case kind == "sec1" && k.private != nil:
		if key, ok := k.private.(*ecdsa.PrivateKey); ok {
			content, err = x509.MarshalECPrivateKey(key)
		}
	case kind == "pkcs1" && k.private != nil:
		if key, ok := k.private.(*rsa.PrivateKey); ok {
			content = x509.MarshalPKCS1PrivateKey(key)
		}
	case kind == "pkcs1":
		if key, ok := k.public.(*rsa.PublicKey); ok {
			content = x509.MarshalPKCS1PublicKey(key)
		}
	}
	if err != nil || content == nil {
		return goja.Undefined()
	}
	return m.buffer(content)
}
