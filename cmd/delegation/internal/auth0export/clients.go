package auth0export

import (
	"errors"
	"fmt"
	"time"

	"github.com/seed055b7978/delegation/internal/iam"
)

// Lifetimes of a session that Auth0 and AWS allow.
const (
	leastLifetime = 900
	mostLifetime  = 43_200
)

// Client is an application of the tenant.
type Client struct {
	// Name is context.clientName.
	Name string

	// ID is the client ID. Exports have it only if AUTH0_EXPORT_IDENTIFIERS was set; otherwise it
	// is "".
	ID string

	// Metadata is context.clientMetadata.
	Metadata map[string]any

	// AWS is the AWS add-on; nil: it has none.
	AWS *AddOn

	// SharedSecret tells that its ID tokens are signed with its client secret (HS256). Base64URL
	// tells that this secret is encoded in base64url.
	SharedSecret, Base64URL bool

	// At is its place in the export.
	At string

	known bool // from the export, not from a flag
}

// supplies tells whether the configuration can supply a property of context. It is clientName or
// clientMetadata, and an export always has the metadata.
func (c *Client) supplies(name string) bool {
	if name == "clientName" {
		return c.Name != ""
	}
	return c.known
}

// AddOn is the AWS add-on of a client: what its users get unless a rule changes it. Each field may
// be empty.
type AddOn struct {
	Principal, Role, Region string
	Lifetime                time.Duration
}

// addClient reads a client. It looks only at the members that a delegation used.
func (c *collector) addClient(o object) {
	client := Client{At: o.at, known: true}
	var err error
	client.Name, err = o.text("name")
	c.note(err)
	client.ID, err = o.text("client_id")
	c.note(err)
	if global, _ := o.values["global"].(bool); global { // the settings of all applications
		return
	}
	metadata, err := o.object("client_metadata")
	c.note(err)
	client.Metadata = metadata.values
	for _, value := range client.Metadata {
		text, _ := value.(string)
		if err := checkReplaced(text); err != nil {
			c.note(o.wrong("client_metadata", "%w", err))
		}
	}
	tokens, err := o.object("jwt_configuration")
	c.note(err)
	client.SharedSecret = tokens.values["alg"] == "HS256"
	client.Base64URL, _ = tokens.values["secret_encoded"].(bool)
	client.AWS, err = addOn(o)
	c.note(err)
	c.export.Clients = append(c.export.Clients, client)
}

// addOn reads the AWS add-on of a client.
func addOn(client object) (*AddOn, error) {
	addons, err := client.object("addons")
	if err != nil {
		return nil, err
	}
	if addons.values["aws"] == nil {
		return nil, nil
	}
	o, err := addons.object("aws")
	if err != nil {
		return nil, err
	}
	a := &AddOn{}
	var principalErr, roleErr, regionErr error
	a.Principal, principalErr = o.text("principal")
	a.Role, roleErr = o.text("role")
	a.Region, regionErr = o.text("region")
	seconds, has, lifetimeErr := o.number("lifetime_in_seconds")
	err = errors.Join(principalErr, roleErr, regionErr, lifetimeErr,
		o.onlyHas("principal", "role", "region", "lifetime_in_seconds"))
	if _, wrong := iam.Provider.Parse(a.Principal); wrong != nil && a.Principal != "" {
		err = errors.Join(err, o.wrong("principal", "%w", wrong))
	}
	if _, wrong := iam.Role.Parse(a.Role); wrong != nil && a.Role != "" {
		err = errors.Join(err, o.wrong("role", "%w", wrong))
	}
	whole := seconds == float64(int64(seconds))
	if has && (seconds < leastLifetime || seconds > mostLifetime || !whole) {
		err = errors.Join(err, o.wrong("lifetime_in_seconds", "is not %d to %d",
			leastLifetime, mostLifetime))
	}
	if has {
		a.Lifetime = time.Duration(seconds) * time.Second
	}
	return a, err
}

// checkClients refuses two clients with the same ID, and two AWS add-ons with the same client name:
// a flag that names one would be ambiguous.
func checkClients(clients []Client) error {
	var wrong []error
	ids := map[string]string{}
	names := map[string]string{}
	for _, c := range clients {
		if other, taken := ids[c.ID]; taken && c.ID != "" {
			wrong = append(wrong, fmt.Errorf("%s: %s has the same client_id", c.At, other))
		}
		ids[c.ID] = c.At
		if c.AWS == nil || c.ID != "" {
			continue
		}
		if other, taken := names[c.Name]; taken {
			wrong = append(wrong, fmt.Errorf("%s: %s has the same name, and neither has a "+
				"client_id", c.At, other))
		}
		names[c.Name] = c.At
	}
	return errors.Join(wrong...)
}
