package delegation

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// FromContext returns an AWS credentials provider for one client of the AWS SDK that serves all
// users. Each call of the client uses the credentials of the user whose ID token is in its context:
//
//	client := s3.NewFromConfig(aws.Config{
//		Region:      "eu-central-1",
//		Credentials: d.FromContext("photo-app"),
//	})
//	client.ListBuckets(delegation.WithIDToken(ctx, idToken), nil)
//
// Build the client only in this way. An [aws.CredentialsCache] around the provider holds one set of
// credentials and does not know about users, so all users would share one user's credentials. With
// such a cache every call fails, including the first. config.LoadDefaultConfig wraps the provider
// of config.WithCredentialsProvider in a cache: set Credentials of the returned aws.Config instead.
//
// Each call is a [Delegator.Exchange] with all checks, and an [Event] with FromContext set.
// Config's cache keeps the credentials by decision and renews them in the background. The options
// apply to every exchange, before those of [WithIDToken]. The service's own credentials are never
// used. The error is an [*Error], which the client wraps: one of Exchange, or
//
//   - [CodeContextWithoutToken] without a token in the context.
//   - [CodeContextWithoutEnd] if Done of the context is nil. This is how a cache is recognized, so
//     [context.WithoutCancel] is refused too. Call WithIDToken after context.WithoutCancel, with
//     its result.
//   - [CodeArgumentInvalid] for a nil context, or a Delegator that New did not make.
//
// If you put your own provider between a cache and this one, pass the context on unchanged. If your
// provider adds a time-out, this provider cannot recognize the cache.
func (d *Delegator) FromContext(
	target string, options ...ExchangeOption,
) aws.CredentialsProvider {
	return &contextProvider{
		delegator: d,
		target:    target,
		options:   slices.Clone(options),
	}
}

// contextProvider implements aws.CredentialsProvider. It has none of the methods with which a
// provider tells an aws.CredentialsCache what to do about a failure: the cache fails.
type contextProvider struct {
	delegator *Delegator
	target    string
	options   []ExchangeOption
}

// Retrieve returns the credentials of the user whose token is in the context.
func (p *contextProvider) Retrieve(ctx context.Context) (aws.Credentials, error) {
	credentials, err := p.exchange(ctx)
	if err != nil {
		return aws.Credentials{}, err
	}
	return credentials.AWS(), nil
}

func (p *contextProvider) exchange(ctx context.Context) (*Credentials, error) {
	if ctx == nil || p.delegator == nil || p.delegator.config.Targets == nil {
		return nil, newError(CodeArgumentInvalid,
			"the context is nil, or the Delegator was not made by New")
	}
	options := append([]ExchangeOption{fromContext}, p.options...)
	user := tokenIn(ctx)
	if user != nil {
		options = append(options, user.options...)
	}
	switch {
	case user == nil:
		err := newError(CodeContextWithoutToken,
			"a call of AWS for the target %.80q has no ID token in its context", p.target)
		return nil, p.refuse(ctx, options, err)
	case ctx.Done() == nil:
		// Before anything is exchanged: a cache would give what is returned here to all users.
		err := newError(CodeContextWithoutEnd,
			"a call of AWS for the target %.80q has a context that cannot end", p.target)
		return nil, p.refuse(ctx, options, err)
	}
	return p.delegator.Exchange(ctx, user.idToken.Reveal(), p.target, options...)
}

// refuse reports a call for which there is no exchange.
func (p *contextProvider) refuse(
	ctx context.Context, options []ExchangeOption, err *Error,
) error {
	x := p.delegator.begin(p.target, options)
	return p.delegator.report(ctx, &x.record, err)
}

// fromContext marks the exchanges of FromContext.
func fromContext(o *exchangeOptions) { o.fromContext = true }

// ProviderSources names the source in the User-Agent of the SDK's requests.
func (*contextProvider) ProviderSources() []aws.CredentialSource {
	return []aws.CredentialSource{aws.CredentialSourceSTSAssumeRoleSaml}
}
