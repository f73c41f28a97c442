package main

import (
	"encoding/xml"
	"io"
	"net/http"
	"strings"
	"testing"
)

// send sends a request with headers to an address.
func send(t *testing.T, method, address string, headers map[string]string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	return response
}

func TestBucket_Preflights(t *testing.T) {
	a := newAlbum(t)
	const signed = "authorization,x-amz-content-sha256,x-amz-date,x-amz-security-token"
	for name, of := range map[string]struct {
		origin, method, headers string
		status                  int
	}{
		"upload":         {a.page, http.MethodPut, signed, http.StatusOK},
		"delete":         {a.page, http.MethodDelete, signed, http.StatusOK},
		"no headers":     {a.page, http.MethodGet, "", http.StatusOK},
		"another origin": {"http://localhost:1", http.MethodPut, signed, http.StatusForbidden},
		"the service's":  {a.service, http.MethodPut, signed, http.StatusForbidden},
		"no origin":      {"", http.MethodPut, signed, http.StatusBadRequest},
		"another method": {a.page, http.MethodPatch, signed, http.StatusForbidden},
		"no method":      {a.page, "", signed, http.StatusBadRequest},
	} {
		headers := map[string]string{}
		for header, value := range map[string]string{
			"Origin":                         of.origin,
			"Access-Control-Request-Method":  of.method,
			"Access-Control-Request-Headers": of.headers,
		} {
			if value != "" {
				headers[header] = value
			}
		}
		response := send(t, http.MethodOptions, a.s3+"/"+albumBucket+"/alice/cat.jpg", headers)
		if response.StatusCode != of.status {
			t.Errorf("%s: got HTTP %d, want %d", name, response.StatusCode, of.status)
		}
		allowed := response.Header.Get("Access-Control-Allow-Origin")
		if (allowed == a.page) != (of.status == http.StatusOK) || allowed != "" && allowed != a.page {
			t.Errorf("%s: the origin %q is allowed", name, allowed)
		}
		got := response.Header.Get("Access-Control-Allow-Headers")
		if want := strings.ReplaceAll(of.headers, ",", ", "); of.status == http.StatusOK &&
			got != want {
			t.Errorf("%s: the headers %q are allowed", name, got)
		}
	}
}

// TestBucket_RefusalIsReadable: the page reads AWS's refusal, in AWS's XML, and another page reads
// nothing.
func TestBucket_RefusalIsReadable(t *testing.T) {
	a := newAlbum(t)
	for _, of := range []struct{ origin, allowed string }{
		{a.page, a.page}, {"https://mallory.example.com", ""},
	} {
		response := send(t, http.MethodGet, a.s3+"/"+albumBucket+"/bob/cat.jpg",
			map[string]string{"Origin": of.origin})
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		var refused struct {
			XMLName xml.Name `xml:"Error"`
			Code    string
			Message string
		}
		if err := xml.Unmarshal(body, &refused); err != nil {
			t.Fatal(err)
		}
		if response.StatusCode != http.StatusForbidden || refused.Code != "AccessDenied" ||
			response.Header.Get("Content-Type") != "application/xml" {
			t.Errorf("got HTTP %d, %+v", response.StatusCode, refused)
		}
		got := response.Header.Values("Access-Control-Allow-Origin")
		if strings.Join(got, ",") != of.allowed {
			t.Errorf("for %s the answer allows %v", of.origin, got)
		}
	}
}

func TestFits(t *testing.T) {
	for _, of := range []struct {
		pattern, value string
		want           bool
	}{
		{"*", "", true},
		{"*", "x-amz-date", true},
		{"x-amz-*", "x-amz-date", true},
		{"x-amz-*", "x-am", false},
		{"https://*.example.com", "https://app.example.com", true},
		{"https://*.example.com", "https://example.com", false},
		{"a*a", "a", false},
		{"etag", "etag2", false},
		{"etag", "etag", true},
	} {
		if got := fits(of.pattern, of.value); got != of.want {
			t.Errorf("fits(%q, %q) is %t", of.pattern, of.value, got)
		}
	}
}
