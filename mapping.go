package delegation

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed055b7978/delegation/internal/jsonvalue"
	"github.com/seed055b7978/delegation/internal/samldoc"
)

// Mappings say which SAML attribute is set from which user property: from attribute name to
// property path, as in Auth0's AWS add-on. A list gives several values. An absent or null property
// gives no attribute. An object is an error with [CodeMappingInvalid]. The package samlattr has the
// names of attributes that trust policies can read.
//
// [AWS]'s own attributes, the constants Attribute…, become part of the decision and are checked
// with it. A field of AWS that is set takes precedence over a mapping. The exception is a mapping
// of Role with one value, which takes precedence over AWS.Role.
//
// A mapping of Role gives a pair "role,principal", or a role alone, to which the principal is
// added. The name of such a role must have no comma. If there are several values, AWS.Role chooses
// one of them, and only that one is sent.
//
// Role and RoleSessionName are always sent, mapped or not. Without a mapping they come from the
// virtual properties awsrole ("role,principal" of the decision) and rolesessionname, which no claim
// can replace.
type Mappings map[string]string

// The SAML attributes with a meaning for AWS (IAM User Guide, "Configure SAML assertions for the
// authentication response").
const (
	// AttributeNameIdentifier is the NameID, but only with AWS.NameIDFromMapping.
	AttributeNameIdentifier = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier"
	// AttributeRole is the role and the SAML provider, as "role,principal".
	AttributeRole = "https://aws.amazon.com/SAML/Attributes/Role"
	// AttributeRoleSessionName is AWS.SessionName.
	AttributeRoleSessionName = "https://aws.amazon.com/SAML/Attributes/RoleSessionName"
	// AttributeSessionDuration is AWS.SessionDuration in seconds.
	AttributeSessionDuration = "https://aws.amazon.com/SAML/Attributes/SessionDuration"
	// AttributePrincipalTag is the start of a session tag's name; the tag's key follows it.
	AttributePrincipalTag = "https://aws.amazon.com/SAML/Attributes/PrincipalTag:"
	// AttributeTransitiveTagKeys are AWS.TransitiveTagKeys.
	AttributeTransitiveTagKeys = "https://aws.amazon.com/SAML/Attributes/TransitiveTagKeys"
	// AttributeSourceIdentity is AWS.SourceIdentity.
	AttributeSourceIdentity = "https://aws.amazon.com/SAML/Attributes/SourceIdentity"
)

// applyMappings moves what mappings say of AWS's own attributes into the fields of a, and returns
// the other attributes. A rule may share the maps and slices that it put there, so they are
// replaced and never written to.
func (a *AWS) applyMappings(user *User) (others []samldoc.Attribute, err error) {
	a.Tags = maps.Clone(a.Tags)
	if a.Tags == nil {
		a.Tags = map[string]string{}
	}
	if len(a.Mappings) == 0 {
		return nil, nil
	}
	for _, name := range slices.Sorted(maps.Keys(a.Mappings)) {
		path := a.Mappings[name]
		if virtual := attributeOfVirtual(path); virtual != "" {
			if name != virtual {
				return nil, newError(CodeMappingInvalid,
					"the virtual property %s belongs to %q, not to %.120q", path, virtual, name)
			}
			continue // it is sent anyway
		}
		value, _ := user.Value(path)
		values, ok := jsonvalue.Texts(value)
		if !ok {
			return nil, newError(CodeMappingInvalid,
				"%.120q: the property %.80q is not text, a number, a boolean or a list of them",
				name, path).over(value)
		}
		m := mapping{attribute: name, path: path, values: values}
		handled, err := a.apply(m)
		if err != nil {
			return nil, issueError(err).over(m.refused(value)...)
		}
		if !handled && len(values) > 0 {
			others = append(others, samldoc.Attribute{Name: name, Values: values})
		}
	}
	return others, nil
}

// attributeOfVirtual returns the only attribute that a virtual property can be mapped to. It is
// empty for every other property.
func attributeOfVirtual(path string) string {
	switch path {
	case "awsrole":
		return AttributeRole
	case "rolesessionname":
		return AttributeRoleSessionName
	}
	return ""
}

// mapping is one entry of Mappings with what the user has for it.
type mapping struct {
	attribute string
	path      string   // of the property
	values    []string // the property's texts; none if it is absent, null or an empty list
}

// apply moves the values of one of AWS's own attributes into its field. It reports false for every
// other attribute.
func (a *AWS) apply(m mapping) (handled bool, err error) {
	switch m.attribute {
	case AttributeNameIdentifier:
		if !a.NameIDFromMapping {
			return true, nil // the NameID stays the token's sub
		}
		return true, m.fill(&a.NameID)
	case AttributeRole:
		return true, a.chooseRole(m)
	case AttributeRoleSessionName:
		return true, m.fill(&a.SessionName)
	}
	if len(m.values) == 0 {
		return false, nil
	}
	switch m.attribute {
	case AttributeSourceIdentity:
		return true, m.fill(&a.SourceIdentity)
	case AttributeTransitiveTagKeys:
		if len(a.TransitiveTagKeys) == 0 {
			a.TransitiveTagKeys = m.values
		}
		return true, nil
	case AttributeSessionDuration:
		return true, m.fillDuration(&a.SessionDuration)
	}
	if key, isTag := strings.CutPrefix(m.attribute, AttributePrincipalTag); isTag {
		return true, a.fillTag(key, m)
	}
	return false, nil
}

// fill sets an empty field to the mapping's one value, which must not be empty.
func (m mapping) fill(field *string) error {
	if *field != "" {
		return nil
	}
	if len(m.values) != 1 || m.values[0] == "" {
		return m.notOneValue()
	}
	*field = m.values[0]
	return nil
}

// fillTag sets a session tag that is not set yet. Its value may be empty, unlike other values.
func (a *AWS) fillTag(key string, m mapping) error {
	if _, set := a.Tags[key]; set {
		return nil
	}
	if len(m.values) != 1 {
		return m.notOneValue()
	}
	a.Tags[key] = m.values[0]
	return nil
}

func (m mapping) notOneValue() error {
	return newError(CodeMappingInvalid,
		"%.120q takes one value, the property %.80q has %d or an empty one",
		m.attribute, m.path, len(m.values))
}

// fillDuration sets a duration that is not set yet, from a number of seconds.
func (m mapping) fillDuration(field *time.Duration) error {
	if *field != 0 {
		return nil
	}
	seconds, err := strconv.ParseInt(m.values[0], 10, 32)
	if err != nil || seconds <= 0 || len(m.values) != 1 {
		return newError(CodeMappingInvalid,
			"%q takes one number of seconds, not the property %.80q", m.attribute, m.path)
	}
	*field = time.Duration(seconds) * time.Second
	return nil
}

// chooseRole sets role and principal from a mapping of Role. One value is the role; of several,
// AWS.Role chooses. A value is a pair in either order, or a role alone.
func (a *AWS) chooseRole(m mapping) error {
	for _, value := range m.values {
		role, principal, pair := strings.Cut(value, ",")
		if pair && strings.Contains(role, ":saml-provider/") {
			role, principal = principal, role
		}
		if len(m.values) > 1 && role != a.Role {
			continue
		}
		a.Role = role
		if pair {
			a.Principal = principal
		}
		return nil
	}
	return newError(CodeMappingInvalid,
		"%q: of the %d values of the property %.80q none is AWS.Role",
		AttributeRole, len(m.values), m.path)
}

// refused are the mapping's values as the caller may have sent them: whole, or one by one.
func (m mapping) refused(value any) []any {
	refused := []any{value}
	for _, text := range m.values {
		refused = append(refused, text)
	}
	return refused
}
