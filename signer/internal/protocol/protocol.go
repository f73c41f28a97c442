// Package protocol answers the requests of the program delegation over two streams. It defines the
// format of lines, how long a call may take, and when to end. docs/signers.md describes the
// protocol.
package protocol

import (
	"bufio"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/seed055b7978/delegation/signer/internal/key"
)

// Version is the protocol that the first line names.
const Version = 1

const (
	maxLine = 64 << 10
	// maxUnderWay is how many requests may be under way. At that number, no further line is read
	// until one ends.
	maxUnderWay = 64

	// OpenTimeout is for opening the key. The service waits 10 seconds for the first line.
	OpenTimeout = 9 * time.Second
	// SignTimeout is for one signature, with all attempts.
	SignTimeout = 20 * time.Second
	// endTimeout is for requests that are under way at the end. It is longer than SignTimeout,
	// after which each of them ends.
	endTimeout = SignTimeout + 5*time.Second
)

var hashes = map[string]crypto.Hash{
	"SHA-256": crypto.SHA256,
	"SHA-384": crypto.SHA384,
	"SHA-512": crypto.SHA512,
}

type start struct {
	Protocol  int       `json:"protocol"`
	PublicKey []byte    `json:"public_key,omitempty"`
	Error     *errorOut `json:"error,omitempty"`
}

type request struct {
	ID     *uint64 `json:"id"`
	Digest []byte  `json:"digest"`
	Hash   string  `json:"hash"`
}

type answer struct {
	ID        uint64    `json:"id"`
	Signature []byte    `json:"signature,omitempty"`
	Error     *errorOut `json:"error,omitempty"`
}

type errorOut struct {
	Text      string `json:"text"`
	Remedy    string `json:"remedy"`
	Temporary bool   `json:"temporary"`
	Throttled bool   `json:"throttled,omitempty"`
	Final     bool   `json:"final,omitempty"`
}

func errorOf(err error) *errorOut {
	f := key.FailureOf(err)
	return &errorOut{
		Text:      f.Text,
		Remedy:    f.Remedy,
		Temporary: f.Temporary,
		Throttled: f.Throttled,
		Final:     f.Final,
	}
}

// Server serves one key. All fields are required.
type Server struct {
	Out io.Writer
	Log *slog.Logger
	// Open finds the key. It is called once, and its context ends when it returns.
	Open func(context.Context) (key.Key, error)
	// After is time.After, or that of a fake clock.
	After func(time.Duration) <-chan time.Time

	writing sync.Mutex
	broken  error // of the first write that failed
}

// Serve opens the key, reports it, and answers requests until in ends and the last one is answered.
// It returns an error if the key could not be opened, if in contained something other than
// requests, or if requests were left at the end.
func (s *Server) Serve(in io.Reader) error {
	opened, err := s.open()
	if err != nil {
		s.write(start{Protocol: Version, Error: errorOf(err)})
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(opened.Public())
	if err != nil {
		s.write(start{Protocol: Version, Error: errorOf(err)})
		return err
	}
	s.write(start{Protocol: Version, PublicKey: public})

	var underWay sync.WaitGroup
	read := s.read(in, opened, &underWay)
	ended := make(chan struct{})
	go func() {
		underWay.Wait()
		opened.Close()
		close(ended)
	}()
	select {
	case <-ended:
		return errors.Join(read, s.broken)
	case <-s.After(endTimeout):
		return errors.Join(read, fmt.Errorf("requests were still unanswered after %s", endTimeout))
	}
}

// open returns after OpenTimeout, even if a C library hangs.
func (s *Server) open() (key.Key, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	type result struct {
		key key.Key
		err error
	}
	done := make(chan result, 1)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				done <- result{err: s.panicked(r)}
			}
		}()
		opened, err := s.Open(ctx)
		done <- result{opened, err}
	}()
	select {
	case r := <-done:
		return r.key, r.err
	case <-s.After(OpenTimeout):
		return nil, key.Temporary("check the key's store, and the network to it",
			"the key's store gave no public key within %s", OpenTimeout)
	}
}

// read starts each request. It returns when in ends, or contains something else.
func (s *Server) read(in io.Reader, opened key.Key, underWay *sync.WaitGroup) error {
	places := make(chan struct{}, maxUnderWay)
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 0, 4096), maxLine+1) // including the line feed
	for lines.Scan() {
		var r request
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return fmt.Errorf("standard input has a line that is not a request: %w", err)
		}
		if r.ID == nil {
			return errors.New("standard input has a request without id")
		}
		places <- struct{}{}
		underWay.Go(func() {
			defer func() { <-places }()
			s.write(s.answer(r, opened))
		})
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("standard input: %w", err)
	}
	return nil
}

func (s *Server) answer(r request, opened key.Key) answer {
	signature, err := s.sign(r, opened)
	if err != nil {
		f := errorOf(err)
		s.Log.Warn("no signature", "id", *r.ID, "error", f.Text, "temporary", f.Temporary)
		return answer{ID: *r.ID, Error: f}
	}
	return answer{ID: *r.ID, Signature: signature}
}

func (s *Server) sign(r request, opened key.Key) (signature []byte, err error) {
	const remedy = "use delegation and delegation-signer of the same version"
	hash, known := hashes[r.Hash]
	if !known {
		return nil, key.Permanent(remedy, "the hash is none of SHA-256, SHA-384 and SHA-512")
	}
	if len(r.Digest) != hash.Size() {
		return nil, key.Permanent(remedy, "a digest of %s has %d bytes, and this one has %d",
			r.Hash, hash.Size(), len(r.Digest))
	}
	ctx, cancel := context.WithTimeout(context.Background(), SignTimeout)
	defer cancel()
	defer func() {
		if r := recover(); r != nil {
			err = s.panicked(r)
		}
	}()
	return opened.Sign(ctx, hash, r.Digest)
}

// panicked handles panics of foreign parsers, which get data from a network.
func (s *Server) panicked(with any) error {
	s.Log.Error("panic", "value", fmt.Sprint(with), "stack", string(debug.Stack()))
	return key.Permanent("report the panic that the log of delegation-signer has",
		"delegation-signer failed inside")
}

// write writes one line. After a failure there is no reader, and in is about to end.
func (s *Server) write(message any) {
	line, err := json.Marshal(message)
	s.writing.Lock()
	defer s.writing.Unlock()
	if err == nil && s.broken == nil {
		_, err = s.Out.Write(append(line, '\n'))
	}
	if err != nil && s.broken == nil {
		s.broken = fmt.Errorf("standard output: %w", err)
		s.Log.Error("an answer was lost", "error", s.broken)
	}
}
