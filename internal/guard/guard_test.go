package guard_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/internal/guard"
)

func TestCall(t *testing.T) {
	wrong := errors.New("wrong")
	var nothing map[string]int
	for name, test := range map[string]struct {
		call     func() error
		want     error  // returned as it is
		panicked string // or the text of a Panic
	}{
		"success":         {func() error { return nil }, nil, ""},
		"error":           {func() error { return wrong }, wrong, ""},
		"panic":           {func() error { panic("at the\ndisco") }, nil, `it panicked: "at the\ndisco"`},
		"panic, an error": {func() error { panic(wrong) }, nil, `it panicked: "wrong"`},
		"panic, runtime":  {func() error { nothing["x"] = 1; return nil }, nil, `it panicked: "assignment to entry in nil map"`},
		"panic, huge":     {func() error { panic(strings.Repeat("x", 1<<20)) }, nil, `it panicked: "` + strings.Repeat("x", 200) + `"`},
	} {
		t.Run(name, func(t *testing.T) {
			err := guard.Call(test.call)
			_, panicked := err.(guard.Panic)
			if panicked != (test.panicked != "") || panicked && err.Error() != test.panicked || !panicked && err != test.want {
				t.Errorf("got %T %v", err, err)
			}
		})
	}
}

func TestCallWithin(t *testing.T) {
	broken := errors.New("broken")
	for name, row := range map[string]struct {
		call func() error
		want string
	}{
		"success":            {func() error { return nil }, ""},
		"error":              {func() error { return broken }, "broken"},
		"panic":              {func() error { panic("a bug") }, `it panicked: "a bug"`},
		"ends its goroutine": {func() error { runtime.Goexit(); return nil }, "it ended its goroutine"},
	} {
		got := ""
		if err := guard.CallWithin(t.Context(), row.call); err != nil {
			got = err.Error()
		}
		if got != row.want {
			t.Errorf("%s: got %q, want %q", name, got, row.want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	began, release, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() { <-began; cancel() }()
	err := guard.CallWithin(ctx, func() error {
		defer close(ended)
		close(began)
		<-release
		return nil
	})
	if err != context.Canceled {
		t.Errorf("got %v", err)
	}
	close(release)
	<-ended // the call was left to finish
}
