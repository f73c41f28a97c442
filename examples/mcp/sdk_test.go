package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// firstKey is the place of a value that middleware puts into a request's context.
type firstKey struct{}

// TestSDK_ContextOfSession pins why tools take the token from their request. With sessions of MCP,
// the context of a tool has the values of the request that began the session, and so its token.
// The TokenInfo is always that of the tool's own request.
func TestSDK_ContextOfSession(t *testing.T) {
	type seen struct{ context, info string }
	var got []seen
	server := mcp.NewServer(&mcp.Implementation{Name: "sessions", Version: "v1.0.0"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "look"}, func(
		ctx context.Context, r *mcp.CallToolRequest, _ struct{},
	) (*mcp.CallToolResult, any, error) {
		inContext, _ := ctx.Value(firstKey{}).(string)
		inInfo, _ := r.Extra.TokenInfo.Extra["token"].(string)
		got = append(got, seen{inContext, inInfo})
		return nil, nil, nil
	})
	handler := mcp.NewStreamableHTTPHandler(
		func(*http.Request) *mcp.Server { return server }, nil)
	verify := func(
		_ context.Context, token string, _ *http.Request,
	) (*auth.TokenInfo, error) {
		return &auth.TokenInfo{Extra: map[string]any{"token": token}}, nil
	}
	options := &auth.RequireBearerTokenOptions{AllowMissingExpiration: true}
	protected := auth.RequireBearerToken(verify, options)(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			ctx := context.WithValue(r.Context(), firstKey{}, r.Header.Get("Authorization"))
			handler.ServeHTTP(w, r.WithContext(ctx))
		}))
	address := httptest.NewServer(protected)
	defer address.Close()

	var token changing
	token.Store("first")
	client := mcp.NewClient(&mcp.Implementation{Name: "client", Version: "v1.0.0"}, nil)
	session, err := client.Connect(t.Context(), &mcp.StreamableClientTransport{
		Endpoint:             address.URL,
		HTTPClient:           &http.Client{Transport: &token},
		DisableStandaloneSSE: true,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	token.Store("second")
	_, err = session.CallTool(t.Context(), &mcp.CallToolParams{Name: "look"})
	if err != nil {
		t.Fatal(err)
	}
	if want := (seen{"Bearer first", "second"}); len(got) != 1 || got[0] != want {
		t.Errorf("the tool has seen %+v, want %+v", got, want)
	}
}

// changing adds a bearer token that changes between requests.
type changing struct{ atomic.Value }

func (c *changing) RoundTrip(r *http.Request) (*http.Response, error) {
	token, _ := c.Load().(string)
	return bearer(token).RoundTrip(r)
}
