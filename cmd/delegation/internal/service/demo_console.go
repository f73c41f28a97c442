package service

import (
	_ "embed"
	"html/template"
	"net/http"
	"sync"
)

//go:embed demo_console.html
var demoConsoleText string

var demoConsolePage = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("console").Parse(demoConsoleText))
})

// demoConsole answers as AWS's sign-in endpoint does. Where AWS redirects to the console, it shows
// its own page instead, so that nothing leaves this machine.
func demoConsole(federation http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		federation.ServeHTTP(&stubbedConsole{ResponseWriter: w}, r)
	})
}

// stubbedConsole writes a page instead of a redirect.
type stubbedConsole struct {
	http.ResponseWriter
	replaced bool
}

func (s *stubbedConsole) WriteHeader(status int) {
	header := s.Header()
	destination := header.Get("Location")
	if destination == "" {
		s.ResponseWriter.WriteHeader(status)
		return
	}
	s.replaced = true
	header.Del("Location")
	header.Del("Content-Length")
	style, _ := inlineHashes(demoConsoleText)
	secure(header, "default-src 'none'; style-src "+style+"; img-src data:; "+
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	s.ResponseWriter.WriteHeader(http.StatusOK)
	_ = demoConsolePage().Execute(s.ResponseWriter, destination) // the browser may be gone
}

func (s *stubbedConsole) Write(p []byte) (int, error) {
	if s.replaced {
		return len(p), nil
	}
	return s.ResponseWriter.Write(p)
}
