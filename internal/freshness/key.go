package freshness

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// Key names what is remembered, without telling what it is made of.
type Key [sha256.Size]byte

// KeyOf hashes lists of texts. No two different sequences of lists are hashed as the same bytes.
func KeyOf(lists ...[]string) Key {
	var space [256]byte
	t := NewKeyText(space[:0])
	t.Number(int64(len(lists)))
	for _, list := range lists {
		t.Texts(list)
	}
	return t.Key()
}

// KeyText is what a Key is made of, while it is written. Every text and every list has its length
// in front, so no two different sequences of the same steps become the same bytes, whatever the
// texts hold and wherever one ends and the next begins.
type KeyText struct{ text []byte }

// NewKeyText returns an empty KeyText that is written into the space.
func NewKeyText(space []byte) KeyText { return KeyText{space} }

// Number appends a number.
func (t *KeyText) Number(n int64) { t.text = binary.BigEndian.AppendUint64(t.text, uint64(n)) }

// Text appends a text.
func (t *KeyText) Text(s string) {
	t.Number(int64(len(s)))
	t.text = append(t.text, s...)
}

// Texts appends a list of texts.
func (t *KeyText) Texts(list []string) {
	t.Number(int64(len(list)))
	for _, s := range list {
		t.Text(s)
	}
}

// Key returns the Key of all that was written.
func (t *KeyText) Key() Key { return sha256.Sum256(t.text) }

// String is the key in hexadecimal.
func (k Key) String() string { return hex.EncodeToString(k[:]) }
