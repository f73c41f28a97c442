package config_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
)

// fileMistakes are what the reader of the configuration file refuses by itself. It names keys that
// no Go program has, or files.
var fileMistakes = []mistake{
	{
		"a shared cache without Redis",
		settings{"cache.shared": true},
		settings{"redis.url": redisURL, "redis.keys": sealingKeys},
	},
	{
		"marks of tokens without Redis",
		settings{"replay.store": "redis"},
		settings{"redis.url": redisURL, "redis.keys": sealingKeys},
	},
	{
		"Redis for nothing, and then for the cache",
		settings{"redis.url": redisURL, "redis.keys": sealingKeys},
		settings{"cache.shared": true},
	},
	{
		"Redis for nothing, and then for marks of tokens",
		settings{"redis.url": redisURL, "redis.keys": sealingKeys},
		settings{"replay.store": "redis"},
	},
	{
		"a shared cache and none",
		overlaid(usesRedis(), settings{"cache.size": -1}),
		settings{"cache.size": nil},
	},
	{
		"a user without a password",
		overlaid(usesRedis(), settings{"redis.username": "alice"}),
		settings{"redis.password_file": file("canary-password")},
	},
	{
		"a user without a password, and then with a command",
		overlaid(usesRedis(), settings{"redis.username": "alice"}),
		settings{"redis.password_command": []any{"true"}},
	},
	{
		"two passwords",
		overlaid(usesRedis(), settings{
			"redis.password_file":    file("canary-password"),
			"redis.password_command": []any{"true"},
		}),
		settings{"redis.password_file": nil},
	},
	{
		"two passwords, and then the file",
		overlaid(usesRedis(), settings{
			"redis.password_file":    file("canary-password"),
			"redis.password_command": []any{"true"},
		}),
		settings{"redis.password_command": nil},
	},
	{
		"a user and a password in the URL",
		overlaid(usesRedis(), settings{"redis.url": "redis://alice:canary@localhost:6379/0"}),
		settings{
			"redis.url":           redisURL,
			"redis.username":      "alice",
			"redis.password_file": file("canary"),
		},
	},
	{
		"addresses of one server, and then of a cluster",
		overlaid(usesRedis(), settings{"redis.addresses": []any{"localhost:6380"}}),
		settings{"redis.cluster": true},
	},
	{
		"addresses of one server, and then of Sentinels",
		overlaid(usesRedis(), settings{"redis.addresses": []any{"localhost:6380"}}),
		settings{"redis.sentinel.master": "credentials"},
	},
	{
		"a cluster and Sentinels",
		overlaid(usesRedis(), settings{
			"redis.cluster":         true,
			"redis.sentinel.master": "credentials",
		}),
		settings{"redis.sentinel": nil},
	},
	{
		"a database of a cluster",
		overlaid(usesRedis(), settings{
			"redis.url":     "redis://localhost:6379/1",
			"redis.cluster": true,
		}),
		settings{"redis.url": "redis://localhost:6379"},
	},
	{
		"a database, and not of a cluster",
		overlaid(usesRedis(), settings{
			"redis.url":     "redis://localhost:6379/1",
			"redis.cluster": true,
		}),
		settings{"redis.cluster": nil},
	},
	{
		"a user of Sentinels without a password",
		overlaid(usesRedis(), settings{
			"redis.sentinel.master":   "credentials",
			"redis.sentinel.username": "alice",
		}),
		settings{"redis.sentinel.password_file": file("canary-password")},
	},
	{
		"a certificate for a key",
		settings{"IdentityProvider.Keys": both{nil, []any{map[string]any{
			"certificate_file": "signing.crt", "key_file": "signing.crt",
		}}}},
		settings{"IdentityProvider.Keys": told(signingKeys)},
	},
	{
		"a key of a file and of a key service",
		settings{"IdentityProvider.Keys": both{nil, []any{map[string]any{
			"certificate_file": "signing.crt",
			"key_file":         "signing.key",
			"signer":           "awskms:///alias/delegation",
		}}}},
		settings{"IdentityProvider.Keys": told(signingKeys)},
	},
	{
		"a key of a file and of a key service, and then of the service",
		settings{"IdentityProvider.Keys": both{nil, []any{map[string]any{
			"certificate_file": "signing.crt",
			"key_file":         "signing.key",
			"signer":           "awskms:///alias/delegation",
		}}}},
		settings{"IdentityProvider.Keys": both{nil, []any{map[string]any{
			"certificate_file": "signing.crt",
			"signer":           "awskms:///alias/delegation",
		}}}},
	},
}

const redisURL = "redis://localhost:6379/0"

var sealingKeys = told(func(s *scene) any {
	secret := s.newFile(strings.Repeat("0f", 32))
	return []any{map[string]any{"id": "k1", "secret_file": secret}}
})

func usesRedis() settings {
	return settings{"cache.shared": true, "redis.url": redisURL, "redis.keys": sealingKeys}
}

// TestRemedies_ConfigurationFile: each problem that the reader of the configuration file has by
// itself, and that names a key to set, is gone when that is done. Redis is not asked.
func TestRemedies_ConfigurationFile(t *testing.T) {
	var texts []string
	for _, m := range fileMistakes {
		t.Run(m.of, func(t *testing.T) {
			s := newScene(t)
			s.loaded([]settings{m.with})
			err := s.builder.Err()
			if err == nil {
				t.Fatal("nothing is wrong")
			}
			texts = append(texts, err.Error())
			checkKeysOnly(t, err.Error())
			for name := range m.do {
				if key := config.ByKeys(name); !regexp.MustCompile(`\b` + key + `\b`).
					MatchString(err.Error()) {
					t.Errorf("%s is not in %v", key, err)
				}
			}
			if strings.Contains(err.Error(), "canary") {
				t.Errorf("a secret is in %v", err)
			}
			s.loaded([]settings{m.with, m.do})
			if after := s.builder.Err(); after != nil {
				t.Errorf("%v\nwas followed, and now it is: %v", err, after)
			}
		})
	}
	if len(texts) < len(fileMistakes) {
		return // a part of the rows was chosen
	}
	found := fileTexts(t)
	for _, text := range found {
		form := formOf(text)
		if !slices.ContainsFunc(texts, form.MatchString) {
			t.Errorf("the text %q names a key, and no row follows it", text)
		}
	}
	t.Logf("%d texts name a key, %d problems were followed", len(found), len(texts))
}

// namesKey is a text in which a key of Redis, the cache or the marks of tokens, or one of a file,
// stands among other words.
var namesKey = regexp.MustCompile(
	`\b(?:redis|cache|replay)\.[a-z_]+\b|\b(?:certificate|key|password)_file\b`)

// fileTexts are the texts of the reader of the configuration file that name keys.
func fileTexts(t *testing.T) (found []string) {
	t.Helper()
	for _, name := range must(filepath.Glob("*.go")) {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		parsed := must(parser.ParseFile(token.NewFileSet(), name, nil, 0))
		ast.Inspect(parsed, func(n ast.Node) bool {
			text, ok := constant(n)
			if ok && strings.Contains(text, " ") && !strings.HasPrefix(text, "yaml:") &&
				!strings.Contains(text, "://") && namesKey.MatchString(text) {
				found = append(found, text)
			}
			return !ok
		})
	}
	if len(found) == 0 {
		t.Fatal("no text names a key")
	}
	return found
}
