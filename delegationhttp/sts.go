package delegationhttp

import (
	"fmt"
	"net/http"

	"github.com/seed055b7978/delegation"
)

// stsVersion is the only version of the STS API.
const stsVersion = "2011-06-15"

// stsHeaders are the headers of AWS's SDKs that a browser asks about first.
var stsHeaders = []string{
	"Content-Type", "Amz-Sdk-Invocation-Id", "Amz-Sdk-Request", "X-Amz-User-Agent",
	"Authorization", "X-Amz-Date", "X-Amz-Security-Token", "X-Amz-Content-Sha256",
}

// STS returns the handler of an endpoint that speaks as much of the STS Query API as SDKs need to
// fetch credentials with a web identity token. So unchanged SDKs use it, with three environment
// variables and no code:
//
//	AWS_ENDPOINT_URL_STS=https://HOST/sts/TARGET
//	AWS_ROLE_ARN=ROLE
//	AWS_WEB_IDENTITY_TOKEN_FILE=FILE
//
// The file holds the ID token. The path names the target. Mount it at two patterns, because some
// SDKs add a slash to the path:
//
//	mux.Handle("/sts/{target}", handlers.STS())
//	mux.Handle("/sts/{target}/{$}", handlers.STS())
//
// With a router that sets no path values, call [http.Request.SetPathValue] with "target" first.
//
// The handler answers POST. It knows two actions of the version 2011-06-15:
//
//   - AssumeRoleWithWebIdentity exchanges the ID token. RoleArn chooses the role; see
//     [delegation.WithRole].
//     RoleSessionName reaches rules as Request.SessionName, and DurationSeconds shortens the
//     session (see [delegation.WithSessionDuration]). ProviderId, and parameters that the action
//     does not have, are refused.
//   - GetCallerIdentity is answered if the request has a valid Signature Version 4 of credentials
//     that this endpoint handed out in this process. See Config.STSMemory.
//
// Every other action is refused with InvalidAction. Nothing is forwarded to AWS: a signature
// covers the host, so AWS would refuse it.
//
// Answers are AWS's XML. A refusal has one of AWS's codes, and [delegation.Error.Public] as its
// message. Its status is one after which SDKs retry if, and only if, the same request may succeed
// later; docs/unchanged-sdks.md lists them. Pages of Config.AllowedOrigins may call it, too.
func (h *Handlers) STS() http.Handler {
	return h.serve(endpoint{
		method:      http.MethodPost,
		headers:     stsHeaders,
		shape:       stsShape,
		contentType: xmlType,
		answer:      h.sts,
	})
}

// sts answers one request of an SDK.
func (h *Handlers) sts(w http.ResponseWriter, r *http.Request) ([]byte, *refusal) {
	w.Header().Set(headerAWSRequestID, requestID(w))
	if r.URL.RawQuery != "" {
		return nil, invalid(http.StatusBadRequest,
			"the URL has parameters: send them in the body, as AWS's SDKs do")
	}
	if r.PathValue("target") == "" {
		return nil, invalid(http.StatusBadRequest, "the path names no target: set "+
			"AWS_ENDPOINT_URL_STS to the address of this service with /sts/ and the target's name")
	}
	body, refused := h.readForm(w, r)
	if refused != nil {
		return nil, refused
	}
	values, refused := parseForm(body)
	if refused != nil {
		return nil, refused
	}
	call := newSTSCall(values)
	if refused := call.checkVersion(); refused != nil {
		return nil, refused
	}
	switch call.action {
	case "AssumeRoleWithWebIdentity":
		return h.assumeRoleWithWebIdentity(w, r, call)
	case "GetCallerIdentity":
		return h.getCallerIdentity(w, r, call, body)
	}
	return nil, unknownAction(call.action)
}

// unknownAction refuses what belongs to AWS itself. The message is all that the user of an SDK
// sees.
func unknownAction(action string) *refusal {
	return &refusal{
		status: http.StatusBadRequest,
		code:   "InvalidAction",
		description: fmt.Sprintf("this endpoint answers AssumeRoleWithWebIdentity and "+
			"GetCallerIdentity, and not %.80q: for this call, unset AWS_ENDPOINT_URL_STS "+
			"(and AWS_ENDPOINT_URL, or endpoint_url in the profile), so that it goes to AWS",
			action),
	}
}

// stsCall are the parameters of a request that are not read yet.
type stsCall struct {
	action string
	values map[string]any
}

func newSTSCall(values map[string]any) *stsCall {
	call := &stsCall{values: values}
	call.action, _ = call.take("Action")
	return call
}

// take returns a parameter and whether it is there. It is then read.
func (c *stsCall) take(name string) (string, bool) {
	text, given := c.values[name].(string)
	delete(c.values, name)
	return text, given
}

func (c *stsCall) checkVersion() *refusal {
	version, given := c.take("Version")
	switch {
	case c.action == "":
		return &refusal{
			status:      http.StatusBadRequest,
			code:        "MissingAction",
			description: "missing Action parameter",
		}
	case !given || version != stsVersion:
		return &refusal{
			status: http.StatusBadRequest,
			code:   "InvalidAction",
			description: fmt.Sprintf("the version of the API is %.40q: it must be %s",
				version, stsVersion),
		}
	}
	return nil
}

// requireAllRead refuses parameters that nobody has read. To ignore one could grant more than the
// caller wants, such as a session that is not narrowed.
func (c *stsCall) requireAllRead() *refusal {
	for name := range c.values {
		if len(c.values) > 1 {
			return invalid(http.StatusBadRequest,
				"%d parameters are not known to the action %s", len(c.values), c.action)
		}
		return invalid(http.StatusBadRequest,
			"the parameter %.80q is not known to the action %s", name, c.action)
	}
	return nil
}

// assumeRoleWithWebIdentity exchanges an ID token.
func (h *Handlers) assumeRoleWithWebIdentity(
	w http.ResponseWriter, r *http.Request, call *stsCall,
) ([]byte, *refusal) {
	asked, refused := readWebIdentity(call)
	if refused != nil {
		return nil, refused
	}
	identity := new(webIdentity)
	q := &delegationRequest{
		endpoint:    "sts",
		idToken:     asked.token,
		target:      r.PathValue("target"),
		sessionName: asked.sessionName,
	}
	format := func(credentials *delegation.Credentials) ([]byte, error) {
		body, err := identity.answer(credentials, requestID(w))
		if err == nil {
			h.issued.add(credentials)
		}
		return body, err
	}
	options := append(asked.options(), delegation.WithRule(identity.rule()))
	body, refused := h.exchange(w, r, q, format, options...)
	if refused != nil {
		return nil, asSTS(refused)
	}
	return body, nil
}
