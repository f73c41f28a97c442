package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationhttp"
	"github.com/seed055b7978/delegation/delegationtest"
	"github.com/seed055b7978/delegation/ststest"
)

// What the album uses in AWS.
const (
	albumTarget    = "photo-album"
	albumBucket    = "example-album"
	albumRegion    = "eu-central-1"
	albumAccount   = "123456789012"
	albumPrincipal = "arn:aws:iam::" + albumAccount + ":saml-provider/delegation"
	albumRole      = "arn:aws:iam::" + albumAccount + ":role/album-user"
	albumViewer    = "arn:aws:iam::" + albumAccount + ":role/album-viewer"
	albumEntityID  = "urn:example.com:album"
)

// maxPhoto is the size of the largest object, in bytes.
const maxPhoto = 16 << 20

// albumTrust is the roles' trust policy.
const albumTrust = `{"Version": "2012-10-17", "Statement": [{
	"Effect": "Allow",
	"Principal": {"Federated": "` + albumPrincipal + `"},
	"Action": ["sts:AssumeRoleWithSAML", "sts:TagSession", "sts:SetSourceIdentity"],
	"Condition": {"StringEquals": {"SAML:aud": "https://eu-central-1.signin.aws.amazon.com/saml"}}
}]}`

// places are the addresses of everything that runs, all on loopback and without a slash at the end.
// They are five origins, so the page needs CORS.
type places struct {
	page, issuer, service, sts, s3 string
}

// album is an OpenID provider, the service, an AWS STS and an S3, all in memory, and the page.
type album struct {
	places
	clock     *clock
	rules     *switchboard
	exchanges *exchangeLog
	provider  *provider
	sts       *ststest.Server
	delegator *delegation.Delegator

	listeners map[string]net.Listener // by origin, until they are served
	servers   []*http.Server
}

// openAlbum starts an album. The page is at the address, and everything else on free ports of
// loopback. testClock allows the page's POST /clock to move the time.
func openAlbum(
	ctx context.Context, address string, testClock bool, logger *slog.Logger,
) (*album, error) {
	a := &album{
		clock:     &clock{},
		rules:     newSwitchboard(),
		exchanges: newExchangeLog(),
		listeners: map[string]net.Listener{},
	}
	if err := a.open(ctx, address, testClock, logger); err != nil {
		a.close()
		return nil, err
	}
	return a, nil
}

func (a *album) open(
	ctx context.Context, address string, testClock bool, logger *slog.Logger,
) error {
	if err := a.listen(address); err != nil {
		return err
	}
	identity := delegation.IdentityProvider{
		EntityID: albumEntityID,
		Keys:     []delegation.SigningKey{delegationtest.NewSigningKey()},
	}
	var err error
	if a.provider, err = newProvider(a.issuer, a.page, a.clock, logger); err != nil {
		return err
	}
	if a.sts, err = newSTS(identity, a.clock); err != nil {
		return err
	}
	bucket, err := newBucket(a.clock)
	if err != nil {
		return err
	}
	gate := a.sts.Gate(bucket, ststest.Gate{Host: "127.0.0.1", MaxBody: maxPhoto})
	// The key sets are fetched after the provider is served.
	a.serve(a.issuer, a.provider.handler())
	a.serve(a.places.sts, allowPages(stsCORS(a.page), a.clock.dated(a.sts)))
	a.serve(a.s3, allowPages(bucketCORS(a.page), a.clock.dated(gate)))
	service, err := a.newService(ctx, identity, logger)
	if err != nil {
		return err
	}
	a.serve(a.service, service)
	a.serve(a.page, newSite(a.settings(testClock), &panel{album: a, testClock: testClock}))
	return nil
}

// listen takes the ports, so that all addresses are known before anything is served.
func (a *album) listen(address string) error {
	for _, place := range []struct {
		url     *string
		address string
	}{
		{&a.page, address},
		{&a.issuer, anyPort},
		{&a.service, anyPort},
		{&a.places.sts, anyPort},
		{&a.s3, anyPort},
	} {
		listener, err := net.Listen("tcp", place.address)
		if err != nil {
			return err
		}
		*place.url = "http://" + listener.Addr().String()
		a.listeners[*place.url] = listener
	}
	return nil
}

const anyPort = "127.0.0.1:0"

// serve serves one of the addresses of listen until close.
func (a *album) serve(url string, handler http.Handler) {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	a.servers = append(a.servers, server)
	listener := a.listeners[url]
	delete(a.listeners, url)
	go func() { _ = server.Serve(listener) }() // until close
}

// close ends everything, including requests under way.
func (a *album) close() {
	for _, server := range a.servers {
		_ = server.Close()
	}
	for _, listener := range a.listeners {
		_ = listener.Close()
	}
}

// viewerPolicy lets each user read only the user's own folder.
const viewerPolicy = `{"Version": "2012-10-17", "Statement": [
	{
		"Effect": "Allow",
		"Action": "s3:ListBucket",
		"Resource": "arn:aws:s3:::` + albumBucket + `",
		"Condition": {"StringLike": {"s3:prefix": "${saml:sub}/*"}}
	},
	{
		"Effect": "Allow",
		"Action": "s3:GetObject",
		"Resource": "arn:aws:s3:::` + albumBucket + `/${saml:sub}/*"
	}
]}`

// newSTS creates what an administrator creates in IAM: the SAML provider, and the roles. The
// photographers' role has the policy that `delegation permission-policy --bucket` prints.
func newSTS(identity delegation.IdentityProvider, c *clock) (*ststest.Server, error) {
	metadata, err := identity.Metadata()
	if err != nil {
		return nil, err
	}
	region, err := delegation.ParseRegion(albumRegion)
	if err != nil {
		return nil, err
	}
	folders, err := delegation.PermissionPolicy(region, albumBucket)
	if err != nil {
		return nil, err
	}
	aws := ststest.New(ststest.Config{Region: albumRegion, Now: c.Now})
	return aws, errors.Join(
		aws.PutSAMLProvider(albumPrincipal, metadata),
		aws.PutRole(ststest.Role{
			ARN:         albumRole,
			TrustPolicy: albumTrust,
			Policies:    []string{folders},
		}),
		aws.PutRole(ststest.Role{
			ARN:         albumViewer,
			TrustPolicy: albumTrust,
			Policies:    []string{viewerPolicy},
		}),
	)
}

// newBucket creates an S3 in memory with one empty bucket. It checks neither signatures nor
// policies.
func newBucket(c *clock) (http.Handler, error) {
	backend := s3mem.New(s3mem.WithTimeSource(c))
	if err := backend.CreateBucket(albumBucket); err != nil {
		return nil, err
	}
	s3 := gofakes3.New(backend,
		gofakes3.WithTimeSource(c),
		gofakes3.WithTimeSkewLimit(0), // the gate checks the time
		gofakes3.WithoutVersioning(),
		gofakes3.WithLogger(gofakes3.DiscardLog()))
	return s3.Server(), nil
}

// newService makes the service of docs/service.md: an OpenID token of the provider is exchanged at
// the STS.
func (a *album) newService(
	ctx context.Context, identity delegation.IdentityProvider, logger *slog.Logger,
) (http.Handler, error) {
	var err error
	a.delegator, err = delegation.New(ctx, delegation.Config{
		Issuers:          []delegation.Issuer{{URL: a.issuer, AllowLoopbackHTTP: true}},
		IdentityProvider: identity,
		Targets: delegation.Targets{albumTarget: {
			Audiences:       []string{clientID},
			SubjectAsFolder: true,
			Roles: []delegation.RoleChoice{
				{Role: albumRole, Label: "Read and write"},
				{Role: albumViewer, Label: "Only read"},
			},
			AWS: delegation.AWS{
				Principal: albumPrincipal,
				Role:      albumRole,
				Region:    albumRegion,
			},
		}},
		Rules:   a.rules.funcs(),
		STS:     delegationtest.NewSTSClient(a.places.sts),
		OnEvent: a.exchanges.add,
		Logger:  logger,
		Now:     a.clock.Now,
	})
	if err != nil {
		return nil, err
	}
	handlers, err := delegationhttp.New(delegationhttp.Config{
		Exchanger:      a.delegator,
		AllowedOrigins: []string{a.page},
		Roles:          true,
		Logger:         logger,
		Now:            a.clock.Now,
	})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/credentials", handlers.ContainerCredentials())
	mux.Handle("/roles", handlers.Roles())
	mux.Handle("/token", handlers.Token())
	return mux, nil
}

// stsCORS lets the page ask STS for its identity. AWS's own STS allows this for every page.
func stsCORS(origin string) []corsRule {
	return []corsRule{{
		AllowedOrigins: []string{origin},
		AllowedMethods: []string{http.MethodPost},
		AllowedHeaders: []string{"*"},
		MaxAgeSeconds:  600,
	}}
}
