package session

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
)

// The environment variables that say how STS is called. docs/environment.md has all others of the
// AWS SDKs, and what they do here: nothing.
const (
	endpointVariable       = "AWS_ENDPOINT_URL_STS"
	allEndpointsVariable   = "AWS_ENDPOINT_URL"
	ignoreEndpointVariable = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"
	fipsVariable           = "AWS_USE_FIPS_ENDPOINT"
	dualStackVariable      = "AWS_USE_DUALSTACK_ENDPOINT"
	caBundleVariable       = "AWS_CA_BUNDLE"
	appIDVariable          = "AWS_SDK_UA_APP_ID"
)

// EnvironmentError is a variable of the environment with which STS cannot be called.
type EnvironmentError struct {
	Variable string
	Err      error
}

func (e *EnvironmentError) Error() string {
	return "the environment variable " + e.Variable + ": " + e.Err.Error()
}

// Unwrap returns what is wrong with the variable.
func (e *EnvironmentError) Unwrap() error { return e.Err }

// environment is what an anonymous call of STS takes from the environment.
type environment struct {
	allEndpoints    string // AWS_ENDPOINT_URL; the SDK reads AWS_ENDPOINT_URL_STS itself
	ignoreEndpoints bool
	fips, dualStack string // "true", "false", or "": the SDK's default
	caBundle        string
	appID           string
}

// readEnvironment reads the environment. The SDK's LoadDefaultConfig is of no use here: it also
// reads the profile of AWS_PROFILE, and so fails for a profile that is missing, broken, or for SSO.
// It also refuses values of variables that no call of STS uses. The error is an
// [*EnvironmentError].
func readEnvironment() (environment, error) {
	env := environment{
		allEndpoints: os.Getenv(allEndpointsVariable),
		caBundle:     os.Getenv(caBundleVariable),
		appID:        os.Getenv(appIDVariable),
	}
	ignore, err := switchOf(ignoreEndpointVariable)
	if err != nil {
		return env, err
	}
	env.ignoreEndpoints = ignore == on
	env.fips, err = switchOf(fipsVariable)
	if err != nil {
		return env, err
	}
	env.dualStack, err = switchOf(dualStackVariable)
	return env, err
}

// The values of variables that switch something.
const (
	on  = "true"
	off = "false"
)

// switchOf reads a variable that is on or off, in any case, as the AWS SDKs do. Empty: it is not
// set.
func switchOf(variable string) (string, error) {
	value := os.Getenv(variable)
	switch state := strings.ToLower(value); state {
	case "", on, off:
		return state, nil
	}
	return "", &EnvironmentError{variable, fmt.Errorf("is %.40q, not true or false", value)}
}

// caBundle returns the certificates of AWS_CA_BUNDLE, or nil if that is not set. As in the AWS
// SDKs, these certificates replace the system's.
func caBundle(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, &EnvironmentError{caBundleVariable, err}
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, &EnvironmentError{caBundleVariable,
			fmt.Errorf("%.200q has no certificate in PEM", file)}
	}
	return pool, nil
}

// errNotBoth is what the SDK says at the first call.
var errNotBoth = errors.New("the AWS SDK calls an endpoint of your own, or one that is FIPS or " +
	"dual-stack, and not both: remove one of them")

// checkKinds refuses a configured endpoint together with FIPS or dual-stack endpoints. from says
// where the endpoint was set.
func checkKinds(endpoint, from string, o ClientOptions, env environment) error {
	if endpoint == "" {
		return nil
	}
	called := fmt.Sprintf("STS is to be called at %.200s, because of %s", shownURL(endpoint), from)
	switch {
	case o.FIPS:
		return fmt.Errorf("Config.FIPS is set, and %s: %w", called, errNotBoth)
	case o.DualStack:
		return fmt.Errorf("Config.DualStack is set, and %s: %w", called, errNotBoth)
	case env.fips == on:
		return &EnvironmentError{fipsVariable,
			fmt.Errorf("is true, and %s: %w", called, errNotBoth)}
	case env.dualStack == on:
		return &EnvironmentError{dualStackVariable,
			fmt.Errorf("is true, and %s: %w", called, errNotBoth)}
	}
	return nil
}

// FIPSSource says what has set the FIPS option of a client: the environment, or the program that
// made the client.
func FIPSSource() string { return switchSource(fipsVariable, "the FIPS option of Config.STS") }

// DualStackSource is FIPSSource for dual-stack endpoints.
func DualStackSource() string {
	return switchSource(dualStackVariable, "the dual-stack option of Config.STS")
}

func switchSource(variable, otherwise string) string {
	if state, err := switchOf(variable); state == on && err == nil {
		return variable
	}
	return otherwise
}
