package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/seed055b7978/delegation/ststest"
)

// demonstrate runs an MCP client as two users, and then three refusals.
func demonstrate(ctx context.Context, out io.Writer) error {
	w, err := openWorld("127.0.0.1:0", slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer w.close()
	if err := w.start(ctx); err != nil {
		return err
	}
	both := []string{scopeList, scopeRead}
	alice := w.token("alice", both, nil)
	agent := map[string]any{"act": map[string]any{"sub": demoAgent}}
	for _, step := range []struct{ user, key, token string }{
		{"Alice", "alice/notes.txt", alice},
		{"Bob's agent", "bob/secret.txt", w.token("bob", both, agent)},
	} {
		if err := w.showFiles(ctx, out, step.user, step.key, step.token); err != nil {
			return err
		}
	}

	elsewhere := w.token("alice", both, map[string]any{"aud": "https://elsewhere.example.com/mcp"})
	if err := w.showRefusal(ctx, out, "A token for another server", elsewhere); err != nil {
		return err
	}
	listOnly := w.token("alice", []string{scopeList}, nil)
	err = w.showRefusal(ctx, out, "A token without the scope "+scopeRead, listOnly)
	if err != nil {
		return err
	}
	if err := w.showInjection(ctx, out, alice); err != nil {
		return err
	}
	w.showSessions(out)
	fmt.Fprint(out, next)
	return nil
}

// next lists what to try after the demonstration.
const next = `
Next:
  go run . -serve        leaves this server running, for an MCP client of yours
  go run . -help         the flags for your issuer, role and bucket
  docs/agents.md         how it works, and how to set it up
`

// showFiles lists and reads as a user.
func (w *world) showFiles(ctx context.Context, out io.Writer, user, key, token string) error {
	session, err := connect(ctx, w.settings.resource, token)
	if err != nil {
		return err
	}
	defer session.Close()
	fmt.Fprintf(out, "%s calls %s and %s:\n", user, toolList, toolRead)
	list, err := callTool(ctx, session, toolList, map[string]any{})
	if err != nil {
		return err
	}
	text, err := callTool(ctx, session, toolRead, map[string]any{"key": key})
	if err != nil {
		return err
	}
	show(out, "files", list)
	show(out, key, text)
	fmt.Fprintln(out)
	return nil
}

// showRefusal calls read_file with a token that the server refuses.
func (w *world) showRefusal(ctx context.Context, out io.Writer, what, token string) error {
	answer, err := post(ctx, w.settings.resource, token, toolRead, `{"key":"alice/notes.txt"}`)
	if err != nil {
		return err
	}
	if answer.status < http.StatusBadRequest {
		return errors.New(what + " was not refused")
	}
	fmt.Fprintf(out, "%s is refused by this server:\n", what)
	show(out, "HTTP status", fmt.Sprint(answer.status, " ", http.StatusText(answer.status)))
	show(out, "challenge", answer.challenge)
	show(out, "client is told", answer.body)
	fmt.Fprintln(out)
	return nil
}

// showInjection reads a file whose text tells the model to read another user's file, and follows
// it.
func (w *world) showInjection(ctx context.Context, out io.Writer, token string) error {
	session, err := connect(ctx, w.settings.resource, token)
	if err != nil {
		return err
	}
	defer session.Close()
	text, err := callTool(ctx, session, toolRead, map[string]any{"key": "alice/mail.txt"})
	if err != nil {
		return err
	}
	_, err = callTool(ctx, session, toolRead, map[string]any{"key": "bob/secret.txt"})
	if err == nil {
		return errors.New("a file of another user was read")
	}
	fmt.Fprintln(out, "A model that does what a file says is refused by AWS:")
	show(out, "alice/mail.txt", text)
	show(out, "model is told", err.Error())
	calls := w.sts.Calls()
	last := calls[len(calls)-1]
	show(out, "S3 says", fmt.Sprint(last.Code, " for ", last.Action, " on ", last.Resource))
	show(out, "because", last.Cause)
	fmt.Fprintln(out)
	return nil
}

// showSessions prints the sessions that STS started.
func (w *world) showSessions(out io.Writer) {
	fmt.Fprintln(out, "What AWS saw. Each session can do one thing, in one folder:")
	for _, call := range w.sts.Calls() {
		if call.Action == "AssumeRoleWithSAML" && call.Code == "" {
			show(out, call.SessionName, narrowedTo(call))
		}
	}
}

// narrowedTo names the action of a session policy of this program.
func narrowedTo(call ststest.Call) string {
	for _, action := range []string{"s3:ListBucket", "s3:GetObject"} {
		if strings.Contains(call.Policy, action) {
			return action + " for " + call.Duration.String()
		}
	}
	return "everything"
}

// show prints what a step did. Long texts continue on the next line, in the same column.
func show(out io.Writer, what, value string) {
	const columns = 80
	line := ""
	for _, word := range strings.Fields(value) {
		if line != "" && len(line)+1+len(word) > columns {
			fmt.Fprintf(out, "  %-15s %s\n", what, line)
			what = ""
			line = ""
		}
		line = strings.TrimSpace(line + " " + word)
	}
	fmt.Fprintf(out, "  %-15s %s\n", what, line)
}

// serveDemonstration leaves the demonstration's server running until the context ends.
func serveDemonstration(ctx context.Context, f flags, out io.Writer) error {
	w, err := openWorld(f.listen, f.logger)
	if err != nil {
		return err
	}
	defer w.close()
	if err := w.start(ctx); err != nil {
		return err
	}
	fmt.Fprintf(out, `The MCP server is at %[1]s
A token of Alice's, for an hour:

  curl -fsS '%[2]s/token?user=alice' >token

Connect Claude Code, or call a tool with the MCP Inspector:

  claude mcp add --transport http files %[1]s \
    --header "Authorization: Bearer $(cat token)"
  npx @modelcontextprotocol/inspector --cli %[1]s --transport http \
    --header "Authorization: Bearer $(cat token)" --method tools/call --tool-name %[3]s

Interrupt it to end it.
`, w.settings.resource, w.settings.issuer, toolList)
	<-ctx.Done()
	return nil
}

// connect connects an MCP client with a token.
func connect(ctx context.Context, resource, token string) (*mcp.ClientSession, error) {
	client := mcp.NewClient(&mcp.Implementation{Name: "demo", Version: "v1.0.0"}, nil)
	return client.Connect(ctx, &mcp.StreamableClientTransport{
		Endpoint:             resource,
		HTTPClient:           &http.Client{Transport: bearer(token), Timeout: time.Minute},
		DisableStandaloneSSE: true,
	}, nil)
}

// bearer adds a token to each request.
type bearer string

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+string(b))
	return http.DefaultTransport.RoundTrip(r)
}

// callTool returns the text of a tool's answer, or its error.
func callTool(
	ctx context.Context, session *mcp.ClientSession, tool string, arguments map[string]any,
) (string, error) {
	result, err := session.CallTool(ctx, &mcp.CallToolParams{Name: tool, Arguments: arguments})
	if err != nil {
		return "", err
	}
	var text strings.Builder
	for _, content := range result.Content {
		if t, ok := content.(*mcp.TextContent); ok {
			text.WriteString(t.Text)
		}
	}
	if result.IsError {
		return "", errors.New(text.String())
	}
	return text.String(), nil
}

// httpAnswer is an HTTP answer of the MCP server.
type httpAnswer struct {
	status    int
	challenge string // WWW-Authenticate
	body      string
}

// post calls a tool without an MCP client, and returns the answer as it is.
func post(ctx context.Context, resource, token, tool, arguments string) (httpAnswer, error) {
	return postBody(ctx, resource, token, `{"jsonrpc":"2.0","id":1,"method":"tools/call",`+
		`"params":{"name":"`+tool+`","arguments":`+arguments+`}}`)
}

// postBody sends a JSON-RPC request.
func postBody(ctx context.Context, resource, token, body string) (httpAnswer, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, resource, strings.NewReader(body))
	if err != nil {
		return httpAnswer{}, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return httpAnswer{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	return httpAnswer{
		status:    response.StatusCode,
		challenge: response.Header.Get("WWW-Authenticate"),
		body:      string(text),
	}, err
}
