package ststest_test

import (
	"encoding/base64"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/beevik/etree"

	"github.com/seed055b7978/delegation/ststest"
)

const (
	// samlAllow lets the provider in, with all that it can set.
	samlAllow = `{"Effect": "Allow", "Principal": {"Federated": "` + providerARN + `"},
		"Action": ["sts:AssumeRoleWithSAML", "sts:TagSession", "sts:SetSourceIdentity"]}`

	// testAddress is the one that httptest puts into requests: RFC 5737.
	testAddress = "192.0.2.1"
)

// statement returns a statement of a trust policy; an empty condition is none.
func statement(effect, principal, action, condition string) string {
	if condition != "" {
		condition = `, "Condition": ` + condition
	}
	return fmt.Sprintf(`{"Effect": %q, "Principal": %s, "Action": %s%s}`,
		effect, principal, action, condition)
}

// TestFurtherStatements puts statements next to the one that lets the provider
// in. Those that do not concern SAML decide nothing, and every Deny that does
// counts.
func TestFurtherStatements(t *testing.T) {
	const (
		assume   = `"sts:AssumeRole"`
		saml     = `"sts:AssumeRoleWithSAML"`
		all      = `"sts:*"`
		ec2      = `{"Service": "ec2.amazonaws.com"}`
		root     = `{"AWS": "arn:aws:iam::123456789012:root"}`
		federate = `{"Federated": "` + providerARN + `"}`
		oidc     = `{"Federated": "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"}`
	)
	tests := []struct {
		name, statement string
		allowed         bool
	}{
		// What does not concern SAML.
		{"Allow a service", statement("Allow", ec2, assume, ""), true},
		{"Allow two services", statement("Allow",
			`{"Service": ["ec2.amazonaws.com", "lambda.amazonaws.com"]}`, assume, ""), true},
		{"Allow a service what SAML has no use for", statement("Allow", ec2,
			`"sts:GetServiceBearerToken"`, ""), true},
		{"Allow a service under a condition", statement("Allow", ec2, assume,
			`{"ArnLike": {"aws:SourceArn": "arn:aws:ec2:*:123456789012:*"}}`), true},
		{"Deny a service", statement("Deny", ec2, all, ""), true},
		{"Allow an account", statement("Allow", root, assume, ""), true},
		{"Allow an account by its number", statement("Allow", `{"AWS": "123456789012"}`, all, ""),
			true},
		{"Allow a role with tags", statement("Allow", `{"AWS": "arn:aws:iam::123456789012:role/x"}`,
			`["sts:AssumeRole", "sts:TagSession", "sts:SetContext"]`, ""), true},
		{"Allow an account with MFA", statement("Allow", root, assume,
			`{"Bool": {"aws:MultiFactorAuthPresent": "true"}, "NumericLessThan": {"aws:MultiFactorAuthAge": "3600"}}`), true},
		{"Allow an account from an address", statement("Allow", root, assume,
			`{"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}`), true},
		{"Allow a user by a canonical ID", statement("Allow",
			`{"CanonicalUser": "79a59df900b949e5"}`, assume, ""), true},
		{"Deny an account", statement("Deny", root, all, ""), true},
		{"Deny an account what is for SAML", statement("Deny", root, saml, ""), true},
		{"Allow OpenID", statement("Allow", oidc,
			`["sts:AssumeRoleWithWebIdentity", "sts:TagSession"]`,
			`{"StringLike": {"token.actions.githubusercontent.com:sub": "repo:example/*"}}`), true},
		{"Allow Cognito", statement("Allow", `{"Federated": "cognito-identity.amazonaws.com"}`,
			`"sts:AssumeRoleWithWebIdentity"`,
			`{"StringEquals": {"cognito-identity.amazonaws.com:aud": "eu-central-1:x"}}`), true},
		{"Deny OpenID", statement("Deny", oidc, all, ""), true},
		{"Allow everyone of an organization", statement("Allow", `{"AWS": "*"}`,
			`["sts:AssumeRole", "sts:TagSession"]`,
			`{"StringEquals": {"aws:PrincipalOrgID": "o-x"}}`), true},
		{"Deny everyone outside an organization another action", statement("Deny", `"*"`, assume,
			`{"StringNotEquals": {"aws:PrincipalOrgID": "o-x"}}`), true},
		{"Deny the provider another action", statement("Deny", federate, assume,
			`{"StringEquals": {"aws:PrincipalTag/x": "y"}}`), true},

		// What does.
		{"Deny the provider", statement("Deny", federate, saml, ""), false},
		{"Deny everyone", statement("Deny", `"*"`, all, ""), false},
		{"Deny everyone of AWS", statement("Deny", `{"AWS": "*"}`, saml, ""), false},
		{"Deny everyone of a list", statement("Deny", `{"AWS": ["123456789012", "*"]}`, saml, ""),
			false},
		{"Deny the provider among others", statement("Deny",
			`{"Service": "ec2.amazonaws.com", "Federated": ["`+providerARN+
				`", "accounts.google.com"]}`, all, ""), false},
		{"Deny everyone another action", statement("Deny", `"*"`, `"sts:TagSession"`, ""), true},

		// By address.
		{"Deny everyone from elsewhere, and it is here", statement("Deny", `"*"`, all,
			`{"NotIpAddress": {"aws:SourceIp": "192.0.2.0/24"}}`), true},
		{"Deny everyone from elsewhere, and it is", statement("Deny", `"*"`, all,
			`{"NotIpAddress": {"aws:SourceIp": ["203.0.113.0/24", "2001:db8::/32"]}}`), false},
		{"Deny everyone from here", statement("Deny", `"*"`, all,
			`{"IpAddress": {"aws:SourceIp": "`+testAddress+`"}}`), false},
		{"Deny everyone from next door", statement("Deny", `"*"`, all,
			`{"IpAddress": {"aws:SourceIp": "192.0.2.2/32"}}`), true},
		{"Deny everyone from a list that has here", statement("Deny", `"*"`, all,
			`{"IpAddress": {"AWS:sourceIP": ["203.0.113.0/24", "192.0.2.1/32"]}}`), false},
		{"Deny everyone without an address", statement("Deny", `"*"`, all,
			`{"Null": {"aws:SourceIp": "true"}}`), true},

		// By transport and region.
		{"Deny everyone without TLS", statement("Deny", `"*"`, all,
			`{"Bool": {"aws:SecureTransport": "false"}}`), true},
		{"Deny everyone with TLS", statement("Deny", `"*"`, all,
			`{"Bool": {"aws:SecureTransport": true}}`), false},
		{"Deny everyone in other regions", statement("Deny", `"*"`, all,
			`{"StringNotEquals": {"aws:RequestedRegion": ["us-east-1", "eu-west-1"]}}`), true},
		{"Deny everyone in this region", statement("Deny", `"*"`, all,
			`{"StringLike": {"aws:RequestedRegion": "us-*"}}`), false},
	}
	encoded := good().encoded()
	for _, tt := range tests {
		for _, first := range []bool{false, true} {
			t.Run(fmt.Sprint(tt.name, ", first ", first), func(t *testing.T) {
				list := samlAllow + "," + tt.statement
				number := 2
				if first {
					list = tt.statement + "," + samlAllow
					number = 1
				}
				s := newServer(t, ststest.Config{})
				mustRole(t, s, ststest.Role{ARN: roleARN,
					TrustPolicy: `{"Version": "2012-10-17", "Statement": [` + list + `]}`})
				a := post(s, form(encoded))
				cause := s.Calls()[0].Cause
				if tt.allowed {
					if said(a) != accepted || cause != "" {
						t.Errorf("%s, cause %q", said(a), cause)
					}
					return
				}
				want := fmt.Sprintf(
					"statement %d of the trust policy denies sts:AssumeRoleWithSAML", number)
				if said(a) != "403 AccessDenied "+noAuth || cause != want {
					t.Errorf("%s, cause %q", said(a), cause)
				}
			})
		}
	}
}

// TestOnlyStatementsForSAMLLetIn has no statement that names the provider.
func TestOnlyStatementsForSAMLLetIn(t *testing.T) {
	for _, policy := range []string{
		statement("Allow", `{"Service": "ec2.amazonaws.com"}`, `"sts:*"`, ""),
		statement("Allow", `{"AWS": "arn:aws:iam::123456789012:root"}`, `"sts:*"`, ""),
		statement("Allow", `{"AWS": "*"}`, `["sts:AssumeRole", "sts:TagSession"]`, ""),
		statement("Allow", `{"Federated": "accounts.google.com"}`, `"sts:*"`, ""),
		statement("Deny", `{"Service": "ec2.amazonaws.com"}`, `"sts:*"`, ""),
	} {
		s := newServer(t, ststest.Config{})
		mustRole(t, s, ststest.Role{ARN: roleARN, TrustPolicy: `{"Statement": ` + policy + `}`})
		a := post(s, form(good().encoded()))
		cause := s.Calls()[0].Cause
		const want = "no statement of the trust policy allows sts:AssumeRoleWithSAML for the " +
			"SAML provider"
		if said(a) != "403 AccessDenied "+noAuth || cause != want {
			t.Errorf("%s, cause %q for %s", said(a), cause, policy)
		}
	}
	// Nor do they lend the provider what its own statement lacks.
	for _, everyone := range []string{
		`"*"`,
		`{"AWS": "*"}`,
		`{"AWS": "*", "Federated": "` + providerARN + `2"}`,
	} {
		s := newServer(t, ststest.Config{})
		mustRole(t, s, ststest.Role{ARN: roleARN, TrustPolicy: `{"Statement": [` +
			statement("Allow", `{"Federated": "`+providerARN+`"}`, `"sts:AssumeRoleWithSAML"`, "") +
			"," + statement("Allow", everyone, `"sts:TagSession"`, "") + `]}`})
		a := post(s, form(good().set("PrincipalTag:a", "b").encoded()))
		cause := s.Calls()[0].Cause
		if said(a) != "403 AccessDenied "+noAuth || !strings.Contains(cause, "sts:TagSession") {
			t.Errorf("%s, cause %q for %s", said(a), cause, everyone)
		}
	}
}

// TestStatementsAreCountedAsTheyAreWritten has one that decides nothing before
// the one that denies.
func TestStatementsAreCountedAsTheyAreWritten(t *testing.T) {
	s := newServer(t, ststest.Config{})
	mustRole(t, s, ststest.Role{ARN: roleARN, TrustPolicy: `{"Statement": [` +
		statement("Allow", `{"Service": "ec2.amazonaws.com"}`, `"sts:AssumeRole"`, "") + "," +
		samlAllow + "," + statement("Deny", `"*"`, `"sts:*"`, "") + `]}`})
	post(s, form(good().encoded()))
	cause := s.Calls()[0].Cause
	if cause != "statement 3 of the trust policy denies sts:AssumeRoleWithSAML" {
		t.Errorf("cause %q", cause)
	}
}

// TestSourceIPIsTheAddressOfTheClient sets the address that net/http reports.
func TestSourceIPIsTheAddressOfTheClient(t *testing.T) {
	tests := []struct {
		remote, condition string
		status            int
	}{
		{"203.0.113.9:1", `{"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}`, 200},
		{"203.0.114.9:1", `{"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}`, 403},
		{"[::ffff:203.0.113.9]:1", `{"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}`, 200},
		{"[2001:db8::1]:1", `{"IpAddress": {"aws:SourceIp": "2001:db8::/32"}}`, 200},
		{"[2001:db9::1]:1", `{"IpAddress": {"aws:SourceIp": "2001:db8::/32"}}`, 403},
		{"[fe80::1%eth0]:1", `{"IpAddress": {"aws:SourceIp": "fe80::/10"}}`, 200},
		{"203.0.113.9:1", `{"NotIpAddress": {"aws:SourceIp": "203.0.113.9"}}`, 403},
		{"@", `{"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}`, 403},
		{"@", `{"IpAddressIfExists": {"aws:SourceIp": "203.0.113.9"}}`, 200},
		{"203.0.113.9:1", `{"IpAddressIfExists": {"aws:SourceIp": "203.0.113.8"}}`, 403},
	}
	body := form(good().encoded()).Encode()
	for _, tt := range tests {
		t.Run(tt.remote+" "+tt.condition, func(t *testing.T) {
			s := newServer(t, ststest.Config{})
			mustRole(t, s, ststest.Role{ARN: roleARN, TrustPolicy: statementWith(tt.condition)})
			r := httptest.NewRequest("POST", "/", strings.NewReader(body))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("X-Forwarded-For", testAddress) // nothing that AWS believes
			r.RemoteAddr = tt.remote
			a := do(s, r)
			cause := s.Calls()[0].Cause
			if a.status != tt.status {
				t.Errorf("%s, cause %q", said(a), cause)
			}
			const why = "statement 1 of the trust policy allows sts:AssumeRoleWithSAML " +
				"under a Condition on aws:sourceip that does not hold"
			if tt.status == 403 && cause != why {
				t.Errorf("cause %q", cause)
			}
		})
	}
}

// TestPutRoleRefusesWhatItCannotEvaluate names what a statement for SAML has and
// the Server does not know.
func TestPutRoleRefusesWhatItCannotEvaluate(t *testing.T) {
	federate := `{"Federated": "` + providerARN + `"}`
	tests := []struct{ statement, want string }{
		{statement("Deny", `"*"`, `"sts:*"`, `{"StringNotEquals": {"aws:PrincipalOrgID": "o-x"}}`),
			`"aws:PrincipalOrgID"`},
		{statement("Deny", `{"AWS": "*"}`, `"sts:AssumeRole*"`,
			`{"Bool": {"aws:ViaAWSService": "true"}}`), `"aws:ViaAWSService"`},
		{statement("Allow", federate, `"sts:*"`,
			`{"DateLessThan": {"aws:CurrentTime": "2030-01-01T00:00:00Z"}}`), `"DateLessThan"`},
		{statement("Allow", federate, `"sts:*"`, `{"StringEquals": {"aws:SourceVpc": "vpc-1"}}`),
			`"aws:SourceVpc"`},
		{statement("Allow", federate, `"sts:*"`,
			`{"IpAddress": {"aws:SourceIp": "203.0.113.0/33"}}`), "want an IP address or a range"},
		{statement("Allow", federate, `"sts:*"`, `{"IpAddress": {"aws:SourceIp": "fe80::1%eth0"}}`),
			"want an IP address or a range"},
		{statement("Allow", federate, `"sts:*"`, `{"IpAddress": {"saml:sub": "203.0.113.0/24"}}`),
			"for another operator"},
		{statement("Allow", federate, `"sts:*"`, `{"Bool": {"saml:sub": "true"}}`),
			"for another operator"},
		{statement("Allow", federate, `"sts:*"`, `{"Bool": {"aws:SecureTransport": "yes"}}`),
			"want true or false"},
		{statement("Allow", federate, `"sts:*"`,
			`{"StringEquals": {"aws:SecureTransport": "true"}}`), "for another operator"},
		{statement("Allow", `"*"`, `"sts:*"`, ""), "name the provider under Federated"},
		{statement("Allow", `{"AWS": ["*"]}`, `"sts:AssumeRoleWithSAML"`, ""),
			"name the provider under Federated"},
		{statement("Allow", `{"AWS": "*", "Federated": "`+providerARN+`"}`, `"sts:*"`, ""),
			"name the provider under Federated"},
		{statement("Allow", `{"Service": "`+providerARN+`"}`, `"sts:*"`, ""),
			"belongs under Federated"},
		{statement("Allow", `{"Federated": "*"}`, `"sts:*"`, ""), "no wildcards"},
		{statement("Allow", `{"Serviec": "ec2.amazonaws.com"}`, `"sts:AssumeRole"`, ""),
			`"Serviec" is not supported`},
		{statement("Allow", `{"Service": ""}`, `"sts:AssumeRole"`, ""), "an empty name"},
		{statement("Allow", `{"Service": 7}`, `"sts:AssumeRole"`, ""), "want a string"},
		{statement("Allow", `{}`, `"sts:AssumeRole"`, ""), `want "*" or an object`},
		{statement("Allow", `"ec2.amazonaws.com"`, `"sts:AssumeRole"`, ""),
			`want "*" or an object`},
		{statement("Allow", `{"Service": "ec2.amazonaws.com"}`, `"ec2:RunInstances"`, ""),
			"want an action of STS"},
		{statement("Allow", `{"Service": "ec2.amazonaws.com"}`, `[]`, ""), "list is empty"},
		{statement("Allow", `{"Service": "ec2.amazonaws.com"}`, `"sts:AssumeRole"`, `[]`),
			"the Condition: not a JSON object"},
		{`{"Effect": "Deny", "NotPrincipal": ` + federate + `, "Action": "sts:*"}`,
			`"NotPrincipal" is not supported`},
		{`{"Effect": "Deny", "Principal": "*", "NotAction": "sts:AssumeRole"}`,
			`"NotAction" is not supported`},
		{`{"Effect": "Allow", "Action": "sts:AssumeRole"}`, `want "*" or an object`},
	}
	for _, tt := range tests {
		t.Run(tt.statement, func(t *testing.T) {
			s := newServer(t, ststest.Config{})
			err := s.PutRole(ststest.Role{ARN: roleARN,
				TrustPolicy: `{"Statement": [` + samlAllow + "," + tt.statement + `]}`})
			if err == nil || !strings.Contains(err.Error(),
				tt.want) || !strings.Contains(err.Error(), "statement 2:") {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if a := post(s, form(good().encoded())); a.status != 200 {
				t.Errorf("the failed call changed the role: %s", a.Message)
			}
		})
	}
}

// TestCallsSayTheCause holds that AWS's one message for many faults has a cause
// next to it, for the test alone, and that a success has none.
func TestCallsSayTheCause(t *testing.T) {
	tests := []struct {
		name   string
		change func(s *scenario)
		cause  string
	}{
		{"nothing wrong", func(s *scenario) {}, ""},
		{"no role", func(s *scenario) { s.param("RoleArn", roleARN+"x") }, "no role with this ARN"},
		{"no base64", func(s *scenario) { s.param("SAMLAssertion", "****") }, "not base64"},
		{"no XML", func(s *scenario) { s.text = func(string) string { return "<x" } }, "not XML"},
		{"no Response", func(s *scenario) { s.text = func(string) string { return "<x/>" } },
			"not a samlp:Response"},
		{"no ID", func(s *scenario) { s.attr("Response", "ID", "") }, "wants an ID, Version 2.0"},
		{"no signature", func(s *scenario) { s.signer = keyPair{} },
			"of the Assertion: want exactly one Signature"},
		{"only the Response is signed", func(s *scenario) {
			s.signer = keyPair{}
			s.after = func(root *etree.Element) { root.InsertChildAt(1, good().signature(root)) }
		}, "of the Assertion: want exactly one Signature"},
		{"another key", func(s *scenario) { s.signer = otherKey() },
			"no key of the registered metadata"},
		{"RSA-SHA512", func(s *scenario) {
			s.method = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512"
		}, `SignatureMethod "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512" is not accepted`},
		{"changed", func(s *scenario) {
			s.text = func(d string) string {
				return strings.Replace(d, ">SamlExample<", ">mallory<", 1)
			}
		}, "the digest does not match"},
		{"two assertions", func(s *scenario) { s.twice("Assertion") }, "two elements share an ID"},
		{"not decrypted", func(s *scenario) {
			s.after = sealedWith(aes256GCM).replaceAssertion
		}, "cannot be decrypted"},
		{"no Subject", func(s *scenario) { s.remove("Subject") }, "one Subject"},
		{"no NameID", func(s *scenario) { s.remove("NameID") }, "one NameID"},
		{"no pair", func(s *scenario) { s.set("Role", "x") }, ""}, // AWS's message tells
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &scenario{response: good(), params: map[string]string{}, server: newServer(t,
				ststest.Config{}), t: t}
			tt.change(s)
			f := form(s.encoded())
			for name, value := range s.params {
				f.Set(name, value)
			}
			a := post(s.server, f)
			cause := s.server.Calls()[0].Cause
			if !strings.Contains(cause, tt.cause) || tt.cause == "" && cause != "" {
				t.Errorf("cause %q, want %q (%s)", cause, tt.cause, said(a))
			}
			if tt.cause != "" && strings.Contains(a.body, tt.cause) {
				t.Errorf("the answer tells the cause: %s", a.body)
			}
			for _, secret := range []string{
				"SamlExample", "mallory", base64.StdEncoding.EncodeToString(s.document()),
			} {
				if strings.Contains(cause, secret) {
					t.Errorf("the cause has a part of the assertion: %q", cause)
				}
			}
		})
	}
}
