package delegationhttp

import (
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
	maxBody   = 64 << 10 // bytes: an ID token of 16 KiB, percent-encoded, and parameters for the rules
	grantType = "urn:ietf:params:oauth:grant-type:jwt-bearer"
)

// delegationRequest is a well-formed request of an Auth0 delegation client. Nothing in it is verified.
type delegationRequest struct {
	clientID, idToken, target string
	parameters                map[string]any // what is left for the rules
}

// readRequest reads a delegation request from a form or a JSON object.
func readRequest(w http.ResponseWriter, r *http.Request) (*delegationRequest, *refusal) {
	parse, refused := parserFor(r.Header)
	if refused != nil {
		return nil, refused
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, invalid(http.StatusRequestEntityTooLarge, "the body has more than %d bytes", maxBody)
	case err != nil:
		return nil, invalid(http.StatusBadRequest, "the body broke off")
	}
	values, refused := parse(body)
	if refused != nil {
		return nil, refused
	}
	return newRequest(values)
}

// parserFor chooses by the media type. Only what cannot be read in two ways is taken: UTF-8, and no content coding.
func parserFor(header http.Header) (func([]byte) (map[string]any, *refusal), *refusal) {
	kind, parameters, err := mime.ParseMediaType(header.Get("Content-Type"))
	charset, given := parameters["charset"]
	coding := strings.Join(header.Values("Content-Encoding"), ",") // in as many lines as there are
	switch {
	case len(header.Values("Content-Type")) > 1, err != nil, kind != "application/json" && kind != "application/x-www-form-urlencoded":
		return nil, invalid(http.StatusUnsupportedMediaType, "Content-Type must be application/x-www-form-urlencoded or application/json")
	case given && !strings.EqualFold(charset, "utf-8"):
		return nil, invalid(http.StatusUnsupportedMediaType, "the charset must be utf-8")
	case coding != "" && !strings.EqualFold(coding, "identity"):
		return nil, invalid(http.StatusUnsupportedMediaType, "the body must not have a Content-Encoding")
	case kind == "application/json":
		return parseJSON, nil
	}
	return parseForm, nil
}

func parseJSON(body []byte) (map[string]any, *refusal) {
	values, err := document.Object(body)
	if err != nil { // names a member at most, and no value
		return nil, invalid(http.StatusBadRequest, "the body is not one JSON object: %v", err)
	}
	return values, nil
}

// parseForm refuses a name that stands twice, of whatever parameter (RFC 6749 §3.1): two readers would choose differently.
func parseForm(body []byte) (map[string]any, *refusal) {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, invalid(http.StatusBadRequest, "the body is not a form: a bad percent-encoding, or a semicolon")
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

// newRequest takes the protocol's own parameters out of the values. Clients send options that are not set as empty texts
// or null, so these count as absent.
func newRequest(values map[string]any) (*delegationRequest, *refusal) {
	own := map[string]string{}
	for _, name := range []string{"client_id", "grant_type", "id_token", "refresh_token", "target", "api_type"} {
		text, ok := values[name].(string)
		if values[name] != nil && !ok {
			return nil, invalid(http.StatusBadRequest, "%s is not a string", name)
		}
		own[name] = text
		delete(values, name)
	}
	switch {
	case own["client_id"] == "":
		return nil, invalid(http.StatusBadRequest, "missing client_id parameter")
	case own["grant_type"] == "":
		return nil, invalid(http.StatusBadRequest, "missing grant_type parameter")
	case own["grant_type"] != grantType:
		return nil, &refusal{status: http.StatusNotImplemented, code: "unsupported_grant_type", description: "grant_type must be " + grantType}
	case own["refresh_token"] != "":
		return nil, invalid(http.StatusBadRequest, "refresh_token is not supported: send the user's ID token as id_token, alone")
	case own["id_token"] == "":
		return nil, invalid(http.StatusBadRequest, "missing id_token parameter")
	case own["api_type"] != "" && own["api_type"] != "aws":
		return nil, invalid(http.StatusBadRequest, "api_type must be aws")
	}
	q := &delegationRequest{clientID: own["client_id"], idToken: own["id_token"], target: own["target"], parameters: values}
	if q.target == "" {
		q.target = q.clientID
	}
	return q, nil
}
