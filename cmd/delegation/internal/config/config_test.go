package config_test

import (
	"cmp"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// TestNotes: each setting whose meaning has changed is named where a configuration uses it, and
// nowhere else.
func TestNotes(t *testing.T) {
	const google = "https://accounts.google.com"
	plain := config.Settings{
		Issuers: []config.IssuerSettings{{URL: "https://tenant.example.com/"}},
		Targets: map[string]config.TargetSettings{
			"photo-app": {Issuers: []string{"https://tenant.example.com/"}},
		},
		Rules: []config.RuleSettings{{AllowEmailDomains: []string{"example.com"}}},
	}
	if got := config.Notes(&plain); len(got) > 0 {
		t.Errorf("got %v", got)
	}
	used := config.Settings{
		Issuers: []config.IssuerSettings{
			{URL: "https://tenant.example.com/", SharedSecretFile: "secret"}, {URL: google},
		},
		Targets: map[string]config.TargetSettings{
			"b": {Audiences: []string{"x"}},
			"a": {
				Audiences: []string{"x"},
				Issuers:   []string{"https://tenant.example.com/", google},
			},
			"c": {},
		},
		Rules: []config.RuleSettings{
			{AllowEmailDomains: []string{"example.com"}},
			{JavaScript: &config.JavaScriptSettings{}},
		},
		Replay: config.ReplaySettings{Store: "memory"},
		STS:    config.STSSettings{Endpoint: "https://sts.example.com"},
	}
	var at []string
	for _, n := range config.Notes(&used) {
		at = append(at, n.At)
		if !strings.HasSuffix(n.What, "docs/upgrading.md") {
			t.Errorf("%s: %s", n.At, n.What)
		}
	}
	want := []string{
		"targets.a.audiences", "targets.b.audiences", "targets.a.issuers",
		"rules[0].allow_email_domains", "issuers[0].shared_secret_file", "rules[1].javascript",
		"replay", "sts.endpoint",
	}
	if !slices.Equal(at, want) {
		t.Errorf("got %q", at)
	}
	upgrading := string(must(os.ReadFile("../../../../docs/upgrading.md")))
	for _, changed := range config.ChangedSettings {
		if !strings.Contains(upgrading, "`"+changed.Setting+"`") {
			t.Errorf("docs/upgrading.md does not have %s", changed.Setting)
		}
		if len(changed.Used(&used)) == 0 {
			t.Errorf("this test does not use %s", changed.Setting)
		}
	}
}

// TestSharedSecretFiles: a line end after a text is no part of a secret, and of other bytes every
// one counts.
func TestSharedSecretFiles(t *testing.T) {
	binary := "\x00\xff" + strings.Repeat("k", 45)
	for content, want := range map[string]string{
		"text": "text", "text\n": "text", "text\r\n": "text", "text\n\n": "text", "t\tx\n": "t\tx",
		binary + "\n": binary + "\n", binary + "\r": binary + "\r", "\xffx\n": "\xffx\n",
		"\x01x\n": "\x01x\n",
	} {
		name := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		b := config.NewBuilder(&config.Source{}, slog.New(slog.DiscardHandler))
		issuer := b.Issuer("issuers[0]", config.IssuerSettings{
			SharedSecretFile:      name,
			SharedSecretBase64URL: true,
			ClientSecrets: map[string]config.ClientSecretSettings{
				"a": {File: name, Base64URL: true},
				"b": {File: name},
			},
		})
		if b.Err() != nil || !issuer.SharedSecretBase64URL ||
			issuer.SharedSecret.Reveal() != want {
			t.Errorf("%q: got %q, %v", content, issuer.SharedSecret.Reveal(), b.Err())
		}
		for client, base64URL := range map[string]bool{"a": true, "b": false} {
			got := issuer.ClientSecrets[client]
			if got.Secret.Reveal() != want || got.Base64URL != base64URL {
				t.Errorf("%q of %s: got %q, %v", content, client, got.Secret.Reveal(),
					got.Base64URL)
			}
		}
	}
}

// TestRulesOfTheConfiguration: each kind of rule does what its name says, for the targets it names.
func TestRulesOfTheConfiguration(t *testing.T) {
	b := config.NewBuilder(&config.Source{}, slog.New(slog.DiscardHandler))
	yes := true
	policy := `{"Version": "2012-10-17", "Statement": [{"Resource": "{{nickname}}"}]}`
	roles := []config.RoleMatch{{
		Match: "a+", Role: service.DemoRole, Principal: service.DemoPrincipal, Region: "us-east-1",
	}}
	rules := b.Rules([]config.RuleSettings{
		{RequireVerifiedEmail: &yes},
		{AllowConnections: []string{"auth0"}},
		{AllowEmailDomains: []string{"example.com"}},
		{RoleByClaim: &config.RoleSettings{Claim: "groups", Roles: roles}},
		{TagsFromClaims: map[string]config.ClaimSettings{"team": {From: "team"}}},
		{SourceIdentityFromClaim: &config.ClaimSettings{From: "email"}},
		{SessionPolicy: &policy},
		{AllowConnections: []string{"nobody"}, Targets: []string{"other"}},
	}, map[string]config.TargetSettings{"other": {}})
	if b.Err() != nil || len(rules) != 8 {
		t.Fatalf("%d rules, %v", len(rules), b.Err())
	}
	user := func() *delegation.User {
		return &delegation.User{Properties: map[string]any{
			"user_id": "auth0|a", "email": "a@example.com", "email_verified": true,
			"groups": []any{"aaa"}, "team": "press", "nickname": "al",
		}}
	}
	chain := func(user *delegation.User, rc *delegation.RuleContext) (string, error) {
		for _, rule := range rules {
			if err := rule(t.Context(), user, rc); err != nil {
				return rc.Rule, err
			}
		}
		return "", nil
	}
	rc := &delegation.RuleContext{Connection: "auth0", Target: "photo-app"}
	if rule, err := chain(user(), rc); err != nil {
		t.Fatalf("%s: %v", rule, err)
	}
	want := delegation.AWS{
		Role: service.DemoRole, Principal: service.DemoPrincipal, Region: "us-east-1",
		Tags: map[string]string{"team": "press"}, SourceIdentity: "a@example.com",
		Policy: `{"Version":"2012-10-17","Statement":[{"Resource":"al"}]}`,
	}
	if !reflect.DeepEqual(rc.AWS, want) {
		t.Errorf("got %+v", rc.AWS)
	}
	for want, change := range map[string]func(*delegation.User, *delegation.RuleContext){
		"rules[0].require_verified_email": func(u *delegation.User, _ *delegation.RuleContext) {
			u.Set("email_verified", false)
		},
		"rules[1].allow_connections": func(_ *delegation.User, rc *delegation.RuleContext) {
			rc.Connection = "google-oauth2"
		},
		"rules[2].allow_email_domains": func(u *delegation.User, _ *delegation.RuleContext) {
			u.Set("email", "a@example.org")
		},
		"rules[3].role_by_claim": func(u *delegation.User, _ *delegation.RuleContext) {
			u.Set("groups", "b")
		},
		"rules[4].tags_from_claims": func(u *delegation.User, _ *delegation.RuleContext) {
			u.Set("team", nil)
		},
		"rules[6].session_policy": func(u *delegation.User, _ *delegation.RuleContext) {
			u.Set("nickname", "*")
		},
		"rules[7].allow_connections": func(_ *delegation.User, rc *delegation.RuleContext) {
			rc.Target = "other"
		},
	} {
		u, rc := user(), &delegation.RuleContext{Connection: "auth0", Target: "photo-app"}
		change(u, rc)
		if rule, err := chain(u, rc); err == nil || rule != want {
			t.Errorf("%s: got %v by %s", want, err, rule)
		}
	}
	rc = &delegation.RuleContext{}
	err := rules[5](t.Context(), &delegation.User{}, rc)
	if err == nil || rc.Rule != "rules[5].source_identity_from_claim" {
		t.Errorf("a source identity without a claim, by %q", rc.Rule)
	}
}

// TestTargetID: what names a target is for it whatever its id, and for all targets that share the
// id.
func TestTargetID(t *testing.T) {
	targets := map[string]config.TargetSettings{
		"photo-app": {ID: "photos"}, "old-app": {ID: "photos"}, "other": {},
	}
	b := config.NewBuilder(&config.Source{}, slog.New(slog.DiscardHandler))
	rules := b.Rules([]config.RuleSettings{
		{AllowConnections: []string{"nobody"}, Targets: []string{"photo-app"}},
	}, targets)
	values := b.RuleContext("context", map[string]map[string]any{
		"photo-app": {"clientName": "Photos"},
	}, targets)
	if b.Err() != nil || len(rules) != 1 {
		t.Fatalf("%d rules, %v", len(rules), b.Err())
	}
	for name, settings := range targets {
		target := b.Target("targets", settings)
		if target.ID != settings.ID {
			t.Errorf("%s has the ID %q", name, target.ID)
		}
		rc := &delegation.RuleContext{Target: cmp.Or(target.ID, name)}
		found, err := values(t.Context(), nil, rc)
		if err != nil || (found["clientName"] == "Photos") != (name != "other") {
			t.Errorf("%s has the values %v, %v", name, found, err)
		}
		refused := rules[0](t.Context(), &delegation.User{}, rc) != nil
		if refused != (name != "other") {
			t.Errorf("%s is refused: %v", name, refused)
		}
	}
	b.RuleContext("context", map[string]map[string]any{"photo-app": {}, "old-app": {}}, targets)
	if err := b.Err(); err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("two lists of values for one id: %v", b.Err())
	}
}

// TestLogger: the log has the form and the level that the settings say, and nothing else passes.
func TestLogger(t *testing.T) {
	for _, bad := range []config.LogSettings{{Format: "xml"}, {Level: "loud"}} {
		if _, err := config.NewLogger(bad, io.Discard); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
	for format, want := range map[string]string{
		"": `"msg":"hello"`, "json": `"msg":"hello"`, "text": "msg=hello",
	} {
		out := &strings.Builder{}
		logger := must(config.NewLogger(config.LogSettings{Format: format, Level: "warn"}, out))
		logger.Info("quiet")
		logger.Warn("hello")
		if !strings.Contains(out.String(), want) || strings.Contains(out.String(), "quiet") {
			t.Errorf("%q: %s", format, out)
		}
	}
}

// TestNewLogger_NamesKeys: the log names keys of the configuration where the library's errors name
// its own fields, in both formats and within groups.
func TestNewLogger_NamesKeys(t *testing.T) {
	for _, format := range []string{"", "json", "text"} {
		var log strings.Builder
		logger := must(config.NewLogger(config.LogSettings{Format: format}, &log))
		logger.Warn("exchange", slog.Group("event",
			slog.String("subject", "Config.Targets"),
			slog.String("error", "add the application to Config.Targets")))
		logger.Error("other", slog.Any("error", io.ErrUnexpectedEOF))
		for _, want := range []string{
			"add the application to targets", "Config.Targets", "unexpected EOF",
		} {
			if strings.Count(log.String(), want) != 1 {
				t.Errorf("%q: %q is not there once: %s", format, want, log.String())
			}
		}
	}
}

// lateError makes its group when it is logged.
type lateError struct{}

func (lateError) LogValue() slog.Value {
	return slog.GroupValue(slog.String("error", "late: see Config.Issuers"))
}

// TestNewLogger_FindsErrors: the log names keys wherever an error of a record is: in a group within
// a group, in a value that is made when it is logged, and in what a logger says of all its records.
// A record without an error stays as it is, whatever texts it has.
func TestNewLogger_FindsErrors(t *testing.T) {
	for name, row := range map[string]struct {
		log  func(*slog.Logger)
		want string
	}{
		"groups": {func(l *slog.Logger) {
			l.Warn("m", slog.Int("n", 1), slog.Group("a", slog.Group("b",
				slog.String("warning", "see Config.Rules"))))
		}, `"n":1,"a":{"b":{"warning":"see rules"}}`},
		"late": {func(l *slog.Logger) {
			l.Warn("m", slog.Any("event", lateError{}))
		}, `"event":{"error":"late: see issuers"}`},
		"with": {func(l *slog.Logger) {
			l.With(slog.String("error", "see Config.Rules")).Info("m", slog.Int("n", 1))
		}, `"error":"see rules","n":1`},
		"group of a logger": {func(l *slog.Logger) {
			l.WithGroup("g").Info("m", slog.String("error", "see Config.Rules"))
		}, `"g":{"error":"see rules"}`},
		"none": {func(l *slog.Logger) {
			l.Info("m", slog.Group("a", slog.String("text", "see Config.Rules")))
		}, `"a":{"text":"see Config.Rules"}`},
	} {
		var log strings.Builder
		row.log(must(config.NewLogger(config.LogSettings{}, &log)))
		if !strings.Contains(log.String(), row.want) {
			t.Errorf("%s: no %s in %s", name, row.want, log.String())
		}
	}
}

// TestTokenMemory: cache.token_memory reaches the library, also if it turns the memory off.
func TestTokenMemory(t *testing.T) {
	for text, want := range map[string]int{
		"{}": 0, "cache: {token_memory: 1048576}": 1 << 20, "cache: {token_memory: -1}": -1,
	} {
		var settings config.Settings
		if err := yaml.UnmarshalWithOptions([]byte(text), &settings, yaml.Strict()); err != nil {
			t.Fatal(err)
		}
		b := config.NewBuilder(&config.Source{}, slog.New(slog.DiscardHandler))
		if got := config.Delegation(b, &settings).TokenMemory; got != want {
			t.Errorf("%s: got %d", text, got)
		}
	}
}
