package main

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/ststest"
)

// TestTools_OwnFiles: each user sees the files of their own folder, over one server and one client
// of S3.
func TestTools_OwnFiles(t *testing.T) {
	w := started(t)
	for user, want := range map[string][]string{
		"alice": {"alice/mail.txt", "alice/notes.txt"},
		"bob":   {"bob/recipes.txt", "bob/secret.txt"},
		"carol": nil, // has no files
	} {
		token := w.token(user, bothScopes, nil)
		if got := w.list(t, token, nil); !slices.Equal(got, want) {
			t.Errorf("%s lists %q, want %q", user, got, want)
		}
		for _, key := range want {
			got, err := w.call(t, token, toolRead, map[string]any{"key": key})
			if err != nil || got != demoFiles[key] {
				t.Errorf("%s reads %s: %q, %v", user, key, got, err)
			}
		}
	}
}

// TestTools_ManyUsersAtOnce: users who call at the same time are never mixed up. AWS's record has
// each request with the key of a session of the user whose file it is about.
func TestTools_ManyUsersAtOnce(t *testing.T) {
	const users = 40
	w := started(t)
	for i := range users {
		w.bucket.Put("user"+number(i)+"/own.txt", []byte("of "+number(i)))
	}
	var wait sync.WaitGroup
	for i := range users {
		wait.Go(func() {
			user := "user" + number(i)
			answer, err := post(t.Context(), w.settings.resource, w.token(user, bothScopes, nil),
				toolRead, `{"key":"`+user+`/own.txt"}`)
			if err != nil || !strings.Contains(answer.body, "of "+number(i)) {
				t.Errorf("%s: %s, %v", user, answer.body, err)
			}
		})
	}
	wait.Wait()
	userOf := map[string]string{}
	requests := 0
	for _, call := range w.sts.Calls() {
		if call.Action == "AssumeRoleWithSAML" {
			userOf[call.AccessKeyID] = call.Subject
			continue
		}
		requests++
		user := userOf[call.AccessKeyID]
		if want := "arn:aws:s3:::" + demoBucket + "/" + user + "/own.txt"; call.Resource != want {
			t.Errorf("%q asked for %s", user, call.Resource)
		}
	}
	if len(userOf) != users || requests != users {
		t.Errorf("%d sessions and %d requests of %d users", len(userOf), requests, users)
	}
}

// TestTools_OthersFiles: a model can ask for anything. What is outside of the user's folder is
// refused by the policies, and AWS's record says so. What the server's own code does with the text
// of a key does not matter, because it does nothing.
func TestTools_OthersFiles(t *testing.T) {
	w := started(t)
	alice := w.token("alice", bothScopes, nil)
	for _, key := range []string{
		"bob/secret.txt",
		"../bob/secret.txt",
		"../../bob/secret.txt",
		"./bob/secret.txt",
		"/bob/secret.txt",
		"//bob/secret.txt",
		`..\bob\secret.txt`,
		"..%2fbob%2fsecret.txt",
		"%2e%2e/bob/secret.txt",
		"bob%2Fsecret.txt",
		"Alice/notes.txt",
		"alice",
		"alicia/notes.txt",
		"*/secret.txt",
		"${saml:sub}/../bob/secret.txt",
		"s3://example-files/bob/secret.txt",
		"arn:aws:s3:::example-files/bob/secret.txt",
		"bob/secret.txt?versionId=1",
		"bob/secret.txt#alice/",
		"\uff0e\uff0e/bob/secret.txt",
	} {
		t.Run("read "+key, func(t *testing.T) {
			text, err := w.call(t, alice, toolRead, map[string]any{"key": key})
			refusedByAWS(t, w, "s3:GetObject", text, err)
		})
	}
	for _, prefix := range []string{
		"bob/", "bob", "a", "alice", "/", "../", "../bob/", "%62ob/", "Alice/", "alice%2f",
	} {
		t.Run("list "+prefix, func(t *testing.T) {
			text, err := w.call(t, alice, toolList, map[string]any{"prefix": prefix})
			refusedByAWS(t, w, "s3:ListBucket", text, err)
		})
	}
}

// refusedByAWS checks that a call was refused by the policies, as AWS's record says, and that the
// answer has nothing of Bob's.
func refusedByAWS(t *testing.T, w *testWorld, action, text string, err error) {
	t.Helper()
	if err == nil {
		t.Errorf("it is allowed: %q", text)
		return
	}
	if strings.Contains(err.Error(), "Friday") || strings.Contains(err.Error(), "secret.txt") {
		t.Errorf("the answer tells of Bob's file: %v", err)
	}
	noInternals(t, w, err.Error())
	last := lastCall(w)
	if last.Action != action || last.Code != "AccessDenied" || last.Status != http.StatusForbidden {
		t.Errorf("AWS's record has %+v", last)
	}
	if !strings.HasPrefix(last.Cause, "denied") {
		t.Errorf("the cause is %q", last.Cause)
	}
}

func lastCall(w *testWorld) ststest.Call {
	calls := w.sts.Calls()
	return calls[len(calls)-1]
}

// TestTools_NoFolders: S3 has no folders, so a key that begins with the user's own is within it,
// whatever follows. There is no such object, and the answer is that of a file of another user.
func TestTools_NoFolders(t *testing.T) {
	w := started(t)
	alice := w.token("alice", bothScopes, nil)
	_, foreign := w.call(t, alice, toolRead, map[string]any{"key": "bob/secret.txt"})
	if foreign == nil {
		t.Fatal("Alice reads Bob's file")
	}
	for _, key := range []string{
		"alice/../bob/secret.txt", "alice/./notes.txt", "alice//notes.txt", "alice/missing.txt",
		"alice/..%2f..%2fbob/secret.txt",
	} {
		text, err := w.call(t, alice, toolRead, map[string]any{"key": key})
		if err == nil || err.Error() != foreign.Error() {
			t.Errorf("%s: %q, %v", key, text, err)
		}
		if want := "arn:aws:s3:::" + demoBucket + "/" + key; lastCall(w).Resource != want {
			t.Errorf("AWS was asked for %s, want %s", lastCall(w).Resource, want)
		}
	}
}

// TestTools_Narrowed: with the credentials of a tool nothing else can be done, not even what the
// role allows. The same request works with credentials that are not narrowed, so it is the session
// policy that refuses.
func TestTools_Narrowed(t *testing.T) {
	w := newWorld(t)
	f, err := newFiles(t.Context(), w.settings)
	if err != nil {
		t.Fatal(err)
	}
	token := w.token("alice", bothScopes, nil)
	operations := map[string]func(scope ...string) error{
		"list": func(scope ...string) error {
			ctx := delegation.WithIDToken(t.Context(), token, delegation.WithScope(scope...))
			_, err := f.s3.ListObjectsV2(ctx, &s3.ListObjectsV2Input{
				Bucket: aws.String(demoBucket), Prefix: aws.String("alice/"),
			})
			return err
		},
		"read": func(scope ...string) error {
			ctx := delegation.WithIDToken(t.Context(), token, delegation.WithScope(scope...))
			object, err := f.s3.GetObject(ctx, &s3.GetObjectInput{
				Bucket: aws.String(demoBucket), Key: aws.String("alice/notes.txt"),
			})
			if err == nil {
				object.Body.Close()
			}
			return err
		},
		"write": func(scope ...string) error {
			ctx := delegation.WithIDToken(t.Context(), token, delegation.WithScope(scope...))
			_, err := f.s3.PutObject(ctx, &s3.PutObjectInput{
				Bucket: aws.String(demoBucket), Key: aws.String("alice/new.txt"),
				Body: strings.NewReader("new"),
			})
			return err
		},
	}
	for _, row := range []struct {
		scopes  []string
		allowed []string
	}{
		{[]string{scopeList}, []string{"list"}},
		{[]string{scopeRead}, []string{"read"}},
		{nil, []string{"list", "read", "write"}},
	} {
		for name, operate := range operations {
			err := operate(row.scopes...)
			if slices.Contains(row.allowed, name) {
				if err != nil {
					t.Errorf("%s with %q: %v", name, row.scopes, err)
				}
				continue
			}
			var answer smithy.APIError
			if !errors.As(err, &answer) || answer.ErrorCode() != "AccessDenied" {
				t.Errorf("%s with %q: %v", name, row.scopes, err)
			}
			if last := lastCall(w); !strings.Contains(last.Cause, "session policy") {
				t.Errorf("%s with %q: AWS's record has %+v", name, row.scopes, last)
			}
		}
	}
	if _, written := w.bucket.Object("alice/new.txt"); !written {
		t.Error("without narrowing nothing was written either, so nothing is shown")
	}
}

// TestTools_NoOwnCredentials: the server has none. Those of its environment are not used, and
// without a caller there is no request to AWS.
func TestTools_NoOwnCredentials(t *testing.T) {
	const planted = "AKIAPLANTEDPLANTED12"
	t.Setenv("AWS_ACCESS_KEY_ID", planted)
	t.Setenv("AWS_SECRET_ACCESS_KEY", "planted")
	w := started(t)
	f, err := newFiles(t.Context(), w.settings)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.s3.GetObject(t.Context(), &s3.GetObjectInput{
		Bucket: aws.String(demoBucket), Key: aws.String("alice/notes.txt"),
	})
	var refused *delegation.Error
	if !errors.As(err, &refused) || refused.Code != delegation.CodeContextWithoutToken {
		t.Errorf("got %v", err)
	}
	if calls := w.sts.Calls(); len(calls) > 0 {
		t.Errorf("AWS was asked without a caller: %+v", calls)
	}
	w.list(t, w.token("alice", bothScopes, nil), nil)
	for _, call := range w.sts.Calls() {
		if call.AccessKeyID == planted || call.AccessKeyID == "" {
			t.Errorf("a request is signed with %q", call.AccessKeyID)
		}
	}
}

// TestTools_Limits: what a model gets is bounded, and what is longer is refused and not cut.
func TestTools_Limits(t *testing.T) {
	w := started(t)
	w.bucket.Put("alice/largest.txt", []byte(strings.Repeat("a", maxFile)))
	w.bucket.Put("alice/larger.txt", []byte(strings.Repeat("a", maxFile+1)))
	w.bucket.Put("alice/photo.jpg", []byte{0xff, 0xd8, 0xff})
	alice := w.token("alice", bothScopes, nil)
	got, err := w.call(t, alice, toolRead, map[string]any{"key": "alice/largest.txt"})
	if err != nil || len(got) != maxFile {
		t.Errorf("the largest file: %d bytes, %v", len(got), err)
	}
	for key, want := range map[string]string{
		"alice/larger.txt":                     "longer than 65536 bytes",
		"alice/photo.jpg":                      "not text",
		"":                                     "empty",
		"alice/" + strings.Repeat("a", maxKey): "longer than 1024 bytes",
	} {
		_, err := w.call(t, alice, toolRead, map[string]any{"key": key})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: got %v, want %q", key, err, want)
		}
	}
	prefix := map[string]any{"prefix": "alice/" + strings.Repeat("a", maxKey)}
	if _, err := w.call(t, alice, toolList, prefix); err == nil {
		t.Error("a prefix of more than 1024 bytes is accepted")
	}
}

// TestTools_LimitOfList: a folder with more files says that there are more.
func TestTools_LimitOfList(t *testing.T) {
	w := started(t)
	for i := range maxListed {
		w.bucket.Put("carol/"+number(i), nil)
	}
	carol := w.token("carol", bothScopes, nil)
	for _, more := range []bool{false, true} {
		text, err := w.call(t, carol, toolList, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(text, `"more":true`); got != more {
			t.Errorf("more is %t, want %t", got, more)
		}
		if n := strings.Count(text, `"key"`); n != maxListed {
			t.Errorf("%d files, want %d", n, maxListed)
		}
		w.bucket.Put("carol/"+number(maxListed), nil)
	}
}

// TestTools_Errors: a model is told no more than a stranger, and the operator's log has the reason.
// Neither has a secret.
func TestTools_Errors(t *testing.T) {
	w := started(t)
	alice := w.token("alice", bothScopes, nil)
	arguments := map[string]any{"key": "alice/notes.txt"}
	w.sts.Script(ststest.Refuse(http.StatusForbidden, "AccessDenied", "not authorized: internals"))
	_, err := w.call(t, alice, toolRead, arguments)
	if err == nil {
		t.Fatal("STS refused, and the file is read")
	}
	noInternals(t, w, err.Error())
	if strings.Contains(err.Error(), "internals") {
		t.Errorf("AWS's words are in %q", err)
	}
	if log := w.log.String(); !strings.Contains(log, "internals") {
		t.Errorf("the log does not say why:\n%s", log)
	}
	if _, err := w.call(t, alice, "no_such_tool", nil); err == nil {
		t.Error("there is another tool")
	}
	for _, secret := range append(strings.Split(alice, "."), "SecretAccessKey", "SessionToken") {
		if strings.Contains(w.log.String(), secret) {
			t.Errorf("%.20s is in the log:\n%s", secret, w.log.String())
		}
	}
}

// TestTools_OtherErrors: an answer of S3 that is no refusal of AWS's rules is told as trouble, and
// not as a file that is not there.
func TestTools_OtherErrors(t *testing.T) {
	w := newWorld(t)
	broken := http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.WriteHeader(http.StatusBadRequest) // which the SDK does not retry
		_, _ = rw.Write([]byte("<Error><Code>InvalidRequest</Code>" +
			"<Message>internals</Message></Error>"))
	})
	url, err := w.serve(broken)
	if err != nil {
		t.Fatal(err)
	}
	w.settings.s3URL = url
	if err := w.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err = w.call(t, w.token("alice", bothScopes, nil), toolRead,
		map[string]any{"key": "alice/notes.txt"})
	if want := "S3 did not answer as expected; retry later"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %q", err, want)
	}
	if log := w.log.String(); !strings.Contains(log, "internals") {
		t.Errorf("the log does not say why:\n%s", log)
	}
}

// TestTools_Actor: an agent that acts for a user gets what is the user's, and AWS sees both. Only
// the outermost act counts.
func TestTools_Actor(t *testing.T) {
	w := started(t)
	token := w.token("alice", bothScopes, map[string]any{"act": map[string]any{
		"sub": demoAgent, "act": map[string]any{"sub": "agent-before"},
	}})
	got, err := w.call(t, token, toolRead, map[string]any{"key": "alice/notes.txt"})
	if err != nil || got != demoFiles["alice/notes.txt"] {
		t.Errorf("got %q, %v", got, err)
	}
	session := w.sts.Calls()[0]
	if session.SessionName != "alice,by="+demoAgent || session.Subject != "alice" {
		t.Errorf("AWS sees the session %q of %q", session.SessionName, session.Subject)
	}
	if session.Duration != sessionDuration {
		t.Errorf("the session is of %s", session.Duration)
	}
	_, err = w.call(t, token, toolRead, map[string]any{"key": "bob/secret.txt"})
	refusedByAWS(t, w, "s3:GetObject", "", err)
	_, err = w.call(t, token, toolRead, map[string]any{"key": demoAgent + "/plan.txt"})
	refusedByAWS(t, w, "s3:GetObject", "", err)
	_, err = connect(t.Context(), w.settings.resource,
		w.token("alice", bothScopes, map[string]any{"act": demoAgent}))
	if err == nil {
		t.Error("an act that is no object is accepted")
	}
}
