package delegation_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"hash"
	"math/big"
	mathrand "math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/seed055b7978/delegation"
)

const (
	matrixSecret      = "the-secret-of-the-issuer-0123456789-abcdef"
	matrixClientKey   = "the-secret-of-one-client-0123456789-abcdef"
	matrixOtherIssuer = "https://other-issuer.example.com"
	matrixKeysURL     = issuerURL + "/keys"
)

// matrixToken describes a token and the configuration that it meets.
type matrixToken struct {
	choices []string // what deviates, for the report
	skipped bool     // whether the last choice has no meaning for this token
	random  *mathrand.Rand

	setup     matrixSetup
	header    matrixPart
	payload   matrixPart
	signature matrixSignature
	form      string // how the parts are put together; empty: as RFC 7515 §7.1 says
	edit      string // what is changed after signing; empty: nothing
}

// matrixSetup is what the operator configured and what the issuer published.
type matrixSetup struct {
	material   string      // of the key that signs honest tokens; "secret": HS256 with a secret
	keys       []matrixKey // the published set
	algorithms []string    // Issuer.Algorithms
	source     string      // of the keys: "static", "URL" or "discovery"
	leeway     time.Duration
	replay     bool // whether there is a replay store

	secretOf        string   // the client that has one of Issuer.ClientSecrets; empty: none has
	marks           []string // Issuer.AllowTokenMarks
	clientAudiences []string // Issuer.ClientAudiences

	// issuers is empty for one issuer, "apart" for another one that the target does not take, and
	// "one name space" for two on one target.
	issuers   string
	targetID  string   // Target.ID
	audiences []string // Target.Audiences
	parties   []string // Target.AuthorizedParties
	nameID    string   // Target.NameID
	client    string   // WithClientID

	issuerRequires, targetRequires map[string][]string // RequiredClaims
}

// matrixKey is a member of the published set. Empty fields are absent.
type matrixKey struct {
	material, kid, alg, use string
	operations              []string // key_ops
	curve                   string   // crv instead of the right one
	private                 bool     // published with its private part
}

// matrixPart is the header or the payload.
type matrixPart struct {
	members  []matrixMember // those with an absent value are left out
	layout   string         // of the text; empty: one object without blanks
	encoding string         // what is wrong with its base64url; empty: nothing
}

// matrixMember is a member of an object. Its flaw is one of its name or its place.
type matrixMember struct {
	name  string // as JSON text without quotes
	value jsonValue
	flaw  string
}

func (p *matrixPart) get(name string) jsonValue {
	for _, m := range p.members {
		if m.name == name {
			return m.value
		}
	}
	return jsonValue{}
}

func (p *matrixPart) set(name string, value jsonValue) {
	for i, m := range p.members {
		if m.name == name {
			p.members[i].value = value
			return
		}
	}
	p.add(name, value, "")
}

// add puts a member at the end, also if there is one of the name.
func (p *matrixPart) add(name string, value jsonValue, flaw string) {
	p.members = append(p.members, matrixMember{name, value, flaw})
}

// jsonValue is a JSON value: its text, and what the text means by RFC 8259. The oracle reads the
// meaning, the builder the text. The zero value is an absent member.
type jsonValue struct {
	text  string
	kind  string // string, number, bool, null, list or object
	str   string
	num   float64
	items []jsonValue
	inner map[string]jsonValue // of an object, where the oracle needs it
	flaw  string               // what no token may have, if it has it
}

func jsonString(s string) jsonValue {
	return jsonValue{text: string(must(json.Marshal(s))), kind: "string", str: s}
}

func jsonNumber(n float64) jsonValue {
	return jsonValue{text: strconv.FormatFloat(n, 'f', -1, 64), kind: "number", num: n}
}

// numberText is a number in a form of its own.
func numberText(text string, n float64) jsonValue {
	return jsonValue{text: text, kind: "number", num: n}
}

func jsonList(items ...jsonValue) jsonValue {
	texts := make([]string, len(items))
	for i, item := range items {
		texts[i] = item.text
	}
	return jsonValue{text: "[" + strings.Join(texts, ",") + "]", kind: "list", items: items}
}

func stringList(items ...string) jsonValue {
	values := make([]jsonValue, len(items))
	for i, item := range items {
		values[i] = jsonString(item)
	}
	return jsonList(values...)
}

func jsonNull() jsonValue { return jsonValue{text: "null", kind: "null"} }

func jsonBool() jsonValue { return jsonValue{text: "true", kind: "bool"} }

// jsonInner is an object of one member whose meaning counts.
func jsonInner(name string, value jsonValue) jsonValue {
	return jsonValue{
		text: fmt.Sprintf("{%q:%s}", name, value.text), kind: "object",
		inner: map[string]jsonValue{name: value},
	}
}

func jsonObject(text string) jsonValue { return jsonValue{text: text, kind: "object"} }

// flawed is a value that no token may have.
func flawed(kind, text, flaw string) jsonValue {
	return jsonValue{text: text, kind: kind, flaw: flaw}
}

// text is the part before it is encoded.
func (p *matrixPart) text() string {
	var members []string
	for _, m := range p.members {
		if m.value.kind != "" {
			members = append(members, `"`+m.name+`":`+m.value.text)
		}
	}
	object := "{" + strings.Join(members, ",") + "}"
	if p.layout == "" {
		return object
	}
	return matrixLayouts[p.layout](object)
}

// encodePart encodes a part, with what is wrong with it.
func encodePart(text []byte, wrong string) string {
	right := encoded(text)
	switch wrong {
	case "":
		return right
	case "padding":
		padded := base64.URLEncoding.EncodeToString(text)
		if padded == right {
			return right + "=" // a length that needs none
		}
		return padded
	case "stray bits":
		const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
		last := len(right) - 1
		return right[:last] + string(alphabet[strings.IndexByte(alphabet, right[last])+1])
	case "standard alphabet":
		standard := strings.NewReplacer("-", "+", "_", "/").Replace(right)
		if standard == right {
			return "+" + right[1:]
		}
		return standard
	}
	// The rest stands in the middle, where a lax decoder passes over it.
	inserted := map[string]string{
		"line end": "\n", "carriage return": "\r", "blank": " ", "tab": "\t",
		"NUL": "\x00", "non-ASCII": "é", "equals sign": "=", "percent": "%2D",
	}[wrong]
	if inserted == "" {
		panic("no such encoding: " + wrong)
	}
	middle := len(right) / 2 / 4 * 4
	return right[:middle] + inserted + right[middle:]
}

// build makes the token.
func (token *matrixToken) build() string {
	header, payload := token.header.text(), token.payload.text()
	input := encodePart([]byte(header), token.header.encoding) + "." +
		encodePart([]byte(payload), token.payload.encoding)
	if token.signature.overRight { // what a lax decoder would make of the parts
		input = encoded([]byte(header)) + "." + encoded([]byte(payload))
	}
	signature := token.sign(input)
	sentHeader, sentPayload := token.edited(header, payload)
	parts := []string{
		encodePart([]byte(sentHeader), token.header.encoding),
		encodePart([]byte(sentPayload), token.payload.encoding),
		encodePart(signature, token.signature.encoding),
	}
	raw := strings.Join(parts, ".")
	if token.form == "" {
		return raw
	}
	return matrixForms[token.form](raw, parts)
}

// edited is what is sent instead of what was signed.
func (token *matrixToken) edited(header, payload string) (string, string) {
	if token.edit == "" {
		return header, payload
	}
	newHeader, newPayload := matrixEdits[token.edit](header, payload)
	if newHeader == header && newPayload == payload { // the text had nothing for this edit
		newPayload += " "
	}
	return newHeader, newPayload
}

// matrixSignature says how the signature comes about.
type matrixSignature struct {
	by        string // the material; or the form of a public key that is taken for a secret
	algorithm string // what it is made with, whatever the header says
	shape     string // what is wrong or odd with it; empty: nothing
	salt      int    // of RSA-PSS; zero: as long as the hash
	encoding  string // what is wrong with its base64url; empty: nothing
	overRight bool   // made over the right encoding of the parts, whatever is sent
}

// matrixMaterials are the keys, each made once. Generated keys decide nothing.
var matrixMaterials = map[string]func() crypto.Signer{
	"rsa":              func() crypto.Signer { return issuerKey() },
	"rsa second":       sync.OnceValue(newRSA),
	"rsa foreign":      sync.OnceValue(newRSA),
	"rsa other issuer": sync.OnceValue(newRSA),
	"rsa 1024": sync.OnceValue(func() crypto.Signer {
		return must(rsa.GenerateKey(rand.Reader, 1024))
	}),
	"rsa roca":        func() crypto.Signer { return roca() },
	"P-256":           newEC(elliptic.P256()),
	"P-256 second":    newEC(elliptic.P256()),
	"P-256 foreign":   newEC(elliptic.P256()),
	"P-384":           newEC(elliptic.P384()),
	"P-384 second":    newEC(elliptic.P384()),
	"P-384 foreign":   newEC(elliptic.P384()),
	"P-521":           newEC(elliptic.P521()),
	"P-521 second":    newEC(elliptic.P521()),
	"P-521 foreign":   newEC(elliptic.P521()),
	"Ed25519":         newEd25519(),
	"Ed25519 second":  newEd25519(),
	"Ed25519 foreign": newEd25519(),
}

func newRSA() crypto.Signer { return must(rsa.GenerateKey(rand.Reader, 2048)) }

func newEC(curve elliptic.Curve) func() crypto.Signer {
	return sync.OnceValue(func() crypto.Signer {
		return must(ecdsa.GenerateKey(curve, rand.Reader))
	})
}

func newEd25519() func() crypto.Signer {
	return sync.OnceValue(func() crypto.Signer {
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return must(private, err)
	})
}

// matrixHMACKeys are keys of HMAC: the issuer's secret, and what a confused verifier takes for one.
var matrixHMACKeys = map[string]func(public crypto.PublicKey) []byte{
	"secret":         func(crypto.PublicKey) []byte { return []byte(matrixSecret) },
	"secret foreign": func(crypto.PublicKey) []byte { return []byte(matrixSecret + "x") },
	"client secret":  func(crypto.PublicKey) []byte { return []byte(matrixClientKey) },
	"no secret":      func(crypto.PublicKey) []byte { return nil },
	"public key, PEM": func(public crypto.PublicKey) []byte {
		der := must(x509.MarshalPKIXPublicKey(public))
		return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	},
	"public key, DER": func(public crypto.PublicKey) []byte {
		return must(x509.MarshalPKIXPublicKey(public))
	},
	"public key, JWK": func(public crypto.PublicKey) []byte {
		return keySet(jwk(public, nil))
	},
}

// jwk is the key as it is published.
func (k matrixKey) jwk() map[string]any {
	if k.material == "oct" {
		return map[string]any{"kty": "oct", "kid": k.kid, "k": encoded([]byte(matrixSecret))}
	}
	if k.material == "unknown" {
		return map[string]any{"kty": "AKP", "kid": k.kid, "alg": "ML-DSA-44", "pub": "AAAA"}
	}
	signer := matrixMaterials[k.material]()
	member := jwk(signer.Public(), nil)
	for name, value := range map[string]string{"kid": k.kid, "alg": k.alg, "use": k.use} {
		if member[name] = value; value == "" {
			delete(member, name)
		}
	}
	if k.operations != nil {
		member["key_ops"] = k.operations
	}
	if k.curve != "" {
		member["crv"] = k.curve
	}
	if k.private {
		member["d"] = privatePart(signer)
		if r, ok := signer.(*rsa.PrivateKey); ok {
			member["p"], member["q"] = encoded(r.Primes[0].Bytes()), encoded(r.Primes[1].Bytes())
		}
	}
	return member
}

func privatePart(signer crypto.Signer) string {
	switch k := signer.(type) {
	case *rsa.PrivateKey:
		return encoded(k.D.Bytes())
	case *ecdsa.PrivateKey:
		return encoded(must(k.Bytes()))
	case ed25519.PrivateKey:
		return encoded(k.Seed())
	}
	panic("no such key")
}

func (s *matrixSetup) keySet() []byte {
	var members []any
	for _, k := range s.keys {
		members = append(members, k.jwk())
	}
	return keySet(members...)
}

// publish serves the discovery document and the key set.
func (s *matrixSetup) publish() http.Handler {
	mux := http.NewServeMux()
	serve := func(path string, document []byte) {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(document)
		})
	}
	serve("/keys", s.keySet())
	serve("/.well-known/openid-configuration",
		fmt.Appendf(nil, `{"issuer":%q,"jwks_uri":%q}`, issuerURL, matrixKeysURL))
	return mux
}

var matrixHashes = map[string]crypto.Hash{
	"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512,
}

// sign makes the signature, as good or bad as described.
func (token *matrixToken) sign(input string) []byte {
	s := token.signature
	if s.shape == "of another token" {
		input += "A"
	}
	if secret, ok := matrixHMACKeys[s.by]; ok {
		var public crypto.PublicKey
		if token.setup.material != "secret" {
			public = matrixMaterials[token.setup.material]().Public()
		}
		return token.misshape(signHMAC(s.algorithm, secret(public), input))
	}
	signer := matrixMaterials[s.by]()
	if key, ok := signer.(ed25519.PrivateKey); ok {
		return token.misshape(ed25519.Sign(key, []byte(input)))
	}
	function := matrixHashes[s.algorithm[2:]]
	digest := function.New()
	digest.Write([]byte(input))
	switch key := signer.(type) {
	case *rsa.PrivateKey:
		if strings.HasPrefix(s.algorithm, "RS") {
			return token.misshape(must(rsa.SignPKCS1v15(nil, key, function, digest.Sum(nil))))
		}
		options := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}
		if s.salt != 0 {
			options.SaltLength = s.salt
		}
		signature := must(rsa.SignPSS(rand.Reader, key, function, digest.Sum(nil), options))
		return token.misshape(signature)
	case *ecdsa.PrivateKey:
		r, sValue, err := ecdsa.Sign(rand.Reader, key, digest.Sum(nil))
		must(0, err)
		return token.misshape(token.joinEC(key.Curve, r, sValue))
	}
	panic("no such key")
}

func signHMAC(algorithm string, secret []byte, input string) []byte {
	newHash := map[string]func() hash.Hash{
		"HS256": sha256.New, "HS384": sha512.New384, "HS512": sha512.New,
	}[algorithm]
	mac := hmac.New(newHash, secret)
	mac.Write([]byte(input))
	return mac.Sum(nil)
}

// joinEC writes r and s as RFC 7518 §3.4 says, or as described.
func (token *matrixToken) joinEC(curve elliptic.Curve, r, s *big.Int) []byte {
	order := curve.Params().N
	switch token.signature.shape {
	case "ASN.1":
		return must(asn1.Marshal(struct{ R, S *big.Int }{r, s}))
	case "high s": // RFC 7518 does not ask for the low one of the two
		if s.Cmp(new(big.Int).Rsh(order, 1)) < 0 {
			s = new(big.Int).Sub(order, s)
		}
	case "low s":
		if s.Cmp(new(big.Int).Rsh(order, 1)) > 0 {
			s = new(big.Int).Sub(order, s)
		}
	case "s plus the order":
		s = new(big.Int).Add(s, order)
	}
	size := (order.BitLen() + 7) / 8
	if s.BitLen() > 8*size {
		size++
	}
	return append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
}

// misshape changes the bytes of a signature as described.
func (token *matrixToken) misshape(signature []byte) []byte {
	switch token.signature.shape {
	case "a bit flipped":
		bad := slices.Clone(signature)
		bad[token.random.IntN(len(bad))] ^= 1 << token.random.IntN(8)
		return bad
	case "the last bit flipped":
		bad := slices.Clone(signature)
		bad[len(bad)-1] ^= 1
		return bad
	case "cut short":
		return signature[:len(signature)-1]
	case "first half":
		return signature[:len(signature)/2]
	case "a byte more":
		return append(slices.Clone(signature), 0)
	case "a zero in front":
		return append([]byte{0}, signature...)
	case "twice":
		return append(slices.Clone(signature), signature...)
	case "zeros":
		return make([]byte, len(signature))
	case "ones":
		return slices.Repeat([]byte{255}, len(signature))
	case "empty":
		return nil
	}
	return signature
}

// optIn puts what issuer and target allow and ask for into the configuration.
func (s *matrixSetup) optIn(issuer *delegation.Issuer, target *delegation.Target) {
	issuer.AllowTokenMarks = s.marks
	issuer.ClientAudiences = s.clientAudiences
	if s.secretOf != "" {
		issuer.ClientSecrets = map[string]delegation.ClientSecret{
			s.secretOf: {Secret: delegation.NewSecret(matrixClientKey)},
		}
	}
	issuer.RequiredClaims = s.issuerRequires
	target.RequiredClaims = s.targetRequires
	target.SubjectsAreOne = s.issuers == "one name space"
	target.AuthorizedParties = s.parties
}
