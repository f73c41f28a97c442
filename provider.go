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

// Provider returns a provider of AWS credentials for clients of the AWS SDK. It exchanges the
// source's token when it is first asked, and again ahead of the credentials' end: from 15 minutes
// before it, or in the last quarter of a shorter life. Up to a fifth of that time passes first, by
// chance, so that providers that started together do not ask AWS together.
//
// That is off its callers' path: they get what is at hand until it really expires, whatever fails
// meanwhile, also a refusal, and a new attempt is made every 10 seconds. Being asked triggers it,
// so no goroutine waits. Only without good credentials do callers wait, for one exchange that all
// share and none of them can cancel. The error is an [*Error]: one of [Delegator.Exchange],
// [CodeTokenSourceFailed], [CodeArgumentInvalid] for a nil source or Delegator, or [CodeCanceled]
// with the stage token if the caller's context ends first.
//
// It works with and without an [aws.CredentialsCache] around it, which refreshes in its callers'
// path. So Expires is not when the credentials expire but when to ask again, and a cache's
// ExpiryWindow has no effect on it.
//
// Every attempt makes an [Event]. Config's cache has no part in it: the provider keeps its own.
// The options hold for every exchange. Neither the source nor Config.OnEvent may use these
// credentials: they would wait for themselves.
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
