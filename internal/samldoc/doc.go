// Package samldoc writes the two SAML documents that AWS reads: responses with one signed
// assertion, and metadata. A response is built from checked texts in crewjam/saml's types. One
// writer turns them into canonical XML, so that what is hashed is what is sent. A signature is
// verified before anybody sees it, and the assertion is encrypted if asked.
//
// The package is a step of the root package's, and crewjam/saml is known here only. That library's
// own writer, with goxmldsig, is the oracle of the tests.
package samldoc
