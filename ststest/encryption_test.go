package ststest_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"hash"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/beevik/etree"

	"github.com/seed055b7978/delegation/ststest"
)

const (
	providerUUID = "SAMLSPEXAMPLE000000001"
	ownRecipient = "https://eu-central-1.signin.aws.amazon.com/saml/acs/" + providerUUID
	aes128CBC    = "http://www.w3.org/2001/04/xmlenc#aes128-cbc"
	aes256CBC    = "http://www.w3.org/2001/04/xmlenc#aes256-cbc"
	aes128GCM    = "http://www.w3.org/2009/xmlenc11#aes128-gcm"
	aes256GCM    = "http://www.w3.org/2009/xmlenc11#aes256-gcm"
)

var (
	readerKey    = sync.OnceValue(func() *rsa.PrivateKey { return newKey(2048).key })
	nextReader   = sync.OnceValue(func() *rsa.PrivateKey { return newKey(2048).key })
	noneOfTheTwo = sync.OnceValue(func() *rsa.PrivateKey { return newKey(2048).key })
)

func privatePEM(key any) []byte {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// An envelope says how an assertion is encrypted.
type envelope struct {
	algorithm string
	keySize   int // zero: the algorithm's
	to        *rsa.PublicKey
	transport string
	hash      hash.Hash
	digest    string                    // written; empty: none
	beside    bool                      // EncryptedKey beside EncryptedData
	plain     func(string) string       // changes the hidden text
	cipher    func(sealed, key []byte)  // changes the ciphertexts
	padding   func(text []byte, n byte) // fills in the n bytes at the end
	typ       string
}

func sealedWith(algorithm string) *envelope {
	return &envelope{
		algorithm: algorithm, to: &readerKey().PublicKey, hash: sha1.New(),
		typ:       "http://www.w3.org/2001/04/xmlenc#Element",
		transport: "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p",
		digest:    "http://www.w3.org/2000/09/xmldsig#sha1",
		padding:   func(text []byte, n byte) { text[len(text)-1] = n },
	}
}

// hide returns the EncryptedAssertion of an assertion.
func (e *envelope) hide(assertion *etree.Element) *etree.Element {
	doc := etree.NewDocumentWithRoot(assertion.Copy())
	doc.WriteSettings = etree.WriteSettings{
		CanonicalEndTags: true,
		CanonicalText:    true,
		CanonicalAttrVal: true,
	}
	text, err := doc.WriteToString()
	if err != nil {
		panic(err)
	}
	if e.plain != nil {
		text = e.plain(text)
	}
	size := e.keySize
	if size == 0 {
		size = 16
		if strings.Contains(e.algorithm, "256") {
			size = 32
		}
	}
	secret := make([]byte, size+aes.BlockSize)
	rand.Read(secret)
	block, err := aes.NewCipher(secret[:size])
	if err != nil {
		panic(err)
	}
	var sealed []byte
	if strings.HasSuffix(e.algorithm, "cbc") {
		n := aes.BlockSize - len(text)%aes.BlockSize
		padded := append([]byte(text), make([]byte, n)...)
		e.padding(padded, byte(n))
		sealed = append(bytes.Clone(secret[size:]), padded...)
		cipher.NewCBCEncrypter(block, secret[size:]).CryptBlocks(sealed[aes.BlockSize:], padded)
	} else {
		gcm, err := cipher.NewGCM(block)
		if err != nil {
			panic(err)
		}
		nonce := secret[size:][:gcm.NonceSize()]
		sealed = gcm.Seal(bytes.Clone(nonce), nonce, []byte(text), nil)
	}
	wrapped, err := rsa.EncryptOAEP(e.hash, rand.Reader, e.to, secret[:size], nil)
	if err != nil {
		panic(err)
	}
	if e.cipher != nil {
		e.cipher(sealed, wrapped)
	}
	digest := ""
	if e.digest != "" {
		digest = `<ds:DigestMethod Algorithm="` + e.digest + `"/>`
	}
	value := func(b []byte) string {
		return "<e:CipherData><e:CipherValue>\n" + base64.StdEncoding.EncodeToString(b) +
			"\n</e:CipherValue></e:CipherData>"
	}
	key := `<e:EncryptedKey xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><e:EncryptionMethod Algorithm="` + e.transport + `">` + digest + "</e:EncryptionMethod>" + value(wrapped) + "</e:EncryptedKey>"
	inside := `<ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#">` + key + "</ds:KeyInfo>"
	beside := ""
	if e.beside {
		inside, beside = "", key
	}
	whole := etree.NewDocument()
	err = whole.ReadFromString(
		`<saml:EncryptedAssertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" xmlns:e="http://www.w3.org/2001/04/xmlenc#"><e:EncryptedData Type="` + e.typ + `">` +
			`<e:EncryptionMethod Algorithm="` + e.algorithm + `"/>` + inside + value(sealed) +
			"</e:EncryptedData>" + beside + "</saml:EncryptedAssertion>")
	if err != nil {
		panic(err)
	}
	return whole.Root()
}

// replaceAssertion is the last step of an identity provider that encrypts.
func (e *envelope) replaceAssertion(root *etree.Element) {
	a := root.SelectElement("Assertion")
	root.RemoveChild(a)
	root.AddChild(e.hide(a))
}

// encryptedResponse returns a good response but for its encryption.
func encryptedResponse(e *envelope) *response {
	r := good()
	r.recipient = ownRecipient
	r.after = e.replaceAssertion
	return r
}

func mustEncrypt(t testing.TB, s *ststest.Server, e ststest.SAMLEncryption) {
	t.Helper()
	if err := s.PutSAMLEncryption(providerARN, e); err != nil {
		t.Fatal(err)
	}
}

// encryptingServer returns a Server whose provider has the private keys.
func encryptingServer(t testing.TB, required bool, keys ...*rsa.PrivateKey) *ststest.Server {
	t.Helper()
	s := newServer(t, ststest.Config{})
	e := ststest.SAMLEncryption{Required: required, UUID: providerUUID}
	for _, key := range keys {
		e.PrivateKeys = append(e.PrivateKeys, privatePEM(key))
	}
	mustEncrypt(t, s, e)
	return s
}

// said is the outcome of a call without the request ID in its message.
func said(a answer) string {
	return fmt.Sprintf("%d %s %s", a.status, a.Code, uuid.ReplaceAllString(a.Message, "UUID"))
}

const (
	accepted    = "200  "
	undecrypted = "400 InvalidIdentityToken " + badSig
	notHidden   = "400 InvalidIdentityToken Response must contain an encrypted assertion"
	notOwn      = "400 InvalidIdentityToken Response must be addressed to the sign-in URL of the " +
		"SAML provider"
)

func TestEncryptedAssertions(t *testing.T) {
	for _, algorithm := range []string{aes128CBC, aes256CBC, aes128GCM, aes256GCM} {
		for _, required := range []bool{false, true} {
			for _, beside := range []bool{false, true} {
				t.Run(fmt.Sprint(algorithm, required, beside), func(t *testing.T) {
					e := sealedWith(algorithm)
					if e.beside = beside; beside {
						e.digest = "" // SHA-1 is the default (XML Encryption 1.1, section 5.5.2)
					}
					s := encryptingServer(t, required, readerKey())
					a := post(s, form(encryptedResponse(e).encoded()))
					if said(a) != accepted || a.Subject != "SamlExample" ||
						a.Audience != ownRecipient {
						t.Errorf("%s, subject %q, audience %q", said(a), a.Subject, a.Audience)
					}
					calls := s.Calls()
					if calls[0].AssertionID != "_a" || calls[0].Subject != "SamlExample" {
						t.Errorf("the call is noted as %+v", calls[0])
					}
				})
			}
		}
	}
}

// TestEncryptedAssertionsOfAnyLength meets every length of CBC's padding.
func TestEncryptedAssertionsOfAnyLength(t *testing.T) {
	s := encryptingServer(t, true, readerKey())
	for n := range aes.BlockSize {
		r := encryptedResponse(sealedWith(aes256CBC))
		r.nameID = "x" + strings.Repeat("y", n)
		if a := post(s, form(r.encoded())); said(a) != accepted || a.Subject != r.nameID {
			t.Errorf("%d: %s", n, said(a))
		}
	}
}

func TestEncryptionModes(t *testing.T) {
	plain := func(recipient string) string {
		r := good()
		r.recipient = recipient
		return r.encoded()
	}
	hidden := func(recipient string) string {
		r := encryptedResponse(sealedWith(aes256GCM))
		r.recipient = recipient
		return r.encoded()
	}
	acs := func(host string) string { return "https://" + host + "/saml/acs/" + providerUUID }
	tests := []struct{ name, response, none, allowed, required string }{
		{"plain", plain(recipient), accepted, accepted, notHidden},
		{"plain to the provider's own URL", plain(ownRecipient), accepted, accepted, notHidden},
		{"encrypted", hidden(ownRecipient), undecrypted, accepted, accepted},
		{"encrypted to the global URL", hidden(acs("signin.aws.amazon.com")), undecrypted,
			accepted, accepted},
		{"encrypted to another region's URL", hidden(acs("us-east-1.signin.aws.amazon.com")),
			undecrypted, accepted, accepted},
		{"encrypted to everybody's URL", hidden(recipient), undecrypted, accepted, notOwn},
		{"encrypted to another provider's URL",
			hidden(strings.Replace(ownRecipient, "0001", "0002", 1)), undecrypted,
			accepted, notOwn},
		{"encrypted to another partition's URL", hidden(acs("signin.amazonaws.cn")), undecrypted,
			accepted, notOwn},
		{"encrypted to a stranger's URL", hidden(acs("signin.example.com")), undecrypted,
			accepted, notOwn},
		{"encrypted to no region's URL", hidden(acs("mars-north-1.signin.aws.amazon.com")),
			undecrypted, accepted, notOwn},
		{"encrypted to a URL in capitals", hidden(acs("SIGNIN.aws.amazon.com")), undecrypted,
			accepted, notOwn},
		{"encrypted to a URL with a port", hidden(acs("signin.aws.amazon.com:443")), undecrypted,
			accepted, notOwn},
		{"encrypted to a URL without TLS", hidden("http" + ownRecipient[5:]), undecrypted,
			accepted, notOwn},
		{"encrypted to a URL without a scheme", hidden(ownRecipient[8:]), undecrypted,
			accepted, notOwn},
		{"encrypted to a URL and more", hidden(ownRecipient + "/"), undecrypted, accepted, notOwn},
	}
	none := newServer(t, ststest.Config{})
	allowed := encryptingServer(t, false, readerKey())
	required := encryptingServer(t, true, readerKey())
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for mode, c := range map[string]struct {
				server *ststest.Server
				want   string
			}{
				"no key": {none, tt.none}, "Allowed": {allowed, tt.allowed},
				"Required": {required, tt.required},
			} {
				if got := said(post(c.server, form(tt.response))); got != c.want {
					t.Errorf("%s: %s, want %s", mode, got, c.want)
				}
			}
		})
	}
}

// TestEncryptionKeysAreRotated walks the rotation that IAM allows: add the next
// key, encrypt for it, remove the old one.
func TestEncryptionKeysAreRotated(t *testing.T) {
	forOld, forNext := sealedWith(aes256GCM), sealedWith(aes256GCM)
	forNext.to = &nextReader().PublicKey
	old := form(encryptedResponse(forOld).encoded())
	next := form(encryptedResponse(forNext).encoded())
	s := newServer(t, ststest.Config{})
	for _, phase := range []struct {
		name      string
		keys      []*rsa.PrivateKey
		old, next string
	}{
		{"old", []*rsa.PrivateKey{readerKey()}, accepted, undecrypted},
		{"both", []*rsa.PrivateKey{nextReader(), readerKey()}, accepted, accepted},
		{"new", []*rsa.PrivateKey{nextReader()}, undecrypted, accepted},
		{"none", nil, undecrypted, undecrypted},
	} {
		e := ststest.SAMLEncryption{Required: len(phase.keys) > 0, UUID: providerUUID}
		for _, key := range phase.keys {
			e.PrivateKeys = append(e.PrivateKeys, privatePEM(key))
		}
		mustEncrypt(t, s, e)
		// new metadata changes no keys
		mustPut(t, s, providerARN, metadataFor(issuer, goodKey().cert))
		if got := said(post(s, old)); got != phase.old {
			t.Errorf("%s, encrypted for the old key: %s", phase.name, got)
		}
		if got := said(post(s, next)); got != phase.next {
			t.Errorf("%s, encrypted for the next key: %s", phase.name, got)
		}
	}
	if got := said(post(s, form(good().encoded()))); got != accepted {
		t.Errorf("without keys, not encrypted: %s", got)
	}
}

// TestEncryptedAssertionsRefused holds that whatever is wrong behind the
// encryption, the answer is the same.
func TestEncryptedAssertionsRefused(t *testing.T) {
	with := func(algorithm string, change func(e *envelope)) func() *response {
		return func() *response {
			e := sealedWith(algorithm)
			change(e)
			return encryptedResponse(e)
		}
	}
	later := func(change func(root, encrypted *etree.Element)) func() *response {
		return func() *response {
			r := encryptedResponse(sealedWith(aes256GCM))
			hide := r.after
			r.after = func(root *etree.Element) {
				hide(root)
				change(root, root.SelectElement("EncryptedAssertion"))
			}
			return r
		}
	}
	cbcOf := func(size int) func() *response {
		return func() *response {
			r := encryptedResponse(sealedWith(aes256CBC))
			hide := r.after
			r.after = func(root *etree.Element) {
				hide(root)
				find(root,
					"EncryptedData").SelectElement("CipherData").SelectElement("CipherValue").
					SetText(base64.StdEncoding.EncodeToString(make([]byte, size)))
			}
			return r
		}
	}
	relabelled := func(algorithm, said string) func() *response {
		return func() *response {
			r := encryptedResponse(sealedWith(algorithm))
			hide := r.after
			r.after = func(root *etree.Element) {
				hide(root)
				find(root, "EncryptionMethod").CreateAttr("Algorithm", said)
			}
			return r
		}
	}
	signed := func(change func(r *response)) func() *response {
		return func() *response {
			r := encryptedResponse(sealedWith(aes256CBC))
			change(r)
			return r
		}
	}
	swap := func(old, new string) func(*envelope) {
		return func(e *envelope) {
			e.plain = func(s string) string {
				if !strings.Contains(s, old) {
					panic("the assertion has no " + old)
				}
				return strings.Replace(s, old, new, 1)
			}
		}
	}
	plain := func() *etree.Element {
		doc := etree.NewDocument()
		if err := doc.ReadFromBytes(good().document()); err != nil {
			panic(err)
		}
		return doc.Root().SelectElement("Assertion")
	}
	// pair puts a good assertion next to one that hides what is no assertion.
	pair := func(place func(root, plain *etree.Element)) func() *response {
		return func() *response { return nextTo(`<x/>`, aes128CBC, place) }
	}
	tests := []struct {
		name     string
		response func() *response
	}{
		{"for another key",
			with(aes256GCM, func(e *envelope) { e.to = &noneOfTheTwo().PublicKey })},
		{"AES-192", with("http://www.w3.org/2001/04/xmlenc#aes192-cbc",
			func(e *envelope) { e.keySize = 24 })},
		{"a key for another size", with(aes256GCM, func(e *envelope) { e.keySize = 16 })},
		{"no algorithm", with("", func(*envelope) {})},
		{"rsa-1_5", with(aes256GCM,
			func(e *envelope) { e.transport = "http://www.w3.org/2001/04/xmlenc#rsa-1_5" })},
		{"the key transport of 1.1", with(aes256GCM,
			func(e *envelope) { e.transport = "http://www.w3.org/2009/xmlenc11#rsa-oaep" })},
		{"OAEP with SHA-256", with(aes256GCM, func(e *envelope) { e.hash = sha256.New() })},
		{"OAEP said to be with SHA-256", with(aes256GCM,
			func(e *envelope) { e.digest = "http://www.w3.org/2001/04/xmlenc#sha256" })},
		{"Type Content", with(aes256GCM,
			func(e *envelope) { e.typ = "http://www.w3.org/2001/04/xmlenc#Content" })},
		{"changed wrapped key",
			with(aes256GCM, func(e *envelope) { e.cipher = func(_, key []byte) { key[9] ^= 1 } })},
		{"changed nonce", with(aes256GCM,
			func(e *envelope) { e.cipher = func(sealed, _ []byte) { sealed[0] ^= 1 } })},
		{"changed ciphertext", with(aes256GCM,
			func(e *envelope) { e.cipher = func(sealed, _ []byte) { sealed[99] ^= 1 } })},
		{"changed tag",
			with(aes256GCM, func(e *envelope) {
				e.cipher = func(sealed, _ []byte) { sealed[len(sealed)-1] ^= 1 }
			})},
		{"CBC said to be GCM", relabelled(aes256CBC, aes256GCM)},
		{"GCM said to be CBC", relabelled(aes256GCM, aes256CBC)},
		{"256 bits said to be 128", relabelled(aes256GCM, aes128GCM)},
		{"padding 0", with(aes256CBC,
			func(e *envelope) { e.padding = func(text []byte, _ byte) { text[len(text)-1] = 0 } })},
		{"padding 17",
			with(aes256CBC, func(e *envelope) {
				e.padding = func(text []byte, _ byte) { text[len(text)-1] = 17 }
			})},
		{"padding 255",
			with(aes256CBC, func(e *envelope) {
				e.padding = func(text []byte, _ byte) { text[len(text)-1] = 255 }
			})},
		{"padding longer than the text", with(aes256CBC, func(e *envelope) {
			e.plain = func(string) string { return "" }
			e.padding = func(text []byte, _ byte) { text[len(text)-1] = 255 }
		})},
		{"CBC without text", cbcOf(16)},
		{"CBC without a vector", cbcOf(0)},
		{"CBC of half a block", cbcOf(40)},
		{"nothing inside",
			with(aes256GCM, func(e *envelope) { e.plain = func(string) string { return "" } })},
		{"nothing inside, CBC",
			with(aes256CBC, func(e *envelope) { e.plain = func(string) string { return "" } })},
		{"no XML inside", with(aes256CBC,
			func(e *envelope) { e.plain = func(string) string { return "<saml:Assertion" } })},
		{"two elements inside", with(aes256GCM,
			func(e *envelope) { e.plain = func(s string) string { return s + s } })},
		{"a comment before the assertion", with(aes256GCM, swap("<saml:Assertion",
			"<!-- --><saml:Assertion"))},
		{"a comment after the assertion", with(aes256GCM, swap("</saml:Assertion>",
			"</saml:Assertion><!-- -->"))},
		{"a blank before the assertion", with(aes256GCM, swap("<saml:Assertion",
			" <saml:Assertion"))},
		{"a newline after the assertion", with(aes256CBC, swap("</saml:Assertion>",
			"</saml:Assertion>\n"))},
		{"text after the assertion", with(aes256GCM, swap("</saml:Assertion>",
			"</saml:Assertion>x"))},
		{"an XML declaration inside", with(aes256GCM, swap("<saml:Assertion",
			`<?xml version="1.0"?><saml:Assertion`))},
		{"a processing instruction inside", with(aes256GCM, swap("<saml:Assertion",
			`<?x?><saml:Assertion`))},
		{"a byte order mark inside", with(aes256GCM, swap("<saml:Assertion",
			"\ufeff<saml:Assertion"))},
		{"an element around the assertion", with(aes256GCM, func(e *envelope) {
			e.plain = func(s string) string { return "<x>" + s + "</x>" }
		})},
		{"an assertion of SAML 1.1", with(aes256GCM,
			swap(`saml="urn:oasis:names:tc:SAML:2.0:assertion"`,
				`saml="urn:oasis:names:tc:SAML:1.0:assertion"`))},
		{"another element inside", with(aes256GCM, func(e *envelope) {
			e.plain = func(string) string {
				return `<saml:Advice xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"/>`
			}
		})},
		{"namespaces of the outside",
			with(aes256GCM, swap(` xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"`, ""))},
		{"changed before encryption", with(aes256GCM, swap("SamlExample", "mallory"))},
		{"another issuer inside",
			with(aes256GCM, swap(">"+issuer+"<", ">https://evil.example.com<"))},
		{"an assertion inside the assertion", with(aes256GCM, swap("<saml:Subject>",
			`<saml:Advice><saml:Assertion ID="_b"/></saml:Advice><saml:Subject>`))},
		{"an encrypted assertion inside", with(aes256GCM, swap("<saml:Subject>",
			`<saml:Advice><saml:EncryptedAssertion/></saml:Advice><saml:Subject>`))},
		{"an ID of the outside", with(aes256GCM, swap("<saml:Subject>", `<saml:Subject ID="_r">`))},
		{"not signed", signed(func(r *response) { r.signer = keyPair{} })},
		{"signed by nobody", signed(func(r *response) { r.signer = otherKey() })},
		{"of an unknown issuer", signed(func(r *response) {
			hide := r.after
			r.after = func(root *etree.Element) {
				root.SelectElement("Issuer").SetText(issuer)
				hide(root)
			}
			r.issuer = "https://evil.example.com"
		})},
		{"of an unknown issuer, and none outside", signed(func(r *response) {
			hide := r.after
			r.after = func(root *etree.Element) {
				root.RemoveChild(root.SelectElement("Issuer"))
				hide(root)
			}
			r.issuer = "https://evil.example.com"
		})},
		{"two encrypted assertions",
			later(func(root, encrypted *etree.Element) { root.AddChild(encrypted.Copy()) })},
		{"a plain assertion before",
			later(func(root, _ *etree.Element) { root.InsertChildAt(2, plain()) })},
		{"a plain assertion behind x", pair(func(root, a *etree.Element) { root.AddChild(a) })},
		{"a plain assertion before x", pair(func(root, a *etree.Element) {
			root.InsertChildAt(2,
				a)
		})},
		{"a plain assertion in Extensions before x", pair(func(root, a *etree.Element) {
			root.CreateElement("samlp:Extensions").AddChild(a)
		})},
		{"a plain assertion inside the encrypted one", pair(func(root, a *etree.Element) {
			root.SelectElement("EncryptedAssertion").AddChild(a)
		})},
		{"a plain assertion inside EncryptedData", pair(func(root, a *etree.Element) {
			find(root, "EncryptedData").AddChild(a)
		})},
		{"a plain assertion and two that hide x", pair(func(root, a *etree.Element) {
			root.AddChild(root.SelectElement("EncryptedAssertion").Copy())
			root.AddChild(a)
		})},
		{"a plain assertion behind",
			later(func(root, _ *etree.Element) { root.AddChild(plain()) })},
		{"in Extensions", later(func(root, encrypted *etree.Element) {
			root.RemoveChild(encrypted)
			root.CreateElement("samlp:Extensions").AddChild(encrypted)
			root.AddChild(plain())
		})},
		{"nothing encrypted in it",
			later(func(_, encrypted *etree.Element) { encrypted.Child = nil })},
		{"two EncryptedData", later(func(_, encrypted *etree.Element) {
			encrypted.AddChild(encrypted.ChildElements()[0].Copy())
		})},
		{"two keys", later(func(_, encrypted *etree.Element) {
			encrypted.AddChild(find(encrypted, "EncryptedKey").Copy())
		})},
		{"no key", later(func(_, encrypted *etree.Element) {
			k := find(encrypted, "KeyInfo")
			k.Parent().RemoveChild(k)
		})},
		{"no EncryptionMethod", later(func(_, encrypted *etree.Element) {
			m := find(encrypted, "EncryptionMethod")
			m.Parent().RemoveChild(m)
		})},
		{"no EncryptionMethod of the key", later(func(_, encrypted *etree.Element) {
			k := find(encrypted, "EncryptedKey")
			k.RemoveChild(k.SelectElement("EncryptionMethod"))
		})},
		{"OAEP parameters", later(func(_, encrypted *etree.Element) {
			find(encrypted, "EncryptedKey").SelectElement("EncryptionMethod").
				CreateElement("e:OAEPparams").SetText("AAAA")
		})},
		{"a CipherReference", later(func(_, encrypted *etree.Element) {
			d := find(encrypted, "EncryptedData").SelectElement("CipherData")
			d.Child = nil
			d.CreateElement("e:CipherReference").CreateAttr("URI", "http://127.0.0.1/")
		})},
		{"no base64", later(func(_, encrypted *etree.Element) {
			find(encrypted, "EncryptedData").SelectElement("CipherData").
				SelectElement("CipherValue").SetText("*")
		})},
		{"an empty ciphertext", later(func(_, encrypted *etree.Element) {
			find(encrypted, "EncryptedData").SelectElement("CipherData").
				SelectElement("CipherValue").SetText("")
		})},
		{"an empty key", later(func(_, encrypted *etree.Element) {
			find(encrypted, "EncryptedKey").SelectElement("CipherData").
				SelectElement("CipherValue").SetText("")
		})},
	}
	for _, required := range []bool{false, true} {
		s := encryptingServer(t, required, nextReader(), readerKey())
		for _, tt := range tests {
			t.Run(fmt.Sprint(tt.name, ", required ", required), func(t *testing.T) {
				r := tt.response()
				if got := said(post(s, form(r.encoded()))); got != undecrypted {
					t.Errorf("%s\n%s", got, r.document())
				}
			})
		}
	}
	s := encryptingServer(t, false, nextReader(), readerKey())

	// What stands outside may be told apart, and it is whatever stands inside.
	for name, change := range map[string]func(*etree.Element){
		"an unknown issuer outside": func(root *etree.Element) {
			root.SelectElement("Issuer").SetText("https://evil.example.com")
		},
		"two issuers outside": func(root *etree.Element) {
			root.InsertChildAt(0, root.SelectElement("Issuer").Copy())
		},
	} {
		for _, to := range []*rsa.PrivateKey{readerKey(), noneOfTheTwo()} {
			e := sealedWith(aes256CBC)
			e.to = &to.PublicKey
			r := encryptedResponse(e)
			hide := r.after
			r.after = func(root *etree.Element) { hide(root); change(root) }
			got := said(post(s, form(r.encoded())))
			if got != "400 InvalidIdentityToken "+badIssuer {
				t.Errorf("%s: %s", name, got)
			}
		}
	}
}

// nextTo returns a response in which a good assertion stands next to an
// EncryptedAssertion that hides a text.
func nextTo(text, algorithm string, place func(root, plain *etree.Element)) *response {
	e := sealedWith(algorithm)
	e.plain = func(string) string { return text }
	r := encryptedResponse(e)
	r.after = func(root *etree.Element) {
		plain := root.SelectElement("Assertion").Copy()
		e.replaceAssertion(root)
		place(root, plain)
	}
	return r
}

// sealedIn is a ciphertext of a document.
var sealedIn = regexp.MustCompile(`<e:CipherValue>\s*([^<]*?)\s*</e:CipherValue>`)

// altered returns the document with a byte of a ciphertext changed: the first is
// that of the key, the second that of the assertion. A byte before 0 counts from
// the end.
func altered(document string, ciphertext, at int, by byte) string {
	where := sealedIn.FindAllStringSubmatchIndex(document, -1)[ciphertext]
	b, err := base64.StdEncoding.DecodeString(document[where[2]:where[3]])
	if err != nil {
		panic(err)
	}
	if at < 0 {
		at += len(b)
	}
	b[at] ^= by
	return document[:where[2]] + base64.StdEncoding.EncodeToString(b) + document[where[3]:]
}

// redeem posts a document.
func redeem(s *ststest.Server, document string) answer {
	return post(s, form(base64.StdEncoding.EncodeToString([]byte(document))))
}

// TestAPlainAssertionMakesNoOracle puts a good assertion next to a ciphertext that
// is changed in every way that one byte can be. If any of them were accepted, an
// answer would tell what decrypts to XML.
func TestAPlainAssertionMakesNoOracle(t *testing.T) {
	behind := func(root, plain *etree.Element) { root.AddChild(plain) }
	document := string(nextTo(`<x/>`, aes128CBC, behind).document())
	for _, required := range []bool{false, true} {
		s := encryptingServer(t, required, readerKey())
		for _, at := range []int{0, aes.BlockSize - 1} { // of the vector, and so of the text
			for by := range 256 {
				a := redeem(s, altered(document, 1, at, byte(by)))
				if said(a) != undecrypted {
					t.Fatalf("required %v, byte %d, %#x: %s", required, at, by, said(a))
				}
			}
		}
	}
}

// TestAlteredCiphertextsHaveOneAnswer changes the wrapped key, the nonce, and the
// beginning and the end of a ciphertext that hides a good assertion.
func TestAlteredCiphertextsHaveOneAnswer(t *testing.T) {
	s := encryptingServer(t, false, nextReader(), readerKey())
	document := string(encryptedResponse(sealedWith(aes256GCM)).document())
	if a := redeem(s, altered(document, 1, 0, 0)); said(a) != accepted {
		t.Fatalf("not altered: %s", said(a))
	}
	for at := range 66 {
		for i, change := range []string{
			altered(document, 0, at, 0x10),
			altered(document, 0, -1-at, 1),
			altered(document, 1, at, 0x10),
			altered(document, 1, -1-at, 1),
		} {
			if a := redeem(s, change); said(a) != undecrypted {
				t.Fatalf("byte %d of part %d: %s", at, i, said(a))
			}
		}
	}
}

// TestOnlyTheCallTellsWhatIsWrongWithAnEncryptedAssertion has responses that are
// refused before anything is decrypted, and one that is not. The answer is the
// same.
func TestOnlyTheCallTellsWhatIsWrongWithAnEncryptedAssertion(t *testing.T) {
	const (
		notOne    = "want exactly one Assertion or EncryptedAssertion, directly in the Response"
		notOpened = "the assertion cannot be decrypted"
	)
	tests := []struct {
		name  string
		place func(root, plain *etree.Element)
		cause string
	}{
		{"alone", func(_, _ *etree.Element) {}, notOpened},
		{"with a plain one", func(root, plain *etree.Element) { root.AddChild(plain) }, notOne},
		{"twice", func(root, _ *etree.Element) {
			root.AddChild(root.SelectElement("EncryptedAssertion").Copy())
		}, notOne},
		{"twice, once in Extensions", func(root, _ *etree.Element) {
			again := root.SelectElement("EncryptedAssertion").Copy()
			root.CreateElement("samlp:Extensions").AddChild(again)
		}, notOne},
		{"in Extensions", func(root, _ *etree.Element) {
			root.CreateElement("samlp:Extensions").
				AddChild(root.SelectElement("EncryptedAssertion"))
		}, notOne},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := encryptingServer(t, true, readerKey())
			a := post(s, form(nextTo(`<x/>`, aes256GCM, tt.place).encoded()))
			if cause := s.Calls()[0].Cause; said(a) != undecrypted || cause != tt.cause {
				t.Errorf("%s, cause %q", said(a), cause)
			}
		})
	}
}

// TestCBCIsNoOracle changes each byte of the first blocks and of the last ones.
// In CBC mode some changes still decrypt to XML, and nothing may tell which.
func TestCBCIsNoOracle(t *testing.T) {
	s := encryptingServer(t, false, readerKey())
	for i := range 6 * aes.BlockSize {
		for _, bit := range []byte{1, 0x80} {
			e := sealedWith(aes128CBC)
			e.cipher = func(sealed, _ []byte) {
				if i < 3*aes.BlockSize {
					sealed[i] ^= bit
				} else {
					sealed[len(sealed)-6*aes.BlockSize+i] ^= bit
				}
			}
			a := post(s, form(encryptedResponse(e).encoded()))
			// In the last two blocks a change may meet the padding, which is not of the assertion.
			harmless := i >= 4*aes.BlockSize && said(a) == accepted && a.Subject == "SamlExample"
			if said(a) != undecrypted && !harmless {
				t.Errorf("byte %d: %s", i, said(a))
			}
		}
	}
}

// TestResponseSignedAroundAnEncryptedAssertion is the one signature that is made
// after the encryption.
func TestResponseSignedAroundAnEncryptedAssertion(t *testing.T) {
	s := encryptingServer(t, true, readerKey())
	for name, want := range map[string]string{"good": accepted, "of another key": undecrypted} {
		r := encryptedResponse(sealedWith(aes256GCM))
		hide := r.after
		r.after = func(root *etree.Element) {
			hide(root)
			signer := *r
			if name != "good" {
				signer.signer = otherKey()
			}
			root.InsertChildAt(1, signer.signature(root))
		}
		if got := said(post(s, form(r.encoded()))); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestPutSAMLEncryptionRefuses(t *testing.T) {
	good := privatePEM(readerKey())
	pkcs1 := pem.EncodeToMemory(&pem.Block{
		Type:  "RSA PRIVATE KEY",
		Bytes: x509.MarshalPKCS1PrivateKey(readerKey()),
	})
	elliptic, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&readerKey().PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	keys := func(keys ...[]byte) ststest.SAMLEncryption {
		return ststest.SAMLEncryption{PrivateKeys: keys}
	}
	const invalid = "Invalid private key."
	padded := func(size int) []byte {
		return append(bytes.Clone(good), bytes.Repeat([]byte("\n"), size-len(good))...)
	}
	tests := []struct {
		name string
		arn  string
		e    ststest.SAMLEncryption
		want string // of the error; empty for none
	}{
		{"nothing", providerARN, ststest.SAMLEncryption{}, ""},
		{"a key", providerARN, keys(good), ""},
		{"PKCS #1", providerARN, keys(pkcs1), ""},
		{"16,384 characters", providerARN, keys(padded(16_384)), ""},
		{"16,385 characters", providerARN, keys(padded(16_385)), invalid},
		{"two keys", providerARN, keys(good, pkcs1), ""},
		{"three keys", providerARN, keys(good, good, good), "Private key limit of 2 is reached."},
		{"Required", providerARN,
			ststest.SAMLEncryption{PrivateKeys: [][]byte{good}, Required: true, UUID: providerUUID},
			""},
		{"Required without a key", providerARN,
			ststest.SAMLEncryption{Required: true, UUID: providerUUID},
			"Unable to set assertion encryption mode to Required because no private key is provided."},
		{"Required without a UUID", providerARN,
			ststest.SAMLEncryption{PrivateKeys: [][]byte{good}, Required: true}, "UUID"},
		{"a UUID of 21", providerARN, ststest.SAMLEncryption{UUID: strings.Repeat("A", 21)},
			"UUID"},
		{"a UUID of 64", providerARN, ststest.SAMLEncryption{UUID: strings.Repeat("A", 64)}, ""},
		{"a UUID of 65", providerARN, ststest.SAMLEncryption{UUID: strings.Repeat("A", 65)},
			"UUID"},
		{"a UUID in small letters", providerARN,
			ststest.SAMLEncryption{UUID: strings.ToLower(providerUUID)}, "UUID"},
		{"an unknown provider", strings.Replace(providerARN, "My", "Your", 1), keys(good),
			"call PutSAMLProvider first"},
		{"two keys in one", providerARN, keys(append(bytes.Clone(good), pkcs1...)), invalid},
		{"the public key", providerARN,
			keys(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), invalid},
		{"an encrypted key", providerARN,
			keys(pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("x")})),
			invalid},
		{"an elliptic key", providerARN, keys(privatePEM(elliptic)), invalid},
		{"1024 bits", providerARN, keys(privatePEM(newKey(1024).key)), invalid},
		{"broken", providerARN,
			keys(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")})), invalid},
		{"broken PKCS #1", providerARN,
			keys(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: []byte("x")})),
			invalid},
		{"no PEM", providerARN, keys(der), invalid},
		{"empty", providerARN, keys(nil), invalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := encryptingServer(t, false, nextReader())
			err := s.PutSAMLEncryption(tt.arn, tt.e)
			if tt.want == "" && err != nil ||
				tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Fatalf("error %v, want %q", err, tt.want)
			}
			if err != nil {
				e := sealedWith(aes256GCM)
				e.to = &nextReader().PublicKey
				if got := said(post(s, form(encryptedResponse(e).encoded()))); got != accepted {
					t.Errorf("the failed call changed the provider: %s", got)
				}
			}
		})
	}
}
