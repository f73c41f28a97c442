package iam_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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

// TestKnows: the known regions are those of the table that the SDK has, and of their own partition.
func TestKnows(t *testing.T) {
	const sdk = "github.com/aws/aws-sdk-go-v2"
	folder, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", sdk).Output()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(folder)),
		"internal", "endpoints", "awsrulesfn", "partitions.json"))
	if err != nil {
		t.Fatal(err)
	}
	var table struct {
		Partitions []struct {
			ID      string
			Regions map[string]any
		}
	}
	if err := json.Unmarshal(text, &table); err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, of := range table.Partitions {
		for region := range of.Regions {
			if strings.HasSuffix(region, "-global") {
				continue // no region of STS
			}
			count++
			p, ok := iam.PartitionOf(region)
			if !ok || p.ID != of.ID || !p.Knows(region) {
				t.Errorf("%s of %s is in %q, known %t", region, of.ID, p.ID, p.Knows(region))
			}
		}
	}
	if all := iam.CountKnown(); all != count || count < 40 {
		t.Errorf("%d regions are known, the SDK has %d", all, count)
	}
	for _, region := range []string{"", "eu-centrl-1", "eu-central-9", "cn-north-1"} {
		if p, _ := iam.PartitionOf("eu-central-1"); p.Knows(region) {
			t.Errorf("%q is known in aws", region)
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

// TestHasSignInHost: the sign-in page of every region is one of its partition, and of no other.
func TestHasSignInHost(t *testing.T) {
	regions := []string{
		"us-east-1", "eu-central-1", "cn-north-1", "us-gov-west-1", "us-gov-east-1",
		"us-iso-east-1", "eusc-de-east-1",
	}
	for _, of := range regions {
		p, _ := iam.PartitionOf(of)
		host := p.SignInHost(of)
		for _, other := range regions {
			q, _ := iam.PartitionOf(other)
			if got := q.HasSignInHost(host); got != (p.ID == q.ID) {
				t.Errorf("%s in %s: %t", host, q.ID, got)
			}
		}
	}
	p, _ := iam.PartitionOf("eu-central-1")
	for _, host := range []string{"", "x.signin.aws.amazon.com", "signin.aws.amazon.com.evil"} {
		if p.HasSignInHost(host) {
			t.Errorf("%q is one", host)
		}
	}
}

// signInHosts are the hosts of the sign-in page by region: as the endpoint rules of AWS Sign-In in
// the SDKs (aws-sdk-go-v2, service/signin v1.12.3) and the AWS General Reference have them, and
// with FIPS where these have a host for browsers. China's regions share one, and have their own.
var signInHosts = map[string]struct{ partition, host, fips, another string }{
	"us-east-1":      {"aws", "signin.aws.amazon.com", "", "us-east-1.signin.aws.amazon.com"},
	"us-west-2":      {"aws", "us-west-2.signin.aws.amazon.com", "", ""},
	"eu-central-1":   {"aws", "eu-central-1.signin.aws.amazon.com", "", ""},
	"ap-southeast-7": {"aws", "ap-southeast-7.signin.aws.amazon.com", "", ""},
	"mx-central-1":   {"aws", "mx-central-1.signin.aws.amazon.com", "", ""},
	"il-central-1":   {"aws", "il-central-1.signin.aws.amazon.com", "", ""},
	"cn-north-1":     {"aws-cn", "signin.amazonaws.cn", "", "cn-north-1.signin.amazonaws.cn"},
	"cn-northwest-1": {"aws-cn", "signin.amazonaws.cn", "", "cn-northwest-1.signin.amazonaws.cn"},
	"us-gov-west-1": {"aws-us-gov", "signin.amazonaws-us-gov.com",
		"signin-fips.amazonaws-us-gov.com", "us-gov-west-1.signin.amazonaws-us-gov.com"},
	"us-gov-east-1": {"aws-us-gov", "us-gov-east-1.signin.amazonaws-us-gov.com",
		"us-gov-east-1.signin-fips.amazonaws-us-gov.com", ""},
	"us-iso-east-1":   {"aws-iso", "us-iso-east-1.signin.c2shome.ic.gov", "", ""},
	"us-iso-west-1":   {"aws-iso", "us-iso-west-1.signin.c2shome.ic.gov", "", ""},
	"us-isob-east-1":  {"aws-iso-b", "us-isob-east-1.signin.sc2shome.sgov.gov", "", ""},
	"us-isob-west-1":  {"aws-iso-b", "us-isob-west-1.signin.sc2shome.sgov.gov", "", ""},
	"eu-isoe-west-1":  {"aws-iso-e", "eu-isoe-west-1.signin.csphome.adc-e.uk", "", ""},
	"us-isof-east-1":  {"aws-iso-f", "us-isof-east-1.signin.csphome.hci.ic.gov", "", ""},
	"us-isof-south-1": {"aws-iso-f", "us-isof-south-1.signin.csphome.hci.ic.gov", "", ""},
	"eusc-de-east-1":  {"aws-eusc", "eusc-de-east-1.signin.amazonaws-eusc.eu", "", ""},
}

// TestSignInHosts: of 18 regions in 8 partitions, each has its sign-in hosts, with and without
// FIPS, and each host is of its own partition alone.
func TestSignInHosts(t *testing.T) {
	partitions := map[string]*iam.Partition{}
	for region := range signInHosts {
		p, _ := iam.PartitionOf(region)
		partitions[p.ID] = p
	}
	if len(signInHosts) != 18 || len(partitions) != 8 {
		t.Fatalf("%d regions, %d partitions", len(signInHosts), len(partitions))
	}
	for region, want := range signInHosts {
		p, _ := iam.PartitionOf(region)
		if p.ID != want.partition || p.SignInHost(region) != want.host ||
			p.FIPSSignInHost(region) != want.fips {
			t.Errorf("%s: got %s %s %s", region, p.ID, p.SignInHost(region),
				p.FIPSSignInHost(region))
		}
		for _, host := range []string{want.host, want.fips, want.another} {
			if host == "" {
				continue
			}
			if id, ok := iam.PartitionOfSignIn(host); !ok || id != want.partition {
				t.Errorf("%s is of %q", host, id)
			}
			for id, q := range partitions {
				if q.HasSignInHost(host) != (id == want.partition) {
					t.Errorf("%s in %s: %t", host, id, q.HasSignInHost(host))
				}
			}
		}
	}
	for _, host := range []string{
		"", "signin-fips.aws.amazon.com", "eu-central-1.signin-fips.aws.amazon.com",
		"signin-fips.amazonaws.cn", "signin-fips.amazonaws-us-gov.com.evil",
		"eu-central-1.signin-fips.amazonaws-us-gov.com", "eu-central-1.signin.amazonaws.cn",
		"xsignin.amazonaws.cn", "evil.signin.amazonaws.cn", "localhost", "signin.c2shome.ic.gov",
	} {
		if id, ok := iam.PartitionOfSignIn(host); ok || id != "" {
			t.Errorf("%q is of %q", host, id)
		}
	}
}

// TestPartitionOfAudience: an audience that AWS publishes is that of its partition, and any other
// is of none.
func TestPartitionOfAudience(t *testing.T) {
	for audience, want := range map[string]string{
		"urn:amazon:webservices":            "aws",
		"urn:amazon:webservices:cn-north-1": "aws-cn",
		"urn:amazon:webservices:govcloud":   "aws-us-gov",
		"urn:example.com":                   "",
		"":                                  "",
	} {
		if got, ok := iam.PartitionOfAudience(audience); got != want || ok != (want != "") {
			t.Errorf("%q: got %q, %t", audience, got, ok)
		}
	}
}

// TestIsHostIn: a host is in a region only with its name, in the domain of its partition.
func TestIsHostIn(t *testing.T) {
	for host, want := range map[string]bool{
		"sts.eu-central-1.amazonaws.com":                   true,
		"STS.EU-CENTRAL-1.AMAZONAWS.COM":                   true,
		"sts.eu-central-1.api.aws":                         true,
		"vpce-1-x.sts.eu-central-1.vpce.amazonaws.com":     true,
		"sts.amazonaws.com":                                false,
		"sts.eu-west-1.amazonaws.com":                      false,
		"sts.eu-central-1.amazonaws.com.evil":              false,
		"sts.eu-central-1.amazonaws.com.cn":                false,
		"eu-central-1.evil":                                false,
		"127.0.0.1":                                        false,
		"":                                                 false,
		"eu-central-1amazonaws.com":                        false,
		"sts.eu-central-1.amazonaws.evil.eu-central-1.com": false,
	} {
		if got := iam.IsHostIn(host, "eu-central-1"); got != want {
			t.Errorf("%s: got %t", host, got)
		}
	}
	if iam.IsHostIn("sts.mars-north-1.amazonaws.com", "mars-north-1") {
		t.Error("there is no such region")
	}
}
