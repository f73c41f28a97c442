package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"testing"

	"github.com/seed055b7978/delegation"
)

// TestExchange runs the README's program as far as it goes without an issuer: its configuration is good, and nonsense is refused.
func TestExchange(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, der []byte) string {
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	certificateFile := write("signing.crt", "CERTIFICATE", certificate)
	keyFile := write("signing.key", "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key))
	if _, err := exchange(t.Context(), "not a token", certificateFile, keyFile); !errors.Is(err, delegation.CodeTokenMalformed) {
		t.Errorf("got %v", err)
	}
}
