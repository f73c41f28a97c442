package node

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/asn1"
	"math/big"

	"github.com/dop251/goja"
)

// padding of RSA signatures, as crypto.constants numbers it.
const (
	paddingPKCS1 = 1
	paddingPSS   = 6
)

// Values of saltLength that are not lengths: the length of the hash, and the longest possible one.
// When a signature is verified, the latter means any length.
const (
	saltDigest = -1
	saltMax    = -2
)

// sign(algorithm, data, key, padding, saltLength, ieee) returns a signature.
func (m *Modules) sign(call goja.FunctionCall) goja.Value {
	data := m.bytes(call.Argument(1))
	k := m.keyAt(call, 2)
	var signature []byte
	var err error
	switch key := k.private.(type) {
	case ed25519.PrivateKey:
		signature = ed25519.Sign(key, data)
	case *ecdsa.PrivateKey:
		_, digest := m.digest(call)
		signature, err = ecdsa.SignASN1(rand.Reader, key, digest)
		if err == nil && call.Argument(5).ToBoolean() {
			signature = toIEEE(signature, (key.Params().BitSize+7)/8)
		}
	case *rsa.PrivateKey:
		id, digest := m.digest(call)
		if call.Argument(3).ToInteger() == paddingPSS {
			signature, err = rsa.SignPSS(rand.Reader, key, id, digest, pssOptions(call))
		} else {
			signature, err = rsa.SignPKCS1v15(nil, key, id, digest)
		}
	}
	if err != nil || signature == nil {
		m.throw("Error", "ERR_CRYPTO_OPERATION_FAILED", "the key cannot sign with this algorithm")
	}
	return m.buffer(signature)
}

// verify(algorithm, data, key, padding, saltLength, ieee, signature) reports whether a signature is
// right.
func (m *Modules) verify(call goja.FunctionCall) goja.Value {
	data := m.bytes(call.Argument(1))
	k := m.keyAt(call, 2)
	signature := m.bytes(call.Argument(6))
	valid := false
	switch key := k.public.(type) {
	case ed25519.PublicKey:
		valid = ed25519.Verify(key, data, signature)
	case *ecdsa.PublicKey:
		_, digest := m.digest(call)
		if call.Argument(5).ToBoolean() {
			signature = fromIEEE(signature, (key.Params().BitSize+7)/8)
			if signature == nil {
				m.throw("Error", "ERR_CRYPTO_OPERATION_FAILED", "Malformed signature")
			}
		}
		valid = ecdsa.VerifyASN1(key, digest, signature)
	case *rsa.PublicKey:
		id, digest := m.digest(call)
		var err error
		if call.Argument(3).ToInteger() == paddingPSS {
			err = rsa.VerifyPSS(key, id, digest, signature, pssOptions(call))
		} else {
			err = rsa.VerifyPKCS1v15(key, id, digest, signature)
		}
		valid = err == nil
	}
	return m.Runtime.ToValue(valid)
}

// digest returns the hash of the data that are signed.
func (m *Modules) digest(call goja.FunctionCall) (crypto.Hash, []byte) {
	found := m.algorithmAt(call, 0)
	if found.id == 0 {
		m.unavailable("a signature with SHA-3")
	}
	h := found.new()
	h.Write(m.bytes(call.Argument(1)))
	return found.id, h.Sum(nil)
}

// pssOptions reads the length of the salt.
func pssOptions(call goja.FunctionCall) *rsa.PSSOptions {
	length := call.Argument(4)
	switch n := int(length.ToInteger()); {
	case goja.IsUndefined(length), n == saltMax, n == 0:
		return &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthAuto}
	case n == saltDigest:
		return &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}
	default:
		return &rsa.PSSOptions{SaltLength: n}
	}
}

// ecdsaSignature is a signature in ASN.1.
type ecdsaSignature struct{ R, S *big.Int }

// toIEEE turns a signature in ASN.1 into two numbers of a fixed size, as JSON Web Signatures have
// them (RFC 7518, section 3.4).
func toIEEE(signature []byte, size int) []byte {
	var numbers ecdsaSignature
	if _, err := asn1.Unmarshal(signature, &numbers); err != nil {
		return nil
	}
	fixed := make([]byte, 2*size)
	numbers.R.FillBytes(fixed[:size])
	numbers.S.FillBytes(fixed[size:])
	return fixed
}

// fromIEEE is the reverse of [toIEEE]. It returns nil for a signature of another size.
func fromIEEE(signature []byte, size int) []byte {
	if len(signature) != 2*size {
		return nil
	}
	made, err := asn1.Marshal(ecdsaSignature{
		R: new(big.Int).SetBytes(signature[:size]),
		S: new(big.Int).SetBytes(signature[size:]),
	})
	if err != nil {
		return nil
	}
	return made
}
