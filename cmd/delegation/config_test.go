package main

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
	"github.com/seed055b7978/delegation/delegationtest"
)

// loadAndBuild does what serve does before it listens.
func loadAndBuild(t *testing.T, file string, environment ...string) (*service.Service, error) {
	t.Helper()
	s, from, err := config.Load(file, environment)
	if err != nil {
		return nil, err
	}
	return config.Build(t.Context(), s, from, slog.New(slog.DiscardHandler))
}

// TestConfigErrors: every mistake is named with file, line and key, and no line of the file is
// repeated.
func TestConfigErrors(t *testing.T) {
	const good = `listen: 127.0.0.1:0
issuers:
  - url: https://tenant.example.com/
identity_provider:
  entity_id: urn:tenant.example.com
  keys:
    - {certificate_file: signing.crt, key_file: signing.key}
targets:
  photo-app:
    principal: arn:aws:iam::123456789012:saml-provider/delegation
    role: arn:aws:iam::123456789012:role/photo-user
    region: eu-central-1
`
	w := newWorld(t)
	if _, err := loadAndBuild(t, w.write(t, "good.yaml", good)); err != nil {
		t.Fatal(err)
	}
	w.write(t, "secret.txt", "canary-too-short")
	w.write(t, "junk.pem", "canary-junk")
	w.write(t, "other-pair.key", string(pem.EncodeToMemory(&pem.Block{
		Type:  "PRIVATE KEY",
		Bytes: must(x509.MarshalPKCS8PrivateKey(delegationtest.NextSigningKey().Signer)),
	})))
	w.write(t, "list.yaml", "- canary")
	w.write(t, "open.yaml", "B:\nA: null\nC: canary\n")
	w.write(t, "empty.js", " \n")
	w.write(t, "typo.js", "exports.a = ;")
	w.folderOf(t, "typo",
		map[string]string{
			"10-broken.js": "function (user, context, callback) {\n" +
				"  callback(null, user context);\n}",
		})
	w.folderOf(t, "good",
		map[string]string{
			"10-good.js": "function (user, context, callback) { callback(null, user, context); }",
		})
	for name, row := range map[string]struct{ old, new, want string }{
		"unknown key": {"listen:", "lissten:",
			":1: lissten: unknown key: did you mean listen?"},
		"unknown key, like no other": {"listen:", "colour: red\nlisten:",
			":1: colour: unknown key"},
		"unknown nested key": {"    region:", "    regoin:",
			":12: targets.photo-app.regoin: unknown key: did you mean region?"},
		"unknown key of an entry": {"- url:", "- uri:", ":3: issuers[0].uri: unknown key: did you mean url?"},
		"key twice": {"listen: 127.0.0.1:0", "listen: a\nlisten: b",
			`:2: column 1: the key "listen" appears twice, first in line 1: remove one of them`},
		"no YAML":           {"listen: 127.0.0.1:0", "listen: [a", ":2: "},
		"a list for a text": {"listen: 127.0.0.1:0", "listen: [a]", ":1: listen: must be text"},
		"a text for a list": {"issuers:\n  - url: https://tenant.example.com/",
			"issuers: https://x", ":2: issuers: "},
		"a text for a number": {"listen:", "max_token_size: many\nlisten:",
			":1: max_token_size: must be a whole number"},
		"a text for a boolean": {"listen:", "strict_session_names: maybe\nlisten:",
			":1: strict_session_names: must be true or false"},
		"two documents": {"listen: 127.0.0.1:0", "listen: a\n---\nlisten: b",
			":3: a second document begins"},
		"duration": {"    region:", "    session_duration: 1 hour\n    region:",
			`:12: targets.photo-app.session_duration: "1 hour" is not a duration`},
		"audit without a place": {"listen:", "audit: {on_failure: refuse}\nlisten:",
			":1: audit: has neither file nor syslog.address"},
		"audit in two places": {"listen:",
			"audit: {file: a, syslog: {address: unix:///dev/log}, on_failure: refuse}\nlisten:",
			":1: audit: has file and syslog: remove one of them"},
		"audit without a direction": {"listen:", "audit: {file: a}\nlisten:",
			":1: audit.on_failure: is missing: set refuse to send no " +
				"credentials"},
		"audit in an unknown direction": {"listen:",
			"audit: {file: a, on_failure: warn}\nlisten:",
			`:1: audit.on_failure: is "warn": set refuse or continue`},
		"audit over UDP, which must not lose": {"listen:",
			"audit: {syslog: {address: udp://a:514}, on_failure: refuse}\nlisten:",
			":1: audit.on_failure: cannot be refuse with udp://, which reports no lost record"},
		"audit without a time": {"listen:",
			"audit: {file: a, on_failure: refuse, timeout: soon}\nlisten:",
			`:1: audit.timeout: "soon" is not a duration`},
		"audit with sync of no file": {"listen:",
			"audit: {sync: true, on_failure: refuse}\nlisten:",
			":1: audit.sync: has no effect without audit.file: set that too, or remove sync"},
		"audit to no syslog": {"listen:",
			"audit: {syslog: {address: logs.example.com}, on_failure: refuse}\nlisten:",
			`:1: audit.syslog: address is "logs.example.com": use unix:///dev/log`},
		"audit to an unknown facility": {"listen:",
			"audit: {syslog: {address: tcp://a:601, facility: kern}, on_failure: refuse}\nlisten:",
			`:1: audit.syslog: facility is "kern": use user`},
		"audit trusting no certificate": {"listen:",
			"audit: {syslog: {address: tls://a:1, ca_file: junk.pem}, on_failure: refuse}\nlisten:",
			":1: audit.syslog.ca_file: contains no certificate in PEM"},
		"negative duration": {"listen:", "leeway: -1s\nlisten:",
			`:1: leeway: "-1s" is not a duration`},
		"no issuers": {"issuers:\n  - url: https://tenant.example.com/\n", "",
			": issuers: is missing"},
		"plain http issuer": {"https://tenant", "http://tenant", ":3: issuers[0].url: "},
		"algorithm": {"- url: https://tenant.example.com/",
			"- url: https://tenant.example.com/\n    algorithms: [RS257]",
			`:4: issuers[0].algorithms: "RS257" is none of`},
		"issuer twice": {"  - url: https://tenant.example.com/",
			"  - url: https://tenant.example.com/\n  - url: https://tenant.example.com/",
			":4: issuers[1].url: "},
		"short secret": {"- url: https://tenant.example.com/",
			"- url: https://tenant.example.com/\n    shared_secret_file: secret.txt",
			":4: issuers[0].shared_secret_file: has 16 bytes"},
		"no key set": {"- url: https://tenant.example.com/",
			"- url: https://tenant.example.com/\n    jwks_file: junk.pem",
			":4: issuers[0].jwks_file: "},
		"no such file": {"key_file: signing.key", "key_file: other.key",
			":7: identity_provider.keys[0].key_file: open "},
		"no such file, and what to do": {"key_file: signing.key", "key_file: /nowhere.key",
			":7: identity_provider.keys[0].key_file: open /nowhere.key: " +
				"no such file or directory: correct the path"},
		"another key's certificate": {"key_file: signing.key", "key_file: other-pair.key",
			":7: identity_provider.keys[0]: the signing key: tls: private key does not match " +
				"public key; certificate_file and key_file must be a pair"},
		"no other certificate": {"\n  keys:", "\n  also_certificates: [none.crt]\n  keys:",
			":6: identity_provider.also_certificates[0]: open "},
		"a key instead of a certificate": {"\n  keys:",
			"\n  also_certificates: [signing.key]\n  keys:",
			":6: identity_provider.also_certificates[0]: must contain exactly one PEM block"},
		"the same certificate": {"\n  keys:", "\n  also_certificates: [signing.crt]\n  keys:",
			":6: identity_provider.also_certificates[0]: it appears twice: remove it"},
		"no file": {", key_file: signing.key", "",
			":7: identity_provider.keys[0].key_file: is missing"},
		"no key in it": {"key_file: signing.key", "key_file: junk.pem",
			":7: identity_provider.keys[0]: "},
		"entity ID": {"urn:tenant.example.com", `" urn:x"`, ":5: identity_provider.entity_id: "},
		"principal": {"saml-provider/", "oidc-provider/", ":10: targets.photo-app.principal: "},
		"role":      {"role/photo-user", "user/photo-user", ":11: targets.photo-app.role: "},
		"region": {"eu-central-1", "mars-north-1",
			`:12: targets.photo-app.region: "mars-north-1" is not the name of an AWS region`},
		"fail-over region": {"    region:",
			"    failover_regions: [mars-north-1]\n    region:",
			`:12: targets.photo-app.failover_regions: "mars-north-1" is not the name of an AWS region`},
		"allowed role": {"    region:", "    allowed_roles: [x]\n    region:",
			":12: targets.photo-app.allowed_roles[0]: "},
		"foreign issuer": {"    region:",
			"    issuers: [https://other.example.com]\n    region:",
			`:12: targets.photo-app.issuers: "https://other.example.com" is not a configured issuer`},
		"provider's UUID": {"    region:", "    saml_provider_uuid: x\n    region:",
			":12: targets.photo-app.saml_provider_uuid: "},
		"encryption key": {"    region:", "    encryption_key_file: junk.pem\n    region:",
			":12: targets.photo-app.encryption_key_file: "},
		"chain without a source identity": {"    region:",
			"    chain: [{role_arn: 'arn:aws:iam::222222222222:role/hub'}]\n    region:",
			":12: targets.photo-app.chain: needs a source identity, and nothing sets one"},
		"chain of a user": {"    region:", "    chain: [{role_arn: x}]\n    region:",
			`:12: targets.photo-app.chain[0].role_arn: "x" is not the ARN of a role`},
		"chain without a role": {"    region:", "    chain: [{external_id: ab}]\n    region:",
			":12: targets.photo-app.chain[0].role_arn: the role is empty"},
		"external ID": {"    region:",
			"    chain: [{role_arn: 'arn:aws:iam::222222222222:role/hub', external_id: x}]\n" +
				"    region:",
			`:12: targets.photo-app.chain[0].external_id: "x" does not have 2 to 1224`},
		"long chained session": {"    region:",
			"    chain: [{role_arn: 'arn:aws:iam::222222222222:role/hub'}]\n" +
				"    session_duration: 2h\n    region:",
			":13: targets.photo-app.session_duration: is 2h0m0s, and AWS allows a role at the " +
				"end of a chain at most 1h0m0s"},
		"odd name": {"photo-app:", `"photo.app":`, ""},
		"odd name, bad role": {
			"photo-app:\n    principal: arn:aws:iam::123456789012:saml-provider/delegation\n" +
				"    role: arn:aws:iam",
			"\"photo.app\":\n    principal: arn:aws:iam::123456789012:saml-provider/delegation\n" +
				"    role: arn:xxx:iam", ":11: targets.'photo.app'.role: ",
		},
		"two rules in one": {"targets:\n",
			"rules:\n  - require_verified_email: true\n    allow_connections: [x]\ntargets:\n",
			":9: rules[0]: has 2 rules, and must have exactly one of"},
		"no rule": {"targets:\n", "rules:\n  - targets: [photo-app]\ntargets:\n",
			":9: rules[0]: has 0 rules, and must have exactly one of"},
		"rule of no target": {"targets:\n",
			"rules:\n  - require_verified_email: true\n    targets: [other]\ntargets:\n",
			`:10: rules[0].targets: "other" is not a target`},
		"a rule that is off": {"targets:\n",
			"rules:\n  - require_verified_email: false\ntargets:\n",
			":9: rules[0].require_verified_email: can only be true"},
		"pattern": {"targets:\n",
			"rules:\n" +
				"  - role_by_claim: {claim: groups, roles: [{match: \"a)|(b\", " +
				"role: \"arn:aws:iam::123456789012:role/x\"}]}\ntargets:\n",
			":9: rules[0].role_by_claim: "},
		"role of a rule": {"targets:\n",
			"rules:\n  - role_by_claim: {claim: groups, roles: [{match: a, role: b}]}\ntargets:\n",
			":9: rules[0].role_by_claim.roles[0].role: "},
		"claim of a rule": {"targets:\n",
			"rules:\n" +
				"  - role_by_claim: {roles: [{match: a, " +
				"role: \"arn:aws:iam::123456789012:role/x\"}]}\ntargets:\n",
			":9: rules[0].role_by_claim.claim: is missing"},
		"session policy": {"targets:\n", "rules:\n  - session_policy: \"{\"\ntargets:\n",
			":9: rules[0].session_policy: "},
		"a sign-in of no time": {"targets:\n", "rules:\n  - require_recent_login: 0s\ntargets:\n",
			":9: rules[0].require_recent_login: must be how long ago a sign-in may be, such as 15m"},
		"a sign-in of no duration": {"targets:\n",
			"rules:\n  - require_recent_login: 15\ntargets:\n",
			":9: rules[0].require_recent_login: \"15\" is not a duration such as 90s or 1h"},
		"no method": {"targets:\n", "rules:\n  - require_amr: []\ntargets:\n",
			":9: rules[0].require_amr: is empty, which refuses every user: list a value, or remove the rule"},
		"no class": {"targets:\n", "rules:\n  - require_acr: []\ntargets:\n",
			":9: rules[0].require_acr: is empty, which refuses every user: list a value, or remove the rule"},
		"no claim of a tag": {"targets:\n",
			"rules:\n  - tags_from_claims:\n      a: x\n      b: {escape: true}\ntargets:\n",
			":11: rules[0].tags_from_claims.b.from: is empty"},
		"a separator": {"targets:\n",
			"rules:\n  - tags_from_claims: {b: {from: x, join: \"_\"}}\ntargets:\n",
			`:9: rules[0].tags_from_claims.b.join: is "_", and may have the characters .+=@-:/`},
		"a tag's key": {"targets:\n",
			"rules:\n  - tags_from_claims: {\"aws:b\": {from: x, join: \"_\"}}\ntargets:\n",
			`:9: rules[0].tags_from_claims.aws:b: AWS does not accept the tag key "aws:b"`},
		"a claim's unknown key": {"targets:\n",
			"rules:\n  - tags_from_claims: {b: {from: x, optionel: true}}\ntargets:\n",
			":9: rules[0].tags_from_claims.b.optionel: unknown key: did you mean optional?"},
		"a list as a claim": {"targets:\n",
			"rules:\n  - tags_from_claims: {b: [x]}\ntargets:\n",
			":9: rules[0].tags_from_claims.b: must be text or keys with values (KEY: VALUE"},
		"a list as a source identity": {"targets:\n",
			"rules:\n  - source_identity_from_claim: [x]\ntargets:\n",
			":9: rules[0].source_identity_from_claim: must be text or keys with values (KEY: VALUE"},
		"a separator of a source identity": {"targets:\n",
			"rules:\n  - source_identity_from_claim: {from: x, join: /}\ntargets:\n",
			":9: rules[0].source_identity_from_claim.join: is \"/\""},
		"a template without a separator": {"targets:\n",
			"rules:\n  - source_identity: \"{{a}}{{b}}\"\ntargets:\n",
			":9: rules[0].source_identity: \"{{a}}{{b}}\" needs a separator between two"},
		"a template of a session name": {"targets:\n",
			"rules:\n  - session_name: \"{{a\"\ntargets:\n",
			":9: rules[0].session_name: \"{{a\" has a {{ without a property"},
		"a template of a NameID": {"targets:\n", "rules:\n  - name_id: \"*{{a}}\"\ntargets:\n",
			":9: rules[0].name_id: \"*{{a}}\" has the character '*'"},
		"an empty template": {"targets:\n", "rules:\n  - name_id: \"\"\ntargets:\n",
			":9: rules[0].name_id: is empty"},
		"a template of a target": {"photo-app:\n", "photo-app:\n    source_identity: \"{{a\"\n",
			":10: targets.photo-app.source_identity: \"{{a\" has a {{ without a property"},
		"no folder": {"targets:\n", "rules:\n  - javascript: {domain: x}\ntargets:\n",
			":9: rules[0].javascript.folder: is missing"},
		"no such folder": {"targets:\n",
			"rules:\n  - javascript: {folder: none}\ntargets:\n",
			":9: rules[0].javascript.folder: open " + filepath.Join(w.folder, "none") + ": no such " +
				"file or directory: correct the path, which is relative to the configuration"},
		"a file for a folder": {"targets:\n",
			"rules:\n  - javascript: {folder: signing.crt}\ntargets:\n",
			":9: rules[0].javascript.folder: open " + filepath.Join(w.folder, "signing.crt")},
		"a rule with a typo": {"targets:\n",
			"rules:\n  - javascript: {folder: typo}\ntargets:\n",
			":9: rules[0].javascript.folder: JavaScript rule \"10-broken\", line 2, column "},
		"a wrong alias of an issuer with profiles": {"  - url: https://tenant.example.com/\n",
			"  - url: https://tenant.example.com/\n    aliases: [\"https://{a}.example.com/\"]\n" +
				"rules:\n  - javascript: {folder: good, profile: " +
				"{url: \"https://profiles.example.com/{subject}\"}}\n",
			":4: issuers[0].aliases[0]: \"https://{a}.example.com/\" has a placeholder"},
		"context of no target": {"targets:\n",
			"rules:\n  - javascript: {folder: good, context: {other: {clientName: x}}}\ntargets:\n",
			":9: rules[0].javascript.context: \"other\" is not a target"},
		"context of an add-on": {"targets:\n",
			"rules:\n" +
				"  - javascript: {folder: good, context: " +
				"{photo-app: {addonConfiguration: {}}}}\ntargets:\n",
			":9: rules[0].javascript.context: addonConfiguration comes from the target's own settings"},
		"context beyond JSON": {"targets:\n",
			"rules:\n" +
				"  - javascript: {folder: good, context: " +
				"{photo-app: {clientName: .nan}}}\ntargets:\n",
			":9: rules[0].javascript.context: \"photo-app\" has a value that JSON cannot express"},
		"absent and unknown": {"targets:\n",
			"rules:\n  - javascript: {folder: good, absent: [clientname]}\ntargets:\n",
			":9: rules[0].javascript.absent: jsrules: Absent: \"clientname\" is not a property"},
		"a SAML configuration": {"targets:\n",
			"rules:\n  - javascript: {folder: good, saml_configuration: gcp}\ntargets:\n",
			":9: rules[0].javascript.saml_configuration: is \"gcp\", and can only be aws"},
		"no actions": {"targets:\n",
			"rules:\n  - javascript: {actions: none}\ntargets:\n",
			":9: rules[0].javascript.actions: open " + filepath.Join(w.folder, "none") + ": no such " +
				"file or directory: correct the path, which is relative to the configuration"},
		"a rule among the actions": {"targets:\n",
			"rules:\n  - javascript: {actions: good}\ntargets:\n",
			":9: rules[0].javascript.actions: JavaScript rule \"10-good\""},
		"secrets of actions": {"targets:\n",
			"rules:\n  - javascript: {folder: good, secrets_file: list.yaml}\ntargets:\n",
			":9: rules[0].javascript.secrets_file: is not a map of names to texts, in YAML or JSON"},
		"no host to call": {"targets:\n",
			"rules:\n  - javascript: {folder: good, http: {allow: []}}\ntargets:\n",
			":9: rules[0].javascript.http.allow: is empty: list the hosts"},
		"a URL to call": {"targets:\n",
			"rules:\n  - javascript: {folder: good, http: {allow: [\"https://x\"]}}\ntargets:\n",
			":9: rules[0].javascript.http.allow: \"https://x\""},
		"an empty profile": {"targets:\n",
			"rules:\n  - javascript: {folder: good, profile: {}}\ntargets:\n",
			":9: rules[0].javascript.profile.url: is empty, and there is no Auth0"},
		"a profile in the clear": {"targets:\n",
			"rules:\n  - javascript: {folder: good, profile: {url: \"http://a.b/{subject}\"}}\n" +
				"targets:\n",
			":9: rules[0].javascript.profile.url: \"http://a.b/{subject}\" is not https://"},
		"one profile for all": {"targets:\n",
			"rules:\n  - javascript: {folder: good, profile: {url: \"https://a.b/\"}}\n" +
				"targets:\n",
			":9: rules[0].javascript.profile.url: \"https://a.b/\" lacks {subject}"},
		"a profile's token": {"targets:\n",
			"rules:\n  - javascript: {folder: good, profile: {url: \"https://a.b/{subject}\", " +
				"token_file: junk.pem.none}}\ntargets:\n",
			":9: rules[0].javascript.profile.token_file: open "},
		"a profile's CA": {"targets:\n",
			"rules:\n  - javascript: {folder: good, profile: {url: \"https://a.b/{subject}\", " +
				"ca_file: junk.pem}}\ntargets:\n",
			":9: rules[0].javascript.profile.ca_file: "},
		"a profile's time": {"targets:\n",
			"rules:\n  - javascript: {folder: good, profile: {url: \"https://a.b/{subject}\", " +
				"timeout: 2m}}\ntargets:\n",
			":9: rules[0].javascript.profile.timeout: must be between 0 and 1m0s"},
		"profiles that are stale and not kept": {"targets:\n",
			"rules:\n  - javascript: {folder: good, profile: {url: \"https://a.b/{subject}\", " +
				"cache_for: 0s, stale_for: 1h}}\ntargets:\n",
			":9: rules[0].javascript.profile.stale_for: has no effect with cache_for: 0s"},
		"profiles of nobody": {"targets:\n",
			"rules:\n  - javascript: {folder: good, profile: {url: \"https://a.b/{subject}\", " +
				"issuers: [\"https://x\"]}}\ntargets:\n",
			":9: rules[0].javascript.profile.issuers: tokens of \"https://tenant.example.com/\" are " +
				"accepted, but its users would be refused"},
		"Auth0 of another issuer": {"targets:\n",
			"rules:\n  - javascript: {folder: good, profile: {auth0: {domain: x.auth0.com, " +
				"client_id: c, client_secret_file: junk.pem}}}\ntargets:\n",
			":9: rules[0].javascript.profile.issuers: tokens of \"https://tenant.example.com/\" are " +
				"accepted, but its users would be refused"},
		"Auth0 without a secret": {"targets:\n",
			"rules:\n  - javascript: {folder: good, profile: {auth0: {domain: x.auth0.com, " +
				"client_id: c}}}\ntargets:\n",
			":9: rules[0].javascript.profile.auth0.client_secret_file: is missing"},
		"two profiles": {"targets:\n",
			"rules:\n  - javascript: {folder: good, profile: {url: \"https://a.b/{subject}\"}}\n" +
				"  - javascript: {folder: good, profile: {url: \"https://a.c/{subject}\"}}\n" +
				"targets:\n",
			":10: rules[1].javascript.profile: differs from rules[0].javascript.profile"},
		"one profile, twice": {"targets:\n",
			"rules:\n  - javascript: {folder: good, profile: {url: \"https://a.b/{subject}\"}}\n" +
				"  - javascript: {folder: good, profile: {url: \"https://a.b/{subject}\"}}\n" +
				"targets:\n", ""},
		"rules that may call, and read SAML": {"targets:\n",
			"rules:\n  - javascript: {folder: good, saml_configuration: aws, http: " +
				"{allow: [api.example.com], max_redirects: 0}}\ntargets:\n", ""},
		"no module": {"targets:\n",
			"rules:\n  - javascript: {folder: good, modules: {teams: none.js}}\ntargets:\n",
			":9: rules[0].javascript.modules.teams: "},
		"a module without a file": {"targets:\n",
			"rules:\n  - javascript: {folder: good, modules: {teams: \"\"}}\ntargets:\n",
			":9: rules[0].javascript.modules.teams: is missing"},
		"an empty module": {"targets:\n",
			"rules:\n  - javascript: {folder: good, modules: {teams: empty.js}}\ntargets:\n",
			":9: rules[0].javascript.modules.teams: is an empty file: write a CommonJS module into it"},
		"a module with a typo": {"targets:\n",
			"rules:\n" +
				"  - javascript: {folder: good, modules: {teams: typo.js}}\ntargets:\n",
			":9: rules[0].javascript.modules.teams: module \"teams\": "},
		"a global of JavaScript": {"targets:\n",
			"rules:\n  - javascript: {folder: good, globals: {Date: 1}}\ntargets:\n",
			":9: rules[0].javascript.globals.Date: \"Date\" is a global that rules have already"},
		"a global's odd name": {"targets:\n",
			"rules:\n  - javascript: {folder: good, globals: {a-b: 1}}\ntargets:\n",
			":9: rules[0].javascript.globals.a-b: \"a-b\" is not a name of up to 100 letters"},
		"a global beyond JSON": {"targets:\n",
			"rules:\n  - javascript: {folder: good, globals: {A: .nan}}\ntargets:\n",
			":9: rules[0].javascript.globals.A: \"A\" has a value that JSON cannot carry"},
		"globals as a list": {"targets:\n",
			"rules:\n  - javascript: {folder: good, globals: [A]}\ntargets:\n",
			":9: rules[0].javascript.globals: must be keys with values"},
		"time for a rule": {"targets:\n",
			"rules:\n  - javascript: {folder: good, timeout: x}\ntargets:\n",
			":9: rules[0].javascript.timeout: "},
		"settings of rules": {"targets:\n",
			"rules:\n  - javascript: {folder: good, configuration_file: list.yaml}\ntargets:\n",
			":9: rules[0].javascript.configuration_file: is not a map of names to texts, in YAML or JSON"},
		"names without a value": {"targets:\n",
			"rules:\n  - javascript: {folder: good, configuration_file: open.yaml}\ntargets:\n",
			":9: rules[0].javascript.configuration_file: has no value for A, B: write it after " +
				"the name in open.yaml, or \"\" if it is empty"},
		"STS endpoint": {"listen:", "sts: {endpoint: localhost}\nlisten:",
			`:1: sts.endpoint: "localhost" is not a URL`},
		"STS in the clear": {"listen:",
			"sts: {endpoint: \"http://sts.example.com\"}\nlisten:",
			`:1: sts.endpoint: "http://sts.example.com": plain http to another machine`},
		"STS in the clear, asked": {"listen:",
			"sts: {endpoint: \"http://sts.example.com\", allow_plain_http: true}\nlisten:", ""},
		"STS endpoint with FIPS": {"listen:",
			"sts: {endpoint: \"https://sts.example.com\", fips: true}\nlisten:",
			":1: sts.endpoint: sts.fips is set, and STS is to be called at https://sts.example.com"},
		"STS endpoint with dual stack": {"listen:",
			"sts: {endpoint: \"https://sts.example.com\", dual_stack: true}\nlisten:",
			":1: sts.endpoint: sts.dual_stack is set, and STS is to be called at "},
		"console in the clear": {"listen:",
			"http: {console: {enabled: true, endpoint: \"http://aws.example.com\"}}\nlisten:",
			`:1: http.console.endpoint: "http://aws.example.com" must be https`},
		"FIPS with dual stack": {"listen:", "sts: {fips: true, dual_stack: true}\nlisten:",
			": sts.fips and sts.dual_stack are both set"},
		"origin": {"listen:",
			"http:\n  allowed_origins: [\"https://app.example.com/\"]\nlisten:",
			":2: http.allowed_origins[0]: "},
		"proxies": {"listen:", "http: {trusted_proxies: -1}\nlisten:",
			":1: http.trusted_proxies: -1"},
		"rate limit": {"listen:", "http: {rate_limit: {per: 1m}}\nlisten:",
			":1: http.rate_limit: "},
		"console": {"listen:",
			"http: {console: {enabled: true, issuer: x}}\nlisten:", ":1: http.console.issuer: "},
		"TLS without a key": {"listen:",
			"tls: {certificate_file: signing.crt}\nlisten:", ":1: tls: "},
		"TLS without files": {"listen:",
			"tls: {certificate_file: none.crt, key_file: none.key}\nlisten:",
			":1: tls: stat " + filepath.Join(w.folder, "none.crt") + ": no such file or directory: " +
				"correct the path, which is relative to the configuration"},
		"debugging for all": {"listen:", "debug_listen: 0.0.0.0:6060\nlisten:",
			":1: debug_listen: is not a loopback address"},
		"debugging for everyone": {"listen:", "debug_listen: \":6060\"\nlisten:",
			":1: debug_listen: is not a loopback address"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(good, row.old, row.new, 1)
			if text == good {
				t.Fatalf("%q is not in the configuration", row.old)
			}
			file := w.write(t, "delegation.yaml", text)
			_, err := loadAndBuild(t, file)
			if row.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var usage config.UsageError
			if !errors.As(err, &usage) {
				t.Fatalf("got %v, want a usage error", err)
			}
			if !strings.Contains("\n"+err.Error(), "\n"+file+row.want) {
				t.Errorf("got  %s\nwant %s%s", err, file, row.want)
			}
			if strings.Contains(err.Error(), "canary") {
				t.Errorf("a file's text is in %v", err)
			}
		})
	}

	t.Run("the AWS SDK's environment", func(t *testing.T) {
		file := w.write(t, "delegation.yaml", good)
		for variable, value := range map[string]string{
			"AWS_CA_BUNDLE":              "/nowhere",
			"AWS_USE_FIPS_ENDPOINT":      "1",
			"AWS_USE_DUALSTACK_ENDPOINT": "1",
		} {
			t.Setenv(variable, value)
			_, err := loadAndBuild(t, file)
			var usage config.UsageError
			want := "the environment variable " + variable + ": "
			if !errors.As(err, &usage) || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("got %v, want a usage error %s", err, want)
			}
			t.Setenv(variable, "")
		}
		t.Setenv("AWS_USE_FIPS_ENDPOINT", "true")
		_, err := loadAndBuild(t, file)
		if err == nil || !strings.Contains(err.Error(), "targets.photo-app") ||
			!strings.Contains(err.Error(), "which sts.fips or the environment variable "+
				"AWS_USE_FIPS_ENDPOINT asks for") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("all at once", func(t *testing.T) {
		text := strings.NewReplacer("https://tenant", "http://tenant", "saml-provider/", "x/",
			"mars", "x", "role/", "x/").Replace(good)
		_, err := loadAndBuild(t, w.write(t, "delegation.yaml", text))
		for _, want := range []string{
			":3: issuers[0].url", ":10: targets.photo-app.principal", ":11: targets.photo-app.role",
		} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q is not in %v", want, err)
			}
		}
	})
	t.Run("all unknown keys at once", func(t *testing.T) {
		text := strings.NewReplacer("listen:", "lisen:", "- url:", "- uri:", "key_file:",
			"keyfile:", "    role:", "    rol:").Replace(good) +
			"rules:\n  - {role_by_claim: {claims: groups}}\n" +
			"replay: &shared {stores: memory}\nredis: {tls: {<<: *shared, ca: x}}\n"
		file := w.write(t, "delegation.yaml", text)
		_, err := loadAndBuild(t, file)
		want := strings.Join([]string{
			file + ":1: lisen: unknown key: did you mean listen?",
			file + ":3: issuers[0].uri: unknown key: did you mean url?",
			file + ":7: identity_provider.keys[0].keyfile: unknown key: did you mean key_file?",
			file + ":11: targets.photo-app.rol: unknown key: did you mean role?",
			file + ":14: rules[0].role_by_claim.claims: unknown key: did you mean claim?",
			file + ":15: replay.stores: unknown key: did you mean store?",
			file + ":16: redis.tls.ca: unknown key",
		}, "\n")
		if err == nil || err.Error() != want {
			t.Errorf("got\n%v\nwant\n%s", err, want)
		}
	})
	for name, text := range map[string]string{
		"empty": "", "a comment": "# nothing\n", "null": "null\n",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := loadAndBuild(t, w.write(t, "delegation.yaml", text))
			for _, want := range []string{
				"issuers: is missing", "targets: is missing", "identity_provider: is missing",
			} {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in %v", want, err)
				}
			}
		})
	}
	_, err := loadAndBuild(t, filepath.Join(w.folder, "none.yaml"))
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	_, err = loadAndBuild(t, w.write(t, "huge.yaml", strings.Repeat("#\n", config.MaxFile)))
	if err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("a huge file: %v", err)
	}
}

// TestEnvironment: variables win over the file, also in what errors say about the place.
func TestEnvironment(t *testing.T) {
	w := newWorld(t)
	file := w.configFile(t, "http: {trusted_proxies: 2, rate_limit: {requests: 5, per: 30s}}")
	s, from, err := config.Load(file, []string{
		"PATH=/bin", "DELEGATION_CONFIG=ignored.yaml", "DELEGATION_LISTEN=:9000",
		"DELEGATION_HTTP_TRUSTED_PROXIES=1", "DELEGATION_STS_FIPS=true",
		`DELEGATION_HTTP_ALLOWED_ORIGINS=["https://app.example.com", "https://b.example.com"]`,
		"DELEGATION_HTTP_RATE_LIMIT={requests: 7}",
		"DELEGATION_HTTP_RATE_LIMIT_MAX_USERS=9", `DELEGATION_TARGETS={other: {region: eu-west-1}}`,
		"DELEGATION_PORT=tcp://10.0.0.1:80",
		"DELEGATION_IDENTITY_PROVIDER_ENTITY_ID=urn:env", "DELEGATION_STS_ENDPOINT=",
	})
	if err != nil {
		t.Fatal(err)
	}
	if s.Listen != ":9000" || s.HTTP.TrustedProxies != 1 || !s.STS.FIPS || s.STS.Endpoint != "" ||
		s.Identity.EntityID != "urn:env" || len(s.Identity.Keys) != 1 {
		t.Errorf("got %+v", s)
	}
	if !reflect.DeepEqual(s.HTTP.AllowedOrigins,
		[]string{"https://app.example.com", "https://b.example.com"}) {
		t.Errorf("got %q", s.HTTP.AllowedOrigins)
	}
	if s.HTTP.RateLimit != (config.RateLimitSettings{Requests: 7, MaxUsers: 9}) {
		t.Errorf("a map replaces the file's, and what is within it comes behind: got %+v",
			s.HTTP.RateLimit)
	}
	if !reflect.DeepEqual(s.Targets,
		map[string]config.TargetSettings{"other": {Region: "eu-west-1"}}) {
		t.Errorf("got %+v", s.Targets)
	}
	if !reflect.DeepEqual(from.Unknown, []string{"DELEGATION_PORT"}) {
		t.Errorf("unknown are %q", from.Unknown)
	}
	got := from.At(config.KeyPath("targets").Child("other").Child("region"))
	if got != "environment variable DELEGATION_TARGETS: targets.other.region" {
		t.Errorf("got %q", got)
	}

	for variable, want := range map[string]string{
		"DELEGATION_HTTP_TRUSTED_PROXIES=many": "environment variable " +
			"DELEGATION_HTTP_TRUSTED_PROXIES:1: must be a whole number",
		"DELEGATION_TARGETS={a: {rolle: x}}": "environment variable DELEGATION_TARGETS:1: " +
			"a.rolle: unknown key: did you mean role?",
		"DELEGATION_HTTP_ALLOWED_ORIGINS=[": "environment variable " +
			"DELEGATION_HTTP_ALLOWED_ORIGINS:1: ",
		"DELEGATION_TARGETS={a: {region: mars-1}}": `environment variable DELEGATION_TARGETS: targets.a.region: "mars-1" is not the name of an AWS region`,
		"DELEGATION_LEEWAY=soon":                   `environment variable DELEGATION_LEEWAY: leeway: "soon" is not a duration`,
	} {
		_, err := loadAndBuild(t, file, variable)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", variable, err, want)
		}
	}
}

// TestExample: the example of all keys is good as it stands, and every key is in it.
func TestExample(t *testing.T) {
	example := string(must(os.ReadFile("delegation.example.yaml")))
	w := newWorld(t)
	if _, err := loadAndBuild(t, w.write(t, "delegation.yaml", example)); err != nil {
		t.Error(err)
	}
	var check func(reflect.Type)
	check = func(t0 reflect.Type) {
		for t0.Kind() == reflect.Slice || t0.Kind() == reflect.Map || t0.Kind() == reflect.Pointer {
			t0 = t0.Elem()
		}
		if t0.Kind() != reflect.Struct {
			return
		}
		for i := range t0.NumField() {
			name := t0.Field(i).Tag.Get("yaml")
			if name == "" || !strings.Contains(example, name+":") {
				t.Errorf("%s.%s: the key %q is not in the example", t0.Name(),
					t0.Field(i).Name, name)
			}
			check(t0.Field(i).Type)
		}
	}
	check(reflect.TypeFor[config.Settings]())

	// The rest of it, without the marks of a comment, is good as well, as far as it is no list of
	// alternatives.
	for _, line := range []string{
		"leeway: 1m", "max_token_size: 16384", "shutdown_delay: 0s", "debug_listen: 127.0.0.1:6060",
		"http:\n  rate_limit: {requests: 10, per: 1m, max_users: 100000}",
	} {
		if !strings.Contains(example, "\n#"+strings.Split(line, "\n")[0]) {
			t.Errorf("the example has no %q", line)
		}
		_, err := loadAndBuild(t, w.write(t, "delegation.yaml", example+"\n"+line+"\n"))
		if err != nil {
			t.Errorf("%q: %v", line, err)
		}
	}
}

// TestExample_Uncommented: each setting of the example can be used by deleting the # in front of
// it. Prose has a space after the #.
func TestExample_Uncommented(t *testing.T) {
	example := string(must(os.ReadFile("delegation.example.yaml")))
	commented := regexp.MustCompile(`(?m)^( *)#([^ \n])`)
	if n := len(commented.FindAllString(example, -1)); n < 80 {
		t.Errorf("only %d settings", n)
	}
	w := newWorld(t)
	all := w.write(t, "delegation.yaml", commented.ReplaceAllString(example, "$1$2"))
	loaded, _, err := config.Load(all, nil)
	if err != nil {
		t.Fatal(err)
	}
	// Some of what only an uncommented setting can have set.
	target := loaded.Targets["photo-app"]
	if loaded.TLS.KeyFile != "tls.key" || loaded.Log.Format != "json" || len(loaded.Rules) != 14 ||
		loaded.Issuers[0].TenantClaim != "tid" || target.SessionDuration != "1h" ||
		loaded.STS.Timeout != "10s" || loaded.HTTP.RateLimit.Per != "1m" ||
		len(loaded.Redis.Keys) != 1 || loaded.SigningTimeout != "30s" {
		t.Errorf("got %+v", loaded)
	}
	for line := range strings.Lines(example) {
		if len(strings.TrimSuffix(line, "\n")) > 100 {
			t.Errorf("over 100 columns: %s", line)
		}
	}
}

// TestConcessionsOfTheConfiguration: what may be asked for in another region, or with less, reaches
// the library.
func TestConcessionsOfTheConfiguration(t *testing.T) {
	b := config.NewBuilder(&config.Source{}, slog.New(slog.DiscardHandler))
	target := b.Target("targets.a", config.TargetSettings{
		FailoverRegions: []string{"eu-west-1"},
		DroppableTags:   []string{"note"},
	})
	if b.Err() != nil || !slices.Equal(target.FailoverRegions, []string{"eu-west-1"}) ||
		!slices.Equal(target.DroppableTags, []string{"note"}) {
		t.Errorf("got %+v, %v", target, b.Err())
	}
	for more, status := range map[string]int{
		"duration_back_off: true": http.StatusOK, "duration_back_off: false": http.StatusBadGateway,
	} {
		w := newWorld(t)
		// and the role's maximum is one
		built := must(loadAndBuild(t, w.configFile(t, more, "session_duration: 2h")))
		request := httptest.NewRequest(http.MethodPost, "/delegation",
			strings.NewReader(delegationForm(w.token(nil)).Encode()))
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		answer := httptest.NewRecorder()
		built.Handler.ServeHTTP(answer, request)
		if answer.Code != status {
			t.Errorf("%s: %d %s", more, answer.Code, answer.Body)
		}
	}
}
