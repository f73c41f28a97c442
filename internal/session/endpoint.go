package session

import (
	"fmt"
	"net/url"
	"os"
	"slices"

	"github.com/seed055b7978/delegation/internal/iam"
)

// EndpointSource says where the configuration of the SDK has an endpoint from: a variable of the
// environment, or a profile.
func EndpointSource(endpoint string) string {
	for _, name := range []string{"AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"} {
		if os.Getenv(name) == endpoint {
			return "the environment variable " + name
		}
	}
	return "endpoint_url in the configuration file of the AWS SDK"
}

// EndpointWarning says that an endpoint leads calls for the regions elsewhere than to their STS,
// and where it was set. It is empty for no endpoint, and for one of the only region, such as that
// of a VPC. A password in the endpoint is left out.
func EndpointWarning(endpoint, from string, regions []string) string {
	if endpoint == "" {
		return ""
	}
	shown := "an address that is no URL"
	if u, err := url.Parse(endpoint); err == nil {
		elsewhere := func(region string) bool { return !iam.IsHostIn(u.Hostname(), region) }
		if len(regions) > 0 && !slices.ContainsFunc(regions, elsewhere) {
			return ""
		}
		shown = u.Redacted()
	}
	return fmt.Sprintf("STS is called at %.200s in all regions, because of %s", shown, from)
}

// EndpointRemedy is what to do about it.
const EndpointRemedy = "remove that, unless STS is meant to be called there"
