package main

import (
	"embed"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
)

//go:embed page
var pageFiles embed.FS

// settings are what the page reads from /settings.json.
type settings struct {
	Issuer   string   `json:"issuer"`
	ClientID string   `json:"clientId"`
	Service  string   `json:"service"`
	Target   string   `json:"target"`
	STS      string   `json:"sts"` // empty: that of AWS in the region
	S3       string   `json:"s3"`  // empty: that of AWS in the region
	Bucket   string   `json:"bucket"`
	Region   string   `json:"region"`
	Users    []string `json:"users"`
	// Live says that everything runs in this process, so there is a panel.
	Live bool `json:"live"`
	// TestClock says that POST /clock moves the time.
	TestClock bool `json:"testClock"`
	// tokenEndpoint is a URL of the provider that is not at the issuer's origin; empty: all are.
	// The page finds it in the provider's discovery document, but must be allowed to call it.
	tokenEndpoint string
}

// settings returns the settings of an album in memory.
func (a *album) settings(testClock bool) settings {
	return settings{
		Issuer:    a.issuer,
		ClientID:  clientID,
		Service:   a.service,
		Target:    albumTarget,
		STS:       a.places.sts,
		S3:        a.s3,
		Bucket:    albumBucket,
		Region:    albumRegion,
		Users:     userNames(),
		Live:      true,
		TestClock: testClock,
	}
}

// newSite serves the page and its settings, and the panel unless it is nil.
func newSite(s settings, p *panel) http.Handler {
	files, err := fs.Sub(pageFiles, "page")
	if err != nil {
		panic(err) // cannot fail: page is embedded
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		if port, is := strings.CutPrefix(r.Host, "localhost:"); is && s.Live {
			// Its provider knows the page by its address alone, and would refuse the sign-in.
			http.Redirect(w, r, "http://127.0.0.1:"+port+"/", http.StatusFound)
			return
		}
		http.ServeFileFS(w, r, files, "index.html")
	})
	mux.Handle("GET /assets/", http.StripPrefix("/assets", http.FileServerFS(files)))
	mux.HandleFunc("GET /settings.json", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, s)
	})
	if p != nil {
		p.route(mux)
	}
	policy := s.contentSecurityPolicy()
	return http.NewCrossOriginProtection().Handler(
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			header := w.Header()
			header.Set("Content-Security-Policy", policy)
			header.Set("Cache-Control", "no-store")
			header.Set("Referrer-Policy", "no-referrer")
			header.Set("X-Content-Type-Options", "nosniff")
			mux.ServeHTTP(w, r)
		}))
}

// contentSecurityPolicy lets the page run only its own scripts, and call only what the settings
// name. This limits where an injected script could send credentials.
func (s settings) contentSecurityPolicy() string {
	calls := []string{"'self'", originOf(s.Issuer), originOf(s.Service)}
	images := []string{"'self'", "blob:", "data:"}
	s3 := s.S3
	if s3 == "" {
		s3 = "https://" + s.Bucket + ".s3." + s.Region + ".amazonaws.com"
	}
	sts := s.STS
	if sts == "" {
		sts = "https://sts." + s.Region + ".amazonaws.com"
	}
	calls = append(calls, originOf(s3), originOf(sts))
	if s.tokenEndpoint != "" {
		calls = append(calls, originOf(s.tokenEndpoint))
	}
	images = append(images, originOf(s3))
	return "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; " +
		"connect-src " + strings.Join(calls, " ") + "; img-src " + strings.Join(images, " ") +
		"; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}

// originOf returns the origin of an http or https URL, without its path. It is empty for other
// URLs.
func originOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

func writeJSON(w http.ResponseWriter, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		http.Error(w, "no answer", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(body, '\n')) // the browser may have disconnected
}

// maxRequest is the size of the largest request that the panel reads, in bytes.
const maxRequest = 4 << 10

// readJSON reads the body of a request. If it cannot, it answers the request and returns false.
func readJSON(w http.ResponseWriter, r *http.Request, value any) bool {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest))
	d.DisallowUnknownFields()
	err := d.Decode(value)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		http.Error(w, "the request is too large", http.StatusRequestEntityTooLarge)
	case err != nil:
		http.Error(w, "the request is not the JSON that is expected", http.StatusBadRequest)
	}
	return err == nil
}
