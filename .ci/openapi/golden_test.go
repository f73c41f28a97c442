package openapi

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const top = "../.."

// golden is a request of the golden table of TestAnswers, and what it was answered.
type golden struct {
	Name   string   `json:"name"`
	Method string   `json:"method"`
	Path   string   `json:"path"`
	Header []string `json:"header"`
	Body   string   `json:"body"`
	Bytes  int      `json:"bytes"` // of a body that is not shown

	status int
	header http.Header // of the answer
	body   string      // of the answer
}

// The tokens of the golden requests, and what changes in the answers, are replaced by values of the
// same kind.
const (
	someToken = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2ln"
	someTime  = "2026-11-23T10:00:00Z"
	someURL   = "https://signin.aws.amazon.com/federation?Action=login"
)

var (
	placeholder = regexp.MustCompile(`\{[a-z]+\}`)
	times       = regexp.MustCompile(`"(Expiration|session_end)":"…"`)
	urls        = regexp.MustCompile(`"url":"…"`)
)

// readGolden reads the golden requests and their answers.
func readGolden(t *testing.T) []golden {
	t.Helper()
	folder := filepath.Join(top, "cmd", "delegation", "testdata")
	var all []golden
	requests := json.NewDecoder(bytes.NewReader(read(t, filepath.Join(folder, "requests.jsonl"))))
	for {
		var g golden
		err := requests.Decode(&g)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, g)
	}
	text := "\n" + strings.TrimSuffix(string(read(t, filepath.Join(folder, "answers.txt"))), "\n")
	answers := strings.Split(text, "\n== ")[1:]
	if len(answers) != len(all) || len(all) < 90 {
		t.Fatalf("%d requests and %d answers", len(all), len(answers))
	}
	for i, answer := range answers {
		name, rest, _ := strings.Cut(answer, "\n")
		if name != all[i].Name {
			t.Fatalf("the request %q has the answer of %q", all[i].Name, name)
		}
		if err := all[i].parse(rest); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return all
}

// parse reads an answer: the line of its status, its header, and its body after an empty line.
func (g *golden) parse(answer string) error {
	status, rest, _ := strings.Cut(answer, "\n")
	head, body, _ := strings.Cut(rest, "\n\n")
	var err error
	if g.status, err = strconv.Atoi(status); err != nil {
		return err
	}
	lines := textproto.NewReader(bufio.NewReader(strings.NewReader(head + "\n\n")))
	header, err := lines.ReadMIMEHeader()
	if err != nil {
		return err
	}
	g.header = http.Header(header)
	if g.header.Get("X-Request-Id") == "…" {
		g.header.Set("X-Request-Id", "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
	}
	body = times.ReplaceAllString(body, `"$1":"`+someTime+`"`)
	g.body = urls.ReplaceAllString(body, `"url":"`+someURL+`"`)
	return nil
}

// request returns the request as the service got it, with another token.
func (g *golden) request(method string) *http.Request {
	body := placeholder.ReplaceAllString(g.Body, someToken)
	r, err := http.NewRequest(method, "https://delegation.example.com"+g.Path,
		strings.NewReader(body))
	if err != nil {
		panic(fmt.Sprintf("%s: %v", g.Name, err)) // the service was asked so
	}
	for _, line := range g.Header {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, placeholder.ReplaceAllString(value, someToken))
	}
	return r
}

// response returns the answer to a request.
func (g *golden) response(r *http.Request) *http.Response {
	return &http.Response{
		StatusCode: g.status,
		Header:     g.header.Clone(),
		Body:       io.NopCloser(strings.NewReader(g.body)),
		Request:    r,
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
