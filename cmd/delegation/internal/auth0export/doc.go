// Package auth0export reads what Auth0's Deploy CLI and Management API write about a tenant, and
// makes a configuration, a folder of rules and a report from it. It runs no rule and makes no
// network calls. It refuses any part of a rule or of an AWS add-on that it does not understand,
// because that part may have decided who got which role.
package auth0export
