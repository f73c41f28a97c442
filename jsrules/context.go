package jsrules

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/dop251/goja"
	"github.com/seed055b7978/delegation"
)

// outputs are objects in context that rules write into. Rules write without a guard, so they are
// there and empty. Nothing here reads them but later rules.
var outputs = properties{
	"samlConfiguration": map[string]any{},
	"accessToken":       map[string]any{},
	"idToken":           map[string]any{},
	"jwtConfiguration":  map[string]any{},
}

// missing are the properties of Auth0's context that an exchange may know nothing about. Undefined
// in their place would let a check such as context.clientName === 'X' pass, so reading one fails
// the exchange, unless it is supplied or [Options].Absent lists it.
var missing = map[string]bool{
	"authentication":     true,
	"authorization":      true,
	"clientID":           true,
	"clientName":         true,
	"connection":         true,
	"connectionID":       true,
	"connectionMetadata": true,
	"connectionOptions":  true,
	"connectionStrategy": true,
	"organization":       true,
	"protocol":           true,
	"riskAssessment":     true,
	"sessionID":          true,
	"sso":                true,
	"stats":              true,
	"tenant":             true,
}

// missingOfRequest are the same of context.request.
var missingOfRequest = map[string]bool{
	"geoip":     true,
	"hostname":  true,
	"ip":        true,
	"userAgent": true,
}

// missable lists the names that [Options].Absent takes.
func missable() []string {
	names := append(slices.Collect(maps.Keys(missing)), "clientMetadata")
	for name := range missingOfRequest {
		names = append(names, "request."+name)
	}
	slices.Sort(names)
	return names
}

func canBeAbsent(name string) bool { return slices.Contains(missable(), name) }

// missingError is about a property that a rule read and nobody supplies. It is an error of the rule
// that its own catch must not see, so it goes past it as a panic of Go.
type missingError struct {
	path  string
	where []goja.StackFrame
}

func (e *missingError) Error() string {
	return fmt.Sprintf("context.%s is read, and neither the token nor the configuration supplies it",
		e.path)
}

func (e *missingError) Unwrap() error { return delegation.CodeRuleContextMissing }

// lacks notes the first property that the rule asked for and nobody supplies.
func (r *run) lacks(path string) *missingError {
	if r.missing == nil {
		r.missing = &missingError{path, r.rt.CaptureCallStack(0, nil)}
	}
	return r.missing
}

// partly says of which properties of an object it may be unknown whether they are there.
type partly uint8

const (
	all        partly = iota // everything is known
	ofContext                // those in [missing]
	ofRequest                // those in [missingOfRequest]
	ofMetadata               // every property
)

// missingPath returns the path of a property that nobody supplies and whose absence is not
// permitted, or "".
func (r *run) missingPath(object partly, name string) string {
	path := ""
	switch {
	case object == ofContext && missing[name]:
		path = name
	case object == ofRequest && missingOfRequest[name]:
		path = "request." + name
	case object == ofMetadata && !ofEveryObject(name):
		return "clientMetadata." + name
	}
	if slices.Contains(r.options.Absent, path) {
		return ""
	}
	return path
}

// contextObject makes context: what earlier rules of the exchange and Options.Context say, then the
// exchange, then what is there to be written into.
func (r *run) contextObject(rc *delegation.RuleContext) *object {
	made := r.object(properties(r.exchange.context), &ofExchange{r, rc}, outputs)
	made.missing = ofContext
	return made
}

// guarded makes the objects in context of which only a part is known: request, and clientMetadata
// unless the configuration supplies it. Reading what is not known of them fails the exchange. It
// returns nil for every other property.
func (r *run) guarded(name string, value any) goja.Value {
	if r.exchange.whole[name] {
		return nil
	}
	known, isObject := value.(map[string]any)
	if !isObject {
		return nil
	}
	made := r.object(properties(known))
	switch {
	case name == "request":
		made.missing = ofRequest
	case name == "clientMetadata" && !slices.Contains(r.options.Absent, name):
		made.missing = ofMetadata
	default:
		return nil
	}
	if r.guards == nil {
		r.guards = map[string]*goja.Object{}
	}
	r.guards[name] = made.js
	r.partial = append(r.partial, made)
	return made.js
}

// ofEveryObject reports whether the language itself asks any object for a property: the methods of every
// object, what JSON.stringify looks for, and what await looks for.
func ofEveryObject(name string) bool {
	switch name {
	case "constructor", "toString", "toLocaleString", "valueOf", "hasOwnProperty",
		"isPrototypeOf", "propertyIsEnumerable", "toJSON", "then":
		return true
	}
	return strings.HasPrefix(name, "__")
}

// noteWhole remembers objects that a rule has put in the place of guarded ones. A rule that makes
// such an object knows all of it.
func (r *run) noteWhole(given *goja.Object) {
	for _, name := range []string{"request", "clientMetadata"} {
		value, looked := r.context.values[name]
		if given.SameAs(r.context.js) && !looked {
			continue
		}
		if !given.SameAs(r.context.js) {
			value = given.Get(name)
		}
		object, isObject := value.(*goja.Object)
		if isObject && !object.SameAs(r.guards[name]) {
			r.exchange.know(name)
		}
	}
}

// know says that everything is known of an object in context.
func (e *exchange) know(name string) {
	if e.whole == nil {
		e.whole = map[string]bool{}
	}
	e.whole[name] = true
}

// ofExchange are the properties of context that the exchange decides.
type ofExchange struct {
	run *run
	rc  *delegation.RuleContext
}

func (e *ofExchange) lookup(name string) (any, bool) {
	switch name {
	case "tenant":
		tenant, _, _ := strings.Cut(e.run.options.Domain, ".")
		return known(tenant)
	case "clientID":
		return known(e.rc.ClientID)
	case "protocol":
		return known(e.rc.Protocol)
	case "connection":
		return known(e.rc.Connection)
	case "connectionStrategy":
		return known(e.run.strategy)
	case "isDelegation":
		return true, true
	case "request":
		return requestOf(&e.rc.Request), true
	case "clientMetadata":
		return map[string]any{}, true
	case "addonConfiguration":
		return later(e.addon), true
	}
	return nil, false
}

func (e *ofExchange) names() iter.Seq[string] {
	return slices.Values([]string{
		"tenant", "clientID", "protocol", "connection", "connectionStrategy", "isDelegation",
		"request", "clientMetadata", "addonConfiguration",
	})
}

// known is a property that is there if it is not empty.
func known(text string) (any, bool) { return text, text != "" }

// requestOf returns what is known of the request. A service that names its caller knows that one
// without a user agent has sent none.
func requestOf(request *delegation.Request) map[string]any {
	body := request.Parameters
	if body == nil {
		body = map[string]any{}
	}
	made := map[string]any{"query": map[string]any{}, "body": body}
	for name, text := range map[string]string{
		"ip": request.IP, "hostname": request.Hostname, "userAgent": request.UserAgent,
	} {
		if text != "" {
			made[name] = text
		}
	}
	if request.IP != "" {
		made["userAgent"] = request.UserAgent
	}
	return made
}

// contextGiven asks Options.Context, once in an exchange. The settings for AWS have one source, the
// target.
func (r *run) contextGiven(
	ctx context.Context, user *delegation.User, rc *delegation.RuleContext,
) (map[string]any, error) {
	given := map[string]any{}
	if r.options.Context == nil {
		return given, nil
	}
	supplied, err := r.options.Context(ctx, user, rc)
	if err != nil {
		return nil, err
	}
	maps.Copy(given, supplied)
	delete(given, "addonConfiguration")
	if _, has := given["clientMetadata"]; has {
		r.exchange.know("clientMetadata")
	}
	if request, has := given["request"]; has {
		err = r.try(func() { given["request"] = mergedRequest(&rc.Request, request) })
	}
	return given, err
}

// mergedRequest adds what the configuration says of the request to what the exchange knows.
func mergedRequest(request *delegation.Request, supplied any) any {
	more, isObject := supplied.(map[string]any)
	if !isObject {
		more, isObject = plain(supplied, "context.request").(map[string]any)
	}
	if !isObject {
		return supplied
	}
	merged := requestOf(request)
	maps.Copy(merged, more)
	return merged
}
