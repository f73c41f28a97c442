package rediscache

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"

	"github.com/seed055b7978/delegation"
)

const (
	keySize   = 32       // bytes: AES-256
	maxSealed = 64 << 10 // bytes of a sealed value, and no more are read; AWS's session tokens have up to a few thousand
	purpose   = "delegation/rediscache/1"
)

var idForm = regexp.MustCompile(`\A[A-Za-z0-9_.:-]{1,32}\z`)

// Key seals credentials in Redis. Its nonces are random, so change it before it has sealed 2^32 values (NIST SP 800-38D §8.3).
type Key struct {
	ID     string            // stands in the clear before every value: 1 to 32, another for each key: letters, digits and _.:-
	Secret delegation.Secret // 32 random bytes
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
	s := &sealer{keys[0].ID, map[string]cipher.AEAD{}}
	for i, key := range keys {
		secret := []byte(key.Secret.Reveal())
		if len(secret) != keySize || !idForm.MatchString(key.ID) || s.keys[key.ID] != nil {
			return nil, wrong(fmt.Sprintf("Keys[%d]", i), "needs an ID of its own, 1 to 32 letters, digits and _.:-, and a Secret of %d bytes, has %d", keySize, len(secret))
		}
		block, err := aes.NewCipher(secret)
		if err != nil {
			return nil, err
		}
		if s.keys[key.ID], err = cipher.NewGCMWithRandomNonce(block); err != nil { // 96 bits, in front of the text
			return nil, err
		}
	}
	return s, nil
}

// bound is what a value is bound to: the place where it was put, and the key's ID, because that is in the clear.
func bound(id, owner, key string) []byte {
	text, _ := json.Marshal([]string{purpose, id, owner, key}) // unambiguous, and cannot fail
	return text
}

// plain is what is sealed. The two secrets stand beside the credentials, whose own print as redacted.
type plain struct {
	delegation.Credentials
	SecretAccessKey, SessionToken string
}

// seal returns the length of the key's ID, the ID, the nonce and the sealed credentials.
func (s *sealer) seal(c *delegation.Credentials, owner, key string) ([]byte, error) {
	text, err := json.Marshal(plain{*c, c.SecretAccessKey.Reveal(), c.SessionToken.Reveal()})
	if err != nil {
		return nil, errors.New("the credentials cannot be written") // the error might quote them
	}
	front := append([]byte{byte(len(s.first))}, s.first...)
	sealed := s.keys[s.first].Seal(front, nil, text, bound(s.first, owner, key))
	if len(sealed) > maxSealed {
		return nil, fmt.Errorf("the sealed credentials have %d bytes, more than %d", len(sealed), maxSealed)
	}
	return sealed, nil
}

// open is the reverse of seal. No error quotes what was sealed.
func (s *sealer) open(sealed []byte, owner, key string) (*delegation.Credentials, error) {
	if len(sealed) < 1 || len(sealed) < 1+int(sealed[0]) {
		return nil, fmt.Errorf("%d bytes are no sealed credentials", len(sealed))
	}
	end := 1 + int(sealed[0])
	id, rest := string(sealed[1:end]), sealed[end:]
	aead := s.keys[id]
	if aead == nil {
		return nil, fmt.Errorf("sealed with the key %.40q, which is not configured", id)
	}
	text, err := aead.Open(nil, nil, rest, bound(id, owner, key))
	if err != nil {
		return nil, fmt.Errorf("not sealed here with the key %.40q, or changed", id)
	}
	var p plain
	if json.Unmarshal(text, &p) != nil {
		return nil, errors.New("what was sealed cannot be read: perhaps by another version")
	}
	c := p.Credentials
	c.SecretAccessKey, c.SessionToken = delegation.NewSecret(p.SecretAccessKey), delegation.NewSecret(p.SessionToken)
	return &c, nil
}
