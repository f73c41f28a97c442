package awslive

import (
	"fmt"
	"strings"
	"time"

	dsig "github.com/russellhaering/goxmldsig"
)

// setUp is what a run needs in the account. The script makes it.
type setUp struct {
	account, partition, region string

	provider, role string // ARNs; the role trusts the provider for everything
	// ecdsaProvider and ecdsaRole are of a provider whose key is on P-256. Empty: IAM has refused
	// its metadata.
	ecdsaProvider, ecdsaRole string
	// claimRoles are roles whose trust policies want the value of one condition key, by the key.
	claimRoles map[string]string

	entityID   string
	rsa, ecdsa keyPair
	other      keyPair // which no provider has
}

// primarySID is the claim of Active Directory whose condition key is documented twice.
const primarySID = "http://schemas.microsoft.com/ws/2008/06/identity/claims/primarygroupsid"

// sidValue is what the trust policies of claimRoles want.
const sidValue = "S-1-5-32-544"

// probe is one call that answers a part of a question.
type probe struct {
	question int // of questions
	name     string
	change   func(*response)
	// role and provider are those that are asked for; empty: those of the set-up.
	role, provider string
}

// questions are those that no source settles: reference and README have the numbers.
var questions = []string{
	1: "Which signature algorithms does STS accept? Is a signed response enough?",
	2: "Which IssueInstant starts the five minutes, and how far ahead may a clock be?",
	3: "What if there is no AudienceRestriction?",
	4: "Which audience, recipient and attribute names does this partition take?",
	5: "In which order does STS check?",
	6: "What is SubjectType for other formats of NameID?",
	7: "How long may a source identity be?",
	8: "Which condition key has the claim primarygroupsid?",
}

// control is a response that AWS accepts, if the set-up is right.
func (s setUp) control(now time.Time) *response {
	return &response{
		issuer:          s.entityID,
		recipient:       s.signIn() + "/saml",
		audiences:       []string{s.audience()},
		nameID:          "awslive",
		format:          persistent,
		responseIssued:  now,
		assertionIssued: now,
		notBefore:       now.Add(-time.Minute),
		end:             now.Add(5 * time.Minute),
		attributes: []attribute{
			{"Role", []string{s.role + "," + s.provider}},
			{"RoleSessionName", []string{"awslive"}},
		},
		key:            s.rsa,
		method:         dsig.RSASHA256SignatureMethod,
		signsAssertion: true,
	}
}

// signIn is the sign-in address of the partition, as far as AWS publishes one.
func (s setUp) signIn() string {
	switch s.partition {
	case "aws-cn":
		return "https://signin.amazonaws.cn"
	case "aws-us-gov":
		return "https://signin.amazonaws-us-gov.com"
	case "aws-eusc":
		return "https://" + s.region + ".signin.amazonaws-eusc.eu"
	}
	return "https://signin.aws.amazon.com"
}

// audience is the one that AWS documents for the partition, or else the recipient.
func (s setUp) audience() string {
	switch s.partition {
	case "aws":
		return "urn:amazon:webservices"
	case "aws-us-gov":
		return "urn:amazon:webservices:govcloud"
	case "aws-cn":
		return "urn:amazon:webservices:cn-north-1"
	}
	return s.signIn() + "/saml"
}

// probes are all calls, in the order of the questions.
func (s setUp) probes() []probe {
	list := s.signatureProbes()
	list = append(list, timeProbes()...)
	list = append(list, s.addressProbes()...)
	list = append(list, s.orderProbes()...)
	list = append(list, subjectProbes()...)
	return append(list, s.claimProbes()...)
}

func (s setUp) signatureProbes() (list []probe) {
	add := func(name, method string, change func(*response)) {
		list = append(list, probe{question: 1, name: name, change: func(r *response) {
			r.method = method
			if change != nil {
				change(r)
			}
		}})
	}
	add("RSA-SHA1", dsig.RSASHA1SignatureMethod, nil)
	add("RSA-SHA384", dsig.RSASHA384SignatureMethod, nil)
	add("RSA-SHA512", dsig.RSASHA512SignatureMethod, nil)
	add("only the response is signed", dsig.RSASHA256SignatureMethod, func(r *response) {
		r.signsAssertion = false
		r.signsResponse = true
	})
	add("both are signed", dsig.RSASHA256SignatureMethod, func(r *response) {
		r.signsResponse = true
	})
	if s.ecdsaProvider == "" {
		return list
	}
	ecdsa := func(name, method string) {
		list = append(list, probe{
			question: 1, name: name, role: s.ecdsaRole, provider: s.ecdsaProvider,
			change: func(r *response) {
				r.key = s.ecdsa
				r.method = method
				r.set("Role", s.ecdsaRole+","+s.ecdsaProvider)
			},
		})
	}
	ecdsa("ECDSA-SHA256 on P-256", dsig.ECDSASHA256SignatureMethod)
	ecdsa("ECDSA-SHA512 on P-256", dsig.ECDSASHA512SignatureMethod)
	return list
}

func timeProbes() (list []probe) {
	add := func(name string, change func(*response)) {
		list = append(list, probe{question: 2, name: name, change: change})
	}
	const old = -10 * time.Minute
	add("only the response was issued 10 minutes ago", func(r *response) {
		r.responseIssued = r.responseIssued.Add(old)
	})
	add("only the assertion was issued 10 minutes ago", func(r *response) {
		r.assertionIssued = r.assertionIssued.Add(old)
	})
	for _, ahead := range []time.Duration{
		30 * time.Second, time.Minute, 3 * time.Minute, 5 * time.Minute, 10 * time.Minute,
	} {
		add(fmt.Sprintf("issued %s from now, NotBefore in the past", ahead), func(r *response) {
			r.responseIssued = r.responseIssued.Add(ahead)
			r.assertionIssued = r.assertionIssued.Add(ahead)
			r.end = r.end.Add(ahead)
		})
		add(fmt.Sprintf("issued now, NotBefore %s from now", ahead), func(r *response) {
			r.notBefore = r.assertionIssued.Add(ahead)
			r.end = r.end.Add(ahead)
		})
	}
	return list
}

// addressProbes are of the questions 3 and 4. The last can be settled for the partition of the
// account only.
func (s setUp) addressProbes() []probe {
	audience := func(question int, name string, values ...string) probe {
		return probe{question: question, name: name, change: func(r *response) {
			r.audiences = values
		}}
	}
	signIn := s.signIn()
	regional := strings.Replace(signIn, "https://signin.", "https://"+s.region+".signin.", 1)
	list := []probe{
		audience(3, "no AudienceRestriction"),
		audience(3, "another audience", "urn:example.com"),
	}
	for _, value := range []string{
		"urn:amazon:webservices", "urn:amazon:webservices:govcloud",
		"urn:amazon:webservices:cn-north-1",
		signIn + "/saml", regional + "/saml", signIn + "/static/saml",
	} {
		list = append(list, audience(4, "audience "+value, value))
	}
	for _, value := range []string{regional + "/saml", signIn + "/saml/acs/" + "AWSLIVE"} {
		list = append(list, probe{question: 4, name: "recipient " + value,
			change: func(r *response) { r.recipient = value }})
	}
	return append(list, probe{question: 4, name: "attributes of http://www.amazonaws.cn/",
		change: func(r *response) {
			for i := range r.attributes {
				r.attributes[i].name = "http://www.amazonaws.cn/SAML/Attributes/" +
					r.attributes[i].name
			}
		}})
}

// orderProbes have two mistakes each. The answer is about the one that is checked first.
func (s setUp) orderProbes() (list []probe) {
	mistakes := []struct {
		name   string
		change func(*response)
	}{
		{"another issuer", func(r *response) { r.issuer = "urn:other.example.com" }},
		{"a wrong signature", func(r *response) { r.spoilt = true }},
		{"a key that no provider has", func(r *response) { r.key = s.other }},
		{"expired", func(r *response) { r.end = r.notBefore }},
		{"another audience", func(r *response) { r.audiences = []string{"urn:example.com"} }},
		{"no pair of role and provider", func(r *response) { r.set("Role", "none,none") }},
		{"a bad session name", func(r *response) { r.set("RoleSessionName", "a b") }},
	}
	for i, first := range mistakes {
		for _, second := range mistakes[i+1:] {
			list = append(list, probe{
				question: 5,
				name:     first.name + ", and " + second.name,
				change: func(r *response) {
					first.change(r)
					second.change(r)
				},
			})
		}
		list = append(list, probe{
			question: 5,
			name:     "no such role, and " + first.name,
			role:     s.role + "-none",
			change:   first.change,
		})
	}
	return list
}

func subjectProbes() (list []probe) {
	for _, format := range []string{
		"urn:oasis:names:tc:SAML:2.0:nameid-format:transient",
		"urn:oasis:names:tc:SAML:2.0:nameid-format:kerberos",
		"urn:oasis:names:tc:SAML:2.0:nameid-format:entity",
		"urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress",
		"urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified",
		"urn:oasis:names:tc:SAML:1.1:nameid-format:X509SubjectName",
		"urn:oasis:names:tc:SAML:1.1:nameid-format:WindowsDomainQualifiedName",
		"urn:example.com:format",
	} {
		list = append(list, probe{question: 6, name: format,
			change: func(r *response) { r.format = format }})
	}
	for _, length := range []int{64, 65, 256, 257} {
		list = append(list, probe{
			question: 7,
			name:     fmt.Sprintf("a source identity of %d characters", length),
			change: func(r *response) {
				r.set("SourceIdentity", strings.Repeat("a", length))
			},
		})
	}
	return list
}

// claimProbes ask for roles that want the claim under one key each.
func (s setUp) claimProbes() (list []probe) {
	for _, key := range []string{"saml:uid", "saml:primaryGroupSID"} {
		role := s.claimRoles[key]
		if role == "" {
			continue // IAM has refused its trust policy
		}
		list = append(list, probe{
			question: 8,
			name:     "the trust policy wants it as " + key,
			role:     role,
			change: func(r *response) {
				r.set("Role", role+","+s.provider)
				r.set(primarySID, sidValue)
			},
		})
	}
	return list
}
