package ststest_test

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"

	"github.com/seed055b7978/delegation/ststest"
)

// FuzzVerify cuts and inserts bytes anywhere in a signed response. Whatever is
// still accepted must say, byte for byte, what was signed.
func FuzzVerify(f *testing.F) {
	original := good().document()
	s := newServer(f, ststest.Config{})
	canonical := func(doc []byte) string {
		d := etree.NewDocument()
		if err := d.ReadFromBytes(doc); err != nil {
			return err.Error()
		}
		// Exactly one assertion, wherever a reader would look for it.
		assertions := d.FindElements("//Assertion")
		if len(assertions) != 1 {
			return "not one assertion"
		}
		a := assertions[0].Copy()
		for _, sig := range a.FindElements("./Signature") {
			a.RemoveChild(sig)
		}
		b, err := dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("").Canonicalize(a)
		if err != nil {
			return err.Error()
		}
		return string(b)
	}
	signed := canonical(original)
	want := post(s, form(base64.StdEncoding.EncodeToString(original)))

	at := func(what string) int { return strings.Index(string(original), what) }
	f.Add(0, 0, "", 0, 0, "")
	f.Add(at("SamlExample"), 4, "Evil", 0, 0, "")
	f.Add(at("Example</saml:NameID"), 0, "<!-- -->", 0, 0, "")
	f.Add(at("<samlp:Status>"), 0,
		`<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_a"/>`, 0, 0, "")
	f.Add(at("<samlp:Response"), 0, "<!DOCTYPE x>", 0, 0, "")
	f.Add(at("<saml:Assertion"), 0, `<x ID="_a">`, at("</samlp:Response>"), 0, "</x>")
	f.Add(at(` ID="_a"`), 0, "\r\n\t", at(`Version="2.0" ID="_a"`), 0, "")
	f.Add(at("</saml:Assertion>"), 0, "<![CDATA[]]>", at("<saml:Subject>"), 0, "<?x?>")
	f.Add(at("#_a"), 3, "", at("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"), 49,
		"http://www.w3.org/2000/09/xmldsig#rsa-sha1")
	f.Fuzz(func(t *testing.T, i, drop int, insert string, j, drop2 int, insert2 string) {
		doc := edit(edit(string(original), j, drop2, insert2), i, drop, insert)
		encoded := base64.StdEncoding.EncodeToString([]byte(doc))
		if len(encoded) > 100_000 {
			return
		}
		a := post(s, form(encoded))
		switch a.status {
		case 200:
			if a.Subject != want.Subject || a.ARN != want.ARN || a.Audience != want.Audience ||
				a.Qualifier != want.Qualifier {
				t.Fatalf("accepted with other contents: %s\n%s", a.body, doc)
			}
			if got := canonical([]byte(doc)); got != signed {
				t.Fatalf("accepted with other signed bytes:\n%s\n%s", got, doc)
			}
		case 400, 403:
		default:
			t.Fatalf("%d %s", a.status, a.body)
		}
	})
}

// edit replaces drop bytes at i by insert.
func edit(s string, i, drop int, insert string) string {
	i = min(max(i, 0), len(s))
	end := min(max(drop, 0), len(s)-i) + i
	return s[:i] + insert + s[end:]
}

// FuzzTrustPolicy puts any policy on a role. Only JSON is accepted, and no
// policy lets in a provider that it does not name.
func FuzzTrustPolicy(f *testing.F) {
	f.Add(trustAll)
	f.Add(strings.ReplaceAll(trustAll, "MySAMLIdP", "stranger"))
	f.Add(statementWith(
		`{"ForAllValues:StringNotLikeIfExists": {"aws:TagKeys": ["a*", "?"]}, "Null": {"saml:cn": true}}`))
	f.Add(statementWith(`{"StringEquals": {"SAML:aud": ""}}`))
	f.Add(`{"Statement":[{"Effect":"Deny","Principal":{"Federated":[]},"Action":"sts:*"}]}`)
	f.Add(`{"Statement":[[[[`)
	const stranger = "arn:aws:iam::123456789012:saml-provider/stranger"
	encoded := good().set("Role", roleARN+","+stranger, roleARN+","+providerARN).encoded()
	f.Fuzz(func(t *testing.T, policy string) {
		s := newServer(t, ststest.Config{})
		mustPut(t, s, stranger, metadataFor(issuer, goodKey().cert))
		if err := s.PutRole(ststest.Role{ARN: roleARN, TrustPolicy: policy}); err != nil {
			return
		}
		if !json.Valid([]byte(policy)) {
			t.Fatalf("accepted though not JSON: %q", policy)
		}
		params := form(encoded)
		params.Set("PrincipalArn", stranger)
		a := post(s, params)
		named := strings.Contains(policy, "stranger") || strings.Contains(policy, `\u`)
		if a.status != 403 && (a.status != 200 || !named) {
			t.Fatalf("%d %s for %s", a.status, a.Message, policy)
		}
	})
}

// FuzzDecrypt cuts and inserts bytes anywhere in a response with an encrypted
// assertion. Whatever is still accepted says what was signed, and no refusal
// tells anything of what the ciphertext hides.
func FuzzDecrypt(f *testing.F) {
	s := encryptingServer(f, false, nextReader(), readerKey())
	mayShow := []string{
		undecrypted, "400 InvalidIdentityToken " + badBase64,
		"400 InvalidIdentityToken " + badIssuer, "400 ExpiredTokenException " + tooOld,
		// all of the outside
		"400 InvalidIdentityToken " + notYet,
		"400 InvalidIdentityToken Response status is not Success",
	}
	var originals []string
	for _, algorithm := range []string{aes128CBC, aes256GCM} {
		originals = append(originals, string(encryptedResponse(sealedWith(algorithm)).document()))
	}
	at := func(what string) int { return strings.LastIndex(originals[0], what) }
	f.Add(byte(0), 0, 0, "", 0, 0, "")
	f.Add(byte(0), at("<e:CipherValue>")+20, 1, "A", 0, 0, "")
	f.Add(byte(0), at("</e:CipherValue>")-8, 4, "AAAA", 0, 0, "")
	f.Add(byte(1), at("<e:CipherValue>")+20, 4, "", 0, 0, "")
	f.Add(byte(1), at(aes128CBC), len(aes128CBC), aes256CBC, 0, 0, "")
	f.Add(byte(1), at("<e:EncryptedKey"), 0, "<e:EncryptedKey/>", 0, 0, "")
	f.Add(byte(1), at("<e:EncryptedData"), 0, "<!-- -->",
		at("</saml:EncryptedAssertion>"), 0, "<x/>")
	f.Add(byte(1), at("</samlp:Response>"), 0,
		`<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_a"/>`, 0, 0, "")
	f.Fuzz(func(
		t *testing.T, which byte, i, drop int, insert string, j, drop2 int, insert2 string,
	) {
		doc := edit(edit(originals[which%2], j, drop2, insert2), i, drop, insert)
		encoded := base64.StdEncoding.EncodeToString([]byte(doc))
		if len(encoded) > 100_000 {
			return
		}
		a := post(s, form(encoded))
		if said(a) == accepted {
			if a.Subject != "SamlExample" || a.Audience != ownRecipient ||
				!strings.HasSuffix(a.ARN, "/jane@example.com") {
				t.Fatalf("accepted with other contents: %s\n%s", a.body, doc)
			}
		} else if !slices.Contains(mayShow, said(a)) {
			t.Fatalf("%s\n%s", said(a), doc)
		}
	})
}

// FuzzHiddenText encrypts any text in the assertion's place. Only the signed
// assertion is accepted, and every other text has the same answer.
func FuzzHiddenText(f *testing.F) {
	s := encryptingServer(f, false, readerKey())
	var assertion string
	e := sealedWith(aes256GCM)
	e.plain = func(text string) string { assertion = text; return text }
	signed := encryptedResponse(e)
	signed.document()
	algorithms := []string{aes128CBC, aes256CBC, aes128GCM, aes256GCM}
	f.Add(byte(0), 0, 0, "")
	f.Add(byte(1), 0, 0, "<!-- -->")
	f.Add(byte(2), 0, 1<<20, "")
	f.Add(byte(3), strings.Index(assertion, "SamlExample"), 11, "mallory")
	f.Add(byte(0), 0, 1<<20,
		`<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_a"/>`)
	f.Add(byte(1), 0, 0, "<a>")
	f.Add(byte(2), strings.Index(assertion, "<saml:Subject>"), 0, `<saml:EncryptedAssertion/>`)
	f.Fuzz(func(t *testing.T, which byte, i, drop int, insert string) {
		text := edit(assertion, i, drop, insert)
		e := sealedWith(algorithms[which%4])
		e.plain = func(string) string { return text }
		encoded := encryptedResponse(e).encoded()
		if len(encoded) > 100_000 {
			return
		}
		switch a := post(s, form(encoded)); {
		case said(a) == accepted && a.Subject == "SamlExample" && a.Audience == ownRecipient &&
			strings.HasSuffix(a.ARN, "/jane@example.com"):
		case said(a) != undecrypted:
			t.Fatalf("%s\n%s", said(a), text)
		}
	})
}
