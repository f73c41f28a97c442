package delegation

import (
	"errors"
	"net/url"

	"github.com/seed055b7978/delegation/internal/session"
)

// newSTS makes the client of a configuration that has none.
func (c *Config) newSTS() (STS, error) {
	client, err := session.NewClient(session.ClientOptions{FIPS: c.FIPS, DualStack: c.DualStack})
	var problems problems
	switch {
	case errors.Is(err, session.ErrPlainHTTP):
		problems.add("the AWS SDK's configuration: %w; "+
			"use https, or set STS to a client of your own", err)
	case err != nil:
		problems.add("the AWS SDK's configuration: %w", err)
	}
	return client, errors.Join(problems...)
}

// heedClient sets FIPS and DualStack if the client of STS uses such endpoints, because of the
// environment (AWS_USE_FIPS_ENDPOINT, AWS_USE_DUALSTACK_ENDPOINT) or because the program made it
// so. Regions are then checked for the endpoints that are really called.
func (c *Config) heedClient() error {
	fipsBy := "Config.FIPS"
	dualStackBy := "Config.DualStack"
	made := session.EndpointOf(c.STS)
	if made.FIPS && !c.FIPS {
		c.FIPS = true
		fipsBy = session.FIPSSource()
	}
	if made.DualStack && !c.DualStack {
		c.DualStack = true
		dualStackBy = session.DualStackSource()
	}
	var problems problems
	if c.FIPS && c.DualStack {
		problems.add("%s and %s are both set, and AWS has no STS endpoint that is both",
			fipsBy, dualStackBy)
	}
	return errors.Join(problems...)
}

// calledHost names the host that a failed call went to. own is AWS's host: if the call went to
// another one, it is named too.
func (c *Config) calledHost(err error, own string) string {
	called := session.HostOf(err)
	if called == "" {
		called = c.endpointHost()
	}
	if called == "" || called == own {
		return own
	}
	return called + " instead of " + own
}

// endpointHost is the host of the endpoint that the client of STS calls instead of AWS's. Empty: it
// has none, or is not the SDK's.
func (c *Config) endpointHost() string {
	u, err := url.Parse(session.EndpointOf(c.STS).URL)
	if err != nil {
		return ""
	}
	return u.Host
}

// endpointWarning says that the client which New has made calls STS elsewhere than at AWS. A client
// of the program's own was chosen there.
func (d *Delegator) endpointWarning() string {
	if !d.ownSTS {
		return ""
	}
	endpoint := session.EndpointOf(d.config.STS).URL
	from := session.EndpointSource(endpoint)
	var regions []string
	for _, region := range d.targets.regions {
		regions = append(regions, region.String())
	}
	return session.EndpointWarning(endpoint, from, regions)
}
