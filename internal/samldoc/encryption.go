package samldoc

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Bounds of the RSA key, in bits. The upper one keeps a mistaken key from slowing down every call.
const (
	minEncryptionBits = 2048 // NIST SP 800-131A: no key transport with fewer
	maxEncryptionBits = 8192
)

// CheckEncryptionKey tells what is wrong with a key that [Encrypt] would not take. The key must be
// one PEM block PUBLIC KEY, as openssl pkey -pubout writes it, with an RSA key of 2048 to 8192
// bits. A private key is refused, because it belongs to the reader alone. The error quotes nothing.
func CheckEncryptionKey(publicPEM string) error {
	_, err := parseEncryptionKey(publicPEM)
	return err
}

func parseEncryptionKey(text string) (*rsa.PublicKey, error) {
	block, rest := pem.Decode([]byte(text))
	switch {
	case block == nil:
		return nil, errors.New("it is not PEM")
	case strings.Contains(block.Type, "PRIVATE KEY"):
		return nil, errors.New("it is a private key, and only its public half belongs here")
	case block.Type != "PUBLIC KEY" || strings.TrimSpace(string(rest)) != "":
		return nil, errors.New("it is not one PEM block of the type PUBLIC KEY")
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	key, ok := parsed.(*rsa.PublicKey)
	switch {
	case err != nil:
		return nil, errors.New("the PEM block holds no public key")
	case !ok || !isSound(key):
		return nil, fmt.Errorf(
			"it is not an RSA key of %d to %d bits", minEncryptionBits, maxEncryptionBits)
	}
	return key, nil
}

// isSound tells whether a key has an accepted size, and can be an RSA key at all: modulus and
// exponent are odd.
func isSound(key *rsa.PublicKey) bool {
	bits := key.N.BitLen()
	return bits >= minEncryptionBits && bits <= maxEncryptionBits && key.N.Bit(0) == 1 &&
		key.E >= 3 && key.E%2 == 1
}

// envelope is EncryptedData around the encrypted element, with the encrypted key inside, where
// every reader looks for it. OAEP uses SHA-1 for its digest and its mask generation. This is
// RSA-OAEP as XML Encryption 1.0 defines it, and the only kind that xmlsec1 1.2 reads. OAEP does
// not need a hash without collisions.
const envelope = `<xenc:EncryptedData xmlns:xenc="http://www.w3.org/2001/04/xmlenc#"` +
	` Type="http://www.w3.org/2001/04/xmlenc#Element">` +
	`<xenc:EncryptionMethod Algorithm="http://www.w3.org/2009/xmlenc11#aes256-gcm">` +
	`</xenc:EncryptionMethod>` +
	`<ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><xenc:EncryptedKey>` +
	`<xenc:EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p">` +
	`<ds:DigestMethod Algorithm="http://www.w3.org/2000/09/xmldsig#sha1"></ds:DigestMethod>` +
	`</xenc:EncryptionMethod>` +
	`<xenc:CipherData><xenc:CipherValue>%s</xenc:CipherValue></xenc:CipherData>` +
	`</xenc:EncryptedKey></ds:KeyInfo>` +
	`<xenc:CipherData><xenc:CipherValue>%s</xenc:CipherValue></xenc:CipherData>` +
	`</xenc:EncryptedData>`

// Encrypt encrypts an XML element for the holder of an RSA key (XML Encryption 1.1): the element
// with AES-256-GCM under a new key, and that key with RSA-OAEP. AWS lists this combination, and
// xmlsec1 reads it. It returns the text of an EncryptedData element in place of the element. The
// encrypted element must declare every namespace it uses, because it is parsed separately. All that
// is secret comes from random, 32, 12 and 20 bytes in this order.
func Encrypt(element []byte, publicPEM string, random io.Reader) ([]byte, error) {
	key, err := parseEncryptionKey(publicPEM)
	if err != nil {
		return nil, err
	}
	secret := make([]byte, 32+12) // the AES key and, for its only message, the nonce
	if _, err := io.ReadFull(random, secret); err != nil {
		return nil, fmt.Errorf("no random numbers: %w", err)
	}
	contentKey := secret[:32]
	nonce := secret[32:]
	block, err := aes.NewCipher(contentKey)
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	wrapped, err := rsa.EncryptOAEP(sha1.New(), random, key, contentKey, nil)
	if err != nil {
		return nil, err
	}
	// XML Encryption 1.1 §5.2.4: nonce, ciphertext, tag
	sealed := gcm.Seal(nonce, nonce, element, nil)
	encode := base64.StdEncoding.EncodeToString
	return fmt.Appendf(nil, envelope, encode(wrapped), encode(sealed)), nil
}
