//go:build openssl

package main

/*
#cgo LDFLAGS: -lcrypto
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>

// sign_sha256 makes a PKCS #1 v1.5 signature of a SHA-256 digest. Each call has its own context, so
// that several threads can use one key. It returns 1 on success, as OpenSSL does.
static int sign_sha256(EVP_PKEY *key, const unsigned char *digest, size_t digest_length,
                       unsigned char *signature, size_t *length) {
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
	int ok = context != NULL
		&& EVP_PKEY_sign_init(context) > 0
		&& EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) > 0
		&& EVP_PKEY_CTX_set_signature_md(context, EVP_sha256()) > 0
		&& EVP_PKEY_sign(context, signature, length, digest, digest_length) > 0;
	EVP_PKEY_CTX_free(context);
	return ok;
}

// wipe overwrites and frees memory that C.CBytes has made. Compilers cannot optimize
// OPENSSL_cleanse away.
static void wipe(void *memory, size_t length) {
	OPENSSL_cleanse(memory, length);
	free(memory);
}
*/
import "C"

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"io"
	"runtime"
)

// signer signs with OpenSSL. It is safe for concurrent use.
type signer struct {
	key    *C.EVP_PKEY
	public *rsa.PublicKey
}

// newSigner copies a private key into OpenSSL's memory, which is freed with the signer.
func newSigner(private *rsa.PrivateKey) (*signer, error) {
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, err
	}
	defer clear(der)
	text := C.CBytes(der)
	defer C.wipe(text, C.size_t(len(der)))
	next := (*C.uchar)(text)
	key := C.d2i_AutoPrivateKey(nil, &next, C.long(len(der)))
	if key == nil {
		return nil, errors.New("OpenSSL does not read the private key")
	}
	s := &signer{key: key, public: &private.PublicKey}
	runtime.AddCleanup(s, func(key *C.EVP_PKEY) { C.EVP_PKEY_free(key) }, key)
	return s, nil
}

// Public implements crypto.Signer.
func (s *signer) Public() crypto.PublicKey { return s.public }

// Sign implements crypto.Signer, as far as delegation needs it: SHA-256 and PKCS #1 v1.5. It uses
// no random numbers. delegation checks each signature before it sends it.
func (s *signer) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	_, pss := opts.(*rsa.PSSOptions)
	if pss || opts.HashFunc() != crypto.SHA256 || len(digest) != sha256.Size {
		return nil, errors.New("this signer signs SHA-256 digests with PKCS #1 v1.5, and no others")
	}
	signature := make([]byte, s.public.Size())
	length := C.size_t(len(signature))
	ok := C.sign_sha256(s.key, (*C.uchar)(&digest[0]), C.size_t(len(digest)),
		(*C.uchar)(&signature[0]), &length)
	runtime.KeepAlive(s) // or its key might be freed meanwhile
	if ok != 1 {
		return nil, errors.New("OpenSSL does not sign")
	}
	return signature[:length], nil
}
