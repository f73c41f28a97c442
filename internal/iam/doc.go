// Package iam knows the names and documents of AWS Identity and Access Management. It parses ARNs
// more strictly than the SDK, tells the partition of a region, and writes trust and permission
// policies. It fills policy templates with what is known of a user, so that no value becomes more
// than a name.
package iam
