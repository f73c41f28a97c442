package config_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/seed055b7978/delegation/delegationtest"
	"github.com/seed055b7978/delegation/jsrules"
	"github.com/seed055b7978/delegation/oidctest"
)

// A language is the one in which a configuration is written.
type language string

const (
	inGo   language = "Go"
	inYAML language = "YAML"
)

// Values that Go and YAML have in different forms.
type (
	// file is a text that YAML has in a file next to the configuration. A Go field has the text,
	// unless it is the name of a file there too.
	file string
	// secrets are of clients, by client ID.
	secrets map[string]delegation.ClientSecret
	// both is a value that each language writes in its own way.
	both struct{ inGo, inYAML any }
	// told is a value that depends on the scene, such as one that the refusal names.
	told func(s *scene) any
)

const issuerURL = "https://issuer.example.com"

// A scene is a world with one issuer at [issuerURL], a target, and a token for it.
type scene struct {
	*delegationtest.World
	t      *testing.T
	folder string
	files  int

	// providers are imitations, at the addresses of their documents.
	providers []*oidctest.Provider
	// pages are at other addresses, or in place of documents.
	pages map[string]page
	// strangeCA says that the client does not know the CA of the documents' servers.
	strangeCA bool
	network   *oidctest.Network
	// oldKeys are those of the issuer before it changed them.
	oldKeys []byte

	// script is a JavaScript rule.
	script string
	// first is a token that is exchanged before; empty: none.
	first         string
	token, target string
	options       []delegation.ExchangeOption
	// logout is a logout token that is received instead of an exchange; empty: none.
	logout string
	// check says that Check comes to the refusal: tokens name another issuer. warns says that it
	// warns, and does so no more in the end.
	check, warns bool
	// builder is that of the last configuration file.
	builder *config.Builder
	// text is that of the refusal.
	text string
	// slow is an endpoint of profiles, for slowProfiles.
	slow *httptest.Server
}

// A page is what is answered at an address.
type page struct {
	status   int // zero: 200
	location string
	body     string
	bearer   string // without this token the status is the answer; empty: always
}

func newScene(t *testing.T) *scene {
	w, err := delegationtest.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	w.Issuer.SetIssuer(issuerURL)
	w.Config.Issuers = []delegation.Issuer{{URL: issuerURL}}
	s := &scene{
		World:     w,
		t:         t,
		folder:    t.TempDir(),
		providers: []*oidctest.Provider{w.Issuer},
		pages:     map[string]page{},
		target:    app,
	}
	s.token = w.Token(nil)
	return s
}

// write writes a file next to the configuration, and returns its name.
func (s *scene) write(name, text string) string {
	s.t.Helper()
	path := filepath.Join(s.folder, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// newFile writes a file with a name of its own.
func (s *scene) newFile(text string) string {
	s.files++
	return s.write("file"+strconv.Itoa(s.files), text)
}

// RoundTrip implements http.RoundTripper: pages come first, and the imitations have the rest.
func (s *scene) RoundTrip(r *http.Request) (*http.Response, error) {
	p, ok := s.pages[r.URL.String()]
	if !ok {
		return s.network.Client().Transport.RoundTrip(r)
	}
	authorized := p.bearer != "" && r.Header.Get("Authorization") == "Bearer "+p.bearer
	if p.status == 0 || authorized {
		p.status = http.StatusOK
	}
	header := http.Header{}
	if p.location != "" {
		header.Set("Location", p.location)
	}
	return &http.Response{
		StatusCode: p.status,
		Header:     header,
		Body:       io.NopCloser(strings.NewReader(p.body)),
		Request:    r,
	}, nil
}

// client fetches documents from the scene.
func (s *scene) client() *http.Client {
	if s.network == nil {
		s.network = must(oidctest.NewNetwork(s.providers...))
	}
	if !s.strangeCA {
		return &http.Client{Transport: s}
	}
	proxy := httptest.NewServer(s.network)
	s.t.Cleanup(proxy.Close)
	transport := &http.Transport{
		Proxy:           http.ProxyURL(must(url.Parse(proxy.URL))),
		TLSClientConfig: &tls.Config{RootCAs: x509.NewCertPool()},
	}
	s.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// configured is the configuration of the scene with settings, in the language.
func (s *scene) configured(l language, all ...settings) delegation.Config {
	s.t.Helper()
	if l == inGo {
		return s.configuredInGo(all)
	}
	return s.configuredInYAML(all)
}

// toReader is a refusal as the operator of the configuration reads it.
func (s *scene) toReader(l language, err error) string {
	switch {
	case l == inGo:
		return err.Error()
	case kindOf(err) == delegation.CodeConfigInvalid:
		s.builder.Add("", err) // as Build does
		return s.builder.Err().Error()
	}
	return config.ByKeys(err.Error())
}

// refusal is what the configuration meets: an exchange's, or Check's.
func (s *scene) refusal(c delegation.Config) error {
	d, err := delegation.New(s.t.Context(), c)
	if err != nil {
		return err
	}
	if !s.check && !s.warns {
		return s.exchange(d)
	}
	for _, result := range d.Check(s.t.Context()) {
		switch {
		case result.Err != nil:
			return result.Err
		case result.Warning != "":
			return warning(result.Warning)
		}
	}
	return nil
}

// exchange runs an exchange of the scene's token.
func (s *scene) exchange(d *delegation.Delegator) error {
	if s.logout != "" {
		return d.Logout(s.t.Context(), s.logout, delegation.Request{})
	}
	if s.first != "" {
		if _, err := d.Exchange(s.t.Context(), s.first, s.target); err != nil {
			s.t.Fatalf("the first token: %v", err)
		}
	}
	_, err := d.Exchange(s.t.Context(), s.token, s.target, s.options...)
	return err
}

// configuredInGo sets the fields that the settings name.
func (s *scene) configuredInGo(all []settings) delegation.Config {
	s.t.Helper()
	g := goConfiguration{config: s.Config}
	g.config.HTTPClient = s.client()
	g.config.Issuers = slices.Clone(g.config.Issuers)
	g.target = g.targets()[app]
	for _, some := range all {
		for _, name := range slices.Sorted(maps.Keys(some)) {
			owner, field, _ := strings.Cut(name, ".")
			if into := g.owner(owner); into != nil {
				s.setField(into, field, some[name])
			}
			if name == "Config.Targets" {
				g.target = g.targets()[app]
			}
		}
	}
	if _, listed := g.targets()[app]; listed {
		targets := maps.Clone(g.targets())
		targets[app] = g.target
		g.config.Targets = targets
	}
	if s.script != "" {
		rule, err := jsrules.Compile("10-rule", s.script, g.options)
		if err != nil {
			s.t.Fatal(err)
		}
		g.config.Rules = append(slices.Clone(g.config.Rules), rule)
	}
	return g.config
}

// goConfiguration has the fields that settings are.
type goConfiguration struct {
	config  delegation.Config
	target  delegation.Target // the one of the scene
	options jsrules.Options
}

func (g *goConfiguration) targets() delegation.Targets {
	targets, _ := g.config.Targets.(delegation.Targets)
	return targets
}

// owner is what has the fields of a type in remedies. nil: there is none in Go.
func (g *goConfiguration) owner(name string) any {
	switch name {
	case "Config":
		return &g.config
	case "Issuer":
		return &g.config.Issuers[0]
	case "Target":
		return &g.target
	case "AWS":
		return &g.target.AWS
	case "IdentityProvider":
		return &g.config.IdentityProvider
	case "Options":
		return &g.options
	}
	return nil
}

// setField sets a field of what into points to.
func (s *scene) setField(into any, field string, value any) {
	s.t.Helper()
	to := reflect.ValueOf(into).Elem().FieldByName(field)
	if !to.IsValid() {
		s.t.Fatalf("%T has no field %s", into, field)
	}
	if f, ok := value.(told); ok {
		value = f(s)
	}
	switch v := value.(type) {
	case nil:
		to.SetZero()
		return
	case both:
		s.setField(into, field, v.inGo)
		return
	case secrets:
		value = map[string]delegation.ClientSecret(v)
	case file:
		value = s.goFile(to.Interface(), field, string(v))
	}
	to.Set(reflect.ValueOf(value))
}

// goFile is a text as the field has it.
func (s *scene) goFile(of any, field, text string) any {
	switch of.(type) {
	case []byte:
		return []byte(text)
	case delegation.Secret:
		return delegation.NewSecret(text)
	}
	if strings.HasSuffix(field, "File") {
		return s.newFile(text)
	}
	return text
}

// configuredInYAML is the configuration of a file, whose own reader finds nothing wrong in it.
func (s *scene) configuredInYAML(all []settings) delegation.Config {
	s.t.Helper()
	c := s.loaded(all)
	if err := s.builder.Err(); err != nil {
		s.t.Fatal(err)
	}
	return c
}

// loaded writes the keys that the settings' names have, and loads the file as the program does.
func (s *scene) loaded(all []settings) delegation.Config {
	s.t.Helper()
	certificate, key := delegationtest.SigningKeyPEM()
	tree := map[string]any{
		"issuers": []any{map[string]any{"url": s.Config.Issuers[0].URL}},
		"identity_provider": map[string]any{
			"entity_id": delegationtest.EntityID,
			"keys": []any{map[string]any{
				"certificate_file": s.write("signing.crt", string(certificate)),
				"key_file":         s.write("signing.key", string(key)),
			}},
		},
		"targets": map[string]any{app: map[string]any{
			"principal": delegationtest.Principal,
			"role":      delegationtest.Role,
			"region":    delegationtest.Region,
		}},
	}
	if s.script != "" {
		s.write("rules/10-rule.js", s.script)
		tree["rules"] = []any{map[string]any{"javascript": map[string]any{"folder": "rules"}}}
	}
	for _, some := range all {
		for _, name := range slices.Sorted(maps.Keys(some)) {
			s.setKey(tree, keyOf(name), some[name])
		}
	}
	text := must(yaml.Marshal(tree))
	loaded, from, err := config.Load(s.write("delegation.yaml", string(text)), nil)
	if err != nil {
		s.t.Fatalf("%v\n%s", err, text)
	}
	s.builder = config.NewBuilder(from, slog.New(slog.DiscardHandler))
	c := config.Delegation(s.builder, loaded)
	c.HTTPClient = s.client()
	c.STS = s.Config.STS
	c.Now = s.Config.Now
	return c
}

// keyOf is the path of a setting's key, from the words that remedies have for it.
func keyOf(name string) []any {
	key, of, _ := strings.Cut(config.ByKeys(name), " of the ")
	switch of {
	case "issuer":
		return []any{"issuers", 0, key}
	case "target":
		return []any{"targets", app, key}
	}
	if key, ok := strings.CutPrefix(key, "javascript."); ok {
		return []any{"rules", 0, "javascript", key}
	}
	var path []any
	for _, piece := range strings.Split(key, ".") {
		path = append(path, piece)
	}
	return path
}

// setKey sets a key of the tree.
func (s *scene) setKey(tree map[string]any, path []any, value any) {
	s.t.Helper()
	at := tree
	for i := 0; i < len(path)-1; i++ {
		name := path[i].(string)
		if n, isIndex := path[i+1].(int); isIndex {
			at = at[name].([]any)[n].(map[string]any)
			i++
			continue
		}
		if at[name] == nil {
			at[name] = map[string]any{}
		}
		at = at[name].(map[string]any)
	}
	name := path[len(path)-1].(string)
	if f, ok := value.(told); ok {
		value = f(s)
	}
	value = s.yamlValue(value)
	if value == nil {
		delete(at, name)
		return
	}
	at[name] = value
}

// yamlValue is a value as the configuration file has it.
func (s *scene) yamlValue(value any) any {
	switch v := value.(type) {
	case both:
		return v.inYAML
	case file:
		return s.newFile(string(v))
	case time.Duration:
		return v.String()
	case secrets:
		list := map[string]any{}
		for client, secret := range v {
			list[client] = map[string]any{
				"file":      s.newFile(secret.Secret.Reveal()),
				"base64url": secret.Base64URL,
			}
		}
		return list
	}
	return value
}

// sign signs a token of the issuer with claims changed.
func (s *scene) sign(claims map[string]any) { s.token = s.Token(claims) }

// signedBy replaces the issuer by one that signs with the algorithm.
func (s *scene) signedBy(algorithm string) {
	c := oidctest.Config{Algorithm: algorithm, Now: s.Clock.Now}
	if strings.HasPrefix(algorithm, "RS") || strings.HasPrefix(algorithm, "PS") {
		c.Key = delegationtest.IssuerKey()
	}
	s.Issuer = must(oidctest.New(c))
	s.Issuer.SetIssuer(issuerURL)
	s.providers = []*oidctest.Provider{s.Issuer}
	s.network = nil
	s.sign(nil)
}

// signedWith has the token signed with a secret.
func (s *scene) signedWith(algorithm, secret string, claims map[string]any) {
	by := must(oidctest.New(oidctest.Config{
		Algorithm: algorithm,
		Secret:    []byte(secret),
		Now:       s.Clock.Now,
	}))
	by.SetIssuer(issuerURL)
	all := map[string]any{"sub": delegationtest.Subject, "aud": app}
	for name, value := range claims {
		all[name] = value
	}
	s.token = must(by.SignIDToken(all))
}

// imitates makes the issuer that of a profile, and the token its ID token for the target.
func (s *scene) imitates(name string, parameters map[string]string) {
	profile := must(oidctest.LoadProfile(name, parameters))
	s.Issuer = must(oidctest.New(oidctest.Config{
		Profile: profile,
		Key:     delegationtest.IssuerKey(),
		Now:     s.Clock.Now,
	}))
	s.providers = []*oidctest.Provider{s.Issuer}
	s.token = must(s.Issuer.SignAs(oidctest.IDToken, map[string]any{
		"aud": app,
	}))
}
