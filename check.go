package delegation

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/seed055b7978/delegation/internal/freshness"
	"github.com/seed055b7978/delegation/internal/guard"
	"github.com/seed055b7978/delegation/internal/samldoc"
)

const emulatorWarning = "UnsafeSTSEmulator (sts.unsafe_emulator) is set: " +
	"whom STS names in its answers is not checked; this is for tests only"

// How far this machine's clock may be off. AWS takes an assertion for [samldoc.AssertionLife], and
// Config.Leeway is a minute unless it is set.
const (
	clockWarned  = time.Minute
	clockRefused = samldoc.AssertionLife
)

var errTakesAnything = errors.New(
	"the endpoint accepts any text as an assertion, so it is not AWS STS")

// CheckResult is the state of one thing that exchanges depend on.
type CheckResult struct {
	// Name identifies the thing, such as: issuer https://tenant.example.com/
	Name string
	// Err is an *[Error], or nil if it works.
	Err error
	// Warning is the text of Warnings on one line: things that work but need attention, such as the
	// date of a certificate.
	Warning string
	// Degrades says that an error is no reason to stop sending users to this instance: others have
	// the same problem, and it may be temporary.
	Degrades bool

	// Kind is the kind of thing.
	Kind CheckKind
	// Issuer is the URL of the issuer or the tenant that the result is about. Empty: none.
	Issuer string
	// Target is the name of the target that the result is about. Empty: none.
	Target string
	// Region is the name of the AWS region that the result is about. Empty: none.
	Region string
	// Field is the field of [Config] that Err is about, as the errors of [New] name it, such as
	// Targets["photo-app"]: Role. Empty: none.
	Field string
	// Warnings are all warnings, one by one.
	Warnings []CheckWarning
	// Took is how long the check took, by the machine's clock. It is close to zero if the result
	// was already known.
	Took time.Duration
}

// CheckKind is the kind of thing that a [CheckResult] is about. Programs that add their own checks
// can define further kinds.
type CheckKind string

// The kinds of results of [Delegator.Check].
const (
	CheckSettings CheckKind = "settings" // of Config as a whole
	CheckIssuer   CheckKind = "issuer"   // an issuer and its keys
	CheckRole     CheckKind = "role"     // a role of several targets
	CheckTarget   CheckKind = "target"   // what a target and its rules can decide
	CheckRule     CheckKind = "rule"     // a ready-made rule
	CheckMetadata CheckKind = "metadata" // the SAML metadata of an identity
	CheckKey      CheckKind = "key"      // a signing key
	CheckSTS      CheckKind = "sts"      // STS in a region
	CheckProfile  CheckKind = "profile"  // what the profile loader depends on
)

// Check tests everything that exchanges depend on, concurrently. The results are in this order,
// each name once:
//
//   - sts answers: a warning if Config.UnsafeSTSEmulator is set.
//   - sts endpoint: a warning if the configuration of the AWS SDK sends the calls to STS elsewhere
//     than to AWS. There is no such warning with Config.STS, because the program chose its client.
//   - issuer URL: each of Config.Issuers, and each of its tenants with their own keys, has usable
//     keys. Check makes the same requests as an exchange, and no more often. These are warnings:
//     keys that could not be refreshed, with the time from which exchanges fail; unusable keys in
//     the set; no key for any of Issuer.Algorithms; a certificate of its server or of a key that
//     expires soon; a clock that differs by a minute; and an issuer that strangers share without a
//     gate, see [Issuer].
//   - subjects in ROLE: a warning if targets of several issuers use one role, in which ${saml:sub}
//     does not tell their users apart.
//   - target NAME: only for [Targets], and only if something is wrong. It is an error if no
//     exchange can succeed for any user: the role, the SAML provider or the region is missing and
//     no rule can set it; accounts or partitions differ; or another limit is exceeded. It is a
//     warning if only a row of [RoleByClaim] cannot succeed, or if the recipient or the audience is
//     of another partition. Rules that are not ready-made can decide anything, so with one of them
//     there is at most a warning.
//   - rule NAME: a warning if a ready-made rule is only for targets that do not exist or has rows
//     that are never reached, or if a rule lacks something that it needs, see [WithNeeds].
//   - subjects of URL: a warning if the issuer's subjects are known to contain slashes, and a
//     target for them does not say whether folders are named after them; see
//     Target.SubjectAsFolder.
//   - NameIDs in ROLE: a warning if the role's targets have different values of
//     Target.NameIDEncoding.
//   - NameIDs of TARGET: a warning if an exchange within the last hour had a NameID with a slash,
//     and the target does not say whether folders are named after NameIDs.
//   - metadata of ENTITYID: the size is within IAM's limit.
//   - signing key FINGERPRINT of ENTITYID: the key signs a random digest, and its certificate,
//     whose SHA-256 begins with FINGERPRINT, verifies the signature. These are warnings: a
//     certificate that is not yet valid, has expired, or expires within 30 days (AWS does not read
//     the dates, but others may); one that is signed with SHA-1; a certificate that the identity
//     has twice; and an *rsa.PrivateKey without precomputed values, which signs more slowly.
//   - profile: the result of Config.CheckProfile, if it is set.
//   - sts REGION: STS answers a call without an assertion by refusing it. If the time in its answer
//     differs from Config.Now by a minute, that is a warning. Four minutes are an error, because
//     AWS accepts no assertion from such a clock.
//
// The identities are Config.IdentityProvider and each Identity in [Targets]. With another
// [TargetSource] they are those of the targets that it returned to exchanges and explanations
// within the last hour, at most 100. The regions are those of the same targets, including
// FailoverRegions.
//
// Signers, STS and Config.CheckProfile are called at most once a minute, each for up to
// Config.STSTimeout. A nil context or Delegator gives one result with [CodeArgumentInvalid]. If the
// context ends, everything that has not answered gets [CodeCanceled].
func (d *Delegator) Check(ctx context.Context) []CheckResult {
	if ctx == nil || d == nil || d.config.Targets == nil {
		return []CheckResult{{
			Name: "delegator",
			Err: newError(CodeArgumentInvalid,
				"the context is nil, or the Delegator was not made by New"),
		}}
	}
	now := d.config.Now()
	list := checks{
		Delegator: d,
		ctx:       ctx,
		probed:    map[string]bool{},
		fields:    d.fieldsOfKeys(),
	}
	for _, result := range d.checkSTSSettings() {
		list.addResult(result)
	}
	list.addIssuers()
	for _, result := range d.sessions {
		list.addResult(result)
	}
	list.addSlashes(d.recent.slashes.All(now))
	for _, p := range append(d.identities(), d.recent.identities.All(now)...) {
		list.addIdentity(p, now)
	}
	list.addProfile()
	for _, region := range slices.Concat(d.targets.regions, d.recent.regions.All(now)) {
		list.addRegion(region)
	}
	return freshness.ProbeAll(list.all)
}

// checks are what one call of Check has to do, in order.
type checks struct {
	*Delegator
	ctx    context.Context
	all    []func() CheckResult
	probed map[string]bool   // by name
	fields map[string]string // of keys, see Delegator.fieldsOfKeys
}

// add adds a check. Its result gets its time, and its warnings on one line.
func (l *checks) add(check func() CheckResult) {
	l.all = append(l.all, func() CheckResult {
		began := time.Now()
		result := check()
		result.Took = time.Since(began)
		result.Warnings = slices.Clone(result.Warnings) // those of New are read again
		result.Warning = inOneLine(result.Warnings)
		return result
	})
}

// addResult adds what is known already.
func (l *checks) addResult(result CheckResult) {
	l.add(func() CheckResult { return result })
}

// addProbe adds a check that costs a signature or a call to AWS, and so is made once a minute at
// most. The error of a context is one of the stage. then, if not nil, completes the result.
func (l *checks) addProbe(
	result CheckResult, stage Stage, probe func(context.Context) error, then func(*CheckResult),
) {
	if l.probed[result.Name] {
		return
	}
	l.probed[result.Name] = true
	result.Degrades = true
	l.add(func() CheckResult {
		err := l.probes.Do(l.ctx, result.Name, l.config.Now, l.config.STSTimeout, probe)
		if _, ours := err.(*Error); err != nil && !ours {
			err = canceledAt(stage, err)
		}
		result.Err = err
		if then != nil {
			then(&result)
		}
		return result
	})
}

// addIssuers adds what depends on the issuers and the targets' use of them.
func (l *checks) addIssuers() {
	for i := range l.config.Issuers {
		issuer := &l.config.Issuers[i]
		configured := l.config.issuerWarnings(i)
		for _, source := range l.tokens.KeySources(issuer.URL) {
			l.add(func() CheckResult {
				err := tokenError(l.tokens.CheckKeys(l.ctx, source))
				return CheckResult{
					Name:     "issuer " + source,
					Kind:     CheckIssuer,
					Issuer:   source,
					Field:    fmt.Sprintf("Issuers[%d]", i),
					Err:      err,
					Warnings: append(l.keyWarnings(source), configured...),
				}
			})
		}
	}
	for _, result := range l.config.checkRoles() {
		l.addResult(result)
	}
}

// addIdentity adds an identity's metadata and its keys.
func (l *checks) addIdentity(p IdentityProvider, now time.Time) {
	metadata := CheckResult{Name: "metadata of " + p.EntityID, Kind: CheckMetadata}
	l.addProbe(metadata, StageConfig, func(context.Context) error {
		_, err := p.Metadata()
		return err
	}, nil)
	for i, key := range p.Keys {
		result := CheckResult{
			Name:     key.name(p.EntityID),
			Kind:     CheckKey,
			Field:    l.fields[string(key.Certificate.Raw)],
			Warnings: p.keyWarnings(i, now),
		}
		for i := range result.Warnings {
			result.Warnings[i].Field = result.Field
		}
		l.addProbe(result, StageSAML, func(ctx context.Context) error {
			return l.try(ctx, key)
		}, nil)
	}
}

// addProfile adds what the profile loader depends on.
func (l *checks) addProfile() {
	if l.config.CheckProfile == nil {
		return
	}
	result := CheckResult{Name: "profile", Kind: CheckProfile, Field: "Profile"}
	l.addProbe(result, StageRules, func(ctx context.Context) error {
		err := l.profiles.CallWithin(ctx, "the check", func() error {
			return l.config.CheckProfile(ctx)
		})
		if err == nil {
			return nil
		}
		return profileError(err)
	}, nil)
}

// addRegion adds a region of STS.
func (l *checks) addRegion(region Region) {
	result := regionResult(region)
	result.Warnings = l.config.regionWarnings(region)
	l.addProbe(result, StageSTS, func(ctx context.Context) error {
		return l.reach(ctx, region)
	}, func(result *CheckResult) {
		if ahead, known := l.stsClocks.Load(region); known && result.Err == nil {
			result.checkClock(ahead.(time.Duration))
		}
	})
}

// regionResult is the result about a region, as far as it is known before.
func regionResult(region Region) CheckResult {
	return CheckResult{
		Name:   "sts " + region.String(),
		Kind:   CheckSTS,
		Region: region.String(),
	}
}

// checkClock adds what is wrong with this machine's clock. ahead is how far that of STS is ahead.
func (r *CheckResult) checkClock(ahead time.Duration) {
	switch {
	case ahead.Abs() >= clockRefused:
		r.Err = newError(CodeSTSExpired,
			"this machine's clock is %s that of STS in %s, and AWS accepts no assertion from it",
			apart(ahead), r.Region)
	case ahead.Abs() >= clockWarned:
		r.Warnings = append(r.Warnings, CheckWarning{
			Code: WarningSTSClock,
			Text: fmt.Sprintf("this machine's clock is %s that of STS in %s",
				apart(ahead), r.Region),
			Remedy: clockRemedy,
		})
	}
}

const clockRemedy = "set this machine's clock (NTP)"

// apart says how far a clock is behind another, or ahead of it. ahead is how far the other one is
// ahead.
func apart(ahead time.Duration) string {
	if ahead > 0 {
		return ahead.Round(time.Second).String() + " behind"
	}
	return (-ahead).Round(time.Second).String() + " ahead of"
}

// regionNames are the region and the fail-over regions.
func (t *Target) regionNames() []string { return append([]string{t.Region}, t.FailoverRegions...) }

// recentTargets is what a TargetSource has returned lately. It cannot be asked for all of its
// targets, so [Delegator.Check] looks at these.
type recentTargets struct {
	identities freshness.Recent[IdentityProvider]
	regions    freshness.Recent[Region]
	slashes    freshness.Recent[string] // targets, fixed ones too, that had a NameID with a slash
}

// note remembers a target that was checked.
func (r *recentTargets) note(t *Target, now time.Time) {
	if p := t.Identity; p != nil {
		name := fmt.Sprintf("%q", p.EntityID)
		for _, key := range p.Keys {
			name += fmt.Sprintf(" %x", sha256.Sum256(key.Certificate.Raw))
		}
		r.identities.Note(name, p.clone(), now)
	}
	for _, region := range parsedRegions(t.regionNames()) {
		r.regions.Note(region.String(), region, now)
	}
}

// try makes a real signature, which the certificate must verify.
func (d *Delegator) try(ctx context.Context, k SigningKey) error {
	signer := samldoc.NewCheckedSigner(k.Signer, k.Certificate.PublicKey)
	err := d.signers.CallWithin(ctx, string(k.Certificate.Raw), func() error {
		return signer.Try(ctx)
	})
	if err != nil {
		return newError(signerCode(err), "the signer: %w", err)
	}
	return nil
}

// reach tells whether the region's STS answers. An exchange is the only call that needs no
// credentials. So it requests one without an assertion, for a role of an account that nobody has.
// The region answers if AWS refuses that definitely and in AWS's own format.
func (d *Delegator) reach(ctx context.Context, region Region) error {
	nobody := arn.ARN{Partition: region.Partition(), Service: "iam", AccountID: "000000000000"}
	role, principal := nobody, nobody
	role.Resource = "role/delegation-check"
	principal.Resource = "saml-provider/delegation-check"
	c := &call{
		Delegator: d,
		target:    &Target{},
		decision:  &decision{role: role, principal: principal, duration: defaultSession},
	}
	nothing := &signedResponse{encoded: NewSecret("ZGVsZWdhdGlvbi1jaGVjaw==")}
	d.stsClocks.Delete(region) // an answer without a date does not confirm the last one
	defer func() {
		if !c.answered.IsZero() {
			d.stsClocks.Store(region, c.answered.Sub(d.config.Now()))
		}
	}()
	err := guard.Call(func() error {
		_, err := c.redeemIn(context.WithoutCancel(ctx), region, nothing) // which has its own limit
		return err
	})
	e, ours := err.(*Error)
	switch {
	case !ours:
		return newError(CodeSTSAnswerIncomplete, "%s: %w", region, cmp.Or(err, errTakesAnything))
	case e.Code == CodeSTSAnswerMismatch:
		return newError(CodeSTSAnswerIncomplete, "%s: %w", region, errTakesAnything)
	case e.Retryable || e.Code == CodeSTSRegionDisabled:
		return e
	case e.Code == CodeSTSRefused && e.RequestID == "": // of a proxy: AWS gives an ID
		return e
	}
	return nil
}
