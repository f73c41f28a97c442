package main

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/aws/smithy-go"
)

// newAlbum starts an album for one test.
func newAlbum(t *testing.T) *album {
	t.Helper()
	a, err := openAlbum(t.Context(), anyPort, true, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.close)
	return a
}

// signedIn returns a visitor who is a user.
func signedIn(t *testing.T, a *album, name string) *visitor {
	t.Helper()
	u, ok := findUser(name)
	if !ok {
		t.Fatalf("there is no user %s", name)
	}
	v := newVisitor(a)
	if err := v.signIn(t.Context(), u.name, u.password); err != nil {
		t.Fatal(err)
	}
	return v
}

// exchanged returns a visitor's credentials.
func exchanged(t *testing.T, v *visitor) *credentials {
	t.Helper()
	c, err := v.exchange(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// codeOf is the code of an error of AWS.
func codeOf(err error) string {
	var refused smithy.APIError
	if errors.As(err, &refused) {
		return refused.ErrorCode()
	}
	return ""
}

func TestFolder_Own(t *testing.T) {
	a := newAlbum(t)
	for _, name := range []string{"alice", "bob"} {
		client := a.s3Client(exchanged(t, signedIn(t, a, name)))
		photo := []byte("a photo of " + name)
		if err := put(t.Context(), client, name+"/cat.jpg", photo); err != nil {
			t.Fatal(err)
		}
		keys, err := list(t.Context(), client, name+"/")
		if err != nil || len(keys) != 1 || keys[0] != name+"/cat.jpg" {
			t.Errorf("%s: got %v and %v", name, keys, err)
		}
		got, err := fetch(t.Context(), client, name+"/cat.jpg")
		if err != nil || !bytes.Equal(got, photo) {
			t.Errorf("%s: got %q and %v", name, got, err)
		}
		if err := remove(t.Context(), client, name+"/cat.jpg"); err != nil {
			t.Error(err)
		}
		if keys, err = list(t.Context(), client, name+"/"); err != nil || len(keys) != 0 {
			t.Errorf("%s: after the deletion got %v and %v", name, keys, err)
		}
	}
}

func TestFolder_OfAnotherUser(t *testing.T) {
	a := newAlbum(t)
	alice := a.s3Client(exchanged(t, signedIn(t, a, "alice")))
	bob := a.s3Client(exchanged(t, signedIn(t, a, "bob")))
	if err := put(t.Context(), bob, "bob/cat.jpg", []byte("Bob's")); err != nil {
		t.Fatal(err)
	}
	_, listed := list(t.Context(), alice, "bob/")
	_, all := list(t.Context(), alice, "")
	_, read := fetch(t.Context(), alice, "bob/cat.jpg")
	for what, err := range map[string]error{
		"list the folder": listed,
		"list the bucket": all,
		"read":            read,
		"write":           put(t.Context(), alice, "bob/dog.jpg", []byte("Alice's")),
		"delete":          remove(t.Context(), alice, "bob/cat.jpg"),
	} {
		if codeOf(err) != "AccessDenied" {
			t.Errorf("%s: got %v, want AccessDenied", what, err)
		}
	}
	got, err := fetch(t.Context(), bob, "bob/cat.jpg")
	if err != nil || string(got) != "Bob's" {
		t.Errorf("Bob's photo is %q, %v", got, err)
	}
}

func TestRules_Switch(t *testing.T) {
	a := newAlbum(t)
	carol := signedIn(t, a, "carol")
	_, err := carol.exchange(t.Context())
	var refused *refusal
	if !errors.As(err, &refused) || refused.Status != http.StatusUnauthorized ||
		refused.Message != "only photographers have an album" {
		t.Fatalf("got %v, want a denial", err)
	}
	if err := a.rules.turn("photographers", false); err != nil {
		t.Fatal(err)
	}
	exchanged(t, carol)
	if err := a.rules.turn("photographers", true); err != nil {
		t.Fatal(err)
	}
	if _, err := carol.exchange(t.Context()); !errors.As(err, &refused) {
		t.Errorf("got %v: cached credentials hide the rule", err)
	}
}

func TestExpiry_TokenAndSession(t *testing.T) {
	a := newAlbum(t)
	alice := signedIn(t, a, "alice")
	c := exchanged(t, alice)
	if left := c.Expiration.Sub(a.clock.Now()); left > 15*time.Minute || left < 14*time.Minute {
		t.Errorf("the session lasts %s, want 15 minutes", left)
	}
	// The leeway for tokens is a minute. Credentials that end in less than 1/8 of their session are
	// not served from the cache.
	a.clock.advance(13*time.Minute + 30*time.Second)
	var refused *refusal
	if _, err := alice.exchange(t.Context()); !errors.As(err, &refused) {
		t.Fatalf("got %v, want a refusal of the expired token", err)
	}
	if err := alice.renew(t.Context()); err != nil {
		t.Fatal(err)
	}
	renewed := exchanged(t, alice)
	if !renewed.Expiration.After(c.Expiration) {
		t.Errorf("the new session ends at %s, the old one at %s", renewed.Expiration, c.Expiration)
	}
	a.clock.advance(2 * time.Minute)
	if err := put(t.Context(), a.s3Client(c), "alice/a", nil); codeOf(err) != "ExpiredToken" {
		t.Errorf("got %v, want ExpiredToken", err)
	}
	if err := put(t.Context(), a.s3Client(renewed), "alice/a", nil); err != nil {
		t.Errorf("the new credentials: %v", err)
	}
}
