package delegation

import "github.com/seed055b7978/delegation/internal/idtoken"

// WithTokenKinds says which kinds of tokens the caller means to send: of the user, and of the
// actor. A token that its issuer signed as another kind is refused with [CodeTokenKindDiffers], so
// that what a client says of its token is true. It allows nothing: an access token also needs
// [Issuer.AccessTokens]. Empty: the caller does not say. Of several options the last counts.
func WithTokenKinds(user, actor TokenKind) ExchangeOption {
	return func(o *exchangeOptions) {
		o.tokenKind = user
		o.actorKind = actor
	}
}

// checkKind compares the kind of a verified token with what the caller says. Empty: nothing.
func checkKind(said TokenKind, claims *idtoken.Claims) error {
	kind := TokenKind(claims.Kind)
	if said == kind || said == "" {
		return nil
	}
	return newError(CodeTokenKindDiffers,
		"the caller says that the token is an %.20q, and the issuer signed it as an %.20q",
		string(said), string(kind))
}
