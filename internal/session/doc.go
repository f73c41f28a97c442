// Package session knows AWS's sessions: how they are requested, what they may carry, and why they
// are refused. It has the client of STS, AWS's limits on session names, tags and policies, the
// choice of tags to drop if they are too large together, and the errors of STS. The numbers are
// those of the STS API Reference and of the IAM User Guide, "IAM and AWS STS quotas" and "Pass
// session tags in AWS STS".
package session
