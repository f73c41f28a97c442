package idtoken

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
	"time"
)

// decidingClaims decide about a token, here or at other readers of it. Their look-alikes are
// refused: a reader that folds case would read sub from "SUB" or "ſub". All names are compared
// exactly, so other claims may have any name: AD FS lets its operators choose Email and Name.
var decidingClaims = namesOf(
	"iss", "sub", "aud", "azp", "exp", "nbf", "iat", "jti",
	"appid", "cid", "client_id", // see clientOf
	"typ", "token_use", "idtyp", "appidacr", "azpacr", "scp", "cnf", "events", // see marks
	"act", "tid",
)

// Claims are those of a token that passed every check. The caller owns them.
type Claims struct {
	// Issuer is the name space of the subject. It is the configured issuer's URL, even if iss is an
	// alias of it. If the issuer has tenants, it is the tenant's URL.
	Issuer string
	// Entry is the URL of the issuer as it is configured, which is a template's text if the issuer
	// has tenants.
	Entry    string
	Subject  string
	Client   string // the application that the token was issued to, see clientOf
	Kind     Kind
	Scopes   []string // of an access token
	AppOnly  bool     // an access token that no user has asked for; see VerifyActor
	Audience []string // at least one
	IssuedAt time.Time
	Expiry   time.Time
	All      map[string]any // as [document.Object] decodes them
	// KeyID and Algorithm are those of the header, cut to 80 characters.
	KeyID, Algorithm string
}

// checkClaims checks the registered claims (OpenID Connect Core §2 and §3.1.3.7) of a token with a
// good signature. clients are the audiences that may be the client where several are given.
func checkClaims(
	iss string, all map[string]any, clients []string, now time.Time, leeway time.Duration,
) (*Claims, error) {
	c := &Claims{Issuer: iss, Kind: IDToken, All: all}
	var err error
	if c.Subject, err = stringClaim(all, "sub"); err != nil {
		return nil, err
	}
	if c.Audience, err = audienceClaim(all["aud"]); err != nil {
		return nil, err
	}
	if c.Client, err = clientOf(all, c.Audience, clients); err != nil {
		return nil, err
	}
	if err := c.readDates(now, leeway); err != nil {
		return nil, err
	}
	return c, nil
}

// readDates reads the dates, and checks them by the clock.
func (c *Claims) readDates(now time.Time, leeway time.Duration) error {
	exp, err := numericDate(c.All, "exp")
	if err != nil {
		return err
	}
	iat, err := numericDate(c.All, "iat")
	if err != nil {
		return err
	}
	nbf, err := numericDate(c.All, "nbf")
	if err != nil {
		return err
	}
	c.IssuedAt = iat
	c.Expiry = exp
	if err := checkExpiry(exp, now, leeway); err != nil {
		return err
	}
	// This comes before the checks for dates in the future, because waiting does not help such a
	// token.
	if err := checkOrder("iat", iat, exp); err != nil {
		return err
	}
	if err := checkOrder("nbf", nbf, exp); err != nil {
		return err
	}
	if err := checkBegun("iat", iat, now, leeway); err != nil {
		return err
	}
	return checkBegun("nbf", nbf, now, leeway)
}

// checkExpiry refuses a token that has expired.
func checkExpiry(exp, now time.Time, leeway time.Duration) error {
	if now.Before(exp.Add(leeway)) {
		return nil
	}
	return newError(tokenExpired, "the token expired at %s, %s ago",
		stamp(exp), now.Sub(exp).Round(time.Second))
}

// checkOrder refuses a token whose iat or nbf is after its exp.
func checkOrder(name string, date, exp time.Time) error {
	if !date.After(exp) {
		return nil
	}
	return newError(claimDateOrder, "%s is %s, after exp, which is %s",
		name, stamp(date), stamp(exp))
}

// checkBegun refuses a token whose iat or nbf is in the future.
func checkBegun(name string, date, now time.Time, leeway time.Duration) error {
	if !date.After(now.Add(leeway)) {
		return nil
	}
	ahead := date.Sub(now).Round(time.Second)
	if name == "iat" {
		return newError(tokenFromFuture, "the token was issued at %s, which is %s ahead",
			stamp(date), ahead)
	}
	return newError(tokenNotYetValid, "the token is valid from %s, which is %s ahead",
		stamp(date), ahead)
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func stringClaim(all map[string]any, name string) (string, error) {
	value, ok := all[name]
	if !ok || value == "" || value == nil {
		return "", newError(claimMissing, "the token has no %s", name)
	}
	s, ok := value.(string)
	if !ok {
		return "", newError(claimType, "%s is not a string", name)
	}
	return s, nil
}

// audienceClaim reads aud: a string or an array of strings, none empty (RFC 7519 §4.1.3).
// Duplicates are left out.
func audienceClaim(value any) ([]string, error) {
	if s, ok := value.(string); ok && s != "" {
		return []string{s}, nil
	}
	list, ok := value.([]any)
	if !ok && value != nil {
		list = []any{value}
	}
	if len(list) == 0 {
		return nil, newError(claimMissing, "the token has no aud")
	}
	var audience []string
	for _, entry := range list {
		s, ok := entry.(string)
		if !ok {
			return nil, newError(claimType, "aud is neither a string nor an array of strings")
		}
		if s == "" {
			return nil, newError(claimMissing, "aud has an empty entry")
		}
		if !slices.Contains(audience, s) {
			audience = append(audience, s)
		}
	}
	return audience, nil
}

// numericDate reads a NumericDate (RFC 7519 §2): seconds since 1970 as a JSON number, perhaps with
// a fraction. Only nbf may be absent, or null, which some signers write for what they do not set.
func numericDate(all map[string]any, name string) (time.Time, error) {
	value, ok := all[name]
	if value == nil && name == "nbf" {
		return time.Time{}, nil
	}
	if !ok {
		return time.Time{}, newError(claimMissing, "the token has no %s", name)
	}
	if value == nil {
		return time.Time{}, newError(claimDate, "%s %w", name, errNotDate)
	}
	date, err := Date(value)
	if err != nil {
		return time.Time{}, newError(claimDate, "%s %w", name, err)
	}
	return date, nil
}

var (
	errNoDate  = errors.New("is missing")
	errNotDate = errors.New("is not a number of seconds since 1970")
)

// Date reads the value of a claim that is a NumericDate, as the decoder returns it. The error
// continues the claim's name. A nil value is a missing claim.
func Date(value any) (time.Time, error) {
	if value == nil {
		return time.Time{}, errNoDate
	}
	n, ok := value.(json.Number)
	seconds, err := n.Float64()
	// The year 9999 is the last that RFC 3339 can write.
	if !ok || err != nil || seconds < 0 || seconds > 253402300799 {
		return time.Time{}, errNotDate
	}
	whole, fraction := math.Modf(seconds)
	return time.Unix(int64(whole), int64(fraction*1e9)), nil
}
