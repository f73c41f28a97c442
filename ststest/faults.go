package ststest

import (
	"fmt"
	"net/http"
	"slices"
	"time"
)

// A Fault is what goes wrong with one call. Make one with [Throttle],
// [Status], [Refuse], [RegionDisabled], [Hang], [Cut], [Missing] or [Expired].
// The zero Fault is a healthy call.
type Fault struct {
	kind    faultKind
	status  int
	code    string
	message string
	names   []string
	region  string
	more    int // how many calls beyond the first
}

type faultKind int

const (
	healthy faultKind = iota
	refuse
	gateway
	regionDisabled
	hang
	cut
	missing
	expired
)

// Throttle refuses a call with Throttling, HTTP 400, "Rate exceeded".
func Throttle() Fault { return Refuse(http.StatusBadRequest, "Throttling", "Rate exceeded") }

// Status fails a call with an HTTP status of 500 to 599; it panics for any
// other. 500 and 503 carry the error document of AWS, the others the HTML page
// of a load balancer.
func Status(code int) Fault {
	if code < 500 || code > 599 {
		panic(fmt.Sprintf("ststest: Status(%d): want 500 to 599; use Refuse for others", code))
	}
	switch code {
	case http.StatusInternalServerError:
		return Refuse(code, "InternalFailure", "The request processing has failed "+
			"because of an unknown error, exception or failure.")
	case http.StatusServiceUnavailable:
		return Refuse(code, "ServiceUnavailable",
			"The request has failed due to a temporary failure of the server.")
	}
	return Fault{kind: gateway, status: code}
}

// Refuse answers a call with an error document of any HTTP status, code and
// message, such as 403 IDPRejectedClaim, without looking at the request.
func Refuse(status int, code, message string) Fault {
	return Fault{kind: refuse, status: status, code: code, message: message}
}

// RegionDisabled refuses a call with RegionDisabledException, HTTP 403, as for
// an account in which STS is not activated in the region.
func RegionDisabled() Fault { return Fault{kind: regionDisabled} }

// Hang answers nothing until the client goes away.
func Hang() Fault { return Fault{kind: hang} }

// Cut closes the connection instead of answering.
func Cut() Fault { return Fault{kind: cut} }

// Missing leaves the named members, such as "Credentials", "SessionToken" or
// "Expiration", out of a successful answer, with all they contain. With no
// names it sends an empty body with HTTP 200. It panics for a name that no
// answer has.
func Missing(names ...string) Fault {
	for _, name := range names {
		if !slices.Contains(memberNames, name) {
			const unknown = "ststest: Missing(%q): no answer has this member; the names are %q"
			panic(fmt.Sprintf(unknown, name, memberNames))
		}
	}
	return Fault{kind: missing, names: slices.Clone(names)}
}

// memberNames are all elements of the successful answers but the outermost.
var memberNames = []string{
	"AssumeRoleWithSAMLResult", "AssumeRoleResult", "Issuer", "AssumedRoleUser", "Arn",
	"AssumedRoleId", "Credentials", "AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration",
	"Audience", "SubjectType", "PackedPolicySize", "NameQualifier", "SourceIdentity", "Subject",
	"GetCallerIdentityResult", "UserId", "Account", "ResponseMetadata", "RequestId",
}

// Expired makes a successful AssumeRoleWithSAML give credentials whose
// Expiration is an hour in the past.
func Expired() Fault { return Fault{kind: expired} }

// In returns the fault for calls to one region only; calls to other regions
// leave it in the script.
func (f Fault) In(region string) Fault {
	f.region = region
	return f
}

// Repeat returns the fault for n calls in a row; it panics unless n is
// positive.
func Repeat(n int, f Fault) Fault {
	if n < 1 {
		panic(fmt.Sprintf("ststest: Repeat(%d): want at least 1", n))
	}
	f.more = n - 1
	return f
}

// Script sets what goes wrong with the calls to come, in place of what is left
// of an earlier script. Each call takes the first fault for its region; when
// none is left, calls are healthy. [Missing] and [Expired] change only an
// answer that is a success; they are used up by a refusal too.
func (s *Server) Script(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script = slices.Clone(faults)
}

// nextFault takes the fault for a call to the region out of the script.
func (s *Server) nextFault(region string) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.script {
		if f.region != "" && f.region != region {
			continue
		}
		if f.more > 0 {
			s.script[i].more--
		} else {
			s.script = slices.Delete(s.script, i, i+1)
		}
		return f
	}
	return Fault{}
}

// alter applies the faults that change a success.
func (f Fault) alter(answer element, now time.Time) []element {
	switch f.kind {
	case missing:
		if len(f.names) == 0 {
			return nil
		}
		return answer.each(func(e *element) bool { return !slices.Contains(f.names, e.name) })
	case expired:
		return answer.each(func(e *element) bool {
			if e.name == "Expiration" {
				e.text = wireTime(now.Add(-time.Hour))
			}
			return true
		})
	}
	return []element{answer}
}
