package config

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
)

// secretKeys are the last keys of settings that name a file with a secret.
var secretKeys = []string{
	"key_file",
	"shared_secret_file",
	"secret_file",
	"password_file",
	"bearer_token_file",
	"configuration_file",
	"secrets_file",
	"client_secret_file",
}

// noteSecret remembers the file that a setting names, if it contains a secret.
func (b *Builder) noteSecret(at KeyPath, name string) {
	if name != "" && isSecret(at) {
		b.secrets[at] = b.from.resolve(name)
	}
}

func isSecret(at KeyPath) bool {
	ends := func(key string) bool { return strings.HasSuffix(string(at), "."+key) }
	if at == "admin.token_file" || ends("profile.token_file") ||
		strings.Contains(string(at), ".client_secrets.") {
		return true
	}
	// Not the key with which a target encrypts: it is a public key.
	return slices.ContainsFunc(secretKeys, ends) && !ends("encryption_key_file")
}

// secretFiles returns the files with secrets, each once, in the order of the settings.
func (b *Builder) secretFiles() (list []service.SecretFile) {
	seen := map[string]bool{}
	for _, at := range slices.Sorted(maps.Keys(b.secrets)) {
		path := b.secrets[at]
		if seen[path] {
			continue
		}
		seen[path] = true
		list = append(list, service.SecretFile{
			Path: path,
			At:   b.from.At(at),
			// Other key files are for TLS.
			SigningKey: strings.HasSuffix(string(at), ".key_file") &&
				strings.Contains(string(at), "keys["),
		})
	}
	return list
}

// Place says where the configuration has a field of the library. The field is named as in the
// library's errors and warnings, such as Targets["photo-app"]: Role. Empty: the configuration has
// no such field.
func (s *Source) Place(field string) string {
	if m := ruleField().FindStringSubmatch(field); m != nil {
		at := KeyPath(m[1])
		if m[2] != "" {
			at += KeyPath(".roles[" + rowIndex(m[2]) + "]")
		}
		return s.At(at)
	}
	at := KeyPath("")
	for rest := field + ": "; rest != ""; {
		next, after := placeKey(at, rest)
		if after == rest {
			break
		}
		at, rest = next, after
	}
	if at == "" {
		return ""
	}
	return s.At(at)
}

// ruleField matches the field of a rule, which is named after its key, and of a row of its table.
var ruleField = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\ARules\[\d+\]: (rules\[\d+\]\.\w+)(?:: row (\d+))?\z`)
})

// rowIndex converts a row number, which counts from 1, to an index.
func rowIndex(row string) string {
	n, _ := strconv.Atoi(row)
	return strconv.Itoa(n - 1)
}

// placeKey removes the field at the start of a text, as fieldKey does. It also knows fields that
// occur only in warnings and not in errors of New.
func placeKey(at KeyPath, text string) (KeyPath, string) {
	name, rest, found := strings.Cut(text, ": ")
	if key := placeKeys[name]; found && key != "" {
		return at.Child(key), rest
	}
	return fieldKey(at, text)
}

var placeKeys = map[string]string{
	"SAMLRecipient":   "saml_recipient",
	"SAMLAudience":    "saml_audience",
	"SessionDuration": "session_duration",
	"Tags":            "tags",
	"Policy":          "policy",
}
