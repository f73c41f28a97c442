package main

import (
	"mime"
	"net/http"
	"strings"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/term"
)

// detailsOf returns a function that writes the table of check, or the output of check --json to
// clients that ask for JSON. It is for the operator, on a separate listener. place finds a field in
// the configuration.
func detailsOf(place func(string) string) service.DetailsWriter {
	return func(
		w http.ResponseWriter, r *http.Request, status int, found []delegation.CheckResult,
	) {
		results := placed(found, place)
		kind := "text/plain; charset=utf-8"
		text := table(results, nil, term.Unpainted)
		if wantsJSON(r) {
			var err error
			if text, err = checkJSON(results, nil); err != nil {
				http.Error(w, http.StatusText(http.StatusInternalServerError),
					http.StatusInternalServerError)
				return
			}
			kind = "application/json"
		}
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		_, _ = w.Write(text) // the client may have disconnected
	}
}

// wantsJSON tells whether a request asks for JSON, by its query or a header.
func wantsJSON(r *http.Request) bool {
	if r.URL.Query().Get("format") == "json" {
		return true
	}
	for accepted := range strings.SplitSeq(strings.Join(r.Header.Values("Accept"), ","), ",") {
		kind, _, _ := mime.ParseMediaType(strings.TrimSpace(accepted))
		if kind == "application/json" {
			return true
		}
	}
	return false
}
