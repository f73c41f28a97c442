package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationhttp"
)

// caller is the user who sent a request. It belongs to that request only, and is not stored.
type caller struct {
	token  string
	folder string // prefix of the keys of the caller's files
}

// callerKey is the key of the caller in auth.TokenInfo.Extra.
const callerKey = "caller"

// verifyToken lets the Delegator check a token as Exchange would, up to but without the signature
// of the assertion: form, issuer, signature, audience, dates, target and rules. It relies on
// nothing that Exchange does not check. It is not the last check: each call of a tool exchanges the
// token, with all checks.
func (f *files) verifyToken(
	ctx context.Context, token string, _ *http.Request,
) (*auth.TokenInfo, error) {
	var info auth.TokenInfo
	note := func(_ context.Context, user *delegation.User, rc *delegation.RuleContext) error {
		info.Scopes = slices.Clone(rc.Scopes)
		info.UserID = rc.Issuer + " " + user.Text("user_id") // Okta may reassign a sub
		expires, err := expiry(user)
		info.Expiration = expires
		return err
	}
	explanation, err := f.delegator.Explain(ctx, token, target, delegation.WithRule(note))
	if err != nil {
		return nil, f.tokenError(err)
	}
	// The NameID is ${saml:sub}, with which the role's policy names the folder.
	info.Extra = map[string]any{callerKey: caller{token, explanation.NameID + "/"}}
	return &info, nil
}

// expiry is the exp of a verified token.
func expiry(user *delegation.User) (time.Time, error) {
	value, _ := user.Value("exp")
	number, _ := value.(json.Number)
	seconds, err := strconv.ParseFloat(number.String(), 64)
	if err != nil {
		return time.Time{}, errors.New("the token's exp is not a number")
	}
	return time.Unix(int64(seconds), 0), nil
}

// tokenError returns what the caller may see of a refusal. The answer has status 401, unless the
// server itself has a problem.
func (f *files) tokenError(err error) error {
	public := "the token cannot be checked"
	if refused := (*delegation.Error)(nil); errors.As(err, &refused) {
		public = refused.Public()
	}
	f.logger.Warn("a token was not accepted", "error", err.Error())
	if delegationhttp.StatusOf(err) >= http.StatusInternalServerError {
		return errors.New(public)
	}
	return fmt.Errorf("%w: %s", auth.ErrInvalidToken, public)
}

// callerOf returns the user who calls a tool.
func callerOf(request *mcp.CallToolRequest) (caller, error) {
	if request.Extra != nil && request.Extra.TokenInfo != nil {
		if c, ok := request.Extra.TokenInfo.Extra[callerKey].(caller); ok {
			return c, nil
		}
	}
	return caller{}, errors.New("the request has no token")
}

// sign returns a context for AWS clients. They sign as the caller, with credentials that are
// narrowed to what the tool does.
func (c caller) sign(ctx context.Context, tool string) context.Context {
	return delegation.WithIDToken(ctx, c.token, delegation.WithScope(scopeOf[tool]))
}

// requireScope answers with 403 if the token lacks the scope for the called tool. The answer tells
// the client which scope to ask for (MCP, Authorization, "Scope Challenge Handling"). This only
// informs the client early: the rule requireScopes would refuse the exchange, too.
func requireScope(metadataURL string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
		if err != nil {
			http.Error(w, "the body cannot be read, or is too large",
				http.StatusRequestEntityTooLarge)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		needed, lacking := lacks(body, auth.TokenInfoFromContext(r.Context()))
		if !lacking {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(
			"Bearer error=%q, scope=%q, resource_metadata=%q",
			"insufficient_scope", needed, metadataURL))
		http.Error(w, "insufficient scope", http.StatusForbidden)
	})
}

// lacks returns the scope that a request needs, if its token lacks that scope.
func lacks(body []byte, info *auth.TokenInfo) (scope string, lacking bool) {
	message, err := jsonrpc.DecodeMessage(body)
	if err != nil {
		return "", false // the next handler refuses it
	}
	request, ok := message.(*jsonrpc.Request)
	if !ok || request.Method != "tools/call" {
		return "", false
	}
	var call struct {
		Name string `json:"name"`
	}
	if err := json.Unmarshal(request.Params, &call); err != nil {
		return "", false // the next handler refuses it
	}
	scope, known := scopeOf[call.Name]
	return scope, known && !slices.Contains(info.Scopes, scope)
}
