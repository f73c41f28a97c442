package ststest

import (
	"net"
	"strings"
)

var (
	// IAM API Reference: role names, paths and SAML provider names.
	roleARN = newPattern(`\Aarn:([a-z-]+):iam::([0-9]{12}):` +
		`role/(?:[!-~]+/)?([\w+=,.@-]{1,64})\z`)
	providerARN = newPattern(`\Aarn:([a-z-]+):iam::([0-9]{12}):` +
		`saml-provider/([\w.-]{1,128})\z`)
	policyARN = newPattern(`\Aarn:([a-z-]+):iam::([0-9]{12}|aws):` +
		`policy/(?:[!-~]+/)?([\w+=,.@-]{1,128})\z`)
)

// An arn is the parts of an IAM ARN. name is without the path.
type arn struct{ text, partition, account, name string }

func parseARN(form pattern, s string) (arn, bool) {
	m := form.FindStringSubmatch(s)
	if m == nil || partitionNamed(m[1]) == nil {
		return arn{}, false
	}
	return arn{text: s, partition: m[1], account: m[2], name: m[3]}, true
}

// A partition of AWS. The regions and their names are those of partitions.json
// in the SDKs.
type partition struct {
	name    string
	regions pattern
	// signIn is the host of the sign-in endpoint. The host of a region has
	// "{region}." before it.
	signIn string
	// global is the region of the host name without a region, or empty if the
	// partition has no such host.
	global string
	// urn is the audience that AWS publishes for the partition, if any.
	urn string
}

var partitions = []partition{
	{
		name:    "aws",
		regions: newPattern(`\A(us|eu|ap|sa|ca|me|af|il|mx)-\w+-\d+\z`),
		signIn:  "signin.aws.amazon.com",
		global:  "us-east-1",
		urn:     "urn:amazon:webservices",
	},
	{
		name:    "aws-cn",
		regions: newPattern(`\Acn-\w+-\d+\z`),
		signIn:  "signin.amazonaws.cn",
		global:  "cn-northwest-1",
		urn:     "urn:amazon:webservices:cn-north-1",
	},
	{
		name:    "aws-us-gov",
		regions: newPattern(`\Aus-gov-\w+-\d+\z`),
		signIn:  "signin.amazonaws-us-gov.com",
		global:  "us-gov-west-1",
		urn:     "urn:amazon:webservices:govcloud",
	},
	{
		name:    "aws-iso",
		regions: newPattern(`\Aus-iso-\w+-\d+\z`),
		signIn:  "signin.c2shome.ic.gov",
	},
	{
		name:    "aws-iso-b",
		regions: newPattern(`\Aus-isob-\w+-\d+\z`),
		signIn:  "signin.sc2shome.sgov.gov",
	},
	{
		name:    "aws-iso-e",
		regions: newPattern(`\Aeu-isoe-\w+-\d+\z`),
		signIn:  "signin.csphome.adc-e.uk",
	},
	{
		name:    "aws-iso-f",
		regions: newPattern(`\Aus-isof-\w+-\d+\z`),
		signIn:  "signin.csphome.hci.ic.gov",
	},
	{
		name:    "aws-eusc",
		regions: newPattern(`\Aeusc-(de)-\w+-\d+\z`),
		signIn:  "signin.amazonaws-eusc.eu",
	},
}

func partitionNamed(name string) *partition {
	for i := range partitions {
		if partitions[i].name == name {
			return &partitions[i]
		}
	}
	return nil
}

// partitionOf returns the partition of a region. Like the SDKs, it returns aws
// for a name that is no region.
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
// partition's URN or a sign-in URL. The /static/ form is from an older IAM User
// Guide, for the partition aws only.
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
	// GovCloud has hosts with FIPS, too (endpoint rules of AWS Sign-In in the SDKs).
	const govFIPS = "signin-fips.amazonaws-us-gov.com"
	if host == govFIPS || strings.HasSuffix(host, "."+govFIPS) {
		host = strings.Replace(host, "signin-fips.", "signin.", 1)
	}
	for _, p := range partitions {
		if host == p.signIn {
			return p.global
		}
		region, ok := strings.CutSuffix(host, "."+p.signIn)
		if ok && p.regions.MatchString(region) {
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
