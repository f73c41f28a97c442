//go:build openssl

// Command openssl signs SAML assertions with OpenSSL. On processors with AVX-512 IFMA, OpenSSL
// makes an RSA-2048 signature in a third of the time. It needs cgo and the headers of OpenSSL 3,
// which are in the package libssl-dev on Debian:
//
//	go run -tags openssl ./examples/openssl
//
// The build tag keeps cgo out of all other builds. To use it, copy signer.go.
package main

import (
	"context"
	"crypto"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationtest"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "openssl:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	world, err := delegationtest.Open() // an issuer and an STS on loopback
	if err != nil {
		return err
	}
	defer world.Close()
	key := delegationtest.SigningKey()
	inGo, err := privateKey(key)
	if err != nil {
		return err
	}
	inOpenSSL, err := newSigner(inGo)
	if err != nil {
		return err
	}
	key.Signer = inOpenSSL
	world.Config.IdentityProvider.Keys = []delegation.SigningKey{key}
	d, err := world.Start(ctx)
	if err != nil {
		return err
	}
	credentials, err := d.Exchange(ctx, world.Token(nil), delegationtest.Target)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "STS took the signature of OpenSSL for %s.\n", credentials.AssumedRoleARN)
	share, err := compare(inOpenSSL, inGo)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "Here OpenSSL takes %.2f of the time of crypto/rsa.\n", share)
	return nil
}

func privateKey(key delegation.SigningKey) (*rsa.PrivateKey, error) {
	private, ok := key.Signer.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("the key is not in memory")
	}
	return private, nil
}

// compare returns the time of one signer over that of another: the fastest of a hundred signatures
// of each, made in turn.
func compare(one, other crypto.Signer) (float64, error) {
	digest := make([]byte, crypto.SHA256.Size())
	var times [2][]time.Duration
	for range 100 {
		for i, s := range []crypto.Signer{one, other} {
			began := time.Now()
			if _, err := s.Sign(nil, digest, crypto.SHA256); err != nil {
				return 0, err
			}
			times[i] = append(times[i], time.Since(began))
		}
	}
	return float64(slices.Min(times[0])) / float64(slices.Min(times[1])), nil
}
