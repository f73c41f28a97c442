package main

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/term"
	"github.com/seed055b7978/delegation/delegationtest"
	"github.com/seed055b7978/delegation/oidctest"
)

const (
	configurationPage = "../../docs/configuration.md"
	// generatedMark ends what is written by hand.
	generatedMark = "<!-- The rest is generated: go test ./cmd/delegation -run " +
		"'TestConfiguration_Page$' -update -->\n"
)

// TestConfiguration_Page: docs/configuration.md is what keysFile and the types of the settings say.
// With -update it is written.
func TestConfiguration_Page(t *testing.T) {
	page := string(must(os.ReadFile(configurationPage)))
	before, _, found := strings.Cut(page, generatedMark)
	if !found {
		t.Fatalf("%s lacks the line %s", configurationPage, generatedMark)
	}
	sections := readKeys(t)
	want := before + generatedMark + keyTables(t, sections)
	if *update {
		if err := os.WriteFile(configurationPage, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if page != want {
		t.Errorf("%s is old: go test ./cmd/delegation -run 'TestConfiguration_Page$' -update",
			configurationPage)
	}
}

// keyTables are the sections of the page, after a list of them.
func keyTables(t *testing.T, sections []keySection) string {
	var text strings.Builder
	text.WriteString("\n| Section | Keys |\n|---|---|\n")
	for _, s := range sections {
		fmt.Fprintf(&text, "| [%s](#%s) | %s |\n", s.Title, s.ID, strings.Join(keyNames(s), ", "))
	}
	kinds := settingTypes(reflect.TypeFor[config.Settings](), "")
	for _, s := range sections {
		about := s.About
		if links := pageLinks(s.More); links != "" {
			about += " More: " + links + "."
		}
		fmt.Fprintf(&text, "\n## %s\n\n%s\n", s.Title, term.Wrap(about, 100))
		for _, example := range append(slices.Clone(s.Examples), s.Unloaded...) {
			fmt.Fprintf(&text, "\n```yaml\n%s```\n", example)
		}
		text.WriteString("\n| Key | Type and limits | Default | What it does |\n|---|---|---|---|\n")
		for _, k := range s.Keys {
			what := typeOf(t, k, kinds[k.place])
			if limits := limitsOf(k); limits != "" {
				what = strings.Replace(what+"; "+limits, "one of; ", "", 1)
			}
			does := k.About
			if k.More != "" {
				does += " More: " + pageLinks([]string{k.More}) + "."
			}
			fmt.Fprintf(&text, "| `%s` | %s | %s | %s |\n", shownPlace(k.place), what, defaultOf(k),
				does)
		}
	}
	return text.String()
}

// keyNames are the keys of a section for the list: what comes first in their paths, or after the
// place of the section.
func keyNames(s keySection) []string {
	var names []string
	for _, k := range s.Keys {
		name, _, _ := strings.Cut(listedKey(s, k), ".")
		name = "`" + strings.TrimSuffix(name, "[]") + "`"
		if name != "``" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// listedKey is how the list of sections names a key: from the place of the section, if that is one
// of many.
func listedKey(s keySection, k keyEntry) string {
	if s.At == "" || !strings.ContainsAny(s.At, ".[*") {
		return k.place
	}
	return k.Key
}

// pageLinks are links to pages of docs/.
func pageLinks(pages []string) string {
	var links []string
	for _, page := range pages {
		name, _, _ := strings.Cut(page, "#")
		links = append(links, fmt.Sprintf("[%s](%s)", name, page))
	}
	return strings.Join(links, ", ")
}

// defaultOf is a key's default, or what it is required for.
func defaultOf(k keyEntry) string {
	switch {
	case k.Required == "yes":
		return "required"
	case k.Required != "":
		return "required for " + k.Required
	case k.Default == nil:
		return ""
	}
	if list, ok := k.Default.([]any); ok {
		return strings.ReplaceAll(fmt.Sprintf("`%v`", list), " ", ", ")
	}
	return fmt.Sprintf("`%v`", k.Default)
}

// referenceWorld has the files that the examples of the reference name.
func referenceWorld(t testing.TB) *world {
	w := schemaWorld(t)
	for to, from := range map[string]string{
		"ca.pem": "tls.crt", "auth0.pem": "other.crt", "auth0-client-secret": "secret.txt",
	} {
		w.write(t, to, string(must(os.ReadFile(filepath.Join(w.folder, from)))))
	}
	issuer := must(oidctest.New(oidctest.Config{Key: delegationtest.IssuerKey()}))
	w.write(t, "keys.json", string(issuer.KeySet()))
	w.write(t, "encryption.pem", publicKeyPEM(t))
	return w
}

// publicKeyPEM is an RSA key, as it is in encryption_key_file.
func publicKeyPEM(t testing.TB) string {
	t.Helper()
	text, _ := delegationtest.SigningKeyPEM()
	block, _ := pem.Decode(text)
	certificate := must(x509.ParseCertificate(block.Bytes))
	key := must(x509.MarshalPKIXPublicKey(certificate.PublicKey))
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: key}))
}

// referenceBase is a configuration that an example is put into.
const referenceBase = `
issuers:
  - url: https://tenant.example.com/
identity_provider:
  entity_id: urn:tenant.example.com
  keys: [{certificate_file: signing.crt, key_file: signing.key}]
targets:
  photo-app:
    principal: arn:aws:iam::123456789012:saml-provider/delegation
    role: arn:aws:iam::123456789012:role/photo-user
    region: eu-central-1
rules:
  - require_verified_email: true
`

// loads tells whether a configuration with an example works.
func (w *world) loads(t testing.TB, example any) error {
	t.Helper()
	whole := jsonOf(t, referenceBase).(object)
	maps.Copy(whole, example.(object))
	file := w.write(t, "delegation.yaml", string(must(json.Marshal(whole))))
	return serveable(t, file)
}

// TestConfiguration_Examples: each YAML block of the page loads, but for those with a key service
// that is not there. The examples of a section set each of its keys.
func TestConfiguration_Examples(t *testing.T) {
	w := referenceWorld(t)
	schema := readSchema(t)
	for _, s := range readKeys(t) {
		set := map[string]bool{}
		for _, example := range s.Examples {
			value := jsonOf(t, example)
			if err := w.loads(t, clone(t, value)); err != nil {
				t.Errorf("%s: %v\n%s", s.Title, err, example)
			}
			placesOf(value, "", set)
		}
		for _, example := range s.Unloaded {
			placesOf(jsonOf(t, example), "", set)
		}
		for _, example := range append(slices.Clone(s.Examples), s.Unloaded...) {
			whole := jsonOf(t, referenceBase).(object)
			maps.Copy(whole, jsonOf(t, example).(object))
			if wrong := validate(schema, any(whole), ""); wrong != "" && len(s.Unloaded) == 0 {
				t.Errorf("%s: the schema refuses it: %s", s.Title, wrong)
			}
		}
		for _, k := range s.Keys {
			if !set[k.place] {
				t.Errorf("no example of %s sets %s", s.Title, k.place)
			}
		}
	}
	page := string(must(os.ReadFile(configurationPage)))
	before, _, _ := strings.Cut(page, generatedMark)
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(before, -1)
	if len(blocks) == 0 {
		t.Error("the page begins without an example")
	}
	for _, block := range blocks {
		if err := w.loads(t, jsonOf(t, block[1])); err != nil {
			t.Errorf("%v\n%s", err, block[1])
		}
	}
}

// placesOf notes the places of all keys of a configuration.
func placesOf(value any, at string, found map[string]bool) {
	switch v := value.(type) {
	case object:
		for key, member := range v {
			place := strings.TrimPrefix(at+"."+key, ".")
			if named := strings.TrimPrefix(at+".*", "."); namesBelow(at) {
				place = named
			}
			found[place] = true
			placesOf(member, place, found)
		}
	case []any:
		for _, member := range v {
			placesOf(member, at+"[]", found)
		}
	}
}

// namesBelow tells whether the keys below a place are names.
func namesBelow(place string) bool {
	kind, known := settingTypes(reflect.TypeFor[config.Settings](), "")[place]
	for known && kind.Kind() == reflect.Pointer {
		kind = kind.Elem()
	}
	return known && kind.Kind() == reflect.Map
}

// TestConfiguration_Defaults: where delegation.example.yaml shows a default, it is that of the
// reference. These keys show an example instead.
func TestConfiguration_Defaults(t *testing.T) {
	examples := []string{
		"targets.*.actors.tag_key", "rules[].tags_from_claims.*.escape",
		"rules[].tags_from_claims.*.optional", "http.sts_memory",
	}
	shown := exampleKeys().ReplaceAllString(
		string(must(os.ReadFile("delegation.example.yaml"))), "$1$2")
	values := map[string][]any{}
	valuesAt(jsonOf(t, shown), "", values)
	compared := 0
	for _, s := range readKeys(t) {
		for _, k := range s.Keys {
			if k.Default == nil || slices.Contains(examples, k.place) {
				continue
			}
			for _, value := range values[k.place] {
				compared++
				want := fmt.Sprint(jsonOf(t, fmt.Sprintf("a: %v", quotedDefault(k.Default))))
				if got := fmt.Sprint(object{"a": value}); got != want {
					t.Errorf("%s: the example shows %v, and the default is %v", k.place, value,
						k.Default)
				}
			}
		}
	}
	if compared < 60 {
		t.Errorf("only %d", compared)
	}
}

// quotedDefault is a default as a value of YAML.
func quotedDefault(value any) string { return string(must(json.Marshal(value))) }

// valuesAt collects the values of a configuration by their places.
func valuesAt(value any, at string, found map[string][]any) {
	switch v := value.(type) {
	case object:
		for key, member := range v {
			place := strings.TrimPrefix(at+"."+key, ".")
			if namesBelow(at) {
				place = at + ".*"
			}
			found[place] = append(found[place], member)
			valuesAt(member, place, found)
		}
	case []any:
		for _, member := range v {
			valuesAt(member, at+"[]", found)
		}
	}
}

// TestConfiguration_Limits: the program accepts the bounds that the reference names, and nothing
// beyond them. Of listed values it accepts no other.
func TestConfiguration_Limits(t *testing.T) {
	w := referenceWorld(t)
	tried := 0
	for _, s := range readKeys(t) {
		for _, k := range s.Keys {
			example := exampleWith(t, s, k.place)
			if example == nil {
				continue
			}
			try := func(value any) error {
				tried++
				return w.loads(t, setAt(clone(t, example), strings.Split(k.place, "."), value))
			}
			for bound, by := range map[any]int{k.Least: -1, k.Most: 1} {
				if bound == nil || bound == 2147483647 && by == 1 {
					continue
				}
				if err := try(bound); err != nil {
					t.Errorf("%s = %v: %v", k.place, bound, err)
				}
				if err := try(beyond(t, bound, by)); err == nil {
					t.Errorf("%s accepts %v", k.place, beyond(t, bound, by))
				}
			}
			if len(valuesOf(k)) > 0 {
				if err := try(oneValue(k, "unheard-of")); err == nil {
					t.Errorf("%s accepts another value", k.place)
				}
			}
		}
	}
	if tried < 60 {
		t.Errorf("only %d", tried)
	}
}

// oneValue is a value of a key, in a list if it has one.
func oneValue(k keyEntry, value string) any {
	if k.place == "issuers[].allow_token_marks" {
		return []any{value}
	}
	return value
}

// exampleWith is the first example that sets a key; nil if none does.
func exampleWith(t *testing.T, s keySection, place string) any {
	t.Helper()
	for _, example := range s.Examples {
		value := jsonOf(t, example)
		set := map[string]bool{}
		placesOf(value, "", set)
		if set[place] {
			return value
		}
	}
	return nil
}

// setAt changes the value at a place: in each element of a list, and below each name, that has it.
func setAt(value any, place []string, to any) any {
	if len(place) == 0 {
		return to
	}
	o, ok := value.(object)
	if !ok {
		return value
	}
	if place[0] == "*" {
		for key := range o {
			o[key] = setAt(o[key], place[1:], to)
		}
		return o
	}
	key, inList := strings.CutSuffix(place[0], "[]")
	if _, has := o[key]; !has {
		return value
	}
	if !inList {
		o[key] = setAt(o[key], place[1:], to)
		return o
	}
	list, _ := o[key].([]any)
	for i := range list {
		list[i] = setAt(list[i], place[1:], to)
	}
	return o
}

// beyond is a value next to a bound, outside of it.
func beyond(t *testing.T, bound any, by int) any {
	t.Helper()
	switch v := bound.(type) {
	case string:
		d := must(time.ParseDuration(v))
		return (d + time.Duration(by)).String()
	case uint64:
		if v == 0 && by < 0 {
			return -1
		}
		return int(v) + by
	case int64:
		return int(v) + by
	case int:
		return v + by
	}
	t.Fatal(errors.New("a bound is a number or a duration"))
	return nil
}
