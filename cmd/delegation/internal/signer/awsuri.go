package signer

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
)

// awsKey is what a URI says about a key in AWS KMS.
type awsKey struct {
	id       string // a key's ID, alias/NAME or an ARN of one of them
	region   string // empty: as the SDK finds it
	profile  string // empty: as the SDK finds it
	endpoint string // a URL; empty: as the SDK finds it, or the region's
}

const awsForms = "use awskms:///KEY-ID, awskms:///alias/NAME or " +
	"awskms:///arn:aws:kms:REGION:ACCOUNT:key/ID, with ?region=REGION if the environment has none"

// parseAWS reads a URI of a key in AWS KMS, as Sigstore, Go CDK and step-kms write them:
//
//	awskms:///KEY   awskms://HOST/KEY   awskms://KEY-ID   awskms://alias/NAME   awskms:key-id=KEY
func parseAWS(uri string) (awsKey, error) {
	wrong := func(format string, args ...any) (awsKey, error) {
		return awsKey{}, refused(fmt.Sprintf(format, args...), awsForms)
	}
	rest := strings.TrimPrefix(uri, "awskms:")
	if !strings.HasPrefix(rest, "//") {
		return parseStep(rest)
	}
	rest, query, _ := strings.Cut(strings.TrimPrefix(rest, "//"), "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return wrong("what follows ? in the URI cannot be read")
	}
	var key awsKey
	for name, list := range values {
		field, known := map[string]*string{
			"region":   &key.region,
			"profile":  &key.profile,
			"endpoint": &key.endpoint,
		}[name]
		if !known || len(list) != 1 || list[0] == "" {
			return wrong("the URI has %.40q, which is not one of region, profile and endpoint, "+
				"or has it twice or empty", name)
		}
		*field = list[0]
	}
	host, path, _ := strings.Cut(rest, "/")
	switch {
	case host == "":
		key.id = path
	case strings.HasPrefix(rest, "arn:"):
		key.id = rest
	case host == "alias":
		key.id = rest
	case path == "" && isKeyID(host):
		key.id = host
	case path == "":
		return wrong("the URI names no key")
	default:
		key.id = path
		if key.endpoint != "" {
			return wrong("the URI names two endpoints")
		}
		key.endpoint = "https://" + host
	}
	return key.checked()
}

// parseStep reads what follows the scheme in a URI such as awskms:key-id=KEY;region=REGION.
func parseStep(rest string) (awsKey, error) {
	var key awsKey
	for field := range strings.SplitSeq(rest, ";") {
		name, value, _ := strings.Cut(field, "=")
		switch name {
		case "key-id":
			key.id = value
		case "region":
			key.region = value
		case "profile":
			key.profile = value
		default:
			return awsKey{}, refused(
				fmt.Sprintf("the URI has %.40q, which is not known", name), awsForms)
		}
	}
	return key.checked()
}

// checked completes a key with the parts of its ARN, and refuses a URI that names no key.
func (k awsKey) checked() (awsKey, error) {
	if strings.HasPrefix(k.id, "arn:") {
		parsed, err := arn.Parse(k.id)
		name, _, _ := strings.Cut(parsed.Resource, "/")
		if err != nil || parsed.Service != "kms" || name != "key" && name != "alias" {
			return awsKey{}, refused(fmt.Sprintf("%.200q is not the ARN of a KMS key", k.id), awsForms)
		}
		if k.region != "" && k.region != parsed.Region {
			return awsKey{}, refused(fmt.Sprintf("the URI says region %.40q, and its ARN %.40q",
				k.region, parsed.Region), "remove ?region=")
		}
		k.region = parsed.Region
	} else if !isKeyID(k.id) && !isAlias(k.id) {
		return awsKey{}, refused(fmt.Sprintf("%.200q names no key", k.id), awsForms)
	}
	if k.endpoint == "" {
		return k, nil
	}
	return k, checkEndpoint(k.endpoint)
}

// checkEndpoint refuses an endpoint at which somebody else could answer, or request signatures.
func checkEndpoint(endpoint string) error {
	u, err := url.Parse(endpoint)
	if err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http" {
		return refused(fmt.Sprintf("the endpoint %.200q is not a URL", endpoint),
			"write it as https://kms.REGION.amazonaws.com")
	}
	loopback := u.Hostname() == "localhost" || net.ParseIP(u.Hostname()).IsLoopback()
	if u.Scheme == "http" && !loopback {
		return refused(fmt.Sprintf("the endpoint %.200q is plain http to another machine",
			endpoint), "use https")
	}
	return nil
}

var keyIDForm = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\A(?:mrk-[0-9a-f]{32}|` +
		`[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})\z`)
})

var aliasForm = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\Aalias/[a-zA-Z0-9/_-]{1,250}\z`)
})

// isKeyID tells whether a text has the form of a KMS key's ID.
func isKeyID(id string) bool { return keyIDForm().MatchString(id) }

// isAlias tells whether a text has the form of an alias (KMS API Reference, CreateAlias).
func isAlias(id string) bool { return aliasForm().MatchString(id) }
