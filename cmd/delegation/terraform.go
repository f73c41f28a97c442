package main

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/spf13/cobra"
	"github.com/zclconf/go-cty/cty"
)

func terraformCommand(s surroundings) *cobra.Command {
	return setupCommand(s, "terraform", "Write the whole set-up of a target in AWS as a "+
		"Terraform file",
		"Write the set-up of one target in AWS as a Terraform file that stands alone: SAML "+
			"provider with metadata, role with trust policy and permission\n"+
			"policy, for the one account. Its outputs are the two ARNs that the "+
			"configuration needs.",
		"  delegation terraform --config delegation.yaml --target photo-app --bucket "+
			"example-photos --out main.tf",
		(*setup).terraform)
}

// terraform writes a root module. HCL's own writer puts texts into quotes, so ${saml:sub} is not
// Terraform's. Same set-up, same text.
func (s *setup) terraform() (string, error) {
	trust, err := policyTokens(s.trust)
	if err != nil {
		return "", err
	}
	for _, text := range []string{s.target, s.metadata} {
		if err := refuseUnnormal(text, false); err != nil {
			return "", err
		}
	}
	folder, name := s.rolePath()
	file := hclwrite.NewEmptyFile()
	body := file.Body()
	body.AppendUnstructuredTokens(comment("What the target %s needs in AWS. In a folder of its "+
		"own: terraform init && terraform apply", inQuotes(s.target)))
	required := body.AppendNewBlock("terraform", nil).Body().AppendNewBlock("required_providers", nil).Body()
	required.SetAttributeValue("aws", cty.ObjectVal(map[string]cty.Value{"source": cty.StringVal("hashicorp/aws")}))

	aws := block(body, "provider", "aws")
	aws.SetAttributeValue("region", cty.StringVal(s.region.String()))
	aws.SetAttributeValue("allowed_account_ids", cty.ListVal([]cty.Value{cty.StringVal(s.role.AccountID)}))

	provider := block(body, "resource", "aws_iam_saml_provider", "delegation")
	provider.SetAttributeValue("name", cty.StringVal(s.providerName()))
	provider.SetAttributeRaw("saml_metadata_document", heredoc(s.metadata))

	role := block(body, "resource", "aws_iam_role", "delegation")
	role.SetAttributeValue("name", cty.StringVal(name))
	role.SetAttributeValue("path", cty.StringVal(folder))
	role.SetAttributeValue("max_session_duration", cty.NumberIntVal(int64(s.maxSession.Seconds())))
	role.SetAttributeRaw("assume_role_policy", trust)
	role.SetAttributeRaw("depends_on", hclwrite.TokensForTuple([]hclwrite.Tokens{reference("aws_iam_saml_provider", "delegation")}))

	if s.permissions != "" {
		permissions, err := policyTokens(s.permissions)
		if err != nil {
			return "", err
		}
		policy := block(body, "resource", "aws_iam_role_policy", "delegation")
		policy.SetAttributeValue("name", cty.StringVal("delegation"))
		policy.SetAttributeRaw("role", reference("aws_iam_role", "delegation", "name"))
		policy.SetAttributeRaw("policy", permissions)
	}
	body.AppendNewline()
	body.AppendUnstructuredTokens(comment("As in the configuration, under the target."))
	body.AppendNewBlock("output", []string{"principal"}).Body().SetAttributeRaw("value", reference("aws_iam_saml_provider", "delegation", "arn"))
	block(body, "output", "role").SetAttributeRaw("value", reference("aws_iam_role", "delegation", "arn"))
	return string(hclwrite.Format(file.Bytes())), nil
}

// block begins a block after an empty line.
func block(body *hclwrite.Body, kind string, labels ...string) *hclwrite.Body {
	body.AppendNewline()
	return body.AppendNewBlock(kind, labels).Body()
}

func comment(format string, args ...any) hclwrite.Tokens {
	return hclwrite.Tokens{{Type: hclsyntax.TokenComment, Bytes: []byte("# " + fmt.Sprintf(format, args...) + "\n")}}
}

func reference(root string, names ...string) hclwrite.Tokens {
	traversal := hcl.Traversal{hcl.TraverseRoot{Name: root}}
	for _, name := range names {
		traversal = append(traversal, hcl.TraverseAttr{Name: name})
	}
	return hclwrite.TokensForTraversal(traversal)
}

// refuseUnnormal finds texts that Terraform cannot hold: it takes two ways to write a letter with
// an accent for one.
func refuseUnnormal(text string, _ bool) error {
	if cty.NormalizeString(text) != text {
		return fmt.Errorf("%.80q has letters in two parts, which Terraform would join (Unicode "+
			"NFC): SAML compares byte for byte, so use the joined form everywhere", text)
	}
	return nil
}

// heredoc writes a text of ASCII lines as it is, which is easier to read, and others in quotes.
func heredoc(text string) hclwrite.Tokens {
	plain := asciiLines(text) && strings.HasSuffix(text, "\n") && !strings.Contains(text, "${") && !strings.Contains(text, "%{")
	for line := range strings.Lines(text) {
		plain = plain && strings.TrimSpace(line) != endOfText
	}
	if !plain {
		return hclwrite.TokensForValue(cty.StringVal(text))
	}
	return hclwrite.Tokens{
		{Type: hclsyntax.TokenOHeredoc, Bytes: []byte("<<" + endOfText + "\n")},
		{Type: hclsyntax.TokenStringLit, Bytes: []byte(text)},
		{Type: hclsyntax.TokenCHeredoc, Bytes: []byte(endOfText)},
	}
}

const endOfText = "XML"

// policyTokens writes a policy as a call of jsonencode, with its members in order.
func policyTokens(policy string) (hclwrite.Tokens, error) {
	document, err := parseObject(policy)
	if err == nil {
		err = walk(document, refuseUnnormal)
	}
	if err != nil {
		return nil, err
	}
	return hclwrite.TokensForFunctionCall("jsonencode", tokens(document)), nil
}

// plainName is a name that needs no quotes in HCL, and is no keyword.
var plainName = regexp.MustCompile(`\A[A-Z][A-Za-z]*\z`)

func tokens(value any) hclwrite.Tokens {
	switch v := value.(type) {
	case object:
		var members []hclwrite.ObjectAttrTokens
		for _, m := range v {
			name := hclwrite.TokensForValue(cty.StringVal(m.name))
			if plainName.MatchString(m.name) {
				name = hclwrite.TokensForIdentifier(m.name)
			}
			members = append(members, hclwrite.ObjectAttrTokens{Name: name, Value: tokens(m.value)})
		}
		return hclwrite.TokensForObject(members)
	case []any:
		var elements []hclwrite.Tokens
		for _, element := range v {
			elements = append(elements, tokens(element))
		}
		return hclwrite.TokensForTuple(elements)
	case string:
		return hclwrite.TokensForValue(cty.StringVal(v))
	case int64:
		return hclwrite.TokensForValue(cty.NumberIntVal(v))
	case bool:
		return hclwrite.TokensForValue(cty.BoolVal(v))
	}
	return hclwrite.TokensForValue(cty.NullVal(cty.DynamicPseudoType))
}
