// Package session knows the session that AWS gives: who is asked for it, what it may carry, and why
// it is refused. It has the client of STS, AWS's limits on session names, tags and policies, which
// tags go when they are too large together, and the errors that STS answers with. The numbers are
// those of the STS API Reference and of the IAM User Guide, "IAM and AWS STS quotas" and "Pass
// session tags in AWS STS".
package session
