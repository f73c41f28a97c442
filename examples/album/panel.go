package main

import (
	"net/http"
	"strings"
	"time"
)

// maxAdvance is the maximum by which one request may move the test clock.
const maxAdvance = 30 * 24 * time.Hour

// panel serves what the page shows about exchanges. It is only for the album in memory, because it
// shows the exchanges of all users to everyone who can reach it.
type panel struct {
	album     *album
	testClock bool
}

func (p *panel) route(mux *http.ServeMux) {
	mux.Handle("GET /exchanges", p.album.exchanges)
	mux.HandleFunc("POST /explain", p.explain)
	mux.HandleFunc("GET /rules", p.listRules)
	mux.HandleFunc("POST /rules", p.turnRule)
	if p.testClock {
		mux.HandleFunc("POST /clock", p.advanceClock)
	}
}

// explain says what an exchange of the token would decide, and why. Refusals also have status 200,
// because browsers report statuses from 400 on as errors of the page.
func (p *panel) explain(w http.ResponseWriter, r *http.Request) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		w.Header().Set("WWW-Authenticate", "Bearer")
		http.Error(w, "send the ID token in the header Authorization, after Bearer",
			http.StatusUnauthorized)
		return
	}
	e, err := p.album.delegator.Explain(r.Context(), strings.TrimSpace(token), albumTarget)
	writeJSON(w, newExplanation(e, err))
}

func (p *panel) listRules(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, p.album.rules.list())
}

// turnRule switches a rule on or off. The next exchange sees this even if its credentials come from
// the cache: rules run in every exchange, and cached credentials are found by what the rules
// decide.
func (p *panel) turnRule(w http.ResponseWriter, r *http.Request) {
	var q struct {
		Name string `json:"name"`
		On   bool   `json:"on"`
	}
	if !readJSON(w, r, &q) {
		return
	}
	if err := p.album.rules.turn(q.Name, q.On); err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	p.listRules(w, r)
}

// advanceClock moves the time of the provider, the service, STS and S3.
func (p *panel) advanceClock(w http.ResponseWriter, r *http.Request) {
	var q struct {
		Seconds float64 `json:"advance_seconds"`
	}
	if !readJSON(w, r, &q) {
		return
	}
	if q.Seconds < 0 || q.Seconds > maxAdvance.Seconds() {
		http.Error(w, "advance_seconds must be from 0 to 2592000", http.StatusBadRequest)
		return
	}
	p.album.clock.advance(time.Duration(q.Seconds * float64(time.Second)))
	writeJSON(w, map[string]any{"now": p.album.clock.Now().UTC()})
}
