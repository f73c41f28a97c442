package oidctest

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
)

// The documents that a [Provider] serves.
const (
	DiscoveryPath = "/.well-known/openid-configuration"
	KeySetPath    = "/jwks.json"
)

// Garbage is in the body of every answer that [Faults.Status] and
// [Faults.Malformed] spoil. A test can look for it in errors and logs, where
// the body of an answer has no place.
const Garbage = "oidctest-garbage-that-nobody-may-repeat"

// Key IDs of the keys that faults add to the key set.
const (
	UnknownKeyID   = "unknown"   // of Faults.UnknownKeyType
	SymmetricKeyID = "symmetric" // of Faults.SymmetricKey
)

// oversize is one byte more than a reader with a limit of 1 MiB takes.
const oversize = 1<<20 + 1

// Faults make a provider misbehave. The zero value is a healthy provider.
// Faults combine. Of those that replace the whole answer, the first in the
// order below wins.
type Faults struct {
	// Only limits Hang, Redirect, Status, Malformed and Oversize to one
	// document, DiscoveryPath or KeySetPath. Empty means both.
	Only string

	// Hang holds every request until its context ends, and then returns without
	// an answer. A change by [Provider.SetFaults] lets the waiting requests
	// continue with the new faults. A server cannot close before they end.
	Hang bool
	// Redirect answers 302 to this URL. Empty means off.
	Redirect string
	// Status answers with this status and a body that holds [Garbage]. Zero
	// means off; other values must be from 200 to 999.
	Status int
	// Malformed answers 200 with the document cut before its last byte, and
	// [Garbage] after it.
	Malformed bool
	// Oversize answers with exactly 1 MiB + 1 byte: the document followed by
	// spaces. It is valid JSON as a whole, and also if a reader cuts it at 1 MiB.
	Oversize bool

	// Issuer is the issuer of the discovery document in place of the true one,
	// which tokens keep. Empty means off.
	Issuer string
	// JWKSURL is the jwks_uri of the discovery document. Empty means the
	// provider's own.
	JWKSURL string

	// UnknownKeyType puts a key with an unknown kty first in the key set, under
	// [UnknownKeyID].
	UnknownKeyType bool
	// SymmetricKey puts an oct key that holds [Config.Secret] first in the key
	// set, under [SymmetricKeyID].
	SymmetricKey bool
	// DuplicateKeyID puts another key of the same algorithm first in the key
	// set, under the ID of the key that signs now. It has no effect under the HS
	// algorithms, which publish no key.
	DuplicateKeyID bool
	// OmitAlg leaves alg out of every key.
	OmitAlg bool
}

// SetFaults replaces the faults. The zero value heals.
func (p *Provider) SetFaults(faults Faults) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if faults.DuplicateKeyID && p.decoy == nil && p.current.signer != nil {
		decoy, err := generateKey(p.config.Algorithm)
		if err != nil {
			panic(err) // New made a key of this algorithm's kind, so this cannot fail
		}
		p.decoy = decoy
	}
	p.faults = faults
	close(p.changed)
	p.changed = make(chan struct{})
}

// Fetches returns how many GET requests for each document have come so far,
// those that met a fault included. Requests answered 401, 404 or 405 do not count.
func (p *Provider) Fetches() (discovery, keySet int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fetches[DiscoveryPath], p.fetches[KeySetPath]
}

// KeySet returns the key set document as it is served now, with the keys that
// faults add or change. Faults that replace the whole answer are not in it.
func (p *Provider) KeySet() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.keySet()
}

// ServeHTTP answers GET for [DiscoveryPath] and [KeySetPath], or for the paths
// that the documents of the [Profile] have. Another method gets 405 and another
// path 404. Without an issuer there is no discovery document, and the answer is
// 500.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	paths := map[string]string{DiscoveryPath: DiscoveryPath, KeySetPath: KeySetPath}
	if p.config.Profile != nil {
		discovery, keySet := p.addresses()
		paths = map[string]string{
			pathOf(discovery): DiscoveryPath,
			pathOf(keySet):    KeySetPath,
		}
	}
	document, ok := paths[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	p.serve(w, r, document)
}

// pathOf returns the path of an address, or "" if it is none.
func pathOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Path
}

// addresses returns where the documents are, as far as that is known.
func (p *Provider) addresses() (discovery, keySet string) {
	profile := p.config.Profile
	if profile == nil {
		base := strings.TrimSuffix(p.Issuer(), "/")
		return base + DiscoveryPath, base + KeySetPath
	}
	below := strings.TrimSuffix(profile.Issuer, "/") + DiscoveryPath
	keySet, _ = profile.Discovery["jwks_uri"].(string)
	return cmp.Or(profile.DiscoveryURL, below), keySet
}

// refuse answers a request without the token of the documents as a Kubernetes
// API server does: one without any token is of system:anonymous, whom RBAC
// forbids the documents.
func refuse(w http.ResponseWriter, r *http.Request) {
	status, reason, message := http.StatusUnauthorized, "Unauthorized", "Unauthorized"
	if r.Header.Get("Authorization") == "" {
		status, reason = http.StatusForbidden, "Forbidden"
		message = fmt.Sprintf("forbidden: User \"system:anonymous\" cannot get path %q", r.URL.Path)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(mustJSON(map[string]any{
		"kind": "Status", "apiVersion": "v1", "metadata": map[string]any{},
		"status": "Failure", "message": message, "reason": reason, "code": status,
	}))
}

// serve answers a request for a document: DiscoveryPath or KeySetPath.
func (p *Provider) serve(w http.ResponseWriter, r *http.Request, document string) {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
		return
	}

	if profile := p.config.Profile; profile != nil && profile.Bearer != "" &&
		r.Header.Get("Authorization") != "Bearer "+profile.Bearer {
		refuse(w, r)
		return
	}

	body, faults, ok := p.answer(r.Context(), document)
	switch {
	case !ok: // the request has ended
		return
	case faults.Redirect != "":
		http.Redirect(w, r, faults.Redirect, http.StatusFound)
		return
	case faults.Status != 0:
		http.Error(w, Garbage, faults.Status)
		return
	case body == nil:
		http.Error(w, "oidctest: no issuer: call SetIssuer first", http.StatusInternalServerError)
		return
	case faults.Malformed:
		body = append(body[:len(body)-1], Garbage...)
	case faults.Oversize:
		body = append(body, bytes.Repeat([]byte(" "), max(0, oversize-len(body)))...)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Date", p.config.Now().UTC().Format(http.TimeFormat))
	if document == KeySetPath && p.config.CacheControl != "" {
		w.Header().Set("Cache-Control", p.config.CacheControl)
	}
	w.Write(body)
}

// answer counts the request, waits for as long as it hangs, and returns the
// document and the faults of one moment. It is not ok if ctx ended.
func (p *Provider) answer(ctx context.Context, path string) (body []byte, faults Faults, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fetches[path]++
	for p.faults.Hang && p.faults.concern(path) {
		changed := p.changed
		p.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
		p.mu.Lock()
		if ctx.Err() != nil {
			return nil, Faults{}, false
		}
	}
	if p.faults.concern(path) {
		faults = p.faults
	}
	if path == KeySetPath {
		return p.keySet(), faults, true
	}
	return p.discovery(), faults, true
}

// concern reports whether the faults that replace an answer are for the path.
func (f Faults) concern(path string) bool { return f.Only == "" || f.Only == path }

// discovery returns the discovery document (OpenID Connect Discovery 1.0,
// section 3), or nil without an issuer. The caller holds the lock.
func (p *Provider) discovery() []byte {
	if p.issuer == "" {
		return nil
	}
	if p.config.Profile != nil {
		return p.imitatedDiscovery()
	}
	base := strings.TrimSuffix(p.issuer, "/")
	return mustJSON(map[string]any{
		"issuer":                                cmp.Or(p.faults.Issuer, p.issuer),
		"jwks_uri":                              cmp.Or(p.faults.JWKSURL, base+KeySetPath),
		"authorization_endpoint":                base + "/authorize",
		"response_types_supported":              []string{"id_token"},
		"subject_types_supported":               []string{"public"},
		"id_token_signing_alg_values_supported": []string{p.config.Algorithm},
	})
}

// imitatedDiscovery returns the discovery document of the profile. The caller
// holds the lock.
func (p *Provider) imitatedDiscovery() []byte {
	document := maps.Clone(p.config.Profile.Discovery)
	if p.faults.Issuer != "" {
		document["issuer"] = p.faults.Issuer
	}
	if p.faults.JWKSURL != "" {
		document["jwks_uri"] = p.faults.JWKSURL
	}
	return mustJSON(document)
}

// keySet returns the key set document (RFC 7517, section 5). Bad keys come
// before good ones, where a careless reader meets them first. The caller holds
// the lock.
func (p *Provider) keySet() []byte {
	keys := []map[string]any{} // an empty set is [], not null
	publish := func(members map[string]string, id, algorithm string) {
		for _, form := range p.keyForms(members["kty"]) {
			jwk := map[string]any{"kid": id, "use": "sig", "alg": algorithm}
			for name, value := range members {
				jwk[name] = value
			}
			jwk = merge(jwk, form)
			if p.faults.OmitAlg {
				delete(jwk, "alg")
			}
			keys = append(keys, jwk)
		}
	}
	if p.faults.UnknownKeyType {
		publish(map[string]string{"kty": "OIDCTEST"}, UnknownKeyID, p.config.Algorithm)
	}
	if p.faults.SymmetricKey {
		secret := map[string]string{"kty": "oct", "k": base64url(p.config.Secret)}
		publish(secret, SymmetricKeyID, "HS256")
	}
	if p.faults.DuplicateKeyID && p.decoy != nil {
		publish(p.decoy.jwk, p.current.id, p.config.Algorithm)
	}
	for _, k := range p.published {
		publish(k.jwk, k.id, k.algorithm)
	}
	return mustJSON(map[string]any{"keys": keys})
}

// keyForms returns the forms in which a key of a type is published: what they
// change of it. A form whose alg is for keys of another type is left out, such as
// RSA-OAEP of a key that signs with ES256.
func (p *Provider) keyForms(keyType string) []map[string]any {
	var forms []map[string]any
	if p.config.Profile != nil {
		for _, form := range p.config.Profile.Keys {
			if fitsType(form["alg"], keyType) {
				forms = append(forms, form)
			}
		}
	}
	if len(forms) == 0 {
		return []map[string]any{nil}
	}
	return forms
}

// fitsType tells whether keys of a type can have an alg (RFC 7518, sections 3.1
// and 4.1). One that is absent or unknown fits every type.
func fitsType(alg any, keyType string) bool {
	name, _ := alg.(string)
	for prefix, wanted := range map[string]string{"RS": "RSA", "PS": "RSA", "ES": "EC"} {
		if strings.HasPrefix(name, prefix) {
			return keyType == wanted
		}
	}
	return true
}
