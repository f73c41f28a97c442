package delegation

import "github.com/seed055b7978/delegation/internal/idtoken"

// WithTokenKinds says which kinds of tokens the caller intends to send, for the user and for the
// actor. A token of another kind is refused with [CodeTokenKindDiffers]. The option does not permit
// anything: an access token also needs [Issuer.AccessTokens]. Empty: any kind. If the option is
// given several times, the last one applies.
func WithTokenKinds(user, actor TokenKind) ExchangeOption {
	return func(o *exchangeOptions) {
		o.ask().tokenKind = user
		o.ask().actorKind = actor
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
