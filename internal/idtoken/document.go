package idtoken

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/seed055b7978/delegation/internal/document"
)

// wellKnown is where discovery documents are, below their issuers (OpenID Connect Discovery §4).
const wellKnown = "/.well-known/openid-configuration"

// load reads the discovery document, unless the key set's URL is configured, and the key set.
func (r *remoteKeys) load(ctx context.Context) (*KeySet, time.Duration, error) {
	from := r.url
	var discovery *document.Answer
	if from == "" {
		var err error
		if from, discovery, err = r.discover(ctx); err != nil {
			return nil, 0, err
		}
	}
	answer, err := r.get(ctx, from, keySetAnswers)
	if err != nil {
		return nil, 0, err
	}
	set, err := ParseKeySet(answer.Body)
	if err != nil {
		return nil, 0, err
	}
	set.addServer(from, answer)
	set.addServer(r.discoveryURL, discovery)
	if date := document.Date(answer.Header); !date.IsZero() {
		set.clockAhead = date.Sub(r.now())
	}
	return set, document.Life(answer.Header, defaultKeyLife, minKeyLife, maxKeyLife), nil
}

// discover reads the discovery document and returns the URL of the key set that it names.
func (r *remoteKeys) discover(ctx context.Context) (string, *document.Answer, error) {
	answer, err := r.get(ctx, r.discoveryURL, discoveryAnswers)
	if err != nil {
		return "", nil, err
	}
	from, err := r.keysNamed(answer.Body)
	return from, answer, err
}

// keysNamed reads the URL of the key set from the text of the discovery document.
func (r *remoteKeys) keysNamed(body []byte) (string, error) {
	found, err := document.Object(document.WithoutBOM(body))
	if err != nil {
		return "", newError(keySetInvalid,
			"the discovery document is not one JSON object: %w", unusable(body, err))
	}
	if !r.isNamed(found["issuer"]) {
		return "", newError(discoveryIssuer,
			"the discovery document %.200q of %.200q names the issuer %.200q",
			r.discoveryURL, r.issuer, fmt.Sprint(found["issuer"]))
	}
	from, _ := found["jwks_uri"].(string)
	if from == "" {
		return "", newError(keySetURL, "the discovery document has no jwks_uri")
	}
	if err := r.allowed.CheckFound(from, r.discoveryURL); err != nil {
		return "", newError(keySetURL, "the discovery document's jwks_uri: %w", err)
	}
	return from, nil
}

// isNamed tells whether a discovery document's issuer is this one.
func (r *remoteKeys) isNamed(issuer any) bool {
	name, ok := issuer.(string)
	return ok && (name == r.issuer || slices.Contains(r.aliases, name))
}

// unusable says what was sent in place of JSON, if that can be told, or else what is wrong with the
// JSON.
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
