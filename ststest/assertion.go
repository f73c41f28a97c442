package ststest

import (
	"encoding/base64"
	"errors"
	"fmt"
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

	// defaultFormat is the Format of a NameID that states none (SAML core
	// 2.2.2).
	defaultFormat = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"

	// redeemWithin is how long AWS accepts a response after it was issued.
	redeemWithin = 5 * time.Minute

	// maxNameID is the longest NameID in characters. SAML core 8.3.7 and 8.3.8
	// set it for persistent and transient identifiers.
	maxNameID = 256

	// Limits of session tags: IAM User Guide, Pass session tags in AWS STS.
	maxTags     = 50
	maxTagKey   = 128
	maxTagValue = 256
)

var (
	instantForm = newPattern(`\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z\z`)
	sessionForm = newPattern(`\A[a-zA-Z_0-9+=,.@-]{2,64}\z`)
	sourceForm  = newPattern(`\A[a-zA-Z_0-9+=,.@-]{2,}\z`)
	tagForm     = newPattern(`\A[\p{L}\p{Z}\p{N}_.:/=+\-@]*\z`)
)

// An assertion is the content of the signed bytes.
type assertion struct {
	id             string
	issuer         string
	nameID         string
	format         string // of nameID
	recipient      string
	sessionEnd     time.Time // SessionNotOnOrAfter, zero if absent
	sessionName    string
	sourceIdentity string
	tags           map[string]string
	transitive     []string
	roles          []string
	attributes     []samlAttribute
}

type samlAttribute struct {
	name   string
	values []string // those that are text
	opaque int      // how many others there are
}

func invalidToken(message string) *apiError {
	return &apiError{status: 400, code: "InvalidIdentityToken", message: message}
}

func expiredToken(message string) *apiError {
	return &apiError{status: 400, code: "ExpiredTokenException", message: message}
}

// denied is the answer to every refusal for which AWS states no reason.
func (r *request) denied(why string) *apiError {
	r.call.Cause = why
	return &apiError{
		status:  403,
		code:    "AccessDenied",
		message: "Not authorized to perform sts:AssumeRoleWithSAML",
	}
}

// upstream adds the details of an internal service that AWS leaves in its
// messages.
func (s *Server) upstream(message, code string) *apiError {
	id, err := s.uuid()
	if err != nil {
		return &apiError{status: 500, code: "InternalFailure", message: err.Error()}
	}
	const marked = "%s (Service: AWSOpenIdDiscoveryService; Status Code: 400; " +
		"Error Code: %s; Request ID: %s; Proxy: null)"
	return invalidToken(fmt.Sprintf(marked, message, code, id))
}

const (
	codeInvalidResponse = "AuthSamlInvalidSamlResponseException"
	codeNoManifest      = "AuthSamlManifestNotFoundException"
)

// malformed refuses what is not base64, not XML or not a Response.
func (s *Server) malformed(r *request, why error) *apiError {
	r.call.Cause = why.Error()
	return s.upstream("Invalid base64 SAMLResponse", codeInvalidResponse)
}

// badSignature refuses everything about signatures, and about encryption.
func (s *Server) badSignature(r *request, why error) *apiError {
	r.call.Cause = why.Error()
	return s.upstream("Response signature invalid", codeInvalidResponse)
}

func (s *Server) unknownIssuer() *apiError {
	return s.upstream("Issuer not present in specified provider", codeInvalidResponse)
}

// readAssertion reads a SAMLAssertion parameter and makes every check that
// needs neither the role nor another parameter.
func (s *Server) readAssertion(r *request, encoded string, p *provider) (*assertion, *apiError) {
	response, err := decodeResponse(encoded)
	if err != nil {
		return nil, s.malformed(r, err)
	}
	opened, encrypted, refusal := s.openAssertion(r, response, p)
	if refusal != nil {
		return nil, refusal
	}
	n, issuer, refusal := s.signedAssertion(r, opened, response, encrypted, p)
	if refusal != nil {
		return nil, refusal
	}
	if status := response.only(nsProtocol, "Status"); status == nil || !isSuccess(status) {
		return nil, invalidToken("Response status is not Success")
	}

	a := &assertion{issuer: issuer}
	a.id, _ = n.attr("ID")
	r.call.AssertionID = a.id
	issued, ok := instant(n, "IssueInstant")
	if v, _ := n.attr("Version"); v != "2.0" || !ok {
		return nil, s.malformed(r, errors.New(
			"the Assertion wants Version 2.0 and an IssueInstant in UTC"))
	}
	oldest, newest := issued, issued
	if answered, _ := instant(response, "IssueInstant"); answered.Before(issued) {
		oldest = answered
	} else {
		newest = answered
	}
	if refusal := a.readSubject(n, r); refusal != nil {
		return nil, refusal
	}
	if p.required && !p.ownRecipient(a.recipient) {
		return nil, invalidToken(
			"Response must be addressed to the sign-in URL of the SAML provider")
	}
	if refusal := a.readConditions(n, r, oldest, newest); refusal != nil {
		return nil, refusal
	}
	a.readAttributes(n)
	return a, nil
}

// decodeResponse reads a Response from base64, which may be broken into lines:
// SAML bindings 3.5.4 requires the base64 of MIME, and file:// in the AWS CLI
// keeps the line end of a file. Go's decoder ignores CR and LF only.
func decodeResponse(encoded string) (*node, error) {
	doc, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return nil, errors.New("the parameter is not base64")
	}
	response, err := parseXML(doc)
	if err != nil {
		return nil, fmt.Errorf("the document is not XML, or not as SAML has it: %w", err)
	}
	if !response.is(nsProtocol, "Response") {
		return nil, errors.New("the document is not a samlp:Response")
	}
	id, _ := response.attr("ID")
	version, _ := response.attr("Version")
	if _, ok := instant(response, "IssueInstant"); id == "" || version != "2.0" || !ok {
		return nil, errors.New("the Response wants an ID, Version 2.0 and an IssueInstant in UTC")
	}
	return response, nil
}

// signedAssertion returns what the signature of the one assertion covers, and
// its Issuer. opened is the response with the assertion decrypted.
func (s *Server) signedAssertion(
	r *request, opened, response *node, encrypted bool, p *provider,
) (*node, string, *apiError) {
	unverified, err := findAssertion(opened)
	if err != nil {
		return nil, "", s.badSignature(r, err)
	}
	// The issuer chooses the keys, so it is read before the signature is
	// checked; the signed bytes are those of this very element.
	issuer := textOf(unverified.only(nsAssertion, "Issuer"))
	keys, ok := p.issuers[issuer]
	others := response.all(nsAssertion, "Issuer")
	if len(others) > 1 || len(others) == 1 && textOf(others[0]) != issuer {
		ok = false
	}
	if !ok && encrypted {
		// The Issuer of the response is known. The answer says nothing about
		// the one inside before the signature is verified.
		return nil, "", s.badSignature(r, errors.New("the Issuer of the assertion is another"))
	}
	if !ok {
		return nil, "", s.unknownIssuer()
	}
	v := verifier{keys: keys, allowSHA1: s.config.AllowSHA1}
	if len(response.all(nsSignature, "Signature")) > 0 {
		if _, err := v.verify(response); err != nil {
			return nil, "", s.badSignature(r, fmt.Errorf("signature of the Response: %w", err))
		}
	}
	signed, err := v.verify(unverified)
	if err != nil {
		return nil, "", s.badSignature(r, fmt.Errorf("signature of the Assertion: %w", err))
	}
	n, err := parseXML(signed)
	if err != nil {
		return nil, "", s.malformed(r, err)
	}
	return n, issuer, nil
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

// before reports whether the time of r is before the NotBefore of n. It is also
// true if NotBefore is not an instant.
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
		return r.denied("the assertion wants one Subject")
	}
	if refusal := a.readNameID(subject, r); refusal != nil {
		return refusal
	}
	return a.readConfirmation(subject, r)
}

func (a *assertion) readNameID(subject *node, r *request) *apiError {
	nameID := subject.only(nsAssertion, "NameID")
	// A Subject has one identifier (SAML core 2.4.1).
	identifiers := 0
	for _, name := range []string{"NameID", "BaseID", "EncryptedID"} {
		identifiers += len(subject.all(nsAssertion, name))
	}
	if a.nameID = textOf(nameID); a.nameID == "" || identifiers > 1 {
		return r.denied("the Subject wants one NameID, with a text, and no other identifier")
	}
	if utf8.RuneCountInString(a.nameID) > maxNameID {
		return invalidToken("NameID in AuthnResponse must not have more than 256 characters")
	}
	if a.format, _ = nameID.attr("Format"); a.format == "" {
		a.format = defaultFormat
	}
	r.call.Subject = a.nameID
	return nil
}

func (a *assertion) readConfirmation(subject *node, r *request) *apiError {
	// The misspelling is AWS's own.
	bad := invalidToken(
		"Responses must contain SubjectConfirmatonData with a Recipient and NotOnOrAfter")
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
	if refusal := a.readSessionEnd(n, r); refusal != nil {
		return refusal
	}
	// With a condition that is not understood, the assertion's validity is
	// unknown, and it must be rejected (SAML core 2.5.1.1).
	for _, c := range conditions.children {
		if c.el != nil && !understood(c.el) {
			return invalidToken("Response contains a condition that is not understood")
		}
	}
	if !isForAWS(conditions, r.region) {
		return invalidToken("Response does not contain the required audience.")
	}
	return nil
}

// readSessionEnd reads the earliest SessionNotOnOrAfter.
func (a *assertion) readSessionEnd(n *node, r *request) *apiError {
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
	return nil
}

// isForAWS reports whether the audience of an assertion is AWS. Several
// restrictions must all hold, several audiences are alternatives (SAML core
// 2.5.1.4).
func isForAWS(conditions *node, region string) bool {
	restrictions := conditions.all(nsAssertion, "AudienceRestriction")
	p := partitionOf(region)
	accepted := func(n *node) bool { return p.accepts(textOf(n), region) }
	for _, restriction := range restrictions {
		if !slices.ContainsFunc(restriction.all(nsAssertion, "Audience"), accepted) {
			return false
		}
	}
	return len(restrictions) > 0
}

// understood reports whether a condition is one of those that SAML core
// defines. OneTimeUse forbids storing the assertion, and ProxyRestriction
// forbids passing it on. The Server does neither.
func understood(condition *node) bool {
	return condition.is(nsAssertion, "AudienceRestriction") ||
		condition.is(nsAssertion, "OneTimeUse") ||
		condition.is(nsAssertion, "ProxyRestriction")
}

// readAttributes collects the attributes, with their values that are text.
func (a *assertion) readAttributes(n *node) {
	for _, statement := range n.all(nsAssertion, "AttributeStatement") {
		for _, el := range statement.all(nsAssertion, "Attribute") {
			attribute := samlAttribute{}
			attribute.name, _ = el.attr("Name")
			for _, value := range el.all(nsAssertion, "AttributeValue") {
				if s, ok := value.text(); ok {
					attribute.values = append(attribute.values, s)
				} else {
					attribute.opaque++
				}
			}
			a.attributes = append(a.attributes, attribute)
		}
	}
}

// opaque reports whether an attribute with AWS's name has a value that is no text.
func (a *assertion) opaque(name string) bool {
	return slices.ContainsFunc(a.attributes, func(attribute samlAttribute) bool {
		return attribute.name == awsAttribute+name && attribute.opaque > 0
	})
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
	if len(names) > 1 || a.opaque("RoleSessionName") {
		return invalidToken("RoleSessionName in AuthnResponse must have exactly one value")
	}
	if a.sessionName = names[0]; !sessionForm.MatchString(a.sessionName) {
		return invalidToken("RoleSessionName in AuthnResponse must match [a-zA-Z_0-9+=,.@-]{2,64}")
	}
	r.call.SessionName = a.sessionName

	if !a.goodSessionDuration() {
		return invalidToken(
			"SessionDuration in AuthnResponse must be an integer between 900 and 43200")
	}
	if refusal := a.readTags(); refusal != nil {
		return refusal
	}
	untagged := invalidToken(
		"The specified transitive tag key must be included in the requested tags.")
	a.transitive = a.values("TransitiveTagKeys")
	for _, key := range a.transitive {
		if _, ok := a.tags[key]; !ok {
			return untagged
		}
	}
	if a.opaque("TransitiveTagKeys") {
		return untagged
	}
	r.call.PrincipalTags = a.tags
	r.call.TransitiveTagKeys = a.transitive

	if !a.readSourceIdentity(maxSource) {
		return invalidToken(
			`Source Identity must match [a-zA-Z_0-9+=,.@-]{2,64} and not begin with "aws:"`)
	}
	r.call.SourceIdentity = a.sourceIdentity
	a.roles = a.values("Role")
	return nil
}

// goodSessionDuration checks the SessionDuration, if there is one. It is for the
// console and has no effect here (IAM User Guide, Configure SAML assertions for
// the authentication response).
func (a *assertion) goodSessionDuration() bool {
	values := a.values("SessionDuration")
	if a.opaque("SessionDuration") || len(values) > 1 {
		return false
	}
	if len(values) == 0 {
		return true
	}
	n, err := strconv.Atoi(values[0])
	return err == nil && n >= minDuration && n <= maxDuration
}

// readSourceIdentity reads the SourceIdentity, if there is one, and reports
// whether it is valid. Its alphabet has no colon, so none begins with "aws:".
func (a *assertion) readSourceIdentity(maxSource int) bool {
	values := a.values("SourceIdentity")
	if a.opaque("SourceIdentity") || len(values) > 1 {
		return false
	}
	if len(values) == 0 {
		return true
	}
	a.sourceIdentity = values[0]
	return sourceForm.MatchString(a.sourceIdentity) && len(a.sourceIdentity) <= maxSource
}

// grants reports whether a Role value names the role and the provider. AWS
// accepts the two in either order. Some identity providers send blanks after
// the comma and a comma at the end; other extra characters are refused (IAM
// User Guide, Troubleshoot SAML federation with IAM).
func (a *assertion) grants(role, provider string) bool {
	return slices.ContainsFunc(a.roles, func(value string) bool {
		first, second, _ := strings.Cut(strings.TrimSuffix(value, ","), ",")
		second = strings.TrimLeft(second, " ")
		return first == role && second == provider || first == provider && second == role
	})
}

// readTags reads the PrincipalTag attributes. Tag keys keep their case, but two
// that differ only in case are refused.
func (a *assertion) readTags() *apiError {
	seen := map[string]bool{}
	for _, attribute := range a.attributes {
		key, ok := strings.CutPrefix(attribute.name, awsAttribute+"PrincipalTag:")
		if !ok {
			continue
		}
		if len(attribute.values) != 1 || attribute.opaque > 0 {
			return invalidToken("PrincipalTag in AuthnResponse must have exactly one value")
		}
		value := attribute.values[0]
		folded := strings.ToLower(key)
		switch {
		case key == "" || utf8.RuneCountInString(key) > maxTagKey || !tagForm.MatchString(key):
			return invalidToken(
				`PrincipalTag key in AuthnResponse must match [\p{L}\p{Z}\p{N}_.:/=+\-@]{1,128}`)
		case strings.HasPrefix(folded, "aws:"):
			return invalidToken(`PrincipalTag key in AuthnResponse must not begin with "aws:"`)
		case utf8.RuneCountInString(value) > maxTagValue || !tagForm.MatchString(value):
			return invalidToken(
				`PrincipalTag value in AuthnResponse must match [\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}`)
		case seen[folded]:
			return invalidToken(
				"Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		case len(a.tags) == maxTags:
			return invalidToken("AuthnResponse must not have more than 50 PrincipalTag attributes")
		}
		if a.tags == nil {
			a.tags = map[string]string{}
		}
		seen[folded] = true
		a.tags[key] = value
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
