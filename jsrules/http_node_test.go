package jsrules_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/jsrules"
)

// differences are the cases of testdata/http whose outcome is another than in Node, and why.
var differences = map[string]string{
	"request-promise: the message of an error status": "the body of an answer can hold secrets",
	"fetch: the message of what is refused":           "a rule's error in the log says what to do",
}

// nodeCases are the cases of testdata/http, by name.
func nodeCases(t testing.TB) map[string]string {
	t.Helper()
	cases := map[string]string{}
	text := string(must(os.ReadFile("testdata/http/cases.txt")))
	for _, part := range strings.Split(text, "\n== ")[1:] {
		name, source, _ := strings.Cut(part, "\n")
		if cases[name] != "" {
			t.Fatalf("there are two cases %q", name)
		}
		cases[name] = source
	}
	if len(cases) < 100 {
		t.Fatalf("only %d cases", len(cases))
	}
	return cases
}

// nodeServer is the server of the cases, and the address of a port on which nobody listens. It is
// the client's port of a connection, so no other test gets it.
func nodeServer(t testing.TB) (server *httptest.Server, closed string) {
	t.Helper()
	listener := must(net.Listen("tcp", "127.0.0.1:0"))
	connection := must(net.Dial("tcp", listener.Addr().String()))
	t.Cleanup(func() {
		connection.Close()
		listener.Close()
	})
	closed = connection.LocalAddr().String()
	mux := http.NewServeMux()
	text := func(path, content, body string) {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", content)
			fmt.Fprint(w, body)
		})
	}
	text("/text", "text/plain", "hello")
	text("/plainjson", "text/plain", `{"a":1}`)
	text("/bytes", "application/octet-stream", "\x00\xff\xfe\x80a")
	text("/bom", "application/json", "\ufeff{\"a\":1}")
	mux.HandleFunc("/empty", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) })
	mux.HandleFunc("/headers", func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["X-Many"] = []string{"a", "b"}
		w.Header()["Set-Cookie"] = []string{"a=1", "b=2"}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	})
	mux.HandleFunc("/hang", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("/loop", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/loop", http.StatusFound)
	})
	mux.HandleFunc("/redirect/{status}", func(w http.ResponseWriter, r *http.Request) {
		status := 0
		_, _ = fmt.Sscan(r.PathValue("status"), &status)
		w.Header().Set("Location", "/echo")
		w.WriteHeader(status)
	})
	mux.HandleFunc("/status/{status}", func(w http.ResponseWriter, r *http.Request) {
		status := 0
		_, _ = fmt.Sscan(r.PathValue("status"), &status)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"status":%d}`, status)
	})
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(echoed(r))
	})
	server = httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server, closed
}

// echoed is what a case has sent, without what is up to the client.
func echoed(r *http.Request) map[string]any {
	headers := map[string]string{}
	for name := range r.Header {
		switch {
		case name == "Accept", name == "Authorization", name == "Content-Type",
			strings.HasPrefix(name, "X-"):
			headers[strings.ToLower(name)] = strings.Join(r.Header[name], ", ")
		}
	}
	body, _ := io.ReadAll(r.Body)
	return map[string]any{"method": r.Method, "url": r.RequestURI, "headers": headers,
		"body": string(body), "length": r.ContentLength}
}

// TestHTTP_Node: the clients of rules give what the npm packages of their names give in Node,
// except for the differences. TestInterop_HTTPInNode asks Node.
func TestHTTP_Node(t *testing.T) {
	server, closed := nodeServer(t)
	hidden := strings.NewReplacer(server.URL, "http://HOST", "http://"+closed, "http://CLOSED",
		server.Listener.Addr().String(), "HOST", closed, "CLOSED")
	var answers map[string]any
	golden := must(os.ReadFile("testdata/http/node.json"))
	if err := json.Unmarshal(golden, &answers); err != nil {
		t.Fatal(err)
	}
	cases := nodeCases(t)
	if len(answers) != len(cases) {
		t.Errorf("Node has %d answers to %d cases", len(answers), len(cases))
	}
	options := jsrules.Options{
		Configuration: map[string]string{"AT": server.URL, "CLOSED": "http://" + closed},
		HTTP: &jsrules.HTTP{Allow: []string{server.Listener.Addr().String(), closed},
			PlainLoopback: true, Client: server.Client(), MaxRequests: 100, MaxRedirects: 50},
	}
	for name, source := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := run(t, `async function (user, context, callback) {
				const at = configuration.AT, closed = configuration.CLOSED;
				const result = await (async () => {`+source+`
				})();
				user.got = JSON.stringify(result === undefined ? null : result);
				callback(null, user, context);
			}`, options)
			if !got.passed {
				t.Fatal(got.err)
			}
			var have any
			result := hidden.Replace(got.user.Text("got"))
			if err := json.Unmarshal([]byte(result), &have); err != nil {
				t.Fatal(err)
			}
			same := sameJSON(have, answers[name])
			if reason := differences[name]; same == (reason != "") {
				t.Errorf("got  %s\nNode %s",
					must(json.Marshal(have)), must(json.Marshal(answers[name])))
			}
		})
	}
	for name := range differences {
		if cases[name] == "" {
			t.Errorf("there is no case %q", name)
		}
	}
}
