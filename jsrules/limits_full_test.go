//go:build matrix

package jsrules_test

import (
	"testing"

	"github.com/seed055b7978/delegation/jsrules"
)

// TestLimits_Full: the rows of TestLimits that take gigabytes of memory.
func TestLimits_Full(t *testing.T) {
	for name, row := range map[string]limitRow{
		"a text that doubles":           {"var s = 'x'; for (;;) s += s", jsrules.ErrMemory, ""},
		"a text of others that doubles": {"var s = 'ä'; for (;;) s = s + s", jsrules.ErrMemory, ""},
		"a template that doubles":       {"var s = 'x'; for (;;) s = `${s}${s}`", jsrules.ErrMemory, ""},
	} {
		t.Run(name, row.run)
	}
}
