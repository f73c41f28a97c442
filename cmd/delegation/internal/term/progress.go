package term

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"
)

// progressDelay is how long a command may take before it shows a message.
const progressDelay = time.Second

// Progress tells on a terminal what the command is waiting for, if it takes longer than a second.
// done removes the line, and may be called more than once. Nothing is shown after ctx has ended, or
// if to is no terminal. after replaces time.After; nil: time.After.
func Progress(
	ctx context.Context, to io.Writer, what string, after func(time.Duration) <-chan time.Time,
) (done func()) {
	if !IsTerminal(to) {
		return func() {}
	}
	if after == nil {
		after = time.After
	}
	return progressLine(ctx, to, what, after(progressDelay))
}

func progressLine(
	ctx context.Context, to io.Writer, what string, late <-chan time.Time,
) (done func()) {
	ended := make(chan struct{})
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		select {
		case <-ended:
			return
		case <-ctx.Done():
			return
		case <-late:
		}
		fmt.Fprintf(to, "%s ...", what)
		<-ended
		fmt.Fprint(to, "\r\x1b[K") // return to the start of the line, and erase it (ECMA-48)
	}()
	return sync.OnceFunc(func() {
		close(ended)
		<-gone
	})
}
