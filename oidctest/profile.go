package oidctest

import (
	"bytes"
	"crypto/rand"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// The kinds of tokens that most profiles have. [Profile.Tokens] may have others.
const (
	// IDToken is the token of a user who has signed in, or of a workload.
	IDToken = "id"

	// AccessToken is a token for an API. It is the wrong kind where an ID token
	// is wanted.
	AccessToken = "access"

	// CIToken is the token of a job of an issuer that has users, too.
	CIToken = "ci"

	// StrangerToken is an ID token that the same provider signed with the same
	// key for somebody who does not belong to the organisation.
	StrangerToken = "stranger"
)

// A Profile is what a real provider publishes and signs, so that a [Provider]
// can imitate it. [LoadProfile] returns those of this package. A program can
// make its own.
type Profile struct {
	// Sources are addresses of the documents that the profile was made from. A
	// sentence among them says what is unverified.
	Sources []string `json:"sources"`

	// Issuer is the iss of the tokens.
	Issuer string `json:"issuer"`

	// Algorithm is used if [Config.Algorithm] is empty. Empty means RS256.
	Algorithm string `json:"algorithm"`

	// DiscoveryURL is where the discovery document is. Empty means the issuer
	// with [DiscoveryPath] after it.
	DiscoveryURL string `json:"discovery_url"`

	// Discovery is the discovery document. It is served as it is, with jwks_uri
	// and issuer, which can differ from Issuer.
	Discovery map[string]any `json:"discovery"`

	// Bearer is the bearer token for the documents. As at a Kubernetes cluster, a
	// request without a token is answered 403, and one with another token 401.
	// Empty means that they are public.
	Bearer string `json:"bearer"`

	// Keys are the forms in which each key is published. Members replace or join
	// kid, use, alg and those of the key itself; a null removes one. Empty means
	// one form without changes. A form whose alg is for another type of key than
	// [Config.Algorithm] asks for is left out.
	Keys []map[string]any `json:"keys"`

	// Tokens are the tokens that the provider issues, by their kind.
	Tokens map[string]Token `json:"tokens"`
}

// A Token says how a token of a [Profile] looks.
type Token struct {
	// Like is the kind of token that this one differs from. Empty means none.
	Like string `json:"like"`

	// Header replaces or joins the header, as in [Provider.Sign].
	Header map[string]any `json:"header"`

	// Claims replace or join the claims, as in [Provider.SignIDToken].
	Claims map[string]any `json:"claims"`

	// Times are claims that are times, in seconds from now.
	Times map[string]int `json:"times"`

	// Unique are claims that are a new UUID in each token.
	Unique []string `json:"unique"`

	// Opaque is the whole token if it is no JWT. The other fields then count for
	// nothing.
	Opaque string `json:"opaque"`
}

//go:embed profiles/*.json
var profileFiles embed.FS

// A profileFile is a profile before its parameters have values.
type profileFile struct {
	Parameters map[string]string `json:"parameters"` // their defaults
	Profile    json.RawMessage   `json:"profile"`
}

// Profiles returns the names of the profiles that [LoadProfile] knows, sorted.
func Profiles() []string {
	files, err := profileFiles.ReadDir("profiles")
	if err != nil {
		panic(err) // the folder is part of the program
	}
	var names []string
	for _, file := range files {
		names = append(names, strings.TrimSuffix(file.Name(), ".json"))
	}
	slices.Sort(names) // the files are sorted with their endings
	return names
}

// LoadProfile returns the profile of a provider. The parameters replace the
// profile's defaults: the client's ID is client_id everywhere, and the others,
// such as tenant, realm or host, are in the file of the profile. The caller may
// change what is returned.
//
// It fails if there is no such profile, or if it has no such parameter.
func LoadProfile(name string, parameters map[string]string) (*Profile, error) {
	if !slices.Contains(Profiles(), name) {
		return nil, fmt.Errorf("oidctest: profile %q is unknown: want one of %s",
			name, strings.Join(Profiles(), ", "))
	}
	text, err := profileFiles.ReadFile(path.Join("profiles", name+".json"))
	if err != nil {
		return nil, fmt.Errorf("oidctest: profile %q: %w", name, err)
	}
	var file profileFile
	if err := unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("oidctest: profile %q: %w", name, err)
	}
	if err := file.set(parameters); err != nil {
		return nil, fmt.Errorf("oidctest: profile %q: %w", name, err)
	}
	profile := &Profile{}
	if err := unmarshal(file.filled(), profile); err != nil {
		return nil, fmt.Errorf("oidctest: profile %q: %w", name, err)
	}
	return profile, nil
}

// set replaces defaults of parameters.
func (f *profileFile) set(parameters map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		if _, ok := f.Parameters[name]; !ok {
			known := slices.Sorted(maps.Keys(f.Parameters))
			return fmt.Errorf("parameter %q is unknown: want one of %s",
				name, strings.Join(known, ", "))
		}
		f.Parameters[name] = parameters[name]
	}
	return nil
}

// placeholder is a parameter in the text of a profile.
var placeholder = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\$\{(\w+)\}`)
})

// filled returns the profile with the parameters' values in it. They stand in
// strings of JSON.
func (f *profileFile) filled() []byte {
	return placeholder().ReplaceAllFunc(f.Profile, func(found []byte) []byte {
		value := mustJSON(f.Parameters[string(found[2:len(found)-1])])
		return value[1 : len(value)-1]
	})
}

func unmarshal(text []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

// token returns a kind of token with what it is like filled in.
func (p *Profile) token(kind string) (Token, error) {
	token, ok := p.Tokens[kind]
	if !ok {
		kinds := slices.Sorted(maps.Keys(p.Tokens))
		return Token{}, fmt.Errorf("oidctest: the profile has no token %q: want one of %s",
			kind, strings.Join(kinds, ", "))
	}
	if token.Like == "" {
		return token, nil
	}
	if p.Tokens[token.Like].Like != "" {
		return Token{}, fmt.Errorf("oidctest: token %q is like %q, which is like a third",
			kind, token.Like)
	}
	base, err := p.token(token.Like)
	if err != nil {
		return Token{}, err
	}
	return Token{
		Header: overlaid(base.Header, token.Header),
		Claims: overlaid(base.Claims, token.Claims),
		Times:  overlaid(base.Times, token.Times),
		Unique: append(slices.Clone(base.Unique), token.Unique...),
		Opaque: token.Opaque,
	}, nil
}

// SignAs signs a token of the provider's [Profile]. The kind is [IDToken],
// [AccessToken], or another of [Profile.Tokens]. Claims replace or join those of
// the profile, and a nil value leaves one out. An opaque token is returned as it
// is. The map is not changed.
//
// It fails if the provider has no profile or the profile has no such token, and
// where [Provider.SignIDToken] fails.
func (p *Provider) SignAs(kind string, claims map[string]any) (string, error) {
	if p.config.Profile == nil {
		return "", errors.New("oidctest: SignAs: Config.Profile is nil")
	}
	token, err := p.config.Profile.token(kind)
	if err != nil {
		return "", err
	}
	if token.Opaque != "" {
		return token.Opaque, nil
	}
	now := p.config.Now()
	all := map[string]any{}
	for _, name := range token.Unique {
		all[name] = newUUID()
	}
	for name, seconds := range token.Times {
		all[name] = now.Add(time.Duration(seconds) * time.Second).Unix()
	}
	all = overlaid(all, token.Claims)
	return p.signClaims(token.Header, overlaid(all, claims))
}

// overlaid returns both maps in one, in which the second map's values count.
func overlaid[T any](first, second map[string]T) map[string]T {
	all := map[string]T{}
	maps.Copy(all, first)
	maps.Copy(all, second)
	return all
}

// newUUID returns a random UUID (RFC 9562, section 5.4).
func newUUID() string {
	var id [16]byte
	rand.Read(id[:]) // never fails: see its documentation
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}
