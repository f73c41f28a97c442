package samldoc_test

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/crewjam/saml"

	"github.com/seed055b7978/delegation/internal/samldoc"
)

// fullResponse has every field set that the writer writes, and no other.
func fullResponse() *saml.Response {
	sessionEnd := start.Add(time.Hour)
	values := []saml.AttributeValue{{Value: "staff"}, {Value: "press"}}
	return &saml.Response{
		ID:           "_1",
		Version:      "2.0",
		IssueInstant: start,
		Destination:  "https://signin.aws.amazon.com/saml",
		Issuer:       &saml.Issuer{Value: "urn:tenant.auth0.com"},
		Status:       saml.Status{StatusCode: saml.StatusCode{Value: saml.StatusSuccess}},
		Assertion: &saml.Assertion{
			ID:           "_2",
			IssueInstant: start,
			Version:      "2.0",
			Issuer:       saml.Issuer{Value: "urn:tenant.auth0.com"},
			Subject: &saml.Subject{
				NameID: &saml.NameID{Format: "format", Value: "auth0|alice"},
				SubjectConfirmations: []saml.SubjectConfirmation{{
					Method: "method",
					SubjectConfirmationData: &saml.SubjectConfirmationData{
						NotOnOrAfter: start,
						Recipient:    "https://signin.aws.amazon.com/saml",
					},
				}},
			},
			Conditions: &saml.Conditions{
				NotBefore:    start,
				NotOnOrAfter: start,
				AudienceRestrictions: []saml.AudienceRestriction{
					{Audience: saml.Audience{Value: "urn:amazon:webservices"}},
				},
			},
			AuthnStatements: []saml.AuthnStatement{{
				AuthnInstant:        start,
				SessionIndex:        "_2",
				SessionNotOnOrAfter: &sessionEnd,
				AuthnContext: saml.AuthnContext{
					AuthnContextClassRef: &saml.AuthnContextClassRef{Value: "class"},
				},
			}},
			AttributeStatements: []saml.AttributeStatement{{Attributes: []saml.Attribute{
				{Name: "groups", NameFormat: "format", Values: values},
			}}},
		},
	}
}

// written are the fields that the writer writes; it refuses all others.
var written = []string{
	"AuthnContext.AuthnContextClassRef", "AuthnContextClassRef.Value",
	"Assertion.AttributeStatements", "Assertion.AuthnStatements", "Assertion.Conditions",
	"Assertion.ID", "Assertion.IssueInstant", "Assertion.Subject",
	"Attribute.Name", "Attribute.NameFormat", "Attribute.Values",
	"AttributeStatement.Attributes", "AttributeValue.Value", "Audience.Value",
	"AuthnStatement.AuthnInstant", "AuthnStatement.SessionIndex",
	"AuthnStatement.SessionNotOnOrAfter",
	"Conditions.AudienceRestrictions", "Conditions.NotBefore", "Conditions.NotOnOrAfter",
	"Issuer.Value", "NameID.Format", "NameID.Value",
	"Response.Assertion", "Response.Destination", "Response.ID", "Response.IssueInstant",
	"Response.Issuer", "Response.Version", "StatusCode.Value",
	"Subject.NameID", "Subject.SubjectConfirmations",
	"SubjectConfirmation.Method", "SubjectConfirmation.SubjectConfirmationData",
	"SubjectConfirmationData.NotOnOrAfter", "SubjectConfirmationData.Recipient",
}

// TestWriter_FieldsAreWrittenOrRefused changes each field of crewjam/saml's types in turn, in every
// way that its type allows. The writer refuses the document, or it writes the change as the oracle
// does. A field of a later version of crewjam/saml is found here without being named.
func TestWriter_FieldsAreWrittenOrRefused(t *testing.T) {
	base := must(unsigned(fullResponse()))
	if got, err := samldoc.Unsigned(fullResponse()); err != nil || !bytes.Equal(got, base) {
		t.Fatalf("got %v\n%s\nwant\n%s", err, got, base)
	}
	fields := map[string]bool{}
	wrote := map[string]bool{}
	changes, refusals := 0, 0
	response := fullResponse()
	visit(reflect.ValueOf(response).Elem(), "", func(field, change string) {
		changes++
		fields[field] = true
		got, err := samldoc.Unsigned(response)
		want := must(unsigned(response))
		var unwritten *samldoc.UnwrittenError
		switch {
		case errors.As(err, &unwritten):
			refusals++
		case err != nil || !bytes.Equal(got, want):
			t.Errorf("%s, %s: got %v\n%s\nwant\n%s", field, change, err, got, want)
		case bytes.Equal(got, base):
			t.Errorf("%s, %s: it is lost", field, change)
		default:
			wrote[field] = true
		}
	})
	if got := must(unsigned(response)); !bytes.Equal(got, base) {
		t.Fatal("the test did not undo its changes")
	}
	t.Logf("%d changes of %d fields, of which %d are written; %d changes refused",
		changes, len(fields), len(wrote), refusals)
	for field := range fields {
		if wrote[field] != slices.Contains(written, field) {
			t.Errorf("%s: written %v", field, wrote[field])
		}
	}
	for _, field := range written {
		if !fields[field] {
			t.Errorf("there is no %s", field)
		}
	}
}

// TestWriter_StartHasNoAssertion: an assertion is written by itself, and not lost in the response.
func TestWriter_StartHasNoAssertion(t *testing.T) {
	r := fullResponse()
	var unwritten *samldoc.UnwrittenError
	if err := samldoc.Start(r); !errors.As(err, &unwritten) || unwritten.Element != "Response" {
		t.Errorf("got %v", err)
	}
	r.Assertion = nil
	if err := samldoc.Start(r); err != nil {
		t.Errorf("without: %v", err)
	}
}

// visit makes each change of each field below a struct, calls f, and undoes it. A field is named by
// its type, because it is written in the same way wherever it is.
func visit(v reflect.Value, name string, f func(field, change string)) {
	try := func(change string, to reflect.Value) {
		old := reflect.New(v.Type()).Elem()
		old.Set(v)
		v.Set(to)
		f(name, change)
		v.Set(old)
	}
	_, isTime := v.Interface().(time.Time)
	switch {
	case isTime:
		try("later", reflect.ValueOf(start.Add(1234567*time.Microsecond)))
		try("elsewhere", reflect.ValueOf(start.In(time.FixedZone("", 3600))))
		if !v.IsZero() {
			try("none", reflect.Zero(v.Type()))
		}
	case v.Kind() == reflect.String:
		for _, text := range append(oddPieces, oddBlanks...) {
			try(fmt.Sprintf("%q", text), reflect.ValueOf(text).Convert(v.Type()))
		}
		if !v.IsZero() {
			try("empty", reflect.Zero(v.Type()))
		}
	case v.Kind() == reflect.Int:
		try("more", reflect.ValueOf(int(v.Int()+1)).Convert(v.Type()))
	case v.Kind() == reflect.Struct:
		visitFields(v, f)
	case v.Kind() == reflect.Pointer && v.IsNil():
		try("set", reflect.New(v.Type().Elem()))
	case v.Kind() == reflect.Pointer:
		try("none", reflect.Zero(v.Type()))
		visit(v.Elem(), name, f)
	case v.Kind() == reflect.Slice:
		try("one more", reflect.Append(v.Slice3(0, v.Len(), v.Len()),
			reflect.Zero(v.Type().Elem())))
		if v.Len() > 0 {
			try("none", reflect.Zero(v.Type()))
			try("twice", reflect.AppendSlice(v.Slice3(0, v.Len(), v.Len()), v))
		}
		for i := range v.Len() {
			visit(v.Index(i), name, f)
		}
	default:
		panic(name + " is of a kind that this test does not know")
	}
}

func visitFields(v reflect.Value, f func(field, change string)) {
	for i := range v.NumField() {
		visit(v.Field(i), v.Type().Name()+"."+v.Type().Field(i).Name, f)
	}
}
