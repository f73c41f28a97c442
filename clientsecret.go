package delegation

import (
	"fmt"
	"maps"
	"slices"

	"github.com/seed055b7978/delegation/internal/idtoken"
)

const hs256 = "HS256"

// ClientSecret is the secret with which an issuer signs one client's ID tokens, by HS256. The zero
// value is refused.
type ClientSecret struct {
	// Secret has at least 32 bytes.
	Secret Secret
	// Base64URL says that Secret is in base64url (RFC 4648 §5), with or without padding, and that
	// the decoded bytes are the secret. Auth0's dashboard shows the secrets of old clients in this
	// form.
	Base64URL bool
}

// key returns the bytes that sign.
func (s ClientSecret) key(field string, problems *problems) string {
	key := s.Secret.Reveal()
	if s.Base64URL {
		decoded, err := idtoken.DecodeSecret(key)
		if err != nil {
			problems.add("%s %w", field, err)
			return ""
		}
		key = decoded
	}
	if len(key) < minSharedSecret {
		problems.add("%s has %d bytes, fewer than %d", field, len(key), minSharedSecret)
	}
	return key
}

// secretsOnly tells whether the issuer signs with its clients' secrets and nothing else.
func (i *Issuer) secretsOnly() bool {
	return len(i.ClientSecrets) > 0 && slices.Equal(i.Algorithms, []string{hs256})
}

// withSecrets returns algorithms, with HS256 if clients have secrets.
func (i *Issuer) withSecrets(algorithms []string) []string {
	algorithms = slices.Clone(algorithms)
	if len(i.ClientSecrets) > 0 && !slices.Contains(algorithms, hs256) {
		algorithms = append(algorithms, hs256)
	}
	return algorithms
}

// checkSecrets checks what the secrets of clients go together with.
func (i *Issuer) checkSecrets(problems *problems) {
	if i.SharedSecretBase64URL && i.SharedSecret.Reveal() == "" {
		problems.add("SharedSecretBase64URL has no effect without Issuer.SharedSecret")
	}
	if len(i.ClientSecrets) == 0 {
		return
	}
	if i.SharedSecret.Reveal() != "" {
		problems.add("set only one of SharedSecret and ClientSecrets")
	}
	if i.hasTenants() {
		problems.add("ClientSecrets are for an issuer without tenants")
	}
	if i.secretsOnly() && (len(i.JWKS) > 0 || i.JWKSURL != "" || i.DiscoveryURL != "") {
		problems.add("JWKS, JWKSURL and DiscoveryURL have no effect if HS256 is the only one of " +
			"Issuer.Algorithms")
	}
}

// setSecrets checks the secrets of clients, and sets them.
func (i *Issuer) setSecrets(compiled *idtoken.Issuer, problems *problems) {
	for _, client := range slices.Sorted(maps.Keys(i.ClientSecrets)) {
		if client == "" {
			problems.add("ClientSecrets has an empty client ID")
		}
		key := i.ClientSecrets[client].key(fmt.Sprintf("ClientSecrets[%q]:", client), problems)
		if compiled.ClientSecrets == nil {
			compiled.ClientSecrets = map[string]func() string{}
		}
		compiled.ClientSecrets[client] = func() string { return key }
	}
}
