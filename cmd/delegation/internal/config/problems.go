package config

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/seed055b7978/delegation"
)

// UsageError says that the command line or the configuration has to be changed. It may hold several
// problems, each on a line.
type UsageError struct{ error }

// Unwrap returns what is wrong.
func (e UsageError) Unwrap() error { return e.error }

// Usage makes a UsageError of what is wrong.
func Usage(err error) error { return UsageError{err} }

// Usagef makes a UsageError. It formats its text as fmt.Errorf does.
func Usagef(format string, args ...any) error { return UsageError{fmt.Errorf(format, args...)} }

// Wrong notes that the setting at a key has to be changed.
func (b *Builder) Wrong(at KeyPath, err error) {
	b.Problem(fmt.Errorf("%s: %w", b.from.At(at), explainAccess(err)))
}

// Problem notes a problem whose text already says where it is, such as at a flag.
func (b *Builder) Problem(err error) { b.problems = append(b.problems, err) }

// Err returns all problems noted so far as a UsageError; nil if there are none. It is not a
// UsageError if all problems are temporary, such as a key service that is down.
func (b *Builder) Err() error {
	switch {
	case len(b.problems) == 0:
		return nil
	case passing(b.problems):
		return errors.Join(b.problems...)
	}
	return Usage(errors.Join(b.problems...))
}

// Add notes the problems that a library found in its configuration. Each names a field, such as
// Targets["photo-app"]: Role. Add replaces it by the key, such as targets.photo-app.role.
func (b *Builder) Add(at KeyPath, err error) {
	if err == nil {
		return
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range joined.Unwrap() {
			b.Add(at, one)
		}
		return
	}
	if e, ok := err.(*delegation.Error); ok {
		b.Add(at, e.Err) // without stage, code and remedy
		return
	}
	inner := errors.Unwrap(err)
	if inner != nil && strings.HasSuffix(err.Error(), inner.Error()) {
		prefix := strings.TrimSuffix(err.Error(), inner.Error())
		if at, rest := fieldKey(at, prefix); rest == "" {
			b.Add(at, inner)
			return
		}
	}
	text := err.Error()
	for rest := ""; rest != text; {
		rest = text
		at, text = fieldKey(at, text)
	}
	b.Wrong(at, errors.New(fieldsInText(text)))
}

// fieldsInText replaces the fields in a problem by their keys. The library leaves out the type of
// some fields, where the problem is about one issuer or target.
func fieldsInText(text string) string {
	return fieldWord().ReplaceAllStringFunc(ByKeys(text), func(word string) string {
		return cmp.Or(wordKeys[word], word)
	})
}

var fieldWord = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\b[A-Z]\w+\b`)
})

// wordKeys are the keys of fields that a problem can name without their types. None of these names
// occurs as an ordinary word.
var wordKeys = map[string]string{
	"Issuers":          "issuers",
	"JWKS":             "jwks_file",
	"JWKSURL":          "jwks_url",
	"DiscoveryURL":     "discovery_url",
	"SharedSecret":     "shared_secret_file",
	"ClientSecrets":    "client_secrets",
	"Principal":        "principal",
	"SAMLProviderUUID": "saml_provider_uuid",
	"SAMLRecipient":    "saml_recipient",
	"Chain":            "chain",
	"Policy":           "policy",
	"PolicyARNs":       "policy_arns",

	"MaxTokenSize":   "max_token_size",
	"Leeway":         "leeway",
	"SigningTimeout": "signing_timeout",
	"STSTimeout":     "sts.timeout",
	"Requests":       "requests",
	"Per":            "per",
	"MaxUsers":       "max_users",
	"CacheSize":      "cache.size",
	"CacheWindow":    "cache.window",
	"CacheAhead":     "cache.ahead",
	"SharedCache":    "cache.shared",
	"Revocations":    "revocations.keep",
}

// fieldKey removes the field at the start of a text, and returns its key.
func fieldKey(at KeyPath, text string) (KeyPath, string) {
	for _, library := range []string{
		"delegationhttp: ", "rediscache: ", "profile: ", "SourceIdentityFrom: ", "NamesFrom: ",
	} {
		if rest, ok := strings.CutPrefix(text, library); ok || text == "" {
			return at, rest
		}
	}
	m := field().FindStringSubmatch(text)
	if m == nil {
		return at, text
	}
	name, ok := fieldKeys[m[1]]
	if !ok {
		return at, text
	}
	k := at.Child(name)
	rest := text[len(m[0]):]
	if index, err := strconv.Atoi(m[2]); err == nil {
		return k.Index(index), rest
	}
	if name, err := strconv.Unquote(m[2]); err == nil {
		return k.Child(name), rest
	}
	return k, rest
}

var field = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\A([A-Z]\w*)(?:\[(\d+|"(?:[^"\\]|\\.)*")\])?:? `)
})

// fieldKeys are the keys of the libraries' fields, by the Go names in their errors.
var fieldKeys = map[string]string{
	"Issuers":          "issuers",
	"URL":              "url",
	"Algorithms":       "algorithms",
	"JWKS":             "jwks_file",
	"JWKSURL":          "jwks_url",
	"DiscoveryURL":     "discovery_url",
	"Aliases":          "aliases",
	"Tenants":          "tenants",
	"TenantClaim":      "tenant_claim",
	"UnsafeAnyTenant":  "unsafe_any_tenant",
	"SharedSecret":     "shared_secret_file",
	"RequiredClaims":   "required_claims",
	"ClientAudiences":  "client_audiences",
	"AllowTokenMarks":  "allow_token_marks",
	"AccessTokens":     "access_tokens",
	"Profile":          "profile",
	"Audiences":        "audiences",
	"Scopes":           "scopes",
	"AccessAudiences":  "access_audiences",
	"Actors":           "actors",
	"OnlyListed":       "only_listed",
	"Listed":           "listed",
	"Place":            "place",
	"TagKey":           "tag_key",
	"IdentityProvider": "identity_provider",
	"EntityID":         "entity_id",
	"Keys":             "keys",
	"AlsoCertificates": "also_certificates",
	"Identity":         "identity",
	"Targets":          "targets",
	"Policy":           "policy",
	"Principal":        "principal",
	"Role":             "role",
	"AllowedRoles":     "allowed_roles",
	"AllowedAccounts":  "allowed_accounts",
	"Roles":            "roles",
	"RolesFromClaim":   "roles_from_claim",
	"Claim":            "claim",
	"Names":            "names",
	"Name":             "name",
	"Labels":           "labels",
	"Accounts":         "accounts",
	"Chain":            "chain",
	"RoleARN":          "role_arn",
	"ExternalID":       "external_id",
	"SessionDuration":  "session_duration",
	"Region":           "region",
	"FailoverRegions":  "failover_regions",
	"SAMLProviderUUID": "saml_provider_uuid",
	"EncryptionKey":    "encryption_key_file",
	"NameIDEncoding":   "name_id_encoding",
	"SourceIdentity":   "source_identity",
	"SessionName":      "session_name",
	"NameID":           "name_id",
	"From":             "from",
	"Join":             "join",
	"Default":          "default",
	"AllowedOrigins":   "allowed_origins",
	"RateLimit":        "rate_limit",
	"TrustedProxies":   "trusted_proxies",
	"Console":          "console",
	"Issuer":           "issuer",
	"Endpoint":         "endpoint",
	"Revocations":      "revocations",
	"Prefix":           "prefix",
	"Timeout":          "timeout",
	"LockTime":         "lock_time",

	"VerifiedEmailDomains":  "verified_email_domains",
	"SharedSecretBase64URL": "shared_secret_base64url",
	"ClientSecrets":         "client_secrets",

	"CAFile":            "ca_file",
	"BearerTokenFile":   "bearer_token_file",
	"DocumentOrigins":   "document_origins",
	"InsecureHTTPHosts": "insecure_http_hosts",

	"Allow":            "allow",
	"Auth0":            "auth0",
	"Domain":           "domain",
	"ClientID":         "client_id",
	"ClientSecretFile": "client_secret_file",
	"Fields":           "fields",
	"StaleFor":         "stale_for",
	"CacheBytes":       "cache_bytes",
	"MaxSize":          "max_size",

	"IssuersWithoutProfile": "issuers_without_profile",
}
