// Package samldoc writes the two SAML documents that AWS reads: responses with one signed
// assertion, and metadata. A response is built from checked texts in crewjam/saml's types. One
// writer turns them into canonical XML, so that what is hashed is what is sent. A signature is
// verified before anybody sees it, and the assertion is encrypted if asked.
//
// The package is one step of the root package, and the only one that uses crewjam/saml. The tests
// compare its output with that library's own writer and goxmldsig.
package samldoc
