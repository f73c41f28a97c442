package ststest

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed055b7978/delegation/iampolicy"
)

// maxGateBody is the default of [Gate.MaxBody]: 64 MiB, which is more than the parts in which
// clients upload.
const maxGateBody = 64 << 20

// A Gate holds the settings of [Server.Gate]. The zero value is for S3, and for the services that
// [JSONAccess] knows.
type Gate struct {
	// Services are the names for which requests to the fake are signed, such as s3. A request that
	// is signed for another service is refused, as AWS's endpoints do. Without Services, only what
	// the host name and X-Amz-Target say is compared with the signature. Set it if the fake cannot
	// tell by itself whose request it gets.
	Services []string

	// Access says what a request asks for. The default is [S3Access] for requests that are signed
	// for s3, and [JSONAccess] for those with the header X-Amz-Target. Others are refused with
	// 501, as is a request for which Access returns an error or nothing.
	Access func(*SignedRequest) ([]Access, error)

	// ResourcePolicies returns the policies of a resource, such as the bucket policy for the ARN
	// of a bucket or of an object in it. Default none.
	ResourcePolicies func(resource string) []*iampolicy.Policy

	// Host is the host name of the fake. A request to bucket.Host is for the bucket, as one to
	// bucket.s3.amazonaws.com is. Default localhost.
	Host string

	// MaxBody is the largest body in bytes. A larger one is refused with 413. Default 64 MiB.
	MaxBody int64
}

// An Access is one action on one resource. A request needs all that [Gate.Access] returns for it.
type Access struct {
	// Action is an action of IAM, such as s3:GetObject.
	Action string

	// Resource is an ARN, or "*" for an action without resources.
	Resource string

	// Context has the condition keys of the service, such as s3:prefix. It may also replace what
	// the gate sets by itself, such as aws:SourceIp. A key without values says that the request does
	// not have it, and a key such as s3:ExistingObjectTag/team that there are no others of that kind.
	//
	// For a bucket of another account, set aws:ResourceAccount; s3:ResourceAccount follows it. A
	// request is refused with 501 if the account is another one than that in the ARN of Resource.
	Context iampolicy.Context
}

// A SignedRequest is a request whose signature is good. An anonymous one has no Account.
type SignedRequest struct {
	*http.Request

	// Payload is the whole body, without the framing of a body that was sent in signed chunks.
	Payload []byte

	// Service and Region are those that the request was signed for, such as s3 and eu-central-1.
	Service, Region string

	// Account and Partition are those of the session.
	Account, Partition string

	gateHost string    // Gate.Host
	now      time.Time // when it came
	signed   signature
}

// Gate returns a handler that lets a request pass to next as AWS would: it checks Signature
// Version 4 with the credentials that the Server issued, and then the policies. It is for fakes of
// any service, which then need no code for signatures or policies.
//
// It accepts signatures in the Authorization header and in presigned URLs. It checks the session
// token, the region's partition, the service ([Gate.Services], an endpoint of AWS in the host
// name, and X-Amz-Target), the time (15 minutes before and after [Config.Now]), the end of a
// presigned URL and of the session, that host and every x-amz header are signed, and the hash of
// the payload. S3 may leave the payload unsigned, or send it in chunks, whose sizes, signatures
// and trailers are checked; next gets the payload without the chunks' framing.
//
// The policies are the role's as they are when the request comes ([Role.Policies] and
// [Role.Boundary]), the session policy and the policies of PolicyArns ([Server.PutPolicy]), and
// those of [Gate.ResourcePolicies]. Condition keys are those of the session, such as saml:sub,
// aws:PrincipalTag/… and aws:TokenIssueTime, of the request, such as aws:SourceIp (the address of
// the connection), aws:SecureTransport (true), aws:CurrentTime, aws:RequestedRegion and
// aws:UserAgent, and those of [Access]. aws:ResourceAccount, and s3:ResourceAccount for S3, is the
// account in the resource's ARN. If the ARN has none, it is the one that Access sets, or the
// session's. aws:username and aws:MultiFactorAuthPresent are never set.
//
// A request is refused with 501 if the decision depends on a condition key of its service that
// neither the gate nor Access knows, such as dynamodb:LeadingKeys or s3:ExistingObjectTag/…, or
// on tags or organizations, such as aws:ResourceTag/…. Cause names the key. A function of
// [Gate.Access] can add it to the Context of what [S3Access] or [JSONAccess] returns.
//
// It refuses as AWS does: S3 in XML, services with X-Amz-Target as AccessDeniedException with
// status 400, the query protocol in XML, and others in JSON with status 403. [Server.Calls] has
// every request. Its Action and Resource are what was decided, and its Cause is the decision in
// words, with the statement that decided. For a request that passed, Status is zero.
//
// DeleteObjects is refused as a whole if one key may not be deleted, where S3 answers for each key.
// Forms of browsers, access points and Signature Version 4A are refused.
func (s *Server) Gate(next http.Handler, g Gate) http.Handler {
	if g.Host == "" {
		g.Host = "localhost"
	}
	if g.MaxBody == 0 {
		g.MaxBody = maxGateBody
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.guard(w, r, next, g)
	})
}

// guard judges one request, and passes it on or refuses it.
func (s *Server) guard(w http.ResponseWriter, r *http.Request, next http.Handler, g Gate) {
	id, err := s.uuid()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	call := &Call{Time: s.config.Now(), RequestID: id}
	body, err := io.ReadAll(io.LimitReader(r.Body, g.MaxBody+1))
	if err != nil {
		// If nothing were written here, net/http would send 200.
		http.Error(w, "the body of the request cannot be read", http.StatusBadRequest)
		return
	}
	j := &judgement{server: s, gate: g, now: call.Time, call: call}
	j.request = &SignedRequest{Request: r, Payload: body, gateHost: g.Host, now: call.Time}
	refusal := j.judge()
	if refusal != nil {
		s.refuseAtGate(w, j, refusal)
		return
	}
	s.record(call)
	r.Body = io.NopCloser(bytes.NewReader(j.request.Payload))
	r.ContentLength = int64(len(j.request.Payload))
	next.ServeHTTP(w, r)
}

// A judgement is one request on its way through a gate.
type judgement struct {
	server   *Server
	gate     Gate
	now      time.Time
	call     *Call
	request  *SignedRequest
	session  *session // nil for an anonymous request
	endpoint string   // another service than the request is signed for: see otherEndpoint
}

// judge returns why a request is refused, or nil.
func (j *judgement) judge() *gateRefusal {
	if int64(len(j.request.Payload)) > j.gate.MaxBody {
		return &gateRefusal{reason: tooLarge, message: "Your proposed upload exceeds the maximum " +
			"allowed size"}
	}
	if refusal := j.authenticate(); refusal != nil {
		return refusal
	}
	if j.session != nil {
		j.request.Account = j.session.account
		j.request.Partition = j.session.partition
	} else {
		j.request.Partition = partitionOf(j.request.Region).name
	}
	accesses, err := j.accesses()
	if err == nil && len(accesses) == 0 {
		err = errors.New("Gate.Access returned no action for the request")
	}
	if err != nil {
		j.call.Cause = err.Error()
		return &gateRefusal{reason: notUnderstood, message: err.Error()}
	}
	for _, a := range accesses {
		if refusal := j.allow(a); refusal != nil {
			return refusal
		}
	}
	return nil
}

// accesses returns what the request asks for.
func (j *judgement) accesses() ([]Access, error) {
	switch {
	case j.gate.Access != nil:
		return j.gate.Access(j.request)
	case j.request.Service == "s3":
		return S3Access(j.request)
	case j.request.Header.Get("X-Amz-Target") != "":
		return JSONAccess(j.request)
	}
	return nil, fmt.Errorf("the gate does not know the service %q; set Gate.Access",
		j.request.Service)
}

// allow evaluates the policies for one access.
func (j *judgement) allow(a Access) *gateRefusal {
	j.call.Action = a.Action
	j.call.Resource = a.Resource
	set, err := j.policies(a.Resource)
	if err != nil {
		j.call.Cause = err.Error()
		return &gateRefusal{reason: denied, message: "Access Denied"}
	}
	account, err := j.resourceAccount(a)
	if err != nil {
		j.call.Cause = err.Error()
		return &gateRefusal{reason: notUnderstood, message: err.Error()}
	}
	r := iampolicy.Request{
		Action:   a.Action,
		Resource: a.Resource,
		Context:  j.context(a, account),
	}
	if j.session != nil {
		r.Principal = iampolicy.Principal{ARN: j.session.arn, Role: j.session.role}
	}
	unknown := newUnknownKeys(r)
	certain := false
	decision, err := set.Decide(r)
	if err == nil {
		certain, err = unknown.decide(set)
	}
	switch {
	case err != nil:
		j.call.Cause = err.Error()
		return &gateRefusal{reason: denied, message: "Access Denied"}
	case !certain:
		j.call.Cause = unknown.problem()
		return &gateRefusal{reason: notUnderstood, message: unknown.problem()}
	case decision.Allowed():
		return nil
	}
	j.call.Cause = decision.String()
	return &gateRefusal{reason: denied, message: j.deniedBecause(a, decision)}
}

// policies returns the policies that apply to a resource.
func (j *judgement) policies(resource string) (iampolicy.Set, error) {
	var set iampolicy.Set
	if j.gate.ResourcePolicies != nil {
		set.Resource = j.gate.ResourcePolicies(resource)
	}
	if j.session == nil {
		return set, nil
	}
	own, err := j.server.policiesOf(j.session)
	own.Resource = set.Resource
	return own, err
}

// The condition keys for the account of the resource, in lower case.
const (
	keyResourceAccount   = "aws:resourceaccount"
	keyS3ResourceAccount = "s3:resourceaccount"
)

// resourceAccount returns the account of a resource: that in its ARN, or without one that of the
// access or the caller's. It is empty if an anonymous caller asks for a bucket, which may be
// anyone's. What contradicts the ARN or the other key is an error: no policy would see it.
func (j *judgement) resourceAccount(a Access) (string, error) {
	account := iampolicy.Request{Resource: a.Resource}.ResourceAccount()
	for _, key := range slices.Sorted(maps.Keys(a.Context)) {
		lower := strings.ToLower(key)
		if lower != keyResourceAccount && lower != keyS3ResourceAccount {
			continue
		}
		for _, value := range a.Context[key] {
			if account != "" && value != account {
				return "", fmt.Errorf("Gate.Access sets %s to %.40q, but the account of %.200q is "+
					"%.40q by its ARN or by another key; set one account, or leave the key out",
					key, value, a.Resource, account)
			}
			account = value
		}
	}
	return cmp.Or(account, j.request.Account), nil
}

// context returns all condition keys of a request (IAM User Guide, AWS global condition context
// keys). Those of the access replace others. account is the resource's.
func (j *judgement) context(a Access, account string) iampolicy.Context {
	r := j.request
	all := iampolicy.Context{
		"aws:currenttime":           {wireTime(j.now)},
		"aws:epochtime":             {strconv.FormatInt(j.now.Unix(), 10)},
		"aws:securetransport":       {"true"},
		"aws:viaawsservice":         {"false"},
		"aws:principalisawsservice": {"false"},
		"aws:useragent":             r.Header.Values("User-Agent"),
		"aws:referer":               r.Header.Values("Referer"),
	}
	if r.Region != "" {
		all["aws:requestedregion"] = []string{r.Region}
	}
	if account != "" {
		all[keyResourceAccount] = []string{account}
		if strings.HasPrefix(strings.ToLower(a.Action), "s3:") {
			all[keyS3ResourceAccount] = []string{account}
		}
	}
	if from, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		all["aws:sourceip"] = []string{from.Addr().Unmap().WithZone("").String()}
	}
	if j.session != nil {
		for key, values := range j.session.authority.context {
			all[strings.ToLower(key)] = values
		}
	} else {
		// An anonymous caller is in no organization.
		all["aws:principalorgid"] = nil
		all["aws:principalorgpaths"] = nil
	}
	// Keys of the access keep their spelling. iampolicy refuses a request that has a key in two
	// spellings, such as two tags of an object. A choice would depend on the order of the map.
	for key := range a.Context {
		delete(all, strings.ToLower(key))
	}
	maps.Copy(all, a.Context)
	return all
}

// deniedBecause words a refusal as AWS does (IAM User Guide, Troubleshoot access denied error
// messages).
func (j *judgement) deniedBecause(a Access, d iampolicy.Decision) string {
	if j.session == nil {
		return "Access Denied"
	}
	kind := map[iampolicy.Kind]string{
		iampolicy.Identity: "identity-based policy",
		iampolicy.Session:  "session policy",
		iampolicy.Boundary: "permissions boundary",
		iampolicy.Resource: "resource-based policy",
	}[d.By.Kind]
	article := "a"
	if d.By.Kind == iampolicy.Identity {
		article = "an"
	}
	because := "because no " + kind + " allows the " + a.Action + " action"
	if d.Effect == iampolicy.DeniedExplicitly {
		because = "with an explicit deny in " + article + " " + kind
	}
	resource := a.Resource
	if j.request.Service == "s3" {
		resource = strconv.Quote(resource)
	}
	return fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s %s",
		j.session.arn, a.Action, resource, because)
}
