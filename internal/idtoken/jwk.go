package idtoken

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// kinds are the kinds of keys that can verify signatures here, by kty, with the members that a
// public key of the kind consists of (RFC 7518 §6, RFC 8037 §2).
var kinds = map[string]struct {
	members []string
	curves  []string // of crv; nil: the kind has none
}{
	"RSA": {[]string{"n", "e"}, nil},
	"EC":  {[]string{"crv", "x", "y"}, []string{"P-256", "P-384", "P-521"}},
	"OKP": {[]string{"crv", "x"}, []string{"Ed25519"}},
}

// privateMembers hold the private part of a key: those of RSA, EC and OKP (RFC 7518 §6, RFC 8037
// §2), and of AKP (draft-ietf-cose-dilithium).
var privateMembers = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "priv"}

// errOtherUse is a key that is well-formed and verifies no signature here: its use is another, or
// its kind is not known. RFC 7517 §5 asks readers to ignore such keys.
var errOtherUse = errors.New("is not for signatures here")

// hasPrivatePart tells whether a JWK publishes a private key. Some writers include the members, but
// empty.
func hasPrivatePart(member map[string]any) bool {
	return slices.ContainsFunc(privateMembers, func(name string) bool {
		return member[name] != nil && member[name] != ""
	})
}

// readJWK reads one member of a key set. The error says in one phrase why the key was left out; it
// wraps errOtherUse if nobody has to correct anything.
//
// Members that decide nothing, such as x5t, may have any form. Those that are null or empty count
// as absent: writers of JWKs leave them so.
func readJWK(member map[string]any) (key, error) {
	var k key
	var err error
	if k.kid, err = optionalText(member, "kid"); err != nil {
		return k, err
	}
	if k.algorithm, err = optionalText(member, "alg"); err != nil {
		return k, err
	}
	k.algorithm = CanonicalAlgorithm(k.algorithm)
	if k.issuer, err = optionalText(member, "issuer"); err != nil {
		return k, err
	}
	if err := checkUse(member); err != nil {
		return k, err
	}
	kty, err := optionalText(member, "kty")
	if err != nil {
		return k, err
	}
	if kty == "" {
		return k, errors.New("it has no kty")
	}
	kind, known := kinds[kty]
	if !known {
		return k, fmt.Errorf("it %w: its kty is %.40q", errOtherUse, kty)
	}
	crv, err := optionalText(member, "crv")
	if err != nil {
		return k, err
	}
	if crv != "" && kind.curves != nil && !slices.Contains(kind.curves, crv) {
		return k, fmt.Errorf("it %w: its crv is %.40q", errOtherUse, crv)
	}
	k.certificate = certificateOf(member)
	if k.material, err = readMaterial(member, kty, k.certificate); err != nil {
		return k, err
	}
	k.id = materialID(k.material)
	k.refused = weakness(k)
	return k, nil
}

// checkUse returns why a JWK's key is not for verification (RFC 7517 §4.2, §4.3).
func checkUse(member map[string]any) error {
	use, err := optionalText(member, "use")
	if err != nil {
		return err
	}
	if use != "" && use != "sig" {
		return fmt.Errorf("it %w: its use is %.40q", errOtherUse, use)
	}
	operations, limited := member["key_ops"].([]any)
	if limited && len(operations) > 0 && !slices.Contains(operations, any("verify")) {
		return fmt.Errorf("it %w: its key_ops lack verify", errOtherUse)
	}
	return nil
}

// optionalText reads a member that is a text, and empty if it is absent or null.
func optionalText(member map[string]any, name string) (string, error) {
	if member[name] == nil {
		return "", nil
	}
	text, ok := member[name].(string)
	if !ok {
		return "", fmt.Errorf("its %s is not a string", name)
	}
	return text, nil
}

// readMaterial reads the public key of a JWK, or of its certificate if the JWK has a certificate
// and none of the members.
func readMaterial(
	member map[string]any, kty string, certificate *x509.Certificate,
) (any, error) {
	kind := kinds[kty]
	public := map[string]any{"kty": kty}
	var missing []string
	for _, name := range kind.members {
		text, err := optionalText(member, name)
		if err != nil {
			return nil, err
		}
		if text == "" {
			missing = append(missing, name)
			continue
		}
		public[name] = text
	}
	bare := !slices.ContainsFunc(kind.members, func(name string) bool {
		return name != "crv" && public[name] != nil
	})
	if bare && certificate != nil {
		return certifiedKey(certificate, kty, public["crv"])
	}
	if len(missing) > 0 {
		err := fmt.Errorf("it has no %s", strings.Join(missing, " and no "))
		if bare && member["x5c"] != nil {
			err = fmt.Errorf("%w, and its x5c is not a certificate", err)
		}
		return nil, err
	}
	for _, name := range kind.members {
		if name == "crv" {
			continue
		}
		value, ok := decodeBase64(public[name].(string))
		if !ok {
			return nil, fmt.Errorf("its %s is not base64url", name)
		}
		// jwx would keep the low bits of a larger one, and crypto/rsa takes no larger one.
		if name == "e" && new(big.Int).SetBytes(value).BitLen() > maxExponentBits {
			return nil, fmt.Errorf("its e has more than %d bits", maxExponentBits)
		}
	}
	return checkMaterial(decodeJWK(public))
}

// certifiedKey returns the public key of a JWK's certificate. Nothing of the certificate but its
// key counts: who publishes the key set is told by TLS.
func certifiedKey(certificate *x509.Certificate, kty string, crv any) (any, error) {
	material, err := checkMaterial(certificate.PublicKey, nil)
	if err != nil {
		return nil, err
	}
	of := ""
	switch m := material.(type) {
	case *rsa.PublicKey:
		of = "RSA"
	case *ecdsa.PublicKey:
		of = "EC"
		if crv != nil && crv != m.Curve.Params().Name {
			return nil, fmt.Errorf("its x5c has a key of the curve %s, its crv is %.40q",
				m.Curve.Params().Name, crv)
		}
	case ed25519.PublicKey:
		of = "OKP"
	}
	if of != kty {
		return nil, fmt.Errorf("its x5c has another kind of key than its kty %s", kty)
	}
	return material, nil
}

// checkMaterial refuses public keys that crypto would not take, or would panic on.
func checkMaterial(material any, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	switch m := material.(type) {
	case *rsa.PublicKey:
		if m.N.Sign() == 0 {
			return nil, errors.New("its n is zero")
		}
		return m, nil
	case *ecdsa.PublicKey:
		if _, err := m.ECDH(); err != nil { // which is possible with points of the curve only
			return nil, errors.New("it is not a point of its curve")
		}
		return m, nil
	case ed25519.PublicKey:
		if len(m) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("its x has %d bytes instead of %d",
				len(m), ed25519.PublicKeySize)
		}
		return m, nil
	}
	return nil, fmt.Errorf("it %w: its kind is not known", errOtherUse)
}

// weakness returns why a key may never be used, though it is well-formed.
func weakness(k key) *Error {
	m, ok := k.material.(*rsa.PublicKey)
	if !ok {
		return nil
	}
	bits := m.N.BitLen()
	if bits < minRSABits || bits > maxRSABits || m.E < 3 || m.E%2 == 0 {
		return newError(keyWeak,
			"the issuer's key %.80q has %d bits and exponent %d", k.kid, bits, m.E)
	}
	if HasROCAFingerprint(m.N) {
		return newError(keyWeak,
			"the issuer's key %.80q was made by a broken generator (ROCA, CVE-2017-15361)", k.kid)
	}
	return nil
}

// decodeBase64 decodes base64url or base64, with padding or without. Some issuers do not write what
// RFC 7518 §2 asks for, but their keys can be read anyway.
func decodeBase64(text string) (value []byte, ok bool) {
	for _, encoding := range []*base64.Encoding{
		base64.RawURLEncoding, base64.URLEncoding, base64.RawStdEncoding, base64.StdEncoding,
	} {
		if value, err := encoding.DecodeString(text); err == nil {
			return value, true
		}
	}
	return nil, false
}

// certificateOf returns the certificate that a JWK has for its key, the first of x5c (RFC 7517
// §4.7), or nil if it has none that can be read.
func certificateOf(member map[string]any) *x509.Certificate {
	chain, _ := member["x5c"].([]any)
	if len(chain) == 0 {
		return nil
	}
	text, _ := chain[0].(string)
	der, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil
	}
	return certificate
}

// omission is a member of a key set that was left out.
type omission struct {
	kid string // empty: none
	why error  // of readJWK
}

func (o omission) String() string {
	if o.kid == "" {
		return fmt.Sprintf("a key without kid: %v", o.why)
	}
	return fmt.Sprintf("the key %.80q: %v", o.kid, o.why)
}
