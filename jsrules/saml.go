package jsrules

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/dop251/goja"
	"github.com/seed055b7978/delegation"
)

// SAMLConfigurationAWS is the value of Options.SAMLConfiguration with which rules that were written
// for Auth0's SAML add-on choose the session at AWS.
const SAMLConfigurationAWS = "aws"

// The names of warnings, see [delegation.RuleContext.Warn].
const (
	// warnedUnused is about a samlConfiguration that nothing reads.
	warnedUnused = "saml_configuration_unused"
	// warnedMissing is about a SAML attribute that the user has no value for.
	warnedMissing = "saml_attribute_missing"
)

// samlConfiguration is what rules or Actions say of the SAML response, read and checked.
type samlConfiguration struct {
	// mappings are user properties by SAML attribute, whichever way round the rule wrote them.
	mappings  map[string]string
	audience  string
	recipient string
	// probes are the attributes of which the first with a value is the NameID. Nil: not set.
	probes []string
}

// awsAttributes is how the names of AWS's own attributes begin.
const awsAttributes = "https://aws.amazon.com/SAML/Attributes/"

// Attributes that the add-on takes the NameID from.
const (
	attributeName = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name"
	attributeMail = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress"
)

// readAttributes are the attributes that AWS reads, except for the session tags: its own, and those
// of package samlattr, which are the condition keys of trust policies.
var readAttributes = []string{
	delegation.AttributeNameIdentifier,
	delegation.AttributeRole,
	delegation.AttributeRoleSessionName,
	delegation.AttributeSessionDuration,
	delegation.AttributeTransitiveTagKeys,
	delegation.AttributeSourceIdentity,
	"urn:oid:1.3.6.1.4.1.5923.1.1.1.1",
	"urn:oid:1.3.6.1.4.1.5923.1.1.1.2",
	"urn:oid:1.3.6.1.4.1.5923.1.1.1.3",
	"urn:oid:1.3.6.1.4.1.5923.1.1.1.4",
	"urn:oid:1.3.6.1.4.1.5923.1.1.1.5",
	"urn:oid:1.3.6.1.4.1.5923.1.1.1.6",
	"urn:oid:1.3.6.1.4.1.5923.1.1.1.7",
	"urn:oid:1.3.6.1.4.1.5923.1.1.1.8",
	"urn:oid:1.3.6.1.4.1.5923.1.1.1.9",
	"urn:oid:1.3.6.1.4.1.5923.1.1.1.10",
	"urn:oid:1.3.6.1.4.1.5923.1.1.1.11",
	"urn:oid:1.3.6.1.4.1.5923.1.2.1.2",
	"urn:oid:1.3.6.1.4.1.5923.1.2.1.3",
	"urn:oid:1.3.6.1.4.1.5923.1.2.1.4",
	"urn:oid:1.3.6.1.4.1.5923.1.2.1.5",
	"urn:oid:1.3.6.1.4.1.5923.1.2.1.6",
	"urn:oid:2.5.4.3",
	attributeName,
	"http://schemas.xmlsoap.org/claims/CommonName",
	"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/givenname",
	"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/surname",
	attributeMail,
	"http://schemas.microsoft.com/ws/2008/06/identity/claims/primarygroupsid",
	"2.5.4.3",
	"2.5.4.4",
	"2.4.5.42",
	"2.5.4.45",
	"0.9.2342.19200300100.1.1",
	"0.9.2342.19200300100.1.3",
	"0.9.2342.19200300.100.1.45",
}

// isReadByAWS reports whether AWS reads an attribute.
func isReadByAWS(name string) bool {
	key, isTag := strings.CutPrefix(name, delegation.AttributePrincipalTag)
	return isTag && key != "" || slices.Contains(readAttributes, name)
}

// samlProperty is a property of context.samlConfiguration.
type samlProperty struct {
	name string
	// read checks the value and notes it. It returns what the value should be, or "".
	read func(into *samlConfiguration, value any) (want string)
}

// samlProperties are the properties of Auth0's SAML add-on ("Customize SAML Assertions") that have
// a meaning for AWS, and those that ask for what this library does anyway. The others are refused,
// because this library does not change the response as they ask.
var samlProperties = []samlProperty{
	{"mappings", (*samlConfiguration).readMappings},
	{"audience", func(c *samlConfiguration, value any) string {
		return text(&c.audience, value)
	}},
	{"recipient", func(c *samlConfiguration, value any) string {
		return text(&c.recipient, value)
	}},
	{"nameIdentifierProbes", (*samlConfiguration).readProbes},
	// The response is not sent through a browser, so that its destination decides nothing.
	{"destination", signInAddress},
	// How long the response is good for, not the session. Here it is redeemed at once.
	{"lifetimeInSeconds", func(_ *samlConfiguration, value any) string {
		if _, ok := wholeSeconds(value); !ok {
			return "a whole number of seconds above 0"
		}
		return ""
	}},
	{"nameIdentifierFormat", only("urn:oasis:names:tc:SAML:2.0:nameid-format:persistent")},
	{"authnContextClassRef", only("urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified")},
	{"signatureAlgorithm", only("rsa-sha256")},
	{"digestAlgorithm", only("sha256")},
	{"signResponse", only(false)},
	{"createUpnClaim", only(false)},
	{"passthroughClaimsWithNoMapping", only(false)},
	{"mapUnknownClaimsAsIs", only(false)},
	{"mapIdentities", only(false)},
	// These two are about XML that AWS does not read.
	{"includeAttributeNameFormat", eitherWay},
	{"typedAttributes", eitherWay},
}

// isSAMLProperty reports whether a property of context.samlConfiguration has a meaning here.
func isSAMLProperty(name string) bool {
	return slices.ContainsFunc(samlProperties, func(p samlProperty) bool { return p.name == name })
}

// text reads a text that is not empty.
func text(into *string, value any) (want string) {
	given, _ := value.(string)
	*into = given
	if given == "" || strings.TrimSpace(given) != given {
		return "a text without blanks around it"
	}
	return ""
}

// only is the reader of a property that can have one value, because that is what happens here.
func only(one any) func(*samlConfiguration, any) string {
	want := fmt.Sprintf("%v, the only supported value", one)
	return func(_ *samlConfiguration, value any) string {
		if value == one {
			return ""
		}
		return want
	}
}

func eitherWay(_ *samlConfiguration, value any) string {
	if _, ok := value.(bool); !ok {
		return "true or false"
	}
	return ""
}

// signInAddress reads a destination, which must be a sign-in page of AWS.
func signInAddress(_ *samlConfiguration, value any) string {
	address, _ := value.(string)
	rest, secure := strings.CutPrefix(address, "https://")
	host, path, _ := strings.Cut(rest, "/")
	for _, domain := range []string{
		"signin.aws.amazon.com", "signin.amazonaws.cn", "signin.amazonaws-us-gov.com",
		"signin.amazonaws-eusc.eu",
	} {
		ofAWS := host == domain || strings.HasSuffix(host, "."+domain)
		if secure && ofAWS && (path == "saml" || strings.HasPrefix(path, "saml/")) {
			return ""
		}
	}
	return "an address of AWS such as https://signin.aws.amazon.com/saml"
}

func (c *samlConfiguration) readProbes(value any) (want string) {
	probes, ok := listOfStrings(value)
	c.probes = probes
	if !ok || len(probes) == 0 {
		return "a list of SAML attributes"
	}
	return ""
}

// readMappings reads mappings. Rules map attributes to properties of the user. The settings of the
// add-on in Auth0's dashboard do the opposite, and there a property can have several attributes.
// The attributes that AWS reads tell which way round an entry is.
func (c *samlConfiguration) readMappings(value any) (want string) {
	entries, ok := value.(map[string]any)
	if !ok {
		return "an object of SAML attributes and user properties"
	}
	c.mappings = map[string]string{}
	for name, other := range sorted(entries) {
		if want := c.readMapping(name, other); want != "" {
			return want
		}
	}
	return ""
}

// readMapping reads an entry of mappings. It returns what mappings should be.
func (c *samlConfiguration) readMapping(name string, other any) (want string) {
	attributes := []string{name}
	property, isText := other.(string)
	others, isList := listOfStrings(other)
	switch {
	case isText && isReadByAWS(name) && isReadByAWS(property):
		return fmt.Sprintf("clear: %.120q and %.120q are both SAML attributes", name, property)
	case isText && isReadByAWS(name):
	case isText && isReadByAWS(property):
		attributes = []string{property}
		property = name
	case isList && len(others) > 0 && !isReadByAWS(name):
		attributes = others
		property = name
	case !isText && (!isList || isReadByAWS(name)):
		return fmt.Sprintf("an object of texts, and that of %.120q is not one", name)
	}
	for _, attribute := range attributes {
		if !isReadByAWS(attribute) {
			return fmt.Sprintf("for AWS, which reads no attribute %.120q%s",
				attribute, meantAttribute(attribute))
		}
		if before, twice := c.mappings[attribute]; twice && before != property {
			return fmt.Sprintf("clear: %.120q has two properties", attribute)
		}
		c.mappings[attribute] = property
	}
	if property == "" {
		return fmt.Sprintf("an object of properties, and that of %.120q is empty", name)
	}
	return ""
}

// meantAttribute says which attribute of AWS was meant, as the end of an error.
func meantAttribute(name string) string {
	for _, known := range append(readAttributes, delegation.AttributePrincipalTag+"KEY") {
		if known != name && strings.EqualFold(known, name) {
			return ": " + known + " is meant"
		}
	}
	rest, ofAWS := strings.CutPrefix(name, awsAttributes)
	if !ofAWS {
		return ""
	}
	if strings.HasPrefix(rest, "AccessControl:") {
		return ": it is one of IAM Identity Center; PrincipalTag: is the one for roles"
	}
	for _, known := range readAttributes {
		if last, ok := strings.CutPrefix(known, awsAttributes); ok &&
			nearest(rest, []string{last}) != "" {
			return ": " + known + " is meant"
		}
	}
	return ""
}

// readSAML reads a samlConfiguration. path is where it is, for errors, which leave as a Go panic.
func readSAML(path string, value map[string]any) *samlConfiguration {
	made := &samlConfiguration{}
	for name, member := range sorted(value) {
		known := slices.IndexFunc(samlProperties, func(p samlProperty) bool {
			return p.name == name
		})
		if known < 0 {
			panic(wrongValue(path, "has a property %.100q, which has no meaning here%s",
				name, meantSAML(name)))
		}
		if want := samlProperties[known].read(made, member); want != "" {
			panic(wrongValue(path+"."+name, "is not %s", want))
		}
	}
	return made
}

// meantSAML says which property was meant, as the end of an error.
func meantSAML(name string) string {
	names := make([]string, len(samlProperties))
	for i, property := range samlProperties {
		names[i] = property.name
	}
	if nearest := nearest(name, names); nearest != "" {
		return ": " + nearest + " is meant"
	}
	return ""
}

// samlPath is where rules write what they say of the SAML response.
const samlPath = "context.samlConfiguration"

// collectSAML reads context.samlConfiguration if the rule has read or written it. given is the
// context that the rule left.
func (o *outgoing) collectSAML(given *goja.Object, c *changes) {
	value, touched := c.context["samlConfiguration"]
	if !touched {
		return
	}
	optedIn := o.run.options.SAMLConfiguration != ""
	deleted := value == (gone{})
	if optedIn && !deleted {
		left := o.mustBeObject("samlConfiguration", given.Get("samlConfiguration"))
		o.mustBeWhole(samlPath, left)
		mappings, isObject := left.Get("mappings").(*goja.Object)
		if isObject && notProperties(mappings) == "" {
			o.mustBeWhole(samlPath+".mappings", mappings)
		}
	}
	before, _ := o.run.shared.context["samlConfiguration"].(map[string]any)
	now, _ := value.(map[string]any)
	if len(before)+len(now) == 0 || reflect.DeepEqual(before, now) {
		return
	}
	if !optedIn {
		c.samlUnused = len(now) > 0
		return
	}
	c.saml = readSAML(samlPath, now)
}

// samlGiven reads the samlConfiguration that Options.Context supplies: the settings of the add-on.
func (r *run) samlGiven(
	given map[string]any, user *delegation.User, rc *delegation.RuleContext,
) error {
	supplied, has := given["samlConfiguration"]
	if !has || r.options.SAMLConfiguration == "" {
		return nil
	}
	return r.try(func() {
		settings, isObject := plain(supplied, samlPath).(map[string]any)
		if !isObject {
			panic(wrongValue(samlPath, "is not an object"))
		}
		given["samlConfiguration"] = settings
		r.shared.saml.ofRules = readSAML(samlPath, settings)
		r.shared.answersForSAML(r.name, user, rc)
	})
}

// mustBeWhole fails the rule if JSON would not carry every property of an object. An undefined
// audience must not become the target's.
func (o *outgoing) mustBeWhole(path string, object *goja.Object) {
	for _, name := range o.ownAndInherited(object) {
		value := object.Get(name)
		_, callable := goja.AssertFunction(value)
		if callable || value == nil || goja.IsUndefined(value) {
			panic(wrongValue(path+"."+short(name), "is %s", kind(value)))
		}
	}
}
