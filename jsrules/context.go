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

// outputs are objects in context that rules write into. Rules do not check that they exist, so they
// exist and are empty. Only later rules read them.
var outputs = properties{
	"samlConfiguration": map[string]any{},
	"accessToken":       map[string]any{},
	"idToken":           map[string]any{},
	"jwtConfiguration":  map[string]any{},
}

// missing are the properties of Auth0's context that may be unknown in an exchange. Undefined
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

// missingOfRequest are such properties of context.request.
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
	names = append(names, missableOfEvent()...)
	slices.Sort(names)
	return names
}

func canBeAbsent(name string) bool { return slices.Contains(missable(), name) }

// missingError is about a property that a rule reads and nothing supplies. The rule must not be
// able to catch this error, so it leaves the rule as a Go panic.
type missingError struct {
	path  string
	where []goja.StackFrame
}

func (e *missingError) Error() string {
	path := e.path
	if !strings.HasPrefix(path, "event.") {
		path = "context." + path
	}
	const unsupplied = "%s is read, and neither the token nor the configuration supplies it"
	return fmt.Sprintf(unsupplied, path)
}

func (e *missingError) Unwrap() error { return delegation.CodeRuleContextMissing }

// lacks notes the first property that the rule asked for and nothing supplies.
func (r *run) lacks(path string) *missingError {
	if r.missing == nil {
		r.missing = &missingError{path, r.rt.CaptureCallStack(0, nil)}
	}
	return r.missing
}

// partly tells which properties of an object may be unknown.
type partly uint8

const (
	all        partly = iota // everything is known
	ofContext                // those in [missing]
	ofRequest                // those in [missingOfRequest]
	ofMetadata               // every property
	// Those of the parts of event.
	ofEvent
	ofClient
	ofClientMetadata
	ofConnection
	ofEventRequest
	ofSecrets
	ofTenant
	ofTransaction
)

// missingPath returns the path of a property that nothing supplies and whose absence is not
// permitted. It returns "" for any other property.
func (r *run) missingPath(object partly, name string) string {
	path := ""
	switch {
	case object >= ofEvent:
		return r.missingOfPart(object, name)
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

// contextObject makes context. Properties come from earlier rules of the exchange and from
// Options.Context, then from the exchange, then from [outputs].
func (r *run) contextObject(rc *delegation.RuleContext) *object {
	r.parts.exchange = ofExchange{r, rc}
	made := &r.parts.context
	r.make(made, properties(r.shared.context), &r.parts.exchange, outputs)
	made.missing = ofContext
	return made
}

// guarded makes the objects in context that are known in part only: request, and clientMetadata
// unless the configuration supplies it. Reading an unknown property of them fails the exchange.
// For every other name guarded returns nil.
func (r *run) guarded(name string, value any) goja.Value {
	if r.shared.whole[name] {
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

// ofEveryObject reports whether the language itself asks every object for a property. Such are the
// methods of every object, toJSON for JSON.stringify, and then for await.
func ofEveryObject(name string) bool {
	switch name {
	case "constructor", "toString", "toLocaleString", "valueOf", "hasOwnProperty",
		"isPrototypeOf", "propertyIsEnumerable", "toJSON", "then":
		return true
	}
	return strings.HasPrefix(name, "__")
}

// noteWhole notes which guarded objects a rule has replaced by its own. A rule that makes such an
// object knows all of its properties.
func (r *run) noteWhole(given *goja.Object) {
	for _, name := range []string{"request", "clientMetadata"} {
		value, looked := r.context.values.get(name)
		if given.SameAs(r.context.js) && !looked {
			continue
		}
		if !given.SameAs(r.context.js) {
			value = given.Get(name)
		}
		object, isObject := value.(*goja.Object)
		if isObject && !object.SameAs(r.guards[name]) {
			r.shared.know(name)
		}
	}
}

// know notes that every property of an object in context is known.
func (s *shared) know(name string) {
	if s.whole == nil {
		s.whole = map[string]bool{}
	}
	s.whole[name] = true
}

// ofExchange is the layer of the properties of context that the exchange itself determines.
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
		return known(e.run.person.Text("identities.0.provider"))
	case "isDelegation":
		return true, true
	case "request":
		return requestOf(&e.rc.Request), true
	case "clientMetadata":
		return map[string]any{}, true
	case "addonConfiguration":
		return later(e.addon), true
	}
	value, ok := e.newer()[name]
	return value, ok
}

// newer are properties that Auth0's context does not have. They exist only where there is something
// to say, so that nothing changes for rules that do not know them.
func (e *ofExchange) newer() map[string]any {
	if e.rc.Actor == nil && e.rc.TokenKind != delegation.TokenKindAccess {
		return nil
	}
	made := map[string]any{}
	if e.rc.TokenKind == delegation.TokenKindAccess {
		scopes := make([]any, len(e.rc.Scopes))
		for i, scope := range e.rc.Scopes {
			scopes[i] = scope
		}
		made["tokenKind"] = string(e.rc.TokenKind)
		made["scopes"] = scopes
	}
	if actor := e.rc.Actor; actor != nil {
		made["actor"] = map[string]any{
			"issuer":   actor.Issuer,
			"subject":  actor.Subject,
			"clientID": actor.ClientID,
			"claims":   actor.Claims,
		}
	}
	return made
}

func (e *ofExchange) names() iter.Seq[string] {
	return slices.Values(slices.Concat([]string{
		"tenant", "clientID", "protocol", "connection", "connectionStrategy", "isDelegation",
		"request", "clientMetadata", "addonConfiguration",
	}, slices.Sorted(maps.Keys(e.newer()))))
}

// known returns a property, which exists if it is not empty.
func known(text string) (any, bool) { return text, text != "" }

// requestOf returns what is known of the request. A service that knows its caller's address also
// knows whether the caller has sent a user agent.
func requestOf(request *delegation.Request) map[string]any {
	body := request.Parameters
	if body == nil {
		body = map[string]any{}
	}
	made := map[string]any{"query": map[string]any{}, "body": body}
	for name, text := range map[string]string{
		"ip":        request.IP,
		"hostname":  request.Hostname,
		"userAgent": request.UserAgent,

		// Auth0 had none of these. They are there if a caller asks for something.
		"endpoint":    request.Endpoint,
		"role":        request.Role,
		"sessionName": request.SessionName,
	} {
		if text != "" {
			made[name] = text
		}
	}
	if len(request.Scopes) > 0 {
		made["scopes"] = plain(request.Scopes, "scopes")
	}
	if request.SessionDuration != 0 {
		made["sessionDuration"] = request.SessionDuration.Seconds()
	}
	if request.IP != "" {
		made["userAgent"] = request.UserAgent
	}
	return made
}

// contextGiven calls Options.Context, once in an exchange. It drops addonConfiguration, because the
// target is the only source of the settings for AWS.
func (r *run) contextGiven(
	ctx context.Context, user *delegation.User, rc *delegation.RuleContext,
) (map[string]any, error) {
	if r.options.Context == nil {
		return nil, nil
	}
	given := map[string]any{}
	supplied, err := r.options.Context(ctx, user, rc)
	if err != nil {
		return nil, err
	}
	maps.Copy(given, supplied)
	delete(given, "addonConfiguration")
	if err := r.samlGiven(given, user, rc); err != nil {
		return nil, err
	}
	if _, has := given["clientMetadata"]; has {
		r.shared.know("clientMetadata")
	}
	if request, has := given["request"]; has {
		err = r.try(func() { given["request"] = mergedRequest(&rc.Request, request) })
	}
	return given, err
}

// mergedRequest adds the properties that the configuration supplies to those of the request.
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
