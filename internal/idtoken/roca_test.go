package idtoken_test

import (
	"crypto/rand"
	"crypto/rsa"
	"math/big"
	"testing"

	"github.com/seed055b7978/delegation/internal/idtoken"
)

func TestHasROCAFingerprint(t *testing.T) {
	// What the broken generator makes: a product of two numbers k·M + 65537^a mod M, M the product
	// of the first primes.
	m := big.NewInt(1)
	for _, prime := range []int64{2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59,
		61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109,
		113, 127, 131, 137, 139, 149, 151, 157, 163, 167} {
		m.Mul(m, big.NewInt(prime))
	}
	weak := func(k, a int64) *big.Int {
		n := new(big.Int).Exp(big.NewInt(65537), big.NewInt(a), m)
		return n.Add(n, new(big.Int).Mul(big.NewInt(k), m))
	}
	if !idtoken.HasROCAFingerprint(new(big.Int).Mul(weak(1234567, 89), weak(7654321, 4711))) {
		t.Error("a modulus of the broken generator is not recognised")
	}
	for range 3 {
		key, err := rsa.GenerateKey(rand.Reader, 1024)
		if err != nil {
			t.Fatal(err)
		}
		if idtoken.HasROCAFingerprint(key.N) {
			t.Error("a good modulus is taken for a bad one")
		}
	}
}
