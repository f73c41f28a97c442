package signer

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

const (
	// protocolVersion is the version that a program's first line has to name. docs/signers.md
	// describes it.
	protocolVersion = 1
	// maxLine is the maximum length of a line in the protocol, in bytes.
	maxLine = 64 << 10
)

// process is a running program. It is started with the URI. It answers requests in any order, as
// one JSON object per line.
type process struct {
	command *exec.Cmd
	name    string
	input   io.WriteCloser
	lines   chan []byte // requests to write
	public  *rsa.PublicKey

	exited chan error    // receives a value when the program has exited
	done   chan struct{} // closed when all of its output has been read, too
	// stop ends the goroutine that writes.
	stop chan struct{}

	after    func(time.Duration) <-chan time.Time
	patience time.Duration // without an answer, before it counts as stuck

	// final is closed when it has reported that it will never sign again.
	final chan struct{}

	mu      sync.Mutex
	lastID  uint64
	waiting map[uint64]chan answer
	// answered is closed by the next answer. nil: nothing was written since the last one.
	answered chan struct{}
	cause    error // why it ended, if it was ended from here
}

// greeting is the first line.
type greeting struct {
	Protocol  int    `json:"protocol"`
	PublicKey []byte `json:"public_key"`
	Error     *wrong `json:"error"`
}

// request asks for a signature.
type request struct {
	ID     uint64 `json:"id"`
	Digest []byte `json:"digest"`
	Hash   string `json:"hash"`
}

// answer is the answer to a request.
type answer struct {
	ID        uint64 `json:"id"`
	Signature []byte `json:"signature"`
	Error     *wrong `json:"error"`
}

// wrong is a failure that a program reports.
type wrong struct {
	Text      string `json:"text"`
	Remedy    string `json:"remedy"`
	Temporary bool   `json:"temporary"`
	Throttled bool   `json:"throttled"`
	Final     bool   `json:"final"`
}

func (w *wrong) err(secrets redactor) *Error {
	return &Error{
		Text:      printable(secrets.clean(w.Text)),
		Remedy:    printable(secrets.clean(w.Remedy)),
		Temporary: w.Temporary,
		Throttled: w.Throttled,
	}
}

// startProcess starts a program and reads its first line.
func startProcess(ctx context.Context, path string, key Key) (*process, error) {
	command := exec.Command(path, key.URI)
	ownGroup(command)
	command.WaitDelay = endTimeout // a child of the program may keep the pipes open
	input, err := command.StdinPipe()
	if err != nil {
		return nil, notStarted(err)
	}
	output, toOutput := io.Pipe() // not StdoutPipe, to which WaitDelay does not apply
	command.Stdout = toOutput
	secrets := newRedactor(key.URI)
	log := newProgramLog(key.Logger, path, secrets)
	command.Stderr = log
	if err := command.Start(); err != nil {
		return nil, notStarted(err)
	}
	p := &process{
		command: command,
		name:    filepath.Base(path),
		input:   input,
		lines:   make(chan []byte),
		exited:  make(chan error, 1),
		done:    make(chan struct{}),
		stop:    make(chan struct{}),
		final:   make(chan struct{}),
		waiting: map[uint64]chan answer{},

		after:    key.after,
		patience: max(key.Timeout, DefaultTimeout),
	}
	go p.write()
	first := make(chan error, 1)
	go p.read(output, first, secrets)
	go func() {
		err := command.Wait()
		log.flush()
		_ = toOutput.Close()
		p.exited <- err
	}()
	select {
	case err := <-first:
		if err != nil {
			p.kill(err)
			<-p.done
			return nil, err
		}
		return p, nil
	case <-ctx.Done():
		late := temporary(fmt.Sprintf("%s sent no public key within %s", p.name, openTimeout),
			"the log has what it wrote; check the network path to the key service")
		p.kill(late)
		<-p.done
		return nil, late
	}
}

// notStarted is the error if the system cannot start a program. A lack of file descriptors or
// processes is temporary.
func notStarted(err error) *Error {
	var number syscall.Errno
	if errors.As(err, &number) && number.Temporary() {
		return temporary(printable(err.Error()),
			"raise the limits of open files and processes of the service")
	}
	return refused(printable(err.Error()), "make it a program that delegation may run")
}

// write writes requests. If the program does not read, only this goroutine blocks.
func (p *process) write() {
	for {
		select {
		case line := <-p.lines:
			p.expectAnswer()
			if _, err := p.input.Write(line); err != nil {
				return // the program has ended, or is about to
			}
		case <-p.stop:
			return
		}
	}
}

// expectAnswer begins to wait for an answer to what is about to be written, unless one is awaited
// already.
func (p *process) expectAnswer() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.answered != nil {
		return
	}
	p.answered = make(chan struct{})
	go p.killIfSilent(p.answered, p.after(p.patience))
}

// killIfSilent kills the program if it answers nothing for longer than a signature may take, while
// a request is open. It is then stuck. Callers that leave early do not matter: a slow program still
// answers their requests.
func (p *process) killIfSilent(answered <-chan struct{}, late <-chan time.Time) {
	select {
	case <-answered:
		return
	case <-p.done:
		return
	case <-late:
	}
	if isOver(answered) {
		return
	}
	p.kill(temporary(fmt.Sprintf("%s answered nothing for %s", p.name, p.patience),
		"check the key service"))
}

// read reads the program's output until it ends. The result of the first line goes to first.
func (p *process) read(output io.Reader, first chan<- error, secrets redactor) {
	lines := bufio.NewScanner(output)
	lines.Buffer(make([]byte, 4096), maxLine)
	if !lines.Scan() {
		first <- p.silent(lines.Err())
	} else if err := p.greet(lines.Bytes(), secrets); err != nil {
		first <- err
	} else {
		first <- nil
		for lines.Scan() {
			if err := p.take(lines.Bytes(), secrets); err != nil {
				p.kill(err)
				break
			}
		}
		if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
			p.kill(p.speaksOtherwise())
		}
	}
	_, _ = io.Copy(io.Discard, output)
	p.finish(<-p.exited)
}

// silent is the error if a program ends before its first line.
func (p *process) silent(err error) error {
	if errors.Is(err, bufio.ErrTooLong) {
		return p.speaksOtherwise()
	}
	return temporary(p.name+" ended before it answered", "the log has what it wrote; run it by "+
		"hand with the URI of signer")
}

// speaksOtherwise is the error if the output is not the protocol's.
func (p *process) speaksOtherwise() error {
	return refused(p.name+" does not speak protocol 1 of docs/signers.md", "install the "+
		programName+" of delegation's version")
}

// greet parses the first line.
func (p *process) greet(line []byte, secrets redactor) error {
	var g greeting
	if err := json.Unmarshal(line, &g); err != nil || g.Protocol != protocolVersion {
		return p.speaksOtherwise()
	}
	if g.Error != nil {
		return g.Error.err(secrets)
	}
	public, err := x509.ParsePKIXPublicKey(g.PublicKey)
	if err != nil {
		return p.speaksOtherwise()
	}
	key, isRSA := public.(*rsa.PublicKey)
	if !isRSA {
		return refused("the key is not RSA, the only kind AWS is known to accept",
			"name an RSA key of at least 2048 bits that signs")
	}
	p.public = key
	return nil
}

// take passes an answer to the caller that waits for it. If the caller has given up, the answer is
// dropped.
func (p *process) take(line []byte, secrets redactor) error {
	var a answer
	if err := json.Unmarshal(line, &a); err != nil {
		return p.speaksOtherwise()
	}
	if a.Error != nil {
		a.Error.Text = secrets.clean(a.Error.Text)
		a.Error.Remedy = secrets.clean(a.Error.Remedy)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.answered != nil {
		close(p.answered)
		p.answered = nil
	}
	if waits, ok := p.waiting[a.ID]; ok {
		delete(p.waiting, a.ID)
		waits <- a // never blocks: the channel has room for one
	}
	if a.Error != nil && a.Error.Final && !isOver(p.final) {
		if p.cause == nil {
			own := a.Error.err(redactor{})
			own.Temporary = false
			p.cause = own
		}
		close(p.final)
	}
	return nil
}

// sign requests a signature, and waits for it until the context ends.
func (p *process) sign(ctx context.Context, digest []byte, hash string) ([]byte, error) {
	id, waits := p.wait()
	line, err := json.Marshal(request{ID: id, Digest: digest, Hash: hash})
	if err != nil {
		return nil, err
	}
	select {
	case p.lines <- append(line, '\n'):
	case <-p.done:
		return nil, p.failure()
	case <-ctx.Done():
		p.forget(id)
		return nil, ctx.Err()
	}
	select {
	case a := <-waits:
		if a.Error != nil {
			return nil, a.Error.err(redactor{})
		}
		return a.Signature, nil
	case <-p.done:
		return nil, p.failure()
	case <-ctx.Done():
		p.forget(id)
		return nil, ctx.Err()
	}
}

// wait registers a request, and returns a channel for its answer.
func (p *process) wait() (id uint64, waits chan answer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lastID++
	waits = make(chan answer, 1)
	p.waiting[p.lastID] = waits
	return p.lastID, waits
}

// forget forgets a request whose caller has left.
func (p *process) forget(id uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.waiting, id)
}

// kill ends the program at once. If there are several causes, the first is kept.
func (p *process) kill(cause error) {
	p.mu.Lock()
	if p.cause == nil {
		p.cause = cause
	}
	p.mu.Unlock()
	killGroup(p.command.Process)
}

// end lets the program finish its requests, and kills it if that takes too long.
func (p *process) end(late <-chan time.Time) {
	p.mu.Lock()
	if p.cause == nil {
		p.cause = temporary("the signer was closed", "")
	}
	p.mu.Unlock()
	_ = p.input.Close()
	select {
	case <-p.done:
		return
	case <-late:
	}
	killGroup(p.command.Process)
	<-p.done
}

// finish records that the program has ended.
func (p *process) finish(err error) {
	p.mu.Lock()
	if p.cause == nil {
		text := p.name + " ended"
		if err != nil {
			text += ": " + printable(err.Error())
		}
		p.cause = temporary(text, "the log has what it wrote")
	}
	p.mu.Unlock()
	close(p.stop)
	close(p.done)
}

// failure is why the program ended.
func (p *process) failure() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cause
}

// programLog logs what a program writes to standard error, line by line and at a limited rate.
type programLog struct {
	logger  *slog.Logger
	program string
	secrets redactor
	now     func() time.Time

	line    []byte
	since   time.Time
	logged  int
	dropped int
}

const (
	// logLines is how many lines are logged per logPeriod, so that a program in a loop does not
	// fill a disk.
	logLines  = 20
	logPeriod = 10 * time.Second
)

func newProgramLog(logger *slog.Logger, path string, secrets redactor) *programLog {
	return &programLog{
		logger:  logger,
		program: filepath.Base(path),
		secrets: secrets,
		now:     time.Now,
	}
}

// Write logs what the program wrote. It never fails.
func (l *programLog) Write(text []byte) (int, error) {
	rest := text
	for {
		line, after, ended := bytes.Cut(rest, []byte("\n"))
		l.add(line)
		if !ended {
			return len(text), nil
		}
		l.flush()
		rest = after
	}
}

// add appends to the line, up to the maximum length of a line in the protocol.
func (l *programLog) add(text []byte) {
	l.line = append(l.line, text[:min(len(text), maxLine-len(l.line))]...)
}

// flush logs the line, unless it is empty or above the rate.
func (l *programLog) flush() {
	line := string(bytes.TrimSpace(l.line))
	l.line = l.line[:0]
	if line == "" {
		return
	}
	if now := l.now(); now.Sub(l.since) >= logPeriod {
		l.since = now
		l.logged = 0
	}
	if l.logged == logLines {
		l.dropped++
		return
	}
	l.logged++
	attributes := []any{
		slog.String("program", l.program),
		slog.String("text", printable(l.secrets.clean(line))),
	}
	if l.dropped > 0 {
		attributes = append(attributes, slog.Int("lines_left_out", l.dropped))
		l.dropped = 0
	}
	l.logger.Warn("signer program", attributes...)
}
