package delegation_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/seed055b7978/delegation"
)

// regions are the regions of the SDK's partitions.json, and behind the bar some that a partition's
// pattern leaves room for.
var regions = map[string]string{
	"aws": `af-south-1 ap-east-1 ap-east-2 ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-south-1 ap-south-2 ap-southeast-1 ap-southeast-2
		ap-southeast-3 ap-southeast-4 ap-southeast-5 ap-southeast-6 ap-southeast-7 ca-central-1 ca-west-1 eu-central-1 eu-central-2 eu-north-1
		eu-south-1 eu-south-2 eu-west-1 eu-west-2 eu-west-3 il-central-1 me-central-1 me-south-1 mx-central-1 sa-east-1 us-east-1 us-east-2
		us-west-1 us-west-2 | eu-somewhere-12 us-gov-1 mx-new_land-3`,
	"aws-cn":     "cn-north-1 cn-northwest-1 | cn-south-7",
	"aws-us-gov": "us-gov-east-1 us-gov-west-1 | us-gov-central-10",
	"aws-iso":    "us-iso-east-1 us-iso-west-1 | us-iso-north-2",
	"aws-iso-b":  "us-isob-east-1 us-isob-west-1 | us-isob-north-2",
	"aws-iso-e":  "eu-isoe-west-1 | eu-isoe-east-1",
	"aws-iso-f":  "us-isof-east-1 us-isof-south-1 | us-isof-north-2",
	"aws-eusc":   "eusc-de-east-1 | eusc-de-west-2",
}

// eachRegion calls check for every region above.
func eachRegion(
	t *testing.T, check func(t *testing.T, partition string, region delegation.Region),
) {
	t.Helper()
	for partition, names := range regions {
		for _, name := range strings.Fields(strings.ReplaceAll(names, "|", " ")) {
			t.Run(name, func(t *testing.T) {
				region, err := delegation.ParseRegion(name)
				if err != nil {
					t.Fatal(err)
				}
				check(t, partition, region)
			})
		}
	}
}

func TestRegion_PartitionsAreTheSDKs(t *testing.T) {
	// The resolver is deprecated, and the only public API that tells the partition.
	resolver := sts.NewDefaultEndpointResolver() //nolint:staticcheck // see above
	eachRegion(t, func(t *testing.T, partition string, region delegation.Region) {
		endpoint, err := resolver.ResolveEndpoint(region.String(), sts.EndpointResolverOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if region.Partition() != partition ||
			endpoint.PartitionID != partition { //nolint:staticcheck // see above
			t.Errorf("got %s, the SDK says %s, want %s", region.Partition(), endpoint.PartitionID,
				partition) //nolint:staticcheck // see above
		}
	})
}

// TestRegion_STSHostsAreTheSDKs compares with the resolver that *sts.Client uses. Where FIPS hosts
// do not exist, the SDK makes one up, and this package refuses.
func TestRegion_STSHostsAreTheSDKs(t *testing.T) {
	resolver := sts.NewDefaultEndpointResolverV2()
	// AWS General Reference, "AWS STS endpoints and quotas".
	fipsRegions := map[string]bool{
		"us-east-1": true, "us-east-2": true, "us-west-1": true, "us-west-2": true,
		"us-gov-west-1": true, "us-gov-east-1": true,
	}
	eachRegion(t, func(t *testing.T, _ string, region delegation.Region) {
		for _, fips := range []bool{false, true} {
			for _, dualStack := range []bool{false, true} {
				got, err := region.STSHost(fips, dualStack)
				if fips && (dualStack || !fipsRegions[region.String()]) {
					e := wantError(t, err, delegation.StageDecision, delegation.CodeRegionInvalid)
					if got != "" || !strings.Contains(e.Error(), region.String()) {
						t.Errorf("got %q, and an error without the region: %v", got, e)
					}
					continue
				}
				if err != nil {
					t.Errorf("FIPS %v, dual stack %v: %v", fips, dualStack, err)
					continue
				}
				endpoint, err := resolver.ResolveEndpoint(t.Context(), sts.EndpointParameters{
					Region:       aws.String(region.String()),
					UseFIPS:      &fips,
					UseDualStack: &dualStack,
				})
				if err != nil {
					t.Fatalf("FIPS %v, dual stack %v: got %s, and the SDK says %v", fips,
						dualStack, got, err)
				}
				if got != endpoint.URI.Host {
					t.Errorf("FIPS %v, dual stack %v: got %s, the SDK says %s", fips, dualStack,
						got, endpoint.URI.Host)
				}
			}
		}
	})
}

// TestRegion_SAML holds recipients and audiences against the IAM, GovCloud and China User Guides
// and the SDK's sign-in rules.
func TestRegion_SAML(t *testing.T) {
	tests := []struct{ region, recipient, audience string }{
		{"us-east-1", "https://signin.aws.amazon.com/saml", "urn:amazon:webservices"},
		{"us-east-2", "https://us-east-2.signin.aws.amazon.com/saml", "urn:amazon:webservices"},
		{"eu-central-1", "https://eu-central-1.signin.aws.amazon.com/saml",
			"urn:amazon:webservices"},
		{"ap-southeast-7", "https://ap-southeast-7.signin.aws.amazon.com/saml",
			"urn:amazon:webservices"},
		{"us-gov-west-1", "https://signin.amazonaws-us-gov.com/saml",
			"urn:amazon:webservices:govcloud"},
		{"us-gov-east-1", "https://us-gov-east-1.signin.amazonaws-us-gov.com/saml",
			"urn:amazon:webservices:govcloud"},
		{"cn-north-1", "https://signin.amazonaws.cn/saml", "urn:amazon:webservices:cn-north-1"},
		{"cn-northwest-1", "https://signin.amazonaws.cn/saml", "urn:amazon:webservices:cn-north-1"},
		{"eusc-de-east-1", "https://eusc-de-east-1.signin.amazonaws-eusc.eu/saml",
			"https://eusc-de-east-1.signin.amazonaws-eusc.eu/saml"},
		{"us-iso-east-1", "https://us-iso-east-1.signin.c2shome.ic.gov/saml",
			"https://us-iso-east-1.signin.c2shome.ic.gov/saml"},
		{"us-isob-east-1", "https://us-isob-east-1.signin.sc2shome.sgov.gov/saml",
			"https://us-isob-east-1.signin.sc2shome.sgov.gov/saml"},
		{"eu-isoe-west-1", "https://eu-isoe-west-1.signin.csphome.adc-e.uk/saml",
			"https://eu-isoe-west-1.signin.csphome.adc-e.uk/saml"},
		{"us-isof-south-1", "https://us-isof-south-1.signin.csphome.hci.ic.gov/saml",
			"https://us-isof-south-1.signin.csphome.hci.ic.gov/saml"},
	}
	for _, test := range tests {
		region := must(delegation.ParseRegion(test.region))
		if got := region.SAMLRecipient(); got != test.recipient {
			t.Errorf("%s: recipient %s, want %s", test.region, got, test.recipient)
		}
		if got := region.SAMLAudience(); got != test.audience {
			t.Errorf("%s: audience %s, want %s", test.region, got, test.audience)
		}
	}
}

// TestRegion_IsWhatIsUsed holds that the assertion is addressed to the region that the exchange
// takes place in.
func TestRegion_IsWhatIsUsed(t *testing.T) {
	for name, partition := range map[string]string{
		"us-east-1": "aws", "eu-west-3": "aws", "cn-northwest-1": "aws-cn",
		"us-gov-east-1": "aws-us-gov", "eusc-de-east-1": "aws-eusc", "us-iso-east-1": "aws-iso",
	} {
		t.Run(name, func(t *testing.T) {
			in, err := attempt(t, nil, func(target *delegation.Target) {
				target.Role = strings.Replace(role, ":aws:", ":"+partition+":", 1)
				target.Principal = strings.Replace(principal, ":aws:", ":"+partition+":", 1)
				target.Region = name
			})
			if err != nil {
				t.Fatal(err)
			}
			region, document := must(delegation.ParseRegion(name)), responseOf(in)
			recipient := document.FindElement("//saml:SubjectConfirmationData").
				SelectAttrValue("Recipient", "")
			audience := document.FindElement("//saml:Audience").Text()
			if recipient != region.SAMLRecipient() || audience != region.SAMLAudience() {
				t.Errorf("recipient %s, audience %s", recipient, audience)
			}
		})
	}
}

func TestParseRegion_Refuses(t *testing.T) {
	for _, name := range []string{
		"", " ", "eu", "eu-central", "eu-central-", "mars-north-1", "EU-CENTRAL-1", "Eu-central-1",
		" eu-central-1", "eu-central-1 ", "eu-central-1\n", "\neu-central-1",
		"aws-global", "aws-cn-global", "aws-us-gov-global", "aws-iso-global", "aws-iso-b-global",
		"aws-iso-e-global", "aws-iso-f-global", "aws-eusc-global",
		"fips-us-east-1", "us-east-1-fips", "us-east-1.evil.example.com", "us-east-1/",
		"x/us-east-1", "us-east-1@evil", "us-east-1a", "us--1", "us-east-one", "us_east_1",
		"eusc-fr-east-1", "us-isox-east-1", "us-gov-east-1-x", "eu-isob-east-1", "xx-us-east-1",
		"us-éast-1", "us-east-١", "*", "{region}", "local",
	} {
		t.Run(name, func(t *testing.T) {
			region, err := delegation.ParseRegion(name)
			e := wantError(t, err, delegation.StageDecision, delegation.CodeRegionInvalid)
			if region != (delegation.Region{}) || region.String() != "" {
				t.Errorf("got the region %q", region)
			}
			trimmed := strings.TrimSpace(name)
			if !strings.Contains(e.Error(), trimmed) && trimmed != "us-east-١" &&
				trimmed != "us-éast-1" {
				t.Errorf("the error does not name the region: %v", e)
			}
		})
	}
	t.Run("a long name is cut short", func(t *testing.T) {
		_, err := delegation.ParseRegion(strings.Repeat("x", 10_000))
		e := wantError(t, err, delegation.StageDecision, delegation.CodeRegionInvalid)
		if len(e.Error()) > 400 {
			t.Errorf("the error has %d bytes", len(e.Error()))
		}
	})
}

func TestRegion_IsComparable(t *testing.T) {
	one := must(delegation.ParseRegion("eu-central-1"))
	two := must(delegation.ParseRegion("eu-central-1"))
	if one != two || one == must(delegation.ParseRegion("eu-central-2")) {
		t.Error("regions do not compare by their names")
	}
}

func TestRegion_ZeroValue(t *testing.T) {
	var region delegation.Region
	if region.String() != "" || region.Partition() != "" {
		t.Errorf("got %q in %q", region, region.Partition())
	}
	for _, fips := range []bool{false, true} {
		for _, dualStack := range []bool{false, true} {
			host, err := region.STSHost(fips, dualStack)
			wantError(t, err, delegation.StageDecision, delegation.CodeRegionInvalid)
			if host != "" {
				t.Errorf("got the host %q", host)
			}
		}
	}
}

func TestZeroRegionHasNoNames(t *testing.T) {
	var none delegation.Region
	if none.String() != "" || none.Partition() != "" || none.SAMLRecipient() != "" ||
		none.SAMLAudience() != "" {
		t.Errorf("the zero Region has names: %q %q %q %q", none, none.Partition(),
			none.SAMLRecipient(), none.SAMLAudience())
	}
}
