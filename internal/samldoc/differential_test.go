package samldoc_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/big"
	mathrand "math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/crewjam/saml"

	"github.com/seed055b7978/delegation/internal/guard"
	"github.com/seed055b7978/delegation/internal/samldoc"
	"github.com/seed055b7978/delegation/internal/sampling"
)

var start = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

// small is a key that signs fast, so that thousands of responses can be compared.
var small = sync.OnceValue(func() identity { return newIdentity(1024) })

// identity is a key with its certificate.
type identity struct {
	signer      crypto.Signer
	certificate *x509.Certificate
}

func newIdentity(bits int) identity {
	key := must(rsa.GenerateKey(rand.Reader, bits))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    start,
		NotAfter:     start.AddDate(10, 0, 0),
	}
	der := must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))
	return identity{key, must(x509.ParseCertificate(der))}
}

// plainResponse is a response in which nothing is odd, with some tags.
func plainResponse(by identity, tags int) *samldoc.Response {
	const aws = "https://aws.amazon.com/SAML/Attributes/"
	r := &samldoc.Response{
		EntityID:  "urn:tenant.auth0.com",
		Recipient: "https://eu-central-1.signin.aws.amazon.com/saml",
		Audience:  "urn:amazon:webservices",
		NameID:    "auth0|alice",
		Attributes: []samldoc.Attribute{
			{Name: aws + "Role", Values: []string{"arn:aws:iam::123456789012:role/photo-user," +
				"arn:aws:iam::123456789012:saml-provider/delegation"}},
			{Name: aws + "RoleSessionName", Values: []string{"alice@example.com"}},
			{Name: aws + "SessionDuration", Values: []string{"3600"}},
		},
		Signer:      by.signer,
		Certificate: by.certificate,
		Callees:     new(guard.Callees),
	}
	for i := range tags {
		r.Attributes = append(r.Attributes, samldoc.Attribute{
			Name:   fmt.Sprintf("%sPrincipalTag:tag-%02d", aws, i),
			Values: []string{fmt.Sprintf("value %02d of a tag", i)},
		})
	}
	return r
}

// numbers is a source of random numbers that begins anew with each call.
func numbers() io.Reader { return mathrand.NewChaCha8([32]byte{1}) }

// compare has the writer and the oracle write the same response. It returns what became of it, one
// of outcomes.
func compare(t testing.TB, r *samldoc.Response, now time.Time) string {
	t.Helper()
	got, gotID, err := r.Write(context.Background(), now, numbers())
	want, wantID, wantErr := oracle{r}.Write(context.Background(), now, numbers())
	var failure *samldoc.Error
	switch {
	case err == nil && wantErr == nil && got == want && gotID == wantID:
		if r.EncryptionKey != "" {
			return "equal, encrypted"
		}
		return "equal"
	case errors.As(err, &failure) && failure.Code == "text_invalid" && errors.Is(wantErr, errText):
		return "both refused a text"
	case errors.As(err, &failure) && failure.Code == "saml_response_too_large" &&
		wantErr == errLarge:
		return "both too large"
	}
	t.Errorf("the writer: %v, %s\n%s\nthe oracle: %v, %s\n%s",
		err, gotID, decoded(got), wantErr, wantID, decoded(want))
	return "different"
}

func decoded(encoded string) []byte { return must(base64.StdEncoding.DecodeString(encoded)) }

// Pieces of texts. An attribute's name may have all but the blanks.
var (
	oddBlanks = []string{"\t", "\n", "\r", "\r\n", "\n\r\t"}
	oddPieces = []string{
		"&", "<", ">", "'", `"`, "&amp;", "&#13;", "]]>", "<![CDATA[", "<!-- -->", "<?a b?>",
		"</saml:AttributeValue>", " ", "  ", "a", "plain text", "=", "\x7F", "\u0085", "\u00A0",
		"\u2028", "\u2029", "\u200B", "\uFEFF", "é", "e\u0301", "שלום", "\u202E", "\uD7FF",
		"\uE000", "\uFDD0", "\uFFFC", "𝕬", "𠀋", "😀", "👩‍👩‍👧", "\U0001FFFE", "\U0010FFFF",
	}
	badPieces = []string{
		"\x00", "\x01", "\x08", "\x0B", "\x0C", "\x0E", "\x1F", "\uFFFD", "\uFFFE", "\uFFFF",
		"\x80", "\xC0\x80", "\xE2\x82", "\xED\xA0\x80", "\xED\xBF\xBF", "\xF4\x90\x80\x80", "\xFF",
	}
)

// generator makes responses, always the same ones.
type generator struct {
	*mathrand.Rand
	encryptionKey string
	bad           bool // one of the texts may be one that XML does not allow
}

func (g *generator) text(pieces ...[]string) string {
	var text strings.Builder
	for range g.IntN(6) {
		from := pieces[g.IntN(len(pieces))]
		text.WriteString(from[g.IntN(len(from))])
	}
	if g.bad && g.IntN(40) == 0 {
		text.WriteString(badPieces[g.IntN(len(badPieces))])
	}
	return text.String()
}

func (g *generator) time() time.Time {
	zone := time.FixedZone("", g.IntN(24*3600)-12*3600)
	at := start.Add(time.Duration(g.Int64N(int64(20 * 365 * 24 * time.Hour))))
	return at.Truncate(time.Duration(1 + g.IntN(int(time.Second)))).In(zone)
}

func (g *generator) response(by identity) *samldoc.Response {
	g.bad = false
	r := &samldoc.Response{
		EntityID:    g.text(oddPieces, oddBlanks), // which the oracle does not check
		Signer:      by.signer,
		Certificate: by.certificate,
	}
	g.bad = g.IntN(4) == 0
	r.Recipient = g.text(oddPieces, oddBlanks)
	r.Audience = g.text(oddPieces, oddBlanks)
	r.NameID = g.text(oddPieces, oddBlanks)
	for range g.IntN(51) {
		a := samldoc.Attribute{Name: "a" + g.text(oddPieces)}
		if g.bad && g.IntN(100) == 0 {
			a.Name = g.text(oddPieces[:1], oddBlanks) // blanks alone, or with an ampersand
		}
		for range g.IntN(5) {
			a.Values = append(a.Values, g.text(oddPieces, oddBlanks))
		}
		r.Attributes = append(r.Attributes, a)
	}
	if g.IntN(2) == 0 {
		r.SessionNotOnOrAfter = g.time()
	}
	if g.IntN(3) == 0 {
		r.EncryptionKey = g.encryptionKey
	}
	if g.IntN(2) == 0 {
		r.Callees = new(guard.Callees)
	}
	return r
}

// TestWrite_EqualsTheOracle: crewjam/saml with goxmldsig writes the same bytes, and refuses the
// same texts.
func TestWrite_EqualsTheOracle(t *testing.T) {
	t.Parallel()
	g := &generator{
		Rand:          mathrand.New(mathrand.NewPCG(15, 1)),
		encryptionKey: publicPEM(&reader().PublicKey),
	}
	outcomes := map[string]int{}
	attributes, values := 0, 0
	for range sampling.Of(2_000) {
		r := g.response(small())
		outcomes[compare(t, r, g.time())]++
		attributes += len(r.Attributes)
		for _, a := range r.Attributes {
			values += len(a.Values)
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%v; %d attributes, %d values", outcomes, attributes, values)
	for _, outcome := range []string{"equal", "equal, encrypted", "both refused a text"} {
		if outcomes[outcome] < sampling.Of(100) {
			t.Errorf("only %d are %s", outcomes[outcome], outcome)
		}
	}
}

// TestWrite_EqualsTheOracleWithEveryKey: RSA-SHA256 is the one algorithm, and its keys may be of
// any size, in memory or not.
func TestWrite_EqualsTheOracleWithEveryKey(t *testing.T) {
	t.Parallel()
	for _, bits := range []int{2048, 2049, 3072} {
		by := newIdentity(bits)
		opaque := by
		opaque.signer = struct{ crypto.Signer }{by.signer}
		blank := by
		blank.signer = samldoc.BlankSigner{Key: by.signer.Public()}
		for _, each := range []identity{by, opaque, blank} {
			for _, encryptionKey := range []string{"", publicPEM(&reader().PublicKey)} {
				r := plainResponse(each, 3)
				r.EncryptionKey = encryptionKey
				if outcome := compare(t, r, start); !strings.HasPrefix(outcome, "equal") {
					t.Errorf("%d bits: %s", bits, outcome)
				}
			}
		}
	}
}

// TestWrite_EqualsTheOracleAtTheLimit: the largest response is written, and one with a character
// more is not.
func TestWrite_EqualsTheOracleAtTheLimit(t *testing.T) {
	r := plainResponse(small(), 1)
	last := &r.Attributes[len(r.Attributes)-1].Values[0]
	encoded, _, err := r.Write(t.Context(), start, numbers())
	if err != nil {
		t.Fatal(err)
	}
	room := samldoc.MaxResponse/4*3 - len(decoded(encoded))
	*last += strings.Repeat("&", room/5) + strings.Repeat("x", room%5)
	if outcome := compare(t, r, start); outcome != "equal" {
		t.Error(outcome)
	}
	*last += "x"
	if outcome := compare(t, r, start); outcome != "both too large" {
		t.Error(outcome)
	}
}

// TestWrite_RefusesEntityIDs: the issuer's name is checked as all other texts are.
func TestWrite_RefusesEntityIDs(t *testing.T) {
	for _, bad := range badPieces {
		r := plainResponse(small(), 0)
		r.EntityID = "urn:a" + bad
		_, _, err := r.Write(t.Context(), start, numbers())
		var failure *samldoc.Error
		if !errors.As(err, &failure) || failure.Code != "text_invalid" {
			t.Errorf("%q: got %v", bad, err)
		}
	}
}

// TestWriter_EveryCodePoint holds the escapes of texts and attributes against etree's, and that the
// writer refuses what CheckText refuses.
func TestWriter_EveryCodePoint(t *testing.T) {
	t.Parallel()
	written, refused := 0, 0
	attribute := func(text string) *saml.Response {
		return &saml.Response{Assertion: &saml.Assertion{
			Version: "2.0",
			AttributeStatements: []saml.AttributeStatement{{Attributes: []saml.Attribute{
				{Name: text, Values: []saml.AttributeValue{{Value: text}}},
			}}},
		}}
	}
	var good strings.Builder
	for r := rune(0); r <= utf8.MaxRune; r++ {
		if 0xD800 <= r && r <= 0xDFFF {
			continue // no rune
		}
		if samldoc.CheckText(string(r)) == nil {
			good.WriteRune(r)
			good.WriteByte('.')
			written++
		} else if _, err := samldoc.Unsigned(attribute("a" + string(r))); err == nil {
			t.Errorf("%U was written", r)
		} else {
			refused++
		}
	}
	r := attribute(good.String())
	got, err := samldoc.Unsigned(r)
	if err != nil {
		t.Fatal(err)
	}
	if want := must(unsigned(r)); !bytes.Equal(got, want) {
		t.Errorf("at byte %d of %d the oracle differs", differsAt(got, want), len(got))
	}
	t.Logf("%d code points written in texts and attributes, %d refused", written, refused)
}

func differsAt(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// FuzzWrite: whatever the texts are, the oracle writes the same bytes or refuses them too.
func FuzzWrite(f *testing.F) {
	for i, text := range append(oddPieces, badPieces...) {
		f.Add("urn:tenant.auth0.com", "https://signin.aws.amazon.com/saml", "urn:amazon:webservices",
			"auth0|alice"+text, "urn:oid:2.5.4.3"+text, "a"+text, text+"b",
			uint8(i), int64(i)*1e17)
	}
	encryptionKey := publicPEM(&reader().PublicKey)
	f.Fuzz(func(t *testing.T, entityID, recipient, audience, nameID, name, value, other string,
		shape uint8, at int64) {
		if samldoc.CheckText(entityID) != nil {
			t.Skip("the oracle does not check it")
		}
		r := &samldoc.Response{
			EntityID:    entityID,
			Recipient:   recipient,
			Audience:    audience,
			NameID:      nameID,
			Signer:      small().signer,
			Certificate: small().certificate,
		}
		for i := range int(shape % 8) {
			values := []string{value, other}
			r.Attributes = append(r.Attributes, samldoc.Attribute{Name: name, Values: values[:i%3]})
		}
		if shape&8 != 0 {
			r.EncryptionKey = encryptionKey
		}
		if shape&16 != 0 {
			r.SessionNotOnOrAfter = time.Unix(0, at).Add(time.Hour)
		}
		compare(t, r, time.Unix(0, at))
	})
}

// TestWrite_Allocations counts, with the check of the signature. The document is built on the stack
// and written into one buffer.
func TestWrite_Allocations(t *testing.T) {
	inMemory := plainResponse(newIdentity(2048), 2)
	opaque := *inMemory
	opaque.Signer = struct{ crypto.Signer }{inMemory.Signer}
	unsigned := *inMemory
	unsigned.Signer = samldoc.BlankSigner{Key: inMemory.Signer.Public()}
	for _, row := range []struct {
		name     string
		response *samldoc.Response
		most     float64
	}{
		{"a key in memory", inMemory, 24},
		{"a signer that may hang", &opaque, 30},
		{"no signature", &unsigned, 14},
	} {
		n := testing.AllocsPerRun(50, func() {
			if _, _, err := row.response.Write(t.Context(), start, rand.Reader); err != nil {
				t.Fatal(err)
			}
		})
		t.Logf("%s: %v allocations", row.name, n)
		if n > row.most {
			t.Errorf("%s: %v allocations, more than %v", row.name, n, row.most)
		}
	}
}
