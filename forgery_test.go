package delegation_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation"
)

// algorithmSigner is an issuer of one algorithm, and a Delegator's configuration that accepts it.
type algorithmSigner struct {
	algorithm string
	issuer    delegation.Issuer
	sign      func(header, payload string) string
}

// signers are one for each algorithm that can be allowed. They sign texts as they are given.
func signers() []algorithmSigner {
	_, edwards, err := ed25519.GenerateKey(nil)
	keys := map[string]crypto.Signer{
		"RS": issuerKey(), "PS": issuerKey(), "Ed": must(edwards, err),
		"ES256": must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)),
		"ES384": must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)),
		"ES512": must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader)),
	}
	var all []algorithmSigner
	for _, algorithm := range algorithms {
		key, ok := keys[algorithm]
		if !ok {
			key = keys[algorithm[:2]]
		}
		all = append(all, algorithmSigner{
			algorithm: algorithm,
			issuer: delegation.Issuer{
				URL:        issuerURL,
				JWKS:       keySet(jwk(key.Public(), nil)),
				Algorithms: []string{algorithm},
			},
			sign: func(header, payload string) string {
				return exactly(key, algorithm, header, payload)
			},
		})
	}
	secret := []byte(strings.Repeat("s", 32))
	return append(all, algorithmSigner{
		algorithm: "HS256",
		issuer: delegation.Issuer{
			URL: issuerURL, SharedSecret: delegation.NewSecret(string(secret)),
		},
		sign: func(header, payload string) string {
			input := encoded([]byte(header)) + "." + encoded([]byte(payload))
			mac := hmac.New(sha256.New, secret)
			mac.Write([]byte(input))
			return input + "." + encoded(mac.Sum(nil))
		},
	})
}

// exactly is a token with header and payload exactly as they are given, signed by the algorithm.
func exactly(key crypto.Signer, algorithm, header, payload string) string {
	input := encoded([]byte(header)) + "." + encoded([]byte(payload))
	hash := map[string]crypto.Hash{
		"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512,
	}[algorithm[len(algorithm)-3:]]
	digest := []byte(input)
	if hash != 0 { // Ed25519 signs the text itself
		h := hash.New()
		h.Write(digest)
		digest = h.Sum(nil)
	}
	options := crypto.SignerOpts(hash)
	if strings.HasPrefix(algorithm, "PS") {
		options = &rsa.PSSOptions{Hash: hash, SaltLength: rsa.PSSSaltLengthEqualsHash}
	}
	signature := must(key.Sign(rand.Reader, digest, options))
	if ec, ok := key.(*ecdsa.PrivateKey); ok { // RFC 7518 §3.4: two numbers of fixed length
		var parts struct{ R, S *big.Int }
		must(asn1.Unmarshal(signature, &parts))
		size := (ec.Params().BitSize + 7) / 8
		signature = make([]byte, 2*size)
		parts.R.FillBytes(signature[:size])
		parts.S.FillBytes(signature[size:])
	}
	return input + "." + encoded(signature)
}

// header is what the signer writes when nobody asks for more.
func (s algorithmSigner) header() string {
	return fmt.Sprintf(`{"alg":%q,"typ":"JWT"}`, s.algorithm)
}

// altered returns a text that differs from another one: by one of many small changes, or by
// several.
func altered(random *mathrand.Rand, text string) string {
	const blanks = " \t\r\n"
	changed := []byte(text)
	for range 1 + random.IntN(3) {
		at := random.IntN(len(changed) + 1)
		end := min(at+1, len(changed))
		blank := blanks[random.IntN(len(blanks))]
		switch random.IntN(9) {
		case 0:
			changed = append([]byte{blank}, changed...)
		case 1:
			changed = append(changed, blank)
		case 2:
			changed = slices.Insert(changed, at, blank)
		case 3:
			changed = slices.Insert(changed, at, byte(random.IntN(256)))
		case 4:
			changed = slices.Delete(changed, at, end)
		case 5:
			if at < len(changed) {
				changed[at] ^= 1 << random.IntN(8)
			}
		case 6:
			changed = bytes.Replace(changed, []byte(`"`), []byte(` "`), 1+random.IntN(9))
		case 7: // another escape of the same character
			if at < len(changed) && changed[at] >= 'a' && changed[at] <= 'z' {
				escaped := fmt.Appendf(nil, `\u%04x`, changed[at])
				changed = slices.Replace(changed, at, end, escaped...)
			}
		case 8: // the same members, in another order or with more of them
			var members map[string]any
			if json.Unmarshal(changed, &members) == nil && members != nil {
				members[fmt.Sprint("x", random.IntN(100))] = 1
				changed = must(json.Marshal(members))
			}
		}
	}
	if string(changed) == text {
		return text + " "
	}
	return string(changed)
}

// TestSignatureIsOverWhatWasReceived: whatever changes the bytes of a good token's header or
// payload makes it a bad one. A verifier that verifies what it makes of the token, and not the
// token, takes many that nobody has signed: with blanks around the header's object, for example.
func TestSignatureIsOverWhatWasReceived(t *testing.T) {
	const variants = 500
	for i, s := range signers() {
		t.Run(s.algorithm, func(t *testing.T) {
			w := offline(t)
			w.config.OnEvent = nil
			w.config.Issuers = []delegation.Issuer{s.issuer}
			d := w.delegator(t)
			header, payload := s.header(), payload(map[string]any{"a": "b c"})
			good := s.sign(header, payload)
			w.wantOutcome(t, d, good, accepted)
			signature := good[strings.LastIndexByte(good, '.'):]
			random := mathrand.New(mathrand.NewPCG(uint64(i), 7515))
			reasons := map[string]int{}
			for n := range variants {
				h, p := header, payload
				if n%3 != 1 {
					h = altered(random, header)
				}
				if n%3 != 0 {
					p = altered(random, payload)
				}
				token := encoded([]byte(h)) + "." + encoded([]byte(p)) + signature
				_, err := d.Exchange(t.Context(), token, app)
				reasons[outcome(err)]++
				if err == nil {
					t.Fatalf("accepted without a signature: header %q, payload %q", h, p)
				}
			}
			// Most must come as far as the signature, or this shows little.
			if reasons[refused(delegation.CodeSignatureInvalid)] < variants/4 {
				t.Errorf("only few variants are whole tokens: %v", reasons)
			}
		})
	}
}

// TestOneTokenForOneSignature: of all texts with the signature of a good token, in any of its
// encodings, that token is the only one that is accepted.
func TestOneTokenForOneSignature(t *testing.T) {
	for i, s := range signers() {
		t.Run(s.algorithm, func(t *testing.T) {
			w := offline(t)
			w.config.OnEvent = nil
			w.config.Issuers = []delegation.Issuer{s.issuer}
			d := w.delegator(t)
			good := s.sign(s.header(), payload(nil))
			parts := strings.Split(good, ".")
			rest := "." + parts[1] + "." + parts[2]
			random := mathrand.New(mathrand.NewPCG(uint64(i), 7519))
			tokens := []string{
				good + "=", good + "==", good + "\n", "\n" + good, " " + good, good + " ",
				good + "\r\n", good + ".", "." + good, strings.ReplaceAll(good, ".", ". "),
				parts[0] + "\n" + rest, parts[0] + "=" + rest, strings.ToUpper(good),
			}
			for range 100 { // of the text, and of what it encodes
				tokens = append(tokens,
					altered(random, parts[0])+rest,
					encoded([]byte(altered(random, s.header())))+rest,
					parts[0]+"."+altered(random, parts[1])+"."+parts[2],
				)
			}
			accepted := 0
			for _, token := range append(tokens, good) {
				if _, err := d.Exchange(t.Context(), token, app); err == nil {
					accepted++
				}
			}
			if accepted != 1 {
				t.Errorf("%d of %d tokens are accepted", accepted, len(tokens)+1)
			}
		})
	}
}

// TestBlanksThatWereSigned: RFC 8259 §2 allows blanks around the object, and RFC 7515 §5.2 says
// that the signature is over the header as it was encoded. So they are no fault of a token.
func TestBlanksThatWereSigned(t *testing.T) {
	for _, s := range signers() {
		t.Run(s.algorithm, func(t *testing.T) {
			w := offline(t)
			w.config.Issuers = []delegation.Issuer{s.issuer}
			d := w.delegator(t)
			for _, around := range [][2]string{{" ", ""}, {"", " "}, {"\r\n\t ", "\n"}} {
				header := around[0] + s.header() + around[1]
				w.wantOutcome(t, d, s.sign(header, payload(nil)), accepted)
				w.wantOutcome(t, d, s.sign(s.header(), around[0]+payload(nil)+around[1]), accepted)
			}
		})
	}
}

// TestReplay_UnsignedVariants: a used token stays used, however it is written. Tokens without a jti
// are told apart by what was signed, and that is what was verified.
func TestReplay_UnsignedVariants(t *testing.T) {
	for i, s := range signers() {
		t.Run(s.algorithm, func(t *testing.T) {
			w := offline(t)
			w.config.OnEvent = nil
			w.config.Issuers = []delegation.Issuer{s.issuer}
			w.config.Replay = delegation.ReplayMemory(1000)
			d := w.delegator(t)
			header := s.header()
			good := s.sign(header, payload(nil))
			w.wantOutcome(t, d, good, accepted)
			w.wantOutcome(t, d, good, refused(delegation.CodeTokenReplayed))
			rest := good[strings.IndexByte(good, '.'):]
			random := mathrand.New(mathrand.NewPCG(uint64(i), 4137))
			for range 100 {
				variant := encoded([]byte(altered(random, header))) + rest
				if _, err := d.Exchange(t.Context(), variant, app); err == nil {
					t.Fatalf("a used token was used again as %s", variant)
				}
			}
			another := s.sign(" "+header, payload(nil)) // which the issuer has signed, too
			w.wantOutcome(t, d, another, accepted)
		})
	}
}

// TestHeadersThatOnlyVerifiersOfOthersRead: what a verifier need not understand is ignored (RFC
// 7515 §4), whatever it holds. The header is read by one reader, which does not know these.
func TestHeadersThatOnlyVerifiersOfOthersRead(t *testing.T) {
	w := offline(t)
	d := w.delegator(t)
	stranger := must(rsa.GenerateKey(rand.Reader, 2048))
	for _, member := range []string{
		`"jku":1`, `"jku":"https://evil.example/keys"`, `"x5u":["a"]`, `"x5c":"no array"`,
		`"x5c":["!"]`, `"x5t":1`, `"x5t#S256":null`, `"cty":1`, `"zip":"DEF"`, `"nonce":7`,
		`"jwk":1`, `"jwk":` + string(must(json.Marshal(jwk(stranger.Public(), nil)))),
	} {
		header := `{"alg":"RS256","kid":"` + w.provider.KeyID() + `",` + member + "}"
		w.wantOutcome(t, d, signed(header, payload(nil)), accepted)
		forged := exactly(stranger, "RS256", header, payload(nil))
		w.wantOutcome(t, d, forged, refused(delegation.CodeSignatureInvalid))
	}
}

// wholeToken decodes the parts of a token.
func wholeToken(token string) (header, payload []byte) {
	parts := strings.Split(token, ".")
	header = must(base64.RawURLEncoding.DecodeString(parts[0]))
	return header, must(base64.RawURLEncoding.DecodeString(parts[1]))
}

// TestExactly guards the tests above: a signer that rewrote the header would prove nothing.
func TestExactly(t *testing.T) {
	for _, s := range signers() {
		header, text := " "+s.header()+"\n", "\t"+payload(nil)
		if h, p := wholeToken(s.sign(header, text)); string(h) != header || string(p) != text {
			t.Errorf("%s: got %q and %q", s.algorithm, h, p)
		}
	}
}
