package idtoken

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/seed055b7978/delegation/internal/document"
)

const maxKeyID = 512

// registeredHeaders are names whose look-alikes are refused: a verifier that folds case would read
// alg from "ALG".
var registeredHeaders = namesOf("alg", "kid", "typ", "cty", "crit", "b64", "enc", "zip",
	"jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256")

// compactJWS is a token that is well-formed, and neither trusted nor verified. The text is split
// once, here, so that the same parts are verified, read and remembered.
type compactJWS struct {
	raw    string            // as received
	digest [sha256.Size]byte // of raw
	// signed is what the signature covers (RFC 7515 §5.2): a part of raw. It is empty, and the
	// signature of a remembered token is nil, until they are needed.
	signed string

	headerText, payload string // decoded
	signature           []byte // decoded

	content
	remembered bool // content comes from the memo

	// What the payload says, unverified. It is needed to find a key, which can be for the tokens of
	// one issuer or of one client only. audience is empty if there is not exactly one.
	iss, tenant, audience string
}

// content is what a token says, and which key has verified its signature.
type content struct {
	header
	// claims are nil until they are read. Those of a remembered token are shared: nobody may
	// change them.
	claims map[string]any
	// nested are the claims of a remembered token that are objects or lists. Each caller gets
	// copies of them.
	nested     []string
	verifiedBy keyID // zero: no key has verified it yet
}

// parse takes a compact JWS apart more strictly than RFC 7515 parsers usually do.
func (t *compactJWS) parse(raw string, maxSize int, known *headers) error {
	if err := t.decode(raw, maxSize); err != nil {
		return err
	}
	if says, ok := known.find(t.headerText); ok {
		t.header = says
		return nil
	}
	return t.readHeader(func(header map[string]any) error {
		return t.readType(header, known.types)
	})
}

// decode decodes the three parts. It reads nothing in them.
func (t *compactJWS) decode(raw string, maxSize int) error {
	if err := checkSize(raw, maxSize); err != nil {
		return err
	}
	header, rest, _ := strings.Cut(raw, ".")
	payload, signature, found := strings.Cut(rest, ".")
	if !found || strings.Contains(signature, ".") {
		return wrongParts(raw, 1+strings.Count(raw, "."))
	}
	*t = compactJWS{raw: raw}
	var buffer [2 << 10]byte // on this stack, and long enough for the texts of most tokens
	text, ok := appendDecoded(buffer[:0], header)
	if !ok {
		return wrongEncodedPart(raw, 1)
	}
	t.headerText = string(text)
	if text, ok = appendDecoded(buffer[:0], payload); !ok {
		return wrongEncodedPart(raw, 2)
	}
	t.payload = string(text)
	if t.signature, ok = appendDecoded(nil, signature); !ok {
		return wrongEncodedPart(raw, 3)
	}
	return nil
}

// appendDecoded decodes a part of a token. The decoder alone would skip line ends.
func appendDecoded(to []byte, part string) (decoded []byte, ok bool) {
	decoded, err := strictBase64.AppendDecode(to, []byte(part))
	return decoded, err == nil && !hasLineEnd(part)
}

func hasLineEnd(text string) bool {
	return strings.IndexByte(text, '\r') >= 0 || strings.IndexByte(text, '\n') >= 0
}

// checkSize refuses an absent token, and one with more bytes than the limit.
func checkSize(raw string, limit int) error {
	if raw == "" {
		return newError(tokenMissing, "there is no ID token")
	}
	if len(raw) > limit {
		return newError(tokenTooLarge, "the token has %d bytes, more than %d", len(raw), limit)
	}
	return nil
}

// Digest is the SHA-256 of a text. It allocates nothing on the heap for a token of usual length.
func Digest(raw string) [sha256.Size]byte {
	var buffer [2 << 10]byte
	if len(raw) > len(buffer) {
		return digestInPieces(raw)
	}
	return sha256.Sum256(buffer[:copy(buffer[:], raw)])
}

// SignedDigest is the SHA-256 of what the signature of a verified token covers. It identifies the
// token, whatever signature it bears: with some algorithms anyone can make a second signature that
// verifies.
func SignedDigest(raw string) [sha256.Size]byte {
	return Digest(raw[:strings.LastIndexByte(raw, '.')])
}

// digestInPieces is Digest without a copy of the whole text.
func digestInPieces(raw string) (digest [sha256.Size]byte) {
	hash := sha256.New()
	buffer := make([]byte, 4<<10)
	for raw != "" {
		n := copy(buffer, raw)
		hash.Write(buffer[:n])
		raw = raw[n:]
	}
	hash.Sum(digest[:0])
	return digest
}

// strictBase64 is base64url without padding (RFC 7515 §2), and without stray bits in the last
// character.
var strictBase64 = base64.RawURLEncoding.Strict()

// cutSignature sets signed, and the signature of a remembered token. That signature was decoded
// before, so decoding it cannot fail.
func (t *compactJWS) cutSignature() {
	if t.signed != "" {
		return
	}
	end := strings.LastIndexByte(t.raw, '.')
	t.signed = t.raw[:end]
	if t.remembered {
		t.signature, _ = strictBase64.DecodeString(t.raw[end+1:])
	}
}

// wrongParts refuses a text that does not have three parts.
func wrongParts(raw string, n int) *Error {
	what := mistaken(raw)
	switch {
	case what != "":
		return newMistake(tokenMalformed, what)
	case n == 5:
		return newError(tokenEncrypted, "the token has five parts: it is encrypted (JWE)")
	case n == 1:
		return newError(tokenMalformed, "the token has 1 part instead of 3")
	}
	return newError(tokenMalformed, "the token has %d parts instead of 3", n)
}

// wrongEncodedPart refuses a text if one of its three parts cannot be decoded.
func wrongEncodedPart(raw string, part int) *Error {
	if what := mistaken(raw); what != "" {
		return newMistake(tokenEncoding, what)
	}
	return newError(tokenEncoding,
		"part %d of the token is not base64url without padding", part)
}

// origin returns the token's Origin. iss is a configured issuer, or empty.
func (t *compactJWS) origin(iss string) Origin {
	return Origin{
		Issuer:    iss,
		KeyID:     shortened(t.kid),
		Algorithm: shortened(t.algorithm),
	}
}

// shortened cuts a text to 80 characters.
func shortened(text string) string {
	if len(text) <= 80 {
		return text
	}
	return fmt.Sprintf("%.80s", text)
}

// readHeader takes algorithm and key ID from the header, and refuses what would give the token
// another meaning. checkType checks its typ.
func (t *compactJWS) readHeader(checkType func(map[string]any) error) error {
	header, err := parseObject("header", t.headerText, "header", registeredHeaders)
	if err != nil {
		return err
	}
	for _, refused := range refusedHeaders {
		if err := refused.check(header); err != nil {
			return err
		}
	}
	if err := t.readAlgorithm(header); err != nil {
		return err
	}
	if err := t.readKeyID(header); err != nil {
		return err
	}
	if err := checkType(header); err != nil {
		return err
	}
	if err := checkAlgorithmName(t.algorithm); err != nil {
		return err
	}
	t.algorithm = CanonicalAlgorithm(t.algorithm)
	return nil
}

// refusedHeader is a header that no token may have, and the code of the refusal.
type refusedHeader struct {
	name, code string
}

// refusedHeaders are in the order in which they are refused.
var refusedHeaders = []refusedHeader{
	{"b64", tokenB64},
	{"crit", tokenCritical},
	{"enc", tokenEncrypted},
}

func (r refusedHeader) check(header map[string]any) error {
	if _, ok := header[r.name]; !ok {
		return nil
	}
	return newError(r.code, "the header has %q", r.name)
}

// readAlgorithm takes the algorithm as the header writes it.
func (t *compactJWS) readAlgorithm(header map[string]any) error {
	var ok bool
	if t.algorithm, ok = header["alg"].(string); !ok || t.algorithm == "" {
		return newError(tokenMalformed, "the header has no alg")
	}
	return nil
}

// readKeyID takes the key ID. Some signers write null for what they do not set, and an empty kid
// for no key in particular.
func (t *compactJWS) readKeyID(header map[string]any) error {
	kid := header["kid"]
	if kid == nil {
		return nil
	}
	var ok bool
	if t.kid, ok = kid.(string); !ok || len(t.kid) > maxKeyID {
		return newError(tokenMalformed,
			"the header's kid is not a string of at most %d bytes", maxKeyID)
	}
	return nil
}

// checkType checks that the header does not name another kind of token than a JWT.
func checkType(header map[string]any) error {
	typ := header["typ"]
	if typ == nil || typ == "JWT" {
		return nil
	}
	s, _ := typ.(string)
	if !strings.EqualFold(strings.TrimPrefix(strings.ToLower(s), "application/"), "jwt") {
		return newError(tokenType, "the header's typ is %.80q", fmt.Sprint(typ))
	}
	return nil
}

// readType stores the header's type if it is an accepted type of access tokens. It checks any other
// type.
func (t *compactJWS) readType(header map[string]any, accepted []string) error {
	name := typeName(header)
	if name != "" && slices.Contains(accepted, name) {
		t.typ = name
		return nil
	}
	return checkType(header)
}

// typeName returns the header's typ in the form in which types are compared: in lower case, and
// without application/ (RFC 7515 §4.1.9). Empty: there is none.
func typeName(header map[string]any) string {
	text, _ := header["typ"].(string)
	return strings.TrimPrefix(strings.ToLower(text), "application/")
}

func checkAlgorithmName(alg string) error {
	if strings.EqualFold(alg, "none") {
		return newError(tokenUnsigned, "the algorithm is %q", alg)
	}
	if known, ok := algorithmNames.lookalike(alg); ok {
		return newError(algorithmCase, "the algorithm is written %q instead of %q", alg, known)
	}
	return nil
}

// algorithmNames are those of all algorithms that are known here, allowed or not.
var algorithmNames = namesOf(append(Algorithms(), "HS256", "HS384", "HS512", "Ed25519")...)

// parseObject reads a part of the token, whose members are called claims or headers. It refuses
// members that become one of the exact names by Unicode case folding.
func parseObject(
	part, text, member string, exact names,
) (map[string]any, error) {
	object, err := decodeObject(part, text)
	if err != nil {
		return nil, err
	}
	if err := exact.refuseLookalikes(object, member); err != nil {
		return nil, err
	}
	return object, nil
}

// decodeObject decodes a part of the token.
func decodeObject(part, text string) (map[string]any, error) {
	object, err := document.ObjectOf(text)
	switch {
	case errors.Is(err, document.ErrDuplicate):
		return nil, newError(tokenDuplicateMember, "the token's %s: %w", part, err)
	case errors.Is(err, document.ErrSurrogate):
		return nil, newError(tokenSurrogate, "the token's %s: %w", part, err)
	case err != nil:
		return nil, newError(tokenMalformed, "the token's %s is not one JSON object: %w", part, err)
	}
	return object, nil
}
