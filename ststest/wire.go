package ststest

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	version     = "2011-06-15"
	nsSTS       = "https://sts.amazonaws.com/doc/2011-06-15/"
	nsFault     = "http://webservices.amazon.com/AWSFault/2005-15-09"
	formType    = "application/x-www-form-urlencoded"
	landingPage = "https://aws.amazon.com/iam"

	// maxBody is the largest request body STS reads.
	maxBody = 10_000_000
)

// An apiError is a refusal as it goes over the wire. A message of "" is left
// out, as STS does for MalformedInput.
type apiError struct {
	status    int
	code      string
	message   string
	namespace string // empty is nsSTS
}

// A request is one call on its way through the checks.
type request struct {
	*http.Request
	body   []byte
	form   url.Values
	region string
	now    time.Time
	fault  Fault
	call   *Call
}

// param returns a parameter and whether it is there. The first of several
// counts.
func (r *request) param(name string) (string, bool) {
	if v := r.form[name]; len(v) > 0 {
		return v[0], true
	}
	return "", false
}

// serve answers a request that was addressed to the STS of region.
func (s *Server) serve(w http.ResponseWriter, hr *http.Request, region string) {
	r := s.open(w, hr, region)
	if r == nil {
		return
	}
	status, err := r.read(w)
	if err != nil {
		return // the client went away while it was sending
	}
	r.call.Action, _ = r.param("Action")
	r.call.RoleARN, _ = r.param("RoleArn")
	r.call.PrincipalARN, _ = r.param("PrincipalArn")

	if s.fail(w, r) {
		return
	}
	if refusal := s.refusalOf(r.fault, r); refusal != nil {
		s.refuse(w, r, refusal)
		return
	}
	switch status {
	case http.StatusOK:
		s.act(w, r)
	case http.StatusBadRequest:
		s.refuse(w, r, &apiError{status: status, code: "MalformedInput"})
	case http.StatusFound:
		w.Header().Set("Location", landingPage)
		s.reply(w, r, status, "", "")
	default:
		s.reply(w, r, status, "", "")
	}
}

// refusalOf returns the refusal of a fault that refuses every request, or nil.
func (s *Server) refusalOf(f Fault, r *request) *apiError {
	switch f.kind {
	case refuse:
		return &apiError{status: f.status, code: f.code, message: f.message}
	case regionDisabled:
		return &apiError{
			status: http.StatusForbidden,
			code:   "RegionDisabledException",
			message: "STS is not activated in this region for account:" + s.accountOf(r) +
				". Your account administrator can activate STS in this region " +
				"using the IAM Console.",
		}
	}
	return nil
}

// act carries out the action of a request and answers it.
func (s *Server) act(w http.ResponseWriter, r *request) {
	answer, refusal := s.answerOf(r)
	if refusal != nil {
		s.refuse(w, r, refusal)
		return
	}
	name := r.call.Action
	answer.name = name + "Result"
	document := element{name: name + "Response", children: []element{
		answer,
		{name: "ResponseMetadata", children: []element{
			{name: "RequestId", text: r.call.RequestID},
		}},
	}}
	var b strings.Builder
	for _, e := range r.fault.alter(document, r.now) {
		e.write(&b, nsSTS, 0)
	}
	s.reply(w, r, http.StatusOK, "text/xml", b.String())
}

// answerOf carries out the action of a request and returns its result.
func (s *Server) answerOf(r *request) (element, *apiError) {
	asked, ok := r.param("Version")
	if !ok {
		asked = "NO_VERSION_SPECIFIED"
	}
	switch {
	case asked == version && r.call.Action == "AssumeRoleWithSAML":
		return s.assumeRoleWithSAML(r)
	case asked == version && r.call.Action == "AssumeRole":
		return s.assumeRole(r)
	case asked == version && r.call.Action == "GetCallerIdentity":
		return s.getCallerIdentity(r)
	}
	const unknown = "Could not find operation %s for version %s"
	return element{}, &apiError{
		status:    http.StatusBadRequest,
		code:      "InvalidAction",
		message:   fmt.Sprintf(unknown, r.call.Action, asked),
		namespace: nsFault,
	}
}

// open begins the record of a request and takes its fault. It answers by
// itself and returns nil when there is no randomness for a request ID.
func (s *Server) open(w http.ResponseWriter, hr *http.Request, region string) *request {
	r := &request{Request: hr, region: region, now: s.config.Now(), fault: s.nextFault(region)}
	id, err := s.uuid()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return nil
	}
	r.call = &Call{Time: r.now, Region: region, RequestID: id}
	w.Header().Set("x-amzn-RequestId", id)
	w.Header().Set("Date", r.now.UTC().Format(http.TimeFormat))
	return r
}

// fail carries out the faults that look the same at every endpoint and reports
// whether it has answered.
func (s *Server) fail(w http.ResponseWriter, r *request) bool {
	switch r.fault.kind {
	case gateway:
		s.page(w, r, r.fault.status)
		return true
	case hang:
		s.record(r.call)
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	case cut:
		s.record(r.call)
		panic(http.ErrAbortHandler)
	}
	return false
}

// page answers with an HTML page that says no more than the status.
func (s *Server) page(w http.ResponseWriter, r *request, status int) {
	text := http.StatusText(status)
	const page = "<html>\r\n" +
		"<head><title>%d %s</title></head>\r\n" +
		"<body>%[2]s</body>\r\n" +
		"</html>\r\n"
	s.reply(w, r, status, "text/html", fmt.Sprintf(page, status, text))
}

// read reads the parameters. For a request that is not of the query protocol,
// it returns an HTTP status and no parameters.
func (r *request) read(w http.ResponseWriter) (int, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return http.StatusRequestEntityTooLarge, nil
	}
	if err != nil {
		return 0, err
	}
	r.body = body
	query := r.URL.RawQuery
	switch r.Method {
	case http.MethodGet:
	case http.MethodPost:
		mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		if err != nil || mediaType != formType {
			return http.StatusFound, nil
		}
		query = string(body)
	default:
		return http.StatusFound, nil
	}
	form, err := url.ParseQuery(query)
	if err != nil {
		return http.StatusBadRequest, nil
	}
	if form.Get("Action") == "" {
		return http.StatusFound, nil
	}
	r.form = form
	return http.StatusOK, nil
}

// refuse writes the error document. The RequestId is next to Error, not in
// ResponseMetadata.
func (s *Server) refuse(w http.ResponseWriter, r *request, e *apiError) {
	r.call.Code = e.code
	kind := "Sender"
	if e.status >= 500 {
		kind = "Receiver"
	}
	details := []element{{name: "Type", text: kind}, {name: "Code", text: e.code}}
	if e.message != "" {
		details = append(details, element{name: "Message", text: e.message})
	}
	namespace := e.namespace
	if namespace == "" {
		namespace = nsSTS
	}
	var b strings.Builder
	element{name: "ErrorResponse", children: []element{
		{name: "Error", children: details},
		{name: "RequestId", text: r.call.RequestID},
	}}.write(&b, namespace, 0)
	s.reply(w, r, e.status, "text/xml", b.String())
}

// reply records the call and only then answers.
func (s *Server) reply(w http.ResponseWriter, r *request, status int, contentType, body string) {
	r.call.Status = status
	s.record(r.call)
	if contentType != "" {
		w.Header().Set("Content-Type", contentType)
	}
	w.WriteHeader(status)
	io.WriteString(w, body)
}

// namedQuotes writes quotation marks by name, as STS does.
var namedQuotes = strings.NewReplacer("&#39;", "&apos;", "&#34;", "&quot;")

// An element of an answer has text or children.
type element struct {
	name, text string
	children   []element
}

// write writes e as STS does: no XML declaration, two spaces a level, a
// newline after every element.
func (e element) write(b *strings.Builder, namespace string, depth int) {
	indent := strings.Repeat("  ", depth)
	b.WriteString(indent + "<" + e.name)
	if namespace != "" {
		b.WriteString(` xmlns="` + namespace + `"`)
	}
	b.WriteByte('>')
	if e.children == nil {
		var escaped bytes.Buffer
		xml.EscapeText(&escaped, []byte(e.text))
		b.WriteString(namedQuotes.Replace(escaped.String()))
	} else {
		b.WriteByte('\n')
		for _, c := range e.children {
			c.write(b, "", depth+1)
		}
		b.WriteString(indent)
	}
	b.WriteString("</" + e.name + ">\n")
}

// each calls f for every element of e, which f may change, and returns e
// without the elements for which f returned false.
func (e element) each(f func(*element) bool) []element {
	if !f(&e) {
		return nil
	}
	if e.children != nil {
		kept := []element{}
		for _, c := range e.children {
			kept = append(kept, c.each(f)...)
		}
		e.children = kept
	}
	return []element{e}
}

// wireTime writes an instant in whole seconds.
func wireTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }
