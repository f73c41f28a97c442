package ststest_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"

	"github.com/seed055b7978/delegation/ststest"
)

// TestMain gives the garbage collector less to do: collecting took a third of the time.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	os.Exit(m.Run())
}

const (
	account     = "123456789012"
	providerARN = "arn:aws:iam::123456789012:saml-provider/MySAMLIdP"
	roleARN     = "arn:aws:iam::123456789012:role/app/photo-user"
	issuer      = "https://example.com/saml"
	recipient   = "https://signin.aws.amazon.com/saml"
	persistent  = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
	attributeNS = "https://aws.amazon.com/SAML/Attributes/"
	trustAll    = `{"Version": "2012-10-17", "Statement": {"Effect": "Allow",
		"Principal": {"Federated": "arn:aws:iam::123456789012:saml-provider/MySAMLIdP"},
		"Action": ["sts:AssumeRoleWithSAML", "sts:TagSession", "sts:SetSourceIdentity"]}}`
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 600_000_000, time.UTC)

// A keyPair signs like an identity provider.
type keyPair struct {
	key  *rsa.PrivateKey
	cert []byte
}

func newKey(bits int) keyPair {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return keyPair{key, newCert(key.Public(), key)}
}

func newCert(public, signer any) []byte {
	// Long expired: AWS ignores the dates, so must the fake.
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "idp"},
		NotBefore:    epoch.AddDate(-9, 0, 0),
		NotAfter:     epoch.AddDate(-8, 0, 0),
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, public, signer)
	if err != nil {
		panic(err)
	}
	return cert
}

var (
	goodKey  = sync.OnceValue(func() keyPair { return newKey(2048) })
	otherKey = sync.OnceValue(func() keyPair { return newKey(2048) })
)

func metadataFor(entityID string, certs ...[]byte) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `<?xml version="1.0" encoding="UTF-8"?>
<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="%s" validUntil="2001-01-01T00:00:00Z">
  <md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">`,
		entityID)
	for _, cert := range certs {
		fmt.Fprintf(&b, `
    <md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data><ds:X509Certificate>
      %s
    </ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>`,
			base64.StdEncoding.EncodeToString(cert))
	}
	b.WriteString(`
    <md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://example.com/sso"/>
  </md:IDPSSODescriptor>
</md:EntityDescriptor>
`)
	return []byte(b.String())
}

type attr struct {
	name   string // after AWS's prefix, unless it is a URI
	values []string
}

// A response is a SAML response to be. good returns one that is accepted.
type response struct {
	issuer, recipient, audience       string
	nameID, format                    string
	issued, notBefore, end, confirmed time.Time // issue, NotBefore, both NotOnOrAfter
	sessionEnd                        time.Time
	attributes                        []attr
	signer                            keyPair
	method                            string // of the signature
	canonicalizer                     dsig.Canonicalizer
	before                            func(response *etree.Element) // changes before the signature
	after                             func(response *etree.Element) // and behind its back
	text                              func(document string) string  // and in the text
	encode                            func(document []byte) string  // default base64
}

func good() *response {
	return &response{
		issuer: issuer, recipient: recipient, audience: "urn:amazon:webservices",
		nameID: "SamlExample", format: persistent,
		issued: epoch, notBefore: epoch.Add(-time.Minute), end: epoch.Add(5 * time.Minute),
		confirmed: epoch.Add(5 * time.Minute),
		attributes: []attr{
			{"Role", []string{roleARN + "," + providerARN}},
			{"RoleSessionName", []string{"jane@example.com"}},
		},
		signer: goodKey(), method: dsig.RSASHA256SignatureMethod,
		canonicalizer: dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList(""),
	}
}

func (r *response) set(name string, values ...string) *response {
	for i := range r.attributes {
		if r.attributes[i].name == name {
			r.attributes[i].values = values
			return r
		}
	}
	r.attributes = append(r.attributes, attr{name, values})
	return r
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// document builds and signs the response.
func (r *response) document() []byte {
	doc := etree.NewDocument()
	doc.WriteSettings = etree.WriteSettings{
		CanonicalEndTags: true,
		CanonicalText:    true,
		CanonicalAttrVal: true,
	}
	root := doc.CreateElement("samlp:Response")
	attrs := func(el *etree.Element, pairs ...string) *etree.Element {
		for i := 0; i < len(pairs); i += 2 {
			el.CreateAttr(pairs[i], pairs[i+1])
		}
		return el
	}
	attrs(root, "xmlns:samlp", "urn:oasis:names:tc:SAML:2.0:protocol", "ID", "_r", "Version", "2.0",
		"IssueInstant", stamp(r.issued))
	attrs(root.CreateElement("saml:Issuer"), "xmlns:saml", "urn:oasis:names:tc:SAML:2.0:assertion").
		SetText(r.issuer)
	attrs(root.CreateElement("samlp:Status").CreateElement("samlp:StatusCode"), "Value",
		"urn:oasis:names:tc:SAML:2.0:status:Success")
	a := attrs(root.CreateElement("saml:Assertion"), "xmlns:saml",
		"urn:oasis:names:tc:SAML:2.0:assertion", "ID", "_a", "Version", "2.0", "IssueInstant",
		stamp(r.issued))
	a.CreateElement("saml:Issuer").SetText(r.issuer)
	subject := a.CreateElement("saml:Subject")
	nameID := subject.CreateElement("saml:NameID")
	if r.format != "" {
		attrs(nameID, "Format", r.format)
	}
	nameID.SetText(r.nameID)
	attrs(attrs(subject.CreateElement("saml:SubjectConfirmation"), "Method",
		"urn:oasis:names:tc:SAML:2.0:cm:bearer").
		CreateElement("saml:SubjectConfirmationData"), "Recipient", r.recipient, "NotOnOrAfter",
		stamp(r.confirmed))
	conditions := attrs(a.CreateElement("saml:Conditions"), "NotBefore", stamp(r.notBefore),
		"NotOnOrAfter", stamp(r.end))
	conditions.CreateElement("saml:AudienceRestriction").CreateElement("saml:Audience").
		SetText(r.audience)
	authn := attrs(a.CreateElement("saml:AuthnStatement"), "AuthnInstant", stamp(r.issued))
	if !r.sessionEnd.IsZero() {
		attrs(authn, "SessionNotOnOrAfter", stamp(r.sessionEnd))
	}
	statement := a.CreateElement("saml:AttributeStatement")
	for _, at := range r.attributes {
		name := at.name
		if !strings.HasPrefix(name, "urn:") && !strings.HasPrefix(name, "http") &&
			!strings.HasPrefix(name, "0.") {
			name = attributeNS + name
		}
		el := attrs(statement.CreateElement("saml:Attribute"), "Name", name)
		for _, v := range at.values {
			el.CreateElement("saml:AttributeValue").SetText(v)
		}
	}
	if r.before != nil {
		r.before(root)
	}
	if r.signer.key != nil {
		a.InsertChildAt(1, r.signature(a))
	}
	if r.after != nil {
		r.after(root)
	}
	b, err := doc.WriteToBytes()
	if err != nil {
		panic(err)
	}
	if r.text != nil {
		b = []byte(r.text(string(b)))
	}
	return b
}

// signature makes the Signature of an element with goxmldsig.
func (r *response) signature(el *etree.Element) *etree.Element {
	ctx, err := dsig.NewSigningContext(crypto.Signer(r.signer.key), [][]byte{r.signer.cert})
	if err != nil {
		panic(err)
	}
	ctx.Canonicalizer = r.canonicalizer
	if err := ctx.SetSignatureMethod(r.method); err != nil {
		panic(err)
	}
	sig, err := ctx.ConstructSignature(el, true)
	if err != nil {
		panic(err)
	}
	return sig
}

func (r *response) encoded() string {
	if r.encode != nil {
		return r.encode(r.document())
	}
	return base64.StdEncoding.EncodeToString(r.document())
}

// find returns the only element with the tag, whatever its prefix.
func find(root *etree.Element, tag string) *etree.Element {
	els := root.FindElements("//" + tag)
	if len(els) == 0 {
		panic("no " + tag)
	}
	return els[0]
}

// A counter is a random source that repeats itself in every run.
type counter struct{ n byte }

func (c *counter) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = c.n
		c.n++
	}
	return len(p), nil
}

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time  { c.mu.Lock(); defer c.mu.Unlock(); return c.now }
func (c *clock) Set(t time.Time) { c.mu.Lock(); defer c.mu.Unlock(); c.now = t }

// newServer returns a Server with one provider, one role and a fixed clock.
func newServer(t testing.TB, config ststest.Config) *ststest.Server {
	t.Helper()
	if config.Now == nil {
		config.Now = func() time.Time { return epoch }
	}
	s := ststest.New(config)
	mustPut(t, s, providerARN, metadataFor(issuer, goodKey().cert))
	mustRole(t, s,
		ststest.Role{ARN: roleARN, TrustPolicy: trustAll, MaxSessionDuration: 2 * time.Hour})
	return s
}

func mustPut(t testing.TB, s *ststest.Server, arn string, metadata []byte) {
	t.Helper()
	if err := s.PutSAMLProvider(arn, metadata); err != nil {
		t.Fatal(err)
	}
}

func mustRole(t testing.TB, s *ststest.Server, r ststest.Role) {
	t.Helper()
	if err := s.PutRole(r); err != nil {
		t.Fatal(err)
	}
}

// form returns the parameters of a good call.
func form(assertion string) url.Values {
	return url.Values{
		"Action": {"AssumeRoleWithSAML"}, "Version": {"2011-06-15"},
		"RoleArn": {roleARN}, "PrincipalArn": {providerARN}, "SAMLAssertion": {assertion},
	}
}

// An answer is what came over the wire.
type answer struct {
	status  int
	header  http.Header
	body    string
	Code    string `xml:"Error>Code"`
	Message string `xml:"Error>Message"`

	ARN        string `xml:"AssumeRoleWithSAMLResult>AssumedRoleUser>Arn"`
	RoleID     string `xml:"AssumeRoleWithSAMLResult>AssumedRoleUser>AssumedRoleId"`
	Key        string `xml:"AssumeRoleWithSAMLResult>Credentials>AccessKeyId"`
	Secret     string `xml:"AssumeRoleWithSAMLResult>Credentials>SecretAccessKey"`
	Expiration string `xml:"AssumeRoleWithSAMLResult>Credentials>Expiration"`
	Audience   string `xml:"AssumeRoleWithSAMLResult>Audience"`
	Subject    string `xml:"AssumeRoleWithSAMLResult>Subject"`
	Type       string `xml:"AssumeRoleWithSAMLResult>SubjectType"`
	Qualifier  string `xml:"AssumeRoleWithSAMLResult>NameQualifier"`
	Packed     string `xml:"AssumeRoleWithSAMLResult>PackedPolicySize"`
	Source     string `xml:"AssumeRoleWithSAMLResult>SourceIdentity"`
}

func post(h http.Handler, params url.Values) answer {
	r := httptest.NewRequest("POST", "http://127.0.0.1/", strings.NewReader(params.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	return do(h, r)
}

func do(h http.Handler, r *http.Request) answer {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	res := w.Result()
	body, _ := io.ReadAll(res.Body)
	a := answer{}
	if bytes.HasPrefix(body, []byte("<")) {
		if err := xml.Unmarshal(body, &a); err != nil {
			a.Message = "not XML: " + err.Error()
		}
	}
	a.status, a.header, a.body = res.StatusCode, res.Header, string(body)
	return a
}
