//go:build aws

package awslive

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// TestAWS_Keys makes the keys and the metadata that the script gives to IAM, in the folder that
// DELEGATION_AWS_KEYS names. It makes no network calls.
func TestAWS_Keys(t *testing.T) {
	folder := os.Getenv("DELEGATION_AWS_KEYS")
	if folder == "" {
		t.Fatal("run awslive/run, which sets DELEGATION_AWS_KEYS")
	}
	rsaKey := must(t)(rsa.GenerateKey(rand.Reader, 2048))
	ecdsaKey := must(t)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	for name, key := range map[string]crypto.Signer{"rsa": rsaKey, "ecdsa": ecdsaKey} {
		pair, err := newKeyPair(key, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		write(t, folder, name+".key",
			pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
		write(t, folder, name+".crt",
			pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.certificate}))
		write(t, folder, name+".xml",
			[]byte(metadata(os.Getenv("DELEGATION_AWS_ENTITY_ID"), pair.certificate)))
	}
}

// TestAWS_OpenQuestions asks AWS, and writes the answers to the file that DELEGATION_AWS_ANSWERS
// names.
func TestAWS_OpenQuestions(t *testing.T) {
	s, err := fromEnvironment(os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	folder := os.Getenv("DELEGATION_AWS_KEYS")
	s.rsa = read(t, folder, "rsa")
	s.ecdsa = read(t, folder, "ecdsa")
	s.other, err = newKeyPair(must(t)(rsa.GenerateKey(rand.Reader, 2048)), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	client := sts.New(sts.Options{
		Region:      s.region,
		Credentials: aws.AnonymousCredentials{}, // as the library calls it
	})
	answers, err := run(t.Context(), client, s, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	file := os.Getenv("DELEGATION_AWS_ANSWERS")
	if err := os.WriteFile(file, []byte(s.report(answers, time.Now())), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d answers are in %s", len(answers), file)
}

func must(t *testing.T) func(key crypto.Signer, err error) crypto.Signer {
	return func(key crypto.Signer, err error) crypto.Signer {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
}

func write(t *testing.T, folder, name string, text []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(folder, name), text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// read reads a key and its certificate.
func read(t *testing.T, folder, name string) keyPair {
	t.Helper()
	block := func(file string) []byte {
		text, err := os.ReadFile(filepath.Join(folder, file))
		if err != nil {
			t.Fatal(err)
		}
		found, _ := pem.Decode(text)
		if found == nil {
			t.Fatalf("%s is not PEM", file)
		}
		return found.Bytes
	}
	key, err := x509.ParsePKCS8PrivateKey(block(name + ".key"))
	if err != nil {
		t.Fatal(err)
	}
	return keyPair{key.(crypto.Signer), block(name + ".crt")}
}
