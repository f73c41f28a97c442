// Package samldoc writes the two SAML documents that AWS reads: responses with one signed
// assertion, and metadata. A response is built from checked texts, signed by a signer whose
// signatures are verified before anybody sees them, and encrypted if asked. It is a step of the
// root package's, and the SAML libraries are known here only.
package samldoc
