package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	serviceSlice   = 600 * time.Millisecond // for each service in each round
	serviceCallers = 8                      // each has its own connection
	serviceTokens  = 100                    // used in turn
	patience       = time.Minute            // how long a service may take to start
)

// service is a service that runs in a separate process.
type service struct {
	name    string
	command *exec.Cmd
	log     *os.File
	address string
	rates   []float64 // requests per second, by round
	cpu     float64   // seconds of CPU for its requests
	done    float64   // number of requests
}

// services compares delegation serve with the service that one would write by hand.
func (b *bench) services() (err error) {
	binary, err := b.build("delegation", "cmd/delegation")
	if err != nil {
		return err
	}
	own, err := os.Executable()
	if err != nil {
		return err
	}
	delegation := func(name, more string) (*service, error) {
		address, err := freeAddress()
		if err != nil {
			return nil, err
		}
		file, err := b.world.writeConfig(name+".yaml", address, b.net.url, more)
		if err != nil {
			return nil, err
		}
		return b.world.start(name, address, binary, "serve", "--config", file)
	}
	byHand := func(name, stsURL string) (*service, error) {
		address, err := freeAddress()
		if err != nil {
			return nil, err
		}
		return b.world.start(name, address, own,
			"-peer", address, "-folder", b.world.folder, "-sts", stsURL)
	}
	peer, err1 := byHand("hand-written, remembers", "")
	cached, err2 := delegation("delegation serve, cached", "")
	coldPeer, err3 := byHand("hand-written, crewjam and goxmldsig", b.net.url)
	cold, err4 := delegation("delegation serve, cache off", "cache: {size: -1}")
	all := []*service{peer, cached, coldPeer, cold}
	defer func() {
		for _, s := range all {
			err = errors.Join(err, s.stop())
		}
	}()
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return err
	}
	for _, s := range all {
		if err := s.turn(b.world.real[:serviceTokens], false); err != nil { // keys, connections
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	for round := range b.rounds {
		b.progress("services: round %d of %d", round+1, b.rounds)
		for turn := range all {
			s := all[(turn+round)%len(all)]
			if err := s.turn(b.world.real[:serviceTokens], true); err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
		}
	}
	b.addRates("`serve`, cached, requests/s / the hand-written service",
		cached.rates, peer.rates, 1.2)
	b.addCPU("CPU of a cached request / of the hand-written service", cached, peer)
	b.addRates("`serve`, cache off, requests/s / the hand-written with crewjam, goxmldsig",
		cold.rates, coldPeer.rates, 1)
	b.addCPU("CPU of a request, cache off / of the hand-written", cold, coldPeer)
	b.rates = append(b.rates, all...)
	return nil
}

// addCPU adds a row without a goal: the CPU time of each service's process.
func (b *bench) addCPU(what string, ours, base *service) {
	b.add(row{
		what:   what,
		min:    "–",
		median: fmt.Sprintf("%.2f", (ours.cpu/ours.done)/(base.cpu/base.done)),
	})
}

// build compiles a command of the library's module.
func (b *bench) build(name, folder string) (string, error) {
	b.progress("builds %s", name)
	list := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/seed055b7978/delegation")
	root, err := list.Output()
	if err != nil {
		return "", fmt.Errorf("go list: %w", err)
	}
	file := b.world.path(name)
	command := exec.Command("go", "build", "-o", file, "./"+folder)
	command.Dir = strings.TrimSpace(string(root))
	if said, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w: %s", err, said)
	}
	return file, nil
}

// freeAddress is a loopback address on which nothing listens.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

// writeConfig writes a configuration of delegation serve that makes the same decisions as
// world.config.
func (w *world) writeConfig(name, address, stsURL, more string) (string, error) {
	text := fmt.Sprintf(`listen: %s
issuers:
  - {url: %q, jwks_file: keys.json}
identity_provider:
  entity_id: %s
  keys:
    - {certificate_file: signing.crt, key_file: signing.key}
targets:
  %s: {principal: %q, role: %q, region: %s}
rules:
  - require_verified_email: true
  - allow_email_domains: [example.com]
sts: {endpoint: %q}
%s
`, address, issuerURL, entityID, clientID, principal, role, region, stsURL, more)
	return w.path(name), w.write(name, []byte(text))
}

// start runs a service and waits until it answers.
func (w *world) start(name, address, program string, arguments ...string) (*service, error) {
	log, err := os.Create(w.path(name + ".log"))
	if err != nil {
		return nil, err
	}
	s := &service{name: name, log: log, address: address}
	s.command = exec.Command(program, arguments...)
	s.command.Stderr = log
	if err := s.command.Start(); err != nil {
		return nil, errors.Join(err, log.Close())
	}
	began := time.Now()
	for {
		answer, err := http.Get("http://" + address + "/live")
		if err == nil {
			return s, answer.Body.Close()
		}
		if time.Since(began) > patience {
			said, _ := os.ReadFile(log.Name()) // for more detail, if it can be read
			return nil, errors.Join(
				fmt.Errorf("%s does not answer: %w: %s", name, err, said), s.stop())
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// stop ends the service, which must exit without an error.
func (s *service) stop() error {
	if s == nil {
		return nil
	}
	err := s.command.Process.Signal(os.Interrupt)
	return errors.Join(err, s.command.Wait(), s.log.Close())
}

// turn lets all callers send requests for a slice of time.
func (s *service) turn(tokens []string, counted bool) error {
	before, err := s.cpuTime()
	if err != nil {
		return err
	}
	var all sync.WaitGroup
	var done atomic.Int64
	failures := make([]error, serviceCallers)
	began := time.Now()
	for caller := range serviceCallers {
		all.Go(func() {
			failures[caller] = s.ask(tokens, &done, began.Add(serviceSlice))
		})
	}
	all.Wait()
	elapsed := time.Since(began)
	after, err := s.cpuTime()
	if err := errors.Join(append(failures, err)...); err != nil {
		return err
	}
	if counted {
		s.rates = append(s.rates, float64(done.Load())/elapsed.Seconds())
		s.cpu += after - before
		s.done += float64(done.Load())
	}
	return nil
}

// ask sends requests over one connection until the end. It writes and reads HTTP by hand, to leave
// as much CPU as possible to the service.
func (s *service) ask(tokens []string, done *atomic.Int64, end time.Time) error {
	connection, err := net.Dial("tcp", s.address)
	if err != nil {
		return err
	}
	defer connection.Close()
	reader := bufio.NewReader(connection)
	for time.Now().Before(end) {
		token := tokens[int(done.Load())%len(tokens)]
		request := "GET /credentials?target=" + clientID + " HTTP/1.1\r\nHost: " + s.address +
			"\r\nAuthorization: Bearer " + token + "\r\n\r\n"
		if _, err := io.WriteString(connection, request); err != nil {
			return err
		}
		if err := readAnswer(reader); err != nil {
			return err
		}
		done.Add(1)
	}
	return nil
}

// readAnswer reads one answer, which must be a success with credentials.
func readAnswer(reader *bufio.Reader) error {
	status, err := reader.ReadString('\n')
	if err != nil {
		return err
	}
	length := 0
	for {
		line, err := reader.ReadSlice('\n')
		if err != nil {
			return err
		}
		name, value, found := bytes.Cut(bytes.TrimSpace(line), []byte(": "))
		if !found {
			break
		}
		if strings.EqualFold(string(name), "Content-Length") {
			if length, err = strconv.Atoi(string(value)); err != nil {
				return err
			}
		}
	}
	body := make([]byte, length)
	if _, err := io.ReadFull(reader, body); err != nil {
		return err
	}
	if !strings.HasPrefix(status, "HTTP/1.1 200 ") || !bytes.Contains(body, []byte(accessKey)) {
		return fmt.Errorf("it answered %q, %.200q", status, body)
	}
	return nil
}

// ticks is the number of kernel clock ticks per second, on all current Linux systems.
const ticks = 100

// cpuTime is the CPU time that the service has used, in seconds (proc(5), /proc/PID/stat).
func (s *service) cpuTime() (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.command.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), ") ") // after the name, which may contain spaces
	fields := strings.Fields(rest)
	const user, system = 11, 12 // utime and stime, counted from the state
	if len(fields) <= system {
		return 0, errors.New("/proc/PID/stat is too short")
	}
	utime, err1 := strconv.ParseFloat(fields[user], 64)
	stime, err2 := strconv.ParseFloat(fields[system], 64)
	return (utime + stime) / ticks, errors.Join(err1, err2)
}
