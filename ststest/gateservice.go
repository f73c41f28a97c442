package ststest

import (
	"maps"
	"slices"
	"strings"
)

// targetPrefixes are what X-Amz-Target begins with for the services of [JSONAccess] (API References
// of the services; their models in the SDKs have it as targetPrefix).
var targetPrefixes = map[string]string{
	"dynamodb":       "DynamoDB_20120810",
	"events":         "AWSEvents",
	"kms":            "TrentService",
	"secretsmanager": "secretsmanager",
	"sqs":            "AmazonSQS",
}

// serviceHost is a host name of one of these services (AWS General Reference, Service endpoints).
var serviceHost = newPattern(`\A(dynamodb|events|kms|secretsmanager|sqs)(?:-fips)?\.` +
	`[a-z]{2,4}(?:-[a-z]+)+-\d+\.(?:amazonaws\.com(?:\.cn)?|amazonaws\.eu|api\.aws|` +
	`api\.amazonwebservices\.com\.cn|c2s\.ic\.gov|sc2s\.sgov\.gov)\z`)

// otherEndpoint returns the service to whose endpoint a request is, if it is not the one for which
// the request is signed. Otherwise a request signed for one service would be judged as one for it,
// and reach the fake of another.
func (j *judgement) otherEndpoint(service string) string {
	if mine := j.gate.Services; len(mine) > 0 && !slices.Contains(mine, service) {
		return mine[0]
	}
	host := hostName(j.request.Host)
	found := serviceHost.FindStringSubmatch(host)
	switch {
	case s3Host.MatchString(host) && service != "s3":
		return "s3"
	case found != nil && service != found[1]:
		return found[1]
	}
	prefix, _, _ := strings.Cut(j.request.Header.Get("X-Amz-Target"), ".")
	for _, name := range slices.Sorted(maps.Keys(targetPrefixes)) {
		if prefix == targetPrefixes[name] && service != name {
			return name
		}
	}
	return ""
}

// checkService refuses a request at the endpoint of a service for which it is not signed.
func (j *judgement) checkService() *gateRefusal {
	service := j.request.Service
	j.endpoint = j.otherEndpoint(service)
	switch j.endpoint {
	case "":
		return nil
	case "s3":
		return &gateRefusal{reason: wrongScope, message: "The authorization header is malformed; " +
			"incorrect service \"" + service + "\". This endpoint belongs to \"s3\"."}
	}
	return &gateRefusal{reason: wrongScope, message: "Credential should be scoped to correct " +
		"service: '" + j.endpoint + "'."}
}
