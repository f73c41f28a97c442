package delegation

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/seed055b7978/delegation/internal/explain"
	"github.com/seed055b7978/delegation/internal/freshness"
	"github.com/seed055b7978/delegation/internal/guard"
	"github.com/seed055b7978/delegation/internal/samldoc"
)

const emulatorWarning = "UnsafeSTSEmulator (sts.unsafe_emulator) is set: " +
	"whom STS names in its answers is not checked; this is for tests only"

var errTakesAnything = errors.New("what answers takes anything for an assertion")

// CheckResult is the state of one thing that exchanges depend on.
type CheckResult struct {
	// Name says which thing, such as: issuer https://tenant.example.com/
	Name string
	// Err is an *[Error], or nil if it works.
	Err error
	// Warning is what deserves a look though it works, such as a certificate's date.
	Warning string
	// Degrades says that an error is no reason to take users elsewhere: the same holds there, and
	// it may pass.
	Degrades bool
}

// Check tests what exchanges depend on, all at once. Results come in this order, each name once:
//
//   - sts answers, a warning, if Config.UnsafeSTSEmulator is set.
//   - issuer URL: each of Config.Issuers has keys that can be used, and each of its tenants if
//     these have keys of their own. It is asked only for what an exchange would ask for, and no
//     more often. These are warnings: its keys could not be refreshed, with the time at which
//     exchanges fail; keys of its set that cannot be used; no key that fits Issuer.Algorithms; a
//     certificate of its server or of a key that ends soon; and that strangers share it and nothing
//     gates it, see [Issuer].
//   - subjects in ROLE: a warning, if targets of several issuers lead to one role, in which
//     ${saml:sub} does not tell their users apart.
//   - metadata of ENTITYID: it has the size that IAM takes.
//   - signing key FINGERPRINT of ENTITYID: it signs a random digest, and its certificate, whose
//     SHA-256 begins with FINGERPRINT, verifies it. A certificate that is not valid yet, has
//     expired or will within 30 days is a warning: AWS does not read its dates, others may. So is
//     an *rsa.PrivateKey without precomputed values, which signs slower than it could.
//   - sts REGION: STS there refuses a call with no assertion in it, so it answers.
//
// The identities are Config.IdentityProvider and each Identity in [Targets], or of a target that
// any other [TargetSource] has returned to an exchange or an explanation within the last hour, 100
// at most. The regions are those of the same targets, with those to fail over to.
//
// Signers and STS are asked once a minute at most, for up to Config.STSTimeout. On a nil context
// or Delegator there is one result with [CodeArgumentInvalid], on a context that ends
// [CodeCanceled] for all that has not answered.
func (d *Delegator) Check(ctx context.Context) []CheckResult {
	if ctx == nil || d == nil || d.config.Targets == nil {
		return []CheckResult{{
			Name: "delegator",
			Err: newError(CodeArgumentInvalid,
				"the context is nil, or the Delegator was not made by New"),
		}}
	}
	now := d.config.Now()
	list := checks{Delegator: d, ctx: ctx, probed: map[string]bool{}}
	list.addIssuers()
	for _, p := range append(d.identities(), d.recent.identities.All(now)...) {
		list.addIdentity(p, now)
	}
	for _, region := range append(d.configuredRegions(), d.recent.regions.All(now)...) {
		list.addProbe("sts "+region.String(), "", StageSTS, func(ctx context.Context) error {
			return d.reach(ctx, region)
		})
	}
	return freshness.ProbeAll(list.all)
}

// checks are what one call of Check has to do, in order.
type checks struct {
	*Delegator
	ctx    context.Context
	all    []func() CheckResult
	probed map[string]bool // by name
}

func (l *checks) add(check func() CheckResult) { l.all = append(l.all, check) }

func (l *checks) addWarning(name, text string) {
	l.add(func() CheckResult { return CheckResult{Name: name, Warning: text} })
}

// addProbe adds a check that costs a signature or a call to AWS, and so is made once a minute at
// most. The error of a context is one of the stage.
func (l *checks) addProbe(name, warning string, stage Stage, probe func(context.Context) error) {
	if l.probed[name] {
		return
	}
	l.probed[name] = true
	l.add(func() CheckResult {
		err := l.probes.Do(l.ctx, name, l.config.Now, l.config.STSTimeout, probe)
		if _, ours := err.(*Error); err != nil && !ours {
			err = canceledAt(stage, err)
		}
		return CheckResult{Name: name, Err: err, Warning: warning, Degrades: true}
	})
}

// addIssuers adds what depends on the configuration and its issuers alone.
func (l *checks) addIssuers() {
	if l.config.UnsafeSTSEmulator {
		l.addWarning("sts answers", emulatorWarning)
	}
	for _, issuer := range l.config.Issuers {
		for _, source := range l.tokens.KeySources(issuer.URL) {
			l.add(func() CheckResult {
				err := tokenError(l.tokens.CheckKeys(l.ctx, source))
				warnings := l.keyWarnings(source)
				if strangers := l.config.strangers(&issuer); strangers != "" {
					warnings = append(warnings, strangers)
				}
				return CheckResult{
					Name:    "issuer " + source,
					Err:     err,
					Warning: strings.Join(warnings, "; "),
				}
			})
		}
	}
	roles := l.config.sharedRoles()
	for _, role := range slices.Sorted(maps.Keys(roles)) {
		l.addWarning("subjects in "+role, roles[role])
	}
}

// addIdentity adds an identity's metadata and its keys.
func (l *checks) addIdentity(p IdentityProvider, now time.Time) {
	l.addProbe("metadata of "+p.EntityID, "", StageConfig, func(context.Context) error {
		_, err := p.Metadata()
		return err
	})
	for _, key := range p.Keys {
		warnings := []string{explain.CertificateDates(key.Certificate, now), key.slowness()}
		warnings = slices.DeleteFunc(warnings, func(text string) bool { return text == "" })
		warning := strings.Join(warnings, "; ")
		l.addProbe(key.name(p.EntityID), warning, StageSAML, func(ctx context.Context) error {
			return l.try(ctx, key)
		})
	}
}

// configuredRegions are those of the fixed targets, in the order of the targets' names. A target
// without one lets a rule choose it.
func (d *Delegator) configuredRegions() (regions []Region) {
	targets, _ := d.config.Targets.(Targets)
	for _, name := range slices.Sorted(maps.Keys(targets)) {
		regions = append(regions, targets[name].knownRegions()...)
	}
	return regions
}

// knownRegions are the region and the fail-over regions that are names of regions.
func (t Target) knownRegions() (regions []Region) {
	for _, name := range append([]string{t.Region}, t.FailoverRegions...) {
		if region, err := ParseRegion(name); err == nil {
			regions = append(regions, region)
		}
	}
	return regions
}

// recentTargets is what a TargetSource has returned lately. It cannot be asked for all of its
// targets, so [Delegator.Check] looks at these.
type recentTargets struct {
	identities freshness.Recent[IdentityProvider]
	regions    freshness.Recent[Region]
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
	for _, region := range t.knownRegions() {
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

// reach tells whether the region's STS answers. The only call that needs no credentials is an
// exchange, so it is one with the role of an account that nobody has, and no assertion: that AWS
// refuses it, definitely and in its own form, is the proof.
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
