package delegation

import (
	"regexp"
	"slices"
	"strings"
)

// partition is one row of the table that the AWS SDKs ship as partitions.json. The SDK for Go keeps its copy
// internal and sends unknown regions to partition aws without a word, so the table stands here, and a test holds it
// against the SDK's own resolver.
type partition struct {
	id              string
	regions         *regexp.Regexp
	dnsSuffix       string
	dualStackSuffix string
	signIn          string // host of the sign-in page; {region} is replaced
	bareSignIn      string // the region whose sign-in host has no region in front
	audience        string // AudienceRestriction; empty: the recipient
	fips            []string
}

var partitions = []partition{
	{"aws", region(`(us|eu|ap|sa|ca|me|af|il|mx)-\w+-\d+`), "amazonaws.com", "api.aws", "{region}.signin.aws.amazon.com", "us-east-1",
		"urn:amazon:webservices", []string{"us-east-1", "us-east-2", "us-west-1", "us-west-2"}},
	{"aws-cn", region(`cn-\w+-\d+`), "amazonaws.com.cn", "api.amazonwebservices.com.cn", "signin.amazonaws.cn", "",
		"urn:amazon:webservices:cn-north-1", nil},
	{"aws-us-gov", region(`us-gov-\w+-\d+`), "amazonaws.com", "api.aws", "{region}.signin.amazonaws-us-gov.com", "us-gov-west-1",
		"urn:amazon:webservices:govcloud", []string{"us-gov-west-1", "us-gov-east-1"}},
	{"aws-iso", region(`us-iso-\w+-\d+`), "c2s.ic.gov", "api.aws.ic.gov", "{region}.signin.c2shome.ic.gov", "", "", nil},
	{"aws-iso-b", region(`us-isob-\w+-\d+`), "sc2s.sgov.gov", "api.aws.scloud", "{region}.signin.sc2shome.sgov.gov", "", "", nil},
	{"aws-iso-e", region(`eu-isoe-\w+-\d+`), "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk", "{region}.signin.csphome.adc-e.uk", "", "", nil},
	{"aws-iso-f", region(`us-isof-\w+-\d+`), "csp.hci.ic.gov", "api.aws.hci.ic.gov", "{region}.signin.csphome.hci.ic.gov", "", "", nil},
	{"aws-eusc", region(`eusc-(de)-\w+-\d+`), "amazonaws.eu", "api.amazonwebservices.eu", "{region}.signin.amazonaws-eusc.eu", "", "", nil},
}

func region(pattern string) *regexp.Regexp { return regexp.MustCompile(`\A(?:` + pattern + `)\z`) }

// Region is an AWS region whose partition is known. Only [ParseRegion] makes one; the zero value is no region.
type Region struct{ name, partition string }

// ParseRegion returns the region of that name. A name that fits no partition's pattern, such as mars-north-1 or the
// pseudo-region aws-global, is an error with [CodeRegionInvalid]: the SDK would send it to partition aws.
func ParseRegion(name string) (Region, error) {
	for _, p := range partitions {
		if p.regions.MatchString(name) {
			return Region{name, p.id}, nil
		}
	}
	return Region{}, newError(CodeRegionInvalid, "%.80q is not the name of an AWS region", name)
}

// String returns the region's name, such as eu-central-1.
func (r Region) String() string { return r.name }

// Partition returns aws, aws-cn, aws-us-gov, aws-iso, aws-iso-b, aws-iso-e, aws-iso-f or aws-eusc.
func (r Region) Partition() string { return r.partition }

// row returns the region's partition; the zero Region has the zero row.
func (r Region) row() partition {
	for _, p := range partitions {
		if p.id == r.partition {
			return p
		}
	}
	return partition{}
}

// STSHost returns the host of the region's STS endpoint. FIPS hosts exist in four US regions and GovCloud only
// (AWS General Reference, STS endpoints), though the SDK prints one for any region: elsewhere it is an error with
// [CodeRegionInvalid], and so is FIPS together with dual stack, for which AWS publishes no STS host.
func (r Region) STSHost(fips, dualStack bool) (string, error) {
	p := r.row()
	switch {
	case p.id == "":
		return "", newError(CodeRegionInvalid, "no region is set")
	case fips && (dualStack || !slices.Contains(p.fips, r.name)):
		return "", newError(CodeRegionInvalid, "STS has no such FIPS endpoint in %s", r.name)
	case fips && p.id != "aws-us-gov": // GovCloud's ordinary host is FIPS
		return "sts-fips." + r.name + "." + p.dnsSuffix, nil
	case dualStack:
		return "sts." + r.name + "." + p.dualStackSuffix, nil
	}
	return "sts." + r.name + "." + p.dnsSuffix, nil
}

// SAMLRecipient returns the sign-in URL that the assertion is addressed to. It is what trust policies see as
// SAML:aud (IAM User Guide, "Configure SAML assertions"). The zero Region has none.
func (r Region) SAMLRecipient() string {
	p := r.row()
	if p.id == "" {
		return ""
	}
	host := strings.ReplaceAll(p.signIn, "{region}", r.name)
	if r.name == p.bareSignIn {
		host = strings.ReplaceAll(p.signIn, "{region}.", "")
	}
	return "https://" + host + "/saml"
}

// SAMLAudience returns the value of AudienceRestriction that AWS expects in the region's partition. For the ISO
// and EUSC partitions, where AWS publishes none, it is the recipient.
func (r Region) SAMLAudience() string {
	if a := r.row().audience; a != "" {
		return a
	}
	return r.SAMLRecipient()
}
