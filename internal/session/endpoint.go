package session

import (
	"fmt"
	"net/url"
	"os"
	"slices"

	"github.com/seed055b7978/delegation/internal/iam"
)

// EndpointSource says where an endpoint of [NewClient] is from: a variable of the environment, or
// the options of the client.
func EndpointSource(endpoint string) string {
	if name := endpointVariableOf(endpoint); name != "" {
		return "the environment variable " + name
	}
	return "the options of the STS client"
}

// endpointVariableOf returns the variable that holds the endpoint, empty if none does.
func endpointVariableOf(endpoint string) string {
	for _, name := range []string{endpointVariable, allEndpointsVariable} {
		if endpoint != "" && os.Getenv(name) == endpoint {
			return name
		}
	}
	return ""
}

// IgnoredEndpoints are the variables of the environment that name an endpoint for STS, and that
// [ClientOptions].IgnoreEndpoints passes over.
func IgnoredEndpoints() (names []string) {
	for _, name := range []string{endpointVariable, allEndpointsVariable} {
		if os.Getenv(name) != "" {
			names = append(names, name)
		}
	}
	return names
}

// EndpointWarning says that calls for the regions go to an endpoint instead of the regions' own
// STS, and where that endpoint was set. It is empty if there is no endpoint, or if the endpoint
// belongs to the only region, such as a VPC endpoint. A password in the endpoint is left out.
func EndpointWarning(endpoint, from string, regions []string) string {
	if endpoint == "" {
		return ""
	}
	if u, err := url.Parse(endpoint); err == nil {
		elsewhere := func(region string) bool { return !iam.IsHostIn(u.Hostname(), region) }
		if len(regions) > 0 && !slices.ContainsFunc(regions, elsewhere) {
			return ""
		}
	}
	return fmt.Sprintf("STS is called at %.200s in all regions, because of %s",
		shownURL(endpoint), from)
}

// shownURL returns an endpoint without its password.
func shownURL(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil {
		return "an address that is not a URL"
	}
	return u.Redacted()
}

// EndpointRemedy is what to do about an EndpointWarning.
const EndpointRemedy = "remove that, unless STS is meant to be called there"
