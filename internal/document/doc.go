// Package document reads what other parties wrote. It fetches small documents over HTTP: https, no
// redirects, a limit on the size, and errors that hold nothing of the answer's body. It decodes
// JSON so strictly that two readers of one text never see different things.
package document
