package ststest

import (
	"net"
	"regexp"
	"strings"
)

var (
	// IAM API Reference: role names, paths and SAML provider names.
	roleARN     = regexp.MustCompile(`\Aarn:([a-z-]+):iam::([0-9]{12}):role/(?:[!-~]+/)?([\w+=,.@-]{1,64})\z`)
	providerARN = regexp.MustCompile(`\Aarn:([a-z-]+):iam::([0-9]{12}):saml-provider/([\w.-]{1,128})\z`)
	policyARN   = regexp.MustCompile(`\Aarn:([a-z-]+):iam::([0-9]{12}|aws):policy/(?:[!-~]+/)?([\w+=,.@-]{1,128})\z`)
)

// An arn is the parts of an IAM ARN. name is without the path.
type arn struct{ text, partition, account, name string }

func parseARN(form *regexp.Regexp, s string) (arn, bool) {
	m := form.FindStringSubmatch(s)
	if m == nil || partitionNamed(m[1]) == nil {
		return arn{}, false
	}
	return arn{text: s, partition: m[1], account: m[2], name: m[3]}, true
}

// A partition of AWS: the regions and their names are those of the SDKs'
// partitions.json.
type partition struct {
	name    string
	regions *regexp.Regexp
	signIn  string // host of the sign-in endpoint; regional ones put "{region}." before it
	global  string // region that the host without a region counts as; empty where there is none
	urn     string // the audience that AWS publishes for the partition, if any
}

var partitions = []partition{
	{"aws", regexp.MustCompile(`\A(us|eu|ap|sa|ca|me|af|il|mx)-\w+-\d+\z`), "signin.aws.amazon.com", "us-east-1", "urn:amazon:webservices"},
	{"aws-cn", regexp.MustCompile(`\Acn-\w+-\d+\z`), "signin.amazonaws.cn", "cn-northwest-1", "urn:amazon:webservices:cn-north-1"},
	{"aws-us-gov", regexp.MustCompile(`\Aus-gov-\w+-\d+\z`), "signin.amazonaws-us-gov.com", "us-gov-west-1", "urn:amazon:webservices:govcloud"},
	{"aws-iso", regexp.MustCompile(`\Aus-iso-\w+-\d+\z`), "signin.c2shome.ic.gov", "", ""},
	{"aws-iso-b", regexp.MustCompile(`\Aus-isob-\w+-\d+\z`), "signin.sc2shome.sgov.gov", "", ""},
	{"aws-iso-e", regexp.MustCompile(`\Aeu-isoe-\w+-\d+\z`), "signin.csphome.adc-e.uk", "", ""},
	{"aws-iso-f", regexp.MustCompile(`\Aus-isof-\w+-\d+\z`), "signin.csphome.hci.ic.gov", "", ""},
	{"aws-eusc", regexp.MustCompile(`\Aeusc-(de)-\w+-\d+\z`), "signin.amazonaws-eusc.eu", "", ""},
}

func partitionNamed(name string) *partition {
	for i := range partitions {
		if partitions[i].name == name {
			return &partitions[i]
		}
	}
	return nil
}

// partitionOf falls back to aws for a name that is no region, like the SDKs.
func partitionOf(region string) *partition {
	for i := range partitions {
		if partitions[i].regions.MatchString(region) {
			return &partitions[i]
		}
	}
	return &partitions[0]
}

func isRegion(name string) bool { return partitionOf(name).regions.MatchString(name) }

// accepts reports whether the STS of the region accepts the audience: the
// partition's URN or a sign-in URL. The /static/ form is of the older IAM User
// Guide, for the partition aws alone.
func (p *partition) accepts(audience, region string) bool {
	switch audience {
	case "":
		return false
	case p.urn, "https://" + region + "." + p.signIn + "/saml":
		return true
	case "https://" + p.signIn + "/saml":
		return p.global != ""
	case "https://" + p.signIn + "/static/saml":
		return p.name == "aws"
	}
	return false
}

// regionOfHost returns the region of an STS host name, or "".
func regionOfHost(host string) string {
	host = hostName(host)
	if host == "sts.amazonaws.com" {
		return "us-east-1"
	}
	labels := strings.Split(host, ".")
	if len(labels) >= 4 && (labels[0] == "sts" || labels[0] == "sts-fips") && isRegion(labels[1]) {
		return labels[1]
	}
	return ""
}

// regionOfSignIn returns the region of the host name of a console sign-in, or
// "".
func regionOfSignIn(host string) string {
	host = hostName(host)
	if host == "signin-fips.amazonaws-us-gov.com" {
		return "us-gov-west-1"
	}
	for _, p := range partitions {
		if host == p.signIn {
			return p.global
		}
		if region, ok := strings.CutSuffix(host, "."+p.signIn); ok && p.regions.MatchString(region) {
			return region
		}
	}
	return ""
}

// hostName returns the Host without its port, in lower case.
func hostName(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return strings.ToLower(host)
}
