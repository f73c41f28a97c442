package setup

import (
	"fmt"
	"strconv"
	"strings"
)

// maxTemplateBody is how many bytes CloudFormation takes from a file; larger ones go through S3.
const maxTemplateBody = 51_200

// CloudFormation writes a template: YAML, in which every text that comes from outside is in double
// quotes with ASCII in them, so that readers of YAML 1.1 and 1.2 agree on it. There is no Fn::Sub,
// so ${saml:sub} stays. Same set-up, same text.
func (s *Resources) CloudFormation() (string, error) {
	trust, err := parseObject(s.Trust)
	if err != nil {
		return "", err
	}
	texts := []any{trust} // which has all that is not ours in the metadata, too
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
	template := s.template(trust, permissions)
	if len(template) > maxTemplateBody {
		s.Notes = append(s.Notes, fmt.Sprintf("the template has %d bytes, and CloudFormation "+
			"takes %d from a file: deploy it with --s3-bucket", len(template), maxTemplateBody))
	}
	return template, nil
}

// template writes the template of the policies. Without permissions the role has none.
func (s *Resources) template(trust, permissions object) string {
	folder, name := s.RolePath()
	var b strings.Builder
	fmt.Fprintf(&b, `# What the target %s needs in AWS. For the account %s:
#   aws cloudformation deploy --stack-name delegation --template-file FILE --capabilities CAPABILITY_NAMED_IAM
AWSTemplateFormatVersion: "2010-09-09"
Description: SAML provider and role for delegation
Resources:
  Provider:
    Type: AWS::IAM::SAMLProvider
    Properties:
      Name: %s
      SamlMetadataDocument: %s
  Role:
    Type: AWS::IAM::Role
    DependsOn: Provider
    Properties:
      RoleName: %s
      Path: %s
      MaxSessionDuration: %d # seconds
      AssumeRolePolicyDocument:
        %s
`,
		inQuotes(s.Target), s.Role.AccountID,
		inQuotes(s.ProviderName()), Literal(s.Metadata, "        "),
		inQuotes(name), inQuotes(folder), int(s.MaxSession.Seconds()),
		flow(trust, "        "))
	if s.Permissions != "" {
		fmt.Fprintf(&b, "      Policies:\n        - PolicyName: delegation\n          "+
			"PolicyDocument:\n            %s\n", flow(permissions, "            "))
	}
	b.WriteString(`Outputs: # as in the configuration, under the target
  Principal:
    Value:
      Fn::GetAtt: [Provider, Arn]
  Role:
    Value:
      Fn::GetAtt: [Role, Arn]
`)
	if s.ByUUID {
		b.WriteString("  SamlProviderUUID:\n    Value:\n      Fn::GetAtt: [Provider, " +
			"SamlProviderUUID]\n")
	}
	return b.String()
}

// refuseIntrinsic finds what CloudFormation would put something else in place of.
func refuseIntrinsic(text string, isName bool) error {
	switch {
	case strings.Contains(text, "{{resolve:"):
		return fmt.Errorf("CloudFormation would resolve the dynamic reference in %.80q", text)
	case isName && (text == "Ref" || strings.HasPrefix(text, "Fn::")):
		return fmt.Errorf("CloudFormation would take %.80q for one of its functions", text)
	}
	return nil
}

// inQuotes writes a text as YAML. Go's escapes of ASCII are a part of YAML's (YAML 1.2.2, §5.7);
// the text is UTF-8.
func inQuotes(text string) string { return strconv.QuoteToASCII(text) }

// Literal writes a text of ASCII lines as it is, which is easier to read, and others in quotes.
func Literal(text, indent string) string {
	rest := strings.TrimSuffix(text, "\n")
	oneEnd := rest != text && !strings.HasSuffix(rest, "\n")
	noIndent := strings.TrimLeft(text, " \n") == text
	if rest == "" || !oneEnd || !noIndent || !asciiLines(rest) {
		return inQuotes(text)
	}
	return "|\n" + indent + strings.ReplaceAll(rest, "\n", "\n"+indent)
}

// asciiLines tells whether a text is lines of characters that every reader takes as they are.
func asciiLines(text string) bool {
	other := func(r rune) bool { return r != '\n' && (r < ' ' || r > '~') }
	return !strings.ContainsFunc(text, other)
}

// flow writes a JSON value as YAML, which it is but for some escapes.
func flow(value any, indent string) string {
	inner := indent + "  "
	var parts []string
	switch v := value.(type) {
	case object:
		for _, m := range v {
			parts = append(parts, inQuotes(m.name)+": "+flow(m.value, inner))
		}
		return bracket("{", parts, "}", indent)
	case []any:
		for _, element := range v {
			parts = append(parts, flow(element, inner))
		}
		return bracket("[", parts, "]", indent)
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
