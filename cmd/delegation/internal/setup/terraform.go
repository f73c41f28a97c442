package setup

import (
	"fmt"

	"golang.org/x/text/unicode/norm"
)

// The versions that the files require. strcontains and preconditions are older than Terraform 1.5.
// saml_provider_uuid came with version 6.28.0 of the provider for AWS (its CHANGELOG.md).
const (
	terraformVersion   = ">= 1.5.0"
	awsProviderVersion = ">= 6.28.0, < 7.0.0"
)

// MetadataFile is the file next to the provider's file from which Terraform reads the metadata.
const MetadataFile = "metadata.xml"

// Terraform writes a part. The files of the provider and of the roles belong in one folder, the
// root module. With ExistingProvider, the role's file is complete by itself. ${saml:sub} is IAM's
// and not Terraform's. The same set-up always gives the same text.
func (s *Resources) Terraform(part Part) (string, error) {
	for _, text := range []string{s.Target, s.EntityID, s.Metadata} {
		if err := refuseUnnormal(text, false); err != nil {
			return "", err
		}
	}
	var f hclFile
	if part == ProviderPart {
		f.comment("The SAML provider "+quoteHCL(s.ProviderName())+", once for all targets that "+
			"use it. The files",
			"of their roles belong in the same folder: terraform init && terraform apply",
			"",
			"The signing certificates come from "+MetadataFile+". For each step of a key rollover "+
				"write that",
			"file again and apply. An old file would put old certificates back:",
			"  delegation metadata --out "+MetadataFile+" --replace")
		s.settings(&f)
		s.samlProvider(&f)
		return f.String(), nil
	}
	f.comment("The role of the target "+quoteHCL(s.Target)+".", s.place())
	if s.ExistingProvider {
		s.settings(&f)
		f.block("data", []string{"aws_iam_saml_provider", "delegation"},
			attribute("arn", s.Principal.String()))
	}
	if err := s.role(&f); err != nil {
		return "", err
	}
	return f.String(), nil
}

// place says where the role's file belongs.
func (s *Resources) place() string {
	if s.ExistingProvider {
		return "In a folder of its own: terraform init && terraform apply"
	}
	return "It belongs in the folder of provider.tf."
}

// settings writes versions, region and account. A folder has them once.
func (s *Resources) settings(f *hclFile) {
	f.block("terraform", nil,
		attribute("required_version", terraformVersion),
		emptyLine,
		block("required_providers",
			attribute("aws", expression("{\n"+aligned("      ",
				[]string{"source", "version"},
				[]string{quoteHCL("hashicorp/aws"), quoteHCL(awsProviderVersion)})+
				"    }"))))
	f.block(`provider`, []string{"aws"},
		attribute("region", s.Region.String()),
		attribute("allowed_account_ids", []any{s.Principal.AccountID}))
	f.block("data", []string{"aws_caller_identity", "delegation"})
	f.block("data", []string{"aws_partition", "delegation"})
}

// guards are preconditions, so that a set-up for one account is not applied in another.
func (s *Resources) guards() []bodyPart {
	guard := func(value expression, want, what string) bodyPart {
		return block("precondition",
			attribute("condition", value+expression(" == "+quoteHCL(want))),
			attribute("error_message", "This set-up is for the "+what+" "+want+"."))
	}
	return []bodyPart{
		guard("data.aws_caller_identity.delegation.account_id", s.Principal.AccountID, "account"),
		emptyLine,
		guard("data.aws_partition.delegation.partition", s.Principal.Partition, "partition"),
	}
}

func (s *Resources) samlProvider(f *hclFile) {
	lifecycle := []bodyPart{attribute("prevent_destroy", true), emptyLine}
	f.block("resource", []string{"aws_iam_saml_provider", "delegation"},
		attribute("name", s.ProviderName()),
		attribute("saml_metadata_document",
			expression(`file("${path.module}/`+MetadataFile+`")`)),
		emptyLine,
		attribute("tags", providerTags()),
		emptyLine,
		block("lifecycle", append(lifecycle, s.guards()...)...))
	f.block("output", []string{"principal"},
		attribute("description", aboutPrincipal),
		attribute("value", expression("aws_iam_saml_provider.delegation.arn")))
	f.block("output", []string{"saml_provider_uuid"},
		attribute("description", aboutUUID),
		attribute("value", expression("aws_iam_saml_provider.delegation.saml_provider_uuid")))
}

// role writes the role, and its permission policy if there is one.
func (s *Resources) role(f *hclFile) error {
	from := expression("aws_iam_saml_provider.delegation")
	if s.ExistingProvider {
		from = "data." + from
	}
	trust, err := policyObject(s.Trust)
	if err != nil {
		return err
	}
	trust = s.referring(trust, from+".arn", func(text string) any {
		return interpolated(text, from+".saml_provider_uuid")
	})
	folder, name := s.RolePath()
	label := s.label()
	f.block("resource", []string{"aws_iam_role", label},
		attribute("name", name),
		attribute("path", folder),
		attribute("max_session_duration", int64(s.MaxSession.Seconds())),
		attribute("assume_role_policy", jsonEncode(trust, 1)),
		emptyLine,
		attribute("tags", s.roleTags()),
		emptyLine,
		block("lifecycle", s.guards()...))
	if err := s.rolePolicy(f, label); err != nil {
		return err
	}
	if err := s.bucketCORS(f); err != nil {
		return err
	}
	f.block("output", []string{label},
		attribute("description", aboutRole),
		attribute("value", expression("aws_iam_role."+label+".arn")))
	return nil
}

func (s *Resources) rolePolicy(f *hclFile, label string) error {
	if s.Permissions == "" {
		return nil
	}
	permissions, err := policyObject(s.Permissions)
	if err != nil {
		return err
	}
	f.block("resource", []string{"aws_iam_role_policy", label},
		attribute("name", "delegation"),
		attribute("role", expression("aws_iam_role."+label+".name")),
		attribute("policy", jsonEncode(permissions, 1)))
	return nil
}

// policyObject parses a policy that Terraform can represent.
func policyObject(policy string) (object, error) {
	document, err := parseObject(policy)
	if err == nil {
		err = walk(document, refuseUnnormal)
	}
	return document, err
}

// refuseUnnormal refuses texts that Terraform would change: it treats different encodings of an
// accented letter as one.
func refuseUnnormal(text string, _ bool) error {
	if !norm.NFC.IsNormalString(text) {
		return fmt.Errorf("%.80q has letters in two parts, which Terraform would join (Unicode "+
			"NFC): SAML compares byte for byte, so use the joined form everywhere", text)
	}
	return nil
}
