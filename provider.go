package delegation

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/seed055b7978/delegation/internal/freshness"
	"github.com/seed055b7978/delegation/internal/guard"
)

// providerTimeout is for one exchange of a provider, next to Config.STSTimeout: no caller's context
// ends it.
const providerTimeout = time.Minute

// Provider returns an AWS credentials provider for clients of the AWS SDK. It exchanges the
// source's token on the first request, and renews before the credentials expire: from 15 minutes
// before, or in the last quarter of a shorter lifetime. A random delay of up to a fifth of that
// time keeps providers that started together from calling AWS together.
//
// Renewal runs in the background. Until the current credentials expire, callers get them even if
// the renewal fails or is refused, and it is retried every 10 seconds. A request triggers the
// renewal, so no goroutine waits in between. Callers wait only if there are no valid credentials,
// and then for one exchange that they share and none of them can cancel. The error is an [*Error]:
// one of [Delegator.Exchange], [CodeTokenSourceFailed], [CodeArgumentInvalid] for a nil source or
// Delegator, or [CodeCanceled] with the stage token if the caller's context ends first.
//
// It works with and without an [aws.CredentialsCache] around it. Expires is the time of the next
// request and not the expiration, and a cache's ExpiryWindow has no effect on it, because a cache
// would make its callers wait.
//
// Every attempt makes an [Event]. The provider has its own cache and does not use Config's. The
// options apply to every exchange. The source and Config.OnEvent must not use these credentials:
// they would wait for themselves.
func (d *Delegator) Provider(
	source TokenSource, target string, options ...ExchangeOption,
) aws.CredentialsProvider {
	if d == nil || d.config.Targets == nil || source == nil {
		refuse := func(context.Context) (none aws.Credentials, _ time.Time, _ error) {
			return none, time.Time{}, newError(CodeArgumentInvalid,
				"the token source is nil, or the Delegator was not made by New")
		}
		return provider{freshness.NewValue(time.Now, rand.Float64, refuse)}
	}
	options = append([]ExchangeOption{WithoutCache()}, options...)
	fetch := func(ctx context.Context) (none aws.Credentials, _ time.Time, _ error) {
		ctx, cancel := context.WithTimeout(ctx, providerTimeout+d.config.STSTimeout)
		defer cancel()
		credentials, err := d.exchangeFrom(ctx, source, target, options)
		if err != nil {
			return none, time.Time{}, err
		}
		return credentials.AWS(), credentials.Expiration, nil
	}
	return provider{freshness.NewValue(d.config.Now, d.random, fetch)}
}

// exchangeFrom is Exchange with a source's token. If there is none, the event says so.
func (d *Delegator) exchangeFrom(
	ctx context.Context, source TokenSource, target string, options []ExchangeOption,
) (*Credentials, error) {
	x := d.begin(target, options)
	token, err := guard.Value(func() (string, error) { return source(ctx) })
	switch {
	case err == nil && token != "":
		return d.Exchange(ctx, token, target, options...)
	case err == nil:
		err = newError(CodeTokenSourceFailed, "the token source returned no token")
	case ctx.Err() != nil:
		err = canceledAt(StageToken, ctx.Err())
	default:
		err = newError(CodeTokenSourceFailed, "the token source: %w", err)
	}
	x.lap(StageToken)
	return nil, d.report(ctx, &x.record, err)
}

// provider implements aws.CredentialsProvider, and what else aws.CredentialsCache and the SDK look
// for.
type provider struct {
	credentials *freshness.Value[aws.Credentials]
}

func (p provider) Retrieve(ctx context.Context) (aws.Credentials, error) {
	if ctx == nil {
		return aws.Credentials{}, newError(CodeArgumentInvalid, "the context is nil")
	}
	credentials, again, err := p.credentials.Get(ctx)
	var known *Error
	if err != nil && !errors.As(err, &known) {
		// The context ended, or the credentials came when they had expired.
		err = canceledAt(StageToken, err)
	}
	credentials.Expires = again
	return credentials, err
}

// HandleFailToRefresh hands out good credentials that have come meanwhile.
func (p provider) HandleFailToRefresh(
	_ context.Context, _ aws.Credentials, err error,
) (aws.Credentials, error) {
	credentials, again, good := p.credentials.Peek()
	if !good {
		return aws.Credentials{}, err
	}
	credentials.Expires = again
	return credentials, nil
}

// AdjustExpiresBy changes nothing: Expires lies ahead of the real expiry already, or these are the
// last credentials to be had.
func (provider) AdjustExpiresBy(c aws.Credentials, _ time.Duration) (aws.Credentials, error) {
	return c, nil
}

func (provider) ProviderSources() []aws.CredentialSource {
	return []aws.CredentialSource{aws.CredentialSourceSTSAssumeRoleSaml}
}
