package idtoken

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/seed055b7978/delegation/internal/document"
)

// load reads the discovery document, unless the key set's URL is configured, and the key set.
func (r *remoteKeys) load(ctx context.Context) (*KeySet, time.Duration, error) {
	from := r.url
	if from == "" {
		below := strings.TrimSuffix(r.issuer, "/")
		body, _, err := r.get(ctx, below+"/.well-known/openid-configuration")
		if err != nil {
			return nil, 0, err
		}
		found, err := document.Object(document.WithoutBOM(body))
		if err != nil {
			return nil, 0, newError(keySetInvalid,
				"the discovery document is not one JSON object: %w", unusable(body, err))
		}
		if found["issuer"] != r.issuer {
			return nil, 0, newError(discoveryIssuer,
				"the discovery document of %q names the issuer %.200q",
				r.issuer, fmt.Sprint(found["issuer"]))
		}
		from, _ = found["jwks_uri"].(string)
		if err := document.CheckFound(from, r.issuer, r.loopbackHTTP); err != nil {
			return nil, 0, newError(keySetURL, "the discovery document's jwks_uri: %w", err)
		}
	}
	body, header, err := r.get(ctx, from)
	if err != nil {
		return nil, 0, err
	}
	set, err := ParseKeySet(body)
	return set, document.Life(header, defaultKeyLife, minKeyLife, maxKeyLife), err
}

// unusable says what stands where JSON should, if that can be told, or else what is wrong with it.
func unusable(body []byte, err error) error {
	text := bytes.TrimSpace(document.WithoutBOM(body))
	switch {
	case len(text) == 0:
		return errors.New("it is empty")
	case text[0] == '<':
		return errors.New("it is HTML or XML, perhaps a page of a proxy")
	}
	if errors.Is(err, document.ErrSyntax) {
		return document.SyntaxError(document.WithoutBOM(body))
	}
	return err
}

// get reads one document.
func (r *remoteKeys) get(ctx context.Context, from string) ([]byte, http.Header, error) {
	body, header, err := document.Get(ctx, r.client, from)
	code := keySetUnavailable
	switch {
	case err == nil:
		return body, header, nil
	case errors.Is(err, document.ErrRedirect):
		code = keySetRedirect
	case errors.Is(err, document.ErrTooLarge):
		code = keySetTooLarge
	}
	return nil, nil, newError(code, "%.200q: %w", from, err)
}
