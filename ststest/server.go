package ststest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed055b7978/delegation/iampolicy"
)

// A Server keeps the last calls, sessions and sign-in tokens, so that a long
// run does not grow without end.
const (
	maxCalls  = 10_000
	maxRecent = 2_000

	// maxKept is how many characters of a text a Call keeps. No text of the API
	// model is longer.
	maxKept = 2_048
)

// A Config holds the settings of a [Server]. The zero value is ready to use,
// and is the strictest.
type Config struct {
	// Region is the region of [Server.ServeHTTP] for requests that name none
	// by their Host or the scope of their signature. Default us-east-1.
	Region string

	// Now tells the time. It is called from many goroutines. Default
	// [time.Now].
	Now func() time.Time

	// Rand is the source of credentials and request IDs. Reads are serialized.
	// Default [crypto/rand.Reader].
	Rand io.Reader

	// AllowSHA1 accepts signatures that are made with SHA-1, such as Auth0's by
	// default: rsa-sha1, or a digest of SHA-1. AWS has accepted such
	// signatures, and publishes no list of what it accepts. By default they are
	// refused with AWS's words for a bad signature, and [Call.Cause] names
	// SHA-1.
	AllowSHA1 bool

	// MaxSourceIdentity is the longest SourceIdentity in characters. The
	// default is 64, what the STS API model says; newer AWS documentation and
	// measurements of AssumeRole say 256.
	MaxSourceIdentity int
}

// A Server is an AWS STS in memory. Make one with [New], tell it which SAML
// providers and roles exist with [Server.PutSAMLProvider] and [Server.PutRole],
// and give it to an HTTP server. It keeps the last 2,000 sessions that it
// issued, and does not know the credentials of older ones. All methods are safe
// for concurrent use.
type Server struct {
	config Config

	randMu sync.Mutex

	mu        sync.Mutex
	providers map[string]*provider
	roles     map[string]*role
	policies  map[string]*iampolicy.Policy // managed ones, by ARN
	script    []Fault
	calls     []Call
	nextCall  int              // where the next call goes once calls is full
	sessions  recent[*session] // by access key ID
	signIns   recent[signIn]   // by token
}

// recent is the last maxRecent values put into it. The zero recent is empty.
type recent[V any] struct {
	values map[string]V
	keys   []string // oldest first
}

// put adds a value. A key that is put twice may be forgotten early.
func (r *recent[V]) put(key string, value V) {
	if r.values == nil {
		r.values = map[string]V{}
	}
	if len(r.keys) == maxRecent {
		delete(r.values, r.keys[0])
		r.keys = r.keys[1:]
	}
	r.values[key] = value
	r.keys = append(r.keys, key)
}

// A provider is never changed once others can see it.
type provider struct {
	arn     arn
	issuers map[string][]*rsa.PublicKey

	privateKeys []*rsa.PrivateKey // newest first
	required    bool              // assertions must be encrypted
	uuid        string            // empty: none
}

type role struct {
	arn    arn
	id     string
	trust  *trustPolicy
	maxTTL time.Duration

	identity, boundary []*iampolicy.Policy
}

// New returns a Server with no SAML providers, no roles and no faults.
func New(config Config) *Server {
	if config.Region == "" {
		config.Region = "us-east-1"
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Rand == nil {
		config.Rand = rand.Reader
	}
	if config.MaxSourceIdentity == 0 {
		config.MaxSourceIdentity = 64
	}
	return &Server{
		config:    config,
		providers: map[string]*provider{},
		roles:     map[string]*role{},
		policies:  map[string]*iampolicy.Policy{},
	}
}

// ServeHTTP answers as the STS of the region that the request names: by a Host
// such as sts.eu-central-1.amazonaws.com, or else by the credential scope of
// its signature. Requests that name none reach [Config.Region].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	region := regionOfHost(r.Host)
	if region == "" {
		a, err := parseAuthorization(r.Header.Get("Authorization"))
		if err == nil && isRegion(a.region) {
			region = a.region
		}
	}
	if region == "" {
		region = s.config.Region
	}
	s.serve(w, r, region)
}

// Region returns a handler that is the same STS, with the same providers,
// roles, faults and sessions, seen at the endpoint of the region name. A name
// that is no region of AWS counts as one of the partition aws, as it does in
// the SDKs.
func (s *Server) Region(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, name) })
}

// PutSAMLProvider creates the IAM SAML provider with the ARN, such as
// arn:aws:iam::123456789012:saml-provider/example, or replaces its metadata.
// What [Server.PutSAMLEncryption] has set stays. metadata is a SAML 2.0
// EntityDescriptor (or EntitiesDescriptor of up to ten) of 1,000 to 10,000,000
// characters with one to ten RSA signing certificates. On an error nothing has
// changed.
func (s *Server) PutSAMLProvider(arn string, metadata []byte) error {
	arn = strings.Clone(arn) // which may be a part of something large
	a, ok := parseARN(providerARN, arn)
	if !ok {
		return fmt.Errorf("ststest: %q is not the ARN of a SAML provider; "+
			"want arn:{partition}:iam::{account}:saml-provider/{name}", arn)
	}
	issuers, err := parseMetadata(metadata)
	if err != nil {
		return fmt.Errorf("ststest: SAML provider %s: %w", arn, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	next := provider{arn: a}
	if old := s.providers[arn]; old != nil {
		next = *old
	}
	next.issuers = issuers
	s.providers[arn] = &next
	return nil
}

// A Role is an IAM role that a SAML response can ask for.
type Role struct {
	// ARN is the role's ARN, with its path if it has one, such as
	// arn:aws:iam::123456789012:role/app/photo-user.
	ARN string

	// TrustPolicy is the role's trust policy, an IAM policy in JSON. The
	// statements that concern a SAML sign-in decide: those with a SAML provider
	// under Federated in the Principal, and every Deny for everyone ("*" or
	// {"AWS": "*"}), if an Action covers sts:AssumeRoleWithSAML, sts:TagSession
	// or sts:SetSourceIdentity. Statements for principals of AWS decide who may
	// assume the role by AssumeRole; [iampolicy.Parse] reads them when somebody
	// does. Other statements, such as those for a Service or for OpenID
	// providers, are accepted and decide nothing. An Allow for everyone lets in
	// no SAML provider, and one that covers sts:AssumeRoleWithSAML is refused.
	//
	// A statement that concerns SAML must be one that the Server can evaluate.
	// Its operators are StringEquals, StringLike, their negations and
	// IgnoreCase forms, IpAddress and NotIpAddress, and Bool, with …IfExists,
	// ForAnyValue: and ForAllValues:, and Null. The keys are saml:…,
	// aws:RequestTag/…, aws:TagKeys, sts:TransitiveTagKeys, sts:SourceIdentity,
	// sts:RoleSessionName, aws:RequestedRegion, aws:SecureTransport, which is
	// true, and aws:SourceIp, which is the address in the RemoteAddr of the
	// request. A key that can have several values needs ForAnyValue: or
	// ForAllValues:. Other keys and operators, policy variables, NotAction and
	// NotPrincipal are refused: PutRole names them.
	TrustPolicy string

	// Policies are the role's identity policies in JSON, for AssumeRole and
	// [Server.Gate]. [iampolicy.Parse] reads them. Without any, a session may do
	// nothing but what a resource policy grants it. AWS evaluates the policies
	// that a role has when a request comes, not those of the sign-in, so PutRole
	// also changes what existing sessions may do.
	Policies []string

	// Boundary is the role's permissions boundary in JSON. Default none.
	Boundary string

	// MaxSessionDuration is the longest session, one to twelve hours in whole
	// seconds. Default one hour.
	MaxSessionDuration time.Duration
}

// PutRole creates a role or replaces the one with the same ARN. It returns an
// error, and changes nothing, if the Server cannot evaluate a statement that
// concerns SAML.
func (s *Server) PutRole(r Role) error {
	r.ARN = strings.Clone(r.ARN) // which may be a part of something large
	a, ok := parseARN(roleARN, r.ARN)
	if !ok {
		return fmt.Errorf("ststest: %q is not the ARN of a role; "+
			"want arn:{partition}:iam::{account}:role/{path and name}", r.ARN)
	}
	ttl := r.MaxSessionDuration
	if ttl == 0 {
		ttl = time.Hour
	}
	if ttl < time.Hour || ttl > 12*time.Hour || ttl%time.Second != 0 {
		return fmt.Errorf("ststest: role %s: MaxSessionDuration is %v, "+
			"want 1h to 12h in whole seconds", r.ARN, ttl)
	}
	trust, err := parseTrustPolicy(r.TrustPolicy)
	if err != nil {
		return fmt.Errorf("ststest: role %s: trust policy: %w", r.ARN, err)
	}
	identity, err := parseIdentity(r.Policies)
	if err != nil {
		return fmt.Errorf("ststest: role %s: %w", r.ARN, err)
	}
	var boundary []*iampolicy.Policy
	if r.Boundary != "" {
		if boundary, err = parseIdentity([]string{r.Boundary}); err != nil {
			return fmt.Errorf("ststest: role %s: boundary: %w", r.ARN, err)
		}
	}
	// The unique ID is made from the ARN, so that it is the same in every run.
	sum := sha256.Sum256([]byte(r.ARN))
	id := "AROA" + base32.StdEncoding.EncodeToString(sum[:])[:17]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.roles[r.ARN] = &role{
		arn: a, id: id, trust: trust, maxTTL: ttl, identity: identity, boundary: boundary,
	}
	return nil
}

// parseIdentity parses policies that have no Principal.
func parseIdentity(documents []string) ([]*iampolicy.Policy, error) {
	var policies []*iampolicy.Policy
	for i, document := range documents {
		p, err := iampolicy.Parse(document)
		if err == nil && p.HasPrincipal() {
			err = errors.New("it has a Principal, and only resource policies have one")
		}
		if err != nil {
			return nil, fmt.Errorf("policy %d: %w", i+1, err)
		}
		policies = append(policies, p)
	}
	return policies, nil
}

// PutPolicy creates a managed policy or replaces the one with the same ARN, for requests of
// AssumeRoleWithSAML and AssumeRole that name it under PolicyArns. document is read by
// [iampolicy.Parse]. On an error nothing has changed. Such a request may name a policy that was
// never put. The session that it makes is refused by [Server.Gate], and when it calls AssumeRole.
func (s *Server) PutPolicy(arn, document string) error {
	if _, ok := parseARN(policyARN, arn); !ok {
		return fmt.Errorf("ststest: %q is not the ARN of a policy; "+
			"want arn:{partition}:iam::{account or aws}:policy/{path and name}", arn)
	}
	parsed, err := parseIdentity([]string{document})
	if err != nil {
		return fmt.Errorf("ststest: %s: %w", arn, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.policies[strings.Clone(arn)] = parsed[0]
	return nil
}

// A Call is what the Server saw of one request and what it answered. It never
// holds an assertion, a secret key, a session token or a sign-in token. It
// keeps nothing of the request alive. Its texts are cut after 2,048 characters,
// the most that AWS accepts in any of them, and its lists of ARNs after 11.
type Call struct {
	Time      time.Time
	Action    string // as sent, also when there is no such action; of a gate, such as s3:GetObject
	Region    string // of the endpoint that was addressed
	RequestID string
	Status    int    // HTTP status; zero for a fault that answers nothing
	Code      string // error code; empty for a success and for a body without one

	// Cause says in words of ours why a call was refused, where AWS's message
	// does not: for a signature, an encrypted assertion, a document that cannot
	// be read, and AccessDenied. Otherwise it is empty. It may quote the name
	// of an element or algorithm, and the wording may change.
	Cause string

	// The parameters of AssumeRoleWithSAML or AssumeRole as sent; Duration is zero when the
	// request had none. Duration is also the SessionDuration that a
	// getSigninToken was granted.
	RoleARN      string
	PrincipalARN string
	Duration     time.Duration
	Policy       string
	PolicyARNs   []string

	// What the assertion says; empty unless its signature was good.
	AssertionID       string
	Subject           string
	SessionName       string
	SourceIdentity    string
	PrincipalTags     map[string]string
	TransitiveTagKeys []string

	// ExternalID and SignedBy, the access key ID that signed, are those of
	// AssumeRole. Its SourceIdentity, PrincipalTags and TransitiveTagKeys are the
	// new session's, with what it inherits; empty unless it was issued.
	ExternalID string
	SignedBy   string

	// Resource is the ARN that a request to a [Server.Gate] was about.
	Resource string

	// AccessKeyID is the one issued, the one that signed, or the one that a
	// console sign-in was granted to.
	AccessKeyID string
}

// Calls returns the requests so far, oldest first: the last 10,000 of them.
// A request is there as soon as its client can have an answer.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := slices.Concat(s.calls[s.nextCall:], s.calls[:s.nextCall])
	for i := range calls {
		c := &calls[i]
		c.PolicyARNs = slices.Clone(c.PolicyARNs)
		c.PrincipalTags = maps.Clone(c.PrincipalTags)
		c.TransitiveTagKeys = slices.Clone(c.TransitiveTagKeys)
	}
	return calls
}

func (s *Server) record(c *Call) {
	kept := c.kept()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.calls) < maxCalls {
		s.calls = append(s.calls, kept)
		return
	}
	s.calls[s.nextCall] = kept
	s.nextCall = (s.nextCall + 1) % maxCalls
}

// kept returns the call with copies of its texts. A text that is a part of a
// request keeps the whole request in memory, up to 10 MB.
func (c *Call) kept() Call {
	k := *c
	for _, text := range []*string{
		&k.Action, &k.Region, &k.RequestID, &k.Code, &k.Cause,
		&k.RoleARN, &k.PrincipalARN, &k.Policy,
		&k.AssertionID, &k.Subject, &k.SessionName, &k.SourceIdentity, &k.AccessKeyID, &k.Resource,
		&k.ExternalID, &k.SignedBy,
	} {
		*text = keptText(*text)
	}
	k.PolicyARNs = keptTexts(c.PolicyARNs[:min(len(c.PolicyARNs), maxPolicyARNs+1)])
	k.TransitiveTagKeys = keptTexts(c.TransitiveTagKeys)
	k.PrincipalTags = keptTags(c.PrincipalTags)
	return k
}

// keptTags returns a copy of tags; nil for nil.
func keptTags(tags map[string]string) map[string]string {
	if tags == nil {
		return nil
	}
	kept := map[string]string{}
	for key, value := range tags {
		kept[keptText(key)] = keptText(value)
	}
	return kept
}

// keptText returns a copy of the first maxKept characters.
func keptText(s string) string {
	n := 0
	for i := range s {
		if n == maxKept {
			s = s[:i]
			break
		}
		n++
	}
	return strings.Clone(s)
}

func keptTexts(list []string) []string {
	var kept []string
	for _, s := range list {
		kept = append(kept, keptText(s))
	}
	return kept
}

// random fills a new slice from Config.Rand.
func (s *Server) random(n int) ([]byte, error) {
	s.randMu.Lock()
	defer s.randMu.Unlock()
	b := make([]byte, n)
	if _, err := io.ReadFull(s.config.Rand, b); err != nil {
		return nil, errors.New("ststest: Config.Rand is exhausted")
	}
	return b, nil
}

// uuid returns a version 4 UUID, the form of AWS's request IDs.
func (s *Server) uuid() (string, error) {
	b, err := s.random(16)
	if err != nil {
		return "", err
	}
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:], nil
}
