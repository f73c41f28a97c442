package main

import (
	"context"
	"io"
	"os"
	"os/exec"
	"reflect"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
	"golang.org/x/term"
)

// newTerminal opens a pseudo-terminal (pts(4)): the program gets tty, and the person at it has keys
// and screen.
func newTerminal(t testing.TB) (tty *os.File, keys io.Writer, screen *output) {
	t.Helper()
	keyboard := must(os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0))
	var number, unlocked int32
	for request, argument := range map[uintptr]*int32{
		syscall.TIOCSPTLCK: &unlocked, syscall.TIOCGPTN: &number,
	} {
		_, _, failed := syscall.Syscall(syscall.SYS_IOCTL, keyboard.Fd(), request,
			uintptr(unsafe.Pointer(argument)))
		if failed != 0 {
			t.Fatal(failed)
		}
	}
	tty = must(os.OpenFile("/dev/pts/"+strconv.Itoa(int(number)), os.O_RDWR|syscall.O_NOCTTY, 0))
	screen = newOutput()
	go func() { _, _ = io.Copy(screen, keyboard) }() // until the terminal is closed
	t.Cleanup(func() { _ = tty.Close(); _ = keyboard.Close() })
	return tty, keyboard, screen
}

// eventually waits for what another goroutine does.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	deadline := time.After(patience)
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for !is() {
		select {
		case <-look.C:
		case <-deadline:
			t.Fatalf("it never happened: %s", what)
		}
	}
}

// TestTerminal_Token: a token is typed unseen, and the terminal is as it was afterwards, after a
// signal too.
func TestTerminal_Token(t *testing.T) {
	path := binary(t)
	w := newWorld(t)
	file, token := w.configFile(t, ""), w.token(nil)
	for name, row := range map[string]struct {
		typed string // nothing: a signal comes
		code  int
		want  string
	}{
		"typed":  {token + "\n", 0, ""},
		"empty":  {"\n", exitUsage, "standard input is empty"},
		"signal": {"", exitFailed, "a signal came before the token"},
	} {
		t.Run(name, func(t *testing.T) {
			tty, keys, screen := newTerminal(t)
			state := func() *term.State { return must(term.GetState(int(tty.Fd()))) }
			before := state()
			stdout, stderr := newOutput(), newOutput()
			command := exec.Command(path, "exchange", "-c", file, "-t",
				service.DemoTarget, "-f", "-")
			command.Stdin, command.Stdout, command.Stderr = tty, stdout, stderr
			if err := command.Start(); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the terminal shows no more what is typed",
				func() bool { return !reflect.DeepEqual(state(), before) })
			if row.typed == "" {
				_ = command.Process.Signal(os.Interrupt) // it shows in the exit code
			}
			_, _ = io.WriteString(keys, row.typed)
			_ = command.Wait()
			got := command.ProcessState.ExitCode()
			if got != row.code || !strings.Contains(stderr.String(), row.want) {
				t.Errorf("exit code %d: %s", got, stderr)
			}
			if row.code == 0 && !strings.Contains(stdout.String(), "SecretAccessKey") {
				t.Errorf("no credentials: %s", stdout)
			}
			if !reflect.DeepEqual(state(), before) {
				t.Error("the terminal is not as it was")
			}
			if strings.Contains(screen.String(), "ey") {
				t.Errorf("the screen shows the token: %s", screen)
			}
		})
	}
}

// TestTerminal_Progress: a person is told what takes long, after a second, and the line goes away.
// Nobody else is told.
func TestTerminal_Progress(t *testing.T) {
	w := newWorld(t)
	slow, called := hanging(t)
	args := []string{
		"exchange", "-c", w.configFile(t, ""), "-t", service.DemoTarget, "-f",
		w.write(t, "token", w.token(nil)),
	}
	late := make(chan time.Time)
	s := surroundings{
		environment: []string{"DELEGATION_STS_ENDPOINT=" + slow},
		after: func(d time.Duration) <-chan time.Time {
			if d != time.Second {
				t.Errorf("it waits %s", d)
			}
			return late
		},
	}
	tty, _, screen := newTerminal(t)
	s.stdout, s.stderr = newOutput(), tty
	ctx, cancel := context.WithCancel(t.Context())
	code := make(chan int, 1)
	go func() { code <- run(ctx, args, s) }()
	<-called
	if screen.String() != "" {
		t.Errorf("it says something at once: %q", screen)
	}
	late <- time.Now()
	eventually(t, "a line", func() bool { return screen.String() == "Exchanging the token ..." })
	cancel()
	if got := <-code; got != exitFailed {
		t.Errorf("exit code %d", got)
	}
	eventually(t, "the error, in place of the line", func() bool {
		return strings.HasPrefix(screen.String(),
			"Exchanging the token ...\r\x1b[Kdelegation: sts: ") &&
			strings.HasSuffix(screen.String(), "\n")
	})

	stderr := newOutput()
	s.stderr = stderr
	s.after = func(time.Duration) <-chan time.Time {
		t.Error("it waits to tell nobody")
		return nil
	}
	s.environment = nil
	if code := run(t.Context(), args, s); code != 0 || stderr.String() != "" {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

// TestTerminal_Help: help is as wide as the terminal, within bounds, and COLUMNS decides before it.
func TestTerminal_Help(t *testing.T) {
	for _, row := range []struct {
		columns uint16
		setting string
		want    int // columns
	}{
		{60, "", 60}, {100, "", 100}, {20, "", 40}, {500, "", 120}, {0, "", 80},
		{60, "COLUMNS=90", 90}, {60, "COLUMNS=wide", 60}, {60, "COLUMNS=-1", 60},
	} {
		tty, _, screen := newTerminal(t)
		size := [4]uint16{24, row.columns}
		_, _, failed := syscall.Syscall(syscall.SYS_IOCTL, tty.Fd(), syscall.TIOCSWINSZ,
			uintptr(unsafe.Pointer(&size)))
		if failed != 0 {
			t.Fatal(failed)
		}
		code := run(t.Context(), []string{"help", "serve"},
			surroundings{stdout: tty, environment: []string{row.setting}})
		if code != 0 {
			t.Fatalf("exit code %d", code)
		}
		must(io.WriteString(tty, "END\n"))
		eventually(t, "the end of the help", func() bool {
			return strings.Contains(screen.String(), "END")
		})
		text := screen.String()
		if row.want < 60 { // pflag does not break before a word that is half as wide
			text, _, _ = strings.Cut(text, "Flags:")
		}
		longest := 0
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, "  delegation ") {
				continue // an example is a command to copy
			}
			longest = max(longest, len(strings.TrimSpace(line)))
			if got := len(strings.TrimRight(line, "\r\n")); got > row.want {
				t.Errorf("%d columns, %q: %d: %s", row.columns, row.setting, got, line)
			}
		}
		if longest < row.want-15 {
			t.Errorf("%d columns, %q: no line is longer than %d", row.columns, row.setting, longest)
		}
	}
}
