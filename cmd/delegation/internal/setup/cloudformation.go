package setup

import (
	"fmt"
	"strconv"
	"strings"
)

// maxTemplateBody is the largest template that CloudFormation takes from a file, in bytes. Larger
// ones go through S3.
const maxTemplateBody = 51_200

// CloudFormation writes the template of a part: YAML, in which every text from outside is in double
// quotes with ASCII in them, so that readers of YAML 1.1 and 1.2 agree on it. The template has no
// Fn::Sub, so ${saml:sub} stays as it is. The same set-up always gives the same text.
func (s *Resources) CloudFormation(part Part) (string, error) {
	write := s.providerTemplate
	if part == RolePart {
		write = s.roleTemplate
	}
	template, err := write()
	if err != nil {
		return "", err
	}
	if len(s.Origins) > 0 {
		err := s.corsByHand("CloudFormation gives CORS only to a bucket that it makes itself")
		if err != nil {
			return "", err
		}
	}
	if len(template) > maxTemplateBody {
		s.Notes = append(s.Notes, fmt.Sprintf("the template has %d bytes, and CloudFormation "+
			"takes %d from a file: deploy it with --s3-bucket", len(template), maxTemplateBody))
	}
	return template, nil
}

// providerTemplate writes the template of the SAML provider. It exports the values to which roles
// refer.
func (s *Resources) providerTemplate() (string, error) {
	if err := refuseIntrinsic(s.Metadata, false); err != nil {
		return "", err
	}
	name := s.ProviderName()
	var b strings.Builder
	fmt.Fprintf(&b, `# The SAML provider %s, once for all targets that use it:
#   aws cloudformation deploy --stack-name %s --template-file FILE
# For each step of a key rollover write this file again and deploy it. An old file would put old
# certificates back:
#   delegation cloudformation --part provider --target NAME --out FILE --replace
AWSTemplateFormatVersion: "2010-09-09"
Description: SAML provider of delegation
%sResources:
  Provider:
    Type: AWS::IAM::SAMLProvider
    DeletionPolicy: Retain # without it no target works
    UpdateReplacePolicy: Retain
    Properties:
      Name: %s
      SamlMetadataDocument: %s
      Tags: %s
Outputs:
%s%s`,
		inQuotes(name), s.StackName(ProviderPart), s.rules(), inQuotes(name),
		Literal(s.Metadata, "        "), inLine(tagList(providerTags())),
		output("Principal", aboutPrincipal, getAtt("Provider", "Arn"), exported("principal")),
		output("SamlProviderUUID", aboutUUID, getAtt("Provider", "SamlProviderUUID"),
			exported("uuid")))
	return b.String(), nil
}

// roleTemplate writes the template of the role.
func (s *Resources) roleTemplate() (string, error) {
	trust, err := parseObject(s.Trust)
	if err != nil {
		return "", err
	}
	texts := []any{trust, s.Target}
	var permissions object
	if s.Permissions != "" {
		if permissions, err = parseObject(s.Permissions); err != nil {
			return "", err
		}
		texts = append(texts, permissions)
	}
	if err := walk(texts, refuseIntrinsic); err != nil {
		return "", err
	}
	folder, name := s.RolePath()
	var b strings.Builder
	fmt.Fprintf(&b, `# The role of the target %s:
#   aws cloudformation deploy --stack-name %s --template-file FILE \
#     --capabilities CAPABILITY_NAMED_IAM
AWSTemplateFormatVersion: "2010-09-09"
Description: Role of a target of delegation
%s%sResources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      RoleName: %s
      Path: %s
      MaxSessionDuration: %d # seconds
      AssumeRolePolicyDocument:
        %s
`,
		inQuotes(s.Target), s.StackName(RolePart), s.parameter(), s.rules(),
		inQuotes(name), inQuotes(folder), int(s.MaxSession.Seconds()),
		flow(s.trustByReference(trust), "        "))
	if s.Permissions != "" {
		fmt.Fprintf(&b, "      Policies:\n        - PolicyName: delegation\n          "+
			"PolicyDocument:\n            %s\n", flow(permissions, "            "))
	}
	fmt.Fprintf(&b, "      Tags: %s\nOutputs:\n%s", inLine(tagList(s.roleTags())),
		output("Role", aboutRole, getAtt("Role", "Arn"), ""))
	return b.String(), nil
}

// Names of the role template's parameters. A template has one of them, which names the trusted SAML
// provider.
const (
	stackParameter    = "ProviderStack"
	providerParameter = "ProviderArn"
)

// parameter writes the template's parameter. Its default is usually right. It can be changed for a
// stack with another name, or for another SAML provider of the account.
func (s *Resources) parameter() string {
	if s.ExistingProvider {
		return fmt.Sprintf(`Parameters:
  %s:
    Type: String
    Description: ARN of the SAML provider, which is there already
    Default: %s
    AllowedPattern: %s
`, providerParameter, inQuotes(s.Principal.String()),
			inQuotes(fmt.Sprintf("^arn:%s:iam::%s:saml-provider/[A-Za-z0-9_.-]{1,128}$",
				s.Principal.Partition, s.Principal.AccountID)))
	}
	return fmt.Sprintf(`Parameters:
  %s:
    Type: String
    Description: Name of the SAML provider's stack, in the same region
    Default: %s
`, stackParameter, s.StackName(ProviderPart))
}

// trustByReference is the trust policy, in which the template's parameter names the SAML provider.
func (s *Resources) trustByReference(trust object) object {
	if s.ExistingProvider { // its UUID is known, too
		return s.referring(trust, ref(providerParameter),
			func(upToUUID string) any { return upToUUID + s.UUID })
	}
	return s.referring(trust, imported("principal"), func(upToUUID string) any {
		return object{{"Fn::Join", []any{"", []any{upToUUID, imported("uuid")}}}}
	})
}

// rules makes CloudFormation refuse the template in another account or partition, before it creates
// or changes anything (AWS CloudFormation User Guide, "CloudFormation template Rules syntax").
func (s *Resources) rules() string {
	rule := func(parameter, want, what string) string {
		return fmt.Sprintf(`      - Assert:
          Fn::Equals: [{Ref: "AWS::%s"}, %s]
        AssertDescription: This set-up is for the %s %s.
`, parameter, inQuotes(want), what, want)
	}
	return "Rules:\n  Place:\n    Assertions:\n" +
		rule("AccountId", s.Principal.AccountID, "account") +
		rule("Partition", s.Principal.Partition, "partition")
}

func ref(parameter string) object { return object{{"Ref", parameter}} }

func getAtt(resource, attribute string) object {
	return object{{"Fn::GetAtt", []any{resource, attribute}}}
}

// exported writes an export of this stack. Its name begins with the stack's name.
func exported(what string) string {
	name := object{{"Fn::Join", []any{"-", []any{ref("AWS::StackName"), what}}}}
	return "    Export:\n      Name: " + inLine(name) + "\n"
}

// imported refers to an export of the SAML provider's stack.
func imported(what string) object {
	return object{{"Fn::ImportValue", object{
		{"Fn::Join", []any{"-", []any{ref(stackParameter), what}}},
	}}}
}

func output(name, description string, value object, export string) string {
	return fmt.Sprintf("  %s:\n    Description: %s\n    Value: %s\n%s",
		name, description, inLine(value), export)
}

func tagList(tags object) []any {
	var list []any
	for _, tag := range tags {
		list = append(list, object{{"Key", tag.name}, {"Value", tag.value}})
	}
	return list
}

// refuseIntrinsic refuses texts that CloudFormation would replace by something else.
func refuseIntrinsic(text string, isName bool) error {
	switch {
	case strings.Contains(text, "{{resolve:"):
		return fmt.Errorf("CloudFormation would resolve the dynamic reference in %.80q", text)
	case isName && (text == "Ref" || strings.HasPrefix(text, "Fn::")):
		return fmt.Errorf("CloudFormation would take %.80q for one of its functions", text)
	}
	return nil
}

// inQuotes writes a text as YAML. The text is UTF-8. Go's escapes in ASCII are a subset of YAML's
// (YAML 1.2.2, §5.7).
func inQuotes(text string) string { return strconv.QuoteToASCII(text) }

// Literal writes a text of ASCII lines as it is, because that is easier to read. It writes other
// texts in quotes.
func Literal(text, indent string) string {
	rest := strings.TrimSuffix(text, "\n")
	oneEnd := rest != text && !strings.HasSuffix(rest, "\n")
	noIndent := strings.TrimLeft(text, " \n") == text
	if rest == "" || !oneEnd || !noIndent || !asciiLines(rest) {
		return inQuotes(text)
	}
	return "|\n" + indent + strings.ReplaceAll(rest, "\n", "\n"+indent)
}

// asciiLines tells whether a text has only characters that every parser leaves as they are.
func asciiLines(text string) bool {
	other := func(r rune) bool { return r != '\n' && (r < ' ' || r > '~') }
	return !strings.ContainsFunc(text, other)
}

// flow writes a JSON value as YAML. JSON is YAML, apart from some escapes. Short references to the
// SAML provider are written on one line.
func flow(value any, indent string) string {
	inner := indent + "  "
	var parts []string
	switch v := value.(type) {
	case object:
		if line := inLine(v); isIntrinsic(v) && len(indent)+len(line) < 80 {
			return line
		}
		for _, m := range v {
			parts = append(parts, inQuotes(m.name)+": "+flow(m.value, inner))
		}
		return bracket("{", parts, "}", indent)
	case []any:
		for _, element := range v {
			parts = append(parts, flow(element, inner))
		}
		return bracket("[", parts, "]", indent)
	}
	return inLine(value)
}

// isIntrinsic tells whether an object is a call of a CloudFormation function. Policies contain
// none, see refuseIntrinsic.
func isIntrinsic(o object) bool {
	return len(o) == 1 && (o[0].name == "Ref" || strings.HasPrefix(o[0].name, "Fn::"))
}

// inLine writes a JSON value as YAML on one line.
func inLine(value any) string {
	var parts []string
	switch v := value.(type) {
	case object:
		for _, m := range v {
			parts = append(parts, inQuotes(m.name)+": "+inLine(m.value))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case []any:
		for _, element := range v {
			parts = append(parts, inLine(element))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case string:
		return inQuotes(v)
	case nil:
		return "null"
	}
	return fmt.Sprint(value) // a number, true or false
}

func bracket(start string, parts []string, end, indent string) string {
	if len(parts) == 0 {
		return start + end
	}
	inner := "\n" + indent + "  "
	return start + inner + strings.Join(parts, ","+inner) + "\n" + indent + end
}
