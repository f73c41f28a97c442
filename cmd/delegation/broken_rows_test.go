package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/seed055b7978/delegation/delegationtest"
	"github.com/seed055b7978/delegation/oidctest"
	"github.com/seed055b7978/delegation/ststest"
)

// States of what is broken.
const (
	isRefused = "refused" // by the configuration: nothing starts
	isFailed  = "failed"
	isWarned  = "warning"
)

// A brokenRow is a small change of the working configuration, or of what is around it.
type brokenRow struct {
	// of says what is broken, for docs/checks.md.
	of string
	// breaks breaks it.
	breaks func(s *brokenScene)

	state string
	code  string // of the failure or the warning; config_invalid for what is refused
	// at is the setting where it is, with its line. Empty: it is none of a file.
	at string
	// text is what is said, in part.
	text string
	// varies says that what is said has a number that is another one each time.
	varies bool

	// remedy is what is said to do, in part, and mends does that.
	remedy string
	mends  func(s *brokenScene)
}

// changes replaces a text of the configuration.
func changes(old, text string) func(*brokenScene) {
	return func(s *brokenScene) { s.replace(old, text) }
}

const (
	roleLine      = "    role: arn:aws:iam::123456789012:role/photo-user\n"
	principalLine = "    principal: arn:aws:iam::123456789012:saml-provider/delegation\n"
	regionLine    = "    region: eu-central-1\n"
	rulesEnd      = "  - require_verified_email: true\n"
	keysLine      = "    - {certificate_file: signing.crt, key_file: signing.key}\n"
	redisLines    = `cache: {shared: true}
redis: {url: "redis://127.0.0.1:1", keys: [{id: one, secret_file: sealing.key}]}
`
)

// adds adds a setting to the target.
func adds(line string) func(*brokenScene) { return changes(regionLine, regionLine+line) }

// drops removes it.
func drops(line string) func(*brokenScene) { return changes(line, "") }

// withProfile adds a folder of rules, and profiles from an address.
func (s *brokenScene) withProfile(address string) {
	s.mkdir("rules")
	s.write("rules/10-rule.js",
		"function (user, context, callback) { callback(null, user, context); }")
	s.write("profile.token", "token")
	s.replace(rulesEnd, rulesEnd+"  - javascript: {folder: rules, profile: {url: '"+address+
		"', token_file: profile.token}}\n")
}

// withRows adds a rule with a table of roles.
func withRows(rows ...string) func(*brokenScene) {
	text := "  - role_by_claim:\n      claim: groups\n      roles:\n"
	for _, row := range rows {
		text += "        - " + row + "\n"
	}
	return changes(rulesEnd, rulesEnd+text)
}

const (
	editors      = "{match: editors, role: 'arn:aws:iam::123456789012:role/editor'}"
	strangeUsers = "{match: users, role: 'arn:aws:iam::999999999999:role/user'}"
	users        = "{match: users, role: 'arn:aws:iam::123456789012:role/user'}"
)

var longTag = strings.Repeat("x", 200)

// setting adds a variable to the environment, and without removes it.
func setting(entry string) func(*brokenScene) {
	return func(s *brokenScene) { s.environment = append(s.environment, entry) }
}

func without(entry string) func(*brokenScene) {
	return func(s *brokenScene) {
		i := slices.Index(s.environment, entry)
		s.environment = slices.Delete(s.environment, i, i+1)
	}
}

// brokenRows are in the order of docs/checks.md.
func brokenRows() []brokenRow {
	return []brokenRow{
		{
			of:     "no role, and no rule that could set one",
			breaks: drops(roleLine),
			state:  isFailed, code: "role_invalid", at: ":9: targets.photo-app.role",
			text:   "role of the target is not set, and no rule sets a role",
			remedy: "set role of the target to arn:PARTITION:iam::ACCOUNT:role/NAME",
			mends:  adds(roleLine),
		},
		{
			of:     "no SAML provider",
			breaks: drops(principalLine),
			state:  isFailed, code: "role_invalid", at: ":9: targets.photo-app.principal",
			text:   "principal of the target is not set, and no rule sets a SAML provider",
			remedy: "principal of the target to arn:PARTITION:iam::ACCOUNT:saml-provider/NAME",
			mends:  adds(principalLine),
		},
		{
			of:     "no region",
			breaks: drops(regionLine),
			state:  isFailed, code: "region_invalid", at: ":9: targets.photo-app.region",
			text:   "region of the target is not set, and no rule sets a region",
			remedy: "name an AWS region of the role's partition, such as eu-central-1",
			mends:  changes(roleLine, roleLine+regionLine),
		},
		{
			of:     "role and SAML provider of different accounts",
			breaks: changes("123456789012:role", "999999999999:role"),
			state:  isFailed, code: "account_mismatch", at: ":11: targets.photo-app.role",
			text:   "are of different accounts or partitions",
			remedy: "use a role and a SAML provider of the same account and partition",
			mends:  changes("999999999999:role", "123456789012:role"),
		},
		{
			of:     "role and SAML provider of different partitions",
			breaks: changes("aws:iam::123456789012:role", "aws-cn:iam::123456789012:role"),
			state:  isFailed, code: "account_mismatch", at: ":11: targets.photo-app.role",
			text:   "are of different accounts or partitions",
			remedy: "use a role and a SAML provider of the same account and partition",
			mends:  changes("aws-cn:iam::123456789012:role", "aws:iam::123456789012:role"),
		},
		{
			of:     "a region that no partition has",
			breaks: changes("eu-central-1", "mars-north-1"),
			state:  isRefused, code: "config_invalid", at: ":12: targets.photo-app.region",
			text:   `"mars-north-1" is not the name of an AWS region`,
			remedy: "the name of an AWS region",
			mends:  changes("mars-north-1", "eu-central-1"),
		},
		{
			of:     "an audience of access tokens that no issuer accepts",
			breaks: adds("    access_audiences: [photos-api]\n"),
			state:  isRefused, code: "config_invalid",
			at:     ":13: targets.photo-app.access_audiences[0]",
			text:   `no issuer of the target accepts access tokens for "photos-api"`,
			remedy: "add it to the audiences of access_tokens of the issuer, or remove it",
			mends:  drops("    access_audiences: [photos-api]\n"),
		},
		{
			of:     "an actor whose tag may be dropped",
			breaks: adds("    actors: {place: tag}\n    droppable_tags: [Actor]\n"),
			state:  isRefused, code: "config_invalid", at: ":13: targets.photo-app.actors.tag_key",
			text:   `"Actor" is among the droppable tags`,
			remedy: "remove it there",
			mends:  drops("    droppable_tags: [Actor]\n"),
		},
		{
			of:     "a region with a misspelt name",
			breaks: changes(regionLine, "    region: eu-centrl-1\n"),
			state:  isWarned, code: "region_unknown", at: ":12: targets.photo-app.region",
			text:   `"eu-centrl-1" is not one of the regions of aws that this version knows`,
			remedy: "correct its name, unless AWS has added the region since",
			mends:  changes("    region: eu-centrl-1\n", regionLine),
		},
		{
			of:     "a region of another partition than the role",
			breaks: changes("eu-central-1", "cn-north-1"),
			state:  isFailed, code: "region_invalid", at: ":12: targets.photo-app.region",
			text:   "the region cn-north-1 is in the partition aws-cn, the role",
			remedy: "name an AWS region of the role's partition, such as eu-central-1",
			mends:  changes("cn-north-1", "eu-central-1"),
		},
		{
			of:     "a failover region in another partition",
			breaks: adds("    failover_regions: [cn-north-1]\n"),
			state:  isRefused,
			code:   "config_invalid",
			at:     ":13: targets.photo-app.failover_regions",
			text:   "the regions eu-central-1 and cn-north-1 are of different partitions",
			remedy: "different partitions",
			mends:  changes("[cn-north-1]", "[eu-west-1]"),
		},
		{
			of:     "a role that is not in `allowed_roles`",
			breaks: adds("    allowed_roles: ['arn:aws:iam::123456789012:role/other']\n"),
			state:  isFailed, code: "role_not_allowed", at: ":11: targets.photo-app.role",
			text:   "is not allowed for this target",
			remedy: "add it to allowed_roles of the target",
			mends:  changes("role/other'", "role/photo-user'"),
		},
		{
			of:     "a session that is longer than AWS allows",
			breaks: adds("    session_duration: 13h\n"),
			state:  isFailed,
			code:   "duration_invalid",
			at:     ":13: targets.photo-app.session_duration",
			text:   "the session duration is 13h0m0s",
			remedy: "use whole seconds from 15m to 12h",
			mends:  changes("13h", "12h"),
		},
		{
			of:     "a session policy that is not valid",
			breaks: adds("    policy: '[]'\n"),
			state:  isFailed, code: "session_policy_invalid", at: ":13: targets.photo-app.policy",
			text:   "the session policy",
			remedy: "JSON",
			mends:  changes("'[]'", `'{"Version":"2012-10-17","Statement":[]}'`),
		},
		{
			of:     "session tags that fill most of AWS's space",
			breaks: adds("    tags: {a: " + longTag + ", b: " + longTag + "}\n"),
			state:  isWarned, code: "packed_policy_size", at: ":13: targets.photo-app.tags",
			text:   "session tags and policies take about 89 % of the space that AWS has for them",
			remedy: "use fewer or shorter session tags, or a shorter session policy",
			mends:  changes(", b: "+longTag, ""),
		},
		{
			of:     "a row of `role_by_claim` with a role of another account",
			breaks: withRows(editors, strangeUsers),
			state:  isWarned, code: "row_refused", at: ":19: rules[1].role_by_claim.roles[1]",
			text:   "row 2 of rules[1].role_by_claim fails: ",
			remedy: "use a role and a SAML provider of the same account and partition",
			mends:  changes(strangeUsers, users),
		},
		{
			of:     "a row of `role_by_claim` that is never reached",
			breaks: withRows(editors, users, editors),
			state:  isWarned, code: "row_hidden", at: ":20: rules[1].role_by_claim.roles[2]",
			text:   "row 3 is never reached",
			remedy: "remove it",
			mends:  changes(users+"\n        - "+editors+"\n", users+"\n"),
		},
		{
			of:     "a rule that refuses everyone",
			breaks: changes(rulesEnd, rulesEnd+"  - allow_connections: []\n"),
			state:  isFailed, code: "denied", at: ":15: rules[1].allow_connections",
			text:   "the rule rules[1].allow_connections denies everybody",
			remedy: "list in the rule who is allowed, or remove the rule",
			mends:  changes("  - allow_connections: []\n", ""),
		},
		{
			of: "a rule in JavaScript that needs a value of the configuration",
			breaks: func(s *brokenScene) {
				s.mkdir("rules")
				s.write("rules/role.js", "function (user, context, callback) {\n"+
					"  context.addonConfiguration.aws.role = configuration.AWS_ROLE;\n"+
					"  callback(null, user, context);\n}\n")
				s.replace(rulesEnd, rulesEnd+"  - javascript: {folder: rules}\n")
			},
			state: isWarned, code: "rule_needs", at: ":15: rules[1].javascript",
			text: `JavaScript rule "role", line 2, column 55: ` +
				"configuration.AWS_ROLE is read, and has no value",
			remedy: "set it in javascript.configuration",
			mends: changes("{folder: rules}",
				"{folder: rules, configuration: {AWS_ROLE: "+
					"'arn:aws:iam::123456789012:role/photo-user'}}"),
		},
		{
			of: "a rule in JavaScript that reads a property that the configuration must supply",
			breaks: func(s *brokenScene) {
				s.mkdir("rules")
				s.write("rules/app.js", "function (user, { clientName }, callback) {\n"+
					"  callback(clientName === 'Photos' ? null : 'no');\n}\n")
				s.replace(rulesEnd, rulesEnd+"  - javascript: {folder: rules}\n")
			},
			state: isWarned, code: "rule_needs", at: ":15: rules[1].javascript",
			text: `JavaScript rule "app", line 1, column 19: ` +
				"context.clientName is read, and is not supplied",
			remedy: "supply it in javascript.context, or list it in javascript.absent",
			mends: changes("{folder: rules}",
				"{folder: rules, context: {photo-app: {clientName: Photos}}}"),
		},
		{
			of:     "a rule for a target that does not exist",
			breaks: changes(rulesEnd, rulesEnd+"    targets: [foto-app]\n"),
			state:  isRefused, code: "config_invalid", at: ":15: rules[0].targets",
			text:   `"foto-app" is not a target`,
			remedy: "is not a target",
			mends:  changes("[foto-app]", "[photo-app]"),
		},
		{
			of:     "a recipient of another partition",
			breaks: adds("    saml_recipient: https://signin.amazonaws.cn/saml\n"),
			state:  isWarned, code: "recipient_mismatch",
			at:     ":13: targets.photo-app.saml_recipient",
			text:   "is not a sign-in address of the partition aws, in which eu-central-1 is",
			remedy: "remove saml_recipient of the target",
			mends:  drops("    saml_recipient: https://signin.amazonaws.cn/saml\n"),
		},
		{
			of:     "subjects with slashes, at a target that does not say whether they name folders",
			breaks: adds("    required_claims: {sub: ['org/.*']}\n"),
			state:  isWarned, code: "name_id_slash",
			at:     ":9: targets.photo-app",
			text:   `they have slashes, and in the target "photo-app" a folder`,
			remedy: "set name_id_encoding of the target to escaped or hashed",
			mends: changes("    required_claims",
				"    name_id_encoding: escaped\n    required_claims"),
		},
		{
			of:     "an audience of another partition",
			breaks: adds("    saml_audience: urn:amazon:webservices:cn-north-1\n"),
			state:  isWarned, code: "audience_mismatch",
			at:     ":13: targets.photo-app.saml_audience",
			text:   "is that of the partition aws-cn, and eu-central-1 is in aws",
			remedy: "or set it to urn:amazon:webservices",
			mends:  changes("webservices:cn-north-1", "webservices"),
		},
		{
			of:     "`sts.endpoint` is not AWS's",
			breaks: changes("listen:", "sts: {endpoint: 'https://sts.example.com'}\nlisten:"),
			state:  isWarned, code: "sts_endpoint",
			text: "STS is called at https://sts.example.com in all regions, because of " +
				"delegation.yaml:1: sts.endpoint",
			remedy: "remove that, unless STS is meant to be called there",
			mends:  drops("sts: {endpoint: 'https://sts.example.com'}\n"),
		},
		{
			of:     "`DELEGATION_STS_ENDPOINT` is not AWS's",
			breaks: setting("DELEGATION_STS_ENDPOINT=https://sts.example.com"),
			state:  isWarned, code: "sts_endpoint",
			text: "STS is called at https://sts.example.com in all regions, because of " +
				"environment variable DELEGATION_STS_ENDPOINT",
			remedy: "remove that, unless STS is meant to be called there",
			mends:  without("DELEGATION_STS_ENDPOINT=https://sts.example.com"),
		},
		{
			of:     "`sts.endpoint` with plain http on another machine",
			breaks: changes("listen:", "sts: {endpoint: 'http://sts.example.com'}\nlisten:"),
			state:  isRefused, code: "config_invalid", at: ":1: sts.endpoint",
			text:   "plain http to another machine exposes the credentials on the network",
			remedy: "use https",
			mends: changes("'http://sts.example.com'",
				"'https://sts.eu-central-1.amazonaws.com'"),
		},
		{
			of:     "`sts.unsafe_emulator` is on",
			breaks: changes("listen:", "sts: {unsafe_emulator: true}\nlisten:"),
			state:  isWarned, code: "sts_emulator",
			text:   "whom STS names in its answers is not checked",
			remedy: "this is for tests only",
			mends:  drops("sts: {unsafe_emulator: true}\n"),
		},
		{
			of:     "a key file that every user can read",
			breaks: func(s *brokenScene) { s.mode("signing.key", 0o644) },
			state:  isWarned, code: "file_exposed",
			at:     ":7: identity_provider.keys[0].key_file",
			text:   "every user of this machine can read this signing key (mode 0644)",
			remedy: "chmod o= 'signing.key'",
			mends:  func(s *brokenScene) { s.mode("signing.key", 0o640) },
		},
		{
			of: "a secret file that the group can write",
			breaks: func(s *brokenScene) {
				s.write("token", "canary")
				s.mode("token", 0o660)
				s.replace("example.com/\n", "example.com/\n    bearer_token_file: token\n")
			},
			state: isWarned, code: "file_writable", at: ":4: issuers[0].bearer_token_file",
			text:   "users other than its owner can replace this secret (mode 0660)",
			remedy: "chmod go-w 'token'",
			mends:  func(s *brokenScene) { s.mode("token", 0o640) },
		},
		{
			of:     "a key file that does not exist",
			breaks: changes("key_file: signing.key", "key_file: other.key"),
			state:  isRefused, code: "config_invalid",
			at:     ":7: identity_provider.keys[0].key_file",
			text:   "open other.key: no such file or directory",
			remedy: "correct the path, which is relative to the configuration",
			mends:  changes("key_file: other.key", "key_file: signing.key"),
		},
		{
			of: "a certificate of another key",
			breaks: func(s *brokenScene) {
				s.write("signing.key", privatePEM(delegationtest.NextSigningKey().Signer))
			},
			state: isRefused, code: "config_invalid", at: ":7: identity_provider.keys[0]",
			text:   "private key does not match public key",
			remedy: "certificate_file and key_file must be a pair",
			mends: func(s *brokenScene) {
				s.write("signing.key", privatePEM(delegationtest.SigningKey().Signer))
			},
		},
		{
			of: "a signing key that is not an RSA key of at least 2048 bits",
			breaks: func(s *brokenScene) {
				key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
				s.write("signing.key", privatePEM(key))
				s.write("signing.crt", certificateOf(key, func(*x509.Certificate) {}))
			},
			state: isRefused, code: "config_invalid", at: ":7: identity_provider.keys[0]",
			text:   "it is not RSA of at least 2048 bits",
			remedy: "such as delegation keygen makes",
			mends: func(s *brokenScene) {
				certificate, key := delegationtest.SigningKeyPEM()
				s.write("signing.key", string(key))
				s.write("signing.crt", string(certificate))
			},
		},
		{
			of: "a signing certificate that has expired",
			breaks: func(s *brokenScene) {
				s.signingCertificate(func(c *x509.Certificate) {
					c.NotAfter = time.Now().Add(-time.Minute)
				})
			},
			state: isWarned, code: "certificate_expired", at: ":7: identity_provider.keys[0]",
			text:   "the certificate expired on ",
			remedy: "publish a key with a new certificate",
			mends:  renewsCertificate,
		},
		{
			of: "a signing certificate that expires soon",
			breaks: func(s *brokenScene) {
				s.signingCertificate(func(c *x509.Certificate) {
					c.NotAfter = time.Now().AddDate(0, 0, 20)
				})
			},
			state: isWarned, code: "certificate_expires", at: ":7: identity_provider.keys[0]",
			text:   "the certificate expires on ",
			remedy: "publish a key with a new certificate",
			mends:  renewsCertificate,
		},
		{
			of: "a signing certificate that is not valid yet",
			breaks: func(s *brokenScene) {
				s.signingCertificate(func(c *x509.Certificate) {
					c.NotBefore = time.Now().Add(24 * time.Hour)
				})
			},
			state: isWarned, code: "certificate_not_yet_valid",
			at:   ":7: identity_provider.keys[0]",
			text: "the certificate is valid from ", remedy: "publish a key with a new certificate",
			mends: renewsCertificate,
		},
		{
			of: "a signing certificate that is signed with SHA-1",
			breaks: func(s *brokenScene) {
				s.signingCertificate(func(c *x509.Certificate) {
					c.SignatureAlgorithm = x509.SHA1WithRSA
				})
			},
			state: isWarned, code: "certificate_hash", at: ":7: identity_provider.keys[0]",
			text:   "the certificate is signed with SHA1-RSA",
			remedy: "make a certificate that is signed with SHA-256",
			mends:  renewsCertificate,
		},
		{
			of:     "a signing key that is listed twice",
			breaks: changes(keysLine, keysLine+keysLine),
			state:  isWarned, code: "key_twice", at: ":7: identity_provider.keys[0]",
			text:   "it is also key 2 of the same identity",
			remedy: "remove one of them from identity_provider.keys",
			mends:  changes(keysLine+keysLine, keysLine),
		},
		{
			of:     "a clock that is two minutes behind",
			breaks: func(s *brokenScene) { s.ahead.Store(int64(2 * time.Minute)) },
			state:  isWarned, code: "sts_clock",
			text:   " behind that of STS in eu-central-1",
			varies: true,
			remedy: "set this machine's clock (NTP)",
			mends:  func(s *brokenScene) { s.ahead.Store(0) },
		},
		{
			of:     "a clock that is ten minutes ahead",
			breaks: func(s *brokenScene) { s.ahead.Store(int64(-10 * time.Minute)) },
			state:  isFailed, code: "sts_response_expired",
			text:   " ahead of that of STS in eu-central-1, and AWS accepts no assertion from it",
			varies: true,
			remedy: "check this machine's clock (NTP)",
			mends:  func(s *brokenScene) { s.ahead.Store(0) },
		},
		{
			of: "an issuer that does not answer",
			breaks: func(s *brokenScene) {
				s.issuer.SetFaults(oidctest.Faults{Status: http.StatusServiceUnavailable})
			},
			state: isFailed, code: "key_set_unavailable", at: ":3: issuers[0]",
			text:   "it answered 503",
			remedy: "check that the issuer can be reached from here",
			mends:  func(s *brokenScene) { s.issuer.SetFaults(oidctest.Faults{}) },
		},
		{
			of:     "an issuer whose URL lacks its final slash",
			breaks: changes("https://tenant.example.com/\n", "https://tenant.example.com\n"),
			state:  isFailed, code: "discovery_issuer", at: ":3: issuers[0]",
			text:   `names the issuer "https://tenant.example.com/"`,
			remedy: "url of the issuer",
			mends:  changes("https://tenant.example.com\n", "https://tenant.example.com/\n"),
		},
		{
			of: "an issuer that signs with another algorithm",
			breaks: func(s *brokenScene) {
				s.issuedBy(oidctest.Config{Algorithm: "ES256"})
			},
			state: isWarned, code: "issuer_keys_unfit",
			text:   "no key of its set fits an algorithm that it may use: the keys are for ES256",
			remedy: "list what it signs with in algorithms of the issuer",
			mends:  changes("example.com/\n", "example.com/\n    algorithms: [ES256]\n"),
		},
		{
			of: "a certificate of the issuer's server that expires soon",
			breaks: func(s *brokenScene) {
				s.issuerCertificate = time.Now().AddDate(0, 0, 10)
			},
			state: isWarned, code: "issuer_server_certificate",
			text:   "the certificate of the server tenant.example.com expires at ",
			remedy: "its keys cannot be fetched after that",
			mends: func(s *brokenScene) {
				s.issuerCertificate = time.Now().AddDate(1, 0, 0)
				s.runner = nil // a TLS session that is resumed has the old certificate
			},
		},
		{
			of: "an issuer that strangers share",
			breaks: func(s *brokenScene) {
				s.issuer.SetIssuer("https://accounts.google.com")
				s.replace("https://tenant.example.com/", "https://accounts.google.com")
			},
			state: isWarned, code: "issuer_strangers", at: ":3: issuers[0]",
			text:   `nothing keeps strangers out of the target "photo-app"`,
			remedy: "require a claim of yours, such as hd",
			mends: changes("google.com\n",
				"google.com\n    required_claims: {hd: [example.com]}\n"),
		},
		{
			of: "STS that does not answer",
			breaks: func(s *brokenScene) {
				s.aws.Script(ststest.Repeat(1000, ststest.Status(503)))
			},
			state: isFailed, code: "sts_unavailable",
			text:   "sts.eu-central-1.amazonaws.com: api error ServiceUnavailable",
			remedy: "check the network path to the STS host",
			mends:  replacesSTS,
		},
		{
			of: "a region of STS that is not enabled",
			breaks: func(s *brokenScene) {
				s.aws.Script(ststest.Repeat(1000, ststest.RegionDisabled().In("eu-central-1")))
			},
			state: isFailed, code: "sts_region_disabled",
			text:   "STS is not activated in this region",
			remedy: "region",
			mends:  replacesSTS,
		},
		{
			of: "Redis that does not answer",
			breaks: func(s *brokenScene) {
				s.write("sealing.key", strings.Repeat("0f", 32))
				s.replace("listen:", redisLines+"listen:")
			},
			state: isFailed, code: "redis_unreachable",
			text:   "connect: connection refused",
			remedy: "start Redis, or correct the host and the port in redis.url",
			mends:  drops(redisLines), // another test starts Redis
		},
		{
			of: "an HTTPS certificate that expires soon",
			breaks: func(s *brokenScene) {
				s.httpsCertificate(time.Now().AddDate(0, 0, 10))
				s.replace("listen:", "tls: {certificate_file: tls.crt, key_file: tls.key}\nlisten:")
			},
			state: isWarned, code: "tls_certificate_expires",
			text: "the certificate expires at ", remedy: "renew it",
			mends: func(s *brokenScene) { s.httpsCertificate(time.Now().AddDate(1, 0, 0)) },
		},
		{
			of: "an HTTPS certificate that has expired",
			breaks: func(s *brokenScene) {
				s.httpsCertificate(time.Now().Add(-time.Minute))
				s.replace("listen:", "tls: {certificate_file: tls.crt, key_file: tls.key}\nlisten:")
			},
			state: isWarned, code: "tls_certificate_expired",
			text: "the certificate expired at ", remedy: "renew it",
			mends: func(s *brokenScene) { s.httpsCertificate(time.Now().AddDate(1, 0, 0)) },
		},
		{
			of: "a profile endpoint that refuses the bearer token",
			breaks: func(s *brokenScene) {
				s.withProfile("https://profiles.example.com/users/{subject}")
				s.profiles.Store(401)
			},
			state: isFailed, code: "profile_unauthorized",
			text:   "the endpoint answered 401 to the credentials of this service",
			remedy: "give this service credentials that the profile endpoint accepts",
			mends:  func(s *brokenScene) { s.profiles.Store(404) },
		},
		{
			of: "a profile endpoint that is down",
			breaks: func(s *brokenScene) {
				s.withProfile("https://profiles.example.com/users/{subject}")
				s.profiles.Store(503)
			},
			state: isFailed, code: "profile_unavailable",
			text:   "https://profiles.example.com answered 503",
			remedy: "check the profile endpoint",
			mends:  func(s *brokenScene) { s.profiles.Store(404) },
		},
		{
			of: "a profile address that is the same for all users",
			breaks: func(s *brokenScene) {
				s.withProfile("https://profiles.example.com/users")
			},
			state: isRefused, code: "config_invalid", at: ":15: rules[1].javascript.profile.url",
			text: "lacks {subject}", remedy: "all users would have one profile",
			mends: changes("com/users", "com/users/{subject}"),
		},
		{
			of:     "an environment variable that sets nothing",
			breaks: setting("DELEGATION_STS_ENDPIONT=https://sts.example.com"),
			state:  isWarned, code: "environment_unknown",
			text: "environment variable sets nothing", remedy: "correct its name, or unset it",
			mends: without("DELEGATION_STS_ENDPIONT=https://sts.example.com"),
		},
		{
			of:     "an unknown key",
			breaks: changes("region:", "regoin:"),
			state:  isRefused, code: "config_invalid", at: ":12: targets.photo-app.regoin",
			text: "unknown key", remedy: "did you mean region?",
			mends: changes("regoin:", "region:"),
		},
	}
}

// renewsCertificate has a certificate that is right.
func renewsCertificate(s *brokenScene) { s.signingCertificate(func(*x509.Certificate) {}) }

// replacesSTS has an STS that answers.
func replacesSTS(s *brokenScene) {
	s.aws = ststest.New(ststest.Config{Region: "eu-central-1"})
}

// httpsCertificate writes a certificate of HTTPS, and its key.
func (s *brokenScene) httpsCertificate(ends time.Time) {
	key := delegationtest.SigningKey().Signer.(*rsa.PrivateKey) // making one takes long
	s.write("tls.key", privatePEM(key))
	s.write("tls.crt", certificateOf(key, func(c *x509.Certificate) {
		c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
		c.NotBefore = time.Now().AddDate(0, -6, 0)
		c.NotAfter = ends
	}))
}
