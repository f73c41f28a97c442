//go:build soak

package soak

import (
	"cmp"
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/seed055b7978/delegation"
)

// The SAML providers in IAM, one for each entity ID, in an account each.
const (
	mainEntity = "urn:soak:main"
	ownEntity  = "urn:soak:own"

	mainPrincipal = "arn:aws:iam::111111111111:saml-provider/main"
	ownPrincipal  = "arn:aws:iam::222222222222:saml-provider/own"
	ownUUID       = "SAMLSPSOAK000000000001" // wants encrypted assertions
)

// The issuers. Their users have the same subjects, and are others all the same.
const (
	east = iota
	west
	issuers
)

const (
	usersPerIssuer = 9
	noTeam         = usersPerIssuer // the number of a user whom the rule denies
)

var teams = []string{"red", "green", "blue"}

// user is a user of one issuer.
type user struct {
	issuer int
	number int
}

func (u user) subject() string { return fmt.Sprintf("auth0|user-%d", u.number) }
func (u user) team() string    { return teams[u.number%len(teams)] }

// claims are what the issuer says of the user to a client.
func (u user) claims(client string) map[string]any {
	claims := map[string]any{"sub": u.subject(), "aud": client, "tenant": "soak"}
	if u.number != noTeam {
		claims["team"] = u.team()
	}
	return claims
}

// target is one target and what the model says of it. The model is written down apart from the
// rule: what the two have in common is this table's strings, and nothing that decides.
type target struct {
	name      string
	issuers   []int
	clients   []string
	region    string
	failover  []string
	duration  time.Duration
	principal string
	entity    string
	want      func(u user, client string, w *want)
}

// want is all that AWS may be asked for one user, target and client.
type want struct {
	role           string
	principal      string
	entity         string
	nameID         string
	sessionName    string
	sourceIdentity string
	policy         string
	policyARNs     []string
	tags           map[string]string
	transitive     []string
	duration       time.Duration
	recipient      string
	regions        []string
}

const (
	web    = "web"
	mobile = "mobile"
	batch  = "batch"
	nobody = "nobody" // no target lists it
)

var readOnly = "arn:aws:iam::aws:policy/ReadOnlyAccess"

// targets differ in what tells users apart: the NameID only (plain), nothing that AWS sees (team),
// tags and names (tagged), the session policy, in an encrypted assertion (folder), the role (roles)
// and the issuer (both).
var targets = []*target{
	{
		name: "plain", issuers: []int{east}, clients: []string{web, mobile}, region: "eu-central-1",
		failover: []string{"eu-west-1"}, duration: time.Hour,
		principal: mainPrincipal, entity: mainEntity,
		want: func(u user, _ string, w *want) {
			w.role = "arn:aws:iam::111111111111:role/plain"
			w.nameID = u.subject()
			w.sessionName = "plain"
		},
	},
	{
		name: "team", issuers: []int{east}, clients: []string{web}, region: "eu-central-1",
		duration: time.Hour, principal: mainPrincipal, entity: mainEntity,
		want: func(u user, _ string, w *want) {
			w.role = "arn:aws:iam::111111111111:role/team"
			w.nameID = "team:" + u.team()
			w.sessionName = u.team()
		},
	},
	{
		name: "tagged", issuers: []int{east}, clients: []string{web, mobile}, region: "eu-west-3",
		failover: []string{"eu-central-1"}, duration: 15 * time.Minute,
		principal: mainPrincipal, entity: mainEntity,
		want: func(u user, client string, w *want) {
			w.role = "arn:aws:iam::111111111111:role/deep/path/tagged"
			w.nameID = u.subject()
			w.sessionName = "user-" + fmt.Sprint(u.number)
			w.sourceIdentity = w.sessionName
			w.tags = map[string]string{"team": u.team(), "client": client}
			w.transitive = []string{"team"}
		},
	},
	{
		name: "folder", issuers: []int{east}, clients: []string{web, mobile},
		region:   "eu-central-1",
		duration: 30 * time.Minute, principal: ownPrincipal, entity: ownEntity,
		want: func(u user, client string, w *want) {
			w.role = "arn:aws:iam::222222222222:role/folder"
			w.nameID = u.subject()
			w.sessionName = "folder"
			w.policy = folderPolicy(client, u.subject())
			w.policyARNs = []string{readOnly}
			w.recipient += "/acs/" + ownUUID
		},
	},
	{
		name: "roles", issuers: []int{west}, clients: []string{batch, web}, region: "eu-west-1",
		duration: 2 * time.Hour, principal: mainPrincipal, entity: mainEntity,
		want: func(u user, _ string, w *want) {
			w.role = "arn:aws:iam::111111111111:role/" + u.team()
			w.nameID = "west:" + u.subject()
			w.sessionName = "roles"
		},
	},
	{
		name: "both", issuers: []int{east, west}, clients: []string{web}, region: "eu-central-1",
		duration: time.Hour, principal: mainPrincipal, entity: mainEntity,
		want: func(u user, _ string, w *want) {
			w.role = "arn:aws:iam::111111111111:role/both"
			w.nameID = fmt.Sprint(u.issuer) + ":" + u.subject()
			w.sessionName = "both"
		},
	},
}

func folderPolicy(client, subject string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject",` +
		`"Resource":"arn:aws:s3:::soak/` + client + `/` + subject + `/*"}]}`
}

// legal is the model: what a success may be.
func (t *target) legal(u user, client string) want {
	w := want{
		principal: t.principal,
		entity:    t.entity,
		duration:  t.duration,
		regions:   append([]string{t.region}, t.failover...),
		recipient: "https://" + t.region + ".signin.aws.amazon.com/saml",
	}
	t.want(u, client, &w)
	return w
}

// settings is the target as the Delegator has it. The rule adds what depends on the user.
func (t *target) settings(
	urls [issuers]string, own delegation.IdentityProvider, reader *rsa.PublicKey,
) delegation.Target {
	settings := delegation.Target{
		Audiences:               t.clients,
		RequiredClaims:          map[string][]string{"tenant": {"soak"}},
		NameIDTellsIssuersApart: len(t.issuers) > 1,
		AWS: delegation.AWS{
			Principal:       t.principal,
			Region:          t.region,
			FailoverRegions: t.failover,
			SessionDuration: t.duration,
			SessionName:     t.name,
		},
	}
	for _, issuer := range t.issuers {
		settings.Issuers = append(settings.Issuers, urls[issuer])
	}
	if t.entity == ownEntity {
		settings.Identity = &own
		settings.SAMLProviderUUID = ownUUID
		settings.EncryptionKey = string(pem.EncodeToMemory(&pem.Block{
			Type:  "PUBLIC KEY",
			Bytes: must(x509.MarshalPKIXPublicKey(reader)),
		}))
	}
	return settings
}

// assign is the operator's rule.
func (w *world) assign(_ context.Context, u *delegation.User, rc *delegation.RuleContext) error {
	team := u.Text("team")
	if team == "" {
		return delegation.Deny("you are in no team")
	}
	a := &rc.AWS
	switch rc.Target {
	case "plain":
		a.Role = "arn:aws:iam::111111111111:role/plain"
	case "team":
		a.Role = "arn:aws:iam::111111111111:role/team"
		a.NameID = "team:" + team
		a.SessionName = team
	case "tagged":
		a.Role = "arn:aws:iam::111111111111:role/deep/path/tagged"
		a.SessionName = u.Text("identities.0.user_id")
		a.SourceIdentity = u.Text("identities.0.user_id")
		a.Tags = map[string]string{"team": team, "client": rc.ClientID}
		a.TransitiveTagKeys = []string{"team"}
	case "folder":
		a.Role = "arn:aws:iam::222222222222:role/folder"
		a.Policy = folderPolicy(rc.ClientID, u.Text("sub"))
		a.PolicyARNs = []string{readOnly}
	case "roles":
		a.Role = "arn:aws:iam::111111111111:role/" + team
		a.NameID = "west:" + u.Text("sub")
	case "both":
		a.Role = "arn:aws:iam::111111111111:role/both"
		a.NameID = fmt.Sprint(w.issuerOf(rc.Issuer)) + ":" + u.Text("sub")
	default:
		return fmt.Errorf("the rule does not know the target %q", rc.Target)
	}
	return nil
}

// success is what one call handed out, until it is judged.
type success struct {
	ask         ask
	want        want
	began       time.Time // by the clock, before the call
	floor       int64     // only answers to calls to STS from this one on may be handed out
	accessKey   string
	secret      string
	token       string
	account     string
	credentials *delegation.Credentials // nil if a Provider made them
}

// differences compares what a success is with what AWS was asked and with the model, and says what
// is not as it should be.
func (s *success) differences(l *issue) []string {
	var found []string
	differ := func(what string, got, want any) {
		found = append(found, fmt.Sprintf("%s %v, want %v", what, got, want))
	}
	text := func(what, got, want string) {
		if got != want {
			differ(what, got, want)
		}
	}
	w, call := &s.want, &l.call
	text("role asked for", call.RoleARN, w.role)
	text("principal asked for", call.PrincipalARN, w.principal)
	text("subject asserted", call.Subject, w.nameID)
	text("session name asserted", call.SessionName, w.sessionName)
	text("source identity asserted", call.SourceIdentity, w.sourceIdentity)
	text("session policy", call.Policy, w.policy)
	text("account", s.account, strings.Split(w.role, ":")[4])
	text("secret access key", s.secret, l.secret)
	text("session token", s.token, l.token)
	if call.Duration != w.duration {
		differ("duration asked for", call.Duration, w.duration)
	}
	if !slices.Equal(call.PolicyARNs, w.policyARNs) {
		differ("policies", call.PolicyARNs, w.policyARNs)
	}
	if !maps.Equal(call.PrincipalTags, w.tags) {
		differ("tags", call.PrincipalTags, w.tags)
	}
	if !slices.Equal(call.TransitiveTagKeys, w.transitive) {
		differ("transitive tags", call.TransitiveTagKeys, w.transitive)
	}
	if !slices.Contains(w.regions, call.Region) {
		differ("region", call.Region, w.regions)
	}
	if l.until.Before(s.began) || l.until.Equal(s.began) {
		differ("expired at", l.until, s.began)
	}
	if l.call.Status != 200 {
		differ("status", l.call.Status, 200)
	}
	if l.sequence < s.floor {
		differ("invalidated: call to STS", l.sequence, s.floor)
	}
	owner := owner{s.ask.user.issuer, s.ask.user.subject(), s.ask.target.name}
	if l.owner != owner {
		differ("issued for", l.owner, owner)
	}
	if c := s.credentials; c != nil {
		text("subject", c.Subject, w.nameID)
		text("issuer", c.Issuer, w.entity)
		text("audience", c.Audience, w.recipient)
		text("source identity", c.SourceIdentity, w.sourceIdentity)
		text("region of the call", c.Region, call.Region)
		parts := strings.Split(w.role, "/")
		session := parts[len(parts)-1] + "/" + w.sessionName
		text("assumed role", c.AssumedRoleARN,
			"arn:aws:sts::"+strings.Split(w.role, ":")[4]+":assumed-role/"+session)
		if !c.Expiration.Equal(l.until) {
			differ("expiration", c.Expiration, l.until)
		}
	}
	return found
}

// explained compares an Explanation with the model.
func (w *want) explained(e *delegation.Explanation) []string {
	var found []string
	text := func(what, got, want string) {
		if got != want {
			found = append(found, fmt.Sprintf("%s %v, want %v", what, got, want))
		}
	}
	tags := map[string]string{}
	for name, values := range e.Attributes {
		if key, is := strings.CutPrefix(name, delegation.AttributePrincipalTag); is {
			tags[key] = strings.Join(values, ",")
		}
	}
	text("role", e.Role, w.role)
	text("principal", e.Principal, w.principal)
	text("entity ID", e.EntityID, w.entity)
	text("NameID", e.NameID, w.nameID)
	text("session name", e.SessionName, w.sessionName)
	text("source identity", e.SourceIdentity, w.sourceIdentity)
	text("policy", e.Policy, w.policy)
	text("recipient", e.Recipient, w.recipient)
	text("duration", e.Duration.String(), w.duration.String())
	text("regions", strings.Join(e.Regions, " "), strings.Join(w.regions, " "))
	text("policies", strings.Join(e.PolicyARNs, " "), strings.Join(w.policyARNs, " "))
	text("tags", listed(tags), listed(w.tags))
	return found
}

func listed(tags map[string]string) string {
	var list []string
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		list = append(list, key+"="+tags[key])
	}
	return cmp.Or(strings.Join(list, " "), "none")
}
