// Package explain words the warnings and changes in an explanation. It warns of what is allowed and
// may surprise, such as a limit of AWS's that is near or a certificate that ends soon. It names
// what a rule has changed.
package explain
