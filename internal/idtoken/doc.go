// Package idtoken verifies OpenID Connect ID tokens with the keys of their issuers, and finds and
// keeps these keys. It is one step of the root package: the caller decides what a verified token
// allows. Only jwx.go uses the JOSE library.
package idtoken
