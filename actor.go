package delegation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/seed055b7978/delegation/internal/freshness"
	"github.com/seed055b7978/delegation/internal/idtoken"
	"github.com/seed055b7978/delegation/internal/jsonvalue"
	"github.com/seed055b7978/delegation/internal/session"
)

// Actor is who acts for the user, such as an agent (RFC 8693 §1.1). It comes from the claim act of
// the user's token, or from the token of [WithActorToken].
type Actor struct {
	// Issuer is the namespace of Subject: the issuer of the actor token, or the iss of act. If act
	// has no iss, it is the issuer of the user's token.
	Issuer string
	// Subject names the actor at Issuer.
	Subject string
	// ClientID is the application of the actor token, or the client_id of act. Empty: unknown.
	ClientID string
	// Claims are the claims of the actor token, or of act without a nested act. Earlier actors do
	// not influence the decision (RFC 8693 §4.1).
	Claims map[string]any
}

// clone returns a copy that rules may change. nil: nil.
func (a *Actor) clone() *Actor {
	if a == nil {
		return nil
	}
	c := *a
	c.Claims = jsonvalue.CloneObject(a.Claims)
	return &c
}

// is tells whether both name the same party. A client that only one of them names tells nothing.
func (a *Actor) is(other *Actor) bool {
	if a.Issuer != other.Issuer || a.Subject != other.Subject {
		return false
	}
	return a.ClientID == "" || other.ClientID == "" || a.ClientID == other.ClientID
}

// ActorPlace is where a session shows the actor.
type ActorPlace string

// The places. With each of them, the session's name shows the user.
const (
	// ActorInSessionName appends the actor to the session's name, as USER,by=ACTOR. CloudTrail
	// shows the name in every event. A name that is too long or has invalid characters is shortened
	// and ends with a hash.
	ActorInSessionName ActorPlace = "session_name"
	// ActorInTag sets the session tag Actors.TagKey. Policies read it as aws:PrincipalTag/KEY.
	// CloudTrail shows tags only in the event of AssumeRoleWithSAML.
	ActorInTag ActorPlace = "tag"
	// ActorInSourceIdentity sets the source identity, which CloudTrail shows in every event. The
	// role's trust policy must allow sts:SetSourceIdentity. A target with a Chain cannot have it:
	// the last role knows users by the source identity alone.
	ActorInSourceIdentity ActorPlace = "source_identity"
)

// Actors says who may act for users of a target, and how their sessions differ.
//
// An actor that the claim act of the user's token names is accepted, because the issuer has signed
// it. The actor of an actor token is accepted if it is Listed, or if the claim may_act of the
// user's token names it (RFC 8693 §4.4): sub in may_act must be the actor's subject, iss its
// issuer (by default the issuer of the user's token) and client_id its client. Every other member
// must equal the claim of that name in the actor token. If act and an actor token are both present,
// they must name the same party.
type Actors struct {
	// Listed are actors that may act for every user of the target with their own tokens. Empty:
	// only actors that the user's token names.
	Listed []ListedActor
	// OnlyListed refuses every actor that is not in Listed, even if the user's token names it.
	OnlyListed bool

	// Audiences are the audiences for which an actor token must be issued: one of them is enough.
	// The token's client must be one of these, one of the target's Audiences or AuthorizedParties,
	// ListedActor.ClientID, or the actor itself. Empty: the actor token must be allowed to call the
	// target itself.
	Audiences []string

	// Place is where a session shows the actor. Empty: [ActorInSessionName].
	Place ActorPlace
	// TagKey is the key of [ActorInTag]. Empty: Actor.
	TagKey string

	// SessionDuration is the longest session of an actor, from 15 minutes to 12 hours. The target,
	// rules and mappings can shorten it but not extend it, because their durations are meant for
	// users. Zero: 15 minutes, AWS's minimum.
	SessionDuration time.Duration
}

// ListedActor is an actor that a target lists.
type ListedActor struct {
	// Issuer is the issuer of the actor's tokens (Issuer.URL, or the URL of a tenant), or the iss
	// in act. It is required.
	Issuer string
	// Subject is the sub of the actor. It is required.
	Subject string
	// ClientID is the application that the actor uses. Empty: any application.
	ClientID string
	// Name is the actor's name in sessions: 2 to 32 characters of [\w+=.@-]. Empty: Subject.
	Name string
}

const defaultActorTag = "Actor"

// clone returns a copy that shares nothing that could be changed. nil: nil.
func (a *Actors) clone() *Actors {
	if a == nil {
		return nil
	}
	c := *a
	c.Listed = slices.Clone(a.Listed)
	c.Audiences = slices.Clone(a.Audiences)
	return &c
}

// checkActors checks the target's Actors.
func (t *Target) checkActors(problems *problems) {
	if t.Actors == nil {
		return
	}
	if err := t.Actors.check(t); err != nil {
		problems.add("Actors: %w", err)
	}
}

// check checks the fields, and those of the target that go with them.
func (a *Actors) check(t *Target) error {
	var problems problems
	if a.OnlyListed && len(a.Listed) == 0 {
		problems.add("OnlyListed is set, and no actor is listed: list one")
	}
	for n := range a.Listed {
		if err := a.checkListed(n); err != nil {
			problems.add("Listed[%d]: %w", n, err)
		}
	}
	if slices.Contains(a.Audiences, "") {
		problems.add("Audiences has an empty entry")
	}
	places := []ActorPlace{"", ActorInSessionName, ActorInTag, ActorInSourceIdentity}
	if !slices.Contains(places, a.Place) {
		problems.add("Place %.40q is none of %s, %s, %s", a.Place,
			ActorInSessionName, ActorInTag, ActorInSourceIdentity)
	}
	// saml:sub is known in the sessions of the first role alone. See setChain.
	if a.Place == ActorInSourceIdentity && len(t.Chain) > 0 {
		problems.add("Place is %s, and the last role of a Chain knows users by their source "+
			"identity alone: set it to %s or %s",
			ActorInSourceIdentity, ActorInTag, ActorInSessionName)
	}
	if a.TagKey != "" && a.Place != ActorInTag {
		problems.add("TagKey is only for the place %s", ActorInTag)
	}
	if a.Place == ActorInTag && slices.Contains(t.DroppableTags, a.tagKey()) {
		problems.add("TagKey %.80q is among the droppable tags: remove it there", a.tagKey())
	}
	d := a.SessionDuration
	if d != 0 && (d < minSession || d > maxSession || d%time.Second != 0) {
		problems.add("SessionDuration is %s, which is not 15m to 12h in whole seconds", d)
	}
	if len(t.Chain) > 0 && d > maxChainedSession {
		problems.add("SessionDuration is %s, and AWS allows a role at the end of a Chain at "+
			"most %s", d, maxChainedSession)
	}
	return errors.Join(problems...)
}

// checkListed checks an entry of Listed.
func (a *Actors) checkListed(n int) error {
	entry := a.Listed[n]
	if entry.Issuer == "" || entry.Subject == "" {
		return errors.New("it needs an issuer and a subject")
	}
	if name := entry.Name; name != "" && !session.ValidPart(name) {
		return errors.New("the name does not have 2 to 32 letters, digits and _+=.@-")
	}
	for _, other := range a.Listed[:n] {
		if other.Issuer == entry.Issuer && other.Subject == entry.Subject {
			return errors.New("it is listed twice")
		}
		if other.text() == entry.text() {
			return errors.New("sessions would show it under the same name as another: " +
				"give it a Name")
		}
	}
	return nil
}

// text is how sessions show the actor, before it is made safe.
func (l *ListedActor) text() string { return cmp.Or(l.Name, l.Subject) }

func (a *Actors) place() ActorPlace { return cmp.Or(a.Place, ActorInSessionName) }

func (a *Actors) tagKey() string { return cmp.Or(a.TagKey, defaultActorTag) }

// longest is the longest session of an actor.
func (a *Actors) longest() time.Duration { return cmp.Or(a.SessionDuration, minSession) }

// listed returns the entry of an actor. nil: it is not listed.
func (a *Actors) listed(actor *Actor) *ListedActor {
	for i := range a.Listed {
		entry := &a.Listed[i]
		if entry.Issuer == actor.Issuer && entry.Subject == actor.Subject &&
			(entry.ClientID == "" || entry.ClientID == actor.ClientID) {
			return entry
		}
	}
	return nil
}

// WithActorToken passes the token of an actor, such as an agent, that acts for the user (RFC 8693
// §2.1). It is an ID token or an access token of a configured issuer, and is verified like the
// user's token. It may be a token that an application got for itself. The target must have
// Target.Actors, which says who may act: otherwise the exchange is refused with
// [CodeActorNotAllowed]. An empty token is refused with [CodeActorInvalid]. If the option is given
// several times, the last one applies.
//
// With Config.Replay, the user's token can be used once. The actor's token can be used for several
// users.
func WithActorToken(token string) ExchangeOption {
	return func(o *exchangeOptions) {
		o.ask().actorToken = token
		o.ask().hasActorToken = true
	}
}

// acting is the actor of an exchange, and what comes with it.
type acting struct {
	*Actor
	// claims are those of the actor token. nil: the actor is that of act.
	claims *idtoken.Claims
	// place and text are how the session shows the actor.
	place  ActorPlace
	text   string
	tagKey string
	// longest is the longest session.
	longest time.Duration
}

// noteActorToken tells the event which actor token came, whatever becomes of the exchange.
func (x *exchange) noteActorToken() {
	if token := x.options.asked().actorToken; token != "" {
		x.event.note().ActorTokenSHA256 = hexSHA256(token)
	}
}

// findActor finds out who acts for the user, and checks that the target lets them. The user may
// call the target.
func (x *exchange) findActor(ctx context.Context) error {
	claimed, err := x.claimedActor()
	if err != nil {
		return err
	}
	if claimed == nil && !x.options.asked().hasActorToken {
		return nil
	}
	x.showActor(claimed)
	actors := x.target.Actors
	if actors == nil {
		return newError(CodeActorNotAllowed,
			"an actor acts for the user, and the target %.80q allows no actors", x.targetName)
	}
	acting := &acting{
		Actor:   claimed,
		place:   actors.place(),
		tagKey:  actors.tagKey(),
		longest: actors.longest(),
	}
	if x.options.asked().hasActorToken {
		if err := x.verifyActor(ctx, acting); err != nil {
			return err
		}
		if claimed != nil && !claimed.is(acting.Actor) {
			return newError(CodeActorMismatch,
				"act of the user's token names %.80q of %.200q, and the actor token is of %.80q "+
					"of %.200q", claimed.Subject, claimed.Issuer, acting.Subject, acting.Issuer)
		}
	}
	if err := x.admitActor(actors, acting, claimed != nil); err != nil {
		return err
	}
	x.actor = acting
	return nil
}

// showActor tells the event who acts.
func (x *exchange) showActor(a *Actor) {
	if a == nil {
		return
	}
	noted := x.event.note()
	noted.ActorIssuer = a.Issuer
	noted.ActorSubject = a.Subject
	noted.ActorClientID = a.ClientID
}

// claimedActor reads act of the user's token. The outermost is the actor; those within it acted
// before, and are noted for the event.
func (x *exchange) claimedActor() (*Actor, error) {
	value := x.claims.All["act"]
	if value == nil {
		return nil, nil
	}
	act, _ := value.(map[string]any)
	actor, err := x.partyOf("act", act)
	if err != nil {
		return nil, err
	}
	x.event.note().PriorActors = priorActors(act["act"])
	return actor, nil
}

// maxPriorActors is how many actors before the one that counts an event has.
const maxPriorActors = 10

// priorActors names the actors that a nested act tells of, the latest first.
func priorActors(value any) []string {
	var names []string
	for len(names) < maxPriorActors {
		act, ok := value.(map[string]any)
		if !ok {
			return names
		}
		subject, _ := act["sub"].(string)
		if issuer, _ := act["iss"].(string); issuer != "" {
			subject = issuer + " " + subject
		}
		names = append(names, printable(subject, maxEventTarget))
		value = act["act"]
	}
	return names
}

// partyOf reads the members that name a party in act or may_act.
func (x *exchange) partyOf(claim string, members map[string]any) (*Actor, error) {
	text := func(name string, required bool) (string, error) {
		value := members[name]
		if value == nil && !required {
			return "", nil
		}
		s, _ := value.(string)
		if s == "" {
			return "", newError(CodeActorInvalid,
				"%s of the user's token has no %s that is a string", claim, name)
		}
		return s, nil
	}
	subject, err := text("sub", true)
	if err != nil {
		return nil, err
	}
	issuer, err := text("iss", false)
	if err != nil {
		return nil, err
	}
	client, err := text("client_id", false)
	if err != nil {
		return nil, err
	}
	if issuer == "" {
		issuer = x.claims.Issuer
	} else if name, known := x.tokens.Known(issuer); known {
		issuer = name // an alias is the same issuer
	}
	own := maps.Clone(members)
	delete(own, "act")
	return &Actor{Issuer: issuer, Subject: subject, ClientID: client, Claims: own}, nil
}

// verifyActor verifies the actor token, and checks that it is for this target.
func (x *exchange) verifyActor(ctx context.Context, acting *acting) error {
	token := x.options.asked().actorToken
	if token == "" {
		return newError(CodeActorInvalid, "the actor token is empty")
	}
	x.lap(StageTarget)
	claims, err := x.tokens.VerifyActor(ctx, token, idtoken.Digest(token))
	x.lap(StageToken)
	if err != nil {
		return ofActor(tokenError(err))
	}
	if err := checkKind(x.options.asked().actorKind, claims); err != nil {
		return ofActor(err)
	}
	if claims.All["act"] != nil {
		return newError(CodeActorInvalid,
			"the actor token has the claim act: an actor must not have an actor of its own")
	}
	acting.claims = claims
	acting.Actor = &Actor{
		Issuer:   claims.Issuer,
		Subject:  claims.Subject,
		ClientID: claims.Client,
		Claims:   claims.All,
	}
	x.showActor(acting.Actor)
	if _, err := checkRequired(x.issuerClaims[claims.Entry], claims.All); err != nil {
		return ofActor(err)
	}
	return x.takesActorToken(claims, x.target.Actors.listed(acting.Actor))
}

// takesActorToken checks that an actor token was issued for this target, so that nobody can use
// one that an actor sent elsewhere.
func (x *exchange) takesActorToken(claims *idtoken.Claims, entry *ListedActor) error {
	actors := x.target.Actors
	if len(actors.Audiences) == 0 {
		only := len(x.config.Issuers) == 1
		issuer := x.config.issuerOf(claims)
		return ofActor(x.target.mayCall(x.targetName, claims, only, issuer))
	}
	ours := func(audience string) bool { return slices.Contains(actors.Audiences, audience) }
	if !slices.ContainsFunc(claims.Audience, ours) {
		return newError(CodeActorNotAllowed,
			"the actor token is for %.200q, which is none of the target %.80q: its audiences of "+
				"actor tokens are %s", strings.Join(claims.Audience, " "), x.targetName,
			named(actors.Audiences))
	}
	clients := slices.Concat(actors.Audiences, x.target.audiencesFor(x.targetName),
		x.target.AuthorizedParties)
	self := claims.AppOnly || claims.Subject == claims.Client
	if self || slices.Contains(clients, claims.Client) ||
		entry != nil && entry.ClientID == claims.Client {
		return nil
	}
	return newError(CodeActorNotAllowed,
		"the actor token was issued to the application %.80q, which is none of those whose "+
			"actor tokens the target %.80q accepts", claims.Client, x.targetName)
}

// admitActor checks that the actor may act for this user of the target.
func (x *exchange) admitActor(actors *Actors, acting *acting, claimed bool) error {
	entry := actors.listed(acting.Actor)
	allowed := entry != nil || claimed && !actors.OnlyListed
	if !allowed && !actors.OnlyListed {
		named, err := x.mayActNames(acting)
		if err != nil {
			return err
		}
		allowed = named
	}
	if !allowed {
		return newError(CodeActorNotAllowed,
			"%.80q of %.200q may not act for users of the target %.80q: it is not listed, and "+
				"may_act of the user's token does not name it",
			acting.Subject, acting.Issuer, x.targetName)
	}
	acting.text = x.actorText(acting.Actor, entry)
	if entry == nil && slices.ContainsFunc(actors.Listed, func(l ListedActor) bool {
		return l.text() == acting.text
	}) {
		return newError(CodeActorNotAllowed,
			"%.80q of %.200q would be shown like a listed actor in sessions of the target %.80q",
			acting.Subject, acting.Issuer, x.targetName)
	}
	return nil
}

// actorText is how the session shows the actor. One of another issuer than the user's is shown with
// it, unless the target lists the actor.
func (x *exchange) actorText(actor *Actor, entry *ListedActor) string {
	switch {
	case entry != nil:
		return entry.text()
	case actor.Issuer == x.claims.Issuer && len(x.target.Issuers) < 2 &&
		x.claims.Issuer == x.claims.Entry:
		return actor.Subject
	}
	return actor.Issuer + " " + actor.Subject
}

// mayActNames tells whether may_act of the user's token names the party of the actor token.
func (x *exchange) mayActNames(acting *acting) (bool, error) {
	value := x.claims.All["may_act"]
	if value == nil || acting.claims == nil {
		return false, nil
	}
	members, _ := value.(map[string]any)
	party, err := x.partyOf("may_act", members)
	if err != nil {
		return false, err
	}
	if party.Issuer != acting.Issuer || party.Subject != acting.Subject ||
		party.ClientID != "" && party.ClientID != acting.ClientID {
		return false, nil
	}
	for name, want := range members {
		switch name {
		case "iss", "sub", "client_id":
			continue
		}
		if !reflect.DeepEqual(acting.claims.All[name], want) {
			return false, nil
		}
	}
	return true, nil
}

// show has the session show the actor, and limits its duration. It comes after rules and mappings,
// which so cannot hide the actor. nil: nobody acts.
func (a *AWS) show(actor *acting) error {
	if actor == nil {
		return nil
	}
	if a.SessionDuration == 0 || a.SessionDuration > actor.longest {
		a.SessionDuration = actor.longest
	}
	name := session.SafeName(actor.text)
	switch actor.place {
	case ActorInTag:
		return a.showInTag(actor.tagKey, name)
	case ActorInSourceIdentity:
		if a.SourceIdentity != "" && a.SourceIdentity != name {
			return newError(CodeActorConflict,
				"the source identity is %.80q, and the target shows the actor there",
				a.SourceIdentity)
		}
		a.SourceIdentity = name
	}
	return nil
}

// showInTag sets the tag of the actor. Keys of tags are compared without case, as AWS does.
func (a *AWS) showInTag(key, name string) error {
	for other, value := range a.Tags {
		if strings.EqualFold(other, key) && (other != key || value != name) {
			return newError(CodeActorConflict,
				"the tag %.80q is set, and the target shows the actor there", other)
		}
	}
	if slices.Contains(a.DroppableTags, key) {
		return newError(CodeActorConflict,
			"the tag %.80q may be dropped, and the target shows the actor there", key)
	}
	a.Tags[key] = name
	if len(a.TransitiveTagKeys) > 0 && !slices.Contains(a.TransitiveTagKeys, key) {
		a.TransitiveTagKeys = append(slices.Clone(a.TransitiveTagKeys), key)
	}
	return nil
}

// setNames sets the session's name, with the actor in it if the target shows it there. Where it
// does, no user without an actor gets a name that looks like one with an actor.
func (d *decision) setNames(user string, target *Target, actor *acting, strict bool) error {
	if target.Actors == nil || target.Actors.place() != ActorInSessionName {
		return d.setSessionName(user, strict)
	}
	if actor == nil && strict {
		if session.ShowsTwo(user) {
			return newError(CodeSessionNameInvalid,
				"the session name %.80q looks like that of a user for whom an actor acts", user).
				overTexts(user)
		}
		return d.setSessionName(user, strict)
	}
	if actor == nil {
		d.sessionName = session.NameOfOne(user)
		return nil
	}
	name, exact := session.NameOfTwo(user, actor.text)
	if strict && !exact {
		return newError(CodeSessionNameInvalid,
			"AWS does not accept the session name of the user %.80q and the actor %.80q",
			user, actor.text).overTexts(user)
	}
	d.sessionName = name
	return nil
}

// marksOfActor returns the keys of all marks that can end the actor's session. If the actor is
// known only from the claim act, its session is unknown, so it is treated as a token without a sid.
// Its client is that of the user's token, which has the claim: no other client's secret ends it.
func (x *exchange) marksOfActor() []freshness.Key {
	a := x.actor
	if a.claims != nil {
		return marksOfToken(a.claims)
	}
	of := &idtoken.Claims{
		Issuer:  a.Issuer,
		Entry:   cmp.Or(x.tokens.Entry(a.Issuer), a.Issuer),
		Subject: a.Subject,
	}
	if a.Issuer == x.claims.Issuer {
		of.Client = x.claims.Client
	}
	return marksOfToken(of)
}

// ofActor says of an error that it is about the actor's token, unless the caller's context ended.
// nil: nil.
func ofActor(err error) error {
	e, ours := err.(*Error)
	if ours && e.Code != CodeCanceled {
		e.Err = fmt.Errorf("the actor's token: %w", e.Err)
	}
	return err
}
