package delegation_test

import (
	"fmt"
	"maps"
	"math"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"time"
)

// matrixDimension is something that can be chosen of a token or its surroundings. Values of the
// dimensions of a group act on one another, so the whole matrix has all their pairs.
type matrixDimension struct {
	group, name string
	values      []matrixValue
}

// matrixValue is one choice. Whether it is good or bad is the oracle's matter.
type matrixValue struct {
	name string
	set  func(*matrixToken)
}

// The groups.
const (
	groupKeys   = "keys"
	groupClient = "client"
	groupKind   = "kind"
	groupDates  = "dates"
	groupGate   = "gate"
	groupText   = "text"
	groupOther  = "other"
)

// matrixDimensions apply in this order: first what is configured and published, then who signs
// what, then the claims, and last how all of this is written.
var matrixDimensions = slices.Concat(
	[]matrixDimension{
		{groupKeys, "algorithm", algorithmValues()},
		{groupKeys, "key set", keySetValues()},
		{groupKeys, "source of keys", sourceValues()},
		{groupKeys, "allowed algorithms", allowlistValues()},
		{groupDates, "leeway", leewayValues()},
		{groupClient, "issuers", issuersValues()},
		{groupClient, "target's ID", targetIDValues()},
		{groupClient, "target's audiences", audiencesValues()},
		{groupClient, "authorized parties", partiesValues()},
		{groupClient, "client audiences", clientAudiencesValues()},
		{groupKeys, "clients' secrets", clientSecretValues()},
		{groupKind, "allowed marks", marksValues()},
		{groupOther, "target's NameID", nameIDValues()},
		{groupOther, "replay store", replayValues()},
		{groupGate, "required claims", requiredValues()},

		{groupKeys, "header alg", headerAlgorithmValues()},
		{groupKeys, "kid", kidValues()},
		{groupText, "typ", headerValues("typ", typHeaders...)},
		{groupText, "header members", headerMemberValues()},
		{groupKeys, "signer", signerValues()},
		{groupKeys, "signature", signatureValues()},
		{groupKeys, "PSS salt", saltValues()},
	},
	claimDimensions(),
	[]matrixDimension{
		{groupText, "other claims", otherClaimValues()},
		{groupOther, "size", sizeValues()},
		{groupClient, "caller's client", callerValues()},

		{groupText, "header text", layoutValues((*matrixToken).headerPart)},
		{groupText, "payload text", layoutValues((*matrixToken).payloadPart)},
		{groupText, "header encoding", encodingValues((*matrixToken).headerEncoding)},
		{groupText, "payload encoding", encodingValues((*matrixToken).payloadEncoding)},
		{groupText, "signature encoding", encodingValues((*matrixToken).signatureEncoding)},
		{groupText, "changed after signing", editValues()},
		{groupText, "form", formValues()},
	},
)

func (token *matrixToken) headerPart() *matrixPart    { return &token.header }
func (token *matrixToken) payloadPart() *matrixPart   { return &token.payload }
func (token *matrixToken) headerEncoding() *string    { return &token.header.encoding }
func (token *matrixToken) payloadEncoding() *string   { return &token.payload.encoding }
func (token *matrixToken) signatureEncoding() *string { return &token.signature.encoding }

// matrixAlgorithms are those that honest issuers sign with, and the key for each.
var matrixAlgorithms = []struct{ name, material string }{
	{"RS256", "rsa"}, {"RS384", "rsa"}, {"RS512", "rsa"},
	{"PS256", "rsa"}, {"PS384", "rsa"}, {"PS512", "rsa"},
	{"ES256", "P-256"}, {"ES384", "P-384"}, {"ES512", "P-521"},
	{"EdDSA", "Ed25519"},
	{"HS256", "secret"},
}

// goodToken is a token that must be accepted, of an algorithm chosen by chance.
func goodToken(random *mathrand.Rand) *matrixToken {
	token := &matrixToken{random: random}
	token.setup.source = "static"
	token.header.set("alg", jsonValue{})
	token.header.set("kid", jsonString("key-1"))
	token.header.set("typ", jsonString("JWT"))
	token.payload.set("iss", jsonString(issuerURL))
	token.payload.set("sub", jsonString(alice))
	token.payload.set("aud", jsonString(app))
	token.payload.set("iat", at(-600))
	token.payload.set("exp", at(3600))
	algorithm := matrixAlgorithms[random.IntN(len(matrixAlgorithms))]
	token.useAlgorithm(algorithm.name, algorithm.material)
	return token
}

// at is a date so many seconds after the clock's.
func at(seconds float64) jsonValue { return jsonNumber(float64(start.Unix()) + seconds) }

func (token *matrixToken) useAlgorithm(algorithm, material string) {
	token.setup.material = material
	token.setup.algorithms = []string{algorithm}
	token.setup.keys = []matrixKey{{material: material, kid: "key-1", use: "sig"}}
	token.header.set("alg", jsonString(algorithm))
	token.signature = matrixSignature{by: material, algorithm: algorithm}
}

// kindOf is the kind of key that a material is: rsa, P-256, P-384, P-521, Ed25519 or secret.
func kindOf(material string) string {
	kind, _, _ := strings.Cut(material, " ")
	return kind
}

// second is another key of the same kind, foreign is one that nobody published.
func (token *matrixToken) second() string  { return kindOf(token.setup.material) + " second" }
func (token *matrixToken) foreign() string { return kindOf(token.setup.material) + " foreign" }

func (token *matrixToken) kindIs(kinds ...string) bool {
	return slices.Contains(kinds, kindOf(token.setup.material))
}

func algorithmValues() []matrixValue {
	var values []matrixValue
	for _, algorithm := range matrixAlgorithms {
		values = append(values, matrixValue{algorithm.name, func(t *matrixToken) {
			t.useAlgorithm(algorithm.name, algorithm.material)
		}})
	}
	return values
}

// keySetValues are for issuers that publish keys; one with a shared secret passes over them.
func keySetValues() []matrixValue {
	key2 := func(t *matrixToken) matrixKey {
		return matrixKey{material: t.second(), kid: "key-2", use: "sig"}
	}
	own := func(change func(*matrixToken, *matrixKey)) func(*matrixToken) {
		return func(t *matrixToken) { change(t, &t.setup.keys[0]) }
	}
	values := []matrixValue{
		{"without use", own(func(_ *matrixToken, k *matrixKey) { k.use = "" })},
		{"with its alg", own(func(t *matrixToken, k *matrixKey) { k.alg = t.signature.algorithm })},
		{"with another alg", own(func(t *matrixToken, k *matrixKey) {
			k.alg = otherAlgorithm(t.signature.algorithm)
		})},
		{"with an unknown alg", own(func(_ *matrixToken, k *matrixKey) { k.alg = "RS257" })},
		{"with key_ops verify", own(func(_ *matrixToken, k *matrixKey) {
			k.operations = []string{"verify"}
		})},
		{"without kid", own(func(_ *matrixToken, k *matrixKey) { k.kid = "" })},
		{"with a kid of 512 bytes", own(func(_ *matrixToken, k *matrixKey) {
			k.kid = strings.Repeat("k", 512)
		})},
		{"key for encryption, and another", own(func(t *matrixToken, k *matrixKey) {
			k.use = "enc"
			t.setup.keys = append(t.setup.keys, key2(t))
		})},
		{"key_ops without verify, and another", own(func(t *matrixToken, k *matrixKey) {
			k.operations = []string{"encrypt", "wrapKey"}
			t.setup.keys = append(t.setup.keys, key2(t))
		})},
		{"only a key for encryption", own(func(t *matrixToken, k *matrixKey) {
			k.use = "enc"
			t.setup.source = "URL"
		})},
		{"two of a kind", func(t *matrixToken) {
			t.setup.keys = []matrixKey{key2(t), t.setup.keys[0]}
		}},
		{"two of a kind without kid", func(t *matrixToken) {
			other := key2(t)
			other.kid, t.setup.keys[0].kid = "", ""
			t.setup.keys = []matrixKey{other, t.setup.keys[0]}
			t.header.set("kid", jsonValue{})
		}},
		{"of every kind", func(t *matrixToken) {
			for i, kind := range []string{"rsa", "P-256", "P-384", "P-521", "Ed25519"} {
				other := matrixKey{material: kind + " second", use: "sig"}
				other.kid = fmt.Sprint("other-", i)
				t.setup.keys = append(t.setup.keys, other)
			}
		}},
		// RFC 7517 §4.5 discourages two keys of one kid and does not forbid them.
		{"two of a kind and kid", func(t *matrixToken) {
			other := key2(t)
			other.kid = "key-1"
			t.setup.keys = []matrixKey{other, t.setup.keys[0]}
		}},
		{"with a symmetric key", func(t *matrixToken) {
			t.setup.keys = append(t.setup.keys, matrixKey{material: "oct", kid: "key-2"})
			t.setup.source = "URL"
		}},
		{"with a key of an unknown kind", func(t *matrixToken) {
			t.setup.keys = append(t.setup.keys, matrixKey{material: "unknown", kid: "key-2"})
		}},
		{"with its private part", own(func(t *matrixToken, k *matrixKey) {
			k.private = true
			t.setup.source = "URL"
		})},
		{"rotated away", func(t *matrixToken) { t.setup.keys = []matrixKey{key2(t)} }},
		{"key replaced under its kid", own(func(t *matrixToken, k *matrixKey) {
			k.material = t.second()
		})},
		{"another kind under its kid", own(func(t *matrixToken, k *matrixKey) {
			k.material = "P-256"
			if t.kindIs("P-256") {
				k.material = "P-384"
			}
		})},
		{"RSA of 1024 bits", weakKey("rsa 1024")},
		{"RSA by a broken generator", weakKey("rsa roca")},
		{"a point of another curve, and another", own(func(t *matrixToken, k *matrixKey) {
			curves := map[string]string{"P-256": "P-384", "P-384": "P-521", "P-521": "P-256"}
			k.curve = curves[k.material]
			if k.curve == "" {
				t.skipped = true
			}
			t.setup.keys = append(t.setup.keys, key2(t))
		})},
	}
	return forPublishedKeys(values)
}

// weakKey replaces an RSA key by one that must not count. It signs as well as any.
func weakKey(material string) func(*matrixToken) {
	return func(t *matrixToken) {
		if !t.kindIs("rsa") || t.signature.algorithm == "PS512" { // 1024 bits have no room for it
			t.skipped = true
			return
		}
		t.setup.material = material
		t.setup.keys[0].material = material
		t.signature.by = material
	}
}

// forPublishedKeys makes values pass over issuers with a shared secret.
func forPublishedKeys(values []matrixValue) []matrixValue {
	for i, value := range values {
		values[i].set = func(t *matrixToken) {
			if t.setup.material == "secret" {
				t.skipped = true
				return
			}
			value.set(t)
		}
	}
	return values
}

// otherAlgorithm is another one of the same kind of key, or of another kind where there is none.
func otherAlgorithm(algorithm string) string {
	return map[string]string{
		"RS256": "PS256", "RS384": "RS512", "RS512": "RS256",
		"PS256": "RS256", "PS384": "PS256", "PS512": "PS384",
		"ES256": "ES384", "ES384": "ES512", "ES512": "ES256",
		"EdDSA": "ES256", "HS256": "HS512",
	}[algorithm]
}

func sourceValues() []matrixValue {
	source := func(name string) func(*matrixToken) {
		return func(t *matrixToken) { t.setup.source = name }
	}
	return forPublishedKeys([]matrixValue{
		{"URL", source("URL")}, {"discovery", source("discovery")},
	})
}

func allowlistValues() []matrixValue {
	allow := func(list ...string) func(*matrixToken) {
		return func(t *matrixToken) { t.setup.algorithms = list }
	}
	var all []string
	for _, algorithm := range matrixAlgorithms[:10] {
		all = append(all, algorithm.name)
	}
	return forPublishedKeys([]matrixValue{
		{"by default", allow()},
		{"all", allow(all...)},
		{"all but the token's", func(t *matrixToken) {
			t.setup.algorithms = slices.DeleteFunc(slices.Clone(all), func(name string) bool {
				return name == t.signature.algorithm
			})
		}},
		{"RS", allow("RS256", "RS384", "RS512")},
		{"PS and EdDSA", allow("PS256", "PS384", "PS512", "EdDSA")},
		{"ES", allow("ES256", "ES384", "ES512")},
	})
}

func leewayValues() []matrixValue {
	leeway := func(d time.Duration) func(*matrixToken) {
		return func(t *matrixToken) { t.setup.leeway = d }
	}
	return []matrixValue{{"none", leeway(-1)}, {"5m", leeway(5 * time.Minute)}}
}

func issuersValues() []matrixValue {
	return []matrixValue{
		{"two, and one of the target", func(t *matrixToken) { t.setup.issuers = "apart" }},
		{"two of the target", func(t *matrixToken) { t.setup.issuers = "one name space" }},
	}
}

func targetIDValues() []matrixValue {
	return []matrixValue{{"of another", func(t *matrixToken) { t.setup.targetID = "other-app" }}}
}

func audiencesValues() []matrixValue {
	audiences := func(list ...string) func(*matrixToken) {
		return func(t *matrixToken) { t.setup.audiences = list }
	}
	return []matrixValue{
		{"its name", audiences(app)},
		{"its name and another", audiences(app, "other-app")},
		{"another", audiences("other-app")},
		{"one with a star", audiences("*", "photo-*")},
	}
}

func nameIDValues() []matrixValue {
	return []matrixValue{{"fixed", func(t *matrixToken) { t.setup.nameID = "everybody" }}}
}

func partiesValues() []matrixValue {
	parties := func(list ...string) func(*matrixToken) {
		return func(t *matrixToken) { t.setup.parties = list }
	}
	return []matrixValue{
		{"another client", parties("other-app")},
		{"a mobile client", parties("mobile-app", "tablet-app")},
	}
}

func clientAudiencesValues() []matrixValue {
	audiences := func(list ...string) func(*matrixToken) {
		return func(t *matrixToken) { t.setup.clientAudiences = list }
	}
	ofTwo := func(list ...string) func(*matrixToken) {
		return func(t *matrixToken) {
			t.setup.clientAudiences = list
			t.payload.set("aud", stringList("other-app", app))
		}
	}
	return []matrixValue{
		{"the target's", audiences(app)},
		{"another", audiences("other-app")},
		{"both", audiences(app, "other-app")},
		{"neither", audiences("third-app")},
		{"the target's, of two", ofTwo(app, "third-app")},
		{"another, of two", ofTwo("other-app")},
		{"both, of two", ofTwo(app, "other-app")},
		{"neither, of two", ofTwo("third-app")},
	}
}

// clientSecretValues are for issuers that publish keys, and sign the tokens of one client with its
// secret.
func clientSecretValues() []matrixValue {
	secretOf := func(client, signer string) func(*matrixToken) {
		return func(t *matrixToken) {
			t.setup.secretOf = client
			if signer != "" {
				t.header.set("alg", jsonString("HS256"))
				t.signature = matrixSignature{by: signer, algorithm: "HS256"}
			}
		}
	}
	by := func(signer string, list ...string) func(*matrixToken) {
		return func(t *matrixToken) {
			secretOf(app, signer)(t)
			t.payload.set("aud", stringList(list...))
		}
	}
	return forPublishedKeys([]matrixValue{
		{"the client's", secretOf(app, "client secret")},
		{"the client's, in a list", by("client secret", app)},
		{"the client's, for two", by("client secret", app, "other-app")},
		{"the client's, for another", by("client secret", "other-app")},
		{"the client's, and another signs", secretOf(app, "secret foreign")},
		{"the client's, and a published key signs", secretOf(app, "")},
		{"the client's, and a published key signs for two", by("", app, "other-app")},
		{"another client's", secretOf("other-app", "client secret")},
		{"another client's, and a published key signs", secretOf("other-app", "")},
	})
}

func marksValues() []matrixValue {
	var values []matrixValue
	marks := []string{
		"typ", "token_use", "idtyp", "appidacr", "azpacr", "scp", "cnf", "events",
	}
	for _, mark := range marks {
		values = append(values, matrixValue{mark, func(t *matrixToken) {
			t.setup.marks = []string{mark}
		}})
	}
	return append(values, matrixValue{"all", func(t *matrixToken) { t.setup.marks = marks }})
}

func replayValues() []matrixValue {
	return []matrixValue{{"there is one", func(t *matrixToken) { t.setup.replay = true }}}
}

// requiredValues are settings of required claims. All but the last few look at the claim "gate".
func requiredValues() []matrixValue {
	var values []matrixValue
	for _, setting := range []struct {
		name     string
		patterns []string
	}{
		{"a text", []string{"example.com"}}, // the dot is a pattern's
		{"a|b", []string{"a|b"}},
		{"two patterns", []string{"repo:x/.*", "staff"}},
		{"a prefix", []string{"repo:x/.*"}},
		{"folding case", []string{"(?i)staff"}},
		{"a number or a boolean", []string{"1|true"}},
	} {
		required := map[string][]string{"gate": setting.patterns}
		values = append(values,
			matrixValue{setting.name + ", of the issuer", func(t *matrixToken) {
				t.setup.issuerRequires = required
			}},
			matrixValue{setting.name + ", of the target", func(t *matrixToken) {
				t.setup.targetRequires = required
			}})
	}
	for _, text := range []string{"a", "b", "ab", "a.evil", "evil.b", "a\n", "evil\na"} {
		values = append(values, matrixValue{fmt.Sprintf("a|b of %q", text), func(t *matrixToken) {
			t.setup.issuerRequires = map[string][]string{"gate": {"a|b"}}
			t.payload.set("gate", jsonString(text))
		}})
	}
	both := func(tenant, domain jsonValue) func(*matrixToken) {
		return func(t *matrixToken) {
			t.setup.issuerRequires = map[string][]string{"tid": {"tenant-1"}}
			t.setup.targetRequires = map[string][]string{"hd": {"example.com"}}
			t.payload.set("tid", tenant)
			t.payload.set("hd", domain)
		}
	}
	path := func(flat, nested jsonValue) func(*matrixToken) {
		return func(t *matrixToken) {
			t.setup.targetRequires = map[string][]string{"realm.roles": {"staff"}}
			t.payload.set("realm.roles", flat)
			t.payload.set("realm", nested)
		}
	}
	staff := stringList("admins", "staff")
	right, wrong := jsonString("tenant-1"), jsonString("tenant-2")
	domain := jsonString("example.com")
	return append(values,
		matrixValue{"of both, both right", both(right, domain)},
		matrixValue{"of both, the issuer's wrong", both(wrong, domain)},
		matrixValue{"of both, the target's absent", both(right, jsonValue{})},
		matrixValue{"of a path", path(jsonValue{}, jsonInner("roles", staff))},
		matrixValue{"of a name with a dot", path(staff, jsonValue{})},
		matrixValue{"of a name with a dot, and the path says something else",
			path(stringList("guests"), jsonInner("roles", staff))},
		matrixValue{"of a path that ends early", path(jsonValue{}, staff)},
		matrixValue{"two of the target, one wrong", func(t *matrixToken) {
			t.setup.targetRequires = map[string][]string{"hd": {"example.com"}, "tid": {"x", "y"}}
			t.payload.set("tid", jsonString("z"))
			t.payload.set("hd", domain)
		}},
		matrixValue{"two of the target, both right", func(t *matrixToken) {
			t.setup.targetRequires = map[string][]string{"hd": {"example.com"}, "tid": {"x", "y"}}
			t.payload.set("tid", jsonString("y"))
			t.payload.set("hd", domain)
		}},
	)
}

// gateClaims are what required claims look at.
var gateClaims = []matrixNamed{
	{"null", jsonNull()},
	{"empty", jsonString("")},
	{"a number", jsonNumber(1)},
	{"another number", jsonNumber(12)},
	{"a number as text", jsonString("1")},
	{"true", jsonBool()},
	{"an object", jsonObject(`{"a":"a"}`)},
	{"no entries", jsonList()},
	{"a", jsonString("a")},
	{"b", jsonString("b")},
	{"ab", jsonString("ab")},
	{"a.evil", jsonString("a.evil")},
	{"evil.b", jsonString("evil.b")},
	{"a and a line end", jsonString("a\n")},
	{"a after a line end", jsonString("evil\na")},
	{"example.com", jsonString("example.com")},
	{"example.com.evil", jsonString("example.com.evil")},
	{"evil-example.com", jsonString("evil-example.com")},
	{"exampleXcom", jsonString("exampleXcom")},
	{"repo:x/y", jsonString("repo:x/y")},
	{"repo:xx/y", jsonString("repo:xx/y")},
	{"staff", jsonString("staff")},
	{"STAFF", jsonString("STAFF")},
	{"list with staff", stringList("admins", "staff")},
	{"list with a", stringList("a")},
	{"list without", stringList("admins", "xstaff", "staffx")},
	{"list of lists", jsonList(stringList("staff", "a"))},
	{"list of numbers", jsonList(jsonNumber(1), jsonNumber(2))},
}

func headerAlgorithmValues() []matrixValue {
	only := func(name string) matrixValue { // the signature stays
		return matrixValue{name, func(t *matrixToken) { t.header.set("alg", jsonString(name)) }}
	}
	unsigned := func(name string) matrixValue {
		return matrixValue{name + " without a signature", func(t *matrixToken) {
			t.header.set("alg", jsonString(name))
			t.signature.shape = "empty"
		}}
	}
	values := []matrixValue{
		unsigned("none"), unsigned("NONE"), unsigned("nOnE"), only("none"), only("None"),
		{"in lower case", func(t *matrixToken) {
			t.header.set("alg", jsonString(strings.ToLower(t.header.get("alg").str)))
		}},
		{"another of the key, signed so", func(t *matrixToken) {
			t.signature.algorithm = otherAlgorithm(t.signature.algorithm)
			t.header.set("alg", jsonString(t.signature.algorithm))
		}},
		{"another of the key, and allowed, signed so", func(t *matrixToken) {
			t.signature.algorithm = otherAlgorithm(t.signature.algorithm)
			t.header.set("alg", jsonString(t.signature.algorithm))
			if strings.HasPrefix(t.signature.algorithm, "HS") { // HS256 alone can be listed
				return
			}
			t.setup.algorithms = []string{t.signature.algorithm}
		}},
		{"another of the key, and allowed, not signed so", func(t *matrixToken) {
			other := otherAlgorithm(t.signature.algorithm)
			t.header.set("alg", jsonString(other))
			if strings.HasPrefix(other, "HS") { // HS256 alone can be listed
				return
			}
			t.setup.algorithms = []string{other}
		}},
		{"eddsa", func(t *matrixToken) { t.header.set("alg", jsonString("eddsa")) }},
		{"Hs256", func(t *matrixToken) { t.header.set("alg", jsonString("Hs256")) }},
	}
	for _, name := range []string{
		"RS256", "RS384", "PS256", "PS512", "ES256", "ES512", "EdDSA", "HS256", "HS384", "HS512",
		"Ed25519", "ES256K", "RS1", "dir", "RSA-OAEP", " RS256", "RS256 ",
	} {
		values = append(values, only(name))
	}
	for _, odd := range []matrixNamed{
		{"absent", jsonValue{}}, {"null", jsonNull()}, {"empty", jsonString("")},
		{"a number", jsonNumber(256)}, {"a list", stringList("RS256")}, {"true", jsonBool()},
	} {
		values = append(values, matrixValue{odd.name, func(t *matrixToken) {
			t.header.set("alg", odd.value)
		}})
	}
	return values
}

func kidValues() []matrixValue {
	values := headerValues("kid",
		matrixNamed{"absent", jsonValue{}},
		matrixNamed{"empty", jsonString("")},
		matrixNamed{"null", jsonNull()},
		matrixNamed{"a number", jsonNumber(1)},
		matrixNamed{"a list", stringList("key-1")},
		matrixNamed{"an object", jsonObject(`{"key-1":1}`)},
		matrixNamed{"true", jsonBool()},
		matrixNamed{"unknown", jsonString("key-9")},
		matrixNamed{"in another case", jsonString("KEY-1")},
		matrixNamed{"with a blank", jsonString("key-1 ")},
		matrixNamed{"of a file", jsonString("../../dev/null")},
		matrixNamed{"of 512 bytes", jsonString(strings.Repeat("k", 512))},
		matrixNamed{"of 513 bytes", jsonString(strings.Repeat("k", 513))},
		matrixNamed{"escaped", jsonValue{text: `"key\u002d1"`, kind: "string", str: "key-1"}},
	)
	for _, size := range []int{512, 513} {
		kid := strings.Repeat("k", size)
		name := fmt.Sprintf("of %d bytes, as the key's", size)
		values = append(values, matrixValue{name, func(t *matrixToken) {
			t.header.set("kid", jsonString(kid))
			t.setup.keys[0].kid = kid
		}})
	}
	return append(values, matrixValue{"of another key in the set", func(t *matrixToken) {
		if t.setup.material != "secret" {
			t.addSecond()
		}
		t.header.set("kid", jsonString("key-2"))
	}})
}

// addSecond publishes the second key, if it is not there yet.
func (token *matrixToken) addSecond() {
	isSecond := func(k matrixKey) bool { return k.kid == "key-2" }
	if !slices.ContainsFunc(token.setup.keys, isSecond) {
		key := matrixKey{material: token.second(), kid: "key-2", use: "sig"}
		token.setup.keys = append(token.setup.keys, key)
	}
}

// matrixNamed is a value of a header or claim with the name that reports use.
type matrixNamed struct {
	name  string
	value jsonValue
}

func headerValues(header string, list ...matrixNamed) []matrixValue {
	var values []matrixValue
	for _, named := range list {
		values = append(values, matrixValue{named.name, func(t *matrixToken) {
			t.header.set(header, named.value)
		}})
	}
	return values
}

var typHeaders = []matrixNamed{
	{"absent", jsonValue{}},
	{"null", jsonNull()},
	{"jwt", jsonString("jwt")},
	{"application/jwt", jsonString("application/jwt")},
	{"APPLICATION/JWT", jsonString("APPLICATION/JWT")},
	{"at+jwt", jsonString("at+jwt")},
	{"AT+JWT", jsonString("AT+JWT")},
	{"application/at+jwt", jsonString("application/at+jwt")},
	{"logout+jwt", jsonString("logout+jwt")},
	{"secevent+jwt", jsonString("secevent+jwt")},
	{"dpop+jwt", jsonString("dpop+jwt")},
	{"JOSE", jsonString("JOSE")},
	{"text/jwt", jsonString("text/jwt")},
	{"JWT and a blank", jsonString("JWT ")},
	{"a number", jsonNumber(1)},
	{"a list", stringList("JWT")},
	{"true", jsonBool()},
}

func headerMemberValues() []matrixValue {
	add := func(label, name string, value jsonValue, flaw string) matrixValue {
		return matrixValue{label, func(t *matrixToken) { t.header.add(name, value, flaw) }}
	}
	values := []matrixValue{
		add("crit", "crit", stringList("exp"), ""),
		add("crit, empty", "crit", jsonList(), ""),
		add("crit, null", "crit", jsonNull(), ""),
		add("b64 true", "b64", jsonBool(), ""),
		add("b64 false", "b64", jsonValue{text: "false", kind: "bool"}, ""),
		{"b64 and crit", func(t *matrixToken) {
			t.header.add("b64", jsonValue{text: "false", kind: "bool"}, "")
			t.header.add("crit", stringList("b64"), "")
		}},
		add("enc", "enc", jsonString("A128GCM"), ""),
		add("jku", "jku", jsonString("https://evil.example.com/keys"), ""),
		add("x5u", "x5u", jsonString("https://evil.example.com/certificate"), ""),
		add("x5c", "x5c", stringList("MIIB"), ""),
		add("x5t", "x5t", jsonString("c29tZQ"), ""),
		add("an unknown one", "issued_by", jsonString("x"), ""),
		add("an unknown capital one", "Issued_By", jsonString("x"), ""),
		{"jwk of a foreign key that signs", func(t *matrixToken) {
			if t.setup.material == "secret" {
				t.skipped = true
				return
			}
			key := matrixKey{material: t.foreign()}.jwk()
			t.header.add("jwk", jsonObject(marshalled(key)), "")
			t.signature.by = t.foreign()
		}},
		{"jwk of the right key", func(t *matrixToken) {
			if t.setup.material == "secret" {
				t.skipped = true
				return
			}
			key := matrixKey{material: t.setup.material}.jwk()
			t.header.add("jwk", jsonObject(marshalled(key)), "")
		}},
		{"alg twice", func(t *matrixToken) {
			t.header.add("alg", jsonString("none"), "duplicate")
		}},
		{"the same alg twice", func(t *matrixToken) {
			t.header.add("alg", t.header.get("alg"), "duplicate")
		}},
		{"alg twice, once escaped", func(t *matrixToken) {
			t.header.add(`\u0061lg`, jsonString("none"), "duplicate")
		}},
	}
	return append(values,
		add("kid twice", "kid", jsonString("key-2"), "duplicate"),
		add("an unknown one, twice inside", "x",
			flawed("object", `{"a":1,"b":2,"a":1}`, "duplicate"), ""),
		add("ALG", "ALG", jsonString("none"), "folded"),
		add("Kid", "Kid", jsonString("key-2"), "folded"),
		add("kid with the Kelvin sign", "\u212Aid", jsonString("key-2"), "folded"),
		add("cRit", "cRit", stringList("exp"), "folded"),
		add("an unpaired surrogate", "x", flawed("string", `"\ud800"`, "surrogate"), ""),
		add("an unpaired surrogate in a name", `x\udc00`, jsonString("x"), "surrogate"),
		add("a pair of surrogates", "x", jsonString("\U0001F600"), ""),
		add("text that is not UTF-8", "x", flawed("string", "\"\xff\"", "UTF-8"), ""),
		add("nested", "x", jsonObject(nested(8)), ""),
		add("nested too deep", "x", flawed("object", nested(100), "depth"), ""),
		matrixValue{"in another order", func(t *matrixToken) { slices.Reverse(t.header.members) }},
	)
}

// nested is an object with so many levels.
func nested(levels int) string {
	return strings.Repeat(`{"a":[`, levels/2) + strings.Repeat(`]}`, levels/2)
}

func marshalled(object map[string]any) string {
	var members []string
	for _, name := range slices.Sorted(maps.Keys(object)) {
		members = append(members, fmt.Sprintf("%q:%q", name, object[name]))
	}
	return "{" + strings.Join(members, ",") + "}"
}

func signerValues() []matrixValue {
	values := []matrixValue{
		{"foreign", func(t *matrixToken) { t.signature.by = t.foreign() }},
		{"foreign, without kid", func(t *matrixToken) {
			t.signature.by = t.foreign()
			t.header.set("kid", jsonValue{})
		}},
		{"the second key of the set", func(t *matrixToken) {
			if t.setup.material == "secret" {
				t.skipped = true
				return
			}
			t.addSecond()
			t.signature.by = t.second()
		}},
		{"the second key of the set, without kid", func(t *matrixToken) {
			if t.setup.material == "secret" {
				t.skipped = true
				return
			}
			t.addSecond()
			t.signature.by = t.second()
			t.header.set("kid", jsonValue{})
		}},
		{"the other issuer's key", func(t *matrixToken) {
			t.signature.by = "rsa other issuer"
			t.header.set("kid", jsonString("other-issuer"))
		}},
	}
	for _, form := range []string{"public key, PEM", "public key, DER", "public key, JWK"} {
		values = append(values,
			matrixValue{form + " as a secret", func(t *matrixToken) {
				t.macBy(form)
				t.header.set("alg", jsonString("HS256"))
			}},
			matrixValue{form + " as a secret, alg as before", func(t *matrixToken) {
				t.macBy(form)
			}})
	}
	return append(values,
		matrixValue{"no secret, HS512", func(t *matrixToken) {
			t.signature.by, t.signature.algorithm = "no secret", "HS512"
			t.header.set("alg", jsonString("HS512"))
		}},
		matrixValue{"no secret, HS256", func(t *matrixToken) {
			t.signature.by, t.signature.algorithm = "no secret", "HS256"
			t.header.set("alg", jsonString("HS256"))
		}})
}

func (token *matrixToken) macBy(form string) {
	if token.setup.material == "secret" { // it has no public key
		token.skipped = true
		form = "secret foreign"
	}
	token.signature.by, token.signature.algorithm = form, "HS256"
}

func signatureValues() []matrixValue {
	var values []matrixValue
	for _, shape := range []string{
		"a bit flipped", "the last bit flipped", "cut short", "first half", "a byte more",
		"a zero in front", "twice", "zeros", "ones", "empty", "of another token",
		"ASN.1", "high s", "low s", "s plus the order",
	} {
		values = append(values, matrixValue{shape, func(t *matrixToken) {
			ofEC := []string{"ASN.1", "high s", "low s", "s plus the order"}
			if slices.Contains(ofEC, shape) && !t.kindIs("P-256", "P-384", "P-521") {
				t.skipped = true
				return
			}
			t.signature.shape = shape
		}})
	}
	return append(values,
		matrixValue{"by another algorithm of the key", func(t *matrixToken) {
			t.signature.algorithm = otherAlgorithm(t.signature.algorithm)
		}})
}

func saltValues() []matrixValue {
	var values []matrixValue
	for _, salt := range []struct {
		name  string
		bytes func(hash int) int
	}{
		{"as long as the hash", func(hash int) int { return hash }},
		{"a byte shorter", func(hash int) int { return hash - 1 }},
		{"a byte longer", func(hash int) int { return hash + 1 }},
		{"1 byte", func(int) int { return 1 }},
		{"20 bytes", func(int) int { return 20 }},
		{"as long as it can be", func(hash int) int { return 2048/8 - hash - 2 }},
	} {
		values = append(values, matrixValue{salt.name, func(t *matrixToken) {
			weak := strings.HasPrefix(t.setup.material, "rsa ")
			if weak || !strings.HasPrefix(t.signature.algorithm, "PS") {
				t.skipped = true
				return
			}
			hash := matrixHashes[t.signature.algorithm[2:]].Size()
			t.signature.salt = salt.bytes(hash)
		}})
	}
	return values
}

// claimDimensions are the claims that are read, each with its values.
func claimDimensions() []matrixDimension {
	claim := func(group, name string, list ...matrixNamed) matrixDimension {
		dimension := matrixDimension{group: group, name: name}
		for _, named := range list {
			set := func(t *matrixToken) { t.payload.set(name, named.value) }
			dimension.values = append(dimension.values, matrixValue{named.name, set})
		}
		return dimension
	}
	iss := claim(groupClient, "iss", issClaims...)
	iss.values = append(iss.values,
		matrixValue{"of the other issuer, signed by it", fromOther},
		matrixValue{"of another target's issuer, signed by it", func(t *matrixToken) {
			t.setup.issuers = "apart"
			fromOther(t)
		}},
		matrixValue{"of the target's other issuer, signed by it", func(t *matrixToken) {
			t.setup.issuers = "one name space"
			fromOther(t)
		}})
	aud := claim(groupClient, "aud", audClaims...)
	dimensions := []matrixDimension{iss, claim(groupOther, "sub", subClaims...), aud}
	for _, name := range []string{"azp", "appid", "cid", "client_id"} {
		dimensions = append(dimensions, claim(groupClient, name, partyClaims...))
	}
	exp := claim(groupDates, "exp", slices.Concat(dateForms, expClaims)...)
	iat := claim(groupDates, "iat", slices.Concat(dateForms, iatClaims)...)
	nbf := claim(groupDates, "nbf", slices.Concat(dateForms, iatClaims)...)
	iat.values = append(iat.values, relativeTo("exp", "iat")...)
	nbf.values = append(nbf.values, relativeTo("exp", "nbf")...)
	nbf.values = append(nbf.values, relativeTo("iat", "nbf")...)
	typ := claim(groupKind, "typ", kindClaims["typ"]...)
	typ.name = "typ claim" // the header has a typ too
	return append(dimensions, exp, iat, nbf, typ,
		claim(groupKind, "token_use", kindClaims["token_use"]...),
		claim(groupKind, "idtyp", kindClaims["idtyp"]...),
		claim(groupKind, "appidacr", presentClaims...),
		claim(groupKind, "azpacr", presentClaims...),
		claim(groupKind, "scp", presentClaims...),
		claim(groupKind, "cnf", presentClaims...),
		claim(groupKind, "events", presentClaims...),
		claim(groupGate, "gate", gateClaims...),
		claim(groupOther, "jti", jtiClaims...),
	)
}

// fromOther makes the token one of the other issuer, as that issuer would.
func fromOther(t *matrixToken) {
	t.payload.set("iss", jsonString(matrixOtherIssuer))
	t.header.set("alg", jsonString("RS256"))
	t.header.set("kid", jsonString("other-issuer"))
	t.signature = matrixSignature{by: "rsa other issuer", algorithm: "RS256"}
}

var issClaims = []matrixNamed{
	{"absent", jsonValue{}},
	{"null", jsonNull()},
	{"empty", jsonString("")},
	{"a number", jsonNumber(1)},
	{"a list", stringList(issuerURL)},
	{"an object", jsonObject("{}")},
	{"with a slash", jsonString(issuerURL + "/")},
	{"with a path", jsonString(issuerURL + "/x")},
	{"with a port", jsonString(issuerURL + ":443")},
	{"in capitals", jsonString(strings.ToUpper(issuerURL))},
	{"without https", jsonString(strings.Replace(issuerURL, "https", "http", 1))},
	{"without a scheme", jsonString(strings.TrimPrefix(issuerURL, "https://"))},
	{"with a blank", jsonString(issuerURL + " ")},
	{"with a suffix", jsonString(issuerURL + ".evil.example")},
	{"a stranger", jsonString("https://evil.example.com")},
	{"of the other issuer", jsonString(matrixOtherIssuer)},
	{"escaped", jsonValue{
		text: `"` + strings.ReplaceAll(issuerURL, "/", `\/`) + `"`, kind: "string", str: issuerURL,
	}},
}

var subClaims = []matrixNamed{
	{"absent", jsonValue{}},
	{"null", jsonNull()},
	{"empty", jsonString("")},
	{"a number", jsonNumber(1)},
	{"true", jsonBool()},
	{"a list", stringList(alice)},
	{"an object", jsonObject(`{"id":"auth0|alice"}`)},
	{"one character", jsonString("a")},
	{"255 characters", jsonString(strings.Repeat("s", 255))},
	{"256 characters", jsonString(strings.Repeat("s", 256))},
	{"257 characters", jsonString(strings.Repeat("s", 257))},
	{"300 characters", jsonString(strings.Repeat("s", 300))},
	{"256 characters of two bytes", jsonString(strings.Repeat("é", 256))},
	{"not ASCII", jsonString("Ærøskøbing")},
	{"a pair of surrogates", jsonValue{text: `"\ud83d\ude00"`, kind: "string", str: "\U0001F600"}},
	{"a high surrogate alone", flawed("string", `"auth0|\ud800"`, "surrogate")},
	{"a low surrogate alone", flawed("string", `"auth0|\uDC00x"`, "surrogate")},
	{"surrogates in the wrong order", flawed("string", `"\ude00\ud83d"`, "surrogate")},
	{"two high surrogates and a low one", flawed("string", `"\ud83d\ud83d\ude00"`, "surrogate")},
	{"a high surrogate before a letter's escape", flawed("string", `"\ud83d\u0041"`, "surrogate")},
	{"an escaped backslash before ud800", jsonString(`auth0|\ud800`)},
	{"not UTF-8", flawed("string", "\"auth0|\xff\"", "UTF-8")},
	{"a surrogate in UTF-8", flawed("string", "\"\xed\xa0\x80\"", "UTF-8")},
	{"a control character", jsonString("auth0|\x01")},
	{"with a star", jsonString("repo:x/*")},
	{"with a question mark", jsonString("who?")},
	{"with blanks around", jsonString(" alice ")},
	{"with an apostrophe", jsonString("o'brien@example.com")},
	{"markup", jsonString(`</saml:NameID>&amp;"`)},
}

var audClaims = []matrixNamed{
	{"absent", jsonValue{}},
	{"null", jsonNull()},
	{"empty", jsonString("")},
	{"no entries", jsonList()},
	{"a number", jsonNumber(1)},
	{"an object", jsonObject(`{"photo-app":true}`)},
	{"true", jsonBool()},
	{"list of the target's", stringList(app)},
	{"another", jsonString("other-app")},
	{"list of another", stringList("other-app")},
	{"the target's and another", stringList(app, "other-app")},
	{"another and the target's", stringList("other-app", app)},
	{"the target's and two more", stringList("other-app", app, "third-app")},
	{"two others", stringList("other-app", "third-app")},
	{"twice", stringList(app, app)},
	{"with an empty entry", stringList(app, "")},
	{"with a number", jsonList(jsonString(app), jsonNumber(1))},
	{"with null", jsonList(jsonString(app), jsonNull())},
	{"a list in a list", jsonList(stringList(app))},
	{"in another case", jsonString("Photo-App")},
	{"with a blank", jsonString(app + " ")},
	{"with a suffix", jsonString(app + ".evil")},
	{"a star", jsonString("*")},
	{"the backend", jsonString("backend")},
}

var partyClaims = []matrixNamed{
	{"the target's", jsonString(app)},
	{"another", jsonString("other-app")},
	{"a stranger", jsonString("evil-client")},
	{"a mobile client", jsonString("mobile-app")},
	{"in another case", jsonString("PHOTO-APP")},
	{"null", jsonNull()},
	{"empty", jsonString("")},
	{"a number", jsonNumber(1)},
	{"a list", stringList(app)},
}

// dateForms are values that any date can have, whenever it is.
var dateForms = []matrixNamed{
	{"absent", jsonValue{}},
	{"null", jsonNull()},
	{"true", jsonBool()},
	{"a text", jsonString("1795424400")},
	{"RFC 3339", jsonString("2026-11-23T09:00:00Z")},
	{"a list", jsonList(at(0))},
	{"an object", jsonObject("{}")},
	{"zero", jsonNumber(0)},
	{"minus zero", numberText("-0", 0)},
	{"minus one", jsonNumber(-1)},
	{"a very small number", numberText("1e-400", 0)},
	{"in milliseconds", jsonNumber(1795428000000)},
	{"1e300", numberText("1e300", 1e300)},
	{"1e999", numberText("1e999", math.Inf(1))},
	{"400 digits", numberText(strings.Repeat("9", 400), math.Inf(1))},
	{"the end of 9999", jsonNumber(253402300799)},
	{"the year 10000", jsonNumber(253402300800)},
	{"with an exponent", numberText("1.7954244e9", 1795424400)},
	{"with an exponent of two digits", numberText("17954244e+02", 1795424400)},
	{"with a fraction of zeros", numberText("1795424400.000", 1795424400)},
}

var expClaims = []matrixNamed{
	{"in a second", at(1)},
	{"half a second ago", at(-0.5)},
	{"59 s ago", at(-59)},
	{"59.5 s ago", at(-59.5)},
	{"60 s ago", at(-60)},
	{"60.5 s ago", at(-60.5)},
	{"299 s ago", at(-299)},
	{"300 s ago", at(-300)},
	{"an hour ago", at(-3600)},
	{"in ten years", at(10 * 365 * 86400)},
}

var iatClaims = []matrixNamed{
	{"an hour ago", at(-3600)},
	{"now", at(0)},
	{"in half a second", at(0.5)},
	{"in 59.5 s", at(59.5)},
	{"in 60 s", at(60)},
	{"in 60.5 s", at(60.5)},
	{"in 300 s", at(300)},
	{"in 301 s", at(301)},
	{"in a day", at(86400)},
}

// relativeTo are values of a date near another one of the same token.
func relativeTo(other, name string) []matrixValue {
	var values []matrixValue
	for _, distance := range []struct {
		name    string
		seconds float64
	}{
		{"with ", 0}, {"half a second after ", 0.5}, {"10 s after ", 10}, {"a second before ", -1},
	} {
		values = append(values, matrixValue{distance.name + other, func(t *matrixToken) {
			date := t.payload.get(other)
			if date.kind != "number" || math.Abs(date.num) > 1e12 {
				t.skipped = true
				return
			}
			t.payload.set(name, jsonNumber(date.num+distance.seconds))
		}})
	}
	name10 := "10 s after " + other + ", which is 5 s ago"
	return append(values, matrixValue{name10, func(t *matrixToken) {
		t.payload.set(other, at(-5))
		t.payload.set(name, at(5))
	}})
}

var jtiClaims = []matrixNamed{
	{"a text", jsonString("token-1")},
	{"null", jsonNull()},
	{"empty", jsonString("")},
	{"a number", jsonNumber(7)},
	{"a list", stringList("token-1")},
	{"an object", jsonObject(`{"id":"token-1"}`)},
	{"true", jsonBool()},
	{"4000 characters", jsonString(strings.Repeat("j", 4000))},
}

// kindClaims are the marks of tokens of another kind that have values of their own.
var kindClaims = map[string][]matrixNamed{
	"typ": {
		{"ID", jsonString("ID")}, {"null", jsonNull()},
		{"Bearer", jsonString("Bearer")}, {"DPoP", jsonString("DPoP")},
		{"Refresh", jsonString("Refresh")}, {"Offline", jsonString("Offline")},
		{"Logout", jsonString("Logout")},
		{"id", jsonString("id")}, {"JWT", jsonString("JWT")}, {"empty", jsonString("")},
		{"a number", jsonNumber(1)}, {"a list", stringList("ID")},
	},
	"token_use": {
		{"id", jsonString("id")}, {"null", jsonNull()}, {"access", jsonString("access")},
		{"ID", jsonString("ID")}, {"empty", jsonString("")}, {"a list", stringList("id")},
		{"a number", jsonNumber(1)},
	},
	"idtyp": {
		{"user", jsonString("user")}, {"null", jsonNull()}, {"app", jsonString("app")},
		{"a number", jsonNumber(1)}, {"a list", stringList("app")},
	},
}

// presentClaims are for marks that count by being there.
var presentClaims = []matrixNamed{
	{"null", jsonNull()},
	{"a text", jsonString("1")},
	{"empty", jsonString("")},
	{"an object", jsonObject(`{"jkt":"x"}`)},
	{"an empty list", jsonList()},
	{"zero", jsonNumber(0)},
}

func otherClaimValues() []matrixValue {
	add := func(label, name string, value jsonValue, flaw string) matrixValue {
		return matrixValue{label, func(t *matrixToken) { t.payload.add(name, value, flaw) }}
	}
	return []matrixValue{
		add("nested", "x", jsonObject(nested(20)), ""),
		add("nested too deep", "x", flawed("object", nested(100), "depth"), ""),
		add("nested far too deep", "x", flawed("object", nested(2000), "depth"), ""),
		add("a number that no float holds", "x", numberText("1e400", math.Inf(1)), ""),
		add("many digits", "x", numberText("0.1234567890123456789012345", 0.12345678901234568), ""),
		add("capitals", "Department", jsonString("x"), ""),
		add("a nonce and hashes", "nonce", jsonString("n-0S6_WzA2Mj"), ""),
		add("roles", "roles", stringList("a", "b"), ""),
		add("an empty name", "", jsonString("x"), ""),
		add("a dangerous name", "__proto__", jsonObject(`{"admin":true}`), ""),
		add("escapes", "x", jsonString("\b\f\n\r\t\"\\/\u2028"), ""),
		add("a pair of surrogates", "x", jsonString("\U0001F600"), ""),
		add("a pair of surrogates in a name", `\ud83d\ude00`, jsonString("x"), ""),
		add("an unpaired surrogate", "x", flawed("string", `"\ud800"`, "surrogate"), ""),
		add("an unpaired surrogate inside", "x",
			flawed("list", `["a",{"b":"\uDFFF"}]`, "surrogate"), ""),
		add("an unpaired surrogate in a name", `x\ud800`, jsonString("x"), "surrogate"),
		add("an unpaired surrogate in a name inside", "x",
			flawed("object", `{"\udbff":1}`, "surrogate"), ""),
		add("a backslash before ud800", "x", jsonString(`\ud800`), ""),
		add("two backslashes before a surrogate", "x",
			flawed("string", `"\\\\\ud800"`, "surrogate"), ""),
		add("text that is not UTF-8", "x", flawed("string", "\"\xc3(\"", "UTF-8"), ""),
		add("a name that is not UTF-8", "x\xfe", jsonString("x"), "UTF-8"),
		add("overlong UTF-8", "x", flawed("string", "\"\xc0\xaf\"", "UTF-8"), ""),
		add("a bare control character", "x", flawed("string", "\"a\tb\"", "syntax"), ""),
		add("an unknown escape", "x", flawed("string", `"\x41"`, "syntax"), ""),
		add("a cut escape", "x", flawed("string", `"\u00"`, "syntax"), ""),
		add("a leading zero", "x", flawed("number", `01`, "syntax"), ""),
		add("a plus sign", "x", flawed("number", `+1`, "syntax"), ""),
		add("hexadecimal", "x", flawed("number", `0x10`, "syntax"), ""),
		add("NaN", "x", flawed("number", `NaN`, "syntax"), ""),
		add("True", "x", flawed("bool", `True`, "syntax"), ""),
		add("sub twice", "sub", jsonString("auth0|bob"), "duplicate"),
		add("the same sub twice", "sub", jsonString(alice), "duplicate"),
		add("sub twice, once escaped", `s\u0075b`, jsonString("auth0|bob"), "duplicate"),
		add("aud twice", "aud", jsonString("other-app"), "duplicate"),
		add("exp twice", "exp", at(7200), "duplicate"),
		add("iss twice", "iss", jsonString("https://evil.example.com"), "duplicate"),
		add("twice inside", "x", flawed("object", `{"a":1,"b":[],"a":2}`, "duplicate"), ""),
		add("twice inside a list", "x", flawed("list", `[1,{"a":{},"a":{}}]`, "duplicate"), ""),
		add("once in two objects", "x", jsonObject(`{"a":{"b":1},"c":{"b":1}}`), ""),
		add("sub inside", "x", jsonObject(`{"sub":"auth0|bob","Sub":"x"}`), ""),
		add("Sub", "Sub", jsonString("auth0|bob"), "folded"),
		add("SUB", "SUB", jsonString("auth0|bob"), "folded"),
		add("sub with a long s", "\u017Fub", jsonString("auth0|bob"), "folded"),
		add("sub with an escaped long s", `\u017fub`, jsonString("auth0|bob"), "folded"),
		add("Aud", "Aud", jsonString("other-app"), "folded"),
		add("EXP", "EXP", at(7200), "folded"),
		add("iSS", "iSS", jsonString("https://evil.example.com"), "folded"),
		add("Azp", "Azp", jsonString("evil-client"), "folded"),
		add("Nbf", "Nbf", at(-1), "folded"),
		add("JTI", "JTI", jsonString("x"), "folded"),
	}
}

func sizeValues() []matrixValue {
	fill := func(n int) func(*matrixToken) {
		return func(t *matrixToken) {
			t.payload.add("fill", jsonString(strings.Repeat("f", n)), "")
		}
	}
	return []matrixValue{{"half of the limit", fill(5000)}, {"over the limit", fill(16 << 10)}}
}

func callerValues() []matrixValue {
	var values []matrixValue
	for _, client := range []string{app, "other-app", "evil-client", "PHOTO-APP"} {
		set := func(t *matrixToken) { t.setup.client = client }
		values = append(values, matrixValue{client, set})
	}
	return values
}

// matrixLayouts are texts that stand where one compact object should.
var matrixLayouts = map[string]func(object string) string{
	"blanks around":      func(o string) string { return "  " + o + " " },
	"line ends around":   func(o string) string { return "\r\n" + o + "\n" },
	"a tab behind":       func(o string) string { return o + "\t" },
	"blanks inside":      func(o string) string { return "{ \t" + o[1:len(o)-1] + "\n}" },
	"byte order mark":    func(o string) string { return "\ufeff" + o },
	"UTF-16":             func(o string) string { return "{\x00" + o[1:] },
	"a vertical tab":     func(o string) string { return o + "\v" },
	"a no-break space":   func(o string) string { return "\u00a0" + o },
	"NUL behind":         func(o string) string { return o + "\x00" },
	"text behind":        func(o string) string { return o + "x" },
	"two objects":        func(o string) string { return o + "{}" },
	"an object in front": func(o string) string { return "{}" + o },
	"trailing comma":     func(o string) string { return o[:len(o)-1] + ",}" },
	"comment":            func(o string) string { return "{/**/" + o[1:] },
	"unterminated":       func(o string) string { return o[:len(o)-1] },
	"a list":             func(o string) string { return "[" + o + "]" },
	"a string":           func(o string) string { return `"x"` },
	"a number":           func(o string) string { return "1" },
	"null":               func(o string) string { return "null" },
	"empty":              func(o string) string { return "" },
	"only blanks":        func(o string) string { return "  " },
	"XML":                func(o string) string { return "<a/>" },
}

func layoutValues(part func(*matrixToken) *matrixPart) []matrixValue {
	var values []matrixValue
	for _, name := range slices.Sorted(maps.Keys(matrixLayouts)) {
		values = append(values, matrixValue{name, func(t *matrixToken) { part(t).layout = name }})
	}
	return values
}

func encodingValues(encoding func(*matrixToken) *string) []matrixValue {
	var values []matrixValue
	for _, name := range []string{
		"padding", "stray bits", "standard alphabet", "line end", "carriage return", "blank",
		"tab", "NUL", "non-ASCII", "equals sign", "percent",
	} {
		values = append(values, matrixValue{name, func(t *matrixToken) {
			*encoding(t) = name
			t.signature.overRight = t.random.IntN(2) == 0
		}})
	}
	return values
}

// matrixEdits change header or payload after signing.
var matrixEdits = map[string]func(header, payload string) (string, string){
	"a blank before the header": func(h, p string) (string, string) {
		return " " + h, p
	},
	"a blank after the header": func(h, p string) (string, string) {
		return h + " ", p
	},
	"a line end after the header": func(h, p string) (string, string) {
		return h + "\n", p
	},
	"blanks around the header": func(h, p string) (string, string) {
		return "\t" + h + "\r\n", p
	},
	"a blank inside the header": func(h, p string) (string, string) {
		return swap(h, ":", ": "), p
	},
	"a member more in the header": func(h, p string) (string, string) {
		return swap(h, "{", `{"z":1,`), p
	},
	"an escape in the header": func(h, p string) (string, string) {
		return swap(h, `"alg"`, `"\u0061lg"`), p
	},
	"typ taken from the header": func(h, p string) (string, string) {
		return swap(h, `"typ":"JWT"`, `"z":"JWT"`), p
	},
	"a blank before the payload": func(h, p string) (string, string) {
		return h, " " + p
	},
	"a blank after the payload": func(h, p string) (string, string) {
		return h, p + " "
	},
	"a blank inside the payload": func(h, p string) (string, string) {
		return h, swap(p, ":", ": ")
	},
	"a claim more in the payload": func(h, p string) (string, string) {
		return h, swap(p, "{", `{"z":1,`)
	},
	"an escape in the payload": func(h, p string) (string, string) {
		return h, swap(p, `"sub"`, `"s\u0075b"`)
	},
	"another subject": func(h, p string) (string, string) {
		return h, swap(p, "alice", "admin")
	},
	"another date": func(h, p string) (string, string) {
		return h, swap(p, `"exp":17`, `"exp":18`)
	},
	"blanks around header and payload": func(h, p string) (string, string) {
		return " " + h, p + "\n"
	},
}

// swap replaces the first occurrence.
func swap(text, before, after string) string { return strings.Replace(text, before, after, 1) }

func editValues() []matrixValue {
	var values []matrixValue
	for _, name := range slices.Sorted(maps.Keys(matrixEdits)) {
		values = append(values, matrixValue{name, func(t *matrixToken) { t.edit = name }})
	}
	return values
}

// matrixForms are texts that stand where three parts joined by dots should.
var matrixForms = map[string]func(raw string, parts []string) string{
	"nothing": func(string, []string) string { return "" },
	"one part": func(raw string, _ []string) string {
		return strings.ReplaceAll(raw, ".", "")
	},
	"two parts":         func(_ string, parts []string) string { return parts[0] + "." + parts[1] },
	"four parts":        func(raw string, _ []string) string { return raw + ".e30" },
	"a dot behind":      func(raw string, _ []string) string { return raw + "." },
	"a dot before":      func(raw string, _ []string) string { return "." + raw },
	"five parts":        func(raw string, parts []string) string { return raw + ".e30.e30" },
	"six parts":         func(raw string, _ []string) string { return raw + ".e30.e30.e30" },
	"Bearer":            func(raw string, _ []string) string { return "Bearer " + raw },
	"a blank before":    func(raw string, _ []string) string { return " " + raw },
	"a line end behind": func(raw string, _ []string) string { return raw + "\n" },
	"quoted":            func(raw string, _ []string) string { return `"` + raw + `"` },
	"JSON, flattened": func(_ string, parts []string) string {
		return fmt.Sprintf(`{"protected":%q,"payload":%q,"signature":%q}`,
			parts[0], parts[1], parts[2])
	},
	"JSON, general": func(_ string, parts []string) string {
		return fmt.Sprintf(`{"payload":%q,"signatures":[{"protected":%q,"signature":%q}]}`,
			parts[1], parts[0], parts[2])
	},
	"parts in another order": func(_ string, parts []string) string {
		return parts[1] + "." + parts[0] + "." + parts[2]
	},
	"detached payload": func(_ string, parts []string) string { return parts[0] + ".." + parts[2] },
}

func formValues() []matrixValue {
	var values []matrixValue
	for _, name := range slices.Sorted(maps.Keys(matrixForms)) {
		values = append(values, matrixValue{name, func(t *matrixToken) { t.form = name }})
	}
	return values
}

// settle makes a description consistent after all of it is chosen: a choice that has no meaning
// for the others is taken back, before the builder and the oracle see it.
func (token *matrixToken) settle() {
	s := &token.signature
	if _, mac := matrixHMACKeys[s.by]; mac && !strings.HasPrefix(s.algorithm, "HS") {
		s.algorithm = "HS256"
	} else if !mac && !fitsKind(s.algorithm, kindOf(s.by)) {
		s.algorithm = naturalAlgorithm[kindOf(s.by)]
	}
	if !strings.HasPrefix(s.algorithm, "PS") || kindOf(s.by) != "rsa" {
		s.salt = 0
	}
	ofEC := []string{"ASN.1", "high s", "low s", "s plus the order"}
	if slices.Contains(ofEC, s.shape) && !strings.HasPrefix(s.algorithm, "ES") {
		s.shape = ""
	}
	if s.encoding != "" && s.shape != "" {
		s.encoding = ""
	}
	if s.encoding == "stray bits" && (s.algorithm == "ES384" || s.algorithm == "ES512" ||
		s.algorithm == "HS384") {
		s.encoding = "padding" // 96, 132 and 48 bytes leave no bits over
	}
	for _, part := range []*matrixPart{&token.header, &token.payload} {
		switch {
		case part.layout == "empty":
			part.encoding = ""
		case part.encoding == "stray bits" && token.edit != "":
			part.encoding = "padding"
		}
		for part.encoding == "stray bits" && len(part.text())%3 == 0 {
			if part.layout != "" { // whose text may not depend on members
				part.encoding = "padding"
				break
			}
			part.set("stray", jsonString(part.get("stray").str+"x"))
		}
	}
}

// naturalAlgorithm is the algorithm of a kind of key if nothing else is said.
var naturalAlgorithm = map[string]string{
	"rsa": "RS256", "P-256": "ES256", "P-384": "ES384", "P-521": "ES512", "Ed25519": "EdDSA",
}

// fitsKind tells whether a kind of key can make signatures of an algorithm (RFC 7518 §3.1, §3.4,
// RFC 8037 §3.1).
func fitsKind(algorithm, kind string) bool {
	switch kind {
	case "rsa":
		return strings.HasPrefix(algorithm, "RS") || strings.HasPrefix(algorithm, "PS")
	case "secret":
		return strings.HasPrefix(algorithm, "HS")
	}
	return naturalAlgorithm[kind] == algorithm
}
