package delegation

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/seed055b7978/delegation/internal/iam"
	"github.com/seed055b7978/delegation/internal/jsonvalue"
)

const (
	// maxRoles is how many roles a target offers to one user. Rules run for each of them when they
	// are listed.
	maxRoles = 500
	// maxEventRole is how many characters of the role that a caller asked for are in an Event. The
	// ARN of a role with the longest path fits (IAM API Reference, Role).
	maxEventRole = 640
)

// RoleChoice is a role that users of a target may choose.
type RoleChoice struct {
	// Role is the ARN of the role.
	Role string
	// Principal is the ARN of the SAML provider, in the role's account. Empty: that of
	// RolesFromClaim.Principal, or Target.Principal if it is of the role's account.
	Principal string
	// Label names the role for people. Empty: the role's name without its path.
	Label string
	// Account names the role's account for people. Empty: the name in RolesFromClaim.Accounts, if
	// there is one.
	Account string
}

// RoleOption is a role that a user may choose; see [Delegator.Roles].
type RoleOption struct {
	// Role is the ARN of the role, as [WithRole] takes it.
	Role string
	// Principal is the ARN of the SAML provider, for the operator.
	Principal string
	// Label names the role for people. It is never empty.
	Label string
	// AccountID is the ID of the role's account.
	AccountID string
	// Account names the account for people. Empty: it has no name.
	Account string
	// Why says why the role is offered to this user: "the target's list", "the target's role", the
	// rule that chose it, or the entry of the claim.
	Why string
	// Default says that an exchange without [WithRole] returns this role.
	Default bool
}

// WithRole requests a role by its ARN. The credentials are for this role, or there are none: if a
// rule or a mapping chooses another role, the exchange is refused with [CodeRoleDiffers]. Empty: no
// role is requested.
//
// If the target has Roles or RolesFromClaim, a role that it does not offer to the user is refused
// with [CodeRoleNotOffered] before the rules run. Without WithRole, the exchange uses Target.Role
// if it is offered, or the only role that is offered. If there are several, the exchange is refused
// with [CodeRoleRequired]. Rules and mappings can refuse the role but not choose another one: that
// is refused with CodeRoleDiffers too.
//
// Any other target has one role for each user: the decided one. Rules read the requested role in
// Request.Role.
func WithRole(arn string) ExchangeOption {
	return func(o *exchangeOptions) { o.ask().role = arn }
}

// Roles lists the roles that the user of the ID token may choose at the target, in the order of the
// configuration or of the claim. An exchange with [WithRole] succeeds for each of them, and for no
// other role. The token, the target, the rules and the decision are checked for each role, as
// [Delegator.Exchange] does. So the rules run once for each offered role, and once without a role.
// The profile loader is called once. AWS is not called, so it may still refuse.
//
// A role that a rule refuses for this user is left out. A role whose exchange fails in another way
// is left out too, and the Logger gets the error. If every role is refused, Roles returns the error
// of the first. A temporary error, such as [CodeRuleTimeout], fails the whole call, so that it
// never shortens the list. If the target offers the user no role, the list is empty and there is no
// error.
//
// For a target without Roles and RolesFromClaim, the list has the one role that is decided. With
// [WithRole], only that role is listed.
//
// Listing does not use up a token, and does not ask a [ReplayStore] whether it was used. The
// [Event] has the outcome listed, and ListedRoles. Errors are those of Exchange, except those of
// the stages saml and sts that need a signature or AWS.
func (d *Delegator) Roles(
	ctx context.Context, idToken, target string, options ...ExchangeOption,
) ([]RoleOption, error) {
	if ctx == nil || d == nil || d.config.Targets == nil {
		return nil, newError(CodeArgumentInvalid,
			"the context is nil, or the Delegator was not made by New")
	}
	x := d.begin(target, options)
	x.listing = true
	x.event.Endpoint = cmp.Or(x.event.Endpoint, "roles")
	listed, err := x.listRoles(ctx, idToken)
	noted := x.event.note()
	for _, option := range listed {
		noted.ListedRoles = append(noted.ListedRoles, option.Role)
	}
	if err := d.report(ctx, &x.record, err); err != nil {
		return nil, err
	}
	return listed, nil
}

// listRoles finds out which of the offered roles the user can get.
func (x *exchange) listRoles(ctx context.Context, idToken string) ([]RoleOption, error) {
	if err := x.identify(ctx, idToken); err != nil {
		return nil, err
	}
	if err := x.requireLiveSession(ctx); err != nil {
		return nil, err
	}
	if !x.target.offersRoles() {
		return x.listDecided(ctx)
	}
	offered, err := x.offeredRoles()
	if err != nil {
		return nil, err
	}
	if x.options.asked().role != "" {
		chosen, err := x.pickRole(offered)
		if err != nil {
			return nil, err
		}
		offered = []RoleOption{*chosen}
	}
	if len(offered) == 0 {
		return []RoleOption{}, nil
	}
	user, err := x.loadUser(ctx)
	if err != nil {
		return nil, err
	}
	return x.listAllowed(ctx, user, offered)
}

// listDecided lists the one role of a target that offers none.
func (x *exchange) listDecided(ctx context.Context) ([]RoleOption, error) {
	user, err := x.loadUser(ctx)
	if err != nil {
		return nil, err
	}
	if err := x.decideFor(ctx, user); err != nil {
		return nil, err
	}
	if _, err := x.rehearse(ctx); err != nil {
		return nil, err
	}
	role := x.decision.lastRole()
	option := RoleOption{
		Role:      role.String(),
		Principal: x.decision.principal.String(),
		Label:     nameOfRole(role),
		AccountID: role.AccountID,
		Why:       "the target's role",
		Default:   x.options.asked().role == "",
	}
	if x.event.Rule != "" {
		option.Why = "the rule " + x.event.Rule
	}
	return []RoleOption{option}, nil
}

// listAllowed leaves out the roles that the user cannot get.
func (x *exchange) listAllowed(
	ctx context.Context, user *User, offered []RoleOption,
) ([]RoleOption, error) {
	defer x.lap(StageRules)
	var allowed []RoleOption
	var first error // the refusal of the first role that was left out
	for i := range offered {
		err := x.tryRole(ctx, user, &offered[i], offered[i].Role)
		if err == nil {
			allowed = append(allowed, offered[i])
			continue
		}
		failure := failureOf(err)
		if ctx.Err() != nil || failure.Retryable {
			return nil, err
		}
		first = orFirst(first, err)
		x.logLeftOut(ctx, offered[i].Role, failure)
	}
	if len(allowed) == 0 {
		return nil, first
	}
	x.markDefault(ctx, user, offered, allowed)
	return allowed, nil
}

func orFirst(first, err error) error {
	if first != nil {
		return first
	}
	return err
}

// logLeftOut tells the operator of a role that is not listed although no rule refused it.
func (x *exchange) logLeftOut(ctx context.Context, role string, failure *Error) {
	if failure.outcome() != OutcomeFailed {
		return
	}
	x.config.Logger.LogAttrs(ctx, slog.LevelWarn, "role left out of a list",
		slog.String("target", x.event.Target),
		slog.String("role", role),
		slog.String("code", string(failure.Code)),
		slog.String("error", failure.Error()),
		slog.String("http_request_id", x.event.HTTPRequestID),
	)
}

// markDefault marks the role that an exchange without WithRole returns, if it returns one.
func (x *exchange) markDefault(
	ctx context.Context, user *User, offered, allowed []RoleOption,
) {
	if x.options.asked().role != "" {
		return
	}
	chosen, err := x.pickRole(offered)
	if err != nil || x.tryRole(ctx, user, chosen, "") != nil {
		return
	}
	for i := range allowed {
		allowed[i].Default = allowed[i].Role == chosen.Role
	}
}

// tryRole decides as an exchange would that asks for a role, and begins with the chosen one. Each
// has a user and a record of its own.
func (x *exchange) tryRole(
	ctx context.Context, user *User, chosen *RoleOption, asked string,
) error {
	own := &exchange{
		Delegator:   x.Delegator,
		record:      x.apart(),
		options:     x.options.askingFor(asked),
		rules:       x.rules,
		targetName:  x.targetName,
		claims:      x.claims,
		actor:       x.actor,
		target:      x.target,
		claimChecks: x.claimChecks,
		revoked:     x.revoked,
		signIn:      x.signIn,
		chosen:      chosen,
	}
	properties, _ := jsonvalue.Clone(user.Properties).(map[string]any)
	if err := own.decideFor(ctx, &User{Properties: properties}); err != nil {
		return err
	}
	_, err := own.rehearse(ctx)
	return err
}

// chooseRole finds the role that the exchange begins with, if the target offers several. It comes
// before the token is used up.
func (x *exchange) chooseRole() error {
	if !x.target.offersRoles() {
		return nil
	}
	defer x.lap(StageTarget)
	offered, err := x.offeredRoles()
	if err != nil {
		return err
	}
	x.chosen, err = x.pickRole(offered)
	return err
}

// offeredRoles are those that the target offers to the user of the token.
func (x *exchange) offeredRoles() ([]RoleOption, error) {
	if x.target.RolesFromClaim == nil {
		return x.target.listed(), nil
	}
	offered, err := x.target.fromClaim(x.claims.All)
	if err != nil {
		return nil, err
	}
	if len(offered) > maxRoles {
		return nil, newError(CodeRolesTooMany,
			"the claim %.80q gives the user %d roles at the target %.80q, and at most %d are "+
				"offered", x.target.RolesFromClaim.Claim, len(offered), x.targetName, maxRoles)
	}
	return offered, nil
}

// pickRole returns the role that was asked for, or else the target's own, or else the only one.
func (x *exchange) pickRole(offered []RoleOption) (*RoleOption, error) {
	asked := x.options.asked().role
	if asked != "" {
		if option := findRole(offered, asked); option != nil {
			return option, nil
		}
		return nil, newError(CodeRoleNotOffered,
			"the target %.80q does not offer the role %.200q to this user: %s",
			x.targetName, asked, x.offeredText(offered))
	}
	if option := findRole(offered, x.target.Role); option != nil {
		return option, nil
	}
	switch len(offered) {
	case 0:
		return nil, newError(CodeRoleNotOffered,
			"the target %.80q offers this user no role: %s", x.targetName, x.offeredText(nil))
	case 1:
		return &offered[0], nil
	}
	return nil, newError(CodeRoleRequired,
		"the target %.80q offers this user %d roles, and none was requested: %s",
		x.targetName, len(offered), x.offeredText(offered))
}

// offeredText says which roles are offered, and by what, for the operator.
func (x *exchange) offeredText(offered []RoleOption) string {
	by := "its list has "
	if from := x.target.RolesFromClaim; from != nil {
		by = fmt.Sprintf("the claim %.80q gives ", from.Claim)
	}
	if len(offered) == 0 {
		return by + "none"
	}
	roles := make([]string, len(offered))
	for i := range offered {
		roles[i] = offered[i].Role
	}
	return by + named(roles)
}

func findRole(offered []RoleOption, role string) *RoleOption {
	i := slices.IndexFunc(offered, func(o RoleOption) bool { return o.Role == role })
	if i < 0 {
		return nil
	}
	return &offered[i]
}

// checkAsked refuses a decision for another role than was asked for or, at a target that offers
// roles, than the exchange began with.
func (x *exchange) checkAsked(d *decision) error {
	wanted := x.options.asked().role
	if wanted == "" && x.chosen != nil {
		wanted = x.chosen.Role
	}
	if wanted == "" {
		return nil
	}
	decided := d.lastRole().String()
	if decided == wanted {
		return nil
	}
	how := "was requested"
	if x.options.asked().role == "" {
		how = "is the default"
	}
	return newError(CodeRoleDiffers,
		"at the target %.80q the role %.200q %s, but the decided role is %s",
		x.targetName, wanted, how, decided)
}

// offersRoles tells whether users choose their role at the target.
func (t *Target) offersRoles() bool { return len(t.Roles) > 0 || t.RolesFromClaim != nil }

// named are the roles that the target's settings name: its own, and those that it offers. A role
// can come twice.
func (t *Target) named(yield func(role string) bool) {
	if t.Role != "" && !yield(t.Role) {
		return
	}
	for i := range t.Roles {
		if !yield(t.Roles[i].Role) {
			return
		}
	}
	if t.RolesFromClaim == nil {
		return
	}
	for i := range t.RolesFromClaim.Names {
		if !yield(t.RolesFromClaim.Names[i].Role) {
			return
		}
	}
}

// listed are the roles of a target with a list.
func (t *Target) listed() []RoleOption {
	options := make([]RoleOption, 0, len(t.Roles))
	for i := range t.Roles {
		role, err := iam.Role.Parse(t.Roles[i].Role) // New and target.compile have checked it
		if err != nil {
			continue
		}
		options = append(options, t.option(&t.Roles[i], role, "the target's list"))
	}
	return options
}

// option is a choice with its defaults filled in. Principal is empty if there is none for the
// role's account.
func (t *Target) option(c *RoleChoice, role arn.ARN, why string) RoleOption {
	option := RoleOption{
		Role:      c.Role,
		Principal: t.principalOf(c, role),
		Label:     c.Label,
		AccountID: role.AccountID,
		Account:   c.Account,
		Why:       why,
	}
	if option.Account == "" && t.RolesFromClaim != nil {
		option.Account = t.RolesFromClaim.Accounts[role.AccountID]
	}
	if option.Label == "" && t.RolesFromClaim != nil {
		option.Label = t.RolesFromClaim.Labels[c.Role]
	}
	if option.Label == "" {
		option.Label = nameOfRole(role)
	}
	return option
}

// principalOf is the SAML provider of a choice.
func (t *Target) principalOf(c *RoleChoice, role arn.ARN) string {
	if c.Principal != "" {
		return c.Principal
	}
	if from := t.RolesFromClaim; from != nil && from.Principal != "" {
		return withAccount(from.Principal, role.AccountID)
	}
	partition, account := placeOf(t.Principal)
	if partition != role.Partition || account != role.AccountID {
		return ""
	}
	return t.Principal
}

// nameOfRole is a role's name without its path.
func nameOfRole(role arn.ARN) string {
	return role.Resource[strings.LastIndexByte(role.Resource, '/')+1:]
}
