package samldoc

import "github.com/crewjam/saml"

// Unsigned writes crewjam/saml's types as Write does, without a signature.
func Unsigned(r *saml.Response) ([]byte, error) {
	start := *r
	start.Assertion = nil
	var w writer
	w.responseStart(&start)
	if r.Assertion != nil {
		w.assertion(r.Assertion)
	}
	w.responseEnd()
	return w.text, w.err
}

// Start writes a response up to its assertion.
func Start(r *saml.Response) error {
	var w writer
	w.responseStart(r)
	return w.err
}
