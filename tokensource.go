package delegation

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/seed055b7978/delegation/internal/document"
	"golang.org/x/oauth2"
)

// maxTokenFile is in bytes. The verifier's limit for tokens is lower; this one is for files that
// are not tokens.
const maxTokenFile = 1 << 20

// TokenSource returns the user's current ID token. A provider calls it once for each exchange, and
// never concurrently. It must honour the context, and its error must not contain the token.
type TokenSource func(ctx context.Context) (string, error)

// TokenFile is a [TokenSource] that reads a file each time, such as a projected Kubernetes token.
// The file has at most 1 MiB. One line end at the end is removed. Errors name the file and never
// its content. The file is not read before the first call.
func TokenFile(path string) TokenSource {
	return func(context.Context) (string, error) { return readTokenFile(path) }
}

// TokenOAuth2 is a [TokenSource] that returns the id_token of an OAuth 2.0 source's tokens. Most
// sources keep a token until its access token expires, and some issuers send no ID token when they
// refresh. A token without an ID token is an error, and an expired ID token is refused by the
// exchange. The source takes no context, so its HTTP client needs a time-out.
func TokenOAuth2(source oauth2.TokenSource) TokenSource {
	return func(context.Context) (string, error) { return idTokenOf(source) }
}

// readTokenFile reads a token from a file, less one line end.
func readTokenFile(path string) (string, error) {
	content, err := document.ReadFile(path, maxTokenFile)
	if err != nil {
		return "", err
	}
	token, ended := strings.CutSuffix(string(content), "\n")
	if ended {
		token = strings.TrimSuffix(token, "\r")
	}
	if token == "" {
		return "", fmt.Errorf("%s is empty", path)
	}
	return token, nil
}

// idTokenOf takes the id_token (OpenID Connect Core §3.1.3.3) of the source's token. Of what the
// issuer's token endpoint answered, its errors hold only the error code and the status.
func idTokenOf(source oauth2.TokenSource) (string, error) {
	if source == nil {
		return "", errors.New("the OAuth 2.0 source is nil")
	}
	token, err := source.Token()
	var answer *oauth2.RetrieveError
	switch {
	case errors.As(err, &answer): // has the body of the answer, and may say it
		status := "no status"
		if answer.Response != nil {
			status = answer.Response.Status
		}
		return "", fmt.Errorf(
			"the issuer's token endpoint refused: %.80q (%.80q)", answer.ErrorCode, status)
	case err != nil:
		return "", err
	case token == nil:
		return "", errors.New("the OAuth 2.0 source returned no token")
	}
	idToken, _ := token.Extra("id_token").(string)
	if idToken == "" {
		return "", errors.New("the OAuth 2.0 token has no id_token: request the scope openid, " +
			"and check whether the issuer sends an ID token with a refreshed token")
	}
	return idToken, nil
}
