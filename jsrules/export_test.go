package jsrules

import (
	"math/big"
	"time"

	"github.com/dop251/goja"
)

// WithClock returns the options with another clock for the limits. Looks at a run come as often as
// ever; what the clock says then decides.
func (o Options) WithClock(now func() time.Time) Options {
	o.clock = now
	return o
}

// OutBigInt converts a BigInt that a rule leaves, and returns the error.
func OutBigInt() error {
	rt := goja.New()
	r := &run{rt: rt}
	o := &outgoing{run: r}
	return r.try(func() { o.out("user.level", rt.ToValue(big.NewInt(5)), nil) })
}
