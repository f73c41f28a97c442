package config

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/signer"
)

// signerKey returns a signing key that stays in a key service; false: something is wrong with it. A
// builder that only returns an identity reads the certificate, and calls no service.
func (b *Builder) signerKey(at KeyPath, k KeySettings) (key delegation.SigningKey, ok bool) {
	if k.KeyFile != "" {
		b.Wrong(at, errors.New("has key_file and signer: remove one of them"))
		return key, false
	}
	before := len(b.problems)
	text := b.file(at.Child("certificate_file"), k.CertificateFile)
	if len(b.problems) > before {
		return key, false
	}
	certificate, err := firstCertificate(text)
	if err != nil {
		b.Wrong(at.Child("certificate_file"), err)
		return key, false
	}
	if b.context == nil {
		return delegation.SigningKey{
			Signer:      signer.Absent(certificate.PublicKey),
			Certificate: certificate,
		}, true
	}
	opened, err := b.openSigner(k, certificate)
	if err != nil {
		b.Wrong(at.Child("signer"), err)
		return key, false
	}
	if public, isRSA := opened.Public().(*rsa.PublicKey); !isRSA ||
		!public.Equal(certificate.PublicKey) {
		b.Wrong(at, errors.New("the certificate does not belong to the key of signer: make its "+
			"certificate with delegation keygen --signer, or correct signer"))
		return key, false
	}
	return delegation.SigningKey{Signer: opened, Certificate: certificate}, true
}

// firstCertificate parses the first block of a PEM file. The certificates of its issuers may
// follow.
func firstCertificate(text []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("does not begin with a CERTIFICATE in PEM: make one with " +
			"delegation keygen --signer")
	}
	return x509.ParseCertificate(block.Bytes)
}

// openSigner opens the key, unless another entry or the service before has opened it already. Open
// keys are told apart by their public keys too, because an alias can be moved to another key.
func (b *Builder) openSigner(k KeySettings, certificate *x509.Certificate) (crypto.Signer, error) {
	program := k.SignerProgram
	if program != "" {
		program = b.from.resolve(program)
	}
	timeout := b.programTimeout(k.Signer)
	name := fmt.Sprintf("%q %q %s %x",
		k.Signer, program, timeout, sha256.Sum256(certificate.RawSubjectPublicKeyInfo))
	if known, ok := b.signers[name]; ok {
		return known, nil
	}
	if b.before != nil {
		if known, ok := b.before.Parts.Signers[name]; ok && !known.Ended() {
			b.signers[name] = known
			return known, nil
		}
	}
	opened, err := signer.Open(b.context, signer.Key{
		URI:     k.Signer,
		Program: program,
		Timeout: timeout,
		Logger:  b.logger,
	})
	if err != nil {
		return nil, err
	}
	b.signers[name] = opened
	return opened, nil
}

// programTimeout is how long a signature of a program may take, if that is longer than by default.
// It is part of what a program was started with, so it is 0 whenever it makes no difference.
func (b *Builder) programTimeout(uri string) time.Duration {
	timeout, err := time.ParseDuration(b.signingTimeout)
	if err != nil || timeout <= signer.DefaultTimeout || strings.HasPrefix(uri, "awskms:") {
		return 0
	}
	return timeout
}

// closeSigners closes the signers that are not needed, because something else is wrong.
func (b *Builder) closeSigners() {
	var kept []service.Signer
	if b.before != nil {
		for _, known := range b.before.Parts.Signers {
			kept = append(kept, known)
		}
	}
	for _, opened := range b.signers {
		if !slices.Contains(kept, opened) {
			_ = opened.Close()
		}
	}
}

// passing tells whether all problems are temporary, as those of a key service can be.
func passing(problems []error) bool {
	return !slices.ContainsFunc(problems, func(problem error) bool {
		var known *signer.Error
		return !errors.As(problem, &known) || !known.Temporary
	})
}
