package jsrules

import (
	"iter"
	"slices"
	"strings"

	"github.com/dop251/goja"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/internal/jsonvalue"
)

// apiFunctions are the functions of api in the post-login trigger, by the object that has them
// ("Actions Triggers: post-login - API Object" of Auth0's documentation). Those of samlResponse are
// also made from [samlProperties].
var apiFunctions = map[string][]string{
	"access":      {"deny"},
	"accessToken": {"setCustomClaim", "addScope", "removeScope"},
	"authentication": {
		"challengeWith", "challengeWithAny", "enrollWith", "enrollWithAny", "recordMethod",
		"setPrimaryUser",
	},
	"cache":        {"delete", "get", "set"},
	"groups":       {"getUserGroups", "hasGroupMembership"},
	"idToken":      {"setCustomClaim"},
	"multifactor":  {"enable"},
	"prompt":       {"render"},
	"redirect":     {"canRedirect", "encodeToken", "sendUserTo", "validateToken"},
	"refreshToken": {"revoke", "setExpiresAt", "setIdleExpiresAt", "setMetadata", "deleteMetadata"},
	"rules":        {"wasExecuted"},
	"samlResponse": {
		"setAttribute", "setIssuer", "setRelayState", "setCert", "setKey", "setSigningCert",
		"setEncryptionCert", "setEncryptionPublicKey", "setEncryptionAlgorithm",
	},
	"session": {
		"revoke", "setExpiresAt", "setIdleExpiresAt", "setCookieMode", "setMetadata",
		"deleteMetadata",
	},
	"transaction": {"setMetadata", "setResultUrl", "setResponseMode"},
	"user":        {"setAppMetadata", "setUserMetadata"},
}

// detourFunctions are functions that ask for a further step of the sign-in.
var detourFunctions = map[string]*detour{
	"redirect.sendUserTo":             redirect,
	"prompt.render":                   redirect,
	"multifactor.enable":              multifactor,
	"authentication.challengeWith":    multifactor,
	"authentication.challengeWithAny": multifactor,
	"authentication.enrollWith":       multifactor,
	"authentication.enrollWithAny":    multifactor,
}

// samlSetter returns the property of a samlConfiguration that a function of api.samlResponse sets.
func samlSetter(function string) (property samlProperty, ok bool) {
	for _, p := range samlProperties {
		if p.name != "mappings" && function == "set"+strings.ToUpper(p.name[:1])+p.name[1:] {
			return p, true
		}
	}
	return samlProperty{}, false
}

// hasFunction reports whether an object of api has a function at Auth0.
func hasFunction(object, function string) bool {
	_, sets := samlSetter(function)
	return object == "samlResponse" && sets || slices.Contains(apiFunctions[object], function)
}

// hasEffect reports whether a function of api does here what it does at Auth0.
func hasEffect(object, function string) bool {
	_, sets := samlSetter(function)
	return object == "access" && function == "deny" ||
		object == "samlResponse" && (sets || function == "setAttribute")
}

// apiObject makes api. Its objects and functions are made when the Action reads them.
func (r *run) apiObject() goja.Value {
	api := r.object(&apiLayer{list: sortedKeys(apiFunctions)})
	api.layers[0].(*apiLayer).value = func(object string) goja.Value {
		functions := apiFunctions[object]
		if object == "samlResponse" {
			functions = slices.Clone(functions)
			for _, p := range samlProperties[1:] { // the first one is mappings
				functions = append(functions, "set"+strings.ToUpper(p.name[:1])+p.name[1:])
			}
		}
		return r.object(&apiLayer{functions, func(function string) goja.Value {
			return r.rt.ToValue(func(call goja.FunctionCall) goja.Value {
				r.callAPI(object, function, call)
				return api.js
			})
		}}).js
	}
	return api.js
}

// apiLayer is the layer of the objects of api, and of their functions.
type apiLayer struct {
	list  []string
	value func(name string) goja.Value
}

func (a *apiLayer) lookup(name string) (any, bool) {
	if !slices.Contains(a.list, name) {
		return nil, false
	}
	return later(func() goja.Value { return a.value(name) }), true
}

func (a *apiLayer) names() iter.Seq[string] { return slices.Values(a.list) }

// callAPI does what a function of api does, or fails the exchange.
func (r *run) callAPI(object, function string, call goja.FunctionCall) {
	name := object + "." + function
	property, sets := samlSetter(function)
	switch {
	case name == "access.deny":
		r.deny(call.Argument(0))
	case name == "samlResponse.setAttribute":
		r.setAttribute(call.Argument(0), call.Argument(1))
	case object == "samlResponse" && sets:
		r.setSAML(function, property, call.Argument(0))
	case name == "multifactor.enable" && call.Argument(0).StrictEquals(r.rt.ToValue("none")):
		// It asks for nothing.
	case detourFunctions[name] != nil:
		d := detourFunctions[name]
		if !d.ignore(r.options) {
			panic(r.refuse(d.code, "api.%s is called, and an exchange has no such step", name))
		}
	default:
		panic(r.refuse(delegation.CodeRuleUnsupported,
			"api.%s is called, which has no effect in an exchange", name))
	}
}

// deny notes why the user is denied. The Action goes on, as at Auth0. The first reason counts.
func (r *run) deny(reason goja.Value) {
	if r.said.denied != nil {
		return
	}
	text := "access denied"
	switch {
	case goja.IsString(reason):
		text = r.options.hidden(reason.String())
	case !goja.IsUndefined(reason) && !goja.IsNull(reason):
		text = r.describe(reason)
	}
	r.said.denied = &text
}

// response returns what this Action has said of the SAML response, together with those before it.
func (r *run) response() *samlConfiguration {
	if r.said.said == nil {
		r.said.said = r.shared.saml.ofActions.clone()
	}
	return r.said.said
}

// setSAML sets a property of the SAML response.
func (r *run) setSAML(function string, property samlProperty, value goja.Value) {
	given := r.argument("api.samlResponse."+function, value)
	if want := property.read(r.response(), given); want != "" {
		panic(r.refuse(delegation.CodeRuleFailed, "api.samlResponse.%s was given a value that "+
			"is not %s", function, want))
	}
}

// setAttribute sets a SAML attribute to a value. AWS must read the attribute.
func (r *run) setAttribute(name, value goja.Value) {
	const function = "api.samlResponse.setAttribute"
	attribute := ""
	if goja.IsString(name) {
		attribute = name.String()
	}
	if !isReadByAWS(attribute) {
		panic(r.refuse(delegation.CodeRuleFailed, "%s: AWS reads no attribute %.120q%s",
			function, attribute, meantAttribute(attribute)))
	}
	given := r.argument(function, value)
	if _, ok := jsonvalue.Texts(given); !ok {
		panic(r.refuse(delegation.CodeRuleFailed, "%s: %.120q gets %s, which is not text, number, "+
			"boolean, null or list of them", function, attribute, kind(value)))
	}
	response := r.response()
	response.mappings[attribute] = literal(attribute)
	if r.said.values == nil {
		r.said.values = map[string]any{}
	}
	r.said.values[attribute] = given
}

// argument returns an argument of a function of api. Undefined fails the exchange: a role looked up
// for nobody must not become the target's.
func (r *run) argument(function string, value goja.Value) (given any) {
	if converted := (&outgoing{run: r}).out(function, value, nil); converted != (absent{}) {
		return converted
	}
	panic(r.refuse(delegation.CodeRuleFailed, "%s gets %s", function, kind(value)))
}
