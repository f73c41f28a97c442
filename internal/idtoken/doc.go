// Package idtoken verifies OpenID Connect ID tokens with the keys of their issuers, and finds and
// keeps these keys. It is a step of the root package's: what a verified token is good for is the
// caller's matter. The library that knows JOSE is known in jwx.go only.
package idtoken
