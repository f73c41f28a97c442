package setup

import (
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// Terraform writes a root module. HCL's own writer puts texts into quotes, so ${saml:sub} is not
// Terraform's. Same set-up, same text.
func (s *Resources) Terraform() (string, error) {
	trust, err := policyTokens(s.Trust)
	if err != nil {
		return "", err
	}
	for _, text := range []string{s.Target, s.Metadata} {
		if err := refuseUnnormal(text, false); err != nil {
			return "", err
		}
	}
	file := hclwrite.NewEmptyFile()
	body := file.Body()
	body.AppendUnstructuredTokens(comment("What the target %s needs in AWS. In a folder of its "+
		"own: terraform init && terraform apply", inQuotes(s.Target)))
	s.providers(body)
	s.samlProvider(body)
	s.role(body, trust)
	if err := s.rolePolicy(body); err != nil {
		return "", err
	}
	outputs(body)
	return string(hclwrite.Format(file.Bytes())), nil
}

// providers names Terraform's provider for AWS, for the one account.
func (s *Resources) providers(body *hclwrite.Body) {
	terraform := body.AppendNewBlock("terraform", nil).Body()
	required := terraform.AppendNewBlock("required_providers", nil).Body()
	source := map[string]cty.Value{"source": cty.StringVal("hashicorp/aws")}
	required.SetAttributeValue("aws", cty.ObjectVal(source))

	aws := block(body, "provider", "aws")
	aws.SetAttributeValue("region", cty.StringVal(s.Region.String()))
	accounts := []cty.Value{cty.StringVal(s.Role.AccountID)}
	aws.SetAttributeValue("allowed_account_ids", cty.ListVal(accounts))
}

func (s *Resources) samlProvider(body *hclwrite.Body) {
	provider := block(body, "resource", "aws_iam_saml_provider", "delegation")
	provider.SetAttributeValue("name", cty.StringVal(s.ProviderName()))
	provider.SetAttributeRaw("saml_metadata_document", Heredoc(s.Metadata))
}

func (s *Resources) role(body *hclwrite.Body, trust hclwrite.Tokens) {
	folder, name := s.RolePath()
	seconds := int64(s.MaxSession.Seconds())
	needs := []hclwrite.Tokens{reference("aws_iam_saml_provider", "delegation")}
	role := block(body, "resource", "aws_iam_role", "delegation")
	role.SetAttributeValue("name", cty.StringVal(name))
	role.SetAttributeValue("path", cty.StringVal(folder))
	role.SetAttributeValue("max_session_duration", cty.NumberIntVal(seconds))
	role.SetAttributeRaw("assume_role_policy", trust)
	role.SetAttributeRaw("depends_on", hclwrite.TokensForTuple(needs))
}

// rolePolicy writes the permission policy, if there is one.
func (s *Resources) rolePolicy(body *hclwrite.Body) error {
	if s.Permissions == "" {
		return nil
	}
	permissions, err := policyTokens(s.Permissions)
	if err != nil {
		return err
	}
	policy := block(body, "resource", "aws_iam_role_policy", "delegation")
	policy.SetAttributeValue("name", cty.StringVal("delegation"))
	policy.SetAttributeRaw("role", reference("aws_iam_role", "delegation", "name"))
	policy.SetAttributeRaw("policy", permissions)
	return nil
}

// outputs are the two ARNs that a configuration needs.
func outputs(body *hclwrite.Body) {
	body.AppendNewline()
	body.AppendUnstructuredTokens(comment("As in the configuration, under the target."))
	principal := body.AppendNewBlock("output", []string{"principal"}).Body()
	principal.SetAttributeRaw("value", reference("aws_iam_saml_provider", "delegation", "arn"))
	role := block(body, "output", "role")
	role.SetAttributeRaw("value", reference("aws_iam_role", "delegation", "arn"))
}

// block begins a block after an empty line.
func block(body *hclwrite.Body, kind string, labels ...string) *hclwrite.Body {
	body.AppendNewline()
	return body.AppendNewBlock(kind, labels).Body()
}

func comment(format string, args ...any) hclwrite.Tokens {
	text := "# " + fmt.Sprintf(format, args...) + "\n"
	return hclwrite.Tokens{{Type: hclsyntax.TokenComment, Bytes: []byte(text)}}
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

// Heredoc writes a text of ASCII lines as it is, which is easier to read, and others in quotes.
func Heredoc(text string) hclwrite.Tokens {
	plain := asciiLines(text) && strings.HasSuffix(text, "\n") &&
		!strings.Contains(text, "${") && !strings.Contains(text, "%{")
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
var plainName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\A[A-Z][A-Za-z]*\z`)
})

func tokens(value any) hclwrite.Tokens {
	switch v := value.(type) {
	case object:
		var members []hclwrite.ObjectAttrTokens
		for _, m := range v {
			name := hclwrite.TokensForValue(cty.StringVal(m.name))
			if plainName().MatchString(m.name) {
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
