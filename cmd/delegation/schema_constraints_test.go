package main

// Patterns of texts. A duration is Go's, and not negative.
const (
	durationPattern = `^(\+?([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)` +
		`(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))*|[-+]?0|)$`
	levelPattern = `^(([dD][eE][bB][uU][gG]|[iI][nN][fF][oO]|[wW][aA][rR][nN]|` +
		`[eE][rR][rR][oO][rR])([-+][0-9]+)?|)$`
)

// duration is a text such as 90s. The number 0 is one, too.
func duration() object {
	return object{
		"type":    []string{"string", "integer", "null"},
		"pattern": durationPattern,
		"minimum": 0,
		"maximum": 0,
	}
}

// oneOf is one of some texts, or nothing.
func oneOf(values ...any) object {
	return object{"enum": append(values, "", nil)}
}

// between is a whole number within bounds.
func between(least, most int) object { return object{"minimum": least, "maximum": most} }

// requires says which keys may not be missing.
func requires(keys ...string) object { return object{"required": keys} }

// someText is one that may not be missing, null or empty.
func someText() object {
	return object{"type": []string{"string", "number", "boolean"}, "minLength": 1}
}

// someList is one that may not be missing, null or empty.
func someList() object { return object{"type": "array", "minItems": 1} }

// constraints are what the code refuses beyond the Go types of settings, by type and key.
var constraints = map[string]object{
	"Settings":                   requires("issuers", "identity_provider", "targets"),
	"Settings.issuers":           someList(),
	"Settings.identity_provider": {"type": "object"},
	"Settings.targets":           {"type": "object", "minProperties": 1},
	"Settings.shutdown_delay":    duration(),
	"Settings.leeway":            duration(),
	"Settings.signing_timeout":   duration(),
	"Settings.rule_timeout":      duration(),
	"Settings.max_token_size":    {"minimum": 0},

	"LogSettings.format": oneOf("json", "text"),
	"LogSettings.level": {
		"anyOf": []object{
			{"enum": []any{"debug", "info", "warn", "error", nil}},
			{"type": "string", "pattern": levelPattern},
		},
	},

	"IssuerSettings":     {"type": "object", "required": []string{"url"}},
	"IssuerSettings.url": someText(),

	"IdentitySettings":           requires("entity_id", "keys"),
	"IdentitySettings.entity_id": someText(),
	"IdentitySettings.keys":      someList(),

	"KeySettings": {
		"type":     "object",
		"required": []string{"certificate_file"},
		"oneOf":    fileOrSigner(),
	},
	"KeySettings.certificate_file": someText(),

	"TargetSettings.session_duration": duration(),
	"TargetSettings.name_id_encoding": oneOf("hashed", "escaped"),

	"ChainedRoleSettings":          {"type": "object", "required": []string{"role_arn"}},
	"ChainedRoleSettings.role_arn": someText(),

	"RoleChoiceSettings":              {"type": "object", "required": []string{"role"}},
	"RoleChoiceSettings.role":         someText(),
	"RolesFromClaimSettings":          requires("claim"),
	"RolesFromClaimSettings.claim":    someText(),
	"RolesFromClaimSettings.labels":   {"propertyNames": object{"pattern": "^arn:"}},
	"RolesFromClaimSettings.accounts": {"propertyNames": object{"pattern": "^[0-9]{12}$"}},
	"NamedRoleSettings":               {"type": "object", "required": []string{"name", "role"}},
	"NamedRoleSettings.name":          someText(),
	"NamedRoleSettings.role":          someText(),

	"RuleSettings":                        {"type": "object", "oneOf": oneRule()},
	"RuleSettings.require_verified_email": {"enum": []any{true, nil}},
	"RuleSettings.require_recent_login":   duration(),
	"ClaimSettings.from":                  someText(),
	"RoleSettings":                        requires("claim"),
	"RoleSettings.claim":                  someText(),
	"RoleMatch":                           {"type": "object", "required": []string{"role"}},
	"RoleMatch.role":                      someText(),
	"JavaScriptSettings":                  {"type": "object", "anyOf": rulesOrActions()},
	"JavaScriptSettings.timeout":          duration(),
	"JavaScriptSettings.chain_timeout":    duration(),

	"STSSettings.timeout":          duration(),
	"HTTPSettings.trusted_proxies": between(0, 16),
	"RateLimitSettings.requests":   between(0, 1<<31-1),
	"RateLimitSettings.per":        duration(),
	"RateLimitSettings.max_users":  {"minimum": 0},

	"LimitSettings.requests_per_address":    between(0, 1<<31-1),
	"LimitSettings.per":                     duration(),
	"LimitSettings.max_addresses":           between(0, 1<<31-1),
	"LimitSettings.body":                    byteSize(),
	"LimitSettings.headers":                 byteSize(),
	"LimitSettings.header_timeout":          duration(),
	"LimitSettings.read_timeout":            duration(),
	"LimitSettings.idle_timeout":            duration(),
	"LimitSettings.connections":             {"minimum": -1},
	"LimitSettings.connections_per_address": between(0, 1<<31-1),

	"JavaScriptSettings.saml_configuration": oneOf("aws"),
	"RuleHTTPSettings.timeout":              duration(),
	"ProfileSettings.cache_for":             duration(),
	"ProfileSettings.stale_for":             duration(),
	"ProfileSettings.timeout":               duration(),

	"CacheSettings.window":     duration(),
	"CacheSettings.ahead":      duration(),
	"RevocationSettings.store": oneOf("memory", "redis"),
	"RevocationSettings.keep":  duration(),

	"ReplaySettings.store": oneOf("memory", "redis"),

	"RedisSettings.timeout":   duration(),
	"RedisSettings.lock_time": duration(),

	"AuditSettings.on_failure": oneOf("refuse", "continue"),
	"AuditSettings.timeout":    duration(),
}

// byteSize is a number of bytes, or 0.
func byteSize() object {
	return object{"anyOf": []object{
		{"enum": []any{0, nil}},
		{"type": "string"},
		{"minimum": 1024, "maximum": 1 << 20, "type": "integer"},
	}}
}

// fileOrSigner has a key in a file, and one in a key service.
func fileOrSigner() []object {
	unset := object{"enum": []any{"", nil}}
	set := object{"not": unset}
	return []object{
		{
			"required":   []string{"key_file"},
			"properties": object{"key_file": set, "signer": unset, "signer_program": unset},
		},
		{
			"required":   []string{"signer"},
			"properties": object{"signer": set, "key_file": unset},
		},
	}
}

// rulesOrActions has a folder of rules, or one of Actions.
func rulesOrActions() (alternatives []object) {
	for _, folder := range []string{"folder", "actions"} {
		alternatives = append(alternatives, object{
			"required":   []string{folder},
			"properties": object{folder: someText()},
		})
	}
	return alternatives
}

// oneRule has each rule alone. One that is null is not set.
func oneRule() (alternatives []object) {
	for _, rule := range []string{
		"require_verified_email", "allow_connections", "allow_email_domains",
		"require_recent_login", "require_amr", "require_acr", "role_by_claim",
		"tags_from_claims", "source_identity_from_claim",
		"source_identity", "session_name", "name_id", "session_policy", "javascript",
	} {
		alternatives = append(alternatives, object{
			"required":   []string{rule},
			"properties": object{rule: object{"not": object{"type": "null"}}},
		})
	}
	return alternatives
}
