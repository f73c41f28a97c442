package samldoc_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"encoding/xml"
	"errors"
	"io"
	"math/big"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/seed055b7978/delegation/internal/samldoc"
)

var reader = sync.OnceValue(func() *rsa.PrivateKey {
	return must(rsa.GenerateKey(rand.Reader, 2048))
})

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func publicPEM(key any) string { return block("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(key))) }

func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// ofBits is a public key of a size that takes too long to make.
func ofBits(bits int, change func(*rsa.PublicKey)) *rsa.PublicKey {
	n := new(big.Int).SetBit(big.NewInt(1), bits-1, 1)
	key := &rsa.PublicKey{N: n, E: 65537}
	if change != nil {
		change(key)
	}
	return key
}

func TestCheckEncryptionKey(t *testing.T) {
	key := reader()
	good := publicPEM(&key.PublicKey)
	const size, private, kind = "not an RSA key of 2048 to 8192 bits", "a private key",
		"not one PEM block of the type PUBLIC KEY"
	tests := []struct{ name, text, want string }{
		{"2048 bits", good, ""},
		{"8192 bits", publicPEM(ofBits(8192, nil)), ""},
		{"line ends around it", "\n" + good + "\r\n \n", ""},
		{"2047 bits", publicPEM(ofBits(2047, nil)), size},
		{"8193 bits", publicPEM(ofBits(8193, nil)), size},
		{"exponent 3", publicPEM(ofBits(2048, func(k *rsa.PublicKey) { k.E = 3 })), ""},
		{"exponent 1", publicPEM(ofBits(2048, func(k *rsa.PublicKey) { k.E = 1 })), size},
		{"an even exponent", publicPEM(ofBits(2048, func(k *rsa.PublicKey) { k.E = 4 })), size},
		{"an even modulus", publicPEM(
			ofBits(2048, func(k *rsa.PublicKey) { k.N.SetBit(k.N, 0, 0) })), size},
		{"an elliptic key", publicPEM(
			must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)).Public()), size},
		{"the private key", block("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(key))), private},
		{"the private key, PKCS #1", block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)),
			private},
		{"an encrypted private key", block("ENCRYPTED PRIVATE KEY", []byte("x")), private},
		{"the private key behind it",
			good + block("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(key))), kind},
		{"two keys", good + good, kind},
		{"PKCS #1", block("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&key.PublicKey)), kind},
		{"a certificate", block("CERTIFICATE", []byte("x")), kind},
		{"no key in it", block("PUBLIC KEY", []byte("x")), "holds no public key"},
		{"empty", "", "not PEM"},
		{"DER", string(must(x509.MarshalPKIXPublicKey(&key.PublicKey))), "not PEM"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := samldoc.CheckEncryptionKey(tt.text)
			if tt.want == "" && err != nil ||
				tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if err != nil && len(err.Error()) > 80 {
				t.Errorf("the error quotes something: %v", err)
			}
			_, other := samldoc.Encrypt([]byte("<a/>"), tt.text, rand.Reader)
			if (other != nil) != (err != nil) {
				t.Errorf("Encrypt says %v, CheckKey %v", other, err)
			}
		})
	}
}

// encrypted is what a reader takes out of an EncryptedData.
type encrypted struct {
	XMLName xml.Name `xml:"http://www.w3.org/2001/04/xmlenc# EncryptedData"`
	Type    string   `xml:"Type,attr"`
	Method  struct {
		Algorithm string `xml:"Algorithm,attr"`
	} `xml:"http://www.w3.org/2001/04/xmlenc# EncryptionMethod"`
	Key struct {
		Method struct {
			Algorithm string `xml:"Algorithm,attr"`
			Digest    struct {
				Algorithm string `xml:"Algorithm,attr"`
			} `xml:"http://www.w3.org/2000/09/xmldsig# DigestMethod"`
		} `xml:"http://www.w3.org/2001/04/xmlenc# EncryptionMethod"`
		Value string `xml:"http://www.w3.org/2001/04/xmlenc# CipherData>CipherValue"`
	} `xml:"KeyInfo>EncryptedKey"`
	Value string `xml:"http://www.w3.org/2001/04/xmlenc# CipherData>CipherValue"`
}

// parts reads an EncryptedData and opens it with the private key.
func parts(t *testing.T, text []byte) (contentKey, nonce, plaintext []byte) {
	t.Helper()
	var e encrypted
	if err := xml.Unmarshal(text, &e); err != nil {
		t.Fatal(err)
	}
	if e.Type != "http://www.w3.org/2001/04/xmlenc#Element" ||
		e.Method.Algorithm != "http://www.w3.org/2009/xmlenc11#aes256-gcm" ||
		e.Key.Method.Algorithm != "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p" ||
		e.Key.Method.Digest.Algorithm != "http://www.w3.org/2000/09/xmldsig#sha1" {
		t.Fatalf("the algorithms are %+v", e)
	}
	contentKey = must(rsa.DecryptOAEP(sha1.New(), nil, reader(),
		must(base64.StdEncoding.DecodeString(e.Key.Value)), nil))
	sealed := must(base64.StdEncoding.DecodeString(e.Value))
	gcm := must(cipher.NewGCM(must(aes.NewCipher(contentKey))))
	return contentKey, sealed[:12], must(gcm.Open(nil, sealed[:12], sealed[12:], nil))
}

func TestEncrypt_RoundTrip(t *testing.T) {
	key := publicPEM(&reader().PublicKey)
	for _, text := range []string{"", "<a/>", "<a>é 😀 ]]&gt;</a>",
		strings.Repeat("<b></b>", 20_000)} {
		element := []byte(text)
		_, _, plaintext := parts(t, must(samldoc.Encrypt(element, key, rand.Reader)))
		if string(plaintext) != text || string(element) != text {
			t.Errorf("%.40q became %.40q, and the caller's %.40q", text, plaintext, element)
		}
	}
}

// TestEncrypt_FreshKeys holds that no key and no nonce serves twice.
func TestEncrypt_FreshKeys(t *testing.T) {
	key, seen := publicPEM(&reader().PublicKey), map[string]bool{}
	for range 50 {
		contentKey, nonce, _ := parts(t, must(samldoc.Encrypt([]byte("<a/>"), key, rand.Reader)))
		if len(contentKey) != 32 || seen[string(contentKey)] || seen[string(nonce)] {
			t.Fatalf("a key of %d bytes, or one or its nonce for the second time", len(contentKey))
		}
		seen[string(contentKey)], seen[string(nonce)] = true, true
	}
}

// TestEncrypt_RandomNumbers holds that all that is secret comes from the given source, in the
// documented order, and that with too few of them nothing is encrypted.
func TestEncrypt_RandomNumbers(t *testing.T) {
	key := publicPEM(&reader().PublicKey)
	random := make([]byte, 64)
	for i := range random {
		random[i] = byte(i)
	}
	first := must(samldoc.Encrypt([]byte("<a/>"), key, bytes.NewReader(random)))
	contentKey, nonce, _ := parts(t, first)
	if !bytes.Equal(contentKey, random[:32]) || !bytes.Equal(nonce, random[32:44]) {
		t.Errorf("the key is %x, the nonce %x", contentKey, nonce)
	}
	if again := must(samldoc.Encrypt(
		[]byte("<a/>"), key, bytes.NewReader(random))); !bytes.Equal(again, first) {
		t.Errorf("the same random numbers give\n%s and\n%s", first, again)
	}
	changed := bytes.Clone(random)
	changed[63] ^= 1
	if other := must(samldoc.Encrypt(
		[]byte("<a/>"), key, bytes.NewReader(changed))); bytes.Equal(other, first) {
		t.Error("the last random number changes nothing: OAEP's seed is not random")
	}
	broken := errors.New("no entropy")
	for n := range random {
		text, err := samldoc.Encrypt([]byte("<a/>"), key,
			io.MultiReader(bytes.NewReader(random[:n]), iotest.ErrReader(broken)))
		if text != nil || !errors.Is(err, broken) {
			t.Errorf("with %d random numbers: %s, %v", n, text, err)
		}
	}
}
