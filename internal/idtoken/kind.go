package idtoken

import "slices"

// mark is a claim that tells another kind of token from an ID token.
type mark struct {
	claim string
	// code returns the error code for the claim's value; empty: the token may be an ID token.
	code func(value any) (string, error)
}

// marks are read in this order, so that a token with several of them is always refused for the
// same one. A claim that is null counts as absent.
var marks = []mark{
	// Keycloak puts the kind into the payload: ID, Bearer, DPoP, Refresh, Offline, Logout.
	{"typ", typCode},
	// Amazon Cognito: id or access.
	{"token_use", tokenUseCode},
	// Microsoft Entra: app in a token that no user has asked for.
	{"idtyp", idtypCode},
	// Entra's access tokens say how the client authenticated, in v1 and in v2.
	{"appidacr", whenPresent(tokenKindEntraV1)},
	{"azpacr", whenPresent(tokenKindEntraV2)},
	// The scopes of access tokens, of Entra and of Okta.
	{"scp", whenPresent(tokenKindScoped)},
	// RFC 7800: the token counts only with a proof of possession, and nothing here can check one.
	{"cnf", whenPresent(tokenKindBound)},
	// RFC 8417, and OpenID Connect Back-Channel Logout §2.4.
	{"events", whenPresent(tokenKindEvent)},
}

// TokenMarks returns the names of the claims by which other kinds of tokens are told from ID
// tokens.
func TokenMarks() []string {
	names := make([]string, len(marks))
	for i, m := range marks {
		names[i] = m.claim
	}
	return names
}

// checkKind refuses a verified token of another kind. Marks that are allowed are not looked at.
func checkKind(all map[string]any, allowed []string) error {
	for _, m := range marks {
		if slices.Contains(allowed, m.claim) {
			continue
		}
		if err := m.check(all); err != nil {
			return err
		}
	}
	return nil
}

// check refuses a token that the mark tells from an ID token.
func (m mark) check(all map[string]any) error {
	value := all[m.claim]
	if value == nil {
		return nil
	}
	code, err := m.code(value)
	if err != nil || code == "" {
		return err
	}
	return newError(code, "the payload's %s marks another kind of token", m.claim)
}

func whenPresent(code string) func(any) (string, error) {
	return func(any) (string, error) { return code, nil }
}

func typCode(value any) (string, error) {
	switch value {
	case "ID":
		return "", nil
	case "Bearer", "DPoP":
		return tokenKindAccess, nil
	case "Refresh", "Offline":
		return tokenKindRefresh, nil
	case "Logout":
		return tokenKindLogout, nil
	}
	return tokenKindOther, nil
}

func tokenUseCode(value any) (string, error) {
	if value == "id" {
		return "", nil
	}
	return tokenKindUse, nil
}

func idtypCode(value any) (string, error) {
	text, ok := value.(string)
	if !ok {
		return "", newError(claimType, "idtyp is not a string")
	}
	if text == "app" {
		return tokenKindAppOnly, nil
	}
	return "", nil
}
