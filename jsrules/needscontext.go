package jsrules

import (
	"slices"
	"strings"

	"github.com/dop251/goja/ast"
	"github.com/seed055b7978/delegation/jsrules/internal/scope"
)

// ofProfile are properties of the user that were in Auth0's profile and are in no ID token by
// themselves.
var ofProfile = map[string]bool{
	"app_metadata":              true,
	"blocked":                   true,
	"created_at":                true,
	"last_ip":                   true,
	"last_login":                true,
	"last_password_reset":       true,
	"logins_count":              true,
	"multifactor":               true,
	"multifactor_last_modified": true,
	"user_metadata":             true,
	"enrolledFactors":           true,
	"guardian_authenticators":   true,
	"guardian_enrollments":      true,
}

// signUp is the effect of what a rule does at a user's first sign-in.
const signUp = "sign-up"

const (
	profileRemedy = "load it with Config.Profile, or let the issuer add it to the token"
	// identityRemedy says what user.identities depends on.
	identityRemedy = "a token tells provider and user_id of the first identity: Config.Profile " +
		"loads the others"
)

// lookAtUser looks at a property of the user.
func (f *finder) lookAtUser(u *scope.Use) {
	if len(u.Path) == 0 {
		return
	}
	first := u.Path[0]
	switch {
	case u.Kind == scope.Write && len(u.Path) == 1:
		if strings.HasPrefix(folded(first.Name), "awsrole") {
			f.saml(u, "user."+first.Name)
		}
	case u.Kind == scope.Delete || u.Set:
	case first.Name == "identities":
		f.lookAtIdentity(u)
	case ofProfile[first.Name]:
		f.add(first.At, NeedUser, first.Name, false, profileRemedy)
	}
}

// lookAtIdentity looks at user.identities.
func (f *finder) lookAtIdentity(u *scope.Use) {
	f.add(u.Path[0].At, NeedUser, "identities", true, identityRemedy)
	if len(u.Path) < 3 {
		return
	}
	if name := u.Path[2].Name; name == "access_token" || name == "profileData" {
		f.add(u.Path[2].At, NeedUser, "identities."+name, false, profileRemedy)
	}
}

// saml notes a setting of the SAML add-on.
func (f *finder) saml(u *scope.Use, name string) {
	property := ""
	if u.Root == "context" && len(u.Path) > 1 {
		property = u.Path[1].Name
	}
	switch {
	case f.options.SAMLConfiguration == "":
		f.add(u.At, NeedSAMLConfiguration, name, false, "set Options.SAMLConfiguration if the "+
			"rule is to decide here; otherwise it has no effect")
	case property != "" && !isSAMLProperty(property):
		f.add(u.At, NeedSAMLConfiguration, name, false, "an exchange fails if it is set: it has "+
			"no meaning for AWS")
	default:
		f.add(u.At, NeedSAMLConfiguration, name, true, "")
	}
}

// lookAtContext looks at a property of context.
func (f *finder) lookAtContext(u *scope.Use) {
	if len(u.Path) == 0 {
		return
	}
	if u.Kind == scope.Write {
		f.lookAtEffect(u)
		return
	}
	if u.Kind == scope.Delete && len(u.Path) == 1 || u.Set {
		return
	}
	name, at := ofContextPath(u.Path)
	if name == "" {
		return
	}
	if name == "stats" && len(u.Path) > 1 && u.Path[1].Name == "loginsCount" {
		f.add(at.At, NeedEffect, signUp, false,
			"an exchange is not a sign-in, and never the first: what the rule does then is not done")
	}
	available, remedy := f.options.supplies(name)
	f.add(at.At, NeedContext, name, available, remedy)
}

// ofContextPath returns the name of a property of context as in [Need], with the step that leads to
// it. It returns "" for one that only rules set.
func ofContextPath(path []scope.Step) (name string, at scope.Step) {
	first := path[0]
	switch {
	case missing[first.Name], first.Name == "isDelegation", first.Name == "addonConfiguration":
		return first.Name, first
	case len(path) == 1:
		return "", first
	}
	second := path[1]
	switch {
	case first.Name == "request" && (missingOfRequest[second.Name] ||
		second.Name == "body" || second.Name == "query"):
		return "request." + second.Name, second
	case first.Name == "clientMetadata" && second.Name == "":
		return first.Name, second
	case first.Name == "clientMetadata" && !ofEveryObject(second.Name):
		return "clientMetadata." + second.Name, second
	}
	return "", first
}

// ofExchangeOnly says of properties of context that the exchange supplies what that depends on.
var ofExchangeOnly = map[string]string{
	"isDelegation":       "",
	"addonConfiguration": "",
	"clientID":           "",
	"protocol":           "",
	"request.body":       "",
	"request.query":      "",
	"request.hostname":   requestRemedy,
	"request.ip":         requestRemedy,
	"request.userAgent":  requestRemedy,
	"connection":         connectionRemedy,
	"connectionStrategy": connectionRemedy,
}

const (
	requestRemedy    = "it comes with delegation.WithRequest, which the HTTP handlers use"
	connectionRemedy = "it comes with identities of the user, or with a sub like provider|id"
	contextRemedy    = "supply it in Options.Context, or list it in Options.Absent"
)

// supplies reports whether a run finds a property of context, and what to do or what that depends
// on.
func (o *Options) supplies(name string) (available bool, remedy string) {
	depends, ofExchange := ofExchangeOnly[name]
	whole, _, _ := strings.Cut(name, ".")
	metadata := whole == "clientMetadata"
	switch {
	case slices.Contains(o.Absent, name), metadata && slices.Contains(o.Absent, whole):
		return true, ""
	case name == "tenant" && o.Domain != "":
		return true, ""
	case ofExchange:
		return true, depends
	case o.Context != nil && o.ContextNames == nil:
		return true, "it depends on Options.Context"
	case o.Context != nil && (o.names(name) || o.names(whole)):
		return true, ""
	case name == "tenant":
		return false, "set Options.Domain"
	case metadata:
		return false, "supply clientMetadata in Options.Context, or list it in Options.Absent"
	}
	return false, contextRemedy
}

// names reports whether Options.Context supplies a property in every exchange.
func (o *Options) names(property string) bool {
	return slices.Contains(o.ContextNames, property)
}

// lookAtEffect looks at a property of context that is written.
func (f *finder) lookAtEffect(u *scope.Use) {
	name := u.Path[0].Name
	at := u.Path[0].At
	switch name {
	case "samlConfiguration":
		f.saml(u, strings.TrimSuffix(strings.Join(u.Names(), "."), "."))
	case "idToken", "accessToken", "jwtConfiguration":
		if !isDefault(u.Value) {
			f.add(at, NeedEffect, name, false, "no token is issued here: nothing needs to be done")
		}
	case "redirect":
		if !isFalsy(u.Value) {
			f.add(at, NeedEffect, name, f.options.IgnoreRedirect, f.detourRemedy(redirect))
		}
	case "multifactor":
		if !isFalsy(u.Value) {
			f.add(at, NeedEffect, name, f.options.IgnoreMultifactor, f.detourRemedy(multifactor))
		}
	}
}

// detourRemedy is what to do about a rule that sets a detour.
func (f *finder) detourRemedy(d *detour) string {
	if d.ignore(f.options) {
		return "it has no effect here, as the options say"
	}
	return "ask for it only if context.isDelegation is false, or set Options." + d.option
}

// isFalsy reports whether an expression is one of the values that set no detour.
func isFalsy(expression ast.Expression) bool {
	switch e := expression.(type) {
	case *ast.NullLiteral:
		return true
	case *ast.BooleanLiteral:
		return !e.Value
	case *ast.Identifier:
		return e.Name == "undefined"
	}
	return false
}

// isDefault reports whether an expression only makes sure that an object exists, as in x || {}.
func isDefault(expression ast.Expression) bool {
	e, ok := expression.(*ast.BinaryExpression)
	if !ok {
		return false
	}
	object, ok := e.Right.(*ast.ObjectLiteral)
	return ok && len(object.Value) == 0
}
