package iam

import (
	"slices"
	"strings"
	"sync"
)

// Partition is one row of the table of AWS partitions. The zero value is no partition.
type Partition struct {
	// ID is the second part of its ARNs: aws, aws-cn, …
	ID string
	// DNSSuffix and DualStackSuffix are the ends of its hosts' names.
	DNSSuffix       string
	DualStackSuffix string
	// Audience is the AudienceRestriction of its assertions; empty: the recipient.
	Audience string
	// FIPS lists the regions with a FIPS host of STS (AWS General Reference, STS endpoints).
	FIPS []string

	// regions are the beginnings of its regions' names. A word and a number follow, as in
	// us-gov-west-1.
	regions []string
	// known are the regions of the table that this version was made with. AWS adds some each year.
	known []string
	// signIn is the host of the sign-in page; {region} is replaced.
	signIn string
	// signInFIPS is the host of the sign-in page with FIPS, likewise; empty: there is none for
	// browsers (the endpoint rules of AWS Sign-In in the SDKs).
	signInFIPS string
	// bareSignIn is the region whose sign-in hosts have no region in front.
	bareSignIn string
	// console is the console's host, likewise; empty: AWS publishes none.
	console string
}

// partitions is the table that the AWS SDKs ship as partitions.json, and the hosts of sign-in and
// console. The SDK for Go keeps its copy internal, and takes unknown regions for regions of
// partition aws without an error. So the table is here, and the tests compare it with the SDK's
// own resolvers.
var partitions = []Partition{
	{
		ID:              "aws",
		DNSSuffix:       "amazonaws.com",
		DualStackSuffix: "api.aws",
		Audience:        "urn:amazon:webservices",
		FIPS:            []string{"us-east-1", "us-east-2", "us-west-1", "us-west-2"},
		regions: []string{
			"us-", "eu-", "ap-", "sa-", "ca-", "me-", "af-", "il-", "mx-",
		},
		known: []string{
			"af-south-1", "ap-east-1", "ap-east-2", "ap-northeast-1", "ap-northeast-2",
			"ap-northeast-3", "ap-south-1", "ap-south-2", "ap-southeast-1", "ap-southeast-2",
			"ap-southeast-3", "ap-southeast-4", "ap-southeast-5", "ap-southeast-6",
			"ap-southeast-7", "ca-central-1", "ca-west-1", "eu-central-1", "eu-central-2",
			"eu-north-1", "eu-south-1", "eu-south-2", "eu-west-1", "eu-west-2", "eu-west-3",
			"il-central-1", "me-central-1", "me-south-1", "mx-central-1", "sa-east-1",
			"us-east-1", "us-east-2", "us-west-1", "us-west-2",
		},
		signIn:     "{region}.signin.aws.amazon.com",
		bareSignIn: "us-east-1",
		console:    "{region}.console.aws.amazon.com",
	},
	{
		ID:              "aws-cn",
		DNSSuffix:       "amazonaws.com.cn",
		DualStackSuffix: "api.amazonwebservices.com.cn",
		Audience:        "urn:amazon:webservices:cn-north-1",
		regions:         []string{"cn-"},
		known:           []string{"cn-north-1", "cn-northwest-1"},
		signIn:          "signin.amazonaws.cn",
		console:         "console.amazonaws.cn",
	},
	{
		ID:              "aws-us-gov",
		DNSSuffix:       "amazonaws.com",
		DualStackSuffix: "api.aws",
		Audience:        "urn:amazon:webservices:govcloud",
		FIPS:            []string{"us-gov-west-1", "us-gov-east-1"},
		regions:         []string{"us-gov-"},
		known:           []string{"us-gov-east-1", "us-gov-west-1"},
		signIn:          "{region}.signin.amazonaws-us-gov.com",
		signInFIPS:      "{region}.signin-fips.amazonaws-us-gov.com",
		bareSignIn:      "us-gov-west-1",
		console:         "console.amazonaws-us-gov.com",
	},
	{
		ID:              "aws-iso",
		DNSSuffix:       "c2s.ic.gov",
		DualStackSuffix: "api.aws.ic.gov",
		regions:         []string{"us-iso-"},
		known:           []string{"us-iso-east-1", "us-iso-west-1"},
		signIn:          "{region}.signin.c2shome.ic.gov",
	},
	{
		ID:              "aws-iso-b",
		DNSSuffix:       "sc2s.sgov.gov",
		DualStackSuffix: "api.aws.scloud",
		regions:         []string{"us-isob-"},
		known:           []string{"us-isob-east-1", "us-isob-west-1"},
		signIn:          "{region}.signin.sc2shome.sgov.gov",
	},
	{
		ID:              "aws-iso-e",
		DNSSuffix:       "cloud.adc-e.uk",
		DualStackSuffix: "api.cloud-aws.adc-e.uk",
		regions:         []string{"eu-isoe-"},
		known:           []string{"eu-isoe-west-1"},
		signIn:          "{region}.signin.csphome.adc-e.uk",
	},
	{
		ID:              "aws-iso-f",
		DNSSuffix:       "csp.hci.ic.gov",
		DualStackSuffix: "api.aws.hci.ic.gov",
		regions:         []string{"us-isof-"},
		known:           []string{"us-isof-east-1", "us-isof-south-1"},
		signIn:          "{region}.signin.csphome.hci.ic.gov",
	},
	{
		ID:              "aws-eusc",
		DNSSuffix:       "amazonaws.eu",
		DualStackSuffix: "api.amazonwebservices.eu",
		regions:         []string{"eusc-de-"},
		known:           []string{"eusc-de-east-1"},
		signIn:          "{region}.signin.amazonaws-eusc.eu",
		console:         "{region}.console.amazonaws-eusc.eu",
	},
}

// has tells whether a text has the form of a region's name in the partition.
func (p *Partition) has(region string) bool {
	for _, prefix := range p.regions {
		rest, ok := strings.CutPrefix(region, prefix)
		word, number, found := strings.Cut(rest, "-")
		if ok && found && isWord(word) && isNumber(number) {
			return true
		}
	}
	return false
}

// PartitionOf returns the partition of a region by its name, which is not to be changed. For a name
// that fits none, such as mars-north-1 or aws-global, it is the zero value, and false.
func PartitionOf(region string) (p *Partition, ok bool) {
	for i := range partitions {
		if partitions[i].has(region) {
			return &partitions[i], true
		}
	}
	return &Partition{}, false
}

// Knows tells whether a region was one of the partition when this version was made.
func (p *Partition) Knows(region string) bool { return slices.Contains(p.known, region) }

// SignInHost returns the host of the sign-in page for a region of the partition.
func (p *Partition) SignInHost(region string) string { return p.hostOf(p.signIn, region) }

// FIPSSignInHost returns the host of the sign-in page with FIPS for a region of the partition;
// empty if AWS has none.
func (p *Partition) FIPSSignInHost(region string) string { return p.hostOf(p.signInFIPS, region) }

// SignInURL returns where the sign-in page takes SAML responses for a region of the partition.
func (p *Partition) SignInURL(region string) string {
	if known, ok := signInURLs()[region]; ok {
		return known
	}
	return p.signInURL(region)
}

func (p *Partition) signInURL(region string) string {
	return "https://" + p.SignInHost(region) + "/saml"
}

// signInURLs are those of the known regions, because each exchange needs one.
var signInURLs = sync.OnceValue(func() map[string]string {
	urls := map[string]string{}
	for i := range partitions {
		for _, region := range partitions[i].known {
			urls[region] = partitions[i].signInURL(region)
		}
	}
	return urls
})

// hostOf returns the host of a sign-in page for a region.
func (p *Partition) hostOf(signIn, region string) string {
	host, ofRegion := strings.CutPrefix(signIn, "{region}")
	switch {
	case !ofRegion:
		return host
	case region == p.bareSignIn:
		return host[1:] // without the dot
	}
	return region + host
}

// ConsoleHost returns the host of the console for a region of the partition; empty if AWS publishes
// none.
func (p *Partition) ConsoleHost(region string) string {
	return strings.ReplaceAll(p.console, "{region}", region)
}

// HasConsole tells whether a host is the partition's console, or a page of it such as
// s3.console.aws.amazon.com.
func (p *Partition) HasConsole(host string) bool {
	domain := strings.TrimPrefix(p.console, "{region}.")
	return domain != "" && (host == domain || strings.HasSuffix(host, "."+domain))
}

// HasSignInHost tells whether a host is the sign-in page of some region of the partition, with FIPS
// or without. China's regions have their own hosts in addition to the one that both share (IAM User
// Guide of the China regions, "Configure your SAML 2.0 IdP with relying party trust").
func (p *Partition) HasSignInHost(host string) bool {
	return p.isHostOf(p.signIn, host) || p.signInFIPS != "" && p.isHostOf(p.signInFIPS, host)
}

func (p *Partition) isHostOf(signIn, host string) bool {
	domain, ofRegion := strings.CutPrefix(signIn, "{region}.")
	if host == domain {
		return !ofRegion || p.bareSignIn != ""
	}
	region, found := strings.CutSuffix(host, "."+domain)
	return found && p.has(region)
}

// PartitionOfSignIn returns the partition whose sign-in page is at a host; false for one of none.
func PartitionOfSignIn(host string) (id string, ok bool) {
	for i := range partitions {
		if partitions[i].HasSignInHost(host) {
			return partitions[i].ID, true
		}
	}
	return "", false
}

// PartitionOfAudience returns the partition whose assertions have the audience; false for one of no
// partition.
func PartitionOfAudience(audience string) (id string, ok bool) {
	for i := range partitions {
		if audience != "" && partitions[i].Audience == audience {
			return partitions[i].ID, true
		}
	}
	return "", false
}

// IsHostIn tells whether a host is one of AWS's own for a region: in the region's domain, and with
// the region in its name. A VPC endpoint has such a name, too.
func IsHostIn(host, region string) bool {
	p, ok := PartitionOf(region)
	if !ok {
		return false
	}
	host = strings.ToLower(host)
	ours := strings.HasSuffix(host, "."+p.DNSSuffix) ||
		strings.HasSuffix(host, "."+p.DualStackSuffix)
	return ours && strings.Contains("."+host, "."+region+".")
}
