package delegationhttp

import (
	"net/http"
	"strconv"
)

// MetadataSource has the SAML metadata that AWS needs: [delegation.Delegator], with keys that were replaced since, or [delegation.IdentityProvider].
type MetadataSource interface {
	Metadata() ([]byte, error)
}

// Metadata returns the handler of the SAML metadata (application/samlmetadata+xml, SAML Metadata Interoperability §2.1), for the
// operator to hand to IAM. It is public: it holds certificates and no key. The source is asked at every request, so keys that are added show
// at once. A nil source, and one that fails, is answered with 500 and no detail.
func Metadata(source MetadataSource) http.Handler {
	return readOnly(func(w http.ResponseWriter, _ *http.Request) {
		var document []byte
		var err error
		if source != nil {
			document, err = source.Metadata()
		}
		if err != nil || len(document) == 0 {
			http.Error(w, "the metadata is not available", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/samlmetadata+xml")
		w.Header().Set("Content-Length", strconv.Itoa(len(document)))
		_, _ = w.Write(document)
	})
}

// readOnly is for documents without a secret: GET and HEAD, and fresh at every request.
func readOnly(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-cache")
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "the method must be GET or HEAD", http.StatusMethodNotAllowed)
			return
		}
		next(w, r)
	})
}
