package delegation

import (
	"maps"
	"slices"
	"time"
)

// eventNotes are what an exchange notes for its [Event] while it runs. Each has the name of its
// field there.
type eventNotes struct {
	Time          time.Time
	Issuer        string
	Subject       string
	TokenSHA256   string
	KeyID         string
	Algorithm     string
	ClientID      string
	TokenKind     TokenKind
	HTTPRequestID string
	ClientIP      string
	UserAgent     string
	Endpoint      string
	Target        string

	Rule                string
	Principal           string
	Role                string
	Region              string
	SessionName         string
	SourceIdentity      string
	Duration            time.Duration
	Tags                map[string]string
	SessionPolicySHA256 string

	Cache               CacheOutcome
	AssertionID         string
	AccessKeyID         string
	Expiration          time.Time
	RequestID           string
	PackedPolicySize    int
	EstimatedPackedSize int

	// few is nil until something is noted that few exchanges have. These fields are more than half
	// of an Event. Most exchanges come from the cache, and take less time than allocating the
	// fields would.
	few *fewNotes
}

// fewNotes are those that few exchanges have.
type fewNotes struct {
	ClaimedIssuer string
	TokenScopes   []string

	ActorIssuer      string
	ActorSubject     string
	ActorClientID    string
	ActorTokenSHA256 string
	PriorActors      []string

	FromContext           bool
	RequestedSessionName  string
	RequestedDuration     time.Duration
	RequestedRole         string
	ListedRoles           []string
	Scopes                []string
	RequestedPolicySHA256 []string
	Narrowing             []Narrowing

	Chain             []string
	HopRequestIDs     []string
	FailedRegions     []string
	ShortenedFrom     time.Duration
	SessionPolicyARNs []string
	DroppedTags       []string
	Unconfirmed       []string
	Warnings          []string
}

// note returns the notes that few exchanges have, to be written.
func (n *eventNotes) note() *fewNotes {
	if n.few == nil {
		n.few = new(fewNotes)
	}
	return n.few
}

// noted returns the notes that few exchanges have, to be read.
func (n *eventNotes) noted() fewNotes {
	if n.few == nil {
		return fewNotes{}
	}
	return *n.few
}

// apart returns notes that another one can go on writing.
func (n *eventNotes) apart() eventNotes {
	own := *n
	if n.few != nil {
		few := *n.few
		own.few = &few
	}
	return own
}

// event is the Event of the notes, without what only the end of the exchange tells. Its receiver
// may keep and change it.
func (n *eventNotes) event() Event {
	few := n.noted()
	return Event{
		Time:          n.Time,
		Issuer:        n.Issuer,
		Subject:       n.Subject,
		TokenSHA256:   n.TokenSHA256,
		ClaimedIssuer: few.ClaimedIssuer,
		KeyID:         n.KeyID,
		Algorithm:     n.Algorithm,
		ClientID:      n.ClientID,
		TokenKind:     n.TokenKind,
		TokenScopes:   slices.Clone(few.TokenScopes),

		ActorIssuer:      few.ActorIssuer,
		ActorSubject:     few.ActorSubject,
		ActorClientID:    few.ActorClientID,
		ActorTokenSHA256: few.ActorTokenSHA256,
		PriorActors:      slices.Clone(few.PriorActors),

		HTTPRequestID: n.HTTPRequestID,
		ClientIP:      n.ClientIP,
		UserAgent:     n.UserAgent,
		Endpoint:      n.Endpoint,

		FromContext:          few.FromContext,
		Target:               n.Target,
		RequestedSessionName: few.RequestedSessionName,
		RequestedDuration:    few.RequestedDuration,
		RequestedRole:        few.RequestedRole,
		ListedRoles:          slices.Clone(few.ListedRoles),

		Rule:                  n.Rule,
		Principal:             n.Principal,
		Role:                  n.Role,
		Chain:                 slices.Clone(few.Chain),
		HopRequestIDs:         slices.Clone(few.HopRequestIDs),
		Region:                n.Region,
		FailedRegions:         slices.Clone(few.FailedRegions),
		SessionName:           n.SessionName,
		SourceIdentity:        n.SourceIdentity,
		Duration:              n.Duration,
		ShortenedFrom:         few.ShortenedFrom,
		Tags:                  maps.Clone(n.Tags),
		SessionPolicySHA256:   n.SessionPolicySHA256,
		SessionPolicyARNs:     slices.Clone(few.SessionPolicyARNs),
		Scopes:                slices.Clone(few.Scopes),
		RequestedPolicySHA256: slices.Clone(few.RequestedPolicySHA256),
		Narrowing:             slices.Clone(few.Narrowing),
		DroppedTags:           slices.Clone(few.DroppedTags),

		Cache:               n.Cache,
		AssertionID:         n.AssertionID,
		AccessKeyID:         n.AccessKeyID,
		Expiration:          n.Expiration,
		RequestID:           n.RequestID,
		PackedPolicySize:    n.PackedPolicySize,
		EstimatedPackedSize: n.EstimatedPackedSize,
		Unconfirmed:         slices.Clone(few.Unconfirmed),

		Warnings: slices.Clone(few.Warnings),
	}
}
