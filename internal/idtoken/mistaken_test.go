package idtoken_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/internal/idtoken"
)

// TestMistaken: what is sent instead of a token, or around one, is named as what it is, with the
// code that its parts have, and not quoted.
func TestMistaken(t *testing.T) {
	v := verifier(nil)
	good := token("RS256", "https://canary.example.com")
	parts := strings.Split(good, ".")
	utf16 := func(text string) string {
		return "\xff\xfe" + strings.Join(strings.Split(text, ""), "\x00") + "\x00"
	}
	const (
		malformed = "token_malformed"
		encoding  = "token_encoding"
		encrypted = "token_encrypted"

		bearer  = `has "Bearer " in front of it: leave that out`
		scheme  = "has the scheme of an Authorization header in front of it: send the ID token alone"
		header  = "has the name of a header in front of it: leave that out"
		json    = "is JSON: send the value of its member id_token, without the quotes"
		quotes  = "has quotes around it: leave them out"
		name    = `has a name and "=" in front of it: leave them out`
		url     = "is a URL: send the value of its parameter id_token alone"
		html    = "is HTML or XML, such as an error page or a SAML response: send the ID token"
		pem     = "is PEM, a key or a certificate: send the ID token"
		mark    = "has a byte order mark in front of it: save it as UTF-8 without one"
		wide    = "is text in UTF-16: save it as UTF-8"
		around  = "has white space around it: leave that out"
		cut     = "ends in dots, where it was cut short: send the whole token"
		percent = "is percent-encoded: decode it first"
		base64  = "is in standard base64 or has padding: " +
			"send it as the issuer wrote it, in base64url"
		nothing = "is a placeholder that was not replaced, such as undefined or $TOKEN: " +
			"the sender had no token"
		other = "has a foreign character at byte 1: " +
			"send letters, digits, '-', '_' and two dots"
	)
	for _, row := range []struct{ text, code, what string }{
		{"Bearer " + good, encoding, bearer},
		{"bearer  " + good, encoding, bearer},
		{"BEARER\t" + good, encoding, bearer},
		{"Bearer:" + good, encoding, bearer},
		{"Bearer Bearer " + good, encoding, bearer},
		{" Bearer " + good, encoding, bearer},
		{"Bearer canary", malformed, bearer},
		{"Basic Y2FuYXJ5OmNhbmFyeQ", malformed, scheme},
		{"DPoP " + good, encoding, scheme},
		{"Authorization: Bearer " + good, encoding, header},
		{"authorization:" + good, encoding, header},
		{`{"id_token":"` + good + `"}`, encoding, json},
		{`{"id_token":"` + good + `","access_token":"` + good + `"}`, malformed, json},
		{"{\n\t\"canary\": 1\n}\n", malformed, json},
		{`["` + good + `"]`, encoding, json},
		{`"` + good + `"`, encoding, quotes},
		{`'` + good + `'`, encoding, quotes},
		{`"` + good, encoding, quotes},
		{good + `"`, encoding, quotes},
		{"`" + good + "`\n", encoding, quotes},
		{"“" + good + "”", encoding, quotes},
		{"token=" + good, encoding, name},
		{"id_token=" + good, encoding, name},
		{"#id_token=" + good + "&state=canary", encoding, name},
		{`TOKEN="` + good + `"`, encoding, name},
		{"https://app.example.com/#id_token=" + good, malformed, url},
		{"<!DOCTYPE html><title>canary</title>", malformed, html},
		{"-----BEGIN CERTIFICATE-----\ncanary", malformed, pem},
		{"\ufeff" + good, encoding, mark},
		{utf16(good), encoding, wide},
		{"\xfe\xff\x00c\x00a", malformed, wide},
		{" " + good, encoding, around},
		{good + "\n", encoding, around},
		{good + "\r\n", encoding, around},
		{"\u00a0" + good, encoding, around},
		{"canary \n", malformed, around},
		{"eyJhbGciOi...", malformed, cut},
		{parts[0] + "." + parts[1] + "…", malformed, cut},
		{"canary%2Ecanary%2Ecanary", malformed, percent},
		{good + "=", encoding, base64},
		{parts[0] + "==." + parts[1] + ".AAAA", encoding, base64},
		{parts[0] + "+/." + parts[1] + ".AAAA", encoding, base64},
		{good + ".AA.AA=", malformed, base64},
		{parts[0] + ".\n" + parts[1] + ".AAAA", encoding,
			"has a line end inside, at byte 36: write it on one line"},
		{parts[0] + ".\r\n" + parts[1] + ".AAAA", encoding,
			"has a line end inside, at byte 36: write it on one line"},
		{"A.B C.D", encoding, "has white space inside, at byte 4: leave it out"},
		{"A.\u200bB.D", encoding, "has the foreign character U+200B at byte 3: leave it out"},
		{"A.\x00B.D", encoding, "has the foreign character U+0000 at byte 3: leave it out"},
		{"A.–B.D", encoding, "has the foreign character U+2013 at byte 3: leave it out"},
		{"A.\xffB.D", encoding, "is not text: byte 3 is not UTF-8"},
		{"undefined", malformed, nothing},
		{"null", malformed, nothing},
		{"[object Promise]", malformed, nothing},
		{"$CANARY_TOKEN", malformed, nothing},
		{"${TOKEN}", malformed, nothing},
		{"{{ canary.token }}", malformed, nothing},
		{"<canary-token>", malformed, nothing},
		{"@canary", malformed, other},
		{"@canary.canary.canary", encoding, other},
		{"", "token_missing", ""},
		{" \n", malformed, ""},
		{"canary", malformed, ""},
		{"canary.canary", malformed, ""},
		{"A.B.C", encoding, ""},
		{good + ".canary.canary", encrypted, ""},
	} {
		_, err := v.Verify(t.Context(), row.text)
		if codeOf(err) != row.code {
			t.Errorf("%q: got %v, want %s", row.text, err, row.code)
			continue
		}
		var e *idtoken.Error
		errors.As(err, &e)
		if e.Mistaken != row.what {
			t.Errorf("%q: it %s, want: it %s", row.text, e.Mistaken, row.what)
		}
		if row.what != "" && errors.Unwrap(e).Error() != "the token "+row.what {
			t.Errorf("%q: got %v", row.text, e)
		}
		if strings.Contains(e.Error(), "canary") || strings.Contains(e.Error(), "eyJ") {
			t.Errorf("it quotes the text: %v", e)
		}
	}
}
