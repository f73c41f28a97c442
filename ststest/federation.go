package ststest

import (
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// signInWithin is how long a sign-in token is valid: IAM User Guide, Enable
// custom identity broker access to the AWS console.
const signInWithin = 15 * time.Minute

// consoles are the console hosts of the partitions. Those of the ISO
// partitions are not public.
var consoles = map[string]pattern{
	"aws":        newPattern(`\A([a-z0-9-]+\.)*console\.aws\.amazon\.com\z`),
	"aws-cn":     newPattern(`\A([a-z0-9-]+\.)*console\.amazonaws\.cn\z`),
	"aws-us-gov": newPattern(`\A([a-z0-9-]+\.)*console\.amazonaws-us-gov\.com\z`),
	"aws-eusc":   newPattern(`\Aeusc-de-\w+-\d+\.console\.amazonaws-eusc\.eu\z`),
}

// urlChars are what a URL is made of: printable ASCII without blanks.
var urlChars = newPattern(`\A[!-~]+\z`)

// A signIn is the state of a sign-in token. It holds no credentials.
type signIn struct {
	accessKeyID, partition string
	until                  time.Time // the first instant at which it is no longer valid
}

// Federation returns the handler of AWS's console sign-in at /federation, for
// tests of programs that make console sign-in URLs. Parameters are the query
// of a GET or the form in the body, up to 10,000,000 bytes, of a POST. The
// actions are
//
//   - getSigninToken: gives {"SigninToken": "…"} for a Session, in JSON, of
//     sessionId, sessionKey and sessionToken that this Server issued and that
//     has not expired. SessionDuration, if there is one, is 900 to 43,200
//     seconds and at most the role's maximum when the session was issued. A
//     session of AssumeRole may have none.
//   - login, by GET: redirects with 302 to Destination, an https URL of a
//     console host without user and port, for a SigninToken that is younger
//     than 15 minutes and whose credentials have not expired. A token may be
//     used again, as long as it is one of the last 2,000.
//
// The partition is that of a sign-in host in the Host header, such as
// signin.amazonaws.cn, and for any other Host that of [Config.Region].
// Credentials, tokens and destinations of another partition are refused. Each
// refusal is a page with the status 400 that does not say why; other paths are
// 404. [Server.Calls] has every request. [Status], [Refuse] and [Throttle]
// answer with a page of their status, [Hang], [Cut] and [Missing] without names
// do here what they do at STS, and other faults are used up without effect.
//
// AWS publishes the actions and their parameters, the range of SessionDuration,
// the 15 minutes, and the status 400 for bad credentials or a SessionDuration
// that they do not allow. Everything else is our choice: other statuses, bodies
// and headers, the refusal of a repeated parameter and of repeated or unknown
// members of Session, and the form of a token, which always has a plus sign so
// that a URL that does not escape it fails. Issuer and parameters of other
// names are ignored. AWS sets cookies and may redirect by way of other pages.
// The console hosts of the ISO partitions are not public, so no login there
// succeeds.
func (s *Server) Federation() http.Handler { return http.HandlerFunc(s.serveFederation) }

func (s *Server) serveFederation(w http.ResponseWriter, hr *http.Request) {
	region := regionOfSignIn(hr.Host)
	if region == "" {
		region = s.config.Region
	}
	r := s.open(w, hr, region)
	if r == nil {
		return
	}
	// What cannot be read has no parameters and so no action.
	if _, err := r.read(w); err != nil {
		return // the client went away while it was sending
	}
	r.call.Action, _ = r.param("Action")
	twice := false
	for _, values := range r.form {
		twice = twice || len(values) > 1
	}
	switch {
	case s.fail(w, r):
	case r.fault.kind == refuse:
		s.page(w, r, r.fault.status)
	case r.URL.Path != "/federation":
		s.page(w, r, http.StatusNotFound)
	case !twice && r.call.Action == "getSigninToken":
		s.getSigninToken(w, r)
	case !twice && r.call.Action == "login":
		s.login(w, r)
	default:
		s.page(w, r, http.StatusBadRequest)
	}
}

func (s *Server) getSigninToken(w http.ResponseWriter, r *request) {
	session := s.sessionOf(r)
	text, given := r.param("SessionDuration")
	// A text that is no number counts as 0, and a number that is too large as
	// 65,535. That is longer than maxDuration, which no role's maximum exceeds.
	seconds, _ := strconv.ParseUint(text, 10, 16)
	duration := time.Duration(seconds) * time.Second
	if session == nil || given && (seconds < minDuration || duration > session.maxTTL) {
		s.page(w, r, http.StatusBadRequest)
		return
	}
	b, err := s.random(48)
	if err != nil {
		s.page(w, r, http.StatusInternalServerError)
		return
	}
	r.call.AccessKeyID = session.accessKeyID
	r.call.Duration = duration
	b[0] = 0b111110 << 2 // base64 writes these six bits as "+"
	token := base64.StdEncoding.EncodeToString(b)
	until := r.now.Add(signInWithin)
	if session.expires.Before(until) {
		until = session.expires
	}
	s.mu.Lock()
	s.signIns.put(token, signIn{session.accessKeyID, session.partition, until})
	s.mu.Unlock()
	body := `{"SigninToken":"` + token + `"}`
	if r.fault.kind == missing && len(r.fault.names) == 0 {
		body = ""
	}
	s.reply(w, r, http.StatusOK, "application/json", body)
}

// sessionOf returns the session whose credentials the parameter Session holds,
// or nil.
func (s *Server) sessionOf(r *request) *session {
	text, _ := r.param("Session")
	d := json.NewDecoder(strings.NewReader(text))
	value, err := strictJSON(d, 0)
	if _, end := d.Token(); err != nil || end != io.EOF {
		return nil
	}
	parts, _ := value.(map[string]any)
	id, _ := parts["sessionId"].(string)
	secret, _ := parts["sessionKey"].(string)
	token, _ := parts["sessionToken"].(string)
	s.mu.Lock()
	session := s.sessions.values[id]
	s.mu.Unlock()
	if len(parts) != 3 || session == nil {
		return nil
	}
	if session.partition != partitionOf(r.region).name || !r.now.Before(session.expires) {
		return nil
	}
	sameSecret := subtle.ConstantTimeCompare([]byte(secret), []byte(session.secret))
	sameToken := subtle.ConstantTimeCompare([]byte(token), []byte(session.token))
	if sameSecret&sameToken != 1 {
		return nil
	}
	return session
}

func (s *Server) login(w http.ResponseWriter, r *request) {
	token, _ := r.param("SigninToken")
	destination, _ := r.param("Destination")
	s.mu.Lock()
	in := s.signIns.values[token] // one that is unknown ended long ago
	s.mu.Unlock()
	partition := partitionOf(r.region).name
	good := in.partition == partition && r.now.Before(in.until)
	if r.Method != http.MethodGet || !good || !isConsole(destination, partition) {
		s.page(w, r, http.StatusBadRequest)
		return
	}
	r.call.AccessKeyID = in.accessKeyID
	w.Header().Set("Location", destination)
	s.reply(w, r, http.StatusFound, "", "")
}

// isConsole reports whether a URL leads to a console of the partition.
func isConsole(destination, partition string) bool {
	u, err := url.Parse(destination)
	hosts := consoles[partition]
	return err == nil && hosts != nil && urlChars.MatchString(destination) &&
		u.Scheme == "https" && u.User == nil && hosts.MatchString(strings.ToLower(u.Host))
}
