package rediscache_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/hex"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/rediscache"
)

// The pinned value is of this key, put under owner and other, with the nonce 00 01 … 0b.
const (
	goldenSecret = "0123456789abcdef0123456789abcdef"
	goldenBound  = `["delegation/rediscache/1","2026-11","` + owner + `","` + other + `"]`
	goldenPlain  = `{"AccessKeyID":"ASIAEXAMPLE","Expiration":"2026-11-23T10:00:00Z","Region":"eu-central-1",` +
		`"AccountID":"123456789012","AssumedRoleARN":"arn:aws:sts::123456789012:assumed-role/photo-user/alice",` +
		`"AssumedRoleID":"AROAEXAMPLE:alice","Subject":"auth0|alice","SubjectType":"persistent",` +
		`"Issuer":"urn:tenant.example.com","Audience":"https://eu-central-1.signin.aws.amazon.com/saml",` +
		`"NameQualifier":"1uAJanUnBc2XeUkHURMht+xam2c=","SourceIdentity":"alice","PackedPolicySize":6,` +
		`"RequestID":"c6104cbe-af31-11e0-8154-cbc7ccf896c7","SessionTokenUtilization":12,` +
		`"SecretAccessKey":"canary-secret","SessionToken":"canary-token"}`
)

func goldenCredentials() *delegation.Credentials {
	return &delegation.Credentials{
		AccessKeyID:             "ASIAEXAMPLE",
		SecretAccessKey:         delegation.NewSecret("canary-secret"),
		SessionToken:            delegation.NewSecret("canary-token"),
		Expiration:              time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC),
		Region:                  "eu-central-1",
		AccountID:               "123456789012",
		AssumedRoleARN:          "arn:aws:sts::123456789012:assumed-role/photo-user/alice",
		AssumedRoleID:           "AROAEXAMPLE:alice",
		Subject:                 "auth0|alice",
		SubjectType:             "persistent",
		Issuer:                  "urn:tenant.example.com",
		Audience:                "https://eu-central-1.signin.aws.amazon.com/saml",
		NameQualifier:           "1uAJanUnBc2XeUkHURMht+xam2c=",
		SourceIdentity:          "alice",
		PackedPolicySize:        6,
		RequestID:               "c6104cbe-af31-11e0-8154-cbc7ccf896c7",
		SessionTokenUtilization: 12,
	}
}

func goldenKey() rediscache.Key {
	return rediscache.Key{ID: "2026-11", Secret: delegation.NewSecret(goldenSecret)}
}

func goldenAEAD() cipher.AEAD {
	return must(cipher.NewGCM(must(aes.NewCipher([]byte(goldenSecret)))))
}

// sealedAs seals a text by hand: the length of the key's ID, the ID, the nonce and what AES-256-GCM
// makes of the text, bound to additional data.
func sealedAs(bound string) []byte {
	nonce := []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}
	front := append([]byte("\x072026-11"), nonce...)
	return goldenAEAD().Seal(front, nonce, []byte(goldenPlain), []byte(bound))
}

// TestSeal_Golden pins the form of a sealed value. Replicas of two versions share what is in Redis,
// so a change of the form needs another purpose, and with it the purpose is a part of the form.
func TestSeal_Golden(t *testing.T) {
	seal, open := must2(rediscache.Sealer(goldenKey()))
	golden := must(hex.DecodeString(strings.Join(
		strings.Fields(string(must(os.ReadFile("testdata/sealed.hex")))), "")))
	if got := sealedAs(goldenBound); !bytes.Equal(got, golden) {
		t.Errorf("the pinned value is not the documented form:\n%x", got)
	}
	if got, err := open(golden, owner, other); err != nil || !same(got, goldenCredentials()) {
		t.Errorf("the pinned value: %+v, %v", got, err)
	}

	sealed := must(seal(goldenCredentials(), owner, other))
	id, rest := sealed[:8], sealed[8:]
	plain, err := goldenAEAD().Open(nil, rest[:12], rest[12:], []byte(goldenBound))
	if string(id) != "\x072026-11" || err != nil || string(plain) != goldenPlain {
		t.Errorf("sealed with the ID %q: %v\ngot  %s\nwant %s", id, err, plain, goldenPlain)
	}
}

// TestSeal_IsBoundToItsPurpose: a value that was sealed with the same key for anything else, or
// bound to less, does not open.
func TestSeal_IsBoundToItsPurpose(t *testing.T) {
	_, open := must2(rediscache.Sealer(goldenKey()))
	for name, bound := range map[string]string{
		"no purpose":       strings.Replace(goldenBound, `"delegation/rediscache/1",`, "", 1),
		"empty purpose":    strings.Replace(goldenBound, "delegation/rediscache/1", "", 1),
		"another purpose":  strings.Replace(goldenBound, "rediscache/1", "rediscache/2", 1),
		"no ID":            strings.Replace(goldenBound, `"2026-11",`, "", 1),
		"no owner":         strings.Replace(goldenBound, `"`+owner+`",`, "", 1),
		"no key":           strings.Replace(goldenBound, `,"`+other+`"`, "", 1),
		"nothing":          "",
		"blanks within":    strings.ReplaceAll(goldenBound, ",", ", "),
		"owner and key":    strings.Replace(goldenBound, owner+`","`+other, other+`","`+owner, 1),
		"joined by nobody": "delegation/rediscache/12026-11" + owner + other,
	} {
		if c, err := open(sealedAs(bound), owner, other); c != nil || err == nil {
			t.Errorf("%s: it opened", name)
		}
	}
}
