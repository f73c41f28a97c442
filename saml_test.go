package delegation_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/beevik/etree"
	"github.com/crewjam/saml"
	dsig "github.com/russellhaering/goxmldsig"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/samlattr"
	"github.com/seed055b7978/delegation/ststest"
)

var update = flag.Bool("update", false, "write the golden files of testdata/saml anew")

const (
	goldenResponse = "testdata/saml/response.xml"
	goldenMetadata = "testdata/saml/metadata.xml"
)

// testOnlyKey is the key of the golden files. It is public, so nobody may ever trust it; its PEM
// block is not called a private key, so that no program takes it for one.
func testOnlyKey(t testing.TB) delegation.SigningKey {
	t.Helper()
	certificate := must(os.ReadFile("testdata/saml/test-only.crt.pem"))
	key := bytes.ReplaceAll(must(os.ReadFile("testdata/saml/test-only.key.pem")),
		[]byte("TESTING KEY"), []byte("PRIVATE KEY"))
	return must(delegation.ParseSigningKey(certificate, key))
}

func goldenIdentity(t testing.TB) delegation.IdentityProvider {
	return delegation.IdentityProvider{
		EntityID: entityID,
		Keys:     []delegation.SigningKey{testOnlyKey(t)},
	}
}

// counter is a random source that counts.
type counter struct{ next byte }

func (c *counter) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = c.next
		c.next++
	}
	return len(p), nil
}

// oddTexts are texts that careless XML alters on the way.
var oddTexts = []struct {
	name, text string
	tag        bool // AWS takes it as the value of a session tag
}{
	{"plain", "press", true},
	{"empty", "", true},
	{"CR", "a\rb", false},
	{"LF", "a\nb", false},
	{"CR LF", "a\r\nb", false},
	{"tab", "a\tb", false},
	{"only CR", "\r", false},
	{"blanks around", "  a  b  ", true},
	{"line ends around", "\r\n\ta\t\r\n", false},
	{"end of CDATA", "a]]>b", false},
	{"CDATA", "<![CDATA[a]]>", false},
	{"comment", "admin<!-- -->istrator", false},
	{"processing instruction", "<?a b?>", false},
	{"markup", "</saml:AttributeValue><saml:AttributeValue>admin", false},
	{"entity", "&amp;&lt;&#13;", false},
	{"quotes", `"'` + "`", false},
	{"line separator", "a\u2028b\u2029c", true},
	{"next line", "a\u0085b", false},
	{"DEL and other controls of ISO 6429", "\x7f\u0080\u009f", false},
	{"no-break space", "\u00a0a\u3000", true},
	{"emoji", "😀👩\u200d👩\u200d👧", false},
	{"astral letters", "𝕬𠀋", true},
	{"last code point", "\U0010FFFF\U0001FFFE", false},
	{"right to left", "שלום עולם", true},
	{"overriding direction", "a\u202Eb", false},
	{"combining", "e\u0301 and é", false},
	{"byte order mark", "\uFEFFa", false},
}

// badTexts are texts that XML cannot carry, or that a decoder has altered already.
var badTexts = []struct{ name, text string }{
	{"NUL", "a\x00b"},
	{"control character", "a\x01"},
	{"backspace", "\x08"},
	{"vertical tab", "a\x0bb"},
	{"form feed", "a\x0cb"},
	{"shift out", "\x0e"},
	{"escape", "\x1b[2J"},
	{"unit separator", "\x1f"},
	{"invalid UTF-8", "a\xff"},
	{"cut off", "a\xe2\x82"},
	{"overlong NUL", "\xc0\x80"},
	{"Latin-1", "Jos\xe9"},
	{"lone surrogate", "\xed\xa0\x80"},
	{"surrogate pair in CESU-8", "\xed\xa0\xbd\xed\xb8\x80"},
	{"above U+10FFFF", "\xf4\x90\x80\x80"},
	{"U+FFFE", "\uFFFE"},
	{"U+FFFF", "a\uFFFF"},
	{"replacement character", "a\uFFFDb"},
}

// goldenWorld is a world whose response is always the same, with every part that a response can
// have.
func goldenWorld(t testing.TB) *world {
	w := newWorld(t)
	w.config.IdentityProvider = goldenIdentity(t)
	w.config.Rand = &counter{}
	w.config.CapSessionToToken = true
	w.target(func(target *delegation.Target) {
		target.Mappings = delegation.Mappings{
			samlattr.Mail:                 "email",
			samlattr.EduPersonAffiliation: "groups",
			samlattr.CN:                   "odd",
		}
		target.Tags = map[string]string{"team": "press", "cost-center": "", "Büro": "שלום 1"}
		target.TransitiveTagKeys = []string{"team", "Büro"}
		target.SourceIdentity = "alice"
	})
	return w
}

// golden returns the XML of the golden world's response.
func golden(t testing.TB) []byte {
	t.Helper()
	var odd []string
	for _, o := range oddTexts {
		odd = append(odd, o.text)
	}
	w := goldenWorld(t)
	_, err := w.exchange(t, map[string]any{
		"email": "alice@example.com", "email_verified": true, "groups": []string{"staff", "press"},
		"odd": odd,
	})
	if err != nil {
		t.Fatal(err)
	}
	return xmlOf(w.last())
}

// xmlOf returns the XML that was sent to STS.
func xmlOf(in *sts.AssumeRoleWithSAMLInput) []byte {
	return must(base64.StdEncoding.DecodeString(*in.SAMLAssertion))
}

// verified returns what goxmldsig reads of a response's assertion, after it has verified it with
// the certificate.
func verified(t testing.TB, response []byte, certificate *x509.Certificate) *etree.Element {
	t.Helper()
	assertion, err := validate(response, certificate)
	if err != nil {
		t.Fatalf("goxmldsig: %v\n%s", err, response)
	}
	return assertion
}

func validate(response []byte, certificate *x509.Certificate) (*etree.Element, error) {
	document := etree.NewDocument()
	if err := document.ReadFromBytes(response); err != nil {
		return nil, err
	}
	validation := dsig.NewDefaultValidationContext(&dsig.MemoryX509CertificateStore{
		Roots: []*x509.Certificate{certificate},
	})
	validation.Clock = dsig.NewFakeClockAt(start)
	return validation.Validate(document.FindElement("/samlp:Response/saml:Assertion"))
}

func compareGolden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want := must(os.ReadFile(file)); !bytes.Equal(got, want) {
		at := 0
		for at < min(len(got), len(want)) && got[at] == want[at] {
			at++
		}
		t.Errorf(
			"%s: %d bytes instead of %d, different from byte %d on:\n got …%.200q\nwant …%.200q",
			file, len(got), len(want), at, got[at:], want[at:])
	}
}

func TestResponse_Golden(t *testing.T) { compareGolden(t, goldenResponse, golden(t)) }

func TestMetadata_Golden(t *testing.T) {
	compareGolden(t, goldenMetadata, must(goldenIdentity(t).Metadata()))
}

func TestResponse_Structure(t *testing.T) {
	w := newWorld(t)
	w.target(func(target *delegation.Target) {
		target.Mappings = delegation.Mappings{samlattr.Mail: "email", samlattr.CN: "name"}
		target.Tags = map[string]string{"team": "press", "Project": "x"}
		target.TransitiveTagKeys = []string{"team", "Project"}
		target.SourceIdentity = "alice"
		target.SessionDuration = 30 * time.Minute
	})
	_, err := w.exchange(t,
		map[string]any{"email": "alice@example.com", "email_verified": true, "name": "Alice"})
	if err != nil {
		t.Fatal(err)
	}
	raw, document := string(xmlOf(w.last())), responseOf(w.last())
	find := func(path string) *etree.Element {
		e := document.FindElement(path)
		if e == nil {
			t.Fatalf("there is no %s in\n%s", path, raw)
		}
		return e
	}
	text := func(path string) string { return find(path).Text() }
	attr := func(path, name string) string { return find(path).SelectAttrValue(name, "absent") }
	children := func(path string) string {
		var names []string
		for _, e := range find(path).ChildElements() {
			names = append(names, e.FullTag())
		}
		return strings.Join(names, " ")
	}
	const (
		response  = "/samlp:Response"
		assertion = response + "/saml:Assertion"
		signature = assertion + "/ds:Signature"
		reference = signature + "/ds:SignedInfo/ds:Reference"
		confirmed = assertion + "/saml:Subject/saml:SubjectConfirmation"
		authn     = assertion + "/saml:AuthnStatement"
		signInURL = "https://eu-central-1.signin.aws.amazon.com/saml"
		exclusive = "http://www.w3.org/2001/10/xml-exc-c14n#"
		issued    = "2026-11-23T08:59:00Z" // a minute ago
		end       = "2026-11-23T09:04:00Z"
	)
	facts := []struct{ name, got, want string }{
		{"order in the Response", children(response), "saml:Issuer samlp:Status saml:Assertion"},
		{"Signature right after the Assertion's Issuer", children(assertion),
			"saml:Issuer ds:Signature saml:Subject saml:Conditions saml:AuthnStatement " +
				"saml:AttributeStatement"},
		{"one Signature", fmt.Sprint(len(document.FindElements("//ds:Signature"))), "1"},
		{"one Assertion", fmt.Sprint(len(document.FindElements("//saml:Assertion"))), "1"},
		{"canonicalization",
			attr(signature+"/ds:SignedInfo/ds:CanonicalizationMethod", "Algorithm"), exclusive},
		{"signature method", attr(signature+"/ds:SignedInfo/ds:SignatureMethod", "Algorithm"),
			"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"},
		{"digest method", attr(reference+"/ds:DigestMethod", "Algorithm"),
			"http://www.w3.org/2001/04/xmlenc#sha256"},
		{"transforms", children(reference + "/ds:Transforms"), "ds:Transform ds:Transform"},
		{"first transform", attr(reference+"/ds:Transforms/ds:Transform[1]", "Algorithm"),
			"http://www.w3.org/2000/09/xmldsig#enveloped-signature"},
		{"second transform",
			attr(reference+"/ds:Transforms/ds:Transform[2]", "Algorithm"), exclusive},
		{"Reference to the Assertion", attr(reference, "URI"), "#" + attr(assertion, "ID")},
		{"certificate", text(signature + "/ds:KeyInfo/ds:X509Data/ds:X509Certificate"),
			base64.StdEncoding.EncodeToString(signingKey().Certificate.Raw)},
		{"Response Version", attr(response, "Version"), "2.0"},
		{"Assertion Version", attr(assertion, "Version"), "2.0"},
		{"Response IssueInstant", attr(response, "IssueInstant"), issued},
		{"Assertion IssueInstant", attr(assertion, "IssueInstant"), issued},
		{"Response Issuer", text(response + "/saml:Issuer"), entityID},
		{"Assertion Issuer", text(assertion + "/saml:Issuer"), entityID},
		{"Destination", attr(response, "Destination"), signInURL},
		{"Status", attr(response+"/samlp:Status/samlp:StatusCode", "Value"),
			"urn:oasis:names:tc:SAML:2.0:status:Success"},
		{"no InResponseTo", fmt.Sprint(strings.Contains(raw, "InResponseTo")), "false"},
		{"no type or schema prefix",
			fmt.Sprint(regexp.MustCompile(`xsi|xmlns:xs|xs:|XMLSchema`).MatchString(raw)), "false"},
		{"one Subject confirmation", children(assertion + "/saml:Subject"),
			"saml:NameID saml:SubjectConfirmation"},
		{"NameID", text(assertion + "/saml:Subject/saml:NameID"), alice},
		{"NameID Format", attr(assertion+"/saml:Subject/saml:NameID", "Format"),
			"urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"},
		{"bearer", attr(confirmed, "Method"), "urn:oasis:names:tc:SAML:2.0:cm:bearer"},
		{"Recipient", attr(confirmed+"/saml:SubjectConfirmationData", "Recipient"), signInURL},
		{"confirmation NotOnOrAfter",
			attr(confirmed+"/saml:SubjectConfirmationData", "NotOnOrAfter"), end},
		// SAML Profiles §4.1.4.2
		{"confirmation has no NotBefore",
			attr(confirmed+"/saml:SubjectConfirmationData", "NotBefore"), "absent"},
		{"NotBefore in the past", attr(assertion+"/saml:Conditions", "NotBefore"), issued},
		{"Conditions NotOnOrAfter", attr(assertion+"/saml:Conditions", "NotOnOrAfter"), end},
		{"one condition", children(assertion + "/saml:Conditions"), "saml:AudienceRestriction"},
		{"Audience", text(assertion + "/saml:Conditions/saml:AudienceRestriction/saml:Audience"),
			"urn:amazon:webservices"},
		{"AuthnInstant", attr(authn, "AuthnInstant"), issued},
		{"SessionIndex", attr(authn, "SessionIndex"), attr(assertion, "ID")},
		{"no SessionNotOnOrAfter", attr(authn, "SessionNotOnOrAfter"), "absent"},
		{"AuthnContextClassRef", text(authn + "/saml:AuthnContext/saml:AuthnContextClassRef"),
			"urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified"},
	}
	for _, fact := range facts {
		t.Run(fact.name, func(t *testing.T) {
			if fact.got != fact.want {
				t.Errorf("got %q, want %q", fact.got, fact.want)
			}
		})
	}
	t.Run("IDs", func(t *testing.T) {
		// 160 bits, and an xs:ID starts with no digit
		form := regexp.MustCompile(`\A_[0-9a-f]{40}\z`)
		a, b := attr(response, "ID"), attr(assertion, "ID")
		if !form.MatchString(a) || !form.MatchString(b) || a == b {
			t.Errorf("got %q and %q", a, b)
		}
		if event := w.events[0]; event.AssertionID != b {
			t.Errorf("the event names %q", event.AssertionID)
		}
	})
	t.Run("attributes in order", func(t *testing.T) {
		want := []string{
			delegation.AttributeRole + "=" + role + "," + principal,
			delegation.AttributeRoleSessionName + "=alice@example.com",
			delegation.AttributeSessionDuration + "=1800",
			samlattr.Mail + "=alice@example.com",
			samlattr.CN + "=Alice",
			delegation.AttributePrincipalTag + "Project=x",
			delegation.AttributePrincipalTag + "team=press",
			delegation.AttributeTransitiveTagKeys + "=team Project",
			delegation.AttributeSourceIdentity + "=alice",
		}
		var got []string
		for _, a := range find(assertion + "/saml:AttributeStatement").ChildElements() {
			format := a.SelectAttrValue("NameFormat", "")
			if format != "urn:oasis:names:tc:SAML:2.0:attrname-format:uri" {
				t.Errorf("NameFormat %q", format)
			}
			var values []string
			for _, v := range a.ChildElements() {
				if len(v.Attr) > 0 {
					t.Errorf("the value %q has attributes %v", v.Text(), v.Attr)
				}
				values = append(values, v.Text())
			}
			got = append(got, a.SelectAttrValue("Name", "")+"="+strings.Join(values, " "))
		}
		if !slices.Equal(got, want) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
	t.Run("standard base64", func(t *testing.T) {
		sent := *w.last().SAMLAssertion
		if sent != base64.StdEncoding.EncodeToString([]byte(raw)) || len(sent)%4 != 0 {
			t.Error("the response is not padded base64 without line ends")
		}
	})
}

func TestResponse_InstantsAreUTCInMilliseconds(t *testing.T) {
	w := newWorld(t)
	w.clock.Set(start.Add(123_999_999 * time.Nanosecond).In(time.FixedZone("", 5*3600)))
	if _, err := w.exchange(t, nil); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range regexp.MustCompile(`(\w+)="(\d{4}-[^"]*)"`).
		FindAllStringSubmatch(string(xmlOf(w.last())), -1) {
		got = append(got, m[1]+" "+m[2])
	}
	// cut off rather than rounded: an instant ahead of the receiver's clock may be refused
	want := []string{
		"IssueInstant 2026-11-23T08:59:00.123Z", "IssueInstant 2026-11-23T08:59:00.123Z",
		"NotOnOrAfter 2026-11-23T09:04:00.123Z",
		"NotBefore 2026-11-23T08:59:00.123Z", "NotOnOrAfter 2026-11-23T09:04:00.123Z",
		"AuthnInstant 2026-11-23T08:59:00.123Z",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestResponse_SessionEndsWithTheToken(t *testing.T) {
	t.Run("its SessionNotOnOrAfter is the token's exp, without fractions", func(t *testing.T) {
		w := newWorld(t)
		w.config.CapSessionToToken = true
		end := start.Add(20*time.Minute + 750*time.Millisecond)
		_, err := w.exchange(t, map[string]any{"exp": float64(end.UnixMilli()) / 1000})
		if err != nil {
			t.Fatal(err)
		}
		got := responseOf(w.last()).FindElement("//saml:AuthnStatement").
			SelectAttrValue("SessionNotOnOrAfter", "absent")
		if want := "2026-11-23T09:20:00Z"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
	t.Run("in UTC, wherever the service runs", func(t *testing.T) {
		end := start.Add(20 * time.Minute).In(time.FixedZone("", -5*3600))
		target := delegation.Target{AWS: delegation.AWS{
			Principal: principal,
			Role:      role,
			Region:    "eu-central-1",
		}}
		encoded := must(must(delegation.Responder(identity(), target, alice, end))(t.Context(),
			start, rand.Reader))
		want := ` SessionNotOnOrAfter="2026-11-23T09:20:00Z"`
		if !bytes.Contains(must(base64.StdEncoding.DecodeString(encoded)), []byte(want)) {
			t.Errorf("the response has no%s", want)
		}
	})
	t.Run("the credentials end with the token", func(t *testing.T) {
		w, _ := strictWorld(t)
		w.config.CapSessionToToken = true
		end := start.Add(20 * time.Minute)
		credentials, err := w.exchange(t, map[string]any{"exp": end.Unix()})
		if err != nil {
			t.Fatal(err)
		}
		if !credentials.Expiration.Equal(end) {
			t.Errorf("the credentials expire %s, the token %s", credentials.Expiration, end)
		}
	})
	t.Run("without the option the credentials live on", func(t *testing.T) {
		w, _ := strictWorld(t)
		credentials, err := w.exchange(t, map[string]any{"exp": start.Add(20 * time.Minute).Unix()})
		if err != nil {
			t.Fatal(err)
		}
		if want := start.Add(time.Hour); !credentials.Expiration.Equal(want) {
			t.Errorf("the credentials expire %s, want %s", credentials.Expiration, want)
		}
	})
}

func TestResponse_IDsAreUnique(t *testing.T) {
	t.Parallel()
	const responses = 1_000
	quick := must(rsa.GenerateKey(rand.Reader, 1024)) // New would refuse it, and is not asked
	own := delegation.IdentityProvider{
		EntityID: entityID,
		Keys:     []delegation.SigningKey{{Signer: quick, Certificate: selfSigned(quick)}},
	}
	respond := must(delegation.Responder(own,
		delegation.Target{AWS: delegation.AWS{
			Principal: principal,
			Role:      role,
			Region:    "eu-central-1",
		}}, alice, time.Time{}))
	ids := regexp.MustCompile(` ID="([^"]*)"`)
	var mu sync.Mutex
	var workers sync.WaitGroup
	seen := make(map[string]bool, 2*responses)
	todo := make(chan struct{}, responses)
	for range responses {
		todo <- struct{}{}
	}
	close(todo)
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for range todo {
				encoded, err := respond(t.Context(), start, rand.Reader)
				if err != nil {
					t.Error(err)
					return
				}
				found := ids.FindAllStringSubmatch(
					string(must(base64.StdEncoding.DecodeString(encoded))), -1)
				mu.Lock()
				for _, id := range found {
					seen[id[1]] = true
				}
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	if len(seen) != 2*responses {
		t.Errorf("%d different IDs in %d responses, want two in each", len(seen), responses)
	}

	w := newWorld(t) // without a random source of its own
	for range 2 {
		if _, err := w.exchange(t, nil); err != nil {
			t.Fatal(err)
		}
	}
	if w.events[0].AssertionID == w.events[1].AssertionID {
		t.Error("two exchanges have the same assertion ID")
	}
}

// TestResponse_IDsAreAllOfTheRandomNumbers: every random bit that is drawn shows up in an ID, none
// is spent on anything else.
func TestResponse_IDsAreAllOfTheRandomNumbers(t *testing.T) {
	document := etree.NewDocument()
	if err := document.ReadFromBytes(golden(t)); err != nil {
		t.Fatal(err)
	}
	got := document.Root().SelectAttrValue("ID", "")
	if got != "_000102030405060708090a0b0c0d0e0f10111213" {
		t.Errorf("the Response has the ID %s", got)
	}
	got = document.FindElement("//saml:Assertion").SelectAttrValue("ID", "")
	if got != "_1415161718191a1b1c1d1e1f2021222324252627" {
		t.Errorf("the Assertion has the ID %s", got)
	}
}

func TestResponse_RandomSourceFails(t *testing.T) {
	broken := errors.New("no entropy")
	tests := []struct {
		name   string
		random io.Reader
		cause  error
	}{
		{"at once", iotest.ErrReader(broken), broken},
		{"halfway",
			io.MultiReader(bytes.NewReader(make([]byte, 39)), iotest.ErrReader(broken)), broken},
		{"it ends", bytes.NewReader(make([]byte, 39)), io.ErrUnexpectedEOF},
		{"it is empty", bytes.NewReader(nil), io.EOF},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.config.Rand = tt.random
			_, err := w.exchange(t, nil)
			wantError(t, err, delegation.StageSAML, delegation.CodeSigningFailed)
			if !errors.Is(err, tt.cause) {
				t.Errorf("got %v, want the cause %v", err, tt.cause)
			}
			w.wantNothingSent(t)
		})
	}
}

func (w *world) wantNothingSent(t testing.TB) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.sent) > 0 {
		t.Error("STS was asked all the same")
	}
}

// textWorld is a world whose attribute cn is a text given with the request, see withText.
func textWorld(t testing.TB) *world {
	w := newWorld(t)
	w.carryText()
	return w
}

func (w *world) carryText() {
	w.target(func(target *delegation.Target) {
		target.Mappings = delegation.Mappings{samlattr.CN: "text"}
	})
	w.config.Rules = []delegation.RuleFunc{func(
		_ context.Context, user *delegation.User, rc *delegation.RuleContext,
	) error {
		user.Set("text", rc.Request.Parameters["text"])
		return nil
	}}
}

func withText(text any) delegation.ExchangeOption {
	return delegation.WithRequest(delegation.Request{Parameters: map[string]any{"text": text}})
}

// trustIf is a trust policy that trusts the provider under a condition.
func trustIf(condition map[string]map[string]string) string {
	return string(must(json.Marshal(map[string]any{
		"Version": "2012-10-17", "Statement": []any{map[string]any{
			"Effect": "Allow", "Principal": map[string]string{"Federated": principal},
			"Action":    []string{"sts:AssumeRoleWithSAML", "sts:TagSession"},
			"Condition": condition,
		}},
	})))
}

func TestText_SurvivesVerification(t *testing.T) {
	t.Parallel()
	for _, odd := range oddTexts {
		t.Run(odd.name, func(t *testing.T) {
			anyValue := "ForAnyValue:StringEquals"
			if odd.text == "" { // counts as no value, which only ForAllValues lets pass
				anyValue = "ForAllValues:StringEquals"
			}
			// Where the text may stand: an attribute's value always, a NameID without wildcards and
			// blanks around it, a tag where AWS takes it.
			nameID := "a" + strings.ReplaceAll(odd.text, "?", "") + "z"
			place := func(w *world) {
				w.carryText()
				w.target(func(target *delegation.Target) {
					target.NameID = nameID
					if odd.tag {
						target.Tags = map[string]string{"odd": odd.text}
					}
				})
			}
			t.Run("goxmldsig", func(t *testing.T) {
				w := newWorld(t)
				place(w)
				_, err := w.delegator(t).Exchange(t.Context(), w.token(nil), app,
					withText(odd.text))
				if err != nil {
					t.Fatal(err)
				}
				assertion := verified(t, xmlOf(w.last()), signingKey().Certificate)
				if got := assertion.FindElement("./Subject/NameID").Text(); got != nameID {
					t.Errorf("NameID %q, want %q", got, nameID)
				}
				got := map[string]string{}
				for _, a := range assertion.FindElements("./AttributeStatement/Attribute") {
					got[a.SelectAttrValue("Name", "")] = a.SelectElement("AttributeValue").Text()
				}
				if got[samlattr.CN] != odd.text {
					t.Errorf("attribute %q, want %q", got[samlattr.CN], odd.text)
				}
				tag, set := got[delegation.AttributePrincipalTag+"odd"]
				if tag != odd.text && odd.tag || set != odd.tag {
					t.Errorf("tag %q, want %q", tag, odd.text)
				}
			})
			t.Run("ststest", func(t *testing.T) {
				w, fake := strictWorld(t)
				place(w)
				if err := fake.PutRole(ststest.Role{
					ARN: role,
					TrustPolicy: trustIf(map[string]map[string]string{
						anyValue:       {"saml:cn": odd.text},
						"StringEquals": {"saml:sub": nameID},
					}),
				}); err != nil {
					t.Fatal(err)
				}
				d := w.delegator(t)
				credentials, err := d.Exchange(t.Context(), w.token(nil), app, withText(odd.text))
				if err != nil {
					t.Fatal(err)
				}
				if credentials.Subject != nameID {
					t.Errorf("AWS's subject is %q, want %q", credentials.Subject, nameID)
				}
				call := fake.Calls()[0]
				if call.Subject != nameID || call.PrincipalTags["odd"] != odd.text && odd.tag {
					t.Errorf("STS saw the subject %q and the tags %q", call.Subject,
						call.PrincipalTags)
				}
				_, err = d.Exchange(t.Context(), w.token(nil), app, withText(odd.text+"."))
				// so the condition above did compare
				wantError(t, err, delegation.StageSTS, delegation.CodeSTSAccessDenied)
			})
		})
	}
}

// TestText_OddAddresses: names, recipients, audiences and entity IDs stand in XML attributes and
// elements too.
func TestText_OddAddresses(t *testing.T) {
	const (
		name      = `urn:a"b'c<d>&amp;` + "\u2028\u0085😀"
		recipient = "https://sp.example.com/?a=\"1\"&b=<2>\t\r\n\u2028"
		audience  = "urn:a&b<c>\r\n\td]]>"
		issuer    = "urn:tenant&<\"'>\t\r\n\u2028]]>😀"
	)
	w := newWorld(t)
	w.config.IdentityProvider.EntityID = issuer
	w.target(func(target *delegation.Target) {
		target.Mappings = delegation.Mappings{name: "sub"}
		target.SAMLRecipient, target.SAMLAudience = recipient, audience
	})
	if _, err := w.exchange(t, nil); err != nil {
		t.Fatal(err)
	}
	assertion := verified(t, xmlOf(w.last()), signingKey().Certificate)
	facts := []struct{ name, got, want string }{
		{"attribute name",
			assertion.FindElement("./AttributeStatement/Attribute[4]").SelectAttrValue("Name", ""),
			name},
		{"Recipient",
			assertion.FindElement("//SubjectConfirmationData").SelectAttrValue("Recipient", ""),
			recipient},
		{"Destination", responseOf(w.last()).Root().SelectAttrValue("Destination", ""), recipient},
		{"Audience", assertion.FindElement("//Audience").Text(), audience},
		{"Issuer", assertion.FindElement("./Issuer").Text(), issuer},
	}
	for _, fact := range facts {
		if fact.got != fact.want {
			t.Errorf("%s: got %q, want %q", fact.name, fact.got, fact.want)
		}
	}

	strict, fake := strictWorld(t)
	strict.config.IdentityProvider.EntityID = issuer
	strict.target(func(target *delegation.Target) { target.SAMLRecipient = recipient })
	if err := errors.Join(
		fake.PutSAMLProvider(principal, must(strict.config.IdentityProvider.Metadata())),
		fake.PutRole(ststest.Role{
			ARN: role,
			TrustPolicy: trustIf(map[string]map[string]string{"StringEquals": {
				"saml:aud": recipient, "saml:iss": issuer,
			}}),
		}),
	); err != nil {
		t.Fatal(err)
	}
	credentials, err := strict.exchange(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	if credentials.Audience != recipient || credentials.Issuer != issuer {
		t.Errorf("AWS's audience is %q, its issuer %q", credentials.Audience, credentials.Issuer)
	}
}

func TestText_Refused(t *testing.T) {
	t.Parallel()
	places := []struct {
		name  string
		stage delegation.Stage
		code  delegation.Code
		place func(w *world, text string)
	}{
		{"attribute value", delegation.StageSAML, delegation.CodeTextInvalid,
			func(w *world, text string) {
				w.config.Rules = []delegation.RuleFunc{func(
					_ context.Context, user *delegation.User, rc *delegation.RuleContext,
				) error {
					user.Set("text", text)
					rc.AWS.Mappings = delegation.Mappings{samlattr.CN: "text"}
					return nil
				}}
			}},
		{"last of several values", delegation.StageSAML, delegation.CodeTextInvalid,
			func(w *world, text string) {
				w.config.Rules = []delegation.RuleFunc{func(
					_ context.Context, user *delegation.User, rc *delegation.RuleContext,
				) error {
					user.Set("text", []any{"good", text})
					rc.AWS.Mappings = delegation.Mappings{samlattr.CN: "text"}
					return nil
				}}
			}},
		{"attribute name", delegation.StageSAML, delegation.CodeTextInvalid,
			func(w *world, text string) {
				w.target(func(target *delegation.Target) {
					target.Mappings = delegation.Mappings{"urn:a" + text: "sub"}
				})
			}},
		{"NameID", delegation.StageSAML, delegation.CodeTextInvalid, func(w *world, text string) {
			w.target(func(target *delegation.Target) { target.NameID = text })
		}},
		{"recipient", delegation.StageSAML, delegation.CodeTextInvalid,
			func(w *world, text string) {
				w.target(func(target *delegation.Target) { target.SAMLRecipient = text })
			}},
		{"audience", delegation.StageSAML, delegation.CodeTextInvalid, func(w *world, text string) {
			w.target(func(target *delegation.Target) { target.SAMLAudience = text })
		}},
		{"tag key", delegation.StageDecision, delegation.CodeTagsInvalid,
			func(w *world, text string) {
				w.target(func(target *delegation.Target) {
					target.Tags = map[string]string{"a" + text: "value"}
				})
			}},
		{"tag value", delegation.StageDecision, delegation.CodeTagsInvalid,
			func(w *world, text string) {
				w.target(func(target *delegation.Target) {
					target.Tags = map[string]string{"key": text}
				})
			}},
		{"source identity", delegation.StageDecision, delegation.CodeSourceIDInvalid,
			func(w *world, text string) {
				w.target(func(target *delegation.Target) { target.SourceIdentity = "a" + text })
			}},
	}
	for _, p := range places {
		for _, bad := range badTexts {
			t.Run(p.name+"/"+bad.name, func(t *testing.T) {
				w := newWorld(t)
				p.place(w, bad.text)
				_, err := w.exchange(t, nil)
				wantError(t, err, p.stage, p.code)
				w.wantNothingSent(t)
			})
		}
	}
}

func TestText_AttributeNames(t *testing.T) {
	for _, name := range []string{"", " ", "\u2003", "\t", "urn:a\tb", "urn:a\rb", "urn:a\n"} {
		t.Run(fmt.Sprintf("%q", name), func(t *testing.T) {
			w := newWorld(t)
			w.target(func(target *delegation.Target) {
				target.Mappings = delegation.Mappings{name: "sub"}
			})
			_, err := w.exchange(t, nil)
			wantError(t, err, delegation.StageSAML, delegation.CodeTextInvalid)
			w.wantNothingSent(t)
		})
	}
}

// TestText_TwoUsersNeverLookAlike: JSON can name surrogates that no text can hold. A decoder makes
// U+FFFD of each, and that is a text which XML can carry, so neither may come so far.
func TestText_TwoUsersNeverLookAlike(t *testing.T) {
	for sub, want := range map[string]struct {
		stage delegation.Stage
		code  delegation.Code
	}{
		`auth0|\ud800`: {delegation.StageToken, delegation.CodeTokenSurrogate},
		`auth0|\udfff`: {delegation.StageToken, delegation.CodeTokenSurrogate},
		`auth0|\ufffd`: {delegation.StageSAML, delegation.CodeTextInvalid},
	} {
		w := newWorld(t)
		token := must(w.provider.Sign(nil,
			fmt.Appendf(nil, `{"iss":%q,"aud":%q,"iat":%d,"exp":%d,"sub":"%s"}`,
				w.url, app, start.Unix(), start.Add(time.Hour).Unix(), sub)))
		_, err := w.delegator(t).Exchange(t.Context(), token, app)
		wantError(t, err, want.stage, want.code)
		w.wantNothingSent(t)
	}
}

// FuzzText: any text in an attribute's value is refused, or comes out of the verified XML exactly
// as it went in.
func FuzzText(f *testing.F) {
	for _, odd := range oddTexts {
		f.Add(odd.text)
	}
	for _, bad := range badTexts {
		f.Add(bad.text)
	}
	w := textWorld(f)
	d, token := w.delegator(f), w.token(nil)
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 10_000 {
			t.Skip("the size has its own test")
		}
		_, err := d.Exchange(t.Context(), token, app, withText(text))
		if err != nil {
			wantError(t, err, delegation.StageSAML, delegation.CodeTextInvalid)
			strange := func(r rune) bool {
				return unicode.IsControl(r) || r >= 0xFFFD && r <= 0xFFFF
			}
			if utf8.ValidString(text) && !strings.ContainsFunc(text, strange) {
				t.Errorf("%q was refused: %v", text, err)
			}
			return
		}
		document := xmlOf(w.last())
		var read struct {
			Attributes []struct {
				Name   string   `xml:",attr"`
				Values []string `xml:"AttributeValue"`
			} `xml:"Assertion>AttributeStatement>Attribute"`
		}
		if err := xml.Unmarshal(document, &read); err != nil {
			t.Fatal(err)
		}
		a := read.Attributes[len(read.Attributes)-1]
		if a.Name != samlattr.CN || len(a.Values) != 1 || a.Values[0] != text {
			t.Errorf("encoding/xml reads %q as %q", text, a)
		}
		assertion := verified(t, document, signingKey().Certificate)
		got := assertion.FindElement("./AttributeStatement/Attribute[4]/AttributeValue").Text()
		if got != text {
			t.Errorf("goxmldsig reads %q as %q", text, got)
		}
	})
}

func TestResponse_Size(t *testing.T) {
	const limit = 100_000
	w := textWorld(t)
	d, token := w.delegator(t), w.token(nil)
	exchange := func(n int) error {
		_, err := d.Exchange(t.Context(), token, app, withText(strings.Repeat("x", n)))
		return err
	}
	if err := exchange(1); err != nil {
		t.Fatal(err)
	}
	rest := limit/4*3 - len(xmlOf(w.last())) + 1 // of base64's limit, what the text may have
	if err := exchange(rest); err != nil {
		t.Fatalf("at the limit: %v", err)
	}
	if n := len(*w.last().SAMLAssertion); n != limit {
		t.Fatalf("the response has %d characters, this test wants %d", n, limit)
	}
	sent := len(w.sent)
	wantError(t, exchange(rest+1), delegation.StageSAML, delegation.CodeResponseTooLarge)
	if len(w.sent) != sent {
		t.Error("STS was asked all the same")
	}
}

// signer is a crypto.Signer of one function, with the public key of signingKey: like that of an HSM
// or KMS its private key is out of sight.
type signer func(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error)

func (signer) Public() crypto.PublicKey { return signingKey().Signer.Public() }

func (s signer) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return s(random, digest, opts)
}

func (w *world) signWith(s crypto.Signer) { w.config.IdentityProvider.Keys[0].Signer = s }

func TestSigner_Opaque(t *testing.T) {
	w, fake := strictWorld(t)
	asked := 0
	w.signWith(signer(func(
		random io.Reader, digest []byte, opts crypto.SignerOpts,
	) ([]byte, error) {
		asked++
		if random == nil || len(digest) != sha256.Size || opts != crypto.SHA256 {
			t.Errorf("the signer got %v, %d bytes, %v", random, len(digest), opts)
		}
		return signingKey().Signer.Sign(random, digest, opts)
	}))
	if _, err := w.exchange(t, nil); err != nil {
		t.Fatal(err)
	}
	if asked != 1 || len(fake.Calls()) != 1 {
		t.Errorf("the signer was asked %d times, STS %d times", asked, len(fake.Calls()))
	}
}

func TestSigner_Fails(t *testing.T) {
	locked := errors.New("the HSM is locked")
	signs := func(
		key delegation.SigningKey, change func(digest []byte), opts crypto.SignerOpts,
	) signer {
		return func(random io.Reader, digest []byte, _ crypto.SignerOpts) ([]byte, error) {
			digest = slices.Clone(digest)
			change(digest)
			return key.Signer.Sign(random, digest, opts)
		}
	}
	unchanged := func([]byte) {}
	tests := []struct {
		name   string
		signer signer
		want   string // in the error
		cause  error
	}{
		{"error", func(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return nil, locked },
			"the HSM is locked", locked},
		{"its own cancellation", func(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
			return nil, context.Canceled
		}, "context canceled", context.Canceled},
		{"an error of this package", func(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
			_, err := delegation.ParseRegion("mars-north-1")
			return nil, err
		}, "mars-north-1", nil},
		{"panic", func(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
			panic("the HSM is on fire")
		}, "the HSM is on fire", nil},
		{"end of the goroutine", func(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
			runtime.Goexit()
			return nil, nil
		}, "the signer", nil},
		{"nothing", func(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return nil, nil },
			"does not verify", nil},
		{"garbage", func(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
			return make([]byte, 256), nil
		}, "does not verify", nil},
		{"another key", signs(nextKey(), unchanged, crypto.SHA256), "does not verify", nil},
		{"another digest",
			signs(signingKey(), func(digest []byte) { digest[0] ^= 1 }, crypto.SHA256),
			"does not verify", nil},
		{"RSA-PSS", signs(signingKey(), unchanged, &rsa.PSSOptions{Hash: crypto.SHA256}),
			"does not verify", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.signWith(tt.signer)
			// so that a lost signer fails this test only
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
			defer cancel()
			_, err := w.delegator(t).Exchange(ctx, w.token(nil), app)
			wantError(t, err, delegation.StageSAML, delegation.CodeSigningFailed)
			if !strings.Contains(err.Error(), tt.want) ||
				tt.cause != nil && !errors.Is(err, tt.cause) {
				t.Errorf("got %v, want %q and the cause %v", err, tt.want, tt.cause)
			}
			w.wantNothingSent(t)
		})
	}
}

// ending is a context that ends when the test says so, with the error of the test.
type ending struct {
	context.Context
	ended chan struct{}
	err   error
}

func (e ending) Done() <-chan struct{} { return e.ended }

func (e ending) Err() error {
	select {
	case <-e.ended:
		return e.err
	default:
		return nil
	}
}

func TestSigner_Hangs(t *testing.T) {
	for _, cause := range []error{context.Canceled, context.DeadlineExceeded} {
		t.Run(cause.Error(), func(t *testing.T) {
			w := newWorld(t)
			entered := make(chan struct{})
			release := make(chan struct{})
			finished := make(chan struct{})
			w.signWith(signer(func(
				random io.Reader, digest []byte, opts crypto.SignerOpts,
			) ([]byte, error) {
				defer close(finished)
				close(entered)
				<-release
				return signingKey().Signer.Sign(random, digest, opts)
			}))
			d, token := w.delegator(t), w.token(nil)
			ctx := ending{t.Context(), make(chan struct{}), cause}
			failed := make(chan error)
			go func() {
				_, err := d.Exchange(ctx, token, app)
				failed <- err
			}()
			<-entered
			close(ctx.ended)
			err := <-failed // while the signer still hangs
			wantError(t, err, delegation.StageSAML, delegation.CodeCanceled)
			if !errors.Is(err, cause) {
				t.Errorf("got %v, want the cause %v", err, cause)
			}
			stacks := make([]byte, 1<<20)
			signing := func() bool {
				running := stacks[:runtime.Stack(stacks, true)]
				return bytes.Contains(running, []byte("samldoc.(*Response).signatureValue"))
			}
			if !signing() {
				t.Error("the signer's goroutine has another name now")
			}
			close(release)
			<-finished // the signer could finish behind the exchange's back
			w.wantNothingSent(t)
			for giveUp := time.Now().Add(10 * time.Second); signing(); runtime.Gosched() {
				if time.Now().After(giveUp) {
					t.Fatal("the signer's goroutine is left for ever")
				}
			}
		})
	}
}

// fickle is a signer whose public key is another thing after New has seen it.
type fickle struct {
	signer
	public func() crypto.PublicKey
}

func (f *fickle) Public() crypto.PublicKey { return f.public() }

// TestSigner_PublicKeyAfterNew: a KMS client may look its public key up anew each time, and fail.
func TestSigner_PublicKeyAfterNew(t *testing.T) {
	honest := signer(signingKey().Signer.Sign)
	ec := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	for name, later := range map[string]func() crypto.PublicKey{
		"panics":      func() crypto.PublicKey { panic("no connection to the KMS") },
		"nil":         func() crypto.PublicKey { return nil },
		"another key": func() crypto.PublicKey { return nextKey().Signer.Public() },
		"of ECDSA":    func() crypto.PublicKey { return ec.Public() },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			f := &fickle{honest, honest.Public}
			w.signWith(f)
			d := w.delegator(t)
			f.public = later
			defer func() {
				if r := recover(); r != nil {
					t.Errorf("the exchange panicked: %v", r)
				}
			}()
			_, err := d.Exchange(t.Context(), w.token(nil), app)
			if err == nil {
				// the certificate's key is what counts
				verified(t, xmlOf(w.last()), signingKey().Certificate)
				return
			}
			wantError(t, err, delegation.StageSAML, delegation.CodeSigningFailed)
			w.wantNothingSent(t)
		})
	}
}

// selfSigned returns the certificate of any key.
func selfSigned(key crypto.Signer) *x509.Certificate {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    start,
		NotAfter:     start.AddDate(10, 0, 0),
	}
	return must(x509.ParseCertificate(must(x509.CreateCertificate(rand.Reader, template, template,
		key.Public(), key))))
}

func TestIdentityProvider_Refused(t *testing.T) {
	ec := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	short := must(rsa.GenerateKey(rand.Reader, 1024))
	key := func(
		signer crypto.Signer, certificate *x509.Certificate,
	) func(*delegation.IdentityProvider) {
		return func(p *delegation.IdentityProvider) {
			p.Keys = append(p.Keys, delegation.SigningKey{Signer: signer, Certificate: certificate})
		}
	}
	entity := func(id string) func(*delegation.IdentityProvider) {
		return func(p *delegation.IdentityProvider) { p.EntityID = id }
	}
	public := func(key crypto.PublicKey) crypto.Signer {
		return &fickle{nil, func() crypto.PublicKey { return key }}
	}
	good := signingKey()
	const (
		badEntity   = `EntityID must have 1 to 1024 characters`
		badNumber   = `Keys must hold 1 to 10 keys, has `
		incomplete  = `Keys\[1\]: .*needs Signer and`
		wrongKind   = `Keys\[1\]: .*not RSA of at least 2048 bits`
		wrongPair   = `Keys\[1\]: .*certificate does not belong to`
		panicked    = `Keys\[1\]: .*panicked`
		notMetadata = `Keys\[1\]: `
	)
	tests := []struct {
		name   string
		change func(*delegation.IdentityProvider)
		want   string // a regular expression for the problem
	}{
		{"no entity ID", entity(""), badEntity},
		{"blanks around the entity ID", entity("urn:a "), badEntity},
		{"long entity ID", entity(strings.Repeat("é", 1025)), badEntity},
		{"control character", entity("urn:a\x00"), badEntity},
		{"invalid UTF-8", entity("urn:a\xff"), badEntity},
		{"no key", func(p *delegation.IdentityProvider) { p.Keys = nil }, badNumber + "0"},
		{"eleven keys", func(p *delegation.IdentityProvider) { p.Keys = slices.Repeat(p.Keys, 11) },
			badNumber + "11"},
		{"nil signer", key(nil, good.Certificate), incomplete},
		{"nil certificate", key(good.Signer, nil), incomplete},
		{"zero key", key(nil, nil), incomplete},
		{"typed nil", key((*rsa.PrivateKey)(nil), good.Certificate), panicked},
		{"empty public key", key(public(&rsa.PublicKey{}), good.Certificate), panicked},
		{"ECDSA", key(ec, selfSigned(ec)), wrongKind},
		{"1024 bits", key(short, selfSigned(short)), wrongKind},
		{"no public key", key(public(nil), good.Certificate), wrongKind},
		{"public key by value",
			key(public(*good.Signer.Public().(*rsa.PublicKey)), good.Certificate), wrongKind},
		{"certificate of another key", key(good.Signer, nextKey().Certificate), wrongPair},
		{"certificate of another kind of key", key(good.Signer, selfSigned(ec)), wrongPair},
		// A literal instead of what x509.ParseCertificate returned: the metadata would hold an
		// empty certificate.
		{"empty certificate", key(good.Signer, &x509.Certificate{}), notMetadata},
		{"certificate without its DER", key(good.Signer, &x509.Certificate{
			PublicKey: good.Certificate.PublicKey,
		}), notMetadata},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			own := identity()
			tt.change(&own)
			want := func(err error, where string) {
				t.Helper()
				wantError(t, err, delegation.StageConfig, delegation.CodeConfigInvalid)
				if !regexp.MustCompile(where + tt.want).MatchString(err.Error()) {
					t.Errorf("got %v, want %s%s", err, where, tt.want)
				}
			}
			metadata, err := own.Metadata()
			want(err, "IdentityProvider: ")
			if metadata != nil {
				t.Error("the metadata came out all the same")
			}

			w.config.IdentityProvider = own
			_, err = delegation.New(t.Context(), w.config)
			want(err, "IdentityProvider: ")

			w.config.IdentityProvider = identity()
			w.target(func(target *delegation.Target) { target.Identity = &own })
			_, err = delegation.New(t.Context(), w.config)
			want(err, `Targets\["photo-app"\]: Identity: `)
		})
	}
	t.Run("all at once", func(t *testing.T) {
		_, err := delegation.IdentityProvider{Keys: []delegation.SigningKey{
			{}, good, {Signer: good.Signer, Certificate: nextKey().Certificate},
		}}.Metadata()
		wantError(t, err, delegation.StageConfig, delegation.CodeConfigInvalid)
		want := `(?s)EntityID must.*Keys\[0\]: .*needs Signer.*Keys\[2\]: .*does not belong`
		if !regexp.MustCompile(want).MatchString(err.Error()) {
			t.Errorf("got %v", err)
		}
	})
}

func TestIdentityProvider_Limits(t *testing.T) {
	w := newWorld(t)
	p := delegation.IdentityProvider{
		EntityID: strings.Repeat("é", 1024),
		Keys:     slices.Repeat(identity().Keys, 10),
	}
	w.config.IdentityProvider = p
	if _, err := w.exchange(t, nil); err != nil {
		t.Error(err)
	}
	if _, err := p.Metadata(); err != nil {
		t.Error(err)
	}
}

func TestIdentityProvider_FirstKeySigns(t *testing.T) {
	w := newWorld(t)
	keys := []delegation.SigningKey{nextKey(), signingKey()}
	w.config.IdentityProvider.Keys = keys
	d := w.delegator(t)
	keys[0], keys[1] = keys[1], keys[0] // after New, so it has no effect
	if _, err := d.Exchange(t.Context(), w.token(nil), app); err != nil {
		t.Fatal(err)
	}
	verified(t, xmlOf(w.last()), nextKey().Certificate)
	if _, err := validate(xmlOf(w.last()), signingKey().Certificate); err == nil {
		t.Error("the response verifies with the second key too")
	}
}

func TestTarget_OwnIdentity(t *testing.T) {
	const ownEntity = "urn:photo.example.com"
	own := delegation.IdentityProvider{
		EntityID: ownEntity,
		Keys:     []delegation.SigningKey{nextKey()},
	}
	w, fake := strictWorld(t)
	const plain = "plain-app"
	targets := delegation.Targets{
		app: {
			Identity: &own,
			AWS:      delegation.AWS{Principal: otherProvider, Role: role, Region: "eu-central-1"},
		},
		plain: {AWS: delegation.AWS{Principal: principal, Role: role, Region: "eu-central-1"}},
	}
	w.config.Targets = targets
	err := errors.Join(
		fake.PutSAMLProvider(otherProvider, must(own.Metadata())),
		fake.PutRole(ststest.Role{
			ARN: role,
			TrustPolicy: strings.Replace(allowAll, `"`+principal+`"`,
				`["`+principal+`", "`+otherProvider+`"]`, 1),
		}),
	)
	if err != nil {
		t.Fatal(err)
	}
	d := w.delegator(t)
	// after New, so it has no effect
	own.EntityID, own.Keys[0] = "urn:changed.example.com", signingKey()
	for target, want := range map[string]string{app: ownEntity, plain: entityID} {
		credentials, err := d.Exchange(t.Context(), w.token(map[string]any{"aud": target}), target)
		if err != nil {
			t.Fatalf("%s: %v", target, err)
		}
		if credentials.Issuer != want {
			t.Errorf("%s: AWS's issuer is %s, want %s", target, credentials.Issuer, want)
		}
	}
}

// TestIncident_KeyRollover: identity providers publish one certificate, so that a new key means an
// outage until somebody has uploaded the new metadata. Here the next key is published before it
// signs, and exchanges go on all the time.
func TestIncident_KeyRollover(t *testing.T) {
	t.Parallel()
	w, fake := strictWorld(t)
	before, after := signingKey(), nextKey()
	with := func(keys ...delegation.SigningKey) (*delegation.Delegator, []byte) {
		w.config.IdentityProvider = delegation.IdentityProvider{EntityID: entityID, Keys: keys}
		return w.delegator(t), must(w.config.IdentityProvider.Metadata())
	}
	onlyOld, oldMetadata := with(before)
	publishing, bothMetadata := with(before, after)
	switched, _ := with(after, before)
	onlyNew, newMetadata := with(after)
	publish := func(metadata []byte) {
		if err := fake.PutSAMLProvider(principal, metadata); err != nil {
			t.Error(err)
		}
	}
	publish(oldMetadata)
	token := w.token(nil)

	var mu sync.RWMutex // held for reading by exchanges under way
	current := onlyOld
	// and wait for the exchanges under way, as an operator waits five minutes
	deploy := func(d *delegation.Delegator) {
		mu.Lock()
		defer mu.Unlock()
		current = d
	}
	done, stop := make(chan error), make(chan struct{})
	var workers sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			for {
				mu.RLock()
				_, err := current.Exchange(t.Context(), token, app)
				mu.RUnlock()
				select {
				case done <- err:
				case <-stop:
					return
				}
			}
		})
	}
	exchanges, failures := 0, 0
	goOn := func(phase string) {
		for range 25 {
			exchanges++
			if err := <-done; err != nil {
				failures++
				t.Errorf("%s: %v", phase, err)
			}
		}
	}
	goOn("the old key alone")
	publish(bothMetadata)
	goOn("both published")
	deploy(publishing)
	goOn("both configured")
	deploy(switched)
	goOn("the new key signs")
	deploy(onlyNew)
	goOn("the old key is no longer configured")
	publish(newMetadata)
	goOn("the new key alone")
	close(stop)
	workers.Wait()
	if failures > 0 {
		t.Errorf("%d of %d exchanges failed", failures, exchanges)
	}

	// So the test can fail: a key that signs before it is published is an outage.
	publish(oldMetadata)
	_, err := onlyNew.Exchange(t.Context(), token, app)
	wantError(t, err, delegation.StageSTS, delegation.CodeSTSSignature)
}

func TestMetadata(t *testing.T) {
	p := delegation.IdentityProvider{
		EntityID: entityID,
		Keys:     []delegation.SigningKey{signingKey(), nextKey()},
	}
	text := must(p.Metadata())
	var entity saml.EntityDescriptor
	if err := xml.Unmarshal(text, &entity); err != nil {
		t.Fatal(err)
	}
	if n := utf8.RuneCount(text); n < 1000 || !bytes.HasSuffix(text, []byte(">\n")) {
		t.Errorf("%d characters; IAM wants at least 1,000, an editor one line end", n)
	}
	if entity.EntityID != entityID ||
		!entity.ValidUntil.Equal(time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)) ||
		entity.CacheDuration != 0 {
		t.Errorf("entity %q, valid until %s, for %s", entity.EntityID, entity.ValidUntil,
			entity.CacheDuration)
	}
	if len(entity.IDPSSODescriptors) != 1 ||
		len(entity.SPSSODescriptors)+len(entity.RoleDescriptors) > 0 {
		t.Fatalf("%d roles of an identity provider, want one and nothing else",
			len(entity.IDPSSODescriptors))
	}
	idp := entity.IDPSSODescriptors[0]
	if idp.ProtocolSupportEnumeration != "urn:oasis:names:tc:SAML:2.0:protocol" {
		t.Errorf("protocol %q", idp.ProtocolSupportEnumeration)
	}
	if !slices.Equal(idp.NameIDFormats, []saml.NameIDFormat{saml.PersistentNameIDFormat}) {
		t.Errorf("NameID formats %v", idp.NameIDFormats)
	}
	s := idp.SingleSignOnServices
	if len(s) != 1 || s[0].Binding != saml.HTTPPostBinding ||
		s[0].Location != "https://delegation.invalid/saml" {
		t.Errorf("sign-in services %+v", s)
	}
	if len(idp.KeyDescriptors) != 2 {
		t.Fatalf("%d keys, want 2", len(idp.KeyDescriptors))
	}
	for i, key := range p.Keys {
		descriptor := idp.KeyDescriptors[i]
		certificates := descriptor.KeyInfo.X509Data.X509Certificates
		if descriptor.Use != "signing" || len(certificates) != 1 ||
			certificates[0].Data != base64.StdEncoding.EncodeToString(key.Certificate.Raw) {
			t.Errorf("key %d: use %q, %d certificates, or another one", i, descriptor.Use,
				len(certificates))
		}
	}
	if again := must(p.Metadata()); !bytes.Equal(text, again) {
		t.Error("the same identity gives other metadata the second time")
	}
}

// TestMetadata_EntityID: the entity ID in metadata and the Issuer of the assertion must stay equal,
// byte for byte.
func TestMetadata_EntityID(t *testing.T) {
	for _, id := range []string{
		entityID, "urn:tenant.auth0.com", "https://idp.example.com/?a=1&b=<2>",
		`urn:"quoted" & 'quoted'`, "urn:]]>", "urn: blanks within",
		"urn:é\u2028😀", "urn:tab\tand\r\nline ends",
	} {
		t.Run(fmt.Sprintf("%q", id), func(t *testing.T) {
			w, fake := strictWorld(t)
			w.config.IdentityProvider.EntityID = id
			metadata := must(w.config.IdentityProvider.Metadata())
			var entity saml.EntityDescriptor
			if err := xml.Unmarshal(metadata, &entity); err != nil || entity.EntityID != id {
				t.Errorf("read as %q, %v", entity.EntityID, err)
			}
			if err := fake.PutSAMLProvider(principal, metadata); err != nil {
				t.Fatal(err)
			}
			if _, err := w.exchange(t, nil); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestParseSigningKey(t *testing.T) {
	block := func(kind string, der []byte) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	}
	private := signingKey().Signer.(*rsa.PrivateKey)
	certificate := block("CERTIFICATE", signingKey().Certificate.Raw)
	pkcs1 := block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(private))
	pkcs8 := block("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(private)))
	for name, key := range map[string][]byte{
		"PKCS #1": pkcs1, "PKCS #8": pkcs8,
		"text around it": slices.Concat([]byte("my key\n"), pkcs8, []byte("\nthat was it\n")),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := delegation.ParseSigningKey(certificate, key)
			if err != nil {
				t.Fatal(err)
			}
			if !private.Equal(got.Signer) || !got.Certificate.Equal(signingKey().Certificate) {
				t.Error("another key or certificate came out")
			}
		})
	}

	ec := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	ecKey := block("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(ec)))
	ecCertificate := block("CERTIFICATE", selfSigned(ec).Raw)
	short := must(rsa.GenerateKey(rand.Reader, 1024))
	shortKey := block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(short))
	shortCertificate := block("CERTIFICATE", selfSigned(short).Raw)
	damaged := slices.Clone(x509.MarshalPKCS1PrivateKey(private))
	damaged[len(damaged)/2] ^= 1
	tests := []struct {
		name             string
		certificate, key []byte
		want             string
	}{
		{"nothing", nil, nil, "the signing key: "},
		{"no key", certificate, nil, "the signing key: "},
		{"no certificate", nil, pkcs8, "the signing key: "},
		{"the wrong way round", pkcs8, certificate, "the signing key: "},
		{"garbage", certificate, block("PRIVATE KEY", []byte("garbage that is not a key")),
			"the signing key: "},
		{"cut off", certificate, pkcs8[:len(pkcs8)/2], "the signing key: "},
		{"damaged", certificate, block("RSA PRIVATE KEY", damaged), "the signing key: "},
		{"encrypted", certificate,
			block("ENCRYPTED PRIVATE KEY", bytes.Repeat([]byte("sealed"), 200)),
			"the signing key: "},
		{"garbage for a certificate", block("CERTIFICATE", []byte("garbage")), pkcs8,
			"the signing key: "},
		{"certificate of another key", block("CERTIFICATE", nextKey().Certificate.Raw), pkcs8,
			"the signing key: "},
		{"ECDSA", ecCertificate, ecKey, "not RSA of at least 2048 bits"},
		{"1024 bits", shortCertificate, shortKey, "not RSA of at least 2048 bits"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			key, err := delegation.ParseSigningKey(tt.certificate, tt.key)
			wantError(t, err, delegation.StageConfig, delegation.CodeConfigInvalid)
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if key.Signer != nil || key.Certificate != nil {
				t.Error("the key came out all the same")
			}
			for line := range strings.Lines(string(tt.key)) {
				line = strings.TrimSpace(line)
				if len(line) > 20 && strings.Contains(fmt.Sprintf("%v %+v", err, err), line) &&
					!strings.HasPrefix(line, "-----") {
					t.Errorf("the error holds a line of the key: %v", err)
				}
			}
		})
	}
}

// TestSigningKey_StaysOutOfJSONAndLogs: a key in memory has exported fields, which encoding/json
// would write.
func TestSigningKey_StaysOutOfJSONAndLogs(t *testing.T) {
	var logged bytes.Buffer
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("configured", "identity", identity())
	slog.New(slog.NewTextHandler(&logged, nil)).Info("configured", "key", signingKey())
	logged.Write(must(json.Marshal(identity())))
	private := signingKey().Signer.(*rsa.PrivateKey).D.String()
	if strings.Contains(logged.String(), private) ||
		strings.Count(logged.String(), "[redacted]") != 3 {
		t.Error("the private key, or nothing at all, is in JSON or in a log")
	}
}
