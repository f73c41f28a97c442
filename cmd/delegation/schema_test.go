package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/setup"
	"github.com/seed055b7978/delegation/delegationtest"
)

// readSchema is the schema as a value of JSON.
func readSchema(t testing.TB) (schema object) {
	t.Helper()
	if err := json.Unmarshal(must(os.ReadFile(schemaFile)), &schema); err != nil {
		t.Fatal(err)
	}
	return schema
}

// jsonOf is a YAML text as a value of JSON.
func jsonOf(t testing.TB, text string) (value any) {
	t.Helper()
	if err := json.Unmarshal(must(yaml.YAMLToJSON([]byte(text))), &value); err != nil {
		t.Fatal(err)
	}
	return value
}

// TestSchema_Example: the example is valid, as it is and with every setting in use, but for
// alternatives that cannot be combined. An unknown key is not.
func TestSchema_Example(t *testing.T) {
	schema := readSchema(t)
	example := string(must(os.ReadFile("delegation.example.yaml")))
	if wrong := validate(schema, jsonOf(t, example), ""); wrong != "" {
		t.Errorf("the example: %s", wrong)
	}
	all := exampleKeys().ReplaceAllString(example, "$1$2")
	for _, alternative := range [][]string{{"key_file"}, {"signer", "signer_program"}} {
		config := jsonOf(t, all).(object)
		key := config["identity_provider"].(object)["keys"].([]any)[0].(object)
		for _, name := range alternative {
			if _, has := key[name]; !has {
				t.Errorf("the example has no %s", name)
			}
			delete(key, name)
		}
		if wrong := validate(schema, config, ""); wrong != "" {
			t.Errorf("every setting but %s: %s", alternative, wrong)
		}
	}
	for _, unknown := range []string{"listn: a", "http: {allowed: []}"} {
		if validate(schema, jsonOf(t, "targets: {a: {}}\n"+unknown), "") == "" {
			t.Errorf("%s is valid", unknown)
		}
	}
}

// everything has each setting that can be combined with the others.
const everything = `
listen: 127.0.0.1:0
debug_listen: 127.0.0.1:0
metrics_listen: 127.0.0.1:0
shutdown_delay: 1s
tls: {certificate_file: tls.crt, key_file: tls.key}
log: {format: text, level: warn}
reload: {watch: true}
issuers:
  - url: https://a.example.com/
    algorithms: [RS256]
    aliases: ["https://alias.example.com/"]
    jwks_url: https://a.example.com/keys
    ca_file: tls.crt
    bearer_token_file: token
    document_origins: ["https://b.example.com"]
    insecure_http_hosts: ["c.example.com"]
    allow_loopback_http: false
    required_claims: {hd: [example.com]}
    gated_by_rules: false
    client_audiences: [photo-app]
    email_verified_text: true
    entra_verified_email: false
    allow_token_marks: [scp]
  - url: https://b.example.com/
    algorithms: [HS256]
    shared_secret_file: secret.txt
    shared_secret_base64url: false
  - url: https://c.example.com/
    algorithms: [RS256, HS256]
    client_secrets: {photo-app: {file: secret.txt, base64url: false}}
  - url: "https://login.example.com/{tenantid}/v2.0"
    discovery_url: https://login.example.com/discovery
    tenants: [00000000-0000-4000-8000-000000000000]
    tenant_claim: tid
    unsafe_any_tenant: false
    verified_email_domains: [example.com]
identity_provider:
  entity_id: urn:a
  keys: [{certificate_file: signing.crt, key_file: signing.key}]
  also_certificates: [other.crt]
targets:
  photo-app:
    id: photo-app
    audiences: [photo-app]
    authorized_parties: [other]
    principal: arn:aws:iam::123456789012:saml-provider/delegation
    role: arn:aws:iam::123456789012:role/photo-user
    region: eu-central-1
    failover_regions: [eu-west-1]
    allowed_roles: ["arn:aws:iam::123456789012:role/photo-editor"]
    issuers: ["https://a.example.com/"]
    session_duration: 1h
    mappings: {}
    name_id_from_mapping: false
    policy: '{"Version": "2012-10-17", "Statement": []}'
    policy_arns: ["arn:aws:iam::aws:policy/ReadOnlyAccess"]
    tags: {team: press}
    chain: [{role_arn: "arn:aws:iam::333333333333:role/reader", external_id: photos-2026}]
    scopes: {read: {policy: '{"Version": "2012-10-17", "Statement": {"Effect": "Allow",
      "Action": "s3:GetObject", "Resource": "*"}}',
      policy_arns: ["arn:aws:iam::aws:policy/ReadOnlyAccess"], combined: false}}
    transitive_tag_keys: [team]
    droppable_tags: [team]
    required_claims: {groups: [a]}
    saml_recipient: https://signin.aws.amazon.com/saml
    saml_audience: urn:amazon:webservices
    subjects_are_one: false
    name_id_tells_issuers_apart: false
    subject_as_folder: true
    name_id_encoding: escaped
    source_identity: "{{email}}"
    session_name: "{{email}}"
    name_id: "{{sub}}"
    identity: {entity_id: "urn:b", keys: [{certificate_file: signing.crt, key_file: signing.key}]}
  photo-team:
    audiences: [photo-team]
    principal: arn:aws:iam::123456789012:saml-provider/delegation
    role: arn:aws:iam::123456789012:role/team/reader
    region: eu-central-1
    issuers: ["https://a.example.com/"]
    roles:
      - {role: "arn:aws:iam::123456789012:role/team/reader", label: Reader, account: Photos}
      - role: arn:aws:iam::210987654321:role/team/admin
        principal: arn:aws:iam::210987654321:saml-provider/delegation
    allowed_roles: ["arn:aws:iam::*:role/team/*"]
    allowed_accounts: ["123456789012", "210987654321"]
  photo-groups:
    audiences: [photo-groups]
    region: eu-central-1
    issuers: ["https://a.example.com/"]
    roles_from_claim:
      claim: groups
      principal: "arn:aws:iam::{account}:saml-provider/delegation"
      names:
        - {name: a, role: "arn:aws:iam::123456789012:role/a", label: A, account: Photos}
        - name: a
          role: arn:aws:iam::123456789012:role/b
          principal: arn:aws:iam::123456789012:saml-provider/other
      labels: {"arn:aws:iam::123456789012:role/b": B}
      accounts: {"123456789012": Photos}
    allowed_accounts: ["123456789012"]
rules:
  - {require_verified_email: true, targets: [photo-app]}
  - allow_connections: [google-oauth2]
  - allow_email_domains: [example.com]
  - role_by_claim:
      claim: groups
      roles: [{match: a, role: "arn:aws:iam::123456789012:role/photo-editor"}]
  - tags_from_claims: {team: team}
  - tags_from_claims: {team: {from: team, escape: true, join: +, optional: true, default: none}}
  - source_identity_from_claim: email
  - source_identity_from_claim:
      {from: email, escape: true, join: +, optional: true, default: none}
  - source_identity: "{{email}}"
  - session_name: "{{email}}"
  - name_id: "{{email}}"
  - require_recent_login: 15m
  - require_amr: [mfa]
  - require_acr: [gold]
  - session_policy: '{"Version": "2012-10-17", "Statement": []}'
  - javascript:
      folder: rules
      domain: tenant.auth0.com
      configuration: {a: b}
      configuration_file: values.yaml
      timeout: 2s
      chain_timeout: 20s
      actions: actions
      secrets: {a: b}
      secrets_file: values.yaml
      saml_configuration: aws
      http: {allow: [api.example.com], timeout: 10s, max_size: 1000, max_redirects: 5,
        max_requests: 5}
      profile: {url: "https://a.example.com/{subject}", token_file: token, subject_field: id,
        issuers: ["https://a.example.com/", "https://b.example.com/"],
        issuers_without_profile: ["https://c.example.com/",
          "https://login.example.com/00000000-0000-4000-8000-000000000000/v2.0"],
        allow_missing: false, cache_for: 5m, stale_for: 1h,
        cache_size: 10, cache_bytes: 1000, timeout: 5s, max_size: 1000, ca_file: tls.crt,
        allow_loopback_http: false}
      modules: {teams: teams.js}
      globals: {ROLES: {press: "arn:aws:iam::123456789012:role/press"}, LIMIT: 5}
      context: {photo-app: {clientName: Photos}}
      absent: [organization]
      ignore_missing_user: false
      ignore_redirect: false
      ignore_multifactor: false
sts: {endpoint: "https://sts.example.com", allow_plain_http: false, timeout: 10s, fips: false,
  dual_stack: false, unsafe_emulator: false}
http:
  allowed_origins: ["https://app.example.com"]
  trusted_proxies: 1
  rate_limit: {requests: 10, per: 1m, max_users: 5}
  container_target: photo-app
  roles: true
  token: true
  console: {enabled: true, issuer: "https://app.example.com/", endpoint: "https://a.example.com/",
    fips: false}
limits: {requests_per_address: 1, per: 1m, max_addresses: 5, body: 65536, headers: 65536,
  header_timeout: 5s, read_timeout: 15s, idle_timeout: 2m, connections: 10,
  connections_per_address: 5}
audit: {file: audit.jsonl, sync: true, on_failure: refuse, timeout: 5s}
cache: {size: 100, window: 5m, ahead: 15m, shared: true, token_memory: 1000}
replay: {store: redis}
redis:
  url: rediss://127.0.0.1:6379/0
  username: delegation
  password_file: token
  tls: {ca_file: tls.crt, certificate_file: tls.crt, key_file: tls.key, server_name: a}
  keys: [{id: a, secret_file: seal.key}]
  prefix: "a:"
  timeout: 250ms
  lock_time: 45s
revocations: {store: redis, keep: 24h}
backchannel_logout: true
logout_audiences: [other-app]
admin: {listen: "127.0.0.1:0", token_file: admin.token}
signing_timeout: 5s
rule_timeout: 20s
leeway: 1m
max_token_size: 16384
cap_session_to_token: true
strict_session_names: false
duration_back_off: false
`

// schemaWorld has the files of everything.
func schemaWorld(t testing.TB) *world {
	w := &world{folder: t.TempDir()}
	certificate, key := delegationtest.SigningKeyPEM()
	other, _, err := setup.NewKey("other", setup.MinKeyBits, time.Now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	w.writeTLS(t, 1)
	w.folderOf(t, "rules", map[string]string{
		"a.js": "function (user, context, callback) { callback(null, user, context); }",
	})
	w.folderOf(t, "actions", map[string]string{
		"a.js": "exports.onExecutePostLogin = async (event, api) => {};",
	})
	for name, text := range map[string]string{
		"signing.crt": string(certificate), "signing.key": string(key), "other.crt": string(other),
		"secret.txt": strings.Repeat("s", 48), "token": "t", "values.yaml": "a: b",
		"teams.js": "exports.press = 1;",
		"seal.key": strings.Repeat("0", 64), "admin.token": strings.Repeat("0", 64),
	} {
		w.write(t, name, text)
	}
	return w
}

// mutation is one mistake in a configuration.
type mutation struct {
	at     []any // the keys and indexes of its place
	what   string
	change func(any) any // of the value there
	// both says that schema and program must agree. Otherwise the program may refuse more: that a
	// text is an ARN, or that two settings fit each other, is not in the schema.
	both bool
}

// of returns a copy of a configuration with the mistake, as JSON is decoded.
func (m mutation) of(t testing.TB, config any) any {
	return clone(t, replaced(clone(t, config), m.at, m.change))
}

// mutations are all mistakes of some kinds, everywhere in a configuration.
func mutations(config any) (list []mutation) {
	add := func(at []any, what string, change func(any) any, both bool) {
		list = append(list, mutation{at, what, change, both})
	}
	replace := func(at []any, both bool, values ...any) {
		for _, value := range values {
			what := "= " + string(must(json.Marshal(value)))
			add(at, what, func(any) any { return value }, both)
		}
	}
	var walk func(value any, at []any)
	walk = func(value any, at []any) {
		replace(at, false, nil)
		switch v := value.(type) {
		case object:
			replace(at, true, []any{"text"})
			add(at, "+ unknown", func(before any) any {
				before.(object)["unknown_key"] = "a"
				return before
			}, !isNames(at))
			for _, key := range slices.Sorted(maps.Keys(v)) {
				add(at, "- "+key, func(before any) any {
					delete(before.(object), key)
					return before
				}, false)
				if !isAny(at) {
					walk(v[key], append(slices.Clone(at), key))
				}
			}
		case []any:
			replace(at, true, object{"a": "text"})
			replace(at, false, []any{})
			for i, one := range v {
				walk(one, append(slices.Clone(at), i))
			}
		case bool:
			replace(at, true, "text", 1)
			replace(at, false, !v)
		case float64:
			replace(at, true, true, "many", []any{1})
			replace(at, false, -2, 0, 1<<33)
		case string:
			replace(at, true, []any{"text"})
			replace(at, false, "", 5)
			if _, err := time.ParseDuration(v); err == nil {
				replace(at, true, "soon", "1 h", "-1s", true, 5)
			}
		}
	}
	walk(config, nil)
	return list
}

// isNames tells whether the keys below are names: an unknown one is a further name.
func isNames(at []any) bool {
	if len(at) == 0 {
		return false
	}
	names := []any{
		"targets", "mappings", "tags", "required_claims", "tags_from_claims", "client_secrets",
		"configuration", "context", "photo-app", "modules", "globals", "secrets",
	}
	last := at[len(at)-1]
	return slices.Contains(names, last) && (last != "photo-app" || slices.Contains(at, "context"))
}

// isAny tells whether values below have any type.
func isAny(at []any) bool {
	return len(at) > 0 && (at[len(at)-1] == "context" || at[len(at)-1] == "globals")
}

func clone(t testing.TB, value any) (copied any) {
	t.Helper()
	if err := json.Unmarshal(must(json.Marshal(value)), &copied); err != nil {
		t.Fatal(err)
	}
	return copied
}

// replaced changes the value at a place.
func replaced(value any, at []any, change func(any) any) any {
	if len(at) == 0 {
		return change(value)
	}
	switch v := value.(type) {
	case object:
		v[at[0].(string)] = replaced(v[at[0].(string)], at[1:], change)
	case []any:
		v[at[0].(int)] = replaced(v[at[0].(int)], at[1:], change)
	}
	return value
}

// serveable tells what serve refuses before it listens.
func serveable(t testing.TB, file string) error {
	t.Helper()
	settings, from, err := config.Load(file, nil)
	if err != nil {
		return err
	}
	if _, err := config.NewLogger(settings.Log, io.Discard); err != nil {
		return err
	}
	built, err := config.Build(t.Context(), settings, from, slog.New(slog.DiscardHandler))
	if err == nil && built.Redis != nil {
		_ = built.Redis.Close()
	}
	return err
}

// TestSchema_AgreesWithTheProgram: what the schema refuses, the program refuses. What the program
// refuses because of a type, an unknown key or a form of text, the schema refuses. These are some
// of the mistakes: TestSchema_Full makes all.
func TestSchema_AgreesWithTheProgram(t *testing.T) { compareSchema(t, 7) }

// compareSchema compares the schema with the program for one mutation of so many.
func compareSchema(t *testing.T, ofSoMany int) {
	schema := readSchema(t)
	w := schemaWorld(t)
	built := func(config any) error {
		// JSON is YAML.
		file := w.write(t, "delegation.yaml", string(must(json.Marshal(config))))
		return serveable(t, file)
	}
	all := jsonOf(t, everything)
	if wrong := validate(schema, all, ""); wrong != "" {
		t.Fatal(wrong)
	}
	if err := built(all); err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for i, m := range mutations(all) {
		if i%ofSoMany != 0 {
			continue
		}
		config := m.of(t, all)
		wrong := validate(schema, config, "")
		err := built(config)
		counts[fmt.Sprintf("schema %t, program %t", wrong == "", err == nil)]++
		if wrong != "" && err == nil {
			t.Errorf("%v %s: the schema refuses it: %s", m.at, m.what, wrong)
		}
		if m.both && wrong == "" && err != nil {
			t.Errorf("%v %s: the program refuses it: %v", m.at, m.what, err)
		}
	}
	t.Log(counts)
	if counts["schema false, program false"] < 700/ofSoMany ||
		counts["schema true, program true"] < 500/ofSoMany {
		t.Errorf("too few: %v", counts)
	}
}

// TestSchema_RefusesWhatItCan: mistakes of each kind that a schema can express. Both refuse each.
func TestSchema_RefusesWhatItCan(t *testing.T) {
	schema := readSchema(t)
	w := schemaWorld(t)
	for _, line := range []string{
		"leeway: soon", "leeway: 5", "leeway: -1s", "leeway: 1 h", "shutdown_delay: true",
		"sts: {timeout: 10}", "redis: {timeout: fast}", "limits: {idle_timeout: 1y}",
		"log: {format: xml}", "log: {level: loud}", "log: {level: 5}", "replay: {store: disk}",
		"audit: {on_failure: ignore}", "http: {trusted_proxies: 17}", "http: {trusted_proxies: -1}",
		"limits: {body: 1}", "limits: {headers: 1048577}", "limits: {connections: -2}",
		"max_token_size: -1", "issuers: []", "issuers: null", "issuers: [null]",
		"issuers: [{url: ''}]", "issuers: [{}]", "targets: {}", "targets: null",
		"identity_provider: null", "identity_provider: {entity_id: a, keys: []}",
		"identity_provider: {keys: [{certificate_file: signing.crt, key_file: signing.key}]}",
		"identity_provider: {entity_id: a, keys: [{key_file: signing.key}]}",
		"identity_provider: {entity_id: a, keys: [null]}",
		"identity_provider: {entity_id: a, keys: [{certificate_file: signing.crt}]}",
		"identity_provider: {entity_id: a, keys: [{certificate_file: signing.crt, " +
			"key_file: signing.key, signer: 'awskms:///alias/a'}]}",
		"identity_provider: {entity_id: a, keys: [{certificate_file: signing.crt, " +
			"key_file: signing.key, signer_program: a}]}",
		"rules: [{}]", "rules: [null]", "rules: [{targets: [photo-app]}]",
		"rules: [{require_verified_email: false}]", "rules: [{allow_connections: null}]",
		"rules: [{require_verified_email: true, allow_connections: [a]}]",
		"rules: [{role_by_claim: {roles: [{match: a, role: 'arn:aws:iam::123456789012:role/a'}]}}]",
		"rules: [{role_by_claim: {claim: a, roles: [{match: a}]}}]",
		"rules: [{javascript: {}}]", "rules: [{javascript: {folder: ''}}]",
		"unknown: a", "http: {console: {on: true}}", "duration_back_off: 'yes'",
	} {
		all := jsonOf(t, everything).(object)
		maps.Copy(all, jsonOf(t, line).(object))
		if validate(schema, clone(t, all), "") == "" {
			t.Errorf("%s: the schema takes it", line)
		}
		file := w.write(t, "delegation.yaml", string(must(json.Marshal(all))))
		if err := serveable(t, file); err == nil {
			t.Errorf("%s: the program takes it", line)
		}
	}
}
