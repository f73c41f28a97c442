package document_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seed055b7978/delegation/internal/document"
)

func TestGet(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/full":
			fmt.Fprint(w, strings.Repeat(" ", document.MaxSize))
		case "/over":
			fmt.Fprint(w, strings.Repeat(" ", document.MaxSize+1))
		case "/moved":
			http.Redirect(w, r, "/full", http.StatusFound)
		case "/broken":
			w.Header().Set("Content-Length", "10")
			fmt.Fprint(w, "canary")
		default:
			http.Error(w, "canary", http.StatusTeapot)
		}
	}))
	t.Cleanup(server.Close)
	for path, want := range map[string]error{"/full": nil, "/over": document.ErrTooLarge,
		"/moved": document.ErrRedirect} {
		if _, err := document.Get(t.Context(), document.Client(nil),
			server.URL+path); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", path, err, want)
		}
	}
	for path, want := range map[string]string{
		"/broken": "ended before it was complete",
		"/other":  "418",
	} {
		_, err := document.Get(t.Context(), document.Client(nil), server.URL+path)
		if err == nil || !strings.Contains(err.Error(), want) ||
			strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: got %v, want %q and nothing of the body", path, err, want)
		}
	}
	if _, err := document.Get(t.Context(), document.Client(nil), "://"); err == nil {
		t.Error("nonsense is no URL")
	}
	own := &http.Client{}
	if document.Client(own); own.CheckRedirect != nil {
		t.Error("the caller's client was changed")
	}
}

// TestPost: a form goes out, a document comes back, and what is refused says nothing of either.
func TestPost(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/echo":
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			w.Header().Set("X-Echo", "yes")
			fmt.Fprintf(w, "%s %s %s %s %s", r.Method, r.URL.RawQuery, r.Header.Get("Content-Type"),
				r.Header.Get("Accept"), body)
		case "/moved":
			// which asks for the form again
			http.Redirect(w, r, "/echo", http.StatusTemporaryRedirect)
		case "/over":
			fmt.Fprint(w, strings.Repeat(" ", document.MaxSize+1))
		case "/broken":
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, "canary")
		case "/cut":
			panic(http.ErrAbortHandler)
		default:
			status, err := strconv.Atoi(r.URL.Path[1:])
			if err != nil {
				t.Error(err)
			}
			w.WriteHeader(status)
		}
	}))
	t.Cleanup(server.Close)
	form := url.Values{"Secret": {"canary & more"}, "Action": {"a"}}
	body, header, err := document.Post(t.Context(), document.Client(nil), server.URL+"/echo?q=1",
		form)
	want := "POST q=1 application/x-www-form-urlencoded application/json " +
		"Action=a&Secret=canary+%26+more"
	if err != nil || string(body) != want || header.Get("X-Echo") != "yes" {
		t.Errorf("got %q, %v, %v, want %q", body, header, err, want)
	}
	answer, err := document.Get(t.Context(), document.Client(nil), server.URL+"/echo")
	if err != nil || string(answer.Body) != "GET   application/json " {
		t.Errorf("Get sent a form: %+v, %v", answer, err)
	}
	for path, want := range map[string]error{
		"/moved": document.ErrRedirect, "/over": document.ErrTooLarge, "/300": document.ErrRedirect,
		"/399": document.ErrRedirect,
		"/201": document.StatusError(201), "/204": document.StatusError(204),
		"/299": document.StatusError(299), "/400": document.StatusError(400),
		"/403": document.StatusError(403), "/500": document.StatusError(500),
	} {
		body, header, err := document.Post(t.Context(), document.Client(nil), server.URL+path, form)
		if !errors.Is(err, want) || body != nil || header != nil {
			t.Errorf("%s: got %q, %v, %v, want %v", path, body, header, err, want)
		}
		if status, ok := want.(document.StatusError); ok &&
			err.Error() != fmt.Sprintf("it answered %d", int(status)) {
			t.Errorf("%s: %q", path, err)
		}
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range map[string]func() error{
		"broken off": func() error {
			_, _, err := document.Post(t.Context(), document.Client(nil), server.URL+"/broken",
				form)
			return err
		},
		"no answer": func() error {
			_, _, err := document.Post(t.Context(), document.Client(nil), server.URL+"/cut", form)
			return err
		},
		"canceled": func() error {
			_, _, err := document.Post(canceled, document.Client(nil), server.URL+"/echo?canary",
				form)
			return err
		},
		"no URL": func() error {
			_, _, err := document.Post(t.Context(), document.Client(nil), "://canary", form)
			return err
		},
	} {
		err := call()
		var status document.StatusError
		if err == nil || strings.Contains(err.Error(), "canary") ||
			strings.Contains(err.Error(), server.URL) || errors.As(err, &status) {
			t.Errorf("%s: got %v", name, err)
		}
		if errors.Is(err, context.Canceled) != (name == "canceled") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestLife(t *testing.T) {
	for header, want := range map[string]time.Duration{
		"": time.Hour, "public": time.Hour, "max-age=oops": time.Hour,
		"max-age=7200": 2 * time.Hour, `Public, Max-Age="7200"`: 2 * time.Hour,
		"max-age=1": time.Minute, "max-age=0": time.Minute, "max-age=-5": time.Minute,
		"max-age=999999999": 24 * time.Hour,
		"no-store":          time.Minute, "max-age=7200, no-cache": time.Minute,
		"max-age=99999999999999999999": 24 * time.Hour, "max-age=-99999999999999999999": time.Hour,
	} {
		if got := document.Life(http.Header{"Cache-Control": {header}}, time.Hour, time.Minute,
			24*time.Hour); got != want {
			t.Errorf("%q: %s, want %s", header, got, want)
		}
	}
}

func TestCheckURL(t *testing.T) {
	for url, allowed := range map[string][2]bool{ // without and with http to loopback
		"https://issuer.example.com/": {true, true}, "https://10.0.0.1/": {true, true},
		"http://127.0.0.1:80/": {false, true}, "http://[::1]/": {false, true},
		"http://localhost/": {false, true}, "http://127.9.9.9/": {false, true},
		"http://issuer.example.com/": {}, "http://10.0.0.1/": {},
		"http://localhost.example.com/": {}, "ftp://127.0.0.1/": {},
		"https://user:secret@issuer.example.com/": {}, "https://issuer.example.com/#x": {},
		"https://": {}, "": {}, "issuer.example.com": {}, "\x7f": {},
	} {
		for i, loopback := range []bool{false, true} {
			if err := document.CheckURL(url, loopback); (err == nil) != allowed[i] {
				t.Errorf("%q, loopback %t: got %v", url, loopback, err)
			}
		}
	}
}

func TestCheckFound(t *testing.T) {
	const by = "https://issuer.example.com/"
	for url, allowed := range map[string]bool{
		"https://issuer.example.com/jwks": true, "https://keys.example.net/jwks": true,
		"https://169.254.169.254/latest": false, "https://[fd00:ec2::254]/": false,
		"https://127.0.0.1/": false, "https://localhost/": false,
		"https://LOCALHOST./": false, "https://2130706433/": false, "https://0x7f.1/": false,
		"https://127。0。0。1/": false, "https://ⓛocalhost/": false,
		"http://issuer.example.com/jwks": false, "": false,
	} {
		err := document.Allowed{LoopbackHTTP: true}.CheckFound(url, by)
		if (err == nil) != allowed {
			t.Errorf("%q: got %v", url, err)
		}
	}
	err := document.Allowed{}.CheckFound("https://10.0.0.1/jwks", "https://10.0.0.1/")
	if err != nil {
		t.Errorf("a private issuer may name itself: %v", err)
	}
}

// TestDate: the time of an answer is that of its server, also if a cache has kept it for a while.
func TestDate(t *testing.T) {
	const nine = "Mon, 23 Nov 2026 09:00:00 GMT"
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	for name, row := range map[string]struct {
		date, age string
		want      time.Time
	}{
		"as it is sent":   {nine, "", at},
		"of a cache":      {nine, "90", at.Add(90 * time.Second)},
		"an age of none":  {nine, "old", at},
		"a negative age":  {nine, "-90", at},
		"no date":         {"", "90", time.Time{}},
		"another form":    {"2026-11-23T09:00:00Z", "", time.Time{}},
		"an age too long": {nine, "99999999999", at},
	} {
		header := http.Header{"Date": {row.date}, "Age": {row.age}}
		if got := document.Date(header); !got.Equal(row.want) {
			t.Errorf("%s: got %s, want %s", name, got, row.want)
		}
	}
}
