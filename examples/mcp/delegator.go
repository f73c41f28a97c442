package main

import (
	"context"
	"slices"
	"time"

	"github.com/seed055b7978/delegation"
)

// target is the name of the only target.
const target = "files"

// The scopes. Each is a scope of tokens, and the name of a policy of the target.
const (
	scopeList = "files.list"
	scopeRead = "files.read"
)

// sessionDuration is AWS's minimum. A session is for one operation, and the next call starts
// another one or finds it in the cache.
const sessionDuration = 15 * time.Minute

// newDelegator configures who may call, and which credentials they get.
func newDelegator(ctx context.Context, s settings) (*delegation.Delegator, error) {
	region, err := delegation.ParseRegion(s.region)
	if err != nil {
		return nil, err
	}
	bucket := "arn:" + region.Partition() + ":s3:::" + s.bucket
	return delegation.New(ctx, delegation.Config{
		Issuers: []delegation.Issuer{{
			URL:               s.issuer,
			AllowLoopbackHTTP: true, // for the demonstration; other addresses need https
			AccessTokens: &delegation.AccessTokens{
				Profile:   s.profile,
				Audiences: []string{s.resource},
			},
		}},
		IdentityProvider: s.identity,
		Targets: delegation.Targets{target: {
			Audiences: s.clients,
			// An agent that acts for a user is in the session's name, if the issuer says so in the
			// claim act.
			Actors: &delegation.Actors{},
			AWS: delegation.AWS{
				Principal:       s.principal,
				Role:            s.role,
				Region:          s.region,
				SessionDuration: sessionDuration,
			},
			SubjectAsFolder: true,
			Scopes: map[string]delegation.Scope{
				scopeList: {Policy: policy("s3:ListBucket", bucket)},
				scopeRead: {Policy: policy("s3:GetObject", bucket+"/*")},
			},
		}},
		Rules:   []delegation.RuleFunc{requireAccessToken, requireScopes},
		STS:     newSTS(s),
		Logger:  s.logger,
		OnEvent: s.onEvent,
	})
}

// requireAccessToken denies ID tokens, which are for the client that signed the user in, and do not
// mention this server.
func requireAccessToken(
	_ context.Context, _ *delegation.User, rc *delegation.RuleContext,
) error {
	if rc.TokenKind != delegation.TokenKindAccess {
		return delegation.Deny("this server takes access tokens")
	}
	return nil
}

// requireScopes denies credentials for a scope that the token does not have.
func requireScopes(
	_ context.Context, _ *delegation.User, rc *delegation.RuleContext,
) error {
	for _, scope := range rc.Request.Scopes {
		if !slices.Contains(rc.Scopes, scope) {
			return delegation.Deny("the access token lacks the scope " + scope)
		}
	}
	return nil
}

// policy is a session policy that allows one action. The role's own policy limits it to a folder: a
// session may do only what both allow.
func policy(action, resource string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"` + action +
		`","Resource":"` + resource + `"}]}`
}
