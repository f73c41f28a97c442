package ststest

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	awsAttribute = "https://aws.amazon.com/SAML/Attributes/"
	bearer       = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
	success      = "urn:oasis:names:tc:SAML:2.0:status:Success"
	nameIDFormat = "urn:oasis:names:tc:SAML:2.0:nameid-format:"

	// defaultFormat is what a NameID without a Format has (SAML core 2.2.2).
	defaultFormat = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"

	// redeemWithin is how long after it was issued AWS takes a response.
	redeemWithin = 5 * time.Minute

	// Limits of session tags: IAM User Guide, Pass session tags in AWS STS.
	maxTags     = 50
	maxTagKey   = 128
	maxTagValue = 256
)

var (
	instantForm = regexp.MustCompile(`\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z\z`)
	sessionForm = regexp.MustCompile(`\A[a-zA-Z_0-9+=,.@-]{2,64}\z`)
	sourceForm  = regexp.MustCompile(`\A[a-zA-Z_0-9+=,.@-]{2,}\z`)
	tagForm     = regexp.MustCompile(`\A[\p{L}\p{Z}\p{N}_.:/=+\-@]*\z`)
)

// An assertion is what the signed bytes say.
type assertion struct {
	id, issuer      string
	nameID, format  string
	recipient       string
	sessionEnd      time.Time     // SessionNotOnOrAfter, zero if absent
	sessionDuration time.Duration // of the attribute, zero if absent
	sessionName     string
	sourceIdentity  string
	tags            map[string]string
	transitive      []string
	roles           []string
	attributes      []samlAttribute
}

type samlAttribute struct {
	name   string
	values []string
}

func invalidToken(message string) *apiError {
	return &apiError{status: 400, code: "InvalidIdentityToken", message: message}
}

func expiredToken(message string) *apiError {
	return &apiError{status: 400, code: "ExpiredTokenException", message: message}
}

// notAuthorized is the one answer to everything about which AWS says no more.
func notAuthorized() *apiError {
	return &apiError{status: 403, code: "AccessDenied", message: "Not authorized to perform sts:AssumeRoleWithSAML"}
}

// upstream adds the marks of the internal service that AWS lets through.
func (s *Server) upstream(message, code string) *apiError {
	id, err := s.uuid()
	if err != nil {
		return &apiError{status: 500, code: "InternalFailure", message: err.Error()}
	}
	return invalidToken(fmt.Sprintf("%s (Service: AWSOpenIdDiscoveryService; Status Code: 400; Error Code: %s; Request ID: %s; Proxy: null)", message, code, id))
}

const (
	codeInvalidResponse = "AuthSamlInvalidSamlResponseException"
	codeNoManifest      = "AuthSamlManifestNotFoundException"
)

// readAssertion takes a SAMLAssertion parameter through every check that needs
// neither the role nor the other parameters.
func (s *Server) readAssertion(r *request, encoded string, p *provider) (*assertion, *apiError) {
	malformed := func() *apiError { return s.upstream("Invalid base64 SAMLResponse", codeInvalidResponse) }
	// encoding/base64 skips line breaks, which are not in the alphabet.
	doc, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil || strings.ContainsAny(encoded, "\r\n") {
		return nil, malformed()
	}
	response, err := parseXML(doc)
	if err != nil || !response.is(nsProtocol, "Response") {
		return nil, malformed()
	}
	responseInstant, ok := instant(response, "IssueInstant")
	if v, _ := response.attr("Version"); v != "2.0" || !ok {
		return nil, malformed()
	}
	opened, encrypted, refusal := s.openAssertion(response, p)
	if refusal != nil {
		return nil, refusal
	}
	unverified, err := findAssertion(opened)
	if err != nil {
		return nil, s.upstream("Response signature invalid", codeInvalidResponse)
	}
	// The issuer chooses the keys, so it is read before the signature is
	// checked; the signed bytes are those of this very element.
	issuer := textOf(unverified.only(nsAssertion, "Issuer"))
	keys, ok := p.issuers[issuer]
	if others := response.all(nsAssertion, "Issuer"); len(others) > 1 || len(others) == 1 && textOf(others[0]) != issuer {
		ok = false
	}
	if !ok && encrypted { // the Issuer outside was known: nothing is said of the one inside before it is proven
		return nil, s.upstream("Response signature invalid", codeInvalidResponse)
	}
	if !ok {
		return nil, s.upstream("Issuer not present in specified provider", codeInvalidResponse)
	}
	if len(response.all(nsSignature, "Signature")) > 0 {
		if _, err := verifySignature(response, keys); err != nil {
			return nil, s.upstream("Response signature invalid", codeInvalidResponse)
		}
	}
	signed, err := verifySignature(unverified, keys)
	if err != nil {
		return nil, s.upstream("Response signature invalid", codeInvalidResponse)
	}
	n, err := parseXML(signed)
	if err != nil {
		return nil, malformed()
	}
	if status := response.only(nsProtocol, "Status"); status == nil || !isSuccess(status) {
		return nil, invalidToken("Response status is not Success")
	}

	a := &assertion{issuer: issuer}
	a.id, _ = n.attr("ID")
	r.call.AssertionID = a.id
	issued, ok := instant(n, "IssueInstant")
	if v, _ := n.attr("Version"); v != "2.0" || !ok {
		return nil, malformed()
	}
	oldest := issued
	if responseInstant.Before(issued) {
		oldest = responseInstant
	}
	newest := issued
	if responseInstant.After(issued) {
		newest = responseInstant
	}
	if refusal := a.readSubject(n, r); refusal != nil {
		return nil, refusal
	}
	if p.required && !p.ownRecipient(a.recipient) {
		return nil, invalidToken("Response must be addressed to the sign-in URL of the SAML provider")
	}
	if refusal := a.readConditions(n, r, oldest, newest); refusal != nil {
		return nil, refusal
	}
	a.readAttributes(n)
	return a, nil
}

func isSuccess(status *node) bool {
	code := status.only(nsProtocol, "StatusCode")
	if code == nil {
		return false
	}
	value, _ := code.attr("Value")
	return value == success
}

// textOf returns the text of n, and "" for no element or one with elements.
func textOf(n *node) string {
	if n == nil {
		return ""
	}
	s, _ := n.text()
	return s
}

// instant reads an xs:dateTime, which SAML core 1.3.3 wants in UTC.
func instant(n *node, name string) (time.Time, bool) {
	v, ok := n.attr(name)
	if !ok || !instantForm.MatchString(v) {
		return time.Time{}, false
	}
	t, err := time.Parse(time.RFC3339Nano, v)
	return t, err == nil
}

// before reports whether r is before the NotBefore of n, or whether that is
// not an instant.
func (r *request) before(n *node) bool {
	_, there := n.attr("NotBefore")
	t, ok := instant(n, "NotBefore")
	return there && (!ok || r.now.Before(t))
}

// readSubject reads the NameID and the one bearer confirmation. A missing
// Subject is AccessDenied (IAM User Guide, Troubleshoot SAML federation).
func (a *assertion) readSubject(n *node, r *request) *apiError {
	subject := n.only(nsAssertion, "Subject")
	if subject == nil {
		return notAuthorized()
	}
	nameID := subject.only(nsAssertion, "NameID")
	if a.nameID = textOf(nameID); a.nameID == "" {
		return notAuthorized()
	}
	if a.format, _ = nameID.attr("Format"); a.format == "" {
		a.format = defaultFormat
	}
	r.call.Subject = a.nameID

	// The misspelling is AWS's own.
	bad := invalidToken("Responses must contain SubjectConfirmatonData with a Recipient and NotOnOrAfter")
	confirmation := subject.only(nsAssertion, "SubjectConfirmation")
	if confirmation == nil {
		return bad
	}
	if method, _ := confirmation.attr("Method"); method != bearer {
		return bad
	}
	data := confirmation.only(nsAssertion, "SubjectConfirmationData")
	if data == nil {
		return bad
	}
	a.recipient, _ = data.attr("Recipient")
	end, ok := instant(data, "NotOnOrAfter")
	if a.recipient == "" || !ok {
		return bad
	}
	if !r.now.Before(end) {
		return expiredToken("Response has expired")
	}
	if r.before(data) {
		return invalidToken("Response is not yet valid")
	}
	return nil
}

// readConditions checks the instants of the assertion and its audience.
func (a *assertion) readConditions(n *node, r *request, oldest, newest time.Time) *apiError {
	conditions := n.only(nsAssertion, "Conditions")
	if conditions == nil {
		return invalidToken("Response does not contain the required audience.")
	}
	if _, there := conditions.attr("NotOnOrAfter"); there {
		if end, ok := instant(conditions, "NotOnOrAfter"); !ok || !r.now.Before(end) {
			return expiredToken("Response has expired")
		}
	}
	if r.now.Sub(oldest) > redeemWithin {
		return expiredToken("Token must be redeemed within 5 minutes of issuance")
	}
	if r.before(conditions) || r.now.Before(newest) {
		return invalidToken("Response is not yet valid")
	}
	for _, statement := range n.all(nsAssertion, "AuthnStatement") {
		if _, there := statement.attr("SessionNotOnOrAfter"); !there {
			continue
		}
		end, ok := instant(statement, "SessionNotOnOrAfter")
		if !ok || !r.now.Before(end) {
			return expiredToken("Response has expired")
		}
		if a.sessionEnd.IsZero() || end.Before(a.sessionEnd) {
			a.sessionEnd = end
		}
	}
	// Several restrictions must all hold, several audiences are alternatives
	// (SAML core 2.5.1.4).
	restrictions := conditions.all(nsAssertion, "AudienceRestriction")
	p := partitionOf(r.region)
	for _, restriction := range restrictions {
		if !slices.ContainsFunc(restriction.all(nsAssertion, "Audience"), func(n *node) bool { return p.accepts(textOf(n), r.region) }) {
			restrictions = nil
			break
		}
	}
	if len(restrictions) == 0 {
		return invalidToken("Response does not contain the required audience.")
	}
	return nil
}

// readAttributes collects the attributes and their values that are text.
func (a *assertion) readAttributes(n *node) {
	for _, statement := range n.all(nsAssertion, "AttributeStatement") {
		for _, el := range statement.all(nsAssertion, "Attribute") {
			attribute := samlAttribute{}
			attribute.name, _ = el.attr("Name")
			for _, value := range el.all(nsAssertion, "AttributeValue") {
				if s, ok := value.text(); ok {
					attribute.values = append(attribute.values, s)
				}
			}
			a.attributes = append(a.attributes, attribute)
		}
	}
}

// values returns the values of all attributes with AWS's name, matched exactly.
func (a *assertion) values(name string) []string {
	var values []string
	for _, attribute := range a.attributes {
		if attribute.name == awsAttribute+name {
			values = append(values, attribute.values...)
		}
	}
	return values
}

// checkAttributes checks the attributes that AWS reads.
func (a *assertion) checkAttributes(r *request, maxSource int) *apiError {
	names := a.values("RoleSessionName")
	if len(names) == 0 {
		return invalidToken("RoleSessionName is required in AuthnResponse")
	}
	if len(names) > 1 {
		return invalidToken("RoleSessionName in AuthnResponse must have exactly one value")
	}
	if a.sessionName = names[0]; !sessionForm.MatchString(a.sessionName) {
		return invalidToken("RoleSessionName in AuthnResponse must match [a-zA-Z_0-9+=,.@-]{2,64}")
	}
	r.call.SessionName = a.sessionName

	if values := a.values("SessionDuration"); len(values) > 0 {
		n, err := strconv.Atoi(values[0])
		if len(values) > 1 || err != nil || n < minDuration || n > maxDuration {
			return invalidToken("SessionDuration in AuthnResponse must be an integer between 900 and 43200")
		}
		a.sessionDuration = time.Duration(n) * time.Second
	}

	if refusal := a.readTags(); refusal != nil {
		return refusal
	}
	a.transitive = a.values("TransitiveTagKeys")
	for _, key := range a.transitive {
		if _, ok := a.tags[key]; !ok {
			return invalidToken("The specified transitive tag key must be included in the requested tags.")
		}
	}
	r.call.PrincipalTags, r.call.TransitiveTagKeys = a.tags, a.transitive

	if values := a.values("SourceIdentity"); len(values) > 0 {
		// The alphabet has no colon, so none begins with "aws:".
		a.sourceIdentity = values[0]
		if len(values) > 1 || !sourceForm.MatchString(a.sourceIdentity) || len(a.sourceIdentity) > maxSource {
			return invalidToken(`Source Identity must match [a-zA-Z_0-9+=,.@-]{2,64} and not begin with "aws:"`)
		}
		r.call.SourceIdentity = a.sourceIdentity
	}
	a.roles = a.values("Role")
	return nil
}

// readTags reads the PrincipalTag attributes. Tag keys keep their case, and
// two that differ in nothing else collide.
func (a *assertion) readTags() *apiError {
	seen := map[string]bool{}
	for _, attribute := range a.attributes {
		key, ok := strings.CutPrefix(attribute.name, awsAttribute+"PrincipalTag:")
		if !ok {
			continue
		}
		if len(attribute.values) != 1 {
			return invalidToken("PrincipalTag in AuthnResponse must have exactly one value")
		}
		value, folded := attribute.values[0], strings.ToLower(key)
		switch {
		case key == "" || utf8.RuneCountInString(key) > maxTagKey || !tagForm.MatchString(key):
			return invalidToken(`PrincipalTag key in AuthnResponse must match [\p{L}\p{Z}\p{N}_.:/=+\-@]{1,128}`)
		case strings.HasPrefix(folded, "aws:"):
			return invalidToken(`PrincipalTag key in AuthnResponse must not begin with "aws:"`)
		case utf8.RuneCountInString(value) > maxTagValue || !tagForm.MatchString(value):
			return invalidToken(`PrincipalTag value in AuthnResponse must match [\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}`)
		case seen[folded]:
			return invalidToken("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		case len(a.tags) == maxTags:
			return invalidToken("AuthnResponse must not have more than 50 PrincipalTag attributes")
		}
		if a.tags == nil {
			a.tags = map[string]string{}
		}
		seen[folded], a.tags[key] = true, value
	}
	return nil
}

// context returns the condition keys of the sign-in (IAM User Guide, IAM and
// AWS STS condition context keys, SAML-based federation).
func (a *assertion) context(p *provider) requestContext {
	subType := a.format
	if s := strings.TrimPrefix(subType, nameIDFormat); s == "persistent" || s == "transient" {
		subType = s
	}
	ctx := requestContext{
		"saml:aud":            {a.recipient},
		"saml:iss":            {a.issuer},
		"saml:doc":            {p.arn.account + "/" + p.arn.name},
		"saml:sub":            {a.nameID},
		"saml:sub_type":       {subType},
		"saml:namequalifier":  {nameQualifier(a.issuer, p.arn)},
		"sts:rolesessionname": {a.sessionName},
	}
	for _, attribute := range a.attributes {
		name, ok := attributeKeys[attribute.name]
		key := "saml:" + name
		if !ok || len(attribute.values) == 0 || ctx[key] != nil {
			continue // of several attributes for one key, AWS uses only one
		}
		ctx[key] = attribute.values
		if _, multi := keyKind(key); !multi {
			ctx[key] = attribute.values[:1]
		}
	}
	for key, value := range a.tags {
		ctx["aws:requesttag/"+strings.ToLower(key)] = []string{value}
		ctx["aws:tagkeys"] = append(ctx["aws:tagkeys"], key)
	}
	if len(a.transitive) > 0 {
		ctx["sts:transitivetagkeys"] = a.transitive
	}
	if a.sourceIdentity != "" {
		ctx["sts:sourceidentity"] = []string{a.sourceIdentity}
	}
	return ctx
}
