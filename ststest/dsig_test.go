package ststest_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"math/big"
	"os"
	"strings"
	"testing"

	"github.com/beevik/etree"
	"github.com/crewjam/saml"
	dsig "github.com/russellhaering/goxmldsig"

	"github.com/seed055b7978/delegation/ststest"
)

// forged returns a copy of the assertion without its signature, about mallory.
func forged(root *etree.Element, id string) *etree.Element {
	evil := root.SelectElement("Assertion").Copy()
	evil.RemoveChild(evil.SelectElement("Signature"))
	evil.CreateAttr("ID", id)
	find(evil, "NameID").SetText("mallory")
	return evil
}

func TestForgedSignatures(t *testing.T) {
	detach := func(root *etree.Element) (original, signature *etree.Element) {
		original = root.SelectElement("Assertion")
		signature = original.SelectElement("Signature")
		return original, signature
	}
	edit := func(tag, name, value string) func(r *response) {
		return func(r *response) {
			r.after = func(root *etree.Element) {
				find(root.SelectElement("Assertion"), tag).CreateAttr(name, value)
			}
		}
	}
	replace := func(old, new string) func(r *response) {
		return func(r *response) {
			r.text = func(d string) string {
				if !strings.Contains(d, old) {
					panic("the document has no " + old)
				}
				return strings.Replace(d, old, new, 1)
			}
		}
	}
	after := func(f func(root *etree.Element)) func(r *response) {
		return func(r *response) { r.after = f }
	}
	tests := []struct {
		name    string
		change  func(r *response)
		message string
	}{
		{"not signed", func(r *response) { r.signer = keyPair{} }, badSig},
		{"key of nobody", func(r *response) { r.signer = otherKey() }, badSig},
		{"key of KeyInfo", func(r *response) { r.signer = keyPair{otherKey().key, goodKey().cert} },
			badSig},
		{"RSA-SHA1", func(r *response) { r.method = dsig.RSASHA1SignatureMethod }, badSig},
		{"RSA-SHA512", func(r *response) { r.method = dsig.RSASHA512SignatureMethod }, badSig},
		{"inclusive canonicalization",
			func(r *response) { r.canonicalizer = dsig.MakeC14N10RecCanonicalizer() }, badSig},
		{"canonicalization 1.1",
			func(r *response) { r.canonicalizer = dsig.MakeC14N11Canonicalizer() }, badSig},
		{"canonicalization with comments", func(r *response) {
			r.canonicalizer = dsig.MakeC14N10ExclusiveWithCommentsCanonicalizerWithPrefixList("")
		}, badSig},
		{"changed text", replace(">SamlExample<", ">SamlExampl3<"), badSig},
		{"changed attribute",
			replace(`Recipient="https://signin`, `Recipient="https://sign1n`), badSig},
		{"changed white space", replace("<saml:Subject>", "<saml:Subject> "), badSig},
		{"changed namespace of a prefix",
			replace(`<saml:Subject>`, `<saml:Subject xmlns:saml="urn:x">`), badSig},
		{"changed digest", replace("<ds:DigestValue>", "<ds:DigestValue>AAAA"), badSig},
		{"changed signature value",
			replace("<ds:SignatureValue>", "<ds:SignatureValue>AAAA"), badSig},
		{"blanked signature value", func(r *response) {
			r.after = func(root *etree.Element) { find(root, "SignatureValue").SetText("") }
		}, badSig},
		{"signature value in base64url", func(r *response) {
			r.after = func(root *etree.Element) { find(root, "SignatureValue").SetText("_-_-") }
		}, badSig},
		{"signature method swapped",
			edit("SignatureMethod", "Algorithm", "http://www.w3.org/2000/09/xmldsig#rsa-sha1"),
			badSig},
		{"HMAC with the certificate",
			edit("SignatureMethod", "Algorithm", "http://www.w3.org/2000/09/xmldsig#hmac-sha1"),
			badSig},
		{"digest method swapped",
			edit("DigestMethod", "Algorithm", "http://www.w3.org/2000/09/xmldsig#sha1"), badSig},
		{"reference to the response", edit("Reference", "URI", "#_r"), badSig},
		{"reference to the document", edit("Reference", "URI", ""), badSig},
		{"reference by XPointer", edit("Reference", "URI", "#xpointer(id('_a'))"), badSig},
		{"XPath transform",
			edit("Transform", "Algorithm", "http://www.w3.org/TR/1999/REC-xpath-19991116"), badSig},
		{"XSLT in a transform", after(func(root *etree.Element) {
			find(root, "Transform").CreateElement("xsl")
		}), badSig},
		{"a third transform", after(func(root *etree.Element) {
			ts := find(root, "Transforms")
			ts.AddChild(ts.ChildElements()[1].Copy())
		}), badSig},
		{"two references", after(func(root *etree.Element) {
			si := find(root, "SignedInfo")
			si.AddChild(find(si, "Reference").Copy())
		}), badSig},
		{"Object in the signature", after(func(root *etree.Element) {
			find(root, "Signature").CreateElement("ds:Object")
		}), badSig},
		{"two signatures", after(func(root *etree.Element) {
			a, s := detach(root)
			a.AddChild(s.Copy())
		}), badSig},

		// Signature wrapping, after Somorovsky et al., On Breaking SAML.
		{"XSW: forged response around the original in the signature",
			after(func(root *etree.Element) {
				original, signature := detach(root)
				original.RemoveChild(signature)
				evil := forgedOf(original)
				signature.CreateElement("ds:Object").AddChild(original.Copy())
				evil.InsertChildAt(1, signature)
				root.RemoveChild(original)
				root.AddChild(evil)
			}), badSig},
		{"XSW: forged assertion before", after(func(root *etree.Element) {
			root.InsertChildAt(0, forged(root, "_evil"))
		}), badSig},
		{"XSW: forged assertion after",
			after(func(root *etree.Element) { root.AddChild(forged(root, "_evil")) }), badSig},
		{"XSW: forged assertion with the same ID",
			after(func(root *etree.Element) { root.InsertChildAt(0, forged(root, "_a")) }), badSig},
		{"XSW: original inside the forged one", after(func(root *etree.Element) {
			evil := forged(root, "_evil")
			original, _ := detach(root)
			root.RemoveChild(original)
			evil.AddChild(original)
			root.AddChild(evil)
		}), badSig},
		{"XSW: original in Extensions", after(func(root *etree.Element) {
			evil := forged(root, "_evil")
			original, _ := detach(root)
			root.RemoveChild(original)
			root.CreateElement("samlp:Extensions").AddChild(original)
			root.AddChild(evil)
		}), badSig},
		{"XSW: original signature moved to the forged one", after(func(root *etree.Element) {
			evil := forged(root, "_evil")
			original, signature := detach(root)
			root.RemoveChild(original)
			root.CreateElement("samlp:Extensions").AddChild(original)
			evil.InsertChildAt(1, signature)
			root.AddChild(evil)
		}), badSig},
		{"XSW: original renamed and the forged one in its place", after(func(root *etree.Element) {
			evil := forged(root, "_a")
			original, signature := detach(root)
			original.Tag = "Assertion2"
			evil.InsertChildAt(1, signature.Copy())
			root.AddChild(evil)
		}), badSig},
		{"XSW: signature beside the assertion", after(func(root *etree.Element) {
			_, signature := detach(root)
			root.InsertChildAt(1, signature)
		}), badSig},
		{"XSW: signature deep in the assertion", after(func(root *etree.Element) {
			_, signature := detach(root)
			find(root, "Conditions").AddChild(signature)
		}), badSig},
		{"a third signature", after(func(root *etree.Element) {
			_, signature := detach(root)
			find(root, "Status").AddChild(signature.Copy())
		}), badSig},
		{"ID twice", after(func(root *etree.Element) {
			find(root, "Status").CreateAttr("ID", "_a")
		}), badSig},
		{"ID twice, in another spelling", after(func(root *etree.Element) {
			find(root, "Status").CreateAttr("Id", "_a")
		}), badSig},
		{"ID twice, as xml:id", after(func(root *etree.Element) {
			find(root, "Status").CreateAttr("xml:id", "_a")
		}), badSig},
		{"no ID", func(r *response) {
			r.before = func(root *etree.Element) {
				root.SelectElement("Assertion").RemoveAttr("ID")
			}
		}, badSig},
		{"encrypted assertion beside", after(func(root *etree.Element) {
			root.CreateElement("saml:EncryptedAssertion").
				CreateAttr("xmlns:saml", "urn:oasis:names:tc:SAML:2.0:assertion")
		}), badSig},
		{"bad signature of the response", after(func(root *etree.Element) {
			r := good()
			r.signer = otherKey()
			root.InsertChildAt(1, r.signature(root))
		}), badSig},

		// Documents that parsers read in different ways.
		{"document type", replace("<samlp:Response", "<!DOCTYPE r><samlp:Response"), badBase64},
		{"entity", func(r *response) {
			r.text = func(d string) string {
				return `<!DOCTYPE r [<!ENTITY e "SamlExample">]>` +
					strings.Replace(d, "SamlExample", "&e;", 1)
			}
		}, badBase64},
		{"unknown entity", replace("SamlExample", "&e;"), badBase64},
		{"processing instruction", replace("SamlExample", "Saml<?x?>Example"), badBase64},
		{"XML declaration inside",
			replace("SamlExample", `Saml<?xml version="1.0"?>Example`), badBase64},
		{"Latin-1",
			replace("<samlp:Response",
				`<?xml version="1.0" encoding="ISO-8859-1"?><samlp:Response`),
			badBase64},
		{"not UTF-8", replace("SamlExample", "Saml\xffExample"), badBase64},
		{"byte order mark", replace("<samlp:Response", "\uFEFF<samlp:Response"), badBase64},
		{"attribute twice", replace(`ID="_a"`, `ID="_a" ID="_b"`), badBase64},
		{"prefix declared twice",
			replace("<samlp:Status>", `<samlp:Status xmlns:p="urn:1" xmlns:p="urn:2">`), badBase64},
		{"attribute twice by two prefixes",
			replace(`ID="_a"`, `ID="_a" xmlns:p="urn:p" xmlns:q="urn:p" p:x="" q:x=""`), badBase64},
		{"undeclared prefix", replace("<saml:Subject>", "<saml:Subject><nope:x/>"), badBase64},
		{"undeclared prefix of an attribute",
			replace("<saml:Subject>", `<saml:Subject nope:x="">`), badBase64},
		{"prefix taken back", replace("<saml:Subject>", `<saml:Subject xmlns:ds="">`), badBase64},
		{"xml prefix redeclared",
			replace("<saml:Subject>", `<saml:Subject xmlns:xml="urn:x">`), badBase64},
		{"name with two colons", replace("<saml:Subject>", `<saml:Subject><saml:a:b/>`), badBase64},
		{"crossed tags", replace("</saml:Subject>", "</saml:Subjekt>"), badBase64},
		{"crossed prefixes", replace("</saml:Subject>", "</samlp:Subject>"), badBase64},
		{"text after the end", replace("</samlp:Response>", "</samlp:Response>x"), badBase64},
		{"first root", replace("<samlp:Response", "<x/><samlp:Response"), badBase64},
		{"name that begins with a colon",
			replace("<samlp:Status>", "<:a></:a><samlp:Status>"), badBase64},
		{"attribute that begins with a colon",
			replace("<samlp:Status>", `<samlp:Status :a="">`), badBase64},
		{"second root", replace("</samlp:Response>", "</samlp:Response><x/>"), badBase64},
		{"surrogate reference", replace("SamlExample", "Saml&#xD800;Example"), badBase64},
		{"surrogate reference in an attribute",
			replace(`ID="_r"`, `ID="_r" Consent="&#xD800;"`), badBase64},
		{"NUL reference", replace("SamlExample", "Saml&#0;Example"), badBase64},
		{"deep document",
			replace("<saml:Subject>",
				"<saml:Subject>"+strings.Repeat("<x>", 99)+strings.Repeat("</x>", 99)),
			badBase64},
		{"empty document", func(r *response) { r.text = func(string) string { return "<!-- -->" } },
			badBase64},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := good()
			tt.change(r)
			a := post(newServer(t, ststest.Config{}), form(r.encoded()))
			got := uuid.ReplaceAllString(a.Message, "UUID")
			if a.status != 400 || a.Code != "InvalidIdentityToken" || got != tt.message {
				t.Errorf("%d %s %q\n%s", a.status, a.Code, got, r.document())
			}
		})
	}
}

// TestSHA1IsRefusedUnlessAllowed signs with every pair of a signature's and a
// digest's hash.
func TestSHA1IsRefusedUnlessAllowed(t *testing.T) {
	const (
		digestSHA1   = "http://www.w3.org/2000/09/xmldsig#sha1"
		digestSHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
	)
	tests := []struct {
		method, digest string
		byDefault      bool
	}{
		{dsig.RSASHA256SignatureMethod, digestSHA256, true},
		{dsig.RSASHA256SignatureMethod, digestSHA1, false},
		{dsig.RSASHA1SignatureMethod, digestSHA256, false},
		{dsig.RSASHA1SignatureMethod, digestSHA1, false},
	}
	for _, tt := range tests {
		for _, where := range []string{"assertion", "response", "encrypted"} {
			t.Run(tt.method+" "+tt.digest+" "+where, func(t *testing.T) {
				signed := func(root *etree.Element) *etree.Element {
					return handMade(root, tt.method, tt.digest, goodKey())
				}
				r := good()
				if where == "response" {
					r.after = func(root *etree.Element) { root.InsertChildAt(1, signed(root)) }
				} else {
					r.signer = keyPair{}
					r.after = func(root *etree.Element) {
						a := root.SelectElement("Assertion")
						a.InsertChildAt(1, signed(a))
						if where == "encrypted" {
							sealedWith(aes256GCM).replaceAssertion(root)
						}
					}
				}
				for _, allowed := range []bool{false, true} {
					s := newServer(t, ststest.Config{AllowSHA1: allowed})
					mustEncrypt(t, s,
						ststest.SAMLEncryption{PrivateKeys: [][]byte{privatePEM(readerKey())}})
					a := post(s, form(r.encoded()))
					cause := s.Calls()[0].Cause
					if tt.byDefault || allowed {
						if said(a) != accepted || cause != "" {
							t.Errorf("allowed %v: %s, cause %q", allowed, said(a), cause)
						}
						continue
					}
					if said(a) != undecrypted || !strings.Contains(cause, "SHA-1") ||
						!strings.Contains(cause, "Config.AllowSHA1") {
						t.Errorf("%s, cause %q", said(a), cause)
					}
				}
			})
		}
	}
}

// TestAllowSHA1AllowsNothingElse forges with SHA-1 and tries what is still none
// of AWS's algorithms.
func TestAllowSHA1AllowsNothingElse(t *testing.T) {
	const digestSHA1 = "http://www.w3.org/2000/09/xmldsig#sha1"
	tests := []struct {
		name   string
		change func(r *response)
	}{
		{"key of nobody", func(r *response) {
			r.method = dsig.RSASHA1SignatureMethod
			r.signer = otherKey()
		}},
		{"changed text", func(r *response) {
			r.method = dsig.RSASHA1SignatureMethod
			r.text = func(d string) string {
				return strings.Replace(d, ">SamlExample<", ">mallory<", 1)
			}
		}},
		{"RSA-SHA1 said of RSA-SHA256", func(r *response) {
			r.after = func(root *etree.Element) {
				find(root, "SignatureMethod").CreateAttr("Algorithm", dsig.RSASHA1SignatureMethod)
			}
		}},
		{"SHA-1 said of SHA-256", func(r *response) {
			r.after = func(root *etree.Element) {
				resign(root, func(info *etree.Element) {
					find(info, "DigestMethod").CreateAttr("Algorithm", digestSHA1)
				})
			}
		}},
		{"RSA-SHA512", func(r *response) { r.method = dsig.RSASHA512SignatureMethod }},
		{"HMAC-SHA1", func(r *response) {
			r.method = dsig.RSASHA1SignatureMethod
			r.after = func(root *etree.Element) {
				find(root, "SignatureMethod").CreateAttr("Algorithm",
					"http://www.w3.org/2000/09/xmldsig#hmac-sha1")
			}
		}},
		{"DSA-SHA1", func(r *response) {
			r.method = dsig.RSASHA1SignatureMethod
			r.after = func(root *etree.Element) {
				find(root, "SignatureMethod").CreateAttr("Algorithm",
					"http://www.w3.org/2000/09/xmldsig#dsa-sha1")
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := good()
			tt.change(r)
			s := newServer(t, ststest.Config{AllowSHA1: true})
			a := post(s, form(r.encoded()))
			if cause := s.Calls()[0].Cause; said(a) != undecrypted || cause == "" {
				t.Errorf("%s, cause %q", said(a), cause)
			}
		})
	}
}

// handMade signs el with any pair of RSA signature and digest.
func handMade(el *etree.Element, method, digest string, signer keyPair) *etree.Element {
	hashes := map[bool]crypto.Hash{true: crypto.SHA1, false: crypto.SHA256}
	sum := func(b []byte, hash crypto.Hash) []byte {
		h := hash.New()
		h.Write(b)
		return h.Sum(nil)
	}
	exclusive := dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	canonical, err := exclusive.Canonicalize(el.Copy())
	if err != nil {
		panic(err)
	}
	id := el.SelectAttrValue("ID", "")
	value := sum(canonical, hashes[strings.HasSuffix(digest, "#sha1")])
	doc := etree.NewDocument()
	if err := doc.ReadFromString(`<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#">` +
		`<ds:SignedInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#">` +
		`<ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>` +
		`<ds:SignatureMethod Algorithm="` + method + `"/><ds:Reference URI="#` + id + `">` +
		`<ds:Transforms>` +
		`<ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/>` +
		`<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/></ds:Transforms>` +
		`<ds:DigestMethod Algorithm="` + digest + `"/>` +
		`<ds:DigestValue>` + base64.StdEncoding.EncodeToString(value) + `</ds:DigestValue>` +
		`</ds:Reference></ds:SignedInfo><ds:SignatureValue/></ds:Signature>`); err != nil {
		panic(err)
	}
	signature := doc.Root()
	info, err := exclusive.Canonicalize(signature.SelectElement("SignedInfo").Copy())
	if err != nil {
		panic(err)
	}
	hash := hashes[strings.HasSuffix(method, "#rsa-sha1")]
	raw, err := rsa.SignPKCS1v15(rand.Reader, signer.key, hash, sum(info, hash))
	if err != nil {
		panic(err)
	}
	find(signature, "SignatureValue").SetText(base64.StdEncoding.EncodeToString(raw))
	return signature
}

// forgedOf is forged for an assertion that has already lost its signature.
func forgedOf(original *etree.Element) *etree.Element {
	evil := original.Copy()
	find(evil, "NameID").SetText("mallory")
	evil.CreateAttr("ID", "_evil")
	return evil
}

func TestGoodSignatures(t *testing.T) {
	odd := "a\r\n\tb ]]> \"quoted\" 'single' <&> é 😀 \u2028 \u0085 \ufffd"
	tests := []struct {
		name    string
		change  func(r *response)
		subject string
	}{
		{"odd characters", func(r *response) { r.nameID = odd }, odd},
		{"odd characters in an attribute", func(r *response) {
			r.recipient = "https://x/?a='\"&\t\r\n<>]]>😀"
			r.set("urn:oid:2.5.4.3", odd)
		}, "SamlExample"},
		{"comment inside the NameID", func(r *response) {
			r.nameID = "admin@example.com.evil.example"
			r.text = func(d string) string {
				return strings.Replace(d, "admin@example.com.evil",
					"admin@example.com<!-- -->.evil", 1)
			}
		}, "admin@example.com.evil.example"},
		{"what looks like a reference in CDATA", func(r *response) {
			r.nameID = "&#xD800;"
			r.text = func(d string) string {
				return strings.Replace(d, "&amp;#xD800;", "<![CDATA[&#xD800;]]>", 1)
			}
		}, "&#xD800;"},
		{"CDATA", func(r *response) {
			r.text = func(d string) string {
				return strings.Replace(d, "SamlExample", "<![CDATA[SamlExample]]>", 1)
			}
		}, "SamlExample"},
		{"line ends of Windows", func(r *response) {
			r.nameID = "a\nb"
			r.text = func(d string) string { return strings.Replace(d, "a\nb", "a\r\nb", 1) }
		}, "a\nb"},
		{"line breaks between attributes and inside one", func(r *response) {
			r.recipient = "a b"
			r.text = func(d string) string {
				return strings.Replace(d, ` Recipient="a b"`, "\r\n\tRecipient\n=\n'a\r\nb'", 1)
			}
		}, "SamlExample"},
		{"attributes in another order", func(r *response) {
			r.text = func(d string) string {
				return strings.Replace(d, `ID="_a" Version="2.0"`, `Version="2.0" ID="_a"`, 1)
			}
		}, "SamlExample"},
		{"empty elements closed in the tag", func(r *response) {
			r.text = func(d string) string {
				return strings.ReplaceAll(d, "></saml:SubjectConfirmationData>", "/>")
			}
		}, "SamlExample"},
		{"unused namespaces", func(r *response) {
			r.text = func(d string) string {
				return strings.Replace(d, "<saml:Subject>", `<saml:Subject xmlns:u="urn:u">`, 1)
			}
		}, "SamlExample"},
		{"namespaces of values and defaults", func(r *response) {
			r.before = func(root *etree.Element) {
				s := find(root, "AttributeStatement")
				el := s.CreateElement("saml:Attribute")
				el.CreateAttr("Name", "urn:x")
				el.CreateAttr("xmlns:b", "urn:a")
				el.CreateAttr("xmlns:a", "urn:b")
				el.CreateAttr("b:z", "1")
				el.CreateAttr("a:z", "2")
				el.CreateAttr("xml:lang", "en")
				v := el.CreateElement("x")
				v.CreateAttr("xmlns", "urn:default")
				v.CreateElement("y").CreateAttr("xmlns", "")
				v.CreateElement("a:z").CreateAttr("xmlns:a", "urn:other")
			}
			// The order is that of the namespaces, not of the prefixes or the text.
			r.text = func(d string) string {
				if !strings.Contains(d, `b:z="1" a:z="2"`) {
					panic(d)
				}
				return strings.Replace(d, `b:z="1" a:z="2"`, `a:z="2" b:z="1"`, 1)
			}
		}, "SamlExample"},
		{"reference to U+FFFD", func(r *response) {
			r.nameID = "a\ufffdb"
			r.text = func(d string) string {
				return strings.Replace(d, "a\ufffdb", "a&#xFFFD;b", 1)
			}
		}, "a\ufffdb"},
		{"inclusive prefixes", func(r *response) {
			r.before = func(root *etree.Element) {
				root.SelectElement("Assertion").
					CreateAttr("xmlns:xs", "http://www.w3.org/2001/XMLSchema")
			}
			r.signer = keyPair{} // signed by hand
			r.after = func(root *etree.Element) {
				signWithPrefixes(root, "xs xml #default nowhere")
			}
		}, "SamlExample"},
		{"no KeyInfo", func(r *response) {
			r.after = func(root *etree.Element) {
				k := find(root, "KeyInfo")
				k.Parent().RemoveChild(k)
			}
		}, "SamlExample"},
		{"KeyInfo of somebody else", func(r *response) { r.signer.cert = otherKey().cert },
			"SamlExample"},
		{"response signed too", func(r *response) {
			r.after = func(root *etree.Element) { root.InsertChildAt(1, good().signature(root)) }
		}, "SamlExample"},
		{"XML declaration and white space around", func(r *response) {
			r.text = func(d string) string {
				return `<?xml version="1.0" encoding="UTF-8"?>` + "\r\n" + d + "\n<!-- end -->\n"
			}
		}, "SamlExample"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := good()
			tt.change(r)
			a := post(newServer(t, ststest.Config{}), form(r.encoded()))
			if a.status != 200 || a.Subject != tt.subject || a.Audience != r.recipient {
				t.Errorf("%d %s %q, subject %q, audience %q\n%s", a.status, a.Code, a.Message,
					a.Subject, a.Audience, r.document())
			}
		})
	}
}

// signWithPrefixes signs with an InclusiveNamespaces PrefixList in the
// transform, which goxmldsig applies and does not write.
func signWithPrefixes(root *etree.Element, prefixes string) {
	r := good()
	a := root.SelectElement("Assertion")
	r.canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList(prefixes)
	digest := find(r.signature(a.Copy()), "DigestValue").Text() // goxmldsig changes what it signs
	sig := good().signature(a.Copy())
	a.InsertChildAt(1, sig)
	resign(root, func(info *etree.Element) {
		find(info, "DigestValue").SetText(digest)
		list := info.FindElements("//Transform")[1].CreateElement("ec:InclusiveNamespaces")
		list.CreateAttr("xmlns:ec", "http://www.w3.org/2001/10/xml-exc-c14n#")
		list.CreateAttr("PrefixList", prefixes)
	})
}

// resign changes the SignedInfo of the assertion and signs that with the good
// key: what a key holder, or an attacker with a confused one, could publish.
func resign(root *etree.Element, change func(info *etree.Element)) {
	sig := root.SelectElement("Assertion").SelectElement("Signature")
	info := sig.SelectElement("SignedInfo")
	detached := info.Copy()
	detached.CreateAttr("xmlns:ds", "http://www.w3.org/2000/09/xmldsig#")
	change(detached)
	canonical, err := dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("").
		Canonicalize(detached.Copy())
	if err != nil {
		panic(err)
	}
	ctx, err := dsig.NewSigningContext(goodKey().key, nil)
	if err != nil {
		panic(err)
	}
	raw, err := ctx.SignString(string(canonical))
	if err != nil {
		panic(err)
	}
	find(sig, "SignatureValue").SetText(base64.StdEncoding.EncodeToString(raw))
	sig.RemoveChild(info)
	sig.InsertChildAt(0, detached)
}

// TestSignedInfoMustSayWhatWasDone signs each SignedInfo well: only what it
// says is wrong.
func TestSignedInfoMustSayWhatWasDone(t *testing.T) {
	set := func(tag, name, value string) func(info *etree.Element) {
		return func(info *etree.Element) { find(info, tag).CreateAttr(name, value) }
	}
	transform := func(i int) func(info *etree.Element) *etree.Element {
		return func(info *etree.Element) *etree.Element {
			return info.FindElements("//Transform")[i]
		}
	}
	prefixes := func(el *etree.Element) {
		el.CreateElement("ec:InclusiveNamespaces").
			CreateAttr("xmlns:ec", "http://www.w3.org/2001/10/xml-exc-c14n#")
	}
	tests := []struct {
		name   string
		change func(info *etree.Element)
		status int
	}{
		{"nothing changed", func(*etree.Element) {}, 200},
		{"prefix list of nothing", func(info *etree.Element) { prefixes(transform(1)(info)) }, 200},
		{"prefix list for the SignedInfo",
			func(info *etree.Element) { prefixes(find(info, "CanonicalizationMethod")) }, 200},
		{"RSA-SHA1", set("SignatureMethod", "Algorithm", dsig.RSASHA1SignatureMethod), 400},
		{"RSA-SHA512", set("SignatureMethod", "Algorithm", dsig.RSASHA512SignatureMethod), 400},
		{"HMACOutputLength", func(info *etree.Element) {
			find(info, "SignatureMethod").CreateElement("ds:HMACOutputLength")
		}, 400},
		{"SHA-1", set("DigestMethod", "Algorithm", "http://www.w3.org/2000/09/xmldsig#sha1"), 400},
		{"parameter of the digest",
			func(info *etree.Element) { find(info, "DigestMethod").CreateElement("x") }, 400},
		{"inclusive canonicalization of the SignedInfo",
			set("CanonicalizationMethod", "Algorithm",
				"http://www.w3.org/TR/2001/REC-xml-c14n-20010315"),
			400},
		{"inclusive canonicalization of the assertion", func(info *etree.Element) {
			transform(1)(info).CreateAttr("Algorithm",
				"http://www.w3.org/TR/2001/REC-xml-c14n-20010315")
		}, 400},
		{"XPath for the enveloped signature",
			set("Transform", "Algorithm", "http://www.w3.org/TR/1999/REC-xpath-19991116"), 400},
		{"XPath in the enveloped signature",
			func(info *etree.Element) { transform(0)(info).CreateElement("ds:XPath") }, 400},
		{"XSLT in the canonicalization",
			func(info *etree.Element) { transform(1)(info).CreateElement("xsl") }, 400},
		{"two prefix lists", func(info *etree.Element) {
			prefixes(transform(1)(info))
			prefixes(transform(1)(info))
		}, 400},
		{"no canonicalization", func(info *etree.Element) {
			el := transform(1)(info)
			el.Parent().RemoveChild(el)
		}, 400},
		{"three transforms", func(info *etree.Element) {
			el := transform(1)(info)
			el.Parent().AddChild(el.Copy())
		}, 400},
		{"two references",
			func(info *etree.Element) { info.AddChild(find(info, "Reference").Copy()) }, 400},
		{"text beside the reference", func(info *etree.Element) { info.CreateText("x") }, 400},
		{"elements in the digest",
			func(info *etree.Element) { find(info, "DigestValue").CreateElement("x") }, 400},
		{"digest method of another namespace", set("DigestMethod", "xmlns:ds", "urn:x"), 400},
		{"digest with white space", func(info *etree.Element) {
			d := find(info, "DigestValue")
			d.SetText(" \t" + d.Text()[:9] + "\r\n" + d.Text()[9:] + "\n")
		}, 200},
		{"digest with a blank that XML does not have", func(info *etree.Element) {
			d := find(info, "DigestValue")
			d.SetText(d.Text()[:9] + "\u00a0" + d.Text()[9:])
		}, 400},
		{"digest of something else",
			func(info *etree.Element) { find(info, "DigestValue").SetText("") }, 400},
		{"reference to the response", set("Reference", "URI", "#_r"), 400},
		{"reference to the document", set("Reference", "URI", ""), 400},
		{"reference to nothing",
			func(info *etree.Element) { find(info, "Reference").RemoveAttr("URI") }, 400},
		{"reference without a number sign", set("Reference", "URI", "_a"), 400},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := good()
			r.after = func(root *etree.Element) { resign(root, tt.change) }
			a := post(newServer(t, ststest.Config{}), form(r.encoded()))
			if a.status != tt.status ||
				tt.status != 200 && uuid.ReplaceAllString(a.Message, "UUID") != badSig {
				t.Errorf("%d %s, want %d", a.status, a.Message, tt.status)
			}
		})
	}
	t.Run("empty ID", func(t *testing.T) {
		r := good()
		r.before = func(root *etree.Element) {
			root.SelectElement("Assertion").CreateAttr("ID", "")
		}
		r.after = func(root *etree.Element) { resign(root, set("Reference", "URI", "#")) }
		a := post(newServer(t, ststest.Config{}), form(r.encoded()))
		if uuid.ReplaceAllString(a.Message, "UUID") != badSig {
			t.Errorf("%d %s", a.status, a.Message)
		}
	})
}

// TestResponseOfXMLSec verifies a response that xmlsec1 signed. It holds what
// goxmldsig canonicalizes in another way than the specification: attributes of
// several namespaces, in an order that differs from that of their prefixes.
func TestResponseOfXMLSec(t *testing.T) {
	doc, err := os.ReadFile("testdata/xmlsec1-response.xml")
	if err != nil {
		t.Fatal(err)
	}
	cert, err := os.ReadFile("testdata/xmlsec1-certificate.txt")
	if err != nil {
		t.Fatal(err)
	}
	der, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(cert)))
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(t, ststest.Config{})
	mustPut(t, s, providerARN, metadataFor(issuer, der))
	a := post(s, form(base64.StdEncoding.EncodeToString(doc)))
	if a.status != 200 || a.Subject != "a\r\tb ]]> é 😀 \u2028" {
		t.Errorf("%d %s, subject %q", a.status, a.Message, a.Subject)
	}
	changed := strings.Replace(string(doc), `a:x="2"`, `a:x="3"`, 1)
	a = post(s, form(base64.StdEncoding.EncodeToString([]byte(changed))))
	if uuid.ReplaceAllString(a.Message, "UUID") != badSig {
		t.Errorf("changed: %d %s", a.status, a.Message)
	}
}

// TestMetadataOfCrewjam reads metadata as another library writes it.
func TestMetadataOfCrewjam(t *testing.T) {
	entity := saml.EntityDescriptor{
		EntityID: issuer,
		IDPSSODescriptors: []saml.IDPSSODescriptor{{SSODescriptor: saml.SSODescriptor{
			RoleDescriptor: saml.RoleDescriptor{
				ProtocolSupportEnumeration: "urn:oasis:names:tc:SAML:2.0:protocol",
				KeyDescriptors: []saml.KeyDescriptor{{
					Use: "signing",
					KeyInfo: saml.KeyInfo{X509Data: saml.X509Data{
						X509Certificates: []saml.X509Certificate{{
							Data: base64.StdEncoding.EncodeToString(goodKey().cert),
						}},
					}},
				}},
			},
		}}},
	}
	b, err := xml.MarshalIndent(entity, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(t, ststest.Config{})
	mustPut(t, s, providerARN, b)
	if a := post(s, form(good().encoded())); a.status != 200 {
		t.Errorf("%d %s", a.status, a.Message)
	}
}

func TestPutSAMLProviderRefuses(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := goodKey().cert
	certs := func(n int) [][]byte {
		list := make([][]byte, n)
		for i := range list {
			list[i] = cert
		}
		return list
	}
	pad := func(b []byte) []byte {
		return append(b, []byte("<!--"+strings.Repeat("x", 1000)+"-->")...)
	}
	entities := func(n int) []byte {
		b := []byte(`<md:EntitiesDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata">`)
		for i := range n {
			one := string(metadataFor(fmt.Sprintf("urn:%d", i), cert))
			b = append(b, one[strings.Index(one, "\n"):]...)
		}
		return append(b, "</md:EntitiesDescriptor>"...)
	}
	sub := func(old, new string) []byte {
		return pad([]byte(strings.Replace(string(metadataFor(issuer, cert)), old, new, 1)))
	}
	tests := []struct {
		name, arn string
		metadata  []byte
		want      string // of the error; empty for none
	}{
		{"good", providerARN, metadataFor(issuer, cert), ""},
		{"ten keys", providerARN, metadataFor(issuer, certs(10)...), ""},
		{"eleven keys", providerARN, metadataFor(issuer, certs(11)...), "11 signing keys"},
		{"ten entities", providerARN, entities(10), ""},
		{"eleven entities", providerARN, entities(11), "11 EntityDescriptors"},
		{"no entities", providerARN, pad(entities(0)), "0 EntityDescriptors"},
		{"entity twice", providerARN,
			[]byte(strings.Replace(string(entities(2)), "urn:1", "urn:0", 1)), "twice"},
		{"ARN of a role", roleARN, metadataFor(issuer, cert), "not the ARN of a SAML provider"},
		{"too short", providerARN, []byte("<x/>"), "4 characters"},
		{"999 characters", providerARN, []byte(strings.Repeat("é", 999)), "999 characters"},
		{"too long", providerARN,
			append(metadataFor(issuer, cert), strings.Repeat(" ", 10_000_000)...),
			"want 1000 to 10000000"},
		{"byte order mark", providerARN,
			append([]byte("\xEF\xBB\xBF"), metadataFor(issuer, cert)...), "byte order mark"},
		{"not UTF-8", providerARN, append(metadataFor(issuer, cert), 0xff), "UTF-8"},
		{"not XML", providerARN, pad([]byte("<x>")), "unable to parse"},
		{"document type", providerARN,
			sub("<md:EntityDescriptor", "<!DOCTYPE x><md:EntityDescriptor"), "unable to parse"},
		{"of a service provider", providerARN,
			[]byte(strings.ReplaceAll(string(metadataFor(issuer, cert)), "IDPSSO", "SPSSO")),
			"IDPSSODescriptor"},
		{"another root", providerARN,
			[]byte(strings.ReplaceAll(string(metadataFor(issuer, cert)), "EntityDescriptor",
				"Entity")),
			"must be an EntityDescriptor"},
		{"no entityID", providerARN, sub(`entityID="`+issuer+`"`, ""), "entityID"},
		{"no key", providerARN, pad(metadataFor(issuer)), "no signing key"},
		{"only a key to encrypt", providerARN, sub(`use="signing"`, `use="encryption"`),
			"no signing key"},
		{"a key for both", providerARN, sub(`use="signing"`, ``), ""},
		{"bad base64", providerARN, sub("<ds:X509Certificate>", "<ds:X509Certificate>*"),
			"X509Certificate"},
		{"bad certificate", providerARN, pad(metadataFor(issuer, []byte("xyz"))),
			"X509Certificate"},
		{"no certificate", providerARN,
			[]byte(strings.ReplaceAll(string(metadataFor(issuer, cert)), "X509Certificate",
				"X509CRL")),
			"want one X509Certificate"},
		{"elliptic key", providerARN, pad(metadataFor(issuer, newCert(ec.Public(), ec))),
			"RSA of at least 1024"},
		{"1023 bits", providerARN,
			pad(metadataFor(issuer,
				newCert(&rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 1022, 1), E: 65537},
					goodKey().key))),
			"RSA of at least 1024"},
		{"1024 bits", providerARN, pad(metadataFor(issuer, newKey(1024).cert)), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t, ststest.Config{})
			err := s.PutSAMLProvider(tt.arn, tt.metadata)
			if tt.want == "" && err != nil ||
				tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if err != nil {
				if a := post(s, form(good().encoded())); a.status != 200 {
					t.Errorf("the failed call changed the provider: %s", a.Message)
				}
			}
		})
	}
}
