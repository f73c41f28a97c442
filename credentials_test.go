package delegation_test

import (
	"bytes"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/seed055b7978/delegation"
)

func issued() *delegation.Credentials {
	return &delegation.Credentials{
		AccessKeyID:     "ASIAEXAMPLE",
		SecretAccessKey: delegation.NewSecret("canary/secret+access=key"),
		SessionToken:    delegation.NewSecret("canary/session+token="),
		Expiration:      time.Date(2015, 11, 13, 16, 5, 5, 0, time.UTC), Region: "eu-central-1",
		AccountID:      "010616021751",
		AssumedRoleARN: "arn:aws:sts::010616021751:assumed-role/access-to-s3-per-user/johndoe",
		AssumedRoleID:  "AROAEXAMPLE:johndoe",
		Subject:        "google-oauth2|113015401123457192604", SubjectType: "persistent",
		Issuer:        "urn:tenant.auth0.com",
		Audience:      "https://signin.aws.amazon.com/saml",
		NameQualifier: "z32keR+u/IrT0MrUVEfqYUGiqvE=",
		RequestID:     "ec4cb90f-8a17-11e5-84bf-a9c4083f50c5",
	}
}

// TestCredentials_WireShapes compares byte for byte with what the clients of each shape were
// written against.
func TestCredentials_WireShapes(t *testing.T) {
	const auth0 = `{"ResponseMetadata":{"RequestId":"ec4cb90f-8a17-11e5-84bf-a9c4083f50c5"},` +
		`"Credentials":{"AccessKeyId":"ASIAEXAMPLE","SecretAccessKey":"canary/secret+access=key","SessionToken":"canary/session+token=","Expiration":"2015-11-13T16:05:05.000Z"},` +
		`"AssumedRoleUser":{"AssumedRoleId":"AROAEXAMPLE:johndoe","Arn":"arn:aws:sts::010616021751:assumed-role/access-to-s3-per-user/johndoe"},%s` +
		`"Subject":"google-oauth2|113015401123457192604","SubjectType":"persistent","Issuer":"urn:tenant.auth0.com",` +
		`"Audience":"https://signin.aws.amazon.com/saml","NameQualifier":"z32keR+u/IrT0MrUVEfqYUGiqvE="%s}`
	everything := issued()
	everything.PackedPolicySize, everything.SourceIdentity = 7, "johndoe"
	bare := issued()
	bare.AccountID = ""
	elsewhere := issued()
	elsewhere.Expiration = elsewhere.Expiration.In(time.FixedZone("", 3600)).
		Add(999 * time.Millisecond)
	tests := []struct {
		name string
		got  func() ([]byte, error)
		want string
	}{
		{"Auth0", issued().Auth0JSON, fmt.Sprintf(auth0, "", "")},
		{"Auth0 with all", everything.Auth0JSON,
			fmt.Sprintf(auth0, `"PackedPolicySize":7,`, `,"SourceIdentity":"johndoe"`)},
		{"Auth0 in another time zone", elsewhere.Auth0JSON,
			strings.Replace(fmt.Sprintf(auth0, "", ""), "05.000Z", "05.999Z", 1)},
		{"credential_process", issued().ProcessJSON,
			`{"Version":1,"AccessKeyId":"ASIAEXAMPLE","SecretAccessKey":"canary/secret+access=key","SessionToken":"canary/session+token=","Expiration":"2015-11-13T16:05:05Z","AccountId":"010616021751"}`},
		{"credential_process without account", bare.ProcessJSON,
			`{"Version":1,"AccessKeyId":"ASIAEXAMPLE","SecretAccessKey":"canary/secret+access=key","SessionToken":"canary/session+token=","Expiration":"2015-11-13T16:05:05Z"}`},
		{"credential_process in another time zone", elsewhere.ProcessJSON,
			`{"Version":1,"AccessKeyId":"ASIAEXAMPLE","SecretAccessKey":"canary/secret+access=key","SessionToken":"canary/session+token=","Expiration":"2015-11-13T16:05:05Z","AccountId":"010616021751"}`},
		{"container", issued().ContainerJSON,
			`{"AccessKeyId":"ASIAEXAMPLE","SecretAccessKey":"canary/secret+access=key","Token":"canary/session+token=","Expiration":"2015-11-13T16:05:05Z","AccountId":"010616021751"}`},
		{"container without account", bare.ContainerJSON,
			`{"AccessKeyId":"ASIAEXAMPLE","SecretAccessKey":"canary/secret+access=key","Token":"canary/session+token=","Expiration":"2015-11-13T16:05:05Z"}`},
		{"container in another time zone", elsewhere.ContainerJSON,
			`{"AccessKeyId":"ASIAEXAMPLE","SecretAccessKey":"canary/secret+access=key","Token":"canary/session+token=","Expiration":"2015-11-13T16:05:05Z","AccountId":"010616021751"}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got, err := test.got(); err != nil || string(got) != test.want {
				t.Errorf("got  %s, %v\nwant %s", got, err, test.want)
			}
		})
	}
}

func TestCredentials_AWS(t *testing.T) {
	want := aws.Credentials{
		AccessKeyID: "ASIAEXAMPLE", SecretAccessKey: "canary/secret+access=key",
		SessionToken: "canary/session+token=", Source: "AssumeRoleWithSAML",
		CanExpire: true, Expires: time.Date(2015, 11, 13, 16, 5, 5, 0, time.UTC),
		AccountID: "010616021751",
	}
	if got := issued().AWS(); got != want || !got.HasKeys() || !got.Expired() {
		t.Errorf("got %+v", got)
	}
}

func TestSecret(t *testing.T) {
	if got := delegation.NewSecret("canary").Reveal(); got != "canary" {
		t.Errorf("revealed %q", got)
	}
	var zero delegation.Secret
	if zero.Reveal() != "" || zero.String() != "[redacted]" || fmt.Sprint(zero) != "[redacted]" {
		t.Errorf("the zero value reveals %q and prints %v", zero.Reveal(), zero)
	}
	if fmt.Sprintf("%s %v %x", delegation.NewSecret("x"), delegation.NewSecret("y"),
		delegation.NewSecret("")) != "[redacted] [redacted] [redacted]" {
		t.Error("one can tell secrets apart, or an empty one")
	}
}

// holders put a secret where formatters may meet it.
func holders(s delegation.Secret) map[string]any {
	type exported struct{ S delegation.Secret }
	type unexported struct{ s delegation.Secret }
	type pointer struct{ p *delegation.Secret }
	type attribute struct {
		S delegation.Secret `xml:"s,attr" json:"s"`
	}
	type embedded struct{ delegation.Secret }
	type deep struct {
		Map   map[string][]any
		inner struct{ list []unexported }
	}
	d := deep{Map: map[string][]any{"x": {exported{s}, &s}}}
	d.inner.list = []unexported{{s}}
	credentials := delegation.Credentials{SecretAccessKey: s, SessionToken: s}
	return map[string]any{
		"itself": s, "pointer": &s, "exported": exported{s}, "&exported": &exported{s},
		"unexported": unexported{s}, "&unexported": &unexported{s}, "pointer within": pointer{&s},
		"attribute": attribute{s}, "embedded": embedded{s}, "slice": []delegation.Secret{s},
		"array": [1]delegation.Secret{s}, "map": map[string]delegation.Secret{"k": s},
		"key": map[delegation.Secret]string{s: "v"}, "any": []any{s, &s},
		"deep": d, "&deep": &d, "credentials": credentials, "&credentials": &credentials,
		"list of credentials": []*delegation.Credentials{&credentials},
		"issuer":              delegation.Issuer{SharedSecret: s},
		"config":              delegation.Config{Issuers: []delegation.Issuer{{SharedSecret: s}}},
		"function":            func() delegation.Secret { return s },
		"error":               fmt.Errorf("wrapping %v and %w", s, fmt.Errorf("%s", &s)),
	}
}

// spellings are the ways in which a formatter may write a text.
func spellings(text string) []string {
	return []string{
		text, hex.EncodeToString([]byte(text)), strings.ToUpper(hex.EncodeToString([]byte(text))),
		fmt.Sprintf("% x", text), strings.Trim(fmt.Sprint([]byte(text)), "[]"),
	}
}

func TestSecret_NeverShows(t *testing.T) {
	const canary = "canary-secret"
	needles := spellings(canary)
	check := func(t *testing.T, how, output string) {
		t.Helper()
		for _, needle := range needles {
			if strings.Contains(output, needle) {
				t.Errorf("%s shows it: %.200q", how, output)
			}
		}
	}
	for name, holder := range holders(delegation.NewSecret(canary)) {
		t.Run(name, func(t *testing.T) {
			for verb := 'A'; verb <= 'z'; verb++ {
				for _, flags := range []string{
					"", "+", "#", "-", " ", "0", "+#", "20", ".3", "#20.3", "# ",
				} {
					format := "%" + flags + string(verb)
					check(t, format, fmt.Sprintf(format, holder))
				}
			}
			var out bytes.Buffer
			for _, handler := range []slog.Handler{
				slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil),
			} {
				logger := slog.New(handler)
				logger.Info("x", "holder", holder, slog.Group("g", "holder", holder))
				logger.With("holder", holder).Info("x")
			}
			check(t, "slog", out.String())
			text, err := json.Marshal(holder)
			check(t, "json", fmt.Sprintf("%s %v", text, err))
			text, err = xml.Marshal(holder)
			check(t, "xml", fmt.Sprintf("%s %v", text, err))
			out.Reset()
			err = gob.NewEncoder(&out).Encode(holder)
			check(t, "gob", fmt.Sprintf("%s %v", out.String(), err))
		})
	}
}

func TestSecret_SaysThatItHides(t *testing.T) {
	s := delegation.NewSecret("canary")
	for _, verb := range "vsqxXdtUbcoOeEfFgG" { // fmt answers the others by itself: T, p and w
		if got := fmt.Sprintf("%"+string(verb), s); got != "[redacted]" {
			t.Errorf("%%%c: %s", verb, got)
		}
	}
	got := slog.AnyValue(s).Resolve()
	if got.Kind() != slog.KindString || got.String() != "[redacted]" {
		t.Errorf("a handler of one's own would get %v", got.Any())
	}
	var out bytes.Buffer
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "s", s)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "s", s)
	if strings.Count(out.String(), "[redacted]") != 2 {
		t.Errorf("slog: %s", out.String())
	}
	text, err := json.Marshal(map[string]any{"s": s, "p": &s})
	if err != nil || string(text) != `{"p":"[redacted]","s":"[redacted]"}` {
		t.Errorf("json: %s, %v", text, err)
	}
	text, err = xml.Marshal(struct {
		XMLName xml.Name          `xml:"x"`
		A       delegation.Secret `xml:"a,attr"`
		S       delegation.Secret
	}{A: s, S: s})
	if err != nil || string(text) != `<x a="[redacted]"><S>[redacted]</S></x>` {
		t.Errorf("xml: %s, %v", text, err)
	}
	if n := strings.Count(fmt.Sprintf("%+v", issued()), "[redacted]"); n != 2 {
		t.Errorf("printed credentials hide %d values", n)
	}
	text, err = json.Marshal(issued())
	if err != nil || bytes.Count(text, []byte("[redacted]")) != 2 ||
		!bytes.Contains(text, []byte("ASIAEXAMPLE")) {
		t.Errorf("marshalled credentials: %s, %v", text, err)
	}
	if _, err := fmt.Fprintf(io.Discard, "%v", s); err != nil {
		t.Error(err)
	}
}

// TestCredentials_FieldsArePublicKnowledge holds that no field of Credentials is a secret in plain
// text: a new string field has to be listed here on purpose.
func TestCredentials_FieldsArePublicKnowledge(t *testing.T) {
	known := map[string]bool{
		"AccessKeyID": true, "Region": true, "AccountID": true, "AssumedRoleARN": true,
		"AssumedRoleID": true, "Subject": true, "SubjectType": true,
		"Issuer": true, "Audience": true, "NameQualifier": true, "SourceIdentity": true,
		"RequestID": true,
	}
	credentials := reflect.TypeFor[delegation.Credentials]()
	for i := range credentials.NumField() {
		field := credentials.Field(i)
		if field.Type.Kind() == reflect.String && !known[field.Name] {
			t.Errorf("%s is plain text", field.Name)
		}
	}
}
