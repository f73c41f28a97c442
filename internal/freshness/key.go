package freshness

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// Key names what is remembered, without telling what it is made of.
type Key [sha256.Size]byte

// KeyOf hashes lists of texts. Every list and every text has its length in front, so no two
// different sequences of lists are hashed as the same bytes, whatever the texts hold and wherever
// one ends and the next begins.
func KeyOf(lists ...[]string) (key Key) {
	var text []byte
	number := func(n int) { text = binary.BigEndian.AppendUint64(text, uint64(n)) }
	number(len(lists))
	for _, list := range lists {
		number(len(list))
		for _, s := range list {
			number(len(s))
			text = append(text, s...)
		}
	}
	return sha256.Sum256(text)
}

// String is the key in hexadecimal.
func (k Key) String() string { return hex.EncodeToString(k[:]) }
