package config

import (
	"cmp"
	"errors"
	"slices"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/internal/iam"
)

// Settings is the configuration file. Keys are written as in the yaml tags; delegation.example.yaml
// explains each. Durations are Go's, such as 90s or 1h. Paths of files are relative to the
// configuration file.
type Settings struct {
	Listen        string      `yaml:"listen"`
	DebugListen   string      `yaml:"debug_listen"`
	MetricsListen string      `yaml:"metrics_listen"`
	ShutdownDelay string      `yaml:"shutdown_delay"`
	TLS           TLSSettings `yaml:"tls"`
	Log           LogSettings `yaml:"log"`

	Reload ReloadSettings `yaml:"reload"`

	Issuers  []IssuerSettings          `yaml:"issuers"`
	Identity IdentitySettings          `yaml:"identity_provider"`
	Targets  map[string]TargetSettings `yaml:"targets"`
	Rules    []RuleSettings            `yaml:"rules"`
	STS      STSSettings               `yaml:"sts"`
	HTTP     HTTPSettings              `yaml:"http"`
	Limits   LimitSettings             `yaml:"limits"`

	Audit AuditSettings `yaml:"audit"`

	Cache  CacheSettings  `yaml:"cache"`
	Replay ReplaySettings `yaml:"replay"`
	Redis  RedisSettings  `yaml:"redis"`

	Revocations       RevocationSettings `yaml:"revocations"`
	BackchannelLogout bool               `yaml:"backchannel_logout"`
	LogoutAudiences   []string           `yaml:"logout_audiences"`
	Admin             AdminSettings      `yaml:"admin"`

	Leeway             string `yaml:"leeway"`
	SigningTimeout     string `yaml:"signing_timeout"`
	RuleTimeout        string `yaml:"rule_timeout"`
	MaxTokenSize       int    `yaml:"max_token_size"`
	CapSessionToToken  bool   `yaml:"cap_session_to_token"`
	StrictSessionNames bool   `yaml:"strict_session_names"`
	DurationBackOff    bool   `yaml:"duration_back_off"`
}

// IdentityOf returns the SAML identity of a target, and the key at which it is configured.
func (s *Settings) IdentityOf(target string) (KeyPath, IdentitySettings) {
	if own := s.Targets[target].Identity; own != nil {
		return KeyPath("targets").Child(target).Child("identity"), *own
	}
	return "identity_provider", s.Identity
}

// TLSSettings is the certificate of HTTPS; all empty: plain http.
type TLSSettings struct {
	CertificateFile string `yaml:"certificate_file"`
	KeyFile         string `yaml:"key_file"`
}

// LogSettings is where the log differs from JSON at the level info.
type LogSettings struct {
	Format string `yaml:"format"`
	Level  string `yaml:"level"`
}

// ReloadSettings says what triggers a reload, apart from a signal.
type ReloadSettings struct {
	Watch bool `yaml:"watch"`
}

// IssuerSettings is delegation.Issuer.
type IssuerSettings struct {
	URL               string   `yaml:"url"`
	Algorithms        []string `yaml:"algorithms"`
	JWKSFile          string   `yaml:"jwks_file"`
	JWKSURL           string   `yaml:"jwks_url"`
	DiscoveryURL      string   `yaml:"discovery_url"`
	CAFile            string   `yaml:"ca_file"`
	BearerTokenFile   string   `yaml:"bearer_token_file"`
	DocumentOrigins   []string `yaml:"document_origins"`
	InsecureHTTPHosts []string `yaml:"insecure_http_hosts"`
	Aliases           []string `yaml:"aliases"`
	Tenants           []string `yaml:"tenants"`
	TenantClaim       string   `yaml:"tenant_claim"`
	UnsafeAnyTenant   bool     `yaml:"unsafe_any_tenant"`
	SharedSecretFile  string   `yaml:"shared_secret_file"`
	AllowLoopbackHTTP bool     `yaml:"allow_loopback_http"`
	ClientAudiences   []string `yaml:"client_audiences"`
	AllowTokenMarks   []string `yaml:"allow_token_marks"`

	AccessTokens *AccessTokenSettings `yaml:"access_tokens"`

	SharedSecretBase64URL bool                            `yaml:"shared_secret_base64url"`
	ClientSecrets         map[string]ClientSecretSettings `yaml:"client_secrets"`

	EmailVerifiedText    bool     `yaml:"email_verified_text"`
	EntraVerifiedEmail   bool     `yaml:"entra_verified_email"`
	VerifiedEmailDomains []string `yaml:"verified_email_domains"`

	RequiredClaims map[string][]string `yaml:"required_claims"`
	GatedByRules   bool                `yaml:"gated_by_rules"`
}

// ClientSecretSettings is delegation.ClientSecret.
type ClientSecretSettings struct {
	File      string `yaml:"file"`
	Base64URL bool   `yaml:"base64url"`
}

// AccessTokenSettings are delegation.AccessTokens.
type AccessTokenSettings struct {
	Profile   string   `yaml:"profile"`
	Audiences []string `yaml:"audiences"`
	Scopes    []string `yaml:"scopes"`
}

// ActorSettings are delegation.Actors.
type ActorSettings struct {
	Listed          []ListedActorSettings `yaml:"listed"`
	OnlyListed      bool                  `yaml:"only_listed"`
	Audiences       []string              `yaml:"audiences"`
	Place           string                `yaml:"place"`
	TagKey          string                `yaml:"tag_key"`
	SessionDuration string                `yaml:"session_duration"`
}

// ListedActorSettings is delegation.ListedActor.
type ListedActorSettings struct {
	Issuer   string `yaml:"issuer"`
	Subject  string `yaml:"subject"`
	ClientID string `yaml:"client_id"`
	Name     string `yaml:"name"`
}

// IdentitySettings is delegation.IdentityProvider.
type IdentitySettings struct {
	EntityID         string        `yaml:"entity_id"`
	Keys             []KeySettings `yaml:"keys"`
	AlsoCertificates []string      `yaml:"also_certificates"`
}

// KeySettings is a signing key: in a file, or in a key service that Signer names.
type KeySettings struct {
	CertificateFile string `yaml:"certificate_file"`
	KeyFile         string `yaml:"key_file"`
	Signer          string `yaml:"signer"`
	SignerProgram   string `yaml:"signer_program"`
}

// TargetSettings is delegation.Target with its AWS.
type TargetSettings struct {
	ID                string            `yaml:"id"`
	Audiences         []string          `yaml:"audiences"`
	AuthorizedParties []string          `yaml:"authorized_parties"`
	Issuers           []string          `yaml:"issuers"`
	Principal         string            `yaml:"principal"`
	Role              string            `yaml:"role"`
	Region            string            `yaml:"region"`
	FailoverRegions   []string          `yaml:"failover_regions"`
	AllowedRoles      []string          `yaml:"allowed_roles"`
	SessionDuration   string            `yaml:"session_duration"`
	Mappings          map[string]string `yaml:"mappings"`
	NameIDFromMapping bool              `yaml:"name_id_from_mapping"`
	Policy            string            `yaml:"policy"`
	PolicyARNs        []string          `yaml:"policy_arns"`
	Tags              map[string]string `yaml:"tags"`
	TransitiveTagKeys []string          `yaml:"transitive_tag_keys"`
	DroppableTags     []string          `yaml:"droppable_tags"`
	SAMLRecipient     string            `yaml:"saml_recipient"`
	SAMLAudience      string            `yaml:"saml_audience"`
	SAMLProviderUUID  string            `yaml:"saml_provider_uuid"`
	EncryptionKeyFile string            `yaml:"encryption_key_file"`
	Identity          *IdentitySettings `yaml:"identity"`

	Chain []ChainedRoleSettings `yaml:"chain"`

	AccessAudiences []string                 `yaml:"access_audiences"`
	Actors          *ActorSettings           `yaml:"actors"`
	Roles           []RoleChoiceSettings     `yaml:"roles"`
	RolesFromClaim  *RolesFromClaimSettings  `yaml:"roles_from_claim"`
	AllowedAccounts []string                 `yaml:"allowed_accounts"`
	Scopes          map[string]ScopeSettings `yaml:"scopes"`

	RequiredClaims          map[string][]string `yaml:"required_claims"`
	SubjectsAreOne          bool                `yaml:"subjects_are_one"`
	NameIDTellsIssuersApart bool                `yaml:"name_id_tells_issuers_apart"`

	// SubjectAsFolder that is false is delegation.Target.SubjectNamesNothing, and nil is neither.
	SubjectAsFolder *bool  `yaml:"subject_as_folder"`
	NameIDEncoding  string `yaml:"name_id_encoding"`

	// Texts, or templates of delegation.NamesFrom.
	SourceIdentity string `yaml:"source_identity"`
	SessionName    string `yaml:"session_name"`
	NameID         string `yaml:"name_id"`
}

// ChainedRoleSettings is delegation.ChainedRole.
type ChainedRoleSettings struct {
	RoleARN    string `yaml:"role_arn"`
	ExternalID string `yaml:"external_id"`
}

// RoleChoiceSettings is delegation.RoleChoice.
type RoleChoiceSettings struct {
	Role      string `yaml:"role"`
	Principal string `yaml:"principal"`
	Label     string `yaml:"label"`
	Account   string `yaml:"account"`
}

// RolesFromClaimSettings is delegation.RolesFromClaim.
type RolesFromClaimSettings struct {
	Claim     string              `yaml:"claim"`
	Names     []NamedRoleSettings `yaml:"names"`
	Principal string              `yaml:"principal"`
	Labels    map[string]string   `yaml:"labels"`
	Accounts  map[string]string   `yaml:"accounts"`
}

// NamedRoleSettings is delegation.NamedRole.
type NamedRoleSettings struct {
	Name      string `yaml:"name"`
	Role      string `yaml:"role"`
	Principal string `yaml:"principal"`
	Label     string `yaml:"label"`
	Account   string `yaml:"account"`
}

// library returns the choice in the library's form.
func (s RoleChoiceSettings) library() delegation.RoleChoice { return delegation.RoleChoice(s) }

// library returns the claim in the library's form; nil: no claim is read.
func (s *RolesFromClaimSettings) library() *delegation.RolesFromClaim {
	if s == nil {
		return nil
	}
	from := &delegation.RolesFromClaim{
		Claim:     s.Claim,
		Principal: s.Principal,
		Labels:    s.Labels,
		Accounts:  s.Accounts,
	}
	if s.Names != nil { // an empty list differs from none
		from.Names = make([]delegation.NamedRole, 0, len(s.Names))
	}
	for _, row := range s.Names {
		from.Names = append(from.Names, delegation.NamedRole{
			Name: row.Name,
			RoleChoice: delegation.RoleChoice{
				Role:      row.Role,
				Principal: row.Principal,
				Label:     row.Label,
				Account:   row.Account,
			},
		})
	}
	return from
}

// checkNames refuses a key names without a value, which is what is left when all its rows are
// commented out. Without the key, entries of the claim are ARNs, and users may be able to choose
// names of groups.
func (b *Builder) checkNames(at KeyPath, s *RolesFromClaimSettings) {
	if s == nil || s.Names != nil {
		return
	}
	if b.from.isWritten(at) {
		b.Wrong(at, errors.New("it has no rows: add one, set it to [] to offer no role, or remove "+
			"the key to offer the roles whose ARNs the claim contains"))
	}
}

// RoleARNs returns the roles that the target's settings name: its own, and those that it offers.
func (s *TargetSettings) RoleARNs() []string {
	var list []string
	if s.Role != "" {
		list = append(list, s.Role)
	}
	for _, choice := range s.Roles {
		list = append(list, choice.Role)
	}
	if s.RolesFromClaim != nil {
		for _, row := range s.RolesFromClaim.Names {
			list = append(list, row.Role)
		}
	}
	return list
}

// ScopeSettings is delegation.Scope.
type ScopeSettings struct {
	Policy     string   `yaml:"policy"`
	PolicyARNs []string `yaml:"policy_arns"`
	Combined   bool     `yaml:"combined"`
}

// OpenRoles says which key of the target lets its users have roles that the settings do not name;
// empty if none does.
func (s *TargetSettings) OpenRoles() string {
	if from := s.RolesFromClaim; from != nil && from.Names == nil {
		return "roles_from_claim takes roles from tokens"
	}
	if slices.ContainsFunc(s.AllowedRoles, iam.IsRolePattern) {
		return "allowed_roles has patterns"
	}
	return ""
}

// id returns the ID by which rules know the target with this name.
func (s TargetSettings) id(name string) string { return cmp.Or(s.ID, name) }

// RuleSettings is one rule, or one folder of rules: it has exactly one key, and optionally the
// targets to which it applies.
type RuleSettings struct {
	Targets []string `yaml:"targets"`

	RequireVerifiedEmail    *bool                    `yaml:"require_verified_email"`
	AllowConnections        []string                 `yaml:"allow_connections"`
	AllowEmailDomains       []string                 `yaml:"allow_email_domains"`
	RequireRecentLogin      *string                  `yaml:"require_recent_login"`
	RequireAMR              []string                 `yaml:"require_amr"`
	RequireACR              []string                 `yaml:"require_acr"`
	RoleByClaim             *RoleSettings            `yaml:"role_by_claim"`
	TagsFromClaims          map[string]ClaimSettings `yaml:"tags_from_claims"`
	SourceIdentityFromClaim *ClaimSettings           `yaml:"source_identity_from_claim"`
	SourceIdentity          *string                  `yaml:"source_identity"`
	SessionName             *string                  `yaml:"session_name"`
	NameID                  *string                  `yaml:"name_id"`
	SessionPolicy           *string                  `yaml:"session_policy"`

	JavaScript *JavaScriptSettings `yaml:"javascript"`
}

// ClaimSettings are a delegation.ClaimText. In the configuration, a text alone is From.
type ClaimSettings struct {
	From     string `yaml:"from"`
	Escape   bool   `yaml:"escape"`
	Join     string `yaml:"join"`
	Optional bool   `yaml:"optional"`
	Default  string `yaml:"default"`
}

// UnmarshalYAML accepts a text, or keys.
func (s *ClaimSettings) UnmarshalYAML(decode func(any) error) error {
	if decode(&s.From) == nil {
		return nil
	}
	type keys ClaimSettings
	return decode((*keys)(s))
}

// JavaScriptSettings are a folder of Auth0 rules, and the settings that they run with.
type JavaScriptSettings struct {
	Folder            string            `yaml:"folder"`
	Domain            string            `yaml:"domain"`
	Configuration     map[string]string `yaml:"configuration"`
	ConfigurationFile string            `yaml:"configuration_file"`
	Timeout           string            `yaml:"timeout"`
	ChainTimeout      string            `yaml:"chain_timeout"`

	// Actions is a folder of Auth0's Actions, which run after the rules of Folder.
	Actions           string            `yaml:"actions"`
	Secrets           map[string]string `yaml:"secrets"`
	SecretsFile       string            `yaml:"secrets_file"`
	SAMLConfiguration string            `yaml:"saml_configuration"`

	HTTP    *RuleHTTPSettings `yaml:"http"`
	Profile *ProfileSettings  `yaml:"profile"`

	// Modules are files by the names that require finds them under.
	Modules map[string]string `yaml:"modules"`
	// Globals are values of any kind, by name.
	Globals map[string]any `yaml:"globals"`

	// Context is by target: properties of context that a token does not tell.
	Context map[string]map[string]any `yaml:"context"`
	Absent  []string                  `yaml:"absent"`

	IgnoreMissingUser bool `yaml:"ignore_missing_user"`
	IgnoreRedirect    bool `yaml:"ignore_redirect"`
	IgnoreMultifactor bool `yaml:"ignore_multifactor"`
}

// RuleHTTPSettings are jsrules.HTTP.
type RuleHTTPSettings struct {
	Allow        []string `yaml:"allow"`
	Timeout      string   `yaml:"timeout"`
	MaxSize      int      `yaml:"max_size"`
	MaxRedirects *int     `yaml:"max_redirects"`
	MaxRequests  int      `yaml:"max_requests"`
}

// RoleSettings is delegation.RoleByClaim.
type RoleSettings struct {
	Claim string      `yaml:"claim"`
	Roles []RoleMatch `yaml:"roles"`
}

// RoleMatch is delegation.RoleMatch.
type RoleMatch struct {
	Match     string `yaml:"match"`
	Role      string `yaml:"role"`
	Principal string `yaml:"principal"`
	Region    string `yaml:"region"`
}

// STSSettings is how STS is called.
type STSSettings struct {
	Endpoint       string `yaml:"endpoint"`
	AllowPlainHTTP bool   `yaml:"allow_plain_http"`
	Timeout        string `yaml:"timeout"`
	FIPS           bool   `yaml:"fips"`
	DualStack      bool   `yaml:"dual_stack"`
	UnsafeEmulator bool   `yaml:"unsafe_emulator"`
}

// HTTPSettings is delegationhttp.Config.
type HTTPSettings struct {
	AllowedOrigins  []string          `yaml:"allowed_origins"`
	TrustedProxies  int               `yaml:"trusted_proxies"`
	RateLimit       RateLimitSettings `yaml:"rate_limit"`
	ContainerTarget string            `yaml:"container_target"`
	Roles           bool              `yaml:"roles"`
	Token           bool              `yaml:"token"`
	Console         ConsoleSettings   `yaml:"console"`

	CredentialsParameters []string `yaml:"credentials_parameters"`

	STS       bool `yaml:"sts"`
	STSMemory int  `yaml:"sts_memory"`
}

// CacheSettings is the cache of credentials.
type CacheSettings struct {
	Size   int    `yaml:"size"`
	Window string `yaml:"window"`
	Ahead  string `yaml:"ahead"`
	Shared bool   `yaml:"shared"`

	TokenMemory int `yaml:"token_memory"`
}

// ReplaySettings is where the marks of used tokens are; an empty Store: nowhere.
type ReplaySettings struct {
	Store string `yaml:"store"`
	Size  int    `yaml:"size"`
}

// RedisSettings are rediscache.Config. Secrets come from files and commands only.
type RedisSettings struct {
	URL             string                `yaml:"url"`
	Cluster         bool                  `yaml:"cluster"`
	Sentinel        RedisSentinelSettings `yaml:"sentinel"`
	Addresses       []string              `yaml:"addresses"`
	Username        string                `yaml:"username"`
	PasswordFile    string                `yaml:"password_file"`
	PasswordCommand []string              `yaml:"password_command"`
	TLS             RedisTLSSettings      `yaml:"tls"`
	Keys            []SealingKeySettings  `yaml:"keys"`
	Prefix          string                `yaml:"prefix"`
	Timeout         string                `yaml:"timeout"`
	LockTime        string                `yaml:"lock_time"`
}

// RedisSentinelSettings is the master that Sentinels know, and how they know us.
type RedisSentinelSettings struct {
	Master       string `yaml:"master"`
	Username     string `yaml:"username"`
	PasswordFile string `yaml:"password_file"`
}

// RedisTLSSettings is TLS to Redis, for a URL that begins with rediss.
type RedisTLSSettings struct {
	CAFile          string `yaml:"ca_file"`
	CertificateFile string `yaml:"certificate_file"`
	KeyFile         string `yaml:"key_file"`
	ServerName      string `yaml:"server_name"`
}

// SealingKeySettings is a key of what is stored in Redis.
type SealingKeySettings struct {
	ID         string `yaml:"id"`
	SecretFile string `yaml:"secret_file"`
}

// RateLimitSettings is delegationhttp.RateLimit.
type RateLimitSettings struct {
	Requests int    `yaml:"requests"`
	Per      string `yaml:"per"`
	MaxUsers int    `yaml:"max_users"`
}

// ConsoleSettings is delegationhttp.Console.
type ConsoleSettings struct {
	Enabled  bool   `yaml:"enabled"`
	Issuer   string `yaml:"issuer"`
	Endpoint string `yaml:"endpoint"`
	FIPS     bool   `yaml:"fips"`
}
