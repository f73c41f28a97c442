// Package tokensource gets ID tokens from where they are kept. That is a file, or a token source of
// OAuth 2.0. Its errors never hold a token or what a stranger answered.
package tokensource

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/oauth2"
)

// maxFile is in bytes. The verifier's limit for tokens is lower, and this one is for files that are
// none.
const maxFile = 1 << 20

// File reads a token from a file, less one line end.
func File(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return "", err
	}
	token, ended := strings.CutSuffix(string(content), "\n")
	if ended {
		token = strings.TrimSuffix(token, "\r")
	}
	switch {
	case len(content) > maxFile:
		return "", fmt.Errorf("%s has more than %d bytes", path, maxFile)
	case token == "":
		return "", fmt.Errorf("%s is empty", path)
	}
	return token, nil
}

// OAuth2 takes the id_token (OpenID Connect Core §3.1.3.3) of the source's token.
func OAuth2(source oauth2.TokenSource) (string, error) {
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
		return "", errors.New("the OAuth 2.0 token has no id_token: ask for the scope openid, " +
			"and see whether the issuer sends one at refreshes")
	}
	return idToken, nil
}
