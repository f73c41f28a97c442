package delegation_test

import (
	"cmp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/seed055b7978/delegation"
)

// verdict is what must become of a token: acceptance for this client, subject and issuer if there
// are no refusals, and otherwise a refusal with a code of one of them. Which comes first of several
// things that are wrong is no matter of the standards.
type verdict struct {
	refusals                []refusal
	client, subject, issuer string
	replay                  bool // whether the replay store refuses it, which Explain does not ask
}

// refusal is a rule that the token breaks, and the codes that say so.
type refusal struct {
	rule  string
	codes []delegation.Code
}

func (v *verdict) refuse(rule string, codes ...delegation.Code) {
	v.refusals = append(v.refusals, refusal{rule, codes})
}

func (v *verdict) allows(code delegation.Code) bool {
	return slices.ContainsFunc(v.refusals, func(r refusal) bool {
		return slices.Contains(r.codes, code)
	})
}

func (v verdict) String() string {
	if len(v.refusals) == 0 {
		return "acceptance"
	}
	var rules []string
	for _, r := range v.refusals {
		var codes []string
		for _, code := range r.codes {
			codes = append(codes, string(code))
		}
		rules = append(rules, strings.Join(codes, " or ")+" ("+r.rule+")")
	}
	return strings.Join(rules, "; ")
}

// matrixCodes are refusals that every run of the matrix must meet.
var matrixCodes = []delegation.Code{
	delegation.CodeTokenMissing, delegation.CodeTokenTooLarge, delegation.CodeTokenMalformed,
	delegation.CodeTokenEncrypted, delegation.CodeTokenEncoding,
	delegation.CodeTokenDuplicateMember, delegation.CodeTokenFoldedName,
	delegation.CodeTokenSurrogate,
	delegation.CodeTokenCritical, delegation.CodeTokenB64, delegation.CodeTokenType,
	delegation.CodeTokenUnsigned, delegation.CodeAlgorithmCase,
	delegation.CodeAlgorithmNotAllowed, delegation.CodeAlgorithmSharedSecret,
	delegation.CodeAlgorithmPublishedKey, delegation.CodeAlgorithmUnsupported,
	delegation.CodeIssuerUnknown,
	delegation.CodeKeyUnknown, delegation.CodeKeyWeak, delegation.CodeKeyUnsuitable,
	delegation.CodeKeySetInvalid, delegation.CodeKeySetPrivate,
	delegation.CodeKeySetSymmetric, delegation.CodeSignatureInvalid,
	delegation.CodeSignatureSaltLength, delegation.CodeClaimMissing, delegation.CodeClaimType,
	delegation.CodeClaimDate, delegation.CodeClaimDateOrder, delegation.CodeClaimParty,
	delegation.CodeClaimClientConflict, delegation.CodeClaimSecretAudience,
	delegation.CodeTokenExpired,
	delegation.CodeTokenNotYetValid, delegation.CodeTokenFromFuture,
	delegation.CodeTokenKindAccess, delegation.CodeTokenKindRefresh,
	delegation.CodeTokenKindLogout, delegation.CodeTokenKindOther, delegation.CodeTokenKindUse,
	delegation.CodeTokenKindAppOnly, delegation.CodeTokenKindEntraV1,
	delegation.CodeTokenKindEntraV2, delegation.CodeTokenKindScoped,
	delegation.CodeTokenKindBound, delegation.CodeTokenKindEvent, delegation.CodeRequiredClaim,
	delegation.CodeIssuerNotAllowed, delegation.CodeAudienceNotAllowed,
	delegation.CodeClientMismatch, delegation.CodeNameIDInvalid, delegation.CodeTextInvalid,
}

// judge decides what must become of the token. The size is that of the token as it is sent.
func (token *matrixToken) judge(size int) verdict {
	v := &verdict{}
	token.judgeForm(v, size)
	token.judgeText(v, &token.header, registeredHeader)
	token.judgeText(v, &token.payload, registeredClaim)
	token.judgeHeader(v)
	if issuer := token.judgeIssuer(v); issuer != nil {
		token.judgeSignature(v, issuer)
		token.judgeKind(v, issuer)
		token.judgeClient(v, issuer)
		token.judgeRequired(v, issuer)
	}
	token.judgeSubject(v)
	token.judgeDates(v)
	token.judgeReplay(v)
	return *v
}

// judgeForm: RFC 7515 §7.1 (compact serialization), §3.1, and §2 (base64url without padding, line
// breaks, white space or other characters); RFC 4648 §3.3 and §3.5 (foreign characters and stray
// bits are refused).
func (token *matrixToken) judgeForm(v *verdict, size int) {
	if size > 16<<10 { // policy: Config.MaxTokenSize by default
		v.refuse("more than 16 KiB", delegation.CodeTokenTooLarge)
	}
	malformed, encoding := delegation.CodeTokenMalformed, delegation.CodeTokenEncoding
	if size == 0 {
		v.refuse("no token", delegation.CodeTokenMissing)
	}
	switch token.form {
	case "", "nothing":
	case "five parts":
		v.refuse("RFC 7516 §7.1: a JWE", delegation.CodeTokenEncrypted, malformed)
	case "parts in another order": // the claims stand where the header should
		v.refuse("RFC 7515 §7.1", malformed, delegation.CodeTokenType,
			delegation.CodeTokenDuplicateMember, delegation.CodeTokenFoldedName,
			delegation.CodeTokenSurrogate)
	default:
		v.refuse("RFC 7515 §7.1", malformed, encoding)
	}
	for _, wrong := range []string{
		token.header.encoding, token.payload.encoding, token.signature.encoding,
	} {
		if wrong != "" {
			v.refuse("RFC 7515 §2, RFC 4648 §3: "+wrong, encoding)
		}
	}
}

// Names that no other name may fold onto (RFC 7515 §4, RFC 7519 §4, OpenID Connect Core §2: names
// are compared case-sensitively, so a reader that folds them reads another token).
const (
	registeredHeader = "header"
	registeredClaim  = "claim"
)

// whitespaceLayouts are JSON texts that RFC 8259 §2 allows: blanks, tabs and line ends around
// tokens.
var whitespaceLayouts = []string{
	"", "blanks around", "line ends around", "a tab behind", "blanks inside",
}

// judgeText: RFC 7515 §4 and RFC 7519 §7.2 want UTF-8 and one JSON object; RFC 7515 §4 lets one
// refuse duplicate members, RFC 7493 §2.1 and §2.3 (I-JSON) forbid them and unpaired surrogates;
// RFC 8259 §9 lets one limit the depth, and §8.1 lets one refuse a byte order mark.
func (token *matrixToken) judgeText(v *verdict, part *matrixPart, kind string) {
	if !slices.Contains(whitespaceLayouts, part.layout) {
		v.refuse("RFC 8259 §2: "+kind+" with "+part.layout, delegation.CodeTokenMalformed)
	}
	codes := map[string]delegation.Code{
		"duplicate": delegation.CodeTokenDuplicateMember,
		"folded":    delegation.CodeTokenFoldedName,
		"surrogate": delegation.CodeTokenSurrogate,
		"UTF-8":     delegation.CodeTokenMalformed,
		"depth":     delegation.CodeTokenMalformed,
		"syntax":    delegation.CodeTokenMalformed,
	}
	for i, m := range part.members {
		if m.value.kind == "" {
			continue
		}
		for _, flaw := range []string{m.flaw, m.value.flaw} {
			if flaw == "" || flaw == "duplicate" && flaw == m.flaw && part.alone(i) {
				continue
			}
			v.refuse("RFC 7493 §2, RFC 8259: "+flaw, codes[flaw])
		}
	}
}

// unescape undoes the escapes that dimensions use in names.
var unescape = strings.NewReplacer(`\u0061`, "a", `\u0075`, "u")

// alone tells whether no other member that is present has the name of this one.
func (p *matrixPart) alone(index int) bool {
	for i, m := range p.members {
		if i != index && m.value.kind != "" &&
			unescape.Replace(m.name) == unescape.Replace(p.members[index].name) {
			return false
		}
	}
	return true
}

// means is the value that a reader finds under a name.
func (p *matrixPart) means(name string) jsonValue {
	for _, m := range p.members {
		if m.value.kind != "" && unescape.Replace(m.name) == name {
			return m.value
		}
	}
	return jsonValue{}
}

// absent also of null, where this library takes it for absence.
func (j jsonValue) absent() bool { return j.kind == "" || j.kind == "null" }

// judgeHeader: RFC 7515 §4.1, RFC 7797 §6, RFC 8725 §3.1, §3.2, §3.11.
func (token *matrixToken) judgeHeader(v *verdict) {
	alg := token.header.means("alg")
	switch {
	case alg.kind != "string" || alg.str == "":
		v.refuse("RFC 7515 §4.1.1: alg is a string", delegation.CodeTokenMalformed)
	case strings.EqualFold(alg.str, "none"):
		v.refuse("RFC 8725 §3.2: none", delegation.CodeTokenUnsigned)
	case knownInAnotherCase(alg.str):
		v.refuse("RFC 7515 §4.1.1: case-sensitive", delegation.CodeAlgorithmCase)
	}

	// Null and the empty string count as absent: a policy, because issuers write them.
	kid := token.header.means("kid")
	if !kid.absent() && kid.kind != "string" || len(kid.str) > 512 {
		v.refuse("RFC 7515 §4.1.4: kid is a string; policy: of 512 bytes at most",
			delegation.CodeTokenMalformed)
	}

	// Media types do not tell case apart (RFC 2045 §5.1); application/ may be left out (RFC 7515
	// §4.1.9). Other types are other kinds of token (RFC 8725 §3.11).
	typ := token.header.means("typ")
	if !typ.absent() && (typ.kind != "string" || !slices.Contains(
		[]string{"jwt", "application/jwt"}, strings.ToLower(typ.str))) {
		v.refuse("RFC 8725 §3.11: typ", delegation.CodeTokenType)
	}

	if token.header.means("crit").kind != "" { // null too: it must be a list
		v.refuse("RFC 7515 §4.1.11: nothing critical is understood", delegation.CodeTokenCritical)
	}
	if token.header.means("b64").kind != "" {
		v.refuse("RFC 7797 §6: b64 is critical", delegation.CodeTokenB64)
	}
	if token.header.means("enc").kind != "" {
		v.refuse("RFC 7516 §4.1.2: a JWE's header", delegation.CodeTokenEncrypted)
	}
	// jwk, jku, x5u, x5c and x5t are not looked at (RFC 8725 §3.10): keys are configured. Headers
	// that nobody knows are passed over (RFC 7515 §4).
}

func knownInAnotherCase(name string) bool {
	known := []string{"HS384", "HS512"}
	for _, algorithm := range matrixAlgorithms {
		known = append(known, algorithm.name)
	}
	return !slices.Contains(known, name) && slices.ContainsFunc(known, func(k string) bool {
		return strings.EqualFold(k, name)
	})
}

// matrixIssuer is what counts for tokens of one issuer.
type matrixIssuer struct {
	algorithms []string
	keys       []matrixKey
	secret     bool
	secretOf   string // the client whose tokens are signed with a secret of its own

	marks, clientAudiences []string
	requires               map[string][]string
}

// judgeIssuer: OpenID Connect Core §3.1.3.7, 2: iss is exactly that of a configured issuer.
func (token *matrixToken) judgeIssuer(v *verdict) *matrixIssuer {
	setup := &token.setup
	iss := token.payload.means("iss")
	v.issuer = iss.str
	switch {
	case iss.absent() || iss.kind == "string" && iss.str == "":
		v.refuse("OpenID Connect Core §2: iss", delegation.CodeClaimMissing)
		return nil
	case iss.kind != "string":
		v.refuse("RFC 7519 §4.1.1: iss is a string", delegation.CodeClaimType)
		return nil
	case iss.str == issuerURL:
		algorithms := setup.algorithms
		if len(algorithms) == 0 {
			algorithms = []string{"RS256"} // policy: as OpenID Connect Core §3.1.3.7, 7
		}
		return &matrixIssuer{
			algorithms: algorithms, keys: setup.keys, secret: setup.material == "secret",
			secretOf: setup.secretOf,
			marks:    setup.marks, clientAudiences: setup.clientAudiences,
			requires: setup.issuerRequires,
		}
	case iss.str == matrixOtherIssuer && setup.issuers != "":
		if setup.issuers == "apart" {
			v.refuse("policy: the target takes one issuer only", delegation.CodeIssuerNotAllowed)
		}
		key := matrixKey{material: "rsa other issuer", kid: "other-issuer", use: "sig"}
		return &matrixIssuer{algorithms: []string{"RS256"}, keys: []matrixKey{key}}
	}
	v.refuse("OpenID Connect Core §3.1.3.7, 2: iss", delegation.CodeIssuerUnknown)
	return nil
}

// judgeSignature: RFC 7515 §5.2, RFC 7517 §4, RFC 7518 §3, RFC 8725 §3.1 and §3.5.
func (token *matrixToken) judgeSignature(v *verdict, issuer *matrixIssuer) {
	alg := token.header.means("alg").str
	if alg == "Ed25519" { // RFC 9864 §2.2
		alg = "EdDSA"
	}
	if issuer.secretOf != "" && alg == "HS256" {
		token.judgeClientSecret(v, issuer)
		return
	}
	if !slices.Contains(issuer.algorithms, alg) {
		v.refuse("RFC 8725 §3.1: alg is not among the issuer's", notAllowed(alg, issuer.secret))
		return
	}
	if issuer.secret {
		if !token.verifies("secret", alg) {
			v.refuse("RFC 7518 §3.2", delegation.CodeSignatureInvalid)
		}
		return
	}
	if codes := condemned(issuer.keys); codes != nil {
		v.refuse("policy: nothing of such a set is used", codes...)
		return
	}
	kid := token.header.means("kid")
	var candidates []matrixKey
	for _, k := range issuer.keys {
		if k.signs() && (kid.str == "" || k.kid == kid.str) { // RFC 7515 §4.1.4: which key it was
			candidates = append(candidates, k)
		}
	}
	if len(candidates) == 0 {
		v.refuse("no such key", delegation.CodeKeyUnknown)
		return
	}
	var codes []delegation.Code
	for _, k := range candidates {
		code := token.judgeKey(k, alg)
		if code == "" {
			return
		}
		codes = append(codes, code)
	}
	v.refuse("RFC 7515 §5.2: no key verifies the signature", codes...)
}

// judgeClientSecret: OpenID Connect Core §10.1: the key of HS256 is the secret of the client that is
// in aud. Our policy is stricter: such a token has one audience, and names no other client.
func (token *matrixToken) judgeClientSecret(v *verdict, issuer *matrixIssuer) {
	const alone = "OpenID Connect Core §10.1: aud is the client whose secret it is"
	var unheard verdict // judgeClient says what is wrong with the claims themselves
	audience := token.judgeAudience(&unheard)
	refused := len(unheard.refusals) > 0
	party := token.judgeParty(&unheard)
	if len(audience) != 1 || refused {
		v.refuse(alone, delegation.CodeClaimSecretAudience)
		return
	}
	if party != "" && party != audience[0] {
		v.refuse(alone, delegation.CodeClaimSecretAudience)
	}
	if audience[0] != issuer.secretOf {
		v.refuse("policy: a client has its own secret or none",
			delegation.CodeAlgorithmSharedSecret)
		return
	}
	if !token.verifies("client secret", "HS256") {
		v.refuse("RFC 7518 §3.2", delegation.CodeSignatureInvalid)
	}
}

// notAllowed: policy on algorithms that the issuer may not use. The codes differ in what would
// allow the algorithm, if anything does.
func notAllowed(alg string, secret bool) delegation.Code {
	switch {
	case alg == "HS256":
		return delegation.CodeAlgorithmSharedSecret
	case !slices.Contains(algorithms, alg):
		return delegation.CodeAlgorithmUnsupported
	case secret:
		return delegation.CodeAlgorithmPublishedKey
	}
	return delegation.CodeAlgorithmNotAllowed
}

// condemned: a symmetric or private key that is published is no secret (RFC 8725 §2.1, §3.5).
// What a set without any key means is this library's policy. Two keys of one kid are both the
// issuer's (RFC 7517 §4.5).
func condemned(keys []matrixKey) []delegation.Code {
	usable := 0
	for _, k := range keys {
		switch {
		case k.material == "oct":
			return []delegation.Code{delegation.CodeKeySetSymmetric}
		case k.private:
			return []delegation.Code{delegation.CodeKeySetPrivate}
		case k.signs():
			usable++
		}
	}
	if usable == 0 {
		return []delegation.Code{delegation.CodeKeySetInvalid}
	}
	return nil
}

// signs: RFC 7517 §4.2 and §4.3 (use, key_ops); §5: keys of unknown kinds are passed over. A point
// that is not on the curve is no key (RFC 7518 §6.2.1).
func (k matrixKey) signs() bool {
	return k.material != "unknown" && k.curve == "" && (k.use == "" || k.use == "sig") &&
		(k.operations == nil || slices.Contains(k.operations, "verify"))
}

// judgeKey is the code with which a key fails to verify the token; empty: it verifies it.
func (token *matrixToken) judgeKey(k matrixKey, alg string) delegation.Code {
	switch {
	case k.material == "rsa 1024": // RFC 7518 §3.3: 2048 bits or more
		return delegation.CodeKeyWeak
	case k.material == "rsa roca": // RFC 8725 §3.5: anybody can find the private key
		return delegation.CodeKeyWeak
	case !fitsKind(alg, kindOf(k.material)):
		return delegation.CodeKeyUnsuitable
	case k.alg != "" && k.alg != alg: // RFC 7517 §4.4
		return delegation.CodeKeyUnsuitable
	case !token.verifies(k.material, alg):
		return delegation.CodeSignatureInvalid
	case token.signature.salt != 0 && token.signature.salt != matrixHashes[alg[2:]].Size():
		return delegation.CodeSignatureSaltLength // RFC 7518 §3.5
	}
	return ""
}

// verifies tells whether the signature is that of a key and an algorithm, in its right form, over
// the very parts that are sent (RFC 7515 §5.2, 8). ECDSA's is good with either s (RFC 7518 §3.4).
func (token *matrixToken) verifies(material, alg string) bool {
	s := token.signature
	return s.by == material && s.algorithm == alg && token.edit == "" &&
		slices.Contains([]string{"", "high s", "low s"}, s.shape)
}

// judgeKind: policy on tokens of another kind. RFC 8725 §2.8 and §3.12 ask that kinds are told
// apart; RFC 7800 §3 (cnf), RFC 8417 §2.2 (events).
func (token *matrixToken) judgeKind(v *verdict, issuer *matrixIssuer) {
	for _, kind := range matrixKinds {
		value := token.payload.means(kind.claim)
		if value.absent() || slices.Contains(issuer.marks, kind.claim) {
			continue
		}
		if code := kind.code(value); code != "" {
			v.refuse("policy: kind of token, "+kind.claim, code)
		}
	}
}

var matrixKinds = []struct {
	claim string
	code  func(jsonValue) delegation.Code
}{
	{"typ", func(j jsonValue) delegation.Code { // Keycloak's
		switch j.str {
		case "ID":
			return ""
		case "Bearer", "DPoP":
			return delegation.CodeTokenKindAccess
		case "Refresh", "Offline":
			return delegation.CodeTokenKindRefresh
		case "Logout":
			return delegation.CodeTokenKindLogout
		}
		return delegation.CodeTokenKindOther
	}},
	{"token_use", func(j jsonValue) delegation.Code { // Cognito's
		if j.str == "id" {
			return ""
		}
		return delegation.CodeTokenKindUse
	}},
	{"idtyp", func(j jsonValue) delegation.Code { // Entra's
		switch {
		case j.kind != "string":
			return delegation.CodeClaimType
		case j.str == "app":
			return delegation.CodeTokenKindAppOnly
		}
		return ""
	}},
	{"appidacr", func(jsonValue) delegation.Code { return delegation.CodeTokenKindEntraV1 }},
	{"azpacr", func(jsonValue) delegation.Code { return delegation.CodeTokenKindEntraV2 }},
	{"scp", func(jsonValue) delegation.Code { return delegation.CodeTokenKindScoped }},
	{"cnf", func(jsonValue) delegation.Code { return delegation.CodeTokenKindBound }},
	{"events", func(jsonValue) delegation.Code { return delegation.CodeTokenKindEvent }},
}

// judgeClient: OpenID Connect Core §3.1.3.7, 3 (aud names the relying party), and our policy, which
// is stricter than its items 4 and 5 in errata 2: the client is what azp, appid, cid and client_id
// say, all that are there the same; else the only audience; else the one that an opt-in names.
func (token *matrixToken) judgeClient(v *verdict, issuer *matrixIssuer) {
	audience := token.judgeAudience(v)
	client := token.judgeParty(v)
	if client == "" && len(audience) == 1 {
		client = audience[0]
	}
	if client == "" && len(audience) > 1 {
		named := intersection(audience, issuer.clientAudiences)
		if len(named) != 1 {
			v.refuse("policy: several audiences, and nothing says which is the client",
				delegation.CodeClaimParty)
			return
		}
		client = named[0]
	}
	v.client = client
	if client == issuer.secretOf && client != "" && token.header.means("alg").str != "HS256" {
		v.refuse("policy: a client with a secret is bound to it",
			delegation.CodeAlgorithmPublishedKey)
	}

	own := token.setup.audiences
	if len(own) == 0 {
		own = []string{cmp.Or(token.setup.targetID, app)} // its ID is its name by default
	}
	if len(intersection(audience, own)) == 0 {
		v.refuse("OpenID Connect Core §3.1.3.7, 3: aud", delegation.CodeAudienceNotAllowed)
	}
	if !slices.Contains(slices.Concat(own, token.setup.parties), client) {
		v.refuse("policy: the client is not the target's", delegation.CodeAudienceNotAllowed)
	}
	caller := token.setup.client
	if caller != "" && caller != client && !slices.Contains(audience, caller) {
		v.refuse("policy: WithClientID", delegation.CodeClientMismatch)
	}
}

func intersection(a, b []string) []string {
	var both []string
	for _, s := range a {
		if slices.Contains(b, s) {
			both = append(both, s)
		}
	}
	return both
}

// judgeAudience: RFC 7519 §4.1.3: a string or a list of strings; OpenID Connect Core §2: required.
// That none is empty is policy. One that is named twice is one.
func (token *matrixToken) judgeAudience(v *verdict) []string {
	aud := token.payload.means("aud")
	items := aud.items
	switch {
	case aud.absent() || aud.kind == "list" && len(items) == 0:
		v.refuse("OpenID Connect Core §2: aud", delegation.CodeClaimMissing)
		return nil
	case aud.kind != "list":
		items = []jsonValue{aud}
	}
	var audience []string
	for _, item := range items {
		switch {
		case item.kind != "string":
			v.refuse("RFC 7519 §4.1.3: aud", delegation.CodeClaimType)
		case item.str == "":
			v.refuse("policy: an empty audience", delegation.CodeClaimMissing)
		case !slices.Contains(audience, item.str):
			audience = append(audience, item.str)
		}
	}
	return audience
}

// judgeParty returns the client that azp, appid, cid and client_id name; empty: they are absent,
// or refused.
func (token *matrixToken) judgeParty(v *verdict) string {
	var parties []string
	for _, name := range []string{"azp", "appid", "cid", "client_id"} {
		value := token.payload.means(name)
		switch {
		case value.absent():
		case value.kind != "string":
			v.refuse("OpenID Connect Core §2: "+name+" is a string", delegation.CodeClaimType)
		case value.str == "":
			v.refuse("policy: an empty "+name, delegation.CodeClaimMissing)
		case !slices.Contains(parties, value.str):
			parties = append(parties, value.str)
		}
	}
	switch len(parties) {
	case 0:
		return ""
	case 1:
		return parties[0]
	}
	v.refuse("policy: the clients named differ", delegation.CodeClaimClientConflict)
	return ""
}

// patternMatches are, by hand, the values among the dimensions' that a pattern matches as a whole.
var patternMatches = map[string][]string{
	"example.com": {"example.com", "exampleXcom"},
	"a|b":         {"a", "b"},
	"repo:x/.*":   {"repo:x/y"},
	"staff":       {"staff"},
	"(?i)staff":   {"staff", "STAFF"},
	"tenant-1":    {"tenant-1"},
	"x":           {"x"},
	"y":           {"y"},
	"1|true":      {"1", "true"},
}

// judgeRequired: policy: every required claim is there, and it, or an entry of it, matches as a
// whole one of the patterns. Numbers and booleans count as text. A name with a dot is also a path,
// if no claim has the whole name.
func (token *matrixToken) judgeRequired(v *verdict, issuer *matrixIssuer) {
	for _, required := range []map[string][]string{issuer.requires, token.setup.targetRequires} {
		for name, patterns := range required {
			value := token.payload.means(name)
			outer, inner, dotted := strings.Cut(name, ".")
			if value.kind == "" && dotted {
				value = token.payload.means(outer).inner[inner]
			}
			met := func(j jsonValue) bool { return matchesOne(j, patterns) }
			if !met(value) && !slices.ContainsFunc(value.items, met) {
				v.refuse("policy: required claim "+name, delegation.CodeRequiredClaim)
			}
		}
	}
}

func matchesOne(value jsonValue, patterns []string) bool {
	text := value.str
	if value.kind == "number" || value.kind == "bool" {
		text = value.text
	}
	return slices.ContainsFunc(patterns, func(p string) bool {
		return slices.Contains(patternMatches[p], text)
	})
}

// judgeSubject: OpenID Connect Core §2: sub is required and a string. Its length is a matter of the
// NameID, which it becomes unless the target has one: AWS takes 256 characters, and policy refuses
// wildcards and blanks around, because IAM policies compare it with ${saml:sub}. XML 1.0 §2.2 has
// no control characters.
func (token *matrixToken) judgeSubject(v *verdict) {
	sub := token.payload.means("sub")
	v.subject = sub.str
	switch {
	case sub.absent() || sub.kind == "string" && sub.str == "" && sub.flaw == "":
		v.refuse("OpenID Connect Core §2: sub", delegation.CodeClaimMissing)
		return
	case sub.kind != "string":
		v.refuse("RFC 7519 §4.1.2: sub is a string", delegation.CodeClaimType)
		return
	case token.setup.nameID != "":
		return
	}
	if utf8.RuneCountInString(sub.str) > 256 || strings.ContainsAny(sub.str, "*?") ||
		strings.Trim(sub.str, " ") != sub.str {
		v.refuse("AWS: NameID", delegation.CodeNameIDInvalid)
	}
	if strings.ContainsAny(sub.str, "\x01") {
		v.refuse("XML 1.0 §2.2", delegation.CodeTextInvalid)
	}
}

// judgeDates: RFC 7519 §4.1.4 to §4.1.6 and §2 (NumericDate), OpenID Connect Core §2 (exp and iat
// are required) and §3.1.3.7, 9 and 10.
func (token *matrixToken) judgeDates(v *verdict) {
	now := float64(start.Unix())
	leeway := token.setup.leeway.Seconds()
	switch {
	case token.setup.leeway == 0:
		leeway = time.Minute.Seconds() // policy: by default
	case leeway < 0:
		leeway = 0
	}
	exp, hasExp := token.judgeDate(v, "exp")
	iat, hasIat := token.judgeDate(v, "iat")
	nbf, hasNbf := token.judgeDate(v, "nbf")
	if hasExp && now >= exp+leeway { // "on or after"
		v.refuse("RFC 7519 §4.1.4: exp", delegation.CodeTokenExpired)
	}
	if hasIat && iat > now+leeway {
		v.refuse("OpenID Connect Core §3.1.3.7, 10: iat", delegation.CodeTokenFromFuture)
	}
	if hasNbf && nbf > now+leeway {
		v.refuse("RFC 7519 §4.1.5: nbf", delegation.CodeTokenNotYetValid)
	}
	if hasExp && (hasIat && iat > exp || hasNbf && nbf > exp) {
		v.refuse("policy: iat or nbf after exp", delegation.CodeClaimDateOrder)
	}
}

// judgeDate reads a date. The year 9999 is the last that RFC 3339 can write; before 1970 there were
// no tokens. A null nbf counts as absent: a policy.
func (token *matrixToken) judgeDate(v *verdict, name string) (float64, bool) {
	value := token.payload.means(name)
	switch {
	case name == "nbf" && value.absent():
		return 0, false
	case value.kind == "":
		v.refuse("OpenID Connect Core §2: "+name, delegation.CodeClaimMissing)
		return 0, false
	case value.kind != "number" || value.num < 0 || value.num > 253402300799:
		v.refuse("RFC 7519 §2: NumericDate, "+name, delegation.CodeClaimDate)
		return 0, false
	}
	return value.num, true
}

// judgeReplay: policy: a replay store knows tokens by jti (RFC 7519 §4.1.7: a string) where they
// have one, so a jti that can be no key is refused.
func (token *matrixToken) judgeReplay(v *verdict) {
	jti := token.payload.means("jti")
	if token.setup.replay && jti.kind != "" && jti.str == "" {
		v.refuse("policy: jti and a replay store", delegation.CodeClaimType)
		v.replay = true
	}
}
