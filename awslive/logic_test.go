package awslive

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
	"github.com/seed055b7978/delegation/ststest"
)

const account = "123456789012"

var start = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

// fakeSetUp is a set-up in ststest, as the script makes one in an account.
func fakeSetUp(t *testing.T) (setUp, caller) {
	t.Helper()
	const arn = "arn:aws:iam::" + account
	s := setUp{
		account:   account,
		partition: "aws",
		region:    "eu-central-1",
		provider:  arn + ":saml-provider/awslive",
		role:      arn + ":role/awslive",
		entityID:  "urn:awslive.example.com",
		claimRoles: map[string]string{
			"saml:uid": arn + ":role/awslive-uid",
		},
		ecdsaProvider: arn + ":saml-provider/awslive-ecdsa",
		ecdsaRole:     arn + ":role/awslive-ecdsa",
	}
	s.rsa = pairOf(t)
	s.other = pairOf(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s.ecdsa, err = newKeyPair(key, start)
	if err != nil {
		t.Fatal(err)
	}
	server := ststest.New(ststest.Config{
		Region: s.region,
		Now:    func() time.Time { return start },
	})
	check(t, server.PutSAMLProvider(s.provider, []byte(metadata(s.entityID, s.rsa.certificate))))
	check(t, server.PutRole(ststest.Role{ARN: s.role, TrustPolicy: trusts(s.provider, "")}))
	check(t, server.PutRole(ststest.Role{
		ARN: s.claimRoles["saml:uid"],
		TrustPolicy: trusts(s.provider,
			`, "Condition": {"ForAnyValue:StringEquals": {"saml:uid": "`+sidValue+`"}}`),
	}))
	listening := httptest.NewServer(server)
	t.Cleanup(listening.Close)
	return s, sts.New(sts.Options{
		Region:       s.region,
		BaseEndpoint: aws.String(listening.URL),
		Credentials:  aws.AnonymousCredentials{},
	})
}

func pairOf(t *testing.T) keyPair {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := newKeyPair(key, start)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

func trusts(provider, condition string) string {
	return `{"Version": "2012-10-17", "Statement": {"Effect": "Allow", ` +
		`"Principal": {"Federated": "` + provider + `"}, ` +
		`"Action": ["sts:AssumeRoleWithSAML", "sts:TagSession", "sts:SetSourceIdentity"]` +
		condition + `}}`
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func now() time.Time { return start }

// TestRun_AsksWhatItSays: ststest accepts the control, and its answers to probes are those of its
// own rules. A probe that is built wrong would be refused for another reason.
func TestRun_AsksWhatItSays(t *testing.T) {
	s, client := fakeSetUp(t)
	answers, err := run(t.Context(), client, s, now)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, a := range answers {
		if got[a.probe.name] != "" {
			t.Errorf("two probes are called %s", a.probe.name)
		}
		got[a.probe.name] = a.text
	}
	for name, want := range map[string]string{
		"both are signed": "accepted",
		"only the response is signed": "InvalidIdentityToken: " +
			"Response signature invalid",
		"another audience":                                    "required audience",
		"audience urn:amazon:webservices":                     "accepted",
		"only the response was issued 10 minutes ago":         "within 5 minutes of issuance",
		"only the assertion was issued 10 minutes ago":        "within 5 minutes of issuance",
		"issued 1m0s from now, NotBefore in the past":         "Response is not yet valid",
		"issued now, NotBefore 1m0s from now":                 "Response is not yet valid",
		"another issuer, and a wrong signature":               "Issuer not present",
		"a wrong signature, and expired":                      "Response signature invalid",
		"a key that no provider has, and another audience":    "Response signature invalid",
		"expired, and another audience":                       "Response has expired",
		"another audience, and a bad session name":            "required audience",
		"no such role, and another issuer":                    "AccessDenied",
		"urn:oasis:names:tc:SAML:2.0:nameid-format:transient": `SubjectType "transient"`,
		"urn:example.com:format": `SubjectType ` +
			`"urn:example.com:format"`,
		"a source identity of 64 characters":    "accepted",
		"a source identity of 257 characters":   "Source Identity must match",
		"the trust policy wants it as saml:uid": "accepted",
	} {
		if !strings.Contains(got[name], want) {
			t.Errorf("%s: got %q, want %q", name, got[name], want)
		}
	}
	for number := 1; number < len(questions); number++ {
		if !strings.Contains(s.report(answers, start), questions[number]) {
			t.Errorf("question %d is not in the report", number)
		}
		asked := 0
		for _, a := range answers {
			if a.probe.question == number {
				asked++
			}
		}
		if asked == 0 {
			t.Errorf("question %d is not asked", number)
		}
	}
}

// TestResponse_Verifies: goxmldsig verifies what is signed with each algorithm, so a refusal by AWS
// is about the algorithm.
func TestResponse_Verifies(t *testing.T) {
	s, _ := fakeSetUp(t)
	verified := 0
	for _, p := range s.probes() {
		if p.question != 1 {
			continue
		}
		response := s.control(start)
		p.change(response)
		encoded, err := response.encoded()
		check(t, err)
		text, err := base64.StdEncoding.DecodeString(encoded)
		check(t, err)
		document := etree.NewDocument()
		check(t, document.ReadFromBytes(text))
		signed := document.Root()
		if response.signsAssertion {
			signed = document.FindElement("//saml:Assertion")
		}
		certificate, err := x509.ParseCertificate(response.key.certificate)
		check(t, err)
		validation := dsig.NewDefaultValidationContext(&dsig.MemoryX509CertificateStore{
			Roots: []*x509.Certificate{certificate},
		})
		validation.Clock = dsig.NewFakeClockAt(start)
		if _, err := validation.Validate(signed); err != nil {
			t.Errorf("%s: %v", p.name, err)
		}
		verified++
	}
	if verified < 7 {
		t.Errorf("only %d were verified", verified)
	}
}

// TestRun_NeedsTheControl: with a set-up that is wrong nothing is asked, and nothing is answered.
func TestRun_NeedsTheControl(t *testing.T) {
	s, client := fakeSetUp(t)
	s.entityID = "urn:other.example.com"
	answers, err := run(t.Context(), client, s, now)
	if err == nil || len(answers) != 0 ||
		!strings.Contains(err.Error(), "the set-up is wrong: InvalidIdentityToken: Issuer not") {
		t.Errorf("got %d answers, %v", len(answers), err)
	}
}

// TestReport_NamesNoAccount: the page can be published.
func TestReport_NamesNoAccount(t *testing.T) {
	s, _ := fakeSetUp(t)
	const id = "c6104cbe-af31-11e0-8154-cbc7ccf896c7"
	page := s.report([]answer{{
		probe{question: 3, name: "a|b"}, s.masked("AccessDenied: " + account + " in\n" + id),
	}}, start)
	const where = "on 2026-11-23, for the partition aws and the region eu-central-1"
	if strings.Contains(page, account) || strings.Contains(page, id) ||
		!strings.Contains(page, `| a\|b | AccessDenied: ACCOUNT in REQUEST |`) ||
		!strings.Contains(page, where) {
		t.Errorf("got %s", page)
	}
}

// TestFromEnvironment: without the account's number nothing starts, nor with an ARN of another
// account.
func TestFromEnvironment(t *testing.T) {
	const arn = "arn:aws-cn:iam::" + account
	good := map[string]string{
		"DELEGATION_AWS_ACCOUNT":   account,
		"AWS_REGION":               "cn-north-1",
		"DELEGATION_AWS_PROVIDER":  arn + ":saml-provider/x",
		"DELEGATION_AWS_ROLE":      arn + ":role/x",
		"DELEGATION_AWS_ENTITY_ID": "urn:x",
	}
	for name, row := range map[string]struct{ variable, value, want string }{
		"good":       {"", "", ""},
		"no account": {"DELEGATION_AWS_ACCOUNT", "", "set DELEGATION_AWS_ACCOUNT"},
		"a name":     {"DELEGATION_AWS_ACCOUNT", "mine", "set DELEGATION_AWS_ACCOUNT"},
		"another account": {
			"DELEGATION_AWS_ACCOUNT", "999999999999", "is not of the account"},
		"no region": {"AWS_REGION", "", "run awslive/run"},
		"no role":   {"DELEGATION_AWS_ROLE", "", "run awslive/run"},
		"a role of another": {
			"DELEGATION_AWS_UID_ROLE", "arn:aws:iam::1:role/x", "is not of the"},
		"a provider without an ARN": {"DELEGATION_AWS_PROVIDER", "x", "is not of the account"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := fromEnvironment(func(variable string) string {
				if variable == row.variable {
					return row.value
				}
				return good[variable]
			})
			if (err == nil) != (row.want == "") ||
				err != nil && !strings.Contains(err.Error(), row.want) {
				t.Fatalf("got %v, want %q", err, row.want)
			}
			if err == nil && (s.partition != "aws-cn" ||
				s.signIn() != "https://signin.amazonaws.cn") {
				t.Errorf("got %+v", s)
			}
		})
	}
}
