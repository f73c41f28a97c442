package main

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationtest"
)

// The user, the target and the rest of the set-up in all measurements.
const (
	issuerURL = "https://tenant.eu.auth0.com/"
	clientID  = "bL3sQb8uVxGtEhQnRkYzT0aW5mJdPcXo" // audience and target
	subject   = "auth0|5f7c8ec7c33c6c004bbafe82"
	email     = "alice.liddell@example.com"
	keyID     = "NjVBRjY5MDlCMUIwNzU4RTA2Q"

	entityID  = "urn:tenant.eu.auth0.com"
	principal = "arn:aws:iam::123456789012:saml-provider/delegation"
	role      = "arn:aws:iam::123456789012:role/photo-user"
	region    = "eu-central-1"
)

// Sizes of tokens.
const (
	realLength    = 1093 // characters of the token with 16 claims
	pictureLength = 1    // fills the token up to that length
	manyClaims    = 400
	realPool      = 1000 // unseen tokens
	largePool     = 150
)

// world has the keys and tokens for all contenders. It is stored in a folder, so that the processes
// of one run share it.
type world struct {
	folder string
	issuer *rsa.PrivateKey
	key    delegation.SigningKey
	jwks   []byte
	// real are tokens of 16 claims and 1,093 characters, as Auth0 issues them, all of one user.
	real []string
}

// openWorld reads the world from a folder, or creates one there.
func openWorld(folder string) (*world, error) {
	w := &world{folder: folder}
	_, err := os.Stat(w.path("issuer.key"))
	if errors.Is(err, fs.ErrNotExist) {
		err = w.makeFiles()
	}
	if err != nil {
		return nil, err
	}
	return w, w.read()
}

func (w *world) path(name string) string { return filepath.Join(w.folder, name) }

func (w *world) write(name string, text []byte) error {
	return os.WriteFile(w.path(name), text, 0o600)
}

// makeFiles creates keys and tokens.
func (w *world) makeFiles() error {
	w.issuer = delegationtest.IssuerKey()
	der, err := x509.MarshalPKCS8PrivateKey(w.issuer)
	if err != nil {
		return err
	}
	issuerPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	certificatePEM, keyPEM := delegationtest.SigningKeyPEM()
	var real, large strings.Builder
	for i := range realPool {
		fmt.Fprintln(&real, w.sign(realClaims(i)))
	}
	for i := range largePool {
		fmt.Fprintln(&large, w.sign(largeClaims(i, manyClaims)))
	}
	return errors.Join(
		w.write("signing.crt", certificatePEM),
		w.write("signing.key", keyPEM),
		w.write("real.txt", []byte(real.String())),
		w.write("large.txt", []byte(large.String())),
		w.write("keys.json", jwksOf(&w.issuer.PublicKey)),
		w.write("issuer.key", issuerPEM),
	)
}

// read reads the files of makeFiles.
func (w *world) read() error {
	files := map[string][]byte{}
	for _, name := range []string{
		"issuer.key", "signing.crt", "signing.key", "real.txt", "keys.json",
	} {
		text, err := os.ReadFile(w.path(name))
		if err != nil {
			return err
		}
		files[name] = text
	}
	block, _ := pem.Decode(files["issuer.key"])
	if block == nil {
		return errors.New("issuer.key is not PEM")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return err
	}
	w.issuer, _ = key.(*rsa.PrivateKey) // makeFiles has written exactly one
	w.key, err = delegation.ParseSigningKey(files["signing.crt"], files["signing.key"])
	if err != nil {
		return err
	}
	w.jwks = files["keys.json"]
	w.real = strings.Fields(string(files["real.txt"]))
	if n := len(w.real[0]); n != realLength {
		return fmt.Errorf("the real token has %d characters, not %d", n, realLength)
	}
	return nil
}

// large are tokens of 400 claims. They are read only when they are used, because the size of the
// heap determines how often garbage is collected.
func (w *world) large() ([]string, error) {
	text, err := os.ReadFile(w.path("large.txt"))
	return strings.Fields(string(text)), err
}

// claim is a member of the payload, in the order in which the issuer writes them.
type claim struct {
	name  string
	value any
}

// realClaims are the 16 claims of a token from Auth0. The number gives each token its own nonce.
func realClaims(number int) []claim {
	now := time.Now().Truncate(time.Hour)
	return []claim{
		{"https://example.com/groups", []string{"staff", "photo-editors", "berlin"}},
		{"https://example.com/app_metadata", map[string]any{"plan": "pro"}},
		{"nickname", "alice"},
		{"name", "Alice Liddell"},
		{"picture", "https://cdn.example.com/" + strings.Repeat("x", pictureLength)},
		{"updated_at", now.UTC().Format(time.RFC3339)},
		{"email", email},
		{"email_verified", true},
		{"amr", []string{"pwd", "mfa"}},
		{"iss", issuerURL},
		{"aud", clientID},
		{"iat", now.Unix()},
		{"exp", now.Add(36 * time.Hour).Unix()},
		{"sub", subject},
		{"sid", "ZkY3dVd4cU"},
		{"nonce", fmt.Sprintf("%010d", number)},
	}
}

// largeClaims are realClaims, followed by enough short claims to make n.
func largeClaims(number, n int) []claim {
	claims := realClaims(number)
	for i := len(claims); i < n; i++ {
		claims = append(claims, claim{
			fmt.Sprintf("https://example.com/claim-%03d", i),
			fmt.Sprintf("value %03d", i),
		})
	}
	return claims
}

// sign returns the token of the claims, signed with the issuer's key.
func (w *world) sign(claims []claim) string {
	header := `{"alg":"RS256","typ":"JWT","kid":"` + keyID + `"}`
	var payload strings.Builder
	for i, c := range claims {
		separator := ","
		if i == 0 {
			separator = "{"
		}
		value, err := json.Marshal(c.value)
		if err != nil {
			panic(err) // texts, numbers and booleans
		}
		fmt.Fprintf(&payload, "%s%q:%s", separator, c.name, value)
	}
	payload.WriteString("}")
	signed := encode([]byte(header)) + "." + encode([]byte(payload.String()))
	digest := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, w.issuer, crypto.SHA256, digest[:])
	if err != nil {
		panic(err) // cannot fail: the key is valid
	}
	return signed + "." + encode(signature)
}

func encode(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

// jwksOf is the key set of an issuer with one key.
func jwksOf(key *rsa.PublicKey) []byte {
	return fmt.Appendf(nil,
		`{"keys":[{"kty":"RSA","use":"sig","alg":"RS256","kid":%q,"n":%q,"e":%q}]}`,
		keyID, encode(key.N.Bytes()), encode(big.NewInt(int64(key.E)).Bytes()))
}
