package jsrules

import (
	"context"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/dop251/goja"
	"github.com/seed055b7978/delegation"
)

// contextDefaults are properties of context that the library knows nothing about: so that rules written without a guard run, they are there and
// empty. Those that rules ask for with if (context.organization) are undefined.
var contextDefaults = properties{
	"clientName": "", "clientMetadata": map[string]any{}, "connectionOptions": map[string]any{}, "connectionMetadata": map[string]any{},
	"samlConfiguration": map[string]any{}, "stats": map[string]any{}, "sso": map[string]any{}, "accessToken": map[string]any{}, "idToken": map[string]any{},
	"sessionID": undefined{}, "authentication": map[string]any{"methods": []any{}}, "authorization": map[string]any{"roles": []any{}}, "organization": undefined{},
}

// contextObject makes context: what earlier rules of the exchange and Options.Context say, then the exchange, then the defaults.
func (r *run) contextObject(rc *delegation.RuleContext) *object {
	return r.object(properties(r.exchange.context), &ofExchange{r, rc}, contextDefaults)
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
		return tenant, true
	case "clientID":
		return e.rc.ClientID, true
	case "protocol":
		return e.rc.Protocol, true
	case "connection":
		return e.rc.Connection, true
	case "connectionStrategy":
		return e.run.strategy, true
	case "request":
		return later(e.request), true
	case "addonConfiguration":
		return later(e.addon), true
	}
	return nil, false
}

func (e *ofExchange) names() iter.Seq[string] {
	return slices.Values([]string{"tenant", "clientID", "protocol", "connection", "connectionStrategy", "request", "addonConfiguration"})
}

func (e *ofExchange) request() goja.Value {
	body := e.rc.Request.Parameters
	if body == nil {
		body = map[string]any{}
	}
	return e.run.in(map[string]any{
		"ip": e.rc.Request.IP, "userAgent": e.rc.Request.UserAgent, "hostname": e.rc.Request.Hostname,
		"query": map[string]any{}, "body": body, "geoip": undefined{},
	}, "context.request", 0)
}

// contextGiven asks Options.Context, once in an exchange. The settings for AWS have one source, the target.
func (r *run) contextGiven(ctx context.Context, user *delegation.User, rc *delegation.RuleContext) (map[string]any, error) {
	given := map[string]any{}
	if r.options.Context != nil {
		properties, err := r.options.Context(ctx, user, rc)
		if err != nil {
			return nil, err
		}
		maps.Copy(given, properties)
		delete(given, "addonConfiguration")
	}
	return given, nil
}
