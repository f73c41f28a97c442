package rediscache

import "github.com/seed055b7978/delegation"

// Sealer returns what seals and opens with the keys.
func Sealer(keys ...Key) (seal func(c *delegation.Credentials, owner, key string) ([]byte, error), open func(sealed []byte, owner, key string) (*delegation.Credentials, error), err error) {
	s, err := newSealer(keys)
	if err != nil {
		return nil, nil, err
	}
	return s.seal, s.open, nil
}
