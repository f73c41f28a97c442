package sharedissuer

// StatesAlone reports whether only the token of an issuer can state a claim about a user: which
// organisation, tenant or owner the user belongs to at an issuer that strangers share, and whether
// Entra has verified the address. If the token lacks such a claim, nothing else may supply it, such
// as a profile: rules trust the claim as the issuer's own.
func StatesAlone(issuer, claim string) bool {
	if shared, ok := Find(issuer); ok && claim == shared.Claim {
		return true
	}
	return IsEntra(issuer) && (claim == entra.Claim || claim == "xms_edov")
}
