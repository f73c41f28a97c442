package delegation

import (
	"context"
	"errors"
	"time"
)

// call is one call to AWS for a decision, with all its attempts. It can continue after its exchange
// has ended, or for other exchanges, so it has a record of its own. Neither the call nor the
// exchange changes what they share.
type call struct {
	*Delegator
	record
	target   *Target   // whose identity signs
	decision *decision // the exchange's, or a copy that asks for less
	passed   int       // how many of the decision's regions did not answer
	answered time.Time // by the clock of STS, if its last answer was a refusal; zero: not known
}

// newCall makes a call for the exchange's decision, which goes on with the record.
func (x *exchange) newCall(r record) *call {
	return &call{
		Delegator: x.Delegator,
		record:    r,
		target:    x.target,
		decision:  x.decision,
	}
}

// issue has AWS give credentials for the decision, or for less of it where that is allowed.
func (c *call) issue(ctx context.Context) (*Credentials, error) {
	c.event.EstimatedPackedSize = c.decision.packedPercent()
	if err := c.decision.checkChainEnd(c.config.Now(), c.config.STSTimeout); err != nil {
		return nil, err
	}
	if c.refusesDuration() {
		c.shorten()
	}
	credentials, err := c.ask(ctx)
	for c.concede(err) {
		credentials, err = c.ask(ctx)
	}
	if err != nil {
		return nil, err
	}
	c.durations.Succeeded(c.decision.roleAndDuration())
	c.event.RequestID = credentials.RequestID
	credentials.describe(&c.event)
	return credentials, nil
}

// describe writes into the event which credentials were issued or found.
func (c *Credentials) describe(n *eventNotes) {
	n.AccessKeyID = c.AccessKeyID
	n.Expiration = c.Expiration
	n.PackedPolicySize = c.PackedPolicySize
	if names := c.unconfirmed(); len(names) > 0 {
		n.note().Unconfirmed = names
	}
}

// ask signs a response for the decision and redeems it, and follows the chain if there is one.
func (c *call) ask(ctx context.Context) (*Credentials, error) {
	response, err := c.sign(ctx)
	if err != nil {
		return nil, err
	}
	defer c.lap(StageSTS)
	credentials, err := c.redeem(ctx, response)
	if err != nil {
		return nil, c.atHop(err, 1)
	}
	if len(c.decision.chain) == 0 {
		return credentials, nil
	}
	return c.follow(ctx, credentials)
}

// sign builds and signs the response, within Config.SigningTimeout.
func (c *call) sign(ctx context.Context) (*signedResponse, error) {
	limited, cancel := context.WithTimeout(ctx, c.config.SigningTimeout)
	defer cancel()
	identity := c.identity(c.target)
	session := c.decision.firstSession()
	now := c.config.Now()
	response, err := identity.respond(limited, session, now, c.config.Rand, c.signers)
	c.lap(StageSAML)
	if err != nil && ctx.Err() == nil && limited.Err() != nil {
		return nil, newError(CodeSigningFailed,
			"there was no signature within %s", c.config.SigningTimeout)
	}
	if err != nil {
		return nil, err
	}
	c.event.AssertionID = response.assertionID
	return response, nil
}

// concede tells whether what AWS refused is worth another response that asks for less, and takes it
// from the decision. Each kind of refusal leads to one more response at most, because after that
// nothing is left to take.
func (c *call) concede(err error) bool {
	switch {
	case errors.Is(err, CodeSTSDuration) && c.mayShorten():
		c.durations.Failed(c.decision.roleAndDuration())
		c.shorten()
		return true
	case errors.Is(err, CodeSTSPackedSize) && len(c.decision.droppable) > 0:
		less := c.decision.clone()
		c.event.note().DroppedTags = less.dropTags(err.Error())
		c.decision = less
		return true
	}
	return false
}

// mayShorten tells whether there is a shorter session to ask for.
func (c *call) mayShorten() bool {
	return c.config.DurationBackOff && c.decision.duration > minRoleMaximum
}

// refusesDuration tells whether the role is known not to allow the decided duration. Once in a
// while it is asked anew.
func (c *call) refusesDuration() bool {
	return c.mayShorten() && !c.durations.Allow(c.decision.roleAndDuration())
}

// shorten asks for what every role allows. The response says the same: its SessionDuration is made
// from the decision.
func (c *call) shorten() {
	c.event.note().ShortenedFrom = c.decision.duration
	c.event.Duration = minRoleMaximum
	less := c.decision.clone()
	less.duration = minRoleMaximum
	c.decision = less
}
