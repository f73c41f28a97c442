package delegation

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/seed055b7978/delegation/internal/iam"
	"github.com/seed055b7978/delegation/internal/packed"
	"github.com/seed055b7978/delegation/internal/samldoc"
	"github.com/seed055b7978/delegation/internal/session"
)

// AWS's limits: IAM User Guide "IAM and AWS STS quotas" and "Pass session tags in AWS STS", STS API
// Reference, AssumeRoleWithSAML.
const (
	minSession     = 15 * time.Minute
	maxSession     = 12 * time.Hour
	defaultSession = time.Hour
	minRoleMaximum = time.Hour // IAM API Reference, CreateRole, MaxSessionDuration: 1 to 12 hours
	maxNameID      = 256       // SAML Core §8.3.7, in characters
)

// decision is what was decided, checked: everything that AWS will learn.
type decision struct {
	role      arn.ARN
	principal arn.ARN
	chain     []link   // roles that are assumed after role
	regions   []Region // the decided one, then those to fail over to

	nameID      string
	recipient   string
	audience    string
	sessionName string
	duration    time.Duration
	// sessionNotOnOrAfter ends the session however long it may be. Zero: no such end.
	sessionNotOnOrAfter time.Time
	encryptionKey       string // empty: the assertion is not encrypted

	sourceIdentity string
	policy         string
	policyARNs     []string
	tags           map[string]string
	transitive     []string // keys of tags
	droppable      []string // keys of tags
	mapped         []samldoc.Attribute
}

// newDecision makes the decision from what the rules left in a, or refuses it. Whatever rules and
// mappings did is checked here, and nowhere else, on every path. actor is who acts for the user.
func newDecision(
	user *User, subject string, a AWS, target *Target, c *Config, actor *acting,
) (*decision, error) {
	mapped, err := a.applyMappings(user)
	if err != nil {
		return nil, err
	}
	userSourceIdentity := a.SourceIdentity
	if err := a.show(actor); err != nil {
		return nil, err
	}
	d := &decision{
		encryptionKey:  target.EncryptionKey,
		sourceIdentity: a.SourceIdentity,
		policy:         a.Policy,
		policyARNs:     slices.Clone(a.PolicyARNs),
		tags:           a.Tags, // applyMappings has copied them
		transitive:     slices.Clone(a.TransitiveTagKeys),
		droppable:      slices.Clone(a.DroppableTags),
		mapped:         mapped,
	}
	if err := d.setRole(&a, target); err != nil {
		return nil, err
	}
	if err := d.checkEncryption(&a, target.Principal); err != nil {
		return nil, err
	}
	if err := d.setRegions(&a, c); err != nil {
		return nil, err
	}
	d.setAddressee(target)
	if err := d.setNameID(a.NameID, subject, target); err != nil {
		return nil, err
	}
	if err := d.setDuration(a.SessionDuration); err != nil {
		return nil, err
	}
	if err := d.setChain(target, &a, userSourceIdentity); err != nil {
		return nil, err
	}
	name := cmp.Or(a.SessionName, verifiedEmail(user), subject)
	if err := d.setNames(name, target, actor, c.StrictSessionNames); err != nil {
		return nil, err
	}
	if err := d.checkContents(); err != nil {
		return nil, err
	}
	return d, nil
}

// setRole parses role and principal, and checks that they belong together and are allowed.
func (d *decision) setRole(a *AWS, target *Target) error {
	var err error
	d.principal, err = iam.Provider.Parse(a.Principal)
	if err != nil {
		return newError(CodeRoleInvalid, "%w", err).overTexts(append(a.pairs(), a.Principal)...)
	}
	d.role, err = iam.Role.Parse(a.Role)
	if err != nil {
		return newError(CodeRoleInvalid, "%w", err).overTexts(append(a.pairs(), a.Role)...)
	}
	if d.role.AccountID != d.principal.AccountID || d.role.Partition != d.principal.Partition {
		return newError(CodeAccountMismatch,
			"the role %s and the SAML provider %s are of different accounts or partitions",
			d.role, d.principal).
			overTexts(append(a.pairs(), a.Role, a.Principal)...)
	}
	if !target.allows(d.role) {
		return newError(CodeRoleNotAllowed, "the role %s is not allowed for this target", d.role)
	}
	return nil
}

// pairs are role and principal as a mapping of Role may have had them.
func (a *AWS) pairs() []string {
	return []string{a.Role + "," + a.Principal, a.Principal + "," + a.Role}
}

// checkEncryption checks that the chosen principal is the one that can decrypt the assertion.
func (d *decision) checkEncryption(a *AWS, owner string) error {
	if d.encryptionKey == "" || d.principal.String() == owner {
		return nil
	}
	return newError(CodeProviderMismatch, "the target encrypts for %s, and %s was chosen",
		owner, d.principal).
		overTexts(append(a.pairs(), a.Principal)...)
}

// setRegions parses the regions, and checks that they are of the role's partition.
func (d *decision) setRegions(a *AWS, c *Config) error {
	names := append([]string{a.Region}, a.FailoverRegions...)
	regions, err := c.parseRegions(names)
	if err != nil {
		return issueError(err).overTexts(c.oddRegions(names)...)
	}
	region := regions[0]
	if region.Partition() != d.role.Partition {
		return newError(CodeRegionInvalid,
			"the region %s is in the partition %s, the role %s in %s",
			region, region.Partition(), d.role, d.role.Partition).
			overTexts(append(a.pairs(), a.Region, a.Role)...)
	}
	d.regions = regions
	return nil
}

// setAddressee sets recipient and audience from the first region. A trust policy may have
// conditions on the recipient, so it stays the same in whichever region the response is redeemed.
func (d *decision) setAddressee(target *Target) {
	region := d.regions[0]
	d.recipient = target.SAMLRecipient
	if d.recipient == "" {
		d.recipient = region.SAMLRecipient()
	}
	if target.SAMLProviderUUID != "" {
		d.recipient += "/acs/" + target.SAMLProviderUUID
	}
	d.audience = target.SAMLAudience
	if d.audience == "" {
		d.audience = region.SAMLAudience()
	}
}

// addressedBy returns the target with the recipient and the audience that the rules left. Those
// that no rule has changed stay as they are.
func (t *Target) addressedBy(rc *RuleContext) (*Target, error) {
	if rc.SAMLRecipient == t.SAMLRecipient && rc.SAMLAudience == t.SAMLAudience {
		return t, nil
	}
	chosen := *t
	chosen.SAMLAudience = rc.SAMLAudience
	if rc.SAMLRecipient == t.SAMLRecipient {
		return &chosen, nil
	}
	if t.EncryptionKey != "" || t.SAMLProviderUUID != "" {
		return nil, newError(CodeRecipientInvalid,
			"a rule chose the recipient %.200q, and the target's is that of its SAML provider",
			rc.SAMLRecipient).overTexts(rc.SAMLRecipient)
	}
	if rc.SAMLRecipient != "" && !isWebAddress(rc.SAMLRecipient) {
		return nil, newError(CodeRecipientInvalid,
			"a rule chose the recipient %.200q, which is not an http or https URL",
			rc.SAMLRecipient).overTexts(rc.SAMLRecipient)
	}
	chosen.SAMLRecipient = rc.SAMLRecipient
	return &chosen, nil
}

// isWebAddress tells whether a text is an absolute URL of http or https. Amazon Athena and Redshift
// tell their users to take http://localhost.
func isWebAddress(text string) bool {
	address, err := url.Parse(text)
	return err == nil && address.Host != "" &&
		(address.Scheme == "https" || address.Scheme == "http")
}

// setDuration sets the session's duration, AWS's default unless one was chosen.
func (d *decision) setDuration(chosen time.Duration) error {
	d.duration = cmp.Or(chosen, defaultSession)
	if d.duration < minSession || d.duration > maxSession || d.duration%time.Second != 0 {
		return newError(CodeDurationInvalid, "the session duration is %s", d.duration).
			over(d.duration.String(), d.duration.Seconds())
	}
	return nil
}

// setSessionName sets the session's name. A strict one must be valid as it is; any other is made
// so.
func (d *decision) setSessionName(name string, strict bool) error {
	if !strict {
		d.sessionName = session.SafeName(name)
		return nil
	}
	if !session.ValidName(name) {
		return newError(CodeSessionNameInvalid, "AWS does not accept the session name %.80q", name).
			overTexts(name)
	}
	d.sessionName = name
	return nil
}

// checkContents checks what the session carries: source identity, tags and policies.
func (d *decision) checkContents() error {
	// A valid name has no colon, so a source identity cannot begin with aws: either.
	if s := d.sourceIdentity; s != "" && !session.ValidName(s) {
		return newError(CodeSourceIDInvalid, "the source identity is %.80q", s).overTexts(s)
	}
	keys := d.tagKeys(make([]string, 0, session.MaxTags))
	err := session.CheckTags(keys, d.tags, d.transitive, d.droppable)
	if err != nil {
		return newError(CodeTagsInvalid, "%w", err).overTexts(d.oddTags()...)
	}
	if err := session.CheckPolicies(d.policy, d.policyARNs, d.lastRole()); err != nil {
		return newError(CodePolicyInvalid, "%w", err).overTexts(d.oddPolicies()...)
	}
	return nil
}

// tagKeys appends the keys of the tags, in order.
func (d *decision) tagKeys(to []string) []string {
	for key := range d.tags {
		to = append(to, key)
	}
	slices.Sort(to)
	return to
}

// attributes are the assertion's, in the order in which they are sent. With a chain they are those
// of its firstSession.
func (d *decision) attributes() []samldoc.Attribute {
	list := append([]samldoc.Attribute{
		attribute(AttributeRole, d.role.String()+","+d.principal.String()),
		attribute(AttributeRoleSessionName, d.sessionName),
		// The console reads it; a session of the API has DurationSeconds.
		attribute(AttributeSessionDuration, fmt.Sprint(int(d.duration.Seconds()))),
	}, d.mapped...)
	for _, key := range d.tagKeys(nil) {
		list = append(list, attribute(AttributePrincipalTag+key, d.tags[key]))
	}
	if len(d.transitive) > 0 {
		list = append(list, attribute(AttributeTransitiveTagKeys, d.transitive...))
	}
	if d.sourceIdentity != "" {
		list = append(list, attribute(AttributeSourceIdentity, d.sourceIdentity))
	}
	return list
}

func attribute(name string, values ...string) samldoc.Attribute {
	return samldoc.Attribute{Name: name, Values: values}
}

// clone returns a copy whose tags can be dropped without a change to the original's.
func (d *decision) clone() *decision {
	c := *d
	c.tags = maps.Clone(d.tags)
	c.transitive = slices.Clone(d.transitive)
	return &c
}

// sessionARN is what AWS calls the session that is requested. It has the role's name without its
// path (IAM User Guide, "IAM identifiers").
func (d *decision) sessionARN() string {
	role := d.lastRole()
	name := role.Resource[strings.LastIndexByte(role.Resource, '/')+1:]
	return arn.ARN{
		Partition: role.Partition,
		Service:   "sts",
		AccountID: role.AccountID,
		Resource:  "assumed-role/" + name + "/" + d.sessionName,
	}.String()
}

// roleAndDuration names what a role may or may not allow.
func (d *decision) roleAndDuration() string {
	return d.role.String() + " for " + d.duration.String()
}

// packedPercent estimates how much of AWS's space policies and tags take, in percent.
func (d *decision) packedPercent() int { return packed.Percent(d.policy, d.policyARNs, d.tags) }

// dropTags removes as many droppable tags as AWS's message asks for, and returns their keys. It
// does so once: the tags that remain are not droppable any more.
func (d *decision) dropTags(message string) []string {
	policies := packed.PoliciesSize(d.policy, d.policyARNs)
	dropped := session.DropTags(message, d.tags, d.droppable, policies)
	for _, key := range dropped {
		delete(d.tags, key)
	}
	d.transitive = slices.DeleteFunc(d.transitive, func(key string) bool {
		return slices.Contains(dropped, key)
	})
	d.droppable = nil
	return dropped
}
