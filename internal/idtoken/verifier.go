package idtoken

import (
	"context"
	"crypto/sha256"
	"net/http"
	"time"

	"github.com/seed055b7978/delegation/internal/document"
)

// Config is what all issuers of a [Verifier] share. The caller has checked it; only Client may be
// nil.
type Config struct {
	// MaxSize is how many bytes a token may have.
	MaxSize int
	// Leeway is for clocks that differ, in exp, iat and nbf.
	Leeway time.Duration
	Now    func() time.Time
	// Client fetches published keys; nil: a new one. Redirects are refused whatever it says.
	Client *http.Client
	// RefreshFailed hears of each fetch of an issuer's keys that failed, and why: an [*Error]. It
	// runs on the fetch's goroutine.
	RefreshFailed func(issuer string, err error)
}

// Issuer is a provider whose ID tokens are accepted. The caller has checked it: its URLs, and that
// no more than one source of keys is set. If none is, they are found by OpenID Connect discovery
// below URL.
type Issuer struct {
	// URL is the exact iss claim.
	URL string
	// Algorithms are those that it may sign with: some of [Algorithms], or HS256 alone with a
	// SharedSecret.
	Algorithms []string

	// SharedSecret reveals the secret. It is a function, because fmt prints the fields of structs.
	SharedSecret func() string
	// KeySet is static: nothing is fetched.
	KeySet *KeySet
	// KeySetURL is where the key set is published.
	KeySetURL string
	// LoopbackHTTP says whether discovery may lead to plain http on loopback.
	LoopbackHTTP bool

	// Marks are those of [TokenMarks] that its ID tokens may bear.
	Marks []string
	// Clients are the audiences that may be the client of a token with several and no azp.
	Clients []string
}

// Verifier verifies the ID tokens of its issuers. It is safe for concurrent use and keeps no
// goroutine while it is not used.
type Verifier struct {
	config  Config
	issuers map[string]issuer // by URL
}

// issuer is an Issuer with its keys ready to be found.
type issuer struct {
	algorithms     []string
	keys           keyFinder
	marks, clients []string // as in Issuer
}

// New makes a Verifier. It makes no request.
func New(c Config, issuers []Issuer) *Verifier {
	c.Client = document.Client(c.Client)
	v := &Verifier{c, map[string]issuer{}}
	for _, i := range issuers {
		var algorithms []string
		for _, name := range i.Algorithms {
			algorithms = append(algorithms, CanonicalAlgorithm(name))
		}
		v.issuers[i.URL] = issuer{algorithms, v.keysOf(i), i.Marks, i.Clients}
	}
	return v
}

func (v *Verifier) keysOf(i Issuer) keyFinder {
	switch {
	case i.SharedSecret != nil:
		return sharedSecret(i.SharedSecret)
	case i.KeySet != nil:
		return i.KeySet
	}
	return &remoteKeys{
		issuer:        i.URL,
		url:           i.KeySetURL,
		loopbackHTTP:  i.LoopbackHTTP,
		client:        v.config.Client,
		now:           v.config.Now,
		refreshFailed: v.config.RefreshFailed,
		allowance:     allowance{atOnce: refreshesAtOnce, every: refreshEvery},
		refuted:       map[[sha256.Size]byte]bool{},
	}
}

// Verify checks one raw ID token. It makes no request before it has found the issuer among its own.
// The error is an [*Error], or that of a context which ended while keys were being fetched.
func (v *Verifier) Verify(ctx context.Context, raw string) (*Claims, error) {
	token, err := parseCompact(raw, v.config.MaxSize)
	if err != nil {
		return nil, err
	}
	all, iss, by, err := v.readPayload(token)
	if err != nil {
		return nil, token.origin("").refused(err)
	}
	claims, err := v.verify(ctx, token, all, iss, by)
	if err != nil {
		return nil, token.origin(iss).refused(err)
	}
	claims.Of = token.origin(iss)
	return claims, nil
}

// readPayload reads the claims of a token that nobody has verified, and finds its issuer.
func (v *Verifier) readPayload(
	token *compactJWS,
) (all map[string]any, iss string, by issuer, err error) {
	all, err = parseObject("payload", token.payload, "claim", decidingClaims)
	if err != nil {
		return nil, "", issuer{}, err
	}
	iss, err = stringClaim(all, "iss")
	if err != nil {
		return nil, "", issuer{}, err
	}
	by, err = v.issuer(iss)
	return all, iss, by, err
}

// verify checks a token whose issuer was found.
func (v *Verifier) verify(
	ctx context.Context, token *compactJWS, all map[string]any, iss string, by issuer,
) (*Claims, error) {
	if err := token.verifySignature(ctx, by); err != nil {
		return nil, err
	}
	// The kind comes first: the claims of another kind of token have other meanings.
	if err := checkKind(all, by.marks); err != nil {
		return nil, err
	}
	claims, err := checkClaims(iss, all, by.clients, v.config.Now(), v.config.Leeway)
	if err != nil {
		return nil, err
	}
	claims.SignedSHA256 = sha256.Sum256(token.signed)
	return claims, nil
}

// VerifySignature checks a token's form, algorithm and signature as Verify does, and not its
// claims: vectors of others have payloads that are no claims.
func (v *Verifier) VerifySignature(ctx context.Context, iss, raw string) error {
	token, err := parseCompact(raw, v.config.MaxSize)
	if err != nil {
		return err
	}
	by, err := v.issuer(iss)
	if err != nil {
		return err
	}
	return token.verifySignature(ctx, by)
}

// CheckKeys tells whether an issuer has keys that can be used, and asks it for them as Verify
// would. Errors are those of Verify.
func (v *Verifier) CheckKeys(ctx context.Context, iss string) error {
	by, err := v.issuer(iss)
	if err != nil {
		return err
	}
	_, _, err = by.keys.find(ctx, &search{})
	return err
}

func (v *Verifier) issuer(iss string) (issuer, error) {
	by, ok := v.issuers[iss]
	if !ok {
		return issuer{}, newError(issuerUnknown, "%.200q is not a configured issuer", iss)
	}
	return by, nil
}
