package guard_test

import (
	"errors"
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
		"success": {func() error { return nil }, nil, ""},
		"error":   {func() error { return wrong }, wrong, ""},
		"panic": {func() error { panic("at the\ndisco") }, nil,
			`it panicked: "at the\ndisco"`},
		"panic, an error": {func() error { panic(wrong) }, nil, `it panicked: "wrong"`},
		"panic, runtime": {func() error { nothing["x"] = 1; return nil }, nil,
			`it panicked: "assignment to entry in nil map"`},
		"panic, huge": {func() error { panic(strings.Repeat("x", 1<<20)) }, nil,
			`it panicked: "` + strings.Repeat("x", 200) + `"`},
	} {
		t.Run(name, func(t *testing.T) {
			err := guard.Call(test.call)
			_, panicked := err.(guard.Panic)
			if panicked != (test.panicked != "") || panicked && err.Error() != test.panicked ||
				!panicked && err != test.want {
				t.Errorf("got %T %v", err, err)
			}
		})
	}
}
