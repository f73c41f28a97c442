package config

import "strings"

// ByKeys names the configuration's keys where the library's remedies name fields of its own, for
// people who write no Go.
func ByKeys(text string) string { return fieldsToKeys.Replace(text) }

var fieldsToKeys = strings.NewReplacer(
	"Config.UnsafeSTSEmulator (sts.unsafe_emulator)", "sts.unsafe_emulator",
	"Config.UnsafeSTSEmulator", "sts.unsafe_emulator",
	"Config.Issuers", "issuers",
	"Config.MaxTokenSize", "max_token_size",
	"Config.STSTimeout", "sts.timeout",
	"Config.Targets", "targets",
	"Issuer.Algorithms", "algorithms of the issuer",
	"Issuer.JWKSURL", "jwks_url of the issuer",
	"Issuer.JWKS", "jwks_file of the issuer",
	"Issuer.DiscoveryURL", "discovery_url of the issuer",
	"Issuer.Aliases", "aliases of the issuer",
	"Issuer.Tenants", "tenants of the issuer",
	"Issuer.TenantClaim", "tenant_claim of the issuer",
	"Issuer.UnsafeAnyTenant", "unsafe_any_tenant of the issuer",
	"Issuer.SharedSecretBase64URL", "shared_secret_base64url of the issuer",
	"Issuer.ClientSecrets", "client_secrets of the issuer",
	"Base64URL of the client's secret", "base64url of the client's secret",
	"Issuer.SharedSecret", "shared_secret_file of the issuer",
	"Issuer.AllowLoopbackHTTP", "allow_loopback_http of the issuer",
	"Issuer.AllowTokenMarks", "allow_token_marks of the issuer",
	"Issuer.ClientAudiences", "client_audiences of the issuer",
	"Issuer.SharedSecret", "shared_secret_file of the issuer",
	"Issuer.EmailVerifiedText", "email_verified_text of the issuer",
	"Issuer.EntraVerifiedEmail", "entra_verified_email of the issuer",
	"Issuer.VerifiedEmailDomains", "verified_email_domains of the issuer",
	"Issuer.RequiredClaims", "required_claims of the issuer",
	"Issuer.GatedByRules", "gated_by_rules of the issuer",
	"Target.AuthorizedParties", "authorized_parties of the target",
	"Target.RequiredClaims", "required_claims of the target",
	"Target.SubjectsAreOne", "subjects_are_one of the target",
	"Target.NameIDTellsIssuersApart", "name_id_tells_issuers_apart of the target",
	"Issuer.URL", "url of the issuer",
	"Target.Audiences", "audiences of the target",
	"Target.Issuers", "issuers of the target",
	"Target.AllowedRoles", "allowed_roles of the target",
	"Target.EncryptionKey", "encryption_key_file",
	"Target.SAMLRecipient", "saml_recipient of the target",
	"Target.SAMLAudience", "saml_audience of the target",
	"AWS.NameIDFromMapping", "name_id_from_mapping of the target",
	"AWS.Mappings", "mappings of the target",
	"AWS.FailoverRegions", "failover_regions of the target",
	"IdentityProvider.EntityID", "identity_provider.entity_id",
	"IdentityProvider.Metadata", "the output of delegation metadata",
)
