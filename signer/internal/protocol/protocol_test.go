package protocol_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed055b7978/delegation/signer/internal/key"
	"github.com/seed055b7978/delegation/signer/internal/protocol"
)

var private = sync.OnceValue(func() *rsa.PrivateKey {
	made, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return made
})

// softKey signs with private, after before has returned.
type softKey struct {
	before func(context.Context) error
	closed bool
}

func (k *softKey) Public() *rsa.PublicKey { return &private().PublicKey }

func (k *softKey) Sign(ctx context.Context, hash crypto.Hash, digest []byte) ([]byte, error) {
	if k.before != nil {
		if err := k.before(ctx); err != nil {
			return nil, err
		}
	}
	return private().Sign(rand.Reader, digest, hash)
}

func (k *softKey) Close() { k.closed = true }

// line is any line of the program.
type line struct {
	Protocol  *int    `json:"protocol"`
	PublicKey []byte  `json:"public_key"`
	ID        *uint64 `json:"id"`
	Signature []byte  `json:"signature"`
	Error     *struct {
		Text, Remedy *string
		Temporary    *bool
		Throttled    bool
		Final        bool
	} `json:"error"`
}

// server runs a Server. Its streams are pipes.
type server struct {
	t     *testing.T
	in    *io.PipeWriter
	out   *bufio.Reader
	outer *io.PipeReader
	ended chan error
	log   *lockedBuffer
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func never(time.Duration) <-chan time.Time { return nil }

func serve(
	t *testing.T, open func(context.Context) (key.Key, error),
	after func(time.Duration) <-chan time.Time,
) *server {
	t.Helper()
	in, inWriter := io.Pipe()
	outReader, out := io.Pipe()
	s := &server{
		t: t, in: inWriter, out: bufio.NewReaderSize(outReader, 1<<20), outer: outReader,
		ended: make(chan error, 1), log: &lockedBuffer{},
	}
	subject := &protocol.Server{
		Out:   out,
		Log:   slog.New(slog.NewTextHandler(s.log, nil)),
		Open:  open,
		After: after,
	}
	go func() {
		s.ended <- subject.Serve(in)
		_ = out.Close()
		_ = in.Close()
	}()
	t.Cleanup(func() { _ = inWriter.Close() })
	return s
}

func serveKey(t *testing.T, k key.Key) *server {
	t.Helper()
	s := serve(t, func(context.Context) (key.Key, error) { return k, nil }, never)
	first := s.read()
	if first.Protocol == nil || *first.Protocol != 1 || first.Error != nil {
		t.Fatalf("the first line is %+v", first)
	}
	public, err := x509.ParsePKIXPublicKey(first.PublicKey)
	if err != nil || !k.Public().Equal(public) {
		t.Fatalf("the first line has another key: %v", err)
	}
	return s
}

func (s *server) read() line {
	s.t.Helper()
	text, err := s.out.ReadString('\n')
	if err != nil {
		s.t.Fatalf("no line: %v; log:\n%s", err, s.log)
	}
	var l line
	if err := json.Unmarshal([]byte(text), &l); err != nil {
		s.t.Fatalf("%q: %v", text, err)
	}
	if e := l.Error; e != nil && (e.Text == nil || e.Remedy == nil || e.Temporary == nil) {
		s.t.Errorf("an error without text, remedy or temporary: %s", text)
	}
	return l
}

func (s *server) send(text string) {
	s.t.Helper()
	if _, err := io.WriteString(s.in, text); err != nil {
		s.t.Fatal(err)
	}
}

// end ends standard input, and returns what Serve returned.
func (s *server) end() error {
	_ = s.in.Close()
	return <-s.ended
}

func digestOf(id uint64) []byte {
	sum := sha256.Sum256(fmt.Append(nil, id))
	return sum[:]
}

func requestOf(id uint64) string {
	return fmt.Sprintf(`{"id":%d,"digest":"%s","hash":"SHA-256"}`+"\n", id,
		base64.StdEncoding.EncodeToString(digestOf(id)))
}

func (s *server) check(l line) {
	s.t.Helper()
	if l.ID == nil || l.Error != nil {
		s.t.Fatalf("%+v", l)
	}
	err := rsa.VerifyPKCS1v15(&private().PublicKey, crypto.SHA256, digestOf(*l.ID), l.Signature)
	if err != nil {
		s.t.Errorf("request %d: %v", *l.ID, err)
	}
}

// TestServe_ManyAtOnce: each request is answered once, with the signature of its own digest.
func TestServe_ManyAtOnce(t *testing.T) {
	k := &softKey{}
	s := serveKey(t, k)
	const requests = 300
	go func() {
		for id := range uint64(requests) {
			_, _ = io.WriteString(s.in, requestOf(id))
		}
		_ = s.in.Close()
	}()
	seen := map[uint64]bool{}
	for range requests {
		l := s.read()
		s.check(l)
		seen[*l.ID] = true
	}
	if len(seen) != requests {
		t.Errorf("%d of %d requests were answered", len(seen), requests)
	}
	if err := s.end(); err != nil || !k.closed {
		t.Errorf("%v, closed: %v", err, k.closed)
	}
}

// TestServe_AnyOrder: a request that waits does not hold up the next one.
func TestServe_AnyOrder(t *testing.T) {
	first := make(chan struct{})
	calls := make(chan int, 2)
	calls <- 1
	calls <- 2
	s := serveKey(t, &softKey{before: func(context.Context) error {
		if <-calls == 1 {
			<-first
		}
		return nil
	}})
	s.send(requestOf(1) + requestOf(2))
	one := s.read()
	close(first)
	two := s.read()
	s.check(one)
	s.check(two)
	if *one.ID == *two.ID {
		t.Errorf("both answers are to %d", *one.ID)
	}
	if err := s.end(); err != nil {
		t.Error(err)
	}
}

// TestServe_UnderWay: 64 requests are under way, and the next one waits until one has ended.
func TestServe_UnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		started := 0
		release := make(chan struct{})
		s := serveKey(t, &softKey{before: func(context.Context) error {
			mu.Lock()
			started++
			mu.Unlock()
			<-release
			return nil
		}})
		wantStarted := func(want int) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if started != want {
				t.Errorf("%d requests were started, want %d", started, want)
			}
		}
		const requests = 150
		go func() {
			for id := range uint64(requests) {
				_, _ = io.WriteString(s.in, requestOf(id))
			}
			_ = s.in.Close()
		}()
		wantStarted(64)
		release <- struct{}{}
		s.check(s.read())
		wantStarted(65)
		close(release)
		for range requests - 1 {
			s.check(s.read())
		}
		if err := s.end(); err != nil {
			t.Error(err)
		}
	})
}

// TestServe_NoRequest: after a line that is no request nothing can be told apart any more. What
// came before it is answered.
func TestServe_NoRequest(t *testing.T) {
	for name, test := range map[string]struct{ line, want string }{
		"garbage":       {"hello\n", "not a request"},
		"binary":        {"\x00\xff\n", "not a request"},
		"empty":         {"\n", "not a request"},
		"a list":        {"[1]\n", "not a request"},
		"no id":         {`{"digest":"","hash":"SHA-256"}` + "\n", "without id"},
		"null":          {"null\n", "without id"},
		"a negative id": {`{"id":-1}` + "\n", "not a request"},
		"a text id":     {`{"id":"1"}` + "\n", "not a request"},
		"no base64":     {`{"id":1,"digest":"*","hash":"SHA-256"}` + "\n", "not a request"},
		"two at once":   {`{"id":1} {"id":2}` + "\n", "not a request"},
		"half a line":   {`{"id":1,"digest"`, "not a request"},
		"a huge line":   {strings.Repeat("x", 64<<10+1) + "\n", "too long"},
		"no line feed":  {strings.Repeat("x", 1<<20), "too long"},
	} {
		t.Run(name, func(t *testing.T) {
			release := make(chan struct{})
			s := serveKey(t, &softKey{before: func(context.Context) error {
				<-release
				return nil
			}})
			s.send(requestOf(5))
			go func() {
				_, _ = io.WriteString(s.in, test.line) // fails where it is not read to its end
				_ = s.in.Close()
			}()
			close(release)
			s.check(s.read())
			if err := <-s.ended; err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// TestServe_LongestLine: 64 KiB are allowed.
func TestServe_LongestLine(t *testing.T) {
	s := serveKey(t, &softKey{})
	request := strings.TrimSuffix(requestOf(1), "\n")
	s.send(request + strings.Repeat(" ", 64<<10-len(request)) + "\n")
	s.check(s.read())
	if err := s.end(); err != nil {
		t.Error(err)
	}
}

// TestServe_LastLine: the last line needs no line feed, as it is whole.
func TestServe_LastLine(t *testing.T) {
	s := serveKey(t, &softKey{})
	go func() {
		_, _ = io.WriteString(s.in, strings.TrimSuffix(requestOf(1), "\n"))
		_ = s.in.Close()
	}()
	s.check(s.read())
	if err := s.end(); err != nil {
		t.Error(err)
	}
}

// TestServe_WrongRequest: a request that cannot be signed is answered with an error, and the next
// one with a signature.
func TestServe_WrongRequest(t *testing.T) {
	s := serveKey(t, &softKey{})
	for wrong, want := range map[string]string{
		`{"id":9}`:                            "the hash is none of",
		`{"id":9,"hash":"SHA-1","digest":""}`: "the hash is none of",
		`{"id":9,"hash":"sha-256"}`:           "the hash is none of",
		`{"id":9,"hash":"SHA-256"}`:           "SHA-256 has 32 bytes, and this one has 0",
		`{"id":9,"hash":"SHA-512","digest":"` + strings.Repeat("A", 44) + `"}`: "has 64 bytes",
	} {
		s.send(wrong + "\n")
		l := s.read()
		if *l.ID != 9 || l.Error == nil || !strings.Contains(*l.Error.Text, want) ||
			*l.Error.Temporary || *l.Error.Remedy == "" || l.Signature != nil {
			t.Errorf("%s: %+v", wrong, l)
		}
	}
	s.send(requestOf(10))
	s.check(s.read())
}

// TestServe_Failures: what a key says about its error is in the answer.
func TestServe_Failures(t *testing.T) {
	for name, test := range map[string]struct {
		err       error
		want      string
		temporary bool
	}{
		"temporary": {key.Temporary("wait", "throttled"), "throttled|wait", true},
		"permanent": {fmt.Errorf("x: %w", key.Permanent("allow", "denied")), "denied|allow", false},
		"late":      {context.DeadlineExceeded, "store gave no answer in time|check", true},
		"unknown":   {errors.New("a\nb"), "a b|run delegation-signer", false},
		"long":      {errors.New(strings.Repeat("ä", 1<<20)), "ä…|run", false},
	} {
		t.Run(name, func(t *testing.T) {
			s := serveKey(t, &softKey{before: func(context.Context) error { return test.err }})
			s.send(requestOf(1))
			l := s.read()
			if l.Error == nil || *l.Error.Temporary != test.temporary ||
				!strings.Contains(*l.Error.Text+"|"+*l.Error.Remedy, test.want) {
				t.Errorf("%+v", l.Error)
			}
		})
	}
}

// TestServe_Marks: throttled and final are members of the error only where they are true.
func TestServe_Marks(t *testing.T) {
	for _, f := range []*key.Failure{
		key.Throttled("wait", "quota"), key.Temporary("wait", "busy"), {Text: "PIN", Final: true},
	} {
		s := serveKey(t, &softKey{before: func(context.Context) error { return f }})
		s.send(requestOf(1))
		got := s.read().Error
		if got == nil || got.Throttled != f.Throttled || got.Final != f.Final ||
			*got.Temporary != f.Temporary {
			t.Errorf("got %+v, want %+v", got, f)
		}
	}
}

// TestServe_Panic: a panic fails one request, and not the program.
func TestServe_Panic(t *testing.T) {
	wrong := true
	s := serveKey(t, &softKey{before: func(context.Context) error {
		if wrong {
			wrong = false
			panic("index out of range")
		}
		return nil
	}})
	s.send(requestOf(1))
	l := s.read()
	if l.Error == nil || *l.Error.Text != "delegation-signer failed inside" {
		t.Errorf("%+v", l)
	}
	if !strings.Contains(s.log.String(), "index out of range") {
		t.Errorf("log: %s", s.log)
	}
	s.send(requestOf(2))
	s.check(s.read())
}

// TestServe_SignTimeout: a request has at most 20 seconds.
func TestServe_SignTimeout(t *testing.T) {
	s := serveKey(t, &softKey{before: func(ctx context.Context) error {
		deadline, ok := ctx.Deadline()
		if !ok || time.Until(deadline) > protocol.SignTimeout {
			return errors.New("no deadline")
		}
		return nil
	}})
	s.send(requestOf(1))
	s.check(s.read())
}

// TestServe_EndUnderWay: a request that is under way when standard input ends is answered, and the
// key is closed after it.
func TestServe_EndUnderWay(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	k := &softKey{}
	k.before = func(context.Context) error {
		close(entered)
		<-release
		if k.closed {
			return errors.New("closed")
		}
		return nil
	}
	s := serveKey(t, k)
	s.send(requestOf(1))
	<-entered
	_ = s.in.Close()
	close(release)
	s.check(s.read())
	if err := <-s.ended; err != nil || !k.closed {
		t.Errorf("%v, closed: %v", err, k.closed)
	}
}

// TestServe_EndIsBounded: a call that never returns does not hold up the end.
func TestServe_EndIsBounded(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	entered := make(chan struct{})
	k := &softKey{before: func(context.Context) error {
		close(entered)
		<-release
		return nil
	}}
	late := make(chan time.Time)
	s := serve(t, func(context.Context) (key.Key, error) { return k, nil },
		func(d time.Duration) <-chan time.Time {
			if d == protocol.OpenTimeout {
				return nil
			}
			if d <= protocol.SignTimeout {
				t.Errorf("requests under way have %s", d)
			}
			return late
		})
	s.read()
	s.send(requestOf(1))
	<-entered
	_ = s.in.Close()
	late <- time.Time{}
	const unanswered = "requests were still unanswered"
	if err := <-s.ended; err == nil || !strings.Contains(err.Error(), unanswered) {
		t.Error(err)
	}
}

// TestServe_Open: a key that cannot be opened is told in the first line, which is the only one.
func TestServe_Open(t *testing.T) {
	for name, test := range map[string]struct {
		open      func(context.Context) (key.Key, error)
		late      bool
		want      string
		temporary bool
	}{
		"permanent": {
			open: func(context.Context) (key.Key, error) {
				return nil, key.Permanent("do", "wrong")
			},
			want: "wrong",
		},
		"temporary": {
			open: func(context.Context) (key.Key, error) {
				return nil, key.Temporary("do", "busy")
			},
			want: "busy", temporary: true,
		},
		"panic": {
			open: func(context.Context) (key.Key, error) { panic("x") },
			want: "delegation-signer failed inside",
		},
		"hangs, and minds its context": {
			open: func(ctx context.Context) (key.Key, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			},
			late: true, want: "no public key within 9s", temporary: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			after := never
			if test.late {
				after = func(d time.Duration) <-chan time.Time {
					now := make(chan time.Time, 1)
					now <- time.Time{}
					if d != 9*time.Second {
						t.Errorf("opening has %s", d)
					}
					return now
				}
			}
			s := serve(t, test.open, after)
			l := s.read()
			if l.Protocol == nil || *l.Protocol != 1 || l.Error == nil ||
				*l.Error.Text == "" || !strings.Contains(*l.Error.Text, test.want) ||
				*l.Error.Temporary != test.temporary || l.PublicKey != nil {
				t.Errorf("%+v", l)
			}
			if _, err := s.out.ReadByte(); !errors.Is(err, io.EOF) {
				t.Errorf("there is more: %v", err)
			}
			if err := <-s.ended; err == nil {
				t.Error("no error")
			}
		})
	}
}

// TestServe_NobodyReads: an answer that cannot be written is an error, and ends nothing before
// standard input does.
func TestServe_NobodyReads(t *testing.T) {
	s := serveKey(t, &softKey{})
	_ = s.outer.Close()
	s.send(requestOf(1) + requestOf(2))
	if err := s.end(); err == nil || !strings.Contains(err.Error(), "standard output") {
		t.Error(err)
	}
}

// FuzzServe: whatever comes in, what goes out are lines of JSON, one for each request.
func FuzzServe(f *testing.F) {
	f.Add([]byte(requestOf(1) + "x\n"))
	f.Add([]byte(`{"id":18446744073709551615,"hash":"SHA-256"}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		var out bytes.Buffer
		subject := &protocol.Server{
			Out:   &out,
			Log:   slog.New(slog.DiscardHandler),
			Open:  func(context.Context) (key.Key, error) { return &softKey{}, nil },
			After: never,
		}
		_ = subject.Serve(bytes.NewReader(in))
		lines := bytes.Split(bytes.TrimSuffix(out.Bytes(), []byte("\n")), []byte("\n"))
		if len(lines) > 2+bytes.Count(in, []byte("\n")) {
			t.Errorf("%d lines", len(lines))
		}
		for i, text := range lines {
			var l line
			err := json.Unmarshal(text, &l)
			if err != nil || (i == 0) != (l.PublicKey != nil) || (i == 0) != (l.ID == nil) {
				t.Errorf("line %d: %s", i, text)
			}
		}
	})
}
