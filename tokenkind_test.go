package delegation_test

import (
	"testing"

	"github.com/seed055b7978/delegation"
)

// TestWithTokenKinds: what the caller says of its tokens must be true, of each of them by itself,
// and it allows nothing.
func TestWithTokenKinds(t *testing.T) {
	const (
		id     = delegation.TokenKindID
		access = delegation.TokenKindAccess
	)
	w := newActorWorld(t)
	shape := tokenShapes()["rfc9068"]
	w.config.Issuers[0].AccessTokens = &delegation.AccessTokens{
		Profile: shape.profile, Audiences: []string{api},
	}
	d := w.delegator(t)
	tokens := map[delegation.TokenKind]string{id: w.token(nil), access: w.accessToken(shape)}
	for _, row := range []struct {
		sent, said, ofActor delegation.TokenKind
		code                delegation.Code // empty: allowed
	}{
		{sent: id},
		{sent: access},
		{sent: id, said: id},
		{sent: access, said: access},
		{sent: id, said: access, code: delegation.CodeTokenKindDiffers},
		{sent: access, said: id, code: delegation.CodeTokenKindDiffers},
		{sent: id, said: "other", code: delegation.CodeTokenKindDiffers},
		{sent: id, said: id, ofActor: id},
		{sent: access, ofActor: id},
		{sent: id, said: id, ofActor: access, code: delegation.CodeTokenKindDiffers},
	} {
		for range 2 { // the second time the tokens are remembered
			_, err := d.Exchange(t.Context(), tokens[row.sent], app,
				delegation.WithActorToken(w.agentToken(nil)),
				delegation.WithTokenKinds(row.said, row.ofActor))
			if row.code == "" && err != nil {
				t.Errorf("%+v: %v", row, err)
			}
			if row.code != "" {
				wantError(t, err, delegation.StageTarget, row.code)
			}
		}
	}
	w.config.Issuers[0].AccessTokens = nil
	_, err := w.delegator(t).Exchange(t.Context(), tokens[access], app,
		delegation.WithTokenKinds(access, ""))
	wantError(t, err, delegation.StageToken, delegation.CodeTokenType)
}
