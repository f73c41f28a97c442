package jsrules

import (
	"context"
	"maps"
	"strings"

	"github.com/dop251/goja"
	"github.com/seed055b7978/delegation"
)

// contextDefaults are properties of context that the library knows nothing about: so that rules written without a guard run, they are there and
// empty. Those that rules ask for with if (context.organization) are undefined.
var contextDefaults = map[string]any{
	"clientName": "", "clientMetadata": map[string]any{}, "connectionOptions": map[string]any{}, "connectionMetadata": map[string]any{},
	"samlConfiguration": map[string]any{}, "stats": map[string]any{}, "sso": map[string]any{}, "accessToken": map[string]any{}, "idToken": map[string]any{},
	"sessionID": undefined{}, "authentication": map[string]any{"methods": []any{}}, "authorization": map[string]any{"roles": []any{}}, "organization": undefined{},
}

// contextObject makes context: what earlier rules of the exchange and Options.Context say, then the exchange, then the defaults.
func (r *run) contextObject(rc *delegation.RuleContext) *object {
	tenant, _, _ := strings.Cut(r.options.Domain, ".")
	return r.object(r.exchange.context, map[string]any{
		"tenant": tenant, "clientID": rc.ClientID, "protocol": rc.Protocol, "connection": rc.Connection,
		"connectionStrategy": later(func() goja.Value { return r.rt.ToValue(r.strategy) }),
		"request":            later(func() goja.Value { return r.requestValue(&rc.Request) }),
		"addonConfiguration": later(func() goja.Value { return r.addonValue(&rc.AWS) }),
	}, contextDefaults)
}

func (r *run) requestValue(request *delegation.Request) goja.Value {
	body := request.Parameters
	if body == nil {
		body = map[string]any{}
	}
	return r.in(map[string]any{
		"ip": request.IP, "userAgent": request.UserAgent, "hostname": request.Hostname,
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
