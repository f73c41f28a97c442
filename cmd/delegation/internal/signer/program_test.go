package signer_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/signer"
)

const (
	fakeVariable = "DELEGATION_TEST_SIGNER" // its value is the file of the key
	pinVariable  = "DELEGATION_TEST_PIN"

	stuckAfter = 31 * time.Second // no pause is as long
)

// TestMain is also the program that signs: what the URI asks for, it does.
func TestMain(m *testing.M) {
	if file := os.Getenv(fakeVariable); file != "" {
		fakeProgram(file, os.Args[1])
		return
	}
	os.Exit(m.Run())
}

// fakeProgram speaks the protocol of docs/signers.md, or fails to.
func fakeProgram(file, uri string) {
	_, does, _ := strings.Cut(uri, ":")
	does, folder, _ := strings.Cut(does, "?dir=")
	first := onceIn(folder)
	der, _ := os.ReadFile(file)
	parsed, _ := x509.ParsePKCS8PrivateKey(der)
	key := parsed.(*rsa.PrivateKey)
	switch does {
	case "silent":
		_, _ = io.Copy(io.Discard, os.Stdin)
		return
	case "stays":
		greet(&key.PublicKey)
		select {}
	case "ends":
		os.Exit(3)
	case "garbage":
		fmt.Println("hello")
	case "protocol 2":
		fmt.Println(`{"protocol":2,"public_key":""}`)
	case "long":
		fmt.Println(strings.Repeat("x", 70<<10))
	case "refuses":
		fmt.Println(`{"protocol":1,"error":{"text":"wrong PIN ` + os.Getenv(pinVariable) +
			`\u001b[","remedy":"correct the file of pin-source","temporary":false}}`)
		os.Exit(1)
	case "away":
		fmt.Println(`{"protocol":1,"error":{"text":"no network","remedy":"x","temporary":true}}`)
		os.Exit(1)
	case "elliptic":
		other, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		greet(other.Public())
	case "refuses later":
		if !first {
			fmt.Println(`{"protocol":1,"error":{"text":"the token is locked",` +
				`"remedy":"unlock it"}}`)
			os.Exit(1)
		}
		does = "crash"
	case "another later":
		if !first {
			key, _ = rsa.GenerateKey(rand.Reader, 2048)
		}
		does = "crash"
	case "crash once":
		if first {
			does = "crash"
		}
	}
	greet(&key.PublicKey)
	serve(does, key)
}

// onceIn tells whether it is called first for a folder.
func onceIn(folder string) bool {
	if folder == "" {
		return true
	}
	file, err := os.OpenFile(filepath.Join(folder, "once"), os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return false
	}
	return file.Close() == nil
}

func greet(public crypto.PublicKey) {
	der, _ := x509.MarshalPKIXPublicKey(public)
	line, _ := json.Marshal(map[string]any{"protocol": 1, "public_key": der})
	fmt.Println(string(line))
}

type asked struct {
	ID     int    `json:"id"`
	Digest []byte `json:"digest"`
	Hash   string `json:"hash"`
}

func serve(does string, key *rsa.PrivateKey) {
	lines := bufio.NewScanner(os.Stdin)
	var held []asked
	for lines.Scan() {
		var r asked
		_ = json.Unmarshal(lines.Bytes(), &r)
		switch does {
		case "crash":
			fmt.Fprintln(os.Stderr, "terminate called, the PIN was "+os.Getenv(pinVariable))
			os.Exit(4)
		case "hang":
		case "says no":
			fmt.Printf(`{"id":%d,"error":{"text":"busy %s","remedy":"wait","temporary":true}}`+"\n",
				r.ID, os.Getenv(pinVariable))
		case "throttled":
			fmt.Printf(`{"id":%d,"error":{"text":"quota","temporary":true,"throttled":true}}`+"\n",
				r.ID)
		case "refuses for good":
			fmt.Printf(`{"id":%d,"error":{"text":"wrong PIN %s","remedy":"correct the PIN",`+
				`"final":true}}`+"\n", r.ID, os.Getenv(pinVariable))
		case "slow":
			if held = append(held, r); r.Hash == "SHA-512" {
				for _, one := range held {
					reply(key, one)
				}
				held = nil
			}
		case "nonsense":
			fmt.Println("{")
		case "too much":
			fmt.Println(strings.Repeat("x", 70<<10))
		case "in turn":
			fmt.Println(`{"id":999,"signature":"AAAA"}`) // which nobody waits for
			if held = append(held, r); len(held) == 3 {
				reply(key, held[2])
				reply(key, held[0])
				reply(key, held[1])
				held = nil
			}
		default:
			reply(key, r)
		}
	}
	fmt.Fprintln(os.Stderr, "input has ended")
}

func reply(key *rsa.PrivateKey, r asked) {
	hash := map[string]crypto.Hash{"SHA-256": crypto.SHA256, "SHA-512": crypto.SHA512}[r.Hash]
	signature, _ := rsa.SignPKCS1v15(nil, key, hash, r.Digest)
	line, _ := json.Marshal(map[string]any{"id": r.ID, "signature": signature})
	fmt.Println(string(line))
}

// program is a signer that a program of TestMain serves, with its log and its clock.
type program struct {
	key    signer.Key
	pauses chan time.Duration // what it waits for
	over   chan time.Time     // ends a wait, for which a value was taken from pauses
	ends   chan time.Time     // ends the wait for a program that is to end; nil: never
	// silent gets what ends the wait for an answer, whenever one begins; nil: it never ends.
	silent chan chan time.Time

	mu       sync.Mutex
	log      bytes.Buffer
	messages chan string // of the log
}

// Write takes a line of the log.
func (p *program) Write(line []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.log.Write(line)
	_, message, _ := strings.Cut(string(line), `msg="`)
	message, _, _ = strings.Cut(message, `"`)
	p.messages <- message
	return len(line), nil
}

// logged returns the log.
func (p *program) logged() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// await waits for a message in the log.
func (p *program) await(message string) {
	for <-p.messages != message {
	}
}

// newProgram describes a program that does what a word says.
func newProgram(t *testing.T, does string) *program {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(testKey())
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, der, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv(fakeVariable, file)
	t.Setenv(pinVariable, "1234567")
	p := &program{
		pauses:   make(chan time.Duration),
		over:     make(chan time.Time),
		messages: make(chan string, 1000),
	}
	p.key = signer.Key{
		URI:     "test:" + does,
		Program: executable(t),
		Timeout: stuckAfter,
		Logger:  slog.New(slog.NewTextHandler(p, nil)),
	}.WithAfter(func(d time.Duration) <-chan time.Time {
		switch d {
		case signer.Steady:
			return nil
		case signer.EndTimeout:
			return p.ends
		case stuckAfter:
			if p.silent == nil {
				return nil
			}
			late := make(chan time.Time, 1)
			p.silent <- late
			return late
		}
		p.pauses <- d
		return p.over
	})
	return p
}

func executable(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return self
}

func (p *program) open(t *testing.T) signer.Signer {
	t.Helper()
	s, err := signer.Open(t.Context(), p.key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestProgram_Signs(t *testing.T) {
	p := newProgram(t, "works")
	s := p.open(t)
	if !testKey().PublicKey.Equal(s.Public()) || s.Ended() {
		t.Error("it has another key, or has ended")
	}
	wantSignature(t, s)
	digest := make([]byte, 64)
	if _, err := s.Sign(nil, digest, crypto.SHA512); err != nil {
		t.Error(err)
	}
	if _, err := s.Sign(nil, digest, crypto.SHA256); err == nil {
		t.Error("signed a digest of the wrong length")
	}
	if err := s.Close(); err != nil || !s.Ended() {
		t.Errorf("it has not ended: %v", err)
	}
	if !strings.Contains(p.logged(), "input has ended") {
		t.Errorf("it was not told to end:\n%s", p.logged())
	}
	_, err := sign(t.Context(), s)
	wantError(t, err, nil, "the signer was closed")
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestProgram_InAnyOrder: each caller gets the answer of its own request, and an answer that nobody
// waits for is nobody's.
func TestProgram_InAnyOrder(t *testing.T) {
	s := newProgram(t, "in turn").open(t)
	defer s.Close()
	var all sync.WaitGroup
	for i := range 30 {
		all.Go(func() {
			digest := bytes.Repeat([]byte{byte(i)}, 32)
			signature, err := s.SignContext(t.Context(), nil, digest, crypto.SHA256)
			if err == nil {
				err = rsa.VerifyPKCS1v15(&testKey().PublicKey, crypto.SHA256, digest, signature)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// TestProgram_Refuses: what a program says at the start, and what is not the protocol.
func TestProgram_Refuses(t *testing.T) {
	for does, row := range map[string]struct {
		code  error
		texts []string
	}{
		"ends":       {nil, []string{"ended before it answered", "run it by hand"}},
		"garbage":    {delegation.CodeSignerRefused, []string{"does not speak protocol 1"}},
		"protocol 2": {delegation.CodeSignerRefused, []string{"does not speak protocol 1"}},
		"long":       {delegation.CodeSignerRefused, []string{"does not speak protocol 1"}},
		"refuses": {delegation.CodeSignerRefused,
			[]string{`wrong PIN [PIN]\x1b[: correct the file of pin-source`}},
		"away":     {nil, []string{"no network: x"}},
		"elliptic": {delegation.CodeSignerRefused, []string{"not RSA"}},
	} {
		t.Run(does, func(t *testing.T) {
			s, err := signer.Open(t.Context(), newProgram(t, does).key)
			if wantError(t, err, row.code, row.texts...); err == nil {
				_ = s.Close()
			}
		})
	}
}

// TestProgram_Silent: a program without a first line is killed when the time is over.
func TestProgram_Silent(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := signer.Open(ctx, newProgram(t, "silent").key)
	wantError(t, err, nil, "sent no public key within 10s")
}

// TestProgram_SaysNo: an error of a signature keeps its remedy and says whether it may pass. A PIN
// in it is taken out.
func TestProgram_SaysNo(t *testing.T) {
	s := newProgram(t, "says no").open(t)
	defer s.Close()
	_, err := sign(t.Context(), s)
	if wantError(t, err, nil, "test:says no: busy [PIN]: wait"); s.Ended() {
		t.Error("it has ended")
	}
}

// TestProgram_Throttled: a key service that limits the calls has its own code.
func TestProgram_Throttled(t *testing.T) {
	s := newProgram(t, "throttled").open(t)
	defer s.Close()
	_, err := sign(t.Context(), s)
	wantError(t, err, delegation.CodeSignerThrottled, "quota")
}

// TestProgram_CrashesOnce: a program that ends is started again after a pause. Until then there is
// an error that may pass. Its last words are in the log, without the PIN.
func TestProgram_CrashesOnce(t *testing.T) {
	p := newProgram(t, "crash once?dir="+t.TempDir())
	s := p.open(t)
	_, err := sign(t.Context(), s)
	wantError(t, err, nil, "exit status 4")
	if got := <-p.pauses; got != signer.FirstPause {
		t.Errorf("a pause of %s", got)
	}
	_, err = sign(t.Context(), s)
	wantError(t, err, nil, "the signer program does not run, and is started again: ")
	p.over <- time.Time{}
	p.await("signer program started again")
	wantSignature(t, s)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	log := p.logged()
	for _, want := range []string{
		`msg="signer program" program=`, `text="terminate called, the PIN was [PIN]"`,
		`msg="signer program ended"`, `msg="signer program started again"`,
	} {
		if !strings.Contains(log, want) {
			t.Errorf("the log has no %s:\n%s", want, log)
		}
	}
	if strings.Contains(log, "1234567") {
		t.Errorf("the log has the PIN:\n%s", log)
	}
}

// TestProgram_CrashesAlways: the pauses grow up to a bound, and Close ends one.
func TestProgram_CrashesAlways(t *testing.T) {
	p := newProgram(t, "crash")
	s := p.open(t)
	want := signer.FirstPause
	for range 8 {
		_, err := sign(t.Context(), s)
		wantError(t, err, nil, "exit status 4")
		if got := <-p.pauses; got != want {
			t.Errorf("a pause of %s, want %s", got, want)
		}
		want = min(2*want, signer.LongestWait)
		p.over <- time.Time{}
		p.await("signer program started again")
	}
	if want != signer.LongestWait {
		t.Errorf("the last pause was %s", want)
	}
	_, _ = sign(t.Context(), s)
	<-p.pauses
	if err := s.Close(); err != nil || !s.Ended() {
		t.Error("Close did not end it")
	}
}

// TestProgram_RefusesLater: a program that refuses its key is not started again, because tokens
// lock themselves. The signer has ended, and a reload opens another.
func TestProgram_RefusesLater(t *testing.T) {
	for does, text := range map[string]string{
		"refuses later": "does not run until a reload: the token is locked: unlock it",
		"another later": "the program has another key than before",
	} {
		t.Run(does, func(t *testing.T) {
			p := newProgram(t, does+"?dir="+t.TempDir())
			s := p.open(t)
			_, err := sign(t.Context(), s)
			wantError(t, err, nil, "exit status 4")
			<-p.pauses
			p.await("signer program ended")
			p.over <- time.Time{}
			p.await("signer program ended")
			if err := s.Close(); err != nil || !s.Ended() { // it waits for the end
				t.Error("it has not ended")
			}
			if !strings.Contains(p.logged(), "exchanges fail until a reload") {
				t.Errorf("the log does not say what to do:\n%s", p.logged())
			}
			_, err = sign(t.Context(), s)
			wantError(t, err, delegation.CodeSignerRefused, text)
		})
	}
}

// TestProgram_Stuck: a program that answers nothing for longer than a signature may take is killed
// and started again, also if all callers have left.
func TestProgram_Stuck(t *testing.T) {
	p := newProgram(t, "hang")
	p.silent = make(chan chan time.Time, 1)
	s := p.open(t)
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan error)
	go func() {
		_, err := sign(ctx, s)
		left <- err
	}()
	late := <-p.silent // its request is being written
	leave()
	if err := <-left; err != context.Canceled {
		t.Errorf("got %v", err)
	}
	late <- time.Time{}
	if got := <-p.pauses; got != signer.FirstPause {
		t.Errorf("a pause of %s", got)
	}
	_, err := sign(t.Context(), s)
	wantError(t, err, nil, "answered nothing for 31s")
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestProgram_Slow: callers that leave early do not have a slow program killed, however many they
// are, nor does the end of a wait that an answer has ended before.
func TestProgram_Slow(t *testing.T) {
	p := newProgram(t, "slow")
	p.silent = make(chan chan time.Time, 10)
	s := p.open(t)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 {
		if _, err := sign(gone, s); err != context.Canceled {
			t.Errorf("got %v", err)
		}
	}
	digest := make([]byte, 64)
	if _, err := s.Sign(nil, digest, crypto.SHA512); err != nil { // with it, it answers all
		t.Error(err)
	}
	(<-p.silent) <- time.Time{}
	if _, err := s.Sign(nil, digest, crypto.SHA512); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if strings.Contains(p.logged(), "signer program ended") {
		t.Errorf("it was killed:\n%s", p.logged())
	}
}

// TestProgram_AnsweredLate: an answer that comes at the moment at which the wait for it ends keeps
// the program. Go chooses between the two at random, so they meet often enough for both choices.
func TestProgram_AnsweredLate(t *testing.T) {
	for range 100 {
		if signer.KillsAfterAnswer() {
			t.Fatal("it was killed, although it has answered")
		}
	}
}

// TestProgram_Final: a program that says that it will never sign again is ended, and not started
// again: another start would try its PIN again. A reload opens the key anew at once.
func TestProgram_Final(t *testing.T) {
	p := newProgram(t, "refuses for good")
	s := p.open(t)
	_, err := sign(t.Context(), s)
	wantError(t, err, delegation.CodeSignerRefused, "wrong PIN [PIN]: correct the PIN")
	p.await("signer program ended") // with the next start, p.pauses would block
	if !s.Ended() {
		t.Error("a reload keeps it")
	}
	_, err = sign(t.Context(), s)
	wantError(t, err, delegation.CodeSignerRefused, "wrong PIN [PIN]",
		"does not run until a reload: ")
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if log := p.logged(); !strings.Contains(log, "input has ended") ||
		!strings.Contains(log, "exchanges fail until a reload") {
		t.Errorf("it was not told to end:\n%s", log)
	}
}

// TestProgram_SpeaksOtherwise: what is no answer ends the program, which is started again.
func TestProgram_SpeaksOtherwise(t *testing.T) {
	for _, does := range []string{"nonsense", "too much"} {
		t.Run(does, func(t *testing.T) {
			p := newProgram(t, does)
			s := p.open(t)
			_, err := sign(t.Context(), s)
			wantError(t, err, delegation.CodeSignerRefused, "does not speak protocol 1")
			<-p.pauses
			if !strings.Contains(p.logged(), "exchanges fail until it is started again") {
				t.Errorf("the log says something else:\n%s", p.logged())
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestProgram_DoesNotEnd: a program that goes on after its input has ended is killed.
func TestProgram_DoesNotEnd(t *testing.T) {
	p := newProgram(t, "stays")
	p.ends = make(chan time.Time)
	close(p.ends)
	if err := p.open(t).Close(); err != nil {
		t.Error(err)
	}
}

// TestProgram_IsFound: next to the running program, in PATH, or as configured.
func TestProgram_IsFound(t *testing.T) {
	p := newProgram(t, "works")
	p.key.URI = "pkcs11:works"
	p.key.Program = ""
	empty := t.TempDir()
	t.Setenv("PATH", empty)
	_, err := signer.Open(t.Context(), p.key)
	wantError(t, err, delegation.CodeSignerRefused, "the program delegation-signer is not in ",
		filepath.Dir(executable(t))+", nor in PATH", "signer_program",
		"go install github.com/seed055b7978/delegation/signer/cmd/delegation-signer@latest")

	for name, folder := range map[string]string{
		"in PATH":              empty,
		"next to this program": filepath.Dir(executable(t)),
	} {
		t.Run(name, func(t *testing.T) {
			link := filepath.Join(folder, "delegation-signer")
			if err := os.Symlink(executable(t), link); err != nil {
				t.Skip(err)
			}
			defer os.Remove(link)
			if err := p.open(t).Close(); err != nil {
				t.Error(err)
			}
		})
	}

	p.key.Program = filepath.Join(empty, "another")
	_, err = signer.Open(t.Context(), p.key)
	wantError(t, err, delegation.CodeSignerRefused, "another", "correct signer_program")
	file := filepath.Join(empty, "text")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p.key.Program = file
	_, err = signer.Open(t.Context(), p.key)
	wantError(t, err, delegation.CodeSignerRefused, "correct signer_program")
}

// TestOpen_WrongURIs: what names no key, and what holds a secret, is refused before anything runs.
func TestOpen_WrongURIs(t *testing.T) {
	key := signer.Key{Logger: slog.New(slog.DiscardHandler)}
	for uri, text := range map[string]string{
		"delegation":                           "has no scheme",
		"awskm:///alias/a":                     `"awskm" is not a scheme`,
		"pkcs11:object=a?pin-value=1234567":    "pin-source=file:/PATH",
		"pkcs11:object=a?x=y&PIN-value=123456": "pin-source=file:/PATH",
	} {
		key.URI = uri
		_, err := signer.Open(t.Context(), key)
		wantError(t, err, delegation.CodeSignerRefused, text)
		if err == nil || strings.Contains(err.Error(), "123456") {
			t.Errorf("%s: %v", uri, err)
		}
	}
	key.URI = "awskms:///alias/a"
	key.Program = "/bin/true"
	_, err := signer.Open(t.Context(), key)
	wantError(t, err, delegation.CodeSignerRefused, "remove signer_program")
}

// TestProgramLog_Bounded: a program that writes without end fills no disk, and one that writes no
// line end no memory.
func TestProgramLog_Bounded(t *testing.T) {
	var log bytes.Buffer
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	l := signer.NewProgramLog(slog.New(slog.NewTextHandler(&log, nil)),
		func() time.Time { return now })
	for i := range 100 {
		fmt.Fprintf(l, "line %d\n\n", i)
	}
	if got := strings.Count(log.String(), "text=\"line "); got != signer.LogLines {
		t.Errorf("%d lines", got)
	}
	now = now.Add(signer.LogPeriod)
	fmt.Fprint(l, "one ", "more\n")
	want := fmt.Sprintf("text=\"one more\" lines_left_out=%d\n", 100-signer.LogLines)
	if !strings.HasSuffix(log.String(), want) {
		t.Errorf("the log ends with %q", log.String()[log.Len()-100:])
	}
	log.Reset()
	for range 1000 {
		fmt.Fprint(l, strings.Repeat("x", 1000))
	}
	fmt.Fprint(l, "\n")
	if got := log.Len(); got > 1000 {
		t.Errorf("a line of %d bytes", got)
	}
}

// TestClean: of a PIN that begins as another does nothing stays.
func TestClean(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pin")
	if err := os.WriteFile(file, []byte("1234\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv(pinVariable, "123456789")
	uri := "pkcs11:object=a?pin-source=file:" + file
	if got := signer.Clean(uri, "1234, 123456789."); got != "[PIN], [PIN]." {
		t.Errorf("got %q", got)
	}
}

// TestNotStarted: what the system lacks may pass, and what is no program does not.
func TestNotStarted(t *testing.T) {
	for number, temporary := range map[syscall.Errno]bool{
		syscall.EMFILE: true,
		syscall.EAGAIN: true,
		syscall.EACCES: false,
		syscall.ENOENT: false,
	} {
		err := signer.NotStarted(&os.PathError{Op: "fork/exec", Path: "/a", Err: number})
		if err.Temporary != temporary || err.Remedy == "" {
			t.Errorf("%v: got %#v", number, err)
		}
	}
}

func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		`say "no" \ é`:             `say "no" \ é`,
		"a\nb\t\x00\x7f\u202e\xff": `a\nb\t\x00\x7f\u202e\ufffd`,
		strings.Repeat("é", 501):   strings.Repeat("é", 500) + "…",
		strings.Repeat("é", 500):   strings.Repeat("é", 500),
	} {
		if got := signer.Printable(text); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestWithContext: a caller without a context signs within one.
func TestWithContext(t *testing.T) {
	s := newProgram(t, "works").open(t)
	defer s.Close()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := signer.WithContext(gone, s).Sign(nil, make([]byte, 32), crypto.SHA256)
	if err != context.Canceled {
		t.Errorf("got %v", err)
	}
}
