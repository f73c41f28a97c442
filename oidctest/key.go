package oidctest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	_ "crypto/sha512" // SHA-384 and SHA-512 for crypto.Hash
	"encoding/asn1"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// A key signs. It never changes once made.
type key struct {
	id        string
	algorithm string            // one of fits; used unless a token asks for another of them
	fits      []string          // the algorithms that the key can do
	signer    crypto.Signer     // nil: the key is secret
	secret    []byte            // of the HS algorithms
	jwk       map[string]string // the published form, without kid, use and alg
}

func generateKey(algorithm string) (*key, error) {
	var signer crypto.Signer
	var err error
	switch algorithm {
	case "RS256", "RS384", "RS512", "PS256", "PS384", "PS512":
		signer, err = rsa.GenerateKey(rand.Reader, 2048)
	case "ES256":
		signer, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ES384":
		signer, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "ES512":
		signer, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "EdDSA":
		_, signer, err = ed25519.GenerateKey(rand.Reader)
	default:
		const unknown = "oidctest: Config.Algorithm: %q is not one of this package"
		return nil, fmt.Errorf(unknown, algorithm)
	}
	if err != nil {
		return nil, fmt.Errorf("oidctest: new key: %w", err)
	}
	return newKey(algorithm, signer)
}

// newKey prepares a key for signing and publishing. An empty algorithm means
// the first that fits.
func newKey(algorithm string, signer crypto.Signer) (*key, error) {
	k := &key{algorithm: algorithm, signer: signer}
	if err := k.describe(); err != nil {
		return nil, fmt.Errorf("oidctest: Config.Key: %w", err)
	}
	if len(k.fits) == 0 {
		const unsupported = "oidctest: Config.Key: no algorithm for a key of type %T or its curve"
		return nil, fmt.Errorf(unsupported, signer.Public())
	}
	if algorithm == "" {
		k.algorithm = k.fits[0]
	}
	if !slices.Contains(k.fits, k.algorithm) {
		return nil, fmt.Errorf("oidctest: Config.Algorithm: %q does not fit Config.Key, which does %s",
			algorithm, strings.Join(k.fits, ", "))
	}
	// RFC 7638, section 3: the required members alone, sorted and without
	// spaces, which is how a map is marshalled.
	thumbprint := sha256.Sum256(mustJSON(k.jwk))
	k.id = base64url(thumbprint[:])
	return k, nil
}

// describe fills in the algorithms of the key and the members of its JWK (RFC
// 7518, section 6, and RFC 8037, section 2).
func (k *key) describe() error {
	switch public := k.signer.Public().(type) {
	case *rsa.PublicKey:
		k.fits = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
		k.jwk = map[string]string{
			"kty": "RSA",
			"n":   base64url(public.N.Bytes()),
			"e":   base64url(big.NewInt(int64(public.E)).Bytes()),
		}
	case *ecdsa.PublicKey:
		point, err := public.Bytes() // 4, x, y: the coordinates have full length
		if err != nil {
			return err
		}
		curve := public.Params().Name
		size := len(point) / 2
		k.fits = curveAlgorithms[curve]
		k.jwk = map[string]string{
			"kty": "EC",
			"crv": curve,
			"x":   base64url(point[1 : 1+size]),
			"y":   base64url(point[1+size:]),
		}
	case ed25519.PublicKey:
		k.fits = []string{"EdDSA"}
		k.jwk = map[string]string{
			"kty": "OKP",
			"crv": "Ed25519",
			"x":   base64url(public),
		}
	}
	return nil
}

var curveAlgorithms = map[string][]string{
	"P-256": {"ES256"},
	"P-384": {"ES384"},
	"P-521": {"ES512"},
}

// hashes are the hashes of algorithms, by the end of an algorithm's name.
var hashes = map[string]crypto.Hash{
	"256": crypto.SHA256,
	"384": crypto.SHA384,
	"512": crypto.SHA512,
}

// sign signs with the algorithm if it fits the key, else with the key's own.
func (k *key) sign(algorithm string, input []byte) ([]byte, error) {
	if !slices.Contains(k.fits, algorithm) {
		algorithm = k.algorithm
	}
	if algorithm == "EdDSA" { // RFC 8037, section 3.1: the input is not hashed first
		return k.signer.Sign(rand.Reader, input, crypto.Hash(0))
	}
	hash := hashes[algorithm[2:]]
	if k.signer == nil {
		mac := hmac.New(hash.New, k.secret)
		mac.Write(input)
		return mac.Sum(nil), nil
	}
	digest := hash.New()
	digest.Write(input)
	var options crypto.SignerOpts = hash
	if algorithm[:2] == "PS" { // RFC 7518, section 3.5: the salt is as long as the hash
		options = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash}
	}
	signature, err := k.signer.Sign(rand.Reader, digest.Sum(nil), options)
	if public, ok := k.signer.Public().(*ecdsa.PublicKey); ok && err == nil {
		return joined(signature, (public.Params().BitSize+7)/8)
	}
	return signature, err
}

// joined turns an ECDSA signature from ASN.1, which is what a [crypto.Signer]
// gives, into r and s of the given size one after the other (RFC 7518, section
// 3.4).
func joined(der []byte, size int) ([]byte, error) {
	var parts struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &parts); err != nil {
		return nil, fmt.Errorf("the key's signature is not ECDSA in ASN.1: %w", err)
	}
	signature := make([]byte, 2*size)
	parts.R.FillBytes(signature[:size])
	parts.S.FillBytes(signature[size:])
	return signature, nil
}

// mustJSON marshals maps and lists of strings, which cannot fail.
func mustJSON(value any) []byte {
	data, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return data
}
