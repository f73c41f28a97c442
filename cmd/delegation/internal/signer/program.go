package signer

import (
	"context"
	"crypto"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

const (
	// programName is the program for all keys except awskms.
	programName = "delegation-signer"
	// programPackage is the package from which it is built.
	programPackage = "github.com/seed055b7978/delegation/signer/cmd/delegation-signer"

	// firstPause is the pause before an ended program is restarted. The pause doubles up to
	// longestWait. It is reset after a program has run for as long as steady.
	firstPause  = time.Second
	longestWait = 30 * time.Second
	steady      = time.Minute

	// endTimeout is how long a program may take to end after its input was closed.
	endTimeout = 5 * time.Second
)

// programSigner is a key with which a program signs. The program is restarted if it ends.
type programSigner struct {
	key    Key
	path   string
	public *rsa.PublicKey
	after  func(time.Duration) <-chan time.Time
	closed chan struct{} // closed by Close
	ended  chan struct{} // closed when no program runs and none will be started

	mu      sync.Mutex
	process *process // nil: none runs
	failure error    // why none runs
	final   bool     // none will be started
	closing sync.Once
}

// openProgram starts the program, and gets the public key from its first line.
func openProgram(ctx context.Context, key Key) (*programSigner, error) {
	path, err := findProgram(key)
	if err != nil {
		return nil, err
	}
	if key.after == nil {
		key.after = time.After
	}
	s := &programSigner{
		key:    key,
		path:   path,
		after:  key.after,
		closed: make(chan struct{}),
		ended:  make(chan struct{}),
	}
	first, err := startProcess(ctx, path, key)
	if err != nil {
		return nil, err
	}
	s.public = first.public
	s.process = first
	go s.supervise(first)
	return s, nil
}

// findProgram returns the path of the program: as configured, or next to the running program, or in
// PATH.
func findProgram(key Key) (string, error) {
	if key.Program != "" {
		path, err := exec.LookPath(key.Program)
		if err == nil {
			path, err = filepath.Abs(path)
		}
		if err != nil {
			return "", refused(printable(err.Error()), "correct signer_program")
		}
		return path, nil
	}
	looked := "in PATH"
	if self, err := os.Executable(); err == nil {
		folder := filepath.Dir(self)
		looked = fmt.Sprintf("in %s, nor in PATH", folder)
		if path, err := exec.LookPath(filepath.Join(folder, programName)); err == nil {
			return path, nil
		}
	}
	if path, err := exec.LookPath(programName); err == nil {
		return filepath.Abs(path)
	}
	return "", refused(fmt.Sprintf("the program %s is not %s", programName, looked),
		"build it with go install "+programPackage+"@latest and put it next to delegation, or "+
			"name it with signer_program")
}

// supervise restarts the program whenever it has ended, until the signer is closed.
func (s *programSigner) supervise(running *process) {
	defer close(s.ended)
	pause := firstPause
	for {
		long := s.after(steady)
		select {
		case <-s.closed:
			running.end(s.after(endTimeout))
			return
		case <-running.final:
			s.lost(running.failure(), true)
			running.end(s.after(endTimeout))
			return // tokens lock after some attempts with a wrong PIN
		case <-running.done:
		}
		if isOver(running.final) {
			s.lost(running.failure(), true)
			return
		}
		select {
		case <-long:
			pause = firstPause
		default:
		}
		s.lost(running.failure(), false)
		if running = s.restart(&pause); running == nil {
			return
		}
	}
}

// lost records and logs that no program runs. final tells that none will be started.
func (s *programSigner) lost(failure error, final bool) {
	s.mu.Lock()
	s.process = nil
	s.failure = failure
	s.final = final
	s.mu.Unlock()
	consequence := "exchanges fail until it is started again"
	if final {
		consequence = "exchanges fail until a reload starts it again"
	}
	s.key.Logger.Error("signer program ended",
		slog.String("program", s.path),
		slog.String("error", failure.Error()),
		slog.String("consequence", consequence))
}

// restart starts the program after a pause, and retries with longer pauses. It returns nil if the
// signer was closed, or if the program refuses the key.
func (s *programSigner) restart(pause *time.Duration) *process {
	for {
		over := s.after(*pause)
		select {
		case <-s.closed:
			return nil
		case <-over:
		}
		*pause = min(2**pause, longestWait)
		next, err := s.startSame()
		if err == nil {
			s.mu.Lock()
			s.process = next
			s.failure = nil
			s.mu.Unlock()
			s.key.Logger.Info("signer program started again", slog.String("program", s.path))
			return next
		}
		if isOver(s.closed) {
			return nil
		}
		final := !isTemporary(err)
		s.lost(err, final)
		if final {
			return nil // tokens lock after some attempts with a wrong PIN
		}
	}
}

func isTemporary(err error) bool {
	var known *Error
	return errors.As(err, &known) && known.Temporary
}

// startSame starts the program, and checks that it has the same key as before.
func (s *programSigner) startSame() (*process, error) {
	ctx, cancel := context.WithTimeout(context.Background(), openTimeout)
	defer cancel()
	go func() { // Close does not wait for a program that is starting
		select {
		case <-s.closed:
			cancel()
		case <-ctx.Done():
		}
	}()
	next, err := startProcess(ctx, s.path, s.key)
	if err != nil {
		return nil, err
	}
	if !next.public.Equal(s.public) {
		next.end(s.after(endTimeout))
		return nil, refused("the program has another key than before",
			"list its certificate under keys and reload, or set the key back")
	}
	return next, nil
}

// Public implements crypto.Signer.
func (s *programSigner) Public() crypto.PublicKey { return s.public }

// Sign implements crypto.Signer. It takes at most 30 seconds.
func (s *programSigner) Sign(
	random io.Reader, digest []byte, o crypto.SignerOpts,
) ([]byte, error) {
	return signPlain(s, random, digest, o)
}

// SignContext implements delegation.ContextSigner.
func (s *programSigner) SignContext(
	ctx context.Context, _ io.Reader, digest []byte, opts crypto.SignerOpts,
) ([]byte, error) {
	hash, err := hashName(digest, opts)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	running := s.process
	failure := s.failure
	s.mu.Unlock()
	if running == nil {
		return nil, named(s.key.URI, s.absent(failure))
	}
	signature, err := running.sign(ctx, digest, hash)
	return signature, named(s.key.URI, err)
}

// absent is the error while the program does not run. It has the remedy of the failure, and says in
// front of it what starts the program.
func (s *programSigner) absent(failure error) error {
	if s.Ended() {
		return refused("the signer program does not run until a reload: "+failure.Error(), "")
	}
	return temporary("the signer program does not run, and is started again: "+failure.Error(), "")
}

// Ended implements Signer. It is true before the last program has ended, so that a reload meanwhile
// opens the key anew.
func (s *programSigner) Ended() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.final || isOver(s.ended)
}

func isOver(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// Close ends the program. It closes the program's input, and kills the program after five seconds.
func (s *programSigner) Close() error {
	s.closing.Do(func() { close(s.closed) })
	<-s.ended
	return nil
}
