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
	t := make(KeyText, 0, 256).Number(int64(len(lists)))
	for _, list := range lists {
		t = t.Texts(list)
	}
	return t.Key()
}

// KeyText is what a Key is made of, while it is written. Every text and every list has its length
// in front, so no two different sequences of the same steps become the same bytes, whatever the
// texts hold and wherever one ends and the next begins. Each method returns a longer KeyText, as
// append does.
type KeyText []byte

// Number appends a number.
func (t KeyText) Number(n int64) KeyText { return binary.BigEndian.AppendUint64(t, uint64(n)) }

// Text appends a text.
func (t KeyText) Text(s string) KeyText { return append(t.Number(int64(len(s))), s...) }

// Texts appends a list of texts.
func (t KeyText) Texts(list []string) KeyText {
	t = t.Number(int64(len(list)))
	for _, s := range list {
		t = t.Text(s)
	}
	return t
}

// Key returns the Key of all that was written.
func (t KeyText) Key() Key { return sha256.Sum256(t) }

// String is the key in hexadecimal.
func (k Key) String() string { return hex.EncodeToString(k[:]) }
