package delegationhttp_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/delegationhttp"
)

const maxBody = 64 << 10

// padded makes a good request of exactly so many bytes.
func padded(contentType string, size int) string {
	body := form(values("token", map[string]any{"x": ""})) // x comes last
	end := ""
	if contentType == jsonType {
		body, end = strings.TrimSuffix(object(values("token", map[string]any{"x": ""})), `"}`), `"}`
	}
	return body + strings.Repeat("x", size-len(body)-len(end)) + end
}

// TestBody: each row is one POST with a Content-Type, more headers perhaps, and a body. Where no
// refusal is named the exchange is reached.
func TestBody(t *testing.T) {
	goodForm, goodJSON := form(values("token", nil)), object(values("token", nil))
	inner := strings.TrimSuffix(goodJSON, "}")
	const (
		notObject = "the body is not one JSON object: "
		notForm   = "the body is not a form: a bad percent-encoding, or a semicolon"
		notType   = "Content-Type must be application/x-www-form-urlencoded or application/json"
		tooLarge  = "the body has more than 65536 bytes"
	)
	for name, row := range map[string]struct {
		contentType, body string
		header            http.Header
		status            int // zero: accepted
		description       string
	}{
		"form, 64 KiB":        {formType, padded(formType, maxBody), nil, 0, ""},
		"JSON, 64 KiB":        {jsonType, padded(jsonType, maxBody), nil, 0, ""},
		"form, one byte more": {formType, padded(formType, maxBody+1), nil, 413, tooLarge},
		"JSON, one byte more": {jsonType, padded(jsonType, maxBody+1), nil, 413, tooLarge},
		"JSON, blanks behind 64 KiB": {jsonType, padded(jsonType, maxBody) + " ",
			nil, 413, tooLarge},
		"wrong type before size": {"text/plain", padded(formType, maxBody+1), nil, 415, notType},
		"empty form":             {formType, "", nil, 400, "missing client_id parameter"},
		"empty JSON":             {jsonType, "", nil, 400, notObject + "its syntax is wrong"},
		"JSON blanks":            {jsonType, " \n" + goodJSON + "\t ", nil, 0, ""},
		"JSON null":              {jsonType, "null", nil, 400, notObject + "it is not an object"},
		"JSON array": {jsonType, "[" + goodJSON + "]", nil, 400,
			notObject + "it is not an object"},
		"JSON string":    {jsonType, `"x"`, nil, 400, notObject + "it is not an object"},
		"JSON cut short": {jsonType, inner, nil, 400, notObject + "its syntax is wrong"},
		"JSON twice": {jsonType, goodJSON + goodJSON, nil, 400,
			notObject + "its syntax is wrong"},
		"JSON and more": {jsonType, goodJSON + "x", nil, 400, notObject + "its syntax is wrong"},
		"JSON with a comment": {jsonType, goodJSON + "//", nil, 400,
			notObject + "its syntax is wrong"},
		"JSON with a BOM": {jsonType, "\ufeff" + goodJSON, nil, 400,
			notObject + "its syntax is wrong"},
		"JSON in UTF-16": {jsonType, "{\x00\"\x00", nil, 400, notObject + "its syntax is wrong"},
		"JSON, invalid UTF-8": {jsonType, inner + ",\"x\":\"\xff\"}", nil, 400,
			notObject + "it is not UTF-8"},
		"JSON member twice": {jsonType, inner + `,"target":"a","target":"a"}`, nil, 400,
			notObject + `a member occurs twice: "target"`},
		"JSON member twice, escaped": {jsonType, inner + `,"target":"a","t\u0061rget":"b"}`, nil,
			400, notObject + `a member occurs twice: "target"`},
		"JSON unknown member twice": {jsonType, inner + `,"scope":"a","scope":"b"}`, nil, 400,
			notObject + `a member occurs twice: "scope"`},
		"JSON nested member twice": {jsonType, inner + `,"x":[{"y":1,"y":2}]}`, nil, 400,
			notObject + `a member occurs twice: "y"`},
		"JSON 32 deep": {jsonType,
			inner + `,"x":` + strings.Repeat("[", 31) + strings.Repeat("]", 31) + "}", nil, 0, ""},
		"JSON 33 deep": {jsonType,
			inner + `,"x":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + "}", nil, 400,
			notObject + "it is nested deeper than 32"},
		"JSON very deep": {jsonType,
			inner + `,"x":` + strings.Repeat("[", 30_000) + strings.Repeat("]", 30_000) + "}", nil,
			400, notObject + "its syntax is wrong"},
		"client_id is a number": {jsonType, `{"client_id":1}`, nil, 400,
			"client_id is not a string"},
		"grant_type is a list": {jsonType, `{"client_id":"a","grant_type":["x"]}`, nil,
			400, "grant_type is not a string"},
		"id_token is an object": {jsonType, `{"client_id":"a","id_token":{}}`, nil, 400,
			"id_token is not a string"},
		"refresh_token is false": {jsonType, inner + `,"refresh_token":false}`, nil, 400,
			"refresh_token is not a string"},
		"target is a number": {jsonType, inner + `,"target":0}`, nil, 400,
			"target is not a string"},
		"api_type is a list": {jsonType, inner + `,"api_type":[]}`, nil, 400,
			"api_type is not a string"},
		"client_id is null": {jsonType,
			`{"client_id":null,"grant_type":"x","id_token":"x"}`, nil, 400,
			"missing client_id parameter"},
		"id_token is null": {jsonType,
			`{"client_id":"x","grant_type":"` + jwtBearer + `","id_token":null}`, nil, 400,
			"missing id_token parameter"},
		"form client_id twice": {formType, goodForm + "&client_id=" + app, nil, 400,
			`repeated parameter "client_id"`},
		"form id_token twice": {formType, goodForm + "&id_token=other", nil, 400,
			`repeated parameter "id_token"`},
		"form empty target twice": {formType, goodForm + "&target=&target=", nil, 400,
			`repeated parameter "target"`},
		"form name twice, escaped": {formType, goodForm + "&%74arget=a&target=b", nil, 400,
			`repeated parameter "target"`},
		"form unknown name twice": {formType, goodForm + "&scope=a&scope=b", nil, 400,
			`repeated parameter "scope"`},
		"form long name twice": {formType,
			goodForm + strings.Repeat("&"+strings.Repeat("n", 100)+"=1", 2), nil, 400,
			`repeated parameter "` + strings.Repeat("n", 80) + `"`},
		"form of two cases":          {formType, goodForm + "&Target=a&target=" + app, nil, 0, ""},
		"form with empty pairs":      {formType, "&&" + goodForm + "&&x", nil, 0, ""},
		"form, percent sign":         {formType, goodForm + "&x=%", nil, 400, notForm},
		"form, bad percent-encoding": {formType, goodForm + "&%zz=1", nil, 400, notForm},
		"form, semicolon":            {formType, goodForm + ";x=1", nil, 400, notForm},
		"form, escaped semicolon":    {formType, goodForm + "&x=%3B", nil, 0, ""},
		"form, invalid UTF-8": {formType, goodForm + "&x=\xff", nil, 400,
			"the body is not UTF-8"},
		"form, escaped invalid UTF-8": {formType, goodForm + "&x=%ff", nil, 400,
			"the body is not UTF-8"},
		"form, name of invalid UTF-8": {formType, goodForm + "&%ff=x", nil, 400,
			"the body is not UTF-8"},
		"form with a BOM": {formType, "\ufeff" + goodForm, nil, 400, "missing client_id parameter"},
		"JSON sent as form": {formType, goodJSON, nil, 400,
			"missing client_id parameter"},
		"form sent as JSON":     {jsonType, goodForm, nil, 400, notObject + "its syntax is wrong"},
		"form, UTF-8":           {formType + "; charset=UTF-8", goodForm, nil, 0, ""},
		"JSON, utf-8":           {jsonType + ";charset=\"utf-8\"", goodJSON, nil, 0, ""},
		"JSON, other parameter": {jsonType + "; v=1", goodJSON, nil, 0, ""},
		"type in capitals":      {"Application/JSON", goodJSON, nil, 0, ""},
		"form, latin1": {formType + "; charset=iso-8859-1", goodForm, nil, 415,
			"the charset must be utf-8"},
		"JSON, utf-16": {jsonType + "; charset=utf-16", goodJSON, nil, 415,
			"the charset must be utf-8"},
		"JSON, empty charset": {jsonType + `; charset=""`, goodJSON, nil, 415,
			"the charset must be utf-8"},
		"JSON, charset twice": {jsonType + "; charset=utf-8; charset=utf-16", goodJSON,
			nil, 415, notType},
		"JSON, bad parameter": {jsonType + "; charset", goodJSON, nil, 415, notType},
		"no Content-Type":     {"", goodForm, http.Header{"Content-Type": nil}, 415, notType},
		"empty Content-Type":  {"", goodForm, nil, 415, notType},
		"two Content-Types": {formType, goodForm,
			http.Header{"Content-Type": {formType, jsonType}}, 415, notType},
		"one Content-Type twice": {formType, goodForm,
			http.Header{"Content-Type": {formType, formType}}, 415, notType},
		"two types in one": {formType + ", " + jsonType, goodForm, nil, 415, notType},
		"plain text":       {"text/plain", goodForm, nil, 415, notType},
		"JSON's kin":       {"application/problem+json", goodJSON, nil, 415, notType},
		"multipart":        {"multipart/form-data; boundary=x", "--x--", nil, 415, notType},
		"gzip": {formType, goodForm,
			http.Header{"Content-Encoding": {"gzip"}},
			415, "the body must not have a Content-Encoding"},
		"identity": {formType, goodForm, http.Header{"Content-Encoding": {"Identity"}}, 0, ""},
		"empty Content-Encoding": {formType, goodForm, http.Header{"Content-Encoding": {""}},
			0, ""},
		"identity and gzip": {formType, goodForm,
			http.Header{"Content-Encoding": {"identity, gzip"}},
			415, "the body must not have a Content-Encoding"},
		"identity and gzip, two lines": {formType, goodForm,
			http.Header{"Content-Encoding": {"identity", "gzip"}},
			415, "the body must not have a Content-Encoding"},
		"nothing and gzip, two headers": {formType, goodForm,
			http.Header{"Content-Encoding": {"", "gzip"}},
			415, "the body must not have a Content-Encoding"},
	} {
		t.Run(name, func(t *testing.T) {
			var reached spied
			h := mount(t, delegationhttp.Config{Exchanger: newSpy(t, app, &reached)})
			request := post(delegationPath, row.contentType, row.body)
			for name, values := range row.header {
				request.Header[name] = values
			}
			a := ask(t, h, request)
			if row.status == 0 {
				a.refused(t, 401, "unauthorized", "seen")
				if reached.times != 1 || reached.client != app || reached.token != "token" ||
					reached.target != app {
					t.Errorf("the Exchanger saw %+v", reached)
				}
				return
			}
			a.refused(t, row.status, "invalid_request", row.description)
			if reached.times != 0 {
				t.Errorf("the Exchanger saw %+v", reached)
			}
		})
	}
	t.Run("broken off", func(t *testing.T) {
		h := mount(t, delegationhttp.Config{Exchanger: failing(errors.New("nobody may ask"))})
		for contentType, body := range map[string]string{formType: goodForm, jsonType: goodJSON} {
			r := post(delegationPath, contentType, "")
			// whole as it is, it may not count
			r.Body = io.NopCloser(broken{strings.NewReader(body)})
			ask(t, h, r).refused(t, 400, "invalid_request", "the body ended before it was complete")
		}
	})
}

// TestBodyOnTheWire sends what an http.Client cannot: bodies with and without a length, too long,
// and broken off.
func TestBodyOnTheWire(t *testing.T) {
	server := httptest.NewServer(mount(t, delegationhttp.Config{Exchanger: exchanger(agreeable)}))
	t.Cleanup(server.Close)
	chunked := func(body string) string {
		return fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body)
	}
	for name, row := range map[string]struct {
		head, body string
		status     int
	}{
		"length":       {"Content-Length: 65536", padded(formType, maxBody), 200},
		"length, over": {"Content-Length: 65537", padded(formType, maxBody+1), 413},
		"length, lie":  {"Content-Length: 65537", padded(formType, 1000), 400},
		"no length":    {"Transfer-Encoding: chunked", chunked(padded(formType, maxBody)), 200},
		"no length, over": {"Transfer-Encoding: chunked",
			chunked(padded(formType, maxBody+1)), 413},
		"no length, broken off": {"Transfer-Encoding: chunked", "400\r\nclient_id=", 400},
		"neither":               {"X: y", "", 400},
		"over, claimed": {"Content-Length: 1099511627776",
			padded(formType, 2*maxBody), 413},
	} {
		t.Run(name, func(t *testing.T) {
			connection := must(net.Dial("tcp", server.Listener.Addr().String()))
			defer connection.Close()
			const request = "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\n%s\r\n\r\n%s"
			_, err := fmt.Fprintf(connection, request, delegationPath, formType, row.head, row.body)
			if err != nil {
				t.Fatal(err)
			}
			_ = connection.(*net.TCPConn).CloseWrite()
			response, err := http.ReadResponse(bufio.NewReader(connection), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			if response.StatusCode != row.status ||
				response.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("got %d %v", response.StatusCode, response.Header)
			}
		})
	}
}

// TestMethods: 405 names the one method, whatever else is wrong.
func TestMethods(t *testing.T) {
	h := mount(t, delegationhttp.Config{
		Exchanger: failing(errors.New("nobody may ask")),
		Console:   &delegationhttp.Console{},
	})
	for path, allowed := range map[string]string{
		delegationPath: "POST", consolePath: "POST", credentialsPath: "GET",
	} {
		for _, method := range []string{
			"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW", "post",
		} {
			if method == allowed {
				continue
			}
			r := httptest.NewRequest(method, path+"?target=x",
				strings.NewReader(form(values("token", nil))))
			r.Header.Set("Content-Type", formType)
			r.Header.Set("Authorization", "token")
			a := ask(t, h, r)
			a.refused(t, 405, "invalid_request", "the method must be "+allowed)
			if a.header.Get("Allow") != allowed {
				t.Errorf("%s %s: Allow is %q", method, path, a.header.Get("Allow"))
			}
		}
	}
}

// TestQueryIsNotRead: tokens do not belong into URLs, so a query can neither complete a request nor
// spoil one.
func TestQueryIsNotRead(t *testing.T) {
	query := "?" + form(values("token", map[string]any{"target": "elsewhere"}))
	var reached spied
	h := mount(t, delegationhttp.Config{Exchanger: newSpy(t, app, &reached)})
	ask(t, h, post(delegationPath+query, formType, "")).
		refused(t, 400, "invalid_request", "missing client_id parameter")
	ask(t, h, post(delegationPath+query+";%zz", formType, form(values("other", nil)))).
		refused(t, 401, "unauthorized", "seen")
	if reached.times != 1 || reached.token != "other" || reached.target != app ||
		len(reached.parameters) != 0 {
		t.Errorf("the Exchanger saw %+v", reached)
	}
}
