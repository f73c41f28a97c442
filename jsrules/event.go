package jsrules

import (
	"iter"
	"maps"
	"slices"

	"github.com/dop251/goja"
)

// part is an object of event that is known in part only. Reading a property of it that Auth0
// documents and nobody supplies fails the exchange.
type part struct {
	path string
	// of has the properties that may be unknown, and the property of context that has the same in
	// rules, which Options.Absent may list. Empty: there is none, or it has the same name.
	of map[string]string
	// every says that each property may be unknown.
	every bool
}

// The parts of event ("Actions Triggers: post-login - Event Object" of Auth0's documentation).
var parts = map[partly]*part{
	ofEvent: {path: "event", of: map[string]string{
		"agent":            "",
		"authentication":   "authentication",
		"authorization":    "authorization",
		"custom_domain":    "",
		"organization":     "organization",
		"prompt":           "",
		"refresh_token":    "",
		"resource_server":  "",
		"security_context": "",
		"session":          "",
		"stats":            "stats",
	}},
	ofClient: {path: "event.client", of: map[string]string{
		"client_id": "clientID",
		"name":      "clientName",
	}},
	ofClientMetadata: {path: "event.client.metadata", every: true},
	ofConnection: {path: "event.connection", of: map[string]string{
		"id":       "connectionID",
		"metadata": "connectionMetadata",
		"name":     "connection",
		"strategy": "connectionStrategy",
	}},
	ofEventRequest: {path: "event.request", of: map[string]string{
		"asn":        "",
		"geoip":      "request.geoip",
		"hostname":   "request.hostname",
		"ip":         "request.ip",
		"language":   "",
		"method":     "",
		"user_agent": "request.userAgent",
	}},
	ofSecrets: {path: "event.secrets", every: true},
	ofTenant:  {path: "event.tenant", of: map[string]string{"id": "tenant"}},
	ofTransaction: {path: "event.transaction", of: map[string]string{
		"acr_values":                      "",
		"correlation_id":                  "",
		"id":                              "",
		"linking_id":                      "",
		"locale":                          "",
		"login_hint":                      "",
		"metadata":                        "",
		"prompt":                          "",
		"protocol":                        "protocol",
		"protocol_params":                 "",
		"redirect_uri":                    "",
		"requested_authorization_details": "",
		"requested_scopes":                "",
		"response_mode":                   "",
		"response_type":                   "",
		"state":                           "",
		"ui_locales":                      "",
	}},
}

// missingOfPart returns the path of a property that nothing supplies and whose absence is not
// permitted. It returns "" for any other property.
func (r *run) missingOfPart(object partly, name string) string {
	p := parts[object]
	inContext, documented := p.of[name]
	if !documented && (!p.every || ofEveryObject(name)) {
		return ""
	}
	path := p.path + "." + name
	absent := r.options.Absent
	if inContext != "" && slices.Contains(absent, inContext) || slices.Contains(absent, path) ||
		object == ofClientMetadata && slices.Contains(absent, "clientMetadata") {
		return ""
	}
	return path
}

// missableOfEvent lists the names of event that [Options].Absent takes. What context has under
// another name is listed by that.
func missableOfEvent() (names []string) {
	for _, p := range parts {
		for name, inContext := range p.of {
			if inContext == "" {
				names = append(names, p.path+"."+name)
			}
		}
	}
	return names
}

// eventObject makes event.
func (r *run) eventObject() goja.Value {
	return r.partOf(ofEvent, &eventLayer{r}).js
}

// partOf makes an object that is known in part only.
func (r *run) partOf(which partly, layers ...layer) *object {
	made := r.object(layers...)
	made.missing = which
	r.partial = append(r.partial, made)
	return made
}

// eventLayer is the layer of the properties of event. Its objects are made when they are read. Its
// names are all that it may have: [object.Keys] leaves out what is not there.
type eventLayer struct{ run *run }

// always are the properties of event that are always objects.
var always = []string{
	"client", "connection", "request", "secrets", "tenant", "transaction", "user",
}

func (e *eventLayer) names() iter.Seq[string] {
	return slices.Values(append(slices.Clone(always), sortedKeys(parts[ofEvent].of)...))
}

func (e *eventLayer) lookup(name string) (any, bool) {
	r := e.run
	switch name {
	case "user":
		return later(func() goja.Value { return r.user.js }), true
	case "secrets":
		return later(func() goja.Value {
			return r.partOf(ofSecrets, textLayer(r.options.Secrets)).js
		}), true
	case "client":
		return later(e.client), true
	case "connection":
		return later(func() goja.Value {
			return r.partOf(ofConnection, e.renamed(ofConnection)).js
		}), true
	case "request":
		return later(e.request), true
	case "tenant":
		return later(func() goja.Value {
			return r.partOf(ofTenant, e.renamed(ofTenant)).js
		}), true
	case "transaction":
		return later(e.transaction), true
	case "stats":
		return e.stats()
	case "authentication":
		return e.authentication()
	}
	if _, documented := parts[ofEvent].of[name]; !documented {
		return nil, false
	}
	return r.context.original(name)
}

// renamed returns the known properties of a part, which context has under other names.
func (e *eventLayer) renamed(which partly) properties {
	known := properties{}
	for name, inContext := range parts[which].of {
		if value, ok := e.run.context.original(inContext); ok {
			known[name] = value
		}
	}
	return known
}

func (e *eventLayer) client() goja.Value {
	r := e.run
	known := e.renamed(ofClient)
	known["metadata"] = later(func() goja.Value {
		value, _ := r.context.original("clientMetadata")
		if r.shared.whole["clientMetadata"] {
			return r.in(value, "event.client.metadata", 0)
		}
		object, _ := value.(map[string]any)
		return r.partOf(ofClientMetadata, properties(object)).js
	})
	return r.partOf(ofClient, known).js
}

func (e *eventLayer) request() goja.Value {
	value, _ := e.run.context.original("request")
	known, isObject := value.(map[string]any)
	if !isObject {
		return e.run.in(value, "event.request", 0)
	}
	known = maps.Clone(known)
	if agent, ok := known["userAgent"]; ok {
		delete(known, "userAgent")
		known["user_agent"] = agent
	}
	return e.run.partOf(ofEventRequest, properties(known)).js
}

func (e *eventLayer) transaction() goja.Value {
	known := e.renamed(ofTransaction)
	if supplied, ok := e.run.context.original("transaction"); ok {
		if object, isObject := supplied.(map[string]any); isObject {
			maps.Copy(known, object)
		}
	}
	return e.run.partOf(ofTransaction, known).js
}

// stats are those of context, whose loginsCount has another name in Actions.
func (e *eventLayer) stats() (any, bool) {
	value, known := e.run.context.original("stats")
	stats, isObject := value.(map[string]any)
	if !known || !isObject {
		return value, known
	}
	if count, ok := stats["loginsCount"]; ok {
		stats = maps.Clone(stats)
		delete(stats, "loginsCount")
		stats["logins_count"] = count
	}
	return stats, true
}

// authentication is that of context, with the assessment of risks that context has next to it.
func (e *eventLayer) authentication() (any, bool) {
	value, known := e.run.context.original("authentication")
	authentication, isObject := value.(map[string]any)
	risk, assessed := e.run.context.original("riskAssessment")
	if !known || !isObject || !assessed {
		return value, known
	}
	authentication = maps.Clone(authentication)
	authentication["riskAssessment"] = risk
	return authentication, true
}

// textLayer is a layer of texts.
type textLayer map[string]string

func (t textLayer) lookup(name string) (any, bool) {
	text, ok := t[name]
	return text, ok
}

func (t textLayer) names() iter.Seq[string] { return maps.Keys(t) }

// sortedKeys returns the names of a map in their order.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
