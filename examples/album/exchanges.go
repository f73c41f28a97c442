package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/seed055b7978/delegation"
)

const (
	// keptExchanges is how many exchanges a newly opened page gets.
	keptExchanges = 20

	// waitingExchanges is how many exchanges are buffered for a page that reads slowly. It misses
	// any others.
	waitingExchanges = 64
)

// exchange is one exchange as the panel shows it. It contains no token, assertion or secret,
// because it is made from [delegation.Event], which has none.
type exchange struct {
	ID      int       `json:"id"`
	At      time.Time `json:"at"`
	User    string    `json:"user"` // empty: the token was not verified
	Outcome string    `json:"outcome"`
	// Code and Message say why an exchange was refused. Message is what the user is told.
	Code    string `json:"code"`
	Message string `json:"message"`
	// Rule is the rule that refused or failed, or the last one that changed the role.
	Rule   string  `json:"rule"`
	Cache  string  `json:"cache"`
	Stages []stage `json:"stages"`

	Role           string            `json:"role"`
	SessionName    string            `json:"session_name"`
	SourceIdentity string            `json:"source_identity"`
	Tags           map[string]string `json:"tags"`
	Expiration     *time.Time        `json:"expiration"` // null: no credentials
}

// stage is a step of an exchange, as measured by the library.
type stage struct {
	Name string `json:"name"`
	// Start and Took are in milliseconds. Start counts from the beginning of the exchange.
	Start float64 `json:"start_ms"`
	Took  float64 `json:"ms"`
	Text  string  `json:"text"`
	// Failed says that the exchange ended here.
	Failed bool `json:"failed,omitempty"`
}

// stages are the panel's stages, in the order in which they run, with the library's stages that
// each of them covers.
var stages = []struct {
	name string
	of   []delegation.Stage
}{
	{"token", []delegation.Stage{delegation.StageToken}},
	{"rules", []delegation.Stage{
		delegation.StageTarget, delegation.StageRules, delegation.StageDecision,
		delegation.StageCache,
	}},
	{"saml", []delegation.Stage{delegation.StageSAML}},
	{"sts", []delegation.Stage{delegation.StageSTS}},
	{"credentials", []delegation.Stage{delegation.StageAudit}},
}

// newExchange is what the panel shows of an event.
func newExchange(e delegation.Event) exchange {
	x := exchange{
		At:             e.Time,
		User:           e.Subject,
		Outcome:        string(e.Outcome),
		Code:           string(e.Code),
		Rule:           e.Rule,
		Cache:          string(e.Cache),
		Role:           e.Role,
		SessionName:    e.SessionName,
		SourceIdentity: e.SourceIdentity,
		Tags:           e.Tags,
	}
	if x.Tags == nil {
		x.Tags = map[string]string{}
	}
	if !e.Expiration.IsZero() {
		end := e.Expiration.UTC()
		x.Expiration = &end
	}
	var refusal *delegation.Error
	if errors.As(e.Err, &refusal) {
		x.Message = refusal.Public()
	}
	x.Stages = stagesOf(e)
	return x
}

// stagesOf returns the stages that an exchange has reached.
func stagesOf(e delegation.Event) []stage {
	reached := []stage{}
	var start time.Duration
	for _, s := range stages {
		var took time.Duration
		ran := s.name == "credentials" && e.Err == nil
		failed := false
		for _, part := range s.of {
			t, ok := e.Took[part]
			ran = ran || ok
			took += t
			failed = failed || e.Err != nil && e.Stage == part
		}
		if !ran && !failed {
			continue
		}
		reached = append(reached, stage{
			Name:   s.name,
			Start:  milliseconds(start),
			Took:   milliseconds(took),
			Text:   textOf(s.name, e, failed),
			Failed: failed,
		})
		start += took
	}
	return reached
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// textOf says in a few words what a stage did.
func textOf(name string, e delegation.Event, failed bool) string {
	if failed {
		return fmt.Sprintf("refused: %s", e.Code)
	}
	switch name {
	case "token":
		return fmt.Sprintf("%s token of %s, signature verified", e.Algorithm, e.Subject)
	case "rules":
		return "no rule refuses; session of " + inMinutes(e.Duration)
	case "saml":
		return "assertion signed: NameID " + e.Subject
	case "sts":
		return "AssumeRoleWithSAML: " + e.RequestID
	default:
		if e.Cache == delegation.CacheHit {
			return e.AccessKeyID + ", from the cache"
		}
		return e.AccessKeyID
	}
}

// inMinutes formats the length of a session for people, such as "15 minutes".
func inMinutes(d time.Duration) string {
	minutes := d.Round(time.Minute) / time.Minute
	if minutes == 1 {
		return "1 minute"
	}
	return fmt.Sprintf("%d minutes", minutes)
}

// exchangeLog keeps the last exchanges, and passes new ones on to open pages. It is safe for
// concurrent use.
type exchangeLog struct {
	mu       sync.Mutex
	last     int // ID
	kept     []exchange
	watchers map[chan exchange]bool
}

func newExchangeLog() *exchangeLog {
	return &exchangeLog{watchers: map[chan exchange]bool{}}
}

// add is Config.OnEvent. It never waits for a page.
func (l *exchangeLog) add(_ context.Context, e delegation.Event) {
	if e.Outcome == delegation.OutcomeListed {
		return // a list of roles is no exchange
	}
	x := newExchange(e)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	x.ID = l.last
	l.kept = append(l.kept, x)
	if len(l.kept) > keptExchanges {
		l.kept = slices.Delete(l.kept, 0, 1)
	}
	for watcher := range l.watchers {
		select {
		case watcher <- x:
		default:
		}
	}
}

// watch returns the recorded exchanges, and a channel for later ones, until the returned function
// is called.
func (l *exchangeLog) watch() (kept []exchange, next <-chan exchange, end func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	watcher := make(chan exchange, waitingExchanges)
	l.watchers[watcher] = true
	return slices.Clone(l.kept), watcher, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.watchers, watcher)
	}
}

// ServeHTTP sends exchanges as server-sent events until the page disconnects. A page that
// reconnects gets those that it has missed.
func (l *exchangeLog) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	seen, _ := strconv.Atoi(r.Header.Get("Last-Event-ID")) // otherwise 0: none seen
	kept, next, end := l.watch()
	defer end()
	send := func(x exchange) error {
		text, err := json.Marshal(x)
		if err != nil {
			return err
		}
		if _, err = fmt.Fprintf(w, "id: %d\ndata: %s\n\n", x.ID, text); err != nil {
			return err
		}
		return http.NewResponseController(w).Flush()
	}
	for _, x := range kept {
		if x.ID <= seen {
			continue
		}
		if send(x) != nil {
			return
		}
	}
	if http.NewResponseController(w).Flush() != nil { // the headers, if nothing is kept
		return
	}
	for {
		select {
		case <-r.Context().Done():
			return
		case x := <-next:
			if send(x) != nil {
				return
			}
		}
	}
}
