package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/aws/smithy-go"
)

// tell runs the album's story in the terminal. It returns an error if any step has an unexpected
// result.
func tell(ctx context.Context, a *album, out io.Writer) error {
	s := &story{album: a, out: out}
	for _, step := range []func(context.Context) error{
		s.ownFolders, s.refusedByRule, s.ruleSwitchedOff, s.readOnly, s.expired,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	fmt.Fprint(out, `Next:
  go run .          the same in a browser
  go run . -help    the flags for a real issuer, service and bucket
`)
	return nil
}

type story struct {
	album *album
	out   io.Writer
}

// say prints what a step did.
func (s *story) say(what string, value any) { fmt.Fprintf(s.out, "  %-19s %v\n", what, value) }

// enter signs a user in.
func (s *story) enter(ctx context.Context, name string) (*visitor, error) {
	u, ok := findUser(name)
	if !ok {
		return nil, fmt.Errorf("there is no user %s", name)
	}
	v := newVisitor(s.album)
	return v, v.signIn(ctx, u.name, u.password)
}

// ownFolders shows two users who can use their own folders, and no others.
func (s *story) ownFolders(ctx context.Context) error {
	for _, users := range [][2]string{{"alice", "bob"}, {"bob", "alice"}} {
		name := users[0]
		fmt.Fprintf(s.out, "%s signs in:\n", name)
		v, err := s.enter(ctx, name)
		if err != nil {
			return err
		}
		c, err := v.exchange(ctx)
		if err != nil {
			return err
		}
		arn, err := s.album.identity(ctx, c)
		if err != nil {
			return err
		}
		s.say("AWS sees", arn)
		s.say("session ends in", c.Expiration.Sub(s.album.clock.Now()).Round(time.Minute))
		key := name + "/cat.jpg"
		client := s.album.s3Client(c)
		photo := []byte("a photo of " + name + "'s cat")
		if err := put(ctx, client, key, photo); err != nil {
			return err
		}
		keys, err := list(ctx, client, name+"/")
		if err != nil {
			return err
		}
		s.say("uploads and lists", strings.Join(keys, " "))
		stored, err := fetch(ctx, client, key)
		if err != nil {
			return err
		}
		if !bytes.Equal(stored, photo) {
			return errors.New("S3 returned another photo")
		}
		_, err = list(ctx, client, users[1]+"/")
		if err := s.denied("lists "+users[1]+"/", err); err != nil {
			return err
		}
		_, err = fetch(ctx, client, users[1]+"/cat.jpg")
		if err := s.denied("reads "+users[1]+"/cat.jpg", err); err != nil {
			return err
		}
		fmt.Fprintln(s.out)
	}
	return nil
}

// denied prints AWS's refusal. Anything else is an error.
func (s *story) denied(what string, err error) error { return s.refused(what, err, "AccessDenied") }

func (s *story) refused(what string, err error, code string) error {
	var refused smithy.APIError
	if !errors.As(err, &refused) || refused.ErrorCode() != code {
		return fmt.Errorf("%s: got %w, want %s", what, err, code)
	}
	s.say(what, refused.ErrorCode())
	return nil
}

// refusedByRule shows a user whom a rule refuses.
func (s *story) refusedByRule(ctx context.Context) error {
	fmt.Fprintln(s.out, "carol signs in:")
	v, err := s.enter(ctx, "carol")
	if err != nil {
		return err
	}
	_, err = v.exchange(ctx)
	var refused *refusal
	if !errors.As(err, &refused) {
		return fmt.Errorf("carol: got %w, want a refusal", err)
	}
	s.say("the service says", refused)
	fmt.Fprintln(s.out)
	return nil
}

// ruleSwitchedOff shows the same user without the rule.
func (s *story) ruleSwitchedOff(ctx context.Context) error {
	const rule = "photographers"
	fmt.Fprintf(s.out, "The rule %s is switched off, and carol tries again:\n", rule)
	if err := s.album.rules.turn(rule, false); err != nil {
		return err
	}
	v, err := s.enter(ctx, "carol")
	if err != nil {
		return err
	}
	c, err := v.exchange(ctx)
	if err != nil {
		return err
	}
	if err := put(ctx, s.album.s3Client(c), "carol/dog.jpg", []byte("a dog")); err != nil {
		return err
	}
	s.say("uploads", "carol/dog.jpg")
	fmt.Fprintln(s.out)
	return s.album.rules.turn(rule, true)
}

// readOnly shows a rule that narrows what AWS allows.
func (s *story) readOnly(ctx context.Context) error {
	const rule = "read-only"
	fmt.Fprintf(s.out, "The rule %s is switched on, and alice signs in:\n", rule)
	if err := s.album.rules.turn(rule, true); err != nil {
		return err
	}
	v, err := s.enter(ctx, "alice")
	if err != nil {
		return err
	}
	c, err := v.exchange(ctx)
	if err != nil {
		return err
	}
	client := s.album.s3Client(c)
	if _, err := fetch(ctx, client, "alice/cat.jpg"); err != nil {
		return err
	}
	s.say("reads", "alice/cat.jpg")
	err = put(ctx, client, "alice/dog.jpg", []byte("a dog"))
	if err := s.denied("uploads", err); err != nil {
		return err
	}
	fmt.Fprintln(s.out)
	return s.album.rules.turn(rule, false)
}

// expired shows a session that has ended, and its renewal.
func (s *story) expired(ctx context.Context) error {
	fmt.Fprintln(s.out, "16 minutes later, by the album's clock:")
	v, err := s.enter(ctx, "bob")
	if err != nil {
		return err
	}
	c, err := v.exchange(ctx)
	if err != nil {
		return err
	}
	s.album.clock.advance(16 * time.Minute)
	_, err = fetch(ctx, s.album.s3Client(c), "bob/cat.jpg")
	if err := s.refused("the session", err, "ExpiredToken"); err != nil {
		return err
	}
	_, err = v.exchange(ctx)
	var refused *refusal
	if !errors.As(err, &refused) {
		return fmt.Errorf("the ID token: got %w, want a refusal", err)
	}
	s.say("the ID token", refused)
	if err := v.renew(ctx); err != nil {
		return err
	}
	if c, err = v.exchange(ctx); err != nil {
		return err
	}
	if _, err := fetch(ctx, s.album.s3Client(c), "bob/cat.jpg"); err != nil {
		return err
	}
	s.say("after a renewal", "bob reads bob/cat.jpg")
	fmt.Fprintln(s.out)
	return nil
}
