package delegation

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"time"
	"unsafe"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/seed055b7978/delegation/internal/freshness"
	"github.com/seed055b7978/delegation/internal/guard"
	"github.com/seed055b7978/delegation/internal/idtoken"
	"github.com/seed055b7978/delegation/internal/samldoc"
)

// DecidedNameID is what a decision has as the NameID of a subject.
func DecidedNameID(subject string, target Target) (string, error) {
	var d decision
	if err := d.setNameID("", subject, &target); err != nil {
		return "", err
	}
	return d.nameID, nil
}

// VerifySignature verifies a token's form, algorithm and signature and not its claims: vectors of
// others have payloads that are not claims.
func VerifySignature(raw string, issuer Issuer) error {
	compiled, _, err := issuer.compile(nil)
	if err != nil {
		return err
	}
	c := &Config{
		MaxTokenSize: defaultMaxTokenSize,
		Now:          time.Now,
		Logger:       slog.New(slog.DiscardHandler),
	}
	return tokenError(c.verifier([]idtoken.Issuer{compiled}).
		VerifySignature(context.Background(), issuer.URL, raw))
}

// Verify runs the token side of an exchange alone and returns the token's claims.
func Verify(ctx context.Context, d *Delegator, raw string) (map[string]any, error) {
	c, err := d.tokens.Verify(ctx, raw)
	if err != nil {
		return nil, tokenError(err)
	}
	return c.All, nil
}

// Responder decides for a user of the target, and returns the function that builds and signs the
// response. The session ends at sessionEnd at the latest, unless that is zero.
func Responder(
	p IdentityProvider, target Target, subject string, sessionEnd time.Time,
) (func(context.Context, time.Time, io.Reader) (string, error), error) {
	d, err := newDecision(&User{}, subject, target.AWS, &target, &Config{}, nil)
	if err != nil {
		return nil, err
	}
	d.sessionNotOnOrAfter = sessionEnd
	signers := new(guard.Callees)
	return func(ctx context.Context, now time.Time, random io.Reader) (string, error) {
		response, err := p.respond(ctx, d, now, random, signers)
		if err != nil {
			return "", err
		}
		return response.encoded.Reveal(), nil
	}, nil
}

// DecideForActor decides for a user for whom the actor acts. New has not checked the target.
func DecideForActor(target Target, actor string) error {
	of := &acting{
		Actor:   &Actor{Subject: actor},
		place:   target.Actors.place(),
		text:    actor,
		longest: target.Actors.longest(),
	}
	_, err := newDecision(&User{}, "alice", target.AWS, &target, &Config{}, of)
	return err
}

// Level is how loud a logger gets the exchange that ended so.
func Level(e *Error) slog.Level { return e.level() }

// Concession is what is left of a decision after a call for it took something from its own.
type Concession struct {
	Conceded                   bool // the call asks for less
	Duration, CallDuration     time.Duration
	Tags, CallTags             map[string]string
	Transitive, CallTransitive []string
}

// Concede has a call for an exchange's decision answer to what AWS refused. The decision has the
// tags, of which all are transitive and droppable, and the longest duration.
func Concede(tags map[string]string, refusal error) Concession {
	keys := slices.Sorted(maps.Keys(tags))
	d := &decision{
		duration:   maxSession,
		tags:       tags,
		transitive: slices.Clone(keys),
		droppable:  slices.Clone(keys),
	}
	config := Config{DurationBackOff: true, Now: time.Now}
	x := &exchange{
		Delegator: &Delegator{config: config, durations: config.newDurationBreakers()},
		decision:  d,
	}
	c := x.newCall(record{})
	conceded := c.concede(refusal)
	return Concession{
		Conceded:       conceded,
		Duration:       d.duration,
		CallDuration:   c.decision.duration,
		Tags:           d.tags,
		CallTags:       c.decision.tags,
		Transitive:     d.transitive,
		CallTransitive: c.decision.transitive,
	}
}

// OutcomeOf is the outcome of an exchange with this error.
func OutcomeOf(e *Error) Outcome { return e.outcome() }

// WithoutSignIn returns a copy of what a rule gets that says nothing of the sign-in, and has no
// limit.
func WithoutSignIn(rc *RuleContext) *RuleContext {
	copied := *rc
	copied.signIn = nil
	copied.limit = nil
	return &copied
}

// ErrorOf makes the Error of a code, as this package does.
func ErrorOf(code Code, cause error) *Error { return newError(code, "%w", cause) }

// CacheKeys returns the cache key of a decision in which every field is set, under the name
// "unchanged", and its keys after a change of each thing that the decision holds, or that is in the
// key besides. It finds the decision's fields by itself.
func CacheKeys() map[string]string {
	certificate := &x509.Certificate{Raw: []byte("certificate")}
	d := &decision{}
	x := &exchange{
		Delegator: &Delegator{},
		claims:    &idtoken.Claims{Issuer: "issuer", Subject: "subject"},
		decision:  d,
		target: &Target{
			Identity: &IdentityProvider{
				EntityID: "entity",
				Keys:     []SigningKey{{Certificate: certificate}},
			},
		},
	}
	keys := map[string]string{}
	note := func(name string) { keys[name] = x.cacheKey().String() }
	// Twice through all fields: first to set them, then to change one at a time.
	var walk func(name string, v reflect.Value, leaf func(name string, change func() (undo func())))
	walk = func(name string, v reflect.Value, leaf func(string, func() func())) {
		v = reflect.NewAt(v.Type(), unsafe.Pointer(v.UnsafeAddr())).Elem() // unexported fields too
		set := func(to reflect.Value) func() func() {
			return func() func() {
				old := reflect.ValueOf(v.Interface())
				v.Set(to)
				return func() { v.Set(old) }
			}
		}
		switch at, isTime := v.Interface().(time.Time); {
		case isTime:
			leaf(name, set(reflect.ValueOf(at.Add(time.Nanosecond))))
		case v.Kind() == reflect.String:
			leaf(name, set(reflect.ValueOf(v.String()+"x").Convert(v.Type())))
		case v.CanInt():
			leaf(name, set(reflect.ValueOf(v.Int()+1).Convert(v.Type())))
		case v.Kind() == reflect.Struct:
			for i := range v.NumField() {
				walk(name+"."+v.Type().Field(i).Name, v.Field(i), leaf)
			}
		case v.Kind() == reflect.Slice:
			if v.Len() == 0 {
				v.Set(reflect.MakeSlice(v.Type(), 2, 2))
			}
			for i := range v.Len() {
				walk(fmt.Sprintf("%s[%d]", name, i), v.Index(i), leaf)
			}
			leaf(name+" shorter", set(v.Slice(0, v.Len()-1)))
			leaf(name+" longer", set(reflect.Append(v, reflect.Zero(v.Type().Elem()))))
		case v.Kind() == reflect.Map: // of texts
			if v.Len() == 0 {
				v.Set(reflect.ValueOf(map[string]string{"a": "1", "b": "2"}))
			}
			leaf(name+" by a value, longer",
				set(reflect.ValueOf(map[string]string{"a": "1", "b": "22"})))
			leaf(name+" by a key, longer",
				set(reflect.ValueOf(map[string]string{"a": "1", "bb": "2"})))
			leaf(name+" shorter", set(reflect.ValueOf(map[string]string{"a": "1"})))
			leaf(name+" longer",
				set(reflect.ValueOf(map[string]string{"a": "1", "b": "2", "c": ""})))
		default:
			panic(name + " is of a kind that this test does not know")
		}
	}
	root := reflect.ValueOf(d).Elem()
	walk("decision", root, func(name string, change func() func()) {
		undo := change()
		if len(name) > 7 && (name[len(name)-7:] == "shorter" || name[len(name)-7:] == " longer") {
			undo()
		}
	})
	note("unchanged")
	walk("decision", root, func(name string, change func() func()) {
		undo := change()
		note(name)
		undo()
	})
	for name, text := range map[string]*string{
		"issuer": &x.claims.Issuer, "subject": &x.claims.Subject,
		"entity ID": &x.target.Identity.EntityID,
	} {
		*text += "x"
		note(name)
		*text = (*text)[:len(*text)-1]
	}
	certificate.Raw = []byte("another")
	note("signing key")
	return keys
}

// SetRandom replaces the numbers in [0, 1) by which a Delegator's providers part.
func SetRandom(d *Delegator, random func() float64) { d.random = random }

// Remember puts credentials into the cache of a Delegator, n times, each under a key and for a user
// of its own.
func Remember(d *Delegator, n int, issue func(i int) *Credentials) {
	for i := range n {
		_, _, _ = d.cache.Get(context.Background(), freshness.Request[Credentials]{
			Key:   freshness.KeyOf([]string{fmt.Sprint(i)}),
			Owner: freshness.KeyOf([]string{"owner", fmt.Sprint(i)}), Life: time.Hour,
			Issue: func(context.Context) (*Credentials, error) { return issue(i), nil },
		})
	}
}

// DecisionKeys returns the cache keys of an exchange whose parts are drawn from a few, so that two
// are often equal or alike: the key as it is, and as it was made of lists of texts, with all SAML
// attributes. what says what the exchange is of.
func DecisionKeys(random *rand.Rand) (key, former, what string) {
	text := func() string { return []string{"", "a", "b", "ab", "a,b"}[random.IntN(5)] }
	list := func() (list []string) {
		for range random.IntN(3) {
			list = append(list, text())
		}
		return list
	}
	tags := func() map[string]string {
		made := map[string]string{}
		for _, key := range list() {
			made[key] = text()
		}
		return made
	}
	d := &decision{
		role:                arn.ARN{Partition: "aws", AccountID: text(), Resource: text()},
		principal:           arn.ARN{Partition: "aws", AccountID: text(), Resource: text()},
		nameID:              text(),
		sessionNotOnOrAfter: time.Unix(int64(random.IntN(2)), 0),
		duration:            time.Duration(random.IntN(2)) * time.Hour,
	}
	// Most of the fields are usual ones, or no two decisions would be the same.
	fields := []func(){
		func() { d.recipient = text() },
		func() { d.audience = text() },
		func() { d.sessionName = text() },
		func() { d.encryptionKey = text() },
		func() { d.sourceIdentity = text() },
		func() { d.policy = text() },
		func() { d.policyARNs = list() },
		func() { d.tags = tags() },
		func() { d.transitive = list() },
		func() { d.droppable = list() },
		func() { d.mapped = append(d.mapped, samldoc.Attribute{Name: text(), Values: list()}) },
		func() { d.regions = append(d.regions, Region{text(), text()}) },
	}
	for range random.IntN(3) {
		fields[random.IntN(len(fields))]()
	}
	if random.IntN(2) == 0 { // of little that can differ
		d.role = arn.ARN{Resource: text()}
		d.principal = arn.ARN{}
		d.nameID = ""
	}
	identity := &IdentityProvider{
		EntityID: []string{"x", "y"}[random.IntN(2)],
		Keys:     []SigningKey{{Certificate: &x509.Certificate{Raw: []byte(text())}}},
	}
	x := &exchange{
		Delegator: &Delegator{},
		claims:    &idtoken.Claims{Issuer: "issuer", Subject: []string{"s", "t"}[random.IntN(2)]},
		decision:  d,
		target:    &Target{Identity: identity},
	}
	what = fmt.Sprintf("%q %q %q %+q", x.claims.Subject, identity.EntityID,
		identity.Keys[0].Certificate.Raw, fmt.Sprintf("%#v", *d))
	return x.cacheKey().String(), x.formerKey().String(), what
}

// formerKey is the cache key as it was first made, the oracle of cacheKey.
func (x *exchange) formerKey() freshness.Key {
	d := x.decision
	identity := x.identity(x.target)
	certificate := identity.Keys[0].Certificate
	lists := [][]string{
		{x.claims.Issuer, x.claims.Subject, identity.EntityID, string(certificate.Raw)},
		{
			d.role.String(), d.principal.String(), d.nameID, d.sessionName,
			fmt.Sprint(d.sessionNotOnOrAfter.UnixNano()), d.duration.String(), d.policy,
			d.sourceIdentity, d.recipient, d.audience, d.encryptionKey,
		},
		d.policyARNs,
		d.droppable,
	}
	for _, r := range d.regions {
		lists = append(lists, []string{"region", r.name, r.partition})
	}
	for _, a := range d.attributes() {
		lists = append(lists, []string{a.Name}, a.Values)
	}
	return freshness.KeyOf(lists...)
}

// AuditFor has a Delegator with the default AuditTimeout wait for a record, and says how long that
// took.
func AuditFor(ctx context.Context, audit func(context.Context) error) (time.Duration, error) {
	c := Config{Audit: func(ctx context.Context, _ Event) error { return audit(ctx) }}
	d := &Delegator{config: c.withDefaults(), audits: new(guard.Callees)}
	began := time.Now()
	err := d.audit(ctx, Event{})
	return time.Since(began), err
}

// TakeRuleRuns takes all goroutines that rules may have, until the function is called.
func (d *Delegator) TakeRuleRuns() (giveBack func()) {
	for range maxRuleRuns {
		d.ruleRuns.slots <- struct{}{}
	}
	return func() {
		for range maxRuleRuns {
			<-d.ruleRuns.slots
		}
	}
}

// NotedEvent is the Event of an exchange's notes in which every field is set: texts to the name of
// their field.
func NotedEvent() Event { return allNoted().event() }

// NotesApart writes the notes that go on from others, and what their Events hold, and returns the
// Events of the others before and after.
func NotesApart() (before, after Event) {
	n := allNoted()
	before = n.event()
	own := n.apart()
	own.Subject = "changed"
	few := own.note()
	few.RequestedRole = "changed"
	few.FailedRegions = append(few.FailedRegions, "changed")
	few.HopRequestIDs = []string{"changed"}
	spoil(own.event())
	spoil(n.event())
	return before, n.event()
}

// spoil writes every slice and map of an Event.
func spoil(e Event) {
	fields := reflect.ValueOf(e)
	for i := range fields.NumField() {
		switch field := fields.Field(i); field.Kind() {
		case reflect.Slice:
			for j := range field.Len() {
				field.Index(j).SetString("changed")
			}
		case reflect.Map:
			field.Clear()
		}
	}
}

// allNoted are notes in which every field is set: texts to the name of their field.
func allNoted() *eventNotes {
	n := eventNotes{}
	for _, notes := range []reflect.Value{
		reflect.ValueOf(&n).Elem(), reflect.ValueOf(n.note()).Elem(),
	} {
		for i := range notes.NumField() {
			if field := notes.Type().Field(i); field.IsExported() {
				notes.Field(i).Set(filled(field))
			}
		}
	}
	return &n
}

// filled is a value for a field that is not the zero value.
func filled(field reflect.StructField) reflect.Value {
	value := reflect.New(field.Type).Elem()
	switch field.Type.Kind() {
	case reflect.String:
		value.SetString(field.Name)
	case reflect.Int, reflect.Int64:
		value.SetInt(int64(len(field.Name)))
	case reflect.Bool:
		value.SetBool(true)
	case reflect.Slice:
		value = reflect.MakeSlice(field.Type, 1, 1)
		value.Index(0).SetString(field.Name)
	case reflect.Map:
		value = reflect.ValueOf(map[string]string{field.Name: field.Name})
	default:
		value = reflect.ValueOf(time.Unix(int64(len(field.Name)), 0))
	}
	return value
}
