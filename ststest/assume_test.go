package ststest_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"

	"github.com/seed055b7978/delegation/ststest"
)

// upstream ends the messages that come from an internal service of AWS.
const upstream = " (Service: AWSOpenIdDiscoveryService; Status Code: 400; Error Code: " +
	"AuthSamlInvalidSamlResponseException; Request ID: UUID; Proxy: null)"

const (
	noAuth     = "Not authorized to perform sts:AssumeRoleWithSAML"
	badConfirm = "Responses must contain SubjectConfirmatonData with a Recipient and NotOnOrAfter"
	badBase64  = "Invalid base64 SAMLResponse" + upstream
	badSig     = "Response signature invalid" + upstream
	badIssuer  = "Issuer not present in specified provider" + upstream
	noProvider = "Specified provider doesn't exist (Service: AWSOpenIdDiscoveryService; " +
		"Status Code: 400; Error Code: AuthSamlManifestNotFoundException; Request ID: UUID; " +
		"Proxy: null)"
	badName    = "RoleSessionName in AuthnResponse must match [a-zA-Z_0-9+=,.@-]{2,64}"
	badSource  = `Source Identity must match [a-zA-Z_0-9+=,.@-]{2,64} and not begin with "aws:"`
	badPair    = "SAML Assertion doesn't contain the requested Role and Metadata in the attributes"
	noAudience = "Response does not contain the required audience."
	tooOld     = "Token must be redeemed within 5 minutes of issuance"
	expired    = "Response has expired"
	notYet     = "Response is not yet valid"
	badTagKey  = `PrincipalTag key in AuthnResponse must match [\p{L}\p{Z}\p{N}_.:/=+\-@]{1,128}`
	badTagText = `PrincipalTag value in AuthnResponse must match [\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}`
	arnPattern = `[\u0009\u000A\u000D\u0020-\u007E\u0085\u00A0-\uD7FF\uE000-\uFFFD\u10000-\u10FFFF]+`
	badSession = "SessionDuration in AuthnResponse must be an integer between 900 and 43200"
	badPolicy  = "The policy is not in the valid JSON format."
	longNameID = "NameID in AuthnResponse must not have more than 256 characters"

	unknownCondition = "Response contains a condition that is not understood"

	badPolARN = "Policy ARN is invalid: want a policy of AWS or of the role's account"
)

var uuid = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`)

// scenario is one call; the table changes one thing in it.
type scenario struct {
	*response
	params map[string]string
	server *ststest.Server
	t      *testing.T
}

func (s *scenario) param(name, value string) { s.params[name] = value }

func (s *scenario) tag(key, value string) { s.set("PrincipalTag:"+key, value) }

// remove deletes an element before the signature is made.
func (s *scenario) remove(tag string) {
	s.before = func(root *etree.Element) {
		el := find(root, tag)
		el.Parent().RemoveChild(el)
	}
}

// twice repeats an element before the signature is made.
func (s *scenario) twice(tag string) {
	s.before = func(root *etree.Element) {
		el := find(root, tag)
		el.Parent().AddChild(el.Copy())
	}
}

// attr sets an attribute before the signature is made; "" removes it.
func (s *scenario) attr(tag, name, value string) {
	s.before = func(root *etree.Element) {
		if el := find(root, tag); value == "" {
			el.RemoveAttr(name)
		} else {
			el.CreateAttr(name, value)
		}
	}
}

// condition adds a condition before the signature is made, and returns what sets
// its attributes.
func (s *scenario) condition(tag string) func(name, value string) {
	el := etree.NewElement(tag)
	s.before = func(root *etree.Element) { find(root, "Conditions").AddChild(el) }
	return func(name, value string) { el.CreateAttr(name, value) }
}

// opaque adds a value that is no text to an attribute of AWS.
func (s *scenario) opaque(name string) {
	s.before = func(root *etree.Element) {
		for _, a := range root.FindElements("//Attribute") {
			if a.SelectAttrValue("Name", "") == attributeNS+name {
				a.CreateElement("saml:AttributeValue").CreateElement("saml:NameID").SetText("jane")
				return
			}
		}
		panic("no attribute " + name)
	}
}

func TestRefusals(t *testing.T) {
	const (
		ident = "InvalidIdentityToken"
		exp   = "ExpiredTokenException"
		valid = "ValidationError"
	)
	long := strings.Repeat("x", 2050)
	tests := []struct {
		name    string
		change  func(s *scenario)
		status  int
		code    string
		message string
	}{
		{"nothing wrong", func(s *scenario) {}, 200, "", ""},

		// The request.
		{"no role ARN", func(s *scenario) { s.param("RoleArn", "-") }, 400, valid,
			"1 validation error detected: Value null at 'roleArn' failed to satisfy constraint: " +
				"Member must not be null"},
		{"empty ARNs", func(s *scenario) {
			s.param("RoleArn", "")
			s.param("PrincipalArn", "")
		}, 400, valid,
			"4 validation errors detected: Value '' at 'roleArn' failed to satisfy constraint: " +
				"Member must satisfy regular expression pattern: " + arnPattern +
				"; Value '' at 'roleArn' failed to satisfy constraint: Member must have length " +
				"greater than or equal to 20" +
				"; Value '' at 'principalArn' failed to satisfy constraint: Member must satisfy " +
				"regular expression pattern: " + arnPattern +
				"; Value '' at 'principalArn' failed to satisfy constraint: Member must have " +
				"length greater than or equal to 20"},
		{"no principal ARN", func(s *scenario) { s.param("PrincipalArn", "-") }, 400, valid,
			"1 validation error detected: Value null at 'principalArn' failed to satisfy " +
				"constraint: Member must not be null"},
		{"long role ARN", func(s *scenario) { s.param("RoleArn", long) }, 400, valid,
			"1 validation error detected: Value '" + long +
				"' at 'roleArn' failed to satisfy constraint: Member must have length less than " +
				"or equal to 2048"},
		{"no assertion", func(s *scenario) { s.param("SAMLAssertion", "-") }, 400, valid,
			"1 validation error detected: Value null at 'sAMLAssertion' failed to satisfy " +
				"constraint: Member must not be null"},
		{"short assertion", func(s *scenario) { s.param("SAMLAssertion", "abc") }, 400, valid,
			"1 validation error detected: Value at 'sAMLAssertion' failed to satisfy constraint: " +
				"Member must have length greater than or equal to 4"},
		{"long assertion", func(s *scenario) {
			s.param("SAMLAssertion", strings.Repeat("A", 100_001))
		}, 400, valid,
			"1 validation error detected: Value at 'sAMLAssertion' failed to satisfy constraint: " +
				"Member must have length less than or equal to 100000"},
		{"longest assertion is read", func(s *scenario) {
			s.param("SAMLAssertion", strings.Repeat("A", 100_000))
		}, 400, ident, badBase64},
		{"duration 899", func(s *scenario) { s.param("DurationSeconds", "899") }, 400, valid,
			"1 validation error detected: Value '899' at 'durationSeconds' failed to satisfy " +
				"constraint: Member must have value greater than or equal to 900"},
		{"duration 900", func(s *scenario) { s.param("DurationSeconds", "900") }, 200, "", ""},
		{"duration +900", func(s *scenario) { s.param("DurationSeconds", "+900") }, 200, "", ""},
		{"duration 0900", func(s *scenario) { s.param("DurationSeconds", "0900") }, 200, "", ""},
		{"duration 43201", func(s *scenario) { s.param("DurationSeconds", "43201") }, 400, valid,
			"1 validation error detected: Value '43201' at 'durationSeconds' failed to satisfy " +
				"constraint: Member must have value less than or equal to 43200"},
		{"duration over role", func(s *scenario) { s.param("DurationSeconds", "7201") }, 400, valid,
			"The requested DurationSeconds exceeds the MaxSessionDuration set for this role."},
		{"duration at role maximum", func(s *scenario) { s.param("DurationSeconds", "7200") },
			200, "", ""},
		{"duration of words", func(s *scenario) { s.param("DurationSeconds", "1h") },
			400, "MalformedInput", ""},
		{"duration empty", func(s *scenario) { s.param("DurationSeconds", "") },
			400, "MalformedInput", ""},
		{"duration over 32 bits", func(s *scenario) { s.param("DurationSeconds", "2147483648") },
			400, "MalformedInput", ""},

		// The ARNs.
		{"role ARN of a user", func(s *scenario) {
			s.param("RoleArn", "arn:aws:iam::123456789012:user/x")
		}, 400, valid, "Request ARN is invalid"},
		{"role ARN of another partition", func(s *scenario) {
			s.param("RoleArn", "arn:aws-cn:iam::123456789012:role/x")
		}, 400, valid, "Request ARN is invalid"},
		{"role ARN of no partition", func(s *scenario) {
			s.param("RoleArn", "arn:nowhere:iam::123456789012:role/x")
		}, 400, valid, "Request ARN is invalid"},
		{"role ARN and a newline", func(s *scenario) { s.param("RoleArn", roleARN+"\n") },
			400, valid, "Request ARN is invalid"},
		{"principal ARN of a role", func(s *scenario) { s.param("PrincipalArn", roleARN) },
			400, valid, "Principal ARN is invalid"},
		{"another account", func(s *scenario) {
			s.param("PrincipalArn", "arn:aws:iam::999999999999:saml-provider/MySAMLIdP")
		}, 400, valid, "Principal exists outside the account of the Role being assumed"},
		{"another partition", func(s *scenario) {
			s.param("PrincipalArn", "arn:aws-cn:iam::123456789012:saml-provider/MySAMLIdP")
		}, 400, valid, "Principal exists outside the account of the Role being assumed"},
		{"no such role, whatever the assertion", func(s *scenario) {
			s.param("RoleArn", "arn:aws:iam::123456789012:role/photo-user")
			s.param("SAMLAssertion", "garbage")
		}, 403, "AccessDenied", noAuth},
		{"role of Identity Center", func(s *scenario) {
			arn := "arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_x"
			mustRole(s.t, s.server, ststest.Role{ARN: arn, TrustPolicy: trustAll})
			s.param("RoleArn", arn)
			s.set("Role", arn+","+providerARN)
		}, 403, "AccessDenied", noAuth},
		{"no such provider", func(s *scenario) { s.param("PrincipalArn", providerARN+"2") },
			400, ident, noProvider},

		// The document.
		{"not base64", func(s *scenario) {
			s.encode = func(d []byte) string { return "***" + base64.StdEncoding.EncodeToString(d) }
		}, 400, ident, badBase64},
		{"base64url", func(s *scenario) {
			s.nameID = "~~~???>>>"
			s.encode = func(d []byte) string {
				return strings.NewReplacer("+", "-", "/", "_").
					Replace(base64.StdEncoding.EncodeToString(d)) + "_-_-"
			}
		}, 400, ident, badBase64},
		{"base64 in lines", func(s *scenario) {
			s.encode = func(d []byte) string {
				e := base64.StdEncoding.EncodeToString(d)
				return e[:76] + "\r\n" + e[76:]
			}
		}, 200, "", ""},
		{"base64 in lines of Unix", func(s *scenario) {
			s.encode = func(d []byte) string {
				return regexp.MustCompile(`.{1,64}`).
					ReplaceAllString(base64.StdEncoding.EncodeToString(d), "$0\n")
			}
		}, 200, "", ""},
		{"base64 after and before a line end", func(s *scenario) {
			s.encode = func(d []byte) string {
				return "\n" + base64.StdEncoding.EncodeToString(d) + "\r\n"
			}
		}, 200, "", ""},
		{"base64 with a blank", func(s *scenario) {
			s.encode = func(d []byte) string {
				e := base64.StdEncoding.EncodeToString(d)
				return e[:76] + " " + e[76:]
			}
		}, 400, ident, badBase64},
		{"base64 with a tab", func(s *scenario) {
			s.encode = func(d []byte) string { return base64.StdEncoding.EncodeToString(d) + "\t" }
		}, 400, ident, badBase64},
		{"base64 without padding", func(s *scenario) {
			s.encode = func(d []byte) string {
				for len(d)%3 == 0 {
					d = append(d, '\n')
				}
				return base64.RawStdEncoding.EncodeToString(d)
			}
		}, 400, ident, badBase64},
		{"line ends count for the length", func(s *scenario) {
			s.encode = func(d []byte) string {
				e := base64.StdEncoding.EncodeToString(d)
				return e + strings.Repeat("\n", 100_001-len(e))
			}
		}, 400, valid,
			"1 validation error detected: Value at 'sAMLAssertion' failed to satisfy constraint: " +
				"Member must have length less than or equal to 100000"},
		{"base64 with stray bits", func(s *scenario) {
			s.encode = func(d []byte) string {
				for len(d)%3 != 0 {
					d = append(d, '\n')
				}
				encoded, ok := strings.CutSuffix(base64.StdEncoding.EncodeToString(append(d, '\n')),
					"Cg==")
				if !ok {
					panic("not at the end of base64")
				}
				return encoded + "Ch=="
			}
		}, 400, ident, badBase64},
		{"not XML", func(s *scenario) { s.text = func(d string) string { return d[:len(d)-1] } },
			400, ident, badBase64},
		{"only the assertion", func(s *scenario) {
			s.text = func(d string) string {
				return d[strings.Index(d, "<saml:Assertion"):strings.Index(d, "</samlp:Response")]
			}
		}, 400, ident, badBase64},
		{"version 1.1 response", func(s *scenario) { s.attr("Response", "Version", "1.1") },
			400, ident, badBase64},
		{"version 1.1 assertion", func(s *scenario) { s.attr("Assertion", "Version", "1.1") },
			400, ident, badBase64},
		{"no response ID", func(s *scenario) { s.attr("Response", "ID", "") }, 400, ident,
			badBase64},
		{"no response instant", func(s *scenario) { s.attr("Response", "IssueInstant", "") },
			400, ident, badBase64},
		{"no assertion instant", func(s *scenario) { s.attr("Assertion", "IssueInstant", "") },
			400, ident, badBase64},
		{"instant with an offset", func(s *scenario) {
			s.attr("Assertion", "IssueInstant", "2026-01-02T04:04:05+01:00")
		}, 400, ident, badBase64},
		{"status of failure", func(s *scenario) {
			s.attr("StatusCode", "Value", "urn:oasis:names:tc:SAML:2.0:status:Responder")
		}, 400, ident, "Response status is not Success"},
		{"no status", func(s *scenario) { s.remove("Status") },
			400, ident, "Response status is not Success"},
		{"another issuer", func(s *scenario) { s.issuer += "/" }, 400, ident, badIssuer},
		{"issuer with a blank", func(s *scenario) { s.issuer += " " }, 400, ident, badIssuer},
		{"another issuer of the response", func(s *scenario) {
			s.before = func(root *etree.Element) {
				root.SelectElement("Issuer").SetText("https://evil.example")
			}
		}, 400, ident, badIssuer},
		{"two issuers of the response", func(s *scenario) {
			s.before = func(root *etree.Element) {
				root.InsertChildAt(0, root.SelectElement("Issuer").Copy())
			}
		}, 400, ident, badIssuer},
		{"no issuer of the assertion", func(s *scenario) {
			s.before = func(root *etree.Element) {
				a := root.SelectElement("Assertion")
				a.RemoveChild(a.SelectElement("Issuer"))
			}
		}, 400, ident, badIssuer},
		{"no issuer of the response", func(s *scenario) { s.remove("Response/Issuer") },
			200, "", ""},

		// The subject.
		{"no subject", func(s *scenario) { s.remove("Subject") }, 403, "AccessDenied", noAuth},
		{"no NameID", func(s *scenario) { s.remove("NameID") }, 403, "AccessDenied", noAuth},
		{"empty NameID", func(s *scenario) { s.nameID = "" }, 403, "AccessDenied", noAuth},
		{"two NameIDs", func(s *scenario) { s.twice("NameID") }, 403, "AccessDenied", noAuth},
		{"EncryptedID instead of a NameID", func(s *scenario) {
			s.before = func(root *etree.Element) { find(root, "NameID").Tag = "EncryptedID" }
		}, 403, "AccessDenied", noAuth},
		{"EncryptedID next to a NameID", func(s *scenario) {
			s.before = func(root *etree.Element) {
				find(root,
					"Subject").CreateElement("saml:EncryptedID")
			}
		}, 403, "AccessDenied", noAuth},
		{"BaseID next to a NameID", func(s *scenario) {
			s.before = func(root *etree.Element) {
				find(root,
					"Subject").CreateElement("saml:BaseID")
			}
		}, 403, "AccessDenied", noAuth},
		{"NameID of 256", func(s *scenario) { s.nameID = strings.Repeat("é", 256) }, 200, "", ""},
		{"NameID of 257", func(s *scenario) { s.nameID = strings.Repeat("é", 257) }, 400, ident,
			longNameID},
		{"NameID of 257 in another format", func(s *scenario) {
			s.format = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
			s.nameID = strings.Repeat("a", 257)
		}, 400, ident, longNameID},
		{"no confirmation", func(s *scenario) { s.remove("SubjectConfirmation") },
			400, ident, badConfirm},
		{"two confirmations", func(s *scenario) { s.twice("SubjectConfirmation") },
			400, ident, badConfirm},
		{"holder of key", func(s *scenario) {
			s.attr("SubjectConfirmation", "Method", "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key")
		}, 400, ident, badConfirm},
		{"no confirmation data", func(s *scenario) { s.remove("SubjectConfirmationData") },
			400, ident, badConfirm},
		{"no recipient", func(s *scenario) { s.attr("SubjectConfirmationData", "Recipient", "") },
			400, ident, badConfirm},
		{"no confirmation end", func(s *scenario) {
			s.attr("SubjectConfirmationData", "NotOnOrAfter", "")
		}, 400, ident, badConfirm},
		{"any recipient", func(s *scenario) { s.recipient = "http://localhost:7890/athena" },
			200, "", ""},

		// The instants.
		{"confirmation ends now", func(s *scenario) { s.confirmed = epoch }, 400, exp, expired},
		{"confirmation ends after now",
			func(s *scenario) { s.confirmed = epoch.Add(time.Millisecond) }, 200, "", ""},
		{"confirmation begins later", func(s *scenario) {
			s.attr("SubjectConfirmationData", "NotBefore", stamp(epoch.Add(time.Second)))
		}, 400, ident, notYet},
		{"conditions end now", func(s *scenario) { s.end = epoch }, 400, exp, expired},
		{"conditions with no end", func(s *scenario) { s.attr("Conditions", "NotOnOrAfter", "") },
			200, "", ""},
		{"conditions with a bad end", func(s *scenario) {
			s.attr("Conditions", "NotOnOrAfter", "tomorrow")
		}, 400, exp, expired},
		{"conditions begin later", func(s *scenario) { s.notBefore = epoch.Add(time.Millisecond) },
			400, ident, notYet},
		{"conditions begin now", func(s *scenario) { s.notBefore = epoch }, 200, "", ""},
		{"conditions with a bad beginning", func(s *scenario) {
			s.attr("Conditions", "NotBefore", "yesterday")
		}, 400, ident, notYet},
		{"issued five minutes ago", func(s *scenario) { s.issued = epoch.Add(-5 * time.Minute) },
			200, "", ""},
		{"issued longer ago", func(s *scenario) {
			s.issued = epoch.Add(-5*time.Minute - time.Millisecond)
		}, 400, exp, tooOld},
		{"only the response issued longer ago", func(s *scenario) {
			s.attr("Response", "IssueInstant", stamp(epoch.Add(-6*time.Minute)))
		}, 400, exp, tooOld},
		{"only the assertion issued longer ago", func(s *scenario) {
			s.attr("Assertion", "IssueInstant", stamp(epoch.Add(-6*time.Minute)))
		}, 400, exp, tooOld},
		{"issued later", func(s *scenario) { s.issued = epoch.Add(time.Millisecond) },
			400, ident, notYet},
		{"only the response issued later", func(s *scenario) {
			s.attr("Response", "IssueInstant", stamp(epoch.Add(time.Second)))
		}, 400, ident, notYet},
		{"session over", func(s *scenario) { s.sessionEnd = epoch }, 400, exp, expired},
		{"session end of words", func(s *scenario) {
			s.attr("AuthnStatement", "SessionNotOnOrAfter", "never")
		}, 400, exp, expired},

		// The audience.
		{"no conditions", func(s *scenario) { s.remove("Conditions") }, 400, ident, noAudience},
		{"no audience restriction", func(s *scenario) { s.remove("AudienceRestriction") },
			400, ident, noAudience},
		{"another audience", func(s *scenario) { s.audience = "urn:amazon:webservices:govcloud" },
			400, ident, noAudience},
		{"empty audience", func(s *scenario) { s.audience = "" }, 400, ident, noAudience},
		{"audience with a blank", func(s *scenario) { s.audience = "urn:amazon:webservices " },
			400, ident, noAudience},
		{"audience by sign-in URL",
			func(s *scenario) { s.audience = "https://signin.aws.amazon.com/saml" }, 200, "", ""},
		{"audience by old URL", func(s *scenario) {
			s.audience = "https://signin.aws.amazon.com/static/saml"
		}, 200, "", ""},
		{"audience by this region's URL", func(s *scenario) {
			s.audience = "https://us-east-1.signin.aws.amazon.com/saml"
		}, 200, "", ""},
		{"audience by another region's URL", func(s *scenario) {
			s.audience = "https://eu-west-1.signin.aws.amazon.com/saml"
		}, 400, ident, noAudience},
		{"one good audience of two", func(s *scenario) {
			s.before = func(root *etree.Element) {
				find(root, "AudienceRestriction").CreateElement("saml:Audience").
					SetText("https://else.example")
			}
		}, 200, "", ""},
		{"one good restriction of two", func(s *scenario) {
			s.before = func(root *etree.Element) {
				find(root, "Conditions").CreateElement("saml:AudienceRestriction").
					CreateElement("saml:Audience").SetText("https://else.example")
			}
		}, 400, ident, noAudience},

		// Other conditions.
		{"OneTimeUse", func(s *scenario) { s.condition("saml:OneTimeUse") }, 200, "", ""},
		{"ProxyRestriction", func(s *scenario) { s.condition("saml:ProxyRestriction") }, 200, "",
			""},
		{"a Condition of a type", func(s *scenario) {
			c := s.condition("saml:Condition")
			c("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance")
			c("xsi:type", "OnlyOnMondays")
		}, 400, ident, unknownCondition},
		{"a condition of another namespace", func(s *scenario) {
			s.condition("del:Delegate")("xmlns:del",
				"urn:oasis:names:tc:SAML:2.0:conditions:delegation")
		}, 400, ident, unknownCondition},
		{"OneTimeUse of another namespace", func(s *scenario) {
			s.condition("x:OneTimeUse")("xmlns:x", "urn:x")
		}, 400, ident, unknownCondition},
		{"a condition that SAML does not have",
			func(s *scenario) { s.condition("saml:TwoTimesUse") }, 400, ident, unknownCondition},
		{"two Conditions", func(s *scenario) { s.twice("Conditions") }, 400, ident, noAudience},

		// The attributes.
		{"no session name", func(s *scenario) { s.set("RoleSessionName") },
			400, ident, "RoleSessionName is required in AuthnResponse"},
		{"session name in another case", func(s *scenario) {
			s.attributes[1].name = "rolesessionname"
		}, 400, ident, "RoleSessionName is required in AuthnResponse"},
		{"session name inside an element", func(s *scenario) {
			s.before = func(root *etree.Element) {
				v := root.FindElements("//AttributeValue")[1]
				v.CreateElement("saml:NameID").SetText("jane")
			}
		}, 400, ident, "RoleSessionName is required in AuthnResponse"},
		{"session name next to an element", func(s *scenario) { s.opaque("RoleSessionName") }, 400,
			ident, "RoleSessionName in AuthnResponse must have exactly one value"},
		{"session duration in an element",
			func(s *scenario) { s.set("SessionDuration"); s.opaque("SessionDuration") }, 400, ident,
			badSession},
		{"source identity in an element",
			func(s *scenario) { s.set("SourceIdentity"); s.opaque("SourceIdentity") }, 400, ident,
			badSource},
		{"tag next to an element", func(s *scenario) {
			s.tag("Team",
				"a")
			s.opaque("PrincipalTag:Team")
		}, 400, ident,
			"PrincipalTag in AuthnResponse must have exactly one value"},
		{"transitive key next to an element", func(s *scenario) {
			s.tag("Team", "a")
			s.set("TransitiveTagKeys", "Team")
			s.opaque("TransitiveTagKeys")
		}, 400, ident, "The specified transitive tag key must be included in the requested tags."},
		{"two session names", func(s *scenario) { s.set("RoleSessionName", "ab", "cd") },
			400, ident, "RoleSessionName in AuthnResponse must have exactly one value"},
		{"session name of one character", func(s *scenario) { s.set("RoleSessionName", "a") },
			400, ident, badName},
		{"session name of 64",
			func(s *scenario) { s.set("RoleSessionName", strings.Repeat("a", 64)) }, 200, "", ""},
		{"session name of 65", func(s *scenario) {
			s.set("RoleSessionName", strings.Repeat("a", 65))
		}, 400, ident, badName},
		{"session name with a blank", func(s *scenario) { s.set("RoleSessionName", "jane doe") },
			400, ident, badName},
		{"session name with a newline", func(s *scenario) { s.set("RoleSessionName", "jane\n") },
			400, ident, badName},
		{"session duration 899", func(s *scenario) { s.set("SessionDuration", "899") },
			400, ident, badSession},
		{"session duration 43201", func(s *scenario) { s.set("SessionDuration", "43201") },
			400, ident, badSession},
		{"session duration twice", func(s *scenario) { s.set("SessionDuration", "900", "900") },
			400, ident, badSession},
		{"session duration of words", func(s *scenario) { s.set("SessionDuration", "PT1H") },
			400, ident, badSession},
		{"source identity of 64",
			func(s *scenario) { s.set("SourceIdentity", strings.Repeat("a", 64)) }, 200, "", ""},
		{"source identity of 65", func(s *scenario) {
			s.set("SourceIdentity", strings.Repeat("a", 65))
		}, 400, ident, badSource},
		{"source identity of 256 by option", func(s *scenario) {
			s.server = newServer(s.t, ststest.Config{MaxSourceIdentity: 256})
			s.set("SourceIdentity", strings.Repeat("a", 256))
		}, 200, "", ""},
		{"source identity of AWS", func(s *scenario) { s.set("SourceIdentity", "aws:jane") },
			400, ident, badSource},
		{"source identity of one character", func(s *scenario) { s.set("SourceIdentity", "a") },
			400, ident, badSource},
		{"source identity twice", func(s *scenario) { s.set("SourceIdentity", "ab", "cd") },
			400, ident, badSource},
		{"50 tags", func(s *scenario) {
			for i := range 50 {
				s.tag(fmt.Sprint("k", i), "")
			}
		}, 200, "", ""},
		{"51 tags", func(s *scenario) {
			for i := range 51 {
				s.tag(fmt.Sprint("k", i), "")
			}
		}, 400, ident, "AuthnResponse must not have more than 50 PrincipalTag attributes"},
		{"tag key of 128", func(s *scenario) { s.tag(strings.Repeat("é", 128), "v") }, 200, "", ""},
		{"tag key of 129", func(s *scenario) { s.tag(strings.Repeat("é", 129), "v") },
			400, ident, badTagKey},
		{"empty tag key", func(s *scenario) { s.tag("", "v") }, 400, ident, badTagKey},
		{"tag key with a comma", func(s *scenario) { s.tag("a,b", "v") }, 400, ident, badTagKey},
		{"tag key of AWS", func(s *scenario) { s.tag("AWS:x", "v") },
			400, ident, `PrincipalTag key in AuthnResponse must not begin with "aws:"`},
		{"tag value of 256", func(s *scenario) {
			s.tag("k", strings.Repeat("é", 128)+strings.Repeat("e", 128))
		},
			200, "", ""},
		{"tag value of 257", func(s *scenario) { s.tag("k", strings.Repeat("é", 257)) },
			400, ident, badTagText},
		{"tag value with a semicolon", func(s *scenario) { s.tag("k", "a;b") },
			400, ident, badTagText},
		{"tag of two values", func(s *scenario) { s.set("PrincipalTag:k", "a", "b") },
			400, ident, "PrincipalTag in AuthnResponse must have exactly one value"},
		{"tag of no value", func(s *scenario) { s.set("PrincipalTag:k") },
			400, ident, "PrincipalTag in AuthnResponse must have exactly one value"},
		{"tag keys that differ in case", func(s *scenario) {
			s.tag("Team", "a")
			s.tag("team", "a")
		}, 400, ident, "Duplicate tag keys found. Please note that Tag keys are case insensitive."},
		{"transitive key of a tag", func(s *scenario) {
			s.tag("Team", "a")
			s.set("TransitiveTagKeys", "Team")
		}, 200, "", ""},
		{"transitive key of no tag", func(s *scenario) {
			s.tag("Team", "a")
			s.set("TransitiveTagKeys", "Team", "Unit")
		}, 400, ident, "The specified transitive tag key must be included in the requested tags."},

		// The pair.
		{"pair reversed", func(s *scenario) { s.set("Role", providerARN+","+roleARN) },
			200, "", ""},
		{"pair among others", func(s *scenario) { s.set("Role", "x", roleARN+","+providerARN) },
			200, "", ""},
		{"pair with a blank after the comma", func(s *scenario) {
			s.set("Role",
				roleARN+", "+providerARN)
		}, 200, "", ""},
		{"pair reversed with a blank after the comma", func(s *scenario) {
			s.set("Role",
				providerARN+", "+roleARN)
		}, 200, "", ""},
		{"pair with two blanks after the comma", func(s *scenario) {
			s.set("Role",
				roleARN+",  "+providerARN)
		}, 200, "", ""},
		{"pair with a comma at the end", func(s *scenario) {
			s.set("Role",
				roleARN+","+providerARN+",")
		}, 200, "", ""},
		{"pair reversed with a comma at the end", func(s *scenario) {
			s.set("Role",
				providerARN+","+roleARN+",")
		}, 200, "", ""},
		{"pair with a blank and a comma at the end", func(s *scenario) {
			s.set("Role",
				roleARN+", "+providerARN+",")
		}, 200, "", ""},
		{"pair with a blank before the comma", func(s *scenario) {
			s.set("Role",
				roleARN+" ,"+providerARN)
		}, 400, ident, badPair},
		{"pair with a tab after the comma", func(s *scenario) {
			s.set("Role",
				roleARN+",\t"+providerARN)
		}, 400, ident, badPair},
		{"pair with a newline after the comma", func(s *scenario) {
			s.set("Role",
				roleARN+",\n"+providerARN)
		}, 400, ident, badPair},
		{"pair with a no-break space after the comma", func(s *scenario) {
			s.set("Role",
				roleARN+",\u00a0"+providerARN)
		}, 400, ident, badPair},
		{"pair after a blank", func(s *scenario) { s.set("Role", " "+roleARN+","+providerARN) },
			400, ident, badPair},
		{"pair before a blank", func(s *scenario) { s.set("Role", roleARN+","+providerARN+" ") },
			400, ident, badPair},
		{"pair before a blank and a comma", func(s *scenario) {
			s.set("Role",
				roleARN+","+providerARN+" ,")
		}, 400, ident, badPair},
		{"pair before a comma and a blank", func(s *scenario) {
			s.set("Role",
				roleARN+","+providerARN+", ")
		}, 400, ident, badPair},
		{"pair with two commas at the end", func(s *scenario) {
			s.set("Role",
				roleARN+","+providerARN+",,")
		}, 400, ident, badPair},
		{"pair with two commas", func(s *scenario) { s.set("Role", roleARN+",,"+providerARN) }, 400,
			ident, badPair},
		{"pair after a comma", func(s *scenario) { s.set("Role", ","+roleARN+","+providerARN) },
			400, ident, badPair},
		{"pair and a third", func(s *scenario) { s.set("Role", roleARN+","+providerARN+",x") }, 400,
			ident, badPair},
		{"pair with another separator", func(s *scenario) {
			s.set("Role",
				roleARN+" "+providerARN)
		}, 400, ident, badPair},
		{"only the role", func(s *scenario) { s.set("Role", roleARN+",") }, 400, ident, badPair},
		{"twice the role", func(s *scenario) { s.set("Role", roleARN+","+roleARN) }, 400, ident,
			badPair},
		{"twice the provider", func(s *scenario) { s.set("Role", providerARN+","+providerARN) },
			400, ident, badPair},
		{"pair of another role", func(s *scenario) { s.set("Role", roleARN+"2,"+providerARN) },
			400, ident, badPair},
		{"role and provider of two pairs", func(s *scenario) {
			s.set("Role", roleARN+",x", "x,"+providerARN)
		}, 400, ident, badPair},
		{"no pair", func(s *scenario) { s.set("Role") }, 400, ident, badPair},

		// The session policies.
		{"policy", func(s *scenario) { s.param("Policy", `{"Statement": []}`) }, 200, "", ""},
		{"policy that is no JSON", func(s *scenario) { s.param("Policy", `{"Statement": [}`) },
			400, "MalformedPolicyDocument", badPolicy},
		{"policy that is a list", func(s *scenario) { s.param("Policy", `[]`) },
			400, "MalformedPolicyDocument", badPolicy},
		{"policy that is null", func(s *scenario) { s.param("Policy", `null`) },
			400, "MalformedPolicyDocument", badPolicy},
		{"empty policy", func(s *scenario) { s.param("Policy", "") }, 400, valid,
			`2 validation errors detected: Value '' at 'policy' failed to satisfy constraint: Member must satisfy regular expression pattern: [\u0009\u000A\u000D\u0020-\u00FF]+; Value '' at 'policy' failed to satisfy constraint: Member must have length greater than or equal to 1`},
		{"policy with Greek", func(s *scenario) { s.param("Policy", `{"Sid":"Ω"}`) }, 400, valid,
			`1 validation error detected: Value '{"Sid":"Ω"}' at 'policy' failed to satisfy constraint: Member must satisfy regular expression pattern: [\u0009\u000A\u000D\u0020-\u00FF]+`},
		{"policy of 2048", func(s *scenario) {
			s.param("Policy", `{"Id":"`+strings.Repeat("é", 2039)+`"}`)
		}, 200, "", ""},
		{"policy of 2049", func(s *scenario) {
			s.param("Policy", `{`+strings.Repeat(" ", 2047)+`}`)
		}, 400, valid,
			"1 validation error detected: Value '{" + strings.Repeat(" ", 2047) +
				"}' at 'policy' failed to satisfy constraint: Member must have length less than " +
				"or equal to 2048"},
		{"policy ARNs", func(s *scenario) {
			s.param("PolicyArns.member.1.arn", "arn:aws:iam::aws:policy/ReadOnlyAccess")
			s.param("PolicyArns.member.2.arn", "arn:aws:iam::123456789012:policy/app/mine")
		}, 200, "", ""},
		{"policy ARN of another account", func(s *scenario) {
			s.param("PolicyArns.member.1.arn", "arn:aws:iam::999999999999:policy/x")
		}, 400, valid, badPolARN},
		{"policy ARN of another partition", func(s *scenario) {
			s.param("PolicyArns.member.1.arn", "arn:aws-cn:iam::aws:policy/x")
		}, 400, valid, badPolARN},
		{"policy ARN of a role", func(s *scenario) { s.param("PolicyArns.member.1.arn", roleARN) },
			400, valid, badPolARN},
		{"short policy ARN", func(s *scenario) { s.param("PolicyArns.member.1.arn", "arn:aws") },
			400, valid,
			"1 validation error detected: Value 'arn:aws' at 'policyArns.1.member.arn' failed to " +
				"satisfy constraint: Member must have length greater than or equal to 20"},
		{"11 policy ARNs", func(s *scenario) {
			for i := range 11 {
				s.param(fmt.Sprintf("PolicyArns.member.%d.arn", i+1), "arn:aws:iam::aws:policy/p")
			}
		}, 400, valid,
			"1 validation error detected: Value at 'policyArns' failed to satisfy constraint: " +
				"Member must have length less than or equal to 10"},
		{"policy and ARNs over 2048", func(s *scenario) {
			s.param("Policy", `{"Id":"`+strings.Repeat("x", 2030)+`"}`)
			s.param("PolicyArns.member.1.arn", "arn:aws:iam::aws:policy/ReadOnlyAccess")
		}, 400, "PackedPolicyTooLarge",
			"Packed size of session policy consumes 102% of allotted space."},
		{"tags over the packed space", func(s *scenario) {
			s.tag("k1", strings.Repeat("v", 230))
			s.tag("k2", strings.Repeat("v", 226))
		}, 400, "PackedPolicyTooLarge",
			"Packed size of session tags consumes 101% of allotted space."},
		{"tags that fill the packed space", func(s *scenario) {
			s.tag("k1", strings.Repeat("v", 230))
			s.tag("k2", strings.Repeat("v", 221))
		}, 200, "", ""},
		{"tags and policy over the packed space", func(s *scenario) {
			s.tag("k1", strings.Repeat("v", 230))
			s.tag("k2", strings.Repeat("v", 221))
			s.param("Policy", `{"Version": "2012-10-17"}`)
		}, 400, "PackedPolicyTooLarge",
			"Packed size of session tags and session policy consumes 102% of allotted space."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &scenario{
				response: good(),
				params:   map[string]string{},
				server:   newServer(t, ststest.Config{}),
				t:        t,
			}
			tt.change(s)
			f := form(s.encoded())
			for name, value := range s.params {
				if f.Set(name, value); value == "-" {
					f.Del(name)
				}
			}
			a := post(s.server, f)
			got := uuid.ReplaceAllString(a.Message, "UUID")
			if a.status != tt.status || a.Code != tt.code || got != tt.message {
				t.Errorf("got  %d %s %q\nwant %d %s %q", a.status, a.Code, got, tt.status,
					tt.code, tt.message)
			}
			calls := s.server.Calls()
			if len(calls) != 1 || calls[0].Code != tt.code || calls[0].Status != tt.status ||
				calls[0].RequestID != a.header.Get("X-Amzn-Requestid") {
				t.Errorf("calls: %+v", calls)
			}
		})
	}
}

// twoStatements gives a response two AuthnStatements with their ends.
func twoStatements(first, second time.Duration) func(r *response) {
	return func(r *response) {
		r.sessionEnd = epoch.Add(first)
		r.before = func(root *etree.Element) {
			statement := find(root, "AuthnStatement").Copy()
			statement.CreateAttr("SessionNotOnOrAfter", stamp(epoch.Add(second)))
			find(root, "Assertion").AddChild(statement)
		}
	}
}

func TestSessionLength(t *testing.T) {
	tests := []struct {
		name     string
		duration string
		change   func(r *response)
		want     time.Duration
	}{
		{"an hour by default", "", func(r *response) {}, time.Hour},
		{"as asked", "7200", func(r *response) {}, 2 * time.Hour},
		{"until SessionNotOnOrAfter", "7200",
			func(r *response) { r.sessionEnd = epoch.Add(10 * time.Minute) }, 10 * time.Minute},
		{"not until SessionNotOnOrAfter", "900",
			func(r *response) { r.sessionEnd = epoch.Add(time.Hour) }, 15 * time.Minute},
		{"not shortened by SessionDuration", "", func(r *response) {
			r.set("SessionDuration",
				"900")
		}, time.Hour},
		{"not shortened by SessionDuration when asked", "3600",
			func(r *response) { r.set("SessionDuration", "900") }, time.Hour},
		{"until SessionNotOnOrAfter whatever SessionDuration", "", func(r *response) {
			r.set("SessionDuration", "900")
			r.sessionEnd = epoch.Add(30 * time.Minute)
		}, 30 * time.Minute},
		{"not lengthened by SessionDuration", "",
			func(r *response) { r.set("SessionDuration", "7200") }, time.Hour},
		{"the second of two statements to end first", "",
			twoStatements(40*time.Minute, 30*time.Minute), 30 * time.Minute},
		{"the first of two statements to end first", "",
			twoStatements(30*time.Minute, 40*time.Minute), 30 * time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := good()
			tt.change(r)
			f := form(r.encoded())
			if tt.duration != "" {
				f.Set("DurationSeconds", tt.duration)
			}
			a := post(newServer(t, ststest.Config{}), f)
			want := epoch.Add(tt.want).Truncate(time.Second).Format(time.RFC3339)
			if a.Expiration != want {
				t.Errorf("expires %s, want %s (%s)", a.Expiration, want, a.Message)
			}
		})
	}
}

func TestAnswer(t *testing.T) {
	s := newServer(t, ststest.Config{})
	call := func(change func(r *response)) answer {
		t.Helper()
		r := good()
		change(r)
		a := post(s, form(r.encoded()))
		if a.status != 200 {
			t.Fatalf("%d %s %s", a.status, a.Code, a.Message)
		}
		return a
	}
	a := call(func(r *response) { r.recipient = "http://localhost:7890/athena" })
	check := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s is %q, want %q", what, got, want)
		}
	}
	// The vector of the AWS STS API Reference.
	check("NameQualifier", a.Qualifier, "1uAJanUnBc2XeUkHURMht+xam2c=")
	check("Audience", a.Audience, "http://localhost:7890/athena")
	check("ARN", a.ARN, "arn:aws:sts::123456789012:assumed-role/photo-user/jane@example.com")
	check("PackedPolicySize", a.Packed, "")
	check("SourceIdentity", a.Source, "")
	check("Type", a.Type, "persistent")
	if !regexp.MustCompile(`^ASIA[A-Z2-7]{16}$`).MatchString(a.Key) || len(a.Secret) != 40 {
		t.Errorf("credentials %q, %d characters", a.Key, len(a.Secret))
	}
	if !regexp.MustCompile(`^AROA[A-Z2-7]{17}:jane@example.com$`).MatchString(a.RoleID) {
		t.Errorf("role ID %q", a.RoleID)
	}
	again := call(func(r *response) {})
	check("role ID", again.RoleID, a.RoleID)
	if again.Key == a.Key {
		t.Error("the same credentials twice")
	}

	a = call(func(r *response) {
		r.format = "urn:oasis:names:tc:SAML:2.0:nameid-format:kerberos"
		r.set("PrincipalTag:Team", "a").set("SourceIdentity", "jane")
	})
	check("Type", a.Type, "kerberos")
	check("PackedPolicySize", a.Packed, "2")
	check("SourceIdentity", a.Source, "jane")
	a = call(func(r *response) {
		r.format = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
	})
	check("Type", a.Type, "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress")
	a = call(func(r *response) { r.format = "" })
	check("Type", a.Type, "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified")
}

func TestCallsSayWhatWasAskedAndNoSecret(t *testing.T) {
	s := newServer(t, ststest.Config{})
	r := good().set("PrincipalTag:Team", "blue").set("TransitiveTagKeys", "Team").
		set("SourceIdentity", "jane")
	f := form(r.encoded())
	f.Set("DurationSeconds", "900")
	f.Set("Policy", "{}")
	f.Set("PolicyArns.member.1.arn", "arn:aws:iam::aws:policy/ReadOnlyAccess")
	a := post(s.Region("eu-west-1"), f)
	calls := s.Calls()
	want := ststest.Call{
		Time: epoch, Action: "AssumeRoleWithSAML", Region: "eu-west-1",
		RequestID: a.header.Get("X-Amzn-Requestid"), Status: 200,
		RoleARN: roleARN, PrincipalARN: providerARN, Duration: 15 * time.Minute, Policy: "{}",
		PolicyARNs:  []string{"arn:aws:iam::aws:policy/ReadOnlyAccess"},
		AssertionID: "_a", Subject: "SamlExample", SessionName: "jane@example.com",
		SourceIdentity: "jane",
		PrincipalTags:  map[string]string{"Team": "blue"}, TransitiveTagKeys: []string{"Team"},
		AccessKeyID: a.Key,
	}
	if len(calls) != 1 || fmt.Sprint(calls[0]) != fmt.Sprint(want) {
		t.Errorf("got  %+v\nwant %+v", calls, want)
	}
	if strings.Contains(fmt.Sprint(calls), a.Secret) ||
		strings.Contains(fmt.Sprint(calls), f.Get("SAMLAssertion")) {
		t.Error("a secret in the calls")
	}
	// The caller's copy is its own.
	calls[0].PrincipalTags["Team"], calls[0].PolicyARNs[0] = "red", "x"
	if got := s.Calls()[0]; got.PrincipalTags["Team"] != "blue" || got.PolicyARNs[0] == "x" {
		t.Error("Calls hands out its own state")
	}
	// Nothing of an assertion that nobody signed.
	r.signer = otherKey()
	post(s, form(r.encoded()))
	if c := s.Calls()[1]; c.Subject != "" || c.SessionName != "" || c.AssertionID != "" {
		t.Errorf("recorded from a forged assertion: %+v", c)
	}
}

func TestCallsAreBounded(t *testing.T) {
	s := ststest.New(ststest.Config{})
	for i := range 10_002 {
		r, _ := http.NewRequest("GET", fmt.Sprintf("/?Action=A%d", i), http.NoBody)
		do(s, r)
	}
	calls := s.Calls()
	if len(calls) != 10_000 || calls[0].Action != "A2" || calls[9_999].Action != "A10001" {
		t.Errorf("%d calls, %s to %s", len(calls), calls[0].Action, calls[len(calls)-1].Action)
	}
}

func TestAudiences(t *testing.T) {
	tests := []struct {
		region, audience string
		status           int
	}{
		{"eu-west-1", "urn:amazon:webservices", 200},
		{"eu-west-1", "https://eu-west-1.signin.aws.amazon.com/saml", 200},
		{"us-gov-west-1", "urn:amazon:webservices:govcloud", 200},
		{"us-gov-west-1", "https://signin.amazonaws-us-gov.com/saml", 200},
		{"us-gov-east-1", "https://us-gov-east-1.signin.amazonaws-us-gov.com/saml", 200},
		{"us-gov-west-1", "urn:amazon:webservices", 400},
		{"us-gov-west-1", "https://signin.amazonaws-us-gov.com/static/saml", 400},
		{"cn-north-1", "urn:amazon:webservices:cn-north-1", 200},
		{"cn-northwest-1", "urn:amazon:webservices:cn-north-1", 200},
		{"cn-north-1", "https://signin.amazonaws.cn/saml", 200},
		{"cn-north-1", "urn:amazon:webservices", 400},
		{"eusc-de-east-1", "https://eusc-de-east-1.signin.amazonaws-eusc.eu/saml", 200},
		{"eusc-de-east-1", "https://signin.amazonaws-eusc.eu/saml", 400},
		{"us-iso-east-1", "https://us-iso-east-1.signin.c2shome.ic.gov/saml", 200},
		{"us-isob-east-1", "https://us-isob-east-1.signin.sc2shome.sgov.gov/saml", 200},
		{"eu-isoe-west-1", "https://eu-isoe-west-1.signin.csphome.adc-e.uk/saml", 200},
		{"us-isof-south-1", "https://us-isof-south-1.signin.csphome.hci.ic.gov/saml", 200},
	}
	names := map[string]string{
		"eu-w": "aws", "us-g": "aws-us-gov", "cn-n": "aws-cn", "eusc": "aws-eusc",
		"us-iso-": "aws-iso", "us-isob": "aws-iso-b", "eu-isoe": "aws-iso-e",
		"us-isof": "aws-iso-f",
	}
	for _, tt := range tests {
		t.Run(tt.region+" "+tt.audience, func(t *testing.T) {
			name := names[tt.region[:4]]
			if name == "" {
				name = names[tt.region[:7]]
			}
			in := func(s string) string {
				return strings.ReplaceAll(s, "arn:aws:", "arn:"+name+":")
			}
			s := newServer(t, ststest.Config{})
			mustPut(t, s, in(providerARN), metadataFor(issuer, goodKey().cert))
			mustRole(t, s, ststest.Role{ARN: in(roleARN), TrustPolicy: in(trustAll)})
			r := good().set("Role", in(roleARN+","+providerARN))
			r.audience = tt.audience
			f := form(r.encoded())
			f.Set("RoleArn", in(roleARN))
			f.Set("PrincipalArn", in(providerARN))
			if a := post(s.Region(tt.region), f); a.status != tt.status {
				t.Errorf("%d %s %s, want %d", a.status, a.Code, a.Message, tt.status)
			} else if a.status == 200 &&
				a.ARN != "arn:"+name+":sts::123456789012:assumed-role/photo-user/jane@example.com" {
				t.Errorf("ARN %s", a.ARN)
			}
		})
	}
}

func TestProvidersAndRolesAreReplaced(t *testing.T) {
	s := newServer(t, ststest.Config{})
	r := good()
	r.signer = otherKey()
	if a := post(s, form(r.encoded())); a.Code != "InvalidIdentityToken" {
		t.Errorf("before the rotation: %d %s", a.status, a.Code)
	}
	mustPut(t, s, providerARN, metadataFor(issuer, goodKey().cert, otherKey().cert))
	for _, key := range []keyPair{goodKey(), otherKey()} {
		r.signer = key
		if a := post(s, form(r.encoded())); a.status != 200 {
			t.Errorf("during the rotation: %s", a.Message)
		}
	}
	mustPut(t, s, providerARN, metadataFor(issuer, otherKey().cert))
	if a := post(s, form(good().encoded())); a.Code != "InvalidIdentityToken" {
		t.Errorf("after the rotation: %d %s", a.status, a.Code)
	}
	mustRole(t, s,
		ststest.Role{ARN: roleARN, TrustPolicy: strings.Replace(trustAll, "Allow", "Deny", 1)})
	if a := post(s, form(r.encoded())); a.Code != "AccessDenied" {
		t.Errorf("after the role changed: %d %s", a.status, a.Code)
	}
}
