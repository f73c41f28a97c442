package main

import (
	"context"
	"crypto"
	"crypto/rsa"
	"errors"
	"net/http"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/seed055b7978/delegation"
)

// Names in the chart.
const (
	responseTitle = "SAML response, signed"
	tokenTitle    = "ID token of 16 claims"
	cachedTitle   = "Exchange from the cache"
	seenName      = "delegation, seen before"
)

// responses measures how a SAML response is made.
func (b *bench) responses() error {
	key, ok := b.world.key.Signer.(*rsa.PrivateKey)
	if !ok {
		return errors.New("the signing key is not RSA")
	}
	certificate := b.world.key.Certificate
	blank := blankSigner(key.Public())
	sign := once(bareSign(key))
	signed, err := b.measure(responseTitle,
		contender{name: "crypto/rsa, Sign alone", run: sign},
		contender{name: "delegation", run: once(response(key, certificate, responseTags))},
		contender{
			name: "crewjam/saml, goxmldsig",
			run:  once(crewjamResponse(key, certificate, responseTags)),
		},
	)
	if err != nil {
		return err
	}
	b.compare("build, sign and encode a response / bare RSA-2048 Sign",
		signed[1], signed[0], 1.06, 30)
	b.weigh("response", signed[1])
	unsigned, err := b.measure("SAML response, without the time of the signature",
		contender{
			name: "crewjam/saml, goxmldsig",
			run:  once(crewjamResponse(blank, certificate, responseTags)),
		},
		contender{name: "delegation", run: once(response(blank, certificate, responseTags))},
	)
	if err != nil {
		return err
	}
	b.compare("the same without the signature / crewjam/saml and goxmldsig without",
		unsigned[1], unsigned[0], 0.15, 0)
	return nil
}

// once makes a run that is always the same.
func once(f func() error) func(int) error { return func(int) error { return f() } }

// each makes a run that takes another token each time.
func each(v func(string) error, tokens []string) func(int) error {
	return func(i int) error { return v(tokens[i]) }
}

// tokens measures the verification of ID tokens.
func (b *bench) tokens() error {
	w := b.world
	peers, err := b.verifiers()
	if err != nil {
		return err
	}
	var own verifier
	unseen := func(tokens []string) []contender {
		first := tokens[0]
		tokens = tokens[1:]
		list := []contender{{
			name:   "delegation",
			most:   len(tokens),
			before: func() (err error) { own, err = ours(b.net.keysURL(), first); return err },
			run:    func(i int) error { return own(tokens[i]) },
		}}
		for _, p := range peers {
			list = append(list,
				contender{name: p.name, most: len(tokens), run: each(p.verify, tokens)})
		}
		return list
	}
	seen, err := ours(b.net.keysURL(), w.real[0])
	if err != nil {
		return err
	}
	again := func() error { return seen(w.real[0]) }
	all, err := b.measure(tokenTitle,
		append(unseen(w.real), contender{name: seenName, run: once(again)})...)
	if err != nil {
		return err
	}
	golang, err := named(all, "golang-jwt/v5")
	if err != nil {
		return err
	}
	goOIDC, err := named(all, "go-oidc/v3")
	if err != nil {
		return err
	}
	b.weigh("unseen token", all[0])
	b.weigh("seen token", all[len(all)-1])
	b.compare("an unseen ID token / golang-jwt", all[0], golang, 1.05, 70)
	b.compare("an unseen ID token / go-oidc", all[0], goOIDC, 0.50, 0)
	b.compare("a token seen before / golang-jwt's unseen", all[len(all)-1], golang, 0.10, 0)
	tokens, err := w.large()
	if err != nil {
		return err
	}
	large, err := b.measure("ID token of 400 claims", unseen(tokens)[:2]...)
	if err != nil {
		return err
	}
	b.weigh("unseen token of 400 claims", large[0])
	b.compare("an unseen ID token of 400 claims / golang-jwt", large[0], large[1], 1.05,
		4*manyClaims)
	b.claimCost(all[0], golang, large)
	return nil
}

// peer is a verifier from another library.
type peer struct {
	name   string
	verify verifier
}

// verifiers are those of other libraries. The first is the most common one in Go.
func (b *bench) verifiers() ([]peer, error) {
	w := b.world
	keysURL := b.net.keysURL()
	v2, err2 := jwxV2(w)
	v3, err3 := jwxV3(w)
	joseVerifier, errJOSE := goJOSE(w)
	capVerifier, errCap := hashicorpCap(keysURL)
	given := &oidc.StaticKeySet{PublicKeys: []crypto.PublicKey{w.issuer.Public()}}
	fetched := oidc.NewRemoteKeySet(context.Background(), keysURL)
	list := []peer{
		{"golang-jwt/v5", golangJWT(w)},
		{"go-oidc/v3", goOIDC(given)},
		{"go-oidc/v3, keys fetched", goOIDC(fetched)},
		{"zitadel/oidc/v3", zitadelOIDC(keysURL)},
		{"hashicorp/cap", capVerifier},
		{"go-jose/v4", joseVerifier},
		{"jwx/v3", v3},
		{"jwx/v2", v2},
		{"crypto/rsa, Verify alone", bareVerifier(w)},
	}
	return list, errors.Join(err2, err3, errJOSE, errCap)
}

// exchanges measures whole exchanges, cached and cold.
func (b *bench) exchanges() error {
	w := b.world
	config := w.config(b.net.keysURL())
	cached := &exchanger{config: config, seen: w.real[0]}
	if err := cached.renew(); err != nil {
		return err
	}
	golang := golangJWT(w)
	tokens := w.real[1:]
	all, err := b.measure(cachedTitle,
		contender{
			name: "golang-jwt/v5, unseen token",
			most: len(tokens),
			run:  each(golang, tokens),
		},
		contender{name: "delegation, cached", run: once(func() error {
			return cached.exchange(w.real[0])
		})},
	)
	if err != nil {
		return err
	}
	b.weigh("cached exchange", all[1])
	b.compare("Exchange from the cache, two Go rules / golang-jwt's unseen",
		all[1], all[0], 0.25, 45)
	return b.cold(config)
}

// cold measures exchanges that verify an unseen token, sign, and call STS.
func (b *bench) cold(config delegation.Config) error {
	w := b.world
	key, ok := w.key.Signer.(*rsa.PrivateKey)
	if !ok {
		return errors.New("the signing key is not RSA")
	}
	encoded, err := writeCrewjam(key, w.key.Certificate, subject, email, responseTags)
	if err != nil {
		return err
	}
	tokens := w.real[1:]
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
	sign := bareSign(key)
	verify := bareVerifier(w)
	post := barePost(client, b.net.url, encoded)
	bare := func(i int) error {
		if err := sign(); err != nil {
			return err
		}
		if err := verify(tokens[i]); err != nil {
			return err
		}
		return post()
	}
	without := []delegation.ExchangeOption{delegation.WithoutCache()}
	sdk := &exchanger{config: config, seen: w.real[0], options: without}
	local := &exchanger{config: config, seen: w.real[0], options: without}
	local.config.STS = inProcess{}
	all, err := b.measure("cold exchange",
		contender{name: "crypto/rsa Sign and Verify, one POST", most: len(tokens), run: bare},
		contender{name: "one POST", run: once(post)},
		contender{
			name:   "delegation",
			most:   len(tokens),
			before: sdk.renew,
			run:    func(i int) error { return sdk.exchange(tokens[i]) },
		},
		contender{
			name:   "delegation, STS in process",
			most:   len(tokens),
			before: local.renew,
			run:    func(i int) error { return local.exchange(tokens[i]) },
		},
	)
	if err != nil {
		return err
	}
	b.gauge("allocations, cold exchange with STS in process", all[3].allocs)
	b.compare("cold Exchange, loopback / bare Sign, Verify and POST", all[2], all[0], 1.25, 0)
	return nil
}
