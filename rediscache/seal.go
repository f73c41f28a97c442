package rediscache

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"sync"

	"github.com/seed055b7978/delegation"
)

const (
	// keySize is the size of a secret in bytes, for AES-256.
	keySize = 32
	// maxSealed limits a sealed value in bytes, also when it is read. AWS's session tokens have up
	// to a few thousand.
	maxSealed = 64 << 10
	// purpose binds a value to this package and to this version of its form.
	purpose = "delegation/rediscache/1"
)

var idForm = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\A[A-Za-z0-9_.:-]{1,32}\z`)
})

// Key seals credentials in Redis. Its nonces are random, so change it before it has sealed 2^32
// values (NIST SP 800-38D §8.3).
type Key struct {
	// ID identifies the key. It is not secret: every sealed value begins with it. It has 1 to 32
	// letters, digits and _.:-, and is different for each key.
	ID string
	// Secret is 32 random bytes.
	Secret delegation.Secret
}

// sealer seals credentials with the first key, and opens them with any.
type sealer struct {
	first string // its ID
	keys  map[string]cipher.AEAD
}

func newSealer(keys []Key) (*sealer, error) {
	if len(keys) < 1 || len(keys) > 2 {
		return nil, wrong("Keys", "has %d keys, not one or two", len(keys))
	}
	s := &sealer{first: keys[0].ID, keys: map[string]cipher.AEAD{}}
	for i, key := range keys {
		secret := []byte(key.Secret.Reveal())
		if len(secret) != keySize || !idForm().MatchString(key.ID) || s.keys[key.ID] != nil {
			const needs = "needs an ID of its own, 1 to 32 letters, digits and _.:-, " +
				"and a Secret of %d bytes, has %d"
			return nil, wrong(fmt.Sprintf("Keys[%d]", i), needs, keySize, len(secret))
		}
		block, err := aes.NewCipher(secret)
		if err != nil {
			return nil, err
		}
		// The nonce has 96 bits and is written before the text.
		s.keys[key.ID], err = cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return nil, err
		}
	}
	return s, nil
}

// bound returns the data to which a value is bound: the place of the value, and the key's ID, which
// is not encrypted.
func bound(id, owner, key string) []byte {
	text, _ := json.Marshal([]string{purpose, id, owner, key}) // unambiguous, and cannot fail
	return text
}

// plain is the content of a sealed value. It has the two secrets as texts, because those in
// Credentials are written as redacted.
type plain struct {
	delegation.Credentials
	SecretAccessKey string
	SessionToken    string
}

// seal returns the length of the key's ID, the ID, the nonce and the sealed credentials.
func (s *sealer) seal(c *delegation.Credentials, owner, key string) ([]byte, error) {
	text, err := json.Marshal(plain{
		Credentials:     *c,
		SecretAccessKey: c.SecretAccessKey.Reveal(),
		SessionToken:    c.SessionToken.Reveal(),
	})
	if err != nil {
		// err is left out, because it might quote the credentials.
		return nil, errors.New("the credentials cannot be written")
	}
	front := append([]byte{byte(len(s.first))}, s.first...)
	sealed := s.keys[s.first].Seal(front, nil, text, bound(s.first, owner, key))
	if len(sealed) > maxSealed {
		const tooLong = "the sealed credentials have %d bytes, more than %d"
		return nil, fmt.Errorf(tooLong, len(sealed), maxSealed)
	}
	return sealed, nil
}

// open is the reverse of seal. No error quotes the content.
func (s *sealer) open(sealed []byte, owner, key string) (*delegation.Credentials, error) {
	if len(sealed) < 1 || len(sealed) < 1+int(sealed[0]) {
		return nil, fmt.Errorf("%d bytes are not sealed credentials", len(sealed))
	}
	end := 1 + int(sealed[0])
	id := string(sealed[1:end])
	aead := s.keys[id]
	if aead == nil {
		return nil, fmt.Errorf("sealed with the key %.40q, which is not configured", id)
	}
	text, err := aead.Open(nil, nil, sealed[end:], bound(id, owner, key))
	if err != nil {
		return nil, fmt.Errorf("not sealed here with the key %.40q, or changed", id)
	}
	var p plain
	if json.Unmarshal(text, &p) != nil {
		return nil, errors.New("what was sealed cannot be read: perhaps by another version")
	}
	c := p.Credentials
	c.SecretAccessKey = delegation.NewSecret(p.SecretAccessKey)
	c.SessionToken = delegation.NewSecret(p.SessionToken)
	return &c, nil
}
