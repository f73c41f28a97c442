package delegationhttp

import (
	"cmp"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/seed055b7978/delegation/internal/document"
)

const (
	// defaultMaxBody has room for an ID token of 16 KiB, percent-encoded, and for parameters for
	// the rules.
	defaultMaxBody = 64 << 10

	// Limits of Config.MaxBody. A body is kept in memory while it is read.
	leastMaxBody = 1 << 10
	mostMaxBody  = 1 << 20
)

const formMediaType = "application/x-www-form-urlencoded"

const grantType = "urn:ietf:params:oauth:grant-type:jwt-bearer"

// delegationRequest is a well-formed request of an Auth0 delegation client. Nothing in it is
// verified.
type delegationRequest struct {
	// endpoint is which one was asked, as events have it.
	endpoint string
	clientID string
	idToken  string
	target   string
	// sessionName is what the caller wants the session to be called. Rules may read it.
	sessionName string
	// role is the ARN of the one that the caller chooses. Empty: none.
	role string
	// parameters are all others. Rules may read them.
	parameters map[string]any
}

// readRequest reads a delegation request from a form or a JSON object.
func (h *Handlers) readRequest(
	w http.ResponseWriter, r *http.Request,
) (*delegationRequest, *refusal) {
	parse, refused := parserFor(r.Header)
	if refused != nil {
		return nil, refused
	}
	body, refused := h.readBody(w, r)
	if refused != nil {
		return nil, refused
	}
	values, refused := parse(body)
	if refused != nil {
		return nil, refused
	}
	return newRequest(values)
}

// readBody reads a body of Config.MaxBody bytes at most.
func (h *Handlers) readBody(w http.ResponseWriter, r *http.Request) ([]byte, *refusal) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(h.config.MaxBody)))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		refused := invalid(http.StatusRequestEntityTooLarge,
			"the body has more than %d bytes", h.config.MaxBody)
		refused.limit = LimitSize
		return nil, refused
	case err != nil:
		return nil, invalid(http.StatusBadRequest, "the body ended before it was complete")
	}
	return body, nil
}

// readForm reads a body that must be a form.
func (h *Handlers) readForm(w http.ResponseWriter, r *http.Request) ([]byte, *refusal) {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != formMediaType {
		return nil, invalid(http.StatusUnsupportedMediaType,
			"Content-Type must be %s", formMediaType)
	}
	if _, refused := parserFor(r.Header); refused != nil {
		return nil, refused
	}
	return h.readBody(w, r)
}

// parser reads the parameters of a body.
type parser func(body []byte) (map[string]any, *refusal)

// parserFor chooses the parser by the media type. It accepts only bodies that every reader reads
// the same way: in UTF-8 and without a content coding.
func parserFor(header http.Header) (parser, *refusal) {
	const unsupported = http.StatusUnsupportedMediaType
	mediaType, parameters, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil || len(header.Values("Content-Type")) > 1 {
		mediaType = ""
	}
	var parse parser
	switch mediaType {
	case "application/json":
		parse = parseJSON
	case formMediaType:
		parse = parseForm
	default:
		return nil, invalid(unsupported,
			"Content-Type must be application/x-www-form-urlencoded or application/json")
	}
	charset, given := parameters["charset"]
	if given && !strings.EqualFold(charset, "utf-8") {
		return nil, invalid(unsupported, "the charset must be utf-8")
	}
	coding := strings.Join(header.Values("Content-Encoding"), ",")
	if coding != "" && !strings.EqualFold(coding, "identity") {
		return nil, invalid(unsupported, "the body must not have a Content-Encoding")
	}
	return parse, nil
}

func parseJSON(body []byte) (map[string]any, *refusal) {
	values, err := document.Object(body)
	if err != nil { // the error may name a member, but holds no value
		return nil, invalid(http.StatusBadRequest, "the body is not one JSON object: %v", err)
	}
	return values, nil
}

// parseForm reads a form. It refuses every repeated parameter (RFC 6749 §3.1), because two readers
// might choose different values.
func parseForm(body []byte) (map[string]any, *refusal) {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, invalid(http.StatusBadRequest,
			"the body is not a form: a bad percent-encoding, or a semicolon")
	}
	values := make(map[string]any, len(form))
	for name, all := range form {
		if !utf8.ValidString(name) || !utf8.ValidString(all[0]) {
			return nil, invalid(http.StatusBadRequest, "the body is not UTF-8")
		}
		if len(all) > 1 {
			return nil, invalid(http.StatusBadRequest, "repeated parameter %.80q", name)
		}
		values[name] = all[0]
	}
	return values, nil
}

// protocolParameters are the parameters that belong to the protocol. All others are for the rules.
var protocolParameters = []string{
	"client_id", "grant_type", "id_token", "refresh_token", "target", "api_type",
}

// newRequest makes a request from the parameters of a body. Clients send options that are not set
// as an empty text or null, so these count as absent.
func newRequest(values map[string]any) (*delegationRequest, *refusal) {
	own := map[string]string{}
	for _, name := range protocolParameters {
		text, ok := values[name].(string)
		if values[name] != nil && !ok {
			return nil, invalid(http.StatusBadRequest, "%s is not a string", name)
		}
		own[name] = text
		delete(values, name)
	}
	if refused := checkParameters(own); refused != nil {
		return nil, refused
	}
	return &delegationRequest{
		clientID:   own["client_id"],
		idToken:    own["id_token"],
		target:     cmp.Or(own["target"], own["client_id"]),
		parameters: values,
	}, nil
}

// checkParameters refuses a request whose protocol parameters are missing or not supported.
func checkParameters(own map[string]string) *refusal {
	switch {
	case own["client_id"] == "":
		return invalid(http.StatusBadRequest, "missing client_id parameter")
	case own["grant_type"] == "":
		return invalid(http.StatusBadRequest, "missing grant_type parameter")
	case own["grant_type"] != grantType:
		return &refusal{
			status:      http.StatusNotImplemented,
			code:        "unsupported_grant_type",
			description: "grant_type must be " + grantType,
		}
	case own["refresh_token"] != "":
		return invalid(http.StatusBadRequest,
			"refresh_token is not supported: send the user's ID token as id_token, alone")
	case own["id_token"] == "":
		return invalid(http.StatusBadRequest, "missing id_token parameter")
	case own["api_type"] != "" && own["api_type"] != "aws":
		return invalid(http.StatusBadRequest, "api_type must be aws")
	}
	return nil
}
