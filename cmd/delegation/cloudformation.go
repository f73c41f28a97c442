package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

// bytes that CloudFormation takes from a file; larger ones go through S3
const maxTemplateBody = 51_200

func cloudFormationCommand(s surroundings) *cobra.Command {
	return setupCommand(s, "cloudformation", "Write the whole set-up of a target in AWS as a "+
		"CloudFormation template",
		"Write the set-up of one target in AWS as a CloudFormation template: SAML provider with "+
			"metadata, role with trust policy and permission policy. Its\n"+
			"outputs are the two ARNs that the configuration needs.",
		"  delegation cloudformation --config delegation.yaml --target photo-app --bucket "+
			"example-photos --out cloudformation.yaml",
		(*setup).cloudFormation)
}

// cloudFormation writes a template: YAML, in which every text that comes from outside is in double
// quotes with ASCII in them, so that readers of YAML 1.1 and 1.2 agree on it. There is no Fn::Sub,
// so ${saml:sub} stays. Same set-up, same text.
func (s *setup) cloudFormation() (string, error) {
	trust, err := parseObject(s.trust)
	if err != nil {
		return "", err
	}
	folder, name := s.rolePath()
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
`, inQuotes(s.target), s.role.AccountID, inQuotes(s.providerName()), literal(s.metadata, "        "), inQuotes(name), inQuotes(folder),
		int(s.maxSession.Seconds()), flow(trust, "        "))
	texts := []any{trust} // which has all that is not ours in the metadata, too
	if s.permissions != "" {
		permissions, err := parseObject(s.permissions)
		if err != nil {
			return "", err
		}
		texts = append(texts, permissions)
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
	if s.uuid {
		b.WriteString("  SamlProviderUUID:\n    Value:\n      Fn::GetAtt: [Provider, " +
			"SamlProviderUUID]\n")
	}
	if err := walk(texts, refuseIntrinsic); err != nil {
		return "", err
	}
	if b.Len() > maxTemplateBody {
		s.notes = append(s.notes, fmt.Sprintf("the template has %d bytes, and CloudFormation "+
			"takes %d from a file: deploy it with --s3-bucket", b.Len(), maxTemplateBody))
	}
	return b.String(), nil
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

// literal writes a text of ASCII lines as it is, which is easier to read, and others in quotes.
func literal(text, indent string) string {
	rest := strings.TrimSuffix(text, "\n")
	if rest == "" || rest == text || strings.HasSuffix(rest, "\n") || strings.TrimLeft(text, " \n") != text || !asciiLines(rest) {
		return inQuotes(text)
	}
	return "|\n" + indent + strings.ReplaceAll(rest, "\n", "\n"+indent)
}

// asciiLines tells whether a text is lines of characters that every reader takes as they are.
func asciiLines(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r != '\n' && (r < ' ' || r > '~') })
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
	return start + "\n" + indent + "  " + strings.Join(parts, ",\n"+indent+"  ") + "\n" + indent + end
}
