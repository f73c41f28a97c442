package jsrules

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/internal/jsonvalue"
)

// samlState is what the rules and Actions of an exchange have said of the SAML response. It takes
// effect after the last rule: one rule may set user.awsRole and another one the mappings.
type samlState struct {
	// ofRules and ofActions are nil until one says something. Actions win, as at Auth0, where they
	// run after the rules.
	ofRules   *samlConfiguration
	ofActions *samlConfiguration
	// by is the rule or Action that has said something last.
	by string
	// values are those of attributes that Actions have set, by attribute. A later rule that gives
	// another user to callback does not take them away.
	values map[string]any
	// began is what was decided before the first JavaScript rule: usually the target's settings.
	began delegation.AWS
}

// clone returns a copy to change.
func (c *samlConfiguration) clone() *samlConfiguration {
	made := &samlConfiguration{mappings: map[string]string{}}
	if c == nil {
		return made
	}
	*made = *c
	made.mappings = map[string]string{}
	maps.Copy(made.mappings, c.mappings)
	return made
}

func newSAMLState(began *delegation.AWS) *samlState {
	s := &samlState{began: *began, values: map[string]any{}}
	s.began.Mappings = maps.Clone(began.Mappings)
	s.began.Tags = maps.Clone(began.Tags)
	return s
}

// merged returns what both said. It is nil if neither said anything.
func (s *samlState) merged() *samlConfiguration {
	if s == nil {
		return nil
	}
	if s.ofActions == nil {
		return s.ofRules
	}
	if s.ofRules == nil {
		return s.ofActions
	}
	both := s.ofRules.clone()
	maps.Copy(both.mappings, s.ofActions.mappings)
	if s.ofActions.audience != "" {
		both.audience = s.ofActions.audience
	}
	if s.ofActions.recipient != "" {
		both.recipient = s.ofActions.recipient
	}
	if s.ofActions.probes != nil {
		both.probes = s.ofActions.probes
	}
	return both
}

// noteSAML keeps what a rule has said until the last rule has run.
func (r *run) noteSAML(c *changes, user *delegation.User, rc *delegation.RuleContext) {
	s := r.shared
	if c.samlUnused {
		rc.Warn(warnedUnused, fmt.Sprintf("the rule %q sets context.samlConfiguration, which has "+
			"no effect: it is for Auth0's SAML add-on. Set Options.SAMLConfiguration, "+
			"saml_configuration: aws, to apply it", r.name))
	}
	switch {
	case c.samlOfAction != nil:
		s.saml.ofActions = c.samlOfAction
		maps.Copy(s.saml.values, c.values)
	case c.saml != nil:
		s.saml.ofRules = c.saml
	default:
		return
	}
	s.answersForSAML(r.name, user, rc)
}

// answersForSAML notes who has said something of the SAML response last. That is put into effect
// after the last rule, and an error is one of this rule.
func (s *shared) answersForSAML(rule string, user *delegation.User, rc *delegation.RuleContext) {
	s.saml.by = rule
	rc.AfterRules(func() error {
		if s.saml.by != rule {
			return nil
		}
		if err := s.applySAML(user, rc); err != nil {
			return s.ran[len(s.ran)-1].options.hiddenError(err)
		}
		return nil
	})
}

// applySAML puts into effect what was said of the SAML response. To do it twice does the same.
func (s *shared) applySAML(user *delegation.User, rc *delegation.RuleContext) *Error {
	said := s.saml.merged()
	if said == nil {
		return nil
	}
	for attribute, value := range s.saml.values {
		user.Set(literal(attribute), value)
	}
	session := &samlSession{
		samlConfiguration: said,
		began:             &s.saml.began,
		user:              user,
		rc:                rc,
		hidden:            s.ran[len(s.ran)-1].options.hidden,
	}
	if err := session.apply(); err != nil {
		return &Error{Rule: s.saml.by, Err: err}
	}
	return nil
}

// samlSession turns a samlConfiguration into the settings of a session.
type samlSession struct {
	*samlConfiguration
	began *delegation.AWS
	user  *delegation.User
	rc    *delegation.RuleContext
	// hidden hides the values of the configuration in a text.
	hidden func(string) string
}

func (s *samlSession) apply() error {
	if s.audience != "" {
		s.rc.SAMLAudience = s.audience
	}
	if s.recipient != "" {
		s.rc.SAMLRecipient = s.recipient
	}
	if err := s.chooseNameID(); err != nil {
		return err
	}
	for _, attribute := range slices.Sorted(maps.Keys(s.mappings)) {
		if attribute == delegation.AttributeNameIdentifier {
			continue
		}
		if err := s.place(attribute, s.mappings[attribute]); err != nil {
			return err
		}
	}
	return nil
}

// errSAML is an error about the samlConfiguration as a whole.
func errSAML(format string, args ...any) error {
	return errors.New(samlPath + ": " + short(fmt.Sprintf(format, args...)))
}

// place makes a mapping of the exchange from one of the samlConfiguration. What rules have written
// to context.addonConfiguration.aws wins over the mapping, and the mapping over the target.
func (s *samlSession) place(attribute, property string) error {
	aws := &s.rc.AWS
	own := s.own(attribute, property)
	now := aws.Mappings[attribute]
	if now != "" && now != own && now != s.began.Mappings[attribute] {
		return errSAML("maps %.120q to %.120q, and addonConfiguration.aws to %.120q",
			attribute, property, now)
	}
	values := s.texts(property)
	if attribute == delegation.AttributeRole {
		if err := s.checkRole(property, values); err != nil {
			return err
		}
	} else if len(values) > 0 {
		s.clear(attribute)
	} else {
		s.rc.Warn(warnedMissing, s.hidden(fmt.Sprintf("%s maps %.120q to %.120q, which the user "+
			"has no value for: the attribute is not sent", samlPath, attribute, property)))
	}
	s.addMapping(attribute, own)
	return nil
}

// addMapping adds a mapping to a copy: a rule may share the map that it put there.
func (s *samlSession) addMapping(attribute, property string) {
	mappings := maps.Clone(s.rc.AWS.Mappings)
	if mappings == nil {
		mappings = delegation.Mappings{}
	}
	mappings[attribute] = property
	s.rc.AWS.Mappings = mappings
}

// own returns the property that a mapping reads. The library's mappings have names of their own for
// role and session name, which the SAML add-on did not have: a property of such a name is copied.
func (s *samlSession) own(attribute, property string) string {
	if property != "awsrole" && property != "rolesessionname" {
		return property
	}
	name := literal(attribute)
	s.user.Set(name, s.user.Properties[property])
	return name
}

// literal returns the name of the property that holds the value of an attribute itself.
func literal(attribute string) string { return "samlResponse:" + attribute }

// texts returns the texts of a property. There are none if it is absent or has another type.
func (s *samlSession) texts(property string) []string {
	value, _ := s.user.Value(property)
	texts, _ := jsonvalue.Texts(value)
	return texts
}

// checkRole refuses to guess between several answers to which role is meant. Of several roles, the
// target's counts, or the one that rules have chosen in addonConfiguration.aws.
func (s *samlSession) checkRole(property string, pairs []string) error {
	chosen := s.rc.AWS.Role
	if len(pairs) == 1 {
		role, _ := roleAndPrincipal(pairs[0])
		if chosen != s.began.Role && role != chosen {
			return errSAML("gives the role %.200q, and addonConfiguration.aws the role %.200q",
				role, chosen)
		}
		return nil
	}
	principals := map[string]bool{}
	for _, pair := range pairs {
		if role, principal := roleAndPrincipal(pair); role == chosen {
			principals[principal] = true
		}
	}
	if len(principals) > 1 {
		return errSAML("%.120q has several SAML providers for the role %.200q", property, chosen)
	}
	return nil
}

// roleAndPrincipal reads a value of the attribute Role. AWS takes the pair in either order.
func roleAndPrincipal(pair string) (role, principal string) {
	role, principal, _ = strings.Cut(pair, ",")
	if strings.Contains(role, ":saml-provider/") {
		return principal, role
	}
	return role, principal
}

// clear removes a setting that the target has and no rule has changed, so that the mapping counts.
func (s *samlSession) clear(attribute string) {
	aws := &s.rc.AWS
	switch attribute {
	case delegation.AttributeRoleSessionName:
		if aws.SessionName == s.began.SessionName {
			aws.SessionName = ""
		}
	case delegation.AttributeSessionDuration:
		if aws.SessionDuration == s.began.SessionDuration {
			aws.SessionDuration = 0
		}
	case delegation.AttributeSourceIdentity:
		if aws.SourceIdentity == s.began.SourceIdentity {
			aws.SourceIdentity = ""
		}
	case delegation.AttributeTransitiveTagKeys:
		if slices.Equal(aws.TransitiveTagKeys, s.began.TransitiveTagKeys) {
			aws.TransitiveTagKeys = nil
		}
	}
	key, isTag := strings.CutPrefix(attribute, delegation.AttributePrincipalTag)
	if before, had := s.began.Tags[key]; isTag && had && aws.Tags[key] == before {
		aws.Tags = maps.Clone(aws.Tags)
		delete(aws.Tags, key)
	}
}

// defaultProbes are those of Auth0's SAML add-on, and the properties that it maps to them.
var defaultProbes = []string{delegation.AttributeNameIdentifier, attributeMail, attributeName}

func (s *samlSession) probed(attribute string) (property string, ok bool) {
	if property, ok := s.mappings[attribute]; ok {
		return property, true
	}
	switch attribute {
	case delegation.AttributeNameIdentifier:
		return "user_id", true
	case attributeMail:
		return "email", true
	case attributeName:
		return "name", true
	}
	return "", false
}

// chooseNameID sets the NameID as the SAML add-on would: it is the first of the probes that the
// user has a value for. Another NameID than the token's sub changes who ${saml:sub} is in policies,
// so it needs a setting of its own, NameIDFromMapping.
func (s *samlSession) chooseNameID() error {
	_, mapped := s.mappings[delegation.AttributeNameIdentifier]
	probes := s.probes
	if probes == nil {
		if !mapped {
			return nil
		}
		probes = defaultProbes
	}
	for _, probe := range probes {
		property, known := s.probed(probe)
		if !known {
			return errSAML("nameIdentifierProbes has %.120q, which is in no mapping", probe)
		}
		values := s.texts(property)
		if len(values) == 0 || len(values) == 1 && values[0] == "" {
			continue
		}
		return s.useAsNameID(property, values)
	}
	return errSAML("the user has no value for any of the probes of the NameID: %s",
		strings.Join(probes, ", "))
}

func (s *samlSession) useAsNameID(property string, values []string) error {
	sub := s.texts("sub")
	if (property == "user_id" || property == "sub") && slices.Equal(values, sub) {
		return nil // as it is anyway
	}
	if property == "email" && !s.user.Bool("email_verified") {
		return errSAML("the NameID would be an email address that is not verified")
	}
	if !s.rc.AWS.NameIDFromMapping {
		return errSAML("the NameID would be the user's %.120q and not the token's sub: set "+
			"context.addonConfiguration.aws.nameIDFromMapping to true if policies that read "+
			"${saml:sub} mean that", property)
	}
	if s.rc.AWS.NameID == s.began.NameID {
		s.rc.AWS.NameID = ""
	}
	s.addMapping(delegation.AttributeNameIdentifier, property)
	return nil
}
