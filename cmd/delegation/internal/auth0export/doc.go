// Package auth0export reads what Auth0's Deploy CLI and Management API write about a tenant, and
// makes a configuration, a folder of rules and a report of it. It runs no rule and makes no
// network calls. What it does not understand of a rule or of an AWS add-on it refuses, so that
// nothing is lost that decided who got which role.
package auth0export
