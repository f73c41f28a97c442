package samldoc

import (
	"encoding/xml"
	"time"

	"github.com/crewjam/saml"
)

const (
	assertionNS = "urn:oasis:names:tc:SAML:2.0:assertion"
	protocolNS  = "urn:oasis:names:tc:SAML:2.0:protocol"
	// timeFormat is that of crewjam/saml: SAML Core §1.3.3 warns of times finer than milliseconds.
	timeFormat = "2006-01-02T15:04:05.999Z07:00"
)

// UnwrittenError says that a field of crewjam/saml's types is set and the writer does not know it.
// A document without it would say less than was meant.
type UnwrittenError struct {
	// Element is the type, such as NameID.
	Element string
}

func (e *UnwrittenError) Error() string {
	return "a field of " + e.Element + " is set that the writer does not write"
}

// writer appends crewjam/saml's types to a text, one method an element, in the order of the
// document. What it writes of an assertion is canonical (Exclusive XML Canonicalization 1.0), so
// the bytes that are hashed are those that are sent. Attributes are in the order of their names,
// empty elements have an end tag, and only the assertion itself declares the namespace.
//
// An optional part that is nil or empty is left out, as crewjam/saml does. Anything else that is
// not written is refused: err is then not nil, and the text must not be used.
type writer struct {
	text []byte
	err  error // the first refusal
}

// responseStart appends the response up to its assertion, which is written by itself. The response
// is not signed, and its attributes are in crewjam/saml's order.
func (w *writer) responseStart(r *saml.Response) {
	w.require("Response", *r == saml.Response{
		ID:           r.ID,
		Version:      r.Version,
		IssueInstant: r.IssueInstant,
		Destination:  r.Destination,
		Issuer:       r.Issuer,
		Status:       r.Status,
	})
	w.markup(`<samlp:Response xmlns:saml="` + assertionNS + `" xmlns:samlp="` + protocolNS + `"`)
	w.attribute("ID", r.ID)
	w.attribute("Version", r.Version)
	w.instant("IssueInstant", r.IssueInstant)
	w.optional("Destination", r.Destination)
	w.markup(`>`)
	if r.Issuer != nil {
		w.issuer(r.Issuer)
	}
	w.status(&r.Status)
}

func (w *writer) responseEnd() { w.markup(`</samlp:Response>`) }

func (w *writer) issuer(i *saml.Issuer) {
	w.require("Issuer", *i == saml.Issuer{Value: i.Value})
	w.markup(`<saml:Issuer>`)
	w.content(i.Value)
	w.markup(`</saml:Issuer>`)
}

func (w *writer) status(s *saml.Status) {
	code := saml.StatusCode{Value: s.StatusCode.Value}
	w.require("Status", *s == saml.Status{StatusCode: code})
	w.markup(`<samlp:Status><samlp:StatusCode`)
	w.attribute("Value", code.Value)
	w.markup(`></samlp:StatusCode></samlp:Status>`)
}

// assertion appends an assertion without its signature, and returns where in the text that belongs:
// after the issuer, as the schema has it.
func (w *writer) assertion(a *saml.Assertion) (signatureAt int) {
	w.require("Assertion", a.XMLName == xml.Name{} && a.Version == samlVersion &&
		a.Signature == nil)
	w.markup(`<saml:Assertion xmlns:saml="` + assertionNS + `"`)
	w.attribute("ID", a.ID)
	w.instant("IssueInstant", a.IssueInstant)
	w.attribute("Version", a.Version)
	w.markup(`>`)
	w.issuer(&a.Issuer)
	signatureAt = len(w.text)
	if a.Subject != nil {
		w.subject(a.Subject)
	}
	if a.Conditions != nil {
		w.conditions(a.Conditions)
	}
	for i := range a.AuthnStatements {
		w.authnStatement(&a.AuthnStatements[i])
	}
	for i := range a.AttributeStatements {
		w.attributeStatement(&a.AttributeStatements[i])
	}
	w.markup(`</saml:Assertion>`)
	return signatureAt
}

func (w *writer) subject(s *saml.Subject) {
	w.require("Subject", s.XMLName == xml.Name{})
	w.markup(`<saml:Subject>`)
	if s.NameID != nil {
		w.nameID(s.NameID)
	}
	for i := range s.SubjectConfirmations {
		w.subjectConfirmation(&s.SubjectConfirmations[i])
	}
	w.markup(`</saml:Subject>`)
}

func (w *writer) nameID(n *saml.NameID) {
	w.require("NameID", *n == saml.NameID{Format: n.Format, Value: n.Value})
	w.markup(`<saml:NameID`)
	w.optional("Format", n.Format)
	w.markup(`>`)
	w.content(n.Value)
	w.markup(`</saml:NameID>`)
}

func (w *writer) subjectConfirmation(c *saml.SubjectConfirmation) {
	w.require("SubjectConfirmation", *c == saml.SubjectConfirmation{
		Method:                  c.Method,
		SubjectConfirmationData: c.SubjectConfirmationData,
	})
	w.markup(`<saml:SubjectConfirmation`)
	w.attribute("Method", c.Method)
	w.markup(`>`)
	if c.SubjectConfirmationData != nil {
		w.subjectConfirmationData(c.SubjectConfirmationData)
	}
	w.markup(`</saml:SubjectConfirmation>`)
}

func (w *writer) subjectConfirmationData(d *saml.SubjectConfirmationData) {
	w.require("SubjectConfirmationData", *d == saml.SubjectConfirmationData{
		NotOnOrAfter: d.NotOnOrAfter,
		Recipient:    d.Recipient,
	})
	w.markup(`<saml:SubjectConfirmationData`)
	w.optionalInstant("NotOnOrAfter", d.NotOnOrAfter)
	w.optional("Recipient", d.Recipient)
	w.markup(`></saml:SubjectConfirmationData>`)
}

func (w *writer) conditions(c *saml.Conditions) {
	w.require("Conditions", c.OneTimeUse == nil && c.ProxyRestriction == nil)
	w.markup(`<saml:Conditions`)
	w.optionalInstant("NotBefore", c.NotBefore)
	w.optionalInstant("NotOnOrAfter", c.NotOnOrAfter)
	w.markup(`>`)
	for i := range c.AudienceRestrictions {
		w.audienceRestriction(&c.AudienceRestrictions[i])
	}
	w.markup(`</saml:Conditions>`)
}

func (w *writer) audienceRestriction(r *saml.AudienceRestriction) {
	audience := saml.Audience{Value: r.Audience.Value}
	w.require("AudienceRestriction", *r == saml.AudienceRestriction{Audience: audience})
	w.markup(`<saml:AudienceRestriction><saml:Audience>`)
	w.content(audience.Value)
	w.markup(`</saml:Audience></saml:AudienceRestriction>`)
}

func (w *writer) authnStatement(s *saml.AuthnStatement) {
	w.require("AuthnStatement", *s == saml.AuthnStatement{
		AuthnInstant:        s.AuthnInstant,
		SessionIndex:        s.SessionIndex,
		SessionNotOnOrAfter: s.SessionNotOnOrAfter,
		AuthnContext:        s.AuthnContext,
	})
	w.markup(`<saml:AuthnStatement`)
	w.instant("AuthnInstant", s.AuthnInstant)
	w.optional("SessionIndex", s.SessionIndex)
	if s.SessionNotOnOrAfter != nil {
		w.instant("SessionNotOnOrAfter", *s.SessionNotOnOrAfter)
	}
	w.markup(`>`)
	w.authnContext(&s.AuthnContext)
	w.markup(`</saml:AuthnStatement>`)
}

func (w *writer) authnContext(c *saml.AuthnContext) {
	class := c.AuthnContextClassRef
	w.require("AuthnContext", *c == saml.AuthnContext{AuthnContextClassRef: class})
	w.markup(`<saml:AuthnContext>`)
	if class != nil {
		w.require("AuthnContextClassRef", *class == saml.AuthnContextClassRef{Value: class.Value})
		w.markup(`<saml:AuthnContextClassRef>`)
		w.content(class.Value)
		w.markup(`</saml:AuthnContextClassRef>`)
	}
	w.markup(`</saml:AuthnContext>`)
}

func (w *writer) attributeStatement(s *saml.AttributeStatement) {
	w.markup(`<saml:AttributeStatement>`)
	for i := range s.Attributes {
		w.samlAttribute(&s.Attributes[i])
	}
	w.markup(`</saml:AttributeStatement>`)
}

func (w *writer) samlAttribute(a *saml.Attribute) {
	w.require("Attribute", a.FriendlyName == "")
	w.markup(`<saml:Attribute`)
	w.optional("Name", a.Name)
	w.optional("NameFormat", a.NameFormat)
	w.markup(`>`)
	for i := range a.Values {
		w.attributeValue(&a.Values[i])
	}
	w.markup(`</saml:Attribute>`)
}

// attributeValue appends a value without a type, which makes it plain text. crewjam/saml declares
// XML Schema's namespaces for it, which nothing here uses.
func (w *writer) attributeValue(v *saml.AttributeValue) {
	w.require("AttributeValue", *v == saml.AttributeValue{Value: v.Value})
	w.markup(`<saml:AttributeValue>`)
	w.content(v.Value)
	w.markup(`</saml:AttributeValue>`)
}

func (w *writer) encryptedAssertion(data []byte) {
	w.markup(`<saml:EncryptedAssertion>`)
	w.text = append(w.text, data...)
	w.markup(`</saml:EncryptedAssertion>`)
}

// require refuses an element unless the writer writes all of its fields that are set. If Go can
// compare the type, the condition compares it with a value that has only the written fields. So a
// field of a later version is refused as well. TestWriter_FieldsAreWrittenOrRefused looks at all of
// them.
func (w *writer) require(element string, onlyWrittenFields bool) {
	if !onlyWrittenFields {
		w.refuse(&UnwrittenError{element})
	}
}

func (w *writer) refuse(err error) {
	if w.err == nil {
		w.err = err
	}
}

// markup appends a text that is already XML.
func (w *writer) markup(text string) { w.text = append(w.text, text...) }

// content appends the text of an element.
func (w *writer) content(text string) { w.escaped(&textEscapes, text) }

func (w *writer) attributeStart(name string) {
	w.markup(` `)
	w.markup(name)
	w.markup(`="`)
}

// attribute appends an XML attribute.
func (w *writer) attribute(name, value string) {
	w.attributeStart(name)
	w.escaped(&attributeEscapes, value)
	w.markup(`"`)
}

// optional appends an XML attribute unless it is empty.
func (w *writer) optional(name, value string) {
	if value != "" {
		w.attribute(name, value)
	}
}

// instant appends an XML attribute that is a time.
func (w *writer) instant(name string, at time.Time) {
	w.attributeStart(name)
	w.text = at.AppendFormat(w.text, timeFormat)
	w.markup(`"`)
}

// optionalInstant appends an XML attribute that is a time, unless that is zero.
func (w *writer) optionalInstant(name string, at time.Time) {
	if !at.IsZero() {
		w.instant(name, at)
	}
}

// escaped appends a text, and refuses one that XML would not carry unchanged.
func (w *writer) escaped(escapes *escapes, text string) {
	if err := CheckText(text); err != nil {
		w.refuse(err)
	}
	w.text = escapes.append(w.text, text)
}
