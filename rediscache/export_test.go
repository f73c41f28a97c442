package rediscache

import "github.com/seed055b7978/delegation"

type (
	sealFunc func(c *delegation.Credentials, owner, key string) ([]byte, error)
	openFunc func(sealed []byte, owner, key string) (*delegation.Credentials, error)
)

// Sealer returns the functions that seal and open with the keys.
func Sealer(keys ...Key) (seal sealFunc, open openFunc, err error) {
	s, err := newSealer(keys)
	if err != nil {
		return nil, nil, err
	}
	return s.seal, s.open, nil
}
