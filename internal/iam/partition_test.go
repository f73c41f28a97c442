package iam_test

import (
	"testing"

	"github.com/seed055b7978/delegation/internal/iam"
)

func TestPartitionOf(t *testing.T) {
	for region, want := range map[string][3]string{
		// partition, sign-in, console (AWS General Reference, "AWS Sign-In endpoints")
		"eu-central-1": {"aws", "eu-central-1.signin.aws.amazon.com",
			"eu-central-1.console.aws.amazon.com"},
		"us-east-1":  {"aws", "signin.aws.amazon.com", "us-east-1.console.aws.amazon.com"},
		"cn-north-1": {"aws-cn", "signin.amazonaws.cn", "console.amazonaws.cn"},
		"us-gov-west-1": {"aws-us-gov", "signin.amazonaws-us-gov.com",
			"console.amazonaws-us-gov.com"},
		"us-gov-east-1": {"aws-us-gov", "us-gov-east-1.signin.amazonaws-us-gov.com",
			"console.amazonaws-us-gov.com"},
		"us-iso-east-1":  {"aws-iso", "us-iso-east-1.signin.c2shome.ic.gov", ""},
		"us-isob-east-1": {"aws-iso-b", "us-isob-east-1.signin.sc2shome.sgov.gov", ""},
		"eusc-de-east-1": {"aws-eusc", "eusc-de-east-1.signin.amazonaws-eusc.eu",
			"eusc-de-east-1.console.amazonaws-eusc.eu"},
	} {
		p, ok := iam.PartitionOf(region)
		if got := [3]string{p.ID, p.SignInHost(region), p.ConsoleHost(region)}; !ok || got != want {
			t.Errorf("%s: got %v %v, want %v", region, ok, got, want)
		}
	}
	for _, region := range []string{"", "mars-north-1", "aws-global", "aws-cn-global",
		"eu-central-1 ", "eu-central-1\n", "xeu-central-1", "EU-CENTRAL-1"} {
		if p, ok := iam.PartitionOf(region); ok || p.ID != "" {
			t.Errorf("%q counts as a region of %s", region, p.ID)
		}
	}
}

func TestHasConsole(t *testing.T) {
	commercial, _ := iam.PartitionOf("eu-central-1")
	iso, _ := iam.PartitionOf("us-iso-east-1")
	for host, want := range map[string]bool{
		"console.aws.amazon.com": true, "eu-west-1.console.aws.amazon.com": true,
		"s3.console.aws.amazon.com": true,
		"":                          false, "aws.amazon.com": false,
		"evilconsole.aws.amazon.com":          false,
		"console.aws.amazon.com.evil.example": false, "console.amazonaws.cn": false,
	} {
		if commercial.HasConsole(host) != want {
			t.Errorf("aws: %q, want %v", host, want)
		}
		if iso.HasConsole(host) {
			t.Errorf("aws-iso has no console, and takes %q", host)
		}
	}
}
