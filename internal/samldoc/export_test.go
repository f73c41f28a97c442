package samldoc

import "github.com/crewjam/saml"

// Unsigned writes crewjam/saml's types as Write does, without a signature.
func Unsigned(r *saml.Response) ([]byte, error) {
	var w writer
	w.responseStart(r)
	if r.Assertion != nil {
		w.assertion(r.Assertion)
	}
	w.responseEnd()
	return w.text, w.err
}
