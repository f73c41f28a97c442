package delegationhttp

import (
	"net/http"
	"strconv"
)

// MetadataSource has the SAML metadata that AWS needs. It is a [delegation.Delegator], whose
// metadata follows a replacement of keys, or a [delegation.IdentityProvider].
type MetadataSource interface {
	Metadata() ([]byte, error)
}

// Metadata returns the handler of the SAML metadata, which the operator uploads to IAM. The media
// type is application/samlmetadata+xml. The document is public: it holds certificates and no key.
// Every request asks the source, so added keys appear at once. If the source is nil or fails, the
// answer is 500 without detail.
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

// readOnly makes the handler of a document without a secret. It answers GET and HEAD, and caches
// must revalidate the answer.
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
