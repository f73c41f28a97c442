package main

import (
	"encoding/xml"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// corsRule is a rule of the CORS configuration of a bucket (Amazon S3 User Guide, Elements of a
// CORS configuration).
type corsRule struct {
	AllowedOrigins []string
	AllowedMethods []string
	AllowedHeaders []string
	ExposeHeaders  []string
	MaxAgeSeconds  int
}

// bucketCORS is the configuration that a bucket needs for a page of this origin. For a bucket in
// AWS, `delegation terraform --cors` writes it for the origins of http.allowed_origins.
func bucketCORS(origin string) []corsRule {
	return []corsRule{{
		AllowedOrigins: []string{origin},
		AllowedMethods: []string{
			http.MethodGet, http.MethodHead, http.MethodPut, http.MethodPost, http.MethodDelete,
		},
		AllowedHeaders: []string{"*"},
		ExposeHeaders:  []string{"ETag"},
		MaxAgeSeconds:  600,
	}}
}

// allowPages answers browsers' preflights as S3 does for a bucket with these rules. It adds the
// CORS headers to all other answers, including refusals, and drops those that next sets.
func allowPages(rules []corsRule, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		origin := r.Header.Get("Origin")
		if r.Method == http.MethodOptions {
			preflight(rules, w, r)
			return
		}
		own := http.Header{}
		if rule, ok := match(rules, origin, r.Method, nil); ok {
			rule.answer(own, origin)
		}
		next.ServeHTTP(&corsWriter{ResponseWriter: w, own: own}, r)
	})
}

// preflight answers an OPTIONS request. S3 refuses one that no rule allows.
func preflight(rules []corsRule, w http.ResponseWriter, r *http.Request) {
	origin := r.Header.Get("Origin")
	method := r.Header.Get("Access-Control-Request-Method")
	if origin == "" || method == "" {
		refuseCORS(w, http.StatusBadRequest, "BadRequest", "Insufficient information. "+
			"Origin request header needed.")
		return
	}
	var headers []string
	for name := range strings.SplitSeq(r.Header.Get("Access-Control-Request-Headers"), ",") {
		if name = strings.TrimSpace(name); name != "" {
			headers = append(headers, strings.ToLower(name))
		}
	}
	rule, ok := match(rules, origin, method, headers)
	if !ok {
		refuseCORS(w, http.StatusForbidden, "AccessForbidden", "CORSResponse: This CORS request "+
			"is not allowed. This is usually because the evalution of Origin, request method / "+
			"Access-Control-Request-Method or Access-Control-Request-Headers are not "+
			"whitelisted by the resource's CORS spec.")
		return
	}
	rule.answer(w.Header(), origin)
	if len(headers) > 0 {
		w.Header().Set("Access-Control-Allow-Headers", strings.Join(headers, ", "))
	}
	w.WriteHeader(http.StatusOK)
}

// match returns the first rule that allows a request. S3 uses only that one.
func match(rules []corsRule, origin, method string, headers []string) (corsRule, bool) {
	for _, rule := range rules {
		if rule.allows(origin, method, headers) {
			return rule, true
		}
	}
	return corsRule{}, false
}

func (c corsRule) allows(origin, method string, headers []string) bool {
	if origin == "" || !slices.Contains(c.AllowedMethods, method) {
		return false
	}
	if !slices.ContainsFunc(c.AllowedOrigins, func(p string) bool { return fits(p, origin) }) {
		return false
	}
	for _, header := range headers {
		allowed := func(p string) bool { return fits(strings.ToLower(p), header) }
		if !slices.ContainsFunc(c.AllowedHeaders, allowed) {
			return false
		}
	}
	return true
}

// fits tells whether a value matches a pattern, which may have one *.
func fits(pattern, value string) bool {
	before, after, wild := strings.Cut(pattern, "*")
	if !wild {
		return pattern == value
	}
	return len(value) >= len(before)+len(after) &&
		strings.HasPrefix(value, before) && strings.HasSuffix(value, after)
}

// answer sets the CORS headers.
func (c corsRule) answer(header http.Header, origin string) {
	if slices.Contains(c.AllowedOrigins, "*") {
		header.Set("Access-Control-Allow-Origin", "*")
	} else {
		header.Set("Access-Control-Allow-Origin", origin)
		header.Set("Access-Control-Allow-Credentials", "true")
	}
	header.Set("Access-Control-Allow-Methods", strings.Join(c.AllowedMethods, ", "))
	if len(c.ExposeHeaders) > 0 {
		header.Set("Access-Control-Expose-Headers", strings.Join(c.ExposeHeaders, ", "))
	}
	if c.MaxAgeSeconds > 0 {
		header.Set("Access-Control-Max-Age", strconv.Itoa(c.MaxAgeSeconds))
	}
	header.Set("Vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method")
}

// refuseCORS writes an S3 error.
func refuseCORS(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(xml.Header)) // the browser may have disconnected
	_ = xml.NewEncoder(w).Encode(struct {
		XMLName xml.Name `xml:"Error"`
		Code    string
		Message string
	}{Code: code, Message: message})
}

// corsWriter replaces the CORS headers that a handler sets.
type corsWriter struct {
	http.ResponseWriter
	own   http.Header
	wrote bool
}

// WriteHeader implements [http.ResponseWriter].
func (w *corsWriter) WriteHeader(status int) {
	if !w.wrote {
		w.wrote = true
		header := w.Header()
		for name := range header {
			if strings.HasPrefix(name, "Access-Control-") {
				header.Del(name)
			}
		}
		for name, values := range w.own {
			header[name] = values
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (w *corsWriter) Write(p []byte) (int, error) {
	if !w.wrote {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(p)
}
