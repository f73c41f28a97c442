package ststest

import (
	"crypto"
	"crypto/rsa"
	_ "crypto/sha1"   // registers crypto.SHA1
	_ "crypto/sha256" // registers crypto.SHA256
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// The only algorithms accepted: those that AWS is known to accept from every
// identity provider, and SHA-1 if [Config.AllowSHA1] is set.
const (
	algExclusive = "http://www.w3.org/2001/10/xml-exc-c14n#"
	algEnveloped = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
	algRSASHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
	algRSASHA1   = "http://www.w3.org/2000/09/xmldsig#rsa-sha1"
	algSHA256    = "http://www.w3.org/2001/04/xmlenc#sha256"
	algSHA1      = "http://www.w3.org/2000/09/xmldsig#sha1"
)

var (
	signatureHashes = map[string]crypto.Hash{
		algRSASHA256: crypto.SHA256,
		algRSASHA1:   crypto.SHA1,
	}
	digestHashes = map[string]crypto.Hash{
		algSHA256: crypto.SHA256,
		algSHA1:   crypto.SHA1,
	}
)

// errSHA1 becomes the Cause of the call.
var errSHA1 = errors.New("the signature is made with SHA-1: " +
	"sign with RSA-SHA256 and SHA-256, or set Config.AllowSHA1")

// A verifier checks signatures with the keys of the registered metadata, never
// with those of KeyInfo.
type verifier struct {
	keys      []*rsa.PublicKey
	allowSHA1 bool
}

// hashOf returns the hash of a SignatureMethod or DigestMethod, which has no
// parameters.
func (v verifier) hashOf(method *node, known map[string]crypto.Hash) (crypto.Hash, error) {
	algorithm, _ := method.attr("Algorithm")
	hash, ok := known[algorithm]
	if !ok || len(method.children) > 0 {
		return 0, fmt.Errorf("%s %q is not accepted", method.local, algorithm)
	}
	if hash == crypto.SHA1 && !v.allowSHA1 {
		return 0, errSHA1
	}
	return hash, nil
}

// digest returns the hash of b.
func digest(hash crypto.Hash, b []byte) []byte {
	h := hash.New()
	h.Write(b)
	return h.Sum(nil)
}

// findAssertion returns the only Assertion of a Response. Everything that
// signature wrapping needs is refused before a key is used: a second Assertion
// anywhere, an ID used twice, a Signature in an unusual place.
func findAssertion(response *node) (*node, error) {
	if !response.is(nsProtocol, "Response") {
		return nil, errors.New("the document is not a samlp:Response")
	}
	var (
		assertions int
		assertion  *node
		ids        = map[string]bool{}
		err        error
	)
	response.walk(func(n, parent *node) {
		switch {
		case n.is(nsAssertion, "Assertion"):
			if assertions++; parent == response {
				assertion = n
			}
		case n.is(nsAssertion, "EncryptedAssertion"):
			err = errors.New("an EncryptedAssertion that was not decrypted")
		case n.is(nsSignature, "Signature"):
			if parent != response && !(parent != nil && parent == assertion) {
				err = errors.New("a Signature outside the Response and the Assertion")
			}
		}
		for _, a := range n.attrs {
			if !a.isID() {
				continue
			}
			if ids[a.value] {
				err = errors.New("two elements share an ID")
			}
			ids[a.value] = true
		}
	})
	if err != nil {
		return nil, err
	}
	if assertions != 1 || assertion == nil {
		return nil, fmt.Errorf("%d assertions, want one, directly in the Response", assertions)
	}
	return assertion, nil
}

// isID reports whether an attribute is an ID in any spelling, or an xml:id.
func (a attribute) isID() bool {
	return a.space == "" && strings.EqualFold(a.local, "ID") || a.space == nsXML && a.local == "id"
}

// verify checks the enveloped signature of el. It returns the canonical bytes
// that were signed. A caller that reads only these bytes reads nothing unsigned.
func (v verifier) verify(el *node) ([]byte, error) {
	signature := el.only(nsSignature, "Signature")
	if signature == nil {
		return nil, errors.New("want exactly one Signature directly in the signed element")
	}
	parts, ok := children(signature, "SignedInfo", "SignatureValue", "KeyInfo?")
	if !ok {
		return nil, errors.New(
			"want SignedInfo, SignatureValue and at most one KeyInfo in the Signature")
	}
	info, err := v.readSignedInfo(parts[0], el)
	if err != nil {
		return nil, err
	}
	want, err := base64Of(info.digestValue)
	if err != nil {
		return nil, fmt.Errorf("DigestValue: %w", err)
	}
	signed := canonicalize(el, signature, info.prefixes)
	if subtle.ConstantTimeCompare(digest(info.digestHash, signed), want) != 1 {
		return nil, errors.New("the digest does not match the signed element")
	}
	value, err := base64Of(parts[1])
	if err != nil {
		return nil, fmt.Errorf("SignatureValue: %w", err)
	}
	said := digest(info.signatureHash, canonicalize(parts[0], nil, info.ownPrefixes))
	for _, key := range v.keys {
		if rsa.VerifyPKCS1v15(key, info.signatureHash, said, value) == nil {
			return signed, nil
		}
	}
	return nil, errors.New("no key of the registered metadata made the signature")
}

// signedInfo is what a SignedInfo says.
type signedInfo struct {
	ownPrefixes   []string // with which it is canonicalized itself
	signatureHash crypto.Hash

	signedReference
}

// signedReference is what the Reference of a SignedInfo says.
type signedReference struct {
	prefixes    []string // with which the signed element is canonicalized
	digestHash  crypto.Hash
	digestValue *node
}

// readSignedInfo reads the SignedInfo of a signature in el.
func (v verifier) readSignedInfo(n, el *node) (*signedInfo, error) {
	parts, ok := children(n, "CanonicalizationMethod", "SignatureMethod", "Reference")
	if !ok {
		return nil, errors.New(
			"want one CanonicalizationMethod, SignatureMethod and Reference in SignedInfo")
	}
	info := &signedInfo{}
	var err error
	if info.signatureHash, err = v.hashOf(parts[1], signatureHashes); err != nil {
		return nil, err
	}
	if info.ownPrefixes, err = exclusivePrefixes(parts[0]); err != nil {
		return nil, err
	}
	info.signedReference, err = v.readReference(parts[2], el)
	return info, err
}

// readReference reads a Reference, which must be to el.
func (v verifier) readReference(n, el *node) (r signedReference, err error) {
	id, _ := el.attr("ID")
	if uri, ok := n.attr("URI"); !ok || id == "" || uri != "#"+id {
		return r, errors.New("the reference is not to the ID of the element around the signature")
	}
	parts, ok := children(n, "Transforms", "DigestMethod", "DigestValue")
	if !ok {
		return r, errors.New("want Transforms, DigestMethod and DigestValue in the Reference")
	}
	r.digestValue = parts[2]
	if r.digestHash, err = v.hashOf(parts[1], digestHashes); err != nil {
		return r, err
	}
	r.prefixes, err = readTransforms(parts[0])
	return r, err
}

// readTransforms returns the prefixes of the second of the two transforms.
func readTransforms(n *node) ([]string, error) {
	parts, ok := children(n, "Transform", "Transform")
	if !ok {
		return nil, errors.New(
			"want the two transforms enveloped-signature and exclusive canonicalization")
	}
	if alg, _ := parts[0].attr("Algorithm"); alg != algEnveloped || len(parts[0].children) > 0 {
		return nil, fmt.Errorf("the first transform %q is not %s", alg, algEnveloped)
	}
	return exclusivePrefixes(parts[1])
}

// children returns the child elements of n if they are exactly the named
// elements of XML Signature, in order, with nothing but white space between
// them. The last name may end in "?" for an element that can be absent.
func children(n *node, names ...string) ([]*node, bool) {
	var found []*node
	for _, c := range n.children {
		if c.el != nil {
			found = append(found, c.el)
		} else if strings.Trim(c.text, xmlSpace) != "" {
			return nil, false
		}
	}
	last := len(names) - 1
	if optional, ok := strings.CutSuffix(names[last], "?"); ok {
		if names[last] = optional; len(found) == last {
			names = names[:last]
		}
	}
	if len(found) != len(names) {
		return nil, false
	}
	for i, name := range names {
		if !found[i].is(nsSignature, name) {
			return nil, false
		}
	}
	return found, true
}

// exclusivePrefixes checks that n asks for exclusive canonicalization without
// comments and returns its InclusiveNamespaces PrefixList, usually empty.
func exclusivePrefixes(n *node) ([]string, error) {
	if alg, _ := n.attr("Algorithm"); alg != algExclusive {
		return nil, fmt.Errorf("canonicalization %q is not %s", alg, algExclusive)
	}
	var prefixes []string
	for _, c := range n.children {
		if c.el == nil {
			continue
		}
		if !c.el.is(algExclusive, "InclusiveNamespaces") || prefixes != nil {
			return nil, fmt.Errorf("unexpected %s in a transform", c.el.local)
		}
		list, _ := c.el.attr("PrefixList")
		prefixes = append([]string{}, fields(list)...)
	}
	return prefixes, nil
}

// base64Of decodes the text of n, where XML Schema allows white space.
func base64Of(n *node) ([]byte, error) {
	s, ok := n.text()
	if !ok {
		return nil, errors.New("elements inside base64")
	}
	return base64.StdEncoding.Strict().DecodeString(strings.Join(fields(s), ""))
}
