package delegation

import (
	"slices"
	"time"

	"github.com/seed055b7978/delegation/internal/iam"
	"github.com/seed055b7978/delegation/internal/samldoc"
)

// Region is an AWS region whose partition is known. Make one with [ParseRegion]. The zero value is
// not a region.
type Region struct{ name, partition string }

// ParseRegion returns the region with this name. A name that matches no partition's pattern, such
// as mars-north-1 or the pseudo-region aws-global, is an error with [CodeRegionInvalid]. The SDK
// would use the partition aws for it.
func ParseRegion(name string) (Region, error) {
	p, ok := iam.PartitionOf(name)
	if !ok {
		return Region{}, newError(CodeRegionInvalid, "%.80q is not the name of an AWS region", name)
	}
	return Region{name, p.ID}, nil
}

// parseRegion parses a region that has the STS hosts that Config asks for.
func (c *Config) parseRegion(name string) (Region, error) {
	region, err := ParseRegion(name)
	if err != nil {
		return Region{}, err
	}
	if err := region.checkSTS(c.FIPS, c.DualStack); err != nil {
		const asked = "%w, which Config.FIPS or the environment variable " +
			"AWS_USE_FIPS_ENDPOINT asks for"
		return Region{}, newError(CodeRegionInvalid, asked, err.Err)
	}
	return region, nil
}

// parseRegions parses a region and those to fail over to. They are of one partition and have the
// STS hosts that Config asks for. A region that is listed twice counts once.
func (c *Config) parseRegions(names []string) (list []Region, err error) {
	for _, name := range names {
		region, err := c.parseRegion(name)
		if err != nil {
			return nil, err
		}
		if len(list) > 0 && region.partition != list[0].partition {
			return nil, newError(CodeRegionInvalid,
				"the regions %s and %s are of different partitions", list[0], region)
		}
		if !slices.Contains(list, region) {
			list = append(list, region)
		}
	}
	if n := len(list); n > 1 && c.STSTimeout > samldoc.AssertionLife/time.Duration(n) {
		return nil, newError(CodeRegionInvalid,
			"%d regions of %s each take longer than the %s in which AWS redeems a response",
			n, c.STSTimeout, samldoc.AssertionLife)
	}
	return list, nil
}

// String returns the region's name, such as eu-central-1.
func (r Region) String() string { return r.name }

// Partition returns aws, aws-cn, aws-us-gov, aws-iso, aws-iso-b, aws-iso-e, aws-iso-f or aws-eusc.
func (r Region) Partition() string { return r.partition }

// STSHost returns the host of the region's STS endpoint. Only four US regions and GovCloud have
// FIPS hosts (AWS General Reference, STS endpoints), although the SDK constructs one for any
// region. FIPS in another region is an error with [CodeRegionInvalid]. So is FIPS together with
// dual stack, for which AWS publishes no STS host.
func (r Region) STSHost(fips, dualStack bool) (string, error) {
	if err := r.checkSTS(fips, dualStack); err != nil {
		return "", err
	}
	p, _ := iam.PartitionOf(r.name)
	switch {
	case fips && p.ID != "aws-us-gov": // GovCloud's ordinary host is FIPS
		return "sts-fips." + r.name + "." + p.DNSSuffix, nil
	case dualStack:
		return "sts." + r.name + "." + p.DualStackSuffix, nil
	}
	return "sts." + r.name + "." + p.DNSSuffix, nil
}

// checkSTS checks that STS has a host in the region.
func (r Region) checkSTS(fips, dualStack bool) *Error {
	p, ok := iam.PartitionOf(r.name)
	switch {
	case !ok:
		return newError(CodeRegionInvalid, "no region is set")
	case fips && (dualStack || !slices.Contains(p.FIPS, r.name)):
		return newError(CodeRegionInvalid, "STS has no such FIPS endpoint in %s", r.name)
	}
	return nil
}

// SAMLRecipient returns the sign-in URL to which the assertion is addressed. Trust policies read it
// as SAML:aud (IAM User Guide, "Configure SAML assertions"). For the zero Region it is empty.
func (r Region) SAMLRecipient() string {
	p, ok := iam.PartitionOf(r.name)
	if !ok {
		return ""
	}
	return p.SignInURL(r.name)
}

// SAMLAudience returns the value of AudienceRestriction that AWS expects in the region's partition.
// AWS publishes none for the ISO and EUSC partitions. There it is the recipient.
func (r Region) SAMLAudience() string {
	p, _ := iam.PartitionOf(r.name)
	if p.Audience != "" {
		return p.Audience
	}
	return r.SAMLRecipient()
}
