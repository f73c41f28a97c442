package samldoc

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"slices"

	"github.com/seed055b7978/delegation/internal/guard"
)

// The constant parts of a signature: RSA-SHA256 over exclusive canonical XML. The text is canonical
// as well.
const (
	signatureNS   = "http://www.w3.org/2000/09/xmldsig#"
	exclusiveC14N = "http://www.w3.org/2001/10/xml-exc-c14n#"

	// SignedInfo is hashed alone, and then declares its namespace itself. Within Signature, which
	// declares it for all that is inside, it does not.
	signedInfoAlone  = `<ds:SignedInfo xmlns:ds="` + signatureNS + `">`
	signedInfoInside = `<ds:SignedInfo>`

	beforeID = `<ds:CanonicalizationMethod Algorithm="` + exclusiveC14N + `">` +
		`</ds:CanonicalizationMethod>` +
		`<ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256">` +
		`</ds:SignatureMethod>` +
		`<ds:Reference URI="#`
	beforeDigest = `"><ds:Transforms>` +
		`<ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature">` +
		`</ds:Transform>` +
		`<ds:Transform Algorithm="` + exclusiveC14N + `"></ds:Transform>` +
		`</ds:Transforms>` +
		`<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"></ds:DigestMethod>` +
		`<ds:DigestValue>`
	afterDigest = `</ds:DigestValue></ds:Reference></ds:SignedInfo>`

	beforeSignedInfo  = `<ds:Signature xmlns:ds="` + signatureNS + `">`
	beforeValue       = `<ds:SignatureValue>`
	beforeCertificate = `</ds:SignatureValue>` +
		`<ds:KeyInfo><ds:X509Data><ds:X509Certificate>`
	afterCertificate = `</ds:X509Certificate></ds:X509Data></ds:KeyInfo></ds:Signature>`
)

// sign inserts the enveloped signature into an assertion in canonical form. The assertion begins at
// start and is the rest of the text; the element Signature belongs at the position at.
func (r *Response) sign(
	ctx context.Context, text []byte, start, at int, id string,
) ([]byte, error) {
	digest := sha256.Sum256(text[start:])
	alone := make([]byte, 0, 1024) // it has 736 bytes
	alone = append(alone, signedInfoAlone...)
	alone = appendSignedInfo(alone, id, digest[:])
	value, err := r.signatureValue(ctx, sha256.Sum256(alone))
	if err != nil {
		return nil, err
	}
	size := r.signatureSize(len(value))
	end := len(text)
	text = slices.Grow(text, size)[:end+size]
	copy(text[at+size:], text[at:end])
	return r.appendSignature(text[:at], alone[len(signedInfoAlone):], value)[:end+size], nil
}

// appendSignature appends the element Signature, which has signatureSize bytes. SignedInfo comes
// without its start tag.
func (r *Response) appendSignature(to, signedInfo, value []byte) []byte {
	to = append(to, beforeSignedInfo...)
	to = append(to, signedInfoInside...)
	to = append(to, signedInfo...)
	to = append(to, beforeValue...)
	to = base64.StdEncoding.AppendEncode(to, value)
	to = append(to, beforeCertificate...)
	to = base64.StdEncoding.AppendEncode(to, r.Certificate.Raw)
	return append(to, afterCertificate...)
}

// appendSignedInfo appends SignedInfo without its start tag. The ID is one of elementID's, which
// needs no escapes; the digest is that of the assertion's canonical form.
func appendSignedInfo(to []byte, assertionID string, digest []byte) []byte {
	to = append(to, beforeID...)
	to = append(to, assertionID...)
	to = append(to, beforeDigest...)
	to = base64.StdEncoding.AppendEncode(to, digest)
	return append(to, afterDigest...)
}

// signatureSize is how many bytes the element Signature has, with a value of so many bytes.
func (r *Response) signatureSize(value int) int {
	const (
		markup = len(beforeSignedInfo) + len(signedInfoInside) +
			len(beforeID) + len(beforeDigest) + len(afterDigest) +
			len(beforeValue) + len(beforeCertificate) + len(afterCertificate)
		digest = (sha256.Size + 2) / 3 * 4
	)
	return markup + idLength + digest +
		base64.StdEncoding.EncodedLen(value) +
		base64.StdEncoding.EncodedLen(len(r.Certificate.Raw))
}

// valueSize is how many bytes the signer's signature has.
func (r *Response) valueSize() int {
	key, ok := r.Certificate.PublicKey.(*rsa.PublicKey)
	if !ok {
		return 0 // no signature will be made
	}
	return key.Size()
}

// signatureValue has the signer sign a digest.
func (r *Response) signatureValue(ctx context.Context, digest [sha256.Size]byte) ([]byte, error) {
	var value []byte
	err := r.call(ctx, func() (err error) {
		signer := NewCheckedSigner(r.Signer, r.Certificate.PublicKey)
		value, err = signer.SignContext(ctx, rand.Reader, digest[:], crypto.SHA256)
		return err
	})
	if err != nil { // the signer may still be running
		return nil, err
	}
	return value, nil
}

// call calls a function that calls the signer. An HSM or KMS can be slow and crypto.Signer has no
// context, so the caller can leave while the signer finishes. A key in memory cannot hang, and is
// too fast to be worth a goroutine.
func (r *Response) call(ctx context.Context, sign func() error) error {
	if r.Callees == nil {
		return guard.Call(sign)
	}
	switch r.Signer.(type) {
	case *rsa.PrivateKey, BlankSigner:
		if err := ctx.Err(); err != nil {
			return err
		}
		return guard.Call(sign)
	}
	return r.Callees.CallWithin(ctx, string(r.Certificate.Raw), sign)
}
