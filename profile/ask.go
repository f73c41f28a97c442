package profile

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/internal/document"
)

// question is one request. A form makes it a POST.
type question struct {
	address string
	bearer  string
	form    url.Values
	maxSize int
}

// reply is an answer of a status that is neither a redirect, nor 429 or 5xx. Only that of 200 has a
// body.
type reply struct {
	status int
	body   []byte
}

// ask makes a request. An error is a *refusal: it holds neither the question nor the answer.
func ask(ctx context.Context, client *http.Client, q question) (*reply, error) {
	request, err := q.request(ctx)
	if err != nil {
		return nil, refuse(delegation.CodeProfileInvalid, "the address is not a URL")
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, q.unanswered(ctx, err)
	}
	defer response.Body.Close()
	status := response.StatusCode
	switch {
	case status >= 300 && status < 400:
		return nil, q.redirected()
	case status == http.StatusTooManyRequests:
		refused := refuse(delegation.CodeProfileThrottled, "%s answered 429", q.place())
		refused.wait = retryAfter(response.Header)
		return nil, refused
	case status >= 500:
		return nil, refuse(delegation.CodeProfileUnavailable, "%s answered %d", q.place(), status)
	case status != http.StatusOK:
		return &reply{status: status}, nil
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, int64(q.maxSize)+1))
	if err != nil {
		return nil, q.unanswered(ctx, err)
	}
	if len(body) > q.maxSize {
		return nil, refuse(delegation.CodeProfileInvalid,
			"the answer of %s is larger than %d bytes: raise profile.Config.MaxSize",
			q.place(), q.maxSize)
	}
	return &reply{status, body}, nil
}

func (q question) request(ctx context.Context) (*http.Request, error) {
	method := http.MethodGet
	if q.form != nil {
		method = http.MethodPost
	}
	content := strings.NewReader(q.form.Encode())
	request, err := http.NewRequestWithContext(ctx, method, q.address, content)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/json")
	if q.form != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if q.bearer != "" {
		request.Header.Set("Authorization", "Bearer "+q.bearer)
	}
	return request, nil
}

// place is the origin that is asked. The rest of the address can name the user.
func (q question) place() string { return document.Origin(q.address) }

// redirected is the refusal of a redirect.
func (q question) redirected() *refusal {
	return refuse(delegation.CodeProfileInvalid,
		"%s: %w, which is not followed", q.place(), document.ErrRedirect)
}

// unanswered says why there was no whole answer, without anything of it: it may have a token.
func (q question) unanswered(ctx context.Context, err error) *refusal {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return refuse(delegation.CodeProfileUnavailable,
			"%s did not answer in time: %w", q.place(), context.DeadlineExceeded)
	}
	err = document.Unanswered(ctx, err)
	if errors.Is(err, document.ErrRedirect) {
		return q.redirected()
	}
	return refuse(delegation.CodeProfileUnavailable, "no answer from %s: %w", q.place(), err)
}

// retryAfter is how long the endpoint wants to be left alone: Retry-After (RFC 9110 §10.2.3), or
// X-RateLimit-Reset, a time in seconds since 1970, as Auth0 sends it. It is a second at least, and
// a minute at most.
func retryAfter(header http.Header) time.Duration {
	now := document.Date(header)
	if now.IsZero() {
		now = time.Now()
	}
	wait := leastRest
	if seconds, err := strconv.Atoi(header.Get("Retry-After")); err == nil {
		wait = time.Duration(min(seconds, 3600)) * time.Second
	} else if at, err := http.ParseTime(header.Get("Retry-After")); err == nil {
		wait = at.Sub(now)
	} else if at, err := strconv.ParseInt(header.Get("X-RateLimit-Reset"), 10, 64); err == nil {
		wait = time.Unix(at, 0).Sub(now)
	}
	return min(max(wait, leastRest), mostRest)
}

// profile reads the answer about a user. field is the member that has to be the subject. Empty: it
// is not compared.
func (r *reply) profile(field, subject string) (map[string]any, error) {
	switch r.status {
	case http.StatusOK:
	case http.StatusNotFound, http.StatusGone:
		missing := refuse(delegation.CodeProfileMissing, "%w", errMissing)
		missing.answered = true
		return nil, missing
	case http.StatusUnauthorized, http.StatusForbidden:
		return nil, refuse(delegation.CodeProfileUnauthorized,
			"the endpoint answered %d to the credentials of this service", r.status)
	case http.StatusBadRequest:
		// Auth0's Management API also answers 400 to a token that it cannot read.
		return nil, refuse(delegation.CodeProfileInvalid, "the endpoint answered 400: check its "+
			"address, the form in which it expects the subject and the bearer token, and its log")
	default:
		return nil, refuse(delegation.CodeProfileInvalid, "the endpoint answered %d", r.status)
	}
	object, err := document.Object(document.WithoutBOM(r.body))
	if err != nil {
		return nil, refuse(delegation.CodeProfileInvalid, "the answer is not one JSON object: %w",
			err)
	}
	if field != "" && object[field] != subject {
		return nil, refuse(delegation.CodeProfileInvalid, "%w: its %.80q is not the user's sub",
			errSomebodyElse, field)
	}
	return object, nil
}
