package delegation

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/seed055b7978/delegation/internal/guard"
	"github.com/seed055b7978/delegation/internal/idtoken"
	"github.com/seed055b7978/delegation/internal/jsonvalue"
)

// TokenVerdict says whether a field of a token agrees with the configuration.
type TokenVerdict string

// The verdicts of a [TokenField].
const (
	// TokenFieldSame is a field that is as the configuration wants it.
	TokenFieldSame = TokenVerdict(idtoken.Same)
	// TokenFieldDiffers is a field that is not.
	TokenFieldDiffers = TokenVerdict(idtoken.Differs)
	// TokenFieldMissing is a field that the configuration wants and the token does not have.
	TokenFieldMissing = TokenVerdict(idtoken.Missing)
	// TokenFieldNotChecked is a field about which nothing can be said, or that nothing requires.
	TokenFieldNotChecked = TokenVerdict(idtoken.NotChecked)
)

// TokenField compares one field of a token with the configuration. Its texts are short and safe to
// print. They repeat only fields that the decision depends on, quoted in ASCII and shortened: the
// algorithm, the key ID, the issuer, the tenant, the audience, the client, the kind, the scopes of
// an access token and the dates.
type TokenField struct {
	// Name is the field: a claim, such as iss; a header, such as header alg; or one of form,
	// signature, client, kind, target and other claims.
	Name string
	// Token is the value in the token, which is not verified.
	Token string
	// Configuration is the configured value, or what every ID token must have.
	Configuration string
	// Verdict is the result of the comparison.
	Verdict TokenVerdict
	// Reason says what is wrong, or why the field was not checked. Otherwise it is empty.
	Reason string
}

// maxOthers is how many names of other claims are listed, and maxName how long one can be.
const (
	maxOthers = 30
	maxName   = 80
)

// CompareToken compares a token with the configuration, field by field, to find out why it was
// refused at the token stage. Each field is judged separately, including those that an exchange
// would not reach. The result is for the operator only.
//
// It accepts nothing. Only [Delegator.Exchange] and [Delegator.Explain] decide whether a token is
// accepted: a token can be refused even if all fields agree, for example because it was used
// before. CompareToken calls the target source and makes no other calls. It knows only the issuer's
// keys that are in memory, so call it after Explain.
//
// The fields contain no part of the encoded token and no signature. Claims that decide nothing,
// such as sub and email, are shown by name only. With a nil context, or a Delegator that [New] did
// not make, the result is empty.
func (d *Delegator) CompareToken(ctx context.Context, idToken, target string) []TokenField {
	if ctx == nil || d == nil || d.config.Targets == nil {
		return nil
	}
	c := &tokenComparison{Delegator: d, Comparison: d.tokens.Compare(idToken)}
	c.compareTarget(ctx, target)
	c.compareRequired()
	c.compareEmail()
	c.listOthers()
	return c.fields()
}

// tokenComparison is a comparison that is being completed with what the verifier does not know.
type tokenComparison struct {
	*Delegator
	*idtoken.Comparison
	targetName string
	target     *Target // nil: not found
}

func (c *tokenComparison) add(f idtoken.Field) { c.Fields = append(c.Fields, &f) }

// compareTarget finds the target, and compares what it takes.
func (c *tokenComparison) compareTarget(ctx context.Context, name string) {
	target, err := guard.Value(func() (*Target, error) {
		return c.config.Targets.Target(ctx, name)
	})
	if err != nil || target == nil {
		field := idtoken.Field{Name: "target", Token: "not in the token"}
		field.Want = "no target " + idtoken.Quote(name, maxName)
		field.Verdict = idtoken.Missing
		field.Why = "there is no such target"
		if err != nil {
			field.Want = "the target " + idtoken.Quote(name, maxName)
			field.Verdict = idtoken.NotChecked
			field.Why = "the target source failed"
		}
		c.add(field)
		return
	}
	c.target = target.clone()
	c.targetName = name
	c.compareTargetIssuer()
	c.compareTargetAudience()
}

// good returns a field if the verifier found nothing wrong with it.
func (c *tokenComparison) good(name string) *idtoken.Field {
	i := slices.IndexFunc(c.Fields, func(f *idtoken.Field) bool { return f.Name == name })
	if i < 0 || c.Fields[i].Verdict != idtoken.Same {
		return nil
	}
	return c.Fields[i]
}

func (c *tokenComparison) compareTargetIssuer() {
	field := c.good("iss")
	claims := &idtoken.Claims{Issuer: c.Issuer, Entry: c.Entry}
	if field != nil && !c.target.takesTokensOf(claims, len(c.config.Issuers) == 1) {
		field.Verdict = idtoken.Differs
		field.Why = "the issuer is not in Target.Issuers"
	}
}

// compareTargetAudience compares aud and the client with the applications that may call the target.
func (c *tokenComparison) compareTargetAudience() {
	audiences := c.target.audiencesFor(c.targetName)
	clients := slices.Concat(audiences, c.target.AuthorizedParties)
	if c.AccessToken {
		c.compareAccessAudience()
	} else if field := c.good("aud"); field != nil {
		field.Want = idtoken.OneOf(audiences, maxName)
		ours := func(audience string) bool { return slices.Contains(audiences, audience) }
		if !slices.ContainsFunc(c.Audience, ours) {
			field.Verdict = idtoken.Differs
			field.Why = "no audience is in Target.Audiences (by default, the target's ID)"
		}
	}
	if field := c.good("client"); field != nil {
		field.Want = idtoken.OneOf(clients, maxName)
		if !slices.Contains(clients, c.Client) {
			field.Verdict = idtoken.Differs
			field.Why = "the client is neither in Target.Audiences nor in Target.AuthorizedParties"
		}
	}
}

// compareAccessAudience compares aud of an access token with the APIs of the target.
func (c *tokenComparison) compareAccessAudience() {
	field := c.good("aud")
	if field == nil {
		return
	}
	issuer := c.config.issuerOf(&idtoken.Claims{Entry: c.Entry})
	audiences := c.target.accessAudiencesFor(issuer)
	field.Want = idtoken.OneOf(audiences, maxName)
	if len(audiences) == 0 {
		field.Want = "none: the issuer has several, and the target lists none"
	}
	ours := func(audience string) bool { return slices.Contains(audiences, audience) }
	if !slices.ContainsFunc(c.Audience, ours) {
		field.Verdict = idtoken.Differs
		field.Why = "no audience is in Target.AccessAudiences (by default, the issuer's only " +
			"audience of access tokens)"
	}
}

// compareRequired compares the claims that issuer and target require.
func (c *tokenComparison) compareRequired() {
	if c.Claims == nil {
		return
	}
	required := c.issuerClaims[c.Entry]
	if c.target != nil {
		// What a target requires can be wrong if it is from a database. Explain then says so.
		ofTarget, err := compileClaims(c.target.RequiredClaims, "target")
		if err == nil {
			required = slices.Concat(required, ofTarget)
		}
	}
	for i := range required {
		c.add(required[i].field(c.Claims))
		c.drop(required[i].name)
	}
}

// field compares a required claim, of which it shows no value.
func (r *requiredClaim) field(claims map[string]any) idtoken.Field {
	check := r.compare(claims)
	field := idtoken.Field{
		Name:    fmt.Sprintf("%s, required by the %s", r.name, r.of),
		Token:   "a value, not shown",
		Want:    idtoken.OneOf(r.texts, maxName),
		Verdict: idtoken.Same,
	}
	name, folded := jsonvalue.Lookalike(claims, r.name)
	switch {
	case folded:
		field.Verdict = idtoken.Differs
		field.Why = "the claim " + idtoken.Quote(name, maxName) + " differs from it only by case"
	case len(check.Values) == 0:
		field.Token = "absent, or no text"
		field.Verdict = idtoken.Missing
		field.Why = "the token does not have it as text"
	case !check.Met:
		field.Verdict = idtoken.Differs
		field.Why = "no pattern matches the value"
	}
	return field
}

// compareEmail compares email_verified, if a ready-made rule refuses users without it.
func (c *tokenComparison) compareEmail() {
	if c.Claims == nil || c.target == nil || !c.wantsEmail() {
		return
	}
	c.drop("email_verified")
	field := idtoken.Field{
		Name:    "email_verified",
		Token:   "absent",
		Want:    "true, and an email: a rule requires it",
		Verdict: idtoken.Same,
	}
	switch mark := c.Claims["email_verified"].(type) {
	case nil:
	case bool:
		field.Token = fmt.Sprint(mark)
	default:
		field.Token = "neither true nor false"
	}
	user := &User{Properties: jsonvalue.Clone(c.Claims).(map[string]any)}
	if issuer := c.config.issuerOf(&idtoken.Claims{Entry: c.Entry}); issuer != nil {
		issuer.markEmail(user)
	}
	switch {
	case verifiedEmail(user) != "":
	case c.config.Profile != nil && user.Properties["email"] == nil &&
		user.Properties["email_verified"] == nil:
		field.Verdict = idtoken.NotChecked
		field.Why = "Config.Profile may supply it"
	case user.Properties["email_verified"] == nil:
		field.Verdict = idtoken.Missing
		field.Why = "the token does not have it"
	default:
		field.Verdict = idtoken.Differs
		field.Why = "the token has no address that counts as verified"
	}
	c.add(field)
}

// wantsEmail tells whether a ready-made rule requires a verified address for the target.
func (c *tokenComparison) wantsEmail() bool {
	return slices.ContainsFunc(c.config.Rules, func(rule RuleFunc) bool {
		r := readyMadeOf(rule)
		return r != nil && r.wantsEmail != nil && r.wantsEmail(c.target.idFor(c.targetName))
	})
}

// drop takes a claim that has a field of its own off the other claims.
func (c *tokenComparison) drop(name string) {
	c.Others = slices.DeleteFunc(c.Others, func(other string) bool { return other == name })
}

// listOthers lists the names of the claims that no other field is about.
func (c *tokenComparison) listOthers() {
	if len(c.Others) == 0 {
		return
	}
	var names []string
	for _, name := range c.Others[:min(len(c.Others), maxOthers)] {
		names = append(names, idtoken.Quote(name, maxName))
	}
	if more := len(c.Others) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	c.add(idtoken.Field{
		Name:    "other claims",
		Token:   strings.Join(names, ", "),
		Want:    "nothing",
		Verdict: idtoken.NotChecked,
		Why:     "no check of the token requires them; their values are not shown",
	})
}

func (c *tokenComparison) fields() []TokenField {
	fields := make([]TokenField, len(c.Fields))
	for i, f := range c.Fields {
		fields[i] = TokenField{
			Name:          f.Name,
			Token:         f.Token,
			Configuration: f.Want,
			Verdict:       TokenVerdict(f.Verdict),
			Reason:        f.Why,
		}
	}
	return fields
}
