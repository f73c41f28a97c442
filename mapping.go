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

// Mappings say which user property becomes which SAML attribute: attribute name to property path, as in Auth0's AWS
// add-on. A list gives several values; an absent or null property gives no attribute; an object is an error.
//
// AWS's own attributes become part of the decision and are checked with it. A field of [AWS] that is set wins over a mapping,
// but for Role, where one mapped value wins. Role and RoleSessionName are always sent, mapped or not: without a mapping they come from the virtual
// properties awsrole ("role,principal" of the decision) and rolesessionname, which no claim can replace. A mapped Role
// may be a pair, or a role without a comma in its name to which the principal is added; of several, AWS.Role chooses, and only that
// one is sent.
type Mappings map[string]string

// SAML attributes with a meaning for AWS (IAM User Guide, "Configure SAML assertions for the authentication response").
const (
	AttributeNameIdentifier    = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier" // see AWS.NameIDFromMapping
	AttributeRole              = "https://aws.amazon.com/SAML/Attributes/Role"
	AttributeRoleSessionName   = "https://aws.amazon.com/SAML/Attributes/RoleSessionName"
	AttributeSessionDuration   = "https://aws.amazon.com/SAML/Attributes/SessionDuration" // seconds
	AttributePrincipalTag      = "https://aws.amazon.com/SAML/Attributes/PrincipalTag:"   // and the tag's key
	AttributeTransitiveTagKeys = "https://aws.amazon.com/SAML/Attributes/TransitiveTagKeys"
	AttributeSourceIdentity    = "https://aws.amazon.com/SAML/Attributes/SourceIdentity"
)

// SAML attributes that trust policies can read, with the condition key of each (IAM User Guide, "Available keys for
// SAML-based federation"). They exist while the role is assumed and not later; only saml:sub, saml:sub_type and
// saml:namequalifier stay. Carry anything else as a session tag.
const (
	AttributeEduPersonAffiliation        = "urn:oid:1.3.6.1.4.1.5923.1.1.1.1"                                        // saml:edupersonaffiliation
	AttributeEduPersonNickname           = "urn:oid:1.3.6.1.4.1.5923.1.1.1.2"                                        // saml:edupersonnickname
	AttributeEduPersonOrgDN              = "urn:oid:1.3.6.1.4.1.5923.1.1.1.3"                                        // saml:edupersonorgdn
	AttributeEduPersonOrgUnitDN          = "urn:oid:1.3.6.1.4.1.5923.1.1.1.4"                                        // saml:edupersonorgunitdn
	AttributeEduPersonPrimaryAffiliation = "urn:oid:1.3.6.1.4.1.5923.1.1.1.5"                                        // saml:edupersonprimaryaffiliation
	AttributeEduPersonPrincipalName      = "urn:oid:1.3.6.1.4.1.5923.1.1.1.6"                                        // saml:edupersonprincipalname
	AttributeEduPersonEntitlement        = "urn:oid:1.3.6.1.4.1.5923.1.1.1.7"                                        // saml:edupersonentitlement
	AttributeEduPersonPrimaryOrgUnitDN   = "urn:oid:1.3.6.1.4.1.5923.1.1.1.8"                                        // saml:edupersonprimaryorgunitdn
	AttributeEduPersonScopedAffiliation  = "urn:oid:1.3.6.1.4.1.5923.1.1.1.9"                                        // saml:edupersonscopedaffiliation
	AttributeEduPersonTargetedID         = "urn:oid:1.3.6.1.4.1.5923.1.1.1.10"                                       // saml:edupersontargetedid
	AttributeEduPersonAssurance          = "urn:oid:1.3.6.1.4.1.5923.1.1.1.11"                                       // saml:edupersonassurance
	AttributeEduOrgHomePageURI           = "urn:oid:1.3.6.1.4.1.5923.1.2.1.2"                                        // saml:eduorghomepageuri
	AttributeEduOrgIdentityAuthNPolicy   = "urn:oid:1.3.6.1.4.1.5923.1.2.1.3"                                        // saml:eduorgidentityauthnpolicyuri
	AttributeEduOrgLegalName             = "urn:oid:1.3.6.1.4.1.5923.1.2.1.4"                                        // saml:eduorglegalname
	AttributeEduOrgSuperiorURI           = "urn:oid:1.3.6.1.4.1.5923.1.2.1.5"                                        // saml:eduorgsuperioruri
	AttributeEduOrgWhitePagesURI         = "urn:oid:1.3.6.1.4.1.5923.1.2.1.6"                                        // saml:eduorgwhitepagesuri
	AttributeCN                          = "urn:oid:2.5.4.3"                                                         // saml:cn
	AttributeName                        = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name"              // saml:name
	AttributeCommonName                  = "http://schemas.xmlsoap.org/claims/CommonName"                            // saml:commonName
	AttributeGivenName                   = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/givenname"         // saml:givenName
	AttributeSurname                     = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/surname"           // saml:surname
	AttributeMail                        = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress"      // saml:mail
	AttributePrimaryGroupSID             = "http://schemas.microsoft.com/ws/2008/06/identity/claims/primarygroupsid" // saml:primaryGroupSID or saml:uid: AWS documents both
	AttributeCommonNameOID               = "2.5.4.3"                                                                 // saml:commonName
	AttributeSurnameOID                  = "2.5.4.4"                                                                 // saml:surname
	AttributeGivenNameOID                = "2.4.5.42"                                                                // saml:givenName; AWS's spelling of 2.5.4.42
	AttributeX500UniqueIdentifier        = "2.5.4.45"                                                                // saml:x500UniqueIdentifier
	AttributeUID                         = "0.9.2342.19200300100.1.1"                                                // saml:uid
	AttributeMailOID                     = "0.9.2342.19200300100.1.3"                                                // saml:mail
	AttributeOrganizationStatus          = "0.9.2342.19200300.100.1.45"                                              // saml:organizationStatus; AWS's spelling
)

// applyMappings moves what mappings say of AWS's own attributes into the fields of a, and returns the others. Maps and
// slices that a rule put there may be shared, so they are replaced and never written to.
func (a *AWS) applyMappings(user *User) (others []samldoc.Attribute, err error) {
	a.Tags = maps.Collect(maps.All(a.Tags)) // a copy that is never nil
	for _, name := range slices.Sorted(maps.Keys(a.Mappings)) {
		path := a.Mappings[name]
		if virtual := map[string]string{"awsrole": AttributeRole, "rolesessionname": AttributeRoleSessionName}[path]; virtual != "" {
			if name != virtual {
				return nil, newError(CodeMappingInvalid, "the virtual property %s belongs to %q, not to %.120q", path, virtual, name)
			}
			continue
		}
		value, _ := user.Value(path)
		values, ok := jsonvalue.Texts(value)
		if !ok {
			return nil, newError(CodeMappingInvalid, "%.120q: the property %.80q is not text, a number, a boolean or a list of them", name, path).
				over(value)
		}
		tag, isTag := strings.CutPrefix(name, AttributePrincipalTag)
		// fill sets an empty field from a mapping that has one value, which only a tag may have empty.
		fill := func(field *string) error {
			if *field != "" {
				return nil
			}
			if len(values) != 1 || values[0] == "" && !isTag {
				return newError(CodeMappingInvalid, "%.120q takes one value, the property %.80q has %d or an empty one", name, path, len(values))
			}
			*field = values[0]
			return nil
		}
		switch {
		case name == AttributeNameIdentifier && a.NameIDFromMapping:
			err = fill(&a.NameID)
		case name == AttributeNameIdentifier: // ignored: the NameID stays the token's sub
		case name == AttributeRole:
			err = a.chooseRole(values, path)
		case name == AttributeRoleSessionName:
			err = fill(&a.SessionName)
		case len(values) == 0: // absent: no attribute
		case name == AttributeSourceIdentity:
			err = fill(&a.SourceIdentity)
		case name == AttributeTransitiveTagKeys && len(a.TransitiveTagKeys) == 0:
			a.TransitiveTagKeys = values
		case name == AttributeSessionDuration && a.SessionDuration == 0:
			seconds, e := strconv.ParseInt(values[0], 10, 32)
			if e != nil || seconds <= 0 || len(values) != 1 {
				err = newError(CodeMappingInvalid, "%q takes one number of seconds, not the property %.80q", name, path)
			}
			a.SessionDuration = time.Duration(seconds) * time.Second
		case name == AttributeTransitiveTagKeys, name == AttributeSessionDuration: // set already
		case isTag:
			text, set := a.Tags[tag]
			if !set {
				err = fill(&text)
			}
			a.Tags[tag] = text
		default:
			others = append(others, samldoc.Attribute{Name: name, Values: values})
		}
		if err != nil {
			refused := []any{value}
			for _, text := range values {
				refused = append(refused, text)
			}
			return nil, issueError(err).over(refused...)
		}
	}
	return others, nil
}

// chooseRole sets role and principal from a mapped Role attribute: one value is the role; of several, AWS.Role chooses.
// A value is "role,principal" in either order, or a role alone.
func (a *AWS) chooseRole(values []string, path string) error {
	for _, value := range values {
		role, principal, pair := strings.Cut(value, ",")
		if pair && strings.Contains(role, ":saml-provider/") {
			role, principal = principal, role
		}
		if len(values) > 1 && role != a.Role {
			continue
		}
		a.Role = role
		if pair {
			a.Principal = principal
		}
		return nil
	}
	return newError(CodeMappingInvalid, "%q: of the %d values of the property %.80q none is AWS.Role", AttributeRole, len(values), path)
}
