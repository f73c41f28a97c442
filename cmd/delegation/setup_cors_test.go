package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsimple"
	"github.com/hashicorp/hcl/v2/hclwrite"
)

// corsFile is a role's file for Terraform, as far as it configures a bucket.
type corsFile struct {
	Resources []struct {
		Kind   string `hcl:"kind,label"`
		Name   string `hcl:"name,label"`
		Bucket string `hcl:"bucket,optional"`
		Rules  []struct {
			Origins []string `hcl:"allowed_origins"`
			Methods []string `hcl:"allowed_methods"`
			Headers []string `hcl:"allowed_headers"`
			Reads   []string `hcl:"expose_headers"`
			Seconds int      `hcl:"max_age_seconds"`
		} `hcl:"cors_rule,block"`
		Rest hcl.Body `hcl:",remain"`
	} `hcl:"resource,block"`
	Rest hcl.Body `hcl:",remain"`
}

// TestSetup_CORS: what Terraform reads is the origins of the configuration, whatever they are, in
// the form that "terraform fmt" has.
func TestSetup_CORS(t *testing.T) {
	const origins = `["https://app.example.com", "https://*.example.com", "https://${a}%{b}\"\\é"]`
	want := []string{
		"https://app.example.com", "https://*.example.com", "https://${a}%{b}\"\\é",
	}
	config := filepath.Join(t.TempDir(), "delegation.yaml")
	text := "identity_provider: {entity_id: urn:example.com}\nhttp: {allowed_origins: " + origins +
		"}\ntargets:\n  photo-app:\n" +
		"    principal: arn:aws:iam::123456789012:saml-provider/delegation\n" +
		"    role: arn:aws:iam::123456789012:role/photo-user\n    region: eu-central-1\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	written, _ := said(t, "terraform", "-c", config, "-t", "photo-app",
		"--bucket", "example-photos", "--cors")
	if formatted := hclwrite.Format([]byte(written)); string(formatted) != written {
		t.Errorf("terraform fmt would write it so:\n%s", formatted)
	}
	var file corsFile
	if err := hclsimple.Decode("role.hcl", []byte(written), nil, &file); err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, resource := range file.Resources {
		if resource.Kind != "aws_s3_bucket_cors_configuration" {
			continue
		}
		found++
		if resource.Bucket != "example-photos" || len(resource.Rules) != 1 {
			t.Fatalf("got %+v", resource)
		}
		if got := resource.Rules[0].Origins; len(got) != len(want) || got[0] != want[0] ||
			got[1] != want[1] || got[2] != want[2] {
			t.Errorf("the origins are %q, want %q", got, want)
		}
	}
	if found != 1 {
		t.Errorf("%d CORS configurations", found)
	}
}
